//! Reading and writing tables.
//!
//! A table is an ordered map from bytes to bytes. Reads do not return errors: if the index cannot
//! be read, the read finds nothing, the failure is noted, and the engine stops before anything that
//! was decided on it is recorded or answered. A value stays under 4 KB; large bytes stand in the
//! log, and the table points there by index.

use std::{fmt, iter::Peekable, ops::Bound, sync::OnceLock};

use crate::{index::IndexBase, overlay::Overlay};

/// The longest value a table may hold, in bytes.
pub(crate) const MAX_VALUE_BYTES: usize = 4096;

/// Where the tables are.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) names: &'static [&'static str],
    pub(crate) base: &'a dyn IndexBase,
    pub(crate) fault: &'a OnceLock<String>,
}

impl Ground<'_> {
    fn fail(&self, what: impl Into<String>) {
        // The first failure is the one that is told.
        let _ = self.fault.set(what.into());
    }

    /// The key as it stands in the index: the table's number, then the key. Number 0 is the
    /// engine's own.
    pub(crate) fn key(&self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        let number = self.names.iter().position(|name| *name == table);
        let Some(number) = number.and_then(|n| u8::try_from(n + 1).ok()) else {
            self.fail(format!("there is no table {table:?}"));
            return None;
        };
        let mut full = Vec::with_capacity(1 + key.len());
        full.push(number);
        full.extend_from_slice(key);
        Some(full)
    }
}

/// The tables as of some moment, for reading.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(crate) ground: Ground<'a>,
    pub(crate) overlay: &'a Overlay,
    pub(crate) next: u64,
}

impl<'a> View<'a> {
    /// The index that the next event to be recorded will have.
    #[must_use]
    pub const fn next_index(&self) -> u64 {
        self.next
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.value(&self.ground.key(table, key)?)
    }

    /// The value of a key as it stands in the index.
    pub(crate) fn value(&self, key: &[u8]) -> Option<Vec<u8>> {
        if let Some(change) = self.overlay.find(key) {
            return change.clone();
        }
        match self.ground.base.get(key) {
            Ok(value) => value,
            Err(e) => {
                self.ground.fail(e);
                None
            }
        }
    }

    /// Whether a key has a value.
    #[must_use]
    pub fn contains(&self, table: &str, key: &[u8]) -> bool {
        self.get(table, key).is_some()
    }

    /// The keys of `span` with their values, ascending. Lazy: take as many as needed.
    #[must_use]
    pub fn scan(&self, table: &str, span: &Span) -> Scan<'a> {
        self.walk(table, span, false)
    }

    /// The keys of `span` with their values, descending.
    #[must_use]
    pub fn scan_back(&self, table: &str, span: &Span) -> Scan<'a> {
        self.walk(table, span, true)
    }

    fn walk(&self, table: &str, span: &Span, back: bool) -> Scan<'a> {
        let mut found = Scan {
            layers: Vec::new(),
            ground: self.ground,
            back,
        };
        let Some(table) = self.ground.key(table, &[]) else {
            return found;
        };
        let Some(range) = span.within(&table) else {
            return found;
        };
        // Newest first: of equal keys the first layer's stands.
        let layers = std::iter::once(&self.overlay.dirty).chain(self.overlay.frozen.as_deref());
        for layer in layers {
            let items = layer
                .range::<Vec<u8>, _>(range.clone())
                .map(|(key, value)| Ok((key.clone(), value.clone())));
            found.layers.push(directed(items, back));
        }
        let items = self
            .ground
            .base
            .range(range)
            .map(|item| item.map(|(key, value)| (key, Some(value))));
        found.layers.push(directed(items, back));
        found
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// The tables for the one who applies events.
pub struct Tables<'a> {
    pub(crate) ground: Ground<'a>,
    pub(crate) overlay: &'a mut Overlay,
    pub(crate) next: u64,
}

impl Tables<'_> {
    /// The tables as they are now, for reading.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            ground: self.ground,
            overlay: self.overlay,
            next: self.next,
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.view().get(table, key)
    }

    /// Sets the value of a key; under 4 KB.
    pub fn put(&mut self, table: &str, key: &[u8], value: impl Into<Vec<u8>>) {
        let value = value.into();
        if value.len() > MAX_VALUE_BYTES {
            self.ground.fail(format!(
                "a value of {} bytes for table {table:?} is over {MAX_VALUE_BYTES}",
                value.len()
            ));
        } else if let Some(key) = self.ground.key(table, key) {
            self.overlay.write(key, Some(value));
        }
    }

    /// Changes the value of a key in place; `None` stands for no value.
    pub(crate) fn change(
        &mut self,
        table: &str,
        key: &[u8],
        change: impl FnOnce(&mut Option<Vec<u8>>),
    ) {
        let Some(full) = self.ground.key(table, key) else {
            return;
        };
        if let Some(value) = self.overlay.written(&full) {
            change(value);
            return;
        }
        let mut value = self.get(table, key);
        change(&mut value);
        self.overlay.write(full, value);
    }

    /// Notes a failure: the engine stops before anything is recorded or answered.
    pub(crate) fn fail(&self, what: impl Into<String>) {
        self.ground.fail(what);
    }

    /// Removes a key; nothing happens if it has no value.
    pub fn delete(&mut self, table: &str, key: &[u8]) {
        if let Some(key) = self.ground.key(table, key) {
            self.overlay.write(key, None);
        }
    }
}

impl fmt::Debug for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// Which keys of a table to walk over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    prefix: Vec<u8>,
    low: Bound<Vec<u8>>,
    high: Bound<Vec<u8>>,
}

impl Span {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self::prefix([])
    }

    /// The keys that begin with `prefix`.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        Self {
            prefix: prefix.as_ref().to_vec(),
            low: Bound::Unbounded,
            high: Bound::Unbounded,
        }
    }

    /// Of these, those from `key` on. Like the other bounds, a whole key, prefix included.
    #[must_use]
    pub fn from(self, key: impl AsRef<[u8]>) -> Self {
        let low = Bound::Included(key.as_ref().to_vec());
        Self { low, ..self }
    }

    /// Of these, those after `key`: the next page of a listing that ended there.
    #[must_use]
    pub fn after(self, key: impl AsRef<[u8]>) -> Self {
        let low = Bound::Excluded(key.as_ref().to_vec());
        Self { low, ..self }
    }

    /// Of these, those before `key`.
    #[must_use]
    pub fn before(self, key: impl AsRef<[u8]>) -> Self {
        let high = Bound::Excluded(key.as_ref().to_vec());
        Self { high, ..self }
    }

    /// Of these, those up to and including `key`.
    #[must_use]
    pub fn up_to(self, key: impl AsRef<[u8]>) -> Self {
        let high = Bound::Included(key.as_ref().to_vec());
        Self { high, ..self }
    }

    /// The bounds in the index; `None` if nothing lies between them.
    fn within(&self, table: &[u8]) -> Option<KeyRange> {
        let full = |key: &[u8]| [table, key].concat();
        let first = full(&self.prefix);
        let end = successor(&first);
        let low = match &self.low {
            Bound::Included(key) if full(key) > first => Bound::Included(full(key)),
            Bound::Excluded(key) if full(key) >= first => Bound::Excluded(full(key)),
            _ => Bound::Included(first),
        };
        let high = match (&self.high, end) {
            (Bound::Included(key), Some(end)) if full(key) < end => Bound::Included(full(key)),
            (Bound::Excluded(key), Some(end)) if full(key) < end => Bound::Excluded(full(key)),
            (_, Some(end)) => Bound::Excluded(end),
            // A table's number is below 255, so its prefix always has a successor.
            (_, None) => return None,
        };
        let empty = match (&low, &high) {
            (Bound::Included(l), Bound::Included(h)) => l > h,
            (Bound::Included(l) | Bound::Excluded(l), Bound::Excluded(h))
            | (Bound::Excluded(l), Bound::Included(h)) => l >= h,
            _ => false,
        };
        (!empty).then_some((low, high))
    }
}

/// Bounds of keys in the index.
pub(crate) type KeyRange = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The first key after all that begin with `prefix`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|b| *b != u8::MAX)?;
    let mut next = prefix.get(..=last)?.to_vec();
    *next.get_mut(last)? += 1;
    Some(next)
}

type Change = Result<(Vec<u8>, Option<Vec<u8>>), String>;
type Layer<'a> = Peekable<Box<dyn Iterator<Item = Change> + 'a>>;

fn directed<'a>(items: impl DoubleEndedIterator<Item = Change> + 'a, back: bool) -> Layer<'a> {
    let items: Box<dyn Iterator<Item = Change>> = if back {
        Box::new(items.rev())
    } else {
        Box::new(items)
    };
    items.peekable()
}

/// The keys of a span, without the table's number, with their values.
pub struct Scan<'a> {
    layers: Vec<Layer<'a>>,
    ground: Ground<'a>,
    back: bool,
}

impl Iterator for Scan<'_> {
    type Item = (Vec<u8>, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut best: Option<Vec<u8>> = None;
            for layer in &mut self.layers {
                match layer.peek() {
                    Some(Ok((key, _))) => {
                        let better = best
                            .as_ref()
                            .is_none_or(|b| if self.back { key > b } else { key < b });
                        if better {
                            best = Some(key.clone());
                        }
                    }
                    Some(Err(e)) => {
                        self.ground.fail(e.clone());
                        return None;
                    }
                    None => {}
                }
            }
            let best = best?;
            let mut newest = None;
            for layer in &mut self.layers {
                let here = layer.next_if(|item| item.as_ref().is_ok_and(|(key, _)| *key == best));
                if let Some(Ok((_, value))) = here
                    && newest.is_none()
                {
                    newest = Some(value);
                }
            }
            if let Some(Some(value)) = newest {
                return Some((best.get(1..)?.to_vec(), value));
            }
        }
    }
}

impl fmt::Debug for Scan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan")
            .field("back", &self.back)
            .finish_non_exhaustive()
    }
}
