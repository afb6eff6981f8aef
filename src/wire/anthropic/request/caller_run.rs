//! Tools of the API's own that the caller runs: a shell, an editor of files, a memory. The API knows their schemas; here
//! they are written out, so that any model is offered them as it is the caller's other tools.

use crate::turn::Tool;
use serde_json::Value;

/// The tool of this kind, such as `bash_20250124`; `None` for one that is not known, or that the API runs itself.
pub(super) fn tool(kind: &str) -> Option<Tool> {
    let (name, date) = kind.rsplit_once('_')?;
    let (name, (description, schema)) = match (name, date) {
        ("bash", _) => ("bash", BASH),
        ("memory", _) => ("memory", MEMORY),
        ("text_editor", "20241022" | "20250124") => ("str_replace_editor", OLD_EDITOR),
        ("text_editor", _) => ("str_replace_based_edit_tool", EDITOR),
        _ => return None,
    };
    let is_date = date.len() == DATE_DIGITS && date.bytes().all(|byte| byte.is_ascii_digit());
    let input_schema: Value = serde_json::from_str(schema).ok().filter(|_| is_date)?;
    Some(Tool {
        name: name.to_owned(),
        description: description.to_owned(),
        input_schema,
    })
}

/// Digits of the date in a kind's name.
const DATE_DIGITS: usize = 8;

const BASH: (&str, &str) = (
    "Runs a command in a bash session on the user's machine, which goes on between calls.",
    r#"{"type":"object","properties":{"command":{"type":"string","description":"The command to run; left away only with `restart`."},"restart":{"type":"boolean","description":"True begins a new session."}}}"#,
);
const EDITOR: (&str, &str) = (
    "Views, creates and edits files of the user's.",
    r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"]},"path":{"type":"string","description":"The file, or for `view` a folder."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For `view`: the first and the last line, from 1 on; -1 is the end."},"file_text":{"type":"string","description":"For `create`."},"old_str":{"type":"string","description":"For `str_replace`: what stands there once."},"new_str":{"type":"string","description":"For `str_replace`."},"insert_line":{"type":"integer","description":"For `insert`: the line behind which the text goes; 0 is the beginning."},"insert_text":{"type":"string","description":"For `insert`."}},"required":["command","path"]}"#,
);
const OLD_EDITOR: (&str, &str) = (
    "Views, creates and edits files of the user's.",
    r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},"path":{"type":"string","description":"The file, or for `view` a folder."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For `view`: the first and the last line, from 1 on; -1 is the end."},"file_text":{"type":"string","description":"For `create`."},"old_str":{"type":"string","description":"For `str_replace`: what stands there once."},"new_str":{"type":"string","description":"For `str_replace`, and for `insert` the text."},"insert_line":{"type":"integer","description":"For `insert`: the line behind which the text goes; 0 is the beginning."}},"required":["command","path"]}"#,
);
const MEMORY: (&str, &str) = (
    "Keeps files of notes below /memories, which last between conversations. Look into /memories before you begin a task.",
    r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string","description":"A file or folder below /memories; for all but `rename`."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For `view` of a file: the first and the last line."},"file_text":{"type":"string","description":"For `create`."},"old_str":{"type":"string","description":"For `str_replace`: what stands there once."},"new_str":{"type":"string","description":"For `str_replace`."},"insert_line":{"type":"integer","description":"For `insert`: the line behind which the text goes; 0 is the beginning."},"insert_text":{"type":"string","description":"For `insert`."},"old_path":{"type":"string","description":"For `rename`."},"new_path":{"type":"string","description":"For `rename`."}},"required":["command"]}"#,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_the_caller_runs_has_its_name_and_a_schema() {
        for (kind, name) in [
            ("bash_20250124", "bash"),
            ("memory_20250818", "memory"),
            ("text_editor_20250124", "str_replace_editor"),
            ("text_editor_20250728", "str_replace_based_edit_tool"),
        ] {
            let tool = tool(kind).expect("the caller runs it");
            assert_eq!(tool.name, name);
            assert_eq!(tool.input_schema["type"], "object");
        }
        for kind in [
            "web_search_20250305",
            "computer_20250124",
            "bash",
            "bash_new",
            "custom",
        ] {
            assert_eq!(tool(kind), None, "{kind}");
        }
    }
}
