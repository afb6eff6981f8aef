//! What is noted of a call while it runs. `[pure]`

use super::CallRecord;
use super::record::CallTry;
use super::record::Charge;
use super::record::Spans;
use super::time::stamp;
use crate::sync::lock;
use crate::turn::End;
use crate::turn::Event;
use crate::turn::KeyId;
use crate::turn::LaneId;
use crate::turn::Notes;
use crate::turn::SessionOrigin;
use crate::turn::Timeline;
use crate::turn::Try;
use crate::turn::Usage;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use std::time::Instant;

/// A call's note; cheap to clone, so that every layer which learns of something can write it down.
#[derive(Debug, Clone)]
pub(crate) struct CallRecorder(Arc<Mutex<Draft>>);

/// Takes the true count of a call that has ended, and tells what it cost.
struct Settle(Box<dyn FnOnce(Took) -> Option<Charge> + Send>);

/// What a call took that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Took {
    /// No lane served it.
    Nothing,
    /// A lane served it, and nobody told of its tokens.
    Unknown,
    Counted(Usage),
}

impl fmt::Debug for Settle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settle")
    }
}

#[derive(Debug)]
struct Draft {
    /// Settles what was reserved for the call.
    settle: Option<Settle>,
    entry: CallRecord,
    began: Instant,
    /// The key that it was let in with.
    admitted: Option<KeyId>,
    /// `None`: it is no call of a turn, or it was refused at the door, and is not recorded.
    handed: Option<Handed>,
    first_byte: Option<Instant>,
}

/// When the turn was handed in, and its timeline since.
#[derive(Debug)]
struct Handed {
    at: Instant,
    timeline: Timeline,
}

impl CallRecorder {
    /// `at_ms` is when it came, by the wall clock.
    pub(crate) fn new(id: Arc<str>, at_ms: u64, began: Instant) -> CallRecorder {
        let entry = CallRecord::new(id, at_ms);
        CallRecorder(Arc::new(Mutex::new(Draft {
            entry,
            began,
            admitted: None,
            handed: None,
            first_byte: None,
            settle: None,
        })))
    }

    /// It is a call, and is recorded from here on. Its timeline is for whoever serves it.
    pub(crate) fn hand_in(&self, model: &str, stream: bool, now: Instant) -> Timeline {
        let timeline = Timeline::default();
        let mut draft = self.draft();
        draft.entry.model = shortened(model);
        draft.entry.stream = stream;
        draft.handed = Some(Handed {
            at: now,
            timeline: timeline.clone(),
        });
        timeline
    }

    /// It was let in with this key.
    pub(crate) fn admit(&self, key: Option<&KeyId>) {
        if let Some(key) = key {
            self.draft().admitted = Some(key.clone());
        }
    }

    pub(crate) fn admitted(&self) -> Option<KeyId> {
        self.draft().admitted.clone()
    }

    /// The id of the key that it came with.
    pub(crate) fn sign(&self, key: &str) {
        self.draft().entry.key = Some(key.to_owned());
    }

    /// The policy of its key, and the bytes of its body.
    pub(crate) fn weigh(&self, policy: Option<&Arc<str>>, bytes_in: u64) {
        let mut draft = self.draft();
        draft.entry.policy = policy.cloned();
        draft.entry.bytes_in = Some(bytes_in);
    }

    /// Bytes of its answer's body went out.
    pub(crate) fn send(&self, bytes: u64) {
        self.draft().entry.bytes_out += bytes;
    }

    /// The lane said something; the time is asked for where it is noted.
    pub(crate) fn hear(&self, event: &Event, now: impl FnOnce() -> Instant) {
        let mut draft = self.draft();
        match event {
            Event::Start(start) => {
                draft.entry.lane = Some(start.labels.lane.clone());
                draft.entry.text = Some(start.labels.text.name());
                draft.entry.session = start.labels.session.map(SessionOrigin::name);
                draft.entry.message = Some(start.id.0.clone());
            }
            Event::BlockStart { .. } | Event::Delta { .. } | Event::BlockStop { .. } => {
                draft.first_byte.get_or_insert_with(now);
            }
            Event::End(end) => draft.end(end),
        }
    }

    /// A lane passes an answer on as bytes; the timeline will tell how it ended.
    pub(crate) fn pass(&self, lane: &LaneId, now: Instant) {
        let mut draft = self.draft();
        draft.entry.lane = Some(lane.clone());
        draft.entry.text = Some("exact");
        draft.first_byte.get_or_insert(now);
    }

    /// What became known of the turn on its way.
    pub(crate) fn notes(&self) -> Notes {
        let draft = self.draft();
        let handed = draft.handed.as_ref();
        handed
            .map(|handed| handed.timeline.notes())
            .unwrap_or_default()
    }

    /// What of its answer is not as the model wrote it, as far as that is known.
    pub(crate) fn emulated(&self) -> Vec<String> {
        let draft = self.draft();
        let handed = draft.handed.as_ref();
        handed
            .map(|handed| handed.timeline.emulated())
            .unwrap_or_default()
    }

    /// Requests that went to the upstream so far.
    pub(crate) fn questions(&self) -> u32 {
        let draft = self.draft();
        let handed = draft.handed.as_ref();
        handed.map_or(0, |handed| handed.timeline.questions())
    }

    /// What has these paths is not as the model wrote it.
    pub(crate) fn emulate(&self, paths: Vec<String>) {
        if let Some(handed) = &self.draft().handed {
            paths
                .into_iter()
                .for_each(|path| handed.timeline.emulate(path));
        }
    }

    /// What is told of the call's tokens when it has ended, and tells what they cost.
    pub(crate) fn settles(&self, settle: impl FnOnce(Took) -> Option<Charge> + Send + 'static) {
        self.draft().settle = Some(Settle(Box::new(settle)));
    }

    /// The call failed.
    pub(crate) fn fail(&self, code: &'static str) {
        self.draft().entry.code = Some(code);
    }

    /// What the relay itself added before the model was asked, as far as it is known by now.
    pub(crate) fn overhead(&self) -> Option<Duration> {
        let draft = self.draft();
        draft.spans(draft.began).overhead
    }

    /// When the request came, in RFC 3339.
    pub(crate) fn came_at(&self) -> String {
        stamp(self.draft().entry.at_ms)
    }

    /// The call is over: its entry, if it is recorded. It is given once.
    pub(crate) fn close(
        &self,
        status: Option<u16>,
        is_left: bool,
        now: Instant,
    ) -> Option<CallRecord> {
        let mut draft = self.draft();
        let timeline = draft.handed.as_ref()?.timeline.clone();
        if let Some(end) = timeline.passed_end() {
            draft.end(end);
        }
        let notes = timeline.take_notes();
        let told = draft.entry.usage.filter(Usage::is_known);
        let known = told.or(notes.counted);
        draft.entry.usage = known.or(draft.entry.usage);
        let took = match (known, &draft.entry.lane) {
            (Some(usage), _) => Took::Counted(usage),
            (None, Some(_)) => Took::Unknown,
            (None, None) => Took::Nothing,
        };
        if let Some(Settle(settle)) = draft.settle.take() {
            draft.entry.charge = settle(took);
        }
        let tries: Vec<CallTry> = notes
            .tries
            .into_iter()
            .map(|tried| draft.tried(tried))
            .collect();
        let left = CallRecord::new(Arc::clone(&draft.entry.id), draft.entry.at_ms);
        let entry = std::mem::replace(&mut draft.entry, left);
        Some(CallRecord {
            questions: notes.questions,
            emulated: notes.emulated,
            host_key: tries.last().and_then(|tried| tried.key.clone()),
            tries_count: notes.tries_count,
            tries,
            status,
            is_left,
            spans: draft.spans(now),
            ..entry
        })
    }

    fn draft(&self) -> MutexGuard<'_, Draft> {
        lock(&self.0)
    }
}

impl Draft {
    fn end(&mut self, end: &End) {
        let entry = &mut self.entry;
        entry.usage = Some(end.usage);
        entry.stop = Some(end.stop.clone());
        entry.answered_by = end.model.clone();
        if let Some(id) = &end.id {
            entry.message = Some(id.0.clone());
        }
    }

    fn tried(&self, tried: Try) -> CallTry {
        CallTry {
            after: tried.began.saturating_duration_since(self.began),
            took: tried.ended.saturating_duration_since(tried.began),
            lane: tried.lane,
            key: tried.key,
            outcome: tried.outcome,
        }
    }

    fn spans(&self, now: Instant) -> Spans {
        let total = now.duration_since(self.began);
        let Some(handed) = &self.handed else {
            return Spans {
                total,
                ..Spans::default()
            };
        };
        let passed = handed.timeline.passed();
        let delivery = span(passed.leased, passed.asked);
        let reading = handed.at.duration_since(self.began);
        Spans {
            reading: Some(reading),
            queue: span(Some(handed.at), passed.leased),
            delivery,
            // Of a session that was launched with the call, the lease is the last that is known.
            first_byte: span(passed.asked.or(passed.leased), self.first_byte),
            end: self.first_byte.map(|first| now.duration_since(first)),
            total,
            overhead: delivery.map(|delivery| reading + delivery),
        }
    }
}

/// A model's name, as far as a line takes it.
fn shortened(model: &str) -> String {
    let end = model.char_indices().nth(MODEL_CHARACTERS_MAX);
    model[..end.map_or(model.len(), |(at, _)| at)].to_owned()
}

fn span(from: Option<Instant>, to: Option<Instant>) -> Option<Duration> {
    Some(to?.duration_since(from?))
}

/// Of a model's name, which is a caller's text; those of models have 40.
const MODEL_CHARACTERS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_models_name_is_kept_as_far_as_a_line_takes_it() {
        let (short, long) = ("é".repeat(3), "é".repeat(MODEL_CHARACTERS_MAX + 1));
        assert_eq!(shortened(&short), short);
        assert_eq!(shortened(&long), "é".repeat(MODEL_CHARACTERS_MAX));
    }

    #[test]
    fn phases_are_told_apart_and_those_not_reached_are_not_told() {
        let began = clock::now();
        let at = |ms| began + Duration::from_millis(ms);
        let note = CallRecorder::new("req_1".into(), 0, began);
        assert_eq!(note.close(Some(200), false, at(1)), None);
        let timeline = note.hand_in("m", true, at(2));
        timeline.lease(at(10));
        timeline.ask(at(40));
        assert_eq!(note.overhead(), Some(Duration::from_millis(32)));
        note.hear(&Event::BlockStop { index: 0 }, || at(100));
        note.hear(&Event::BlockStop { index: 1 }, || at(200));
        let spans = note
            .close(Some(200), false, at(300))
            .map(|entry| entry.spans);
        let ms = |ms| Some(Duration::from_millis(ms));
        let expected = Spans {
            reading: ms(2),
            queue: ms(8),
            delivery: ms(30),
            first_byte: ms(60),
            end: ms(200),
            total: Duration::from_millis(300),
            overhead: ms(32),
        };
        assert_eq!(spans, Some(expected));
        timeline.lease(at(20));
        let again = note.close(None, true, at(300)).map(|entry| entry.spans);
        assert_eq!(
            again.map(|spans| (spans.delivery, spans.first_byte)),
            Some((None, ms(80)))
        );
    }
}
