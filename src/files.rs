//! The only place that opens files whose names come from a user: writes that never leave half a
//! file, and reads that end.
//!
//! # Writing
//!
//! [`write_atomically`] is used for every output. What it does depends on what `path` names:
//!
//! | `path` names | what happens |
//! |---|---|
//! | nothing, or a regular file | written under a temporary name beside it, synced and renamed: a reader sees the old file or the new one, never a part. An existing file keeps its permissions, a new one gets those that the umask allows. A file that must not be written is not replaced. |
//! | a symbolic link to a file | the file is replaced in this way, and the link stays |
//! | a pipe, a terminal or another character device, such as `/dev/null` | written directly; it stays what it is |
//! | `/dev/stdout`, `/dev/stderr`, `/dev/fd/N` | written directly, also if it is redirected to a file |
//! | a folder, a socket, a disk, or a link that leads nowhere | refused |
//!
//! The files of a training run are written and read in an [`OpenFolder`], which never follows a
//! link.
//!
//! # Reading
//!
//! Only regular files are read, and only up to a limit, because a name can stand for a pipe that
//! never delivers anything, or a device that never ends.

mod open_folder;
mod read;
mod write;

use std::fs::{DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use open_folder::OpenFolder;
pub use read::{open_regular, read_regular, read_text};
#[cfg(feature = "serve")]
pub(crate) use write::create;
pub use write::{is_standard_output, write_atomically};

/// Prefix of the temporary names of files being written. A killed process leaves such files behind.
pub const TEMPORARY_PREFIX: &str = ".writing-";

/// The files in a folder, sorted by name. Folders in it are left out, and hidden files, such as
/// `.gitkeep` and `._7.png`, which systems and programs leave there.
///
/// # Errors
/// If the folder cannot be read.
pub fn sorted_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    let is_hidden = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| !is_hidden(entry))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    Ok(files)
}

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Folder,
    Link,
    Pipe,
    Socket,
    Disk,
    /// Any other device.
    Device,
}

impl EntryKind {
    pub fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            rustix::fs::FileType::from_raw_mode(metadata.mode()).into()
        }
        #[cfg(not(unix))]
        {
            match metadata.file_type() {
                file_type if file_type.is_file() => Self::File,
                file_type if file_type.is_dir() => Self::Folder,
                file_type if file_type.is_symlink() => Self::Link,
                _ => Self::Device,
            }
        }
    }

    /// Its name, with an article.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "a regular file",
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Pipe => "a pipe",
            Self::Socket => "a socket",
            Self::Disk => "a disk device",
            Self::Device => "a device",
        }
    }

    /// # Errors
    /// If it is not a regular file.
    pub fn check_regular(self) -> io::Result<()> {
        if self == Self::File {
            return Ok(());
        }
        let message = format!("not a regular file, but {}", self.name());
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }
}

#[cfg(unix)]
impl From<rustix::fs::FileType> for EntryKind {
    fn from(file_type: rustix::fs::FileType) -> Self {
        use rustix::fs::FileType;
        match file_type {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            FileType::Symlink => Self::Link,
            FileType::Fifo => Self::Pipe,
            FileType::Socket => Self::Socket,
            FileType::BlockDevice => Self::Disk,
            _ => Self::Device,
        }
    }
}

/// The folder that contains `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
