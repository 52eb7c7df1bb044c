//! A device as `fatfs` wants it: a stream with a place in it, and a limit to what one task may ask for, so that a chain of
//! clusters that leads into itself comes to an end.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::rc::Rc;

use crate::block::BlockDevice;

/// How many reads and writes one task may take: enough to read the whole table of a partition of a few GiB by entries, and
/// fewer where every slot of every directory takes fewer.
const STEPS_MIN: u64 = 1 << 16;
const STEPS_MAX: u64 = 1 << 22;

/// The short names of a directory itself and of the one above it.
const DOT: &[u8] = b".          ";
const DOT_DOT: &[u8] = b"..         ";

/// What is seen of a stream from outside.
#[derive(Debug, Clone)]
pub(super) struct Watch(Rc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    steps: u64,
    steps_left: Cell<u64>,
    is_looking: Cell<bool>,
    dot: Cell<Option<u64>>,
    dot_dot: Cell<Option<u64>>,
}

/// The stream.
pub(super) struct Stream<'a> {
    device: &'a dyn BlockDevice,
    place_bytes: u64,
    watch: Watch,
}

impl Watch {
    /// Watches a stream of `len_bytes`.
    pub(super) fn new(len_bytes: u64) -> Self {
        let steps = len_bytes.clamp(STEPS_MIN, STEPS_MAX);
        let watch = Self(Rc::new(Seen {
            steps,
            ..Seen::default()
        }));
        watch.go_on();
        watch
    }

    /// Lets another task have its steps.
    pub(super) fn go_on(&self) {
        self.0.steps_left.set(self.0.steps);
    }

    /// Begins to look for where a new directory gets its first two slots.
    pub(super) fn begin(&self) {
        self.0.dot.set(None);
        self.0.dot_dot.set(None);
        self.0.is_looking.set(true);
    }

    /// Tells where they are.
    pub(super) fn end(&self) -> (Option<u64>, Option<u64>) {
        self.0.is_looking.set(false);
        (self.0.dot.get(), self.0.dot_dot.get())
    }

    fn step(&self) -> io::Result<()> {
        let left = self.0.steps_left.get().checked_sub(1);
        let left = left.ok_or_else(|| io::Error::other("the file system is damaged: it does not end"))?;
        self.0.steps_left.set(left);
        Ok(())
    }

    fn see(&self, place_bytes: u64, bytes: &[u8]) {
        if self.0.is_looking.get() {
            match bytes {
                DOT => self.0.dot.set(Some(place_bytes)),
                DOT_DOT => self.0.dot_dot.set(Some(place_bytes)),
                _ => {}
            }
        }
    }
}

impl<'a> Stream<'a> {
    pub(super) fn new(device: &'a dyn BlockDevice, watch: Watch) -> Self {
        Self {
            device,
            place_bytes: 0,
            watch,
        }
    }

    /// How many of `len` bytes lie between here and the end.
    fn within(&self, len: usize) -> usize {
        let left = self.device.len_bytes().saturating_sub(self.place_bytes);
        usize::try_from(left).map_or(len, |left| len.min(left))
    }

    fn advance(&mut self, len: usize) -> io::Result<usize> {
        let len_bytes = u64::try_from(len).map_err(io::Error::other)?;
        self.place_bytes = self.place_bytes.saturating_add(len_bytes);
        Ok(len)
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watch.step()?;
        let len = self.within(buffer.len());
        let buffer = buffer.get_mut(..len).unwrap_or_default();
        self.device
            .read_at(self.place_bytes, buffer)
            .map_err(io::Error::other)?;
        self.advance(len)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.watch.step()?;
        let bytes = bytes.get(..self.within(bytes.len())).unwrap_or_default();
        self.watch.see(self.place_bytes, bytes);
        self.device
            .write_at(self.place_bytes, bytes)
            .map_err(io::Error::other)?;
        self.advance(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Stream<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.place_bytes.checked_add_signed(by),
            SeekFrom::End(by) => self.device.len_bytes().checked_add_signed(by),
        };
        self.place_bytes = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.place_bytes)
    }
}
