//! What is on the wire: every frame, in the order in which a connection carries them.
//!
//! A **frame** is a length (four bytes, big endian, of what follows) and one value in postcard's
//! encoding (<https://postcard.jamesmunns.com/wire-format>): positional, little, without names. The
//! longest frame has [`FRAME_MAX`] bytes; a frame that is longer, does not decode, or has bytes
//! left over ends the connection with a [`WireError`] that says so.
//!
//! ```text
//!  dials                                listens
//!    │── TLS 1.3, ALPN netsplit/1 ─────────│   who has a certificate shows it
//!    │                                     │
//!    │══ control: one two-way stream ══════│
//!    │── Hello ───────────────────────────>│   version, cluster, who it is, addresses
//!    │<─────────────────────────── Answer ─│   Welcome | Granted | Refused
//!    │                                     │
//!    │  Hello came from a node:            │  from a console:          from a joiner:
//!    │<─ Peer (address books) ────────────>│  ── Request ──>           Granted was all;
//!    │                                     │  <── Report ──            it dials again with it
//!    │── one-way streams, one a service ──>│
//!    │     Envelope, Envelope, …           │
//! ```
//!
//! * *Nothing is connected before `Welcome`.* In TLS 1.3 the dialling side thinks that it is in
//!   before the other has looked at its certificate, so only the answer to `Hello` counts. Until
//!   then a stranger may send one frame of up to [`HELLO_MAX`] bytes and nothing else.
//! * *A connection carries messages one way*, from who dialled to who listens: n1 and n2 have two.
//!   One stream a service, so that a lost packet of one service delays no other. An envelope says
//!   by itself which service it is for and, in its number, who sent it; the receiver takes it only
//!   from the node that the certificate names.
//! * *`Report` answers no `Request` by place in the stream.* Both flow freely; a command's answer
//!   carries the command's name.
//!
//! # What may change
//!
//! Postcard writes fields in order and variants by number. So within one [`VERSION`] variants are
//! added at the end of their enum, and nothing else changes: no field added, moved or retyped, no
//! variant removed. `tests/wire/golden.txt` holds the bytes of every variant of everything that is
//! sent or written to disk, and a test compares. The version is the first field of
//! `Hello`, and is read before the rest, so that a process of another version is told which.
//!
//! # Hostile bytes
//!
//! Whoever can open a connection can send anything. What limits the harm:
//!
//! * A frame's length is looked at before room is made for it. A length inside a frame makes no
//!   room that the frame's bytes do not fill: serde reserves at most a megabyte on a length's word.
//! * No type here is recursive, so decoding cannot exhaust the stack: the deepest chain is
//!   `Report` – `Stamped` – `Event` – `Command` – `Link` – `Target` – list of ids.
//! * No list has elements of zero bytes, so a short frame cannot ask for a long loop.
//! * Texts that must keep a form ([`Name`](crate::base::Name)) are checked while they are decoded;
//!   commands by [`Command::check`](crate::command::Command::check) before they are carried out.
//!   Numbers may be anything: protocols calculate with them so that nothing overflows.
//!
//! `tests/wire` walks all types for the second and third, and feeds nodes random messages for
//! the last.

use super::control::{Envelope, Report, Request, Stamped};
use crate::base::{MsgId, NodeId, Time};
use bytes::{BufMut, BytesMut};
use futures_util::StreamExt;
use postcard::ser_flavors::Flavor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncRead;
use tokio_util::codec::{Decoder, FramedRead, LengthDelimitedCodec};

/// What both ends must speak. Goes up when something changes that is no addition at an end.
pub const VERSION: u16 = 9;

/// The name of this protocol in TLS (ALPN).
pub const ALPN: &[u8] = b"netsplit/1";

/// The most bytes of a frame, without its length.
pub const FRAME_MAX: usize = 1 << 20;

/// The most bytes of the first frame on a connection, when the sender may still be a stranger.
pub const HELLO_MAX: usize = 64 << 10;

/// The bytes of a frame's length.
const HEAD: usize = size_of::<u32>();

/// What can travel as a frame.
pub trait Frame: Serialize + DeserializeOwned {
    /// What to call it in errors.
    const NAME: &'static str;

    /// Reads one from the bytes of a frame, without its length.
    ///
    /// # Errors
    /// [`WireError::Malformed`] and [`WireError::Trailing`]; of a `Hello`, [`WireError::Version`].
    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let what = Self::NAME;
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(value),
            Ok((_, left)) => Err(WireError::Trailing { what, bytes: left.len() }),
            Err(error) => Err(WireError::Malformed { what, why: error.to_string() }),
        }
    }
}

impl Frame for Hello {
    const NAME: &'static str = "greeting";

    fn decode(bytes: &[u8]) -> Result<Hello, WireError> {
        match postcard::take_from_bytes::<u16>(bytes) {
            Ok((theirs, _)) if theirs != VERSION => Err(WireError::Version { theirs }),
            _ => Bare::decode(bytes).map(|Bare(hello)| hello),
        }
    }
}

/// A greeting without a look at its version.
#[derive(Serialize, Deserialize)]
struct Bare(Hello);

impl Frame for Bare {
    const NAME: &'static str = Hello::NAME;
}

impl Frame for Answer {
    const NAME: &'static str = "answer to a greeting";
}

impl Frame for Peer {
    const NAME: &'static str = "note between nodes";
}

impl Frame for Request {
    const NAME: &'static str = "request";
}

impl Frame for Report {
    const NAME: &'static str = "report";
}

impl Frame for Envelope {
    const NAME: &'static str = "message";
}

// -- the handshake --------------------------------------------------------------------------------

/// The first frame on a connection: who dials, and what it takes the other side for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`] of the sender. Stays the first field for ever.
    pub version: u16,
    /// The cluster's id, from the sender's certificate or ticket.
    pub cluster: [u8; 16],
    /// Who it is. The listener compares it with the certificate.
    pub who: Who,
    /// Addresses that it knows: its own first, and as many as fit in [`HELLO_MAX`]. Empty from
    /// consoles and joiners. More may follow as [`Peer::Book`].
    pub book: Vec<BookEntry>,
}

/// Who dials.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// A process of the cluster: messages from it will follow.
    Node(NodeId),
    /// A console, under the random number that its commands carry. Only an `operator` may give
    /// commands.
    Console { operator: bool, console: u64 },
    /// Somebody without a certificate, who wants one for this token.
    Joiner { token: Token },
}

/// The one-time secret of a ticket. Not printed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token(pub [u8; 16]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The listener's answer to a greeting. After `Granted` and `Refused` it closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Come in.
    Welcome(Box<Welcome>),
    /// The token was good; here is what to come back with.
    Granted(Granted),
    /// No.
    Refused(Refusal),
}

/// What whoever may come in is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Which process listens here.
    pub who: NodeId,
    /// A random number that the process drew when it started. Another one than before means that
    /// the process is new, and that nothing it was asked for is under way any more.
    pub life: u64,
    /// The cluster's name: what to call its file in messages.
    pub name: String,
    /// The text of its cluster file.
    pub plan: String,
    /// The time since the cluster was founded, at this process.
    pub now: Time,
    /// The addresses that it knows, its own included.
    pub book: Vec<BookEntry>,
}

/// Where a process of the cluster listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookEntry {
    /// Which process.
    pub id: NodeId,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Counts its addresses; only the process itself raises it. Of two entries for one process the
    /// one with the larger version holds.
    pub version: u64,
}

/// A new identity: certificates, the private key, and what it may do, as the identity's own
/// encoding. Not printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The encoded identity.
    pub identity: Vec<u8>,
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Granted({} bytes)", self.identity.len())
    }
}

/// Why a connection is refused.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The listener speaks version `ours`.
    WrongVersion { ours: u16 },
    /// The listener belongs to another cluster.
    WrongCluster,
    /// The greeting could not be read.
    Malformed,
    /// Only joiners may come without a certificate.
    NoCertificate,
    /// The certificate is not for who the greeting claims to be.
    NotYou,
    /// The cluster has no such process.
    NotInPlan { who: NodeId },
    /// Another process is connected under this name.
    Taken { who: NodeId },
    /// No ticket has this token.
    TokenUnknown,
    /// The ticket was used before.
    TokenUsed,
    /// The ticket is too old.
    TokenExpired,
    /// This process cannot hand out identities: it does not have the cluster's key.
    NoAuthority,
    /// The certificate does not allow this.
    NotAllowed,
    /// `most` consoles are connected, and that is the most.
    TooManyConsoles { most: u32 },
    /// The process is ending.
    Stopping,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::WrongVersion { ours } => {
                return write!(f, "it speaks protocol version {ours}, and we {VERSION}");
            }
            Refusal::NotInPlan { who } => return write!(f, "its cluster has no {who}"),
            Refusal::Taken { who } => return write!(f, "another process runs as {who}"),
            Refusal::TooManyConsoles { most } => {
                return write!(f, "{most} consoles are connected, and that is the most");
            }
            Refusal::WrongCluster => "it belongs to another cluster",
            Refusal::Malformed => "it could not read the greeting",
            Refusal::NoCertificate => "a certificate is needed, or a ticket",
            Refusal::NotYou => "the certificate is for somebody else",
            Refusal::TokenUnknown => "the ticket is not known here",
            Refusal::TokenUsed => "the ticket was used already; each is good for once",
            Refusal::TokenExpired => "the ticket has expired",
            Refusal::NoAuthority => "it cannot take tickets, as it does not have the cluster's key",
            Refusal::NotAllowed => "the certificate does not allow this",
            Refusal::Stopping => "the process is ending",
        })
    }
}

/// What nodes tell each other apart from messages, either way on the control stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peer {
    /// Addresses that are new to the sender.
    Book(Vec<BookEntry>),
}

// -- encoding -------------------------------------------------------------------------------------

/// Why a frame could not be sent or received.
#[allow(missing_docs, reason = "the sentence of a variant says what its fields are")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The frame is longer than `max` bytes.
    TooLong { max: usize },
    /// The bytes are no `what`.
    Malformed { what: &'static str, why: String },
    /// After a whole `what` the frame goes on for so many bytes.
    Trailing { what: &'static str, bytes: usize },
    /// The other side speaks version `theirs`.
    Version { theirs: u16 },
    /// The stream ended within a frame.
    Cut,
    /// The stream ended after a frame: the other side is done.
    Closed,
    /// The connection failed.
    Io { why: String },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::TooLong { max } => write!(f, "a frame is longer than {max} bytes"),
            WireError::Malformed { what, why } => write!(f, "a frame is no {what}: {why}"),
            WireError::Trailing { what, bytes } => {
                write!(f, "a frame has {bytes} bytes left over after the {what}")
            }
            WireError::Version { theirs } => {
                write!(f, "the other side speaks protocol version {theirs}, and we {VERSION}")
            }
            WireError::Cut => f.write_str("the stream ended within a frame"),
            WireError::Closed => f.write_str("the other side closed the stream"),
            WireError::Io { why } => write!(f, "the connection failed: {why}"),
        }
    }
}

impl std::error::Error for WireError {}

/// Appends a frame to `out`. Many frames may stand in one buffer and go out in one write.
///
/// # Errors
/// [`WireError::TooLong`], and then `out` is as it was before.
pub fn encode<T: Frame>(value: &T, out: &mut BytesMut) -> Result<(), WireError> {
    let start = out.len();
    out.put_u32(0);
    let room = Room { end: start + HEAD + FRAME_MAX, out: &mut *out };
    match postcard::serialize_with_flavor(value, room) {
        Ok(()) => {
            let length = (out.len() - start - HEAD) as u32;
            out[start..start + HEAD].copy_from_slice(&length.to_be_bytes());
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(match error {
                postcard::Error::SerializeBufferFull => WireError::TooLong { max: FRAME_MAX },
                error => WireError::Malformed { what: T::NAME, why: error.to_string() },
            })
        }
    }
}

/// Appends as many envelopes as frames, and returns the numbers of those that are too long: they
/// are lost.
pub fn encode_all<'a>(
    envelopes: impl IntoIterator<Item = &'a Envelope>,
    out: &mut BytesMut,
) -> Vec<MsgId> {
    let failed = |envelope: &&Envelope| encode(*envelope, out).is_err();
    envelopes.into_iter().filter(failed).map(|envelope| envelope.id).collect()
}

/// Appends a report. One that is too long because it has many events becomes several.
///
/// # Errors
/// [`WireError::TooLong`] if one event alone is too long. `out` may hold some of the others then.
pub fn encode_report(report: &Report, out: &mut BytesMut) -> Result<(), WireError> {
    match (encode(report, out), report) {
        (Err(WireError::TooLong { .. }), Report::Events { events, upto }) if events.len() > 1 => {
            let (early, late) = events.split_at(events.len() / 2);
            // Nothing is promised that the second half breaks.
            let before = Time(late[0].event.at.0.saturating_sub(1)).min(*upto);
            let part = |events: &[Stamped], upto| Report::Events { events: events.into(), upto };
            encode_report(&part(early, before), out)?;
            encode_report(&part(late, *upto), out)
        }
        (result, _) => result,
    }
}

/// Where a frame is written: behind what the buffer holds, and no further than `end`.
struct Room<'a> {
    out: &'a mut BytesMut,
    end: usize,
}

impl Flavor for Room<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() > self.end - self.out.len() {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Cuts frames out of a stream of bytes.
#[derive(Debug)]
struct Frames(LengthDelimitedCodec);

impl Frames {
    /// Frames of up to `max` bytes. Each keeps its head, so that the buffer of a stream that ends
    /// right after a head is not empty.
    fn new(max: usize) -> Frames {
        let mut builder = LengthDelimitedCodec::builder();
        builder.length_field_type::<u32>().big_endian().max_frame_length(max);
        builder.length_adjustment(HEAD as isize).num_skip(0);
        Frames(builder.new_codec())
    }
}

impl Decoder for Frames {
    type Item = BytesMut;
    type Error = WireError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<BytesMut>, WireError> {
        match self.0.decode(bytes) {
            Ok(frame) => Ok(frame.map(|mut frame| frame.split_off(HEAD))),
            // Its only error.
            Err(_) => Err(WireError::TooLong { max: self.0.max_frame_length() }),
        }
    }

    fn decode_eof(&mut self, bytes: &mut BytesMut) -> Result<Option<BytesMut>, WireError> {
        match self.decode(bytes)? {
            None if !bytes.is_empty() => Err(WireError::Cut),
            frame => Ok(frame),
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> WireError {
        let mut why = error.to_string();
        let mut source = error.get_ref().and_then(|inner| inner.source());
        while let Some(deeper) = source {
            why = format!("{why}: {deeper}");
            source = deeper.source();
        }
        WireError::Io { why }
    }
}

/// Reads frames from one stream, whole and one at a time.
#[derive(Debug)]
pub struct Reader<R> {
    frames: FramedRead<R, Frames>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads frames of up to [`FRAME_MAX`] bytes.
    pub fn new(stream: R) -> Reader<R> {
        Reader::with_limit(stream, FRAME_MAX)
    }

    /// Reads frames of up to `max` bytes: [`HELLO_MAX`] from a stranger.
    pub fn with_limit(stream: R, max: usize) -> Reader<R> {
        Reader { frames: FramedRead::new(stream, Frames::new(max)) }
    }

    /// The most bytes of a frame from now on.
    pub fn set_limit(&mut self, max: usize) {
        self.frames.decoder_mut().0.set_max_frame_length(max);
    }

    /// The next frame. May be cancelled: nothing that was read is lost.
    ///
    /// # Errors
    /// Any [`WireError`]; [`WireError::Closed`] is the proper end. The stream is of no use after
    /// any of them.
    pub async fn next<T: Frame>(&mut self) -> Result<T, WireError> {
        match self.frames.next().await {
            Some(bytes) => T::decode(&bytes?),
            None => Err(WireError::Closed),
        }
    }
}
