"""Shows expected and got side by side, for a wrong public case on the student's screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np

from autograder.judging.agreement import ORDINALS, complaint, fitted, same
from autograder.kernel.evidence import NOT_LEFT, Outcome

ALL = 12  # the most values of a result that is shown whole
SOME = 8  # of a longer result, as many values, from the one before the first that differs
MAX_SHOWN = 200  # characters of a value shown to a student


class Row(NamedTuple):
    """One single value of a result, as text: its place, the expected one and the one that came."""

    place: str
    expected: str
    got: str
    differs: bool


@dataclass(frozen=True)
class Comparison:
    """One public case that is wrong.

    Args:
        case: The case's name.
        summary: What is wrong, in a sentence or two.
        rows: The values side by side; none for a single value, or where the forms differ.
    """

    case: str
    summary: str
    rows: tuple[Row, ...] = ()

    def to_text(self) -> str:
        """The comparison for a terminal."""
        lines = [f"{self.case}: {self.summary}"]
        if self.rows:
            table = [Row("", "expected", "got", False), *self.rows]
            places, wanted, came = (max(len(row[i]) for row in table) for i in range(3))
            lines += [
                f"  {row.place:<{places}}  {row.expected:>{wanted}}  {row.got:>{came}}"
                f"{'  ≠' if row.differs else ''}"
                for row in table
            ]
        return "\n".join(lines)

    def to_html(self) -> str:
        """The comparison for a browser; what differs is bold, coloured and labelled in words."""
        if not self.rows:
            return f"<p><strong>{escape(self.case)}.</strong> {escape(self.summary)}</p>"
        body = "".join(
            f'<tr><th scope="row">{escape(row.place)}</th><td>{escape(row.expected)}</td>'
            + (
                f'<td style="background:#9a670033"><strong>{escape(row.got)}</strong>'
                ' <span aria-label="differs">≠</span></td></tr>'
                if row.differs
                else f"<td>{escape(row.got)}</td></tr>"
            )
            for row in self.rows
        )
        return (
            '<table><caption style="text-align:left;min-width:30em">'
            f"<strong>{escape(self.case)}.</strong> {escape(self.summary)}</caption><thead><tr>"
            '<th scope="col">where</th><th scope="col">expected</th><th scope="col">got</th>'
            f"</tr></thead><tbody>{body}</tbody></table>"
        )


def compare(
    case: str,
    outcome: Outcome,
    wanted: Outcome,
    tolerance: float,
    unit: str = "",
    names: tuple[str, ...] = (),
) -> Comparison:
    """Compares what came with what was wanted.

    Args:
        case: The case's name.
        outcome: What came.
        wanted: What was wanted.
        tolerance: The largest absolute difference allowed between numbers.
        unit: What the first axis of a result counts, such as "step"; places are counted from 1.
        names: What the parts of a result are called, where it has several.
    """
    if outcome.kind != "returned" or wanted.kind != "returned":
        return Comparison(case, f"expected {shown(wanted)}, got {shown(outcome)}.")
    value = fitted(outcome.value, wanted.value)
    if said := complaint(value, wanted.value, sizes=True):
        return Comparison(case, f"{said} Expected {shown(wanted)}, got {shown(outcome)}.")
    rows = [
        _row(place, expected, got, tolerance)
        for (place, expected), (_, got) in zip(
            leaves(wanted.value, unit, names), leaves(value, unit, names), strict=True
        )
    ]
    wrong = [index for index, row in enumerate(rows) if row.differs]
    if not wrong:  # a difference in form for which `complaint` has no words
        return Comparison(case, f"expected {shown(wanted)}, got {shown(outcome)}.")
    total, first = len(rows), wrong[0]
    if total == 1:
        row = rows[0]
        return Comparison(case, f"expected {row.expected}, got {row.got}.")
    verb = "differs" if len(wrong) == 1 else "differ"
    summary = f"{len(wrong)} of {total} values {verb}"
    if total <= ALL:
        return Comparison(case, f"{summary}.", tuple(rows))
    start = max(first - 1, 0)
    summary = f"{summary}, the first at {rows[first].place}."
    return Comparison(case, summary, tuple(rows[start : start + SOME]))


def leaves(
    value: Any, unit: str = "", names: tuple[str, ...] = (), place: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yields the single values of a result, each with its place in words."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if place:
                here = f"{place}[{index}]"
            elif index < len(names):
                here = names[index]
            elif unit:
                here = f"{unit} {index + 1}"
            elif len(value) == 2:
                here = ORDINALS[index]
            else:
                here = f"[{index}]"
            yield from leaves(item, "", (), here)
    elif isinstance(value, dict):
        for key in sorted(value):
            yield from leaves(value[key], "", (), f"{place}[{key!r}]")
    elif isinstance(value, np.ndarray) and value.shape:
        for index in np.ndindex(*value.shape):
            if unit:
                rest = f", {list(index[1:])}" if index[1:] else ""
                yield f"{place}{unit} {index[0] + 1}{rest}", value[index]
            else:
                yield f"{place}{list(index)}", value[index]
    else:
        yield place, value


def _row(place: str, expected: Any, got: Any, tolerance: float) -> Row:
    differs = not same(got, expected, tolerance)
    for digits in (4, 6, 9, 17):
        row = Row(place, single(expected, digits), single(got, digits), differs)
        if not differs or row.expected != row.got:
            break
    return row


def single(value: Any, digits: int = 4) -> str:
    """One value as short text; a float with `digits` significant digits."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.item()
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return short(repr(value))


def shown(outcome: Outcome) -> str:
    """An outcome in a few words."""
    if outcome.kind == "raised":
        return short(f"{outcome.type}: {outcome.message}" if outcome.message else outcome.type)
    if outcome.type in NOT_LEFT:
        return f"{outcome.type} in this call or in one before"
    if outcome.kind == "unsupported":
        return short(f"{outcome.type}, which cannot be checked")
    return short(words(outcome.value))


def words(value: Any) -> str:
    """A value as a reader writes it; of a tensor of more than `ALL` values only the beginning."""
    if isinstance(value, np.ndarray) and value.shape:
        edge = value if value.size <= ALL else value.reshape(-1)[: ALL // 2]
        more = "" if value.size <= ALL else ", …"
        return f"{_nested(edge.tolist())[:-1]}{more}] of shape {list(value.shape)}"
    if isinstance(value, list):
        return f"[{', '.join(words(item) for item in value)}]"
    return single(value)


def _nested(value: Any) -> str:
    return f"[{', '.join(map(_nested, value))}]" if isinstance(value, list) else single(value)


def short(text: str) -> str:
    """A text, cut to at most `MAX_SHOWN` characters."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
