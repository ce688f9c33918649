//! The published files: CRLs and CA certificates, as relying parties fetch them, and the practice
//! statement that every certificate's policy points to.
//!
//! A file is written beside its place, synced and renamed, so that its place always holds a whole
//! one; only then is it served. What is served is held in memory.

mod new_file;

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::Bytes;
use lgpki_domain::{Authority, AuthorityKey, CrlScope, CrlSeries, Digest, Serial, Timestamp};
use lgpki_x509::{
    Certificate,
    crl::RevocationList,
    issuer::{certificate_file, cross_file, link_file},
    key::sha256,
};

pub(crate) use self::new_file::NewFile;
use crate::{error::LifecycleError, ports::CrlList};

/// The operator's certification practice statement, if there is one; read at start.
const STATEMENT: &str = "cps.txt";

/// The ending of a file that is not in its place yet.
const NEW: &str = "new";

/// What is served where the operator has put no statement.
const NO_STATEMENT: &str = "\
This certificate authority has published no certification practice statement (CPS).\n\
The policy identifiers in its certificates are examples under the arc 2.999 and promise nothing.\n\
この認証局は認証実施規程（CPS）を公開していません。証明書ポリシー識別子は 2.999 の下の例示用のものです。\n";

/// Which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// The CRL of a series, or its delta.
    Crl(CrlList),
    /// The certificate of a CA key.
    Certificate(Authority, u32),
    /// The key of the first generation, certified with that of the second.
    Link(Authority, u32, u32),
    /// A cross certificate, by the generation of the key that signed it.
    Cross(Authority, u32, Serial),
}

impl Name {
    /// The path below the publication's root, such as `crl/organization-1.crl`.
    #[must_use]
    pub(crate) fn path(self) -> String {
        match self {
            Self::Crl(list) => format!("crl/{}", list.file()),
            Self::Certificate(authority, generation) => {
                format!("ca/{}", certificate_file(authority, generation))
            }
            Self::Link(authority, certified, signs) => {
                format!("ca/{}", link_file(authority, certified, signs))
            }
            Self::Cross(authority, generation, serial) => {
                format!("ca/{}", cross_file(authority, generation, serial))
            }
        }
    }

    /// Its media type (RFC 2585 §4).
    #[must_use]
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Crl(..) => "application/pkix-crl",
            Self::Certificate(..) | Self::Link(..) | Self::Cross(..) => "application/pkix-cert",
        }
    }

    /// Reads a [`path`](Self::path) back.
    #[must_use]
    pub(crate) fn parse(path: &str) -> Option<Self> {
        if let Some(name) = Self::parse_for_ca(path) {
            return Some(name);
        }
        let (folder, file) = path.split_once('/')?;
        let (stem, _) = file.split_once('.')?;
        let (stem, delta) = match stem.strip_suffix("-delta") {
            Some(stem) => (stem, true),
            None => (stem, false),
        };
        let mut parts = stem.splitn(3, '-');
        let authority = Authority::parse(parts.next()?)?;
        let generation = parts.next()?.parse().ok()?;
        let scope = match parts.next() {
            None => CrlScope::User,
            Some(scope) => scope.parse().ok()?,
        };
        let key = AuthorityKey::new(authority, generation);
        let name = match folder {
            "crl" => Self::Crl(CrlList {
                series: CrlSeries { key, scope },
                delta,
            }),
            "ca" => Self::Certificate(authority, generation),
            _ => return None,
        };
        // One spelling only.
        (name.path() == path).then_some(name)
    }
}

impl Name {
    /// Reads the path of a link or cross certificate back.
    fn parse_for_ca(path: &str) -> Option<Self> {
        let stem = path.strip_prefix("ca/")?.strip_suffix(".cer")?;
        let (authority, rest) = stem.split_once('-')?;
        let authority = Authority::parse(authority)?;
        let name = if let Some((generation, serial)) = rest.split_once("-cross-") {
            Self::Cross(authority, generation.parse().ok()?, serial.parse().ok()?)
        } else {
            let (certified, signs) = rest.split_once("-with-")?;
            Self::Link(authority, certified.parse().ok()?, signs.parse().ok()?)
        };
        (name.path() == path).then_some(name)
    }
}

/// A published file.
#[derive(Clone, Debug)]
pub(crate) struct PublishedFile {
    /// Its content.
    pub(crate) bytes: Bytes,
    /// SHA-256 of it.
    pub(crate) digest: Digest,
    /// Since when it stands: a CRL's thisUpdate, a certificate's notBefore.
    pub(crate) since: Option<Timestamp>,
    /// A CRL as it reads; none of one that is damaged. The bytes are the same.
    pub(crate) list: Option<RevocationList>,
}

impl PublishedFile {
    fn new(name: Name, bytes: Vec<u8>) -> Self {
        let bytes = Bytes::from(bytes);
        let digest = sha256(&bytes);
        let list = match name {
            Name::Crl(..) => RevocationList::from_der(bytes.clone()).ok(),
            Name::Certificate(..) | Name::Link(..) | Name::Cross(..) => None,
        };
        if let Some(list) = list {
            return Self::of_list(list, digest);
        }
        let certificate = Certificate::parse(&bytes).ok();
        Self {
            digest,
            since: certificate.map(|certificate| certificate.not_before()),
            list: None,
            bytes,
        }
    }

    fn of_list(list: RevocationList, digest: Digest) -> Self {
        Self {
            bytes: list.bytes(),
            digest,
            since: Some(list.summary().this_update),
            list: Some(list),
        }
    }
}

/// The published files of this node.
#[derive(Clone, Debug)]
pub(crate) struct PublicationFiles {
    root: PathBuf,
    /// With its digest.
    statement: (Bytes, Digest),
    files: Arc<RwLock<HashMap<Name, PublishedFile>>>,
    /// Held while a file is put in its place, so that what is served is what stands there.
    putting: Arc<Mutex<()>>,
    /// Files begun: no two share a name while they are written.
    begun: Arc<AtomicU64>,
}

impl PublicationFiles {
    /// Opens the directory, or makes it, and reads what is there. Blocks.
    pub(crate) fn open(root: &Path) -> Result<Self, LifecycleError> {
        let mut files = HashMap::new();
        for folder in ["crl", "ca"] {
            let dir = root.join(folder);
            fs::create_dir_all(&dir).map_err(failed("create", &dir))?;
            for found in fs::read_dir(&dir).map_err(failed("read", &dir))? {
                let found = found.map_err(failed("read", &dir))?;
                let file_name = found.file_name();
                let name = file_name
                    .to_str()
                    .and_then(|file| Name::parse(&format!("{folder}/{file}")));
                let path = found.path();
                if path.extension().is_some_and(|ending| ending == NEW) {
                    // Begun, and left so by a crash.
                    fs::remove_file(&path).map_err(failed("remove", &path))?;
                }
                if let Some(name) = name {
                    let bytes = fs::read(&path).map_err(failed("read", &path))?;
                    files.insert(name, PublishedFile::new(name, bytes));
                }
            }
        }
        let path = root.join(STATEMENT);
        let statement: Bytes = match fs::read(&path) {
            Ok(text) => text.into(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Bytes::from_static(NO_STATEMENT.as_bytes())
            }
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let digest = sha256(&statement);
        Ok(Self {
            statement: (statement, digest),
            root: root.to_owned(),
            files: Arc::new(RwLock::new(files)),
            putting: Arc::default(),
            begun: Arc::default(),
        })
    }

    /// The certification practice statement, plain text, and its digest.
    #[must_use]
    pub(crate) fn statement(&self) -> (Bytes, Digest) {
        self.statement.clone()
    }

    /// A file as it is served.
    #[must_use]
    pub(crate) fn find(&self, name: Name) -> Option<PublishedFile> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.get(&name).cloned()
    }

    /// Begins the file of a CRL that may still be being made: `front` will stand before the tbsCertList
    /// in it, if the signature is as long as expected. Blocks.
    pub(crate) fn begin_crl(
        &self,
        list: CrlList,
        front: Vec<u8>,
    ) -> Result<NewFile, LifecycleError> {
        self.begin(Name::Crl(list), front)
    }

    fn begin(&self, name: Name, front: Vec<u8>) -> Result<NewFile, LifecycleError> {
        let path = self.root.join(name.path());
        let nth = self.begun.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_extension(format!("{nth}.{NEW}"));
        NewFile::begin(beside, front)
    }

    /// Puts a file in its place, durably, and serves it from now on. Blocks.
    pub(crate) fn put(&self, name: Name, bytes: Vec<u8>) -> Result<(), LifecycleError> {
        let file = self.begin(name, Vec::new())?;
        self.place(name, file, PublishedFile::new(name, bytes))
    }

    /// Puts a CRL in its place, durably, and serves it from now on; tells the digest of its bytes.
    /// Blocks.
    pub(crate) fn put_crl(
        &self,
        list: CrlList,
        mut file: NewFile,
        read: RevocationList,
    ) -> Result<Digest, LifecycleError> {
        let digest = file.complete(read.der())?;
        let published = PublishedFile::of_list(read, digest);
        self.place(Name::Crl(list), file, published)?;
        Ok(digest)
    }

    fn place(
        &self,
        name: Name,
        mut file: NewFile,
        published: PublishedFile,
    ) -> Result<(), LifecycleError> {
        file.complete(&published.bytes)?;
        let _turn = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.root.join(name.path());
        file.rename(&path)?;
        let dir = path.parent().unwrap_or(&self.root);
        let synced = File::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(failed("write", &path))?;
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.insert(name, published);
        Ok(())
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LifecycleError {
    let path = path.to_owned();
    move |source| LifecycleError::File {
        doing,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::series;

    #[test]
    fn a_name_is_read_from_its_own_path_only() {
        let partition = CrlSeries {
            scope: CrlScope::Partition(3),
            ..series(Authority::Application)
        };
        for name in [
            Name::Crl(CrlList::complete(series(Authority::Organization))),
            Name::Crl(CrlList::delta(series(Authority::Organization))),
            Name::Crl(CrlList::complete(partition)),
            Name::Crl(CrlList::delta(partition)),
            Name::Crl(CrlList::complete(CrlSeries {
                scope: CrlScope::CaCertificates,
                ..series(Authority::Application)
            })),
            Name::Certificate(Authority::Application, 12),
            Name::Link(Authority::Organization, 1, 2),
            Name::Cross(Authority::Organization, 1, crate::testing::serial(7)),
        ] {
            assert_eq!(Name::parse(&name.path()), Some(name));
        }
        for path in [
            "crl/organization-01.crl",
            "ca/organization-1-with-02.cer",
            "ca/organization-1-cross-12.cer",
            "crl/organization-1-with-2.cer",
            "crl/organization-1-user.crl",
            "crl/organization-1-p3.crl",
            "crl/organization-1-delta-delta.crl",
            "crl/organization-1-delta-p03.crl",
            "crl/organization-delta.crl",
            "ca/organization-1-delta.cer",
            "crl/organization-1-ca-ca.crl",
            "ca/organization-1-ca.cer",
            "crl/organization-1.cer",
            "crl/organization-1.crl.new",
            "ca/../organization-1.cer",
            "crl/nobody-1.crl",
            "organization-1.crl",
            "",
        ] {
            assert_eq!(Name::parse(path), None, "{path}");
        }
    }

    #[test]
    fn the_operators_statement_takes_the_place_of_our_own() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, _) = PublicationFiles::open(dir.path()).unwrap().statement();
        assert!(String::from_utf8_lossy(&ours).contains("2.999"));
        fs::write(dir.path().join(STATEMENT), "規程 1.0").unwrap();
        let (theirs, _) = PublicationFiles::open(dir.path()).unwrap().statement();
        assert_eq!(theirs, "規程 1.0");
    }

    #[test]
    fn two_writers_of_one_file_leave_one_of_theirs_whole() {
        let dir = tempfile::tempdir().unwrap();
        let name = Name::Certificate(Authority::Organization, 1);
        let files = PublicationFiles::open(dir.path()).unwrap();
        std::thread::scope(|scope| {
            for content in [1_u8, 2] {
                let files = files.clone();
                scope.spawn(move || {
                    for _ in 0..50 {
                        files.put(name, vec![content; 100_000]).unwrap();
                    }
                });
            }
        });
        let served = files.find(name).unwrap().bytes;
        let stands = PublicationFiles::open(dir.path()).unwrap();
        assert_eq!(stands.find(name).unwrap().bytes, served);
    }

    #[test]
    fn a_file_stands_after_reopening_and_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let name = Name::Certificate(Authority::Organization, 1);
        let files = PublicationFiles::open(dir.path()).unwrap();
        assert!(files.find(name).is_none());
        files.put(name, vec![1, 2, 3]).unwrap();
        files.put(name, vec![4, 5]).unwrap();
        for files in [files, PublicationFiles::open(dir.path()).unwrap()] {
            let file = files.find(name).unwrap();
            assert_eq!(file.bytes, vec![4, 5]);
            assert_eq!(file.digest, sha256(&[4, 5]));
        }
        let left = fs::read_dir(dir.path().join("ca")).unwrap().count();
        assert_eq!(left, 1);
    }
}
