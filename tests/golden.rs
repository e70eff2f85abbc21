//! Golden scripts: what protocols do, step by step, on a network where the script says which message
//! arrives. The scripts stand beside the protocols, in `src/proto/scripts`; each shows one thing.
//!
//! `UPDATE_GOLDENFILES=1 cargo test --test golden` writes the outputs anew.
//!
//! | command | does |
//! |---|---|
//! | `cluster nodes=3 services=paxos` | starts nodes; `services=log`, `raft` or `zab`, with `snapshot=N`, `voters="n1,n2"`, `reads=index`, `lease`, `quorum`, `local` or `sync`, `elect_by=connectivity`, `window=N`, `mutation=NAME`, and for Raft `membership=single` and switches (`pre_vote sticky check_quorum`); `services=bank`, with `handoff_rate=N`, `read_queue=N` (reads take 10 ms), with `txn=commit` (presumed), `cooperative`, `log`, `threephase` or `paxoscommit`, or with `saga=orchestrated`, `choreographed`, `takes` or `unlocked`; `services=files`, in blocks of ten bytes, with `scrub`; `services=balance` with `policy=NAME`, the last three nodes being backends; `services=cache` with `mode=NAME`, `invalidate=message`, `behind=N`; `services=tx` for transactions that clients open; `services=redis` or `redlock`, with `clients=N`, `replicas=N`, `acks=N` and switches (`fencing forgetful fenced sentinel`); `services=swim`, with `lifeguard` if that is meant; `services=quorum` with `r=N`, `w=N`, `versions=siblings`, `repair=off` or `write-back`, and `sloppy`, `blind` |
//! | `cluster … lock=zookeeper clients=2` | the same with locks, and clients that do as they are told |
//! | `terms n1 1 1 2 [in=3]` | starts a Raft node anew with entries of these terms on its disk, in this term |
//! | `ask n1 propose red` | asks a node for an operation |
//! | `deliver [from=] [to=] [kind=] [skip=] [count=]` | delivers matching messages in flight, oldest first |
//! | `drop …` | loses them |
//! | `settle [but=KIND]` | delivers everything until nothing is in flight, or nothing but messages of this kind |
//! | `fire n1 TIMER` | lets a node's clock run until this timer (or `SERVICE.TIMER`) has run out |
//! | `wait SPAN n1 n2` | lets their clocks run, without looking at timers |
//! | `cut n1 n2` / `heal` | what these send, or are sent, is lost / is not any more |
//! | `kill n1` / `restart n1` | crash, with all writes kept / boot |
//! | `flight` | what is in flight |
#![allow(missing_docs, clippy::unwrap_used)]

use netsplit::base::balance::{Limits, Policy};
use netsplit::base::cache::{Invalidate, Mode};
use netsplit::base::{
    Ballot, CallId, Commitment, Conflict, Entry, Isolation, NodeId, Op, Pivot, Presume, Rng, Span,
    Style, Time,
};
use netsplit::host::{Host, Input, Output, Setup, Write};
use netsplit::plan::{
    Balance, BalanceSettings, Cache, CacheSettings, Changes, Client, ElectBy, Failover, Files,
    Keys, Load, Lock, LockKind, Log, LogKind, Membership, Paxos, Plan, Quorum, Raft, Reads, Repair,
    Ring, Services, Store, StoreKind, Swim, Terms, Txn, TxnKind, Watch,
};
use netsplit::proto::{Message, Record, Timer, raft};
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;

/// One node: its host, which a crash takes away, and what it does not.
struct Node {
    setup: Setup,
    host: Option<Host>,
    boot: u32,
    disk: Vec<Record>,
    now: Time,
}

/// A message under way.
struct Flying {
    from: NodeId,
    to: NodeId,
    message: Message,
}

/// Nodes, and a network that does nothing by itself.
#[derive(Default)]
struct Network {
    nodes: BTreeMap<NodeId, Node>,
    flying: VecDeque<Flying>,
    cut: Vec<NodeId>,
    text: String,
}

/// Which messages a command means.
#[derive(Default)]
struct Filter {
    from: Option<NodeId>,
    to: Option<NodeId>,
    kind: Option<String>,
    skip: usize,
    count: usize,
}

type Answer<T = ()> = Result<T, Box<dyn Error>>;

impl Filter {
    fn read(command: &goldenscript::Command) -> Answer<Filter> {
        let mut args = command.consume_args();
        let filter = Filter {
            from: node(args.lookup("from"))?,
            to: node(args.lookup("to"))?,
            kind: args.lookup("kind").map(|kind| kind.value.clone()),
            skip: args.lookup_parse("skip")?.unwrap_or(0),
            count: args.lookup_parse("count")?.unwrap_or(usize::MAX),
        };
        args.reject_rest()?;
        Ok(filter)
    }

    fn takes(&self, flying: &Flying) -> bool {
        let label = flying.message.to_string();
        self.from.is_none_or(|from| from == flying.from)
            && self.to.is_none_or(|to| to == flying.to)
            && self.kind.as_deref().is_none_or(|kind| label.split(' ').next() == Some(kind))
    }
}

fn node(arg: Option<&goldenscript::Argument>) -> Answer<Option<NodeId>> {
    Ok(arg.map(|arg| arg.value.parse::<NodeId>()).transpose()?)
}

fn swim(lifeguard: bool) -> Services {
    let swim = Membership::Swim(Swim { lifeguard, ..Swim::default() });
    Services { membership: Some(swim), ..Services::default() }
}

fn reads(name: Option<&str>) -> Answer<Reads> {
    Ok(match name {
        None => Reads::Log,
        Some("index") => Reads::Index,
        Some("lease") => Reads::Lease,
        Some("quorum") => Reads::Quorum,
        Some("local") => Reads::Local,
        Some("sync") => Reads::Sync,
        Some(other) => return Err(format!("no such reads: {other}").into()),
    })
}

fn lock(name: &str) -> Answer<Lock> {
    let kind = match name {
        "log" => LockKind::Log,
        "detect" => return Ok(Lock { kind: LockKind::Log, detects: true }),
        "zookeeper" => LockKind::ZooKeeper { watch: Watch::Predecessor },
        "herd" => LockKind::ZooKeeper { watch: Watch::Parent },
        "etcd" => LockKind::Etcd { checkpoint: Span::ZERO },
        "noted" => LockKind::Etcd { checkpoint: Span::secs(1) },
        "consul" => LockKind::Consul(Terms { delay: Span::secs(5), deletes: false }),
        "deleting" => LockKind::Consul(Terms { delay: Span::ZERO, deletes: true }),
        other => return Err(format!("no such lock: {other}").into()),
    };
    Ok(Lock { kind, detects: false })
}

/// All nodes cache, and keep two copies of each key.
fn cached(log: Log, args: &mut goldenscript::ArgumentConsumer<'_>, size: u16) -> Answer<Services> {
    let name = args.lookup("mode").map_or("", |arg| &arg.value);
    let mode = Mode::ALL.into_iter().find(|known| known.name() == name);
    let mode = mode.ok_or_else(|| format!("no such mode: {name}"))?;
    let nodes = (1..=size).map(NodeId::node).collect();
    let invalidate = match args.lookup("invalidate").map(|arg| arg.value.as_str()) {
        None => Invalidate::Acknowledged,
        Some("message") => Invalidate::Message,
        Some(other) => return Err(format!("no such invalidation: {other}").into()),
    };
    let default = CacheSettings::default();
    let behind = args.lookup_parse("behind")?.unwrap_or(default.behind);
    let settings = CacheSettings { mode, invalidate, behind, ..default };
    Ok(Services {
        log: Some(log),
        ring: Some(Ring { replicas: 2, ..Ring::default() }),
        store: Some(Store::default()),
        cache: Some(Cache { nodes, settings }),
        ..Services::default()
    })
}

/// So many clients that do as they are told; the last follows changes, if that is said.
fn asking(count: u16, watching: bool) -> Vec<Client> {
    let load = |n| if watching && n == count { vec![Load::Watch] } else { Vec::new() };
    (1..=count).map(|n| Client::new(n, load(n))).collect()
}

/// The last three nodes are backends, with one slot and room for one more; the others spread
/// requests over them.
fn balance(policy: &str, size: u16) -> Answer<Balance> {
    let known = Policy::ALL.into_iter().find(|known| known.name() == policy);
    let policy = known.ok_or_else(|| format!("no such policy: {policy}"))?;
    let limits = Limits { eject_after: 2, ..Limits::default() };
    let settings = BalanceSettings { policy, limits, slots: 1, room: 1, ..Default::default() };
    let nodes = |from, to| (from..=to).map(NodeId::node).collect();
    let (balancers, backends) = (nodes(1, size - 3), nodes(size - 2, size));
    Ok(Balance { balancers, backends, settings })
}

/// Locks as keys.
fn keyed(
    services: &str,
    args: &mut goldenscript::ArgumentConsumer<'_>,
    switch: impl Fn(&str) -> bool,
) -> Answer<Services> {
    let (fsync, fencing) = (!switch("forgetful"), switch("fencing"));
    let failover = match (switch("fenced"), switch("sentinel")) {
        (true, _) => Failover::Fenced,
        (_, true) => Failover::Sentinel,
        _ => Failover::None,
    };
    let replicas = args.lookup_parse("replicas")?.unwrap_or(0);
    let acks = args.lookup_parse("acks")?.unwrap_or(0);
    let keys = Keys { fsync, fencing, replicas, acks, failover, ..Keys::default() };
    let kind = match services {
        "redis" => LockKind::Redis(keys),
        _ => LockKind::Redlock(keys),
    };
    Ok(Services { lock: Some(Lock { kind, detects: false }), ..Services::default() })
}

/// The switches of a store by quorums.
fn quorum(
    args: &mut goldenscript::ArgumentConsumer<'_>,
    switch: impl Fn(&str) -> bool,
) -> Answer<Quorum> {
    let siblings = args.lookup("versions").is_some();
    let read_repair = match args.lookup("repair").map(|arg| arg.value.as_str()) {
        None => Repair::Async,
        Some("off") => Repair::Off,
        Some("write-back") => Repair::WriteBack,
        Some(other) => return Err(format!("no such repair: {other}").into()),
    };
    Ok(Quorum {
        r: args.lookup_parse("r")?.unwrap_or(2),
        w: args.lookup_parse("w")?.unwrap_or(2),
        versions: if siblings { Conflict::Siblings } else { Conflict::LastWriter },
        read_repair,
        sloppy: switch("sloppy"),
        survey: !switch("blind"),
        ..Quorum::default()
    })
}

/// What transactions are.
fn transactions(args: &mut goldenscript::ArgumentConsumer<'_>) -> Answer<TxnKind> {
    let style = Style::default();
    let style = match args.lookup("saga").map(|arg| arg.value.as_str()) {
        None => None,
        Some("orchestrated") => Some(style),
        Some("choreographed") => Some(Style { choreographed: true, ..style }),
        Some("takes") => Some(Style { pivot: Pivot::Takes, ..style }),
        Some("unlocked") => Some(Style { locks: false, ..style }),
        Some(other) => return Err(format!("no such saga: {other}").into()),
    };
    if let Some(style) = style {
        return Ok(TxnKind::Saga { step_timeout: Span::secs(1), style });
    }
    Ok(TxnKind::Commit(match args.lookup("txn").map(|arg| arg.value.as_str()) {
        None => Commitment::default(),
        Some("commit") => Commitment::TwoPhase { presume: Presume::Commit, cooperative: false },
        Some("cooperative") => Commitment::TwoPhase { presume: Presume::Abort, cooperative: true },
        Some("log") => Commitment::Logged,
        Some("threephase") => Commitment::ThreePhase,
        Some("paxoscommit") => Commitment::PaxosCommit { acceptors: 3 },
        Some(other) => return Err(format!("no such transactions: {other}").into()),
    }))
}

/// Three copies of each key.
fn by_quorums(log: Log, quorum: Quorum) -> Services {
    let kind = StoreKind::Quorum(quorum);
    Services {
        log: Some(log),
        ring: Some(Ring { vnodes: 4, ..Ring::default() }),
        store: Some(Store { kind, ..Store::default() }),
        ..Services::default()
    }
}

/// Files in short blocks.
fn shelves(log: Log, scrubs: bool) -> Services {
    let scrub = if scrubs { Span::secs(8) } else { Span::ZERO };
    Services {
        log: Some(log),
        ring: Some(Ring { vnodes: 4, ..Ring::default() }),
        files: Some(Files { block: 10, scrub, ..Files::default() }),
        ..Services::default()
    }
}

impl Network {
    fn cluster(&mut self, command: &goldenscript::Command) -> Answer {
        let mut args = command.consume_args();
        let size = args.lookup_parse("nodes")?.unwrap_or(3);
        let services = args.lookup("services").map_or("", |arg| &arg.value);
        let voters = args.lookup("voters").map(|arg| arg.value.parse()).transpose()?;
        let reads = reads(args.lookup("reads").map(|arg| arg.value.as_str()))?;
        let snapshot_every = args.lookup_parse("snapshot")?.unwrap_or(100);
        let elect_by = match args.lookup("elect_by") {
            Some(_) => ElectBy::Connectivity,
            None => ElectBy::Patience,
        };
        let clients = args.lookup_parse("clients")?.unwrap_or(0);
        let window = args.lookup_parse("window")?.unwrap_or(64);
        let handoff_rate = args.lookup_parse("handoff_rate")?;
        let store = match args.lookup_parse("read_queue")? {
            Some(read_queue) => {
                Store { read_time: Span::millis(10), read_queue, ..Store::default() }
            }
            None => Store::default(),
        };
        let log = Log { snapshot_every, voters, reads, elect_by, window, ..Log::default() };
        let changes = match args.lookup("membership").map(|arg| arg.value.as_str()) {
            None | Some("joint") => Changes::Joint,
            Some("single") => Changes::Single,
            Some(other) => return Err(format!("no such membership: {other}").into()),
        };
        let txn = transactions(&mut args)?;
        let lock = args.lookup("lock").map(|arg| lock(&arg.value)).transpose()?;
        let mutation = args.lookup("mutation").map(|arg| arg.value.parse()).transpose()?;
        let switches: Vec<&str> = args.rest_pos().iter().map(|arg| arg.value.as_str()).collect();
        let switch = |name: &str| switches.contains(&name);
        let kind = LogKind::Raft(Raft {
            pre_vote: switch("pre_vote"),
            sticky: switch("sticky"),
            check_quorum: switch("check_quorum"),
            changes,
        });
        let (watching, checks) = (switch("watching"), switch("checks"));
        let policy = args.lookup("policy").map(|arg| arg.value.clone());
        let mut services = match services {
            "cache" => cached(log, &mut args, size)?,
            "balance" => {
                let policy = policy.unwrap_or_default();
                Services { balance: Some(balance(&policy, size)?), ..Services::default() }
            }
            "paxos" => Services { paxos: Some(Paxos::default()), ..Services::default() },
            "log" => Services { log: Some(log), ..Services::default() },
            "raft" => Services { log: Some(Log { kind, ..log }), ..Services::default() },
            "zab" => {
                Services { log: Some(Log { kind: LogKind::Zab, ..log }), ..Services::default() }
            }
            "redis" | "redlock" => keyed(services, &mut args, switch)?,
            "swim" => swim(switch("lifeguard")),
            // Two copies of each key.
            "bank" => Services {
                log: Some(log),
                ring: Some(Ring { replicas: 2, handoff_rate, ..Ring::default() }),
                store: Some(store),
                txn: Some(Txn { kind: txn, ..Txn::default() }),
                ..Services::default()
            },
            "files" => shelves(log, switch("scrub")),
            "tx" => {
                let (level, idle_timeout) = (Isolation::default(), Span::secs(1));
                let kind = TxnKind::Opened { level, idle_timeout };
                let txn = Some(Txn { kind, ..Txn::default() });
                Services { log: Some(log), txn, ..Services::default() }
            }
            "quorum" => by_quorums(log, quorum(&mut args, switch)?),
            other => return Err(format!("no such services: {other}").into()),
        };
        args.reject_rest()?;
        let mutations = mutation.into_iter().collect();
        services.lock = lock.or(services.lock);
        if checks {
            services.membership = Some(Membership::default());
        }
        let clients = asking(clients, watching);
        let plan = Plan { services, mutations, clients, ..Plan::bare(size) };
        self.begin(&plan)
    }

    fn begin(&mut self, plan: &Plan) -> Answer {
        for id in plan.processes() {
            let (setup, disk) = (plan.setup(id), Vec::new());
            self.nodes.insert(id, Node { setup, host: None, boot: 0, disk, now: Time::ZERO });
        }
        plan.processes().try_for_each(|id| self.start(id))
    }

    fn node(&mut self, id: NodeId) -> Answer<&mut Node> {
        self.nodes.get_mut(&id).ok_or_else(|| format!("there is no {id}").into())
    }

    fn start(&mut self, id: NodeId) -> Answer {
        let node = self.node(id)?;
        node.boot += 1;
        let rng = Rng::split(1, "golden", u64::from(id.number()) << 8 | u64::from(node.boot));
        let mut out = Vec::new();
        let Node { setup, boot, disk, now, .. } = node;
        node.host = Some(Host::start(setup, *boot, disk, rng, *now, *now, &mut out));
        self.carry_out(id, out)
    }

    /// What another life of a Raft node may have left on its disk.
    fn terms(&mut self, command: &goldenscript::Command) -> Answer {
        let mut args = command.consume_args();
        let id = node(args.next_pos())?.ok_or("whose?")?;
        let terms: Vec<u32> =
            args.rest_pos().iter().map(|arg| arg.value.parse()).collect::<Result<_, _>>()?;
        let term = args.lookup_parse("in")?.or(terms.last().copied()).unwrap_or(0);
        args.reject_rest()?;
        let append = |(slot, term): (u64, &u32)| {
            let call = CallId { client: NodeId::client(1), seq: slot << 8 | u64::from(*term) };
            let value = format!("{slot}-{term}").parse().expect("a name");
            let entry = Arc::new(Entry { call, op: Op::Propose { value } });
            Record::Raft(raft::Record::Append(slot, [raft::Item { term: *term, entry }].into()))
        };
        let disk = (1..).zip(&terms).map(append);
        let disk = disk.chain([Record::Raft(raft::Record::Term(Ballot::term(term)))]).collect();
        self.node(id)?.disk = disk;
        self.flying.retain(|flying| flying.from != id && flying.to != id);
        self.start(id)
    }

    fn feed(&mut self, id: NodeId, input: Input) -> Answer {
        let node = self.node(id)?;
        let now = node.now;
        let host = node.host.as_mut().ok_or_else(|| format!("{id} is down"))?;
        let mut out = Vec::new();
        host.handle(input, now, now, &mut out);
        self.carry_out(id, out)
    }

    /// Writes are durable at once.
    fn carry_out(&mut self, id: NodeId, out: Vec<Output>) -> Answer {
        for output in out {
            match output {
                Output::Send { to, message } => self.send(id, to, message)?,
                Output::Fact(fact) => writeln!(self.text, "{id} {fact}")?,
                Output::Fired(timer) => writeln!(self.text, "{id} timer {}", timer.name())?,
                // When one runs out is for the script to say.
                Output::Armed(..) => {}
                Output::Write { upto, batch } => {
                    let disk = &mut self.node(id)?.disk;
                    for write in batch {
                        match write {
                            Write::Append(record) => disk.push(record),
                            Write::Checkpoint { service, records } => {
                                disk.retain(|record| record.service() != service);
                                disk.extend(records);
                            }
                        }
                    }
                    self.feed(id, Input::Synced { upto })?;
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, from: NodeId, to: NodeId, message: Message) -> Answer {
        if from != to && (self.cut.contains(&from) || self.cut.contains(&to)) {
            writeln!(self.text, "{from} × {to} {message}")?;
        } else {
            self.flying.push_back(Flying { from, to, message });
        }
        Ok(())
    }

    fn deliver(&mut self, flying: Flying) -> Answer {
        let Flying { from, to, message } = flying;
        if self.node(to)?.host.is_none() {
            writeln!(self.text, "{from} × {to} {message}")?;
            return Ok(());
        }
        writeln!(self.text, "{from} → {to} {message}")?;
        self.feed(to, Input::Deliver { from, message })
    }

    /// Takes matching messages out of those that are in flight now.
    fn take(&mut self, filter: &Filter) -> Vec<Flying> {
        let (mut taken, mut left, mut skipped) = (Vec::new(), VecDeque::new(), 0);
        for flying in self.flying.drain(..) {
            match taken.len() < filter.count && filter.takes(&flying) {
                true if skipped < filter.skip => {
                    skipped += 1;
                    left.push_back(flying);
                }
                true => taken.push(flying),
                false => left.push_back(flying),
            }
        }
        self.flying = left;
        taken
    }

    fn settle(&mut self, but: Option<&str>) -> Answer {
        let kind =
            |flying: &Flying| flying.message.to_string().split(' ').next().map(str::to_owned);
        for _ in 0..10_000 {
            let next = self.flying.iter().position(|f| but.is_none() || kind(f).as_deref() != but);
            match next.and_then(|next| self.flying.remove(next)) {
                Some(flying) => self.deliver(flying)?,
                None => return Ok(()),
            }
        }
        Err("it never settles".into())
    }

    fn fire(&mut self, id: NodeId, name: &str) -> Answer {
        for _ in 0..100 {
            let node = self.node(id)?;
            let host = node.host.as_ref().ok_or_else(|| format!("{id} is down"))?;
            let named = |timer: &Timer| {
                let (service, own) = (timer.service(), timer.name());
                own == name || format!("{service}.{own}") == name
            };
            let timer = host.timers().iter().find(|(_, timer)| named(timer));
            let (at, timer) = *timer.ok_or_else(|| format!("{id} has no timer {name}"))?;
            let due = host.timers().iter().min().map_or(at, |(at, _)| *at);
            let last = host.timers().iter().min().is_some_and(|(_, first)| *first == timer);
            node.now = node.now.max(due);
            self.feed(id, Input::Wake)?;
            if last {
                return Ok(());
            }
        }
        Err(format!("{name} of {id} does not run out").into())
    }

    fn on_nodes(
        &mut self,
        command: &goldenscript::Command,
        mut act: impl FnMut(&mut Network, NodeId) -> Answer,
    ) -> Answer {
        let mut args = command.consume_args();
        let ids: Vec<NodeId> =
            args.rest_pos().iter().map(|arg| arg.value.parse()).collect::<Result<_, _>>()?;
        args.reject_rest()?;
        ids.into_iter().try_for_each(|id| act(self, id))
    }
}

impl goldenscript::Runner for Network {
    fn run(&mut self, command: &goldenscript::Command) -> Result<String, Box<dyn Error>> {
        self.text.clear();
        match command.name.as_str() {
            "cluster" => self.cluster(command)?,
            "terms" => self.terms(command)?,
            "ask" => {
                let words: Vec<&str> = command.args.iter().map(|arg| arg.value.as_str()).collect();
                let (who, op) = words.split_first().ok_or("whom?")?;
                self.feed(who.parse()?, Input::Ask { op: op.join(" ").parse()? })?;
            }
            "deliver" => {
                let taken = self.take(&Filter::read(command)?);
                taken.into_iter().try_for_each(|flying| self.deliver(flying))?;
            }
            "drop" => {
                for Flying { from, to, message } in self.take(&Filter::read(command)?) {
                    writeln!(self.text, "{from} × {to} {message}")?;
                }
            }
            "settle" => {
                let mut args = command.consume_args();
                let but = args.lookup("but").map(|arg| arg.value.clone());
                args.reject_rest()?;
                self.settle(but.as_deref())?;
            }
            "fire" => {
                let mut args = command.consume_args();
                let id = node(args.next_pos())?.ok_or("whose?")?;
                let timer = args.next_pos().ok_or("which timer?")?.value.clone();
                self.fire(id, &timer)?;
            }
            "wait" => {
                let (span, who) = command.args.split_first().ok_or("how long?")?;
                let span: Span = span.value.parse()?;
                let who = who.iter().map(|arg| arg.value.parse());
                for id in who.collect::<Result<Vec<NodeId>, _>>()? {
                    self.node(id)?.now += span;
                }
            }
            "cut" => self.on_nodes(command, |network, id| {
                network.cut.push(id);
                Ok(())
            })?,
            "heal" => self.cut.clear(),
            "kill" => self.on_nodes(command, |network, id| {
                network.node(id)?.host = None;
                Ok(())
            })?,
            "restart" => self.on_nodes(command, Network::start)?,
            "flight" => {
                for Flying { from, to, message } in &self.flying {
                    writeln!(self.text, "{from} ‥ {to} {message}")?;
                }
            }
            other => return Err(format!("no such command: {other}").into()),
        }
        Ok(std::mem::take(&mut self.text))
    }
}

#[test]
fn scripts() {
    let mut count = 0;
    for family in std::fs::read_dir("src/proto/scripts").unwrap() {
        for script in std::fs::read_dir(family.unwrap().path()).unwrap() {
            let path = script.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                text.starts_with("# "),
                "{}: the first line says what is shown",
                path.display()
            );
            goldenscript::run(&mut Network::default(), &path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            count += 1;
        }
    }
    assert!(count > 0);
}
