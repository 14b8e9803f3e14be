"""Every example in a public docstring runs, and every public name has a docstring."""

import doctest
import importlib
import inspect
import pkgutil
import re

import matplotlib as mpl
import pytest

import kdlab
from kdlab.devices import own_accelerate_state

MODULES = sorted(module.name for module in pkgutil.walk_packages(kdlab.__path__, "kdlab."))


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    if "triton" in name:
        pytest.importorskip("triton", reason="needs Triton, on Linux: pip install triton")
    mpl.use("agg")
    if name in ("kdlab.runs", "kdlab.ingredients"):  # they train teachers, and would keep them
        monkeypatch.setenv("KDLAB_CACHE", str(tmp_path))
    with own_accelerate_state():  # TRL's trainers leave theirs behind
        result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_every_public_name_is_there_and_says_what_it_is():
    for name in kdlab.__all__:
        value = getattr(kdlab, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert ">>>" in value.__doc__, f"{name} has no example"


def test_every_field_of_a_public_record_is_described():
    """In the class's Args, or by the comment beside it, which the reference shows."""
    bare = [
        f"{name}.{field}"
        for name in kdlab.__all__
        if inspect.isclass(value := getattr(kdlab, name))
        for field in getattr(value, "__dataclass_fields__", getattr(value, "_fields", ()))
        if not field.startswith("_")
        if not re.search(rf"^    {field}: .*  # |^ {{8}}{field}: ", inspect.getsource(value), re.M)
    ]
    assert not bare
