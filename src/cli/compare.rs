//! `--compare`: the same run on several kinds of log.

use super::{Outcome, Run, RuntimeArg, Show, Start, argument, until};
use crate::base::{ServiceId, Time};
use crate::error::{Error, nearest};
use crate::event::Watch;
use crate::plan::{LogKind, Plan};
use crate::script::compare::{Row, Table, Tally};
use crate::script::{Format, Judgement, Step, Stop};
use crate::sim::World;
use std::io::Write;

/// How many runs the screen shows at once at the most.
const MOST_ABREAST: usize = 3;

impl Run {
    /// Plays a plan on each kind of log that was asked for, and writes what came of it.
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
        let mut rows = Vec::new();
        for kind in kinds {
            rows.push(measure(plan, kind, end, steps, talk)?);
        }
        write(&rows, self.output.format(), out)?;
        let verdict = Judgement::worst(rows.iter().map(|row| row.verdict));
        Ok(Outcome::Done(verdict.exit_code()))
    }

    /// Has it shown on each kind, side by side.
    fn abreast(&self, plan: &Plan, kinds: &[LogKind], steps: &[Step]) -> Result<Outcome, Stop> {
        if kinds.len() > MOST_ABREAST {
            let what = format!("no screen has room for {} runs side by side", kinds.len());
            let help = format!("name {MOST_ABREAST} at the most, or add --headless for a table");
            return Err(Stop::Refused(Error::new(what).help(help)));
        }
        let show = |kind: &LogKind| {
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

/// The same plan on another kind of log.
fn on(plan: &Plan, kind: LogKind) -> Plan {
    let mut plan = plan.clone();
    if let Some(log) = &mut plan.services.log {
        log.kind = kind;
    }
    plan
}

/// Plays a plan on one kind of log until `until`, and gives each command at its time.
fn measure(
    plan: &Plan,
    kind: LogKind,
    until: Time,
    steps: &[Step],
    talk: &mut dyn Write,
) -> Result<Row, Stop> {
    let plan = on(plan, kind);
    let (mut tally, mut out) = (Tally::new(&plan), Vec::new());
    let mut world = World::new(&plan, plan.seed, Watch::Facts, &mut out);
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
    Ok(tally.end(kind, until, traffic))
}

fn write(rows: &[Row], format: Format, out: &mut dyn Write) -> Result<(), Stop> {
    match format {
        Format::Text => write!(out, "{}", Table(rows))?,
        Format::Json => {
            for row in rows {
                serde_json::to_writer(&mut *out, row).map_err(std::io::Error::from)?;
                writeln!(out)?;
            }
        }
    }
    Ok(())
}

/// The kinds of these names. The file's own switches hold for its own kind.
fn kinds(names: &[String], plan: &Plan) -> Result<Vec<LogKind>, Stop> {
    let Some(log) = &plan.services.log else {
        let error = Error::new(format!("{} has no log to compare", plan.name));
        return Err(Stop::Refused(error.help("give it a [log] table")));
    };
    let all =
        LogKind::all().map(|kind| if kind.name() == log.kind.name() { log.kind } else { kind });
    let find = |name: &String| {
        let found = all.iter().find(|kind| kind.name() == name).copied();
        found.ok_or_else(|| unknown(name))
    };
    names.iter().map(find).collect()
}

fn unknown(name: &str) -> Stop {
    let all = LogKind::all().map(LogKind::name);
    let meant = match nearest(name, all) {
        Some(meant) => format!("there is no such log; did you mean {meant}?"),
        None => format!("there is no such log; there are {}", all.join(", ")),
    };
    argument("--compare", name, &meant)
}
