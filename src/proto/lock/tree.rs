//! Sessions, and the nodes that live as long as they: a part of the machine on the log.
//!
//! A lock is a directory. Who wants it makes a node in it, which gets the slot of its entry for a
//! number (ZooKeeper calls that number the czxid, and the node *ephemeral* and *sequential*). The
//! lock belongs to the lowest node; its number is the fencing token. A session that ends takes all
//! of its nodes along in the same slot.
//!
//! Of one session, what makes or removes a node is carried out in the order in which the client
//! asked: what was overtaken on the network is not carried out. (ZooKeeper has connections for it.)
//!
//! Like the table of locks, it reads no clock: the leader decides when a session has been silent
//! for too long, and puts an `expire` into the log. Where the leader keeps signs of life in its
//! memory (`lessor`), the log says which leader does, and only that one can end a session. Sessions
//! are leases then, in the words of etcd, nodes are keys, and a slot is a revision: the number of a
//! node is its create revision. The last changes are kept for clients that follow all of them; who
//! asks for older ones is told that they are forgotten, and has to look at the whole again.

mod consul;
mod permits;

use super::table::Answers;
use crate::base::{
    Ballot, CallId, KeyChange, LockMode, Mutation, Mutations, Name, NodeId, Outcome, Place,
    Refusal, SessionId, SessionOp, SessionOutcome, Slot, Span, Terms, Token,
};
use crate::event::{Fact, Freed, Lapse, SessionFact};
use permits::Permits;
use serde::{Deserialize, Serialize};
use smallvec::smallvec;
use std::collections::{BTreeMap, VecDeque};

/// So many changes are kept for those who follow them; twice as many for a while.
const KEPT: usize = 16;
/// Who follows changes is told after so many slots without any that there were none.
const PROGRESS: u64 = 16;

/// All sessions, and all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    sessions: BTreeMap<SessionId, Session>,
    locks: BTreeMap<Name, Lock>,
    /// The last slot that changed any of it.
    changed: Slot,
    /// The ballot of the leader that keeps the time of sessions; none where the log does.
    lessor: Ballot,
    /// The last changes, in the order of slots, where there is a lessor.
    history: VecDeque<KeyChange>,
    /// What changed up to this slot is forgotten.
    forgotten: Slot,
    /// The locks that nobody can take for now, each since which slot and for how long.
    delays: BTreeMap<Name, (Slot, Span)>,
    /// The nodes whose check is critical, each since which slot.
    critical: BTreeMap<NodeId, Slot>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    client: NodeId,
    ttl: Span,
    pings: u32,
    /// The number of the newest call that made or removed a node.
    newest: u64,
    /// How much a later lessor gives it, if not its whole time.
    left: Option<Span>,
    /// The node that it hangs on, if it does, and its terms.
    home: Option<(NodeId, Terms)>,
}

impl Session {
    /// Whether a call is carried out: not if a later one of the same session has overtaken it,
    /// since the client may have given it up and gone on.
    fn takes(&mut self, call: CallId, mutations: Mutations) -> bool {
        let late = call.seq < self.newest && !mutations.has(Mutation::LockOvertaken);
        self.newest = self.newest.max(call.seq);
        !late
    }
}

/// What is below one lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Lock {
    nodes: BTreeMap<Token, Node>,
    /// The token that it was granted under last: the number of a node, or how often it was granted
    /// (`consul`).
    token: Token,
    /// The last slot that made or removed a node.
    changed: Slot,
    /// Who has a permit, where that is written in a key.
    permits: Permits,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Node {
    session: SessionId,
    wish: CallId,
    mode: LockMode,
    /// The token that the lock was granted under, if it was, and the slot that did.
    granted: Option<(Token, Slot)>,
}

/// One operation on its way through the tree.
struct Step<'a> {
    slot: Slot,
    call: CallId,
    mutations: Mutations,
    facts: &'a mut Vec<Fact>,
}

impl Step<'_> {
    fn say(&mut self, fact: SessionFact) {
        self.facts.push(Fact::Session(fact));
    }
}

impl Tree {
    /// Takes in the entry of `slot` and says, in `facts`, what changed.
    pub fn apply(
        &mut self,
        slot: Slot,
        call: CallId,
        op: &SessionOp,
        mutations: Mutations,
        facts: &mut Vec<Fact>,
    ) -> Answers {
        let before = facts.len();
        let mut step = Step { slot, call, mutations, facts };
        let outcome = match op {
            SessionOp::Open { ttl } => self.open(*ttl, &mut step),
            SessionOp::Ping { session } => self.ping(*session, &mut step),
            SessionOp::Expire { session, pings } => self.expire(*session, *pings, &mut step),
            SessionOp::Create { lock, session, wish, mode } => {
                self.create(lock, *session, (*wish, *mode), &mut step)
            }
            SessionOp::Delete { lock, session, node } => {
                self.delete(lock, *session, *node, &mut step)
            }
            SessionOp::Promote { lessor } => self.promote(*lessor, &mut step),
            SessionOp::Confirm { lessor, alive } => self.confirm(*lessor, alive, &mut step),
            SessionOp::Checkpoint { lessor, left } => self.checkpoint(*lessor, left, &mut step),
            SessionOp::Revoke { lessor, session } => self.revoke(*lessor, *session, &mut step),
            SessionOp::List { .. } | SessionOp::Watch { .. } => {
                self.look(slot, op, mutations).unwrap_or(Outcome::Refused(Refusal::Unavailable))
            }
            SessionOp::Snapshot => self.state(slot),
            SessionOp::Follow { .. } | SessionOp::Glance => Outcome::Refused(Refusal::Unavailable),
            SessionOp::Register { node, ttl, terms } => {
                self.register(*node, *ttl, *terms, &mut step)
            }
            SessionOp::Lock { lock, session, wish } => self.lock(lock, *session, *wish, &mut step),
            SessionOp::Unlock { lock, session, token } => {
                self.unlock(lock, *session, *token, &mut step)
            }
            SessionOp::Check { lessor, node, critical } => {
                self.check(*lessor, *node, *critical, &mut step)
            }
            SessionOp::Lift { lessor, lock, since } => self.lift(*lessor, lock, *since, &mut step),
            SessionOp::Close { session } => self.close(*session, &mut step),
            SessionOp::Contend { lock, session, wish } => {
                self.contend(lock, *session, *wish, &mut step)
            }
            SessionOp::Permits { lock } => self.permits(lock, slot),
            SessionOp::Swap { lock, session, index, limit, holders } => {
                self.swap(lock, *session, (*index, *limit, holders), &mut step)
            }
        };
        if facts.len() > before {
            self.changed = slot;
        }
        self.remember(slot, op, before, mutations, facts);
        smallvec![(call, outcome)]
    }

    /// Keeps what a slot has changed, which the facts from `from` on say.
    fn remember(
        &mut self,
        slot: Slot,
        op: &SessionOp,
        from: usize,
        mutations: Mutations,
        facts: &mut Vec<Fact>,
    ) {
        if self.lessor == Ballot::NONE {
            return;
        }
        let ghost = match op {
            SessionOp::Create { lock, .. }
                if facts.len() == from && mutations.has(Mutation::WatchGhost) =>
            {
                Some(KeyChange { slot, key: (lock.clone(), slot), there: true })
            }
            _ => None,
        };
        self.history.extend(facts[from..].iter().filter_map(change_of).chain(ghost));
        if self.history.len() > 2 * KEPT {
            let last = self.history[self.history.len() - KEPT - 1].slot;
            self.history.retain(|change| change.slot > last);
            self.forgotten = last;
            facts.push(Fact::Session(SessionFact::Compacts { slot, before: last }));
        }
    }

    /// All nodes.
    fn state(&self, revision: Slot) -> Outcome {
        let below = |(name, lock): (&Name, &Lock)| {
            lock.nodes.keys().map(|node| (name.clone(), *node)).collect::<Vec<_>>()
        };
        let keys = self.locks.iter().flat_map(below).collect();
        Outcome::Session(SessionOutcome::State { revision, keys })
    }

    /// What has changed after a slot. None if there is nothing to tell.
    fn follow(&self, applied: Slot, after: Slot, mutations: Mutations) -> Option<Outcome> {
        if after < self.forgotten && !mutations.has(Mutation::WatchSilent) {
            return Some(Outcome::Refused(Refusal::Compacted));
        }
        let news = self.history.iter().filter(|change| change.slot > after);
        let mut changes: Vec<KeyChange> = news.cloned().collect();
        if changes.is_empty() && applied < after.saturating_add(PROGRESS) {
            return None;
        }
        if mutations.has(Mutation::WatchReorder) {
            changes.reverse();
        }
        if mutations.has(Mutation::WatchSplit) {
            changes.dedup_by_key(|change| change.slot);
        }
        if mutations.has(Mutation::WatchHasty) && applied.is_multiple_of(4) {
            changes.clear();
        }
        Some(Outcome::Session(SessionOutcome::Told { upto: applied, changes }))
    }

    fn open(&mut self, ttl: Span, step: &mut Step<'_>) -> Outcome {
        let (session, client) = (step.slot, step.call.client);
        let (pings, newest) = (0, step.call.seq);
        self.sessions
            .insert(session, Session { client, ttl, pings, newest, left: None, home: None });
        step.say(SessionFact::Open { slot: session, session, client, ttl, pings: 0 });
        Outcome::Session(SessionOutcome::Opened { session })
    }

    fn ping(&mut self, id: SessionId, step: &mut Step<'_>) -> Outcome {
        let Some(session) = self.sessions.get_mut(&id) else {
            return Outcome::Refused(Refusal::Expired);
        };
        session.pings = session.pings.saturating_add(1);
        let (slot, ttl) = (step.slot, session.ttl);
        step.say(SessionFact::Pinged { slot, session: id });
        for (name, lock) in &self.locks {
            let own = lock.holders().filter(|(_, node)| node.session == id);
            let renewed = |(token, _)| Fact::Renewed { slot, lock: name.clone(), token, ttl };
            step.facts.extend(own.map(renewed));
        }
        Outcome::Done
    }

    fn expire(&mut self, id: SessionId, pings: u32, step: &mut Step<'_>) -> Outcome {
        let stale = step.mutations.has(Mutation::LockStaleExpiry);
        match self.sessions.get(&id) {
            Some(session) if stale || session.pings <= pings => {}
            Some(_) => return Outcome::Refused(Refusal::NotHeld),
            None => return Outcome::Done,
        }
        self.end(id, Lapse::Silent, step);
        Outcome::Done
    }

    /// A session is over, and all of its nodes with it.
    fn end(&mut self, id: SessionId, why: Lapse, step: &mut Step<'_>) {
        let home = self.sessions.remove(&id).and_then(|session| session.home);
        step.say(SessionFact::Ended { slot: step.slot, session: id, why });
        if step.mutations.has(Mutation::LockOrphans) {
            return;
        }
        if let Some((_, terms)) = home {
            return self.free_all(id, terms, step);
        }
        for (name, lock) in &mut self.locks {
            lock.remove(name, |_, node| node.session == id, Freed::Ended, &self.sessions, step);
        }
    }

    /// A client ends its session.
    fn close(&mut self, id: SessionId, step: &mut Step<'_>) -> Outcome {
        match self.sessions.get(&id) {
            Some(session) if session.client == step.call.client => {
                self.end(id, Lapse::Closed, step);
                Outcome::Done
            }
            Some(_) => Outcome::Refused(Refusal::NotHeld),
            None => Outcome::Refused(Refusal::Expired),
        }
    }

    /// Whether a leader may end sessions: not if a later one keeps their time.
    fn counts(&self, lessor: Ballot, mutations: Mutations) -> bool {
        lessor == self.lessor || mutations.has(Mutation::LessorAny)
    }

    fn promote(&mut self, lessor: Ballot, step: &mut Step<'_>) -> Outcome {
        if lessor <= self.lessor {
            return Outcome::Refused(Refusal::Unavailable);
        }
        self.lessor = lessor;
        step.say(SessionFact::Lessor { slot: step.slot, lessor });
        Outcome::Done
    }

    fn confirm(&mut self, lessor: Ballot, alive: &[SessionId], step: &mut Step<'_>) -> Outcome {
        if lessor != self.lessor {
            return Outcome::Refused(Refusal::Unavailable);
        }
        if !step.mutations.has(Mutation::LessorKeepNote) {
            alive.iter().for_each(|id| self.note(*id, None, step));
        }
        Outcome::Done
    }

    fn checkpoint(
        &mut self,
        lessor: Ballot,
        left: &[(SessionId, Span)],
        step: &mut Step<'_>,
    ) -> Outcome {
        if lessor != self.lessor {
            return Outcome::Refused(Refusal::Unavailable);
        }
        left.iter().for_each(|(id, left)| self.note(*id, Some(*left), step));
        Outcome::Done
    }

    fn note(&mut self, id: SessionId, left: Option<Span>, step: &mut Step<'_>) {
        if let Some(session) = self.sessions.get_mut(&id).filter(|session| session.left != left) {
            session.left = left;
            step.say(SessionFact::Noted { slot: step.slot, session: id, left });
        }
    }

    fn revoke(&mut self, lessor: Ballot, id: SessionId, step: &mut Step<'_>) -> Outcome {
        if !self.counts(lessor, step.mutations) {
            return Outcome::Refused(Refusal::Unavailable);
        }
        if self.sessions.contains_key(&id) {
            self.end(id, Lapse::Silent, step);
        }
        Outcome::Done
    }

    /// Whether a call of this session is carried out; else, what it is told.
    fn admit(&mut self, session: SessionId, step: &Step<'_>) -> Result<(), Outcome> {
        let of = self.sessions.get_mut(&session).ok_or(Outcome::Refused(Refusal::Expired))?;
        match of.takes(step.call, step.mutations) {
            true => Ok(()),
            false => Err(Outcome::Unknown),
        }
    }

    fn create(
        &mut self,
        name: &Name,
        session: SessionId,
        (wish, mode): (CallId, LockMode),
        step: &mut Step<'_>,
    ) -> Outcome {
        if let Err(outcome) = self.admit(session, step) {
            return outcome;
        }
        let lock = self.locks.entry(name.clone()).or_default();
        if let Some((node, _)) = lock.nodes.iter().find(|(_, node)| node.wish == wish) {
            return Outcome::Session(SessionOutcome::Made { node: *node });
        }
        let (slot, ahead) = (step.slot, lock.nodes.len());
        lock.nodes.insert(slot, Node { session, wish, mode, granted: None });
        lock.changed = slot;
        step.say(SessionFact::Made { slot, lock: name.clone(), node: slot, session, wish });
        lock.serve(name, &self.sessions, step);
        if let Some(node) = lock.nodes.get(&slot).filter(|node| node.granted.is_none()) {
            step.facts.push(node.queued(slot, name, ahead - lock.holders().count()));
        }
        Outcome::Session(SessionOutcome::Made { node: slot })
    }

    fn delete(
        &mut self,
        name: &Name,
        session: SessionId,
        node: Token,
        step: &mut Step<'_>,
    ) -> Outcome {
        if let Some(of) = self.sessions.get_mut(&session) {
            of.takes(step.call, step.mutations);
        }
        let bare = step.mutations.has(Mutation::LockBarePath);
        let Some(lock) = self.locks.get_mut(name) else {
            return Outcome::Refused(Refusal::NotHeld);
        };
        if lock.permits.has(session, node) && lock.permits.leave(name, session, step) {
            lock.changed = step.slot;
            return Outcome::Done;
        }
        let lowest = lock.nodes.keys().next().copied();
        let own = |number: Token, of: &Node| match bare {
            true => Some(number) == lowest,
            false => number == node && of.session == session,
        };
        match lock.remove(name, own, Freed::Released, &self.sessions, step) {
            true => Outcome::Done,
            false => Outcome::Refused(Refusal::NotHeld),
        }
    }

    /// What a replica that has applied `applied` answers from its own state. None if what is
    /// watched for has not happened.
    pub fn look(&self, applied: Slot, op: &SessionOp, mutations: Mutations) -> Option<Outcome> {
        let behind = |seen: Slot| applied < seen && !mutations.has(Mutation::LockListBackwards);
        match op {
            SessionOp::List { seen, .. }
            | SessionOp::Watch { seen, .. }
            | SessionOp::Follow { after: seen }
                if behind(*seen) =>
            {
                Some(Outcome::Refused(Refusal::NotHere { try_node: None }))
            }
            SessionOp::Follow { after } => self.follow(applied, *after, mutations),
            SessionOp::Glance => Some(self.state(applied)),
            SessionOp::List { lock, .. } => {
                let nodes = self.locks.get(lock).into_iter().flat_map(|lock| &lock.nodes);
                let place = |(node, of): (&Token, &Node)| {
                    let Node { wish, mode, .. } = *of;
                    Place { node: *node, wish, mode }
                };
                let nodes = nodes.map(place).collect();
                Some(Outcome::Session(SessionOutcome::Listed { seen: applied, nodes }))
            }
            // With leases, a watch does not hang on one.
            SessionOp::Watch { session, .. }
                if self.lessor == Ballot::NONE && !self.sessions.contains_key(session) =>
            {
                Some(Outcome::Refused(Refusal::Expired))
            }
            SessionOp::Watch { lock, node, seen, .. } => {
                let lock = self.locks.get(lock);
                let happened = match node {
                    Some(node) => lock.is_none_or(|lock| !lock.nodes.contains_key(node)),
                    None => lock.is_some_and(|lock| lock.changed > *seen),
                };
                let changed = Outcome::Session(SessionOutcome::Changed { seen: applied });
                happened.then_some(changed)
            }
            _ => None,
        }
    }

    /// Says, as facts, what there is after `applied`: for a replica that starts.
    pub fn restate(&self, applied: Slot, facts: &mut Vec<Fact>) {
        let slot = self.changed;
        if slot == 0 {
            return;
        }
        let open = self.sessions.keys().copied().collect();
        let below = |lock: &Lock| {
            let contenders = lock.permits.contenders().map(|(node, ..)| node);
            lock.nodes.keys().copied().chain(contenders).collect::<Vec<_>>()
        };
        let nodes = self.locks.values().flat_map(below).collect();
        facts.push(Fact::Session(SessionFact::All { slot, open, nodes }));
        if self.lessor != Ballot::NONE {
            facts.push(Fact::Session(SessionFact::Lessor { slot, lessor: self.lessor }));
        }
        if self.forgotten > 0 {
            let compacts = SessionFact::Compacts { slot, before: self.forgotten };
            facts.push(Fact::Session(compacts));
        }
        self.restate_delays(facts);
        for (session, Session { client, ttl, pings, left, home, .. }) in &self.sessions {
            let (session, client, ttl, pings) = (*session, *client, *ttl, *pings);
            facts.push(Fact::Session(SessionFact::Open { slot, session, client, ttl, pings }));
            if let Some((node, terms)) = *home {
                facts.push(Fact::Session(SessionFact::Hangs { slot, session, node, terms }));
            }
            if left.is_some() {
                facts.push(Fact::Session(SessionFact::Noted { slot, session, left: *left }));
            }
        }
        for (name, lock) in &self.locks {
            for (node, Node { session, wish, .. }) in &lock.nodes {
                let (node, session, wish) = (*node, *session, *wish);
                let made = SessionFact::Made { slot, lock: name.clone(), node, session, wish };
                facts.push(Fact::Session(made));
            }
            for (node, session, wish) in lock.permits.contenders() {
                let made = SessionFact::Made { slot, lock: name.clone(), node, session, wish };
                facts.push(Fact::Session(made));
            }
            lock.restate(applied, name, &self.sessions, facts);
        }
    }
}

/// The change that a statement is about.
fn change_of(fact: &Fact) -> Option<KeyChange> {
    match fact {
        Fact::Session(SessionFact::Made { slot, lock, node, .. }) => {
            Some(KeyChange { slot: *slot, key: (lock.clone(), *node), there: true })
        }
        Fact::Session(SessionFact::Removed { slot, lock, node }) => {
            Some(KeyChange { slot: *slot, key: (lock.clone(), *node), there: false })
        }
        _ => None,
    }
}

impl Node {
    fn queued(&self, slot: Slot, lock: &Name, ahead: usize) -> Fact {
        let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
        Fact::Queued { slot, lock: lock.clone(), call: self.wish, ahead, mode: self.mode }
    }

    fn granted_fact(&self, name: &Name, sessions: &BTreeMap<SessionId, Session>) -> Option<Fact> {
        let (token, slot) = self.granted?;
        let ttl = sessions.get(&self.session).map_or(Span::ZERO, |session| session.ttl);
        let (lock, call, mode) = (name.clone(), self.wish, self.mode);
        Some(Fact::Granted { slot, lock, call, token, ttl, mode })
    }
}

impl Lock {
    /// Who holds it, under which token: the lowest node, or the lowest ones that share it.
    fn holders(&self) -> impl Iterator<Item = (Token, &Node)> {
        self.nodes.values().filter_map(|node| Some((node.granted?.0, node)))
    }

    /// Removes the nodes that are meant, and grants the lock anew if some of them held it. Returns
    /// whether there were any.
    fn remove(
        &mut self,
        name: &Name,
        is_meant: impl Fn(Token, &Node) -> bool,
        why: Freed,
        sessions: &BTreeMap<SessionId, Session>,
        step: &mut Step<'_>,
    ) -> bool {
        let slot = step.slot;
        let gone: Vec<(Token, Node)> = self
            .nodes
            .iter()
            .filter(|(number, node)| is_meant(**number, node))
            .map(|(number, node)| (*number, node.clone()))
            .collect();
        for (node, of) in &gone {
            self.nodes.remove(node);
            step.say(SessionFact::Removed { slot, lock: name.clone(), node: *node });
            if of.granted.is_none() {
                step.facts.push(Fact::Left { slot, lock: name.clone(), call: of.wish });
            }
        }
        if gone.is_empty() {
            return false;
        }
        self.changed = slot;
        for (token, _) in gone.iter().filter_map(|(_, of)| of.granted) {
            step.facts.push(Fact::Freed { slot, lock: name.clone(), token, why });
        }
        self.serve(name, sessions, step);
        true
    }

    /// Grants the lock to the lowest nodes, as long as they can hold it beside each other.
    fn serve(&mut self, name: &Name, sessions: &BTreeMap<SessionId, Session>, step: &mut Step<'_>) {
        let mut before: Vec<LockMode> = Vec::new();
        for (number, node) in &mut self.nodes {
            if !node.mode.fits(before.iter().copied()) {
                return;
            }
            before.push(node.mode);
            if node.granted.is_none() {
                node.granted = Some((*number, step.slot));
                self.token = *number;
                step.facts.extend(node.granted_fact(name, sessions));
            }
        }
    }

    fn restate(
        &self,
        slot: Slot,
        name: &Name,
        sessions: &BTreeMap<SessionId, Session>,
        facts: &mut Vec<Fact>,
    ) {
        let held = self.holders().map(|(token, _)| (token, 0)).chain(self.permits.held());
        let held = held.collect();
        facts.push(Fact::LockIs { slot, lock: name.clone(), token: self.token, held });
        facts.extend(self.nodes.values().filter_map(|node| node.granted_fact(name, sessions)));
        self.permits.restate(name, facts);
        let waiting = self.nodes.iter().filter(|(_, node)| node.granted.is_none());
        for (ahead, (number, node)) in waiting.enumerate() {
            facts.push(node.queued(*number, name, ahead));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree, its log position, and everything it said.
    #[derive(Default)]
    struct Lab {
        tree: Tree,
        slot: Slot,
        facts: Vec<Fact>,
        mutations: Mutations,
    }

    fn wish(client: u16) -> CallId {
        CallId { client: NodeId::client(client), seq: 9 }
    }

    fn door() -> Name {
        "door".parse().unwrap()
    }

    impl Lab {
        /// A client has the log carry something out; the answer, in words.
        fn put(&mut self, client: u16, op: SessionOp) -> String {
            self.slot += 1;
            let call = CallId { client: NodeId::client(client), seq: self.slot };
            let facts = &mut self.facts;
            let answers = self.tree.apply(self.slot, call, &op, self.mutations, facts);
            answers[0].1.to_string()
        }

        fn open(&mut self, client: u16) -> String {
            self.put(client, SessionOp::Open { ttl: Span::secs(2) })
        }

        fn create(&mut self, client: u16, session: SessionId) -> String {
            self.shared(client, session, LockMode::Alone)
        }

        fn shared(&mut self, client: u16, session: SessionId, mode: LockMode) -> String {
            let (lock, wish) = (door(), wish(client));
            self.put(client, SessionOp::Create { lock, session, wish, mode })
        }

        /// What was said since the last time that this was asked.
        fn said(&mut self) -> Vec<String> {
            self.facts.drain(..).map(|fact| fact.to_string()).collect()
        }
    }

    /// Three clients with sessions 1 to 3, in a queue in the order of their numbers.
    fn three() -> Lab {
        let mut lab = Lab::default();
        (1..=3).for_each(|client| drop(lab.open(client)));
        (1..=3).for_each(|client| drop(lab.create(client, client.into())));
        lab.said();
        lab
    }

    #[test]
    fn the_lowest_node_has_the_lock() {
        let mut lab = three();
        assert_eq!(lab.create(2, 2), "made node 5", "asked for again");
        assert_eq!(lab.put(1, SessionOp::Delete { lock: door(), session: 1, node: 4 }), "done");
        let said = [
            "slot 8 removes node door/4",
            "slot 8 frees door token 4: released",
            "slot 8 grants door to c2/9 token 5 for 2s",
        ];
        assert_eq!(lab.said(), said);
        let strange = SessionOp::Delete { lock: door(), session: 3, node: 5 };
        assert_eq!(lab.put(3, strange), "refused: lock not held");
    }

    #[test]
    fn readers_have_the_lock_together_and_not_those_behind_a_writer() {
        let mut lab = Lab::default();
        (1..=4).for_each(|client| drop(lab.open(client)));
        lab.said();
        let modes = [LockMode::Read, LockMode::Read, LockMode::Alone, LockMode::Read];
        for (client, mode) in (1u16..).zip(modes) {
            lab.shared(client, client.into(), mode);
        }
        let said = lab.said();
        let granted = [
            "slot 5 grants door to c1/9 token 5 for 2s, read",
            "slot 6 grants door to c2/9 token 6 for 2s, read",
            "slot 7 queues c3/9 for door behind 0",
            "slot 8 queues c4/9 for door behind 1, read",
        ];
        assert_eq!([1, 3, 5, 7].map(|at| said[at].as_str()), granted);
        lab.put(1, SessionOp::Close { session: 1 });
        lab.said();
        lab.put(2, SessionOp::Close { session: 2 });
        assert_eq!(lab.said()[3], "slot 10 grants door to c3/9 token 7 for 2s");
        lab.put(3, SessionOp::Close { session: 3 });
        assert_eq!(lab.said()[3], "slot 11 grants door to c4/9 token 8 for 2s, read");
    }

    #[test]
    fn what_was_overtaken_is_not_carried_out() {
        let mut lab = three();
        let call = CallId { client: NodeId::client(1), seq: 2 };
        let (lock, mode) = (door(), LockMode::Alone);
        let late = SessionOp::Create { lock, session: 1, wish: call, mode };
        let mut apply = |mutations| {
            let answers = lab.tree.apply(9, call, &late, mutations, &mut lab.facts);
            answers[0].1.to_string()
        };
        assert_eq!(apply(Mutations::NONE), "unknown");
        assert_eq!(apply(Mutations::NONE.with(Mutation::LockOvertaken)), "made node 9");
    }

    #[test]
    fn a_session_takes_its_nodes_along() {
        let mut lab = three();
        assert_eq!(lab.put(2, SessionOp::Ping { session: 2 }), "done");
        let expire = |pings| SessionOp::Expire { session: 2, pings };
        assert_eq!(lab.put(9, expire(0)), "refused: lock not held", "the ping came first");
        lab.said();
        assert_eq!(lab.put(9, expire(1)), "done");
        let said = [
            "slot 9 ends s2: no sign of life",
            "slot 9 removes node door/5",
            "slot 9 takes c2/9 out of the queue of door",
        ];
        assert_eq!(lab.said(), said);
        assert_eq!(lab.put(2, SessionOp::Ping { session: 2 }), "refused: the session has expired");
        assert_eq!(lab.create(2, 2), "refused: the session has expired");
    }

    #[test]
    fn a_watch_waits_for_one_node_or_for_any_change() {
        let mut lab = three();
        let watch = |node, seen| SessionOp::Watch { lock: door(), session: 3, node, seen };
        let look = |lab: &Lab, op: &SessionOp| {
            lab.tree.look(lab.slot, op, Mutations::NONE).map(|outcome| outcome.to_string())
        };
        let (before, any) = (watch(Some(5), 6), watch(None, 6));
        assert_eq!((look(&lab, &before), look(&lab, &any)), (None, None));
        assert_eq!(look(&lab, &watch(None, 9)).as_deref(), Some("refused: not here"));
        lab.put(1, SessionOp::Delete { lock: door(), session: 1, node: 4 });
        assert_eq!(look(&lab, &before), None, "not its predecessor");
        assert_eq!(look(&lab, &any).as_deref(), Some("changed by slot 7"));
        lab.put(2, SessionOp::Delete { lock: door(), session: 2, node: 5 });
        assert_eq!(look(&lab, &before).as_deref(), Some("changed by slot 8"));
    }

    #[test]
    fn a_restarted_replica_says_what_a_running_one_knows() {
        let mut lab = three();
        let mut facts = Vec::new();
        lab.tree.restate(lab.slot, &mut facts);
        lab.facts = facts;
        let said = lab.said();
        assert_eq!(said[0], "slot 6 has 3 sessions and 3 nodes");
        assert_eq!(said[4], "slot 6 has node door/4 of s1 for c1/9");
        let last = [
            "slot 6 has door at token 4, held under 4 and renewed 0 times",
            "slot 4 grants door to c1/9 token 4 for 2s",
            "slot 5 queues c2/9 for door behind 0",
            "slot 6 queues c3/9 for door behind 1",
        ];
        assert_eq!(said[7..], last);
    }
}
