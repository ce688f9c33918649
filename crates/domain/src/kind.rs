//! Certificate kinds (証明書の種類) and the key media (鍵格納媒体) that may carry them.

use std::fmt;

use crate::authority::Authority;

/// A kind of certificate that LGPKI knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CertificateKind {
    /// Official-duty (職責証明書): signs documents in the name of a post.
    OfficialDuty,
    /// User (利用者証明書): identifies a registered role.
    User,
    /// Web server (Webサーバ証明書).
    WebServer,
    /// Code signing (コードサイニング証明書).
    CodeSigning,
    /// Mail (メール用証明書).
    Mail,
    /// Login (ログイン用カード／データ): branch and LGWAN officers, operators, auditors.
    Login,
    /// Cross (相互認証証明書): CA to CA only; no subscriber may apply for it.
    Cross,
    /// Link (リンク証明書): between two key generations of one CA (RFC 4210 §4.4).
    Link,
    /// OCSP responder: signs a CA's answers about the state of its certificates (RFC 6960
    /// §4.2.2.2); the publishing service alone asks for it, never an applicant.
    OcspResponder,
}

impl CertificateKind {
    /// Every kind; the list only ever grows at its end.
    pub const ALL: [Self; 9] = [
        Self::OfficialDuty,
        Self::User,
        Self::Login,
        Self::WebServer,
        Self::CodeSigning,
        Self::Mail,
        Self::Cross,
        Self::Link,
        Self::OcspResponder,
    ];

    /// The kinds that may be applied for.
    pub const APPLICABLE: [Self; 6] = [
        Self::OfficialDuty,
        Self::User,
        Self::Login,
        Self::WebServer,
        Self::CodeSigning,
        Self::Mail,
    ];

    /// The stable name used in files, the log and the command line, such as `official-duty`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OfficialDuty => "official-duty",
            Self::User => "user",
            Self::WebServer => "web-server",
            Self::CodeSigning => "code-signing",
            Self::Mail => "mail",
            Self::Login => "login",
            Self::Cross => "cross",
            Self::Link => "link",
            Self::OcspResponder => "ocsp-responder",
        }
    }

    /// Whether certificates of this kind are about the system's own keys: those of other CAs, the links
    /// between a CA's keys, those that answer in a CA's name. Their entries stand in the log of keys too.
    #[must_use]
    pub const fn concerns_keys(self) -> bool {
        matches!(self, Self::Cross | Self::Link | Self::OcspResponder)
    }

    /// The name in Japanese, for tables and messages.
    #[must_use]
    pub const fn name_ja(self) -> &'static str {
        match self {
            Self::OfficialDuty => "職責証明書",
            Self::User => "利用者証明書",
            Self::WebServer => "Webサーバ証明書",
            Self::CodeSigning => "コードサイニング証明書",
            Self::Mail => "メール用証明書",
            Self::Login => "ログイン用証明書",
            Self::Cross => "相互認証証明書",
            Self::Link => "リンク証明書",
            Self::OcspResponder => "OCSP応答者証明書",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == name)
    }

    /// Whether the certificate is a CA's, made by ceremony only; it stands on the CA's list of revoked
    /// CA certificates and on no other.
    #[must_use]
    pub const fn is_ca(self) -> bool {
        matches!(self, Self::Cross | Self::Link)
    }

    /// The CA that issues this kind; none for CA certificates, which are a ceremony's business, and
    /// for OCSP responders, of which every CA has its own.
    #[must_use]
    pub const fn authority(self) -> Option<Authority> {
        match self {
            Self::OfficialDuty | Self::User | Self::Login => Some(Authority::Organization),
            Self::WebServer | Self::CodeSigning | Self::Mail => Some(Authority::Application),
            Self::Cross | Self::Link | Self::OcspResponder => None,
        }
    }

    /// Whether `authority` issues this kind to anybody but another CA.
    #[must_use]
    pub fn is_issued_by(self, authority: Authority) -> bool {
        self == Self::OcspResponder || self.authority() == Some(authority)
    }

    /// Whether `medium` may hold a key of this kind: an IC card carries all but web server, a USB
    /// token only code signing and login data, a server's own key store only web server (R6).
    #[must_use]
    pub const fn may_live_on(self, medium: KeyMedium) -> bool {
        match medium {
            KeyMedium::IcCard => !matches!(
                self,
                Self::WebServer | Self::Cross | Self::Link | Self::OcspResponder
            ),
            KeyMedium::UsbToken => matches!(self, Self::CodeSigning | Self::Login),
            KeyMedium::Server => matches!(self, Self::WebServer),
        }
    }

    /// Whether the organization named in a request must stand in the organization directory
    /// (組織管理システム).
    #[must_use]
    pub const fn needs_registered_organization(self) -> bool {
        matches!(
            self,
            Self::OfficialDuty | Self::User | Self::Mail | Self::CodeSigning
        )
    }

    /// Whether the name in a request must stand in the account directory (アカウント等管理システム).
    #[must_use]
    pub const fn needs_registered_account(self) -> bool {
        matches!(self, Self::User)
    }
}

impl fmt::Display for CertificateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a subscriber's private key lives (鍵格納媒体).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyMedium {
    /// LGWAN IC card (LGWAN用ICカード).
    IcCard,
    /// LGWAN USB token (LGWAN用USBトークン).
    UsbToken,
    /// The web server itself.
    Server,
}

impl KeyMedium {
    /// Every medium.
    pub const ALL: [Self; 3] = [Self::IcCard, Self::UsbToken, Self::Server];

    /// The stable name, such as `ic-card`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IcCard => "ic-card",
            Self::UsbToken => "usb-token",
            Self::Server => "server",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == name)
    }
}

impl fmt::Display for KeyMedium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
