"""What the book says of itself to those who have not opened it: link previews, search, errors.

- Each page gets a description, its first sentences, and a card for previews of links.
- The root page has a title, and leads to the first one with and without scripts.
- Where an address is configured, there is a sitemap, a canonical link on each page, and a page for
  addresses that lead nowhere.

Configuration:
    html_baseurl: the address that the book is published at, Sphinx's own; "" if it has none.
    book_card: the picture of previews, relative to the rendered folder; shown where there is an
        address, because a preview takes no relative one.
"""

import html
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from docutils import nodes
from sphinx.application import Sphinx

LONGEST = 200  # characters of a description; previews cut what is longer

ROOT_PAGE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
{tags}
<link rel="icon" href="_static/{icon}">
<meta http-equiv="Refresh" content="0; url={first}">
</head>
<body><p><a href="{first}">{title}</a></p></body>
</html>
"""

LOST_PAGE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Not found · {title}</title>
<link rel="icon" href="{base}_static/{icon}">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; }}
body {{ margin: 15vh auto 0; padding: 0 1rem; }}
</style>
</head>
<body>
<h1>There is no such page</h1>
<p>The address leads nowhere in <em>{title}</em>. Pages move from one edition to the next.</p>
<p><a href="{base}{first}">The first page</a> has the contents, and
<a href="{base}search.html">the search</a> finds a word.</p>
</body>
</html>
"""


def describe(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document) -> None:
    """Add to the head of a page what previews and search engines show of it."""
    if doctree is None:
        return
    title = re.sub("<[^>]+>", "", context.get("title", "")) or app.config.html_title
    title = html.unescape(title)
    said = first_sentences(doctree) or f"{title}, in: {app.config.html_title}"
    context["metatags"] = context.get("metatags", "") + tags(
        app, title, said, context.get("pageurl")
    )


def tags(app: Sphinx, title: str, description: str, address: str | None) -> str:
    """The tags; those that need an absolute address only where there is one."""
    shown = {"description": description}
    previews = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": title,
        "og:description": description,
    }
    if app.config.html_baseurl:
        previews["og:url"] = address or app.config.html_baseurl
        previews["og:image"] = urljoin(folder(app), app.config.book_card)
        shown["twitter:card"] = "summary_large_image"
    lines = [
        f'<meta name="{name}" content="{html.escape(value)}">' for name, value in shown.items()
    ]
    lines += [
        f'<meta property="{name}" content="{html.escape(value)}">'
        for name, value in previews.items()
    ]
    return "\n".join(lines) + "\n"


def first_sentences(doctree: nodes.document) -> str:
    """The first paragraph that is more than a line, by whole sentences; "" if there is none."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section) and len(paragraph.astext()) > 60:
            text = re.sub(r"\s+", " ", paragraph.astext().replace("\\(", "").replace("\\)", ""))
            break
    else:
        return ""
    if len(text) <= LONGEST:
        return text
    whole = re.match(rf".{{40,{LONGEST - 1}}}[.?!](?=\s)", text)
    return whole[0] if whole else text[: LONGEST - 1].rsplit(" ", 1)[0] + "…"


def folder(app: Sphinx) -> str:
    """The address that the book is published at, with a slash at its end."""
    return app.config.html_baseurl.rstrip("/") + "/"


def finish(app: Sphinx, failure: Exception | None) -> None:
    """Write the pages and the list that are nobody's source."""
    if failure or app.builder.format != "html":
        return
    out = Path(app.outdir)
    first = app.builder.get_target_uri(app.config.root_doc)
    about = {
        "language": app.config.language or "en",
        "title": html.escape(app.config.html_title),
        "icon": Path(app.config.html_favicon).name,
        "first": first,
    }
    if first != "index.html":
        start = app.env.get_doctree(app.config.root_doc)
        card = tags(app, app.config.html_title, first_sentences(start), None)
        (out / "index.html").write_text(ROOT_PAGE.format(tags=card, **about), encoding="utf8")
    if app.config.html_baseurl:
        base = urlsplit(folder(app)).path
        (out / "404.html").write_text(LOST_PAGE.format(base=base, **about), encoding="utf8")
        addresses = (
            folder(app) + app.builder.get_target_uri(n) for n in sorted(app.env.found_docs)
        )
        lines = "\n".join(f"<url><loc>{html.escape(address)}</loc></url>" for address in addresses)
        (out / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{lines}\n</urlset>\n',
            encoding="utf8",
        )


def setup(app: Sphinx) -> dict:
    app.add_config_value("book_card", "_static/page.png", "html", str)
    app.connect("html-page-context", describe)
    app.connect("build-finished", finish, priority=950)  # after Jupyter Book's own root page
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
