//! Files that are whole or absent, and where the project's folders lie.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How the names of files begin that are not whole yet; a killed process leaves them behind.
pub const BESIDE: &str = ".writing-";

/// Writes `bytes` to `path` so that a reader sees the old file or the new one, never half of one:
/// into a temporary file beside it, synced, then renamed.
///
/// # Errors
/// Whatever the file system says; the old file, if there was one, is still there then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path);
    let mut beside = tempfile::Builder::new().prefix(BESIDE).tempfile_in(folder)?;
    beside.write_all(bytes)?;
    make_readable(beside.as_file())?;
    beside.as_file().sync_all()?;
    beside.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Temporary files are created for their owner alone; what is left in place should be as readable
/// as any other file of the user's.
#[cfg(unix)]
fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &File) -> io::Result<()> {
    Ok(())
}

/// The same for folders.
///
/// # Errors
/// Whatever the file system says.
#[cfg(unix)]
pub fn make_enterable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

/// The same for folders: there is nothing to do here.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn make_enterable(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes a rename inside `folder` survive a power cut.
///
/// # Errors
/// Whatever the file system says.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows opens no folders; its renames are journalled.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Bytes, such as a SHA-256 sum, in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The folder that holds `path`.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The nearest `artifacts/` folder: of the working directory and the folders above it, then of the
/// folders above this executable. None outside a checkout of the project.
pub fn artifacts() -> Option<PathBuf> {
    let here = std::env::current_dir().ok();
    let executable = std::env::current_exe().ok();
    [here, executable]
        .iter()
        .flatten()
        .flat_map(|start| start.ancestors())
        .map(|folder| folder.join("artifacts"))
        // A marker of this project: other projects have `artifacts` folders too.
        .find(|folder| folder.join("model").is_dir() && folder.join("mnist").is_dir())
}

/// Where runs are kept: `runs/` in [`artifacts`], or in a folder `artifacts` of the working
/// directory's own outside a checkout.
pub fn runs_folder() -> PathBuf {
    artifacts().unwrap_or_else(|| PathBuf::from("artifacts")).join("runs")
}

/// Where plots and pictures go that nobody named a place for: `insight/` beside [`runs_folder`].
pub fn insight_folder() -> PathBuf {
    runs_folder().with_file_name("insight")
}
