//! How much a connection may hold: little before its peer is known, enough afterwards.

use crate::base::ServiceId;
use quinn::{AckFrequencyConfig, TransportConfig, VarInt};
use std::sync::Arc;
use std::time::Duration;

/// A connection on which nothing comes for so long is dead.
const IDLE: Duration = Duration::from_secs(5);

/// Three of these fit into an idle time, so one lost packet kills no connection.
const KEEP_ALIVE: Duration = Duration::from_millis(1_500);

/// How long an acknowledgement may wait for company, where QUIC's 25 ms are usual. A process that
/// has read something is awake, and what it needs is at hand; much later it would have to be woken
/// up for the acknowledgement alone. QUIC can be told no shorter time. The network's timers make it
/// shorter where nothing else is to be done.
pub(in crate::live) const ACK_WITHIN: Duration = Duration::from_millis(1);

/// How many bytes a stranger may have us keep.
const STRANGERS_WINDOW: u32 = 64 << 10;

/// How many bytes of one stream may wait to be read: the largest frame.
const STREAM_WINDOW: u32 = 1 << 20;

/// How many bytes of all streams of a known peer may wait to be read, and how many we keep for it
/// until it has them.
const WINDOW: u32 = 4 << 20;

/// The limits that every connection begins with, for [`super::server_config`],
/// [`super::client_config`] and [`super::joining_config`], which have them already: idle timeout
/// 5 s, keep-alive 1.5 s, and for the peer one bidirectional stream, no unidirectional one, and
/// 64 KiB that we have not read yet. Call [`admit`] once the peer is known.
pub fn transport() -> Arc<TransportConfig> {
    let mut acks = AckFrequencyConfig::default();
    acks.max_ack_delay(Some(ACK_WITHIN));
    let mut config = TransportConfig::default();
    let idle = IDLE.try_into().expect("5 s is a possible idle timeout");
    config
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(STRANGERS_WINDOW))
        .send_window(WINDOW.into())
        .datagram_receive_buffer_size(None)
        .ack_frequency_config(Some(acks));
    Arc::new(config)
}

/// Lets a peer that has been made certain of do more: one unidirectional stream for each service,
/// and 4 MiB in all. For either side: the one that dials is certain when it is welcomed.
pub fn admit(connection: &quinn::Connection) {
    let services = u32::try_from(ServiceId::ALL.len()).expect("services can be counted");
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(services));
    connection.set_receive_window(VarInt::from_u32(WINDOW));
}
