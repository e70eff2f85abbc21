use super::super::sample::{Story, ballot, entry, n};
use super::*;
use crate::event::{Fact, Phase};
use crate::tui::theme::GlyphsArg;

/// Node `of` voted for slots in this ballot.
fn votes(story: &mut Story, of: u16, slots: std::ops::RangeInclusive<u64>, in_ballot: Ballot) {
    for slot in slots {
        let entry = entry(slot * 10 + u64::from(in_ballot.round), &format!("put x={slot}"));
        story.says(n(of), Fact::Accepts { slot, ballot: in_ballot, entry });
    }
}

/// Node `of` took in the entries that were proposed in this ballot.
fn applies(story: &mut Story, of: u16, slots: std::ops::RangeInclusive<u64>, round: u64) {
    for slot in slots {
        let entry = entry(slot * 10 + round, &format!("put x={slot}"));
        story.says(n(of), Fact::Chooses { slot, entry: entry.clone() });
        story.says(n(of), Fact::Applies { slot, entry, digest: slot * 0x1111 });
    }
}

/// n1 leads until the network parts; then n3 leads without it, and n5 crashes.
fn parted() -> Story {
    let mut story = Story::of(5, 0);
    story.at(1_000);
    story.says(n(1), Fact::Leads { ballot: ballot(6, 1) });
    for id in 2..=5 {
        story.says(n(id), Fact::Follows { ballot: ballot(6, 1) });
    }
    for id in 1..=5 {
        votes(&mut story, id, 1..=38, ballot(6, 1));
        applies(&mut story, id, 1..=38, 6);
    }
    story.at(8_620).order("partition n1,n2 | n3,n4,n5");
    for id in [1, 2] {
        votes(&mut story, id, 39..=40, ballot(6, 1));
    }
    story.at(9_001).says(n(3), Fact::Leads { ballot: ballot(7, 3) });
    for id in [4, 5] {
        story.says(n(id), Fact::Follows { ballot: ballot(7, 3) });
    }
    for id in 3..=5 {
        votes(&mut story, id, 39..=41, ballot(7, 3));
        applies(&mut story, id, 39..=41, 7);
    }
    story.at(11_900).kill(n(5));
    votes(&mut story, 3, 42..=43, ballot(7, 3));
    votes(&mut story, 4, 42..=42, ballot(7, 3));
    story.at(12_480);
    story
}

/// `count` nodes, some of which are behind, down or paused.
fn many(count: u16) -> Story {
    let mut story = Story::of(count, 0);
    story.at(1_000).says(n(3), Fact::Leads { ballot: ballot(9, 3) });
    for id in 1..=count {
        let upto = if id % 6 == 2 { 26 } else { 30 };
        votes(&mut story, id, 1..=upto, ballot(9, 3));
        applies(&mut story, id, 1..=upto, 9);
        if id != 3 {
            story.says(n(id), Fact::Follows { ballot: ballot(9, 3) });
        }
    }
    votes(&mut story, 3, 31..=32, ballot(9, 3));
    story.kill(n(count)).tell(n(1), crate::event::Kind::Paused);
    story
}

/// Two proposers that keep overtaking each other.
fn duel(nodes: u16) -> Story {
    let mut story = Story::of(nodes, 0);
    let red = entry(1, "propose red");
    for round in 1..=6 {
        let by = if round % 2 == 1 { 1 } else { nodes };
        let own = ballot(round, by);
        story
            .at(7_800 + u64::from(round) * 400)
            .says(n(by), Fact::Prepares { slot: 0, ballot: own });
        for id in 1..=nodes {
            story.says(n(id), Fact::Promises { slot: 0, ballot: own });
        }
        if round == 6 {
            break;
        }
        let adopted = if round == 1 { Ballot::NONE } else { ballot(1, 1) };
        story.says(n(by), Fact::Proposes { slot: 0, ballot: own, entry: red.clone(), adopted });
        let next = ballot(round + 1, if by == 1 { nodes } else { 1 });
        for id in 1..=nodes {
            let fact = match id == by {
                true => Fact::Accepts { slot: 0, ballot: own, entry: red.clone() },
                false => {
                    Fact::Refuses { slot: 0, ballot: own, promised: next, phase: Phase::Accept }
                }
            };
            story.says(n(id), fact);
        }
    }
    story.at(10_440);
    story
}

/// The duel ends: n5 wins.
fn decided() -> Story {
    let mut story = duel(5);
    let (red, last) = (entry(1, "propose red"), ballot(6, 5));
    let adopted = ballot(5, 1);
    story
        .at(10_600)
        .says(n(5), Fact::Proposes { slot: 0, ballot: last, entry: red.clone(), adopted });
    for id in [2, 3, 5] {
        story.says(n(id), Fact::Accepts { slot: 0, ballot: last, entry: red.clone() });
    }
    story.says(n(5), Fact::Chooses { slot: 0, entry: red });
    story
}

#[test]
fn the_log_in_the_overview() {
    let story = parted();
    insta::assert_snapshot!(story.screen(&Consensus, 41, 12), @r#"
    [Log] commit 41  quorum LOST 2/5 !
     slot                  35        40
    >n1 A ★ STALE  6 6 6 6 6 6 6 6│6!6!
     n2 A ● follow 6 6 6 6 6 6 6 6│6!6!
     n3 B ★ leader 6 6 6 6 6 6 6 6 7 7 7│7·7·
     n4 B ● follow 6 6 6 6 6 6 6 6 7 7 7│7·
     n5 B ✗ DOWN   6 6 6 6 6 6 6 6 7 7 7│
    !quorum LOST: 2 of 5 reachable, 3 needed
    ?n1 still leads 6.1; n3 leads 7.3
     slot 43 accepted 1/5 put x=43 (c1/437)
     │ chosen  · accepted  ! conflicts
    "#);
    insta::assert_snapshot!(story.screen(&Consensus, 39, 7), @r#"
    [Log] commit 41  quorum LOST 2/5 !
     slot                35        40
    >n1 A ★ STALE  6 6 6 6 6 6 6│6!6!
     n2 A ● follow 6 6 6 6 6 6 6│6!6!
     n3 B ★ leader 6 6 6 6 6 6 6 7 7 7│7·7·
     n4 B ● follow 6 6 6 6 6 6 6 7 7 7│7·
     n5 B ✗ DOWN   6 6 6 6 6 6 6 7 7 7│
    !quorum LOST: 2 of 5 reachable, 3 need…
    "#);
    insta::assert_snapshot!(story.screen(&Consensus, 36, 5), @r#"
    [Log] commit 41  quorum LOST 2/5 !
    >n1 A ★ STALE  6 6 6 6 6│6!6!
     n2 A ● follow 6 6 6 6 6│6!6!
     n3 B ★ leader 6 6 6 6 6 7 7 7│7·7·
     n4 B ● follow 6 6 6 6 6 7 7 7│7·
     n5 B ✗ DOWN   6 6 6 6 6 7 7 7│
    "#);
}

#[test]
fn the_log_in_ascii() {
    let mut story = parted();
    story.glyphs = GlyphsArg::Ascii;
    insta::assert_snapshot!(story.screen(&Consensus, 41, 12), @r#"
    [Log] commit 41  quorum LOST 2/5 !
     slot                  35        40
    >n1 A L STALE  6 6 6 6 6 6 6 6|6!6!
     n2 A f follow 6 6 6 6 6 6 6 6|6!6!
     n3 B L leader 6 6 6 6 6 6 6 6 7 7 7|7'7'
     n4 B f follow 6 6 6 6 6 6 6 6 7 7 7|7'
     n5 B x DOWN   6 6 6 6 6 6 6 6 7 7 7|
    !quorum LOST: 2 of 5 reachable, 3 needed
    ?n1 still leads 6.1; n3 leads 7.3
     slot 43 accepted 1/5 put x=43 (c1/437)
     | chosen  ' accepted  ! conflicts
    "#);
}

#[test]
fn the_log_zoomed() {
    let mut story = parted();
    story.zoomed = true;
    story.press(&Consensus, &[Move::Down, Move::Left, Move::Left, Move::Left]);
    assert_eq!((story.select.node, story.select.slot), (n(2), Some(40)));
    insta::assert_snapshot!(story.screen(&Consensus, 118, 32), @r"
    [Log] commit 41  quorum LOST 2/5 !
     slot                               15        20        25        30        35        40        chosen  applied state
    ?n1 A ★ leader (stale) 6.1    6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6│6!6!            38       38  8886
    >n2 A ● follower       6.1    6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6│6!6!            38       38  8886
     n3 B ★ leader         7.3    6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 7 7 7│7·7·      41       41  bbb9
     n4 B ● follower       7.3    6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 7 7 7│7·        41       41  bbb9
     n5 B ✗ DOWN           -      6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 7 7 7│          41       41  bbb9
    !quorum LOST: 2 of 5 reachable, 3 needed
    ?n1 still leads 6.1; n3 leads 7.3
     slot 40 chosen 3/5 put x=40 (c1/407)
     n2 believes: n1 leads 6.1; chosen up to 38
     digit: round of the vote  │ chosen up to here  · accepted, not chosen  ! conflicts  c learned  ░ in the snapshot

        slot state           ballot    votes known to        entry                    since ballot votes outcome
          43 accepted        7.3         1/5                 put x=43 (c1/437)        9.001 7.3        - ★ found leading
          42 accepted        7.3         2/5                 put x=42 (c1/427)        1.000 6.1        - ★ found leading
          41 chosen          7.3         3/5 n3 n4 n5        put x=41 (c1/417)
    >     40 chosen          7.3         3/5 n3 n4 n5        put x=40 (c1/407)
          39 chosen          7.3         3/5 n3 n4 n5        put x=39 (c1/397)
          38 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=38 (c1/386)
          37 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=37 (c1/376)
          36 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=36 (c1/366)
          35 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=35 (c1/356)
          34 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=34 (c1/346)
          33 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=33 (c1/336)
          32 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=32 (c1/326)
          31 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=31 (c1/316)
          30 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=30 (c1/306)
          29 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=29 (c1/296)
          28 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=28 (c1/286)
          27 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=27 (c1/276)
          26 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=26 (c1/266)
     … 25 more
    ");
    insta::assert_snapshot!(story.screen(&Consensus, 78, 20), @r"
    [Log] commit 41  quorum LOST 2/5 !
     slot              15        20        25        30        35        40
    ?n1 A ★ STALE  6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6│6!6!
    >n2 A ● follow 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6│6!6!
     n3 B ★ leader 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 7 7 7│7·7·
     n4 B ● follow 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 7 7 7│7·
     n5 B ✗ DOWN   6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 7 7 7│
    !quorum LOST: 2 of 5 reachable, 3 needed
    ?n1 still leads 6.1; n3 leads 7.3
     slot 40 chosen 3/5 put x=40 (c1/407)
     n2 believes: n1 leads 6.1; chosen up to 38
     digit: round of the vote  │ chosen up to here  · accepted  ! conflicts

        slot state           ballot    votes known to        entry
          43 accepted        7.3         1/5                 put x=43 (c1/437)
          42 accepted        7.3         2/5                 put x=42 (c1/427)
          41 chosen          7.3         3/5 n3 n4 n5        put x=41 (c1/417)
    >     40 chosen          7.3         3/5 n3 n4 n5        put x=40 (c1/407)
          39 chosen          7.3         3/5 n3 n4 n5        put x=39 (c1/397)
          38 chosen          6.1         5/5 n1 n2 n3 n4 n5  put x=38 (c1/386)
     … 37 more
    ");
}

#[test]
fn replicas_that_look_alike_share_a_lane() {
    insta::assert_snapshot!(many(50).screen(&Consensus, 41, 12), @r#"
    [Log] commit 30  n3 leads 9.3
     slot         20        25        30
     n3  ★ leader 9 9 9 9 9 9 9 9 9 9 9│9·9·
    >n1  ‖ PAUSED 9 9 9 9 9 9 9 9 9 9 9│
     39 equal     9 9 9 9 9 9 9 9 9 9 9│
     8 behind     9 9 9 9 9 9 9│
       n2 n8 n14 n20 n26 n32 n38 n44
     ✗ 1 down     n50
     slot 32 accepted 1/50 put x=32 (c1/329)
     chosen up to, of 50 in order (gap: down)
      ▄█████▄█████▄█████▄█████▄█████▄█████▄█
     ████▄█████
     commit needs 26, has 48
    "#);
    insta::assert_snapshot!(many(50).screen(&Consensus, 39, 7), @r#"
    [Log] commit 30  n3 leads 9.3
     slot                 25        30
     n3  ★ leader 9 9 9 9 9 9 9 9 9 9│9·9·
    >n1  ‖ PAUSED 9 9 9 9 9 9 9 9 9 9│
     39 equal     9 9 9 9 9 9 9 9 9 9│
     8 behind     9 9 9 9 9 9│
       n2 n8 n14 n20 n26 n32 n38 n44
     ✗ 1 down     n50
    "#);
    insta::assert_snapshot!(many(9).screen(&Consensus, 36, 5), @r#"
    [Log] commit 30  n3 leads 9.3
     n3 ★ leader 9 9 9 9 9 9 9 9 9│9·9·
    >n1 ‖ PAUSED 9 9 9 9 9 9 9 9 9│
     4 equal     9 9 9 9 9 9 9 9 9│
     2 behind    9 9 9 9 9│
     ✗ 1 down    n9
    "#);
    insta::assert_snapshot!(many(9).screen(&Consensus, 41, 12), @r#"
    [Log] commit 30  n3 leads 9.3
     slot          20        25        30
    >n1 ‖ PAUSED 9 9 9 9 9 9 9 9 9 9 9 9│
     n2 ● follow 9 9 9 9 9 9 9 9│
     n3 ★ leader 9 9 9 9 9 9 9 9 9 9 9 9│9·9·
     n4 ● follow 9 9 9 9 9 9 9 9 9 9 9 9│
     n5 ● follow 9 9 9 9 9 9 9 9 9 9 9 9│
     n6 ● follow 9 9 9 9 9 9 9 9 9 9 9 9│
     n7 ● follow 9 9 9 9 9 9 9 9 9 9 9 9│
     n8 ● follow 9 9 9 9 9 9 9 9│
     n9 ✗ DOWN   9 9 9 9 9 9 9 9 9 9 9 9│
     slot 32 accepted 1/9 put x=32 (c1/329)
     │ chosen  · accepted  ! conflicts
    "#);
    insta::assert_snapshot!(many(3).screen(&Consensus, 39, 7), @r#"
    [Log] commit 30  quorum LOST 1/3 !
     slot        20        25        30
    >n1 ‖ PAUSED 9 9 9 9 9 9 9 9 9 9 9│
     n2 ● follow 9 9 9 9 9 9 9│
     n3 ✗ DOWN   9 9 9 9 9 9 9 9 9 9 9│9·9·
    !quorum LOST: 1 of 3 reachable, 2 need…
     slot 32 accepted 1/3 put x=32 (c1/329)
     │ chosen  · accepted  ! conflicts
    "#);
    insta::assert_snapshot!(many(50).screen(&Consensus, 121, 20), @r#"
    [Log] commit 30  n3 leads 9.3
     slot                                5         10        15        20        25        30          chosen  applied state
     n3  ★ leader         9.3    9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9│9·9·          30       30  fffe
    >n1  ‖ PAUSED         9.3    9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9│              30       30  fffe
     39 equal                    9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9│              30       30  fffe
     8 behind                    9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9│                      26       26  bbba
       n2 n8 n14 n20 n26 n32 n38 n44
     ✗ 1 down                    n50
     slot 32 accepted 1/50 put x=32 (c1/329)
     chosen up to, of 50 in order (gap: down)
      ▄█████▄█████▄█████▄█████▄█████▄█████▄█████▄█████
     commit needs 26, has 48
     digit: round of the vote  │ chosen up to here  · accepted, not chosen  ! conflicts  c learned  ░ in the snapshot
    "#);
}

#[test]
fn a_duel() {
    insta::assert_snapshot!(duel(5).screen(&Consensus, 41, 12), @r#"
    [Paxos] DUEL !
     ballot value n1  n2  n3  n4  n5  acc
     1.1    red   P A P a P a P a P a 1/5×
     2.5    red*  P a P a P a P a P A 1/5×
     3.1    red*  P A P a P a P a P a 1/5×
     4.5    red*  P a P a P a P a P A 1/5×
     5.1    red*  P A P a P a P a P a 1/5×
    >6.5    ?     P   P   P   P   P   0/5…
     promised now 6.5 6.5 6.5 6.5 6.5
     accepted now 5.1 -   -   -   4.5
    !DUEL: 6 ballots in 2.2s, none chosen
     P A yes  p a refused  × gone  * adopted
    "#);
    insta::assert_snapshot!(duel(5).screen(&Consensus, 39, 7), @r#"
    [Paxos] DUEL !
     ballot value    n1 n2 n3 n4 n5 acc
     4.5    red*     Pa Pa Pa Pa PA 1/5×
     5.1    red*     PA Pa Pa Pa Pa 1/5×
    >6.5    ?        P  P  P  P  P  0/5…
     promised now 6.5 n1 n2 n3 n4 n5
     accepted now 5.1 n1  4.5 n5  - n2 n3 …
    !DUEL: 6 ballots in 2.2s, none chosen
    "#);
    insta::assert_snapshot!(duel(3).screen(&Consensus, 36, 5), @r#"
    [Paxos] DUEL !
     ballot value    n1  n2  n3  acc
    >6.3    ?        P   P   P   0/3…
     promised now    6.3 6.3 6.3
     accepted now    5.1 -   4.3
    !DUEL: 6 ballots in 2.2s, none chos…
    "#);
    insta::assert_snapshot!(duel(9).screen(&Consensus, 41, 12), @r#"
    [Paxos] DUEL !
     ballot value   1 2 3 4 5 6 7 8 9 acc
     1.1    red     A a a a a a a a a 1/9×
     2.9    red*    a a a a a a a a A 1/9×
     3.1    red*    A a a a a a a a a 1/9×
     4.9    red*    a a a a a a a a A 1/9×
     5.1    red*    A a a a a a a a a 1/9×
    >6.9    ?       P P P P P P P P P 0/9…
     promised now 6.9 9 nodes
     accepted now 5.1 n1  4.9 n9  - 7 nodes
    !DUEL: 6 ballots in 2.2s, none chosen
     P A yes  p a refused  × gone  * adopted
    "#);
    insta::assert_snapshot!(duel(50).screen(&Consensus, 41, 14), @r#"
    [Paxos] DUEL !
     ballot value        acc
     1.1    red          1/50×
     2.50   red*         1/50×
     3.1    red*         1/50×
     4.50   red*         1/50×
     5.1    red*         1/50×
    >6.50   ?            0/50…
     promised now 6.50 50 nodes
     accepted now 5.1 n1  4.50 n50  - 48 nod…
    !DUEL: 6 ballots in 2.2s, none chosen
     n1    PPPPPPPPPP PPPPPPPPPP PPPPPPPPPP
     n31   PPPPPPPPPP PPPPPPPPPP
     P A yes  p a refused  × gone  * adopted
    "#);
}

#[test]
fn a_duel_zoomed() {
    let mut story = duel(5);
    story.zoomed = true;
    story.order("partition n3 ~ n5").kill(n(4)).press(&Consensus, &[Move::Up, Move::Right]);
    assert_eq!((story.select.node, story.select.ballot), (n(2), Some(ballot(5, 1))));
    insta::assert_snapshot!(story.screen(&Consensus, 118, 20), @r"
    [Paxos] DUEL !
     ballot proposer value                    n1    n2    n3    n4    n5     promise  accept
     1.1    n1       red                      P A   P a   P a   P a   P a        5/5     1/5 × refused
     2.5    n5       red (from 1.1)           P a   P a   P a   P a   P A        5/5     1/5 × refused
     3.1    n1       red (from 1.1)           P A   P a   P a   P a   P a        5/5     1/5 × refused
     4.5    n5       red (from 1.1)           P a   P a   P a   P a   P A        5/5     1/5 × refused
    >5.1    n1       red (from 1.1)           P A   P a   P a   P a   P a        5/5     1/5 × refused
     6.5    n5       ?                        P     P     P     P     P          5/5     0/5 … open
     promised now                             6.5   6.5   6.5   6.5   6.5
     accepted now                             5.1   -     -     -     4.5
    !DUEL: 6 ballots in 2.2s, none chosen
     5.1 refused by n2 (promised 6.5) n3 (promised 6.5) n4 (promised 6.5) n5 (promised 6.5)
     P promised  p refused  A accepted  a refused  . silent  × gone  * adopted
     each prepare makes acceptors refuse the other's accept; waiting a random while, or one leader, ends it

     time   8.200s                                                                                         2.2s later, now
     n1     │1.1 P5 A1×                            │3.1 P5 A1×                            │5.1 P5 A1×
     n5                        │2.5 P5 A1×                            │4.5 P5 A1×                             │6.5 P5…
    ");
    insta::assert_snapshot!(duel(50).screen(&Consensus, 118, 14), @r#"
    [Paxos] DUEL !
     ballot proposer value                    12345678901234567890123456789012345678901234567890 promise  accept
     1.1    n1       red                      Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa   50/50    1/50 × refused
     2.50   n50      red (from 1.1)           aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA   50/50    1/50 × refused
     3.1    n1       red (from 1.1)           Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa   50/50    1/50 × refused
     4.50   n50      red (from 1.1)           aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA   50/50    1/50 × refused
     5.1    n1       red (from 1.1)           Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa   50/50    1/50 × refused
    >6.50   n50      ?                        PPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPPP   50/50    0/50 … open
     promised now 6.50 50 nodes
     accepted now 5.1 n1  4.50 n50  - 48 nodes
    !DUEL: 6 ballots in 2.2s, none chosen
     P promised  p refused  A accepted  a refused  . silent  × gone  * adopted
    "#);
}

#[test]
fn a_chosen_value() {
    insta::assert_snapshot!(decided().screen(&Consensus, 78, 14), @r#"
    [Paxos] chosen red
     ballot proposer value          n1  n2  n3  n4  n5   promise  accept
     1.1    n1       red            P A P a P a P a P a      5/5     1/5 × refused
     2.5    n5       red*           P a P a P a P a P A      5/5     1/5 × refused
     3.1    n1       red*           P A P a P a P a P a      5/5     1/5 × refused
     4.5    n5       red*           P a P a P a P a P A      5/5     1/5 × refused
     5.1    n1       red*           P A P a P a P a P a      5/5     1/5 × refused
    >6.5    n5       red*           P . P A P A P . P A      5/5     3/5 ✓ chosen
     promised now                   6.5 6.5 6.5 6.5 6.5
     accepted now                   5.1 6.5 6.5 -   6.5
     ✓ chosen red in 6.5, known to 1/5, first at 10.600
     P promised  p refused  A accepted  a refused  . silent  × gone  * adopted
    "#);
}

#[test]
fn the_log_and_the_decree_together() {
    let mut story = decided();
    votes(&mut story, 1, 1..=2, ballot(2, 1));
    applies(&mut story, 1, 1..=1, 2);
    insta::assert_snapshot!(story.screen(&Consensus, 41, 12), @r#"
    [Log] commit 1
     slot                5         10
    >n1 ○ -      2│2·
     n2 ○ -
     n3 ○ -
     n4 ○ -
     n5 ○ -
     ✓ decree red in 6.5, known to 1/5, firs…
     slot 2 accepted 1/5 put x=2 (c1/22)
     │ chosen  · accepted  ! conflicts
    "#);
    let mut story = duel(5);
    votes(&mut story, 1, 1..=2, ballot(2, 1));
    insta::assert_snapshot!(story.screen(&Consensus, 41, 12), @r#"
    [Log] commit 0  DUEL !
     slot                5         10
    >n1 ○ -      2·2·
     n2 ○ -
     n3 ○ -
     n4 ○ -
     n5 ○ -
     slot 2 accepted 1/5 put x=2 (c1/22)
     ballot value n1  n2  n3  n4  n5  acc
    >6.5    ?     P   P   P   P   P   0/5…
     promised now 6.5 6.5 6.5 6.5 6.5
     accepted now 5.1 -   -   -   4.5
    !DUEL: 6 ballots in 2.2s, none chosen
    "#);
    story.zoomed = true;
    insta::assert_snapshot!(story.screen(&Consensus, 118, 32), @r"
    [Log] commit 0  DUEL !
     slot                               5         10        15        20        25        30        chosen  applied state
    >n1 ○ no role yet    -      2·2·                                                                     0        0  0000
     n2 ○ no role yet    -                                                                               0        0  0000
     n3 ○ no role yet    -                                                                               0        0  0000
     n4 ○ no role yet    -                                                                               0        0  0000
     n5 ○ no role yet    -                                                                               0        0  0000
     slot 2 accepted 1/5 put x=2 (c1/22)
     n1 believes: nothing of a leader yet; nothing is chosen
     digit: round of the vote  │ chosen up to here  · accepted, not chosen  ! conflicts  c learned  ░ in the snapshot

        slot state           ballot    votes known to        entry                 nobody has asked to lead yet
    >      2 accepted        2.1         1/5                 put x=2 (c1/22)
           1 accepted        2.1         1/5                 put x=1 (c1/12)








     ballot proposer value                    n1    n2    n3    n4    n5     promise  accept
     1.1    n1       red                      P A   P a   P a   P a   P a        5/5     1/5 × refused
     2.5    n5       red (from 1.1)           P a   P a   P a   P a   P A        5/5     1/5 × refused
     3.1    n1       red (from 1.1)           P A   P a   P a   P a   P a        5/5     1/5 × refused
     4.5    n5       red (from 1.1)           P a   P a   P a   P a   P A        5/5     1/5 × refused
     5.1    n1       red (from 1.1)           P A   P a   P a   P a   P a        5/5     1/5 × refused
    >6.5    n5       ?                        P     P     P     P     P          5/5     0/5 … open
     promised now                             6.5   6.5   6.5   6.5   6.5
     accepted now                             5.1   -     -     -     4.5
    !DUEL: 6 ballots in 2.2s, none chosen
     P promised  p refused  A accepted  a refused  . silent  × gone  * adopted
    ");
}

#[test]
fn two_learned_values_are_a_violation() {
    let mut story = decided();
    story.says(n(1), Fact::Chooses { slot: 0, entry: entry(2, "propose blue") });
    let text = story.screen(&Consensus, 78, 14);
    assert!(text.contains("!VIOLATION: red chosen, n1 learned blue"), "{text}");
}

#[test]
fn the_newest_slot_is_followed_until_another_is_selected() {
    let mut story = parted();
    story.press(&Consensus, &[Move::Left]);
    assert_eq!(story.select.slot, Some(42));
    story.press(&Consensus, &[Move::Right]);
    assert_eq!(story.select.slot, None);
    story.press(&Consensus, &[Move::First]);
    assert_eq!(story.select.slot, Some(1));
    assert!(story.screen(&Consensus, 41, 12).contains("slot 1 chosen 5/5"));
    story.press(&Consensus, &[Move::Last]);
    assert_eq!(story.select.slot, None);
}

#[test]
fn it_fits_everywhere() {
    for mut story in [Story::of(3, 0), parted(), many(50), duel(9), duel(50), decided()] {
        story.fits_everywhere(&Consensus);
    }
    let mut both = duel(5);
    votes(&mut both, 1, 1..=2, ballot(2, 1));
    both.fits_everywhere(&Consensus);
}

#[test]
fn who_has_accepted_an_epoch_and_not_adopted_it_says_so() {
    let mut story = Story::of(3, 0);
    story.at(1_000).says(n(1), Fact::Adopts { epoch: 4 });
    story.says(n(1), Fact::Enters { term: 5 });
    story.zoomed = true;
    let screen = story.screen(&Consensus, 118, 32);
    let line = screen.lines().find(|line| line.contains("believes")).unwrap();
    let belief =
        "n1 believes: nothing of a leader yet; nothing is chosen; epoch accepted 5, adopted 4";
    assert_eq!(line.trim(), belief);
}

/// n1 and n4 ask in one term, and split the vote; n4 asks again and wins; n2 hears of neither.
fn split() -> Story {
    let mut story = Story::of(5, 0);
    let asks = |story: &mut Story, at: u64, round: u32, of: u16| {
        let ballot = ballot(round, of);
        story.at(at).says(n(of), Fact::VotesFor { ballot }).says(n(of), Fact::Seeks { ballot });
    };
    asks(&mut story, 300, 1, 1);
    asks(&mut story, 301, 1, 4);
    story.at(305).says(n(3), Fact::VotesFor { ballot: ballot(1, 1) });
    story.says(n(5), Fact::VotesFor { ballot: ballot(1, 4) });
    asks(&mut story, 700, 2, 4);
    for id in [1, 3, 5] {
        story.at(704).says(n(id), Fact::VotesFor { ballot: ballot(2, 4) });
        story.says(n(id), Fact::Seeks { ballot: Ballot::NONE });
    }
    story.at(709).says(n(4), Fact::Leads { ballot: ballot(2, 4) });
    for (id, after) in [(1, 300), (2, 120), (3, 240)] {
        let (service, timer) = (crate::base::ServiceId::Log, "election".into());
        let after = Some(crate::base::Span::millis(after));
        story.tell(n(id), crate::event::Kind::Armed { service, timer, after });
    }
    asks(&mut story, 760, 3, 2);
    story
}

#[test]
fn elections_show_who_asked_who_voted_and_what_came_of_it() {
    let mut story = split();
    story.mode = story.mode.in_view(Consensus.views(), ELECTIONS).unwrap();
    insta::assert_snapshot!(story.screen(&Consensus, 78, 18), @r"
    [Log] commit 0  n4 leads 2.4
     asks for votes in, unless it hears of a leader
    >n1 ○ no leader      ████████████████████████▉░░░░░ 249ms
     n2 ◆ candidate      ██████▉░░░░░░░░░░░░░░░░░░░░░░░  69ms
     n3 ○ no leader      ██████████████████▉░░░░░░░░░░░ 189ms
     n4 ★ leader         -
     n5 ○ no leader      -

        since ballot n1 n2 n3 n4 n5 votes outcome
        0.760 3.2    .  Y  .  .  .    1/5 ◆ asks
        0.700 2.4    Y  .  Y  Y  Y    4/5 ★ won in 9.0ms
        0.301 1.4    n  .  n  Y  Y    2/5 split vote
        0.300 1.1    Y  .  Y  n  n    2/5 split vote
     Y voted for it  n for another  . said nothing
    ");
    insta::assert_snapshot!(story.screen(&Consensus, 38, 8), @r"
    [Log] commit 0  n4 leads 2.4
        since ballot votes outcome
        0.760 3.2      1/5 ◆ asks
        0.700 2.4      4/5 ★ won in 9.0ms
        0.301 1.4      2/5 split vote
        0.300 1.1      2/5 split vote
    ");
}

#[test]
fn zab_shows_epochs_phases_and_where_a_history_was_cut() {
    use crate::event::Stage::{Broadcast, Discovery, Election, Synchronisation};
    let mut story = Story::of(5, 0);
    let entry = |slot: u64| entry(slot, &format!("put x={slot}"));
    story.at(1_000);
    for id in 1..=5 {
        let last = if id == 3 { 6 } else { 4 };
        for slot in 1..=last {
            let term = if slot > 4 { 4 } else { 3 };
            story.says(n(id), Fact::Appends { slot, term, entry: entry(slot) });
        }
        story.says(n(id), Fact::Commits { slot: 4 });
        story.says(n(id), Fact::Adopts { epoch: 4 });
        story.says(n(id), Fact::Seeks { ballot: Ballot::NONE });
        let stage = if id == 1 { Election } else { Discovery };
        story.says(n(id), Fact::Stands { stage, leader: n(if id == 1 { 1 } else { 5 }) });
    }
    for id in [3, 4, 5] {
        story.says(n(id), Fact::Enters { term: 5 });
        story.says(n(id), Fact::VotesFor { ballot: ballot(5, 5) });
        story.says(n(id), Fact::Stands { stage: Synchronisation, leader: n(5) });
    }
    story.says(n(3), Fact::Truncates { after: 4 });
    for id in [4, 5] {
        story.says(n(id), Fact::Adopts { epoch: 5 });
    }
    story.says(n(5), Fact::Leads { ballot: ballot(5, 5) });
    story.says(n(5), Fact::Stands { stage: Broadcast, leader: n(5) });
    insta::assert_snapshot!(story.screen(&Consensus, 98, 6), @r"
    [Log] commit 4  n5 leads 5.5
     slot                               5         10        15        20      chosen epoch phase
    >n1 ◆ election       -      3 3 3 3│                                           4   0/4 election
     n2 ◆ discovery      -      3 3 3 3│                                           4   0/4 discovery
     n3 ◆ synchronises   -      3 3 3 3│✄                                          4   5/4 sync TRUNC
     n4 ◆ synchronises   -      3 3 3 3│                                           4     5 sync DIFF
     n5 ★ leader         5.5    3 3 3 3│                                           4     5 broadcast
    ");
    insta::assert_snapshot!(story.screen(&Consensus, 38, 6), @r"
    [Log] commit 4  n5 leads 5.5
     slot                5         10
    >n1 ◆ elects 3 3 3 3│
     n2 ◆ discov 3 3 3 3│
     n3 ◆ syncs  3 3 3 3│✄
     n4 ◆ syncs  3 3 3 3│
     n5 ★ leader 3 3 3 3│
    ");
}

#[test]
fn raft_shows_how_far_the_leader_is_with_each_follower() {
    let mut story = Story::of(3, 0);
    let entry = |slot: u64| entry(slot, &format!("put x={slot}"));
    story.at(1_000);
    for (id, terms) in [(1, &[1, 1, 4, 4][..]), (2, &[1, 1, 4]), (3, &[1, 1, 2, 2, 2])] {
        for (slot, term) in (1..).zip(terms) {
            story.says(n(id), Fact::Appends { slot, term: *term, entry: entry(slot) });
        }
        story.says(n(id), Fact::Commits { slot: 2 });
    }
    story.says(n(1), Fact::Leads { ballot: ballot(4, 1) });
    story.says(n(2), Fact::VotesFor { ballot: ballot(4, 1) });
    story.says(n(2), Fact::Follows { ballot: ballot(4, 1) });
    story.says(n(1), Fact::Copies { to: n(2), next: 4, agreed: true });
    story.says(n(1), Fact::Copies { to: n(3), next: 5, agreed: false });
    insta::assert_snapshot!(story.screen(&Consensus, 98, 5), @r"
    [Log] commit 2  n1 leads 4.1
     slot                               5         10        15        20      chosen match  next vote
    >n1 ★ leader         4.1    1 1│4·4·                                           2     -     - -
     n2 ● follower       4.1    1 1│4·                                             2     3     4 n1
     n3 ○ no role yet    -      1 1│2!2!2·                                         2     ?    5? -
     slot 5 accepted 1/3 put x=5 (c1/5)
    ");
    story.zoomed = true;
    let told = |story: &mut Story, id| {
        story.select.node = n(id);
        let screen = story.screen(&Consensus, 78, 24);
        screen.lines().find(|line| line.contains("believes")).unwrap_or_default().to_owned()
    };
    assert!(told(&mut story, 2).contains("; match 3, next 4; vote n1"));
    assert!(told(&mut story, 3).contains("; match ?, next 5?"));
}

#[test]
fn votes_of_learners_do_not_count() {
    let mut story = Story::of(4, 0);
    let voters = "n1,n2,n3".parse().unwrap();
    story.at(100).says(n(1), Fact::Voters { slot: 0, voters });
    story.says(n(1), Fact::Seeks { ballot: ballot(1, 1) });
    for id in [1, 2, 4] {
        story.says(n(id), Fact::VotesFor { ballot: ballot(1, 1) });
    }
    story.mode = story.mode.in_view(Consensus.views(), ELECTIONS).unwrap();
    let screen = story.screen(&Consensus, 78, 18);
    assert!(screen.contains("1.1    Y  Y  .  -    2/3"), "{screen}");
}
