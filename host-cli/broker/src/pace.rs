//! Decides how fast a client may publish: so many messages a second on average, a second's worth of them at once.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::{self, Instant};

const BURST: Duration = Duration::from_secs(1);

pub(crate) struct Pace {
    /// What each message uses up; none where there is no limit.
    each: Option<Duration>,
    /// When all messages so far would have been sent at the allowed rate.
    used_up: Instant,
}

impl Pace {
    pub(crate) fn new(rate: Option<NonZeroU32>) -> Self {
        Self {
            each: rate.map(|rate| Duration::from_secs(1) / rate.get()),
            used_up: Instant::now(),
        }
    }

    /// Counts a message and says how long the next one must wait.
    fn count(&mut self, now: Instant) -> Duration {
        let Some(each) = self.each else {
            return Duration::ZERO;
        };
        self.used_up = self.used_up.max(now) + each;
        (self.used_up - now).saturating_sub(BURST)
    }

    /// Counts a message and waits until there may be another.
    pub(crate) async fn wait(&mut self) {
        if self.each.is_none() {
            return;
        }
        let pause = self.count(Instant::now());
        if !pause.is_zero() {
            time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_free_and_then_the_rate_counts() {
        let mut pace = Pace::new(NonZeroU32::new(10));
        let start = pace.used_up;
        for _ in 0..10 {
            assert_eq!(pace.count(start), Duration::ZERO);
        }
        assert_eq!(pace.count(start), Duration::from_millis(100));
        assert_eq!(pace.count(start), Duration::from_millis(200));
        // Who waits as told goes on with one message each tenth of a second.
        let later = start + Duration::from_millis(200);
        assert_eq!(pace.count(later), Duration::from_millis(100));
        // A pause gives no more than the one second back.
        let rested = start + Duration::from_secs(60);
        for _ in 0..10 {
            assert_eq!(pace.count(rested), Duration::ZERO);
        }
        assert_eq!(pace.count(rested), Duration::from_millis(100));
        assert_eq!(Pace::new(None).count(start), Duration::ZERO);
    }
}
