//! One digest for "the same subject and kind", by which applications and certificates are compared.
//!
//! Each part is preceded by its length, so that no two subjects share an encoding; a missing unit
//! differs from every unit. Of a subject applied for, the digest stands in the index only; the log
//! holds it of the operators who approved, so that one person with two cards is counted once.

use lgpki_domain::{CertificateKind, Digest, Names, Subject};
use ring::digest::{Context, SHA256};

/// SHA-256 over the kind and the names of body, unit and holder in both languages.
#[must_use]
pub fn subject_key(kind: CertificateKind, subject: &Subject) -> Digest {
    let mut context = Context::new(&SHA256);
    part(&mut context, kind.name());
    names(&mut context, &subject.body);
    match &subject.unit {
        Some(unit) => {
            context.update(&[1]);
            names(&mut context, unit);
        }
        None => context.update(&[0]),
    }
    names(&mut context, &subject.name);
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    Digest(out)
}

fn names(context: &mut Context, names: &Names) {
    part(context, names.en());
    part(context, names.ja());
}

fn part(context: &mut Context, text: &str) {
    context.update(&(text.len() as u64).to_be_bytes());
    context.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(en: &str, ja: &str) -> Names {
        Names::try_new("x", en, ja).unwrap()
    }

    fn subject(unit: Option<Names>) -> Subject {
        Subject {
            body: names("Sapporo City", "札幌市"),
            unit,
            name: names("Mayor", "市長"),
        }
    }

    #[test]
    fn every_part_counts_and_none_runs_into_the_next() {
        let kind = CertificateKind::OfficialDuty;
        let base = subject_key(kind, &subject(Some(names("A", "総務部"))));
        assert_eq!(
            base,
            subject_key(kind, &subject(Some(names("A", "総務部"))))
        );
        let mut other = subject(Some(names("A", "総務部")));
        other.name = names("Mayor", "町長");
        for different in [
            subject_key(CertificateKind::User, &subject(Some(names("A", "総務部")))),
            subject_key(kind, &subject(None)),
            subject_key(kind, &subject(Some(names("B", "総務部")))),
            subject_key(kind, &subject(Some(names("A", "総務")))),
            subject_key(kind, &other),
        ] {
            assert_ne!(base, different);
        }
    }
}
