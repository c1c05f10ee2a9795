//! How a file is written whole or not at all.

use std::fs::File;
use std::io::{ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is to be written, and can be as far as is known beforehand.
pub enum WholeFile {
    /// What is written stands beside the file until all of it does.
    Beside(NamedTempFile, PathBuf),
    /// A device or a pipe, which must stay what it is.
    Special(PathBuf),
}

impl WholeFile {
    /// Touches nothing that is there.
    ///
    /// # Errors
    /// Where no file can be made in its folder, or it is a folder itself.
    pub fn prepare(path: &Path) -> Result<WholeFile> {
        // A link stays, and what it leads to is written.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let before = path.metadata().ok();
        if before.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            return Err(ErrorKind::IsADirectory.into());
        }
        if before.as_ref().is_some_and(|before| !before.is_file()) {
            return Ok(WholeFile::Special(path));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        // Opened here, as any file of the user's: tempfile's own are for their owner alone, and its errors end with the name
        // of a file that nobody has heard of.
        let open = |beside: &Path| File::create_new(beside);
        let file = tempfile::Builder::new()
            .prefix(".umqtt-")
            .make_in(folder.unwrap_or(Path::new(".")), open)?;
        if let Some(before) = before {
            file.as_file().set_permissions(before.permissions())?;
        }
        Ok(WholeFile::Beside(file, path))
    }

    /// Puts these bytes in the place of what was there.
    ///
    /// # Errors
    /// As [`std::fs::write`]; what was there before is there still.
    pub fn write(self, bytes: &[u8]) -> Result<()> {
        match self {
            WholeFile::Special(path) => std::fs::write(path, bytes),
            WholeFile::Beside(mut file, path) => {
                file.as_file_mut().write_all(bytes)?;
                file.persist(path)?;
                Ok(())
            }
        }
    }
}

/// Writes a file whole or not at all.
///
/// # Errors
/// As [`WholeFile::prepare`] and [`WholeFile::write`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    WholeFile::prepare(path)?.write(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_file_is_as_others_that_the_user_makes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (usual, ours) = (folder.path().join("usual"), folder.path().join("ours"));
        fs::write(&usual, "x").expect("a file");
        write(&ours, b"one").expect("written");
        assert_eq!(fs::read(&ours).expect("it"), b"one");
        let mode = |path: &Path| path.metadata().expect("it").mode();
        assert_eq!(mode(&ours), mode(&usual));
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o640)).expect("its mode");
        write(&ours, b"two").expect("written");
        assert_eq!(fs::read(&ours).expect("it"), b"two");
        assert_eq!(mode(&ours) & 0o777, 0o640);
        let names = fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(names, 2, "nothing else stays");
    }

    #[test]
    fn a_link_stays_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").expect("a file");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        write(&link, b"new").expect("written");
        assert!(fs::symlink_metadata(&link).expect("it").is_symlink());
        assert_eq!(fs::read(&file).expect("it"), b"new");
    }

    #[test]
    fn a_pipe_stays_one_and_a_folder_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        )
        .expect("a pipe");
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).expect("its bytes")
        });
        write(&pipe, b"through").expect("written");
        assert_eq!(reader.join().expect("the reader"), b"through");
        assert!(pipe.metadata().expect("it").file_type().is_fifo());
        let error = write(folder.path(), b"x").expect_err("a folder");
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn what_was_there_stays_where_nothing_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.html");
        fs::write(&path, "old").expect("a file");
        drop(WholeFile::prepare(&path).expect("can be written"));
        assert_eq!(fs::read(&path).expect("it"), b"old");
        let nowhere = folder.path().join("none/report.html");
        let error = WholeFile::prepare(&nowhere).err().expect("no folder");
        let usual = fs::write(&nowhere, "x").expect_err("no folder");
        assert_eq!(error.to_string(), usual.to_string());
    }
}
