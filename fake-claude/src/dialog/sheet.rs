//! What is asked in the prompt box's place: models, rewinding, resuming, limits, login, and what a script asks.

use crate::dialog::Dialog;
use crate::dialog::Topic;
use crate::dialog::list::Choice;
use crate::dialog::list::Place;
use crate::look::Dialect;
use crate::request::marketing;

impl Dialog {
    /// A question of a script, in the middle of a turn.
    pub(crate) fn script(question: &str, options: &[String], is_new: bool) -> Dialog {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        Dialog::new(Topic::Script, Place::Box, is_new, &[question, ""]).with(&options)
    }

    /// How to log in; numbered in both families.
    pub(crate) fn login(is_new: bool) -> Dialog {
        let text = [
            "Login",
            "",
            "Claude Code can be used with your Claude subscription or billed based on API usage through your Console account.",
            "",
            "Select login method:",
            "",
        ];
        let choices = match is_new {
            true => [
                "Claude account with subscription · Individual, Team, or Enterprise",
                "Anthropic Console account · API usage billing",
                "3rd-party platform · Bedrock, Microsoft Foundry, Google Vertex AI",
            ],
            false => [
                "Claude account with subscription · Pro, Max, Team, or Enterprise",
                "Anthropic Console account · API usage billing",
                "3rd-party platform · Amazon Bedrock, Microsoft Foundry, or Vertex AI",
            ],
        };
        Dialog {
            numbered: true,
            foot: Some("Esc to cancel"),
            ..Dialog::new(Topic::Login, Place::Sheet, is_new, &text).with(&choices)
        }
    }

    /// The page in the browser, which never comes here.
    pub(crate) fn browser(is_new: bool) -> Dialog {
        let url = if is_new { "URL" } else { "url" };
        let opened = format!("Browser didn't open? Use the {url} below to sign in (c to copy)");
        let text = [
            opened.as_str(),
            "",
            "https://claude.com/cai/oauth/authorize?code=true&response_type=code&state=simulated",
            "",
            "Paste code here if prompted >",
        ];
        Dialog {
            foot: Some("Esc to go back"),
            ..Dialog::new(Topic::Browser, Place::Sheet, is_new, &text)
        }
    }

    /// Whether a cached conversation goes on with another model.
    pub(crate) fn switch(model: &str, dialect: &Dialect) -> Dialog {
        let name = dialect.called(model);
        let is_new = dialect.is_new();
        let reread = format!(
            "This conversation is cached for the current model. Switching to {name} {}",
            dialect.reread
        );
        let text = [
            "Switch model?",
            "Your next response will be slower and use more tokens",
            "",
            reread.as_str(),
            "",
        ];
        let yes = format!("Yes, switch to {name}");
        Dialog {
            numbered: true,
            foot: is_new.then_some("Enter to confirm · Esc to cancel"),
            ..Dialog::new(Topic::Switch(model.to_owned()), Place::Sheet, is_new, &text)
                .with(&[&yes, "No, go back"])
        }
    }

    /// The models to pick from; the current one is chosen.
    pub(crate) fn models(current: &str, is_new: bool) -> Dialog {
        let mut models: Vec<String> = MODELS.iter().map(|model| (*model).to_owned()).collect();
        if !models.iter().any(|model| model == current) {
            models.push(current.to_owned());
        }
        let label = |model: &String| match model == current {
            true => Choice::of(&format!("{} ✔", marketing(model))),
            false => Choice::of(&marketing(model)),
        };
        let text = [
            "Select model",
            "Switch between Claude models. Your pick becomes the default for new sessions. For other/previous model names, specify with --model.",
            "",
        ];
        let dialog = Dialog::new(Topic::Models(models.clone()), Place::Sheet, is_new, &text);
        Dialog {
            choices: models.iter().map(label).collect(),
            selected: models
                .iter()
                .position(|model| model == current)
                .unwrap_or(0),
            numbered: true,
            foot: Some("Enter to set as default · s to use this session only · Esc to cancel"),
            ..dialog
        }
    }

    /// The menu of Esc Esc: the prompts, oldest first, and where we are.
    pub(crate) fn rewind(prompts: &[String], is_new: bool) -> Dialog {
        let text = [
            "Rewind",
            "",
            "Restore the code and/or conversation to the point before…",
            "",
        ];
        let choice = |prompt: &String| Choice {
            label: prompt.lines().next().unwrap_or_default().to_owned(),
            notes: vec!["No code changes".to_owned(), String::new()],
        };
        let mut choices: Vec<Choice> = prompts.iter().map(choice).collect();
        choices.push(Choice::of("(current)"));
        Dialog {
            selected: choices.len() - 1,
            choices,
            numbered: false,
            foot: Some("Enter to continue · Esc to cancel"),
            ..Dialog::new(Topic::Rewind, Place::Sheet, is_new, &text)
        }
    }

    /// Whether to go back to before that prompt.
    pub(crate) fn restore(at: usize, prompt: &str, is_new: bool) -> Dialog {
        let quoted = format!("│ {}", prompt.lines().next().unwrap_or_default());
        let (asked, told) = match is_new {
            true => (
                "Restore to the point before you sent this message:",
                "The conversation goes back to before this message.",
            ),
            false => (
                "Confirm you want to restore to the point before you sent this message:",
                "The conversation will be forked.",
            ),
        };
        let text = [
            "Rewind",
            "",
            asked,
            "",
            quoted.as_str(),
            "",
            told,
            "The code will be unchanged.",
            "",
        ];
        Dialog {
            numbered: true,
            foot: None,
            ..Dialog::new(Topic::Restore(at), Place::Sheet, is_new, &text).with(&[
                "Restore conversation",
                "Summarize from here",
                "Summarize up to here",
                "Never mind",
            ])
        }
    }

    /// The other conversations of this folder: what they began with, and a line about each.
    pub(crate) fn resume(found: &[(String, String, String)], folder: &str, is_new: bool) -> Dialog {
        let none = "No conversations found in this project.";
        let mut text = vec!["Resume session", "", "⌕ Search…", "", folder, ""];
        if found.is_empty() {
            text.push(none);
        }
        let choice = |(_, title, note): &(String, String, String)| Choice {
            label: title.clone(),
            notes: vec![note.clone(), String::new()],
        };
        let sessions = found.iter().map(|(session, ..)| session.clone()).collect();
        let foot = match is_new {
            true => "Ctrl+A to show all projects · Type to search · Enter to resume · Esc to close",
            false => "Ctrl+A to show all projects · Type to search · Esc to cancel",
        };
        Dialog {
            choices: found.iter().map(choice).collect(),
            numbered: false,
            foot: Some(foot),
            ..Dialog::new(Topic::Resume(sessions), Place::Sheet, is_new, &text)
        }
    }

    /// What the older family asks when a limit is hit.
    pub(crate) fn limit(is_new: bool) -> Dialog {
        Dialog {
            numbered: true,
            ..Dialog::new(
                Topic::Limit,
                Place::Sheet,
                is_new,
                &["What do you want to do?", ""],
            )
            .with(&["Stop and wait for limit to reset", "Upgrade your plan"])
        }
    }
}

/// The models that the list offers.
const MODELS: [&str; 4] = [
    "claude-opus-4-8",
    "claude-sonnet-5",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
];
