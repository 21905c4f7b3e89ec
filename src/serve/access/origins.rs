//! Web pages of other sites: which may read answers (CORS), and which requests they must not cause.
//!
//! A browser sends a page's requests to any server, and lets the page read the answer only if the
//! server allows it. Own code, because the answers of the middleware need the headers too, and a
//! preflight belongs after the check of the host and before that of the token.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::serve::api_error::{ApiError, ApiErrorKind, quoted};

/// Methods of the API.
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST");
/// Headers of answers that a page may read, beside those that it always may.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "inference-header-content-length, retry-after, www-authenticate, x-request-id",
);
/// How long a browser keeps the answer to a preflight, in seconds.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("600");
/// Asks whether a page of the internet may use a server of a private network
/// (<https://wicg.github.io/private-network-access/>).
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");
/// From which site a browser's request comes (<https://www.w3.org/TR/fetch-metadata/>).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins whose pages may use the server, such as `https://example.org`; `*` for all.
#[derive(Clone, Debug)]
pub(crate) struct AllowedOrigins(Vec<String>);

impl AllowedOrigins {
    /// None if `origins` is empty.
    pub(crate) fn new(origins: &[String]) -> Self {
        Self(origins.to_vec())
    }

    /// The `Access-Control-Allow-Origin` for a request, if its page may read the answer.
    pub(crate) fn allow(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        if self.0.iter().any(|allowed| allowed == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        let is_allowed =
            |allowed: &String| allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
        self.0.iter().any(is_allowed).then(|| origin.clone())
    }

    /// The answer to a preflight, with which a browser asks whether a page may send its request.
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        if request.method() != Method::OPTIONS
            || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            || self.allow(headers).is_none()
        {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
        // No header gives rights by itself: tokens are not sent by browsers unasked.
        if let Some(names) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        if headers.contains_key(REQUEST_PRIVATE_NETWORK) {
            answer.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
        Some(response)
    }

    /// Adds the headers with which a browser lets a page read an answer. `allowed` is the result of
    /// [`Self::allow`].
    pub(crate) fn mark(&self, response: &mut Response, allowed: Option<HeaderValue>) {
        if self.0.is_empty() {
            return;
        }
        // A cache must not give the answer for one origin to another.
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
        if let Some(allowed) = allowed {
            response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
    }

    /// Checks that a request which changes something was not caused by a page of another site: a
    /// browser would send it, although the page can't read the answer.
    ///
    /// # Errors
    /// If it was, and the page's origin is not allowed.
    pub(crate) fn check_change(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
        if self.allow(headers).is_some() {
            return Ok(());
        }
        let is_same = match headers.get(SEC_FETCH_SITE) {
            Some(site) => site == "same-origin",
            // Browsers send it over HTTPS and to this machine. Elsewhere the names must agree.
            None => origin
                .to_str()
                .ok()
                .and_then(|origin| Some(origin.split_once("://")?.1))
                .is_some_and(|name| headers.get(HOST).is_some_and(|host| host == name)),
        };
        if is_same {
            return Ok(());
        }
        let name = quoted(origin.to_str().unwrap_or("?"));
        let message = format!(
            "a page of {name} may not change anything here; if it should, start the server with \
             --cors, and if it is this server's own, its reverse proxy must pass the Host header"
        );
        Err(ApiError::new(ApiErrorKind::Forbidden, message))
    }
}

/// Checks an origin that a person has written: a scheme, a host, and perhaps a port.
///
/// # Errors
/// If it is none, with the rule.
pub fn check_origin(text: &str) -> Result<String, String> {
    let rule = "must be an origin like https://example.org or http://localhost:3000, or * for all";
    let is_origin = |text: &str| {
        let Some((scheme, host)) = text.split_once("://") else { return false };
        ["http", "https"].contains(&scheme)
            && host.parse::<http::uri::Authority>().is_ok_and(|parsed| parsed.as_str() == host)
            && !host.contains('@')
    };
    match text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase() {
        origin if origin == "*" || is_origin(&origin) => Ok(origin),
        _ => Err(rule.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn an_origin_has_a_scheme_a_host_and_perhaps_a_port() {
        for (text, expected) in [
            ("https://example.org", "https://example.org"),
            ("https://Example.org/", "https://example.org"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("*", "*"),
        ] {
            assert_eq!(check_origin(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "example.org",
            "null",
            "https://",
            "https://a/b",
            "https://a b",
            "ftp://a",
            "https://u@a",
        ] {
            assert!(check_origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_change_is_accepted_from_programs_and_from_the_servers_own_page_only() {
        let origins = AllowedOrigins::new(&["https://friend.example".to_owned()]);
        for accepted in [
            &[("host", "localhost:8080")][..],
            &[("host", "localhost:8080"), ("origin", "http://localhost:8080")],
            // A reverse proxy has replaced the host.
            &[
                ("host", "10.0.0.1"),
                ("origin", "https://a.example"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[("host", "localhost:8080"), ("origin", "https://friend.example")],
        ] {
            assert_eq!(origins.check_change(&headers(accepted)), Ok(()), "{accepted:?}");
        }
        for rejected in [
            &[("host", "localhost:8080"), ("origin", "https://attacker.example")][..],
            &[("host", "localhost:8080"), ("origin", "null")],
            &[("host", "localhost:8080"), ("origin", "http://localhost:3000")],
            &[("host", "a"), ("origin", "http://a"), ("sec-fetch-site", "cross-site")],
            &[("host", "a"), ("origin", "http://a"), ("sec-fetch-site", "same-site")],
        ] {
            let error =
                origins.check_change(&headers(rejected)).expect_err(&format!("{rejected:?}"));
            assert_eq!(error.kind, ApiErrorKind::Forbidden);
        }
    }
}
