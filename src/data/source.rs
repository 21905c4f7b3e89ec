//! Where MNIST's four files are, and reading them.
//!
//! In this order: a folder given with `--data`, the one bundled with the project
//! (`artifacts/mnist/`), Burn's cache, and last Burn's own download into that cache. Files may be
//! gzipped or not. What is found anywhere but in a folder given must have MNIST's SHA-256 sums; a
//! folder given may hold any set of MNIST's shape, such as Fashion-MNIST.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use burn_dataset::vision::MnistDataset;
use flate2::read::MultiGzDecoder;
use serde::Serialize;
use thiserror::Error;

use super::Digits;
use super::idx::{self, IdxError};
use crate::checksum::sha256_hex;
use crate::paths;

/// Largest unzipped file read: 680,000 pictures, eleven times MNIST.
const LARGEST: u64 = 512 << 20;

/// One of MNIST's two halves, each an image file and a label file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Half {
    /// 60,000 pictures to train and validate on.
    Train,
    /// 10,000 pictures that `eval` alone reads.
    Test,
}

/// One of the four files.
struct IdxFile {
    name: &'static str,
    /// SHA-256 of MNIST's own, unzipped.
    sha256: &'static str,
}

impl Half {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Train, Self::Test];

    fn images(self) -> IdxFile {
        match self {
            Self::Train => IdxFile {
                name: "train-images-idx3-ubyte",
                sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            },
            Self::Test => IdxFile {
                name: "t10k-images-idx3-ubyte",
                sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            },
        }
    }

    fn labels(self) -> IdxFile {
        match self {
            Self::Train => IdxFile {
                name: "train-labels-idx1-ubyte",
                sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            },
            Self::Test => IdxFile {
                name: "t10k-labels-idx1-ubyte",
                sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            },
        }
    }
}

/// Why the data can't be had.
#[derive(Debug, Error)]
pub enum DataError {
    /// A folder without one of the four files.
    #[error(
        "{folder} has no {name} (nor {name}.gz). The folder must hold MNIST's four IDX files, \
         gzipped or not"
    )]
    Missing {
        /// The folder searched.
        folder: PathBuf,
        /// The file missing.
        name: &'static str,
    },
    /// The file system or the gzip stream said no.
    #[error("{path} can't be read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What was said.
        error: io::Error,
    },
    /// The file is none of MNIST's.
    #[error("{path} can't be used: {error}")]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: IdxError,
    },
    /// Images and labels of different numbers.
    #[error(
        "{path} holds {labels} labels for {images} images; the two files don't belong together"
    )]
    Counts {
        /// The file of labels.
        path: PathBuf,
        /// Labels in it.
        labels: usize,
        /// Images in the other file.
        images: usize,
    },
    /// Nothing in it.
    #[error("{path} holds no images")]
    Empty {
        /// The file of images.
        path: PathBuf,
    },
    /// A file that should be MNIST's own and is not.
    #[error(
        "{path} is damaged: its SHA-256 sum is not MNIST's. Fetch it again (`git checkout \
         artifacts/mnist` for the bundled files), or name another folder with `--data`"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Not on this machine, and not to be downloaded.
    #[error(
        "MNIST is not on this machine, and downloading it failed: is this machine online? Put its \
         four IDX files into a folder and name it with `--data DIR`. Burn's words: {0}"
    )]
    Download(String),
}

/// What kind of place the files are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A folder given with `--data`.
    Given,
    /// `artifacts/mnist/` of the project.
    Bundled,
    /// The cache of Burn's `MnistDataset`.
    BurnCache,
}

impl Origin {
    /// In words for a person.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Given => "given with --data",
            Self::Bundled => "bundled with the project",
            Self::BurnCache => "Burn's cache",
        }
    }
}

/// A place with MNIST-shaped files in it.
#[derive(Clone, Debug)]
pub struct Source {
    /// What kind of place.
    pub origin: Origin,
    train: PathBuf,
    test: PathBuf,
}

/// A half of the data, read, and whether it is MNIST's own.
pub struct Loaded {
    /// The pictures.
    pub digits: Digits,
    /// Both files have MNIST's sums.
    pub is_mnist: bool,
    /// SHA-256 of the unzipped image file, in hexadecimal.
    pub sha256: String,
}

impl Source {
    fn one_folder(origin: Origin, folder: PathBuf) -> Self {
        Self { origin, train: folder.clone(), test: folder }
    }

    /// The places there are for this `--data` (or none), best first; the files may be missing.
    pub fn candidates(given: Option<&Path>) -> Vec<Self> {
        if let Some(folder) = given {
            return vec![Self::one_folder(Origin::Given, folder.to_owned())];
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

    /// The first place that has all four files; where none has, Burn downloads them.
    ///
    /// # Errors
    /// If the folder given lacks a file, or the download fails.
    pub fn find(given: Option<&Path>) -> Result<Self, DataError> {
        let mut missing = None;
        for source in Self::candidates(given) {
            match source.missing() {
                None => return Ok(source),
                some => missing = some,
            }
        }
        match (given, missing) {
            (Some(_), Some(error)) => Err(error),
            _ => Self::download(),
        }
    }

    /// The first of the four files that is not there.
    fn missing(&self) -> Option<DataError> {
        Half::BOTH
            .into_iter()
            .flat_map(|half| [(half, half.images()), (half, half.labels())])
            .find_map(|(half, file)| self.path(half, &file).err())
    }

    /// Burn's loader downloads what its cache lacks; it has no way to fail but a panic.
    fn download() -> Result<Self, DataError> {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let outcome = std::panic::catch_unwind(|| {
            MnistDataset::train();
            MnistDataset::test();
        });
        std::panic::set_hook(hook);
        match (outcome, Self::burn_cache()) {
            (Ok(()), Some(source)) => Ok(source),
            (Ok(()), None) => Err(DataError::Download("this system names no cache folder".into())),
            (Err(panic), _) => {
                let reason = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no reason was given");
                Err(DataError::Download(reason.to_owned()))
            }
        }
    }

    /// The folder of a half, for messages.
    pub fn folder(&self, half: Half) -> &Path {
        match half {
            Half::Train => &self.train,
            Half::Test => &self.test,
        }
    }

    fn path(&self, half: Half, file: &IdxFile) -> Result<PathBuf, DataError> {
        let folder = self.folder(half);
        let plain = folder.join(file.name);
        let zipped = folder.join(format!("{}.gz", file.name));
        [plain, zipped]
            .into_iter()
            .find(|path| path.is_file())
            .ok_or_else(|| DataError::Missing { folder: folder.to_owned(), name: file.name })
    }

    /// Reads one half.
    ///
    /// # Errors
    /// If a file is missing, unreadable, not IDX of MNIST's shape, or, anywhere but in a folder
    /// given, not MNIST's own.
    pub fn load(&self, half: Half) -> Result<Loaded, DataError> {
        let (image_file, label_file) = (half.images(), half.labels());
        let (images_path, images_sum, images) = self.read(half, &image_file)?;
        let (labels_path, labels_sum, labels) = self.read(half, &label_file)?;
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
        for (path, is_whole) in [
            (images_path, images_sum == image_file.sha256),
            (labels_path, labels_sum == label_file.sha256),
        ] {
            if !is_whole && self.origin != Origin::Given {
                return Err(DataError::Damaged { path });
            }
        }
        Ok(Loaded {
            digits: Digits::new(pixels, labels),
            is_mnist: images_sum == image_file.sha256 && labels_sum == label_file.sha256,
            sha256: images_sum,
        })
    }

    /// A file's path, the SHA-256 of what it holds unzipped, and that.
    fn read(&self, half: Half, file: &IdxFile) -> Result<(PathBuf, String, Vec<u8>), DataError> {
        let path = self.path(half, file)?;
        match read_unzipped(&path) {
            Ok(bytes) => {
                let sum = sha256_hex([&bytes]);
                Ok((path, sum, bytes))
            }
            Err(error) => Err(DataError::Read { path, error }),
        }
    }
}

/// Gzipped or not is told from the content.
fn read_unzipped(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = io::BufReader::new(file);
    let is_zipped = io::BufRead::fill_buf(&mut reader)?.starts_with(&[0x1f, 0x8b]);
    // 60,000 images unzip to 47 MB, five times their gzipped size: one allocation is enough for
    // MNIST, and a file that claims more grows as it proves it.
    let mut bytes =
        Vec::with_capacity(length.min(LARGEST / 8) as usize * if is_zipped { 5 } else { 1 });
    if is_zipped {
        MultiGzDecoder::new(reader).take(LARGEST + 1).read_to_end(&mut bytes)?;
    } else {
        reader.take(LARGEST + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > LARGEST {
        let message = format!("it unzips to more than {} MB", LARGEST >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    bytes.shrink_to_fit();
    Ok(bytes)
}
