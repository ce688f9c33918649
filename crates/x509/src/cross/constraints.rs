//! What a cross certificate allows: names, policies, and how far the path may go on.

use std::{fmt, str::FromStr};

use lgpki_domain::Faults;

use crate::{
    encode::{integer, nested, sequence, tag, tlv},
    extension::extension_of,
    name::AttributeName,
    oid,
};

/// The longest host name or mail domain.
const LONGEST_DOMAIN: usize = 253;

/// The object identifier of a certificate policy, such as `2.999.392.1.1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyOid(Vec<u8>);

impl PolicyOid {
    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }

    fn is_any(&self) -> bool {
        self.0 == oid::ANY_POLICY
    }
}

impl FromStr for PolicyOid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        oid::parse(text).map(Self).ok_or_else(|| {
            format!(
                "{text:?} is no object identifier; write numbers with dots, such as 2.999.392.1.1"
            )
        })
    }
}

impl fmt::Display for PolicyOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&oid::dotted(&self.0))
    }
}

impl fmt::Debug for PolicyOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A part of a name space (RFC 5280 §4.2.1.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subtree {
    /// Distinguished names that begin so.
    Directory(Vec<(AttributeName, String)>),
    /// This host and all below it.
    Host(String),
    /// Mailboxes at this host or, where it begins with a dot, at all hosts below it.
    Mail(String),
}

impl FromStr for Subtree {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no part of a name space; write dn:C=JP,O=Japanese Government or \
                 dns:go.jp or mail:.go.jp"
            )
        };
        let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
        match kind {
            "dn" => value
                .split(',')
                .map(|part| {
                    let (label, value) = part.trim().split_once('=')?;
                    let printable = !value.is_empty() && !value.chars().any(char::is_control);
                    printable.then_some((AttributeName::parse(label)?, value.to_owned()))
                })
                .collect::<Option<Vec<_>>>()
                .map(Self::Directory)
                .ok_or_else(wrong),
            "dns" if is_domain(value) => Ok(Self::Host(value.to_owned())),
            "mail" if is_domain(value.strip_prefix('.').unwrap_or(value)) => {
                Ok(Self::Mail(value.to_owned()))
            }
            _ => Err(wrong()),
        }
    }
}

fn is_domain(text: &str) -> bool {
    text.len() <= LONGEST_DOMAIN
        && text.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(parts) => {
                f.write_str("dn:")?;
                for (i, (name, value)) in parts.iter().enumerate() {
                    let comma = if i > 0 { "," } else { "" };
                    write!(f, "{comma}{}={value}", name.label())?;
                }
                Ok(())
            }
            Self::Host(host) => write!(f, "dns:{host}"),
            Self::Mail(domain) => write!(f, "mail:{domain}"),
        }
    }
}

impl Subtree {
    /// Appends a GeneralSubtree; minimum is the default 0 and maximum is absent.
    fn write(&self, out: &mut Vec<u8>) {
        sequence(out, |out| match self {
            Self::Directory(parts) => nested(out, tag::context_constructed(4), |out| {
                sequence(out, |out| {
                    for (name, value) in parts {
                        nested(out, tag::SET, |out| {
                            sequence(out, |out| {
                                tlv(out, tag::OID, name.oid());
                                tlv(out, string_type(value), value.as_bytes());
                            });
                        });
                    }
                });
            }),
            Self::Host(host) => tlv(out, tag::context(2), host.as_bytes()),
            Self::Mail(domain) => tlv(out, tag::context(1), domain.as_bytes()),
        });
    }
}

/// Verifiers compare values and not string types; PrintableString wherever it will do.
pub(crate) fn string_type(value: &str) -> u8 {
    let printable = |b: u8| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&b);
    if value.bytes().all(printable) {
        tag::PRINTABLE_STRING
    } else {
        tag::UTF8_STRING
    }
}

/// What a cross certificate allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraints {
    /// The only names that may be certified below, of each type that is listed.
    pub permitted: Vec<Subtree>,
    /// Names that may not be certified below.
    pub excluded: Vec<Subtree>,
    /// The policies under which it may be relied on.
    pub policies: Vec<PolicyOid>,
    /// Pairs: a policy of ours, and the other CA's that counts as the same.
    pub mappings: Vec<(PolicyOid, PolicyOid)>,
    /// After so many certificates each further one must name an accepted policy.
    pub require_explicit_policy: Option<u8>,
    /// After so many certificates no policy is mapped any more.
    pub inhibit_policy_mapping: Option<u8>,
    /// After so many certificates anyPolicy counts no more.
    pub inhibit_any_policy: Option<u8>,
    /// How many CAs may come below the certified one.
    pub path_length: Option<u8>,
}

impl Constraints {
    /// Whether they constrain names and policies, and do not contradict themselves.
    pub fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::new();
        if self.permitted.is_empty() {
            let message = "name at least one part of a name space that the other CA may certify";
            faults.push("permitted", "CROSS_WITHOUT_NAMES", message);
        }
        if self.policies.is_empty() {
            let message = "name at least one policy under which the other CA is relied on";
            faults.push("policies", "CROSS_WITHOUT_POLICY", message);
        }
        let ours = self.mappings.iter().map(|(ours, _)| ours);
        if let Some(stray) = ours.clone().find(|ours| !self.policies.contains(ours)) {
            let message =
                format!("{stray} is mapped and not among the policies; name it there too");
            faults.push("mappings", "CROSS_MAPPING_STRAY", message);
        }
        let mut mapped = self
            .mappings
            .iter()
            .flat_map(|(ours, theirs)| [ours, theirs]);
        if mapped.any(PolicyOid::is_any) {
            let message = "anyPolicy is mapped to nothing and from nothing (RFC 5280 §4.2.1.5)";
            faults.push("mappings", "CROSS_MAPPING_ANY", message);
        }
        for (field, count) in [
            ("policies", repeated(&self.policies)),
            ("mappings", repeated(&self.mappings)),
        ] {
            if count {
                faults.push(field, "CROSS_REPEATED", "one stands twice; write it once");
            }
        }
        if self.require_explicit_policy.is_none() {
            let message = "say from which certificate on a policy is required; without that the \
                           policies bind nobody";
            faults.push("require_explicit_policy", "CROSS_POLICY_OPTIONAL", message);
        }
        faults.into_result()
    }

    /// Appends nameConstraints, policyMappings, policyConstraints and inhibitAnyPolicy; all critical
    /// but the mappings, which old verifiers may skip at no risk, for they only widen.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        extension_of(out, oid::NAME_CONSTRAINTS, true, |out| {
            sequence(out, |out| {
                for (number, subtrees) in [(0, &self.permitted), (1, &self.excluded)] {
                    if !subtrees.is_empty() {
                        nested(out, tag::context_constructed(number), |out| {
                            for subtree in subtrees {
                                subtree.write(out);
                            }
                        });
                    }
                }
            });
        });
        if !self.mappings.is_empty() {
            extension_of(out, oid::POLICY_MAPPINGS, false, |out| {
                sequence(out, |out| {
                    for (ours, theirs) in &self.mappings {
                        sequence(out, |out| {
                            tlv(out, tag::OID, ours.octets());
                            tlv(out, tag::OID, theirs.octets());
                        });
                    }
                });
            });
        }
        extension_of(out, oid::POLICY_CONSTRAINTS, true, |out| {
            sequence(out, |out| {
                let both = [self.require_explicit_policy, self.inhibit_policy_mapping];
                for (number, skip) in (0..).zip(both) {
                    if let Some(skip) = skip {
                        tlv(out, tag::context(number), small(skip).as_slice());
                    }
                }
            });
        });
        if let Some(skip) = self.inhibit_any_policy {
            extension_of(out, oid::INHIBIT_ANY_POLICY, true, |out| {
                integer(out, u64::from(skip));
            });
        }
    }
}

fn repeated<T: PartialEq>(all: &[T]) -> bool {
    all.iter()
        .enumerate()
        .any(|(i, one)| all[..i].contains(one))
}

/// The content of a small INTEGER.
fn small(value: u8) -> Vec<u8> {
    if value < 0x80 {
        vec![value]
    } else {
        vec![0, value]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_and_policies_read_back_what_they_show() {
        for text in [
            "dn:C=JP,O=Japanese Government",
            "dn:C=JP,O=日本国政府",
            "dns:go.jp",
            "mail:.go.jp",
        ] {
            assert_eq!(text.parse::<Subtree>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "go.jp",
            "dns:",
            "dns:a..b",
            "dn:X=1",
            "dn:C=",
            "ip:10.0.0.0",
        ] {
            assert!(wrong.parse::<Subtree>().is_err(), "{wrong}");
        }
        assert_eq!(
            "2.5.29.32.0".parse::<PolicyOid>().unwrap().octets(),
            oid::ANY_POLICY
        );
        assert!("2.5.x".parse::<PolicyOid>().is_err());
    }

    #[test]
    fn constraints_that_bind_nobody_are_refused() {
        let policy: PolicyOid = "2.999.392.1.1".parse().unwrap();
        let good = Constraints {
            permitted: vec!["dns:go.jp".parse().unwrap()],
            policies: vec![policy.clone()],
            require_explicit_policy: Some(0),
            ..Constraints::default()
        };
        assert!(good.check().is_ok());
        let any: PolicyOid = "2.5.29.32.0".parse().unwrap();
        let theirs: PolicyOid = "2.999.1".parse().unwrap();
        let changed = |change: &dyn Fn(&mut Constraints)| {
            let mut constraints = good.clone();
            change(&mut constraints);
            let faults = constraints.check().unwrap_err();
            faults.iter().map(|f| f.reason).collect::<Vec<_>>()
        };
        assert_eq!(changed(&|c| c.permitted.clear()), ["CROSS_WITHOUT_NAMES"]);
        assert_eq!(changed(&|c| c.policies.clear()), ["CROSS_WITHOUT_POLICY"]);
        assert_eq!(
            changed(&|c| c.require_explicit_policy = None),
            ["CROSS_POLICY_OPTIONAL"]
        );
        assert_eq!(
            changed(&|c| c.mappings = vec![(theirs.clone(), theirs.clone())]),
            ["CROSS_MAPPING_STRAY"]
        );
        assert_eq!(
            changed(&|c| c.mappings = vec![(policy.clone(), any.clone())]),
            ["CROSS_MAPPING_ANY"]
        );
        assert_eq!(
            changed(&|c| c.policies.push(policy.clone())),
            ["CROSS_REPEATED"]
        );
    }
}
