//! The words of each error, in English and Spanish: what failed, why, and what to try.

use std::time::Duration;

use crate::error::{BadPort, Clue, LinkError, Step};
use crate::lang::Lang;

fn step(step: Step, lang: Lang) -> &'static str {
    match step {
        Step::Enter => lang.pick("entering the raw REPL", "al entrar en el REPL"),
        Step::Leave => lang.pick("leaving the raw REPL", "al salir del REPL"),
        Step::SoftReset => lang.pick("soft-resetting the board", "al reiniciar la placa"),
        Step::Send => lang.pick("sending code", "al enviar el código"),
        Step::Run => lang.pick("running the program", "mientras corría el programa"),
        Step::Stop => lang.pick("stopping the program", "al detener el programa"),
        Step::Read => lang.pick("reading from the board", "al leer de la placa"),
        Step::Write => lang.pick("writing to the board", "al escribir en la placa"),
    }
}

fn seconds(time: &Duration) -> String {
    let text = format!("{:.1} s", time.as_secs_f64());
    text.replace(".0 s", " s")
}

/// What failed and why.
pub(crate) fn message(error: &LinkError, lang: Lang) -> String {
    use LinkError::*;
    let es = lang == Lang::Es;
    macro_rules! say {
        ($en:literal, $es:literal) => {
            if es { format!($es) } else { format!($en) }
        };
    }
    match error {
        BadPort { spec, reason } => {
            let why = bad_port(*reason, lang);
            say!(
                "\"{spec}\" is not a port: {why}",
                "\"{spec}\" no es un puerto: {why}"
            )
        }
        NoSuchSerial { serial, present } => {
            let there = match present.as_slice() {
                [] => lang.pick("none", "ninguno").to_owned(),
                some => some.join(", "),
            };
            say!(
                "no attached device has the serial number {serial} (present: {there})",
                "ningún dispositivo conectado tiene el número de serie {serial} (hay: {there})"
            )
        }
        SeveralBoards { ports } => {
            let list: Vec<String> = ports.iter().map(|port| format!("\n  {port}")).collect();
            let (count, list) = (ports.len(), list.concat());
            say!(
                "{count} boards are attached:{list}",
                "hay {count} placas conectadas:{list}"
            )
        }
        Simulated => say!(
            "the simulated board is no port that can be opened",
            "la placa simulada no es un puerto que se pueda abrir"
        ),
        NoPortList { source } => say!(
            "the system's list of ports cannot be read: {source}",
            "no se puede leer la lista de puertos del sistema: {source}"
        ),
        PortMissing { port } => say!("there is no port {port}", "no existe el puerto {port}"),
        PortBusy { port, holder: None } => say!(
            "{port} is in use by another program",
            "otro programa está usando {port}"
        ),
        PortBusy {
            port,
            holder: Some(holder),
        } => say!(
            "{port} is in use by {holder}",
            "{port} está en uso por {holder}"
        ),
        PortDenied { port } => say!(
            "you have no permission to open {port}",
            "no tiene permiso para abrir {port}"
        ),
        PortFailed { port, source } => say!(
            "{port} cannot be opened: {source}",
            "no se puede abrir {port}: {source}"
        ),
        Unreachable { port, source } => {
            let reason = lang.reason(source);
            say!(
                "no connection to {port}: {reason}",
                "sin conexión con {port}: {reason}"
            )
        }
        Lost {
            port,
            step: doing,
            source,
        } => {
            let doing = step(*doing, lang);
            let reason = lang.reason(source);
            say!(
                "the connection to {port} broke while {doing}: {reason}",
                "se cortó la conexión con {port} {doing}: {reason}"
            )
        }
        Silent {
            port,
            step: doing,
            after,
        } => {
            let (doing, after) = (step(*doing, lang), seconds(after));
            say!(
                "the board on {port} sent nothing for {after} while {doing}",
                "la placa en {port} no envió nada en {after} {doing}"
            )
        }
        NoPrompt {
            port,
            after,
            clue,
            heard,
        } => {
            let after = seconds(after);
            let head = match clue {
                Clue::Bootloader => say!(
                    "the board on {port} is in its bootloader, waiting for a firmware",
                    "la placa en {port} está en su cargador de arranque, esperando un firmware"
                ),
                Clue::NoFirmware => say!(
                    "the board on {port} has no firmware in its flash memory",
                    "la placa en {port} no tiene firmware en la memoria flash"
                ),
                Clue::Garbage => say!(
                    "what comes from {port} is no text",
                    "lo que llega de {port} no es texto"
                ),
                Clue::Text => say!(
                    "the board on {port} did not show its raw REPL within {after}",
                    "la placa en {port} no mostró su REPL en {after}"
                ),
            };
            say!(
                "{head}; last heard: {heard}",
                "{head}; lo último recibido: {heard}"
            )
        }
        TimedOut {
            port,
            step: doing,
            after,
        } => {
            let (doing, after) = (step(*doing, lang), seconds(after));
            say!(
                "no end after {after} while {doing} on {port}",
                "no terminó en {after} {doing} en {port}"
            )
        }
        Interrupted { port } => say!(
            "interrupted while {port} was being worked on",
            "interrumpido mientras se trabajaba con {port}"
        ),
        Unstoppable { port, after } => {
            let after = seconds(after);
            say!(
                "the program on {port} did not stop within {after} of Ctrl-C",
                "el programa en {port} no se detuvo en {after} tras Ctrl-C"
            )
        }
        Protocol {
            port,
            step: doing,
            expected,
            heard,
        } => {
            let doing = step(*doing, lang);
            say!(
                "{port} answered something unexpected while {doing}: expected {expected}, got {heard}",
                "{port} respondió algo inesperado {doing}: se esperaba {expected}, llegó {heard}"
            )
        }
        Restarted { port, step: doing } => {
            let doing = step(*doing, lang);
            say!(
                "the board on {port} restarted while {doing}",
                "la placa en {port} se reinició {doing}"
            )
        }
        ControlCharacter { line, byte } => say!(
            "line {line} of the code holds the control character 0x{byte:02x}, which the raw REPL takes for a command",
            "la línea {line} del código contiene el carácter de control 0x{byte:02x}, que el REPL toma por una orden"
        ),
        Raised { traceback } => {
            let last = traceback.trim_end().lines().last().unwrap_or("").trim();
            say!("the board raised {last}", "la placa lanzó {last}")
        }
        FileMissing { path } => say!(
            "there is no {path} on the board",
            "no existe {path} en la placa"
        ),
        IsFolder { path } => say!(
            "{path} is a folder on the board",
            "{path} es una carpeta en la placa"
        ),
        NotFolder { path } => say!(
            "{path} on the board, or what it lies in, is no folder",
            "{path} en la placa, o donde se encuentra, no es una carpeta"
        ),
        NotEmpty { path } => say!(
            "the folder {path} on the board is not empty",
            "la carpeta {path} en la placa no está vacía"
        ),
        BadName { path } => {
            let shown = format!("{path:?}");
            say!(
                "{shown} is no name that the board can store",
                "{shown} no es un nombre que la placa pueda guardar"
            )
        }
        NoSpace {
            path,
            needed,
            free: Some(free),
        } => say!(
            "{path} needs {needed} bytes and the board has {free} free",
            "{path} necesita {needed} bytes y la placa tiene {free} libres"
        ),
        NoSpace {
            path, free: None, ..
        } => say!(
            "the board's filesystem is full: {path}",
            "el sistema de archivos de la placa está lleno: {path}"
        ),
        ReadOnly { path } => say!(
            "the board has no writable filesystem at {path}",
            "la placa no tiene un sistema de archivos escribible en {path}"
        ),
        Damaged { path } => say!(
            "{path} arrived damaged and was not kept",
            "{path} llegó dañado y no se conservó"
        ),
        FileFailed { path, errno } => say!(
            "the board's filesystem refuses {path} (error {errno})",
            "el sistema de archivos de la placa rechaza {path} (error {errno})"
        ),
    }
}

fn bad_port(reason: BadPort, lang: Lang) -> &'static str {
    match reason {
        BadPort::Empty => lang.pick("it is empty", "está vacío"),
        BadPort::NoHostOrPort => lang.pick(
            "it needs HOST:PORT after //",
            "hace falta HOST:PUERTO tras //",
        ),
        BadPort::BadNumber => lang.pick(
            "the port number must be 1 to 65535",
            "el número de puerto debe estar entre 1 y 65535",
        ),
        BadPort::UnknownScheme => lang.pick(
            "only socket:// and rfc2217:// are known",
            "solo se conocen socket:// y rfc2217://",
        ),
        BadPort::NoSerial => lang.pick(
            "id: needs a serial number",
            "id: necesita un número de serie",
        ),
    }
}

/// What to try.
pub(crate) fn help(error: &LinkError, lang: Lang) -> String {
    use LinkError::*;
    let text = match error {
        BadPort { .. } => lang.pick(
            "Give a device (/dev/ttyUSB0, COM3), sim, socket://HOST:PORT, rfc2217://HOST:PORT, id:SERIAL or auto.",
            "Di un dispositivo (/dev/ttyUSB0, COM3), sim, socket://HOST:PUERTO, rfc2217://HOST:PUERTO, id:SERIE o auto.",
        ),
        NoSuchSerial { .. } | PortMissing { .. } => lang.pick(
            "Plug the board in with a data cable (some cables only charge); `umqtt ports` lists what is there.",
            "Conecta la placa con un cable de datos (algunos solo cargan); `umqtt ports` muestra lo que hay.",
        ),
        SeveralBoards { .. } => lang.pick(
            "Choose one with --port, by its device or by id:SERIAL.",
            "Elige una con --port, por su dispositivo o con id:SERIE.",
        ),
        Simulated => lang.pick(
            "Use a command that starts the simulated board, or name a real port.",
            "Usa una orden que arranque la placa simulada, o di un puerto real.",
        ),
        NoPortList { .. } => lang.pick(
            "Name the device yourself with --port.",
            "Di cuál es el dispositivo con --port.",
        ),
        PortBusy { .. } => lang.pick(
            "Close the other program (Thonny, a serial monitor, another umqtt) and try again.",
            "Cierra el otro programa (Thonny, un monitor serie, otro umqtt) e inténtalo de nuevo.",
        ),
        PortDenied { .. } if cfg!(target_os = "linux") => lang.pick(
            "Join the device's group and log in again: sudo usermod -aG dialout $USER (on Arch: uucp).",
            "Entra en el grupo del dispositivo y vuelve a iniciar sesión: sudo usermod -aG dialout $USER (en Arch: uucp).",
        ),
        PortDenied { .. } | PortFailed { .. } => lang.pick(
            "Unplug the board, plug it in again, and see with `umqtt ports` whether its driver is installed.",
            "Desconecta la placa, conéctala de nuevo y mira con `umqtt ports` si su controlador está instalado.",
        ),
        Unreachable { .. } => lang.pick(
            "See that the server runs and that host and port are right.",
            "Comprueba que el servidor está en marcha y que el host y el puerto son correctos.",
        ),
        Lost { .. } => lang.pick(
            "Check the cable; a board that needs more current than the port gives also falls off. Then try again.",
            "Revisa el cable; una placa que necesita más corriente de la que da el puerto también se desconecta. Inténtalo de nuevo.",
        ),
        Silent { .. } => lang.pick(
            "See that this is the board's port and that MicroPython is on it; then press its reset button (EN) and try again.",
            "Comprueba que es el puerto de la placa y que tiene MicroPython; pulsa su botón de reinicio (EN) e inténtalo de nuevo.",
        ),
        NoPrompt { clue, .. } => match clue {
            Clue::Bootloader => lang.pick(
                "Let go of BOOT and press the reset button (EN).",
                "Suelta BOOT y pulsa el botón de reinicio (EN).",
            ),
            Clue::NoFirmware => lang.pick(
                "Put MicroPython on it first, with esptool or the installer on micropython.org.",
                "Instala primero MicroPython, con esptool o como dice micropython.org.",
            ),
            Clue::Garbage => lang.pick(
                "The speed may be wrong: MicroPython uses 115200. Press the reset button (EN) and try again.",
                "La velocidad puede ser incorrecta: MicroPython usa 115200. Pulsa el botón de reinicio (EN) e inténtalo de nuevo.",
            ),
            Clue::Text => lang.pick(
                "Press the board's reset button (EN) and try again at once; if main.py never stops, rename it first.",
                "Pulsa el botón de reinicio (EN) de la placa e inténtalo enseguida; si main.py nunca termina, cámbiale antes el nombre.",
            ),
        },
        TimedOut { .. } => lang.pick(
            "Try again; if it stays so, press the board's reset button (EN).",
            "Inténtalo de nuevo; si sigue igual, pulsa el botón de reinicio (EN) de la placa.",
        ),
        Unstoppable { .. } => lang.pick(
            "Press the board's reset button (EN). In the program, a bare `except:` also catches Ctrl-C: write `except Exception:`.",
            "Pulsa el botón de reinicio (EN) de la placa. En el programa, un `except:` a secas también atrapa Ctrl-C: escribe `except Exception:`.",
        ),
        Protocol { .. } => lang.pick(
            "Try again; programs that print the byte 0x04 confuse the raw REPL. If it stays so, press the reset button (EN).",
            "Inténtalo de nuevo; los programas que imprimen el byte 0x04 confunden al REPL. Si sigue igual, pulsa el botón de reinicio (EN).",
        ),
        Restarted { .. } => lang.pick(
            "A crash, machine.reset() or weak power does that. Try again.",
            "Lo causan un fallo, machine.reset() o poca alimentación. Inténtalo de nuevo.",
        ),
        ControlCharacter { .. } => lang.pick(
            "Write it as an escape in the source, like '\\x04'.",
            "Escríbelo como secuencia de escape en el código, como '\\x04'.",
        ),
        Raised { .. } => lang.pick(
            "The board's MicroPython may be old or lack a module: put a newer firmware on it.",
            "El MicroPython de la placa puede ser antiguo o carecer de un módulo: instala un firmware más nuevo.",
        ),
        FileMissing { .. } => lang.pick(
            "Check the name; folders must exist before files are put into them.",
            "Comprueba el nombre; las carpetas deben existir antes de copiar archivos en ellas.",
        ),
        IsFolder { .. } | NotFolder { .. } => lang.pick(
            "Use another name, or remove what is there first.",
            "Usa otro nombre, o borra antes lo que hay.",
        ),
        Interrupted { .. } => lang.pick(
            "The file under way is as it was before; run the same command again to finish.",
            "El archivo en curso sigue como antes; repite la orden para terminar.",
        ),
        NotEmpty { .. } => lang.pick(
            "Remove its files first, or remove it with all that is in it.",
            "Borra antes sus archivos, o bórrala con todo su contenido.",
        ),
        BadName { .. } => lang.pick(
            "Use a shorter name of letters, digits, '-', '_' and '.'.",
            "Usa un nombre más corto con letras, dígitos, '-', '_' y '.'.",
        ),
        NoSpace { .. } => lang.pick(
            "Remove files from the board: import os; os.listdir(); os.remove('NAME').",
            "Borra archivos de la placa: import os; os.listdir(); os.remove('NOMBRE').",
        ),
        ReadOnly { .. } => lang.pick(
            "Give the board a filesystem, or remount it writable, and try again.",
            "Da a la placa un sistema de archivos, o móntalo con escritura, e inténtalo de nuevo.",
        ),
        Damaged { .. } => lang.pick(
            "Try again; if it stays so, use a shorter or better cable.",
            "Inténtalo de nuevo; si sigue igual, usa un cable más corto o mejor.",
        ),
        FileFailed { .. } => lang.pick(
            "Reset the board and try again; a damaged filesystem has to be formatted.",
            "Reinicie la placa e inténtelo de nuevo; un sistema de archivos dañado debe formatearse.",
        ),
    };
    text.to_owned()
}
