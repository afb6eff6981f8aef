//! A file that a prompt names with `@`, as the model and the transcript are told of it.

use std::path::Path;

use serde_json::Value;
use serde_json::json;

/// The file and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    path: String,
    text: String,
}

impl File {
    /// Reads it; `None` where there is no such file.
    pub(crate) fn read(cwd: &str, name: &str) -> Option<File> {
        let path = Path::new(cwd).join(name);
        Some(File {
            text: std::fs::read_to_string(&path).ok()?,
            path: path.to_string_lossy().into_owned(),
            name: name.to_owned(),
        })
    }

    /// How many lines there are; the empty one behind the last newline counts.
    pub(crate) fn lines(&self) -> usize {
        self.text.split('\n').count()
    }

    pub(crate) fn call(&self) -> String {
        let input = json!({ "file_path": self.path });
        format!("Called the Read tool with the following input: {input}")
    }

    pub(crate) fn result(&self) -> String {
        let lines = self.text.split('\n').enumerate();
        let numbered: Vec<String> = lines
            .map(|(at, line)| format!("{}\t{line}", at + 1))
            .collect();
        format!("Result of calling the Read tool:\n{}", numbered.join("\n"))
    }

    /// The attachment in the transcript.
    pub(crate) fn record(&self, is_new: bool) -> Value {
        let file = json!({
            "filePath": self.path, "content": self.text, "numLines": self.lines(), "startLine": 1,
            "totalLines": self.lines(),
        });
        let mut record = json!({
            "type": "file", "filename": self.path, "content": { "type": "text", "file": file },
            "displayPath": self.name,
        });
        if is_new {
            record["savedCopyFraming"] = json!({ "enveloped": false });
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered() {
        let file = File {
            name: "n".to_owned(),
            path: "/w/n".to_owned(),
            text: "one\ntwo\n".to_owned(),
        };
        assert_eq!(
            file.result(),
            "Result of calling the Read tool:\n1\tone\n2\ttwo\n3\t"
        );
        assert_eq!(file.lines(), 3);
    }
}
