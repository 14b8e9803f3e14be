"""The ``question`` directive: a question with feedback for every choice, and ``progress`` over all.

A question is a prompt and then a definition list: what can be answered, and what we say to it.

    :::{question} single
    :name: which-way

    Labels noisy, teacher reliable. Which way should $\\lambda$ go?

    (x) Up
    : Right, because …

    ( ) Down
    : That would trust the noise, because …
    :::

Kinds, and what a term of the list looks like:
    single    ``(x) right`` once, ``( ) wrong``
    multiple  ``[x] right``, ``[ ] wrong``
    numeric   ``= 0.5 ± 0.01`` right, ``! 2 ± 0.1`` a wrong answer we expect, ``else`` any other
    ordering  the items in the right order; the page shuffles them
    matching  ``left => right``

Answers are judged in the reader's browser by _static/questions.js and kept there (localStorage),
with the question's version: what was answered to another is forgotten. They are plain in the page's
source: this is self-assessment, not grading.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.utils.smartquotes import smartyPants
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

HINTS = {
    "single": "choose one",
    "multiple": "choose all that hold",
    "numeric": "type a number",
    "ordering": "put in order",
    "matching": "match",
}
MARKER = {
    "single": re.compile(r"\((?P<mark>[x ])\)\s+"),
    "multiple": re.compile(r"\[(?P<mark>[x ])\]\s+"),
}
NUMBER = re.compile(r"(?P<mark>[=!])\s*(?P<value>\S+)\s*±\s*(?P<tolerance>\S+)$")
# What looks like a choice in a prompt: MyST takes only the last line before the colon for a term.
STRAY = re.compile(r"^(\([x ]\)|\[[x ]\]|[=!] \S+ ±)\s", re.MULTILINE)
VOID = {"input"}
LINK = {
    "class_": "headerlink",
    "title": "Link to this question",
    "aria_label": "Link to this question",
}


class element(nodes.General, nodes.Element):
    """One HTML element: ``tag`` and its attributes in ``html``."""


def make(tag: str, *children: nodes.Node, text: str = "", **html: str) -> element:
    """An HTML element around children. ``class_`` and ``for_`` drop their underscore."""
    node = element("", tag=tag, html={k.rstrip("_").replace("_", "-"): v for k, v in html.items()})
    if text:
        node += nodes.Text(text)
    node.extend(children)
    return node


def spoken(text: list[nodes.Node]) -> nodes.inline:
    """A choice's text; Sphinx sets quotation marks in it as it does in paragraphs."""
    return nodes.inline("", "", *text, classes=["question-text"])


def visit(translator, node: element) -> None:
    translator.body.append(translator.starttag(node, node["tag"], "", **node["html"]))


def depart(translator, node: element) -> None:
    if node["tag"] not in VOID:
        translator.body.append(f"</{node['tag']}>")


def shuffled(count: int, seed: str) -> list[int]:
    """A permutation of range(count) that is the same in every build and never the identity."""
    order = sorted(range(count), key=lambda i: hashlib.sha256(f"{seed}/{i}".encode()).digest())
    return order[1:] + order[:1] if order == list(range(count)) else order


def version(kind: str, prompt: list[nodes.Node], terms: list[list[nodes.Node]]) -> str:
    """A short hash of what is asked and what can be answered; feedback may change."""
    choices = ["".join(part.astext() for part in term) for term in terms]
    asked = json.dumps([kind, [part.astext() for part in prompt], choices])
    return hashlib.sha256(asked.encode()).hexdigest()[:8]


class Question(SphinxDirective):
    has_content = True
    required_arguments = 1
    option_spec = {"name": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        kind, name = self.arguments[0], self.options.get("name", "")
        if kind not in HINTS:
            raise self.error(f"question kind {kind!r}: choose from {', '.join(HINTS)}")
        if not re.fullmatch(r"[a-z0-9-]+", name):
            raise self.error(f"question name {name!r}: give :name: in lower case, digits, hyphens")
        asked = self.env.book_questions.setdefault(self.env.docname, {})
        if name in asked:
            raise self.error(f"question name {name!r} is taken on this page")
        asked[name] = ""  # its version is not known before its content

        content = self.parse_content_to_nodes()
        if len(content) < 2 or not isinstance(content[-1], nodes.definition_list):
            raise self.error(f"question {name!r}: write a prompt, then a definition list")
        *prompt, choices = content
        for part in prompt:
            if isinstance(part, nodes.definition_list) or STRAY.search(part.astext()):
                raise self.error(
                    f"question {name!r}: {part.astext()!r} is in the prompt: "
                    "write a choice on one line, and one list of choices"
                )
        pairs = []
        for item in choices:
            terms = [part for part in item if isinstance(part, nodes.term)]
            said = [part for part in item if isinstance(part, nodes.definition)]
            if len(terms) != 1 or len(said) != 1 or not said[0].astext().strip():
                raise self.error(f"question {name!r}: {item.astext()!r} needs feedback, once")
            pairs.append((terms[0].children, said[0].children))

        terms = [term for term, _ in pairs]
        if kind == "numeric":  # the wrong answers that we expect are feedback
            terms = [term for term in terms if term[0].astext().startswith("=")]
        asked[name] = version(kind, prompt, terms)
        identity = f"question-{name}"
        answers = getattr(self, kind)(identity, pairs)
        form = make(
            "form",
            make(
                "fieldset",
                make(
                    "legend",
                    make("a", text="#", href=f"#{identity}", **LINK),
                    text=f"Question {len(asked)} · {HINTS[kind]} ",
                ),
                make("div", *prompt, class_="question-prompt"),
                answers,
                make(
                    "div",
                    make("button", text="Check", type="submit", class_="question-check"),
                    make("button", text="Start again", type="reset"),
                    class_="question-actions",
                ),
                make("div", class_="question-verdict", role="status"),
            ),
            class_="question",
            data_kind=kind,
            data_name=name,
            data_version=asked[name],
        )
        form["ids"] = [identity]
        return [form]

    def feedback(self, said: list[nodes.Node], **html: str) -> element:
        return make("div", *said, class_="question-feedback", hidden="hidden", **html)

    def single(self, identity: str, pairs: list, box: str = "radio") -> element:
        kind = "single" if box == "radio" else "multiple"
        rows, right = [], 0
        for place, (term, said) in enumerate(pairs):
            mark = MARKER[kind].match(term[0].astext())
            if not mark:
                raise self.error(f"{identity}: {term[0].astext()!r} does not start with a mark")
            is_right = mark["mark"] == "x"
            right += is_right
            text = [nodes.Text(term[0].astext()[mark.end() :]), *term[1:]]
            tick = make("input", type=box, name=identity, value=str(place))
            label = make("label", tick, spoken(text))
            rows.append(make("li", label, self.feedback(said), data_right=str(is_right).lower()))
        if not right or (kind == "single" and right > 1):
            raise self.error(f"{identity}: {right} choices are marked right")
        return make("ul", *rows, class_="question-choices")

    def multiple(self, identity: str, pairs: list) -> element:
        return self.single(identity, pairs, box="checkbox")

    def numeric(self, identity: str, pairs: list) -> element:
        field = make("input", type="text", inputmode="decimal", autocomplete="off", name=identity)
        rows, right, other = [], 0, 0
        for term, said in pairs:
            text = "".join(part.astext() for part in term).strip()
            if text == "else":
                other += 1
                rows.append(self.feedback(said, data_else="true", data_right="false"))
                continue
            found = NUMBER.match(text)
            try:
                value, tolerance = (float(found[key]) for key in ("value", "tolerance"))
            except (TypeError, ValueError):
                raise self.error(
                    f"{identity}: {text!r} is none of '= value ± tolerance', "
                    "'! value ± tolerance' and 'else'"
                ) from None
            if not (math.isfinite(value) and math.isfinite(tolerance) and tolerance >= 0):
                raise self.error(
                    f"{identity}: {text!r} fits no answer: give a finite value, and a finite "
                    "tolerance of at least 0"
                )
            is_right = found["mark"] == "="
            right += is_right
            rows.append(
                self.feedback(
                    said,
                    data_value=str(value),
                    data_tolerance=str(tolerance),
                    data_right=str(is_right).lower(),
                )
            )
        if not right or other != 1:
            raise self.error(f"{identity}: give at least one right value and one 'else'")
        label = make("label", make("span", text="Your answer"), field)
        return make("div", label, *rows, class_="question-number")

    def ordering(self, identity: str, pairs: list) -> element:
        rows = []
        for place in shuffled(len(pairs), identity):
            term, said = pairs[place]
            what = "".join(part.astext() for part in term)
            rows.append(
                make(
                    "li",
                    spoken(term),
                    make("button", text="↑", type="button", aria_label=f"Move up: {what}"),
                    make("button", text="↓", type="button", aria_label=f"Move down: {what}"),
                    self.feedback(said),
                    data_place=str(place),
                )
            )
        return make("ol", *rows, class_="question-choices")

    def matching(self, identity: str, pairs: list) -> element:
        split = []
        for term, said in pairs:
            last = term[-1].astext() if isinstance(term[-1], nodes.Text) else ""
            left, _, right = last.partition("=>")
            right = smartyPants(right.strip())
            if not right:
                raise self.error(f"{identity}: write each pair as 'left => right', right in words")
            split.append(([*term[:-1], nodes.Text(left.rstrip())], right, said))
        options = sorted({right for _, right, _ in split})
        rows = []
        for left, right, said in split:
            select = make(
                "select",
                make("option", text="choose …", value=""),
                *(make("option", text=option, value=option) for option in options),
            )
            label = make("label", spoken(left), select)
            rows.append(make("li", label, self.feedback(said), data_match=right))
        return make("ul", *rows, class_="question-choices")


class Progress(SphinxDirective):
    """A list of all pages with questions and, in the browser, how many are solved."""

    def run(self) -> list[nodes.Node]:
        self.env.book_progress.add(self.env.docname)
        return [make("div", class_="question-progress")]


def in_order(env: BuildEnvironment, page: str | None = None) -> Iterator[str]:
    """Every page, in the order of the table of contents."""
    page = page or env.config.root_doc
    yield page
    for below in env.toctree_includes.get(page, []):
        yield from in_order(env, below)


def fill_progress(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put the pages into each progress list, in the order of the contents."""
    questions = app.env.book_questions
    for node in doctree.findall(element):
        if node["html"].get("class") != "question-progress":
            continue
        rows = []
        for other in in_order(app.env):
            if other not in questions:
                continue
            link = make(
                "a",
                text=app.env.titles[other].astext(),
                href=app.builder.get_relative_uri(page, other),
            )
            tally = make("span", class_="question-tally", **tally_data(other, questions[other]))
            rows.append(make("li", link, tally))
        forget = make("button", text="Forget my progress", type="button", class_="question-forget")
        node.children = [make("ul", *rows), forget]


def tally_data(page: str, versions: dict[str, str]) -> dict[str, str]:
    return {"data_page": page, "data_questions": listed(versions)}


def listed(versions: dict[str, str]) -> str:
    """A page's questions in one attribute: the name and the version of each."""
    return " ".join(f"{name}:{version}" for name, version in versions.items())


def add_assets(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Load script and style where there are questions, and put the page's tally at its end."""
    versions = app.env.book_questions.get(page, {})
    if not versions and page not in app.env.book_progress:
        return
    app.add_js_file("questions.js", defer="defer", **{"data-page": page})
    app.add_css_file("questions.css")
    if versions:
        context["body"] += (
            f'<p>Questions on this page: <span class="question-tally" data-page="{page}" '
            f'data-questions="{listed(versions)}">{len(versions)}</span></p>\n'
        )


def start(app: Sphinx) -> None:
    for name, empty in (("book_questions", {}), ("book_progress", set())):
        if not hasattr(app.env, name):
            setattr(app.env, name, empty)


def forget(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    if hasattr(env, "book_questions"):
        env.book_questions.pop(page, None)
        env.book_progress.discard(page)


def progress_pages(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """A progress list depends on every page."""
    return sorted(env.book_progress)


def setup(app: Sphinx) -> dict:
    app.add_node(element, html=(visit, depart))
    app.add_directive("question", Question)
    app.add_directive("progress", Progress)
    app.connect("builder-inited", start)
    app.connect("env-purge-doc", forget)
    app.connect("env-updated", progress_pages)
    app.connect("doctree-resolved", fill_progress)
    app.connect("html-page-context", add_assets)
    safe = {"parallel_read_safe": False, "parallel_write_safe": True}
    return {"version": "1", "env_version": 3, **safe}  # pages that are read already are read anew
