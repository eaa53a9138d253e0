//! The way of unasked-for messages from the connection to whoever wants them: bounded, and never in the way of replies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

/// Messages that wait to be taken; more are let go.
pub const MAX_WAITING_UPDATES: usize = 4_096;
/// The same in bytes.
pub const MAX_WAITING_BYTES: usize = 32 << 20;

/// The receiving end.
pub struct Updates {
    messages: mpsc::Receiver<Bytes>,
    bytes: Arc<AtomicUsize>,
}

impl Updates {
    /// The next message in the order of arrival; `None` when the connection is closed for good.
    pub async fn recv(&mut self) -> Option<Bytes> {
        let message = self.messages.recv().await?;
        self.bytes.fetch_sub(message.len(), Ordering::Relaxed);
        Some(message)
    }

    /// The next message if one waits.
    pub fn try_recv(&mut self) -> Option<Bytes> {
        let message = self.messages.try_recv().ok()?;
        self.bytes.fetch_sub(message.len(), Ordering::Relaxed);
        Some(message)
    }
}

/// The connection's end.
pub(super) struct UpdatesSender {
    messages: mpsc::Sender<Bytes>,
    bytes: Arc<AtomicUsize>,
}

pub(super) fn channel() -> (UpdatesSender, Updates) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING_UPDATES);
    let bytes = Arc::new(AtomicUsize::new(0));
    (UpdatesSender { messages: sender, bytes: bytes.clone() }, Updates { messages: receiver, bytes })
}

impl UpdatesSender {
    /// False when the queue is full: the message is let go, and whoever reads the queue must fetch the difference. Waiting
    /// for room here would hold up the replies behind it.
    pub fn send(&self, message: Bytes) -> bool {
        let len = message.len();
        // A single message may be larger than all of the room.
        let before = self.bytes.fetch_add(len, Ordering::Relaxed);
        if (before > 0 && before + len > MAX_WAITING_BYTES) || self.messages.try_send(message).is_err() {
            self.bytes.fetch_sub(len, Ordering::Relaxed);
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses_by_count_and_by_bytes() {
        let (sender, mut updates) = channel();
        for _ in 0..MAX_WAITING_UPDATES {
            assert!(sender.send(Bytes::from_static(b"1234")));
        }
        assert!(!sender.send(Bytes::from_static(b"1234")));
        assert!(updates.recv().await.is_some());
        assert!(sender.send(Bytes::from_static(b"1234")));
        while updates.try_recv().is_some() {}

        let large = Bytes::from(vec![0; MAX_WAITING_BYTES / 2]);
        assert!(sender.send(large.clone()) && sender.send(large.clone()));
        assert!(!sender.send(large.clone()));
        assert!(updates.recv().await.is_some());
        assert!(sender.send(large));
    }
}
