#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the headers' kernel-doc says, as man pages and for the manual.

  kdoc.py man FOLDER HEADER [PAGE]  a page of section 3 for each function, struct, enum and
                                    type of HEADER, dated as PAGE
  kdoc.py names HEADER              the functions that are documented, and the aliases by
                                    which other languages call them, a line each
  kdoc.py undocumented HEADER...    what is declared and has no kernel-doc

The kernel's own script is not in any small package, and knows nothing of inline functions
that stand behind the one that they call; sphinx/kernel_doc.py uses this, too.
"""
import os
import re
import sys

BLOCK = re.compile(r'/\*\*\n(.*?)\*/[ \t]*\n?', re.S)
HEAD = re.compile(r'^(?:(struct|enum|union|typedef)\s+)?(\w+)(\(\))?\s+-\s+(.*)$')
MEMBER = re.compile(r'^@([\w.]+|\.\.\.):\s*(.*)$')
SECTION = re.compile(r'^(Return|Returns|Context|Note):\s*(.*)$')


class Doc:
    """One comment, and the declaration behind it"""

    def __init__(self):
        self.kind = self.name = self.short = self.code = ''
        self.members = []       # (name, text)
        self.body = []          # paragraphs; a list is a list of items
        self.returns = []       # the same
        self.aliases = []       # functions that an inline one calls


def strip(comment):
    return [re.sub(r'^\s*\*? ?', '', re.sub(r'\s+$', '', line), 1) if line.strip() else ''
            for line in comment.rstrip().split('\n')]


def paragraphs(lines):
    """Lines as paragraphs: text, [item, ...] or ('code', text)"""
    out, text, items, code = [], [], [], []

    def flush():
        if code:
            while code and not code[-1]:
                code.pop()
            indent = min(len(c) - len(c.lstrip()) for c in code if c)
            out.append(('code', '\n'.join(c[indent:] for c in code)))
        if items:
            out.append(list(items))
        if text:
            out.append(' '.join(text))
        text.clear()
        items.clear()
        code.clear()

    literal = False
    for line in lines:
        if literal and (not line or line[0] in ' \t'):
            if line or code:
                code.append(line.expandtabs())
            continue
        if literal:
            literal = False
            flush()
        if not line.strip():
            if not items:
                flush()
            continue
        item = re.match(r'^\s*[-*]\s+(.*)$', line)
        if item:
            if text:
                flush()
            items.append(item.group(1))
        elif items and re.match(r'^\s{2,}', line):
            items[-1] += ' ' + line.strip()
        else:
            if items:
                flush()
            text.append(line.strip())
            if line.endswith('::'):
                text[-1] = text[-1][:-1]
                flush()
                literal = True
    flush()
    return out


def declaration(source, at, doc):
    """What stands behind a comment: up to its ; or the end of its body"""
    rest = source[at:]
    if doc.kind in ('struct', 'enum', 'union'):
        end = re.search(r'^\}.*?;', rest, re.M)
        return rest[:end.end()] if end else ''
    if rest.startswith('#define'):
        return re.match(r'(?:.*\\\n)*.*', rest).group(0)
    end = re.search(r'[;{]', rest)
    return re.sub(r'\s+', ' ', rest[:end.start()]).strip() if end else ''


def parse(path):
    """All of a header: (docs by order, DOC: sections by title)"""
    with open(path, encoding='utf-8') as file:
        source = file.read()
    docs, sections = [], {}
    for match in BLOCK.finditer(source):
        lines = strip(match.group(1))
        while lines and not lines[0]:
            lines.pop(0)
        if lines and lines[0].startswith('DOC:'):
            sections[lines[0][4:].strip()] = paragraphs(lines[1:])
            continue
        # the short description may go on in the next line
        while len(lines) > 1 and lines[1] and lines[1][0] not in '@ \t-':
            lines[0:2] = [lines[0] + ' ' + lines[1]]
        head = HEAD.match(lines[0]) if lines else None
        if not head:
            sys.exit('%s: a comment that is no kernel-doc: %s' %
                     (path, lines[0] if lines else '/** */'))
        doc = Doc()
        doc.kind = head.group(1) or 'function'
        doc.name, doc.short = head.group(2), head.group(4)
        body, returns, target = [], [], None
        for line in lines[1:]:
            member, section = MEMBER.match(line), SECTION.match(line)
            if member:
                doc.members.append([member.group(1), member.group(2)])
                target = doc.members[-1]
            elif section:
                target = returns if section.group(1).startswith('Return') else body
                target.append(section.group(2))
            elif isinstance(target, list) and target is not body and target is not returns:
                if line.strip():
                    target[1] += ' ' + line.strip()
                else:
                    target = body
            else:
                if target is None:
                    target = body
                target.append(line)
        doc.body, doc.returns = paragraphs(body), paragraphs(returns)
        doc.code = declaration(source, match.end(), doc)
        if doc.kind == 'function':
            if doc.code.startswith('#define'):
                doc.kind = 'macro'
            else:
                inline = re.search(r'^static inline [^;{]*\b%s\([^{;]*' % doc.name, source, re.M)
                if inline and not re.search(r'\b%s\(' % doc.name, doc.code):
                    doc.aliases = re.findall(r'\b(hlk_\w+)\(', doc.code)[:1]
                    doc.code = re.sub(r'\s+', ' ', inline.group(0)).strip()
                doc.code = re.sub(r'^(static|extern) (inline )?', '', doc.code)
        docs.append(doc)
    return docs, sections


def prototype(doc):
    """(type, [argument, ...]) of a function"""
    match = re.match(r'(.*?)\b%s\((.*)\)' % doc.name, doc.code)
    if not match:
        sys.exit('%s: no declaration behind its kernel-doc' % doc.name)
    arguments = re.split(r',\s*(?![^()]*\))', match.group(2))
    return match.group(1).strip(), arguments


# man pages

def roff(text, known):
    """A paragraph as lines of mdoc, a sentence each"""
    text = text.replace('\\', '\\e').replace('``', '')
    text = re.sub(r'(?<![\w@])[%&](?=[A-Za-z_])', '', text)
    out, line = [], []

    def flush():
        if line:
            joined = ' '.join(line)
            out.append('\\&' + joined if joined[0] in '.\'' else joined)
        line.clear()

    for word in text.split():
        match = re.match(r'^([("]*)(@?)([\w.]*\w)(\(\)|\([2-8]\))?([).,:;"?!]*(?:\'s)?[.,;:]*)$', word)
        special = ''
        if match:
            name, call, tail = match.group(3), match.group(4), match.group(5)
            if match.group(2):
                special = '.Fa ' + name
            elif call == '()' and name in known:
                special = '.Fn ' + name if name == known[''] else '.Xr %s 3' % name
            elif call == '()':
                special = '.Fn ' + name
            elif call:
                special = '.Xr %s %s' % (name, call[1])
        if not special or match.group(1):
            line.append(word)
            if re.search(r'[\w)"][.?!]$', word) and not word.endswith(('e.g.', 'i.e.')):
                flush()
            continue
        flush()
        if tail.endswith("'s"):
            special += " Ns 's"
        elif tail:
            special += ''.join(' ' + c if c in ').,:;?!' else ' Ns ' + c for c in tail)
        out.append(special)
    flush()
    return out


def blocks(parts, known):
    out = []
    for part in parts:
        if out:
            out.append('.Pp')
        if isinstance(part, tuple):
            if out:
                out.pop()
            out += ['.Bd -literal -offset indent'] + part[1].replace('\\', '\\e').split('\n') + ['.Ed']
        elif isinstance(part, list):
            if out:
                out.pop()
            out.append('.Bl -tag -width Ds')
            for item in part:
                head, colon, rest = item.partition(': ')
                if colon and ' ' not in head.replace(', ', ''):
                    names = head.lstrip('-').split(', ')
                    out.append('.It Bq Er ' + ' , '.join(n.lstrip('-') for n in names)
                               if names[0].startswith('E') else '.It Dv ' + ' , '.join(names))
                    out += roff(rest, known)
                else:
                    out.append('.It')
                    out += roff(item, known)
            out.append('.El')
        else:
            out += roff(part, known)
    while out and out[-1] == '.Pp':
        out.pop()
    return [line for i, line in enumerate(out)
            if not (line == '.Pp' and i + 1 < len(out) and out[i + 1] in
                    ('.Bd -literal -offset indent', '.Bl -tag -width Ds'))]


def named(doc):
    """What a text refers to"""
    text = ' '.join([m[1] for m in doc.members] +
                    [' '.join(p) if isinstance(p, list) else p if isinstance(p, str) else ''
                     for p in doc.body + doc.returns] + [doc.code])
    return set(re.findall(r'\b(hlk_\w+)\b', text))


def page(doc, docs, date):
    known = {d.name: d for d in docs}
    known.update({alias: d for d in docs for alias in d.aliases})
    known[''] = doc.name
    # in two pieces, for it is not of this file
    out = ['.\\" SPDX-License-' + 'Identifier: LGPL-2.1-or-later OR MIT',
           '.\\" Made from hlk.h by kdoc.py: what is to be changed is there.',
           date, '.Dt %s 3' % doc.name.upper(), '.Os', '.Sh NAME']
    names = [doc.name] + doc.aliases
    out += ['.Nm %s%s' % (n, ' ,' if n != names[-1] else '') for n in names]
    out.append('.Nd ' + doc.short.replace('\\', '\\e'))
    out += ['.Sh LIBRARY', '.Nm libhlk', '.Pq Fl lhlk', '.Sh SYNOPSIS', '.In hlk.h']
    if doc.kind == 'function':
        kind, arguments = prototype(doc)
        out += ['.Ft "%s"' % kind if ' ' in kind else '.Ft ' + kind, '.Fo ' + doc.name]
        out += ['.Fa "%s"' % a for a in arguments if a != 'void'] or ['.Fa void']
        out.append('.Fc')
    else:
        out += ['.Bd -literal'] + doc.code.replace('\\', '\\e').expandtabs().split('\n') + ['.Ed']
    out.append('.Sh DESCRIPTION')
    text = blocks(doc.body, known)
    if doc.kind == 'function':
        out += ['.Fn %s :' % doc.name, doc.short + '.']
    elif not doc.members and not text:
        out.append(doc.short + '.')
    if doc.members:
        out.append('.Bl -tag -width Ds')
        for name, words in doc.members:
            out.append('.It %s %s' % ('Dv' if doc.kind == 'enum' else 'Fa', name))
            out += roff(words, known) or ['\\&']
        out.append('.El')
        if text and not text[0].startswith(('.Bl', '.Bd')):
            out.append('.Pp')
    elif text and doc.kind == 'function' and not text[0].startswith(('.Bl', '.Bd')):
        out.append('.Pp')
    out += text
    for alias in doc.aliases:
        out += ['.Pp', '.Fn ' + doc.name, 'is an inline function;', '.Fn ' + alias,
                'is what it calls, with the size of the struct, and what other languages call.']
    if doc.returns:
        out += ['.Sh RETURN VALUES'] + blocks(doc.returns, known)
    refs = sorted(known[n].name for n in named(doc) if n in known and known[n] is not doc)
    refs = [('libhlk', 3)] + [(n, 3) for n in dict.fromkeys(refs)]
    refs = sorted(refs, key=lambda r: r[0]) + [('hlk', 4)]
    out.append('.Sh SEE ALSO')
    out += ['.Xr %s %d%s' % (n, s, ' ,' if (n, s) != refs[-1] else '') for n, s in refs]
    return '\n'.join(out) + '\n'


def man(folder, header, like=None):
    docs, _ = parse(header)
    date = '.Dd $Mdocdate$'
    if like:
        with open(like, encoding='utf-8') as file:
            date = next(line.rstrip() for line in file if line.startswith('.Dd '))
    os.makedirs(folder, exist_ok=True)
    for doc in docs:
        with open(os.path.join(folder, doc.name + '.3'), 'w', encoding='utf-8') as file:
            file.write(page(doc, docs, date))
        for alias in doc.aliases:
            link = os.path.join(folder, alias + '.3')
            if os.path.lexists(link):
                os.remove(link)
            os.symlink(doc.name + '.3', link)


def declared(header):
    """Functions, structs and enums with a body, and types that a header declares"""
    with open(header, encoding='utf-8') as file:
        source = re.sub(r'/\*.*?\*/', '', file.read(), flags=re.S)
    source = re.sub(r'^#(?:.*\\\n)*.*', '', source, flags=re.M)
    # what is within braces is no declaration of its own
    flat, depth = [], 0
    for c in source.replace('extern "C" {', ''):
        depth += c == '{'
        if not depth:
            flat.append(c)
        elif c == '}' and depth == 1:
            flat.append('{}')
        depth -= c == '}'
    flat = ''.join(flat)
    names = set(re.findall(r'^(?:static inline )?[a-z][\w ]*[ *](hlk_\w+)\s*\(', flat, re.M))
    names |= set(re.findall(r'^(?:struct|enum|union) (\w+)\s*\{\}', flat, re.M))
    names |= set(re.findall(r'^typedef[^;]*\(\*(\w+)\)', flat, re.M))
    return names


def main(arguments):
    if len(arguments) in (3, 4) and arguments[0] == 'man':
        man(*arguments[1:])
    elif len(arguments) == 2 and arguments[0] == 'names':
        for doc in parse(arguments[1])[0]:
            if doc.kind == 'function':
                print('\n'.join([doc.name] + doc.aliases))
    elif len(arguments) > 1 and arguments[0] == 'undocumented':
        bad = 0
        for header in arguments[1:]:
            docs = parse(header)[0]
            for name in sorted(declared(header) - {n for d in docs for n in [d.name] + d.aliases}):
                print('%s: %s has no kernel-doc' % (header, name))
                bad = 1
        return bad
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
