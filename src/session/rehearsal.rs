//! Rehearsals: launches whose question reaches nobody, so that it is known what the CLI tells the model by itself before
//! a call is served.
//!
//! The CLI writes what it attaches to a question into its transcript before it asks. So it is started in print mode, in
//! the sessions' own environment, for an address of ours at which nobody listens: no request leaves the machine,
//! nothing is asked of the user's plan, and the credential is sent nowhere. That takes a second for each version and
//! model, once a daemon. Nothing of it is kept on disk: the folder, the system and the day are the machine's of now.
//!
//! The alternative that lost was to learn from the first calls: the model of each got a kilobyte that its caller had
//! not written.

use super::SessionConfig;
use super::installation::Edition;
use super::installation::Installation;
use super::launch;
use super::launch::Launch;
use super::launch::Opening;
use super::mode::Mode;
use super::print::input;
use super::print::spawn::Process;
use super::pty::reap::EndMode;
use super::pty::reap::ProcessRegistry;
use super::pty::reap::end_group;
use super::resources::in_new_folder;
use super::shape::Shape;
use super::transcript_store::Rehearsed;
use super::transcript_store::TranscriptStore;
use crate::clock;
use crate::disk::make_private_folder;
use crate::sync::lock;
use crate::turn::Block;
use crate::turn::Message;
use crate::turn::Role;
use core::net::Ipv4Addr;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;
use tokio::net::TcpSocket;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The rehearsals of all claudes; cheap to clone.
#[derive(Clone)]
pub(crate) struct Rehearsals {
    shared: Arc<Shared>,
}

/// When a rehearsal ended; empty while it is played.
type Ended = OnceCell<Instant>;

struct Shared {
    config: SessionConfig,
    registry: ProcessRegistry,
    transcript_store: TranscriptStore,
    /// Those that were played or are being played, by claude and model, with when they ended.
    played: Mutex<BTreeMap<(Edition, String), Arc<Ended>>>,
}

impl Rehearsals {
    pub(crate) fn new(
        config: SessionConfig,
        registry: ProcessRegistry,
        transcript_store: TranscriptStore,
    ) -> Rehearsals {
        Rehearsals {
            shared: Arc::new(Shared {
                config,
                registry,
                transcript_store,
                played: Mutex::default(),
            }),
        }
    }

    /// Returns once it is known what this claude tells this model by itself, or cannot be known for now. Callers that
    /// ask at the same time wait for the same rehearsal, which goes on where they do not.
    pub(crate) async fn play(&self, installation: &Installation, model: &str) {
        let store = &self.shared.transcript_store;
        let Some(version) = installation.version() else {
            return;
        };
        if store.is_known(installation.reader(model)) {
            return;
        }
        let Some(played) = self.of(installation.edition, model) else {
            return;
        };
        let (shared, program) = (Arc::clone(&self.shared), installation.path.clone());
        let (version, model) = (version.to_owned(), model.to_owned());
        let play = || async {
            let playing = tokio::spawn(async move { shared.play(&program, &model).await });
            match playing.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(version, %error, "a rehearsal was not played"),
                Err(_) => tracing::warn!(version, "a rehearsal was not played"),
            }
            clock::now()
        };
        played.get_or_init(play).await;
    }

    /// The rehearsal of this claude with this model: one that showed nothing is played anew after a while. `None` where
    /// there were too many.
    fn of(&self, edition: Edition, model: &str) -> Option<Arc<Ended>> {
        let mut played = lock(&self.shared.played);
        played.retain(|(of, _), _| *of == edition);
        let key = (edition, model.to_owned());
        if played.len() >= REHEARSALS_MAX && !played.contains_key(&key) {
            return None;
        }
        let cell = played.entry(key).or_default();
        if let Some(ended) = cell.get()
            && clock::now().duration_since(*ended) > AGAIN_AFTER
        {
            *cell = Arc::default();
        }
        Some(Arc::clone(cell))
    }
}

impl Shared {
    /// That a CLI tells nothing by itself is believed once it was seen twice: all calls would bear what was missed.
    async fn play(&self, program: &Path, model: &str) -> io::Result<()> {
        for _ in 0..SILENT_TIMES {
            let rehearsed = self.play_once(program, model).await?;
            tracing::debug!(model, ?rehearsed, "rehearsed");
            if rehearsed != Rehearsed::Silent {
                return Ok(());
            }
        }
        self.transcript_store.note_silent();
        Ok(())
    }

    async fn play_once(&self, program: &Path, model: &str) -> io::Result<Rehearsed> {
        // Bound and never listened at: nobody else can have it, and whoever asks there is refused.
        let nobody = TcpSocket::new_v4()?;
        nobody.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let url = format!("http://{}", nobody.local_addr()?);
        let uuid = Uuid::new_v4().to_string();
        let staged = in_new_folder(&self.config.run_dir, |files| {
            make_private_folder(&files.folder)?;
            make_private_folder(&files.passing())?;
            let opening = Opening::Empty(uuid.clone());
            let shape = Shape {
                mode: Mode::Print,
                ..Shape::plain(model)
            };
            let mut launch =
                launch::print_launch(program, &self.config, &shape, &files, &opening, false);
            launch::lead_through(&mut launch, &url);
            Ok((files, launch))
        });
        let (files, launch) = staged?;
        let played = match launch::asks_elsewhere(&launch) {
            true => Err(io::Error::other("its API has an address of its own")),
            false => self.ask(&launch).await,
        };
        let transcript = self.transcript_store.path(&uuid);
        let rehearsed = self.transcript_store.learn_rehearsed(model, &transcript);
        self.transcript_store.remove(&transcript);
        super::discard::discard(&files);
        played.map(|()| rehearsed)
    }

    /// Has the CLI ask, and waits for its end.
    async fn ask(&self, launch: &Launch) -> io::Result<()> {
        let (mut process, mut exit) = Process::spawn(launch, |pid| self.registry.add(pid))?;
        let group = Group {
            pid: process.pid,
            registry: self.registry.clone(),
        };
        process.write(input::message(&question()));
        process.leave();
        let ended = async {
            while process.output.recv().await.is_some() {}
            exit.how().await
        };
        let ended = tokio::time::timeout(REHEARSAL_WAIT, ended).await;
        drop(group);
        ended.map(drop).map_err(io::Error::from)
    }
}

/// A process group that is ended with whoever waits for it.
struct Group {
    pid: u32,
    registry: ProcessRegistry,
}

impl Drop for Group {
    fn drop(&mut self) {
        end_group(self.pid, EndMode::Forced);
        self.registry.remove(self.pid);
    }
}

fn question() -> Message {
    Message {
        role: Role::User,
        blocks: vec![Block::Text("ready".to_owned())],
    }
}

/// How often a claude has to tell nothing by itself before that is believed of it.
const SILENT_TIMES: usize = 2;
/// A CLI comes up and fails within two seconds; a busy machine takes a few times as long. A call waits no longer, and
/// its label says what it gets then.
const REHEARSAL_WAIT: Duration = Duration::from_secs(10);
/// After this time a rehearsal that showed nothing is played once more: the machine may have been the reason.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Models of one claude that are rehearsed; a relay is asked for a handful, and a caller may name any.
const REHEARSALS_MAX: usize = 64;
