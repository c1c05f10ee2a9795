//! `umqtt ports`: decides how the ports that boards may be on are listed.

use std::io::Write;

use board_link::{Lang, PortInfo};
use serde_json::json;

use crate::cli::PortsOptions;
use crate::failure::Failure;

pub fn run(options: &PortsOptions, lang: Lang) -> Result<(), Failure> {
    let ports = board_link::list().map_err(|error| Failure::from_link(&error, lang))?;
    let simulated = lang.pick("the simulated board", "la placa simulada");
    let mut text = String::new();
    if options.json {
        for port in &ports {
            text.push_str(&format!("{}\n", object(port)));
        }
        text.push_str(&format!("{}\n", json!({ "port": "sim" })));
    } else {
        for port in &ports {
            text.push_str(&format!("{port}\n"));
        }
        text.push_str(&format!("sim  {simulated}\n"));
    }
    // A reader that has seen enough (`| head`) is no failure.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(())
}

fn object(port: &PortInfo) -> serde_json::Value {
    let mut object = json!({ "port": port.device });
    if let Some(usb) = &port.usb {
        object["vendor_id"] = json!(usb.vendor_id);
        object["product_id"] = json!(usb.product_id);
        object["manufacturer"] = json!(usb.manufacturer);
        object["product"] = json!(usb.product);
        object["serial"] = json!(usb.serial);
        object["chip"] = json!(usb.chip());
    }
    object
}
