//! Many transfers, some of them at once: each waits for a store most of the time, so they are not shared out by cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result, describe};

/// How long nothing comes before that is told.
const IDLE: Duration = Duration::from_millis(200);

/// Does `work` for each of `jobs`, `size` of them at once, and gives `take` what came of each, on this thread, as it comes;
/// `idle` is called where there is nothing to take for a while. Where `take` fails no more is begun, and its failure is
/// what is told.
pub fn each<J: Send, R: Send>(
    jobs: Vec<J>,
    size: usize,
    work: impl Fn(J) -> R + Sync,
    mut take: impl FnMut(R) -> Result<()>,
    mut idle: impl FnMut(),
) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let size = size.clamp(1, jobs.len());
    let jobs = Mutex::new(jobs.into_iter());
    let is_over = AtomicBool::new(false);
    let next = || {
        if is_over.load(Ordering::Relaxed) {
            return None;
        }
        jobs.lock().ok()?.next()
    };
    // What is done waits for its taking, so that no more than twice `size` lies about.
    let (done, taken) = mpsc::sync_channel(size);
    let turns = |done: mpsc::SyncSender<R>| {
        while let Some(job) = next() {
            if done.send(work(job)).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        let mut crew = 0;
        let mut failed = None;
        for _ in 0..size {
            let (own, turns) = (done.clone(), &turns);
            match thread::Builder::new().spawn_scoped(scope, move || turns(own)) {
                Ok(_) => crew += 1,
                // One fewer, as long as there is one.
                Err(error) => failed = Some(error),
            }
        }
        drop(done);
        if let Some(error) = failed.filter(|_| crew == 0) {
            return Err(Error::other(
                format!("cannot begin a transfer: {}", describe(&error)),
                "end some of what runs on this machine, and run the command again",
            ));
        }
        let mut outcome = Ok(());
        loop {
            match taken.recv_timeout(IDLE) {
                Ok(result) if outcome.is_ok() => outcome = take(result),
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => idle(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return outcome,
            }
            if outcome.is_err() {
                is_over.store(true, Ordering::Relaxed);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once_and_a_failure_ends_it() {
        for (jobs, size) in [(0, 4), (1, 4), (1000, 1), (1000, 8)] {
            let mut sum = 0;
            let add = |double: usize| {
                sum += double;
                Ok(())
            };
            each((0..jobs).collect(), size, |job: usize| 2 * job, add, || {}).expect("all of it");
            assert_eq!(sum, (0..jobs).map(|job| 2 * job).sum::<usize>());
        }
        let mut count = 0;
        let third_fails = |()| {
            count += 1;
            if count == 3 {
                return Err(Error::interrupted());
            }
            Ok(())
        };
        let failed = each(vec![(); 1000], 4, |job| job, third_fails, || {});
        assert!(failed.is_err());
        assert_eq!(count, 3);
    }
}
