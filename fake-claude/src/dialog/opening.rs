//! What is asked before the prompt box is there: theme, login, trust, settings, the API key.

use crate::config;
use crate::dialog::Dialog;
use crate::dialog::Topic;
use crate::dialog::list::Place;
use crate::look::Dialect;
use crate::look::HookSense;

impl Dialog {
    /// The first screen of a new user.
    pub(crate) fn theme(version: &str, is_new: bool) -> Dialog {
        let welcome = format!("Welcome to Claude Code v{version}");
        let dots = ".".repeat(58);
        let text = [
            welcome.as_str(),
            dots.as_str(),
            "",
            "Let's get started.",
            "",
            "Choose the text style that looks best with your terminal",
            "To change this later, run /theme",
            "",
        ];
        let choices = match is_new {
            true => NEW_THEMES,
            false => OLD_THEMES,
        };
        Dialog {
            selected: if is_new { 0 } else { 1 },
            foot: Some("Syntax theme: Monokai Extended (ctrl+t to disable)"),
            ..Dialog::new(Topic::Theme, Place::Opening, is_new, &text).with(&choices)
        }
    }

    /// The older family has Yes first and chosen, the newer one No.
    pub(crate) fn trust(cwd: &str, dialect: &Dialect) -> Dialog {
        let is_new = dialect.is_new();
        if dialect.hooks == HookSense::NoHttp {
            return Dialog::first_trust(cwd);
        }
        let (yes, no) = ("Yes, I trust this folder", "No, exit");
        let text = [
            "Accessing workspace:",
            "",
            cwd,
            "",
            "Quick safety check: Is this a project you created or one you trust? (Like your own code, a well-known open source project, or work from your team). If not, take a moment to review what's in this folder first.",
            "",
            "Claude Code'll be able to read, edit, and execute files here.",
            "",
            "Security guide",
            "",
        ];
        let choices = if is_new { [no, yes] } else { [yes, no] };
        Dialog {
            keeps_blanks: dialect.keeps_blanks,
            ..Dialog::new(Topic::Trust, Place::Opening, is_new, &text).with(&choices)
        }
    }

    /// As 2.0.76 asked.
    fn first_trust(cwd: &str) -> Dialog {
        let text = [
            "Do you trust the files in this folder?",
            "",
            cwd,
            "",
            "Claude Code may read, write, or execute files contained in this directory. This can pose security risks, so only use files from trusted sources.",
            "",
            "Learn more",
            "",
        ];
        Dialog::new(Topic::Trust, Place::Opening, false, &text).with(&["Yes, proceed", "No, exit"])
    }

    pub(crate) fn api_key(key: &str, is_new: bool) -> Dialog {
        let shown = format!("ANTHROPIC_API_KEY: sk-ant-...{}", config::tail(key));
        let text = [
            "Detected a custom API key in your environment",
            "",
            &shown,
            "",
            "Do you want to use this API key?",
            "",
        ];
        Dialog {
            indent: 2,
            selected: 1,
            ..Dialog::new(Topic::ApiKey, Place::Opening, is_new, &text)
                .with(&["Yes", "No (recommended)"])
        }
    }

    /// As 2.1.120: an event that it does not know is skipped, and the user is told.
    pub(crate) fn unknown_event(file: &str, event: &str) -> Dialog {
        let skipped = format!(
            "   └ {event}: Unknown hook event \"{event}\" was ignored. Valid events: {KNOWN_EVENTS}"
        );
        let text = [
            "Settings Warning",
            "",
            file,
            " └ hooks",
            skipped.as_str(),
            "",
            "Learn more: https://code.claude.com/docs/en/hooks",
            "",
            "",
            "The values listed above were skipped; the rest of the file is in effect.",
            "",
        ];
        Dialog {
            indent: 2,
            ..Dialog::new(Topic::Settings, Place::Opening, false, &text)
                .with(&["Continue", "Exit and fix manually"])
        }
    }

    /// As 2.0.76: hooks of type http are an error, and the whole file is left out.
    pub(crate) fn bad_hooks(events: &[String]) -> Dialog {
        let mut text = vec!["└ hooks".to_owned()];
        for event in events {
            text.push(format!("  └ {event}"));
            text.push(
                "    └ type: Invalid discriminator value. Expected 'command' | 'prompt' | 'agent'"
                    .to_owned(),
            );
        }
        text.push(String::new());
        text.push(
            "Files with errors are skipped entirely, not just the invalid settings.".to_owned(),
        );
        text.push(String::new());
        let dialog = Dialog::new(Topic::Settings, Place::Opening, false, &[])
            .with(&["Exit and fix manually", "Continue without these settings"]);
        Dialog { text, ..dialog }
    }
}

const KNOWN_EVENTS: &str = "PreToolUse, PostToolUse, PostToolUseFailure, PostToolBatch, Notification, UserPromptSubmit, UserPromptExpansion, SessionStart, SessionEnd, Stop, StopFailure, SubagentStart, SubagentStop, PreCompact, PostCompact, PermissionRequest, PermissionDenied, Setup, TeammateIdle, TaskCreated, TaskCompleted, Elicitation, ElicitationResult, ConfigChange, WorktreeCreate, WorktreeRemove, InstructionsLoaded, CwdChanged, FileChanged";

const OLD_THEMES: [&str; 7] = [
    "Auto (match terminal)",
    "Dark mode ✔",
    "Light mode",
    "Dark mode (colorblind-friendly)",
    "Light mode (colorblind-friendly)",
    "Dark mode (ANSI colors only)",
    "Light mode (ANSI colors only)",
];
const NEW_THEMES: [&str; 7] = [
    "✔ Auto (match terminal)",
    "  Dark mode",
    "  Light mode",
    "  Dark mode (colorblind-friendly)",
    "  Light mode (colorblind-friendly)",
    "  Dark mode (ANSI colors only)",
    "  Light mode (ANSI colors only)",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_answer_differs_between_the_families() {
        assert_eq!(
            Dialog::trust("/w", &Dialect::of("2.1.197")).answer(),
            "Yes, I trust this folder"
        );
        assert_eq!(
            Dialog::trust("/w", &Dialect::of("2.1.329")).answer(),
            "No, exit"
        );
        assert_eq!(Dialog::api_key("k", true).answer(), "No (recommended)");
    }
}
