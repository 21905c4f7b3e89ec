//! A folder by its path, on systems without calls that take an open folder.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::path::{Path, PathBuf};

use super::{FileAccess, Readers};
use crate::files::EntryKind;

/// The path of a folder.
#[derive(Debug)]
pub(super) struct FolderPath(PathBuf);

impl FolderPath {
    pub fn open(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.is_dir() {
            Ok(Self(path.to_owned()))
        } else {
            Err(io::Error::new(io::ErrorKind::NotADirectory, "not a folder"))
        }
    }

    pub fn subfolder(&self, name: &OsStr) -> io::Result<Self> {
        match self.kind(name)? {
            EntryKind::Folder => Ok(Self(self.0.join(name))),
            kind => {
                let message = format!("not a folder, but {}", kind.name());
                Err(io::Error::new(io::ErrorKind::NotADirectory, message))
            }
        }
    }

    pub fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.0.join(name))
    }

    pub fn names(&self) -> io::Result<Vec<OsString>> {
        fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    pub fn kind(&self, name: &OsStr) -> io::Result<EntryKind> {
        Ok(EntryKind::of(&fs::symlink_metadata(self.0.join(name))?))
    }

    /// The permissions of a regular file; `None` if there is no such file.
    pub fn permissions_of_file(&self, name: &OsStr) -> Option<Permissions> {
        let metadata = fs::symlink_metadata(self.0.join(name)).ok()?;
        metadata.is_file().then(|| metadata.permissions())
    }

    pub fn open_file(&self, name: &OsStr, access: FileAccess) -> io::Result<File> {
        let mut options = OpenOptions::new();
        match access {
            FileAccess::Read => options.read(true),
            FileAccess::Write => options.write(true).create(true).truncate(false),
            // The readers of a new file are those of its folder.
            FileAccess::New(Readers::Owner | Readers::Umask) => {
                options.write(true).create_new(true)
            }
        };
        options.open(self.0.join(name))
    }

    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    /// Gives a file a second name; an error if that is taken.
    #[cfg(feature = "serve")]
    pub fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::hard_link(self.0.join(from), self.0.join(to))
    }

    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    pub fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.0.join(name))
    }

    /// Windows cannot open folders; it journals renames.
    pub fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
