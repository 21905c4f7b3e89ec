//! Which versions of a model are served, and their labels.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// The file with the settings of one model, in its folder beside the versions.
pub(crate) const SETTINGS_FILE: &str = "serving.toml";

/// Which versions of a model are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionPolicy {
    /// All that there are.
    All,
    /// The highest, so many. One that can't be loaded is not counted: a lower one takes its place.
    Latest(usize),
    /// These.
    Specific(Vec<u64>),
}

impl VersionPolicy {
    /// Whether `version` is served when `loaded` higher ones are.
    pub(crate) fn includes(&self, version: u64, loaded: usize) -> bool {
        match self {
            Self::All => true,
            Self::Latest(count) => loaded < *count,
            Self::Specific(versions) => versions.contains(&version),
        }
    }
}

/// As `--versions` has it: `all`, `latest`, `latest:2`, or `1,3`.
impl FromStr for VersionPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be all, latest, latest:N, or version numbers such as 1,3".to_owned();
        match text {
            "all" => return Ok(Self::All),
            "latest" => return Ok(Self::Latest(1)),
            _ => {}
        }
        if let Some(count) = text.strip_prefix("latest:") {
            return match count.parse() {
                Ok(count @ 1..) => Ok(Self::Latest(count)),
                _ => Err(wrong()),
            };
        }
        let versions: Result<Vec<_>, _> = text
            .split(',')
            .map(|version| parse_version(version.trim()).ok_or_else(wrong))
            .collect();
        versions.map(Self::Specific)
    }
}

impl fmt::Display for VersionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Latest(count) => write!(f, "latest:{count}"),
            Self::Specific(versions) => {
                let versions: Vec<_> = versions.iter().map(u64::to_string).collect();
                f.write_str(&versions.join(","))
            }
        }
    }
}

/// A version number: a decimal number without leading zeros, from 1 to what a signed integer of 64
/// bits holds, which is the type of the protocols.
pub(crate) fn parse_version(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let version: u64 = text.parse().ok().filter(|_| is_number)?;
    (i64::try_from(version).is_ok()).then_some(version)
}

/// Whether a text may be the name of a model or a label: letters, digits, `.`, `_` and `-`, not at
/// the start a dot, and at most 100 of them.
pub(crate) fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(is_allowed) && !text.starts_with('.')
}

/// The contents of [`SETTINGS_FILE`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelSettings {
    /// Instead of the server's policy.
    #[serde(default, deserialize_with = "policy")]
    pub(crate) versions: Option<VersionPolicy>,
    /// Names of versions, such as `stable`.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, u64>,
}

impl ModelSettings {
    /// # Errors
    /// With the reason, if the text is not valid.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let settings: Self =
            toml::from_str(text).map_err(|error| error.message().trim().to_owned())?;
        let wrong = |label: &&String| !is_name(label) || parse_version(label).is_some();
        match settings.labels.keys().find(wrong) {
            Some(label) => Err(format!("the label {label:?} must be a name, and not a number")),
            None => Ok(settings),
        }
    }
}

fn policy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<VersionPolicy>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|error| D::Error::custom(format_args!("versions {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_and_written_in_the_same_form() {
        for text in ["all", "latest:2", "1,3"] {
            assert_eq!(text.parse::<VersionPolicy>().unwrap().to_string(), text);
        }
        assert_eq!("latest".parse(), Ok(VersionPolicy::Latest(1)));
        for wrong in ["", "none", "latest:0", "latest:x", "0", "1,", "-1", "9223372036854775808"] {
            assert!(wrong.parse::<VersionPolicy>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_latest_policy_counts_versions_that_are_loaded() {
        let policy = VersionPolicy::Latest(1);
        assert!(policy.includes(3, 0));
        assert!(!policy.includes(2, 1));
        assert!(VersionPolicy::Specific(vec![2]).includes(2, 5));
        assert!(!VersionPolicy::Specific(vec![2]).includes(3, 0));
    }

    #[test]
    fn settings_name_versions_and_say_what_is_wrong() {
        let settings =
            ModelSettings::parse("versions = \"latest:2\"\n[labels]\nstable = 1").unwrap();
        assert_eq!(settings.versions, Some(VersionPolicy::Latest(2)));
        assert_eq!(settings.labels["stable"], 1);
        assert_eq!(ModelSettings::parse(""), Ok(ModelSettings::default()));
        for (text, reason) in [
            ("version = \"all\"", "unknown field"),
            ("versions = \"some\"", "must be all"),
            ("[labels]\n7 = 1", "not a number"),
            ("[labels]\n\"a/b\" = 1", "must be a name"),
        ] {
            let error = ModelSettings::parse(text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
