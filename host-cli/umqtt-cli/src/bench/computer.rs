//! Decides what a report says of the computer: its system, its processors, and what else it was doing.

/// `Linux x86_64, 2 × Some processor, load 0.52`; what is not known is left out.
pub fn describe() -> String {
    let mut parts = vec![format!(
        "{} {}",
        std::env::consts::OS,
        std::env::consts::ARCH
    )];
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
    parts.push(match model {
        Some(model) => format!("{count} × {model}"),
        None => format!("{count} CPU"),
    });
    if let Ok(text) = std::fs::read_to_string("/proc/loadavg")
        && let Some(load) = text.split_whitespace().next()
    {
        parts.push(format!("load {load}"));
    }
    parts.join(", ")
}
