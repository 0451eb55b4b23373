//! Connections: each answered by a router, and closed without an answer where a fault says so.

use std::convert::Infallible;
use std::io;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::serve::{Listener as _, ListenerExt as _};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::gate::Dropped;

/// Serves for ever; whatever is open ends with the future.
pub(crate) async fn serve(listener: TcpListener, router: Router) -> Infallible {
    // Small answers must not wait for the acknowledgement of the one before; if they do, nothing breaks.
    let mut listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (stream, _) = listener.accept() => {
                connections.spawn(connection(stream, router.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let service = service_fn(move |request: hyper::Request<Incoming>| one(router.clone(), request));
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).half_close(true);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection of the sandbox ended early");
    }
}

/// An error closes the connection with nothing written.
async fn one(router: Router, request: hyper::Request<Incoming>) -> io::Result<Response> {
    let response = router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {});
    match response.extensions().get::<Dropped>() {
        Some(_) => Err(io::Error::other("a fault drops this connection")),
        None => Ok(response),
    }
}
