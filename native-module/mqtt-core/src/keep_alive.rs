//! When to ask the broker for a sign of life, and when to give it up (section 3.1.2.10).
//!
//! Times are the caller's milliseconds, of which the low 30 bits count: that is how often MicroPython's clock is sure
//! to come round. The longest keep alive, 65,535 seconds, is a sixteenth of that.

/// The clock's period in milliseconds.
const PERIOD: u32 = 1 << 30;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing; to be looked at again after so many milliseconds, which are at least 1 and no more than a quarter of the
    /// keep alive, so that who looks a little late is not too late.
    In(u32),
    /// Nothing, ever: the mechanism is off.
    Never,
    /// Send a PINGREQ, then call [`KeepAlive::asked`].
    Ping,
    /// The broker has not answered the last PINGREQ: the connection is dead.
    Dead,
}

/// The keep alive of one connection. Plain integers: the zeroed state is off.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepAlive {
    /// The keep alive in milliseconds, 0 for off.
    interval: u32,
    /// When the CONNECT or the last PINGREQ was sent.
    since: u32,
    /// PINGREQs of our own that are not answered; those that the program sent do not count.
    own: u8,
    /// 1 if the last PINGREQ is not answered.
    unanswered: u8,
}

impl KeepAlive {
    /// A connection begins, with this many seconds of keep alive.
    pub fn start(&mut self, seconds: u16, now: u32) {
        *self = KeepAlive {
            interval: u32::from(seconds) * 1000,
            since: now,
            own: 0,
            unanswered: 0,
        };
    }

    /// True if there is a clock to be watched.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.interval != 0
    }

    /// After how many milliseconds of silence the broker ends the connection (section 3.1.2.10); `u32::MAX` if never.
    pub fn given_up(&self) -> u32 {
        match self.interval {
            0 => u32::MAX,
            interval => interval + interval / 2,
        }
    }

    /// A PINGREQ was sent, by ourselves (`own`) or by the program.
    pub fn asked(&mut self, now: u32, own: bool) {
        self.own = self.own.saturating_add(u8::from(own));
        // A program that pings all the time must not put off the moment when the silence counts.
        if self.unanswered == 0 {
            self.since = now;
            self.unanswered = 1;
        }
    }

    /// A PINGRESP came. True if it answers a PINGREQ of our own.
    pub fn answered(&mut self) -> bool {
        self.unanswered = 0;
        let own = self.own > 0;
        self.own = self.own.saturating_sub(1);
        own
    }

    /// Part of a packet came: what is behind it in the stream may come as much later.
    pub fn heard(&mut self, now: u32) {
        if self.unanswered != 0 {
            self.since = now;
        }
    }

    /// What is to be done now: a PINGREQ at half of the keep alive after the last one, an end after three quarters
    /// without an answer. The broker itself waits for one and a half (section 3.1.2.10), so that a program which looks
    /// here once per keep alive is in time.
    pub fn due(&self, now: u32) -> Due {
        if !self.is_on() {
            return Due::Never;
        }
        let passed = now.wrapping_sub(self.since) % PERIOD;
        let (limit, then) = if self.unanswered == 0 {
            (self.interval / 2, Due::Ping)
        } else {
            (self.interval / 4 * 3, Due::Dead)
        };
        match limit.checked_sub(passed) {
            Some(left @ 1..) => Due::In(left.min(self.interval / 4)),
            _ => then,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_at_half_and_an_end_three_quarters_later() {
        // Around the clock's own period, in whose middle a program may start.
        for start in [0, 5, PERIOD - 30_000, PERIOD - 1] {
            let at = |ms: u32| (start + ms) % PERIOD;
            let mut keep_alive = KeepAlive::default();
            assert_eq!(keep_alive.due(at(0)), Due::Never);
            keep_alive.start(60, at(0));
            assert_eq!(keep_alive.due(at(0)), Due::In(15_000));
            assert_eq!(keep_alive.due(at(20_000)), Due::In(10_000));
            assert_eq!(keep_alive.due(at(29_999)), Due::In(1));
            assert_eq!(keep_alive.due(at(30_000)), Due::Ping);
            assert_eq!(keep_alive.due(at(80_000)), Due::Ping);
            keep_alive.asked(at(30_000), true);
            assert_eq!(keep_alive.due(at(74_999)), Due::In(1));
            assert_eq!(keep_alive.due(at(75_000)), Due::Dead);
            assert!(keep_alive.answered());
            assert_eq!(keep_alive.due(at(50_000)), Due::In(10_000));
        }
    }

    #[test]
    fn the_longest_keep_alive_fits_the_clock() {
        let mut keep_alive = KeepAlive::default();
        keep_alive.start(u16::MAX, PERIOD - 1);
        assert_eq!(keep_alive.due(0), Due::In(65_535_000 / 4));
        assert_eq!(keep_alive.given_up(), 98_302_500);
        assert_eq!(KeepAlive::default().given_up(), u32::MAX);
    }

    #[test]
    fn the_programs_own_pings_are_told_apart_and_do_not_put_off_the_end() {
        let mut keep_alive = KeepAlive::default();
        keep_alive.start(10, 0);
        keep_alive.asked(1000, false);
        keep_alive.asked(8000, false);
        assert_eq!(keep_alive.due(8499), Due::In(1));
        assert_eq!(keep_alive.due(8500), Due::Dead);
        assert!(!keep_alive.answered());
    }

    #[test]
    fn a_packet_on_its_way_puts_off_the_end() {
        let mut keep_alive = KeepAlive::default();
        keep_alive.start(10, 0);
        keep_alive.heard(4000);
        assert_eq!(keep_alive.due(5000), Due::Ping, "not before a PINGREQ");
        keep_alive.asked(5000, true);
        keep_alive.heard(12_000);
        assert_eq!(keep_alive.due(12_500), Due::In(2_500));
    }
}
