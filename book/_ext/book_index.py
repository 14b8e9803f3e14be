"""The general index: a module is in it once, under its name, and its apostrophes are the text's.

Sphinx lists each module a second time, all of them under "module".
"""

from docutils.utils.smartquotes import smartyPants
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

MODULE = "module; "


class Entries(SphinxTransform):
    default_priority = 800  # before Sphinx collects them, at 850

    def apply(self, **kwargs) -> None:
        for node in self.document.findall(addnodes.index):
            node["entries"] = [mended(*entry) for entry in node["entries"]]


def mended(kind: str, text: str, *place) -> tuple:
    if text.startswith(MODULE):
        kind, text = "single", f"{text.removeprefix(MODULE)} (module)"
    return kind, smartyPants(text), *place


def setup(app: Sphinx) -> dict:
    app.add_transform(Entries)
    safe = {"parallel_read_safe": True, "parallel_write_safe": True}
    return {"version": "1", "env_version": 1, **safe}  # pages that are read already are read anew
