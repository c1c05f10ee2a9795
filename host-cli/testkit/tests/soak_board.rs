//! Decides whether messages survive a link that is lost again and again on a board in QEMU, which has no network: over a
//! stream in memory that fails, with a broker in Python behind it. Nothing lost at QoS 1, nothing lost or doubled at QoS 2.

use mpy_link::Arch;
use testkit::need;
use testkit::qemu::{QemuBoard, QemuModel};

const STAND_INS: &str = include_str!("../../../python/tests/board_stand_ins.py");
const BROKER: &str = include_str!("../../../python/tests/board_broker.py");
const PROGRAM: &str = include_str!("../../../python/tests/soak_board.py");

/// Messages each way for each QoS.
const MESSAGES: u32 = 1_000;
/// Bytes by which the free heap may be smaller at the end: a few blocks that the collector's conservative marking keeps.
const HEAP: i64 = 256;

#[test]
fn soak_on_armv7m() {
    const TEST: &str = "soak_on_armv7m";
    let model = QemuModel::of(Arch::Armv7m).expect("an ARM board");
    let module = testkit::repository()
        .join("native-module/prebuilt")
        .join(model.arch.name())
        .join("umqtt/simple.mpy");
    let module = std::fs::read(&module).expect("the committed module");
    let mut board = need!(TEST, QemuBoard::counting(model));
    board
        .put_module(&module)
        .unwrap_or_else(|error| panic!("{error}"));
    let prepare = format!("import case\ncontent = None\nMESSAGES = {MESSAGES}\n");
    for program in [STAND_INS, &prepare, BROKER] {
        let printed = board.run(program);
        assert!(printed.is_empty(), "the board said {printed}");
    }
    let printed = board.run(PROGRAM).replace("\r\n", "\n");
    println!("{MESSAGES} messages each way:\n{printed}");
    let lines: Vec<Vec<i64>> = printed
        .lines()
        .map(|line| {
            line.split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect()
        })
        .collect();
    assert_eq!(lines.len(), 3, "one line for each QoS:\n{printed}");
    for line in lines {
        let [qos, missing, doubled, damaged, lost, heap] = line[..] else {
            panic!("the board said {printed}");
        };
        assert_eq!(damaged, 0, "damaged at QoS {qos}");
        assert!(lost >= 5, "the connection was lost only {lost} times");
        assert!(
            heap >= -HEAP,
            "{} bytes of heap are gone at QoS {qos}",
            -heap
        );
        match qos {
            0 => assert!(
                missing < i64::from(MESSAGES) / 10 && doubled == 0,
                "{missing} missing"
            ),
            1 => assert_eq!(missing, 0, "lost at QoS 1"),
            _ => assert_eq!((missing, doubled), (0, 0), "lost or doubled at QoS 2"),
        }
    }
}
