//! The progress bar of `train`: one line with epoch, images, loss, accuracy, speed and time left.

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use burn_digits::train::TrainingProgress;

const BAR_TEMPLATE: &str = "epoch {prefix} [{bar:30}] {pos:>5}/{len} {msg}";
/// Shortest time between two redraws.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Draws [`TrainingProgress`] on a bar. A hidden bar draws nothing.
pub struct TrainingBar {
    bar: ProgressBar,
    /// Images per epoch, training and validation.
    images_per_epoch: usize,
    /// Images of this process that are done, over all epochs.
    images_done: usize,
    last: TrainingProgress,
    started: Instant,
    drawn: Instant,
}

impl TrainingBar {
    /// Draws on `bar`. `images_per_epoch` counts training and validation images.
    pub fn new(bar: ProgressBar, images_per_epoch: usize) -> Self {
        // The template is a constant. If it were wrong, indicatif's default bar would be drawn.
        if let Ok(style) = ProgressStyle::with_template(BAR_TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        let now = Instant::now();
        Self {
            bar,
            images_per_epoch,
            images_done: 0,
            last: TrainingProgress::default(),
            started: now,
            drawn: now,
        }
    }

    /// Draws the progress, at most ten times per second.
    pub fn update(&mut self, progress: &TrainingProgress) {
        if progress.images_done == 0 {
            self.bar.set_prefix(format!("{}/{}", progress.epoch, progress.epochs));
            self.bar.set_length(progress.images as u64);
            self.bar.set_position(0);
        }
        // A new pass starts at 0.
        self.images_done += progress.images_done.saturating_sub(self.last.images_done);
        self.last.clone_from(progress);
        if progress.images_done > 0 && self.drawn.elapsed() >= REDRAW_INTERVAL {
            self.drawn = Instant::now();
            self.bar.set_position(progress.images_done as u64);
            self.bar.set_message(self.message(progress));
        }
    }

    fn message(&self, progress: &TrainingProgress) -> String {
        let speed = self.images_done as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        let epochs_left = (progress.epochs + 1).saturating_sub(progress.epoch);
        let images_left =
            (epochs_left * self.images_per_epoch).saturating_sub(progress.images_done);
        let time_left = Duration::from_secs_f64(images_left as f64 / speed.max(1.0));
        format!(
            "loss {:.4}  accuracy {:.2} %  {speed:.0} images/s  {} left",
            progress.loss.unwrap_or(f64::NAN),
            progress.accuracy.unwrap_or(f64::NAN),
            HumanDuration(time_left)
        )
    }
}
