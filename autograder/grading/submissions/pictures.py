"""Pictures in written answers, so that whoever marks them sees what the student saw.

A picture may be pasted into a cell, written into its text, or lie in a file beside the notebook.
Each becomes an attachment of the cell, a bitmap under a name of ours; the repairs say which cannot.
"""

from __future__ import annotations

import base64
import binascii
import html
import posixpath
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

KINDS = {  # first bytes of the files of each kind
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
MAX_PICTURE = 4 * 2**20  # bytes
MAX_PICTURES = 12  # pictures of a cell
IMG = re.compile(
    r"<img\b[^<>]*?\bsrc\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\"'\s<>]+))", re.IGNORECASE
)
DATA = re.compile(r"data:(?P<kind>image/[\w.+-]+);base64,(?P<text>.*)", re.DOTALL)
LONG_DATA = re.compile(  # on one line, or wrapped as mail programs do it
    r"data:image/[\w.+-]+;base64,[A-Za-z0-9+/=]{60,}"
    r"(?:\s[A-Za-z0-9+/=]{60,})*(?:\s[A-Za-z0-9+/=]+(?=[\"')>]))?"
)
MAX_PIECE = 10_000  # characters: the time that Markdown takes may grow with their square
NAME = "picture-{}"
ASIDE = "data:aside-"


def gather(
    cell: NotebookNode, attachments: Any, files: Mapping[str, bytes], name: str, repairs: list[str]
) -> None:
    """Gives a cell its pictures as attachments that can be shown.

    Args:
        cell: A markdown cell; of its text, only pictures that it holds itself are removed.
        attachments: The cell's attachments in the notebook's file: pasted pictures.
        files: What was handed in, by name.
        name: The notebook's file and the cell, as `repairs` names them.
        repairs: What is not shown, and why, is added here.
    """
    found: list[tuple[str, bytes]] = []
    pasted = attachments if isinstance(attachments, dict) else {}
    for label, bundle in pasted.items():
        kind, text = next(iter(bundle.items())) if isinstance(bundle, dict) and bundle else ("", "")
        _take(str(label), str(kind), _raw(text), found, name, repairs)
    beside = {_alike(each): each for each in sorted(files)}
    aside: list[str] = []  # pictures that the text itself holds, which may be long
    for target in _references(LONG_DATA.sub(lambda found: _put(found[0], aside), cell.source)):
        if target.startswith(ASIDE) and target[len(ASIDE) :].isdecimal():
            target = dict(enumerate(aside)).get(int(target[len(ASIDE) :][:9]), target)
        data = DATA.fullmatch(target)
        path = unquote(target)
        path = beside.get(_alike(path), "") if path not in files else path
        if data:
            _take("in its text", data["kind"], _raw(data["text"]), found, name, repairs)
        elif path:
            _take(path, kind_of(files[path]) or "a file", files[path], found, name, repairs)
        elif not target.startswith("attachment:"):
            repairs.append(f"{name}: the picture {target[:60]!r} was not handed in.")
        elif not {target[11:], unquote(target)[11:]} & pasted.keys():
            repairs.append(f"{name}: the picture {target[:60]!r} is not in the notebook.")
    cell.source = LONG_DATA.sub("data:", cell.source)
    if len(found) > MAX_PICTURES:
        repairs.append(f"{name}: of {len(found)} pictures, {MAX_PICTURES} are shown.")
    if found:
        cell.attachments = {
            NAME.format(number): {kind: base64.b64encode(raw).decode()}
            for number, (kind, raw) in enumerate(found[:MAX_PICTURES], 1)
        }


def _alike(path: str) -> str:
    """A path in one form for all spellings that some systems take for the same path.

    macOS stores an accent apart from its letter, and macOS and Windows ignore capitals.
    """
    return unicodedata.normalize("NFC", posixpath.normpath(path)).casefold()


def _put(data: str, aside: list[str]) -> str:
    """Adds a picture to `aside`; returns an address for it."""
    aside.append(data)
    return f"{ASIDE}{len(aside) - 1}"


def _references(source: str) -> list[str]:
    """The addresses of a text's pictures, in order; overlong paragraphs are skipped."""
    finder = _Finder()
    for piece in in_pieces(source):
        if len(piece) <= MAX_PIECE:
            MarkdownWithMath(renderer=finder).render(piece)
    return finder.found


def in_pieces(source: str) -> Iterator[str]:
    """Yields a text for Markdown: a short one whole, a long one in pieces of whole paragraphs.

    A piece longer than `MAX_PIECE` is a single paragraph, and must not be given to Markdown.
    """
    piece, size = [], 0
    for paragraph in source.split("\n\n") if len(source) > MAX_PIECE else [source]:
        if piece and size + len(paragraph) > MAX_PIECE:
            yield "\n\n".join(piece)
            piece, size = [], 0
        piece.append(paragraph)
        size += len(paragraph) + 2
    yield "\n\n".join(piece)


class _Finder(IPythonRenderer):
    """Collects the addresses of a text's pictures; renders nothing."""

    def __init__(self) -> None:
        super().__init__(escape=False, exclude_anchor_links=True)
        self.found: list[str] = []

    def image(self, text: str, url: str, title: str | None = None) -> str:
        self.found.append(url)
        return ""

    def inline_html(self, html_text: str) -> str:
        for match in IMG.finditer(html_text):
            self.found.append(html.unescape(next(filter(None, match.groups()), "")).strip())
        return ""

    def block_html(self, html_text: str) -> str:
        return self.inline_html(html_text)

    def block_code(self, code: str, info: str | None = None) -> str:
        return ""


def _take(
    label: str,
    kind: str,
    raw: bytes | None,
    found: list[tuple[str, bytes]],
    name: str,
    repairs: list[str],
) -> None:
    known = kind_of(raw) if raw else None
    if known is None:
        kinds = ", ".join(each.partition("/")[2] for each in KINDS)
        repairs.append(
            f"{name}: the picture {label[:60]!r} is not shown: it is {kind[:40] or 'nothing'},"
            f" and shown are {kinds}."
        )
    elif len(raw) > MAX_PICTURE:
        repairs.append(
            f"{name}: the picture {label[:60]!r} is not shown: it has {len(raw)} bytes, and"
            f" {MAX_PICTURE} are allowed."
        )
    else:
        found.append((known, raw))


def kind_of(raw: bytes | None) -> str | None:
    """The MIME type of a bitmap, from its first bytes; None for anything else."""
    for kind, start in KINDS.items():
        if raw and raw.startswith(start) and (start != b"RIFF" or raw[8:12] == b"WEBP"):
            return kind
    return None


def sound(text: Any, kind: str) -> str | None:
    """A picture's base64 text if it is of that kind, else None: renderers quote it unescaped."""
    return _joined(text) if kind_of(_raw(text)) == kind else None


def _raw(text: Any) -> bytes | None:
    try:
        return base64.b64decode(_joined(text), validate=True)
    except (binascii.Error, ValueError):
        return None


def _joined(text: Any) -> str:
    """A text, or a list of its lines, without white space."""
    return "".join("".join(map(str, text if isinstance(text, list) else [text])).split())


def kept(attachments: Any) -> dict[str, dict[str, str]]:
    """Those of a cell's attachments that have the form in which `gather` makes them."""
    found = {}
    for name, bundle in (attachments or {}).items():
        if re.fullmatch(r"picture-\d+", name) and isinstance(bundle, dict) and len(bundle) == 1:
            ((kind, text),) = bundle.items()
            if picture := sound(text, kind):
                found[name] = {kind: picture}
    return found


def of_the_set(attachments: Any) -> dict[str, dict[str, str]]:
    """The pictures of released text in a submission, under the names that the text uses."""
    found = {}
    for name, bundle in (attachments if isinstance(attachments, dict) else {}).items():
        kind, text = next(iter(bundle.items())) if isinstance(bundle, dict) and bundle else ("", "")
        picture = sound(text, kind) if len(found) < MAX_PICTURES else None
        if picture and len(picture) <= MAX_PICTURE * 4 / 3 + 4:
            found[str(name)] = {kind: picture}
    return found


def below(attachments: Mapping[str, Any]) -> str:
    """The Markdown that shows a cell's pictures below its text."""
    return "".join(f"\n\n![{name}](attachment:{name})" for name in attachments)
