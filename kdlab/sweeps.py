"""Many runs that differ in one thing at a time, and what can be concluded from them.

One run shows what happened once. A :class:`Sweep` compares several *arms*, such as recipes with
different λ. It repeats each arm with several seeds, the same for all arms. Two arms with the same
student and data then begin with the same weights and read the same batches, and their *paired*
difference, seed by seed, is free of what a seed does to both alike.
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
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import lru_cache, partial
from hashlib import sha256
from itertools import count
from multiprocessing import connection, get_context, parent_process
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType
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
from kdlab.records import read_record, to_json
from kdlab.runs import distill, versions
from kdlab.sweep_results import SweepResults, read_run

__all__ = ["Sweep"]

CURVE = ("step", "lm_loss", "kl_to_teacher")
FINAL = {  # a measurement, and its name in a run's summary
    "perplexity": "eval_perplexity",
    "kl_to_teacher": "eval_kl_to_teacher",
    "reverse_kl_to_teacher": "eval_reverse_kl_to_teacher",
    "agreement_top1": "agreement_top1",
    "calibration_error": "calibration_error",
}


@checked
@dataclass(frozen=True)
class Sweep:
    """Arms to compare, such as recipes, each run with the same seeds.

    Args:
        name: the name of the sweep and of its results.
        arms: the arms, under the names that tables and figures show. Without ``run``, each arm is
            a recipe, whose seed is replaced.
        seeds: how many times each arm is run, at least 1; the seeds are 0, 1, 2, …
        prepare: called with the sweep before the first run, to make what all runs need.
        measure: called with a run's folder and its recipe, the seed included; the numbers that it
            returns join the run's measurements.
        then: called with the results of ``arms``, it returns further arms, which are run too; they
            may depend on these results.
        run: runs one arm: called with the arm's specification, a seed and a folder, it returns
            ``{"final": {...}, "curve": {...}}``. By default the arm's recipe is distilled.

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
        """The number of runs, without those of ``then``."""
        return len(self.arms) * self.seeds

    def reduced(self, arms: Sequence[str], seeds: int = 1, **changes: Any) -> Sweep:
        """A smaller sweep: only these arms, with ``changes`` to their recipes, without ``then``.

        Raises:
            TypeError: there are ``changes``, and an arm is neither a recipe nor another dataclass.
        """
        chosen = {name: self.arms[name] for name in arms}
        for name, arm in chosen.items() if changes else ():
            if not is_dataclass(arm) or isinstance(arm, type):
                raise TypeError(
                    f"the arm {name!r} is a {type(arm).__name__}, which has no fields to change"
                )
            chosen[name] = replace(arm, **changes)
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
        """Run what has not been run yet, and gather the results of all runs.

        Args:
            folder: holds a folder for each run. A run that is finished there is not run again; one
                that was interrupted goes on from its checkpoint.
            jobs: runs at a time, each in a process of its own; 1 runs them in this process.
            threads: PyTorch's threads in each run; None: the number of cores divided by ``jobs``.
            progress: show a bar with an estimate of the end.
            command: the command that makes the results again; it is stored with them.

        Raises:
            ValueError: there are no arms; two would share a folder, as ``a = 1`` and ``A: 1``
                would; jobs is below 1; or jobs is above 1 and a function of the sweep was defined
                in a notebook's cell or at a prompt, from where no other process can import it.
            TypeError: ``run`` or ``measure`` returned what no record can hold; what a run returned
                is then kept in its folder.

        Warns:
            UserWarning: a folder held a run of another specification, one that another function
                ran or measured, or one of a text that has changed since; that run is kept, under
                another name. Functions are told apart by their names and by the values that were
                bound to them, lambdas by their code, too.
        """
        if jobs < 1:
            raise ValueError(f"jobs must be at least 1, got {jobs}")
        if not self.arms:
            raise ValueError(f"{self.name} has no arms to run; give it at least one")
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
        functions = {"run": _name_of(self.run), "measure": _name_of(self.measure)}
        tasks = [(name, spec, seed) for seed in range(self.seeds) for name, spec in arms.items()]
        shared = made, texts, functions
        todo = [(self, *task, folder / f"{slug(task[0])}-{task[2]}", *shared) for task in tasks]
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
                except BaseException:  # a run failed, or Ctrl-C: begin no further run
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
    """A recipe's text and teacher, which the process keeps for the next run with the same ones."""
    return _ingredients(recipe.setting())


@lru_cache(maxsize=2)
def _ingredients(setting: Recipe) -> Ingredients:
    return Ingredients.of(setting)


def _begin(threads: int) -> None:
    """Set up a new worker: its threads, and its end with its parent, even if that is killed."""
    torch.set_num_threads(threads)
    parent = parent_process()
    assert parent is not None  # a worker always has one

    def end_with_parent(sentinel: int) -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, args=(parent.sentinel,), daemon=True).start()


def _check_names(arms: Iterable[str]) -> None:
    """Raise ValueError if two arms share a folder, also on a file system that ignores case."""
    folders: dict[str, str] = {}
    for arm in arms:
        folder = slug(arm).casefold()
        if folder in folders:
            raise ValueError(f"arms must differ in letters or digits: {folders[folder]!r}, {arm!r}")
        folders[folder] = arm


def _make_what_is_shared(specs: Iterable[Any], progress: bool) -> dict[Recipe, str]:
    """Train the teachers that recipes name, if need be, and let them write their texts.

    Returns:
        For each setting, the fingerprint of its text as it is now.
    """
    recipes = [spec for spec in specs if isinstance(spec, Recipe)]
    texts = {}
    kinds = {
        (r.setting(), r.teacher_texts, r.teacher_texts and r.prompt_tokens): r for r in recipes
    }
    for recipe in kinds.values():
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
    functions: Mapping[str, str | None],
) -> dict[str, Any]:
    """Do a run; return its record.

    If it was done already with this specification, these functions and this text, return the record
    of then. Records of earlier versions name no functions: any will do.
    """
    path, identity = folder / "record.json", json.loads(to_json(_as_plain(spec)))
    text = texts[spec.setting()] if isinstance(spec, Recipe) else None
    functions = {**functions, "spec": _name_of(spec if callable(spec) else None)}
    if path.exists():
        done = read_run(json.loads(path.read_text(encoding="utf-8")))
        same = done.pop("spec") == identity and done.pop("text_sha256", text) == text
        same = done.pop("functions", functions) == functions and same
        if same and "machine" in done:
            return done | {"arm": arm}
        _set_aside(folder)
    if isinstance(spec, Recipe):
        spec = replace(spec, seed=seed)
        kept_ingredients(spec)  # not in the time of one run, as others use them too
    started = time.perf_counter()
    found = (sweep.run or _distilled)(spec, seed, folder)
    seconds = time.perf_counter() - started
    returned = [found]
    if sweep.measure is not None:
        returned.append(sweep.measure(folder, spec))
    record = {"arm": arm, "seed": seed, **_merged(returned, arm, seed, folder), "seconds": seconds}
    record |= {"machine": machine, "versions": versions()}
    kept = {"spec": identity, "text_sha256": text, "functions": functions}
    write_atomically(path, to_json(record | kept))
    return record


def _merged(returned: list[Any], arm: str, seed: int, folder: Path) -> dict[str, Any]:
    """What ``run`` returned, plain, with what ``measure`` returned, if it was called.

    Raises:
        TypeError: no record can hold it; ``returned.txt`` in the run's folder then does.
    """
    try:
        found, *measured = _plain(returned)
        found = {**found}
        found["final"] = {**found.get("final", {})}
        for more in measured:
            found["final"] |= more
        to_json(found)
    except (KeyError, TypeError, ValueError) as error:
        path = folder / "returned.txt"
        write_atomically(path, "\n".join(map(repr, returned)))
        raise TypeError(
            f"the run of {arm!r} with seed {seed} returned what no record can hold "
            f'({type(error).__name__}: {error}); return {{"final": {{...}}, "curve": {{...}}}} '
            f"of numbers, texts and lists of them. What it returned is kept in {path}"
        ) from error
    return found


def _plain(value: Any) -> Any:
    """A value with the numbers, arrays and tensors in it as Python's numbers and lists."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value


PLAIN = (bool, int, float, complex, str, bytes, range, PurePath, Enum, torch.dtype, torch.device)
WRITABLE = (list, dict, set)


def _name_of(function: Any) -> str | None:
    """The name of a function, within its module; of another callable, that of its class.

    A hash follows it where several may have this name: of what ``partial`` binds, of the fields of
    a dataclass, of what a function keeps of the one around it, and of the code of a lambda. Lists,
    dicts and sets that a run may write to are left out of fields and of what a function keeps.
    """
    return None if function is None else _told(function)


def _told(value: Any, within: tuple[Any, ...] = ()) -> str:
    """A value in words, the same in every process; ``within`` are the values that it is part of."""
    if value is None or isinstance(value, PLAIN):
        return repr(value)
    if any(value is each for each in within):  # such as a function that calls itself
        return "..."
    within = (*within, value)
    if isinstance(value, Mapping):
        value = list(value.items())
    if isinstance(value, list | tuple | set | frozenset):
        parts = [_told(part, within) for part in value]
        return str(parts if isinstance(value, list | tuple) else sorted(parts))
    if isinstance(value, CodeType):
        return _told([value.co_code, value.co_names, value.co_consts], within)
    if isinstance(value, partial):
        name, held = _told(value.func, within), [*value.args, *sorted(value.keywords.items())]
    else:
        named = value if hasattr(value, "__qualname__") else type(value)
        # Without its module, which is called otherwise where it is run as a program.
        name, held = str(named.__qualname__), _held(value)
    return f"{name} {sha256(_told(held, within).encode()).hexdigest()[:16]}" if held else name


def _held(value: Any) -> list[Any]:
    """What tells an object from others of its name, as far as that is known."""
    if isinstance(value, type):
        return []
    if hasattr(value, "tolist"):
        with suppress(NotImplementedError, RuntimeError):  # such as a tensor without memory
            return [str(value.tolist())]
        return []
    if is_dataclass(value):
        pairs = [(item.name, getattr(value, item.name, None)) for item in fields(value)]
        return [pair for pair in pairs if not isinstance(pair[1], WRITABLE)]
    if isinstance(value, MethodType):
        return _held(value.__self__)
    if not isinstance(value, FunctionType) or "<" not in value.__qualname__:
        return []
    around = []
    for cell in value.__closure__ or ():
        with suppress(ValueError):  # it has no value yet
            if not isinstance(cell.cell_contents, WRITABLE):
                around.append(cell.cell_contents)
    held = [around, value.__defaults__, value.__kwdefaults__]
    return [value.__code__, *held] if value.__name__ == "<lambda>" else held


def _distilled(recipe: Recipe, seed: int, folder: Path) -> dict[str, Any]:
    ingredients = kept_ingredients(recipe)
    if (folder / "recipe.json").exists():  # of a run that was cut off
        worth = has_checkpoint(folder) or (folder / "summary.json").exists()
        if not worth:
            shutil.rmtree(folder)
        else:
            # A run that was begun before there was text.json has its text in its summary alone.
            names = (n for n in ("text.json", "summary.json") if (folder / n).exists())
            text = next((read_record(folder / n).get("text_sha256") for n in names), None)
            same = read_recipe(folder).absolute() == recipe.absolute()
            if not (same and text in (None, ingredients.text_sha256)):
                _set_aside(folder)
    write_atomically(folder / "text.json", to_json({"text_sha256": ingredients.text_sha256}))
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
    """Rename the folder of a run of something else; nothing of it is lost."""
    names = (folder.with_name(f"{folder.name}.old-{n}") for n in count(1))
    kept = folder.rename(next(name for name in names if not name.exists()))
    warnings.warn(
        f"{folder} held a run of another specification or text, or of other functions, which is "
        f"now in {kept.name} beside it",
        stacklevel=2,
    )


def _in_common(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Merge dictionaries; values that differ are joined by ``and``, one that lacks is ``none``."""
    merged = {}
    for key in dict.fromkeys(key for each in found for key in each):
        values = list(dict.fromkeys(each.get(key) for each in found))
        known = [value for value in values if value is not None]
        names = [*map(str, known), *(["none"] if len(known) < len(values) else [])]
        merged[key] = values[0] if len(values) == 1 else " and ".join(names)
    return merged


def _as_plain(spec: Any) -> Any:
    """What is recorded of an arm's specification.

    A recipe: its fields that differ from the default, without the seed; another dataclass: all its
    fields; anything else: its name, or itself if it has none.
    """
    if isinstance(spec, Recipe):
        default = Recipe()
        fields = asdict(spec).items()
        return {k: v for k, v in fields if v != getattr(default, k) and k != "seed"}
    if is_dataclass(spec) and not isinstance(spec, type):
        return asdict(spec)
    return getattr(spec, "__name__", spec)
