//! CRLs that are read while they are written or arrive, piece by piece.

use super::*;
use crate::{key::sha256, lint::CrlLint};

/// Revocations on either side of 2050, so that entries of both lengths stand beside each other.
fn mixed(count: u8) -> Vec<CrlEntry> {
    let late: Timestamp = "2050-01-01T00:00:00Z".parse().unwrap();
    let mut entries = entries(count);
    for entry in entries.iter_mut().step_by(3) {
        entry.revoked_at = late.plus_seconds(i64::from(entry.reason.code()));
    }
    entries
}

#[test]
fn where_a_list_is_cut_does_not_matter() {
    let issuer = issuer(Authority::Organization, &CA);
    for entries in [entries(0), entries(1), entries(30), mixed(30), mixed(255)] {
        let tbs = write(&issuer, &head(), entries.clone()).unwrap();
        for size in [1, 7, 48, 49, 50, 255, 256, 257, 1_000, tbs.len()] {
            let (mut reader, mut read) = (PieceReader::default(), Vec::new());
            for piece in tbs.chunks(size) {
                reader.push(piece, &mut |entry| read.push(entry)).unwrap();
            }
            let list = reader.finish(&mut |entry| read.push(entry)).unwrap();
            let whole: Vec<_> = Entries::new(&tbs[list.entries.clone()]).flatten().collect();
            assert_eq!(read, whole, "pieces of {size}");
            assert_eq!(list.count, entries.len() as u64);
            let seconds = |entry: &CrlEntry| (entry.serial, entry.revoked_at.as_seconds());
            assert!(read.iter().map(seconds).eq(entries.iter().map(seconds)));
        }
    }
}

#[test]
fn a_list_that_ends_early_or_late_is_refused_wherever_it_is_cut() {
    let issuer = issuer(Authority::Organization, &CA);
    let tbs = write(&issuer, &head(), entries(20)).unwrap();
    let read = |bytes: &[u8], size: usize| {
        let mut reader = PieceReader::default();
        let mut pieces = bytes.chunks(size);
        pieces.try_for_each(|piece| reader.push(piece, &mut |_| ()))?;
        reader.finish(&mut |_| ()).map(|list| list.count)
    };
    assert_eq!(read(&tbs, 100).unwrap(), 20);
    let mut longer = tbs.clone();
    longer.push(0);
    for size in [1, 60, 10_000] {
        for end in (0..tbs.len()).step_by(11) {
            assert!(read(&tbs[..end], size).is_err(), "{end} bytes");
        }
        assert!(read(&longer, size).is_err());
    }
}

#[test]
fn what_is_written_is_read_back_and_passed_on_while_it_is_written() {
    let issuer = issuer(Authority::Organization, &CA);
    for entries in [entries(0), entries(40), mixed(40)] {
        let expected = write(&issuer, &head(), entries.clone()).unwrap();
        let length = length_of(entries.iter().map(|entry| entry.revoked_at));
        let mut writer = CrlWriter::new(&issuer, &head(), length).unwrap();
        assert_eq!(writer.length(), expected.len());
        let (mut passed, mut read) = (Vec::new(), Vec::new());
        for some in entries.chunks(7) {
            for entry in some {
                writer.push(entry).unwrap();
            }
            let piece = writer.read_back(|entry| read.push(entry.serial)).unwrap();
            passed.extend_from_slice(piece);
        }
        let (list, rest) = writer.finish(|entry| read.push(entry.serial)).unwrap();
        let tbs = list.tbs();
        passed.extend_from_slice(&tbs[tbs.len() - rest..]);
        assert_eq!(passed, expected);
        assert_eq!(tbs, expected);
        assert!(read.iter().eq(entries.iter().map(|entry| &entry.serial)));
        let whole = Contents::read(tbs.clone()).unwrap();
        assert_eq!(list.contents().summary(), whole.summary());
        let algorithm = issuer.signature_algorithm();
        let front = envelope(expected.len(), algorithm, 256);
        let sealed = list.seal(algorithm, &[5; 256]);
        assert!(sealed.der().starts_with(&front) && sealed.der()[front.len()..].starts_with(&tbs));
        assert!(sealed.entries().flatten().eq(whole.entries().flatten()));
    }
}

#[test]
fn a_list_that_is_not_as_long_as_announced_is_never_finished() {
    let issuer = issuer(Authority::Organization, &CA);
    for announced in [2, 4] {
        let length = usual_length(announced);
        let mut writer = CrlWriter::new(&issuer, &head(), length).unwrap();
        for entry in entries(3) {
            writer.push(&entry).unwrap();
        }
        let read = writer.read_back(|_| ()).map(<[u8]>::len);
        assert_eq!(read.is_ok(), announced > 3);
        let miscounted = X509Error::EntriesMiscounted {
            announced: length,
            written: usual_length(3),
        };
        assert_eq!(writer.finish(|_| ()).unwrap_err(), miscounted);
    }
}

#[test]
fn the_lint_of_pieces_is_the_lint_of_the_whole() {
    let issuer = issuer(Authority::Organization, &CA);
    let good = write(&issuer, &head(), entries(9)).unwrap();
    let mut late = entries(9);
    late[8].revoked_at = head().this_update.plus_seconds(1);
    let late = write(&issuer, &head(), late).unwrap();
    let mut broken = good.clone();
    let at = broken.windows(2).rposition(|w| w == [0x30, 0x2f]).unwrap();
    broken[at + 2] = 0x03;
    for tbs in [good, late, broken, vec![0x30, 0]] {
        let whole = lint_crl(&issuer, &tbs);
        for size in [1, 40, 1_000] {
            let mut lint = CrlLint::new(issuer.clone());
            tbs.chunks(size).for_each(|piece| lint.push(piece));
            match (lint.finish(), &whole) {
                (Ok(linted), Ok(whole)) => {
                    assert_eq!(linted.tbs(), None);
                    assert_eq!(linted.digest(), sha256(&tbs));
                    assert_eq!(linted.summary(), whole.summary());
                    assert_eq!(linted.scope(), whole.scope());
                }
                (Err(refused), Err(whole)) => assert_eq!(&refused, whole),
                (pieces, _) => panic!("pieces of {size}: {pieces:?}"),
            }
        }
    }
}
