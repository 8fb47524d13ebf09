// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
use crate::{made, sys, Error, Result};
use std::mem::size_of_val;
use std::os::unix::io::{AsRawFd, BorrowedFd, RawFd};
use std::ptr::{null_mut, NonNull};

/// How a snapshot is made; [`Default`] is what most guests want
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// `hlk_sys::HLK_SNAP_*`
    pub flags: u32,
}

/// What sandboxes can be restored to
pub struct Snapshot {
    raw: NonNull<sys::hlk_snap>,
}

// SAFETY: libhlk: "a context and a snapshot: any thread"
unsafe impl Send for Snapshot {}
unsafe impl Sync for Snapshot {}

impl Snapshot {
    /// # Safety
    ///
    /// It is one of libhlk's, or null, and becomes the object's.
    pub(crate) unsafe fn from_raw(raw: *mut sys::hlk_snap) -> Result<Snapshot> {
        Ok(Snapshot { raw: made(raw)? })
    }

    pub(crate) fn raw(&self) -> *mut sys::hlk_snap {
        self.raw.as_ptr()
    }

    /// One that another process made, by its file descriptor, which stays the caller's
    pub fn from_fd(fd: BorrowedFd<'_>) -> Result<Snapshot> {
        let mut raw = null_mut();
        let mut err = sys::hlk_err::default();
        // SAFETY: all of it is there for as long as the call
        let ret = unsafe { sys::hlk_snapshot_from_fd(fd.as_raw_fd(), &mut raw, &mut err) };
        Error::check(ret, &err)?;
        // SAFETY: it was made just now
        unsafe { Snapshot::from_raw(raw) }
    }

    /// What it holds
    pub fn info(&self) -> Result<sys::hlk_snapshot_info> {
        let mut info = sys::hlk_snapshot_info::default();
        let mut err = sys::hlk_err::default();
        // SAFETY: the arrays of it are null, and so none is filled in
        let ret = unsafe {
            sys::hlk_snapshot_get_info_sized(self.raw(), &mut info, size_of_val(&info), &mut err)
        };
        Error::check(ret, &err)?;
        Ok(info)
    }
}

impl AsRawFd for Snapshot {
    /// To be passed on to another process
    fn as_raw_fd(&self) -> RawFd {
        // SAFETY: it is open
        unsafe { sys::hlk_snapshot_fd(self.raw()) }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody has it any more; who uses it holds it, too
        unsafe { sys::hlk_snapshot_close(self.raw()) }
    }
}
