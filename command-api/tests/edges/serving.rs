//! The server on a real socket.

use std::time::Duration;

use command_api::edge::http;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::world::World;

async fn exchange(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("an answer must come").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn the_server_answers_on_a_socket_reads_large_bodies_out_and_stops_when_asked() {
    let world = World::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = http::serve(listener, world.state.clone(), stop.clone());
    let asking = async {
        let head = format!("Host: drip\r\nAuthorization: Bearer {}\r\nConnection: close\r\n", world.key);
        let get = format!("GET /v1/users/nobody HTTP/1.1\r\n{head}\r\n");
        let answer = exchange(&mut TcpStream::connect(address).await.unwrap(), get.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("\"account_unknown\""), "{answer}");

        let size = 12 * 1024 * 1024;
        let typed = format!("{head}Content-Type: application/json\r\nContent-Length: {size}\r\n");
        let mut large = format!("POST /v1/users HTTP/1.1\r\n{typed}\r\n").into_bytes();
        large.resize(large.len() + size, b' ');
        let answer = exchange(&mut TcpStream::connect(address).await.unwrap(), &large).await;
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("\"payload_too_large\""), "{answer}");
        stop.cancel();
    };
    let (served, ()) = tokio::time::timeout(Duration::from_secs(40), async { tokio::join!(serving, asking) })
        .await
        .expect("the server must stop when asked");
    served.unwrap();
}

#[tokio::test]
async fn a_connection_whose_head_does_not_arrive_is_closed() {
    let world = World::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = http::serve(listener, world.state.clone(), stop.clone());
    let asking = async {
        let half = async || exchange(&mut TcpStream::connect(address).await.unwrap(), b"GET / HT").await;
        let silent = async || exchange(&mut TcpStream::connect(address).await.unwrap(), b"").await;
        tokio::join!(half(), silent());
        stop.cancel();
    };
    let (served, ()) = tokio::join!(serving, asking);
    served.unwrap();
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_up_a_stop_for_long() {
    let world = World::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = http::serve(listener, world.state.clone(), stop.clone());
    let asking = async {
        let mut half = TcpStream::connect(address).await.unwrap();
        let head = format!("Host: drip\r\nAuthorization: Bearer {}\r\n", world.key);
        let typed = format!("{head}Content-Type: application/json\r\nContent-Length: 100\r\n");
        half.write_all(format!("POST /v1/users HTTP/1.1\r\n{typed}\r\n{{").as_bytes()).await.unwrap();
        // Whoever is answered later knows that the half request has begun.
        let get = format!("GET /v1/users/nobody HTTP/1.1\r\n{head}Connection: close\r\n\r\n");
        exchange(&mut TcpStream::connect(address).await.unwrap(), get.as_bytes()).await;
        stop.cancel();
        half
    };
    let both = async { tokio::join!(serving, asking) };
    let (served, _half) = tokio::time::timeout(Duration::from_secs(8), both).await.expect("it must stop");
    served.unwrap();
}
