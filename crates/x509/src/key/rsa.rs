//! RSA moduli and exponents: what is allowed and what is known to be weak.
//!
//! The checks are plain arithmetic on the modulus: length, small factors, and the fingerprint of
//! keys made by the broken generator of CVE-2017-15361. Debian's list of weak keys of 2008 is not
//! consulted, and primes that lie close together are not looked for.

use std::sync::LazyLock;

use lgpki_domain::{Faults, KeyAlgorithm};

use crate::{decode::Reader, encode::tag};

/// Trial division goes up to here, as public CAs do it.
const LARGEST_SMALL_PRIME: u32 = 751;
/// The fingerprint looks at the primes up to here.
const LARGEST_FINGERPRINT_PRIME: u32 = 167;

/// Judges an RSAPublicKey; `None` where not even its algorithm can be told.
pub(super) fn judge(der: &[u8], field: &str, faults: &mut Faults) -> Option<KeyAlgorithm> {
    let Some((modulus, exponent)) = read(der) else {
        let message = "the RSA key is not a modulus and an exponent, both positive";
        faults.push(field, "CSR_KEY_ENCODING", message);
        return None;
    };
    if exponent != [1, 0, 1] {
        let message = format!(
            "the RSA key's public exponent is {}; it must be 65537",
            show(exponent)
        );
        faults.push(field, "CSR_KEY_EXPONENT", message);
    }
    let bits = modulus.len() * 8 - modulus[0].leading_zeros() as usize;
    let algorithm = match bits {
        2048 => KeyAlgorithm::Rsa2048,
        3072 => KeyAlgorithm::Rsa3072,
        4096 => KeyAlgorithm::Rsa4096,
        _ => {
            let message =
                format!("the RSA key has {bits} bits; allowed are 2048, 3072 and 4096 bits");
            faults.push(field, "CSR_KEY_SIZE", message);
            return None;
        }
    };
    if let Some(weakness) = weakness(modulus) {
        let message = format!("{weakness}; make a new key pair with a sound generator");
        faults.push(field, "CSR_KEY_WEAK", message);
    }
    Some(algorithm)
}

/// Modulus and exponent without leading zeros.
fn read(der: &[u8]) -> Option<(&[u8], &[u8])> {
    crate::decode::check_strict(der).ok()?;
    let mut outer = Reader::new(der);
    let mut key = outer.open(tag::SEQUENCE).ok()?;
    outer.finish().ok()?;
    let modulus = positive(key.expect(tag::INTEGER).ok()?)?;
    let exponent = positive(key.expect(tag::INTEGER).ok()?)?;
    key.finish().ok()?;
    Some((modulus, exponent))
}

fn positive(content: &[u8]) -> Option<&[u8]> {
    match content {
        [0, rest @ ..] if !rest.is_empty() => Some(rest),
        [first, ..] if (1..0x80).contains(first) => Some(content),
        _ => None,
    }
}

fn show(number: &[u8]) -> String {
    if number.len() <= 8 {
        let value = number.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
        value.to_string()
    } else {
        format!("a number of {} octets", number.len())
    }
}

fn weakness(modulus: &[u8]) -> Option<&'static str> {
    if modulus.last().is_some_and(|b| b & 1 == 0) {
        return Some("the RSA modulus is even");
    }
    let mut fingerprint = true;
    for group in SIEVE.iter() {
        let remainder = remainder(modulus, group.product);
        for prime in &group.primes {
            let residue = remainder % prime.value;
            if residue == 0 {
                return Some("the RSA modulus has a small factor");
            }
            fingerprint &= prime.residues.is_none_or(|set| set >> residue & 1 == 1);
        }
    }
    fingerprint.then_some(
        "the RSA modulus bears the mark of a broken key generator (ROCA, CVE-2017-15361)",
    )
}

/// Primes whose product fits 32 bits, so that the long modulus is divided once for all of them.
struct Group {
    product: u32,
    primes: Vec<Prime>,
}

struct Prime {
    value: u32,
    /// The powers of 65537 modulo this prime, as a set of bits; `None` past the fingerprint.
    residues: Option<Bits>,
}

/// A set of numbers below 256.
#[derive(Clone, Copy)]
struct Bits([u128; 2]);

impl std::ops::Shr<u32> for Bits {
    type Output = u128;

    fn shr(self, by: u32) -> u128 {
        if by < 128 {
            self.0[0] >> by
        } else {
            self.0[1] >> (by - 128)
        }
    }
}

static SIEVE: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let primes = (3..=LARGEST_SMALL_PRIME).filter(|n| (2..*n).all(|d| n % d != 0));
    let mut groups: Vec<Group> = Vec::new();
    for value in primes {
        let prime = Prime {
            value,
            residues: (value <= LARGEST_FINGERPRINT_PRIME).then(|| powers_of_65537(value)),
        };
        match groups.last_mut() {
            Some(group) if group.product.checked_mul(value).is_some() => {
                group.product *= value;
                group.primes.push(prime);
            }
            _ => groups.push(Group {
                product: value,
                primes: vec![prime],
            }),
        }
    }
    groups
});

fn powers_of_65537(prime: u32) -> Bits {
    let mut bits = Bits([0; 2]);
    let mut power = 1 % prime;
    for _ in 0..prime {
        bits.0[power as usize / 128] |= 1 << (power % 128);
        power = power * (65_537 % prime) % prime;
    }
    bits
}

fn remainder(number: &[u8], divisor: u32) -> u32 {
    let divisor = u64::from(divisor);
    let (head, words) = number.as_rchunks::<4>();
    let mut remainder = head
        .iter()
        .fold(0, |r, b| (r << 8 | u64::from(*b)) % divisor);
    for word in words {
        remainder = (remainder << 32 | u64::from(u32::from_be_bytes(*word))) % divisor;
    }
    // Below the divisor, which was 32 bits wide.
    u32::try_from(remainder).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 2048-bit number that is 1 modulo every prime of the sieve is 1 modulo all fingerprints.
    #[test]
    fn a_modulus_that_is_a_power_of_65537_everywhere_is_refused() {
        // 65537 itself, padded, passes as a power of 65537 modulo every prime.
        let mut modulus = vec![0; 253];
        modulus.extend([1, 0, 1]);
        assert!(weakness(&modulus).unwrap().contains("ROCA"));
    }

    #[test]
    fn small_factors_are_found() {
        let mut modulus = vec![0; 254];
        modulus.extend((751_u16 * 3).to_be_bytes());
        assert!(weakness(&modulus).unwrap().contains("small factor"));
        modulus[255] ^= 1;
        assert!(weakness(&modulus).unwrap().contains("even"));
    }

    #[test]
    fn remainders_are_right_for_any_length() {
        let number: Vec<u8> = (1..=15).collect();
        let value = number.iter().fold(0_u128, |n, b| n << 8 | u128::from(*b));
        for divisor in [3_u32, 751, 1_000_003, 4_294_967_291] {
            assert_eq!(
                u128::from(remainder(&number, divisor)),
                value % u128::from(divisor)
            );
        }
    }
}
