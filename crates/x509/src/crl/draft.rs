//! A CRL on its way from writer to publication, in one buffer from beginning to end.
//!
//! The writer leaves room for the envelope before the list and for the signature after it. The list is
//! read back where it lies; whoever sends or hashes it shares it; sealing fills the room.

use bytes::{Bytes, BytesMut};
use lgpki_domain::SignatureAlgorithm;

use super::list::{Contents, RevocationList};
use crate::{
    encode::{bit_string, header, tag},
    error::X509Error,
    signed::algorithm_identifier,
};

/// Room for algorithm and signature; a longer one only costs a copy.
pub(super) const ROOM: usize = 1024;

/// A tbsCertList as it was written.
#[derive(Debug)]
pub struct Draft {
    /// Room, then the list.
    buffer: Bytes,
    /// Where the list begins.
    start: usize,
}

impl Draft {
    pub(super) fn new(buffer: Vec<u8>, start: usize) -> Self {
        Self {
            buffer: buffer.into(),
            start,
        }
    }

    /// The tbsCertList in DER; shared, not copied.
    #[must_use]
    pub fn tbs(&self) -> Bytes {
        self.buffer.slice(self.start..)
    }

    /// Reads the list back; every entry is looked at once.
    pub fn read_back(self) -> Result<UnsignedList, X509Error> {
        let contents = Contents::read(self.tbs())?;
        Ok(UnsignedList {
            draft: self,
            contents,
        })
    }
}

/// A tbsCertList that was read back and is not signed yet.
#[derive(Debug)]
pub struct UnsignedList {
    draft: Draft,
    contents: Contents,
}

impl UnsignedList {
    /// The tbsCertList in DER; shared, not copied.
    #[must_use]
    pub fn tbs(&self) -> Bytes {
        self.draft.tbs()
    }

    /// What it says.
    #[must_use]
    pub const fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The CRL: `SEQUENCE { tbsCertList, algorithm, signature }`, unjudged. In place, unless somebody
    /// still shares the list's bytes; then they are copied.
    #[must_use]
    pub fn seal(self, algorithm: SignatureAlgorithm, signature: &[u8]) -> RevocationList {
        let Self {
            draft: Draft { buffer, start },
            contents,
        } = self;
        let length = buffer.len() - start;
        let places = contents.into_places();
        let mut buffer = buffer
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let mut tail = Vec::with_capacity(signature.len() + 24);
        algorithm_identifier(&mut tail, algorithm);
        bit_string(&mut tail, signature);
        let mut front = Vec::new();
        header(&mut front, tag::SEQUENCE, length + tail.len());
        // The writer left room for the longest header there is.
        let first = start - front.len();
        buffer[first..start].copy_from_slice(&front);
        buffer.extend_from_slice(&tail);
        let der = buffer.freeze().slice(first..);
        let tbs = front.len()..front.len() + length;
        RevocationList::sealed(der, tbs, places)
    }
}
