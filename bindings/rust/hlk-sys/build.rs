// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
//! Where libhlk is: in HLK_LIB_DIR, else where pkg-config says. With HLK_STATIC set it becomes
//! part of the program.
use std::env;
use std::process::Command;

fn pkg_config(args: &[&str]) -> String {
    match Command::new("pkg-config").args(args).arg("libhlk").output() {
        Ok(out) if out.status.success() => String::from_utf8_lossy(&out.stdout).into_owned(),
        _ => String::new(),
    }
}

fn main() {
    println!("cargo:rerun-if-env-changed=HLK_LIB_DIR");
    println!("cargo:rerun-if-env-changed=HLK_STATIC");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    let fixed = env::var("HLK_STATIC").is_ok();
    if let Ok(dir) = env::var("HLK_LIB_DIR") {
        println!("cargo:rustc-link-search=native={}", dir);
    } else {
        for dir in pkg_config(&["--libs-only-L"]).split_whitespace() {
            println!("cargo:rustc-link-search=native={}", dir.trim_start_matches("-L"));
        }
    }
    if !fixed {
        println!("cargo:rustc-link-lib=dylib=hlk");
        return;
    }
    println!("cargo:rustc-link-lib=static=hlk");
    for lib in ["uring", "nettle", "zstd"] {
        println!("cargo:rustc-link-lib=dylib={}", lib);
    }
}
