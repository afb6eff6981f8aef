//! `top`: the running daemon, looked at once a second until `q`.

use crate::cli::args::Query;
use crate::cli::board::Size;
use crate::cli::board::board;
use crate::cli::client::Client;
use crate::cli::client::ClientError;
use crate::cli::out;
use crate::cli::run::CommandOutcome;
use crate::cli::running;
use crate::config::Config;
use crate::config::Env;
use serde_json::Value;
use serde_json::json;
use std::io;
use std::io::IsTerminal;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::interval;

pub(crate) async fn top(args: &Query, env: &Env) -> anyhow::Result<CommandOutcome> {
    let config = running::config(&args.place, env)?;
    if !args.json && io::stdout().is_terminal() {
        return watch(&config, env).await;
    }
    let look = look(&config, env).await?;
    if args.json {
        out::json(&look)?;
    } else {
        out::line(&board(&look, Size::PAPER).join("\n"))?;
    }
    Ok(CommandOutcome::Done)
}

/// Draws a look every second. A daemon that goes away is told of, and waited for.
async fn watch(config: &Config, env: &Env) -> anyhow::Result<CommandOutcome> {
    let _screen = Screen::enter()?;
    let mut keys = keys();
    let mut ticks = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let lines = match look(config, env).await {
                    Ok(look) => board(&look, Screen::size()),
                    Err(error) => vec![format!("{error}   q quits")],
                };
                out::text(&drawn(&lines))?;
            }
            key = keys.recv() => match key {
                Some(b'q' | b'Q' | CTRL_C | CTRL_D) | None => return Ok(CommandOutcome::Done),
                Some(_) => {}
            },
        }
    }
}

/// Everything that is shown, as the daemon tells it.
async fn look(config: &Config, env: &Env) -> Result<Value, ClientError> {
    let address = SocketAddr::new(config.server.host, config.server.port);
    let client = Client::new(config, env);
    let calls = format!("/v1/recent-calls?limit={CALLS_MAX}");
    Ok(json!({
        "address": address.to_string(),
        "health": client.page("/v1/health").await?,
        "limits": {
            "sessions_max": config.pool.max,
            "sessions_idle": config.pool.idle,
            "queue_depth_max": config.pool.queue_depth_max,
        },
        "sessions": client.page("/v1/sessions").await?,
        "calls": client.page(&calls).await?["calls"],
    }))
}

/// Over the lines before, without a flicker: each line is written and its rest erased.
fn drawn(lines: &[String]) -> String {
    let lines: String = lines
        .iter()
        .map(|line| format!("{line}\x1b[K\r\n"))
        .collect();
    format!("\x1b[H{}\x1b[J", lines.trim_end())
}

/// Keys as they are typed. The thread ends with the process: a read of a terminal cannot be taken back.
fn keys() -> mpsc::Receiver<u8> {
    let (key_tx, keys) = mpsc::channel(KEYS_MAX);
    std::thread::spawn(move || {
        for key in io::stdin().lock().bytes().map_while(Result::ok) {
            if key_tx.blocking_send(key).is_err() {
                break;
            }
        }
    });
    keys
}

/// The terminal while it is ours: its other page, without a cursor, and keys as they come. Dropping it gives it back.
struct Screen {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Screen {
    fn enter() -> io::Result<Screen> {
        let screen = Screen {
            #[cfg(unix)]
            before: take_keys(),
        };
        out::text("\x1b[?1049h\x1b[?25l")?;
        Ok(screen)
    }

    fn size() -> Size {
        #[cfg(unix)]
        if let Ok(size) = rustix::termios::tcgetwinsize(io::stdout())
            && size.ws_col > 0
            && size.ws_row > 0
        {
            return Size {
                columns: size.ws_col.into(),
                rows: size.ws_row.into(),
            };
        }
        Size {
            columns: 80,
            rows: 24,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = out::text("\x1b[?25h\x1b[?1049l"); // A terminal that is gone needs nothing back.
        #[cfg(unix)]
        if let Some(before) = &self.before {
            let now = rustix::termios::OptionalActions::Now;
            let _ = rustix::termios::tcsetattr(io::stdin(), now, before);
        }
    }
}

/// Each key at once, unseen, and none of them a signal; gives back how it was.
#[cfg(unix)]
fn take_keys() -> Option<rustix::termios::Termios> {
    use rustix::termios::LocalModes;
    let before = rustix::termios::tcgetattr(io::stdin()).ok()?;
    let mut raw = before.clone();
    raw.local_modes
        .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
    let now = rustix::termios::OptionalActions::Now;
    rustix::termios::tcsetattr(io::stdin(), now, &raw).ok()?;
    Some(before)
}

impl Size {
    /// Where no terminal is, nothing has to be cut.
    const PAPER: Size = Size {
        columns: 400,
        rows: 400,
    };
}

/// Often enough to see a turn begin, seldom enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Calls that are asked for; a terminal has fewer lines.
const CALLS_MAX: usize = 50;
/// Keys that may wait.
const KEYS_MAX: usize = 16;
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
