//! Decides the bytes of a lesson's file: the same lesson gives the same bytes, whenever and wherever it is packed.

use std::io::{Cursor, Write};

use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::manifest::Manifest;
use super::{Address, Package, mip};

/// The file's content; with an `address`, mip is told that the files lie there, else that they lie beside what tells it.
///
/// # Errors
/// Those of the zip library, which has none for what a [`Package`] may be.
pub fn bytes(package: &Package, address: Option<&Address>) -> ZipResult<Vec<u8>> {
    // The earliest time that a zip file can hold, and one set of permissions: nothing of the computer it was packed on.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let manifest = Manifest::of(package, address);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut put = |name: &str, content: &[u8]| -> ZipResult<()> {
        zip.start_file(name, options)?;
        Ok(zip.write_all(content)?)
    };
    put("manifest.json", &manifest_text(&manifest))?;
    for (name, content) in mip::files(&manifest, address) {
        put(&name, &content)?;
    }
    for (path, content) in &package.files {
        put(&format!("files/{path}"), content)?;
    }
    for (arch, files) in &package.modules {
        for (path, content) in files {
            put(&format!("modules/{}/{path}", arch.name()), content)?;
        }
    }
    Ok(zip.finish()?.into_inner())
}

/// One line per fact, so that people can read it too.
fn manifest_text(manifest: &Manifest) -> Vec<u8> {
    // A value of strings and numbers always becomes JSON.
    let mut text = serde_json::to_vec_pretty(manifest).unwrap_or_default();
    text.push(b'\n');
    text
}
