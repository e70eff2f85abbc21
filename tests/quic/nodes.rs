//! Messages between nodes, and what becomes of them when a node or an address goes away.

use super::town::{LOOPBACK, Log, Town, ball, n, soon};
use netsplit::base::{Span, Time};
use netsplit::event::Loss;
use netsplit::live::agent::Epoch;
use netsplit::live::control::{Inbox, Link as _};
use netsplit::live::identity::Role;
use netsplit::live::quic::{Book, Options};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

#[tokio::test]
async fn messages_arrive_both_ways_in_the_order_of_one_service() {
    let town = Town::quiet(2);
    let (mut one, mut two) = (town.open(1), town.open(2));
    one.meet(&two);
    for number in 1..=1_000 {
        assert_eq!(one.send(2), Ok(number), "those that wait for the connection are kept");
    }
    for number in 1..=1_000 {
        assert_eq!(two.next().await, (n(1), number));
    }
    two.send(1).unwrap();
    assert_eq!(one.next().await, (n(2), 1));
    assert_eq!((one.endpoint.connections(), two.endpoint.connections()), ((1, 0), (1, 0)));
}

#[tokio::test]
async fn nobody_is_dialled_without_need_and_all_is_over_when_it_is_closed() {
    let town = Town::quiet(2);
    let (mut one, two) = (town.open(1), town.open(2));
    one.meet(&two);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(one.endpoint.connections(), (0, 0));
    let address = one.endpoint.address();
    let since = Instant::now();
    one.endpoint.close().await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(one.link.send(n(2), ball(n(1), 1)), Err(Loss::Unreachable));
    let free = async {
        while UdpSocket::bind(address).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("free port", free).await;
}

#[tokio::test]
async fn what_nobody_can_receive_is_reported_as_lost() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let mut one = town.open(1);
    assert_eq!(one.send(2), Ok(1), "it is kept while n2 is looked for");
    match soon("report of a loss", one.arrivals.recv()).await.unwrap() {
        Inbox::Lost { to, id, why } => {
            assert_eq!((to, id, why), (n(2), ball(n(1), 1).id, Loss::Unreachable));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(one.send(2), Err(Loss::Unreachable));
    let line = log.only("cannot be reached").await;
    assert!(line.contains("n1: n2 cannot be reached: its address is not known"), "{line}");
    // Once it is known, n2 is reached without waiting for the back-off to end.
    let mut two = town.open(2);
    one.meet(&two);
    let took = one.reach(&mut two).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    log.only("n1: n2 can be reached again").await;
    assert_eq!(one.link.send(n(9), ball(n(1), 9)), Err(Loss::Unreachable), "there is no n9");
}

#[tokio::test]
async fn a_slow_receiver_costs_messages_but_neither_memory_nor_order() {
    let town = Town::quiet(2);
    let mut one = town.open(1);
    let mut two = town.open_with(2, 8, |_| {});
    one.meet(&two);
    one.reach(&mut two).await;
    // Nobody reads: n2's inbox, QUIC's windows and at last n1's queue fill up.
    let mut kept = Vec::new();
    let filling = async {
        loop {
            match one.send(2) {
                Ok(number) => kept.push(number),
                Err(Loss::Full) => return,
                Err(other) => panic!("{other:?}"),
            }
            if kept.len() % 1_000 == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    soon("full queue", filling).await;
    assert!(kept.len() < 2_000_000, "{}", kept.len());
    for number in &kept {
        assert_eq!(two.next().await, (n(1), *number));
    }
    // And it goes on.
    one.send(2).unwrap();
    two.next().await;
}

#[tokio::test]
async fn a_node_is_found_again_at_another_address_as_soon_as_it_speaks() {
    let (log, _guard) = Log::begin();
    let town = Town::quiet(3);
    let (mut one, mut two, mut three) = (town.open(1), town.open(2), town.open(3));
    one.meet(&two);
    two.meet(&three);
    one.reach(&mut two).await;
    let (old, third) = (two.endpoint.address(), three.endpoint.address());
    // n3 was told of n1 by n2, or will be told at once.
    two.reach(&mut three).await;
    three.reach(&mut one).await;
    drop(two);
    let gone = async {
        while one.send(2).is_ok() {
            tokio::task::yield_now().await
        }
    };
    soon("loss", gone).await;
    log.only("n1: n2 cannot be reached: it closed the connection: the process is ending").await;

    let mut two = town.open_with(2, 4_096, |options| options.book.put(n(3), third));
    assert_ne!(two.endpoint.address(), old);
    // n2 speaks with n3 only, and n1 hears of it there.
    two.reach(&mut three).await;
    let took = one.reach(&mut two).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(one.endpoint.book().get(n(2)), Some(two.endpoint.address()));
    log.only("n1: n2 can be reached again").await;
}

#[test]
fn a_node_that_died_without_a_word_is_found_again_when_it_is_back() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (here, there) = (runtime(), runtime());
    let town = Town::quiet(2);
    let mut one = here.block_on(async { town.open(1) });
    let mut two = there.block_on(async { town.open(2) });
    one.meet(&two);
    here.block_on(one.reach(&mut two));
    let address = two.endpoint.address();
    // Its tasks end in the middle of whatever they do, as if it were killed.
    there.shutdown_background();
    drop(two);
    let since = Instant::now();
    while UdpSocket::bind(address).is_err() {
        assert!(since.elapsed() < Duration::from_secs(10), "its port stays taken");
        std::thread::sleep(Duration::from_millis(10));
    }
    let book = one.endpoint.book();
    let mut two = here.block_on(async {
        town.open_with(2, 4_096, |options| (options.listen, options.book) = (address, book))
    });
    // n1 still believes in the old connection. The first word of the new n2 tells it better.
    here.block_on(two.reach(&mut one));
    let took = here.block_on(one.reach(&mut two));
    assert!(took < Duration::from_secs(2), "{took:?}: not only when the old one is given up");
}

#[tokio::test]
async fn the_dead_do_not_keep_the_living_waiting() {
    let town = Town::quiet(20);
    let mut one = town.open(1);
    let mut two = town.open(2);
    one.meet(&two);
    // Somebody listens at each address, and says nothing.
    let silent: Vec<UdpSocket> = (3..=20).map(|_| UdpSocket::bind(LOOPBACK).unwrap()).collect();
    let mut book = Book::new();
    for (number, socket) in (3..=20).zip(&silent) {
        book.put(n(number), socket.local_addr().unwrap());
        one.endpoint.learn(&book);
        one.send(number).unwrap();
    }
    tokio::task::yield_now().await;
    let took = one.reach(&mut two).await;
    assert!(took < Duration::from_secs(4), "{took:?}");

    // Nor when it is known that they do not answer, and n2 has gone and comes back.
    let address = two.endpoint.address();
    two.endpoint.close().await;
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(8) {
        for number in 2..=20 {
            let _ = one.send(number);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut two = town.open_with(2, 4_096, |options| {
        (options.listen, options.book) = (address, one.endpoint.book());
    });
    two.reach(&mut one).await;
    let took = one.reach(&mut two).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn one_address_is_enough_to_join() {
    let town = Town::quiet(3);
    let (mut one, mut two) = (town.open(1), town.open(2));
    one.meet(&two);
    one.reach(&mut two).await;
    let mut three = town.open(3);
    let met = soon("welcome", three.endpoint.join(one.endpoint.address())).await;
    assert_eq!(met, Ok(n(1)));
    assert_eq!(three.endpoint.book().get(n(2)), Some(two.endpoint.address()));
    three.reach(&mut two).await;
    two.reach(&mut three).await;

    let nobody: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let error = soon("answer", three.endpoint.join(nobody)).await.unwrap_err();
    assert_eq!(error.what(), "cannot join the cluster at 127.0.0.1:9: nobody answers");
}

#[tokio::test]
async fn a_place_to_listen_that_is_not_there_is_called_so() {
    let town = Town::quiet(2);
    let one = town.open(1);
    let fails = |listen: SocketAddr, role: Role| {
        let opened = town.try_open(2, 8, |options| {
            (options.listen, options.identity) = (listen, town.identity(role));
        });
        opened.map(|_| "it opens").unwrap_err().to_string()
    };
    let two = Role::Node(n(2));
    let error = fails(one.endpoint.address(), two);
    assert!(error.contains("another program listens there") && error.contains("help"), "{error}");
    let error = fails("192.0.2.1:7000".parse().unwrap(), two);
    assert!(error.contains("this machine has no such address"), "{error}");
    let error = fails("127.0.0.1:0".parse().unwrap(), Role::Node(n(1)));
    assert!(error.contains("the identity is that of n1, not of n2"), "{error}");
}

#[tokio::test]
async fn a_node_whose_clock_is_wrong_goes_by_that_of_the_others() {
    let hour = Time(3_600_000_000);
    for wrong in [Time(3 * hour.0), Time::ZERO] {
        let (log, _guard) = Log::begin();
        let town = Town::quiet(3);
        let at = |time| move |options: &mut Options| options.epoch = Epoch::new(time);
        let (one, two) = (town.open_with(1, 16, at(hour)), town.open_with(2, 16, at(hour)));
        let three = town.open_with(3, 16, at(wrong));
        for (a, b) in [(&one, &two), (&one, &three), (&two, &three)] {
            a.meet(b);
        }
        for house in [&two, &three] {
            let now = soon("time", house.endpoint.agree_on_time()).await.now();
            assert!(now >= hour && now.since(hour) < Span::secs(60), "{now:?}");
        }
        let line = log.only("this machine's clock").await;
        assert!(line.contains("n3: ") && line.contains("set it"), "{line}");
    }
}
