//! Seeking to lead, leading, and following.

use super::electorate::Electorate;
use super::{Context, Entries, Log, Message, Role, Timer, Vote};
use crate::base::{
    Ballot, CallId, Entry, Few, Lane, Mutation, NodeId, Op, Slot, Span, Time, Voters,
};
use crate::event::{Fact, Phase};
use crate::proto::log::{Agreement, PIPELINE, Rounds, Teller};
use crate::proto::machine::Known;
use crate::proto::quorum::Tally;
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What those have said who promised a ballot.
#[derive(Clone, Debug, Default)]
struct Promises {
    by: Tally,
    /// The vote in the highest ballot that was reported, by slot.
    best: BTreeMap<Slot, (Ballot, Arc<Entry>)>,
}

impl Promises {
    /// Takes in the votes in slots after `after`; in a mutation, the first that was reported stays.
    fn add(&mut self, from: NodeId, votes: &[Vote], after: Slot, first: bool) {
        self.by.add(from);
        for Vote { slot, ballot, entry } in votes.iter().filter(|vote| vote.slot > after) {
            let best = self.best.entry(*slot).or_insert((Ballot::NONE, entry.clone()));
            if best.0 == Ballot::NONE || (*ballot > best.0 && !first) {
                *best = (*ballot, entry.clone());
            }
        }
    }

    /// The last slot that somebody voted in, if any was after `slot`; else that.
    fn last(&self, slot: Slot) -> Slot {
        self.best.last_key_value().map_or(slot, |(last, _)| slot.max(*last))
    }
}

/// Who waits for promises.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) ballot: Ballot,
    promises: Promises,
    /// All slots up to here are chosen, and `source` has them.
    commit: Slot,
    source: NodeId,
}

/// Slots that are under way together: one message asked for votes in all of them.
#[derive(Clone, Debug)]
struct Batch {
    first: Slot,
    /// What is proposed in them; never empty.
    entries: Entries,
    /// Who has voted in all of them.
    votes: Tally,
    chosen: bool,
    /// When votes were last asked for.
    asked: Time,
}

impl Batch {
    fn last(&self) -> Slot {
        self.first + self.entries.len() as u64 - 1
    }
}

/// Who leads.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    pub(super) ballot: Ballot,
    /// All slots up to here are chosen.
    pub(super) done: Slot,
    /// How far this replica had come when it last came further, and when that was.
    came: (Slot, Time),
    /// The slots after `done`.
    pending: VecDeque<Batch>,
    /// Entries that wait for room in the window, or for fewer batches under way.
    queue: VecDeque<Arc<Entry>>,
    /// The calls of all entries that are pending, queued, or chosen and not applied.
    pub(super) calls: Lane<CallId>,
    /// When each other node was last heard of, and the last heartbeat that it answered.
    heard: Few<NodeId, (Time, u64)>,
    /// All that may have been chosen when it began is in slots up to here.
    pub(super) taken_over: Slot,
    pub(super) rounds: Rounds,
    /// Who has promised its ballot, and what they reported of slots that it has not come to.
    promises: Promises,
}

impl Leader {
    /// The last slot that it has asked for votes in.
    fn asked(&self) -> Slot {
        self.pending.back().map_or(self.done, Batch::last)
    }

    /// The last slot, after `asked`, that there is something to propose in: what may be chosen,
    /// then what was asked for, and what a change of voters needs.
    fn wants(&self, asked: Slot, electorate: &Electorate) -> Slot {
        let queued = self.promises.last(asked) + self.queue.len() as u64;
        queued.max(electorate.changes_until())
    }

    /// What to propose in the next slot, and the ballot to adopt it from. Holes are filled.
    fn next(&mut self, slot: Slot) -> (Ballot, Arc<Entry>) {
        let noop = || Arc::new(Entry { call: CallId::default(), op: Op::Noop });
        if slot <= self.promises.last(0) {
            let best = self.promises.best.remove(&slot).unwrap_or_else(|| (Ballot::NONE, noop()));
            self.calls.add(best.1.call);
            return best;
        }
        (Ballot::NONE, self.queue.pop_front().unwrap_or_else(noop))
    }

    /// The largest number of a heartbeat that a majority has answered; its own it has answered
    /// itself.
    pub(super) fn answered(&self, me: NodeId, voters: &Voters) -> u64 {
        let answered = |id: NodeId| match id == me {
            true => self.rounds.last(),
            false => self.heard.get(id).map_or(0, |heard| heard.1),
        };
        voters.reached(0, answered).unwrap_or_default()
    }

    /// Whether a quorum was heard of since then; itself, it was.
    fn hears_quorum(&self, me: NodeId, voters: &Voters, since: Time) -> bool {
        let heard = |id: NodeId| self.heard.get(id).is_some_and(|heard| heard.0 >= since);
        voters.agree(|id| id == me || heard(id))
    }
}

// -- seeking to lead -----------------------------------------------------------------------------
impl Log {
    pub(super) fn on_election(&mut self, cx: &mut Context<'_, Self>) {
        if matches!(self.role, Role::Leader(_)) {
            return;
        }
        match self.is_bound(cx.me(), cx) {
            Some(end) => self.wait(end.since(cx.now()), cx),
            None if self.electorate.has(cx.me(), self.commit + 1) => self.seek(cx),
            None => {
                // Those who know that it votes may wait for it to lead.
                let ask = Message::CatchUp { from: self.commit + 1 };
                cx.send_all(self.config.others(cx.me()), &ask);
                self.be_patient(cx);
            }
        }
    }

    /// Phase 1, for all slots that are not known to be chosen.
    fn seek(&mut self, cx: &mut Context<'_, Self>) {
        let round = self.current().round.max(self.outbid) + 1;
        let ballot = Ballot::new(round, cx.me());
        let from = self.commit + 1;
        self.promise_self(ballot, cx);
        cx.emit(Fact::Seeks { ballot });
        cx.emit(Fact::Prepares { slot: from, ballot });
        cx.emit(Fact::Promises { slot: from, ballot });
        self.role = Role::Candidate(Box::new(Candidate {
            ballot,
            promises: Promises::default(),
            commit: self.commit,
            source: cx.me(),
        }));
        if self.config.mutations.has(Mutation::LogSkipPhaseOne) {
            return self.lead(cx);
        }
        cx.send_all(self.config.peers.iter(), &Message::Prepare { ballot, from });
        self.be_patient(cx);
    }

    fn be_patient(&mut self, cx: &mut Context<'_, Self>) {
        (self.heard, self.patience) = (cx.now(), self.config.draw(cx));
        self.wait(self.patience, cx);
    }

    pub(super) fn on_promise(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        commit: Slot,
        votes: &[Vote],
        cx: &mut Context<'_, Self>,
    ) {
        let first = self.has(Mutation::PaxosFirstReport);
        let Role::Candidate(candidate) = &mut self.role else {
            return self.on_late_promise(from, ballot, commit, votes, cx);
        };
        if candidate.ballot != ballot || candidate.promises.by.has(from) {
            return;
        }
        candidate.promises.add(from, votes, 0, first);
        if commit > candidate.commit {
            (candidate.commit, candidate.source) = (commit, from);
        }
        if self.electorate.enough(&candidate.promises.by, self.commit + 1) {
            self.lead(cx);
        }
    }

    /// Somebody promises who was not needed for this node to lead, and may be when voters change.
    fn on_late_promise(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        commit: Slot,
        votes: &[Vote],
        cx: &mut Context<'_, Self>,
    ) {
        let first = self.has(Mutation::PaxosFirstReport);
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.ballot != ballot || leader.promises.by.has(from) {
            return;
        }
        let (before, asked) = (leader.done, leader.asked());
        if commit > asked {
            // It reports no votes up to there, because all is chosen: so that is left alone.
            (leader.done, self.source) = (commit, Some(from));
            leader.pending.clear();
            leader.promises.best = leader.promises.best.split_off(&(commit + 1));
        }
        leader.promises.add(from, votes, asked.max(commit), first);
        leader.taken_over = leader.promises.last(leader.taken_over.max(commit));
        self.confirm_anew(before);
        if commit > asked {
            self.ask_for_missing(cx);
        }
        self.flush(cx);
    }

    /// A quorum has promised. Slots that some of them know to be chosen are left alone; in those
    /// after them, what may be chosen is proposed again, and holes are filled.
    fn lead(&mut self, cx: &mut Context<'_, Self>) {
        let follower = Role::Follower(Ballot::NONE);
        let Role::Candidate(candidate) = std::mem::replace(&mut self.role, follower) else {
            return;
        };
        let Candidate { ballot, mut promises, commit, source } = *candidate;
        let done = commit.max(self.commit);
        if self.has(Mutation::PaxosOwnValue) {
            promises.best.clear();
        }
        promises.best = promises.best.split_off(&(done + 1));
        self.role = Role::Leader(Box::new(Leader {
            ballot,
            done,
            came: (self.commit, cx.now()),
            pending: VecDeque::new(),
            queue: VecDeque::new(),
            calls: Lane::default(),
            heard: self.config.others(cx.me()).map(|id| (*id, (cx.now(), 0))).collect(),
            taken_over: promises.last(done),
            rounds: Rounds::default(),
            promises,
        }));
        cx.emit(Fact::Leads { ballot });
        self.hope();
        cx.cancel(Timer::Election);
        self.flush(cx);
        if self.commit < done {
            self.source = Some(source);
            self.ask_for_missing(cx);
        }
        self.hand_on_all(cx);
        self.on_heartbeat(cx);
    }

    pub(super) fn on_refuse(
        &mut self,
        ballot: Ballot,
        promised: Ballot,
        cx: &mut Context<'_, Self>,
    ) {
        self.outbid = self.outbid.max(promised.round);
        let (own, leads) = match &self.role {
            Role::Leader(leader) => (leader.ballot, true),
            Role::Candidate(candidate) => (candidate.ballot, false),
            Role::Follower(_) => return,
        };
        if own != ballot {
            return;
        }
        self.wait_for_leader(cx);
        if leads {
            // Who refused may just have come back with a promise to itself. Give a new leader, if
            // there is one, two heartbeats to show up, and try again.
            let pause = cx.rng().span(Span::ZERO, self.config.heartbeat);
            self.patience = self.config.heartbeat.times(2) + pause;
            self.wait(self.patience, cx);
        }
    }
}

// -- leading -------------------------------------------------------------------------------------
impl Log {
    /// Puts an entry into the log, if this node leads and the entry is not there.
    pub(super) fn propose(&mut self, entry: Arc<Entry>, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let again = self.config.mutations.has(Mutation::LogNoClientTable);
        if !again && self.replica.machine().known(entry.call) != Known::No {
            return;
        }
        if leader.calls.add(entry.call) || again {
            leader.queue.push_back(entry);
            self.flush(cx);
        }
    }

    /// Asks for votes in the next slots, as far as there is something to ask for, and it may.
    /// Returns whether it did.
    fn flush(&mut self, cx: &mut Context<'_, Self>) -> bool {
        let blind = self.has(Mutation::LogSkipPhaseOne);
        let Role::Leader(leader) = &mut self.role else { return false };
        if leader.pending.len() >= PIPELINE {
            return false;
        }
        let (ballot, first) = (leader.ballot, leader.asked() + 1);
        let promised =
            if blind { Slot::MAX } else { self.electorate.reach(&leader.promises.by, first) };
        let known = self.commit + self.electorate.window();
        let last = leader.wants(first - 1, &self.electorate).min(promised).min(known);
        if last < first {
            return false;
        }
        let next = |slot| {
            let (adopted, entry) = leader.next(slot);
            cx.emit_with(|| {
                let entry = entry.clone();
                Fact::Proposes { slot, ballot, entry, adopted }
            });
            entry
        };
        let entries: Entries = (first..last + 1).map(next).collect();
        self.ask_for_votes(ballot, first, entries, cx);
        true
    }

    /// Phase 2, for the next slots.
    fn ask_for_votes(
        &mut self,
        ballot: Ballot,
        first: Slot,
        entries: Entries,
        cx: &mut Context<'_, Self>,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        let (commit, votes, asked) = (leader.done, Tally::default(), cx.now());
        let batch = Batch { first, entries: entries.clone(), votes, chosen: false, asked };
        leader.pending.push_back(batch);
        let accept = Message::Accept { ballot, commit, first, entries: entries.clone() };
        cx.send_all(self.config.others(cx.me()), &accept);
        // Its own vote; that it is durable arrives as a message.
        self.on_accept(cx.me(), ballot, first, &entries, cx);
    }

    /// A node has voted in so many slots from `first` on.
    pub(super) fn on_accepted(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        first: Slot,
        count: u32,
        cx: &mut Context<'_, Self>,
    ) {
        self.on_alive(from, ballot, 0, cx);
        let Role::Leader(leader) = &mut self.role else { return };
        if leader.ballot != ballot {
            return;
        }
        let end = first.saturating_add(count.into());
        let mut chosen = SmallVec::<[(Slot, Entries); 1]>::new();
        let within = |batch: &&mut Batch| first <= batch.first && batch.last() < end;
        for batch in leader.pending.iter_mut().filter(within) {
            batch.votes.add(from);
            if !batch.chosen && self.electorate.reach(&batch.votes, batch.first) >= batch.last() {
                batch.chosen = true;
                chosen.push((batch.first, batch.entries.clone()));
            }
        }
        if chosen.is_empty() {
            return;
        }
        let before = leader.done;
        while let Some(batch) = leader.pending.front().filter(|batch| batch.chosen) {
            leader.done = batch.last();
            leader.pending.pop_front();
        }
        let upto = leader.done;
        self.confirm_anew(before);
        for (first, entries) in &chosen {
            (*first..).zip(entries.iter()).for_each(|(slot, entry)| self.learn(slot, entry, cx));
        }
        self.advance(cx);
        // Votes that are asked for carry the news too; so does what follows on the next answers.
        let told = upto == before || self.flush(cx) || self.is_asking();
        if !told {
            cx.send_all(self.config.others(cx.me()), &Message::Commit { ballot, upto });
        }
    }

    /// Whether it leads, and some votes that it has asked for are not there.
    fn is_asking(&self) -> bool {
        matches!(&self.role, Role::Leader(leader) if !leader.pending.is_empty())
    }

    pub(super) fn on_alive(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        round: u64,
        cx: &mut Context<'_, Self>,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        if let Some(heard) = leader.heard.get_mut(from)
            && leader.ballot == ballot
        {
            *heard = (cx.now(), heard.1.max(round));
            if round > 0 {
                self.confirm(cx);
            }
        }
    }

    pub(super) fn on_heartbeat(&mut self, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &self.role else { return };
        let (ballot, commit) = (leader.ballot, leader.done);
        if !self.may_lead_on(cx) {
            return self.wait_for_leader(cx);
        }
        let round = self.number_round(cx);
        cx.send_all(self.config.others(cx.me()), &Message::Heartbeat { ballot, commit, round });
        self.ask_again(cx);
        self.ask_for_promises(cx);
        self.flush(cx);
        cx.set(Timer::Heartbeat, self.config.heartbeat);
    }

    /// Whether it need not leave the lead to others.
    fn may_lead_on(&mut self, cx: &Context<'_, Self>) -> bool {
        let (me, longest) = (cx.me(), self.config.election.1);
        let Role::Leader(leader) = &mut self.role else { return false };
        if self.commit > leader.came.0 || self.commit == leader.done {
            leader.came = (self.commit, cx.now());
        }
        // Nobody that lives has what it misses: another may do better.
        let stuck = cx.now().since(leader.came.1) > longest;
        let votes = self.electorate.has(me, leader.done + 1);
        let since = Time(cx.now().0.saturating_sub(longest.0));
        let heard = leader.hears_quorum(me, self.electorate.of(leader.done + 1), since);
        votes && heard && !stuck
    }

    /// Asks those for promises who have not promised, if it needs them for the next slot.
    fn ask_for_promises(&mut self, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &self.role else { return };
        let (ballot, from) = (leader.ballot, leader.asked() + 1);
        if !self.electorate.enough(&leader.promises.by, from) {
            let missing = self.config.peers.iter().filter(|id| !leader.promises.by.has(**id));
            cx.send_all(missing, &Message::Prepare { ballot, from });
        }
    }

    /// Repeats what was asked for a while ago, to those who have not answered.
    fn ask_again(&mut self, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let (ballot, commit, now) = (leader.ballot, leader.done, cx.now());
        let late =
            |batch: &&mut Batch| !batch.chosen && now.since(batch.asked) >= self.config.heartbeat;
        for batch in leader.pending.iter_mut().filter(late) {
            let (first, entries) = (batch.first, batch.entries.clone());
            let missing = self.config.peers.iter().filter(|peer| !batch.votes.has(**peer));
            cx.send_all(missing, &Message::Accept { ballot, commit, first, entries });
            batch.asked = now;
        }
    }
}

// -- following -----------------------------------------------------------------------------------
impl Log {
    /// Gives up what it is, and waits for somebody to lead.
    pub(super) fn wait_for_leader(&mut self, cx: &mut Context<'_, Self>) {
        if !matches!(self.role, Role::Follower(Ballot::NONE)) {
            self.role = Role::Follower(Ballot::NONE);
            cx.emit(Fact::Seeks { ballot: Ballot::NONE });
            cx.cancel(Timer::Heartbeat);
        }
        self.be_patient(cx);
    }

    /// Hears the leader of `ballot`, or refuses it. Returns whether it was heard.
    pub(super) fn listen(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        cx: &mut Context<'_, Self>,
    ) -> bool {
        if ballot < self.current() && !self.has(Mutation::LogFollowAny) {
            self.refuse(from, ballot, self.commit + 1, Phase::Accept, cx);
            return false;
        }
        self.follow(from, ballot, cx);
        true
    }

    /// Tells the leader that this node hears it, unless it has done so lately and need not say so
    /// again.
    pub(super) fn answer(
        &mut self,
        leader: NodeId,
        ballot: Ballot,
        round: u64,
        cx: &mut Context<'_, Self>,
    ) {
        let (known, at) = self.answered;
        let lately = known == ballot && cx.now().since(at).0 < self.config.election.0.0 / 2;
        if round > 0 || !lately {
            self.answered = (ballot, cx.now());
            self.given = Some((leader, cx.now())).filter(|_| round > 0).or(self.given);
            cx.send(leader, Message::Alive { ballot, round });
        }
    }

    /// Follows the leader of `ballot`, which is the highest that it knows of.
    pub(super) fn follow(&mut self, from: NodeId, ballot: Ballot, cx: &mut Context<'_, Self>) {
        self.heard = cx.now();
        if from == cx.me() {
            return;
        }
        self.wait(self.patience, cx);
        match self.role {
            Role::Follower(known) if known == ballot => return,
            Role::Follower(_) => {}
            Role::Candidate(_) | Role::Leader(_) => cx.cancel(Timer::Heartbeat),
        }
        self.role = Role::Follower(ballot);
        self.hope();
        cx.emit(Fact::Follows { ballot });
        self.be_patient(cx);
        self.hand_on_all(cx);
    }
}
