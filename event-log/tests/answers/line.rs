//! The line of one client to its server, which can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Dropping it cuts the line for good.
pub(super) struct Line {
    pub(super) url: String,
    whole: watch::Sender<bool>,
    /// Connections that found the line cut.
    turned_away: Arc<AtomicU64>,
    _accepting: JoinSet<()>,
}

impl Line {
    pub(super) async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("nats://{}", listener.local_addr().expect("it is bound"));
        let (whole, turned_away) = (watch::Sender::new(true), Arc::default());
        let server = server.replace("nats://", "");
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, server, whole.subscribe(), Arc::clone(&turned_away)));
        Self { url, whole, turned_away, _accepting: accepting }
    }

    /// Cuts it, and waits until the client has noticed: what it sends from now on waits in the client.
    pub(super) async fn cut(&self) {
        self.whole.send_replace(false);
        let before = self.turned_away.load(Ordering::Relaxed);
        let noticed = async {
            while self.turned_away.load(Ordering::Relaxed) == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), noticed).await.expect("a client connects again");
    }

    pub(super) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn accept(
    listener: TcpListener,
    server: String,
    whole: watch::Receiver<bool>,
    turned_away: Arc<AtomicU64>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("the port is ours");
        if *whole.borrow() {
            connections.spawn(carry(client, server.clone(), whole.clone()));
        } else {
            turned_away.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Until either end closes, or the line is cut.
async fn carry(mut client: TcpStream, server: String, mut whole: watch::Receiver<bool>) {
    // A server that is away closes the client's connection, as it would without a line.
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = whole.wait_for(|whole| !whole) => {}
    }
}
