"""A student made of some of its teacher's layers."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from typing import Any

import torch
import torch.nn as nn

from kdlab.arguments import checked
from kdlab.heads import unchanged
from kdlab.models import TinyGPTConfig, is_adapted, logits_of

__all__ = ["every_nth_layer"]


@checked
def every_nth_layer(model: nn.Module, n: int) -> nn.Module:
    """A smaller model of the same kind, from every nth layer of a model: layers n, 2n and so on.

    Embeddings, the final norm and the head are copied whole, and so is what a model has for images.
    At first such a student may predict worse than a student with random weights; within a few steps
    it can become the better of the two.

    In some architectures, what a layer computes depends on its index or on the number of layers.
    MiniCPM3, for example, scales what each layer adds by a factor that depends on the number of
    layers. A warning then names an attribute of a layer whose value changed.

    Args:
        model: a :class:`TinyGPT`, or a Hugging Face causal language model whose layers are in one
            list, as in nearly all of them.
        n: at least 1; at most the number of layers.

    Returns:
        A new model, which shares nothing with the old one; its weights are in the same dtypes.
        Train one in half precision as ``every_nth_layer(model, n).float()``.

    Raises:
        ValueError: n is out of range; the model's layers are not found; the model has adapters,
            weights that are not in memory, or weights that a new model of its class lacks; or a
            model of these layers alone does not run.

    Source: a student from alternate layers of its teacher, Sanh et al. 2019 (arXiv 1910.01108).

    >>> from kdlab import TinyGPT
    >>> every_nth_layer(TinyGPT("tiny-teacher"), 2).config.n_layer
    2
    """
    if any(map(is_adapted, model.modules())) or hasattr(model, "get_base_model"):
        raise ValueError("adapters belong to their layers; take those of model.merge_and_unload()")
    path, layers = _layers(model)
    total, kind = len(layers), type(model).__name__
    if any(weight.is_meta for weight in model.parameters()):
        raise ValueError(f"not all weights of {kind} are in memory; load it without a device_map")
    if not 1 <= n <= total:
        raise ValueError(f"{kind} shows {total} layers; with n={n}, none of them is kept")
    kept = {i: new for new, i in enumerate(range(n - 1, total, n))}
    config: Any = copy.deepcopy(model.config)
    if isinstance(config, TinyGPTConfig):
        config = replace(config, n_layer=len(kept))
    else:
        text = _of_text(config)
        for name, value in vars(text).items():  # one entry per layer, such as its type
            if "layer" in name and isinstance(value, list) and len(value) == total:
                setattr(text, name, [value[i] for i in kept])
        text.num_hidden_layers = len(kept)
    smaller = {}
    for name, tensor in model.state_dict().items():
        inside = name.startswith(f"{path}.")
        number, _, rest = name.removeprefix(f"{path}.").partition(".")
        if not inside:
            smaller[name] = tensor
        elif int(number) in kept:
            smaller[f"{path}.{kept[int(number)]}.{rest}"] = tensor
    student = type(model)(config)
    _check_weights(student, smaller, f"each {n}th of these {total}")
    for name, weight in (*student.named_parameters(), *student.named_buffers()):
        if name in smaller:
            weight.data = weight.data.to(smaller[name].dtype)
    student.load_state_dict(smaller)
    if hasattr(model, "generation_config"):  # where a chat model keeps the ends of its turns
        student.generation_config = copy.deepcopy(model.generation_config)
    if told := _told_by_place(layers, student.get_submodule(path), kept):
        warnings.warn(
            f"a layer of {kind} reckons with its place: {told}. The student is not its teacher "
            "with the other layers taken out",
            stacklevel=3,
        )
    _check_asked(student)
    return student


def _layers(model: nn.Module) -> tuple[str, nn.ModuleList | tuple[()]]:
    """The path and the list of a model's layers, as many as its configuration says; or nothing."""
    config = _of_text(getattr(model, "config", None))
    find: Any = getattr(model, "get_decoder", None)
    decoder = model if find is None else find()
    number = getattr(config, "n_layer", None) or getattr(config, "num_hidden_layers", None)
    of_text = set(decoder.modules())  # the part for images may have as many layers
    for path, part in model.named_modules():
        if isinstance(part, nn.ModuleList) and len(part) == number and part in of_text:
            return path, part
    return "", ()


def _of_text(config: Any) -> Any:
    """The part of a configuration that is about text: all of it, unless the model reads images."""
    find = getattr(config, "get_text_config", None)
    return config if find is None else find(decoder=True)


def _check_weights(student: nn.Module, smaller: dict[str, Any], layers: str) -> None:
    """Raise ValueError if weights differ in name or shape from those of a new model."""
    ours = {name: tensor.shape for name, tensor in student.state_dict().items()}
    theirs = {name: tensor.shape for name, tensor in smaller.items()}
    if other := sorted({name for name, _ in ours.items() ^ theirs.items()}):
        raise ValueError(
            f"a new {type(student).__name__} has other weights than {layers} layers, {other[0]} "
            "for one: its configuration tells layers apart by their numbers, or the model was "
            "changed, by something such as weight_norm. Make the student yourself"
        )


def _told_by_place(layers: Any, new: Any, kept: dict[int, int]) -> str:
    """In words, a number in a kept layer, not its index, that differs in the new model, if any."""
    for i, j in kept.items():
        for (name, part), ours in zip(layers[i].named_modules(), new[j].modules(), strict=False):
            for attribute, value in vars(part).items():
                other = vars(ours).get(attribute)
                number = type(value) is type(other) and type(value) in (int, float)
                if number and value != other and value - other != i - j:  # not its index
                    where = f"{name}.{attribute}".strip(".")
                    return f"{where} of layer {i} is {value:.6g}, and {other:.6g} as layer {j}"
    return ""


@torch.no_grad()
def _check_asked(student: nn.Module) -> None:
    """Raise ValueError if a forward pass fails, as it may in a model of recurrent layers alone."""
    device = next(student.parameters()).device
    try:
        with unchanged(student):
            logits_of(student.eval(), torch.zeros(1, 1, dtype=torch.long, device=device))
    except Exception as error:  # a model may raise anything
        raise ValueError(
            f"a {type(student).__name__} of these layers alone cannot be asked: {error}"
        ) from error
