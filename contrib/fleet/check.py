#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
check.py: the files here are what they say. CDI's by the schema below, which has what its
specification 0.5.0 says of the parts that are used; YAML by its parser, and names in it that
have to be the same in two places. TAP.
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NODE = {'path', 'hostPath', 'type', 'major', 'minor', 'fileMode', 'permissions', 'uid', 'gid'}
NR = [0, 0]


def tap(good, what, seen=''):
    NR[0] += 1
    NR[1] += not good
    if not good:
        print('# %r' % (seen,))
    print('%s %d %s' % ('ok' if good else 'not ok', NR[0], what))


def read(name):
    with open(os.path.join(HERE, name), encoding='utf-8') as file:
        return file.read()


def cdi():
    spec = json.loads(read('hlk-cdi.json'))
    tap(set(spec) <= {'cdiVersion', 'kind', 'annotations', 'devices', 'containerEdits'} and
        spec['cdiVersion'] in ('0.3.0', '0.4.0', '0.5.0') and
        re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*', spec['kind']),
        'CDI: version and kind', spec)
    for device in spec['devices']:
        nodes = device['containerEdits']['deviceNodes']
        tap(set(device) <= {'name', 'annotations', 'containerEdits'} and
            re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9_.:-]*', device['name']) and nodes and
            all(set(n) <= NODE and n['path'].startswith('/dev/') and n['type'] in 'bcup' and
                re.fullmatch('[rwm]+', n['permissions']) for n in nodes),
            'CDI: device ' + device['name'], device)
    tap({'/dev/hlk', '/dev/kvm'} == {n['path'] for n in nodes}, 'CDI: both files')


def kubernetes():
    try:
        import yaml
    except ImportError:
        tap(True, 'YAML # SKIP no python3-yaml')
        return
    docs = {}
    for name in sorted(os.listdir(HERE)):
        if name.endswith('.yaml'):
            docs[name] = list(yaml.safe_load_all(read(name)))
            tap(all({'apiVersion', 'kind', 'metadata'} <= set(d) for d in docs[name]), name)
    for name in ('module.yaml', 'device-plugin.yaml'):
        spec = docs[name][0]['spec']
        pod = spec['template']['spec']
        labels = spec['template']['metadata']['labels']
        mounts = {v['name'] for v in pod['volumes']}
        used = {m['name'] for c in pod['containers'] + pod.get('initContainers', [])
                for m in c.get('volumeMounts', [])}
        tap(spec['selector']['matchLabels'].items() <= labels.items() and used == mounts and
            docs[name][0]['apiVersion'] == 'apps/v1', name + ': selector and volumes', spec)
    plugin = docs['device-plugin.yaml'][0]['spec']['template']['spec']['containers'][0]['args']
    device = yaml.safe_load(plugin[plugin.index('--device') + 1])
    paths = {p['path'] for g in device['groups'] for p in g['paths']}
    runtime, pod = docs['runtime-class.yaml']
    tap(paths == {'/dev/hlk', '/dev/kvm'}, 'the plugin offers both files', device)
    limits = pod['spec']['containers'][0]['resources']['limits']
    tap('squat.ai/' + device['name'] in limits, 'and the Pod asks for what it offers', limits)
    tap(pod['spec']['runtimeClassName'] == runtime['metadata']['name'], 'by its class')
    where = [runtime['scheduling']['nodeSelector']] + [
        docs[n][0]['spec']['template']['spec']['nodeSelector']
        for n in ('module.yaml', 'device-plugin.yaml')]
    tap(all(w.get('hlk.dev/host') == 'true' for w in where), 'all on the same hosts', where)


cdi()
kubernetes()
print('1..%d' % NR[0])
sys.exit(NR[1] > 0)
