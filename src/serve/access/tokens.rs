//! Bearer tokens: a file with one per line, of which the server keeps the SHA-256 sums only.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::files::read_text;
use crate::serve::options::OptionFileError;

const FLAG: &str = "--token-file";
/// The largest file of tokens.
const MAX_TOKEN_FILE_BYTES: u64 = 1 << 20;
/// The most tokens. Each request is compared with all of them.
const MAX_TOKENS: usize = 1000;
/// Characters of a token. 16 random ones can't be guessed. A name is shorter, so that a token in its
/// place is an error and not logged.
const MIN_TOKEN_CHARS: usize = 16;

/// Who presented a token: never the token itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its name in the file, or its line.
    pub(crate) name: String,
    /// A number that belongs to this token, also after the file was read again.
    pub(crate) id: u64,
}

/// A token's owner and SHA-256 sum.
type KnownToken = (Arc<Token>, [u8; 32]);

/// The tokens of a file, which can be read again.
pub(crate) struct TokenFile {
    path: PathBuf,
    tokens: RwLock<Arc<[KnownToken]>>,
}

impl TokenFile {
    /// Reads the tokens.
    ///
    /// # Errors
    /// If the file can't be read or has an invalid line.
    pub(crate) fn read(path: &Path) -> Result<Self, OptionFileError> {
        Ok(Self { path: path.to_owned(), tokens: RwLock::new(read(path)?) })
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// As [`Self::read`]; the current tokens stay in use then.
    pub(crate) fn reload(&self) -> Result<(), OptionFileError> {
        let tokens = read(&self.path)?;
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(())
    }

    /// The token that a request presents, if it is one of the file.
    ///
    /// Takes the same time for every wrong token of the same length: sums are compared, all of each,
    /// with all that are known.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Option<Arc<Token>> {
        let presented = presented(headers)?;
        let sum: [u8; 32] = Sha256::digest(presented).into();
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut found = u32::MAX;
        for (index, (_, known)) in (0u32..).zip(tokens.iter()) {
            let is_equal: Choice = known.ct_eq(&sum);
            found.conditional_assign(&index, is_equal);
        }
        tokens.get(found as usize).map(|(token, _)| token.clone())
    }
}

/// The bytes after `Bearer` in the only `Authorization` header (RFC 6750, section 2.1).
fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

fn read(path: &Path) -> Result<Arc<[KnownToken]>, OptionFileError> {
    let unusable = |problem: String| OptionFileError::new(path, FLAG, problem);
    let text =
        read_text(path, MAX_TOKEN_FILE_BYTES).map_err(|error| unusable(error.to_string()))?;
    warn_if_others_can_read(path);
    let mut tokens = Vec::new();
    let (mut names, mut sums) = (HashSet::new(), HashSet::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, token) = match line.split_once(char::is_whitespace) {
            Some((name, token)) => (name.to_owned(), token.trim()),
            None => (format!("line {number}"), line),
        };
        // The messages must not show the line: it may be a token.
        if name.len() >= MIN_TOKEN_CHARS || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let rule = "must have a token, or a name of up to 15 characters, a space and a token";
            return Err(unusable(format!("line {number} {rule}")));
        }
        if token.len() < MIN_TOKEN_CHARS {
            let length = token.len();
            return Err(unusable(format!(
                "the token in line {number} has {length} characters and needs {MIN_TOKEN_CHARS}; \
                 `openssl rand -hex 32` makes one"
            )));
        }
        let sum: [u8; 32] = Sha256::digest(token).into();
        if !names.insert(name.clone()) || !sums.insert(sum) {
            return Err(unusable(format!("line {number} repeats a name or a token")));
        }
        let (first, _) = sum.split_first_chunk().unwrap_or((&[0; 8], &[]));
        tokens.push((Arc::new(Token { name, id: u64::from_le_bytes(*first) }), sum));
    }
    match tokens.len() {
        0 => Err(unusable("it contains no token; write one per line".to_owned())),
        count if count > MAX_TOKENS => {
            Err(unusable(format!("it contains {count} tokens, more than {MAX_TOKENS}")))
        }
        _ => Ok(tokens.into()),
    }
}

#[cfg(unix)]
fn warn_if_others_can_read(path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o004 != 0 {
        let file = crate::format::path(path);
        tracing::warn!("every user of this machine can read the tokens in {file}; use chmod 640");
    }
}

#[cfg(not(unix))]
fn warn_if_others_can_read(_: &Path) {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn file(text: &str) -> Result<TokenFile, OptionFileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, text).unwrap();
        TokenFile::read(&path)
    }

    fn name(file: &TokenFile, authorization: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        file.find(&headers).map(|token| token.name.clone())
    }

    const FIRST: &str = "0123456789abcdef";
    const SECOND: &str = "fedcba9876543210~+/=";

    #[test]
    fn each_token_of_the_file_is_known_by_its_name_or_line() {
        let file = file(&format!("# tokens\n\n{FIRST}\n  scanner\t{SECOND} \n")).unwrap();
        assert_eq!(name(&file, &[&format!("Bearer {FIRST}")]).as_deref(), Some("line 3"));
        assert_eq!(name(&file, &[&format!("bearer  {SECOND}")]).as_deref(), Some("scanner"));
    }

    #[test]
    fn other_tokens_schemes_and_several_headers_are_not_accepted() {
        let file = file(FIRST).unwrap();
        let right = format!("Bearer {FIRST}");
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            FIRST,
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdeg",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789ABCDEF",
            &format!("Basic {FIRST}"),
            &format!("{right}, {right}"),
        ] {
            assert_eq!(name(&file, &[wrong]), None, "{wrong}");
        }
        assert_eq!(name(&file, &[]), None);
        assert_eq!(name(&file, &[&right, &right]), None);
    }

    #[test]
    fn an_invalid_file_is_an_error_with_the_line_and_without_the_token() {
        for (text, expected) in [
            ("", "no token"),
            ("# only a comment\n", "no token"),
            ("secret-secret\n", "the token in line 1 has 13 characters"),
            ("\na secret secret secret secret\n", "line 2 must have a token"),
            ("secret-secret-secret secret-secret-other\n", "line 1 must have a token"),
            ("secret-secret-secret\nsecret-secret-secret\n", "line 2 repeats"),
            ("a secret-secret-secret\na secret-secret-other\n", "line 2 repeats"),
        ] {
            let error = file(text).err().expect(text).to_string();
            assert!(error.contains(expected) && error.contains("--token-file"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
