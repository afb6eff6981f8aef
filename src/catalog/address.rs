//! Which addresses a host may have: judged when one is written, and again when it is connected. `[pure]`
//!
//! A name is no proof: it may resolve to one address now and to another one later. So whoever connects asks
//! [`judge`] about the address that the connection goes to, and connects to that one.

use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;
use hyper::Uri;
use hyper::http::uri::Authority;

/// Which networks a host may be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// The internet only.
    Public,
    /// Loopback and private networks as well, because the operator said so at this host.
    Private,
}

/// A host's address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostUrl {
    /// As it was written, without a slash at its end.
    text: String,
    pub(crate) is_tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What stands before `/v1/…`: empty, or with a slash at its beginning and none at its end.
    pub(crate) base: String,
}

/// Whether a connection may go to an address.
///
/// # Errors
/// The reason why not, for the operator; a caller never sees it.
pub(crate) fn judge(address: IpAddr, network: Network) -> Result<(), String> {
    let address = embedded(address);
    if is_never(address) {
        return Err(format!(
            "{address} belongs to a metadata service, or to no host at all; no host may be there"
        ));
    }
    match network {
        Network::Public if is_private(address) => Err(format!(
            "{address} is in a private network; write `network: private` at the host if that is meant"
        )),
        Network::Public | Network::Private => Ok(()),
    }
}

impl HostUrl {
    /// Takes an address as an operator writes it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str, network: Network) -> Result<HostUrl, String> {
        let uri: Uri = text.parse().map_err(|_| {
            format!("\"{text}\" is not an address; write https://HOST or http://HOST:PORT")
        })?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if network == Network::Private => false,
            Some("http") => {
                return Err("http would carry the credential in the clear; write https, or `network: private` for a host of your own".to_owned());
            }
            _ => {
                return Err(format!(
                    "\"{text}\" begins with neither https:// nor http://"
                ));
            }
        };
        let authority = uri.authority().ok_or("there is no host in it")?;
        if authority.as_str().contains('@') {
            return Err(
                "a credential in an address ends up in logs; put it into a HostKey".to_owned(),
            );
        }
        if uri.query().is_some() || text.contains('#') {
            return Err("the address of a host has neither ? nor #".to_owned());
        }
        let (host, port) = place(authority)?;
        spelling(&host, network)?;
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(HostUrl {
            text: text.trim_end_matches('/').to_owned(),
            is_tls,
            port: port.unwrap_or(if is_tls { 443 } else { 80 }),
            host,
            base,
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Whether a host's row may name a proxy: it is spoken to over TCP in the clear, and stands where the host may.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn judge_proxy(text: &str, network: Network) -> Result<(), String> {
    let uri = text.parse::<Uri>().ok();
    let uri = uri.filter(|uri| uri.scheme_str() == Some("http"));
    let authority = uri
        .as_ref()
        .and_then(Uri::authority)
        .ok_or("write none, environment, or the address of a proxy such as http://HOST:PORT")?;
    let (host, _) = place(authority)?;
    spelling(&host, network)
}

/// The name without brackets, and the port where there is one.
fn place(authority: &Authority) -> Result<(String, Option<u16>), String> {
    let (_, written) = authority
        .as_str()
        .rsplit_once('@')
        .unwrap_or(("", authority.as_str()));
    let port = written.strip_prefix(authority.host()).unwrap_or_default();
    let port = match port.strip_prefix(':') {
        None => None,
        Some(digits) => Some(
            digits
                .parse::<u16>()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| {
                    format!("\"{digits}\" is no port; write a number from 1 to 65535")
                })?,
        ),
    };
    let host = authority.host().trim_matches(['[', ']']);
    Ok((host.to_ascii_lowercase(), port))
}

/// What the name alone tells.
fn spelling(host: &str, network: Network) -> Result<(), String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return judge(address, network);
    }
    let host = host.trim_end_matches('.');
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        return Err(format!(
            "\"{host}\" is an odd spelling of an address; write four numbers with points, or a name"
        ));
    }
    if METADATA_NAMES.contains(&host) {
        return Err(format!(
            "\"{host}\" is a metadata service; no host may be there"
        ));
    }
    if network == Network::Public && (host == "localhost" || host.ends_with(".localhost")) {
        return Err("this is the relay's own machine; write `network: private` at the host if that is meant".to_owned());
    }
    Ok(())
}

/// The IPv4 address that an IPv6 one stands for, where it does.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    if let Some(four) = six.to_ipv4_mapped() {
        return four.into();
    }
    let [a, b, c, _, _, _, g, h] = six.segments();
    match (a, b, c) {
        // NAT64, and 6to4.
        (0x64, 0xff9b, 0) => four(g, h).into(),
        (0x2002, high, low) => four(high, low).into(),
        _ => address,
    }
}

fn four(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

fn is_never(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let [first, ..] = four.octets();
            // Link-local holds the metadata services of nearly every cloud; two have theirs elsewhere.
            first == 0
                || first >= 224
                || four.is_link_local()
                || four == Ipv4Addr::new(100, 100, 100, 200)
                || four == Ipv4Addr::new(168, 63, 129, 16)
        }
        IpAddr::V6(six) => {
            six.is_unspecified()
                || six.is_multicast()
                || six.is_unicast_link_local()
                || six == METADATA_V6
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let [a, b, ..] = four.octets();
            four.is_private()
                || four.is_loopback()
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b))
                || (a == 192 && b == 0 && four.octets()[2] == 0)
        }
        IpAddr::V6(six) => {
            six.is_loopback() || six.is_unique_local() || six.segments()[0] & 0xffc0 == 0xfec0
        }
    }
}

/// Amazon's metadata service by IPv6.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
/// Names that resolve to metadata services inside clouds.
const METADATA_NAMES: &[&str] = &[
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_private_address_needs_the_word_and_a_metadata_service_gets_none() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "100.64.0.1",
            "::1",
            "fd12::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ] {
            let address = private.parse().expect("an address");
            assert!(judge(address, Network::Public).is_err(), "{private}");
            assert!(judge(address, Network::Private).is_ok(), "{private}");
        }
        for never in [
            "169.254.169.254",
            "0.0.0.0",
            "::",
            "255.255.255.255",
            "224.0.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
        ] {
            let address = never.parse().expect("an address");
            assert!(judge(address, Network::Private).is_err(), "{never}");
        }
        for public in ["1.1.1.1", "2606:4700::1111"] {
            let address = public.parse().expect("an address");
            assert!(judge(address, Network::Public).is_ok(), "{public}");
        }
    }

    #[test]
    fn an_address_is_taken_apart() {
        let url =
            HostUrl::parse("https://api.example.com/openai/", Network::Public).expect("an address");
        assert_eq!(
            (url.is_tls, url.port, url.host.as_str(), url.base.as_str()),
            (true, 443, "api.example.com", "/openai")
        );
        assert_eq!(url.as_str(), "https://api.example.com/openai");
        let local = HostUrl::parse("http://[::1]:9911", Network::Private).expect("an address");
        assert_eq!(
            (local.port, local.host.as_str(), local.base.as_str()),
            (9911, "::1", "")
        );
    }

    #[test]
    fn what_a_host_may_not_have_says_what_to_write_instead() {
        for (text, network, expected) in [
            ("api.example.com", Network::Public, "begins with neither"),
            ("ftp://a.example", Network::Public, "begins with neither"),
            ("http://api.example.com", Network::Public, "in the clear"),
            ("https://127.0.0.1", Network::Public, "network: private"),
            ("https://localhost:1", Network::Public, "network: private"),
            ("https://user:pw@a.example", Network::Public, "HostKey"),
            ("https://a.example/?x=1", Network::Public, "neither ? nor #"),
            ("http://2130706433", Network::Private, "odd spelling"),
            ("http://0x7f.1", Network::Private, "odd spelling"),
            ("http://127.1", Network::Private, "odd spelling"),
            ("http://0x7f000001", Network::Private, "odd spelling"),
            (
                "http://169.254.169.254/latest",
                Network::Private,
                "metadata",
            ),
            (
                "http://metadata.google.internal",
                Network::Private,
                "metadata",
            ),
            ("not an address", Network::Private, "not an address"),
            ("https://a.example:99999", Network::Public, "no port"),
            ("https://a.example:0", Network::Public, "no port"),
            ("http://[::1]:70000", Network::Private, "no port"),
        ] {
            let problem = HostUrl::parse(text, network).expect_err(text);
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn a_proxy_stands_where_its_host_may() {
        for (text, network) in [
            ("http://proxy.example:3128", Network::Public),
            ("http://ann:pw@proxy.example:3128", Network::Public),
            ("http://10.0.0.1:3128/", Network::Private),
            ("http://[::1]:3128", Network::Private),
        ] {
            assert_eq!(judge_proxy(text, network), Ok(()), "{text}");
        }
        for (text, network) in [
            ("http://10.0.0.1:3128", Network::Public),
            ("http://localhost:3128", Network::Public),
            ("http://ann:pw@127.0.0.1:3128", Network::Public),
            ("http://169.254.169.254", Network::Private),
            ("http://2130706433:3128", Network::Private),
            ("http://metadata.google.internal", Network::Private),
            ("http://proxy.example:99999", Network::Public),
            ("https://proxy.example", Network::Public),
            ("http://", Network::Private),
            ("file:///etc/passwd", Network::Private),
        ] {
            assert!(judge_proxy(text, network).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_public_is_fit_for_a_private_host(bits: u128) {
            let address = IpAddr::V6(Ipv6Addr::from(bits));
            if judge(address, Network::Public).is_ok() {
                prop_assert!(judge(address, Network::Private).is_ok());
            }
        }

        #[test]
        fn an_address_in_ipv6_clothes_is_judged_as_what_it_is(bits: u32) {
            let four = Ipv4Addr::from(bits);
            let judged = |address| judge(address, Network::Public).is_ok();
            prop_assert_eq!(judged(four.into()), judged(four.to_ipv6_mapped().into()));
        }
    }
}
