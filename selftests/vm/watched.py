#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
watched.py OUTPUT METRICS: does what scripts for bpftrace counted in a VM equal what the module
counted there? OUTPUT is of watch-vm.sh; the metrics in it go to the file METRICS. TAP.
"""
import collections
import json
import re
import sys

nr = failed = 0


def tap(good, what, *seen):
    global nr, failed
    nr += 1
    if not good:
        failed += 1
        print('# ' + '\n'.join(str(s) for s in seen)[:3000].replace('\n', '\n# '))
    print('%s %d %s' % ('ok' if good else 'not ok', nr, what))


with open(sys.argv[1], encoding='utf-8', errors='replace') as file:
    text = file.read().replace('\r', '')
skip = re.search(r'^watch: SKIP (.*)$', text, re.M)
if skip:
    print('1..0 # SKIP ' + skip[1])
    sys.exit(0)


def said(what):
    """What was printed, and the exit code"""
    found = re.search(r'^watch: begin %s\n(.*?)^watch: end %s (\d+)$' % (what, what), text,
                      re.M | re.S)
    return (found[1], int(found[2])) if found else ('', -1)


def counted(what, which):
    found = re.search(r'^watch: json %s %s.json\n(.*?)^watch: end json$' % (what, which), text,
                      re.M | re.S)
    return json.loads(found[1]) if found and found[1].startswith('{') else {}


def module(what):
    """What HLK_VM_STATS said"""
    return collections.defaultdict(int, counted(what, 'run').get('stats', {}))


def table(printed, name):
    """{key: value} of a map; keys are as they are printed"""
    return {tuple(k.split(', ')): v for k, v in
            re.findall(r'^@%s\[(.*)\]: (.*)$' % name, printed, re.M)}


def numbers(printed, name):
    return {k: int(v) for k, v in table(printed, name).items()}


def bars(printed, name):
    """Sum of a histogram of hlk-run"""
    found = re.search(r'^@%s\[hlk-run\]: *\n((?:\[.*\n)*)' % name, printed, re.M)
    return sum(int(n) for n in re.findall(r'^\[.*?\) +(\d+) \|', found[1], re.M)) if found else 0


def near(found, what):
    """
    Of a pool: it counts its own restores, and not those of the sandbox that was booted, the
    first one of each other, or those that are under way when it is asked.
    """
    pool = counted(what, 'pool').get('pool')
    return pool and pool['restores'] > 20 and \
        abs(found - pool['restores']) <= 2 * pool['sandboxes'] + 2


what = 'hlk-restores.bt'
printed, code = said(what)
found = numbers(printed, 'restores')
stats = module(what)
first = min(found, key=lambda k: int(k[1]), default=None)
alone = found.pop(first, 0)
tap(code == 0 and alone == stats['restores'] >= 300 and first[0] == 'hlk-run',
    'who restores, until Ctrl-C: as often as the module counts', printed, stats)
tap(near(sum(found.values()), what) and len({key[2] for key in found}) >= 2,
    'and by sandboxes of a pool', found, counted(what, 'pool'))
pages = table(printed, 'pages')
total = re.search(r'count (\d+), average \d+, total (\d+)', pages.get(first, ''))
tap(total and int(total[1]) == stats['restores'] and
    int(total[2]) == stats['pages_copied'] + stats['pages_cleared'] > 0,
    'and as many pages', pages, stats)
tap('failed_with_errno' not in printed, 'none of which failed', printed)

printed, code = said('hlk-latency.bt')
stats = module('hlk-latency.bt')
pool = counted('hlk-latency.bt', 'pool').get('pool', {'restores': 10**9})
tap(code == 0 and bars(printed, 'restore') >= stats['restores'] + pool['restores'] > 300,
    'how long: each restore is in the histogram', printed, stats, pool)
tap(bars(printed, 'snapshot') >= 2, 'and each snapshot', printed)
tap(bars(printed, 'run') > 0, 'and runs', printed)

printed, code = said('hlk-pages.bt')
stats = module('hlk-pages.bt')
writes = numbers(printed, 'writes')
first = min(writes, key=lambda k: int(k[1]), default=None)
tap(code == 0 and writes.get(first) == stats['write_faults'] > 20,
    'which pages are hot: as many first writes as the module counts', printed, stats)
pages = numbers(printed, 'pages')
tap(0 < len(pages) <= 40 and all(re.fullmatch(r'0x[0-9a-f]+000', k[0]) for k in pages) and
    sum(pages.values()) <= sum(writes.values()) and '@missed: ' not in printed.replace('@missed: 0', ''),
    'by address', pages, printed)

printed, code = said('full')
pages = numbers(printed, 'pages')
missed = re.search(r'^@missed: (\d+)$', printed, re.M)
tap(code == 0 and 0 < len(pages) <= 16 and missed and int(missed[1]) and
    sum(pages.values()) + int(missed[1]) == sum(numbers(printed, 'writes').values()),
    'those for which there was no room are counted', printed)

printed, code = said('hlk-budget.bt')
stats = module('hlk-budget.bt')
refused = numbers(printed, 'refused')
lines = re.findall(r'^hlk-run \((\d+)\): VM (\d+) may make 60 pages private in a call: '
                   r'0x[0-9a-f]+000 is refused$', printed, re.M)
tap(code == 0 and sum(refused.values()) == stats['over_budget'] == len(lines) > 0,
    'who is over budget: as often as the module counts', printed, stats)
tap({key[1:] for key in refused} == set(lines), 'by whom', refused, lines)
most = numbers(printed, 'most_private')
tap(most and max(most.values()) >= 60, 'and how many pages there were', most)
printed, code = said('seconds')
tap(code == 0 and '@seconds' not in printed, 'a script ends by itself', printed, code)

found = re.search(r'^watch: metrics\n(.*?)^watch: end metrics$', text, re.M | re.S)
metrics = found[1] if found else ''
with open(sys.argv[2], 'w', encoding='utf-8') as file:
    file.write(metrics)
try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    tap(True, '# SKIP metrics: no prometheus_client')
else:
    try:
        samples = {s.name: s.value for f in text_string_to_metric_families(metrics)
                   for s in f.samples if not s.labels}
    except ValueError as wrong:
        samples = {'error': wrong}
    tap(near(samples.get('hlk_restores_total', 0), 'hlk-pages.bt') and
        samples.get('hlk_private_bytes', 0) > 0, 'metrics, by prometheus_client', samples, metrics)
tap('watch: came to its end\n' in text, 'the VM came to its end')
print('1..%d' % nr)
sys.exit(failed > 0)
