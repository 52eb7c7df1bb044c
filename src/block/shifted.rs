//! A file as it lies behind a stretch of zeros: a bare file system in a disk that is still to be made around it.

use std::fs::File;
use std::sync::Arc;

use super::device::{BlockDevice, DeviceError, check_range, len_of};
use super::file::FileDevice;

/// A file, and how many zeros come before it. It is only read.
#[derive(Debug, Clone)]
pub struct Shifted {
    file: Arc<FileDevice>,
    before_bytes: u64,
}

impl Shifted {
    /// Lets `before_bytes` of zeros come before `file`.
    pub fn new(file: Arc<FileDevice>, before_bytes: u64) -> Self {
        Self { file, before_bytes }
    }

    /// How many zeros come before the file.
    pub fn before_bytes(&self) -> u64 {
        self.before_bytes
    }

    /// The open file itself.
    pub fn file(&self) -> &File {
        self.file.file()
    }
}

impl From<Arc<FileDevice>> for Shifted {
    fn from(file: Arc<FileDevice>) -> Self {
        Self::new(file, 0)
    }
}

impl BlockDevice for Shifted {
    fn len_bytes(&self) -> u64 {
        self.before_bytes.saturating_add(self.file.len_bytes())
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        check_range(offset_bytes, len_of(buffer), self.len_bytes())?;
        let zeros = self.before_bytes.saturating_sub(offset_bytes);
        let zeros = usize::try_from(zeros).unwrap_or(usize::MAX).min(buffer.len());
        let (before, rest) = buffer.split_at_mut(zeros);
        before.fill(0);
        if rest.is_empty() {
            return Ok(());
        }
        self.file
            .read_at(offset_bytes.saturating_sub(self.before_bytes), rest)
    }

    fn will_read(&self, offset_bytes: u64, len_bytes: u64) {
        if let Some(offset_bytes) = offset_bytes.checked_sub(self.before_bytes) {
            self.file.will_read(offset_bytes, len_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_lies_behind_its_zeros() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 10]).unwrap();
        let device = Shifted::new(Arc::new(FileDevice::from_file(file, false).unwrap()), 5);
        let read = |offset, len| {
            let mut buffer = vec![1; len];
            device.read_at(offset, &mut buffer).map(|()| buffer)
        };
        assert_eq!(read(0, 3).unwrap(), [0; 3]);
        assert_eq!(read(3, 4).unwrap(), [0, 0, 7, 7]);
        assert_eq!(read(5, 10).unwrap(), [7; 10]);
        read(5, 11).unwrap_err();
    }
}
