// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
//! Guests that are brought back to a known state thousands of times a second: libhlk for Rust.
//!
//! ```no_run
//! # fn main() -> Result<(), hlk::Error> {
//! let hlk = hlk::Context::open()?;
//! let mut sandbox = hlk::Sandbox::from_path(&hlk, "server.elf", &hlk::Config::default())?;
//! sandbox.boot(None)?;
//! let ready = sandbox.snapshot(&hlk::SnapshotConfig::default())?;
//! for _ in 0..1000 {
//!     sandbox.restore(&ready)?;
//!     assert_eq!(sandbox.call("counter", b"", None)?, b"1");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Who may use what is libhlk's rule, as types: a [`Context`], a [`Snapshot`] and a [`Pool`] are
//! `Send` and `Sync`; a [`Sandbox`] is `Send`, and what calls it takes it by `&mut`. What a
//! sandbox borrows (functions of the host, what takes its output) outlives it. Objects hold what
//! they need of each other, and can be dropped in any order. In a child of `fork()` sandboxes
//! and pools give errors, and dropping them does nothing to the parent's.
mod error;
mod pool;
mod sandbox;
mod snapshot;

pub use error::{Error, Result};
pub use hlk_sys as sys;
pub use pool::{Pool, PoolConfig, Pooled};
pub use sandbox::{Config, Kicker, Sandbox};
pub use snapshot::{Snapshot, SnapshotConfig};

use std::ffi::CStr;
use std::ptr::{null_mut, NonNull};
use std::time::Duration;

/// `/dev/kvm` and `/dev/hlk`, open
pub struct Context {
    raw: NonNull<sys::hlk_ctx>,
}

// SAFETY: libhlk: "a context and a snapshot: any thread"
unsafe impl Send for Context {}
unsafe impl Sync for Context {}

impl Context {
    /// Opens both.
    pub fn open() -> Result<Context> {
        let mut raw = null_mut();
        let mut err = sys::hlk_err::default();
        // SAFETY: both are there for as long as the call
        let ret = unsafe { sys::hlk_open(&mut raw, &mut err) };
        Error::check(ret, &err)?;
        Ok(Context { raw: made(raw)? })
    }

    /// Version, limits and live objects of the module
    pub fn info(&self) -> Result<sys::hlk_info> {
        let mut info = sys::hlk_info::default();
        let mut err = sys::hlk_err::default();
        // SAFETY: as above; the size is that of what is filled in
        let ret = unsafe {
            sys::hlk_get_info_sized(self.raw(), &mut info, std::mem::size_of_val(&info), &mut err)
        };
        Error::check(ret, &err)?;
        Ok(info)
    }

    pub(crate) fn raw(&self) -> *mut sys::hlk_ctx {
        self.raw.as_ptr()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody has it any more
        unsafe { sys::hlk_close(self.raw()) }
    }
}

/// The version of the library that the program runs with
pub fn version() -> &'static str {
    // SAFETY: a constant string, of ASCII
    unsafe { CStr::from_ptr(sys::hlk_version_text()) }.to_str().unwrap_or("")
}

/// What libhlk made, after it said that all went well
fn made<T>(raw: *mut T) -> Result<NonNull<T>> {
    NonNull::new(raw).ok_or_else(|| Error::errno(5))
}

/// No limit is the fastest. A limit is at least a microsecond, for 0 is none.
fn timeout(limit: Option<Duration>) -> u64 {
    match limit {
        None => u64::from(sys::HLK_TIMEOUT_NONE),
        Some(time) => time.as_micros().clamp(1, u128::from(sys::HLK_TIMEOUT_KICK - 1)) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}

    #[test]
    fn threads() {
        is_send::<Context>();
        is_sync::<Context>();
        is_send::<Snapshot>();
        is_sync::<Snapshot>();
        is_send::<Pool>();
        is_sync::<Pool>();
        is_send::<Sandbox>();
        is_send::<Kicker>();
        is_sync::<Kicker>();
    }

    #[test]
    fn limits() {
        assert_eq!(timeout(None), 0);
        assert_eq!(timeout(Some(Duration::ZERO)), 1);
        assert_eq!(timeout(Some(Duration::from_millis(2))), 2000);
        assert_eq!(timeout(Some(Duration::MAX)), u64::MAX - 1);
    }
}
