//! Filters on events: words that each narrow the list.
//!
//! ```text
//!  node:n1,n2   what happened at n1 or n2, or was sent to them
//!  kind:fault   faults, and everything else that belongs to that word
//!  msg:702      one message        t>3s  t<9.1  t>=3s   a stretch of time
//!  !kind:msg    not that           anything else: part of the text, small or capital
//! ```
//!
//! All words must hold; of a list behind a colon, one. A filter prints as it was written.

use crate::base::{MsgId, NodeId, ServiceId, Time};
use crate::event::{Event, Fact, Kind};
use crate::view::flow::is_heartbeat;
use std::fmt;
use std::str::FromStr;

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The character at which the wrong word begins, counted from 0.
    pub at: usize,
    /// What is wrong with it, and what to write.
    pub why: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.at + 1, self.why)
    }
}

/// The families of events that `kind:` names, with what belongs to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// A command, a crash, a freeze, a start.
    Fault,
    /// A message, sent, received, lost or held.
    Msg,
    /// A message that is sent.
    Sent,
    /// A message that is received.
    Received,
    /// A message that is lost.
    Lost,
    /// A message that says no more than that its sender is alive.
    Heartbeat,
    /// A timer.
    Timer,
    /// Who is believed to be alive.
    Alive,
    /// Who leads, follows, or wants to lead.
    Role,
    /// A promise, a vote, a proposal, a choice.
    Vote,
    /// An entry of the log that is taken in.
    Commit,
    /// A lock, or what it guards.
    Lock,
    /// The ring, and the keys on it.
    Ring,
    /// A transaction.
    Txn,
    /// A request that is spread over backends, or a backend.
    Balance,
    /// What a cache has, or who fetches it.
    Cache,
    /// A call, or its outcome.
    Call,
    /// Something that a process states, of whatever family.
    Fact,
}

impl Family {
    /// All of them, with their words.
    pub const ALL: [(Family, &'static str); 18] = [
        (Family::Fault, "fault"),
        (Family::Msg, "msg"),
        (Family::Sent, "sent"),
        (Family::Received, "received"),
        (Family::Lost, "lost"),
        (Family::Heartbeat, "heartbeat"),
        (Family::Timer, "timer"),
        (Family::Alive, "alive"),
        (Family::Role, "role"),
        (Family::Vote, "vote"),
        (Family::Commit, "commit"),
        (Family::Lock, "lock"),
        (Family::Ring, "ring"),
        (Family::Txn, "txn"),
        (Family::Balance, "balance"),
        (Family::Cache, "cache"),
        (Family::Call, "call"),
        (Family::Fact, "fact"),
    ];

    /// Whether an event belongs to it.
    pub fn has(self, kind: &Kind) -> bool {
        match kind {
            Kind::Sent { service, label, .. } => match self {
                Family::Heartbeat => is_heartbeat(Some(*service), label),
                _ => matches!(self, Family::Msg | Family::Sent),
            },
            Kind::Received { service, label, .. } => match self {
                Family::Heartbeat => is_heartbeat(Some(*service), label),
                _ => matches!(self, Family::Msg | Family::Received),
            },
            Kind::Lost { .. } => matches!(self, Family::Msg | Family::Lost),
            Kind::Held { .. } => self == Family::Msg,
            Kind::Fired { .. } | Kind::Armed { .. } => self == Family::Timer,
            Kind::Fact(fact) => self == Family::Fact || self == Family::of(fact),
            Kind::Started { .. }
            | Kind::Killed { .. }
            | Kind::Paused
            | Kind::Resumed
            | Kind::Panicked { .. }
            | Kind::Commanded(_)
            | Kind::Present { .. }
            | Kind::Missed { .. }
            | Kind::Failed { .. } => self == Family::Fault,
        }
    }

    fn of(fact: &Fact) -> Family {
        match fact {
            Fact::Suspects { .. }
            | Fact::Trusts { .. }
            | Fact::Misses { .. }
            | Fact::Dead { .. }
            | Fact::Incarnation { .. } => Family::Alive,
            Fact::Leads { .. }
            | Fact::Follows { .. }
            | Fact::Seeks { .. }
            | Fact::Stands { .. } => Family::Role,
            Fact::Applies { .. } | Fact::Snapshot { .. } => Family::Commit,
            Fact::Granted { .. }
            | Fact::Queued { .. }
            | Fact::Renewed { .. }
            | Fact::Freed { .. }
            | Fact::LockIs { .. }
            | Fact::Holds { .. }
            | Fact::LetsGo { .. }
            | Fact::Guards { .. }
            | Fact::Key { .. }
            | Fact::Primary { .. }
            | Fact::Left { .. }
            | Fact::Session(_)
            | Fact::Deadlock(_)
            | Fact::Failover(_)
            | Fact::Handoff(_)
            | Fact::Takes { .. } => Family::Lock,
            Fact::View { .. }
            | Fact::Serves { .. }
            | Fact::Yields { .. }
            | Fact::Took { .. }
            | Fact::Synced { .. }
            | Fact::Settled { .. }
            | Fact::Load { .. }
            | Fact::Backlog { .. }
            | Fact::File(_) => Family::Ring,
            Fact::Begins { .. }
            | Fact::Votes { .. }
            | Fact::Decides { .. }
            | Fact::Resolves { .. }
            | Fact::Ends { .. }
            | Fact::Precommits { .. }
            | Fact::TakesOver { .. }
            | Fact::InstancePromises { .. }
            | Fact::InstanceAccepts { .. }
            | Fact::InstanceChooses { .. }
            | Fact::Saga(_)
            | Fact::Tx(_) => Family::Txn,
            Fact::Balance(_) => Family::Balance,
            Fact::Cache(_) => Family::Cache,
            Fact::Invokes { .. } | Fact::Returns { .. } => Family::Call,
            Fact::Restates | Fact::Restated => Family::Fact,
            _ => Family::Vote,
        }
    }
}

/// What may stand before a colon.
const KEYS: [&str; 4] = ["node", "kind", "service", "msg"];

/// What one word asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Node(Vec<NodeId>),
    Kind(Vec<Family>),
    Service(Vec<ServiceId>),
    Message(MsgId),
    After(Time),
    Before(Time),
    /// In lower case.
    Text(String),
}

/// Which events are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    text: String,
    tests: Vec<(bool, Test)>,
}

impl Filter {
    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Whether it lets an event through.
    pub fn wants(&self, event: &Event) -> bool {
        self.tests.iter().all(|(is, test)| test.holds(event) == *is)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Test {
    fn holds(&self, event: &Event) -> bool {
        match self {
            Test::Node(ids) => {
                let other = match &event.kind {
                    Kind::Sent { to, .. } | Kind::Lost { to, .. } | Kind::Held { to, .. } => *to,
                    Kind::Received { from, .. } => *from,
                    _ => event.node,
                };
                let named = event.command().is_some_and(|command| names(command, ids));
                ids.contains(&event.node) || ids.contains(&other) || named
            }
            Test::Kind(families) => families.iter().any(|family| family.has(&event.kind)),
            Test::Service(services) => match &event.kind {
                Kind::Sent { service, .. }
                | Kind::Received { service, .. }
                | Kind::Fired { service, .. } => services.contains(service),
                _ => false,
            },
            Test::Message(wanted) => match &event.kind {
                Kind::Sent { msg, .. }
                | Kind::Received { msg, .. }
                | Kind::Lost { msg, .. }
                | Kind::Held { msg, .. } => msg == wanted,
                _ => false,
            },
            Test::After(time) => event.at > *time,
            Test::Before(time) => event.at < *time,
            Test::Text(text) => event.to_string().to_lowercase().contains(text),
        }
    }
}

/// Whether a command names one of these.
fn names(command: &crate::command::Command, ids: &[NodeId]) -> bool {
    let line = command.to_string();
    let mut words = line.split([' ', ',']).filter_map(|word| word.parse::<NodeId>().ok());
    words.any(|id| ids.contains(&id))
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Filter, FilterError> {
        let mut tests = Vec::new();
        let mut at = 0;
        for part in text.split_inclusive(char::is_whitespace) {
            let word = part.trim_end();
            if !word.is_empty() {
                let (is, rest) = word.strip_prefix('!').map_or((true, word), |rest| (false, rest));
                tests.push((is, read(rest).map_err(|why| FilterError { at, why })?));
            }
            at += part.chars().count();
        }
        Ok(Filter { text: text.trim().to_owned(), tests })
    }
}

fn read(word: &str) -> Result<Test, String> {
    let list = |rest: &str| rest.split(',').map(str::to_owned).collect::<Vec<String>>();
    if let Some(rest) = word.strip_prefix("node:") {
        let id = |id: &String| id.parse::<NodeId>().map_err(|error| error.0);
        return Ok(Test::Node(list(rest).iter().map(id).collect::<Result<_, _>>()?));
    }
    if let Some(rest) = word.strip_prefix("kind:") {
        return Ok(Test::Kind(
            list(rest).iter().map(|word| family(word)).collect::<Result<_, _>>()?,
        ));
    }
    if let Some(rest) = word.strip_prefix("service:") {
        return Ok(Test::Service(
            list(rest).iter().map(|word| service(word)).collect::<Result<_, _>>()?,
        ));
    }
    if let Some(rest) = word.strip_prefix("msg:") {
        return rest.parse().map(Test::Message).map_err(|error: crate::base::ParseError| error.0);
    }
    for (sign, least) in [("t>=", true), ("t<=", true), ("t>", false), ("t<", false)] {
        if let Some(rest) = word.strip_prefix(sign) {
            let time: Time = rest.parse().map_err(|error: crate::base::ParseError| error.0)?;
            return Ok(match (sign.contains('>'), least) {
                (true, false) => Test::After(time),
                (true, true) if time == Time::ZERO => Test::Text(String::new()),
                (true, true) => Test::After(Time(time.0 - 1)),
                (false, false) => Test::Before(time),
                (false, true) => Test::Before(Time(time.0.saturating_add(1))),
            });
        }
    }
    match word.split_once(':') {
        // A key of the store may have a colon, too.
        Some((key, _)) if !near(key, &KEYS).is_empty() => {
            let near = near(key, &KEYS);
            Err(format!("'{key}:' is no filter{near}; there are node: kind: service: msg: t> t<"))
        }
        _ if word.is_empty() => Err("behind '!' must stand what is not wanted".to_owned()),
        _ => Ok(Test::Text(word.to_lowercase())),
    }
}

fn family(word: &str) -> Result<Family, String> {
    let found = Family::ALL.into_iter().find(|(_, name)| *name == word);
    found.map(|(family, _)| family).ok_or_else(|| {
        let known = Family::ALL.map(|(_, name)| name);
        format!("'{word}' is no kind{}; there are {}", near(word, &known), known.join(" "))
    })
}

fn service(word: &str) -> Result<ServiceId, String> {
    let found = ServiceId::ALL.into_iter().find(|service| service.name() == word);
    found.ok_or_else(|| {
        let known: Vec<&str> = ServiceId::ALL.iter().map(|service| service.name()).collect();
        format!("'{word}' is no service{}; there are {}", near(word, &known), known.join(" "))
    })
}

/// What was perhaps meant.
fn near(word: &str, known: &[&str]) -> String {
    let best = known.iter().map(|known| (strsim::jaro_winkler(known, word), known));
    let best = best.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(score, _)| *score > 0.75);
    best.map(|(_, known)| format!(" (did you mean '{known}'?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Label;

    fn event(millis: u64, node: &str, kind: Kind) -> Event {
        Event { at: Time(millis * 1_000), node: node.parse().unwrap_or(NodeId::BENCH), kind }
    }

    /// A message, a vote, a command and a crash.
    fn events() -> Vec<Event> {
        let (msg, to, service) = (MsgId(702), NodeId::node(3), ServiceId::Log);
        let label = Label::of(&"Accept 7.3 slot 5");
        let command = "partition n1,n2 | n4".parse().expect("a command");
        vec![
            event(1_000, "n1", Kind::Sent { msg, to, service, label }),
            event(2_000, "n2", Kind::Fact(Fact::Leads { ballot: crate::base::Ballot::NONE })),
            event(3_000, "-", Kind::Commanded(Box::new(command))),
            event(4_000, "n4", Kind::Killed { lost: 0 }),
        ]
    }

    fn lets_through(filter: &str) -> String {
        let filter: Filter = filter.parse().expect("a filter");
        let wanted = |event: &Event| if filter.wants(event) { 'x' } else { '.' };
        events().iter().map(wanted).collect()
    }

    #[test]
    fn every_word_narrows_the_list() {
        for (filter, through) in [
            ("", "xxxx"),
            ("node:n1", "x.x."),
            ("node:n3,n4", "x.xx"),
            ("kind:fault", "..xx"),
            ("kind:sent,role", "xx.."),
            ("!kind:fault", "xx.."),
            ("service:log", "x..."),
            ("msg:702", "x..."),
            ("msg:#703", "...."),
            ("t>2s", "..xx"),
            ("t>=2s t<4", ".xx."),
            ("t<=2.0", "xx.."),
            ("ACCEPT", "x..."),
            ("!leads node:n2", "..x."),
            ("kind:heartbeat", "...."),
            ("user:42", "...."),
        ] {
            assert_eq!(lets_through(filter), through, "{filter}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_a_remedy() {
        for (filter, at, why) in [
            ("node:n1 node:x7", 8, "'x7' is not a process"),
            ("kind:fualt", 0, "did you mean 'fault'"),
            ("t>3s t<soon", 5, "not a length of time"),
            ("a nodes:n1", 2, "'nodes:' is no filter (did you mean 'node'?)"),
            ("msg:abc", 0, "not a message"),
            ("service:raff", 0, "is no service"),
            ("a !", 2, "behind '!'"),
        ] {
            let error = filter.parse::<Filter>().expect_err(filter);
            assert_eq!(error.at, at, "{filter}");
            assert!(error.why.contains(why), "{filter}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_each_prints_as_it_was_written(text in "\\PC{0,30}") {
            if let Ok(filter) = text.parse::<Filter>() {
                assert_eq!(filter.to_string(), text.trim());
                let _ = events().iter().filter(|event| filter.wants(event)).count();
            }
        }
    }
}
