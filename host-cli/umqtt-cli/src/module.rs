//! Decides what belongs on a board so that a lesson finds `umqtt`, or somebody's own module, and puts there what is
//! missing.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use board_link::{Board, BoardInfo, FileState, Lang, LinkError, NewFile, PutProgress};
use mpy_link::Arch;

use crate::display::Sender;
use crate::failure::{self, Failure, Status};
use crate::fit::{self, Aspect, File, Finding, Verdict};
use crate::package::{self, Package};
use crate::progress::Progress;
use crate::trace;

/// The native module per architecture.
macro_rules! prebuilt {
    ($($arch:ident $name:literal),* $(,)?) => {
        [$((Arch::$arch, include_bytes!(concat!("../../../native-module/prebuilt/", $name, "/umqtt/simple.mpy")))),*]
    };
}

const NATIVE: [(Arch, &[u8]); 11] = prebuilt![
    X86 "x86",
    X64 "x64",
    Armv6m "armv6m",
    Armv7m "armv7m",
    Armv7em "armv7em",
    Armv7emsp "armv7emsp",
    Armv7emdp "armv7emdp",
    Xtensa "xtensa",
    Xtensawin "xtensawin",
    Rv32imc "rv32imc",
    Rv64imc "rv64imc",
];

const ROBUST: &[u8] = include_bytes!("../../../python/umqtt/robust.py");
const AIO: &[u8] = include_bytes!("../../../python/umqtt/aio.py");
const UPIP: &[u8] = include_bytes!("../../../python/upip.py");

/// The root folder comes first on a board's `sys.path`, before what is frozen into the firmware.
const SIMPLE_PATH: &str = "/umqtt/simple.mpy";
const ROBUST_PATH: &str = "/umqtt/robust.py";
const AIO_PATH: &str = "/umqtt/aio.py";
const UPIP_PATH: &str = "/upip.py";

/// A file that belongs on the board: its path there and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub path: String,
    pub content: Cow<'static, [u8]>,
    /// It holds passwords, which no transcript gets.
    pub secret: bool,
}

impl Item {
    pub fn new(path: impl Into<String>, content: impl Into<Cow<'static, [u8]>>) -> Self {
        Self {
            path: path.into(),
            content: content.into(),
            secret: false,
        }
    }

    /// A Python file of this name wins over the module beside it (`stat_path` in MicroPython's py/builtinimport.c asks
    /// for .py before .mpy).
    fn hiding(&self) -> Option<String> {
        self.path
            .strip_suffix(".mpy")
            .map(|stem| format!("{stem}.py"))
    }

    fn folder(&self) -> Option<&str> {
        self.path
            .rsplit_once('/')
            .map(|(folder, _)| folder)
            .filter(|folder| !folder.is_empty())
    }
}

/// `umqtt` for this board.
///
/// # Errors
/// Why there is none.
pub fn umqtt(info: &BoardInfo, lang: Lang) -> Result<Vec<Item>, Finding> {
    let board = info.mpy.and_then(|mpy| Arch::from_number(mpy.arch));
    let best = board.and_then(|board| fit::best(board, NATIVE.iter().map(|(arch, _)| *arch)));
    let Some((Some(simple), python)) = best.map(umqtt_for) else {
        return Err(no_module(info, lang));
    };
    Ok([simple].into_iter().chain(python).collect())
}

/// `umqtt` for an architecture: the native module, where there is one, and the Python beside it.
pub fn umqtt_for(arch: Arch) -> (Option<Item>, [Item; 3]) {
    let native = NATIVE.iter().find(|(of, _)| *of == arch);
    let native = native.map(|(_, simple)| Item::new(SIMPLE_PATH, *simple));
    let python = [
        Item::new(ROBUST_PATH, ROBUST),
        Item::new(AIO_PATH, AIO),
        Item::new(UPIP_PATH, UPIP),
    ];
    (native, python)
}

/// Why no module of ours is for this board: its version of the format, if that is another one, else its architecture.
fn no_module(info: &BoardInfo, lang: Lang) -> Finding {
    let any = File::read(NATIVE[0].1).ok();
    let version = any.and_then(|file| fit::compare(&file, info, lang).into_iter().next());
    if let Some(version) = version.filter(|version| version.verdict == Verdict::Unfit) {
        return version;
    }
    let board = fit::board_name(info);
    let mpy = info.mpy.map(|mpy| mpy.to_string()).unwrap_or_default();
    let have = NATIVE.map(|(arch, _)| arch.name()).join(", ");
    Finding {
        aspect: Aspect::Architecture,
        verdict: Verdict::Unfit,
        message: match lang {
            Lang::En => format!(
                "there is no native module for this board ({board}: {mpy}); there is one for: {have}"
            ),
            Lang::Es => format!(
                "no hay módulo nativo para esta placa ({board}: {mpy}); lo hay para: {have}"
            ),
        },
        help: Some(
            lang.pick(
                "use the simulated board (--port sim), or the umqtt.simple that the firmware has",
                "usa la placa simulada (--port sim), o el umqtt.simple que trae el firmware",
            )
            .to_owned(),
        ),
    }
}

/// Whether there is something at the path that may be installed, before any board is reached for it.
///
/// # Errors
/// Where there is nothing that can be read.
pub fn is_there(path: &Path, lang: Lang) -> Result<(), Failure> {
    std::fs::metadata(path)
        .map(drop)
        .map_err(|error| unreadable(path, &error, lang))
}

fn unreadable(path: &Path, error: &std::io::Error, lang: Lang) -> Failure {
    let message = failure::cannot_read(path.display(), error, lang);
    let help = lang.pick(
        "name a .mpy file, the folder that `umqtt build` wrote, or a lesson of `umqtt package`",
        "indica un fichero .mpy, la carpeta que escribió `umqtt build`, o una lección de `umqtt package`",
    );
    Failure::new(Status::Failed, message, help)
}

/// What `umqtt install PATH` puts on this board: a .mpy file, a lesson of `umqtt package`, or what `umqtt build` left in a folder, one subfolder per
/// architecture, of which the one that suits the board best counts.
///
/// # Errors
/// Where there is nothing of the kind, or nothing for this board.
pub fn at_path(path: &Path, info: &BoardInfo, lang: Lang) -> Result<Vec<Item>, Failure> {
    let unreadable = |path: &Path, error| unreadable(path, &error, lang);
    let item = |file: &Path, below: &Path| -> Result<Item, Failure> {
        let content = std::fs::read(file).map_err(|error| unreadable(file, error))?;
        let name = file.strip_prefix(below).unwrap_or(file);
        let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
        Ok(Item::new(format!("/{}", parts.join("/")), content))
    };
    if package::is_package(path) {
        return Package::open(path, lang)?.items(info, lang);
    }
    if !path.is_dir() {
        return Ok(vec![item(path, path.parent().unwrap_or(Path::new("")))?]);
    }
    let board = info.mpy.and_then(|mpy| Arch::from_number(mpy.arch));
    let built = Arch::ALL
        .into_iter()
        .filter(|arch| path.join(arch.name()).is_dir());
    let Some(arch) = board.and_then(|board| fit::best(board, built.clone())) else {
        let have: Vec<_> = built.map(Arch::name).collect();
        let wanted = info.mpy.map(|mpy| mpy.to_string()).unwrap_or_default();
        let (path, have) = (path.display(), have.join(", "));
        let message = match (lang, have.is_empty()) {
            (Lang::En, false) => {
                format!("{path} has no module for this board ({wanted}); it has: {have}")
            }
            (Lang::Es, false) => {
                format!("en {path} no hay módulo para esta placa ({wanted}); hay para: {have}")
            }
            (Lang::En, true) => {
                format!("{path} holds no folder with the name of an architecture, such as x64")
            }
            (Lang::Es, true) => {
                format!(
                    "en {path} no hay ninguna carpeta con el nombre de una arquitectura, como x64"
                )
            }
        };
        if have.is_empty() {
            let help = lang.pick(
                "name the folder that `umqtt build` wrote, release, or one .mpy file in it",
                "indica la carpeta que escribió `umqtt build`, release, o un fichero .mpy de ella",
            );
            return Err(Failure::new(Status::Failed, message, help));
        }
        let help = lang.pick(
            "umqtt build --port PORT builds for the board there",
            "umqtt build --port PUERTO compila para la placa que hay ahí",
        );
        return Err(Failure::new(Status::Failed, message, help));
    };
    let folder = path.join(arch.name());
    let mut files = Vec::new();
    collect(&folder, &mut files).map_err(|error| unreadable(&folder, error))?;
    files.sort();
    files.iter().map(|file| item(file, &folder)).collect()
}

/// The .mpy files below a folder.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "mpy") {
            files.push(path);
        }
    }
    Ok(())
}

/// Why the files could not be put on the board.
#[derive(Debug)]
pub enum InstallError {
    Unfit(Finding),
    Link(LinkError),
}

impl From<LinkError> for InstallError {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl InstallError {
    pub fn into_failure(self, lang: Lang) -> Failure {
        match self {
            Self::Unfit(Finding {
                message,
                help: Some(help),
                ..
            }) => Failure::new(Status::Failed, message, help),
            Self::Unfit(Finding { message, .. }) => Failure::complete(Status::Failed, message),
            Self::Link(error) => Failure::from_link(&error, lang),
        }
    }
}

/// What has to be done so that a board has its files.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Those that differ from what is there, and what each replaces.
    pub differing: Vec<(&'a Item, Option<u64>)>,
    /// Python files that would hide a module.
    hiding: Vec<String>,
}

impl Plan<'_> {
    /// Bytes to be written.
    pub fn bytes(&self) -> usize {
        let sizes = self.differing.iter().map(|(item, _)| item.content.len());
        sizes.sum()
    }
}

/// Whether the board has these files, with nothing that would hide a module of them; one exchange.
pub fn has(board: &mut Board, items: &[Item]) -> Result<bool, LinkError> {
    let hiding: Vec<String> = items.iter().filter_map(Item::hiding).collect();
    let paths = items.iter().map(|item| item.path.as_str());
    let paths: Vec<&str> = paths.chain(hiding.iter().map(String::as_str)).collect();
    let states = board.states(&paths)?;
    let (ours, others) = states.split_at(items.len());
    let there = items
        .iter()
        .zip(ours)
        .all(|(item, state)| state.is(&item.content));
    let hidden = others
        .iter()
        .any(|state| matches!(state, FileState::File { .. }));
    Ok(there && !hidden)
}

/// Compares what the board has with what it should have, in one exchange. A module that is to be written is looked at
/// first: one that does not fit is refused.
pub fn plan<'a>(
    board: &mut Board,
    info: &BoardInfo,
    items: &'a [Item],
    display: &Sender,
    lang: Lang,
) -> Result<Plan<'a>, InstallError> {
    let hiding: Vec<String> = items.iter().filter_map(Item::hiding).collect();
    let paths = items.iter().map(|item| item.path.as_str());
    let paths: Vec<&str> = paths.chain(hiding.iter().map(String::as_str)).collect();
    let states = board.states_briefly(&paths)?;
    let (ours, others) = states.split_at(items.len());
    let differing: Vec<(&Item, Option<u64>)> = items
        .iter()
        .zip(ours)
        .filter(|(item, state)| !state.is(&item.content))
        .map(|(item, state)| (item, state.replaced()))
        .collect();
    for (item, _) in &differing {
        look_at(board, info, item, display, lang)?;
    }
    let is_file = |state: &FileState| matches!(state, FileState::File { .. });
    let hiding = hiding
        .iter()
        .zip(others)
        .filter(|(_, state)| is_file(state));
    Ok(Plan {
        differing,
        hiding: hiding.map(|(path, _)| path.clone()).collect(),
    })
}

/// Does what was planned.
pub fn apply(
    board: &mut Board,
    plan: &Plan<'_>,
    display: &Sender,
    progress: &mut dyn FnMut(PutProgress),
    lang: Lang,
) -> Result<(), InstallError> {
    let mut folders = BTreeSet::new();
    for folder in plan.differing.iter().filter_map(|(item, _)| item.folder()) {
        let ends = folder.match_indices('/').map(|(at, _)| at);
        let ends = ends.chain([folder.len()]).filter(|at| *at > 0);
        folders.extend(ends.map(|at| &folder[..at]));
    }
    let folders: Vec<&str> = folders.into_iter().collect();
    board.mkdir_all(&folders)?;
    let files = |secret: bool| -> Vec<NewFile<'_>> {
        (plan.differing.iter())
            .filter(|(item, _)| item.secret == secret)
            .map(|(item, replaces)| NewFile {
                path: &item.path,
                content: &item.content,
                replaces: *replaces,
            })
            .collect()
    };
    board.put_all(&files(false), progress)?;
    let secret = files(true);
    if !secret.is_empty() {
        let _hidden = trace::hide();
        board.put_all(&secret, progress)?;
    }
    for hiding in &plan.hiding {
        let aside = format!("{hiding}.old");
        board.mv(hiding, &aside)?;
        display.note(match lang {
            Lang::En => format!("{hiding} would hide the native module; it is {aside} now"),
            Lang::Es => format!("{hiding} taparía el módulo nativo; ahora se llama {aside}"),
        });
    }
    Ok(())
}

/// Makes the board's files what they should be, touching only those that differ, and returns the
/// paths written. What would hide a module is moved aside.
pub fn install(
    board: &mut Board,
    info: &BoardInfo,
    items: &[Item],
    display: &Sender,
    lang: Lang,
) -> Result<Vec<String>, InstallError> {
    let plan = plan(board, info, items, display, lang)?;
    let mut bar = Progress::new(plan.bytes(), board.port());
    apply(board, &plan, display, &mut |now| bar.at(now.taken), lang)?;
    bar.finish();
    let written = plan.differing.iter().map(|(item, _)| item.path.clone());
    Ok(written.collect())
}

/// Refuses a module that the board cannot load, and mentions doubts.
fn look_at(
    board: &mut Board,
    info: &BoardInfo,
    item: &Item,
    display: &Sender,
    lang: Lang,
) -> Result<(), InstallError> {
    if !item.path.ends_with(".mpy") {
        return Ok(());
    }
    let file = File::read(&item.content).map_err(|error| {
        InstallError::Unfit(Finding {
            aspect: Aspect::Version,
            verdict: Verdict::Unfit,
            message: format!("{}: {error}", item.path),
            help: None,
        })
    })?;
    let mut findings = fit::compare(&file, info, lang);
    if findings
        .iter()
        .all(|finding| finding.verdict != Verdict::Unfit)
    {
        findings.push(fit::memory(&file, fit::ask_memory(board, &file)?, lang));
    }
    for finding in findings {
        match finding.verdict {
            Verdict::Fits => {}
            Verdict::Doubtful => display.note(format!("{}: {}", item.path, finding.message)),
            Verdict::Unfit => return Err(InstallError::Unfit(finding)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use board_link::MpyVersion;

    use super::*;

    fn board(mpy: Option<u32>) -> BoardInfo {
        BoardInfo {
            implementation: "micropython".to_owned(),
            version: (1, 26, 0),
            version_text: String::new(),
            platform: "esp32".to_owned(),
            machine: "Generic ESP32 module with ESP32".to_owned(),
            mpy: mpy.map(MpyVersion::from_bits),
            unique_id: None,
            free_heap: None,
        }
    }

    /// `sys.implementation._mpy` of version 6.3.
    fn bits(arch: Arch) -> Option<u32> {
        Some(6 | 3 << 8 | u32::from(arch.number()) << 10)
    }

    #[test]
    fn each_module_is_made_for_the_architecture_it_is_listed_under_and_fits_its_boards() {
        for (arch, bytes) in NATIVE {
            let file = File::read(bytes).expect("a module of ours");
            assert_eq!((file.version, file.arch), ((6, 3), Some(arch)));
            let info = board(bits(arch));
            let items = umqtt(&info, Lang::En).expect("a module of ours");
            assert_eq!(items[0].content, bytes);
            for finding in fit::compare(&file, &info, Lang::En) {
                assert_eq!(
                    finding.verdict,
                    Verdict::Fits,
                    "{}: {finding:?}",
                    arch.name()
                );
            }
        }
    }

    #[test]
    fn no_module_of_ours_passes_floats_by_value() {
        // An RP2350 says armv7emsp and is built softfp.
        let rp2350 = BoardInfo {
            platform: "rp2".to_owned(),
            ..board(bits(Arch::Armv7emsp))
        };
        let items = umqtt(&rp2350, Lang::En).expect("a module");
        let file = File::read(&items[0].content).expect("a file");
        assert!(
            fit::compare(&file, &rp2350, Lang::En)
                .iter()
                .all(|finding| finding.verdict == Verdict::Fits)
        );
    }

    #[test]
    fn a_board_that_cannot_have_the_module_is_told_why() {
        // MicroPython 1.22 on x64, 1.26 without native code, a board that takes no .mpy.
        let refused = |mpy| umqtt(&board(mpy), Lang::En).expect_err("no module");
        let old = refused(Some(0x0006 | 2 << 8));
        assert_eq!((old.aspect, old.verdict), (Aspect::Version, Verdict::Unfit));
        assert!(
            old.message.contains("6.2") && old.message.contains("6.3"),
            "{}",
            old.message
        );
        let none = refused(Some(0x0306));
        assert_eq!(none.aspect, Aspect::Architecture);
        assert!(none.message.contains("xtensawin"), "{}", none.message);
        assert_eq!(refused(None).aspect, Aspect::Version);
    }

    #[test]
    fn the_best_of_a_folder_is_taken_with_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        for arch in ["armv6m", "armv7m", "x64"] {
            let place = folder.path().join(arch).join("pkg");
            std::fs::create_dir_all(&place).expect("a folder");
            std::fs::write(place.join("m.mpy"), arch).expect("a file");
        }
        let items =
            at_path(folder.path(), &board(bits(Arch::Armv7emsp)), Lang::En).expect("armv7m's");
        assert_eq!(items, [Item::new("/pkg/m.mpy", b"armv7m".as_slice())]);
        let refused =
            at_path(folder.path(), &board(bits(Arch::Xtensawin)), Lang::En).expect_err("none");
        assert!(refused.to_string().contains("armv6m, armv7m"), "{refused}");
        let below = folder.path().join("x64");
        let refused = at_path(&below, &board(bits(Arch::X64)), Lang::En).expect_err("none");
        assert!(refused.to_string().contains("such as x64"), "{refused}");
        let file = folder.path().join("x64/pkg/m.mpy");
        let items = at_path(&file, &board(None), Lang::En).expect("any file");
        assert_eq!(items[0].path, "/m.mpy");
        assert!(at_path(&folder.path().join("nothing.mpy"), &board(None), Lang::Es).is_err());
    }
}
