//! A stream of bytes over one that needs a flush, in TLS records or not.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::{Buf, BytesMut};
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::mtproto::faketls::{FakeTlsError, Greeting, Records};

/// Bytes that are taken from a writer at a time, so that what waits for the socket stays bounded.
const MAX_TAKEN: usize = 64 << 10;
const READ: usize = 16 << 10;

/// Reads and writes bytes of the framing. What was written goes out even if nobody flushes, for as long as somebody
/// reads.
pub struct Disguised<S> {
    inner: S,
    records: Option<Records>,
    /// Bytes of records that are not whole yet.
    received: BytesMut,
    /// What records held that nobody has read yet.
    opened: BytesMut,
    unsent: BytesMut,
    /// The inner stream may hold bytes back as well.
    unflushed: bool,
    owners: Arc<Owners>,
    /// Wakes them both.
    both: Waker,
}

/// The tasks that read and write, which may be one or two. Either moves on what waits for the socket, but a socket knows
/// only one task that waits for room: if that one had lost interest, the bytes would stay.
#[derive(Default)]
struct Owners {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Wake for Owners {
    fn wake(self: Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Disguised<S> {
    /// `records` carry it after a fake-TLS greeting; `received` is what came behind the greeting.
    pub fn new(inner: S, records: Option<(Records, BytesMut)>) -> Disguised<S> {
        let (records, received) = records.unzip();
        let owners = Arc::new(Owners::default());
        let both = Waker::from(owners.clone());
        Disguised {
            inner,
            records,
            received: received.unwrap_or_default(),
            opened: BytesMut::new(),
            unsent: BytesMut::new(),
            unflushed: false,
            owners,
            both,
        }
    }

    fn disguise(&mut self, plain: &[u8]) {
        match &mut self.records {
            Some(records) => {
                let mut sealed = Vec::with_capacity(plain.len() + plain.len() / 64 + 32);
                records.seal(plain, &mut sealed);
                self.unsent.extend_from_slice(&sealed);
            }
            None => self.unsent.extend_from_slice(plain),
        }
        self.unflushed = true;
    }

    /// Everything taken so far, to the wire.
    fn poll_send(&mut self) -> Poll<io::Result<()>> {
        let cx = &mut Context::from_waker(&self.both);
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.advance(sent);
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads records until one holds something. False at the end of the stream.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Some(records) = &mut self.records else { return Poll::Ready(Ok(false)) };
        loop {
            records.open(&mut self.received, &mut self.opened).map_err(invalid)?;
            if !self.opened.is_empty() {
                return Poll::Ready(Ok(true));
            }
            let mut chunk = [0; READ];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                let cut_off = !self.received.is_empty();
                return Poll::Ready(if cut_off { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(false) });
            }
            self.received.extend_from_slice(chunk.filled());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Disguised<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.owners.reader.register(cx.waker());
        if this.unflushed {
            // Who reads need not care; an error shows in what is read or written next.
            let _ = this.poll_send();
        }
        if this.records.is_none() {
            return Pin::new(&mut this.inner).poll_read(cx, into);
        }
        if this.opened.is_empty() && !ready!(this.poll_open(cx))? {
            return Poll::Ready(Ok(()));
        }
        let taken = this.opened.len().min(into.remaining());
        into.put_slice(&this.opened.split_to(taken));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Disguised<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, plain: &[u8]) -> Poll<io::Result<usize>> {
        self.owners.writer.register(cx.waker());
        ready!(self.poll_send())?;
        let taken = plain.len().min(MAX_TAKEN);
        self.disguise(&plain[..taken]);
        // What does not go out now goes with the next write, flush or read. Those find an error as well.
        let _ = self.poll_send();
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.owners.writer.register(cx.waker());
        self.poll_send()
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.owners.writer.register(cx.waker());
        ready!(self.poll_send())?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The client's half of the fake-TLS greeting; what came behind the proxy's answer is returned.
pub async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    greeting: &Greeting,
) -> Result<BytesMut, GreetError> {
    stream.write_all(greeting.hello()).await?;
    stream.flush().await?;
    let mut input = BytesMut::with_capacity(4096);
    while !greeting.take_answer(&mut input)? {
        if stream.read_buf(&mut input).await? == 0 {
            return Err(GreetError::Io(super::closed()));
        }
    }
    Ok(input)
}

#[derive(Debug, thiserror::Error)]
pub enum GreetError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    FakeTls(#[from] FakeTlsError),
}

fn invalid(error: FakeTlsError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A client over a pipe that holds `room` bytes, and its other end.
    fn pair(room: usize, tls: bool) -> (Disguised<tokio::io::DuplexStream>, tokio::io::DuplexStream) {
        let (inner, other) = tokio::io::duplex(room);
        let records = tls.then(|| (Records::new(), BytesMut::new()));
        (Disguised::new(inner, records), other)
    }

    async fn within<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(10), future).await.expect("bounded in time")
    }

    #[tokio::test]
    async fn what_was_written_goes_out_while_its_owner_only_reads() {
        for tls in [false, true] {
            let (mut client, mut server) = pair(16, tls);
            let sent = vec![5; 10_000];
            within(client.write_all(&sent)).await.unwrap();
            let reading = tokio::spawn(async move { client.read(&mut [0; 8]).await });
            let mut got = vec![0; sent.len()];
            within(server.read_exact(&mut got)).await.unwrap();
            reading.abort();
        }
    }

    #[tokio::test]
    async fn a_writer_and_a_reader_in_two_tasks_do_not_forget_each_other() {
        let (client, mut server) = pair(64, false);
        let (mut reading, mut writing) = tokio::io::split(client);
        const LENGTH: usize = 300_000;
        let writer = tokio::spawn(async move {
            for piece in vec![9; LENGTH].chunks(1_000) {
                writing.write_all(piece).await.unwrap();
            }
            writing.flush().await.unwrap();
            writing
        });
        let reader = tokio::spawn(async move {
            let mut got = vec![0; LENGTH];
            reading.read_exact(&mut got).await.unwrap();
            got
        });
        let mut answered = 0;
        let echo = async {
            while answered < LENGTH {
                let mut chunk = [0; 50];
                let length = server.read(&mut chunk).await.unwrap();
                answered += length;
                server.write_all(&chunk[..length]).await.unwrap();
            }
        };
        within(echo).await;
        assert_eq!(within(reader).await.unwrap(), vec![9; LENGTH]);
        within(writer).await.unwrap();
    }

    #[tokio::test]
    async fn a_stream_that_ends_within_a_record_is_an_error_and_not_an_end() {
        let (mut client, mut server) = pair(64, true);
        server.write_all(&[0x17, 3, 3, 0, 9, 1]).await.unwrap();
        drop(server);
        let error = within(client.read(&mut [0; 8])).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
