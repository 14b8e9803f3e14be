"""The whole rendered book as one PDF: ``make pdf``.

The articles of all pages go into one document, in the order of the contents, with links from one to
the other inside of it; Chromium prints that. Style and mathematics are the rendered pages' own.
"""

import argparse
import html
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import yaml
from bs4 import BeautifulSoup

BROWSERS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
# What is for a screen alone, and what print.js does anew for the whole book.
NOT_PRINTED = "script[src], section:has(> .question-progress), .book-run, .headerlink"
PAGE = """\
<!DOCTYPE html>
<html lang="en" data-theme="light" data-mode="light">
<head>
<meta charset="utf-8">
<title>{title}</title>
{head}
<style>
@page {{ @bottom-center {{ content: counter(page); font: 9pt sans-serif; }} }}
@page cover {{ @bottom-center {{ content: none; }} }}
.cover {{ page: cover; padding-top: 30vh; text-align: center; }}
.contents {{ page: cover; }}
.contents ul {{ list-style: none; padding: 0; break-inside: avoid; }}
.chapter {{ break-before: page; }}
{chapters}
</style>
</head>
<body>
<main class="bd-main"><div class="bd-content"><div class="bd-article-container">
<article class="bd-article">
<div class="cover"><p style="font-size: 2.5rem">{title}</p><p>{author}</p><p>{copyright}</p></div>
<div class="contents chapter"><h2>Contents</h2>{contents}</div>
{body}
</article></div></div></main>
</body>
</html>
"""


def parts(toc: dict) -> list[tuple[str, list[str]]]:
    """Each part's caption and its pages, in order; the root page stands alone."""
    found = [("", [toc["root"]])]
    for part in toc.get("parts", [{"chapters": toc.get("chapters", [])}]):
        pages, waiting = [], list(part["chapters"])
        while waiting:
            entry = waiting.pop(0)
            pages.append(entry["file"])
            waiting = [*entry.get("sections", []), *waiting]
        found.append((part.get("caption", ""), pages))
    return found


def place(address: str, numbers: dict[str, int]) -> str:
    """Where an address of a page or of a place on it is in the one document; else as it is."""
    parts = urlsplit(address)
    page = parts._replace(fragment="").geturl()
    if page not in numbers:
        return address
    return f"#p{numbers[page]}-{parts.fragment}" if parts.fragment else f"#p{numbers[page]}"


def chapter(article, address: str, numbers: dict[str, int]) -> str:
    """A page's article with its names and addresses as the one document needs them."""
    number = numbers[address]
    for tag in article.select(NOT_PRINTED):
        tag.decompose()
    tally = article.select_one(".question-tally")
    if tally:
        tally.find_parent("p").decompose()
    title = article.h1.get_text()
    for form in article.select("form.question"):
        form["data-chapter"] = title
    for tag in article.find_all(True):
        if tag.get("id"):
            tag["id"] = f"p{number}-{tag['id']}"
        if tag.get("name") and tag.name == "input":
            tag["name"] = f"p{number}-{tag['name']}"
        for key in ("href", "src"):
            if tag.get(key):
                tag[key] = place(urljoin(address, tag[key]), numbers)
        for key in ("xlink:href", "clip-path", "style"):  # of a figure's own parts
            if tag.get(key):
                tag[key] = re.sub(r"(^|url\()#", rf"\1#p{number}-", tag[key])
    return f'<div class="chapter" id="p{number}">{article.decode_contents()}</div>'


def assemble(book: Path, config: dict, toc: dict) -> str:
    """The one document.

    Args:
        book: the rendered folder.
        config: what `_config.yml` says.
        toc: what `_toc.yml` says.
    """
    listed = parts(toc)
    names = [name for _, pages in listed for name in pages]
    missing = [name for name in names if not (book / f"{name}.html").exists()]
    if missing:
        raise SystemExit(f"{book} lacks {missing[0]}.html. Render the book first: make book")
    addresses = {name: (book / f"{name}.html").resolve().as_uri() for name in names}
    numbers = {address: i for i, address in enumerate(addresses.values())}
    styles, titles, chapters, settings = {}, {}, [], ""
    for name, address in addresses.items():
        soup = BeautifulSoup((book / f"{name}.html").read_text(encoding="utf8"), "html.parser")
        for link in soup.head.select("link[rel=stylesheet]"):
            styles[urljoin(address, link["href"])] = link.get("media", "all")
        for script in soup.head.find_all("script", src=False):
            settings = str(script) if "window.MathJax" in script.text else settings
        article = soup.select_one("article.bd-article")
        titles[name] = re.sub("#$", "", article.h1.get_text())
        chapters.append(chapter(article, address, numbers))
    static = (book / "_static").resolve().as_uri()
    head = [f'<link rel="stylesheet" href="{href}" media="{m}">' for href, m in styles.items()]
    head += [settings, f'<script src="{static}/mathjax/startup.js" defer></script>'] * bool(
        settings
    )
    head += [f'<script src="{static}/print.js"></script>']
    rows = ""
    for caption, pages in listed:
        links = "".join(
            f'<li><a href="#p{numbers[addresses[name]]}">{html.escape(titles[name])}</a></li>'
            for name in pages
        )
        rows += (f"<h3>{html.escape(caption)}</h3>" if caption else "") + f"<ul>{links}</ul>"
    headers = "\n".join(
        f"#p{i} {{ page: p{i}; }} @page p{i} {{ @top-right "
        f"{{ content: {quoted(titles[name])}; font: 9pt sans-serif; }} }}"
        for i, name in enumerate(names)
    )
    return PAGE.format(
        title=html.escape(config["title"]),
        author=html.escape(config.get("author", "")),
        copyright=html.escape(config.get("copyright", "")),
        head="\n".join(head),
        chapters=headers,
        contents=rows,
        body="\n".join(chapters),
    )


def quoted(text: str) -> str:
    """A string of CSS."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def browser() -> str:
    """The program that prints.

    Raises:
        SystemExit: there is none.
    """
    named = os.environ.get("CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None)
    if found is None:
        raise SystemExit(
            f"There is no browser {named!r}, which CHROMIUM names."
            if named
            else "make pdf prints with Chromium, and there is none here. On Debian and Ubuntu, "
            "install: sudo apt-get install chromium. Or say where yours is: "
            "make pdf CHROMIUM=/path/to/chrome"
        )
    return found


def print_page(page: Path, target: Path) -> None:
    """Print a page from a folder, when its scripts have come to rest."""
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [
                browser(),
                "--headless",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--generate-pdf-document-outline",
                "--no-pdf-header-footer",
                # Its clock stands still while anything is computed or loaded.
                "--virtual-time-budget=60000",
                *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
                f"--user-data-dir={profile}",
                f"--print-to-pdf={target.resolve()}",
                page.resolve().as_uri(),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    if not target.exists():
        raise SystemExit(f"Chromium did not print {page}:\n{done.stdout[-2000:]}")


def main() -> None:
    command = argparse.ArgumentParser(description="Print the rendered book as one PDF.")
    command.add_argument("target", type=Path, help="the PDF, such as _build/book.pdf")
    target = command.parse_args().target
    config, toc = (
        yaml.safe_load(Path(name).read_text(encoding="utf8"))
        for name in ("_config.yml", "_toc.yml")
    )
    whole = target.with_suffix(".html")
    whole.write_text(assemble(Path("_build/html"), config, toc), encoding="utf8")
    print_page(whole, target)
    print(f"The book is printed. Open {target}")


if __name__ == "__main__":
    main()
