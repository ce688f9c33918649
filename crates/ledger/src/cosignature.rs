//! Cosignatures (C2SP tlog-cosignature, `cosignature/v1`): what a witness says of a checkpoint.
//!
//! A witness signs that, at a time, this was the largest tree of the log that it knew, and that it
//! continues every tree of the log that it knew before. Its key has an algorithm's byte of its own, so
//! that it can never be taken for a log's.

use ring::signature::{ED25519, UnparsedPublicKey};

use crate::note::{COSIGNATURES, NamedKey, NoteError, NoteSignature, NoteSigner, SignedNote};

/// The bytes of a cosignature: time and signature.
const BYTES: usize = 8 + 64;

/// The key of a witness: it cosigns what logs have signed.
pub type WitnessKey = NamedKey<COSIGNATURES>;

impl WitnessKey {
    /// The cosignature of a note's text as of `time`, in seconds since 1970. Whoever signs must have made
    /// it durable that this is the log's only tree of this size for it, and the largest. `signer` must
    /// be the private key.
    #[must_use]
    pub fn cosign(&self, text: &str, time: u64, signer: &dyn NoteSigner) -> NoteSignature {
        let signature = signer.sign(message(text, time).as_bytes());
        let bytes = [&time.to_be_bytes(), signature.as_slice()].concat();
        NoteSignature::of_valid(self.name().clone(), self.id(), bytes)
    }

    /// The time of a cosignature of `text`, if it is this key's and right.
    #[must_use]
    pub fn time_of(&self, text: &str, signature: &NoteSignature) -> Option<u64> {
        if !self.is_named_by(signature) || signature.bytes().len() != BYTES {
            return None;
        }
        let (time, signature) = signature.bytes().split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        // C2SP tlog-cosignature: at most 2^63 - 1.
        i64::try_from(time).ok()?;
        UnparsedPublicKey::new(&ED25519, self.public())
            .verify(message(text, time).as_bytes(), signature)
            .ok()?;
        Some(time)
    }

    /// Accepts the note if it bears a cosignature of this key and each of them is right; gives the time
    /// of the latest.
    pub fn verify(&self, note: &SignedNote) -> Result<u64, NoteError> {
        let name = || self.name().to_string();
        let mut latest = None;
        for signature in note.signatures() {
            if self.is_named_by(signature) {
                let time = self.time_of(note.text(), signature);
                latest = latest.max(Some(time.ok_or_else(|| NoteError::WrongSignature(name()))?));
            }
        }
        latest.ok_or_else(|| NoteError::NotSigned(name()))
    }
}

/// What is signed.
fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, VerifierKey};

    /// The example of C2SP tlog-cosignature.
    const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\n\
                           CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
                           — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
                           — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    fn signer(seed: u8) -> crate::LogSigner {
        let mut der = vec![
            0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
        ];
        der.extend_from_slice(&[seed; 32]);
        crate::LogSigner::from_pkcs8(&der).unwrap()
    }

    fn key(seed: u8) -> WitnessKey {
        WitnessKey::new(
            "witness.example/w1".parse().unwrap(),
            signer(seed).public_key(),
        )
    }

    fn note() -> SignedNote {
        let origin = "lgpki.example/audit/issuer/2026".parse().unwrap();
        let checkpoint = Checkpoint {
            origin,
            size: 3,
            root: [9; 32],
        };
        checkpoint.signed(&signer(1))
    }

    #[test]
    fn the_specifications_example_has_the_form_that_is_read_here() {
        let note = SignedNote::parse(EXAMPLE).unwrap();
        let cosignature = &note.signatures()[1];
        assert_eq!(cosignature.name().as_str(), "witness.example.com/w1");
        assert_eq!(cosignature.bytes().len(), BYTES);
        let (time, _) = cosignature.bytes().split_first_chunk::<8>().unwrap();
        // The time in the specification's text.
        assert_eq!(u64::from_be_bytes(*time), 1_679_315_147);
    }

    #[test]
    fn what_is_signed_is_what_the_specification_says() {
        let text = SignedNote::parse(EXAMPLE).unwrap().text().to_owned();
        assert_eq!(
            message(&text, 1_679_315_147),
            "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
             CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
        );
    }

    #[test]
    fn a_cosignature_is_known_by_its_witness_only_and_for_its_text_only() {
        let mut note = note();
        let cosignature = key(2).cosign(note.text(), 1_205_000_000, &signer(2));
        note.add(cosignature.clone()).unwrap();
        let note = SignedNote::parse(&note.to_string()).unwrap();
        assert_eq!(key(2).verify(&note), Ok(1_205_000_000));
        let name = "witness.example/w1".to_owned();
        assert_eq!(
            key(3).verify(&note),
            Err(NoteError::NotSigned(name.clone()))
        );
        // Another time, another text, a log's signature by the same key.
        let mut bytes = cosignature.bytes().to_vec();
        bytes[7] ^= 1;
        let moved = NoteSignature::of_valid(cosignature.name().clone(), cosignature.id(), bytes);
        assert_eq!(key(2).time_of(note.text(), &moved), None);
        assert_eq!(key(2).time_of("x\n", &cosignature), None);
        let log = VerifierKey::new(key(2).name().clone(), *key(2).public());
        let as_log = log.signature(&signer(2).sign(note.text().as_bytes()));
        assert_eq!(key(2).time_of(note.text(), &as_log), None);
        let mut wrong = note.clone();
        wrong.add(moved).unwrap();
        assert_eq!(key(2).verify(&wrong), Err(NoteError::WrongSignature(name)));
    }

    #[test]
    fn a_witnesss_key_and_a_logs_are_never_taken_for_each_other() {
        let line = key(2).to_string();
        assert_eq!(line.parse(), Ok(key(2)));
        assert!(line.parse::<VerifierKey>().is_err());
        let log = VerifierKey::new(key(2).name().clone(), *key(2).public());
        assert!(log.to_string().parse::<WitnessKey>().is_err());
        assert_ne!(log.id(), key(2).id());
    }
}
