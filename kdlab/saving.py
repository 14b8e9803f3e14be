"""A student in a folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn as nn
from safetensors.torch import load_model, save_model

from kdlab.data import whole_or_not_at_all, write_atomically
from kdlab.models import TinyGPT, TinyGPTConfig

__all__ = ["load_student", "save_student"]


def save_student(model: nn.Module, folder: str | Path) -> None:
    """Write a model's shape and weights to a folder."""
    folder = Path(folder)
    if not isinstance(model, TinyGPT):
        cast(Any, model).save_pretrained(folder)
        return
    write_atomically(folder / "config.json", json.dumps(asdict(model.config)) + "\n")
    with whole_or_not_at_all(folder / "model.safetensors") as partial:
        save_model(model, str(partial))


def load_student(folder: str | Path) -> nn.Module:
    """The model in a folder that :func:`distill` wrote.

    Raises:
        FileNotFoundError: there is none.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> save_student(TinyGPT("tiny-student"), folder)
    >>> load_student(folder).config.d_model
    64
    """
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "model_type" in config:  # of transformers
        from transformers import AutoModelForCausalLM

        theirs: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        return cast(nn.Module, theirs.eval())
    model = TinyGPT(TinyGPTConfig(**config))
    load_model(model, str(folder / "model.safetensors"))
    return model.eval()
