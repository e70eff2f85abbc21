//! How much and how fast: calls and messages over time, and how long calls took.
//!
//! Time is cut into bins of equal length. There are at most [`BINS`] of them: when a run gets
//! longer, every two become one, so that memory is bounded and the whole run stays in sight. Boards
//! share the bins that they have in common, so keeping one costs little.
//!
//! How long calls took is counted in buckets that grow with the length, four for each doubling: a
//! percentile is off by an eighth at the most, however short or long it is.
//!
//! A call belongs to the node that was asked last, and to the moment at which its caller heard.

use super::clients::Verdict;
use crate::base::{NodeId, ServiceId, Span, Time};
use crate::event::Label;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many bins there are at the most.
pub const BINS: usize = 256;
/// How many kinds of messages are told apart; later ones count as their service's.
pub const KINDS: usize = 96;
/// How long a bin is at first.
const FIRST: Span = Span::millis(50);

/// How long things took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Buckets that are not empty, in order, and how much is in each.
    buckets: Vec<(u8, u32)>,
    longest: Span,
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, span: Span) {
        self.put(bucket(span.0), 1);
        self.longest = self.longest.max(span);
    }

    fn put(&mut self, bucket: u8, count: u32) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(count),
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// Counts all that another counted.
    pub fn merge(&mut self, other: &Histogram) {
        other.buckets.iter().for_each(|(bucket, count)| self.put(*bucket, *count));
        self.longest = self.longest.max(other.longest);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The longest of all; zero if there is none.
    pub fn longest(&self) -> Span {
        self.longest
    }

    /// How long so many of 1000 took at the most, give or take an eighth; none if nothing was
    /// counted.
    pub fn quantile(&self, of_1000: u64) -> Option<Span> {
        let rank = (self.count() * of_1000.min(1_000)).div_ceil(1_000).max(1);
        let mut seen = 0;
        let found = self.buckets.iter().find(|(_, count)| {
            seen += u64::from(*count);
            seen >= rank
        });
        found.map(|(bucket, _)| middle(*bucket).min(self.longest))
    }

    /// How many took at least `from` and less than `to`, by the middles of their buckets.
    pub fn between(&self, from: Span, to: Span) -> u64 {
        let within = |bucket: &u8| (from..to).contains(&middle(*bucket));
        let counts = self.buckets.iter().filter(|(bucket, _)| within(bucket));
        counts.map(|(_, count)| u64::from(*count)).sum()
    }
}

/// The bucket of a number of microseconds: exact up to 8, then four for each doubling.
fn bucket(micros: u64) -> u8 {
    if micros < 8 {
        return micros as u8;
    }
    let doubling = 63 - micros.leading_zeros();
    (8 + (doubling - 3) * 4 + (micros >> (doubling - 2) & 3) as u32) as u8
}

/// The middle of a bucket.
fn middle(bucket: u8) -> Span {
    if bucket < 8 {
        return Span(bucket.into());
    }
    let (doubling, part) = (u32::from(bucket - 8) / 4 + 3, u64::from(bucket - 8) % 4);
    let width = 1_u64 << (doubling - 2);
    Span((4 + part).saturating_mul(width).saturating_add(width / 2))
}

/// Calls that were answered, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// How many took effect.
    pub ok: u64,
    /// How many were refused or aborted.
    pub refused: u64,
    /// How many have an unknown outcome.
    pub unknown: u64,
    /// How long those took that took effect.
    pub took: Histogram,
}

impl Calls {
    fn count(&mut self, verdict: Verdict, took: Option<Span>) {
        match verdict {
            Verdict::Ok => self.ok += 1,
            Verdict::Refused => self.refused += 1,
            Verdict::Unknown => self.unknown += 1,
        }
        if let (Verdict::Ok, Some(took)) = (verdict, took) {
            self.took.add(took);
        }
    }

    /// Counts all that another counted.
    pub fn merge(&mut self, other: &Calls) {
        self.ok += other.ok;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.took.merge(&other.took);
    }

    /// How many ended, in whatever way.
    pub fn total(&self) -> u64 {
        self.ok + self.refused + self.unknown
    }
}

/// Messages that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many were sent.
    pub sent: u64,
    /// How many are lost.
    pub lost: u64,
}

impl Traffic {
    fn merge(&mut self, other: Traffic) {
        self.sent += other.sent;
        self.lost += other.lost;
    }
}

/// What happened within one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// Calls, by the node that was asked last.
    pub calls: BTreeMap<NodeId, Calls>,
    /// Messages, by service.
    pub traffic: BTreeMap<ServiceId, Traffic>,
    /// How many messages were sent, by the number of their kind.
    sent: Vec<u32>,
}

impl Bin {
    /// Adds what another one has.
    pub fn merge(&mut self, other: &Bin) {
        for (node, calls) in &other.calls {
            self.calls.entry(*node).or_default().merge(calls);
        }
        for (service, traffic) in &other.traffic {
            self.traffic.entry(*service).or_default().merge(*traffic);
        }
        other.sent.iter().enumerate().for_each(|(kind, count)| self.count(kind, *count));
    }

    fn count(&mut self, kind: usize, count: u32) {
        if kind >= self.sent.len() {
            self.sent.resize(kind + 1, 0);
        }
        self.sent[kind] = self.sent[kind].saturating_add(count);
    }

    /// The calls of all nodes.
    pub fn all(&self) -> Calls {
        let mut all = Calls::default();
        self.calls.values().for_each(|calls| all.merge(calls));
        all
    }
}

/// A kind of message: a service, and the first word of what its messages say.
pub type MessageKind = (ServiceId, Arc<str>);

/// Calls and messages over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    width: Span,
    bins: Vec<Arc<Bin>>,
    kinds: Arc<Vec<(MessageKind, Traffic)>>,
    /// The number of each kind: how many others were seen before it.
    numbers: Arc<Vec<usize>>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics { width: FIRST, bins: Vec::new(), kinds: Arc::default(), numbers: Arc::default() }
    }
}

impl Metrics {
    /// How long a bin is.
    pub fn width(&self) -> Span {
        self.width
    }

    /// The bins from the start of the run on, one after the other.
    pub fn bins(&self) -> &[Arc<Bin>] {
        &self.bins
    }

    /// The whole run in at most so many parts of equal length, and that length.
    pub fn parts(&self, most: usize) -> (Span, Vec<Bin>) {
        let each = self.bins.len().div_ceil(most.max(1)).max(1);
        let sum = |bins: &[Arc<Bin>]| {
            let mut sum = Bin::default();
            bins.iter().for_each(|bin| sum.merge(bin));
            sum
        };
        (self.width.times(each as u64), self.bins.chunks(each).map(sum).collect())
    }

    /// All that happened from `from` on, in whole bins.
    pub fn since(&self, from: Time) -> Bin {
        let mut sum = Bin::default();
        let first = usize::try_from(from.0 / self.width.0).unwrap_or(usize::MAX);
        self.bins.iter().skip(first).for_each(|bin| sum.merge(bin));
        sum
    }

    /// The kinds of messages, in order of their services and words.
    pub fn kinds(&self) -> &[(MessageKind, Traffic)] {
        &self.kinds
    }

    /// How many messages of a kind were sent in a bin. The kind is told by its place in `kinds`.
    pub fn sent_in(&self, bin: &Bin, kind: usize) -> u64 {
        let number = self.numbers.get(kind).copied().unwrap_or(usize::MAX);
        bin.sent.get(number).copied().unwrap_or(0).into()
    }

    /// The bin of a time. Where there would be too many, every two become one first.
    fn bin(&mut self, at: Time) -> &mut Bin {
        while at.0 / self.width.0 >= BINS as u64 {
            self.width = self.width.times(2);
            self.bins = self.bins.chunks(2).map(join).collect();
        }
        let index = (at.0 / self.width.0) as usize;
        if index >= self.bins.len() {
            self.bins.resize(index + 1, Arc::default());
        }
        Arc::make_mut(&mut self.bins[index])
    }

    /// A call ended: `asked` was asked for it last, if that was seen.
    pub(super) fn returned(
        &mut self,
        at: Time,
        asked: Option<NodeId>,
        verdict: Verdict,
        took: Option<Span>,
    ) {
        let asked = asked.unwrap_or(NodeId::BENCH);
        self.bin(at).calls.entry(asked).or_default().count(verdict, took);
    }

    /// A message was sent.
    pub(super) fn sent(&mut self, at: Time, service: ServiceId, label: &Label) {
        let kind = self.kind(service, label);
        Arc::make_mut(&mut self.kinds)[kind].1.sent += 1;
        let number = self.numbers[kind];
        let bin = self.bin(at);
        bin.traffic.entry(service).or_default().sent += 1;
        bin.count(number, 1);
    }

    /// A message was lost.
    pub(super) fn lost(&mut self, at: Time, service: ServiceId, label: &Label) {
        self.bin(at).traffic.entry(service).or_default().lost += 1;
        let kind = self.kind(service, label);
        Arc::make_mut(&mut self.kinds)[kind].1.lost += 1;
    }

    /// The place of a kind, which it has from now on if it is new.
    fn kind(&mut self, service: ServiceId, label: &Label) -> usize {
        let place = |kinds: &[(MessageKind, Traffic)], word: &str| {
            kinds.binary_search_by(|((other, kind), _)| (*other, &**kind).cmp(&(service, word)))
        };
        let word = match place(&self.kinds, label.kind()) {
            Err(_) if self.kinds.len() >= KINDS => "",
            _ => label.kind(),
        };
        place(&self.kinds, word).unwrap_or_else(|at| {
            let kinds = Arc::make_mut(&mut self.kinds);
            Arc::make_mut(&mut self.numbers).insert(at, kinds.len());
            kinds.insert(at, ((service, word.into()), Traffic::default()));
            at
        })
    }
}

fn join(pair: &[Arc<Bin>]) -> Arc<Bin> {
    match pair {
        [first, second] => {
            let mut sum = Bin::clone(first);
            sum.merge(second);
            Arc::new(sum)
        }
        rest => rest.first().cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_off_by_an_eighth_at_the_most() {
        for micros in (0..64).flat_map(|power| [0, 1, 7].map(|more| (1_u64 << power) + more)) {
            let mut one = Histogram::default();
            one.add(Span(micros));
            one.add(Span(u64::MAX));
            let half = one.quantile(500).unwrap_or_default().0;
            let off = half.abs_diff(micros);
            assert!(off <= micros / 8, "{micros} is counted as {half}");
        }
        let mut many = Histogram::default();
        (1..=1_000).for_each(|millis| many.add(Span::millis(millis)));
        for (of_1000, millis) in [(500, 500), (950, 950), (990, 990)] {
            let found = many.quantile(of_1000).unwrap_or_default().0 / 1_000;
            assert!(found.abs_diff(millis) <= millis / 8, "{of_1000}: {found}");
        }
        assert_eq!((many.count(), many.longest()), (1_000, Span::millis(1_000)));
        assert_eq!(Histogram::default().quantile(500), None);
    }

    #[test]
    fn however_long_the_run_the_bins_stay_few_and_nothing_is_lost() {
        let mut metrics = Metrics::default();
        for second in 0..100_000 {
            let at = Time(second * 1_000_000);
            metrics.returned(at, Some(NodeId::node(1)), Verdict::Ok, Some(Span::millis(3)));
            metrics.sent(at, ServiceId::Log, &Label::NONE);
        }
        assert!((BINS / 2..=BINS).contains(&metrics.bins().len()));
        let sum = metrics.since(Time::ZERO);
        assert_eq!((sum.all().ok, sum.all().took.count()), (100_000, 100_000));
        assert_eq!(sum.traffic[&ServiceId::Log].sent, 100_000);
        assert_eq!(metrics.kinds().len(), 1);
        let (length, parts) = metrics.parts(10);
        assert!(parts.len() <= 10 && length.times(10) >= Span::secs(99_999));
        assert_eq!(parts.iter().map(|part| part.all().ok).sum::<u64>(), 100_000);
    }
}
