//! A CRL on its way from writer to publication, in one buffer from beginning to end.
//!
//! The writer leaves room for the envelope before the list and for the signature after it. Whoever
//! hashes the list shares it; sealing fills the room.

use bytes::{Bytes, BytesMut};
use lgpki_domain::SignatureAlgorithm;

use super::list::{Contents, Places, RevocationList};
use crate::{
    encode::{bit_string, header, tag},
    signed::algorithm_identifier,
};

/// Room for algorithm and signature; a longer one only costs a copy.
pub(super) const ROOM: usize = 1024;

/// A tbsCertList that was read back and is not signed yet.
#[derive(Debug)]
pub struct UnsignedList {
    /// Room, then the list.
    buffer: Bytes,
    /// Where the list begins.
    start: usize,
    contents: Contents,
}

impl UnsignedList {
    /// A list that was read back as it was written.
    pub(super) fn new(buffer: Vec<u8>, start: usize, places: Places) -> Self {
        let buffer = Bytes::from(buffer);
        let contents = Contents::of(buffer.slice(start..), places);
        Self {
            buffer,
            start,
            contents,
        }
    }

    /// The tbsCertList in DER; shared, not copied.
    #[must_use]
    pub fn tbs(&self) -> Bytes {
        self.buffer.slice(self.start..)
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
            buffer,
            start,
            contents,
        } = self;
        let length = buffer.len() - start;
        let places = contents.into_places();
        let mut buffer = buffer
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let tail = tail(algorithm, signature);
        let front = front(length, tail.len());
        // The writer left room for the longest header there is.
        let first = start - front.len();
        buffer[first..start].copy_from_slice(&front);
        buffer.extend_from_slice(&tail);
        let der = buffer.freeze().slice(first..);
        let tbs = front.len()..front.len() + length;
        RevocationList::sealed(der, tbs, places)
    }
}

/// What stands before a tbsCertList of so many bytes in a CRL whose signature has so many: with these,
/// a CRL can be hashed and written out while its list is still being made.
#[must_use]
pub fn envelope(tbs_length: usize, algorithm: SignatureAlgorithm, signature: usize) -> Vec<u8> {
    front(tbs_length, tail(algorithm, &vec![0; signature]).len())
}

fn front(tbs_length: usize, tail: usize) -> Vec<u8> {
    let mut front = Vec::new();
    header(&mut front, tag::SEQUENCE, tbs_length + tail);
    front
}

fn tail(algorithm: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    let mut tail = Vec::with_capacity(signature.len() + 24);
    algorithm_identifier(&mut tail, algorithm);
    bit_string(&mut tail, signature);
    tail
}
