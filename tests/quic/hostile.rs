//! What strangers, liars and broken peers get: a clear answer. And the node goes on.

use super::town::{House, Log, SOON, Town, ball, n, soon};
use bytes::BytesMut;
use netsplit::base::NodeId;
use netsplit::event::Watch;
use netsplit::live::console;
use netsplit::live::control::Envelope;
use netsplit::live::identity::{self, Identity, Role, client_config, joining_config};
use netsplit::live::wire::{
    self, Answer, BookEntry, FRAME_MAX, Frame, HELLO_MAX, Hello, Reader, Refusal, VERSION, Who,
};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, RecvStream, SendStream};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Somebody who speaks QUIC and TLS, and otherwise does as he likes.
struct Stranger {
    _endpoint: Endpoint,
    connection: Connection,
}

impl Stranger {
    async fn dial(
        config: ClientConfig,
        at: SocketAddr,
        name: &str,
    ) -> Result<Stranger, ConnectionError> {
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let dialling = endpoint.connect_with(config, at, name).unwrap();
        let connection = soon("handshake", dialling).await?;
        Ok(Stranger { _endpoint: endpoint, connection })
    }

    /// With a certificate of the town.
    async fn member(town: &Town, role: Role, at: &House) -> Stranger {
        let config = client_config(&town.identity(role)).unwrap();
        let name = town.authority.cluster().any_node();
        Stranger::dial(config, at.endpoint.address(), &name).await.unwrap()
    }

    /// Without any.
    async fn nobody(town: &Town, at: &House) -> Stranger {
        let config = joining_config(town.authority.ca_hash(), town.authority.cluster()).unwrap();
        let name = town.authority.cluster().any_node();
        Stranger::dial(config, at.endpoint.address(), &name).await.unwrap()
    }

    /// Sends bytes as the first thing, and reads the answer.
    async fn say(&self, bytes: &[u8]) -> (SendStream, Reader<RecvStream>, Answer) {
        let (mut send, receive) = self.connection.open_bi().await.unwrap();
        send.write_all(bytes).await.unwrap();
        let mut answers = Reader::new(receive);
        let answer = soon("answer", answers.next::<Answer>()).await.unwrap();
        (send, answers, answer)
    }

    async fn greet(&self, hello: &Hello) -> Answer {
        self.say(&frame(hello)).await.2
    }

    /// How the connection ends: code and reason.
    async fn end(&self) -> (u64, String) {
        match soon("end of the connection", self.connection.closed()).await {
            ConnectionError::ApplicationClosed(close) => {
                let reason = String::from_utf8(close.reason.to_vec()).unwrap();
                (close.error_code.into_inner(), reason)
            }
            other => panic!("{other:?}"),
        }
    }
}

fn frame<T: Frame>(value: &T) -> BytesMut {
    let mut bytes = BytesMut::new();
    wire::encode(value, &mut bytes).unwrap();
    bytes
}

fn hello(town: &Town, who: Who) -> Hello {
    Hello { version: VERSION, cluster: town.authority.cluster().0, who, book: Vec::new() }
}

fn node(id: NodeId) -> Who {
    Who::Node(id)
}

/// A town of three with n1 and n3 connected, to see that they stay so.
async fn pair(town: &Town) -> (House, House) {
    let (mut one, mut three) = (town.open(1), town.open(3));
    one.meet(&three);
    one.reach(&mut three).await;
    (one, three)
}

/// Nothing has arrived, and nothing has changed.
async fn goes_on((mut one, mut three): (House, House)) {
    assert!(one.arrivals.try_recv().is_err(), "something has got through");
    one.send(3).unwrap();
    three.next().await;
    three.reach(&mut one).await;
}

fn refusal(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("let in: {other:?}"),
    }
}

// -- who they are ---------------------------------------------------------------------------------

#[tokio::test]
async fn whoever_claims_to_be_somebody_else_is_refused() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let one = &houses.0;
    let operator = |console| Who::Console { operator: true, console };
    let two = Role::Node(n(2));
    for (role, who, why, logged) in [
        (two, node(n(3)), Refusal::NotYou, "refused 127.0.0.1 as n3: the certificate is for"),
        (Role::Observer, node(n(2)), Refusal::NotYou, "refused 127.0.0.1 as n2: the certificate"),
        (Role::Observer, operator(1), Refusal::NotYou, "refused 127.0.0.1 as an operator: the"),
        (two, operator(1), Refusal::NotYou, "as an operator: the certificate is for somebody else"),
        (
            Role::Node(n(9)),
            node(n(9)),
            Refusal::NotInPlan { who: n(9) },
            "refused 127.0.0.1 as n9: there is no n9 in this cluster",
        ),
        (
            Role::Node(n(1)),
            node(n(1)),
            Refusal::Taken { who: n(1) },
            "refused 127.0.0.1 as n1: another process runs as n1",
        ),
    ] {
        let stranger = Stranger::member(&town, role, one).await;
        assert_eq!(refusal(stranger.greet(&hello(&town, who)).await), why);
        log.only(logged).await;
    }
    let nobody = Stranger::nobody(&town, one).await;
    let answer = nobody.greet(&hello(&town, node(n(2)))).await;
    assert_eq!(refusal(answer), Refusal::NoCertificate);
    log.only("refused 127.0.0.1 as n2: a certificate is needed, or a ticket").await;
    goes_on(houses).await;
}

#[tokio::test]
async fn a_greeting_for_another_cluster_or_of_another_version_is_refused() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let right = hello(&town, node(n(2)));
    let other = VERSION + 1;
    let versions = format!("the other side speaks protocol version {other}, and we {VERSION}");
    for (greeting, why, logged) in [
        (
            Hello { cluster: [7; 16], ..right.clone() },
            Refusal::WrongCluster,
            "as n2: it belongs to another cluster",
        ),
        (
            Hello { version: other, ..right.clone() },
            Refusal::WrongVersion { ours: VERSION },
            &*versions,
        ),
    ] {
        // Twice: it is said each time, and logged once.
        for _ in 0..2 {
            let stranger = Stranger::member(&town, Role::Node(n(2)), &houses.0).await;
            assert_eq!(refusal(stranger.greet(&greeting).await), why);
        }
        log.only(logged).await;
    }
    goes_on(houses).await;
}

#[tokio::test]
async fn nodes_of_two_clusters_tell_each_other_apart() {
    let (log, _guard) = Log::begin();
    let (town, other) = (Town::quiet(3), Town::quiet(3));
    let houses = pair(&town).await;
    let mut two = other.open(2);
    two.meet(&houses.0);
    two.send(1).unwrap();
    soon("report of a loss", two.arrivals.recv()).await.unwrap();
    let line = log.only("n2: n1 cannot be reached").await;
    assert!(line.contains("the other side is not of this cluster"), "{line}");
    log.only("n1: 127.0.0.1 did not get in: the other side is of another cluster").await;
    goes_on(houses).await;
}

#[tokio::test]
async fn another_version_in_the_handshake_gets_no_further() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(town.ca().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"netsplit/9".to_vec()];
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let config = ClientConfig::new(Arc::new(crypto));
    let name = town.authority.cluster().any_node();
    let error = match Stranger::dial(config, houses.0.endpoint.address(), &name).await {
        Ok(_) => panic!("it is let in"),
        Err(error) => identity::explain(&error).unwrap(),
    };
    assert_eq!(error, "the other side speaks another version of the protocol");
    log.only("did not get in: the other side speaks another version of the protocol").await;
    goes_on(houses).await;
}

// -- what they send -------------------------------------------------------------------------------

#[tokio::test]
async fn a_greeting_that_is_none_is_refused() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let mut long = hello(&town, node(n(2)));
    let entry = BookEntry { id: n(1), addr: "127.0.0.1:1".parse().unwrap(), version: u64::MAX };
    long.book = vec![entry; HELLO_MAX / 8];
    let mut trailing = frame(&hello(&town, node(n(2))));
    trailing.extend_from_slice(&[1, 2, 3]);
    let length = (trailing.len() - 4) as u32;
    trailing[..4].copy_from_slice(&length.to_be_bytes());
    for (bytes, logged) in [
        (&[0, 0, 0, 3, VERSION as u8, 7, 7][..], "refused 127.0.0.1: a frame is no greeting"),
        (&frame(&long)[..HELLO_MAX], "refused 127.0.0.1: a frame is longer than 65536 bytes"),
        (&trailing[..], "refused 127.0.0.1: a frame has 3 bytes left over after the greeting"),
    ] {
        let stranger = Stranger::nobody(&town, &houses.0).await;
        assert_eq!(refusal(stranger.say(bytes).await.2), Refusal::Malformed);
        log.only(logged).await;
    }
    goes_on(houses).await;
}

/// Lets n2 in, has it send bytes as if they were messages, and says how that ends.
async fn send(town: &Town, to: &House, bytes: &[u8]) -> (u64, String) {
    let two = Stranger::member(town, Role::Node(n(2)), to).await;
    let (_send, _answers, answer) = two.say(&frame(&hello(town, node(n(2))))).await;
    assert!(matches!(answer, Answer::Welcome(_)), "{answer:?}");
    let mut stream = soon("stream", two.connection.open_uni()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    two.end().await
}

#[tokio::test]
async fn messages_that_are_none_end_the_connection() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let foreign: Envelope = ball(n(3), 1);
    let too_long = (FRAME_MAX as u32 + 1).to_be_bytes();
    for (bytes, why) in [
        (frame(&foreign).to_vec(), format!("message {} is not one of n2", foreign.id)),
        (too_long.to_vec(), format!("a frame is longer than {FRAME_MAX} bytes")),
        (vec![0, 0, 0, 1, 255], "a frame is no message".to_owned()),
    ] {
        for _ in 0..2 {
            let (code, reason) = send(&town, &houses.0, &bytes).await;
            assert_eq!(code, 4);
            assert!(reason.starts_with(&why), "{reason}");
        }
        log.only(&format!("n2 was cut off: {why}")).await;
    }
    goes_on(houses).await;
}

#[tokio::test]
async fn a_note_about_addresses_that_is_none_ends_the_connection() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let two = Stranger::member(&town, Role::Node(n(2)), &houses.0).await;
    let (mut send, _answers, _) = two.say(&frame(&hello(&town, node(n(2))))).await;
    send.write_all(&[0, 0, 0, 1, 9]).await.unwrap();
    assert_eq!(two.end().await.0, 4);
    log.only("n2 was cut off: a frame is no note between nodes").await;
    goes_on(houses).await;
}

#[tokio::test]
async fn addresses_of_strangers_and_from_no_clock_are_not_noted() {
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let two = Stranger::member(&town, Role::Node(n(2)), &houses.0).await;
    let entry = |id, addr: &str, version| BookEntry { id, addr: addr.parse().unwrap(), version };
    let mut greeting = hello(&town, node(n(2)));
    greeting.book = vec![
        entry(n(2), "127.0.0.1:0", 5),
        entry(n(9), "127.0.0.1:9", 5),
        entry(NodeId::BENCH, "127.0.0.1:9", 5),
        entry(n(3), "0.0.0.0:9", u64::MAX >> 1),
        entry(n(3), "127.0.0.1:9", u64::MAX),
    ];
    let before = houses.0.endpoint.book();
    assert!(matches!(two.greet(&greeting).await, Answer::Welcome(_)));
    assert_eq!(houses.0.endpoint.book(), before);
    goes_on(houses).await;
}

#[tokio::test]
async fn nobody_knows_better_where_a_process_listens_than_itself() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let (here, first) = (houses.0.endpoint.address(), houses.0.endpoint.book().version(n(1)));
    let elsewhere: SocketAddr = "127.0.0.1:9".parse().unwrap();
    // As after a start with a wrong clock: what others remember is newer than what it says.
    let mut version = first;
    for _ in 0..5 {
        version += 1_000;
        let two = Stranger::member(&town, Role::Node(n(2)), &houses.0).await;
        let mut greeting = hello(&town, node(n(2)));
        greeting.book = vec![BookEntry { id: n(1), addr: elsewhere, version }];
        assert!(matches!(two.greet(&greeting).await, Answer::Welcome(_)));
        assert_eq!(houses.0.endpoint.book().get(n(1)), Some(here));
    }
    // But it does not argue for ever.
    assert_eq!(houses.0.endpoint.book().version(n(1)), first + 3_001);
    assert_eq!(log.lines("another process was n1 at 127.0.0.1:9, or still is").len(), 3);
    goes_on(houses).await;
}

// -- what they hold -------------------------------------------------------------------------------

#[tokio::test]
async fn a_peer_that_says_nothing_is_shown_the_door() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let since = Instant::now();
    let silent = Stranger::member(&town, Role::Node(n(2)), &houses.0).await;
    // One who begins a greeting and stops in the middle of it.
    let halting = Stranger::member(&town, Role::Node(n(2)), &houses.0).await;
    let (mut send, _receive) = halting.connection.open_bi().await.unwrap();
    send.write_all(&[0, 0]).await.unwrap();
    for stranger in [&silent, &halting] {
        assert_eq!(stranger.end().await, (3, "no greeting came in time".to_owned()));
    }
    let took = since.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(8)).contains(&took), "{took:?}");
    log.only("no greeting came from 127.0.0.1").await;
    goes_on(houses).await;
}

#[tokio::test]
async fn streams_are_counted() {
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let no_more = Duration::from_millis(300);
    // A stranger may open one stream, and none of those on which messages come.
    let stranger = Stranger::nobody(&town, &houses.0).await;
    let _first = stranger.connection.open_bi().await.unwrap();
    timeout(no_more, stranger.connection.open_bi()).await.map(drop).expect_err("a second one");
    timeout(no_more, stranger.connection.open_uni()).await.map(drop).expect_err("a message stream");

    // A node gets as many of the others as there are services.
    let two = Stranger::member(&town, Role::Node(n(2)), &houses.0).await;
    let (_send, _answers, _) = two.say(&frame(&hello(&town, node(n(2))))).await;
    let mut streams = Vec::new();
    while let Ok(stream) = timeout(no_more, two.connection.open_uni()).await {
        streams.push(stream.unwrap());
    }
    assert_eq!(streams.len(), netsplit::base::ServiceId::ALL.len());
    timeout(no_more, two.connection.open_bi()).await.map(drop).expect_err("a second one");
    goes_on(houses).await;
}

#[tokio::test]
async fn what_nobody_reads_is_not_kept_without_limit() {
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let stranger = Stranger::nobody(&town, &houses.0).await;
    let (mut send, _receive) = stranger.connection.open_bi().await.unwrap();
    // A greeting that is not finished, but longer than any may be: the rest is not even taken.
    let mut taken = 0;
    let flood = async {
        loop {
            match send.write(&[0; 16 << 10]).await {
                Ok(count) => taken += count,
                Err(_) => return,
            }
        }
    };
    let _ = timeout(Duration::from_secs(1), flood).await;
    // Both ends keep some: this one what it sends, the other one what it has not read.
    assert!(taken <= (4 << 20) + (256 << 10), "{taken}");
    goes_on(houses).await;
}

#[tokio::test]
async fn a_newer_connection_of_a_peer_takes_the_place_of_the_older_one() {
    let town = Town::quiet(3);
    let (mut one, three) = pair(&town).await;
    let mut kept = Vec::new();
    for number in 1..=2 {
        let two = Stranger::member(&town, Role::Node(n(2)), &one).await;
        let control = two.say(&frame(&hello(&town, node(n(2))))).await;
        let mut stream = soon("stream", two.connection.open_uni()).await.unwrap();
        stream.write_all(&frame(&ball(n(2), number))).await.unwrap();
        assert_eq!(one.next().await, (n(2), number));
        kept.push((two, control, stream));
    }
    assert_eq!(kept[0].0.end().await, (6, "a newer connection takes its place".to_owned()));
    // One that only asks for addresses takes nobody's place.
    let two = Stranger::member(&town, Role::Node(n(2)), &one).await;
    two.greet(&hello(&town, node(n(2)))).await;
    assert!(kept[1].0.connection.close_reason().is_none());
    goes_on((one, three)).await;
}

// -- tickets --------------------------------------------------------------------------------------

#[tokio::test]
async fn a_ticket_is_good_for_once_and_not_for_ever() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let houses = pair(&town).await;
    let home = [houses.0.endpoint.address()];
    let good = town.ticket(Role::Node(n(2)), 60, &home);
    let identity = soon("identity", console::redeem(&good)).await.unwrap();
    assert_eq!(identity.role, Role::Node(n(2)));
    log.only("n1: a newcomer has joined as n2").await;

    let redeem = async |ticket| {
        let refused: Result<Identity, _> = soon("answer", console::redeem(&ticket)).await;
        refused.unwrap_err().to_string()
    };
    let error = redeem(good).await;
    assert!(error.contains("does not take the ticket: the ticket was used already"), "{error}");
    assert!(error.contains("ask for a new one: netsplit invite"), "{error}");
    log.only("refused 127.0.0.1 with a ticket: the ticket was used already").await;

    let error = redeem(town.ticket(Role::Observer, 0, &home)).await;
    assert!(error.contains("the ticket has expired"), "{error}");
    log.only("refused 127.0.0.1 with a ticket: the ticket has expired").await;

    let mut forged = town.ticket(Role::Operator, 60, &home);
    forged.token = wire::Token([7; 16]);
    let error = redeem(forged).await;
    assert!(error.contains("the ticket is not known here"), "{error}");
    log.only("refused 127.0.0.1 with a ticket: the ticket is not known here").await;
    goes_on(houses).await;
}

#[tokio::test]
async fn a_ticket_finds_its_way_to_the_authority() {
    let town = Town::quiet(3);
    let (one, three) = pair(&town).await;
    let nobody: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let addresses = [three.endpoint.address(), one.endpoint.address()];
    let ticket = town.ticket(Role::Observer, 60, &addresses);
    let identity = soon("identity", console::redeem(&ticket)).await.unwrap();
    assert_eq!(identity.role, Role::Observer);

    let ticket = town.ticket(Role::Observer, 60, &addresses[..1]);
    let error = soon("answer", console::redeem(&ticket)).await.unwrap_err().to_string();
    assert!(error.contains("it cannot take tickets"), "{error}");
    assert!(error.contains("a ticket must lead to the process with the cluster's key"), "{error}");

    let ticket = town.ticket(Role::Observer, 60, &[nobody]);
    let error = soon("answer", console::redeem(&ticket)).await.unwrap_err().to_string();
    assert!(error.contains("the ticket cannot be used at 127.0.0.1:9: nobody answers"), "{error}");
    goes_on((one, three)).await;
}

#[tokio::test]
async fn a_ticket_s_token_is_given_to_nobody_else() {
    let (town, other) = (Town::quiet(3), Town::quiet(3));
    let houses = pair(&other).await;
    let ticket = town.ticket(Role::Operator, 60, &[houses.0.endpoint.address()]);
    let error = soon("answer", console::redeem(&ticket)).await.unwrap_err().to_string();
    assert!(error.contains("the other side is not of this cluster"), "{error}");
    // It is as good as before.
    let one = town.open(1);
    let ticket =
        netsplit::live::identity::Ticket { addresses: vec![one.endpoint.address()], ..ticket };
    soon("identity", console::redeem(&ticket)).await.unwrap();
    goes_on(houses).await;
}

#[tokio::test]
async fn errors_of_a_console_say_what_is_wrong() {
    let (town, other) = (Town::quiet(3), Town::quiet(3));
    let houses = pair(&town).await;
    let here = houses.0.endpoint.address();
    let nobody: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let attach = async |identity, addresses: &[SocketAddr]| {
        let attached = timeout(SOON, console::attach(identity, addresses, Watch::Facts)).await;
        match attached.expect("an answer") {
            Ok(_) => panic!("it is let in"),
            Err(error) => error.to_string(),
        }
    };
    let observer = town.identity(Role::Observer);
    let error = attach(observer.clone(), &[nobody]).await;
    assert!(
        error.contains("cannot attach to the cluster at 127.0.0.1:9: nobody answers"),
        "{error}"
    );
    assert!(error.contains("firewall"), "{error}");
    let error = attach(observer.clone(), &[]).await;
    assert!(error.contains("there is no address"), "{error}");
    let error = attach(other.identity(Role::Observer), &[here]).await;
    assert!(error.contains("the other side is not of this cluster"), "{error}");
    let error = attach(town.identity(Role::Node(n(2))), &[here]).await;
    assert!(error.contains("a console needs its own") && error.contains("invite"), "{error}");
    // One that answers is enough.
    let addresses = [nobody, here];
    let attached = console::attach(observer, &addresses, Watch::Facts);
    assert_eq!(soon("welcome", attached).await.expect("n1 answers").name, "town");
}
