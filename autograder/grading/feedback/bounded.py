"""Filters for pages that lay out a student's text in a time bounded by the text's length.

nbconvert's own filters take hours for some texts of a megabyte; a single page would then hold up
formgrader, or everybody's feedback. Beyond a limit, a text is shown without colours. A course's
configuration names these filters:

    c.HTMLExporter.filters = {
        "highlight_code": "autograder.grading.feedback.bounded.highlight_code",
        "ansi2html": "autograder.grading.feedback.bounded.ansi2html",
        "strip_files_prefix": "autograder.grading.feedback.bounded.strip_files_prefix",
    }
"""

from __future__ import annotations

from html import escape
from typing import Any

from nbconvert.filters import ansi, highlight

MAX_COLOURED = 50_000  # characters of a cell
MAX_ESCAPES = 1_000  # terminal escapes in an output

_highlighted = highlight.Highlight2HTML(pygments_lexer="python")


def highlight_code(source: str, language: str | None = None, metadata: Any = None) -> str:
    """nbconvert's filter of that name, for Python; a long cell has no colours.

    Lines lose their trailing white space: at each blank line with spaces, nbconvert's rules would
    read all blank lines again.
    """
    tidy = "\n".join(map(str.rstrip, source.split("\n")))
    if len(tidy) > MAX_COLOURED:
        return f'<div class="highlight"><pre>{escape(tidy)}\n</pre></div>\n'
    return _highlighted(tidy)


def ansi2html(text: str) -> str:
    """nbconvert's filter of that name, which copies a text at each escape; too many are removed."""
    many = text.count("\x1b") > MAX_ESCAPES
    return ansi.ansi2html(ansi.strip_ansi(text) if many else text)


def strip_files_prefix(text: str) -> str:
    """Returns the text unchanged; nbconvert's filter of that name is for notebooks before 2014."""
    return text
