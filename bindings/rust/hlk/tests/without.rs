// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
//! What needs no module: that there is none is said, and versions are those of the headers.
use hlk::{sys, Context};

#[test]
fn says_why() {
    if let Err(err) = Context::open() {
        assert!(err.code() > 0);
        assert!(err.to_string().contains("/dev/"));
        assert!(format!("{:?}", err).contains("errno"));
        let io: std::io::Error = err.into();
        assert!(io.to_string().contains("/dev/"));
    }
}

#[test]
fn version() {
    let text = format!(
        "{}.{}.{}", sys::HLK_VERSION_MAJOR, sys::HLK_VERSION_MINOR, sys::HLK_VERSION_PATCH
    );
    assert_eq!(hlk::version(), text);
}
