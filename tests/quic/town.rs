//! A cluster on loopback for tests: certificates, networks without agents, and whole processes.

use netsplit::base::{MsgId, NodeId, Rng, Span, Time};
use netsplit::cluster::{Cluster, Update};
use netsplit::command::Command;
use netsplit::error::{Error, Source};
use netsplit::event::{Event, Loss, Watch};
use netsplit::live::agent::{Agent, Epoch, Settings};
use netsplit::live::console::{self, Attached};
use netsplit::live::control::{Envelope, Inbox, Link};
use netsplit::live::disk::{Disk, Medium};
use netsplit::live::drive::drive;
use netsplit::live::hub::Hub;
use netsplit::live::identity::{Authority, Identity, Role, Ticket};
use netsplit::live::quic::{self, Book, Endpoint, Quic};
use netsplit::plan::{Plan, file};
use netsplit::proto::{Message, ping};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;
use tracing_subscriber::fmt::MakeWriter;

/// Longer than anything here takes.
pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

pub(crate) fn n(number: u16) -> NodeId {
    NodeId::node(number)
}

/// Waits for what must come soon.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("no {what} within {SOON:?}"))
}

/// A cluster's authority, and what the cluster runs.
pub(crate) struct Town {
    _dir: TempDir,
    pub(crate) authority: Authority,
    place: std::path::PathBuf,
    pub(crate) plan: Plan,
    pub(crate) text: String,
}

impl Town {
    /// One that runs what this text says.
    pub(crate) fn new(text: &str) -> Town {
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("authority");
        let authority = Authority::found(&place, SystemTime::now()).expect("a new authority");
        let plan = file::parse("town", &Source::new("town.toml", text)).expect("a cluster file");
        Town { _dir: dir, authority, place, plan, text: text.to_owned() }
    }

    /// One of so many nodes that do nothing.
    pub(crate) fn quiet(nodes: u16) -> Town {
        Town::new(&format!("title = \"quiet\"\nnodes = {nodes}\n"))
    }

    pub(crate) fn identity(&self, role: Role) -> Identity {
        self.authority.issue(role, SystemTime::now()).expect("an identity")
    }

    pub(crate) fn ca(&self) -> String {
        std::fs::read_to_string(self.place.join("ca.pem")).expect("there is a CA")
    }

    pub(crate) fn ticket(&self, role: Role, ttl: u64, at: &[SocketAddr]) -> Ticket {
        let ttl = Duration::from_secs(ttl);
        self.authority.invite(role, at.to_vec(), ttl, SystemTime::now()).expect("a ticket")
    }

    fn options(&self, me: NodeId, inbox: usize) -> (quic::Options, Receiver<Inbox>) {
        static LIVES: AtomicU64 = AtomicU64::new(1);
        let (inbox, arrivals) = channel(inbox);
        let authority = (me == n(1)).then(|| Authority::open(&self.place).expect("it is there"));
        let options = quic::Options {
            me,
            all: self.plan.processes().collect(),
            identity: self.identity(Role::Node(me)),
            authority,
            listen: LOOPBACK.parse().expect("an address"),
            book: Book::new(),
            plan: self.text.as_str().into(),
            name: "town".to_owned(),
            epoch: Epoch::new(Time::ZERO),
            inbox,
            life: LIVES.fetch_add(1, Ordering::Relaxed),
        };
        (options, arrivals)
    }

    /// The network of a process, without an agent.
    pub(crate) fn open(&self, number: u16) -> House {
        self.open_with(number, 4_096, |_| {})
    }

    pub(crate) fn open_with(
        &self,
        number: u16,
        inbox: usize,
        change: impl FnOnce(&mut quic::Options),
    ) -> House {
        self.try_open(number, inbox, change).expect("it opens")
    }

    pub(crate) fn try_open(
        &self,
        number: u16,
        inbox: usize,
        change: impl FnOnce(&mut quic::Options),
    ) -> Result<House, Error> {
        let (mut options, arrivals) = self.options(n(number), inbox);
        change(&mut options);
        let (link, endpoint) = quic::open(options)?;
        Ok(House { me: n(number), link, endpoint, arrivals, sent: 0 })
    }

    /// All processes of the plan, whole, knowing each other from the start.
    pub(crate) fn populate(&self) -> Vec<Process> {
        let opened = self.plan.processes().map(|id| self.options(id, 4_096));
        let opened: Vec<_> = opened.map(|(options, out)| Opened::new(options, out)).collect();
        let mut book = Book::new();
        opened.iter().for_each(|it| book.put(it.me, it.endpoint.address()));
        opened.iter().for_each(|it| it.endpoint.learn(&book));
        opened.into_iter().map(|it| it.start(&self.plan)).collect()
    }

    /// One process, which knows what is in this book.
    pub(crate) fn process(&self, me: NodeId, book: Book) -> Process {
        let (options, out) = self.options(me, 4_096);
        Opened::new(quic::Options { book, ..options }, out).start(&self.plan)
    }

    /// A console, by a ticket that is redeemed at one address, attached at another.
    pub(crate) async fn console(&self, role: Role, door: SocketAddr, at: SocketAddr) -> Attached {
        let identity = soon("identity", console::redeem(&self.ticket(role, 60, &[door]))).await;
        let identity = identity.expect("the ticket is good");
        assert_eq!(identity.role, role);
        soon("welcome", console::attach(identity, &[at], Watch::Labels)).await.expect("it attaches")
    }
}

/// A process whose network is open, and whose node has not started.
struct Opened {
    me: NodeId,
    link: Quic,
    endpoint: Endpoint,
    epoch: Epoch,
    all: Arc<[NodeId]>,
    inbox: Sender<Inbox>,
    out: Receiver<Inbox>,
}

impl Opened {
    fn new(options: quic::Options, out: Receiver<Inbox>) -> Opened {
        let (me, inbox) = (options.me, options.inbox.clone());
        let (epoch, all) = (options.epoch, Arc::clone(&options.all));
        let (link, endpoint) = quic::open(options).expect("it opens");
        Opened { me, link, endpoint, epoch, all, inbox, out }
    }

    /// Starts its node, with a disk in memory.
    fn start(self, plan: &Plan) -> Process {
        let Opened { me, link, endpoint, epoch, all, inbox, out } = self;
        let medium = Medium::Memory { fastest: Span::ZERO, slowest: Span::ZERO };
        let disk = Disk::start("disk", medium, Rng::new(1), move |what| {
            let _ = inbox.blocking_send(Inbox::Disk(what));
        });
        let ways = (Span::ZERO, Span::ZERO);
        let settings = Settings { setup: plan.setup(me), all, seed: 7, ways, epoch };
        let mut agent = Agent::new(settings, disk.expect("a thread"), link);
        agent.boot();
        tokio::spawn(drive(agent, out));
        Process { endpoint }
    }
}

/// The network of a process, with the test as its agent.
pub(crate) struct House {
    pub(crate) me: NodeId,
    pub(crate) link: Quic,
    pub(crate) endpoint: Endpoint,
    pub(crate) arrivals: Receiver<Inbox>,
    sent: u64,
}

pub(crate) fn ball(author: NodeId, number: u64) -> Envelope {
    let id = MsgId(MsgId::first(author, 1).0 + number);
    let message = Message::Ping(ping::Message::Ball { throws: number });
    Envelope { id, stamp: Time(number), message }
}

impl House {
    /// Tells each where the other is.
    pub(crate) fn meet(&self, other: &House) {
        for (one, two) in [(self, other), (other, self)] {
            let mut book = Book::new();
            book.put(two.me, two.endpoint.address());
            one.endpoint.learn(&book);
        }
    }

    /// Sends the next message, and says which number it has.
    pub(crate) fn send(&mut self, to: u16) -> Result<u64, Loss> {
        self.sent += 1;
        self.link.send(n(to), ball(self.me, self.sent)).map(|()| self.sent)
    }

    /// The next message that arrives: from whom, and its number.
    pub(crate) async fn next(&mut self) -> (NodeId, u64) {
        loop {
            match soon("message", self.arrivals.recv()).await.expect("the network is open") {
                Inbox::Arrived { from, envelope } => {
                    assert_eq!(envelope.id.author(), Some(from));
                    return (from, envelope.stamp.0);
                }
                Inbox::Lost { .. } => {}
                other => panic!("not a message: {other:?}"),
            }
        }
    }

    /// Sends until something arrives at the other one, and returns how long that took.
    pub(crate) async fn reach(&mut self, other: &mut House) -> Duration {
        let since = std::time::Instant::now();
        let to = other.me.number();
        let sending = async {
            loop {
                let _ = self.send(to);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = sending => {}
            from = other.next() => assert_eq!(from.0, self.me),
        }
        // What was sent meanwhile is of no interest.
        tokio::time::sleep(Duration::from_millis(100)).await;
        while other.arrivals.try_recv().is_ok() {}
        while self.arrivals.try_recv().is_ok() {}
        since.elapsed()
    }
}

/// A whole process.
pub(crate) struct Process {
    pub(crate) endpoint: Endpoint,
}

/// A console with a hub, and what has come through the seam.
pub(crate) struct Desk {
    pub(crate) cluster: Cluster,
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<(NodeId, String)>,
    pub(crate) missed: u64,
    pub(crate) refused: Vec<String>,
}

impl Desk {
    pub(crate) async fn new(attached: Attached) -> Desk {
        let (commands, commands_out) = channel(64);
        let (updates_in, updates) = channel(64);
        let Attached { feeds, console, .. } = attached;
        tokio::spawn(Hub::new(feeds, Watch::Labels, console, commands_out, updates_in).serve());
        let cluster = Cluster { commands, updates };
        let (events, links, refused) = (Vec::new(), Vec::new(), Vec::new());
        let desk = Desk { cluster, events, links, missed: 0, refused };
        desk.give(Command::Run { until: None }).await;
        desk
    }

    pub(crate) async fn give(&self, command: Command) {
        self.cluster.commands.send(command).await.expect("the hub lives");
    }

    pub(crate) async fn say(&self, command: &str) {
        self.give(command.parse().expect("a command")).await;
    }

    /// Takes what comes until something is so.
    pub(crate) async fn until(&mut self, what: &str, so: impl Fn(&Desk) -> bool) {
        let coming = async {
            while !so(self) {
                match self.cluster.updates.recv().await.expect("the hub lives") {
                    Update::Events(events) => self.events.extend(events),
                    Update::Link { process, state } => {
                        self.links.push((process, format!("{state:?}")));
                    }
                    Update::Missed { count } => self.missed += count,
                    Update::Refused { why, .. } => self.refused.push(why),
                    _ => {}
                }
            }
        };
        if timeout(SOON, coming).await.is_err() {
            let tail: Vec<String> =
                self.events.iter().rev().take(20).map(ToString::to_string).collect();
            panic!("no {what} within {SOON:?}; {:?}; {:?}; {tail:#?}", self.links, self.refused);
        }
    }

    pub(crate) fn up(&self) -> usize {
        let mut last = std::collections::BTreeMap::new();
        for (process, state) in &self.links {
            last.insert(*process, state.as_str());
        }
        last.values().filter(|state| **state == "Up").count()
    }
}

/// What is logged on this thread while it lives.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn begin() -> (Log, tracing::subscriber::DefaultGuard) {
        // Whether a line is wanted is decided once for all threads. Somebody has to want them all,
        // or a thread that logs into nothing decides for the others.
        let all = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
        let _ = tracing::subscriber::set_global_default(all);
        let log = Log::default();
        let lines = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
        (log, tracing::subscriber::set_default(lines))
    }

    /// The lines that hold this.
    pub(crate) fn lines(&self, word: &str) -> Vec<String> {
        let bytes = self.0.lock().expect("nobody panics with it").clone();
        let text = String::from_utf8(bytes).expect("logs are text");
        text.lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
    }

    /// The one line that holds this, which may take a moment to come.
    pub(crate) async fn only(&self, word: &str) -> String {
        let there = async {
            while self.lines(word).is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(SOON, there).await.is_err() {
            panic!("nobody logs '{word}':\n{}", self.lines("").join("\n"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let lines = self.lines(word);
        assert_eq!(lines.len(), 1, "once: {lines:#?}");
        lines[0].clone()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;
    fn make_writer(&self) -> Log {
        self.clone()
    }
}
