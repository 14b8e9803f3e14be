"""Pretrained models and their tokenizers, from the Hugging Face hub, a folder or a GGUF file."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn as nn
from safetensors import SafetensorError
from tokenizers import Tokenizer, pre_tokenizers

from kdlab.tokens import encoded

PLACE = {"revision", "code_revision", "subfolder", "token", "proxies", "cache_dir"}
PLACE |= {"local_files_only", "force_download", "trust_remote_code"}
"""Options that say where a model is and how to get it, and so its tokenizer, too."""


def load_both(
    name: str,
    vocab_size: int | None = None,
    *,
    dtype: str = "float32",
    options: Mapping[str, Any] | None = None,
) -> tuple[nn.Module, Any]:
    """A causal language model with its tokenizer of transformers.

    Args:
        name: a name on the hub, a folder, or a GGUF file.
        vocab_size: how many tokens to keep, from the first on; None: all.
        dtype: the dtype of the weights, by its name in torch.
        options: for transformers' ``from_pretrained``: ``{"device_map": "auto"}`` distributes a
            model over devices, ``{"quantization_config": {...}}`` quantises it. Those in ``PLACE``,
            such as ``revision``, are the tokenizer's, too.

    Raises:
        ValueError: transformers is not installed, or refuses an option; an option sets the dtype;
            model or tokenizer cannot be loaded; weights are missing; or the vocabulary cannot be
            cut to ``vocab_size``.
    """
    if os.path.exists(os.path.expanduser(name)):
        name = os.path.abspath(os.path.expanduser(name))  # adapters save the path of their model
    place = {each: value for each, value in (options or {}).items() if each in PLACE}
    tokenizer = tokenizer_of(name, **place)
    from transformers import AutoModelForCausalLM

    folder, where = _place(name)
    told = {} if where else {"output_loading_info": True}
    more = (unpacked() if where else {}) | dict(options or {})
    if twice := more.keys() & {"dtype", "torch_dtype"}:
        raise ValueError(
            f"{min(twice)} is no option for from_pretrained here: it is dtype of a recipe, and "
            "--dtype of kdlab distill"
        )
    try:
        with loading(name):
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=getattr(torch, dtype), **where, **told, **more
            )
    except (TypeError, ImportError, AttributeError, AssertionError, LookupError) as error:
        if not options:
            raise
        raise ValueError(f"{name} cannot be loaded with the options {more}: {error}") from error
    if told:
        model, found = model
        if missing := sorted(found["missing_keys"]):
            raise ValueError(
                f"{name} lacks {len(missing)} weights of {type(model).__name__}, {missing[0]} for "
                "one, which would be drawn at random; save the model as what it is used for"
            )
    if vocab_size is not None:
        if vocab_size > entries_of(model):
            raise ValueError(
                f"vocab_size {vocab_size} is more than the {entries_of(model)} entries of {name}"
            )
        tokenizer = _shortened(tokenizer, vocab_size)
        model.resize_token_embeddings(vocab_size)  # its softmax is then over these alone
    return model.eval(), tokenizer


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Turn an error of loading into a ValueError of one sentence that names what was loaded."""
    try:
        yield
    except Exception as error:
        ours = isinstance(error, ImportError | SafetensorError | ValueError | RuntimeError)
        if not (ours or type(error) is Exception):  # the package tokenizers raises plain Exception
            raise
        first, _, rest = str(error).strip().partition("\n")
        if first.endswith(":"):  # a heading: the first misfit weight follows
            first += f" {rest.strip().partition(chr(10))[0]:.200}"
        raise ValueError(f"{name} cannot be loaded: {first}") from error


def _place(name: str) -> tuple[str, dict[str, Any]]:
    """A model's name or folder for transformers, and the option that names a GGUF file in it."""
    if not name.endswith(".gguf"):
        return name, {}
    folder, file = os.path.split(name)
    return folder or ".", {"gguf_file": file}


def tokenizer_of(name: str, vocab_size: int | None = None, **options: Any) -> Any:
    """A model's tokenizer from transformers, with all tokens or the first ``vocab_size``.

    The ``options`` are for ``from_pretrained``.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise ValueError("Hugging Face models need transformers: pip install 'kdlab[hf]'") from None
    folder, where = _place(os.path.expanduser(name))
    names = ("tokenizer*", "vocab*", "*.model", "*.tiktoken", "tekken*")
    inner = os.path.join(folder, options.get("subfolder") or "").rstrip("/")
    if not where and os.path.isdir(folder):
        places = Path(inner), Path(folder)
        if not any(any(place.glob(each)) for place in places for each in names):
            raise ValueError(
                f"{inner} holds no tokenizer; tokenizer.save_pretrained({inner!r}) writes the one "
                "that the model was trained with"
            )
    with loading(f"the tokenizer of {name}"):
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder, **where, **options)
        except (OSError, ValueError):
            if not options.pop("subfolder", None):
                raise
            tokenizer = AutoTokenizer.from_pretrained(folder, **where, **options)  # once for all
    return tokenizer if vocab_size is None else _shortened(tokenizer, vocab_size)


def _shortened(tokenizer: Any, vocab_size: int) -> Any:
    from transformers import PreTrainedTokenizerFast

    make: Any = PreTrainedTokenizerFast
    whole = getattr(tokenizer, "backend_tokenizer", None)
    if whole is None:
        kind = type(tokenizer).__name__
        raise ValueError(f"vocab_size needs a BPE tokenizer; this one is {kind}")
    backend = shortened(whole, vocab_size)
    fewer = make(tokenizer_object=backend, **tokenizer.special_tokens_map)
    fewer.chat_template = tokenizer.chat_template
    return fewer


def check_same_tokens(student: Any, teacher: Any, texts: list[str]) -> None:
    """Raise ValueError if two tokenizers of transformers differ in a token or in its id.

    If all tokens and ids agree, but one of the texts is divided differently, a warning is given.
    """
    ours, theirs = student.get_vocab(), teacher.get_vocab()
    odd = sorted(token for token in ours | theirs if ours.get(token) != theirs.get(token))
    if odd:
        raise ValueError(
            f"the student's tokenizer and the teacher's differ in {len(odd)} tokens, {odd[0]!r} "
            "for one: a student learns from a teacher over the same vocabulary. Take two models of "
            "one family"
        )
    divided = zip(texts, encoded(student, texts), encoded(teacher, texts), strict=True)
    other = next((text for text, one, another in divided if one != another), None)
    if other is not None:
        warnings.warn(
            "the student's tokenizer and the teacher's have the same tokens, and divide text into "
            f"others of them, {other!r:.60} for one: one of the two models reads text as it never "
            "saw it in its own training",
            stacklevel=4,
        )


def entries_of(model: nn.Module) -> int:
    """Entries of a model's vocabulary, including those that belong to no token."""
    config: Any = model.config
    entries: int = getattr(config, "get_text_config", lambda: config)().vocab_size
    return entries


def with_less_memory(model: nn.Module) -> None:
    """Switch on gradient checkpointing: activations are recomputed in the backward pass, not kept.

    Raises:
        ValueError: the model does not support it.
    """
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise ValueError(f"{type(model).__name__} has no gradient checkpointing; leave it out")
    ours: Any = model
    options = {"use_reentrant": False}
    if hasattr(ours, "activation_checkpointing_enable"):  # its name from 5.23 on
        ours.activation_checkpointing_enable(options)
    else:
        ours.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)
    ours.enable_input_require_grads()


def unpacked() -> dict[str, Any]:
    """Options that load a GGUF file as plain weights, which can be trained, copied and saved."""
    import transformers

    if hasattr(transformers, "GgufConfig"):
        return {"quantization_config": transformers.GgufConfig(dequantize=True)}
    return {}  # older versions always load plain weights


def shortened(tokenizer: Tokenizer, vocab_size: int) -> Tokenizer:
    """A byte-level BPE tokenizer cut to its first ``vocab_size`` tokens, with the same ids.

    Merges are learned one after the other, so those that make the first tokens need no later token.
    Any text can still be encoded, in as many tokens as before or more.

    Raises:
        ValueError: the tokenizer is not BPE, or a byte or a special token would be lost.
    """
    state = json.loads(tokenizer.to_str())
    model = state["model"]
    if model["type"] != "BPE":
        raise ValueError(f"vocab_size needs a BPE tokenizer; this one is {model['type']}")
    kept = {token: i for token, i in model["vocab"].items() if i < vocab_size}
    needed = set(pre_tokenizers.ByteLevel.alphabet()) & set(model["vocab"])
    lost = needed - set(kept) or {x["content"] for x in state["added_tokens"]} - set(kept)
    if lost:
        raise ValueError(f"vocab_size {vocab_size} leaves out {len(lost)} bytes or special tokens")
    model["vocab"] = kept
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    model["merges"] = [merge for merge in merges if {*merge, "".join(merge)} <= set(kept)]
    return Tokenizer.from_str(json.dumps(state))
