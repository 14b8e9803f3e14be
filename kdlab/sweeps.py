"""Many runs that differ in one thing at a time, and what can be said of them.

One run shows what happened once. A :class:`Sweep` repeats each of its arms with several seeds. All
arms use the same seeds: those with the same student and data begin with the same weights and read
the same batches, and their *paired* differences are free of what a seed brings to both alike.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, is_dataclass, replace
from functools import lru_cache
from itertools import count
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from kdlab.arguments import checked
from kdlab.checkpoints import has_checkpoint
from kdlab.config import History
from kdlab.devices import machine
from kdlab.files import slug, write_atomically
from kdlab.ingredients import Ingredients
from kdlab.recipes import Recipe, read_recipe
from kdlab.records import to_json
from kdlab.runs import distill, versions
from kdlab.sweep_results import SweepResults, read_run

__all__ = ["Sweep"]

CURVE = ("step", "lm_loss", "kl_to_teacher")
FINAL = {  # and what a run's summary calls it
    "perplexity": "eval_perplexity",
    "kl_to_teacher": "eval_kl_to_teacher",
    "reverse_kl_to_teacher": "eval_reverse_kl_to_teacher",
    "agreement_top1": "agreement_top1",
    "calibration_error": "calibration_error",
}


@checked
@dataclass(frozen=True)
class Sweep:
    """Arms, each run with the same seeds.

    Args:
        name: of the sweep, and of its file of results.
        arms: what is run, by the name that tables and figures give it. The seed is replaced.
        seeds: how often each is run.
        prepare: called with the sweep before the first run, for what all of them need.
        measure: called with a run's folder and its recipe, the seed included; what it returns joins
            the results.
        then: arms that depend on the results of the first ones.
        run: what runs an arm: called with its specification, a seed and a folder, it returns
            ``{"final": {...}, "curve": {...}}``. By default an arm is a recipe, and is distilled.

    >>> Sweep("of λ", {"λ = 1": Recipe(), "λ = 4": Recipe(lam=4.0)}, seeds=3).size
    6
    """

    name: str
    arms: Mapping[str, Any]
    seeds: int = 3
    prepare: Callable[[Sweep], None] | None = None
    measure: Callable[[Path, Recipe], dict[str, float]] | None = None
    then: Callable[[SweepResults], Mapping[str, Any]] | None = None
    run: Callable[[Any, int, Path], dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, got {self.seeds}")
        for name, arm in self.arms.items() if self.run is None else ():
            if not isinstance(arm, Recipe):
                raise TypeError(
                    f"the arm {name!r} must be a Recipe, got {type(arm).__name__} {arm!r:.80}; "
                    "for anything else give run, a function that runs it"
                )

    @property
    def size(self) -> int:
        """Runs, those of ``then`` not counted."""
        return len(self.arms) * self.seeds

    def reduced(self, arms: Sequence[str], seeds: int = 1, **changes: Any) -> Sweep:
        """Some of the arms, with fewer seeds and smaller recipes."""
        chosen = {name: replace(self.arms[name], **changes) for name in arms}
        return replace(self, arms=chosen, seeds=seeds, then=None)

    @checked
    def results(
        self,
        folder: str | Path,
        *,
        jobs: int = 1,
        threads: int | None = None,
        progress: bool = False,
        command: str = "",
    ) -> SweepResults:
        """Run what is not done yet, and gather all of it.

        Args:
            folder: for the runs, a folder each; a run that is finished there is not run again, and
                one that was interrupted goes on from its checkpoint.
            jobs: runs at a time, each in a process of its own; 1 runs them in this process.
            threads: of each run; by default the machine's cores, shared out.
            progress: show a bar with an estimate of the end.
            command: the command that makes the results again; it is stored with them.

        Raises:
            ValueError: the names of two arms differ in neither letters nor digits; jobs is
                below 1; or jobs is above 1 and a function of the sweep was defined in a notebook's
                cell or at a prompt, from where no other process can import it.

        Warns:
            UserWarning: a run of another specification, or of a text that has changed since, was
                there; it is kept, under another name.
        """
        if jobs < 1:
            raise ValueError(f"jobs must be at least 1, got {jobs}")
        if jobs > 1 and not hasattr(sys.modules["__main__"], "__file__"):
            for name, value in vars(self).items():
                if getattr(value, "__module__", "") == "__main__":
                    raise ValueError(
                        f"other processes cannot import {name} of {self.name}, a function of a "
                        "notebook's cell or of a prompt: put it into a file, or take jobs=1"
                    )
        folder = Path(folder)
        if self.prepare is not None:
            self.prepare(self)
        threads = threads or max(1, (os.cpu_count() or 1) // jobs)
        arms = dict(self.arms)
        _check_names(arms)
        records = self._run(arms, folder, jobs, threads, progress)
        results = self._gather(arms, records, command)
        if self.then is not None:
            later = dict(self.then(results))
            _check_names([*arms, *later])
            records += self._run(later, folder, jobs, threads, progress)
            results = self._gather(arms | later, records, command)
        return results

    def _run(
        self, arms: Mapping[str, Any], folder: Path, jobs: int, threads: int, progress: bool
    ) -> list[dict[str, Any]]:
        texts = _make_what_is_shared(arms.values(), progress)
        made = {**machine(), "runs_at_a_time": jobs, "threads_per_run": threads}
        tasks = [(name, spec, seed) for seed in range(self.seeds) for name, spec in arms.items()]
        todo = [(self, *task, folder / f"{slug(task[0])}-{task[2]}", made, texts) for task in tasks]
        bar = tqdm(total=len(todo), unit="run", desc=self.name, disable=not progress)
        with bar:
            if jobs == 1:
                before = torch.get_num_threads()
                torch.set_num_threads(threads)
                try:
                    records = []
                    for task in todo:
                        records.append(_one(*task))
                        bar.update()
                finally:
                    torch.set_num_threads(before)
                    _ingredients.cache_clear()
                return records
            with ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (threads,)) as pool:
                futures = [pool.submit(_one, *task) for task in todo]
                try:
                    for future in as_completed(futures):
                        future.result()
                        bar.update()
                except BaseException:  # one failed, or Ctrl-C: what is not begun is not begun
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
                return [future.result() for future in futures]

    def _gather(
        self, arms: Mapping[str, Any], records: Sequence[dict[str, Any]], command: str
    ) -> SweepResults:
        made = ("machine", "versions")
        return SweepResults(
            name=self.name,
            command=command,
            **{name: _in_common([record[name] for record in records]) for name in made},
            arms={name: _as_plain(spec) for name, spec in arms.items()},
            runs=[{k: v for k, v in record.items() if k not in made} for record in records],
        )


def kept_ingredients(recipe: Recipe) -> Ingredients:
    """Its text and teacher, which a process keeps for the next run that has the same."""
    return _ingredients(recipe.setting())


@lru_cache(maxsize=2)
def _ingredients(setting: Recipe) -> Ingredients:
    return Ingredients.of(setting)


def _begin(threads: int) -> None:
    """In a new worker, which is not to outlive the process that began it, killed or not."""
    torch.set_num_threads(threads)
    parent = parent_process()
    assert parent is not None  # a worker has one

    def end_with_parent(sentinel: int) -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, args=(parent.sentinel,), daemon=True).start()


def _check_names(arms: Iterable[str]) -> None:
    """Each arm has a folder to itself, also where a file system takes upper case for lower."""
    folders: dict[str, str] = {}
    for arm in arms:
        folder = slug(arm).casefold()
        if folder in folders:
            raise ValueError(f"arms must differ in letters or digits: {folders[folder]!r}, {arm!r}")
        folders[folder] = arm


def _make_what_is_shared(specs: Iterable[Any], progress: bool) -> dict[Recipe, str]:
    """Trains the teachers that recipes name, if need be, and has them write their text.

    Returns:
        Of each setting, the fingerprint of its text as it is now.
    """
    recipes = [spec for spec in specs if isinstance(spec, Recipe)]
    texts = {}
    for recipe in {(r.setting(), r.teacher_texts): r for r in recipes}.values():
        ingredients = Ingredients.of(recipe, progress=progress)
        texts[recipe.setting()] = ingredients.text_sha256
        if recipe.teacher_texts is not None:
            ingredients.teacher_text(recipe)
    return texts


def _one(
    sweep: Sweep,
    arm: str,
    spec: Any,
    seed: int,
    folder: Path,
    machine: dict[str, Any],
    texts: Mapping[Recipe, str],
) -> dict[str, Any]:
    """A run; or, if it is done already with this specification and text, what was found."""
    path, identity = folder / "record.json", json.loads(to_json(_as_plain(spec)))
    text = texts[spec.setting()] if isinstance(spec, Recipe) else None
    if path.exists():
        done = read_run(json.loads(path.read_text(encoding="utf-8")))
        same = done.pop("spec") == identity and done.pop("text_sha256", text) == text
        if same and "machine" in done:
            return done | {"arm": arm}
        _set_aside(folder)
    if isinstance(spec, Recipe):
        spec = replace(spec, seed=seed)
        kept_ingredients(spec)  # what is kept is not the time of one run
    started = time.perf_counter()
    found = (sweep.run or _distilled)(spec, seed, folder)
    seconds = time.perf_counter() - started
    if sweep.measure is not None:
        found["final"] |= sweep.measure(folder, spec)
    record = {"arm": arm, "seed": seed, **found, "seconds": seconds}
    record |= {"machine": machine, "versions": versions()}
    write_atomically(path, to_json({**record, "spec": identity, "text_sha256": text}))
    return record


def _distilled(recipe: Recipe, seed: int, folder: Path) -> dict[str, Any]:
    if (folder / "recipe.json").exists():  # of a run that was cut off
        worth = has_checkpoint(folder) or (folder / "summary.json").exists()
        if not worth:
            shutil.rmtree(folder)
        elif read_recipe(folder).absolute() != recipe.absolute():
            _set_aside(folder)
    ingredients = kept_ingredients(recipe)
    summary = distill(folder, recipe, checkpoint_every=100, resume=True, ingredients=ingredients)
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    history = History.read(folder / "metrics.jsonl")
    final = {name: summary[key] for name, key in FINAL.items()}
    final["lm_loss"] = math.log(summary["eval_perplexity"])
    final["teacher_lm_loss"] = math.log(summary["teacher_perplexity"])
    final["tokens_per_second"] = statistics.median(history.column("tokens_per_second"))
    lams = {record["step"]: record["lam"] for record in history.train}
    curve = {name: history.column(name, of="eval") for name in CURVE}
    curve["lam"] = [lams[step] for step in curve["step"]]
    return {"final": final, "curve": curve}


def _set_aside(folder: Path) -> None:
    """Move what took its time, and is of another recipe, out of the way; nothing of it is lost."""
    names = (folder.with_name(f"{folder.name}.old-{n}") for n in count(1))
    kept = folder.rename(next(name for name in names if not name.exists()))
    warnings.warn(
        f"{folder} held a run of another specification or text, which is now in {kept.name} beside "
        "it",
        stacklevel=2,
    )


def _in_common(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of dictionaries with the same keys, one; where they differ, what each says."""
    values = {key: list(dict.fromkeys(each[key] for each in found)) for key in found[0]}
    return {k: v[0] if len(v) == 1 else " and ".join(map(str, v)) for k, v in values.items()}


def _as_plain(spec: Any) -> Any:
    """A recipe by the fields that are not as by default; anything else by what it is called."""
    if isinstance(spec, Recipe):
        default = Recipe()
        fields = asdict(spec).items()
        return {k: v for k, v in fields if v != getattr(default, k) and k != "seed"}
    if is_dataclass(spec) and not isinstance(spec, type):
        return asdict(spec)
    return getattr(spec, "__name__", spec)
