"""Graded notebooks as pages, in formgrader and in feedback: nothing in them asks a network.

nbgrader's templates load MathJax from a server far away; a room without a network shows bare TeX,
and that server learns who reads which feedback. Here formulas become MathML, which browsers draw
themselves, and `templates/` holds what takes MathJax out. A course's configuration names both:

    c.HTMLExporter.filters["markdown2html"] = "autograder.grading.feedback.formulas.markdown2html"
    c.HTMLExporter.extra_template_basedirs = [ours, nbgrader's]
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from autograder.cells import OF_GRADER, is_released
from autograder.grading.submissions.pictures import MAX_PIECE, in_pieces

MAX_FORMULA = 2000  # characters; a longer one is shown as it was written
ATTACHMENT = "attachment:"
OUTSIDE = re.compile(r"(https?:)?//", re.IGNORECASE)
MATHML = "{http://www.w3.org/1998/Math/MathML}"
ELEMENTS = {
    *("math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot"),
    *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "none"),
    *("mprescripts", "mtable", "mtr", "mtd", "mlabeledtr", "mstyle", "mpadded", "mphantom"),
    *("menclose", "merror"),
}
ATTRIBUTES = {
    *("accent", "accentunder", "columnalign", "columnlines", "columnspacing", "depth", "display"),
    *("displaystyle", "fence", "form", "height", "largeop", "linethickness", "lspace"),
    *("mathcolor", "mathsize", "mathvariant", "maxsize", "minsize", "movablelimits", "notation"),
    *("rowlines", "rowspacing", "rspace", "scriptlevel", "separator", "stretchy", "symmetric"),
    *("voffset", "width"),
}


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """nbconvert's filter of that name, with formulas that need no script."""
    cell = context.get("cell", {})
    path = context.get("resources", {}).get("metadata", {}).get("path", "")
    renderer = _Renderer(
        escape=False,
        attachments=cell.get("attachments", {}),
        exclude_anchor_links=True,
        embed_images=bool(path),
        path=path,
    )
    if len(source) <= MAX_PIECE or _is_no_students(cell):
        return MarkdownWithMath(renderer=renderer).render(source)
    return "".join(
        MarkdownWithMath(renderer=renderer).render(piece)
        if len(piece) <= MAX_PIECE
        else f"<pre>{html.escape(piece)}</pre>\n"
        for piece in in_pieces(source)
    )


def _is_no_students(cell: Any) -> bool:
    """Whether a cell's text is the set's or the grader's, which may be long."""
    return bool(cell) and (OF_GRADER in cell.metadata or is_released(cell))


def mathml(tex: str, display: str) -> str:
    """A formula as MathML; as the text that was written where it is no formula.

    Args:
        tex: What stands between the dollar signs.
        display: "inline" or "block".
    """
    mark = "$" if display == "inline" else "$$"
    try:
        if len(tex) > MAX_FORMULA:
            raise ValueError
        tree = ElementTree.fromstring(convert(tex, display=display))
        if any(element.tag.removeprefix(MATHML) not in ELEMENTS for element in tree.iter()):
            raise ValueError  # the converter passes on what looks like a tag
    except Exception:  # whatever a student wrote, the page is made
        return f"<code>{html.escape(f'{mark}{tex}{mark}')}</code>"
    for element in tree.iter():
        element.tag = element.tag.removeprefix(MATHML)
        for name in [name for name in element.attrib if name not in ATTRIBUTES]:
            del element.attrib[name]  # links and styles, which TeX can make too
    tree.set("display", display)
    return ElementTree.tostring(tree, encoding="unicode")


class _Renderer(IPythonRenderer):
    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture of the set's text or of a comment, in the page itself, or its name."""
        name = url.removeprefix(ATTACHMENT)
        if name != url:
            name = name if name in self.attachments else unquote(name)
            if name not in self.attachments:  # a comment may quote another cell's
                return html.escape(text)
            url = f"{ATTACHMENT}{name}"
        elif OUTSIDE.match(url):
            return self.link(html.escape(text or url), url, title)
        elif not url.startswith("data:"):
            url, folder = unquote(url), Path(self.path).resolve()
            if not (folder / url).resolve().is_relative_to(folder):  # no other file of the grader's
                return html.escape(text)
        return super().image(text, url, title)

    def block_html(self, html: str) -> str:
        return f"{html}\n"  # what embeds its pictures closes tags that another block closes

    def inline_html(self, html: str) -> str:
        return html

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")
