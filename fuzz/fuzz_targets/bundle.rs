//! An entry bundle and the path of a tile: what is read is written again byte for byte.
#![no_main]

use lgpki_ledger::{
    Tile,
    tile::{Bundle, append_entry},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(bundle) = Bundle::parse(bytes.to_vec()) {
        let mut again = Vec::new();
        for entry in bundle.iter() {
            assert!(append_entry(&mut again, entry));
        }
        assert_eq!(again, bytes);
    }
    if let Some((path, tile)) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|path| Some((path, path.parse::<Tile>().ok()?)))
    {
        assert_eq!(tile.to_string(), path);
    }
});
