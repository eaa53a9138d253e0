//! One request, its redirects, and its answer in parts.

use std::error::Error as _;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use url::Url;

use super::Web;
use super::grants::NotPublic;
use crate::lua::data::{DataFolder, NewFile};

/// Bytes that are gathered before they go to the disk.
const WRITE: usize = 256 << 10;

/// What a script asks for.
pub(in crate::lua) struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    /// From the first byte sent to the last one received, redirects included.
    pub timeout: Duration,
    /// Redirects that are followed; the one after these is an error, unless there are none to follow.
    pub redirects: u32,
    /// Bytes of the body, inflated.
    pub max_body: u64,
    pub to: Body,
}

/// Where the body goes.
pub(in crate::lua) enum Body {
    Memory,
    /// This file, where the answer is a success; what a failure says is taken into memory, up to so many bytes.
    File {
        folder: DataFolder,
        path: Vec<u8>,
        max_failure: u64,
    },
}

/// What comes of a request, in this order: one head, and the pieces of a body that is to lie in memory.
pub(in crate::lua) enum Part {
    Head(Head),
    Piece(Bytes),
}

pub(in crate::lua) struct Head {
    pub status: u16,
    pub headers: HeaderMap,
    /// Where the last redirect led.
    pub url: String,
}

/// How a request ended that was answered.
pub(in crate::lua) struct Fetched {
    /// Bytes of the body.
    pub length: u64,
    /// They are in the file.
    pub is_in_file: bool,
}

/// Why there is no answer, or not all of it. Texts name a host, never a path: those have secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lua) struct Failure {
    pub name: &'static str,
    pub text: String,
}

impl Failure {
    pub fn new(name: &'static str, text: impl Into<String>) -> Failure {
        Failure { name, text: text.into() }
    }
}

/// A request that runs; dropped, it ends, and its connection with it.
pub(in crate::lua) struct Running {
    pub parts: mpsc::Receiver<Part>,
    task: JoinHandle<Result<Fetched, Failure>>,
}

impl Running {
    /// How it ended.
    pub async fn end(&mut self) -> Result<Fetched, Failure> {
        match (&mut self.task).await {
            Ok(result) => result,
            Err(_) => Err(Failure::new("HTTP_FAILED", "the host stopped while the request ran")),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Web {
    /// Begins a request on the host's runtime.
    pub fn begin(&self, request: Request) -> Result<Running, Failure> {
        let Some(runtime) = self.runtime() else {
            return Err(Failure::new("HTTP_FAILED", "there is no HTTP here"));
        };
        // A script that is busy stops the transfer, not the host.
        let (sender, parts) = mpsc::channel(16);
        let web = self.clone();
        let task = runtime.spawn(async move {
            let (timeout, host) = (request.timeout, host_of(&request.url));
            let clock = web.clock().clone();
            let late = |_| {
                let text = format!("{host} took more than {} s (timeout)", timeout.as_secs_f64());
                Err(Failure::new("HTTP_TIMEOUT", text))
            };
            clock.timeout(timeout, fetch(&web, request, &sender)).await.unwrap_or_else(late)
        });
        Ok(Running { parts, task })
    }
}

async fn fetch(web: &Web, mut request: Request, parts: &mpsc::Sender<Part>) -> Result<Fetched, Failure> {
    // What cannot be written is better not asked for.
    let file = match std::mem::replace(&mut request.to, Body::Memory) {
        Body::Memory => None,
        Body::File { folder, path, max_failure } => {
            web.grants().check(&request.url)?;
            Some((blocking(move || folder.create(path)).await?, max_failure))
        }
    };
    let mut followed = 0;
    let response = loop {
        let client = web.client(&request.url)?;
        let mut one = reqwest::Request::new(request.method.clone(), request.url.clone());
        *one.headers_mut() = request.headers.clone();
        *one.body_mut() = request.body.clone().map(Into::into);
        let response = client.execute(one).await.map_err(|error| failure(&error, &request.url))?;
        let Some(next) = redirect(&response, &request) else { break response };
        if followed == request.redirects {
            let text = format!("{} redirects more than {followed} times (redirects)", host_of(&request.url));
            return Err(Failure::new("HTTP_REDIRECTS", text));
        }
        followed += 1;
        follow(&mut request, response.status(), next?);
    };
    receive(request, response, file, parts).await
}

/// Where a redirect leads that is to be followed.
fn redirect(response: &reqwest::Response, request: &Request) -> Option<Result<Url, Failure>> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    if !is_redirect || request.redirects == 0 {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    let next = std::str::from_utf8(location.as_bytes()).ok().and_then(|location| request.url.join(location).ok());
    let host = host_of(&request.url);
    Some(next.ok_or_else(|| Failure::new("HTTP_FAILED", format!("{host} redirects to what is no URL"))))
}

/// Makes the request what it is after a redirect. <https://fetch.spec.whatwg.org/#http-redirect-fetch>
fn follow(request: &mut Request, status: StatusCode, mut next: Url) {
    let posted = status.as_u16() <= 302 && request.method == Method::POST;
    let see_other = status == StatusCode::SEE_OTHER && request.method != Method::HEAD;
    if posted || see_other {
        request.method = Method::GET;
        request.body = None;
        for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH] {
            request.headers.remove(name);
        }
    }
    if request.url.origin() != next.origin() {
        // They were meant for the one who was asked.
        request.headers.remove(AUTHORIZATION);
        request.headers.remove(COOKIE);
    }
    if next.fragment().is_none() {
        next.set_fragment(request.url.fragment());
    }
    request.url = next;
}

async fn receive(
    request: Request,
    mut response: reqwest::Response,
    file: Option<(NewFile, u64)>,
    parts: &mpsc::Sender<Part>,
) -> Result<Fetched, Failure> {
    let Request { method, url, mut max_body, .. } = request;
    let mut file = match file {
        Some((file, _)) if response.status().is_success() => Some((file, Vec::new())),
        Some((_, max_failure)) => {
            max_body = max_body.min(max_failure);
            None
        }
        None => None,
    };
    let is_in_file = file.is_some();
    let too_large = |bytes: Option<u64>| {
        let bytes = bytes.map_or(String::new(), |bytes| format!(" of {bytes} bytes"));
        let text = format!("{} sends a body{bytes}, and {max_body} bytes are taken (max_body)", host_of(&url));
        Failure::new("HTTP_TOO_LARGE", text)
    };
    let announced = response.content_length().filter(|_| method != Method::HEAD);
    if announced.is_some_and(|length| length > max_body) {
        return Err(too_large(announced));
    }
    let head = Head {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        url: url.clone().into(),
    };
    // Who waited may be gone; then this is, in a moment.
    let gone = || Failure::new("HTTP_FAILED", "nobody waits any more");
    parts.send(Part::Head(head)).await.map_err(|_| gone())?;
    let mut length = 0;
    while let Some(piece) = response.chunk().await.map_err(|error| failure(&error, &url))? {
        length += piece.len() as u64;
        if length > max_body {
            return Err(too_large(None));
        }
        match file.take() {
            None => parts.send(Part::Piece(piece)).await.map_err(|_| gone())?,
            Some((kept, mut gathered)) => {
                gathered.extend_from_slice(&piece);
                let is_enough = gathered.len() >= WRITE;
                file = Some(if is_enough { (write(kept, gathered).await?, Vec::new()) } else { (kept, gathered) });
            }
        }
    }
    if let Some((file, gathered)) = file {
        let file = write(file, gathered).await?;
        blocking(move || file.commit()).await?;
    }
    Ok(Fetched { length, is_in_file })
}

async fn write(mut file: NewFile, bytes: Vec<u8>) -> Result<NewFile, Failure> {
    blocking(move || file.write_all(&bytes).map(|()| file)).await
}

/// What waits for the disk, on a thread that may.
async fn blocking<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Failure::new("HTTP_FILE", error.to_string())),
        Err(error) => Err(Failure::new("HTTP_FILE", error.to_string())),
    }
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// What went wrong, in words, without the path that reqwest would show.
fn failure(error: &reqwest::Error, url: &Url) -> Failure {
    let host = host_of(url);
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<NotPublic>() {
            return Failure::new("HTTP_NOT_ALLOWED", refused.to_string());
        }
        causes.push(inner.to_string());
        cause = inner.source();
    }
    // The last is what happened; the others say where.
    let cause = causes.pop().unwrap_or_else(|| "no reason was given".into());
    if error.is_timeout() {
        Failure::new("HTTP_TIMEOUT", format!("{host} does not answer"))
    } else if error.is_connect() {
        Failure::new("HTTP_CONNECT", format!("no connection to {host}: {cause}"))
    } else if error.is_body() || error.is_decode() {
        Failure::new("HTTP_FAILED", format!("the answer of {host} broke off: {cause}"))
    } else {
        Failure::new("HTTP_FAILED", format!("no answer of {host}: {cause}"))
    }
}
