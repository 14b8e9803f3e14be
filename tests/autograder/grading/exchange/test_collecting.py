"""Collecting: whatever lies in the exchange, everyone's last version is taken."""

import logging
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nbgrader.exchange import ExchangeError

from autograder.grading.exchange.collecting import Collect
from autograder.grading.exchange.steps import ReleaseFeedback
from autograder.grading.feedback.delivery import in_exchange
from tests.autograder.grading.room import (
    ASSIGNMENT,
    RIGHT,
    WRONG,
    Room,
    collected,
    handed_in,
    inbound,
)


def test_links_and_pipes_in_the_exchange_are_not_followed(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.submit("bob", RIGHT)
    secret = room.root / "checks"
    folder = handed_in(room, "ada")
    (folder / "answers.py").symlink_to(secret / f"{ASSIGNMENT}.py")
    (folder / "all").symlink_to(secret)
    (folder / "own").mkdir()
    (folder / "own" / "deep.db").symlink_to(room.root / "gradebook.db")
    os.mkfifo(folder / "pipe")
    whole = inbound(room) / f"eve+{ASSIGNMENT}+2099-01-01 00:00:00.000000 UTC+abc"
    whole.symlink_to(secret)
    room.step(Collect, check_owner=False, log=logging.getLogger("collect"))
    assert set(collected(room, "ada")) == {"timestamp.txt", f"{ASSIGNMENT}.ipynb"}
    assert collected(room, "bob")
    assert not collected(room, "eve")
    for said in ("'answers.py'", "'pipe'", "'all'", f"Left out: {whole}"):
        assert said in caplog.text


@pytest.mark.parametrize("broken", ["torso", "name", "file", "traversal", "timestamp"])
def test_what_cannot_be_collected_stops_nobody_and_costs_nothing(room: Room, broken: str) -> None:
    room.submit("ada", RIGHT)
    room.collect()
    before = collected(room, "ada")
    room.submit("bob", RIGHT)
    if broken == "torso":
        (handed_in(room, "ada") / "timestamp.txt").unlink()
    elif broken == "name":
        handed_in(room, "ada", when="soon")
    elif broken == "file":
        shutil.rmtree(folder := handed_in(room, "ada"))
        folder.write_text("no folder")
    elif broken == "traversal":
        handed_in(room, "..")
    else:
        (room.root / "submitted" / "ada" / ASSIGNMENT / "timestamp.txt").write_text("?")
    room.collect()
    assert collected(room, "ada") == before
    assert collected(room, "bob")
    assert not (room.root / ASSIGNMENT).exists()
    assert "ada" not in in_exchange(room.course, ASSIGNMENT)


def test_a_misspelt_name_is_no_set_that_nobody_has_handed_in(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    def collect(name: str, student: str = "*") -> str:
        caplog.clear()
        room.step(Collect, student, name=name, log=logging.getLogger("collect"))
        return caplog.text

    with room.course.gradebook() as gradebook:
        gradebook.add_student("ada")
    for name, student in ((ASSIGNMENT, "*"), (ASSIGNMENT, "ada")):
        assert "No submissions of 'set'" in collect(name, student)
    for name, student, said in (
        ("sett", "*", "There is no assignment 'sett'. Do you mean set?"),
        ("s", "*", "There is no assignment 's'. Do you mean set?"),
        (ASSIGNMENT, "adda", "There is no student 'adda'. Do you mean ada?"),
    ):
        with pytest.raises(ExchangeError, match=re.escape(said)):
            collect(name, student)


def test_nobody_hands_in_under_another_name(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.submit("ada", RIGHT)
    room.submit("bob", RIGHT)
    room.collect()
    before = collected(room, "ada")
    handed_in(room, "ada")
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)  # as if another account had written it
    if mine == 0:
        os.chown(*inbound(room).glob("ada+*2099*"), 12345, -1)
    room.step(Collect, update=True)
    assert collected(room, "ada") == before


def test_a_time_that_is_made_up_is_doubted(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.submit("bob", RIGHT)
    handed_in(room, "ada", when="2020-01-01 00:00:00.000000 UTC")
    room.step(Collect, check_owner=False, log=logging.getLogger("collect"))
    (said,) = (line for line in caplog.messages if "made up" in line)
    assert said.startswith("ada+")


def test_a_clock_that_is_behind_hides_no_last_version_without_a_word(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """From a second machine, whose clock is an hour behind."""
    room.submit("ada", RIGHT)
    room.submit("bob", RIGHT)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    folder = handed_in(room, "ada", when=f"{an_hour_ago:%Y-%m-%d %H:%M:%S.%f} UTC")
    room.step(Collect, check_owner=False, log=logging.getLogger("collect"))
    (said,) = (line for line in caplog.messages if "clock" in line)
    assert said.startswith(folder.name)
    assert "2 * x" in collected(room, "ada")[f"{ASSIGNMENT}.ipynb"]


def test_a_time_that_has_not_come_hides_no_newer_version(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.submit("ada", WRONG)
    folder = handed_in(room, "ada")
    written = datetime.fromtimestamp((folder / "timestamp.txt").lstat().st_ctime, UTC)
    assert in_exchange(room.course, ASSIGNMENT)["ada"][:19] == str(written)[:19]
    room.step(Collect, check_owner=False, log=logging.getLogger("collect"))
    (said,) = (line for line in caplog.messages if "had not come" in line)
    assert f"{written:%Y-%m-%d %H:%M:%S} UTC" in said
    assert collected(room, "ada")[f"{ASSIGNMENT}.ipynb"] == "newest"
    assert collected(room, "ada")["timestamp.txt"][:19] == str(written)[:19]
    assert "ada" not in in_exchange(room.course, ASSIGNMENT)
    room.submit("ada", RIGHT)
    assert "ada" in in_exchange(room.course, ASSIGNMENT)
    room.collect()
    assert "2 * x" in collected(room, "ada")[f"{ASSIGNMENT}.ipynb"]
    # A time that was put there by hand hides none either.
    stamp = room.root / "submitted" / "ada" / ASSIGNMENT / "timestamp.txt"
    stamp.write_text("2099-01-01 00:00:00 UTC")
    room.submit("ada", WRONG)
    assert "ada" in in_exchange(room.course, ASSIGNMENT)
    room.collect()
    assert "x**2" in collected(room, "ada")[f"{ASSIGNMENT}.ipynb"]


def test_what_came_another_way_is_not_replaced(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """From a platform that says no time, or put there by hand: nobody knows which is newer."""
    place = room.root / "submitted" / "ada" / ASSIGNMENT
    place.mkdir(parents=True)
    (place / f"{ASSIGNMENT}.ipynb").write_text("by hand")
    room.submit("ada", RIGHT)
    assert in_exchange(room.course, ASSIGNMENT) == {}
    room.step(Collect, check_owner=False, update=True, log=logging.getLogger("collect"))
    assert collected(room, "ada") == {f"{ASSIGNMENT}.ipynb": "by hand"}
    assert f"ada handed in, because {place} did not come" in caplog.text
    shutil.rmtree(place)
    place.mkdir()  # what the sentence asks for, or nearly
    room.collect()
    assert "2 * x" in collected(room, "ada")[f"{ASSIGNMENT}.ipynb"]


def test_a_full_disk_costs_no_collected_version(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.submit("ada", RIGHT)
    room.collect()
    before = collected(room, "ada")
    handed_in(room, "ada")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(ExchangeError, match="Not collected: ada"):
            room.collect()
    assert collected(room, "ada") == before
    room.collect()
    assert collected(room, "ada")[f"{ASSIGNMENT}.ipynb"] == "newest"


def test_an_exchange_is_only_read_and_what_is_wrong_with_it_is_said_to_an_instructor(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.submit("ada", RIGHT)
    lacking, access = os.W_OK, os.access

    def limited(path: str, mode: int, **options: bool) -> bool:
        return not (str(path) == str(room.exchange) and mode & lacking) and access(path, mode)

    monkeypatch.setattr(os, "access", limited)
    room.collect()
    assert collected(room, "ada")
    with pytest.raises(ExchangeError, match=r"The exchange .* cannot be written\."):
        room.step(ReleaseFeedback)
    lacking = os.R_OK
    with pytest.raises(ExchangeError, match=r"The exchange .* cannot be read\."):
        room.collect()
    room.exchange.rename(room.root / "away")
    for step in (Collect, ReleaseFeedback):
        with pytest.raises(ExchangeError, match=r"There is no exchange at .* Is the disk there"):
            room.step(step)
