//! The first difference between two configurations: a resumed run must have the one it started
//! with.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use thiserror::Error;

use super::config::TrainConfig;

/// A configuration value that changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key} is {new}, but was {old}")]
pub struct ConfigChange {
    /// The key with its tables, as in `model.activation`.
    pub key: String,
    /// The new value as JSON; `null` if the key is not set.
    pub new: String,
    /// The old value as JSON; `null` if the key was not set.
    pub old: String,
}

fn first_change(key: String, old: &Value, new: &Value) -> Option<ConfigChange> {
    if let (Value::Object(before), Value::Object(after)) = (old, new) {
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        return keys.into_iter().find_map(|name| {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let value = |values: &Map<String, Value>| values.get(name).cloned().unwrap_or_default();
            first_change(key, &value(before), &value(after))
        });
    }
    (old != new).then(|| ConfigChange { key, new: new.to_string(), old: old.to_string() })
}

impl TrainConfig {
    /// The first value that differs from `old`, by key in alphabetical order. `data` and `pictures`
    /// are ignored: the data may have moved, and a checksum identifies them. So is the number of
    /// epochs where it may change.
    pub fn change_since(&self, old: &Self) -> Option<ConfigChange> {
        let values = |config: &Self| {
            let epochs = if old.allows_other_epochs().is_ok() { 0 } else { config.epochs };
            let without_paths = Self { data: None, pictures: None, epochs, ..config.clone() };
            serde_json::to_value(without_paths).expect("numbers, names and UTF-8 paths are JSON")
        };
        first_change(String::new(), &values(old), &values(self))
    }
}
