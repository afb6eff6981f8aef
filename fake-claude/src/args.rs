//! The command line, with the flags of the real CLI; a flag it does not know is an error, as there.

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
            "--strict-mcp-config" | "--ax-screen-reader" | "--verbose" => {}
            "--mcp-config" | "--allowedTools" | "--allowed-tools" | "--disallowedTools"
            | "--disallowed-tools" => {
                let first = inline.or_else(|| words.next());
                let first =
                    first.ok_or_else(|| format!("error: option '{flag}' argument missing"))?;
                let list = list(&mut args, &flag);
                list.push(first);
                while let Some(more) = words.next_if(|word| !word.starts_with('-')) {
                    list.push(more);
                }
            }
            _ if flag.starts_with('-') => {
                let slot = slot(&mut args, &flag)
                    .ok_or_else(|| format!("error: unknown option '{word}'"))?;
                let value = inline.or_else(|| words.next());
                *slot =
                    Some(value.ok_or_else(|| format!("error: option '{flag}' argument missing"))?);
            }
            _ => args.prompt = Some(word),
        }
    }
    check(args)
}

/// Options that take every word up to the next flag.
fn list<'a>(args: &'a mut Args, flag: &str) -> &'a mut Vec<String> {
    match flag {
        "--mcp-config" => &mut args.mcp_configs,
        "--allowedTools" | "--allowed-tools" => &mut args.allowed_tools,
        _ => &mut args.ignored_lists,
    }
}

fn slot<'a>(args: &'a mut Args, flag: &str) -> Option<&'a mut Option<String>> {
    Some(match flag {
        "--system-prompt" => &mut args.system_prompt,
        "--system-prompt-file" => &mut args.system_prompt_file,
        "--tools" => &mut args.tools,
        "--setting-sources" => &mut args.ignored,
        "--settings" => &mut args.settings,
        "--session-id" => &mut args.session_id,
        "-r" | "--resume" => &mut args.resume,
        "--model" => &mut args.model,
        "--permission-mode" => &mut args.permission_mode,
        "--effort" => &mut args.effort,
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
    Ok(Request::Run(Box::new(args)))
}

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
  --effort <level>               -v, --version                 -h, --help
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
    }
}
