"""Graded notebooks as pages, in formgrader and in feedback, that load nothing from a network.

nbgrader's templates load MathJax from a server far away; a room without a network shows bare TeX,
and that server learns who reads which feedback. Here formulas become MathML, which browsers draw
themselves, and the files in `templates/` remove MathJax. A course's configuration names both:

    c.HTMLExporter.filters["markdown2html"] = "autograder.grading.feedback.formulas.markdown2html"
    c.HTMLExporter.extra_template_basedirs = [ours, nbgrader's]
"""

from __future__ import annotations

import html
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import HTMLRenderer, IPythonRenderer, MarkdownWithMath

from autograder.cells import OF_GRADER, is_released
from autograder.grading.submissions.pictures import MAX_PIECE, in_pieces

MAX_FORMULA = 2000  # characters; a longer one is shown as it was written
ATTACHMENT = "attachment:"
IMG_TAG = re.compile(r"""<img\b(?:[^<>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)
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
    """nbconvert's filter of that name, with MathML; bounded in time for students' texts."""
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
    """Whether a cell's text was released or is the grader's, and so may be long."""
    return bool(cell) and (OF_GRADER in cell.metadata or is_released(cell))


def mathml(tex: str, display: str) -> str:
    """A formula as MathML, or as the TeX that was written where it cannot be converted.

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


class _Attributes(HTMLParser):
    """Reads a tag."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str | None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found = dict(attrs)


class _Renderer(IPythonRenderer):
    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Embeds a picture; one from outside becomes a link; one that cannot be shown, its text."""
        if OUTSIDE.match(url):
            return self.link(html.escape(text or url), url, title)
        address = self._address(url)
        if address is None:
            return html.escape(text)
        return HTMLRenderer.image(self, text, address, title)

    def block_html(self, html: str) -> str:
        return f"{self.inline_html(html)}\n"  # tags may be closed by another block

    def inline_html(self, html: str) -> str:
        return IMG_TAG.sub(self._tag, html)

    def _tag(self, match: re.Match[str]) -> str:
        """Does the same for an <img> tag, whose width and the like stay."""
        reader = _Attributes()
        reader.feed(match[0])
        attributes = reader.found
        url, text = (attributes.get(name) or "" for name in ("src", "alt"))
        if OUTSIDE.match(url):
            return self.image(text, url)
        address = self._address(url)
        if address is None:
            return html.escape(text)
        attributes["src"] = address
        attributes.pop("srcset", None)  # other pictures, which a browser would load
        written = (f'{name}="{html.escape(value or "")}"' for name, value in attributes.items())
        return f"<img {' '.join(written)}>"

    def _address(self, url: str) -> str | None:
        """The address of a picture in the page; None where the picture is not shown."""
        name = url.removeprefix(ATTACHMENT)
        if name != url:
            name = name if name in self.attachments else unquote(name)
            if name not in self.attachments:  # a comment may quote another cell's
                return None
            return self._embed_image_or_attachment(f"{ATTACHMENT}{name}")
        if url.startswith("data:"):
            return url
        url, folder = unquote(url).replace("\0", ""), Path(self.path).resolve()
        file = (folder / url).resolve()
        if not file.is_relative_to(folder) or os.path.isdir(file):  # else any of the grader's files
            return None
        return self._embed_image_or_attachment(url)

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")
