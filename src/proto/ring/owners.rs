//! Whom services ask about a key: its owner, by the newest view that their node has heard of.

use super::circle;
use crate::base::placement::Ring;
use crate::base::{Mutations, Name, NodeId};
use crate::event::Fact;

/// The ring of the newest view, once there was one, and its epoch.
#[derive(Clone, Debug, Default)]
pub(in crate::proto) struct Owners(Option<(u64, Ring)>);

impl Owners {
    /// Takes in a fact, if it is a newer view.
    pub(in crate::proto) fn hear(&mut self, fact: &Fact, me: NodeId, mutations: Mutations) {
        if let Fact::View { epoch, members, shape } = fact
            && self.0.as_ref().is_none_or(|(known, _)| known < epoch)
        {
            self.0 = Some((*epoch, circle(members, *shape, me, mutations)));
        }
    }

    /// Who owns a key; nobody while there is no ring.
    pub(in crate::proto) fn of(&self, key: &Name) -> Option<NodeId> {
        let (_, ring) = self.0.as_ref()?;
        ring.owner(ring.position(key.as_str()))
    }
}
