#![no_main]

use libfuzzer_sys::fuzz_target;
use netsplit::base::{NodeId, Rng, Span, Time};
use netsplit::host::{Host, Input, Output};
use netsplit::live::control::Envelope;
use netsplit::live::wire::Frame;
use netsplit::plan::builtin;
use std::sync::LazyLock;

const ME: NodeId = NodeId::node(1);

/// A node that has just started, and what it says first.
static HOST: LazyLock<(Host, Vec<Output>)> = LazyLock::new(|| {
    let plan = builtin("default").expect("the sample is there");
    let mut out = Vec::new();
    let (setup, rng) = (plan.setup(ME), Rng::new(1));
    let host = Host::start(&setup, 1, &[], rng, Time::ZERO, Time::ZERO, &mut out);
    (host, out)
});

// Any message may come to a node, and its timers run out after it.
fuzz_target!(|bytes: &[u8]| {
    let Ok(Envelope { message, .. }) = Envelope::decode(bytes) else { return };
    drop(message.to_string());
    let (mut host, mut out) = HOST.clone();
    let mut now = Time::ZERO;
    host.handle(Input::Deliver { from: NodeId::node(2), message }, now, now, &mut out);
    for _ in 0..20 {
        for output in std::mem::take(&mut out) {
            match output {
                Output::Write { upto, .. } => {
                    host.handle(Input::Synced { upto }, now, now, &mut out)
                }
                Output::Send { to, message } if to == ME => {
                    host.handle(Input::Deliver { from: ME, message }, now, now, &mut out);
                }
                Output::Send { message, .. } => drop(message.to_string()),
                Output::Fact(fact) => drop(fact.to_string()),
                Output::Fired(_) | Output::Armed(..) => {}
            }
        }
        now = host.deadline().min(now + Span::secs(1));
        host.handle(Input::Wake, now, now, &mut out);
    }
});
