//! The kernel's walls around the board's process: what stands when the walls in Python have a hole.
//!
//! Landlock confines it to its folder; seccomp refuses the system calls a board has no use for: starting
//! programs, sockets of this computer's own services, signals to others. Both are asked of the kernel
//! here and taken up by the process itself, once its libraries are loaded and before any script runs.

use std::os::fd::OwnedFd;
use std::path::Path;

/// Which walls of the kernel stand around a board. The walls in Python always do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walls {
    /// Landlock: the kernel refuses every file outside the folder.
    pub landlock: bool,
    /// seccomp: the kernel refuses to start programs and the like.
    pub seccomp: bool,
}

/// The open files that carry the walls to the board's process.
#[derive(Default)]
pub(crate) struct WallFiles {
    pub(crate) ruleset: Option<OwnedFd>,
    pub(crate) program: Option<OwnedFd>,
}

impl WallFiles {
    /// Builds what this kernel has; a wall it does not have is left out.
    pub(crate) fn build(root: &Path) -> WallFiles {
        #[cfg(target_os = "linux")]
        {
            WallFiles {
                ruleset: linux::ruleset(root).ok().flatten(),
                program: linux::program().ok().flatten(),
            }
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = root;
            WallFiles::default()
        }
    }

    pub(crate) fn walls(&self) -> Walls {
        Walls {
            landlock: self.ruleset.is_some(),
            seccomp: self.program.is_some(),
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::error::Error;
    use std::io::Write;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use landlock::{
        ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
    };
    use rustix::io::Errno;
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    /// The newest Landlock this is written against; on older kernels the crate leaves out what is newer.
    const LANDLOCK: ABI = ABI::V6;

    pub(super) fn ruleset(root: &Path) -> Result<Option<OwnedFd>, Box<dyn Error>> {
        let all = AccessFs::from_all(LANDLOCK);
        let created = Ruleset::default()
            .handle_access(all)?
            .scope(Scope::from_all(LANDLOCK))?
            .create()?
            .add_rule(PathBeneath::new(
                PathFd::new(root)?,
                all & !AccessFs::Execute & !AccessFs::MakeSym & !AccessFs::MakeSock,
            ))?;
        Ok(created.into())
    }

    pub(super) fn program() -> Result<Option<OwnedFd>, Box<dyn Error>> {
        let Ok(arch) = std::env::consts::ARCH.try_into() else {
            return Ok(None);
        };
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for number in [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_kill,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_chroot,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_bpf,
            libc::SYS_keyctl,
            libc::SYS_pidfd_open,
            libc::SYS_setuid,
            libc::SYS_setgid,
        ] {
            rules.insert(number, Vec::new());
        }
        // Sockets other than IPv4 and IPv6 lead to this computer's own services.
        let not = |family: i32| {
            SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family as u64)
        };
        rules.insert(
            libc::SYS_socket,
            vec![SeccompRule::new(vec![
                not(libc::AF_INET)?,
                not(libc::AF_INET6)?,
            ])?],
        );
        let filter = SeccompFilter::new(
            rules,
            SeccompAction::Allow,
            SeccompAction::Errno(Errno::PERM.raw_os_error() as u32),
            arch,
        )?;
        let program: BpfProgram = filter.try_into()?;
        let (reader, mut writer) = std::io::pipe()?;
        // struct sock_filter of linux/filter.h, 8 bytes each; all of it fits the pipe.
        for step in &program {
            let mut bytes = [0; 8];
            bytes[..2].copy_from_slice(&step.code.to_ne_bytes());
            bytes[2] = step.jt;
            bytes[3] = step.jf;
            bytes[4..].copy_from_slice(&step.k.to_ne_bytes());
            writer.write_all(&bytes)?;
        }
        Ok(Some(reader.into()))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use crate::{FindError, FindOptions, MicroPython, SimBoard, SimConfig, SimError};

    /// Attempts that the walls in Python would stop; here they are made from where those do not stand.
    const ATTEMPTS: &str = r#"
def attempt(name, action):
    try:
        result = action()
        print(name, "open" if result is None or result == 0 or not isinstance(result, int) else "closed")
    except OSError:
        print(name, "closed")
system = libc.func("i", "system", "s")
libc_open = libc.func("i", "open", "si")
def raw_open(path, flags):
    return 0 if libc_open(path, flags) >= 0 else -1
attempt("own-file", lambda: real_open("/own", "w").close())
attempt("program", lambda: system("true"))
attempt("execve", lambda: libc.func("i", "execl", "sss")("/bin/true", "true", None))
attempt("read", lambda: raw_open("/etc/passwd", 0))
attempt("write", lambda: raw_open(OUTSIDE, 0o101))
attempt("unix-socket", lambda: 0 if libc.func("i", "socket", "iii")(1, 1, 0) >= 0 else -1)
attempt("netlink-socket", lambda: 0 if libc.func("i", "socket", "iii")(16, 3, 0) >= 0 else -1)
attempt("inet-socket", lambda: 0 if libc.func("i", "socket", "iii")(2, 1, 0) >= 0 else -1)
attempt("kill", lambda: libc.func("i", "kill", "ii")(libc.func("i", "getppid", "")(), 0))
attempt("ptrace", lambda: 0 if libc.func("l", "ptrace", "iiPP")(16, libc.func("i", "getppid", "")(), None, None) >= 0 else -1)
attempt("link", lambda: libc.func("i", "symlink", "ss")("/etc/passwd", ROOT + "/link"))
libc_exit(0)
"#;

    #[test]
    fn the_kernel_stops_what_python_forgets() {
        let micropython = match MicroPython::find(&FindOptions::default(), &mut |_| ()) {
            Ok(found) => found,
            Err(e @ (FindError::Network { .. } | FindError::NoPackageSource { .. })) => {
                assert!(std::env::var_os("UMQTT_REQUIRE_ALL").is_none(), "{e}");
                return eprintln!("skipped the_kernel_stops_what_python_forgets: {e}");
            }
            Err(e) => panic!("{e}"),
        };
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().join("target");
        let config = SimConfig::new(folder.path(), micropython);
        let walls = super::WallFiles::build(folder.path()).walls();
        if !(walls.landlock && walls.seccomp) {
            assert!(std::env::var_os("UMQTT_REQUIRE_ALL").is_none(), "{walls:?}");
            return eprintln!(
                "skipped the_kernel_stops_what_python_forgets: this kernel has {walls:?}"
            );
        }
        let attempts = ATTEMPTS
            .replace("OUTSIDE", &format!("{:?}", target.display().to_string()))
            .replace(
                "ROOT",
                &format!("{:?}", folder.path().display().to_string()),
            )
            .replace('\n', "\n    ");
        // In place of saying that the board is ready.
        let ready = "    send(b\"R%d\"";
        let (before, after) = crate::modules::START.split_once(ready).unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        let code = format!("{before}    {attempts}\n{after}");
        let Err(SimError::Start { output, .. }) = SimBoard::start_with(config, code) else {
            panic!("a board that only attempts things does not start");
        };
        assert_eq!(
            output,
            "own-file open / program closed / execve closed / read closed / write closed / \
             unix-socket closed / netlink-socket closed / inet-socket open / kill closed / \
             ptrace closed / link closed"
        );
        assert!(!target.exists());
    }
}
