//! The state machine on the replicated log.
//!
//! Every replica applies the chosen entries in the order of their slots, and because [`Machine`] is
//! a pure function of them, all replicas agree. It has a client table in front (Ongaro 2014,
//! section 6.3; Liskov and Cowling 2012, section 4.1): an entry whose call was applied before has
//! no effect and is given the answer of the first time, so a client may retry at any node.
//!
//! The table remembers the last [`REMEMBERED`] calls of each client. Of an older call nobody can
//! say whether it was applied; it has no effect from then on, and the answer is `Unknown`.
//!
//! An operation may be answered later than it is applied: an `Acquire` of a lock that is held gets
//! its answer from the entry that frees the lock, and a change of voters in two steps from the
//! second.

use super::commit::Decisions;
use super::files::Namespace;
use super::lock::table::{Answers, Table};
use super::lock::tree::Tree;
use super::log::Configuration;
use super::register::Registers;
use super::ring::Views;
use super::tx::table::Table as Transactions;
use crate::base::{
    CallId, Entry, Lane, Mutation, Mutations, NodeId, Op, Outcome, Refusal, SessionOp, Slot, Voters,
};
use crate::event::Fact;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// How many calls of one client are remembered.
pub const REMEMBERED: usize = 64;

/// What became of the last calls of one client.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Session {
    /// The number, and the answer or none yet; in the order of numbers.
    calls: Lane<u64, Option<Outcome>>,
    /// The largest number that was forgotten.
    forgotten: u64,
}

impl Session {
    fn set(&mut self, seq: u64, outcome: Option<Outcome>) {
        self.calls.set(seq, outcome);
        if self.calls.len() > REMEMBERED
            && let Some((seq, _)) = self.calls.pop_first()
        {
            self.forgotten = self.forgotten.max(seq);
        }
    }
}

/// What the client table knows about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// It was not applied.
    No,
    /// It was applied and waits for its answer.
    Waiting,
    /// It was applied, and this is the answer.
    Answered(&'a Outcome),
}

/// The answer to a call of which the table has forgotten whether it was applied.
static FORGOTTEN: Outcome = Outcome::Unknown;

/// Who hears the answers to calls.
pub type Hears<'a> = &'a mut dyn FnMut(CallId, &Outcome);

/// What comes of an entry.
enum Effect {
    /// The answer to its call.
    Answer(Outcome),
    /// Answers to its call or to others, or none yet.
    Answers(Answers),
}

/// A replica's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    sessions: BTreeMap<NodeId, Session>,
    locks: Table,
    /// None if the cluster has no ring.
    views: Option<Views>,
    applied: Slot,
    digest: u64,
    mutations: Mutations,
    registers: Registers,
    configuration: Configuration,
    decisions: Decisions,
    tree: Tree,
    files: Namespace,
    transactions: Transactions,
}

impl Machine {
    /// The state before slot 1: with these voters, and the ring of the start if there is to be one.
    pub fn new(voters: Voters, views: Option<Views>, mutations: Mutations) -> Machine {
        let (sessions, locks, registers) =
            (BTreeMap::new(), Table::default(), Registers::default());
        let configuration = Configuration::first(voters);
        Machine {
            sessions,
            locks,
            views,
            applied: 0,
            digest: 0,
            mutations,
            registers,
            configuration,
            decisions: Decisions::default(),
            tree: Tree::default(),
            files: Namespace::default(),
            transactions: Transactions::default(),
        }
    }

    /// The same, where locks are looked through for deadlocks, or not.
    pub fn detecting(self, detects: bool) -> Machine {
        Machine { locks: Table::new(detects), ..self }
    }

    /// The last slot that was applied.
    pub fn applied(&self) -> Slot {
        self.applied
    }

    /// Stands for everything that had an effect so far: two replicas that agree on it agree on the
    /// state. An entry without effect (a no-op, a repeated call) leaves it as it is.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The keys, in a cluster that has no store for them.
    pub fn registers(&self) -> &Registers {
        &self.registers
    }

    /// The voters that the last entry to name any has named.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// What this replica answers to an operation that changes nothing; none if that has to wait.
    pub fn look(&self, op: &SessionOp) -> Option<Outcome> {
        self.tree.look(self.applied, op, self.mutations)
    }

    /// What is known about a call.
    pub fn known(&self, call: CallId) -> Known<'_> {
        if self.mutations.has(Mutation::LogNoClientTable) {
            return Known::No;
        }
        let Some(session) = self.sessions.get(&call.client) else { return Known::No };
        match session.calls.get(call.seq) {
            Some(Some(outcome)) => Known::Answered(outcome),
            Some(None) => Known::Waiting,
            None if call.seq <= session.forgotten => Known::Answered(&FORGOTTEN),
            None => Known::No,
        }
    }

    /// Applies the entry of `slot`, and says what changed in facts. The answers that are known now
    /// go to `hears`: to this entry's call, and to calls that had to wait until now.
    pub fn apply(&mut self, slot: Slot, entry: &Entry, facts: &mut Vec<Fact>, hears: Hears<'_>) {
        self.applied = slot;
        if matches!(entry.op, Op::Noop) {
            return;
        }
        if entry.op.names_voters() {
            self.configuration.take(slot, entry);
        }
        match self.known(entry.call) {
            Known::Answered(outcome) => return hears(entry.call, outcome),
            Known::Waiting if !matches!(entry.op, Op::Voters { .. }) => return,
            Known::Waiting | Known::No => {}
        }
        let mut fold = Fold(self.digest);
        (slot, entry.call).hash(&mut fold);
        let answered = match self.carry_out(slot, entry, facts) {
            Effect::Answer(outcome) => {
                self.conclude(entry.call, outcome, &mut fold, hears);
                true
            }
            Effect::Answers(answers) => {
                let answered = answers.iter().any(|(call, _)| *call == entry.call);
                for (call, outcome) in answers {
                    self.conclude(call, outcome, &mut fold, hears);
                }
                answered
            }
        };
        if !answered {
            self.remember(entry.call, None);
        }
        self.digest = fold.finish();
    }

    fn carry_out(&mut self, slot: Slot, entry: &Entry, facts: &mut Vec<Fact>) -> Effect {
        let (call, mutations) = (entry.call, self.mutations);
        Effect::Answer(match &entry.op {
            Op::Propose { value } => Outcome::Chosen { value: value.clone() },
            op if Table::takes(op) => {
                return Effect::Answers(self.locks.apply(slot, call, op, mutations, facts));
            }
            Op::Session(op) => {
                return Effect::Answers(self.tree.apply(slot, call, op, mutations, facts));
            }
            Op::Joint { .. } => return Effect::Answers(Answers::new()),
            Op::Join { .. }
            | Op::Leave { .. }
            | Op::Synced { .. }
            | Op::Evict { .. }
            | Op::Admit { .. } => match &mut self.views {
                Some(views) => views.apply(&entry.op, mutations, facts),
                None => Outcome::Refused(Refusal::NoService),
            },
            Op::File(op) => self.files.apply(call, op, mutations, facts),
            op if Registers::takes(op) => self.registers.apply(op),
            Op::Conclude { txn, commit } => self.decisions.apply(*txn, *commit, mutations, facts),
            Op::Tx(op) => self.transactions.apply(slot, call, op, mutations, facts),
            Op::Voters { .. } => Outcome::Done,
            Op::Decline { why } => Outcome::Refused(why.clone()),
            _ => Outcome::Refused(Refusal::NoService),
        })
    }

    /// A call has its answer.
    fn conclude(&mut self, call: CallId, outcome: Outcome, fold: &mut Fold, hears: Hears<'_>) {
        (call, &outcome).hash(fold);
        hears(call, &outcome);
        self.remember(call, Some(outcome));
    }

    fn remember(&mut self, call: CallId, outcome: Option<Outcome>) {
        self.sessions.entry(call.client).or_default().set(call.seq, outcome);
    }

    /// Says the whole state in facts, for a newcomer.
    pub fn restate(&self, facts: &mut Vec<Fact>) {
        if let Some(views) = &self.views {
            views.restate(self.applied, facts);
        }
        self.locks.restate(self.applied, facts);
        self.tree.restate(self.applied, facts);
        self.transactions.restate(self.applied, facts);
        self.files.restate(facts);
    }
}

/// A running digest: FNV-1a over 64-bit words (Fowler, Noll and Vo), with a rotation so that all
/// bits take part. Its values are compared between replicas and never kept.
struct Fold(u64);

impl Fold {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.word(n.into());
    }

    fn write_u16(&mut self, n: u16) {
        self.word(n.into());
    }

    fn write_u64(&mut self, n: u64) {
        self.word(n);
    }

    /// The number of an enum's variant.
    fn write_isize(&mut self, n: isize) {
        self.word(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, value: &str) -> Entry {
        let call = CallId { client: NodeId::client(1), seq };
        Entry { call, op: Op::Propose { value: value.parse().unwrap() } }
    }

    fn answers(machine: &mut Machine, slot: Slot, entry: &Entry) -> Vec<(CallId, Outcome)> {
        let mut answers = Vec::new();
        machine.apply(slot, entry, &mut Vec::new(), &mut |call, outcome| {
            answers.push((call, outcome.clone()));
        });
        answers
    }

    #[test]
    fn a_repeated_call_has_no_effect_and_the_same_answer() {
        let mut machine = Machine::new(Voters::of([]), None, Mutations::NONE);
        let first = answers(&mut machine, 1, &entry(1, "a"));
        let digest = machine.digest();
        assert_eq!(answers(&mut machine, 2, &entry(1, "a")), first);
        assert_eq!((machine.applied(), machine.digest()), (2, digest));
        answers(&mut machine, 3, &entry(2, "a"));
        assert_ne!(machine.digest(), digest);
    }

    #[test]
    fn an_acquire_that_waits_is_answered_when_it_is_granted() {
        let mut machine = Machine::new(Voters::of([]), None, Mutations::NONE);
        let mut apply = |slot, client, seq, op: &str| {
            let call = CallId { client: NodeId::client(client), seq };
            answers(&mut machine, slot, &Entry { call, op: op.parse().unwrap() })
        };
        apply(1, 1, 1, "acquire door 3s");
        assert_eq!(apply(2, 2, 1, "acquire door 3s"), []);
        let second = CallId { client: NodeId::client(2), seq: 1 };
        let granted = (second, Outcome::Granted { token: 3 });
        assert_eq!(apply(3, 1, 2, "release door 1")[1], granted);
        assert_eq!(apply(4, 2, 1, "acquire door 3s"), [granted], "a retry hears the same");
    }

    #[test]
    fn a_change_of_voters_in_two_steps_is_answered_after_the_second() {
        let mut machine = Machine::new("n1,n2".parse().unwrap(), None, Mutations::NONE);
        let call = CallId { client: NodeId::client(1), seq: 1 };
        let voters: Voters = "n3,n4".parse().unwrap();
        let joint = Entry { call, op: Op::Joint { voters: voters.clone() } };
        assert_eq!(answers(&mut machine, 1, &joint), []);
        assert_eq!(machine.configuration().voters.to_string(), "n1,n2>n3,n4");
        let last = Entry { call, op: Op::Voters { voters: voters.clone() } };
        assert_eq!(answers(&mut machine, 2, &last), [(call, Outcome::Done)]);
        assert_eq!((machine.configuration().slot, &machine.configuration().voters), (2, &voters));
    }

    #[test]
    fn a_call_that_was_forgotten_is_never_applied_again() {
        let mut machine = Machine::new(Voters::of([]), None, Mutations::NONE);
        for n in 1..=REMEMBERED as u64 + 1 {
            answers(&mut machine, n, &entry(n, "a"));
        }
        let digest = machine.digest();
        let late = answers(&mut machine, 100, &entry(1, "a"));
        assert_eq!(late, [(entry(1, "a").call, Outcome::Unknown)]);
        assert_eq!(machine.digest(), digest);
    }

    #[test]
    fn the_digest_tells_orders_apart() {
        let run = |seqs: [u64; 2]| {
            let mut machine = Machine::new(Voters::of([]), None, Mutations::NONE);
            for (slot, seq) in seqs.into_iter().enumerate() {
                answers(&mut machine, slot as u64 + 1, &entry(seq, "a"));
            }
            machine.digest()
        };
        assert_ne!(run([1, 2]), run([2, 1]));
    }
}
