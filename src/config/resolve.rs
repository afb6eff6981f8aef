//! What is in force: typed text made into each room's own `Config`. `[pure]`

use crate::alert::WebhookConfig;
use crate::archive::FilesConfig;
use crate::auth::AuthConfig;
use crate::auth::BlockRule;
use crate::auth::Budget;
use crate::auth::Network;
use crate::auth::Required;
use crate::authority::AuthorityConfig;
use crate::authority::Endpoint;
use crate::authority::TrustSource;
use crate::catalog::CatalogConfig;
use crate::codex::CodexConfig;
use crate::config::choice;
use crate::config::error::ConfigError;
use crate::config::ground::Ground;
use crate::config::layers::Layers;
use crate::config::log;
use crate::config::log::LogConfig;
use crate::config::reader::Reader;
use crate::config::show;
use crate::config::show::Shown;
use crate::config::source::Source;
use crate::config::unit;
use crate::control::AdminToken;
use crate::control::ControlConfig;
use crate::control::ControlPort;
use crate::conversation::ConversationConfig;
use crate::license::LicenseKey;
use crate::pool::ClaudeOrder;
use crate::pool::PoolConfig;
use crate::secret::SecretFile;
use crate::secret::SecretReader;
use crate::server::ServerConfig;
use crate::session::SessionConfig;
use crate::store::StoreConfig;
use crate::store::StorePlace;
use crate::telemetry::Endpoint as Collector;
use crate::telemetry::TelemetryConfig;
use crate::update::Source as Shop;
use crate::update::UpdateConfig;
use crate::valkey::StatePlace;
use std::ffi::OsStr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything that is in force.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) server: ServerConfig,
    pub(crate) auth: AuthConfig,
    pub(crate) authority: AuthorityConfig,
    pub(crate) catalog: CatalogConfig,
    pub(crate) store: StoreConfig,
    /// Where limits and breakers are that several relays share.
    pub(crate) state: StatePlace,
    /// Reads what the catalog's host keys refer to.
    pub(crate) secrets: SecretReader,
    pub(crate) pool: PoolConfig,
    pub(crate) claude: ClaudeOrder,
    pub(crate) memory: ConversationConfig,
    pub(crate) files: FilesConfig,
    pub(crate) session: SessionConfig,
    pub(crate) codex: CodexConfig,
    pub(crate) control: ControlConfig,
    /// Who is told of budgets, beside the log.
    pub(crate) webhook: Option<WebhookConfig>,
    pub(crate) update: UpdateConfig,
    pub(crate) telemetry: TelemetryConfig,
    pub(crate) log: LogConfig,
    /// The state folder.
    pub(crate) home: PathBuf,
    /// The configuration file that was read, or would have been.
    pub(crate) file: PathBuf,
    pub(crate) file_found: bool,
    pub(crate) license_key: Option<LicenseKey>,
    /// Whether this is a container's relay, whose state is gone with it where it is on no volume.
    pub(crate) is_in_image: bool,
    /// Sentences that the log and `config show` pass on.
    pub(crate) warnings: Vec<String>,
    /// Every value with where it was written, for `config show`.
    pub(crate) shown: Vec<Shown>,
    /// What all of this was made of.
    pub(crate) layers: Arc<Layers>,
}

/// Makes the merged layers mean something, or says what in them cannot.
pub(crate) fn resolve(layers: Layers) -> Result<Config, ConfigError> {
    let (raw, ground) = (&layers.merged(), &layers.ground);
    let reader = Reader { raw, ground };
    let server = server(&reader)?;
    let auth = auth(&reader)?;
    let authority = authority(&reader)?;
    let catalog = catalog(&reader)?;
    let store = store(&reader)?;
    let state = reader.parsed("state.url", StatePlace::parse)?;
    let secrets = secrets(ground, &catalog);
    let mut warnings = ground.warnings.clone();
    warnings.extend(exposure(&reader, &server, &auth)?);
    let session = session(&reader)?;
    let pool = pool(&reader)?;
    let codex = codex(&reader, &pool)?;
    let control = control(&reader, &server, &auth)?;
    let memory = memory(&reader)?;
    let files = files(&reader)?;
    let claude = ClaudeOrder {
        first: reader.parsed("claude.driver", choice::driver)?,
        fallback: reader.parsed("claude.fallback", choice::fallback)?,
    };
    let update = update(&reader)?;
    let webhook = webhook(&reader, &update)?;
    let telemetry = telemetry(&reader)?;
    let log = LogConfig {
        level: reader.parsed("log.level", log::level)?,
        format: reader.parsed("log.format", log::format)?,
    };
    let shown = show::table(raw, ground, &pool, &session);
    Ok(Config {
        server,
        auth,
        authority,
        catalog,
        store,
        state,
        secrets,
        pool,
        claude,
        memory,
        files,
        session,
        codex,
        control,
        webhook,
        update,
        telemetry,
        log,
        shown,
        home: ground.home.value.clone(),
        file: ground.file.clone(),
        file_found: ground.file_found,
        license_key: ground.license_key.clone(),
        is_in_image: ground.inherited.contains_key(OsStr::new(IMAGE_VAR)),
        warnings,
        layers: Arc::new(layers),
    })
}

fn server(reader: &Reader<'_>) -> Result<ServerConfig, ConfigError> {
    Ok(ServerConfig {
        host: reader.parsed("server.host", choice::host)?,
        port: reader.number("server.port", 0)?,
        body_max: reader.parsed("server.body_max", bytes)?,
        bodies_max: reader.parsed("server.bodies_max", bytes)?,
        allowed_hosts: reader.list("server.allowed_hosts")?,
        allowed_origins: reader.list("server.allowed_origins")?,
        drain_wait_max: reader.parsed("server.drain_wait_max", unit::duration)?,
        strict: reader.switch("server.strict")?,
        socket: reader.path("server.socket")?,
    })
}

fn catalog(reader: &Reader<'_>) -> Result<CatalogConfig, ConfigError> {
    let named = reader.path("catalog.dir")?;
    Ok(CatalogConfig {
        brought: String::new(),
        is_named: named.is_some(),
        dir: named.unwrap_or_else(|| reader.ground.home.value.join("catalog")),
    })
}

fn control(
    reader: &Reader<'_>,
    server: &ServerConfig,
    auth: &AuthConfig,
) -> Result<ControlConfig, ConfigError> {
    let is_named = !matches!(reader.source("control.port"), Source::Default);
    let port = reader.parsed("control.port", choice::control_port)?;
    let token = reader.ground.inherited.get(OsStr::new("RELAY_ADMIN_TOKEN"));
    Ok(ControlConfig {
        port: port.map(|number| ControlPort { number, is_named }),
        host: reader.parsed("control.host", choice::host)?,
        cookie_secure: reader.parsed("control.cookie_secure", choice::by_itself)?,
        token: AdminToken::of(token.and_then(|token| token.to_str())),
        allowed_hosts: server.allowed_hosts.clone(),
        proxies: auth.proxies.clone(),
        home: reader.ground.home.value.clone(),
        master: reader.ground.master_key.clone(),
    })
}

fn webhook(
    reader: &Reader<'_>,
    update: &UpdateConfig,
) -> Result<Option<WebhookConfig>, ConfigError> {
    let is_private = reader.switch("alerts.private")?;
    let proxy = update.proxy.clone();
    match reader.raw.value("alerts.webhook") {
        None => Ok(None),
        Some(_) => reader
            .parsed("alerts.webhook", |text| {
                WebhookConfig::parse(text, is_private, proxy.clone())
            })
            .map(Some),
    }
}

fn store(reader: &Reader<'_>) -> Result<StoreConfig, ConfigError> {
    let place = match reader.raw.value("store.url") {
        Some(_) => reader.parsed("store.url", StorePlace::parse)?,
        None => StorePlace::of(&reader.ground.home.value),
    };
    let retention = reader.parsed("store.retention", unit::span)?;
    Ok(StoreConfig { place, retention })
}

fn secrets(ground: &Ground, catalog: &CatalogConfig) -> SecretReader {
    SecretReader::new(
        Arc::new(ground.inherited.clone()),
        catalog.dir.clone(),
        SecretFile::of(&ground.home.value),
        ground.master_key.clone(),
    )
}

fn bytes(text: &str) -> Result<usize, String> {
    match unit::size(text)? {
        0 => Err("no request fits into 0 bytes".to_owned()),
        bytes => usize::try_from(bytes)
            .map_err(|_| format!("\"{text}\" is more than this machine can hold")),
    }
}

fn auth(reader: &Reader<'_>) -> Result<AuthConfig, ConfigError> {
    let proxies = reader.list("server.trusted_proxies")?;
    let network = |text: &String| {
        Network::parse(text).ok_or_else(|| {
            let problem = format!("\"{text}\" is no address and no block such as \"10.0.0.0/8\"");
            reader.wrong("server.trusted_proxies", problem)
        })
    };
    Ok(AuthConfig {
        required: reader.parsed("auth.required", choice::required)?,
        key: Budget {
            per_minute: NonZeroU32::new(reader.number("auth.key_calls_per_minute", 0)?),
            burst: at_least_one(reader.number("auth.key_burst", 1)?),
            concurrent_max: reader.number("auth.key_concurrent_max", 1)?,
        },
        address: Budget {
            per_minute: NonZeroU32::new(reader.number("auth.address_calls_per_minute", 0)?),
            burst: at_least_one(reader.number("auth.address_burst", 1)?),
            concurrent_max: reader.number("auth.address_concurrent_max", 1)?,
        },
        block: BlockRule {
            tries_max: reader.number("auth.bad_keys_max", 1)?,
            window: reader.parsed("auth.bad_keys_window", unit::span)?,
            span: reader.parsed("auth.block_time", unit::span)?,
        },
        proxies: proxies.iter().map(network).collect::<Result<_, _>>()?,
        default_policy: match reader.raw.value("policy.default") {
            None => None,
            Some(_) => Some(reader.parsed("policy.default", |name| match name.trim() {
                "" => Err("write the name of a policy of the catalog".to_owned()),
                name => Ok(name.into()),
            })?),
        },
    })
}

/// Set by the container images, to their form.
const IMAGE_VAR: &str = "RELAY_IMAGE";

/// The reader has refused 0 already.
fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

fn authority(reader: &Reader<'_>) -> Result<AuthorityConfig, ConfigError> {
    let place = match reader.raw.value("license.authority") {
        None => None,
        Some(_) => Some(TrustSource {
            endpoint: reader.parsed("license.authority", Endpoint::parse)?,
            keys: reader.path("license.keys")?.ok_or_else(|| {
                let problem =
                    "an authority is configured, and this says by which public keys it is known";
                reader.wrong("license.keys", problem.to_owned())
            })?,
        }),
    };
    Ok(AuthorityConfig {
        place,
        key: reader.ground.license_key.clone(),
        grace: reader.parsed("license.grace", unit::duration)?,
        refresh_every: reader.parsed("license.refresh_every", unit::span)?,
    })
}

/// What has to be agreed to before others can knock, and what has to be said then.
fn exposure(
    reader: &Reader<'_>,
    server: &ServerConfig,
    auth: &AuthConfig,
) -> Result<Option<String>, ConfigError> {
    let host = server.host;
    if host.is_loopback() {
        return Ok(None);
    }
    if !reader.switch("server.beyond_loopback")? {
        let problem = format!(
            "{host} is not a loopback address, so every machine that reaches this one could knock; keep \"127.0.0.1\", \
             or set server.beyond_loopback = true and make a key with `inference-relay key create NAME`"
        );
        return Err(reader.wrong("server.host", problem));
    }
    if auth.required == Required::Never {
        let problem = format!(
            "without keys the relay listens on loopback only, and server.host is {host}; ask for keys, or keep \"127.0.0.1\""
        );
        return Err(reader.wrong("auth.required", problem));
    }
    Ok(Some(format!(
        "the relay listens on {host}, beyond loopback, and speaks plain HTTP: put a proxy with TLS before it. Calls are \
         served from your own login; a provider's terms may forbid to serve others from a plan, so check them first"
    )))
}

fn session(reader: &Reader<'_>) -> Result<SessionConfig, ConfigError> {
    let home = &reader.ground.home.value;
    Ok(SessionConfig {
        command: reader.path("claude.command")?,
        env: reader.map("claude.env")?,
        inherited: reader.ground.inherited.clone(),
        work_dir: reader
            .path("claude.work_dir")?
            .unwrap_or_else(|| home.join("work")),
        run_dir: home.join("run"),
        model: reader.parsed("claude.model", |text| match text.trim() {
            "" => Err("this takes the name of a model".to_owned()),
            name => Ok(name.to_owned()),
        })?,
        keep_transcripts: reader.switch("claude.keep_transcripts")?,
        start_wait_max: reader.parsed("claude.start_wait_max", unit::span)?,
        builtin_tools: reader.switch("claude.builtin_tools")?,
        tap: reader.switch("claude.tap")?,
    })
}

fn pool(reader: &Reader<'_>) -> Result<PoolConfig, ConfigError> {
    let max: usize = reader.number("pool.max", 1)?;
    Ok(PoolConfig {
        idle: idle(reader, max)?,
        max,
        queue_depth_max: reader.number("pool.queue_depth_max", 0)?,
        queue_wait_max: reader.parsed("pool.queue_wait_max", unit::duration)?,
        turn_wait_max: reader.parsed("pool.turn_wait_max", unit::span)?,
        session_turns_max: reader.number("pool.session_turns_max", 1)?,
        session_age_max: reader.parsed("pool.session_age_max", unit::span)?,
        session_resident_max: reader.parsed(
            "pool.session_resident_max",
            |text| match unit::size(text)? {
                0 => Err("no session fits into 0 bytes".to_owned()),
                bytes => Ok(bytes),
            },
        )?,
        kept_max: reader.number("sessions.live_max", 0)?,
        kept_wait_max: reader.parsed("sessions.idle_max", unit::span)?,
    })
}

fn codex(reader: &Reader<'_>, pool: &PoolConfig) -> Result<CodexConfig, ConfigError> {
    Ok(CodexConfig {
        command: reader.path("codex.command")?,
        env: reader.map("codex.env")?,
        inherited: reader.ground.inherited.clone(),
        runs: reader.ground.home.value.join("codex-runs"),
        processes_max: reader.number("codex.processes_max", 1)?,
        calls_max: reader.number("codex.calls_max", 1)?,
        queue_wait_max: pool.queue_wait_max,
        turn_wait_max: pool.turn_wait_max,
        talk: None,
    })
}

fn memory(reader: &Reader<'_>) -> Result<ConversationConfig, ConfigError> {
    Ok(ConversationConfig {
        ids_max: reader.number("sessions.ids_max", 0)?,
        bytes_max: reader.parsed("sessions.bytes_max", unit::size)?,
        memory_max: reader.parsed("sessions.memory_max", unit::span)?,
        queue_depth_max: reader.number("sessions.queue_depth_max", 0)?,
        disk: reader.switch("sessions.disk")?,
    })
}

fn files(reader: &Reader<'_>) -> Result<FilesConfig, ConfigError> {
    Ok(FilesConfig {
        bytes_max: reader.parsed("files.bytes_max", unit::size)?,
        total_bytes_max: reader.parsed("files.total_bytes_max", unit::size)?,
    })
}

fn update(reader: &Reader<'_>) -> Result<UpdateConfig, ConfigError> {
    let source = match reader.raw.value("update.source") {
        Some(_) => Some(reader.parsed("update.source", Shop::read)?),
        None => None,
    };
    Ok(UpdateConfig {
        source,
        public_keys: reader.list("update.public_keys")?,
        proxy: reader.ground.proxy.clone(),
        wait_max: reader.parsed("update.wait_max", unit::duration)?,
    })
}

fn telemetry(reader: &Reader<'_>) -> Result<TelemetryConfig, ConfigError> {
    let otlp = match reader.raw.value("telemetry.otlp") {
        Some(_) => Some(reader.parsed("telemetry.otlp", Collector::parse)?),
        None => None,
    };
    Ok(TelemetryConfig { otlp })
}

/// Idle sessions count towards `pool.max`. Someone who lowers only `max` means the default of `idle` to follow.
fn idle(reader: &Reader<'_>, max: usize) -> Result<usize, ConfigError> {
    let idle: usize = reader.number("pool.idle", 0)?;
    let source = reader.source("pool.idle");
    match source {
        Source::Default => Ok(idle.min(max)),
        source_of if idle > max => Err(ConfigError::Value {
            key: "pool.idle",
            source_of,
            problem: format!(
                "{idle} is more than pool.max, which is {max} ({}); idle sessions count towards it: lower the one or raise the other",
                reader.source("pool.max")
            ),
        }),
        Source::Flag(_)
        | Source::Variable(_)
        | Source::File { .. }
        | Source::Dashboard { .. }
        | Source::Settings { .. } => Ok(idle),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::ClaudeOrder;
    use super::Config;
    use super::Ground;
    use super::Layers;
    use super::Required;
    use super::resolve;
    use crate::config::DEFAULT_TOML;
    use crate::config::error::ConfigError;
    use crate::config::raw::Raw;
    use crate::config::source::Source;
    use crate::config::source::Sourced;
    use crate::egress::Proxy;
    use crate::session::Mode;
    use std::path::Path;
    use std::path::PathBuf;
    use std::time::Duration;

    fn with(text: &str) -> Result<Config, ConfigError> {
        resolve(read(text)?)
    }

    /// The layers of a relay.toml that says this.
    pub(in crate::config) fn layers(text: &str) -> Layers {
        read(text).expect("this text must be read")
    }

    fn read(text: &str) -> Result<Layers, ConfigError> {
        let file = Raw::read(text, Path::new("/etc/relay.toml"), |line| Source::File {
            path: "/etc/relay.toml".into(),
            line,
        })?;
        let default = Raw::read(DEFAULT_TOML, Path::new("default.toml"), |_| Source::Default)?;
        let ground = Ground {
            master_key: crate::secret::MasterKeySource::of(Path::new("/state"), None),
            home: Sourced::new(PathBuf::from("/state"), Source::Default),
            user_home: Some(PathBuf::from("/home/user")),
            inherited: std::collections::BTreeMap::new(),
            proxy: Proxy::default(),
            here: PathBuf::from("/here"),
            file: "/etc/relay.toml".into(),
            file_found: true,
            license_key: None,
            warnings: Vec::new(),
        };
        Ok(Layers {
            upper: file,
            changed: Raw::default(),
            lower: default,
            ground,
            path: "/state/dashboard.toml".into(),
        })
    }

    fn config(text: &str) -> Config {
        with(text).expect("this text must resolve")
    }

    fn complaint(text: &str) -> String {
        with(text)
            .expect_err("this text must be refused")
            .to_string()
    }

    #[test]
    fn the_manual_holds_the_defaults_that_the_contract_names() {
        let config = config("");
        assert_eq!(
            (config.server.host.to_string().as_str(), config.server.port),
            ("127.0.0.1", 7421)
        );
        assert_eq!(config.server.body_max, 32 << 20);
        assert_eq!((config.pool.idle, config.pool.max), (2, 5));
        assert_eq!(config.pool.queue_wait_max, Duration::from_secs(60));
        assert_eq!(config.pool.session_resident_max, 1 << 30);
        assert_eq!(config.session.command, None);
        assert_eq!(config.session.work_dir, PathBuf::from("/state/work"));
        assert_eq!(config.session.run_dir, PathBuf::from("/state/run"));
        assert!(
            config.session.env.is_empty()
                && !config.session.builtin_tools
                && !config.session.keep_transcripts
        );
    }

    #[test]
    fn an_address_beyond_loopback_needs_its_switch_and_keys() {
        let text = complaint("[server]\nhost = \"0.0.0.0\"");
        assert!(
            text.starts_with("/etc/relay.toml:2: server.host: 0.0.0.0 is not a loopback address"),
            "{text}"
        );
        assert!(text.contains("set server.beyond_loopback = true"), "{text}");
        let open = "server.host = \"0.0.0.0\"\nserver.beyond_loopback = true\n";
        let text = complaint(&format!("{open}auth.required = \"never\""));
        assert!(
            text.starts_with("/etc/relay.toml:3: auth.required: without keys"),
            "{text}"
        );
        assert!(config(open).warnings[0].contains("a provider's terms may forbid"));
        for (name, address) in [("localhost", "127.0.0.1"), ("::1", "::1")] {
            let config = config(&format!("server.host = \"{name}\""));
            assert_eq!(config.server.host.to_string(), address);
            assert!(config.warnings.is_empty());
        }
    }

    #[test]
    fn the_door_is_open_until_a_key_is_made_and_its_bounds_are_checked() {
        assert_eq!(config("").auth.required, Required::OnceThereIsAKey);
        assert_eq!(
            config("auth.key_calls_per_minute = 0").auth.key.per_minute,
            None
        );
        for (text, words) in [
            ("auth.required = \"yes\"", "\"yes\" is none of"),
            ("auth.key_burst = 0", "the least is 1"),
            ("auth.block_time = \"0s\"", "nothing happens in no time"),
            (
                "server.trusted_proxies = [\"lan\"]",
                "\"lan\" is no address",
            ),
        ] {
            assert!(complaint(text).contains(words), "{text}");
        }
    }

    #[test]
    fn an_authority_needs_its_public_keys() {
        assert!(config("").authority.place.is_none());
        let url = "license.authority = \"https://licence.example/\"";
        assert!(complaint(url).contains("license.keys: an authority is configured"));
        let place = config(&format!("{url}\nlicense.keys = \"keys.json\""))
            .authority
            .place;
        assert_eq!(
            place.map(|place| place.keys),
            Some(PathBuf::from("/etc/keys.json"))
        );
        assert!(complaint("license.authority = \"http://licence.example/\"").contains("use https"));
    }

    #[test]
    fn nobody_is_told_of_calls_but_a_collector_that_is_named() {
        assert!(config("").telemetry.otlp.is_none());
        let named = config("telemetry.otlp = \"http://127.0.0.1:4318\"");
        assert!(named.telemetry.otlp.is_some());
        let text = complaint("telemetry.otlp = \"127.0.0.1:4318\"");
        assert!(text.contains("is no address of a collector"), "{text}");
    }

    #[test]
    fn more_idle_sessions_than_sessions_are_refused() {
        assert_eq!(
            complaint("[pool]\nidle = 6"),
            "/etc/relay.toml:2: pool.idle: 6 is more than pool.max, which is 5 (default); idle sessions count towards it: lower the one or raise the other"
        );
    }

    #[test]
    fn the_default_of_idle_follows_a_lower_max() {
        let config = config("pool.max = 1");
        assert_eq!((config.pool.idle, config.pool.max), (1, 1));
    }

    #[test]
    fn numbers_out_of_bounds_say_the_bound() {
        assert_eq!(
            complaint("pool.max = 0"),
            "/etc/relay.toml:1: pool.max: 0 is too small; the least is 1"
        );
        assert_eq!(
            complaint("server.port = 70000"),
            "/etc/relay.toml:1: server.port: 70000 is too large"
        );
        assert_eq!(
            complaint("server.port = -1"),
            "/etc/relay.toml:1: server.port: -1 is too small; the least is 0"
        );
        assert!(complaint("pool.turn_wait_max = \"0s\"").contains("nothing happens in no time"));
    }

    #[test]
    fn print_mode_is_used_where_it_is_asked_for_and_nowhere_else() {
        let order = |text: &str| config(text).claude;
        assert_eq!(order(""), ClaudeOrder::default());
        assert_eq!(order("claude.driver = \"print\"").first, Mode::Print);
        let falls_back = order("claude.fallback = \"print\"");
        assert_eq!(
            (falls_back.first, falls_back.fallback),
            (Mode::Pty, Some(Mode::Print))
        );
        assert_eq!(
            complaint("claude.driver = \"prnt\""),
            "/etc/relay.toml:1: claude.driver: \"prnt\" is not a driver; use \"pty\" or \"print\""
        );
        assert_eq!(
            complaint("claude.fallback = \"pty\""),
            "/etc/relay.toml:1: claude.fallback: \"pty\" is not a fallback; use \"none\" or \"print\""
        );
    }

    #[test]
    fn paths_start_at_the_home_the_file_or_the_search_path() {
        let command = |text: &str| {
            config(&format!("claude.command = \"{text}\""))
                .session
                .command
        };
        assert_eq!(
            command("~/bin/claude"),
            Some("/home/user/bin/claude".into())
        );
        assert_eq!(command("bin/claude"), Some("/etc/bin/claude".into()));
        assert_eq!(command("/opt/claude"), Some("/opt/claude".into()));
        assert_eq!(command("claude"), Some("claude".into()));
        assert_eq!(
            config("claude.work_dir = \"w\"").session.work_dir,
            PathBuf::from("/etc/w")
        );
    }

    #[test]
    fn the_environment_of_claude_is_passed_on_whole() {
        let config = config("[claude.env]\nANTHROPIC_BASE_URL = \"http://127.0.0.1:9\"\nX = \"\"");
        assert_eq!(
            config
                .session
                .env
                .get("ANTHROPIC_BASE_URL")
                .map(String::as_str),
            Some("http://127.0.0.1:9")
        );
        assert_eq!(config.session.env.get("X").map(String::as_str), Some(""));
    }
}
