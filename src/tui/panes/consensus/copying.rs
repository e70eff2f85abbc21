//! Raft in a lane: how far the leader is with a follower, and whom a node voted for. The leader
//! alone knows the first two, but they are looked for where the follower is.

use super::super::Scene;
use super::super::row::Row;
use crate::base::NodeId;
use crate::tui::theme::Role;
use crate::view::nodes::Role as Part;

/// How many cells the columns take, with the spaces behind them.
pub(super) const WIDTH: usize = 6 + 6 + 5;

/// Whether the log is Raft's: some leader has said how far it is with others.
pub(super) fn is_raft(scene: &Scene<'_>) -> bool {
    scene.board.log.replicas().any(|(_, replica)| replica.copied.is_some())
}

/// What stands over the columns.
pub(super) fn head(row: Row<'_>) -> Row<'_> {
    row.right(5, Role::Muted, "match").right(5, Role::Muted, "next").left(4, Role::Muted, "vote")
}

/// Up to where a follower's log is the leader's, from where on the leader sends, with a question
/// mark as long as it looks for the place where the logs agree, and the vote of the node.
pub(super) fn columns<'a>(scene: &Scene<'a>, row: Row<'a>, id: NodeId) -> Row<'a> {
    let log = &scene.board.log;
    let replica = log.replica(id);
    let leads = |id: NodeId| {
        let node = scene.board.node(id).filter(|node| node.life.is_there());
        node.is_some_and(|node| matches!(node.role, Part::Leads(_)))
    };
    let copied = replica.and_then(|replica| replica.copied);
    let row = match copied.filter(|(leader, _)| leads(*leader) && !leads(id)) {
        Some((_, None)) => {
            let matched = log.matches(id).unwrap_or_default();
            let next = (matched + 1).to_string();
            row.right(5, Role::Text, matched.to_string()).right(5, Role::Muted, next)
        }
        Some((_, Some(next))) => {
            row.right(5, Role::Muted, "?").right(5, Role::Warn, format!("{next}?"))
        }
        None => row.right(5, Role::Muted, "-").right(5, Role::Muted, "-"),
    };
    let vote = replica.map(|replica| replica.promised.node);
    let vote = vote.filter(|node| *node != NodeId::BENCH);
    row.left(4, Role::Text, vote.map_or("-".to_owned(), |node| node.to_string()))
}
