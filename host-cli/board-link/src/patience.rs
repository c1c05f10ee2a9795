//! How long to wait yet: a deadline that counts only time in which this program could look.

use std::time::{Duration, Instant};

/// The longest stretch between two looks that counts. If the computer was suspended, or so busy
/// that it gave this program no turn, the board may have answered long ago (an emulated one was
/// stopped as well), and the time says nothing about it.
const LONGEST_STRETCH: Duration = Duration::from_millis(250);

/// Waits in pieces of at most this length keep within [`LONGEST_STRETCH`].
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// What is left of a time-out.
#[derive(Debug)]
pub(crate) struct Patience {
    left: Duration,
    looked_at: Instant,
}

impl Patience {
    pub(crate) fn new(length: Duration) -> Patience {
        Patience {
            left: length,
            looked_at: Instant::now(),
        }
    }

    /// Counts the time since the last look; answers what is left.
    pub(crate) fn left(&mut self) -> Duration {
        let now = Instant::now();
        let stretch = now.duration_since(self.looked_at).min(LONGEST_STRETCH);
        self.left = self.left.saturating_sub(stretch);
        self.looked_at = now;
        self.left
    }

    /// At most `length` of what is left, to be waited for by itself; [`Patience::return_rest`] ends that.
    pub(crate) fn part(&mut self, length: Duration) -> Patience {
        let length = length.min(self.left());
        self.left -= length;
        Patience::new(length)
    }

    /// Takes back what is left of a part. The time meanwhile has been counted there.
    pub(crate) fn return_rest(&mut self, mut part: Patience) {
        self.left += part.left();
        self.looked_at = Instant::now();
    }

    /// Counts the time since the last look; true if none is left.
    pub(crate) fn is_over(&mut self) -> bool {
        self.left().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_stretch_without_a_look_does_not_count_in_full() {
        let mut patience = Patience::new(Duration::from_secs(5));
        patience.looked_at = Instant::now()
            .checked_sub(Duration::from_secs(60))
            .unwrap_or_else(Instant::now);
        assert!(patience.left() >= Duration::from_millis(4700));
        let mut short = Patience::new(Duration::ZERO);
        assert!(short.is_over());
    }

    #[test]
    fn time_of_a_part_counts_once_and_in_full() {
        let mut whole = Patience::new(Duration::from_secs(10));
        for _ in 0..8 {
            let mut part = whole.part(Duration::from_millis(1250));
            part.left = Duration::ZERO;
            whole.looked_at -= Duration::from_millis(1250);
            whole.return_rest(part);
        }
        assert!(whole.left() < Duration::from_millis(250), "{whole:?}");
    }
}
