# Sphinx configuration: `make docs`.
import pathlib
import re

project = "metic"
version = release = re.search(r"version: '([^']+)'", (pathlib.Path(__file__).parent.parent / "meson.build").read_text())[1]
copyright = "the metic authors"
extensions = []
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "runs Linux programs built for another processor", "page_width": "1100px"}
highlight_language = "none"
