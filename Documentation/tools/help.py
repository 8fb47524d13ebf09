#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What hlk-run --help says, for shells and as man pages.

  help.py bash|zsh HLK-RUN             a completion for this shell, on standard output
  help.py man FOLDER HLK-RUN PAGE      hlk-run-COMMAND(1) for each command: its options are
                                       those of --help, their words those of PAGE, hlk-run(1)
  help.py check HLK-RUN PAGE MAIN.C    what of commands and options is in one and not in the
                                       other, a line each; 1 if there is anything

Nothing here knows a command or an option by its name.
"""
import os
import re
import subprocess
import sys

# Each option in a line; the table is not broken
ENV = dict(os.environ, LC_ALL='C', ARGP_HELP_FMT='rmargin=1000,opt-doc-col=60')
# In two pieces, for it is not of this file
LICENCE = 'SPDX-License-' + 'Identifier: GPL-2.0-only'
# options of argp's own
COMMON = ('help', 'usage', 'version')


class Option:
    def __init__(self, short, long, arg, text):
        self.short, self.long, self.arg, self.text = short, long, arg, text


def ask(program, *arguments):
    return subprocess.run([program, *arguments, '--help'], env=ENV, check=True, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout


def commands(program):
    """[(name, words), ...] of the list behind `Commands:`"""
    found = []
    lines = ask(program).split('\nCommands:\n', 1)[1].split('\n')
    for line in lines:
        head = re.match(r'^  ([a-z][\w-]*)(?: [A-Z][^ ]*)*(?:\s{2,}(.*))?$|^  ([a-z][\w-]*) (?:\[?[A-Z-]\S*\s?)*\s*(.*)$', line)
        if head:
            found.append([head.group(1) or head.group(3), head.group(2) or head.group(4) or ''])
        elif found and re.match(r'^ {4,}\S', line):
            found[-1][1] = (found[-1][1] + ' ' + line.strip()).strip()
        else:
            break
    return found


def options(program, command):
    found = []
    for line in ask(program, command).split('\n'):
        match = re.match(r'^  (?:-(.)(?:, )?|    )(?:--([\w-]+))?(?:\[=(\S+)\]|=(\S+))?'
                         r'(?:\s+(.*))?$', line)
        if match and (match.group(1) or match.group(2)):
            short, long, may, must, text = match.groups(default='')
            found.append(Option(short, long, may or must, text))
        elif found and re.match(r'^ {30,}\S', line):
            found[-1].text += ' ' + line.strip()
    return found


# Completion

def bash(program):
    print('# ' + LICENCE)
    print('# bash completion for hlk-run(1), made of what its --help says')
    print('_hlk_run()\n{')
    print('\tlocal cur=${COMP_WORDS[COMP_CWORD]} command="" word words=""')
    print('\tCOMPREPLY=()')
    print('\tfor word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do')
    print('\t\tcase $word in\n\t\t-*) ;;\n\t\t*) command=$word; break ;;\n\t\tesac\n\tdone')
    print('\tcase $command in')
    names = [name for name, _ in commands(program)]
    print("\t'')\n\t\twords='%s'" % ' '.join(names + ['--' + c for c in COMMON]))
    print('\t\t;;')
    for name in names:
        words = ['--%s%s' % (o.long, '=' if o.arg else '') for o in options(program, name)
                 if o.long]
        print("\t%s)\n\t\twords='%s'\n\t\t;;" % (name, ' '.join(words)))
    print('\tesac')
    # Else it is a file: a guest, or what an option wants.
    print('\t[ -z "$command" ] || [[ $cur == -* ]] || return')
    print('\tmapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")')
    print('\t[[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace')
    print('}\ncomplete -o default -F _hlk_run hlk-run')


def zsh_text(text):
    return re.sub(r"([\[\]\\:])", r'\\\1', text).replace("'", "'\\''")


def zsh(program):
    print('#compdef hlk-run')
    print('# ' + LICENCE)
    print('# zsh completion for hlk-run(1), made of what its --help says')
    print('_hlk_run() {\n\tlocal curcontext="$curcontext" state line')
    print("\t_arguments -C '1:command:->command' '*::argument:->argument'")
    print('\tcase $state in\n\tcommand)\n\t\tlocal -a commands=(')
    for name, text in commands(program):
        print("\t\t\t'%s:%s'" % (name, zsh_text(text)))
    print('\t\t)\n\t\t_describe command commands\n\t\t;;')
    print('\targument)\n\t\tcase $words[1] in')
    for name, _ in commands(program):
        print('\t\t%s)\n\t\t\t_arguments -s \\' % name)
        for o in options(program, name):
            takes = ''
            if o.arg:
                files = re.search('FILE|DIR|KERNEL|MODULE|INITRD|GUEST', o.arg)
                takes = ':%s:%s' % (zsh_text(o.arg), '_files' if files else ' ')
            text = '[%s]' % zsh_text(o.text)
            long = '--%s%s' % (o.long, '=' if o.arg else '')
            if o.short and o.short != '?' and o.long:
                print("\t\t\t\t'(-%s --%s)'{-%s%s,%s}'%s%s' \\" %
                      (o.short, o.long, o.short, '+' if o.arg else '', long, text, takes))
            elif o.long:
                print("\t\t\t\t'%s%s%s' \\" % (long, text, takes))
            else:
                print("\t\t\t\t'-%s%s%s%s' \\" % (o.short, '+' if o.arg else '', text, takes))
        print("\t\t\t\t'*:file:_files'\n\t\t\t;;")
    print('\t\tesac\n\t\t;;\n\tesac\n}\n_hlk_run "$@"')


# Man pages

class Page:
    """hlk-run(1), cut into what belongs to which command"""

    def __init__(self, path):
        with open(path, encoding='utf-8') as file:
            lines = file.read().split('\n')
        self.date = next(line for line in lines if line.startswith('.Dd '))
        self.licence = lines[0]
        self.sections = {}
        name = ''
        for line in lines:
            if line.startswith('.Sh '):
                name = line[4:]
                self.sections[name] = []
            elif name:
                self.sections[name].append(line)
        # DESCRIPTION by .Ss, and what is before the first by .Pp outside of lists
        self.parts = [('', [])]
        for line in self.sections['DESCRIPTION']:
            if line.startswith('.Ss '):
                self.parts.append((line[4:], []))
            else:
                self.parts[-1][1].append(line)
        self.general = self.chunks(self.parts[0][1])

    @staticmethod
    def chunks(lines):
        out, depth = [[]], 0
        for line in lines:
            depth += line.startswith(('.Bl', '.Bd')) - line.startswith(('.El', '.Ed'))
            if line == '.Pp' and not depth:
                out.append([])
            elif line:
                out[-1].append(line)
        return out

    @staticmethod
    def of(lines):
        """The commands that lines speak of"""
        return [m.group(1) for line in lines
                for m in [re.match(r'^\.Nm hlk-run Cm ([\w-]+)', line)] if m]

    @staticmethod
    def items(lines):
        """{option: lines of its item}: long options without dashes, short ones with one"""
        found, item, depth = {}, None, 0
        for line in '\n'.join(lines).replace('\\\n', '').split('\n'):
            if depth < 2 and line.startswith('.It '):
                item = [line]
                # only what stands before its argument, or behind a comma
                for name in re.findall(r'Fl (-?[\w-]+|\?)', line):
                    found.setdefault(name[1:] if name.startswith('-') else '-' + name, item)
            elif item is not None and not (line.startswith('.El') and depth == 1):
                item.append(line)
            depth += line.startswith('.Bl') - line.startswith('.El')
            if not depth:
                item = None
        return found

    def own(self, command):
        """What describes this command alone: (paragraphs, sections)"""
        first = [c for c in self.general if self.of(c[:1]) == [command]]
        sections = [lines for title, lines in self.parts if title and command in self.of(lines)]
        return first, sections

    def words(self, command, option):
        """The item of an option of a command, or None"""
        first, sections = self.own(command)
        own = self.items([line for part in first + sections for line in part])
        shared = self.items([line for chunk in self.general if not self.of(chunk[:1])
                             for line in chunk])
        name = option.long or '-' + option.short
        if name in own and own[name][1:] != ['As above.']:
            return own[name]
        return shared.get(name) or own.get(name)

    def synopsis(self, command):
        out, take = [], False
        lines = self.sections['SYNOPSIS']
        for line, after in zip(lines, lines[1:] + ['']):
            if line.startswith('.Nm'):
                take = after.startswith('.Cm ' + command) and after.split()[1:] == [command]
                if take:
                    out.append('.Nm hlk-run')
            elif take:
                out.append(line)
        return out


def escape(text):
    return text.replace('\\', '\\e')


def page(program, hlk_run, command, words):
    out = [hlk_run.licence, '.\\" Made of hlk-run(1) and hlk-run --help by help.py.',
           hlk_run.date, '.Dt HLK-RUN-%s 1' % command.upper(), '.Os', '.Sh NAME',
           '.Nm hlk-run-%s' % command, '.Nd ' + escape(words), '.Sh SYNOPSIS']
    out += hlk_run.synopsis(command) or ['.Nm hlk-run', '.Cm ' + command, '.Op Ar option ...']
    out.append('.Sh DESCRIPTION')
    first, sections = hlk_run.own(command)
    body = []
    for part in first + sections:
        if body:
            body.append('.Pp')
        # its own list of options comes below, whole
        depth = 0
        for line in part:
            if line.startswith('.Bl') and not depth and \
                    any(l.startswith('.It Fl') for l in part[part.index(line):][:2]):
                depth = 1
                body.append('.\\"')
            elif depth:
                depth += line.startswith('.Bl') - line.startswith('.El')
            else:
                body.append(line)
    # what only led to a list that is elsewhere now
    text, tidy = '\n'.join(body), None
    text = re.sub(r'(\.Pp\n)?(?:More options:|Besides:|The options of\n\.Nm hlk-run Cm [\w-]+\n'
                  r'are:|The options are:)\n\.\\"\n?', '', text)
    text = text.replace('.\\"\n', '')
    text = re.sub(r'; see\n\.Sx [^.]*\.', '.', text)
    text = re.sub(r'\n\.\\"$', '', text)
    while tidy != text:
        tidy = text
        text = re.sub(r'\.Pp\n(?=\.Pp\n)|^\.Pp\n|\n\.Pp\n?$|\.Pp\n(?=\.Bl|\.Bd)', lambda m:
                      '\n' if m.group(0).startswith('\n') else '', text).rstrip('\n')
    out += text.split('\n') if text else [escape(words) + '.']
    found = [o for o in options(program, command) if o.long not in COMMON]
    if found:
        out += ['.Sh OPTIONS', '.Bl -tag -width Ds']
        items = []
        for o in found:
            item = hlk_run.words(command, o)
            if not item:
                names = (['Fl ' + o.short] if o.short else []) + (['Fl -' + o.long] if o.long else [])
                item = ['.It ' + ' , '.join(names) + (' Ns = Ns Ar ' + o.arg.lower() if o.arg else ''),
                        escape(o.text) + '.']
            # several that share their words
            if item not in items:
                items.append(item)
                out += item
        out.append('.El')
    for name in ('ENVIRONMENT', 'FILES', 'EXIT STATUS'):
        out.append('.Sh ' + name)
        for chunk in hlk_run.chunks(hlk_run.sections[name]):
            whose = re.search(r'^\.Nm\n\.Cm ([\w-]+)', '\n'.join(chunk), re.M)
            if not whose or whose.group(1) == command:
                out += ['.Pp'] if out[-1] == '.El' else []
                out += [line.replace('.Nm', '.Nm hlk-run') if line == '.Nm' else line
                        for line in chunk]
    examples = hlk_run.chunks(hlk_run.sections['EXAMPLES'])
    examples = [e for e in examples if any(re.search(r'\bhlk-run %s\b' % command, l) for l in e)]
    if examples:
        out.append('.Sh EXAMPLES')
        out += '\n.Pp\n'.join('\n'.join(e) for e in examples).split('\n')
    out += ['.Sh SEE ALSO', '.Xr hlk-run 1 ,', '.Xr libhlk 3 ,', '.Xr hlk 4 ,', '.Xr hlk 7']
    return '\n'.join(line for line in out if line) + '\n'


def man(folder, program, path):
    hlk_run = Page(path)
    os.makedirs(folder, exist_ok=True)
    for name, words in commands(program):
        with open(os.path.join(folder, 'hlk-run-%s.1' % name), 'w', encoding='utf-8') as file:
            file.write(page(program, hlk_run, name, words))


def check(program, path, source):
    hlk_run, wrong = Page(path), []
    with open(source, encoding='utf-8') as file:
        table = re.search(r'\bcommands\[\] = \{(.*?)^\};', file.read(), re.S | re.M).group(1)
    known = re.findall(r'^\s*\{ "([\w-]+)"', table, re.M)
    listed = [name for name, _ in commands(program)]
    for name in known:
        if name not in listed:
            wrong.append('hlk-run --help: no line for the command %s' % name)
    for name in listed:
        if name not in known:
            wrong.append('hlk-run --help: there is no command %s' % name)
        if not hlk_run.synopsis(name):
            wrong.append('%s: no synopsis of hlk-run %s' % (path, name))
        if not hlk_run.own(name)[0]:
            wrong.append('%s: no paragraph of DESCRIPTION begins with hlk-run %s' % (path, name))
    every = set()
    for name in [n for n in known if n in listed]:
        for o in options(program, name):
            every.add(o.long)
            if o.long not in COMMON and not hlk_run.words(name, o):
                wrong.append('%s: no words for --%s of hlk-run %s' % (path, o.long, name))
    described = hlk_run.items([l for chunk in hlk_run.general for l in chunk])
    for _, lines in hlk_run.parts[1:]:
        described.update(hlk_run.items(lines))
    for name in sorted(described):
        if not name.startswith('-') and name not in every:
            wrong.append('%s: --%s is an option of no command' % (path, name))
    if wrong:
        print('\n'.join(wrong))
    return 1 if wrong else 0


def main(arguments):
    what, rest = arguments[:1], arguments[1:]
    if what == ['bash'] and len(rest) == 1:
        bash(rest[0])
    elif what == ['zsh'] and len(rest) == 1:
        zsh(rest[0])
    elif what == ['man'] and len(rest) == 3:
        man(*rest)
    elif what == ['check'] and len(rest) == 3:
        return check(*rest)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
