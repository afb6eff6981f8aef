//! From arguments and environment to a session that can run.

use std::collections::VecDeque;
use std::io::Error;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use crate::args::Args;
use crate::clock;
use crate::config;
use crate::config::Config;
use crate::config::KeyAnswer;
use crate::conversation::Conversation;
use crate::copy::Copies;
use crate::dialog::Dialog;
use crate::env::Env;
use crate::history::History;
use crate::hook::Hooks;
use crate::http::Url;
use crate::id;
use crate::look::Dialect;
use crate::look::HookSense;
use crate::mcp;
use crate::mcp::Toolbox;
use crate::print::Print;
use crate::request::Shape;
use crate::scene::Scene;
use crate::script::Script;
use crate::session::Exit;
use crate::session::Session;
use crate::session::Start;
use crate::transcript;
use crate::transcript::Frame;
use crate::transcript::Journal;
use crate::tty;
use crate::tty::Tty;
use crate::upstream::Upstream;
use crate::world::World;

/// Runs the CLI.
pub(crate) fn run(env: &Env, args: &Args) -> Exit {
    let script = match load_script(env.script.as_deref()) {
        Ok(script) => script,
        Err(words) => {
            return Exit {
                code: 2,
                words: Some(words),
            };
        }
    };
    let dialect = Dialect::of(&env.version);
    if dialect.tools_need_print && args.tools.is_some() && !args.print {
        return Exit {
            code: 1,
            words: Some("Error: --tools can only be used with --print mode.".to_owned()),
        };
    }
    clock::scale(env.time_scale.or(script.time_scale).unwrap_or(1.0));
    script.split.into_iter().for_each(tty::split);
    clock::sleep(clock::scaled(
        env.start_delay_ms.unwrap_or(script.start_delay_ms),
    ));
    if let Some(code) = script.start_exit {
        return Exit { code, words: None };
    }
    match start(env, args, script) {
        Ok(Ok(Lane::Print(print))) => print.run(),
        Ok(Ok(Lane::Screen(start))) => Session::new(*start).run(),
        Ok(Err(exit)) => exit,
        Err(error) => Exit {
            code: 1,
            words: Some(format!("Error: {error}")),
        },
    }
}

fn load_script(path: Option<&Path>) -> Result<Script, String> {
    let Some(path) = path else {
        return Ok(Script::built_in());
    };
    let read = std::fs::read_to_string(path)
        .map_err(|error| format!("fake-claude: {}: {error}", path.display()))?;
    Script::parse(&read).map_err(|error| format!("fake-claude: {}: {error}", path.display()))
}

/// With a screen or without.
enum Lane {
    Screen(Box<Start>),
    Print(Box<Print>),
}

fn start(env: &Env, args: &Args, script: Script) -> Result<Result<Lane, Exit>, Error> {
    let config = Config::of(env);
    let frame = frame(env, args, &script);
    let transcript = args
        .resume
        .as_ref()
        .map(|session| frame.folder.join(format!("{session}.jsonl")));
    let (bell, wake) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    let (news_tx, news_rx) = mpsc::channel();
    let channel = Channel { news_tx, bell };
    let world = Arc::new(world(env, args, script, &config, frame, channel)?);
    if args.print {
        // Seen on both families: print mode has its tools before it looks for a transcript.
        world.toolbox.connect_now();
    }
    let history = transcript.as_deref().map(History::read);
    if let (Some(None), Some(session)) = (&history, &args.resume) {
        return Ok(Err(no_conversation(session)));
    }
    let history = history.flatten();
    let answer = take_up(env, args, &world, history.as_ref());
    greet(&world);
    if args.print {
        let print = Print::new(world, news_rx, args, answer);
        return Ok(Ok(Lane::Print(Box::new(print))));
    }
    world.toolbox.connect();
    let dialogs = dialogs(env, args, &config, &world);
    Ok(Ok(Lane::Screen(Box::new(Start {
        scene: scene(env, &world),
        tty: Tty::open(wake),
        news: news_rx,
        editor: env.editor.clone(),
        api_key: env.api_key.clone(),
        history: history.map(|history| (history, answer)),
        prompt: args.prompt.clone(),
        world,
        config,
        dialogs,
    }))))
}

/// Takes the conversation up that was asked for; whether its end is to be answered.
fn take_up(env: &Env, args: &Args, world: &World, history: Option<&History>) -> bool {
    let answer = env.resume_interrupted && history.is_some_and(History::is_interrupted);
    if let (Some(history), Some(session)) = (history, &args.resume) {
        world.take_up(history, session, answer);
        if answer && history.ends_with_result() {
            world.nudge(env.resume_prompt.as_deref());
        }
    }
    answer
}

/// The ends of the channels that the world keeps.
struct Channel {
    news_tx: mpsc::Sender<crate::world::News>,
    bell: UnixStream,
}

fn world(
    env: &Env,
    args: &Args,
    script: Script,
    config: &Config,
    frame: Frame,
    channel: Channel,
) -> Result<World, Error> {
    let dialect = Dialect::of(&env.version);
    let base = env.base_url.as_deref().and_then(Url::parse);
    let session = args.session_id.clone().unwrap_or_else(id::uuid);
    let shape = shape(env, args, config, &dialect)?;
    let logged_in = match &base {
        Some(_) => env.auth_token || has_login(env) || key_is_approved(env, config),
        None => !script.not_logged_in,
    };
    Ok(World {
        model: Mutex::new(args.model.clone().unwrap_or_else(|| MODEL.to_owned())),
        gateway: base.as_ref().map(|base| base.host.clone()),
        attachments: !env.attachments_off,
        is_print: args.print,
        goes_on: env.resume_interrupted,
        toolbox: toolbox(env, args, &dialect)?,
        hooks: Hooks::new(
            match dialect.hooks {
                HookSense::NoHttp => Vec::new(),
                _ => config::hooks(args.settings.as_deref()),
            },
            config::commands(args.settings.as_deref()),
        )
        .muted(&script.mute),
        start_commands: config::start_commands(args.settings.as_deref()),
        cwd: env.cwd.to_string_lossy().into_owned(),
        permission_mode: frame.mode.clone(),
        max_retries: env.max_retries,
        refusals_stand: env.refusals_stand,
        diagnoses: args.diagnoses,
        tells_heads: env.tells_heads,
        helper: config::proxy_helper(args.settings.as_deref()).filter(|_| env.asks_helper),
        is_deaf: env.is_deaf,
        passing: env.passing.clone(),
        copies: Copies::wished(env.bodies.as_deref(), dialect.is_new()),
        logged_in: AtomicBool::new(logged_in),
        upstream: base.map(|base| Upstream {
            base,
            key: env.api_key.clone().unwrap_or_default(),
            version: env.version.clone(),
            entry: entry(args),
            by_token: env.auth_token && env.api_key.is_none(),
            betas: env.betas.clone(),
            dialect: dialect.clone(),
        }),
        script: Mutex::new(script),
        journal: Mutex::new(Journal::new(&frame, &session)),
        talk: Mutex::new(Conversation::default()),
        news: Mutex::new(channel.news_tx),
        bell: channel.bell,
        dialect,
        shape,
        frame,
    })
}

/// How the CLI names its lane.
fn entry(args: &Args) -> &'static str {
    if args.print { "sdk-cli" } else { "cli" }
}

/// The servers of `--mcp-config`, not yet connected.
fn toolbox(env: &Env, args: &Args, dialect: &Dialect) -> Result<Toolbox, Error> {
    let mut clients = Vec::new();
    for given in &args.mcp_configs {
        for server in mcp::Server::read(given).map_err(Error::other)? {
            let client = mcp::Client::new(server, &env.version, entry(args), dialect);
            clients.push(Arc::new(client));
        }
    }
    let allowed = args
        .allowed_tools
        .iter()
        .flat_map(|list| list.split([',', ' ']));
    Ok(Toolbox::new(clients, allowed.map(str::to_owned).collect()))
}

fn shape(env: &Env, args: &Args, config: &Config, dialect: &Dialect) -> Result<Shape, Error> {
    let system = match (&args.system_prompt, &args.system_prompt_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => std::fs::read_to_string(file)?,
        (None, None) => DEFAULT_SYSTEM.to_owned(),
    };
    Ok(Shape {
        is_new: dialect.is_new(),
        billing_end: dialect.billing_end,
        temperature: dialect.temperature,
        version: env.version.clone(),
        entry: entry(args),
        system,
        device: config.device(),
        effort: args.effort.clone().unwrap_or_else(|| "high".to_owned()),
        max_tokens: env.max_output_tokens.unwrap_or(64_000),
        thinking_off: env.thinking_off,
        extra: env.extra_body.clone(),
    })
}

fn frame(env: &Env, args: &Args, script: &Script) -> Frame {
    let is_new = Dialect::of(&env.version).is_new();
    let usual = if is_new { "auto" } else { "default" };
    let delay = env
        .flush_delay_ms
        .or(script.flush_delay_ms)
        .unwrap_or(FLUSH_DELAY_MS);
    Frame {
        folder: transcript::folder(&env.claude_dir(), &env.cwd),
        cwd: env.cwd.to_string_lossy().into_owned(),
        version: env.version.clone(),
        mode: args
            .permission_mode
            .clone()
            .unwrap_or_else(|| usual.to_owned()),
        entry: entry(args),
        is_new,
        is_sparse: Dialect::of(&env.version).is_sparse,
        delay: Duration::from_millis(delay),
        silent: env.no_transcript,
        late_prompt: script.late_prompt,
    }
}

fn scene(env: &Env, world: &World) -> Scene {
    Scene {
        is_new: world.dialect.is_new(),
        version: env.version.clone(),
        model: world.model(),
        dialect: world.dialect.clone(),
        warnings: Vec::new(),
        cwd: world.cwd.clone(),
        effort: world.shape.effort.clone(),
        mode: world.permission_mode.clone(),
        blocks: Vec::new(),
        busy: None,
        streaming: false,
        in_editor: false,
        queued: Vec::new(),
        dialog: None,
        hint: None,
        footer: None,
        logged_out: !world.is_logged_in(),
    }
}

/// Theme, folder, settings and API key are asked about in this order.
fn dialogs(env: &Env, args: &Args, config: &Config, world: &World) -> VecDeque<Dialog> {
    let is_new = world.dialect.is_new();
    let mut dialogs = VecDeque::new();
    if !config.is_onboarded() {
        dialogs.push_back(Dialog::theme(&env.version, is_new));
    }
    if !config.is_trusted() {
        dialogs.push_back(Dialog::trust(&world.cwd, &world.dialect));
    }
    dialogs.extend(settings(args, world.dialect.hooks));
    if let Some(key) = env
        .api_key
        .as_deref()
        .filter(|key| config.key_answer(key) == KeyAnswer::NotAsked)
    {
        dialogs.push_back(Dialog::api_key(key, is_new));
    }
    dialogs
}

/// What an old version says about hooks that it does not know.
fn settings(args: &Args, sense: HookSense) -> Option<Dialog> {
    let hooks = config::hooks(args.settings.as_deref());
    let mut events: Vec<String> = hooks.into_iter().map(|(event, _)| event).collect();
    events.dedup();
    match sense {
        HookSense::NoHttp if !events.is_empty() => Some(Dialog::bad_hooks(&events)),
        HookSense::NoMessageDisplay if events.iter().any(|event| event == UNKNOWN) => {
            let file = args.settings.as_deref().unwrap_or_default();
            Some(Dialog::unknown_event(file, UNKNOWN))
        }
        _ => None,
    }
}

fn key_is_approved(env: &Env, config: &Config) -> bool {
    env.api_key
        .as_deref()
        .is_some_and(|key| config.key_answer(key) == KeyAnswer::Approved)
}

/// Whether a login lies there; it is never read.
fn has_login(env: &Env) -> bool {
    env.claude_dir().join(".credentials.json").exists()
}

fn no_conversation(session: &str) -> Exit {
    Exit {
        code: 1,
        words: Some(format!("No conversation found with session ID: {session}")),
    }
}

fn greet(world: &Arc<World>) {
    if let Some(upstream) = world.upstream.clone() {
        upstream.greet();
    }
}

/// From a record to the file, as in the real one.
const FLUSH_DELAY_MS: u64 = 100;
const MODEL: &str = "claude-opus-4-8";
const DEFAULT_SYSTEM: &str =
    "You are an interactive agent that helps users with software engineering tasks.";
/// The event that versions before 2.1.152 do not know.
const UNKNOWN: &str = "MessageDisplay";
