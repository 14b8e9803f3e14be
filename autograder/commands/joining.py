"""`python -m autograder exchange`, for the instructor, and `join`, for students.

`exchange` makes the exchange's folder and writes its path into the course's settings. `join` writes
configuration files on a student's machine, where Jupyter looks for them. nbgrader's has the
course's id and its exchange. The server's makes new files readable by their owner alone. Together
with JupyterLab's, it removes from the menus what only instructors use. With `--into /etc/jupyter`,
the files hold for everyone on the machine.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from jupyter_core.paths import jupyter_config_dir

from autograder.commands.console import say, tell, typed
from autograder.grading.permissions import barred
from autograder.grading.writing import replace
from autograder.settings import SETTINGS, load_settings

OPEN = 0o1777  # all may hand in; nobody may remove what others handed in
OURS = "# Written by `python -m autograder join`; run it again to change it."
NOT_FOR_STUDENTS = (  # extensions of JupyterLab
    "@jupyter/nbgrader:course-list",
    "@jupyter/nbgrader:create-assignment",
    "@jupyter/nbgrader:formgrader",
    "@jupyterlab/apputils-extension:announcements",
)
NBGRADER = """{ours}
c = get_config()  # noqa: F821
c.CourseDirectory.course_id = {course!r}
c.Exchange.root = {exchange!r}
c.ExchangeFactory.fetch_assignment = "autograder.grading.exchange.Fetch"
c.ExchangeFactory.submit = "autograder.grading.exchange.Submit"
"""
SERVER = """{ours}
import os

os.umask(0o077)  # what students write, others cannot read
c = get_config()  # noqa: F821
c.ServerApp.jpserver_extensions = {{
    "nbgrader.server_extensions.formgrader": False,
    "nbgrader.server_extensions.course_list": False,
    "nbgrader.server_extensions.assignment_list": False,
    "autograder.grading.assignment_list": True,  # the same, with sentences for tracebacks
}}
"""
NEEDED = ("kdlab", "torch", "nbgrader", "jupyterlab", "ipykernel")


def exchange(
    folder: Annotated[Path, typer.Argument(help="Where it is to be, for instructor and students.")],
) -> None:
    """Make the exchange, write its path into course.toml, and say what students type."""
    path = typed(folder).resolve()
    try:
        course = load_settings(Path.cwd()).id  # first, to report other faults in the settings
        open_to_all(path)
        remember(Path.cwd() / SETTINGS, path)
    except (OSError, ValueError) as error:
        say(str(error))
        raise typer.Exit(2) from None
    if closed := [str(parent) for parent in path.parents if not parent.stat().st_mode & 0o001]:
        say(
            "Students may not be able to reach it, because a folder on the way is closed to others."
            f" Name another place, or open the way: chmod o+x {shlex.join(closed)}"
        )
    if problem := barred():
        say(problem)
    has_others = bool(set(courses(path)) - {course})  # such as an earlier term's
    tell(
        f"The exchange is {path}, and {SETTINGS} says so. Students type, once, in this environment"
        f" or one like it:\n    python -m autograder join {shlex.quote(str(path))}"
        + (f" --course {course}" if has_others else "")
    )
    if (there := os.environ.get("KDLAB_EXCHANGE")) and Path(there).resolve() != path:
        say(f"KDLAB_EXCHANGE is {there} here and goes before it. Type: unset KDLAB_EXCHANGE")
        raise typer.Exit(1)


def open_to_all(path: Path) -> None:
    """Makes a folder in which everyone may write; a folder that exists gets the permissions.

    Raises:
        ValueError: When that is not possible; the message may say what to type.
    """
    as_root = f"sudo install -d -m {OPEN:o} -o $USER {shlex.quote(str(path))}"
    try:
        path.mkdir(exist_ok=True)
        if path.stat().st_mode & OPEN != OPEN:
            path.chmod(OPEN)
    except PermissionError:
        raise ValueError(f"You may not make {path} a folder for all. Type: {as_root}") from None
    except FileNotFoundError:
        raise ValueError(f"There is no folder {path.parent}. Type: {as_root}") from None
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"There is a file {path}, so it cannot be a folder.") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be made a folder for all: {error.strerror}.") from None


def remember(settings: Path, path: Path) -> None:
    """Writes the exchange's path into a course's settings; all other lines stay.

    Raises:
        ValueError: When not exactly one line begins with `exchange =`.
    """
    line = f"exchange = {json.dumps(str(path), ensure_ascii=False)}"
    text = settings.read_text(encoding="utf-8-sig")
    text, found = re.subn(r"^[ \t]*exchange[ \t]*=.*$", lambda _: line, text, flags=re.MULTILINE)
    if found != 1:
        raise ValueError(f"{settings} has no line that begins with exchange. Write one: {line}")
    replace(settings, text)


def join(
    exchange: Annotated[str, typer.Argument(help="The exchange's folder.")] = "",
    course: Annotated[
        str, typer.Option(help="The course's id, where the exchange has several.")
    ] = "",
    into: Annotated[
        Path | None, typer.Option(help="A folder of configuration; the account's own without.")
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back what joining wrote; an instructor needs it.")
    ] = False,
) -> None:
    """Set a student's account up: course, exchange, safe permissions, and a look at what is there.

    The exit status is 1 when something is missing; each line says what to do.
    """
    folder = typed(into) if into else Path(jupyter_config_dir())
    if undo:
        try:
            left = leave(folder)
        except OSError as error:
            left = [f"{error.filename} cannot be changed: {error.strerror}."]
        for problem in left:
            say(problem)
        if left:
            raise typer.Exit(1)
        tell("Nothing of a course is set any more. Start jupyter lab anew.")
        return
    if not exchange.strip():
        say(
            "Which exchange? Type its folder, as your instructor named it, such as:"
            " python -m autograder join /srv/kdlab/exchange"
        )
        raise typer.Exit(1)
    root = typed(Path(exchange))
    problems = [*missing(), *reachable(root)]
    names = courses(root)
    if not course and len(names) == 1:
        (course,) = names
    elif course not in names and not (problems and not root.is_dir()):
        which = f"It has {', '.join(names)}: --course says which." if names else elsewhere(root)
        problems.append(
            f"There is no course {course!r} in {root}. {which}"
            if course
            else f"Which course? {which}"
            if names
            else f"No course has released anything in {root}. {which}"
        )
        course = "" if names else course  # one that is misspelt is not written down
    if re.fullmatch(r"[\w.-]+", course):
        try:
            everyone = folder.resolve() != Path(jupyter_config_dir()).resolve()
            problems += write(folder, course, root, for_all=everyone)
        except OSError as error:
            problems.append(f"{folder} cannot be written: {error.strerror}.")
    for problem in problems:
        say(problem)
    if problems:
        raise typer.Exit(1)
    tell(
        f"The course is {course}. Start jupyter lab; the Nbgrader menu has its assignments, and no"
        " Formgrader (python -m autograder join --undo takes this back)."
    )


def write(folder: Path, course: str, exchange: Path, for_all: bool = False) -> list[str]:
    """Writes the configuration; a file that `join` did not write or cannot read is reported.

    Args:
        folder: Where; it is made if it is not there.
        course: The course's id.
        exchange: The exchange's folder.
        for_all: Everyone can read it and what is in it, whatever the umask is or was.
    """
    values = {"ours": OURS, "course": course, "exchange": str(exchange.resolve())}
    files = {
        "nbgrader_config.py": NBGRADER.format(**values),
        "jupyter_server_config.py": SERVER.format(**values),
    }
    page = folder / "labconfig" / "page_config.json"
    made = [each for each in (page.parent, *page.parent.parents) if not each.exists()]
    page.parent.mkdir(parents=True, exist_ok=True)
    for each in {*made, page.parent, folder} if for_all else ():
        if (mode := each.stat().st_mode) & 0o755 != 0o755:
            each.chmod(mode | 0o755)
    problems = []
    for name, text in files.items():
        path = folder / name
        if path.exists() and not is_ours(path):
            lines = "\n".join(f"    {line}" for line in text.splitlines() if line.startswith("c."))
            problems.append(f"{path} is there already. Add to it by hand:\n{lines}")
            continue
        replace(path, text, 0o644)
    return problems + disable(page, 0o644 if for_all else None)


def leave(folder: Path) -> list[str]:
    """Takes back what `write` wrote; what it did not write stays. Returns what it cannot read."""
    for name in ("nbgrader_config.py", "jupyter_server_config.py"):
        path = folder / name
        if path.exists() and is_ours(path):
            path.unlink()
    page = folder / "labconfig" / "page_config.json"
    return disable(page, again=True) if page.exists() else []


def is_ours(path: Path) -> bool:
    """Whether `write` wrote a file, which may be in any encoding."""
    return path.read_bytes().startswith(OURS.encode())


def disable(path: Path, mode: int | None = None, again: bool = False) -> list[str]:
    """Hides the extensions `NOT_FOR_STUDENTS` of JupyterLab; with `again`, shows them again.

    Args:
        path: JupyterLab's settings; if they cannot be read, they stay as they are.
        mode: The file's permissions, as in `replace`.
        again: Show them.

    Returns:
        A sentence if the settings cannot be read, otherwise nothing.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        disabled = settings.get("disabledExtensions", {})
        disabled = dict.fromkeys(disabled, True) if isinstance(disabled, list) else dict(disabled)
    except FileNotFoundError:
        settings, disabled = {}, {}
    except (ValueError, TypeError, AttributeError):
        return [
            f"{path} holds no settings of JupyterLab that can be read, so it stays. Put it right or"
            " remove it, and type this again."
        ]
    others = {name: value for name, value in disabled.items() if name not in NOT_FOR_STUDENTS}
    settings["disabledExtensions"] = (
        others if again else others | dict.fromkeys(NOT_FOR_STUDENTS, True)
    )
    replace(path, json.dumps(settings, indent=1), mode)
    return []


def missing() -> list[str]:
    """A sentence for each package that notebooks of the course need and this environment lacks."""
    problems = []
    for name in NEEDED:
        try:
            version(name)
        except PackageNotFoundError:
            problems.append(
                f"{name} is missing here. Install it: pip install 'kdlab[grading]' {name}"
                if name != "kdlab"  # kdlab itself is on no index
                else "kdlab is missing here. Type this in the environment that has it."
            )
    return problems


def reachable(exchange: Path) -> list[str]:
    """The reasons why an exchange cannot be used, a sentence each; none if it can."""
    if not exchange.is_dir():
        return [f"There is no folder {exchange}. Ask your instructor for the exchange's name."]
    if not os.access(exchange, os.R_OK | os.X_OK):
        return [f"You cannot read {exchange}. Its folder needs the permissions 0755 or more."]
    return []


def elsewhere(folder: Path) -> str:
    """A sentence on where the exchange may be, if `folder` is not one."""
    inside = sorted(path for path in folder.glob("*") if os.path.isdir(path))
    near = [folder.resolve().parent, *inside]
    if found := next((path for path in near if courses(path)), None):
        return f"Is the exchange {found}?"
    return "Ask your instructor for the exchange's folder, and whether a set is released."


def courses(exchange: Path) -> list[str]:
    """The ids of the courses in an exchange; none if it cannot be read."""
    try:
        return sorted(path.parent.name for path in exchange.glob("*/outbound") if path.is_dir())
    except OSError:
        return []
