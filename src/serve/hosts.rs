//! Which `Host` headers are accepted.
//!
//! A web page can make its own host name resolve to 127.0.0.1 (DNS rebinding), and then send
//! requests to servers of the visitor's machine as if they were its own. The browser still sends
//! the page's host name, so a server that is meant for this machine accepts only its names.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use http::header::HOST;

use super::api_error::{ApiError, ApiErrorKind, quoted};

/// The host names that an address accepts.
#[derive(Clone, Debug)]
pub(crate) struct AcceptedHosts {
    /// `None`: all. The server can't know its names on a network.
    names: Option<Vec<String>>,
}

impl AcceptedHosts {
    /// On a loopback address the names of this machine and `names`; elsewhere all, unless there are
    /// `names`.
    pub(crate) fn new(address: SocketAddr, names: &[String]) -> Self {
        let is_local = address.ip().to_canonical().is_loopback();
        Self { names: (is_local || !names.is_empty()).then(|| names.to_vec()) }
    }

    /// Checks the host of a request. One without a host does not come from a browser.
    ///
    /// # Errors
    /// If the host is not accepted, or there are several.
    pub(crate) fn check(&self, request: &Request) -> Result<(), ApiError> {
        if request.headers().get_all(HOST).iter().nth(1).is_some() {
            return Err(ApiError::invalid("the request has more than one Host"));
        }
        let Some(names) = &self.names else { return Ok(()) };
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str(),
            None => match request.headers().get(HOST) {
                Some(host) => host.to_str().unwrap_or("?"),
                None => return Ok(()),
            },
        };
        let name = without_port(host);
        let is_accepted =
            is_local(name) || names.iter().any(|other| other.eq_ignore_ascii_case(name));
        if is_accepted {
            return Ok(());
        }
        Err(ApiError::new(
            ApiErrorKind::Forbidden,
            format!(
                "the host {} is not accepted; if this server is meant to be reached by that name, \
                 start it with --allow-host",
                quoted(name)
            ),
        ))
    }
}

/// The host without its port and without the dot that ends a full domain name.
fn without_port(host: &str) -> &str {
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether a name always means this machine (RFC 6761, section 6.3, and loopback addresses).
fn is_local(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &AcceptedHosts, host: &str) -> bool {
        let request = Request::builder().uri("/").header(HOST, host);
        hosts.check(&request.body(axum::body::Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn on_loopback_only_names_of_this_machine_and_allowed_ones_are_accepted() {
        let names = ["Digits.Example".to_owned()];
        let hosts = AcceptedHosts::new("127.0.0.1:8080".parse().unwrap(), &names);
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST.:1",
            "a.localhost",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
            "digits.example:80",
        ] {
            assert!(check(&hosts, host), "{host}");
        }
        for host in [
            "attacker.example",
            "localhost.attacker.example",
            "notlocalhost",
            "10.0.0.1",
            "[::2]",
            "",
            "127.0.0.1.attacker.example",
            "localhost@attacker.example",
        ] {
            assert!(!check(&hosts, host), "{host}");
        }
    }

    #[test]
    fn two_hosts_are_an_error() {
        let hosts = AcceptedHosts::new("0.0.0.0:8080".parse().unwrap(), &[]);
        let request = Request::builder().uri("/").header(HOST, "localhost").header(HOST, "b");
        let error = hosts.check(&request.body(axum::body::Body::empty()).unwrap()).unwrap_err();
        assert_eq!(error.kind, ApiErrorKind::Invalid);
    }

    #[test]
    fn the_host_of_an_absolute_uri_is_the_one_that_counts() {
        let hosts = AcceptedHosts::new("[::1]:8080".parse().unwrap(), &[]);
        let request = Request::builder().uri("http://attacker.example/").header(HOST, "localhost");
        assert!(hosts.check(&request.body(axum::body::Body::empty()).unwrap()).is_err());
    }

    #[test]
    fn on_other_addresses_every_host_is_accepted_unless_names_are_given() {
        let address = "0.0.0.0:8080".parse().unwrap();
        assert!(check(&AcceptedHosts::new(address, &[]), "digits.example"));
        let hosts = AcceptedHosts::new(address, &["digits.example".to_owned()]);
        assert!(check(&hosts, "digits.example"));
        assert!(check(&hosts, "localhost"));
        assert!(!check(&hosts, "other.example"));
    }
}
