//! The system's limit of open files: each connection is one.

/// Files that a server has open beside its connections: listeners, log, model, the runtime's own.
const OTHER_FILES: usize = 64;

/// Raises the process's limit of open files as far as the system allows, and returns for how many
/// connections it is enough, at most `connections`.
#[cfg(unix)]
pub(crate) fn allow(connections: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    // No limit is `None`.
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    connections.min(files.saturating_sub(OTHER_FILES)).max(1)
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn allow(connections: usize) -> usize {
    connections
}
