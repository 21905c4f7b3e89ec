//! The progress bar of `train`: one line with epoch, pass, loss and the time left of the run.

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use burn_digits::train::TrainingProgress;

/// The bar takes what the texts leave of the terminal's width. The space at the end keeps the last
/// column free, like all lines.
const BAR_TEMPLATE: &str = "epoch {prefix} [{wide_bar}] {percent:>3} %{msg} ";
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
            let pass = if progress.is_validating { "validating" } else { "training" };
            self.bar.set_prefix(format!("{}/{} {pass:10}", progress.epoch, progress.epochs));
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

    /// The loss of the last steps, and the time left of the whole run.
    fn message(&self, progress: &TrainingProgress) -> String {
        let speed = self.images_done as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        let epochs_left = (progress.epochs + 1).saturating_sub(progress.epoch);
        // An epoch ends with its validation images.
        let done = match progress.is_validating {
            true => self.images_per_epoch.saturating_sub(progress.images) + progress.images_done,
            false => progress.images_done,
        };
        let images_left = (epochs_left * self.images_per_epoch).saturating_sub(done);
        let time_left = Duration::from_secs_f64(images_left as f64 / speed.max(1.0));
        let loss = progress.loss.map_or_else(String::new, |loss| format!("  loss {loss:.4}"));
        format!("{loss}  {} left of the run", HumanDuration(time_left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::output;

    #[test]
    fn the_bar_leaves_the_last_column_free() {
        let (screen, target) = output::tests::screen(80);
        let bar = ProgressBar::with_draw_target(None, target);
        let mut training = TrainingBar::new(bar.clone(), 60);
        training.drawn -= REDRAW_INTERVAL;
        let mut progress =
            TrainingProgress { epoch: 2, epochs: 3, images: 50, ..TrainingProgress::default() };
        training.update(&progress);
        progress.images_done = 25;
        training.update(&progress);
        bar.tick();
        let widths = screen.widths();
        assert_eq!(widths.iter().max(), Some(&79), "{widths:?}");
    }

    #[test]
    fn the_bar_names_the_pass_and_what_the_time_is_left_of() {
        let bar = ProgressBar::hidden();
        let mut training = TrainingBar::new(bar.clone(), 60);
        training.drawn -= REDRAW_INTERVAL;
        let mut progress = TrainingProgress {
            epoch: 2,
            epochs: 3,
            images: 50,
            loss: Some(0.5),
            ..TrainingProgress::default()
        };
        training.update(&progress);
        assert!(bar.prefix().starts_with("2/3 training"), "{}", bar.prefix());
        progress.images_done = 25;
        training.update(&progress);
        assert!(bar.message().starts_with("  loss 0.5000  "), "{}", bar.message());
        assert!(bar.message().ends_with(" left of the run"), "{}", bar.message());

        progress = TrainingProgress { is_validating: true, images: 10, images_done: 0, ..progress };
        training.update(&progress);
        assert!(bar.prefix().starts_with("2/3 validating"), "{}", bar.prefix());
        assert_eq!(bar.length(), Some(10));
    }
}
