"""Finds what other accounts of a machine cannot use of an environment; `deploy/close` runs it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("autograder", "kdlab", "nbgrader", "torch")  # that a student's notebook needs


def barred() -> str:
    """Why students cannot use this environment, in a sentence with the remedy; "" where they can.

    They need its Python, its packages and, if the variable KDLAB_CACHE is set, the cache of corpora
    and teachers that it names.
    """
    origins = [spec.origin for name in PACKAGES if (spec := find_spec(name)) and spec.origin]
    cache = list(filter(None, [os.environ.get("KDLAB_CACHE")]))
    folders = [sys.prefix, sys.base_prefix, *cache, *map(os.path.dirname, origins)]
    return closed([sys.executable, os.__file__, *origins, *cache], folders)


def closed(needed: Iterable[str], shared: Iterable[str]) -> str:
    """Says what is closed to other accounts; "" where nothing is.

    Args:
        needed: Files and folders that others must be able to read.
        shared: Folders that may be opened to others with all that they hold.
    """
    roots = [Path(folder).resolve() for folder in shared]
    ways: dict[Path, Path] = {}  # folders that others must enter, and for which file
    whole: dict[Path, Path] = {}  # folders to open with all that they hold, and for which file
    for name in needed:
        path = Path(name).absolute()
        for place in dict.fromkeys([path, path.resolve()]):
            for step in (*reversed(place.parents), place):
                if not _is_closed(step, 0o4 if step == place else 0o1):
                    continue
                inside = [root for root in roots if step.resolve().is_relative_to(root)]
                (whole if inside else ways).setdefault(min([*inside, step], key=_depth), place)
    if not ways | whole:
        return ""
    first = min(ways | whole, key=_depth)
    remedy = [f"chmod o+x {shlex.join(map(str, sorted(ways)))}"] if ways else []
    remedy += [f"chmod -R o+rX {shlex.join(map(str, sorted(whole)))}"] if whole else []
    return (
        f"Students may not be able to use this environment, because {first} is closed to others,"
        f" and it holds {(ways | whole)[first]}. Put the clone, and the Python that make runs with,"
        f" where they can read, such as below /opt, and not into a home; or open the way:"
        f" {'; '.join(remedy)}"
    )


def _depth(path: Path) -> int:
    return len(path.parts)


def _is_closed(path: Path, mode: int) -> bool:
    try:
        return not path.stat().st_mode & mode
    except OSError:  # what is not there is not closed
        return False


if __name__ == "__main__":
    if problem := barred():
        print(problem)
