//! The end of a task that is waited for.

use std::panic::resume_unwind;

use tokio::task::JoinError;

/// What a task of ours gave. Its panic goes on here. One that was cut off ended with the runtime, and so does whoever
/// waits for it.
pub async fn outcome<T>(ended: Result<T, JoinError>) -> T {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(given) => given,
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(_cut_off)) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::*;

    /// What came of this end, if anything.
    async fn came_of<T>(ended: Result<T, JoinError>) -> Option<T> {
        tokio::time::timeout(Duration::from_secs(60), outcome(ended)).await.ok()
    }

    async fn end_of(mut tasks: JoinSet<u8>) -> Result<u8, JoinError> {
        tasks.join_next().await.expect("one was spawned")
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_task_gave_is_given_on_and_nothing_comes_of_one_that_was_cut_off() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async { 7 });
        assert_eq!(came_of(end_of(tasks).await).await, Some(7));
        let mut tasks = JoinSet::new();
        tasks.spawn(std::future::pending());
        tasks.abort_all();
        assert_eq!(came_of(end_of(tasks).await).await, None);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "in the task")]
    async fn a_panic_goes_on() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async { panic!("in the task") });
        came_of(end_of(tasks).await).await.expect("it is told");
    }
}
