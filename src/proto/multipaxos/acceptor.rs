//! Promises and votes.

use super::{Context, Entries, Log, Message, Record, Role, Vote};
use crate::base::{Ballot, Mutation, NodeId, Slot};
use crate::event::{Fact, Phase};

impl Log {
    /// Takes in one record of the disk.
    pub(super) fn recall(&mut self, record: &Record) {
        match record {
            Record::Promised(ballot) => self.promised = self.promised.max(*ballot),
            Record::Accepted { ballot, first, entries } => {
                self.promised = self.promised.max(*ballot);
                for (slot, entry) in (*first..).zip(entries.iter()) {
                    if let Some(cell) = self.strip.note(slot) {
                        cell.vote = Some((*ballot, entry.clone()));
                    }
                }
            }
            Record::Snapshot(machine) => {
                self.strip.cut(machine.applied());
                self.electorate.install(machine.configuration());
                self.commit = machine.applied();
                self.replica.install(machine);
            }
        }
    }

    /// All that a restart needs: written as one checkpoint.
    pub(super) fn records(&self) -> Vec<Record> {
        let mut records = vec![Record::Snapshot(self.replica.snapshot().clone())];
        if !self.config.mutations.has(Mutation::PaxosForgetPromise) {
            records.push(Record::Promised(self.promised));
        }
        records.extend(self.votes(0).map(|Vote { slot, ballot, entry }| Record::Accepted {
            ballot,
            first: slot,
            entries: [entry].into(),
        }));
        records
    }

    fn votes(&self, first: Slot) -> impl Iterator<Item = Vote> {
        self.strip.from(first).filter_map(|(slot, cell)| {
            let (ballot, entry) = cell.vote.clone()?;
            Some(Vote { slot, ballot, entry })
        })
    }

    pub(super) fn restate_votes(&self, cx: &mut Context<'_, Self>) {
        let mut votes: Vec<Vote> = self.votes(0).collect();
        votes.sort_by_key(|vote| (vote.ballot, vote.slot));
        let accepted = votes.last().map_or(Ballot::NONE, |vote| vote.ballot);
        for Vote { slot, ballot, entry } in votes {
            cx.emit(Fact::Accepts { slot, ballot, entry });
        }
        if self.promised != Ballot::NONE || cx.boot() > 1 || !cx.is_starting() {
            cx.emit(Fact::Acceptor { log: true, promised: self.promised, accepted });
        }
    }

    fn promise(&mut self, ballot: Ballot, cx: &mut Context<'_, Self>) {
        self.promised = ballot;
        if !self.config.mutations.has(Mutation::PaxosForgetPromise) {
            cx.write(Record::Promised(ballot));
        }
    }

    /// Promises its own ballot before it asks anybody else: so the ballot is on disk, and no later
    /// life of this node uses it again.
    pub(super) fn promise_self(&mut self, ballot: Ballot, cx: &mut Context<'_, Self>) {
        self.promised = ballot;
        cx.write(Record::Promised(ballot));
    }

    pub(super) fn on_prepare(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        slot: Slot,
        cx: &mut Context<'_, Self>,
    ) {
        if ballot < self.current() {
            return self.refuse(from, ballot, slot, Phase::Prepare, cx);
        }
        if ballot > self.promised {
            if self.trusts_another(from, cx) || self.is_bound(from, cx).is_some() {
                return;
            }
            self.promise(ballot, cx);
            cx.emit(Fact::Promises { slot, ballot });
            if !matches!(self.role, Role::Follower(leader) if leader == ballot) {
                self.wait_for_leader(cx);
            }
        }
        let votes = self.votes(slot.max(self.commit + 1)).collect();
        cx.send(from, Message::Promise { ballot, commit: self.commit, votes });
    }

    /// Whether it leads, or has just heard of a leader that is not `candidate`.
    fn trusts_another(&self, candidate: NodeId, cx: &Context<'_, Self>) -> bool {
        match self.role {
            Role::Leader(_) => true,
            Role::Candidate(_) | Role::Follower(Ballot::NONE) => false,
            Role::Follower(ballot) => {
                let fresh = cx.now().since(self.heard).0 < self.config.election.0.0 / 2;
                fresh && ballot.node != candidate
            }
        }
    }

    pub(super) fn refuse(
        &self,
        from: NodeId,
        ballot: Ballot,
        slot: Slot,
        phase: Phase,
        cx: &mut Context<'_, Self>,
    ) {
        let promised = self.current();
        cx.emit(Fact::Refuses { slot, ballot, promised, phase });
        cx.send(from, Message::Refuse { ballot, promised });
    }

    /// Votes, and says so. A slot that is cut off here is chosen, and a ballot that proposes
    /// anything in it proposes what is chosen; so it counts as a vote without being kept.
    pub(super) fn on_accept(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        first: Slot,
        entries: &Entries,
        cx: &mut Context<'_, Self>,
    ) {
        let below = self.config.mutations.has(Mutation::PaxosAcceptBelow);
        let above =
            self.config.mutations.has(Mutation::PaxosAcceptAbove) && ballot == self.promised;
        if ballot < self.promised && !below || above {
            return self.refuse(from, ballot, first, Phase::Accept, cx);
        }
        if ballot >= self.current() {
            self.follow(from, ballot, cx);
        }
        if ballot > self.promised {
            self.promise(ballot, cx);
            // A vote says so, too; but in a slot that is cut off there is none.
            if first <= self.strip.base() {
                cx.emit(Fact::Promises { slot: first, ballot });
            }
        }
        let slots = || (first..).zip(entries.iter());
        if slots().any(|(slot, _)| !self.has_voted(slot, ballot)) {
            cx.write(Record::Accepted { ballot, first, entries: entries.clone() });
        }
        for (slot, entry) in slots() {
            if self.has_voted(slot, ballot) {
                continue;
            }
            let Some(cell) = self.strip.note(slot) else { continue };
            cell.vote = Some((ballot, entry.clone()));
            cx.emit_with(|| Fact::Accepts { slot, ballot, entry: entry.clone() });
            if self.told.0 == ballot && slot <= self.told.1 {
                self.learn(slot, entry, cx);
            }
        }
        self.answered = (ballot, cx.now());
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        cx.send(from, Message::Accepted { ballot, first, count });
    }

    /// Whether its vote in a slot is that of a ballot, or cut off.
    fn has_voted(&self, slot: Slot, ballot: Ballot) -> bool {
        let vote = self.strip.get(slot).and_then(|cell| cell.vote.as_ref());
        slot <= self.strip.base() || vote.is_some_and(|(voted, _)| *voted == ballot)
    }
}
