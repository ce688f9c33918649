//! Writing DER, so that requests can be made which no library would make.

/// Tags.
pub mod tag {
    /// BOOLEAN
    pub const BOOLEAN: u8 = 0x01;
    /// INTEGER
    pub const INTEGER: u8 = 0x02;
    /// BIT STRING
    pub const BIT_STRING: u8 = 0x03;
    /// OCTET STRING
    pub const OCTET_STRING: u8 = 0x04;
    /// NULL
    pub const NULL: u8 = 0x05;
    /// OBJECT IDENTIFIER
    pub const OID: u8 = 0x06;
    /// UTF8String
    pub const UTF8_STRING: u8 = 0x0c;
    /// PrintableString
    pub const PRINTABLE_STRING: u8 = 0x13;
    /// T61String
    pub const T61_STRING: u8 = 0x14;
    /// BMPString
    pub const BMP_STRING: u8 = 0x1e;
    /// SEQUENCE
    pub const SEQUENCE: u8 = 0x30;
    /// SET
    pub const SET: u8 = 0x31;
}

/// Object identifiers, as content octets.
pub mod oid {
    /// C
    pub const COUNTRY: &[u8] = &[0x55, 4, 6];
    /// L
    pub const LOCALITY: &[u8] = &[0x55, 4, 7];
    /// O
    pub const ORGANIZATION: &[u8] = &[0x55, 4, 10];
    /// OU
    pub const UNIT: &[u8] = &[0x55, 4, 11];
    /// CN
    pub const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    /// keyUsage
    pub const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
    /// subjectAltName
    pub const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
    /// basicConstraints
    pub const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
    /// PKCS #9 extensionRequest
    pub const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
    /// PKCS #9 challengePassword
    pub const CHALLENGE_PASSWORD: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7];
    /// rsaEncryption
    pub const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    /// id-ecPublicKey
    pub const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    /// secp256r1
    pub const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    /// ECDSA with SHA-1
    pub const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
    /// ECDSA with SHA-256
    pub const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
}

/// One value.
#[must_use]
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let octets: Vec<u8> = content
        .len()
        .to_be_bytes()
        .into_iter()
        .skip_while(|b| *b == 0)
        .collect();
    match octets.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).expect("a length of at most eight octets"));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A SEQUENCE of values.
#[must_use]
pub fn sequence(values: &[&[u8]]) -> Vec<u8> {
    tlv(tag::SEQUENCE, &values.concat())
}

/// A BIT STRING of whole octets.
#[must_use]
pub fn bit_string(octets: &[u8]) -> Vec<u8> {
    tlv(tag::BIT_STRING, &[&[0], octets].concat())
}

/// An AlgorithmIdentifier; `parameters` is a whole value or nothing.
#[must_use]
pub fn algorithm(oid: &[u8], parameters: &[u8]) -> Vec<u8> {
    sequence(&[&tlv(tag::OID, oid), parameters])
}

/// PKCS #1's algorithm of this number, with NULL: 4 is MD5, 5 SHA-1, 10 PSS, 11 SHA-256.
#[must_use]
pub fn rsa_with(number: u8) -> Vec<u8> {
    algorithm(
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, number],
        &[tag::NULL, 0],
    )
}

/// A SubjectPublicKeyInfo.
#[must_use]
pub fn key_info(algorithm: &[u8], bits: &[u8]) -> Vec<u8> {
    sequence(&[algorithm, &bit_string(bits)])
}

/// An RSA SubjectPublicKeyInfo of these INTEGER contents.
#[must_use]
pub fn rsa_key_info(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = sequence(&[&tlv(tag::INTEGER, modulus), &tlv(tag::INTEGER, exponent)]);
    key_info(&rsa_with(1), &key)
}

/// An attribute of a name, alone in its place.
#[must_use]
pub fn rdn(oid: &[u8], string: u8, value: &[u8]) -> Vec<u8> {
    tlv(tag::SET, &attribute(oid, string, value))
}

/// An attribute of a name.
#[must_use]
pub fn attribute(oid: &[u8], string: u8, value: &[u8]) -> Vec<u8> {
    sequence(&[&tlv(tag::OID, oid), &tlv(string, value)])
}

/// An extension that is not critical.
#[must_use]
pub fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&tlv(tag::OID, oid), &tlv(tag::OCTET_STRING, value)])
}

/// A request's attribute that asks for these extensions.
#[must_use]
pub fn extension_request(extensions: &[&[u8]]) -> Vec<u8> {
    let list = tlv(tag::SET, &sequence(extensions));
    sequence(&[&tlv(tag::OID, oid::EXTENSION_REQUEST), &list])
}
