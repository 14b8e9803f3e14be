"""Lab 4.3: a teacher in a file: how many tokens a position, and what becomes of the others.

Students learn from the teacher alone, so that a bias of the file has nothing to hide behind. Some
begin anew; some begin as copies of the teacher and have nothing to learn from it.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from kdlab import Ingredients, Recipe, Sweep, cache_teacher
from kdlab.files import write_atomically

BASE = Recipe(arm="kd", steps=150, eval_every=30, eval_blocks=64)
KS = (1, 4, 16, 64, 256)
STUDENTS = {"": {}, "a copy, ": {"student": "layers:1", "steps": 60}}


def file_of(k: int) -> str:
    """The store with k tokens a position."""
    return f"runs/experiments/teacher_file/k{k}.topk"


def k_of(file: str) -> int:
    """How many tokens a position has in a store, by its name."""
    return int(Path(file).stem.removeprefix("k"))


def write_files(sweep: Sweep) -> None:
    """Ask the teacher once for each k; note what a position takes, and how long asking took."""
    progress = sys.stderr.isatty()
    files = {recipe.teacher_file: recipe for recipe in sweep.arms.values() if recipe.teacher_file}
    for setting in {recipe.setting() for recipe in files.values()}:
        Ingredients.of(setting, progress=progress)  # trains the teacher, which is not a file's time
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as a run has
    for file, recipe in files.items():
        notes = Path(file).with_suffix(".json")
        if not notes.exists():
            Path(file).unlink(missing_ok=True)  # written anew, for its time
            started = time.perf_counter()
            asked = replace(recipe, teacher_file=None)
            store = cache_teacher(file, asked, k=k_of(file), progress=progress)
            seconds = time.perf_counter() - started
            found = {"bytes_per_token": store.bytes_per_position, "seconds_to_write": seconds}
            write_atomically(notes, json.dumps(found))
    torch.set_num_threads(threads)


def of_the_file(folder: Path, recipe: Recipe) -> dict[str, float]:
    """What was noted when a run's file was written; nothing where the teacher was asked live."""
    if recipe.teacher_file is None:
        return {}
    return json.loads(Path(recipe.teacher_file).with_suffix(".json").read_text())


SWEEP = Sweep(
    "teacher_file",
    {"asked live": BASE}
    | {
        f"{student}k = {k}, {'with' if tail else 'without'} the tail": replace(
            BASE, teacher_file=file_of(k), teacher_tail=tail, **changes
        )
        for student, changes in STUDENTS.items()
        for k in KS
        for tail in (True, False)
    },
    seeds=3,
    prepare=write_files,
    measure=of_the_file,
)
