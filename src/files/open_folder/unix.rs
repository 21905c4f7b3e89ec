//! An open folder by its file descriptor.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{FileAccess, Readers};
use crate::files::EntryKind;

/// The descriptor of an open folder.
#[derive(Debug)]
pub(super) struct FolderDescriptor(OwnedFd);

impl FolderDescriptor {
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
    }

    pub fn subfolder(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(folder) => Ok(Self(folder)),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let message = match self.kind(name) {
                    Ok(kind) => format!("not a folder, but {}", kind.name()),
                    Err(_) => "not a folder".to_owned(),
                };
                Err(io::Error::new(io::ErrorKind::NotADirectory, message))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777))?)
    }

    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    pub fn kind(&self, name: &OsStr) -> io::Result<EntryKind> {
        let status = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(status.st_mode).into())
    }

    /// The permissions of a regular file; `None` if there is no such file.
    pub fn permissions_of_file(&self, name: &OsStr) -> Option<Permissions> {
        let status = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let is_file = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
        is_file.then(|| Permissions::from_mode(status.st_mode as u32))
    }

    pub fn open_file(&self, name: &OsStr, access: FileAccess) -> io::Result<File> {
        let (flags, mode) = match access {
            FileAccess::Read => (OFlags::RDONLY, 0),
            FileAccess::Write => (OFlags::WRONLY | OFlags::CREATE, 0o666),
            FileAccess::New(Readers::Umask) => {
                (OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, 0o666)
            }
            FileAccess::New(Readers::Owner) => {
                (OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, 0o600)
            }
        };
        // If a pipe has taken the file's place meanwhile, opening it does not wait.
        let flags = flags | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode)) {
            Ok(file) => Ok(file.into()),
            // Since its kind was looked at, a link has taken its place.
            Err(Errno::LOOP) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("not a regular file, but {}", EntryKind::Link.name()),
            )),
            Err(error) => Err(error.into()),
        }
    }

    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?)
    }

    /// Gives a file a second name; an error if that is taken.
    #[cfg(feature = "serve")]
    pub fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::linkat(&self.0, from, &self.0, to, AtFlags::empty())?)
    }

    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }
}
