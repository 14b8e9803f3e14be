"""`python -m autograder new` and `selftest`: make and prove a set of one's own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from autograder.authoring.proof import Part, prove, quiet
from autograder.authoring.template import make
from autograder.commands.console import Json, console, say
from autograder.grading.execution.rehearsal import rehearse_checks
from autograder.grading.wording import counted, meant

Name = Annotated[str, typer.Argument(help="The set's name, such as ps7_mine.")]


def new(name: Name) -> None:
    """Make a set to begin with: notebook, checks, bank, and tests that run."""
    try:
        made = make(Path.cwd(), name)
    except (ValueError, FileExistsError) as error:
        say(str(error))
        raise typer.Exit(2) from None
    except OSError as error:
        say(f"Nothing was written: {error.strerror}.")
        raise typer.Exit(2) from None
    for path in made:
        console.print(str(path.relative_to(Path.cwd())), highlight=False, soft_wrap=True)
    console.print(f"Prove it: python -m autograder selftest {name}", highlight=False)


def selftest(
    name: Name,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of the random cases.")] = 3,
    as_json: Json = False,
) -> None:
    """Prove a set: right answers get everything, known mistakes their hint, the stub nothing.

    Its bank is judged with the engine's own code. The exit status is 1 when something fails.
    """
    sys.path.insert(0, os.getcwd())
    # Only a terminal shows it; FORCE_COLOR, which notebooks set, would put it into their output.
    terminal = Console(stderr=True, force_terminal=sys.stderr.isatty())
    with terminal.status(f"{name}: loading", spinner="line") as status:
        parts = _proved(name, seeds, as_json, lambda what: status.update(f"{name}: {what}"))
    if as_json:
        print(json.dumps([asdict(part) for part in parts], indent=1))
    if any(part.problems for part in parts):
        raise typer.Exit(1)


def _proved(name: str, seeds: int, silent: bool, at: Callable[[str], None]) -> list[Part]:
    path = Path("checks", f"{name}.py")
    with quiet():
        problem = rehearse_checks(path.absolute(), None, released=True) if path.is_file() else ""
    if problem:
        say(f"{name} cannot be tried: {problem}")
        raise typer.Exit(2)
    try:
        return prove(Path.cwd(), name, seeds, at, (lambda part: None) if silent else _show)
    except FileNotFoundError as error:
        near = meant(name, (path.name for path in Path("source").glob("*")))
        say(f"{name} cannot be tried: there is no {error.filename or error}.{near}")
        raise typer.Exit(2) from None
    except (ValueError, SyntaxError, AttributeError, ImportError) as error:
        say(f"{name} cannot be tried: {error}")
        raise typer.Exit(2) from None


def _show(part: Part) -> None:
    state = counted(len(part.problems), "problem") if part.problems else "sound"
    console.print(f"{part.name}: {part.tried} tried, {state}", highlight=False)
    for line in (*part.problems, *part.notes):
        mark = "✗" if line in part.problems else "·"
        console.print(f"  {mark} {line}", markup=False, highlight=False, soft_wrap=True)
