//! What the recorder leaves out of the relay's command line for versions that do not know it. `[pure]`
//!
//! Without this an old version could not be recorded at all. The case `launch` leaves nothing out: it shows whether
//! the relay itself can start that version.

use crate::session::hook_settings;
use crate::session::version_parts;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;

/// What a version is started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Hooks of type `http`, and the `StopFailure` hook; before, the settings are refused whole.
    http_hooks: bool,
    /// `--tools` in interactive sessions; before, it is an error.
    tools_flag: bool,
    /// The `MessageDisplay` hook; before, the settings raise a question at the start.
    message_display: bool,
    /// Hooks that the relay does not ask for, and the goldens do.
    more_hooks: bool,
}

impl Dialect {
    pub(crate) fn of(version: &str) -> Dialect {
        let number = version_parts(version);
        Dialect {
            http_hooks: number >= HTTP_HOOKS_SINCE,
            tools_flag: number >= TOOLS_FLAG_SINCE,
            message_display: number >= DISPLAYS_SINCE,
            more_hooks: true,
        }
    }

    /// Nothing left out, nothing added.
    pub(crate) fn of_the_relay() -> Dialect {
        Dialect {
            http_hooks: true,
            tools_flag: true,
            message_display: true,
            more_hooks: false,
        }
    }

    /// Whether hooks are posted, and so heard while the session runs.
    pub(crate) fn posts(self) -> bool {
        self.http_hooks
    }

    /// The settings whose hooks tell of themselves at `url`, or in a file where the version cannot post.
    /// `gate` is where the session waits before it begins, where it is to.
    pub(crate) fn settings(self, url: &str, file: &Path, gate: Option<&Path>) -> Value {
        let hook = match self.http_hooks {
            true => json!({"type": "http", "url": url}),
            false => {
                let file = file.display();
                json!({"type": "command", "command": format!("cat >> '{file}'; echo >> '{file}'")})
            }
        };
        let mut settings = hook_settings(url, gate);
        let Some(hooks) = settings["hooks"].as_object_mut() else {
            return settings;
        };
        let start = hooks.shift_remove("SessionStart");
        // The goldens were recorded without them, but for the cases that ask for more.
        hooks.shift_remove("PostToolUse");
        hooks.shift_remove("PostToolUseFailure");
        hooks.shift_remove("PostToolBatch");
        if !self.message_display {
            hooks.shift_remove("MessageDisplay");
        }
        if !self.http_hooks {
            hooks.shift_remove("StopFailure");
        }
        if self.more_hooks {
            hooks.extend(MORE_HOOKS.map(|event| (event.to_owned(), Value::Null)));
        }
        for (_, hooks) in hooks.iter_mut() {
            *hooks = json!([{"hooks": [hook]}]);
        }
        hooks.extend(start.map(|start| ("SessionStart".to_owned(), start)));
        settings
    }

    /// The arguments as this version takes them, without the relay's own tools: a case brings its own.
    pub(crate) fn args(self, mut args: Vec<OsString>) -> Vec<OsString> {
        let unwanted = ["--mcp-config", "--allowedTools"].into_iter();
        for flag in unwanted.chain((!self.tools_flag).then_some("--tools")) {
            if let Some(at) = args.iter().position(|arg| arg == flag) {
                args.drain(at..at + 2);
            }
        }
        args
    }
}

/// 2.0.76 knows hooks of type `command` only; 2.1.120 posts.
const HTTP_HOOKS_SINCE: [u32; 3] = [2, 1, 0];
/// 2.0.76 refuses the flag without `--print`; 2.1.120 takes it.
const TOOLS_FLAG_SINCE: [u32; 3] = [2, 1, 0];
/// 2.1.120 refuses the name of the `MessageDisplay` hook, 2.1.197 takes it; between them it was seen first at about this.
const DISPLAYS_SINCE: [u32; 3] = [2, 1, 152];
const MORE_HOOKS: [&str; 2] = ["PreToolUse", "PostToolUse"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_version_is_not_given_what_it_does_not_know() {
        let args = || ["--tools", "", "--model", "m"].map(OsString::from).to_vec();
        assert_eq!(Dialect::of("2.0.76").args(args()), ["--model", "m"]);
        assert_eq!(Dialect::of("2.1.120").args(args()), args());
        let hooks =
            |version| Dialect::of(version).settings("u", Path::new("f"), None)["hooks"].clone();
        assert!(hooks("2.1.120").get("MessageDisplay").is_none());
        assert!(hooks("2.1.329").get("MessageDisplay").is_some());
    }
}
