//! Finding and fetching MicroPython: with the real apt of this machine, and with everything that can fail.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::bench::skip;
use board_sim::micropython::{
    FindError, FindOptions, Foreign, MicroPython, Origin, source_package,
};

fn options(cache: &Path) -> FindOptions {
    FindOptions {
        cache: Some(cache.to_path_buf()),
        // Any version fits, but UMQTT_MICROPYTHON and PATH do not count.
        version: Some("1".to_string()),
        ..FindOptions::default()
    }
}

/// Leaves the test by name where the network or apt is missing; every other error is a failure.
fn unless_unreachable<T>(result: Result<T, FindError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(e @ (FindError::Network { .. } | FindError::NoPackageSource { .. })) => {
            skip(&e.to_string());
            None
        }
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn fetches_once_then_uses_the_cache() {
    let cache = tempfile::tempdir().unwrap();
    let mut steps = Vec::new();
    let fetched = MicroPython::find(&options(cache.path()), &mut |p| steps.push(p.to_string()));
    let Some(fetched) = unless_unreachable(fetched) else {
        return;
    };
    assert_eq!(fetched.origin(), Origin::Fetched);
    assert_eq!(fetched.implementation().mpy_version(), (6, 3));
    assert!(steps.iter().any(|s| s.contains("index")), "{steps:?}");
    let output = fetched
        .command()
        .args(["-c", "print(6*7)"])
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"42\n");

    let again = MicroPython::find(
        &FindOptions {
            offline: true,
            ..options(cache.path())
        },
        &mut |p| panic!("nothing to do, yet: {p}"),
    )
    .unwrap();
    assert_eq!(again.origin(), Origin::Cache);
    assert_eq!(again.program(), fetched.program());
    let mut left: Vec<_> = std::fs::read_dir(cache.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["lock", "micropython"]);
}

#[test]
fn two_at_once_fetch_one_copy() {
    let cache = tempfile::tempdir().unwrap();
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| MicroPython::find(&options(cache.path()), &mut |_| ())))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let mut origins = Vec::new();
    for result in results {
        let Some(found) = unless_unreachable(result) else {
            return;
        };
        origins.push(found.origin());
    }
    assert!(origins.contains(&Origin::Fetched));
    assert!(origins.contains(&Origin::Cache), "{origins:?}");
}

#[test]
fn a_broken_copy_and_leftovers_are_never_used() {
    let cache = tempfile::tempdir().unwrap();
    let broken = cache.path().join("micropython/1.25.0/usr/bin");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::write(broken.join("micropython"), "half a file").unwrap();
    std::fs::create_dir_all(cache.path().join("part-1/root/usr")).unwrap();
    let Some(found) = unless_unreachable(MicroPython::find(&options(cache.path()), &mut |_| ()))
    else {
        return;
    };
    assert_eq!(found.origin(), Origin::Fetched);
    assert!(!cache.path().join("part-1").exists());
}

#[test]
fn no_network_is_said_and_leaves_nothing() {
    let cache = tempfile::tempdir().unwrap();
    // Port 9 of this computer: nobody listens, so the refusal comes at once.
    let proxy = "http://127.0.0.1:9";
    let unreachable = FindOptions {
        apt_settings: vec![
            format!("Acquire::http::Proxy={proxy}"),
            format!("Acquire::https::Proxy={proxy}"),
            "Acquire::Retries=0".to_string(),
        ],
        ..options(cache.path())
    };
    let error = MicroPython::find(&unreachable, &mut |_| ()).unwrap_err();
    match &error {
        FindError::Network { .. } => {
            assert!(error.to_string().contains("no answer"), "{error}");
            assert!(error.to_spanish().contains("red"), "{error}");
        }
        FindError::NoPackageSource { .. } => return skip(&error.to_string()),
        other => panic!("{other}"),
    }
    let left: Vec<_> = std::fs::read_dir(cache.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "only the lock may stay: {left:?}");
}

#[test]
fn offline_and_unwritable_caches_say_so() {
    let cache = tempfile::tempdir().unwrap();
    let offline = FindOptions {
        offline: true,
        ..options(cache.path())
    };
    let error = MicroPython::find(&offline, &mut |_| ()).unwrap_err();
    assert!(matches!(error, FindError::Offline { .. }), "{error}");

    let file = cache.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = MicroPython::find(&options(&file.join("sub")), &mut |_| ()).unwrap_err();
    match error {
        FindError::Cache { .. } => {}
        FindError::NoPackageSource { .. } => skip(&error.to_string()),
        other => panic!("{other}"),
    }
}

#[test]
fn a_named_program_must_be_micropython() {
    let named = |program: &Path| {
        MicroPython::find(
            &FindOptions {
                program: Some(program.to_path_buf()),
                ..FindOptions::default()
            },
            &mut |_| (),
        )
    };
    for program in ["/bin/true", "/no/such/file"] {
        let error = named(Path::new(program)).unwrap_err();
        assert!(matches!(error, FindError::Unusable { .. }), "{error}");
        assert!(error.to_string().contains(program), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("micropython");
    std::fs::write(
        &old,
        "#!/bin/sh\necho umqtt-probe micropython 1.22.1 2566 linux\n",
    )
    .unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = named(&old).unwrap_err().to_string();
    assert!(error.contains("1.22.1") && error.contains("6.2"), "{error}");
}

#[test]
fn another_version_and_its_sources() {
    let cache = tempfile::tempdir().unwrap();
    let wanted = FindOptions {
        version: Some("1.26".to_string()),
        ..options(cache.path())
    };
    let Some(found) = unless_unreachable(MicroPython::find(&wanted, &mut |_| ())) else {
        return;
    };
    assert!(found.implementation().version.starts_with("1.26."));
    let sources = source_package("micropython", "1.26", &wanted, &mut |_| ()).unwrap();
    assert!(sources.version.starts_with("1.26"), "{sources:?}");
    assert!(sources.path.join("py/nativeglue.h").is_file());
    assert!(sources.path.join("debian/control").is_file());
    let again = source_package("micropython", "1.26", &wanted, &mut |p| panic!("{p}")).unwrap();
    assert_eq!(again, sources);

    let error = MicroPython::find(
        &FindOptions {
            version: Some("1.24.7".to_string()),
            ..wanted
        },
        &mut |_| (),
    )
    .unwrap_err();
    assert!(matches!(error, FindError::NoSuchPackage { .. }), "{error}");
}

/// As root the same fetch is tried as an ordinary user, who cannot write any of apt's own folders.
#[test]
fn an_ordinary_user_can_fetch() {
    if !rustix::process::geteuid().is_root() {
        return skip("only root can become another user; the other tests run as an ordinary one");
    }
    let cache = tempfile::tempdir().unwrap();
    std::fs::set_permissions(cache.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    // The test program itself lies where nobody may read: a copy runs.
    let program = cache.path().join("test-program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args([
            "find::fetches_once_then_uses_the_cache",
            "--exact",
            "--nocapture",
        ])
        .env("TMPDIR", cache.path())
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        !String::from_utf8_lossy(&output.stderr).contains("W:"),
        "apt's warnings reach the user"
    );
}

/// A folder with four megabytes of room, unmounted when dropped; None where that cannot be made.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "umqtt-test"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        made.then_some(SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Left behind it only costs memory.
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_is_said_before_anything_is_fetched() {
    let Some(disk) = SmallDisk::new() else {
        return skip("a small disk can only be mounted as root");
    };
    let error = MicroPython::find(&options(disk.0.path()), &mut |_| ()).unwrap_err();
    match &error {
        FindError::DiskFull { free_mb, .. } => assert!(*free_mb < 5, "{error}"),
        FindError::NoPackageSource { .. } => return skip(&error.to_string()),
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains("not enough room"), "{error}");
    assert!(error.to_spanish().contains("falta sitio"), "{error}");
}

/// Ctrl-C reaches the whole process group: this program and the apt it started.
#[test]
fn an_interrupted_fetch_is_no_harm() {
    let cache = tempfile::tempdir().unwrap();
    for wait in [50, 400, 900, 1500] {
        let mut fetcher = Command::new(std::env::current_exe().unwrap())
            .args([
                "find::fetch_for_another_test",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("BOARD_SIM_TEST_FOLDER", cache.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let group = rustix::process::Pid::from_raw(fetcher.id() as i32).unwrap();
        // It may be done already.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::INT);
        fetcher.wait().unwrap();
    }
    let Some(found) = unless_unreachable(MicroPython::find(&options(cache.path()), &mut |_| ()))
    else {
        return;
    };
    let output = found.command().args(["-c", "print(1)"]).output().unwrap();
    assert_eq!(output.stdout, b"1\n");
}

#[test]
#[ignore = "started by an_interrupted_fetch_is_no_harm"]
fn fetch_for_another_test() {
    let cache = std::env::var("BOARD_SIM_TEST_FOLDER").expect("a folder");
    // Interrupted or not: the test that started this looks at what is left.
    let _ = MicroPython::find(&options(Path::new(&cache)), &mut |_| ());
}

#[test]
fn one_for_the_32_bit_pc_is_apart_from_this_computers() {
    let cache = tempfile::tempdir().unwrap();
    let wanted = FindOptions {
        foreign: Some(Foreign::I386),
        ..options(cache.path())
    };
    let Some(fetched) = unless_unreachable(MicroPython::find(&wanted, &mut |_| ())) else {
        return;
    };
    // MP_NATIVE_ARCH_X86 of py/persistentcode.h.
    assert_eq!(fetched.implementation().native_arch(), 1);
    let own = FindOptions {
        offline: true,
        ..options(cache.path())
    };
    assert!(MicroPython::find(&own, &mut |_| ()).is_err());
    let again = FindOptions {
        offline: true,
        ..wanted
    };
    let again = MicroPython::find(&again, &mut |_| ()).unwrap();
    assert_eq!(again.program(), fetched.program());
}
