//! Requests against servers of the test's own, on this machine.

use std::future::Future;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

use super::*;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request as the server got it.
#[derive(Clone, Debug)]
struct Got {
    head: String,
    body: String,
    /// Counts connections from 1.
    connection: usize,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// What a server does with a request.
enum Do {
    /// Writes, and waits for the next.
    Answer(Vec<u8>),
    /// Writes, and closes.
    Last(Vec<u8>),
    /// Writes this again and again, as long as somebody reads.
    Flood(Vec<u8>, Vec<u8>),
    /// Writes, and then nothing.
    Hang(Vec<u8>),
}

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Connections that the client has closed.
    closed: Arc<AtomicUsize>,
}

impl Server {
    async fn new(serve: impl Fn(Got) -> Do + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server =
            Server { address: listener.local_addr().unwrap(), connections: Arc::default(), closed: Arc::default() };
        let (connections, closed, serve) = (server.connections.clone(), server.closed.clone(), Arc::new(serve));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
                let (closed, serve) = (closed.clone(), serve.clone());
                tokio::spawn(async move {
                    converse(stream, number, &*serve).await;
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn grant(&self) -> String {
        format!("http:{}", self.address)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    async fn until_closed(&self, count: usize) {
        until(|| self.closed.load(Ordering::SeqCst) >= count).await;
    }
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes to be");
}

/// Returns once the client has closed, or the server has.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, connection: usize, serve: &impl Fn(Got) -> Do) {
    let mut input = Vec::new();
    loop {
        let Some(got) = read_request(&mut stream, &mut input, connection).await else { return };
        match serve(got) {
            Do::Answer(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Do::Last(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Do::Flood(first, again) => {
                let _ = stream.write_all(&first).await;
                while stream.write_all(&again).await.is_ok() {}
                return;
            }
            Do::Hang(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let mut rest = [0; 64];
                while matches!(stream.read(&mut rest).await, Ok(1..)) {}
                return;
            }
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, input: &mut Vec<u8>, connection: usize) -> Option<Got> {
    let end = loop {
        if let Some(at) = input.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(input).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(input[..end].to_vec()).unwrap();
    let mut got = Got { head, body: String::new(), connection };
    let length = got.header("content-length").map_or(0, |length| length.parse().unwrap());
    while input.len() < end + length {
        if stream.read_buf(input).await.ok()? == 0 {
            return None;
        }
    }
    got.body = String::from_utf8(input[end..end + length].to_vec()).unwrap();
    input.drain(..end + length);
    Some(got)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn redirect(status: u16, to: &str) -> Do {
    Do::Answer(answer(&format!("{status} Elsewhere"), &format!("Location: {to}\r\n"), b"gone"))
}

fn web_with(allow: &[String], lookup: Lookup, clock: Clock) -> Web {
    let http = Http { lookup, ..Http::here() };
    Web::new(http, WebGrants::new(allow), clock)
}

fn web(allow: &[String]) -> Web {
    web_with(allow, Lookup::System, Clock::real())
}

fn request(url: &str) -> Request {
    Request {
        method: Method::GET,
        url: Url::parse(url).unwrap(),
        headers: HeaderMap::new(),
        body: None,
        timeout: PATIENCE,
        redirects: 5,
        max_body: 1 << 20,
        to: Body::Memory,
    }
}

struct Answered {
    status: u16,
    headers: HeaderMap,
    url: String,
    body: Vec<u8>,
}

async fn fetch(web: &Web, request: Request) -> Result<Answered, Failure> {
    within(async {
        let mut running = web.begin(request)?;
        let (mut head, mut body) = (None, Vec::new());
        while let Some(part) = running.parts.recv().await {
            match part {
                Part::Head(found) => head = Some(found),
                Part::Piece(piece) => body.extend_from_slice(&piece),
            }
        }
        let end = running.end().await?;
        assert_eq!(end.length, body.len() as u64);
        let Head { status, headers, url } = head.unwrap();
        Ok(Answered { status, headers, url, body })
    })
    .await
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it ends")
}

async fn failure_of(web: &Web, request: Request) -> Failure {
    match fetch(web, request).await {
        Ok(answered) => panic!("status {}, {} bytes", answered.status, answered.body.len()),
        Err(failure) => failure,
    }
}

#[tokio::test]
async fn an_answer_has_status_headers_and_body_and_its_connection_is_used_again() {
    let server = Server::new(|got| {
        let body = format!("{} on connection {}", got.head.lines().next().unwrap(), got.connection);
        Do::Answer(answer("201 Made", "X-Twice: a\r\nX-Twice: b\r\n", body.as_bytes()))
    })
    .await;
    let web = web(&[server.grant()]);
    for n in 1..=3 {
        let answered = fetch(&web, request(&server.url(&format!("/{n}?x=y#part")))).await.unwrap();
        assert_eq!(answered.status, 201);
        assert_eq!(answered.body, format!("GET /{n}?x=y HTTP/1.1 on connection 1").as_bytes());
        assert_eq!(answered.headers.get_all("x-twice").iter().count(), 2);
        assert_eq!(answered.url, server.url(&format!("/{n}?x=y#part")));
    }
    // Another script, or another version of it, has connections of its own.
    let other = self::web(&[server.grant()]);
    fetch(&other, request(&server.url("/"))).await.unwrap();
    assert_eq!(server.connections(), 2);
    // They are gone with it.
    drop((web, other));
    server.until_closed(2).await;
}

#[tokio::test]
async fn a_redirect_leads_nowhere_that_was_not_granted() {
    let secret = Server::new(|_| Do::Answer(answer("200 OK", "", b"secret"))).await;
    let inside = secret.address;
    let targets = [
        format!("http://{inside}/"),
        format!("http://localhost:{}/", inside.port()),
        format!("http://[::ffff:127.0.0.1]:{}/", inside.port()),
        format!("http://2130706433:{}/", inside.port()),
        format!("//{inside}/"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://elsewhere.example/".to_owned(),
    ];
    for target in targets {
        let to = target.clone();
        let server = Server::new(move |_| redirect(302, &to)).await;
        let failure = failure_of(&web(&[server.grant()]), request(&server.url("/"))).await;
        assert_eq!(failure.name, "HTTP_NOT_ALLOWED", "{target}: {failure:?}");
        assert!(failure.text.contains("needs a grant: allow = [\"http:"), "{failure:?}");
    }
    for target in ["file:///etc/passwd", "ftp://elsewhere.example/", "gopher://x"] {
        let server = Server::new(move |_| redirect(302, target)).await;
        let failure = failure_of(&web(&[server.grant()]), request(&server.url("/"))).await;
        assert!(failure.text.contains("a URL begins with http:// or https://"), "{failure:?}");
    }
    assert_eq!(secret.connections(), 0);
}

#[tokio::test]
async fn a_redirect_is_followed_as_its_status_says_and_takes_no_secret_along() {
    let other = Server::new(|got| Do::Answer(answer("200 OK", "", got.head.as_bytes()))).await;
    let (elsewhere, grant) = (other.url("/there"), other.grant());
    let server = Server::new(move |got| {
        let path = got.head.split(' ').nth(1).unwrap().to_owned();
        match path.strip_prefix('/').and_then(|path| path.split_once('/')) {
            Some((status, "away")) => redirect(status.parse().unwrap(), &elsewhere),
            Some((status, _)) => redirect(status.parse().unwrap(), "/end"),
            None => Do::Answer(answer("200 OK", "", format!("{}{}", got.head, got.body).as_bytes())),
        }
    })
    .await;
    let web = web(&[server.grant(), grant]);
    let post = |path: &str| {
        let mut post = request(&server.url(path));
        post.method = Method::POST;
        post.body = Some(Bytes::from_static(b"the body"));
        for name in ["authorization", "cookie", "x-mine", "content-type"] {
            post.headers.insert(name, HeaderValue::from_static("text/secret"));
        }
        post
    };
    for (path, method, has_body) in [
        ("/301/", "GET", false),
        ("/302/", "GET", false),
        ("/303/", "GET", false),
        ("/307/", "POST", true),
        ("/308/", "POST", true),
    ] {
        let answered = fetch(&web, post(path)).await.unwrap();
        let got = String::from_utf8(answered.body).unwrap();
        assert!(got.starts_with(&format!("{method} /end ")), "{path}: {got}");
        assert_eq!(got.ends_with("the body"), has_body, "{path}: {got}");
        assert_eq!(got.contains("content-type: "), has_body, "{path}: {got}");
        assert!(got.contains("authorization: text/secret") && got.contains("x-mine: "), "{path}: {got}");
        assert_eq!(answered.url, server.url("/end"));
    }
    let got = String::from_utf8(fetch(&web, post("/307/away")).await.unwrap().body).unwrap();
    assert!(got.starts_with("POST /there ") && got.contains("x-mine: "), "{got}");
    assert!(!got.contains("authorization") && !got.contains("cookie"), "{got}");
    let mut put = post("/302/");
    put.method = Method::PUT;
    let got = String::from_utf8(fetch(&web, put).await.unwrap().body).unwrap();
    assert!(got.starts_with("PUT /end ") && got.ends_with("the body"), "{got}");
}

#[tokio::test]
async fn redirects_are_counted() {
    let server = Server::new(|_| redirect(302, "/again")).await;
    let web = web(&[server.grant()]);
    let failure = failure_of(&web, request(&server.url("/"))).await;
    assert_eq!(failure.name, "HTTP_REDIRECTS");
    assert!(failure.text.contains("more than 5 times"), "{failure:?}");
    let mut none = request(&server.url("/"));
    none.redirects = 0;
    let answered = fetch(&web, none).await.unwrap();
    assert_eq!((answered.status, answered.headers["location"].to_str().unwrap()), (302, "/again"));
    // Without a Location it is an answer like any other.
    let server = Server::new(|_| Do::Answer(answer("302 Found", "", b"here"))).await;
    let answered = fetch(&self::web(&[server.grant()]), request(&server.url("/"))).await.unwrap();
    assert_eq!((answered.status, answered.body.as_slice()), (302, b"here".as_slice()));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_comes_or_while_it_does() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec();
    let announced = Server::new(move |_| Do::Flood(head.clone(), vec![b'x'; 1 << 16])).await;
    let failure = failure_of(&web(&[announced.grant()]), request(&announced.url("/"))).await;
    assert_eq!(failure.name, "HTTP_TOO_LARGE");
    assert!(failure.text.contains("a body of 99999999999 bytes, and 1048576 bytes are taken"), "{failure:?}");
    let chunk = [format!("{:x}\r\n", 1 << 16).as_bytes(), &[b'x'; 1 << 16], b"\r\n"].concat();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let endless = Server::new(move |_| Do::Flood(head.clone(), chunk.clone())).await;
    let failure = failure_of(&web(&[endless.grant()]), request(&endless.url("/"))).await;
    assert_eq!(failure.name, "HTTP_TOO_LARGE");
    // Nobody goes on reading.
    announced.until_closed(1).await;
    endless.until_closed(1).await;
    // To the byte.
    let exact = Server::new(|_| Do::Answer(answer("200 OK", "", &[b'x'; 1000]))).await;
    for (max, fits) in [(1000, true), (999, false)] {
        let mut request = request(&exact.url("/"));
        request.max_body = max;
        assert_eq!(fetch(&web(&[exact.grant()]), request).await.is_ok(), fits);
    }
}

#[tokio::test]
async fn what_was_packed_counts_as_what_it_is() {
    let pack = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let bomb = pack(&vec![0; 64 << 20]);
    assert!(bomb.len() < 100_000);
    let small = pack(b"unpacked");
    let server = Server::new(move |got| {
        assert!(got.header("accept-encoding").is_some_and(|encodings| encodings.contains("gzip")));
        let body = if got.head.starts_with("GET /bomb ") { &bomb } else { &small };
        Do::Answer(answer("200 OK", "Content-Encoding: gzip\r\n", body))
    })
    .await;
    let web = web(&[server.grant()]);
    let failure = failure_of(&web, request(&server.url("/bomb"))).await;
    assert_eq!(failure.name, "HTTP_TOO_LARGE");
    let answered = fetch(&web, request(&server.url("/small"))).await.unwrap();
    assert_eq!(answered.body, b"unpacked");
    assert!(!answered.headers.contains_key("content-encoding"));
    let broken = Server::new(|_| Do::Answer(answer("200 OK", "Content-Encoding: gzip\r\n", b"not gzip"))).await;
    let failure = failure_of(&self::web(&[broken.grant()]), request(&broken.url("/"))).await;
    assert!(failure.text.contains("broke off"), "{failure:?}");
}

#[tokio::test]
async fn an_answer_that_is_shorter_than_it_says_is_an_error() {
    let short = Server::new(|_| Do::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".to_vec())).await;
    let failure = failure_of(&web(&[short.grant()]), request(&short.url("/"))).await;
    assert!(failure.name == "HTTP_FAILED" && failure.text.contains("broke off"), "{failure:?}");
    let cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort".to_vec();
    let cut = Server::new(move |_| Do::Last(cut.clone())).await;
    assert!(failure_of(&web(&[cut.grant()]), request(&cut.url("/"))).await.text.contains("broke off"));
    let nothing = Server::new(|_| Do::Last(Vec::new())).await;
    let failure = failure_of(&web(&[nothing.grant()]), request(&nothing.url("/secret?token=hush"))).await;
    assert!(failure.name == "HTTP_FAILED" && !failure.text.contains("hush"), "{failure:?}");
    let noise = Server::new(|_| Do::Last(b"SSH-2.0-what\r\n\r\n".to_vec())).await;
    assert_eq!(failure_of(&web(&[noise.grant()]), request(&noise.url("/"))).await.name, "HTTP_FAILED");
    // What is longer than it says is not part of it.
    let long = Server::new(|_| Do::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nlonger".to_vec())).await;
    assert_eq!(fetch(&web(&[long.grant()]), request(&long.url("/"))).await.unwrap().body, b"lo");
}

#[tokio::test]
async fn a_flood_of_headers_is_an_error() {
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let many = Server::new(move |_| Do::Answer(answer("200 OK", &many, b""))).await;
    assert_eq!(failure_of(&web(&[many.grant()]), request(&many.url("/"))).await.name, "HTTP_FAILED");
    let endless = Server::new(|_| Do::Flood(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'y'; 1 << 14])).await;
    assert_eq!(failure_of(&web(&[endless.grant()]), request(&endless.url("/"))).await.name, "HTTP_FAILED");
    endless.until_closed(1).await;
}

#[tokio::test]
async fn an_answer_that_drips_ends_with_its_time() {
    let drip = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd".to_vec();
    let server = Server::new(move |_| Do::Hang(drip.clone())).await;
    let clock = Clock::stepped(Duration::from_secs(1_700_000_000));
    let web = web_with(&[server.grant()], Lookup::System, clock.clone());
    let mut request = request(&server.url("/"));
    request.timeout = Duration::from_secs(20);
    let mut running = web.begin(request).unwrap();
    // The head, and the first drop.
    assert!(matches!(within(running.parts.recv()).await, Some(Part::Head(_))));
    assert!(matches!(within(running.parts.recv()).await, Some(Part::Piece(_))));
    clock.advance(Duration::from_secs(19));
    assert!(tokio::time::timeout(Duration::from_millis(20), running.parts.recv()).await.is_err(), "it still has time");
    clock.advance(Duration::from_secs(1));
    assert!(within(running.parts.recv()).await.is_none());
    let failure = within(running.end()).await.err().unwrap();
    assert_eq!(failure.name, "HTTP_TIMEOUT");
    assert!(failure.text.contains("took more than 20 s"), "{failure:?}");
    server.until_closed(1).await;
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_ends() {
    let server = Server::new(|_| Do::Hang(Vec::new())).await;
    let running = web(&[server.grant()]).begin(request(&server.url("/"))).unwrap();
    until(|| server.connections() == 1).await;
    drop(running);
    server.until_closed(1).await;
    // Nor does one whose answer nobody takes fill the memory.
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let server = Server::new(move |_| Do::Flood(head.clone(), chunk.clone())).await;
    let mut large = request(&server.url("/"));
    large.max_body = u64::MAX;
    let running = web(&[server.grant()]).begin(large).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(running.parts.len() <= 16);
    drop(running);
    server.until_closed(1).await;
}

/// Answers each question with the next of these lists; the last stays.
fn names(lists: &[&[&str]]) -> (Lookup, Arc<AtomicUsize>) {
    let lists: Vec<Vec<IpAddr>> =
        lists.iter().map(|list| list.iter().map(|address| address.parse().unwrap()).collect()).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let lookup = Lookup::Test(Arc::new(move |_| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        lists[n.min(lists.len() - 1)].clone()
    }));
    (lookup, asked)
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused() {
    let server = Server::new(|_| Do::Answer(answer("200 OK", "", b"secret"))).await;
    let url = format!("http://a.example:{}/", server.address.port());
    let named = "http:a.example".to_owned();
    for addresses in [&["127.0.0.1"][..], &["::ffff:127.0.0.1"], &["8.8.8.8", "127.0.0.1"], &["::1"], &["10.0.0.1"]] {
        let (lookup, _) = names(&[addresses]);
        let web = web_with(&[named.clone(), "http:*".into()], lookup, Clock::real());
        let failure = failure_of(&web, request(&url)).await;
        assert_eq!(failure.name, "HTTP_NOT_ALLOWED", "{addresses:?}: {failure:?}");
        assert!(failure.text.contains("a.example leads to "), "{failure:?}");
    }
    assert_eq!(server.connections(), 0);
    // With a grant for the address it may, at that port.
    let (lookup, _) = names(&[&["127.0.0.1"]]);
    let web = web_with(&[named, server.grant()], lookup, Clock::real());
    assert_eq!(fetch(&web, request(&url)).await.unwrap().body, b"secret");
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_asked() {
    // The name leads where it may when it is first asked for, and elsewhere from then on.
    let server = Server::new(|got| {
        let headers = if got.connection == 1 { "" } else { "Connection: close\r\n" };
        Do::Answer(answer("200 OK", headers, got.header("host").unwrap().as_bytes()))
    })
    .await;
    let url = format!("http://a.example:{}/", server.address.port());
    let (lookup, asked) = names(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let web = web_with(&["http:a.example".into(), server.grant()], lookup, Clock::real());
    let host = format!("a.example:{}", server.address.port());
    assert_eq!(fetch(&web, request(&url)).await.unwrap().body, host.as_bytes());
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one question for one connection");
    // The connection is there; a new one is asked for again, and checked again.
    fetch(&web, request(&url)).await.unwrap();
    assert_eq!((asked.load(Ordering::SeqCst), server.connections()), (1, 1));
    let (lookup, _) = names(&[&["127.0.0.2"]]);
    let web = web_with(&["http:a.example".into(), server.grant()], lookup, Clock::real());
    assert_eq!(failure_of(&web, request(&url)).await.name, "HTTP_NOT_ALLOWED");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_name_without_an_address_and_a_port_without_a_server_are_told() {
    let (lookup, _) = names(&[&[]]);
    let web = web_with(&["http:a.example".into()], lookup, Clock::real());
    let failure = failure_of(&web, request("http://a.example/secret")).await;
    assert_eq!(failure.name, "HTTP_CONNECT");
    assert!(failure.text.contains("no connection to a.example: the name has no address"), "{failure:?}");
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let failure = failure_of(&self::web(&["http:127.0.0.1".into()]), request(&format!("http://{free}/"))).await;
    assert_eq!(failure.name, "HTTP_CONNECT");
}

#[tokio::test]
async fn localhost_is_reached_by_its_name_alone() {
    let server = Server::new(|_| Do::Answer(answer("200 OK", "", b"here"))).await;
    let url = format!("http://localhost:{}/", server.address.port());
    let answered = fetch(&web(&["http:localhost".into()]), request(&url)).await.unwrap();
    assert_eq!(answered.body, b"here");
    for other in ["http:*", "http:127.0.0.1"] {
        assert_eq!(failure_of(&web(&[other.into()]), request(&url)).await.name, "HTTP_NOT_ALLOWED", "{other}");
    }
}

#[tokio::test]
async fn https_checks_whom_it_speaks_to() {
    // They are for tests only and protect nothing.
    let certificate = include_bytes!("../../../tests/dial/certificates/server.der");
    let key = include_bytes!("../../../tests/dial/certificates/server.key.der");
    let authority = include_bytes!("../../../tests/dial/certificates/authority.der");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.as_slice())],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.as_slice())),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                converse(stream, 1, &|_| Do::Answer(answer("200 OK", "", b"safe"))).await;
            });
        }
    });
    let (lookup, _) = names(&[&["127.0.0.1"]]);
    let allow = ["http:localhost".to_owned(), "http:127.0.0.1".into(), "http:other.example".into()];
    let http = Http { lookup, trust: Trust::Only(vec![authority.to_vec()]), ..Http::here() };
    let trusting = Web::new(http.clone(), WebGrants::new(&allow), Clock::real());
    for host in ["localhost", "127.0.0.1"] {
        let answered = fetch(&trusting, request(&format!("https://{host}:{port}/"))).await.unwrap();
        assert_eq!(answered.body, b"safe");
    }
    // It is not this one's certificate.
    let failure = failure_of(&trusting, request(&format!("https://other.example:{port}/"))).await;
    assert_eq!(failure.name, "HTTP_CONNECT");
    // Nor is its authority one of the web's.
    let usual = Web::new(Http { trust: Trust::Public, ..http }, WebGrants::new(&allow), Clock::real());
    let failure = failure_of(&usual, request(&format!("https://localhost:{port}/"))).await;
    assert!(failure.name == "HTTP_CONNECT" && failure.text.contains("certificate"), "{failure:?}");
}

#[tokio::test]
async fn the_places_whose_connections_are_kept_are_bounded() {
    let web = web(&["http:*".into()]);
    for n in 0..100 {
        web.client(&Url::parse(&format!("http://host-{n}.example/")).unwrap()).unwrap();
    }
    assert_eq!(web.0.clients.lock().unwrap().by_place.len(), MAX_PLACES);
}
