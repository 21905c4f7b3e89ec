//! What `train` says of a finished run: its best epoch, the commands that use it, and what is wrong
//! with it.

use std::path::Path;

use crate::app::folders;
use crate::app::output::{path_argument, program};
use burn_digits::internal::format::{self, percent, thousands};
use burn_digits::train::{Calibration, CalibrationSource, Finished, Run};

/// A validation accuracy below this is poor: a linear classifier has 88 % of MNIST's test images
/// right (LeCun et al., *Gradient-Based Learning Applied to Document Recognition*, 1998).
const POOR_ACCURACY: f64 = 0.85;

/// The best epoch, where the model is, and the commands that use it.
pub fn describe(folder: &Path, finished: &Finished) -> String {
    let result = match finished.best.valid_accuracy {
        Some(accuracy) => format!(
            "epoch {} is the best: {} of validation images right",
            finished.best.epoch,
            percent(accuracy)
        ),
        None => format!("epoch {} is the last", finished.best.epoch),
    };
    let last = match folder.parent() == Some(&folders::runs_folder()) {
        true => "; this run is also `--model last`",
        false => "",
    };
    let (program, model, folder) =
        (program(), format::path(&finished.model), path_argument(folder));
    format!(
        "\n{result}. Saved in {model}\nWithout --model, commands use the shipped model{last}\n\n\
         next:\n  {program} eval --model {folder}\n  {program} infer --model {folder} image.png"
    )
}

/// What the user should know before using the model. `valid` is the number of validation images.
pub fn warnings(finished: &Finished, valid: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(accuracy) = finished.best.valid_accuracy
        && accuracy < POOR_ACCURACY
    {
        warnings.push(format!(
            "warning: only {} of the {} validation images are right, which is poor; train for more \
             epochs or on more images",
            percent(accuracy),
            thousands(valid)
        ));
    }
    let reason = no_threshold_reason(valid);
    if finished.calibration_source == CalibrationSource::Inherited {
        warnings.push(format!(
            "this model keeps the threshold of the one it started from, and marks answers with a \
             confidence below {:.2} unsure: {reason}",
            finished.calibration.unsure_below
        ));
    }
    if finished.calibration.marks_all() {
        warnings.push(format!(
            "warning: this model marks every answer unsure: {reason}. To set a threshold yourself, give \
             temperature and unsure_below in [calibration] of a --config file"
        ));
    }
    warnings
}

/// Why no threshold for `unsure` could be chosen on so many validation images.
fn no_threshold_reason(valid: usize) -> String {
    let share = percent(Calibration::MAX_WRONG_SHARE);
    match valid {
        0 => "there are no validation images to choose a threshold on".to_owned(),
        _ if valid < Calibration::MIN_IMAGES => format!(
            "it takes {} validation images or more to show that at most {share} of the sure answers are \
             wrong, and there are {}",
            thousands(Calibration::MIN_IMAGES),
            thousands(valid)
        ),
        _ => format!(
            "on its validation images too many answers are wrong, even of the most confident ones, to \
             promise at most {share} among the sure"
        ),
    }
}

/// The warning about a run that validates on images that its initial model has learned.
pub fn learned_images(run: &Run) -> String {
    let from = run.config.from.as_deref().unwrap_or(Path::new("the initial model"));
    format!(
        "warning: {} was trained on the {} validation images too, so their accuracy and the \
         threshold for `unsure` are better than on new images; judge the result with `eval`",
        format::path(from),
        thousands(run.images().1)
    )
}
