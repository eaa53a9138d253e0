//! The control socket: a Unix socket beside the session, on which the command line asks the running host.
//!
//! One line of JSON each way, for as long as the connection lasts. Only the owner of the host, and root, are heard.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::handle::{Handle, HandlerRow, Row};

/// Bytes of one line; longer ones end the connection.
const MAX_LINE: u64 = 1 << 20;
/// Connections that are served at once; more wait.
const MAX_CONNECTIONS: usize = 32;

/// What may be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    List,
    /// The handlers of a script, with what they took.
    Handlers {
        script: String,
    },
    /// All that are not stopped, where no script is named.
    Reload {
        script: Option<String>,
    },
    Start {
        script: String,
    },
    Stop {
        script: String,
    },
    /// A line of Lua, in a script's state or in the console's own.
    Evaluate {
        script: Option<String>,
        code: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Scripts(Vec<Row>),
    Handlers(Vec<HandlerRow>),
    Text(String),
    /// A sentence for the operator.
    Error(String),
}

/// Why the socket cannot be had, or the host not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("{} is no socket, and in the way of the control socket: move it away", .0.display())]
    InTheWay(PathBuf),
    #[error("the control socket {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("no host is running here (nobody listens at {}): start it with `moongram run`, or name its configuration with -c", .0.display())]
    NobodyThere(PathBuf),
    #[error("{}: the host is another user's", .0.display())]
    NotYours(PathBuf),
    #[error("the host did not answer: {0}")]
    Broken(String),
}

/// The open socket; it is closed and removed when this is dropped.
pub struct Control {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Control {
    /// Listens at `path`, for the owner alone. Whoever holds the session's lock may take over what a host before left there.
    pub fn listen(path: &Path, host: Handle) -> Result<Control, ControlError> {
        let listener = bind(path)?;
        let task = tokio::spawn(serve(listener, host));
        Ok(Control { path: path.to_owned(), task })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        // What cannot be removed is taken over by the next host.
        let _ = fs::remove_file(&self.path);
    }
}

fn bind(path: &Path) -> Result<UnixListener, ControlError> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let failed = |source| ControlError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
        Ok(_) => return Err(ControlError::InTheWay(path.to_owned())),
        Err(_) => {}
    }
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).map_err(failed)?;
    socket.bind(&socket2::SockAddr::unix(path).map_err(failed)?).map_err(failed)?;
    // Before anyone can connect: nobody listens yet.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    socket.listen(16).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    UnixListener::from_std(std::os::fd::OwnedFd::from(socket).into()).map_err(failed)
}

async fn serve(listener: UnixListener, host: Handle) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let owner = rustix::process::geteuid().as_raw();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("the control socket: {error}");
                tokio::task::yield_now().await;
                continue;
            }
        };
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == owner || peer.uid() == 0) {
            tracing::warn!("another user tried the control socket");
            continue;
        }
        let host = host.clone();
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = converse(stream, &host).await {
                tracing::debug!("a connection to the control socket broke: {error}");
            }
        });
    }
}

async fn converse(mut stream: UnixStream, host: &Handle) -> io::Result<()> {
    let (from, mut to) = stream.split();
    let mut from = BufReader::new(from);
    while let Some(line) = read_line(&mut from).await? {
        let answer = match serde_json::from_slice(&line) {
            Ok(ask) => answer(host, ask).await,
            Err(error) => Answer::Error(format!("not understood: {error}")),
        };
        write_line(&mut to, &answer).await?;
    }
    Ok(())
}

async fn answer(host: &Handle, ask: Ask) -> Answer {
    let result = match ask {
        Ask::List => Ok(Answer::Scripts(host.list().await)),
        Ask::Handlers { script } => host.handlers(script).await.map(Answer::Handlers),
        Ask::Reload { script } => host.reload(script).await.map(Answer::Scripts),
        Ask::Start { script } => host.start(script).await.map(|row| Answer::Scripts(vec![row])),
        Ask::Stop { script } => host.stop_script(script).await.map(|row| Answer::Scripts(vec![row])),
        Ask::Evaluate { script, code } => host.evaluate(script, code).await.map(Answer::Text),
    };
    result.unwrap_or_else(Answer::Error)
}

/// A line without its end; none where the other side has closed.
async fn read_line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut line).await?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a line that is too long, or does not end")),
    }
}

async fn write_line(to: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}

/// A connection to a running host.
pub struct Asker {
    stream: BufReader<UnixStream>,
}

impl Asker {
    pub async fn connect(path: &Path) -> Result<Asker, ControlError> {
        match UnixStream::connect(path).await {
            Ok(stream) => Ok(Asker { stream: BufReader::new(stream) }),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    ControlError::NobodyThere(path.to_owned())
                }
                io::ErrorKind::PermissionDenied => ControlError::NotYours(path.to_owned()),
                _ => ControlError::Io { path: path.to_owned(), source: error },
            }),
        }
    }

    /// One question and its answer.
    pub async fn ask(&mut self, ask: &Ask) -> Result<Answer, ControlError> {
        let broken = |error: io::Error| ControlError::Broken(error.to_string());
        write_line(&mut self.stream, ask).await.map_err(broken)?;
        let line = read_line(&mut self.stream).await.map_err(broken)?;
        let line = line.ok_or_else(|| ControlError::Broken("it has ended".into()))?;
        serde_json::from_slice(&line).map_err(|error| ControlError::Broken(error.to_string()))
    }
}
