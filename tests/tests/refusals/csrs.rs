//! Bad certification requests (RFC 2986) in applications that are otherwise good.

use lgpki_proto::v1::{self, CertificateKind, submit_application_request::Content};
use lgpki_tests::{
    der::{
        algorithm, attribute, bit_string, extension, key_info, oid, rdn, rsa_key_info, rsa_with,
        sequence, tag, tlv,
    },
    draft::{Draft, pem},
    request::{self, names},
};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{Asn1Flag, EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::{Padding, Rsa, RsaPrivateKeyBuilder},
    sign::{RsaPssSaltlen, Signer},
};

use super::scene::{BRANCH, Case, unit};

const NULL: &[u8] = &[tag::NULL, 0];

fn subject() -> v1::Subject {
    request::subject(BRANCH, Some(unit()), names("Mayor", "市長"))
}

fn p256() -> Draft {
    Draft::p256(&subject())
}

/// An application for an official-duty certificate with this request.
fn with(csr: Vec<u8>) -> v1::SubmitApplicationRequest {
    let mut content = request::content(CertificateKind::OfficialDuty, subject());
    content.csr = csr;
    request::issue(BRANCH, content)
}

/// Every case.
pub(crate) fn table() -> Vec<Case> {
    let rsa = Draft::rsa(&subject(), 2048, 65_537);
    let mut cases = Table(Vec::new());
    cases.envelopes(&rsa);
    cases.ber(&rsa);
    cases.signatures(&rsa);
    cases.rsa_keys(&rsa);
    cases.other_keys();
    cases.contents();
    cases.unreadable_names();
    cases.other_names();
    cases.web_server_names();
    cases.0
}

struct Table(Vec<Case>);

impl Table {
    fn add(&mut self, name: &str, csr: Vec<u8>, reasons: &[&str]) {
        let faults: Vec<_> = reasons.iter().map(|r| format!("issue.csr {r}")).collect();
        let faults: Vec<_> = faults.iter().map(String::as_str).collect();
        self.0.push(Case::new(name, with(csr), &faults));
    }

    fn envelopes(&mut self, rsa: &Draft) {
        let good = rsa.build();
        let text = pem("CERTIFICATE REQUEST", &good);
        let twice = [good.as_slice(), &good].concat();
        let trailing = [good.as_slice(), &[0]].concat();
        self.add("empty", Vec::new(), &["CSR_EMPTY"]);
        self.add("white space", b" \r\n\t".to_vec(), &["CSR_EMPTY"]);
        self.add("oversized", vec![0x30; 16 * 1024 + 1], &["CSR_TOO_LARGE"]);
        let letter = "拝啓　証明書をお願いします".as_bytes();
        self.add("a letter", letter.to_vec(), &["CSR_NOT_DER"]);
        self.add("cut DER", good[..good.len() - 1].to_vec(), &["CSR_NOT_DER"]);
        let label = pem("CERTIFICATE", &good);
        self.add(
            "a certificate's label",
            label.into_bytes(),
            &["CSR_NOT_PEM"],
        );
        self.add("cut PEM", text.as_bytes()[..200].to_vec(), &["CSR_NOT_PEM"]);
        let two = format!("{text}{text}");
        self.add("two PEM blocks", two.into_bytes(), &["CSR_NOT_PEM"]);
        let after = format!("{text}敬具");
        self.add("text after PEM", after.into_bytes(), &["CSR_NOT_PEM"]);
        self.add("a trailing byte", trailing, &["CSR_TRAILING_BYTES"]);
        self.add("two requests", twice, &["CSR_TRAILING_BYTES"]);
    }

    fn ber(&mut self, rsa: &Draft) {
        let good = rsa.build();
        let not_der = &["CSR_NOT_DER"];
        let indefinite = [&[0x30, 0x80], &good[4..], &[0, 0]].concat();
        self.add("indefinite length", indefinite, not_der);
        let long = [&[0x30, 0x83, 0], &good[2..]].concat();
        self.add("length of three octets for two", long, not_der);
        // Where nobody looks: in an attribute that is passed over.
        let hidden = |value: &[u8]| {
            let attribute = sequence(&[&tlv(tag::OID, &[0x2a, 3]), &tlv(tag::SET, value)]);
            p256()
                .with(|draft| draft.attributes = Some(attribute))
                .build()
        };
        let octets = tag::OCTET_STRING;
        self.add("hidden long length", hidden(&[octets, 0x81, 1, 0]), not_der);
        self.add(
            "hidden split string",
            hidden(&[octets | 0x20, 2, octets, 0]),
            not_der,
        );
        self.add(
            "hidden BOOLEAN of 1",
            hidden(&[tag::BOOLEAN, 1, 1]),
            not_der,
        );
        let padded = p256().with(|draft| draft.version = vec![0, 0]).build();
        self.add("padded INTEGER", padded, not_der);
        let bare = p256().with(|draft| draft.attributes = None).build();
        self.add("attributes left out", bare, not_der);
        let version = p256().with(|draft| draft.version = vec![1]).build();
        self.add("version 2", version, &["CSR_VERSION"]);
    }

    fn signatures(&mut self, rsa: &Draft) {
        let algorithm_refused = &["CSR_SIGNATURE_ALGORITHM"];
        let md5 = rsa.clone().signed_by(rsa_with(4), MessageDigest::md5());
        self.add("MD5", md5.build(), algorithm_refused);
        let sha1 = rsa.clone().signed_by(rsa_with(5), MessageDigest::sha1());
        self.add("SHA-1", sha1.build(), algorithm_refused);
        let sha1 = algorithm(oid::ECDSA_SHA1, &[]);
        let sha1 = p256().signed_by(sha1, MessageDigest::sha1());
        self.add("ECDSA with SHA-1", sha1.build(), algorithm_refused);
        let null = algorithm(oid::ECDSA_SHA256, NULL);
        let null = p256().signed_by(null, MessageDigest::sha256());
        self.add("ECDSA with NULL", null.build(), algorithm_refused);
        let crossed = p256().signed_by(rsa_with(11), MessageDigest::sha256());
        self.add(
            "RSA's algorithm on a P-256 key",
            crossed.build(),
            algorithm_refused,
        );
        self.add("RSA-PSS", pss(rsa), algorithm_refused);

        let invalid = &["CSR_SIGNATURE_INVALID"];
        let good = p256();
        let mut signature = good.signature();
        *signature.last_mut().unwrap() ^= 1;
        self.add("tampered signature", good.wrap(&signature), invalid);
        self.add("empty signature", good.wrap(&[]), invalid);
        let mut tampered = good.build();
        let place = tampered.windows(5).position(|w| w == b"Mayor").unwrap();
        tampered[place + 2] = b'j';
        // The signature is judged, and so is the name that it does not cover.
        let both = &["CSR_SIGNATURE_INVALID"];
        self.add("tampered name", tampered, both);
        let stolen = p256().with(|draft| draft.key = p256().key).build();
        self.add("signed with another key", stolen, invalid);
        let lying = rsa
            .clone()
            .with(|draft| draft.digest = Some(MessageDigest::md5()));
        self.add("MD5 under the name of SHA-256", lying.build(), invalid);
        let off = p256().with(|draft| *draft.key.last_mut().unwrap() ^= 1);
        self.add("a point off the curve", off.build(), invalid);
    }

    fn rsa_keys(&mut self, rsa: &Draft) {
        for bits in [512, 1024, 1536] {
            let small = Draft::rsa(&subject(), bits, 65_537).build();
            self.add(&format!("RSA-{bits}"), small, &["CSR_KEY_SIZE"]);
        }
        let three = Draft::rsa(&subject(), 2048, 3).build();
        self.add("e = 3", three, &["CSR_KEY_EXPONENT"]);
        let modulus = rsa.signer.rsa().unwrap().n().to_vec();
        let modulus = [&[0], modulus.as_slice()].concat();
        let keyed = |key| rsa.clone().with(|draft| draft.key = key).build();
        for (name, exponent) in [
            ("even exponent", &[1, 0, 0][..]),
            ("e = 1", &[1]),
            ("e = 65539", &[1, 0, 3]),
        ] {
            let key = rsa_key_info(&modulus, exponent);
            self.add(name, keyed(key), &["CSR_KEY_EXPONENT"]);
        }
        let mut even = modulus.clone();
        *even.last_mut().unwrap() &= 0xfe;
        let weak = keyed(rsa_key_info(&even, &[1, 0, 1]));
        self.add("even modulus", weak, &["CSR_KEY_WEAK"]);
        let negative = keyed(rsa_key_info(&modulus[1..], &[1, 0, 1]));
        self.add("negative modulus", negative, &["CSR_KEY_ENCODING"]);
        let close = Draft::rsa_of(&subject(), close_primes()).build();
        self.add("primes close together", close, &["CSR_KEY_WEAK"]);
        let smooth = Draft::rsa_of(&subject(), with_small_factor()).build();
        self.add("a small prime factor", smooth, &["CSR_KEY_WEAK"]);
    }

    fn other_keys(&mut self) {
        for (name, curve) in [
            ("P-521", Nid::SECP521R1),
            ("P-224", Nid::SECP224R1),
            ("secp256k1", Nid::SECP256K1),
        ] {
            self.add(name, Draft::ec(&subject(), curve).build(), &["CSR_CURVE"]);
        }
        let mut group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        group.set_asn1_flag(Asn1Flag::EXPLICIT_CURVE);
        let explicit = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let explicit = Draft::new(&subject(), explicit, algorithm(oid::ECDSA_SHA256, &[]));
        self.add(
            "explicit curve parameters",
            explicit.build(),
            &["CSR_CURVE"],
        );

        let draft = p256();
        let point = &draft.key[draft.key.len() - 65..];
        let compressed = [&[2 | (point[64] & 1)], &point[1..33]].concat();
        let named = algorithm(oid::EC_PUBLIC_KEY, &tlv(tag::OID, oid::P256));
        let key = key_info(&named, &compressed);
        let compressed = draft.with(|draft| draft.key = key).build();
        self.add("compressed point", compressed, &["CSR_KEY_ENCODING"]);

        let ed448 = PKey::generate_ed448().unwrap();
        let identifier = algorithm(&[0x2b, 0x65, 0x71], &[]);
        let ed448 = Draft::new(&subject(), ed448, identifier).with(|draft| draft.digest = None);
        let both = &["CSR_KEY_ALGORITHM", "CSR_SIGNATURE_ALGORITHM"];
        self.add("Ed448", ed448.build(), both);
        let dsa = PKey::from_dsa(openssl::dsa::Dsa::generate(1024).unwrap()).unwrap();
        let dsa = dsa.public_key_to_der().unwrap();
        let dsa = p256().with(|draft| draft.key = dsa).build();
        self.add("DSA", dsa, &["CSR_KEY_ALGORITHM"]);
    }

    fn contents(&mut self) {
        let ca = sequence(&[&[tag::BOOLEAN, 1, 0xff]]);
        let ca = p256().extensions(&[&extension(oid::BASIC_CONSTRAINTS, &ca)]);
        self.add("asks for a CA", ca.build(), &["CSR_ASKS_FOR_CA"]);
        let usage = extension(oid::KEY_USAGE, &[tag::BIT_STRING, 2, 7, 0x80]);
        let twice = p256().extensions(&[&usage, &usage]);
        self.add(
            "an extension twice",
            twice.build(),
            &["CSR_EXTENSION_REPEATED"],
        );
        let secret = tlv(tag::SET, &tlv(tag::UTF8_STRING, b"secret"));
        let secret = sequence(&[&tlv(tag::OID, oid::CHALLENGE_PASSWORD), &secret]);
        let secret = p256().with(|draft| draft.attributes = Some(secret));
        self.add(
            "a challenge password",
            secret.build(),
            &["CSR_CHALLENGE_PASSWORD"],
        );
        for (name, general_name) in [
            ("an IP address", tlv(0x87, &[192, 0, 2, 1])),
            ("a URI", tlv(0x86, b"lgpki:login/operator/-")),
        ] {
            let request = p256().names(&[general_name]).build();
            self.add(name, request, &["CSR_SAN_TYPE"]);
        }
        let stray = p256().hosts(&["www.city.synthetic.lg.jp"]).build();
        self.add("a host for an official duty", stray, &["CSR_SAN_MISMATCH"]);
        let mail = p256().names(&[tlv(0x81, b"mayor@city.synthetic.lg.jp")]);
        self.add(
            "mail for an official duty",
            mail.build(),
            &["CSR_SAN_MISMATCH"],
        );
        let nothing = sequence(&[&p256().info(), &rsa_with(11), &bit_string(&[]), NULL]);
        self.add("one part too many", nothing, &["CSR_NOT_DER"]);
    }

    fn unreadable_names(&mut self) {
        for (name, string, value, reason) in [
            (
                "T61String",
                tag::T61_STRING,
                &b"Mayor"[..],
                "CSR_STRING_TYPE",
            ),
            ("BMPString", tag::BMP_STRING, &[0x5e, 2], "CSR_STRING_TYPE"),
            (
                "Shift_JIS as UTF8String",
                tag::UTF8_STRING,
                &[0x8e, 0x73, 0x92, 0xb7],
                "CSR_STRING_ENCODING",
            ),
            (
                "UTF-8 as PrintableString",
                tag::PRINTABLE_STRING,
                "市長".as_bytes(),
                "CSR_STRING_ENCODING",
            ),
        ] {
            let request = p256().with(|draft| {
                *draft.subject.last_mut().unwrap() = rdn(oid::COMMON_NAME, string, value);
            });
            self.add(name, request.build(), &[reason]);
        }
        let pair = [
            attribute(oid::UNIT, tag::PRINTABLE_STRING, b"A"),
            attribute(oid::COMMON_NAME, tag::PRINTABLE_STRING, b"B"),
        ];
        let pair = tlv(tag::SET, &pair.concat());
        let request = p256().with(|draft| *draft.subject.last_mut().unwrap() = pair);
        self.add(
            "two attributes in one place",
            request.build(),
            &["CSR_SUBJECT_FORM"],
        );
    }

    fn other_names(&mut self) {
        let named = |name: &str| {
            let value = rdn(oid::COMMON_NAME, tag::PRINTABLE_STRING, name.as_bytes());
            p256().with(|draft| *draft.subject.last_mut().unwrap() = value)
        };
        let mistyped = named("Mayer").build();
        self.add("a mistyped name", mistyped, &["CSR_SUBJECT_MISMATCH"]);
        let case = named("MAYOR").build();
        self.add("a name in capitals", case, &["CSR_SUBJECT_MISMATCH"]);
        // C, O, OU (body), OU (unit), CN; without the body the unit stands in its place.
        let mismatch = "CSR_SUBJECT_MISMATCH";
        let incomplete = "CSR_SUBJECT_INCOMPLETE";
        for (place, name, reasons) in [
            (0, "without a country", &[incomplete][..]),
            (1, "without an organization", &[incomplete]),
            (2, "without the body", &[mismatch, incomplete]),
            (3, "without the unit", &[incomplete]),
            (4, "without a common name", &[incomplete]),
        ] {
            let request = p256().with(|draft| {
                draft.subject.remove(place);
            });
            self.add(name, request.build(), reasons);
        }
        let locality = rdn(oid::LOCALITY, tag::PRINTABLE_STRING, b"Sapporo");
        let more = p256().with(|draft| draft.subject.push(locality));
        self.add(
            "a foreign attribute",
            more.build(),
            &["CSR_SUBJECT_UNEXPECTED"],
        );
        let empty = p256().with(|draft| draft.subject.clear()).build();
        self.add("an empty name", empty, &[incomplete; 5]);
    }

    fn web_server_names(&mut self) {
        let host = "www.city.synthetic.lg.jp";
        let mut content = request::web_server(BRANCH, host);
        let draft = Draft::p256(content.subject.as_ref().unwrap());
        content.csr = draft.hosts(&[host, "www.city.synthetic.example"]).build();
        let request = request::issue(BRANCH, content);
        let fault = &["issue.csr CSR_SAN_MISMATCH"];
        self.0
            .push(Case::new("a host more than applied for", request, fault));
    }
}

/// The request with an RSA-PSS signature that is good.
fn pss(rsa: &Draft) -> Vec<u8> {
    let draft = rsa.clone().with(|draft| draft.algorithm = rsa_with(10));
    let mut signer = Signer::new(MessageDigest::sha256(), &draft.signer).unwrap();
    signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
    signer
        .set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)
        .unwrap();
    let signature = signer.sign_oneshot_to_vec(&draft.info()).unwrap();
    draft.wrap(&signature)
}

/// An RSA key whose second prime is the next one after the first, which Fermat factors at once.
fn close_primes() -> PKey<Private> {
    let mut context = BigNumContext::new().unwrap();
    let number = |n| BigNum::from_u32(n).unwrap();
    let (one, e) = (number(1), number(65_537));
    let mut p = BigNum::new().unwrap();
    p.generate_prime(1024, false, None, None).unwrap();
    let mut q = &p + &number(2);
    while !q.is_prime(32, &mut context).unwrap() {
        q = &q + &number(2);
    }
    let (p1, q1) = (&p - &one, &q - &one);
    let mut d = BigNum::new().unwrap();
    d.mod_inverse(&e, &(&p1 * &q1), &mut context).unwrap();
    let (dp, dq) = (&d % &p1, &d % &q1);
    let mut qi = BigNum::new().unwrap();
    qi.mod_inverse(&q, &p, &mut context).unwrap();
    let key = Rsa::from_private_components(&p * &q, e, d, p, q, dp, dq, qi).unwrap();
    PKey::from_rsa(key).unwrap()
}

/// An RSA key of 2048 bits, one of whose three primes is 751.
fn with_small_factor() -> PKey<Private> {
    let mut context = BigNumContext::new().unwrap();
    let number = |n| BigNum::from_u32(n).unwrap();
    let (one, e, small) = (number(1), number(65_537), number(751));
    loop {
        let (mut p, mut q) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        p.generate_prime(1020, false, None, None).unwrap();
        q.generate_prime(1019, false, None, None).unwrap();
        let modulus = &(&p * &q) * &small;
        let order = &(&(&p - &one) * &(&q - &one)) * &number(750);
        let mut d = BigNum::new().unwrap();
        if modulus.num_bits() == 2048 && d.mod_inverse(&e, &order, &mut context).is_ok() {
            let key = RsaPrivateKeyBuilder::new(modulus, e, d).unwrap();
            return PKey::from_rsa(key.build()).unwrap();
        }
    }
}

/// A request that nothing is wrong with, out of an application.
pub(crate) fn csr_of(request: &v1::SubmitApplicationRequest) -> Vec<u8> {
    match &request.content {
        Some(Content::Issue(issue)) => issue.csr.clone(),
        _ => panic!("this application has no request"),
    }
}
