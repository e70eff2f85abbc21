//! The one who founds a cluster and says who belongs to it.

use super::ticket::MAX_ADDRESSES;
use super::{ClusterId, Identity, Role, Ticket, Token, files, random, sha256, unix};
use crate::error::{Error, Source};
use data_encoding::HEXLOWER;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CA: &str = "ca.pem";
const KEY: &str = "ca.key";
const CLUSTER: &str = "cluster.toml";
const TOKENS: &str = "tokens";

/// What to do about a CA that is of no use any more.
const ANEW: &str = "found the cluster anew";

/// The version of these files.
const FORMAT: u32 = 1;

const DAY: u64 = 86_400;

/// How long before it is made a certificate begins, because clocks differ.
const BEFORE: u64 = 7 * DAY;

/// How long a certificate is valid.
const VALID: u64 = 365 * DAY;

/// How long the CA is valid.
const CA_VALID: u64 = 3_653 * DAY;

/// The last second that a certificate can name: the end of the year 9999.
const LAST: u64 = 253_402_300_799;

/// A directory with the CA's key.
///
/// ```text
/// cluster.toml    which cluster, and since when
/// ca.pem          the CA's certificate
/// ca.key          its key; mode 0600
/// tokens/<hash>       what a token is worth, under the SHA-256 of the token, in hex
/// tokens/<hash>.used  the same, once it has been redeemed
/// ```
///
/// Any number of processes may have it open: nothing is kept in memory that changes.
pub struct Authority {
    pub(super) dir: PathBuf,
    cluster: ClusterId,
    origin: u64,
    ca: String,
    hash: [u8; 32],
    issuer: Issuer<'static, KeyPair>,
}

/// Does not show the key.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({} in '{}')", self.cluster, self.dir.display())
    }
}

/// `cluster.toml`.
#[derive(Serialize, Deserialize)]
struct About {
    format: u32,
    id: String,
    origin: u64,
}

/// What a token is worth.
#[derive(Serialize, Deserialize)]
struct Worth {
    role: String,
    expires: u64,
}

/// Why a token is worth nothing. The text is for whoever has presented it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unredeemed {
    /// There never was such a token.
    Unknown,
    /// It has been redeemed before.
    Used,
    /// It is too late.
    Expired,
    /// That cannot be found out, or not be remembered. Log the error: it is not for the peer.
    Failed(Error),
}

impl fmt::Display for Unredeemed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unredeemed::Unknown => "the cluster does not know this ticket",
            Unredeemed::Used => "the ticket has been used already; ask for a new one",
            Unredeemed::Expired => "the ticket has expired; ask for a new one",
            Unredeemed::Failed(_) => "the ticket cannot be checked now; the node's log says why",
        })
    }
}

impl std::error::Error for Unredeemed {}

impl Authority {
    /// Founds a cluster: makes its id and CA, in a directory of their own, which is created with
    /// what it lies in. Of two processes that do so at the same time, one succeeds.
    ///
    /// # Errors
    /// There is an authority or anything else in that directory, or it cannot be written.
    pub fn found(dir: &Path, now: SystemTime) -> Result<Authority, Error> {
        let refuse = |why: &dyn fmt::Display| files::cannot("found a cluster in", dir, why);
        let parent = files::parent(dir);
        files::create_dir(parent)?;
        let cluster = ClusterId::random()?;
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let origin = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        let key = KeyPair::generate().map_err(|error| refuse(&error))?;
        let ca = ca_params(cluster, unix(now)).self_signed(&key).map_err(|error| refuse(&error))?;
        let about = About { format: FORMAT, id: cluster.to_string(), origin };
        let about = toml::to_string(&about).map_err(|error| refuse(&error))?;

        // All of it is made aside and then appears at once, so that no half of one is ever found
        // and no two are ever mixed: a directory replaces only an empty one.
        let made = files::private_dir(parent).map_err(|error| refuse(&error))?;
        files::create_dir(&made.path().join(TOKENS))?;
        files::write(&made.path().join(CA), ca.pem().as_bytes())?;
        files::write(&made.path().join(KEY), key.serialize_pem().as_bytes())?;
        files::write(&made.path().join(CLUSTER), about.as_bytes())?;
        let there = "there is one already";
        match fs::rename(made.path(), dir) {
            Ok(()) => {}
            Err(_) if Authority::exists(dir) => return Err(refuse(&there)),
            Err(error) => return Err(refuse(&error)),
        }
        let _ = made.keep();
        files::sync_dir(parent).map_err(|error| refuse(&error))?;
        Authority::open(dir)
    }

    /// Whether there is one in that directory.
    pub fn exists(dir: &Path) -> bool {
        dir.join(CLUSTER).exists()
    }

    /// Opens the one in that directory.
    ///
    /// # Errors
    /// There is none, others can read its key, or a file is missing or damaged.
    pub fn open(dir: &Path) -> Result<Authority, Error> {
        let path = dir.join(CLUSTER);
        let Some(text) = files::read(&path)? else {
            let what = format!("there is no cluster's authority in '{}'", dir.display());
            return Err(Error::new(what));
        };
        let about: About = parse(&path, &text)?;
        let damaged = |name: &str, why: &dyn fmt::Display| {
            let remedy = format!("restore the file from a backup, or {ANEW}");
            files::cannot("use", &dir.join(name), why).help(remedy)
        };
        if about.format != FORMAT {
            let why =
                format!("its format is {}, and this netsplit reads format {FORMAT}", about.format);
            return Err(files::cannot("use", &path, why));
        }
        let cluster: ClusterId = about.id.parse().map_err(|error| damaged(CLUSTER, &error))?;
        let missing = |name: &str| damaged(name, &"it is missing");
        let ca = files::read(&dir.join(CA))?.ok_or_else(|| missing(CA))?;
        let key = files::read_secret(&dir.join(KEY), ANEW)?.ok_or_else(|| missing(KEY))?;
        let der = CertificateDer::from_pem_slice(ca.as_bytes())
            .map_err(|_| damaged(CA, &"it is no certificate"))?;
        let key = KeyPair::from_pem(&key).map_err(|_| damaged(KEY, &"it is no private key"))?;
        let anchor = webpki::anchor_from_trusted_cert(&der)
            .map_err(|_| damaged(CA, &"it is no certificate"))?;
        let id = cluster.to_string();
        if !anchor.subject.windows(id.len()).any(|part| part == id.as_bytes()) {
            return Err(damaged(CA, &format!("it is not that of the cluster {cluster}")));
        }
        if !key.subject_public_key_info().ends_with(&anchor.subject_public_key_info) {
            return Err(damaged(KEY, &format!("it is not the key of {CA}")));
        }
        let issuer = Issuer::new(ca_params(cluster, about.origin / 1_000_000), key);
        let hash = sha256(&der);
        Ok(Authority { dir: dir.into(), cluster, origin: about.origin, ca, hash, issuer })
    }

    /// Which cluster it is the authority of.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// When the cluster was founded, in microseconds since 1970.
    pub fn origin(&self) -> u64 {
        self.origin
    }

    /// The SHA-256 of the CA's certificate.
    pub fn ca_hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Makes a key and a certificate for it.
    ///
    /// # Errors
    /// There can be no such process, or the CA has expired.
    pub fn issue(&self, role: Role, now: SystemTime) -> Result<Identity, Error> {
        let refuse = |why: &dyn fmt::Display| {
            Error::new(format!("cannot make a certificate for {role}: {why}"))
        };
        check(role)?;
        let mut names = vec![role.name_in(self.cluster)];
        let mut usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if let Role::Node(_) = role {
            names.push(self.cluster.any_node());
            usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let ca_end = (self.origin / 1_000_000).saturating_add(CA_VALID);
        let expires = unix(now).saturating_add(VALID).min(ca_end).min(LAST);
        if expires <= unix(now) {
            return Err(refuse(&"its CA has expired").help(ANEW));
        }
        let mut params = CertificateParams::new(names).map_err(|error| refuse(&error))?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, role.name_in(self.cluster));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages;
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, unix(now).saturating_sub(BEFORE), expires);
        let key = KeyPair::generate().map_err(|error| refuse(&error))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|error| refuse(&error))?;
        Ok(Identity {
            cluster: self.cluster,
            role,
            origin: self.origin,
            expires,
            ca: self.ca.clone(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Makes a ticket for a newcomer, who will find members at these addresses. It can be used once
    /// within the time `ttl`.
    ///
    /// # Errors
    /// There can be no such process, there are no addresses or too many, or the token cannot be
    /// kept.
    pub fn invite(
        &self,
        role: Role,
        addresses: Vec<SocketAddr>,
        ttl: Duration,
        now: SystemTime,
    ) -> Result<Ticket, Error> {
        check(role)?;
        if !(1..=MAX_ADDRESSES).contains(&addresses.len()) {
            let what = format!("a ticket has 1 to {MAX_ADDRESSES} addresses");
            return Err(Error::new(format!("{what}, not {}", addresses.len())));
        }
        let expires = unix(now).saturating_add(ttl.as_secs()).min(LAST);
        let token = Token(random()?);
        let worth = Worth { role: role.to_string(), expires };
        let path = self.place(token);
        let text = toml::to_string(&worth).map_err(|error| files::cannot("write", &path, error))?;
        files::create_dir(&self.dir.join(TOKENS))?;
        files::write(&path, text.as_bytes())?;
        let (cluster, ca_hash) = (self.cluster, self.hash);
        Ok(Ticket { cluster, addresses, ca_hash, token, expires, role })
    }

    /// Takes a token and says what its holder may become. However many processes are asked at the
    /// same time, one token is taken once. What follows may fail, and the token is gone then: a new
    /// ticket costs less than a second newcomer.
    ///
    /// # Errors
    /// It is worth nothing.
    pub fn redeem(&self, token: Token, now: SystemTime) -> Result<Role, Unredeemed> {
        let path = self.place(token);
        let used = path.with_extension("used");
        let gone = || match used.exists() {
            true => Unredeemed::Used,
            false => Unredeemed::Unknown,
        };
        let text = files::read(&path).map_err(Unredeemed::Failed)?.ok_or_else(gone)?;
        let worth: Worth = parse(&path, &text).map_err(Unredeemed::Failed)?;
        let role = worth.role.parse();
        let role = role.map_err(|why| Unredeemed::Failed(files::cannot("use", &path, why)))?;
        if unix(now) >= worth.expires {
            return Err(Unredeemed::Expired);
        }
        // Whoever renames it has it; for all others it is not there any more.
        let taken = fs::rename(&path, &used).and_then(|()| files::sync_dir(&self.dir.join(TOKENS)));
        match taken {
            Ok(()) => Ok(role),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(gone()),
            Err(error) => Err(Unredeemed::Failed(files::cannot("rename", &path, error))),
        }
    }

    /// Where a token is filed. Its hash tells nobody who reads the directory what it is.
    fn place(&self, token: Token) -> PathBuf {
        self.dir.join(TOKENS).join(HEXLOWER.encode(&sha256(&token.0)))
    }
}

fn check(role: Role) -> Result<(), Error> {
    match role.exists() {
        true => Ok(()),
        false => Err(Error::new(format!("there can be no process '{role}'"))),
    }
}

/// Reads a small file without secrets.
fn parse<T: for<'a> Deserialize<'a>>(path: &Path, text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|error| {
        let source = Source::new(path.display().to_string(), text);
        let damaged = files::cannot("use", path, "it is damaged");
        damaged.at(&source, error.span().unwrap_or(0..0), error.message())
    })
}

fn ca_params(cluster: ClusterId, now: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("netsplit cluster {cluster}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    set_validity(&mut params, now.saturating_sub(BEFORE), now.saturating_add(CA_VALID));
    params
}

/// From when to when, in seconds since 1970, within what a certificate can name.
fn set_validity(params: &mut CertificateParams, begin: u64, end: u64) {
    let date = |unix: u64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(unix.min(LAST));
    params.not_before = date(begin);
    params.not_after = date(end);
}
