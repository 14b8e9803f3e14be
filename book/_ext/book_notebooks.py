"""Each page with code downloads as a notebook that runs, outputs included.

MyST-NB executes a page as a notebook whose text is still MyST. Here that text becomes what any
notebook shows: directives and roles turn into plain Markdown, diagrams into words, widgets into
cells that show them. The page gets the theme's ``.ipynb`` button, and a line at its end that says
how to run it; the notebook says it at its top.

Where the repository has an address, a notebook fetches it first, since a page may read the recorded
runs that lie there; the page offers to open it in Colab, and the theme offers to suggest an edit
and to report a fault. Colab opens notebooks of a branch `notebooks`, which
.github/workflows/book.yml writes.

Configuration:
    book_repository: the address, such as https://github.com/owner/name; "" until there is one.

jupytext turns such a page into a notebook too, but leaves directives and roles as they stand in the
text, and they are what is translated here.
"""

import ast
import html
import json
import posixpath
import re
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path

import nbformat
from book_diagrams import in_words
from jupyter_cache import get_cache
from jupyter_cache.cache.main import JupyterCacheBase
from nbformat.v4 import new_code_cell, new_markdown_cell
from sphinx.application import Sphinx

OPEN = re.compile(r"^(?P<marks>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}[ ]*(?P<argument>.*)$")
OPTION = re.compile(r"^:(?P<name>[\w-]+):[ ]*(?P<value>.*)$")
ROLE = re.compile(r"\{(?P<role>[\w:]+)\}`(?P<text>[^`]+)`")
LABELLED = re.compile(r"^\$\$[ ]*\((?P<label>[\w-]+)\)[ ]*$", re.MULTILINE)
TARGET = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)
TO_PAGE = re.compile(r"\]\((?P<page>[\w./-]+)\.md(?P<place>#[\w-]+)?\)")
TO_LABEL = re.compile(r"\[(?P<text>[^\]\[]+)\]\((?P<label>[\w-]+)\)")
GLUED = re.compile(r"\{glue:text\}`(?P<key>\w+)(?::(?P<format>[^`]+))?`")
SAID = re.compile(r"\n:\s+")
ARROW = re.compile(r"\s*=>\s*")
MARK = re.compile(r"^(?:\([x ]\)|\[[x ]\])[ ]+")


def blocks(text: str) -> Iterator[tuple[str, str, dict, str]]:
    """Directives and what stands between: name, argument, options, body; the name "" is text."""
    plain: list[str] = []
    lines = iter(text.splitlines())
    for line in lines:
        opened = OPEN.match(line)
        if not opened:
            plain.append(line)
            continue
        yield "", "", {}, "\n".join(plain)
        plain, options, body = [], {}, []
        for inside in lines:
            if inside.strip() == opened["marks"]:
                break
            option = OPTION.match(inside)
            if option and not body:
                options[option["name"]] = option["value"]
            elif body or inside.strip():
                body.append(inside)
        yield opened["name"], opened["argument"], options, "\n".join(body)
    yield "", "", {}, "\n".join(plain)


def say(role: re.Match) -> str:
    """A role as a notebook can show it."""
    text = role["text"]
    if role["role"].startswith("cite"):
        return "[" + ", ".join(key.strip() for key in text.split(",")) + "]"
    if role["role"] == "eq":
        return f"({text})"
    if role["role"] == "math":
        return f"${text}$"
    named = re.fullmatch(r"(.+?)\s*<[^>]*>", text)
    return named[1] if named else text


def plain_markdown(text: str) -> str:
    """MyST without directives as Markdown: equations numbered by name."""
    text = TARGET.sub("", text)
    text = LABELLED.sub(r"\\tag{\g<label>}\n$$", text)
    return ROLE.sub(say, text)


def with_links(text: str, page: str, pages: Container[str], labels: Container[str]) -> str:
    """A page's Markdown whose links lead somewhere from its notebook.

    Links to pages that have a notebook lead to it, and those to others to their text, which lies
    beside it in a clone. A link to a label of MyST's is its words.
    """

    def lead(link: re.Match) -> str:
        other = posixpath.normpath(posixpath.join(posixpath.dirname(page), link["page"]))
        ending = "ipynb" if other in pages else "md"
        return f"]({link['page']}.{ending}{link['place'] or ''})"

    text = TO_PAGE.sub(lead, text)
    return TO_LABEL.sub(lambda link: link["text"] if link["label"] in labels else link[0], text)


def marked(term: str) -> str:
    """A choice, or a number, with a sign for right or wrong where the page has its own marks."""
    if number := re.fullmatch(r"([=!])\s*(\S+)\s*±\s*\S+", term):
        return f"{'✓' if number[1] == '=' else '✗'} {number[2]}"
    choice = MARK.match(term)
    return f"{'✓' if 'x' in choice[0] else '✗'} {term[choice.end() :]}" if choice else term


def question(kind: str, body: str) -> str:
    """A question's prompt and choices; what we say to each is folded away."""
    parts = re.split(r"\n\s*\n", body)
    pairs = [SAID.split(part, maxsplit=1) for part in parts if SAID.search(part)]
    prompt = "\n\n".join(part for part in parts if not SAID.search(part))
    terms = [MARK.sub("", term) for term, _ in pairs]
    if kind == "numeric":
        choices = []
    elif kind == "matching":
        lefts, rights = zip(*(ARROW.split(term, maxsplit=1) for term in terms), strict=True)
        choices = [*lefts, "with: " + "; ".join(sorted(rights))]
    else:
        choices = sorted(terms) if kind == "ordering" else terms
    shown = "\n".join(f"- {choice}" for choice in choices)
    answers = "\n\n".join(f"**{marked(term)}**: {said}" for term, said in pairs)
    return (
        f"**Question** ({kind}). {prompt}\n\n{shown}\n\n<details><summary>What we say to each "
        f"answer</summary>\n\n{answers}\n\n</details>"
    )


def as_cells(text: str) -> list:
    """A cell of MyST as the cells of a notebook."""
    cells, markdown = [], []
    for name, argument, options, body in blocks(text):
        if name == "widget":
            cells.append(new_markdown_cell("\n\n".join(filter(None, markdown))))
            given = ", ".join(f"{key}={python(value)}" for key, value in options.items())
            cells.append(
                new_code_cell(
                    f"from kdlab.widgets import WIDGETS\n\nWIDGETS[{argument!r}]({given})"
                )
            )
            markdown = []
        elif name == "":
            markdown.append(plain_markdown(body).strip())
        elif name == "question":
            markdown.append(plain_markdown(question(argument, body)))
        elif name in ("math", "bibliography", "progress", "tableofcontents", "index"):
            markdown.append(f"$$\n{body}\n$$" if name == "math" else "")
        elif name == "diagram":
            caption = plain_markdown(body).strip().replace("\n", " ")
            markdown.append(f"> *Diagram.* {in_words(argument)}\n>\n> {caption}")
        else:  # an admonition or a figure
            inner = plain_markdown(body).strip() or argument
            title = argument or name.capitalize()
            markdown.append(
                "\n".join(f"> {line}" for line in (f"**{title}**", "", *inner.splitlines()))
            )
    cells.append(new_markdown_cell("\n\n".join(filter(None, markdown))))
    return [cell for cell in cells if cell.source.strip()]


def python(value: str) -> str:
    """A directive's option as a Python literal."""
    try:
        return repr(json.loads(value))
    except ValueError:
        return repr(value)


def pasted(role: re.Match, glued: dict) -> str:
    """What the page computed and its text shows, as the page formats it."""
    value = ast.literal_eval(glued[role["key"]]["data"]["text/plain"])
    return format(value, role["format"] or "")


def is_for_the_page_alone(cell) -> bool:
    """Whether a cell only hands numbers to the page's text, by what no reader need install."""
    return "remove-cell" in cell.metadata.get("tags", []) and "glue(" in cell.source


def plain_notebook(source: Path, cache: JupyterCacheBase):
    """The executed notebook without a word of MyST."""
    notebook = nbformat.read(source, as_version=4)
    # Of a page that was not executed anew, MyST-NB writes it without its outputs.
    with suppress(KeyError):
        _, notebook = cache.merge_match_into_notebook(notebook)
    numbers = source.with_name(f"{source.stem}.glue.json")
    glued = json.loads(numbers.read_text(encoding="utf8")) if numbers.exists() else {}
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cells += as_cells(GLUED.sub(lambda role: pasted(role, glued), cell.source))
        elif not is_for_the_page_alone(cell):
            cells.append(cell)
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    notebook.cells = cells
    notebook.nbformat_minor = 5
    kept = ("kernelspec", "language_info")
    notebook.metadata = {key: notebook.metadata[key] for key in kept if key in notebook.metadata}
    return notebook


def link_repository(app: Sphinx, config) -> None:
    """The theme's buttons for a repository, where there is one."""
    if config.book_repository:
        buttons = ("use_repository_button", "use_edit_page_button", "use_issues_button")
        config.html_theme_options |= {
            "repository_url": config.book_repository.rstrip("/"),
            "repository_branch": "main",
            **dict.fromkeys(buttons, True),
        }


def fetch(repository: str, page: str) -> str:
    """The cell that a notebook begins with: after it, the page's code finds what it reads."""
    return (
        "# Only where there is no clone of the repository, as in Colab\n"
        f"!git clone --quiet --depth 1 {repository} course\n"
        '%pip install --quiet "./course[hf]"\n'
        f"%cd course/{Path(page).parent.as_posix()}"
    )


def how_to_run(page: str) -> str:
    """The words that a notebook begins with: who has it alone is told what else it needs."""
    return (
        "> This notebook is a page of the course. It uses the course's library and recorded runs. "
        f"To run it, put it into `{Path(page).parent.as_posix()}` of your clone of the repository, "
        f"type `make book` in the clone once, and then `.venv/bin/jupyter lab {page}.ipynb`."
    )


def in_colab(repository: str, page: str) -> str:
    """Where Colab opens a page's notebook; "" where it cannot."""
    found = re.match(r"https://github\.com/([^/]+/[^/]+?)(?:\.git)?/?$", repository)
    if not found:
        return ""
    return f"https://colab.research.google.com/github/{found[1]}/blob/notebooks/{page}.ipynb"


def executed(app: Sphinx, page: str) -> Path | None:
    """The notebook that MyST-NB has executed a page as, if it has code."""
    path = Path(app.outdir).parent / "jupyter_execute" / f"{page}.ipynb"
    return path if page in app.env.nb_metadata and path.exists() else None


def offer(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Write the page's notebook, and say on the page where it is."""
    source = executed(app, page)
    if doctree is None or source is None:
        return
    target = Path(app.outdir) / "_sources" / f"{page}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    cache = get_cache(app.env.mystnb_config.execution_cache_path)
    notebook = plain_notebook(source, cache)
    pages = {other for other in app.env.found_docs if executed(app, other)}
    labels = app.env.get_domain("std").anonlabels
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_links(cell.source, page, pages, labels)
    repository = app.config.book_repository.rstrip("/")
    if repository:
        notebook.cells.insert(0, new_code_cell(fetch(repository, page), id="fetch"))
    notebook.cells.insert(0, new_markdown_cell(how_to_run(page), id="how-to-run"))
    nbformat.write(notebook, target)
    context["ipynb_source"] = f"{page}.ipynb"
    link = context["pathto"](f"_sources/{page}.ipynb", 1)
    folder, path = html.escape(Path(page).parent.as_posix()), html.escape(page)
    colab = in_colab(repository, page)
    context["body"] += (
        '<p class="book-run"><strong>Run it yourself.</strong> '
        f'Put <a href="{html.escape(link)}" download>this page as a notebook</a> into '
        f"<code>{folder}</code> of your clone of the repository, type <code>make book</code> once, "
        f"then <code>.venv/bin/jupyter lab {path}.ipynb</code>, and run its cells from the top."
        + (f' Or <a href="{html.escape(colab)}">open it in Colab</a>.' if colab else "")
        + "</p>\n"
    )


def setup(app: Sphinx) -> dict:
    app.add_config_value("book_repository", "", "html", str)
    app.connect("config-inited", link_repository)
    # Before the theme makes its buttons, and before book_execution adds its line.
    app.connect("html-page-context", offer, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
