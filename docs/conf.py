"""The guide: Markdown pages, the reference from docstrings, warnings are errors (`make docs`)."""

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
