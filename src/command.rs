//! The only thing that goes in: faults, requests and time, each with one line of text.
//!
//! A command prints as the line that it is read from ([`Command`] implements `Display` and
//! `FromStr`, and a property test holds the two together). That line is what the `:` prompt takes,
//! what `-c` takes, what a saved session holds, and what the event list shows.
//!
//! Targets may be words (`leader`, `minority`, `holder billing` …). Words mean something only to
//! who watches the cluster, so they are resolved against the board before a command is sent; a
//! cluster refuses what is not resolved.

#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod links;

pub use links::{Fault, in_force};

use crate::base::{MsgId, Name, NodeId, Op, ParseError, Span, Time, TxnId, parse_error};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Whom a command hits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Target {
    /// These processes.
    Nodes(Vec<NodeId>),
    /// Who leads the log.
    Leader,
    /// The leader and the nodes after it, as many as are less than half.
    Minority,
    /// All nodes that are not in the minority.
    Majority,
    /// One node that is up, chosen by how far the run is.
    One,
    /// The client that the lock service says holds this lock.
    Holder(Name),
    /// Who coordinates this transaction.
    Coordinator(TxnId),
}

/// Which messages a network fault hits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Link {
    /// Every message.
    All,
    /// Every message from or to these.
    Of(Target),
    /// Both directions between two processes: `n1 ~ n2`.
    Between(Target, Target),
    /// One direction: `n1 -> n2`.
    OneWay(Target, Target),
}

/// What a crash does to writes that were not synced yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unsynced {
    /// Chance decides how many survive, and whether the next one is torn.
    #[default]
    Chance,
    /// None survives.
    Lose,
    /// All survive.
    Keep,
    /// The first is half written, the rest is lost.
    Tear,
}

/// What to do to a clock. Offsets move the wall clock only; drift moves both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ClockFault {
    /// Puts the wall clock this many microseconds ahead of (or behind) true time.
    Offset(i64),
    /// Lets both clocks run this many millionths too fast (or slow); at most half.
    Drift(i32),
    /// No offset, no drift. What drift has piled up stays in the monotonic clock.
    Ok,
}

/// What to do to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DiskFault {
    /// Every sync takes this long in addition.
    Slow(Span),
    /// The process crashes, and nothing that was not synced survives.
    Lose,
    /// The process crashes, and its disk is empty afterwards.
    Wipe,
    /// As fast as the plan says.
    Ok,
}

/// One thing that a person, a script or a replay wants done.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Command {
    /// Crash: volatile state is lost, what is on disk is kept.
    Kill { who: Target, unsynced: Unsynced },
    /// Boot from disk.
    Restart(Target),
    /// Freeze: state and inbound messages are kept, the clock runs on.
    Pause(Target),
    /// Thaw.
    Resume(Target),

    /// Cut every link between groups. Processes that are named nowhere keep all their links.
    Partition(Vec<Target>),
    /// Cut one link, both ways or one way.
    Cut(Link),
    /// Cut these off from everybody.
    Isolate(Target),
    /// Cut the nodes into two halves that only this one connects.
    Bridge(Target),
    /// Leave each node only its neighbours in a circle: every majority is there, and each differs.
    Ring,
    /// End network faults: all of them, or those on one link.
    Heal(Link),
    /// Every message takes this long in addition, plus up to `jitter`.
    Delay { link: Link, by: Span, jitter: Span },
    /// This many of 100 messages are lost.
    Loss { link: Link, percent: u8 },
    /// This many of 100 messages arrive twice.
    Duplicate { link: Link, percent: u8 },
    /// This many of 100 messages are held back long enough to be overtaken.
    Reorder { link: Link, percent: u8 },
    /// Keep messages back until they are released.
    Hold(Link),
    /// Let go what is held back.
    Release(Link),
    /// Deliver this message now.
    Deliver(MsgId),
    /// Lose this message.
    Drop(MsgId),
    /// Deliver this message once more.
    Twice(MsgId),

    /// Change a clock.
    Clock { who: Target, fault: ClockFault },
    /// Change a disk.
    Disk { who: Target, fault: DiskFault },

    /// Have a process ask for something: a client sends a request, a node takes it at its door.
    Ask { who: NodeId, op: Op },

    /// Go on until a time, or until stopped. Time commands are for the simulator only.
    Run { until: Option<Time> },
    /// Stop going on.
    Stop,
    /// Take this many steps.
    Step(u64),
    /// Begin a branch right after this many events of the current one, and be there.
    Fork { event: u64 },

    /// Keep this message under way for this much longer; a held one arrives after that.
    Postpone { msg: MsgId, by: Span },
    /// Go on along the branch with this number.
    Branch(u32),
    /// Begin a branch that starts anew, with its chance from this seed.
    Seed(u64),

    /// Have a timer of these run out now, or after this time: the one that is due first, or the
    /// first of this name.
    Fire { who: Target, timer: Option<Name>, after: Option<Span> },

    /// Leave each node only its link to this one.
    Star(Target),
}

impl Command {
    /// Whether it steers time rather than the cluster. Such commands are no part of a run's story.
    pub fn steers_time(&self) -> bool {
        use Command::{Branch, Fork, Run, Seed, Step, Stop};
        matches!(self, Run { .. } | Stop | Step(_) | Fork { .. } | Branch(_) | Seed(_))
    }

    /// Whether it breaks something: what a bound on progress must wait for the end of.
    pub fn is_fault(&self) -> bool {
        !self.steers_time() && !matches!(self, Command::Ask { .. })
    }

    /// What to tell a person: the text form, but the bytes of files by their number and checksum.
    pub fn brief(&self) -> String {
        match self {
            Command::Ask { who, op } => format!("{who} {op}"),
            other => other.to_string(),
        }
    }

    /// Whether it takes something away from those who use the cluster, rather than give it back or
    /// ask for something: what one should be asked about first where others use it too.
    pub fn harms(&self) -> bool {
        use Command::*;
        match self {
            Clock { fault, .. } => *fault != ClockFault::Ok,
            Disk { fault, .. } => *fault != DiskFault::Ok,
            Delay { by, jitter, .. } => *by + *jitter > Span::ZERO,
            Loss { percent, .. } | Duplicate { percent, .. } | Reorder { percent, .. } => {
                *percent > 0
            }
            Ask { op, .. } => {
                matches!(op, Op::Leave { .. } | Op::Release { .. } | Op::Voters { .. })
            }
            Restart(_) | Resume(_) | Heal(_) | Release(_) | Deliver(_) => false,
            Kill { .. }
            | Pause(_)
            | Partition(_)
            | Cut(_)
            | Isolate(_)
            | Bridge(_)
            | Star(_)
            | Ring
            | Hold(_)
            | Drop(_)
            | Twice(_)
            | Postpone { .. }
            | Fire { .. } => true,
            Run { .. } | Stop | Step(_) | Fork { .. } | Branch(_) | Seed(_) => false,
        }
    }

    /// Whether a person could have written it. What comes over a wire may be any value of this
    /// type, and not every value is the meaning of a line: a loss of 200 percent, a partition of
    /// nobody, an operation that only the log uses. Whether the cluster has those whom it names is
    /// another question.
    ///
    /// # Errors
    /// What is wrong with its line.
    pub fn check(&self) -> Result<(), ParseError> {
        let line = self.to_string();
        match line.parse::<Command>()? == *self {
            true => Ok(()),
            false => parse_error(format!("'{line}' would mean something else than was sent")),
        }
    }
}

/// How to write each command: form and meaning. The prompt's help and `--help` print it.
pub const FORMS: &[(&str, &str)] = &[
    ("kill WHO [lose|keep|tear]", "crash; what was not synced may be lost, kept or torn"),
    ("restart WHO", "boot from disk"),
    ("pause WHO", "freeze the process; its clock runs on"),
    ("resume WHO", "thaw it"),
    ("partition A | B [| C]", "cut all links between groups: partition n1,n2 | n3,n4,n5"),
    ("partition LINK", "cut a link: n1 ~ n2 both ways, n1 -> n2 one way"),
    ("isolate WHO", "cut all links of a process"),
    ("bridge WHO", "two halves that only this node connects"),
    ("star WHO", "all nodes keep only their link to this one"),
    ("ring", "each node sees a majority, and each a different one"),
    ("heal [LINK|WHO]", "end network faults"),
    ("delay LINK SPAN [JITTER]", "slow messages down: delay n1 -> n2 90ms 20ms"),
    ("loss LINK N%", "lose some messages: loss all 5%"),
    ("duplicate LINK N%", "deliver some messages twice"),
    ("reorder LINK N%", "let some messages be overtaken"),
    ("hold LINK", "keep messages back"),
    ("release LINK", "let them go"),
    ("deliver #MSG", "deliver a message in flight now"),
    ("drop #MSG", "lose a message in flight"),
    ("twice #MSG", "deliver a message in flight twice"),
    ("delay #MSG SPAN", "keep a message in flight under way for longer"),
    ("fire WHO [TIMER]", "have the timer that is due first run out now, or the one of a name"),
    ("fire WHO [TIMER] in SPAN", "have it run out then, whenever it was due"),
    ("clock WHO +SPAN|-SPAN", "set a wall clock off: clock n4 +250ms"),
    ("clock WHO drift PPM", "let a clock run fast or slow: clock n4 drift 200"),
    ("clock WHO ok", "set a clock right"),
    ("disk WHO slow SPAN", "make every sync slower"),
    ("disk WHO lose|wipe", "crash and lose the unsynced tail, or everything"),
    ("disk WHO ok", "make the disk fast again"),
    (
        "PROCESS OPERATION",
        "ask for something: c1 put x=5, c1 acquire billing 3s, c1 acquire billing 3s read, n1 leave n3, n1 voters n1,n2,n4, n1 lead n2",
    ),
    ("run [until TIME]", "let time pass"),
    ("stop", "stop time"),
    ("step [N]", "take single steps"),
    ("fork EVENT", "begin a branch after an event"),
    ("branch N", "go on along a branch; 0 is main"),
    ("seed N", "begin a branch that starts anew with another seed"),
];

fn join<T: fmt::Display>(items: &[T], separator: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Nodes(nodes) => f.write_str(&join(nodes, ",")),
            Target::Leader => f.write_str("leader"),
            Target::Minority => f.write_str("minority"),
            Target::Majority => f.write_str("majority"),
            Target::One => f.write_str("one"),
            Target::Holder(lock) => write!(f, "holder {lock}"),
            Target::Coordinator(txn) => write!(f, "coordinator {txn}"),
        }
    }
}

fn nobody(text: &str) -> String {
    const WHO: &str =
        "write n1 or n1,n2 or c1, leader, minority, majority, one, holder LOCK, coordinator TXN";
    let words = ["leader", "minority", "majority", "one", "holder", "coordinator"];
    let word = text.split(' ').next().unwrap_or_default();
    match nearest(word, words.into_iter()) {
        _ if text.is_empty() => format!("whom? {WHO}"),
        Some((score, near)) if score > 0.8 && near != word => {
            format!("'{text}' names nobody; did you mean '{near}'?")
        }
        _ => format!("'{text}' names nobody; {WHO}"),
    }
}

impl FromStr for Target {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Target, ParseError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        Ok(match words[..] {
            ["leader"] => Target::Leader,
            ["minority"] => Target::Minority,
            ["majority"] => Target::Majority,
            ["one"] => Target::One,
            ["holder", lock] => Target::Holder(lock.parse()?),
            ["coordinator", txn] => Target::Coordinator(txn.parse()?),
            _ => {
                let list = text.split(',').map(|id| id.trim().parse::<NodeId>());
                match list.collect::<Result<Vec<_>, _>>() {
                    Ok(nodes) => Target::Nodes(nodes),
                    Err(_) => return parse_error(nobody(text.trim())),
                }
            }
        })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Link::All => f.write_str("all"),
            Link::Of(who) => write!(f, "{who}"),
            Link::Between(a, b) => write!(f, "{a} ~ {b}"),
            Link::OneWay(from, to) => write!(f, "{from} -> {to}"),
        }
    }
}

impl FromStr for Link {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Link, ParseError> {
        Ok(match (text.trim(), text.split_once("->"), text.split_once('~')) {
            ("all", _, _) => Link::All,
            (_, Some((from, to)), _) => Link::OneWay(from.parse()?, to.parse()?),
            (_, _, Some((a, b))) => Link::Between(a.parse()?, b.parse()?),
            (who, _, _) => Link::Of(who.parse()?),
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Command::*;
        match self {
            Kill { who, unsynced: Unsynced::Chance } => write!(f, "kill {who}"),
            Kill { who, unsynced: Unsynced::Lose } => write!(f, "kill {who} lose"),
            Kill { who, unsynced: Unsynced::Keep } => write!(f, "kill {who} keep"),
            Kill { who, unsynced: Unsynced::Tear } => write!(f, "kill {who} tear"),
            Restart(who) => write!(f, "restart {who}"),
            Pause(who) => write!(f, "pause {who}"),
            Resume(who) => write!(f, "resume {who}"),
            Partition(groups) => write!(f, "partition {}", join(groups, " | ")),
            Cut(link) => write!(f, "partition {link}"),
            Isolate(who) => write!(f, "isolate {who}"),
            Bridge(who) => write!(f, "bridge {who}"),
            Star(who) => write!(f, "star {who}"),
            Ring => f.write_str("ring"),
            Heal(Link::All) => f.write_str("heal"),
            Heal(link) => write!(f, "heal {link}"),
            Delay { link, by, jitter: Span::ZERO } => write!(f, "delay {link} {by}"),
            Delay { link, by, jitter } => write!(f, "delay {link} {by} {jitter}"),
            Loss { link, percent } => write!(f, "loss {link} {percent}%"),
            Duplicate { link, percent } => write!(f, "duplicate {link} {percent}%"),
            Reorder { link, percent } => write!(f, "reorder {link} {percent}%"),
            Hold(link) => write!(f, "hold {link}"),
            Release(link) => write!(f, "release {link}"),
            Deliver(msg) => write!(f, "deliver {msg}"),
            Drop(msg) => write!(f, "drop {msg}"),
            Twice(msg) => write!(f, "twice {msg}"),
            Postpone { msg, by } => write!(f, "delay {msg} {by}"),
            Fire { who, timer, after } => {
                write!(f, "fire {who}")?;
                timer.iter().try_for_each(|timer| write!(f, " {timer}"))?;
                after.iter().try_for_each(|after| write!(f, " in {after}"))
            }
            Clock { who, fault: ClockFault::Ok } => write!(f, "clock {who} ok"),
            Clock { who, fault: ClockFault::Drift(ppm) } => write!(f, "clock {who} drift {ppm}"),
            Clock { who, fault: ClockFault::Offset(us) } => {
                let sign = if *us < 0 { '-' } else { '+' };
                write!(f, "clock {who} {sign}{}", Span(us.unsigned_abs()))
            }
            Disk { who, fault: DiskFault::Slow(by) } => write!(f, "disk {who} slow {by}"),
            Disk { who, fault: DiskFault::Lose } => write!(f, "disk {who} lose"),
            Disk { who, fault: DiskFault::Wipe } => write!(f, "disk {who} wipe"),
            Disk { who, fault: DiskFault::Ok } => write!(f, "disk {who} ok"),
            Ask { who, op } => write!(f, "{who} {op:#}"),
            Run { until: None } => f.write_str("run"),
            Run { until: Some(time) } => write!(f, "run until {time}"),
            Stop => f.write_str("stop"),
            Step(n) => write!(f, "step {n}"),
            Fork { event } => write!(f, "fork {event}"),
            Branch(id) => write!(f, "branch {id}"),
            Seed(seed) => write!(f, "seed {seed}"),
        }
    }
}

/// Splits the last word off: `n1 -> n2 5%` is `n1 -> n2` and `5%`.
fn split_last(text: &str) -> Result<(&str, &str), ParseError> {
    match text.trim().rsplit_once(char::is_whitespace) {
        Some((rest, last)) => Ok((rest.trim(), last)),
        None => parse_error(format!("'{}' is not complete", text.trim())),
    }
}

fn percent(text: &str) -> Result<(Link, u8), ParseError> {
    let (link, word) = split_last(text)?;
    match word.strip_suffix('%').and_then(|n| n.parse::<u8>().ok()) {
        Some(percent @ 0..=100) => Ok((link.parse()?, percent)),
        _ => parse_error(format!("'{word}' is not a share; write 0% to 100%")),
    }
}

fn delay(text: &str) -> Result<Command, ParseError> {
    let (rest, last) = split_last(text)?;
    let last: Span = last.parse()?;
    if rest.starts_with('#') {
        return Ok(Command::Postpone { msg: rest.parse()?, by: last });
    }
    if let Ok((link, by)) = split_last(rest)
        && let Ok(by) = by.parse::<Span>()
        && !link.ends_with("holder")
    {
        return Ok(Command::Delay { link: link.parse()?, by, jitter: last });
    }
    Ok(Command::Delay { link: rest.parse()?, by: last, jitter: Span::ZERO })
}

fn kill(text: &str) -> Result<Command, ParseError> {
    let how = |word: &str| match word {
        "lose" => Some(Unsynced::Lose),
        "keep" => Some(Unsynced::Keep),
        "tear" => Some(Unsynced::Tear),
        _ => None,
    };
    if let Ok((who, word)) = split_last(text)
        && let Some(unsynced) = how(word)
        && who != "holder"
    {
        return Ok(Command::Kill { who: who.parse()?, unsynced });
    }
    Ok(Command::Kill { who: text.parse()?, unsynced: Unsynced::Chance })
}

fn fire(text: &str) -> Result<Command, ParseError> {
    let later = text.rsplit_once(" in ").and_then(|(rest, after)| {
        let (who, timer) = fired(rest).ok()?;
        Some(Command::Fire { who, timer, after: Some(after.trim().parse().ok()?) })
    });
    match later {
        Some(later) => Ok(later),
        None => fired(text).map(|(who, timer)| Command::Fire { who, timer, after: None }),
    }
}

/// What names somebody as a whole has no timer in it: `fire holder billing`.
fn fired(text: &str) -> Result<(Target, Option<Name>), ParseError> {
    let whole = match text.parse() {
        Ok(who) => return Ok((who, None)),
        Err(error) => error,
    };
    let (who, timer) = split_last(text).map_err(|_| whole)?;
    Ok((who.parse()?, Some(timer.parse()?)))
}

fn clock(text: &str) -> Result<Command, ParseError> {
    let (rest, last) = split_last(text)?;
    if last == "ok" {
        return Ok(Command::Clock { who: rest.parse()?, fault: ClockFault::Ok });
    }
    if let Some(who) = rest.strip_suffix("drift") {
        return match last.parse::<i32>() {
            Ok(ppm) if ppm.unsigned_abs() <= 500_000 => {
                Ok(Command::Clock { who: who.parse()?, fault: ClockFault::Drift(ppm) })
            }
            _ => parse_error(format!("'{last}' is not a drift from -500000 to 500000 ppm")),
        };
    }
    let (sign, span) = match (last.strip_prefix('+'), last.strip_prefix('-')) {
        (Some(span), _) => (1, span),
        (_, Some(span)) => (-1, span),
        _ => return parse_error(format!("'{last}' is not an offset; write +250ms or -2s")),
    };
    let micros = match i64::try_from(span.parse::<Span>()?.0) {
        Ok(micros) if micros <= 1_000_000_000_000 => micros,
        _ => return parse_error(format!("'{last}' is too far; the most is 1000000s")),
    };
    let fault = ClockFault::Offset(sign * micros);
    Ok(Command::Clock { who: rest.parse()?, fault })
}

fn disk(text: &str) -> Result<Command, ParseError> {
    let (rest, last) = split_last(text)?;
    let (who, fault) = match (rest.strip_suffix("slow"), last) {
        (Some(who), span) => (who, DiskFault::Slow(span.parse()?)),
        (None, "lose") => (rest, DiskFault::Lose),
        (None, "wipe") => (rest, DiskFault::Wipe),
        (None, "ok") => (rest, DiskFault::Ok),
        _ => {
            return parse_error(format!("'{last}' is not a disk fault: slow SPAN, lose, wipe, ok"));
        }
    };
    Ok(Command::Disk { who: who.parse()?, fault })
}

fn partition(text: &str) -> Result<Command, ParseError> {
    if text.contains('~') || text.contains("->") {
        return Ok(Command::Cut(text.parse()?));
    }
    let groups = text.split('|').map(str::parse).collect::<Result<Vec<Target>, _>>()?;
    match groups.len() {
        0 | 1 => parse_error("a partition needs two groups (n1,n2 | n3) or a link (n1 ~ n2)"),
        _ => Ok(Command::Partition(groups)),
    }
}

fn run(text: &str) -> Result<Command, ParseError> {
    match text.trim().strip_prefix("until") {
        _ if text.trim().is_empty() => Ok(Command::Run { until: None }),
        Some(time) => Ok(Command::Run { until: Some(time.trim().parse()?) }),
        None => parse_error("write run, or run until TIME"),
    }
}

fn count(text: &str) -> Result<u64, ParseError> {
    match text.trim() {
        "" => Ok(1),
        word => number(word),
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, ParseError> {
    match text.trim().parse() {
        Ok(n) => Ok(n),
        Err(_) => parse_error(format!("'{}' is not a number", text.trim())),
    }
}

impl FromStr for Command {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Command, ParseError> {
        let text = text.trim();
        let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        Ok(match verb {
            "kill" => kill(rest)?,
            "restart" => Command::Restart(rest.parse()?),
            "pause" => Command::Pause(rest.parse()?),
            "resume" => Command::Resume(rest.parse()?),
            "partition" => partition(rest)?,
            "isolate" => Command::Isolate(rest.parse()?),
            "bridge" => Command::Bridge(rest.parse()?),
            "star" => Command::Star(rest.parse()?),
            "ring" if rest.is_empty() => Command::Ring,
            "heal" if rest.is_empty() => Command::Heal(Link::All),
            "heal" => Command::Heal(rest.parse()?),
            "delay" => delay(rest)?,
            "loss" => percent(rest).map(|(link, percent)| Command::Loss { link, percent })?,
            "duplicate" => {
                percent(rest).map(|(link, percent)| Command::Duplicate { link, percent })?
            }
            "reorder" => percent(rest).map(|(link, percent)| Command::Reorder { link, percent })?,
            "hold" => Command::Hold(rest.parse()?),
            "release" => Command::Release(rest.parse()?),
            "deliver" => Command::Deliver(rest.parse()?),
            "drop" => Command::Drop(rest.parse()?),
            "twice" => Command::Twice(rest.parse()?),
            "fire" => fire(rest)?,
            "clock" => clock(rest)?,
            "disk" => disk(rest)?,
            "run" => run(rest)?,
            "stop" if rest.is_empty() => Command::Stop,
            "step" => Command::Step(count(rest)?),
            "fork" => Command::Fork { event: count(rest)? },
            "branch" => Command::Branch(number(rest)?),
            "seed" => Command::Seed(number(rest)?),
            _ => match verb.parse::<NodeId>() {
                Ok(who) => Command::Ask { who, op: rest.parse()? },
                Err(_) => return parse_error(unknown(verb)),
            },
        })
    }
}

/// The one of these that is most like a word, and how much.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<(f64, &'a str)> {
    known.map(|known| (strsim::jaro(known, word), known)).max_by(|a, b| a.0.total_cmp(&b.0))
}

/// What to say about a verb that does not exist: the nearest one that does.
fn unknown(verb: &str) -> String {
    let verbs = FORMS.iter().filter_map(|(form, _)| form.split(' ').next());
    match nearest(verb, verbs.filter(|known| known.chars().any(char::is_lowercase))) {
        Some((score, known)) if score > 0.7 => {
            format!("'{verb}' is not a command; did you mean '{known}'?")
        }
        _ => format!("'{verb}' is not a command; ? lists them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::balance::Serving;
    use crate::base::{LockMode, Voters};
    use proptest::prelude::*;

    fn node() -> impl Strategy<Value = NodeId> {
        (1..=NodeId::MAX, any::<bool>())
            .prop_map(|(n, client)| if client { NodeId::client(n) } else { NodeId::node(n) })
    }

    fn name() -> impl Strategy<Value = Name> {
        "[a-z][a-z0-9:/_-]{0,9}".prop_map(|text| text.parse().unwrap())
    }

    fn target() -> impl Strategy<Value = Target> {
        prop_oneof![
            prop::collection::vec(node(), 1..4).prop_map(Target::Nodes),
            Just(Target::Leader),
            Just(Target::Minority),
            Just(Target::Majority),
            Just(Target::One),
            name().prop_map(Target::Holder),
            (1..=NodeId::MAX, any::<u32>()).prop_map(|(c, number)| {
                Target::Coordinator(TxnId { coordinator: NodeId::node(c), number })
            }),
        ]
    }

    fn link() -> impl Strategy<Value = Link> {
        prop_oneof![
            Just(Link::All),
            target().prop_map(Link::Of),
            (target(), target()).prop_map(|(a, b)| Link::Between(a, b)),
            (target(), target()).prop_map(|(a, b)| Link::OneWay(a, b)),
        ]
    }

    fn span() -> impl Strategy<Value = Span> {
        (0u64..10_000_000_000).prop_map(Span)
    }

    fn mode() -> impl Strategy<Value = LockMode> {
        prop_oneof![Just(LockMode::Alone), Just(LockMode::Read), (1u8..).prop_map(LockMode::OneOf)]
    }

    fn cut() -> impl Strategy<Value = Link> {
        prop_oneof![
            (target(), target()).prop_map(|(a, b)| Link::Between(a, b)),
            (target(), target()).prop_map(|(a, b)| Link::OneWay(a, b)),
        ]
    }

    fn unsynced() -> impl Strategy<Value = Unsynced> {
        prop_oneof![
            Just(Unsynced::Chance),
            Just(Unsynced::Lose),
            Just(Unsynced::Keep),
            Just(Unsynced::Tear)
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            name().prop_map(|key| Op::Get { key }),
            (name(), any::<i64>()).prop_map(|(key, value)| Op::Put { key, value }),
            (name(), span(), mode()).prop_map(|(lock, ttl, mode)| Op::Acquire { lock, ttl, mode }),
            (name(), any::<u64>()).prop_map(|(lock, token)| Op::Release { lock, token }),
            (node(), 1u16..=100).prop_map(|(node, weight)| Op::Join { node, weight }),
            proptest::collection::vec(1..=NodeId::MAX, 1..5).prop_map(|numbers| {
                let voters = Voters::of(numbers.into_iter().map(NodeId::node));
                Op::Voters { voters }
            }),
            node().prop_map(|node| Op::Lead { node }),
            (2u16..=1_000).prop_map(|times| Op::Serve { how: Serving::Slowly(times) }),
        ]
    }

    fn message_id() -> impl Strategy<Value = MsgId> {
        let live = (node(), 0u32..4_096, 0u64..1 << 36);
        prop_oneof![
            (0u64..1 << 48).prop_map(MsgId),
            live.prop_map(|(node, life, n)| MsgId(MsgId::first(node, life).0 | n)),
        ]
    }

    fn command() -> impl Strategy<Value = Command> {
        let nodes = prop_oneof![
            (target(), unsynced()).prop_map(|(who, unsynced)| Command::Kill { who, unsynced }),
            target().prop_map(Command::Restart),
            target().prop_map(Command::Pause),
            target().prop_map(Command::Resume),
            target().prop_map(Command::Isolate),
            target().prop_map(Command::Bridge),
            target().prop_map(Command::Star),
        ];
        let network = prop_oneof![
            prop::collection::vec(target(), 2..4).prop_map(Command::Partition),
            cut().prop_map(Command::Cut),
            Just(Command::Ring),
            link().prop_map(Command::Heal),
            (link(), span(), span()).prop_map(|(link, by, jitter)| Command::Delay {
                link,
                by,
                jitter
            }),
            (link(), 0u8..=100).prop_map(|(link, percent)| Command::Loss { link, percent }),
            (link(), 0u8..=100).prop_map(|(link, percent)| Command::Duplicate { link, percent }),
            (link(), 0u8..=100).prop_map(|(link, percent)| Command::Reorder { link, percent }),
            link().prop_map(Command::Hold),
            link().prop_map(Command::Release),
            message_id().prop_map(Command::Drop),
            message_id().prop_map(Command::Deliver),
            message_id().prop_map(Command::Twice),
            (message_id(), span()).prop_map(|(msg, by)| Command::Postpone { msg, by }),
            (target(), prop::option::of(name()), prop::option::of(span()))
                .prop_map(|(who, timer, after)| Command::Fire { who, timer, after }),
        ];
        let machine = prop_oneof![
            (target(), -1_000_000_000_000i64..1_000_000_000_000)
                .prop_map(|(who, us)| Command::Clock { who, fault: ClockFault::Offset(us) }),
            (target(), -500_000i32..=500_000)
                .prop_map(|(who, ppm)| Command::Clock { who, fault: ClockFault::Drift(ppm) }),
            target().prop_map(|who| Command::Clock { who, fault: ClockFault::Ok }),
            (target(), span())
                .prop_map(|(who, by)| Command::Disk { who, fault: DiskFault::Slow(by) }),
            target().prop_map(|who| Command::Disk { who, fault: DiskFault::Lose }),
            target().prop_map(|who| Command::Disk { who, fault: DiskFault::Wipe }),
            target().prop_map(|who| Command::Disk { who, fault: DiskFault::Ok }),
        ];
        let time = prop_oneof![
            prop::option::of((0u64..u64::MAX / 4).prop_map(Time))
                .prop_map(|until| Command::Run { until }),
            Just(Command::Stop),
            any::<u64>().prop_map(Command::Step),
            any::<u64>().prop_map(|event| Command::Fork { event }),
            any::<u32>().prop_map(Command::Branch),
            any::<u64>().prop_map(Command::Seed),
        ];
        let ask = (node(), op()).prop_map(|(who, op)| Command::Ask { who, op });
        prop_oneof![nodes, network, machine, time, ask]
    }

    /// Enough to write every form with, and names that look like something else.
    const WORDS: &[&str] = &[
        "kill",
        "restart",
        "pause",
        "partition",
        "isolate",
        "bridge",
        "star",
        "ring",
        "heal",
        "delay",
        "loss",
        "reorder",
        "hold",
        "release",
        "deliver",
        "drop",
        "fire",
        "election",
        "in",
        "clock",
        "disk",
        "run",
        "until",
        "stop",
        "step",
        "fork",
        "holder",
        "coordinator",
        "leader",
        "one",
        "all",
        "lose",
        "keep",
        "drift",
        "slow",
        "wipe",
        "ok",
        "n1",
        "n2,c1",
        "t2.1",
        "~",
        "->",
        "|",
        "5%",
        "100%",
        "0ms",
        "5ms",
        "1.5s",
        "+5ms",
        "-2s",
        "7",
        "200",
        "#7",
        "#n2.3.4",
        "acquire",
        "put",
        "x=5",
        "join",
    ];

    #[test]
    fn what_nobody_can_write_is_refused() {
        let one = || Target::just(NodeId::node(1));
        for command in [
            Command::Loss { link: Link::All, percent: 101 },
            Command::Kill { who: Target::Nodes(Vec::new()), unsynced: Unsynced::Keep },
            Command::Restart(Target::just(NodeId::BENCH)),
            Command::Restart(Target::just(NodeId::node(10_000))),
            Command::Partition(vec![one()]),
            Command::Partition(vec![one(), Target::Nodes(Vec::new())]),
            Command::Cut(Link::All),
            Command::Clock { who: one(), fault: ClockFault::Drift(500_001) },
            Command::Clock { who: one(), fault: ClockFault::Drift(i32::MIN) },
            Command::Clock { who: one(), fault: ClockFault::Offset(i64::MIN) },
            Command::Disk { who: one(), fault: DiskFault::Slow(Span(u64::MAX)) },
            Command::Ask { who: NodeId::node(1), op: Op::Noop },
            Command::Ask {
                who: NodeId::node(1),
                op: Op::Join { node: NodeId::node(2), weight: 0 },
            },
            Command::Drop(MsgId(u64::MAX)),
        ] {
            assert!(command.check().is_err(), "{command}");
        }
    }

    proptest! {
        #[test]
        fn every_command_reads_back_what_it_prints(command in command()) {
            prop_assert_eq!(command.to_string().parse::<Command>(), Ok(command));
        }

        #[test]
        fn whatever_is_read_passes_the_check(
            words in prop::collection::vec(prop::sample::select(WORDS), 1..7)
        ) {
            if let Ok(command) = words.join(" ").parse::<Command>() {
                prop_assert_eq!(command.check(), Ok(()), "{:?}", words);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Command>();
        }
    }

    #[test]
    fn a_person_may_write_it_loosely() {
        let same = |a: &str, b: &str| assert_eq!(a.parse::<Command>(), b.parse::<Command>());
        same("partition n1, n2|n3", "partition n1,n2 | n3");
        same("  heal all ", "heal");
        same("delay all 90ms", "delay all 90ms 0ms");
        same("partition n1->n2", "partition n1 -> n2");
    }

    #[test]
    fn a_wrong_verb_is_told_the_nearest_one() {
        let error = "partitoin n1 | n2".parse::<Command>().unwrap_err().to_string();
        assert!(error.contains("did you mean 'partition'"), "{error}");
    }

    #[test]
    fn what_breaks_harms_and_what_repairs_does_not() {
        let harms = |line: &str| line.parse::<Command>().unwrap().harms();
        for line in ["kill n1", "pause c1", "partition n1 | n2", "isolate n1", "ring", "hold all"] {
            assert!(harms(line), "{line}");
        }
        for line in ["loss all 5%", "disk n1 wipe", "clock n1 +1s", "n1 leave n3", "delay all 9ms"]
        {
            assert!(harms(line), "{line}");
        }
        for line in ["heal", "restart n1", "resume n1", "release all", "clock n1 ok", "disk n1 ok"]
        {
            assert!(!harms(line), "{line}");
        }
        for line in ["loss all 0%", "c1 put x=5", "n1 join n3", "run", "fork 3"] {
            assert!(!harms(line), "{line}");
        }
    }

    #[test]
    fn every_form_names_a_verb_that_is_read() {
        for (form, _) in FORMS {
            let verb = form.split(' ').next().unwrap();
            if verb.chars().all(char::is_lowercase) {
                let error = verb.parse::<Command>().err().map(|e| e.0).unwrap_or_default();
                assert!(!error.contains("not a command"), "{form}: {error}");
            }
        }
    }
}
