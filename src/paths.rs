//! The project's folders: bundled data, training runs and generated plots.
//!
//! Inside a checkout they are found from any working directory, so that the commands in the README
//! work wherever they are typed. Outside of one, runs and plots go into `artifacts/` of the working
//! directory.

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

/// The folder of training runs: `artifacts/runs`.
pub fn runs_folder() -> PathBuf {
    artifacts_folder().unwrap_or_else(|| PathBuf::from("artifacts")).join("runs")
}

/// The default folder for plots and pictures: `artifacts/insight`.
pub fn insight_folder() -> PathBuf {
    runs_folder().with_file_name("insight")
}
