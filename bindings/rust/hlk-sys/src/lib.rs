// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
//! libhlk and the uAPI of hlk.ko, as C has them. What each means `libhlk(3)` and the uAPI's
//! documentation say; the crate `hlk` is what most programs want.
#![allow(non_camel_case_types)]
mod bindings;

pub use bindings::*;
