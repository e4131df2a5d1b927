//! Work that is the same for each of many things, shared out to the machine's cores.
//!
//! Knows nothing of what is done.

use std::sync::{Mutex, mpsc};
use std::thread;

/// How many things are handed over at once: fewer, and the handing over shows; more, and the last thread ends late.
const PART: usize = 128;

/// What `work` says of all of `things`, a part at a time and in any order. It begins while `things` are still coming;
/// where they are few, everything is done on this thread.
pub fn share<T: Send, R: Send>(
    things: impl Iterator<Item = T>,
    work: impl Fn(Vec<T>) -> Vec<R> + Sync,
) -> Vec<R> {
    share_parts(things, PART, work)
}

/// The same for things of which each is much work: `size` of them are handed over at once.
pub fn share_parts<T: Send, R: Send>(
    mut things: impl Iterator<Item = T>,
    size: usize,
    work: impl Fn(Vec<T>) -> Vec<R> + Sync,
) -> Vec<R> {
    let first: Vec<T> = things.by_ref().take(size).collect();
    let second: Vec<T> = things.by_ref().take(size).collect();
    if second.is_empty() {
        return work(first);
    }
    let (sender, receiver) = mpsc::channel();
    let receiver = Mutex::new(receiver);
    let next = || receiver.lock().ok()?.recv().ok();
    let turns = || -> Vec<R> { std::iter::from_fn(next).flat_map(&work).collect() };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        // A thread that cannot be started is one fewer to share with.
        let others: Vec<_> = (1..cores)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, turns).ok())
            .collect();
        // None is refused: the receiver stands until the end.
        let _ = sender.send(first);
        let _ = sender.send(second);
        loop {
            let part: Vec<T> = things.by_ref().take(size).collect();
            if part.is_empty() {
                break;
            }
            let _ = sender.send(part);
        }
        // What ends the waiting for more.
        drop(sender);
        let mut done = turns();
        for other in others {
            match other.join() {
                Ok(part) => done.extend(part),
                Err(fault) => std::panic::resume_unwind(fault),
            }
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thing_is_worked_on_once() {
        for count in [0, 1, PART, PART + 1, 2 * PART, 10_007] {
            let work = |part: Vec<usize>| part.into_iter().map(|thing| 2 * thing).collect();
            let mut doubled = share(0..count, work);
            doubled.sort_unstable();
            assert_eq!(
                doubled,
                (0..count).map(|thing| 2 * thing).collect::<Vec<_>>()
            );
        }
    }
}
