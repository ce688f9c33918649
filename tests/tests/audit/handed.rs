//! What an auditor hands on: proofs that stand alone, and tables.

use std::{fs, path::Path};

use lgpki_audit::{
    Published, Service,
    export::{Format, export},
    proof::{prove, read_entry},
};
use lgpki_ledger::{LogProof, VerifierKey};
use lgpki_x509::key::sha256;
use serde_json::Value;

fn key(dir: &Path, log: &str) -> VerifierKey {
    let line = fs::read_to_string(dir.join(log).join("vkey")).unwrap();
    line.trim_end().parse().unwrap()
}

/// A proof holds by itself, with the key of its log and with no other, for its entry and for no other.
pub(crate) fn a_proof_stands_alone(dir: &Path, serial: &str) {
    let published = Published::open(dir).unwrap();
    let proof = prove(&published, serial.parse().unwrap(), &[]).unwrap();
    let read: LogProof = proof.to_string().parse().unwrap();
    let entry = read.extra.clone().unwrap();
    let said = read_entry(&entry).unwrap();
    assert_eq!(said.kind, "certificate.issued");
    assert_eq!(said.about.certificate.as_deref(), Some(serial));
    let log = ["issuer/2008", "issuer/2009"];
    let held = log.map(|log| read.check(&entry, &key(dir, log)).is_ok());
    assert_eq!(held.iter().filter(|held| **held).count(), 1);
    let mut other = entry;
    let last = other.len() - 2;
    other[last] = b'2';
    assert!(
        log.iter()
            .all(|log| read.check(&other, &key(dir, log)).is_err())
    );
    let nobody = "7f".repeat(16).parse().unwrap();
    assert!(prove(&published, nobody, &[]).is_err());
    // The keys given are the ones believed.
    let other = [key(dir, "intake/2008")];
    assert!(prove(&published, serial.parse().unwrap(), &other).is_err());
}

/// Every entry stands in its table, and the manifest says what the table is.
pub(crate) fn tables_hold_every_entry(dir: &Path, out: &Path) {
    let published = Published::open(dir).unwrap();
    for (format, name) in [(Format::Jsonl, "jsonl"), (Format::Csv, "csv")] {
        let out = out.join(name);
        let mut told = 0;
        let manifest = export(&published, format, (&out, &[]), &mut |count| told += count).unwrap();
        assert_eq!(told, published.leaves());
        let written: Value =
            serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
        assert_eq!(
            written["files"].as_array().unwrap().len(),
            published.logs().count()
        );
        for file in &manifest.files {
            let bytes = fs::read(out.join(&file.file)).unwrap();
            assert_eq!(sha256(&bytes).to_string(), file.sha256);
            assert_eq!(bytes.len() as u64, file.bytes);
            let text = String::from_utf8(bytes).unwrap();
            let header = u64::from(format == Format::Csv);
            assert_eq!(
                text.lines().count() as u64,
                file.entries + header,
                "{}",
                file.file
            );
        }
    }
    let parquet = out.join("parquet");
    let manifest = export(&published, Format::Parquet, (&parquet, &[]), &mut |_| {}).unwrap();
    for file in &manifest.files {
        let bytes = fs::read(parquet.join(&file.file)).unwrap();
        assert_eq!(sha256(&bytes).to_string(), file.sha256);
        assert_eq!(bytes.len() as u64, file.bytes);
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    }
    let first = fs::read_to_string(out.join("jsonl/lifecycle-2008.jsonl")).unwrap();
    let second: Value = serde_json::from_str(first.lines().nth(1).unwrap()).unwrap();
    assert_eq!(second["leaf"], 1);
    assert!(second["entry"]["kind"].is_string());
    let table = fs::read_to_string(out.join("csv/issuer-2009.csv")).unwrap();
    let row = table.lines().nth(2).unwrap();
    assert!(row.starts_with("issuer,2009,1,30,20"), "{row}");
    // What was tampered with is handed to nobody.
    let checkpoint = dir.join(Service::Intake.name()).join("2008/checkpoint");
    let note = fs::read_to_string(&checkpoint).unwrap();
    fs::write(&checkpoint, note.replacen("intake", "issuer", 1)).unwrap();
    let published = Published::open(dir).unwrap();
    assert!(
        export(
            &published,
            Format::Csv,
            (&out.join("again"), &[]),
            &mut |_| {}
        )
        .is_err()
    );
}
