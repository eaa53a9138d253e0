//! Without a proxy.

use super::*;
use moongram::net::dial::{Peer, Step};

#[tokio::test]
async fn each_framing_goes_straight_obfuscated_or_not() {
    let dc = mock::echo_dc().await;
    for transport in ALL {
        for obfuscated in [false, true] {
            let dialed = dialled(&Target { transport, obfuscated, ..target(dc) }, "direct").await;
            if obfuscated && !TAGGED.contains(&transport) {
                assert!(matches!(dialed, Err(DialError::Transport(Transport::Full))), "{dialed:?}");
                continue;
            }
            let dialed = dialed.unwrap();
            assert_eq!((dialed.framing.transport(), dialed.framing.is_obfuscated()), (Some(transport), obfuscated));
            converse(dialed).await;
        }
    }
}

#[tokio::test]
async fn an_address_that_refuses_is_passed_over() {
    let addresses = vec![mock::nobody().await, mock::echo_dc().await];
    let dialed = dialled(&Target::new(ProxyDc::new(2), addresses, Transport::Abridged), "direct").await.unwrap();
    converse(dialed).await;
}

#[tokio::test]
async fn the_error_names_each_address_that_was_tried() {
    let addresses = [mock::nobody().await, mock::nobody().await];
    let target = Target::new(ProxyDc::new(2), addresses.to_vec(), Transport::Abridged);
    let error = dialled(&target, "direct").await.unwrap_err();
    let [first, second] = addresses;
    assert_eq!(
        error.to_string(),
        format!("the server of DC 2 cannot be reached: {first}: connection refused; {second}: connection refused")
    );
    assert!(!error.is_about_proxy());
}

#[tokio::test]
async fn no_address_is_an_error() {
    let target = Target::new(ProxyDc::new(2), Vec::new(), Transport::Abridged);
    for via in ["direct", "socks5://127.0.0.1:9", "http://127.0.0.1:9"] {
        assert!(matches!(dialled(&target, via).await, Err(DialError::NoAddress)));
    }
}

/// An address that does not answer: Linux lets no further connection in once the queue of a listener is full.
#[cfg(target_os = "linux")]
async fn black_hole() -> (SocketAddr, Vec<tokio::net::TcpStream>, tokio::net::TcpListener) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        waiting.push(stream.unwrap());
        assert!(waiting.len() < 100, "the queue has an end");
    }
    (address, waiting, listener)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_does_not_answer_costs_a_quarter_of_a_second() {
    let (silent, _waiting, _listener) = black_hole().await;
    let addresses = vec![silent, mock::echo_dc().await];
    let target = Target { endpoint: moongram::net::dial::Endpoint::at(addresses), ..target(silent) };
    let begun = std::time::Instant::now();
    let dialed = dialled(&target, "direct").await.unwrap();
    let took = begun.elapsed();
    assert!((Duration::from_millis(240)..Duration::from_secs(9)).contains(&took), "{took:?}");
    converse(dialed).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_never_answers_is_given_up_in_time() {
    let (silent, _waiting, _listener) = black_hole().await;
    let target = Target { patience: Duration::from_millis(700), ..target(silent) };
    let error = dialled(&target, "direct").await.unwrap_err();
    assert!(matches!(&error, DialError::TimedOut { step: Step::Connect, peer: Peer::Server(_), .. }), "{error}");
}

#[tokio::test]
async fn a_stepped_clock_decides_over_the_time_out() {
    let dc = mock::serve(|stream| async move {
        let _open = stream;
        std::future::pending().await
    })
    .await;
    let clock = Clock::stepped(Duration::from_secs(1_700_000_000));
    let via = Via::parse(&format!("socks5://{dc}")).unwrap();
    let target = target(dc);
    let dialling = dial(&target, &via, &clock);
    let stepping = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        clock.advance(target.patience);
    };
    let (result, ()) = within(async { tokio::join!(dialling, stepping) }).await;
    assert!(matches!(result, Err(DialError::TimedOut { step: Step::Socks5, .. })));
}
