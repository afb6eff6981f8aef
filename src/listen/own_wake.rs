//! A future whose parts wake one another, polled once more where it stands.
//!
//! Within a connection whoever reads a request's body wakes whoever brings it, and both are one task. A runtime takes a
//! task that is woken while it is polled for one that yields: it puts it behind the others and wakes a second thread to
//! take it, which costs more than what is left to be done. Here such a wake is noted, and the future is polled again at
//! once. What wakes it at any other time wakes the task as ever.
//!
//! A connection that may have to make room counts on yielding, so that the runtime looks at its socket before it is
//! closed; that one is let be.

use crate::sync::lock;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Wake;
use std::task::Waker;

/// The same future, which does not yield where it wakes itself while `stays` says so.
pub(super) async fn without_yielding<F: Future>(future: F, stays: impl Fn() -> bool) -> F::Output {
    let mut future = pin!(future);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    std::future::poll_fn(|context| {
        bell.task.hang(context.waker());
        let mut inner = Context::from_waker(&waker);
        match stays() {
            true => bell.poll(future.as_mut(), &mut inner),
            false => future.as_mut().poll(&mut inner),
        }
    })
    .await
}

/// The same future, polled only where something woke it, however often its task is polled. It must not count on being
/// looked at when its neighbours are.
pub(super) async fn when_woken<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let call = Arc::new(Call::default());
    let waker = Waker::from(Arc::clone(&call));
    let mut is_first = true;
    std::future::poll_fn(|context| {
        call.task.hang(context.waker());
        let is_called = call.came.swap(false, Ordering::SeqCst);
        match is_called || std::mem::take(&mut is_first) {
            true => future.as_mut().poll(&mut Context::from_waker(&waker)),
            false => Poll::Pending,
        }
    })
    .await
}

/// What a future is woken by that is polled for nothing else.
#[derive(Debug, Default)]
struct Call {
    /// It was woken, and not polled since.
    came: AtomicBool,
    task: Task,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.came.store(true, Ordering::SeqCst);
        self.task.wake();
    }
}

/// The task that a future is a part of.
#[derive(Debug, Default)]
struct Task(Mutex<Option<Waker>>);

impl Task {
    fn hang(&self, waker: &Waker) {
        let mut task = lock(&self.0);
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    fn wake(&self) {
        let task = lock(&self.0);
        task.iter().for_each(Waker::wake_by_ref);
    }
}

/// What the future wakes.
#[derive(Debug, Default)]
struct Bell {
    /// One of the constants below.
    state: AtomicU8,
    task: Task,
}

/// Nobody polls the future.
const RESTING: u8 = 0;
/// It is being polled.
const POLLED: u8 = 1;
/// It is being polled, and was woken since that began.
const RUNG: u8 = 2;

impl Bell {
    fn poll<F: Future>(
        self: &Arc<Bell>,
        mut future: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<F::Output> {
        for _ in 0..POLLS_MAX {
            self.state.store(POLLED, Ordering::SeqCst);
            let polled = future.as_mut().poll(context);
            let was = self.state.swap(RESTING, Ordering::SeqCst);
            if polled.is_ready() || was != RUNG {
                return polled;
            }
        }
        self.wake_by_ref(); // It has had its share; the others are next.
        Poll::Pending
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let rung = self
            .state
            .compare_exchange(POLLED, RUNG, Ordering::SeqCst, Ordering::SeqCst);
        if rung == Err(RESTING) {
            self.task.wake();
        }
    }
}

/// Polls of one turn, after which a future that goes on waking itself lets others run. A request takes three.
const POLLS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    /// Counts how often the task is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Polls once; whether it is done, and how often the task was woken by then.
    fn polled(task: &Arc<Woken>, future: Pin<&mut impl Future<Output = ()>>) -> (bool, usize) {
        let waker = Waker::from(Arc::clone(task));
        let polled = future.poll(&mut Context::from_waker(&waker));
        (polled.is_ready(), task.0.load(Ordering::SeqCst))
    }

    /// Wakes itself so often, then is done.
    fn restless(mut wakes: usize) -> impl Future<Output = ()> {
        poll_fn(move |context| match wakes {
            0 => Poll::Ready(()),
            _ => {
                wakes -= 1;
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
    }

    #[test]
    fn what_wakes_itself_is_polled_again_and_wakes_no_task() {
        let task = Arc::new(Woken::default());
        let future = pin!(without_yielding(restless(POLLS_MAX - 1), || true));
        assert_eq!(polled(&task, future), (true, 0));
    }

    #[test]
    fn what_may_not_stay_yields() {
        let task = Arc::new(Woken::default());
        let mut future = pin!(without_yielding(restless(1), || false));
        assert_eq!(polled(&task, future.as_mut()), (false, 1));
        assert_eq!(polled(&task, future), (true, 1));
    }

    #[test]
    fn what_wakes_itself_for_ever_lets_others_run() {
        let task = Arc::new(Woken::default());
        let mut future = pin!(without_yielding(restless(POLLS_MAX), || true));
        assert_eq!(polled(&task, future.as_mut()), (false, 1));
        assert_eq!(polled(&task, future), (true, 1));
    }

    #[test]
    fn what_is_woken_while_it_rests_wakes_its_task_of_then() {
        let kept = Mutex::new(None);
        let woken = poll_fn(|context| {
            let before = kept
                .lock()
                .expect("nobody panics with it")
                .replace(context.waker().clone());
            match before {
                None => Poll::Pending,
                Some(_) => Poll::Ready(()),
            }
        });
        let mut future = pin!(without_yielding(woken, || true));
        let task = Arc::new(Woken::default());
        assert_eq!(polled(&task, future.as_mut()), (false, 0));
        let waker = kept
            .lock()
            .expect("nobody panics with it")
            .clone()
            .expect("it was polled");
        waker.wake_by_ref();
        assert_eq!(task.0.load(Ordering::SeqCst), 1);
        assert_eq!(polled(&task, future), (true, 1));
    }

    #[test]
    fn what_is_polled_when_it_is_woken_is_not_polled_for_its_neighbours() {
        let (polls, kept) = (AtomicUsize::new(0), Mutex::new(None));
        let counted = poll_fn(|context| {
            *kept.lock().expect("nobody panics with it") = Some(context.waker().clone());
            match polls.fetch_add(1, Ordering::SeqCst) {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        });
        let task = Arc::new(Woken::default());
        let mut future = pin!(when_woken(counted));
        for _ in 0..3 {
            assert_eq!(polled(&task, future.as_mut()), (false, 0));
        }
        assert_eq!(polls.load(Ordering::SeqCst), 1);
        let waker = kept.lock().expect("nobody panics with it").take();
        waker.expect("it was polled").wake();
        assert_eq!(polled(&task, future), (true, 1));
    }
}
