//! What can be seen in a take, in a form that can be compared. `[pure]`

use super::mask;
use super::reading;
use super::take::Take;
use super::take::checkpoints;
use crate::terminal::recording::What;
use serde_json::Value;

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
    Course,
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
        Aspect::Course,
        Aspect::Scenes,
        Aspect::Frames,
        Aspect::Hooks,
        Aspect::Transcript,
        Aspect::Requests,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Aspect::Course => "course",
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
        let mut items = vec![course(take)];
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
        items.extend(take.wire.transcript.iter().map(record));
        items.extend(take.wire.requests.iter().map(request));
        Observation { items }
    }

    pub(crate) fn of_aspect(&self, aspect: Aspect) -> Vec<&Item> {
        let items = self.items.iter();
        items.filter(|item| item.aspect == aspect).collect()
    }
}

fn course(take: &Take) -> Item {
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
        aspect: Aspect::Course,
        head: "course".to_owned(),
        fields: fields.collect(),
    }
}

/// Deltas of one message are one item: how a text is cut is the clock's doing. The hooks of one turn reach us over
/// several connections, so what is displayed is put before what follows it.
fn hooks(bodies: &[Value]) -> Vec<Item> {
    let mut shown: Vec<(String, Value)> = Vec::new();
    let mut items: Vec<(Option<usize>, Item)> = Vec::new();
    for body in bodies {
        let name = body["hook_event_name"].as_str().unwrap_or("nameless");
        if name == DISPLAY {
            let message = body["message_id"].as_str().unwrap_or_default();
            if let Some((_, whole)) = shown.iter_mut().find(|(id, _)| id == message) {
                add_delta(whole, body);
                continue;
            }
            items.push((Some(shown.len()), hook(name, &Value::Null)));
            shown.push((message.to_owned(), body.clone()));
            continue;
        }
        items.push((None, hook(name, body)));
    }
    for (place, item) in &mut items {
        if let Some((_, whole)) = place.and_then(|place| shown.get(place)) {
            *item = hook(DISPLAY, &without_cuts(whole));
        }
    }
    settle(items.into_iter().map(|(_, item)| item).collect())
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

fn add_delta(whole: &mut Value, body: &Value) {
    let text = |value: &Value| value["delta"].as_str().unwrap_or_default().to_owned();
    whole["delta"] = Value::from(text(whole) + &text(body));
    if body["final"] == true {
        whole["final"] = Value::from(true);
    }
}

fn without_cuts(whole: &Value) -> Value {
    let mut whole = whole.clone();
    if let Some(fields) = whole.as_object_mut() {
        fields.shift_remove("index");
    }
    whole
}

fn hook(name: &str, body: &Value) -> Item {
    Item {
        aspect: Aspect::Hooks,
        head: name.to_owned(),
        fields: mask::fields(body),
    }
}

fn record(record: &Value) -> Item {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kinds = [
        word(&record["type"]),
        word(&record["subtype"]),
        word(&record["attachment"]["type"]),
        word(&record["message"]["content"][0]["type"]),
    ];
    let kinds: Vec<String> = kinds.into_iter().filter(|kind| !kind.is_empty()).collect();
    Item {
        aspect: Aspect::Transcript,
        head: kinds.join(" "),
        fields: mask::fields(record),
    }
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
        fields: mask::fields(request),
    }
}

const DISPLAY: &str = "MessageDisplay";
/// Hooks that follow what is displayed, and may arrive before it.
const OVERTAKING: [&str; 3] = ["Stop", "StopFailure", "PreToolUse"];

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
