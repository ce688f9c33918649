//! Outside programs that a test looks at our results with, such as `openssl`.
//!
//! Where one is missing the test says so and passes, so that a plain checkout tests what it can. In
//! the environment that decides what lands, `LGPKI_TOOLS_REQUIRED` is set and a missing tool fails.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// With this variable in the environment, no tool may be missing.
const REQUIRED: &str = "LGPKI_TOOLS_REQUIRED";

/// An outside program that is there.
#[derive(Clone, Debug)]
pub struct Tool(PathBuf);

impl Tool {
    /// A new command that runs it.
    #[must_use]
    pub fn command(&self) -> Command {
        Command::new(&self.0)
    }
}

/// Finds the program `name`, which Debian's `package` brings, in the search path or at an absolute
/// path. None where it is missing, after a line that begins with `skipped:`.
///
/// # Panics
/// If it is missing and tools are required.
#[must_use]
pub fn tool(name: &str, package: &str) -> Option<Tool> {
    let found = Command::new(name)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if found.is_ok() {
        return Some(Tool(name.into()));
    }
    missing(&format!(
        "the program {name} is missing (Debian: apt-get install {package})"
    ));
    None
}

/// Finds Python 3 with `modules`, which Debian's `packages` bring; like [`tool`].
///
/// # Panics
/// If something is missing and tools are required.
#[must_use]
pub fn python(modules: &[&str], packages: &str) -> Option<Tool> {
    // Debian's own interpreter, for Debian's packages are installed for that one.
    let python = tool("/usr/bin/python3", "python3")?;
    let imports = format!("import {}", modules.join(", "));
    let found = python
        .command()
        .args(["-c", &imports])
        .stderr(Stdio::null())
        .status();
    if found.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    missing(&format!(
        "a Python module is missing (Debian: apt-get install {packages})"
    ));
    None
}

/// Builds the program `tests/go/check_log.go` in `scratch`: it checks a published log with Go's own
/// code for transparency logs. None where the compiler or that code is missing; like [`tool`].
///
/// # Panics
/// If something is missing and tools are required, or if the program cannot be built.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "a test that cannot build its checker ends"
)]
pub fn log_checker(scratch: &Path) -> Option<Tool> {
    const LIBRARY: &str = "/usr/share/gocode/src/golang.org/x/mod/sumdb";
    let gccgo = tool("gccgo", "gccgo")?;
    if !Path::new(LIBRARY).is_dir() {
        missing("Go's x/mod is missing (Debian: apt-get install golang-golang-x-mod-dev)");
        return None;
    }
    let library = scratch.join("golang.org/x/mod/sumdb");
    std::fs::create_dir_all(&library).expect("a directory for what is built");
    let build = |command: &mut Command| {
        let output = command.current_dir(scratch).output().expect("gccgo runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
    };
    for (package, sources) in [("tlog", &["note", "tile", "tlog"][..]), ("note", &["note"])] {
        let mut command = gccgo.command();
        command.arg(format!("-fgo-pkgpath=golang.org/x/mod/sumdb/{package}"));
        command
            .args(["-c", "-o"])
            .arg(library.join(format!("{package}.o")));
        command.args(
            sources
                .iter()
                .map(|source| format!("{LIBRARY}/{package}/{source}.go")),
        );
        build(&mut command);
    }
    let program = scratch.join("check_log");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/go/check_log.go");
    let mut command = gccgo.command();
    command
        .args(["-I", "."])
        .arg("-o")
        .arg(&program)
        .arg(source);
    command.args(["tlog", "note"].map(|package| library.join(format!("{package}.o"))));
    build(&mut command);
    Some(Tool(program))
}

/// Says that a test is skipped because `what`, or fails it where nothing may be skipped.
///
/// # Panics
/// If tools are required.
pub fn missing(what: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one switch of the test environment; no configuration of the product"
    )]
    let required = std::env::var(REQUIRED).is_ok();
    assert!(!required, "{what}, and {REQUIRED} is set");
    skipped(what);
}

/// Says that a test is skipped for the lack of a right that no package brings.
pub fn skipped(why: &str) {
    // Not captured by the test harness, unlike what the print macros write.
    let _ = std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_there_is_found_and_runs() {
        let shell = tool("sh", "dash").unwrap();
        let status = shell.command().args(["-c", "exit 3"]).status();
        assert_eq!(status.unwrap().code(), Some(3));
    }
}
