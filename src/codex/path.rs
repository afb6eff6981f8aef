//! What a part of a call is called in the dialect that its caller speaks. `[pure]`

use super::fault;
use crate::lane::Dialect;
use crate::turn::Fault;

/// A part of a call that cannot reach the model through the CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfit {
    path: String,
    why: &'static str,
}

impl Unfit {
    pub(super) fn at(path: &str, why: &'static str) -> Unfit {
        Unfit {
            path: path.to_owned(),
            why,
        }
    }

    #[cfg(test)]
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path == path
    }

    /// As the caller is told.
    pub(super) fn fault(&self, dialect: Dialect) -> Box<Fault> {
        fault::unfit(&told(dialect, &self.path), self.why)
    }
}

/// A path of the inner language, in the caller's. Messages have other places there, so only their list is named.
pub(super) fn told(dialect: Dialect, path: &str) -> String {
    let [chat, responses] = match dialect {
        Dialect::Anthropic | Dialect::Count | Dialect::Opaque(_) => return path.to_owned(),
        Dialect::Chat | Dialect::Responses => inner(path),
    };
    match dialect {
        Dialect::Responses => responses,
        Dialect::Anthropic | Dialect::Count | Dialect::Chat | Dialect::Opaque(_) => chat,
    }
}

/// In Chat Completions and in Responses.
fn inner(path: &str) -> [String; 2] {
    let known = NAMES.iter().find(|(name, _, _)| *name == path);
    if let Some((_, chat, responses)) = known {
        return [chat, responses].map(|name| (*name).to_owned());
    }
    if path.starts_with("messages") {
        return ["messages", "input"].map(str::to_owned);
    }
    let mut parts = path.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("tools"), Some(place), Some(field)) => {
            let field = field.replace("input_schema", "parameters");
            [
                format!("tools.{place}.function.{field}"),
                format!("tools.{place}.{field}"),
            ]
        }
        _ => [path.to_owned(), path.to_owned()],
    }
}

/// Here, in Chat Completions, in Responses.
const NAMES: &[(&str, &str, &str)] = &[
    ("max_tokens", "max_tokens", "max_output_tokens"),
    ("stop_sequences", "stop", "stop"),
    (
        "tool_choice.disable_parallel_tool_use",
        "parallel_tool_calls",
        "parallel_tool_calls",
    ),
    ("output_config.format", "response_format", "text.format"),
    (
        "output_config.effort",
        "reasoning_effort",
        "reasoning.effort",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_named_as_its_caller_names_it() {
        for (path, chat, responses) in [
            ("temperature", "temperature", "temperature"),
            ("stop_sequences", "stop", "stop"),
            (
                "tools.2.input_schema",
                "tools.2.function.parameters",
                "tools.2.parameters",
            ),
            ("tools.0.name", "tools.0.function.name", "tools.0.name"),
            ("messages.3.content.1", "messages", "input"),
        ] {
            assert_eq!(told(Dialect::Anthropic, path), path);
            assert_eq!(told(Dialect::Chat, path), chat);
            assert_eq!(told(Dialect::Responses, path), responses);
        }
        let fault = Unfit::at("messages.3.content.1", "no files").fault(Dialect::Chat);
        assert!(
            fault.public.starts_with("messages: no files"),
            "{}",
            fault.public
        );
    }
}
