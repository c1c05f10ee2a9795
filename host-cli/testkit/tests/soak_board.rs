//! Decides whether messages survive a link that is lost again and again on a board in QEMU, which has no network: over a
//! stream in memory that fails, with a broker in Python behind it. Nothing lost at QoS 1, nothing lost or doubled at QoS 2.

use mpy_link::Arch;
use testkit::need;
use testkit::qemu::{QemuBoard, QemuModel};

const STAND_INS: &str = include_str!("../../../python/tests/board_stand_ins.py");
const BROKER: &str = include_str!("../../../python/tests/board_broker.py");
const PROGRAM: &str = include_str!("../../../python/tests/soak_board.py");

/// Messages each way for each QoS in an ordinary run; `UMQTT_SOAK_MESSAGES` sets how many else, and `cargo xtask soak`
/// sets it to a million.
const MESSAGES: usize = 1_000;
/// Messages of one round of `soak_board.py`.
const ROUND: usize = 1_000;
/// Bytes by which the free heap may be smaller at the end: a few blocks that the collector's conservative marking keeps.
const HEAP: i64 = 256;

/// The numbers among what the board prints.
fn numbers(board: &mut QemuBoard, call: &str) -> Vec<i64> {
    let printed = board.run(&format!("{call}\n"));
    assert!(!printed.contains("Traceback"), "the board said {printed}");
    let words = printed.split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

fn soak(board: &mut QemuBoard, qos: u8, rounds: usize) {
    assert!(numbers(board, "begin()").is_empty());
    let [mut missing, mut doubled, mut lost] = [0; 3];
    for _ in 0..rounds {
        let [absent, twice, damaged, losses] = numbers(board, &format!("go_on({qos})"))[..] else {
            panic!("four numbers for a round");
        };
        assert_eq!(damaged, 0, "damaged at QoS {qos}");
        missing += absent;
        doubled += twice;
        lost = losses;
        match qos {
            0 => assert_eq!(doubled, 0, "doubled at QoS 0"),
            1 => assert_eq!(missing, 0, "lost at QoS 1"),
            _ => assert_eq!((missing, doubled), (0, 0), "lost or doubled at QoS 2"),
        }
    }
    let [heap] = numbers(board, "end()")[..] else {
        panic!("one number for the heap");
    };
    let sent = i64::try_from(rounds * ROUND).expect("so many");
    println!(
        "QoS {qos}: {sent} messages each way over {lost} lost connections: missing {missing}, doubled {doubled}, free heap {heap:+}"
    );
    assert!(
        lost >= sent / 200,
        "the connection was lost only {lost} times"
    );
    assert!(missing < sent / 10, "{missing} missing at QoS {qos}");
    assert!(
        heap >= -HEAP,
        "{} bytes of heap are gone at QoS {qos}",
        -heap
    );
}

#[test]
fn soak_on_armv7m() {
    const TEST: &str = "soak_on_armv7m";
    let model = QemuModel::of(Arch::Armv7m).expect("an ARM board");
    let module = testkit::repository()
        .join("native-module/prebuilt")
        .join(model.arch.name())
        .join("umqtt/simple.mpy");
    let module = std::fs::read(&module).expect("the committed module");
    let mut board = need!(TEST, QemuBoard::start(model));
    board
        .put_module(&module)
        .unwrap_or_else(|error| panic!("{error}"));
    let prepare = "import case\ncontent = None\n";
    for program in [STAND_INS, prepare, BROKER, PROGRAM] {
        let printed = board.run(program);
        assert!(printed.is_empty(), "the board said {printed}");
    }
    let messages = match std::env::var("UMQTT_SOAK_MESSAGES") {
        Ok(number) => number.parse().expect("UMQTT_SOAK_MESSAGES is a number"),
        Err(_) => MESSAGES,
    };
    for qos in 0..3 {
        soak(&mut board, qos, messages.div_ceil(ROUND));
    }
}
