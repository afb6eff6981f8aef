//! Where limits and breakers are: in this process, or in a server that relays share. `[pure]`

use redis::ConnectionAddr;
use redis::ConnectionInfo;
use redis::IntoConnectionInfo;
use std::fmt;
use std::path::PathBuf;

/// Where the state is that relays may share.
#[derive(Clone, Default)]
pub(crate) enum StatePlace {
    /// In this process alone.
    #[default]
    Memory,
    Valkey(Box<ValkeyServer>),
}

/// A server's address, with its user and password.
#[derive(Clone)]
pub(crate) struct ValkeyServer {
    pub(super) info: ConnectionInfo,
    /// The file of the authorities that its certificate is trusted by; `None`: the machine's.
    pub(super) authority: Option<PathBuf>,
}

impl StatePlace {
    /// Reads the text of a configuration: `memory:`, or `redis://USER:PASSWORD@HOST:PORT/NUMBER`; with TLS it is
    /// `rediss://…`, and `?ssl_ca_certs=/PATH` names authorities other than the machine's.
    ///
    /// # Errors
    /// Says what it may be, and nothing of a password.
    pub(crate) fn parse(text: &str) -> Result<StatePlace, String> {
        if text == "memory:" || text == "memory" {
            return Ok(StatePlace::Memory);
        }
        if !SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            return Err(
                "this takes memory: or redis://USER:PASSWORD@HOST:6379/0 (rediss:// with TLS)"
                    .to_owned(),
            );
        }
        if text.contains('#') {
            return Err("nothing may stand behind a # here: a certificate that is not checked protects nobody".to_owned());
        }
        let (text, authority) = authority(text)?;
        // What the library says of it could have the password in it.
        let info = third_protocol(&text).into_connection_info();
        let info = info.map_err(|_| {
            "this is no address of a Valkey; it is redis://USER:PASSWORD@HOST:6379/0".to_owned()
        })?;
        let server = ValkeyServer { info, authority };
        if server.authority.is_some() && !server.is_encrypted() {
            return Err(
                "ssl_ca_certs says whom to trust, and redis:// speaks no TLS; write rediss://"
                    .to_owned(),
            );
        }
        Ok(StatePlace::Valkey(Box::new(server)))
    }
}

impl ValkeyServer {
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }
}

/// Takes the file of authorities out of an address, since the library does not know it there.
fn authority(text: &str) -> Result<(String, Option<PathBuf>), String> {
    let Some((address, query)) = text.split_once('?') else {
        return Ok((text.to_owned(), None));
    };
    let is_ours = |pair: &&str| pair.starts_with(AUTHORITY);
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_ours(pair)).collect();
    let path = query.split('&').find(is_ours);
    let path = path.map(|pair| {
        let text = percent_encoding::percent_decode_str(&pair[AUTHORITY.len()..]).decode_utf8();
        let path = text.ok().map(|text| PathBuf::from(text.into_owned()));
        path.filter(|path| path.is_absolute())
            .ok_or_else(|| "the path of ssl_ca_certs must begin at the root".to_owned())
    });
    let rest = match kept.is_empty() {
        true => address.to_owned(),
        false => format!("{address}?{}", kept.join("&")),
    };
    Ok((rest, path.transpose()?))
}

/// The protocol in which one connection carries answers and news.
fn third_protocol(text: &str) -> String {
    let joint = if text.contains('?') { '&' } else { '?' };
    format!("{text}{joint}protocol=resp3")
}

impl fmt::Display for StatePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatePlace::Memory => f.write_str("memory:"),
            StatePlace::Valkey(server) => server.fmt(f),
        }
    }
}

impl fmt::Display for ValkeyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted() {
            "rediss"
        } else {
            "redis"
        };
        write!(f, "{scheme}://{}", self.info.addr())
    }
}

impl fmt::Debug for StatePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatePlace({self})")
    }
}

const SCHEMES: &[&str] = &[
    "redis://",
    "valkey://",
    "rediss://",
    "valkeys://",
    "redis+unix://",
    "valkey+unix://",
];
/// What names the file of authorities in an address, as other clients know it.
const AUTHORITY: &str = "ssl_ca_certs=";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_password() {
        let place = StatePlace::parse("redis://relay:hunter2@10.0.0.7:6380/1").expect("it is one");
        assert_eq!(place.to_string(), "redis://10.0.0.7:6380");
        assert_eq!(format!("{place:?}"), "StatePlace(redis://10.0.0.7:6380)");
        assert!(matches!(
            StatePlace::parse("memory:"),
            Ok(StatePlace::Memory)
        ));
    }

    #[test]
    fn an_address_with_tls_may_name_its_authorities() {
        let parse = |text: &str| match StatePlace::parse(text) {
            Ok(StatePlace::Valkey(server)) => (server.to_string(), server.authority),
            other => panic!("{text} is {other:?}"),
        };
        assert_eq!(
            parse("rediss://:pw@db.lan/2"),
            ("rediss://db.lan:6379".to_owned(), None)
        );
        let (place, authority) = parse("rediss://db.lan:6380/?ssl_ca_certs=/etc/my%20ca.pem");
        assert_eq!(place, "rediss://db.lan:6380");
        assert_eq!(authority, Some("/etc/my ca.pem".into()));
        assert_eq!(parse("redis://db.lan").1, None);
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for wrong in [
            "http://a:hunter2@b",
            "redis://:hunter2@:x",
            "rediss://:hunter2@a#insecure",
            "rediss://:hunter2@a?ssl_ca_certs=ca.pem",
            "redis://:hunter2@a?ssl_ca_certs=/ca.pem",
            "",
        ] {
            let said = StatePlace::parse(wrong).expect_err(wrong);
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
