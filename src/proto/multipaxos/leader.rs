//! Seeking to lead, leading, and following.

use super::{Context, Entries, Log, Message, Role, Timer, Vote};
use crate::base::{Ballot, CallId, Entry, Mutation, NodeId, Op, Slot, Span, Time};
use crate::event::{Fact, Phase};
use crate::proto::log::{Agreement, Rounds};
use crate::proto::machine::Known;
use crate::proto::quorum::Tally;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// How many slots may be under way.
const WINDOW: usize = 64;

/// Who waits for promises.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) ballot: Ballot,
    promises: Tally,
    /// The vote in the highest ballot that was reported, by slot.
    best: BTreeMap<Slot, (Ballot, Arc<Entry>)>,
    /// All slots up to here are chosen, and `source` has them.
    commit: Slot,
    source: NodeId,
}

/// A slot that is under way.
#[derive(Clone, Debug)]
struct Pending {
    entry: Arc<Entry>,
    votes: Tally,
    chosen: bool,
    /// When votes were last asked for.
    asked: Time,
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
    pending: VecDeque<Pending>,
    /// Entries that wait for room in the window.
    queue: VecDeque<Arc<Entry>>,
    /// The calls of all entries that are pending, queued, or chosen and not applied.
    pub(super) calls: BTreeSet<CallId>,
    /// When each other node was last heard of, in the order of peers, and the last heartbeat that
    /// it answered.
    heard: Vec<(Time, u64)>,
    /// All that may have been chosen when it began is in slots up to here.
    pub(super) taken_over: Slot,
    pub(super) rounds: Rounds,
}

impl Leader {
    /// The largest number of a heartbeat that a majority has answered; its own it has answered
    /// itself.
    pub(super) fn answered(&self, peers: &[NodeId], me: NodeId, quorum: usize) -> u64 {
        let own = |(peer, heard): (&NodeId, &(Time, u64))| match *peer == me {
            true => self.rounds.last(),
            false => heard.1,
        };
        let mut answered: Vec<u64> = peers.iter().zip(&self.heard).map(own).collect();
        answered.sort_unstable();
        answered[answered.len() - quorum]
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
            None => self.seek(cx),
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
            promises: Tally::default(),
            best: BTreeMap::new(),
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
        let Role::Candidate(candidate) = &mut self.role else { return };
        if candidate.ballot != ballot || candidate.promises.has(from) {
            return;
        }
        candidate.promises.add(from);
        if commit > candidate.commit {
            (candidate.commit, candidate.source) = (commit, from);
        }
        let first = self.config.mutations.has(Mutation::PaxosFirstReport);
        for vote in votes {
            let best =
                candidate.best.entry(vote.slot).or_insert((Ballot::NONE, vote.entry.clone()));
            if best.0 == Ballot::NONE || (vote.ballot > best.0 && !first) {
                *best = (vote.ballot, vote.entry.clone());
            }
        }
        if candidate.promises.count() >= self.quorum {
            self.lead(cx);
        }
    }

    /// A quorum has promised. Slots that some of them know to be chosen are left alone; in those
    /// after them, what may be chosen is proposed again, and holes are filled.
    fn lead(&mut self, cx: &mut Context<'_, Self>) {
        let follower = Role::Follower(Ballot::NONE);
        let Role::Candidate(candidate) = std::mem::replace(&mut self.role, follower) else {
            return;
        };
        let Candidate { ballot, mut best, commit, source, .. } = *candidate;
        let done = commit.max(self.commit);
        if self.config.mutations.has(Mutation::PaxosOwnValue) {
            best.clear();
        }
        self.role = Role::Leader(Box::new(Leader {
            ballot,
            done,
            came: (self.commit, cx.now()),
            pending: VecDeque::new(),
            queue: VecDeque::new(),
            calls: BTreeSet::new(),
            heard: vec![(cx.now(), 0); self.config.peers.len()],
            taken_over: best.last_key_value().map_or(done, |(last, _)| done.max(*last)),
            rounds: Rounds::default(),
        }));
        cx.emit(Fact::Leads { ballot });
        self.hope();
        cx.cancel(Timer::Election);
        if let Some((last, _)) = best.last_key_value() {
            let noop = Arc::new(Entry { call: CallId::default(), op: Op::Noop });
            let slots = done + 1..=*last;
            let entries =
                slots.map(|slot| best.remove(&slot).unwrap_or((Ballot::NONE, noop.clone())));
            self.ask_for_votes(entries.collect(), cx);
        }
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
        if leader.calls.insert(entry.call) || again {
            leader.queue.push_back(entry);
            self.flush(cx);
        }
    }

    /// Moves entries from the queue into the window. Returns whether there were any.
    fn flush(&mut self, cx: &mut Context<'_, Self>) -> bool {
        let Role::Leader(leader) = &mut self.role else { return false };
        let room = WINDOW.saturating_sub(leader.pending.len()).min(leader.queue.len());
        let batch: Vec<_> = leader.queue.drain(..room).map(|entry| (Ballot::NONE, entry)).collect();
        let any = !batch.is_empty();
        if any {
            self.ask_for_votes(batch, cx);
        }
        any
    }

    /// Phase 2, for the next slots.
    fn ask_for_votes(&mut self, batch: Vec<(Ballot, Arc<Entry>)>, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let (ballot, commit) = (leader.ballot, leader.done);
        let first = leader.done + leader.pending.len() as u64 + 1;
        if batch.is_empty() {
            return;
        }
        for (slot, (adopted, entry)) in (first..).zip(&batch) {
            let (entry, adopted) = (entry.clone(), *adopted);
            leader.calls.insert(entry.call);
            let pending = Pending {
                entry: entry.clone(),
                votes: Tally::default(),
                chosen: false,
                asked: cx.now(),
            };
            leader.pending.push_back(pending);
            cx.emit(Fact::Proposes { slot, ballot, entry, adopted });
        }
        let entries: Entries = batch.into_iter().map(|(_, entry)| entry).collect();
        let accept = Message::Accept { ballot, commit, first, entries: entries.clone() };
        cx.send_all(self.config.others(cx.me()), &accept);
        // Its own vote; that it is durable arrives as a message.
        self.on_accept(cx.me(), ballot, first, &entries, cx);
    }

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
        let mut chosen = Vec::new();
        for slot in first.max(leader.done + 1)..first.saturating_add(count.into()) {
            let index = (slot - leader.done - 1) as usize;
            let Some(pending) = leader.pending.get_mut(index) else { break };
            pending.votes.add(from);
            if !pending.chosen && pending.votes.count() >= self.quorum {
                pending.chosen = true;
                chosen.push((slot, pending.entry.clone()));
            }
        }
        if chosen.is_empty() {
            return;
        }
        let before = leader.done;
        while leader.pending.front().is_some_and(|pending| pending.chosen) {
            leader.pending.pop_front();
            leader.done += 1;
        }
        let upto = leader.done;
        chosen.iter().for_each(|(slot, entry)| self.learn(*slot, entry, cx));
        self.advance(cx);
        // Votes that are asked for carry the news too.
        if upto > before && !self.flush(cx) {
            cx.send_all(self.config.others(cx.me()), &Message::Commit { ballot, upto });
        }
    }

    pub(super) fn on_alive(
        &mut self,
        from: NodeId,
        ballot: Ballot,
        round: u64,
        cx: &mut Context<'_, Self>,
    ) {
        let Role::Leader(leader) = &mut self.role else { return };
        let index = self.config.peers.iter().position(|peer| *peer == from);
        if let Some(heard) = index.and_then(|index| leader.heard.get_mut(index))
            && leader.ballot == ballot
        {
            *heard = (cx.now(), heard.1.max(round));
            if round > 0 {
                self.confirm(cx);
            }
        }
    }

    pub(super) fn on_heartbeat(&mut self, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let recent = |at: Time| cx.now().since(at) <= self.config.election.1;
        let others = self.config.peers.iter().zip(&leader.heard);
        let heard = others.filter(|(peer, heard)| **peer == cx.me() || recent(heard.0)).count();
        if self.commit > leader.came.0 || self.commit == leader.done {
            leader.came = (self.commit, cx.now());
        }
        // Nobody hears it, or nobody that lives has what it misses: another may do better.
        let stuck = cx.now().since(leader.came.1) > self.config.election.1;
        if stuck || heard < self.config.peers.len() / 2 + 1 {
            return self.wait_for_leader(cx);
        }
        let (ballot, commit) = (leader.ballot, leader.done);
        let round = self.number_round(cx);
        cx.send_all(self.config.others(cx.me()), &Message::Heartbeat { ballot, commit, round });
        self.ask_again(cx);
        cx.set(Timer::Heartbeat, self.config.heartbeat);
    }

    /// Repeats what was asked for a while ago, to those who have not answered.
    fn ask_again(&mut self, cx: &mut Context<'_, Self>) {
        let Role::Leader(leader) = &mut self.role else { return };
        let now = cx.now();
        let late = |p: &Pending| !p.chosen && now.since(p.asked) >= self.config.heartbeat;
        let Some(skip) = leader.pending.iter().position(late) else { return };
        let slots: Vec<&mut Pending> =
            leader.pending.iter_mut().skip(skip).take_while(|p| late(p)).collect();
        let entries = slots.iter().map(|pending| pending.entry.clone()).collect();
        let missing = self
            .config
            .peers
            .iter()
            .filter(|peer| slots.iter().any(|pending| !pending.votes.has(**peer)));
        let (ballot, commit) = (leader.ballot, leader.done);
        let first = leader.done + 1 + skip as u64;
        cx.send_all(missing, &Message::Accept { ballot, commit, first, entries });
        slots.into_iter().for_each(|pending| pending.asked = now);
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
