//! Which applications there are: all of them and each branch's, in the order of their numbers, with
//! their places in the tables. It follows from the tables, and takes about 60 bytes an application.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
};

use lgpki_domain::{ApplicationId, BodyCode};

/// All applications.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// With the index of `application.received`.
    all: BTreeMap<ApplicationId, u64>,
    by_branch: HashMap<BodyCode, BTreeSet<ApplicationId>>,
}

impl Listing {
    /// Takes in an application that was received at this index.
    pub(crate) fn note(&mut self, branch: Option<BodyCode>, id: ApplicationId, received: u64) {
        self.all.insert(id, received);
        if let Some(branch) = branch {
            self.by_branch.entry(branch).or_default().insert(id);
        }
    }

    /// Where an application stands in the tables.
    pub(crate) fn received(&self, id: ApplicationId) -> Option<u64> {
        self.all.get(&id).copied()
    }

    /// The applications after `after`; of one branch only, if given.
    pub(crate) fn after(
        &self,
        branch: Option<BodyCode>,
        after: Option<ApplicationId>,
    ) -> impl Iterator<Item = ApplicationId> {
        let span = (
            after.map_or(Bound::Unbounded, Bound::Excluded),
            Bound::Unbounded,
        );
        let all = branch.is_none().then(|| self.all.range(span));
        let own = branch.and_then(|branch| self.by_branch.get(&branch));
        let own = own.map(|own| own.range(span));
        let all = all.into_iter().flatten().map(|(id, _)| *id);
        all.chain(own.into_iter().flatten().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ApplicationId {
        ApplicationId::from_bytes([n; 16])
    }

    #[test]
    fn all_and_each_branch_s_are_listed_in_order_after_a_place() {
        let (one, other): (BodyCode, BodyCode) =
            ("01001".parse().unwrap(), "13001".parse().unwrap());
        let mut listing = Listing::default();
        for (n, branch) in [(3, Some(one)), (1, None), (2, Some(other)), (4, Some(one))] {
            listing.note(branch, id(n), u64::from(n) * 10);
        }
        let list = |branch, after| listing.after(branch, after).collect::<Vec<_>>();
        assert_eq!(list(None, None), [id(1), id(2), id(3), id(4)]);
        assert_eq!(list(None, Some(id(2))), [id(3), id(4)]);
        assert_eq!(list(Some(one), None), [id(3), id(4)]);
        assert_eq!(list(Some(one), Some(id(3))), [id(4)]);
        assert_eq!(list(Some("27001".parse().unwrap()), None), []);
        assert_eq!(listing.received(id(2)), Some(20));
        assert_eq!(listing.received(id(5)), None);
    }
}
