//! The Python modules of the simulated board, as they stand in `python/sim`, inside this program.

/// The code that makes a MicroPython process a board.
pub(crate) const START: &str = include_str!("../../../python/sim/_start.py");

/// What a board can import, by name.
const MODULES: &[(&str, &str)] = &[("_files", include_str!("../../../python/sim/_files.py"))];

/// The source of one module.
pub(crate) fn source(name: &str) -> Option<&'static str> {
    MODULES
        .iter()
        .find(|(module, _)| *module == name)
        .map(|(_, source)| *source)
}
