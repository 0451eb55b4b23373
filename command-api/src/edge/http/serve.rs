//! Connections: each answered by the router, none kept open by who says nothing.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::serve::{Listener as _, ListenerExt as _};
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use crate::edge::EdgeState;

/// How long the head of a request may take to arrive.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a caller may leave an answer unread before it is let go.
const UNREAD_PATIENCE: Duration = Duration::from_secs(15);
/// How much of a connection is kept in memory in each direction, but for what the last read brings on top. The head of a
/// request must fit: one that is longer is refused, unless a single read made it whole.
const BUFFER_MAX: usize = 64 * 1024;
/// How long a stop waits for requests that are under way.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Serves until `shutdown`, then gives what is under way a few seconds and ends the rest.
///
/// Errors: the listener is none any more.
pub async fn serve(listener: TcpListener, state: EdgeState, shutdown: CancellationToken) -> io::Result<()> {
    tracing::debug!(address = %listener.local_addr()?, "answering over HTTP");
    let mut listener = listener.tap_io(at_once);
    let router = super::router_until(state, shutdown.clone());
    let server = Server { builder: builder(), router, graceful: GracefulShutdown::new() };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            (stream, _) = listener.accept() => server.take(stream, &mut connections),
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    server.stop().await;
    // Whatever is still open ends with the set.
    Ok(())
}

/// Small answers must not wait for the acknowledgement of the one before.
fn at_once(stream: &mut TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(BUFFER_MAX);
    // Who has said all may close its side and wait for the answer.
    builder.half_close(true);
    builder
}

struct Server {
    builder: Builder,
    router: Router,
    graceful: GracefulShutdown,
}

impl Server {
    fn take(&self, stream: TcpStream, connections: &mut JoinSet<()>) {
        let service = TowerToHyperService::new(self.router.clone());
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(UNREAD_PATIENCE));
        let connection = self.builder.serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = self.graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }

    /// Whoever never ends their request must not make the stop fail.
    async fn stop(self) {
        if tokio::time::timeout(STOP_PATIENCE, self.graceful.shutdown()).await.is_err() {
            tracing::warn!("requests that were still under way are ended by the stop");
        }
    }
}
