"""Configuration of Sphinx for the course's site."""

from importlib.metadata import version as version_of
from importlib.resources import files

from psipo_explore.views.kit.palette import IDENTITY, LOGIT, ON_DARK

project = "psipo_explore"
author = "the authors of psipo_explore"
version = release = version_of("psipo-explore")
language = "en"
smartquotes = False  # y' and f' in docstrings are primes

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "psipo_explore.site.mathml",
    "psipo_explore.site.mending",
]
exclude_patterns = [
    "notebooks/.ipynb_checkpoints",
    "**/math.woff2",  # font.css holds it
]

html_theme = "furo"
html_favicon = str(files("psipo_explore.site") / "static" / "icon.svg")
html_title = "ΨPO, DPO and IPO"
html_static_path = [str(files("psipo_explore.site") / "static")]
html_css_files = ["live.css", "font.css", "site.css"]
html_js_files = ["live.js", "site.js"]
html_show_sphinx = False
html_show_copyright = False  # LICENSE says it; the footer would name no one
html_show_search_summary = False  # summaries are fetched, which a page opened from disk may not do
html_copy_source = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#005a8e",
        "color-brand-content": "#005a8e",
        "color-logit": "#b34f00",  # letters need more contrast than lines
        "color-identity": IDENTITY,
        "color-of-stills": "none",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cc4f0",
        "color-brand-content": "#7cc4f0",
        "color-logit": ON_DARK[LOGIT],
        "color-identity": ON_DARK[IDENTITY],
        "color-of-stills": "invert(.92) hue-rotate(180deg)",
    },
}
html_math_renderer = "mathml"

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 3

# The cache is keyed by cells. The folder is keyed by the package, so that no old output is shown.
nb_execution_mode = "cache"
nb_execution_show_tb = True  # which shows the cell, and the build fails by -W
nb_execution_timeout = 300
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # else a page asks a server for them
nb_output_stderr = "remove"
nb_render_markdown_format = "myst"
nb_merge_streams = True

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
default_role = "py:obj"  # `name` in a docstring is code, and a link where it is a public name
modindex_common_prefix = ["psipo_explore."]
