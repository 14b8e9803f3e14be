"""The corpus, graded for real: two at a time, in kernels from a warm pool."""

import re
import subprocess
import sys

import pytest

from benchmarks.attacks import CONTROLS, COST, Mark, entries, grade_with_ours, harmed, won

MiB = 2**20

CLASSES = {"forging", "reading", "leaving", "exhausting", "tampering", "shortcuts", CONTROLS}
CORPUS = entries()

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("bubblewrap")]


@pytest.fixture(scope="module")
def marks(bubblewrap: None) -> dict[str, Mark]:
    return grade_with_ours(CORPUS)


def test_the_corpus_has_every_class() -> None:
    assert {entry.kind for entry in CORPUS} == CLASSES
    assert sum(entry.is_attack for entry in CORPUS) >= 40
    assert sum(not entry.is_attack for entry in CORPUS) >= 20


def test_no_attack_wins(marks: dict[str, Mark]) -> None:
    assert {e.student: marks[e.student] for e in CORPUS if won(e, marks[e.student])} == {}


def test_no_control_is_harmed(marks: dict[str, Mark]) -> None:
    assert {e.student: marks[e.student] for e in CORPUS if harmed(e, marks[e.student])} == {}


def test_honest_parts_of_attacks_keep_their_points(marks: dict[str, Mark]) -> None:
    partly = [entry for entry in CORPUS if entry.is_attack and entry.deserves]
    assert len(partly) >= 5
    for entry in partly:
        assert marks[entry.student].points == sum(entry.deserves.values()), entry.student


def test_no_submission_costs_the_grader_more_than_it_may(marks: dict[str, Mark]) -> None:
    loading = (
        "import torch, autograder.grading.execution.batch; print(open('/proc/self/status').read())"
    )
    status = subprocess.run([sys.executable, "-c", loading], capture_output=True, text=True).stdout
    (loaded,) = re.findall(r"VmHWM:\s+(\d+) kB", status)  # builds of PyTorch differ
    assert COST["memory"] - 1024 * int(loaded) < 450 * MiB, (COST, loaded)
    assert COST["record"] < 24 * MiB, COST


def test_ends_are_told_apart(marks: dict[str, Mark]) -> None:
    expected = {
        "leaving-os_exit": "died",
        "leaving-crash": "died",
        "leaving-sys_exit": "raised",
        "exhausting-memory": "out of memory",
        "exhausting-memory_of_torch": "out of memory",
        "exhausting-one_huge_message": "refused",
        "exhausting-stubborn_loop": "timed out",
        "exhausting-deaf_loop": "timed out",
        "exhausting-large_evidence": "wrong",
        "exhausting-refused_evidence": "refused",
        "forging-evidence_malformed": "refused",
        "forging-evidence_replayed": "refused",
    }
    for student, status in expected.items():
        assert f": {status}" in marks[student].status, (student, marks[student])
