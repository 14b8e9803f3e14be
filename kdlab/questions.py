"""Conversations that come with every Python, and a task whose answers are computed.

``pydocs-qa`` asks what the standard library's functions, methods and classes do; the answers are
the first sentences of their docstrings. ``reckoning`` asks about weekdays, months, units and
letters. Each of its questions has one short right answer, so that even a small student's accuracy
can be measured.
"""

from __future__ import annotations

import ast
import json
import platform
import random
import re
from collections.abc import Callable, Iterator, Sequence

from kdlab.arguments import check_whole, checked
from kdlab.data import standard_library
from kdlab.examples import Conversation, Examples
from kdlab.files import cache_dir, whole_or_not_at_all

__all__ = ["pydocs_qa", "reckoning"]


def _conversation(*said: str, kind: str = "") -> Conversation:
    """A conversation of what a user and an assistant say in turn."""
    roles = ("user", "assistant") * (len(said) // 2)
    messages = [{"role": role, "content": each} for role, each in zip(roles, said, strict=True)]
    return Conversation(tuple(messages), kind=kind)


# --- what the documentation says ---


def pydocs_qa() -> Examples:
    """Questions about Python's standard library, answered by its documentation; cached.

    A conversation has one question. A function of one to four arguments gets a second, about them.

    >>> found = {each.prompt[0]["content"]: each for each in pydocs_qa().conversations}
    >>> found["What does `os.path.commonpath` return?"].messages[1]["content"]
    'The longest common sub-path.'
    """
    path = cache_dir() / "examples" / f"pydocs-qa-{platform.python_version()}.json"
    if not path.exists():
        with whole_or_not_at_all(path) as partial:  # if unwritable, fails before the work
            partial.write_text(json.dumps(list(_asked())), encoding="utf-8")
    read = json.loads(path.read_text(encoding="utf-8"))
    return Examples("pydocs-qa", tuple(_conversation(*said) for said in read))


def _asked() -> Iterator[list[str]]:
    """The texts of each conversation: a question, its answer, and so on."""
    known = set()
    for module, tree in standard_library():
        if module.startswith("_") or "._" in module or module == "ntpath":
            continue
        for name, node in _named(tree, module.replace("posixpath", "os.path")):
            said = _about(name, node)
            if said and said[0] not in known:
                known.add(said[0])
                yield said


Node = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _named(tree: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, Node]]:
    """The full name and the syntax node of each public function, class and method."""
    for node in tree.body:
        if isinstance(node, Node) and not node.name.startswith("_"):
            name = f"{prefix}.{node.name}"
            yield name, node
            if isinstance(node, ast.ClassDef):
                yield from _named(node, name)


def _about(name: str, node: Node) -> list[str] | None:
    sentence = _first_sentence(ast.get_docstring(node) or "")
    if sentence is None:
        return None
    if isinstance(node, ast.ClassDef):
        return [f"What is `{name}`?", sentence]
    returned = re.match(r"(?:Given [^,]*, r|R)eturns? (?=\w)", sentence)
    if returned:
        rest = sentence[returned.end() :]
        said = [f"What does `{name}` return?", rest[0].upper() + rest[1:]]
    else:
        said = [f"What does `{name}` do?", sentence]
    arguments = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    arguments = [a for a in arguments if a not in ("self", "cls") and not a.startswith("_")]
    if 0 < len(arguments) <= 4:
        listed = ", ".join(f"`{a}`" for a in arguments)
        said += ["Which arguments does it take?", f"It takes {listed}."]
    return said


def _first_sentence(docstring: str) -> str | None:
    """A docstring's first sentence, on one line; None if it is too long or seems no sentence."""
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[.!])\s", paragraph, maxsplit=1)[0].rstrip(" .:;,")
    wordy = len(sentence.split()) >= 3 and re.match(r"[A-Z][a-z]", sentence)
    return f"{sentence}." if wordy and len(sentence) <= 160 else None


# --- what can be reckoned ---

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
UNITS = (
    *(("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24)),
    *(("weeks", "days", 7), ("feet", "inches", 12), ("metres", "centimetres", 100)),
)


def _a_weekday(draw: random.Random) -> tuple[str, str]:
    return _later(draw, WEEKDAYS, "day", 60)


def _a_month(draw: random.Random) -> tuple[str, str]:
    return _later(draw, MONTHS, "month", 40)


def _later(draw: random.Random, names: Sequence[str], unit: str, most: int) -> tuple[str, str]:
    start, n, way = draw.randrange(len(names)), draw.randint(1, most), draw.choice((1, -1))
    answer = names[(start + way * n) % len(names)]
    what = {"day": "weekday"}.get(unit, unit)
    units = f"{n} {unit}{'s' * (n > 1)} {'after' if way == 1 else 'before'}"
    return f"Which {what} is {units} {names[start]}?", answer


def _a_unit(draw: random.Random) -> tuple[str, str]:
    large, small, size = draw.choice(UNITS)
    n, rest = draw.randint(2, 9), draw.randint(0, min(size, 60) - 1)
    and_rest = f" and {rest} {small if rest != 1 else ONE[small]}" if rest else ""
    return f"How many {small} are {n} {large}{and_rest}?", str(n * size + rest)


ONE = {
    **{"minutes": "minute", "seconds": "second", "hours": "hour", "days": "day"},
    **{"inches": "inch", "centimetres": "centimetre"},
}


def _a_count(draw: random.Random) -> tuple[str, str]:
    letters = draw.choices("abcd", k=draw.randint(4, 10))
    wanted = draw.choice("abcd")
    return f"How many {wanted} are in {' '.join(letters)}?", str(letters.count(wanted))


KINDS: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "weekdays": _a_weekday,
    "months": _a_month,
    "units": _a_unit,
    "counting": _a_count,
}
"""Functions by kind of question; each draws a question and its right answer."""


@checked
def reckoning(
    number: int = 2000, *, seed: int = 0, kinds: Sequence[str] = tuple(KINDS)
) -> Examples:
    """Short questions, each with one right answer that is computed; no two are the same.

    Args:
        number: number of questions.
        seed: seed of the random draws, at least 0.
        kinds: some of ``"weekdays"``, ``"months"``, ``"units"`` and ``"counting"``, which take
            turns; the ``kind`` of a conversation names its own.

    Raises:
        ValueError: ``number`` is below 1, ``seed`` is negative, or a kind is unknown or has too few
            different questions.

    >>> asked = reckoning(8).conversations[0]
    >>> asked.kind, asked.prompt[0]["content"], asked.answer
    ('weekdays', 'Which weekday is 25 days before Sunday?', 'Wednesday')
    """
    if number < 1:
        raise ValueError(f"number must be at least 1, got {number}")
    check_whole("seed", seed, least=0)  # Python draws the same from -1 as from 1
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"unknown kinds {unknown}; known: {', '.join(KINDS)}")
    draw = random.Random(seed)
    known: set[str] = set()
    found: list[Conversation] = []
    tries = 0
    while len(found) < number:
        kind = kinds[len(found) % len(kinds)]
        question, answer = KINDS[kind](draw)
        tries = 0 if question not in known else tries + 1
        if tries == 0:
            known.add(question)
            found.append(_conversation(question, answer, kind=kind))
        elif tries > 10_000:
            raise ValueError(
                f"there are no {number} different questions of the kinds {', '.join(kinds)}: "
                f"{kind} ran out after {len(found)} in all"
            )
    return Examples("reckoning", tuple(found))
