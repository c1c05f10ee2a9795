//! Decides how many bytes of messages the broker keeps in all, whoever they are for.

use std::cell::Cell;

use rumqttc::mqttbytes::v4::Publish;

/// What a kept message costs beside its texts: its place in a queue.
const AROUND: usize = 128;

/// Bytes that are taken by kept messages. Used by one thread only.
#[derive(Debug)]
pub(crate) struct Budget {
    used: Cell<usize>,
    limit: usize,
}

impl Budget {
    /// One for `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            used: Cell::new(0),
            limit,
        }
    }

    /// Takes the bytes for a message; `false` where they are not there.
    pub(crate) fn take(&self, publish: &Publish) -> bool {
        let used = self.used.get() + size(publish);
        let fits = used <= self.limit;
        if fits {
            self.used.set(used);
        }
        fits
    }

    /// Takes them for a message that was kept before.
    pub(crate) fn take_anyway(&self, publish: &Publish) {
        self.used.set(self.used.get() + size(publish));
    }

    /// Gives back what `take` took for this message.
    pub(crate) fn give_back(&self, publish: &Publish) {
        self.used.set(self.used.get().saturating_sub(size(publish)));
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }
}

fn size(publish: &Publish) -> usize {
    publish.topic.len() + publish.payload.len() + AROUND
}
