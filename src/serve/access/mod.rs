//! Who may use the server and how often: tokens, limits per client, and pages of other sites.
//!
//! Names of hosts are checked in `hosts`, certificates of clients in `tls`.

pub(super) mod address;
pub(super) mod origins;
mod rate_limit;
mod tokens;

use std::sync::Arc;

use http::HeaderMap;
use tokio::time::Instant;

use self::address::ClientAddress;
use self::origins::AllowedOrigins;
use self::rate_limit::{LimitedClient, RateLimiter};
pub(super) use self::tokens::Token;
use self::tokens::TokenFile;
use super::api_error::{ApiError, ApiErrorKind};
use super::options::{OptionFileError, ServeOptions};

/// Checks who sends a request.
pub(crate) struct Access {
    tokens: Option<TokenFile>,
    limiter: Option<RateLimiter>,
    pub(crate) origins: AllowedOrigins,
}

impl Access {
    /// Reads the file of tokens, if there is one.
    ///
    /// # Errors
    /// If it can't be read or used.
    pub(crate) fn new(options: &ServeOptions) -> Result<Self, OptionFileError> {
        Ok(Self {
            tokens: options.token_file.as_deref().map(TokenFile::read).transpose()?,
            limiter: options.rate_limit.map(RateLimiter::new),
            origins: AllowedOrigins::new(&options.cors_origins),
        })
    }

    /// Whether clients need a token.
    pub(crate) fn needs_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Reads the file of tokens again. Returns whether there is one.
    ///
    /// # Errors
    /// If it can't be read or used; the current tokens stay in use then.
    pub(crate) fn reload(&self) -> Result<bool, OptionFileError> {
        self.tokens.as_ref().map(TokenFile::reload).transpose().map(|read| read.is_some())
    }

    /// Who sends a request, by its token.
    pub(crate) fn token(&self, headers: &HeaderMap) -> Option<Arc<Token>> {
        self.tokens.as_ref()?.find(headers)
    }

    /// Counts a request and checks that its client may send it.
    ///
    /// # Errors
    /// If it needs a token and has none that is valid, or its client has sent too many.
    pub(crate) fn check(
        &self,
        token: Option<&Token>,
        address: ClientAddress,
    ) -> Result<(), ApiError> {
        if let Some(limiter) = &self.limiter {
            // Wrong tokens are counted too.
            let client = match token {
                Some(token) => LimitedClient::Token(token.id),
                None => LimitedClient::Address(address),
            };
            limiter.count(client, Instant::now()).map_err(|wait| {
                let seconds = wait.as_secs_f64().ceil() as u32;
                let whose = if token.is_some() { "this token" } else { "this address" };
                let unit = if seconds == 1 { "second" } else { "seconds" };
                let message = format!(
                    "too many requests with {whose}; retry after {seconds} {unit} (--rate-limit)"
                );
                ApiError::new(ApiErrorKind::TooManyRequests, message).with_retry_after(seconds)
            })?;
        }
        if self.tokens.is_some() && token.is_none() {
            let message = "a valid token is needed: send it as Authorization: Bearer TOKEN";
            return Err(ApiError::new(ApiErrorKind::Unauthorized, message));
        }
        Ok(())
    }
}
