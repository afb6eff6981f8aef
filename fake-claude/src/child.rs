//! Programs that are started for the user: the shell after `!` and the editor on Ctrl+G.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use crate::id;

/// Really runs a command in the working directory; what it prints to either stream.
pub(crate) fn shell(command: &str, cwd: &str) -> String {
    let script = format!("exec 2>&1\n{command}");
    let output = Command::new("sh")
        .arg("-c")
        .arg(script)
        .current_dir(cwd)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout)
            .trim_end_matches('\n')
            .to_owned(),
        Err(error) => error.to_string(),
    }
}

/// What a command prints that reads `input`.
pub(crate) fn pipe(command: &str, input: &str) -> String {
    let child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        return String::new();
    };
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map(|output| output.stdout);
    String::from_utf8_lossy(&output.unwrap_or_default()).into_owned()
}

/// Lets the user's editor change `text`; `None` where it could not or did not want to.
pub(crate) fn edit(editor: &str, text: &str) -> Option<String> {
    let folder =
        std::env::temp_dir().join(format!("claude-{}", rustix::process::getuid().as_raw()));
    std::fs::create_dir_all(&folder).ok()?;
    let file = folder.join(format!("claude-prompt-{}.md", id::uuid()));
    std::fs::write(&file, text).ok()?;
    let edited = run_editor(editor, &file)
        .then(|| std::fs::read(&file).ok())
        .flatten();
    let _ = std::fs::remove_file(&file);
    Some(String::from_utf8_lossy(&edited?).into_owned())
}

fn run_editor(editor: &str, file: &Path) -> bool {
    let script = format!("{editor} \"$1\"");
    Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg("editor")
        .arg(file)
        .status()
        .is_ok_and(|status| status.success())
}
