"""The folder of a run of ``kdlab distill``: whether a run may use it, and what the run leaves."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kdlab.checkpoints import foreign_checkpoints, has_checkpoint
from kdlab.files import check_folder, write_atomically
from kdlab.recipes import Recipe, places_of, read_recipe
from kdlab.records import to_json


def write_recipe(out: Path, recipe: Recipe) -> None:
    """Write the recipe into the folder of its run, with absolute paths."""
    write_atomically(out / "recipe.json", to_json(asdict(recipe.absolute()), indent=2) + "\n")


def was_moved(before: Any, now: Any) -> bool:
    """Whether a file or folder of a recipe was moved, by its paths; a run checks its content."""
    if not (isinstance(before, str) and isinstance(now, str)):
        return False
    if before.startswith("hf:") != now.startswith("hf:"):
        return False
    whole, *parts = zip(places_of(before), places_of(now), strict=True)
    splits = {each.removeprefix("hf:").removeprefix(places_of(each)[-1]) for each in (before, now)}
    if len(splits) > 1:
        parts = []
    pairs = [(Path(gone), Path(there)) for gone, there in (whole, *parts)]
    return any(
        gone.name == there.name and gone.is_absolute() and there.exists() and not gone.exists()
        for gone, there in pairs
    )


def check_there(run: str | Path, recipe: Recipe) -> None:
    """Raise FileNotFoundError if what a run read is no longer where its recipe says."""
    for name in ("corpus" if recipe.data is None else "data", "teacher", "student"):
        places = places_of(getattr(recipe, name))
        if any(map(os.path.exists, places)) or not os.path.isabs(places[0]):
            continue
        raise FileNotFoundError(
            f"the {name} of the run in {run} was {places[0]}, which is not there; if it was moved, "
            f"write its new place into {Path(run) / 'recipe.json'}"
        )


FINISHED = (
    *("summary.json", "*config.json", "*.safetensors", "*.safetensors.index.json"),
    *("tokenizer.json", "chat_template.jinja", "special_tokens_map.json", "adapters/*"),
)
"""What a finished run leaves in its folder, besides ``recipe.json`` and ``metrics.jsonl``."""


def check_place(out: Path, recipe: Recipe) -> None:
    """Raise ValueError if a run here would overwrite its own sources, or files of no run."""
    check_folder(out)
    for whose, name in (("teacher", recipe.teacher), ("student", recipe.student)):
        place = os.path.expanduser(name.removeprefix("hf:"))
        if name.startswith("hf:") and out.exists() and Path(place).exists():
            place = os.path.dirname(place) or "." if place.endswith(".gguf") else place
            if os.path.samefile(out, place):
                raise ValueError(
                    f"the {whose} is read from {out}, and the run would write over it; give the "
                    "run a folder of its own"
                )
    others = foreign_checkpoints(out)
    if not (out / "recipe.json").exists():
        others += _matching(out, *FINISHED, "metrics.jsonl")
    elif not others:
        try:
            read_recipe(out)
        except ValueError as error:
            raise ValueError(
                f"{out / 'recipe.json'} is no recipe of this kdlab ({error}); give the run a "
                "folder of its own"
            ) from None
    if others:
        raise ValueError(
            f"{out} holds {others[0].name}, which is of no run of kdlab distill, and a new run "
            "would remove it; give the run a folder of its own"
        )


def check_unused(out: Path) -> None:
    """Raise ValueError if a new run in this folder would replace one that is done or can go on."""
    if (out / "summary.json").exists():
        what, goes_on = "a finished run", "gives its summary"
    elif has_checkpoint(out):
        what, goes_on = "a run that was stopped", "goes on with it"
    else:
        return
    raise ValueError(
        f"{out} holds {what}, which a new one would replace; --resume (resume=True) {goes_on}, and "
        "another --out keeps both"
    )


def _matching(out: Path, *patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in sorted(out.glob(pattern))]


def records_in(out: Path) -> dict[str, tuple[int, int]]:
    """A run's records in a folder, with time and size; if they change, another run has begun."""
    names = ("recipe.json", "metrics.jsonl", "summary.json", "checkpoint/progress.json")
    there = ((name, out / name) for name in names)
    return {n: (p.stat().st_mtime_ns, p.stat().st_size) for n, p in there if p.exists()}


def check_unchanged(out: Path, before: dict[str, tuple[int, int]]) -> None:
    """Raise ValueError if another run has begun in a folder since its records were ``before``."""
    if records_in(out) != before:
        raise ValueError(
            f"another run has begun in {out} while this one read its text and its teacher; give "
            "each run a folder of its own"
        )


def clear(out: Path, resume: bool) -> None:
    """Remove what a finished run left in a folder; without ``resume``, also recipe and metrics."""
    for path in _matching(out, *FINISHED, *(() if resume else ("recipe.json", "metrics.jsonl"))):
        path.unlink()
