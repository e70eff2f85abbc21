//! Sessions: what hangs on them, and what clients make of them.
//!
//! Only who saw everything from the start judges what a client says, since it may rely on what was
//! not seen.

use super::{Broken, broken};
use crate::base::{
    Ballot, CallId, Entry, Name, NodeId, Op, Outcome, SessionId, SessionOp, Slot, Token,
};
use crate::check::Witness;
use crate::event::{Fact, Feels, SessionFact};
use std::collections::{BTreeMap, BTreeSet};

/// How many grants and ends are kept.
const KEPT: usize = 2_048;

/// What a replica has said of the end of a session, as long as it has not taken in a later slot.
#[derive(Clone, Debug)]
struct Ending {
    slot: Slot,
    session: SessionId,
    at: usize,
    /// The nodes that must go with it.
    left: BTreeSet<(Name, Token)>,
}

/// The sessions of a cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    /// Who has ever asked for a session.
    clients: BTreeSet<NodeId>,
    /// The nodes that there are, and the sessions that they hang on.
    nodes: BTreeMap<(Name, Token), (SessionId, usize)>,
    endings: BTreeMap<NodeId, Ending>,
    ended: BTreeSet<SessionId>,
    /// The nodes that are gone: a slower replica may still say that they are made.
    gone: BTreeSet<(Token, Name)>,
    /// How many signs of life each session has given by which slot.
    pings: BTreeMap<SessionId, (Slot, u32)>,
    /// What the log has granted, and to whom. A key that was deleted begins with its tokens anew.
    granted: BTreeSet<(Token, Name, NodeId)>,
    /// Which lock a client's call under way asks for.
    asks: BTreeMap<CallId, Name>,
    /// Who keeps the time of sessions, and since which slot.
    lessor: (Slot, Ballot),
}

impl Sessions {
    /// Events of these processes were missed.
    pub(super) fn forget(&mut self, hit: impl Fn(NodeId) -> bool) {
        self.endings.retain(|who, _| !hit(*who));
        self.asks.retain(|call, _| !hit(call.client));
    }

    /// Takes a statement in. `entry` is what its sayer has just applied.
    pub(super) fn see(
        &mut self,
        at: usize,
        node: NodeId,
        fact: &Fact,
        entry: Option<&Entry>,
        witness: &Witness,
    ) -> Option<Broken> {
        match fact {
            Fact::Applies { slot, .. } => self.applies(node, *slot).filter(|_| witness.is_whole()),
            Fact::Granted { lock, call, token, .. } => {
                self.granted.insert((*token, lock.clone(), call.client));
                if self.granted.len() > KEPT {
                    self.granted.pop_first();
                }
                None
            }
            Fact::Holds { lock, token, .. } if witness.is_whole() => {
                self.believes(node, lock, *token)
            }
            Fact::Invokes { call, op, .. } => {
                if let Op::Acquire { lock, .. } = &**op {
                    self.asks.insert(*call, lock.clone());
                }
                None
            }
            Fact::Returns { call, outcome } => {
                let lock = self.asks.remove(call)?;
                self.returns(*call, &lock, outcome).filter(|_| witness.is_whole())
            }
            Fact::Session(fact) => self.hear(at, node, fact, entry, witness),
            _ => None,
        }
    }

    fn hear(
        &mut self,
        at: usize,
        node: NodeId,
        fact: &SessionFact,
        entry: Option<&Entry>,
        witness: &Witness,
    ) -> Option<Broken> {
        match fact {
            SessionFact::Asks { .. } => {
                self.clients.insert(node);
                None
            }
            SessionFact::Made { lock, node, session, .. } => {
                let gone = self.gone.contains(&(*node, lock.clone()));
                if !gone && !self.ended.contains(session) {
                    self.nodes.entry((lock.clone(), *node)).or_insert((*session, at));
                }
                None
            }
            SessionFact::Removed { slot, lock, node: number } => {
                self.removed(node, *slot, (lock.clone(), *number), entry)
            }
            SessionFact::Open { slot, session, pings, .. } => {
                self.pings.entry(*session).or_insert((*slot, *pings));
                None
            }
            SessionFact::Pinged { slot, session } => {
                if let Some((last, pings)) = self.pings.get_mut(session).filter(|it| it.0 < *slot) {
                    (*last, *pings) = (*slot, *pings + 1);
                }
                None
            }
            SessionFact::Ended { slot, session, .. } => {
                let overlooked =
                    self.overlooks(*session, entry).or(self.usurps(*slot, *session, entry));
                if self.ended.insert(*session) {
                    let left = self.nodes.iter().filter(|(_, (of, _))| of == session);
                    let left = left.map(|(path, _)| path.clone()).collect();
                    let ending = Ending { slot: *slot, session: *session, at, left };
                    self.endings.insert(node, ending);
                }
                if self.ended.len() > KEPT {
                    self.ended.pop_first();
                }
                overlooked
            }
            SessionFact::Lessor { slot, lessor } => {
                self.lessor = self.lessor.max((*slot, *lessor));
                None
            }
            SessionFact::Feels { session, feels: Feels::Expired }
                if witness.is_whole() && !self.ended.contains(session) =>
            {
                let what =
                    format!("{node} takes s{session} for expired, which the log has not ended");
                broken("SES-4", None, what)
            }
            _ => None,
        }
    }

    /// SES-3, by the log's order: a session does not end by an entry that had seen less signs of
    /// life.
    fn overlooks(&mut self, session: SessionId, entry: Option<&Entry>) -> Option<Broken> {
        let (_, given) = self.pings.remove(&session)?;
        let Op::Session(SessionOp::Expire { pings, .. }) = entry?.op else { return None };
        let what = format!("s{session} ends after {pings} signs of life, and has given {given}");
        if given <= pings { None } else { broken("SES-3", None, what) }
    }

    /// SES-6: where a leader keeps the time of sessions, no earlier one ends any.
    fn usurps(&self, slot: Slot, session: SessionId, entry: Option<&Entry>) -> Option<Broken> {
        let Op::Session(SessionOp::Revoke { lessor, .. } | SessionOp::Check { lessor, .. }) =
            entry?.op
        else {
            return None;
        };
        let (since, now) = self.lessor;
        let what = format!(
            "slot {slot} ends s{session} for the leader of {lessor}, and that of {now} keeps the \
             time since slot {since}"
        );
        if lessor == now || slot < since { None } else { broken("SES-6", None, what) }
    }

    /// SES-2, one half: a node goes only with its session, or because that removes it.
    fn removed(
        &mut self,
        by: NodeId,
        slot: Slot,
        path: (Name, Token),
        entry: Option<&Entry>,
    ) -> Option<Broken> {
        if let Some(ending) = self.endings.get_mut(&by).filter(|ending| ending.slot == slot) {
            ending.left.remove(&path);
        }
        let (session, at) = self.nodes.remove(&path)?;
        self.gone.insert((path.1, path.0.clone()));
        if self.gone.len() > KEPT {
            self.gone.pop_first();
        }
        let own = match &entry?.op {
            Op::Session(SessionOp::Delete { session: of, node, .. }) => {
                *of == session && *node == path.1
            }
            Op::Session(
                SessionOp::Unlock { session: of, .. } | SessionOp::Contend { session: of, .. },
            ) => *of == session,
            Op::Session(
                SessionOp::Expire { session: of, .. }
                | SessionOp::Revoke { session: of, .. }
                | SessionOp::Close { session: of },
            ) => *of == session,
            // Whether it hung on that node, SES-7 says.
            Op::Session(SessionOp::Check { .. }) => self.ended.contains(&session),
            _ => false,
        };
        let (lock, node) = path;
        let by = entry.map_or("nothing".to_owned(), ToString::to_string);
        let what = format!("node {lock}/{node} of s{session} is removed by {by}");
        if own { None } else { broken("SES-2", Some(at), what) }
    }

    /// SES-2, the other half: what hangs on a session goes with it.
    fn applies(&mut self, by: NodeId, slot: Slot) -> Option<Broken> {
        let ending = self.endings.remove(&by).filter(|ending| ending.slot < slot)?;
        let (lock, node) = ending.left.first()?;
        let what =
            format!("s{} has ended, and its node {lock}/{node} is still there", ending.session);
        broken("SES-2", Some(ending.at), what)
    }

    /// SES-5.
    fn returns(&self, call: CallId, lock: &Name, outcome: &Outcome) -> Option<Broken> {
        let Outcome::Granted { token } = *outcome else { return None };
        let client = call.client;
        if !self.clients.contains(&client) || self.is_granted(client, lock, token) {
            return None;
        }
        let what = format!(
            "{client} is told that {lock} is its own under token {token}, which was never granted \
             to it"
        );
        broken("SES-5", None, what)
    }

    fn is_granted(&self, client: NodeId, lock: &Name, token: Token) -> bool {
        self.granted.contains(&(token, lock.clone(), client))
    }

    /// SES-1.
    fn believes(&self, client: NodeId, lock: &Name, token: Token) -> Option<Broken> {
        if self.is_granted(client, lock, token) || !self.clients.contains(&client) {
            return None;
        }
        let what = format!(
            "{client} believes to hold {lock} under token {token}, which was never granted to it"
        );
        broken("SES-1", None, what)
    }
}
