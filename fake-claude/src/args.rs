//! The command line, with the flags of the real CLI; a flag it does not know is an error, as there.

use std::iter::Peekable;

use crate::id;

/// What the command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) system_prompt: Option<String>,
    pub(crate) system_prompt_file: Option<String>,
    pub(crate) tools: Option<String>,
    pub(crate) settings: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) resume: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) permission_mode: Option<String>,
    pub(crate) mcp_configs: Vec<String>,
    pub(crate) allowed_tools: Vec<String>,
    /// Values of lists that change nothing here.
    ignored_lists: Vec<String>,
    pub(crate) effort: Option<String>,
    pub(crate) prompt: Option<String>,
    pub(crate) print: bool,
    pub(crate) input_format: Option<String>,
    pub(crate) output_format: Option<String>,
    pub(crate) partial_messages: bool,
    pub(crate) replay: bool,
    pub(crate) verbose: bool,
    /// What it does is told on stderr.
    pub(crate) diagnoses: bool,
    /// Values of flags that change nothing here.
    ignored: Option<String>,
}

/// What to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Version,
    Help,
    Run(Box<Args>),
}

/// Parses the arguments after the program's name; the error is the line for stderr.
pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Request, String> {
    let mut words = words.peekable();
    let mut args = Args::default();
    while let Some(word) = words.next() {
        let (flag, inline) = match word.split_once('=') {
            Some((flag, value)) if word.starts_with("--") => {
                (flag.to_owned(), Some(value.to_owned()))
            }
            _ => (word.clone(), None),
        };
        match flag.as_str() {
            "-v" | "--version" => return Ok(Request::Version),
            "-h" | "--help" => return Ok(Request::Help),
            "-p" | "--print" => args.print = true,
            "--include-partial-messages" => args.partial_messages = true,
            "--replay-user-messages" => args.replay = true,
            "--verbose" => args.verbose = true,
            "-d2e" | "--debug-to-stderr" => args.diagnoses = true,
            _ if SWITCHES.contains(&flag.as_str()) => {}
            _ if is_list(&flag) => take_list(&mut args, &flag, inline, &mut words)?,
            _ if MAYBE_VALUED.contains(&flag.as_str()) => {
                words.next_if(|word| !word.starts_with('-'));
            }
            _ if flag.starts_with('-') => {
                let slot = slot(&mut args, &flag)
                    .ok_or_else(|| format!("error: unknown option '{word}'"))?;
                let value = inline.or_else(|| words.next());
                *slot = Some(value.ok_or_else(|| missing(&flag))?);
            }
            _ => args.prompt = Some(word),
        }
    }
    check(args)
}

fn missing(flag: &str) -> String {
    let whole = DESCRIBED
        .iter()
        .find(|described| described.split(' ').any(|name| name == flag));
    format!(
        "error: option '{}' argument missing",
        whole.unwrap_or(&flag)
    )
}

fn is_list(flag: &str) -> bool {
    LISTS.contains(&flag)
}

/// An option that takes every word up to the next flag.
fn take_list(
    args: &mut Args,
    flag: &str,
    inline: Option<String>,
    words: &mut Peekable<impl Iterator<Item = String>>,
) -> Result<(), String> {
    let first = inline.or_else(|| words.next());
    let first = first.ok_or_else(|| missing(flag))?;
    let list = match flag {
        "--mcp-config" => &mut args.mcp_configs,
        "--allowedTools" | "--allowed-tools" => &mut args.allowed_tools,
        _ => &mut args.ignored_lists,
    };
    list.push(first);
    while let Some(more) = words.next_if(|word| !word.starts_with('-')) {
        list.push(more);
    }
    Ok(())
}

fn slot<'a>(args: &'a mut Args, flag: &str) -> Option<&'a mut Option<String>> {
    Some(match flag {
        "--system-prompt" => &mut args.system_prompt,
        "--system-prompt-file" => &mut args.system_prompt_file,
        "--tools" => &mut args.tools,
        "--settings" => &mut args.settings,
        "--session-id" => &mut args.session_id,
        "-r" | "--resume" => &mut args.resume,
        "--model" => &mut args.model,
        "--permission-mode" => &mut args.permission_mode,
        "--effort" => &mut args.effort,
        "--input-format" => &mut args.input_format,
        "--output-format" => &mut args.output_format,
        _ if VALUED.contains(&flag) => &mut args.ignored,
        _ => return None,
    })
}

/// The checks the real CLI makes before it draws anything, with its words.
fn check(args: Args) -> Result<Request, String> {
    if args
        .session_id
        .as_deref()
        .is_some_and(|id| !id::is_uuid(id))
    {
        return Err("Error: Invalid session ID. Must be a valid UUID.".to_owned());
    }
    if let Some(mode) = args
        .permission_mode
        .as_deref()
        .filter(|mode| !MODES.contains(mode))
    {
        return Err(format!(
            "error: option '--permission-mode <mode>' argument '{mode}' is invalid. Allowed choices are acceptEdits, auto, bypassPermissions, default, dontAsk, plan."
        ));
    }
    check_print(&args)?;
    Ok(Request::Run(Box::new(args)))
}

/// What print mode needs, in the order in which the real CLI looks.
fn check_print(args: &Args) -> Result<(), String> {
    for (flag, given, known) in [
        ("--output-format", &args.output_format, &OUTPUTS[..]),
        ("--input-format", &args.input_format, &INPUTS[..]),
    ] {
        if let Some(given) = given.as_deref().filter(|given| !known.contains(given)) {
            return Err(format!(
                "error: option '{flag} <format>' argument '{given}' is invalid. Allowed choices are {}.",
                known.join(", ")
            ));
        }
    }
    let streams = |format: &Option<String>| format.as_deref() == Some("stream-json");
    if streams(&args.input_format) && !streams(&args.output_format) {
        return Err(
            "Error: --input-format=stream-json requires output-format=stream-json.".to_owned(),
        );
    }
    if args.print && streams(&args.output_format) && !args.verbose {
        return Err(
            "Error: When using --print, --output-format=stream-json requires --verbose".to_owned(),
        );
    }
    Ok(())
}

const OUTPUTS: [&str; 3] = ["text", "json", "stream-json"];
const INPUTS: [&str; 2] = ["text", "stream-json"];

/// Flags that take nothing and change nothing here.
const SWITCHES: [&str; 27] = [
    "--strict-mcp-config",
    "--ax-screen-reader",
    "--allow-dangerously-skip-permissions",
    "--dangerously-skip-permissions",
    "--bare",
    "--bg",
    "--background",
    "--brief",
    "--chrome",
    "--no-chrome",
    "--desktop",
    "--disable-slash-commands",
    "--exclude-dynamic-system-prompt-sections",
    "--fork-session",
    "--forward-subagent-text",
    "--ide",
    "--include-hook-events",
    "--no-session-persistence",
    "--restricted",
    "--safe-mode",
    "--tmux",
    "-c",
    "--continue",
    "--mcp-debug",
    "--enable-auth-status",
    "--init",
    "--maintenance",
];

/// Flags that may take a word and change nothing here.
const MAYBE_VALUED: [&str; 9] = [
    "-d",
    "--debug",
    "--from-pr",
    "--prompt-suggestions",
    "--remote-control",
    "--cloud",
    "--teleport",
    "-w",
    "--worktree",
];

/// Flags that take one word and change nothing here.
const VALUED: [&str; 18] = [
    "--setting-sources",
    "--agent",
    "--agents",
    "--append-system-prompt",
    "--autocompact",
    "--debug-file",
    "--environment",
    "--fallback-model",
    "--json-schema",
    "--max-budget-usd",
    "--permission-prompts",
    "--plugin-dir",
    "--plugin-url",
    "--remote-control-session-name-prefix",
    "--system-prompt-snapshot",
    "-n",
    "--name",
    "--max-turns",
];

const LISTS: [&str; 8] = [
    "--mcp-config",
    "--allowedTools",
    "--allowed-tools",
    "--disallowedTools",
    "--disallowed-tools",
    "--add-dir",
    "--betas",
    "--file",
];

/// How the real CLI names a flag whose argument is missing.
const DESCRIBED: [&str; 10] = [
    "--model <model>",
    "--settings <file-or-json>",
    "--session-id <uuid>",
    "--permission-mode <mode>",
    "--effort <level>",
    "--system-prompt <prompt>",
    "--mcp-config <configs...>",
    "--tools <tools...>",
    "--output-format <format>",
    "--input-format <format>",
];

const MODES: [&str; 7] = [
    "acceptEdits",
    "auto",
    "bypassPermissions",
    "default",
    "manual",
    "dontAsk",
    "plan",
];

/// What `--help` prints.
pub(crate) const HELP: &str = "Usage: claude [options] [command] [prompt]

Claude Code - starts an interactive session by default, use -p/--print for
non-interactive output

This is fake-claude, a simulated stand-in. Options it understands:
  --system-prompt <prompt>       --system-prompt-file <file>   --tools <tools...>
  --allowedTools <tools...>      --strict-mcp-config           --mcp-config <configs...>
  --setting-sources <sources>    --settings <file-or-json>     --session-id <uuid>
  -r, --resume <uuid>            --model <model>               --permission-mode <mode>
  --effort <level>               -p, --print                   --verbose
  --input-format <format>        --output-format <format>      --include-partial-messages
  -v, --version                  -h, --help
";

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Result<Request, String> {
        parse(line.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn flags_take_values_apart_or_after_an_equals_sign() {
        let Ok(Request::Run(args)) = words(&[
            "--tools",
            "",
            "--model=m",
            "--strict-mcp-config",
            "--setting-sources",
            "",
        ]) else {
            panic!("these flags must parse");
        };
        assert_eq!(args.tools.as_deref(), Some(""));
        assert_eq!(args.model.as_deref(), Some("m"));
    }

    #[test]
    fn an_unknown_flag_is_refused_in_the_real_words() {
        assert_eq!(
            words(&["--nosuch=1"]),
            Err("error: unknown option '--nosuch=1'".to_owned())
        );
        assert!(words(&["--session-id", "x"]).is_err());
        assert!(words(&["--permission-mode", "bad"]).is_err());
        assert_eq!(words(&["--version"]), Ok(Request::Version));
        assert_eq!(
            words(&["--model"]),
            Err("error: option '--model <model>' argument missing".to_owned())
        );
        assert_eq!(
            words(&["-p", "--output-format", "stream-json"]),
            Err(
                "Error: When using --print, --output-format=stream-json requires --verbose"
                    .to_owned()
            )
        );
    }
}
