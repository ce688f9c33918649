//! Names in English and in Japanese.
//!
//! A certificate's subject carries the English name as PrintableString, its subjectAltName the
//! Japanese name of the same shape as a directoryName in UTF8String. Both are rebuilt from
//! registered names; nothing is copied from a CSR.

use std::fmt;

use crate::fault::Fault;

/// The longest name, in characters: RFC 5280's upper bound for OU and CN.
pub const LONGEST: usize = 64;
/// O of every subscriber, in English.
pub const LOCAL_GOVERNMENTS: &str = "Local Governments";
/// O of every subscriber, in Japanese.
pub const LOCAL_GOVERNMENTS_JA: &str = "地方公共団体";
/// What a user certificate's Japanese name ends in.
pub const ACCOUNT_SUFFIX_JA: &str = "（利用者）";
/// What a user certificate's English name ends in.
pub const ACCOUNT_SUFFIX: &str = "-lgacc";

/// One thing's name in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Names {
    en: String,
    ja: String,
}

impl Names {
    /// Checks both spellings; `field` is the path under which a fault is reported, to which `.en`
    /// or `.ja` is added.
    pub fn try_new(field: &str, en: &str, ja: &str) -> Result<Self, Vec<Fault>> {
        let faults: Vec<_> = [check_english(field, en), check_japanese(field, ja)]
            .into_iter()
            .filter_map(Result::err)
            .collect();
        if faults.is_empty() {
            Ok(Self {
                en: en.to_owned(),
                ja: ja.to_owned(),
            })
        } else {
            Err(faults)
        }
    }

    /// The English name.
    #[must_use]
    pub fn en(&self) -> &str {
        &self.en
    }

    /// The Japanese name.
    #[must_use]
    pub fn ja(&self) -> &str {
        &self.ja
    }
}

/// `総務部 / General Affairs Department`
impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.ja, self.en)
    }
}

/// What a certificate names: `C=JP, O=Local Governments, OU=<body>, OU=<unit>, CN=<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// The body (団体), as in the body name list.
    pub body: Names,
    /// The unit (組織) within the body; absent where the kind needs none.
    pub unit: Option<Names>,
    /// The name itself (名義): a post, a role, a host.
    pub name: Names,
}

/// The name's characters are checked without allocating: names are read at every step of a path.
fn check_length(field: &str, language: &str, text: &str) -> Result<(), Fault> {
    let fault =
        |reason, message: String| Err(Fault::new(format!("{field}.{language}"), reason, message));
    if text.is_empty() {
        return fault("NAME_MISSING", "the name is empty; fill it in".to_owned());
    }
    // A character has at least one byte.
    let length = if text.len() > LONGEST {
        text.chars().count()
    } else {
        1
    };
    if length > LONGEST {
        let message = format!("the name has {length} characters; at most {LONGEST} are allowed");
        return fault("NAME_TOO_LONG", message);
    }
    // The ideographic space counts as white space.
    let doubled = text.as_bytes().windows(2).any(|pair| pair == b"  ");
    if doubled || text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        let message = "the name begins or ends with a space or has two in a row; remove them";
        return fault("NAME_SPACING", message.to_owned());
    }
    Ok(())
}

fn check_english(field: &str, text: &str) -> Result<(), Fault> {
    check_length(field, "en", text)?;
    match text.chars().find(|c| !is_printable_string(*c)) {
        None => Ok(()),
        Some(c) => Err(Fault::new(
            format!("{field}.en"),
            "NAME_NOT_PRINTABLE_STRING",
            format!(
                "{c:?} cannot stand in an English name; use A-Z a-z 0-9 ' ( ) + , - . / : = ? and spaces"
            ),
        )),
    }
}

fn check_japanese(field: &str, text: &str) -> Result<(), Fault> {
    check_length(field, "ja", text)?;
    match text.chars().find(|c| !is_japanese(*c)) {
        None => Ok(()),
        Some(c) => Err(Fault::new(
            format!("{field}.ja"),
            "NAME_NOT_JAPANESE",
            format!(
                "{c:?} (U+{:04X}) does not belong in a Japanese name; this looks like mojibake, so \
                 check that the text was read and sent as UTF-8",
                u32::from(c)
            ),
        )),
    }
}

/// The repertoire of PrintableString (X.680 §41.4).
const fn is_printable_string(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '0'..='9'
        | ' ' | '\'' | '(' | ')' | '+' | ',' | '-' | '.' | '/' | ':' | '=' | '?')
}

/// Kana, kanji, full-width forms, common punctuation and printable ASCII; neither half-width
/// katakana nor anything that only mis-decoded text would hold.
fn is_japanese(c: char) -> bool {
    matches!(c,
        ' '..='~'
        | '\u{2010}'..='\u{2015}' | '\u{2018}'..='\u{201D}' | '\u{2025}' | '\u{2026}' | '\u{203B}'
        | '\u{2160}'..='\u{217F}' | '\u{2212}' | '\u{2460}'..='\u{2473}'
        | '\u{3000}'..='\u{3015}' | '\u{301C}'
        | '\u{3041}'..='\u{3096}' | '\u{309B}'..='\u{309E}'
        | '\u{30A1}'..='\u{30FE}'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{FF01}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}'
        | '\u{20000}'..='\u{323AF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_both_languages_are_accepted() {
        let names = Names::try_new("unit", "General Affairs Department", "総務部").unwrap();
        assert_eq!(names.to_string(), "総務部 / General Affairs Department");
        assert!(Names::try_new("name", "chief-lgacc", "文書取扱主任（利用者）").is_ok());
    }

    #[test]
    fn every_fault_of_a_name_is_reported_under_its_field() {
        let faults = Names::try_new("subject.unit", "Büro", "ç·å\u{8b}\u{99}é\u{83}¨").unwrap_err();
        let found: Vec<_> = faults
            .iter()
            .map(|f| (f.field.as_str(), f.reason))
            .collect();
        assert_eq!(
            found,
            [
                ("subject.unit.en", "NAME_NOT_PRINTABLE_STRING"),
                ("subject.unit.ja", "NAME_NOT_JAPANESE")
            ]
        );
    }

    #[test]
    fn mojibake_spaces_and_length_are_refused() {
        for ja in [
            "総務\u{FFFD}部",
            "ｿｳﾑ",
            "総務部　",
            " 総務部",
            "",
            &"部".repeat(65),
            "邱丞漁\u{f8f3}",
        ] {
            assert!(Names::try_new("x", "X", ja).is_err(), "{ja}");
        }
    }
}
