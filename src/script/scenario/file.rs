//! Reading a scenario file, and what is wrong with it.

use super::text;
use super::{Act, Pointer, Question, Scenario, Show, Step, Wait, Words};
use crate::base::{NodeId, Op, ParseError, Span, Time};
use crate::command::Command;
use crate::error::{Error, Source, nearest};
use crate::plan::{self, LogKind, Plan, file};
use crate::read::{self, Read, Table, Value};
use crate::script::expect::{self, Claim, Expect};
use crate::view::condition::{Condition, Misread};
use std::collections::BTreeSet;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// The keys that a scenario has besides those of a cluster, and what each is for.
pub const KEYS: &[(&str, &[&str])] = &[
    ("", &["topic", "learn", "sources", "cluster", "breaks", "act", "step"]),
    ("act", &["title", "say", "mutations", "set", "breaks"]),
    (
        "step",
        &[
            "title", "acts", "at", "after", "when", "within", "say", "look", "ask", "do", "expect",
            "show",
        ],
    ),
    ("look", &["pane", "node", "say"]),
    ("ask", &["question", "choices", "answer", "why"]),
    ("show", &["pane", "zoom", "layout"]),
];

/// What belongs to the file even where the cluster is another's.
const OWN_WORDS: &[&str] = &["title", "about", "seed", "mutations"];
/// How long a step waits for its condition, unless it says so.
const PATIENCE: Span = Span::secs(30);
const MAX_STEPS: usize = 200;
const MAX_ACTS: usize = 9;
const MAX_TEXT: usize = 2_000;

fn keys(of: &str) -> &'static [&'static str] {
    KEYS.iter().find(|(name, _)| *name == of).map_or(&[], |(_, keys)| keys)
}

/// Whether a file is a scenario rather than a cluster: whether it has steps, or anything else that
/// only a scenario has, or what may be meant for steps.
pub fn is_scenario(source: &Source) -> bool {
    let own = |key: &str| keys("").contains(&key);
    let meant = |key: &str| !file::keys().contains(&key) && nearest(key, ["step"]).is_some();
    read::document(source).is_ok_and(|document| {
        document.get_ref().keys().any(|key| own(key.get_ref()) || meant(key.get_ref()))
    })
}

/// Reads a scenario. `name` is what to call it; a cluster that it names is looked up by `plan`, or
/// beside the file.
///
/// # Errors
/// Says what is wrong with the file, where, and what to do about it.
pub fn parse(name: &str, source: &Source, words: &Words) -> Result<Scenario, Error> {
    let document = read::document(source)?;
    let known = [file::keys(), keys("")].concat();
    let top = Table::new(source, document.get_ref(), "a scenario", &known)?;
    let base = Base::find(source, &top, document.get_ref())?;
    let acts = acts(name, source, &top, &base)?;
    let plan = &acts[0].plan;
    let services = acts.iter().flat_map(|act| act.plan.services.names()).collect();
    let processes = plan.processes().collect();
    let logs = acts.iter().filter_map(|act| act.plan.services.log.as_ref());
    let logs = logs.map(|log| log.kind).collect();
    let mut reader = Reader { words, processes, services, logs, acts: acts.len() };
    let steps = reader.steps(&top)?;
    Ok(Scenario {
        name: name.to_owned(),
        title: top.get_or("title", plan.title.clone(), |value| value.line(80))?,
        about: top.get_or("about", plan.about.clone(), |value| value.line(400))?,
        topic: top.get_or("topic", "other".to_owned(), |value| value.line(20))?,
        learn: top.get_or("learn", Vec::new(), lines)?,
        sources: top.get_or("sources", Vec::new(), lines)?,
        acts,
        steps,
    })
}

/// One text or several, one line each.
fn lines(value: &Value<'_>) -> Read<Vec<String>> {
    several(value)?.iter().map(|item| item.line(300)).collect()
}

/// One text stands for a list of one.
fn several<'a>(value: &Value<'a>) -> Read<Vec<Value<'a>>> {
    match value.is_text() {
        true => Ok(vec![value.clone()]),
        false => value.list(),
    }
}

/// A text of several lines, with its line ends and runs of spaces made one space.
fn prose(value: &Value<'_>) -> Read<String> {
    let text = value.text()?.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().any(char::is_control) {
        return Err(value.wrong("a text has characters that cannot be shown", "in here"));
    }
    match text.chars().count() <= MAX_TEXT {
        true => Ok(text),
        false => {
            let what = format!("a text may have {MAX_TEXT} characters at the most");
            Err(value.wrong(what, "this is longer").help("say it in several steps"))
        }
    }
}

/// Paragraphs, which empty lines part.
fn paragraphs(value: &Value<'_>) -> Read<Vec<String>> {
    prose(value)?;
    let parts = value.text()?.split("\n\n");
    let parts = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    Ok(parts.filter(|part| !part.is_empty()).collect())
}

// -- the cluster, and its variants ---------------------------------------------------------------

/// The cluster that all acts begin with.
struct Base<'a> {
    /// The file that it stands in, if it is another than the scenario's.
    other: Option<Source>,
    /// The scenario's own keys of a cluster.
    own: DeTable<'a>,
}

impl<'a> Base<'a> {
    fn find(source: &Source, top: &Table<'_>, document: &DeTable<'a>) -> Read<Base<'a>> {
        let own = only(document, file::keys());
        let Some(word) = top.get("cluster") else { return Ok(Base { other: None, own }) };
        let alien = |key: &&str| !OWN_WORDS.contains(key) && top.get(key).is_some();
        if let Some(key) = file::keys().iter().find(|key| alien(key))
            && let Some(value) = top.get(key)
        {
            let error = value.wrong_key("the cluster is given twice", "a part of it here");
            let error = word.witness(error, "and all of it here");
            return Err(error.help("keep one; [act.set] changes a cluster that is named"));
        }
        let text = word.text()?;
        let path = Path::new(&source.name).parent().unwrap_or(Path::new("")).join(text);
        let is_path = text.contains(['/', '\\', '.']);
        let found = match is_path {
            true => plan::source(&path.to_string_lossy()),
            false => plan::source(text),
        };
        let other = found.map_err(|error| word.wrong(error.what(), "there is no such cluster"))?;
        Ok(Base { other: Some(other), own })
    }

    /// The cluster with `changes` made to it. `at` is what to blame for mistakes that lie in the
    /// changes to a cluster of another file.
    fn plan(
        &self,
        name: &str,
        source: &Source,
        changes: &[&DeTable<'_>],
        at: Option<&Value<'_>>,
    ) -> Read<Plan> {
        let all = file::keys();
        let told = |plan: Plan, table: &DeTable<'_>| Plan { text: text::of(table).into(), ..plan };
        let Some(other) = &self.other else {
            let mut table = self.own.clone();
            changes.iter().for_each(|change| merge(&mut table, change));
            let plan = file::read(name, &Table::new(source, &table, "a cluster file", all)?)?;
            return Ok(told(plan, &table));
        };
        let document = read::document(other)?;
        let mut table = document.get_ref().clone();
        file::read(name, &Table::new(other, &table, "a cluster file", all)?)?;
        merge(&mut table, &self.own);
        changes.iter().for_each(|change| merge(&mut table, change));
        let changed = Table::new(other, &table, "a cluster file", all);
        let plan = changed.and_then(|table| file::read(name, &table));
        plan.map(|plan| told(plan, &table)).map_err(|error| match at {
            Some(at) => at.wrong_key(error.what(), "this does not fit the cluster"),
            None => Error::new(error.what()).help(format!("see {} and this file", other.name)),
        })
    }
}

/// A table with these keys only.
fn only<'a>(table: &DeTable<'a>, keys: &[&str]) -> DeTable<'a> {
    let kept = table.iter().filter(|(key, _)| keys.contains(&&**key.get_ref()));
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Puts what `change` has into `table`: tables are merged, all else is replaced.
fn merge<'a>(table: &mut DeTable<'a>, change: &DeTable<'a>) {
    for (key, value) in change {
        match (table.get_mut(key).map(|old| old.get_mut()), value.get_ref()) {
            (Some(DeValue::Table(old)), DeValue::Table(new)) => merge(old, new),
            _ => {
                table.remove(key);
                table.insert(key.clone(), value.clone());
            }
        }
    }
}

fn acts(name: &str, source: &Source, top: &Table<'_>, base: &Base<'_>) -> Read<Vec<Act>> {
    let Some(list) = top.get("act") else {
        let plan = base.plan(name, source, &[], None)?;
        let breaks = top.get_or("breaks", Vec::new(), breaks)?;
        return Ok(vec![Act { title: String::new(), say: String::new(), plan, breaks }]);
    };
    if let Some(breaks) = top.get("breaks") {
        let error = breaks.wrong_key("in which act?", "this stands outside of all acts");
        return Err(error.help("put it into the [[act]] that breaks it"));
    }
    let items = list.list()?;
    if items.is_empty() || items.len() > MAX_ACTS {
        return Err(list.wrong_key(format!("a scenario has 1 to {MAX_ACTS} acts"), "not so many"));
    }
    items.iter().map(|item| act(name, source, base, item)).collect()
}

fn act(name: &str, source: &Source, base: &Base<'_>, item: &Value<'_>) -> Read<Act> {
    let table = item.table("[[act]]", keys("act"))?;
    let set = table.get("set");
    let mutations = only(item.raw_table()?, &["mutations"]);
    let mut changes = vec![&mutations];
    if let Some(set) = &set {
        set.table("[act.set]", file::keys())?;
        changes.push(set.raw_table()?);
    }
    let plan =
        base.plan(name, source, &changes, set.as_ref().or(table.get("mutations").as_ref()))?;
    Ok(Act {
        title: table.get_or("title", String::new(), |value| value.line(80))?,
        say: table.get_or("say", String::new(), prose)?,
        plan,
        breaks: table.get_or("breaks", Vec::new(), breaks)?,
    })
}

fn breaks(value: &Value<'_>) -> Read<Vec<String>> {
    let one = |item: &Value<'_>| {
        let name = item.text()?;
        match expect::known_check(name) {
            Ok(()) => Ok(name.to_owned()),
            Err(help) => Err(item.wrong("there is no such check", "not known").help(help)),
        }
    };
    several(value)?.iter().map(one).collect()
}

// -- steps ---------------------------------------------------------------------------------------

struct Reader<'a> {
    words: &'a Words,
    processes: BTreeSet<NodeId>,
    /// What some act has.
    services: BTreeSet<&'static str>,
    /// How the acts keep their logs.
    logs: Vec<LogKind>,
    acts: usize,
}

/// An error of a text that has a language of its own.
fn misread(value: &Value<'_>, misread: &Misread, what: &str) -> Error {
    let error = value.wrong_part(misread.at.clone(), what, misread.why.clone());
    match &misread.help {
        Some(help) => error.help(help),
        None => error,
    }
}

impl Reader<'_> {
    fn steps(&mut self, top: &Table<'_>) -> Read<Vec<Step>> {
        let Some(list) = top.get("step") else {
            let error = Error::new("a scenario needs steps, and there is no [[step]]");
            return Err(error.help("write [[step]] and below it what to say, do or expect"));
        };
        let items = list.list()?;
        if items.is_empty() || items.len() > MAX_STEPS {
            let what = format!("a scenario has 1 to {MAX_STEPS} steps");
            return Err(list.wrong_key(what, "not so many"));
        }
        let mut steps = Vec::new();
        let mut last = None;
        for item in &items {
            let table = item.table("[[step]]", keys("step"))?;
            let step = self.step(&table)?;
            if let (Some(at), Some(value)) = (step.wait.at, table.get("at")) {
                if last.is_some_and(|last| at < last) {
                    let error = value.wrong("this step comes before the one above it", "earlier");
                    return Err(error.help("put steps in the order of their times"));
                }
                last = Some(at);
            }
            if step.says_nothing() {
                let error =
                    item.wrong("this step does nothing", "it says, does and expects nothing");
                return Err(error.help("give it say, do, ask, expect or show"));
            }
            steps.push(step);
        }
        Ok(steps)
    }

    fn step(&self, table: &Table<'_>) -> Read<Step> {
        Ok(Step {
            title: table.get_or("title", String::new(), |value| value.line(60))?,
            acts: table.get_or("acts", Vec::new(), |value| self.in_acts(value))?,
            wait: self.wait(table)?,
            say: table.get_or("say", Vec::new(), paragraphs)?,
            look: table.get_or("look", Vec::new(), |value| self.pointers(value))?,
            ask: table.get_or("ask", None, |value| question(value).map(Some))?,
            orders: table.get_or("do", Vec::new(), |value| self.orders(value))?,
            expect: table.get_or("expect", Vec::new(), |value| self.expects(value))?,
            show: table.get_or("show", None, |value| self.show(value).map(Some))?,
        })
    }

    fn in_acts(&self, value: &Value<'_>) -> Read<Vec<usize>> {
        let most = u8::try_from(self.acts).unwrap_or(u8::MAX);
        let help = match most {
            1 => "there is one act; write [[act]] for each".to_owned(),
            _ => format!("there are acts 1 to {most}"),
        };
        let one = |item: &Value<'_>| item.number::<u8>(1..=most).map(usize::from);
        let one = |item: &Value<'_>| one(item).map_err(|error| error.help(&*help));
        value.list()?.iter().map(one).collect()
    }

    fn wait(&self, table: &Table<'_>) -> Read<Wait> {
        let time = |value: &Value<'_>| value.time(Span::ZERO).map(|span| Some(Time(span.0)));
        if let (Some(at), Some(after)) = (table.get("at"), table.get("after")) {
            let error = after.wrong_key("one step cannot begin at two times", "after the last");
            return Err(at.witness(error, "and at a time of its own").help("keep one of the two"));
        }
        let when = |value: &Value<'_>| {
            let condition = Condition::parse(value.text()?)
                .map_err(|why| misread(value, &why, "this is no condition"))?;
            self.whom(value, &condition.to_string())?;
            self.can_be_so(value, &condition)?;
            Ok(Some(condition))
        };
        if let (Some(within), None) = (table.get("within"), table.get("when")) {
            let error = within.wrong_key("this bounds nothing", "there is no 'when' in this step");
            return Err(error.help("an expectation has its own: expect = [\"within 3s: …\"]"));
        }
        Ok(Wait {
            at: table.get_or("at", None, time)?,
            after: table.get_or("after", None, |value| value.time(Span::ZERO).map(Some))?,
            when: table.get_or("when", None, when)?,
            within: table.get_or("within", PATIENCE, |value| value.time(Span::millis(1)))?,
        })
    }

    /// Refuses names of processes that the cluster does not have.
    fn whom(&self, value: &Value<'_>, text: &str) -> Read<()> {
        let parts = text.split(|c: char| !c.is_ascii_alphanumeric());
        let named = parts.filter_map(|word| word.parse::<NodeId>().ok());
        let Some(stranger) = named.into_iter().find(|id| !self.processes.contains(id)) else {
            return Ok(());
        };
        let name = stranger.to_string();
        let place = value.text()?.find(&name).unwrap_or_default();
        let known: Vec<String> = self.processes.iter().map(ToString::to_string).collect();
        let what = format!("there is no {name} in this cluster");
        let error = value.wrong_part(place..place + name.len(), what, "not there");
        Err(error.help(format!("processes are {}", known.join(", "))))
    }

    /// Refuses statements about what the cluster does not have.
    fn can_be_so(&self, value: &Value<'_>, condition: &Condition) -> Read<()> {
        match condition {
            Condition::Not(inner) => self.can_be_so(value, inner),
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().try_for_each(|part| self.can_be_so(value, part))
            }
            Condition::Is(term) => {
                let text = term.to_string();
                let word = text.split(' ').next().unwrap_or_default();
                let needs: &[&str] = match word {
                    "lock" => &["lock"],
                    "txn" => &["txn"],
                    "ring" => &["ring"],
                    "decree" => &["paxos"],
                    "slot" => &["log", "paxos"],
                    "commit" | "replicas" => &["log"],
                    _ => return Ok(()),
                };
                self.has_any(value, word, needs)
            }
        }
    }

    /// Refuses what needs one of these services if there is none of them. `word` is the culprit.
    fn has_any(&self, value: &Value<'_>, word: &str, needs: &[&str]) -> Read<()> {
        if needs.iter().any(|need| self.services.contains(need)) {
            return Ok(());
        }
        let place = value.text()?.find(word).unwrap_or_default();
        let what = format!("the cluster has no {}", needs.join(" and no "));
        let error = value.wrong_part(place..place + word.len(), what, "this needs it");
        let tables: Vec<String> = needs.iter().map(|need| format!("[{need}]")).collect();
        Err(error.help(format!("add {} to the cluster", tables.join(" or "))))
    }

    fn orders(&self, value: &Value<'_>) -> Read<Vec<Command>> {
        several(value)?.iter().map(|item| self.order(item)).collect()
    }

    fn order(&self, value: &Value<'_>) -> Read<Command> {
        let text = value.text()?;
        let command: Command = text.parse().map_err(|ParseError(why): ParseError| {
            let what = format!("'{text}' is no command");
            // Most reasons begin with the culprit.
            let culprit = why.strip_prefix('\'').and_then(|why| why.split_once('\''));
            match culprit.and_then(|(word, _)| Some((text.find(word)?, word.len()))) {
                Some((at, length)) if length > 0 => value.wrong_part(at..at + length, what, why),
                _ => value.wrong(what, why),
            }
        })?;
        if command.steers_time() {
            let error = value.wrong("steps steer time themselves", "this steers time");
            return Err(error.help("use at, after or when"));
        }
        self.whom(value, &command.to_string())?;
        if let Command::Ask { op, .. } = &command {
            let (needs, word) = (needed(op), op.to_string());
            let word = word.split(' ').next().unwrap_or_default();
            self.has_any(value, word, needs)?;
            self.has_able_log(value, word, op)?;
        }
        Ok(command)
    }

    /// Refuses what no act's kind of log can do.
    fn has_able_log(&self, value: &Value<'_>, word: &str, op: &Op) -> Read<()> {
        let Some(first) = self.logs.first() else { return Ok(()) };
        if self.logs.iter().any(|kind| kind.can(op)) {
            return Ok(());
        }
        let place = value.text()?.find(word).unwrap_or_default();
        let what = format!("a log kept by {} cannot do that", first.title());
        let error = value.wrong_part(place..place + word.len(), what, "not on this log");
        let able = LogKind::all().into_iter().filter(|kind| kind.can(op));
        let able: Vec<String> = able.map(|kind| format!("kind = \"{}\"", kind.name())).collect();
        Err(error.help(format!("write {} in [log]", able.join(" or "))))
    }

    fn expects(&self, value: &Value<'_>) -> Read<Vec<Expect>> {
        let one = |item: &Value<'_>| {
            let expect = Expect::parse(item.text()?)
                .map_err(|why| misread(item, &why, "this is no expectation"))?;
            self.whom(item, &expect.claim.to_string())?;
            if let Claim::So(condition) = &expect.claim {
                self.can_be_so(item, condition)?;
            }
            Ok(expect)
        };
        several(value)?.iter().map(one).collect()
    }

    fn pointers(&self, value: &Value<'_>) -> Read<Vec<Pointer>> {
        value.list()?.iter().map(|item| self.pointer(item)).collect()
    }

    fn pointer(&self, item: &Value<'_>) -> Read<Pointer> {
        let table = item.table("'look'", keys("look"))?;
        let node = |value: &Value<'_>| {
            let id: NodeId = value.parse()?;
            self.whom(value, &id.to_string()).map(|()| Some(id))
        };
        let pointer = Pointer {
            pane: table.get_or("pane", None, |value| self.pane(value).map(Some))?,
            node: table.get_or("node", None, node)?,
            say: table.get_or("say", String::new(), |value| value.line(120))?,
        };
        match (&pointer.pane, pointer.node) {
            (None, None) => {
                let error = item.wrong("this points at nothing", "no pane and no node");
                Err(error.help("write { pane = \"locks\", say = \"…\" } or { node = \"n1\", … }"))
            }
            _ => Ok(pointer),
        }
    }

    fn pane(&self, value: &Value<'_>) -> Read<String> {
        one_of(value, &self.words.panes, "pane")
    }

    fn show(&self, value: &Value<'_>) -> Read<Show> {
        let table = value.table("'show'", keys("show"))?;
        let layout = |value: &Value<'_>| one_of(value, &self.words.layouts, "layout").map(Some);
        Ok(Show {
            pane: table.get_or("pane", None, |value| self.pane(value).map(Some))?,
            zoom: table.get_or("zoom", false, Value::flag)?,
            layout: table.get_or("layout", None, layout)?,
        })
    }
}

fn one_of(value: &Value<'_>, known: &[String], what: &str) -> Read<String> {
    let text = value.text()?;
    if known.iter().any(|known| known == text) {
        return Ok(text.to_owned());
    }
    let error = value.wrong(format!("there is no such {what}"), "not known");
    Err(match nearest(text, known.iter().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean '{near}'?")),
        None => error.help(format!("{what}s are {}", known.join(", "))),
    })
}

const ASK: &str =
    "write ask = { question = \"…\", choices = [\"…\", \"…\"], answer = 1, why = \"…\" }";

/// The services of which one is in charge of an operation.
fn needed(op: &Op) -> &'static [&'static str] {
    match op {
        Op::Acquire { .. } | Op::Renew { .. } | Op::Release { .. } | Op::Write { .. } => &["lock"],
        Op::Transfer(_) | Op::Move { .. } | Op::Tx(_) => &["txn"],
        Op::Join { .. } | Op::Leave { .. } => &["ring"],
        Op::Get { .. } | Op::Put { .. } | Op::Add { .. } => &["store", "log"],
        Op::Delete { .. } => &["store"],
        Op::File(_) => &["files"],
        Op::Voters { .. } | Op::Lead { .. } => &["log"],
        Op::Request { .. } | Op::Serve { .. } => &["balance"],
        _ => &["log", "paxos"],
    }
}

fn question(value: &Value<'_>) -> Read<Question> {
    let is_table = value.raw_table().map(|_| ());
    is_table.map_err(|error| error.help(ASK))?;
    let table = value.table("'ask'", keys("ask"))?;
    let need = |key: &str| {
        table.get(key).ok_or_else(|| {
            let error = value.wrong(format!("a question needs '{key}'"), "it is missing");
            error.help(ASK)
        })
    };
    let list = need("choices")?;
    let choices: Vec<String> =
        list.list()?.iter().map(|item| item.line(120)).collect::<Read<_>>()?;
    if !(2..=5).contains(&choices.len()) {
        return Err(list.wrong("a question has 2 to 5 choices", "not so many"));
    }
    let most = u8::try_from(choices.len()).unwrap_or(u8::MAX);
    let answer = need("answer")?.number::<u8>(1..=most).map(|n| usize::from(n) - 1);
    let help = format!("the answer is the number of a choice, from 1 to {most}");
    Ok(Question {
        question: prose(&need("question")?)?,
        answer: answer.map_err(|error| error.help(help))?,
        why: prose(&need("why")?)?,
        choices,
    })
}

impl Step {
    fn says_nothing(&self) -> bool {
        let Step { title: _, acts: _, wait, say, look, ask, orders, expect, show } = self;
        let empty = say.is_empty() && look.is_empty() && orders.is_empty() && expect.is_empty();
        empty
            && ask.is_none()
            && show.is_none()
            && *wait == Wait { within: wait.within, ..Wait::default() }
    }
}
