//! Raft in a lane: how far the leader is with a follower, and whom a node voted for. The leader
//! alone knows the first two, but they are looked for where the follower is.

use super::super::Scene;
use super::super::row::Row;
use crate::base::{NodeId, Slot};
use crate::tui::theme::Role;
use crate::view::nodes::Role as Part;

/// How many cells the columns take, with the spaces behind them.
pub(super) const WIDTH: usize = 6 + 6 + 5;

/// What stands over the columns.
pub(super) fn head(row: Row<'_>) -> Row<'_> {
    row.right(5, Role::Muted, "match").right(5, Role::Muted, "next").left(4, Role::Muted, "vote")
}

/// How far the leader is with a follower.
enum Copying {
    /// Up to here its log is the leader's.
    Agrees(Slot),
    /// The leader looks for the place where the logs agree, before this slot.
    Seeks(Slot),
}

fn copying(scene: &Scene<'_>, id: NodeId) -> Option<Copying> {
    let log = &scene.board.log;
    let leads = |id: NodeId| {
        let node = scene.board.node(id).filter(|node| node.life.is_there());
        node.is_some_and(|node| matches!(node.role, Part::Leads(_)))
    };
    let (leader, next) = log.replica(id)?.copied?;
    let follows = leads(leader) && !leads(id);
    follows.then(|| match next {
        None => Copying::Agrees(log.matches(id).unwrap_or_default()),
        Some(next) => Copying::Seeks(next),
    })
}

fn vote(scene: &Scene<'_>, id: NodeId) -> Option<NodeId> {
    let vote = scene.board.log.replica(id).map(|replica| replica.promised.node);
    vote.filter(|node| *node != NodeId::BENCH)
}

/// Up to where a follower's log is the leader's, from where on the leader sends, with a question
/// mark as long as it looks for the place where the logs agree, and the vote of the node.
pub(super) fn columns<'a>(scene: &Scene<'a>, row: Row<'a>, id: NodeId) -> Row<'a> {
    let row = match copying(scene, id) {
        Some(Copying::Agrees(matched)) => row.right(5, Role::Text, matched.to_string()).right(
            5,
            Role::Muted,
            (matched + 1).to_string(),
        ),
        Some(Copying::Seeks(next)) => {
            row.right(5, Role::Muted, "?").right(5, Role::Warn, format!("{next}?"))
        }
        None => row.right(5, Role::Muted, "-").right(5, Role::Muted, "-"),
    };
    let vote = vote(scene, id).map_or("-".to_owned(), |node| node.to_string());
    row.left(4, Role::Text, vote)
}

/// The same in words, for one that has no columns.
pub(super) fn words(scene: &Scene<'_>, id: NodeId) -> Vec<String> {
    let copying = copying(scene, id).map(|copying| match copying {
        Copying::Agrees(matched) => format!("match {matched}, next {}", matched + 1),
        Copying::Seeks(next) => format!("match ?, next {next}?"),
    });
    let vote = vote(scene, id).map(|node| format!("vote {node}"));
    copying.into_iter().chain(vote).collect()
}
