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
from sphinx.environment import BuildEnvironment

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
        shown = app.env.book_previews.get(known.get(address), {}).get(name)
        if shown:
            templates += f'<template data-preview="{link}">{shown}</template>\n'
    context["body"] += templates


def start(app: Sphinx) -> None:
    if not hasattr(app.env, "book_previews"):
        app.env.book_previews = {}


def read(app: Sphinx, doctree: nodes.document) -> None:
    app.env.book_previews[app.env.docname] = previews(doctree)


def forget(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    getattr(env, "book_previews", {}).pop(page, None)


def outdated_pages(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Every page is written anew when what links show has changed: each may have such a link."""
    then, env.book_previewed = getattr(env, "book_previewed", None), dict(env.book_previews)
    return [] if then == env.book_previewed else sorted(env.found_docs)


def setup(app: Sphinx) -> dict:
    app.add_js_file("previews.js", loading_method="defer")
    app.connect("builder-inited", start)
    app.connect("doctree-read", read)
    app.connect("env-purge-doc", forget)
    app.connect("env-updated", outdated_pages)
    app.connect("html-page-context", add)
    safe = {"parallel_read_safe": False, "parallel_write_safe": True}
    return {"version": "1", "env_version": 1, **safe}  # pages that are read already are read anew
