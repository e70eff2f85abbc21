//! What goes over the wire and to disk keeps its bytes, and no bytes bring a process down.
//!
//! `golden.txt` holds a sample of every variant of everything that is sent or written: its bytes in
//! hex, and what they mean. `UPDATE_GOLDENFILES=1 cargo test --test wire` writes it anew. Lines that
//! change (rather than come in addition) mean that old and new processes do not understand each
//! other, and that old disks cannot be read: then `wire::VERSION` has to go up.
#![allow(missing_docs, clippy::unwrap_used)]

mod frames;
mod hostile;
mod made;

use made::{Coverage, cover};
use netsplit::host::Write;
use netsplit::live::control::{Envelope, Report, Request};
use netsplit::live::identity::{Identity, Ticket};
use netsplit::live::wire::{Answer, Frame, Hello, Peer, VERSION, WireError};
use netsplit::proto::Record;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::{Debug, Write as _};

const GOLDEN: &str = "tests/wire/golden.txt";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A section of the golden file: the samples of one type.
fn section<T: Serialize + DeserializeOwned + Debug>(
    title: &str,
    covered: &mut Coverage,
    text: &mut String,
) {
    writeln!(text, "\n== {title}").unwrap();
    for value in cover::<T>(covered) {
        let bytes = postcard::to_stdvec(&value).unwrap();
        writeln!(text, "{} {value:?}", hex(&bytes)).unwrap();
        let (again, left) = postcard::take_from_bytes::<T>(&bytes).unwrap();
        assert!(left.is_empty());
        assert_eq!(format!("{again:?}"), format!("{value:?}"));
    }
}

#[test]
fn bytes_stay_what_they_are() {
    let mut text =
        "Every variant of everything that is sent or written, as bytes and as a value.\n\
                    Written by tests/wire/main.rs, which says what a change means.\n"
            .to_owned();
    let mut covered = Coverage::default();
    section::<Hello>("greetings", &mut covered, &mut text);
    section::<Answer>("answers to greetings", &mut covered, &mut text);
    section::<Peer>("notes between nodes", &mut covered, &mut text);
    section::<Envelope>("messages", &mut covered, &mut text);
    section::<Request>("requests", &mut covered, &mut text);
    section::<Report>("reports", &mut covered, &mut text);
    section::<Record>("records on disk", &mut covered, &mut text);
    section::<Write>("changes of a disk", &mut covered, &mut text);
    section::<Ticket>("tickets, without their checksum", &mut covered, &mut text);
    section::<Identity>("identities, as they are granted", &mut covered, &mut text);
    assert_eq!(covered.missing(), []);
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    for (old, new) in golden.lines().zip(text.lines()) {
        assert_eq!(old, new, "{GOLDEN} has the old bytes, on the left");
    }
    assert_eq!(golden.lines().count(), text.lines().count(), "{GOLDEN}: lines came or went");
}

#[test]
fn the_samples_have_every_service_and_every_kind_of_command() {
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    for (word, least) in [
        ("message: Log(", 12),
        ("message: Store(", 9),
        ("message: Txn(", 5),
        ("message: Paxos(", 5),
        ("command: ", 30),
        ("kind: Fact(", 40),
    ] {
        let found = golden.lines().filter(|line| line.contains(word)).count();
        assert!(found >= least, "{word}: {found}");
    }
}

#[test]
fn a_greeting_of_another_version_is_told_apart() {
    let hello = cover::<Hello>(&mut Coverage::default()).remove(0);
    let theirs = VERSION + 1;
    let bytes = postcard::to_stdvec(&Hello { version: theirs, ..hello }).unwrap();
    assert_eq!(Hello::decode(&bytes), Err(WireError::Version { theirs }));
    // Whatever else that version says.
    assert_eq!(Hello::decode(&[77, 99]), Err(WireError::Version { theirs: 77 }));
}
