//! A modulus modulo each of the odd primes below 752.
//!
//! One sum over the modulus serves as many primes as have a product of 32 bits: each of its 32-bit
//! words times the residue of that word's place. So the words are multiplied independently of each
//! other, and divided once per product.

use std::sync::LazyLock;

/// The odd primes below 752.
pub(super) const PRIMES: [u32; 132] = odd_primes();
/// Words of the longest modulus, 4096 bits.
const WORDS: usize = 128;

/// Primes with a product of at most 32 bits.
struct Group {
    primes: &'static [u32],
    product: u32,
    /// 2^(32 i) modulo the product.
    places: [u32; WORDS],
}

static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(groups);

fn groups() -> Vec<Group> {
    static ALL: [u32; 132] = PRIMES;
    let mut groups = Vec::new();
    let mut rest = &ALL[..];
    while !rest.is_empty() {
        let (mut product, mut taken) = (1_u32, 0);
        while let Some(next) = rest.get(taken).and_then(|p| product.checked_mul(*p)) {
            product = next;
            taken += 1;
        }
        let (primes, others) = rest.split_at(taken);
        let mut places = [1; WORDS];
        for i in 1..WORDS {
            places[i] = reduced(u128::from(places[i - 1]) << 32, product);
        }
        groups.push(Group {
            primes,
            product,
            places,
        });
        rest = others;
    }
    groups
}

/// The modulus, of at most 4096 bits, modulo each of [`PRIMES`].
pub(super) fn residues(modulus: &[u8]) -> Vec<(u32, u32)> {
    // The least word first.
    let words: Vec<u32> = modulus
        .rchunks(4)
        .take(WORDS)
        .map(|word| word.iter().fold(0, |w, octet| w << 8 | u32::from(*octet)))
        .collect();
    let mut out = Vec::with_capacity(PRIMES.len());
    for group in GROUPS.iter() {
        let parts = words.iter().zip(&group.places);
        let sum = parts.map(|(word, place)| u128::from(u64::from(*word) * u64::from(*place)));
        let residue = reduced(sum.sum(), group.product);
        out.extend(group.primes.iter().map(|p| (*p, residue % p)));
    }
    out
}

fn reduced(number: u128, by: u32) -> u32 {
    // A remainder by a 32-bit number fits 32 bits.
    u32::try_from(number % u128::from(by)).unwrap_or_default()
}

const fn odd_primes() -> [u32; 132] {
    let mut primes = [0; 132];
    let (mut found, mut candidate) = (0, 3);
    while found < primes.len() {
        let (mut i, mut prime) = (0, true);
        while i < found {
            if candidate % primes[i] == 0 {
                prime = false;
            }
            i += 1;
        }
        if prime {
            primes[found] = candidate;
            found += 1;
        }
        candidate += 2;
    }
    primes
}

#[cfg(test)]
mod tests {
    use openssl::bn::{BigNum, MsbOption};

    use super::*;

    #[test]
    fn each_residue_is_what_a_division_finds() {
        for bits in [2048, 3072, 4096] {
            let mut modulus = BigNum::new().unwrap();
            modulus.rand(bits, MsbOption::TWO_ONES, true).unwrap();
            let found = residues(&modulus.to_vec());
            let primes: Vec<_> = found.iter().map(|(prime, _)| *prime).collect();
            assert_eq!(primes, PRIMES);
            for (prime, residue) in found {
                assert_eq!(
                    modulus.mod_word(prime).unwrap(),
                    u64::from(residue),
                    "{prime}"
                );
            }
        }
        let largest = residues(&[0xff; 512]);
        assert_eq!(largest[0], (3, 0));
    }
}
