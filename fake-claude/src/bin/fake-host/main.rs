//! A scriptable stand-in for a host of models: Anthropic's and OpenAI's HTTP APIs on a port of loopback.
//!
//! It says where it listens in one line, answers by its script, and ends with its stdin where `--with-stdin` asks for
//! that. It shares no code with the relay. Start reading at the library `fake_host`.

use fake_host::Host;
use fake_host::Player;
use fake_host::Script;
use std::io::Read;
use std::io::Write;
use std::process::ExitCode;

/// What the command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Args {
    port: u16,
    script: Option<String>,
    ends_with_stdin: bool,
}

fn main() -> ExitCode {
    let args = std::env::args().skip(1).collect::<Vec<_>>();
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        let _ = std::io::stdout().write_all(HELP.as_bytes());
        return ExitCode::SUCCESS;
    }
    match parse(&args).and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            let _ = writeln!(std::io::stderr(), "fake-host: {words}");
            ExitCode::from(2)
        }
    }
}

fn parse(args: &[String]) -> Result<Args, String> {
    let mut parsed = Args::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--port" => {
                let port = value()?;
                parsed.port = port.parse().map_err(|_| format!("{port}: no port"))?;
            }
            "--script" => parsed.script = Some(value()?.clone()),
            "--with-stdin" => parsed.ends_with_stdin = true,
            other => return Err(format!("{other} is not known; --help lists what is")),
        }
    }
    Ok(parsed)
}

fn run(args: &Args) -> Result<(), String> {
    let script = match &args.script {
        None => Script::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
            Script::parse(&text).map_err(|error| format!("{path}: {error}"))?
        }
    };
    let player = Player::new(script);
    let host = Host::listening(args.port, 0, move |asked| player.answer(asked));
    let host = host.map_err(|error| format!("port {}: {error}", args.port))?;
    let mut out = std::io::stdout();
    // Whoever reads it may be gone; the host serves others all the same.
    let _ = writeln!(out, "listening address={}", host.address()).and_then(|()| out.flush());
    if args.ends_with_stdin {
        // To its end: then whoever started it is gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}

const HELP: &str = "\
fake-host: a simulated host of models, on a port of loopback

  fake-host [--port N] [--script FILE] [--with-stdin]

It plays POST /v1/messages, /v1/chat/completions and /v1/responses, GET /v1/models, and tells by GET /counted what all
answers so far were counted as.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_read_and_what_is_not_known_is_told() {
        let read = |words: &str| {
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            parse(&words)
        };
        let args = read("--port 9 --script a.toml --with-stdin").expect("it is well formed");
        assert_eq!((args.port, args.script.as_deref()), (9, Some("a.toml")));
        assert!(args.ends_with_stdin && read("").is_ok());
        assert!(read("--prt 9").is_err() && read("--port x").is_err());
    }
}
