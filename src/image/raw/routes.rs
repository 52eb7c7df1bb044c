//! Which way the bytes of images go that need not be on the disk in the end: to the disk, or into the page cache.
//!
//! What lies in the page cache when all is written did not have to wait for the disk. But it takes only so much before
//! the kernel slows writers down, and what it takes early it hands to the disk before the end. So nearly all goes to the
//! disk directly, which leaves the processors free as well, and the page cache is filled by the last of it: then one
//! stream keeps the disk busy while the others have the page cache.

use std::fs;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

/// How much is left when the page cache begins to be filled: its room, and what the disk takes meanwhile, about half as
/// much.
fn last_stretch_bytes(room_bytes: u64) -> u64 {
    room_bytes.saturating_add(room_bytes / 2)
}

/// What all streams of a writer know of each other.
#[derive(Debug)]
pub(super) struct Routes {
    /// What the page cache takes before the kernel slows writers down.
    room_bytes: u64,
    /// What was announced and is not written.
    left_bytes: AtomicU64,
    /// How many streams are writing.
    writing: AtomicUsize,
    /// Held by the stream that keeps the disk busy to the end.
    disk: Mutex<()>,
    direct: Pace,
    cached: Pace,
}

/// How long writing took the last time, in nanoseconds a MiB; 0 where that is not known.
#[derive(Debug, Default)]
struct Pace(AtomicU64);

/// A thread that writes images.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    routes: &'a Routes,
    disk: Option<MutexGuard<'a, ()>>,
}

impl Routes {
    /// Those of a page cache that has room for `room_bytes`.
    pub(super) fn new(room_bytes: u64) -> Self {
        Self {
            room_bytes,
            left_bytes: AtomicU64::new(0),
            writing: AtomicUsize::new(0),
            disk: Mutex::new(()),
            direct: Pace::default(),
            cached: Pace::default(),
        }
    }

    /// Says that `bytes` are going to be written.
    pub(super) fn announce(&self, bytes: u64) {
        self.left_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// One more thread writes, until the stream is dropped.
    pub(super) fn stream(&self) -> Stream<'_> {
        self.writing.fetch_add(1, Ordering::Relaxed);
        Stream {
            routes: self,
            disk: self.disk.try_lock().ok(),
        }
    }

    /// Whether the disk was faster than the page cache; each is tried once.
    fn direct_is_faster(&self) -> bool {
        let (direct, cached) = (self.direct.get(), self.cached.get());
        direct == 0 || cached != 0 && direct < cached
    }
}

impl Stream<'_> {
    /// Whether the disk is the better place for what comes now.
    pub(super) fn goes_direct(&self) -> bool {
        let routes = self.routes;
        let left = routes.left_bytes.load(Ordering::Relaxed);
        if left > last_stretch_bytes(routes.room_bytes) {
            true
        } else if routes.writing.load(Ordering::Relaxed) > 1 {
            self.disk.is_some()
        } else {
            routes.direct_is_faster()
        }
    }

    /// Takes note of `len_bytes` written since `begun`.
    pub(super) fn wrote(&self, len_bytes: usize, is_direct: bool, begun: Instant) {
        let routes = self.routes;
        let len_bytes = u64::try_from(len_bytes).unwrap_or(u64::MAX);
        routes
            .left_bytes
            .update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.saturating_sub(len_bytes)
            });
        let pace = if is_direct { &routes.direct } else { &routes.cached };
        pace.note(len_bytes, begun);
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        self.routes.writing.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pace {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, len_bytes: u64, begun: Instant) {
        let nanoseconds = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // What is short tells little.
        if let Some(each) = nanoseconds.checked_div(len_bytes >> 20) {
            self.0.store(each.max(1), Ordering::Relaxed);
        }
    }
}

/// What the page cache takes before the kernel slows writers down, which is half way between two thresholds of
/// [the kernel's](https://docs.kernel.org/admin-guide/sysctl/vm.html#dirty-background-bytes): from the first on it writes
/// back, beyond the second nobody may write. None where they are not told.
pub(super) fn page_cache_room_bytes() -> u64 {
    let told = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or_default();
    room_pages(&told).saturating_mul(page_bytes)
}

/// The same in pages, by the text of `/proc/vmstat`: proc(5).
fn room_pages(vmstat: &str) -> u64 {
    let pages = |name: &str| {
        let value = vmstat.lines().find_map(|line| line.strip_prefix(name));
        value
            .and_then(|value| value.trim().parse::<u64>().ok())
            .unwrap_or(0)
    };
    let both = pages("nr_dirty_threshold ").saturating_add(pages("nr_dirty_background_threshold "));
    (both / 2).saturating_sub(pages("nr_dirty "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_cache_is_filled_by_the_last_of_many_bytes() {
        let routes = Routes::new(100);
        let (first, second) = (routes.stream(), routes.stream());
        routes.announce(250);
        assert!(first.goes_direct() && second.goes_direct());
        first.wrote(100, true, Instant::now());
        assert!(first.goes_direct() && !second.goes_direct());
        drop(second);
        let third = routes.stream();
        assert!(first.goes_direct() && !third.goes_direct());
        drop(first);
        let fourth = routes.stream();
        assert!(fourth.goes_direct() && !third.goes_direct());
    }

    #[test]
    fn a_lone_stream_goes_the_faster_way_once_both_were_tried() {
        let routes = Routes::new(1 << 30);
        let stream = routes.stream();
        assert!(stream.goes_direct());
        routes.direct.0.store(700, Ordering::Relaxed);
        assert!(!stream.goes_direct());
        routes.cached.0.store(701, Ordering::Relaxed);
        assert!(stream.goes_direct());
        routes.cached.0.store(600, Ordering::Relaxed);
        assert!(!stream.goes_direct());
    }

    #[test]
    fn room_is_what_the_kernel_lets_pass() {
        let told =
            "nr_free_pages 7\nnr_dirty 50\nnr_dirty_threshold 400\nnr_dirty_background_threshold 200\n";
        assert_eq!(room_pages(told), 250);
        assert_eq!(room_pages("nr_dirty 5\n"), 0);
        assert!(page_cache_room_bytes() > 0);
    }
}
