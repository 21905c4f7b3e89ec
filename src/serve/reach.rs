//! Who can connect to the server, and what protects it: for the log, so that nobody opens a server to
//! a network without knowing it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses of a server and their protection.
pub(crate) struct Reach {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    /// With TLS.
    pub(crate) is_encrypted: bool,
    /// Clients need a token or a certificate.
    pub(crate) is_restricted: bool,
}

impl Reach {
    /// The page, as a link that a terminal opens.
    pub(crate) fn page(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        let mut address = self.http;
        // Listening on all addresses is no address to open.
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("{scheme}://{address}/")
    }

    fn is_local(&self) -> bool {
        self.http.ip().to_canonical().is_loopback() && self.grpc.ip().to_canonical().is_loopback()
    }

    /// Who can connect.
    pub(crate) fn describe(&self) -> String {
        if self.is_local() {
            let (http, grpc) = (self.http.port(), self.grpc.port());
            return format!(
                "this machine only; for the network use --http 0.0.0.0:{http} --grpc \
                 0.0.0.0:{grpc}"
            );
        }
        let encryption = if self.is_encrypted { "with" } else { "without" };
        let clients = if self.is_restricted { "known clients only" } else { "everyone" };
        format!("the network, {encryption} encryption, {clients}")
    }

    /// What is dangerous about it.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        if self.is_local() {
            return None;
        }
        match (self.is_encrypted, self.is_restricted) {
            (false, false) => Some(
                "UNPROTECTED: everyone on the network can use this server, and read and change what \
                 others send. Add --tls-certificate with --tls-key, and --token-file; or listen on \
                 127.0.0.1 behind a reverse proxy that provides both",
            ),
            (false, true) => Some(
                "NOT ENCRYPTED: everyone on the way can read the tokens that clients send. Add \
                 --tls-certificate with --tls-key; or listen on 127.0.0.1 behind a reverse proxy \
                 that provides TLS",
            ),
            (true, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(http: &str, is_encrypted: bool, is_restricted: bool) -> Reach {
        let grpc = "127.0.0.1:8081".parse().unwrap();
        Reach { http: http.parse().unwrap(), grpc, is_encrypted, is_restricted }
    }

    #[test]
    fn only_a_server_beyond_loopback_without_tls_is_warned_of() {
        for (http, is_encrypted, is_restricted, expected) in [
            ("127.0.0.1:80", false, false, None),
            ("[::1]:80", false, false, None),
            ("0.0.0.0:80", false, false, Some("UNPROTECTED")),
            ("[::]:80", false, false, Some("UNPROTECTED")),
            ("192.0.2.1:80", false, true, Some("NOT ENCRYPTED")),
            ("192.0.2.1:80", true, false, None),
            ("192.0.2.1:80", true, true, None),
        ] {
            let warning = reach(http, is_encrypted, is_restricted).warning();
            let start = warning.and_then(|text| text.split(':').next());
            assert_eq!(start, expected, "{http} {is_encrypted} {is_restricted}");
        }
    }

    #[test]
    fn the_page_is_a_link_that_works_on_this_machine() {
        for (http, is_encrypted, expected) in [
            ("127.0.0.1:8080", false, "http://127.0.0.1:8080/"),
            ("0.0.0.0:8080", true, "https://127.0.0.1:8080/"),
            ("[::]:8080", false, "http://[::1]:8080/"),
            ("192.0.2.1:80", false, "http://192.0.2.1:80/"),
        ] {
            assert_eq!(reach(http, is_encrypted, false).page(), expected);
        }
    }
}
