use super::forms::TABLE;
use super::*;
use crate::base::{Ballot, NodeId, Time};
use crate::event::{Event, Fact, Kind};
use proptest::prelude::*;

fn read(text: &str) -> Condition {
    Condition::parse(text).unwrap_or_else(|misread| panic!("{text}: {misread:?}"))
}

/// What stands for a word in capitals.
fn example(slot: &str) -> &'static str {
    match slot {
        "WHO" => "n2",
        "N" => "7",
        "CMP" => "<=",
        "SPAN" => "100ms",
        "SHARE" => "30%",
        "NAME" => "billing",
        "TXN" => "t1.4",
        "OP" => "write",
        "RESULT" => "stale",
        other => panic!("{other} has no example"),
    }
}

fn filled(form: &str) -> String {
    let word = |word| if forms::is_slot(word) { example(word) } else { word };
    form.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_form_reads_back_what_it_prints_and_means_itself() {
    for (what, form, about) in TABLE {
        let text = filled(form);
        let condition = read(&text);
        assert_eq!(condition.to_string(), text);
        assert!(matches!(&condition, Condition::Is(term) if term.what == *what), "{text}");
        assert!(about.len() > 5, "{form} has no meaning");
    }
}

#[test]
fn not_binds_closest_and_or_least() {
    let text = "n1 leads or n2 leads and not n3 leads";
    assert_eq!(read(text).to_string(), "n1 leads or (n2 leads and not n3 leads)");
    let grouped = "(n1 leads or n2 leads) and not (n3 is up or n3 is down)";
    assert_eq!(read(grouped).to_string(), grouped);
    assert_eq!(read("commit>=40"), read("commit >= 40"));
}

#[test]
fn a_mistake_is_found_at_its_word_and_mended() {
    for (text, culprit, help) in [
        ("n2 ledas", "ledas", "did you mean 'leads'?"),
        ("n2 leads adn n3 is up", "adn", "join statements with and, or"),
        ("lock billing is hled", "hled", "did you mean 'held'?"),
        ("comit >= 4", "comit", "did you mean 'commit'?"),
        ("commit >= x", "x", "write commit >= N"),
        ("txn t1.4 has 1 yess", "yess", "did you mean 'yes'?"),
        ("(n1 leads", "(", "add a ')'"),
        ("lock billing lease < 100", "100", "write lock NAME lease >= SPAN"),
        ("wriet pending on n1", "wriet", ""),
    ] {
        let misread = Condition::parse(text).expect_err(text);
        assert_eq!(&text[misread.at.clone()], culprit, "{misread:?}");
        let helps = misread.help.clone().unwrap_or_default();
        assert!(helps.contains(help), "{text}: {misread:?}");
    }
    for (text, at) in [("", 0), ("n1", 2), ("n1 leads and", 9), ("n1 leads)", 8), ("and n1", 0)] {
        let misread = Condition::parse(text).expect_err(text);
        assert_eq!(misread.at.start, at, "{text}: {misread:?}");
    }
    assert!(Condition::parse(&"(".repeat(100_000)).is_err());
    assert!(Condition::parse(&"not ".repeat(100_000)).is_err());
}

#[test]
fn it_holds_on_the_board_as_it_is_and_says_what_is_missing() {
    let mut board = Board::new();
    let kinds = [
        Kind::Started { boot: 1, records: 0, torn: false },
        Kind::Fact(Fact::Leads { ballot: Ballot::new(1, NodeId::node(2)) }),
    ];
    for (index, kind) in kinds.into_iter().enumerate() {
        board.see(index, &Event { at: Time(5), node: NodeId::node(2), kind });
    }
    assert!(read("n2 leads and n2 is up and leaders = 1").holds(&board));
    assert!(!read("n1 leads or nobody leads").holds(&board));
    let condition = read("n2 leads and n1 leads and commit >= 3");
    let missing: Vec<String> = condition.missing(&board).iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["n1 leads", "commit >= 3"]);
}

fn condition() -> impl Strategy<Value = String> {
    let term = (0..TABLE.len()).prop_map(|at| filled(TABLE[at].1));
    term.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|text| format!("not ({text})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a} or {b}")),
        ]
    })
}

proptest! {
    #[test]
    fn every_condition_reads_back_what_it_prints(text in condition()) {
        let condition = read(&text);
        prop_assert_eq!(&read(&condition.to_string()), &condition);
        let _ = condition.holds(&Board::new());
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}|[nc(]?[a-z0-9<>=() %.]{0,40}") {
        if let Err(misread) = Condition::parse(&text) {
            prop_assert!(text.get(misread.at).is_some());
        }
    }
}
