//! Work that nobody waits for any more ends early.
//!
//! Whoever runs a correlation does so within [`Stop::during`]; the functions of this module take up the sign at their
//! beginning, hand it to their threads, and look at it row by row or group by group. What they give after a stop is of no
//! use, and their caller, who has it, throws it away.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

thread_local! {
    static OF_THIS_THREAD: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// A sign that some work is of no use any more. Clones are one sign.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

/// Gives the sign when it is dropped.
#[derive(Debug)]
pub struct StopOnDrop(Stop);

impl Stop {
    /// Runs work on this thread that looks at this sign.
    pub fn during<A>(&self, work: impl FnOnce() -> A) -> A {
        /// Also where the work panics.
        struct Before(Option<Stop>);

        impl Drop for Before {
            fn drop(&mut self) {
                OF_THIS_THREAD.set(self.0.take());
            }
        }

        let _before = Before(OF_THIS_THREAD.replace(Some(self.clone())));
        work()
    }

    /// The sign that this thread's work looks at; one that nobody gives where there is none.
    #[must_use]
    pub fn current() -> Self {
        OF_THIS_THREAD.with_borrow(|stop| stop.clone().unwrap_or_default())
    }

    /// Gives the sign.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Gives the sign when what is returned is dropped.
    #[must_use]
    pub fn when_dropped(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }

    /// Whether the sign was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use ndarray::Array2;

    use super::*;
    use crate::{
        correlation::{matrix, one_vs_all, rolling, top_pairs},
        question::{Method, Order},
    };

    #[test]
    fn a_thread_looks_at_the_sign_of_its_work_alone() {
        let stop = Stop::default();
        stop.during(|| {
            assert!(!Stop::current().is_given());
            drop(stop.when_dropped());
            assert!(Stop::current().is_given());
            Stop::default().during(|| assert!(!Stop::current().is_given()));
            assert!(Stop::current().is_given());
        });
        assert!(!Stop::current().is_given());
    }

    #[test]
    fn every_kind_of_long_work_ends_soon_after_the_sign() {
        // Ranks of pairs with gaps are computed pair by pair: minutes of work.
        let values = Array2::from_shape_fn((700, 900), |(row, column)| {
            if (row * 7 + column * 13) % 9 == 0 { f64::NAN } else { ((row * column) % 101) as f64 }
        });
        let whole = std::slice::from_ref(&(0..900));
        let many = vec![0..900; 300];
        let works: [(&str, &(dyn Fn() + Sync)); 4] = [
            ("matrix", &|| drop(matrix(values.view(), Method::Spearman, 3))),
            ("pairs", &|| drop(top_pairs(values.view(), Method::Spearman, 3, 10, Order::Abs))),
            ("one", &|| drop(one_vs_all(values.row(0), values.view(), &many, Method::Spearman, 3))),
            ("windows", &|| {
                for _ in 0..100_000 {
                    if Stop::current().is_given() {
                        break;
                    }
                    drop(rolling(values.row(0), values.view(), 100, 1, 3));
                }
            }),
        ];
        drop(one_vs_all(values.row(0), values.view(), whole, Method::Pearson, 3));
        for (name, work) in works {
            let stop = Stop::default();
            std::thread::scope(|scope| {
                let running = scope.spawn(|| stop.during(work));
                std::thread::sleep(Duration::from_millis(100));
                assert!(!running.is_finished(), "{name} is long work");
                stop.stop();
                let stopped = Instant::now();
                running.join().unwrap();
                assert!(stopped.elapsed() < Duration::from_secs(1), "{name} went on for {:?}", stopped.elapsed());
            });
        }
    }
}
