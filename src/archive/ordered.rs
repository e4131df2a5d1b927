//! Work done by several threads whose results come in the order of the work. Pure: no files, no clock.

use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// The most threads that work: more would need more memory than a snapshot may take.
const MOST_THREADS: usize = 12;

/// How many threads to work with: `wanted`, or one a core.
pub fn threads(wanted: Option<usize>) -> usize {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    wanted.unwrap_or_else(cores).clamp(1, MOST_THREADS)
}

struct Job<J, R> {
    work: J,
    reply: SyncSender<R>,
}

/// Where jobs are handed in.
pub struct Feed<J, R> {
    jobs: Sender<Job<J, R>>,
    order: SyncSender<Receiver<R>>,
}

impl<J, R> Feed<J, R> {
    /// Hands in a job; waits while too many are under way. False once nobody wants results any more.
    pub fn put(&self, work: J) -> bool {
        let (reply, result) = sync_channel(1);
        // The place in the order first: it is what waits.
        self.order.send(result).is_ok() && self.jobs.send(Job { work, reply }).is_ok()
    }
}

/// Where results come out, in the order of the jobs.
pub struct Results<R> {
    order: Receiver<Receiver<R>>,
}

/// A thread ended without a result: it was ended by a fault of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl<R> Iterator for Results<R> {
    type Item = Result<R, Lost>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.order.recv().ok()?;
        Some(result.recv().map_err(|_| Lost))
    }
}

/// Runs `feed` on a thread of its own, `worker`'s functions on `threads` more, and `take` on this one. A result that
/// `take` leaves is dropped. Gives what both gave; `feed`'s is None where its thread was lost.
///
/// At most `threads` + 4 jobs are under way, so what they hold is bounded.
pub fn ordered<J, R, W, F, T>(
    threads: usize,
    worker: impl Fn() -> W + Sync,
    feed: impl FnOnce(&Feed<J, R>) -> F + Send,
    take: impl FnOnce(&mut Results<R>) -> T,
) -> io::Result<(Option<F>, T)>
where
    J: Send,
    R: Send,
    F: Send,
    W: FnMut(J) -> R,
{
    let (jobs_in, jobs_out) = channel::<Job<J, R>>();
    let jobs_out = Mutex::new(jobs_out);
    let (order_in, order_out) = sync_channel(threads + 4);
    let worker = &worker;
    thread::scope(|scope| {
        // Moved in, so that the waiting job and its reply go when all threads have ended.
        let jobs_out = &jobs_out;
        let mut started = 0;
        let mut refused = None;
        for _ in 0..threads.max(1) {
            let work = move || {
                let mut worker = worker();
                loop {
                    let job = match jobs_out.lock() {
                        Ok(jobs) => jobs.recv(),
                        Err(_) => return,
                    };
                    let Ok(Job { work, reply }) = job else { return };
                    // Nobody may want it any more.
                    let _ = reply.send(worker(work));
                }
            };
            match thread::Builder::new().spawn_scoped(scope, work) {
                Ok(_) => started += 1,
                Err(error) => refused = Some(error),
            }
        }
        let feeding = move || {
            feed(&Feed {
                jobs: jobs_in,
                order: order_in,
            })
        };
        if let (0, Some(error)) = (started, refused) {
            return Err(error);
        }
        let feeding = thread::Builder::new().spawn_scoped(scope, feeding)?;
        let mut results = Results { order: order_out };
        let taken = take(&mut results);
        drop(results);
        Ok((feeding.join().ok(), taken))
    })
}

/// Buffers that were used, to be used again: making new ones costs more than filling them.
#[derive(Debug, Default)]
pub struct Pool {
    free: Mutex<VecDeque<Vec<u8>>>,
}

impl Pool {
    /// An empty buffer.
    pub fn take(&self) -> Vec<u8> {
        let mut buffer = self.take_used();
        buffer.clear();
        buffer
    }

    /// A buffer with whatever it held: who overwrites all of it need not have it filled with zeros before.
    pub fn take_used(&self) -> Vec<u8> {
        let free = self.free.lock().ok().and_then(|mut free| free.pop_back());
        free.unwrap_or_default()
    }

    /// Gives one back.
    pub fn give(&self, buffer: Vec<u8>) {
        if let Ok(mut free) = self.free.lock() {
            free.push_back(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        for threads in [1, 2, 7] {
            let slow_first = |job: u64| {
                if job.is_multiple_of(5) {
                    thread::yield_now();
                }
                job * job
            };
            let (fed, taken) = ordered(
                threads,
                || slow_first,
                |feed| (0..200).filter(|job| feed.put(*job)).count(),
                |results| {
                    results
                        .map(|one| one.expect("a result"))
                        .collect::<Vec<_>>()
                },
            )
            .expect("runs");
            assert_eq!(fed, Some(200));
            assert_eq!(taken, (0..200).map(|job| job * job).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn few_jobs_are_under_way_and_who_stops_taking_ends_it() {
        let begun = AtomicUsize::new(0);
        let (fed, first) = ordered(
            2,
            || {
                |job: usize| {
                    begun.fetch_add(1, Ordering::SeqCst);
                    job
                }
            },
            |feed| (0..1_000_000).take_while(|job| feed.put(*job)).count(),
            |results| results.next().map(|one| one.expect("a result")),
        )
        .expect("runs");
        assert_eq!(first, Some(0));
        assert!(fed.expect("ended") <= 8);
        assert!(begun.load(Ordering::SeqCst) <= 8);
    }
}
