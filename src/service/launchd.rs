//! launchd: the agent's property list, and what `launchctl` is told and says. `[pure]`

use super::manager::ServiceSpec;
use super::manager::Standing;
use super::step::Invocation;
use super::step::Step;
use std::path::Path;
use std::path::PathBuf;

const LABEL: &str = "inference-relay";
pub(super) const FILE: &str = "inference-relay.plist";

/// The property list. launchd keeps no log, so the daemon is told to keep one; and it cannot tell one exit status
/// from another, so a daemon that its user has to mend first is tried again, at leisure.
pub(super) fn plist(spec: &ServiceSpec) -> String {
    let program = spec.program.to_string_lossy();
    let log = spec.log.to_string_lossy();
    let words = std::iter::once(program.as_ref())
        .chain(spec.args.iter().map(String::as_str))
        .chain(["--log-file", log.as_ref()]);
    let words: String = words
        .map(|word| format!("        <string>{}</string>\n", escaped(word)))
        .collect();
    let pair = |(name, value): &(String, String)| {
        let (name, value) = (escaped(name), escaped(value));
        format!("        <key>{name}</key>\n        <string>{value}</string>\n")
    };
    let env: String = spec.env.iter().map(pair).collect();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by `inference-relay service install`, which writes it anew each time. -->
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{LABEL}</string>
    <key>ProgramArguments</key>
    <array>
{words}    </array>
    <key>EnvironmentVariables</key>
    <dict>
{env}    </dict>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <dict>
        <key>SuccessfulExit</key>
        <false/>
    </dict>
    <key>ThrottleInterval</key>
    <integer>30</integer>
    <key>ExitTimeOut</key>
    <integer>{stop}</integer>
    <key>Umask</key>
    <integer>63</integer>
</dict>
</plist>
"#,
        stop = spec.stop_wait_max.as_secs(),
    )
}

/// Text that means itself between the tags of XML.
pub(super) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

fn domain(user: u32) -> String {
    format!("gui/{user}")
}

fn target(user: u32) -> String {
    format!("gui/{user}/{LABEL}")
}

pub(super) fn greeting(user: u32) -> Invocation {
    launchctl("print").arg(domain(user))
}

/// Loading an agent starts it, so it is loaded by [`start`], and at the next login.
pub(super) fn install(user: u32) -> [Step; 2] {
    [
        Step::Try(launchctl("bootout").arg(target(user))),
        Step::Run(launchctl("enable").arg(target(user))),
    ]
}

pub(super) fn uninstall(user: u32, file: PathBuf) -> Vec<Step> {
    vec![
        Step::Try(launchctl("bootout").arg(target(user))),
        Step::Remove(file),
    ]
}

pub(super) fn start(user: u32, file: &Path) -> Vec<Step> {
    let load = launchctl("bootstrap").arg(domain(user));
    vec![
        Step::Try(load.arg(file.to_string_lossy())),
        Step::Run(launchctl("kickstart").arg(target(user))),
    ]
}

/// A daemon that ends well is not started again before the next login.
pub(super) fn stop(user: u32) -> Invocation {
    launchctl("kill").arg("SIGTERM").arg(target(user))
}

pub(super) fn question(user: u32) -> Invocation {
    launchctl("print").arg(target(user))
}

pub(super) fn standing(answer: &str) -> Standing {
    let field = |name: &str| {
        let mut lines = answer.lines().filter_map(|line| line.split_once(" = "));
        lines.find_map(|(key, value)| (key.trim() == name).then(|| value.trim()))
    };
    let pid = field("pid").and_then(|pid| pid.parse().ok());
    match (field("state"), field("last exit code")) {
        (Some("running"), _) => Standing::Running { pid },
        (_, None | Some("0" | "(never exited)")) => Standing::Stopped,
        (_, Some(code)) => Standing::Failed(format!("exit status {code}")),
    }
}

pub(super) fn logs(log: &Path, lines: u32, follow: bool) -> Invocation {
    let command = Invocation::new("tail", &["-n"]).arg(lines.to_string());
    let command = if follow { command.arg("-F") } else { command };
    command.arg(log.to_string_lossy())
}

fn launchctl(verb: &str) -> Invocation {
    Invocation::new("launchctl", &[verb])
}

#[cfg(test)]
mod tests {
    use super::super::manager::awkward;
    use super::super::manager::foreign;
    use super::*;
    use roxmltree::Document;
    use roxmltree::Node;
    use roxmltree::ParsingOptions;

    #[test]
    fn paths_are_words_of_their_own_and_escaped() {
        let plist = plist(&awkward());
        for line in [
            "<string>/opt/my tools/100%/relay &quot;x&quot; $HOME</string>",
            "<string>/home/user/a b/50%$5 &lt;&amp;&gt;.toml</string>",
            "<string>--log-file</string>",
            "<string>/usr/bin:/home/user/my bin/100%</string>",
            "<integer>45</integer>",
        ] {
            assert!(
                plist.lines().any(|found| found.trim() == line),
                "{line}: {plist}"
            );
        }
    }

    /// What launchd makes of the value behind a key.
    fn value<'a, 'i>(list: &'a Document<'i>, key: &str) -> Node<'a, 'i> {
        let is_key = |node: &Node<'_, '_>| node.has_tag_name("key") && node.text() == Some(key);
        let mut nodes = list.descendants();
        let key = nodes.find(is_key).expect("the key must be there");
        key.next_sibling_element().expect("a key has a value")
    }

    #[test]
    fn every_word_comes_back_out_of_the_property_list() {
        let folder = "/Users/J\u{f6}rg & S\u{f6}hne/\u{30ea}\u{30ec}\u{30fc} <1>/'x'";
        let spec = foreign("/Applications/R\u{e9}lais \"2\"/inference-relay", folder);
        let text = plist(&spec);
        let options = ParsingOptions {
            allow_dtd: true,
            ..ParsingOptions::default()
        };
        let list = Document::parse_with_options(&text, options).expect("it must be XML");
        let texts = |node: Node<'_, '_>| -> Vec<String> {
            let texts = node.children().filter(Node::is_element);
            texts
                .map(|node| node.text().unwrap_or_default().to_owned())
                .collect()
        };
        let mut words = vec![spec.program.display().to_string()];
        words.extend(spec.args.clone());
        words.extend(["--log-file".to_owned(), spec.log.display().to_string()]);
        assert_eq!(texts(value(&list, "ProgramArguments")), words);
        let (name, path) = spec.env[0].clone();
        assert_eq!(texts(value(&list, "EnvironmentVariables")), [name, path]);
        assert!(value(&list, "RunAtLoad").has_tag_name("true"));
    }

    #[test]
    fn the_standing_is_read_from_what_launchctl_prints() {
        let running =
            "gui/501/inference-relay = {\n\tactive count = 1\n\tstate = running\n\tpid = 77\n}";
        assert_eq!(standing(running), Standing::Running { pid: Some(77) });
        let failed = "x = {\n\tstate = not running\n\tlast exit code = 2\n}";
        assert_eq!(
            standing(failed),
            Standing::Failed("exit status 2".to_owned())
        );
        let stopped = "x = {\n\tstate = not running\n\tlast exit code = 0\n}";
        assert_eq!(standing(stopped), Standing::Stopped);
    }
}
