//! Finds and reads the four files of MNIST, or of a data set in its format.
//!
//! In this order: a folder given with `--data`, the one in the environment variable
//! `BURN_DIGITS_DATA`, the one bundled with the project (`artifacts/mnist/`), Burn's cache, and
//! Burn's download into that cache. Files may be gzipped. The first two folders may hold any data
//! set in MNIST's format, such as Fashion-MNIST; files from anywhere else must have MNIST's SHA-256
//! checksums.

pub(crate) mod download;
mod error;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Serialize;

use super::LabelledImages;
use super::idx;
use crate::checksum::sha256_hex;
use crate::{files, paths};

pub use error::DataError;

/// The environment variable that names the folder of the data set, for those who don't work in a
/// checkout. An empty value is none.
const FOLDER_VARIABLE: &str = "BURN_DIGITS_DATA";

/// Size limit of an unzipped file: 680,000 images, eleven times MNIST.
const MAX_UNZIPPED_BYTES: u64 = 512 << 20;

/// The training or the test split of a data set: a file of images and a file of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// 60,000 images for training and validation.
    Train,
    /// 10,000 images for the final evaluation.
    Test,
}

/// One of the four files.
struct IdxFile {
    name: &'static str,
    /// SHA-256 checksum of MNIST's file, unzipped.
    sha256: &'static str,
}

impl Split {
    /// Both splits.
    pub const ALL: [Self; 2] = [Self::Train, Self::Test];

    /// The file of images and the file of labels.
    fn files(self) -> [IdxFile; 2] {
        let file = |name, sha256| IdxFile { name, sha256 };
        match self {
            Self::Train => [
                file(
                    "train-images-idx3-ubyte",
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                ),
                file(
                    "train-labels-idx1-ubyte",
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                ),
            ],
            Self::Test => [
                file(
                    "t10k-images-idx3-ubyte",
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                ),
                file(
                    "t10k-labels-idx1-ubyte",
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                ),
            ],
        }
    }
}

/// Where a data set comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A folder given with `--data`.
    Given,
    /// The folder in the environment variable `BURN_DIGITS_DATA`.
    Environment,
    /// `artifacts/mnist/` of the project.
    Bundled,
    /// The cache of Burn's `MnistDataset`.
    BurnCache,
}

impl Origin {
    /// A description for display.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Given => "given with --data",
            Self::Environment => "given with BURN_DIGITS_DATA",
            Self::Bundled => "bundled with the project",
            Self::BurnCache => "Burn's cache",
        }
    }
}

/// The folders of a data set.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it comes from.
    pub origin: Origin,
    train: PathBuf,
    test: PathBuf,
}

/// The training or test images of a data set, in memory.
pub struct LoadedImages {
    /// The images.
    pub images: LabelledImages,
    /// Whether both files have MNIST's checksums.
    pub is_mnist: bool,
    /// SHA-256 checksum of the unzipped file of images, in hexadecimal.
    pub sha256: String,
    /// Number of images at the end that are for validation; `None` for the usual number, see
    /// [`LabelledImages::split_validation`].
    pub validation: Option<usize>,
}

impl LoadedImages {
    /// Divides the images into training and validation images.
    pub fn split_validation(&self) -> (LabelledImages, LabelledImages) {
        match self.validation {
            Some(count) => self.images.split_last(count),
            None => self.images.split_validation(),
        }
    }
}

impl Source {
    fn one_folder(origin: Origin, folder: PathBuf) -> Self {
        Self { origin, train: folder.clone(), test: folder }
    }

    /// The folders to search, in order: only the `given` one, if there is one, otherwise only that
    /// of the environment variable `BURN_DIGITS_DATA`, if it is set. They need not exist.
    pub fn candidates(given: Option<&Path>) -> Vec<Self> {
        if let Some(folder) = given {
            return vec![Self::one_folder(Origin::Given, folder.to_owned())];
        }
        if let Some(folder) = std::env::var_os(FOLDER_VARIABLE).filter(|name| !name.is_empty()) {
            return vec![Self::one_folder(Origin::Environment, PathBuf::from(folder))];
        }
        let bundled = paths::artifacts_folder()
            .map(|artifacts| Self::one_folder(Origin::Bundled, artifacts.join("mnist")));
        bundled.into_iter().chain(Self::burn_cache()).collect()
    }

    fn burn_cache() -> Option<Self> {
        let mnist = dirs::cache_dir()?.join("burn-dataset").join("mnist");
        Some(Self {
            origin: Origin::BurnCache,
            train: mnist.join("train"),
            test: mnist.join("test"),
        })
    }

    /// The first of the [`candidates`](Self::candidates) that has all four files. If none has,
    /// MNIST is downloaded by Burn.
    ///
    /// # Errors
    /// If a file is missing in the given folder, or the download fails.
    pub fn find(given: Option<&Path>) -> Result<Self, DataError> {
        match Self::find_local(given)? {
            Some(source) => Ok(source),
            None => Self::download(),
        }
    }

    /// Like [`find`](Self::find), but `None` where MNIST would be downloaded.
    ///
    /// # Errors
    /// If a file is missing in the given folder.
    pub fn find_local(given: Option<&Path>) -> Result<Option<Self>, DataError> {
        for source in Self::candidates(given) {
            match source.missing() {
                None => return Ok(Some(source)),
                Some(error) if source.is_given() => return Err(error),
                Some(_) => (),
            }
        }
        Ok(None)
    }

    /// Downloads MNIST into Burn's cache. Files that are there and differ from MNIST's are replaced.
    ///
    /// # Errors
    /// If the download fails, or this system has no folder for caches.
    pub fn download() -> Result<Self, DataError> {
        let failed = |reason: String| {
            let candidates = Self::candidates(None).into_iter();
            let searched =
                candidates.flat_map(|source| [source.train, source.test]).collect::<Vec<_>>();
            DataError::Download { searched, reason }
        };
        let cache = Self::burn_cache()
            .ok_or_else(|| failed("this system has no folder for caches".to_owned()))?;
        for split in Split::ALL {
            for file in split.files() {
                // Burn keeps a file that exists, whatever it holds.
                let path = cache.folder(split).join(file.name);
                if read_unzipped(&path).is_ok_and(|bytes| sha256_hex([&bytes]) != file.sha256) {
                    std::fs::remove_file(&path)
                        .map_err(|error| DataError::Read { path: path.clone(), error })?;
                }
            }
        }
        download::download().map_err(failed)?;
        Ok(cache)
    }

    /// Whether the user named the folder, so that it may hold any data set, and must hold one.
    fn is_given(&self) -> bool {
        matches!(self.origin, Origin::Given | Origin::Environment)
    }

    /// The error for the first of the four files that is missing.
    fn missing(&self) -> Option<DataError> {
        Split::ALL
            .into_iter()
            .flat_map(|split| split.files().map(|file| (split, file)))
            .find_map(|(split, file)| self.path(split, &file).err())
    }

    /// The folder of the training or test files.
    pub fn folder(&self, split: Split) -> &Path {
        match split {
            Split::Train => &self.train,
            Split::Test => &self.test,
        }
    }

    fn path(&self, split: Split, file: &IdxFile) -> Result<PathBuf, DataError> {
        let folder = self.folder(split);
        let plain = folder.join(file.name);
        let zipped = folder.join(format!("{}.gz", file.name));
        let paths = [plain, zipped];
        // Something else of this name is reported when it is read.
        let found = paths.iter().find(|path| path.is_file());
        found
            .or_else(|| paths.iter().find(|path| path.exists()))
            .cloned()
            .ok_or_else(|| DataError::Missing { folder: folder.to_owned(), name: file.name })
    }

    /// Reads the training or test images.
    ///
    /// # Errors
    /// If a file is missing, unreadable or not an IDX file of 28×28 images or their labels; or if
    /// it is not in a given folder and differs from MNIST's.
    pub fn load(&self, split: Split) -> Result<LoadedImages, DataError> {
        let [image_file, label_file] = split.files();
        let (images_path, images_sum, images) = self.read(split, &image_file)?;
        let (labels_path, labels_sum, labels) = self.read(split, &label_file)?;
        let pixels = idx::images(images)
            .map_err(|error| DataError::Idx { path: images_path.clone(), error })?;
        let labels = idx::labels(labels)
            .map_err(|error| DataError::Idx { path: labels_path.clone(), error })?;
        let images = pixels.len() / crate::model::PIXELS;
        if images != labels.len() {
            return Err(DataError::Counts { path: labels_path, labels: labels.len(), images });
        }
        if images == 0 {
            return Err(DataError::Empty { path: images_path });
        }
        for (path, is_mnist) in [
            (images_path, images_sum == image_file.sha256),
            (labels_path, labels_sum == label_file.sha256),
        ] {
            if !is_mnist && !self.is_given() {
                let remedy = match self.origin {
                    Origin::BurnCache => "burn-digits data --download",
                    _ => "git checkout artifacts/mnist",
                };
                return Err(DataError::Damaged { path, remedy });
            }
        }
        Ok(LoadedImages {
            images: LabelledImages::new(pixels, labels),
            is_mnist: images_sum == image_file.sha256 && labels_sum == label_file.sha256,
            sha256: images_sum,
            validation: None,
        })
    }

    /// A file's path, the SHA-256 checksum of its unzipped content, and the content.
    fn read(&self, split: Split, file: &IdxFile) -> Result<(PathBuf, String, Vec<u8>), DataError> {
        let path = self.path(split, file)?;
        match read_unzipped(&path) {
            Ok(bytes) => {
                let sum = sha256_hex([&bytes]);
                Ok((path, sum, bytes))
            }
            Err(error) => Err(DataError::Read { path, error }),
        }
    }
}

/// Reads a file, and unzips it if its content is gzipped.
fn read_unzipped(path: &Path) -> io::Result<Vec<u8>> {
    let too_large = || {
        let message = format!("larger than {} MB", MAX_UNZIPPED_BYTES >> 20);
        io::Error::new(io::ErrorKind::FileTooLarge, message)
    };
    let file = files::open_regular(path)?;
    let length = file.metadata()?.len();
    // Not even gzip makes a file of this format larger.
    if length > MAX_UNZIPPED_BYTES {
        return Err(too_large());
    }
    let mut reader = io::BufReader::new(file);
    let is_zipped = io::BufRead::fill_buf(&mut reader)?.starts_with(&[0x1f, 0x8b]);
    // MNIST's images unzip to 47 MB, five times their gzipped size. One allocation is enough for
    // them, and a larger file grows the buffer as it is read.
    let mut bytes = Vec::with_capacity(
        length.min(MAX_UNZIPPED_BYTES / 8) as usize * if is_zipped { 5 } else { 1 },
    );
    if is_zipped {
        MultiGzDecoder::new(reader).take(MAX_UNZIPPED_BYTES + 1).read_to_end(&mut bytes)?;
    } else {
        reader.take(MAX_UNZIPPED_BYTES + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > MAX_UNZIPPED_BYTES {
        return Err(too_large());
    }
    bytes.shrink_to_fit();
    Ok(bytes)
}
