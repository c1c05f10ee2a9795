//! Decides what a test does that cannot run: it says *skipped* by name, and fails in the full run.

use std::fmt::Display;

/// Set to anything, it turns every skip into a failure; `cargo xtask test --require-all` sets it.
pub const REQUIRE_ALL: &str = "UMQTT_REQUIRE_ALL";

/// Reports that `test` could not run. `xtask` counts these lines.
///
/// # Panics
/// Under [`REQUIRE_ALL`].
pub fn skip(test: &str, reason: impl Display) {
    assert!(
        std::env::var_os(REQUIRE_ALL).is_none(),
        "{test} cannot run: {reason}"
    );
    println!("skipped: {test}: {reason}");
}

/// The value of a `Result`, or a skip of the test named first and a return from it.
#[macro_export]
macro_rules! need {
    ($test:expr, $result:expr) => {
        match $result {
            Ok(value) => value,
            Err(reason) => {
                $crate::skip($test, reason);
                return;
            }
        }
    };
}
