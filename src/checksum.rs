//! SHA-256 checksums as text, the form in which models, checkpoints and data sets record them.

use sha2::{Digest, Sha256};

/// The SHA-256 sum of `parts` in order, as 64 lowercase hexadecimal digits.
///
/// ```
/// use burn_digits::internal::sha256_hex;
///
/// // FIPS 180-4's example "abc"; how the bytes are divided makes no difference.
/// let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// assert_eq!(sha256_hex(["abc"]), expected);
/// assert_eq!(sha256_hex(["a", "bc"]), expected);
/// ```
pub fn sha256_hex(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part);
    }
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
