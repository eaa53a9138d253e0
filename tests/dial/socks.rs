//! Through SOCKS5.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use super::*;
use moongram::net::dial::{Endpoint, WebSocket};
use tokio::net::TcpStream;

/// What the proxy does with targets.
#[derive(Clone, Copy)]
enum Onward {
    /// Connects to where it is told, and to this address for any name.
    To(SocketAddr),
    /// Answers with this code.
    Refuse(u8),
    /// Answers with this code, but connects to this address.
    RefuseAllBut(u8, SocketAddr),
}

#[derive(Default)]
struct Seen {
    targets: Vec<String>,
    logins: Vec<(String, String)>,
}

/// A proxy as RFC 1928 and 1929 describe it.
async fn proxy(login: Option<(&'static str, &'static str)>, onward: Onward) -> (SocketAddr, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let record = seen.clone();
    let address = mock::serve(move |stream| serve(stream, login, onward, record.clone())).await;
    (address, seen)
}

async fn serve(
    mut stream: TcpStream,
    login: Option<(&'static str, &'static str)>,
    onward: Onward,
    seen: Arc<Mutex<Seen>>,
) {
    let [version, count] = mock::read(&mut stream).await;
    assert_eq!(version, 5);
    let methods = mock::read_vec(&mut stream, count.into()).await;
    let method = if login.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        stream.write_all(&[5, 0xff]).await.unwrap();
        return;
    }
    stream.write_all(&[5, method]).await.unwrap();
    if let Some((user, password)) = login {
        let [version, length] = mock::read(&mut stream).await;
        assert_eq!(version, 1);
        let got_user = mock::read_vec(&mut stream, length.into()).await;
        let [length] = mock::read(&mut stream).await;
        let got_password = mock::read_vec(&mut stream, length.into()).await;
        let right = got_user == user.as_bytes() && got_password == password.as_bytes();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        seen.lock().unwrap().logins.push((text(got_user), text(got_password)));
        stream.write_all(&[1, u8::from(!right)]).await.unwrap();
        if !right {
            return;
        }
    }
    let [version, command, reserved, kind] = mock::read(&mut stream).await;
    assert_eq!([version, command, reserved], [5, 1, 0]);
    let host = match kind {
        1 => Ipv4Addr::from(mock::read::<4>(&mut stream).await).to_string(),
        3 => {
            let [length] = mock::read(&mut stream).await;
            String::from_utf8(mock::read_vec(&mut stream, length.into()).await).unwrap()
        }
        4 => format!("[{}]", std::net::Ipv6Addr::from(mock::read::<16>(&mut stream).await)),
        kind => panic!("address type {kind}"),
    };
    let port = u16::from_be_bytes(mock::read(&mut stream).await);
    let target = format!("{host}:{port}");
    seen.lock().unwrap().targets.push(target.clone());
    let reply = |code: u8| [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    match onward {
        Onward::To(dc) => {
            // A reply that names the proxy's end by a name, as some do.
            stream.write_all(&[5, 0, 0, 3, 4, b'h', b'o', b's', b't', 1, 2]).await.unwrap();
            mock::relay(stream, target.parse().unwrap_or(dc)).await;
        }
        Onward::RefuseAllBut(_, dc) if target == dc.to_string() => {
            stream.write_all(&reply(0)).await.unwrap();
            mock::relay(stream, dc).await;
        }
        Onward::Refuse(code) | Onward::RefuseAllBut(code, _) => stream.write_all(&reply(code)).await.unwrap(),
    }
}

#[tokio::test]
async fn a_stream_goes_through_without_a_user() {
    let dc = mock::echo_dc().await;
    let (proxy, seen) = proxy(None, Onward::To(dc)).await;
    for obfuscated in [false, true] {
        let target = Target { obfuscated, ..target(dc) };
        converse(dialled(&target, &format!("socks5://{proxy}")).await.unwrap()).await;
    }
    assert_eq!(seen.lock().unwrap().targets, vec![dc.to_string(); 2]);
}

#[tokio::test]
async fn a_stream_goes_through_with_a_user_and_a_password() {
    let dc = mock::echo_dc().await;
    let (proxy, seen) = proxy(Some(("ann", "p@ss:word")), Onward::To(dc)).await;
    converse(dialled(&target(dc), &format!("socks5://ann:p%40ss:word@{proxy}")).await.unwrap()).await;
    assert_eq!(seen.lock().unwrap().logins, [("ann".to_owned(), "p@ss:word".to_owned())]);
}

#[tokio::test]
async fn a_proxy_that_needs_no_user_is_not_told_of_one() {
    let dc = mock::echo_dc().await;
    let (proxy, seen) = proxy(None, Onward::To(dc)).await;
    converse(dialled(&target(dc), &format!("socks5://ann:secret@{proxy}")).await.unwrap()).await;
    assert!(seen.lock().unwrap().logins.is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_does_not_repeat_it() {
    let dc = mock::echo_dc().await;
    let (proxy, _) = proxy(Some(("ann", "right")), Onward::To(dc)).await;
    let error = dialled(&target(dc), &format!("socks5://ann:hunter2@{proxy}")).await.unwrap_err();
    assert!(matches!(error, DialError::LoginRefused { .. }), "{error}");
    assert!(error.is_about_proxy());
    assert_eq!(error.to_string(), format!("the proxy socks5://{proxy} refused user and password"));
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_proxy_that_wants_a_user_says_so() {
    let dc = mock::echo_dc().await;
    let (proxy, _) = proxy(Some(("ann", "right")), Onward::To(dc)).await;
    let error = dialled(&target(dc), &format!("socks5://{proxy}")).await.unwrap_err();
    assert!(matches!(error, DialError::LoginWanted { .. }), "{error}");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let nobody = mock::nobody().await;
    let error = dialled(&target(nobody), &format!("socks5://ann:hunter2@{nobody}")).await.unwrap_err();
    let expected = format!("the proxy socks5://{nobody} cannot be reached: {nobody}: connection refused");
    assert_eq!(error.to_string(), expected);
    assert!(error.is_about_proxy());
}

#[tokio::test]
async fn a_proxy_whose_name_is_unknown_is_named() {
    // A label of more than 63 letters is refused without asking the network.
    let host = format!("{}.invalid", "a".repeat(64));
    let error = dialled(&target("127.0.0.1:1".parse().unwrap()), &format!("socks5://{host}:9")).await.unwrap_err();
    assert!(matches!(error, DialError::Resolve { .. }) && error.is_about_proxy(), "{error}");
    assert!(error.to_string().starts_with(&format!("the name of the proxy socks5://{host}:9 could not be resolved")));
}

#[tokio::test]
async fn a_target_that_the_proxy_cannot_reach_is_told_from_a_proxy_in_trouble() {
    let reasons = [
        (1, "general SOCKS server failure"),
        (2, "connection not allowed by ruleset"),
        (3, "network unreachable"),
        (4, "host unreachable"),
        (5, "connection refused"),
        (6, "TTL expired"),
        (8, "address type not supported"),
    ];
    for (code, reason) in reasons {
        let dc = mock::nobody().await;
        let (proxy, _) = proxy(None, Onward::Refuse(code)).await;
        let error = dialled(&target(dc), &format!("socks5://{proxy}")).await.unwrap_err();
        let expected = format!("the proxy socks5://{proxy} could not connect onward: {dc}: {reason}");
        assert_eq!(error.to_string(), expected);
        assert!(!error.is_about_proxy());
    }
}

#[tokio::test]
async fn the_proxy_is_asked_for_the_next_address_if_it_cannot_reach_one() {
    let dc = mock::echo_dc().await;
    let nobody = mock::nobody().await;
    let (proxy, seen) = proxy(None, Onward::RefuseAllBut(4, dc)).await;
    let target = Target { endpoint: Endpoint::at([nobody, dc]), ..target(dc) };
    converse(dialled(&target, &format!("socks5://{proxy}")).await.unwrap()).await;
    assert_eq!(seen.lock().unwrap().targets, [nobody.to_string(), dc.to_string()]);
}

#[tokio::test]
async fn an_address_of_ipv6_is_given_as_one() {
    let (proxy, seen) = proxy(None, Onward::Refuse(3)).await;
    let _ = dialled(&target("[2001:db8::1]:443".parse().unwrap()), &format!("socks5://{proxy}")).await;
    assert_eq!(seen.lock().unwrap().targets, ["[2001:db8::1]:443"]);
}

#[tokio::test]
async fn a_name_is_left_to_the_proxy() {
    let server = websocket::server().await;
    let (proxy, seen) = proxy(None, Onward::To(server)).await;
    let socket = WebSocket::parse("ws://venus.web.telegram.invalid/apiws").unwrap();
    let target = Target { endpoint: Endpoint::WebSocket(socket), ..target(server) };
    converse(dialled(&target, &format!("socks5://{proxy}")).await.unwrap()).await;
    assert_eq!(seen.lock().unwrap().targets, ["venus.web.telegram.invalid:80"]);
}
