//! Faults that bring a planted bug to light, each list from a seed.

use netsplit::base::balance::Serving;
use netsplit::base::{FileOp, LockMode, Name, NodeId, Op, Rng, Span, Time, Voters};
use netsplit::command::{ClockFault, Command, DiskFault, Link, Target, Unsynced};
use netsplit::plan::Plan;
use netsplit::sim::hunt;

/// All five nodes, in an order by chance.
fn shuffled(rng: &mut Rng) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> = (1..=5).map(NodeId::node).collect();
    rng.shuffle(&mut nodes);
    nodes
}

/// Bad from the first moment, with a crash and a restart every few milliseconds; calm at the end.
pub(super) fn duel(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "duel", 0);
    let all = Target::Nodes((1..=5).map(NodeId::node).collect());
    let mut commands = vec![
        (Time::ZERO, Command::Loss { link: Link::All, percent: rng.between(20, 60) as u8 }),
        (Time::ZERO, Command::Disk { who: all, fault: DiskFault::Slow(Span::millis(2)) }),
    ];
    let mut at = Time::ZERO;
    while at < Time(1_500_000) {
        at += rng.span(Span::millis(5), Span::millis(60));
        let who = Target::Nodes(vec![NodeId::node(rng.between(1, 5) as u16)]);
        let kill = Command::Kill { who: who.clone(), unsynced: Unsynced::Chance };
        commands.push((at, kill));
        at += Span::millis(1);
        commands.push((at, Command::Restart(who)));
    }
    commands.push((at, Command::Heal(Link::All)));
    commands
}

/// One message in four is lost, and some node is always about to crash.
pub(super) fn doubt(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "doubt", 0);
    let mut commands = vec![(Time::ZERO, Command::Loss { link: Link::All, percent: 25 })];
    let mut at = Time::ZERO;
    while at < Time(25_000_000) {
        at += rng.span(Span::millis(200), Span::millis(1_500));
        let who = Target::Nodes(vec![NodeId::node(rng.between(1, 5) as u16)]);
        commands.push((at, Command::Kill { who: who.clone(), unsynced: Unsynced::Chance }));
        at += rng.span(Span::millis(50), Span::millis(600));
        commands.push((at, Command::Restart(who)));
    }
    commands.push((at, Command::Heal(Link::All)));
    commands
}

/// For a while, messages take anything up to a fifth of a second.
pub(super) fn jitter() -> Vec<(Time, Command)> {
    let slow = Command::Delay { link: Link::All, by: Span::ZERO, jitter: Span::millis(200) };
    vec![(Time(1_000_000), slow), (Time(20_000_000), Command::Heal(Link::All))]
}

/// The same, and clients are asked to move money between three accounts, now giving first and now
/// taking first.
pub(super) fn moving(seed: u64, mut commands: Vec<(Time, Command)>) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "moving", 0);
    let calm = commands.iter().map(|(at, _)| *at).max().unwrap_or_default();
    let mut at = Time(1_000_000);
    while at < calm {
        at += rng.span(Span::millis(50), Span::millis(500));
        let mut keys: Vec<u64> = (1..=6).collect();
        rng.shuffle(&mut keys);
        let (one, two) = (rng.between(1, 40) as i64, rng.between(1, 40) as i64);
        let mut by = [-one, -two, one + two];
        rng.shuffle(&mut by);
        let legs = keys.iter().zip(by);
        let legs: Vec<String> = legs.map(|(key, by)| format!("acct/{key} {by}")).collect();
        let op = format!("move {}", legs.join(" ")).parse().unwrap();
        let who = NodeId::client(rng.between(1, 3) as u16);
        commands.push((at, Command::Ask { who, op }));
    }
    commands.sort_by_key(|(at, _)| *at);
    commands
}

/// Nodes crash, two of five at most at a time, and come back soon or late. Nothing else is wrong.
pub(super) fn crashes(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "crashes", 0);
    let (mut commands, mut at) = (Vec::new(), Time::ZERO);
    let longest = [Span::millis(200), Span::millis(1_000), Span::millis(4_000)];
    while at < Time(25_000_000) {
        at += rng.span(Span::millis(100), Span::millis(800));
        let nodes = shuffled(&mut rng);
        let down = nodes[..rng.between(1, 2) as usize].to_vec();
        for who in down.iter().map(|who| Target::Nodes(vec![*who])) {
            commands.push((at, Command::Kill { who, unsynced: Unsynced::Chance }));
            at += rng.span(Span::micros(100), Span::millis(12));
        }
        let most = rng.pick(&longest).copied().unwrap_or(Span::ZERO);
        at += rng.span(Span::millis(20), most);
        for who in down.iter().map(|who| Target::Nodes(vec![*who])) {
            commands.push((at, Command::Restart(who)));
            at += rng.span(Span::micros(100), Span::millis(300));
        }
    }
    commands
}

/// One node crashes, and comes back when it has been missed for long.
pub(super) fn one_dead(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "dead", 0);
    let who = Target::Nodes(shuffled(&mut rng)[..1].to_vec());
    let at = Time::ZERO + rng.span(Span::secs(4), Span::secs(10));
    let kill = Command::Kill { who: who.clone(), unsynced: Unsynced::Chance };
    vec![(at, kill), (at + Span::secs(18), Command::Restart(who))]
}

/// Messages are lost, links are cut one way, and some node is always down.
pub(super) fn terms(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "terms", 0);
    let percent = rng.between(5, 40) as u8;
    let mut commands = vec![(Time::ZERO, Command::Loss { link: Link::All, percent })];
    let mut at = Time::ZERO;
    let one = |rng: &mut Rng| Target::Nodes(vec![NodeId::node(rng.between(1, 5) as u16)]);
    while at < Time(7_600_000) {
        at += rng.span(Span::millis(5), Span::millis(250));
        let who = one(&mut rng);
        commands.push((at, Command::Kill { who: who.clone(), unsynced: Unsynced::Chance }));
        let cut = Link::OneWay(one(&mut rng), one(&mut rng));
        commands.push((at, Command::Cut(cut.clone())));
        at += rng.span(Span::millis(5), Span::millis(100));
        commands.push((at, Command::Restart(who)));
        commands.push((at, Command::Heal(cut)));
    }
    commands.push((at, Command::Heal(Link::All)));
    commands
}

/// The storm of `terms`, and requests for other voters and other leaders.
pub(super) fn voters(seed: u64, plan: &Plan) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "voters", 1);
    let log = plan.services.log.as_ref().unwrap();
    let mut voters: Vec<NodeId> = log.voters.as_ref().unwrap().iter().collect();
    let (mut commands, mut at) = (terms(seed), Time::ZERO);
    let one = |rng: &mut Rng| NodeId::node(rng.between(1, 5) as u16);
    while at < Time(7_600_000) {
        at += rng.span(Span::millis(20), Span::millis(400));
        let id = one(&mut rng);
        match (voters.contains(&id), voters.len() > 2) {
            (true, true) => voters.retain(|voter| *voter != id),
            (false, _) => voters.push(id),
            _ => {}
        }
        if rng.percent(20) {
            voters = (1..=5).map(NodeId::node).filter(|_| rng.percent(60)).collect();
            voters.push(id);
        }
        let op = match rng.percent(30) {
            true => Op::Lead { node: id },
            false => Op::Voters { voters: Voters::of(voters.iter().copied()) },
        };
        commands.push((at, Command::Ask { who: one(&mut rng), op }));
    }
    commands.sort_by_key(|(at, _)| *at);
    commands
}

/// A node is asked to have another lead, and cut off with a client just then.
pub(super) fn handovers(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "handovers", 0);
    let who = |ids: &[NodeId]| Target::Nodes(ids.to_vec());
    let (mut commands, mut at) = (Vec::new(), Time(1_500_000));
    while at < Time(19_000_000) {
        let nodes = shuffled(&mut rng);
        commands.push((at, Command::Ask { who: nodes[0], op: Op::Lead { node: nodes[1] } }));
        at += rng.span(Span::micros(500), Span::millis(5));
        let with: Vec<NodeId> = [nodes[0]].into_iter().chain((1..=3).map(NodeId::client)).collect();
        let rest: Vec<NodeId> =
            nodes[1..].iter().copied().chain((4..=6).map(NodeId::client)).collect();
        commands.push((at, Command::Partition(vec![who(&with), who(&rest)])));
        at += Span::millis(600);
        commands.push((at, Command::Heal(Link::All)));
        at += rng.span(Span::millis(200), Span::millis(900));
    }
    commands
}

/// What a node acknowledges to the first leader is heard only when that one has crashed, lost those
/// entries to a second leader, and leads again, with others in their slots. Then it is left with one node
/// and its old acknowledgements, and somebody else is to lead the rest.
pub(super) fn late_word(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "late word", 0);
    let [one, two, three, four, five] = shuffled(&mut rng)[..] else { return Vec::new() };
    let mut jitter = |ms: u64| Time(ms * 1_000) + rng.span(Span::ZERO, Span::millis(200));
    let who = |ids: &[NodeId]| Target::Nodes(ids.to_vec());
    let leads = |id| Command::Fire {
        who: Target::just(id),
        timer: Some("election".parse().unwrap()),
        after: None,
    };
    let ask = |text: &str| Command::Ask { who: one, op: text.parse().unwrap() };
    let between = |a, b| Link::Between(who(a), who(b));
    let slow = Link::OneWay(Target::just(two), Target::just(one));
    let mut commands = vec![
        (jitter(500), leads(one)),
        (jitter(1_000), Command::Cut(between(&[one, two], &[three, four, five]))),
        (jitter(1_200), Command::Delay { link: slow, by: Span::secs(4), jitter: Span::ZERO }),
        (jitter(2_000), leads(three)),
        (jitter(2_200), Command::Kill { who: who(&[one]), unsynced: Unsynced::Keep }),
        (jitter(2_400), Command::Restart(who(&[one]))),
        (jitter(2_600), Command::Heal(between(&[one, two], &[three, four, five]))),
        (jitter(3_000), leads(one)),
        (jitter(3_500), Command::Cut(between(&[one, five], &[two, three, four]))),
        (jitter(7_000), leads(three)),
        (jitter(9_000), Command::Heal(Link::All)),
    ];
    commands.extend((0..6).map(|n| (jitter(1_500), ask(&format!("propose red-{n}")))));
    commands.extend((0..3).map(|n| (jitter(3_800), ask(&format!("propose blue-{n}")))));
    commands.sort_by_key(|(at, _)| *at);
    commands
}

/// n1, the only voter, is asked to let n2 vote, too; n2 hears nothing of it any more as soon as it
/// has caught up; then n1 restarts.
pub(super) fn second(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "second", 0);
    let (one, two) = (NodeId::node(1), NodeId::node(2));
    let at = Time::ZERO + rng.span(Span::secs(2), Span::secs(4));
    let cut = Command::Cut(Link::OneWay(Target::just(one), Target::just(two)));
    let op = Op::Voters { voters: Voters::of([one, two]) };
    let kill = Command::Kill { who: Target::just(one), unsynced: Unsynced::Keep };
    let dies = at + rng.span(Span::millis(20), Span::millis(90));
    vec![
        (at, Command::Ask { who: one, op }),
        (at + Span::micros(50), cut),
        (dies, kill),
        (dies + Span::millis(1), Command::Heal(Link::All)),
        (dies + Span::millis(100), Command::Restart(Target::just(one))),
    ]
}

/// A node is asked to lead, and when it may nobody hears it for a moment.
pub(super) fn unheard(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "unheard", 0);
    let nodes = shuffled(&mut rng);
    let (one, rest) = (Target::just(nodes[0]), Target::Nodes(nodes[1..].to_vec()));
    let lead = Op::Lead { node: nodes[0] };
    let at = Time(2_000_000) + rng.span(Span::ZERO, Span::millis(500));
    let deaf = at + rng.span(Span::millis(2), Span::millis(20));
    let healed = deaf + rng.span(Span::millis(10), Span::millis(60));
    vec![
        (at, Command::Ask { who: nodes[1], op: lead }),
        (deaf, Command::Cut(Link::OneWay(one, rest))),
        (healed, Command::Heal(Link::All)),
    ]
}

/// Somebody is asked to lead every other second.
pub(super) fn relay(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "relay", 0);
    let mut one = || NodeId::node(rng.between(1, 5) as u16);
    let ask =
        |n: u64| (Time(n * 2_000_000), Command::Ask { who: one(), op: Op::Lead { node: one() } });
    (1..9).map(ask).collect()
}

/// Messages and disks are slow, and nodes crash one after the other before they have caught up.
/// Now and then two of them miss a while; then the one that they had to catch up with is left to
/// lead them, and dies about when it begins to, as the other two return.
pub(super) fn epochs(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "epochs", 0);
    let some = |ids: &[NodeId]| Target::Nodes(ids.to_vec());
    let all = some(&(1..=5).map(NodeId::node).collect::<Vec<_>>());
    let (by, jitter) = (rng.span(Span::millis(1), Span::millis(12)), Span::millis(5));
    let slow = rng.span(Span::millis(1), Span::millis(25));
    let mut commands = vec![
        (Time::ZERO, Command::Delay { link: Link::All, by, jitter }),
        (Time::ZERO, Command::Disk { who: all.clone(), fault: DiskFault::Slow(slow) }),
    ];
    let kill = |who: &Target| Command::Kill { who: who.clone(), unsynced: Unsynced::Chance };
    let mut at = Time(600_000);
    while at < Time(5_000_000) {
        let nodes = shuffled(&mut rng);
        if rng.percent(50) {
            for id in &nodes[..rng.between(1, 3) as usize] {
                let who = some(&[*id]);
                at += rng.span(Span::ZERO, Span::millis(120));
                commands.push((at, kill(&who)));
                let back = at + rng.span(Span::millis(5), Span::millis(400));
                commands.push((back, Command::Restart(who)));
            }
            at += rng.span(Span::millis(50), Span::millis(600));
            continue;
        }
        let (behind, ahead, one) = (some(&nodes[..2]), some(&nodes[2..4]), some(&nodes[4..]));
        commands.push((at, kill(&behind)));
        at += Span::millis(900);
        commands.push((at, kill(&ahead)));
        commands.push((at, Command::Restart(behind)));
        at += rng.span(Span::millis(150), Span::millis(700));
        commands.push((at, kill(&one)));
        commands.push((at, Command::Restart(ahead)));
        at += Span::millis(900);
        commands.push((at, Command::Restart(one)));
        at += Span::millis(500);
    }
    at += Span::millis(400);
    commands.push((at, Command::Restart(all.clone())));
    commands.push((at, Command::Disk { who: all, fault: DiskFault::Ok }));
    commands.push((at, Command::Heal(Link::All)));
    commands.sort_by_key(|(at, _)| *at);
    commands
}

/// Everything that may make a leader read after another leads: it is cut off with a client, its wall
/// clock is set back, and voters who had just heard it restart while somebody seeks to lead.
pub(super) fn lapses(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "lapses", 0);
    let who = |ids: &[NodeId]| Target::Nodes(ids.to_vec());
    let (by, jitter) = (rng.span(Span::ZERO, Span::millis(60)), Span::millis(5));
    let slow = Command::Delay { link: Link::All, by, jitter };
    let mut commands = vec![(Time::ZERO, slow.clone())];
    let mut at = Time(1_500_000);
    while at < Time(17_000_000) {
        let nodes = shuffled(&mut rng);
        let (one, seeker, voters) = (nodes[0], nodes[1], who(&nodes[2..4]));
        commands.push((at, Command::Cut(Link::Between(who(&[one]), who(&[seeker])))));
        at += rng.span(Span::millis(500), Span::millis(1_200));
        let with = [one, NodeId::client(1)];
        let rest: Vec<NodeId> = [2, 3].map(NodeId::client).into_iter().chain(nodes).collect();
        let rest: Vec<NodeId> = rest.into_iter().filter(|id| *id != one).collect();
        commands.push((at, Command::Partition(vec![who(&with), who(&rest)])));
        let back = ClockFault::Offset(-3_000_000);
        commands.push((at, Command::Clock { who: who(&[one]), fault: back }));
        let kill = Command::Kill { who: voters.clone(), unsynced: Unsynced::Keep };
        commands.push((at, kill));
        commands.push((at + Span::millis(1), Command::Restart(voters)));
        at += Span::millis(1_500);
        commands.push((at, Command::Heal(Link::All)));
        commands.push((at, slow.clone()));
        commands.push((at, Command::Clock { who: who(&[one]), fault: ClockFault::Ok }));
        at += Span::millis(1_000);
    }
    commands.push((at, Command::Heal(Link::All)));
    commands
}

/// Again and again one node is cut off with half of the clients, when another has not heard of it
/// for a while, and two voters have just restarted.
pub(super) fn naps(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "naps", 0);
    let who = |ids: &[NodeId]| Target::Nodes(ids.to_vec());
    let (mut commands, mut at) = (Vec::new(), Time(3_000_000));
    while at < Time(30_000_000) {
        let nodes = shuffled(&mut rng);
        let (one, seeker, voters) = (nodes[0], nodes[1], who(&nodes[2..4]));
        commands.push((at, Command::Cut(Link::Between(who(&[one]), who(&[seeker])))));
        at += rng.span(Span::millis(400), Span::millis(2_300));
        let with: Vec<NodeId> = [one].into_iter().chain((1..=3).map(NodeId::client)).collect();
        let rest = nodes.iter().copied().filter(|id| *id != one);
        let rest: Vec<NodeId> = rest.chain((4..=6).map(NodeId::client)).collect();
        commands.push((at, Command::Partition(vec![who(&with), who(&rest)])));
        let kill = Command::Kill { who: voters.clone(), unsynced: Unsynced::Keep };
        commands.push((at, kill));
        commands.push((at + Span::millis(1), Command::Restart(voters)));
        at += Span::millis(1_600);
        commands.push((at, Command::Heal(Link::All)));
        at += Span::secs(3);
    }
    commands
}

/// Every node is told to leave the ring. One of them will have to stay.
pub(super) fn exodus() -> Vec<(Time, Command)> {
    let leave = |n| {
        let op = Op::Leave { node: NodeId::node(n) };
        (Time(u64::from(n) * 1_000_000), Command::Ask { who: NodeId::node(1), op })
    };
    (1..=5).map(leave).collect()
}

/// One link is bad, now this one and then that: cut, cut one way, slow or lossy. Nothing else is.
pub(super) fn one_link(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "link", 0);
    let (mut commands, mut at) = (Vec::new(), Time(1_000_000));
    while at < Time(20_000_000) {
        let nodes = shuffled(&mut rng);
        let [a, b] = [nodes[0], nodes[1]].map(Target::just);
        let link = Link::Between(a.clone(), b.clone());
        commands.push((
            at,
            match rng.below(4) {
                0 => Command::Cut(link),
                1 => Command::Cut(Link::OneWay(a, b)),
                2 => Command::Delay { link, by: Span::millis(300), jitter: Span::ZERO },
                _ => Command::Loss { link, percent: 50 },
            },
        ));
        at += rng.span(Span::secs(3), Span::secs(5));
        commands.push((at, Command::Heal(Link::All)));
    }
    commands
}

/// Every moment other links between nodes are cut, two of five at a time, and what is sent takes a
/// while: those who miss somebody are seldom of one mind.
pub(super) fn flickering(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "flickering", 0);
    let all = (Link::All, Span::millis(20), Span::millis(60));
    let delay = || Command::Delay { link: all.0.clone(), by: all.1, jitter: all.2 };
    let (mut commands, mut at) = (Vec::new(), Time(1_000_000));
    while at < Time(22_000_000) {
        commands.push((at, Command::Heal(Link::All)));
        commands.push((at, delay()));
        for a in 1..=5 {
            for b in a + 1..=5 {
                if rng.below(100) < 40 {
                    let [a, b] = [a, b].map(NodeId::node).map(Target::just);
                    commands.push((at, Command::Cut(Link::Between(a, b))));
                }
            }
        }
        at += rng.span(Span::millis(150), Span::millis(900));
    }
    commands.push((at, Command::Heal(Link::All)));
    commands
}

/// One node after the other is down, frozen or alone for longer than anybody needs to take over.
/// Nothing else is wrong.
pub(super) fn widowed(seed: u64) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "widowed", 0);
    let (mut commands, mut at) = (Vec::new(), Time::ZERO);
    while at < Time(18_000_000) {
        at += rng.span(Span::millis(300), Span::secs(4));
        let who = Target::just(NodeId::node(rng.between(1, 3) as u16));
        let (begin, end) = match rng.below(3) {
            0 => {
                let kill = Command::Kill { who: who.clone(), unsynced: Unsynced::Chance };
                (kill, Command::Restart(who))
            }
            1 => (Command::Pause(who.clone()), Command::Resume(who)),
            _ => (Command::Isolate(who), Command::Heal(Link::All)),
        };
        commands.push((at, begin));
        at += rng.span(Span::secs(7), Span::secs(9));
        commands.push((at, end));
    }
    commands
}

/// A storm in which backends get slow, fail and drain, too; in the end all serve well.
pub(super) fn servings(seed: u64, plan: &Plan, until: Time) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "servings", 0);
    let mut commands = hunt::storm(seed, plan, until);
    let backends = &plan.services.balance.as_ref().unwrap().backends;
    let ask = |who: NodeId, how| Command::Ask { who, op: Op::Serve { how } };
    let (mut at, calm) = (Time::ZERO, hunt::calm(until));
    while at < calm {
        at += rng.span(Span::millis(50), Span::millis(900));
        let how = match rng.below(6) {
            0 => Serving::Draining,
            1 => Serving::Failing,
            2 => Serving::Slowly(10),
            _ => Serving::Well,
        };
        commands.push((at, ask(*rng.pick(backends).unwrap(), how)));
    }
    commands.extend(backends.iter().map(|who| (at, ask(*who, Serving::Well))));
    commands.sort_by_key(|(at, _)| *at);
    commands
}

/// Every ten seconds so many of the nodes n4 to n8 lose their disks at once, and come back with
/// empty ones, sooner or later.
pub(super) fn losses(seed: u64, count: usize, until: Time) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "losses", 0);
    let mut commands = Vec::new();
    let mut at = Time(3_000_000);
    while at + Span::secs(10) < hunt::calm(until) {
        let mut nodes: Vec<NodeId> = (4..=8).map(NodeId::node).collect();
        rng.shuffle(&mut nodes);
        for node in nodes.into_iter().take(count) {
            let who = Target::Nodes(vec![node]);
            let wipe = Command::Disk { who: who.clone(), fault: DiskFault::Wipe };
            commands.push((at, wipe));
            let back = at + rng.span(Span::millis(300), Span::secs(4));
            commands.push((back, Command::Restart(who)));
        }
        at += Span::secs(10);
    }
    commands.sort_by_key(|(at, _)| *at);
    commands
}

/// The same, while the disk of one node turns a bit now and then.
pub(super) fn with_rot(
    seed: u64,
    node: u16,
    mut commands: Vec<(Time, Command)>,
    until: Time,
) -> Vec<(Time, Command)> {
    let mut rng = Rng::split(seed, "rot", 0);
    let mut at = Time(3_000_000);
    while at < hunt::calm(until) {
        let op = Op::File(FileOp::Rot { file: None });
        commands.push((at, Command::Ask { who: NodeId::node(node), op }));
        at += rng.span(Span::millis(300), Span::millis(1_500));
    }
    commands.sort_by_key(|(at, _)| *at);
    commands
}

/// In a storm, all the time some client is asked to take one of three locks for a while.
pub(super) fn circles(seed: u64, storm: Vec<(Time, Command)>, until: Time) -> Vec<(Time, Command)> {
    let (mut rng, mut commands) = (Rng::split(seed, "circles", 0), storm);
    let locks: [Name; 3] = ["door", "roof", "gate"].map(|name| name.parse().expect("a name"));
    let mut at = Time(1_000_000);
    while at.0 + 10_000_000 < until.0 {
        let who = NodeId::client(rng.between(1, 4) as u16);
        let lock = rng.pick(&locks).expect("there are some").clone();
        let (ttl, mode) = (Span::millis(600), LockMode::Alone);
        commands.push((at, Command::Ask { who, op: Op::Acquire { lock, ttl, mode } }));
        at += rng.span(Span::millis(20), Span::millis(200));
    }
    commands.sort_by_key(|(at, _)| *at);
    commands
}
