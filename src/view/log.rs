//! The replicated log: what each replica has voted for, knows to be chosen and has applied.

use super::remember;
use crate::base::{Ballot, Entry, NodeId, Slot, Time, Voters};
use crate::event::{Fact, Stage};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How many slots are kept, the last ones: of each replica, and of what is chosen.
pub const WINDOW: usize = 64;
/// How many changes of leader are kept.
pub const MAX_TERMS: usize = 64;

/// One slot at one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The ballot of its vote, or the term of the entry; none if it learned the choice without
    /// voting.
    pub ballot: Ballot,
    /// The entry: what is chosen if it knows, else what it voted for.
    pub entry: Arc<Entry>,
    /// Whether it knows that the entry is chosen.
    pub chosen: bool,
}

/// How far a replica is with one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// It knows nothing of it.
    Empty,
    /// It voted.
    Accepted,
    /// It knows the choice.
    Chosen,
    /// Its state machine took it in.
    Applied,
    /// It is in its snapshot, or was forgotten by the board since it is so old.
    Snapshot,
}

/// How a replica's history was made the leader's (Zab).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sync {
    /// What it lacked was sent.
    Diff,
    /// Some of it was cut off first.
    Trunc,
    /// It got the leader's state.
    Snap,
}

/// One replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replica {
    slots: BTreeMap<Slot, Place>,
    /// The highest slot that it voted in, or has in its log.
    pub accepted_upto: Slot,
    /// It knows all choices up to this slot.
    pub chosen_upto: Slot,
    /// Its state machine has taken in everything up to this slot.
    pub applied: Slot,
    /// Its snapshot stands for everything up to this slot.
    pub snapshot: Slot,
    /// What stands for its state after `applied`.
    pub digest: u64,
    /// It will not vote below this: the ballot that it promised, or its term and whom it voted for
    /// in it.
    pub promised: Ballot,
    /// The last epoch whose leader's log it had (Zab); 0 if none, and in other protocols.
    pub adopted: u32,
    /// The phase of Zab that it is in, and with which leader; none in other protocols.
    pub stage: Option<(Stage, NodeId)>,
    /// How its history was made that of the last leader that it followed.
    pub sync: Option<Sync>,
    /// Its log was cut off after this slot, and nothing has been put there since.
    pub cut: Option<Slot>,
    /// Who leads it (Raft), and from which slot on that leader sends as long as it looks for the
    /// place where the logs agree; none once it has found it.
    pub copied: Option<(NodeId, Option<Slot>)>,
    /// The voters that it goes by, and the slot of the entry that names them; none if it has said
    /// nothing of it, which is that all nodes vote.
    pub voters: Option<(Slot, Voters)>,
}

impl Replica {
    /// The slots that it holds, of the last [`WINDOW`], in order.
    pub fn slots(&self) -> impl DoubleEndedIterator<Item = (Slot, &Place)> {
        self.slots.iter().map(|(slot, place)| (*slot, place))
    }

    /// One slot that it holds.
    pub fn place(&self, slot: Slot) -> Option<&Place> {
        self.slots.get(&slot)
    }

    /// How far it is with one slot.
    pub fn progress(&self, slot: Slot) -> Progress {
        match self.slots.get(&slot) {
            _ if slot <= self.snapshot => Progress::Snapshot,
            Some(_) if slot <= self.applied => Progress::Applied,
            None if slot <= self.applied => Progress::Snapshot,
            Some(place) if place.chosen => Progress::Chosen,
            Some(_) => Progress::Accepted,
            None => Progress::Empty,
        }
    }

    fn put(&mut self, slot: Slot, place: Place) {
        self.slots.insert(slot, place);
        if self.slots.len() > WINDOW {
            self.slots.pop_first();
        }
    }

    fn accept(&mut self, slot: Slot, ballot: Ballot, entry: &Arc<Entry>) {
        self.accepted_upto = self.accepted_upto.max(slot);
        self.promised = self.promised.max(ballot);
        match self.slots.get_mut(&slot) {
            Some(place) if place.ballot > ballot => {}
            Some(place) => {
                place.ballot = ballot;
                if !place.chosen {
                    place.entry = entry.clone();
                }
            }
            None if slot <= self.snapshot => {}
            None => self.put(slot, Place { ballot, entry: entry.clone(), chosen: false }),
        }
    }

    fn append(&mut self, slot: Slot, ballot: Ballot, entry: &Arc<Entry>) {
        self.cut = self.cut.filter(|after| slot <= *after);
        self.accepted_upto = self.accepted_upto.max(slot);
        match self.slots.get(&slot) {
            Some(place) if place.ballot == ballot => {}
            Some(place) if place.chosen && place.entry == *entry => {
                self.put(slot, Place { ballot, entry: entry.clone(), chosen: true });
            }
            None if slot <= self.snapshot => {}
            _ => self.put(slot, Place { ballot, entry: entry.clone(), chosen: false }),
        }
    }

    fn truncate(&mut self, after: Slot) {
        self.slots.split_off(&(after + 1));
        self.accepted_upto = self.accepted_upto.min(after);
        self.cut = Some(after);
        self.synced(Sync::Trunc);
    }

    /// Its history is made that of the leader that it follows.
    fn synced(&mut self, how: Sync) {
        if self.stage.is_some_and(|(stage, _)| stage == Stage::Synchronisation) {
            // Who gets a state has nothing to cut off.
            self.sync = self.sync.max(Some(how));
        }
    }

    /// It is in this phase of Zab now.
    fn stand(&mut self, stage: Stage, leader: NodeId) {
        if stage == Stage::Synchronisation {
            self.sync = None;
        }
        self.stage = Some((stage, leader));
    }

    /// Knows its own entries up to `slot` to be chosen. Returns those that it did not know before.
    fn commit(&mut self, slot: Slot) -> Vec<(Slot, Arc<Entry>)> {
        let news = self.slots.range_mut(..=slot).filter(|(_, place)| !place.chosen);
        let news = news.map(|(slot, place)| {
            place.chosen = true;
            (*slot, place.entry.clone())
        });
        let news = news.collect();
        self.chosen_upto = self.chosen_upto.max(slot);
        news
    }

    fn choose(&mut self, slot: Slot, entry: &Arc<Entry>) {
        match self.slots.get_mut(&slot) {
            Some(place) => (place.chosen, place.entry) = (true, entry.clone()),
            None if slot <= self.snapshot => {}
            None => {
                let ballot = Ballot::NONE;
                self.put(slot, Place { ballot, entry: entry.clone(), chosen: true });
            }
        }
        self.advance();
    }

    fn advance(&mut self) {
        while self.slots.get(&(self.chosen_upto + 1)).is_some_and(|place| place.chosen) {
            self.chosen_upto += 1;
        }
    }
}

/// Somebody's time as leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Its ballot.
    pub ballot: Ballot,
    /// Who.
    pub leader: NodeId,
    /// Since when.
    pub since: Time,
}

/// All replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logs {
    replicas: BTreeMap<NodeId, Replica>,
    chosen: BTreeMap<Slot, Arc<Entry>>,
    terms: VecDeque<Term>,
    /// How many leaders there have been.
    pub elections: u64,
    /// All slots up to this one are chosen, and somebody knows each.
    pub commit: Slot,
    /// Who votes, by the last leader's word, or by the latest that anybody goes by; none if all do.
    pub voters: Option<Voters>,
}

impl Logs {
    /// Whether there is no log, or nothing in it.
    pub fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }

    /// One replica.
    pub fn replica(&self, id: NodeId) -> Option<&Replica> {
        self.replicas.get(&id)
    }

    /// All replicas.
    pub fn replicas(&self) -> impl Iterator<Item = (NodeId, &Replica)> {
        self.replicas.iter().map(|(id, replica)| (*id, replica))
    }

    /// What is chosen in a slot, if somebody knows and it is one of the last [`WINDOW`].
    pub fn chosen(&self, slot: Slot) -> Option<&Arc<Entry>> {
        self.chosen.get(&slot)
    }

    /// Whether a replica's entry for a slot must give way: another one is chosen, or, where entries
    /// have terms, the last leader has one of another term there.
    pub fn conflicts(&self, id: NodeId, slot: Slot) -> bool {
        let Some(own) = self.replica(id).and_then(|replica| replica.place(slot)) else {
            return false;
        };
        match self.chosen(slot) {
            Some(chosen) => own.entry != *chosen,
            None => self.led(slot).is_some_and(|led| {
                let terms = [led.ballot, own.ballot];
                terms.iter().all(|term| term.node == NodeId::BENCH) && led.ballot != own.ballot
            }),
        }
    }

    /// Whether it is Raft's: some leader has said how far it is with others.
    pub fn is_raft(&self) -> bool {
        self.replicas().any(|(_, replica)| replica.copied.is_some())
    }

    /// Whether it is Zab's: somebody has said which phase it is in.
    pub fn is_zab(&self) -> bool {
        self.replicas().any(|(_, replica)| replica.stage.is_some())
    }

    /// Up to where a replica has what the one that copies to it has: the highest slot in which both
    /// have an entry of one term, or snapshots.
    pub fn matches(&self, id: NodeId) -> Option<Slot> {
        let own = self.replica(id)?;
        let (leader, _) = own.copied?;
        let led = self.replica(leader)?;
        let term = |replica: &Replica, slot| replica.place(slot).map(|place| place.ballot);
        let same = |slot: &Slot| match (term(own, *slot), term(led, *slot)) {
            (Some(own), Some(led)) => own == led,
            _ => *slot <= own.snapshot || *slot <= led.snapshot,
        };
        (0..=own.accepted_upto.min(led.accepted_upto)).rev().take(2 * WINDOW).find(same)
    }

    /// What the last leader has in a slot.
    fn led(&self, slot: Slot) -> Option<&Place> {
        let leader = self.terms.iter().max_by_key(|term| term.ballot)?;
        self.replica(leader.leader)?.place(slot)
    }

    /// The highest slot that anybody voted in or knows the choice of.
    pub fn last_slot(&self) -> Slot {
        let last = |replica: &Replica| replica.accepted_upto.max(replica.chosen_upto);
        self.replicas.values().map(last).max().unwrap_or_default().max(self.commit)
    }

    /// What a crash takes: all that a replica knew but had not on its disk. What it had there, it
    /// says again.
    pub(super) fn restart(&mut self, node: NodeId) {
        if let Some(replica) = self.replicas.get_mut(&node) {
            // That is the leader's to know.
            *replica = Replica { copied: replica.copied, ..Replica::default() };
        }
    }

    pub(super) fn hear(&mut self, at: Time, node: NodeId, fact: &Fact) {
        match fact {
            // To a newcomer, too, who has promised nothing is no news.
            Fact::Acceptor { promised: Ballot::NONE, .. }
            | Fact::Voter { ballot: Ballot::NONE, .. }
                if !self.replicas.contains_key(&node) => {}
            Fact::Acceptor { log: true, promised, .. } => {
                self.replica_mut(node).promised = *promised;
            }
            Fact::Promises { slot: 1.., ballot } => {
                let replica = self.replica_mut(node);
                replica.promised = replica.promised.max(*ballot);
            }
            Fact::Accepts { slot: slot @ 1.., ballot, entry } => {
                self.replica_mut(node).accept(*slot, *ballot, entry);
            }
            Fact::Chooses { slot: slot @ 1.., entry } => {
                self.replica_mut(node).choose(*slot, entry);
                self.commit(*slot, entry);
            }
            Fact::Applies { slot, entry, digest } => {
                let replica = self.replica_mut(node);
                replica.choose(*slot, entry);
                if *slot >= replica.applied {
                    (replica.applied, replica.digest) = (*slot, *digest);
                }
                replica.chosen_upto = replica.chosen_upto.max(*slot);
                replica.advance();
                self.commit(*slot, entry);
                self.settle(*slot);
            }
            Fact::Snapshot { slot, digest } => {
                let replica = self.replica_mut(node);
                if *slot >= replica.applied {
                    (replica.applied, replica.digest) = (*slot, *digest);
                }
                replica.snapshot = *slot;
                replica.synced(Sync::Snap);
                replica.chosen_upto = replica.chosen_upto.max(*slot);
                replica.advance();
                self.settle(*slot);
            }
            Fact::Voter { ballot, .. } => self.replica_mut(node).promised = *ballot,
            Fact::Enters { term } => self.replica_mut(node).promised = Ballot::term(*term),
            Fact::VotesFor { ballot } => self.replica_mut(node).promised = *ballot,
            Fact::Appends { slot, term, entry } => {
                self.replica_mut(node).append(*slot, Ballot::term(*term), entry);
            }
            Fact::Adopts { epoch } => {
                let replica = self.replica_mut(node);
                replica.adopted = *epoch;
                replica.synced(Sync::Diff);
            }
            Fact::Copies { to, next, agreed } => {
                let looks = (!agreed).then_some(*next);
                self.replica_mut(*to).copied = Some((node, looks));
            }
            Fact::Stands { stage, leader } => self.replica_mut(node).stand(*stage, *leader),
            Fact::Voters { slot, voters } => {
                self.replica_mut(node).voters = Some((*slot, voters.clone()));
                self.elect();
            }
            Fact::Truncates { after } => self.replica_mut(node).truncate(*after),
            Fact::Commits { slot } => {
                let news = self.replica_mut(node).commit(*slot);
                news.iter().for_each(|(slot, entry)| self.commit(*slot, entry));
            }
            Fact::Leads { ballot } => {
                let term = Term { ballot: *ballot, leader: node, since: at };
                if self.terms.iter().all(|known| known.ballot != *ballot) {
                    remember(&mut self.terms, MAX_TERMS, term);
                    self.elections += 1;
                }
                self.replica_mut(node);
                self.elect();
            }
            _ => {}
        }
    }

    fn elect(&mut self) {
        let leader = self.terms.back().and_then(|term| self.replicas.get(&term.leader));
        let led = leader.and_then(|leader| leader.voters.as_ref());
        let all = self.replicas.values().filter_map(|replica| replica.voters.as_ref());
        let voters = led.or_else(|| all.max_by_key(|(slot, _)| *slot));
        self.voters = voters.map(|(_, voters)| voters.clone());
    }

    fn replica_mut(&mut self, node: NodeId) -> &mut Replica {
        self.replicas.entry(node).or_default()
    }

    fn commit(&mut self, slot: Slot, entry: &Arc<Entry>) {
        if slot + WINDOW as u64 > self.commit {
            self.chosen.entry(slot).or_insert_with(|| entry.clone());
            if self.chosen.len() > WINDOW {
                self.chosen.pop_first();
            }
        }
        self.advance();
    }

    /// Everything up to `slot` is chosen, since somebody's state machine has taken it in.
    fn settle(&mut self, slot: Slot) {
        self.commit = self.commit.max(slot);
        self.advance();
    }

    fn advance(&mut self) {
        while self.chosen.contains_key(&(self.commit + 1)) {
            self.commit += 1;
        }
    }
}
