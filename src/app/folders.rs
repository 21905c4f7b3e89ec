//! The default folders of what the commands write: training runs and plots.
//!
//! They are in `artifacts/` of the checkout; outside of one, in `artifacts/` of the working
//! directory. The library has no default folders; it writes where its caller says.

use std::path::PathBuf;

use burn_digits::internal::artifacts_folder;

/// The folder of training runs: `artifacts/runs`.
pub fn runs_folder() -> PathBuf {
    artifacts_folder().unwrap_or_else(|| PathBuf::from("artifacts")).join("runs")
}

/// The default folder for plots: `artifacts/insight`.
pub fn insight_folder() -> PathBuf {
    runs_folder().with_file_name("insight")
}
