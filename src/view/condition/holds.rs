//! What each statement means on a board.

use super::forms::{Arg, Cmp, Term, What, Which};
use crate::base::{Name, NodeId, Op, Outcome, Refusal, Share, Slot, Span, Time, TxOutcome, TxnId};
use crate::event::Standing;
use crate::view::Board;
use crate::view::clients::{Done, Open};
use crate::view::members::Belief;
use crate::view::nodes::{Life, Node, Role};
use crate::view::quorum::Quorums;
use crate::view::sagas::{Saga, Stage};
use crate::view::txns::{Phase, Txn};

impl Term {
    /// Whether it is so.
    pub(super) fn holds(&self, board: &Board) -> bool {
        match *self.args.as_slice() {
            [] => whole(self.what, board),
            [Arg::Who(who)] => process(self.what, who, board),
            [Arg::Who(who), Arg::Who(other)] => match self.what {
                What::Suspects => {
                    board.node(who).is_some_and(|node| node.suspects.contains_key(&other))
                }
                What::FindsDead => {
                    let opinion = board.members.opinion(who, other);
                    opinion.is_some_and(|opinion| opinion.belief == Belief::Dead)
                }
                _ => board.network.talk(who, other),
            },
            [Arg::Who(who), Arg::Name(ref name)] => process_and_name(self.what, who, name, board),
            [Arg::Who(who), Arg::Word(result)] => {
                last(board, who).is_some_and(|done| ended(result, &done.outcome))
            }
            [Arg::Who(who), Arg::Value(value)] => {
                last(board, who).is_some_and(|done| says(&done.outcome) == Some(value))
            }
            [Arg::Who(who), Arg::Cmp(cmp), ref than] => measured(self.what, who, cmp, than, board),
            [Arg::Word(op), Arg::Who(who)] => pending(op, who, board),
            [Arg::Name(ref name)] => named(self.what, name, board),
            [Arg::Name(ref name), Arg::Who(who)] => {
                lock(board, name).is_some_and(|lock| lock.held_by(who).is_some())
            }
            [Arg::Name(ref name), ref rest @ ..] => lock_number(self.what, name, rest, board),
            [Arg::Txn(which), ref rest @ ..] if is_of_sagas(self.what) => {
                let n = rest.first().map_or(0, number);
                meant(board.sagas.all().rev(), which, |saga| saga.id)
                    .any(|saga| says_of(self.what, saga, n, board))
            }
            [Arg::Txn(which), ref rest @ ..] => meant(board.txns.all().rev(), which, |txn| txn.id)
                .any(|txn| {
                    let n = rest.first().map_or(0, number);
                    transaction(self.what, txn, n, board)
                }),
            [Arg::N(slot)] => numbered(self.what, slot, board),
            [Arg::N(slot), Arg::N(n)] => accepts(slot, board) >= n,
            [Arg::Cmp(cmp), ref than] => counted(self.what, cmp, than, board),
            _ => false,
        }
    }

    /// How it is instead, where one would like to know: `c1 heard now 2`, or how many there are.
    pub(super) fn instead(&self, board: &Board) -> Option<String> {
        match *self.args.as_slice() {
            [Arg::Who(who), Arg::Word(_) | Arg::Value(_)] => Some(match last(board, who) {
                Some(done) => format!("{who} heard {}", done.outcome),
                None => format!("{who} has no answer"),
            }),
            [Arg::N(slot), Arg::N(_)] => Some(format!("it has {}", accepts(slot, board))),
            [Arg::Cmp(_), Arg::N(_)] => Some(format!("it is {}", count(self.what, board))),
            _ => None,
        }
        .filter(|_| !self.holds(board))
    }
}

fn number(arg: &Arg) -> u64 {
    match arg {
        Arg::N(n) => *n,
        _ => 0,
    }
}

fn leads(node: &Node) -> bool {
    matches!(node.role, Role::Leads(_)) && node.life.is_there()
}

fn leaders(board: &Board) -> u64 {
    board.nodes.servers().filter(|node| leads(node)).count() as u64
}

/// Statements without an argument.
fn whole(what: What, board: &Board) -> bool {
    match what {
        What::SomebodyLeads => leaders(board) > 0,
        What::NobodyLeads => leaders(board) == 0,
        What::EverybodyFollows => board.leader().is_some_and(|(leader, ballot)| {
            let mut up = board.nodes.servers().filter(|node| node.life.is_up());
            board.node(leader).is_some_and(|node| node.life.is_up())
                && up.all(|node| node.role.ballot() == ballot)
        }),
        What::Agree => {
            let up = |id: NodeId| board.node(id).is_some_and(|node| node.life.is_up());
            let mut replicas = board.log.replicas().filter(|(id, _)| up(*id));
            let first = replicas.next().map(|(_, r)| (r.applied, r.digest));
            replicas.all(|(_, r)| Some((r.applied, r.digest)) == first)
        }
        What::DecreeChosen => board.decree.chosen().is_some(),
        What::DecreeDuel => board.decree.duel().is_some(),
        What::RingSettled => {
            board.ring.latest().is_some_and(|latest| board.ring.settled >= latest.epoch)
        }
        _ => false,
    }
}

/// Statements on one process.
fn process(what: What, who: NodeId, board: &Board) -> bool {
    let node = board.node(who);
    let is = |so: fn(&Node) -> bool| node.is_some_and(so);
    match what {
        What::Leads => is(leads),
        What::Follows => is(|node| matches!(node.role, Role::Follows(_))),
        What::Seeks => is(|node| matches!(node.role, Role::Seeks(_))),
        What::Deposed => board.is_stale(who),
        What::Votes => node.is_some() && !who.is_client() && board.votes(who),
        What::Learns => board.learns(who),
        What::Up => is(|node| node.life == Life::Up),
        What::Down => is(|node| node.life.is_down()),
        What::Paused => is(|node| node.life == Life::Paused),
        What::LeftOut => {
            let mut standings = board.balance.balancers().map(|(_, b)| b.standing(who));
            standings.any(|standing| !matches!(standing, Standing::Up | Standing::Warming))
        }
        What::RingHas => board.ring.latest().is_some_and(|latest| latest.has(who)),
        _ => false,
    }
}

/// Statements on a process and something that has a name.
fn process_and_name(what: What, who: NodeId, name: &Name, board: &Board) -> bool {
    match what {
        What::Voted => {
            let vote = board.decree.acceptors().get(&who).and_then(|a| a.entry.as_deref());
            vote.is_some_and(|entry| proposes(&entry.op, name))
        }
        What::Learned => {
            board.decree.learners().get(&who).is_some_and(|entry| proposes(&entry.op, name))
        }
        What::Keeps => {
            let copies = board.quorums.key(name).and_then(|key| key.copies.get(&who));
            copies.is_some_and(|versions| !versions.is_deleted())
        }
        What::Believes => lock(board, name).is_some_and(|lock| lock.beliefs.contains_key(&who)),
        _ => {
            let taken = lock(board, name).and_then(|lock| lock.writes().rfind(|w| w.accepted));
            taken.is_some_and(|write| write.call.client == who)
        }
    }
}

fn proposes(op: &Op, name: &Name) -> bool {
    matches!(op, Op::Propose { value } if value == name)
}

/// Statements that compare something of one process.
fn measured(what: What, who: NodeId, cmp: Cmp, than: &Arg, board: &Board) -> bool {
    match (what, than) {
        (What::Owns, Arg::Share(percent)) => {
            let share = board.ring.latest().map(|latest| latest.ring.share(who));
            share.is_some_and(|share| cmp.holds(share, percents(*percent)))
        }
        (What::Gets, Arg::Share(percent)) => {
            let (own, all) = board.balance.share(who);
            cmp.holds(own * 100, all * usize::from(*percent))
        }
        (What::Holds, Arg::N(n)) => {
            let keys = board.ring.keeper(who).map_or(0, |keeper| u64::from(keeper.keys));
            cmp.holds(keys, *n)
        }
        (What::Owes, Arg::N(n)) => {
            let owed = board.caches.node(who).map_or(0, |node| node.owed.len() as u64);
            cmp.holds(owed, *n)
        }
        (_, Arg::N(n)) => {
            cmp.holds(board.log.replica(who).map_or(0, |replica| replica.applied), *n)
        }
        _ => false,
    }
}

fn percents(percent: u8) -> Share {
    Share::fraction(percent.into(), 100)
}

/// Statements on the decree's value or a lock.
fn named(what: What, name: &Name, board: &Board) -> bool {
    match what {
        What::DecreeIs => board.decree.chosen().is_some_and(|(entry, _)| proposes(&entry.op, name)),
        What::KeyEqual => {
            let (ring, key) = (board.ring.latest(), board.quorums.key(name));
            let replicas = ring.map(|epoch| Quorums::replicas(&epoch.ring, name));
            key.zip(replicas).is_some_and(|(key, replicas)| !key.differs(&replicas))
        }
        What::FileWhole => {
            let ring = board.ring.latest().map(|epoch| &epoch.ring);
            board.files.file(name).is_some() && board.files.thin(name, ring) == 0
        }
        What::LockFree => lock(board, name).is_some_and(|lock| lock.holders.is_empty()),
        _ => lock(board, name).is_some_and(|lock| !lock.holders.is_empty()),
    }
}

fn lock<'a>(board: &'a Board, name: &Name) -> Option<&'a crate::view::locks::Lock> {
    board.locks.get(name)
}

/// Statements that count or compare something of a lock.
fn lock_number(what: What, name: &Name, args: &[Arg], board: &Board) -> bool {
    let Some(lock) = lock(board, name) else { return false };
    match *args {
        [Arg::Cmp(cmp), Arg::Span(span)] => {
            let left = lock.holder().map(|holder| holder.deadline().since(board.now));
            left.is_some_and(|left| cmp.holds(left, span))
        }
        [Arg::Cmp(cmp), Arg::N(n)] => cmp.holds(lock.token, n),
        [Arg::N(n)] if what == What::LockWaiting => lock.queue.len() as u64 >= n,
        [Arg::N(n)] => lock.beliefs.len() as u64 >= n,
        _ => false,
    }
}

/// The transactions that are meant.
fn meant<'a, T: 'a>(
    all: impl Iterator<Item = &'a T>,
    which: Which,
    id: impl Fn(&T) -> TxnId,
) -> impl Iterator<Item = &'a T> {
    let most = if which == Which::Any { usize::MAX } else { 1 };
    let meant = move |txn: &&T| match which {
        Which::Id(wanted) => id(txn) == wanted,
        Which::Number(number) => id(txn).number == number,
        Which::Last | Which::Any => true,
    };
    all.filter(meant).take(most)
}

fn is_of_sagas(what: What) -> bool {
    use What::*;
    matches!(what, SagaSteps | SagaBack | SagaDone | SagaUndone | SagaOver | SagaStuck)
}

fn says_of(what: What, saga: &Saga, n: u64, board: &Board) -> bool {
    let stage = saga.stage.0;
    match what {
        What::SagaSteps => saga.steps.values().filter(|step| step.stands()).count() as u64 >= n,
        What::SagaBack => matches!(stage, Stage::Back(_)),
        What::SagaDone => stage == Stage::Over { done: true },
        What::SagaUndone => stage == Stage::Over { done: false },
        What::SagaStuck => saga.is_stuck(board.now),
        _ => saga.is_over(),
    }
}

fn transaction(what: What, txn: &Txn, n: u64, board: &Board) -> bool {
    let votes = |yes| txn.votes.values().filter(|vote| vote.yes == yes).count() as u64;
    match what {
        What::TxnYes => votes(true) >= n,
        What::TxnNo => votes(false) >= n,
        What::TxnDoubt => !txn.in_doubt(board).is_empty(),
        What::TxnVoting => txn.phase() == Phase::Voting,
        What::TxnPrepared => txn.phase() == Phase::Prepared,
        What::TxnCommitting => txn.phase() == Phase::Committing,
        What::TxnAborting => txn.phase() == Phase::Aborting,
        What::TxnCommitted => txn.phase() == Phase::Committed,
        What::TxnAborted => txn.phase() == Phase::Aborted,
        _ => txn.is_over(),
    }
}

/// Statements on a slot, or on how many ballots or votes the decree has.
fn numbered(what: What, n: u64, board: &Board) -> bool {
    match what {
        What::SlotChosen if n == 0 => board.decree.chosen().is_some(),
        What::SlotChosen => board.log.chosen(n).is_some() || (1..=board.log.commit).contains(&n),
        What::DecreeAccepts => accepts(0, board) >= n,
        _ => board.decree.rows().count() as u64 >= n,
    }
}

/// How many nodes voted in a slot; in slot 0, the decree, in its best ballot.
fn accepts(slot: Slot, board: &Board) -> u64 {
    let votes = match slot {
        0 => board.decree.rows().map(|row| row.accepts()).max().unwrap_or_default(),
        _ => board.log.replicas().filter(|(_, replica)| replica.place(slot).is_some()).count(),
    };
    votes as u64
}

/// Statements on numbers of the whole cluster.
fn counted(what: What, cmp: Cmp, than: &Arg, board: &Board) -> bool {
    match (what, than) {
        (What::Time, Arg::Span(Span(micros))) => cmp.holds(board.now, Time(*micros)),
        (What::OldestAnswer, Arg::Span(span)) => cmp.holds(board.caches.oldest, *span),
        (What::CacheHits, Arg::Share(percent)) => {
            let (hits, all) = board.caches.rate();
            cmp.holds(hits * 100, all * usize::from(*percent))
        }
        (What::RingMoved, Arg::Share(percent)) => {
            let moved = board.ring.latest().map(|latest| latest.moved);
            moved.is_some_and(|moved| cmp.holds(moved, percents(*percent)))
        }
        _ => matches!(than, Arg::N(n) if cmp.holds(count(what, board), *n)),
    }
}

/// A number of the whole cluster.
fn count(what: What, board: &Board) -> u64 {
    let (ok, refused, unknown) = board.clients.totals();
    match what {
        What::RingEpoch => board.ring.latest().map_or(0, |latest| latest.epoch),
        What::Commit => board.log.commit,
        What::Leaders => leaders(board),
        What::Elections => board.log.elections,
        What::WrongSuspicions => board.members.record().wrong.into(),
        What::WrongDeaths => board.members.record().buried.into(),
        What::Ok => ok,
        What::Refused => refused,
        What::Unknown => unknown,
        What::StaleReads => board.quorums.counts.stale,
        What::LostWrites => board.quorums.counts.lost + board.caches.lost,
        What::OldAnswers => board.caches.stale,
        What::ReadsWaiting => board.ring.backlog(),
        What::StoreReads => board.caches.load(board.now) as u64,
        What::Spoilt => board.files.spoilt() as u64,
        What::Hints => board.quorums.hints().len() as u64,
        What::Faults => board.faults.count() as u64,
        _ => board.network.in_flight() as u64,
    }
}

/// The last call of a process, if it is over: while one is open, nobody can say how it ends.
fn last(board: &Board, who: NodeId) -> Option<&Done> {
    let client = board.clients.get(who)?;
    client.last().filter(|_| client.open().next().is_none())
}

/// The number in an outcome.
fn says(outcome: &Outcome) -> Option<i64> {
    match outcome {
        Outcome::Value { value, .. } => *value,
        Outcome::Written { value, .. } => Some(*value),
        Outcome::Tx(TxOutcome::Read { value, .. }) => *value,
        Outcome::Found { versions } => versions.newest()?.value,
        _ => None,
    }
}

/// Whether a call ended so.
fn ended(word: &str, outcome: &Outcome) -> bool {
    let refusal = match outcome {
        Outcome::Refused(why) => Some(why),
        _ => None,
    };
    match word {
        "ok" => !matches!(outcome, Outcome::Unknown | Outcome::Aborted { .. }) && refusal.is_none(),
        "refused" => refusal.is_some(),
        "unknown" => *outcome == Outcome::Unknown,
        "granted" => matches!(outcome, Outcome::Granted { .. }),
        "committed" => {
            matches!(outcome, Outcome::Committed { .. } | Outcome::Tx(TxOutcome::Committed))
        }
        "aborted" => {
            matches!(outcome, Outcome::Aborted { .. } | Outcome::Tx(TxOutcome::Aborted { .. }))
        }
        "absent" => match outcome {
            Outcome::Found { versions } => versions.is_empty() || versions.is_deleted(),
            Outcome::Tx(TxOutcome::Read { value, .. }) => value.is_none(),
            other => matches!(other, Outcome::Value { value: None, .. }),
        },
        "siblings" => matches!(outcome, Outcome::Found { versions } if versions.len() > 1),
        "chosen" => matches!(outcome, Outcome::Chosen { .. }),
        "stale" => matches!(refusal, Some(Refusal::StaleToken { .. })),
        "unheld" => matches!(refusal, Some(Refusal::NotHeld)),
        "taken" => matches!(refusal, Some(Refusal::Taken)),
        "locked" => matches!(refusal, Some(Refusal::Locked)),
        _ => matches!(refusal, Some(Refusal::Funds)),
    }
}

/// Whether a call of this kind waits at a process: at a node for its answer, at a client for the
/// cluster.
fn pending(word: &str, who: NodeId, board: &Board) -> bool {
    let waits = |open: &Open| is_op(word, &open.op);
    match who.is_client() {
        true => board.clients.get(who).is_some_and(|c| c.open().any(|(_, open)| waits(open))),
        false => board
            .clients
            .all()
            .any(|(_, client)| client.open().any(|(_, open)| open.at == who && waits(open))),
    }
}

fn is_op(word: &str, op: &Op) -> bool {
    match word {
        "call" => true,
        "get" => matches!(op, Op::Get { .. }),
        "put" => matches!(op, Op::Put { .. }),
        "add" => matches!(op, Op::Add { .. }),
        "write" => {
            matches!(op, Op::Put { .. } | Op::Add { .. } | Op::Delete { .. } | Op::Write { .. })
        }
        "acquire" => matches!(op, Op::Acquire { .. }),
        "renew" => matches!(op, Op::Renew { .. }),
        "release" => matches!(op, Op::Release { .. }),
        "transfer" => matches!(op, Op::Transfer(_) | Op::Move { .. }),
        "propose" => matches!(op, Op::Propose { .. }),
        "join" => matches!(op, Op::Join { .. }),
        "delete" => matches!(op, Op::Delete { .. }),
        _ => matches!(op, Op::Leave { .. }),
    }
}
