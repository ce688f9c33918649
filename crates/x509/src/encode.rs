//! Writing DER.
//!
//! A few functions that append to one buffer; nested structures are written in place and their
//! length is put in afterwards. What is written here is always read back by somebody else's
//! decoder before it is signed (see `lint`).

/// Tags of the types that are written.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[number]`, primitive.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// `[number]`, constructed.
    pub(crate) const fn context_constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The octets of a definite, minimal length and how many of them are in use.
fn length_octets(length: usize) -> ([u8; 9], usize) {
    let mut octets = [0; 9];
    let bytes = length.to_be_bytes();
    if length < 0x80 {
        octets[0] = bytes[bytes.len() - 1];
        return (octets, 1);
    }
    let significant = &bytes[length.leading_zeros() as usize / 8..];
    octets[0] = 0x80 | significant.len().to_le_bytes()[0];
    octets[1..=significant.len()].copy_from_slice(significant);
    (octets, 1 + significant.len())
}

/// Appends tag and length of a content that the caller appends next.
pub(crate) fn header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    let (octets, used) = length_octets(length);
    out.extend_from_slice(&octets[..used]);
}

/// How many octets tag and length of such a content take.
pub(crate) fn header_length(length: usize) -> usize {
    1 + length_octets(length).1
}

/// Appends a whole value.
pub(crate) fn tlv(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    header(out, tag, content.len());
    out.extend_from_slice(content);
}

/// Appends a value whose content `write` appends.
pub(crate) fn nested(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    out.push(0);
    let start = out.len();
    write(out);
    let (octets, used) = length_octets(out.len() - start);
    out[start - 1] = octets[0];
    if used > 1 {
        let end = out.len();
        out.extend_from_slice(&octets[1..used]);
        out[start..].rotate_right(used - 1);
        debug_assert!(end >= start);
    }
}

/// Appends a SEQUENCE whose content `write` appends.
pub(crate) fn sequence(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    nested(out, tag::SEQUENCE, write);
}

/// Appends a non-negative INTEGER.
pub(crate) fn integer(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_be_bytes();
    let skip = (value.leading_zeros() as usize / 8).min(7);
    let significant = &bytes[skip..];
    header(
        out,
        tag::INTEGER,
        significant.len() + usize::from(significant[0] >> 7),
    );
    if significant[0] & 0x80 != 0 {
        out.push(0);
    }
    out.extend_from_slice(significant);
}

/// Appends a BIT STRING of whole octets.
pub(crate) fn bit_string(out: &mut Vec<u8>, octets: &[u8]) {
    header(out, tag::BIT_STRING, octets.len() + 1);
    out.push(0);
    out.extend_from_slice(octets);
}

/// Appends a named-bit BIT STRING without trailing zero bits (X.690 §11.2.2); bit 0 is the most
/// significant bit of `bits`.
pub(crate) fn named_bits(out: &mut Vec<u8>, bits: u16) {
    let octets = bits.to_be_bytes();
    let used = if bits == 0 {
        0
    } else {
        2 - bits.trailing_zeros() as usize / 8
    };
    let unused = (bits.trailing_zeros() % 8).to_le_bytes()[0];
    header(out, tag::BIT_STRING, used + 1);
    out.push(if used == 0 { 0 } else { unused });
    out.extend_from_slice(&octets[..used]);
}

/// Appends an extension; the criticality FALSE is the default and stays out.
pub(crate) fn extension(
    out: &mut Vec<u8>,
    oid: &[u8],
    critical: bool,
    write: impl FnOnce(&mut Vec<u8>),
) {
    sequence(out, |out| {
        tlv(out, tag::OID, oid);
        if critical {
            tlv(out, tag::BOOLEAN, &[0xff]);
        }
        nested(out, tag::OCTET_STRING, write);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = vec![0xee];
        write(&mut out);
        out.remove(0);
        out
    }

    #[test]
    fn lengths_are_minimal_and_content_stays_in_place() {
        for length in [0_usize, 1, 127, 128, 255, 256, 65_535, 65_536, 70_000] {
            let content: Vec<u8> = (0..length).map(|i| i.to_le_bytes()[0]).collect();
            let in_place = written(|out| nested(out, 0x30, |out| out.extend_from_slice(&content)));
            assert_eq!(
                in_place,
                written(|out| tlv(out, 0x30, &content)),
                "{length}"
            );
            assert_eq!(in_place.len(), length + header_length(length));
        }
        assert_eq!(
            written(|out| header(out, 0x30, 65_536)),
            [0x30, 0x83, 1, 0, 0]
        );
    }

    #[test]
    fn integers_are_minimal_and_positive() {
        assert_eq!(written(|out| integer(out, 0)), [2, 1, 0]);
        assert_eq!(written(|out| integer(out, 127)), [2, 1, 127]);
        assert_eq!(written(|out| integer(out, 128)), [2, 2, 0, 128]);
        assert_eq!(written(|out| integer(out, u64::MAX))[..4], [2, 9, 0, 255]);
    }

    #[test]
    fn named_bits_end_with_a_one() {
        assert_eq!(written(|out| named_bits(out, 0)), [3, 1, 0]);
        assert_eq!(written(|out| named_bits(out, 0x8000)), [3, 2, 7, 0x80]);
        assert_eq!(written(|out| named_bits(out, 0x0600)), [3, 2, 1, 0x06]);
        assert_eq!(written(|out| named_bits(out, 0x0080)), [3, 3, 7, 0, 0x80]);
    }
}
