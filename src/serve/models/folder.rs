//! A folder of models in the layout that TensorFlow Serving and Triton use:
//! `FOLDER/name/1/model.safetensors`, `FOLDER/name/2/…`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use burn::tensor::Device;

use super::settings::{ModelSettings, SETTINGS_FILE, VersionPolicy, is_name, parse_version};
use crate::classifier::Classifier;
use crate::files;
use crate::saved::{FILE_NAME, SavedError, SavedModel};

/// Models in a folder, and versions of one model, of which more are ignored.
const MAX_MODELS: usize = 100;
const MAX_VERSIONS: usize = 100;
/// Bytes of a model's settings.
const MAX_SETTINGS_BYTES: u64 = 64 << 10;

/// Models and versions to serve, from a folder that is examined again and again.
#[derive(Clone, Debug)]
pub struct ModelFolder {
    /// The folder.
    pub path: PathBuf,
    /// The device that the models run on.
    pub device: Device,
    /// Which versions are served; a file `serving.toml` in a model's folder overrides it.
    pub versions: VersionPolicy,
    /// How often the folder is examined for new and changed versions; `None` for never.
    pub interval: Option<Duration>,
}

/// What distinguishes a file from one that replaced it.
pub(super) type Fingerprint = Option<(u64, SystemTime, u64)>;

impl ModelFolder {
    /// The names of the models: folders whose name can be part of a URL.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = folders(&self.path, |name| is_name(name).then(|| name.to_owned()))?;
        if names.len() > MAX_MODELS {
            tracing::warn!(
                folder = %self.path.display(),
                "the folder has more than {MAX_MODELS} models; the others are not served"
            );
            names.truncate(MAX_MODELS);
        }
        Ok(names)
    }

    /// The versions of a model in descending order.
    pub(super) fn versions(&self, name: &str) -> io::Result<Vec<u64>> {
        let mut versions = folders(&self.path.join(name), parse_version)?;
        versions.reverse();
        versions.truncate(MAX_VERSIONS);
        Ok(versions)
    }

    /// The settings of a model; the default if it has no file of settings.
    ///
    /// # Errors
    /// With the reason, if the file is not valid.
    pub(super) fn settings(&self, name: &str) -> Result<ModelSettings, String> {
        let path = self.path.join(name).join(SETTINGS_FILE);
        match files::read_text(&path, MAX_SETTINGS_BYTES) {
            Ok(text) => ModelSettings::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ModelSettings::default()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Size, time and number of the model file of a version.
    pub(super) fn fingerprint(&self, name: &str, version: u64) -> Fingerprint {
        let folder = self.version(name, version);
        let file = folder.join(FILE_NAME);
        // Of another name: a new file changes the folder.
        let metadata = fs::metadata(file).or_else(|_| fs::metadata(folder)).ok()?;
        Some((metadata.len(), metadata.modified().ok()?, inode(&metadata)))
    }

    /// Loads a version.
    ///
    /// # Errors
    /// If there is no valid model in its folder.
    pub(super) fn load(&self, name: &str, version: u64) -> Result<Classifier, SavedError> {
        let saved = SavedModel::load(&self.version(name, version))?;
        Ok(Classifier::new(&saved, name.to_owned(), &self.device))
    }

    fn version(&self, name: &str, version: u64) -> PathBuf {
        self.path.join(name).join(version.to_string())
    }
}

/// Why a version can't be loaded, for clients: without the paths of this machine.
pub(super) fn reason(error: &SavedError) -> String {
    match error {
        SavedError::Read { error, .. } => format!("its file can't be read: {error}"),
        SavedError::Content { problem, .. } => problem.to_string(),
        SavedError::Unfinished(_) => "its run has not finished".to_owned(),
        SavedError::SeveralModels { .. } => "its folder has several model files".to_owned(),
        _ => format!("its folder has no file {FILE_NAME}"),
    }
}

/// What `accept` makes of the names of the folders in a folder, in ascending order.
fn folders<T: Ord>(path: &Path, accept: impl Fn(&str) -> Option<T>) -> io::Result<Vec<T>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let Some(accepted) = entry.file_name().to_str().and_then(&accept) else { continue };
        // Follows links, which mounted volumes consist of.
        if entry.path().is_dir() {
            found.push(accepted);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_folders_and_versions_are_numbers() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["b/2", "b/10", "b/1", "b/01", "b/0", "b/x", "a", ".git/1", "a b/1"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        fs::write(folder.path().join("c"), "").unwrap();
        fs::write(folder.path().join("b/3"), "").unwrap();
        let models = ModelFolder {
            path: folder.path().to_owned(),
            device: crate::backend::cpu(),
            versions: VersionPolicy::All,
            interval: None,
        };
        assert_eq!(models.names().unwrap(), ["a", "b"]);
        assert_eq!(models.versions("b").unwrap(), [10, 2, 1]);
        assert_eq!(models.versions("a").unwrap(), [0_u64; 0]);
        assert_eq!(models.settings("a"), Ok(ModelSettings::default()));
        fs::write(folder.path().join("a/serving.toml"), "x").unwrap();
        assert!(models.settings("a").is_err());
    }
}
