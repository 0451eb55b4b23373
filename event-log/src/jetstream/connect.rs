//! The connection.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::context::ContextBuilder;
use async_nats::{Client, ConnectOptions, Event, ServerAddr};

use super::{Context, JetStreamOptions};
use crate::OpenError;

/// The longest pause between two tries to connect again.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(2);

/// What the reply subjects of a connection for commands begin with; the log's is another, so that the permissions of
/// neither let it read what the other is answered.
const COMMAND_INBOX: &str = "_INBOX_drip_cmd";

/// A connection for commands, shown to the server under this name, to a server that is new enough. Only the first
/// connecting fails; a connection that is lost later comes back by itself. Commands must not share
/// the log's, because it may publish to the log.
pub async fn connect(options: &JetStreamOptions, name: &str) -> Result<Client, OpenError> {
    connect_with(options, name, COMMAND_INBOX).await
}

async fn connect_with(options: &JetStreamOptions, name: &str, inbox: &str) -> Result<Client, OpenError> {
    let url = without_password(&options.url);
    let unreachable = |error: &(dyn Error + 'static)| OpenError::Unreachable {
        url: url.clone(),
        reason: innermost(error).to_string(),
    };
    let servers: Result<Vec<ServerAddr>, _> =
        options.url.split(',').map(|server| server.trim().parse()).collect();
    let servers = servers.map_err(|error| unreachable(&error))?;
    let settings = settings(options).await?.custom_inbox_prefix(inbox).name(name);
    let settings = authenticated(settings, &servers);
    let client = settings.connect(servers).await.map_err(|error| unreachable(&error))?;
    // Older servers lose or double commits when a proposal fails or a leader changes.
    if !client.is_server_compatible(2, 14, 4) {
        return Err(OpenError::ServerTooOld { found: client.server_info().version, url });
    }
    Ok(client)
}

/// The log's own connection.
pub(super) async fn connect_log(options: &JetStreamOptions) -> Result<(Client, Context), OpenError> {
    let client = connect_with(options, "drip-log", &options.inbox_prefix).await?;
    let context = ContextBuilder::new().timeout(options.timeout).build(client.clone());
    Ok((client, context))
}

async fn settings(options: &JetStreamOptions) -> Result<ConnectOptions, OpenError> {
    let settings = match &options.credentials {
        None => ConnectOptions::new(),
        Some(file) => ConnectOptions::with_credentials_file(file)
            .await
            .map_err(|source| OpenError::Credentials { file: file.clone(), source })?,
    };
    Ok(settings.reconnect_delay_callback(pause).event_callback(reporter()))
}

/// Events of the connection as log lines. Only the connecting again after a loss is news.
fn reporter() -> impl Fn(Event) -> std::future::Ready<()> + Send + Sync + 'static {
    let lost = AtomicBool::new(false);
    move |event| {
        match event {
            Event::Disconnected => lost.store(true, Ordering::Relaxed),
            Event::Connected if !lost.swap(false, Ordering::Relaxed) => return std::future::ready(()),
            _ => {}
        }
        report(&event);
        std::future::ready(())
    }
}

/// The client library leaves what stands before the `@` of an address unused.
fn authenticated(settings: ConnectOptions, servers: &[ServerAddr]) -> ConnectOptions {
    let user =
        servers.iter().find_map(|server| Some((decoded(server.username()?), server.password().map(decoded))));
    match user {
        Some((user, Some(password))) => settings.user_and_password(user, password),
        Some((token, None)) => settings.token(token),
        None => settings,
    }
}

/// Without the percent signs by which a URL holds characters of its own.
fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        match piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => bytes.extend(std::iter::once(byte).chain(piece.bytes().skip(2))),
            None => bytes.extend(std::iter::once(b'%').chain(piece.bytes())),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn pause(attempts: usize) -> Duration {
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    Duration::from_millis(100).saturating_mul(attempts).min(RECONNECT_PAUSE_MAX)
}

/// A publish that the server does not permit is answered by an event alone, so events must be seen.
fn report(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to NATS again"),
        Event::Disconnected => tracing::warn!("lost the connection to NATS; connecting again"),
        Event::ServerError(error) => tracing::error!(%error, "NATS reported an error"),
        Event::ClientError(error) => tracing::warn!(%error, "the NATS client reported an error"),
        Event::SlowConsumer(_) => {
            tracing::warn!("messages were dropped: reading is too slow; they are read again")
        }
        Event::LameDuckMode => tracing::info!("the NATS server is about to stop; moving to another one"),
        Event::Draining | Event::Closed => tracing::debug!(%event, "the NATS connection ends"),
    }
}

/// What really happened, below the layers that only pass it on.
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

/// The address as it may be shown.
pub(super) fn without_password(url: &str) -> String {
    let hide = |server: &str| match (server.split_once("://"), server.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => server.to_owned(),
    };
    url.split(',').map(hide).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_of_an_address_is_decoded() {
        for (text, expected) in
            [("plain", "plain"), ("a%40b%2f", "a@b/"), ("100%", "100%"), ("%zz%2", "%zz%2")]
        {
            assert_eq!(decoded(text), expected);
        }
    }

    #[test]
    fn a_shown_address_holds_no_password() {
        let cases = [
            ("nats://a:4222", "nats://a:4222"),
            ("a:4222", "a:4222"),
            ("nats://user:p@ss@a:4222", "nats://a:4222"),
            ("token@a:4222", "a:4222"),
            ("nats://u:p@a,tls://u:p@b", "nats://a,tls://b"),
        ];
        for (url, shown) in cases {
            assert_eq!(without_password(url), shown);
        }
    }
}
