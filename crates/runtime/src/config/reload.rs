//! A file of trust anchors, read again while the process runs.
//!
//! A CA that came to it by a key ceremony is trusted, and one that left it is not, without a restart.
//! What cannot be read or used changes nothing: those who log in must not suffer from a slip of the
//! pen, so the log says what is wrong and the anchors stay as they were.

use std::{fs, io, path::PathBuf, time::Duration};

use lgpki_domain::Digest;

use super::certificates;
use crate::{error::chain, shutdown::Shutdown, tls::TrustAnchors};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(10);

/// A file, and the anchors that follow it.
#[derive(Debug)]
pub struct AnchorFile {
    path: PathBuf,
    anchors: TrustAnchors,
    /// What stood there at the last look.
    seen: Option<Digest>,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Nothing new.
    Same,
    /// Other anchors, which hold from now on.
    Replaced,
    /// Nothing that can be used; the anchors stay.
    Unusable,
}

impl AnchorFile {
    /// Follows `path` with these anchors, which were read from it.
    #[must_use]
    pub fn new(path: PathBuf, anchors: TrustAnchors) -> Self {
        let seen = digest(&path).ok();
        Self {
            path,
            anchors,
            seen,
        }
    }

    /// Looks at the file every ten seconds until the shutdown.
    pub async fn follow(mut self, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.requested() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let looked = tokio::task::spawn_blocking(move || {
                self.look();
                self
            });
            match looked.await {
                Ok(this) => self = this,
                // Only while the process ends.
                Err(_) => return,
            }
        }
    }

    fn look(&mut self) -> Look {
        // What cannot be read is told once, too.
        let found = digest(&self.path).ok();
        if found == self.seen {
            return Look::Same;
        }
        self.seen = found;
        let replaced = certificates(&self.path).and_then(|all| {
            self.anchors.replace(&all)?;
            Ok(all.len())
        });
        let path = self.path.display();
        match replaced {
            Ok(count) => {
                tracing::info!(%path, count, "the trust anchors were read again and hold from now on");
                Look::Replaced
            }
            Err(error) => {
                let error = chain(&error);
                tracing::error!(%path, %error, "the trust anchors were changed to what cannot be used; those before hold");
                Look::Unusable
            }
        }
    }
}

fn digest(path: &PathBuf) -> io::Result<Digest> {
    Ok(lgpki_x509::key::sha256(&fs::read(path)?))
}

#[cfg(test)]
mod tests {
    use lgpki_x509::pem::{self, Label};

    use super::*;
    use crate::testing::Pki;

    #[test]
    fn what_comes_to_the_file_is_trusted_and_what_cannot_be_used_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("organization.pem");
        let [one, other] = [Pki::ours(), &Pki::make()]
            .map(|pki| pem::encode(Label::Certificate, &pki.organization_certificate()).unwrap());
        fs::write(&path, &one).unwrap();
        let anchors = TrustAnchors::try_new(&certificates(&path).unwrap()).unwrap();
        let mut file = AnchorFile::new(path.clone(), anchors.clone());
        let count = || format!("{anchors:?}");
        assert_eq!(
            (file.look(), count().as_str()),
            (Look::Same, "TrustAnchors(1)")
        );
        fs::write(&path, [one.as_str(), &other].concat()).unwrap();
        assert_eq!(file.look(), Look::Replaced);
        assert_eq!(
            (file.look(), count().as_str()),
            (Look::Same, "TrustAnchors(2)")
        );
        fs::write(&path, "nothing of the kind").unwrap();
        assert_eq!(file.look(), Look::Unusable);
        assert_eq!(
            (file.look(), count().as_str()),
            (Look::Same, "TrustAnchors(2)")
        );
        fs::remove_file(&path).unwrap();
        assert_eq!(file.look(), Look::Unusable);
        fs::write(&path, &other).unwrap();
        assert_eq!(
            (file.look(), count().as_str()),
            (Look::Replaced, "TrustAnchors(1)")
        );
    }
}
