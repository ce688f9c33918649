//! Proofs against the definitions of RFC 6962, word by word.

use proptest::prelude::*;

use super::*;
use crate::{merkle::leaf, tile::subtree};

/// A tree by its leaf hashes.
struct Tree(Vec<Hash>);

impl HashReader for Tree {
    fn hash(&self, level: u8, index: u64) -> Result<Hash, TreeError> {
        let start = usize::try_from(index << level).unwrap();
        Ok(subtree(&self.0[start..start + (1 << level)]))
    }
}

fn tree(size: u64) -> Tree {
    Tree((0..size).map(|i| leaf(&i.to_be_bytes())).collect())
}

/// MTH of RFC 6962 §2.1, from leaf hashes.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => CompactRange::new().root(),
        [one] => *one,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

/// PATH of RFC 6962 §2.1.1.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, other) = if m < k {
        (path(m, &leaves[..k]), mth(&leaves[k..]))
    } else {
        (path(m - k, &leaves[k..]), mth(&leaves[..k]))
    };
    path.push(other);
    path
}

/// SUBPROOF of RFC 6962 §2.1.2.
fn subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut proof, other) = if m <= k {
        (subproof(m, &leaves[..k], whole), mth(&leaves[k..]))
    } else {
        (subproof(m - k, &leaves[k..], false), mth(&leaves[..k]))
    };
    proof.push(other);
    proof
}

fn count(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

#[test]
fn every_inclusion_in_small_trees_is_proved_as_the_rfc_says() {
    for size in 1..=70_u64 {
        let tree = tree(size);
        let root = mth(&tree.0);
        for index in 0..size {
            let proof = inclusion(&tree, index, size).unwrap();
            assert_eq!(proof, path(count(index), &tree.0), "{index} of {size}");
            check_inclusion(&tree.0[count(index)], index, (size, &root), &proof).unwrap();
            let mut longer = proof.clone();
            longer.push([0; 32]);
            for (other, proof) in [(index ^ 1, &proof), (index, &longer)] {
                let leaf = &tree.0[count(index)];
                assert!(check_inclusion(leaf, other, (size, &root), proof).is_err());
            }
        }
        assert!(inclusion(&tree, size, size).is_err());
    }
}

#[test]
fn every_consistency_of_small_trees_is_proved_as_the_rfc_says() {
    for new in 1..=70_u64 {
        let tree = tree(new);
        let root = mth(&tree.0);
        for old in 1..=new {
            let before = mth(&tree.0[..count(old)]);
            let proof = consistency(&tree, old, new).unwrap();
            assert_eq!(proof, subproof(count(old), &tree.0, true), "{old} to {new}");
            check_consistency((old, &before), (new, &root), &proof).unwrap();
            let wrong = check_consistency((old, &[1; 32]), (new, &root), &proof);
            assert!(wrong.is_err(), "{old} to {new}");
            let wrong = check_consistency((old, &before), (new, &[1; 32]), &proof);
            assert!(wrong.is_err(), "{old} to {new}");
        }
        let nothing = CompactRange::new().root();
        check_consistency((0, &nothing), (new, &root), &[]).unwrap();
        assert!(check_consistency((0, &root), (new, &root), &[]).is_err());
        assert!(check_consistency((new + 1, &root), (new, &root), &[]).is_err());
        assert!(consistency(&tree, 0, new).is_err());
    }
}

/// From the certificate-transparency reference implementation.
#[test]
fn only_a_proof_that_leads_to_the_later_root_shows_a_fork() {
    for new in 2..=40_u64 {
        let honest = tree(new);
        let mut forked = tree(new);
        forked.0[0] = leaf(b"another");
        let (root, other) = (mth(&honest.0), mth(&forked.0));
        assert!(shows_fork((new, &root), (new, &other), &[]));
        assert!(!shows_fork((new, &root), (new, &root), &[[1; 32]]));
        for old in 1..new {
            let before = mth(&honest.0[..count(old)]);
            let [good, bad] = [&honest, &forked].map(|tree| consistency(tree, old, new).unwrap());
            // A perfect subtree is not in its proof, which then leads nowhere.
            let shown = shows_fork((old, &before), (new, &other), &bad);
            assert_eq!(shown, !old.is_power_of_two(), "{old} to {new}");
            // Of an honest log nothing shows one: its own proof, another's, a longer or a shorter one.
            let longer = [&good[..], &[[1; 32]]].concat();
            for proof in [&good[..], &bad, &longer, &good[1..], &[]] {
                assert!(
                    !shows_fork((old, &before), (new, &root), proof),
                    "{old} to {new}"
                );
            }
            assert!(!shows_fork((new, &root), (old, &before), &good));
        }
        assert!(!shows_fork((0, &root), (new, &root), &[]));
    }
}

#[test]
fn the_published_vectors_hold() {
    let hex = |text: &str| text.parse::<lgpki_domain::Digest>().unwrap().0;
    let entries: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let tree = Tree(entries.iter().map(|entry| leaf(entry)).collect());
    let root = hex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    let proof = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    .map(hex);
    assert_eq!(consistency(&tree, 6, 8).unwrap(), proof);
    let old = hex("76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef");
    check_consistency((6, &old), (8, &root), &proof).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_changed_proof_proves_nothing(
        size in 2_u64..3000, index: u64, old: u64, bit in 0_usize..256, which: usize,
    ) {
        let (index, old) = (index % size, 1 + old % size);
        let tree = tree(size);
        let root = root(&tree, (0, size)).unwrap();
        let before = super::root(&tree, (0, old)).unwrap();
        let leaf = tree.0[count(index)];

        let proof = inclusion(&tree, index, size).unwrap();
        check_inclusion(&leaf, index, (size, &root), &proof).unwrap();
        let mut bad = proof.clone();
        let at = which % bad.len();
        bad[at][bit / 8] ^= 1 << (bit % 8);
        prop_assert!(check_inclusion(&leaf, index, (size, &root), &bad).is_err());
        prop_assert!(check_inclusion(&leaf, index, (size, &root), &proof[1..]).is_err());

        let proof = consistency(&tree, old, size).unwrap();
        check_consistency((old, &before), (size, &root), &proof).unwrap();
        if !proof.is_empty() {
            let mut bad = proof.clone();
            let at = which % bad.len();
            bad[at][bit / 8] ^= 1 << (bit % 8);
            prop_assert!(check_consistency((old, &before), (size, &root), &bad).is_err());
            prop_assert!(check_consistency((old, &before), (size, &root), &proof[1..]).is_err());
        }
    }

    #[test]
    fn no_proof_makes_a_check_fail_otherwise_than_by_refusing(
        index: u64, size: u64, old: u64,
        proof in proptest::collection::vec(any::<Hash>(), 0..70),
    ) {
        prop_assert!(check_inclusion(&[1; 32], index, (size, &[0; 32]), &proof).is_err());
        let _ = check_consistency((old, &[0; 32]), (size, &[0; 32]), &proof);
    }
}
