//! A turn made ready for a session: its task, and what must be on disk or in the pipe before it begins.

use super::fault;
use crate::session::delivery::Delivery;
use crate::session::delivery::Typed;
use crate::session::driver::Outcome;
use crate::session::history;
use crate::session::launcher::Launcher;
use crate::session::task::Confirm;
use crate::session::task::Route;
use crate::session::task::Task;
use crate::session::tool::list;
use crate::session::tool::list::ToolList;
use crate::turn::Fault;
use crate::turn::Labels;
use crate::turn::Message;
use crate::turn::MessageId;
use crate::turn::Reading;
use crate::turn::Request;
use crate::turn::SessionOrigin;
use crate::turn::Start;
use crate::turn::TextSource;
use crate::turn::Usage;
use uuid::Uuid;

/// A turn, ready.
pub(crate) struct Handed {
    pub(crate) task: Task,
    /// What the editor puts into the prompt box, where the prompt goes that way.
    pub(crate) edited: Option<String>,
    /// The whole conversation, where the session is a primed one.
    pub(crate) conversation: Option<String>,
}

impl Handed {
    /// For a session that holds the conversation already.
    pub(crate) fn live(request: &Request, launcher: &Launcher, route: Route) -> Handed {
        Handed::of(task(
            request,
            launcher,
            route,
            Confirm::Included,
            SessionOrigin::Live,
        ))
    }

    /// The whole conversation, for a session that waits for any.
    pub(crate) fn primed(
        request: &Request,
        launcher: &Launcher,
        uuid: &str,
    ) -> Result<Handed, Outcome> {
        let origin = origin(request.history());
        let messages = history::to_be_answered(&request.messages);
        let text = launcher.compose(uuid, &messages, &request.model);
        Ok(Handed {
            conversation: Some(text),
            ..Handed::of(task(
                request,
                launcher,
                Route::Launched,
                Confirm::Included,
                origin,
            ))
        })
    }

    /// The prompt as keystrokes, after the history was written.
    pub(crate) fn typed(
        request: &Request,
        launcher: &Launcher,
        plan: &Delivery,
        edits: bool,
    ) -> Result<Handed, Outcome> {
        let typed = plan.typed(edits).ok_or(Outcome::Misdelivered)?;
        let history = seen(request, request.history());
        let resume = match history.as_slice() {
            [] => None,
            history => Some(written(|| launcher.write_history(history, &request.model))?),
        };
        let origin = origin(request.history());
        Ok(Handed::keyed(request, launcher, typed, resume, origin))
    }

    /// The last block as keystrokes, after everything before it was written.
    pub(crate) fn split(
        request: &Request,
        launcher: &Launcher,
        plan: &Delivery,
        edits: bool,
    ) -> Result<Handed, Outcome> {
        let typed = plan.typed(edits).ok_or(Outcome::Misdelivered)?;
        let mut messages = seen(request, &request.messages);
        if let Some(prompt) = messages.last_mut() {
            prompt.blocks.pop();
        }
        let messages = history::to_be_answered(&messages);
        let uuid = written(|| launcher.write_open_history(&messages, &request.model))?;
        let origin = SessionOrigin::Resumed;
        Ok(Handed::keyed(request, launcher, typed, Some(uuid), origin))
    }

    /// The task of a session that is launched with the whole conversation, and the id of its transcript.
    pub(crate) fn launched(
        request: &Request,
        launcher: &Launcher,
    ) -> Result<(String, Task), Fault> {
        let messages = history::to_be_answered(&seen(request, &request.messages));
        let uuid = write(|| launcher.write_history(&messages, &request.model))?;
        let origin = SessionOrigin::Cold;
        let task = task(
            request,
            launcher,
            Route::Launched,
            Confirm::Included,
            origin,
        );
        Ok((uuid, task))
    }

    fn keyed(
        request: &Request,
        launcher: &Launcher,
        typed: Typed,
        resume: Option<String>,
        origin: SessionOrigin,
    ) -> Handed {
        let route = Route::Typed {
            resume,
            prompt: typed.prompt,
            keys: typed.keys,
        };
        Handed {
            edited: typed.edited,
            ..Handed::of(task(request, launcher, route, typed.confirm, origin))
        }
    }

    fn of(task: Task) -> Handed {
        Handed {
            task,
            edited: None,
            conversation: None,
        }
    }
}

fn origin(history: &[Message]) -> SessionOrigin {
    match history {
        [] => SessionOrigin::Warm,
        _ => SessionOrigin::Resumed,
    }
}

/// The messages as the model of this session sees them.
fn seen(request: &Request, messages: &[Message]) -> Vec<Message> {
    history::as_seen(messages, &request.tools)
}

fn written(text: impl FnOnce() -> std::io::Result<String>) -> Result<String, Outcome> {
    write(text).map_err(|fault| Outcome::Failed {
        fault,
        begun: false,
    })
}

fn write(write: impl FnOnce() -> std::io::Result<String>) -> Result<String, Fault> {
    tokio::task::block_in_place(write).map_err(|error| fault::cannot_write(&error))
}

fn task(
    request: &Request,
    launcher: &Launcher,
    route: Route,
    confirm: Confirm,
    session: SessionOrigin,
) -> Task {
    let id = MessageId(format!("msg_relay_{}", Uuid::new_v4().simple()));
    let start = Start {
        id,
        model: request.model.clone(),
        usage: Usage::default(),
        labels: labels(request, session),
    };
    Task {
        route,
        start,
        keyed: launcher.is_keyed(),
        confirm,
        tools: ToolList::of(&request.tools),
        reading: reading(request),
        cancelled: false,
    }
}

/// Thinking comes before the text and is known only at the end, so an answer with it is told whole.
fn reading(request: &Request) -> Reading {
    match request.sampling.thinking {
        Some(_) => Reading::Whole,
        None => request.reading,
    }
}

fn labels(request: &Request, session: SessionOrigin) -> Labels {
    let mut ignored = request.ignored.clone();
    let changed = request.tools.iter().enumerate();
    let changed = changed.filter_map(|(index, tool)| Some((index, list::changed_by_cli(tool)?)));
    ignored.extend(changed.map(|(index, part)| format!("tools.{index}.{part}")));
    Labels {
        lane: LANE,
        text: TextSource::Exact,
        session,
        ignored,
    }
}

/// The lane's name in labels.
const LANE: &str = "claude-pty";
