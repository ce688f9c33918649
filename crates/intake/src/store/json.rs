//! How domain values stand in the bodies of entries: names as `{en, ja}`, subjects by their parts,
//! members of closed lists by their stable names. For `#[serde(with = "…")]`.
//!
//! Reading refuses what the domain would refuse, so an event that was read is as good as one that
//! was decided.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Makes a module that writes a member of a closed list as its name and reads it back.
macro_rules! by_name {
    ($(#[$meta:meta])* $module:ident, $type:ty) => {
        $(#[$meta])*
        pub(crate) mod $module {
            use super::{Deserialize, Deserializer, Error, Serializer};

            pub(crate) fn serialize<S: Serializer>(value: &$type, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(value.name())
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<$type, D::Error> {
                let name = String::deserialize(d)?;
                <$type>::parse(&name)
                    .ok_or_else(|| D::Error::custom(format!("{name:?} is not a known name")))
            }
        }
    };
}

by_name!(kind, lgpki_domain::CertificateKind);
by_name!(sort, lgpki_domain::application::Sort);
by_name!(medium, lgpki_domain::KeyMedium);
by_name!(algorithm, lgpki_domain::KeyAlgorithm);
by_name!(reason, lgpki_domain::RevocationReason);

/// An optional role; needs `default` and `skip_serializing_if` beside it.
pub(crate) mod optional_role {
    use super::{Deserialize, Deserializer, Error, Serializer};
    use lgpki_domain::OfficerRole;

    #[expect(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(crate) fn serialize<S: Serializer>(
        value: &Option<OfficerRole>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(role) => s.serialize_str(role.name()),
            None => s.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<OfficerRole>, D::Error> {
        let name = String::deserialize(d)?;
        OfficerRole::parse(&name)
            .map(Some)
            .ok_or_else(|| D::Error::custom(format!("{name:?} is not an officer's role")))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamesText<S> {
    en: S,
    ja: S,
}

impl<S: AsRef<str>> NamesText<S> {
    fn check<E: Error>(&self) -> Result<lgpki_domain::Names, E> {
        lgpki_domain::Names::try_new("names", self.en.as_ref(), self.ja.as_ref()).map_err(
            |faults| {
                let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
                E::custom(texts.join("; "))
            },
        )
    }
}

impl<'a> From<&'a lgpki_domain::Names> for NamesText<&'a str> {
    fn from(names: &'a lgpki_domain::Names) -> Self {
        Self {
            en: names.en(),
            ja: names.ja(),
        }
    }
}

/// Names in both languages.
pub(crate) mod names {
    use super::{Deserialize, Deserializer, NamesText, Serialize, Serializer};
    use lgpki_domain::Names;

    pub(crate) fn serialize<S: Serializer>(value: &Names, s: S) -> Result<S::Ok, S::Error> {
        NamesText::from(value).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Names, D::Error> {
        NamesText::<String>::deserialize(d)?.check()
    }
}

/// A subject: body, name and, where the kind needs one, unit.
pub(crate) mod subject {
    use super::{Deserialize, Deserializer, NamesText, Serialize, Serializer};
    use lgpki_domain::Subject;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parts<S> {
        body: NamesText<S>,
        name: NamesText<S>,
        #[serde(default = "none", skip_serializing_if = "Option::is_none")]
        unit: Option<NamesText<S>>,
    }

    fn none<S>() -> Option<NamesText<S>> {
        None
    }

    pub(crate) fn serialize<S: Serializer>(value: &Subject, s: S) -> Result<S::Ok, S::Error> {
        Parts {
            body: (&value.body).into(),
            name: (&value.name).into(),
            unit: value.unit.as_ref().map(Into::into),
        }
        .serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Subject, D::Error> {
        let parts = Parts::<String>::deserialize(d)?;
        Ok(Subject {
            body: parts.body.check()?,
            name: parts.name.check()?,
            unit: parts.unit.map(|unit| unit.check()).transpose()?,
        })
    }
}

/// A shared body, written as what it holds.
pub(crate) mod shared {
    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &Arc<T>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(s)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(d).map(Arc::new)
    }
}
