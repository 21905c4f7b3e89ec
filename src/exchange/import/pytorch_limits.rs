//! Limits for PyTorch files, checked before the file is parsed.
//!
//! The parser turns each byte of a pickle into up to a hundred bytes of memory, and unpacks what a
//! ZIP archive declares. Its own limits suit large models. A state dict of this network has eight
//! tensors and a pickle of about 1 kB, even a checkpoint with an optimizer's state stays below
//! 100 kB, so far lower limits hold here. They are checked on the bytes, without building anything.

use thiserror::Error;

use crate::saved::MAX_FILE_BYTES;

/// The largest pickle that is parsed, in bytes.
const MAX_PICKLE_BYTES: usize = 1 << 20;
/// The most entries of a ZIP archive; `torch.save` writes one per tensor, and a few more.
const MAX_ENTRIES: usize = 10_000;

/// Why a PyTorch file is refused before it is parsed.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum PytorchLimitError {
    /// A pickle is too large.
    #[error(
        "its pickle is larger than {} MB, too large for a network of four layers",
        MAX_PICKLE_BYTES >> 20
    )]
    Pickle,
    /// A ZIP archive has too many entries.
    #[error(
        "the archive has more than {MAX_ENTRIES} entries, too many for a network of four layers"
    )]
    Entries,
    /// A ZIP archive unpacks to too many bytes.
    #[error("the archive unpacks to more than {} MB", MAX_FILE_BYTES >> 20)]
    Unpacked,
    /// A file of PyTorch before 0.1.10.
    #[error(
        "it is a TAR archive, as PyTorch before 0.1.10 (2017) wrote it: load it with PyTorch and \
         save it again"
    )]
    Tar,
}

/// Checks a file that may be from PyTorch. Other files, and damaged ones, are left to the parser.
///
/// # Errors
/// If it would take too much time or memory.
pub fn check(file: &[u8]) -> Result<(), PytorchLimitError> {
    if file.starts_with(b"PK") {
        return check_archive(file);
    }
    // The place of the magic number in the header of a TAR archive. Its sparse entries can declare
    // any size.
    if file.get(257..262) == Some(b"ustar") {
        return Err(PytorchLimitError::Tar);
    }
    // Up to PyTorch 1.5: a magic number, a version, facts about the system, the state dict and the
    // keys of the storages, each a pickle; then the values. A pickle by itself has no values.
    let mut rest = file;
    for _ in 0..5 {
        let (after, is_whole) = skip_pickle(rest);
        if file.len() - after.len() > MAX_PICKLE_BYTES {
            return Err(PytorchLimitError::Pickle);
        }
        if !is_whole {
            break;
        }
        rest = after;
    }
    Ok(())
}

/// Checks the central directory of a ZIP archive. Its entries are found by their signature, which
/// each must have, instead of by the offsets that the archive declares: readers resolve
/// contradictions among those differently.
fn check_archive(file: &[u8]) -> Result<(), PytorchLimitError> {
    let (mut entries, mut unpacked) = (0, 0);
    for at in file.windows(4).enumerate().filter(|(_, bytes)| bytes == b"PK\x01\x02") {
        let entry = &file[at.0..];
        let number = |at: usize| Some(u32::from_le_bytes(entry.get(at..at + 4)?.try_into().ok()?));
        // Larger sizes are stored elsewhere, and this number is u32::MAX.
        let Some(size) = number(24).map(u64::from) else { continue };
        let name_length = number(28).unwrap_or(0) as u16;
        let name = entry.get(46..46 + usize::from(name_length)).unwrap_or_default();
        if name.ends_with(b"data.pkl") && size > MAX_PICKLE_BYTES as u64 {
            return Err(PytorchLimitError::Pickle);
        }
        entries += 1;
        unpacked += size;
    }
    if entries > MAX_ENTRIES {
        return Err(PytorchLimitError::Entries);
    }
    if unpacked > MAX_FILE_BYTES { Err(PytorchLimitError::Unpacked) } else { Ok(()) }
}

/// What follows a pickle, found by skipping the arguments of its opcodes, and whether its end was
/// found. An unknown opcode or a cut argument stops it, as it stops the parser.
fn skip_pickle(mut rest: &[u8]) -> (&[u8], bool) {
    while let Some((&opcode, arguments)) = rest.split_first() {
        let number = |bytes: usize| {
            let bytes = arguments.get(..bytes)?;
            Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
        };
        let line = |from: usize| {
            let length = arguments.get(from..)?.iter().position(|&byte| byte == b'\n')?;
            Some((from + length + 1) as u64)
        };
        // https://github.com/python/cpython/blob/main/Lib/pickletools.py
        let length = match opcode {
            b'.' => return (arguments, true),
            b'K' | b'h' | b'q' | 0x80 | 0x82 => Some(1),
            b'M' | 0x83 => Some(2),
            b'J' | b'j' | b'r' | 0x84 => Some(4),
            b'G' | 0x95 => Some(8),
            b'U' | b'C' | 0x8a | 0x8c => number(1).map(|length| 1 + length),
            b'T' | b'X' | b'B' | 0x8b => number(4).map(|length| 4 + length),
            0x8d | 0x8e | 0x96 => number(8).map(|length| length.saturating_add(8)),
            b'I' | b'L' | b'F' | b'V' | b'S' | b'P' | b'g' | b'p' => line(0),
            b'c' | b'i' => line(0).and_then(|first| line(first as usize)),
            b'(' | b'0'..=b'2' | b'N' | b'R' | b'Q' | b'a' | b'b' | b'd' | b'e' | b'l' | b'o' => {
                Some(0)
            }
            b's'..=b'u' | b')' | b']' | b'}' | 0x81 | 0x85..=0x89 | 0x8f..=0x94 => Some(0),
            _ => None,
        };
        match length.and_then(|length| arguments.get(usize::try_from(length).ok()?..)) {
            Some(next) => rest = next,
            None => return (rest, false),
        }
    }
    (rest, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry of a central directory: signature, size at 24, length of the name at 28, name at 46.
    fn entry(name: &[u8], size: u32) -> Vec<u8> {
        let mut entry = vec![0; 46];
        entry[..4].copy_from_slice(b"PK\x01\x02");
        entry[24..28].copy_from_slice(&size.to_le_bytes());
        entry[28] = name.len() as u8;
        entry.extend(name);
        entry
    }

    fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
        [b"PK\x03\x04".to_vec(), entries.concat()].concat()
    }

    #[test]
    fn a_pickle_of_the_limit_passes_and_a_larger_one_is_refused() {
        for (size, expected) in [(1 << 20, Ok(())), ((1 << 20) + 1, Err(PytorchLimitError::Pickle))]
        {
            assert_eq!(check(&archive(&[entry(b"net/data.pkl", size)])), expected);
            assert_eq!(check(&[vec![b']'; size as usize - 1], vec![b'.']].concat()), expected);
        }
    }

    #[test]
    fn values_after_the_pickles_of_an_old_file_do_not_count() {
        let pickle = b"\x80\x02]q\x00K\x07.";
        let file = [pickle.repeat(5), vec![b']'; 2 << 20]].concat();
        assert_eq!(check(&file), Ok(()));
        let file = [pickle.repeat(3), vec![b']'; 2 << 20]].concat();
        assert_eq!(check(&file), Err(PytorchLimitError::Pickle));
    }

    #[test]
    fn the_end_of_a_pickle_is_not_found_inside_of_an_argument() {
        // pickle.dumps({"a.": [1, 300, 70000, 2**70, 1.5, b".", "x" * 300]}, protocol) from Python.
        for (protocol, pickle) in [
            (0, &b"(dp0\nVa.\np1\n(lp2\nI1\naI300\naI70000\naL1180591620717411303424L\naF1.5\na."[..]),
            (2, b"\x80\x02}q\x00X\x02\x00\x00\x00a.q\x01]q\x02(K\x01M,\x01Jp\x11\x01\x00\x8a\x09\x00..\x00\x00\x00\x00\x00@G?\xf8.\x00\x00\x00\x00\x00es."),
            (4, b"\x80\x04\x95..\x00\x00\x00\x00\x00\x00}\x94\x8c\x02a.\x94C\x01.\x94s."),
        ] {
            let rest = b"the rest";
            let file = [pickle, rest].concat();
            assert_eq!(skip_pickle(&file), (&rest[..], true), "protocol {protocol}");
        }
    }

    #[test]
    fn another_kind_of_file_is_left_to_the_parser_to_name() {
        assert_eq!(check(&b"words, and nothing else ".repeat(1 << 16)), Ok(()));
    }

    #[test]
    fn archives_of_many_entries_or_much_unpacked_data_are_refused() {
        let some = |count, size| archive(&vec![entry(b"net/data/0", size); count]);
        assert_eq!(check(&some(10_000, 1)), Ok(()));
        assert_eq!(check(&some(10_001, 1)), Err(PytorchLimitError::Entries));
        assert_eq!(check(&some(2, 128 << 20)), Ok(()));
        assert_eq!(check(&some(2, (128 << 20) + 1)), Err(PytorchLimitError::Unpacked));
        assert_eq!(check(&some(1, u32::MAX)), Err(PytorchLimitError::Unpacked));
    }

    #[test]
    fn a_tar_archive_is_refused_with_the_remedy() {
        let file = [vec![0; 257], b"ustar\x0000".to_vec()].concat();
        assert!(check(&file).unwrap_err().to_string().contains("save it again"));
    }
}
