//! A call in a named conversation, from its queue to what is remembered of it.

use super::ConversationConfig;
use super::ConversationView;
use super::cache::Conversation;
use super::cache::ConversationCache;
use super::encode;
use super::fault;
use super::file_locks::FileLocks;
use super::prefix;
use super::queue::Entered;
use super::queue::Queue;
use super::queue::Ticket;
use super::store::ConversationStore;
use super::store::Found;
use super::store::StoredTurn;
use crate::clock;
use crate::lane::Call;
use crate::lane::Dialect;
use crate::lane::Events;
use crate::lane::LaneView;
use crate::lane::OfferedModels;
use crate::lane::Reply;
use crate::lane::Serving;
use crate::lane::TreatedBy;
use crate::lane::Treatment;
use crate::routing::RouteExplanation;
use crate::routing::RouteQuestion;
use crate::routing::Router;
use crate::routing::Settlement;
use crate::sync::lock;
use crate::turn::AnswerBuilder;
use crate::turn::ConversationId;
use crate::turn::Event;
use crate::turn::Fault;
use crate::turn::Joined;
use crate::turn::LaneId;
use crate::turn::Message;
use crate::turn::Owner;
use crate::turn::Request;
use std::collections::HashMap;
use std::future::ready;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The lanes, and what is remembered of the conversations that they served; cheap to clone.
#[derive(Clone)]
pub(crate) struct Conversations {
    router: Router,
    kept: Arc<Shared>,
}

struct Shared {
    /// Held for a look or a change alone, never while a file is written or much is compared.
    state: Mutex<State>,
    files: FileLocks,
    /// `None`: nothing is kept on disk.
    store: Option<ConversationStore>,
    depth_max: usize,
}

struct State {
    cache: ConversationCache,
    queue: Queue,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
}

/// A call's place in its conversation. Dropping it lets the next one go on.
struct TurnLock {
    kept: Arc<Shared>,
    id: ConversationId,
    ticket: Ticket,
}

type EventSender = mpsc::Sender<Result<Event, Fault>>;

impl Conversations {
    /// Opens the memory, with what is on disk in this folder.
    ///
    /// # Errors
    /// Where the folder cannot be used.
    pub(crate) fn open(
        router: Router,
        config: ConversationConfig,
        folder: &Path,
    ) -> io::Result<Conversations> {
        let (store, found) = match config.disk {
            true => ConversationStore::open(folder).map(|(store, found)| (Some(store), found))?,
            false => (None, Vec::new()),
        };
        let depth_max = config.queue_depth_max;
        let state = State {
            cache: ConversationCache::new(config),
            queue: Queue::new(depth_max),
            waiting: HashMap::new(),
        };
        let kept = Shared {
            state: Mutex::new(state),
            files: FileLocks::default(),
            store,
            depth_max,
        };
        found.into_iter().for_each(|found| kept.find(found));
        let kept = Arc::new(kept);
        tokio::spawn(Arc::clone(&kept).age());
        Ok(Conversations { router, kept })
    }

    /// The bound models that a caller of this policy can reach.
    ///
    /// # Errors
    /// Where the policy is none that is in force.
    pub(crate) fn models(&self, policy: Option<&Arc<str>>) -> Result<OfferedModels, Fault> {
        self.router.models(policy)
    }

    /// Whether a catalog says which lanes serve which models.
    pub(crate) fn is_declared(&self) -> bool {
        self.router.is_declared()
    }

    /// Whether a catalog says which lanes serve this model.
    pub(crate) fn is_declared_for(&self, model: &str) -> bool {
        self.router.is_declared_for(model)
    }

    /// How every lane is now.
    pub(crate) fn lanes(&self) -> Vec<LaneView> {
        self.router.lanes()
    }

    /// What each lane says that becomes of these calls.
    pub(crate) fn treatments(&self, calls: &[Call]) -> Vec<(LaneId, Vec<Treatment>)> {
        self.router.treatments(calls)
    }

    /// What that depends on.
    pub(crate) fn treated_by(&self) -> TreatedBy {
        self.router.treated_by()
    }

    /// Explains where a plain call would go.
    pub(crate) fn explain(&self, question: &RouteQuestion) -> RouteExplanation {
        self.router.explain(question)
    }

    /// Takes a call's share of what its policy limits; `None` where nothing does.
    ///
    /// # Errors
    /// Which limit is reached.
    pub(crate) async fn reserve(
        &self,
        call: &Call,
        body_bytes: usize,
    ) -> Result<Option<Settlement>, Fault> {
        self.router.reserve(call, body_bytes).await
    }

    /// How the limits stand that refused a call, as headers of this dialect.
    pub(crate) fn limit_headers(
        &self,
        call: &Call,
        dialect: Dialect,
    ) -> Vec<(&'static str, String)> {
        self.router.limit_headers(call, dialect)
    }

    /// Begins to serve a call, in the conversation of its name where it has one.
    pub(crate) fn serve(&self, call: Call) -> Serving {
        let Some(id) = call.conversation.clone() else {
            return self.router.serve(call);
        };
        let router = self.router.clone();
        match Shared::enter(&self.kept, id) {
            Ok((turn_lock, turn)) => Box::pin(turn_lock.serve(turn, call, router)),
            Err(fault) => Box::pin(ready(Err(fault))),
        }
    }

    /// An owner's conversations, the latest first.
    pub(crate) fn conversations(&self, owner: &Owner) -> Vec<ConversationView> {
        let is_held = |id: &ConversationId| self.router.holds(id);
        self.kept.state().views(owner, is_held)
    }

    /// Forgets a conversation, also what a call that is being served in it is about to say; false where there is none.
    pub(crate) fn end(&self, id: &ConversationId) -> bool {
        let mut state = self.kept.state();
        let served = state.queue.end(id);
        let known = state.cache.forget(id);
        drop(state);
        tokio::task::block_in_place(|| self.kept.clear([id]));
        self.router.forget(id);
        served || known
    }
}

impl TurnLock {
    /// Waits for the calls before, and serves this one.
    async fn serve(
        self,
        turn: Option<oneshot::Receiver<()>>,
        call: Call,
        router: Router,
    ) -> Result<Reply, Fault> {
        if let Some(turn) = turn {
            let waited = timeout(WAIT_MAX, turn).await;
            waited
                .map_err(|_| fault::session_waited(WAIT_MAX))
                .map(drop)?;
        }
        let asked = Arc::clone(call.request()?);
        let (joined, messages) = self.join(&asked)?;
        let model = asked.model.clone();
        let request = Request {
            messages: messages.clone(),
            ..(*asked).clone()
        };
        let call = call.asking(request);
        let Reply::Events(events) = router.serve(call).await? else {
            return Err(fault::not_told_in_events());
        };
        let (events_tx, passed_on) = mpsc::channel(EVENTS_MAX);
        tokio::spawn(self.pass_on(events, joined, (messages, model), events_tx));
        Ok(Reply::Events(Events::of(passed_on)))
    }

    /// The call's messages behind those that are known of its conversation.
    fn join(&self, asked: &Request) -> Result<(Joined, Vec<Message>), Fault> {
        let known = self.kept.state().cache.conversation(&self.id).cloned();
        let known = known.as_ref().map(|conversation| &*conversation.messages);
        let (joined, messages) = prefix::join(known, asked.messages.clone());
        match prefix::is_torn(&messages) {
            true => Err(fault::calls_unknown()),
            false => Ok((joined, messages)),
        }
    }

    /// Tells the caller what the lane tells, and remembers the turn and gives its place back before its end is told.
    async fn pass_on(
        self,
        mut answer: Events,
        joined: Joined,
        (messages, model): (Vec<Message>, String),
        events: EventSender,
    ) {
        let mut builder = AnswerBuilder::default();
        let mut is_sound = true;
        loop {
            let told = tokio::select! {
                biased;
                () = events.closed() => return,
                told = answer.next() => told,
            };
            // Whoever reads the events says that they ended without an end.
            let Some(mut told) = told else { return };
            if let Ok(Event::Start(start)) = &mut told {
                start.labels.conversation = Some(joined);
            }
            is_sound = is_sound && told.as_ref().is_ok_and(|event| holds(&mut builder, event));
            let is_end = matches!(told, Ok(Event::End(_)));
            let Ok(permit) = events.reserve().await else {
                return;
            };
            if is_end && is_sound {
                self.remember(messages, model, builder).await;
                permit.send(told);
                return;
            }
            let is_over = told.is_err();
            permit.send(told);
            if is_over {
                return;
            }
        }
    }

    /// Remembers the turn, and then gives its place back: whoever has the end may go on at once.
    async fn remember(self, mut messages: Vec<Message>, model: String, builder: AnswerBuilder) {
        let Some(answer) = builder.finish().as_ref().and_then(encode::answer) else {
            return;
        };
        messages.push(answer);
        // Comparing and writing take their time; the calls of this thread shall not wait for them.
        let remembered = tokio::task::spawn_blocking(move || {
            self.kept.remember(&self, messages, model);
        });
        let _ = remembered.await; // The end of the daemon may end it, and then nobody goes on.
    }
}

/// Whether an event of the answer is held, so that the turn can be remembered.
fn holds(builder: &mut AnswerBuilder, event: &Event) -> bool {
    let held = builder.push(event);
    let held = held.inspect_err(|why| {
        tracing::warn!(
            ?why,
            "an answer cannot be held as a whole; its turn is told, and not remembered"
        );
    });
    held.is_ok()
}

impl Drop for TurnLock {
    fn drop(&mut self) {
        let mut state = self.kept.state();
        state.waiting.remove(&self.ticket);
        if let Some(next) = state.queue.leave(&self.id, self.ticket)
            && let Some(turn) = state.waiting.remove(&next)
        {
            let _ = turn.send(()); // One that is gone leaves by itself.
        }
    }
}

impl Shared {
    /// Takes a place in the conversation; the receiver tells when it is this call's turn, where that is not at once.
    fn enter(
        kept: &Arc<Shared>,
        id: ConversationId,
    ) -> Result<(TurnLock, Option<oneshot::Receiver<()>>), Fault> {
        let mut state = kept.state();
        let (ticket, turn) = match state.queue.enter(&id) {
            Entered::Refused => return Err(fault::session_busy(kept.depth_max)),
            Entered::Served(ticket) => (ticket, None),
            Entered::Waits(ticket) => {
                let (turn_tx, turn) = oneshot::channel();
                state.waiting.insert(ticket, turn_tx);
                (ticket, Some(turn))
            }
        };
        let kept = Arc::clone(kept);
        Ok((TurnLock { kept, id, ticket }, turn))
    }

    /// Remembers a turn, unless its conversation was ended meanwhile. It blocks.
    fn remember(&self, turn_lock: &TurnLock, messages: Vec<Message>, model: String) {
        let id = &turn_lock.id;
        let before = self.state().cache.conversation(id).cloned();
        let conversation = page_after(before.as_ref(), messages, model);
        let mut state = self.state();
        if !state.queue.counts(id, turn_lock.ticket) {
            return;
        }
        let gone = state.cache.remember(id.clone(), conversation.clone());
        drop(state);
        self.clear(&gone);
        self.write(id, before.as_ref(), &conversation);
    }

    /// Writes a turn, unless the conversation was forgotten since.
    fn write(&self, id: &ConversationId, before: Option<&Conversation>, now: &Conversation) {
        let Some(store) = &self.store else { return };
        let _one = self.files.lock(id);
        let is_this = |known: &Conversation| Arc::ptr_eq(&known.messages, &now.messages);
        let is_known = self.state().cache.conversation(id).is_some_and(is_this);
        if is_known && let Err(error) = write_turn(store, id, before, now) {
            tracing::warn!(%error, "a conversation could not be written; a restart will forget it");
        }
    }

    /// Removes the files of conversations that were forgotten, unless they are known again. It blocks.
    fn clear<'a>(&self, gone: impl IntoIterator<Item = &'a ConversationId>) {
        let Some(store) = &self.store else { return };
        for id in gone {
            let _one = self.files.lock(id);
            let is_known = self.state().cache.conversation(id).is_some();
            if !is_known {
                store.remove(id);
            }
        }
    }

    /// Takes what was found on disk into the cache.
    fn find(&self, found: Found) {
        let now = clock::now();
        let conversation = Conversation {
            messages: found.messages.into(),
            bytes: found.bytes,
            turns: found.turns,
            model: found.model,
            used: now.checked_sub(found.age).unwrap_or(now),
        };
        let mut state = self.state();
        let gone = state.cache.remember(found.id, conversation);
        let old = state.cache.handle_timeout(now);
        drop(state);
        self.clear(gone.iter().chain(&old));
    }

    /// Forgets what is old, for as long as the daemon runs.
    async fn age(self: Arc<Shared>) {
        loop {
            let due = self.state().cache.poll_timeout(clock::now());
            tokio::time::sleep_until(due.into()).await;
            let old = self.state().cache.handle_timeout(clock::now());
            let kept = Arc::clone(&self);
            let cleared = tokio::task::spawn_blocking(move || kept.clear(&old));
            let _ = cleared.await; // The end of the daemon may end it; the next start finds them old.
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn views(
        &self,
        owner: &Owner,
        is_held: impl Fn(&ConversationId) -> bool,
    ) -> Vec<ConversationView> {
        let now = clock::now();
        let served: HashMap<&ConversationId, usize> = self.queue.lines().collect();
        let conversations = self.cache.conversations();
        let remembered = conversations.iter().map(|(id, conversation)| {
            let waiting = served.get(id).copied();
            (id, view(id, Some(conversation), waiting, now))
        });
        let new = served
            .iter()
            .filter(|(id, _)| !conversations.contains_key(**id));
        let new = new.map(|(id, waiting)| (*id, view(id, None, Some(*waiting), now)));
        let own = remembered.chain(new).filter(|(id, _)| id.owner == *owner);
        let own = own.map(|(id, mut view)| {
            if view.state == RESUMABLE && is_held(id) {
                view.state = "live";
            }
            view
        });
        let mut views: Vec<ConversationView> = own.collect();
        views.sort_by(|a, b| (a.idle, &a.name).cmp(&(b.idle, &b.name)));
        views
    }
}

/// `waiting` where a call is being served.
fn view(
    id: &ConversationId,
    conversation: Option<&Conversation>,
    waiting: Option<usize>,
    now: std::time::Instant,
) -> ConversationView {
    let idle = conversation.map(|conversation| now.saturating_duration_since(conversation.used));
    ConversationView {
        name: id.name().to_owned(),
        state: waiting.map_or(RESUMABLE, |_| "busy"),
        idle: idle.unwrap_or_default(),
        turns: conversation.map_or(0, |conversation| conversation.turns),
        model: conversation
            .map(|conversation| conversation.model.clone())
            .unwrap_or_default(),
        bytes: conversation.map_or(0, |conversation| conversation.bytes),
        waiting: waiting.unwrap_or_default(),
    }
}

/// A conversation with one turn more.
fn page_after(
    before: Option<&Conversation>,
    messages: Vec<Message>,
    model: String,
) -> Conversation {
    let grown = before.filter(|conversation| messages.starts_with(&conversation.messages));
    let old = grown.map_or(0, |conversation| conversation.messages.len());
    let new = messages.iter().skip(old).map(encode::to_json);
    let bytes: usize = new.map(|message| message.to_string().len()).sum();
    Conversation {
        messages: messages.into(),
        bytes: grown.map_or(0, |conversation| conversation.bytes) + bytes as u64,
        turns: before
            .map_or(0, |conversation| conversation.turns)
            .saturating_add(1),
        model,
        used: clock::now(),
    }
}

/// Writes a turn: a line more where it goes on with what is there, or else the whole conversation.
fn write_turn(
    store: &ConversationStore,
    id: &ConversationId,
    before: Option<&Conversation>,
    conversation: &Conversation,
) -> io::Result<()> {
    let turn = |messages| StoredTurn {
        messages,
        turns: conversation.turns,
        model: &conversation.model,
    };
    let new = before.and_then(|before| conversation.messages.strip_prefix(&*before.messages));
    match new.map(|new| store.add(id, &turn(new))) {
        Some(Ok(())) => Ok(()),
        // It may not be there: it could not be written before, or was removed by hand.
        Some(Err(_)) | None => store.write(id, &turn(&conversation.messages)),
    }
}

/// Remembered, and in no session.
const RESUMABLE: &str = "resumable";
/// Events that a caller may be behind here; the pool allows for more behind them.
const EVENTS_MAX: usize = 64;
/// How long a call may wait for those before it: longer than a turn may take by default.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Block;
    use crate::turn::Role;
    use std::fs;
    use std::path::PathBuf;

    fn id(name: &str) -> ConversationId {
        ConversationId::new(Owner::anonymous(), name).expect("the name is visible")
    }

    fn said(texts: &[&str]) -> Vec<Message> {
        let message = |text: &&str| Message {
            role: Role::User,
            blocks: vec![Block::Text((*text).into())],
        };
        texts.iter().map(message).collect()
    }

    fn kept(folder: &Path) -> Arc<Shared> {
        let config = ConversationConfig {
            ids_max: 9,
            bytes_max: 9999,
            memory_max: Duration::from_secs(60),
            queue_depth_max: 1,
            disk: true,
        };
        let (store, _) = ConversationStore::open(folder).expect("the folder is ours");
        let state = State {
            cache: ConversationCache::new(config),
            queue: Queue::new(1),
            waiting: HashMap::new(),
        };
        Arc::new(Shared {
            state: Mutex::new(state),
            files: FileLocks::default(),
            store: Some(store),
            depth_max: 1,
        })
    }

    fn enter(kept: &Arc<Shared>, name: &str) -> TurnLock {
        let entered = Shared::enter(kept, id(name)).map_err(|fault| fault.public);
        entered.expect("there is room").0
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("it is there").flatten();
        entries.map(|entry| entry.path()).collect()
    }

    /// A pipe in place of the file takes nothing until somebody reads it.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_stalls_stops_no_other_conversation() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kept = kept(folder.path());
        let slow = enter(&kept, "slow");
        kept.remember(&slow, said(&["a"]), "m".into());
        let file = files(folder.path()).remove(0);
        fs::remove_file(&file).expect("it is there");
        let mode = rustix::fs::Mode::RWXU;
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &file, kind, mode, 0).expect("a pipe is made");
        let is_known = || {
            let state = kept.state.try_lock();
            let turns =
                state.map(|state| state.cache.conversation(&slow.id).map(|known| known.turns));
            turns.is_ok_and(|turns| turns == Some(2))
        };
        let (was_known, line) = std::thread::scope(|scope| {
            scope.spawn(|| kept.remember(&slow, said(&["a", "b"]), "m".into()));
            let until = clock::now() + Duration::from_secs(10);
            while !is_known() && clock::now() < until {
                std::thread::yield_now();
            }
            let was_known = is_known();
            if was_known {
                drop(enter(&kept, "other"));
            }
            (was_known, fs::read_to_string(&file))
        });
        assert!(was_known, "the turn is known before its file is written");
        let line = line.expect("the pipe is read");
        assert!(line.contains("\"b\"") && !line.contains("\"a\""), "{line}");
    }

    #[test]
    fn what_was_forgotten_meanwhile_is_not_written_and_what_is_known_again_is_not_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kept = kept(folder.path());
        let turn_lock = enter(&kept, "a");
        let late = page_after(None, said(&["a"]), "m".into());
        kept.write(&turn_lock.id, None, &late);
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
        kept.remember(&turn_lock, said(&["a"]), "m".into());
        kept.clear([&turn_lock.id]);
        assert_eq!(files(folder.path()).len(), 1);
        kept.state().cache.forget(&turn_lock.id);
        kept.clear([&turn_lock.id]);
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_conversation_that_was_ended_while_its_turn_was_told_is_not_remembered() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let kept = kept(folder.path());
        let turn_lock = enter(&kept, "a");
        assert!(kept.state().queue.end(&turn_lock.id));
        kept.remember(&turn_lock, said(&["a"]), "m".into());
        assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    }
}
