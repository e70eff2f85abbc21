//! What time it is: what those say who are there.
//!
//! A cluster's time is the time since it was founded, which a process that starts knows by its
//! machine's clock. Where that clock is wrong, all that the process says would seem to come from
//! another hour. So it asks its peers first. A clock that jumps later does not matter.

use super::call::visit;
use super::{Site, close};
use crate::base::{NodeId, Span, Time};
use crate::live::agent::{BELIEVED, Epoch};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::net::SocketAddr;
use std::time::Duration;

/// How long peers are waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// How far the cluster's time is from ours, in microseconds; more than nothing if it is later.
fn ahead(theirs: Time, ours: Time) -> i128 {
    i128::from(theirs.0) - i128::from(ours.0)
}

/// The time that peers go by, if that is not ours: the one in the middle, if they do not agree
/// either. One of them that agrees with us is enough to go on at once.
pub(super) async fn agree(site: &Site, ours: Epoch) -> Option<Epoch> {
    let hello = site.hello();
    let name = site.cluster.any_node();
    let addresses = site.addresses();
    let visits = addresses.iter().map(|address| {
        let whom = (*address, name.as_str());
        visit(&site.endpoint, site.dialling.clone(), whom, &hello, PATIENCE)
    });
    let mut visits: FuturesUnordered<_> = visits.collect();
    let mut told = Vec::new();
    while let Some(visited) = visits.next().await {
        let Ok((call, welcome)) = visited else { continue };
        close::DONE.on(&call.connection, "");
        let ahead = ahead(welcome.now, ours.now());
        if ahead.unsigned_abs() <= u128::from(BELIEVED.0) {
            return None;
        }
        told.push((ahead, welcome.who));
    }
    told.sort_unstable();
    let (ahead, who) = *told.get(told.len() / 2)?;
    complain(site.me, ahead, who);
    let now = i128::from(ours.now().0) + ahead;
    Some(Epoch::new(Time(u64::try_from(now).unwrap_or_default())))
}

fn complain(me: NodeId, ahead: i128, who: NodeId) {
    let off = Span::secs(u64::try_from(ahead.unsigned_abs() / 1_000_000).unwrap_or(u64::MAX));
    let way = if ahead > 0 { "behind" } else { "ahead" };
    tracing::warn!(
        "{me}: this machine's clock is {off} {way} of {who}'s, which is what {me} goes by: set it"
    );
}

impl Site {
    /// Where peers are, as far as is known.
    fn addresses(&self) -> Vec<SocketAddr> {
        let book = self.book.borrow();
        book.entries().filter(|entry| self.knows(entry.id)).map(|entry| entry.addr).collect()
    }
}
