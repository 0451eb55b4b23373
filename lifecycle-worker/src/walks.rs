//! One walk through a long list for all who need it at the same time.
//!
//! A provider that can not be asked for a name gives out the list of everything, page by page. Where many accounts are
//! new, each of them reading the whole list to look for its own project would be most of all the work. So who asks waits
//! for the next walk and shares it. It begins after all who share it have asked: what was there then, it sees.

use std::sync::{Arc, Mutex, MutexGuard};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};

type Walk<T> = Shared<BoxFuture<'static, T>>;

/// Walks, one at a time.
pub(crate) struct Walks<T: Clone> {
    /// The one that has not begun.
    next: Arc<Mutex<Option<Walk<T>>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<T: Clone> Default for Walks<T> {
    fn default() -> Self {
        Self { next: Arc::default(), turn: Arc::default() }
    }
}

impl<T: Clone + Send + Sync + 'static> Walks<T> {
    /// What a walk finds that begins from now on: this one, if nobody else waits for one.
    pub(crate) async fn join(&self, walk: impl Future<Output = T> + Send + 'static) -> T {
        let (next, turn) = (Arc::clone(&self.next), Arc::clone(&self.turn));
        let in_turn = async move {
            let _turn = turn.lock().await;
            // Who asks from now on may ask for something that this one has passed by already.
            taken(&next).take();
            walk.await
        };
        let next = taken(&self.next).get_or_insert_with(|| in_turn.boxed().shared()).clone();
        next.await
    }
}

fn taken<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().expect("nobody panics while holding it")
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    /// Walks that tell when they begin, and end with their number when they are let.
    struct Told {
        walks: Walks<u32>,
        begun: mpsc::UnboundedSender<oneshot::Sender<u32>>,
    }

    impl Told {
        async fn ask(&self) -> u32 {
            let begun = self.begun.clone();
            let walk = async move {
                let (end, ended) = oneshot::channel();
                begun.send(end).expect("the test goes on");
                ended.await.expect("it is let end")
            };
            self.walks.join(walk).await
        }
    }

    #[tokio::test]
    async fn who_asks_shares_the_next_walk_and_never_one_under_way() {
        let (begun, mut walks) = mpsc::unbounded_channel();
        let told = Told { walks: Walks::default(), begun };
        let mut first = told.ask().boxed();
        assert!((&mut first).now_or_never().is_none());
        let end_first = walks.try_recv().expect("who asks alone does not wait");
        let mut others = join_all((0..5).map(|_| told.ask())).boxed();
        assert!((&mut others).now_or_never().is_none());
        assert!(walks.try_recv().is_err(), "one at a time");
        end_first.send(1).expect("it is waited for");
        assert_eq!(first.await, 1);
        assert!((&mut others).now_or_never().is_none(), "what it saw may be of before they asked");
        walks.try_recv().expect("the next one begins").send(2).expect("it is waited for");
        assert_eq!(others.await, [2; 5]);
        assert!(walks.try_recv().is_err(), "one was enough for all");
    }

    #[tokio::test]
    async fn who_leaves_holds_nobody_up() {
        let (begun, mut walks) = mpsc::unbounded_channel();
        let told = Told { walks: Walks::default(), begun };
        let (mut first, mut second) = (told.ask().boxed(), told.ask().boxed());
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        drop(walks.try_recv().expect("the first has begun"));
        drop((first, second));
        let mut third = told.ask().boxed();
        assert!((&mut third).now_or_never().is_none());
        walks.try_recv().expect("a new one begins").send(3).expect("it is waited for");
        assert_eq!(third.await, 3);
    }
}
