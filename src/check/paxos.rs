//! Agreement: the rules of Paxos, for the single decree (slot 0) and for every slot of the log.
//!
//! | rule | says | reads |
//! |---|---|---|
//! | PAX-1 | at most one value is chosen in a slot | `Accepts` |
//! | PAX-2 | what is voted for was proposed; what is proposed was adopted from a vote or asked for | `Accepts`, `Proposes`, `Invokes` |
//! | PAX-3 | nobody votes below its promise | `Promises`, `Accepts` |
//! | PAX-4 | a ballot has one value a slot | `Proposes`, `Accepts` |
//! | PAX-5 | a proposal has a quorum of promises, and no other value can still be chosen below it | `Proposes` |
//! | PAX-6 | what a learner takes for chosen is chosen | `Chooses` |
//! | PAX-7 | promises and votes of voters survive a restart | `Acceptor`, `Accepts` |
//! | PAX-8 | a ballot belongs to one life of one proposer | `Prepares`, `Proposes`, `Started` |
//! | LE-3 | the leaders that a node goes by in one life have rising ballots | `Leads`, `Follows` |
//!
//! A quorum is one of those who decide the slot (MP-5): of the voters that were named in or before
//! the slot `window` before it (`Voters`). The single decree is decided by all nodes.
//!
//! PAX-5 is the inductive heart: where it breaks, PAX-1 breaks some steps later. Together they are
//! the invariant of `Voting.tla` (TLA+ examples), read from what acceptors say of themselves.
//!
//! A newcomer hears from every acceptor what it has promised and its last votes. What contradicts
//! them is found as ever. Three conclusions are drawn from silence: that something was never
//! proposed, asked for, or chosen. The first needs a ballot that was seen from its `Prepares` on,
//! the second a client that was heard to ask before and of which nothing was missed since; the
//! third counts whoever is unknown, or has cut the slot off, as a vote in favour. Promises of
//! acceptors that are unknown (down) are taken for given.
//!
//! What a node says waits for its disk, so a crash may keep a proposer's vote for its own proposal
//! and swallow that it proposed. Such a vote, found on a disk, stands for the proposal.
//!
//! A slot of the log is forgotten some time after every node has applied it, or when there are too
//! many.

#[cfg(test)]
mod tests;

use super::{Check, Expect, Violation, Witness};
use crate::base::{Ballot, Entry, NodeId, Op, Slot, Voters};
use crate::event::{Event, Fact, Kind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many slots are kept after every node has applied them.
const MARGIN: u64 = 256;
/// How many slots are kept at the most.
const MOST: usize = 65_536;

/// A value in a ballot.
#[derive(Clone, Debug)]
struct Proposal {
    ballot: Ballot,
    entry: Arc<Entry>,
    at: usize,
}

/// A vote: who, in which ballot, in which event.
#[derive(Clone, Copy, Debug)]
struct Vote {
    node: usize,
    ballot: Ballot,
    at: usize,
}

/// All that was ever proposed and voted in one slot.
#[derive(Clone, Debug, Default)]
struct SlotState {
    proposals: Vec<Proposal>,
    votes: Vec<Vote>,
    chosen: Option<Proposal>,
}

/// What one acceptor has said.
#[derive(Clone, Copy, Debug)]
struct Acceptor {
    /// Whether it has promised just this, or this at the least.
    known: bool,
    promised: Ballot,
    /// In which event.
    at: usize,
    /// Its state machine's slot, and the slot up to which its log is cut off.
    applied: Slot,
    cut: Slot,
}

/// The first use of a ballot.
#[derive(Clone, Copy, Debug)]
struct Use {
    /// In which life of its owner.
    boot: u32,
    /// In which event.
    at: usize,
    /// Whether that was its `Prepares`: nothing was proposed in it before.
    prepared: bool,
}

/// One instance: the decree, or the log.
#[derive(Clone, Debug, Default)]
struct Instance {
    acceptors: Vec<Acceptor>,
    ballots: BTreeMap<Ballot, Use>,
    slots: BTreeMap<Slot, SlotState>,
    forgotten: Slot,
    /// Votes that were restated since a start or for a newcomer, by node.
    restated: BTreeMap<NodeId, Vec<(Slot, Ballot)>>,
}

/// Who decides a slot.
#[derive(Clone, Debug)]
struct Deciders {
    /// All acceptors, in order.
    nodes: Arc<[NodeId]>,
    voters: Voters,
}

impl Deciders {
    /// Whether those acceptors who are so are a quorum.
    fn agree(&self, has: impl Fn(usize) -> bool) -> bool {
        self.voters.agree(|id| self.nodes.binary_search(&id).is_ok_and(&has))
    }
}

/// The check.
#[derive(Clone, Debug)]
pub struct Paxos {
    nodes: Arc<[NodeId]>,
    all: Voters,
    /// Which voters were named in which slot of the log, as far as is known; those of the start in
    /// slot 0.
    voters: BTreeMap<Slot, Voters>,
    window: u64,
    boots: BTreeMap<NodeId, u32>,
    /// The largest call of each client.
    asked: BTreeMap<NodeId, u64>,
    /// By which leader's ballot each node went last, and the event that said so.
    led: BTreeMap<NodeId, (Ballot, usize)>,
    decree: Instance,
    log: Instance,
}

/// What happened, where, and when.
#[derive(Clone, Copy)]
struct Seen {
    at: usize,
    node: NodeId,
    slot: Slot,
    ballot: Ballot,
}

impl Seen {
    fn broken(self, rule: &'static str, what: String, because: Vec<usize>) -> Option<Violation> {
        Some(Violation { check: "paxos", rule, what, at: self.at, because })
    }
}

impl Check for Paxos {
    fn name(&self) -> &'static str {
        "paxos"
    }

    fn about(&self) -> &'static str {
        "At most one value is chosen in a slot, somebody proposed it, and no acceptor breaks a promise."
    }

    fn gap(&mut self, node: NodeId) {
        let hit = |who: NodeId| node == NodeId::BENCH || who == node;
        self.boots.retain(|who, _| !hit(*who));
        self.asked.retain(|who, _| !hit(*who));
        self.led.retain(|who, _| !hit(*who));
        for instance in [&mut self.decree, &mut self.log] {
            instance.restated.retain(|who, _| !hit(*who));
            for (who, acceptor) in self.nodes.iter().zip(&mut instance.acceptors) {
                acceptor.known &= !hit(*who);
            }
        }
    }

    fn judges(&self, event: &Event) -> bool {
        matches!(
            event.fact(),
            Some(
                Fact::Promises { .. }
                    | Fact::Accepts { .. }
                    | Fact::Chooses { .. }
                    | Fact::Proposes { .. }
            )
        )
    }

    fn see(&mut self, at: usize, event: &Event, witness: &Witness) -> Option<Violation> {
        let node = event.node;
        let seen = |slot, ballot| Seen { at, node, slot, ballot };
        match &event.kind {
            Kind::Started { boot, .. } => self.started(node, *boot),
            Kind::Present { boot, .. } => {
                self.boots.insert(node, *boot);
                None
            }
            Kind::Fact(Fact::Restates) => self.restates(node),
            Kind::Fact(Fact::Restated) => {
                self.decree.restated.remove(&node);
                self.log.restated.remove(&node);
                None
            }
            Kind::Fact(Fact::Invokes { call, .. }) => {
                let last = self.asked.entry(call.client).or_default();
                *last = (*last).max(call.seq);
                None
            }
            Kind::Fact(Fact::Prepares { slot, ballot }) => {
                self.owns(seen(*slot, *ballot), true, witness)
            }
            Kind::Fact(Fact::Promises { slot, ballot }) => self.promises(seen(*slot, *ballot)),
            Kind::Fact(Fact::Proposes { slot, ballot, entry, adopted }) => {
                self.proposes(seen(*slot, *ballot), entry, *adopted, witness)
            }
            Kind::Fact(Fact::Accepts { slot, ballot, entry }) => {
                self.accepts(seen(*slot, *ballot), entry, witness)
            }
            Kind::Fact(Fact::Chooses { slot, entry }) => {
                self.chooses(seen(*slot, Ballot::NONE), entry, witness)
            }
            Kind::Fact(Fact::Leads { ballot } | Fact::Follows { ballot }) => {
                self.goes_by(seen(0, *ballot))
            }
            Kind::Fact(Fact::Voters { slot, voters }) => {
                self.named(seen(*slot, Ballot::NONE), voters, witness)
            }
            Kind::Fact(Fact::Acceptor { log, promised, accepted }) => {
                self.restarts(seen(u64::from(*log), *promised), *accepted)
            }
            Kind::Fact(Fact::Applies { slot, .. }) => self.applied(node, *slot, false),
            Kind::Fact(Fact::Snapshot { slot, .. }) => self.applied(node, *slot, true),
            _ => None,
        }
    }
}

impl Paxos {
    /// The check for such a cluster.
    pub fn new(expect: &Expect) -> Paxos {
        let mut nodes = expect.nodes.clone();
        nodes.sort_unstable();
        let nodes: Arc<[NodeId]> = nodes.into();
        let fresh = Acceptor { known: true, promised: Ballot::NONE, at: 0, applied: 0, cut: 0 };
        let instance = || Instance { acceptors: vec![fresh; nodes.len()], ..Instance::default() };
        Paxos {
            all: Voters::of(nodes.iter().copied()),
            voters: [(0, expect.voters.clone())].into(),
            window: expect.window,
            boots: BTreeMap::new(),
            asked: BTreeMap::new(),
            led: BTreeMap::new(),
            decree: instance(),
            log: instance(),
            nodes,
        }
    }

    fn index(&self, node: NodeId) -> Option<usize> {
        self.nodes.binary_search(&node).ok()
    }

    fn instance(&mut self, slot: Slot) -> &mut Instance {
        if slot == 0 { &mut self.decree } else { &mut self.log }
    }

    fn started(&mut self, node: NodeId, boot: u32) -> Option<Violation> {
        self.boots.insert(node, boot);
        self.led.remove(&node);
        if node.is_client() {
            // All of a life's calls have its number in front.
            let asked = self.asked.entry(node).or_default();
            *asked = (*asked).max(u64::from(boot) << 32);
        }
        if boot > 1 {
            return self.restates(node);
        }
        if let Some(index) = self.index(node) {
            self.decree.acceptors[index].known = true;
            self.log.acceptors[index].known = true;
        }
        None
    }

    /// An acceptor is about to say what it holds.
    fn restates(&mut self, node: NodeId) -> Option<Violation> {
        self.index(node)?;
        self.decree.restated.insert(node, Vec::new());
        self.log.restated.insert(node, Vec::new());
        None
    }

    /// PAX-8.
    fn owns(&mut self, seen: Seen, prepares: bool, witness: &Witness) -> Option<Violation> {
        let Seen { at, node, slot, ballot } = seen;
        if ballot.node != node {
            let what = format!("{node} uses ballot {ballot} of {}", ballot.node);
            return seen.broken("PAX-8", what, Vec::new());
        }
        let boot = self.boots.get(&node).copied();
        let boot = boot.or_else(|| witness.is_whole().then_some(0))?;
        let prepared = prepares && !witness.restates(node);
        let new = Use { boot, at, prepared };
        let Use { boot: first, at: then, .. } =
            *self.instance(slot).ballots.entry(ballot).or_insert(new);
        if first != boot {
            let what =
                format!("{node} uses ballot {ballot} again, after it did so in boot {first}");
            return seen.broken("PAX-8", what, vec![then]);
        }
        None
    }

    /// Who decides a slot; none if that is not known.
    fn deciders(&self, slot: Slot) -> Option<Deciders> {
        let named = self.voters.range(..=slot.saturating_sub(self.window)).next_back();
        let voters = if slot == 0 { &self.all } else { named?.1 };
        Some(Deciders { nodes: self.nodes.clone(), voters: voters.clone() })
    }

    /// Others may have been named before those whom a newcomer hears of first.
    fn named(&mut self, seen: Seen, voters: &Voters, witness: &Witness) -> Option<Violation> {
        let first = seen.slot > 0 && self.voters.range(1..).next().is_none();
        if first && !witness.is_whole() && witness.restates(seen.node) {
            self.voters.clear();
        }
        self.voters.entry(seen.slot).or_insert_with(|| voters.clone());
        None
    }

    /// LE-3. Leaders of other logs prepare no ballots.
    fn goes_by(&mut self, seen: Seen) -> Option<Violation> {
        let Seen { at, node, ballot, .. } = seen;
        if self.log.ballots.is_empty() {
            return None;
        }
        let (before, then) = self.led.insert(node, (ballot, at)).unwrap_or_default();
        if ballot < before {
            let what = format!("{node} goes by leader {ballot} after it went by {before}");
            return seen.broken("LE-3", what, vec![then]);
        }
        None
    }

    /// PAX-7, as far as promises go.
    fn promises(&mut self, seen: Seen) -> Option<Violation> {
        let Seen { at, node, slot, ballot } = seen;
        let index = self.index(node)?;
        let acceptor = &mut self.instance(slot).acceptors[index];
        if ballot < acceptor.promised {
            let what = format!("{node} promises {ballot} after {}", acceptor.promised);
            return seen.broken("PAX-7", what, vec![acceptor.at]);
        }
        (acceptor.promised, acceptor.at) = (ballot, at);
        None
    }

    fn proposes(
        &mut self,
        seen: Seen,
        entry: &Arc<Entry>,
        adopted: Ballot,
        witness: &Witness,
    ) -> Option<Violation> {
        let owned = self.owns(seen, false, witness);
        let (deciders, slot) = (self.deciders(seen.slot), seen.slot);
        let asked = self.asked(entry.call.client, witness);
        let instance = self.instance(slot);
        if instance.forgets(slot) {
            return owned;
        }
        let state = instance.slots.entry(slot).or_default();
        let mut broken = owned.or_else(|| state.one_value(seen, entry));
        // Clients say what they ask for, not each step of it.
        let said = entry.call.client.is_client() && !matches!(entry.op, Op::Session(_));
        let uncalled = said && asked.is_some_and(|asked| asked < entry.call.seq);
        if adopted == Ballot::NONE && uncalled {
            let what = format!("{} proposes {entry}, which nobody asked for", seen.node);
            broken = broken.or_else(|| seen.broken("PAX-2", what, Vec::new()));
        }
        let known = state.proposals.iter().find(|p| p.ballot == adopted);
        let stray = match known {
            Some(source) => !same(&source.entry, entry),
            None => adopted != Ballot::NONE && shows_all(&instance.ballots, adopted, witness),
        };
        if stray {
            let what =
                format!("{} adopts {entry} from {adopted}, which has no such vote", seen.node);
            broken = broken.or_else(|| seen.broken("PAX-2", what, Vec::new()));
        }
        broken.or_else(|| state.safe(seen, entry, &instance.acceptors, &deciders?))
    }

    /// The last call that a client made, if it is known.
    fn asked(&self, client: NodeId, witness: &Witness) -> Option<u64> {
        let asked = self.asked.get(&client).copied().filter(|_| !witness.misses(client));
        asked.or_else(|| witness.is_whole().then_some(0))
    }

    fn accepts(&mut self, seen: Seen, entry: &Arc<Entry>, witness: &Witness) -> Option<Violation> {
        let Seen { at, node, slot, ballot } = seen;
        let (index, deciders) = (self.index(node)?, self.deciders(slot));
        let instance = self.instance(slot);
        if instance.forgets(slot) {
            return None;
        }
        let restated = instance.restated.get_mut(&node);
        // What a crash kept of a proposal may be no more than the proposer's own vote.
        let kept = restated.is_some() && ballot.node == node;
        if let Some(restated) = restated {
            restated.push((slot, ballot));
        }
        let state = instance.slots.entry(slot).or_default();
        let proposed = state.proposals.iter().any(|p| p.ballot == ballot);
        let mut broken = state.one_value(seen, entry);
        if state.votes.iter().any(|vote| vote.node == index && vote.ballot == ballot) {
            return broken;
        }
        let fresh = !witness.restates(node);
        if !proposed && !kept && fresh && shows_all(&instance.ballots, ballot, witness) {
            let what = format!("{node} votes for {entry}, which {ballot} never proposed");
            broken = broken.or_else(|| seen.broken("PAX-2", what, Vec::new()));
        }
        let acceptor = &mut instance.acceptors[index];
        if ballot < acceptor.promised && acceptor.known && fresh {
            let what = format!(
                "{node} votes in {ballot} slot {slot}, below its promise {}",
                acceptor.promised
            );
            broken = broken.or_else(|| seen.broken("PAX-3", what, vec![acceptor.at]));
        } else if ballot > acceptor.promised {
            (acceptor.promised, acceptor.at) = (ballot, at);
        }
        state.votes.push(Vote { node: index, ballot, at });
        deciders.and_then(|deciders| state.count(seen, entry, &deciders)).or(broken)
    }

    /// PAX-6.
    fn chooses(&mut self, seen: Seen, entry: &Arc<Entry>, witness: &Witness) -> Option<Violation> {
        let deciders = self.deciders(seen.slot)?;
        let instance = self.instance(seen.slot);
        if instance.forgets(seen.slot) {
            return None;
        }
        let (node, slot) = (seen.node, seen.slot);
        match instance.slots.get(&slot).and_then(|state| state.chosen.as_ref()) {
            Some(chosen) if same(&chosen.entry, entry) => None,
            Some(chosen) => {
                let what = format!(
                    "{node} takes {entry} for chosen in slot {slot}, but {} is",
                    chosen.entry
                );
                seen.broken("PAX-6", what, vec![chosen.at])
            }
            None if !witness.is_whole() && instance.may_be_chosen(slot, entry, &deciders) => None,
            None => {
                let what = format!(
                    "{node} takes {entry} for chosen in slot {slot}, but no quorum voted for it"
                );
                seen.broken("PAX-6", what, Vec::new())
            }
        }
    }

    /// PAX-7: what an acceptor found on its disk, when it has said all of it.
    fn restarts(&mut self, seen: Seen, accepted: Ballot) -> Option<Violation> {
        let Seen { node, slot, ballot: promised, .. } = seen;
        let index = self.index(node)?;
        // What a learner has lost was counted by nobody.
        let votes = slot == 0 || self.voters.values().any(|voters| voters.has(node));
        let instance = self.instance(slot);
        let restated = instance.restated.remove(&node);
        let acceptor = instance.acceptors[index];
        if votes && promised < acceptor.promised {
            let what =
                format!("{node} promised {}, and holds now only {promised}", acceptor.promised);
            return seen.broken("PAX-7", what, vec![acceptor.at]);
        }
        if promised < accepted {
            let what = format!("{node} voted in {accepted} but promised only {promised}");
            return seen.broken("PAX-7", what, Vec::new());
        }
        let held = Acceptor { known: true, promised, at: seen.at, ..acceptor };
        instance.acceptors[index] = held;
        let mut restated = restated.filter(|_| votes)?;
        restated.sort_unstable();
        let (slots, first) = (&instance.slots, if slot == 0 { 0 } else { acceptor.cut + 1 });
        for (slot, state) in slots.range(first..) {
            let votes = state.votes.iter().filter(|vote| vote.node == index);
            let Some(vote) = votes.max_by_key(|vote| vote.ballot) else { continue };
            if restated.binary_search(&(*slot, vote.ballot)).is_err() {
                let what =
                    format!("{node} voted in {} slot {slot}, and holds no such vote", vote.ballot);
                return seen.broken("PAX-7", what, vec![vote.at]);
            }
        }
        None
    }

    fn applied(&mut self, node: NodeId, slot: Slot, cut: bool) -> Option<Violation> {
        let index = self.index(node)?;
        let log = &mut self.log;
        let acceptor = &mut log.acceptors[index];
        acceptor.applied = acceptor.applied.max(slot);
        if cut {
            acceptor.cut = acceptor.cut.max(slot);
        }
        let all = log.acceptors.iter().map(|acceptor| acceptor.applied).min().unwrap_or_default();
        while let Some((first, _)) = log.slots.first_key_value()
            && (*first + MARGIN <= all || log.slots.len() > MOST)
        {
            log.forgotten = *first;
            log.slots.pop_first();
        }
        None
    }
}

impl Instance {
    fn forgets(&self, slot: Slot) -> bool {
        slot != 0 && slot <= self.forgotten
    }

    /// Whether a quorum may have voted for an entry, as far as is known. Who voted in a chosen
    /// ballot has voted for nothing else since, and remembers its last vote until it cuts the slot
    /// off.
    fn may_be_chosen(&self, slot: Slot, entry: &Arc<Entry>, deciders: &Deciders) -> bool {
        let state = self.slots.get(&slot);
        let voted = |node: usize| {
            state.is_some_and(|state| {
                let of = |vote: &Vote| state.proposals.iter().find(|p| p.ballot == vote.ballot);
                let mut votes = state.votes.iter().filter(|vote| vote.node == node);
                votes.any(|vote| of(vote).is_some_and(|p| same(&p.entry, entry)))
            })
        };
        deciders.agree(|node| {
            let acceptor = &self.acceptors[node];
            !acceptor.known || (slot > 0 && acceptor.cut >= slot) || voted(node)
        })
    }
}

/// Whether all that was ever proposed in a ballot was seen.
fn shows_all(ballots: &BTreeMap<Ballot, Use>, ballot: Ballot, witness: &Witness) -> bool {
    let seen = |first: &Use| first.prepared && witness.saw(first.at);
    witness.is_whole() || ballots.get(&ballot).is_some_and(seen)
}

/// Whether two entries are the same; most often they are one.
fn same(a: &Arc<Entry>, b: &Arc<Entry>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

impl SlotState {
    /// PAX-4; notes the value of a ballot that had none.
    fn one_value(&mut self, seen: Seen, entry: &Arc<Entry>) -> Option<Violation> {
        let Seen { at, slot, ballot, .. } = seen;
        match self.proposals.iter().find(|proposal| proposal.ballot == ballot) {
            None => {
                self.proposals.push(Proposal { ballot, entry: entry.clone(), at });
                None
            }
            Some(proposal) if same(&proposal.entry, entry) => None,
            Some(proposal) => {
                let what =
                    format!("ballot {ballot} has {} and {entry} in slot {slot}", proposal.entry);
                seen.broken("PAX-4", what, vec![proposal.at])
            }
        }
    }

    /// PAX-5.
    fn safe(
        &self,
        seen: Seen,
        entry: &Arc<Entry>,
        acceptors: &[Acceptor],
        deciders: &Deciders,
    ) -> Option<Violation> {
        let Seen { node, slot, ballot, .. } = seen;
        let may = |index: usize| {
            let acceptor = &acceptors[index];
            !acceptor.known || acceptor.promised >= ballot
        };
        if !deciders.agree(may) {
            let all = deciders.nodes.iter().enumerate().filter(|(index, _)| may(*index));
            let promised = Voters::of(all.map(|(_, id)| *id));
            let what = format!(
                "{node} proposes in {ballot} slot {slot}, which {} decide, with the promises of \
                 {promised}",
                deciders.voters
            );
            return seen.broken("PAX-5", what, Vec::new());
        }
        let below = |p: &&Proposal| p.ballot < ballot && !same(&p.entry, entry);
        for other in self.proposals.iter().filter(below) {
            let may = deciders.agree(|index| {
                let voted = |vote: &Vote| vote.node == index && vote.ballot == other.ballot;
                let free = acceptors[index].known && acceptors[index].promised <= other.ballot;
                free || self.votes.iter().any(voted)
            });
            if may {
                let what = format!(
                    "{node} proposes {entry} in {ballot} slot {slot}, but {} may be chosen in {}",
                    other.entry, other.ballot
                );
                return seen.broken("PAX-5", what, vec![other.at]);
            }
        }
        None
    }

    /// PAX-1; notes what is chosen.
    fn count(&mut self, seen: Seen, entry: &Arc<Entry>, deciders: &Deciders) -> Option<Violation> {
        let Seen { at, slot, ballot, .. } = seen;
        let votes = self.votes.iter().filter(|vote| vote.ballot == ballot);
        if !deciders.agree(|index| votes.clone().any(|vote| vote.node == index)) {
            return None;
        }
        let Some(chosen) = &self.chosen else {
            self.chosen = Some(Proposal { ballot, entry: entry.clone(), at });
            return None;
        };
        if same(&chosen.entry, entry) {
            return None;
        }
        let what = format!(
            "{} was chosen in {} slot {slot}, and {entry} in {ballot}",
            chosen.entry, chosen.ballot
        );
        let because = [chosen.at].into_iter().chain(votes.map(|vote| vote.at));
        let because = because.filter(|index| *index != at).collect();
        seen.broken("PAX-1", what, because)
    }
}
