//! The command line with an example for each command: those of one kind of row share their words, so what differs stands here.
//! `[pure]`

use super::Cli;
use clap::Command;
use clap::CommandFactory;

/// The whole command line, as it is read, completed and printed.
pub(crate) fn command() -> Command {
    shown(Cli::command(), "")
}

/// A command and those behind it, each with an example.
fn shown(command: Command, path: &str) -> Command {
    let has_one = command
        .get_after_help()
        .is_some_and(|help| help.to_string().contains("Examples:"));
    let example = EXAMPLES.iter().find(|(of, _)| *of == path);
    let command = match example {
        Some((_, lines)) if !has_one => command.after_help(format!("Examples:\n  {lines}")),
        _ => command,
    };
    command.mut_subcommands(|inner| {
        let path = format!("{path} {}", inner.get_name());
        shown(inner, path.trim_start())
    })
}

/// A line or two for each command that says none where it is declared.
const EXAMPLES: &[(&str, &str)] = &[
    ("logout", "inference-relay logout codex"),
    (
        "token",
        "inference-relay token rotate    makes the key \"default\", or gives it a new text",
    ),
    ("token show", "inference-relay token show --json"),
    ("token rotate", "inference-relay token rotate --overlap 1h"),
    (
        "service install",
        "inference-relay service install\n  inference-relay service install --print",
    ),
    ("service uninstall", "inference-relay service uninstall"),
    ("service start", "inference-relay service start"),
    ("service stop", "inference-relay service stop"),
    ("service status", "inference-relay service status --json"),
    (
        "service logs",
        "inference-relay service logs -n 200 --follow",
    ),
    (
        "key create",
        "inference-relay key create laptop\n  KEY=$(inference-relay key create ci --expires-in 90d --policy team)",
    ),
    ("key policy", "inference-relay key policy laptop team"),
    ("key list", "inference-relay key list --json"),
    ("key disable", "inference-relay key disable ci"),
    ("key enable", "inference-relay key enable ci"),
    (
        "key rotate",
        "inference-relay key rotate laptop --overlap 2h",
    ),
    (
        "key expire",
        "inference-relay key expire ci --in 7d\n  inference-relay key expire ci --never",
    ),
    ("key delete", "inference-relay key delete ci"),
    (
        "catalog validate",
        "inference-relay catalog validate\n  inference-relay catalog validate ./catalog",
    ),
    (
        "catalog diff",
        "inference-relay catalog diff ./catalog --prune",
    ),
    (
        "catalog apply",
        "inference-relay catalog apply ./catalog --dry-run\n  inference-relay catalog apply - < rows.yaml",
    ),
    ("catalog kinds", "inference-relay catalog kinds host"),
    (
        "catalog export",
        "inference-relay catalog export > backup.yaml",
    ),
    (
        "host add",
        "inference-relay host add openai --url https://api.openai.com --key-env OPENAI_API_KEY\n  inference-relay host add local --url http://127.0.0.1:11434 --network private",
    ),
    ("host list", "inference-relay host list --json"),
    ("host show", "inference-relay host show openai"),
    ("host test", "inference-relay host test openai"),
    ("host remove", "inference-relay host remove openai"),
    (
        "host-key add",
        "inference-relay host-key add openai-b --host openai --env OPENAI_API_KEY_B\n  inference-relay host-key add openai-c --host openai --stdin < key.txt",
    ),
    ("host-key list", "inference-relay host-key list --json"),
    ("host-key show", "inference-relay host-key show openai-b"),
    ("host-key test", "inference-relay host-key test openai-b"),
    (
        "host-key remove",
        "inference-relay host-key remove openai-b",
    ),
    (
        "model add",
        "inference-relay model add gpt-test --alias gpt-test-latest --input-price 2.5 --output-price 10",
    ),
    ("model list", "inference-relay model list --json"),
    ("model show", "inference-relay model show gpt-test"),
    ("model test", "inference-relay model test gpt-test"),
    ("model remove", "inference-relay model remove gpt-test"),
    (
        "binding add",
        "inference-relay binding add --model gpt-test --lane http:openai --adapter openai",
    ),
    ("binding list", "inference-relay binding list --json"),
    (
        "binding show",
        "inference-relay binding show gpt-test-openai",
    ),
    (
        "binding test",
        "inference-relay binding test gpt-test-openai",
    ),
    (
        "binding remove",
        "inference-relay binding remove gpt-test-openai",
    ),
    (
        "policy add",
        "inference-relay policy add team --models gpt-test --requests-per-minute 600 --budget 50/month",
    ),
    ("policy list", "inference-relay policy list --json"),
    ("policy show", "inference-relay policy show team"),
    ("policy test", "inference-relay policy test team"),
    ("policy remove", "inference-relay policy remove team"),
    ("secret set", "inference-relay secret set openai < key.txt"),
    ("secret list", "inference-relay secret list --json"),
    ("secret remove", "inference-relay secret remove openai"),
    ("secret rekey", "inference-relay secret rekey"),
    ("user add", "inference-relay user add ada --role operator"),
    ("user list", "inference-relay user list --json"),
    (
        "user passwd",
        "inference-relay user passwd admin\n  inference-relay user passwd admin --stdin < password.txt",
    ),
    ("user remove", "inference-relay user remove ada"),
    ("breaker list", "inference-relay breaker list --json"),
    ("breaker reset", "inference-relay breaker reset openai-b"),
    ("config show", "inference-relay config show --json"),
    ("config path", "inference-relay config path"),
    (
        "config default",
        "inference-relay config default > relay.toml",
    ),
    ("bench", "inference-relay bench --help"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_of_a_command_that_there_is() {
        for (path, _) in EXAMPLES {
            let mut at = command();
            for word in path.split(' ') {
                let inner = at.find_subcommand(word).cloned();
                at = inner.unwrap_or_else(|| panic!("{path}: there is no {word}"));
            }
            assert!(at.get_after_help().is_some(), "{path}");
        }
    }
}
