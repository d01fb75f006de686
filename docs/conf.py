"""The settings with which Sphinx builds the pages: run `make docs`, then open docs/_build/html/index.html."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

project = "Sweep"
author = "The developers of Sweep"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Sweep"
html_show_copyright = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3  # links to headings work as they do on the hosts of repositories

default_role = "code"  # text in single backticks in a docstring is code
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": False}
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_use_ivar = True
smartquotes = False  # of `--trials` it would make a dash
