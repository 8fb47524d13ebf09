# SPDX-License-Identifier: GPL-2.0-only
# The manual: `make docs`
import os
import sys

sys.path.insert(0, os.path.abspath('sphinx'))
sys.path.insert(0, os.path.abspath('tools'))

with open('../VERSION', encoding='ascii') as file:
    release = version = file.read().strip()
project = 'hlk'
author = 'the hlk authors'
copyright = '2026, ' + author
extensions = ['kernel_doc']
exclude_patterns = ['man', 'tools', 'sphinx', 'examples']
# What is not C is said so.
highlight_language = 'none'
html_theme = 'alabaster'
html_theme_options = {'description': 'throw a VM back to a known state'}
html_show_sourcelink = False
html_copy_source = False
# Man pages are not a part of it.
nitpicky = False
