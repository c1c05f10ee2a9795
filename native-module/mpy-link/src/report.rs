//! How the command shows what stands where, and what is large.

use std::fmt::Write;

use mpy_link::Linked;
use rustc_demangle::demangle;

/// What stands where, in order, and what was passed over.
pub fn details(linked: &Linked) -> String {
    let mut text = String::new();
    for entry in &linked.map {
        line(
            &mut text,
            format_args!(
                "{:6} {:#08x} {:8} {}",
                entry.block, entry.offset, entry.size, entry.name
            ),
        );
    }
    for skipped in &linked.skipped {
        line(&mut text, format_args!("passed over {skipped}"));
    }
    text + &sizes(linked)
}

/// Each function and object with its size, the largest first; then the sums.
pub fn map(linked: &Linked) -> String {
    let mut rows: Vec<(u64, &str, u64, String, &str)> = Vec::new();
    for entry in &linked.map {
        let named: u64 = entry.symbols.iter().map(|symbol| symbol.size).sum();
        for symbol in &entry.symbols {
            // Without the hash, which tells nobody anything.
            let name = format!("{:#}", demangle(&symbol.name));
            rows.push((symbol.size, entry.block, symbol.offset, name, &entry.name));
        }
        if let Some(rest @ 1..) = entry.size.checked_sub(named) {
            rows.push((rest, entry.block, entry.offset, String::new(), &entry.name));
        }
    }
    rows.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)).then(a.2.cmp(&b.2)));
    let mut text = "    size block    offset symbol  (object:section)\n".to_owned();
    for (size, block, offset, name, from) in rows {
        let name = if name.is_empty() { "-" } else { &name };
        line(
            &mut text,
            format_args!("{size:8} {block:6} {offset:#08x} {name}  ({from})"),
        );
    }
    text + &sizes(linked)
}

fn sizes(linked: &Linked) -> String {
    let sizes = linked.sizes;
    format!(
        "text {}  rodata {}  bss {}  relocations {}  qstrs {}  file {}\n",
        sizes.text,
        sizes.rodata,
        sizes.bss,
        sizes.relocations,
        sizes.qstrs,
        linked.mpy.len()
    )
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{arguments}");
}
