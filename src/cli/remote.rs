//! Looking at clusters elsewhere, and ending them: `attach`, `down`.

use super::nodes::started;
use super::{EventsArg, Looks, Outcome, Output, Person, Show, Start, shell_word};
use crate::base::Time;
use crate::error::Error;
use crate::event::Watch;
use crate::live::home::{self, AUTHORITY, Home, MEMBERS};
use crate::live::identity::{Authority, ClusterId, Identity, Role, Ticket};
use crate::live::quic::Book;
use crate::live::{self, Remote};
use crate::script::{self, Stop};
use clap::{ArgGroup, Args};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::SystemTime;

/// Look at a cluster of processes, here or elsewhere
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("lines").args(["headless"]))]
pub(super) struct AttachArgs {
    /// A ticket, the name of a cluster that 'netsplit up' started, or addresses of its nodes
    #[arg(required = true, value_name = "TICKET|NAME|ADDRESS")]
    whom: Vec<String>,
    /// Give a command at a time after attaching, such as '3s kill leader'; may be repeated
    #[arg(short = 'c', long = "command", value_name = "AT COMMAND")]
    steps: Vec<String>,
    /// No screen: event lines on standard output, then the verdict
    #[arg(long)]
    headless: bool,
    /// How long to look
    #[arg(long = "for", value_name = "TIME", default_value = "30s", requires = "headless")]
    span: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    pub(super) looks: Looks,
    #[command(flatten)]
    person: Person,
}

/// End a cluster that 'netsplit up' started
#[derive(Clone, Debug, Args)]
pub(super) struct DownArgs {
    /// Which one
    #[arg(default_value = "default")]
    cluster: String,
}

/// A certificate, and where it may open a door.
struct Way {
    identity: Identity,
    addresses: Vec<SocketAddr>,
}

impl AttachArgs {
    pub(super) fn execute(self, out: &mut dyn Write) -> Result<Outcome, Stop> {
        let home = Home::find().map_err(Stop::Failed)?;
        let mut steps = super::steps(&self.steps)?;
        let span = super::until("--for", &self.span)?;
        let level = if self.headless { self.output.events } else { EventsArg::All };
        let Remote { cluster, plan, role, now } = find(&home, &self.whom, level.watch())?;
        for step in &mut steps {
            step.at = now + step.at.since(Time::ZERO);
        }
        if !self.headless {
            let start = Start::Attached(cluster, role == Role::Operator);
            let (plain, tour) = (self.person.plain, !self.person.no_tour);
            let show = Show { steps, plain, tour, ..Show::new(plan, start, self.looks.set_up()?) };
            return Ok(Outcome::Screen(Box::new(show)));
        }
        let options = script::Options {
            seed: None,
            until: now + span.since(Time::ZERO),
            steps,
            format: self.output.format(),
            quiet: self.output.quiet,
            replay: self.again(),
            late: true,
            repeatable: false,
        };
        let summary = script::run(cluster, &plan, &options, out)?;
        Ok(Outcome::Done(summary.verdict.exit_code()))
    }
}

impl AttachArgs {
    /// The command line that does this again.
    fn again(&self) -> String {
        let whom: Vec<String> = self.whom.iter().map(|word| shell_word(word)).collect();
        format!("netsplit attach {} --headless --for {}", whom.join(" "), shell_word(&self.span))
    }
}

/// Attaches to what the words mean.
fn find(home: &Home, whom: &[String], level: Watch) -> Result<Remote, Stop> {
    let ways = ways(home, whom)?;
    let mut last = None;
    for Way { identity, addresses } in ways {
        match live::attach(identity, &addresses, level) {
            Ok(remote) => return Ok(remote),
            Err(error) => last = Some(error),
        }
    }
    Err(Stop::Failed(last.unwrap_or_else(|| {
        Error::new("nothing here has a certificate for that cluster")
            .help("ask somebody there for a ticket: netsplit invite")
    })))
}

fn ways(home: &Home, whom: &[String]) -> Result<Vec<Way>, Stop> {
    if let [word] = whom {
        if word.starts_with("nsp") {
            let ticket = word.parse::<Ticket>();
            let ticket = ticket.map_err(|why| Stop::Refused(Error::new(why.to_string())))?;
            return by_ticket(home, &ticket).map(|way| vec![way]).map_err(Stop::Failed);
        }
        if !word.contains(':') {
            let base = started(home, word)?;
            return by_base(home, &base).map(|way| vec![way]).map_err(Stop::Failed);
        }
    }
    let addresses = whom.iter().map(|word| {
        word.parse::<SocketAddr>().map_err(|_| {
            let error = Error::new(format!("'{word}' is no address, ticket or cluster"));
            Stop::Refused(error.help("write an address as 10.0.0.1:7400 or [::1]:7400"))
        })
    });
    Ok(by_address(home, addresses.collect::<Result<_, _>>()?))
}

/// With the identity that the ticket gives, or gave the last time.
fn by_ticket(home: &Home, ticket: &Ticket) -> Result<Way, Error> {
    if let Role::Node(id) = ticket.role {
        return Err(Error::new(format!("this ticket is for the process {id}, not for a console"))
            .help(format!("use it so: netsplit node --id {id} … --join TICKET")));
    }
    let place = home.console(ticket.cluster, ticket.role);
    let addresses = ticket.addresses.clone();
    let known = Identity::load(&place)?;
    let known = known.filter(|identity| !identity.expired(SystemTime::now()));
    let identity = match known {
        Some(identity) => identity,
        None => {
            let identity = live::redeem(ticket)?;
            home::make(&place)?;
            identity.save(&place)?;
            identity
        }
    };
    Ok(Way { identity, addresses })
}

/// As the operator of a cluster that was started here.
fn by_base(home: &Home, base: &Path) -> Result<Way, Error> {
    let cluster = Authority::open(&base.join(AUTHORITY))?.cluster();
    let identity = identity(home, cluster)?;
    Ok(Way { identity, addresses: Book::load(&base.join(MEMBERS))?.addresses() })
}

fn identity(home: &Home, cluster: ClusterId) -> Result<Identity, Error> {
    let place = home.console(cluster, Role::Operator);
    Identity::load(&place)?.ok_or_else(|| {
        Error::new(format!("there is no certificate for that cluster in {}", place.display()))
            .help("start the cluster again with 'netsplit up', which makes one")
    })
}

/// All certificates at hand; first those of clusters that have a process at such an address.
fn by_address(home: &Home, addresses: Vec<SocketAddr>) -> Vec<Way> {
    let mut places = home.consoles();
    let stranger = |place: &Path| {
        let book = Book::load(&place.join(MEMBERS)).unwrap_or_default();
        !book.addresses().iter().any(|address| addresses.contains(address))
    };
    // `operator` comes after `observer`, and can do all that an observer can.
    places.reverse();
    places.sort_by_key(|place| stranger(place));
    let identities = places.iter().filter_map(|place| Identity::load(place).ok().flatten());
    identities.map(|identity| Way { identity, addresses: addresses.clone() }).collect()
}

impl DownArgs {
    /// Asks every process to end, and waits until they have.
    pub(super) fn execute(self, out: &mut dyn Write) -> Result<(), Stop> {
        let home = Home::find().map_err(Stop::Failed)?;
        let base = started(&home, &self.cluster)?;
        let name = base.file_name().unwrap_or_default().to_string_lossy();
        let Way { identity, addresses } = by_base(&home, &base).map_err(Stop::Failed)?;
        let silent = live::shutdown(identity, &addresses).map_err(Stop::Failed)?;
        if silent.is_empty() {
            writeln!(out, "{name} is down")?;
            return Ok(());
        }
        let names: Vec<String> = silent.iter().map(ToString::to_string).collect();
        Err(Stop::Failed(Error::new(format!("{} did not end", names.join(", ")))))
    }
}
