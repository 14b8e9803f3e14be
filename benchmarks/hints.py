"""How a class fares: the confusion table of answers written as students would.

    python benchmarks/hints.py                      # the class of tests/exercises/class
    python benchmarks/hints.py --folder tests/exercises/class/slow   # what trains for seconds
    python benchmarks/hints.py --folder elsewhere   # another class in the same form
    python benchmarks/hints.py --set ps1 --all      # one set, and each answer with what it is told

Right answers must get their points and wrong ones must not. Of the wrong ones the table counts
those that are told what is wrong, those of which something certain is observed, those that are told
something else, and those that are told nothing but the cases that fail.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "exercises")]

import classroom  # noqa: E402


def main() -> None:
    """Judges the class and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=classroom.FOLDER)
    parser.add_argument("--set", default="", help="only sets whose name begins so")
    parser.add_argument("--task", default="", help="only this task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="print each answer that is not right")
    options = parser.parse_args()
    classroom.FOLDER = options.folder
    columns = ("answers", "right", "wrong", *classroom.KINDS, "of the wrong named")
    rows = Table("set", *columns, title="A class in a file")
    total: Counter[str] = Counter()
    for assignment in classroom.assignments():
        if not assignment.startswith(options.set):
            continue
        results = []
        for answer in classroom.answers(assignment):
            if answer.right == "accident" or options.task not in ("", answer.task):
                continue
            results.append(classroom.judged(answer, options.seed))
            if options.all and results[-1].kind not in ("right",):
                describe(results[-1])
        counts = classroom.table(results)
        counts["yes"] = sum(result.answer.right == "yes" for result in results)
        counts["no"] = len(results) - counts["yes"]
        rows.add_row(assignment, *cells(counts))
        total += counts
    rows.add_row("all", *cells(total), style="bold")
    Console().print(rows)


def cells(counts: Counter[str]) -> list[str]:
    """A row of the table."""
    named = counts["named rightly"] / max(counts["no"], 1)
    numbers = [counts["yes"] + counts["no"], counts["yes"], counts["no"]]
    numbers += [counts[kind] for kind in classroom.KINDS]
    return [*map(str, numbers), f"{named:.0%}"]


def describe(result: classroom.Judged) -> None:
    """Prints an answer's mistake and what it was told."""
    answer, graded = result.answer, result.graded
    told = ", ".join(sorted(result.told)) or "nothing"
    print(f"{answer.assignment[:3]}:{answer.line} {answer.task}: {result.kind}")
    print(f"    mistake: {answer.mistake}")
    print(f"    told: {told} ({graded.points:g} of {graded.max_points:g}; {graded.message})")


if __name__ == "__main__":
    main()
