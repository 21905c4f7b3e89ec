//! The list of pictures of `--paths-from`, one path per line.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use bstr::ByteSlice;

use super::STANDARD_INPUT;
use burn_digits::internal::{format, open_regular};

/// The longest line, in bytes: more than any system's longest path.
const MAX_LINE_BYTES: usize = 64 << 10;

/// Calls `answer` with each path of a list, as soon as its line is complete. The list is a regular
/// file, or standard input if it is called `-`.
///
/// # Errors
/// If the list cannot be read, a line is too long for a path, or `answer` fails.
pub fn each(list: &Path, answer: impl FnMut(&Path) -> Result<()>) -> Result<()> {
    if list == Path::new(STANDARD_INPUT) {
        return each_line(list, BufReader::new(io::stdin().lock()), answer);
    }
    let file = open_regular(list).with_context(|| {
        let hint = "a list from a pipe is read with `--paths-from -`";
        format!("{} can't be read ({hint})", format::path(list))
    })?;
    each_line(list, BufReader::new(file), answer)
}

fn each_line(
    list: &Path,
    mut lines: impl BufRead,
    mut answer: impl FnMut(&Path) -> Result<()>,
) -> Result<()> {
    // As bytes: file names need not be UTF-8.
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let limited = &mut lines.by_ref().take(MAX_LINE_BYTES as u64 + 1);
        let read = limited.read_until(b'\n', &mut line);
        if read.with_context(|| format!("{} can't be read", format::path(list)))? == 0 {
            break;
        }
        if line.len() > MAX_LINE_BYTES {
            let list = format::path(list);
            bail!(
                "{list} can't be used: line {number} is longer than {MAX_LINE_BYTES} bytes, so it is no path"
            );
        }
        let path = line.trim_end_with(|character| matches!(character, '\n' | '\r'));
        if !path.is_empty() {
            answer(&path.to_path_lossy())?;
        }
    }
    Ok(())
}
