//! Clusters of processes as a user runs them: up, attach, invite, node, down.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TRIO: &str = r#"
nodes = 3
[membership]
[log]
[ring]
[store]
[[client]]
rate = 20
do = [{ load = "read-write", keys = 4, writes = 50 }]
"#;

/// A person with a home of their own, and the processes that they started.
struct Person {
    home: TempDir,
    children: Vec<Child>,
    ups: Vec<String>,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Person {
    fn new() -> Person {
        let home = tempfile::Builder::new().prefix("netsplit-").tempdir().expect("a directory");
        fs::write(home.path().join("trio.toml"), TRIO).expect("a file");
        Person { home, children: Vec::new(), ups: Vec::new() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netsplit"));
        command.env_clear().env("XDG_STATE_HOME", self.home.path()).env("HOME", self.home.path());
        command.current_dir(self.home.path()).args(line);
        command
    }

    fn netsplit(&self, line: &[&str]) -> Ran {
        let Output { status, stdout, stderr } = self.command(line).output().expect("it starts");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let code = status.code().expect("it ends by itself");
        Ran { code, out: text(stdout), err: text(stderr) }
    }

    fn up(&mut self, file: &str) -> Ran {
        self.ups.push(file.trim_end_matches(".toml").to_owned());
        self.netsplit(&["up", file, "--detach"])
    }

    /// Starts a node, and says where it listens.
    fn node(&mut self, id: &str, more: &[&str]) -> String {
        let data = format!("data-{id}");
        let mut line = vec!["node", "--cluster", "trio.toml", "--id", id, "--data", &data];
        line.extend(more);
        let mut command = self.command(&line);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut first = String::new();
        let out = child.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut first).expect("it says where it listens");
        self.children.push(child);
        let address = first.trim().strip_prefix(&format!("{id} listens on "));
        address.unwrap_or_else(|| panic!("{id} says {first}")).to_owned()
    }

    fn ticket(&self, line: &[&str]) -> String {
        let ran = self.netsplit(&[&["invite"], line].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out.trim().to_owned()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        for name in &self.ups {
            let _ = self.command(&["down", name]).output();
        }
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Checks that it failed with this code and said all of this.
#[track_caller]
fn fails(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    for part in parts {
        assert!(ran.err.contains(part), "'{part}' is missing in:\n{}", ran.err);
    }
}

fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_raw(child.id() as i32).expect("a number");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is ours");
}

/// Waits for the end of a process, and says how it ended.
fn end(child: &mut Child) -> i32 {
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        match child.try_wait().expect("it is ours") {
            Some(status) => return status.code().expect("no signal ends it"),
            None if Instant::now() > until => panic!("it hangs"),
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[test]
fn a_cluster_goes_up_is_broken_from_elsewhere_goes_down_and_remembers() {
    let mut person = Person::new();
    let up = person.up("trio.toml");
    assert_eq!(up.code, 0, "{}", up.err);
    assert!(up.out.contains("netsplit attach trio"), "{}", up.out);

    let attach = ["attach", "trio", "--headless", "--for", "5s", "--events", "facts"];
    let broken = ["-c", "1s kill n2", "-c", "2s restart n2"];
    let ran = person.netsplit(&[&attach[..], &broken].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for part in ["▼ kill n2", "n2 crashes", "n2 starts, boot 2", "verdict: ok"] {
        assert!(ran.out.contains(part), "'{part}' is missing in:\n{}", ran.out);
    }
    let down = person.netsplit(&["down", "trio.toml"]);
    assert_eq!((down.code, down.out.as_str()), (0, "trio is down\n"), "{}", down.err);
    fails(&person.netsplit(&["down", "trio"]), 1, &["nobody answers"]);

    let again = person.up("trio.toml");
    assert_eq!(again.code, 0, "{}", again.err);
    let ran = person.netsplit(&attach);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("boot 3") && ran.out.contains(" hears now "), "{}", ran.out);

    let other = TRIO.replace("nodes = 3", "nodes = 4");
    fs::write(person.at("trio.toml"), other).expect("a file");
    fails(&person.netsplit(&["up", "trio.toml"]), 1, &["from another cluster file", "--fresh"]);
}

#[test]
fn a_ticket_lets_one_person_in_once_and_an_observer_changes_nothing() {
    let mut person = Person::new();
    assert_eq!(person.up("trio.toml").code, 0);
    let ticket = person.ticket(&["trio"]);
    let look = |who: &Person, more: &[&str]| {
        who.netsplit(&[&["attach", &ticket, "--headless", "--for", "1s", "-q"], more].concat())
    };
    let (guest, late) = (Person::new(), Person::new());
    let ran = look(&guest, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    fails(&look(&late, &[]), 1, &["used already", "netsplit invite"]);
    assert_eq!(look(&guest, &[]).code, 0, "who was let in once may come again");
    fails(&look(&guest, &["-c", "100ms kill n1"]), 2, &["an observer may look"]);
    let spoilt = ticket.replace("nsp1a", "nsp1b").replace("nsp1n", "nsp1m") + "a";
    fails(&late.netsplit(&["attach", &spoilt, "--headless"]), 2, &["ticket"]);
    let node = person.ticket(&["trio", "--role", "n2"]);
    fails(&late.netsplit(&["attach", &node, "--headless"]), 1, &["for the process n2", "--join"]);
    fails(&late.netsplit(&["invite", "trio"]), 2, &["no cluster named trio", "netsplit up trio"]);
}

#[test]
fn nodes_that_were_invited_form_a_cluster_with_the_founder() {
    let mut person = Person::new();
    let address = person.node("n1", &[]);
    for id in ["n2", "n3", "c1"] {
        let ticket = person.ticket(&["--data", "data-n1", "--role", id, "--address", &address]);
        person.node(id, &["--join", &ticket]);
    }
    let ticket = person.ticket(&["--data", "data-n1", "--role", "operator"]);
    let line = ["attach", &ticket, "--headless", "--for", "6s", "--events", "facts"];
    let ran = person.netsplit(&[&line[..], &["-c", "2s c1 put x=5"]].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("put x=5"), "{}", ran.out);
    let led = |out: &str| out.lines().any(|line| line.contains(" leads "));
    assert!(led(&ran.out), "{}", ran.out);
    for child in &person.children {
        terminate(child);
    }
    for child in &mut person.children {
        assert_eq!(end(child), 0, "SIGTERM ends a node in order");
    }
}

#[test]
fn a_node_that_cannot_start_says_why_and_what_to_do() {
    let mut person = Person::new();
    let node = |person: &Person, more: &[&str]| {
        person.netsplit(&[&["node", "--cluster", "trio.toml"], more].concat())
    };
    let ran = node(&person, &["--id", "n7", "--data", "d"]);
    fails(&ran, 2, &["the cluster trio has no n7", "n1, n2, n3, c1"]);
    let ran = node(&person, &["--id", "n1", "--data", "d", "--listen", "0.0.0.0:0"]);
    fails(&ran, 1, &["no certificate", "--join TICKET", "--found"]);
    let taken = UdpSocket::bind("127.0.0.1:0").expect("there is a port");
    let taken = taken.local_addr().map(|address| address.to_string()).expect("it is bound");
    let busy = UdpSocket::bind(&taken);
    let ran = node(&person, &["--id", "n1", "--data", "d", "--listen", &taken]);
    fails(&ran, 1, &[&taken, "another program listens there"]);
    drop(busy);
    fs::write(person.at("file"), "").expect("a file");
    fails(&node(&person, &["--id", "n1", "--data", "file"]), 1, &["file"]);
    person.node("n1", &[]);
    fails(&node(&person, &["--id", "n1", "--data", "data-n1"]), 1, &["data-n1"]);
    fails(&node(&person, &["--id", "n2", "--data", "data-n1"]), 1, &["identity of n1", "--data"]);
}

#[test]
fn a_cluster_that_is_started_in_the_foreground_ends_with_its_starter() {
    let person = Person::new();
    let mut up =
        person.command(&["up", "trio.toml"]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(up.stdout.take().expect("it is piped")).lines();
    let mut pids = Vec::new();
    for line in lines.by_ref() {
        let line = line.expect("it is text");
        pids.extend(line.split_once("process ").map(|(_, pid)| pid.to_owned()));
        if line.starts_with("end it") {
            break;
        }
    }
    assert_eq!(pids.len(), 4);
    let runs = |pid: &String| {
        let line = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
        line.is_ok_and(|line| !line.contains(") Z "))
    };
    assert!(!cfg!(target_os = "linux") || pids.iter().all(runs));
    // Not even a chance to say good-bye.
    up.kill().expect("it is ours");
    up.wait().expect("it is ours");
    let until = Instant::now() + Duration::from_secs(15);
    while pids.iter().any(runs) {
        assert!(Instant::now() < until, "nodes outlive who started them");
        std::thread::sleep(Duration::from_millis(50));
    }
}
