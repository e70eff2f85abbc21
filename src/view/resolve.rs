//! Words for targets, turned into processes by what the board shows.

use super::Board;
use crate::base::{Name, NodeId, OWN, Op, TxnId};
use crate::command::{Command, Link, Target};

impl Board {
    /// The same command with names for words: `kill leader` is `kill n3`. Says why not if a word
    /// stands for nobody now. Whether a named process exists is for the cluster to say.
    pub fn resolve(&self, command: &Command) -> Result<Command, String> {
        use Command::*;
        let who = |target: &Target| self.resolve_target(target);
        let link = |link: &Link| self.resolve_link(link);
        Ok(match command {
            Kill { who: w, unsynced } => Kill { who: who(w)?, unsynced: *unsynced },
            Restart(w) => Restart(who(w)?),
            Pause(w) => Pause(who(w)?),
            Resume(w) => Resume(who(w)?),
            Partition(groups) => {
                let groups = groups.iter().map(who).collect::<Result<Vec<_>, _>>()?;
                apart(&groups)?;
                Partition(groups)
            }
            Isolate(w) => Isolate(who(w)?),
            Bridge(w) => Bridge(who(w)?),
            Star(w) => Star(who(w)?),
            Cut(l) => Cut(link(l)?),
            Heal(l) => Heal(link(l)?),
            Delay { link: l, by, jitter } => Delay { link: link(l)?, by: *by, jitter: *jitter },
            Loss { link: l, percent } => Loss { link: link(l)?, percent: *percent },
            Duplicate { link: l, percent } => Duplicate { link: link(l)?, percent: *percent },
            Reorder { link: l, percent } => Reorder { link: link(l)?, percent: *percent },
            Hold(l) => Hold(link(l)?),
            Release(l) => Release(link(l)?),
            Clock { who: w, fault } => Clock { who: who(w)?, fault: *fault },
            Disk { who: w, fault } => Disk { who: who(w)?, fault: *fault },
            Fire { who: w, timer, after } => {
                Fire { who: who(w)?, timer: timer.clone(), after: *after }
            }
            Ask { who, op } => Ask { who: *who, op: self.resolve_token(*who, op)? },
            Ring
            | Deliver(_)
            | Drop(_)
            | Twice(_)
            | Postpone { .. }
            | Run { .. }
            | Stop
            | Step(_)
            | Fork { .. }
            | Branch(_)
            | Seed(_) => command.clone(),
        })
    }

    fn resolve_link(&self, link: &Link) -> Result<Link, String> {
        let who = |target: &Target| self.resolve_target(target);
        Ok(match link {
            Link::All => Link::All,
            Link::Of(w) => Link::Of(who(w)?),
            Link::Between(a, b) => Link::Between(who(a)?, who(b)?),
            Link::OneWay(from, to) => Link::OneWay(who(from)?, who(to)?),
        })
    }

    /// The processes that a target stands for now.
    pub fn resolve_target(&self, target: &Target) -> Result<Target, String> {
        let nodes = match target {
            Target::Nodes(nodes) => nodes.clone(),
            Target::Leader => vec![self.leading()?],
            Target::Minority => self.halves()?.0,
            Target::Majority => self.halves()?.1,
            Target::One => vec![self.any()?],
            Target::Holder(name) => match self.locks.get(name).map(|lock| lock.holder()) {
                Some(Some(holder)) => vec![holder.call.client],
                Some(None) => return Err(format!("nobody holds lock {name} now")),
                None => return Err(format!("nobody has asked for a lock {name} yet")),
            },
            Target::Coordinator(txn) => vec![self.coordinator(*txn)?],
        };
        Ok(Target::Nodes(nodes))
    }

    /// The same operation with the caller's last token for the word `own`.
    fn resolve_token(&self, who: NodeId, op: &Op) -> Result<Op, String> {
        let own = |lock: &Name| {
            let lock_is = self.locks.get(lock);
            let last = lock_is.and_then(|lock| lock.grants().rfind(|g| g.call.client == who));
            last.map(|grant| grant.token)
                .ok_or_else(|| format!("{who} was never granted lock {lock}, so it has no token"))
        };
        let mut op = op.clone();
        if let Op::Renew { lock, token }
        | Op::Release { lock, token }
        | Op::Write { resource: lock, token, .. } = &mut op
            && *token == OWN
        {
            *token = own(lock)?;
        }
        Ok(op)
    }

    fn leading(&self) -> Result<NodeId, String> {
        self.leader().map(|(id, _)| id).ok_or_else(|| "nobody leads now".to_owned())
    }

    /// The leader and the nodes after it, as many as are less than half; and all others. Without a
    /// leader it begins with the first node.
    fn halves(&self) -> Result<(Vec<NodeId>, Vec<NodeId>), String> {
        let mut nodes: Vec<NodeId> = self.nodes.servers().map(|node| node.id).collect();
        let few = nodes.len().saturating_sub(1) / 2;
        if few == 0 {
            return Err(format!("a cluster of {} has no minority", nodes.len()));
        }
        let leader = self.leader().map(|(id, _)| id);
        let first = nodes.iter().position(|id| Some(*id) == leader).unwrap_or_default();
        nodes.rotate_left(first);
        let mut rest = nodes.split_off(few);
        nodes.sort_unstable();
        rest.sort_unstable();
        Ok((nodes, rest))
    }

    /// A node that is up; which one follows from how many events there were.
    fn any(&self) -> Result<NodeId, String> {
        let up: Vec<NodeId> =
            self.nodes.servers().filter(|node| node.life.is_up()).map(|node| node.id).collect();
        match up.len() {
            0 => Err("no node is up now".to_owned()),
            n => Ok(up[self.events % n]),
        }
    }

    fn coordinator(&self, txn: TxnId) -> Result<NodeId, String> {
        match self.txns.get(txn) {
            Some(txn) => Ok(txn.id.coordinator),
            None => Err(format!("transaction {txn} was not seen, or is long over")),
        }
    }
}

/// Groups of a partition must not share a process.
fn apart(groups: &[Target]) -> Result<(), String> {
    for (i, a) in groups.iter().enumerate() {
        let shared =
            groups[i + 1..].iter().flat_map(Target::nodes).find(|id| a.nodes().contains(id));
        if let Some(id) = shared {
            return Err(format!("{id} cannot be on two sides of a partition"));
        }
    }
    Ok(())
}
