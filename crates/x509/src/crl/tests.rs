//! CRLs written, read back by two readers, and refused where they should be.

mod pieces;

use der::Decode;
use lgpki_domain::{Authority, CrlOptions};

use super::*;
use crate::{
    fixture::{CA, P256, issuer, serial},
    lint::lint_crl,
    signed::assemble,
};

fn head() -> CrlHeader {
    let this_update: Timestamp = "2011-03-18T09:15:00+09:00".parse().unwrap();
    CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(1133),
        this_update,
        next_update: this_update.plus_seconds(48 * 3600),
    }
}

fn entries(count: u8) -> Vec<CrlEntry> {
    let first: Timestamp = "2011-03-17T16:00:00.5+09:00".parse().unwrap();
    (0..count)
        .map(|i| CrlEntry {
            serial: serial(i),
            revoked_at: first.plus_seconds(i64::from(i)),
            reason: RevocationReason::ALL[usize::from(i) % 4],
        })
        .collect()
}

fn signed(issuer: &Issuer, tbs: Vec<u8>) -> Vec<u8> {
    let linted = lint_crl(issuer, tbs).unwrap();
    let tbs = linted.tbs().unwrap().to_vec();
    let signature = CA.sign(&tbs);
    assemble(tbs, linted.algorithm(), &signature)
}

#[test]
fn a_crl_reads_back_entry_by_entry() {
    let issuer = issuer(Authority::Organization, &CA);
    for count in [0, 1, 3, 200] {
        let entries = entries(count);
        let der = signed(&issuer, write(&issuer, &head(), entries.clone()).unwrap());
        let list = RevocationList::parse(&der).unwrap();
        assert!(list.is_signed_by(&CA.public));
        assert!(!list.is_signed_by(&P256.public));
        let summary = list.summary();
        assert_eq!(
            (summary.number, summary.entries),
            (CrlNumber(1133), u64::from(count))
        );
        assert_eq!(summary.next_update, head().next_update);
        let read: Vec<_> = list.entries().map(Result::unwrap).collect();
        assert_eq!(read.len(), entries.len());
        for (read, written) in read.iter().zip(&entries) {
            assert_eq!((read.serial, read.reason), (written.serial, written.reason));
            assert_eq!(
                read.revoked_at.as_seconds(),
                written.revoked_at.as_seconds()
            );
        }
        assert_eq!(list.find(serial(0)).is_some(), count > 0);
        assert_eq!(list.find(serial(255)), None);
    }
}

#[test]
fn x509_cert_reads_the_same_list_and_writes_the_same_bytes() {
    use der::Encode;
    let issuer = issuer(Authority::Application, &CA);
    let tbs = write(&issuer, &head(), entries(50)).unwrap();
    let parsed = x509_cert::crl::TbsCertList::<x509_cert::certificate::Rfc5280>::from_der(&tbs);
    let parsed = parsed.unwrap();
    assert_eq!(parsed.revoked_certificates.as_ref().unwrap().len(), 50);
    assert_eq!(parsed.to_der().unwrap(), tbs);
}

#[test]
fn an_entry_has_the_size_that_is_reserved_for_it() {
    let issuer = issuer(Authority::Organization, &CA);
    let mut writer = CrlWriter::new(&issuer, &head(), usual_length(10)).unwrap();
    let before = writer.buffer.len();
    let capacity = writer.buffer.capacity();
    for entry in entries(10) {
        writer.push(&entry).unwrap();
    }
    assert_eq!(writer.buffer.len() - before, 10 * ENTRY);
    let length = writer.length();
    let (list, _) = writer.finish(|_| ()).unwrap();
    assert_eq!(list.tbs().len(), length);
    let sealed = list.seal(issuer.signature_algorithm(), &[1; 512]);
    assert!(sealed.der().len() < capacity);
}

#[test]
fn entries_out_of_order_or_twice_are_refused() {
    let issuer = issuer(Authority::Organization, &CA);
    let mut wrong = entries(3);
    wrong.swap(0, 1);
    assert!(matches!(
        write(&issuer, &head(), wrong),
        Err(X509Error::EntryOutOfOrder { .. })
    ));
    let mut twice = entries(2);
    twice.push(twice[1]);
    assert!(write(&issuer, &head(), twice).is_err());
    let mut backwards = head();
    backwards.next_update = backwards.this_update;
    assert!(write(&issuer, &backwards, []).is_err());
}

/// The rules that a CRL of this header and these entries breaks, before the writer's own checks.
fn rules(issuer: &Issuer, tbs: Vec<u8>) -> Vec<&'static str> {
    match lint_crl(issuer, tbs) {
        Ok(_) => Vec::new(),
        Err(refused) => refused.findings().iter().map(|f| f.rule).collect(),
    }
}

#[test]
fn the_lint_refuses_what_the_writer_was_told_wrongly() {
    let organization = issuer(Authority::Organization, &CA);
    let application = issuer(Authority::Application, &CA);
    let other_key = issuer(Authority::Organization, &P256);
    let tbs = write(&organization, &head(), entries(3)).unwrap();
    assert!(rules(&organization, tbs.clone()).is_empty());
    let found = rules(&application, tbs.clone());
    assert_eq!(found, ["RFC 5280 §5.1.2.3", "RFC 5280 §5.2.5"]);
    assert_eq!(rules(&other_key, tbs), ["RFC 5280 §4.2.1.1"]);

    let mut late = entries(3);
    late[2].revoked_at = head().this_update.plus_seconds(1);
    let tbs = write(&organization, &head(), late).unwrap();
    assert_eq!(rules(&organization, tbs), ["RFC 5280 §5.1.2.6"]);

    let end = organization.validity().not_after();
    let after = |this_update: Timestamp| CrlHeader {
        this_update,
        next_update: this_update.plus_seconds(60),
        ..head()
    };
    let tbs = write(&organization, &after(end.plus_seconds(1)), []).unwrap();
    assert_eq!(rules(&organization, tbs), ["RFC 5280 §5.1.2"]);
    let tbs = write(&organization, &after(end), []).unwrap();
    assert!(rules(&organization, tbs).is_empty());
    // A key that was made before its first day publishes from then on.
    let early = after("2008-02-03T12:00:00+09:00".parse().unwrap());
    let tbs = write(&organization, &early, []).unwrap();
    assert!(rules(&organization, tbs).is_empty());
}

#[test]
fn no_changed_bit_outside_dates_numbers_and_entries_passes() {
    let issuer = issuer(Authority::Organization, &CA);
    let good = write(&issuer, &head(), []).unwrap();
    let mut passed = Vec::new();
    for i in 0..good.len() {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[i] ^= 1 << bit;
            if let Ok(linted) = lint_crl(&issuer, changed) {
                passed.push((i, linted.summary()));
            }
        }
    }
    let original = lint_crl(&issuer, good).unwrap().summary();
    assert!(
        passed.iter().all(|(_, summary)| *summary != original),
        "a change that the summary does not show was passed: {passed:?}"
    );
}

#[test]
fn a_changed_entry_is_noticed() {
    let issuer = issuer(Authority::Organization, &CA);
    let all = entries(2);
    let good = write(&issuer, &head(), all.clone()).unwrap();
    let start = good
        .windows(16)
        .position(|w| w == all[0].serial.as_bytes())
        .unwrap()
        - 4;
    for i in start..start + 2 * ENTRY {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[i] ^= 1 << bit;
            let Ok(linted) = lint_crl(&issuer, changed) else {
                continue;
            };
            let tbs = linted.tbs().unwrap().to_vec();
            let der = assemble(tbs, linted.algorithm(), &[]);
            let read: Vec<_> = RevocationList::parse(&der)
                .unwrap()
                .entries()
                .map(Result::unwrap)
                .map(|e| (e.serial, e.revoked_at.as_seconds(), e.reason))
                .collect();
            let written: Vec<_> = all
                .iter()
                .map(|e| (e.serial, e.revoked_at.as_seconds(), e.reason))
                .collect();
            assert_ne!(read, written, "byte {i}, bit {bit} changed nothing");
        }
    }
}

#[test]
fn a_foreign_crl_is_refused_with_a_reason() {
    for bytes in [&[][..], &[0x30, 0], b"-----BEGIN X509 CRL-----"] {
        assert!(RevocationList::parse(bytes).is_err());
    }
    let issuer = issuer(Authority::Organization, &CA);
    let mut der = signed(&issuer, write(&issuer, &head(), entries(3)).unwrap());
    der.push(0);
    assert!(RevocationList::parse(&der).is_err());
}

proptest::proptest! {
    #[test]
    fn any_revocations_read_back(
        seeds in proptest::collection::btree_map(proptest::array::uniform15(0_u8..), (0_i64..4_000_000_000, 0_usize..4), 0..40),
        number: u64,
    ) {
        let issuer = issuer(Authority::Organization, &CA);
        let entries: Vec<_> = seeds
            .into_iter()
            .map(|(bytes, (at, reason))| {
                let mut serial = vec![0x55];
                serial.extend(bytes);
                CrlEntry {
                    serial: Serial::from_bytes(&serial).unwrap(),
                    revoked_at: Timestamp::from_seconds(at),
                    reason: RevocationReason::ALL[reason],
                }
            })
            .collect();
        let header = CrlHeader { number: CrlNumber(number), ..head() };
        let tbs = write(&issuer, &header, entries.clone()).unwrap();
        let der = crate::signed::assemble(tbs, issuer.signature_algorithm(), &[1]);
        let list = RevocationList::parse(&der).unwrap();
        proptest::prop_assert_eq!(list.summary().number, header.number);
        let read: Vec<_> = list.entries().map(Result::unwrap).collect();
        proptest::prop_assert_eq!(read, entries);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        let _ = RevocationList::parse(&bytes);
    }
}

#[test]
fn the_lint_holds_scope_partition_and_delta_to_what_the_ca_publishes() {
    let whole = issuer(Authority::Organization, &CA);
    let options = CrlOptions {
        partitions: 2,
        delta: true,
    };
    let parted = whole.clone().with_crl_options(options).unwrap();
    let of = |scope, base: Option<u64>| CrlHeader {
        scope,
        base: base.map(CrlNumber),
        ..head()
    };
    let (first, second) = (CrlScope::Partition(1), CrlScope::Partition(2));
    let entry = |scope| {
        let all = entries(9).into_iter();
        all.filter(move |entry| options.scope_of(entry.serial) == scope)
    };
    for (header, good) in [(of(first, None), true), (of(second, Some(1133)), true)] {
        let tbs = write(&parted, &header, entry(header.scope)).unwrap();
        let linted = lint_crl(&parted, tbs).unwrap();
        assert_eq!(
            (linted.scope(), linted.summary().base),
            (header.scope, header.base)
        );
        let tbs = linted.tbs().unwrap().to_vec();
        let list = RevocationList::from_der(assemble(tbs, linted.algorithm(), &[1])).unwrap();
        assert_eq!(list.summary().base, header.base);
        assert!(good && list.is_of(&parted, header.scope));
        assert!(
            !list.is_of(&parted, CrlScope::CaCertificates) && !list.is_of(&whole, CrlScope::User)
        );
    }
    let point = ["RFC 5280 §5.2.5"];
    // Another partition's entry, and scopes that are not published.
    let foreign = write(&parted, &of(first, None), entry(second)).unwrap();
    assert_eq!(rules(&parted, foreign), point);
    let of_all = write(&parted, &of(CrlScope::User, None), []).unwrap();
    assert_eq!(rules(&parted, of_all), point);
    let third = write(&parted, &of(CrlScope::Partition(3), None), []).unwrap();
    assert_eq!(rules(&parted, third), point);
    // A base from the future, and a delta of what has none.
    let future = write(&parted, &of(first, Some(1134)), []).unwrap();
    assert_eq!(rules(&parted, future), ["RFC 5280 §5.2.4"]);
    let ca = write(&parted, &of(CrlScope::CaCertificates, Some(1)), []).unwrap();
    assert_eq!(rules(&parted, ca), ["RFC 5280 §5.2.4"]);
    let without = write(&whole, &of(CrlScope::User, Some(1)), []).unwrap();
    assert_eq!(rules(&whole, without), ["RFC 5280 §5.2.4"]);
    // A complete list without its freshestCRL.
    let no_delta = CrlOptions {
        delta: false,
        ..options
    };
    let no_delta = whole.clone().with_crl_options(no_delta).unwrap();
    let silent = write(&no_delta, &of(first, None), []).unwrap();
    assert_eq!(rules(&parted, silent), ["profile"]);
}

#[test]
fn an_entry_of_the_usual_form_is_read_as_x509_cert_reads_it() {
    let issuer = issuer(Authority::Organization, &CA);
    let good = write(&issuer, &head(), entries(1)).unwrap();
    let start = good.windows(2).position(|w| w == [0x30, 0x2f]).unwrap();
    let good = &good[start..start + ENTRY];
    for i in 0..ENTRY {
        for bit in 0..8 {
            let mut changed = good.to_vec();
            changed[i] ^= 1 << bit;
            let read = Entries::new(&changed).next().unwrap().ok();
            let other =
                x509_cert::crl::RevokedCert::<x509_cert::certificate::Rfc5280>::from_der(&changed)
                    .ok();
            let other = other.map(|e| {
                let at = e.revocation_date.to_unix_duration().as_secs();
                (
                    e.serial_number.as_bytes().to_vec(),
                    i64::try_from(at).unwrap(),
                )
            });
            // Whatever is read is what the other reader reads; it may refuse more, never less.
            if let Some(read) = read {
                let read = (
                    read.serial.as_bytes().to_vec(),
                    read.revoked_at.as_seconds(),
                );
                assert_eq!(Some(read), other, "byte {i}, bit {bit}");
            }
        }
    }
}

#[test]
fn a_list_that_is_sealed_while_its_bytes_are_shared_is_the_same() {
    let issuer = issuer(Authority::Organization, &CA);
    for count in [0, 1, 50] {
        let draft = || {
            let length = usual_length(count.into());
            let mut writer = CrlWriter::new(&issuer, &head(), length).unwrap();
            for entry in entries(count) {
                writer.push(&entry).unwrap();
            }
            writer.finish(|_| ()).unwrap().0
        };
        let alone = draft();
        let signature = CA.sign(&alone.tbs());
        let algorithm = issuer.signature_algorithm();
        let expected = assemble(alone.tbs().to_vec(), algorithm, &signature);
        let summary = alone.contents().summary();
        let sealed = alone.seal(algorithm, &signature);
        assert_eq!((sealed.der(), sealed.summary()), (&expected[..], summary));
        let serials: Vec<_> = sealed.contents().serials().collect();
        let listed = entries(count);
        assert!(serials.iter().eq(listed.iter().map(|entry| &entry.serial)));
        let read = RevocationList::parse(&expected).unwrap();
        assert!(sealed.entries().flatten().eq(read.entries().flatten()));
        let shared = draft();
        let tbs = shared.tbs();
        let copied = shared.seal(algorithm, &signature);
        assert_eq!(copied.der(), expected);
        assert_eq!(copied.contents().summary(), summary);
        assert_eq!(
            copied
                .der()
                .windows(tbs.len())
                .filter(|w| *w == &tbs[..])
                .count(),
            1
        );
        // A signature longer than the room left for it.
        let long = draft().seal(algorithm, &[7; 2000]);
        let read = RevocationList::parse(long.der()).unwrap();
        assert!(read.entries().flatten().eq(long.entries().flatten()));
    }
}
