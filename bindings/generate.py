#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""
generate.py rust|python: what hlk.h and the uAPI declare, for another language.

What it prints is in the tree, so that nobody who builds needs this program, a C compiler
or its parser; a test compares. The preprocessor and pycparser read the headers as they
are: nothing of them is repeated by hand.
"""
import os
import re
import subprocess
import sys

from pycparser import c_ast, c_generator, c_parser

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FLAGS = ['-I' + os.path.join(TOP, 'user/libhlk/include'), '-I' + os.path.join(TOP, 'uapi')]
HEADERS = ('user/libhlk/include/hlk.h', 'uapi/linux/hlk.h', 'uapi/linux/hlk_guest.h')
SOURCE = '#include <hlk.h>\n'
LICENCE = 'SPDX-License-Identifier: LGPL-2.1-or-later OR MIT'
MADE = 'Made by bindings/generate.py of hlk.h, linux/hlk.h and linux/hlk_guest.h'

INTEGERS = {
    'char': 'c_char', 'unsigned char': 'u8', 'short': 'i16', 'unsigned short': 'u16',
    'int': 'c_int', 'unsigned int': 'c_uint', 'long long': 'i64',
    'unsigned long long': 'u64', 'size_t': 'usize',
    '__u8': 'u8', '__u16': 'u16', '__u32': 'u32', '__u64': 'u64',
    '__s8': 'i8', '__s16': 'i16', '__s32': 'i32', '__s64': 'i64',
    'uint8_t': 'u8', 'uint16_t': 'u16', 'uint32_t': 'u32', 'uint64_t': 'u64',
    'int8_t': 'i8', 'int16_t': 'i16', 'int32_t': 'i32', 'int64_t': 'i64',
}
KEYWORDS = {'type', 'where', 'in', 'fn', 'loop', 'match', 'ref', 'move', 'box'}


def preprocess(*flags):
    return subprocess.run(['gcc', '-E', *flags, *FLAGS, '-x', 'c', '-'], input=SOURCE,
                          stdout=subprocess.PIPE, text=True, check=True).stdout


def declarations():
    """What hlk.h and the uAPI declare, in their order, as pycparser has it"""
    text = re.sub(r'__attribute__\s*\(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\)', '',
                  preprocess('-P'))
    text = text.replace('__extension__', '').replace('__signed__', 'signed')
    # their bodies call what is declared anyway
    text = re.sub(r'^static inline [^{;]*\{.*?^\}', '', text, flags=re.M | re.S)
    text = re.sub(r'\(\(size_t\)[^;]*?\)', '0', text) if 'offsetof' in text else text
    for node in c_parser.CParser().parse(text).ext:
        name = node.name or getattr(node.type, 'name', None) or ''
        if name.startswith('hlk_') or (name == '' and isinstance(node.type, c_ast.Enum)):
            yield node


def constants():
    """Numbers of #define, as the compiler works them out: (name, value)"""
    names = []
    for header in HEADERS:
        with open(os.path.join(TOP, header), encoding='utf-8') as file:
            names += re.findall(r'^#define\s+(HLK_\w+)[ \t]', file.read(), re.M)
    names = [n for n in dict.fromkeys(names) if not n.endswith('_INIT')]
    lines = ['#include <hlk.h>', '#include <stdio.h>', '#define V(x) _Generic((x), '
             'char *: 0, const char *: 0, default: (x))', 'int main(void) {']
    lines += ['printf("%s %%llu\\n", (unsigned long long)V(%s));' % (n, n) for n in names]
    program = '\n'.join(lines + ['return 0; }'])
    exe = subprocess.run(['mktemp'], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    subprocess.run(['gcc', '-w', *FLAGS, '-x', 'c', '-', '-o', exe], input=program, text=True,
                   check=True)
    out = subprocess.run([exe], stdout=subprocess.PIPE, text=True, check=True).stdout
    os.unlink(exe)
    return [(line.split()[0], int(line.split()[1])) for line in out.splitlines()]


def enumerators(enum):
    value = -1
    for one in enum.values.enumerators:
        value = value + 1 if one.value is None else int(one.value.value, 0)
        yield one.name, value


# Python

def python():
    print('# ' + LICENCE)
    print('"""%s"""' % MADE)
    print("CDEF = '''")
    generator = c_generator.CGenerator()
    for kind, names in (('uint8_t', '__u8'), ('uint16_t', '__u16'), ('uint32_t', '__u32'),
                        ('uint64_t', '__u64'), ('int8_t', '__s8'), ('int16_t', '__s16'),
                        ('int32_t', '__s32'), ('int64_t', '__s64')):
        print('typedef %s %s;' % (kind, names))
    print('struct kvm_regs;\nstruct kvm_sregs;')
    for node in declarations():
        print(generator.visit(node) + ';')
    print("'''")
    print('CONSTANTS = {')
    for name, value in constants():
        print('    %r: 0x%x,' % (name, value))
    print('}')


# Rust

def rust_name(name):
    return 'r#' + name if name in KEYWORDS else name


def rust_type(node):
    if isinstance(node, c_ast.PtrDecl):
        to = node.type
        if isinstance(to, c_ast.FuncDecl):
            return rust_function(to)
        const = isinstance(to, c_ast.TypeDecl) and 'const' in to.quals
        return '*%s %s' % ('const' if const else 'mut', rust_type(to))
    if isinstance(node, c_ast.ArrayDecl):
        return '[%s; %d]' % (rust_type(node.type), length(node.dim))
    kind = node.type
    if isinstance(kind, (c_ast.Struct, c_ast.Union)):
        return kind.name
    if isinstance(kind, c_ast.Enum):
        return 'c_uint'
    name = ' '.join(kind.names)
    if name == 'void':
        return 'c_void'
    return INTEGERS.get(name, name)


def length(node):
    if isinstance(node, c_ast.BinaryOp):
        left, right = length(node.left), length(node.right)
        return {'+': left + right, '-': left - right, '*': left * right,
                '/': left // (right or 1)}[node.op]
    return int(node.value.rstrip('uUlL'), 0)


def rust_function(node):
    args = []
    for arg in (node.args.params if node.args else []):
        kind = rust_type(arg.type)
        if kind != 'c_void':
            # an array is a pointer here
            kind = re.sub(r'^\[(.*); \d+\]$', r'*mut \1', kind)
            args.append('%s: %s' % (rust_name(arg.name or '_'), kind))
    result = rust_type(node.type)
    text = '(%s)' % ', '.join(args)
    if result != 'c_void':
        text += ' -> ' + result
    return 'Option<unsafe extern "C" fn%s>' % text


def rust_struct(struct, word):
    if not struct.decls:
        print('\n#[repr(C)]\npub struct %s {\n    _private: [u8; 0],\n}' % struct.name)
        return
    print('\n#[repr(C)]\n#[derive(Clone, Copy)]\npub %s %s {' % (word, struct.name))
    for member in struct.decls:
        print('    pub %s: %s,' % (rust_name(member.name), rust_type(member.type)))
    print('}\nzeroed!(%s);' % struct.name)


def rust():
    print('// ' + LICENCE)
    print('//! ' + MADE)
    print('\nuse std::os::raw::{c_char, c_int, c_uint, c_void};')
    print('''
macro_rules! zeroed {
    ($name:ident) => {
        impl Default for $name {
            /// All of it is zero, which each of these structs takes for "nothing of that".
            fn default() -> Self {
                // SAFETY: integers, arrays of these, and pointers that may be null
                unsafe { std::mem::zeroed() }
            }
        }
    };
}''')
    print()
    for name, value in constants():
        kind = 'u32' if value < 1 << 32 else 'u64'
        print('pub const %s: %s = 0x%x;' % (name, kind, value))
    functions = []
    opaque, defined = [], set()
    # KVM's, of which a pointer is all that is wanted
    for name in ('kvm_regs', 'kvm_sregs'):
        print('\n#[repr(C)]\npub struct %s {\n    _private: [u8; 0],\n}' % name)
    nodes = list(declarations())
    for node in nodes:
        if isinstance(node.type, c_ast.Struct) and node.type.decls:
            defined.add(node.type.name)
    for node in nodes:
        if isinstance(node, c_ast.Typedef):
            print('\npub type %s = %s;' % (node.name, rust_type(node.type)))
        elif isinstance(node.type, c_ast.FuncDecl):
            functions.append((node.name, rust_function(node.type)))
        elif isinstance(node.type, (c_ast.Struct, c_ast.Union)):
            if not node.type.decls and node.type.name in defined | set(opaque):
                continue
            if not node.type.decls:
                opaque.append(node.type.name)
            rust_struct(node.type, 'struct' if isinstance(node.type, c_ast.Struct) else 'union')
        elif isinstance(node.type, c_ast.Enum):
            print()
            for name, value in enumerators(node.type):
                print('pub const %s: c_uint = %d;' % (name, value))
    print('\nextern "C" {')
    for name, kind in functions:
        print('    pub fn %s%s;' % (name, re.sub(r'^Option<unsafe extern "C" fn(.*)>$', r'\1', kind,
                                              flags=re.S)))
    print('}')
    layout(nodes)


def layout(nodes):
    """Sizes and offsets, as the C compiler has them, for tests"""
    structs = [n.type for n in nodes if isinstance(n.type, c_ast.Struct) and n.type.decls]
    lines = ['#include <hlk.h>', '#include <stdio.h>', '#include <stddef.h>', 'int main(void) {']
    for struct in structs:
        lines.append('printf("%s %%zu\\n", sizeof(struct %s));' % (struct.name, struct.name))
        for member in struct.decls:
            lines.append('printf("%s.%s %%zu\\n", offsetof(struct %s, %s));' %
                         (struct.name, member.name, struct.name, member.name))
    exe = subprocess.run(['mktemp'], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    subprocess.run(['gcc', *FLAGS, '-x', 'c', '-', '-o', exe], text=True, check=True,
                   input='\n'.join(lines + ['return 0; }']))
    out = subprocess.run([exe], stdout=subprocess.PIPE, text=True, check=True).stdout
    os.unlink(exe)
    print('''
#[cfg(test)]
mod layout {
    use super::*;

    macro_rules! offset {
        ($name:ident, $member:ident) => {{
            let one = $name::default();
            std::ptr::addr_of!(one.$member) as usize - std::ptr::addr_of!(one) as usize
        }};
    }

    /// As the C compiler has them
    #[test]
    fn as_in_c() {''')
    for line in out.splitlines():
        what, value = line.split()
        if '.' in what:
            struct, member = what.split('.')
            print('        assert_eq!(offset!(%s, %s), %s);' % (struct, rust_name(member), value))
        else:
            print('        assert_eq!(std::mem::size_of::<%s>(), %s);' % (what, value))
    print('    }\n}')


if __name__ == '__main__':
    {'rust': rust, 'python': python}[sys.argv[1]]()
