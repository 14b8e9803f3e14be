"""The recorded experiments of the labs: every run again that is not there, and their files.

    python -m benchmarks.experiments                 all of them; a bar says how long
    python -m benchmarks.experiments laptop          one
    python -m benchmarks.experiments --jobs 8        more at a time, one thread each
    python -m benchmarks.experiments pretrained_gpu  on a GPU, one run at a time; not one of all

Runs are kept in runs/experiments; what is finished there is not run again, and an interrupted run
goes on. The files that the pages read are written to book/labs/results.
"""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = (
    *("two_sources", "lambda_in_motion"),
    *("laptop", "weak_teacher", "teacher_file", "own_words", "pretrained", "bug_clinic"),
    *("assistant", "assistant_pretrained"),
)
ON_A_GPU = "pretrained_gpu"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    options = parser.parse_args()
    for name in options.names:
        if name not in (*NAMES, ON_A_GPU):
            parser.error(f"there is no experiment {name!r}; known: {', '.join(NAMES)}, {ON_A_GPU}")
    os.chdir(ROOT)  # recipes name their files from here
    for name in options.names or NAMES:
        sweep = importlib.import_module(f"benchmarks.experiments.{name}").SWEEP
        results = sweep.results(
            Path("runs", "experiments", name),
            jobs=1 if name == ON_A_GPU else options.jobs,
            progress=True,
            command=f"make experiments EXPERIMENT={name}",
        )
        path = Path("book", "labs", "results", f"{name}.json")
        results.write(path)
        print(f"{len(results.runs)} runs, {path}")


if __name__ == "__main__":
    main()
