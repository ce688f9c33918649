//! Addresses that are fetched from: `http://HOST[:PORT][/PATH]`, and nothing else.

use std::{fmt, str::FromStr};

use http::Uri;

use super::HttpError;

/// An address with the scheme `http`, without user, query and fragment. Its `Display` is the whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpUrl {
    /// Host and, where it was given, port.
    authority: String,
    /// The host alone; an IPv6 address without brackets.
    host: String,
    port: u16,
    /// Begins with a slash.
    path: String,
}

impl HttpUrl {
    /// Host and port as they were given.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 80 if none was given.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path, which begins with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The address of what stands under this one. `part` may hold slashes, and nothing that would
    /// have to be escaped in a path.
    pub fn join(&self, part: &str) -> Result<Self, HttpError> {
        let path = self.path.trim_end_matches('/');
        let part = part.trim_start_matches('/');
        format!("http://{}{path}/{part}", self.authority).parse()
    }
}

impl FromStr for HttpUrl {
    type Err = HttpError;

    fn from_str(text: &str) -> Result<Self, HttpError> {
        let bad = |why| HttpError::Url {
            url: text.to_owned(),
            why,
        };
        if text.contains('#') {
            return Err(bad("it must have no fragment"));
        }
        let uri: Uri = text
            .parse()
            .map_err(|_| bad("write http://HOST:PORT/PATH"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(bad(
                    "only http:// is spoken here, since what is fetched is public and signed; let a \
                     proxy on this machine add TLS where the way must be covered",
                ));
            }
            _ => return Err(bad("it must begin with http://")),
        }
        let authority = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'))
            .ok_or(bad("it must name a host, and no user"))?;
        if uri.query().is_some() {
            return Err(bad("it must have no query"));
        }
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => Some(80),
            Some(port) => port.strip_prefix(':').and_then(|port| port.parse().ok()),
            None => None,
        };
        let port = port
            .filter(|port| *port != 0)
            .ok_or(bad("its port is no number from 1 to 65535"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.is_empty() {
            return Err(bad("it must name a host"));
        }
        Ok(Self {
            authority: authority.as_str().to_owned(),
            host: bare.to_owned(),
            port,
            path: uri.path().to_owned(),
        })
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> HttpUrl {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_taken_apart_and_told_whole() {
        let plain = url("http://witness.example");
        assert_eq!((plain.host(), plain.port()), ("witness.example", 80));
        assert_eq!(plain.path(), "/");
        let long = url("http://[2001:db8::1]:8080/w/1");
        assert_eq!((long.host(), long.port()), ("2001:db8::1", 8080));
        assert_eq!(long.authority(), "[2001:db8::1]:8080");
        assert_eq!(long.to_string(), "http://[2001:db8::1]:8080/w/1");
    }

    #[test]
    fn what_stands_under_an_address_follows_one_slash() {
        for base in ["http://h:1/w", "http://h:1/w/"] {
            let under = url(base).join("add-checkpoint").unwrap();
            assert_eq!(under.to_string(), "http://h:1/w/add-checkpoint");
        }
        let root = url("http://h:1").join("/2026/tile/0/000").unwrap();
        assert_eq!(root.to_string(), "http://h:1/2026/tile/0/000");
        assert!(url("http://h:1").join("a b").is_err());
        assert!(url("http://h:1").join("a?b").is_err());
    }

    #[test]
    fn other_addresses_are_refused_with_the_reason() {
        for (text, reason) in [
            ("https://h/", "only http:// is spoken here"),
            ("ftp://h/", "must begin with http://"),
            ("h:80", "http://"),
            ("/path", "must begin with http://"),
            ("", "http://HOST"),
            ("http://", "http://HOST"),
            ("http://user:word@h/", "no user"),
            ("http://h/?q=1", "no query"),
            ("http://h/#f", "no fragment"),
            ("http://h:0/", "port"),
            ("http://h:/", "port"),
            ("http://h:65536/", "port"),
            ("http://h /", "http://HOST"),
        ] {
            let refused = text.parse::<HttpUrl>().unwrap_err().to_string();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}
