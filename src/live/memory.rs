//! Messages between agents of one process: channels.
//!
//! A message is moved, not copied or encoded. What takes time is what the network's rules say.

use super::control::{Envelope, Inbox, Link};
use crate::base::NodeId;
use crate::event::Loss;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::{Sender, error::TrySendError};

/// The inboxes of all agents.
pub type Inboxes = Arc<BTreeMap<NodeId, Sender<Inbox>>>;

/// What one agent sends with.
#[derive(Clone, Debug)]
pub struct Memory {
    me: NodeId,
    inboxes: Inboxes,
}

impl Memory {
    /// The link of `me`.
    pub fn new(me: NodeId, inboxes: Inboxes) -> Memory {
        Memory { me, inboxes }
    }
}

impl Link for Memory {
    fn send(&mut self, to: NodeId, envelope: Envelope) -> Result<(), Loss> {
        let inbox = self.inboxes.get(&to).ok_or(Loss::Unreachable)?;
        inbox.try_send(Inbox::Arrived { from: self.me, envelope }).map_err(|error| match error {
            TrySendError::Full(_) => Loss::Full,
            TrySendError::Closed(_) => Loss::Unreachable,
        })
    }
}
