//! Zab in a lane: which epochs a node has accepted and adopted, and the phase that it is in.

use super::super::Scene;
use super::super::row::Row;
use crate::base::NodeId;
use crate::event::Stage;
use crate::tui::theme::Role;
use crate::view::log::{Replica, Sync};

/// How many cells both columns take, with the spaces behind them.
pub(super) const WIDTH: usize = 6 + 11;

/// What stands over the columns.
pub(super) fn head(row: Row<'_>) -> Row<'_> {
    row.right(5, Role::Muted, "epoch").left(10, Role::Muted, "phase")
}

/// The last epoch accepted, and if it is another the last one adopted: `5`, `5/4`.
pub(super) fn columns<'a>(scene: &Scene<'a>, row: Row<'a>, id: NodeId) -> Row<'a> {
    let there = scene.board.node(id).is_some_and(|node| node.life.is_there());
    let Some(replica) = scene.board.log.replica(id).filter(|_| there) else {
        return row.right(5, Role::Muted, "-").left(10, Role::Muted, "");
    };
    let (accepted, adopted) = (replica.promised.round, replica.adopted);
    let (text, role) = match accepted == adopted {
        true => (accepted.to_string(), Role::Text),
        false => (format!("{accepted}/{adopted}"), Role::Warn),
    };
    let (role_of_phase, word) = phase(replica);
    row.right(5, role, text).left(10, role_of_phase, word)
}

/// The phase in a word, and once histories are made one, how.
fn phase(replica: &Replica) -> (Role, String) {
    let Some((stage, _)) = replica.stage else { return (Role::Muted, String::new()) };
    let how = replica.sync.map_or("", |sync| match sync {
        Sync::Diff => " DIFF",
        Sync::Trunc => " TRUNC",
        Sync::Snap => " SNAP",
    });
    match stage {
        Stage::Election => (Role::Candidate, "election".to_owned()),
        Stage::Discovery => (Role::Candidate, "discovery".to_owned()),
        Stage::Synchronisation => (Role::Warn, format!("sync{how}")),
        Stage::Broadcast => (Role::Text, "broadcast".to_owned()),
    }
}

/// The phase in words, for one that has no columns.
pub(super) fn words(scene: &Scene<'_>, id: NodeId) -> Option<String> {
    let replica = scene.board.log.replica(id)?;
    let (_, leader) = replica.stage?;
    let (_, phase) = phase(replica);
    Some(match leader == id {
        true => phase,
        false => format!("{phase} with {leader}"),
    })
}

/// The phase in six letters, for lanes without the columns; none in broadcast, and in other logs.
pub(super) fn short(replica: Option<&Replica>) -> Option<(&'static str, &'static str)> {
    match replica?.stage?.0 {
        Stage::Election => Some(("elects", "election")),
        Stage::Discovery => Some(("discov", "discovery")),
        Stage::Synchronisation => Some(("syncs", "synchronises")),
        Stage::Broadcast => None,
    }
}
