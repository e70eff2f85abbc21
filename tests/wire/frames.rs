//! Frames: whole, cut, too long, changed, and nonsense.

use crate::made::{Coverage, cover};
use bytes::BytesMut;
use netsplit::base::{MsgId, NodeId, Time};
use netsplit::event::{Event, Kind};
use netsplit::live::control::{Envelope, Report, Request, Stamped};
use netsplit::live::wire::{
    Answer, FRAME_MAX, Frame, HELLO_MAX, Hello, Peer, Reader, Refusal, VERSION, Who, WireError,
    encode, encode_all, encode_report,
};
use netsplit::proto::{Message, ping, store};
use proptest::prelude::*;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::LazyLock;

/// Reads frames until something is wrong with one, which the last element says.
fn read<T: Frame>(bytes: &[u8], max: usize) -> (Vec<T>, WireError) {
    let run = async {
        let mut reader = Reader::with_limit(bytes, max);
        let mut frames = Vec::new();
        loop {
            match reader.next().await {
                Ok(frame) => frames.push(frame),
                Err(error) => return (frames, error),
            }
        }
    };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run)
}

fn envelope(n: u64) -> Envelope {
    let message = Message::Ping(ping::Message::Ball { throws: n });
    Envelope { id: MsgId(n), stamp: Time(n), message }
}

/// An envelope of more than `bytes` bytes.
fn huge(bytes: usize) -> Envelope {
    let items = (0..bytes / 8).map(|n| (format!("key{n:05}").parse().unwrap(), Arc::default()));
    let items = items.collect();
    let (after, next) = (None, None);
    let hand = store::Message::Hand { epoch: 1, blank: false, full: 1, items, after, next };
    Envelope { message: Message::Store(hand), ..envelope(99) }
}

fn line(envelope: &Envelope) -> String {
    format!("{envelope:?}")
}

#[test]
fn frames_come_out_as_they_went_in() {
    let mut buffer = BytesMut::new();
    let sent: Vec<Envelope> = (0..50).map(envelope).collect();
    assert_eq!(encode_all(&sent, &mut buffer), []);
    let (received, end) = read::<Envelope>(&buffer, FRAME_MAX);
    assert_eq!(end, WireError::Closed);
    assert!(received.iter().map(line).eq(sent.iter().map(line)));
}

#[test]
fn a_frame_has_its_length_in_front() {
    let mut buffer = BytesMut::from(&b"before"[..]);
    encode(&Request::Shutdown, &mut buffer).unwrap();
    assert_eq!(buffer[..], *b"before\0\0\0\x01\x02");
}

#[test]
fn a_stream_that_ends_within_a_frame_is_cut_and_not_closed() {
    let mut buffer = BytesMut::new();
    encode(&envelope(1), &mut buffer).unwrap();
    let one = buffer.len();
    encode(&envelope(2), &mut buffer).unwrap();
    for end in 0..buffer.len() {
        let (received, error) = read::<Envelope>(&buffer[..end], FRAME_MAX);
        assert_eq!(received.len(), end / one);
        let proper = end % one == 0;
        assert_eq!(error, if proper { WireError::Closed } else { WireError::Cut }, "{end}");
    }
}

#[test]
fn what_is_too_long_is_not_sent_and_spoils_nothing() {
    let mut buffer = BytesMut::new();
    let batch = [envelope(1), huge(FRAME_MAX), envelope(2)];
    assert_eq!(encode_all(&batch, &mut buffer), [MsgId(99)]);
    assert_eq!(encode(&batch[1], &mut buffer), Err(WireError::TooLong { max: FRAME_MAX }));
    let (received, end) = read::<Envelope>(&buffer, FRAME_MAX);
    assert_eq!((received.len(), end), (2, WireError::Closed));
}

#[test]
fn what_is_too_long_is_refused_before_it_has_come() {
    let head = (FRAME_MAX as u32 + 1).to_be_bytes();
    let (_, error) = read::<Envelope>(&head, FRAME_MAX);
    assert_eq!(error, WireError::TooLong { max: FRAME_MAX });
    let mut buffer = BytesMut::new();
    encode(&huge(HELLO_MAX), &mut buffer).unwrap();
    let (_, error) = read::<Envelope>(&buffer, HELLO_MAX);
    assert_eq!(error, WireError::TooLong { max: HELLO_MAX });
}

#[test]
fn bytes_that_are_left_over_are_an_error() {
    let error = Request::decode(&[2, 0]).unwrap_err();
    assert_eq!(error, WireError::Trailing { what: "request", bytes: 1 });
    assert!(matches!(Request::decode(&[9]), Err(WireError::Malformed { what: "request", .. })));
}

#[test]
fn a_long_report_goes_out_in_pieces_that_keep_its_promise() {
    let event = |at| {
        let why: Arc<str> = "x".repeat(100_000).into();
        Event { at: Time(at), node: NodeId::node(1), kind: Kind::Panicked { why } }
    };
    let events: Arc<[Stamped]> =
        (10..40).map(|at| Stamped { command: None, event: event(at) }).collect();
    let mut buffer = BytesMut::new();
    let report = Report::Events { events: events.clone(), upto: Time(100) };
    encode_report(&report, &mut buffer).unwrap();
    let (reports, end) = read::<Report>(&buffer, FRAME_MAX);
    assert_eq!(end, WireError::Closed);
    assert!(reports.len() > 2);
    let (mut seen, mut promised) = (Vec::new(), Time::ZERO);
    for report in reports {
        let Report::Events { events, upto } = report else { panic!("{report:?}") };
        assert!(events.iter().all(|stamped| stamped.event.at > promised));
        promised = upto;
        seen.extend(events.iter().cloned());
    }
    assert_eq!((seen.as_slice(), promised), (&*events, Time(100)));

    let why: Arc<str> = "x".repeat(FRAME_MAX).into();
    let event = Event { kind: Kind::Panicked { why }, ..event(1) };
    let report =
        Report::Events { events: [Stamped { command: None, event }].into(), upto: Time(1) };
    assert!(matches!(encode_report(&report, &mut buffer), Err(WireError::TooLong { .. })));
}

#[test]
fn secrets_are_not_printed() {
    let token = netsplit::live::wire::Token([0xAB; 16]);
    let hello =
        Hello { version: VERSION, cluster: [0; 16], who: Who::Joiner { token }, book: Vec::new() };
    let granted = netsplit::live::wire::Granted { identity: vec![0xAB; 40] };
    let text = format!("{hello:?} {:?}", Answer::Granted(granted));
    assert!(!text.contains("171") && !text.to_lowercase().contains("ab, "), "{text}");
}

#[test]
fn every_refusal_is_a_sentence() {
    for refusal in cover::<Refusal>(&mut Coverage::default()) {
        assert!(refusal.to_string().len() > 15, "{refusal:?}");
    }
}

/// What decoding anything must do: fail, or give a value that can be sent and printed.
fn swallow<T: Frame + Debug>(bytes: &[u8]) -> Option<T> {
    let value = T::decode(bytes).ok()?;
    let mut buffer = BytesMut::new();
    encode(&value, &mut buffer).unwrap();
    let again = T::decode(&buffer[4..]).unwrap();
    assert_eq!(format!("{again:?}"), format!("{value:?}"));
    Some(value)
}

/// Takes bytes for a frame of each kind.
fn swallow_all(bytes: &[u8]) {
    swallow::<Hello>(bytes);
    swallow::<Answer>(bytes);
    swallow::<Peer>(bytes);
    swallow::<Envelope>(bytes).map(|envelope| envelope.message.to_string());
    if let Some(Request::Command { command, .. }) = swallow::<Request>(bytes) {
        let _ = command.check();
    }
    match swallow::<Report>(bytes) {
        Some(Report::Events { events, .. }) => {
            events.iter().for_each(|stamped| drop(stamped.event.to_string()));
        }
        report => drop(format!("{report:?}")),
    }
}

/// Valid frames of all kinds, without their lengths.
static SAMPLES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    fn bytes<T: Frame>() -> Vec<Vec<u8>> {
        let all = cover::<T>(&mut Coverage::default());
        all.iter().map(|value| postcard::to_stdvec(value).unwrap()).collect()
    }
    let hello = cover::<Hello>(&mut Coverage::default());
    let hello = hello.into_iter().map(|hello| Hello { version: VERSION, ..hello });
    let hello = hello.map(|hello| postcard::to_stdvec(&hello).unwrap()).collect();
    let others = [
        bytes::<Answer>(),
        bytes::<Peer>(),
        bytes::<Request>(),
        bytes::<Report>(),
        bytes::<Envelope>(),
    ];
    [vec![hello], others.into()].concat().concat()
});

#[derive(Clone, Debug)]
enum Spoil {
    Flip(usize, u8),
    Set(usize, u8),
    Cut(usize),
    Extend(Vec<u8>),
    /// A number of ten bytes, the largest there is.
    Huge(usize),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let at = 0usize..400;
    prop_oneof![
        (at.clone(), 0u8..8).prop_map(|(at, bit)| Spoil::Flip(at, 1 << bit)),
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Spoil::Set(at, byte)),
        at.clone().prop_map(Spoil::Cut),
        prop::collection::vec(any::<u8>(), 1..20).prop_map(Spoil::Extend),
        at.prop_map(Spoil::Huge),
    ]
}

impl Spoil {
    fn act(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len().max(1);
        match self {
            Spoil::Flip(at, bit) => {
                bytes.iter_mut().skip(at % length).take(1).for_each(|b| *b ^= bit)
            }
            Spoil::Set(at, to) => bytes.iter_mut().skip(at % length).take(1).for_each(|b| *b = *to),
            Spoil::Cut(at) => bytes.truncate(at % length),
            Spoil::Extend(more) => bytes.extend(more),
            Spoil::Huge(at) => {
                let at = (at % length).min(bytes.len());
                bytes.splice(at..at, [0xFF; 9].into_iter().chain([1]));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_may_come(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        swallow_all(&bytes);
        let (_, error) = read::<Request>(&bytes, HELLO_MAX);
        prop_assert!(!error.to_string().is_empty());
    }

    #[test]
    fn a_valid_frame_may_come_spoilt(
        pick in any::<prop::sample::Index>(),
        spoils in prop::collection::vec(spoil(), 1..4),
    ) {
        let mut bytes = pick.get(&SAMPLES).clone();
        spoils.iter().for_each(|spoil| spoil.act(&mut bytes));
        swallow_all(&bytes);
    }
}

/// Whatever length a frame says is in it, no more room is made than its bytes fill.
#[test]
fn a_length_on_its_own_takes_no_time() {
    let begin = std::time::Instant::now();
    for sample in SAMPLES.iter() {
        for at in 0..sample.len() {
            for huge in [&[0xFF, 0xFF, 0xFF, 0x7F][..], &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]]
            {
                let mut bytes = sample.clone();
                bytes.splice(at..=at, huge.iter().copied());
                swallow_all(&bytes);
            }
        }
    }
    assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
}
