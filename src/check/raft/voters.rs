//! The rules of changing voters and handing over. Raft goes by voters from when the entry that
//! names them is appended.

use super::{Committed, Node, Raft, Seen};
use crate::base::{Ballot, Entry, NodeId, Slot, Voters};
use crate::check::{Dialect, Violation};

/// The voters that a node goes by.
#[derive(Clone, Debug)]
pub(super) struct Goes {
    pub(super) voters: Voters,
    /// The slot of the entry that named them.
    slot: Slot,
    at: usize,
}

impl Node {
    /// The last place in its log that names voters, of those that are not cut off.
    fn named(&self) -> Option<Slot> {
        self.naming.last().copied().filter(|slot| *slot > self.base.0)
    }

    /// The term of its last entry, and its slot: the later, the more up to date.
    pub(super) fn place(&self) -> Option<(u32, Slot)> {
        match self.held.last_key_value() {
            Some((slot, (term, _))) => Some((*term, *slot)),
            None => Some((self.base.1?, self.base.0)),
        }
    }

    /// Takes in an entry that it has appended.
    pub(super) fn name(&mut self, slot: Slot, entry: &Entry) {
        if entry.op.names_voters() {
            self.naming.insert(slot);
        }
    }
}

impl Raft {
    /// The voters that a node goes by.
    pub(super) fn voters(&self, id: NodeId) -> &Voters {
        let goes = self.nodes.get(&id).and_then(|node| node.goes.as_ref());
        goes.map_or(&self.voters, |goes| &goes.voters)
    }

    /// RX-10 and RX-11: a leader lets other voters in.
    pub(super) fn lets_in(&self, seen: Seen, slot: Slot, entry: &Entry) -> Option<Violation> {
        let node = self.nodes.get(&seen.node)?;
        let new = entry.op.names_voters() && node.restated.is_none() && node.known;
        let term = node.leads.filter(|_| new && seen.dialect == Dialect::Raft)?;
        if let Some(goes) = node.goes.as_ref().filter(|goes| goes.slot > node.commit.0) {
            let what = format!(
                "{} lets other voters in at slot {slot}, and those of slot {} are not committed",
                seen.node, goes.slot
            );
            return seen.broken("RX-10", what, vec![goes.at]);
        }
        let own = match node.held.get(&node.commit.0) {
            Some((last, _)) => *last == term,
            None => node.commit.0 > 0 && node.base.1.is_none_or(|last| last == term),
        };
        let what = format!(
            "{} lets other voters in at slot {slot} before it has committed an entry of term {term}",
            seen.node
        );
        (!own).then(|| seen.broken("RX-11", what, vec![node.commit.1])).flatten()
    }

    /// RX-9: a node goes by other voters.
    pub(super) fn goes_by(&mut self, seen: Seen, slot: Slot, voters: &Voters) -> Option<Violation> {
        let before = self.voters(seen.node).clone();
        let goes = Goes { voters: voters.clone(), slot, at: seen.at };
        let node = self.node(seen);
        let then = node.goes.replace(goes).map(|goes| goes.at);
        if node.leads.is_none() || node.restated.is_some() || seen.dialect != Dialect::Raft {
            return None;
        }
        if !before.meet(voters) {
            let what = format!(
                "{} goes from voters {before} to {voters}, whose quorums need not meet",
                seen.node
            );
            return seen.broken("RX-9", what, then.into_iter().collect());
        }
        if !self.may_win(seen.node) {
            return None;
        }
        let other = self.nodes.iter().find(|(id, _)| {
            **id != seen.node && !self.voters(**id).meet(voters) && self.may_win(**id)
        });
        let (id, other) = other?;
        let what = format!(
            "{} leads with voters {voters}, and {id} can be elected by {}: they need not meet",
            seen.node,
            self.voters(*id)
        );
        seen.broken("RX-9", what, other.goes.iter().map(|goes| goes.at).collect())
    }

    /// Whether a quorum of the voters that a node goes by has no log that is more up to date.
    fn may_win(&self, id: NodeId) -> bool {
        let place = |id: NodeId| {
            let node = self.nodes.get(&id).filter(|node| node.known)?;
            node.place()
        };
        let Some(own) = place(id) else { return false };
        self.voters(id).agree(|id| place(id).is_some_and(|theirs| theirs <= own))
    }

    /// RX-12: whoever leads or learns what is committed goes by the voters that its log names last.
    pub(super) fn goes_by_its_log(&self, seen: Seen) -> Option<Violation> {
        let judged = |node: &&Node| node.known && seen.dialect == Dialect::Raft;
        let node = self.nodes.get(&seen.node).filter(judged)?;
        let (slot, at) = node.goes.as_ref().map_or((0, None), |goes| (goes.slot, Some(goes.at)));
        let wrong = match node.named() {
            Some(named) if named > slot => format!("and slot {named} of its log names others"),
            named if slot > node.base.0 && named != Some(slot) => "which it has dropped".to_owned(),
            _ => return None,
        };
        let what = format!("{} goes by the voters of slot {slot}, {wrong}", seen.node);
        seen.broken("RX-12", what, at.into_iter().collect())
    }

    /// RX-12: a leader that is no voter any more, by what it had committed `before`, leads on.
    pub(super) fn leads_on(&self, seen: Seen, before: Slot) -> Option<Violation> {
        let node = self.nodes.get(&seen.node)?;
        let (term, goes) = (node.leads?, node.goes.as_ref()?);
        let gone = !goes.voters.has(seen.node) && goes.slot <= before && node.known;
        let what = format!(
            "{} leads term {term} on, though that it is no voter was committed in slot {}",
            seen.node, goes.slot
        );
        gone.then(|| seen.broken("RX-12", what, vec![goes.at])).flatten()
    }

    /// RAFT-7: some voter of every quorum has what a node knows to be committed.
    pub(super) fn blocks(&self, seen: Seen, slot: Slot) -> Option<Violation> {
        let node = self.nodes.get(&seen.node)?;
        let (term, _) = *node.held.get(&slot)?;
        let has = |id: NodeId| self.nodes.get(&id).is_some_and(|node| node.may_have(slot, term));
        let voters = self.voters(seen.node);
        let what = format!(
            "{} knows slot {slot} of term {term} to be committed, and a quorum of the voters \
             {voters} does not have it",
            seen.node
        );
        (!voters.block(has)).then(|| seen.broken("RAFT-7", what, Vec::new())).flatten()
    }

    /// RAFT-8: a log that is as up to date as a place that was committed has it.
    pub(super) fn is_in_all_later(
        &self,
        seen: Seen,
        slot: Slot,
        new: &Committed,
    ) -> Option<Violation> {
        let mut nodes = self.nodes.iter().filter(|_| seen.dialect == Dialect::Raft);
        let (id, node) = nodes.find(|(_, node)| {
            let later = node.place().is_some_and(|place| place >= (new.under, slot));
            later && !node.may_have(slot, new.term)
        })?;
        let (term, last) = node.place()?;
        let what = format!(
            "{id} has slot {last} of term {term}, and not slot {slot} of term {}, committed in \
             term {}",
            new.term, new.under
        );
        seen.broken("RAFT-8", what, Vec::new())
    }

    /// RX-5: who is handed over to has the whole log.
    pub(super) fn hands_over(&self, seen: Seen, ballot: Ballot, to: NodeId) -> Option<Violation> {
        let (from, other) = (self.nodes.get(&seen.node)?, self.nodes.get(&to)?);
        let (term, slot) = from.place().filter(|_| from.known)?;
        let what = format!(
            "{} hands {ballot} over to {to}, which does not have slot {slot} of term {term}",
            seen.node
        );
        (!other.may_have(slot, term)).then(|| seen.broken("RX-5", what, Vec::new())).flatten()
    }
}
