//! A PostgreSQL: its address, and how it is connected to.

use super::fault::EngineFault;
use super::tls::Encryption;
use crate::cause::causes;
use crate::egress;
use crate::egress::Trust;
use postgres::Client;
use postgres::Config;
use postgres::NoTls;
use postgres::config::Host;
use postgres::config::SslMode;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A server's address, with its user and password.
#[derive(Clone)]
pub(crate) struct PostgresServer {
    config: Config,
    /// By whom its certificate must be signed; `None`: no TLS is spoken.
    trust: Option<Trust>,
}

impl PostgresServer {
    /// Reads `postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=…&sslrootcert=…`.
    ///
    /// # Errors
    /// Says what it may be, and nothing of a password.
    pub(super) fn parse(text: &str) -> Result<PostgresServer, String> {
        let (rest, mut mode, mut root) = (text.split_once('?'), None, None);
        let mut kept = Vec::new();
        for pair in rest.map_or("", |(_, query)| query).split('&') {
            match pair.split_once('=') {
                Some(("sslmode", word)) => mode = Some(word),
                Some(("sslrootcert", path)) => root = Some(decoded(path)?),
                _ => kept.push(pair),
            }
        }
        let address = rest.map_or(text, |(address, _)| address);
        let trust = trust(mode, root)?;
        // What the library says of it could have the password in it.
        let config = format!("{address}?{}", kept.join("&")).parse();
        let mut config: Config = config.map_err(|_| NO_ADDRESS.to_owned())?;
        config.application_name("inference-relay");
        config.connect_timeout(CONNECT_WAIT_MAX);
        config.keepalives_idle(KEEPALIVE_IDLE);
        config.ssl_mode(match trust {
            Some(_) => SslMode::Require,
            None => SslMode::Disable,
        });
        Ok(PostgresServer { config, trust })
    }

    /// Connects. It blocks.
    ///
    /// # Errors
    /// Where the server does not answer, or its certificate is not believed.
    pub(super) fn connect(&self) -> Result<Client, EngineFault> {
        let connected = match &self.trust {
            None => self.config.connect(NoTls),
            Some(trust) => {
                let client = egress::tls_client(trust);
                let client = client.map_err(|error| EngineFault::Away(causes(&error)))?;
                self.config.connect(Encryption::new(client))
            }
        };
        connected.map_err(fault)
    }
}

/// By whom a server's certificate must be signed, by the words that PostgreSQL's own clients know.
fn trust(mode: Option<&str>, root: Option<String>) -> Result<Option<Trust>, String> {
    match (mode, root) {
        (Some("require" | "verify-full"), None) => Ok(Some(Trust::Machine)),
        (Some("require" | "verify-full"), Some(word)) if word == "system" => {
            Ok(Some(Trust::Machine))
        }
        (Some("require" | "verify-full"), Some(path)) => {
            let path = PathBuf::from(path);
            match path.is_absolute() {
                true => Ok(Some(Trust::File(path))),
                false => Err("the path of sslrootcert must begin at the root".to_owned()),
            }
        }
        (None | Some("disable"), None) => Ok(None),
        (None | Some("disable"), Some(_)) => Err(
            "sslrootcert says whom to trust, and nothing says that TLS is spoken; add sslmode=verify-full"
                .to_owned(),
        ),
        (Some(_), _) => Err(
            "sslmode takes disable (which it is without), require or verify-full; these two both check the certificate \
             and its name"
                .to_owned(),
        ),
    }
}

fn decoded(text: &str) -> Result<String, String> {
    let text = percent_encoding::percent_decode_str(text).decode_utf8();
    text.map(|text| text.into_owned())
        .map_err(|_| "the path of sslrootcert is no text".to_owned())
}

/// Of an error every cause is told, since the first says no more than "db error"; a password is in none.
pub(super) fn fault(error: postgres::Error) -> EngineFault {
    if let Some(why) = egress::distrust(&error) {
        return EngineFault::Untrusted(why.to_string());
    }
    let class = error
        .code()
        .map(|code| code.code().get(..2).unwrap_or_default().to_owned());
    // A connection, resources, an operator's intervention, or two transactions in each other's way.
    let may_pass = match &class {
        Some(class) => ["08", "53", "57", "40"].contains(&class.as_str()),
        None => true,
    };
    let cause = error.source().map(ToString::to_string);
    let text = cause
        .unwrap_or_else(|| error.to_string())
        .replace('\n', " ");
    match may_pass {
        true => EngineFault::Away(text),
        false => EngineFault::Refused(text),
    }
}

impl fmt::Display for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let database = self.config.get_dbname().unwrap_or_default();
        write!(f, "postgres://{host}:{port}/{database}")
    }
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresServer({self})")
    }
}

const NO_ADDRESS: &str =
    "this is no address of a PostgreSQL; it is postgres://USER:PASSWORD@HOST:5432/DATABASE";
/// A server that is there answers in far less.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// A connection that nobody uses is looked at, so that one which a router forgot is noticed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn trusts(query: &str) -> String {
        let server = PostgresServer::parse(&format!("postgres://u:hunter2@db.lan/relay{query}"));
        server.map_or_else(|said| said, |server| format!("{:?}", server.trust))
    }

    #[test]
    fn an_address_says_whether_tls_is_spoken_and_by_whom_it_is_vouched_for() {
        assert_eq!(trusts(""), "None");
        assert_eq!(trusts("?sslmode=disable"), "None");
        assert_eq!(trusts("?sslmode=require"), "Some(Machine)");
        assert_eq!(
            trusts("?sslmode=verify-full&sslrootcert=system"),
            "Some(Machine)"
        );
        assert_eq!(
            trusts("?connect_timeout=3&sslmode=verify-full&sslrootcert=/etc/my%20ca.pem"),
            "Some(File(\"/etc/my ca.pem\"))"
        );
    }

    #[test]
    fn what_would_not_be_checked_is_refused_with_what_it_may_be() {
        for mode in ["allow", "prefer", "verify-ca", "nonsense"] {
            let said = trusts(&format!("?sslmode={mode}"));
            assert!(said.contains("require or verify-full"), "{mode}: {said}");
        }
        assert!(trusts("?sslrootcert=/ca.pem").contains("add sslmode=verify-full"));
        assert!(trusts("?sslmode=require&sslrootcert=ca.pem").contains("begin at the root"));
        let said = trusts("?nonsense=1");
        assert!(said.contains("no address of a PostgreSQL") && !said.contains("hunter2"));
    }

    #[test]
    fn an_address_is_told_without_its_password() {
        let server =
            PostgresServer::parse("postgres://u:hunter2@db.lan:6000/relay?sslmode=require");
        let server = server.expect("it is one");
        assert_eq!(server.to_string(), "postgres://db.lan:6000/relay");
        assert!(!format!("{server:?}").contains("hunter2"));
    }
}
