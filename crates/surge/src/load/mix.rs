//! What is applied for: shares of new certificates, renewals and revocations.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use crate::dice::Dice;

/// What an application asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// A new certificate.
    Issue,
    /// The renewal of a certificate that is within its window (R2).
    Renew,
    /// The revocation of a certificate that the same load applied for.
    Revoke,
}

impl Act {
    const ALL: [Self; 3] = [Self::Issue, Self::Renew, Self::Revoke];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Renew => "renew",
            Self::Revoke => "revoke",
        }
    }
}

/// Shares of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix([u8; 3]);

impl Mix {
    /// Shares of new certificates, renewals and revocations; `None` unless they make up a hundred.
    #[must_use]
    pub fn try_new(issue: u8, renew: u8, revoke: u8) -> Option<Self> {
        let sum = u16::from(issue) + u16::from(renew) + u16::from(revoke);
        (sum == 100).then_some(Self([issue, renew, revoke]))
    }

    /// The share of one of them.
    #[must_use]
    pub fn share(self, act: Act) -> u8 {
        let [issue, renew, revoke] = self.0;
        match act {
            Act::Issue => issue,
            Act::Renew => renew,
            Act::Revoke => revoke,
        }
    }

    /// One of them by chance.
    pub(crate) fn draw(self, dice: &mut Dice) -> Act {
        let mut left = dice.below(100);
        for act in Act::ALL {
            let share = usize::from(self.share(act));
            if left < share {
                return act;
            }
            left -= share;
        }
        Act::Issue
    }
}

impl Default for Mix {
    fn default() -> Self {
        Self([100, 0, 0])
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = Act::ALL.map(|act| format!("{}={}", act.name(), self.share(act)));
        f.write_str(&shares.join(","))
    }
}

impl Serialize for Mix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut shares = [None; 3];
        for part in text.split(',') {
            let (name, share) = part
                .split_once('=')
                .ok_or("write issue=80,renew=10,revoke=10")?;
            let place = Act::ALL.iter().position(|act| act.name() == name.trim());
            let place =
                place.ok_or_else(|| format!("{name} is none of issue, renew and revoke"))?;
            let share: u8 = share
                .trim()
                .parse()
                .map_err(|_| format!("{share} is not a share of a hundred"))?;
            if shares[place].replace(share).is_some() {
                return Err(format!("{name} is named twice"));
            }
        }
        let [issue, renew, revoke] = shares.map(Option::unwrap_or_default);
        Self::try_new(issue, renew, revoke)
            .ok_or_else(|| String::from("the shares make up a hundred"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_is_read_as_it_is_written_and_makes_up_a_hundred() {
        let mix: Mix = "issue=70, revoke=20,renew=10".parse().unwrap();
        assert_eq!(mix.to_string(), "issue=70,renew=10,revoke=20");
        assert_eq!(mix.to_string().parse::<Mix>().unwrap(), mix);
        assert_eq!("issue=100".parse::<Mix>().unwrap(), Mix::default());
        for wrong in [
            "",
            "issue",
            "issue=70",
            "issue=50,issue=50",
            "sell=100",
            "issue=356",
        ] {
            assert!(wrong.parse::<Mix>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_is_drawn_by_its_share_and_what_has_none_never() {
        let mix = Mix::try_new(75, 0, 25).unwrap();
        let mut dice = Dice::new(1, 9);
        let drawn: Vec<_> = (0..10_000).map(|_| mix.draw(&mut dice)).collect();
        let count = |act| drawn.iter().filter(|drawn| **drawn == act).count();
        assert_eq!(count(Act::Renew), 0);
        assert!((7_300..7_700).contains(&count(Act::Issue)));
    }
}
