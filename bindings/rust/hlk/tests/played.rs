// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
//! With a module and a guest that are played (user/libhlk/tests/played.c), if HLK_PLAYED says so:
//! closures of all kinds go when they are to go, and not before.
use hlk::{Config, Context, Pool, PoolConfig, Sandbox, Snapshot, SnapshotConfig};
use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};

const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const ENOENT: i32 = 2;

/// An ELF file of one page, which the played KVM does not look at
fn image() -> Vec<u8> {
    let mut image = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0\x01\0\0\0".to_vec();
    for word in [0x101000u32, 52, 0, 0, 0x200034, 1, 0] {
        image.extend(word.to_le_bytes());
    }
    for word in [1u32, 84, 0x101000, 0x101000, 16, 16, 5, 1] {
        image.extend(word.to_le_bytes());
    }
    image.push(0xf4);
    image.resize(image.len() + 15, 0);
    image
}

fn ready<'f>(hlk: &Context, config: &Config<'f>) -> (Sandbox<'f>, Snapshot) {
    let mut sandbox = Sandbox::from_image(hlk, &image(), config).unwrap();
    sandbox.boot(None).unwrap();
    let snapshot = sandbox.snapshot(&SnapshotConfig::default()).unwrap();
    sandbox.restore(&snapshot).unwrap();
    (sandbox, snapshot)
}

/// Counts when it goes
struct Guard<'f>(&'f AtomicUsize);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn played() -> Option<Context> {
    env::var_os("HLK_PLAYED").map(|_| Context::open().unwrap())
}

#[test]
fn closures() {
    let hlk = match played() {
        Some(hlk) => hlk,
        None => return,
    };
    let (gone, said) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let config = Config::default().with_print(|text| {
        said.fetch_add(text.len(), Ordering::Relaxed);
    });
    let (mut sandbox, _snapshot) = ready(&hlk, &config);
    drop(config);
    let mut state = Vec::new();
    let guard = Guard(&gone);
    sandbox
        .host_function("f", move |input, room| {
            let _ = &guard;
            state.push(input.len());
            assert!(room.iter().all(|byte| *byte == 0), "what it is lent is nobody's");
            room[0] = b'0' + state.len() as u8;
            Ok(1)
        })
        .unwrap();
    for name in ["f", "f\0", "", &"x".repeat(64)] {
        let guard = Guard(&gone);
        let before = gone.load(Ordering::Relaxed);
        let err = sandbox.host_function(name, move |_, _| Err((&guard, 5).1)).unwrap_err();
        assert_eq!(err.code(), if name == "f" { EEXIST } else { EINVAL });
        assert_eq!(gone.load(Ordering::Relaxed), before + 1, "what is refused is not kept");
    }
    // A sandbox that was moved, and a map that grew, have them where they were.
    let mut sandbox = Box::new(sandbox);
    for name in ["a", "b", "c", "d", "e", "g"] {
        sandbox.host_function(name, |_, _| Err(5)).unwrap();
    }
    for nr in 1..5 {
        assert_eq!(sandbox.restore_call("h", b"f", None).unwrap(), [b'0' + nr]);
    }
    sandbox.restore_call("p", b"said", None).unwrap();
    assert_eq!(gone.load(Ordering::Relaxed), 4);
    sandbox.remove_host_function("f").unwrap();
    assert_eq!(gone.load(Ordering::Relaxed), 5, "removed");
    assert_eq!(sandbox.remove_host_function("f").unwrap_err().code(), ENOENT);
    assert!(sandbox.restore_call("h", b"f", None).is_err());
    drop(sandbox);
    let (guard, count) = (Guard(&gone), AtomicUsize::new(0));
    let counted = &count;
    let (mut sandbox, _snapshot) = ready(&hlk, &Config::default());
    sandbox
        .host_function("f", move |_, _| {
            let _ = &guard;
            counted.fetch_add(1, Ordering::Relaxed);
            panic!("not through C")
        })
        .unwrap();
    assert!(sandbox.restore_call("h", b"f", None).is_err());
    drop(sandbox);
    assert_eq!((count.into_inner(), gone.into_inner(), said.into_inner()), (1, 6, 4));
}

#[test]
fn pools() {
    let hlk = match played() {
        Some(hlk) => hlk,
        None => return,
    };
    let gone = AtomicUsize::new(0);
    let (_sandbox, snapshot) = ready(&hlk, &Config::default());
    let guard = Guard(&gone);
    let mut config = PoolConfig::default().with_host_function("f", move |_, room| {
        let _ = &guard;
        room[0] = b'f';
        Ok(1)
    });
    config.sandboxes = 2;
    let pool = Pool::open(&hlk, &snapshot, config).unwrap();
    let pool = Box::new(pool);
    let mut out = [0; 8];
    for _ in 0..4 {
        // Another one is made and set up.
        pool.get(None).unwrap().discard();
        assert_eq!(pool.call_into(None, "h", b"f", &mut out, None).unwrap(), 1);
        assert_eq!(out[0], b'f');
    }
    assert_eq!(gone.load(Ordering::Relaxed), 0);
    drop(pool);
    assert_eq!(gone.load(Ordering::Relaxed), 1);
}
