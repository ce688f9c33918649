//! Checkpoints (C2SP tlog-checkpoint): what a log says of itself at one size, as a signed note.
//!
//! Three lines: the log's origin, the number of its entries, the Merkle root over them. The key's
//! name is the origin. Extension lines are refused: nothing that a reader cannot check is signed.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    merkle::Hash,
    note::{KeyName, NoteError, NoteSigner, SignedNote, VerifierKey},
};

/// The most entries that other implementations can count.
const MAX_SIZE: u64 = i64::MAX as u64;

/// A log's size and root under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: KeyName,
    /// The number of its entries.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The note's text: these bytes are what the log's key signs.
    #[must_use]
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.root);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads a note's text.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let bad = NoteError::Checkpoint;
        let lines = text
            .strip_suffix('\n')
            .ok_or(bad("its last line has no end"))?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(bad("it has other than three lines"));
        };
        let digits = size.bytes().all(|b| b.is_ascii_digit());
        let size = size
            .parse()
            .ok()
            .filter(|n| digits && *n <= MAX_SIZE && (size == "0" || !size.starts_with('0')))
            .ok_or(bad("its second line is no number of entries"))?;
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|root| root.try_into().ok())
            .ok_or(bad("its third line is no hash of 32 bytes in base64"))?;
        Ok(Self {
            origin: origin.parse()?,
            size,
            root,
        })
    }

    /// Reads a signed checkpoint and accepts it if `key` signed it under the log's own name.
    pub fn open(note: &str, key: &VerifierKey) -> Result<(Self, SignedNote), NoteError> {
        let note = SignedNote::parse(note)?;
        note.verify(key)?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin != *key.name() {
            return Err(NoteError::Checkpoint("it is of a log of another name"));
        }
        Ok((checkpoint, note))
    }

    /// The checkpoint signed. Whoever signs must have made it durable that this is the log's only
    /// root at this size.
    #[must_use]
    pub fn signed(&self, signer: &dyn NoteSigner) -> SignedNote {
        let signature = signer.sign(self.text().as_bytes());
        self.with_signature(&signature, signer.public_key())
    }

    /// The checkpoint with a signature that was made, and recorded, before.
    #[must_use]
    pub fn with_signature(&self, signature: &[u8; 64], public: [u8; 32]) -> SignedNote {
        let key = VerifierKey::new(self.origin.clone(), public);
        SignedNote::of_valid(self.text(), key.signature(signature))
    }
}

/// The note of a head as a frame records it.
#[must_use]
pub fn from_head(
    origin: &KeyName,
    size: u64,
    root: Hash,
    signature: &[u8; 64],
    public: [u8; 32],
) -> SignedNote {
    let origin = origin.clone();
    let checkpoint = Checkpoint { origin, size, root };
    checkpoint.with_signature(signature, public)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of C2SP tlog-checkpoint.
    const TEXT: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    const SIGNATURE: &str = "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    fn signer() -> crate::note::LogSigner {
        let mut der = vec![
            0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
        ];
        der.extend_from_slice(&[7; 32]);
        crate::note::LogSigner::from_pkcs8(&der).unwrap()
    }

    #[test]
    fn the_specifications_example_is_read_and_written_again() {
        let note = format!("{TEXT}\n{SIGNATURE}");
        let read = SignedNote::parse(&note).unwrap();
        let checkpoint = Checkpoint::parse(read.text()).unwrap();
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.text(), TEXT);
        assert_eq!(read.to_string(), note);
    }

    #[test]
    fn what_is_not_three_lines_of_the_right_form_is_refused() {
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        for bad in [
            String::new(),
            "\n\n\n".into(),
            format!("x\n1\n{root}"),
            format!("x\n1\n{root}\n\n"),
            format!("x\n1\n{root}\nextension\n"),
            format!("x\n01\n{root}\n"),
            format!("x\n+1\n{root}\n"),
            format!("x\n-1\n{root}\n"),
            format!("x\n\n{root}\n"),
            format!("x\n9223372036854775808\n{root}\n"),
            format!("x\n1\n{}\n", &root[..40]),
            format!("x\n1\n{root}A\n"),
            format!("x\n1\n{}\n", root.replace("2I=", "2J=")),
            format!("x y\n1\n{root}\n"),
            format!("x+y\n1\n{root}\n"),
            format!("\n1\n{root}\n"),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        }
        for size in ["0", "9223372036854775807"] {
            assert!(Checkpoint::parse(&format!("x\n{size}\n{root}\n")).is_ok());
        }
    }

    #[test]
    fn a_signed_checkpoint_is_opened_with_its_logs_key_only() {
        let signer = signer();
        let named = |name: &str| VerifierKey::new(name.parse().unwrap(), signer.public_key());
        let checkpoint = Checkpoint {
            origin: "lgpki.example/audit/issuer/keys".parse().unwrap(),
            size: 3,
            root: [9; 32],
        };
        let note = checkpoint.signed(&signer);
        let key = named("lgpki.example/audit/issuer/keys");
        let (opened, _) = Checkpoint::open(&note.to_string(), &key).unwrap();
        assert_eq!(opened, checkpoint);
        let other = named("lgpki.example/audit/issuer/2026");
        assert!(Checkpoint::open(&note.to_string(), &other).is_err());
        // A note signed under another name does not speak for this log.
        let text = checkpoint.text();
        let stolen = other.signature(&signer.sign(text.as_bytes()));
        let stolen = SignedNote::try_new(text, stolen).unwrap().to_string();
        let refused = Checkpoint::open(&stolen, &other).unwrap_err();
        assert!(matches!(refused, NoteError::Checkpoint(_)), "{refused}");
        assert!(Checkpoint::open(&stolen, &key).is_err());
    }

    #[test]
    fn a_recorded_signature_makes_the_same_note_again() {
        let signer = signer();
        let origin: KeyName = "lgpki.example/audit/intake/2026".parse().unwrap();
        let (size, root) = (7, [3; 32]);
        let checkpoint = Checkpoint {
            origin: origin.clone(),
            size,
            root,
        };
        let signature = signer.sign(checkpoint.text().as_bytes());
        let again = from_head(&origin, size, root, &signature, signer.public_key());
        assert_eq!(again, checkpoint.signed(&signer));
    }

    proptest! {
        #[test]
        fn every_checkpoint_reads_back(size in 0..=MAX_SIZE, root: Hash, origin in "[a-z./]{1,20}") {
            let checkpoint = Checkpoint { origin: origin.parse().unwrap(), size, root };
            prop_assert_eq!(Checkpoint::parse(&checkpoint.text()), Ok(checkpoint));
        }

        #[test]
        fn what_reads_as_a_checkpoint_has_one_spelling(text in "(x|y/|\n|0|1|9|\\+|[A-Za-z]{42}Q=|\\PC){0,9}\n") {
            if let Ok(read) = Checkpoint::parse(&text) {
                prop_assert_eq!(read.text(), text);
            }
        }
    }
}
