use super::*;
use proptest::prelude::*;
use quinn::{Connection, ConnectionError, Endpoint};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const N1: Role = Role::Node(NodeId::node(1));
const N2: Role = Role::Node(NodeId::node(2));
const HOUR: Duration = Duration::from_secs(3_600);

/// An authority of its own in a directory of its own.
fn authority() -> (TempDir, Authority) {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::found(&dir.path().join("authority"), now()).unwrap();
    (dir, authority)
}

/// TLS looks at the real clock.
fn now() -> SystemTime {
    SystemTime::now()
}

fn at(unix: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(unix)
}

fn home() -> Vec<SocketAddr> {
    vec!["127.0.0.1:7000".parse().unwrap()]
}

// ---- handshakes -------------------------------------------------------------------------------

/// What became of a connection: for each side a connection, or why there is none.
struct Meeting {
    client: Result<Connection, ConnectionError>,
    server: Result<Connection, ConnectionError>,
    ends: (Endpoint, Endpoint),
}

/// Lets a client dial a server. As in life, the client sends something first, because it learns
/// only then whether the server believes it.
async fn meet(server: &Identity, client: quinn::ClientConfig, name: &str) -> Meeting {
    let config = server_config(server).unwrap();
    meet_with(config, client, name).await
}

async fn meet_with(
    server: quinn::ServerConfig,
    client: quinn::ClientConfig,
    name: &str,
) -> Meeting {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let listening = Endpoint::server(server, any).unwrap();
    let dialling = Endpoint::client(any).unwrap();
    let to = listening.local_addr().unwrap();
    let accept = async {
        let connection = listening.accept().await.expect("the endpoint is open").await?;
        let (mut send, mut hello) = connection.accept_bi().await?;
        assert_eq!(hello.read_to_end(9).await.unwrap(), b"hello");
        send.write_all(b"welcome").await.unwrap();
        send.finish().unwrap();
        Ok(connection)
    };
    let dial = async {
        let connection = dialling.connect_with(client, to, name).unwrap().await?;
        let (mut send, mut welcome) = connection.open_bi().await?;
        let _ = send.write_all(b"hello").await;
        let _ = send.finish();
        match welcome.read_to_end(9).await {
            Ok(answer) if answer == b"welcome" => Ok(connection),
            _ => Err(connection.closed().await),
        }
    };
    let both = async { tokio::join!(accept, dial) };
    let (server, client) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    Meeting { client, server, ends: (listening, dialling) }
}

impl Meeting {
    /// Both errors, as their sides would show them: the client's and the server's.
    fn refused(self) -> (String, String) {
        let show = |result: Result<Connection, ConnectionError>| {
            let error = result.expect_err("this must not succeed");
            explain(&error).unwrap_or_else(|| panic!("not explained: {error}"))
        };
        drop(self.ends);
        (show(self.client), show(self.server))
    }
}

#[tokio::test]
async fn members_of_one_cluster_meet_and_know_who_they_are() {
    let (_dir, authority) = authority();
    let cluster = authority.cluster();
    let n1 = authority.issue(N1, now()).unwrap();
    for role in [N2, Role::Node(NodeId::client(7)), Role::Operator, Role::Observer] {
        for name in [cluster.node(NodeId::node(1)), cluster.any_node()] {
            let other = client_config(&authority.issue(role, now()).unwrap()).unwrap();
            let meeting = meet(&n1, other, &name).await;
            let seen = peer_certificates(meeting.server.as_ref().unwrap());
            assert_eq!(role_of(&seen, cluster, role), Some(role));
            for wrong in [N1, Role::Operator, Role::Observer].iter().filter(|r| **r != role) {
                assert_eq!(role_of(&seen, cluster, *wrong), None, "{role} is not {wrong}");
            }
            let seen = peer_certificates(meeting.client.as_ref().unwrap());
            assert_eq!(role_of(&seen, cluster, N1), Some(N1));
            assert_eq!(role_of(&seen, cluster, N2), None);
        }
    }
}

#[tokio::test]
async fn a_server_is_who_was_dialled() {
    let (_dir, authority) = authority();
    let n1 = authority.issue(N1, now()).unwrap();
    let n2 = client_config(&authority.issue(N2, now()).unwrap()).unwrap();
    let name = authority.cluster().node(NodeId::node(3));
    let (client, server) = meet(&n1, n2, &name).await.refused();
    assert!(client.contains("cannot prove who it is"), "{client}");
    assert!(server.contains("does not believe who we are"), "{server}");
}

#[tokio::test]
async fn a_console_cannot_pose_as_a_server() {
    let (_dir, authority) = authority();
    let operator = authority.issue(Role::Operator, now()).unwrap();
    let error = server_config(&operator).unwrap_err();
    assert_eq!(error.what(), "operator cannot listen: only nodes can");

    // Nor if it does not play by the rules: its certificate has neither the name nor the usage.
    let forged = Identity { role: N1, ..operator };
    let n2 = authority.issue(N2, now()).unwrap();
    for config in [
        client_config(&n2).unwrap(),
        joining_config(authority.ca_hash(), authority.cluster()).unwrap(),
    ] {
        for name in [authority.cluster().any_node(), Role::Operator.name_in(authority.cluster())] {
            let (client, _) = meet(&forged, config.clone(), &name).await.refused();
            assert!(client.contains("cannot prove who it is"), "{client}");
        }
    }
}

#[tokio::test]
async fn members_of_two_clusters_do_not_meet_and_are_told_why() {
    let (_dir, here) = authority();
    let (_dir, there) = authority();
    let n1 = here.issue(N1, now()).unwrap();
    let stranger = there.issue(N1, now()).unwrap();

    // The client looks first: it sees a CA that it does not know, not a bad signature of one that
    // it takes for its own.
    let name = there.cluster().any_node();
    let (client, server) = meet(&n1, client_config(&stranger).unwrap(), &name).await.refused();
    assert!(client.contains("the other side is not of this cluster"), "{client}");
    assert!(server.contains("the other side is of another cluster"), "{server}");

    // A client that looks away is refused by the server, for the same reason.
    let config = rogue(&stranger, ALPN);
    let (client, server) = meet(&n1, config, &name).await.refused();
    assert!(server.contains("the other side is not of this cluster"), "{server}");
    assert!(client.contains("the other side is of another cluster"), "{client}");
}

/// A client that believes any server.
fn rogue(identity: &Identity, alpn: &[u8]) -> quinn::ClientConfig {
    #[derive(Debug)]
    struct Gullible;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error as Tls, SignatureScheme};
    impl rustls::client::danger::ServerCertVerifier for Gullible {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Tls> {
            Ok(ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Tls> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Tls> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ECDSA_NISTP256_SHA256]
        }
    }
    let parts = identity.parts().unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(std::sync::Arc::new(Gullible))
        .with_client_auth_cert(vec![parts.certificate], parts.key)
        .unwrap();
    config.alpn_protocols = vec![alpn.to_vec()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).unwrap();
    quinn::ClientConfig::new(std::sync::Arc::new(crypto))
}

#[tokio::test]
async fn another_version_of_the_protocol_is_called_that() {
    let (_dir, authority) = authority();
    let n1 = authority.issue(N1, now()).unwrap();
    let name = authority.cluster().any_node();
    let (client, server) = meet(&n1, rogue(&n1, b"netsplit/2"), &name).await.refused();
    assert_eq!(client, "the other side speaks another version of the protocol");
    assert_eq!(server, client);
}

#[tokio::test]
async fn a_newcomer_finds_the_cluster_of_its_ticket_only_and_has_no_role() {
    let (_dir, here) = authority();
    let (_dir, there) = authority();
    let n1 = here.issue(N1, now()).unwrap();
    let join = |ca: &Authority, cluster: &Authority| {
        joining_config(ca.ca_hash(), cluster.cluster()).unwrap()
    };
    let meeting = meet(&n1, join(&here, &here), &here.cluster().any_node()).await;
    let seen = peer_certificates(meeting.server.as_ref().unwrap());
    assert_eq!(seen, []);
    for role in [N1, N2, Role::Operator, Role::Observer] {
        assert_eq!(role_of(&seen, here.cluster(), role), None);
    }
    for (ca, cluster) in [(&there, &there), (&there, &here), (&here, &there)] {
        let name = cluster.cluster().any_node();
        let (client, server) = meet(&n1, join(ca, cluster), &name).await.refused();
        let cannot = "the other side is not of this cluster";
        let expected =
            if ca.cluster() == here.cluster() { "cannot prove who it is" } else { cannot };
        assert!(client.contains(expected), "{client}");
        assert!(!server.is_empty());
    }
}

#[tokio::test]
async fn a_server_that_shows_the_right_ca_but_is_not_of_it_is_not_believed() {
    let (_dir, here) = authority();
    let (_dir, there) = authority();
    // Anybody can get hold of a CA's certificate; it is no secret.
    let mut liar = there.issue(N1, now()).unwrap();
    liar.ca = here.issue(N1, now()).unwrap().ca;
    let config = joining_config(here.ca_hash(), here.cluster()).unwrap();
    let (client, _) = meet(&liar, config, &here.cluster().any_node()).await.refused();
    assert!(client.contains("the other side is not of this cluster"), "{client}");
}

#[tokio::test]
async fn what_has_expired_or_not_begun_is_refused() {
    let (_dir, authority) = authority();
    let name = authority.cluster().any_node();
    let day = 24 * HOUR;
    let n1 = authority.issue(N1, now()).unwrap();
    for (made, fine) in [
        (now() - 364 * day, true),
        (now() - 366 * day, false),
        (now() + 6 * day, true),
        (now() + 8 * day, false),
    ] {
        let n2 = authority.issue(N2, made).unwrap();
        assert_eq!(n2.expired(now()), made < now() - 365 * day);
        let meeting = meet(&n1, client_config(&n2).unwrap(), &name).await;
        if fine {
            assert!(meeting.client.is_ok() && meeting.server.is_ok());
        } else {
            let (client, server) = meeting.refused();
            assert!(server.contains("the other side's certificate is not valid today"), "{server}");
            assert!(client.contains("our certificate is not valid today"), "{client}");
        }
    }
}

#[tokio::test]
async fn a_stranger_can_make_us_keep_little_and_a_member_more() {
    let (_dir, authority) = authority();
    let n1 = authority.issue(N1, now()).unwrap();
    let n2 = authority.issue(N2, now()).unwrap();
    let name = authority.cluster().any_node();
    let meeting = meet(&n1, client_config(&n2).unwrap(), &name).await;
    let (client, server) = (meeting.client.unwrap(), meeting.server.unwrap());
    let soon = Duration::from_millis(100);
    let stream = tokio::time::timeout(soon, client.open_uni()).await;
    assert!(stream.is_err(), "no stream for strangers");
    let (mut send, _recv) = client.open_bi().await.unwrap();
    let mut sent = 0;
    // Sends until nothing can be sent any more, but expects so much however slow the machine is.
    let mut fill = async |expected: usize| {
        loop {
            let patience = if sent < expected { Duration::from_secs(20) } else { soon };
            match tokio::time::timeout(patience, send.write(&[0; 1 << 10])).await {
                Ok(written) => sent += written.unwrap(),
                Err(_) => return sent,
            }
        }
    };
    // The greeting took a little of it.
    let before = fill(63 << 10).await;
    assert!((63 << 10..=64 << 10).contains(&before), "{before} bytes that nobody reads");
    admit(&server);
    assert_eq!(fill(1 << 20).await, 1 << 20, "what nobody reads of one stream");
    for _ in 0..crate::base::ServiceId::ALL.len() {
        let stream = tokio::time::timeout(Duration::from_secs(20), client.open_uni()).await;
        stream.unwrap().unwrap().write_all(b"x").await.unwrap();
    }
    assert!(tokio::time::timeout(soon, client.open_uni()).await.is_err());
}

// ---- tickets and tokens -----------------------------------------------------------------------

fn some_ticket() -> Ticket {
    Ticket {
        cluster: ClusterId([7; 16]),
        addresses: vec!["10.0.0.1:7000".parse().unwrap(), "[2001:db8::1]:7001".parse().unwrap()],
        ca_hash: [9; 32],
        token: Token([3; 16]),
        expires: 1_800_000_000,
        role: Role::Observer,
    }
}

fn any_ticket() -> impl Strategy<Value = Ticket> {
    let role = prop_oneof![
        Just(Role::Operator),
        Just(Role::Observer),
        (1..=NodeId::MAX).prop_map(|n| Role::Node(NodeId::node(n))),
        (1..=NodeId::MAX).prop_map(|n| Role::Node(NodeId::client(n))),
    ];
    let addresses = prop::collection::vec(any::<SocketAddr>(), 1..=32);
    let bytes = (any::<[u8; 16]>(), any::<[u8; 32]>(), any::<[u8; 16]>(), any::<u64>());
    (role, addresses, bytes).prop_map(|(role, addresses, (cluster, ca_hash, token, expires))| {
        // Flow labels and zones are of one machine only and do not travel.
        let plain = |a: SocketAddr| SocketAddr::new(a.ip(), a.port());
        let addresses = addresses.into_iter().map(plain).collect();
        let (cluster, token) = (ClusterId(cluster), Token(token));
        Ticket { cluster, addresses, ca_hash, token, expires, role }
    })
}

#[test]
fn the_text_of_a_ticket_stays_readable_for_later_versions() {
    let text = "nsp1a4dqobyha4dqobyha4dqobyha4baacqaaaa5qnqbeaaq3oaaaaaaaaaaaaaaaaaaahmtmcijbeeqscijbe\
                eqscijbeeqscijbeeqscijbeeqscijbeeqscijambqgaydambqgaydambqgaydaoakjj62aybny4l5hm";
    assert_eq!(some_ticket().to_string(), text);
    assert_eq!(text.parse(), Ok(some_ticket()));
    let (left, right) = text.split_at(40);
    assert_eq!(format!(" {left}\n  {right}\n").parse(), Ok(some_ticket()));
}

proptest! {
    #[test]
    fn a_ticket_is_read_as_it_was_written(ticket in any_ticket()) {
        prop_assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }

    #[test]
    fn no_text_makes_reading_a_ticket_panic(
        text in "(?s:.{0,40})|nsp1[a-z2-7]{0,200}|nsp[0-9a-z]{0,9}|\\PC{0,99}"
    ) {
        prop_assert!(text.parse::<Ticket>().is_err());
    }

    #[test]
    fn no_bytes_with_a_right_checksum_make_reading_a_ticket_panic(
        payload in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        let _ = sealed(&payload).parse::<Ticket>();
    }

    #[test]
    fn no_single_typo_goes_unnoticed(
        ticket in any_ticket(), place in any::<prop::sample::Index>(), c in "[a-z2-7A-Z01 ~é]"
    ) {
        let text = ticket.to_string();
        let place = place.index(text.len());
        prop_assume!(text[place..=place] != c);
        let wrong = format!("{}{c}{}", &text[..place], &text[place + 1..]);
        prop_assert!(wrong.parse::<Ticket>().is_err());
        let missing = format!("{}{}", &text[..place], &text[place + 1..]);
        prop_assert!(missing.parse::<Ticket>().is_err());
    }
}

/// The text of a ticket with that content.
fn sealed(payload: &[u8]) -> String {
    let hash = sha256(&[b"nsp1", payload].concat());
    format!("nsp1{}", to_base32(&[payload, &hash[..4]].concat()))
}

#[test]
fn a_bad_ticket_is_refused_with_the_reason_and_without_the_secret() {
    let good = some_ticket().to_string();
    let encode = |ticket: &Ticket| sealed(&postcard::to_stdvec(ticket).unwrap());
    assert_eq!(encode(&some_ticket()), good);
    let nobody = Ticket { role: Role::Node(NodeId::BENCH), ..some_ticket() };
    let nowhere = Ticket { addresses: Vec::new(), ..some_ticket() };
    let everywhere = Ticket { addresses: vec![home()[0]; 33], ..some_ticket() };
    let longer = [postcard::to_stdvec(&some_ticket()).unwrap(), vec![0]].concat();
    let version = "another version of netsplit made it";
    for (text, why) in [
        ("", "tickets begin with nsp1"),
        ("10.0.0.1:7000", "tickets begin with nsp1"),
        (&good.replacen("nsp1", "nsp2", 1), "it is of another version of netsplit"),
        (&good[..good.len() - 8], "has a typo, or a part of it is missing"),
        (&good.to_uppercase().replacen("NSP1", "nsp1", 1), "has a typo"),
        ("nsp1", "has a typo"),
        (&"nsp1".repeat(999), "it is too long"),
        (&encode(&nobody), version),
        (&encode(&nowhere), version),
        (&encode(&everywhere), version),
        (&sealed(&longer), version),
    ] {
        let error = text.parse::<Ticket>().unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
        assert!(!error.contains(&good[20..40]));
    }
}

#[test]
fn a_ticket_lets_in_once() {
    let (_dir, authority) = authority();
    let ticket = authority.invite(Role::Operator, home(), HOUR, at(1_000)).unwrap();
    assert_eq!((ticket.expires, ticket.expired(at(4_599))), (4_600, false));
    assert!(ticket.expired(at(4_600)));
    assert_eq!(authority.redeem(ticket.token, at(4_599)), Ok(Role::Operator));
    for later in [4_599, 9_999] {
        assert_eq!(authority.redeem(ticket.token, at(later)), Err(Unredeemed::Used));
    }
    let stranger = Token([1; 16]);
    assert_eq!(authority.redeem(stranger, at(1_000)), Err(Unredeemed::Unknown));
    let late = authority.invite(N2, home(), HOUR, at(1_000)).unwrap();
    assert_eq!(authority.redeem(late.token, at(4_600)), Err(Unredeemed::Expired));
    // A clock that is set back makes it good again: it was never used.
    assert_eq!(authority.redeem(late.token, at(4_000)), Ok(N2));
}

#[test]
fn of_many_who_redeem_one_token_at_once_one_wins() {
    let (_dir, first) = authority();
    for _ in 0..20 {
        let ticket = first.invite(N2, home(), HOUR, now()).unwrap();
        let barrier = std::sync::Barrier::new(4);
        let results: Vec<_> = std::thread::scope(|scope| {
            let redeem = || {
                // Each opens the directory for itself, as processes do.
                let own = Authority::open(&first.dir).unwrap();
                barrier.wait();
                own.redeem(ticket.token, now())
            };
            let all: Vec<_> = (0..4).map(|_| scope.spawn(redeem)).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let won = results.iter().filter(|result| **result == Ok(N2)).count();
        let used = results.iter().filter(|result| **result == Err(Unredeemed::Used)).count();
        assert_eq!((won, used), (1, 3), "{results:?}");
    }
}

#[test]
fn a_token_that_cannot_be_marked_as_used_is_not_taken() {
    let (_dir, authority) = authority();
    let ticket = authority.invite(N2, home(), HOUR, now()).unwrap();
    // In the way of the mark: a directory, which no file can replace (not even root's).
    let used = only_token(&authority).with_extension("used");
    fs::create_dir(&used).unwrap();
    let refused = authority.redeem(ticket.token, now()).unwrap_err();
    assert!(matches!(&refused, Unredeemed::Failed(why) if why.what().contains("tokens")));
    assert!(!refused.to_string().contains("tokens"), "paths are not for peers");
    fs::remove_dir(&used).unwrap();
    assert_eq!(authority.redeem(ticket.token, now()), Ok(N2));
}

fn only_token(authority: &Authority) -> std::path::PathBuf {
    let mut tokens = fs::read_dir(authority.dir.join("tokens")).unwrap();
    let path = tokens.next().unwrap().unwrap().path();
    assert!(tokens.next().is_none());
    path
}

#[test]
fn tokens_are_not_kept_where_they_can_be_read() {
    let (_dir, authority) = authority();
    let ticket = authority.invite(N2, home(), HOUR, now()).unwrap();
    let path = only_token(&authority);
    let all = format!("{} {}", path.display(), fs::read_to_string(&path).unwrap());
    let token = ticket.token.0;
    assert!(!all.contains(&data_encoding::HEXLOWER.encode(&token)));
    assert!(!all.contains(&to_base32(&token)));
    fs::write(&path, "role = \"n2\"\n").unwrap();
    let refused = authority.redeem(ticket.token, now()).unwrap_err();
    let Unredeemed::Failed(why) = refused else { panic!("{refused}") };
    assert!(why.to_string().contains(&path.display().to_string()), "{why}");
    assert!(why.to_string().contains("missing field `expires`"), "{why}");
}

#[test]
fn impossible_invitations_are_refused() {
    let (_dir, authority) = authority();
    for role in [Role::Node(NodeId::BENCH), Role::Node(NodeId::node(20_000))] {
        assert!(authority.issue(role, now()).is_err());
        assert!(authority.invite(role, home(), HOUR, now()).is_err());
    }
    assert!(authority.invite(N1, Vec::new(), HOUR, now()).is_err());
    assert!(authority.invite(N1, vec![home()[0]; 33], HOUR, now()).is_err());
    assert!(authority.invite(N1, home(), Duration::MAX, now()).is_ok());
}

#[test]
fn a_newcomer_keeps_only_what_the_ticket_promised() {
    let (_dir, here) = authority();
    let (_dir, there) = authority();
    let ticket = here.invite(N2, home(), HOUR, now()).unwrap();
    let promised = here.issue(N2, now()).unwrap();
    assert_eq!(ticket.accept(promised.clone()), Ok(promised.clone()));
    let other = here.issue(N1, now()).unwrap();
    let posing = Identity { role: N2, ..other.clone() };
    let foreign = there.issue(N2, now()).unwrap();
    let half = Identity { ca: promised.ca.clone(), cluster: promised.cluster, ..foreign.clone() };
    let mixed = Identity { key: other.key.clone(), ..promised.clone() };
    let longer = Identity { expires: promised.expires + 1, ..promised.clone() };
    let endless = Identity { expires: u64::MAX, ..promised.clone() };
    let unborn = Identity { expires: 0, ..promised.clone() };
    let nobody = Identity { role: Role::Node(NodeId::BENCH), ..promised.clone() };
    let empty = Identity { ca: String::new(), ..promised };
    for (wrong, why) in [
        (other, "it is for n1, and the ticket is for n2"),
        (posing, "the certificate is not that of n2"),
        (foreign, "it is of another cluster"),
        (half, "the CA does not vouch for the certificate"),
        (mixed, "the private key is damaged, or of another certificate"),
        (longer, "the CA does not vouch for the certificate"),
        (endless, "the CA does not vouch for the certificate"),
        (unborn, "the CA does not vouch for the certificate"),
        (nobody, "it is for -, and the ticket is for n2"),
        (empty, "the CA's certificate is damaged"),
    ] {
        let error = ticket.accept(wrong).unwrap_err();
        assert!(error.what().contains(why), "{error}");
    }
}

// ---- files ------------------------------------------------------------------------------------

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_identity_is_loaded_as_it_was_saved() {
    let (dir, authority) = authority();
    let home = dir.path().join("deep").join("n1");
    assert_eq!(Identity::load(&home), Ok(None));
    let first = authority.issue(N1, now()).unwrap();
    first.save(&home).unwrap();
    assert_eq!(Identity::load(&home), Ok(Some(first.clone())));
    let second = authority.issue(N1, now()).unwrap();
    assert_ne!(first, second);
    second.save(&home).unwrap();
    assert_eq!(Identity::load(&home), Ok(Some(second.clone())));
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "nothing is left lying about");
    assert_eq!(Identity::from_bytes(&second.to_bytes()), Some(second.clone()));
    let bytes = second.to_bytes();
    assert_eq!(Identity::from_bytes(&bytes[..bytes.len() - 1]), None);
    assert_eq!(Identity::from_bytes(&[bytes, vec![0]].concat()), None);
}

#[test]
fn the_bytes_of_an_identity_stay_readable_for_later_versions() {
    let text = String::from;
    let identity = Identity {
        cluster: ClusterId([7; 16]),
        role: Role::Node(NodeId::client(2)),
        origin: 300,
        expires: 5,
        ca: text("A"),
        certificate: text("B"),
        key: text("C"),
    };
    // The id; the role's kind and its process; the two times; three texts with their lengths.
    let parts: [&[u8]; 4] = [&[7; 16], &[0, 0x82, 0x80, 2], &[0xac, 2, 5], b"\x01A\x01B\x01C"];
    assert_eq!(identity.to_bytes(), parts.concat());
    assert_eq!(Identity::from_bytes(&parts.concat()), Some(identity));
}

proptest! {
    #[test]
    fn no_bytes_make_reading_an_identity_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..99), pem in "(?s:.{0,60})",
        text in "(format = 1\n)?(?s:.{0,60})"
    ) {
        if let Some(identity) = Identity::from_bytes(&bytes) {
            prop_assert!(identity.check().is_err());
        }
        let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
        let (cluster, role) = (ClusterId([0; 16]), N1);
        let (ca, certificate, key) = (pem.clone(), pem.clone(), pem);
        let identity = Identity { cluster, role, origin: 0, expires: 0, ca, certificate, key };
        prop_assert!(identity.check().is_err());
        prop_assert!(server_config(&identity).is_err() && client_config(&identity).is_err());
        prop_assert!(holder::from_text(&text).is_err());
    }
}

#[cfg(unix)]
#[test]
fn keys_are_their_owners_alone() {
    let (dir, authority) = authority();
    assert_eq!(mode(&authority.dir) & 0o077, 0);
    let ca_key = authority.dir.join("ca.key");
    let home = dir.path().join("n1");
    authority.issue(N1, now()).unwrap().save(&home).unwrap();
    let key = home.join("identity.toml");
    for (path, refused) in [
        (&ca_key, &(|| Authority::open(&authority.dir).err()) as &dyn Fn() -> Option<Error>),
        (&key, &|| Identity::load(&home).err()),
    ] {
        assert_eq!(mode(path), 0o600);
        assert_eq!(refused(), None);
        for shared in [0o640, 0o604, 0o622] {
            set_mode(path, shared);
            let error = refused().unwrap().to_string();
            let remedy = format!("chmod 600 '{}'", path.display());
            assert!(error.contains(&remedy), "{error}");
            assert!(error.contains(&format!("mode {shared:04o}")), "{error}");
        }
        set_mode(path, 0o400);
        assert_eq!(refused(), None, "stricter is fine");
    }
}

#[test]
fn a_cluster_is_founded_once() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("a").join("b");
    assert!(!Authority::exists(&home));
    let missing = Authority::open(&home).unwrap_err();
    assert!(missing.what().contains("there is no cluster's authority in"), "{missing}");
    let founded: Vec<_> = std::thread::scope(|scope| {
        let found = || Authority::found(&home, at(5)).map(|authority| authority.cluster());
        let all: Vec<_> = (0..4).map(|_| scope.spawn(found)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winners: Vec<_> = founded.iter().flatten().collect();
    assert_eq!(winners.len(), 1, "{founded:?}");
    let opened = Authority::open(&home).unwrap();
    assert_eq!((opened.cluster(), opened.origin()), (*winners[0], 5_000_000));
    let losers = founded.iter().filter_map(|result| result.as_ref().err());
    for error in losers {
        assert!(error.what().contains("there is one already"), "{error}");
    }
    assert_eq!(fs::read_dir(home.parent().unwrap()).unwrap().count(), 1, "nothing lies about");
}

#[test]
fn a_cluster_is_founded_in_an_empty_directory_but_not_among_other_things() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("notes"), "mine").unwrap();
    let error = Authority::found(&home, now()).unwrap_err();
    assert!(error.what().starts_with("cannot found a cluster in '"), "{error}");
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "nothing was added");
    fs::remove_file(home.join("notes")).unwrap();
    Authority::found(&home, now()).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing lies about");
    // A file where a directory should be.
    let error = Authority::found(&home.join("ca.pem").join("x"), now()).unwrap_err();
    assert!(error.what().starts_with("cannot create '"), "{error}");
    let identity = Authority::open(&home).unwrap().issue(N1, now()).unwrap();
    let error = identity.save(&home.join("ca.pem")).unwrap_err();
    assert!(error.what().starts_with("cannot create '"), "{error}");
}

#[test]
fn what_is_damaged_is_named() {
    let (dir, here) = authority();
    let (_dir, there) = authority();
    let read =
        |authority: &Authority, name: &str| fs::read_to_string(authority.dir.join(name)).unwrap();
    let check = |name: &str, text: Option<&str>, why: &str| {
        let path = here.dir.join(name);
        let before = fs::read_to_string(&path).unwrap();
        match text {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let error = Authority::open(&here.dir).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(error.contains(why), "{error}");
        fs::write(&path, before).unwrap();
        #[cfg(unix)]
        set_mode(&path, 0o600);
    };
    let about = read(&here, "cluster.toml");
    check("cluster.toml", Some(""), "missing field `format`");
    check("cluster.toml", Some(&about.replace("id = ", "id = x")), "it is damaged");
    check("cluster.toml", Some(&about.replace("id = \"", "id = \"x")), "not a cluster's id");
    check("cluster.toml", Some(&about.replace("format = 1", "format = 2")), "its format is 2");
    check("cluster.toml", Some(&"#".repeat(1 << 20)), "larger than 64 KiB");
    let other = there.cluster().to_string();
    let about = about.replace(&here.cluster().to_string(), &other);
    fs::write(here.dir.join("cluster.toml"), &about).unwrap();
    let error = Authority::open(&here.dir).unwrap_err();
    assert!(error.what().contains(&format!("it is not that of the cluster {other}")), "{error}");
    fs::write(here.dir.join("cluster.toml"), about.replace(&other, &here.cluster().to_string()))
        .unwrap();
    check("ca.pem", None, "it is missing");
    check("ca.pem", Some("-----BEGIN CERTIFICATE-----\n"), "it is no certificate");
    check("ca.key", None, "it is missing");
    check("ca.key", Some(&read(&here, "ca.pem")), "it is no private key");
    check("ca.key", Some(&read(&there, "ca.key")), "it is not the key of ca.pem");
    assert!(Authority::open(&here.dir).is_ok(), "all is well again");

    let home = dir.path().join("n1");
    let identity = here.issue(N1, now()).unwrap();
    identity.save(&home).unwrap();
    let path = home.join("identity.toml");
    let text = fs::read_to_string(&path).unwrap();
    let key = identity.key.lines().nth(1).unwrap();
    for (text, why) in [
        (String::new(), "the file is damaged at line 1"),
        (text[..text.len() / 2].to_owned(), "the file is damaged at line"),
        (text.replace("format = 1", "format = 9"), "its format is 9"),
        (text.replace("role = \"n1\"", "role = \"n2\""), "is not that of n2"),
        (text.replace(key, &key.chars().rev().collect::<String>()), "the private key is damaged"),
        (text.replace("origin = ", &format!("origin = \"{key}\" # ")), "damaged at line 4"),
    ] {
        fs::write(&path, text).unwrap();
        let error = Identity::load(&home).unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(error.contains(why), "{why}: {error}");
        assert!(!error.contains(key), "{error}");
    }
}

#[test]
fn an_authority_that_is_opened_again_issues_for_the_same_cluster() {
    let (_dir, first) = authority();
    let again = Authority::open(&first.dir).unwrap();
    assert_eq!((again.ca_hash(), again.origin()), (first.ca_hash(), first.origin()));
    let (one, two) = (first.issue(N1, now()).unwrap(), again.issue(N2, now()).unwrap());
    assert_eq!((one.ca.clone(), one.check()), (two.ca.clone(), Ok(())));
    assert_eq!(two.check(), Ok(()));
    let end = first.origin() / 1_000_000 + 3_653 * 86_400;
    assert_eq!(again.issue(N2, at(end - 1)).unwrap().expires, end, "no later than the CA");
    let error = again.issue(N2, at(end)).unwrap_err();
    assert!(error.what().contains("its CA has expired"), "{error}");
}

#[test]
fn nothing_shows_a_secret() {
    let (_dir, authority) = authority();
    let identity = authority.issue(N1, now()).unwrap();
    let ticket = authority.invite(N2, home(), HOUR, now()).unwrap();
    let shown = format!("{identity:?} {ticket:?} {authority:?} {:?}", ticket.token);
    assert!(shown.contains("Identity(n1 in ") && shown.contains("Token(…)"), "{shown}");
    assert!(!shown.contains(&format!("{:?}", ticket.token.0)), "{shown}");
    assert!(!shown.contains("PRIVATE") && !shown.contains(identity.key.lines().nth(1).unwrap()));
}

#[test]
fn names_are_read_as_they_are_written() {
    let cluster = ClusterId([0xa5; 16]);
    assert_eq!(cluster.to_string().len(), 26);
    assert_eq!(cluster.to_string().parse(), Ok(cluster));
    assert_eq!(cluster.node(NodeId::client(3)), format!("c3.{cluster}.netsplit"));
    for bad in ["", "a", &cluster.to_string().to_uppercase(), &format!("{cluster}a")] {
        assert!(bad.parse::<ClusterId>().is_err(), "{bad}");
    }
    for role in [N1, Role::Node(NodeId::client(9)), Role::Operator, Role::Observer] {
        assert_eq!(role.to_string().parse(), Ok(role));
    }
    for bad in ["", "-", "node", "n0", "Operator", "n1 "] {
        assert!(bad.parse::<Role>().is_err(), "{bad}");
    }
    fn shared<T: Send + Sync>() {}
    shared::<Authority>();
}
