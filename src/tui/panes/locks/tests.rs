use super::super::sample::{Story, begins, c, call, n, name, op, txn, votes};
use super::*;
use crate::base::Terms;
use crate::event::{Fact, Feels, KeyDeed, Kind, Lapse, SessionFact};
use crate::tui::theme::GlyphsArg;

const ALONE: LockMode = LockMode::Alone;

/// Seconds of a lease.
const TTL: Span = Span::secs(5);

fn granted(story: &mut Story, lock: &str, client: u16, token: Token) {
    let (lock, call, ttl) = (name(lock), call(client, token), TTL);
    story.says(n(1), Fact::Granted { slot: token, lock, call, token, ttl, mode: ALONE });
}

fn holds(story: &mut Story, lock: &str, client: u16, token: Token) {
    story.says(c(client), Fact::Holds { lock: name(lock), token, lease: TTL, mode: ALONE });
}

fn freed(story: &mut Story, lock: &str, token: Token, why: Freed) {
    story.says(n(1), Fact::Freed { slot: token + 1, lock: name(lock), token, why });
}

fn queued(story: &mut Story, lock: &str, client: u16, slot: u64) {
    let (lock, call) = (name(lock), call(client, slot));
    story.says(n(1), Fact::Queued { slot, lock, call, ahead: 0, mode: ALONE });
}

fn writes(story: &mut Story, client: u16, token: Token, highest: Token, accepted: bool) {
    let (resource, call) = (name("billing"), call(client, 99));
    story.says(n(2), Fact::Guards { resource, call, token, highest, accepted });
}

/// c4 is frozen while it holds billing; c9 gets it; c4 comes back and writes.
fn overlap() -> Story {
    let mut story = Story::of(3, 9);
    story.at(1_000);
    granted(&mut story, "report", 3, 3);
    story.at(2_000);
    freed(&mut story, "report", 3, Freed::Released);
    granted(&mut story, "cron", 3, 8);
    freed(&mut story, "cron", 8, Freed::Expired);
    story.at(9_000);
    granted(&mut story, "shard-7", 2, 12);
    holds(&mut story, "shard-7", 2, 12);
    queued(&mut story, "shard-7", 5, 14);
    queued(&mut story, "shard-7", 8, 15);
    granted(&mut story, "billing", 4, 33);
    story.at(9_300);
    holds(&mut story, "billing", 4, 33);
    story.at(11_900);
    freed(&mut story, "billing", 33, Freed::Expired);
    granted(&mut story, "billing", 9, 37);
    story.at(12_310);
    holds(&mut story, "billing", 9, 37);
    story.at(12_330);
    writes(&mut story, 9, 37, 33, true);
    story.at(12_342);
    writes(&mut story, 4, 33, 37, false);
    story.at(13_480);
    story
}

#[test]
fn the_locks_in_the_overview() {
    insta::assert_snapshot!(overlap().screen(&Locks, 41, 7), @r#"
    [] two believe  2 held  2 waiting !
     lock    holder token lease     log   own
    >billing c9        37 ████▊░░  3.4s  3.8s
    !billing c4        33 █▏░░░░░  over 0.8s!
     shard-7 c2+2      12 ▋░░░░░░ 0.5s! 0.5s!
     cron    free       8             -     -
     report  free       3             -     -
    ?billing: 2 believe, the token decides
    "#);
    insta::assert_snapshot!(overlap().screen(&Locks, 78, 12), @r#"
    [] two believe  2 held  2 waiting !
     lock    state    holder token own belief       lease by the log queue
    >billing HELD     c9        37 ███████▋░░  3.8s ██████▊░░░  3.4s -
    !billing believes c4        33 █▋░░░░░░░░ 0.8s! ░░░░░░░░░░  over
     shard-7 HELD     c2        12 █░░░░░░░░░ 0.5s! █░░░░░░░░░ 0.5s! c5 > c8
     cron    free     -          8                -                - -
     report  free     -          3                -                - -
    ?billing: 2 believe for 1.1s; its resource must reject the smaller token
     writes guarded by billing
        12.330 c9   token  37 ✓ taken
        12.342 c4   token  33 × rejected, saw 37
    "#);
    insta::assert_snapshot!(overlap().screen(&Locks, 36, 4), @r#"
    [] two believe  2 held  2 waiting !
     lock    holder token   log   own
    >billing c9        37  3.4s  3.8s
    !billing c4        33  over 0.8s!
    ?billing: 2 believe, the token deci…
    "#);
    insta::assert_snapshot!(Story::of(3, 1).screen(&Locks, 41, 2), @r#"
    [] 
     nobody has asked for a lock yet
    "#);
}

#[test]
fn the_locks_in_ascii() {
    let mut story = overlap();
    story.glyphs = GlyphsArg::Ascii;
    insta::assert_snapshot!(story.screen(&Locks, 78, 11), @r#"
    [] two believe  2 held  2 waiting !
     lock    state    holder token own belief       lease by the log queue
    >billing HELD     c9        37 #######...  3.8s ######....  3.4s -
    !billing believes c4        33 #......... 0.8s! ..........  over
     shard-7 HELD     c2        12 #......... 0.5s! #......... 0.5s! c5 > c8
     cron    free     -          8                -                - -
     report  free     -          3                -                - -
    ?billing: 2 believe for 1.1s; its resource must reject the smaller token
     writes guarded by billing
        12.330 c9   token  37 ok taken
        12.342 c4   token  33 x rejected, saw 37
    "#);
}

#[test]
fn the_history_of_the_selected_lock() {
    let mut story = overlap();
    story.zoomed = true;
    insta::assert_snapshot!(story.screen(&Locks, 118, 24), @r"
    [] two believe  2 held  2 waiting !
     lock    state    holder token own belief                 lease by the log           queue        last change
    >billing HELD     c9        37 ███████████████▎░░░░  3.8s █████████████▋░░░░░░  3.4s -            11.900 grant
    !billing believes c4        33 ███▎░░░░░░░░░░░░░░░░ 0.8s! ░░░░░░░░░░░░░░░░░░░░  over
     shard-7 HELD     c2        12 ██░░░░░░░░░░░░░░░░░░ 0.5s! ██░░░░░░░░░░░░░░░░░░ 0.5s! c5 > c8      9.000 queue
     cron    free     -          8                          -                          - -            2.000 expire
     report  free     -          3                          -                          - -            2.000 release
    ?billing: 2 believe for 1.1s; its resource must reject the smaller token

     writes guarded by billing
        12.330 c9   token  37 ✓ taken
        12.342 c4   token  33 × rejected, saw 37

     grants of billing, oldest first: tokens only rise          who waits for whom
     token who  held when               from     until end       4.4s c5 → shard-7 → c2
        33 c4   ███████████░░░░░░░     9.000    11.900 expire    4.4s c8 → shard-7 → c2
        37 c9   ░░░░░░░░░░░███████    11.900    13.480 held
    ");
    insta::assert_snapshot!(story.screen(&Locks, 78, 20), @r"
    [] two believe  2 held  2 waiting !
     lock    state    holder token own belief       lease by the log queue
    >billing HELD     c9        37 ███████▋░░  3.8s ██████▊░░░  3.4s -
    !billing believes c4        33 █▋░░░░░░░░ 0.8s! ░░░░░░░░░░  over
     shard-7 HELD     c2        12 █░░░░░░░░░ 0.5s! █░░░░░░░░░ 0.5s! c5 > c8
     cron    free     -          8                -                - -
     report  free     -          3                -                - -
    ?billing: 2 believe for 1.1s; its resource must reject the smaller token

     writes guarded by billing
        12.330 c9   token  37 ✓ taken
        12.342 c4   token  33 × rejected, saw 37

     grants of billing, oldest first: tokens only rise
     token who  held when                                  from     until end
        33 c4   ███████████████████████░░░░░░░░░░░░░░     9.000    11.900 expire
        37 c9   ░░░░░░░░░░░░░░░░░░░░░░░██████████████    11.900    13.480 held
     who waits for whom
      4.4s c5 → shard-7 → c2
      4.4s c8 → shard-7 → c2
    ");
}

#[test]
fn circles_of_waiters_and_locked_keys() {
    let mut story = Story::of(5, 9);
    story.at(9_000);
    granted(&mut story, "a", 1, 3);
    granted(&mut story, "b", 2, 4);
    queued(&mut story, "b", 1, 5);
    queued(&mut story, "a", 2, 6);
    let blocked = txn(5, 42);
    begins(&mut story, blocked, &[1, 2]);
    votes(&mut story, blocked, 1, "acct/3");
    story.at(9_500).kill(n(5));
    let fact = Fact::Invokes { call: call(7, 1), op: op("get acct/3"), at: n(1), retry: 0 };
    story.says(c(7), fact);
    story.at(10_300);
    story.zoomed = true;
    insta::assert_snapshot!(story.screen(&Locks, 118, 12), @r"
    [] 2 held  2 waiting
     lock state    holder token own belief                 lease by the log           queue        last change
    >a    HELD     c1         3                          - ██████████████▊░░░░░  3.7s c2           9.000 queue
     b    HELD     c2         4                          - ██████████████▊░░░░░  3.7s c1           9.000 queue
    !DEADLOCK c1 → b → c2 → a → c1
     a next: c2

     grants of a, oldest first: tokens only rise                who waits for whom
     token who  held when               from     until end     ! 1.3s DEADLOCK c2 → a → c1 → b → c2
         3 c1   ██████████████████     9.000    10.300 held    ! 1.3s DEADLOCK c1 → b → c2 → a → c1
                                                               ? 0.8s c7 → acct/3 → t5.42 → n5 DOWN
    ");
}

#[test]
fn only_a_stale_write_that_gets_through_is_a_violation() {
    let mut story = overlap();
    let text = story.screen(&Locks, 78, 12);
    assert!(!text.contains("VIOLATION"), "{text}");
    writes(&mut story, 4, 33, 37, true);
    insta::assert_snapshot!(story.screen(&Locks, 78, 12), @r#"
    [] STALE WRITE  2 held  2 waiting !
     lock    state    holder token own belief       lease by the log queue
    >billing HELD     c9        37 ███████▋░░  3.8s ██████▊░░░  3.4s -
    !billing believes c4        33 █▋░░░░░░░░ 0.8s! ░░░░░░░░░░  over
     shard-7 HELD     c2        12 █░░░░░░░░░ 0.5s! █░░░░░░░░░ 0.5s! c5 > c8
     cron    free     -          8                -                - -
     report  free     -          3                -                - -
    !VIOLATION: billing took token 33 after 37
    ?billing: 2 believe for 1.1s; its resource must reject the smaller token
     writes guarded by billing
        12.330 c9   token  37 ✓ taken
        12.342 c4   token  33 × rejected, saw 37
    !   13.480 c4   token  33 taken after 37: VIOLATION
    "#);
    insta::assert_snapshot!(story.screen(&Locks, 41, 7), @r#"
    [] STALE WRITE  2 held  2 waiting !
     lock    holder token lease     log   own
    >billing c9        37 ████▊░░  3.4s  3.8s
    !billing c4        33 █▏░░░░░  over 0.8s!
     shard-7 c2+2      12 ▋░░░░░░ 0.5s! 0.5s!
     2 free: cron report
    !VIOLATION: billing took token 33 after …
    ?billing: 2 believe, the token decides
    "#);
}

fn key(story: &mut Story, node: u16, client: u16, token: Token) {
    let (call, ttl) = (call(client, 1), TTL);
    let deed = KeyDeed::Set { call, token, ttl };
    story.says(n(node), Fact::Key { lock: name("billing"), deed });
}

/// c1 has the lock on three of five instances; one of them forgets, and c2 has three as well.
fn forgetful() -> Story {
    let mut story = Story::of(5, 2);
    for node in 1..=5 {
        story.says(n(node), Fact::Primary { epoch: 0, node: n(node) });
    }
    story.at(1_000);
    (1..=3).for_each(|node| key(&mut story, node, 1, 715_392_069));
    holds(&mut story, "billing", 1, 715_392_069);
    story.at(2_000).kill(n(3));
    story.tell(n(3), Kind::Started { boot: 2, records: 0, torn: false });
    story.says(n(3), Fact::Primary { epoch: 0, node: n(3) });
    (3..=5).for_each(|node| key(&mut story, node, 2, 1_552_346_535));
    holds(&mut story, "billing", 2, 1_552_346_535);
    let (resource, call, token) = (name("billing"), call(1, 9), 715_392_069);
    story.says(n(2), Fact::Takes { resource, call, token });
    story.at(3_480);
    story
}

#[test]
fn keys_of_instances() {
    let mut story = forgetful();
    insta::assert_snapshot!(story.screen(&Locks, 41, 7), @r#"
    [] two believe  1 held  0 waiting !
     lock    holder token lease    keys   own
    >billing c2     ~6535 ████▉░░  3.5s  3.5s
    !billing c1     ~2069 ███▌░░░  over  2.5s
    ?billing: 2 believe, nothing decides
     writes guarded by billing
    ?    2.000 c1   token ~2069 taken late: …
    "#);
    story.zoomed = true;
    insta::assert_snapshot!(story.screen(&Locks, 118, 18), @r#"
    [] two believe  1 held  0 waiting !
     lock    state    holder token own belief                 lease by the keys          queue        last change
    >billing HELD     c2     ~6535 ██████████████░░░░░░  3.5s ██████████████░░░░░░  3.5s -            2.000 grant
    !billing believes c1     ~2069 ██████████░░░░░░░░░░  2.5s ░░░░░░░░░░░░░░░░░░░░  over
    ?billing: 2 believe for 1.4s; its resource cannot tell who is late

     writes guarded by billing
    ?    2.000 c1   token ~2069 taken late: nothing to compare

     grants of billing, oldest first                            keys of billing, by instance
     token who  held when               from     until end      n1    c1   ~2069 ██████░░░░░░  2.5s
     ~2069 c1   ███████░░░░░░░░░░░     1.000     2.000 lost     n2    c1   ~2069 ██████░░░░░░  2.5s
     ~6535 c2   ░░░░░░░███████████     2.000     3.480 held     n3    c2   ~6535 ████████▍░░░  3.5s
                                                                n4    c2   ~6535 ████████▍░░░  3.5s
                                                                n5    c2   ~6535 ████████▍░░░  3.5s
    "#);
    story.fits_everywhere(&Locks);
}

#[test]
fn many_free_locks_share_a_row() {
    let mut story = overlap();
    for token in 100..120 {
        let lock = format!("job-{token}");
        granted(&mut story, &lock, 1, token);
        freed(&mut story, &lock, token, Freed::Released);
    }
    insta::assert_snapshot!(story.screen(&Locks, 41, 7), @r#"
    [] two believe  2 held  2 waiting !
     lock    holder token lease     log   own
    >billing c9        37 ████▊░░  3.4s  3.8s
    !billing c4        33 █▏░░░░░  over 0.8s!
     shard-7 c2+2      12 ▋░░░░░░ 0.5s! 0.5s!
     22 free: cron job-100 job-101 job-102 j…
    ?billing: 2 believe, the token decides
    "#);
    story.press(&Locks, &[Move::Last]);
    insta::assert_snapshot!(story.screen(&Locks, 41, 7), @r#"
    [] two believe  2 held  2 waiting !
     lock    holder token lease     log   own
    !billing c9        37 ████▊░░  3.4s  3.8s
    !billing c4        33 █▏░░░░░  over 0.8s!
     shard-7 c2+2      12 ▋░░░░░░ 0.5s! 0.5s!
    >report  free       3             -     -
     21 free: cron job-100 job-101 job-102 j…
    ?billing: 2 believe, the token decides
    "#);
}

#[test]
fn the_selection_goes_along_the_locks() {
    let mut story = overlap();
    let target = |story: &Story| story.with(|scene| Locks.target(scene));
    assert_eq!(target(&story), Target::Lock(name("billing")));
    story.press(&Locks, &[Move::Down]);
    assert_eq!(target(&story), Target::Lock(name("shard-7")), "free ones come last");
    story.press(&Locks, &[Move::Down]);
    assert_eq!(target(&story), Target::Lock(name("cron")));
    assert_eq!(target(&Story::of(3, 0)), Target::Nothing);
}

#[test]
fn it_fits_everywhere() {
    for mut story in [Story::of(3, 0), overlap()] {
        story.fits_everywhere(&Locks);
    }
}

fn session(story: &mut Story, client: u16, session: u64) {
    let (client, ttl) = (c(client), TTL);
    let open = SessionFact::Open { slot: session, session, client, ttl, pings: 0 };
    story.says(n(1), Fact::Session(open));
}

fn made(story: &mut Story, client: u16, session: u64, node: Token) {
    let (lock, wish) = (name("gate"), call(client, node));
    let made = SessionFact::Made { slot: node, lock, node, session, wish };
    story.says(n(1), Fact::Session(made));
}

/// c1 has the gate, c2 watches it, and c3 watches c2 and has not been heard for a while.
fn lined_up() -> Story {
    let mut story = Story::of(3, 3);
    story.at(1_000);
    (1..=3).for_each(|client| session(&mut story, client, client.into()));
    story.at(2_000);
    for client in 1..=3 {
        made(&mut story, client, client.into(), u64::from(client) + 3);
    }
    granted(&mut story, "gate", 1, 4);
    holds(&mut story, "gate", 1, 4);
    queued(&mut story, "gate", 2, 5);
    queued(&mut story, "gate", 3, 6);
    for (session, node) in [(2, 4), (3, 5)] {
        let (lock, node) = (name("gate"), Some(node));
        let watches = SessionFact::Watches { lock, session, node, seen: 6 };
        story.says(n(2), Fact::Session(watches));
    }
    let feels = SessionFact::Feels { session: 3, feels: Feels::Suspended };
    story.says(c(3), Fact::Session(feels));
    story.at(3_200);
    story
}

#[test]
fn who_is_in_line_who_watches_whom_and_how_long_sessions_last() {
    insta::assert_snapshot!(lined_up().screen(&Locks, 78, 7), @"
    [] 1 held  2 waiting
     lock state    holder token own belief        lease by the log  queue
    >gate HELD     c1         4 ████████▎░░  3.8s ████████▎░░  3.8s c2 > c3
     gate line: c3/6 → c2/5 → c1/4
     sessions: c1 s1 2.8s c2 s2 2.8s c3 s3 2.8s suspended
     gate: 0 nodes removed, 0 told of it
    ");
}

/// c1 has the gate by a session that hangs on n2, and c2 watches it.
fn hanging() -> Story {
    let mut story = Story::of(3, 3);
    story.at(1_000);
    for client in 1..=2u16 {
        session(&mut story, client, client.into());
        let terms = Terms { delay: Span::secs(5), deletes: false };
        let (slot, node) = (client.into(), n(3 - client));
        let hangs = SessionFact::Hangs { slot, session: client.into(), node, terms };
        story.says(n(1), Fact::Session(hangs));
    }
    made(&mut story, 1, 1, 4);
    granted(&mut story, "gate", 1, 4);
    let watches = SessionFact::Watches { lock: name("gate"), session: 2, node: None, seen: 4 };
    story.says(n(1), Fact::Session(watches));
    story.at(2_500);
    story
}

#[test]
fn whose_key_it_is_where_sessions_hang_and_for_how_long_nobody_can_take_it() {
    let mut story = hanging();
    insta::assert_snapshot!(story.screen(&Locks, 78, 7), @"
    [] 1 held  1 waiting
     lock state    holder token own belief        lease by the log  queue
    >gate HELD     c1         4                 - ███████▋░░░  3.5s -
     gate key: c1 by s1, LockIndex 4  watched by c2
     sessions: c1 s1@n2 3.5s c2 s2@n1 3.5s
    ");
    let all = [
        SessionFact::Checked { slot: 5, node: n(2), critical: true },
        SessionFact::Ended { slot: 5, session: 1, why: Lapse::Critical },
        SessionFact::Removed { slot: 5, lock: name("gate"), node: 4 },
        SessionFact::Delays { slot: 5, lock: name("gate"), delay: Span::secs(5) },
    ];
    for fact in all {
        story.says(n(1), Fact::Session(fact));
    }
    freed(&mut story, "gate", 4, Freed::Ended);
    story.at(3_300);
    insta::assert_snapshot!(story.screen(&Locks, 78, 7), @"
    [] 0 held  1 waiting
     lock state    holder token own belief        lease by the log  queue
    >gate free     -          4                 -                 - -
     gate key: lock-delay 4.2s  watched by c2
     sessions: c2 s2@n1 2.7s
    ?critical: n2; sessions there have ended
    ");
}

#[test]
fn who_is_primary_after_a_fail_over() {
    let mut story = Story::of(3, 1);
    for node in 1..=3 {
        story.says(n(node), Fact::Primary { epoch: 0, node: n(1) });
    }
    key(&mut story, 1, 1, 4);
    for node in 2..=3 {
        story.says(n(node), Fact::Primary { epoch: 1, node: n(3) });
    }
    insta::assert_snapshot!(story.screen(&Locks, 60, 5), @r"
    [] 0 held  0 waiting
     lock    holder token lease         keys   own
    >billing free       -                  -     -
    ?primary n3 (e1); n1 goes by n1 (e0)
    ");
    story.says(n(1), Fact::Primary { epoch: 1, node: n(3) });
    insta::assert_snapshot!(story.screen(&Locks, 60, 5), @r"
    [] 0 held  0 waiting
     lock    holder token lease         keys   own
    >billing free       -                  -     -
     primary n3 (e1)
    ");
}

#[test]
fn a_lock_that_is_shared_has_a_row_for_each_holder() {
    let mut story = Story::of(3, 5);
    for (lock, client, token, mode) in [
        ("ledger", 1, 4, LockMode::Read),
        ("ledger", 2, 5, LockMode::Read),
        ("pool", 4, 6, LockMode::OneOf(2)),
    ] {
        let (lock, call, ttl) = (name(lock), call(client, token), TTL);
        story.says(n(1), Fact::Granted { slot: token, lock, call, token, ttl, mode });
    }
    for (client, slot, mode) in [(3, 7, ALONE), (5, 8, LockMode::Read)] {
        let (lock, call) = (name("ledger"), call(client, slot));
        story.says(n(1), Fact::Queued { slot, lock, call, ahead: 0, mode });
    }
    insta::assert_snapshot!("shared", story.screen(&Locks, 110, 8));
    insta::assert_snapshot!("shared_narrow", story.screen(&Locks, 44, 8));
}
