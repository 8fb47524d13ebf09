// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
use crate::sandbox::{why, with_name};
use crate::{made, sys, timeout, Config, Context, Error, Result, Snapshot};
use std::ffi::CString;
use std::marker::PhantomData;
use std::mem::{forget, size_of, size_of_val, take};
use std::os::raw::{c_int, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::{null_mut, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

type HostFn<'f> =
    Arc<dyn Fn(&[u8], &mut [u8]) -> std::result::Result<usize, i32> + Send + Sync + 'f>;

/// How a pool is to be
#[derive(Clone, Default)]
pub struct PoolConfig<'f> {
    /// How many sandboxes; 0 is as libhlk has it
    pub sandboxes: u32,
    /// How many threads restore them
    pub restorers: u32,
    /// How each of them is to be
    pub config: Config<'f>,
    functions: Vec<(String, HostFn<'f>)>,
}

impl<'f> PoolConfig<'f> {
    /// With a function that guests can call, of all sandboxes and so at the same time; see
    /// [`Sandbox::host_function`](crate::Sandbox::host_function)
    pub fn with_host_function(
        mut self, name: &str,
        function: impl Fn(&[u8], &mut [u8]) -> std::result::Result<usize, i32> + Send + Sync + 'f,
    ) -> Self {
        self.functions.push((name.to_string(), Arc::new(function)));
        self
    }
}

struct Kept<'f> {
    functions: Vec<(CString, HostFn<'f>)>,
    _print: Option<Arc<Arc<dyn Fn(&[u8]) + Send + Sync + 'f>>>,
}

unsafe extern "C" fn host(
    arg: *mut c_void, input: *const c_void, in_len: usize, out: *mut c_void, out_size: usize,
    out_len: *mut usize,
) -> c_int {
    let function = &*(arg as *const HostFn);
    let input: &[u8] =
        if in_len == 0 { &[] } else { slice::from_raw_parts(input as *const u8, in_len) };
    let room: &mut [u8] =
        if out_size == 0 { &mut [] } else { slice::from_raw_parts_mut(out as *mut u8, out_size) };
    match catch_unwind(AssertUnwindSafe(|| function(input, room))) {
        Ok(Ok(len)) if len <= out_size => {
            *out_len = len;
            0
        }
        Ok(Ok(_)) => -90,
        Ok(Err(code)) if code > 0 => -code,
        _ => -5,
    }
}

unsafe extern "C" fn setup(arg: *mut c_void, sb: *mut sys::hlk_sandbox) -> c_int {
    let kept = &*(arg as *const Kept);
    for (name, function) in &kept.functions {
        let to = function as *const HostFn as *mut c_void;
        let ret = sys::hlk_sandbox_host_function(sb, name.as_ptr(), Some(host), to);
        if ret != 0 {
            return ret;
        }
    }
    0
}

/// Sandboxes of a snapshot that are restored in the background
pub struct Pool<'f> {
    raw: NonNull<sys::hlk_pool>,
    kept: Option<Arc<Kept<'f>>>,
}

// SAFETY: libhlk: "a pool: any thread"; callbacks are Send and Sync
unsafe impl Send for Pool<'_> {}
unsafe impl Sync for Pool<'_> {}

impl<'f> Pool<'f> {
    pub fn open(hlk: &Context, snapshot: &Snapshot, mut config: PoolConfig<'f>)
        -> Result<Pool<'f>> {
        let (sandbox, print) = config.config.raw();
        let mut functions = Vec::new();
        for (name, function) in take(&mut config.functions) {
            let name = CString::new(name).map_err(|_| Error::errno(22))?;
            functions.push((name, function));
        }
        // not a Box, which must have no pointers beside it when it is moved
        let kept = Arc::new(Kept { functions, _print: print });
        let how = sys::hlk_pool_config {
            size: size_of::<sys::hlk_pool_config>() as u32,
            sandboxes: config.sandboxes,
            restorers: config.restorers,
            config: &sandbox,
            setup: Some(setup),
            setup_arg: Arc::as_ptr(&kept) as *mut c_void,
            ..Default::default()
        };
        let mut raw = null_mut();
        let mut err = sys::hlk_err::default();
        // SAFETY: all of it is there for as long as the call, and what the pool goes on to use
        // until it is closed
        let ret =
            unsafe { sys::hlk_pool_open(hlk.raw(), snapshot.raw(), &how, &mut raw, &mut err) };
        Error::check(ret, &err)?;
        Ok(Pool { raw: made(raw)?, kept: Some(kept) })
    }

    /// A fresh sandbox, waited for no longer than that
    pub fn get(&self, wait: Option<Duration>) -> Result<Pooled<'_>> {
        let mut raw = null_mut();
        let mut err = sys::hlk_err::default();
        // SAFETY: the pool is open
        let ret =
            unsafe { sys::hlk_pool_get(self.raw.as_ptr(), timeout(wait), &mut raw, &mut err) };
        Error::check(ret, &err)?;
        Ok(Pooled { pool: self.raw, raw: made(raw)?, _pool: PhantomData })
    }

    /// One call in a fresh sandbox; how long the answer in `out` is comes back
    pub fn call_into(
        &self, wait: Option<Duration>, name: &str, input: &[u8], out: &mut [u8],
        limit: Option<Duration>,
    ) -> Result<usize> {
        let mut err = sys::hlk_err::default();
        let mut len = 0;
        // SAFETY: the buffers are as long as is said
        let ret = with_name(name, |name| unsafe {
            sys::hlk_pool_call(
                self.raw.as_ptr(), timeout(wait), name, input.as_ptr() as *const c_void,
                input.len(), out.as_mut_ptr() as *mut c_void, out.len(), &mut len,
                timeout(limit), &mut err,
            )
        })?;
        Error::check(ret, &err)?;
        Ok(len)
    }

    /// What it did, as OpenMetrics; the name is the label "pool" of each sample
    pub fn metrics(&self, name: Option<&str>) -> Result<String> {
        let mut text = vec![0u8; sys::HLK_POOL_METRICS_SIZE as usize];
        let mut write = |name| {
            let to = text.as_mut_ptr() as *mut std::os::raw::c_char;
            // SAFETY: the buffer is as long as is said
            unsafe { sys::hlk_pool_metrics(self.raw.as_ptr(), name, to, text.len()) }
        };
        let len = match name {
            Some(name) => with_name(name, write)?,
            None => write(std::ptr::null()),
        };
        text.truncate(len);
        String::from_utf8(text).map_err(|_| Error::errno(5))
    }

    /// What it did
    pub fn stats(&self) -> sys::hlk_pool_stats {
        let mut stats = sys::hlk_pool_stats::default();
        // SAFETY: the size is that of what is filled in
        unsafe {
            sys::hlk_pool_stats_sized(self.raw.as_ptr(), &mut stats, size_of_val(&stats))
        };
        stats
    }
}

impl Drop for Pool<'_> {
    fn drop(&mut self) {
        // SAFETY: nobody has it any more
        let ret = unsafe { sys::hlk_pool_close(self.raw.as_ptr()) };
        // Who forgot to give a sandbox back has the pool, and what it uses, for ever.
        if ret != 0 {
            forget(self.kept.take());
        }
    }
}

/// A sandbox of a [`Pool`], which is given back when it is dropped
pub struct Pooled<'p> {
    pool: NonNull<sys::hlk_pool>,
    raw: NonNull<sys::hlk_sandbox>,
    _pool: PhantomData<&'p ()>,
}

// SAFETY: as of a sandbox
unsafe impl Send for Pooled<'_> {}

impl Pooled<'_> {
    /// See [`Sandbox::call_into`](crate::Sandbox::call_into).
    pub fn call_into(
        &mut self, name: &str, input: &[u8], out: &mut [u8], limit: Option<Duration>,
    ) -> Result<usize> {
        let mut len = 0;
        // SAFETY: it is this one's until it is given back
        let ret = with_name(name, |name| unsafe {
            sys::hlk_sandbox_call(
                self.raw.as_ptr(), name, input.as_ptr() as *const c_void, input.len(),
                out.as_mut_ptr() as *mut c_void, out.len(), &mut len, timeout(limit),
            )
        })?;
        match ret {
            0 => Ok(len),
            _ => Err(why(self.raw.as_ptr(), ret)),
        }
    }

    /// Closes it instead; the pool makes another one.
    pub fn discard(self) {
        // SAFETY: it is this one's, and not given back a second time
        unsafe { sys::hlk_pool_discard(self.pool.as_ptr(), self.raw.as_ptr()) };
        forget(self);
    }
}

impl Drop for Pooled<'_> {
    fn drop(&mut self) {
        // SAFETY: it is the pool's
        unsafe { sys::hlk_pool_put(self.pool.as_ptr(), self.raw.as_ptr()) };
    }
}
