"""What a link leads to, beside the link: terms of the glossary, equations, citations.

A page holds what its links to other pages preview, as text in ``<template>``, because a page opened
from a folder may fetch nothing. An equation of the same page and the title of a citation, which is
the entry of the bibliography, are there already. _static/previews.js shows them.
"""

import html
import re
from urllib.parse import urldefrag

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ELSEWHERE = re.compile(r'href="([^"#:]+\.html#(?:term|equation)-[^"]+)"')


def previews(doctree: nodes.document) -> dict[str, str]:
    """The terms and equations of a page, by their names: HTML without links."""
    found = {}
    for item in doctree.findall(nodes.definition_list_item):
        said = next(item.findall(nodes.definition), None)
        for term in item.findall(nodes.term):
            if said is not None and isinstance(item.parent.parent, addnodes.glossary):
                text = f"<strong>{html.escape(term.astext())}</strong>: {html.escape(plain(said))}"
                found |= dict.fromkeys(term["ids"], text)
    for block in doctree.findall(nodes.math_block):
        for name in block["ids"]:
            found[name] = f'<span class="math">\\[{html.escape(block.astext())}\\]</span>'
    return found


def plain(node: nodes.Node) -> str:
    """A definition's words, without the links that stand in it."""
    words = [
        text.astext()
        for text in node.findall(nodes.Text)
        if not isinstance(text.parent.parent, nodes.reference | addnodes.pending_xref)
        and not isinstance(text.parent, nodes.reference | addnodes.pending_xref)
    ]
    return re.sub(r"[\s,]+$", "", re.sub(r"\s+", " ", "".join(words)))


def add(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document) -> None:
    """Put the previews of a page's links to other pages at its end."""
    if doctree is None:
        return
    known = {app.builder.get_relative_uri(page, other): other for other in app.env.found_docs}
    templates = ""
    for link in sorted(set(ELSEWHERE.findall(context["body"]))):
        address, name = urldefrag(html.unescape(link))
        shown = of_page(app, known.get(address)).get(name)
        if shown:
            templates += f'<template data-preview="{link}">{shown}</template>\n'
    context["body"] += templates


def of_page(app: Sphinx, page: str | None) -> dict[str, str]:
    """What can be shown of a page, remembered for the build."""
    if page is None:
        return {}
    kept = app.__dict__.setdefault("book_previews", {})
    if page not in kept:
        kept[page] = previews(app.env.get_doctree(page))
    return kept[page]


def setup(app: Sphinx) -> dict:
    app.add_js_file("previews.js", loading_method="defer")
    app.connect("html-page-context", add)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
