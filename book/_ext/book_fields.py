"""What autodoc does not know: fields of records, and signatures that say nothing.

Fields of dataclasses and named tuples are documented by the comments beside them.

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

ANYTHING = re.compile(r"\(\*args[^,]*, \*\*kwargs[^,]*\)")


def describe_fields(app: Sphinx, what: str, name: str, obj, options, lines: list[str]) -> None:
    """Add the commented fields to a class's docstring, as its Attributes section."""
    is_record = hasattr(obj, "__dataclass_fields__") or hasattr(obj, "_fields")
    if what != "class" or not is_record:
        return
    fields = FIELD.findall(inspect.getsource(obj))
    if fields:
        lines += ["", "Attributes:", *(f"    {field}: {says}" for field, says in fields), ""]


def mend_signature(app: Sphinx, what: str, name: str, obj, options, signature, returns):
    """Leave out what a base class takes, (*args, **kwargs), for a protocol's or a widget's own.

    And write "..." for a default that is made anew: Sphinx cannot parse "<factory>".
    """
    if what == "class" and signature and ANYTHING.fullmatch(signature):
        return "", returns
    return signature and signature.replace("<factory>", "..."), returns


def setup(app: Sphinx) -> dict:
    # Before Napoleon, which has the default priority of 500, turns sections into fields.
    app.connect("autodoc-process-docstring", describe_fields, priority=400)
    app.connect("autodoc-process-signature", mend_signature)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
