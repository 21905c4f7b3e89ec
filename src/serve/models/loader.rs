//! Loads the models of a folder, and watches it, on a thread of its own.
//!
//! A new version is read and warmed before anything else changes, then the table with it replaces
//! the one without it, and only then does an old version go. What can't be loaded never replaces
//! what can: a version that is damaged by a later write stays in use as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::Duration;
use std::{io, thread};

use tokio::sync::oneshot;

use super::folder::{ModelFolder, reason};
use super::known::KnownModel;
use super::served::ServedModel;
use super::settings::VersionPolicy;
use super::statistics::VersionStatistics;
use super::table::{ModelTable, NamedModel, VersionStatus};
use crate::panic_message::panic_message;
use crate::serve::api_error::{ApiError, ApiErrorKind, quoted};
use crate::serve::metrics::Metrics;

/// Orders that wait for the loader. A further one is refused.
const MAX_ORDERS: usize = 16;
/// How often the loader looks whether old versions have answered their requests, at least.
const RETIRED_INTERVAL: Duration = Duration::from_secs(1);
/// Why a version is not served after `unload`.
const UNLOADED: &str = "unloaded";

/// What the loader is asked to do.
enum LoaderOrder {
    /// Examine the folder, and load again what could not be loaded.
    Examine,
    Load(String, Reply),
    Unload(String, Reply),
}

type Reply = oneshot::Sender<Result<(), ApiError>>;

/// A handle to the loader's thread, which ends when all are dropped.
#[derive(Clone)]
pub(crate) struct LoaderClient(SyncSender<LoaderOrder>);

impl LoaderClient {
    /// Examines the folder now, soon.
    pub(crate) fn examine(&self) {
        // With as many orders waiting, the folder will be examined anyway.
        let _ = self.0.try_send(LoaderOrder::Examine);
    }

    /// Loads a model, or loads it again.
    ///
    /// # Errors
    /// If there is no such model, or no version of it can be loaded.
    pub(crate) async fn load(&self, name: &str) -> Result<(), ApiError> {
        self.order(|reply| LoaderOrder::Load(name.to_owned(), reply)).await
    }

    /// Stops serving a model until it is loaded again.
    ///
    /// # Errors
    /// If there is no such model.
    pub(crate) async fn unload(&self, name: &str) -> Result<(), ApiError> {
        self.order(|reply| LoaderOrder::Unload(name.to_owned(), reply)).await
    }

    async fn order(&self, order: impl FnOnce(Reply) -> LoaderOrder) -> Result<(), ApiError> {
        let (reply, response) = oneshot::channel();
        let busy = || {
            let message = "too many orders to load models at once; retry after 1 second";
            ApiError::new(ApiErrorKind::Unavailable, message)
        };
        self.0.try_send(order(reply)).map_err(|_| busy())?;
        response.await.map_err(|_| busy())?
    }
}

/// Keeps the table in accordance with the folder.
pub(crate) struct Loader {
    folder: ModelFolder,
    max_batch: usize,
    table: Arc<ModelTable>,
    metrics: Metrics,
    /// Whether the server is running, so that loading a model is a reload.
    is_running: bool,
    models: BTreeMap<String, KnownModel>,
    /// Models that a client has unloaded.
    unloaded: BTreeSet<String>,
}

impl Loader {
    /// Loads what is in the folder, and returns the loader for [`Self::spawn`].
    ///
    /// # Errors
    /// If the folder can't be read.
    pub(crate) fn start(
        folder: ModelFolder,
        max_batch: usize,
        table: Arc<ModelTable>,
        metrics: Metrics,
    ) -> io::Result<Self> {
        let (models, unloaded) = Default::default();
        let mut loader =
            Self { folder, max_batch, table, metrics, is_running: false, models, unloaded };
        loader.examine(false)?;
        Ok(loader)
    }

    /// Starts the thread that watches the folder and takes orders.
    ///
    /// # Errors
    /// If the system provides no thread.
    pub(crate) fn spawn(mut self) -> io::Result<LoaderClient> {
        let (sender, orders) = mpsc::sync_channel(MAX_ORDERS);
        self.is_running = true;
        thread::Builder::new().name("models".to_owned()).spawn(move || {
            let mut was_readable = true;
            loop {
                let interval = self.folder.interval.unwrap_or(RETIRED_INTERVAL);
                let examined = match orders.recv_timeout(interval) {
                    Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) if self.folder.interval.is_none() => {
                        self.forget_retired();
                        Ok(())
                    }
                    Err(RecvTimeoutError::Timeout) => self.examine(false),
                    Ok(LoaderOrder::Examine) => self.examine(true),
                    Ok(LoaderOrder::Load(name, reply)) => {
                        let _ = reply.send(self.load(&name));
                        Ok(())
                    }
                    Ok(LoaderOrder::Unload(name, reply)) => {
                        let _ = reply.send(self.unload(&name));
                        Ok(())
                    }
                };
                if let Err(error) = &examined
                    && was_readable
                {
                    let folder = self.folder.path.display();
                    tracing::error!(%folder, %error, "the folder of models can't be read; all stay");
                }
                was_readable = examined.is_ok();
            }
        })?;
        Ok(LoaderClient(sender))
    }

    /// Loads what is new or changed, with `retry` also what failed before, then retires what has
    /// gone.
    fn examine(&mut self, retry: bool) -> io::Result<()> {
        let names = self.folder.names()?;
        for name in &names {
            if !self.unloaded.contains(name) {
                self.examine_model(name, retry);
            }
        }
        let gone = |name: &&String| !names.contains(*name);
        for name in self.models.keys().filter(gone).cloned().collect::<Vec<_>>() {
            self.retire(&name, |_| true);
            self.unloaded.remove(&name);
            if let Some(model) = self.models.get_mut(&name) {
                model.settings_problem = None;
            }
        }
        self.publish();
        self.forget_retired();
        Ok(())
    }

    /// Forgets versions that are no longer served once their last request is answered.
    fn forget_retired(&mut self) {
        let count = |models: &BTreeMap<String, KnownModel>| {
            models.values().map(|model| model.versions.len()).sum::<usize>()
        };
        let before = count(&self.models);
        self.models.retain(|_, model| {
            model.versions.retain(|_, version| {
                version.retired.retain(|model| model.strong_count() > 0);
                version.served.is_some() || version.problem.is_some() || !version.retired.is_empty()
            });
            !model.versions.is_empty() || model.settings_problem.is_some()
        });
        if count(&self.models) != before {
            self.publish();
        }
    }

    fn examine_model(&mut self, name: &str, retry: bool) {
        let versions = match self.folder.versions(name) {
            Ok(versions) => versions,
            // Removed since its folder was listed, or unreadable for a moment.
            Err(error) => return tracing::warn!(model = name, %error, "a model can't be read"),
        };
        self.read_settings(name);
        let policy = self.policy(name);
        let labels = self.models.get(name).map(|model| model.settings.labels.clone());
        let labelled: BTreeSet<u64> = labels.into_iter().flat_map(BTreeMap::into_values).collect();
        let mut loaded = 0;
        let mut wanted = BTreeSet::new();
        for &version in &versions {
            if policy.includes(version, loaded) || labelled.contains(&version) {
                wanted.insert(version);
                loaded += usize::from(self.load_version(name, version, retry));
            }
        }
        // Without one that is wanted and good, the last good one stays as long as it is there.
        let keeps = |version: u64| {
            wanted.contains(&version) || (loaded == 0 && versions.contains(&version))
        };
        self.retire(name, |version| !keeps(version));
    }

    fn policy(&self, name: &str) -> VersionPolicy {
        let own = self.models.get(name).and_then(|model| model.settings.versions.clone());
        own.unwrap_or_else(|| self.folder.versions.clone())
    }

    /// Reads the settings of a model. Invalid ones change nothing.
    fn read_settings(&mut self, name: &str) {
        let read = self.folder.settings(name);
        let model = self.models.entry(name.to_owned()).or_default();
        match read {
            Ok(settings) => (model.settings, model.settings_problem) = (settings, None),
            Err(problem) if model.settings_problem.as_ref() != Some(&problem) => {
                tracing::error!(
                    model = name,
                    problem,
                    "serving.toml is invalid; it changes nothing"
                );
                model.settings_problem = Some(problem);
            }
            Err(_) => {}
        }
    }

    /// Loads a version if its file is new or changed. Whether the version is served.
    fn load_version(&mut self, name: &str, version: u64, retry: bool) -> bool {
        let found = self.folder.fingerprint(name, version);
        let model = self.models.entry(name.to_owned()).or_default();
        let known = model.versions.entry(version).or_default();
        let is_known = known.tried == found && (known.served.is_some() || known.problem.is_some());
        if is_known && !(retry && known.problem.is_some()) {
            return known.served.is_some();
        }
        known.tried = found;
        known.is_loading = known.served.is_none();
        let statistics = known.served.as_ref().map(|model| model.statistics.clone());
        self.publish();
        let loaded = self.read_version(name, version, statistics.unwrap_or_default());
        if self.is_running {
            self.metrics.record_reload(loaded.is_ok());
        }
        let model = self.models.entry(name.to_owned()).or_default();
        let known = model.versions.entry(version).or_default();
        known.is_loading = false;
        match loaded {
            Ok(model) => {
                tracing::info!(model = name, version, sha256 = model.sha256, "model loaded");
                let old = known.served.replace(Arc::new(model));
                known.retired.extend(old.as_ref().map(Arc::downgrade));
                known.problem = None;
            }
            Err(reason) => {
                let kept = known.served.is_some();
                tracing::error!(model = name, version, reason, kept, "a version can't be loaded");
                known.problem = Some(reason);
            }
        }
        let is_served = known.served.is_some();
        self.publish();
        is_served
    }

    /// Reads and warms a version.
    fn read_version(
        &self,
        name: &str,
        version: u64,
        statistics: Arc<VersionStatistics>,
    ) -> Result<ServedModel, String> {
        // A panic of the device must not end the thread, which serves all later orders.
        let read = catch_unwind(AssertUnwindSafe(|| {
            let classifier = self.folder.load(name, version).map_err(|error| {
                tracing::debug!(%error, "a version can't be loaded");
                reason(&error)
            })?;
            let model = ServedModel::new(name.into(), version, classifier, statistics)
                .map_err(|error| error.to_string())?;
            model.warm(self.max_batch)?;
            Ok(model)
        }));
        read.unwrap_or_else(|panic| {
            let text = panic_message(panic.as_ref()).unwrap_or("unknown panic");
            Err(format!("loading failed: {text}"))
        })
    }

    /// Stops serving the versions of a model for which `is_retired` holds. Their requests are
    /// answered.
    fn retire(&mut self, name: &str, is_retired: impl Fn(u64) -> bool) {
        let Some(model) = self.models.get_mut(name) else { return };
        for (&version, known) in
            model.versions.iter_mut().filter(|(version, _)| is_retired(**version))
        {
            known.problem = None;
            known.tried = None;
            if let Some(old) = known.served.take() {
                tracing::info!(model = name, version, "model unloaded");
                known.retired.push(Arc::downgrade(&old));
            }
        }
    }

    fn load(&mut self, name: &str) -> Result<(), ApiError> {
        if !self.folder.names().is_ok_and(|names| names.iter().any(|other| other == name)) {
            let message = format!("the folder of models has no model {}", quoted(name));
            return Err(ApiError::new(ApiErrorKind::NotFound, message));
        }
        self.unloaded.remove(name);
        self.examine_model(name, true);
        self.publish();
        let versions = self.models.get(name).map(|model| &model.versions);
        let mut versions = versions.into_iter().flat_map(BTreeMap::values);
        if versions.clone().any(|version| version.served.is_some()) {
            return Ok(());
        }
        let problem = versions.find_map(|version| version.problem.as_deref());
        let problem = problem.unwrap_or("it has no version that should be served");
        Err(ApiError::invalid(format!("the model {name} can't be loaded: {problem}")))
    }

    fn unload(&mut self, name: &str) -> Result<(), ApiError> {
        let Some(model) = self.models.get(name) else {
            let message = format!("unknown model {}", quoted(name));
            return Err(ApiError::new(ApiErrorKind::NotFound, message));
        };
        let versions: Vec<_> = model.versions.keys().copied().collect();
        self.unloaded.insert(name.to_owned());
        self.retire(name, |_| true);
        if let Some(model) = self.models.get_mut(name) {
            for version in versions {
                let known = model.versions.entry(version).or_default();
                known.problem = Some(UNLOADED.to_owned());
            }
        }
        self.publish();
        Ok(())
    }

    /// Replaces the table by what is known now.
    fn publish(&self) {
        let models = self.models.iter().filter_map(|(name, model)| {
            let versions: Vec<_> = model
                .versions
                .iter()
                .filter_map(|(&version, known)| {
                    Some(VersionStatus { version, state: known.state()? })
                })
                .collect();
            let labels = model.settings.labels.clone();
            let named = NamedModel::new(self.policy(name), labels, versions);
            (!named.versions.is_empty()).then(|| (name.as_str().into(), named))
        });
        self.table.replace(models.collect());
    }
}
