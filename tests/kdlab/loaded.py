"""PyTorch, kdlab and the architectures of `tiny_models.py`, for processes that are forked from one
that has imported this, and has computed nothing."""

import contextlib
import importlib
import re

import kdlab.sweeps  # noqa: F401  the trainer and all that it needs
import tests.kdlab.pair
import tests.kdlab.small_run  # noqa: F401
from tests.kdlab.tiny_models import ARCHITECTURES

with contextlib.suppress(ImportError):
    import peft  # noqa: F401
    import transformers

    for name in ARCHITECTURES:
        model = getattr(transformers, f"{name}Config").__module__
        importlib.import_module(re.sub(r"\bconfiguration_", "modeling_", model))
