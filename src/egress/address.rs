//! Which addresses a host may have: none that leads to what stands behind the relay, unless that is meant. `[pure]`
//!
//! A name is checked as it is written; what it leads to is checked again at each connection, since it may change in
//! between. Addresses within addresses (IPv4 in IPv6, in each of its forms) count as what is inside. A spelling of an
//! address that only some programs understand (`127.1`, `0x7f.1`, `2130706433`) is no address here at all.

use super::registry::HOUSE_NAMES;
use super::registry::LOOPBACK_NAMES;
use super::registry::METADATA_NAMES;
use super::registry::V4;
use super::registry::V6;
use core::fmt; // `core` knows addresses and no sockets
use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;
use thiserror::Error;

/// Where a host stands, by the word of whoever wrote its address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Network {
    /// On the internet.
    #[default]
    Public,
    /// There, on this machine, or in a network of the house.
    Private,
}

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Global,
    Private,
    Loopback,
    LinkLocal,
    /// What tells a machine of a cloud its own secrets.
    Metadata,
    Multicast,
    Unspecified,
    Reserved,
}

/// Why a host may not have this address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum AddressError {
    #[error(
        "\"{0}\" is neither a name nor an address as it is written in full, such as 192.0.2.1 or [2001:db8::1]"
    )]
    Spelling(String),
    #[error("{host} is {scope}{}", .scope.remedy())]
    Written { host: String, scope: Scope },
    #[error("{host} leads to {address}, which is {scope}{}", .scope.remedy())]
    Resolved {
        host: String,
        address: IpAddr,
        scope: Scope,
    },
}

impl Network {
    /// Whether a host of this network may have an address of this kind.
    pub(crate) fn permits(self, scope: Scope) -> bool {
        match scope {
            Scope::Global => true,
            Scope::Private | Scope::Loopback => self == Network::Private,
            Scope::LinkLocal
            | Scope::Metadata
            | Scope::Multicast
            | Scope::Unspecified
            | Scope::Reserved => false,
        }
    }

    /// Checks a host as a URL has it: a name, an IPv4 address, or an IPv6 address in brackets.
    ///
    /// # Errors
    /// Where it may not be asked, or is spelled in a way of which another program may make something else.
    pub(crate) fn check_written(self, host: &str) -> Result<(), AddressError> {
        let scope = Scope::written(host).ok_or_else(|| AddressError::Spelling(host.to_owned()))?;
        match self.permits(scope) {
            true => Ok(()),
            false => Err(AddressError::Written {
                host: host.to_owned(),
                scope,
            }),
        }
    }

    /// Checks an address that a name led to.
    ///
    /// # Errors
    /// Where it may not be connected.
    pub(crate) fn check_resolved(self, host: &str, address: IpAddr) -> Result<(), AddressError> {
        let scope = Scope::of(address);
        match self.permits(scope) {
            true => Ok(()),
            false => Err(AddressError::Resolved {
                host: host.to_owned(),
                address,
                scope,
            }),
        }
    }
}

impl Scope {
    pub(crate) fn of(address: IpAddr) -> Scope {
        match address {
            IpAddr::V4(address) => Scope::of_v4(address),
            IpAddr::V6(address) => Scope::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Scope {
        let bits = address.to_bits();
        let holds = |(prefix, length, _): &&(Ipv4Addr, u32, Scope)| {
            (bits ^ prefix.to_bits()).leading_zeros() >= *length
        };
        let found = V4.iter().find(holds);
        found.map_or(Scope::Global, |(_, _, scope)| *scope)
    }

    fn of_v6(address: Ipv6Addr) -> Scope {
        if let Some(inside) = embedded(address) {
            return Scope::of_v4(inside);
        }
        let bits = address.to_bits();
        let holds = |(prefix, length, _): &&(Ipv6Addr, u32, Scope)| {
            (bits ^ prefix.to_bits()).leading_zeros() >= *length
        };
        let found = V6.iter().find(holds);
        found.map_or(Scope::Reserved, |(_, _, scope)| *scope)
    }

    /// By what is written; `None` where it is neither an address nor a name. A name that may lead anywhere is global.
    fn written(host: &str) -> Option<Scope> {
        if let Some(inside) = host.strip_prefix('[') {
            let address: Ipv6Addr = inside.strip_suffix(']')?.parse().ok()?;
            return Some(Scope::of_v6(address));
        }
        match host.parse() {
            Ok(address) => Some(Scope::of_v4(address)),
            Err(_) => Scope::named(host),
        }
    }

    fn named(host: &str) -> Option<Scope> {
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let last = name.rsplit('.').next().unwrap_or(&name);
        if name.len() > NAME_BYTES_MAX || !name.split('.').all(is_label) || is_number(last) {
            return None;
        }
        let is_below = |suffix: &&str| {
            let above = name.strip_suffix(*suffix);
            above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
        };
        Some(if METADATA_NAMES.contains(&name.as_str()) {
            Scope::Metadata
        } else if LOOPBACK_NAMES.iter().any(&is_below) {
            Scope::Loopback
        } else if !name.contains('.') || HOUSE_NAMES.iter().any(is_below) {
            Scope::Private
        } else {
            Scope::Global
        })
    }

    fn remedy(self) -> &'static str {
        match Network::Private.permits(self) {
            true => "; if it is meant, say network: private",
            false => ", which no host may have",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Global => "a public address",
            Scope::Private => "an address of a private network",
            Scope::Loopback => "an address of this machine",
            Scope::LinkLocal => "a link-local address",
            Scope::Metadata => "the address of a metadata service",
            Scope::Multicast => "a multicast address",
            Scope::Unspecified => "an unspecified address",
            Scope::Reserved => "a reserved address",
        })
    }
}

/// The IPv4 address that an IPv6 one stands for, where what carries it goes there: mapped, translated (`::ffff:0:0:0/96`),
/// NAT64, 6to4, ISATAP.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => {
            Some(of(g, h))
        }
        [0x2002, high, low, ..] => Some(of(high, low)),
        [0x2000..=0x3fff, _, _, _, 0 | 0x200, 0x5efe] => Some(of(g, h)),
        _ => None,
    }
}

fn is_label(label: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(is_good)
}

/// Whether a program that reads addresses generously takes this for the end of one.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x") {
        Some(rest) => rest.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Bytes of a name, and of what stands between two dots of it, by the standard.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GLOBAL: &str = "
8.8.8.8 1.1.1.1 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1 192.167.1.1 169.253.1.1 198.17.1.1 223.255.255.1
[2606:4700::1111] [2a00:1450:4001:81b::200e] [2001:200::1] [64:ff9b::8.8.8.8] [::ffff:8.8.8.8] [2002:808:808::1]
api.example.com api.example.com. a.b-c.d_e.example xn--bcher-kva.example 1.example 0x7f.example localhost.example
notlocal.mylocalhost.example internal.example LOCAL.Example";
    const PRIVATE: &str = "
10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.5 100.64.0.1 100.127.255.255 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9
[fd12::1] [fc00::1] [2001:db8::1] [3fff::1] [::ffff:10.0.0.1] [64:ff9b::192.168.0.1] [2002:a00:1::] [::ffff:0:10.0.0.1]
[2606:4700::5efe:a00:1] [2606:4700::200:5efe:a00:1] ollama printer.local host.docker.internal nas.home.arpa NAS.Lan. local";
    const LOOPBACK: &str = "
127.0.0.1 127.255.0.3 [::1] [::ffff:127.0.0.1] [::ffff:7f00:1] [64:ff9b::7f00:1] [2002:7f00:1::] localhost LocalHost
localhost. a.localhost ip6-localhost localhost.localdomain";
    const NEVER: &str = "
169.254.169.254 169.254.1.1 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 0.0.0.0 0.1.2.3 224.0.0.1
239.255.255.250 240.0.0.1 255.255.255.255 192.0.0.1 192.88.99.1 [::] [fd00:ec2::254] [fd00:ec2::23] [fd20:ce::254]
[fd00:c1::a9fe:a9fe] [fd00:42::42] [fe80::1] [febf::1] [fec0::1] [ff02::1] [::ffff:169.254.169.254]
[::ffff:0:a9fe:a9fe] [64:ff9b::a9fe:a9fe] [64:ff9b:1::a9fe:a9fe] [2002:a9fe:a9fe::] [2606:4700::5efe:a9fe:a9fe]
[2001::1] [2001:0:a9fe:a9fe::] [::127.0.0.1] [::8.8.8.8] [100::1] [5f00::1] [4000::1] metadata Metadata.Google.Internal
metadata.google.internal. instance-data";
    const MISSPELLED: &str = "
127.1 127.0.1 0x7f.1 0x7f000001 2130706433 0177.0.0.1 127.0.0.01 127.0.0.1. 1 0 0x 0X7F.0x1 1.2.3.4.5 256.1.1.1 a.1 a.0x1f
[127.0.0.1] [::1 ::1 [fe80::1%25eth0] [::1]x [v1.a] a..b .a a.. - a%2eb 127.0.0.1%00 a/b a:80 user@host é.example";

    fn verdicts(hosts: &str) -> Vec<(String, bool, bool)> {
        let verdict = |host: &str| {
            let ask = |network: Network| network.check_written(host).is_ok();
            (host.to_owned(), ask(Network::Public), ask(Network::Private))
        };
        hosts.split_whitespace().map(verdict).collect()
    }

    #[test]
    fn a_public_host_is_on_the_internet_and_a_private_one_also_in_the_house() {
        for (hosts, public, private) in [
            (GLOBAL, true, true),
            (PRIVATE, false, true),
            (LOOPBACK, false, true),
            (NEVER, false, false),
        ] {
            for (host, is_public, is_private) in verdicts(hosts) {
                assert_eq!((is_public, is_private), (public, private), "{host}");
            }
        }
    }

    #[test]
    fn an_address_that_others_could_read_otherwise_is_refused() {
        for host in MISSPELLED.split_whitespace().filter(|host| *host != "-") {
            for network in [Network::Public, Network::Private] {
                let refused = network.check_written(host);
                let expected = Err(AddressError::Spelling(host.to_owned()));
                assert_eq!(refused, expected, "{host}");
            }
        }
        let long = format!("{}.example", "a".repeat(64));
        assert!(Network::Private.check_written(&long).is_err());
        assert!(Network::Private.check_written("").is_err());
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let told = |network: Network, host: &str| {
            let refused = network.check_written(host).err();
            refused
                .map(|refused| refused.to_string())
                .unwrap_or_default()
        };
        assert_eq!(
            told(Network::Public, "127.0.0.1"),
            "127.0.0.1 is an address of this machine; if it is meant, say network: private"
        );
        assert_eq!(
            told(Network::Private, "169.254.169.254"),
            "169.254.169.254 is the address of a metadata service, which no host may have"
        );
        let led = Network::Public.check_resolved("a.example", Ipv4Addr::LOCALHOST.into());
        assert!(led.is_err_and(|why| {
            let why = why.to_string();
            why.starts_with("a.example leads to 127.0.0.1, which is an address of this machine")
        }));
    }

    /// An address as generous readers take it: its last part holds all that is left.
    fn spelled(address: u32, parts: u32, radixes: [u8; 4]) -> String {
        let part = |number: u32, radix: u8| match radix % 3 {
            0 => format!("{number}"),
            1 => format!("0x{number:x}"),
            _ => format!("0{number:o}"),
        };
        let mut text = Vec::new();
        for place in 0..parts - 1 {
            text.push(part(
                address >> (24 - 8 * place) & 0xff,
                radixes[place as usize],
            ));
        }
        let rest = address & (u32::MAX >> (8 * (parts - 1)));
        text.push(part(rest, radixes[3]));
        text.join(".")
    }

    proptest! {
        #[test]
        fn an_address_within_an_address_is_what_is_inside(bits: u32, low: u64) {
            let inside = Ipv4Addr::from_bits(bits);
            let (b, wide) = (u128::from(bits), u128::from(low));
            for outside in [
                0xffff << 32 | b,
                0xffff << 48 | b,
                0x64_ff9b << 96 | b,
                0x2002 << 112 | b << 80 | wide,
                0x2606_4700_u128 << 96 | 0x5efe_u128 << 32 | b,
            ] {
                let outside = Ipv6Addr::from_bits(outside);
                prop_assert_eq!(Scope::of(outside.into()), Scope::of(inside.into()), "{}", outside);
            }
        }

        #[test]
        fn an_odd_spelling_is_refused_whatever_it_spells(bits: u32, parts in 1_u32..=4, radixes: [u8; 4]) {
            let text = spelled(bits, parts, radixes);
            if text.parse::<Ipv4Addr>().is_err() {
                prop_assert_eq!(Network::Private.check_written(&text), Err(AddressError::Spelling(text)));
            }
        }

        #[test]
        fn no_text_is_more_than_a_refusal_and_private_hosts_may_do_what_public_ones_may(host in ".{0,40}") {
            if Network::Public.check_written(&host).is_ok() {
                prop_assert_eq!(Network::Private.check_written(&host), Ok(()));
            }
        }

        #[test]
        fn no_refused_address_is_permitted_in_another_way(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            let written = Network::Public.check_written(&format!("[{address}]")).is_ok();
            let resolved = Network::Public.check_resolved("a.example", address.into()).is_ok();
            prop_assert_eq!(written, resolved);
        }
    }
}
