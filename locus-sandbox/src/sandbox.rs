//! Starting, running and stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::error::Error;
use crate::gate::{Gate, pass};
use crate::handle::Handle;
use crate::record::Service;
use crate::serve::serve;
use crate::store::Shared;
use crate::webhooks::Delivery;
use crate::{build, control, mail, page, pay, state_file};

/// How long nothing may happen before the clock is looked at again.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// A running sandbox. It answers from [`Self::start`] on, in tasks of its own that end when it is dropped. Everything it
/// can be told and asked is on the [`Handle`] it derefs to.
#[derive(Debug)]
pub struct Sandbox {
    handle: Handle,
    tasks: JoinSet<&'static str>,
}

impl Deref for Sandbox {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Sandbox {
    /// Binds both listeners and answers from now on.
    ///
    /// # Errors
    ///
    /// An address is taken, or the state file can not be read.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let store = state_file::load(&config)?;
        let (services, public_url) = bind(config.listen, config.public_url.as_ref()).await?;
        let (orders, control_url) = bind(config.control, config.control_url.as_ref()).await?;
        // A webhook goes to where it was registered, not to where that points.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = client.no_proxy().build().map_err(Error::Client)?;
        let shared = Arc::new(Shared::new(config, [public_url, control_url], client, store));
        shared.save()?;
        let handle = Handle(Arc::clone(&shared));
        let mut tasks = JoinSet::new();
        tasks.spawn(named("services", serve(services, public_router(&shared))));
        tasks.spawn(named("control", serve(orders, control::router(handle.clone()))));
        tasks.spawn(named("clock", keep_time(Arc::clone(&shared))));
        if shared.state_file().is_some() {
            tasks.spawn(named("state file", async move { shared.keep_state().await }));
        }
        Ok(Self { handle, tasks })
    }

    /// Waits until `shutdown`, then stops and saves. Nobody has to call it: it is for a host that supervises its tasks.
    ///
    /// # Errors
    ///
    /// A task of the sandbox ended before, or the state file can not be written.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        tokio::select! {
            () = shutdown => {}
            Some(ended) = self.tasks.join_next() => {
                return Err(Error::Ended(ended.map_or_else(|error| error.to_string(), str::to_owned)));
            }
        }
        self.tasks.shutdown().await;
        self.handle.0.save()
    }

    /// Something to speak to it with from elsewhere.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Err(error) = self.handle.0.save() {
            tracing::error!(%error, "the last changes of the sandbox are lost");
        }
    }
}

/// A listener, and how it is reached.
async fn bind(address: SocketAddr, url: Option<&String>) -> Result<(TcpListener, String), Error> {
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Bind { address, source })?;
    let bound = listener.local_addr().map_err(|source| Error::Bind { address, source })?;
    let url = url.map_or_else(|| format!("http://{bound}"), |url| url.trim_end_matches('/').to_owned());
    Ok((listener, url))
}

async fn named<T>(name: &'static str, task: impl Future<Output = T>) -> &'static str {
    task.await;
    name
}

fn public_router(shared: &Arc<Shared>) -> Router {
    let gated = |router: Router<Arc<Shared>>, service| {
        router.layer(from_fn_with_state(Gate { shared: Arc::clone(shared), service }, pass))
    };
    Router::new()
        .merge(gated(pay::router(), Service::Pay))
        .merge(gated(build::router(), Service::Build))
        .merge(gated(mail::router(), Service::Mail))
        .merge(build::service_urls())
        .route("/checkout/{id}", get(page::checkout))
        .fallback(async || (axum::http::StatusCode::NOT_FOUND, Json(json!({"error": "Not found"}))))
        .with_state(Arc::clone(shared))
}

/// Lets things happen when they are due, and sends what is to be sent.
async fn keep_time(shared: Arc<Shared>) {
    let mut changes = shared.changes();
    let mut deliveries = JoinSet::new();
    loop {
        changes.mark_unchanged();
        let (due, next) = shared.look(|turn| (turn.take_deliveries(), turn.store.timers.next()));
        due.into_iter().for_each(|delivery| drop(deliveries.spawn(deliver(Arc::clone(&shared), delivery))));
        let nap = next.map_or(LONGEST_NAP, |next| shared.clock.until(next).min(LONGEST_NAP));
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            _ = changes.changed() => {}
            Some(_) = deliveries.join_next() => {}
        }
    }
}

async fn deliver(shared: Arc<Shared>, delivery: Delivery) {
    shared.deliver(delivery).await;
}
