//! The Task Scheduler of Windows: the task's description, and what `schtasks` is told. `[pure]`

use super::launchd::escaped;
use super::manager::ServiceSpec;
use super::manager::Standing;
use super::step::Invocation;
use super::step::Step;
use std::path::Path;
use std::path::PathBuf;

const TASK: &str = "inference-relay";
pub(super) const FILE: &str = "inference-relay.xml";

/// The task: at the user's logon, without an administrator's rights, for as long as it likes. A task has no
/// environment of its own; it gets the user's. `RestartOnFailure` is for a program that could not be started: the
/// scheduler does not look at how one ended.
pub(super) fn task(spec: &ServiceSpec, user: &str) -> String {
    let log = spec.log.to_string_lossy();
    let words = spec.args.iter().map(String::as_str);
    let words: Vec<String> = words.chain(["--log-file", &log]).map(argument).collect();
    format!(
        r#"<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Written by `inference-relay service install`, which writes it anew each time.</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>{user}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>5</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"#,
        user = escaped(user),
        command = escaped(&argument(&spec.program.to_string_lossy())),
        arguments = escaped(&words.join(" ")),
    )
}

/// A word as Windows programs take their command line apart: backslashes count only before a quote.
fn argument(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '"']) {
        return word.to_owned();
    }
    let (mut text, mut backslashes) = (String::from('"'), 0);
    for c in word.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                text.push_str(&"\\".repeat(backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        text.push(c);
    }
    text.push_str(&"\\".repeat(backslashes));
    text.push('"');
    text
}

/// The description as `schtasks` reads it: UTF-16 with its mark.
pub(super) fn encoded(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

pub(super) fn greeting() -> Invocation {
    schtasks("/Query")
}

pub(super) fn create(file: &Path) -> Invocation {
    let command = schtasks("/Create").arg("/F").arg("/TN").arg(TASK);
    command.arg("/XML").arg(file.to_string_lossy())
}

pub(super) fn uninstall(file: PathBuf) -> Vec<Step> {
    vec![
        Step::Try(stop()),
        Step::Try(schtasks("/Delete").arg("/F").arg("/TN").arg(TASK)),
        Step::Remove(file),
    ]
}

pub(super) fn start() -> Invocation {
    schtasks("/Run").arg("/TN").arg(TASK)
}

pub(super) fn stop() -> Invocation {
    schtasks("/End").arg("/TN").arg(TASK)
}

/// `schtasks` answers in the user's language, PowerShell in the names of its own types.
pub(super) fn question() -> Invocation {
    powershell(&format!(
        "(Get-ScheduledTask -TaskName {TASK} -ErrorAction Stop).State"
    ))
}

pub(super) fn standing(answer: &str) -> Standing {
    match answer.trim() {
        "Running" => Standing::Running { pid: None },
        "Ready" | "Queued" => Standing::Stopped,
        other => Standing::Failed(format!("the task is {other}")),
    }
}

pub(super) fn logs(log: &Path, lines: u32, follow: bool) -> Invocation {
    let path = log.to_string_lossy().replace('\'', "''");
    let follow = if follow { " -Wait" } else { "" };
    powershell(&format!(
        "Get-Content -LiteralPath '{path}' -Tail {lines}{follow}"
    ))
}

fn schtasks(verb: &str) -> Invocation {
    Invocation::new("schtasks", &[verb])
}

fn powershell(command: &str) -> Invocation {
    let command_of = ["-NoProfile", "-NonInteractive", "-Command"];
    Invocation::new("powershell", &command_of).arg(command)
}

#[cfg(test)]
mod tests {
    use super::super::manager::awkward;
    use super::super::manager::foreign;
    use super::*;
    use roxmltree::Document;

    #[test]
    fn the_command_line_keeps_its_words_apart() {
        let task = task(&awkward(), "PC\\ann & co");
        for line in [
            r"<Command>&quot;/opt/my tools/100%/relay \&quot;x\&quot; $HOME&quot;</Command>",
            "<Arguments>serve --config &quot;/home/user/a b/50%$5 &lt;&amp;&gt;.toml&quot; --log-file /home/user/.inference-relay/daemon.log</Arguments>",
            "<UserId>PC\\ann &amp; co</UserId>",
        ] {
            assert!(
                task.lines().any(|found| found.trim() == line),
                "{line}: {task}"
            );
        }
    }

    /// Takes a command line apart as Windows programs do.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut chars) = (Vec::new(), None, line.chars().peekable());
        let mut quoted = false;
        while let Some(c) = chars.next() {
            let mut slashes = 0;
            let mut c = Some(c);
            while c == Some('\\') {
                slashes += 1;
                c = chars.next();
            }
            let text: &mut String = match c {
                Some(' ') if !quoted && slashes == 0 => {
                    words.extend(word.take());
                    continue;
                }
                _ => word.get_or_insert_default(),
            };
            match c {
                Some('"') => {
                    text.push_str(&"\\".repeat(slashes / 2));
                    match slashes % 2 {
                        0 => quoted = !quoted,
                        _ => text.push('"'),
                    }
                }
                Some(' ') if !quoted => {
                    text.push_str(&"\\".repeat(slashes));
                    words.extend(word.take());
                }
                other => {
                    text.push_str(&"\\".repeat(slashes));
                    text.extend(other);
                }
            }
        }
        words.extend(word);
        words
    }

    #[test]
    fn every_word_comes_back_out_of_the_task() {
        let folder = r"C:\Users\Jörg & Söhne\リレー <1>\";
        let spec = foreign(r"C:\Program Files\Rélais\inference-relay.exe", folder);
        let text = task(&spec, r"PC\Jörg & Co");
        let units = encoded(&text);
        let units: Vec<u16> = units
            .chunks(2)
            .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
            .collect();
        let text = String::from_utf16(&units[1..]).expect("it must be UTF-16");
        let task = Document::parse(&text).expect("it must be XML");
        let value = |name: &str| {
            let mut nodes = task.descendants();
            let node = nodes.find(|node| node.tag_name().name() == name);
            node.and_then(|node| node.text())
                .expect("the element has a text")
                .to_owned()
        };
        assert_eq!(
            words(&value("Command")),
            [spec.program.display().to_string()]
        );
        let mut expected = spec.args.clone();
        expected.extend(["--log-file".to_owned(), spec.log.display().to_string()]);
        assert_eq!(words(&value("Arguments")), expected);
        assert_eq!(value("UserId"), r"PC\Jörg & Co");
    }

    #[test]
    fn backslashes_before_a_quote_are_doubled() {
        assert_eq!(argument(r"C:\relay"), r"C:\relay");
        assert_eq!(argument(r"C:\my relay\"), r#""C:\my relay\\""#);
        assert_eq!(argument(r#"a\"b"#), r#""a\\\"b""#);
    }

    #[test]
    fn the_description_carries_its_byte_order() {
        assert_eq!(encoded("é"), [0xff, 0xfe, 0xe9, 0x00]);
    }

    #[test]
    fn the_standing_is_a_word_of_powershell() {
        assert_eq!(standing("Running\r\n"), Standing::Running { pid: None });
        assert_eq!(standing("Ready\r\n"), Standing::Stopped);
        assert_eq!(
            standing("Disabled\r\n"),
            Standing::Failed("the task is Disabled".to_owned())
        );
    }
}
