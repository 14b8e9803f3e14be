"""The ``diagram`` directive: a drawing of drawings.py within the page, in the theme's colours.

    ```{diagram} one-step
    :name: fig-one-step

    The caption, which is the drawing's message.
    ```

The drawing is written into the page as SVG, because an image file would know neither the theme's
colours nor its font. Its function's documentation is the alternative text.
"""

import html
import inspect

import drawing_pieces
import drawings
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Diagram(SphinxDirective):
    required_arguments = 1
    has_content = True
    option_spec = {"name": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if name not in drawings.DRAWINGS:
            raise self.error(f"unknown diagram {name!r}; known: {', '.join(drawings.DRAWINGS)}")
        for source in (inspect.getsourcefile(drawings.DRAWINGS[name]), drawing_pieces.__file__):
            self.env.note_dependency(source)
        figure = nodes.figure(classes=["diagram"])
        figure += nodes.raw("", inline(name), format="html")
        parsed = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        if len(parsed) != 1 or not isinstance(parsed[0], nodes.paragraph):
            raise self.error(f"diagram {name}: the caption is one paragraph")
        figure += nodes.caption("", "", *parsed[0].children)
        self.add_name(figure)
        self.set_source_info(figure)
        return [figure]


def in_words(name: str) -> str:
    """What the drawing shows, for readers who do not see it."""
    return " ".join(inspect.getdoc(drawings.DRAWINGS[name]).split())


def inline(name: str) -> str:
    """The drawing as an SVG element that says what it shows."""
    label = html.escape(in_words(name), quote=True)
    return drawings.DRAWINGS[name]().replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def setup(app: Sphinx) -> dict:
    app.add_directive("diagram", Diagram)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
