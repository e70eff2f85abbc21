//! The router's half: takes a request and asks the key's owner until there is an answer.

use super::{Cx, Message, Store, key_of, owner};
use crate::base::{CallId, Op, Outcome, Refusal, Time};
use crate::proto::Ticket;
use std::sync::Arc;

/// A request that this node has taken and not answered.
#[derive(Clone, Debug)]
pub(super) struct Route {
    ticket: Ticket,
    op: Arc<Op>,
    since: Time,
    /// When an owner was asked last.
    at: Time,
    /// Whether an owner may have got it.
    sent: bool,
}

impl Store {
    /// Takes a request. One that is repeated replaces the first.
    pub(super) fn route(&mut self, ticket: Ticket, call: CallId, op: Op, cx: &mut Cx<'_>) {
        if key_of(&op).is_none() {
            return cx.reply(ticket, Outcome::Refused(Refusal::NoService));
        }
        if let Some(route) = self.routes.get_mut(&call) {
            route.ticket = ticket;
            return;
        }
        let (since, at) = (cx.now(), cx.now());
        let route = Route { ticket, op: Arc::new(op), since, at, sent: false };
        self.routes.insert(call, route);
        self.send_to_owner(call, cx);
    }

    fn send_to_owner(&mut self, call: CallId, cx: &mut Cx<'_>) {
        let Some(route) = self.routes.get(&call) else { return };
        let op = Arc::clone(&route.op);
        let owner = self.ring().zip(key_of(&op)).and_then(|(ring, key)| owner(ring, key));
        let sent = match owner {
            Some(owner) if owner == cx.me() => self.want(owner, call, &op, cx),
            Some(owner) => {
                cx.send(owner, Message::Ask { call, op });
                true
            }
            None => false,
        };
        if let Some(route) = self.routes.get_mut(&call) {
            route.at = cx.now();
            route.sent |= sent;
        }
    }

    /// Asks again at once: there is a new ring, and maybe a new owner.
    pub(super) fn reroute(&mut self, cx: &mut Cx<'_>) {
        let calls: Vec<CallId> = self.routes.keys().copied().collect();
        calls.into_iter().for_each(|call| self.send_to_owner(call, cx));
    }

    /// Asks again for what was not answered, and gives up what has taken too long.
    pub(super) fn retry_routes(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now();
        let super::Config { retry, give_up, .. } = self.config;
        let due = self.routes.iter().filter(|(_, route)| now.since(route.at) >= retry);
        for call in due.map(|(call, _)| *call).collect::<Vec<CallId>>() {
            let old = |route: &Route| now.since(route.since) >= give_up;
            if self.routes.get(&call).is_some_and(old) {
                self.give_up(call, cx);
            } else {
                self.send_to_owner(call, cx);
            }
        }
    }

    fn give_up(&mut self, call: CallId, cx: &mut Cx<'_>) {
        let Some(route) = self.routes.remove(&call) else { return };
        let harmless = !route.sent || matches!(*route.op, Op::Get { .. });
        let outcome = match harmless {
            true => Outcome::Refused(Refusal::Unavailable),
            false => Outcome::Unknown,
        };
        cx.reply(route.ticket, outcome);
    }

    /// The owner has answered.
    pub(super) fn routed(&mut self, call: CallId, outcome: Outcome, cx: &mut Cx<'_>) {
        if let Some(route) = self.routes.remove(&call) {
            cx.reply(route.ticket, outcome);
        }
    }
}
