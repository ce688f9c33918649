//! What can be asked of a ceremony beyond logins: a new key generation, a cross certificate.

use std::path::PathBuf;

use clap::Args;
use lgpki_domain::{Digest, JstDate};
use lgpki_x509::cross::{PolicyOid, Subtree};

use super::{Ca, CaKey, PassphraseArgs};

/// A new generation of a CA's key.
#[derive(Debug, Args)]
pub(crate) struct RolloverArgs {
    /// The configuration file that `init` wrote.
    #[arg(long, value_name = "FILE", default_value = "lgpki.toml")]
    pub(crate) config: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    /// The CA.
    #[arg(long, value_enum)]
    pub(crate) authority: Ca,
    /// The first day of the new CA certificate, from which the new key issues; the default is today, and
    /// within a year of the newest generation's first day that generation is meant.
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<JstDate>,
    /// The number of the generation, where it is not simply the next after a year or more.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) generation: Option<u32>,
    /// The new key's algorithm; the default is that of the generation before.
    #[arg(long, value_enum)]
    pub(crate) key: Option<CaKey>,
}

/// A cross certificate for another operator's CA.
#[derive(Debug, Args)]
#[group(id = "whom", required = true, multiple = false, args = ["certificate", "request"])]
pub(crate) struct CrossArgs {
    /// The configuration file that `init` wrote.
    #[arg(long, value_name = "FILE", default_value = "lgpki.toml")]
    pub(crate) config: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArgs,
    /// The CA that certifies.
    #[arg(long, value_enum)]
    pub(crate) authority: Ca,
    /// The other CA's self-signed certificate, PEM or DER.
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// Instead of it, the other CA's certification request, PEM or DER.
    #[arg(long, value_name = "FILE")]
    pub(crate) request: Option<PathBuf>,
    /// SHA-256 of the other CA's SubjectPublicKeyInfo, as its operator told it over another channel.
    #[arg(long, value_name = "SHA-256")]
    pub(crate) key_digest: Digest,
    /// What the inventory calls the other CA, in English.
    #[arg(long, value_name = "NAME")]
    pub(crate) name_en: String,
    /// What the inventory calls the other CA, in Japanese.
    #[arg(long, value_name = "NAME")]
    pub(crate) name_ja: String,
    /// A part of a name space that may be certified below: `dn:C=JP,O=…`, `dns:go.jp`, `mail:.go.jp`;
    /// may be repeated.
    #[arg(long = "permit", value_name = "SUBTREE", required = true)]
    pub(crate) permitted: Vec<Subtree>,
    /// A part that may not; may be repeated.
    #[arg(long = "exclude", value_name = "SUBTREE")]
    pub(crate) excluded: Vec<Subtree>,
    /// A policy under which the other CA is relied on, such as 2.999.392.1.1; may be repeated.
    #[arg(long = "policy", value_name = "OID", required = true)]
    pub(crate) policies: Vec<PolicyOid>,
    /// A policy of ours and the other side's that counts as the same; may be repeated.
    #[arg(long = "map", value_name = "OURS=THEIRS", value_parser = mapping)]
    pub(crate) mappings: Vec<(PolicyOid, PolicyOid)>,
    /// After so many certificates each further one must name an accepted policy.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) require_policy: u8,
    /// After so many certificates no policy is mapped any more.
    #[arg(long, value_name = "N")]
    pub(crate) inhibit_mapping: Option<u8>,
    /// After so many certificates anyPolicy counts no more.
    #[arg(long, value_name = "N")]
    pub(crate) inhibit_any: Option<u8>,
    /// How many CAs may come below the other one.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) path_length: u8,
    /// The first day; the default is today.
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<JstDate>,
    /// For how many years.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=10))]
    pub(crate) years: i32,
}

fn mapping(text: &str) -> Result<(PolicyOid, PolicyOid), String> {
    let (ours, theirs) = text
        .split_once('=')
        .ok_or("write a policy of ours, `=`, and one of theirs")?;
    Ok((ours.parse()?, theirs.parse()?))
}
