//! Merging rumours, without a network.

use super::*;
use crate::base::{Rng, Time};
use crate::proto::{Frame, Outbox, Output};

const ME: NodeId = NodeId::node(1);
const N2: NodeId = NodeId::node(2);
const N3: NodeId = NodeId::node(3);

/// A member of five that is told things.
struct Bench {
    frame: Frame,
    swim: Swim,
}

impl Bench {
    fn new(mutations: Mutations) -> Bench {
        let config = Config {
            peers: (1..=5).map(NodeId::node).collect(),
            period: Span::secs(1),
            timeout: Span::millis(500),
            helpers: 3,
            gossip: Span::millis(200),
            push_pull: Span::secs(30),
            lifeguard: true,
            mutations,
        };
        let mut frame = Frame::new(ME, 1, Rng::new(1), Outbox::new(true));
        let swim = Swim::start(config, &[], &mut Context::new(&mut frame));
        Bench { frame, swim }
    }

    fn hear(&mut self, rumours: &[Rumour]) {
        let message = Message { what: What::Gossip, rumours: rumours.to_vec() };
        self.swim.message(N2, message, &mut Context::new(&mut self.frame));
    }

    fn facts(&mut self) -> Vec<String> {
        let ready = std::mem::take(self.frame.outbox.ready());
        let fact = |output| match output {
            Output::Fact(fact) => Some(fact.to_string()),
            _ => None,
        };
        ready.into_iter().filter_map(fact).collect()
    }

    fn believes(&self, who: NodeId) -> Option<Belief> {
        self.swim.members.belief(who)
    }
}

fn rumour(who: NodeId, state: State, raised: u32, by: u16) -> Rumour {
    let belief = Belief { incarnation: Incarnation { boot: 1, raised }, state };
    Rumour { who, belief, by: NodeId::node(by) }
}

/// All orders of some rumours.
fn orders(rumours: &[Rumour]) -> Vec<Vec<Rumour>> {
    if rumours.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..rumours.len() {
        let mut rest = rumours.to_vec();
        let first = rest.remove(first);
        all.extend(orders(&rest).into_iter().map(|rest| [&[first], rest.as_slice()].concat()));
    }
    all
}

/// SWIM-2: merging is commutative, associative and idempotent.
#[test]
fn the_same_rumours_in_any_order_and_number_give_the_same_beliefs() {
    let rumours = [
        rumour(N2, State::Alive, 1, 2),
        rumour(N2, State::Suspect, 1, 3),
        rumour(N2, State::Dead, 0, 4),
        rumour(N3, State::Suspect, 2, 4),
        rumour(N3, State::Alive, 2, 3),
        rumour(N3, State::Dead, 1, 5),
    ];
    let orders = orders(&rumours);
    assert_eq!(orders.len(), 720);
    for order in orders {
        let mut bench = Bench::new(Mutations::NONE);
        order.iter().for_each(|rumour| bench.hear(&[*rumour, *rumour]));
        bench.hear(&order);
        let at =
            |state, raised| Some(Belief { incarnation: Incarnation { boot: 1, raised }, state });
        assert_eq!(bench.believes(N2), at(State::Suspect, 1), "{order:?}");
        assert_eq!(bench.believes(N3), at(State::Suspect, 2), "{order:?}");
    }
}

/// The override rules of the paper, and that only a higher incarnation brings back the dead.
#[test]
fn a_rumour_outweighs_those_before_it_as_the_paper_says() {
    use State::{Alive, Dead, Suspect};
    for (first, then, wins) in [
        ((Alive, 1), (Alive, 2), true),
        ((Suspect, 1), (Alive, 1), false),
        ((Suspect, 1), (Alive, 2), true),
        ((Alive, 1), (Suspect, 1), true),
        ((Alive, 2), (Suspect, 1), false),
        ((Suspect, 1), (Suspect, 2), true),
        ((Suspect, 2), (Dead, 2), true),
        ((Suspect, 2), (Dead, 1), false),
        ((Dead, 1), (Suspect, 1), false),
        ((Dead, 1), (Alive, 1), false),
        ((Dead, 1), (Alive, 2), true),
    ] {
        let mut bench = Bench::new(Mutations::NONE);
        let rumours = [first, then].map(|(state, raised)| rumour(N2, state, raised, 3));
        rumours.iter().for_each(|rumour| bench.hear(&[*rumour]));
        let expected = rumours[usize::from(wins)].belief;
        assert_eq!(bench.believes(N2), Some(expected), "{first:?}, then {then:?}");
    }
}

#[test]
fn only_an_accusation_of_its_own_incarnation_or_above_is_refuted() {
    let mut bench = Bench::new(Mutations::NONE);
    bench.hear(&[rumour(ME, State::Suspect, 0, 3)]);
    assert_eq!(bench.facts(), ["refutes n3 by incarnation 1.1"]);
    bench.hear(&[rumour(ME, State::Suspect, 0, 4), rumour(ME, State::Alive, 7, 4)]);
    assert_eq!(bench.facts(), [""; 0], "that is refuted already, and nobody accuses it");
    bench.hear(&[rumour(ME, State::Dead, 5, 3)]);
    assert_eq!(bench.facts(), ["refutes n3 by incarnation 1.6"]);
}

#[test]
fn a_suspicion_ends_sooner_when_others_confirm_it() {
    let due = |accusers: &[u16]| {
        let mut bench = Bench::new(Mutations::NONE);
        for by in accusers {
            bench.hear(&[rumour(N3, State::Suspect, 0, *by)]);
        }
        let timer = crate::proto::Timer::from(Timer::Suspicion(N3));
        let timers = bench.frame.outbox.timers().iter();
        timers.filter(|(_, set)| *set == timer).map(|(at, _)| *at).next()
    };
    assert_eq!(due(&[2]), Some(Time(24_000_000)));
    assert_eq!(due(&[2, 2]), Some(Time(24_000_000)), "the same says nothing new");
    assert_eq!(due(&[2, 4]), Some(Time(11_382_000)));
    assert_eq!(due(&[2, 4, 5]), Some(Time(4_000_000)));
}
