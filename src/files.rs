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
//! The files of a training run are written by `replace`, which never follows a link.
//!
//! # Reading
//!
//! Only regular files are read, and only up to a limit, because a name can stand for a pipe that
//! never delivers anything, or a device that never ends.

mod read;
mod write;

use std::fs::{DirEntry, File, FileType};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use read::open_own;
pub use read::{open_regular, read_regular, read_text};
#[cfg(feature = "serve")]
pub(crate) use write::create;
pub use write::{is_standard_output, write_atomically};
pub(crate) use write::{new_folder, replace};

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

/// What a path names, in a word with its article.
pub(crate) fn kind(file_type: FileType) -> &'static str {
    if file_type.is_file() {
        return "a regular file";
    }
    if file_type.is_dir() {
        return "a folder";
    }
    if file_type.is_symlink() {
        return "a symbolic link";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file_type.is_fifo() {
            return "a pipe";
        }
        if file_type.is_socket() {
            return "a socket";
        }
        if file_type.is_block_device() {
            return "a disk device";
        }
    }
    "a device"
}

/// Makes a rename inside `folder` survive a power failure.
///
/// # Errors
/// If the folder cannot be opened or synced.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows cannot open folders; it journals renames.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The folder that contains `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
