//! Who depends on whom, and circles of it.

use crate::base::{CallId, Isolation, Name};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// How one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edge {
    /// The other wrote the next version.
    Ww,
    /// The other read what it wrote.
    Wr,
    /// The other wrote over what it had read.
    Rw,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Edge::Ww => "ww",
            Edge::Wr => "wr",
            Edge::Rw => "rw",
        })
    }
}

/// A way: from each transaction, by which edge, about which key.
pub(super) type Path = Vec<(CallId, Edge, Name)>;

/// The graph of those that committed.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph(BTreeMap<CallId, BTreeSet<(CallId, Edge, Name)>>);

/// Which circles are sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sought {
    /// Any, with what serializable transactions have read.
    Any,
    /// Those where no two rw follow each other, with what transactions on snapshots have read, too.
    /// The first edge is one, or is none.
    Apart { first: bool },
}

impl Graph {
    pub(super) fn add(&mut self, from: CallId, edge: Edge, to: CallId, key: &Name) {
        self.0.entry(from).or_default().insert((to, edge, key.clone()));
    }

    pub(super) fn forget(&mut self, tx: CallId) {
        self.0.remove(&tx);
    }

    /// A circle through `tx` that the levels in it forbid.
    pub(super) fn circle(
        &self,
        tx: CallId,
        level: &dyn Fn(CallId) -> Option<Isolation>,
    ) -> Option<Path> {
        let kinds = [Sought::Any, Sought::Apart { first: false }, Sought::Apart { first: true }];
        kinds.into_iter().find_map(|sought| self.search(tx, sought, level))
    }

    fn search(
        &self,
        start: CallId,
        sought: Sought,
        level: &dyn Fn(CallId) -> Option<Isolation>,
    ) -> Option<Path> {
        let mut seen = BTreeSet::new();
        let mut queue: VecDeque<(CallId, Path)> = [(start, Path::new())].into();
        while let Some((at, path)) = queue.pop_front() {
            for (to, edge, key) in self.0.get(&at).into_iter().flatten() {
                let last = path.last().map(|(_, edge, _)| *edge);
                let closes = *to == start;
                let counts = counts(sought, *edge, level(at), level(*to));
                if !counts || !fits(sought, last, *edge, closes) {
                    continue;
                }
                let mut path = path.clone();
                path.push((at, *edge, key.clone()));
                if closes {
                    return Some(path);
                }
                if seen.insert((*to, *edge == Edge::Rw)) {
                    queue.push_back((*to, path));
                }
            }
        }
        None
    }
}

/// Whether an edge is an obligation of who reads.
fn counts(sought: Sought, edge: Edge, from: Option<Isolation>, to: Option<Isolation>) -> bool {
    let least = match sought {
        Sought::Any => Isolation::Serializable,
        Sought::Apart { .. } => Isolation::Snapshot,
    };
    match (edge, from, to) {
        (_, None, _) | (_, _, None) => false,
        (Edge::Ww, ..) => true,
        (Edge::Wr, _, Some(reader)) => reader >= Isolation::ReadCommitted,
        (Edge::Rw, Some(reader), _) => reader >= least,
    }
}

/// Whether an edge may follow the last one.
fn fits(sought: Sought, last: Option<Edge>, edge: Edge, closes: bool) -> bool {
    let Sought::Apart { first } = sought else { return true };
    let rw = edge == Edge::Rw;
    match last {
        None => rw == first && !(closes && rw),
        Some(last) => !(rw && (last == Edge::Rw || closes && first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::NodeId;

    fn tx(client: u16) -> CallId {
        CallId { client: NodeId::client(client), seq: 1 }
    }

    /// Whether transactions of this level may depend on each other so: `1 rw 2` …
    fn forbids(level: Isolation, edges: &[(u16, Edge, u16)]) -> bool {
        let mut graph = Graph::default();
        for (from, edge, to) in edges {
            graph.add(tx(*from), *edge, tx(*to), &"x".parse().unwrap());
        }
        graph.circle(tx(1), &|_| Some(level)).is_some()
    }

    #[test]
    fn each_level_forbids_its_circles_and_no_others() {
        let circles: [&[(u16, Edge, u16)]; 5] = [
            &[(1, Edge::Ww, 2), (2, Edge::Ww, 1)],
            &[(1, Edge::Ww, 2), (2, Edge::Wr, 1)],
            &[(1, Edge::Rw, 2), (2, Edge::Ww, 1)],
            &[(1, Edge::Rw, 2), (2, Edge::Wr, 3), (3, Edge::Rw, 4), (4, Edge::Wr, 1)],
            &[(1, Edge::Rw, 2), (2, Edge::Rw, 1)],
        ];
        let known = Isolation::ALL.map(|level| circles.map(|edges| forbids(level, edges)));
        assert_eq!(
            known,
            [
                [true, false, false, false, false],
                [true, true, false, false, false],
                [true, true, true, true, false],
                [true, true, true, true, true],
            ]
        );
    }

    #[test]
    fn no_circle_is_none() {
        assert!(!forbids(Isolation::Serializable, &[(1, Edge::Rw, 2), (2, Edge::Wr, 3)]));
    }
}
