//! Who an address belongs to, for limits per client.

use std::net::{IpAddr, Ipv6Addr};

/// The clients that share one limit: an IPv4 address, or the 2⁶⁴ addresses of one IPv6 network, since
/// a single customer of a provider has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address or network that `ip` belongs to.
    pub(crate) fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let network = u128::from(address) >> 64 << 64;
                Ipv6Addr::from(network).into()
            }
            other => other,
        })
    }

    /// Whether the client is on this machine.
    pub(crate) fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> ClientAddress {
        ClientAddress::of(text.parse().unwrap())
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_client_and_an_ipv4_address_is_one() {
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        // An IPv4 client of a socket that listens on IPv6 is the same client.
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert!(of("::1").is_loopback() && of("127.0.0.9").is_loopback());
        assert!(!of("2001:db8::1").is_loopback());
    }
}
