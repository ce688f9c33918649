//! The subscribers' key pairs, made before anything is measured.
//!
//! An RSA key takes a tenth of a second, so those are kept under `target/` and used again; a run's
//! installation is new each time and has never seen them. P-256 keys are made afresh.

use std::{
    fs,
    num::NonZero,
    path::PathBuf,
    thread::{self, available_parallelism},
};

use lgpki_domain::KeyAlgorithm;
use lgpki_keys::{Passphrase, SoftwareKey};
use zeroize::Zeroizing;

use crate::Failure;

/// How many threads make keys and requests.
#[must_use]
pub fn lanes() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// `count` keys; `said` is told what takes long.
pub fn keys(
    algorithm: KeyAlgorithm,
    count: usize,
    said: impl Fn(&str),
) -> Result<Vec<SoftwareKey>, Failure> {
    if algorithm != KeyAlgorithm::Rsa2048 {
        return generate(algorithm, count);
    }
    let path = kept()?;
    let mut keys = read(&path, count)?;
    if keys.len() < count {
        let missing = count - keys.len();
        said(&format!(
            "making {missing} RSA keys for this and later runs"
        ));
        keys.extend(generate(algorithm, missing)?);
        write(&path, &keys)?;
    }
    Ok(keys)
}

fn generate(algorithm: KeyAlgorithm, count: usize) -> Result<Vec<SoftwareKey>, Failure> {
    let one_lane = |share: usize| {
        (0..share)
            .map(|_| SoftwareKey::generate(algorithm))
            .collect::<Result<Vec<_>, _>>()
    };
    let lanes = lanes();
    thread::scope(|scope| {
        let running: Vec<_> = (0..lanes)
            .map(|lane| (count + lane) / lanes)
            .map(|share| scope.spawn(move || one_lane(share)))
            .collect();
        let mut keys = Vec::with_capacity(count);
        for lane in running {
            keys.extend(
                lane.join()
                    .map_err(|_| "a thread that makes keys failed")??,
            );
        }
        Ok(keys)
    })
}

/// Where the keys are kept: beside the build that made them.
fn kept() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?;
    let target = program
        .ancestors()
        .nth(2)
        .ok_or("this program lies in no target directory")?;
    Ok(target.join("bench-keys").join("rsa-2048.pem"))
}

/// The keys certify nothing outside a measurement; the file format asks for a passphrase.
fn passphrase() -> Result<Passphrase, Failure> {
    let text = Zeroizing::new(b"subscribers of a measurement".to_vec());
    Ok(Passphrase::try_new(text, "the bench")?)
}

fn read(path: &PathBuf, most: usize) -> Result<Vec<SoftwareKey>, Failure> {
    const END: &str = "-----END ENCRYPTED PRIVATE KEY-----\n";
    let passphrase = passphrase()?;
    let text = fs::read_to_string(path).unwrap_or_default();
    let keys = text
        .split_inclusive(END)
        .filter(|block| block.ends_with(END))
        .take(most)
        .map(|block| SoftwareKey::from_encrypted_pkcs8(block.as_bytes(), &passphrase));
    keys.collect::<Result<_, _>>().map_err(|e| {
        format!(
            "{} holds something else than keys: {e}; delete it",
            path.display()
        )
        .into()
    })
}

fn write(path: &PathBuf, keys: &[SoftwareKey]) -> Result<(), Failure> {
    let passphrase = passphrase()?;
    let mut text = String::new();
    for key in keys {
        text.push_str(&key.to_encrypted_pkcs8_pem_with(&passphrase, 1)?);
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text)?;
    Ok(())
}
