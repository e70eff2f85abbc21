//! Elected leaders and their logs: the rules of Raft, and Zab's, which are the same in other words.
//!
//! | rule | says | reads |
//! |---|---|---|
//! | RAFT-1 | at most one node, in one of its lives, leads in a term | `Leads` |
//! | RAFT-2 | a leader drops no entry | `Truncates` |
//! | RAFT-3 | logs with an entry of one term in one slot are the same up to there | `Appends` |
//! | RAFT-4 | a leader has all that was committed in earlier terms | `Leads`, `Commits` |
//! | RAFT-6 | what is committed in a slot is committed for all | `Commits` |
//! | RAFT-7 | every quorum has a voter with what a node knows to be committed | `Commits`, `Voters` |
//! | RAFT-8 | a log that is as up to date as a place that was committed has it | `Commits` |
//! | RAFT-9 | terms do not fall, a vote stays, and entries survive a restart | `Enters`, `VotesFor`, `Voter` |
//! | RAFT-10 | a node commits what it has and applies what it committed, and takes none of it back | `Commits`, `Applies` |
//! | RAFT-11 | a leader commits an entry of its own term that a quorum of the voters that it goes by has on disk | `Commits`, `Voters` |
//! | RAFT-13 | no committed entry is dropped, and no snapshot goes back | `Truncates`, `Snapshot` |
//! | RX-5 | who is handed over to has the leader's whole log | `HandsOver` |
//! | RX-9 | quorums of voters that nodes go by meet, if the nodes can be elected | `Voters` |
//! | RX-10 | a leader lets other voters in when those before are committed | `Appends`, `Voters` |
//! | RX-11 | … and when it has committed an entry of its own term | `Appends`, `Commits` |
//! | RX-12 | a node goes by the voters that its log names last, and does not lead on when that it votes no more is committed | `Voters`, `Truncates`, `Commits` |
//!
//! The numbers are those of the dissertation's properties and the inductive invariants of
//! `raft.tla`, those of RX the dissertation's on its extensions; RAFT-5 (state-machine safety) is
//! MP-1 of the check `log`. RAFT-3 is judged step by step: if every entry agrees with all others of
//! its name about the one before it, logs agree up to there. RAFT-8 is often stated of any two
//! logs; that is wrong: who has just been sent some of what is committed may be behind somebody
//! whose tail of an earlier term has to give way.
//!
//! Zab's terms are epochs: one that a node has entered it has *accepted*, and a vote in it is for
//! the leader from which it did. It establishes a leader (`Leads`) after the majority has adopted
//! its history, and commits that history first. Its rules have the numbers of the paper's
//! properties:
//!
//! | Raft | Zab |
//! |---|---|
//! | RAFT-1 | ZAB-2: one established leader an epoch |
//! | RAFT-2, RAFT-3 | ZAB-4 integrity, ZAB-7 local primary order: an entry is what one leader broadcast, after what it had |
//! | RAFT-4 | ZAB-9 primary integrity: a leader has what was delivered before |
//! | RAFT-6 | ZAB-6 total order |
//! | RAFT-9 | ZAB-10: epochs do not fall, and what was acknowledged stays |
//! | RAFT-10 | ZAB-12: only what a node has, it delivers |
//! | RAFT-11 | ZAB-11: what is committed a majority has on disk |
//! | RAFT-13 | ZAB-3 prefix consistency: what is committed is not dropped |
//!
//! Besides, nobody adopts an epoch that it has not accepted, or an older one again (ZAB-10).
//!
//! A newcomer hears each node's whole log, its term and its vote. Of a node that was not heard it
//! takes for given that it has what it should.
//!
//! Entries are kept until every node has cut them off, the last 65,536 at the most.

mod voters;

use super::{Check, Expect, Violation, Witness};
use crate::base::{Ballot, Entry, NodeId, Slot, Voters};
use crate::event::{Event, Fact, Kind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use voters::Goes;

const MOST: usize = 65_536;
const TERMS: usize = 1_024;

/// The protocol in whose words a broken rule is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Raft.
    #[default]
    Raft,
    /// Zab.
    Zab,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 2] = [Dialect::Raft, Dialect::Zab];

    /// What the check is called.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Raft => "raft",
            Dialect::Zab => "zab",
        }
    }

    /// The name of a rule that has this name for Raft.
    fn rule(self, raft: &'static str) -> &'static str {
        match (self, raft) {
            (Dialect::Raft, _) => raft,
            (Dialect::Zab, "RAFT-1") => "ZAB-2",
            (Dialect::Zab, "RAFT-2") => "ZAB-7",
            (Dialect::Zab, "RAFT-3") => "ZAB-4",
            (Dialect::Zab, "RAFT-4") => "ZAB-9",
            (Dialect::Zab, "RAFT-6") => "ZAB-6",
            (Dialect::Zab, "RAFT-9") => "ZAB-10",
            (Dialect::Zab, "RAFT-10") => "ZAB-12",
            (Dialect::Zab, "RAFT-11") => "ZAB-11",
            (Dialect::Zab, _) => "ZAB-3",
        }
    }
}

/// What one node has said of itself.
#[derive(Clone, Debug, Default)]
struct Node {
    /// Whether its whole log is known.
    known: bool,
    boot: u32,
    /// Its term, and the event that said so.
    term: (u32, usize),
    /// The epoch that it adopted last (Zab).
    adopted: u32,
    /// Its last vote, and the event that said so.
    vote: (Ballot, usize),
    /// The term of the entry in each slot, and the event that said so.
    held: BTreeMap<Slot, (u32, usize)>,
    /// Its log is cut off up to here; the term there, if that is known.
    base: (Slot, Option<u32>),
    commit: (Slot, usize),
    /// The term in which it leads.
    leads: Option<u32>,
    /// The voters that it goes by, if they are not those of the start.
    goes: Option<Goes>,
    /// The slots of its log that name voters.
    naming: BTreeSet<Slot>,
    /// What it is saying of its log, since a start or for a newcomer.
    restated: Option<BTreeMap<Slot, (u32, usize)>>,
}

/// An entry that some leader made in some term.
#[derive(Clone, Debug)]
struct Made {
    term: u32,
    entry: Arc<Entry>,
    /// The term of the entry before it, if that is known.
    prev: Option<u32>,
    node: NodeId,
    at: usize,
}

/// A slot that is committed.
#[derive(Clone, Copy, Debug)]
struct Committed {
    term: u32,
    /// The term of who said so first.
    under: u32,
    node: NodeId,
    at: usize,
}

/// Who leads a term, and the log that it was elected with: the first slot of each run of entries of
/// one term, and the last slot.
#[derive(Clone, Debug)]
struct Led {
    node: NodeId,
    boot: u32,
    at: usize,
    known: bool,
    base: Slot,
    runs: Vec<(Slot, u32)>,
    last: Slot,
}

/// The check.
#[derive(Clone, Debug)]
pub struct Raft {
    dialect: Dialect,
    /// Whether the log's voters count from the entry on that names them.
    at_once: bool,
    voters: Voters,
    nodes: BTreeMap<NodeId, Node>,
    made: BTreeMap<Slot, Vec<Made>>,
    committed: BTreeMap<Slot, Committed>,
    leaders: BTreeMap<u32, Led>,
}

/// What happened, where, and when.
#[derive(Clone, Copy)]
struct Seen {
    at: usize,
    node: NodeId,
    dialect: Dialect,
}

impl Seen {
    fn broken(self, rule: &'static str, what: String, because: Vec<usize>) -> Option<Violation> {
        let (check, rule) = (self.dialect.name(), self.dialect.rule(rule));
        Some(Violation { check, rule, what, at: self.at, because })
    }
}

impl Check for Raft {
    fn name(&self) -> &'static str {
        self.dialect.name()
    }

    fn about(&self) -> &'static str {
        "One leader a term, its log is every log, and what is committed stays."
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(
            event.fact(),
            Some(
                Fact::Enters { .. }
                    | Fact::VotesFor { .. }
                    | Fact::Appends { .. }
                    | Fact::Truncates { .. }
                    | Fact::Voter { .. }
                    | Fact::Commits { .. }
                    | Fact::Adopts { .. }
                    | Fact::HandsOver { .. }
            )
        )
    }

    fn gap(&mut self, node: NodeId) {
        for (id, state) in &mut self.nodes {
            if node == NodeId::BENCH || *id == node {
                let Node { term, vote, boot, adopted, .. } = std::mem::take(state);
                *state = Node { term, vote, boot, adopted, ..Node::default() };
            }
        }
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        let seen = Seen { at, node: event.node, dialect: self.dialect };
        if !self.nodes.contains_key(&event.node) {
            return None;
        }
        match &event.kind {
            Kind::Started { boot, records, .. } => self.started(seen, *boot, *records == 0),
            Kind::Present { boot, .. } => {
                self.node(seen).boot = *boot;
                None
            }
            Kind::Fact(Fact::Restates) => {
                let node = self.node(seen);
                node.restated = Some(BTreeMap::new());
                node.naming.clear();
                None
            }
            Kind::Fact(Fact::Restated) => {
                self.node(seen).restated = None;
                None
            }
            Kind::Fact(Fact::Enters { term }) => self.enters(seen, *term),
            Kind::Fact(Fact::VotesFor { ballot }) => self.votes(seen, *ballot),
            Kind::Fact(Fact::Appends { slot, term, entry }) => {
                let broken = self.lets_in(seen, *slot, entry);
                broken.or(self.appends(seen, *slot, *term, entry))
            }
            Kind::Fact(Fact::Truncates { after }) => self.truncates(seen, *after),
            Kind::Fact(Fact::Voter { ballot, last }) => self.restates(seen, *ballot, *last),
            Kind::Fact(Fact::Commits { slot }) => {
                self.commits(seen, *slot, witness.restates(event.node))
            }
            Kind::Fact(Fact::Adopts { epoch }) => self.adopts(seen, *epoch),
            Kind::Fact(Fact::Voters { slot, voters }) if self.at_once => {
                self.goes_by(seen, *slot, voters)
            }
            Kind::Fact(Fact::HandsOver { ballot, to }) => self.hands_over(seen, *ballot, *to),
            Kind::Fact(Fact::Applies { slot, .. }) => self.applies(seen, *slot),
            Kind::Fact(Fact::Snapshot { slot, .. }) => self.cuts(seen, *slot),
            Kind::Fact(Fact::Leads { ballot }) => self.leads(seen, *ballot),
            Kind::Fact(Fact::Follows { .. } | Fact::Seeks { .. }) => {
                self.node(seen).leads = None;
                None
            }
            _ => None,
        }
    }
}

// -- terms, votes, restarts ----------------------------------------------------------------------
impl Raft {
    /// The check for such a cluster.
    pub fn new(expect: &Expect) -> Raft {
        let node = || Node { known: true, ..Node::default() };
        Raft {
            dialect: expect.dialect,
            at_once: expect.window == 0,
            voters: expect.voters.clone(),
            nodes: expect.nodes.iter().map(|id| (*id, node())).collect(),
            made: BTreeMap::new(),
            committed: BTreeMap::new(),
            leaders: BTreeMap::new(),
        }
    }

    fn node(&mut self, seen: Seen) -> &mut Node {
        self.nodes.entry(seen.node).or_default()
    }

    fn started(&mut self, seen: Seen, boot: u32, empty: bool) -> Option<Violation> {
        let votes = self.voters(seen.node).has(seen.node);
        let node = self.node(seen);
        if empty && !votes {
            // What a learner has lost was counted by nobody.
            (node.base, node.held) = ((0, None), BTreeMap::new());
        }
        (node.boot, node.leads, node.commit) = (boot, None, (0, seen.at));
        node.goes = None;
        node.naming.clear();
        node.known |= boot == 1;
        node.restated = (boot > 1).then(BTreeMap::new);
        None
    }

    fn enters(&mut self, seen: Seen, term: u32) -> Option<Violation> {
        let node = self.node(seen);
        let (before, then) = node.term;
        if term < before {
            let what = format!("{} enters term {term} after term {before}", seen.node);
            return seen.broken("RAFT-9", what, vec![then]);
        }
        node.term = (term, seen.at);
        None
    }

    fn votes(&mut self, seen: Seen, ballot: Ballot) -> Option<Violation> {
        let node = self.node(seen);
        let ((before, then), (term, entered)) = (node.vote, node.term);
        let Ballot { round, node: whom } = ballot;
        if before.round == round && before.node != whom {
            let what = format!(
                "{} votes for {whom} in term {round}, after it did for {}",
                seen.node, before.node
            );
            return seen.broken("RAFT-9", what, vec![then]);
        }
        if round < term {
            let what = format!("{} votes in term {round} after it entered {term}", seen.node);
            return seen.broken("RAFT-9", what, vec![entered]);
        }
        node.vote = (ballot, seen.at);
        None
    }

    /// ZAB-10, as far as it is about epochs that are adopted.
    fn adopts(&mut self, seen: Seen, epoch: u32) -> Option<Violation> {
        let node = self.node(seen);
        let (before, (accepted, then)) = (std::mem::replace(&mut node.adopted, epoch), node.term);
        let wrong = match (epoch > accepted, epoch < before) {
            (true, _) => format!("after it accepted {accepted}"),
            (_, true) => format!("after it adopted {before}"),
            _ => return None,
        };
        let what = format!("{} adopts epoch {epoch} {wrong}", seen.node);
        seen.broken("RAFT-9", what, vec![then])
    }

    /// What a node found on its disk, when it has said all of it.
    fn restates(&mut self, seen: Seen, ballot: Ballot, last: Slot) -> Option<Violation> {
        let node = self.node(seen);
        let held = node.restated.take().unwrap_or_default();
        let before = std::mem::replace(&mut node.held, held);
        let (known, (term, entered), (vote, voted)) = (node.known, node.term, node.vote);
        node.known = true;
        node.term.0 = term.max(ballot.round);
        if ballot.round < term {
            let what =
                format!("{} was in term {term}, and holds now only {}", seen.node, ballot.round);
            return seen.broken("RAFT-9", what, vec![entered]);
        }
        if vote.round == ballot.round && vote != ballot {
            let what = format!(
                "{} voted for {} in term {}, and holds no such vote",
                seen.node, vote.node, vote.round
            );
            return seen.broken("RAFT-9", what, vec![voted]);
        }
        if ballot.node != NodeId::BENCH {
            node.vote = (ballot, seen.at);
        }
        // From the first entry on that another took the place of, everything may be gone.
        let base = node.base.0;
        let held = |slot: &Slot| node.held.get(slot).map(|(term, _)| *term);
        let had = before.into_iter().filter(|(slot, _)| *slot > base && known);
        let stays =
            |(slot, (term, _)): &(Slot, (u32, usize))| held(slot).is_none_or(|t| t == *term);
        let gone: Vec<_> = had.take_while(stays).filter(|(slot, _)| held(slot).is_none()).collect();
        gone.into_iter().find_map(|(slot, (term, then))| {
            // A crash may swallow that a newer leader of Zab had it dropped.
            if self.dialect == Dialect::Zab && term < ballot.round {
                let lost = self.committed.get(&slot).filter(|committed| committed.term == term);
                return lost.and_then(|lost| drops(seen, slot, lost));
            }
            let what = format!(
                "{} had slot {slot} of term {term}, and its log ends at slot {last}",
                seen.node
            );
            seen.broken("RAFT-9", what, vec![then])
        })
    }
}

// -- logs ----------------------------------------------------------------------------------------
impl Raft {
    /// RAFT-3.
    fn appends(
        &mut self,
        seen: Seen,
        slot: Slot,
        term: u32,
        entry: &Arc<Entry>,
    ) -> Option<Violation> {
        let node = self.node(seen);
        let (base, base_term) = node.base;
        node.name(slot, entry);
        let held = node.restated.as_mut().unwrap_or(&mut node.held);
        let prev = match slot == base + 1 {
            true => base_term,
            false => held.get(&(slot - 1)).map(|(term, _)| *term),
        };
        held.insert(slot, (term, seen.at));
        let made = self.made.entry(slot).or_default();
        let Some(known) = made.iter_mut().find(|made| made.term == term) else {
            made.push(Made { term, entry: entry.clone(), prev, node: seen.node, at: seen.at });
            return None;
        };
        let (other, because) = (known.node, vec![known.at]);
        if !Arc::ptr_eq(&known.entry, entry) && known.entry != *entry {
            let what = format!(
                "{} has {entry} of term {term} in slot {slot}, {other} has {}",
                seen.node, known.entry
            );
            return seen.broken("RAFT-3", what, because);
        }
        match (prev, known.prev) {
            (Some(own), Some(others)) if own != others => {
                let what = format!(
                    "{} and {other} have the same entry of term {term} in slot {slot}, and before \
                     it entries of terms {own} and {others}",
                    seen.node
                );
                seen.broken("RAFT-3", what, because)
            }
            _ => {
                known.prev = known.prev.or(prev);
                None
            }
        }
    }

    /// RAFT-2, RAFT-13.
    fn truncates(&mut self, seen: Seen, after: Slot) -> Option<Violation> {
        let node = self.nodes.get_mut(&seen.node)?;
        let dropped = node.held.split_off(&(after + 1));
        node.naming.split_off(&(after + 1));
        if let Some(term) = node.leads {
            let what = format!("{} drops what comes after slot {after}, leading {term}", seen.node);
            return seen.broken("RAFT-2", what, Vec::new());
        }
        let lost = dropped.into_iter().find_map(|(slot, (term, _))| {
            self.committed.get(&slot).filter(|known| known.term == term).map(|known| (slot, *known))
        });
        let (slot, lost) = lost?;
        drops(seen, slot, &lost)
    }

    fn cuts(&mut self, seen: Seen, slot: Slot) -> Option<Violation> {
        let sure = self.committed.get(&slot).map(|known| known.term);
        let node = self.nodes.get_mut(&seen.node)?;
        let (known, starts) = (node.known, node.restated.is_some());
        let before = node.base.0.max(if starts { 0 } else { node.commit.0 });
        let own = node.held.get(&slot).map(|(term, _)| *term);
        if slot >= node.base.0 {
            let term = sure.or(own).or(node.base.1.filter(|_| slot == node.base.0));
            node.base = (slot, term);
        }
        node.held = node.held.split_off(&(slot + 1));
        node.commit = node.commit.max((slot, seen.at));
        if slot < before && known {
            let what =
                format!("{} goes back to its state after slot {slot}, from {before}", seen.node);
            return seen.broken("RAFT-13", what, Vec::new());
        }
        let all = self.nodes.values().map(|node| node.base.0).min().unwrap_or_default();
        while let Some((first, _)) = self.made.first_key_value()
            && (*first <= all || self.made.len() > MOST)
        {
            self.made.pop_first();
        }
        while self.committed.len() > MOST {
            self.committed.pop_first();
        }
        None
    }
}

// -- leaders, commits ----------------------------------------------------------------------------
impl Node {
    /// Whether its log has an entry of this term in this slot, as far as is known.
    fn may_have(&self, slot: Slot, term: u32) -> bool {
        !self.known || slot <= self.base.0 || self.held.get(&slot).is_some_and(|h| h.0 == term)
    }

    fn last(&self) -> Slot {
        self.held.last_key_value().map_or(self.base.0, |(slot, _)| *slot)
    }

    fn elected(&self, seen: Seen) -> Led {
        let mut runs: Vec<(Slot, u32)> = Vec::new();
        for (slot, (term, _)) in &self.held {
            if runs.last().is_none_or(|(_, last)| last != term) {
                runs.push((*slot, *term));
            }
        }
        let (node, at, boot, known) = (seen.node, seen.at, self.boot, self.known);
        Led { node, boot, at, known, base: self.base.0, runs, last: self.last() }
    }
}

impl Led {
    fn may_have(&self, slot: Slot, term: u32) -> bool {
        let run = self.runs.iter().rev().find(|(first, _)| *first <= slot);
        let has = slot <= self.last && run.is_some_and(|(_, own)| *own == term);
        !self.known || slot <= self.base || has
    }
}

impl Raft {
    /// RAFT-1, and RAFT-4 for what is known to be committed.
    fn leads(&mut self, seen: Seen, ballot: Ballot) -> Option<Violation> {
        let term = ballot.round;
        let node = self.nodes.get_mut(&seen.node)?;
        node.leads = Some(term);
        if let Some(broken) = self.goes_by_its_log(seen) {
            return Some(broken);
        }
        let node = self.nodes.get(&seen.node)?;
        if let Some(led) = self.leaders.get(&term) {
            if led.node == seen.node && led.boot == node.boot {
                return None;
            }
            let what = format!("{} leads term {term}, and so did {}", seen.node, led.node);
            return seen.broken("RAFT-1", what, vec![led.at]);
        }
        let elected = node.elected(seen);
        let earlier = self.committed.iter().rev().find(|(_, known)| known.under < term);
        let missing = earlier.filter(|(slot, known)| !elected.may_have(**slot, known.term));
        let broken = missing.and_then(|(slot, known)| lacks(seen, term, &elected, *slot, known));
        // A log without terms is another protocol's.
        if node.term.0 > 0 {
            self.leaders.insert(term, elected);
        }
        if self.leaders.len() > TERMS {
            self.leaders.pop_first();
        }
        broken
    }

    fn commits(&mut self, seen: Seen, slot: Slot, again: bool) -> Option<Violation> {
        let node = self.nodes.get_mut(&seen.node)?;
        let (before, then) = node.commit;
        node.commit = (slot.max(before), seen.at);
        if !node.known {
            return None;
        }
        if slot < before && !again {
            let what = format!("{} commits up to {slot} after {before}", seen.node);
            return seen.broken("RAFT-10", what, vec![then]);
        }
        if slot > node.last() {
            let what =
                format!("{} commits up to {slot}, and has only {} slots", seen.node, node.last());
            return seen.broken("RAFT-10", what, Vec::new());
        }
        let (leads, under) = (node.leads, node.leads.unwrap_or(node.term.0));
        let news: Vec<(Slot, u32)> =
            node.held.range(..=slot).map(|(slot, (term, _))| (*slot, *term)).collect();
        let news = news.into_iter().filter(|(slot, _)| *slot > before || again);
        self.counts(seen, slot, leads.filter(|_| !again))
            .or_else(|| self.blocks(seen, slot))
            .or_else(|| self.goes_by_its_log(seen))
            .or_else(|| self.leads_on(seen, before))
            .or_else(|| news.fold(None, |broken, new| broken.or(self.commit(seen, new, under))))
    }

    /// RAFT-11.
    fn counts(&self, seen: Seen, slot: Slot, leads: Option<u32>) -> Option<Violation> {
        let (own, term) = (leads?, self.nodes.get(&seen.node)?.held.get(&slot)?.0);
        if own != term {
            let what = format!(
                "{} leads term {own} and commits slot {slot} by counting copies of term {term}",
                seen.node
            );
            return seen.broken("RAFT-11", what, Vec::new());
        }
        let voters = self.voters(seen.node);
        let has = |id: NodeId| self.nodes.get(&id).is_some_and(|node| node.may_have(slot, term));
        if !voters.agree(has) {
            let copies = Voters::of(voters.iter().filter(|id| has(*id)));
            let what = format!(
                "{} commits slot {slot} of term {term}, which of the voters {voters} only {copies} \
                 have on disk",
                seen.node
            );
            return seen.broken("RAFT-11", what, Vec::new());
        }
        None
    }

    /// RAFT-6, and RAFT-4 for those who lead later terms already.
    fn commit(&mut self, seen: Seen, (slot, term): (Slot, u32), under: u32) -> Option<Violation> {
        let new = Committed { term, under, node: seen.node, at: seen.at };
        let known = *self.committed.entry(slot).or_insert(new);
        if known.term != term {
            let what = format!(
                "{} commits term {term} in slot {slot}, {} committed term {}",
                seen.node, known.node, known.term
            );
            return seen.broken("RAFT-6", what, vec![known.at]);
        }
        if known.at != seen.at {
            return None;
        }
        let mut later = self.leaders.range(under + 1..);
        match later.find(|(_, led)| !led.may_have(slot, term)) {
            Some((later, led)) => lacks(seen, *later, led, slot, &new),
            None => self.is_in_all_later(seen, slot, &new),
        }
    }

    fn applies(&mut self, seen: Seen, slot: Slot) -> Option<Violation> {
        let node = self.node(seen);
        // Other protocols say nothing of terms.
        if node.known && node.term.0 > 0 && slot > node.commit.0 {
            let what =
                format!("{} applies slot {slot}, and committed up to {}", seen.node, node.commit.0);
            return seen.broken("RAFT-10", what, vec![node.commit.1]);
        }
        None
    }
}

/// RAFT-13: a committed entry is dropped.
fn drops(seen: Seen, slot: Slot, Committed { term, at, .. }: &Committed) -> Option<Violation> {
    let what = format!("{} drops slot {slot} of term {term}, which is committed", seen.node);
    seen.broken("RAFT-13", what, vec![*at])
}

/// RAFT-4: a leader without a committed entry.
fn lacks(seen: Seen, later: u32, led: &Led, slot: Slot, known: &Committed) -> Option<Violation> {
    let what = format!(
        "{} leads term {later} without slot {slot} of term {}, committed in term {}",
        led.node, known.term, known.under
    );
    let because = [led.at, known.at].into_iter().filter(|at| *at != seen.at).collect();
    seen.broken("RAFT-4", what, because)
}
