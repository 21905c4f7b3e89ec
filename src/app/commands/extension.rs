//! The rule for the names of output files: an extension says what a file contains, so one of another
//! format is refused before anything is read. A name without an extension may have any content, as
//! `/dev/stdout` has.

use std::path::Path;

use anyhow::Result;

use crate::app::exit::InvalidArgument;
use burn_digits::internal::format;

/// The extension of a file in lower case, empty if there is none.
pub fn of(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// Checks the name of the output file given with `flag`, into which `content` is written. `known`
/// are the extensions of that, the usual one first.
///
/// # Errors
/// If the name has another extension.
pub fn check(flag: &str, out: &Path, content: &str, known: &[&str]) -> Result<()> {
    let extension = of(out);
    if extension.is_empty() || known.contains(&extension.as_str()) {
        return Ok(());
    }
    let known = known.iter().map(|known| format!(".{known}")).collect::<Vec<_>>().join(" or ");
    Err(InvalidArgument(format!(
        "{flag} {}: the file would contain {content}, so end its name in {known}",
        format::path(out)
    ))
    .into())
}
