//! What addresses and names are known to be for: the registry of special addresses, as a table. `[pure]`

use super::address::Scope;
use core::net::Ipv4Addr; // `core` knows addresses and no sockets
use core::net::Ipv6Addr;

/// What is not global of IPv4: prefix, its length in bits, what it is for; the first that holds counts. By the
/// registry of special addresses, and what clouds document of their metadata services. Shared addresses of carriers
/// (also overlay networks), and those of documentation and of benchmarks, are routed in houses only.
pub(super) const V4: &[(Ipv4Addr, u32, Scope)] = &[
    (v4(169, 254, 169, 254), 32, Scope::Metadata),
    (v4(169, 254, 170, 2), 32, Scope::Metadata),
    (v4(100, 100, 100, 200), 32, Scope::Metadata),
    (v4(168, 63, 129, 16), 32, Scope::Metadata),
    (v4(192, 0, 0, 192), 32, Scope::Metadata),
    (v4(0, 0, 0, 0), 8, Scope::Unspecified),
    (v4(10, 0, 0, 0), 8, Scope::Private),
    (v4(100, 64, 0, 0), 10, Scope::Private),
    (v4(127, 0, 0, 0), 8, Scope::Loopback),
    (v4(169, 254, 0, 0), 16, Scope::LinkLocal),
    (v4(172, 16, 0, 0), 12, Scope::Private),
    (v4(192, 0, 0, 0), 24, Scope::Reserved),
    (v4(192, 0, 2, 0), 24, Scope::Private),
    (v4(192, 88, 99, 0), 24, Scope::Reserved),
    (v4(192, 168, 0, 0), 16, Scope::Private),
    (v4(198, 18, 0, 0), 15, Scope::Private),
    (v4(198, 51, 100, 0), 24, Scope::Private),
    (v4(203, 0, 113, 0), 24, Scope::Private),
    (v4(224, 0, 0, 0), 4, Scope::Multicast),
    (v4(240, 0, 0, 0), 4, Scope::Reserved),
];

/// The same of IPv6; what is not here is reserved. `2001::/23` holds Teredo.
pub(super) const V6: &[(Ipv6Addr, u32, Scope)] = &[
    (v6(0, 0, 0, 0, 0), 128, Scope::Unspecified),
    (v6(0, 0, 0, 0, 1), 128, Scope::Loopback),
    (v6(0xfd00, 0xec2, 0, 0, 0), 32, Scope::Metadata),
    (v6(0xfd20, 0xce, 0, 0, 0x254), 128, Scope::Metadata),
    (v6(0xfd00, 0xc1, 0, 0xa9fe, 0xa9fe), 128, Scope::Metadata),
    (v6(0xfd00, 0x42, 0, 0, 0x42), 128, Scope::Metadata),
    (v6(0xfe80, 0, 0, 0, 0), 10, Scope::LinkLocal),
    (v6(0xfc00, 0, 0, 0, 0), 7, Scope::Private),
    (v6(0xff00, 0, 0, 0, 0), 8, Scope::Multicast),
    (v6(0x2001, 0, 0, 0, 0), 23, Scope::Reserved),
    (v6(0x2001, 0xdb8, 0, 0, 0), 32, Scope::Private),
    (v6(0x3fff, 0, 0, 0, 0), 20, Scope::Private),
    (v6(0x2000, 0, 0, 0, 0), 3, Scope::Global),
];

/// Names by which clouds' metadata services are known within them.
pub(super) const METADATA_NAMES: &[&str] = &[
    "metadata",
    "metadata.goog",
    "metadata.google.internal",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "instance-data",
    "instance-data.ec2.internal",
];

/// Names of this machine, and of what is below them.
pub(super) const LOOPBACK_NAMES: &[&str] = &[
    "localhost",
    "localhost.localdomain",
    "ip6-localhost",
    "ip6-loopback",
];

/// Domains that exist in houses only; a proxy would look names of them up where we cannot see it.
pub(super) const HOUSE_NAMES: &[&str] = &[
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// An IPv6 address by its first three and its last two groups.
const fn v6(a: u16, b: u16, c: u16, g: u16, h: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, 0, 0, 0, g, h)
}
