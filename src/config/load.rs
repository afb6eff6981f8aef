//! The six layers, found, read and laid over one another.

use crate::config::env::Env;
use crate::config::env::HOME_VAR;
use crate::config::error::ConfigError;
use crate::config::ground::Ground;
use crate::config::layers::Layers;
use crate::config::raw::Raw;
use crate::config::raw::Typed;
use crate::config::resolve;
use crate::config::resolve::Config;
use crate::config::settings;
use crate::config::source::Source;
use crate::config::source::Sourced;
use crate::secret::MasterKeySource;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The bottom layer, and the manual.
pub(crate) const DEFAULT_TOML: &str = include_str!("default.toml");

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--config FILE`: read this file, which must be there, in place of the default one.
    pub(crate) config: Option<PathBuf>,
    /// `--port N`
    pub(crate) port: Option<u16>,
    /// `--no-auth`: `auth.required = "never"`.
    pub(crate) no_auth: bool,
}

/// Finds, reads and resolves everything that has a say.
pub(crate) fn load(flags: &Flags, env: &Env) -> Result<Config, ConfigError> {
    let home = home(env)?;
    let path = file_path(flags, env)?;
    let (file, file_found) = file(&path, flags)?;
    let settings = settings::load(&home.value.join("settings.json"))?;
    let changed = home.value.join("dashboard.toml");
    let master_key =
        MasterKeySource::of(&home.value, env.master_key()).followed_by(env.next_master_key());
    master_key.check_variables()?;
    let ground = Ground {
        master_key,
        home,
        user_home: env.user_home(),
        inherited: env.vars().clone(),
        proxy: env.proxy(),
        here: std::env::current_dir().unwrap_or_default(),
        file: path,
        file_found,
        license_key: env.license_key().or(settings.license_key),
        warnings: [settings.warnings, env.warnings()].concat(),
    };
    resolve::resolve(Layers {
        upper: flag_layer(flags).over(env.layer()?).over(file),
        changed: changed_layer(&changed)?,
        lower: settings.raw.over(default_layer()?),
        ground,
        path: changed,
    })
}

/// The configuration file that is read, or would be if it were there.
pub(crate) fn file_path(flags: &Flags, env: &Env) -> Result<PathBuf, ConfigError> {
    match &flags.config {
        Some(path) => Ok(path.clone()),
        None => Ok(home(env)?.value.join("relay.toml")),
    }
}

/// The state folder.
///
/// # Errors
/// Where there is no telling.
pub(crate) fn home(env: &Env) -> Result<Sourced<PathBuf>, ConfigError> {
    if let Some(path) = env.relay_home() {
        let path = std::path::absolute(&path).unwrap_or(path);
        return Ok(Sourced::new(path, Source::Variable(HOME_VAR)));
    }
    let user_home = env.user_home().ok_or(ConfigError::Homeless)?;
    Ok(Sourced::new(
        user_home.join(".inference-relay"),
        Source::Default,
    ))
}

fn file(path: &Path, flags: &Flags) -> Result<(Raw, bool), ConfigError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && flags.config.is_none() => {
            return Ok((Raw::default(), false));
        }
        Err(cause) => {
            return Err(ConfigError::Unreadable {
                path: path.to_owned(),
                cause,
            });
        }
    };
    let raw = Raw::read(&text, path, |line| Source::File {
        path: path.to_owned(),
        line,
    })?;
    Ok((raw, true))
}

/// What was changed on the dashboard, if anything was.
fn changed_layer(path: &Path) -> Result<Raw, ConfigError> {
    match fs::read_to_string(path) {
        Ok(text) => Raw::read(&text, path, |_| Source::Dashboard {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Raw::default()),
        Err(cause) => Err(ConfigError::Unreadable {
            path: path.to_owned(),
            cause,
        }),
    }
}

fn flag_layer(flags: &Flags) -> Raw {
    let mut raw = Raw::default();
    if let Some(port) = flags.port {
        raw.put(
            "server.port",
            Typed::Number(i64::from(port)),
            Source::Flag("--port"),
        );
    }
    if flags.no_auth {
        let never = Typed::Text("never".to_owned());
        raw.put("auth.required", never, Source::Flag("--no-auth"));
    }
    raw
}

fn default_layer() -> Result<Raw, ConfigError> {
    Raw::read(DEFAULT_TOML, Path::new("default.toml"), |_| Source::Default)
}
