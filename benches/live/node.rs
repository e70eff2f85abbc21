//! One process of a cluster, on a thread of its own.

use netsplit::base::{NodeId, Rng, Span, Time};
use netsplit::host::Setup;
use netsplit::live::agent::{Agent, Counters, Epoch, Settings};
use netsplit::live::control::{Inbox, Request};
use netsplit::live::disk::{Disk, Medium};
use netsplit::live::drive::drive;
use netsplit::live::identity::{Authority, Role};
use netsplit::live::quic::{self, Book, Endpoint, Quic};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::SystemTime;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A runtime as a node has it.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("there is room for a runtime")
}

/// What the processes of a cluster share.
pub(crate) struct Site {
    authority: Authority,
    all: Arc<[NodeId]>,
    epoch: Epoch,
    _dir: tempfile::TempDir,
}

impl Site {
    pub(crate) fn found(all: &[NodeId]) -> Site {
        let dir = tempfile::tempdir().expect("there is a place for temporary files");
        let place = dir.path().join("authority");
        let authority = Authority::found(&place, SystemTime::now()).expect("it can be founded");
        Site { authority, all: all.into(), epoch: Epoch::new(Time::ZERO), _dir: dir }
    }

    /// The identity of one process.
    pub(crate) fn identity(&self, me: NodeId) -> netsplit::live::identity::Identity {
        self.authority.issue(Role::Node(me), SystemTime::now()).expect("the authority is there")
    }

    /// Opens the network of one process, which finds others by `book`. Must be called within a runtime.
    pub(crate) fn open(
        &self,
        me: NodeId,
        book: Book,
    ) -> (Quic, Endpoint, Sender<Inbox>, Receiver<Inbox>) {
        let (inbox, out) = channel(4_096);
        let options = quic::Options {
            me,
            all: Arc::clone(&self.all),
            identity: self.identity(me),
            authority: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            book,
            plan: "".into(),
            name: "bench".to_owned(),
            epoch: self.epoch,
            inbox: inbox.clone(),
            life: u64::from(me.number()),
        };
        let (link, endpoint) = quic::open(options).expect("there is a port");
        (link, endpoint, inbox, out)
    }
}

/// Tells all of them where the others are.
pub(crate) fn introduce(all: &[(NodeId, &Endpoint)]) {
    let mut book = Book::new();
    for (id, endpoint) in all {
        book.put(*id, endpoint.address());
    }
    all.iter().for_each(|(_, endpoint)| endpoint.learn(&book));
}

/// A node that runs.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) counters: Arc<Counters>,
    inbox: Sender<Inbox>,
    thread: JoinHandle<()>,
}

impl Node {
    /// Starts it. It finds others by `book`.
    pub(crate) fn start(site: &Arc<Site>, setup: Setup, medium: Medium, book: Book) -> Node {
        let (say, started) = sync_channel(1);
        let (site, id) = (Arc::clone(site), setup.me);
        let thread = std::thread::Builder::new().name(id.to_string());
        let thread = thread.spawn(move || {
            let runtime = runtime();
            runtime.block_on(async {
                let (link, endpoint, inbox, out) = site.open(id, book);
                let done = inbox.clone();
                let disk = Disk::start(&format!("disk {id}"), medium, Rng::new(1), move |what| {
                    let _ = done.blocking_send(Inbox::Disk(what));
                });
                let settings = Settings {
                    setup,
                    all: Arc::clone(&site.all),
                    seed: 7,
                    ways: (Span::ZERO, Span::ZERO),
                    epoch: site.epoch,
                };
                let mut agent = Agent::new(settings, disk.expect("there is a thread"), link);
                agent.boot();
                let counters = agent.counters();
                say.send((Arc::new(endpoint), counters, inbox)).expect("it waits");
                tokio::spawn(drive(agent, out)).await.expect("it does not panic");
            });
        });
        let thread = thread.expect("there is a thread");
        let (endpoint, counters, inbox) = started.recv().expect("it starts");
        Node { id, endpoint, counters, inbox, thread }
    }

    /// Ends it, and waits until its disk is closed.
    pub(crate) fn stop(self) {
        let asked = Inbox::Asked { console: 0, request: Request::Shutdown };
        let _ = self.inbox.blocking_send(asked);
        let _ = self.thread.join();
    }
}
