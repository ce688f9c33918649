//! Opening ports, with errors that say what to do.

use std::io::ErrorKind;

use tokio::net::TcpListener;

use crate::{config::ListenAddress, error::RuntimeError};

/// Listens on `address`; `key` is the configuration key that an error names, such as `intake.listen`.
pub async fn bind(key: &str, address: ListenAddress) -> Result<TcpListener, RuntimeError> {
    let address = address.socket();
    TcpListener::bind(address).await.map_err(|source| {
        let key = key.to_owned();
        match source.kind() {
            ErrorKind::AddrInUse => RuntimeError::PortTaken { key, address },
            _ => RuntimeError::Listen {
                key,
                address,
                source,
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_its_key_and_a_way_out() {
        let any: ListenAddress = "127.0.0.1:0".parse().unwrap();
        let first = bind("intake.listen", any).await.unwrap();
        let taken = ListenAddress::from(first.local_addr().unwrap());
        let error = bind("issuer.listen", taken).await.unwrap_err();
        assert!(matches!(error, RuntimeError::PortTaken { .. }));
        let text = error.to_string();
        assert!(text.contains("issuer.listen"), "{text}");
        assert!(text.contains(&taken.to_string()), "{text}");
        assert!(text.contains("choose another address"), "{text}");
    }
}
