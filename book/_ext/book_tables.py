"""Tables that a phone is too narrow for: there each row becomes a list of its columns.

A table of three columns or more gets the class ``rows`` if the longest texts of its columns make
more than a line. Its cells carry the names of their columns, which book.css writes before them on a
narrow screen. Its roles are written out, because a browser may take what is not laid out as a table
for no table.
"""

import html

from docutils import nodes
from sphinx.application import Sphinx

WIDTH = 70  # characters
ROLES = {
    nodes.table: "table",
    nodes.thead: "rowgroup",
    nodes.tbody: "rowgroup",
    nodes.row: "row",
    nodes.entry: "cell",
}


def choose(app: Sphinx, doctree: nodes.document) -> None:
    """Mark the tables."""
    for table in doctree.findall(nodes.table):
        texts = [[len(entry.astext()) for entry in row] for row in rows_of(table)]
        longest = [max(column) for column in zip(*texts, strict=False)]
        if len(longest) > 2 and sum(longest) > WIDTH:
            table["classes"].append("rows")


def rows_of(table: nodes.table):
    return table.findall(nodes.row)


def attributes(node: nodes.Element) -> str:
    """What the tag of a part of such a table says besides its class; of another, nothing."""
    table = node
    while not isinstance(table, nodes.table):
        table = table.parent
    if "rows" not in table["classes"]:
        return ""
    said = f' role="{ROLES[type(node)]}"'
    if isinstance(node, nodes.entry):
        if isinstance(node.parent.parent, nodes.thead):
            return ' role="columnheader"' if node.astext() else said
        name = next(rows_of(table))[node.parent.index(node)].astext()
        said += f' data-column="{html.escape(name)}: "' if name and node.astext() else ""
    return said


def visit(translator, node: nodes.Element) -> None:
    """Write the tag as the theme does, and these attributes into it."""
    getattr(type(translator), f"visit_{node.tagname}")(translator, node)
    tag = translator.body[-1]
    end = tag.rindex(">")
    translator.body[-1] = tag[:end] + attributes(node) + tag[end:]


def depart(translator, node: nodes.Element) -> None:
    getattr(type(translator), f"depart_{node.tagname}")(translator, node)


def setup(app: Sphinx) -> dict:
    for kind in ROLES:
        app.add_node(kind, override=True, html=(visit, depart))
    app.connect("doctree-read", choose)
    safe = {"parallel_read_safe": True, "parallel_write_safe": True}
    return {"version": "1", "env_version": 4, **safe}
