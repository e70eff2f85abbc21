//! Inspect: all that is known of one thing, in words.
//!
//! The board knows what processes state, not what they hold: it says so where that matters. What is
//! told is as of the cursor, and changes with it while one looks.

use super::Scene;
use super::clients::beliefs;
use super::network::{details, state_words};
use super::row::{Row, names};
use super::spacetime::told;
use super::table::{brief, clock, folded, signed, thousands};
use crate::base::{Ballot, MsgId, Name, NodeId, Span, Time, TxnId};
use crate::event::Kind;
use crate::tui::frame;
use crate::tui::select::Target;
use crate::tui::theme::{Look, Role};
use crate::view::flow::Sign;
use crate::view::nodes::{Life, Node, Role as Part};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

/// How many of its last deeds are told of a process, and how many events are searched for them.
const LATELY: usize = 8;
const SEARCH: usize = 20_000;
/// How many slots of a log are told.
const SLOTS: usize = 8;

/// Draws it over the panes, scrolled by so many rows; the last row stays in sight.
pub(in crate::tui) fn draw(
    scene: &Scene<'_>,
    target: &Target,
    scroll: usize,
    screen: Rect,
    buf: &mut Buffer,
) {
    let look = scene.look;
    let size = Size::new(screen.width.min(100), screen.height.saturating_sub(2));
    let inside = frame::overlay(buf, screen, look, scene.spots, &title(target), size);
    let rows = rows(scene, target);
    let room = room(screen.height);
    let first = scroll.min(rows.len().saturating_sub(room));
    let (body, foot) = super::row::split(inside, room);
    super::row::put(body, buf, &rows[first..]);
    let more = rows.len().saturating_sub(first + room);
    let hint = match (first, more) {
        (0, 0) => "Esc: leave".to_owned(),
        (_, 0) => "Up: scroll   Esc: leave".to_owned(),
        (_, more) => format!("{more} more rows: Down, PgDn   Esc: leave"),
    };
    super::row::put(foot, buf, &[Row::muted(look, hint)]);
}

/// How many rows there is room for on a screen of so many: all but the screen's first and last
/// ones, the borders, and the hint.
fn room(height: u16) -> usize {
    usize::from(height.saturating_sub(5))
}

/// How far it can be scrolled on a screen of so many rows.
pub(in crate::tui) fn last(scene: &Scene<'_>, target: &Target, height: u16) -> usize {
    rows(scene, target).len().saturating_sub(room(height))
}

fn title(target: &Target) -> String {
    match target {
        Target::Node(id) => format!("Inspect {id}"),
        Target::Link(from, to) => format!("Inspect {from} to {to}"),
        Target::Message(msg) => format!("Inspect message {msg}"),
        Target::Lock(lock) => format!("Inspect lock {lock}"),
        Target::Txn(txn) => format!("Inspect transaction {txn}"),
        Target::Nothing => "Inspect".to_owned(),
    }
}

fn rows<'a>(scene: &Scene<'a>, target: &Target) -> Vec<Row<'a>> {
    let sheet = Sheet { scene: *scene, rows: Vec::new() };
    match target {
        Target::Node(id) => sheet.node(*id),
        Target::Link(from, to) => sheet.link(*from, *to),
        Target::Message(msg) => sheet.message(*msg),
        Target::Lock(lock) => sheet.lock(lock),
        Target::Txn(txn) => sheet.txn(*txn),
        Target::Nothing => sheet.plain("Nothing is selected here."),
    }
}

struct Sheet<'a> {
    scene: Scene<'a>,
    rows: Vec<Row<'a>>,
}

impl<'a> Sheet<'a> {
    fn look(&self) -> &'a Look {
        self.scene.look
    }

    fn head(&mut self, text: &str) {
        if !self.rows.is_empty() {
            self.rows.push(Row::plain(self.look()));
        }
        self.rows.push(Row::heading(self.look(), text));
    }

    /// A name, and what there is to say of it.
    fn say(&mut self, name: &str, role: Role, text: impl Into<String>) {
        let row = Row::plain(self.look()).left(12, Role::Muted, name).text(role, text);
        self.rows.push(row);
    }

    fn tell(&mut self, name: &str, text: impl Into<String>) {
        self.say(name, Role::Text, text);
    }

    /// That something is not known, and why.
    fn unknown(&mut self, name: &str, why: &str) {
        self.say(name, Role::Muted, format!("not known: {why}"));
    }

    fn plain(mut self, text: &str) -> Vec<Row<'a>> {
        self.rows.push(Row::plain(self.look()).text(Role::Text, text));
        self.rows
    }

    // -- a process -------------------------------------------------------------------------------

    fn node(mut self, id: NodeId) -> Vec<Row<'a>> {
        let Some(node) = self.scene.board.node(id) else {
            return self.plain(&format!("Nothing has been heard of {id} up to here."));
        };
        self.head(&format!("{id} as of {}", clock(self.scene.board.now)));
        if let Some(unseen) = self.scene.links.unseen(id) {
            let text = format!(
                "cannot be seen since {}: {}; what follows is old",
                unseen.since, unseen.why
            );
            self.say("", Role::Warn, text);
        }
        self.life(node);
        self.machine(node);
        match id.is_client() {
            true => self.calls(id),
            false => self.services(node),
        }
        self.links(id);
        self.faults(id);
        self.lately(id);
        self.rows
    }

    fn life(&mut self, node: &Node) {
        let since = clock(node.since);
        let (role, text) = match &node.life {
            Life::Unknown => (Role::Muted, "not known yet".to_owned()),
            Life::Up => (Role::Ok, format!("up since {since}")),
            Life::Paused => (Role::Warn, format!("frozen since {since}; its clock runs on")),
            Life::Down => (Role::Bad, format!("down since {since}")),
            Life::Failed(why) => (Role::Bad, format!("died at {since}: {why}")),
        };
        self.say("life", role, text);
        let torn = if node.torn { ", the last one torn and cut off" } else { "" };
        let (boot, records) = (node.boot, thousands(node.records));
        self.tell("boot", format!("{boot}, from {records} records on its disk{torn}"));
        if node.unsynced_lost > 0 {
            let lost = thousands(node.unsynced_lost);
            self.say(
                "",
                Role::Warn,
                format!("its last crash lost {lost} records that were not synced"),
            );
        }
    }

    fn machine(&mut self, node: &Node) {
        let ahead = node.clock.ahead(self.scene.board.now);
        match (ahead, node.clock.drift) {
            (0, 0) => self.tell("clock", "right"),
            (ahead, 0) => self.say("clock", Role::Warn, format!("{} off", signed(ahead))),
            (ahead, ppm) => {
                let text = format!("{} off, drifts by {ppm} ppm", signed(ahead));
                self.say("clock", Role::Warn, text);
            }
        }
        match node.disk_slow {
            Span::ZERO => {
                self.tell("disk", "as fast as usual; what is on it is not known but for the log")
            }
            by => self.say("disk", Role::Warn, format!("every sync takes {by} longer")),
        }
        let (sent, received, lost) = (node.sent, node.received, node.lost);
        let flights = self.scene.board.network.flights();
        let flying = flights.filter(|(_, flight)| flight.from == node.id).count();
        self.tell(
            "messages",
            format!(
                "{} sent, {} received, {} lost, {flying} under way",
                thousands(sent),
                thousands(received),
                thousands(lost)
            ),
        );
        let suspects =
            node.suspects.iter().map(|(who, s)| format!("{who} since {}", clock(s.since)));
        let suspects: Vec<String> = suspects.collect();
        if !suspects.is_empty() {
            self.say("suspects", Role::Warn, suspects.join(", "));
        }
        let by = self.scene.board.nodes.all();
        let by: Vec<NodeId> =
            by.filter(|n| n.suspects.contains_key(&node.id)).map(|n| n.id).collect();
        if !by.is_empty() {
            self.say("suspected by", Role::Warn, names(by));
        }
    }

    fn services(&mut self, node: &Node) {
        let (board, id) = (self.scene.board, node.id);
        if let Some(letter) = board.group(id) {
            let (reach, majority) = (board.reach(id), board.majority());
            let role = if reach >= majority { Role::Text } else { Role::Warn };
            self.say(
                "side",
                role,
                format!("{letter}: it reaches {reach} nodes, a majority is {majority}"),
            );
        }
        self.log(node);
        self.decree(id);
        self.ring(id);
        self.txns(id);
    }

    fn log(&mut self, node: &Node) {
        let board = self.scene.board;
        let since = clock(node.role_since);
        let (role, text) = match node.role {
            Part::None if board.log.is_empty() => return,
            Part::None => (Role::Muted, "it has not said since it started".to_owned()),
            Part::Leads(ballot) if board.is_stale(node.id) => (
                Role::Warn,
                format!("leads {ballot} by its own words since {since}, but was deposed"),
            ),
            Part::Leads(ballot) => (Role::Leader, format!("leads {ballot} since {since}")),
            Part::Follows(ballot) => (Role::Follower, format!("follows {ballot} since {since}")),
            Part::Seeks(Ballot::NONE) => {
                (Role::Candidate, format!("knows no leader since {since}"))
            }
            Part::Seeks(ballot) => {
                (Role::Candidate, format!("wants to lead {ballot} since {since}"))
            }
        };
        self.head("log");
        self.say("role", role, text);
        let Some(replica) = board.log.replica(node.id) else {
            return self.unknown("entries", "it has not spoken of any");
        };
        self.tell("promised", replica.promised.to_string());
        if let Some((_, voters)) = &replica.voters {
            self.tell("voters", format!("{voters}, as far as it knows"));
        }
        self.tell(
            "entries",
            format!(
                "voted up to {}, knows chosen up to {}, applied up to {}",
                replica.accepted_upto, replica.chosen_upto, replica.applied
            ),
        );
        let behind = board.log.commit.saturating_sub(replica.applied);
        if behind > 0 {
            self.say("", Role::Warn, format!("{behind} behind what is known to be chosen"));
        }
        let snapshot = match replica.snapshot {
            0 => "none".to_owned(),
            slot => format!("up to {slot}"),
        };
        self.tell("snapshot", format!("{snapshot}; state {:016x}", replica.digest));
        let last: Vec<_> = replica.slots().rev().take(SLOTS).collect();
        for (slot, place) in last.into_iter().rev() {
            let state = if place.chosen { "chosen" } else { "voted for" };
            let text = format!("{state} in {}: {}", place.ballot, place.entry);
            let role = if board.log.conflicts(node.id, slot) { Role::Bad } else { Role::Text };
            self.say(&format!("  slot {slot}"), role, text);
        }
    }

    fn decree(&mut self, id: NodeId) {
        let Some(acceptor) = self.scene.board.decree.acceptors().get(&id) else { return };
        let (promised, accepted) = (acceptor.promised, acceptor.accepted);
        let entry =
            acceptor.entry.as_ref().map_or(String::new(), |entry| format!(": {}", entry.op));
        self.head("single decree");
        self.tell("promised", promised.to_string());
        self.tell("accepted", format!("{accepted}{entry}"));
    }

    fn ring(&mut self, id: NodeId) {
        let Some(keeper) = self.scene.board.ring.keeper(id) else { return };
        self.head("ring");
        self.tell("goes by", format!("epoch {}", keeper.epoch));
        match (keeper.serves, &keeper.ranges) {
            (Some(epoch), Some(ranges)) => {
                self.tell("serves", format!("{} ranges of epoch {epoch}", ranges.len()));
            }
            (Some(epoch), None) => self.tell("serves", format!("epoch {epoch}")),
            (None, _) => self.say("serves", Role::Warn, "nothing"),
        }
        let synced = keeper.synced;
        let role = if synced < keeper.epoch { Role::Warn } else { Role::Text };
        self.say("holds all of", role, format!("epoch {synced}"));
        let (keys, owned) = (thousands(keeper.keys.into()), thousands(keeper.owned.into()));
        self.tell("keys", format!("{keys}, owner of {owned}; which and what, it does not say"));
    }

    fn txns(&mut self, id: NodeId) {
        let board = self.scene.board;
        let mine = board.txns.all().filter(|txn| {
            !txn.is_over() && (txn.id.coordinator == id || txn.participants.contains(&id))
        });
        let mine: Vec<_> = mine.collect();
        if mine.is_empty() {
            return;
        }
        self.head("transactions that are not over");
        for txn in mine {
            let part = if txn.id.coordinator == id { "coordinates" } else { "takes part" };
            let doubt = txn.in_doubt(board).contains(&id);
            let role = if doubt { Role::Warn } else { Role::Text };
            let op = txn.op.as_ref().map_or("not seen".to_owned(), |op| op.to_string());
            let doubt = if doubt { ", in doubt" } else { "" };
            self.say(&txn.id.to_string(), role, format!("{part}{doubt}: {op}"));
            self.say("", Role::Muted, txn.next(board));
        }
    }

    fn calls(&mut self, id: NodeId) {
        let scene = self.scene;
        self.head("calls");
        let Some(client) = scene.board.clients.get(id) else {
            return self.tell("", "it has not asked for anything yet");
        };
        let (ok, refused, unknown) = (client.ok, client.refused, client.unknown);
        self.tell("", format!("{} ok, {refused} refused, {unknown} unknown", thousands(ok)));
        for (call, open) in client.open() {
            let waits = brief(scene.board.now.since(open.since));
            let text = format!("{} at {}, for {waits}, try {}", open.op, open.at, open.retry + 1);
            self.say(&call.to_string(), Role::Warn, text);
        }
        for done in client.done().rev().take(LATELY) {
            let op = done.op.as_ref().map_or("not seen".to_owned(), |op| op.to_string());
            self.tell(&done.call.to_string(), format!("{} {op}: {}", clock(done.at), done.outcome));
        }
        let beliefs = beliefs(&scene, id);
        if !beliefs.is_empty() {
            self.head("locks that it believes to hold");
        }
        for (lock, belief) in beliefs {
            let held = scene.board.locks.get(lock).and_then(|lock| lock.held_by(id));
            let right = held.is_some_and(|holder| holder.token == belief.token);
            let (role, by) = match right {
                true => (Role::Text, "and the log says so too"),
                false => (Role::Warn, "but the log says otherwise"),
            };
            let (since, until) = (clock(belief.since), clock(belief.until));
            self.say(
                lock.as_str(),
                role,
                format!("token {} from {since} to {until}, {by}", belief.token),
            );
        }
    }

    fn links(&mut self, id: NodeId) {
        let (board, scene) = (self.scene.board, self.scene);
        self.head("links: out, in");
        let sound = crate::view::network::State::Up;
        let mut fine = Vec::new();
        for other in board.nodes.ids().iter().copied().filter(|other| *other != id) {
            let states = (board.network.state(id, other), board.network.state(other, id));
            if states == (sound, sound) {
                fine.push(other);
                continue;
            }
            let (out, back) = (state_words(&scene, (id, other)), state_words(&scene, (other, id)));
            self.say(&other.to_string(), Role::Warn, format!("out: {out}; in: {back}"));
        }
        match fine.len() {
            0 => {}
            1..13 => self.tell("fine", names(fine)),
            many => self.tell("fine", format!("with {many} others")),
        }
    }

    fn faults(&mut self, id: NodeId) {
        let all = self.scene.board.faults.active().iter();
        let name = id.to_string();
        let names_it =
            |text: &str| text.split([' ', ',']).any(|word| word == name || word == "all");
        let mine: Vec<_> = all.filter(|fault| names_it(&fault.text)).collect();
        if mine.is_empty() {
            return;
        }
        self.head("faults that name it");
        for fault in mine {
            self.say(&clock(fault.since), Role::Warn, folded(&fault.text));
        }
    }

    /// What it did last, messages aside.
    fn lately(&mut self, id: NodeId) {
        let (events, position) = (self.scene.timeline.events(), self.scene.timeline.position());
        let earlier = events.range(position.saturating_sub(SEARCH)..position).rev();
        let mine = earlier.filter(|(_, event)| event.node == id);
        let deeds = mine.filter(|(_, event)| {
            Sign::of(&event.kind) != Sign::Quiet || matches!(event.kind, Kind::Lost { .. })
        });
        let deeds: Vec<_> = deeds.take(LATELY).collect();
        self.head("lately, newest first");
        if deeds.is_empty() {
            self.say(
                "",
                Role::Muted,
                format!("nothing of weight in the last {} events", thousands(SEARCH as u64)),
            );
        }
        for (_, event) in deeds {
            self.tell(&clock(event.at), event.kind.to_string());
        }
    }

    // -- other things ----------------------------------------------------------------------------

    fn link(mut self, from: NodeId, to: NodeId) -> Vec<Row<'a>> {
        let look = self.look();
        for pair in [(from, to), (to, from)] {
            let lines = details(&self.scene, pair).into_iter();
            self.rows.extend(lines.map(|line| Row::of(look, line)));
            self.rows.push(Row::plain(look));
        }
        self.rows
    }

    fn message(mut self, msg: MsgId) -> Vec<Row<'a>> {
        let scene = self.scene;
        let Some(told) = told(&scene, msg) else {
            return self.plain(&format!("{msg} is not among the events around here."));
        };
        let arrow = self.look().glyphs.arrow;
        self.head(&format!("{msg}  {} {arrow} {}", told.message.from, told.message.to));
        let (fate, role) = told.fate;
        self.say("fate", role, fate);
        match told.message.sent {
            Some((index, at)) => self.tell("sent", format!("{} by event {index}", exact(at))),
            None => self.unknown("sent", "that was not seen"),
        }
        if let Some((index, at)) = told.message.held {
            self.say("held", Role::Warn, format!("{} by event {index}", exact(at)));
        }
        for end in &told.message.ends {
            let (name, role) = match end.lost {
                None => ("received", Role::Text),
                Some(_) => ("lost", Role::Bad),
            };
            self.say(name, role, format!("{} by event {}", exact(end.at), end.index));
        }
        let service = told.message.service.map_or("not known".to_owned(), |s| s.to_string());
        self.tell("service", service);
        match told.message.label.as_str() {
            "" => self.unknown("says", "this run does not record what messages say"),
            label => {
                for (at, part) in frame::wrap(label, 80).into_iter().enumerate() {
                    self.tell(if at == 0 { "says" } else { "" }, part);
                }
            }
        }
        self.say("", Role::Muted, "how its bytes look is not recorded");
        let mut around = |name: &str, lines: Vec<String>| {
            if !lines.is_empty() {
                self.head(name);
                lines.into_iter().for_each(|line| self.tell("", line));
            }
        };
        around("right before it was sent, at the same node and moment", told.before);
        around("right after it was received, at the same node and moment", told.after);
        self.rows
    }

    fn lock(mut self, name: &Name) -> Vec<Row<'a>> {
        let Some(lock) = self.scene.board.locks.get(name) else {
            return self.plain(&format!("Nothing has been heard of {name} up to here."));
        };
        self.head(&format!("lock {name}"));
        if lock.holders.is_empty() {
            self.tell("holder", "nobody, by the log");
        }
        for holder in &lock.holders {
            let (client, token, how) = (holder.call.client, holder.token, holder.mode.aside());
            let (since, until) = (clock(holder.granted), clock(holder.deadline()));
            let text =
                format!("{client} under token {token} since {since}, until about {until}{how}");
            self.tell("holder", text);
        }
        self.tell("last token", lock.token.to_string());
        for waiter in &lock.queue {
            let (client, how) = (waiter.call.client, waiter.mode.aside());
            self.tell("waits", format!("{client} since {}{how}", clock(waiter.since)));
        }
        for (client, belief) in &lock.beliefs {
            let until = clock(belief.until);
            self.tell("believes", format!("{client} holds token {} until {until}", belief.token));
        }
        if let Some(since) = lock.overlap {
            self.say("", Role::Bad, format!("more than one believes so since {}", clock(since)));
        }
        for grant in lock.grants().rev() {
            let end = match grant.end {
                Some((at, why)) => format!("to {}, {why:?}", clock(at)).to_lowercase(),
                None => "and still".to_owned(),
            };
            let text = format!(
                "token {} {} from {} {end}",
                grant.token,
                grant.call.client,
                clock(grant.since)
            );
            self.tell("grant", text);
        }
        for write in lock.writes().rev() {
            let (role, verdict) = match write.accepted {
                true => (Role::Text, "let through"),
                false => (Role::Bad, "rejected"),
            };
            let (client, token) = (write.call.client, write.token);
            self.say(
                "write",
                role,
                format!("{} {client} token {token}: {verdict}", clock(write.at)),
            );
        }
        self.rows
    }

    fn txn(mut self, id: TxnId) -> Vec<Row<'a>> {
        let board = self.scene.board;
        let Some(txn) = board.txns.get(id) else {
            return self.plain(&format!("Nothing has been heard of {id} up to here."));
        };
        self.head(&format!("transaction {id}"));
        match &txn.op {
            Some(op) => self.tell("does", op.to_string()),
            None => self.unknown("does", "its begin was not seen"),
        }
        self.tell("coordinator", id.coordinator.to_string());
        self.tell("since", clock(txn.since));
        for node in txn.parts() {
            let vote = txn.votes.get(&node).map_or("has not voted".to_owned(), |vote| {
                let vote_word = if vote.yes { "yes" } else { "no" };
                format!("votes {vote_word} at {}", clock(vote.at))
            });
            let end = txn.resolved.get(&node).map_or(String::new(), |end| {
                let word = if end.commit { "commits" } else { "aborts" };
                format!(", {word} at {}", clock(end.at))
            });
            self.tell(&node.to_string(), format!("{vote}{end}"));
        }
        match txn.decision {
            Some((commit, at)) => {
                let word = if commit { "commit" } else { "abort" };
                self.tell("decision", format!("{word} at {}", clock(at)));
            }
            None => self.tell("decision", "none so far"),
        }
        self.tell("next", txn.next(board));
        self.rows
    }
}

/// To the microsecond.
fn exact(at: Time) -> String {
    format!("{}.{:06}", at.0 / 1_000_000, at.0 % 1_000_000)
}
