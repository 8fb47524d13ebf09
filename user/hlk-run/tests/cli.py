#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
cli.py HLK-RUN FOLDER: what hlk-run does on terminals of all widths, at Ctrl-C, with files
that are none, and at limits; and what a program reads of it. HLK-RUN is one whose
module is played, with a guest that knows a few functions of one letter.
"""
import fcntl
import json
import os
import pty
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

hlk_run, folder = sys.argv[1:]
guest = os.path.join(folder, 'guest.elf')
nr = failed = 0
ENV = dict(os.environ, LC_ALL='C.UTF-8', TERM='linux')


def tap(good, what, seen=''):
    global nr, failed
    nr += 1
    if not good:
        failed += 1
        print('# ' + repr(seen)[:600].replace('\n', '\n# '))
    print('%s %d %s' % ('ok' if good else 'not ok', nr, what))


def run(*args, stdin=b'', limits=(), **more):
    def limit():
        for which, value in limits:
            resource.setrlimit(which, (value, value))
    return subprocess.run([hlk_run, *args], input=stdin, capture_output=True, env=ENV,
                          preexec_fn=limit, timeout=60, **more)


def terminal(columns, *args, then=None):
    """What is seen on a terminal, and how it ended; then() is called after the first output"""
    pid, fd = pty.fork()
    if not pid:
        os.execve(hlk_run, ['hlk-run', *args], ENV)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('4H', 24, columns, 0, 0))
    seen = b''
    while True:
        ready, _, _ = select.select([fd], [], [], 30)
        try:
            part = os.read(fd, 65536) if ready else b''
        except OSError:
            part = b''
        if not part:
            break
        seen += part
        if then:
            then(pid)
            then = None
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    text = re.sub(r'\x1b\[[0-9;]*[mK]', '', seen.decode())
    return [line.rsplit('\r', 1)[-1] for line in text.replace('\r\n', '\n').split('\n')], status


def write(name, data):
    path = os.path.join(folder, name)
    with open(path, 'wb') as file:
        file.write(data)
    return path


# An ELF file of one page, which the played KVM does not look at
write('guest.elf', struct.pack('<16s2H5I6H', b'\x7fELF\x01\x01\x01', 2, 3, 1, 0x101000, 52, 0,
                               0, 52, 32, 1, 0, 0, 0) +
      struct.pack('<8I', 1, 84, 0x101000, 0x101000, 16, 16, 5, 1) + b'\xf4'.ljust(16, b'\0'))

# Widths
TABLES = (('run', guest, '-c', 'e', '-i', 'x', '-n', '40'),
          ('serve-bench', guest, '-c', 'e', '-n', '40'))
for columns in (40, 60, 80, 200):
    for args in TABLES:
        lines, status = terminal(columns, *args)
        text = '\n'.join(lines)
        wide = [line for line in lines if len(line) > columns]
        tap(not wide and not status and 'p99.99' in text and 'mean' in text,
            '%s fits %d columns' % (args[0], columns), wide or text)
heads = [len([w for w in line.split() if w.startswith('p')])
         for line in terminal(79, *TABLES[0])[0] if line.startswith('latency')]
tap(heads == [5], 'all percentiles are in one line where that fits', heads)
heads = [line for line in terminal(78, *TABLES[0])[0] if line.startswith('latency')]
tap(heads and heads[0].split() == ['latency', 'restore', 'restore', '+', 'call'],
    'and below each other where it does not', heads)

# Percentiles
got = json.loads(run('serve-bench', guest, '-c', 'e', '-n', '3000', '-T', '3', '--json').stdout)
for name, one in got['latency_ns'].items():
    order = [one[k] for k in ('min', 'p50', 'p90', 'p99', 'p999', 'p9999', 'max')]
    tap(order == sorted(order) and one['count'] == 3000,
        'all calls of three threads are in the percentiles: ' + name, one)

# Ctrl-C
lines, status = terminal(80, 'run', guest, '-c', 'e', '-n', '1000000000',
                         then=lambda pid: os.kill(pid, signal.SIGINT))
text = '\n'.join(lines)
tap(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT and
    re.search(r'^calls +\d', text, re.M) and 'p99.99' in text,
    'Ctrl-C: the table so far', (status, text))
child = subprocess.Popen([hlk_run, 'serve-bench', guest, '-c', 'e', '-n', '1000000000', '--json'],
                         stdout=subprocess.PIPE, env=ENV)
time.sleep(0.7)
child.terminate()
got = json.loads(child.communicate(timeout=30)[0])
tap(got['interrupted'] and 0 < got['calls'] < 10**9 and child.returncode == -signal.SIGTERM,
    'SIGTERM of a pool: JSON of what was so far', (got, child.returncode))
child = subprocess.Popen([hlk_run, 'run', guest, '-c', 'e', '-n', '1000000000'], env=ENV,
                         stdout=subprocess.PIPE)
time.sleep(0.7)
for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
    child.send_signal(number)
got = child.communicate(timeout=30)[0]
tap(child.returncode == -signal.SIGTERM and b'p99' not in got,
    'a second one ends the program at once', (child.returncode, got))

# Metrics
def figures(text, what):
    """Samples by name and labels; by the parser of those who read them, if it is there"""
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError:
        found = {re.sub(r'{le="(.*)"}', r'\1', m[1]): float(m[2]) for m in re.finditer(r'^([a-z_]+\S*) (\S+)$', text, re.M)}
        tap(text.endswith('# EOF\n'), what + ', to its end', text[-100:])
        tap(True, '# SKIP %s: no prometheus_client' % what)
        return found
    families = list(text_string_to_metric_families(text))
    tap(len(families) > 10 and text.endswith('# EOF\n'), what + ', by prometheus_client')
    return {s.name + (s.labels.get('le') or ''): s.value for f in families for s in f.samples}


def promtool(text, what):
    try:
        got = subprocess.run(['promtool', 'check', 'metrics'], input=text.encode(), check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        tap(True, '# SKIP %s: no promtool' % what)
        return
    # It reads the older format, in which a counter is told of by the name of its sample.
    bad = [line for line in got.stdout.splitlines() if not line.endswith(b'_total no help text')]
    tap(not bad, what + ', by promtool', got)


path = os.path.join(folder, 'metrics')
got = json.loads(run('serve-bench', guest, '-c', 'e', '-n', '500', '-T', '3', '--metrics', path,
                     '--json').stdout)
with open(path, encoding='ascii') as file:
    told = file.read()
found = figures(told, 'metrics in a file')
tap(found['hlk_gets_total'] == got['pool']['gets'] == 500 and
    found['hlk_restores_total'] == found['hlk_restore_duration_seconds_count'] ==
    found['hlk_restore_duration_seconds_bucket+Inf'] and
    0 < found['hlk_restores_total'] <= 500 and found['hlk_private_bytes'] == 0 and
    abs(found['hlk_wait_duration_seconds_sum'] - got['pool']['wait_ns'] / 1e9) < 1e-6,
    'which are what the pool counted', found)
promtool(told, 'metrics')
got = run('top', path, '-n', '1', '-d', '1')
tap(got.returncode == 0 and b' 0 restores/s, half below -' in b' ' + got.stdout.split(b'\n  ')[1]
    and b'of 6;' in got.stdout, 'top of a file that does not change', got)
got = run('top', write('half', told[:500].encode()), '-n', '1', '-d', '1')
tap(got.returncode == 6 and b'not all of it' in got.stderr, 'top of half a file', got)
got = run('top', 'unix:' + os.path.join(folder, 'none'), '-n', '1')
tap(got.returncode == 1 and b'No such file' in got.stderr, 'top of no socket', got)
tap(not os.path.exists(path + '.new'), 'nothing else is left')
got = run('serve-bench', guest, '-c', 'e', '-n', '5', '--metrics', '/nonesuch/metrics')
tap(got.returncode == 1 and b'/nonesuch/metrics: No such file' in got.stderr,
    'metrics that cannot be written', got)



def left_alone(what, path, where, why):
    """Metrics go elsewhere than to what is there already"""
    before = os.lstat(path)
    got = run('serve-bench', guest, '-c', 'e', '-n', '5', '--metrics', where)
    after = os.lstat(path)
    tap(got.returncode == 1 and why in got.stderr and
        (before.st_ino, before.st_mode, before.st_size, before.st_mtime_ns) ==
        (after.st_ino, after.st_mode, after.st_size, after.st_mtime_ns),
        'metrics: %s is left alone' % what, got)


ours = write('ours', b'ours')
link = os.path.join(folder, 'link')
pipe = os.path.join(folder, 'pipe')
for path in (link, pipe, path + '.new'):
    if os.path.lexists(path):
        os.unlink(path)
os.symlink(ours, link)
os.mkfifo(pipe)
left_alone('a file where a socket is to be', ours, 'unix:' + ours, b'File exists')
left_alone('a link where one is to be', link, 'unix:' + link, b'File exists')
left_alone('a link', link, link, b'regular file')
left_alone('a FIFO', pipe, pipe, b'regular file')
left_alone('a folder', folder, folder, b'regular file')
tap(open(ours, 'rb').read() == b'ours', 'and what is in the file')
for what, make in (('a FIFO', os.mkfifo), ('a link', lambda path: os.symlink(ours, path))):
    make(link + '2.new')
    got = run('serve-bench', guest, '-c', 'e', '-n', '5', '--metrics', link + '2')
    tap(got.returncode == 0 and open(ours, 'rb').read() == b'ours' and
        not os.path.lexists(link + '2.new') and os.path.isfile(link + '2') and
        not os.path.islink(link + '2'), 'metrics: not by way of ' + what, got)
unix = os.path.join(folder, 'socket')
for again in ('', ' that was left behind'):
    child = subprocess.Popen([hlk_run, 'serve-bench', guest, '-c', 'e', '-n', '1000000000',
                              '--metrics', 'unix:' + unix, '--json'], env=ENV,
                             stdout=subprocess.PIPE)
    told = b''
    for _ in range(100):
        time.sleep(0.05)
        try:
            with socket.socket(socket.AF_UNIX) as asks:
                asks.connect(unix)
                asks.sendall(b'GET /metrics HTTP/1.0\r\n\r\n')
                while part := asks.recv(65536):
                    told += part
            break
        except OSError:
            pass
    head, _, told = told.decode('ascii').partition('\r\n\r\n')
    tap(head.startswith('HTTP/1.0 200') and 'application/openmetrics-text' in head,
        'metrics at a socket' + again, head)
    found = figures(told, 'and they are whole')
    tap('hlk_gets_total' in found, 'with figures', found)
    if not again:
        other = run('serve-bench', guest, '-c', 'e', '-n', '5', '--metrics', 'unix:' + unix)
        tap(other.returncode == 1 and b'in use' in other.stderr, 'a socket has one owner', other)
        child.kill()
        child.wait()
    else:
        lines, status = terminal(40, 'top', 'unix:' + unix, '-n', '2', '-d', '300')
        text = '\n'.join(lines)
        tap(not status and re.search(r'[1-9]\d* restores/s, half below \d', text) and
            not [line for line in lines if len(line) > 40 and 'unix:' not in line],
            'top shows what it does', text)
        with socket.socket(socket.AF_UNIX) as asks:
            asks.connect(unix)
            start = time.time()
            for _ in range(10):     # a byte each time before a second is over
                asks.send(b'G')
                if select.select([asks], [], [], 0.6)[0]:
                    break
            tap(asks.recv(8) == b'HTTP/1.0' and time.time() - start < 4, 'it waits for nobody')
        with socket.socket(socket.AF_UNIX) as asks:
            asks.connect(unix)      # and says nothing
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=30)
        tap(not os.path.exists(unix), 'which is gone in the end, whoever is silent there')

# Input and answers of any bytes
some = bytes(range(1, 256)) + b'\0\xff\n'
path = write('input', some)
answer = os.path.join(folder, 'answer')
got = run('run', guest, '-c', 'e', '--input-file', path, '--answer-file', answer)
tap(got.returncode == 0 and open(answer, 'rb').read() == some, 'a file in, a file out', got)
got = run('run', guest, '-c', 'e', '--input-file=-', '--answer-file=-', stdin=some)
tap(got.returncode == 0 and got.stdout == some and b'calls' in got.stderr,
    'standard input in, standard output out, and the table elsewhere', got)
got = json.loads(run('run', guest, '-c', 'e', '--input-file=-', '--json', stdin=some).stdout)
tap(bytes.fromhex(got['answer_hex']) == some, 'bytes that are no text, in JSON', got)
got = json.loads(run('run', guest, '-c', 'e', '-i', 'text', '--json').stdout)
tap(got['answer'] == 'text' and 'answer_hex' not in got, 'and text as it is', got)
got = json.loads(run('serve-bench', guest, '-c', 'e', '--input-file', path, '-n', '4',
                     '--json').stdout)
tap(got['calls'] == 4, 'a pool with such an input', got)
got = run('run', guest, '-c', 'e', '-i', 'x', '--answer-file', '/dev/full')
tap(got.returncode == 1 and b'/dev/full: No space left' in got.stderr, 'an answer to /dev/full',
    got)
got = run('run', guest, '-c', 'e', '--input-file', write('large', b'x' * 20000))
tap(got.returncode == 1 and b'buffer, which takes 16' in got.stderr, 'an input that is too large', got)
got = run('run', guest, '-c', 'e', '--input-file', '/dev/zero')
tap(got.returncode == 6 and b'/dev/zero: larger than 16 MiB' in got.stderr,
    'an input without an end', got)
got = run('run', guest, '-c', 'e', '--input-file', os.path.join(folder, 'none'))
tap(got.returncode == 6 and b'none: No such file' in got.stderr, 'an input that is not there', got)

# Failures, for programs
got = run('run', os.path.join(folder, 'none'), '--json')
failure = json.loads(got.stdout)
tap(failure['exit_code'] == 1 and failure['failure']['errno'] == 2 and
    failure['failure']['errno_name'] == 'ENOENT' and failure['failure']['what'] == 'file' and
    failure['failure']['text'].endswith('/none'), 'a file that is not there, as JSON', failure)
failure = json.loads(run('run', guest, '-c', 'none', '--json').stdout)
tap(failure['exit_code'] == 3 and failure['failure']['what'] == 'guest_status',
    'an error of the guest', failure)
failure = json.loads(run('run', guest, '-c', 'u', '--json').stdout)
tap(failure['failure']['what'] == 'guest_exit' and 'eip' in failure['guest_exit'],
    'a guest that dies, with its address', failure)
failure = json.loads(run('run', guest, '-c', 'f', '--json').stdout)
tap(failure['failure']['errno'] > 0 and failure['failure']['what'], 'one without memory', failure)
failure = json.loads(run('run', guest, '-c', 'e', '-i', 'a', '-e', 'b', '--json').stdout)
tap(failure['exit_code'] == 4 and 'expected' in failure['error'] and 'failure' not in failure,
    'another answer', failure)
failure = json.loads(run('serve-bench', guest, '-c', 'u', '--json').stdout)
tap(failure['failure']['what'] == 'guest_exit', 'in a pool', failure)

for name in ('at@1', 'no'):
    path = write(name, b'x' * 5)
    failure = json.loads(run('run', guest, '-c', 'e', '--map', path + '@0x1000', '--json').stdout)
    tap(path + ':' in failure['error'] and failure['failure']['what'] == 'argument' and
        'memory of the guest' in failure['error'], 'which file is not mapped: ' + name, failure)
failure = json.loads(run('run', guest, '-c', 'e', '--map', path + 'ne@0x1000', '--json').stdout)
tap('none: No such file' in failure['error'], 'which one is not there', failure)
for label in ('libc-2.31.so', 'libstdc++.so', 'a@b', 'a@b:c'):
    got = run('run', guest, '-c', 'e', '--map', path + '@0x40000000:' + label)
    tap(got.returncode == 0, 'a label with signs: ' + label, got)
for place in ('-1', '+1', ' 1', '0x', '', '1:', '1x'):
    got = run('run', guest, '-c', 'e', '--map', path + '@' + place)
    tap(got.returncode == 2 and b'--map wants' in got.stderr, 'no place: "%s"' % place, got)

got = run('pt', guest, '--json', '--svg=/nonesuch/a.svg')
failure = json.loads(got.stdout)
tap(got.returncode == 1 and 'mappings' in failure and b'/nonesuch/a.svg: No such' in got.stderr,
    'a picture that cannot be written, after JSON: one object', got)

# Two runs
one, two = os.path.join(folder, 'one.json'), os.path.join(folder, 'two.json')
first = {'kernel': '6.1', 'calls': 5, 'latency_ns': {'restore': {'p50': 1000, 'p99': 2000}},
         'calls_per_second': 1000.0, 'configurations': [{'pages': 8, 'ways': [
             {'way': 'A2', 'p50': 10}, {'way': 'B1', 'p50': 20}, {'way': 'C', 'p50': 5}]}]}
second = {'kernel': '6.12', 'calls': 5, 'latency_ns': {'restore': {'p50': 1100, 'p99': 1800}},
          'calls_per_second': 900.0, 'configurations': [{'pages': 8, 'ways': [
              {'way': 'B1', 'p50': 30}, {'way': 'A2', 'p50': 10}]}]}
for path, what in ((one, first), (two, second)):
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(what, file)
got = run('compare', one, two)
tap(got.returncode == 0 and
    re.search(rb'^latency_ns.restore.p50 +1.00 us +1.10 us +\+10.0%$', got.stdout, re.M) and
    re.search(rb'^latency_ns.restore.p99 +2.00 us +1.80 us +-10.0%$', got.stdout, re.M) and
    re.search(rb'\[B1\].p50 +20 ns +30 ns +\+50.0%$', got.stdout, re.M) and
    b'A2' not in got.stdout and b'kernel differs: 6.1, 6.12' in got.stdout and
    b'4 figures differ, 3 are the same, 1 are not' in got.stdout, 'compare: two runs', got)
got = run('compare', one, two, '--only', 'p50', '--worse', '20')
tap(got.returncode == 4 and b'1 of them are worse by more than 20%' in got.stderr and
    b'p99' not in got.stdout, 'compare: medians that are worse', got)
got = run('compare', one, two, '--only', 'calls_per_second', '--worse', '5')
tap(got.returncode == 4, 'compare: a rate that is worse is less', got)
tap(run('compare', two, one, '--only', 'calls_per_second', '--worse', '5').returncode == 0,
    'compare: and one that is better is more')
got = run('compare', one, '-', stdin=json.dumps(first).encode())
tap(got.returncode == 0 and b'0 figures differ' in got.stdout, 'compare: standard input', got)
for what, data in (('no JSON', b'{"a": 1'), ('a list', b'[1]'), ('nothing', b''),
                   ('depth', b'{"a":' * 5000 + b'1' + b'}' * 5000)):
    got = run('compare', one, '-', stdin=data)
    tap(got.returncode == 6 and b'not a JSON object' in got.stderr, 'compare: ' + what, got)
got = run('compare', one, '-', stdin=b'{"b": "c"}')
tap(got.returncode == 6 and b'nothing to compare' in got.stderr, 'compare: other JSON', got)
got = run('compare', one, os.path.join(folder, 'none'))
tap(got.returncode == 6 and b'No such file' in got.stderr, 'compare: no such file', got)


def compared(first, second, *args):
    for path, what in ((one, first), (two, second)):
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(what, file)
    return run('compare', one, two, *args)


got = compared({'kernel': '\x1b[2J6.1\x9b', 'a': 1}, {'kernel': 7, 'a': 1})
tap(b'\x1b' not in got.stdout and b'\x9b' not in got.stdout and
    re.search(rb'kernel differs: .*6.1.*, 7\n', got.stdout), 'compare: no escapes, and a number',
    got)
start = time.time()
got = compared({'all': list(range(200000)), **{'k%d' % k: k for k in range(60000)}},
               {'all': list(range(199999)) + [0], **{'k%d' % k: k for k in range(60000)}})
tap(b'all[199999]' in got.stdout and b'1 figures differ, 259999 are the same' in got.stdout and
    time.time() - start < 20, 'compare: long lists', got)
got = compared({'all': [{'pages': k, 'p50': k} for k in range(20000)]},
               {'all': [{'pages': k, 'p50': k} for k in reversed(range(20000))]})
tap(b'0 figures differ, 40000 are the same' in got.stdout, 'compare: in another order', got)
long = 'x' * 80
got = compared({'all': [{'name': long + 'a', 'p50': 1}, {'name': long + 'b', 'p50': 2}]},
               {'all': [{'name': long + 'b', 'p50': 2}, {'name': long + 'a', 'p50': 1}]})
tap(b'0 figures differ, 2 are the same' in got.stdout, 'compare: names that begin alike', got)
got = compared({'all': [{'name': 'a', 'p50': 1}, {'name': 'a', 'p50': 2}, {'name': 'a', 'p50': 3}]},
               {'all': [{'name': 'a', 'p50': 1}, {'name': 'b', 'p50': 2}, {'name': 'a', 'p50': 4}]})
tap(b'all[a, 2].p50' in got.stdout and b'1 figures differ, 1 are the same, 1 are not' in got.stdout,
    'compare: names that come again', got)
got = compared({'\u00e9' * 70: {'b': {'p50': 1}}}, {'\u00e9' * 70: {'b': {'p50': 2}}})
tap(('\u00e9' * 32 + '.b.p50').encode() in got.stdout and b'\xef\xbf\xbd' not in got.stdout,
    'compare: a long name ends with a character', got)
compared(first, second)
lines, status = terminal(40, 'compare', one, two)
tap(not status and not [line for line in lines if len(line) > 40 and '[' not in line],
    'compare: 40 columns', lines)

# Files that are none
fifo = os.path.join(folder, 'fifo')
if not os.path.exists(fifo):
    os.mkfifo(fifo)
sparse = write('sparse', b'')
os.truncate(sparse, 2 << 30)
for what, path, why in (('a FIFO', fifo, b'not a regular file'),
                        ('/dev/null', '/dev/null', b'not a regular file'),
                        ('a folder', '/etc', b'/etc'),
                        ('2 GiB of nothing', sparse, b'not an ELF file')):
    start = time.time()
    got = run('run', path, '-c', 'e')
    tap(got.returncode in (1, 6) and why in got.stderr and os.path.basename(path).encode() in
        got.stderr and time.time() - start < 5, what + ' as a guest, by name', got)
path = write('n' * 200, b'no ELF file'.ljust(200))
got = run('run', path, '-c', 'e')
tap(got.returncode == 1 and b'nnn: not an ELF file\n' in got.stderr,
    'what is wrong with a file of a long name', got)
os.unlink(path)
for end in ('', 'x'):
    path = write('\u00e9' * 100 + end, b'no ELF file'.ljust(200))
    got = run('run', path, '-c', 'e')
    tap(re.search(': \u00e9+%s: not an ELF file\n' % end, got.stderr.decode(errors='replace')),
        'which is cut before a character', got)
    os.unlink(path)
os.truncate(sparse, 5 << 30)
got = run('run', sparse, '-c', 'e')
tap(got.returncode == 1 and b'sparse: ' in got.stderr and b'4 GiB or more' in got.stderr,
    'and 5 GiB', got)
os.unlink(sparse)
with open('/dev/full', 'w', encoding='utf-8') as full:
    got = subprocess.run([hlk_run, 'run', guest, '-c', 'e', '-n', '20'], stdout=full,
                         stderr=subprocess.PIPE, env=ENV, check=False)
tap(got.returncode == 1 and b'cannot write the output: No space left' in got.stderr,
    'a table to /dev/full', got)

# Limits
got = run('run', guest, '-c', 'e', limits=((resource.RLIMIT_NOFILE, 4),))
tap(got.returncode == 1 and b'ulimit -n is 4; raise it' in got.stderr, 'ulimit -n', got)
failure = json.loads(run('run', guest, '-c', 'e', '--json',
                         limits=((resource.RLIMIT_NOFILE, 4),)).stdout)
tap('ulimit -n' in failure['hint'] and failure['failure']['errno_name'] == 'EMFILE',
    'ulimit -n, as JSON', failure)
got = run('run', guest, '-c', 'e', '--answer-file', os.path.join(folder, 'new'), '-i', 'x' * 2000,
          limits=((resource.RLIMIT_FSIZE, 1024),))
tap(got.returncode == -signal.SIGXFSZ or b'ulimit -f is 1' in got.stderr, 'ulimit -f', got)

print('1..%d' % nr)
sys.exit(failed > 0)
