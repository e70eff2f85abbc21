//! The thread of one disk: it takes requests in order, and syncs what has queued up.

use super::{Done, Loaded, Request, Store, Trouble};
use crate::base::{Rng, Span};
use crate::command::Unsynced;
use crate::host::Write;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

/// A group takes no more commits than this, so that a sync begins however fast they come.
const GROUP: usize = 1024;

/// No sync takes longer than this, so that adding it to a clock is safe.
const SLOWEST: Span = Span::secs(365 * 24 * 3600);

/// Whether commits are taken.
#[derive(Debug)]
enum State {
    /// Yes.
    Up,
    /// No: not loaded, crashed, or wiped.
    Down,
    /// No: the medium failed. So many writes have been lost since.
    Broken { lost: u64 },
}

/// A sync that has begun.
#[derive(Debug)]
struct Under {
    /// When it is to end.
    due: Instant,
    /// How many of the queued commits it covers.
    commits: usize,
}

/// What the thread owns.
pub(super) struct Writer<F> {
    store: Box<dyn Store>,
    chance: Rng,
    done: F,
    life: u64,
    state: State,
    /// Commits that are not durable, with their numbers. Empty unless the state is `Up`.
    queue: VecDeque<(u64, Vec<Write>)>,
    under: Option<Under>,
    slow: Span,
}

impl<F: FnMut(Done)> Writer<F> {
    pub(super) fn new(store: Box<dyn Store>, chance: Rng, done: F) -> Writer<F> {
        let (queue, state) = (VecDeque::new(), State::Down);
        Writer { store, chance, done, life: 0, state, queue, under: None, slow: Span::ZERO }
    }

    /// Works until nobody can ask for anything any more.
    pub(super) fn run(mut self, inbox: &Receiver<Request>) {
        loop {
            let next = match &self.under {
                Some(under) => inbox.recv_timeout(under.due.duration_since(Instant::now())),
                None if self.queue.is_empty() => {
                    inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
                }
                None if self.queue.len() >= GROUP => Err(RecvTimeoutError::Timeout),
                None => inbox.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
            };
            match next {
                Ok(request) => self.take(request),
                Err(RecvTimeoutError::Timeout) => match self.under.take() {
                    Some(under) => self.sync(under.commits),
                    None => self.begin(),
                },
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Begins a sync of all that has queued up. What comes while it lasts is for the next one.
    fn begin(&mut self) {
        let commits = self.queue.len();
        let span = (self.store.latency(&mut self.chance) + self.slow).min(SLOWEST);
        match span {
            Span::ZERO => self.sync(commits),
            Span(micros) => {
                let due = Instant::now() + Duration::from_micros(micros);
                self.under = Some(Under { due, commits });
            }
        }
    }

    /// Makes the oldest commits durable.
    fn sync(&mut self, commits: usize) {
        let Some(&(upto, _)) = commits.checked_sub(1).and_then(|last| self.queue.get(last)) else {
            return;
        };
        let group: Vec<Write> = self.queue.drain(..commits).flat_map(|(_, batch)| batch).collect();
        let writes = group.len() as u64;
        if let Err(trouble) = self.store.commit(group) {
            return self.fail(&trouble, writes);
        }
        (self.done)(Done::Synced { life: self.life, upto });
        if let Err(trouble) = self.store.tidy() {
            self.fail(&trouble, 0);
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Load { life } => self.load(life),
            Request::Commit { upto, batch } => match &mut self.state {
                State::Up => self.queue.push_back((upto, batch)),
                State::Down => {}
                State::Broken { lost } => *lost += batch.len() as u64,
            },
            Request::Crash(unsynced) => {
                let lost = self.crash(unsynced);
                (self.done)(Done::Crashed { life: self.life, lost });
            }
            Request::Wipe => {
                self.stop();
                if let Err(trouble) = self.store.wipe() {
                    self.fail(&trouble, 0);
                }
            }
            Request::Slow(by) => self.slow = by,
        }
    }

    fn load(&mut self, life: u64) {
        self.sync(self.queue.len());
        self.stop();
        self.life = life;
        match self.store.load() {
            Ok(Loaded { boot, records, torn }) => {
                self.state = State::Up;
                (self.done)(Done::Loaded { life, boot, records, torn });
            }
            Err(trouble) => self.fail(&trouble, 0),
        }
    }

    /// What becomes of what is not durable, by the rules of the simulator. Says how much is lost.
    fn crash(&mut self, unsynced: Unsynced) -> u64 {
        let before = match self.state {
            State::Broken { lost } => lost,
            State::Up | State::Down => 0,
        };
        let mut writes = self.stop();
        let total = writes.len() as u64;
        let (kept, torn) = match unsynced {
            Unsynced::Keep => (total, false),
            Unsynced::Lose => (0, false),
            Unsynced::Tear => (0, total > 0),
            Unsynced::Chance => {
                let kept = self.chance.between(0, total);
                (kept, kept < total && self.chance.percent(50))
            }
        };
        let rest = writes.split_off(kept as usize);
        let torn = rest.into_iter().next().filter(|_| torn);
        match self.store.crash(writes, torn) {
            Ok(()) => before + total - kept,
            Err(_) => before + total,
        }
    }

    /// Takes no commits any more, and gives the writes that are not durable.
    fn stop(&mut self) -> Vec<Write> {
        (self.state, self.under) = (State::Down, None);
        self.queue.drain(..).flat_map(|(_, batch)| batch).collect()
    }

    fn fail(&mut self, trouble: &Trouble, writes: u64) {
        let queued = self.stop().len() as u64;
        self.state = State::Broken { lost: writes + queued };
        (self.done)(Done::Failed { life: self.life, why: trouble.to_string() });
    }
}
