//! Consensus: the replicated log as lanes, the single decree as a table of ballots.
//!
//! A cluster may run either or both. With both, the log has the pane, and the decree what is left
//! below it. Zoomed, there is room for the slots one by one, and for who led when.

mod copying;
mod decree;
mod elections;
mod log;
mod phase;
mod proposers;

use super::row::Row;
use super::table::Mark;
use super::{Item, Pane, Scene};
use crate::base::{Ballot, NodeId, Slot};
use crate::tui::frame::Title;
use crate::tui::select::{Move, Select, Target};
use crate::tui::theme::Role;
use crate::view::Board;
use crate::view::log::WINDOW;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// The view of who asked to lead, and who voted.
const ELECTIONS: &str = "elections";

/// The pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Consensus;

impl Pane for Consensus {
    fn about(&self) -> &'static str {
        "Log: one lane per replica, one cell per slot. The digit is the last of the round in which \
         the replica voted; c is a choice it learned without a vote. Everything up to the bar is \
         known to be chosen, a dot is a vote that is not chosen yet, and an exclamation mark an \
         entry that must give way. A leader that says so in a lower ballot than another is stale: \
         it has not heard. Scissors stand where a log was cut off. In Raft, match is up to where \
         a follower's log is the leader's, and next, with a question mark, where the leader looks \
         for agreement. Elections, the next view and beside the zoomed log: a row for each \
         ballot in which somebody asked to lead, with who voted; when several ask in one term, \
         nobody may get enough: a split vote.\n\
         Paxos: one row per ballot, one column per acceptor. P promised, A accepted, lower case \
         refused. Rows are history; what binds an acceptor is below, in promised now and accepted \
         now. A value with * was adopted from an earlier vote, as the rule demands. It is a duel \
         when proposers keep overtaking each other and nothing is chosen."
    }

    fn views(&self) -> &'static [&'static str] {
        &["picture", ELECTIONS]
    }

    fn list(&self, scene: &Scene<'_>) -> Vec<Item> {
        match scene.board.log.is_empty() {
            true => decree::list(scene),
            false => log::list(scene).into_iter().chain(elections::list(scene)).collect(),
        }
    }

    fn title(&self, scene: &Scene<'_>) -> Title {
        let board = scene.board;
        let name = match (board.log.is_empty(), board.decree.is_empty()) {
            (true, true) => None,
            (true, false) => Some("Paxos".to_owned()),
            (false, _) => Some("Log".to_owned()),
        };
        let lost = has_lost_quorum(scene);
        let mut parts: Vec<Span<'static>> = Vec::new();
        if !board.log.is_empty() {
            parts.push(format!("commit {}", board.log.commit).into());
        }
        if lost {
            let text = format!("quorum LOST {}/{}", board.best_reach(), board.voting());
            parts.push(Span::styled(text, scene.look.style(Role::Bad)));
        } else if let (Some((leader, ballot)), false) = (board.leader(), board.log.is_empty()) {
            parts.push(format!("{leader} leads {ballot}").into());
        }
        parts.extend(voters(board).map(Span::from));
        let duel = board.decree.duel();
        if duel.is_some() {
            parts.push(Span::styled("DUEL", scene.look.style(Role::Bad)));
        } else if board.log.is_empty() && !board.decree.is_empty() && !lost {
            parts.push(decree::standing(scene).into());
        }
        let mut summary = Line::default();
        for (at, part) in parts.into_iter().enumerate() {
            summary.push_span(if at == 0 { "" } else { "  " });
            summary.push_span(part);
        }
        Title { name, summary, trouble: lost || duel.is_some() }
    }

    fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let board = scene.board;
        match (board.log.is_empty(), board.decree.is_empty()) {
            (false, _) if scene.mode.view(self.views()) == ELECTIONS => {
                elections::draw(scene, area, buf);
            }
            (true, true) => {
                let rows = [Row::muted(scene.look, "nobody has asked for a vote yet")];
                super::row::put(area, buf, &rows);
            }
            (true, false) => decree::draw(scene, area, buf),
            (false, _) => log::draw(scene, area, buf),
        }
    }

    fn select(&self, scene: &Scene<'_>, to: Move) -> Select {
        let mut select = scene.select.clone();
        let nodes = servers(scene);
        let across = matches!(to, Move::Left | Move::Right);
        let along_nodes = |select: &mut Select| {
            select.node = to.along(Some(&select.node), &nodes).unwrap_or(select.node);
        };
        if scene.board.log.is_empty() {
            match across {
                true => along_nodes(&mut select),
                false => select.ballot = move_ballot(scene, to),
            }
        } else {
            match to {
                Move::Up | Move::Down => along_nodes(&mut select),
                _ => select.slot = move_slot(scene, to),
            }
        }
        select
    }

    fn target(&self, scene: &Scene<'_>) -> Target {
        Target::Node(scene.select.node)
    }
}

/// The nodes. All of them vote on the decree.
fn servers(scene: &Scene<'_>) -> Vec<NodeId> {
    scene.board.nodes.servers().map(|node| node.id).collect()
}

/// Who votes on the log, if not all do.
fn voters(board: &Board) -> Option<String> {
    let voters = board.log.voters.as_ref()?;
    let all = !voters.is_joint() && board.voting() == board.nodes.servers().count();
    (!all).then(|| match voters.iter().count() {
        0..=5 => format!("voters {voters}"),
        many => format!("{many} voters"),
    })
}

fn has_lost_quorum(scene: &Scene<'_>) -> bool {
    !servers(scene).is_empty() && !scene.board.has_quorum()
}

/// Says that no node reaches a majority, if none does.
fn quorum_row<'a>(scene: &Scene<'a>) -> Option<Row<'a>> {
    let board = scene.board;
    has_lost_quorum(scene).then(|| {
        let (best, of, needs) = (board.best_reach(), board.voting(), board.majority());
        let text = format!("quorum LOST: {best} of {of} reachable, {needs} needed");
        Row::new(scene.look, Mark::Trouble).text(Role::Bad, text)
    })
}

/// The oldest slot that the board still shows.
fn oldest(scene: &Scene<'_>) -> Slot {
    scene.board.log.last_slot().saturating_sub(WINDOW as u64 - 1).max(1)
}

fn move_slot(scene: &Scene<'_>, to: Move) -> Option<Slot> {
    let (first, last) = (oldest(scene), scene.board.log.last_slot());
    let slots: Vec<Slot> = (first..=last).collect();
    let at = scene.select.slot.unwrap_or(last).clamp(first, last.max(first));
    to.along(Some(&at), &slots).filter(|slot| *slot < last)
}

fn move_ballot(scene: &Scene<'_>, to: Move) -> Option<Ballot> {
    let ballots: Vec<Ballot> = scene.board.decree.rows().map(|row| row.ballot).collect();
    let newest = ballots.last();
    let at = scene.select.ballot.as_ref().or(newest);
    to.along(at, &ballots).filter(|ballot| Some(ballot) != newest)
}

#[cfg(test)]
mod tests;
