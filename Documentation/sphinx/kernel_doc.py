# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's directive kernel-doc, as far as it is used here:

  .. kernel-doc:: FILE         all that the file has
     :doc: TITLE               only the section of this title
     :internal:                all functions, structs and enums, without sections
     :functions: NAME ...      only these; a * at the end stands for anything
"""
import os
import re

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from docutils.statemachine import StringList

import kdoc


def inline(text):
    text = text.replace('\\', '\\\\')
    text = re.sub(r'(?<!`)([*|])', r'\\\1', text)
    text = re.sub(r'(?<![\w`])@(\w+)', r'*\1*', text)
    text = re.sub(r'(?<![\w`])[%&](?=[A-Za-z_])', '', text)
    # as names they would be references
    return re.sub(r'(?<![\w`*\\])(\w+)_(?=\W|$)(?!`)', r'\1\\_', text)


def parts(paragraphs, indent):
    out = []
    for part in paragraphs:
        if isinstance(part, tuple):
            out += ['::', ''] + ['   ' + line for line in part[1].split('\n')]
        elif isinstance(part, list):
            out += ['* ' + inline(item) for item in part]
        else:
            out.append(inline(part))
        out.append('')
    return [' ' * indent + line if line else '' for line in out]


def document(doc):
    name = doc.name + '()' if doc.kind in ('function', 'macro') else \
        '%s %s' % (doc.kind, doc.name)
    out = ['.. rubric:: ' + name, '', inline(doc.short) + '.', '']
    if doc.code:
        code = doc.code
        if doc.kind == 'function':
            kind, arguments = kdoc.prototype(doc)
            code = '%s %s(%s);' % (kind, doc.name, ', '.join(arguments))
            if len(code) > 80:
                code = '%s %s(%s);' % (kind, doc.name, ',\n        '.join(arguments))
        out += ['.. code-block:: c', ''] + ['   ' + l for l in code.expandtabs().split('\n')] + ['']
    for member, text in doc.members:
        out += ['``%s``' % member, '   ' + (inline(text) or '\\'), '']
    out += parts(doc.body, 0)
    if doc.returns:
        out += ['**Returns:**', ''] + parts(doc.returns, 0)
    if doc.aliases:
        out += ['It is inline; ``%s()`` is what it calls, with the size of the struct.' %
                doc.aliases[0], '']
    return out


class KernelDoc(Directive):
    required_arguments = 1
    option_spec = {'doc': directives.unchanged_required, 'internal': directives.flag,
                   'functions': directives.unchanged_required}

    def run(self):
        env = self.state.document.settings.env
        path = os.path.join(env.srcdir, '..', self.arguments[0])
        env.note_dependency(os.path.abspath(path))
        docs, sections = kdoc.parse(path)
        out = []
        if 'doc' in self.options:
            if self.options['doc'] not in sections:
                raise self.error('%s: no DOC: %s' % (self.arguments[0], self.options['doc']))
            out = parts(sections[self.options['doc']], 0)
        else:
            names = self.options.get('functions', '').split()
            for name in names:
                if not any(re.fullmatch(name.replace('*', r'\w*'), d.name) for d in docs):
                    raise self.error('%s: no %s' % (self.arguments[0], name))
            for doc in docs:
                if not names or any(re.fullmatch(n.replace('*', r'\w*'), doc.name) for n in names):
                    out += document(doc)
        node = nodes.section()
        self.state.nested_parse(StringList(out, path), self.content_offset, node, match_titles=1)
        return node.children


def setup(app):
    app.add_directive('kernel-doc', KernelDoc)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
