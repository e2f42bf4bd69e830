"""What is mended in what Sphinx and its extensions make of the course's texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils.nodes import Text, literal_block, paragraph
from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from docutils.nodes import Element, document
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

_FUNCTION = re.compile(r"<function (\w+)[^>]*>")
_WAY = re.compile(
    r"(previous: .+ · map|this is the first lesson) · (next: .+|this is the last lesson)"
)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what is mended with Sphinx."""
    app.connect("html-page-context", _give_captions_a_level, priority=900)
    app.connect("autodoc-process-docstring", _drop_summary_of_module, priority=400)
    app.connect("autodoc-process-signature", _name_defaults)
    app.connect("missing-reference", _find_in_other_modules)
    app.connect("doctree-read", _close_examples)
    app.connect("doctree-read", _drop_way)
    app.connect("doctree-read", _drop_twins)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _close_examples(_app: Sphinx, doctree: document) -> None:
    """Drop the blank line that doctest needs after the last output of a block."""
    for block in doctree.findall(literal_block):
        if block.rawsource == block.astext():  # else Sphinx does not colour it
            block.rawsource = block.astext().rstrip("\n")
            block[:] = [Text(block.rawsource)]


def _drop_way(_app: Sphinx, doctree: document) -> None:
    """Drop a lesson's links to those before and after it, which the theme has on every page."""
    for way in [*doctree.findall(paragraph)]:
        if _WAY.fullmatch(way.astext()):
            way.parent.remove(way)


def _drop_twins(_app: Sphinx, doctree: document) -> None:
    """Drop the pictures without sliders, since a page shows the same ones with sliders."""
    for words in [*doctree.findall(paragraph)]:
        if words.astext().startswith("The picture without sliders"):
            place = words.parent.index(words)
            del words.parent[place : place + 2]


def _give_captions_a_level(
    _app: Sphinx, _name: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Give the captions of the lists of pages the level that screen readers need."""
    for part in ("body", "furo_navigation_tree"):
        if part in context:
            context[part] = context[part].replace(
                'role="heading">', 'role="heading" aria-level="2">'
            )


def _drop_summary_of_module(
    _app: Sphinx, what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Keep what a page says of its module from being said again, by the summary."""
    if what == "module":
        del lines[: lines.index("") + 1]


def _name_defaults(
    _app: Sphinx,
    _what: str,
    _name: str,
    _obj: object,
    _options: object,
    arguments: str | None,
    returned: str | None,
) -> tuple[str | None, str | None]:
    """Write a default that is a function by its name, and one that is made anew as an ellipsis."""
    if arguments:
        arguments = _FUNCTION.sub(r"\1", arguments).replace("<factory>", "...")
    return arguments, returned


def _find_in_other_modules(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element
) -> Element | None:
    """Link a name that its docstring writes without the module, if it is public and unique."""
    if node.get("reftype") != "obj":
        return None
    ending = "." + node["reftarget"].removesuffix("()")
    found = [
        (name, entry)
        for name, entry in env.domains.python_domain.objects.items()
        if name.endswith(ending) and entry.objtype != "module"
    ]
    if len(found) != 1:
        return None
    name, entry = found[0]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, name)
