//! What a board remembers without power to its processor: non-volatile storage, RTC memory and clock.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::supervisor::ResetCause;

/// When an ESP32 believes to be as long as nobody has told it: the first second of 2000, in seconds since 1970.
const POWER_ON: i64 = 946_684_800;

#[derive(Default)]
pub(super) struct Storage {
    /// By namespace and key; the value starts with its kind, `i` or `b`.
    nvs: BTreeMap<(String, String), String>,
    rtc_memory: Vec<u8>,
    /// Seconds that the script's clock is ahead of this computer's.
    clock_offset: i64,
}

impl Storage {
    /// RTC memory and clock live through every reset but the loss of power.
    pub(super) fn reset(&mut self, cause: ResetCause) {
        if cause == ResetCause::PowerOn {
            self.rtc_memory.clear();
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.map_or(0, |since| since.as_secs());
            self.clock_offset = POWER_ON - i64::try_from(now).unwrap_or(0);
        }
    }

    pub(super) fn clock_offset(&self) -> i64 {
        self.clock_offset
    }

    pub(super) fn set_clock_offset(&mut self, seconds: i64) {
        self.clock_offset = seconds;
    }

    pub(super) fn rtc_memory(&self) -> &[u8] {
        &self.rtc_memory
    }

    pub(super) fn set_rtc_memory(&mut self, bytes: Vec<u8>) {
        self.rtc_memory = bytes;
    }

    /// `namespace, key, value` in lines; the answer is `+` and the value, or `-` for a key that is not
    /// there or of the other kind.
    pub(super) fn nvs(&mut self, operation: &str, text: &str) -> Option<Vec<u8>> {
        let mut lines = text.splitn(3, '\n');
        let place = (lines.next()?.to_string(), lines.next()?.to_string());
        let value = lines.next()?;
        let found = match operation {
            "nvs-set" => {
                self.nvs.insert(place, value.to_string());
                Some(String::new())
            }
            "nvs-erase" => self.nvs.remove(&place).map(|_| String::new()),
            _ => self
                .nvs
                .get(&place)
                .and_then(|stored| stored.strip_prefix(value))
                .map(str::to_string),
        };
        Some(match found {
            Some(value) => format!("+{value}").into_bytes(),
            None => b"-".to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nvs_keeps_kinds_and_namespaces_apart() {
        let mut storage = Storage::default();
        let mut ask = |operation: &str, text: &str| {
            String::from_utf8(storage.nvs(operation, text).unwrap()).unwrap()
        };
        assert_eq!(ask("nvs-set", "a\nk\ni42"), "+");
        assert_eq!(ask("nvs-get", "a\nk\ni"), "+42");
        assert_eq!(ask("nvs-get", "a\nk\nb"), "-");
        assert_eq!(ask("nvs-get", "b\nk\ni"), "-");
        assert_eq!(ask("nvs-erase", "a\nk\n"), "+");
        assert_eq!(ask("nvs-erase", "a\nk\n"), "-");
    }
}
