//! A request as it came.

use crate::api::Api;
use serde_json::Value;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::net::TcpStream;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The first line, then one header a line, names in lower case.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Asked {
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&String| line.split(':').next() == Some(name);
        let line = self.head.iter().skip(1).find(named)?;
        Some(line.split_once(':')?.1.trim())
    }

    /// The credential, however it is shown.
    #[must_use]
    pub fn key(&self) -> &str {
        let bearer = self
            .header("authorization")
            .map(|value| value.split_once(' ').map_or("", |(_, key)| key));
        self.header("x-api-key").or(bearer).unwrap_or_default()
    }

    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    #[must_use]
    pub fn is_streamed(&self) -> bool {
        self.json()["stream"] == true
    }

    /// `GET` or another.
    #[must_use]
    pub fn method(&self) -> &str {
        self.head[0].split(' ').next().unwrap_or_default()
    }

    #[must_use]
    pub fn path(&self) -> &str {
        self.head[0].split(' ').nth(1).unwrap_or_default()
    }

    /// The last text of the user, in whatever API it is asked.
    #[must_use]
    pub fn prompt(&self) -> String {
        let json = self.json();
        if let Some(text) = json["input"].as_str() {
            return text.to_owned();
        }
        let turns = match Api::at(self.path()) {
            Some(Api::Responses) => &json["input"],
            Some(Api::Messages | Api::Chat) | None => &json["messages"],
        };
        let turns = turns.as_array().map(Vec::as_slice).unwrap_or_default();
        let last = turns.iter().rfind(|turn| turn["role"] == "user");
        last.map_or_else(String::new, |turn| text_of(&turn["content"]))
    }

    /// The next request of a connection; `None` at its end.
    pub(crate) fn read(reader: &mut BufReader<&TcpStream>) -> Option<Asked> {
        let mut head = Vec::new();
        for line in reader.by_ref().lines() {
            let line = line.ok()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            head.push(match head.is_empty() {
                true => line.clone(),
                false => format!("{}:{value}", name.to_ascii_lowercase()),
            });
        }
        let mut asked = Asked {
            head,
            body: Vec::new(),
        };
        asked.head.first()?;
        let length = asked
            .header("content-length")
            .and_then(|text| text.parse().ok());
        asked.body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut asked.body).ok()?;
        Some(asked)
    }
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        content => {
            let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default();
            blocks
                .iter()
                .filter_map(|block| block["text"].as_str())
                .collect()
        }
    }
}
