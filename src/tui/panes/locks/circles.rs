//! The wait-for graph across locks: clients that wait for clients that wait, and the last circle.

use super::super::Scene;
use super::super::row::Row;
use super::super::table::{self, Mark};
use super::details::chain;
use crate::tui::theme::Role;

/// The longest chain of clients that wait for each other, if more than one lock is in it, and
/// which circle was broken last.
pub(super) fn rows<'a>(scene: &Scene<'a>) -> Vec<Row<'a>> {
    let all = scene.board.locks.all();
    let waiting =
        all.flat_map(|(name, lock)| lock.queue.iter().map(move |w| (w.call.client, name)));
    let chains = waiting.map(|(client, name)| chain(scene, client, name));
    let longest = chains.filter(|it| it.locks > 1).max_by_key(|it| (it.closed, it.locks));
    let row = longest.map(|it| match it.closed {
        true => Row::new(scene.look, Mark::Trouble)
            .text(Role::Bad, "DEADLOCK ")
            .text(Role::Text, it.text),
        false => Row::plain(scene.look).text(Role::Muted, "waits: ").text(Role::Text, it.text),
    });
    row.into_iter().chain(broken(scene)).collect()
}

/// Who gave way last, in which circle.
fn broken<'a>(scene: &Scene<'a>) -> Option<Row<'a>> {
    let (at, deadlock) = scene.board.locks.deadlock()?;
    let arrow = scene.look.glyphs.arrow;
    let circle =
        deadlock.circle.iter().map(|(call, lock)| format!("{} {arrow} {lock}", call.client));
    let circle = circle.collect::<Vec<_>>().join(&format!(" {arrow} "));
    let ago = table::brief(scene.board.now.since(*at));
    let text = format!("{} gave way {ago} ago: {circle} {arrow} ", deadlock.victim.client);
    let first = deadlock.circle.first().map(|(call, _)| call.client.to_string());
    Some(Row::plain(scene.look).text(Role::Warn, text + &first.unwrap_or_default()))
}
