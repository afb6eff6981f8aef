//! What a part of a call is called in the dialect that its caller speaks. `[pure]`

use super::Dialect;

/// A path of the inner language, in the caller's. That of a message or a block is the caller's already.
pub(crate) fn caller_path(dialect: Dialect, path: &str) -> String {
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
    ("messages", "messages", "input"),
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
            ("messages", "messages", "input"),
            ("input.3", "input.3", "input.3"),
        ] {
            assert_eq!(caller_path(Dialect::Anthropic, path), path);
            assert_eq!(caller_path(Dialect::Chat, path), chat);
            assert_eq!(caller_path(Dialect::Responses, path), responses);
        }
    }
}
