// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
use crate::{made, sys, timeout, Context, Error, Result, Snapshot, SnapshotConfig};
use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::marker::PhantomData;
use std::mem::{size_of, size_of_val};
use std::os::raw::{c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::ptr::{null_mut, NonNull};
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const EINVAL: c_int = 22;
const EIO: c_int = 5;
const EMSGSIZE: c_int = 90;
/// A name that fits is copied to the stack
const NAME: usize = 64;
/// What a guest has for an answer, unless it was given another size
const ANSWER: usize = sys::HLK_GUEST_BUFFER_SIZE as usize;

type Print<'f> = Arc<dyn Fn(&[u8]) + Send + Sync + 'f>;
type HostFn<'f> = Box<dyn FnMut(&[u8], &mut [u8]) -> std::result::Result<usize, i32> + Send + 'f>;

/// One of them where C finds it. It is called by that pointer alone, which comes of no reference.
struct Function<'f>(NonNull<HostFn<'f>>);

impl<'f> Function<'f> {
    fn new(function: HostFn<'f>) -> Function<'f> {
        Function(NonNull::from(Box::leak(Box::new(function))))
    }
}

impl Drop for Function<'_> {
    fn drop(&mut self) {
        // SAFETY: it was leaked by new(), and C does not have it any more
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// How a sandbox is to be: what is 0 is as libhlk has it by default
#[derive(Clone, Default)]
pub struct Config<'f> {
    /// `hlk_sys::HLK_CONFIG_*`
    pub flags: u32,
    pub mem_size: u64,
    pub scratch_size: u64,
    pub input_size: u32,
    pub output_size: u32,
    pub stack_size: u32,
    pub log_level: u32,
    pub seed: u32,
    pub max_private: u64,
    pub keep_private: u64,
    /// Is given what the guest prints: bytes of any content
    pub print: Option<Print<'f>>,
}

impl<'f> Config<'f> {
    /// With what is to be called for what the guest prints. If it panics, nothing comes of it.
    pub fn with_print(mut self, print: impl Fn(&[u8]) + Send + Sync + 'f) -> Self {
        self.print = Some(Arc::new(print));
        self
    }

    /// What C is given; the second is what that points to, and stays for as long as a sandbox does
    pub(crate) fn raw(&self) -> (sys::hlk_config, Option<Arc<Print<'f>>>) {
        let kept = self.print.clone().map(Arc::new);
        let raw = sys::hlk_config {
            size: size_of::<sys::hlk_config>() as u32,
            flags: self.flags,
            mem_size: self.mem_size,
            scratch_size: self.scratch_size,
            input_size: self.input_size,
            output_size: self.output_size,
            stack_size: self.stack_size,
            log_level: self.log_level,
            seed: self.seed,
            signal: 0,
            max_private: self.max_private,
            keep_private: self.keep_private,
            print: kept.as_ref().map(|_| print as unsafe extern "C" fn(_, _, _)),
            print_arg: kept.as_ref().map_or(null_mut(), |k| Arc::as_ptr(k) as *mut c_void),
        };
        (raw, kept)
    }
}

/// The bytes at a pointer, which need not be one if there are none
unsafe fn bytes<'a>(at: *const c_void, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    slice::from_raw_parts(at as *const u8, len)
}

/// Callbacks return, whatever comes.
unsafe extern "C" fn print(arg: *mut c_void, text: *const c_char, len: usize) {
    let print = &*(arg as *const Print);
    let _ = catch_unwind(AssertUnwindSafe(|| print(bytes(text as *const c_void, len))));
}

unsafe extern "C" fn host(
    arg: *mut c_void, input: *const c_void, in_len: usize, out: *mut c_void, out_size: usize,
    out_len: *mut usize,
) -> c_int {
    // The sandbox is in a call, so in no other one, and nobody else has the pointer.
    let function = &mut *(arg as *mut HostFn);
    // Written before by libhlk or by an earlier call, so these are bytes.
    let room = if out_size == 0 {
        &mut []
    } else {
        slice::from_raw_parts_mut(out as *mut u8, out_size)
    };
    match catch_unwind(AssertUnwindSafe(|| function(bytes(input, in_len), room))) {
        Ok(Ok(len)) if len <= out_size => {
            *out_len = len;
            0
        }
        Ok(Ok(_)) => -EMSGSIZE,
        Ok(Err(code)) if code > 0 => -code,
        _ => -EIO,
    }
}

/// Calls it with the name as C wants it
#[inline]
pub(crate) fn with_name<T>(name: &str, call: impl FnOnce(*const c_char) -> T) -> Result<T> {
    let from = name.as_bytes();
    if from.contains(&0) {
        return Err(Error::errno(EINVAL));
    }
    if from.len() < NAME {
        let mut buf = [0u8; NAME];
        buf[..from.len()].copy_from_slice(from);
        return Ok(call(buf.as_ptr() as *const c_char));
    }
    let long = CString::new(from).map_err(|_| Error::errno(EINVAL))?;
    Ok(call(long.as_ptr()))
}

/// What kickers share with the sandbox: it, for as long as it is open
struct Open(NonNull<sys::hlk_sandbox>);

// SAFETY: under the lock, and used for nothing but hlk_sandbox_kick(), which any thread may call
unsafe impl Send for Open {}

/// Ends calls of a [`Sandbox`] from any thread
#[derive(Clone)]
pub struct Kicker {
    open: Arc<Mutex<Option<Open>>>,
}

impl Kicker {
    /// Ends the call that is under way with a limit of time, or the next one. Returns whether
    /// the sandbox is still there.
    pub fn kick(&self) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: it is open for as long as the lock is held
        open.as_ref().map_or(false, |o| unsafe { sys::hlk_sandbox_kick(o.0.as_ptr()) } == 0)
    }
}

/// One guest. `'f` is what its callbacks borrow.
pub struct Sandbox<'f> {
    raw: NonNull<sys::hlk_sandbox>,
    kicker: Kicker,
    functions: HashMap<String, Function<'f>>,
    /// How long an answer can be
    answer: usize,
    _print: Option<Arc<Print<'f>>>,
    _borrows: PhantomData<&'f ()>,
}

// SAFETY: libhlk: "one thread at a time"; all that calls it has it by &mut, and callbacks are Send
unsafe impl Send for Sandbox<'_> {}

impl<'f> Sandbox<'f> {
    fn make(
        config: &Config<'f>,
        call: impl FnOnce(*const sys::hlk_config, *mut *mut sys::hlk_sandbox, *mut sys::hlk_err)
            -> c_int,
    ) -> Result<Sandbox<'f>> {
        let (how, print) = config.raw();
        let mut raw = null_mut();
        let mut err = sys::hlk_err::default();
        let ret = call(&how, &mut raw, &mut err);
        Error::check(ret, &err)?;
        let raw = made(raw)?;
        Ok(Sandbox {
            raw,
            kicker: Kicker { open: Arc::new(Mutex::new(Some(Open(raw)))) },
            functions: HashMap::new(),
            answer: if how.output_size > 0 { how.output_size as usize } else { ANSWER },
            _print: print,
            _borrows: PhantomData,
        })
    }

    /// From an ELF image in memory; it is not booted
    pub fn from_image(hlk: &Context, image: &[u8], config: &Config<'f>) -> Result<Sandbox<'f>> {
        Sandbox::make(config, |how, raw, err| {
            // SAFETY: all of it is there for as long as the call
            unsafe {
                let at = image.as_ptr() as *const c_void;
                sys::hlk_sandbox_from_image(hlk.raw(), at, image.len(), how, raw, err)
            }
        })
    }

    /// From an ELF file; it is not booted
    pub fn from_path(
        hlk: &Context, path: impl AsRef<Path>, config: &Config<'f>,
    ) -> Result<Sandbox<'f>> {
        let name: &OsStr = path.as_ref().as_os_str();
        let path = CString::new(name.as_bytes()).map_err(|_| Error::errno(EINVAL))?;
        Sandbox::make(config, |how, raw, err| {
            // SAFETY: all of it is there for as long as the call
            unsafe { sys::hlk_sandbox_from_path(hlk.raw(), path.as_ptr(), how, raw, err) }
        })
    }

    /// From a snapshot of another one, to which it is restored
    pub fn from_snapshot(
        hlk: &Context, snapshot: &Snapshot, config: &Config<'f>,
    ) -> Result<Sandbox<'f>> {
        Sandbox::make(config, |how, raw, err| {
            // SAFETY: all of it is there for as long as the call
            unsafe { sys::hlk_sandbox_from_snapshot(hlk.raw(), snapshot.raw(), how, raw, err) }
        })
    }

    pub(crate) fn raw(&self) -> *mut sys::hlk_sandbox {
        self.raw.as_ptr()
    }

    #[inline]
    fn check(&self, ret: c_int) -> Result<()> {
        if ret == 0 {
            return Ok(());
        }
        Err(why(self.raw(), ret))
    }

    /// Runs the guest until it is ready for calls.
    pub fn boot(&mut self, limit: Option<Duration>) -> Result<()> {
        // SAFETY: it is open, and nobody else's
        let ret = unsafe { sys::hlk_sandbox_boot(self.raw(), timeout(limit)) };
        self.check(ret)
    }

    /// Lets the guest call a function of the host: it is given the argument, and room for the
    /// answer, and returns how long that is, or an errno. If it panics, the guest has `EIO`.
    pub fn host_function(
        &mut self, name: &str,
        function: impl FnMut(&[u8], &mut [u8]) -> std::result::Result<usize, i32> + Send + 'f,
    ) -> Result<()> {
        let function = Function::new(Box::new(function));
        let arg = function.0.as_ptr() as *mut c_void;
        // SAFETY: what the argument points to stays where it is until the sandbox is closed, or
        // the function is removed
        let ret = with_name(name, |name| unsafe {
            sys::hlk_sandbox_host_function(self.raw(), name, Some(host), arg)
        })?;
        self.check(ret)?;
        self.functions.insert(name.to_string(), function);
        Ok(())
    }

    /// Takes it away again.
    pub fn remove_host_function(&mut self, name: &str) -> Result<()> {
        // SAFETY: as above
        let ret = with_name(name, |name| unsafe {
            sys::hlk_sandbox_host_function(self.raw(), name, None, null_mut())
        })?;
        self.check(ret)?;
        self.functions.remove(name);
        Ok(())
    }

    /// Calls a function of the guest; its answer goes to `out`, and how long it is comes back.
    #[inline]
    pub fn call_into(
        &mut self, name: &str, input: &[u8], out: &mut [u8], limit: Option<Duration>,
    ) -> Result<usize> {
        let mut len = 0;
        // SAFETY: it is open, and nobody else's; the buffers are as long as is said
        let ret = with_name(name, |name| unsafe {
            sys::hlk_sandbox_call(
                self.raw(), name, input.as_ptr() as *const c_void, input.len(),
                out.as_mut_ptr() as *mut c_void, out.len(), &mut len, timeout(limit),
            )
        })?;
        self.check(ret)?;
        Ok(len)
    }

    /// The same after a restore to the snapshot that it was restored to last, all in one system
    /// call
    #[inline]
    pub fn restore_call_into(
        &mut self, name: &str, input: &[u8], out: &mut [u8], limit: Option<Duration>,
    ) -> Result<usize> {
        let mut len = 0;
        // SAFETY: as above
        let ret = with_name(name, |name| unsafe {
            sys::hlk_sandbox_restore_call(
                self.raw(), name, input.as_ptr() as *const c_void, input.len(),
                out.as_mut_ptr() as *mut c_void, out.len(), &mut len, timeout(limit),
            )
        })?;
        self.check(ret)?;
        Ok(len)
    }

    /// Calls a function of the guest, for an answer as long as its output buffer can have. A
    /// sandbox of a snapshot with a buffer of another size than the default knows that by
    /// [`Config::output_size`]; else an answer that is longer is `EMSGSIZE`, after the call.
    pub fn call(&mut self, name: &str, input: &[u8], limit: Option<Duration>) -> Result<Vec<u8>> {
        let mut out = vec![0; self.answer];
        let len = self.call_into(name, input, &mut out, limit)?;
        out.truncate(len);
        Ok(out)
    }

    /// The same after a restore to the snapshot that it was restored to last
    pub fn restore_call(
        &mut self, name: &str, input: &[u8], limit: Option<Duration>,
    ) -> Result<Vec<u8>> {
        let mut out = vec![0; self.answer];
        let len = self.restore_call_into(name, input, &mut out, limit)?;
        out.truncate(len);
        Ok(out)
    }

    /// Makes a snapshot of it as it is, in no call.
    pub fn snapshot(&mut self, config: &SnapshotConfig) -> Result<Snapshot> {
        let how = sys::hlk_snapshot_config {
            size: size_of::<sys::hlk_snapshot_config>() as u32,
            flags: config.flags,
            ..Default::default()
        };
        let mut raw = null_mut();
        // SAFETY: it is open, and nobody else's
        let ret = unsafe { sys::hlk_sandbox_snapshot(self.raw(), &how, &mut raw) };
        self.check(ret)?;
        // SAFETY: it was made just now
        unsafe { Snapshot::from_raw(raw) }
    }

    /// Brings it back to a snapshot.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        // SAFETY: both are open
        let ret = unsafe { sys::hlk_sandbox_restore(self.raw(), snapshot.raw()) };
        self.check(ret)
    }

    /// Brings it back to the snapshot that it was restored to last.
    pub fn restore_again(&mut self) -> Result<()> {
        // SAFETY: it is open
        let ret = unsafe { sys::hlk_sandbox_restore(self.raw(), null_mut()) };
        self.check(ret)
    }

    /// Restores it, and compares all of it with the snapshot.
    pub fn audit(&mut self) -> Result<()> {
        // SAFETY: it is open
        let ret = unsafe { sys::hlk_sandbox_audit(self.raw()) };
        self.check(ret)
    }

    /// What the module counted of it
    pub fn stats(&mut self) -> Result<sys::hlk_vm_stats> {
        let mut stats = sys::hlk_vm_stats::default();
        // SAFETY: the size is that of what is filled in
        let ret =
            unsafe { sys::hlk_sandbox_stats_sized(self.raw(), &mut stats, size_of_val(&stats)) };
        self.check(ret)?;
        Ok(stats)
    }

    /// How the guest's last run ended
    pub fn exit(&mut self) -> sys::hlk_exit {
        // SAFETY: it is valid until the next call with the sandbox, and copied before
        unsafe { sys::hlk_sandbox_exit(self.raw()).as_ref() }.copied().unwrap_or_default()
    }

    /// Reads the guest's memory.
    pub fn read(&mut self, gpa: u64, buf: &mut [u8]) -> Result<()> {
        // SAFETY: the buffer is as long as is said
        let ret = unsafe {
            sys::hlk_sandbox_read(self.raw(), gpa, buf.as_mut_ptr() as *mut c_void, buf.len())
        };
        self.check(ret)
    }

    /// Writes the guest's memory.
    pub fn write(&mut self, gpa: u64, buf: &[u8]) -> Result<()> {
        // SAFETY: the buffer is as long as is said
        let ret = unsafe {
            sys::hlk_sandbox_write(self.raw(), gpa, buf.as_ptr() as *const c_void, buf.len())
        };
        self.check(ret)
    }

    /// What ends its calls from other threads; of those whose limit is none, it does not
    pub fn kicker(&self) -> Kicker {
        self.kicker.clone()
    }
}

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        let mut open = self.kicker.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = None;
        // SAFETY: nobody has it any more; callbacks are dropped after this
        unsafe { sys::hlk_sandbox_close(self.raw()) }
    }
}

/// Why a call with a sandbox failed. EBUSY is not noted in it.
#[cold]
pub(crate) fn why(raw: *mut sys::hlk_sandbox, ret: c_int) -> Error {
    // SAFETY: valid until the next call with the sandbox, and copied before
    let noted = unsafe { sys::hlk_sandbox_error(raw).as_ref() };
    match noted {
        Some(err) if err.code == -ret => Error::check(ret, err).err(),
        _ => None,
    }
    .unwrap_or_else(|| Error::errno(-ret))
}

