//! A CA's key, read from its certificate once.
//!
//! Reading means parsing the certificate and checking its own signature; workers ask for the key every minute, the
//! certificate stays the same for years.

use std::sync::{Arc, OnceLock};

use lgpki_domain::CrlOptions;
use lgpki_x509::Issuer as CaKey;

/// What was read, and from what; two of them are equal whatever they remember.
#[derive(Clone, Debug, Default)]
pub struct KnownKey(OnceLock<Known>);

#[derive(Clone, Debug)]
struct Known {
    certificate: Arc<[u8]>,
    crl_urls: Vec<String>,
    options: CrlOptions,
    key: Arc<CaKey>,
}

impl PartialEq for KnownKey {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for KnownKey {}

impl KnownKey {
    /// The key in this certificate, publishing so: as it was read first, if it is still the same one.
    pub(crate) fn or_read<E>(
        &self,
        (certificate, crl_urls, options): (&Arc<[u8]>, &[String], CrlOptions),
        read: impl FnOnce() -> Result<CaKey, E>,
    ) -> Result<Arc<CaKey>, E> {
        let is_same = |known: &&Known| {
            known.certificate == *certificate
                && known.crl_urls == crl_urls
                && known.options == options
        };
        if let Some(known) = self.0.get().filter(is_same) {
            return Ok(Arc::clone(&known.key));
        }
        let key = Arc::new(read()?);
        // Whoever was faster, or read another certificate before, stays.
        let _ = self.0.set(Known {
            certificate: Arc::clone(certificate),
            crl_urls: crl_urls.to_vec(),
            options,
            key: Arc::clone(&key),
        });
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crl::ca_key, ports::Issuer as _, testing::FakeIssuer};

    #[tokio::test]
    async fn a_key_is_read_once_and_again_only_for_another_certificate() {
        let opened = |day| FakeIssuer::opened_on(day, CrlOptions::default());
        let issuer = opened("2008-02-04");
        let first = async |issuer: &FakeIssuer| issuer.issuers().await.unwrap().swap_remove(0);
        let info = first(&issuer).await;
        let key = ca_key(&info).unwrap();
        assert!(Arc::ptr_eq(&key, &ca_key(&info).unwrap()));
        // Heard of again, as every day.
        let mut again = first(&issuer).await;
        again.recognize(std::slice::from_ref(&info));
        assert!(Arc::ptr_eq(&key, &ca_key(&again).unwrap()));
        let mut other = first(&opened("2013-02-04")).await;
        other.recognize(std::slice::from_ref(&info));
        let longer = ca_key(&other).unwrap();
        assert_ne!(longer.validity(), key.validity());
        let mut renamed = info.clone();
        renamed.certificate = Arc::clone(&other.certificate);
        assert_eq!(ca_key(&renamed).unwrap().validity(), longer.validity());
        let mut moved = info;
        moved.crl_urls = vec![String::from(
            "http://elsewhere.lg.jp/crl/organization-1.crl",
        )];
        assert!(!Arc::ptr_eq(&key, &ca_key(&moved).unwrap()));
    }
}
