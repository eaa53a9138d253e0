//! `http` as scripts have it: a version of a script, and a server of the test's own on this machine.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moongram::client::Client;
use moongram::lua::{Env, Inbox, Places, Reason, ScriptSpec, Version, load};
use moongram::net::Clock;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request as the server got it.
#[derive(Clone, Debug, Default)]
struct Got {
    line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Answers by the path: `/echo` what it got, `/json`, `/status/404`, `/large`, `/hang` nothing until the client closes.
struct Server {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    /// Connections that hung and were closed by the client.
    let_go: Arc<AtomicUsize>,
    /// Lets `/gate` answer.
    gate: Arc<AtomicUsize>,
}

impl Server {
    fn new() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            let_go: Arc::default(),
            gate: Arc::default(),
        };
        let (got, let_go, gate) = (server.got.clone(), server.let_go.clone(), server.gate.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (got, let_go, gate) = (got.clone(), let_go.clone(), gate.clone());
                std::thread::spawn(move || converse(stream.unwrap(), &got, &let_go, &gate));
            }
        });
        server
    }

    fn last(&self) -> Got {
        self.got.lock().unwrap().last().cloned().unwrap()
    }

    async fn until(&self, mut is_so: impl FnMut(&Server) -> bool) {
        let waiting = async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it comes to be");
    }
}

fn converse(mut stream: TcpStream, all: &Mutex<Vec<Got>>, let_go: &AtomicUsize, gate: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut got = Got::default();
        if reader.read_line(&mut got.line).unwrap_or(0) == 0 {
            return;
        }
        got.line.truncate(got.line.trim_end().len());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            got.headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = got.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        got.body = String::from_utf8(body).unwrap();
        all.lock().unwrap().push(got.clone());
        let path = got.line.split(' ').nth(1).unwrap().to_owned();
        let (status, content) = match path.split(['/', '?']).nth(1).unwrap() {
            "json" => ("200 OK".to_owned(), b"{\"id\":9007199254740993,\"none\":null,\"list\":[]}".to_vec()),
            "status" => (path.rsplit('/').next().unwrap().to_owned() + " So", b"what it says".to_vec()),
            "large" => ("200 OK".to_owned(), vec![b'x'; 3 << 20]),
            "hang" => {
                let mut rest = Vec::new();
                let _ = reader.read_to_end(&mut rest);
                let_go.fetch_add(1, Ordering::SeqCst);
                return;
            }
            "gate" => {
                while gate.load(Ordering::SeqCst) == 0 {
                    std::thread::sleep(Duration::from_millis(2));
                }
                ("200 OK".to_owned(), b"opened".to_vec())
            }
            _ => ("200 OK".to_owned(), got.body.clone().into_bytes()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nX-Shape: Round\r\nSet-Cookie: a=1, b\r\nSet-Cookie: c\r\n\r\n",
            content.len()
        );
        if stream.write_all(&[head.as_bytes(), &content].concat()).is_err() {
            return;
        }
    }
}

struct World {
    server: Server,
    folder: tempfile::TempDir,
    client: Client,
    env: Env,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("scripts")).unwrap();
        let client = Client::detached();
        let mut env = Env::new(client.clone(), Clock::real());
        env.places = Arc::new(Places {
            data: Some(folder.path().join("data")),
            base: folder.path().to_owned(),
            protected: Vec::new(),
        });
        World { server: Server::new(), folder, client, env }
    }

    fn spec(&self, code: &str) -> ScriptSpec {
        let main: PathBuf = self.folder.path().join("scripts/web.lua");
        let code = code.replace("URL", &format!("http://{}", self.server.address));
        std::fs::write(&main, code).unwrap();
        let mut spec = ScriptSpec::new("web", main, self.folder.path().join("scripts"));
        spec.allow = vec![format!("http:{}", self.server.address)];
        spec
    }

    async fn load(&self, spec: ScriptSpec) -> (Version, Arc<Inbox>) {
        let inbox = Inbox::new(self.client.subscribe("web"));
        let version = load(Arc::new(spec), self.env.clone(), inbox.clone(), None).await;
        let version = version.unwrap_or_else(|error| panic!("{error}"));
        version.activate(Reason::Start);
        (version, inbox)
    }

    /// What the body of `tg.on_start` leaves in `script.state.result`, or raises.
    async fn run(&self, code: &str) -> serde_json::Value {
        self.run_spec(self.spec(&format!(
            "local state = script.state
tg.on_start(function()
  local ok, result = pcall(function() {code} end)
  state.result = ok and (result == nil and 'nothing' or result) or tostring(result)
end)"
        )))
        .await
    }

    async fn run_spec(&self, spec: ScriptSpec) -> serde_json::Value {
        let (version, _) = self.load(spec).await;
        let waiting = async {
            loop {
                let state = version.state().await.unwrap_or_else(|error| panic!("{error}")).to_json();
                if !state["result"].is_null() {
                    return state["result"].clone();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let result = tokio::time::timeout(PATIENCE, waiting).await.expect("a result");
        version.stop().await;
        result
    }
}

#[tokio::test]
async fn a_script_gets_and_posts() {
    let world = World::new();
    let result = world
        .run(
            "local r = http.get('URL/json', {query = {q = 'a b&c', n = 5, list = {'x', 'y'}}})
            assert(r.ok and r.status == 200 and r.size == #r.body and tostring(r):find('^response 200 of http://'))
            assert(r.headers['x-shape'] == 'Round' and r.headers['X-SHAPE'] == 'Round' and r.headers.nothing == nil)
            assert(r.headers['set-cookie'] == 'a=1, b\\nc')
            local value = r:json()
            assert(value.id == 9007199254740993 and value.none == json.null and json.encode(value.list) == '[]')
            return r.url",
        )
        .await;
    let query = "/json?list=x&list=y&n=5&q=a+b%26c";
    assert_eq!(result, format!("http://{}{query}", world.server.address));
    let got = world.server.last();
    assert_eq!(got.line, format!("GET {query} HTTP/1.1"));
    assert_eq!(got.headers["user-agent"], format!("moongram/{}", env!("CARGO_PKG_VERSION")));

    let result = world.run("return http.post('URL/echo', {json = {a = {1, 2}, b = json.array()}}).body").await;
    assert_eq!(result, "{\"a\":[1,2],\"b\":[]}");
    assert_eq!(world.server.last().headers["content-type"], "application/json");

    let result = world.run("return http.post('URL/echo', {form = {name = 'A & B', yes = true}}).body").await;
    assert_eq!(result, "name=A+%26+B&yes=true");
    assert_eq!(world.server.last().headers["content-type"], "application/x-www-form-urlencoded");

    let code = "return http.request{url = 'URL/echo', method = 'put', body = 'raw', headers = {['X-Mine'] = 'yes',
        ['Content-Type'] = 'text/plain', ['User-Agent'] = 'me'}, bearer = 'token'}.body";
    assert_eq!(world.run(code).await, "raw");
    let got = world.server.last();
    assert_eq!(got.line, "PUT /echo HTTP/1.1");
    for (name, value) in
        [("x-mine", "yes"), ("content-type", "text/plain"), ("authorization", "Bearer token"), ("user-agent", "me")]
    {
        assert_eq!(got.headers[name], value);
    }

    // What is in the URL is sent as it should be, and not shown.
    let login = format!("http://ann:p%20w@{}/echo", world.server.address);
    let url = world.run(&format!("return http.get('{login}').url")).await;
    assert_eq!(url, format!("http://{}/echo", world.server.address));
    assert_eq!(world.server.last().headers["authorization"], "Basic YW5uOnAgdw==");
    world.run("return http.get('URL/', {user = 'ann', password = 'p w'}).body").await;
    assert_eq!(world.server.last().headers["authorization"], "Basic YW5uOnAgdw==");
    // A failure of the server's is an answer.
    let code = "local r = http.get('URL/status/503') return {r.status, r.ok, r.body}";
    assert_eq!(world.run(code).await, serde_json::json!([503, false, "what it says"]));
}

#[tokio::test]
async fn what_is_wrong_is_told_with_the_line() {
    let world = World::new();
    async fn check(world: &World, code: &str, expected: &str) {
        let result = world.run(code).await;
        let text = result.as_str().unwrap_or_default();
        assert!(text.starts_with("web.lua:3: ") && text.contains(expected), "{code}: {result}");
    }
    check(&world, "http.get('example.org')", "http.get: the url \"example.org\" does not begin with https://").await;
    check(&world, "http.get('https://')", "http.get: the url is none: empty host").await;
    check(&world, "http.get(5)", "http.get expects a URL, got number").await;
    check(&world, "http.get('URL', 5)", "http.get: options are a table, got number").await;
    check(&world, "http.get('URL', {timeot = 5})", "there is no option timeot; did you mean timeout?").await;
    check(&world, "http.get('URL', {body = 'x'})", "GET has no body").await;
    check(&world, "http.post('URL', {body = 'x', json = {}})", "a request has one body").await;
    check(&world, "http.post('URL', {json = {f = print}})", "json: value.f is a function").await;
    check(&world, "http.get('URL', {headers = {Host = 'x'}})", "the header host is not a script's to set").await;
    check(&world, "http.get('URL', {headers = {x = 'a\\r\\nb: c'}})", "the value of the header x has a control").await;
    check(&world, "http.get('URL', {headers = {x = {{}}}})", "headers.x is a table, not a text").await;
    check(&world, "http.get('URL', {timeout = 1000})", "timeout is more than 0 and at most 600 s").await;
    check(&world, "http.get('URL', {redirects = 99})", "redirects is from 0 to 20, got 99").await;
    check(&world, "http.request{url = 'URL', method = 'CONNECT'}", "the method CONNECT is not for scripts").await;
    check(&world, "http.request{url = 'URL', method = 'A B'}", "\"A B\" is not a method").await;
    check(&world, "http.request{}", "http.request: the url is missing").await;
    check(
        &world,
        "http.get('https://example.org/')",
        "http.get: example.org needs a grant: allow = [\"http:example.org\"]",
    )
    .await;
    check(&world, "http.get('URL/large', {max_body = 10})", "and 10 bytes are taken (max_body)").await;
    check(&world, "http.get('URL/status/200'):json()", "response:json: expected value at line 1 column 1").await;
    // A refusal is an error with a name.
    let code = "local ok, err = tg.try(http.get, 'http://169.254.169.254/') return {ok, err.name, err:is('HTTP_*')}";
    assert_eq!(world.run(code).await, serde_json::json!([false, "HTTP_NOT_ALLOWED", true]));
    let code = "local ok, err = tg.try(http.get, 'URL/hang', {timeout = 0.05}) return err.name";
    assert_eq!(world.run(code).await, "HTTP_TIMEOUT");
    world.server.until(|server| server.let_go.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn the_top_level_asks_nobody() {
    let world = World::new();
    let inbox = Inbox::new(world.client.subscribe("web"));
    let spec = Arc::new(world.spec("http.get('URL/')"));
    let error = load(spec, world.env.clone(), inbox, None).await.err().expect("it does not load").to_string();
    assert!(error.starts_with("web.lua:1: http.get waits") && error.contains("put it into tg.on_start"), "{error}");
    assert!(world.server.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_goes_into_a_file_of_the_script_s_folder() {
    let world = World::new();
    let code =
        "local r = http.get('URL/large', {to = 'got/large.bin'}) return {r.status, r.size, r.file, r.body == nil}";
    assert_eq!(world.run(code).await, serde_json::json!([200, 3 << 20, "got/large.bin", true]));
    let folder = world.folder.path().join("data/web/got");
    assert_eq!(std::fs::read(folder.join("large.bin")).unwrap(), vec![b'x'; 3 << 20]);
    // What a failure says is no file, nor is half of one.
    let code = "local r = http.get('URL/status/404', {to = 'got/large.bin'}) return {r.status, r.file == nil, r.body}";
    assert_eq!(world.run(code).await, serde_json::json!([404, true, "what it says"]));
    let code = "local ok, err = tg.try(http.get, 'URL/large', {to = 'got/other.bin', max_body = 1000}) return err.name";
    assert_eq!(world.run(code).await, "HTTP_TOO_LARGE");
    assert_eq!(std::fs::read(folder.join("large.bin")).unwrap().len(), 3 << 20);
    // The part of the one that broke off is removed when its request is.
    for _ in 0..1000 {
        if std::fs::read_dir(&folder).unwrap().count() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    // Nobody is asked for what cannot be written.
    let asked = world.server.got.lock().unwrap().len();
    for path in ["../out", "/etc/passwd", "a/../../out"] {
        let result = world
            .run(&format!("local ok, err = tg.try(http.get, 'URL/large', {{to = '{path}'}}) return err.name"))
            .await;
        assert_eq!(result, "HTTP_FILE", "{path}");
    }
    assert_eq!(world.server.got.lock().unwrap().len(), asked);
}

#[tokio::test]
async fn open_requests_are_counted_and_their_memory_too() {
    let world = World::new();
    let mut spec = world.spec(
        "tg.on_start(function()
            for _ = 1, 3 do tg.spawn(function() pcall(http.get, 'URL/hang') end) end
            tg.sleep(0.05)
            local ok, err = pcall(http.get, 'URL/')
            script.state.result = err
        end)",
    );
    spec.limits.requests = 3;
    let result = world.run_spec(spec).await;
    assert!(result.as_str().unwrap().ends_with("http.get: 3 requests are open already (limits.requests)"), "{result}");
    world.server.until(|server| server.let_go.load(Ordering::SeqCst) == 3).await;
    let mut spec = world.spec(
        "tg.on_start(function()
            local ok, err = tg.try(http.get, 'URL/large')
            script.state.result = {err.name, tostring(err), http.get('URL/').status}
        end)",
    );
    spec.limits.memory = 4 << 20;
    let result = world.run_spec(spec).await;
    assert_eq!((&result[0], &result[2]), (&"HTTP_TOO_LARGE".into(), &200.into()), "{result}");
    assert!(result[1].as_str().unwrap().contains("not enough memory: the limit is 4 MiB"), "{result}");
}

#[tokio::test]
async fn requests_end_with_their_version_and_those_of_handlers_are_waited_for() {
    let world = World::new();
    let code = "tg.on_start(function(reason)
            if reason == 'reload' then return end
            tg.spawn(function() http.get('URL/hang') end)
            script.state.result = http.get('URL/gate').body
        end)
        script.on_unload(function() log.info('gone') end)";
    let (version, inbox) = world.load(world.spec(code)).await;
    world.server.until(|server| server.got.lock().unwrap().len() == 2).await;
    // The next version, as the host makes it.
    let next = load(Arc::new(world.spec(code)), world.env.clone(), inbox, None).await.unwrap();
    next.activate(Reason::Reload);
    let old = tokio::spawn(version.stop());
    // The task's request is gone with it; the handler waits for its own.
    world.server.until(|server| server.let_go.load(Ordering::SeqCst) == 1).await;
    assert!(!old.is_finished());
    world.server.gate.store(1, Ordering::SeqCst);
    tokio::time::timeout(PATIENCE, old).await.expect("the old version ends").unwrap();
    next.stop().await;
}
