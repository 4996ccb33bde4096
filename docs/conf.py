"""The guide: Markdown pages, the reference from docstrings, warnings are errors (`make docs`)."""

import re

project = "lenrek"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
default_role = "code"
html_theme = "furo"
html_title = "lenrek"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
myst_heading_anchors = 3
exclude_patterns = ["_build"]
suppress_warnings = ["ref.python"]


def prepare(app, what, name, obj, options, lines):
    """What docstrings write as plain text, as reStructuredText: shapes (batch, *size), |x|, and an example's title."""
    prepared = []
    for line in lines:
        if not line.lstrip().startswith((">>>", "...")):
            pieces = line.split("`")  # every second one is code
            pieces[::2] = [
                re.sub(r"(?<![\w*])(\*(?=[\w(])(?!\w+\*)|\|(?=\w))", r"\\\1", piece) for piece in pieces[::2]
            ]
            line = "`".join(pieces)
        if title := re.match(r"(\s*)Example: (.+)", line):
            indent, text = title.groups()
            prepared += [f"{indent}Example:", f"{indent}    {text}", ""]
        else:
            prepared.append(line)
    lines[:] = prepared


def setup(app):
    app.connect("autodoc-process-docstring", prepare, priority=400)  # before napoleon reads the sections
