//! `umqtt build`: decides for which architectures a module is built, where its files go, and what is said about them.

use std::path::{Path, PathBuf};

use board_link::Lang;
use native_build::{Arch, BuildError, Options, Project, Target};
use serde_json::json;

use crate::cli::BuildOptions;
use crate::commands::shown;
use crate::display::{Message, Sender};
use crate::failure::{self, Failure, Status};
use crate::{fit, stop::Stop, target, whole_file};

/// Where files go below the project's folder unless `--release-dir` says otherwise.
const RELEASE_FOLDER: &str = "release";

/// What is built where neither `--arch` nor `--port` is given: what runs on this computer's simulated board.
const DEFAULT: Arch = Arch::X64;

pub fn run(options: &BuildOptions, lang: Lang) -> Result<(), Failure> {
    shown(lang, |display, stop| build(options, display, stop, lang))
}

fn explain(error: &BuildError, lang: Lang) -> Failure {
    Failure::complete(
        Status::Failed,
        lang.pick(error.to_string(), error.to_spanish()),
    )
}

fn build(options: &BuildOptions, display: &Sender, stop: &Stop, lang: Lang) -> Result<(), Failure> {
    let folder = options.project.as_deref().unwrap_or(Path::new("."));
    let project = Project::open(folder).map_err(|error| explain(&error, lang))?;
    let release = match (&options.release_dir, &options.project) {
        (Some(release), _) => release.clone(),
        (None, Some(folder)) => folder.join(RELEASE_FOLDER),
        (None, None) => PathBuf::from(RELEASE_FOLDER),
    };
    let mut first_failure = None;
    for arch in architectures(options, display, stop, lang)? {
        if stop.is_requested() {
            break;
        }
        if let Err(failure) = build_one(&project, arch, &release, display, lang) {
            // The others are built all the same; the first failure is the command's.
            match &first_failure {
                None => first_failure = Some(failure),
                Some(_) => failure.print(lang),
            }
        }
    }
    first_failure.map_or(Ok(()), Err)
}

/// What `--arch` names, else the attached board's, else the default.
fn architectures(
    options: &BuildOptions,
    display: &Sender,
    stop: &Stop,
    lang: Lang,
) -> Result<Vec<Arch>, Failure> {
    if options.arch.as_deref() == Some("all") {
        return Ok(Target::all().iter().map(|target| target.arch).collect());
    }
    if let Some(name) = &options.arch {
        return match Target::named(name) {
            Some(target) => Ok(vec![target.arch]),
            None => Err(no_such(name, lang)),
        };
    }
    if options.port.port.is_none() {
        return Ok(vec![DEFAULT]);
    }
    let mut reached = target::reach(options.port.port.as_deref(), display, stop, lang)?;
    let info = reached
        .board
        .info()
        .map_err(|error| Failure::from_link(&error, lang))?;
    target::leave(&mut reached.board, lang)?;
    let board = info.mpy.and_then(|mpy| Arch::from_number(mpy.arch));
    let best =
        board.and_then(|board| fit::best(board, Target::all().iter().map(|target| target.arch)));
    best.map(|arch| vec![arch]).ok_or_else(|| {
        let board = fit::board_name(&info);
        let message = match lang {
            Lang::En => format!("this board ({board}) loads no native modules"),
            Lang::Es => format!("esta placa ({board}) no carga módulos nativos"),
        };
        let help = lang.pick(
            "flash a MicroPython with native code, 1.23 or newer",
            "graba un MicroPython con código nativo, 1.23 o posterior",
        );
        Failure::new(Status::Failed, message, help)
    })
}

fn no_such(name: &str, lang: Lang) -> Failure {
    let names: Vec<_> = Target::all()
        .iter()
        .map(|target| target.arch.name())
        .collect();
    let message = match lang {
        Lang::En => format!("modules are not built for {name:?}"),
        Lang::Es => format!("no se compilan módulos para {name:?}"),
    };
    let help = match lang {
        Lang::En => format!("all, or one of {}", names.join(", ")),
        Lang::Es => format!("all, o una de {}", names.join(", ")),
    };
    Failure::new(Status::Usage, message, help)
}

fn build_one(
    project: &Project,
    arch: Arch,
    release: &Path,
    display: &Sender,
    lang: Lang,
) -> Result<(), Failure> {
    // A project of somebody's own may still have to get its lock file; ours has one.
    let options = Options::default();
    let built =
        native_build::build(project, arch, options).map_err(|error| explain(&error, lang))?;
    let path = release.join(arch.name()).join(project.path());
    write(&path, &built.linked.mpy).map_err(|error| {
        let message = failure::cannot_write(path.display(), &error, lang);
        let help = lang.pick(
            "name another folder with --release-dir",
            "indica otra carpeta con --release-dir",
        );
        Failure::new(Status::Failed, message, help)
    })?;
    let sizes = built.linked.sizes;
    display.show(Message::Result {
        text: format!(
            "{}: {} bytes (text {}, rodata {}, bss {}): {}",
            arch.name(),
            built.linked.mpy.len(),
            sizes.text,
            sizes.rodata,
            sizes.bss,
            path.display()
        ),
        fields: json!({
            "event": "built", "module": project.module, "arch": arch.name(), "file": path.display().to_string(),
            "size": built.linked.mpy.len(), "text": sizes.text, "rodata": sizes.rodata, "bss": sizes.bss,
            "rustc": built.toolchain.version,
        }),
    });
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    whole_file::write(path, bytes)
}
