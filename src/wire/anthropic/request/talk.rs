//! The messages of a call: who speaks, in which turns.

use super::Version;
use super::block;
use super::field::Path;
use super::field::object;
use super::field::string;
use super::media;
use super::present;
use super::required;
use crate::turn::Block;
use crate::turn::Fault;
use crate::turn::Message;
use crate::turn::Role;
use serde_json::Map;
use serde_json::Value;

/// A conversation as it was read.
#[derive(Debug, Default)]
pub(super) struct Talk {
    pub(super) messages: Vec<Message>,
    /// What is there in another way than it was written, by its path.
    pub(super) emulated: Vec<String>,
    /// What claude puts in another order, by its path.
    pub(super) changed_by_claude: Vec<String>,
    /// What is not there at all, by its path.
    pub(super) ignored: Vec<String>,
    /// Asides that wait for the user's turn.
    asides: Vec<Block>,
}

/// What a `system` message says.
pub(super) struct Remarks {
    pub(super) texts: Vec<String>,
    /// Blocks that change what the model may do, by their paths.
    pub(super) unheard: Vec<String>,
}

/// Who speaks in a message.
enum Speaker {
    Role(Role),
    /// The caller's program, to the model, in the middle of the conversation.
    System,
}

/// Reads the messages; neighbours of one role become one, with the blocks of both.
pub(super) fn messages(
    fields: &Map<String, Value>,
    version: Version,
    mut pairing: block::Pairing,
) -> Result<Talk, Fault> {
    let path = Path::Root.field("messages");
    let values = list(fields, &path)?;
    let mut talk = Talk::default();
    for (index, value) in values.iter().enumerate() {
        let at = path.item(index);
        let message = object(value, &at)?;
        match speaker(message, &at)? {
            Speaker::System if index == 0 => return Err(at.field("role").wrong(SYSTEM_FIRST)),
            Speaker::Role(Role::Assistant) if index == 0 => {
                return Err(path.wrong("first message must use the \"user\" role"));
            }
            Speaker::System => {
                talk.aside(block::remarks(message, &at)?, index);
                if overrides(message, fields) {
                    talk.ignored.push(format!("{at}.output_config"));
                }
            }
            Speaker::Role(role) => {
                let last = index + 1 == values.len();
                let blocks = block::content(message, role, last, &at, version)?;
                talk.emulated.extend(block::references(message, &at));
                talk.emulated.extend(block::rounded(message, &at));
                talk.ignored.extend(block::citations(message, &at));
                talk.changed_by_claude
                    .extend(block::moved(&blocks, role, last, &at));
                pairing.message(role, &blocks, index)?;
                talk.message(role, blocks);
            }
        }
    }
    pairing.end()?;
    media::limits(values)?;
    Ok(talk.ended())
}

/// The messages as they stand there, within their bounds.
fn list<'a>(fields: &'a Map<String, Value>, path: &Path<'_>) -> Result<&'a [Value], Fault> {
    match required(fields, path, "messages")? {
        Value::Array(values) if values.is_empty() => {
            Err(path.wrong("at least one message is required"))
        }
        Value::Array(values) if values.len() > MESSAGES_MAX => {
            Err(path.wrong("List should have at most 100000 items"))
        }
        Value::Array(values) => Ok(values),
        _ => Err(path.wrong("Input should be a valid list")),
    }
}

impl Talk {
    fn message(&mut self, role: Role, blocks: Vec<Block>) {
        if role == Role::Assistant {
            self.settle();
        }
        self.join(role, blocks);
        if role == Role::User {
            self.settle();
        }
    }

    fn aside(&mut self, remarks: Remarks, index: usize) {
        self.ignored.extend(remarks.unheard);
        if remarks.texts.is_empty() {
            return;
        }
        self.emulated.push(format!("messages.{index}.role"));
        let texts = remarks.texts.iter();
        self.asides
            .extend(texts.map(|text| Block::Text(reminder(text))));
        if matches!(self.messages.last(), Some(before) if before.role == Role::User) {
            self.settle();
        }
    }

    /// Lets the asides that wait be part of the user's turn: after results, which the API wants first, and before the
    /// user's own words, as Claude Code has it.
    fn settle(&mut self) {
        let asides = std::mem::take(&mut self.asides);
        match self.messages.last_mut() {
            Some(turn) if turn.role == Role::User => {
                let first = turn.blocks.iter().take_while(|block| comes_first(block));
                let at = first.count();
                turn.blocks.splice(at..at, asides);
            }
            _ if asides.is_empty() => {}
            _ => self.join(Role::User, asides),
        }
    }

    fn join(&mut self, role: Role, blocks: Vec<Block>) {
        match self.messages.last_mut() {
            Some(before) if before.role == role => before.blocks.extend(blocks),
            _ => self.messages.push(Message { role, blocks }),
        }
    }

    fn ended(mut self) -> Talk {
        self.settle();
        // An empty last message of the assistant.
        self.messages.retain(|message| !message.blocks.is_empty());
        self
    }
}

/// Whether a message sets its own parameters, and others than the call's.
fn overrides(message: &Map<String, Value>, fields: &Map<String, Value>) -> bool {
    let own = present(message, "output_config");
    own.is_some() && own != fields.get("output_config")
}

fn speaker(message: &Map<String, Value>, at: &Path<'_>) -> Result<Speaker, Fault> {
    let path = at.field("role");
    match string(required(message, &path, "role")?, &path)? {
        "user" => Ok(Speaker::Role(Role::User)),
        "assistant" => Ok(Speaker::Role(Role::Assistant)),
        "system" => Ok(Speaker::System),
        _ => Err(path.wrong("Input should be 'user', 'assistant' or 'system'")),
    }
}

/// The form in which Claude Code itself gives a model what is neither the user's nor the assistant's.
fn reminder(text: &str) -> String {
    format!("{REMINDER}\n{text}\n</system-reminder>")
}

/// What stands before the user's own words.
fn comes_first(block: &Block) -> bool {
    match block {
        Block::Text(text) => text.starts_with(REMINDER),
        other => other.is_result(),
    }
}

const REMINDER: &str = "<system-reminder>";
/// Messages that a call may have: the API's own bound.
const MESSAGES_MAX: usize = 100_000;
const SYSTEM_FIRST: &str = "Unexpected role \"system\"; a conversation begins with the user, so use the top-level \
                            `system` parameter";
