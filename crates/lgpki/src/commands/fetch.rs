//! Fetches what lifecycle publishes, as a relying party does: plain HTTP.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::error::CommandError;

/// Fetches a file.
pub(super) async fn fetch(url: &str) -> Result<Vec<u8>, CommandError> {
    let failed = |e: &std::io::Error| CommandError::from_error(&format!("cannot fetch {url}"), e);
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| CommandError::new(format!("{url} is no HTTP address")))?;
    let mut stream = TcpStream::connect(host).await.map_err(|e| failed(&e))?;
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|e| failed(&e))?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .await
        .map_err(|e| failed(&e))?;
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n");
    match end {
        Some(end) if answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200") => {
            Ok(answer.split_off(end + 4))
        }
        _ => Err(CommandError::new(format!("{url} was not served"))),
    }
}
