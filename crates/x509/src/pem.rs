//! PEM text (RFC 7468), strictly: one label, 64 characters a line.

use der::pem;

use crate::error::X509Error;

/// What a PEM block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// `CERTIFICATE`
    Certificate,
    /// `CERTIFICATE REQUEST`; when reading also `NEW CERTIFICATE REQUEST`.
    CertificateRequest,
    /// `X509 CRL`
    Crl,
}

impl Label {
    /// The text between the hyphens.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Certificate => "CERTIFICATE",
            Self::CertificateRequest => "CERTIFICATE REQUEST",
            Self::Crl => "X509 CRL",
        }
    }

    fn accepts(self, label: &str) -> bool {
        label == self.text()
            || (self == Self::CertificateRequest && label == "NEW CERTIFICATE REQUEST")
    }
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// Writes DER as a PEM block.
pub fn encode(label: Label, der: &[u8]) -> Result<String, X509Error> {
    pem::encode_string(label.text(), pem::LineEnding::LF, der)
        .map_err(|e| X509Error::unencodable("a PEM block", e.to_string()))
}

/// Reads a text that holds exactly one block, with nothing but white space around it.
pub fn decode(label: Label, text: &[u8]) -> Result<Vec<u8>, X509Error> {
    let mut blocks = decode_all(label, text)?;
    match (blocks.pop(), blocks.is_empty()) {
        (Some(block), true) => Ok(block),
        _ => Err(wrong(label, "it holds more than one block")),
    }
}

/// Reads a text of one or more blocks of the same label, such as a chain of certificates.
pub fn decode_all(label: Label, text: &[u8]) -> Result<Vec<Vec<u8>>, X509Error> {
    let text = std::str::from_utf8(text).map_err(|_| wrong(label, "it is not text"))?;
    let mut rest = text.trim_ascii();
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        if !rest.starts_with(BEGIN) {
            return Err(wrong(label, "there is text before or after the block"));
        }
        let end = rest
            .find(END)
            .ok_or_else(|| wrong(label, "its END line is missing"))?;
        let line_end = rest[end..].find('\n').map_or(rest.len(), |n| end + n);
        let (block, after) = rest.split_at(line_end);
        let (found, der) = pem::decode_vec(block.trim_ascii().as_bytes())
            .map_err(|e| wrong(label, &e.to_string()))?;
        if !label.accepts(found) {
            return Err(wrong(label, &format!("it is a block {found}")));
        }
        blocks.push(der);
        rest = after.trim_ascii();
    }
    if blocks.is_empty() {
        return Err(wrong(label, "it is empty"));
    }
    Ok(blocks)
}

/// Whether bytes are PEM text rather than DER, which always begins with a SEQUENCE's tag here.
pub(crate) fn looks_like_pem(bytes: &[u8]) -> bool {
    bytes.first() != Some(&0x30)
        && bytes
            .windows(BEGIN.len())
            .any(|window| window == BEGIN.as_bytes())
}

fn wrong(label: Label, why: &str) -> X509Error {
    X509Error::NotPem {
        label: label.text(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_read_back_with_either_line_ending() {
        let der: Vec<u8> = (0..200).collect();
        let text = encode(Label::Certificate, &der).unwrap();
        assert_eq!(decode(Label::Certificate, text.as_bytes()), Ok(der.clone()));
        let windows = text.replace('\n', "\r\n");
        assert_eq!(
            decode(Label::Certificate, windows.as_bytes()),
            Ok(der.clone())
        );
        let two = format!("{text}\n{text}");
        assert!(decode(Label::Certificate, two.as_bytes()).is_err());
        assert_eq!(
            decode_all(Label::Certificate, two.as_bytes()),
            Ok(vec![der.clone(), der])
        );
    }

    #[test]
    fn other_texts_are_refused() {
        let text = encode(Label::Crl, &[1, 2, 3]).unwrap();
        for wrong in [
            String::new(),
            "hello".to_owned(),
            format!("hello\n{text}"),
            format!("{text}hello"),
            text.replace("END X509", "END Y509"),
            text.replace("AQID", "AQ*D"),
            text.replace("AQID", "AQID\nAQID"),
            BEGIN.to_owned(),
            END.to_owned(),
            format!("{BEGIN}{END}"),
        ] {
            assert!(decode(Label::Crl, wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(decode(Label::Certificate, text.as_bytes()).is_err());
        assert!(decode(Label::Crl, &[0xff, 0xfe]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text: String) {
            let _ = decode_all(Label::Crl, text.as_bytes());
            let _ = decode_all(Label::Crl, format!("{BEGIN}{text}{END}{text}").as_bytes());
        }
    }
}
