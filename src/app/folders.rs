//! The default folders of what the commands write: training runs and plots.
//!
//! They are in the folder that the environment variable `BURN_DIGITS_HOME` names. Without it they
//! are in `artifacts/` of a clone of the project, and outside of one in the user's data folder
//! (`~/.local/share/burn-digits` on Linux), so that an installed program finds its runs from
//! everywhere. The library has no default folders; it writes where its caller says.

use std::path::PathBuf;

use burn_digits::internal::artifacts_folder;

/// The folder of training runs.
pub fn runs_folder() -> PathBuf {
    home().join("runs")
}

/// The default folder for plots.
pub fn insight_folder() -> PathBuf {
    home().join("insight")
}

fn home() -> PathBuf {
    let from_environment = std::env::var_os("BURN_DIGITS_HOME").filter(|home| !home.is_empty());
    from_environment
        .map(PathBuf::from)
        .or_else(artifacts_folder)
        .or_else(|| dirs::data_dir().map(|data| data.join("burn-digits")))
        // A system without folders for users.
        .unwrap_or_else(|| PathBuf::from("burn-digits"))
}
