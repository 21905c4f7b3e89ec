//! The models that are served: by name and version, for every protocol.
//!
//! All versions that are ready are in one table, which is never changed but replaced as a whole. A
//! request takes the version it asks for from the table and keeps it until it is answered, so a new
//! table neither waits for requests nor disturbs them: an old version ends with its last request.
//! Reading the table takes no lock.

mod folder;
mod known;
mod loader;
mod served;
mod settings;
mod statistics;
mod table;

pub use self::folder::ModelFolder;
pub(crate) use self::loader::{Loader, LoaderClient};
pub(crate) use self::served::ServedModel;
pub use self::settings::VersionPolicy;
pub(crate) use self::statistics::{DurationCount, InferenceTimes, StatisticsReading};
pub(crate) use self::table::{
    ModelTable, Models, NamedModel, VersionChoice, VersionState, VersionStatus,
};

use crate::classifier::Classifier;

/// What a server serves.
pub enum ModelSource {
    /// One model, named `digits`, version 1.
    Single(Box<Classifier>),
    /// A folder of models and versions.
    Folder(ModelFolder),
}

impl From<Classifier> for ModelSource {
    fn from(model: Classifier) -> Self {
        Self::Single(Box::new(model))
    }
}

impl From<ModelFolder> for ModelSource {
    fn from(folder: ModelFolder) -> Self {
        Self::Folder(folder)
    }
}
