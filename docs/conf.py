"""Sphinx: `sphinx-build -W -b html docs docs/_build` (extra `docs`)."""

from importlib.metadata import version as installed

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

project = "ikeref"
author = "The ikeref authors"
copyright = author
version = release = installed("ikeref")

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"ikeref {release}"

lexers["mermaid"] = TextLexer()  # shown as text here; hosts that know Mermaid draw it
