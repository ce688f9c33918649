//! A log file altered by somebody who mends the checksums, as no accident does.

/// What every frame begins with, and the bytes of its head.
const FRAME: (&[u8], usize) = (b"LGF2", 32);
/// A row of a frame's table: the entry's length, then its CRC-32C.
const ROW_BYTES: usize = 6;

/// Lets `change` alter the first entry of a segment's first frame, whose bytes are `entry`, and mends the
/// checksums over it.
///
/// # Panics
/// If the file does not begin with a frame of that entry.
#[expect(clippy::expect_used, reason = "a test gives it such a file")]
pub fn alter_first_entry(segment: &mut [u8], entry: &[u8], change: impl FnOnce(&mut [u8])) {
    let find = |what: &[u8]| segment.windows(what.len()).position(|bytes| bytes == what);
    let (magic, head) = FRAME;
    let frame = find(magic).expect("a frame");
    let data = find(entry).expect("the entry");
    let altered = segment
        .get_mut(data..data + entry.len())
        .expect("the entry");
    change(altered);
    let crc = crc32c::crc32c(altered).to_be_bytes();
    let row = frame + head;
    let place = segment.get_mut(row + 2..row + ROW_BYTES);
    place.expect("a row").copy_from_slice(&crc);
    let (table, rest) = segment.split_at_mut(data - 4);
    let crc = crc32c::crc32c(table.get(frame..).unwrap_or_default());
    let place = rest.first_chunk_mut().expect("the table's checksum");
    *place = crc.to_be_bytes();
}
