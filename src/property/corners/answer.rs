//! An answer that a model could give, drawn by chance, and how each witness of it tells it.

#![cfg(test)]

use serde_json::Value;
use serde_json::json;

/// Seeded chance: the same numbers in every run.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `most`.
    pub(super) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % most.max(1)
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) blocks: Vec<Block>,
    pub(super) stop: &'static str,
}

/// One block, in the units of JavaScript.
#[derive(Debug, Clone)]
pub(super) enum Block {
    Text(Vec<u16>),
    Thinking(Vec<u16>),
    Redacted,
    /// The name as the model wrote it, and the text of its input.
    Call(String, &'static str, &'static str),
    Foreign(&'static str),
}

impl Answer {
    pub(super) fn drawn(chance: &mut Chance) -> Answer {
        let count = chance.below(4);
        let mut blocks: Vec<Block> = (0..count).map(|at| Block::drawn(at, chance)).collect();
        // Whether a pair that is cut in two between two texts is one, the display and the transcript tell otherwise.
        for block in &mut blocks {
            if let Block::Text(text) = block
                && text
                    .last()
                    .is_some_and(|unit| (0xD800..0xDC00).contains(unit))
            {
                text.push(0x61);
            }
        }
        let stop = chance.one_of(&STOPS);
        Answer { blocks, stop }
    }

    /// What a person would see of it, as the CLI displays it.
    pub(super) fn shown(&self) -> Vec<u16> {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Text(text) => Some(text.as_slice()),
            _ => None,
        });
        texts.collect::<Vec<_>>().concat()
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = (&str, &str)> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Call(id, name, _) => Some((id.as_str(), *name)),
            _ => None,
        })
    }

    /// Whether a call of it has an input that is no JSON.
    pub(super) fn is_broken(&self) -> bool {
        let broken = |block: &Block| matches!(block, Block::Call(_, _, BROKEN));
        self.blocks.iter().any(broken)
    }

    /// The records of a transcript, of which only the last tells the end.
    pub(super) fn records(&self) -> Vec<String> {
        let last = self.blocks.len().saturating_sub(1);
        let record = |(at, block): (usize, &Block)| {
            let stop = (at == last).then_some(self.stop);
            let head = json!({"id": "msg_1", "model": "m", "stop_reason": stop, "usage": {"input_tokens": 3,
                "output_tokens": 4}});
            let content = block.whole();
            let head = head.to_string();
            let head = head.trim_end_matches('}');
            format!(r#"{{"type":"assistant","message":{head}}},"content":[{content}]}}}}"#)
        };
        self.blocks
            .iter()
            .enumerate()
            .map(|(at, block)| record((at, block)))
            .collect()
    }

    /// The CLI's copy of it in one record; one without a block is not copied.
    pub(super) fn copy(&self) -> String {
        if self.blocks.is_empty() {
            return String::new();
        }
        let content: Vec<String> = self.blocks.iter().map(Block::redacted).collect();
        let content = content.join(",");
        let stop = self.stop;
        format!(
            r#"{{"type":"assistant","message":{{"id":"msg_1","model":"m","stop_reason":"{stop}","usage":{{"input_tokens":3,"output_tokens":4}},"content":[{content}]}}}}"#
        )
    }

    /// The events of the API's stream, each as its JSON.
    pub(super) fn events(&self, chance: &mut Chance) -> Vec<String> {
        let mut events = vec![START.to_owned()];
        for (index, block) in self.blocks.iter().enumerate() {
            let open = block.open();
            events.push(format!(
                r#"{{"type":"content_block_start","index":{index},"content_block":{open}}}"#
            ));
            events.extend(block.pieces(chance).iter().map(|piece| {
                format!(r#"{{"type":"content_block_delta","index":{index},"delta":{piece}}}"#)
            }));
            events.push(format!(
                r#"{{"type":"content_block_stop","index":{index}}}"#
            ));
        }
        events.push(format!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"{}"}},"usage":{{"output_tokens":4}}}}"#,
            self.stop
        ));
        events.push(r#"{"type":"message_stop"}"#.to_owned());
        events
    }
}

impl Block {
    fn drawn(at: usize, chance: &mut Chance) -> Block {
        match chance.below(8) {
            0..=2 => Block::Text(units(chance)),
            3 => Block::Thinking(units(chance)),
            4 => Block::Redacted,
            5 | 6 => {
                let input = chance.one_of(&INPUTS);
                Block::Call(format!("toolu_{at}"), chance.one_of(&NAMES), input)
            }
            _ => Block::Foreign(chance.one_of(&FOREIGN)),
        }
    }

    /// As a text of JSON, all of it, as a program of JavaScript writes it.
    fn whole(&self) -> String {
        match self {
            Block::Text(text) => format!(r#"{{"type":"text","text":{}}}"#, quoted(text)),
            Block::Thinking(text) => {
                format!(
                    r#"{{"type":"thinking","thinking":{},"signature":"s"}}"#,
                    quoted(text)
                )
            }
            Block::Redacted => r#"{"type":"redacted_thinking","data":"d"}"#.to_owned(),
            Block::Call(id, name, input) => {
                let input = match *input {
                    BROKEN => r#"{"__unparsedToolInput":{"raw":"{"}}"#,
                    LARGE => r#"{"n":123456789012345680000}"#,
                    TWICE => r#"{"a":2}"#,
                    "" => "{}",
                    input => input,
                };
                format!(r#"{{"type":"tool_use","id":"{id}","name":"{name}","input":{input}}}"#)
            }
            Block::Foreign(block) => (*block).to_owned(),
        }
    }

    /// The same without what was thought.
    fn redacted(&self) -> String {
        match self {
            Block::Thinking(_) => {
                r#"{"type":"thinking","thinking":"<REDACTED>","signature":"s"}"#.to_owned()
            }
            Block::Redacted => r#"{"type":"redacted_thinking","data":"<REDACTED>"}"#.to_owned(),
            Block::Text(_) | Block::Call(..) | Block::Foreign(_) => self.whole(),
        }
    }

    fn open(&self) -> String {
        match self {
            Block::Text(_) => r#"{"type":"text","text":""}"#.to_owned(),
            Block::Thinking(_) => r#"{"type":"thinking","thinking":"","signature":""}"#.to_owned(),
            Block::Call(id, name, _) => {
                format!(r#"{{"type":"tool_use","id":"{id}","name":"{name}","input":{{}}}}"#)
            }
            Block::Redacted | Block::Foreign(_) => self.whole(),
        }
    }

    fn pieces(&self, chance: &mut Chance) -> Vec<String> {
        match self {
            Block::Text(text) => cut(text, chance)
                .map(|piece| format!(r#"{{"type":"text_delta","text":{}}}"#, quoted(&piece)))
                .collect(),
            Block::Thinking(text) => cut(text, chance)
                .map(|piece| {
                    format!(
                        r#"{{"type":"thinking_delta","thinking":{}}}"#,
                        quoted(&piece)
                    )
                })
                .chain([r#"{"type":"signature_delta","signature":"s"}"#.to_owned()])
                .collect(),
            Block::Call(_, _, input) => {
                let units: Vec<u16> = input.encode_utf16().collect();
                cut(&units, chance)
                    .map(|piece| {
                        let piece = quoted(&piece);
                        format!(r#"{{"type":"input_json_delta","partial_json":{piece}}}"#)
                    })
                    .collect()
            }
            Block::Redacted | Block::Foreign(_) => Vec::new(),
        }
    }

    /// What a caller must get of it: its kind, and its content.
    pub(super) fn wanted(&self) -> (String, Value) {
        match self {
            Block::Text(text) => ("text".into(), json!(String::from_utf16_lossy(text))),
            Block::Thinking(text) => ("thinking".into(), json!(String::from_utf16_lossy(text))),
            Block::Redacted => ("redacted_thinking".into(), json!("d")),
            Block::Call(id, name, _) => {
                let name = name.strip_prefix("mcp__relay__").unwrap_or(name);
                ("tool_use".into(), json!([id, name]))
            }
            Block::Foreign(block) => {
                let block = serde_json::from_str(block).unwrap_or(Value::Null);
                ("foreign".into(), block)
            }
        }
    }

    /// Whether something of it is lost in any text of ours.
    pub(super) fn loses(&self) -> bool {
        match self {
            Block::Text(text) | Block::Thinking(text) => {
                char::decode_utf16(text.iter().copied()).any(|unit| unit.is_err())
            }
            Block::Call(..) | Block::Redacted | Block::Foreign(_) => false,
        }
    }
}

/// A text as JSON escapes it: a half alone and a control always, the rest now and then.
pub(super) fn quoted(units: &[u16]) -> String {
    let escaped = |unit: &u16| match *unit {
        0x22 => "\\\"".to_owned(),
        0x5C => "\\\\".to_owned(),
        0x20..0x7F => char::from(u8::try_from(*unit).unwrap_or(b'?')).to_string(),
        unit => format!("\\u{unit:04x}"),
    };
    let text: String = units.iter().map(escaped).collect();
    format!("\"{text}\"")
}

fn units(chance: &mut Chance) -> Vec<u16> {
    (0..chance.below(6))
        .map(|_| chance.one_of(&UNITS))
        .collect()
}

/// The units in some pieces, wherever that cuts.
pub(super) fn cut(units: &[u16], chance: &mut Chance) -> impl Iterator<Item = Vec<u16>> {
    let size = chance.below(4) + 1;
    let pieces: Vec<Vec<u16>> = units.chunks(size).map(<[u16]>::to_vec).collect();
    pieces.into_iter()
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":3,"output_tokens":1}}}"#;
const STOPS: [&str; 9] = [
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
    "compaction",
    "brand_new_reason",
];
pub(super) const BROKEN: &str = "{\"a\":";
/// A program of JavaScript keeps the last of a name.
const TWICE: &str = "{\"a\":1,\"a\":2}";
pub(super) const LARGE: &str = "{\"n\":123456789012345678901}";
const INPUTS: [&str; 7] = [
    "",
    "{}",
    TWICE,
    "{\"b\":1,\"a\":[2.5,null]}",
    "{\"t\":\"a\\ud99c b\"}",
    LARGE,
    BROKEN,
];
const NAMES: [&str; 4] = [
    "mcp__relay__note",
    "mcp__relay__note",
    "note",
    "mcp__relay__other",
];
const FOREIGN: [&str; 4] = [
    r#"{"type":"compaction","content":"SUMMARY"}"#,
    r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":"x"}}"#,
    r#"{"type":"web_search_tool_result","tool_use_id":"s","content":[{"url":"u"}]}"#,
    r#"{"type":"brand_new","deep":{"er":[1,"\"]"]}}"#,
];
/// Letters, blanks, controls, what JSON escapes, both halves of a pair, and others alone.
const UNITS: [u16; 12] = [
    0x61, 0x62, 0x20, 0x0A, 0x09, 0x22, 0x5C, 0xE9, 0x2028, 0xD83D, 0xDE00, 0xD99C,
];
