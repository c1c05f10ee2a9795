//! The umqtt module, on MicroPython for Xtensa, against Mosquitto.

use testkit::need;
use testkit::{Access, Mosquitto};
use xtensa_run::Core;

use crate::support::kit;

const SCRIPT: &str = r#"
from umqtt.simple import MQTTClient, MQTTException
import gc

class Client(MQTTClient):
    def set_callback(self, f):
        print("overridden")
        super().set_callback(f)

got = []
def received(topic, message):
    got.append((topic, bytes(message)))

client = Client("xtensa", "127.0.0.1", PORT, keepalive=30)
client.set_callback(received)
print("connect", client.connect())
client.subscribe(b"a/+", qos=1)
client.publish("a/b", "short")
client.wait_msg()
client.publish(b"a/c", b"x" * 20000, qos=1)
while len(got) < 2:
    client.wait_msg()
print(got[0], got[1][0], len(got[1][1]), set(got[1][1]))
client.ping()
for i in range(300):
    client.publish(b"a/n", b"%d" % i, retain=False)
    while len(got) < 3 + i:
        client.wait_msg()
    if i % 50 == 0:
        gc.collect()
print(len(got), got[-1])
client.disconnect()
try:
    MQTTClient("x", "127.0.0.1", 1).connect()
except OSError as error:
    print("OSError", error.errno)
try:
    MQTTClient("x")
except TypeError:
    print("TypeError")
"#;

const EXPECTED: &str = "overridden
connect 0
(b'a/b', b'short') b'a/c' 20000 {120}
302 (b'a/n', b'299')
OSError 111
TypeError
";

fn run_on(core: Core) {
    let test = format!("umqtt_{}", core.arch().name());
    let kit = need!(&test, kit(core));
    let broker = need!(&test, Mosquitto::start(&Access::Anonymous));
    let folder = kit.scratch("umqtt");
    let module = folder.join("umqtt");
    std::fs::create_dir_all(&module).expect("a folder");
    if core.missing_in_qemu().is_empty() {
        let committed = testkit::repository()
            .join("native-module/prebuilt")
            .join(core.arch().name())
            .join("umqtt/simple.mpy");
        std::fs::copy(committed, module.join("simple.mpy")).expect("the committed module");
    } else {
        let archive = kit.rust.package("umqtt");
        let archive = archive.unwrap_or_else(|error| panic!("{error}"));
        kit.link(&module, "simple", &[archive])
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let script = SCRIPT.replace("PORT", &broker.address().port().to_string());
    assert_eq!(kit.run(&folder, &script), EXPECTED);
    let what = match core {
        Core::Windowed => {
            "qemu-xtensa, not this file but one without MULUH, which QEMU lacks, against Mosquitto"
        }
        Core::Call0 => "qemu-xtensa, against Mosquitto",
    };
    testkit::ran(core.arch(), what);
}

#[test]
fn umqtt_on_windowed() {
    run_on(Core::Windowed);
}

#[test]
fn umqtt_on_call0() {
    run_on(Core::Call0);
}
