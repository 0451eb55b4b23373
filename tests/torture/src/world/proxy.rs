//! A wire between two processes that can be bad: a TCP proxy that delays, stalls or cuts what passes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::select;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// As it should be.
    Good,
    /// Connections are closed, and new ones too.
    Cut,
    /// What the client sends does not arrive until the wire is good again; then it does, late.
    StalledToServer,
    /// What the server answers does not arrive until the wire is good again.
    StalledToClient,
    /// Nothing arrives either way, and nobody is told: a half-open connection.
    Silent,
    /// Every piece takes so many milliseconds.
    Slow(u64),
}

impl Wire {
    fn stalls(self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => matches!(self, Self::StalledToServer | Self::Silent),
            Direction::ToClient => matches!(self, Self::StalledToClient | Self::Silent),
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    ToServer,
    ToClient,
}

/// A port of ours that leads to another one. Dropping it cuts the wire for good.
pub(crate) struct Proxy {
    port: u16,
    server: Arc<AtomicU16>,
    wire: Arc<watch::Sender<Wire>>,
    _accepting: JoinSet<()>,
}

impl Proxy {
    /// A good wire to a port of this machine.
    pub(crate) async fn to(server: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", test_servers::free_port())).await;
        let listener = listener.context("the proxy found no free port")?;
        let port = listener.local_addr()?.port();
        let wire = Arc::new(watch::Sender::new(Wire::Good));
        let mut accepting = JoinSet::new();
        let server = Arc::new(AtomicU16::new(server));
        accepting.spawn(accept(listener, Arc::clone(&server), Arc::clone(&wire)));
        Ok(Self { port, server, wire, _accepting: accepting })
    }

    /// Where clients connect.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// New connections lead to this port from now on.
    pub(crate) fn lead_to(&self, server: u16) {
        self.server.store(server, Ordering::Relaxed);
    }

    /// Makes the wire so, for connections that are there too.
    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn accept(listener: TcpListener, server: Arc<AtomicU16>, wire: Arc<watch::Sender<Wire>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                let server = SocketAddr::from(([127, 0, 0, 1], server.load(Ordering::Relaxed)));
                connections.spawn(connection(client, server, wire.subscribe()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, server: SocketAddr, mut wire: watch::Receiver<Wire>) {
    if *wire.borrow_and_update() == Wire::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    // A wire that holds pieces back would measure Nagle's algorithm otherwise.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let there = pump(from_client, to_server, wire.clone(), Direction::ToServer);
    let back = pump(from_server, to_client, wire.clone(), Direction::ToClient);
    let cut = wire.wait_for(|wire| *wire == Wire::Cut);
    // Either end closing, or a cut, closes both: halves that live on alone are no fault of the wire's.
    tokio::select! {
        _ = select(Box::pin(there), Box::pin(back)) => {}
        _ = cut => {}
    }
}

/// Carries bytes until one side is gone.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut wire: watch::Receiver<Wire>,
    direction: Direction,
) -> Option<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let size = from.read(&mut piece).await.ok().filter(|size| *size > 0)?;
        wire.wait_for(|wire| !wire.stalls(direction)).await.ok()?;
        let wire = *wire.borrow();
        if let Wire::Slow(millis) = wire {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        to.write_all(&piece[..size]).await.ok()?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> (u16, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                all.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        (port, serving)
    }

    /// What comes back within a quarter of a second; empty when the connection ends.
    async fn ask(stream: &mut TcpStream, text: &str) -> Option<String> {
        let mut piece = [0; 64];
        let asked = async {
            stream.write_all(text.as_bytes()).await.ok()?;
            stream.read(&mut piece).await.ok()
        };
        let size = tokio::time::timeout(Duration::from_millis(250), asked).await.ok()?.unwrap_or(0);
        Some(String::from_utf8_lossy(&piece[..size]).into_owned())
    }

    #[tokio::test]
    async fn a_wire_is_as_bad_as_it_was_made() {
        let (port, _serving) = echo().await;
        let proxy = Proxy::to(port).await.unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert_eq!(ask(&mut stream, "a").await.as_deref(), Some("a"));
        for wire in [Wire::StalledToServer, Wire::StalledToClient, Wire::Silent] {
            proxy.set(wire);
            assert_eq!(ask(&mut stream, "b").await, None, "{wire:?}");
            proxy.set(Wire::Good);
            assert_eq!(ask(&mut stream, "").await.as_deref(), Some("b"), "late, but not lost: {wire:?}");
        }
        proxy.set(Wire::Slow(100));
        let begin = Instant::now();
        assert_eq!(ask(&mut stream, "c").await.as_deref(), Some("c"));
        assert!(begin.elapsed() >= Duration::from_millis(200));
        proxy.set(Wire::Cut);
        assert_eq!(ask(&mut stream, "d").await.as_deref(), Some(""));
        let mut second = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert_eq!(ask(&mut second, "e").await.as_deref(), Some(""));
        proxy.set(Wire::Good);
        let mut third = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert_eq!(ask(&mut third, "f").await.as_deref(), Some("f"));
    }

    #[tokio::test]
    async fn a_wire_can_lead_somewhere_else() {
        let (port, _serving) = echo().await;
        let proxy = Proxy::to(test_servers::free_port()).await.unwrap();
        let mut nobody = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert_eq!(ask(&mut nobody, "a").await.as_deref().unwrap_or_default(), "");
        proxy.lead_to(port);
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert_eq!(ask(&mut stream, "b").await.as_deref(), Some("b"));
    }
}
