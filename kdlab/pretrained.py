"""Pretrained models: from the Hugging Face hub, a folder or a GGUF, and their tokenizers."""

from __future__ import annotations

import json
import os
from typing import Any

import torch
import torch.nn as nn
from tokenizers import Tokenizer, pre_tokenizers

__all__ = ["load_pretrained", "shortened", "unpacked"]


def load_pretrained(name: str, vocab_size: int | None) -> tuple[nn.Module, Tokenizer, str]:
    """A causal language model with its tokenizer and its end-of-text token."""
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise ValueError("Hugging Face models need transformers: pip install kdlab[hf]") from None
    options, unpack = {}, {}
    if name.endswith(".gguf"):
        name, options["gguf_file"] = os.path.split(name)
        unpack = unpacked()
    tokenizer = AutoTokenizer.from_pretrained(name or ".", **options)
    model: Any = AutoModelForCausalLM.from_pretrained(
        name or ".", dtype=torch.float32, **options, **unpack
    )
    backend = tokenizer.backend_tokenizer
    if vocab_size is not None:
        backend = shortened(backend, vocab_size)
        model.resize_token_embeddings(vocab_size)  # the rest of its distribution is renormalised
    return model.eval(), backend, tokenizer.eos_token


def unpacked() -> dict[str, Any]:
    """Options that give a GGUF's model plain weights, which can be trained, copied and saved."""
    import transformers

    if hasattr(transformers, "GgufConfig"):
        return {"quantization_config": transformers.GgufConfig(dequantize=True)}
    return {}  # before there was a choice, they were plain


def shortened(tokenizer: Tokenizer, vocab_size: int) -> Tokenizer:
    """A byte-level BPE tokenizer with the first tokens of another's vocabulary, ids unchanged.

    Merges were learned one after the other: those that make the first tokens need no later one. Any
    text can still be written, in more tokens than before.

    Raises:
        ValueError: the tokenizer is no BPE, or a byte or a special token would be lost.
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
