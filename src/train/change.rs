//! What was changed in a run's configuration since it began.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use thiserror::Error;

use super::config::TrainConfig;

/// A value that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key} is {is}, and was {was}")]
pub struct Change {
    /// The key in the file, with its tables: `model.activation`.
    pub key: String,
    /// Its value; `null` where it has none.
    pub is: String,
    /// The value it had.
    pub was: String,
}

fn first_change(key: String, was: &Value, is: &Value) -> Option<Change> {
    if let (Value::Object(before), Value::Object(after)) = (was, is) {
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        return keys.into_iter().find_map(|name| {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let value = |values: &Map<String, Value>| values.get(name).cloned().unwrap_or_default();
            first_change(key, &value(before), &value(after))
        });
    }
    (was != is).then(|| Change { key, is: is.to_string(), was: was.to_string() })
}

impl TrainConfig {
    /// The first value that differs from those a run began with. Where the data lie may differ: that
    /// they are the same is known by their sum.
    pub fn change_since(&self, began_with: &Self) -> Option<Change> {
        let values = |config: &Self| {
            let anywhere = Self { data: None, pictures: None, ..config.clone() };
            serde_json::to_value(anywhere).expect("numbers, names and paths in UTF-8 are JSON")
        };
        first_change(String::new(), &values(began_with), &values(self))
    }
}
