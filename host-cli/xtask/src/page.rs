//! `cargo xtask page`: decides how the laboratory's page is built, the one thing here that runs npm.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// Installs what the lock file says, and builds host-cli/lab/page/dist, which the next build of umqtt embeds.
pub fn build() -> Result<()> {
    let page = testkit::repository().join("host-cli/lab/page");
    if !page.join("package.json").is_file() {
        bail!("{} has no package.json", page.display());
    }
    for arguments in [
        &["ci", "--no-audit", "--no-fund"] as &[&str],
        &["run", "build"],
    ] {
        let status = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
            .args(arguments)
            .current_dir(&page)
            .status()
            .context("cannot run npm: install Node.js 18 or later (apt install nodejs npm, or nodejs.org)")?;
        if !status.success() {
            bail!("npm {} failed ({status})", arguments.join(" "));
        }
    }
    Ok(())
}
