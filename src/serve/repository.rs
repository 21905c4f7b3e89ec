//! What both protocols say about models: the index of the repository, loading and unloading, and
//! statistics.

use std::sync::Arc;

use super::api_error::{ApiError, ApiErrorKind};
use super::model_spec::MODEL_NAME;
use super::models::{
    LoaderClient, NamedModel, ServedModel, VersionChoice, VersionState, VersionStatus,
};
use super::state::ServerState;

/// A version of a model in the index.
pub(crate) struct IndexEntry {
    pub(crate) name: Arc<str>,
    pub(crate) version: u64,
    /// Triton's word for the state.
    pub(crate) state: &'static str,
    /// Why it is not ready.
    pub(crate) reason: String,
}

/// All versions of all models; with `only_ready` those that answer requests.
pub(crate) fn index(state: &ServerState, only_ready: bool) -> Vec<IndexEntry> {
    let models = state.models.all();
    let versions = models.iter().flat_map(|(name, model)| {
        model.versions.iter().map(move |version| (name.clone(), version))
    });
    let entries = versions.map(|(name, VersionStatus { version, state })| {
        let (state, reason) = match state {
            VersionState::Loading => ("LOADING", ""),
            VersionState::Available(_) => ("READY", ""),
            VersionState::Unloading => ("UNLOADING", "finishing its requests"),
            VersionState::Unavailable(reason) => ("UNAVAILABLE", reason.as_str()),
        };
        IndexEntry { name, version: *version, state, reason: reason.to_owned() }
    });
    entries.filter(|entry| !only_ready || entry.state == "READY").collect()
}

/// Loads a model of the folder, or loads it again.
///
/// # Errors
/// If clients may not, or it can't be loaded.
pub(crate) async fn load(state: &ServerState, name: &str) -> Result<(), ApiError> {
    loader(state)?.load(name).await
}

/// Stops serving a model of the folder.
///
/// # Errors
/// If clients may not, or there is no such model.
pub(crate) async fn unload(state: &ServerState, name: &str) -> Result<(), ApiError> {
    loader(state)?.unload(name).await
}

fn loader(state: &ServerState) -> Result<&LoaderClient, ApiError> {
    let forbidden = |message| ApiError::new(ApiErrorKind::Forbidden, message);
    let loader = state.loader.as_ref().ok_or_else(|| {
        forbidden("this server serves a single model; start it with --models to load others")
    })?;
    if !state.allows_load {
        return Err(forbidden(
            "clients may not load and unload models; start the server with --allow-load",
        ));
    }
    Ok(loader)
}

/// The versions that statistics are asked for: one, those of a model, or all.
///
/// # Errors
/// If there is no such model or version.
pub(crate) fn versions(
    state: &ServerState,
    name: &str,
    version: &str,
) -> Result<Vec<Arc<ServedModel>>, ApiError> {
    let all = |model: &NamedModel| model.available().cloned().collect::<Vec<_>>();
    match (name, version) {
        ("", _) => Ok(state.models.all().values().flat_map(all).collect()),
        (name, "") => Ok(all(&state.models.model(name)?)),
        (name, version) => Ok(vec![state.models.find(name, VersionChoice::parse(version))?]),
    }
}

/// The model that a request names, or the default where it names none.
///
/// # Errors
/// If there is none.
pub(crate) fn model(
    state: &ServerState,
    name: Option<&str>,
    version: &str,
) -> Result<Arc<ServedModel>, ApiError> {
    match (name, version) {
        (Some(name), version) => state.models.find(name, VersionChoice::parse(version)),
        (None, "") => state.models.default_model(),
        (None, version) => state.models.find(MODEL_NAME, VersionChoice::parse(version)),
    }
}
