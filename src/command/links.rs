//! Which links a network command hits, and what it does to each: the one place that says so. The
//! network's rules act by it, and whoever watches a cluster draws by it.

use super::{ClockFault, Command, DiskFault, Link, Target};
use crate::base::{NodeId, Span};

/// What is wrong with one direction of one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Nothing gets through.
    pub cut: bool,
    /// Everything is kept back until released.
    pub hold: bool,
    /// Added to every message's way.
    pub delay: Span,
    /// Up to this much is added on top, by chance.
    pub jitter: Span,
    /// This many of 100 are lost.
    pub loss: u8,
    /// This many of 100 arrive twice.
    pub duplicate: u8,
    /// This many of 100 are held back by up to ten times the usual way.
    pub reorder: u8,
}

impl Fault {
    /// The commands that make a sound link from `from` to `to` as bad as this.
    pub fn commands(&self, from: NodeId, to: NodeId) -> Vec<Command> {
        let link = || Link::OneWay(Target::just(from), Target::just(to));
        let Fault { cut, hold, delay, jitter, loss, duplicate, reorder } = *self;
        let share = |percent: u8, command: Command| (percent > 0).then_some(command);
        let slow = delay > Span::ZERO || jitter > Span::ZERO;
        let commands = [
            cut.then(|| Command::Cut(link())),
            hold.then(|| Command::Hold(link())),
            slow.then(|| Command::Delay { link: link(), by: delay, jitter }),
            share(loss, Command::Loss { link: link(), percent: loss }),
            share(duplicate, Command::Duplicate { link: link(), percent: duplicate }),
            share(reorder, Command::Reorder { link: link(), percent: reorder }),
        ];
        commands.into_iter().flatten().collect()
    }
}

impl Target {
    /// One process, by name.
    pub fn just(id: NodeId) -> Target {
        Target::Nodes(vec![id])
    }

    /// The processes, if they are named; none for a word that is not resolved.
    pub fn nodes(&self) -> &[NodeId] {
        match self {
            Target::Nodes(nodes) => nodes,
            _ => &[],
        }
    }
}

impl Link {
    /// The directed links meant, sorted, in a cluster of the processes `all`.
    pub fn pairs(&self, all: &[NodeId]) -> Vec<(NodeId, NodeId)> {
        let pairs = match self {
            Link::All => both(all, all),
            Link::Of(who) => both(who.nodes(), all),
            Link::Between(a, b) => both(a.nodes(), b.nodes()),
            Link::OneWay(from, to) => one_way(from.nodes(), to.nodes()),
        };
        tidy(pairs)
    }

    /// Whom it names.
    pub fn targets(&self) -> Vec<&Target> {
        match self {
            Link::All => Vec::new(),
            Link::Of(who) => vec![who],
            Link::Between(a, b) | Link::OneWay(a, b) => vec![a, b],
        }
    }
}

impl Command {
    /// The directed links that a network command hits, sorted, in a cluster of the processes
    /// `all`, which are sorted too. None for other commands.
    pub fn links(&self, all: &[NodeId]) -> Vec<(NodeId, NodeId)> {
        match self {
            Command::Partition(groups) => tidy(between_groups(groups)),
            Command::Isolate(who) => Link::Of(who.clone()).pairs(all),
            Command::Bridge(who) => tidy(bridge(who.nodes(), all)),
            Command::Star(who) => tidy(star(who.nodes(), all)),
            Command::Ring => tidy(ring(all)),
            Command::Cut(link)
            | Command::Heal(link)
            | Command::Delay { link, .. }
            | Command::Loss { link, .. }
            | Command::Duplicate { link, .. }
            | Command::Reorder { link, .. }
            | Command::Hold(link)
            | Command::Release(link) => link.pairs(all),
            _ => Vec::new(),
        }
    }

    /// What it does to each of the links that it hits.
    pub fn alter(&self, fault: &mut Fault) {
        match self {
            Command::Partition(_)
            | Command::Isolate(_)
            | Command::Bridge(_)
            | Command::Star(_)
            | Command::Ring
            | Command::Cut(_) => fault.cut = true,
            Command::Heal(_) => *fault = Fault::default(),
            Command::Delay { by, jitter, .. } => (fault.delay, fault.jitter) = (*by, *jitter),
            Command::Loss { percent, .. } => fault.loss = *percent,
            Command::Duplicate { percent, .. } => fault.duplicate = *percent,
            Command::Reorder { percent, .. } => fault.reorder = *percent,
            Command::Hold(_) => fault.hold = true,
            Command::Release(_) => fault.hold = false,
            _ => {}
        }
    }
}

/// What is wrong with the outgoing links of `who`, with its clock (how many microseconds it was
/// set ahead, how many millionths it gains) and with its disk, as commands that would make it so.
pub fn in_force(
    who: NodeId,
    links: impl IntoIterator<Item = (NodeId, Fault)>,
    (offset, drift): (i64, i32),
    slow: Span,
) -> Vec<Command> {
    let links = links.into_iter().flat_map(|(to, fault)| fault.commands(who, to));
    let clock = |fault| Command::Clock { who: Target::just(who), fault };
    let disk = |fault| Command::Disk { who: Target::just(who), fault };
    let others = [
        (offset != 0).then(|| clock(ClockFault::Offset(offset))),
        (drift != 0).then(|| clock(ClockFault::Drift(drift))),
        (slow > Span::ZERO).then(|| disk(DiskFault::Slow(slow))),
    ];
    links.chain(others.into_iter().flatten()).collect()
}

fn one_way(from: &[NodeId], to: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    from.iter().flat_map(|from| to.iter().map(|to| (*from, *to))).collect()
}

fn both(a: &[NodeId], b: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    [one_way(a, b), one_way(b, a)].concat()
}

fn tidy(mut pairs: Vec<(NodeId, NodeId)>) -> Vec<(NodeId, NodeId)> {
    pairs.retain(|(from, to)| from != to);
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn between_groups(groups: &[Target]) -> Vec<(NodeId, NodeId)> {
    let later = |i: usize| groups[i + 1..].iter();
    let pairs = groups.iter().enumerate().flat_map(|(i, a)| later(i).map(move |b| (a, b)));
    pairs.flat_map(|(a, b)| both(a.nodes(), b.nodes())).collect()
}

/// The servers, in order, without clients.
fn servers(all: &[NodeId]) -> Vec<NodeId> {
    all.iter().copied().filter(|id| !id.is_client()).collect()
}

fn bridge(bridges: &[NodeId], all: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let mut others = servers(all);
    others.retain(|id| !bridges.contains(id));
    let (left, right) = others.split_at(others.len().div_ceil(2));
    both(left, right)
}

fn star(middle: &[NodeId], all: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let mut others = servers(all);
    others.retain(|id| !middle.contains(id) && !middle.is_empty());
    both(&others, &others)
}

fn ring(all: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let nodes = servers(all);
    let mut pairs = Vec::new();
    for (i, a) in nodes.iter().enumerate() {
        for (j, b) in nodes.iter().enumerate().skip(i + 1) {
            let distance = (j - i).min(nodes.len() - (j - i));
            // So many neighbours on each side make a majority together with the node itself.
            if distance > (nodes.len() / 2).div_ceil(2) {
                pairs.extend([(*a, *b), (*b, *a)]);
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(command: &str) -> String {
        let all: Vec<NodeId> =
            ["n1", "n2", "n3", "n4", "n5", "c1"].iter().map(|id| id.parse().unwrap()).collect();
        let links = command.parse::<Command>().unwrap().links(&all);
        let mut words = Vec::new();
        for (a, b) in &links {
            match links.contains(&(*b, *a)) {
                true if a < b => words.push(format!("{a}~{b}")),
                true => {}
                false => words.push(format!("{a}>{b}")),
            }
        }
        words.join(" ")
    }

    #[test]
    fn a_fault_is_made_by_its_own_commands() {
        let (n1, n2) = (NodeId::node(1), NodeId::node(2));
        let by = Span::millis(3);
        let bad =
            Fault { cut: true, hold: true, delay: by, jitter: by, loss: 1, ..Fault::default() };
        for fault in [bad, Fault { duplicate: 4, reorder: 5, ..bad }, Fault::default()] {
            let mut made = Fault::default();
            for command in fault.commands(n1, n2) {
                assert_eq!(command.links(&[n1, n2]), [(n1, n2)]);
                command.alter(&mut made);
            }
            assert_eq!(made, fault);
        }
    }

    #[test]
    fn what_is_wrong_with_a_process_comes_to_commands() {
        let (n1, n2) = (NodeId::node(1), NodeId::node(2));
        let cut = Fault { cut: true, ..Fault::default() };
        let wrong = in_force(n1, [(n2, cut)], (250, -7), Span::millis(3));
        let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        let expected =
            ["partition n1 -> n2", "clock n1 +250us", "clock n1 drift -7", "disk n1 slow 3ms"];
        assert_eq!(lines, expected);
        assert_eq!(in_force(n1, [], (0, 0), Span::ZERO), []);
    }

    #[test]
    fn each_form_hits_the_links_that_it_names() {
        assert_eq!(hits("partition n1,n2 | n3"), "n1~n3 n2~n3");
        assert_eq!(hits("partition n1 -> n2"), "n1>n2");
        assert_eq!(hits("isolate n1"), "n1~n2 n1~n3 n1~n4 n1~n5 n1~c1");
        assert_eq!(hits("bridge n3"), "n1~n4 n1~n5 n2~n4 n2~n5");
        assert_eq!(hits("star n3"), "n1~n2 n1~n4 n1~n5 n2~n4 n2~n5 n4~n5");
        assert_eq!(hits("star leader"), "", "a word hits nobody until it is resolved");
        assert_eq!(hits("ring"), "n1~n3 n1~n4 n2~n4 n2~n5 n3~n5");
        assert_eq!(hits("loss n1 ~ n2 5%"), "n1~n2");
        assert_eq!(hits("kill n1"), "");
        assert_eq!(hits("isolate leader"), "", "a word hits nobody until it is resolved");
    }
}
