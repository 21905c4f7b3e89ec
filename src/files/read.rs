//! Bounded reads of regular files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use super::EntryKind;

/// Opens a regular file for reading. It never waits: a pipe is refused, not opened.
///
/// # Errors
/// If the file cannot be opened, or is not a regular file (a folder, pipe or device).
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Checked before opening too: opening alone can do something to a device.
    check_regular(&std::fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    // If a pipe has taken the file's place meanwhile, opening it does not wait for a writer.
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    let file = options.open(path)?;
    check_regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// If the file cannot be read, is not a regular file (a folder, pipe or device), or is larger than
/// `limit`.
pub fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_bounded(open_regular(path)?, limit)
}

/// Reads an open file of at most `limit` bytes.
///
/// # Errors
/// If the file cannot be read, or is larger than `limit`.
pub(super) fn read_bounded(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large(limit));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // The file may have grown since its size was read, so reading is bounded too.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(limit)) } else { Ok(bytes) }
}

/// Reads a regular file of text of at most `limit` bytes.
///
/// # Errors
/// As [`read_regular`], or if the file is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    text_of(read_regular(path, limit)?)
}

/// # Errors
/// If the bytes of a file are not UTF-8.
pub(super) fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file is not UTF-8 text"))
}

pub(super) fn check_regular(metadata: &std::fs::Metadata) -> io::Result<()> {
    EntryKind::of(metadata).check_regular()
}

fn too_large(limit: u64) -> io::Error {
    let message = format!("the file is larger than the limit of {} MB", limit >> 20);
    io::Error::new(io::ErrorKind::FileTooLarge, message)
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
        assert_eq!(error.to_string(), "not a regular file, but a folder");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_as_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "7 é").unwrap();
        assert_eq!(read_text(&path, 10).unwrap(), "7 é");
        std::fs::write(&path, b"7 \xff").unwrap();
        assert_eq!(read_text(&path, 10).unwrap_err().to_string(), "the file is not UTF-8 text");
    }

    #[test]
    #[cfg(unix)]
    fn a_pipe_a_socket_and_a_device_are_refused_at_once_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, kind) in
            [(&*pipe, "a pipe"), (&*socket, "a socket"), (Path::new("/dev/zero"), "a device")]
        {
            let error = read_regular(path, 1 << 20).unwrap_err().to_string();
            assert_eq!(error, format!("not a regular file, but {kind}"));
        }
    }
}
