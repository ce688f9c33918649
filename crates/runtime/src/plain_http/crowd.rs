//! How much one address may have under way at the same time.
//!
//! Whoever connects directly has connections counted, on each of which one request is under way at a
//! time. What comes from a reverse proxy of ours is counted by request, under the address that the
//! proxy says it is for; the proxy's own connections have no limit but that of all. Anybody can write
//! `X-Forwarded-For`, so that only its last address, which the proxy itself has added, is believed,
//! and only from a proxy that was named.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

use super::{Limits, TurnedAway};

/// The field in which a reverse proxy says for whom it asks.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// What is said to whoever has too much under way.
const TOO_MANY: &str =
    "too many requests from this address are under way; end some, or come again in a second\n";

/// What every address has under way.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    limits: Limits,
    under_way: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// One of those that an address has under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    whose: IpAddr,
    under_way: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock();
        if let Some(count) = under_way.get_mut(&self.whose) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                under_way.remove(&self.whose);
            }
        }
    }
}

impl Crowd {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            under_way: Arc::default(),
        }
    }

    /// Whether this is a reverse proxy of ours.
    pub(super) fn is_proxy(&self, peer: IpAddr) -> bool {
        self.limits.proxies.contains(&peer.to_canonical())
    }

    /// Takes a place for an address, if it has one left; none is counted where nothing is limited.
    pub(super) fn enter(&self, address: IpAddr) -> Result<Option<Place>, TurnedAway> {
        let Some(most) = self.limits.per_address else {
            return Ok(None);
        };
        let whose = network(address);
        let mut under_way = self.under_way.lock();
        let count = under_way.entry(whose).or_default();
        if *count >= most.get() {
            return Err(TurnedAway::Crowd);
        }
        *count += 1;
        Ok(Some(Place {
            whose,
            under_way: Arc::clone(&self.under_way),
        }))
    }

    /// The router, with each request counted under the address that the proxy names.
    pub(super) fn behind_a_proxy(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), count))
    }
}

/// All addresses of an IPv6 site are one, for whoever has one has 2⁶⁴.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// For whom the proxy asks.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let named = headers.get_all(FORWARDED_FOR).iter().next_back()?;
    let last = named.to_str().ok()?.rsplit(',').next()?.trim();
    let bare = last.trim_start_matches('[').trim_end_matches(']');
    let with_port = || last.parse().ok().map(|peer: SocketAddr| peer.ip());
    bare.parse().ok().or_else(with_port)
}

async fn count(State(crowd): State<Crowd>, request: Request, next: Next) -> Response {
    let Some(address) = forwarded_for(request.headers()) else {
        // The proxy's own, such as to find out whether we live.
        return next.run(request).await;
    };
    match crowd.enter(address) {
        Err(turned) => {
            (crowd.limits.turned_away)(turned);
            let retry = [(header::RETRY_AFTER, "1")];
            (StatusCode::TOO_MANY_REQUESTS, retry, TOO_MANY).into_response()
        }
        Ok(place) => {
            let answer = next.run(request).await;
            answer.map(|body| {
                Body::new(Held {
                    body,
                    _place: place,
                })
            })
        }
    }
}

/// What is said on a connection that is closed at once.
pub(super) fn refusal() -> String {
    let length = TOO_MANY.len();
    format!(
        "HTTP/1.1 429 Too Many Requests\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{TOO_MANY}"
    )
}

/// An answer that counts as under way until its last byte was handed on.
struct Held {
    body: Body,
    _place: Option<Place>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn crowd() -> Crowd {
        Crowd::new(Limits {
            per_address: NonZeroU32::new(1),
            ..Limits::new(8)
        })
    }

    #[test]
    fn a_place_is_free_again_once_it_is_left() {
        let crowd = crowd();
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let place = crowd.enter(one).unwrap();
        assert!(crowd.enter(one).is_err());
        assert!(crowd.enter("192.0.2.2".parse().unwrap()).is_ok());
        drop(place);
        assert!(crowd.enter(one).is_ok());
        assert!(crowd.under_way.lock().is_empty());
    }

    #[test]
    fn an_ipv6_site_is_one_and_an_ipv4_address_is_itself_however_it_is_written() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::9"), of("2001:db8:1:3::9"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn only_what_the_proxy_added_last_is_believed() {
        let mut headers = HeaderMap::new();
        assert_eq!(forwarded_for(&headers), None);
        for (text, expected) in [
            ("203.0.113.9, 192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.7", Some("192.0.2.7")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("192.0.2.8:4711", Some("192.0.2.8")),
            ("[2001:db8::2]:4711", Some("2001:db8::2")),
            ("somebody", None),
        ] {
            headers.append(FORWARDED_FOR, text.parse().unwrap());
            let expected = expected.map(|text| text.parse::<IpAddr>().unwrap());
            assert_eq!(forwarded_for(&headers), expected, "{text}");
        }
    }
}
