//! Waiting for what goes on at the network, from any number of threads: one thread of its own moves the bytes.

use std::io;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};
use crate::stop::Stop;

/// How often it is asked whether a signal came.
const GLANCE: Duration = Duration::from_millis(100);

/// How long there is to take back what was begun, once nobody wants it any more.
const TAKING_BACK: Duration = Duration::from_secs(5);

/// What drives the network. Its thread ends when it is dropped.
#[derive(Debug)]
pub(super) struct Engine {
    handle: Handle,
    stop: Stop,
    /// Dropped with the rest, which ends the thread.
    _open: oneshot::Sender<()>,
}

impl Engine {
    /// Starts the thread.
    pub fn start(stop: &Stop) -> Result<Self> {
        let failed = |error: io::Error| {
            let why = crate::error::describe(&error);
            let hint = "the system has no room for another thread; try again later";
            Error::other(format!("cannot use the network: {why}"), hint)
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let (open, closed) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("network".to_owned())
            .spawn(move || {
                let _ = runtime.block_on(closed);
                // A look-up of a host's name cannot be broken off: it must not keep the program.
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self {
            handle,
            stop: stop.clone(),
            _open: open,
        })
    }

    /// Waits for `work`, which is dropped once a signal came.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        if self.stop.is_requested() {
            return Err(Error::interrupted());
        }
        self.handle.block_on(async {
            let mut work = pin!(work);
            loop {
                match timeout(GLANCE, work.as_mut()).await {
                    Ok(done) => return Ok(done),
                    Err(_) if self.stop.is_requested() => return Err(Error::interrupted()),
                    Err(_) => {}
                }
            }
        })
    }

    /// Lets the time pass, but for a signal.
    pub fn pause(&self, time: Duration) -> Result<()> {
        self.wait(async move { sleep(time).await })
    }

    /// Waits for what tidies up, signal or not, if it is soon done.
    pub fn take_back(&self, work: impl Future) {
        self.handle.block_on(async {
            let _ = timeout(TAKING_BACK, work).await;
        });
    }

    /// Goes on with `work` while the caller does something else.
    pub fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.handle.spawn(work)
    }
}
