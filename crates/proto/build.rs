//! Compiles `proto/lgpki/v1` with protox, so that no protoc is needed, and keeps the descriptor set
//! with its comments: gRPC reflection serves it and a test reads who may call what.

use std::{env, error::Error, fs, path::PathBuf};

use tonic_prost_build as build;

const FILES: [&str; 13] = [
    "addressee",
    "admission",
    "application",
    "audit",
    "certificate",
    "common",
    "directory",
    "examination",
    "issuer",
    "lifecycle",
    "notice",
    "queue",
    "slot",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let files = FILES.map(|name| root.join(format!("lgpki/v1/{name}.proto")));
    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(&files)?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(
        out.join("lgpki.v1.fds"),
        compiler.encode_file_descriptor_set(),
    )?;
    // A large CRL is sent in slices of its one buffer.
    build::configure()
        .bytes(".lgpki.v1.SignCrlRequest.chunk")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
