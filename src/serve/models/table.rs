//! The table of models and versions that requests read.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::served::ServedModel;
use super::settings::{VersionPolicy, parse_version};
use crate::serve::api_error::{ApiError, ApiErrorKind, quoted};
use crate::serve::model_spec::MODEL_NAME;

/// Names, versions or labels that an error message lists.
const MAX_LISTED: usize = 8;

/// The table in use.
pub(crate) struct ModelTable {
    current: ArcSwap<Models>,
    /// Counts replacements, for those who wait for one.
    replaced: watch::Sender<u64>,
}

/// All models by name.
pub(crate) type Models = BTreeMap<Arc<str>, NamedModel>;

/// The versions of one model.
#[derive(Clone)]
pub(crate) struct NamedModel {
    pub(crate) policy: VersionPolicy,
    pub(crate) labels: BTreeMap<String, u64>,
    /// In ascending order.
    pub(crate) versions: Vec<VersionStatus>,
    /// The highest version that is available.
    latest: Option<Arc<ServedModel>>,
}

/// A version and its state.
#[derive(Clone)]
pub(crate) struct VersionStatus {
    pub(crate) version: u64,
    pub(crate) state: VersionState,
}

/// What a version is doing.
#[derive(Clone)]
pub(crate) enum VersionState {
    /// It is being read and warmed.
    Loading,
    /// It answers requests.
    Available(Arc<ServedModel>),
    /// It answers the requests that it has.
    Unloading,
    /// It can't be loaded, or was unloaded; with the reason.
    Unavailable(String),
}

impl VersionState {
    pub(crate) fn available(&self) -> Option<&Arc<ServedModel>> {
        match self {
            Self::Available(model) => Some(model),
            _ => None,
        }
    }
}

/// Which version a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionChoice<'a> {
    /// None: the highest.
    Latest,
    Number(u64),
    Label(&'a str),
}

impl<'a> VersionChoice<'a> {
    /// As the Open Inference Protocol has it: a text, empty for none.
    pub(crate) fn parse(text: &'a str) -> Self {
        match parse_version(text) {
            _ if text.is_empty() => Self::Latest,
            Some(version) => Self::Number(version),
            None => Self::Label(text),
        }
    }
}

impl NamedModel {
    pub(crate) fn new(
        policy: VersionPolicy,
        labels: BTreeMap<String, u64>,
        versions: Vec<VersionStatus>,
    ) -> Self {
        let latest = versions.iter().rev().find_map(|version| version.state.available()).cloned();
        Self { policy, labels, versions, latest }
    }

    /// The versions that answer requests, in ascending order.
    pub(crate) fn available(&self) -> impl Iterator<Item = &Arc<ServedModel>> {
        self.versions.iter().filter_map(|version| version.state.available())
    }

    /// The version that a client asks for.
    fn choose(&self, name: &str, choice: VersionChoice) -> Result<&Arc<ServedModel>, ApiError> {
        let not_found = |message| ApiError::new(ApiErrorKind::NotFound, message);
        let number = match choice {
            VersionChoice::Latest => {
                return self.latest.as_ref().ok_or_else(|| {
                    let message = format!("no version of the model {name} is available");
                    ApiError::new(ApiErrorKind::Unavailable, message)
                });
            }
            VersionChoice::Number(number) => number,
            VersionChoice::Label(label) => *self.labels.get(label).ok_or_else(|| {
                let labels = listed(self.labels.keys());
                not_found(format!(
                    "the model {name} has no version {}; its labels are {labels}",
                    quoted(label)
                ))
            })?,
        };
        match self.versions.iter().find(|version| version.version == number) {
            Some(VersionStatus { state: VersionState::Available(model), .. }) => Ok(model),
            Some(VersionStatus { state: VersionState::Unavailable(reason), .. }) => {
                Err(not_found(format!("version {number} of the model {name}: {reason}")))
            }
            Some(_) => {
                let message = format!("version {number} of the model {name} is not ready");
                Err(ApiError::new(ApiErrorKind::Unavailable, message))
            }
            None => {
                let versions = listed(self.available().map(|model| &model.version_text));
                Err(not_found(format!(
                    "the model {name} has no version {number}; its versions are {versions}"
                )))
            }
        }
    }
}

impl ModelTable {
    pub(crate) fn new(models: Models) -> Self {
        Self { current: ArcSwap::from_pointee(models), replaced: watch::Sender::new(0) }
    }

    /// The version of a model that a client asks for.
    ///
    /// # Errors
    /// If there is none, or it is not ready.
    pub(crate) fn find(
        &self,
        name: &str,
        choice: VersionChoice,
    ) -> Result<Arc<ServedModel>, ApiError> {
        let models = self.current.load();
        named(&models, name)?.choose(name, choice).cloned()
    }

    /// The versions of a model.
    ///
    /// # Errors
    /// If there is no model of that name.
    pub(crate) fn model(&self, name: &str) -> Result<NamedModel, ApiError> {
        named(&self.current.load(), name).cloned()
    }

    /// The model for requests that name none: `digits`, or the first.
    ///
    /// # Errors
    /// If no model is available.
    pub(crate) fn default_model(&self) -> Result<Arc<ServedModel>, ApiError> {
        let models = self.current.load();
        let digits = models.get(MODEL_NAME).and_then(|model| model.latest.as_ref());
        let mut others = models.values().filter_map(|model| model.latest.as_ref());
        digits.or_else(|| others.next()).cloned().ok_or_else(|| {
            ApiError::new(ApiErrorKind::Unavailable, "no model is available; retry after 1 second")
        })
    }

    /// Whether a model is available.
    pub(crate) fn has_available(&self) -> bool {
        self.current.load().values().any(|model| model.latest.is_some())
    }

    /// All models.
    pub(crate) fn all(&self) -> Arc<Models> {
        self.current.load_full()
    }

    /// Replaces the table.
    pub(crate) fn replace(&self, models: Models) {
        self.current.store(Arc::new(models));
        self.notify();
    }

    /// Wakes those who wait for a change of readiness.
    pub(crate) fn notify(&self) {
        self.replaced.send_modify(|count| *count += 1);
    }

    /// Changes at each replacement.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.replaced.subscribe()
    }
}

fn named<'a>(models: &'a Models, name: &str) -> Result<&'a NamedModel, ApiError> {
    models.get(name).ok_or_else(|| {
        let known = listed(models.keys());
        let message = format!("unknown model {}; the models are {known}", quoted(name));
        ApiError::new(ApiErrorKind::NotFound, message)
    })
}

/// The first few of a list, for an error message.
fn listed(names: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut text = String::new();
    for (index, name) in names.enumerate() {
        if index == MAX_LISTED {
            text.push_str(", …");
            break;
        }
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(name.as_ref());
    }
    if text.is_empty() { "none".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend;
    use crate::classifier::Classifier;

    fn table() -> ModelTable {
        let classifier = Classifier::shipped(&backend::cpu()).unwrap();
        let version = |version, state| VersionStatus { version, state };
        let served = |version| {
            let name = "digits".into();
            let model = ServedModel::new(name, version, classifier.clone(), Arc::default());
            VersionState::Available(Arc::new(model.unwrap()))
        };
        let versions = vec![
            version(1, served(1)),
            version(2, served(2)),
            version(3, VersionState::Unavailable("damaged".to_owned())),
            version(4, VersionState::Loading),
        ];
        let labels = [("stable".to_owned(), 1), ("next".to_owned(), 9)].into();
        let digits = NamedModel::new(VersionPolicy::All, labels, versions);
        ModelTable::new([("digits".into(), digits)].into())
    }

    #[test]
    fn a_version_is_found_by_number_by_label_or_as_the_highest_that_is_available() {
        let table = table();
        let version = |choice| table.find("digits", VersionChoice::parse(choice)).unwrap().version;
        assert_eq!(["", "1", "2", "stable"].map(version), [2, 1, 2, 1]);
        assert_eq!(table.default_model().unwrap().version, 2);
    }

    #[test]
    fn what_is_not_found_gets_an_error_that_says_what_there_is() {
        let table = table();
        for (name, choice, kind, message) in [
            (
                "letters",
                "",
                ApiErrorKind::NotFound,
                "unknown model \"letters\"; the models are digits",
            ),
            ("digits", "7", ApiErrorKind::NotFound, "no version 7; its versions are 1, 2"),
            ("digits", "next", ApiErrorKind::NotFound, "no version 9"),
            ("digits", "other", ApiErrorKind::NotFound, "its labels are next, stable"),
            ("digits", "01", ApiErrorKind::NotFound, "no version \"01\""),
            ("digits", "3", ApiErrorKind::NotFound, "version 3 of the model digits: damaged"),
            (
                "digits",
                "4",
                ApiErrorKind::Unavailable,
                "version 4 of the model digits is not ready",
            ),
        ] {
            let error = table.find(name, VersionChoice::parse(choice)).err().unwrap();
            assert_eq!(error.kind, kind, "{choice}");
            assert!(error.message.contains(message), "{}", error.message);
        }
        table.replace(Models::new());
        assert!(!table.has_available());
        assert_eq!(table.default_model().err().unwrap().kind, ApiErrorKind::Unavailable);
    }
}
