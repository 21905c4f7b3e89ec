//! What the loader knows of models and versions, beyond what requests see.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::folder::Fingerprint;
use super::served::ServedModel;
use super::settings::ModelSettings;
use super::table::VersionState;

/// What the loader knows of a model.
#[derive(Default)]
pub(super) struct KnownModel {
    pub(super) settings: ModelSettings,
    /// Why its settings are not those of its file, as logged.
    pub(super) settings_problem: Option<String>,
    pub(super) versions: BTreeMap<u64, KnownVersion>,
}

/// What the loader knows of a version.
#[derive(Default)]
pub(super) struct KnownVersion {
    /// The file that was last tried.
    pub(super) tried: Fingerprint,
    pub(super) served: Option<Arc<ServedModel>>,
    /// No longer served, but perhaps still answering.
    pub(super) retired: Vec<Weak<ServedModel>>,
    pub(super) is_loading: bool,
    pub(super) problem: Option<String>,
}

impl KnownVersion {
    /// `None` if nothing of it is left.
    pub(super) fn state(&self) -> Option<VersionState> {
        match (&self.served, &self.problem) {
            (Some(model), _) => Some(VersionState::Available(model.clone())),
            (None, _) if self.is_loading => Some(VersionState::Loading),
            (None, Some(problem)) => Some(VersionState::Unavailable(problem.clone())),
            (None, None) => {
                let is_answering = self.retired.iter().any(|model| model.strong_count() > 0);
                is_answering.then_some(VersionState::Unloading)
            }
        }
    }
}
