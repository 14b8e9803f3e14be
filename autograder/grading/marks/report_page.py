"""The report as one page: offline, sortable, and fit for screen readers."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import chain

from autograder.grading.marks.report import MiB, Report, Student, Task, rounded
from autograder.judging.verdict import Status, marked

MOST_HINTS = 3  # hints shown of one misconception

STYLE = """
:root { color-scheme: light dark; --line: light-dark(#c9ced6, #444b57);
  --soft: light-dark(#f2f4f7, #1d2129); --ink: light-dark(#16191f, #e8eaee);
  --bar: light-dark(#2c6e9b, #6fb3e0); --warn: light-dark(#8a3b00, #ffb27a); }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 75rem; margin: auto;
  padding: 1rem; background: light-dark(#fff, #14171c); }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; } h3 { margin-top: 2rem; }
dl { display: grid; gap: .5rem;
  grid-template-columns: repeat(auto-fill, minmax(min(9rem, 45%), 1fr)); }
dl div { background: var(--soft); border-radius: .4rem; padding: .5rem .75rem; }
dt { font-size: .85rem; } dd { margin: 0; font-size: 1.3rem; font-weight: 600; }
.scroll { overflow-x: auto; } .scroll:focus-visible { outline: 2px solid var(--bar); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; padding: .3rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left;
  vertical-align: top; }
td.wide { min-width: 16rem; } tbody th { min-width: 8rem; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
thead th { background: var(--soft); }
thead button { all: unset; cursor: pointer; font-weight: 600; }
thead button:focus-visible { outline: 2px solid var(--bar); outline-offset: 2px; }
thead button::after { content: "\\a0↕"; opacity: .6; }
th[aria-sort=ascending] button::after { content: "\\a0↑"; opacity: 1; }
th[aria-sort=descending] button::after { content: "\\a0↓"; opacity: 1; }
meter { width: 6rem; } .waits { color: var(--warn); font-weight: 600; }
@media print { thead button::after { content: ""; } }
"""

UNTRUSTED = "<noscript> (in JupyterLab, after a click on <em>Trust HTML</em>)</noscript>"
SCRIPT = """
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), row = head.parentNode;
    const place = [...row.children].indexOf(head);
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of row.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    const key = line => line.children[place].dataset.value ?? line.children[place].textContent;
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)], [m, n] = [x, y].map(text => text ? Number(text) : NaN);
      if (isNaN(m) !== isNaN(n)) return isNaN(m) ? 1 : -1;
      return (isNaN(m) ? x.localeCompare(y, undefined, {numeric: true}) : m - n) * (up ? 1 : -1);
    };
    body.append(...[...body.rows].sort(compare));
  });
}
"""


def page(course: str, made: str, reports: Iterable[Report]) -> str:
    """The whole page.

    Args:
        course: The course's id.
        made: When the page was made.
        reports: One report per assignment.
    """
    reports = list(reports)
    title = f"{course}: the class at a glance"
    links = "".join(
        f'<li><a href="#{escape(report.assignment)}">{escape(report.assignment)}</a></li>'
        for report in reports
    )
    navigation = f'<nav aria-label="Assignments"><ul>{links}</ul></nav>' if links else ""
    body = "".join(map(_assignment, reports)) or "<p>Nothing was handed in yet.</p>"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>"
        f"<body><header><h1>{escape(title)}</h1><p>Made {escape(made)}. It holds names and marks:"
        f" keep it where the gradebook is.</p>{navigation if len(reports) > 1 else ''}</header>"
        f"<main>{body}</main><script>{SCRIPT}</script></body></html>\n"
    )


def _assignment(report: Report) -> str:
    figures = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in report.figures().items()
    )
    return (
        f'<section id="{escape(report.assignment)}" aria-label="{escape(report.assignment)}">'
        f"<h2>{escape(report.assignment)}</h2><dl>{figures}</dl>"
        f"{_waits(report)}{_tasks(report)}{_mistakes(report)}{_students(report)}</section>"
    )


def _waits(report: Report) -> str:
    lines = report.waits.sentences()
    if not lines:
        return "<h3>What waits</h3><p>Nothing.</p>"
    items = "".join(f'<li class="waits">{escape(line)}</li>' for line in lines)
    aside = "".join(
        f"<li>{escape(name)}: {escape(reason)}</li>"
        for name, reason in sorted(report.waits.aside.items())
    )
    return f"<h3>What waits</h3><ul>{items}</ul>{f'<ul>{aside}</ul>' if aside else ''}"


def _tasks(report: Report) -> str:
    rows = [_task(task) for task in report.tasks.values()]
    heads = ["task", "#of", "#mean", "share of the points", "#all points", "#none", "~how it ended"]
    return "<h3>By task</h3>" + _table("Marks by task, of those who have marks.", heads, rows)


def _task(task: Task) -> list[tuple[str, str]]:
    mean = task.mean
    share = 0.0 if mean is None or not task.most else mean / task.most
    meter = f'<meter value="{share:.3f}" aria-label="{escape(task.name)}"></meter> {share:.0%}'
    found = task.statuses.most_common()
    ended = ", ".join(f"{count} {Status(status).in_full}" for status, count in found)
    if not task.by_machine:
        ended = "marked by a person"
    none = sum(points == 0 for points in task.points.values())
    return [
        (escape(task.name), ""),
        _number(task.most),
        _number(mean),
        (meter if mean is not None else "—", f"{share}"),
        _number(task.full),
        _number(none),
        (escape(ended), ""),
    ]


def _mistakes(report: Report) -> str:
    rows = [
        [
            (escape(task.name), ""),
            (escape(name.replace("_", " ")), ""),
            _number(sum(map(len, hints.values()))),
            (_hints(hints), ""),
            (escape(", ".join(sorted(chain(*hints.values())))), ""),
        ]
        for task in report.tasks.values()
        for name, hints in task.misconceptions.items()
    ]
    rows.sort(key=lambda row: -float(row[2][1]))
    if not rows:
        return "<h3>Misconceptions</h3><p>None was recognised.</p>"
    heads = ["task", "misconception", "#how often", "~what its students are told", "~who"]
    return "<h3>Misconceptions</h3>" + _table("The most frequent first.", heads, rows)


def _hints(hints: dict[str, list[str]]) -> str:
    """The hints of one misconception, the most frequent first, and who is told each."""
    if len(hints) == 1:
        return marked(*hints)
    often = sorted(hints.items(), key=lambda each: -len(each[1]))
    shown = [f"{escape(', '.join(who))}: {marked(hint)}" for hint, who in often[:MOST_HINTS]]
    if (more := len(often) - MOST_HINTS) > 0:
        shown.append(f"and {more} more of the kind")
    return "<br>".join(shown)


def _students(report: Report) -> str:
    heads = ["student", "name", "state", "#points", *(f"#{name}" for name in report.tasks)]
    heads += ["#penalty", "#hours late", "#seconds", "#MiB", "~notes"]
    rows = [_student(report, each) for each in report.students]
    # Empty columns, such as the penalties of a punctual class, go, so that the notes have room.
    shown = [
        place
        for place, head in enumerate(heads)
        if head.lstrip("#") in report.tasks or any(row[place][0] not in ("", "—") for row in rows)
    ]
    return "<h3>By student</h3>" + _table(
        f"Points of {report.most:g}; — is not marked or not handed in.",
        [heads[place] for place in shown],
        [[row[place] for place in shown] for row in rows],
    )


def _student(report: Report, each: Student) -> list[tuple[str, str]]:
    tasks = []
    for name in report.tasks:
        text, value = _number(each.points.get(name))
        wrong = each.misconceptions.get(name)
        if wrong:
            text += f"<br><small>{escape(wrong.replace('_', ' '))}</small>"
        tasks.append((text, value))
    return [
        (escape(each.id), ""),
        (escape(each.name), ""),
        (escape(each.state), ""),
        _number(each.score),
        *tasks,
        _number(each.penalty or None),
        _number(each.late / 3600 if each.late else None),
        _number(each.seconds),
        _number(round(each.memory / MiB) if each.memory else None),
        (escape(" ".join(each.notes)), ""),
    ]


def _number(value: float | None) -> tuple[str, str]:
    return ("—", "") if value is None else (rounded(value), repr(float(value)))


def _table(caption: str, heads: list[str], rows: list[list[tuple[str, str]]]) -> str:
    def kind(head: str) -> str:
        return {"#": ' class="number"', "~": ' class="wide"'}.get(head[:1], "")

    head = "".join(
        f'<th scope="col"{kind(each)}>'
        f'<button type="button">{escape(each.lstrip("#~").replace("_", " "))}</button></th>'
        for each in heads
    )
    lines = ""
    for row in rows:
        cells = ""
        for place, ((text, value), each) in enumerate(zip(row, heads, strict=True)):
            known = f' data-value="{escape(value)}"' if value or each.startswith("#") else ""
            tag, scope = ("th", ' scope="row"') if place == 0 else ("td", "")
            cells += f"<{tag}{scope}{kind(each)}{known}>{text}</{tag}>"
        lines += f"<tr>{cells}</tr>"
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)} A click on a heading sorts{UNTRUSTED}.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
