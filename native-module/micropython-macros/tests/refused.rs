//! Decides what the macros say to what they refuse: each file of `refused` is compiled, and the errors are compared with
//! the file beside it. `TRYBUILD=overwrite` writes those anew.

#[test]
fn errors_point_at_the_token_and_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
