"""Figures of executed cells as SVG in the page: in its font, and in its colours in both themes.

While the book is built, IPython draws SVG with text as text. Each drawing is then written into its
page: black and white become the theme's text and ground, and every other colour a variable that
book.css can give another value in the dark. Words have variables of their own, because a colour
in which a line is seen well can be too faint to read. A notebook that a reader runs draws as it is
set to.
"""

import html
import os
import re
import shutil
from pathlib import Path

from docutils import nodes
from docutils.utils.smartquotes import smartyPants
from sphinx.application import Sphinx

SHOWN = 6 / 7  # of the size that it is drawn in, so that its letters are as large as the text's
OURS = {"#000000": "currentColor", "#ffffff": "var(--pst-color-background, #fff)"}
HEAD = re.compile(
    r'<svg\b[^>]*?\bviewBox="(?P<box>[^"]*?(?P<width>[\d.]+) [\d.]+)"[^>]*>', re.DOTALL
)
IN_TAG = r"(?=[^<>]*>)"  # and not in the words that a figure shows
# The style of its own would hold for all drawings of the page; book.css has it. Words are turned by
# nothing, which need not be said.
LEFT_OUT = re.compile(
    rf"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|\s*font-family: [^;\"<>]*;?{IN_TAG}"
    r'| transform="rotate\(-?0 [^)]*\)"',
    re.DOTALL,
)
COLOUR = re.compile(rf"#[0-9a-f]{{6}}\b{IN_TAG}")
PATH = re.compile(r'(?<= d=")[^"]*')
COMMAND = re.compile(r" ?([A-Za-z]) ?")  # of a path; spaces around it say nothing
PLACE = re.compile(r'(?<= )([xy]="-?\d+\.\d\d)\d+')
TEXT = re.compile(r"<text\b[^>]*>")
SAID = re.compile(r"(<text\b[^>]*>)([^<]+)")
WORDS = re.compile(r"(?<=fill: )var\(--figure-(\w+), #\w+\)")
NAME = re.compile(r' id="([^"]*)"')
NAMED = re.compile(rf'(?<=[ "])id="|(?<=url\()#{IN_TAG}|(?<=href=")#')


def draw_svg(app: Sphinx) -> None:
    """Tell the kernels that execute the pages how to draw."""
    profile = Path(app.outdir).parent / "ipython/profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    ours = Path(__file__).with_name("kernel_config.py")
    shutil.copy(ours, profile / "ipython_kernel_config.py")
    os.environ["IPYTHONDIR"] = str(profile.parent)


def inline(svg: str, alt: str, prefix: str) -> str:
    """A drawing of matplotlib's as a part of a page.

    Args:
        svg: the file's text.
        alt: what it shows, in words.
        prefix: what sets its names apart from those of the page's other drawings.
    """
    svg = LEFT_OUT.sub("", svg[svg.index("<svg") :])
    svg = COLOUR.sub(lambda found: colour(found[0]), svg)
    svg = TEXT.sub(lambda text: WORDS.sub(r"var(--figure-text-\1, \g<0>)", text[0]), svg)
    svg = SAID.sub(lambda text: text[1] + smartyPants(text[2], "q"), svg)
    svg = NAMED.sub(lambda mark: mark[0] + prefix, svg)
    svg = PATH.sub(
        lambda path: COMMAND.sub(r"\1", re.sub(r"(\.\d)\d+", r"\1", path[0].replace("\n", ""))), svg
    )
    svg = PLACE.sub(r"\1", re.sub(r"\n\s+", "\n", svg))
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = NAME.sub(lambda name: name[0] if name[1] in used else "", svg)
    head = HEAD.match(svg)
    return (
        f'<svg class="figure" role="img" aria-label="{html.escape(alt)}" viewBox="{head["box"]}" '
        f'style="max-width: {SHOWN * float(head["width"]) / 72:.2f}in" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">{svg[head.end() :]}'
    )


def colour(code: str) -> str:
    """A colour as the page's style can change it."""
    return OURS.get(code, f"var(--figure-{code[1:]}, {code})")


def put_into_page(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Replace each SVG that a cell has drawn by its text."""
    if app.builder.format != "html":
        return
    for i, image in enumerate(list(doctree.findall(nodes.image))):
        path = Path(app.srcdir) / image["uri"]
        if path.suffix != ".svg" or not path.is_file():
            continue
        text = inline(path.read_text(encoding="utf8"), image.get("alt", ""), f"figure-{i}-")
        image.replace_self(nodes.raw("", text, format="html"))


def setup(app: Sphinx) -> dict:
    app.connect("builder-inited", draw_svg, priority=100)
    app.connect("doctree-resolved", put_into_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
