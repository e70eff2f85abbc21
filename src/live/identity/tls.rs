//! Identities as TLS: who presents what, and who believes whom.

use super::holder::Parts;
use super::{ClusterId, Identity, Role, sha256, transport};
use crate::error::Error;
use quinn::ConnectionError;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, PeerIncompatible, RootCertStore,
    SignatureScheme,
};
use std::sync::Arc;

/// The protocol and its version, agreed on in the handshake: peers of other versions get no
/// further.
pub const ALPN: &[u8] = b"netsplit/1";

/// How many strangers may wait to be greeted, and how many bytes of each, and of all, are kept.
const INCOMING: (usize, u64, u64) = (256, 16 << 10, 1 << 20);

/// How a node listens: it presents [its certificate, the CA's], and lets in whoever has a
/// certificate of its CA, or none. A peer without a certificate has no role ([`role_of`]), and can
/// do nothing but redeem a ticket.
///
/// # Errors
/// The identity is damaged, or not a node's.
pub fn server_config(identity: &Identity) -> Result<quinn::ServerConfig, Error> {
    if !matches!(identity.role, Role::Node(_)) {
        return Err(Error::new(format!("{} cannot listen: only nodes can", identity.role)));
    }
    let Parts { ca, certificate, key } = identity.parts().map_err(damaged)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(&ca)?, provider())
        .allow_unauthenticated()
        .build()
        .map_err(damaged)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(damaged)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate, ca], key)
        .map_err(damaged)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would not look at the certificate again.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let crypto = QuicServerConfig::try_from(config).map_err(damaged)?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let (strangers, each, all) = INCOMING;
    config.transport_config(transport());
    config.max_incoming(strangers).incoming_buffer_size(each).incoming_buffer_size_total(all);
    Ok(config)
}

/// How a member dials: it presents its certificate, and believes a server with a certificate of its
/// CA for the name it dials, which is [`ClusterId::node`] or [`ClusterId::any_node`].
///
/// That the handshake succeeds does not mean that the server believes the member: in TLS 1.3 it
/// judges after the client is done. Only its first answer tells.
///
/// # Errors
/// The identity is damaged.
pub fn client_config(identity: &Identity) -> Result<quinn::ClientConfig, Error> {
    let Parts { ca, certificate, key } = identity.parts().map_err(damaged)?;
    let verifier = WebPkiServerVerifier::builder_with_provider(roots(&ca)?, provider())
        .build()
        .map_err(damaged)?;
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(damaged)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![certificate], key)
        .map_err(damaged)?;
    dialling(config)
}

/// How a newcomer dials: it presents nothing, and believes any node of the cluster whose CA's
/// certificate has that hash ([`super::Ticket::ca_hash`]), whatever the name it dials.
///
/// # Errors
/// None that could be provoked.
pub fn joining_config(ca_hash: [u8; 32], cluster: ClusterId) -> Result<quinn::ClientConfig, Error> {
    let name = ServerName::try_from(cluster.any_node()).map_err(damaged)?;
    let verifier = Pinned { ca_hash, name, provider: provider() };
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(damaged)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    dialling(config)
}

fn dialling(mut config: rustls::ClientConfig) -> Result<quinn::ClientConfig, Error> {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    // A server has one certificate, and need not be told, in the clear, which one is wanted.
    config.enable_sni = false;
    let crypto = QuicClientConfig::try_from(config).map_err(damaged)?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport());
    Ok(config)
}

/// Never the default of the process: there might be another one.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn roots(ca: &CertificateDer<'static>) -> Result<Arc<RootCertStore>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).map_err(damaged)?;
    Ok(Arc::new(roots))
}

fn damaged(why: impl std::fmt::Display) -> Error {
    Error::new(format!("this identity cannot be used: {why}")).help("join again with a new ticket")
}

/// Believes a server whose CA's certificate has the hash of the ticket, and which that CA calls a
/// node of the cluster.
#[derive(Debug)]
struct Pinned {
    ca_hash: [u8; 32],
    name: ServerName<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let ca = rest.iter().find(|certificate| sha256(certificate) == self.ca_hash);
        let ca = ca.ok_or(rustls::Error::from(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?
            .verify_server_cert(leaf, &[], &self.name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The certificates that the peer has presented, its own first; none if it has none. They have
/// passed: they are of the cluster's CA.
pub fn peer_certificates(connection: &quinn::Connection) -> Vec<CertificateDer<'static>> {
    let chain = connection.peer_identity().and_then(|chain| chain.downcast().ok());
    chain.map_or(Vec::new(), |chain| *chain)
}

/// The role that a peer has, if its certificates prove what it claims. Ask only about certificates
/// that have passed a handshake ([`peer_certificates`]).
pub fn role_of(
    certificates: &[CertificateDer<'_>],
    cluster: ClusterId,
    claimed: Role,
) -> Option<Role> {
    let own = certificates.first()?;
    is_role(own, claimed, cluster).then_some(claimed)
}

/// Whether a certificate is for that role in that cluster. Says nothing about who has signed it.
pub fn is_role(certificate: &CertificateDer<'_>, role: Role, cluster: ClusterId) -> bool {
    let Ok(name) = ServerName::try_from(role.name_in(cluster)) else {
        return false;
    };
    let Ok(leaf) = webpki::EndEntityCert::try_from(certificate) else {
        return false;
    };
    role.exists() && leaf.verify_is_valid_for_subject_name(&name).is_ok()
}

/// Why a connection did not come to be, if it is for who the two sides are: a line for a person,
/// for whichever side it is that asks.
pub fn explain(error: &ConnectionError) -> Option<String> {
    let (code, mine) = match error {
        ConnectionError::TransportError(error) => (u64::from(error.code), true),
        ConnectionError::ConnectionClosed(close) => (u64::from(close.error_code), false),
        _ => return None,
    };
    // QUIC reports the alert of TLS as 0x100 and its number (RFC 9001, section 4.8).
    let alert = code.checked_sub(0x100).and_then(|alert| u8::try_from(alert).ok())?;
    let why = match (AlertDescription::from(alert), mine) {
        (AlertDescription::NoApplicationProtocol, _) => {
            return Some("the other side speaks another version of the protocol".into());
        }
        (AlertDescription::UnknownCA, true) => "the other side is not of this cluster",
        (AlertDescription::UnknownCA, false) => "the other side is of another cluster",
        (AlertDescription::CertificateExpired, true) => {
            "the other side's certificate is not valid today, or this machine's clock is wrong"
        }
        (AlertDescription::CertificateExpired, false) => {
            "our certificate is not valid today, or the other side's clock is wrong"
        }
        (_, true) => "the other side cannot prove who it is",
        (_, false) => "the other side does not believe who we are",
    };
    Some(format!("{why} ({error})"))
}
