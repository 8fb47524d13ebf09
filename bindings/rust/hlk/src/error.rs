// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
use crate::sys;
use std::ffi::CStr;
use std::fmt;
use std::io;
use std::os::raw::{c_char, c_int};

/// Why something failed: an errno, and what more libhlk knows
#[derive(Clone, Copy)]
pub struct Error(sys::hlk_err);

pub type Result<T> = std::result::Result<T, Error>;

// SAFETY: a copy, whose one pointer is to a constant string of the library
unsafe impl Send for Error {}
unsafe impl Sync for Error {}

impl Error {
    pub(crate) fn check(ret: c_int, err: &sys::hlk_err) -> Result<()> {
        match ret {
            0 => Ok(()),
            _ if err.code != 0 => Err(Error(*err)),
            _ => Err(Error::errno(-ret)),
        }
    }

    pub(crate) fn errno(code: c_int) -> Error {
        Error(sys::hlk_err { code, ..Default::default() })
    }

    /// The errno, as `libc` has it
    pub fn code(&self) -> i32 {
        self.0.code
    }

    /// What it is about: one of `hlk_sys::HLK_WHAT_*`
    pub fn what(&self) -> u32 {
        self.0.what
    }

    /// Why the module refused: one of `hlk_sys::HLK_WHY_*`, where [`what`](Error::what) is
    /// `HLK_WHAT_MODULE`
    pub fn why(&self) -> u32 {
        self.0.why
    }

    /// Which segment, vCPU, root or array element
    pub fn index(&self) -> u32 {
        self.0.index
    }

    /// An address or a number, as what and why say
    pub fn place(&self) -> u64 {
        self.0.r#where
    }

    /// All of it, as C has it
    pub fn raw(&self) -> &sys::hlk_err {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = [0 as c_char; 512];
        // SAFETY: the buffer is as long as is said, and becomes a string
        let text = unsafe {
            sys::hlk_strerror(&self.0, line.as_mut_ptr(), line.len());
            CStr::from_ptr(line.as_ptr())
        };
        f.write_str(&text.to_string_lossy())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (errno {}, what {}, why {})", self, self.0.code, self.0.what, self.0.why)
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(err: Error) -> io::Error {
        io::Error::new(io::Error::from_raw_os_error(err.code()).kind(), err)
    }
}
