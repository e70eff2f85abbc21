//! Leading: what each follower has, what is committed.

use super::membership::Change;
use super::transfer::Handing;
use super::{Context, Message, Raft, Role, Timer};
use crate::base::{CallId, Entry, Few, Lane, Mutation, NodeId, Op, Slot, Time, Voters};
use crate::event::Fact;
use crate::proto::log::{Agreement, BATCH, Batch, Item, Items, PIPELINE, Place, Rounds, Teller};
use crate::proto::machine::Known;
use std::collections::VecDeque;
use std::sync::Arc;

/// How the leader copies its log to one follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It looks for the place where the logs agree, one empty message at a time; whether one is
    /// under way.
    Probe(bool),
    /// It sends entries as they come.
    Replicate,
    /// It has sent the state, when.
    Snapshot(Time),
}

/// What the leader knows of one node, itself included.
#[derive(Clone, Debug)]
struct Progress {
    /// The next slot to send; its own, to write.
    next: Slot,
    /// The node's log is the leader's up to here, on its disk.
    matched: Slot,
    /// Up to where it was told that the log is committed.
    told: Slot,
    mode: Mode,
    /// The last slots of messages under way, and when they left.
    sent: VecDeque<(Slot, Time)>,
    /// When it answered last, and which heartbeat was the last that it answered.
    heard: Time,
    round: u64,
}

/// Who leads.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    progress: Few<NodeId, Progress>,
    /// The calls of all entries in the log that are not applied.
    pub(super) calls: Lane<CallId>,
    /// Its first own entry: all that was committed before is in slots before it.
    pub(super) first: Slot,
    pub(super) rounds: Rounds,
    /// Who are to vote, by what was asked for and not begun.
    pub(super) changes: VecDeque<Change>,
    /// To whom it hands over, if it does.
    pub(super) handing: Option<Handing>,
    batch: Batch,
}

impl Progress {
    fn new(next: Slot, now: Time) -> Progress {
        let (mode, sent) = (Mode::Probe(false), VecDeque::new());
        Progress { next, matched: 0, told: 0, mode, sent, heard: now, round: 0 }
    }

    /// What the leader of `to`'s progress says of it.
    fn fact(&self, to: NodeId) -> Fact {
        Fact::Copies { to, next: self.next, agreed: self.mode == Mode::Replicate }
    }

    /// Begins again after the last slot that is known to match.
    fn probe(&mut self, next: Slot) {
        (self.next, self.mode) = (next.max(self.matched + 1), Mode::Probe(false));
        self.sent.clear();
    }
}

impl Leader {
    /// What it says of how far it is with each of the others.
    pub(super) fn facts(&self, me: NodeId) -> impl Iterator<Item = Fact> {
        let others = self.progress.iter().filter(move |(id, _)| *id != me);
        others.map(|(id, progress)| progress.fact(id))
    }

    /// Up to where a node's log is known to be the leader's.
    pub(super) fn matched(&self, id: NodeId) -> Option<Slot> {
        self.progress.get(id).map(|progress| progress.matched)
    }

    /// Whether a node has answered a heartbeat or a later one, and its log is known to be the
    /// leader's up to a slot.
    pub(super) fn has_told(&self, id: NodeId, beat: u64, upto: Slot) -> bool {
        let node = self.progress.get(id);
        node.is_some_and(|node| node.round >= beat && node.matched >= upto)
    }

    /// The largest heartbeat that a quorum has answered; its own it has answered itself.
    pub(super) fn answered(&self, me: NodeId, voters: &Voters) -> u64 {
        let round = |id: NodeId| match id == me {
            true => self.rounds.last(),
            false => self.progress.get(id).map_or(0, |progress| progress.round),
        };
        voters.reached(0, round).unwrap_or_default()
    }

    /// The largest slot after `floor` that a quorum has on disk. `me` counts too, if it may for
    /// another.
    fn copied(&self, voters: &Voters, floor: Slot, me: Option<NodeId>) -> Option<Slot> {
        let matched = |id: NodeId| self.matched(id).unwrap_or_default();
        let other = me.and_then(|me| Some((me, voters.iter().min_by_key(|id| matched(*id))?)));
        voters.reached(floor, |id| match other {
            Some((me, other)) if id == other => matched(me).max(matched(id)),
            _ => matched(id),
        })
    }

    /// Whether a quorum has answered since then; itself, it has.
    fn hears_quorum(&self, me: NodeId, voters: &Voters, since: Time) -> bool {
        let heard = |id: NodeId| self.progress.get(id).is_some_and(|node| node.heard >= since);
        voters.agree(|id| id == me || heard(id))
    }
}

// -- beginning to lead ---------------------------------------------------------------------------
impl Raft {
    /// A majority has voted for it.
    pub(super) fn lead(&mut self, cx: &mut Context<'_, Self>) {
        let next = self.entries.last().slot + 1;
        let peers = self.config.log.peers.iter();
        let open = self.entries.iter().filter(|(slot, _)| *slot > self.applied());
        let leader = Leader {
            progress: peers.map(|peer| (*peer, Progress::new(next, cx.now()))).collect(),
            calls: open.map(|(_, cell)| (cell.item.entry.call, ())).collect(),
            first: next,
            rounds: Rounds::default(),
            changes: VecDeque::new(),
            handing: None,
            batch: Batch::default(),
        };
        let facts: Vec<Fact> = leader.facts(cx.me()).collect();
        self.turn_into(Role::Leader(Box::new(leader)), cx);
        facts.into_iter().for_each(|fact| cx.emit(fact));
        cx.cancel(Timer::Election);
        self.count_round(cx);
        cx.set(Timer::Heartbeat, self.config.log.heartbeat);
        self.append(Arc::new(Entry { call: CallId::default(), op: Op::Noop }), cx);
        self.hand_on_all(cx);
    }

    /// Puts an entry into the log, if this node leads and the entry is not there. A leader that is
    /// handing over takes none.
    pub(super) fn propose(&mut self, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.handing.is_some() {
            return;
        }
        let again = self.config.log.mutations.has(Mutation::LogNoClientTable);
        if !again && self.replica.machine().known(entry.call) != Known::No {
            return;
        }
        if let Op::Voters { .. } = entry.op
            && !leader.calls.has(entry.call)
        {
            return self.on_change(entry, cx);
        }
        if leader.calls.add(entry.call) || again {
            self.append(entry, cx);
        }
    }

    pub(super) fn append(&mut self, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        match self.push(Item { term: self.term, entry }) {
            true => {
                self.write_rest(cx);
                self.say_voters(cx);
            }
            false => self.keep(cx),
        }
        self.for_others(cx.me(), |raft, id| raft.copy(id, cx));
    }

    /// Does something for each of the other nodes.
    pub(super) fn for_others(&mut self, me: NodeId, mut what: impl FnMut(&mut Self, NodeId)) {
        for at in 0..self.config.log.peers.len() {
            let id = self.config.log.peers[at];
            if id != me {
                what(self, id);
            }
        }
    }
}

// -- copying the log -----------------------------------------------------------------------------
impl Raft {
    /// Sends a node what it lacks, as far as it may be sent now.
    fn copy(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let last = self.entries.last().slot;
        if to == cx.me() {
            return self.keep(cx);
        }
        loop {
            let Role::Leader(leader) = &mut self.role else { return };
            let Some(progress) = leader.progress.get_mut(to) else { return };
            let may = match progress.mode {
                Mode::Probe(under_way) => !under_way,
                Mode::Replicate => progress.next <= last && progress.sent.len() < PIPELINE,
                Mode::Snapshot(_) => false,
            };
            if !may {
                return;
            }
            let Some(prev) = self.entries.place(progress.next - 1) else {
                return self.send_snapshot(to, cx);
            };
            let (term, commit) = (self.term, self.commit);
            if let Mode::Probe(_) = progress.mode {
                progress.mode = Mode::Probe(true);
                let (items, round) = (Items::default(), leader.rounds.last());
                cx.send(to, Message::AppendEntries { term, prev, items, commit, round });
                return;
            }
            let items = leader.batch.from(prev.slot + 1, &self.entries, BATCH);
            progress.next += items.len() as u64;
            progress.told = progress.told.max(commit.min(progress.next - 1));
            progress.sent.push_back((progress.next - 1, cx.now()));
            cx.send(to, Message::AppendEntries { term, prev, items, commit, round: 0 });
        }
    }

    /// Writes its own entries down, unless some are on their way to the disk: what comes meanwhile
    /// is written together.
    fn keep(&mut self, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &self.role else { return };
        if leader.progress.get(cx.me()).is_some_and(|own| own.sent.is_empty()) {
            self.write_rest(cx);
        }
    }

    /// Writes down what is not on its own disk, if it leads, and tells itself: that arrives once it
    /// is durable.
    pub(super) fn write_rest(&mut self, cx: &mut Context<'_, Self>) {
        let (term, upto, me) = (self.term, self.entries.last().slot, cx.me());
        let Role::Leader(leader) = &mut self.role else { return };
        let own = leader.progress.get_mut(me);
        let Some(own) = own.filter(|own| own.next <= upto) else { return };
        let first = std::mem::replace(&mut own.next, upto + 1);
        own.sent.push_back((upto, cx.now()));
        let items = leader.batch.from(first, &self.entries, usize::MAX);
        self.write_items(first, items, cx);
        cx.send(me, Message::Appended { term, upto, round: 0 });
    }

    fn send_snapshot(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(to) else { return };
        let agreed = std::mem::replace(&mut progress.mode, Mode::Snapshot(cx.now()));
        if agreed == Mode::Replicate {
            cx.emit(progress.fact(to));
        }
        progress.sent.clear();
        let (last, machine) = (self.entries.base(), self.replica.snapshot().clone());
        cx.send(to, Message::InstallSnapshot { term: self.term, last, machine });
    }

    /// Tells a follower how far the log is committed, if that is news, nothing else is to be sent
    /// that would say it, and no answer is under way after which it can be told more.
    fn tell(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let last = self.entries.last().slot;
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(to) else { return };
        let known = self.commit.min(progress.matched);
        let idle =
            progress.mode == Mode::Replicate && progress.next > last && progress.sent.is_empty();
        if idle && progress.told < known && to != cx.me() {
            progress.told = known;
            let matched = progress.matched;
            cx.send(to, self.note(matched, 0));
        }
    }

    /// What any follower can take in that has everything up to `matched`.
    pub(super) fn note(&self, matched: Slot, round: u64) -> Message {
        let prev = self.entries.place(matched).unwrap_or_default();
        let (term, commit) = (self.term, self.commit.min(prev.slot));
        Message::AppendEntries { term, prev, items: Items::default(), commit, round }
    }
}

// -- answers -------------------------------------------------------------------------------------
impl Raft {
    pub(super) fn on_appended(
        &mut self,
        from: NodeId,
        upto: Slot,
        round: u64,
        cx: &mut Context<'_, Self>,
    ) {
        let last = self.entries.last().slot;
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(from) else { return };
        progress.heard = cx.now();
        progress.round = progress.round.max(round);
        if upto > last {
            return;
        }
        let found = match progress.mode {
            Mode::Probe(_) => upto + 1 >= progress.next,
            Mode::Replicate => false,
            Mode::Snapshot(_) => upto > progress.matched,
        };
        if found {
            (progress.mode, progress.next) = (Mode::Replicate, upto + 1);
            if from != cx.me() {
                cx.emit(progress.fact(from));
            }
        }
        if upto > progress.matched {
            progress.matched = upto;
            progress.next = progress.next.max(upto + 1);
            while progress.sent.front().is_some_and(|(slot, _)| *slot <= upto) {
                progress.sent.pop_front();
            }
            if upto > self.commit {
                self.count(cx);
            }
        }
        self.copy(from, cx);
        self.tell(from, cx);
        if round > 0 {
            self.confirm(cx);
        }
        self.go_on(cx);
        self.tell_successor(cx);
    }

    /// The commit rule: of its own term, the leader counts copies; what came before is committed
    /// with it.
    fn count(&mut self, cx: &mut Context<'_, Self>) {
        let me = Some(cx.me())
            .filter(|me| self.has(Mutation::RaftRemovedCounts) && !self.voters().has(*me));
        let Role::Leader(leader) = &self.role else { return };
        let Some(slot) = leader.copied(&self.counted(), self.commit, me) else { return };
        let own = self.entries.place(slot).is_some_and(|place| place.term == self.term);
        if own || self.has(Mutation::RaftCommitAnyTerm) {
            self.write_rest(cx);
            self.commit = slot;
            cx.emit_with(|| Fact::Commits { slot });
            self.advance(cx);
            self.for_others(cx.me(), |raft, id| raft.tell(id, cx));
        }
    }

    pub(super) fn on_mismatch(
        &mut self,
        from: NodeId,
        at: Slot,
        hint: Place,
        cx: &mut Context<'_, Self>,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(from) else { return };
        progress.heard = cx.now();
        let stale = match progress.mode {
            Mode::Probe(_) => at + 1 != progress.next,
            Mode::Replicate => at <= progress.matched,
            Mode::Snapshot(_) => true,
        };
        if !stale {
            let next = self.entries.last_upto(hint.slot.min(at.saturating_sub(1)), hint.term);
            progress.probe(next.slot + 1);
            cx.emit(progress.fact(from));
            self.copy(from, cx);
        }
    }
}

// -- heartbeats ----------------------------------------------------------------------------------
impl Raft {
    pub(super) fn on_heartbeat(&mut self, cx: &mut Context<'_, Self>) {
        let (now, me) = (cx.now(), cx.me());
        let Role::Leader(leader) = &self.role else { return };
        let since = Time(now.0.saturating_sub(self.config.log.election.1.0));
        if self.config.check_quorum && !leader.hears_quorum(me, self.voters(), since) {
            return self.wait_for_leader(cx);
        }
        self.hand_over_or_go_on(cx);
        self.go_on(cx);
        self.count_round(cx);
        self.for_others(me, |raft, id| raft.heartbeat(id, cx));
        cx.set(Timer::Heartbeat, self.config.log.heartbeat);
    }

    /// Tells a follower that it leads, and repeats what was not answered for too long. A probe says
    /// that it leads, too.
    fn heartbeat(&mut self, to: NodeId, cx: &mut Context<'_, Self>) {
        let patience = self.config.log.heartbeat.times(2);
        let late = |at: Time| cx.now().since(at) >= patience;
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(to) else { return };
        let stuck = self.config.log.mutations.has(Mutation::RaftStuckProbe);
        match progress.mode {
            Mode::Probe(_) if !stuck => progress.mode = Mode::Probe(false),
            Mode::Replicate if progress.sent.front().is_some_and(|(_, at)| late(*at)) => {
                progress.probe(progress.matched + 1);
                cx.emit(progress.fact(to));
            }
            Mode::Snapshot(at) if late(at) => self.send_snapshot(to, cx),
            Mode::Replicate | Mode::Snapshot(_) | Mode::Probe(_) => {
                let (matched, round) = (progress.matched, leader.rounds.last());
                cx.send(to, self.note(matched, round));
            }
        }
        self.copy(to, cx);
    }
}
