//! Opening saved runs: what stands behind the seam when a run is looked at again.

use crate::base::Time;
use crate::cluster::{Cluster, LinkState, Update};
use crate::command::Command;
use crate::error::Error;
use crate::plan::{self, Plan};
use crate::saved::{Branch, Kind, Run, Seen, Story};
use crate::script::Stop;
use crate::sim::history::Entry;
use crate::sim::player::{Player, seam};
use crate::sim::restore::Tale;
use crate::view::digest::Digest;
use std::thread::JoinHandle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// The cluster file of a saved run.
///
/// # Errors
/// It cannot be read by this program.
pub fn plan(run: &Run) -> Result<Plan, Error> {
    let source = crate::error::Source::new("the cluster file in the saved run", &*run.about.plan);
    plan::file::parse(&run.about.name, &source)
}

/// Opens a run: all of a recorded one; of a simulated one, all branches.
///
/// # Errors
/// A command in it is none that this program knows, or the system has no thread left.
pub fn open(run: &Run, plan: &Plan) -> Result<Cluster, Stop> {
    match (&run.story, &run.about.kind) {
        (Story::Branches(branches, _), Kind::Simulated { seed }) => {
            simulate(plan, tales(branches, *seed).map_err(Stop::Refused)?)
        }
        (Story::Seen { pieces, .. }, _) => recite(pieces.clone(), false),
        (Story::Branches(..), _) => recite(Vec::new(), false),
    }
}

/// Opens one branch of a simulated run, from its start, as if there were no others; or a recorded
/// one that answers whoever wants it to go on.
///
/// # Errors
/// As for [`open`].
pub fn open_branch(run: &Run, plan: &Plan, index: usize) -> Result<Cluster, Stop> {
    let (Story::Branches(branches, _), Kind::Simulated { seed }) = (&run.story, &run.about.kind)
    else {
        let Story::Seen { pieces, .. } = &run.story else { return open(run, plan) };
        return recite(pieces.clone(), true);
    };
    let tale = straight(branches, index, *seed).map_err(Stop::Refused)?;
    simulate(plan, vec![tale])
}

/// One branch as a run of its own: what it has in common with others stands in its journal.
fn straight(branches: &[Branch], index: usize, seed: u64) -> Result<Tale, Error> {
    let mut tales = tales(branches, seed)?;
    let mut line = Vec::new();
    let mut at = Some((index as u32, u64::MAX));
    // From the branch to its root; of each, what was before the next one parted from it.
    while let Some((id, until)) = at {
        let (branch, tale) = (&branches[id as usize], &mut tales[id as usize]);
        let journal = std::mem::take(&mut tale.journal);
        let given = branch.commands.iter().zip(journal);
        let before = given.filter(|(given, _)| given.event < until).map(|(_, entry)| entry);
        line.splice(0..0, before.collect::<Vec<_>>());
        at = tale.parent;
    }
    let tale = tales.swap_remove(index);
    Ok(Tale { parent: None, journal: line, ..tale })
}

/// How the branches of a saved run came about.
///
/// # Errors
/// A command in it is none that this program knows.
pub fn tales(branches: &[Branch], seed: u64) -> Result<Vec<Tale>, Error> {
    let tale = |branch: &Branch| {
        let entry = |given: &crate::saved::Given| {
            let command = given.line.parse::<Command>().map_err(|why| {
                let line = &given.line;
                Error::new(format!("the run has a command that is not known here: '{line}': {why}"))
            })?;
            Ok(Entry { step: given.step, at: given.at, command })
        };
        Ok(Tale {
            parent: branch.parent,
            seed: branch.seed.unwrap_or(seed),
            journal: branch.commands.iter().map(entry).collect::<Result<_, Error>>()?,
            events: branch.end.events,
            now: branch.end.now,
        })
    };
    branches.iter().map(tale).collect()
}

fn simulate(plan: &Plan, tales: Vec<Tale>) -> Result<Cluster, Stop> {
    let (cluster, commands, updates) = seam();
    let plan = plan.clone();
    let play = move || {
        let mut send = |update| drop(updates.blocking_send(update));
        Player::again(&plan, &tales, &mut send).serve(commands, &updates);
    };
    thread("simulator", play).map(|()| cluster)
}

/// Tells all pieces of a recorded run, one after the other. If it stays, it answers commands.
fn recite(pieces: Vec<Seen>, stays: bool) -> Result<Cluster, Stop> {
    let (cluster, commands, updates) = seam();
    thread("recording", move || tell(pieces, stays, commands, &updates)).map(|()| cluster)
}

fn tell(pieces: Vec<Seen>, stays: bool, mut commands: Receiver<Command>, updates: &Sender<Update>) {
    // Nobody waits any more when sending fails, and then there is nothing to do.
    let send = |update| drop(updates.blocking_send(update));
    let mut now = Time::ZERO;
    send(Update::Reached { now, busy: false });
    for piece in pieces {
        send(match piece {
            Seen::Events(events) => {
                now = events.last().map_or(now, |event| now.max(event.at));
                Update::Events(events)
            }
            Seen::Link(process, None) => Update::Link { process, state: LinkState::Up },
            Seen::Link(process, Some(why)) => Update::Link { process, state: LinkState::Down(why) },
            Seen::Missed(count) => Update::Missed { count },
            Seen::Mark(..) => continue,
        });
    }
    send(Update::Reached { now, busy: false });
    if !stays {
        return;
    }
    while let Some(command) = commands.blocking_recv() {
        send(match command {
            Command::Run { .. } | Command::Stop => Update::Reached { now, busy: false },
            command => Update::Refused { command, why: "this is a recording".to_owned() },
        });
    }
}

/// A cluster of which the facts are digested while somebody else takes them in.
///
/// # Errors
/// The system has no thread left.
pub fn digested(mut cluster: Cluster) -> Result<(Cluster, JoinHandle<Digest>), Stop> {
    let (sender, updates) = channel(64);
    let listen = move || {
        let mut digest = Digest::default();
        while let Some(update) = cluster.updates.blocking_recv() {
            if let Update::Events(events) = &update {
                events.iter().for_each(|event| digest.see(event));
            }
            // Whoever listened may have heard enough.
            let _ = sender.blocking_send(update);
        }
        digest
    };
    let thread = std::thread::Builder::new().name("digest".to_owned()).spawn(listen);
    let thread = thread.map_err(|error| Stop::Failed(Error::new(format!("cannot start: {error}"))));
    Ok((Cluster { commands: cluster.commands, updates }, thread?))
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Stop> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map(|_| ()).map_err(|error| Stop::Failed(Error::new(format!("cannot start: {error}"))))
}
