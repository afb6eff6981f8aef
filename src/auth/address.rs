//! Where a call comes from, as far as it can be known and is worth counting by. `[pure]`

use core::net::IpAddr; // `core` knows addresses and no sockets
use core::net::Ipv6Addr;
use core::net::SocketAddr;

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Network(IpAddr),
    /// The relay's own socket file, which only its owner can open.
    Socket,
}

/// What calls are counted by. Of IPv6 it is the /64: one customer has all of its addresses, so counting each would
/// count nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    Network(IpAddr),
    Socket,
}

/// One address, or a block of them such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    base: IpAddr,
    bits: u32,
}

/// The caller's address. What proxies say (`X-Forwarded-For`, its lines in order) is believed from a listed proxy
/// only, and from right to left: the right-most address that is not a listed proxy itself is the caller. What stands
/// left of it, the caller may have written.
pub(crate) fn of<'a>(
    peer: Peer,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    proxies: &[Network],
) -> Address {
    let Peer::Network(mut caller) = peer else {
        return Address::Socket;
    };
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.has(address));
    for hop in forwarded.rev().flat_map(|line| line.rsplit(',')) {
        if !is_proxy(caller) {
            break;
        }
        match hop_address(hop.trim()) {
            Some(before) => caller = before,
            None => break,
        }
    }
    Address::Network(counted(caller))
}

fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            const PREFIX: u128 = !0 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & PREFIX))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// `10.0.0.1`, `10.0.0.1:80`, `[2001:db8::1]:80`, `2001:db8::1`.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_matches(['[', ']', '"']).parse();
    let with_port = || text.parse().map(|address: SocketAddr| address.ip());
    bare.or_else(|_| with_port()).ok()
}

impl Network {
    /// Reads an address, or one with the length of its prefix.
    pub(crate) fn parse(text: &str) -> Option<Network> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let bits_max = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(bits_max);
        (bits <= bits_max).then_some(Network { base, bits })
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let prefix = |bits: u128, width: u32| bits.checked_shr(width - self.bits).unwrap_or(0);
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                prefix(base.to_bits().into(), 32) == prefix(address.to_bits().into(), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                prefix(base.to_bits(), 128) == prefix(address.to_bits(), 128)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let proxies: Vec<Network> = proxies
            .iter()
            .map(|text| Network::parse(text).expect("a network"))
            .collect();
        let peer = Peer::Network(peer.parse().expect("an address"));
        match of(peer, forwarded.iter().copied(), &proxies) {
            Address::Network(address) => address.to_string(),
            Address::Socket => "socket".to_owned(),
        }
    }

    #[test]
    fn what_a_stranger_says_of_itself_is_not_believed() {
        assert_eq!(caller("203.0.113.9", &["127.0.0.1"], &[]), "203.0.113.9");
        assert_eq!(
            caller("203.0.113.9", &["127.0.0.1"], &["10.0.0.0/8"]),
            "203.0.113.9"
        );
    }

    #[test]
    fn behind_listed_proxies_the_last_address_that_is_not_one_is_the_caller() {
        let proxies = &["10.0.0.0/8", "::1"];
        assert_eq!(
            caller("10.0.0.1", &["198.51.100.7"], proxies),
            "198.51.100.7"
        );
        assert_eq!(
            caller("::1", &["1.2.3.4, 198.51.100.7", "10.9.9.9:4711"], proxies),
            "198.51.100.7"
        );
        assert_eq!(caller("10.0.0.1", &[], proxies), "10.0.0.1");
        assert_eq!(caller("10.0.0.1", &["10.0.0.2"], proxies), "10.0.0.2");
        assert_eq!(caller("10.0.0.1", &["unknown"], proxies), "10.0.0.1");
    }

    #[test]
    fn of_ipv6_the_network_is_counted_and_mapped_ipv4_is_ipv4() {
        assert_eq!(caller("2001:db8:1:2:3:4:5:6", &[], &[]), "2001:db8:1:2::");
        assert_eq!(caller("::ffff:192.0.2.1", &[], &[]), "192.0.2.1");
        assert_eq!(
            caller("::ffff:10.0.0.1", &["192.0.2.1"], &["10.0.0.1"]),
            "192.0.2.1"
        );
    }

    #[test]
    fn networks_are_read_as_people_write_them() {
        for wrong in [
            "",
            "proxy",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
        ] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
        let all = Network::parse("0.0.0.0/0").expect("a network");
        assert!(all.has("203.0.113.9".parse().expect("an address")));
        assert!(!all.has("2001:db8::1".parse().expect("an address")));
    }
}
