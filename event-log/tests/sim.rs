//! The simulated log: the contract, with one server and with three.

use std::sync::Arc;

use event_log::sim::{Replicas, ServedSim};
use event_log::{EventLog, contract};

use crate::setup::IDENTITY;

/// A log in memory.
struct Fresh(ServedSim);

impl Fresh {
    fn of(replicas: Replicas) -> Self {
        Self(ServedSim::new(IDENTITY, replicas, 1))
    }

    fn log(&self) -> Arc<dyn EventLog> {
        Arc::new(self.0.connect())
    }
}

/// The contract with so many servers.
macro_rules! keeps {
    ($name:ident, $replicas:expr) => {
        mod $name {
            use super::*;

            async fn fresh() -> Fresh {
                Fresh::of($replicas)
            }

            mod keeps {
                crate::contract!();
            }

            #[tokio::test]
            async fn of_two_racing_appenders_one_wins_each_sequence() {
                let fresh = fresh().await;
                contract::of_two_racing_appenders_one_wins_each_sequence(fresh.log(), fresh.log()).await;
            }

            #[tokio::test]
            async fn reopening_keeps_everything() {
                let fresh = fresh().await;
                contract::reopening_keeps_everything(fresh.log(), async { fresh.log() }).await;
            }

            #[tokio::test]
            async fn kept_anchors_never_go_backwards() {
                contract::kept_anchors_never_go_backwards(fresh().await.log()).await;
            }

            #[tokio::test]
            async fn of_two_who_keep_anchors_at_once_the_highest_stays() {
                let fresh = fresh().await;
                contract::of_two_who_keep_anchors_at_once_the_highest_stays(fresh.log(), fresh.log()).await;
            }
        }
    };
}
keeps!(one_server, Replicas::One);
keeps!(three_servers, Replicas::Three);
