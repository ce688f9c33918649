//! The logs as tables for other programs, with a manifest that says what they were made from.
//!
//! Every entry is compared with the tree that the checkpoint signs for before it is written.

mod columns;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use lgpki_domain::Digest;
use lgpki_ledger::{VerifierKey, merkle};
use ring::digest::{Context, SHA256};
use serde::Serialize;

use crate::{
    directory::{LogDir, Published},
    error::AuditError,
    proof::{EntryText, read_entry, reader},
    walk::{At, walk},
};

/// How the entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line of JSON for each entry, which holds the entry byte for byte.
    Jsonl,
    /// A row for each entry (RFC 4180).
    Csv,
    /// The same rows as columns, with numbers and times as such (Apache Parquet).
    Parquet,
}

impl Format {
    const fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// What an export was made from.
#[derive(Debug, Serialize)]
pub struct Manifest {
    /// The manifest's own form.
    pub form: &'static str,
    /// The program's version.
    pub program: &'static str,
    /// The files.
    pub files: Vec<Exported>,
}

/// A file with the entries of a log.
#[derive(Debug, Serialize)]
pub struct Exported {
    /// The file's name.
    pub file: String,
    /// How many entries it holds.
    pub entries: u64,
    /// How many bytes.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// The service.
    pub service: &'static str,
    /// The log.
    pub log: String,
    /// The checkpoint whose tree its entries make.
    pub checkpoint: String,
}

const COLUMNS: &str = "service,log,leaf,index,time,kind,v,actor,node,application,certificate,digest,\
                       answers_log,answers_index,leaf_hash,body";

/// Writes the entries of every log to a file in `out`, and the manifest beside them.
pub fn export(
    published: &Published,
    format: Format,
    (out, keys): (&Path, &[VerifierKey]),
    progress: &mut dyn FnMut(u64),
) -> Result<Manifest, AuditError> {
    std::fs::create_dir_all(out).map_err(failed("create", out))?;
    let mut files = Vec::new();
    for log in published.logs() {
        files.push(one(log, format, (out, keys), progress)?);
    }
    let manifest = Manifest {
        form: "lgpki-export/1",
        program: env!("CARGO_PKG_VERSION"),
        files,
    };
    let path = out.join("manifest.json");
    let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    std::fs::write(&path, text).map_err(failed("write", &path))?;
    Ok(manifest)
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> AuditError + use<> {
    let path = path.to_owned();
    move |source| AuditError::File {
        doing,
        path,
        source,
    }
}

/// The cells of a row, in the order of [`COLUMNS`].
type Cells = [String; CELLS];

const CELLS: usize = 16;

/// A file whose bytes are counted and digested as they are written.
struct Sheet {
    file: BufWriter<File>,
    digest: Context,
    bytes: u64,
}

impl Sheet {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(File::create(path)?),
            digest: Context::new(&SHA256),
            bytes: 0,
        })
    }

    /// The number of bytes, and their digest.
    fn end(mut self) -> io::Result<(u64, Digest)> {
        self.file.flush()?;
        let mut digest = Digest([0; 32]);
        digest.0.copy_from_slice(self.digest.finish().as_ref());
        Ok((self.bytes, digest))
    }
}

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A table that is being written.
enum Table {
    Lines(Sheet),
    Rows(Sheet),
    Columns(Box<columns::Table>),
}

impl Table {
    fn begin(format: Format, mut sheet: Sheet) -> io::Result<Self> {
        Ok(match format {
            Format::Jsonl => Self::Lines(sheet),
            Format::Csv => {
                sheet.write_all(format!("{COLUMNS}\r\n").as_bytes())?;
                Self::Rows(sheet)
            }
            Format::Parquet => Self::Columns(Box::new(columns::Table::begin(sheet)?)),
        })
    }

    fn entry(&mut self, log: &LogDir, at: At, entry: &[u8]) -> io::Result<()> {
        match self {
            Self::Lines(sheet) => sheet.write_all(&line(at.leaf, entry)),
            Self::Rows(sheet) => {
                let quoted: Vec<_> = cells(log, at, entry).iter().map(|c| quote(c)).collect();
                sheet.write_all(format!("{}\r\n", quoted.join(",")).as_bytes())
            }
            Self::Columns(table) => table.row(cells(log, at, entry)),
        }
    }

    fn end(self) -> io::Result<(u64, Digest)> {
        match self {
            Self::Lines(sheet) | Self::Rows(sheet) => sheet.end(),
            Self::Columns(table) => table.end()?.end(),
        }
    }
}

fn one(
    log: &LogDir,
    format: Format,
    (out, keys): (&Path, &[VerifierKey]),
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, AuditError> {
    let (reader, _, checkpoint) = reader(log, keys)?;
    let name = format!("{}-{}.{}", log.service.name(), log.name, format.extension());
    let path = out.join(&name);
    let sheet = Sheet::create(&path).map_err(failed("create", &path))?;
    let mut table = Table::begin(format, sheet).map_err(failed("write", &path))?;
    walk(log, &reader, progress, |at, entry| {
        let written = table.entry(log, at, entry);
        written.map_err(failed("write", &path))
    })?;
    let (bytes, digest) = table.end().map_err(failed("write", &path))?;
    Ok(Exported {
        file: name,
        entries: reader.size(),
        bytes,
        sha256: digest.to_string(),
        service: log.service.name(),
        log: log.name.clone(),
        checkpoint: checkpoint.to_string(),
    })
}

fn line(leaf: u64, entry: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(entry.len() + 128);
    line.extend_from_slice(b"{\"entry\":");
    line.extend_from_slice(entry);
    let hash = Digest(merkle::leaf(entry));
    line.extend_from_slice(format!(",\"leaf\":{leaf},\"leaf_hash\":\"{hash}\"}}\n").as_bytes());
    line
}

fn cells(log: &LogDir, at: At, entry: &[u8]) -> Cells {
    let hash = Digest(merkle::leaf(entry)).to_string();
    let index = at.index.map(|index| index.to_string());
    let mut cells = Cells::default();
    cells[..4].clone_from_slice(&[
        log.service.name().to_owned(),
        log.name.clone(),
        at.leaf.to_string(),
        index.unwrap_or_default(),
    ]);
    if let Some(text) = read_entry(entry) {
        cells[4..].clone_from_slice(&words(text, hash));
    } else {
        // It is in the log all the same.
        cells[14] = hash;
        cells[15] = String::from_utf8_lossy(entry).into_owned();
    }
    cells
}

fn words(text: EntryText<'_>, hash: String) -> [String; 12] {
    let (log, index) = text.answers.map_or_else(Default::default, |answers| {
        (answers.log, answers.index.to_string())
    });
    [
        text.time,
        text.kind,
        text.v.to_string(),
        text.actor,
        text.node,
        text.about.application.unwrap_or_default(),
        text.about.certificate.unwrap_or_default(),
        text.about.digest.unwrap_or_default(),
        log,
        index,
        hash,
        text.body.get().to_owned(),
    ]
}

fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
