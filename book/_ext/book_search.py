"""Search by sections, with an excerpt of each, that works from a folder and forgives a slip.

Sphinx's own fetches each page that it found to show an excerpt, which a page opened from a folder
may not, and it knows no word that is one letter off. Here the words of each section are written
into _static/sections.js, and _static/search.js finds them; Sphinx's index and scripts are left out.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

# What is not read as text: a displayed formula in a line of words is a riddle.
SILENT = nodes.raw | nodes.comment | nodes.image | nodes.math_block | nodes.system_message
KEY = re.compile(r"\s*([a-z]+)(\d+)\s*")  # of the bibliography
READ = {"lambda": "λ", "alpha": "α", "beta": "β", "theta": "θ", "log": "log", "mid": "|"}
READ |= {"ge": "≥", "le": "≤", "to": "→", "infty": "∞", "approx": "≈", "sum": "Σ", "cdot": "·"}


def in_words(formula: str) -> str:
    """What can be read of a formula's LaTeX."""
    said = re.sub(r"\\([a-zA-Z]+)", lambda name: READ.get(name[1], " "), formula)
    return re.sub(r"[\\{}$,!&^_]+", " ", said)


def in_a_line(key: re.Match) -> str:
    """Whose and from when, as a page shows what its source calls menon2021."""
    return f"{key[1].title()} {key[2]}"


def words(node: nodes.Node) -> str:
    """The text of a node without the sections and objects in it, which have their own entries."""
    if isinstance(node, nodes.Text):
        return node.astext()
    if isinstance(node, nodes.section | addnodes.desc | SILENT):
        return ""
    if isinstance(node, addnodes.pending_xref_condition) and node["condition"] == "*":
        return ""  # the type beside it is the same one, as it is shown
    if isinstance(node, addnodes.pending_xref) and node.get("refdomain") == "cite":
        return ", ".join(KEY.sub(in_a_line, key) for key in node.astext().split(","))
    if isinstance(node, addnodes.pending_xref) and node["reftype"] == "eq":
        return ""  # an equation's name, in the place of a number that is not known yet
    if isinstance(node, nodes.math):
        return in_words(node.astext())
    if node.attributes.get("html", {}).get("class") in ("question-feedback", "question-actions"):
        return ""
    inside = "".join(map(words, node.children))
    return inside if isinstance(node, nodes.Inline) else f"{inside}\n"


def as_shown(signature: nodes.Node) -> str:
    """A signature whose types are not there twice, once as they were written."""
    shown = signature.deepcopy()
    for choice in list(shown.findall(addnodes.pending_xref_condition)):
        if choice["condition"] == "*":
            choice.parent.remove(choice)
    return shown.astext()


def sections(doctree: nodes.document) -> Iterator[tuple[str, str, str]]:
    """Each section and each documented object: its name, its title, its text."""
    for section in doctree.findall(nodes.section):
        title = section.next_node(nodes.title).astext()
        inside = [child for child in section if not isinstance(child, nodes.title)]
        name = section["ids"][0] if isinstance(section.parent, nodes.section) else ""
        yield name, title, tidy(" ".join(map(words, inside)))
    for entry in doctree.findall(addnodes.desc):
        signature = entry.next_node(addnodes.desc_signature)
        content = entry.next_node(addnodes.desc_content)
        if signature["ids"]:
            text = as_shown(signature) + " " + " ".join(map(words, content))
            yield signature["ids"][0], signature["ids"][0].removeprefix("kdlab."), tidy(text)


def tidy(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def start(app: Sphinx) -> None:
    """Have no index of Sphinx's; the page that searches is ours to ask for, then."""
    app.builder.search = False
    if not hasattr(app.env, "book_sections"):
        app.env.book_sections = {}


def search_page(app: Sphinx) -> Iterator[tuple[str, dict, str]]:
    yield "search", {}, "search.html"


def read(app: Sphinx, doctree: nodes.document) -> None:
    app.env.book_sections[app.env.docname] = list(sections(doctree))


def forget(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    getattr(env, "book_sections", {}).pop(page, None)


def add_scripts(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    if page == "search":
        app.add_js_file("sections.js", loading_method="defer")
        app.add_js_file("search.js", loading_method="defer")


def write(app: Sphinx, failure: Exception | None) -> None:
    """Write the words of each section where the search page finds them."""
    if failure or app.builder.format != "html":
        return
    titles = app.env.titles
    found = [
        [app.builder.get_target_uri(page), titles[page].astext(), *section]
        for page in sorted(app.env.book_sections)
        for section in app.env.book_sections[page]
    ]
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    static = Path(app.outdir) / "_static"
    (static / "sections.js").write_text(f"window.bookSections={text};\n", encoding="utf8")
    for name in ("searchtools.js", "language_data.js"):
        (static / name).unlink(missing_ok=True)


def setup(app: Sphinx) -> dict:
    app.connect("builder-inited", start)
    app.connect("html-collect-pages", search_page)
    app.connect("doctree-read", read)
    app.connect("env-purge-doc", forget)
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write)
    safe = {"parallel_read_safe": False, "parallel_write_safe": True}
    return {"version": "1", "env_version": 1, **safe}  # pages that are read already are read anew
