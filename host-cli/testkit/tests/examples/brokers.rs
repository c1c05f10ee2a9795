//! The lessons about the broker and the way to it: who is let in, who reads along, what gets lost.

use broker::Identity;
use testkit::{Access, Mosquitto, need};

use crate::classroom::{Classroom, Desk};

#[test]
fn usuario_y_clave() {
    let desk = Desk {
        login: Some(("ana", "secreta")),
        ..Desk::default()
    };
    let room = need!(
        "usuario_y_clave",
        Classroom::at(desk, "usuario-y-clave", |_| {})
    );
    room.sees("He entrado como ana");
    let message = room.published();
    assert_eq!(
        (message.topic.as_str(), message.text.as_str()),
        ("aula/ana/saludo", "Hola número 1")
    );
    room.send("aula/otro", "hola");
    room.sees("Recibido en aula/otro -> hola");
    assert!(!room.nobody_sends("aula/nadie", "hola"));
    room.change(r#"CLAVE_MQTT = "secreta""#, r#"CLAVE_MQTT = "otra""#);
    room.sees("El broker no me deja entrar: ");
    assert!(!room.printed().contains("aula/nadie"));
}

#[test]
fn usuario_y_clave_with_mosquitto() {
    let mosquitto = need!(
        "usuario_y_clave_with_mosquitto",
        Mosquitto::start(&Access::User("ana", "secreta"))
    );
    let desk = Desk {
        broker: Some(mosquitto.address()),
        ..Desk::default()
    };
    let room = need!(
        "usuario_y_clave_with_mosquitto",
        Classroom::at(desk, "usuario-y-clave", |_| {})
    );
    room.sees("Recibido en aula/ana/saludo -> Hola número 1");
    room.change(r#"CLAVE_MQTT = "secreta""#, r#"CLAVE_MQTT = "otra""#);
    room.sees("El broker no me deja entrar: ");
}

#[test]
fn tls() {
    let desk = Desk {
        tls: true,
        ..Desk::default()
    };
    let room = need!("tls", Classroom::at(desk, "tls", |_| {}));
    room.sees("Conexión cifrada con localhost");
    let topic = room.topic_after("Publico en ");
    let message = room.published();
    assert_eq!(
        (message.topic, message.text.as_str()),
        (topic, "secreto número 1")
    );
    room.sees("Enviado: secreto número 1");
    // Another name than the certificate's; the simulated board finds the same broker by it.
    let refused = "No me fío del broker, o no está: ";
    room.change(
        r#"BROKER = "localhost""#,
        r#"BROKER = "test.mosquitto.org""#,
    );
    room.sees(refused);
    room.change(
        r#"BROKER = "test.mosquitto.org""#,
        r#"BROKER = "localhost""#,
    );
    room.until(
        |room| room.printed().matches("Conexión cifrada").count() == 2,
        "it trusts it again",
    );
    // An authority that signed nothing here.
    let other = tempfile::tempdir().expect("a folder");
    let (_, trust) = Identity::make(other.path(), &[], &[]).expect("a certificate");
    room.put("ca.der", &std::fs::read(trust.der).expect("it was made"));
    room.board.reset();
    room.until(
        |room| room.printed().matches(refused).count() == 2,
        "it does not trust it",
    );
    room.remove("ca.der");
    room.board.reset();
    room.sees("Falta ca.der en la placa");
}

#[test]
fn calidad_de_servicio() {
    let results = |room: &Classroom| -> Vec<[u32; 3]> {
        let begins = |qos| format!("QoS {qos}: 100 enviados, ");
        (0..3)
            .map(|qos| {
                let line = room.topic_after(&begins(qos));
                let numbers: Vec<u32> = line
                    .split(' ')
                    .filter_map(|word| word.parse().ok())
                    .collect();
                numbers.try_into().expect("arrived, repeated, lost")
            })
            .collect()
    };
    let name = "calidad_de_servicio";
    let good = need!(name, Classroom::open("calidad-de-servicio", |_| {}));
    assert_eq!(results(&good), [[100, 0, 0]; 3]);
    drop(good);

    let desk = Desk {
        loses_after: Some(500),
        ..Desk::default()
    };
    let bad = need!(name, Classroom::at(desk, "calidad-de-servicio", |_| {}));
    let [zero, one, two] = results(&bad).try_into().expect("three lines");
    let dropped = bad
        .network
        .as_ref()
        .map_or(0, testkit::LossyNetwork::dropped);
    // About 70 bytes a message, there and back, at QoS 0 alone.
    assert!(dropped >= 10, "{dropped}");
    // What was on its way when a connection was cut is lost, and never there twice.
    assert!(zero[2] > 0 && zero[1] == 0, "{zero:?}");
    assert_eq!((one[0], one[2]), (100, 0), "{one:?}");
    assert_eq!(two, [100, 0, 0]);
}
