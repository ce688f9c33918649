//! The table of prefectures, and the synthetic directory made from it.
//!
//! The counts are those of the LGPKI registration branches on 2009-02-10: 1,748 branches of 1,804
//! bodies. The bodies' names are not in any source we may use; those made here say that they are
//! synthetic (模擬).

use crate::{
    directory::{Body, Branch},
    id::BodyCode,
    name::Names,
};

const TABLE: &str = include_str!("../data/prefectures.csv");

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefecture {
    /// 1 (北海道) to 47 (沖縄県), as in JIS X 0401.
    pub number: u8,
    /// The name.
    pub names: Names,
    /// How many bodies have a registration branch.
    pub branches: u16,
    /// How many bodies there are, the prefecture itself included.
    pub bodies: u16,
}

/// The 47 prefectures by number.
#[must_use]
pub fn prefectures() -> Vec<Prefecture> {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(row)
        .collect()
}

fn row(line: &str) -> Option<Prefecture> {
    let mut cells = line.split(',');
    let number = cells.next()?.parse().ok()?;
    let ja = cells.next()?;
    let en = cells.next()?;
    let branches = cells.next()?.parse().ok()?;
    let bodies = cells.next()?.parse().ok()?;
    let names = Names::try_new("prefecture", en, ja).ok()?;
    Some(Prefecture {
        number,
        names,
        branches,
        bodies,
    })
}

/// The synthetic body name list: one body per count of the table, of which as many have a branch as
/// the table says, the first ones of each prefecture.
#[must_use]
pub fn synthetic_bodies() -> Vec<Body> {
    prefectures().iter().flat_map(bodies_of).collect()
}

fn bodies_of(prefecture: &Prefecture) -> Vec<Body> {
    (1..=prefecture.bodies)
        .filter_map(|number| {
            let names = Names::try_new(
                "body",
                &format!("{} Synthetic Body {number:03}", prefecture.names.en()),
                &format!("{}模擬団体{number:03}", prefecture.names.ja()),
            );
            Some(Body {
                code: BodyCode::try_new(prefecture.number, number)?,
                names: names.ok()?,
                branch: if number <= prefecture.branches {
                    Branch::Active
                } else {
                    Branch::None
                },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_sums_to_1748_branches_of_1804_bodies() {
        let table = prefectures();
        assert_eq!(table.len(), 47);
        assert_eq!(
            table.iter().map(|p| u32::from(p.branches)).sum::<u32>(),
            1748
        );
        assert_eq!(table.iter().map(|p| u32::from(p.bodies)).sum::<u32>(), 1804);
        assert!(
            table
                .iter()
                .zip(1..)
                .all(|(p, n)| p.number == n && p.branches <= p.bodies)
        );
        let hokkaido = &table[0];
        assert_eq!(
            (hokkaido.names.ja(), hokkaido.branches, hokkaido.bodies),
            ("北海道", 169, 180)
        );
    }

    #[test]
    fn the_synthetic_list_follows_the_table_and_says_that_it_is_synthetic() {
        let bodies = synthetic_bodies();
        assert_eq!(bodies.len(), 1804);
        assert_eq!(
            bodies.iter().filter(|b| b.may_apply().is_ok()).count(),
            1748
        );
        assert!(
            bodies
                .iter()
                .all(|b| b.names.ja().contains("模擬") && b.names.en().contains("Synthetic"))
        );
        assert!(bodies.windows(2).all(|w| w[0].code < w[1].code));
    }
}
