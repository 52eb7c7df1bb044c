//! The threads that speak to a registry: few, since they wait for it most of the time.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::base::PathError;

/// How many chunks are on their way at once. Each may be in memory whole, raw and compressed, while it is sent.
const THREADS: usize = 4;

/// Makes the threads.
pub(super) fn pool() -> Result<ThreadPool, PathError> {
    ThreadPoolBuilder::new()
        .num_threads(THREADS)
        .thread_name(|number| format!("registry {number}"))
        .build()
        .map_err(|error| PathError::on("start threads in", ".")(std::io::Error::other(error)))
}
