//! A door for tests of panes: a run told event by event, and how a pane shows it.

use super::{Pane, Scene};
use crate::base::{
    Ballot, CallId, Commitment, Entry, Name, NodeId, Op, Rng, ServiceId, Time, TxnId,
};
use crate::check::Checks;
use crate::command::Command;
use crate::event::{Event, Fact, Kind};
use crate::tui::mode::Mode;
use crate::tui::select::{Move, Select};
use crate::tui::source::Links;
use crate::tui::spots::Spots;
use crate::tui::theme::{ColorArg, Env, Flags, GlyphsArg, Look};
use crate::view::timeline::Timeline;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use std::sync::Arc;

/// A run, told from its start.
pub(crate) struct Story {
    timeline: Timeline,
    now: Time,
    pub(crate) links: Links,
    pub(crate) select: Select,
    pub(crate) mode: Mode,
    pub(crate) zoomed: bool,
    pub(crate) glyphs: GlyphsArg,
}

pub(crate) fn n(number: u16) -> NodeId {
    NodeId::node(number)
}

pub(crate) fn c(number: u16) -> NodeId {
    NodeId::client(number)
}

pub(crate) fn call(client: u16, seq: u64) -> CallId {
    CallId { client: c(client), seq }
}

pub(crate) fn ballot(round: u32, node: u16) -> Ballot {
    Ballot::new(round, n(node))
}

pub(crate) fn txn(node: u16, number: u32) -> TxnId {
    TxnId { coordinator: n(node), number }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn op(text: &str) -> Arc<Op> {
    Arc::new(text.parse().unwrap())
}

pub(crate) fn entry(seq: u64, text: &str) -> Arc<Entry> {
    Arc::new(Entry { call: call(1, seq), op: text.parse().unwrap() })
}

/// The coordinator begins a transaction.
pub(crate) fn begins(story: &mut Story, id: TxnId, participants: &[u16]) {
    let participants = participants.iter().map(|p| n(*p)).collect();
    let (call, op) = (call(1, id.number.into()), op("transfer acct/3 acct/9 10"));
    let how = Commitment::default();
    story.says(id.coordinator, Fact::Begins { txn: id, call, op, participants, how });
}

/// A participant votes: yes, and locks `key`; no if that is empty.
pub(crate) fn votes(story: &mut Story, id: TxnId, node: u16, key: &str) {
    let yes = !key.is_empty();
    let keys = if yes { [name(key)].into() } else { [].into() };
    story.says(n(node), Fact::Votes { txn: id, yes, keys });
}

impl Story {
    /// Nodes `n1` to `n<nodes>` start, and clients `c1` to `c<clients>`.
    pub(crate) fn of(nodes: u16, clients: u16) -> Story {
        Story::judged(nodes, clients, Checks::of([]))
    }

    /// The same, under the eyes of these checks.
    pub(crate) fn judged(nodes: u16, clients: u16, checks: Checks) -> Story {
        let select = Select::new(n(1), n(2));
        let (now, glyphs) = (Time::ZERO, GlyphsArg::Unicode);
        let mut story = Story {
            timeline: Timeline::new(10_000).checked(checks),
            now,
            links: Links::default(),
            select,
            mode: Mode::default(),
            zoomed: false,
            glyphs,
        };
        for id in (1..=nodes).map(n).chain((1..=clients).map(c)) {
            story.tell(id, Kind::Started { boot: 1, records: 0, torn: false });
        }
        story
    }

    /// It is so many milliseconds after the start now.
    pub(crate) fn at(&mut self, millis: u64) -> &mut Story {
        self.now = Time(millis * 1_000);
        let kind = Kind::Fired { service: ServiceId::Ping, timer: "clock".into() };
        self.tell(NodeId::BENCH, kind)
    }

    pub(crate) fn tell(&mut self, node: NodeId, kind: Kind) -> &mut Story {
        self.timeline.extend([Event { at: self.now, node, kind }]);
        self
    }

    pub(crate) fn says(&mut self, node: NodeId, fact: Fact) -> &mut Story {
        self.tell(node, Kind::Fact(fact))
    }

    pub(crate) fn order(&mut self, command: &str) -> &mut Story {
        let command: Command = command.parse().unwrap();
        self.tell(NodeId::BENCH, Kind::Commanded(Box::new(command)))
    }

    pub(crate) fn kill(&mut self, node: NodeId) -> &mut Story {
        self.tell(node, Kind::Killed { lost: 0 })
    }

    fn look(&self) -> Look {
        let flags = Flags { color: ColorArg::True, glyphs: Some(self.glyphs), ..Flags::default() };
        Look::choose(&flags, &Env::default())
    }

    pub(crate) fn with<T>(&self, use_it: impl FnOnce(&Scene<'_>) -> T) -> T {
        let look = self.look();
        use_it(&Scene {
            board: self.timeline.board(),
            timeline: &self.timeline,
            checks: self.timeline.checks(),
            look: &look,
            live: false,
            links: &self.links,
            select: &self.select,
            mode: &self.mode,
            spots: &Spots::default(),
            zoomed: self.zoomed,
            focused: true,
            story: None,
        })
    }

    /// The selection moves.
    pub(crate) fn press(&mut self, pane: &dyn Pane, moves: &[Move]) -> &mut Story {
        for to in moves {
            self.select = self.with(|scene| pane.select(scene, *to));
        }
        self
    }

    /// What the pane shows in so many columns and rows, its summary first.
    pub(crate) fn screen(&self, pane: &dyn Pane, width: u16, height: u16) -> String {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        let title = self.with(|scene| {
            pane.draw(scene, buf.area, &mut buf);
            pane.title(scene)
        });
        let row = |row: Rect| row.positions().map(|at| buf[at].symbol().to_owned()).collect();
        let rows: Vec<String> = buf.area.rows().map(row).collect();
        let call = if title.trouble { " !" } else { "" };
        let title = format!("[{}] {}{call}", title.name.unwrap_or_default(), title.summary);
        let rows = rows.iter().map(|row| row.trim_end().to_owned());
        std::iter::once(title).chain(rows).collect::<Vec<_>>().join("\n")
    }

    /// Draws the pane at sizes up to 200 by 60, in Unicode and ASCII, zoomed and not: nothing may
    /// be drawn outside, and ASCII must be ASCII.
    pub(crate) fn fits_everywhere(&mut self, pane: &dyn Pane) {
        let known = [(36, 5), (38, 4), (39, 7), (41, 12), (45, 10), (78, 11), (118, 32), (198, 56)];
        let mut sizes = Vec::from(known);
        sizes.extend((0..3).flat_map(|width| (0..3).map(move |height| (width, height))));
        let mut rng = Rng::new(1);
        sizes.extend((0..50).map(|_| (rng.below(201) as u16, rng.below(61) as u16)));
        sizes.extend((0..20).map(|_| (rng.below(50) as u16, rng.below(14) as u16)));
        for (glyphs, zoomed) in [GlyphsArg::Unicode, GlyphsArg::Ascii]
            .into_iter()
            .flat_map(|glyphs| [(glyphs, false), (glyphs, true)])
        {
            (self.glyphs, self.zoomed) = (glyphs, zoomed);
            for (width, height) in &sizes {
                self.fits(pane, *width, *height);
            }
        }
    }

    fn fits(&self, pane: &dyn Pane, width: u16, height: u16) {
        let screen = Rect::new(0, 0, width + 4, height + 2);
        let area = Rect::new(2, 1, width, height);
        let mut buf = Buffer::filled(screen, Cell::new("@"));
        self.with(|scene| pane.draw(scene, area, &mut buf));
        for at in screen.positions() {
            let symbol = buf[at].symbol();
            if !area.contains(at) {
                assert_eq!(buf[at], Cell::new("@"), "{at} is outside of {width}x{height}");
            } else if self.glyphs == GlyphsArg::Ascii {
                assert!(symbol.is_ascii(), "{symbol} at {width}x{height}");
            }
        }
        // At the edge of the screen, too, and where the area sticks out of it.
        let mut edge = Buffer::empty(Rect::new(0, 0, width, height));
        self.with(|scene| pane.draw(scene, edge.area, &mut edge));
        self.with(|scene| pane.draw(scene, Rect::new(1, 1, width, height), &mut edge));
    }
}
