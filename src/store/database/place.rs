//! Where the store is.

use postgres::config::Host;
use postgres::config::SslMode;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// Where the store is, and for how long it keeps records.
#[derive(Debug, Clone)]
pub(crate) struct StoreConfig {
    pub(crate) place: StorePlace,
    /// How long a call's record is kept; its roll-ups are kept for longer.
    pub(crate) retention: Duration,
}

/// A database.
#[derive(Clone)]
pub(crate) enum StorePlace {
    Sqlite(PathBuf),
    /// A server's address, with its user and password.
    Postgres(Box<postgres::Config>),
}

impl StorePlace {
    /// The file of a state folder.
    pub(crate) fn of(home: &Path) -> StorePlace {
        StorePlace::Sqlite(home.join("store.db"))
    }

    /// Reads the text of a configuration: `sqlite:PATH`, or `postgres://USER:PASSWORD@HOST/DATABASE`.
    ///
    /// # Errors
    /// Says what it may be, and nothing of a password.
    pub(crate) fn parse(text: &str) -> Result<StorePlace, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return server(text);
        }
        let path = text
            .strip_prefix("sqlite:")
            .map(|path| path.trim_start_matches("//"));
        match path {
            Some(path) if Path::new(path).is_absolute() => Ok(StorePlace::Sqlite(path.into())),
            Some(_) => Err("the path behind sqlite: must begin at the root, such as sqlite:/var/lib/relay/store.db".to_owned()),
            None => Err("this takes sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE".to_owned()),
        }
    }
}

fn server(text: &str) -> Result<StorePlace, String> {
    // What the library says of it could have the password in it.
    let config: postgres::Config = text.parse().map_err(|_| {
        "this is no address of a PostgreSQL; it is postgres://USER:PASSWORD@HOST:5432/DATABASE"
            .to_owned()
    })?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err("TLS to PostgreSQL is not offered; leave sslmode=require away, and reach the server over loopback, a \
                    private network or a tunnel"
            .to_owned());
    }
    Ok(StorePlace::Postgres(Box::new(config)))
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorePlace::Sqlite(path) => write!(f, "{}", path.display()),
            StorePlace::Postgres(config) => {
                let host = config.get_hosts().first();
                let host = match host {
                    Some(Host::Tcp(name)) => name.clone(),
                    #[cfg(unix)]
                    Some(Host::Unix(path)) => path.display().to_string(),
                    None => "localhost".to_owned(),
                };
                let port = config.get_ports().first().copied().unwrap_or(5432);
                write!(
                    f,
                    "postgres://{host}:{port}/{}",
                    config.get_dbname().unwrap_or_default()
                )
            }
        }
    }
}

impl fmt::Debug for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorePlace({self})")
    }
}
