//! A relying party: fetches what is published over plain HTTP, and holds each CRL against the ones
//! that it saw before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lgpki_domain::Authority;
use lgpki_x509::{Certificate, crl::RevocationList};

use crate::get;

/// Fetches, and remembers every list.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    port: u16,
    authorities: BTreeMap<Authority, Vec<u8>>,
    seen: Arc<Mutex<BTreeMap<Authority, Vec<Arc<RevocationList>>>>>,
}

impl RelyingParty {
    pub(super) fn new(port: u16, authorities: BTreeMap<Authority, Vec<u8>>) -> Self {
        Self {
            port,
            authorities,
            seen: Arc::default(),
        }
    }

    /// The certificate of a CA, as everybody has it, DER.
    #[must_use]
    pub fn authority(&self, authority: Authority) -> &[u8] {
        &self.authorities[&authority]
    }

    /// The CRL that is published now; none before the first. It must be signed by its CA, and follow
    /// the one seen before: another number is a higher one, and a later thisUpdate.
    #[must_use]
    pub fn crl(&self, authority: Authority) -> Option<Arc<RevocationList>> {
        let path = format!("/crl/{authority}-1.crl");
        let answer = get(self.port, &path).expect("the publication port answers");
        match answer.status {
            200 => {}
            404 => return None,
            status => panic!("{path} is answered with {status}"),
        }
        if let Some(newest) = self.seen().get(&authority).and_then(|lists| lists.last())
            && newest.der() == answer.body
        {
            return Some(newest.clone());
        }
        let list = Arc::new(RevocationList::parse(&answer.body).expect("a CRL"));
        self.judge(authority, &list);
        Some(list)
    }

    /// Every CRL of a CA that was seen, the oldest first.
    #[must_use]
    pub fn history(&self, authority: Authority) -> Vec<Arc<RevocationList>> {
        self.seen().get(&authority).cloned().unwrap_or_default()
    }

    fn judge(&self, authority: Authority, list: &Arc<RevocationList>) {
        let ca = Certificate::parse(self.authority(authority)).expect("a certificate");
        let key = ca.public_key().expect("a key");
        assert!(list.is_signed_by(key), "the {authority} CA did not sign it");
        let next = list.summary();
        let mut seen = self.seen();
        let lists = seen.entry(authority).or_default();
        if let Some(before) = lists.last().map(|list| list.summary()) {
            assert!(
                before.number < next.number && before.this_update < next.this_update,
                "{authority}: {next:?} follows {before:?}"
            );
        }
        lists.push(list.clone());
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<Authority, Vec<Arc<RevocationList>>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
