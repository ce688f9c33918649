//! Public keys whose private half could be found by arithmetic.
//!
//! For RSA: a size or exponent off the allow-list, an even modulus, a factor below 752
//! (NIST SP 800-89 §5.3.3), two primes so close that Fermat's method finds them in 100 rounds
//! (CA/Browser Forum Baseline Requirements §6.1.1.3), and the fingerprint of the ROCA
//! vulnerability (CVE-2017-15361), which smart cards and tokens had. For Ed25519: points of small
//! order. Not looked for: keys on published lists, such as Debian's of 2008. That an EC point lies
//! on its curve is the CSR reader's business.

mod fermat;
mod residues;
mod spki;

use residues::residues;

/// What makes a key weak.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Not a SubjectPublicKeyInfo in DER.
    #[error("the key is not a well-formed SubjectPublicKeyInfo; make a new key pair")]
    Malformed,
    /// Not exactly 2048, 3072 or 4096 bits.
    #[error("the RSA modulus has {bits} bits; it must have exactly 2048, 3072 or 4096")]
    Size {
        /// Its length.
        bits: usize,
    },
    /// Another public exponent than 65537.
    #[error("the RSA public exponent is not 65537")]
    Exponent,
    /// Divisible by 2 or another small prime.
    #[error(
        "the RSA modulus is divisible by {factor}, so it is no product of two large primes; make a new key pair"
    )]
    SmallFactor {
        /// The smallest factor found.
        factor: u32,
    },
    /// Primes too close to each other.
    #[error(
        "the two primes of the RSA modulus lie so close together that they can be found; make a new key pair"
    )]
    CloseFactors,
    /// Made by a chip with the ROCA vulnerability.
    #[error(
        "the RSA modulus carries the fingerprint of the ROCA vulnerability (CVE-2017-15361), so the \
         private key can be computed; replace the card or token, or make the key pair elsewhere"
    )]
    Roca,
    /// An Ed25519 point of small order.
    #[error(
        "the Ed25519 key is a point of small order, under which anybody can sign; make a new key pair"
    )]
    SmallOrder,
    /// The arithmetic itself failed; nothing is known of the key.
    #[error("the key could not be examined")]
    NotExamined,
}

/// The primes that the ROCA fingerprint looks at.
const ROCA_LARGEST: u32 = 167;

/// Ed25519 encodings of small order, sign bit cleared; the last two are non-canonical zero and one.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    one(),
    *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
    *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
    near_prime(0xec),
    near_prime(0xed),
    near_prime(0xee),
];

/// Examines a SubjectPublicKeyInfo. Of RSA and Ed25519 keys it looks for weaknesses; other
/// algorithms have none that this module knows, and pass.
pub fn check(spki: &[u8]) -> Result<(), Weakness> {
    match spki::read(spki).ok_or(Weakness::Malformed)? {
        spki::Key::Rsa { modulus, exponent } => check_rsa(modulus, exponent),
        spki::Key::Ed25519(point) => check_ed25519(point),
        spki::Key::Other => Ok(()),
    }
}

/// Examines an RSA key given as unsigned big-endian numbers; leading zero octets are allowed.
pub fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), Weakness> {
    let modulus = without_leading_zeros(modulus);
    let bits = modulus
        .first()
        .map_or(0, |top| modulus.len() * 8 - top.leading_zeros() as usize);
    if !matches!(bits, 2048 | 3072 | 4096) {
        return Err(Weakness::Size { bits });
    }
    if without_leading_zeros(exponent) != [1, 0, 1] {
        return Err(Weakness::Exponent);
    }
    if modulus.last().is_some_and(|low| low & 1 == 0) {
        return Err(Weakness::SmallFactor { factor: 2 });
    }
    let residues = residues(modulus);
    if let Some((prime, _)) = residues.iter().find(|(_, residue)| *residue == 0) {
        return Err(Weakness::SmallFactor { factor: *prime });
    }
    if has_roca_fingerprint(&residues) {
        return Err(Weakness::Roca);
    }
    check_primes_apart(modulus)
}

fn check_primes_apart(modulus: &[u8]) -> Result<(), Weakness> {
    match fermat::factors_are_close(modulus) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Weakness::CloseFactors),
        Err(_) => Err(Weakness::NotExamined),
    }
}

/// Examines an Ed25519 public key of 32 octets.
pub fn check_ed25519(point: &[u8]) -> Result<(), Weakness> {
    let mut y: [u8; 32] = point.try_into().map_err(|_| Weakness::Malformed)?;
    y[31] &= 0x7f;
    if SMALL_ORDER.contains(&y) {
        return Err(Weakness::SmallOrder);
    }
    Ok(())
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|octet| **octet == 0).count()..]
}

/// Vulnerable chips made primes of the form k·M + (65537^a mod M), M a product of the first
/// primes; so the modulus is a power of 65537 modulo each of them. Another modulus is so for all
/// of them about once in 2^27.
fn has_roca_fingerprint(residues: &[(u32, u32)]) -> bool {
    residues
        .iter()
        .take_while(|(prime, _)| *prime <= ROCA_LARGEST)
        .all(|(prime, residue)| {
            let generator = 65_537 % prime;
            let mut power = 1;
            loop {
                if power == *residue {
                    return true;
                }
                power = power * generator % prime;
                if power == 1 {
                    return false;
                }
            }
        })
}

const fn one() -> [u8; 32] {
    let mut y = [0; 32];
    y[0] = 1;
    y
}

/// 2^255 - 256 + `low`; the field's prime is the one with 0xed.
const fn near_prime(low: u8) -> [u8; 32] {
    let mut y = [0xff; 32];
    y[0] = low;
    y[31] = 0x7f;
    y
}

#[cfg(test)]
mod tests;
