//! What an authority that lives for one command needs: ports that nobody has, a passphrase that nobody knows.

use std::net::{Ipv4Addr, TcpListener};

use lgpki_domain::Randomness;
use lgpki_keys::Passphrase;
use lgpki_runtime::random::SystemRandomness;

use crate::error::CommandError;

/// How many ports the services of one authority listen on, one after the other.
const PORTS: u16 = 10;

/// A passphrase that is kept nowhere.
pub(super) fn passphrase() -> Result<Passphrase, CommandError> {
    let mut bytes = [0; 32];
    SystemRandomness::new()
        .fill(&mut bytes)
        .map_err(|e| CommandError::from_error("passphrase", &e))?;
    let text = lgpki_domain::Digest(bytes).to_string().into_bytes();
    Passphrase::try_new(text.into(), "the throw-away authority")
        .map_err(|e| CommandError::from_error("passphrase", &e))
}

/// The first of ten ports in a row that nobody listens on.
pub(super) fn free_ports() -> Result<u16, CommandError> {
    let mut bytes = [0; 2];
    SystemRandomness::new()
        .fill(&mut bytes)
        .map_err(|e| CommandError::from_error("ports", &e))?;
    let start = u16::from_be_bytes(bytes) % 40_000;
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (0..500)
        .map(|step| 20_000 + (start + step * PORTS) % 40_000)
        .find(|first| (0..PORTS).all(|n| free(first + n)))
        .ok_or_else(|| {
            CommandError::new("no ten ports in a row are free between 20000 and 60000")
                .hint("stop other programs that listen, and try again")
        })
}
