# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""
Guests that are brought back to a known state thousands of times a second: libhlk for Python.

    import hlk

    with hlk.Sandbox('server.elf') as s:
        for _ in range(1000):
            assert s.call('counter') == b'1'

A Sandbox of a file is booted, and its snapshot taken, when it is made; call() restores it
first, in the same system call. Threads may share a Context, a Snapshot and a Pool; a Sandbox
is one thread's at a time, and says EBUSY else. The interpreter's lock is given up in calls.
What is in use, in a call or by another thread, is not closed: close() says EBUSY, and it is
as before.
"""
import errno
import functools
import os
import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, TypeVar, Union, cast

from cffi import FFI

from ._cdef import CDEF, CONSTANTS
from .histogram import Histogram

__all__ = ['Context', 'Error', 'Histogram', 'Pool', 'Sandbox', 'Snapshot', 'constants', 'version']

Bytes = Union[bytes, bytearray, memoryview, str]
HostFunction = Callable[[bytes], Bytes]
Method = TypeVar('Method', bound=Callable[..., Any])

ffi = FFI()
ffi.cdef(CDEF)
lib = ffi.dlopen(os.environ.get('LIBHLK', 'libhlk.so.0'))
# HLK_SNAP_FLAT and its like, by their names in C
constants: Dict[str, int] = dict(CONSTANTS)

ANSWER = 16384
# Callbacks of what could not be closed, and so may call them for as long as the process is there
_FOREVER: List[Any] = []


class Error(OSError):
    """What libhlk says: errno and strerror as of each OSError, and what it is about"""

    def __init__(self, err: Any) -> None:
        line = ffi.new('char[512]')
        lib.hlk_strerror(err, line, len(line))
        super().__init__(err.code, ffi.string(line).decode('utf-8', 'replace'))
        self.what: int = err.what
        self.why: int = err.why
        self.index: int = err.index
        self.where: int = getattr(err, 'where')
        self.text: str = ffi.string(err.text).decode('utf-8', 'replace')


def version() -> str:
    """The version of the library"""
    return ffi.string(lib.hlk_version_text()).decode()


def _bytes(data: Bytes) -> bytes:
    if isinstance(data, bytes):
        return data
    # bytes() of a number are as many zeroes
    return data.encode() if isinstance(data, str) else bytes(memoryview(data))


def _name(name: Bytes) -> bytes:
    """A name as C wants it, which ends it at a NUL"""
    name = _bytes(name)
    if b'\0' in name:
        raise ValueError('a name with a NUL')
    return name


def _us(seconds: Optional[float]) -> int:
    """A limit of time; None is none, and the fastest"""
    return 0 if seconds is None else max(1, int(seconds * 1e6))


def _check(ret: int, err: Any) -> None:
    if ret:
        if not err.code:
            err.code = -ret
        raise Error(err)


def _busy() -> Error:
    return Error(ffi.new('struct hlk_err *', {'code': errno.EBUSY}))


def _plain(struct: Any) -> Dict[str, Any]:
    """A struct as a dict of its numbers"""
    names = (name for name, _ in ffi.typeof(struct).fields)
    values = ((name, getattr(struct, name)) for name in names if not name.startswith('__'))
    return {name: value for name, value in values if isinstance(value, int)}


class _Object:
    """What is closed once, by close() or at the end of a with"""

    def __init__(self) -> None:
        self._raw: Any = ffi.NULL
        # What C may call of it
        self._kept: List[Any] = []
        # of what follows, and of the end of _raw; a signal's handler may come in between
        self._lock = threading.RLock()
        self._users = 0

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, '_raw', ffi.NULL) != ffi.NULL:
            try:
                self.close()
            except Error:
                _FOREVER.append(self._kept)
                raise

    def close(self) -> None:
        """Closes it, if it is not closed."""
        with self._lock:
            if self._users:
                raise _busy()
            raw, self._raw = self._raw, ffi.NULL
            if raw == ffi.NULL:
                return
            try:
                self._close(raw)
            except Error:
                self._raw = raw
                raise

    @contextmanager
    def _use(self) -> Iterator[Any]:
        """What C has of it, which is not closed meanwhile"""
        with self._lock:
            raw = self.raw
            self._users += 1
        try:
            yield raw
        finally:
            with self._lock:
                self._users -= 1

    def _close(self, raw: Any) -> None:
        raise NotImplementedError

    @property
    def raw(self) -> Any:
        """What C has of it"""
        if self._raw == ffi.NULL:
            raise ValueError('it is closed')
        return self._raw


class Context(_Object):
    """/dev/kvm and /dev/hlk, open"""

    def __init__(self) -> None:
        super().__init__()
        out, err = ffi.new('struct hlk_ctx **'), ffi.new('struct hlk_err *')
        _check(lib.hlk_open(out, err), err)
        self._raw = out[0]

    def _close(self, raw: Any) -> None:
        lib.hlk_close(raw)

    def info(self) -> Dict[str, Any]:
        """Version, limits and live objects of the module"""
        info, err = ffi.new('struct hlk_info *'), ffi.new('struct hlk_err *')
        with self._use() as raw:
            _check(lib.hlk_get_info_sized(raw, info, ffi.sizeof('struct hlk_info'), err), err)
        return _plain(info[0])


class Snapshot(_Object):
    """What sandboxes can be restored to"""

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw = raw

    @classmethod
    def from_fd(cls, fd: int) -> 'Snapshot':
        """One of another process; the file descriptor stays the caller's"""
        out, err = ffi.new('struct hlk_snap **'), ffi.new('struct hlk_err *')
        _check(lib.hlk_snapshot_from_fd(fd, out, err), err)
        return cls(out[0])

    def _close(self, raw: Any) -> None:
        lib.hlk_snapshot_close(raw)

    def fileno(self) -> int:
        """Its file descriptor, to be passed to another process"""
        return lib.hlk_snapshot_fd(self.raw)

    def info(self) -> Dict[str, Any]:
        """How many pages it has, and of what kind"""
        info, err = ffi.new('struct hlk_snapshot_info *'), ffi.new('struct hlk_err *')
        size = ffi.sizeof('struct hlk_snapshot_info')
        with self._use() as raw:
            _check(lib.hlk_snapshot_get_info_sized(raw, info, size, err), err)
        return dict(_plain(info[0]), **_plain(info.counts))


def _host(function: HostFunction) -> Any:
    """A function of Python that a guest can call. What it raises is the guest's EIO."""
    def call(_arg: Any, data: Any, length: int, out: Any, size: int, out_len: Any) -> int:
        answer = _bytes(function(bytes(ffi.buffer(data, length)) if length else b''))
        if len(answer) > size:
            return -90
        ffi.memmove(out, answer, len(answer))
        out_len[0] = len(answer)
        return 0
    return ffi.callback('hlk_host_fn', call, error=-5)


def _print(function: Callable[[bytes], None]) -> Any:
    return ffi.callback('hlk_print_fn', lambda _arg, text, length:
                        function(bytes(ffi.buffer(text, length))))


def _alone(method: Method) -> Method:
    """Of a Sandbox, while no other thread, and no callback, has it"""
    @functools.wraps(method)
    def alone(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._turn.acquire(False):
            raise _busy()
        try:
            return method(self, *args, **kwargs)
        finally:
            self._turn.release()
    return cast(Method, alone)


class Sandbox(_Object):
    """
    One guest: of an ELF file, or of bytes with one, or of a Snapshot.

    host: functions that the guest can call, by name. print: is given what it prints.
    boot: run it to where it is ready, and take the snapshot that calls begin with. Other
    arguments are members of struct hlk_config, such as mem_size.
    """

    def __init__(self, guest: Union[str, 'os.PathLike[str]', bytes, Snapshot],
                 context: Optional[Context] = None, *,
                 host: Optional[Dict[str, HostFunction]] = None,
                 print: Optional[Callable[[bytes], None]] = None,
                 boot: bool = True, timeout: Optional[float] = None, **config: int) -> None:
        super().__init__()
        # whose it is, until what a call left in _out and _len, or noted as its error, is read
        self._turn = threading.Lock()
        self.snapshot_of_boot: Optional[Snapshot] = None
        own = Context() if context is None else None
        out, err = ffi.new('struct hlk_sandbox **'), ffi.new('struct hlk_err *')
        how = self._config(config, print)
        try:
            with (context or own)._use() as hlk:
                if isinstance(guest, Snapshot):
                    with guest._use() as raw:
                        ret = lib.hlk_sandbox_from_snapshot(hlk, raw, how, out, err)
                elif isinstance(guest, bytes):
                    ret = lib.hlk_sandbox_from_image(hlk, guest, len(guest), how, out, err)
                else:
                    path = _name(os.fsencode(guest))
                    ret = lib.hlk_sandbox_from_path(hlk, path, how, out, err)
            _check(ret, err)
        finally:
            if own:
                own.close()
        self._raw = out[0]
        self._out = ffi.new('char[]', config.get('output_size') or ANSWER)
        self._len = ffi.new('size_t *')
        try:
            for name, function in (host or {}).items():
                self.host_function(name, function)
            if boot and not isinstance(guest, Snapshot):
                self.boot(timeout)
                self.snapshot_of_boot = self.snapshot()
                self.restore(self.snapshot_of_boot)
        except BaseException:
            self.close()
            raise

    def _config(self, config: Dict[str, int], function: Optional[Callable[[bytes], None]]) -> Any:
        how = ffi.new('struct hlk_config *', dict(config, size=ffi.sizeof('struct hlk_config')))
        if function:
            self._kept.append(_print(function))
            how.print = self._kept[-1]
        return how

    @_alone
    def close(self) -> None:
        """Closes it, if it is not closed. In a call it is not closed: EBUSY."""
        super().close()

    def _close(self, raw: Any) -> None:
        # which may be in use elsewhere: then nothing is closed
        if self.snapshot_of_boot:
            self.snapshot_of_boot.close()
        lib.hlk_sandbox_close(raw)

    def _check(self, ret: int) -> None:
        if not ret:
            return
        err = ffi.new('struct hlk_err *', lib.hlk_sandbox_error(self.raw)[0])
        if err.code != -ret:
            # EBUSY is not noted
            err = ffi.new('struct hlk_err *', {'code': -ret})
        raise Error(err)

    @_alone
    def boot(self, timeout: Optional[float] = None) -> None:
        """Runs the guest until it is ready for calls."""
        self._check(lib.hlk_sandbox_boot(self.raw, _us(timeout)))

    @_alone
    def host_function(self, name: str, function: HostFunction) -> None:
        """Lets the guest call a function: bytes in, bytes out."""
        callback = _host(function)
        self._check(lib.hlk_sandbox_host_function(self.raw, _name(name), callback, ffi.NULL))
        self._kept.append(callback)

    def call(self, name: Bytes, data: Bytes = b'', *, restore: bool = True,
             timeout: Optional[float] = None) -> bytes:
        """
        Calls a function of the guest, after it was brought back to the snapshot that it was
        restored to last; with restore=False as the last call left it.
        """
        if not isinstance(name, bytes) or b'\0' in name:
            name = _name(name)
        if not isinstance(data, bytes):
            data = _bytes(data)
        function = lib.hlk_sandbox_restore_call if restore else lib.hlk_sandbox_call
        out = self._out
        if not self._turn.acquire(False):
            raise _busy()
        try:
            ret = function(self.raw, name, data, len(data), out, len(out), self._len,
                           0 if timeout is None else _us(timeout))
            if ret:
                self._check(ret)
            return ffi.unpack(out, self._len[0])
        finally:
            self._turn.release()

    def time(self, name: Bytes, data: Bytes = b'', calls: int = 1000) -> Histogram:
        """So many calls, each of a restored guest: how long they took"""
        took = Histogram()
        now = time.perf_counter_ns
        for _ in range(calls):
            start = now()
            self.call(name, data)
            took.add(now() - start)
        return took

    @_alone
    def snapshot(self, flags: int = 0) -> Snapshot:
        """A snapshot of it as it is; flags are HLK_SNAP_*"""
        size = ffi.sizeof('struct hlk_snapshot_config')
        how = ffi.new('struct hlk_snapshot_config *', {'size': size, 'flags': flags})
        out = ffi.new('struct hlk_snap **')
        self._check(lib.hlk_sandbox_snapshot(self.raw, how, out))
        return Snapshot(out[0])

    @_alone
    def restore(self, snapshot: Optional[Snapshot] = None) -> None:
        """Brings it back to a snapshot, or to the one that it was restored to last."""
        if snapshot is None:
            self._check(lib.hlk_sandbox_restore(self.raw, ffi.NULL))
            return
        with snapshot._use() as raw:
            self._check(lib.hlk_sandbox_restore(self.raw, raw))

    @_alone
    def audit(self) -> None:
        """Restores it, and compares all of it with the snapshot."""
        self._check(lib.hlk_sandbox_audit(self.raw))

    def kick(self) -> None:
        """Ends a call with a limit of time; from any thread"""
        # close() of another thread waits for that
        with self._lock, self._use() as raw:
            lib.hlk_sandbox_kick(raw)

    def stats(self) -> Dict[str, Any]:
        """What the module counted of it"""
        stats = ffi.new('struct hlk_vm_stats *')
        size = ffi.sizeof('struct hlk_vm_stats')
        with self._lock, self._use() as raw:
            self._check(lib.hlk_sandbox_stats_sized(raw, stats, size))
        return _plain(stats[0])

    @_alone
    def exit(self) -> Dict[str, Any]:
        """How the guest's last run ended"""
        raw = lib.hlk_sandbox_exit(self.raw)[0]
        reason = ffi.string(lib.hlk_exit_reason_text(raw.reason)).decode()
        return dict(_plain(raw), **_plain(raw.regs), reason_text=reason)

    @_alone
    def read(self, gpa: int, length: int) -> bytes:
        """Reads its memory."""
        buf = ffi.new('char[]', length)
        self._check(lib.hlk_sandbox_read(self.raw, gpa, buf, length))
        return ffi.unpack(buf, length)

    @_alone
    def write(self, gpa: int, data: Bytes) -> None:
        """Writes its memory."""
        data = _bytes(data)
        self._check(lib.hlk_sandbox_write(self.raw, gpa, data, len(data)))


def _setup(functions: Dict[bytes, Any]) -> Any:
    """What gives each new sandbox of a pool its functions; it does not hold the Pool"""
    def set_up(_arg: Any, raw: Any) -> int:
        for name, function in functions.items():
            ret = lib.hlk_sandbox_host_function(raw, name, function, ffi.NULL)
            if ret:
                return ret
        return 0
    return ffi.callback('hlk_setup_fn', set_up, error=-5)


class Pool(_Object):
    """Sandboxes of a snapshot that are restored in the background; for any thread"""

    def __init__(self, snapshot: Snapshot, context: Optional[Context] = None, *,
                 sandboxes: int = 0, restorers: int = 0,
                 host: Optional[Dict[str, HostFunction]] = None, **config: int) -> None:
        super().__init__()
        functions = {_name(name): _host(f) for name, f in (host or {}).items()}
        setup = _setup(functions)
        self._kept += [functions, setup]
        sandbox = ffi.new('struct hlk_config *',
                          dict(config, size=ffi.sizeof('struct hlk_config')))
        how = ffi.new('struct hlk_pool_config *',
                      {'size': ffi.sizeof('struct hlk_pool_config'), 'sandboxes': sandboxes,
                       'restorers': restorers, 'config': sandbox, 'setup': setup})
        out, err = ffi.new('struct hlk_pool **'), ffi.new('struct hlk_err *')
        own = Context() if context is None else None
        try:
            with (context or own)._use() as hlk, snapshot._use() as raw:
                _check(lib.hlk_pool_open(hlk, raw, how, out, err), err)
        finally:
            if own:
                own.close()
        self._raw = out[0]
        self._size = config.get('output_size') or ANSWER

    def _close(self, raw: Any) -> None:
        _check(lib.hlk_pool_close(raw), ffi.new('struct hlk_err *'))

    def call(self, name: Bytes, data: Bytes = b'', *, wait: Optional[float] = None,
             timeout: Optional[float] = None) -> bytes:
        """One call in a fresh sandbox, waited for no longer than that"""
        name, data = _name(name), _bytes(data)
        out, length = ffi.new('char[]', self._size), ffi.new('size_t *')
        err = ffi.new('struct hlk_err *')
        with self._use() as raw:
            _check(lib.hlk_pool_call(raw, _us(wait), name, data, len(data), out,
                                     self._size, length, _us(timeout), err), err)
        return ffi.unpack(out, length[0])

    def map(self, name: Bytes, inputs: 'Iterator[Bytes]') -> 'Iterator[bytes]':
        """One call after the other"""
        return (self.call(name, data) for data in inputs)

    def metrics(self, name: Optional[str] = None) -> str:
        """What it did, as OpenMetrics; name is the label "pool" of each sample"""
        buf = ffi.new('char[]', constants['HLK_POOL_METRICS_SIZE'])
        label = _name(name) if name else ffi.NULL
        with self._use() as raw:
            lib.hlk_pool_metrics(raw, label, buf, len(buf))
        return ffi.string(buf).decode()

    def stats(self) -> Dict[str, Any]:
        """What it did"""
        stats = ffi.new('struct hlk_pool_stats *')
        with self._use() as raw:
            lib.hlk_pool_stats_sized(raw, stats, ffi.sizeof('struct hlk_pool_stats'))
        return dict(_plain(stats[0]), restore_hist=list(stats.restore_hist),
                    wait_hist=list(stats.wait_hist))
