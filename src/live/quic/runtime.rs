//! Tokio as QUIC's runtime, with timers that wake nobody for nothing: waking up is most of what a
//! message costs an idle process.
//!
//! * Tokio leaves a timer that is put off where it is, wakes up at the old time, and moves it only
//!   then. QUIC puts its timer off whenever something is acknowledged. Here, a timer that is moved
//!   leaves nothing behind.
//! * An acknowledgement waits for company, for [`ACK_WITHIN`] at most. But if the process has done
//!   all that there was to do, and would sleep, no company will come in so short a time, and it
//!   would be woken up for the acknowledgement alone. So what is due within that time is due then:
//!   after the answer, if there is one, and before the sleep. Each connection does that once in
//!   such a time. Where messages follow each other closely, acknowledgements find company.

use crate::live::identity::ACK_WITHIN;
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use std::cell::Cell;
use std::io;
use std::net::UdpSocket;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::task::yield_now;
use tokio::time::{Sleep, sleep_until};

thread_local! {
    /// What QUIC is to take for the present. It asks as soon as a timer has told that it is time.
    static EARLY: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Tokio.
#[derive(Debug)]
pub(super) struct Tokio;

impl Runtime for Tokio {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        let sleep = Box::pin(sleep_until(at.into()));
        Box::pin(Timer { at, sleep, last: false, early: TokioRuntime.now() })
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        TokioRuntime.spawn(future);
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        let now = TokioRuntime.now();
        EARLY.take().map_or(now, |early| early.max(now))
    }
}

/// The timer of a connection.
#[derive(Debug)]
struct Timer {
    at: Instant,
    sleep: Pin<Box<Sleep>>,
    /// Whether everybody else has had a turn since it is nearly time.
    last: bool,
    /// Nothing may be early before this.
    early: Instant,
}

impl AsyncTimer for Timer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        (self.at, self.last) = (at, false);
        self.sleep.set(sleep_until(at.into()));
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let now = TokioRuntime.now();
        if self.at > now + ACK_WITHIN || self.early > now {
            return Future::poll(self.sleep.as_mut(), cx);
        }
        if !std::mem::replace(&mut self.last, true) {
            return Future::poll(pin!(yield_now()), cx);
        }
        self.early = self.at;
        EARLY.set(Some(self.at));
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn what_is_nearly_due_lets_everybody_else_go_first_and_comes_early_only_once() {
        let at = Instant::now() + ACK_WITHIN;
        let mut timer = Tokio.new_timer(at);
        let done = Arc::new(AtomicBool::new(false));
        let all_done = Arc::clone(&done);
        tokio::spawn(async move {
            let last = tokio::spawn(async move { all_done.store(true, Ordering::Relaxed) });
            last.await
        });
        poll_fn(|cx| timer.as_mut().poll(cx)).await;
        assert!(done.load(Ordering::Relaxed), "somebody has not had a turn");
        assert!(Tokio.now() >= at, "QUIC would not believe that it is time");
        timer.as_mut().reset(at);
        poll_fn(|cx| timer.as_mut().poll(cx)).await;
        assert!(Instant::now() >= at, "early again");
    }
}
