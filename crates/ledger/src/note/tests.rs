//! Notes against the vectors of Go's x/mod/sumdb/note, and against whatever proptest finds.

use proptest::prelude::*;

use super::*;

const PETER_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH_KEY: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const PETER_SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const PETER: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

/// The private key of the vectors: PKCS#8 without a public key, as OpenSSL writes it.
fn peter() -> LogSigner {
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend_from_slice(&STANDARD.decode(PETER_SEED).unwrap()[1..]);
    LogSigner::from_pkcs8(&der).unwrap()
}

fn key(line: &str) -> VerifierKey {
    line.parse().unwrap()
}

#[test]
fn the_vectors_of_the_go_library_verify() {
    let note = SignedNote::parse(&format!("{TEXT}\n{PETER}{ENOCH}")).unwrap();
    assert_eq!(note.text(), TEXT);
    assert_eq!(note.signatures().len(), 2);
    assert_eq!(note.signatures()[0].id(), 0xc74f_20a3);
    note.verify(&key(PETER_KEY)).unwrap();
    note.verify(&key(ENOCH_KEY)).unwrap();
    let only_peter = SignedNote::parse(&format!("{TEXT}\n{PETER}")).unwrap();
    let refused = only_peter.verify(&key(ENOCH_KEY));
    assert_eq!(refused, Err(NoteError::NotSigned("EnochRoot".into())));
}

#[test]
fn the_vectors_of_the_go_library_are_made_byte_for_byte() {
    let signer = peter();
    let peter = VerifierKey::new("PeterNeumann".parse().unwrap(), signer.public_key());
    assert_eq!(peter.to_string(), PETER_KEY);
    let signature = peter.signature(&signer.sign(TEXT.as_bytes()));
    let mut note = SignedNote::try_new(TEXT.to_owned(), signature.clone()).unwrap();
    assert_eq!(note.to_string(), format!("{TEXT}\n{PETER}"));
    note.add(signature).unwrap();
    assert_eq!(note.signatures().len(), 1, "the same key signs once");
}

#[test]
fn no_part_and_no_mangling_of_a_verifier_key_is_one() {
    for start in 0..=PETER_KEY.len() {
        for end in start..=PETER_KEY.len() {
            let part = &PETER_KEY[start..end];
            assert_eq!(
                part.parse::<VerifierKey>().is_ok(),
                part == PETER_KEY,
                "{part}"
            );
        }
    }
    for at in 0..PETER_KEY.len() {
        let mut bytes = PETER_KEY.as_bytes().to_vec();
        bytes[at] += 1;
        let mangled = String::from_utf8(bytes).unwrap();
        assert!(mangled.parse::<VerifierKey>().is_err(), "{mangled}");
    }
    for bad in [
        // A key that is too long, and an unknown algorithm; each with the id that fits.
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ] {
        assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
    }
}

#[test]
fn what_is_not_a_note_is_refused() {
    let unended = PETER.trim_end();
    for bad in [
        String::new(),
        "\n".into(),
        "\n\n".into(),
        TEXT.into(),
        format!("{TEXT}\n"),
        format!("{TEXT}\n{unended}"),
        format!("{TEXT}\n\n"),
        format!("\u{1}{TEXT}\n{PETER}"),
        format!("{TEXT}\r\n{PETER}"),
        format!("{}\n{PETER}", TEXT.trim_end()),
        format!("{TEXT}\n— Bad Name {}", &PETER[17..]),
        format!("{TEXT}\n— Bad+Name {}", &PETER[17..]),
        format!("{TEXT}\n-{}", &PETER[3..]),
        format!("{TEXT}\n{PETER}Unexpected line.\n"),
        format!("{TEXT}\n{PETER}\n"),
        format!("{TEXT}\n— PeterNeumann x08gow==\n"),
        format!("{TEXT}\n{}", PETER.replace("AM=", "AN=")),
        format!("{TEXT}\n{}", PETER.replace("AM=", "AM")),
        format!("{TEXT}\n{}", PETER.repeat(101)),
        format!("{}{TEXT}\n{PETER}", "a\n".repeat(1 << 19)),
    ] {
        let read = SignedNote::parse(&bad);
        assert!(read.is_err(), "{bad}");
    }
    assert!(SignedNote::parse(&format!("{TEXT}\n{}", PETER.repeat(100))).is_ok());
}

#[test]
fn a_wrong_signature_of_the_key_refuses_the_note_even_beside_a_right_one() {
    let wrong = PETER.replace("ZJkuBS", "ZJkuBT");
    for note in [
        format!("{TEXT}\n{wrong}"),
        format!("{TEXT}\n{PETER}{wrong}"),
        format!("{TEXT}\n{wrong}{PETER}"),
        format!("x{TEXT}\n{PETER}"),
    ] {
        let refused = SignedNote::parse(&note).unwrap().verify(&key(PETER_KEY));
        assert_eq!(
            refused,
            Err(NoteError::WrongSignature("PeterNeumann".into()))
        );
    }
    // Another key's wrong signature is nobody's business.
    let other = format!("{TEXT}\n{PETER}{}", ENOCH.replace("ZmZa", "ZmZb"));
    let other = other.replace("rwz+eBzmZ", "rwz+eBzmY");
    SignedNote::parse(&other)
        .unwrap()
        .verify(&key(PETER_KEY))
        .unwrap();
}

#[test]
fn a_private_key_is_never_shown() {
    let shown = format!("{:?}", peter());
    assert_eq!(
        shown,
        "LogSigner(\"GlzZBxQ8OExB6DDFvOEqqIF+xWSaqr8sMTiLNbLXRNY=\")"
    );
    assert!(LogSigner::from_pkcs8(b"0").is_err());
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z./0-9]{1,12}", "\\PC{1,8}"]
}

proptest! {
    #[test]
    fn a_note_reads_back_as_it_was_written(
        text in "(\\PC{0,20}\n){1,6}",
        signatures in proptest::collection::vec(
            (names(), any::<u32>(), proptest::collection::vec(any::<u8>(), 1..80)), 1..5),
    ) {
        let mut note: Option<SignedNote> = None;
        for (name, id, bytes) in signatures {
            let Ok(name) = name.parse::<KeyName>() else { continue };
            let signature = NoteSignature::try_new(name, id, bytes).unwrap();
            match &mut note {
                None => note = Some(SignedNote::try_new(text.clone(), signature).unwrap()),
                Some(note) => note.add(signature).unwrap(),
            }
        }
        if let Some(note) = note {
            prop_assert_eq!(SignedNote::parse(&note.to_string()), Ok(note));
        }
    }

    #[test]
    fn what_reads_as_a_note_is_written_byte_for_byte(
        note in "(a|\n|\n\n|— |b |AAAAAAA=\n|— x AAAAAAA=\n|\\PC){0,12}"
    ) {
        if let Ok(read) = SignedNote::parse(&note) {
            prop_assert_eq!(read.to_string(), note);
        }
    }
}
