//! Hardware timers and the watchdog: when each is due next.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// No timer is faster than this: below it a board of this kind would do nothing but interrupts.
const SHORTEST: Duration = Duration::from_micros(100);

struct Timer {
    due: Instant,
    /// None fires once.
    period: Option<Duration>,
}

#[derive(Default)]
pub(super) struct Timers {
    /// By `id + 1`, so that the virtual timer -1 has a byte too.
    timers: BTreeMap<u8, Timer>,
    watchdog: Option<Instant>,
}

impl Timers {
    /// Starts a timer, or stops it if `microseconds` is 0. `id` is -1 to 3.
    pub(super) fn set(&mut self, id: i64, microseconds: i64, repeat: bool) {
        let Ok(key) = u8::try_from(id + 1) else {
            return;
        };
        let Ok(microseconds @ 1..) = u64::try_from(microseconds) else {
            self.timers.remove(&key);
            return;
        };
        let period = Duration::from_micros(microseconds).max(SHORTEST);
        let timer = Timer {
            due: Instant::now() + period,
            period: repeat.then_some(period),
        };
        self.timers.insert(key, timer);
    }

    /// Gives the watchdog this much time, in milliseconds.
    pub(super) fn feed(&mut self, milliseconds: i64) {
        let time = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
        self.watchdog = Some(Instant::now() + time);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.timers
            .values()
            .map(|timer| timer.due)
            .chain(self.watchdog)
            .min()
    }

    /// The keys of the timers that are due. A timer that fell behind fires once, not once for each time.
    pub(super) fn due(&mut self, now: Instant) -> Vec<u8> {
        let mut due = Vec::new();
        self.timers.retain(|key, timer| {
            if timer.due > now {
                return true;
            }
            due.push(*key);
            if let Some(period) = timer.period {
                timer.due += period;
                if timer.due <= now {
                    timer.due = now + period;
                }
            }
            timer.period.is_some()
        });
        due
    }

    pub(super) fn watchdog_barks(&self, now: Instant) -> bool {
        self.watchdog.is_some_and(|at| at <= now)
    }

    /// Timers end; the watchdog of an ESP32 cannot be stopped.
    pub(super) fn soft_reset(&mut self) {
        self.timers.clear();
    }

    pub(super) fn clear(&mut self) {
        self.timers.clear();
        self.watchdog = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periodic_timers_keep_their_beat_and_skip_what_they_missed() {
        let mut timers = Timers::default();
        timers.set(0, 10_000, true);
        timers.set(-1, 5_000, false);
        let start = Instant::now();
        assert_eq!(timers.due(start), Vec::<u8>::new());
        assert_eq!(timers.due(start + Duration::from_millis(12)), [0, 1]);
        assert_eq!(
            timers.due(start + Duration::from_millis(12)),
            Vec::<u8>::new()
        );
        assert_eq!(timers.due(start + Duration::from_millis(95)), [1]);
        timers.set(0, 0, false);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn the_watchdog_outlives_a_soft_reset() {
        let mut timers = Timers::default();
        timers.feed(50);
        timers.soft_reset();
        let now = Instant::now();
        assert!(!timers.watchdog_barks(now));
        assert!(timers.watchdog_barks(now + Duration::from_millis(51)));
        timers.clear();
        assert_eq!(timers.next(), None);
    }
}
