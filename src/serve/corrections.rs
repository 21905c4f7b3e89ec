//! Pictures that people send with the digit that they show, for `train --pictures`.
//!
//! A folder has a subfolder for each digit, `0` to `9`. A file's name is the start of its SHA-256 sum,
//! so that no picture is stored twice and none is replaced by another. The number of pictures and
//! their size are limited, and those that are there when the server starts count.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::api_error::{ApiError, ApiErrorKind};
use super::options::{CollectOptions, OptionFileError};
use crate::checksum::sha256_hex;
use crate::files::{self, sorted_files};

/// Digits of the SHA-256 sum in a file's name.
const NAME_DIGITS: usize = 32;

/// A folder of labelled pictures.
pub(crate) struct Corrections {
    options: CollectOptions,
    held: Mutex<HeldPictures>,
}

/// What the folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct HeldPictures {
    count: usize,
    bytes: u64,
}

/// What became of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It was stored.
    New,
    /// It was there already, with the same digit.
    Before,
}

impl Corrections {
    /// Creates the subfolders, and counts what they hold.
    ///
    /// # Errors
    /// If the folder can't be used.
    pub(crate) fn open(options: &CollectOptions) -> Result<Self, OptionFileError> {
        let held = (0..10).try_fold(HeldPictures::default(), |held, digit| {
            let folder = options.folder.join(digit.to_string());
            std::fs::create_dir_all(&folder)?;
            sorted_files(&folder)?.into_iter().try_fold(held, |held, file| {
                let bytes = held.bytes + file.metadata()?.len();
                Ok(HeldPictures { count: held.count + 1, bytes })
            })
        });
        // Found out now, and not with the first picture.
        let writable =
            held.and_then(|held| tempfile::NamedTempFile::new_in(&options.folder).map(|_| held));
        let held = writable.map_err(|error: io::Error| {
            OptionFileError::new(&options.folder, "--collect", error.to_string())
        })?;
        Ok(Self { options: options.clone(), held: Mutex::new(held) })
    }

    /// Stores a picture file whose name ends with `extension`. Writes to the disk and waits for it.
    ///
    /// # Errors
    /// If the limits are reached, the picture is stored with another digit, or it can't be written.
    pub(crate) fn store(
        &self,
        digit: u8,
        picture: &[u8],
        extension: &str,
    ) -> Result<(Stored, String), ApiError> {
        let mut name = sha256_hex([picture]);
        name.truncate(NAME_DIGITS);
        let name = format!("{name}.{extension}");
        let path = |digit: u8| self.options.folder.join(digit.to_string()).join(&name);
        let other = (0..10).find(|&other| other != digit && path(other).exists());
        if let Some(other) = other {
            let message = format!(
                "this picture is stored as a {other} already; a person must decide which is right"
            );
            return Err(ApiError::new(ApiErrorKind::Conflict, message));
        }
        let stored = format!("{digit}/{name}");
        if path(digit).exists() {
            return Ok((Stored::Before, stored));
        }
        let size = picture.len() as u64;
        self.reserve(size)?;
        match files::create(&path(digit), picture) {
            Ok(true) => Ok((Stored::New, stored)),
            // Another request with the same picture was faster.
            Ok(false) => {
                self.release(size);
                Ok((Stored::Before, stored))
            }
            Err(error) => {
                self.release(size);
                let folder = crate::format::path(Path::new(&self.options.folder));
                tracing::error!(%error, folder, "a correction could not be stored");
                let kind = match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        ApiErrorKind::StorageFull
                    }
                    _ => ApiErrorKind::Internal,
                };
                Err(ApiError::new(kind, "the picture could not be stored"))
            }
        }
    }

    fn reserve(&self, bytes: u64) -> Result<(), ApiError> {
        let CollectOptions { max_pictures, max_bytes, .. } = self.options;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let next = HeldPictures { count: held.count + 1, bytes: held.bytes + bytes };
        if next.count > max_pictures || next.bytes > max_bytes {
            let message = format!(
                "the server collects at most {max_pictures} pictures of {} MiB together, and has \
                 {} of {} MiB",
                max_bytes >> 20,
                held.count,
                held.bytes >> 20
            );
            return Err(ApiError::new(ApiErrorKind::StorageFull, message));
        }
        *held = next;
        Ok(())
    }

    fn release(&self, bytes: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.count -= 1;
        held.bytes -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrections(folder: &Path, max_pictures: usize, max_bytes: u64) -> Corrections {
        let folder = folder.to_owned();
        Corrections::open(&CollectOptions { folder, max_pictures, max_bytes }).unwrap()
    }

    #[test]
    fn a_picture_is_stored_once_and_with_one_digit() {
        let folder = tempfile::tempdir().unwrap();
        let store = corrections(folder.path(), 10, 1000);
        let (stored, name) = store.store(5, b"picture", "png").unwrap();
        // sha256sum of "picture".
        assert_eq!(name, "5/2cea274d0bedc39ec4ab6ba9e59ec889.png");
        assert_eq!(stored, Stored::New);
        assert_eq!(std::fs::read(folder.path().join(&name)).unwrap(), b"picture");
        assert_eq!(store.store(5, b"picture", "png").unwrap(), (Stored::Before, name));
        assert_eq!(store.store(6, b"picture", "png").unwrap_err().kind, ApiErrorKind::Conflict);
        assert_eq!(*store.held.lock().unwrap(), HeldPictures { count: 1, bytes: 7 });
    }

    #[test]
    fn the_limits_of_number_and_size_hold_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = corrections(folder.path(), 2, 100);
        store.store(1, b"a", "png").unwrap();
        store.store(2, b"b", "png").unwrap();
        let full = |store: &Corrections, bytes: &[u8]| {
            store.store(3, bytes, "png").unwrap_err().kind == ApiErrorKind::StorageFull
        };
        assert!(full(&store, b"c"));
        assert!(full(&corrections(folder.path(), 2, 100), b"c"));
        let larger = corrections(folder.path(), 3, 100);
        assert!(full(&larger, &[0; 99]));
        larger.store(3, &[0; 98], "png").unwrap();
        let files = (0..10).map(|digit| folder.path().join(digit.to_string()));
        assert_eq!(files.map(|folder| sorted_files(&folder).unwrap().len()).sum::<usize>(), 3);
    }
}
