//! HTTP CONNECT: <https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6>.

use std::io;

use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::error::{DialError, Peer, Step};
use super::socks::Onward;
use super::via::{Login, Place};

/// The longest head of an answer that is read.
const MAX_HEAD: usize = 16 << 10;
/// How much of an answer is repeated in an error.
const MAX_SHOWN: usize = 120;

/// Asks the proxy at the other end of `stream` for a connection to `target`; a name is the proxy's to resolve.
pub async fn connect(
    mut stream: TcpStream,
    proxy: &Peer,
    login: Option<&Login>,
    target: &Place,
) -> Result<Onward, DialError> {
    let broken = |source| DialError::Broken { step: Step::HttpConnect, peer: proxy.clone(), source };
    let garbage = |answer| DialError::Garbage { step: Step::HttpConnect, peer: proxy.clone(), answer };
    stream.write_all(request(target, login).as_bytes()).await.map_err(broken)?;
    let head = match read_head(&mut stream).await.map_err(broken)? {
        Head::Whole(head) => head,
        Head::NotHttp(start) => return Err(garbage(shown(&start))),
        Head::TooLong => return Err(garbage(format!("more than {MAX_HEAD} bytes of header"))),
    };
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    match status(line) {
        Some(200..=299) => Ok(Onward::Connected(stream)),
        Some(407) if login.is_some() => Err(DialError::LoginRefused { proxy: proxy.clone() }),
        Some(407) => Err(DialError::LoginWanted { proxy: proxy.clone() }),
        Some(400..=599) => Ok(Onward::Refused(shown(line))),
        _ => Err(garbage(shown(line))),
    }
}

fn request(target: &Place, login: Option<&Login>) -> String {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(Login { user, password }) = login {
        let credentials = BASE64.encode(format!("{user}:{password}").as_bytes());
        request.push_str(&format!("Proxy-Authorization: Basic {credentials}\r\n"));
    }
    request.push_str("\r\n");
    request
}

enum Head {
    /// Up to the empty line.
    Whole(Vec<u8>),
    NotHttp(Vec<u8>),
    TooLong,
}

/// Reads up to the empty line and not a byte further: what follows is the target's.
async fn read_head(stream: &mut TcpStream) -> io::Result<Head> {
    let mut head: Vec<u8> = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let there = stream.peek(&mut chunk).await?;
        if there == 0 {
            return Err(super::closed());
        }
        // The end may lie across what was read before.
        let seen = head.len();
        head.extend_from_slice(&chunk[..there]);
        let from = seen.saturating_sub(3);
        let end = head[from..].windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| from + at + 4);
        let taken = end.unwrap_or(head.len()) - seen;
        stream.read_exact(&mut chunk[..taken]).await?;
        let start = head.len().min(5);
        if head[..start] != b"HTTP/"[..start] {
            return Ok(Head::NotHttp(head));
        }
        if let Some(end) = end {
            head.truncate(end);
            return Ok(Head::Whole(head));
        }
        if head.len() > MAX_HEAD {
            return Ok(Head::TooLong);
        }
    }
}

/// The number in `HTTP/1.1 200 Connection established`.
fn status(line: &[u8]) -> Option<u16> {
    let mut words = line.split(|byte| *byte == b' ');
    let version = words.next()?;
    let code = words.next()?;
    let is_one = version.starts_with(b"HTTP/1.");
    let is_code = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
    if is_one && is_code { std::str::from_utf8(code).ok()?.parse().ok() } else { None }
}

/// An answer as one can print it: its first line, without what would move a terminal's cursor.
pub fn shown(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
    line[..line.len().min(MAX_SHOWN)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_names_the_target_and_the_user() {
        let target = Place { host: "::1".to_owned(), port: 443 };
        assert_eq!(request(&target, None), "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n");
        let login = Login { user: "Aladdin".to_owned(), password: "open sesame".to_owned() };
        // The example of RFC 7617.
        assert!(request(&target, Some(&login)).contains("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
    }

    #[test]
    fn a_status_line_is_one_of_http_1() {
        let check = |line: &str, code: Option<u16>| assert_eq!(status(line.as_bytes()), code, "{line}");
        check("HTTP/1.1 200 Connection established", Some(200));
        check("HTTP/1.0 407", Some(407));
        check("HTTP/2 200", None);
        check("HTTP/1.1 2000", None);
        check("HTTP/1.1  200", None);
        check("HTTP/1.1", None);
    }

    #[test]
    fn what_is_repeated_of_an_answer_is_one_short_printable_line() {
        assert_eq!(shown(b"HTTP/1.1 502 \x1b[2J\r\nx"), "HTTP/1.1 502 \\x1b[2J");
        assert_eq!(shown(&[b'a'; 500]).len(), MAX_SHOWN);
    }
}
