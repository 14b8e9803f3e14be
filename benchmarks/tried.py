"""What the pages say under "What you should see": each number, found by doing what "Try it" asks.

    python -m benchmarks.tried                    those that are not there; an hour, mostly for 3.1
    python -m benchmarks.tried before/one-knob    those of a page

A trial runs cells of its page, changed as the page asks, and then a few lines of its own
(benchmarks/trials). What it finds goes into benchmarks/tried.json with the fingerprint of the
code that was run. tests/book/test_claims.py compares the text with that file, and asks for a new
run where the page's code, or the trial, is another by now.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "benchmarks/tried.json"
CELL = re.compile(
    r"^```\{code-cell\} ipython3\n(?:---\n.*?\n---\n|(?::[^\n]*\n)*)(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
WIDGET = re.compile(r"^```\{widget\} .*?^```$", re.MULTILINE | re.DOTALL)
NUMBER = r"(\d(?:[\d,]*\d)?(?:\.\d+)?)"


def page_text(page: str) -> str:
    return (ROOT / "book" / f"{page}.md").read_text(encoding="utf8")


@dataclass(frozen=True)
class Trial:
    """One thing that a page asks its reader to try.

    Args:
        page: its path in book/, without its ending.
        said: the page's words, with {} for each number that the trial finds.
        code: what is run after the page's cells; it puts the numbers, in order, into ``found``. The
            page's widgets are there as ``widgets``, and what has no number is asserted.
        cells: of the page, those that hold one of these.
        changed: what is replaced in them by what.
        until: where in the last of them it stops.
    """

    page: str
    said: str
    code: str
    cells: tuple[str, ...] = ()
    changed: tuple[tuple[str, str], ...] = ()
    until: str = ""

    @property
    def words(self) -> str:
        """What is said, in one line."""
        return " ".join(self.said.split())

    def program(self) -> str:
        """All that is run.

        Raises:
            ValueError: the page no longer has what the trial runs or changes.
        """
        every = CELL.findall(page_text(self.page))
        for mark in (*self.cells, self.until):
            if not any(mark in cell for cell in every):
                raise ValueError(f"{self.page} has no cell with {mark!r}")
        text = "\n".join(cell for cell in every if any(mark in cell for mark in self.cells))
        for old, new in self.changed:
            if old not in text:
                raise ValueError(f"the cells of {self.page} do not hold {old!r}")
            text = text.replace(old, new)
        return (text.partition(self.until)[0] if self.until else text) + "\n" + self.code

    def fingerprint(self) -> str:
        shown = WIDGET.findall(page_text(self.page)) if "widgets" in self.code else []
        return hashlib.sha256("\n".join([self.program(), *shown]).encode()).hexdigest()[:16]

    def in_text(self) -> re.Match | None:
        """Where the page says it; its groups are the numbers."""
        pattern = NUMBER.join(re.escape(part) for part in self.words.split("{}"))
        return re.search(pattern, " ".join(page_text(self.page).split()))

    def find(self) -> list[float]:
        """Run it."""
        names = {"__name__": "tried", "widgets": WIDGET.findall(page_text(self.page))}
        os.chdir(ROOT / "book" / Path(self.page).parent)
        with contextlib.redirect_stdout(io.StringIO()):
            exec(self.program(), names)
        os.chdir(ROOT)
        return [float(f"{float(x):.6g}") for x in names["found"]]


def recorded() -> dict[str, dict]:
    """What was found, by the words of the trial."""
    return json.loads(RECORD.read_text(encoding="utf8")) if RECORD.exists() else {}


def main() -> None:
    import matplotlib

    from benchmarks.trials import TRIALS

    matplotlib.use("Agg")
    for trial in TRIALS:
        if sys.argv[1:] and trial.page not in sys.argv[1:]:
            continue
        if recorded().get(trial.words, {}).get("ran") == trial.fingerprint():
            continue
        begun = time.perf_counter()
        found = trial.find()
        print(f"{trial.page}: {found}, {time.perf_counter() - begun:.0f} s", flush=True)
        record = recorded() | {trial.words: {"ran": trial.fingerprint(), "found": found}}
        rows = (
            f"{json.dumps(each.words, ensure_ascii=False)}: {json.dumps(record[each.words])}"
            for each in TRIALS
            if each.words in record
        )
        RECORD.write_text("{\n " + ",\n ".join(rows) + "\n}\n", encoding="utf8")


if __name__ == "__main__":
    main()
