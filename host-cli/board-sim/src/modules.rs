//! The Python modules of the simulated board, as they stand in `python/sim`, inside this program.

/// The code that makes a MicroPython process a board.
pub(crate) const START: &str = include_str!("../../../python/sim/_start.py");

/// What a board can import, by name.
const MODULES: &[(&str, &str)] = &[
    ("_absent", include_str!("../../../python/sim/_absent.py")),
    ("_files", include_str!("../../../python/sim/_files.py")),
    ("builtins", include_str!("../../../python/sim/builtins.py")),
    ("dht", include_str!("../../../python/sim/dht.py")),
    ("esp32", include_str!("../../../python/sim/esp32.py")),
    ("io", include_str!("../../../python/sim/io.py")),
    ("machine", include_str!("../../../python/sim/machine.py")),
    (
        "micropython",
        include_str!("../../../python/sim/micropython.py"),
    ),
    ("neopixel", include_str!("../../../python/sim/neopixel.py")),
    ("network", include_str!("../../../python/sim/network.py")),
    ("ntptime", include_str!("../../../python/sim/ntptime.py")),
    ("os", include_str!("../../../python/sim/os.py")),
    ("socket", include_str!("../../../python/sim/socket.py")),
    ("ssl", include_str!("../../../python/sim/ssl.py")),
    ("sys", include_str!("../../../python/sim/sys.py")),
    ("time", include_str!("../../../python/sim/time.py")),
    (
        "urequests",
        include_str!("../../../python/sim/urequests.py"),
    ),
    ("vfs", include_str!("../../../python/sim/vfs.py")),
];

/// The source of one module.
pub(crate) fn source(name: &str) -> Option<&'static str> {
    MODULES
        .iter()
        .find(|(module, _)| *module == name)
        .map(|(_, source)| *source)
}
