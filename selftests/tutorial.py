#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""tutorial.py FILE.rst [PATTERN]: run the commands of its console blocks, in this folder, and
compare what they print. `...` on a line of its own is any number of lines, in one any text. With
PATTERN only those commands that it matches; their output is then their exit code alone. TAP.
"""
import re
import subprocess
import sys


def blocks(path):
    """(command, expected lines) of each command of each console block"""
    found, inside = [], False
    with open(path, encoding='utf-8') as file:
        for line in file:
            line = line.rstrip('\n')
            if line == '.. code-block:: console':
                inside = True
            elif inside and line.startswith('   $ '):
                found.append((line[5:], []))
            elif inside and line.startswith('   '):
                found[-1][1].append(line[3:])
            elif line:
                inside = False
    return found


def pattern(lines):
    out = ''
    for line in lines:
        if line == '...':
            out += r'(?:.*\n)*'
        else:
            out += '.*'.join(re.escape(part) for part in line.split('...')) + r'\n'
    return out


def main(path, only=None):
    commands = [c for c in blocks(path) if not only or re.search(only, c[0])]
    bad = 0
    for nr, (command, lines) in enumerate(commands, 1):
        ran = subprocess.run(['bash', '-c', command], stdin=subprocess.DEVNULL, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        good = ran.returncode == 0
        if not only:
            good = good and re.fullmatch(pattern(lines), ran.stdout)
        if not good:
            bad += 1
            print('# exit code %d' % ran.returncode)
            for line in ran.stdout.split('\n'):
                print('# ' + line)
        print('%s %d %s' % ('ok' if good else 'not ok', nr, command), flush=True)
    print('1..%d' % len(commands))
    return 1 if bad or not commands else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
