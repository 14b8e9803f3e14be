"""Filters of pages: a text of a student's is laid out in a time that grows with its length alone.

nbconvert's own filters take hours for some texts of a megabyte; one page would then hold up
formgrader, or the feedback of all. Beyond a bound a text is shown as it is. A course's
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
MAX_ESCAPES = 1_000  # of a terminal, in an output

_highlighted = highlight.Highlight2HTML(pygments_lexer="python")


def highlight_code(source: str, language: str | None = None, metadata: Any = None) -> str:
    """nbconvert's filter of that name, for Python; a long cell has no colours.

    Its rules read all blank lines anew at each one that has spaces, so those lose them.
    """
    tidy = "\n".join(map(str.rstrip, source.split("\n")))
    if len(tidy) > MAX_COLOURED:
        return f'<div class="highlight"><pre>{escape(tidy)}\n</pre></div>\n'
    return _highlighted(tidy)


def ansi2html(text: str) -> str:
    """nbconvert's filter of that name, which copies a text at each escape; without, if many."""
    many = text.count("\x1b") > MAX_ESCAPES
    return ansi.ansi2html(ansi.strip_ansi(text) if many else text)


def strip_files_prefix(text: str) -> str:
    """In the place of nbconvert's filter of that name, for notebooks of before 2014: nothing."""
    return text
