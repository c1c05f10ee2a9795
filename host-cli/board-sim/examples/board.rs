//! Starts a simulated board on a folder and shows its device: `cargo run -p board-sim --example board -- FOLDER`.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use board_sim::{FindOptions, MicroPython, SimBoard, SimConfig};

    let folder = std::env::args().nth(1).ok_or("name a folder")?;
    let micropython = MicroPython::find(&FindOptions::default(), &mut |p| eprintln!("{p}"))?;
    let board = SimBoard::start(SimConfig::new(folder, micropython))?;
    println!("{}", board.device().display());
    eprintln!("{:?}; Enter ends it", board.walls());
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("{}", board_sim::SimError::Unsupported);
}
