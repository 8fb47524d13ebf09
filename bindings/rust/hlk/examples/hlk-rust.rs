// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
//! hlk-rust GUEST [count N]: what the crate does with a real module; TAP. With "count", how
//! many ticks of the TSC a fused call takes, to be compared with hlk-c.
use hlk::{Config, Context, Pool, PoolConfig, Sandbox, Snapshot, SnapshotConfig};
use std::arch::x86_64::_rdtsc;
use std::env;
use std::os::unix::io::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

static NR: AtomicUsize = AtomicUsize::new(0);
static BAD: AtomicUsize = AtomicUsize::new(0);

fn tap(good: bool, what: &str) {
    let nr = NR.fetch_add(1, Ordering::Relaxed) + 1;
    if !good {
        BAD.fetch_add(1, Ordering::Relaxed);
    }
    println!("{} {} {}", if good { "ok" } else { "not ok" }, nr, what);
}

fn ready(hlk: &Context, guest: &str) -> hlk::Result<(Sandbox<'static>, Snapshot)> {
    let mut sandbox = Sandbox::from_path(hlk, guest, &Config::default())?;
    sandbox.boot(None)?;
    let snapshot = sandbox.snapshot(&SnapshotConfig::default())?;
    sandbox.restore(&snapshot)?;
    Ok((sandbox, snapshot))
}

fn count(hlk: &Context, guest: &str, calls: u64) -> hlk::Result<()> {
    let (mut sandbox, _snapshot) = ready(hlk, guest)?;
    let mut out = [0u8; 64];
    let mut least = u64::MAX;
    for _ in 0..4 {
        // SAFETY: it only reads a register
        let start = unsafe { _rdtsc() };
        for _ in 0..calls {
            sandbox.restore_call_into("echo", b"hello", &mut out, None)?;
        }
        // SAFETY: as above
        least = least.min(unsafe { _rdtsc() } - start);
    }
    println!("# rust: {} ticks a fused call", least / calls);
    Ok(())
}

fn calls(hlk: &Context, guest: &str) -> hlk::Result<()> {
    let printed = AtomicUsize::new(0);
    let config = Config::default().with_print(|text| {
        printed.fetch_add(text.len(), Ordering::Relaxed);
    });
    let mut seen = Vec::new();
    let mut sandbox = Sandbox::from_path(hlk, guest, &config)?;
    sandbox.host_function("echo", |input, out| {
        seen.push(input.to_vec());
        out[..input.len()].copy_from_slice(input);
        Ok(input.len())
    })?;
    sandbox.boot(None)?;
    let snapshot = sandbox.snapshot(&SnapshotConfig::default())?;
    let mut same = true;
    for _ in 0..50 {
        sandbox.restore(&snapshot)?;
        same &= sandbox.call("counter", b"", None)? == b"1";
    }
    tap(same, "each call is in a guest that is as new");
    sandbox.call("hello", b"", None)?;
    sandbox.restore(&snapshot)?;
    sandbox.call("counter", b"", None)?;
    tap(sandbox.call("counter", b"", None)? == b"2", "but not without a restore");
    tap(sandbox.restore_call("counter", b"", None)? == b"1", "restored and called in one");
    sandbox.restore_again()?;
    tap(sandbox.call("host", b"echo hi", None)? == b"hi", "the guest calls a closure");
    sandbox.audit()?;
    tap(sandbox.stats()?.restores >= 51, "statistics, after an audit");
    let err = sandbox.call("nonesuch", b"", None).unwrap_err();
    tap(
        err.what() == hlk::sys::HLK_WHAT_GUEST_STATUS && err.to_string().contains("nonesuch"),
        "an error of the guest, by its name",
    );
    let err = sandbox.restore_call("crash", b"0xdeadbee0", None).unwrap_err();
    tap(
        err.what() == hlk::sys::HLK_WHAT_GUEST_EXIT && sandbox.exit().fault == 0xdeadbee0,
        "a crash, with its address",
    );
    sandbox.restore(&snapshot)?;
    let kicker = sandbox.kicker();
    let kicked = thread::scope(|scope| {
        let call = scope.spawn(|| {
            sandbox.call("loop", b"", Some(Duration::from_secs(600)))
        });
        while !call.is_finished() {
            kicker.kick();
            thread::sleep(Duration::from_millis(20));
        }
        call.join().unwrap().unwrap_err()
    });
    tap(kicked.what() == hlk::sys::HLK_WHAT_KICKED, "another thread ends a call");
    sandbox.restore(&snapshot)?;
    let start = Instant::now();
    let err = sandbox.call("loop", b"", Some(Duration::from_millis(200))).unwrap_err();
    tap(
        err.code() == 110 && start.elapsed() >= Duration::from_millis(200),
        "a limit of time ends one",
    );
    // SAFETY: it is open for as long as the snapshot is there
    let fd = unsafe { BorrowedFd::borrow_raw(snapshot.as_raw_fd()) };
    let mut clone = Sandbox::from_snapshot(hlk, &Snapshot::from_fd(fd)?, &Config::default())?;
    drop(snapshot);
    tap(clone.call("counter", b"", None)? == b"1", "a clone by a file descriptor");
    drop(sandbox);
    tap(!kicker.kick(), "a sandbox that is gone is not kicked");
    tap(seen == [b"hi"], "what the closure borrowed is there again");
    tap(printed.load(Ordering::Relaxed) > 0, "what the guest printed came");
    Ok(())
}

fn pool(hlk: &Context, guest: &str) -> hlk::Result<()> {
    let (_sandbox, snapshot) = ready(hlk, guest)?;
    let hosts = AtomicUsize::new(0);
    let mut config = PoolConfig::default().with_host_function("echo", |_, _| {
        hosts.fetch_add(1, Ordering::Relaxed);
        Ok(0)
    });
    config.sandboxes = 3;
    config.restorers = 1;
    let pool = Pool::open(hlk, &snapshot, config)?;
    let good = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut out = [0u8; 64];
                for _ in 0..20 {
                    let len = pool.call_into(None, "counter", b"", &mut out, None);
                    good.fetch_add((matches!(len, Ok(1)) && out[0] == b'1') as usize, Ordering::Relaxed);
                }
            });
        }
    });
    tap(good.load(Ordering::Relaxed) == 40, "a pool under two threads");
    let mut out = [0u8; 64];
    pool.get(None)?.call_into("host", b"echo hi", &mut out, None)?;
    tap(hosts.load(Ordering::Relaxed) == 1, "with a closure");
    pool.get(None)?.discard();
    tap(pool.stats().gets >= 42, "and statistics");
    tap(pool.metrics(Some("a"))?.contains("\nhlk_gets_total{pool=\"a\"} "), "as OpenMetrics");
    Ok(())
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let hlk = match Context::open() {
        Ok(hlk) => hlk,
        Err(err) => {
            println!("1..0 # SKIP {}", err);
            return;
        }
    };
    if args.len() > 3 {
        count(&hlk, &args[1], args[3].parse().unwrap()).unwrap();
        return;
    }
    for (what, run) in [("calls", calls as fn(&Context, &str) -> _), ("pool", pool)] {
        if let Err(err) = run(&hlk, &args[1]) {
            tap(false, &format!("{}: {:?}", what, err));
        }
    }
    println!("1..{}", NR.load(Ordering::Relaxed));
    std::process::exit((BAD.load(Ordering::Relaxed) > 0) as i32);
}
