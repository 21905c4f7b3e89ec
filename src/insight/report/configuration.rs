//! The recipe of a model in words.

use serde_json::Value;

use crate::format::thousands;
use crate::saved::Metadata;

/// The settings of a recipe in the order of the table: the path of its key and its name. Keys that
/// are not listed, of an imported model or a later version, follow under their own names.
const SETTINGS: [(&str, &str); 26] = [
    ("model.hidden", "Units of the hidden layers"),
    ("model.activation", "Activation function"),
    ("epochs", "Epochs"),
    ("batch_size", "Images per step"),
    ("optimizer", "Optimizer"),
    ("learning_rate", "Learning rate"),
    ("schedule", "Learning-rate schedule"),
    ("warm_up_epochs", "Warm-up, epochs"),
    ("weight_decay", "Weight decay"),
    ("label_smoothing", "Label smoothing"),
    ("early_stopping", "Early stopping, epochs without improvement"),
    ("train_on", "Images for training"),
    ("limit", "Limit of training images"),
    ("drawn_digits", "Synthetic digits added"),
    ("non_digits", "Synthetic images without a digit added"),
    ("non_digit_weight", "Weight of an image without a digit"),
    ("distortions.rotation", "Distortion: largest rotation, degrees"),
    ("distortions.scale", "Distortion: largest change of width and height, share"),
    ("distortions.shear", "Distortion: largest slant, pixels per pixel of height"),
    ("distortions.shift", "Distortion: largest shift, pixels"),
    ("distortions.elastic", "Distortion: elastic displacement, pixels"),
    ("distortions.elastic_sigma", "Distortion: smoothness of the elastic displacement, pixels"),
    ("distortions.thickness", "Distortion: largest change of the strokes' thickness, pixels"),
    ("distortions.sharpen", "Distortion: sharpening"),
    ("distortions.anneal_from", "Distortion: share of the epochs at full strength"),
    ("distortions.anneal_to", "Distortion: share of the strength in the last epoch"),
];

/// Further settings, which end the table.
const LAST_SETTINGS: [(&str, &str); 6] = [
    ("calibration.temperature", "Calibration given: temperature"),
    ("calibration.unsure_below", "Calibration given: unsure below"),
    ("teacher.temperature", "Distillation: temperature"),
    ("teacher.weight", "Distillation: weight of the teachers"),
    ("teacher.models", "Distillation: teachers"),
    ("seed", "Seed"),
];

/// The rows of the table: name and value.
pub fn rows(metadata: &Metadata) -> Vec<(String, String)> {
    let data = &metadata.data;
    let set = if data.is_mnist { "MNIST" } else { "another data set" };
    let mut rows = vec![
        ("Training data".to_owned(), format!("{set}, {} images", thousands(data.images))),
        ("SHA-256 of the images".to_owned(), data.sha256.clone()),
    ];
    let mut leaves = Vec::new();
    flatten("", &metadata.recipe, &mut leaves);
    for (key, name) in SETTINGS.iter().chain(&LAST_SETTINGS) {
        if let Some(index) = leaves.iter().position(|(path, _)| path == key) {
            let (_, value) = leaves.remove(index);
            rows.push(((*name).to_owned(), in_words(key, &value)));
        }
    }
    for (path, value) in leaves {
        rows.push((sentence_case(&path.replace('.', ": ").replace('_', " ")), text(&value)));
    }
    let mut figures = Vec::new();
    flatten("", &metadata.figures, &mut figures);
    for (path, value) in figures {
        let name = match path.as_str() {
            "epoch" => "Epoch whose weights were kept".to_owned(),
            _ => format!("Validation: {}", path.replace('.', ": ").replace('_', " ")),
        };
        rows.push((name, text(&value)));
    }
    rows.push(("Temperature of the probabilities".to_owned(), decimal(metadata.temperature)));
    let unsure_below = match metadata.unsure_below {
        above_one if above_one > 1.0 => "every answer is unsure".to_owned(),
        threshold => decimal(threshold),
    };
    rows.push(("Unsure below a confidence of".to_owned(), unsure_below));
    rows.push(("Made with".to_owned(), metadata.made_with.clone()));
    rows.retain(|(_, value)| !value.is_empty());
    rows
}

/// The leaves of a JSON value with their paths (`model.hidden`), without nulls. An array is a leaf.
fn flatten(path: &str, value: &Value, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, leaves);
            }
        }
        Value::Null => {}
        value => leaves.push((path.to_owned(), value.clone())),
    }
}

/// A value of a setting, where its name in the file needs an explanation.
fn in_words(key: &str, value: &Value) -> String {
    match (key, value.as_str()) {
        ("optimizer", Some("adam")) => "Adam".to_owned(),
        ("optimizer", Some("adamw")) => "AdamW".to_owned(),
        ("schedule", Some("cosine")) => "cosine, to 0 at the last step".to_owned(),
        ("train_on", Some("all")) => "all, none for validation".to_owned(),
        ("train_on", Some("split")) => "all but those for validation".to_owned(),
        _ => text(value),
    }
}

/// A JSON value as text: yes and no, numbers with commas and six decimals at most, lists with
/// commas.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(is_true) => if *is_true { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Number(number) => match number.as_u64() {
            Some(count) => thousands(count as usize),
            // Values that were `f32` have more digits than precision.
            None => ((number.as_f64().unwrap_or_default() * 1e6).round() / 1e6).to_string(),
        },
        other => other.to_string(),
    }
}

fn decimal(value: f32) -> String {
    ((f64::from(value) * 1e6).round() / 1e6).to_string()
}

fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;
    use crate::classifier::Classifier;

    #[test]
    fn the_recipe_of_the_pretrained_model_is_in_words() {
        let classifier = Classifier::shipped(&backend::cpu()).unwrap();
        let rows = rows(classifier.metadata());
        // As in artifacts/recipes/digits.toml.
        for (name, value) in [
            ("Training data", "MNIST, 60,000 images"),
            ("Epochs", "200"),
            ("Optimizer", "Adam"),
            ("Learning rate", "0.003"),
            ("Units of the hidden layers", "256, 128, 64"),
            ("Synthetic images without a digit added", "4,000"),
            ("Distortion: largest rotation, degrees", "10"),
        ] {
            assert!(rows.contains(&(name.to_owned(), value.to_owned())), "{name}: {rows:?}");
        }
        assert!(rows.iter().all(|(name, _)| !name.contains(['_', '·'])), "{rows:?}");
    }

    #[test]
    fn every_key_of_a_configuration_has_a_name() {
        use crate::train::TrainConfig;

        let config = TrainConfig::from_toml(
            "early_stopping = 2\nlimit = 100\nnon_digit_weight = 0.5\n[distortions]\n\
             [calibration]\ntemperature = 1.0\nunsure_below = 0.5\n[teacher]\nmodels = [\"a\"]",
        );
        let recipe = config.unwrap().recipe();
        let mut leaves = Vec::new();
        flatten("", &recipe, &mut leaves);
        let known = |path: &str| SETTINGS.iter().chain(&LAST_SETTINGS).any(|(key, _)| *key == path);
        let unknown: Vec<_> = leaves.iter().filter(|(path, _)| !known(path)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn keys_that_are_not_known_are_shown_too() {
        let mut metadata = Classifier::shipped(&backend::cpu()).unwrap().metadata().clone();
        metadata.recipe = serde_json::json!({ "imported_from": { "file_format": "pytorch" } });
        let row = ("Imported from: file format".to_owned(), "pytorch".to_owned());
        assert!(rows(&metadata).contains(&row), "{:?}", rows(&metadata));
    }
}
