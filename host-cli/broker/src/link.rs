//! Decides what waits to be written to one connection, and carries the order to end it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use crate::tap::CloseReason;

/// Bytes that may wait for a client that does not read before its publishers are slowed, and, when
/// that has not helped, before messages of QoS 0 to it are dropped.
pub(crate) const HIGH_WATER: usize = 8 << 20;

/// The half of a connection that the hub writes to. Used by one thread only.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// How many of all links are full.
    full: Rc<Cell<usize>>,
    waiting: RefCell<BytesMut>,
    /// Bytes waiting here or handed to the socket and not yet taken by it.
    pending: Cell<usize>,
    filled: Notify,
    drained: Notify,
    /// The client did not drain within the time that a publisher waits for it.
    stalled: Cell<bool>,
    end: RefCell<Option<CloseReason>>,
    ended: Notify,
}

impl Link {
    /// One of those among which `full` are full.
    pub(crate) fn new(full: &Rc<Cell<usize>>) -> Self {
        let mut link = Self::default();
        link.full = Rc::clone(full);
        link
    }

    fn set_pending(&self, pending: usize) {
        let was_full = self.is_full();
        self.pending.set(pending);
        match (was_full, self.is_full()) {
            (false, true) => self.full.set(self.full.get() + 1),
            (true, false) => self.full.set(self.full.get() - 1),
            _ => {}
        }
    }

    /// Lets `encode` append to what is to be written. The bytes of all calls until the socket takes
    /// them leave in one write.
    pub(crate) fn send(&self, encode: impl FnOnce(&mut BytesMut)) {
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        encode(&mut waiting);
        self.set_pending(self.pending.get() + waiting.len() - before);
        self.filled.notify_one();
    }

    /// Waits for bytes to write and takes them all, in exchange for an empty buffer.
    pub(crate) async fn take(&self, bytes: &mut BytesMut) {
        while self.waiting.borrow().is_empty() {
            self.filled.notified().await;
        }
        std::mem::swap(&mut *self.waiting.borrow_mut(), bytes);
    }

    /// Takes what is left without waiting, for the last write of a connection.
    pub(crate) fn take_rest(&self) -> Bytes {
        self.waiting.borrow_mut().split().freeze()
    }

    /// Forgets what was to be written: the broker can no longer keep what it says.
    pub(crate) fn silence(&self) {
        self.waiting.borrow_mut().clear();
    }

    /// Says that the socket took `count` bytes.
    pub(crate) fn written(&self, count: usize) {
        self.set_pending(self.pending.get().saturating_sub(count));
        if self.pending.get() < HIGH_WATER / 2 {
            self.stalled.set(false);
            self.drained.notify_waiters();
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.pending.get() > HIGH_WATER
    }

    /// Whether a publisher should wait for this client.
    pub(crate) fn is_worth_waiting_for(&self) -> bool {
        self.is_full() && !self.stalled.get()
    }

    /// Whether the client has had its chance, and messages of QoS 0 to it are to be dropped.
    pub(crate) fn drops(&self) -> bool {
        self.is_full() && (self.stalled.get() || self.pending.get() > 8 * HIGH_WATER)
    }

    pub(crate) fn set_stalled(&self) {
        self.stalled.set(true);
    }

    /// Waits until the client has read most of what waits.
    pub(crate) async fn drained(&self) {
        while self.is_full() {
            self.drained.notified().await;
        }
    }

    /// Orders the connection to end; the first reason counts.
    pub(crate) fn end(&self, reason: CloseReason) {
        self.end.borrow_mut().get_or_insert(reason);
        self.ended.notify_one();
    }

    /// Whether the order to end was given.
    pub(crate) fn is_ending(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Waits for the order to end.
    pub(crate) async fn ended(&self) -> CloseReason {
        loop {
            if let Some(reason) = self.end.borrow().clone() {
                return reason;
            }
            self.ended.notified().await;
        }
    }
}

impl Drop for Link {
    /// Whoever it was full for is gone.
    fn drop(&mut self) {
        self.set_pending(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_links_are_counted() {
        let full = Rc::new(Cell::new(0));
        let (one, other) = (Link::new(&full), Link::new(&full));
        let fill = |link: &Link, count: usize| link.send(|out| out.resize(out.len() + count, 0));
        fill(&one, HIGH_WATER);
        assert_eq!((one.is_full(), full.get()), (false, 0));
        fill(&one, 1);
        fill(&one, 1);
        fill(&other, HIGH_WATER + 1);
        assert_eq!((one.is_full(), full.get()), (true, 2));
        one.written(2);
        assert_eq!((one.is_full(), full.get()), (false, 1));
        fill(&one, 1);
        assert_eq!(full.get(), 2);
        drop(other);
        assert_eq!(full.get(), 1);
        one.written(usize::MAX);
        assert_eq!(full.get(), 0);
    }
}
