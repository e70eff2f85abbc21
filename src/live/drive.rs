//! The task of one agent: it waits for what comes and for what is due, and lets the agent have its
//! turn.

use super::agent::Agent;
use super::control::{Inbox, Link};
use crate::base::Time;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How many things may come at most before due timers are looked at.
const TURN: usize = 256;
/// How long a disk may take for the last writes when the process ends.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// Drives an agent until it is asked to stop, or nobody is left who could send it anything.
pub async fn drive<L: Link>(mut agent: Agent<L>, mut inbox: Receiver<Inbox>) {
    let mut taken = Vec::with_capacity(TURN);
    let mut end = None;
    while !agent.is_done() {
        if agent.is_leaving() && end.is_none() {
            end = Some(Instant::now() + LAST_WRITES);
        }
        let next = agent.next();
        let turn = async {
            tokio::select! {
                count = inbox.recv_many(&mut taken, TURN) => count > 0,
                () = wait(agent.epoch().until(next), next) => true,
            }
        };
        let goes_on = match end {
            Some(end) => timeout_at(end, turn).await.unwrap_or(false),
            None => turn.await,
        };
        if !goes_on {
            return;
        }
        agent.turn(&mut taken);
    }
}

async fn wait(span: Duration, until: Time) {
    match until {
        Time::NEVER => std::future::pending().await,
        _ => sleep_until(Instant::now() + span).await,
    }
}
