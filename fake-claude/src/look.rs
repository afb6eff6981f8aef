//! What differs between the imitated versions, as data: one table, and the version that each row speaks for.

use serde_json::Value;
use serde_json::json;

use crate::request::marketing;

/// Where and how the screen is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// As 2.1.197: inline on the main screen, a boxed banner.
    Inline,
    /// As 2.1.329: the alternate screen, the prompt at its bottom.
    Fullscreen,
}

/// What a version makes of hooks that `--settings` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookSense {
    /// As 2.0.76: a hook of type http makes the whole file an error.
    NoHttp,
    /// As 2.1.120: `MessageDisplay` is not known, is warned of and skipped.
    NoMessageDisplay,
    All,
}

/// The banner of the older families: a box with the mascot on the left and news on the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Banner {
    /// How many blank rows stand above it, and how many below.
    pub(crate) above: usize,
    pub(crate) below: usize,
    /// The mascot, row by row.
    pub(crate) art: [&'static str; 3],
    /// What the right half tells below the tips.
    pub(crate) news: [&'static str; 2],
    /// What stands below the box.
    pub(crate) advice: Option<&'static str>,
    /// Whether the model is called by its name, and not by its id.
    pub(crate) names_model: bool,
}

/// How a reply is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prose {
    /// What stands before a quote.
    pub(crate) quote: &'static str,
    /// Whether tables have frames, and not pipes.
    pub(crate) framed_tables: bool,
    /// Whether a link keeps its text, with the address behind.
    pub(crate) named_links: bool,
    /// Whether a blank row follows a rule.
    pub(crate) rule_stands_apart: bool,
}

/// How emoji of several characters are drawn, since terminals disagree about their width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emoji {
    /// As any other letter.
    Plain,
    /// Where the form is chosen by a selector, its columns are cleared first and the cursor is put behind it.
    Unwiped,
    /// The same, and what may be left of it behind is written over.
    IfSelected,
    /// Always.
    All,
}

/// How a failed turn is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failing {
    pub(crate) words: Words,
    /// Whether failures of the API stand behind `⎿`, below the prompt.
    pub(crate) is_result: bool,
    /// How wide a failure that stands by itself is drawn: so much narrower than the window.
    pub(crate) margin: usize,
    /// What a model that the API does not know is called.
    pub(crate) unknown_model: &'static str,
    /// Whether a failure that came within a stream is told by its message alone, and what kind it is by nothing.
    pub(crate) hides_events: bool,
    /// Whether a gateway is named as the one to look at.
    pub(crate) names_gateway: bool,
    /// Why a refused turn stopped.
    pub(crate) refusal_stops: &'static str,
    /// The most tokens of an answer as a failure tells it, where it tells another number than was asked for.
    pub(crate) max_tokens: Option<u64>,
    /// How often an answer that was cut off is gone on with.
    pub(crate) cuts_max: u32,
    /// The words where there is no login.
    pub(crate) no_login: &'static str,
    /// What is added where the model refused.
    pub(crate) refusal_advice: &'static str,
}

/// What is done to the screen once the text editor has given it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterEditor {
    /// It is cleared and drawn anew.
    Anew,
    /// Everything is drawn once more, below what was there.
    Below,
    /// Only what changed is drawn.
    GoesOn,
}

/// The words about a failure of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// Status and body, whatever it is.
    Body,
    /// What it means, with the body where that is not known.
    MeaningOrBody,
    /// What it means, with the message where that is not known.
    Meaning,
}

/// One imitated version.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) look: Look,
    pub(crate) hooks: HookSense,
    /// What stands before the prompt, without the blank.
    pub(crate) mark: &'static str,
    pub(crate) banner: Banner,
    pub(crate) prose: Prose,
    pub(crate) emoji: Emoji,
    pub(crate) failing: Failing,
    /// Whether `esc to interrupt` stands in the spinner's line, as in 2.0, and not in the footer.
    pub(crate) esc_at_spinner: bool,
    /// Whether a turn ends with a line about its duration.
    pub(crate) tells_duration: bool,
    /// Whether there is a line about thinking.
    pub(crate) tells_thinking: bool,
    /// Whether an answer is shown while it comes.
    pub(crate) shows_coming: bool,
    /// Whether the lines of a prompt stand below each other, behind the mark.
    pub(crate) indents_prompts: bool,
    /// What is done to the screen once the text editor has given it back.
    pub(crate) after_editor: AfterEditor,
    /// What is offered below the box while `/exit` stands in it.
    pub(crate) menu: &'static [&'static str],
    /// What `/clear` says.
    pub(crate) cleared: Option<&'static str>,
    /// Whether the footer tells of agents while nothing is typed.
    pub(crate) tells_agents: bool,
    pub(crate) foot: Foot,
    /// Whether a call of a tool is folded into `Called relay`, and not shown with its result.
    pub(crate) folds_calls: bool,
    /// Whether a line that is broken at a blank keeps it, at the beginning of the next.
    pub(crate) keeps_blanks: bool,
    /// Whether hooks, records and requests leave out what later versions tell: where a prompt came from, how an answer
    /// stopped, what runs in the background, which server was used, which message was interrupted or refused.
    pub(crate) is_terse: bool,
    /// Whether records leave out even more: the entry, the prompt's name, how long a turn took, what each hook said.
    pub(crate) is_sparse: bool,
    /// What the billing line ends with, and the temperature that is asked for where no model thinks.
    pub(crate) billing_end: &'static str,
    pub(crate) temperature: Option<u32>,
    /// Whether an answer without a word is asked for once more.
    pub(crate) asks_again: bool,
    /// What follows the words about a new model.
    pub(crate) model_kept: &'static str,
    /// Whether hooks name the prompt and the effort.
    pub(crate) hooks_name_prompt: bool,
    /// Whether an Enter that is read together with a paste is lost at rest. The real ones lose it now and then; here it
    /// is always, so that nobody relies on it.
    pub(crate) loses_enter: bool,
    /// Whether a process keeps what it heard first of a tool, by its name and schema, for as long as it lives.
    pub(crate) keeps_tools: bool,
    /// Whether records say whose they are, and the CLI's own words to the model stand in a reminder.
    pub(crate) owns_notes: bool,
    /// Whether `--tools` is for print mode only.
    pub(crate) tools_need_print: bool,
    /// Whether `/model` asks first where a conversation is cached.
    pub(crate) asks_to_switch: bool,
    /// What the model called `haiku` is.
    pub(crate) haiku: &'static str,
    /// What the question about another model says of the cache.
    pub(crate) reread: &'static str,
    /// The features of the API that a request asks for: without thinking, and with it.
    pub(crate) features: [&'static str; 2],
    /// The feature that is left out when a request is made again because it was refused.
    pub(crate) dispensable: Option<&'static str>,
    /// How a request is made again without a stream, where the model is not known to the API.
    pub(crate) unstreamed: Unstreamed,
    /// Who looks at the host at the start.
    pub(crate) greets_as: Option<&'static str>,
}

/// What stands below the box at the right; the newer family has it above the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foot {
    pub(crate) corner: Corner,
    pub(crate) no_login: &'static str,
    /// Whether the mode stands in the last of its rows, and not in the first.
    pub(crate) mode_is_last: bool,
    /// Whether the word about an expandable paste stays while it is answered.
    pub(crate) paste_stays: bool,
}

/// What always stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Corner {
    Effort,
    /// A notice of something that went wrong.
    Notice(&'static str),
}

/// How a request without a stream says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unstreamed {
    /// By not mentioning streams.
    Unsaid,
    Said,
}

impl Dialect {
    /// The dialect of a version such as `2.1.197`: the newest row that is not newer.
    pub(crate) fn of(version: &str) -> Dialect {
        let number = number(version);
        let rows = TABLE.iter().rev();
        let row = rows.clone().find(|(from, _)| *from <= number);
        row.unwrap_or(&TABLE[0]).1.clone()
    }

    /// A model as people call it.
    pub(crate) fn called(&self, model: &str) -> String {
        match model {
            "haiku" => self.haiku.to_owned(),
            _ => marketing(model),
        }
    }

    /// A model as the banner calls it, which may be older than the model.
    pub(crate) fn titled(&self, model: &str) -> String {
        match self.banner.names_model || model == "haiku" {
            true => self.called(model),
            false => model.to_owned(),
        }
    }

    /// Whether this is the newer family.
    pub(crate) fn is_new(&self) -> bool {
        self.look == Look::Fullscreen
    }

    /// What else a record says, with a word of whose it is, where this version says that.
    pub(crate) fn whose(&self, source: &str, mut more: Value) -> Value {
        if self.owns_notes {
            more["rowSource"] = json!(source);
        }
        more
    }

    /// Whether the `MessageDisplay` hook exists.
    pub(crate) fn has_message_display(&self) -> bool {
        self.hooks == HookSense::All
    }
}

fn number(version: &str) -> (u32, u32, u32) {
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

/// The first version that is imitated by each row, oldest first. What is recorded is 2.0.76, 2.1.120, 2.1.197, 2.1.329
/// and 2.1.332; where a change came between two of them is known for `MessageDisplay` alone.
const TABLE: [((u32, u32, u32), Dialect); 5] = [
    ((0, 0, 0), AS_2_0_76),
    ((2, 1, 0), AS_2_1_120),
    ((2, 1, 152), AS_2_1_197),
    ((2, 1, 250), AS_2_1_329),
    ((2, 1, 332), AS_2_1_332),
];

const AS_2_0_76: Dialect = Dialect {
    look: Look::Inline,
    hooks: HookSense::NoHttp,
    mark: ">",
    banner: Banner {
        above: 1,
        below: 1,
        art: ["* ▐▛███▜▌ *", "* ▝▜█████▛▘ *", "*  ▘▘ ▝▝  *"],
        advice: Some("/model to try Opus 4.5"),
        ..AS_2_1_120.banner
    },
    prose: Prose {
        quote: "",
        framed_tables: false,
        ..AS_2_1_120.prose
    },
    failing: Failing {
        words: Words::Body,
        cuts_max: 0,
        max_tokens: Some(32_000),
        no_login: "Invalid API key · Please run /login",
        ..AS_2_1_120.failing
    },
    esc_at_spinner: true,
    tells_duration: false,
    shows_coming: false,
    is_sparse: true,
    haiku: "haiku (claude-haiku-4-5-20251001)",
    emoji: Emoji::Plain,
    menu: &[],
    indents_prompts: false,
    cleared: None,
    foot: Foot {
        corner: Corner::Notice(
            "Failed to install Anthropic marketplace · Will retry on next startup",
        ),
        no_login: "Missing API key · Run /login",
        mode_is_last: false,
        paste_stays: false,
    },
    folds_calls: false,
    tools_need_print: true,
    features: ["claude-code-20250219,interleaved-thinking-2025-05-14"; 2],
    greets_as: None,
    ..AS_2_1_120
};

const AS_2_1_120: Dialect = Dialect {
    hooks: HookSense::NoMessageDisplay,
    banner: Banner {
        below: 1,
        news: ["Recent activity", "No recent activity"],
        names_model: false,
        ..AS_2_1_197.banner
    },
    prose: Prose {
        named_links: false,
        ..AS_2_1_197.prose
    },
    failing: Failing {
        words: Words::MeaningOrBody,
        is_result: true,
        unknown_model: "invalid_request",
        names_gateway: false,
        refusal_stops: "stop_sequence",
        refusal_advice: " If you are seeing this refusal repeatedly, try running /model claude-sonnet-4-20250514 to switch models.",
        ..AS_2_1_197.failing
    },
    after_editor: AfterEditor::GoesOn,
    menu: &[
        "/exit                         Exit the CLI (in a background session: detach or stop)",
        "/context                      Visualize current context usage as a colored grid",
        "/claude-api                   Build, debug, and optimize Claude API / Anthropic SDK apps. Apps built with this skill",
        "                              should include prompt caching. Also handles migrating existing Claude API code betwee…",
        "/memory                       Edit Claude memory files",
    ],
    tells_agents: false,
    tells_thinking: false,
    cleared: Some("(no content)"),
    foot: Foot {
        mode_is_last: true,
        ..AS_2_1_197.foot
    },
    keeps_blanks: true,
    is_terse: true,
    is_sparse: false,
    billing_end: " cch=00000;",
    temperature: Some(1),
    asks_again: false,
    model_kept: "",
    emoji: Emoji::Unwiped,
    hooks_name_prompt: false,
    asks_to_switch: false,
    features: ["claude-code-20250219,interleaved-thinking-2025-05-14,redact-thinking-2026-02-12,context-management-2025-06-27,prompt-caching-scope-2026-01-05,effort-2025-11-24";
        2],
    ..AS_2_1_197
};

const AS_2_1_197: Dialect = Dialect {
    look: Look::Inline,
    hooks: HookSense::All,
    mark: "❯",
    banner: Banner {
        above: 0,
        below: 2,
        art: ["▐▛███▜▌", "▝▜█████▛▘", "▘▘ ▝▝"],
        news: ["What's new", "Check the Claude Code changelog for updates"],
        advice: None,
        names_model: true,
    },
    prose: Prose {
        quote: "▎ ",
        framed_tables: true,
        named_links: true,
        rule_stands_apart: false,
    },
    emoji: Emoji::IfSelected,
    failing: Failing {
        words: Words::Meaning,
        is_result: false,
        margin: 2,
        unknown_model: "model_not_found",
        hides_events: true,
        names_gateway: true,
        refusal_stops: "refusal",
        cuts_max: 3,
        max_tokens: None,
        no_login: "Not logged in · Please run /login",
        refusal_advice: "",
    },
    esc_at_spinner: false,
    tells_duration: true,
    tells_thinking: true,
    shows_coming: true,
    indents_prompts: true,
    after_editor: AfterEditor::Below,
    menu: &[
        "/exit                         Exit the CLI",
        "/context                      Visualize current context usage as a colored grid",
        "/memory                       Open a memory file in your editor",
        "/fork                         Spawn a background agent that inherits the full conversation",
        "/clear                        Start a new session with empty context; previous session stays on disk (resumable with",
        "                              /resume)",
        "/compact                      Free up context by summarizing the conversation so far",
    ],
    cleared: None,
    tells_agents: true,
    foot: Foot {
        corner: Corner::Effort,
        no_login: "Not logged in · Run /login",
        mode_is_last: false,
        paste_stays: true,
    },
    folds_calls: true,
    keeps_blanks: false,
    is_terse: false,
    is_sparse: false,
    billing_end: "",
    temperature: None,
    asks_again: true,
    model_kept: " and saved as your default for new sessions",
    hooks_name_prompt: true,
    loses_enter: true,
    keeps_tools: true,
    owns_notes: false,
    tools_need_print: false,
    asks_to_switch: true,
    haiku: "Haiku 4.5",
    reread: "means the full history gets re-read on your next message.",
    features: ["claude-code-20250219,interleaved-thinking-2025-05-14,redact-thinking-2026-02-12,thinking-token-count-2026-05-13,context-management-2025-06-27,prompt-caching-scope-2026-01-05,mid-conversation-system-2026-04-07,effort-2025-11-24";
        2],
    dispensable: None,
    unstreamed: Unstreamed::Unsaid,
    greets_as: Some("Bun/1.4.0"),
};

const AS_2_1_329: Dialect = Dialect {
    look: Look::Fullscreen,
    prose: Prose {
        rule_stands_apart: true,
        ..AS_2_1_197.prose
    },
    emoji: Emoji::All,
    after_editor: AfterEditor::Anew,
    menu: &[],
    foot: Foot {
        paste_stays: false,
        ..AS_2_1_197.foot
    },
    failing: Failing {
        margin: 10,
        ..AS_2_1_197.failing
    },
    loses_enter: false,
    keeps_tools: false,
    haiku: "Haiku 5.5",
    reread: "means the full history gets re-read.",
    features: [
        "claude-code-20250219,interleaved-thinking-2025-05-14,redact-thinking-2026-02-12,context-management-2025-06-27,thinking-token-count-2026-05-13,effort-2025-11-24",
        "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,thinking-token-count-2026-05-13,effort-2025-11-24,thinking-display-updates-2026-08-18",
    ],
    dispensable: Some("thinking-token-count-2026-05-13"),
    unstreamed: Unstreamed::Said,
    greets_as: None,
    ..AS_2_1_197
};

const AS_2_1_332: Dialect = Dialect {
    owns_notes: true,
    ..AS_2_1_329
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fall_into_their_families() {
        assert_eq!(Dialect::of("2.1.197").look, Look::Inline);
        assert_eq!(Dialect::of("2.1.329").look, Look::Fullscreen);
        assert!(!Dialect::of("2.1.120").has_message_display());
        assert_eq!(Dialect::of("2.0.76").hooks, HookSense::NoHttp);
        assert_eq!(Dialect::of("2.0.76").mark, ">");
    }

    #[test]
    fn a_version_between_two_is_the_older_one() {
        assert_eq!(Dialect::of("2.1.249").greets_as, Some("Bun/1.4.0"));
        assert_eq!(Dialect::of("1.0.0").mark, ">");
    }
}
