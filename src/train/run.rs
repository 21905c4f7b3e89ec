//! A run from its beginning, or from where it was interrupted, to its model.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::Device;
use burn::train::metric::LearningRateMetric;
use burn::train::renderer::MetricsRenderer;
use burn::train::{Interrupter, Learner, LearningResult, SupervisedTraining};
use indicatif::ProgressBar;
use serde_json::json;

use super::calibrate::Calibration;
use super::config::{ConfigError, TrainConfig, TrainOn};
use super::elders::Elders;
use super::folder::RunFolder;
use super::history::{Epoch, History};
use super::metrics::{Accuracy, Divergence, DivergenceStop, EpochMean, Loss};
use super::progress::Progress;
use super::step::Learnable;
use super::teachers::Teachers;
use super::watch::{EpochEnd, EpochMeans, Patience};
use super::{TrainError, curves, optimizer, wakeful};
use crate::classifier::Classifier;
use crate::data::distort::Distorter;
use crate::data::loader::{BatchLoader, Order};
use crate::data::source::Loaded;
use crate::data::{Digits, drawn};
use crate::files;
use crate::saved::{DataProvenance, FORMAT_VERSION, MADE_WITH, Metadata, SavedModel};

/// A run ready to go.
pub struct Run {
    /// Its folder.
    pub folder: RunFolder,
    /// What it is told.
    pub config: TrainConfig,
    history: History,
    /// The epoch of the checkpoint it goes on from.
    resumed_from: Option<usize>,
    data: DataProvenance,
    elders: Elders,
    train: Digits,
    valid: Digits,
}

/// How a run ended.
pub enum Outcome {
    /// The model is saved.
    Finished(Finished),
    /// It was asked to stop; this epoch was the last whole one, if there was one.
    Interrupted {
        /// The last epoch with a checkpoint.
        last_epoch: Option<usize>,
    },
}

/// A finished run.
pub struct Finished {
    /// The model's file.
    pub model: PathBuf,
    /// The epoch whose weights it holds.
    pub best: Epoch,
    /// All epochs.
    pub history: History,
}

/// Who is told what while a run goes on.
pub struct Audience {
    /// Draws each step.
    pub renderer: Box<dyn MetricsRenderer>,
    /// Hears of each epoch.
    pub on_epoch: Box<dyn FnMut(&Epoch) + Send>,
    /// Stops the run when asked to.
    pub interrupter: Interrupter,
}

impl Audience {
    /// Hears of each epoch, and draws nothing: for training from code.
    pub fn quiet(on_epoch: impl FnMut(&Epoch) + Send + 'static) -> Self {
        let renderer = Box::new(Progress::new(ProgressBar::hidden(), 0, 0));
        Self { renderer, on_epoch: Box::new(on_epoch), interrupter: Interrupter::new() }
    }
}

impl Run {
    /// A new run in a new folder.
    ///
    /// # Errors
    /// If the folder exists or can't be made, the data are too few for the configuration, or a model
    /// that it names can't be used.
    pub fn create(folder: &Path, config: TrainConfig, data: &Loaded) -> Result<Self, TrainError> {
        config.check()?;
        let parts = Parts::of(&config, data)?;
        let elders = Elders::named(&config)?;
        let folder = RunFolder::create(folder)?.place(folder, |beside| {
            beside.write("data.json", &parts.provenance_json())?;
            elders.keep(beside)?;
            beside.write("config.toml", &config.to_toml())
        })?;
        Ok(Self::new(folder, config, parts, elders, History::default(), None))
    }

    /// A run that goes on from its last whole checkpoint, and the damaged ones passed over.
    ///
    /// # Errors
    /// If the folder is no run's, another process works in it, or the data or the configuration are
    /// not those that its checkpoints were made with.
    pub fn resume(
        folder: RunFolder,
        config: TrainConfig,
        data: &Loaded,
    ) -> Result<(Self, Vec<PathBuf>), TrainError> {
        let (checkpoint, damaged) = folder.newest_checkpoint()?;
        if let Some(checkpoint) = &checkpoint
            && let Some(change) = config.change_since(&checkpoint.config)
        {
            return Err(TrainError::OtherConfig { folder: folder.path().to_owned(), change });
        }
        let parts = Parts::of(&config, data)?;
        let file = folder.path().join("data.json");
        let began_with =
            std::fs::read_to_string(&file).map_err(|error| TrainError::read(&file, error))?;
        if began_with != parts.provenance_json() {
            return Err(TrainError::OtherData(folder.path().to_owned()));
        }
        let elders = Elders::kept(&config, &folder)?;
        let (history, epoch) = match checkpoint {
            Some(checkpoint) => (checkpoint.history, Some(checkpoint.epoch)),
            None => (History::default(), None),
        };
        folder.write("history.jsonl", &history.to_jsonl())?;
        Ok((Self::new(folder, config, parts, elders, history, epoch), damaged))
    }

    fn new(
        folder: RunFolder,
        config: TrainConfig,
        parts: Parts,
        elders: Elders,
        history: History,
        resumed_from: Option<usize>,
    ) -> Self {
        let Parts { data, train, valid } = parts;
        Self { folder, config, history, resumed_from, data, elders, train, valid }
    }

    /// The epoch of the checkpoint it goes on from.
    pub fn resumed_from(&self) -> Option<usize> {
        self.resumed_from
    }

    /// Images of an epoch: those that train, drawn ones included, and those that validate.
    pub fn images(&self) -> (usize, usize) {
        (self.train.len(), self.valid.len())
    }

    /// Trains to the end, or until interrupted.
    ///
    /// # Errors
    /// If the loss diverges, a file can't be written, or the device fails.
    pub fn train(self, device: &Device, audience: Audience) -> Result<Outcome, TrainError> {
        let is_over = self.resumed_from.is_some_and(|epoch| {
            epoch >= self.config.epochs
                || self.config.early_stopping.is_some_and(|wait| self.history.since_best() >= wait)
        });
        let history = Arc::new(Mutex::new(self.history.clone()));
        if !is_over {
            let divergence = Arc::new(Mutex::new(None));
            let learning = || self.learn(device, audience, &history, &divergence);
            // Beside a GPU, threads kept awake would only be in the way of the one that feeds it.
            let result = match fused_ops::is_gpu(device) {
                true => learning()?,
                false => wakeful::run(learning)?,
            };
            let rows = history.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(divergence) = *divergence.lock().unwrap_or_else(PoisonError::into_inner) {
                return Err(TrainError::Diverged { epoch: rows.0.len() + 1, divergence });
            }
            if let Some(error) = result.error {
                return Err(TrainError::Stopped(error.to_string()));
            }
            // The dashboard forgets that it was interrupted; the history doesn't.
            let waited = self.config.early_stopping.is_some_and(|wait| rows.since_best() >= wait);
            if result.interrupted.is_some() || (rows.0.len() < self.config.epochs && !waited) {
                return Ok(Outcome::Interrupted { last_epoch: rows.0.last().map(|row| row.epoch) });
            }
        }
        let history = history.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.finish(device, history).map(Outcome::Finished)
    }

    /// Burn's part: the loop over epochs, steps, metrics and checkpoints.
    fn learn(
        &self,
        device: &Device,
        audience: Audience,
        history: &Arc<Mutex<History>>,
        divergence: &Arc<Mutex<Option<Divergence>>>,
    ) -> Result<LearningResult<Learnable>, TrainError> {
        let Audience { renderer, mut on_epoch, interrupter } = audience;
        let config = &self.config;
        let device = device.clone().autodiff();

        let first_epoch = self.resumed_from.unwrap_or(0) + 1;
        let order = Order::Shuffled { seed: config.seed };
        let loader = |digits: &Digits, order| {
            BatchLoader::new(digits.clone(), order, config.batch_size, first_epoch, &device)
        };
        let mut train = loader(&self.train, order);
        if let Some(distortions) = &config.distortions {
            let distorter =
                Distorter::new(distortions, config.epochs).map_err(ConfigError::Distortion)?;
            train = train.with_distortions(distorter, config.seed);
        }
        let valid = loader(&self.valid, Order::Stored);

        let stop =
            DivergenceStop { interrupter: interrupter.clone(), divergence: divergence.clone() };
        let file = self.folder.path().join("history.jsonl");
        let epoch_end = EpochEnd {
            history: history.clone(),
            train: train.clone(),
            valid: (valid.batches() > 0).then(|| valid.clone()),
            on_epoch: Box::new(move |epoch, history| {
                files::write_atomically(&file, history.to_jsonl().as_bytes())?;
                on_epoch(epoch);
                Ok(())
            }),
            interrupter: interrupter.clone(),
            divergence: stop.clone(),
            on_disk: self.history.0.iter().map(|row| row.epoch).collect(),
        };
        let [model, optimizer, schedule] = self.folder.checkpointers(config, history);

        let mut training =
            SupervisedTraining::new(self.folder.path(), Arc::new(train.clone()), Arc::new(valid))
                .metric_train_numeric(EpochMean::<Accuracy>::default())
                .metric_train_numeric(EpochMean::stopping(stop))
                .metric_train_numeric(LearningRateMetric::new())
                .metric_valid_numeric(EpochMean::<Accuracy>::default())
                .metric_valid_numeric(EpochMean::<Loss>::default())
                .with_metric_logger(EpochMeans::default())
                .with_application_logger(None)
                .with_checkpointing_strategy(epoch_end)
                .with_custom_checkpointers(model, optimizer, schedule)
                .with_interrupter(interrupter)
                .renderer(renderer)
                .num_epochs(config.epochs);
        if let Some(epochs) = config.early_stopping {
            training = training.early_stopping(Patience { epochs, history: history.clone() });
        }
        if let Some(epoch) = self.resumed_from {
            training = training.checkpoint(epoch);
        }

        let network = match &self.elders.from {
            Some(saved) => saved.to_model(&device),
            None => config.model.init(config.seed, &device),
        };
        let mut learnable = Learnable::new(network, config.label_smoothing);
        if let Some(teaching) = &config.teacher {
            let teachers = Teachers::new(&self.elders.teachers, teaching, &device);
            learnable = learnable.with_teachers(teachers);
        }
        let optimizer = optimizer::adam_w(config.weight_decay);
        let schedule = optimizer::schedule(config, train.batches()).map_err(TrainError::Stopped)?;
        let learner = Learner::new(learnable, optimizer, schedule);
        Ok(training.launch(learner))
    }

    /// Saves the best epoch's weights, and draws the curves.
    fn finish(self, device: &Device, history: History) -> Result<Finished, TrainError> {
        // A best checkpoint that was damaged since is not there to be taken.
        let best = history.kept(|epoch| self.folder.has_checkpoint(epoch)).best().cloned();
        let best = best.ok_or_else(|| TrainError::NoCheckpoint(self.folder.path().to_owned()))?;
        let record: ModuleRecord = self.folder.model_record(best.epoch)?;
        let network = self.config.model.init(self.config.seed, device);
        let learnable = Learnable::new(network, 0.0)
            .try_load_record(record)
            .map_err(|error| TrainError::Stopped(error.to_string()))?;

        if let Ok(curves) = curves::svg(&history) {
            self.folder.write("curves.svg", &curves)?;
        }
        let mut saved = SavedModel::from_model(&learnable.model, self.metadata(&best))?;
        let calibration = self.calibration(&saved, device)?;
        saved.metadata.temperature = calibration.temperature;
        saved.metadata.unsure_below = calibration.unsure_below;
        let file = self.folder.model_file();
        saved.save(&file)?;
        Ok(Finished { model: file, best, history })
    }

    /// As configured, or fitted on the validation images.
    fn calibration(&self, saved: &SavedModel, device: &Device) -> Result<Calibration, TrainError> {
        if let Some(configured) = self.config.calibration {
            return Ok(configured);
        }
        let valid = &self.valid;
        let logits = Classifier::new(saved, String::new(), device)
            .logits(valid.len(), |index| valid.values(index))?;
        Ok(Calibration::fit(&logits, valid.labels()))
    }

    fn metadata(&self, best: &Epoch) -> Metadata {
        let mut recipe = self.config.recipe();
        if !self.elders.is_empty() {
            recipe["models_sha256"] = self.elders.sums();
        }
        Metadata {
            format: FORMAT_VERSION,
            model: self.config.model.clone(),
            temperature: 1.0,
            unsure_below: 0.0,
            data: self.data.clone(),
            recipe,
            figures: json!({
                "epoch": best.epoch,
                "valid_accuracy": best.valid_accuracy,
                "valid_loss": best.valid_loss,
            }),
            made_with: MADE_WITH.to_owned(),
        }
    }
}

/// The training images as a configuration divides them.
struct Parts {
    data: DataProvenance,
    train: Digits,
    valid: Digits,
}

impl Parts {
    fn of(config: &TrainConfig, data: &Loaded) -> Result<Self, TrainError> {
        let (train, valid) = match config.train_on {
            TrainOn::Split => data.digits.split(),
            TrainOn::All => (data.digits.clone(), data.digits.slice(0, 0)),
        };
        let images = train.len();
        let limit = config.limit.unwrap_or(images);
        if limit > images {
            return Err(TrainError::Limit { limit, images });
        }
        let provenance =
            DataProvenance { is_mnist: data.is_mnist, sha256: data.sha256.clone(), images: limit };
        let mut train = train.slice(0, limit);
        if config.drawn_digits + config.non_digits > 0 {
            let digits = drawn::digits(config.drawn_digits, config.seed);
            train = train.and(&digits.and(&drawn::non_digits(config.non_digits, config.seed)));
        }
        Ok(Self { data: provenance, train, valid })
    }

    fn provenance_json(&self) -> String {
        serde_json::to_string_pretty(&self.data).expect("names and numbers are JSON") + "\n"
    }
}
