//! A training run: creates or resumes it, calls Burn's training loop, and saves the model.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::Device;
use burn::train::metric::LearningRateMetric;
use burn::train::renderer::MetricsRenderer;
use burn::train::{Interrupter, Learner, LearningResult, SupervisedTraining};
use serde_json::json;

use super::calibrate::{Calibration, CalibrationSource};
use super::config::{ConfigError, TrainConfig};
use super::distillation::Distillation;
use super::divergence::{Divergence, DivergenceStop};
use super::early_stopping::EarlyStopping;
use super::epoch_end::{EpochEnd, EpochMetricLogger};
use super::error::TrainError;
use super::folder::{HISTORY_FILE, RunFolder};
use super::history::{Epoch, History};
use super::metrics::{AccuracyMetric, EpochMean, LossMetric};
use super::pretrained::PretrainedModels;
use super::progress::ProgressRenderer;
use super::step::Learnable;
use super::training_data::{TrainingData, VALID_IMAGES_LEARNED};
use super::{keep_awake, optimizer};
use crate::classifier::Classifier;
use crate::data::LabelledImages;
use crate::data::distort::Distorter;
use crate::data::loader::{BatchLoader, Order};
use crate::data::source::LoadedImages;
use crate::saved::{FILE_NAME, FORMAT_VERSION, MADE_WITH, Metadata, SavedModel};

/// A run that is ready to train.
pub struct Run {
    /// The run's folder.
    pub folder: RunFolder,
    /// The run's configuration.
    pub config: TrainConfig,
    history: History,
    /// The epoch of the checkpoint it continues from.
    resumed_from: Option<usize>,
    data: TrainingData,
    pretrained: PretrainedModels,
}

/// How a run ended.
pub enum RunOutcome {
    /// The model is saved.
    Finished(Finished),
    /// Training was interrupted.
    Interrupted {
        /// The last epoch with a checkpoint, if there is one.
        last_epoch: Option<usize>,
    },
}

/// A finished run.
pub struct Finished {
    /// Path of the model file.
    pub model: PathBuf,
    /// The epoch whose weights were saved.
    pub best: Epoch,
    /// All epochs.
    pub history: History,
    /// The calibration of the model.
    pub calibration: Calibration,
    /// Where it is from.
    pub calibration_source: CalibrationSource,
}

/// Options that do not change the result of a run. By default nothing is reported.
pub struct RunOptions {
    /// Displays the progress: a [`ProgressRenderer`], or one of Burn's renderers.
    pub renderer: Box<dyn MetricsRenderer>,
    /// Called after each epoch.
    pub on_epoch: Box<dyn FnMut(&Epoch) + Send>,
    /// Stops training after the current step: keep a clone, and call its `stop`.
    pub interrupter: Interrupter,
    /// Whether idle threads spin between steps when training on a CPU. It makes training faster,
    /// and keeps up to eight cores busy for the whole run.
    pub keep_awake: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            renderer: Box::new(ProgressRenderer::new(|_| ())),
            on_epoch: Box::new(|_| ()),
            interrupter: Interrupter::new(),
            keep_awake: true,
        }
    }
}

impl Run {
    /// Creates a run in a new folder.
    ///
    /// # Errors
    /// If the configuration is invalid, the folder exists or cannot be created, there are fewer
    /// images than the configured limit, or a pretrained model cannot be used.
    pub fn create(
        folder: &Path,
        config: TrainConfig,
        data: &LoadedImages,
    ) -> Result<Self, TrainError> {
        config.check()?;
        let data = TrainingData::new(&config, data)?;
        let pretrained = PretrainedModels::load(&config)?;
        let folder = RunFolder::create(folder, |new| {
            new.write("data.json", &data.provenance_json())?;
            pretrained.save_copies(new)?;
            new.write("config.toml", &config.to_toml())
        })?;
        let history = History::default();
        Ok(Self { folder, config, history, resumed_from: None, data, pretrained })
    }

    /// Resumes a run from its newest intact checkpoint. Also returns the paths of newer, damaged
    /// ones.
    ///
    /// # Errors
    /// If the data or the configuration differ from those of the checkpoint, or a file of the run
    /// cannot be read or written. The number of epochs may differ as
    /// [`RunFolder::config_with_epochs`] allows.
    pub fn resume(
        folder: RunFolder,
        config: TrainConfig,
        data: &LoadedImages,
    ) -> Result<(Self, Vec<PathBuf>), TrainError> {
        let (checkpoint, damaged) = folder.newest_checkpoint()?;
        if let Some(checkpoint) = &checkpoint
            && let Some(change) = config.change_since(&checkpoint.config)
        {
            return Err(TrainError::OtherConfig { folder: folder.path().to_owned(), change });
        }
        let data = TrainingData::new(&config, data)?;
        if folder.read("data.json")? != data.provenance_json() {
            return Err(TrainError::OtherData(folder.path().to_owned()));
        }
        let pretrained = PretrainedModels::load_copies(&config, &folder)?;
        let (history, resumed_from) = match checkpoint {
            Some(checkpoint) => {
                checkpoint.check_extension(&config).map_err(|reason| TrainError::Extension {
                    folder: folder.path().to_owned(),
                    epochs: config.epochs,
                    reason,
                })?;
                (checkpoint.history, Some(checkpoint.epoch))
            }
            None => (History::default(), None),
        };
        folder.write(HISTORY_FILE, &history.to_jsonl())?;
        if folder.config()?.epochs != config.epochs {
            folder.write("config.toml", &config.to_toml())?;
        }
        Ok((Self { folder, config, history, resumed_from, data, pretrained }, damaged))
    }

    /// The epoch of the checkpoint it continues from; `None` for a new run.
    pub fn resumed_from(&self) -> Option<usize> {
        self.resumed_from
    }

    /// Number of training images, synthetic ones included, and of validation images.
    pub fn images(&self) -> (usize, usize) {
        (self.data.train.len(), self.data.valid.len())
    }

    /// Whether the model that the run starts from was trained on the validation images, so that
    /// validation shows less than it seems to.
    pub fn validates_on_learned_images(&self) -> bool {
        let initial = self.pretrained.initial.as_ref();
        initial.is_some_and(|model| self.data.valid_is_learned_by(&model.metadata))
    }

    /// Trains until the run is finished or interrupted.
    ///
    /// # Errors
    /// If the loss diverges, a file cannot be written, or the device fails.
    pub fn train(self, device: &Device, options: RunOptions) -> Result<RunOutcome, TrainError> {
        let is_over = self.resumed_from.is_some_and(|epoch| {
            epoch >= self.config.epochs || self.config.stops_early(&self.history)
        });
        let history = Arc::new(Mutex::new(self.history.clone()));
        if !is_over {
            let divergence = Arc::new(Mutex::new(None));
            // With a GPU, spinning threads would only disturb the one that launches its work.
            let keep_awake = options.keep_awake && !fused_ops::is_gpu(device);
            let learn = || self.learn(device, options, &history, &divergence);
            let result = if keep_awake { keep_awake::run(learn)? } else { learn()? };
            let rows = history.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(divergence) = *divergence.lock().unwrap_or_else(PoisonError::into_inner) {
                return Err(TrainError::Diverged { epoch: rows.0.len() + 1, divergence });
            }
            if let Some(error) = result.error {
                return Err(TrainError::Stopped(error.to_string()));
            }
            // Burn's dashboard forgets that it was interrupted: then epochs are missing.
            let is_complete = rows.0.len() >= self.config.epochs || self.config.stops_early(&rows);
            if result.interrupted.is_some() || !is_complete {
                return Ok(RunOutcome::Interrupted {
                    last_epoch: rows.0.last().map(|row| row.epoch),
                });
            }
        }
        let history = history.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.finish(device, history).map(RunOutcome::Finished)
    }

    /// Calls Burn's loop over epochs, steps, metrics and checkpoints.
    fn learn(
        &self,
        device: &Device,
        options: RunOptions,
        history: &Arc<Mutex<History>>,
        divergence: &Arc<Mutex<Option<Divergence>>>,
    ) -> Result<LearningResult<Learnable>, TrainError> {
        let RunOptions { renderer, mut on_epoch, interrupter, keep_awake: _ } = options;
        let config = &self.config;
        let device = device.clone().autodiff();

        let first_epoch = self.resumed_from.unwrap_or(0) + 1;
        let order = Order::Shuffled { seed: config.seed };
        let loader = |images: &LabelledImages, order| {
            BatchLoader::new(images.clone(), order, config.batch_size, first_epoch, &device)
        };
        let mut train = loader(&self.data.train, order);
        if let Some(distortions) = &config.distortions {
            let distorter =
                Distorter::new(distortions, config.epochs).map_err(ConfigError::Distortion)?;
            train = train.with_distortions(distorter, config.seed);
        }
        let valid = loader(&self.data.valid, Order::Stored);

        let stop =
            DivergenceStop { interrupter: interrupter.clone(), divergence: divergence.clone() };
        let write_history = self.folder.history_writer();
        let epoch_end = EpochEnd {
            history: history.clone(),
            train: train.clone(),
            valid: (valid.batches() > 0).then(|| valid.clone()),
            on_epoch_end: Box::new(move |epoch, history| {
                write_history(history)?;
                on_epoch(epoch);
                Ok(())
            }),
            interrupter: interrupter.clone(),
            divergence: stop.clone(),
            on_disk: self.history.0.iter().map(|row| row.epoch).collect(),
        };
        let [model, optimizer, schedule] = self.folder.checkpointers(config, history)?;

        let mut training =
            SupervisedTraining::new(self.folder.path(), Arc::new(train.clone()), Arc::new(valid))
                .metric_train_numeric(EpochMean::<AccuracyMetric>::default())
                .metric_train_numeric(EpochMean::stopping(stop))
                .metric_train_numeric(LearningRateMetric::new())
                .metric_valid_numeric(EpochMean::<AccuracyMetric>::default())
                .metric_valid_numeric(EpochMean::<LossMetric>::default())
                .with_metric_logger(EpochMetricLogger::default())
                .with_application_logger(None)
                .with_checkpointing_strategy(epoch_end)
                .with_custom_checkpointers(model, optimizer, schedule)
                .with_interrupter(interrupter)
                .renderer(renderer)
                .num_epochs(config.epochs);
        if let Some(patience) = config.early_stopping {
            let history = history.clone();
            training = training.early_stopping(EarlyStopping { patience, history });
        }
        if let Some(epoch) = self.resumed_from {
            training = training.checkpoint(epoch);
        }

        let network = match &self.pretrained.initial {
            Some(saved) => saved.to_model(&device),
            None => config.model.init(config.seed, &device),
        };
        let mut learnable = Learnable::new(network, config.loss_options());
        if let Some(teacher) = &config.teacher {
            let distillation = Distillation::new(&self.pretrained.teachers, teacher, &device);
            learnable = learnable.with_distillation(distillation);
        }
        let optimizer = optimizer::optimizer(config);
        let schedule = optimizer::schedule(config, train.batches()).map_err(TrainError::Stopped)?;
        let learner = Learner::new(learnable, optimizer, schedule);
        Ok(training.launch(learner))
    }

    /// Saves the weights of the best epoch, and draws the learning curves (feature `insight`).
    fn finish(self, device: &Device, history: History) -> Result<Finished, TrainError> {
        // The best checkpoint may have been damaged since it was written.
        let best = history.filtered(|epoch| self.folder.has_checkpoint(epoch)).best().cloned();
        let best = best.ok_or_else(|| TrainError::NoCheckpoint(self.folder.path().to_owned()))?;
        let record: ModuleRecord = self.folder.model_record(best.epoch)?;
        let network = self.config.model.init(self.config.seed, device);
        let learnable = Learnable::new(network, self.config.loss_options())
            .try_load_record(record)
            .map_err(|error| TrainError::Stopped(error.to_string()))?;

        #[cfg(feature = "insight")]
        if let Ok(curves) = super::curves::svg(&history) {
            self.folder.write("curves.svg", &curves)?;
        }
        let mut saved = SavedModel::from_model(&learnable.model, self.metadata(&best))?;
        let (calibration, calibration_source) = self.calibration(&saved, device)?;
        saved.metadata.temperature = calibration.temperature;
        saved.metadata.unsure_below = calibration.unsure_below;
        self.folder.save_model(FILE_NAME, &saved)?;
        Ok(Finished {
            model: self.folder.model_file(),
            best,
            history,
            calibration,
            calibration_source,
        })
    }

    /// The configured calibration, or one fitted on the validation images. If these support no
    /// threshold, that of the model that the run started from, if there is one.
    fn calibration(
        &self,
        saved: &SavedModel,
        device: &Device,
    ) -> Result<(Calibration, CalibrationSource), TrainError> {
        if let Some(configured) = self.config.calibration {
            return Ok((configured, CalibrationSource::Configured));
        }
        let valid = &self.data.valid;
        let logits = Classifier::new(saved, String::new(), device)
            .logits(valid.len(), |index| valid.values(index))?;
        let fitted = Calibration::fit(&logits, valid.labels());
        let parent = self.pretrained.initial.as_ref().filter(|_| fitted.marks_all());
        let inherited = parent.and_then(|parent| {
            let Metadata { temperature, unsure_below, .. } = parent.metadata;
            let parent = Calibration { temperature, unsure_below };
            Calibration::inherited(parent, &logits, valid.labels())
        });
        Ok(match inherited {
            Some(inherited) => (inherited, CalibrationSource::Inherited),
            None => (fitted, CalibrationSource::Fitted),
        })
    }

    fn metadata(&self, best: &Epoch) -> Metadata {
        let mut recipe = self.config.recipe();
        if !self.pretrained.is_empty() {
            recipe["models_sha256"] = self.pretrained.checksums();
        }
        let mut figures = json!({
            "epoch": best.epoch,
            "valid_accuracy": best.valid_accuracy,
            "valid_loss": best.valid_loss,
        });
        if self.validates_on_learned_images() {
            figures[VALID_IMAGES_LEARNED] = true.into();
        }
        Metadata {
            format: FORMAT_VERSION,
            model: self.config.model.clone(),
            temperature: 1.0,
            unsure_below: 0.0,
            data: self.data.provenance.clone(),
            recipe,
            figures,
            made_with: MADE_WITH.to_owned(),
        }
    }
}
