"""Where lines break: not within "λ = 4", not between a formula or a word of code and the
mark behind it, and not after each word of a long text in a table.

A cell with more text than fits a line gets the class ``long``, for which book.css keeps some width.
"""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

EQUATION = re.compile(r"(\b[A-Za-zα-ω]) (=) (?=[\d∞−-])")
LONG = 24  # characters
CODE = re.compile(r"\S+")
MARK = re.compile(r"[.,;:?!)]+")


def keep_together(app: Sphinx, doctree: nodes.document) -> None:
    for text in list(doctree.findall(nodes.Text)):
        if isinstance(text.parent, nodes.literal | nodes.literal_block | nodes.math | nodes.raw):
            continue
        kept = EQUATION.sub("\\1\N{NO-BREAK SPACE}\\2\N{NO-BREAK SPACE}", text)
        if kept != text:
            text.parent.replace(text, nodes.Text(kept))
    for one in list(doctree.findall(is_one)):
        after = one.next_node(descend=False, siblings=True)
        if isinstance(after, nodes.Text) and (mark := MARK.match(after)):
            together = nodes.inline("", "", classes=["together"])
            one.replace_self(together)
            together += [one, nodes.Text(mark[0])]
            after.parent.replace(after, nodes.Text(after[mark.end() :]))
    for entry in doctree.findall(nodes.entry):
        if len(entry.astext()) > LONG:
            entry["classes"].append("long")


def is_one(node: nodes.Node) -> bool:
    """Whether it is a formula or a word of code, after which a line could break."""
    code = node[0] if isinstance(node, addnodes.pending_xref) else node  # a link to what it names
    is_code = isinstance(code, nodes.literal) and CODE.fullmatch(code.astext())
    return isinstance(node, nodes.math) or bool(is_code)


def setup(app: Sphinx) -> dict:
    app.connect("doctree-read", keep_together)
    safe = {"parallel_read_safe": True, "parallel_write_safe": True}
    return {"version": "2", "env_version": 5, **safe}  # pages that are read already are read anew
