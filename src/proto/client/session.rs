//! A client's session with the lock service: signs of life, and what it knows of it.
//!
//! The session lasts for its `ttl` after each sign of life that the service takes in. The client
//! counts from when it *sent* the last one that was answered, so by its clock the session ends no
//! later than by the service's. One that is not answered leaves it *suspended*: it may have ended
//! or not, and only the service can say which.

use super::calls::Calls;
use super::{Client, Timer};
use crate::base::{CallId, Op, SessionId, SessionOp, Span, Time};
use crate::event::{Fact, Feels, SessionFact};
use crate::proto::Context;

/// How many signs of life a client sends in the time that one of them lasts.
const PINGS: u64 = 3;

/// Where a client is with its session.
#[derive(Clone, Debug, Default)]
pub(super) enum Session {
    /// It has none, and needs none.
    #[default]
    None,
    /// It has asked for one with this call.
    Opening { seq: u64, ttl: Span, asked: Time },
    /// It has one.
    Open(Open),
}

/// A session that is open, as far as the client knows.
#[derive(Clone, Debug)]
pub(super) struct Open {
    /// Which.
    pub(super) id: SessionId,
    /// How long it lasts after a sign of life.
    pub(super) ttl: Span,
    /// When it sent the last sign of life that was answered.
    pub(super) asked: Time,
    feels: Feels,
    /// The sign of life that is under way, and when it was sent.
    ping: Option<(u64, Time)>,
}

impl Session {
    /// The session, if there is one.
    pub(super) fn open(&self) -> Option<&Open> {
        match self {
            Session::Open(open) => Some(open),
            _ => None,
        }
    }

    /// Asks for a session, unless there is one or it has been asked for.
    pub(super) fn want(
        &mut self,
        op: SessionOp,
        ttl: Span,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) {
        if let Session::None = self {
            let (call, asked) = (cx.new_call(), cx.now());
            *self = Session::Opening { seq: call.seq, ttl, asked };
            cx.emit(Fact::Session(SessionFact::Asks { session: None, ttl }));
            calls.start(call, Op::Session(op), cx);
        }
    }

    /// It is open now.
    pub(super) fn opened(&mut self, id: SessionId, cx: &mut Context<'_, Client>) {
        if let Session::Opening { ttl, asked, .. } = *self {
            let open = Open { id, ttl, asked, feels: Feels::Connected, ping: None };
            open.say(cx);
            *self = Session::Open(open);
            cx.set(Timer::Ping, Span(ttl.0 / PINGS));
        }
    }

    /// Whether this is the call that asks for one.
    pub(super) fn is_opening(&self, seq: u64) -> bool {
        matches!(self, Session::Opening { seq: own, .. } if *own == seq)
    }

    /// Whether this is the sign of life that is under way.
    pub(super) fn is_ping(&self, seq: u64) -> bool {
        self.open().is_some_and(|open| open.ping.is_some_and(|(own, _)| own == seq))
    }

    /// Sends a sign of life. Returns false if the one before was not answered.
    pub(super) fn ping(&mut self, calls: &mut Calls, cx: &mut Context<'_, Client>) -> bool {
        let Session::Open(open) = self else { return true };
        let before = open.ping.take();
        if let Some((seq, _)) = before {
            calls.forget(seq, cx);
            calls.turn();
            open.feel(Feels::Suspended, cx);
        }
        let (call, session) = (cx.new_call(), open.id);
        open.ping = Some((call.seq, cx.now()));
        cx.emit(Fact::Session(SessionFact::Asks { session: Some(session), ttl: open.ttl }));
        calls.start(call, Op::Session(SessionOp::Ping { session }), cx);
        cx.set(Timer::Ping, Span(open.ttl.0 / PINGS));
        before.is_none()
    }

    /// The sign of life was taken in.
    pub(super) fn pinged(&mut self, cx: &mut Context<'_, Client>) {
        if let Session::Open(open) = self
            && let Some((_, asked)) = open.ping.take()
        {
            open.asked = asked;
            open.feel(Feels::Connected, cx);
        }
    }

    /// The session has ended: the service says so.
    pub(super) fn expired(&mut self, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        if let Session::Open(mut open) = std::mem::take(self) {
            open.feel(Feels::Expired, cx);
            open.ping.into_iter().for_each(|(seq, _)| calls.forget(seq, cx));
            cx.cancel(Timer::Ping);
        }
    }

    pub(super) fn restate(&self, cx: &mut Context<'_, Client>) {
        if let Some(open) = self.open() {
            open.say(cx);
        }
    }
}

impl Open {
    fn feel(&mut self, feels: Feels, cx: &mut Context<'_, Client>) {
        if std::mem::replace(&mut self.feels, feels) != feels {
            self.say(cx);
        }
    }

    fn say(&self, cx: &mut Context<'_, Client>) {
        let Open { id: session, feels, .. } = *self;
        cx.emit(Fact::Session(SessionFact::Feels { session, feels }));
    }
}

/// A call of this client's.
pub(super) fn own(seq: u64, cx: &Context<'_, Client>) -> CallId {
    CallId { client: cx.me(), seq }
}
