#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""
test_hlk.py [GUEST]: with a module, or one that is played, what the package does; TAP.
Without GUEST the guest is the played one, of which functions have one letter.
"""
import gc
import random
import sys
import threading
import time
import weakref

import hlk

NR = [0, 0]


def tap(good, what, seen=''):
    NR[0] += 1
    NR[1] += not good
    if not good and seen != '':
        print('# %r' % (seen,))
    print('%s %d %s' % ('ok' if good else 'not ok', NR[0], what))


def fails(call):
    try:
        call()
    except hlk.Error as err:
        return err
    return None


def test_histogram():
    draw = random.Random(1)
    values = [int(2 ** draw.uniform(0, 40)) for _ in range(20000)]
    one, two = hlk.Histogram(values[::3]), hlk.Histogram(values[1::3] + values[2::3])
    both = one + two
    values.sort()
    most = 0
    for percent in (0.01, 1, 50, 90, 99, 99.9, 99.99):
        want = values[max(0, -int(-len(values) * percent // 100) - 1)]
        most = max(most, (both.percentile(percent) - want) / want)
    tap(0 <= most < 1 / 8192, 'percentiles of two histograms put together', most)
    tap(both.min == values[0] and both.max == values[-1] and len(both) == 20000 and
        both.mean == sum(values) / 20000, 'least, greatest and mean are exact')
    picture = both._repr_svg_()
    tap(picture.startswith('<svg') and picture.endswith('</svg>') and 'NaN' not in picture,
        'a picture for notebooks')
    tap(sum(count for _, count in both.rows()) == 20000, 'in which none is left out')
    tap('nothing' in repr(hlk.Histogram()), 'a histogram of nothing')


def test_played():
    with hlk.Context() as context:
        tap('max_private' in context.info(), 'information about the module')
    said = []
    with hlk.Sandbox(IMAGE, host={'e': lambda data: data[::-1], 'bad': lambda data: 1 / 0},
                     print=said.append) as s:
        tap(s.call('e', b'a\0\xff') == b'a\0\xff', 'bytes in, bytes out')
        tap(s.call('e', 'text') == b'text' and s.call(b'e') == b'', 'text, and nothing')
        tap(s.call('e', b'x', restore=False) == b'x', 'without a restore')
        s.call('p', b'said')
        tap(b''.join(said) == b'said', 'what it prints', said)
        err = fails(lambda: s.call('none'))
        tap(err.what == WHAT_STATUS and 'none' in str(err), 'an error of the guest', err)
        err = fails(lambda: s.call('u'))
        tap(err and err.what == WHAT_EXIT, 'a guest that dies', err)
        err = fails(lambda: s.call('s', timeout=0.05))
        tap(err and err.errno == 110, 'one that takes too long', err)
        s.restore()
        took = s.time('e', b'x', calls=200)
        tap(len(took) == 200 and took.percentile(50) > 0, 'how long calls take', took)
        snapshot = s.snapshot()
        tap(isinstance(snapshot.info()['pages'], int), 'what a snapshot has')
        with hlk.Pool(snapshot, sandboxes=2) as pool:
            answers = []
            threads = [threading.Thread(target=lambda: answers.extend(
                pool.call('e', b'%d' % i) for i in range(20))) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            tap(sorted(answers) == sorted(b'%d' % i for i in range(20) for _ in range(3)),
                'a pool under three threads')
            tap(pool.stats()['gets'] == 60, 'and its statistics')
            tap('\nhlk_gets_total{pool="a"} 60\n' in pool.metrics('a'), 'as OpenMetrics, too')
            tap(fails(lambda: pool.call('none')).what == WHAT_STATUS, 'and errors')
        with hlk.Sandbox(snapshot) as clone:
            tap(clone.call('e', b'y') == b'y', 'a clone')
    try:
        s.call('e')
        tap(False, 'one that is closed is not called')
    except ValueError:
        tap(True, 'one that is closed is not called')
    err = fails(lambda: hlk.Sandbox('/nonesuch'))
    tap(err.errno == 2 and isinstance(err, OSError) and '/nonesuch' in str(err),
        'a file that is not there', err)
    err = fails(lambda: hlk.Sandbox(b'no ELF file at all, and long enough for that: ' * 3))
    tap(err is not None and 'ELF' in str(err), 'bytes that are no ELF file', err)
    for _ in range(50):
        hlk.Sandbox(IMAGE)
    gc.collect()
    tap(True, 'fifty that nobody closed')


def is_busy(call):
    err = fails(call)
    return err is not None and err.errno == 16


def refuses(call, what):
    try:
        call()
    except what:
        return True
    return False


class Staying:
    """A host function that stays until it is let go, and says when it is there"""

    def __init__(self):
        self.there, self.go, self.answers = threading.Event(), threading.Event(), []

    def __call__(self, data):
        self.there.set()
        self.go.wait(60)
        return b'stayed'

    def begin(self, call):
        thread = threading.Thread(target=lambda: self.answers.append(call('h', 'stay')))
        thread.start()
        self.there.wait(60)
        return thread

    def end(self, thread):
        self.go.set()
        thread.join()
        return self.answers == [b'stayed']


def test_shared():
    """Threads that have the same, and close it under one another"""
    stay, inside = Staying(), []
    s = hlk.Sandbox(IMAGE, host={'stay': stay, 'in': lambda data: inside.extend((
        is_busy(lambda: s.call('e', b'x')), is_busy(s.close), s.stats() != {}, s.kick()))
        or b''})
    s.call('h', 'in')
    tap(inside == [True, True, True, None], 'in a callback it is busy, but for what may be used',
        inside)
    thread = stay.begin(s.call)
    tap(is_busy(lambda: s.call('e', b'x' * 100)) and is_busy(s.restore) and is_busy(s.exit),
        'and for another thread')
    s.kick()
    tap(is_busy(s.close) and s.stats() != {}, 'it is not closed in a call')
    tap(stay.end(thread) and s.call('e', b'x') == b'x', 'which does no harm')
    wrong = []

    def call(text):
        for _ in range(300):
            try:
                answer = s.call('e', text)
                if answer != text:
                    wrong.append(answer)
            except hlk.Error as err:
                if err.errno != 16:
                    wrong.append(err)
    threads = [threading.Thread(target=call, args=(b'%d' % i * 10 ** i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap(not wrong, 'four threads: each has its own answer, or it is busy', wrong[:3])
    snapshot = s.snapshot()
    s.close()
    clones, over = [hlk.Sandbox(snapshot)], []

    def kick():
        while not over:
            try:
                clones[-1].kick()
            except ValueError:
                pass
    thread = threading.Thread(target=kick)
    thread.start()
    for _ in range(50):
        clones.append(hlk.Sandbox(snapshot))
        clones[-2].close()
        clones[-1].close()
    over.append(True)
    thread.join()
    tap(refuses(clones[0].kick, ValueError), 'closed while they are kicked')
    context, seen = hlk.Context(), []
    with snapshot._use(), context._use():
        thread = threading.Thread(target=lambda: seen.extend((
            is_busy(snapshot.close), is_busy(context.close), snapshot.info() != {},
            hlk.Sandbox(snapshot, context).call('e', b'x'))))
        thread.start()
        thread.join()
    context.close()
    tap(seen == [True, True, True, b'x'] and refuses(context.info, ValueError),
        'neither is a snapshot or a context closed that another thread uses', seen)
    stay = Staying()
    pool = hlk.Pool(snapshot, sandboxes=1, host={'stay': stay})
    thread = stay.begin(pool.call)
    tap(is_busy(pool.close) and is_busy(pool.close), 'a pool is not closed in a call')
    tap(stay.end(thread) and pool.call('e', b'x') == b'x', 'and is as before')
    raw, err = hlk.ffi.new('struct hlk_sandbox **'), hlk.ffi.new('struct hlk_err *')
    hlk.lib.hlk_pool_get(pool.raw, 0, raw, err)
    tap(is_busy(pool.close) and pool.stats()['out'] == 1, 'nor when somebody has one of it')
    hlk.lib.hlk_pool_put(pool.raw, raw[0])
    pool.close()
    gc.disable()
    pool = hlk.Pool(snapshot, sandboxes=1, host={'stay': stay})
    gone = weakref.ref(pool)
    del pool
    tap(gone() is None, 'what nobody has is closed, and waits for no collector')
    gc.enable()
    pool = hlk.Pool(snapshot, sandboxes=1, host={'stay': stay})
    hlk.lib.hlk_pool_get(pool.raw, 0, raw, err)
    left, said, sys.unraisablehook = pool.raw, [], lambda what: said.append(what.exc_type)
    del pool
    sys.unraisablehook = sys.__unraisablehook__
    tap(said == [hlk.Error] and len(hlk._FOREVER) == 1,
        'one that cannot be is said, and leaves its functions to it', said)
    hlk.lib.hlk_pool_put(left, raw[0])
    hlk.lib.hlk_pool_close(left)


def test_arguments():
    with hlk.Sandbox(IMAGE) as s:
        tap(refuses(lambda: s.call('e', 4), TypeError), 'a number is no bytes')
        tap(s.call('e', bytearray(b'ab')) == b'ab' and
            s.call('e', memoryview(b'abc')[::2]) == b'ac', 'other buffers are')
        tap(refuses(lambda: s.call('e\0x'), ValueError) and
            refuses(lambda: s.host_function('e\0x', len), ValueError) and
            refuses(lambda: hlk.Pool(s.snapshot_of_boot, host={'e\0x': len}), ValueError) and
            refuses(lambda: hlk.Sandbox('/dev/null\0x'), ValueError),
            'names are not cut at a NUL')


def test_real(guest):
    said = []
    with hlk.Sandbox(guest, host={'echo': lambda data: data.upper(), 'fails': lambda d: 1 / 0},
                     print=said.append) as s:
        tap([s.call('counter') for _ in range(50)] == [b'1'] * 50, 'each call in a new guest')
        tap(s.call('counter', restore=False) == b'2', 'but not without a restore')
        s.call('hello')
        tap(s.call('host', 'echo hi') == b'HI', 'the guest calls a function of Python')
        err = fails(lambda: s.call('crash', '0xdeadbee0'))
        tap(err.what == WHAT_EXIT and s.exit()['fault'] == 0xdeadbee0, 'a crash', err)
        s.restore()
        err = fails(lambda: s.call('loop', timeout=0.2))
        tap(err.errno == 110, 'a limit of time', err)
        s.restore()
        kicker = threading.Timer(0.3, s.kick)
        kicker.start()
        err = fails(lambda: s.call('loop', timeout=600))
        kicker.join()
        tap(err.what == hlk.constants.get('HLK_WHAT_KICKED', 23), 'another thread ends a call',
            err)
        s.restore()
        s.audit()
        tap(s.stats()['restores'] > 50, 'an audit, and statistics')
        with hlk.Pool(s.snapshot_of_boot, sandboxes=2) as pool:
            tap(list(pool.map('counter', [b''] * 20)) == [b'1'] * 20, 'a pool')
    tap(b'i686' in b''.join(said), 'what it printed came', said)


def overhead(guest, calls):
    """What a fused call takes by this, to be compared with hlk-c's figure"""
    with hlk.Sandbox(guest) as s:
        least = None
        for _ in range(4):
            start = time.perf_counter_ns()
            for _ in range(calls):
                s.call(b'echo', b'hello')
            took = (time.perf_counter_ns() - start) / calls
            least = took if least is None else min(least, took)
        print('# python: %.0f ns a fused call' % least)


WHAT_STATUS, WHAT_EXIT = hlk.lib.HLK_WHAT_GUEST_STATUS, hlk.lib.HLK_WHAT_GUEST_EXIT
# An ELF file of one page, which the played KVM does not look at
IMAGE = bytes.fromhex(
    '7f454c46010101000000000000000000' '0200030001000000001010003400000000000000'
    '0000000034002000010000000000' '0000') + b''.join(
        n.to_bytes(4, 'little') for n in (1, 84, 0x101000, 0x101000, 16, 16, 5, 1)) + \
    b'\xf4'.ljust(16, b'\0')

if __name__ == '__main__':
    if len(sys.argv) > 2:
        overhead(sys.argv[1], int(sys.argv[2]))
        sys.exit(0)
    test_histogram()
    try:
        hlk.Context().close()
    except hlk.Error as error:
        tap('/dev/' in str(error), 'without a module it is said why')
    else:
        if len(sys.argv) > 1:
            test_real(sys.argv[1])
        else:
            test_played()
            test_shared()
            test_arguments()
    print('1..%d' % NR[0])
    sys.exit(NR[1] > 0)
