//! Atomic writes and bounded reads of files.
//!
//! A file written here is either complete or absent, even after a crash: it is written under a
//! temporary name in the same folder, synced to disk and renamed. A file read here is a regular
//! file of limited size, because a path from a user can name a pipe that never delivers anything,
//! or a device that never ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Prefix of the temporary names of files being written. A killed process leaves such files behind.
pub const TEMPORARY_PREFIX: &str = ".writing-";

/// Writes `bytes` to `path` atomically: a reader sees the old file or the new one, never a part of
/// it.
///
/// # Errors
/// If the file cannot be created, written or renamed; an existing file at `path` is unchanged then.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path);
    let mut temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    make_file_readable(temporary.as_file())?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// If the file cannot be read, is not a regular file (a folder, pipe or device), or is larger than
/// `limit`.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Checked before opening: opening a pipe blocks until another process opens it for writing.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::with_capacity(metadata.len().min(limit) as usize);
    // The file may have grown since its size was read, so reading is bounded too.
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("the file is larger than the limit of {} MB", limit >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The files in a folder, sorted by name; folders in it are left out.
///
/// # Errors
/// If the folder cannot be read.
pub fn sorted_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

/// Temporary files are created for their owner alone; the finished file is readable by everyone,
/// like other files that a user creates.
#[cfg(unix)]
fn make_file_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_file_readable(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Makes a folder created under a temporary name readable by everyone.
///
/// # Errors
/// If the permissions cannot be changed.
#[cfg(unix)]
pub(crate) fn make_folder_readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

/// Does nothing on systems without Unix permissions.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub(crate) fn make_folder_readable(_folder: &Path) -> io::Result<()> {
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_limit_is_read_and_a_larger_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let limit = 1 << 20;
        std::fs::write(&path, vec![7; limit]).unwrap();
        assert_eq!(read_regular(&path, limit as u64).unwrap(), vec![7; limit]);
        std::fs::write(&path, vec![7; limit + 1]).unwrap();
        let error = read_regular(&path, limit as u64).unwrap_err();
        assert_eq!(error.to_string(), "the file is larger than the limit of 1 MB");
    }

    #[test]
    fn a_folder_is_not_a_regular_file() {
        let error = read_regular(Path::new("."), 1).unwrap_err();
        assert_eq!(error.to_string(), "not a regular file");
    }

    #[test]
    fn writing_replaces_a_file_and_leaves_no_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn everyone_may_read_a_file_written() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, b"text").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
