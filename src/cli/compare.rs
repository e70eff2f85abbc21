//! `--compare`: the same run on several kinds of log, or with several ways to commit.

use super::{Outcome, Run, RuntimeArg, Show, Start, argument, until};
use crate::base::{Commitment, Presume, ServiceId, Span, Style, Time};
use crate::error::{Error, nearest};
use crate::event::Watch;
use crate::plan::{LogKind, Plan, Services, TxnKind};
use crate::script::compare::{Table, Tally, commits};
use crate::script::{Format, Judgement, Step, Stop};
use crate::sim::World;
use serde::Serialize;
use std::fmt;
use std::io::Write;

/// How many runs the screen shows at once at the most.
const MOST_ABREAST: usize = 3;

/// What is compared.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Log(LogKind),
    /// A way to commit, and what it is called.
    Txn(&'static str, TxnKind),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Log(kind) => kind.name(),
            Kind::Txn(name, _) => name,
        }
    }

    /// The ways to commit that there are, but for switches that change no figure.
    fn commits() -> [Kind; 8] {
        let two = |presume, cooperative| Commitment::TwoPhase { presume, cooperative };
        let saga = |choreographed| {
            let style = Style { choreographed, ..Style::default() };
            TxnKind::Saga { step_timeout: Span::secs(1), style }
        };
        [
            Kind::Txn("twophase", two(Presume::Abort, false).into()),
            Kind::Txn("presumed-commit", two(Presume::Commit, false).into()),
            Kind::Txn("cooperative", two(Presume::Abort, true).into()),
            Kind::Txn("logged", Commitment::Logged.into()),
            Kind::Txn("threephase", Commitment::ThreePhase.into()),
            Kind::Txn("paxoscommit", Commitment::PaxosCommit { acceptors: 3 }.into()),
            Kind::Txn("saga", saga(false)),
            Kind::Txn("choreographed", saga(true)),
        ]
    }
}

impl Run {
    /// Plays a plan on each kind that was asked for, and writes what came of it.
    pub(super) fn compare(
        &self,
        plan: &Plan,
        steps: &[Step],
        out: &mut dyn Write,
        talk: &mut dyn Write,
    ) -> Result<Outcome, Stop> {
        let kinds = kinds(&self.compare, plan)?;
        if self.runtime.is_live() {
            let what = "--compare is for the simulator, where every kind meets the same chance";
            return Err(Stop::Refused(Error::new(what).help("leave --runtime out")));
        }
        if !self.headless && self.until.is_none() {
            return self.abreast(plan, &kinds, steps);
        }
        let end: Time = until("--until", self.until())?;
        let (mut logs, mut ways) = (Vec::new(), Vec::new());
        for kind in kinds {
            let (tally, traffic) = measure(plan, kind, end, steps, talk)?;
            match kind {
                Kind::Log(kind) => logs.push(tally.end(kind, end, traffic)),
                Kind::Txn(name, kind) => ways.push(tally.end_commits(name, kind, end)),
            }
        }
        let format = self.output.format();
        write(&logs, Table(&logs), format, out)?;
        write(&ways, commits::Table(&ways), format, out)?;
        let outcomes =
            logs.iter().map(|row| &row.outcome).chain(ways.iter().map(|row| &row.outcome));
        Ok(Outcome::Done(Judgement::worst(outcomes.map(|outcome| outcome.verdict)).exit_code()))
    }

    /// Has it shown on each kind, side by side.
    fn abreast(&self, plan: &Plan, kinds: &[Kind], steps: &[Step]) -> Result<Outcome, Stop> {
        if kinds.len() > MOST_ABREAST {
            let what = format!("no screen has room for {} runs side by side", kinds.len());
            let help = format!("name {MOST_ABREAST} at the most, or add --headless for a table");
            return Err(Stop::Refused(Error::new(what).help(help)));
        }
        let show = |kind: &Kind| {
            let start = Start::Run(plan.seed, RuntimeArg::Sim);
            let show = Show {
                steps: steps.to_vec(),
                paused: self.paused,
                speed: self.speed.unwrap_or(1.0),
                ..Show::new(on(plan, *kind), start, self.looks.set_up()?)
            };
            Ok((kind.name(), show))
        };
        Ok(Outcome::Abreast(kinds.iter().map(show).collect::<Result<_, Stop>>()?))
    }
}

/// The same plan with another kind.
fn on(plan: &Plan, kind: Kind) -> Plan {
    let mut plan = plan.clone();
    match (kind, &mut plan.services) {
        (Kind::Log(kind), Services { log: Some(log), .. }) => log.kind = kind,
        (Kind::Txn(_, kind), Services { txn: Some(txn), .. }) => txn.kind = kind,
        _ => {}
    }
    plan
}

/// Plays a plan with one kind until `until`, and gives each command at its time. Returns how many
/// messages of the log were sent, too, and their bytes.
fn measure(
    plan: &Plan,
    kind: Kind,
    until: Time,
    steps: &[Step],
    talk: &mut dyn Write,
) -> Result<(Tally, (u64, u64)), Stop> {
    let plan = on(plan, kind);
    // Which transaction a message is about stands on its label.
    let watch = if matches!(kind, Kind::Txn(..)) { Watch::Labels } else { Watch::Facts };
    let (mut tally, mut out) = (Tally::new(&plan), Vec::new());
    let mut world = World::new(&plan, plan.seed, watch, &mut out);
    world.weigh();
    let mut steps = steps.iter().peekable();
    loop {
        out.drain(..).for_each(|event| tally.see(&event));
        let next = world.next();
        if let Some(step) = steps.next_if(|step| step.at <= next && step.at <= until) {
            world.wait(step.at);
            let given = tally.resolve(&step.command);
            if let Err(why) = given.and_then(|command| world.apply(&command, &mut out)) {
                writeln!(talk, "{}: '{step}': {why}", kind.name())?;
            }
        } else if next > until || !world.step(&mut out) {
            break;
        }
    }
    let traffic = world.traffic(ServiceId::Log);
    Ok((tally, traffic))
}

fn write<R: Serialize>(
    rows: &[R],
    table: impl fmt::Display,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    match format {
        Format::Text if rows.is_empty() => {}
        Format::Text => write!(out, "{table}")?,
        Format::Json => {
            for row in rows {
                serde_json::to_writer(&mut *out, row).map_err(std::io::Error::from)?;
                writeln!(out)?;
            }
        }
    }
    Ok(())
}

/// The kinds of these names, all of logs or all of ways to commit. The file's own switches hold for
/// its own kind.
fn kinds(names: &[String], plan: &Plan) -> Result<Vec<Kind>, Stop> {
    let commits = Kind::commits();
    let is_commit = |name: &String| commits.iter().any(|kind| kind.name() == name);
    match names.iter().any(is_commit) {
        true => ways(names, &commits, plan),
        false => logs(names, plan),
    }
}

fn ways(names: &[String], all: &[Kind], plan: &Plan) -> Result<Vec<Kind>, Stop> {
    if !matches!(&plan.services.txn, Some(txn) if !matches!(txn.kind, TxnKind::Opened { .. })) {
        let error = Error::new(format!("{} has no transfers to compare", plan.name));
        return Err(Stop::Refused(
            error.help("give it a [txn] table, and clients that do \"bank\""),
        ));
    }
    let nodes = plan.nodes.len();
    let own = |kind: Kind| match (kind, plan.services.txn.as_ref().map(|txn| txn.kind)) {
        (Kind::Txn(name, TxnKind::Saga { .. }), Some(TxnKind::Saga { step_timeout, style })) => {
            let style = Style { choreographed: name == "choreographed", ..style };
            Kind::Txn(name, TxnKind::Saga { step_timeout, style })
        }
        (Kind::Txn(name, TxnKind::Commit(Commitment::PaxosCommit { acceptors })), own) => {
            let acceptors = match own {
                Some(TxnKind::Commit(Commitment::PaxosCommit { acceptors })) => acceptors,
                _ => acceptors.min(u8::try_from(nodes).unwrap_or(u8::MAX)),
            };
            Kind::Txn(name, Commitment::PaxosCommit { acceptors }.into())
        }
        (kind, _) => kind,
    };
    let find = |name: &String| {
        let found = all.iter().find(|kind| kind.name() == name).copied().map(own);
        found.ok_or_else(|| unknown(name, "way to commit", all.iter().map(|kind| kind.name())))
    };
    names.iter().map(find).collect()
}

fn logs(names: &[String], plan: &Plan) -> Result<Vec<Kind>, Stop> {
    let Some(log) = &plan.services.log else {
        let error = Error::new(format!("{} has no log to compare", plan.name));
        return Err(Stop::Refused(error.help("give it a [log] table")));
    };
    let all =
        LogKind::all().map(|kind| if kind.name() == log.kind.name() { log.kind } else { kind });
    let find = |name: &String| {
        let found = all.iter().find(|kind| kind.name() == name).copied().map(Kind::Log);
        found.ok_or_else(|| unknown(name, "log", all.iter().map(|kind| kind.name())))
    };
    names.iter().map(find).collect()
}

fn unknown<'a>(name: &str, what: &str, all: impl Iterator<Item = &'a str>) -> Stop {
    let all: Vec<&str> = all.collect();
    let meant = match nearest(name, all.iter().copied()) {
        Some(meant) => format!("there is no such {what}; did you mean {meant}?"),
        None => format!("there is no such {what}; there are {}", all.join(", ")),
    };
    argument("--compare", name, &meant)
}
