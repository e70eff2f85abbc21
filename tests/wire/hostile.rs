//! A peer that says anything at all: it may stop the cluster from getting anywhere, but it does not
//! bring a node down.

use crate::made::{Choose, make};
use bytes::BytesMut;
use netsplit::base::{MsgId, NodeId, Rng, Span, Time};
use netsplit::command::Command;
use netsplit::event::Event;
use netsplit::host::{Host, Input, Output};
use netsplit::live::control::Envelope;
use netsplit::live::wire::{WireError, encode};
use netsplit::plan::{Plan, Services, builtin};
use netsplit::proto::{Message, Record};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;

/// Chooses by chance: now what is usual in a small cluster, now what is at the edge of its type.
struct Wild(Rng);

impl Choose for Wild {
    fn variant(&mut self, _: &'static str, variants: &'static [&'static str]) -> usize {
        self.0.below(variants.len() as u64) as usize
    }

    fn number(&mut self, bits: u32) -> u64 {
        let most = u64::MAX >> (64 - bits);
        match self.0.below(12) {
            0 => most,
            1 => most.saturating_sub(self.0.below(3)),
            2 => most / 2 + self.0.below(3),
            3 => 1 << self.0.below(bits.into()),
            4 if bits > 16 => self.0.bits(),
            // A client; on other fields a middling number.
            5 if bits >= 16 => 0x8001,
            6 | 7 => self.0.below(300),
            _ => self.0.below(7),
        }
    }

    fn length(&mut self) -> usize {
        self.0.below(4) as usize
    }

    fn text(&mut self) -> String {
        let names = ["acct/0", "acct/1", "x", "y", "door", "billing", "red"];
        self.0.pick(&names).copied().unwrap_or_default().to_owned()
    }
}

/// A cluster without faults whose messages arrive in order, for keeping nodes busy.
#[derive(Clone)]
struct Net {
    hosts: BTreeMap<NodeId, Host>,
    flying: VecDeque<(NodeId, NodeId, Message)>,
    now: Time,
    /// The bytes of some of what was sent, for spoiling.
    heard: Vec<Vec<u8>>,
}

impl Net {
    fn new(plan: &Plan) -> Net {
        let (hosts, flying) = (BTreeMap::new(), VecDeque::new());
        let mut net = Net { hosts, flying, now: Time::ZERO, heard: Vec::new() };
        for (n, id) in (0..).zip(plan.processes()) {
            let (mut out, rng) = (Vec::new(), Rng::split(1, "hostile", n));
            let host = Host::start(&plan.setup(id), 1, &[], rng, net.now, net.now, &mut out);
            net.hosts.insert(id, host);
            net.carry_out(id, out);
        }
        net
    }

    fn feed(&mut self, id: NodeId, input: Input) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let mut out = Vec::new();
        host.handle(input, self.now, self.now, &mut out);
        self.carry_out(id, out);
    }

    /// Disks are fast, and everything that is said can be printed and sent.
    fn carry_out(&mut self, id: NodeId, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send { to, message } => {
                    assert!(!message.to_string().is_empty());
                    let envelope = Envelope { id: MsgId(1), stamp: self.now, message };
                    let sent = encode(&envelope, &mut BytesMut::new());
                    assert!(matches!(sent, Ok(()) | Err(WireError::TooLong { .. })));
                    self.flying.push_back((id, to, envelope.message));
                }
                Output::Fact(fact) => assert!(!fact.to_string().is_empty()),
                Output::Write { upto, .. } => self.feed(id, Input::Synced { upto }),
                Output::Fired(_) | Output::Armed(..) => {}
            }
        }
    }

    /// Delivers what is under way, but no more than so many messages: nonsense may go round.
    fn deliver(&mut self, most: usize) {
        for _ in 0..most {
            let Some((from, to, message)) = self.flying.pop_front() else { return };
            if self.heard.len() < 20_000 {
                self.heard.push(postcard::to_stdvec(&message).unwrap());
            }
            self.feed(to, Input::Deliver { from, message });
        }
    }

    fn run(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end {
            self.now += Span::millis(5);
            let ids: Vec<NodeId> = self.hosts.keys().copied().collect();
            for id in ids {
                for _ in 0..20 {
                    if self.hosts[&id].deadline() > self.now {
                        break;
                    }
                    self.feed(id, Input::Wake);
                }
            }
            self.deliver(500);
        }
    }
}

/// Clusters that have run for a while: the default one, and one with every service.
static BUSY: LazyLock<[Net; 2]> = LazyLock::new(|| {
    let default = builtin("default").unwrap();
    let services = Services { ping: Some(1), ..Services::all() };
    let all = Plan { services, ..builtin("bank").unwrap() };
    [default, all].map(|plan| {
        let mut net = Net::new(&plan);
        net.run(Span::secs(3));
        assert!(net.heard.len() > 500, "{}", net.heard.len());
        net
    })
});

/// A message as no node says it.
fn nonsense(mut rng: Rng, heard: &[Vec<u8>]) -> Option<Message> {
    if rng.percent(50) {
        return make(&mut Wild(rng)).ok();
    }
    let mut bytes = rng.pick(heard)?.clone();
    for _ in 0..rng.between(1, 3) {
        let at = rng.below(bytes.len() as u64) as usize;
        match rng.below(3) {
            0 => bytes[at] ^= 1 << rng.below(8),
            1 => bytes[at] = rng.bits() as u8,
            _ => drop(bytes.splice(at..=at, [0xFF; 9].into_iter().chain([1]))),
        }
    }
    postcard::from_bytes(&bytes).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_message_brings_a_node_down(
        all in any::<bool>(),
        seed in any::<u64>(),
        count in 1usize..200,
    ) {
        let mut net = BUSY[usize::from(all)].clone();
        let heard = std::mem::take(&mut net.heard);
        let mut rng = Rng::new(seed);
        let ids: Vec<NodeId> = net.hosts.keys().copied().collect();
        let evil = *rng.pick(&ids).unwrap();
        for _ in 0..count {
            let Some(message) = nonsense(Rng::new(rng.bits()), &heard) else { continue };
            let victim = *rng.pick(&ids).unwrap();
            net.feed(victim, Input::Deliver { from: evil, message });
            net.deliver(20);
            if rng.percent(5) {
                net.run(Span::millis(50));
            }
        }
        net.heard.clear();
        net.run(Span::millis(300));
        ids.iter().for_each(|id| net.feed(*id, Input::Restate));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_can_be_printed(seed in any::<u64>()) {
        let mut wild = Wild(Rng::new(seed));
        let texts = [
            make::<Message>(&mut wild).map(|message| message.to_string()),
            make::<Event>(&mut wild).map(|event| event.to_string()),
            make::<Command>(&mut wild).map(|command| {
                let _ = command.check();
                command.to_string()
            }),
            make::<Record>(&mut wild).map(|record| format!("{record:?}")),
        ];
        prop_assert!(texts.iter().flatten().all(|text| !text.is_empty()));
    }
}
