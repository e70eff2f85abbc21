//! What the panes show of one long story, at many sizes, for few nodes and for many, in pictures
//! and in letters, and in which role each part of it is drawn.

use super::sample::{Story, ballot, begins, c, call, entry, n, name, op, txn, votes};
use super::*;
use crate::base::placement::{Member, Ring, Shape, Share};
use crate::base::{Ballot, Incarnation, LockMode, MsgId, Outcome, ServiceId, Span, TxnId};
use crate::check::Expect;
use crate::event::{Fact, Kind, Label, LetGo, Loss, Phase};
use crate::tui::theme::{GlyphsArg, Role};
use ratatui::buffer::Cell;
use std::sync::Arc;

/// Inside the borders of a zoomed pane on screens of 40x10, 60x20, 80x24, 120x36 and 200x60.
const SIZES: [(u16, u16); 5] = [(38, 6), (58, 16), (78, 20), (118, 32), (198, 56)];

/// A cluster that does everything, parts in two, and loses its last node.
pub(super) fn story(nodes: u16) -> Story {
    let expect = Expect {
        clients: vec![c(1), c(2), c(3)],
        progress_within: Span::secs(5),
        opening_balance: 100,
        ..Expect::of((1..=nodes).map(n).collect())
    };
    let mut story = Story::judged(nodes, 3, Checks::all(&expect));
    calls(&mut story);
    duel(&mut story, nodes);
    log(&mut story, nodes);
    ring(&mut story, 1, 1..nodes + 1, 1_000);
    locks(&mut story, nodes);
    txns(&mut story, nodes);
    fall(&mut story, nodes);
    talk(&mut story, nodes);
    story
}

/// c1 and c2 are answered, c3 asks again.
fn calls(story: &mut Story) {
    let asks = |client: u16, seq, retry| {
        let (call, op) = (call(client, seq), op("put x=5"));
        Fact::Invokes { call, op, at: n(1 + client % 2), retry }
    };
    let hears =
        |client, seq| Fact::Returns { call: call(client, seq), outcome: Box::new(Outcome::Done) };
    for seq in 1..=3 {
        story.at(seq * 20).says(c(1), asks(1, seq, 0)).says(c(2), asks(2, seq, 0));
        story.at(seq * 20 + 3 * seq).says(c(1), hears(1, seq));
        story.at(seq * 20 + 12).says(c(2), hears(2, seq));
    }
    story.at(90).says(c(3), asks(3, 1, 0)).at(95).says(c(3), asks(3, 1, 1));
}

/// n1 asks everybody; some messages arrive, some are lost, some are under way.
fn talk(story: &mut Story, nodes: u16) {
    let service = ServiceId::Log;
    for to in 2..=nodes {
        let (msg, label) = (MsgId(to.into()), Label::of(&format!("Accept 5.1 slot {to}")));
        story
            .at(3_300 + u64::from(to))
            .tell(n(1), Kind::Sent { msg, to: n(to), service, label: label.clone() });
        let received = Kind::Received { msg, from: n(1), service, label };
        match to % 3 {
            0 => _ = story.at(3_380 + u64::from(to)).tell(n(to), received),
            1 => _ = story.tell(n(1), Kind::Lost { msg, to: n(to), why: Loss::Cut }),
            _ => {}
        }
    }
    story.at(3_440);
}

/// Two proposers overtake each other, until one wins.
fn duel(story: &mut Story, nodes: u16) {
    let all = || 1..=nodes;
    for round in 1..=4_u32 {
        let ballot = ballot(round, if round % 2 == 1 { 1 } else { 2 });
        let adopted = Ballot::NONE;
        story.at(u64::from(round) * 100).says(ballot.node, Fact::Prepares { slot: 0, ballot });
        all().for_each(|node| _ = story.says(n(node), Fact::Promises { slot: 0, ballot }));
        let entry = entry(1, "propose blue");
        story.at(u64::from(round) * 100 + 20);
        story.says(ballot.node, Fact::Proposes { slot: 0, ballot, entry: entry.clone(), adopted });
        let (promised, phase) =
            (super::sample::ballot(round + 1, 2 - (round % 2) as u16), Phase::Accept);
        for node in all() {
            let votes = round == 4 || node == 1;
            story.says(
                n(node),
                match votes {
                    true => Fact::Accepts { slot: 0, ballot, entry: entry.clone() },
                    false => Fact::Refuses { slot: 0, ballot, promised, phase },
                },
            );
        }
        if round == 4 {
            all().for_each(|node| {
                story.says(n(node), Fact::Chooses { slot: 0, entry: entry.clone() });
            });
        }
    }
}

/// n1 leads; the last node does not know the last slots.
fn log(story: &mut Story, nodes: u16) {
    let ballot = ballot(5, 1);
    story.at(600).says(n(1), Fact::Leads { ballot });
    (2..=nodes).for_each(|node| _ = story.says(n(node), Fact::Follows { ballot }));
    for slot in 1..=8_u64 {
        let entry = entry(slot, &format!("put k/{slot}={slot}"));
        story.at(600 + slot * 20);
        let knows = |node: &u16| slot < 7 || *node < nodes;
        for node in (1..=nodes).filter(knows) {
            story.says(n(node), Fact::Accepts { slot, ballot, entry: entry.clone() });
            if slot < 8 {
                story.says(n(node), Fact::Chooses { slot, entry: entry.clone() });
                story.says(n(node), Fact::Applies { slot, entry: entry.clone(), digest: slot });
            }
        }
    }
}

/// All nodes go by a ring of these members.
fn ring(story: &mut Story, epoch: u64, members: std::ops::Range<u16>, millis: u64) {
    let shape = Shape { vnodes: 16, replicas: 2, seed: 7 };
    let members: Arc<[Member]> = members.map(|node| Member { node: n(node), weight: 1 }).collect();
    let ring = Ring::new(&members, shape);
    story.at(millis);
    for Member { node, .. } in &*members {
        let node = *node;
        let count = |share: Share| share.of(10_000) as u32;
        let load = Fact::Load { keys: count(ring.held(node)), owned: count(ring.share(node)) };
        let ranges = ring.owned_by(node).into();
        story.says(node, Fact::View { epoch, members: members.clone(), shape });
        story.says(node, Fact::Serves { epoch, ranges, copies: 2 });
        story.says(node, load).says(node, Fact::Synced { epoch });
    }
    story.at(millis + 300);
    for Member { node, .. } in &*members {
        story.says(*node, Fact::Settled { epoch });
    }
}

/// c1 lost its lock and does not know; c2 has it; c3 waits.
fn locks(story: &mut Story, nodes: u16) {
    let (lock, mode) = (name("billing"), LockMode::Alone);
    let granted = |slot, client: u16, token, ttl| Fact::Granted {
        slot,
        lock: lock.clone(),
        call: call(client, slot),
        token,
        ttl: Span::secs(ttl),
        mode,
    };
    story.at(1_500);
    (1..=nodes).for_each(|node| _ = story.says(n(node), granted(9, 1, 33, 1)));
    story.says(c(1), Fact::Holds { lock: lock.clone(), token: 33, lease: Span::secs(4), mode });
    let freed =
        Fact::Freed { slot: 10, lock: lock.clone(), token: 33, why: crate::event::Freed::Expired };
    story.at(2_600);
    (1..=nodes).for_each(|node| _ = story.says(n(node), freed.clone()));
    (1..=nodes).for_each(|node| _ = story.says(n(node), granted(11, 2, 34, 2)));
    story.says(c(2), Fact::Holds { lock: lock.clone(), token: 34, lease: Span::secs(2), mode });
    let queued = Fact::Queued { slot: 12, lock: lock.clone(), call: call(3, 1), ahead: 0, mode };
    (1..=nodes).for_each(|node| _ = story.says(n(node), queued.clone()));
    for (at, client, token, highest, accepted) in
        [(2_700, 2, 34, 33, true), (2_750, 1, 33, 34, false)]
    {
        let resource = lock.clone();
        let call = call(client, at);
        story.at(at).says(n(1), Fact::Guards { resource, call, token, highest, accepted });
    }
    let idle = name("reports");
    let hold = Fact::Holds { lock: idle.clone(), token: 2, lease: Span::secs(1), mode };
    let gone = Fact::LetsGo { lock: idle, token: 2, why: LetGo::Released };
    story.says(c(3), hold).says(c(3), gone);
}

/// One is done, one voted no, one is asked, and the last node coordinates one that gets stuck.
fn txns(story: &mut Story, nodes: u16) {
    let resolves = |story: &mut Story, id: TxnId, node: u16, commit: bool| {
        story.says(n(node), Fact::Resolves { txn: id, commit, changes: [].into() });
    };
    let (done, refused, asked) = (txn(1, 1), txn(2, 1), txn(1, 2));
    begins(story.at(2_800), done, &[1, 2]);
    votes(story.at(2_810), done, 1, "acct/1");
    votes(story, done, 2, "acct/2");
    story.at(2_820).says(n(1), Fact::Decides { txn: done, commit: true });
    resolves(story.at(2_830), done, 1, true);
    resolves(story, done, 2, true);
    story.says(n(1), Fact::Ends { txn: done });
    begins(story.at(2_840), refused, &[1, 2]);
    votes(story, refused, 2, "");
    begins(story.at(2_850), asked, &[1, 2]);
    votes(story, asked, 1, "acct/4");
    let stuck = txn(nodes, 1);
    let parts: Vec<u16> = (1..nodes).collect();
    begins(story.at(2_860), stuck, &parts);
    parts.iter().for_each(|part| votes(story, stuck, *part, &format!("acct/{}", 10 + part)));
}

/// The cluster parts, and the last node dies and leaves the ring.
fn fall(story: &mut Story, nodes: u16) {
    let group = |range: std::ops::RangeInclusive<u16>| {
        range.map(|node| format!("n{node}")).collect::<Vec<_>>().join(",")
    };
    let half = nodes / 2;
    story.at(3_000).order(&format!("partition {} | {}", group(1..=half), group(half + 1..=nodes)));
    story.at(3_050).order("clock n2 +250ms");
    for node in half + 1..nodes {
        let incarnation = Incarnation::of_boot(1);
        story.says(n(node), Fact::Suspects { who: n(1), incarnation });
        story.says(n(node), Fact::Suspects { who: n(nodes), incarnation });
    }
    story.at(3_100).kill(n(nodes));
    for node in 2..nodes {
        let after = Some(Span::millis(500 + u64::from(node) * 7));
        let (service, timer) = (ServiceId::Log, "election".into());
        story.tell(n(node), Kind::Armed { service, timer, after });
    }
    ring(story, 2, 1..nodes, 3_110);
    story.at(3_440);
}

/// What a pane shows at this size, without the empty rows at its end.
fn shot(story: &mut Story, kind: PaneKind, (width, height): (u16, u16), zoomed: bool) -> String {
    story.zoomed = zoomed;
    let glyphs = if story.glyphs == GlyphsArg::Ascii { " ascii" } else { "" };
    let zoom = if zoomed { " zoomed" } else { "" };
    let screen = story.screen(pane(kind), width, height);
    format!("-- {width}x{height}{glyphs}{zoom}\n{}\n", screen.trim_end())
}

/// All sizes for five nodes, in pictures and in letters; three sizes for other numbers of nodes.
fn album(kind: PaneKind) -> String {
    let mut text = String::new();
    for (nodes, sizes) in [(3, &SIZES[2..4]), (5, &SIZES[..]), (9, &SIZES[2..4]), (50, &SIZES[..4])]
    {
        text.push_str(&format!("==== {nodes} nodes\n"));
        let mut story = story(nodes);
        for glyphs in [GlyphsArg::Unicode, GlyphsArg::Ascii] {
            story.glyphs = glyphs;
            let sizes = if glyphs == GlyphsArg::Ascii { &SIZES[2..3] } else { sizes };
            for (size, zoomed) in sizes.iter().flat_map(|size| [(*size, false), (*size, true)]) {
                text.push_str(&shot(&mut story, kind, size, zoomed));
            }
        }
    }
    text
}

/// What is not drawn as plain text: row, column, text, role.
fn roles(story: &mut Story, kind: PaneKind, zoomed: bool) -> String {
    story.zoomed = zoomed;
    let mut buf = Buffer::empty(Rect::new(0, 0, 78, 20));
    let mut text = format!("==== roles, 78x20{}\n", if zoomed { " zoomed" } else { "" });
    story.with(|scene| {
        pane(kind).draw(scene, buf.area, &mut buf);
        for row in buf.area.rows() {
            for (x, run, role) in runs(scene.look, &buf, row) {
                if role != Role::Text && !run.trim().is_empty() {
                    text.push_str(&format!("{},{x} {:?} {role:?}\n", row.y, run.trim_end()));
                }
            }
        }
    });
    text
}

/// The pieces of a row that are drawn in one role: column, text, role.
pub(super) fn runs(look: &Look, buf: &Buffer, row: Rect) -> Vec<(u16, String, Role)> {
    let mut runs: Vec<(u16, String, Role)> = Vec::new();
    let mut last: Option<(&Cell, Role)> = None;
    for at in row.positions() {
        let cell = &buf[at];
        let role = match last {
            Some((known, role)) if known.style() == cell.style() => role,
            _ => role_of(look, cell),
        };
        last = Some((cell, role));
        match runs.last_mut() {
            Some((_, text, known)) if *known == role => text.push_str(cell.symbol()),
            _ => runs.push((at.x, cell.symbol().to_owned(), role)),
        }
    }
    runs
}

/// The role whose look a cell has.
fn role_of(look: &Look, cell: &Cell) -> Role {
    use Role::*;
    let plain = [Text, Leader, Follower, Candidate, Ok, Bad, Violation, Warn, Down, Muted, Accent];
    let groups = (0..4).map(Group);
    let colours = (0..8).map(Identity);
    let all = [Selection].into_iter().chain(plain).chain(groups).chain(colours);
    let same = |role: &Role| {
        let mut drawn = Cell::default();
        drawn.set_style(look.style(*role));
        (drawn.fg, drawn.bg, drawn.modifier) == (cell.fg, cell.bg, cell.modifier)
    };
    all.into_iter().find(same).unwrap_or(if cell.bg == ratatui::style::Color::Reset {
        Text
    } else {
        Selection
    })
}

#[test]
fn every_pane_tells_the_story_at_every_size() {
    for kind in
        [PaneKind::Nodes, PaneKind::Ring, PaneKind::Consensus, PaneKind::Locks, PaneKind::Txn]
    {
        let mut text = album(kind);
        let mut story = story(5);
        text.push_str(&roles(&mut story, kind, false));
        text.push_str(&roles(&mut story, kind, true));
        let list: Vec<String> =
            story.with(|scene| pane(kind).list(scene).iter().map(ToString::to_string).collect());
        text.push_str(&format!("==== list\n{}\n", list.join("\n")));
        insta::assert_snapshot!(format!("album_{}", kind.id()), text);
    }
}

#[test]
fn a_key_is_followed_while_its_owner_changes() {
    let mut story = story(5);
    let circle = pane(PaneKind::Ring);
    story.mode.choose(&circle.options()[0], "acct/3");
    story.zoomed = true;
    let now = story.screen(circle, 118, 32);
    let line = now.lines().find(|line| line.contains("key acct/3")).unwrap_or_default();
    assert!(line.contains("hash") && line.contains('→'), "{now}");
    assert!(now.contains("^acct/3"), "its place is marked on the strip:\n{now}");
}

#[test]
fn the_history_of_the_ring_leads_to_its_moments() {
    let mut story = story(5);
    story.zoomed = true;
    let circle = pane(PaneKind::Ring);
    let at = |story: &Story| {
        story.with(|scene| {
            let index = circle.moment(scene).unwrap();
            scene.timeline.events().get(index).unwrap().at.0 / 1_000
        })
    };
    assert_eq!(at(&story), 3_110, "the newest change");
    story.press(circle, &[Move::Left]);
    assert_eq!(at(&story), 1_000, "the one before");
    story.press(circle, &[Move::Right]);
    assert_eq!(at(&story), 3_110);
}
