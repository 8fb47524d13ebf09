// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
//! A VMM in the style of rust-vmm, whose guest memory is hlk's: a window of hlk is mapped, and
//! lent to vm-memory as a region, through which the VMM loads its guest and looks at it, as
//! its devices would. The guest is ten bytes in real mode; what a C program does instead is
//! in Documentation/tutorial/vmm.c.
use hlk_sys::*;
use std::io::{Error, Result};
use std::os::raw::{c_int, c_ulong, c_void};
use std::ptr::{null_mut, read_volatile};
use vm_memory::{
    Bytes, GuestAddress, GuestMemory, GuestMemoryMmap, GuestRegionMmap, MmapRegion,
};

const MEM: usize = 64 << 10;
const CODE: u64 = 0x1000;
const WORD: u64 = 0x2000;
const KVM_CREATE_VM: c_ulong = 0xae01;
const KVM_GET_VCPU_MMAP_SIZE: c_ulong = 0xae04;
const KVM_CREATE_VCPU: c_ulong = 0xae41;
const KVM_SET_USER_MEMORY_REGION: c_ulong = 0x4020_ae46;
const KVM_RUN: c_ulong = 0xae80;
const KVM_GET_REGS: c_ulong = 0x8090_ae81;
const KVM_SET_REGS: c_ulong = 0x4090_ae82;
const KVM_GET_SREGS: c_ulong = 0x8138_ae83;
const KVM_SET_SREGS: c_ulong = 0x4138_ae84;
const KVM_EXIT_HLT: u32 = 5;
/// Where in struct kvm_run, kvm_regs and kvm_sregs that is
const EXIT_REASON: usize = 8;
const RAX: usize = 0;
const RIP: usize = 16;
const RFLAGS: usize = 17;
const CS_BASE: usize = 0;
const CS_SELECTOR: usize = 12;

/// inc byte [0x2000]; mov al, [0x2000]; hlt; jmp to the first
const GUEST: [u8; 10] = [0xfe, 0x06, 0x00, 0x20, 0xa0, 0x00, 0x20, 0xf4, 0xeb, 0xf6];

#[repr(C)]
#[derive(Default)]
struct Slot {
    slot: u32,
    flags: u32,
    gpa: u64,
    bytes: u64,
    address: u64,
}

fn ioctl<T>(fd: c_int, command: c_ulong, arg: *mut T) -> Result<c_int> {
    // SAFETY: each caller gives what the command takes
    match unsafe { libc::ioctl(fd, command, arg) } {
        -1 => Err(Error::last_os_error()),
        ret => Ok(ret),
    }
}

fn open(path: &[u8]) -> Result<c_int> {
    // SAFETY: a string with its end
    match unsafe { libc::open(path.as_ptr() as *const _, libc::O_RDWR | libc::O_CLOEXEC) } {
        -1 => Err(Error::last_os_error()),
        fd => Ok(fd),
    }
}

fn map(fd: c_int, bytes: usize) -> Result<*mut u8> {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, at an address that nobody has
    let at = unsafe { libc::mmap(null_mut(), bytes, prot, libc::MAP_SHARED, fd, 0) };
    if at == libc::MAP_FAILED {
        return Err(Error::last_os_error());
    }
    Ok(at as *mut u8)
}

fn size<T>() -> u32 {
    std::mem::size_of::<T>() as u32
}

/// A window of hlk as memory of rust-vmm: it maps it, and does not unmap it
fn lend(vm: c_int) -> Result<(GuestMemoryMmap, *mut u8)> {
    let at = map(vm, MEM)?;
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: it is mapped like that, for as long as the program runs
    let region = unsafe { MmapRegion::build_raw(at, MEM, prot, libc::MAP_SHARED) }
        .map_err(|e| Error::new(std::io::ErrorKind::Other, e.to_string()))?;
    let region = GuestRegionMmap::new(region, GuestAddress(0))
        .map_err(|e| Error::new(std::io::ErrorKind::Other, e.to_string()))?;
    let memory = GuestMemoryMmap::from_regions(vec![region])
        .map_err(|e| Error::new(std::io::ErrorKind::Other, e.to_string()))?;
    Ok((memory, at))
}

/// Until the guest halts; what it left in AL
fn run(vcpu: c_int, shared: *const u8) -> Result<u64> {
    let mut regs = [0u64; 18];
    ioctl::<c_void>(vcpu, KVM_RUN, null_mut())?;
    // SAFETY: struct kvm_run is mapped there
    let reason = unsafe { read_volatile(shared.add(EXIT_REASON) as *const u32) };
    if reason != KVM_EXIT_HLT {
        return Err(Error::new(std::io::ErrorKind::Other, format!("exit {}", reason)));
    }
    ioctl(vcpu, KVM_GET_REGS, &mut regs)?;
    Ok(regs[RAX] & 0xff)
}

fn main() -> Result<()> {
    let kvm = open(b"/dev/kvm\0")?;
    let hlk = open(b"/dev/hlk\0")?;

    // A VM of KVM's, and hlk at it
    let vm = ioctl::<c_void>(kvm, KVM_CREATE_VM, null_mut())?;
    let mut attach = hlk_vm_attach { vm_fd: vm, ..Default::default() };
    attach.head.size = size::<hlk_vm_attach>();
    ioctl(hlk, HLK_VM_ATTACH.into(), &mut attach)?;

    // Memory: a window, which the VMM has as its guest's memory, and KVM as a memslot
    let mut add = hlk_window_add::default();
    add.head.size = size::<hlk_window_add>();
    add.window.bytes = MEM as u64;
    ioctl(attach.out_fd, HLK_WINDOW_ADD.into(), &mut add)?;
    let (memory, at) = lend(attach.out_fd)?;
    let mut slot = Slot { bytes: MEM as u64, address: at as u64, ..Default::default() };
    ioctl(vm, KVM_SET_USER_MEMORY_REGION, &mut slot)?;
    memory.write_slice(&GUEST, GuestAddress(CODE)).expect("the guest fits");

    // A vCPU
    let vcpu = ioctl::<c_void>(vm, KVM_CREATE_VCPU, null_mut())?;
    let bytes = ioctl::<c_void>(kvm, KVM_GET_VCPU_MMAP_SIZE, null_mut())? as usize;
    let shared = map(vcpu, bytes)?;
    let mut sregs = [0u8; 0x138];
    ioctl(vcpu, KVM_GET_SREGS, &mut sregs)?;
    sregs[CS_BASE..CS_BASE + 8].fill(0);
    sregs[CS_SELECTOR..CS_SELECTOR + 2].fill(0);
    ioctl(vcpu, KVM_SET_SREGS, &mut sregs)?;
    let mut regs = [0u64; 18];
    regs[RIP] = CODE;
    regs[RFLAGS] = 2;
    ioctl(vcpu, KVM_SET_REGS, &mut regs)?;

    println!("before the snapshot: {}", run(vcpu, shared)?);
    let mut snap = hlk_snapshot::default();
    snap.head.size = size::<hlk_snapshot>();
    ioctl(attach.out_fd, HLK_SNAPSHOT.into(), &mut snap)?;
    println!("without a restore: {}", run(vcpu, shared)?);

    // What a device writes comes back, too.
    let mut restore = hlk_restore { snapshot_fd: snap.out_fd, ..Default::default() };
    restore.head.size = size::<hlk_restore>();
    for _ in 0..3 {
        memory.write_obj(0x77u8, GuestAddress(WORD + 0x1000)).expect("it is memory");
        ioctl(attach.out_fd, HLK_RESTORE.into(), &mut restore)?;
        restore.snapshot_fd = -1;
        let word: u8 = memory.read_obj(GuestAddress(WORD)).expect("it is memory");
        let device: u8 = memory.read_obj(GuestAddress(WORD + 0x1000)).expect("it is memory");
        println!(
            "after a restore: {} and {} in memory of {} bytes, then {}", word, device,
            memory.last_addr().0 + 1, run(vcpu, shared)?,
        );
    }
    Ok(())
}
