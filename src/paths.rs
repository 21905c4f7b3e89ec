//! The folder `artifacts/` of a checkout, with the bundled data.
//!
//! It is found from any working directory inside the checkout, so that the commands in the README
//! work wherever they are typed.

use std::path::PathBuf;

/// The nearest `artifacts/` folder of a checkout: in the working directory or a folder above it,
/// then in a folder above this executable. `None` outside a checkout.
pub fn artifacts_folder() -> Option<PathBuf> {
    let working_directory = std::env::current_dir().ok();
    let executable = std::env::current_exe().ok();
    [working_directory, executable]
        .iter()
        .flatten()
        .flat_map(|start| start.ancestors())
        .map(|folder| folder.join("artifacts"))
        // Other projects have folders of this name too: these two subfolders mark this project's.
        .find(|folder| folder.join("model").is_dir() && folder.join("mnist").is_dir())
}
