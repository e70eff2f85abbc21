//! One lock as the log has it, from what replicas say of each slot: who holds it and who waits, and
//! what must not be done to that.

use super::{Broken, broken};
use crate::base::{CallId, Entry, LockMode, Name, NodeId, Op, SessionOp, Slot, Token};
use crate::event::Freed;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// What a slot did to a lock: at most one of each kind, unless it is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    Freed,
    Granted,
    Queued,
    Renewed,
}

/// Which of several deeds of one kind, where a lock is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Which {
    Only,
    Of(CallId),
    Under(Token),
}

/// The part of a statement in which replicas must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Freed(Token, Freed),
    Granted(CallId, Token, LockMode),
    Queued(CallId, LockMode),
    Renewed(Token),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::Freed(token, why) => write!(f, "token {token} {why}"),
            Said::Granted(call, token, mode) => {
                write!(f, "token {token} granted to {call}{}", mode.aside())
            }
            Said::Queued(call, mode) => write!(f, "{call} queued{}", mode.aside()),
            Said::Renewed(token) => write!(f, "token {token} renewed"),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) call: CallId,
    pub(super) token: Token,
    pub(super) renewals: u32,
    pub(super) at: usize,
    pub(super) mode: LockMode,
}

impl Held {
    /// Whether it is known whose it is.
    pub(super) fn is_known(&self) -> bool {
        self.call != CallId::default()
    }
}

/// One lock, as the log has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ghost {
    /// All statements about slots up to here are taken in.
    pub(super) slot: Slot,
    /// The ghost begins with how the lock stood after this slot.
    pub(super) base: Slot,
    /// This replica told how that was.
    pub(super) told_by: Option<NodeId>,
    pub(super) held: Vec<Held>,
    pub(super) queue: VecDeque<(CallId, LockMode)>,
    pub(super) token: Token,
    pub(super) token_at: usize,
    /// Whether it was ever shared.
    pub(super) shared: bool,
    pub(super) said: BTreeMap<(Slot, Deed, Which), (Said, usize)>,
}

impl Ghost {
    /// The slot in which a call lined up, if it waits and that was seen.
    pub(super) fn place(&self, call: CallId) -> Option<Slot> {
        let queued = |(_, (said, _)): &(&_, &(Said, usize))| match said {
            Said::Queued(waiter, _) => *waiter == call,
            _ => false,
        };
        self.said.iter().rfind(queued).map(|((slot, ..), _)| *slot)
    }

    /// Which statement of its kind it is. A lock that was never shared has one of each in a slot.
    pub(super) fn which(&mut self, said: Said) -> Which {
        if let Said::Granted(_, _, mode) | Said::Queued(_, mode) = said {
            self.shared |= mode != LockMode::Alone;
        }
        match said {
            _ if !self.shared => Which::Only,
            Said::Granted(_, _, LockMode::Alone) => Which::Only,
            Said::Granted(call, ..) | Said::Queued(call, _) => Which::Of(call),
            Said::Freed(token, _) | Said::Renewed(token) => Which::Under(token),
        }
    }

    /// What was said before in the place of a statement, and where.
    pub(super) fn known(
        &self,
        slot: Slot,
        deed: Deed,
        which: Which,
        said: Said,
    ) -> Option<(Said, usize)> {
        let same = self.said.get(&(slot, deed, which)).copied();
        // Before it was shared, it was the only one.
        let only = || self.said.get(&(slot, deed, Which::Only)).copied();
        same.or_else(|| only().filter(|(before, _)| *before == said))
    }

    /// LOCK-12: who is first in line could have it.
    pub(super) fn idle(&self, lock: &Name, slot: Slot) -> Option<Broken> {
        let (call, mode) = *self.queue.front()?;
        let known = self.held.iter().all(Held::is_known);
        let what =
            format!("{call} is first in line for {lock} and could hold it before slot {slot}");
        match known && mode.fits(self.held.iter().map(|held| held.mode)) {
            true => broken("LOCK-12", self.held.first().map(|held| held.at), what),
            false => None,
        }
    }

    /// What a replica says of a slot before the ghost began: whom it has now.
    pub(super) fn take_restated(&mut self, slot: Slot, said: Said, at: usize) {
        match said {
            Said::Granted(call, token, mode) => {
                let which = self.which(said);
                if let Some(held) = self.held.iter_mut().find(|held| held.token == token) {
                    (held.call, held.at, held.mode) = (call, at, mode);
                    self.said.insert((slot, Deed::Granted, which), (said, at));
                }
            }
            Said::Queued(call, mode) if !self.queue.iter().any(|(known, _)| *known == call) => {
                self.queue.push_back((call, mode));
                let which = self.which(said);
                self.said.insert((slot, Deed::Queued, which), (said, at));
            }
            _ => {}
        }
    }

    pub(super) fn grant(
        &mut self,
        at: usize,
        lock: &Name,
        (call, token, mode): (CallId, Token, LockMode),
    ) -> Option<Broken> {
        let held = self.beside(call, mode);
        self.held.push(Held { call, token, renewals: 0, at, mode });
        let turn = self.queue.front().map(|(turn, _)| *turn);
        self.queue.retain(|(waiter, _)| *waiter != call);
        let (before, then) = (self.token, self.token_at);
        (self.token, self.token_at) = (token.max(before), at);
        if let Some((held, then)) = held {
            let what = format!("{lock} is granted to {call}{} while {held}", mode.aside());
            return broken("LOCK-1", Some(then), what);
        }
        if token <= before {
            let what = format!("{lock} is granted under token {token} after token {before}");
            return broken("FENCE-1", Some(then), what);
        }
        if let Some(turn) = turn.filter(|turn| *turn != call) {
            let what = format!("{lock} is granted to {call}, but it was the turn of {turn}");
            return broken("LOCK-7", None, what);
        }
        None
    }

    /// Who holds it beside whom a call must not, in words, and where that began.
    pub(super) fn beside(&self, call: CallId, mode: LockMode) -> Option<(String, usize)> {
        let known: Vec<&Held> = self.held.iter().filter(|held| held.is_known()).collect();
        let twice = known.iter().find(|held| held.call == call);
        let fits = mode.fits(known.iter().map(|held| held.mode));
        let held = twice.or(known.last().filter(|_| !fits))?;
        let text = match known.len() {
            1 => format!("{} holds it", held.call),
            all => format!("{all} hold it, {} among them", held.call),
        };
        Some((text, held.at))
    }

    /// Where the grant under a token is; the only one, if there is no other, since what is done to
    /// that is judged.
    pub(super) fn place_of(&self, token: Token) -> Option<usize> {
        let exact = self.held.iter().position(|held| held.token == token);
        exact.or_else(|| self.held.len().checked_sub(1))
    }

    pub(super) fn renew(
        &mut self,
        lock: &Name,
        token: Token,
        entry: Option<&Entry>,
    ) -> Option<Broken> {
        let place = self.place_of(token)?;
        let held = self.held.get_mut(place).filter(|held| held.is_known())?;
        held.renewals += 1;
        let own = match entry {
            Some(Entry { call, op: Op::Renew { token: named, .. } }) => {
                call.client == held.call.client && *named == held.token
            }
            Some(Entry { call, op: Op::Session(SessionOp::Ping { .. }) }) => {
                call.client == held.call.client
            }
            Some(_) => false,
            None => true,
        };
        let what = format!("{lock} is renewed for {} by a stranger", held.call);
        if own && token == held.token { None } else { broken("LOCK-3", Some(held.at), what) }
    }

    pub(super) fn free(
        &mut self,
        lock: &Name,
        token: Token,
        why: Freed,
        entry: Option<&Entry>,
    ) -> Option<Broken> {
        let held = self.held.remove(self.place_of(token)?);
        if !held.is_known() {
            return None;
        }
        let own = match entry {
            // Who is left out of what another writes down has to be gone; the log knows.
            Some(Entry { call, op: Op::Session(SessionOp::Swap { .. }) }) => match why {
                Freed::Released => call.client == held.call.client,
                Freed::Ended => true,
                Freed::Expired | Freed::Lost => false,
            },
            // Whether it was this session's, SES-2 says.
            Some(Entry {
                call,
                op:
                    Op::Release { token: named, .. }
                    | Op::Session(
                        SessionOp::Delete { node: named, .. }
                        | SessionOp::Unlock { token: named, .. },
                    ),
            }) => why == Freed::Released && call.client == held.call.client && *named == held.token,
            Some(Entry {
                op:
                    Op::Session(
                        SessionOp::Expire { .. }
                        | SessionOp::Revoke { .. }
                        | SessionOp::Check { .. }
                        | SessionOp::Close { .. },
                    ),
                ..
            }) => why == Freed::Ended,
            Some(Entry { op: Op::Expire { token: named, renewals, .. }, .. }) => {
                why == Freed::Expired && *named == held.token && held.renewals <= *renewals
            }
            Some(_) => false,
            None => true,
        };
        if own && token == held.token {
            return None;
        }
        let by = entry.map_or("nothing".to_owned(), ToString::to_string);
        let what = format!("{lock} is taken from {} with token {}, by {by}", held.call, held.token);
        broken("LOCK-3", Some(held.at), what)
    }
}
