//! Public keys that passed the allow-list, and the signatures they check.
//!
//! RSA of 2048, 3072 or 4096 bits with e = 65537, P-256, P-384 and Ed25519; everything else is
//! refused with a reason of its own. Verification is ring's, over the bytes as they came.

mod rsa;

use std::fmt;

use lgpki_domain::{
    Digest, Faults, KeyAlgorithm, SignatureAlgorithm,
    toll::{Work, counted},
};
use ring::{digest, signature};

use crate::{
    decode::{NotDer, Reader, check_strict},
    encode::tag,
    oid,
};

/// The SHA-256 digest of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    Digest(out)
}

/// SHA-256 over bytes as they come.
#[derive(Clone)]
pub struct Digesting(digest::Context);

impl Digesting {
    /// Nothing has come yet.
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Takes one more piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all that came.
    #[must_use]
    pub fn finish(self) -> Digest {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        Digest(out)
    }
}

impl Default for Digesting {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Digesting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digesting")
    }
}

/// A key identifier: the leftmost 160 bits of the SHA-256 of the public key (RFC 7093 §2 method 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 20]);

impl KeyId {
    /// The octets of the identifier.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    fn of(key_bits: &[u8]) -> Self {
        let mut out = [0; 20];
        out.copy_from_slice(&sha256(key_bits).0[..20]);
        Self(out)
    }
}

/// Lower-case hexadecimal, 40 digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// A public key whose algorithm, size, exponent and encoding are allowed.
#[derive(Clone, PartialEq, Eq)]
pub struct SubjectPublicKey {
    der: Vec<u8>,
    /// Where the subjectPublicKey's octets begin in `der`; they run to its end.
    bits: usize,
    algorithm: KeyAlgorithm,
    digest: Digest,
}

impl SubjectPublicKey {
    /// Reads a SubjectPublicKeyInfo; faults are reported under `field`.
    pub fn parse(field: &str, der: &[u8]) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let parts = check_strict(der).and_then(|()| Parts::read(der));
        let parts = match parts {
            Ok(parts) => parts,
            Err(not_der) => {
                let message =
                    format!("the public key is not a DER SubjectPublicKeyInfo: {not_der}");
                faults.push(field, "CSR_NOT_DER", message);
                return Err(faults);
            }
        };
        let algorithm = parts.judge(field, &mut faults);
        match algorithm {
            Some(algorithm) if faults.is_empty() => Ok(Self {
                der: der.to_vec(),
                bits: der.len() - parts.bits.len(),
                algorithm,
                digest: sha256(der),
            }),
            _ => Err(faults),
        }
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Algorithm and size.
    #[must_use]
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The SHA-256 of [`der`](Self::der), by which a key is known to have been certified before.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The subject key identifier.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId::of(self.bits())
    }

    /// Whether `signature` over `message` was made with this key.
    #[must_use]
    pub fn verify(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        verification(self.algorithm, algorithm).is_some_and(|verification| {
            let key = signature::UnparsedPublicKey::new(verification, self.bits());
            counted(Work::Check, || key.verify(message, signature)).is_ok()
        })
    }

    /// The subjectPublicKey's octets.
    pub(crate) fn bits(&self) -> &[u8] {
        &self.der[self.bits..]
    }
}

impl fmt::Debug for SubjectPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectPublicKey({} {})", self.algorithm, self.digest)
    }
}

/// Whether a key can make signatures of this algorithm.
pub(crate) fn fits(key: KeyAlgorithm, signature: SignatureAlgorithm) -> bool {
    verification(key, signature).is_some()
}

fn verification(
    key: KeyAlgorithm,
    algorithm: SignatureAlgorithm,
) -> Option<&'static dyn signature::VerificationAlgorithm> {
    use KeyAlgorithm as Key;
    use SignatureAlgorithm as Sig;
    Some(match (key, algorithm) {
        (Key::Rsa2048 | Key::Rsa3072 | Key::Rsa4096, Sig::RsaSha256) => {
            &signature::RSA_PKCS1_2048_8192_SHA256
        }
        (Key::Rsa2048 | Key::Rsa3072 | Key::Rsa4096, Sig::RsaSha384) => {
            &signature::RSA_PKCS1_2048_8192_SHA384
        }
        (Key::Rsa2048 | Key::Rsa3072 | Key::Rsa4096, Sig::RsaSha512) => {
            &signature::RSA_PKCS1_2048_8192_SHA512
        }
        (Key::P256, Sig::EcdsaSha256) => &signature::ECDSA_P256_SHA256_ASN1,
        (Key::P256, Sig::EcdsaSha384) => &signature::ECDSA_P256_SHA384_ASN1,
        (Key::P384, Sig::EcdsaSha256) => &signature::ECDSA_P384_SHA256_ASN1,
        (Key::P384, Sig::EcdsaSha384) => &signature::ECDSA_P384_SHA384_ASN1,
        (Key::Ed25519, Sig::Ed25519) => &signature::ED25519,
        _ => return None,
    })
}

/// What a SubjectPublicKeyInfo consists of.
struct Parts<'a> {
    algorithm: &'a [u8],
    /// The parameters in DER, tag included; empty if absent.
    parameters: &'a [u8],
    bits: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(der: &'a [u8]) -> Result<Self, NotDer> {
        let mut outer = Reader::new(der);
        let mut spki = outer.open(tag::SEQUENCE)?;
        outer.finish()?;
        let mut identifier = spki.open(tag::SEQUENCE)?;
        let algorithm = identifier.expect(tag::OID)?;
        let parameters = if identifier.is_empty() {
            &[]
        } else {
            identifier.value()?.raw
        };
        identifier.finish()?;
        let [0, bits @ ..] = spki.expect(tag::BIT_STRING)? else {
            return Err(NotDer {
                why: "the key is not a whole number of octets",
            });
        };
        spki.finish()?;
        Ok(Self {
            algorithm,
            parameters,
            bits,
        })
    }

    fn judge(&self, field: &str, faults: &mut Faults) -> Option<KeyAlgorithm> {
        match self.algorithm {
            oid::RSA_ENCRYPTION => {
                if self.parameters != [tag::NULL, 0] {
                    faults.push(
                        field,
                        "CSR_KEY_ENCODING",
                        "an RSA key's algorithm parameters must be NULL (RFC 3279 §2.3.1)",
                    );
                }
                rsa::judge(self.bits, field, faults)
            }
            oid::EC_PUBLIC_KEY => self.judge_curve(field, faults),
            oid::ED25519 => {
                if !self.parameters.is_empty() || self.bits.len() != 32 {
                    faults.push(
                        field,
                        "CSR_KEY_ENCODING",
                        "an Ed25519 key has 32 octets and no algorithm parameters (RFC 8410 §3)",
                    );
                }
                Some(KeyAlgorithm::Ed25519)
            }
            other => {
                faults.push(
                    field,
                    "CSR_KEY_ALGORITHM",
                    format!(
                        "the key's algorithm is {}; allowed are RSA (2048, 3072 or 4096 bits), \
                         P-256, P-384 and Ed25519",
                        oid::describe(other)
                    ),
                );
                None
            }
        }
    }

    fn judge_curve(&self, field: &str, faults: &mut Faults) -> Option<KeyAlgorithm> {
        let curve = Reader::new(self.parameters).expect(tag::OID);
        let (algorithm, coordinate) = match curve {
            Ok(oid::P256) => (KeyAlgorithm::P256, 32),
            Ok(oid::P384) => (KeyAlgorithm::P384, 48),
            Ok(other) => {
                let message = format!(
                    "the key's curve is {}; allowed are P-256 and P-384",
                    oid::describe(other)
                );
                faults.push(field, "CSR_CURVE", message);
                return None;
            }
            Err(_) => {
                faults.push(
                    field,
                    "CSR_CURVE",
                    "the key's curve is not given by name; allowed are P-256 and P-384 as named \
                     curves (RFC 5480 §2.1.1)",
                );
                return None;
            }
        };
        if self.bits.len() != 1 + 2 * coordinate || self.bits[0] != 4 {
            faults.push(
                field,
                "CSR_KEY_ENCODING",
                format!(
                    "a {algorithm} key must be an uncompressed point of {} octets",
                    1 + 2 * coordinate
                ),
            );
        }
        Some(algorithm)
    }
}
