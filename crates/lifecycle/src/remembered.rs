//! The CAs as lifecycle remembers them, for as long as the issuer has not been reached since the start.
//!
//! Its own log says which CRLs were published, and the published certificates whose they are. That is
//! enough to see that one runs out; to make one, and to say where it is fetched, the issuer is needed.

use std::{collections::BTreeMap, sync::Arc};

use lgpki_domain::{AuthorityKey, CrlOptions, CrlScope, Timestamp};
use lgpki_x509::Certificate;

use crate::{
    error::StoreError,
    ports::{IssuerInfo, KnownKey, LifecycleStore},
    publication::{Name, PublicationFiles},
};

/// The CA keys that have published something and whose certificates have not run out at `now`; one
/// whose certificate cannot be read has not, so that it is seen.
pub(crate) async fn issuers(
    store: &impl LifecycleStore,
    files: &PublicationFiles,
    now: Timestamp,
) -> Result<Vec<IssuerInfo>, StoreError> {
    let mut keys: BTreeMap<AuthorityKey, CrlOptions> = BTreeMap::new();
    for series in store.series().await? {
        let delta = store.publication(series).await?.delta.is_some();
        let options = keys.entry(series.key).or_default();
        options.delta |= delta;
        options.partitions += u16::from(matches!(series.scope, CrlScope::Partition(_)));
    }
    let issuer = |(key, crl_options): (AuthorityKey, _)| {
        let file = files.find(Name::Certificate(key.authority, key.generation));
        let certificate: Arc<[u8]> = file.map_or_else(Vec::new, |f| f.bytes.to_vec()).into();
        let validity = Certificate::parse(&certificate).ok();
        let validity = validity.and_then(|certificate| certificate.validity());
        let stands = validity.is_none_or(|validity| !validity.is_over(now));
        stands.then_some(IssuerInfo {
            authority: key.authority,
            certificate,
            generation: key.generation,
            crl_urls: Vec::new(),
            crl_options,
            crl_numbers: BTreeMap::new(),
            unlinked: false,
            known: KnownKey::default(),
        })
    };
    Ok(keys.into_iter().filter_map(issuer).collect())
}
