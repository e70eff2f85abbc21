//! Other voters, and other leaders, in the middle of a storm.

use super::Order;
use crate::base::Op;
use crate::base::{NodeId, Rng, Span, Time, Voters};
use crate::command::Command;
use crate::plan::Plan;

/// The fewest voters that a storm leaves.
const FEWEST: usize = 2;

/// What half of the seeds ask of a log that can do it, until `calm`.
pub(super) fn changes(seed: u64, plan: &Plan, calm: Time) -> Vec<Order> {
    let nodes: Vec<NodeId> = plan.nodes.iter().map(|node| node.id).collect();
    let mut rng = Rng::split(seed, "voters", 0);
    let Some(log) = &plan.services.log else { return Vec::new() };
    let able = log.kind.can(&Op::Voters { voters: Voters::of([]) });
    if !able || nodes.len() <= FEWEST || rng.percent(50) {
        return Vec::new();
    }
    let mut orders = Vec::new();
    let mut voters = log.voters.clone().unwrap_or_else(|| Voters::of(nodes.iter().copied()));
    let mut at = Time(calm.0 / 20);
    while at < calm {
        let op = match rng.percent(50) {
            true => Op::Lead { node: any(&mut rng, &nodes) },
            false => {
                voters = others(&mut rng, &nodes, &voters);
                Op::Voters { voters: voters.clone() }
            }
        };
        orders.push((at, Command::Ask { who: any(&mut rng, &nodes), op }));
        at += rng.span(Span::millis(300), Span::millis(4_000));
    }
    orders
}

fn any(rng: &mut Rng, nodes: &[NodeId]) -> NodeId {
    rng.pick(nodes).copied().unwrap_or_default()
}

/// Voters that differ by one, most often; or any.
fn others(rng: &mut Rng, nodes: &[NodeId], voters: &Voters) -> Voters {
    if rng.percent(25) {
        let mut nodes = nodes.to_vec();
        rng.shuffle(&mut nodes);
        let most = nodes.len() as u64;
        nodes.truncate(rng.between(FEWEST as u64, most) as usize);
        return Voters::of(nodes);
    }
    let one = any(rng, nodes);
    match voters.has(one) {
        true if voters.now().len() <= FEWEST => voters.clone(),
        true => Voters::of(voters.iter().filter(|id| *id != one)),
        false => Voters::of(voters.iter().chain([one])),
    }
}
