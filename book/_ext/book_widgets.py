"""The ``widget`` directive: a widget of kdlab in the rendered page, with no kernel and no network.

    ```{widget} kl-explorer
    :preset: students
    ```

Options are the traits of the widget's class in kdlab.widgets, as JSON or plain words, and
``preset``. The class checks them while the book is built, and gives the state that the page
starts with. The module itself, kdlab/widgets/kl-explorer.js, is written into the page: a page
opened from a folder may not import one. It runs where it stands, so nothing moves when it appears.
"""

import html
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HOST = Path(__file__).with_name("widget_host.js")


class widget(nodes.General, nodes.Element):
    """A mounted widget: ``module``, ``state`` and a ``table`` for readers without scripts."""


class AnyOption(dict):
    """Takes every option; the widget's class knows which it has."""

    def __missing__(self, key):
        return lambda text: text or ""

    def __bool__(self):
        return True

    def __contains__(self, key):
        return True


class Widget(SphinxDirective):
    required_arguments = 1
    option_spec = AnyOption()

    def run(self) -> list[nodes.Node]:
        from kdlab import widgets  # after Sphinx has started: kdlab loads torch

        name = self.arguments[0]
        if name not in widgets.WIDGETS:
            raise self.error(f"unknown widget {name!r}; known: {', '.join(widgets.WIDGETS)}")
        folder = Path(widgets.__file__).parent
        for path in (*folder.glob("*.*"), HOST):
            self.env.note_dependency(str(path))
        try:
            shown = widgets.WIDGETS[name](**{k: value_of(v) for k, v in self.options.items()})
        except (ValueError, TypeError, widgets.traitlets.TraitError) as error:
            raise self.error(f"widget {name}: {error}") from error
        public = [key for key in shown.trait_names(sync=True) if not key.startswith("_")]
        state = {key: getattr(shown, key) for key in public if key not in ("layout", "tooltip")}
        table = shown.scores() if getattr(shown, "students", None) else shown.numbers()
        return [widget("", module=folder / f"{name}.js", state=state, table=table)]


def value_of(text: str):
    """An option as JSON, or, when it is none, as the words that it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def as_expression(source: str) -> str:
    """An ES module as a function's call that returns its default export.

    Raises:
        ValueError: the module imports something, or has no default export at a line's start.
    """
    if re.search(r"^\s*import\b", source, re.MULTILINE) or "</script" in source:
        raise ValueError("a widget's module imports nothing and closes no script")
    body, found = re.subn(r"^export default ", "return ", source, flags=re.MULTILINE)
    if found != 1:
        raise ValueError(f"a widget's module has one default export, this one has {found}")
    body = re.sub(r"^export (?=const |function )", "", body, flags=re.MULTILINE)
    return f"(() => {{\n{body}}})()"


def plain_table(table: dict[str, dict[str, float]]) -> str:
    """The numbers of the first state as an HTML table."""
    columns = list(dict.fromkeys(column for row in table.values() for column in row))
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in ["", *columns])
    rows = ""
    for name, row in table.items():
        cells = "".join(
            f"<td>{row[column]:z.3f}</td>".replace("inf", "∞") if column in row else "<td></td>"
            for column in columns
        )
        rows += f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>'
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def visit(translator, node: widget) -> None:
    seen = translator.__dict__.setdefault("widgets_seen", set())
    name = node["module"].stem
    script = ""
    if not seen:
        script += HOST.read_text(encoding="utf8")
    if name not in seen:
        source = as_expression(node["module"].read_text(encoding="utf8"))
        script += f"kdlabWidgets.define({json.dumps(name)}, {source});\n"
    seen.add(name)
    state = json.dumps(node["state"], ensure_ascii=False).replace("</", "<\\/")
    script += f"kdlabWidgets.mount(document.currentScript, {json.dumps(name)}, {state});"
    translator.body.append(
        f'<div class="book-widget" data-widget="{name}"></div>\n'
        f'<script data-kind="widget">\n{script}\n</script>\n'
        '<noscript><div class="kdlab-widget"><p>Here is something to drag, which needs '
        "JavaScript in your browser. "
        f"These are the numbers that it starts with:</p>{plain_table(node['table'])}"
        "</div></noscript>\n"
    )
    raise nodes.SkipNode


def add_style(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    if doctree is not None and next(doctree.findall(widget), None) is not None:
        app.add_css_file("widgets.css")


def copy_style(app: Sphinx) -> None:
    """The widgets' style goes where the page's styles are."""
    app.config.html_static_path.append(str(Path(app.srcdir) / "kdlab/widgets/widgets.css"))


def setup(app: Sphinx) -> dict:
    app.add_node(widget, html=(visit, None))
    app.add_directive("widget", Widget)
    app.connect("builder-inited", copy_style)
    app.connect("html-page-context", add_style)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
