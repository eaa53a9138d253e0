//! Through HTTP CONNECT.

use std::sync::{Arc, Mutex};

use super::*;
use moongram::net::dial::{Endpoint, WebSocket};
use tokio::net::TcpStream;

/// A proxy that answers with `answer`, and relays to `onward` behind a 2xx. Returned with the requests it got.
async fn proxy(answer: &'static str, onward: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let record = requests.clone();
    let address = mock::serve(move |stream| serve(stream, answer, onward, record.clone())).await;
    (address, requests)
}

async fn serve(mut stream: TcpStream, answer: &'static str, onward: SocketAddr, requests: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    requests.lock().unwrap().push(String::from_utf8(request).unwrap());
    // In pieces, so that the end of the head lies across two of them.
    let (first, second) = answer.split_at(answer.len() - 2);
    stream.write_all(first.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    stream.write_all(second.as_bytes()).await.unwrap();
    if answer.starts_with("HTTP/1.1 2") || answer.starts_with("HTTP/1.0 2") {
        mock::relay(stream, onward).await;
    }
}

#[tokio::test]
async fn a_stream_goes_through_behind_any_2xx() {
    let dc = mock::echo_dc().await;
    for answer in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200\r\nProxy-Agent: x\r\nContent-Length: 4\r\n\r\n",
        "HTTP/1.1 204 Fine\r\n\r\n",
    ] {
        let (proxy, requests) = proxy(answer, dc).await;
        converse(dialled(&target(dc), &format!("http://{proxy}")).await.unwrap()).await;
        let expected = format!("CONNECT {dc} HTTP/1.1\r\nHost: {dc}\r\n\r\n");
        assert_eq!(*requests.lock().unwrap(), [expected]);
    }
}

#[tokio::test]
async fn a_user_is_named_in_the_basic_way() {
    let dc = mock::echo_dc().await;
    let (proxy, requests) = proxy("HTTP/1.1 200 OK\r\n\r\n", dc).await;
    let target = Target { obfuscated: true, ..target(dc) };
    converse(dialled(&target, &format!("http://Aladdin:open%20sesame@{proxy}")).await.unwrap()).await;
    let requests = requests.lock().unwrap();
    assert!(requests[0].contains("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), "{requests:?}");
}

#[tokio::test]
async fn what_follows_the_head_at_once_belongs_to_the_stream() {
    let proxy = mock::serve(|mut stream| async move {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nfrom the target").await.unwrap();
        std::future::pending().await
    })
    .await;
    let mut dialed = dialled(&target(proxy), &format!("http://{proxy}")).await.unwrap();
    let mut first = [0; 15];
    within(dialed.stream.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"from the target");
}

#[tokio::test]
async fn each_refusal_has_its_error() {
    let dc = mock::nobody().await;
    let check = async |answer, via_login: &str, expected: &str| {
        let (proxy, _) = proxy(answer, dc).await;
        let error = dialled(&target(dc), &format!("http://{via_login}{proxy}")).await.unwrap_err();
        assert_eq!(error.to_string(), expected.replace("PROXY", &format!("the proxy http://{proxy}")));
        assert!(!format!("{error:?}").contains("hunter2"));
    };
    let unauthorised = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n";
    check(unauthorised, "", "PROXY wants a user and a password").await;
    check(unauthorised, "ann:hunter2@", "PROXY refused user and password").await;
    let onward = format!("PROXY could not connect onward: {dc}: HTTP/1.1 502 Bad Gateway");
    check("HTTP/1.1 502 Bad Gateway\r\nX: y\r\n\r\n", "", &onward).await;
    let onward = format!("PROXY could not connect onward: {dc}: HTTP/1.1 403 Forbidden");
    check("HTTP/1.1 403 Forbidden\r\n\r\n", "ann:hunter2@", &onward).await;
    let moved = "PROXY gave an answer that does not belong to HTTP CONNECT: HTTP/1.1 302 Found";
    check("HTTP/1.1 302 Found\r\nLocation: x\r\n\r\n", "", moved).await;
}

#[tokio::test]
async fn a_name_is_left_to_the_proxy() {
    let server = websocket::server().await;
    let (proxy, requests) = proxy("HTTP/1.1 200 OK\r\n\r\n", server).await;
    let socket = WebSocket::parse("ws://venus.web.telegram.invalid:8080/apiws").unwrap();
    let target = Target { endpoint: Endpoint::WebSocket(socket), ..target(server) };
    converse(dialled(&target, &format!("http://{proxy}")).await.unwrap()).await;
    assert!(requests.lock().unwrap()[0].starts_with("CONNECT venus.web.telegram.invalid:8080 HTTP/1.1\r\n"));
}
