//! Cluster files: the built-in ones load and run the same every time; wrong ones are refused with
//! their place and a remedy; no file panics.

use netsplit::base::{ServiceId, Time};
use netsplit::cli::{self, RuntimeArg};
use netsplit::error::Source;
use netsplit::event::{Kind, Watch};
use netsplit::plan::{
    self, Heartbeats, Keys, Load, Lock, LockKind, LogKind, Membership, Plan, Raft, Reads, SAMPLES,
    TxnKind, file,
};
use netsplit::script::{self, Format, Options, Summary};
use netsplit::sim::World;
use netsplit::view::Board;
use proptest::prelude::*;
use std::fmt::Write as _;

fn parse(text: &str) -> Result<Plan, String> {
    file::parse("test", &Source::new("x.toml", text)).map_err(|error| error.to_string())
}

/// Checks that `text` is refused with a message that holds all of `parts`.
#[track_caller]
fn refused(text: &str, parts: &[&str]) {
    let message = parse(text).expect_err("this must be refused");
    for part in parts {
        assert!(message.contains(part), "'{part}' is missing in:\n{message}");
    }
    assert!(message.contains("--> x.toml:"), "no place in:\n{message}");
}

#[test]
fn every_sample_loads_and_explains_itself() {
    for (name, _) in SAMPLES {
        let plan = plan::builtin(name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.name, *name);
        assert!(plan.about.len() > 40, "{name} must say what it shows");
    }
}

#[test]
fn every_sample_file_is_built_in() {
    let files = std::fs::read_dir("sample-clusters").unwrap();
    let files = files.map(|file| file.unwrap()).filter(|file| file.file_type().unwrap().is_file());
    let mut names: Vec<String> =
        files.map(|file| file.file_name().into_string().unwrap()).collect();
    let mut built_in: Vec<String> =
        SAMPLES.iter().map(|(name, _)| format!("{name}.toml")).collect();
    names.sort();
    built_in.sort();
    assert_eq!(names, built_in);
}

#[test]
fn the_default_cluster_runs_everything() {
    let plan = plan::builtin("default").unwrap();
    let services = &plan.services;
    assert!(services.membership.is_some() && services.log.is_some() && services.ring.is_some());
    assert!(services.paxos.is_some() && services.lock.is_some());
    assert!(services.store.is_some() && services.txn.is_some());
    assert_eq!((plan.nodes.len(), plan.clients.len()), (5, 3));
    let loads = || plan.clients.iter().flat_map(|client| &client.load);
    assert!(loads().any(|load| matches!(load, Load::Bank { .. })));
    assert!(loads().any(|load| matches!(load, Load::Lock { .. })));
    assert!(loads().any(|load| matches!(load, Load::ReadWrite { .. })));
}

/// Twenty seconds of a sample, with a crash and a cut.
fn run(name: &str) -> Summary {
    let plan = plan::builtin(name).unwrap_or_else(|error| panic!("{error}"));
    let steps = ["4s kill n1", "8s restart n1", "10s isolate n2", "13s heal"];
    let options = Options {
        seed: Some(plan.seed),
        until: Time(20_000_000),
        steps: steps.map(|step| step.parse().expect("these are steps")).into(),
        format: Format::Text,
        quiet: true,
        replay: String::new(),
        late: false,
        repeatable: true,
    };
    let cluster = cli::start(&plan, plan.seed, Watch::Labels, RuntimeArg::Sim).expect("a thread");
    script::run(cluster, &plan, &options, &mut std::io::sink()).expect("samples run")
}

/// The digests stand in `tests/digests.txt`, so that a change of behaviour is seen as such. Run with
/// `UPDATE_DIGESTS=1` to write them anew, and say in the commit why they changed.
#[test]
fn every_sample_runs_the_same_every_time() {
    let mut digests = String::new();
    for (name, _) in SAMPLES {
        let (first, second) = (run(name), run(name));
        assert_eq!(first.digest, second.digest, "{name} is not deterministic");
        assert!(first.failures.is_empty(), "{first}");
        writeln!(digests, "{name} {:016x}", first.digest).unwrap();
    }
    let path = "tests/digests.txt";
    if std::env::var_os("UPDATE_DIGESTS").is_some() {
        std::fs::write(path, &digests).unwrap();
    }
    if let Ok(committed) = std::fs::read_to_string(path) {
        assert_eq!(digests, committed, "UPDATE_DIGESTS=1 writes them anew");
    }
}

/// What a pane shows as a bar that runs down is the moment at which the timer really runs out.
#[test]
fn a_timer_runs_out_when_it_was_said_to() {
    let plan = plan::builtin("default").unwrap();
    let mut events = Vec::new();
    let mut world = World::new(&plan, plan.seed, Watch::Messages, &mut events);
    world.apply(&"clock n3 drift 100000".parse().unwrap(), &mut events).unwrap();
    while world.now() < Time(5_000_000) {
        world.step(&mut events);
    }
    let mut board = Board::new();
    let mut fired = 0;
    for (index, event) in events.iter().enumerate() {
        if let Kind::Fired { service: ServiceId::Log, timer } = &event.kind {
            let node = board.node(event.node).unwrap();
            if let Some(timer) = node.timers.get(&(ServiceId::Log, timer.clone())) {
                // Where clocks drift, a microsecond may be lost to rounding.
                assert!(timer.until.0.abs_diff(event.at.0) <= 1, "{event}, not at {}", timer.until);
                fired += 1;
            }
        }
        board.see(index, event);
    }
    assert!(fired > 0, "nobody stood for election");
}

#[test]
fn another_seed_is_another_run() {
    let plan = plan::builtin("three-paxos").unwrap();
    let run = |seed| {
        let until = Time(1_000_000);
        let options = Options {
            seed: Some(seed),
            until,
            steps: Vec::new(),
            format: Format::Text,
            quiet: true,
            replay: String::new(),
            late: false,
            repeatable: true,
        };
        let cluster = cli::start(&plan, seed, Watch::Labels, RuntimeArg::Sim).expect("a thread");
        script::run(cluster, &plan, &options, &mut std::io::sink()).unwrap().digest
    };
    assert_ne!(run(1), run(2));
}

#[test]
fn the_cluster_file_of_the_readme_is_right() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut clusters =
        blocks.filter(|text| text.starts_with("title") && !text.contains("[[step]]"));
    let plan = parse(clusters.next().unwrap()).unwrap();
    assert!(plan.services.lock.is_some() && clusters.next().is_none());
}

#[test]
fn an_empty_file_is_five_idle_nodes() {
    let plan = parse("").unwrap();
    assert_eq!((plan.nodes.len(), plan.clients.len()), (5, 0));
    assert_eq!(plan.services, plan::Services::default());
}

#[test]
fn nodes_may_be_named_one_by_one() {
    let plan =
        parse("[[node]]\nid = \"n7\"\nweight = 3\n[[node]]\n[[node]]\nmember = false").unwrap();
    let seen: Vec<_> = plan.nodes.iter().map(|n| (n.id.to_string(), n.weight, n.member)).collect();
    let expected = [("n1", 1, true), ("n2", 1, false), ("n7", 3, true)];
    assert_eq!(seen, expected.map(|(id, weight, member)| (id.to_owned(), weight, member)));
}

#[test]
fn a_mistake_is_shown_with_a_caret_and_a_remedy() {
    let message = parse("nodes = 5\n[membership]\nhearbeat = \"1s\"\n").unwrap_err();
    let expected = "\
error: unknown key
 --> x.toml:3:1
  |
3 | hearbeat = \"1s\"
  | ^^^^^^^^ not a key of [membership]
  |
  = help: did you mean 'heartbeat'?";
    assert_eq!(message, expected);
}

#[test]
fn keys_and_values_that_do_not_exist_are_refused() {
    refused("nodse = 5", &["unknown key", "did you mean 'nodes'?"]);
    refused("[netwrok]\nlatency = \"1ms\"", &["did you mean 'network'?"]);
    refused("colour = 1", &["unknown key", "knows: title"]);
    refused("[lock]\nttl = 1\n[log]", &["unknown key", "knows: kind"]);
    let kinds = ["unknown kind of locks", "\"etcd\" or \"consul\""];
    refused("[lock]\nkind = \"flock\"\n[log]", &kinds);
    refused("[lock]\nwatch = \"parent\"\n[log]", &["'watch' is a switch of kind = \"zookeeper\""]);
    let lock = "[lock]\nkind = \"redis\"\ncheckpoint = \"1s\"";
    refused(lock, &["'checkpoint' is a switch of kind = \"etcd\""]);
    refused(
        "[lock]\nlock_delay = \"1s\"\n[log]",
        &["'lock_delay' is a switch of kind = \"consul\""],
    );
    let lock = "[lock]\nkind = \"consul\"\nlock_delay = \"61s\"\n[log]";
    refused(lock, &["too long", "write at most lock_delay = \"60s\""]);
    let lock = "[lock]\nkind = \"consul\"\nbehavior = \"keep\"\n[log]";
    refused(lock, &["unknown behavior", "write \"release\" or \"delete\""]);
    let lock = "[lock]\nkind = \"zookeeper\"\nwatch = \"all\"\n[log]";
    refused(lock, &["write \"predecessor\" or \"parent\""]);
    let shares = |kind: &str, how: &str| {
        let load = format!("[[client]]\ndo = [{{ load = \"lock\", {how} }}]");
        format!("[lock]\nkind = \"{kind}\"\n[log]\n{load}")
    };
    refused(&shares("redis", "reads = 50"), &["not shared so", "a key of Redis has one owner"]);
    refused(&shares("consul", "reads = 50"), &["not shared so", "leave 'reads' out"]);
    refused(&shares("redis", "permits = 2"), &["\"zookeeper\" or \"consul\""]);
    refused(&shares("etcd", "permits = 2"), &["no recipe for semaphores", "\"zookeeper\""]);
    refused(&shares("log", "permits = 2, reads = 50"), &["do not go together"]);
    refused(&shares("log", "permits = 0"), &["1 to 255"]);
    refused("mutations = [\"paxos.own_valu\"]", &["did you mean 'paxos.own_value'?"]);
    refused("mutations = \"all\"", &["must be a list"]);
    refused("[log]\nkind = \"zyzzyva\"", &["unknown kind of log", "\"multipaxos\"", "\"raft\""]);
    refused("[log]\nkind = \"raft\"\nreads = \"stale\"", &["no such way to read", "\"index\""]);
    let loose = "[log]\nkind = \"raft\"\nreads = \"lease\"\nsticky = false";
    refused(loose, &["a lease needs voters who keep to it", "sticky = true"]);
    refused("[log]\npre_vote = true", &["'pre_vote' is a switch of Raft", "kind = \"raft\""]);
    refused("nodes = \n", &["this is not TOML"]);
    refused("nodes = 1\nnodes = 2", &["this is not TOML", "duplicate key"]);
    refused("title = 5", &["must be a text", "this is a whole number"]);
    refused("title = \"a\\u001b[31mb\"", &["one plain line"]);
    refused("[[client]]\ndo = \"read-wite\"\n", &["did you mean 'read-write'?"]);
    refused("[[client]]\ndo = [{ keys = 5 }]", &["'load' is missing"]);
    refused("[[client]]\n", &["nothing to do", "'do' is missing"]);
    refused("[[client]]\ndo = []", &["nothing to do"]);
    refused("log = true", &["must be a table", "[log] on a line of its own"]);
    refused("[[log]]", &["must be a table"]);
    refused("[client]\ndo = \"idle\"", &["[[client]], in double brackets"]);
}

#[test]
fn times_that_make_no_sense_are_refused() {
    refused("[membership]\nheartbeat = 100", &["must be a length of time", "write \"100ms\"?"]);
    refused("[membership]\nheartbeat = \"0ms\"", &["must be from 1ms to 3600s", "too short"]);
    refused("[membership]\nheartbeat = \"2h\"", &["not a length of time"]);
    refused("[membership]\nheartbeat = \"2000s\"\nsuspect_after = \"9999s\"", &["too long"]);
    let slow = "[membership]\nheartbeat = \"1s\"\nsuspect_after = \"1s\"";
    refused(slow, &["must be longer than 'heartbeat'", "suspect_after = \"3s\" or more"]);
    refused("[log]\nelection = \"800ms..400ms\"", &["runs backwards", "\"400ms..800ms\""]);
    refused("[log]\nheartbeat = \"1s\"\nelection = \"900ms..2s\"", &["longer than a 'heartbeat'"]);
    refused("[network]\nlatency = \"0ms\"", &["too short"]);
    refused("[network]\nlatency = 3", &["write \"1ms..4ms\""]);
    refused("[disk]\nsync = \"1..2\"", &["not a length of time"]);
    let hasty = "[membership]\n[log]\n[ring]\n[store]\nretry = \"5s\"\ngive_up = \"1s\"";
    refused(hasty, &["must not be shorter"]);
}

#[test]
fn a_log_is_multipaxos_unless_the_file_says_raft() {
    let kind = |text: &str| parse(text).unwrap().services.log.unwrap().kind;
    assert_eq!(kind("[log]"), LogKind::MultiPaxos);
    assert_eq!(kind("[log]\nkind = \"multipaxos\""), LogKind::MultiPaxos);
    assert_eq!(kind("[log]\nkind = \"raft\""), LogKind::Raft(Raft::default()));
    let raft = Raft { sticky: false, ..Raft::default() };
    assert_eq!(kind("[log]\nkind = \"raft\"\nsticky = false"), LogKind::Raft(raft));
}

#[test]
fn each_kind_of_log_has_its_ways_to_read() {
    let reads = |kind: &str, reads: &str| {
        let text = format!("[log]\nkind = \"{kind}\"\nreads = \"{reads}\"");
        parse(&text).map(|plan| plan.services.log.unwrap().reads)
    };
    assert_eq!(reads("raft", "index"), Ok(Reads::Index));
    assert_eq!(reads("multipaxos", "lease"), Ok(Reads::Lease));
    assert_eq!(reads("multipaxos", "quorum"), Ok(Reads::Quorum));
    assert!(reads("raft", "quorum").is_err() && reads("zab", "lease").is_err());
}

#[test]
fn a_store_by_quorums_that_cannot_be_is_refused() {
    let store = |rest: &str| format!("[membership]\n[log]\n[ring]\n[store]\n{rest}");
    let quorum = |rest: &str| store(&format!("kind = \"quorum\"\n{rest}"));
    assert!(parse(&quorum("r = 3\nw = 1")).unwrap().services.store.unwrap().quorum().is_some());
    refused(&store("kind = \"quorums\""), &["unknown kind", "did you mean \"quorum\"?"]);
    refused(&store("r = 2"), &["only a store by quorums has this"]);
    refused(&quorum("r = 4"), &["from 1 to 3", "a key has 3 replicas"]);
    refused(&quorum("versions = \"newest\""), &["unknown versions", "lww, siblings"]);
    refused(&quorum("sloppy = true\nhint_window = \"0s\""), &["needs hints"]);
    refused(&quorum("grace = \"1s\""), &["twice as long", "write grace = \"6s\""]);
    refused(&quorum("[txn]"), &["no transactions", "kind = \"primary\""]);
    refused(&quorum("[[client]]\ndo = \"count\""), &["cannot add", "read-write"]);
    refused(&store("[[client]]\ndo = \"delete\""), &["kind = \"quorum\""]);
}

#[test]
fn a_cache_that_cannot_be_is_refused() {
    let file = |store: &str, rest: &str| {
        format!("[membership]\n[log]\n[ring]\n[store]\n{store}\n[cache]\n{rest}")
    };
    let cache = |rest: &str| file("", rest);
    let plan = parse(&cache("nodes = [\"n4\", \"n5\"]\nmode = \"write-through\"")).unwrap();
    assert_eq!(plan.services.cache.unwrap().nodes.len(), 2);
    refused("[cache]", &["needs [store]"]);
    refused(&file("kind = \"quorum\"", ""), &["cannot be cached", "kind = \"primary\""]);
    refused(&cache("mode = \"asides\""), &["unknown mode", "did you mean \"aside\"?"]);
    refused(&cache("evict = \"fifo\""), &["unknown evict", "lru, lfu"]);
    refused(&cache("nodes = [\"n9\"]"), &["no such node"]);
    refused(&cache("nodes = []"), &["an empty list", "leave it out"]);
    refused(&cache("capacity = 0"), &["from 1 to 100000"]);
    refused(&cache("early = 101"), &["from 0 to 100"]);
    refused(&cache("ttl = \"0s\""), &["'ttl' must be from 1ms"]);
    refused(&cache("timeout = \"0s\""), &["'timeout' must be from 1ms"]);
    refused(&cache("lease = \"6s\""), &["'lease' must not be longer than 'ttl'"]);
    refused(&cache("invalidate = \"never\""), &["unknown invalidate", "acknowledged, message"]);
    let behind = |rest: &str| cache(&format!("mode = \"write-behind\"\n{rest}"));
    assert!(parse(&behind("behind = 3\nflush = \"1s\"")).is_ok());
    refused(&cache("behind = 3"), &["only a cache that writes behind", "write-behind"]);
    refused(&cache("flush = \"1s\""), &["only a cache that writes behind", "write-behind"]);
    refused(&behind("invalidate = \"message\""), &["nobody tells it", "read-through"]);
    refused(&behind("behind = 0"), &["from 1 to 1000"]);
    refused(&behind("capacity = 3\nbehind = 3"), &["'behind' must be less than 'capacity'"]);
    refused(&behind("flush = \"0s\""), &["'flush' must be from 1ms"]);
    refused(&behind("[[client]]\ndo = \"count\""), &["cannot add", "write-behind"]);
    refused(&cache("size = 1"), &["unknown key", "[cache] knows"]);
}

#[test]
fn a_slow_heartbeat_slows_what_depends_on_it() {
    let plan = parse("[membership]\nheartbeat = \"1s\"\n[log]\nheartbeat = \"1s\"").unwrap();
    let membership = plan.services.membership.unwrap();
    let Membership::Heartbeats(Heartbeats { heartbeat, suspect_after, .. }) = membership else {
        panic!("the sample has heartbeats");
    };
    assert!(suspect_after > heartbeat);
    let log = plan.services.log.unwrap();
    assert!(log.election.fastest > log.heartbeat);
}

#[test]
fn processes_that_cannot_be_are_refused() {
    refused("nodes = 0", &["must be from 1 to 1000"]);
    refused("nodes = 99999999999999999999999999999999999999999", &["from 1 to 1000"]);
    refused("nodes = -1", &["must be from 1 to 1000"]);
    refused("nodes = [\"n1\"]", &["whole number", "[[node]] table"]);
    refused("nodes = 2\n[[node]]", &["nodes are given twice", "here by number"]);
    refused("node = []", &["a cluster needs a node"]);
    let twice = "[[node]]\nid = \"n1\"\n[[node]]\nid = \"n1\"";
    refused(twice, &["n1 is there twice", "the first one", "x.toml:4:6"]);
    refused("[[node]]\nid = \"c1\"", &["no name for a node", "n1"]);
    refused("[[client]]\nid = \"bob\"\ndo = \"idle\"", &["no name for a client", "c1"]);
    refused(&"[[node]]\n".repeat(1_001), &["more than 1000 nodes"]);
    let many = "nodes = 201\n[membership]\n";
    refused(many, &["more than 200 nodes can only watch each other by SWIM", "201 nodes"]);
    assert!(parse(&format!("{many}kind = \"swim\"")).is_ok());
    refused(&format!("{many}kind = \"swim\"\n[log]"), &["no other service"]);
    let many = "[store]\n[ring]\n[log]\n[membership]\n".to_owned();
    refused(&(many + &"[[client]]\ndo = \"idle\"\n".repeat(51)), &["more than 50 clients"]);
    refused("[[node]]\nweight = 0", &["from 1 to 100"]);
    let hasty = "[log]\n[lock]\n[[client]]\ndo = \"lock\"\nrate = 1001";
    refused(hasty, &["must be from 1 to 1000"]);
}

#[test]
fn quorums_and_rings_that_cannot_be_are_refused() {
    let ring = |rest: &str| format!("nodes = 3\n[membership]\n[log]\n[ring]\n{rest}");
    refused(&ring("replicas = 4"), &["4 replicas cannot be on 3 nodes", "write 3 or less"]);
    refused(&ring("replicas = 0"), &["must be from 1 to 255"]);
    refused(&ring("vnodes = 0"), &["must be from 1 to 1024"]);
    let heavy = "[[node]]\nweight = 100\n".repeat(2) + "[membership]\n[log]\n[ring]\nvnodes = 1000";
    refused(&heavy, &["more than 100000 points", "smaller weights"]);
    let nobody = "[[node]]\nmember = false\n[membership]\n[log]\n[ring]";
    refused(nobody, &["no node is one", "member = false"]);
    refused("nodes = 3\n[paxos]\nproposers = { n4 = \"x\" }", &["no such node", "n1 … n3"]);
    refused("[paxos]\nproposers = { c1 = \"x\" }", &["no such node"]);
    refused("[paxos]\nproposers = { n1 = \"\" }", &["is not a name"]);
    let small = parse("nodes = 1\n[membership]\n[log]\n[ring]").unwrap();
    assert_eq!(small.services.ring.unwrap().replicas, 1, "the default fits a small cluster");
}

#[test]
fn transactions_that_cannot_be_are_refused() {
    let txn = |rest: &str| format!("[membership]\n[log]\n[ring]\n[store]\n[txn]\n{rest}");
    refused(&txn("kind = \"sagas\""), &["unknown kind of transactions", "\"saga\""]);
    refused(&txn("locks = false"), &["'locks' is a switch of a saga", "kind = \"saga\""]);
    let voting = txn("kind = \"saga\"\nvote_timeout = \"1s\"");
    refused(&voting, &["a saga has no 'vote_timeout'", "kind = \"twophase\""]);
    refused(&txn("presume = \"nothing\""), &["unknown 'presume'", "\"abort\" or \"commit\""]);
    let both = "coordinator = \"log\"\ntermination = \"cooperative\"";
    refused(&txn(both), &["has no meaning where the log decides", "leave one of the two out"]);
    let text = txn("presume = \"commit\"\ntermination = \"cooperative\"");
    let title = |text: &str| match parse(text).unwrap().services.txn.unwrap().kind {
        TxnKind::Commit(how) => how.to_string(),
        TxnKind::Saga { style, .. } => style.to_string(),
        TxnKind::Opened { level, .. } => level.to_string(),
    };
    assert_eq!(title(&text), "two-phase commit, presumed commit, cooperative");
    let text = txn("kind = \"saga\"\nstyle = \"choreographed\"\nlocks = false");
    assert_eq!(title(&text), "choreographed saga, no semantic locks");
    let opened = "[log]\n[txn]\nkind = \"opened\"\nisolation = \"snapshot\"\n";
    assert_eq!(title(opened), "snapshot");
    refused(&opened.replace("snapshot", "none"), &["no isolation level", "serializable"]);
    let bank = format!("{opened}[[client]]\ndo = \"bank\"");
    refused(&bank, &["not for 'bank'", "\"transact\""]);
}

#[test]
fn a_service_without_what_it_stands_on_is_refused() {
    refused("[ring]\n[log]", &["[ring] needs [membership]", "add a line [membership]"]);
    refused("[ring]\n[membership]", &["[ring] needs [log]"]);
    refused("[lock]", &["[lock] needs [log]"]);
    refused("[store]", &["[store] needs [ring]"]);
    refused("[txn]", &["[txn] needs [store]"]);
    refused("[[client]]\ndo = \"bank\"", &["'bank' needs [txn]", "add a line [txn]"]);
    refused("[[client]]\ndo = [\"count\"]", &["'count' needs [store]"]);
}

#[test]
fn locks_that_are_keys_need_no_log_and_have_switches_of_their_own() {
    let lock = |text: &str| parse(&format!("[lock]\n{text}")).map(|plan| plan.services.lock);
    let keys = Keys { fencing: true, fsync: false, ..Keys::default() };
    let kind = LockKind::Redis(keys);
    assert_eq!(
        lock("kind = \"redis\"\nfencing = true\nfsync = \"no\"").unwrap(),
        Some(Lock { kind, detects: false })
    );
    assert!(lock("kind = \"redlock\"\ndrift = 5\nrestart_delay = \"3s\"").is_ok());
    refused("[lock]\nkind = \"memcached\"", &["unknown kind of locks", "\"redlock\""]);
    refused("[log]\n[lock]\ndrift = 1", &["'drift' is a switch of locks that are keys"]);
    refused("[lock]\nkind = \"redis\"\nfsync = \"now\"", &["write \"always\" or \"no\""]);
    refused("[lock]\nkind = \"redlock\"\nfencing = true", &["no fencing token"]);
    let redis = |switches: &str| format!("[lock]\nkind = \"redis\"\n{switches}");
    refused(&redis("replicas = 6"), &["of 5 nodes one is the primary", "write at most 4"]);
    refused(&redis("replicas = 2\nacks = 3"), &["more than there are replicas", "at most 2"]);
    refused(&redis("failover = \"fenced\""), &["nobody can take over", "replicas = 2"]);
    refused(&redis("replicas = 2\nfailover = \"fenced\""), &["write acks = 1"]);
    refused(&redis("replicas = 2\nfailover = \"soon\""), &["\"sentinel\" or \"fenced\""]);
    refused("[lock]\nkind = \"redlock\"\nreplicas = 1", &["independent instances have none"]);
    refused("lock = 1", &["[lock] needs [log]"]);
}

#[test]
fn files_that_are_no_cluster_files_are_refused() {
    let message = |path: &str| plan::load(path).expect_err("this must be refused").to_string();
    assert!(message("no/such/bnk.toml").contains("did you mean the built-in cluster 'bank'?"));
    assert!(message("nothing").contains("built-in clusters are default, three-paxos"));
    assert!(message("src/").contains("cannot read"));
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let large = write("large.toml", &vec![b'#'; (16 << 20) + 1]);
    assert!(message(&large).contains("larger than 16 MiB"));
    let binary = write("binary.toml", b"title = 1\n\xff\xfe");
    assert!(message(&binary).contains("line 2 is not UTF-8"));
    let good = write("mine.toml", b"nodes = 2");
    assert_eq!(plan::load(&good).unwrap().name, "mine");
}

#[test]
fn hostile_files_end_quickly() {
    for text in [
        "[".repeat(100_000),
        format!("x = {}", "[".repeat(100_000)),
        format!("x = {}", "{a=".repeat(100_000)),
        format!("{}x = 1", "a.".repeat(100_000)),
        "[a]\n[b]\n".repeat(50_000),
        format!("title = \"{}\"", "x".repeat(900_000)),
        "#\n".repeat(500_000) + "nodse = 1",
        "\u{feff}nodes = 3\u{0}".to_owned(),
        "\"\u{202e}\" = 1".to_owned(),
        format!("{} = 1", "n".repeat(1_000_000)),
    ] {
        let message = parse(&text).expect_err("none of these is a cluster");
        assert!(message.len() < 100_000, "{} bytes of message", message.len());
    }
}

/// A sample with lines taken out and strange ones put in.
fn mutated() -> impl Strategy<Value = String> {
    let line = "(nodes|\\[log\\]|\\[\\[client\\]\\]|heartbeat|do|id|vnodes|title) = ?\
                (-?[0-9]{1,25}|\"[0-9]{1,22}(ms|s|h|)\"|\\[\\]|\\{\\}|nan|1e400|\"n1\"|true)";
    let edit = (any::<prop::sample::Index>(), prop_oneof![line.prop_map(Some), Just(None)]);
    (0..SAMPLES.len(), prop::collection::vec(edit, 1..4)).prop_map(|(sample, edits)| {
        let mut lines: Vec<String> = SAMPLES[sample].1.lines().map(str::to_owned).collect();
        for (at, line) in edits {
            let at = at.index(lines.len());
            match line {
                Some(line) => lines.insert(at, line),
                None => drop(lines.remove(at)),
            }
        }
        lines.join("\n")
    })
}

proptest! {
    #[test]
    fn no_text_panics(text in "(?s:.{0,200})") {
        let _ = parse(&text);
    }

    #[test]
    fn no_text_that_looks_like_a_cluster_panics(
        text in "(\\[{1,2}[a-z]{1,8}\\]{1,2}\n|[a-z_.]{1,9} = ([0-9]{1,20}|\"[0-9a-z.]{0,9}\")\n){0,9}"
    ) {
        let _ = parse(&text);
    }

    #[test]
    fn a_damaged_sample_is_read_or_refused(text in mutated()) {
        if let Ok(plan) = parse(&text) {
            prop_assert!((1..=1_000).contains(&plan.nodes.len()));
            if let Some(ring) = &plan.services.ring {
                prop_assert!(usize::from(ring.replicas) <= plan.nodes.len());
            }
        }
    }

    #[test]
    fn characters_changed_at_random_do_not_panic(
        sample in 0..SAMPLES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..6),
    ) {
        let mut text: Vec<char> = SAMPLES[sample].1.chars().collect();
        for (at, new) in changes {
            let at = at.index(text.len());
            text[at] = new;
        }
        let _ = parse(&text.into_iter().collect::<String>());
    }
}

#[test]
fn a_file_store_that_cannot_be_is_refused() {
    let files = |rest: &str| format!("nodes = 4\n[membership]\n[log]\n[ring]\n[files]\n{rest}");
    let settings = parse(&files("replicas = 2\nblock = 100")).unwrap().services.files.unwrap();
    assert_eq!((settings.replicas, settings.block), (2, 100));
    refused(&files("replicas = 5"), &["from 1 to 4", "the ring has 4 members"]);
    refused(&files("block = 0"), &["from 1 to 786432"]);
    refused(&files("give_up = \"50ms\""), &["must not be shorter than 'retry'"]);
    refused("[files]", &["needs [ring]", "add a line [ring]"]);
    refused("[log]\n[[client]]\ndo = \"files\"", &["needs [files]"]);
}
