//! A client: a process that asks, over and over or when told to.
//!
//! **What it guarantees.** Each operation is asked for under one [`CallId`], however often it is
//! repeated, and ends in at most one `Returns`: with the answer, with a refusal that is definite
//! (the operation has no effect, now or later), or with `Unknown`. A client that dies leaves its
//! operations open. It believes that it holds a lock only while its lease, counted on its own
//! monotonic clock from *before* it asked, has not run out.
//!
//! **Roles.** The client asks one node, and stays with it as long as it answers. `calls` repeats
//! what was not answered, `leases` keeps what it believes to hold, `load` decides what to ask next.
//!
//! ```text
//!  c1                              n1        n2
//!  │── Request c1/7 add x 1 ───────>×         │
//!  │      timeout                             │
//!  │── Request c1/7 add x 1 retry 1 ─────────>│  may have been done by n1: the service looks
//!  │<──────────────────── Response c1/7 ──────│  the call up before it adds again
//! ```
//!
//! Who waits in a queue does not know when its lease began. A grant that comes late is therefore
//! renewed at once, and believed from then on, counted from before the renewal was asked for.
//!
//! The lock load takes a lock, writes to the resource of the same name under its token, renews the
//! lease at its half, and gives the lock back. If the lease runs out first it stops by itself, and
//! still tries to give the lock back: the service may not know yet. A careful client looks at its
//! clock before each write. One that is not may send a write after a pause that outlasted the
//! lease; and even a careful one's write may arrive late. The fencing token is for that.
//!
//! Where locks are keys on instances, the client does itself what a lock service would (`recipe`).
//!
//! **Sources.** Gray and Cheriton, *Leases* (1989), section 2 (whose clock counts, from when);
//! Burrows, *The Chubby lock service* (2006), section 2.4 (sequencers); Kleppmann, *How to do
//! distributed locking* (2016).
//!
//! Where the service offers sessions and nodes, and no locks, a client takes locks in several steps
//! (`quests`), and has one lease for all of them: its session (`session`).
//!
//! **What is left out.** A client that goes away lets its session end; it closes it only when it is
//! told to.

use super::redis::Answer;
use super::{Context, Protocol, Ticket};
use crate::base::{
    CallId, LockMode, Mutation, Mutations, Name, NodeId, Op, Outcome, Refusal, ServiceId, Span,
};
use crate::event::LetGo;
use calls::{Calls, Finished};
use follower::Follower;
use leases::{Leases, Margin};
use load::Loads;
use quests::Quests;
use recipe::Recipes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use writer::Writer;

mod calls;
mod follower;
mod leases;
mod load;
mod quests;
mod recipe;
mod session;
mod tx;
mod writer;

pub use quests::Watch;
pub use recipe::Recipe;

/// What it is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whom it can ask.
    pub peers: Arc<[NodeId]>,
    /// What it does, one of these at a time, by chance.
    pub loads: Arc<[Load]>,
    /// How many operations it starts a second, one after the other.
    pub rate: u32,
    /// How long it waits for an answer before it asks again.
    pub timeout: Span,
    /// How often it asks again. An acquire, which may have to wait for its turn, is asked for
    /// eight times as often.
    pub retries: u32,
    /// Whether it looks at its clock before it writes under a lease.
    pub careful: bool,
    /// Whether nodes may answer reads from an old state. It then takes no answer that is older than
    /// one that it has had.
    pub stale_reads: bool,
    /// How it takes locks that are keys; none if the log keeps them.
    pub recipe: Option<Recipe>,
    /// What it watches while it waits for a lock; none if the service keeps the queue itself.
    pub watch: Option<Watch>,
    /// Beside whom locks can be held here.
    pub shares: Shares,
    /// Whether it names its versions itself, because keys are kept by quorums, and how.
    pub writes: Option<Writes>,
    /// Which rules are switched off.
    pub mutations: Mutations,
}

/// How a client writes to keys that are kept by quorums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writes {
    /// It asks first which versions there are.
    pub survey: bool,
}

/// Beside whom locks of a kind can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Whether many can read.
    pub readers: bool,
    /// Whether there are semaphores.
    pub permits: bool,
}

impl Shares {
    /// Why an operation is refused without asking anybody, if it is.
    fn refuses(self, op: &Op) -> Option<Refusal> {
        match op {
            Op::Acquire { mode: LockMode::Read, .. } if !self.readers => Some(Refusal::NoReaders),
            Op::Acquire { mode: LockMode::OneOf(_), .. } if !self.permits => {
                Some(Refusal::NoPermits)
            }
            _ => None,
        }
    }
}

/// How clients share the locks that they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Not at all.
    #[default]
    Alone,
    /// So many percent of them only read.
    Reads(u8),
    /// They are semaphores of so many permits.
    Permits(u8),
}

/// What a client does, over and over.
#[derive(Clone, Debug)]
pub enum Load {
    /// Reads and writes `key/1`, `key/2` …
    ReadWrite {
        /// How many keys.
        keys: u32,
        /// Share of writes, in percent.
        writes: u8,
    },
    /// Adds one to one of `count/1`, `count/2` …
    Count {
        /// How many counters.
        counters: u32,
    },
    /// Takes a lock, writes to the resource of the same name if it holds that alone, and gives it
    /// back.
    Lock {
        /// The locks.
        locks: Arc<[Name]>,
        /// The lease.
        ttl: Span,
        /// How long it is kept.
        hold: Span,
        /// How it is shared.
        share: Sharing,
    },
    /// Moves money between `acct/1`, `acct/2` …
    Bank {
        /// How many accounts.
        accounts: u32,
        /// The most that is moved at once.
        most: i64,
        /// How many accounts take part in a transfer: all but the last give.
        legs: u8,
    },
    /// Requests about `key/1`, `key/2` …, however many are not answered yet.
    Request {
        /// How many keys.
        keys: u32,
    },
    /// Opens a transaction, gets and sets some of `key/1`, `key/2` … in it, and ends it.
    Transact {
        /// How many keys.
        keys: u32,
    },
    /// Reads what this client wrote, and nothing else.
    ReadBack,
    /// Follows all that changes below locks.
    Watch,
    /// Deletes `key/1`, `key/2` …
    Delete {
        /// How many keys.
        keys: u32,
    },
    /// Puts files `file/1`, `file/2` …, reads them, and removes one now and then.
    Files {
        /// How many files.
        files: u32,
        /// How many bytes each has at the most.
        size: u32,
    },
}

/// What a server sends to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// The answer to a request.
    Response {
        /// Which of this client's calls.
        call: CallId,
        /// What became of it.
        outcome: Outcome,
    },
    /// An instance's answer about a lock's key.
    Instance {
        /// Which of this client's calls.
        call: CallId,
        /// Of which attempt: the value of the key that it is about.
        value: u64,
        /// The answer.
        answer: Answer,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Response { call, outcome } => write!(f, "Response {call} {outcome}"),
            Message::Instance { call, value, answer } => {
                write!(f, "Instance {call} {value} {answer}")
            }
        }
    }
}

/// Its timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// It is time for the next operation.
    Next,
    /// The call of this number was not answered.
    Timeout(u64),
    /// A lease runs out.
    LeaseEnd,
    /// Half of the lease is over.
    Renew,
    /// It is time to write to the guarded resource.
    Write,
    /// The lock was kept for long enough.
    GiveBack,
    /// The attempt of this call at a lock's key has waited for long enough, or rested.
    Attempt(u64),
    /// It is time for a sign of life.
    Ping,
}

/// What it writes: nothing. Its numbers survive because they begin with its boot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {}

/// A client's state.
#[derive(Clone, Debug)]
pub struct Client {
    calls: Calls,
    leases: Leases,
    loads: Loads,
    follower: Option<Follower>,
    /// Whether leases count from the answer, which only a mutation has.
    late: bool,
}

impl Protocol for Client {
    const ID: ServiceId = ServiceId::Client;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;

    fn start(config: Config, _: &[Record], cx: &mut Context<'_, Self>) -> Self {
        let Config { peers, loads, rate, timeout, retries, careful, .. } = config;
        let Config { stale_reads, recipe, watch, shares, writes, mutations, .. } = config;
        let quests = watch.map(|watch| Quests::new(watch, mutations));
        let backwards = mutations.has(Mutation::LogReadBackwards);
        let at = usize::from(cx.me().number().max(1) - 1);
        let writer = writes.map(|writes| Writer::new(writes, mutations));
        let follows = loads.iter().any(|load| matches!(load, Load::Watch));
        let mut client = Client {
            follower: follows.then(|| Follower::new(mutations)),
            leases: match (&recipe, watch) {
                (Some(recipe), _) => Leases::new(recipe.margin(), false),
                (None, Some(Watch::Key(terms))) => Leases::new(Margin::default(), !terms.deletes),
                (None, _) => Leases::new(Margin::default(), true),
            },
            calls: Calls::new(peers, at, timeout, retries, stale_reads && !backwards, shares)
                .with(recipe.map(|recipe| Recipes::new(recipe, retries, mutations)), quests)
                .writing(writer),
            loads: Loads::new(loads, rate, careful),
            late: mutations.has(Mutation::LockLateLease),
        };
        client.loads.tick(cx);
        client.follower.iter_mut().for_each(|it| it.begin(&mut client.calls, cx));
        client
    }

    fn message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Self>) {
        let (Message::Response { call, .. } | Message::Instance { call, .. }) = message;
        if call.client != cx.me() {
            return;
        }
        let finished = match message {
            Message::Response { outcome, .. } => self.calls.answered(from, call, outcome, cx),
            Message::Instance { value, answer, .. } => {
                self.calls.recipes(|recipes| recipes.answered(from, call, (value, answer), cx))
            }
        };
        finished.into_iter().for_each(|finished| self.over(finished, cx));
        self.settle(cx);
    }

    fn timer(&mut self, timer: Timer, cx: &mut Context<'_, Self>) {
        let Client { calls, leases, loads, .. } = self;
        match timer {
            Timer::Timeout(seq) => {
                if let Some(finished) = calls.timed_out(seq, cx) {
                    self.over(finished, cx);
                }
            }
            Timer::Attempt(seq) => {
                let finished = calls.recipes(|recipes| recipes.time_is_up(seq, cx));
                finished.into_iter().for_each(|finished| self.finished(&finished, cx));
            }
            Timer::Next => loads.next(calls, cx),
            Timer::LeaseEnd => {
                leases.run_out(cx);
                loads.check_lease(leases, calls, cx);
            }
            Timer::Renew => loads.renew(leases, calls, cx),
            Timer::Write => loads.write(leases, calls, cx),
            Timer::GiveBack => loads.give_back(leases, calls, cx),
            Timer::Ping => calls.ping(leases, cx),
        }
        self.settle(cx);
    }

    fn timer_name(timer: Timer) -> &'static str {
        match timer {
            Timer::Next => "next",
            Timer::Timeout(_) => "timeout",
            Timer::LeaseEnd => "lease end",
            Timer::Renew => "renew",
            Timer::Write => "write",
            Timer::GiveBack => "give back",
            Timer::Attempt(_) => "attempt",
            Timer::Ping => "ping",
        }
    }

    /// The workbench has this client ask for something.
    fn request(&mut self, _: Ticket, call: CallId, op: Op, cx: &mut Context<'_, Self>) {
        if let Op::Release { lock, token } = &op {
            self.leases.let_go(lock, *token, LetGo::Released, cx);
            self.loads.check_lease(&self.leases, &mut self.calls, cx);
        }
        self.loads.remember_key(&op);
        self.calls.begin(call, op, cx);
        self.settle(cx);
    }

    fn restate(&self, cx: &mut Context<'_, Self>) {
        self.calls.restate(cx);
        self.leases.restate(cx);
        self.follower.iter().for_each(|it| it.restate(cx));
    }
}

impl Client {
    /// A call is over, and perhaps something with it that it was a step of.
    fn over(&mut self, finished: Finished, cx: &mut Context<'_, Self>) {
        for finished in self.calls.over(finished, &mut self.leases, cx) {
            self.finished(&finished, cx);
        }
        self.loads.check_lease(&self.leases, &mut self.calls, cx);
    }

    /// Does what follows from what ended without an answer that says so.
    fn settle(&mut self, cx: &mut Context<'_, Self>) {
        loop {
            let over = self.calls.noted();
            if over.is_empty() {
                return;
            }
            over.iter().for_each(|finished| self.finished(finished, cx));
        }
    }

    /// What an answer says about leases, and what the load makes of it.
    fn finished(&mut self, finished: &Finished, cx: &mut Context<'_, Self>) {
        let Client { calls, leases, loads, follower, late } = self;
        if follower.as_mut().is_some_and(|it| it.takes(finished, calls, cx)) {
            return;
        }
        let since = if *late { cx.now() } else { finished.since };
        let told =
            |refusal: &Refusal| matches!(refusal, Refusal::NotHeld | Refusal::StaleToken { .. });
        match (&*finished.op, &finished.outcome) {
            (Op::Acquire { lock, ttl, mode }, Outcome::Granted { token }) => {
                let lease = (calls.ttl().unwrap_or(*ttl), *mode);
                let sure = leases.granted(lock, *token, lease, since, cx);
                let renew = (!sure).then(|| Op::Renew { lock: lock.clone(), token: *token });
                renew.into_iter().for_each(|renew| calls.begin(cx.new_call(), renew, cx));
            }
            (Op::Renew { lock, token }, outcome) => {
                let well = matches!(outcome, Outcome::Granted { .. });
                leases.renewed(lock, *token, well, since, cx);
                if matches!(outcome, Outcome::Refused(why) if told(why)) {
                    leases.let_go(lock, *token, LetGo::Told, cx);
                }
            }
            (Op::Write { resource: lock, token, .. }, Outcome::Refused(why)) if told(why) => {
                leases.let_go(lock, *token, LetGo::Told, cx);
            }
            _ => {}
        }
        loads.finished(finished, leases, calls, cx);
    }
}
