//! What the board-sim tests share.

/// Leaves a test that cannot run here: says so by name, or fails where everything is required.
pub fn skip(reason: &str) {
    let test = std::thread::current()
        .name()
        .unwrap_or("a test")
        .to_string();
    assert!(
        std::env::var_os("UMQTT_REQUIRE_ALL").is_none(),
        "{test} cannot run: {reason}"
    );
    eprintln!("skipped {test}: {reason}");
}
