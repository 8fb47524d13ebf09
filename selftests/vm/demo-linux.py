# SPDX-License-Identifier: GPL-2.0-only
"""What waits warm in the Linux guest of the demonstration: runs what it is sent."""
import contextlib
import datetime
import hashlib
import io
import ipaddress
import random
import re
import struct
import sys
import textwrap

NAMES = {name: globals()[name] for name in (
    "datetime", "hashlib", "ipaddress", "random", "re", "struct", "textwrap")}


def run(text):
    """What a piece of Python prints, or how it fails."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(text, "call", "exec"), dict(NAMES))
        except Exception as error:  # it is the answer
            print(type(error).__name__, error)
    return out.getvalue().encode()


def main():
    """Each request and each answer is its length, a newline, and its bytes."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    run("print(hashlib.sha256(b'').hexdigest(), re.findall('a+', 'baac'))")
    answer = b""
    while True:
        answers.write(b"%d\n" % len(answer) + answer)
        answers.flush()
        length = requests.readline()
        if not length:
            return
        answer = run(requests.read(int(length)).decode())


main()
