//! What a client asks for next.

use super::calls::{Calls, Finished};
use super::leases::Leases;
use super::tx;
use super::{Client, Load, Sharing, Timer};
use crate::base::{
    CallId, Content, FileOp, Leg, LockMode, Name, Op, Outcome, Span, Time, Token, Transfer,
};
use crate::event::LetGo;
use crate::proto::Context;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A second, in microseconds.
const SECOND: u64 = 1_000_000;
/// At the least so many microseconds lie between two operations.
const SHORTEST: u64 = 1_000;

/// So many calls without an answer are enough.
const MOST_OPEN: usize = 256;

/// A grant that the load works under.
#[derive(Clone, Debug)]
struct Work {
    lock: Name,
    token: Token,
    hold: Span,
    mode: LockMode,
}

/// What the load is doing.
#[derive(Clone, Debug)]
enum Doing {
    /// Nothing: it waits for its time.
    Nothing,
    /// It waits for the answer to this call.
    Call(u64),
    /// It waits for a lock, to keep it for so long.
    Acquiring(u64, Span),
    /// It was granted a lock, and waits for the renewal that tells how long it is good for.
    Confirming(Work),
    /// It holds a lock.
    Holding(Work),
}

/// The loads of one client.
#[derive(Clone, Debug)]
pub(super) struct Loads {
    loads: Arc<[Load]>,
    rate: u32,
    careful: bool,
    doing: Doing,
    /// What this client wrote, for those who read it back, and what was read last.
    written: BTreeSet<Name>,
    read_last: Option<Name>,
    /// In the transaction that it has opened.
    tx: tx::Work,
}

/// `prefix/1` to `prefix/n`, by chance; none if there are none.
pub(super) fn one_of(prefix: &str, n: u32, cx: &mut Context<'_, Client>) -> Option<Name> {
    let number = 1 + cx.rng().below(u64::from(n));
    let name = format!("{prefix}/{number}").parse().expect("a word and a number are a name");
    (n > 0).then_some(name)
}

/// `legs` different accounts, of which all but the last give up to `most` in all.
fn gifts(legs: u8, accounts: u32, most: i64, cx: &mut Context<'_, Client>) -> Vec<Leg> {
    let mut keys: Vec<Name> = Vec::new();
    while keys.len() < usize::from(legs) && keys.len() < accounts as usize {
        keys.extend(one_of("acct", accounts, cx).filter(|key| !keys.contains(key)));
    }
    let part = u64::try_from(most).unwrap_or(1) / u64::from(legs.max(2) - 1);
    let last = keys.pop();
    let mut gift = |key| {
        let amount = i64::try_from(cx.rng().between(1, part.max(1))).unwrap_or(1);
        Leg { key, by: -amount }
    };
    let mut legs: Vec<Leg> = keys.into_iter().map(&mut gift).collect();
    let all: i64 = legs.iter().map(|leg| leg.by).sum();
    legs.extend(last.map(|key| Leg { key, by: -all }));
    legs
}

/// A value that no other call of any client writes: it shows boot, client and number.
pub(super) fn value_of(call: CallId) -> i64 {
    let (boot, number) = (call.seq >> 32, call.seq & 0xFFFF_FFFF);
    let client = u64::from(call.client.number());
    let value = boot.saturating_sub(1).wrapping_mul(100_000_000_000_000);
    value.wrapping_add(client * 1_000_000_000).wrapping_add(number) as i64
}

/// Something that is done to one of so many files: nobody else puts the same bytes.
fn on_files(files: u32, size: u32, call: CallId, cx: &mut Context<'_, Client>) -> Option<FileOp> {
    let file = one_of("file", files, cx)?;
    Some(match cx.rng().below(20) {
        0 => FileOp::Remove { file },
        1..=8 => {
            let size = cx.rng().between(1, size.max(1).into());
            let size = u32::try_from(size).unwrap_or(u32::MAX);
            let seed = value_of(call).unsigned_abs();
            FileOp::Upload { file, content: Content::Made { size, seed } }
        }
        _ => FileOp::Download { file },
    })
}

impl Sharing {
    fn mode(self, cx: &mut Context<'_, Client>) -> LockMode {
        match self {
            Sharing::Alone => LockMode::Alone,
            Sharing::Permits(limit) => LockMode::OneOf(limit),
            Sharing::Reads(reads) if cx.rng().percent(reads) => LockMode::Read,
            Sharing::Reads(_) => LockMode::Alone,
        }
    }
}

impl Loads {
    pub(super) fn new(loads: Arc<[Load]>, rate: u32, careful: bool) -> Loads {
        let (written, doing) = (BTreeSet::new(), Doing::Nothing);
        Loads { loads, rate, careful, doing, written, read_last: None, tx: tx::Work::default() }
    }

    /// Sets the time of the next operation: `rate` a second, give or take a quarter.
    pub(super) fn tick(&self, cx: &mut Context<'_, Client>) {
        if self.rate == 0 || self.loads.iter().all(|load| matches!(load, Load::Watch)) {
            return;
        }
        let gap = (SECOND / u64::from(self.rate)).max(SHORTEST);
        let gap = cx.rng().span(Span(gap - gap / 4), Span(gap + gap / 4));
        cx.set(Timer::Next, gap);
    }

    /// Starts the next operation, unless one is under way.
    pub(super) fn next(&mut self, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        self.tick(cx);
        if !matches!(self.doing, Doing::Nothing) || calls.open() >= MOST_OPEN {
            return;
        }
        let call = cx.new_call();
        let loads = self.loads.clone();
        let Some(load) = cx.rng().pick(&loads) else { return };
        let Some(op) = self.choose(load, call, cx) else { return };
        self.doing = match (load, &op) {
            (Load::Lock { hold, .. }, Op::Acquire { .. }) => Doing::Acquiring(call.seq, *hold),
            // Whoever visits does not wait for other visitors.
            (Load::Request { .. }, _) => Doing::Nothing,
            _ => Doing::Call(call.seq),
        };
        self.remember_key(&op);
        calls.begin(call, op, cx);
    }

    fn choose(&self, load: &Load, call: CallId, cx: &mut Context<'_, Client>) -> Option<Op> {
        Some(match load {
            Load::ReadWrite { keys, writes } => {
                let key = one_of("key", *keys, cx)?;
                match cx.rng().percent(*writes) {
                    true => Op::Put { key, value: value_of(call) },
                    false => Op::Get { key },
                }
            }
            Load::Count { counters } => Op::Add { key: one_of("count", *counters, cx)?, by: 1 },
            Load::Lock { locks, ttl, share, .. } => {
                let lock = cx.rng().pick(locks)?.clone();
                Op::Acquire { lock, ttl: *ttl, mode: share.mode(cx) }
            }
            Load::Bank { accounts, most, legs: legs @ 3.. } => {
                Op::Move { legs: gifts(*legs, *accounts, *most, cx).into() }
            }
            Load::Bank { accounts, most, .. } => {
                let (from, to) = (one_of("acct", *accounts, cx)?, one_of("acct", *accounts, cx)?);
                let amount = cx.rng().between(1, u64::try_from(*most).ok()?.max(1));
                let amount = i64::try_from(amount).ok()?;
                // Whoever would pay himself looks at his account instead.
                match from == to {
                    true => Op::Get { key: from },
                    false => Op::Transfer(Transfer { from, to, amount }),
                }
            }
            Load::Transact { keys } => self.tx.next(*keys, call, cx)?,
            Load::Request { keys } => Op::Request { key: one_of("key", *keys, cx)? },
            Load::Delete { keys } => Op::Delete { key: one_of("key", *keys, cx)? },
            Load::Watch => return None,
            Load::Files { files, size } => Op::File(on_files(*files, *size, call, cx)?),
            Load::ReadBack => Op::Get { key: self.next_to_read()? },
        })
    }

    fn next_to_read(&self) -> Option<Name> {
        let after = self.read_last.as_ref().and_then(|last| {
            self.written
                .range::<Name, _>((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded))
                .next()
        });
        after.or_else(|| self.written.first()).cloned()
    }

    /// Keeps in mind what is to be read back.
    pub(super) fn remember_key(&mut self, op: &Op) {
        if !self.loads.iter().any(|load| matches!(load, Load::ReadBack)) {
            return;
        }
        match op {
            Op::Put { key, .. } | Op::Add { key, .. } => drop(self.written.insert(key.clone())),
            Op::Get { key } => self.read_last = Some(key.clone()),
            _ => {}
        }
    }

    /// A call is over.
    pub(super) fn finished(
        &mut self,
        finished: &Finished,
        leases: &Leases,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) {
        self.tx.finished(finished, cx);
        match (&self.doing, &*finished.op, &finished.outcome) {
            (Doing::Call(seq), ..) if *seq == finished.seq => self.doing = Doing::Nothing,
            (Doing::Acquiring(seq, hold), Op::Acquire { lock, mode, .. }, outcome)
                if *seq == finished.seq =>
            {
                let (lock, hold, mode) = (lock.clone(), *hold, *mode);
                self.doing = Doing::Nothing;
                if let Outcome::Granted { token } = *outcome {
                    let work = Work { lock, token, hold, mode };
                    match leases.until(&work.lock, token) {
                        Some(_) => self.work(work, leases, calls, cx),
                        None => self.doing = Doing::Confirming(work),
                    }
                }
            }
            (Doing::Confirming(work), Op::Renew { token, .. }, _) if *token == work.token => {
                self.work(work.clone(), leases, calls, cx);
            }
            (Doing::Holding(work), Op::Renew { token, .. }, Outcome::Granted { .. })
                if *token == work.token =>
            {
                self.renew_at_half(leases, cx);
            }
            _ => {}
        }
        self.check_lease(leases, calls, cx);
    }

    /// Begins to work under a grant, or gives it back if its time is over already.
    fn work(
        &mut self,
        work: Work,
        leases: &Leases,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) {
        let hold = work.hold;
        self.doing = Doing::Holding(work);
        cx.set(Timer::GiveBack, hold);
        self.write_later(cx);
        self.renew_at_half(leases, cx);
        self.check_lease(leases, calls, cx);
    }

    fn write_later(&self, cx: &mut Context<'_, Client>) {
        if let Doing::Holding(Work { hold, mode: LockMode::Alone, .. }) = self.doing {
            let gap = cx.rng().span(Span(hold.0 / 8), Span(hold.0 / 2));
            cx.set(Timer::Write, Span(gap.0.max(SHORTEST)));
        }
    }

    fn renew_at_half(&self, leases: &Leases, cx: &mut Context<'_, Client>) {
        if let Some(until) = self.lease_end(leases) {
            let left = until.since(cx.now());
            cx.set(Timer::Renew, Span((left.0 / 2).max(SHORTEST)));
        }
    }

    /// When the lease of the work at hand runs out; none if there is none any more.
    fn lease_end(&self, leases: &Leases) -> Option<Time> {
        match &self.doing {
            Doing::Holding(work) => leases.until(&work.lock, work.token),
            _ => None,
        }
    }

    /// Stops working if the grant is not believed to be held any more.
    pub(super) fn check_lease(
        &mut self,
        leases: &Leases,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) {
        if let Doing::Holding(_) = self.doing
            && self.lease_end(leases).is_none()
        {
            self.release(calls, cx);
        }
    }

    /// Ends the work and tells the service, which may still count the lock as held.
    fn release(&mut self, calls: &mut Calls, cx: &mut Context<'_, Client>) {
        for timer in [Timer::Renew, Timer::Write, Timer::GiveBack] {
            cx.cancel(timer);
        }
        let call = cx.new_call();
        let doing = std::mem::replace(&mut self.doing, Doing::Call(call.seq));
        if let Doing::Holding(Work { lock, token, .. }) = doing {
            calls.begin(call, Op::Release { lock, token }, cx);
        }
    }

    /// Half of the lease is over.
    pub(super) fn renew(
        &mut self,
        leases: &Leases,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) {
        if let (Doing::Holding(work), Some(_)) = (&self.doing, self.lease_end(leases)) {
            let Work { lock, token, .. } = work.clone();
            let call = cx.new_call();
            calls.begin(call, Op::Renew { lock, token }, cx);
        }
    }

    /// It is time to write. A careful client looks at its clock first: it may have slept.
    pub(super) fn write(
        &mut self,
        leases: &mut Leases,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) {
        if self.careful {
            leases.run_out(cx);
            self.check_lease(leases, calls, cx);
        }
        if let Doing::Holding(work) = &self.doing {
            let Work { lock: resource, token, .. } = work.clone();
            let call = cx.new_call();
            calls.begin(call, Op::Write { resource, token, value: value_of(call) }, cx);
            self.write_later(cx);
        }
    }

    /// The lock was kept for long enough.
    pub(super) fn give_back(
        &mut self,
        leases: &mut Leases,
        calls: &mut Calls,
        cx: &mut Context<'_, Client>,
    ) {
        leases.run_out(cx);
        if let Doing::Holding(Work { lock, token, .. }) = &self.doing {
            leases.let_go(lock, *token, LetGo::Released, cx);
        }
        self.check_lease(leases, calls, cx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::NodeId;

    #[test]
    fn no_two_calls_write_the_same_value() {
        let mut values = BTreeSet::new();
        for client in [1, 2, 9_999] {
            for boot in [1, 2, 3] {
                for number in [1, 2, 1_000_000] {
                    let client = NodeId::client(client);
                    assert!(values.insert(value_of(CallId { client, seq: boot << 32 | number })));
                }
            }
        }
        assert!(values.contains(&1_000_000_002));
    }
}
