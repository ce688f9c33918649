//! The bytes of a file: as they are now, and as a power cut would leave them.

use super::Persisted;

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) now: Vec<u8>,
    pub(super) synced: Vec<u8>,
    changed_from: Option<usize>,
}

impl Content {
    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        self.now[offset..end].copy_from_slice(bytes);
        self.changed_from = Some(self.changed_from.map_or(offset, |at| at.min(offset)));
    }

    pub(super) fn truncate(&mut self, size: usize) {
        self.now.truncate(size);
        self.changed_from = Some(self.changed_from.map_or(size, |at| at.min(size)));
    }

    pub(super) fn sync(&mut self) {
        // Only what changed is copied, so that long files stay cheap.
        if let Some(from) = self.changed_from.take() {
            self.synced.truncate(from);
            let new = self.now.get(self.synced.len()..).unwrap_or_default();
            self.synced.extend_from_slice(new);
        }
    }

    pub(super) fn lose_power(&mut self, persisted: Persisted) {
        match persisted {
            Persisted::Everything => self.sync(),
            Persisted::Nothing => self.now.clone_from(&self.synced),
            Persisted::Bytes(bytes) => {
                let kept = self.synced.len().saturating_add(bytes);
                // Of a file that was cut, the old bytes may be back; of one that grew, a part.
                if self.now.len() > kept {
                    self.now.truncate(kept);
                } else if self.now.len() < self.synced.len() {
                    self.now.clone_from(&self.synced);
                }
                self.synced.clone_from(&self.now);
            }
        }
        self.changed_from = None;
    }
}
