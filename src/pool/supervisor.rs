//! The pool's one task: keeps the ledger, performs its effects, and tells everyone what is alive.

use super::ClaudeView;
use super::Condition;
use super::PoolConfig;
use super::SessionView;
use super::Snapshot;
use super::definitions::Offer;
use super::fault;
use super::health::Health;
use super::ledger::Effect;
use super::ledger::Ledger;
use super::ledger::Need;
use super::ledger::WaiterId;
use super::parking::Claim;
use super::parking::Parking;
use super::slot::Slot;
use super::slot::SlotId;
use super::slot::SlotKind;
use crate::clock;
use crate::session::Birth;
use crate::session::Edition;
use crate::session::Launcher;
use crate::session::Notice;
use crate::session::Notify;
use crate::session::Order;
use crate::session::Session;
use crate::session::Shape;
use crate::session::is_stopped;
use crate::session::session_lost;
use crate::turn::ConversationId;
use crate::turn::Fault;
use crate::turn::Owner;
use std::collections::HashMap;
use std::collections::HashSet;
use std::io;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// What the supervisor is asked and told.
#[derive(Debug)]
pub(crate) enum Command {
    Lease {
        owner: Owner,
        shape: Shape,
        need: Need,
        offer: Offer,
        reply: oneshot::Sender<Result<Grant, Fault>>,
    },
    /// A caller in the queue hung up.
    Withdrawn,
    /// A permitted launch succeeded.
    Launched {
        slot: SlotId,
        session: Session,
    },
    /// A permitted launch failed, or a grant was not taken up.
    Refused {
        slot: SlotId,
    },
    /// A caller brings what goes on in a conversation that a session may have stayed in.
    Rejoin {
        claim: Claim,
        reply: oneshot::Sender<Option<(SlotId, Session)>>,
    },
    /// What a session holds was claimed, and cannot be gone on with.
    Unclaimed {
        slot: SlotId,
    },
    /// Nobody goes on in this conversation any more.
    Left {
        name: ConversationId,
    },
    /// A turn is over; `parking` where its session stays in the conversation.
    Returned {
        slot: SlotId,
        fault: Option<Fault>,
        parking: Option<Parking>,
        took: Duration,
    },
    Notice {
        slot: SlotId,
        notice: Notice,
    },
    Drain {
        done: oneshot::Sender<()>,
    },
}

/// What a caller gets.
#[derive(Debug)]
pub(crate) enum Grant {
    Lent { slot: SlotId, session: Session },
    Permitted { slot: SlotId },
}

pub(crate) struct Supervisor {
    ledger: Ledger,
    launcher: Launcher,
    asks: mpsc::UnboundedReceiver<Command>,
    /// The way back to this inbox, for sessions.
    inbox: mpsc::UnboundedSender<Command>,
    live: HashMap<SlotId, Session>,
    parked: HashMap<SlotId, Parking>,
    replies: HashMap<WaiterId, oneshot::Sender<Result<Grant, Fault>>>,
    views: watch::Sender<Snapshot>,
    /// Tells when there is another claude, or more is known of it.
    installed: watch::Receiver<u64>,
    /// Why no call can be served, where that is known.
    refusal: Option<Fault>,
    /// Sessions that were stopped when they were looked at last.
    stopped: HashSet<SlotId>,
    health: Health,
    /// The claude that is there, and whether it is known as well as it will be.
    edition: Option<Edition>,
    is_judged: bool,
    drained: Option<oneshot::Sender<()>>,
    /// The turns' mean time, for honest waits.
    turn_mean: Duration,
    max: usize,
}

impl Supervisor {
    /// A supervisor and its inbox. The inbox is not bounded by itself: a call asks once, and a session tells once a turn.
    pub(crate) fn new(
        config: PoolConfig,
        launcher: Launcher,
        plain: Shape,
        views: watch::Sender<Snapshot>,
    ) -> (Supervisor, mpsc::UnboundedSender<Command>) {
        let (inbox, asks) = mpsc::unbounded_channel();
        let max = config.max;
        let supervisor = Supervisor {
            ledger: Ledger::new(config, plain, launcher.primes()),
            installed: launcher.installations().changes(),
            refusal: None,
            stopped: HashSet::new(),
            launcher,
            asks,
            inbox: inbox.clone(),
            live: HashMap::new(),
            parked: HashMap::new(),
            replies: HashMap::new(),
            views,
            health: Health::default(),
            edition: None,
            is_judged: false,
            drained: None,
            turn_mean: Duration::from_secs(5),
            max,
        };
        (supervisor, inbox)
    }

    /// Runs until it is drained.
    pub(crate) async fn run(mut self) {
        self.look_at_claude(clock::awake());
        self.ledger.handle_timeout(clock::awake());
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.perform();
            // What is asked next changes the view again; it is whole once the inbox is empty.
            if self.asks.is_empty() {
                self.publish();
            }
            if self.drained.is_some() && self.ledger.slots().is_empty() {
                if let Some(done) = self.drained.take() {
                    let _ = done.send(()); // Whoever asked may be gone.
                }
                return;
            }
            let until = self
                .ledger
                .poll_timeout()
                .map_or_else(|| clock::now() + FAR, clock::of_awake);
            tokio::select! {
                ask = self.asks.recv() => match ask {
                    Some(ask) => self.handle(ask),
                    None => return,
                },
                Ok(()) = self.installed.changed() => self.look_at_claude(clock::awake()),
                _ = looks.tick() => self.look_for_hung(),
                () = tokio::time::sleep_until(until.into()) => self.ledger.handle_timeout(clock::awake()),
            }
        }
    }

    /// Which claude it is now, and what is known of it. Sessions of the one before are given up once the new one is
    /// known: until then they are what serves.
    fn look_at_claude(&mut self, now: Instant) {
        let found = self.launcher.installations().current();
        self.refusal = match &found {
            Ok(current) => current.known_refusal(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some(fault::claude_not_found(error))
            }
            Err(_) => None,
        };
        let edition = found.as_ref().ok().map(|current| current.edition);
        if edition.is_some() && edition != self.edition {
            self.edition = edition;
            self.health.handle_renewed();
        }
        self.is_judged = found.as_ref().map_or(true, |current| current.is_settled());
        let settled = found.as_ref().ok().filter(|current| current.is_settled());
        let known = settled.map(|current| (current.edition, !current.habits().redefines));
        let is_new = found.as_ref().is_ok_and(|current| !current.is_rehearsed());
        self.ledger
            .handle_look(known, self.refusal.is_some() || is_new, now);
    }

    /// Gives up who waits and is stopped, and was at the last look: one that is being stopped and let go on, as a whole
    /// machine is, is left in peace.
    fn look_for_hung(&mut self) {
        let stopped =
            |(slot, session): (&SlotId, &Session)| is_stopped(session.pid).then_some(*slot);
        let stopped: HashSet<SlotId> = self.live.iter().filter_map(stopped).collect();
        for slot in stopped.intersection(&self.stopped) {
            self.ledger.handle_hung(*slot, clock::awake());
        }
        self.stopped = stopped;
    }

    /// A launch began.
    fn note_launch(&mut self, slot: SlotId, session: Session) {
        let installation = &session.installation;
        let keeps = !installation.habits().redefines;
        self.ledger
            .handle_launched(slot, installation.edition, keeps);
        self.live.insert(slot, session);
    }

    fn handle(&mut self, ask: Command) {
        let now = clock::awake();
        match ask {
            Command::Lease {
                owner,
                shape,
                need,
                offer,
                reply,
            } => self.handle_lease(&owner, &shape, (need, offer), reply, now),
            Command::Withdrawn => self.withdraw_the_gone(now),
            // A process may be gone before its launch is told.
            Command::Launched { slot, session } if self.ledger.slots().contains_key(&slot) => {
                self.note_launch(slot, session);
            }
            Command::Launched { .. } => {}
            Command::Refused { slot } => self.ledger.handle_refused(slot, now),
            Command::Rejoin { claim, reply } => self.rejoin(&claim, reply, now),
            Command::Unclaimed { slot } => self.ledger.handle_left(slot, now),
            Command::Left { name } => self.leave(&name, now),
            Command::Returned {
                slot,
                fault,
                parking,
                took,
            } => {
                self.turn_mean = (self.turn_mean * 7 + took) / 8;
                self.health.handle_turn(fault);
                self.handle_returned(slot, parking, now);
            }
            Command::Notice { slot, notice } => self.handle_notice(slot, notice, now),
            Command::Drain { done } => {
                self.drained = Some(done);
                self.ledger.drain(now);
            }
        }
    }

    /// A session has come to rest, or is gone; in neither case it holds a conversation.
    fn handle_notice(&mut self, slot: SlotId, notice: Notice, now: Instant) {
        self.parked.remove(&slot);
        match notice {
            Notice::Ready { resident } => {
                self.health.handle_ready();
                self.ledger.handle_ready(slot, resident, now);
            }
            Notice::Gone { fault } => {
                self.health.handle_gone(fault);
                self.live.remove(&slot);
                self.ledger.handle_gone(slot, now);
            }
        }
    }

    fn handle_lease(
        &mut self,
        owner: &Owner,
        shape: &Shape,
        (need, offer): (Need, Offer),
        reply: oneshot::Sender<Result<Grant, Fault>>,
        now: Instant,
    ) {
        if self.drained.is_some() {
            return drop(reply.send(Err(fault::shutting_down())));
        }
        // Whoever hung up says so, too; only where the queue is full does it matter that the word is on its way.
        if self.ledger.is_full() {
            self.withdraw_the_gone(now);
        }
        match self.ledger.ask(owner, shape, need, offer, now) {
            Ok(waiter) => drop(self.replies.insert(waiter, reply)),
            Err(_) => drop(reply.send(Err(fault::queue_full(self.honest_wait())))),
        }
    }

    /// Lends the session that holds the claimed conversation, if there is one.
    fn rejoin(
        &mut self,
        claim: &Claim,
        reply: oneshot::Sender<Option<(SlotId, Session)>>,
        now: Instant,
    ) {
        let mut parked = self.parked.iter();
        let slot = parked.find(|(_, parking)| parking.admits(claim));
        let slot = slot.map(|(slot, _)| *slot);
        let slot = slot.filter(|slot| self.ledger.rejoin(*slot));
        let found = slot.and_then(|slot| {
            self.parked.remove(&slot);
            Some((slot, self.live.get(&slot)?.clone()))
        });
        if let (Err(_), Some(slot)) = (reply.send(found), slot) {
            self.ledger.handle_left(slot, now);
        }
        // What a session holds for that name is not what the call goes on with.
        if let Some(name) = claim.name() {
            self.leave(name, now);
        }
    }

    fn handle_returned(&mut self, slot: SlotId, parking: Option<Parking>, now: Instant) {
        // Its process may be gone already.
        let session = self.live.get_mut(&slot);
        let lives = session.map(|session| session.primed = None).is_some();
        let Some(parking) = parking.filter(|_| lives) else {
            return self.ledger.handle_returned(slot, now);
        };
        if !parking.is_worth_its_session() {
            return self.ledger.handle_left(slot, now);
        }
        let kept = parking.waits_for_prompt();
        self.parked.insert(slot, parking);
        match kept {
            true => self.ledger.handle_kept(slot, now),
            false => self.ledger.handle_parked(slot, now),
        }
    }

    /// Empties the sessions that stay in the conversation of this name.
    fn leave(&mut self, name: &ConversationId, now: Instant) {
        let kept = |(_, parking): &(&SlotId, &Parking)| parking.is_kept_for(name);
        let kept: Vec<SlotId> = self
            .parked
            .iter()
            .filter(kept)
            .map(|(slot, _)| *slot)
            .collect();
        for slot in kept {
            self.parked.remove(&slot);
            self.ledger.handle_left(slot, now);
        }
    }

    /// Callers that hung up give their slot in the queue to others.
    fn withdraw_the_gone(&mut self, now: Instant) {
        let gone: Vec<WaiterId> = self
            .replies
            .iter()
            .filter(|(_, reply)| reply.is_closed())
            .map(|(waiter, _)| *waiter)
            .collect();
        for waiter in gone {
            self.replies.remove(&waiter);
            self.ledger.withdraw(waiter, now);
        }
    }

    /// How long the queue as it stands will take.
    fn honest_wait(&self) -> Duration {
        let rounds = self.ledger.waiting() / self.max.max(1) + 1;
        self.turn_mean
            .saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }

    fn perform(&mut self) {
        while let Some(effect) = self.ledger.poll_effect() {
            match effect {
                Effect::Lend { waiter, slot } => self.lend(waiter, slot),
                Effect::Permit { waiter, slot } => {
                    self.grant(waiter, slot, Grant::Permitted { slot })
                }
                Effect::Warm { slot, shape, kind } => self.warm(slot, &shape, kind),
                Effect::Retire { slot } => self.retire(slot),
                Effect::Empty { slot } => self.empty(slot),
                Effect::Expire { waiter } => self.expire(waiter),
                Effect::Displace { waiter } => self.displace(waiter),
            }
        }
    }

    fn lend(&mut self, waiter: WaiterId, slot: SlotId) {
        if let Some(session) = self.live.get(&slot).cloned() {
            return self.grant(waiter, slot, Grant::Lent { slot, session });
        }
        self.ledger.handle_gone(slot, clock::awake());
        if let Some(reply) = self.replies.remove(&waiter) {
            drop(reply.send(Err(session_lost("it was gone before it was lent"))));
        }
    }

    fn grant(&mut self, waiter: WaiterId, slot: SlotId, grant: Grant) {
        let taken = self
            .replies
            .remove(&waiter)
            .is_some_and(|reply| reply.send(Ok(grant)).is_ok());
        if !taken {
            self.ledger.handle_refused(slot, clock::awake());
        }
    }

    fn warm(&mut self, slot: SlotId, shape: &Shape, kind: SlotKind) {
        let birth = match kind {
            SlotKind::Typed => Birth::Empty,
            SlotKind::Primed => Birth::Primed,
        };
        match self
            .launcher
            .launch(shape, birth, notify(slot, &self.inbox))
        {
            Ok(session) => self.note_launch(slot, session),
            Err((error, _)) => {
                tracing::warn!(%error, "a session could not be started");
                self.health.handle_gone(Some(fault::cannot_launch(&error)));
                self.ledger.handle_gone(slot, clock::awake());
            }
        }
    }

    fn retire(&mut self, slot: SlotId) {
        match self.live.get(&slot) {
            Some(session) => drop(session.orders.try_send(Order::Retire)),
            None => self.ledger.handle_gone(slot, clock::awake()),
        }
    }

    fn empty(&mut self, slot: SlotId) {
        self.parked.remove(&slot);
        match self.live.get(&slot) {
            Some(session) => drop(session.orders.try_send(Order::Leave)),
            None => self.ledger.handle_gone(slot, clock::awake()),
        }
    }

    fn expire(&mut self, waiter: WaiterId) {
        if let Some(reply) = self.replies.remove(&waiter) {
            let fault = match self.drained {
                Some(_) => fault::shutting_down(),
                None => fault::queue_timeout(self.honest_wait()),
            };
            drop(reply.send(Err(fault)));
        }
    }

    fn displace(&mut self, waiter: WaiterId) {
        if let Some(reply) = self.replies.remove(&waiter) {
            drop(reply.send(Err(fault::queue_full(self.honest_wait()))));
        }
    }

    fn claude(&self) -> Option<ClaudeView> {
        let current = self.launcher.installations().recent().ok()?;
        Some(ClaudeView::of(&current))
    }

    fn publish(&self) {
        let view = |(slot, entry): (&SlotId, &Slot)| SessionView {
            conversation: self.parked.get(slot).and_then(Parking::name).cloned(),
            awaits: self
                .parked
                .get(slot)
                .map(|parking| parking.calls().to_vec())
                .unwrap_or_default(),
            id: format!("session-{slot}"),
            pid: self.live.get(slot).map_or(0, |session| session.pid),
            state: entry.held.name(),
            model: entry.shape.model.clone(),
            turns: entry.turns,
            owner: entry.holder.clone(),
            born: entry.born,
        };
        self.views.send_replace(Snapshot {
            condition: match (&self.drained, &self.refusal) {
                (Some(_), _) => Condition::Draining,
                (None, Some(why)) => Condition::Degraded(why.public.clone()),
                (None, None) => self.health.condition(self.is_judged),
            },
            sessions: self.ledger.slots().iter().map(view).collect(),
            waiting: self.ledger.waiting(),
            claude: self.claude(),
        });
    }
}

/// Tells the supervisor of a session.
pub(crate) fn notify(slot: SlotId, inbox: &mpsc::UnboundedSender<Command>) -> Notify {
    let inbox = inbox.clone();
    Box::new(move |notice| drop(inbox.send(Command::Notice { slot, notice })))
}

/// How often sessions that wait are looked at: a look reads one small file of each.
const LOOK: Duration = Duration::from_secs(5);
/// No deadline at all.
const FAR: Duration = Duration::from_secs(3600);
