//! Writes by the rule of the [parent module](super).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{EntryKind, OpenFolder, parent};

/// Writes `bytes` to `path`: a file is written completely or not at all, a device or pipe directly.
/// What happens to links, devices and permissions is in the documentation of this module.
///
/// # Errors
/// If the file cannot be created, written or renamed; an existing file at `path` is unchanged then.
/// Also if `path` names something that cannot be written to, such as a folder.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match Destination::of(path)? {
        Destination::File(file) => replace(&file, bytes),
        Destination::Stream(mut stream) => {
            stream.write_all(bytes)?;
            stream.flush()
        }
    }
}

/// Whether `path` is a name of standard output. Messages about what is written there belong on
/// standard error.
pub fn is_standard_output(path: &Path) -> bool {
    cfg!(unix) && ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].map(Path::new).contains(&path)
}

/// Whether `path` names a descriptor that this process inherited, which may be any kind of file.
fn is_descriptor(path: &Path) -> bool {
    let is_number = path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()).is_some();
    cfg!(unix)
        && (path == Path::new("/dev/stderr")
            || (is_number && ["/dev/fd", "/proc/self/fd"].map(Path::new).contains(&parent(path))))
}

/// Where bytes for a path go.
enum Destination {
    /// The regular file to create or replace, with links resolved.
    File(PathBuf),
    /// What is written directly.
    Stream(Box<dyn Write>),
}

impl Destination {
    fn of(path: &Path) -> io::Result<Self> {
        if is_standard_output(path) {
            // Not opened again: where it is redirected to a file, a second opening would start at
            // the beginning of the file.
            return Ok(Self::Stream(Box::new(io::stdout())));
        }
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if path.is_symlink() {
                    Err(refused("a symbolic link to a file that does not exist"))
                } else {
                    Ok(Self::File(path.to_owned()))
                };
            }
            Err(error) => return Err(error),
        };
        if is_descriptor(path) || takes_a_stream(metadata.file_type()) {
            // Appending is right for a descriptor too, which may be at the end of a file.
            return Ok(Self::Stream(Box::new(OpenOptions::new().append(true).open(path)?)));
        }
        if !metadata.is_file() {
            return Err(refused(EntryKind::of(&metadata).name()));
        }
        // Renaming needs no permission for the file itself, so a file that its owner has
        // protected would be replaced.
        OpenOptions::new().write(true).open(path)?;
        Ok(Self::File(if path.is_symlink() { fs::canonicalize(path)? } else { path.to_owned() }))
    }
}

fn refused(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}; choose another path"))
}

/// Whether it is written from beginning to end and not kept: a pipe, a terminal, `/dev/null`.
#[cfg(unix)]
fn takes_a_stream(file_type: fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    file_type.is_char_device() || file_type.is_fifo()
}

#[cfg(not(unix))]
fn takes_a_stream(_: fs::FileType) -> bool {
    false
}

/// Replaces a file, in its folder as it is now.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match path.file_name() {
        // A name that ends in a slash is that of a folder.
        Some(name) if path.as_os_str().as_encoded_bytes().ends_with(name.as_encoded_bytes()) => {
            OpenFolder::open(parent(path))?.replace(name, bytes)
        }
        _ => Err(refused("the name of a folder")),
    }
}

/// Writes a new file, in the folder of `path` as it is now, unless something has its name already,
/// which is left as it is. Returns whether the file is new.
///
/// # Errors
/// If the file cannot be created, written or named.
#[cfg(feature = "serve")]
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let name = path.file_name().ok_or_else(|| refused("the name of a folder"))?;
    OpenFolder::open(parent(path))?.create(name, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_replaces_a_file_and_leaves_no_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(feature = "serve")]
    fn creating_never_replaces_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(create(&path, b"first").unwrap());
        assert!(!create(&path, b"second").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomically(folder.path(), b"text").unwrap_err();
        assert_eq!(error.to_string(), "it is a folder; choose another path");
    }

    #[cfg(unix)]
    mod on_unix {
        use std::io::Read;
        use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

        use super::*;

        fn mode(path: &Path) -> u32 {
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        }

        #[test]
        fn a_new_file_has_the_permissions_of_any_other_new_file() {
            let folder = tempfile::tempdir().unwrap();
            let (ours, other) = (folder.path().join("ours"), folder.path().join("other"));
            write_atomically(&ours, b"text").unwrap();
            fs::write(&other, b"text").unwrap();
            assert_eq!(mode(&ours), mode(&other));
        }

        #[test]
        fn an_existing_file_keeps_its_permissions() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            for permissions in [0o600, 0o640, 0o755, 0o666] {
                fs::write(&path, b"old").unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(permissions)).unwrap();
                write_atomically(&path, b"new").unwrap();
                assert_eq!(mode(&path), permissions);
            }
        }

        #[test]
        fn the_file_behind_a_chain_of_links_is_replaced_and_the_links_stay() {
            let folder = tempfile::tempdir().unwrap();
            let elsewhere = tempfile::tempdir().unwrap();
            let target = elsewhere.path().join("target");
            let (first, second) = (folder.path().join("first"), folder.path().join("second"));
            fs::write(&target, b"old").unwrap();
            symlink(&target, &second).unwrap();
            symlink("second", &first).unwrap();
            write_atomically(&first, b"new").unwrap();
            assert_eq!(fs::read(&target).unwrap(), b"new");
            assert!(first.is_symlink() && second.is_symlink());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        }

        #[test]
        fn a_link_that_leads_nowhere_is_refused_and_stays() {
            let folder = tempfile::tempdir().unwrap();
            let link = folder.path().join("link");
            symlink("absent", &link).unwrap();
            let error = write_atomically(&link, b"text").unwrap_err().to_string();
            assert!(error.contains("a symbolic link to a file that does not exist"), "{error}");
            assert!(link.is_symlink() && !link.exists());
        }

        #[test]
        fn a_pipe_gets_the_bytes_and_stays_a_pipe() {
            let folder = tempfile::tempdir().unwrap();
            let pipe = folder.path().join("pipe");
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            let reader = std::thread::spawn({
                let pipe = pipe.clone();
                move || {
                    let mut bytes = Vec::new();
                    fs::File::open(pipe).unwrap().read_to_end(&mut bytes).unwrap();
                    bytes
                }
            });
            write_atomically(&pipe, b"text").unwrap();
            assert_eq!(reader.join().unwrap(), b"text");
            assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
        }

        #[test]
        fn a_device_stays_a_device_and_a_full_one_is_an_error() {
            write_atomically(Path::new("/dev/null"), b"text").unwrap();
            assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
            assert!(
                !Path::new("/dev/full").exists() || {
                    let error = write_atomically(Path::new("/dev/full"), b"text").unwrap_err();
                    error.kind() == io::ErrorKind::StorageFull
                }
            );
        }

        #[test]
        fn a_socket_is_refused_and_stays() {
            let folder = tempfile::tempdir().unwrap();
            let socket = folder.path().join("socket");
            let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            let error = write_atomically(&socket, b"text").unwrap_err();
            assert_eq!(error.to_string(), "it is a socket; choose another path");
            assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
        }
    }
}
