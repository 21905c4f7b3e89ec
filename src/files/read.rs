//! Bounded reads of regular files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use super::kind;

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
    set_flags(&mut options, Flags::NonBlocking);
    let file = options.open(path)?;
    check_regular(&file.metadata()?)?;
    Ok(file)
}

/// Opens a file of this program for writing, created if it is absent. Links and pipes are refused,
/// and what the file holds is kept.
///
/// # Errors
/// If the file cannot be opened or created, or is not a regular file.
pub(crate) fn open_own(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    set_flags(&mut options, Flags::NonBlockingAndNoLink);
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
    let file = open_regular(path)?;
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
    String::from_utf8(read_regular(path, limit)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file is not UTF-8 text"))
}

fn check_regular(metadata: &std::fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let message = format!("not a regular file, but {}", kind(metadata.file_type()));
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

fn too_large(limit: u64) -> io::Error {
    let message = format!("the file is larger than the limit of {} MB", limit >> 20);
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

/// How a file is opened, beyond what the standard library offers on every system.
enum Flags {
    NonBlocking,
    NonBlockingAndNoLink,
}

#[cfg(unix)]
fn set_flags(options: &mut OpenOptions, flags: Flags) {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;

    let flags = match flags {
        Flags::NonBlocking => OFlags::NONBLOCK,
        Flags::NonBlockingAndNoLink => OFlags::NONBLOCK | OFlags::NOFOLLOW,
    };
    options.custom_flags(flags.bits() as i32);
}

#[cfg(not(unix))]
fn set_flags(_: &mut OpenOptions, _: Flags) {}

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

    #[test]
    #[cfg(unix)]
    fn a_file_of_the_program_is_not_opened_through_a_link_and_keeps_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let (victim, link) = (folder.path().join("victim"), folder.path().join("link"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(open_own(&link).is_err());
        open_own(&victim).unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    }
}
