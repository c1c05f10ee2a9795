//! `umqtt package`: decides for which boards a lesson is packed, and how its file is written and described.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use board_link::Lang;
use mpy_link::Arch;
use serde_json::json;

use crate::cli::PackageOptions;
use crate::commands::boards;
use crate::failure::{self, Failure, Status};
use crate::lines;
use crate::package::{self, Address, Package};
use crate::whole_file;

pub fn run(options: &PackageOptions, lang: Lang) -> Result<(), Failure> {
    let address = (options.url.as_deref())
        .map(|url| Address::from_user(url, lang))
        .transpose()?;
    let boards = match options.boards.as_slice() {
        [] => board_data::all().iter().collect(),
        names => names
            .iter()
            .map(|name| boards::known(name, lang))
            .collect::<Result<Vec<_>, _>>()?,
    };
    let archs: BTreeSet<Arch> = boards
        .iter()
        .filter_map(|board| Arch::ALL.into_iter().find(|arch| arch.name() == board.arch))
        .collect();
    let archs: Vec<Arch> = archs.into_iter().collect();
    let (package, left) = package::collect(&options.folder, &archs, lang)?;
    let failed = |error: &dyn std::fmt::Display| {
        let message = match lang {
            Lang::En => format!("the lesson cannot be packed: {error}"),
            Lang::Es => format!("no se puede empaquetar la lección: {error}"),
        };
        Failure::complete(Status::Failed, message)
    };
    let bytes = package::bytes(&package, address.as_ref()).map_err(|error| failed(&error))?;
    let output = match &options.output {
        Some(path) => path.clone(),
        None => PathBuf::from(format!("{}.zip", package.name)),
    };
    whole_file::write(&output, &bytes).map_err(|error| {
        let message = failure::cannot_write(output.display(), &error, lang);
        let help = lang.pick("name another file with -o", "indica otro fichero con -o");
        Failure::new(Status::Failed, message, help)
    })?;
    let fetched: Vec<String> = (address.iter())
        .flat_map(|address| {
            package::mip_names(&package)
                .into_iter()
                .map(|name| address.of(&name))
        })
        .collect();
    let text = if lines::wanted() {
        let paths: Vec<&String> = package.files.keys().collect();
        let archs: Vec<&str> = package.modules.keys().map(|arch| arch.name()).collect();
        let fields = json!({
            "file": output.display().to_string(), "size": bytes.len(),
            "files": paths, "modules": archs, "left_out": left.out, "mip": fetched,
        });
        lines::event("package", fields)
    } else {
        describe(&output, &bytes, &package, &left.out, &fetched, lang)
    };
    // A reader that has seen enough (`| head`) is no failure.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    let mut notes = Vec::new();
    if left.own_umqtt {
        let note = lang.pick(
            "the lesson brings an umqtt.simple of its own; the native module stays out",
            "la lección trae su propio umqtt.simple; el módulo nativo se queda fuera",
        );
        notes.push(note.to_owned());
    }
    for path in package.files.keys().filter(|path| is_secret(path)) {
        notes.push(match lang {
            Lang::En => {
                format!("{path} goes with it: whoever gets the file can read what it says")
            }
            Lang::Es => {
                format!("{path} va dentro: quien reciba el fichero puede leer lo que dice")
            }
        });
    }
    for note in notes {
        let _ = if lines::wanted() {
            let line = lines::event("note", json!({ "message": note }));
            std::io::stdout().lock().write_all(line.as_bytes())
        } else {
            writeln!(std::io::stderr().lock(), "{note}")
        };
    }
    Ok(())
}

/// Whether people keep passwords in files of this name.
fn is_secret(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    ["secret", "password", "wifi", "contrase"]
        .iter()
        .any(|word| name.contains(word))
}

fn describe(
    output: &Path,
    bytes: &[u8],
    package: &Package,
    left: &[String],
    fetched: &[String],
    lang: Lang,
) -> String {
    let [files, modules, out, fetch] = lang.pick(
        [
            "files",
            "native modules for",
            "left out",
            "once it is unpacked there, on a board",
        ],
        [
            "ficheros",
            "módulos nativos para",
            "se quedó fuera",
            "una vez descomprimido allí, en una placa",
        ],
    );
    let mut text = format!("{}: {} bytes\n", output.display(), bytes.len());
    let paths: Vec<&str> = package.files.keys().map(String::as_str).collect();
    text.push_str(&format!("  {files}: {}\n", paths.join(", ")));
    if !package.modules.is_empty() {
        let archs: Vec<&str> = package.modules.keys().map(|arch| arch.name()).collect();
        text.push_str(&format!("  {modules}: {}\n", archs.join(", ")));
    }
    if !left.is_empty() {
        text.push_str(&format!("  {out}: {}\n", left.join(", ")));
    }
    for url in fetched {
        text.push_str(&format!(
            "  {fetch}: import mip; mip.install({url:?}, target=\"/\")\n"
        ));
    }
    text
}
