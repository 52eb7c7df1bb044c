//! ext2, ext3 and ext4 file systems on a block device.
