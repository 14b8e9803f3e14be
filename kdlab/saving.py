"""A student in a folder, with its tokenizer."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn as nn
from safetensors.torch import load_model, save_model

from kdlab.arguments import checked
from kdlab.data import END_OF_TEXT
from kdlab.devices import kept_random_state
from kdlab.files import whole_or_not_at_all, write_atomically, writing
from kdlab.models import TinyGPT, TinyGPTConfig
from kdlab.pretrained import loading
from kdlab.records import read_record

__all__ = ["load_student"]


@checked
def save_student(model: nn.Module, folder: str | Path) -> None:
    """Write a model's shape and weights to a folder."""
    folder = Path(folder)
    if not isinstance(model, TinyGPT):
        with writing(folder):
            cast(Any, model).save_pretrained(folder)
        return
    write_atomically(folder / "config.json", json.dumps(asdict(model.config)) + "\n")
    path = folder / "model.safetensors"
    with writing(path), whole_or_not_at_all(path) as partial:
        save_model(model, str(partial))


@checked
def load_student(folder: str | Path) -> nn.Module:
    """The model in a folder that :func:`distill` wrote.

    Its weights may be in several files, as ``Accelerator.save_model`` writes a large model.

    Returns:
        A :class:`kdlab.TinyGPT` or a model of transformers, in float32 and in evaluation mode.

    Raises:
        FileNotFoundError: the folder holds no finished run.
        ValueError: the model is damaged, or the folder holds the weights of two models.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> save_student(TinyGPT("tiny-student"), folder)
    >>> load_student(folder).config.d_model
    64
    """
    folder = Path(folder)
    if not (folder / "config.json").exists():
        raise FileNotFoundError(
            f"{folder} holds no finished run"
            + ("; it has not ended yet" if (folder / "recipe.json").exists() else "")
        )
    config = read_record(folder / "config.json")
    files = _weights_in(folder)
    # A new model draws random weights, which are overwritten; the draws must leave no trace.
    with loading(str(folder)), kept_random_state():
        if "model_type" in config:  # of transformers
            from transformers import AutoModelForCausalLM

            theirs: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
            return cast(nn.Module, theirs.eval())
        odd = config.keys() - {item.name for item in fields(TinyGPTConfig)}
        if odd:
            raise ValueError(f"its config.json has {min(odd)!r}, which this kdlab does not know")
        model = TinyGPT(TinyGPTConfig(**config))
        found = [load_model(model, str(file), strict=False) for file in files]
        missing = set.intersection(*(set(lacking) for lacking, _ in found))
        missing |= {name for _, unknown in found for name in unknown}
        if missing:
            raise ValueError(f"its weights are not those of its config.json: {min(missing)} is one")
    return model.eval()


def _weights_in(folder: Path) -> list[Path]:
    """The file of a model's weights, or the shards that its index lists."""
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if not index.exists():
        return [whole]
    shards = [folder / name for name in sorted(set(read_record(index)["weight_map"].values()))]
    if not whole.exists():
        return shards
    if all(shard.exists() for shard in shards):
        raise ValueError(
            f"{folder} holds the weights of two models, {whole.name} and the shards of "
            f"{index.name}; remove the older one"
        )
    return [whole]


@checked
def save_tokenizer(tokenizer: Any, folder: str | Path) -> None:
    """Write a tokenizer, of the package transformers or tokenizers, to a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(tokenizer, "save_pretrained"):
        tokenizer.save_pretrained(folder)
    else:
        tokenizer.save(str(folder / "tokenizer.json"))


@checked
def load_tokenizer(folder: str | Path) -> Any:
    """The tokenizer in a folder that :func:`distill` wrote, as one of transformers.

    Raises:
        ValueError: the folder holds none, it is damaged, or transformers is not installed.
    """
    folder = Path(folder)
    if not (folder / "tokenizer.json").exists():
        raise ValueError(f"{folder} holds no tokenizer; runs of this version have one")
    try:
        from transformers import AutoTokenizer, PreTrainedTokenizerFast
    except ImportError:
        raise ValueError(
            "to read a tokenizer takes transformers: pip install 'kdlab[hf]'"
        ) from None
    make: Any = PreTrainedTokenizerFast
    with loading(f"the tokenizer of {folder}"):
        if "model_type" in read_record(folder / "config.json"):
            return AutoTokenizer.from_pretrained(folder)
        if (folder / "tokenizer_config.json").exists():
            return make.from_pretrained(folder)
        return make(tokenizer_file=str(folder / "tokenizer.json"), eos_token=END_OF_TEXT)
