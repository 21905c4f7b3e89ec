//! A folder that is held open. Its entries are reached from the folder itself, by their names, and a
//! link in the place of one is never followed: so what happens in the folder stays in it, even if
//! another process renames the folder, or puts a link in the place of a folder or file in it, between
//! a check and the use.
//!
//! On systems without such calls (all but Unix) entries are reached by the path of the folder.

#[cfg_attr(unix, path = "open_folder/unix.rs")]
#[cfg_attr(not(unix), path = "open_folder/other.rs")]
mod handle;

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(unix)]
use handle::FolderDescriptor as Handle;
#[cfg(not(unix))]
use handle::FolderPath as Handle;

use super::read::{check_regular, read_bounded, text_of};
use super::{EntryKind, TEMPORARY_PREFIX};

/// How often another random name is tried if one is taken.
const ATTEMPTS: usize = 100;

/// Who may read a new file.
#[derive(Clone, Copy)]
enum Readers {
    /// The owner alone.
    Owner,
    /// Everyone whom the umask allows, as with other programs' files.
    Umask,
}

/// How a file is opened.
#[derive(Clone, Copy)]
enum FileAccess {
    Read,
    /// For writing, created if it is absent. What it holds is kept.
    Write,
    /// Created for writing; an error if the name is taken.
    New(Readers),
}

/// A folder that is held open.
#[derive(Clone, Debug)]
pub(crate) struct OpenFolder(Arc<Handle>);

impl OpenFolder {
    /// Opens the folder that a user has named: links in `path` are followed.
    ///
    /// # Errors
    /// If it cannot be opened, or is not a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        Handle::open(path).map(Self::from)
    }

    /// Opens a folder in this one.
    ///
    /// # Errors
    /// If it cannot be opened, or is not a folder but, for example, a link to one.
    pub fn folder(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        self.0.subfolder(name.as_ref()).map(Self::from)
    }

    /// Creates a folder in this one.
    ///
    /// # Errors
    /// If it cannot be created, for example because the name is taken.
    pub fn create_folder(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        self.0.create_folder(name.as_ref())?;
        self.folder(name)
    }

    /// Creates a folder whose random name begins with `prefix`. Returns its name too.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn new_folder(&self, prefix: &str) -> io::Result<(OsString, Self)> {
        with_new_name(prefix, |name| self.create_folder(name))
    }

    /// The names of all entries.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        self.0.names()
    }

    /// Whether there is a regular file of this name.
    pub fn has_file(&self, name: impl AsRef<OsStr>) -> bool {
        self.0.kind(name.as_ref()).is_ok_and(|kind| kind == EntryKind::File)
    }

    /// Reads a regular file of at most `limit` bytes.
    ///
    /// # Errors
    /// If the file cannot be read, is not a regular file (a link, for example), or is larger than
    /// `limit`.
    pub fn read(&self, name: impl AsRef<OsStr>, limit: u64) -> io::Result<Vec<u8>> {
        read_bounded(self.open_file(name.as_ref(), FileAccess::Read)?, limit)
    }

    /// Reads a regular file of text of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Self::read`], or if the file is not UTF-8.
    pub fn read_text(&self, name: impl AsRef<OsStr>, limit: u64) -> io::Result<String> {
        text_of(self.read(name, limit)?)
    }

    /// Opens a regular file for writing, created if it is absent. What it holds is kept.
    ///
    /// # Errors
    /// If the file cannot be opened or created, or is not a regular file.
    pub fn open_for_writing(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_file(name.as_ref(), FileAccess::Write)
    }

    fn open_file(&self, name: &OsStr, access: FileAccess) -> io::Result<File> {
        // Checked before opening too: opening alone can do something to a device.
        match self.0.kind(name) {
            Ok(kind) => kind.check_regular()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let file = self.0.open_file(name, access)?;
        check_regular(&file.metadata()?)?;
        Ok(file)
    }

    /// Writes `bytes` under a temporary name and renames the file to `name`. A link of that name is
    /// itself replaced. An existing file keeps its permissions.
    ///
    /// # Errors
    /// If the file cannot be created, written or renamed; an existing file is unchanged then.
    pub fn replace(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<()> {
        let existing = self.0.permissions_of_file(name.as_ref());
        // Beside an existing file, only the owner can open the new one until it has the same
        // permissions.
        let readers = if existing.is_some() { Readers::Owner } else { Readers::Umask };
        let (temporary, file) = with_new_name(TEMPORARY_PREFIX, |temporary| {
            self.0.open_file(temporary, FileAccess::New(readers))
        })?;
        fill(file, bytes, existing)
            .and_then(|()| self.0.rename(&temporary, name.as_ref()))
            .inspect_err(|_| drop(self.0.remove_file(&temporary)))?;
        self.sync()
    }

    /// Writes `bytes` under a temporary name and gives the file this name, unless something has it
    /// already, which is left as it is. Returns whether the file is new.
    ///
    /// # Errors
    /// If the file cannot be created, written or named.
    #[cfg(feature = "serve")]
    pub fn create(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<bool> {
        let (temporary, file) = with_new_name(TEMPORARY_PREFIX, |temporary| {
            self.0.open_file(temporary, FileAccess::New(Readers::Umask))
        })?;
        let linked = fill(file, bytes, None).and_then(|()| self.0.link(&temporary, name.as_ref()));
        self.0.remove_file(&temporary)?;
        match linked {
            Ok(()) => self.sync().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Renames an entry. It takes the place of a file of that name.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        self.0.rename(from.as_ref(), to.as_ref())
    }

    /// Removes a file, or a folder with everything in it. A link is itself removed.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        let name = name.as_ref();
        if !matches!(self.0.kind(name)?, EntryKind::Folder) {
            return self.0.remove_file(name);
        }
        let folder = self.folder(name)?;
        for entry in folder.names()? {
            folder.remove(entry)?;
        }
        self.0.remove_folder(name)
    }

    /// Makes renames in this folder survive a power failure.
    ///
    /// # Errors
    /// If the folder cannot be synced.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    /// The first entry, at any depth, that is neither a regular file nor a folder, and what it is.
    /// Its path begins in this folder. Folders that cannot be listed are left out.
    pub fn foreign_entry(&self) -> Option<(PathBuf, EntryKind)> {
        self.names().into_iter().flatten().find_map(|name| match self.0.kind(&name).ok()? {
            EntryKind::File => None,
            EntryKind::Folder => {
                let (path, kind) = self.folder(&name).ok()?.foreign_entry()?;
                Some((Path::new(&name).join(path), kind))
            }
            kind => Some((name.into(), kind)),
        })
    }
}

impl From<Handle> for OpenFolder {
    fn from(handle: Handle) -> Self {
        Self(Arc::new(handle))
    }
}

fn fill(mut file: File, bytes: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    file.write_all(bytes)?;
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    file.sync_all()
}

/// Calls `create` with random names that begin with `prefix`, until one is not taken.
fn with_new_name<T>(
    prefix: &str,
    create: impl Fn(&OsStr) -> io::Result<T>,
) -> io::Result<(OsString, T)> {
    let mut attempt = 1;
    loop {
        let name = OsString::from(format!("{prefix}{:08x}", fastrand::u32(..)));
        match create(&name) {
            Ok(created) => return Ok((name, created)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    /// A folder that is open, with a file `victim` beside it.
    fn open_folder() -> (TempDir, PathBuf, OpenFolder) {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("victim"), "precious").unwrap();
        let path = outside.path().join("folder");
        fs::create_dir(&path).unwrap();
        let folder = OpenFolder::open(&path).unwrap();
        (outside, path, folder)
    }

    fn assert_untouched(outside: &TempDir) {
        let victim = outside.path().join("victim");
        assert_eq!(fs::read(victim).unwrap(), b"precious");
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_neither_read_nor_written_and_is_itself_replaced() {
        let (outside, path, folder) = open_folder();
        symlink("../victim", path.join("file")).unwrap();
        for error in
            [folder.read("file", 100).unwrap_err(), folder.open_for_writing("file").unwrap_err()]
        {
            assert_eq!(error.to_string(), "not a regular file, but a symbolic link");
        }
        // As if the link had come after the check of its kind.
        for access in [FileAccess::Read, FileAccess::Write, FileAccess::New(Readers::Owner)] {
            assert!(folder.0.open_file("file".as_ref(), access).is_err());
        }
        folder.replace("file", b"new").unwrap();
        assert_eq!(fs::symlink_metadata(path.join("file")).unwrap().len(), 3);
        assert_eq!(folder.read("file", 100).unwrap(), b"new");
        assert_untouched(&outside);
    }

    #[test]
    fn a_folder_that_is_renamed_and_replaced_by_a_link_gets_the_files_where_it_is() {
        let (outside, path, folder) = open_folder();
        let elsewhere = outside.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let moved = outside.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        symlink(&elsewhere, &path).unwrap();

        folder.replace("file", b"text").unwrap();
        folder.create_folder("inner").unwrap().replace("file", b"text").unwrap();
        assert_eq!(fs::read(moved.join("inner/file")).unwrap(), b"text");
        assert_eq!(folder.read_text("file", 10).unwrap(), "text");
        folder.remove("inner").unwrap();
        assert_eq!(folder.names().unwrap(), ["file"]);
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }

    #[test]
    fn a_link_to_a_folder_is_not_opened_and_removing_it_removes_nothing_else() {
        let (outside, path, folder) = open_folder();
        fs::create_dir(path.join("inner")).unwrap();
        symlink("../..", path.join("inner/link")).unwrap();
        symlink("..", path.join("link")).unwrap();
        let error = folder.folder("link").unwrap_err();
        assert_eq!(error.to_string(), "not a folder, but a symbolic link");
        folder.remove("link").unwrap();
        folder.remove("inner").unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        assert_untouched(&outside);
    }

    /// Two folders change places while files are written and removed through one name; the other,
    /// which a link of that name leads to, never gets or loses a file.
    #[test]
    fn a_process_that_swaps_a_folder_for_a_link_gains_nothing() {
        let (outside, path, folder) = open_folder();
        let victim = outside.path().join("other");
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("file"), "precious").unwrap();
        fs::create_dir(path.join("inner")).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = fs::rename(path.join("inner"), path.join("aside"));
                    let _ = symlink(&victim, path.join("inner"));
                    let _ = fs::remove_file(path.join("inner"));
                    let _ = fs::rename(path.join("aside"), path.join("inner"));
                    let _ = fs::create_dir(path.join("inner"));
                }
            });
            let (mut written, mut attempts) = (0, 0);
            // Until a hundred attempts have met the folder and not the link, or after a while.
            while written < 100 && attempts < 100_000 {
                attempts += 1;
                if let Ok(inner) = folder.folder("inner") {
                    let is_written = inner.replace("file", b"new").is_ok();
                    written += usize::from(is_written);
                }
                let _ = folder.remove("inner");
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(written > 0);
        });
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 1);
        assert_eq!(fs::read(victim.join("file")).unwrap(), b"precious");
    }

    #[test]
    fn new_folders_and_files_have_the_permissions_of_any_others() {
        let (outside, path, folder) = open_folder();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        let (name, _) = folder.new_folder("new-").unwrap();
        assert!(name.to_str().unwrap().starts_with("new-"));
        assert_eq!(mode(&path.join(name)), mode(&path));
        folder.replace("file", b"text").unwrap();
        assert_eq!(mode(&path.join("file")), mode(&outside.path().join("victim")));
    }

    #[test]
    fn a_file_that_cannot_be_renamed_leaves_no_temporary_one() {
        let (_outside, path, folder) = open_folder();
        fs::create_dir(path.join("taken")).unwrap();
        assert!(folder.replace("taken", b"text").is_err());
        assert_eq!(folder.names().unwrap(), ["taken"]);
    }

    #[test]
    fn the_first_entry_that_is_no_file_and_no_folder_is_found_at_any_depth() {
        let (_outside, path, folder) = open_folder();
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/file"), "text").unwrap();
        assert_eq!(folder.foreign_entry(), None);
        symlink("nowhere", path.join("a/b/c")).unwrap();
        assert_eq!(folder.foreign_entry(), Some(("a/b/c".into(), EntryKind::Link)));
    }
}
