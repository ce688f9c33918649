//! Replacing a file as a whole: whoever reads it finds the old content or the new, after a power cut too.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use crate::error::CommandError;

/// Writes a file beside its place, durably, and renames it; on return its name is durable as well.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), CommandError> {
    put(path, text).map_err(|e| CommandError::file("write", path, &e))
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    fs::create_dir_all(dir)?;
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    // Before the name: a rename may reach the disk earlier than what was written.
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(dir)?.sync_all()
}
