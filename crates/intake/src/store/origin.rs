//! What an application came with, and the memory of all of it: no request id and no key comes twice.
//!
//! Whether a request id or a key is new is asked for every application, and almost always it is; so
//! that the index need not be searched for what is not there, memory holds every key's digest and
//! 16 bytes of a digest of every request id, which is compared in full where those are found. That
//! takes about 120 bytes an application.

use std::collections::HashMap;

use lgpki_domain::{ApplicationId, BodyCode, Digest, RequestId};
use ring::digest::{Context, SHA256};

use super::record::{body_code, branch_bytes};

/// What the index keeps of how an application came; it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) request: RequestId,
    pub(crate) content: Digest,
    pub(crate) key: Option<Digest>,
}

impl Origin {
    /// The record of an application.
    pub(crate) fn encode(&self, branch: Option<BodyCode>, id: ApplicationId) -> Vec<u8> {
        let mut out = Vec::with_capacity(149);
        out.extend_from_slice(&branch_bytes(branch));
        out.extend_from_slice(&id.to_bytes());
        out.extend_from_slice(&self.content.0);
        out.push(u8::from(self.key.is_some()));
        if let Some(key) = &self.key {
            out.extend_from_slice(&key.0);
        }
        out.extend_from_slice(self.request.as_str().as_bytes());
        out
    }

    /// Reads [`encode`](Self::encode) back; `None` if that never wrote it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Option<BodyCode>, ApplicationId, Self)> {
        let (branch, rest) = bytes.split_first_chunk::<4>()?;
        let branch = match u32::from_be_bytes(*branch) {
            0 => None,
            number => Some(body_code(number)?),
        };
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (content, rest) = rest.split_first_chunk::<32>()?;
        let (key, rest) = match rest.split_first()? {
            (0, rest) => (None, rest),
            (1, rest) => rest
                .split_first_chunk::<32>()
                .map(|(key, rest)| (Some(Digest(*key)), rest))?,
            _ => return None,
        };
        let origin = Self {
            request: std::str::from_utf8(rest).ok()?.parse().ok()?,
            content: Digest(*content),
            key,
        };
        Some((branch, ApplicationId::from_bytes(*id), origin))
    }
}

type Short = [u8; 16];

/// The applications by request id and by key.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    requests: HashMap<Short, ApplicationId>,
    keys: HashMap<Digest, ApplicationId>,
}

impl Origins {
    /// The application that may have come with the request id.
    pub(crate) fn by_request(
        &self,
        branch: Option<BodyCode>,
        request: &RequestId,
    ) -> Option<ApplicationId> {
        self.requests.get(&request_short(branch, request)).copied()
    }

    /// The application that came with the key last.
    pub(crate) fn by_key(&self, key: &Digest) -> Option<ApplicationId> {
        self.keys.get(key).copied()
    }

    /// Notes a new application. Returns the one that had come with its key before.
    pub(crate) fn note(
        &mut self,
        branch: Option<BodyCode>,
        id: ApplicationId,
        origin: &Origin,
    ) -> Option<ApplicationId> {
        self.requests
            .insert(request_short(branch, &origin.request), id);
        self.note_key(id, origin)
    }

    /// Notes that of the applications with this key, it is `id` that counts. Returns the one that
    /// counted before.
    pub(crate) fn note_key(&mut self, id: ApplicationId, origin: &Origin) -> Option<ApplicationId> {
        self.keys.insert(origin.key?, id)
    }
}

fn request_short(branch: Option<BodyCode>, request: &RequestId) -> Short {
    let mut context = Context::new(&SHA256);
    context.update(&branch_bytes(branch));
    context.update(request.as_str().as_bytes());
    // A SHA-256 digest has more than 16 bytes.
    let digest = context.finish();
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_reads_back() {
        let id = ApplicationId::from_bytes([9; 16]);
        let request = "r".repeat(64);
        for (branch, key) in [
            (None, None),
            (Some("01001".parse().unwrap()), Some(Digest([7; 32]))),
        ] {
            let origin = Origin {
                request: request.parse().unwrap(),
                content: Digest([1; 32]),
                key,
            };
            let bytes = origin.encode(branch, id);
            assert!(bytes.len() <= lgpki_store::MAX_RECORD_BYTES);
            assert_eq!(Origin::decode(&bytes), Some((branch, id, origin)));
        }
        assert_eq!(Origin::decode(&[0; 53]), None);
    }
}
