//! Validates a configuration: one table of ranges, then the rules that a range cannot express.

use std::fmt::Display;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::ops::{Bound, RangeBounds};
use std::path::Path;

use super::{ConfigError, OptimizerKind, TrainConfig, TrainOn};
use crate::format;
use crate::model::MAX_HIDDEN_WIDTH;
use crate::saved::MAX_PARAMETERS;

impl TrainConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// For the first value that training cannot start with.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_ranges()?;
        self.check_paths()?;
        self.check_combinations()
    }

    fn check_ranges(&self) -> Result<(), ConfigError> {
        in_range("epochs", self.epochs, 1..=1_000_000)?;
        in_range("batch_size", self.batch_size, 1..)?;
        in_range("learning_rate", self.learning_rate, (Excluded(0.0), Included(1.0)))?;
        in_range("warm_up_epochs", self.warm_up_epochs, 0.0..f64::INFINITY)?;
        in_range("weight_decay", self.weight_decay, 0.0..f32::INFINITY)?;
        in_range("label_smoothing", self.label_smoothing, 0.0..1.0)?;
        // A million images take 784 MB.
        in_range("drawn_digits", self.drawn_digits, 0..=1_000_000)?;
        in_range("non_digits", self.non_digits, 0..=1_000_000)?;
        in_range("non_digit_weight", self.non_digit_weight, 0.0..=1.0)?;
        if let Some(limit) = self.limit {
            in_range("limit", limit, 1..)?;
        }
        if let Some(epochs) = self.early_stopping {
            in_range("early_stopping", epochs, 1..)?;
        }
        for width in self.model.hidden {
            in_range("model.hidden", width, 1..=MAX_HIDDEN_WIDTH)?;
        }
        if let Some(calibration) = &self.calibration {
            let temperature = (Excluded(0.0), Excluded(f32::INFINITY));
            in_range("calibration.temperature", calibration.temperature, temperature)?;
            in_range("calibration.unsure_below", calibration.unsure_below, 0.0..=1.0)?;
        }
        if let Some(teacher) = &self.teacher {
            let temperature = (Excluded(0.0), Included(100.0));
            in_range("teacher.temperature", teacher.temperature, temperature)?;
            in_range("teacher.weight", teacher.weight, 0.0..=1.0)?;
        }
        match &self.distortions {
            Some(distortions) => distortions.check().map_err(ConfigError::from),
            None => Ok(()),
        }
    }

    fn check_paths(&self) -> Result<(), ConfigError> {
        let paths = [("data", &self.data), ("pictures", &self.pictures), ("from", &self.from)];
        let paths =
            paths.into_iter().flat_map(|(key, path)| path.iter().map(move |path| (key, path)));
        let teachers = self.teacher.iter().flat_map(|teacher| &teacher.models);
        for (key, path) in paths.chain(teachers.map(|path| ("teacher.models", path))) {
            let rule = "must be UTF-8, because TOML files are";
            require(path.to_str().is_some(), key, format::path(path), rule)?;
        }
        Ok(())
    }

    fn check_combinations(&self) -> Result<(), ConfigError> {
        require(
            self.model.parameters() <= MAX_PARAMETERS,
            "model.hidden",
            format_args!("{:?}", self.model.hidden),
            "these layers have more than 66,846,720 parameters, which no model file holds",
        )?;
        require(
            self.warm_up_epochs < self.epochs as f64,
            "warm_up_epochs",
            self.warm_up_epochs,
            "must be less than epochs",
        )?;
        require(
            self.optimizer == OptimizerKind::AdamW || self.weight_decay == 0.0,
            "weight_decay",
            self.weight_decay,
            "optimizer = \"adam\" has no weight decay: set it to 0, or choose \"adamw\"",
        )?;
        require(
            self.data.is_none() || self.pictures.is_none(),
            "pictures",
            format::path(self.pictures.as_deref().unwrap_or(Path::new(""))),
            "data is set too: leave out one of the two",
        )?;
        require(
            self.teacher.as_ref().is_none_or(|teacher| !teacher.models.is_empty()),
            "teacher.models",
            "empty",
            "must name at least one model file or finished run",
        )?;
        require(
            self.early_stopping.is_none() || self.train_on == TrainOn::Split,
            "early_stopping",
            self.early_stopping.unwrap_or_default(),
            "train_on = \"all\" leaves no images for validation: leave out one of the two",
        )
    }
}

fn require(
    holds: bool,
    key: &'static str,
    value: impl Display,
    rule: &'static str,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Invalid { key, value: value.to_string(), rule }) }
}

/// A row of the table of ranges.
fn in_range<T: PartialOrd + Display>(
    key: &'static str,
    value: T,
    range: impl RangeBounds<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange { key, value: value.to_string(), range: describe(&range) })
}

/// A range in words, as in "at least 0 and below 1".
fn describe<T: Display>(range: &impl RangeBounds<T>) -> String {
    let least = bound(range.start_bound(), "at least", "above");
    let most = bound(range.end_bound(), "at most", "below");
    [least, most].into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

fn bound<T: Display>(bound: Bound<&T>, included: &str, excluded: &str) -> Option<String> {
    match bound {
        Included(limit) => Some(format!("{included} {limit}")),
        Excluded(limit) => Some(format!("{excluded} {limit}")),
        Unbounded => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(toml: &str) -> String {
        TrainConfig::from_toml(toml).unwrap_err().to_string()
    }

    #[test]
    fn a_value_out_of_range_is_named_with_its_key_and_its_range() {
        for (toml, expected) in [
            ("epochs = 0", "epochs is 0, but must be at least 1 and at most 1000000"),
            ("batch_size = 0", "batch_size is 0, but must be at least 1"),
            ("learning_rate = 0.0", "learning_rate is 0, but must be above 0 and at most 1"),
            ("learning_rate = nan", "learning_rate is NaN, but must be above 0 and at most 1"),
            ("label_smoothing = 1.0", "label_smoothing is 1, but must be at least 0 and below 1"),
            ("weight_decay = inf", "weight_decay is inf, but must be at least 0 and below inf"),
            (
                "non_digit_weight = 1.1",
                "non_digit_weight is 1.1, but must be at least 0 and at most 1",
            ),
            ("limit = 0", "limit is 0, but must be at least 1"),
            (
                "[model]\nhidden = [256, 8193, 64]",
                "model.hidden is 8193, but must be at least 1 and at most 8192",
            ),
            (
                "[calibration]\ntemperature = inf\nunsure_below = 0.5",
                "calibration.temperature is inf, but must be above 0 and below inf",
            ),
        ] {
            assert_eq!(error(toml), expected);
        }
    }

    #[test]
    fn layers_that_no_model_file_holds_are_refused_before_training() {
        let message = error("[model]\nhidden = [8192, 8192, 8192]");
        let rule = format!("more than {} parameters", format::thousands(MAX_PARAMETERS));
        assert!(message.starts_with("model.hidden is [8192, 8192, 8192], but"), "{message}");
        assert!(message.contains(&rule), "{message}");
        assert!(TrainConfig::from_toml("[model]\nhidden = [8192, 4096, 4096]").is_ok());
    }

    #[test]
    fn values_at_the_ends_of_their_ranges_are_valid() {
        for toml in [
            "epochs = 1000000",
            "learning_rate = 1.0",
            "label_smoothing = 0.0",
            "non_digit_weight = 0.0",
            "non_digits = 1000000",
            "[model]\nhidden = [1, 8192, 1]",
            "[teacher]\nmodels = [\"shipped\"]\ntemperature = 100.0\nweight = 0.0",
        ] {
            assert!(TrainConfig::from_toml(toml).is_ok(), "{toml}");
        }
    }

    #[test]
    fn values_that_do_not_go_together_are_named_with_the_reason() {
        for (toml, expected) in [
            (
                "epochs = 3\nwarm_up_epochs = 3.0",
                "warm_up_epochs is 3, but must be less than epochs",
            ),
            (
                "optimizer = \"adam\"\nweight_decay = 0.05",
                "weight_decay is 0.05, but optimizer = \"adam\" has no weight decay: set it to 0, or \
                 choose \"adamw\"",
            ),
            (
                "data = \"a\"\npictures = \"b\"",
                "pictures is b, but data is set too: leave out one of the two",
            ),
            (
                "[teacher]",
                "teacher.models is empty, but must name at least one model file or finished run",
            ),
            (
                "train_on = \"all\"\nearly_stopping = 3",
                "early_stopping is 3, but train_on = \"all\" leaves no images for validation: leave out \
                 one of the two",
            ),
        ] {
            assert_eq!(error(toml), expected);
        }
    }
}
