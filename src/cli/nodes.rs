//! Clusters of processes: `node`, `up`, `down`, `invite`.

use crate::base::NodeId;
use crate::error::{Error, nearest};
use crate::live::disk::Sync;
use crate::live::home::{self, AUTHORITY, Home, LOG, MEMBERS};
use crate::live::identity::{Authority, Identity, Role, Ticket};
use crate::live::node;
use crate::live::quic::Book;
use crate::plan::{self, Plan};
use crate::script::Stop;
use clap::{Args, ValueEnum};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

/// How long a node may take until it listens.
const START_WITHIN: Duration = Duration::from_secs(20);
/// How long a node may take to end when it is asked to.
const END_WITHIN: Duration = Duration::from_secs(8);
/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(200);

/// Run one node of a cluster as this process
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// The cluster: a file, or the name of a built-in one. The same for all its nodes
    #[arg(long, value_name = "FILE")]
    cluster: String,
    /// Which process of it: n1, n2 … or c1, c2 …
    #[arg(long, value_name = "NAME")]
    id: NodeId,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to keep its certificate and its disk
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// An invitation to the cluster; needed once
    #[arg(long, value_name = "TICKET")]
    join: Option<Ticket>,
    /// Found a new cluster, although others can reach the address
    #[arg(long, conflicts_with = "join")]
    found: bool,
    /// Do not wait for the disk: fast, and a crash of the machine loses what was promised
    #[arg(long)]
    no_fsync: bool,
    /// How to write the log, on standard error
    #[arg(long, value_enum, default_value = "text", value_name = "HOW")]
    log: LogArg,
    /// Where the cluster's authority is, if not in the data directory
    #[arg(long, value_name = "DIR", hide = true)]
    authority: Option<PathBuf>,
    /// End when standard input does
    #[arg(long, hide = true)]
    tied: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogArg {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

/// Start every process of a cluster on this machine
#[derive(Clone, Debug, Args)]
pub(super) struct UpArgs {
    /// A cluster file, or the name of a built-in cluster
    #[arg(default_value = "default")]
    cluster: String,
    /// Go on without this command; 'netsplit down' ends it
    #[arg(long)]
    detach: bool,
    /// Forget everything that an earlier run of this cluster left on disk
    #[arg(long)]
    fresh: bool,
    /// Do not wait for disks
    #[arg(long)]
    no_fsync: bool,
}

/// Print a ticket that lets somebody in, once
#[derive(Clone, Debug, Args)]
pub(super) struct InviteArgs {
    /// Which cluster that 'netsplit up' started
    #[arg(default_value = "default", conflicts_with = "data")]
    cluster: String,
    /// The data directory of the node that founded the cluster, if it was not 'up'
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What the newcomer may do: observer, operator, or be a process such as n4
    #[arg(long, default_value = "observer", value_name = "ROLE")]
    role: Role,
    /// For how many minutes the ticket is good
    #[arg(long, default_value = "15", value_name = "MINUTES")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=7 * 24 * 60))]
    minutes: u64,
    /// An address that the newcomer can reach, instead of those that are known; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<SocketAddr>,
}

fn failed(what: impl Into<String>) -> Stop {
    Stop::Failed(Error::new(what))
}

impl NodeArgs {
    /// Whether log lines are JSON objects.
    pub fn logs_json(&self) -> bool {
        self.log == LogArg::Json
    }

    /// Runs until it is told to end.
    ///
    /// # Errors
    /// Says what the user must change, or what the system refuses.
    pub fn execute(self, out: &mut dyn Write) -> Result<(), Stop> {
        let source = plan::source(&self.cluster).map_err(Stop::Refused)?;
        let plan = plan::load(&self.cluster).map_err(Stop::Refused)?;
        known(&plan, self.id).map_err(Stop::Refused)?;
        let options = node::Options {
            plan,
            text: source.text,
            me: self.id,
            listen: self.listen,
            data: self.data,
            authority: self.authority,
            join: self.join,
            found: self.found,
            sync: if self.no_fsync { Sync::Never } else { Sync::Full },
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tied = self.tied;
        let me = self.id;
        let mut told = Ok(());
        let ready = |address: SocketAddr| {
            // Whoever started this process waits for this line.
            told = writeln!(out, "{me} listens on {address}").and_then(|()| out.flush());
        };
        let end = runtime.block_on(node::run(options, stop(tied), ready));
        runtime.shutdown_timeout(Duration::from_secs(1));
        end.map_err(Stop::Failed)?;
        // A starter that has gone away has seen enough.
        drop(told);
        Ok(())
    }
}

/// When a node is to end: on SIGTERM, SIGINT, or when who started it is gone.
async fn stop(tied: bool) {
    use tokio::signal::unix::{SignalKind, signal};
    let (there, mut starter) = tokio::sync::mpsc::channel::<()>(1);
    let _always = (!tied).then(|| there.clone());
    if tied {
        // A thread, as reading standard input cannot be given up.
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            drop(there);
        });
    }
    let signals = signal(SignalKind::terminate())
        .and_then(|term| signal(SignalKind::interrupt()).map(|int| (term, int)));
    match signals {
        Ok((mut term, mut int)) => tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
            _ = starter.recv() => {}
        },
        Err(_) => drop(starter.recv().await),
    }
}

/// Whether the cluster has such a process.
fn known(plan: &Plan, id: NodeId) -> Result<(), Error> {
    if plan.processes().any(|process| process == id) {
        return Ok(());
    }
    let names: Vec<String> = plan.processes().map(|id| id.to_string()).collect();
    let error = Error::new(format!("the cluster {} has no {id}", plan.name));
    Err(match nearest(&id.to_string(), names.iter().map(String::as_str)) {
        Some(near) if names.len() > 12 => error.help(format!("did you mean {near}?")),
        _ => error.help(format!("it has {}", names.join(", "))),
    })
}

impl UpArgs {
    /// Starts all processes; unless they are to go on alone, waits for the end and ends them.
    pub(super) fn execute(self, out: &mut dyn Write) -> Result<(), Stop> {
        let plan = plan::load(&self.cluster).map_err(Stop::Refused)?;
        let text = plan::source(&self.cluster).map_err(Stop::Refused)?.text;
        let home = Home::find().map_err(Stop::Failed)?;
        let base = home.cluster(&plan.name);
        if self.fresh && base.exists() {
            fs::remove_dir_all(&base)
                .map_err(|error| failed(format!("cannot remove {}: {error}", base.display())))?;
        }
        let cluster = Prepared::new(&home, &base, &plan, &text).map_err(Stop::Failed)?;
        let mut running = Running::default();
        for (id, address) in &cluster.addresses {
            running.start(&cluster, *id, *address, &self)?;
        }
        running.ready(&base)?;
        self.say(&plan, &base, &running, out)?;
        if self.detach {
            running.let_go();
            return Ok(());
        }
        running.watch(out)?;
        running.end();
        writeln!(out, "{} is down", plan.name)?;
        Ok(())
    }

    fn say(
        &self,
        plan: &Plan,
        base: &Path,
        running: &Running,
        out: &mut dyn Write,
    ) -> Result<(), Stop> {
        let name = &plan.name;
        writeln!(out, "{name} is up, and lives in {}", base.display())?;
        for Started { id, address, child, .. } in &running.all {
            writeln!(out, "  {id:<4} {address:<21} process {}", child.id())?;
        }
        writeln!(out, "look at it:      netsplit attach {name}")?;
        writeln!(out, "let others in:   netsplit invite {name}")?;
        match self.detach {
            true => writeln!(out, "end it:          netsplit down {name}")?,
            false => writeln!(out, "end it:          Ctrl-C here")?,
        }
        out.flush()?;
        Ok(())
    }
}

/// A cluster's directory, with all that its processes need to start.
struct Prepared {
    base: PathBuf,
    addresses: Vec<(NodeId, SocketAddr)>,
}

impl Prepared {
    fn new(home: &Home, base: &Path, plan: &Plan, text: &str) -> Result<Prepared, Error> {
        home::make(base)?;
        same_cluster(base, &plan.name, text)?;
        let (place, now) = (base.join(AUTHORITY), SystemTime::now());
        let authority = match Authority::exists(&place) {
            true => Authority::open(&place)?,
            false => {
                home::make(&place)?;
                Authority::found(&place, now)?
            }
        };
        let console = home.console(authority.cluster(), Role::Operator);
        if Identity::load(&console)?.is_none() {
            home::make(&console)?;
            authority.issue(Role::Operator, now)?.save(&console)?;
        }
        let book = addresses(&Book::load(&base.join(MEMBERS))?, plan)?;
        book.save(&base.join(MEMBERS))?;
        book.save(&console.join(MEMBERS))?;
        for id in plan.processes() {
            let data = base.join(id.to_string());
            home::make(&data)?;
            if Identity::load(&data)?.is_none() {
                authority.issue(Role::Node(id), now)?.save(&data)?;
            }
            book.save(&data.join(MEMBERS))?;
        }
        let address = |id| book.get(id).map(|address| (id, address));
        let addresses = plan.processes().filter_map(address).collect();
        Ok(Prepared { base: base.to_owned(), addresses })
    }
}

/// Keeps the cluster's file, or finds that it was started from another one.
fn same_cluster(base: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = home::text_of(base);
    match fs::read_to_string(&path) {
        Ok(before) if before == text => Ok(()),
        Ok(_) => Err(Error::new(format!("{name} was started from another cluster file before"))
            .help(format!("what it left is in {}", base.display()))
            .help("forget that with --fresh, or give the file another name")),
        Err(_) => fs::write(&path, text)
            .map_err(|error| Error::new(format!("cannot write {}: {error}", path.display()))),
    }
}

/// Addresses for all processes: those of last time that are still free, else new ones.
fn addresses(before: &Book, plan: &Plan) -> Result<Book, Error> {
    let mut book = before.clone();
    // Held until all are chosen, so that none is chosen twice.
    let mut sockets = Vec::new();
    for id in plan.processes() {
        let old = before.get(id).and_then(|address| UdpSocket::bind(address).ok());
        let socket = match old {
            Some(socket) => Ok(socket),
            None => UdpSocket::bind("127.0.0.1:0"),
        };
        let address = socket.and_then(|socket| {
            let address = socket.local_addr()?;
            sockets.push(socket);
            Ok(address)
        });
        let address =
            address.map_err(|error| Error::new(format!("there is no free port: {error}")))?;
        book.put(id, address);
    }
    Ok(book)
}

/// A process that was started.
struct Started {
    id: NodeId,
    address: SocketAddr,
    child: Child,
    /// Its first line, or that there is none.
    first: mpsc::Receiver<Option<String>>,
}

/// The processes that were started. They end when this does.
#[derive(Default)]
struct Running {
    all: Vec<Started>,
}

impl Running {
    fn start(
        &mut self,
        cluster: &Prepared,
        id: NodeId,
        address: SocketAddr,
        args: &UpArgs,
    ) -> Result<(), Stop> {
        let base = &cluster.base;
        let data = base.join(id.to_string());
        let log = File::options().create(true).append(true).open(data.join(LOG));
        let log = log.map_err(|error| failed(format!("cannot write the log of {id}: {error}")))?;
        let program = std::env::current_exe()
            .map_err(|error| failed(format!("cannot find this program: {error}")))?;
        let mut command = Command::new(program);
        command.arg("node").arg("--cluster").arg(home::text_of(base));
        command.args(["--id", &id.to_string(), "--listen", &address.to_string()]);
        command.arg("--data").arg(&data).arg("--authority").arg(base.join(AUTHORITY));
        command.args(args.no_fsync.then_some("--no-fsync"));
        command.stdout(Stdio::piped()).stderr(log);
        match args.detach {
            true => command.stdin(Stdio::null()),
            false => command.arg("--tied").stdin(Stdio::piped()),
        };
        // A Ctrl-C is for `up`, which ends its processes in order.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child =
            command.spawn().map_err(|error| failed(format!("cannot start {id}: {error}")))?;
        let (say, first) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut line = String::new();
                let read = BufReader::new(stdout.take(4_096)).read_line(&mut line);
                let _ = say.send(read.ok().filter(|bytes| *bytes > 0).map(|_| line));
            });
        }
        self.all.push(Started { id, address, child, first });
        Ok(())
    }

    /// Waits until all listen.
    fn ready(&mut self, base: &Path) -> Result<(), Stop> {
        let until = Instant::now() + START_WITHIN;
        for one in &self.all {
            let left = until.saturating_duration_since(Instant::now());
            if !matches!(one.first.recv_timeout(left), Ok(Some(_))) {
                let log = base.join(one.id.to_string()).join(LOG);
                let said = fs::read_to_string(&log).unwrap_or_default();
                let said = said.lines().rev().take(8).collect::<Vec<_>>();
                let said = said.into_iter().rev().collect::<Vec<_>>().join("\n  ");
                let error =
                    Error::new(format!("{} does not start; its log ends:\n  {said}", one.id));
                return Err(Stop::Failed(error.help(format!("all of it: {}", log.display()))));
            }
        }
        Ok(())
    }

    /// Waits for a signal, and says who ends meanwhile.
    fn watch(&mut self, out: &mut dyn Write) -> Result<(), Stop> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut stop = pin!(stop(false));
            let mut gone = Vec::new();
            while gone.len() < self.all.len() {
                if tokio::time::timeout(LOOK, &mut stop).await.is_ok() {
                    break;
                }
                for one in &mut self.all {
                    if let Ok(Some(status)) = one.child.try_wait()
                        && !gone.contains(&one.id)
                    {
                        gone.push(one.id);
                        writeln!(out, "{} has ended: {status}", one.id)?;
                        out.flush()?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Lets the processes go on alone.
    fn let_go(mut self) {
        self.all.clear();
    }

    /// Ends the processes: asks, waits, and ends those that do not listen.
    fn end(&mut self) {
        for one in &mut self.all {
            drop(one.child.stdin.take());
        }
        let until = Instant::now() + END_WITHIN;
        for one in &mut self.all {
            while matches!(one.child.try_wait(), Ok(None)) {
                if Instant::now() > until {
                    let _ = one.child.kill();
                    let _ = one.child.wait();
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.all.clear();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

impl InviteArgs {
    /// Prints a ticket, and what to do with it on the other channel.
    pub(super) fn execute(self, out: &mut dyn Write, talk: &mut dyn Write) -> Result<(), Stop> {
        let (place, members) = self.places()?;
        let authority = Authority::open(&place).map_err(Stop::Failed)?;
        let addresses = match self.address.is_empty() {
            false => self.address.clone(),
            true => Book::load(&members).map_err(Stop::Failed)?.addresses(),
        };
        if addresses.is_empty() {
            let error = Error::new("no address of the cluster is known");
            return Err(Stop::Refused(
                error.help("say one that can be reached: --address IP:PORT"),
            ));
        }
        let ttl = Duration::from_secs(self.minutes * 60);
        let ticket = authority.invite(self.role, addresses, ttl, SystemTime::now());
        let ticket = ticket.map_err(Stop::Failed)?;
        writeln!(out, "{ticket}")?;
        out.flush()?;
        let how = match self.role {
            Role::Node(id) => format!("netsplit node --id {id} … --join TICKET"),
            _ => "netsplit attach TICKET".to_owned(),
        };
        let minutes = self.minutes;
        writeln!(talk, "for one {}, within {minutes} minutes, once: {how}", self.role)?;
        Ok(())
    }

    /// Where the authority and the known addresses are.
    fn places(&self) -> Result<(PathBuf, PathBuf), Stop> {
        let base = match &self.data {
            Some(data) => data.clone(),
            None => started(&Home::find().map_err(Stop::Failed)?, &self.cluster)?,
        };
        let place = base.join(AUTHORITY);
        if !Authority::exists(&place) {
            let error =
                Error::new(format!("there is no cluster's authority in {}", base.display()));
            let help = "only where a cluster was founded can others be invited";
            return Err(Stop::Refused(error.help(help)));
        }
        Ok((place, base.join(MEMBERS)))
    }
}

/// The directory of a cluster that `up` has started at some time, by its name or by what `up` was
/// told.
pub(super) fn started(home: &Home, word: &str) -> Result<PathBuf, Stop> {
    if home::text_of(&home.cluster(word)).exists() {
        return Ok(home.cluster(word));
    }
    let name = plan::name_of(word);
    let base = home.cluster(&name);
    if home::text_of(&base).exists() {
        return Ok(base);
    }
    let error = Error::new(format!("no cluster named {name} was started here"));
    let names = home.clusters();
    Err(Stop::Refused(match names.is_empty() {
        true => error.help(format!("start one: netsplit up {name}")),
        false => error.help(format!("there are {}", names.join(", "))),
    }))
}
