"""Fields of dataclasses and named tuples, documented by the comments beside them.

    @dataclass(frozen=True)
    class TrainConfig:
        steps: int = 200  # optimiser steps

The comment becomes the description of ``steps`` in the class's reference entry. A comment that goes
on in the next line, or a field without one, is left as it is.
"""

import inspect
import re

from sphinx.application import Sphinx

FIELD = re.compile(r"^    (?P<name>[a-z]\w*): [^#\n]+?  # (?P<says>.+)$", re.MULTILINE)


def describe_fields(app: Sphinx, what: str, name: str, obj, options, lines: list[str]) -> None:
    """Add the commented fields to a class's docstring, as its Attributes section."""
    is_record = hasattr(obj, "__dataclass_fields__") or hasattr(obj, "_fields")
    if what != "class" or not is_record:
        return
    fields = FIELD.findall(inspect.getsource(obj))
    if fields:
        lines += ["", "Attributes:", *(f"    {field}: {says}" for field, says in fields), ""]


def name_factories(app: Sphinx, what: str, name: str, obj, options, signature, returns):
    """Write "..." for a default that is made anew: Sphinx cannot parse "<factory>"."""
    return signature and signature.replace("<factory>", "..."), returns


def setup(app: Sphinx) -> dict:
    # Before Napoleon, which has the default priority of 500, turns sections into fields.
    app.connect("autodoc-process-docstring", describe_fields, priority=400)
    app.connect("autodoc-process-signature", name_factories)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
