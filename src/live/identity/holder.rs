//! What one process needs to prove who it is.

use super::{ClusterId, Role, files, is_role};
use crate::error::Error;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};
use webpki::{EndEntityCert, KeyUsage};

/// The file of an identity in the directory that it is saved in.
const FILE: &str = "identity.toml";

/// The version of that file.
const FORMAT: u32 = 1;

/// A certificate with its key, and the CA that vouches for it. Plain data: it is sent to a
/// newcomer as it is. Holds a secret, which [`fmt::Debug`] does not show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Which cluster it belongs to.
    pub cluster: ClusterId,
    /// What its holder is there.
    pub role: Role,
    /// When the cluster was founded, in microseconds since 1970: where world time begins.
    pub origin: u64,
    /// When the certificate ends, in seconds since 1970.
    pub expires: u64,
    /// The CA's certificate, PEM.
    pub(super) ca: String,
    /// The holder's certificate, PEM.
    pub(super) certificate: String,
    /// The holder's private key, PEM.
    pub(super) key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { cluster, role, .. } = self;
        write!(f, "Identity({role} in {cluster})")
    }
}

/// An identity as it lies on disk: one file, so that it is replaced as a whole.
#[derive(Serialize, Deserialize)]
struct Saved {
    format: u32,
    cluster: String,
    role: String,
    origin: u64,
    expires: u64,
    ca: String,
    certificate: String,
    key: String,
}

/// The three parts that TLS wants.
pub(super) struct Parts {
    pub(super) ca: CertificateDer<'static>,
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Whether the certificate has ended.
    pub fn expired(&self, now: SystemTime) -> bool {
        super::unix(now) >= self.expires
    }

    /// As it is sent to a newcomer: postcard of the fields.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("numbers and texts have an encoding")
    }

    /// What was sent, if it is one. Says nothing about what is in it: ask
    /// [`super::Ticket::accept`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Identity> {
        match postcard::take_from_bytes(bytes) {
            Ok((identity, [])) => Some(identity),
            _ => None,
        }
    }

    /// Saves it in a directory as `identity.toml`, which only its owner can read, in place of any
    /// that is there. After a crash at any instant there is the old one or the new one.
    ///
    /// # Errors
    /// The directory cannot be created or written to.
    pub fn save(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(FILE);
        let saved = Saved {
            format: FORMAT,
            cluster: self.cluster.to_string(),
            role: self.role.to_string(),
            origin: self.origin,
            expires: self.expires,
            ca: self.ca.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        };
        let text = toml::to_string(&saved).map_err(|error| files::cannot("write", &path, error))?;
        files::create_dir(dir)?;
        files::write(&path, text.as_bytes())
    }

    /// The one that was saved in a directory, if any.
    ///
    /// # Errors
    /// Others than its owner can read the file, it cannot be read, or it is damaged.
    pub fn load(dir: &Path) -> Result<Option<Identity>, Error> {
        let path = dir.join(FILE);
        let Some(text) = files::read_secret(&path, "join again with a new ticket")? else {
            return Ok(None);
        };
        // What is wrong with the text is not shown: it might be the key.
        let identity = from_text(&text).and_then(|identity| identity.check().map(|()| identity));
        let remedy = "restore the file from a backup, or remove it and join with a new ticket";
        identity.map(Some).map_err(|why| files::cannot("use", &path, why).help(remedy))
    }

    /// The CA's certificate.
    pub(super) fn ca(&self) -> Result<CertificateDer<'static>, String> {
        CertificateDer::from_pem_slice(self.ca.as_bytes())
            .map_err(|_| "the CA's certificate is damaged".into())
    }

    /// The three parts that TLS wants.
    pub(super) fn parts(&self) -> Result<Parts, String> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())
            .map_err(|_| "the certificate is damaged")?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())
            .map_err(|_| "the private key is damaged")?;
        Ok(Parts { ca: self.ca()?, certificate, key })
    }

    /// Whether the parts belong together: the CA vouches for the certificate, it is of this role
    /// and cluster, and the key is its key. Says nothing about today: whoever is shown a
    /// certificate looks at his own clock.
    pub(super) fn check(&self) -> Result<(), String> {
        let Parts { ca, certificate, key } = self.parts()?;
        let provider = rustls::crypto::ring::default_provider();
        let anchor =
            webpki::anchor_from_trusted_cert(&ca).map_err(|_| "the CA's certificate is damaged")?;
        let leaf =
            EndEntityCert::try_from(&certificate).map_err(|_| "the certificate is damaged")?;
        let its_end = UnixTime::since_unix_epoch(Duration::from_secs(self.expires));
        leaf.verify_for_usage(
            provider.signature_verification_algorithms.all,
            &[anchor],
            &[],
            its_end,
            KeyUsage::client_auth(),
            None,
            None,
        )
        .map_err(|error| format!("the CA does not vouch for the certificate: {error}"))?;
        if !is_role(&certificate, self.role, self.cluster) {
            let (role, cluster) = (self.role, self.cluster);
            return Err(format!("the certificate is not that of {role} in the cluster {cluster}"));
        }
        let pair = rustls::sign::CertifiedKey::from_der(vec![certificate.clone()], key, &provider);
        pair.map(|_| ()).map_err(|_| "the private key is damaged, or of another certificate".into())
    }
}

/// What the file says. The error says nothing of what is in it.
pub(super) fn from_text(text: &str) -> Result<Identity, String> {
    let saved: Saved = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let lines = text.get(..at).unwrap_or_default().matches('\n').count();
        format!("the file is damaged at line {}", lines + 1)
    })?;
    if saved.format != FORMAT {
        let found = saved.format;
        return Err(format!("its format is {found}, and this netsplit reads format {FORMAT}"));
    }
    Ok(Identity {
        cluster: saved.cluster.parse().map_err(|_| "the cluster's id is damaged")?,
        role: saved.role.parse().map_err(|_| "the role is damaged")?,
        origin: saved.origin,
        expires: saved.expires,
        ca: saved.ca,
        certificate: saved.certificate,
        key: saved.key,
    })
}
