//! Channels to the services.
//!
//! A channel connects when it is first used and again whenever the connection was lost; a call made
//! while the service is away fails with UNAVAILABLE and may be tried again.

use std::{sync::Arc, time::Duration};

use http::Uri;
use hyper_util::rt::TokioIo;
use lgpki_domain::Clock;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    config::Target,
    error::RuntimeError,
    tls::{Identity, TrustAnchors, client_config},
};

/// How long a connection, with its handshake, may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How often an idle connection is pinged.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Bytes of header fields taken from a server: a status with many faults is large.
const HEADERS: u32 = 32 * 1024;

/// Everything needed to call a service.
#[derive(Clone, Debug)]
pub struct Dial {
    /// Which service, where.
    pub target: Target,
    /// Who calls; without one only health and reflection answer.
    pub identity: Option<Identity>,
    /// The CAs that may have named the server.
    pub anchors: TrustAnchors,
    /// The time by which certificates are judged.
    pub clock: Arc<dyn Clock>,
}

/// A channel to a service; does not connect yet. Must be called within a tokio runtime.
pub fn connect(dial: Dial) -> Result<Channel, RuntimeError> {
    let target = dial.target;
    let wrong = || RuntimeError::Target {
        address: target.address().to_owned(),
    };
    let name = ServerName::try_from(target.server_name().to_owned()).map_err(|_| wrong())?;
    let role = target.service().map(lgpki_proto::ServiceName::role);
    let config = client_config(dial.identity.as_ref(), dial.anchors, role, dial.clock)?;
    let tls = TlsConnector::from(Arc::new(config));
    let address: Arc<str> = Arc::from(target.address());
    let endpoint = Endpoint::from_shared(format!("https://{address}"))
        .map_err(|_| wrong())?
        .connect_timeout(CONNECT)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .http2_max_header_list_size(HEADERS)
        .tcp_nodelay(true);
    let connector = tower::service_fn(move |_: Uri| {
        let (tls, name, address) = (tls.clone(), name.clone(), Arc::clone(&address));
        async move { open(&tls, name, &address).await.map(TokioIo::new) }
    });
    Ok(endpoint.connect_with_connector_lazy(connector))
}

async fn open(
    tls: &TlsConnector,
    name: ServerName<'static>,
    address: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    tls.connect(name, stream).await
}

/// Whether a service answers within `time` that it serves. One without a health service answers too.
pub async fn is_serving(channel: &Channel, time: Duration) -> bool {
    let asked = within(time, HealthCheckRequest::default());
    match HealthClient::new(channel.clone()).check(asked).await {
        Ok(answer) => answer.into_inner().status() == ServingStatus::Serving,
        Err(status) => status.code() == tonic::Code::Unimplemented,
    }
}

/// A request that must be answered within `time`; the server is told, and the client gives up.
pub fn within<T>(time: Duration, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(time);
    request
}
