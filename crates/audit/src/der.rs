//! DER as far as the auditor needs it: stepping along values, and writing small ones anew.

/// A value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
    pub(crate) content: &'a [u8],
}

/// The first value, and what follows it.
pub(crate) fn value(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (header, length) = match *bytes.get(1)? {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(*bytes.get(2)?)),
        0x82 => (
            4,
            usize::from(*bytes.get(2)?) << 8 | usize::from(*bytes.get(3)?),
        ),
        // One spelling only: a length that fits into two octets is not told by three.
        0x83 if *bytes.get(2)? != 0 => {
            let [high, middle, low] = *bytes.get(2..)?.first_chunk::<3>()?;
            let length = u32::from_be_bytes([0, high, middle, low]);
            (5, usize::try_from(length).ok()?)
        }
        _ => return None,
    };
    let end = header + length;
    let first = Value {
        tag: *bytes.first()?,
        whole: bytes.get(..end)?,
        content: bytes.get(header..end)?,
    };
    Some((first, bytes.get(end..)?))
}

/// All values of a content.
pub(crate) fn values(mut content: &[u8]) -> Option<Vec<Value<'_>>> {
    let mut all = Vec::new();
    while !content.is_empty() {
        let (first, rest) = value(content)?;
        all.push(first);
        content = rest;
    }
    Some(all)
}

/// The values of the one value that these bytes are, which must bear this tag.
pub(crate) fn inside(tag: u8, bytes: &[u8]) -> Option<Vec<Value<'_>>> {
    let (one, rest) = value(bytes)?;
    (one.tag == tag && rest.is_empty()).then(|| values(one.content))?
}

/// A value of these parts; none here is longer than two octets can tell.
pub(crate) fn write(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let [.., high, low] = length.to_be_bytes();
    let mut out = Vec::with_capacity(length + 4);
    out.push(tag);
    match length {
        0..=0x7f => out.push(low),
        0x80..=0xff => out.extend_from_slice(&[0x81, low]),
        _ => out.extend_from_slice(&[0x82, high, low]),
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// An object identifier's octets as people write it.
pub(crate) fn dotted(oid: &[u8]) -> String {
    let mut arcs = Vec::new();
    let mut arc = 0_u64;
    for octet in oid {
        arc = arc.wrapping_shl(7) | u64::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            if arcs.is_empty() {
                let root = (arc / 40).min(2);
                arcs.push(root);
                arc -= 40 * root;
            }
            arcs.push(std::mem::take(&mut arc));
        }
    }
    let arcs: Vec<_> = arcs.iter().map(u64::to_string).collect();
    arcs.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_stepped_along_again() {
        for length in [0, 1, 127, 128, 255, 256, 4000] {
            let content = vec![7; length];
            let written = write(4, &[&content]);
            let (read, rest) = value(&written).unwrap();
            assert_eq!((read.tag, read.content.len()), (4, length));
            assert_eq!((read.whole, rest.len()), (&*written, 0));
        }
        let two = write(0x30, &[&write(2, &[&[1]]), &write(5, &[])]);
        let tags: Vec<_> = inside(0x30, &two).unwrap().iter().map(|v| v.tag).collect();
        assert_eq!(tags, [2, 5]);
        assert_eq!(inside(0x31, &two), None);
        assert_eq!(values(&[0x30, 0x83, 0, 0, 1, 0]), None);
        let long = [&[0x30, 0x83, 1, 0, 0][..], &vec![7; 1 << 16]].concat();
        assert_eq!(value(&long).unwrap().0.content.len(), 1 << 16);
        assert_eq!(value(&long[..long.len() - 1]), None);
        assert_eq!(values(&[0x30, 5, 0]), None);
    }

    #[test]
    fn identifiers_are_told_with_dots() {
        assert_eq!(dotted(&[0x55, 0x1d, 19]), "2.5.29.19");
        assert_eq!(dotted(&[0x88, 0x37, 0x83, 0x08, 1]), "2.999.392.1");
    }
}
