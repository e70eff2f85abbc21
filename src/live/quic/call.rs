//! Dialling: from an address to a peer that has answered the greeting.

use super::close;
use crate::base::{Rng, Span};
use crate::live::identity;
use crate::live::wire::{self, Answer, Hello, Reader, Refusal, Welcome, WireError};
use bytes::BytesMut;
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

/// A peer that has answered, and the two-way stream on which it did.
#[derive(Debug)]
pub(in crate::live) struct Call {
    pub(in crate::live) connection: Connection,
    pub(in crate::live) send: SendStream,
    pub(in crate::live) answers: Reader<RecvStream>,
}

/// Why nobody has answered as was hoped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::live) enum CallError {
    /// Nobody is there, or nobody who speaks QUIC.
    Silence,
    /// No connection came to be, or it broke.
    Broken(String),
    /// The answer is no.
    Refused(Refusal),
    /// The answer makes no sense.
    Garbled(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Silence => f.write_str("nobody answers"),
            CallError::Broken(why) => f.write_str(why),
            CallError::Refused(refusal) => write!(f, "it refuses: {refusal}"),
            CallError::Garbled(why) => write!(f, "it answers nonsense: {why}"),
        }
    }
}

/// Dials, greets, and waits for the answer, for as long as `patience`. `name` is what the other
/// side's certificate must be valid for.
pub(in crate::live) async fn call(
    endpoint: &Endpoint,
    config: ClientConfig,
    (address, name): (SocketAddr, &str),
    hello: &Hello,
    patience: Duration,
) -> Result<(Call, Answer), CallError> {
    let talk = async {
        let dialled = endpoint.connect_with(config, address, name);
        let dialling = dialled.map_err(|error| CallError::Broken(error.to_string()))?;
        let connection = dialling.await.map_err(|error| broken(&error))?;
        let greeted = greet(&connection, hello).await;
        // In TLS 1.3 the other side judges our certificate after we think that we are in.
        greeted.map_err(|error| match (connection.close_reason(), error) {
            (Some(reason), _) => broken(&reason),
            (None, error) => CallError::Garbled(error.to_string()),
        })
    };
    timeout(patience, talk).await.unwrap_or(Err(CallError::Silence))
}

async fn greet(connection: &Connection, hello: &Hello) -> Result<(Call, Answer), WireError> {
    let mut bytes = BytesMut::new();
    wire::encode(hello, &mut bytes)?;
    let lost = |error: ConnectionError| WireError::Io { why: error.to_string() };
    let (mut send, receive) = connection.open_bi().await.map_err(lost)?;
    let written = send.write_all(&bytes).await;
    written.map_err(|error| WireError::Io { why: error.to_string() })?;
    let mut answers = Reader::new(receive);
    let answer = answers.next().await?;
    Ok((Call { connection: connection.clone(), send, answers }, answer))
}

/// The same, when only a welcome is of use.
pub(in crate::live) async fn visit(
    endpoint: &Endpoint,
    config: ClientConfig,
    whom: (SocketAddr, &str),
    hello: &Hello,
    patience: Duration,
) -> Result<(Call, Welcome), CallError> {
    let (call, answer) = self::call(endpoint, config, whom, hello, patience).await?;
    let why = match answer {
        Answer::Welcome(welcome) => return Ok((call, *welcome)),
        Answer::Refused(refusal) => CallError::Refused(refusal),
        Answer::Granted(_) => CallError::Garbled("we asked for no certificate".to_owned()),
    };
    close::DONE.on(&call.connection, "");
    Err(why)
}

/// Why a connection is gone.
pub(in crate::live) fn broken(error: &ConnectionError) -> CallError {
    match error {
        ConnectionError::TimedOut => CallError::Silence,
        ConnectionError::ApplicationClosed(closed) => {
            let why: String = String::from_utf8_lossy(&closed.reason)
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect();
            match why.is_empty() {
                true => CallError::Broken("it closed the connection".to_owned()),
                false => CallError::Broken(format!("it closed the connection: {why}")),
            }
        }
        error => {
            let why = identity::explain(error).unwrap_or_else(|| error.to_string());
            CallError::Broken(why)
        }
    }
}

/// How long to wait before the next try: twice as long each time, up to a limit, less up to a half
/// of it by chance, so that those who failed together do not try again together.
#[derive(Debug)]
pub(in crate::live) struct BackOff {
    next: Span,
    chance: Rng,
}

impl BackOff {
    const FIRST: Span = Span::millis(50);
    const LONGEST: Span = Span::secs(2);

    pub(in crate::live) fn new(seed: u64) -> BackOff {
        BackOff { next: BackOff::FIRST, chance: Rng::new(seed) }
    }

    /// How long to wait now.
    pub(in crate::live) fn pause(&mut self) -> Duration {
        let most = self.next;
        self.next = Span(most.0 * 2).min(BackOff::LONGEST);
        Duration::from_micros(self.chance.span(Span(most.0 / 2), most).0)
    }

    /// It worked.
    pub(in crate::live) fn reset(&mut self) {
        self.next = BackOff::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let mut back_off = BackOff::new(1);
        let pauses: Vec<u128> = (0..8).map(|_| back_off.pause().as_millis()).collect();
        for (pause, most) in pauses.iter().zip([50, 100, 200, 400, 800, 1_600, 2_000, 2_000]) {
            assert!((most / 2..=most).contains(pause), "{pauses:?}");
        }
        back_off.reset();
        assert!(back_off.pause().as_millis() <= 50);
    }
}
