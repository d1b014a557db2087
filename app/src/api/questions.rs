//! What models are asked for a request: some at a time, never for longer than somebody waits for it, and never beyond the end of the
//! server. What is asked, and how it is counted, is not known here.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::problem::Problem;

/// Requests for which models are asked at a time. Each may take minutes and costs money.
const AT_ONCE: usize = 8;
/// When to come back where all places are taken, in seconds.
const COME_BACK: u16 = 30;

/// Those that are under way.
pub(super) struct Questions {
    places: Arc<Semaphore>,
    under_way: TaskTracker,
    shutdown: CancellationToken,
}

impl Questions {
    /// None yet. All end with `shutdown`.
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), under_way: TaskTracker::new(), shutdown }
    }

    /// Asks, until whoever waits for this hangs up or the server ends; `close` is what is done after it, whatever came of it.
    ///
    /// # Errors
    /// A problem where too many are under way, or the server ends.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        asking: impl Future<Output = T> + Send + 'static,
        close: impl Future<Output = ()> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| busy())?;
        let over = self.shutdown.child_token();
        let _waited_for = over.clone().drop_guard();
        let task = self.under_way.spawn(async move {
            let answer = over.run_until_cancelled(asking).await;
            close.await;
            drop(place);
            answer
        });
        let answer = task.await.map_err(|error| Problem::internal(&error))?;
        answer.ok_or_else(|| Problem::unavailable(&"the server ends"))
    }

    /// Waits until all have ended and are counted, once `shutdown` has been cancelled.
    pub(super) async fn ended(&self) {
        self.under_way.close();
        self.under_way.wait().await;
    }
}

fn busy() -> Problem {
    let detail = format!("models are asked for {AT_ONCE} requests already, as many as this server takes at a time");
    Problem::new("unavailable", format!("{detail}; try again later")).after_s(COME_BACK)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed expectation fails the test")]
    use std::future::{pending, ready};

    use tokio::sync::mpsc;

    use super::*;

    fn questions() -> (Arc<Questions>, CancellationToken) {
        let shutdown = CancellationToken::new();
        (Arc::new(Questions::new(shutdown.clone())), shutdown)
    }

    /// Asks what is never answered; tells when it has begun, and when it is counted.
    fn ask(
        questions: &Arc<Questions>,
        told: &mpsc::UnboundedSender<&'static str>,
    ) -> tokio::task::JoinHandle<Result<(), Problem>> {
        let (questions, begun, counted) = (Arc::clone(questions), told.clone(), told.clone());
        tokio::spawn(async move {
            let asking = async move {
                begun.send("begun").unwrap();
                pending::<()>().await;
            };
            questions.ask(asking, async move { counted.send("counted").unwrap() }).await
        })
    }

    #[tokio::test]
    async fn so_many_are_asked_at_once_and_whoever_hangs_up_makes_room() {
        let (questions, _shutdown) = questions();
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut waiting = Vec::new();
        for _ in 0..AT_ONCE {
            waiting.push(ask(&questions, &tell));
            assert_eq!(told.recv().await, Some("begun"));
        }
        let refused = questions.ask(ready(7), ready(())).await.unwrap_err();
        assert_eq!((refused.name(), refused.retry_after_s), ("unavailable", Some(COME_BACK)));
        waiting.remove(0).abort();
        assert_eq!(told.recv().await, Some("counted"));
        while questions.places.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(questions.ask(ready(7), ready(())).await, Ok(7));
    }

    #[tokio::test]
    async fn the_end_of_the_server_ends_them_and_waits_until_they_are_counted() {
        let (questions, shutdown) = questions();
        let (tell, mut told) = mpsc::unbounded_channel();
        let (waiting, gone) = (ask(&questions, &tell), ask(&questions, &tell));
        assert_eq!((told.recv().await, told.recv().await), (Some("begun"), Some("begun")));
        gone.abort();
        shutdown.cancel();
        questions.ended().await;
        assert_eq!((told.try_recv(), told.try_recv()), (Ok("counted"), Ok("counted")));
        let problem = waiting.await.unwrap().unwrap_err();
        assert_eq!((problem.name(), &*problem.detail), ("unavailable", "the server ends; try again later"));
    }
}
