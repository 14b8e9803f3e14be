"""What the instructors' page shows of the attacks: a recorded run, and nothing typed."""

import importlib.util
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "book" / "instructors" / "attacks.json"
CORPUS = ROOT / "tests" / "autograder" / "attacks"


def test_the_recorded_run_is_of_every_class_and_nothing_was_won_or_harmed() -> None:
    rows = {
        row["class"]: row for row in json.loads(RECORDED.read_text(encoding="utf-8"))["classes"]
    }
    assert rows.keys() == {path.parent.name for path in CORPUS.glob("*/*.py")}
    for name, row in rows.items():
        assert row["ours"] == 0, row
        assert row["stock"] <= row["notebooks"] - row["not_run"], row
        assert row["notebooks"] <= len(list((CORPUS / name).glob("*.py"))), row


def test_the_table_says_what_was_recorded() -> None:
    spec = importlib.util.spec_from_file_location(
        "book_attacks", ROOT / "book" / "_ext" / "book_attacks.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = [
        {"class": "forging", "notebooks": 9, "ours": 0, "stock": 5, "not_run": 2},
        {"class": "controls", "notebooks": 4, "ours": 0, "stock": 1, "not_run": 0},
    ]
    lines = module.table({"nbgrader": "1.0", "classes": rows, "memory_mib": 3, "record_mib": 0.5})
    assert lines[2:4] == [
        "| forging | 9 | 0 won | 5 of 7 won |",
        "| controls | 4 | 0 harmed | 1 of 4 harmed |",
    ]
    assert lines[-1].startswith("2 attacks would")


def test_each_row_of_the_promises_names_what_tries_it() -> None:
    page = (ROOT / "book" / "instructors" / "promises.md").read_text(encoding="utf-8")
    table = page.partition("| a submission may try to |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert len(rows) == 10
    named = {name for row in rows for name in row[3].split(", ")}
    tests = {name.strip("`") for name in named if name.startswith("`")}
    classes = {path.parent.name for path in CORPUS.glob("*/*.py")}
    assert {name for name in named if not name.startswith("`")} == classes - {"controls"}
    for test in tests:
        assert (CORPUS.parent / test).is_file(), test
