//! What can be seen in a take, in a form that can be compared. `[pure]`

use super::fields;
use super::mask;
use super::reading;
use super::take::Take;
use super::take::checkpoints;
use super::upstream::MCP_PATH;
use crate::terminal::recording::What;
use serde_json::Value;
use std::collections::HashMap;
use std::collections::HashSet;

/// All that was seen of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) items: Vec<Item>,
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) aspect: Aspect,
    /// What kind of thing it is: a checkpoint's name, a hook's, a record's.
    pub(crate) head: String,
    /// What is said of it, one a line.
    pub(crate) fields: Vec<String>,
}

/// Where it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Aspect {
    /// How far the case went, and how the process ended.
    Timeline,
    /// What the relay reads in the screen.
    Scenes,
    /// What is drawn.
    Frames,
    Hooks,
    Transcript,
    Requests,
}

impl Aspect {
    pub(crate) const ALL: [Aspect; 6] = [
        Aspect::Timeline,
        Aspect::Scenes,
        Aspect::Frames,
        Aspect::Hooks,
        Aspect::Transcript,
        Aspect::Requests,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Aspect::Timeline => "timeline",
            Aspect::Scenes => "scenes",
            Aspect::Frames => "frames",
            Aspect::Hooks => "hooks",
            Aspect::Transcript => "transcript",
            Aspect::Requests => "requests",
        }
    }
}

impl Observation {
    pub(crate) fn of(take: &Take) -> Observation {
        let mut items = vec![timeline(take)];
        for point in checkpoints(&take.recording, |_| Vec::new()) {
            items.push(Item {
                aspect: Aspect::Scenes,
                head: point.name.clone(),
                fields: vec![mask::text(&reading::words(&point.scene))],
            });
            items.push(Item {
                aspect: Aspect::Frames,
                head: point.name,
                fields: point.rows.iter().map(|row| mask::row(row)).collect(),
            });
        }
        items.extend(hooks(&take.wire.hooks));
        items.extend(transcript(&take.wire.transcript));
        items.extend(requests(&take.wire.requests));
        Observation { items }
    }

    pub(crate) fn of_aspect(&self, aspect: Aspect) -> Vec<&Item> {
        let items = self.items.iter();
        items.filter(|item| item.aspect == aspect).collect()
    }
}

fn timeline(take: &Take) -> Item {
    let fields = take
        .recording
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Marker(name) => Some(format!("checkpoint {name}")),
            What::Exit(status) => Some(format!("exit {status}")),
            What::Output(_) | What::Input(_) | What::Resize(_) => None,
        });
    Item {
        aspect: Aspect::Timeline,
        head: "timeline".to_owned(),
        fields: fields.collect(),
    }
}

/// Deltas of one message are one item: how a text is cut is the clock's doing. The hooks of one turn reach us over
/// several connections, so what is displayed is put before what follows it.
fn hooks(bodies: &[Value]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut shown: Vec<&Value> = Vec::new();
    for body in bodies {
        let name = body["hook_event_name"].as_str().unwrap_or("nameless");
        if name != DISPLAY {
            items.push(hook(name, body));
        } else if !shown.contains(&&body["message_id"]) {
            let id = &body["message_id"];
            let is_piece =
                |piece: &&Value| piece["hook_event_name"] == DISPLAY && piece["message_id"] == *id;
            items.push(hook(
                name,
                &joined(bodies.iter().filter(is_piece).collect()),
            ));
            shown.push(id);
        }
    }
    // Calls of one message run side by side.
    for run in items.chunk_by_mut(|a, b| a.head == b.head && a.head == BEFORE_TOOL) {
        run.sort_by(|a, b| a.fields.cmp(&b.fields));
    }
    settle(items)
}

/// Puts what is displayed where it was said: before the hooks that followed it, however they overtook it.
fn settle(mut items: Vec<Item>) -> Vec<Item> {
    for at in 1..items.len() {
        let mut place = at;
        while place > 0
            && items[place].head == DISPLAY
            && OVERTAKING.contains(&items[place - 1].head.as_str())
        {
            items.swap(place, place - 1);
            place -= 1;
        }
    }
    items
}

/// The message's text, out of its pieces in the order that they name.
fn joined(mut pieces: Vec<&Value>) -> Value {
    pieces.sort_by_key(|piece| piece["index"].as_u64());
    let text: String = pieces
        .iter()
        .filter_map(|piece| piece["delta"].as_str())
        .collect();
    let mut whole = pieces.first().map_or(Value::Null, |piece| (*piece).clone());
    if let Some(fields) = whole.as_object_mut() {
        fields.shift_remove("index");
        fields.insert("delta".to_owned(), Value::from(text));
        let ends = pieces.iter().any(|piece| piece["final"] == true);
        fields.insert("final".to_owned(), Value::from(ends));
    }
    whole
}

fn hook(name: &str, body: &Value) -> Item {
    Item {
        aspect: Aspect::Hooks,
        head: name.to_owned(),
        fields: fields::of(body),
    }
}

/// The conversation's records in their order, and then those that lie between them, whose places are the clock's
/// doing.
fn transcript(records: &[Value]) -> Vec<Item> {
    // What the CLI's own agents say among themselves is in files of their own later.
    let main = |value: &&Value| value["isSidechain"] != true;
    let records: Vec<Value> = records.iter().filter(main).cloned().collect();
    let records = records.as_slice();
    let in_chain = |value: &&Value| value.get("uuid").is_some();
    let mut chain: Vec<Item> = chained(records).into_iter().map(record).collect();
    for run in chain.chunk_by_mut(|a, b| is_attached(a) && is_attached(b)) {
        run.sort_by(|a, b| a.head.cmp(&b.head));
    }
    let mut aside: Vec<Item> = records
        .iter()
        .filter(|value| !in_chain(value))
        .map(record)
        .collect();
    aside.retain(|item| !item.head.starts_with(OWN_ACCOUNT));
    aside.retain(|item| !LATE.contains(&item.head.as_str()));
    aside.sort_by(|a, b| (&a.head, &a.fields).cmp(&(&b.head, &b.fields)));
    aside.dedup();
    chain.extend(aside);
    chain
}

/// The records of conversations, each after the one that it hangs on: in the file it may stand before it.
fn chained(records: &[Value]) -> Vec<&Value> {
    let id = |value: &Value| value["uuid"].as_str().map(str::to_owned);
    let parent = |value: &Value| value["parentUuid"].as_str().map(str::to_owned);
    let ids: HashSet<String> = records.iter().filter_map(id).collect();
    let mut children: HashMap<Option<String>, Vec<&Value>> = HashMap::new();
    for value in records.iter().filter(|value| value.get("uuid").is_some()) {
        let above = parent(value).filter(|parent| ids.contains(parent));
        children.entry(above).or_default().push(value);
    }
    let mut waiting: Vec<&Value> = children.remove(&None).unwrap_or_default();
    waiting.reverse();
    let mut chain = Vec::new();
    while let Some(value) = waiting.pop() {
        chain.push(value);
        let below = children.remove(&id(value)).unwrap_or_default();
        waiting.extend(below.into_iter().rev());
    }
    chain
}

fn is_attached(item: &Item) -> bool {
    item.head.starts_with("attachment")
}

fn record(record: &Value) -> Item {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kinds = [
        word(&record["type"]),
        word(&record["subtype"]),
        word(&record["attachment"]["type"]),
        word(&record["attachment"]["hookName"]),
        word(&record["message"]["content"][0]["type"]),
    ];
    let kinds: Vec<String> = kinds.into_iter().filter(|kind| !kind.is_empty()).collect();
    Item {
        aspect: Aspect::Transcript,
        head: kinds.join(" "),
        fields: fields::of(record),
    }
}

/// Requests to the API in their order, and then those to the MCP server, which go side by side.
fn requests(requests: &[Value]) -> Vec<Item> {
    let (mut tools, api): (Vec<Item>, Vec<Item>) = requests
        .iter()
        .map(request)
        .partition(|item| item.head.contains(MCP_PATH));
    tools.sort_by(|a, b| a.head.cmp(&b.head));
    [api, tools].concat()
}

fn request(request: &Value) -> Item {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let method = word(&request["body"]["method"]);
    let head = format!(
        "{} {} {method}",
        word(&request["method"]),
        word(&request["path"])
    );
    Item {
        aspect: Aspect::Requests,
        head: head.trim_end().to_owned(),
        fields: fields::of(request),
    }
}

const DISPLAY: &str = "MessageDisplay";
/// Hooks that follow what is displayed, and may arrive before it.
const OVERTAKING: [&str; 3] = ["Stop", "StopFailure", BEFORE_TOOL];
const BEFORE_TOOL: &str = "PreToolUse";
/// Records that are written when there is time for them.
const LATE: [&str; 3] = ["last-prompt", "permission-mode", "mode"];
/// Records in which the CLI keeps account of its own requests, at its leisure: what is in them, and whether there are
/// any, depends on what was kept before.
const OWN_ACCOUNT: &str = "api-request";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::take::Wire;
    use crate::terminal::Size;
    use crate::terminal::recording::Recording;
    use serde_json::json;

    #[test]
    fn a_text_that_is_displayed_in_pieces_is_one_item() {
        let delta = |index, text, last| json!({"hook_event_name": "MessageDisplay", "message_id": "m", "index": index, "final": last, "delta": text});
        let stop = json!({"hook_event_name": "Stop"});
        let seen = |hooks: Vec<Value>| {
            let wire = Wire {
                hooks,
                ..Wire::default()
            };
            let recording = Recording::new(Size::SESSION, "");
            Observation::of(&Take { recording, wire })
        };
        let cut = seen(vec![
            delta(0, "a", false),
            stop.clone(),
            delta(1, "b", true),
        ]);
        let whole = seen(vec![delta(0, "ab", true), stop]);
        assert_eq!(cut, whole);
        assert_eq!(whole.of_aspect(Aspect::Hooks).len(), 2);
    }
}
