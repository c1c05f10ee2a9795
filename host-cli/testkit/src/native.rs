//! Decides how tests get a native module of this workspace: built as anybody's, with the lock file as it is.

pub use native_build::{Arch, Linked};
use native_build::{Options, Project};

/// Builds a crate of `native-module` for an architecture.
///
/// # Errors
/// Where it does not compile or link; the text carries what the compiler or linker said.
pub fn build(package: &str, arch: Arch) -> Result<Linked, String> {
    let options = Options {
        locked: true,
        ..Options::default()
    };
    Project::named(&crate::repository(), package)
        .and_then(|project| native_build::build(&project, arch, options))
        .map(|built| built.linked)
        .map_err(|error| error.to_string())
}
