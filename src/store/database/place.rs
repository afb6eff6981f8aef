//! Where the store is.

use super::server::PostgresServer;
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
    Postgres(Box<PostgresServer>),
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
            let server = PostgresServer::parse(text)?;
            return Ok(StorePlace::Postgres(Box::new(server)));
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

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorePlace::Sqlite(path) => write!(f, "{}", path.display()),
            StorePlace::Postgres(server) => server.fmt(f),
        }
    }
}

impl fmt::Debug for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorePlace({self})")
    }
}
