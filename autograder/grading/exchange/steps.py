"""Four of nbgrader's exchange steps: what is given out arrives, what is handed in is safe.

The configurations of a course and of a student put them in the place of nbgrader's own:

    c.ExchangeFactory.release_assignment = "autograder.grading.exchange.Release"
    c.ExchangeFactory.release_feedback = "autograder.grading.exchange.ReleaseFeedback"
    c.ExchangeFactory.fetch_assignment = "autograder.grading.exchange.Fetch"
    c.ExchangeFactory.submit = "autograder.grading.exchange.Submit"
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import stat
from pathlib import Path

from autograder.grading.configuration import left
from autograder.grading.records import Records, State
from autograder.grading.submissions.files import open_plain
from autograder.grading.wording import is_text
from autograder.nbgrader_internals import (
    ExchangeCollect,
    ExchangeFetchAssignment,
    ExchangeReleaseAssignment,
    ExchangeReleaseFeedback,
    ExchangeSubmit,
    notebook_hash,
)

SECRET = "submission_secret.txt"
MAX_NAMES = 20  # notebooks' names used of a version that was not graded
MAX_SECRET = 4096  # bytes; nbgrader's has 128
NOTHING = "Nothing was submitted:"
SEND = "send feedback/STUDENT/{assignment}/ to the student yourself"
NO_SECRET = (
    f"It came without {SECRET}, so not through the exchange: {SEND}, or give it with lms give,"
    " where it came from Moodle or Canvas."
)
NO_NOTEBOOK = (
    "Beside folders and zips it has no file that ends in .ipynb, and Fetch Feedback looks for the"
    f" pages of such files alone: {SEND}; or let the student hand in the notebook itself, and"
    " collect and grade again."
)


class Release(ExchangeReleaseAssignment):
    """nbgrader's step, done fully or not at all; students cannot remove each other's submissions.

    nbgrader's own step removes the old release before it copies, and leaves half a copy where the
    disk is full.
    """

    def init_dest(self) -> None:
        try:
            super().init_dest()
            inbound = Path(self.inbound_path)
            if inbound.owner() == Path(self.src_path).owner():  # else its owner has seen to it
                inbound.chmod(inbound.stat().st_mode | stat.S_ISVTX)
        except OSError as error:
            self.fail(f"Nothing was released: {why_not_copied(error)}")

    def copy_files(self) -> None:
        place = Path(self.dest_path)
        if place.is_dir() and not self.force:
            super().copy_files()  # which refuses
        fresh = place.with_name(f".{place.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.dest_path = str(fresh)
        try:
            super().copy_files()
            if place.is_dir():
                shutil.rmtree(place)
            fresh.rename(place)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            self.fail(f"Nothing was released: {why_not_copied(error)}")
        finally:
            self.dest_path = str(place)


class ReleaseFeedback(ExchangeReleaseFeedback):
    """Releases each student's feedback, and says whose cannot be released.

    A student's `fetch_feedback` looks for pages by the names of the notebooks that were handed in,
    so the page of a renamed notebook is released under that name too. nbgrader's own step stops at
    the first submission that lacks its secret, and the rest of the class gets nothing.
    """

    only: set[str] | None = None  # the students; None for everyone

    def ensure_root(self) -> None:
        require_exchange(self, os.R_OK | os.W_OK | os.X_OK)

    def init_dest(self) -> None:
        course = self.coursedir.course_id
        released = {path.parent.name for path in Path(self.root).glob("*/outbound")}
        if released and course not in released:
            self.fail(
                f"No set was released under the id {course!r} in {self.root}, so nobody looks for"
                f" feedback there; it has {', '.join(sorted(released))}. Was the id changed in"
                " course.toml, or the exchange?"
            )
        super().init_dest()

    def copy_files(self) -> None:
        self.delivered: list[str] = []
        self.undelivered: dict[str, str] = {}
        excluded = left(self.coursedir)
        pattern = self.coursedir.format_path(
            self.coursedir.feedback_directory,
            "(?P<student>.*)",
            re.escape(self.coursedir.assignment_id),
            escape=True,
        )
        for folder in sorted(glob.glob(self.src_path)):
            found = re.fullmatch(pattern, folder)
            if found is None or found["student"] in excluded:
                continue
            student = found["student"]
            if self.only is not None and student not in self.only:
                continue
            problem = self._deliver(student, Path(folder))
            if problem:
                self.undelivered[student] = problem
                self.log.error("No feedback was released to %s. %s", student, problem)
            else:
                self.delivered.append(student)
        self.log.info("Feedback was released to %d students.", len(self.delivered))

    def _deliver(self, student: str, folder: Path) -> str:
        """Releases a student's pages; returns what is wrong, in a sentence, else nothing."""
        pages = sorted(folder.glob("*.html"))
        if not pages:
            return "There is no page for it; run: nbgrader generate_feedback."
        records = Records(Path(self.coursedir.root), self.coursedir.assignment_id)
        record = records.read(student)
        renamed = record.renamed if record else {}
        addresses = []  # each page, with a secret and a name under which it is looked for
        if secret := read_secret(folder / SECRET):
            addresses += [
                (page, secret, name)
                for page in pages
                for name in {page.stem, renamed.get(page.stem, page.stem)}
            ]
        handed_in, names = self._handed_in(student)
        if record and record.state is State.QUARANTINED and handed_in:
            # Pages of a version that was not graded are looked for by its notebooks' names.
            by_name = {page.stem: page for page in pages}
            addresses += [
                (by_name.get(name, pages[0]), handed_in, name) for name in sorted(names)[:MAX_NAMES]
            ]
        if not addresses:
            return self._by_hand(NO_NOTEBOOK if handed_in else NO_SECRET)
        try:
            for page, secret, name in addresses:
                released = Path(
                    self.dest_path, f"{notebook_hash(secret=secret, notebook_id=name)}.html"
                )
                fresh = released.with_name(f"{released.stem}-tmp.html")
                try:
                    fresh.write_bytes(page.read_bytes())
                    fresh.chmod(0o644)  # whatever the umask: its student must read it
                    fresh.replace(released)
                finally:
                    fresh.unlink(missing_ok=True)
        except OSError as error:
            return f"The exchange could not be written: {error.strerror}."
        of_last = [(page, name) for page, secret, name in addresses if secret == handed_in]
        found = {page for page, name in of_last if name in names}
        return self._by_hand(NO_NOTEBOOK) if {page for page, _ in of_last} - found else ""

    def _by_hand(self, reason: str) -> str:
        return reason.format(assignment=self.coursedir.assignment_id)

    def _handed_in(self, student: str) -> tuple[str, set[str]]:
        """The secret and the notebooks' names by which a student's last version finds its pages."""
        folder = Path(
            self.coursedir.format_path(
                self.coursedir.submitted_directory, student, self.coursedir.assignment_id
            )
        )
        if folder.is_symlink():
            return "", set()
        names = {path.stem for path in folder.glob("*.ipynb") if is_text(path.stem)}
        return read_secret(folder / SECRET), names


def read_secret(path: Path) -> str:
    """The secret that a submission's pages are released under; empty where none can be used."""
    try:
        with open_plain(path) as stream:
            raw = stream.read(MAX_SECRET + 1)
    except OSError:
        return ""
    try:
        return raw.decode() if len(raw) <= MAX_SECRET else ""
    except UnicodeDecodeError:
        return ""


class Fetch(ExchangeFetchAssignment):
    """nbgrader's step, with a copy that no one but its student can read.

    nbgrader's own step copies the permissions of the release, which all can read, and an editor
    that saves a file keeps them.
    """

    def copy_files(self) -> None:
        super().copy_files()
        for folder, _, files in os.walk(self.dest_path):
            for path in (Path(folder), *(Path(folder, name) for name in files)):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode & 0o700)


class Submit(ExchangeSubmit):
    """nbgrader's step, with a submission that no one but its student can write.

    nbgrader's own step lets everyone write to the folder, so that instructors can remove it;
    whoever learns the folder's name could replace what is in it.
    """

    def fail(self, msg: str) -> None:
        helps = "" if "instructor" in msg else " Ask your instructor."
        super().fail(msg if msg.startswith(NOTHING) else f"{NOTHING} {msg}.{helps}")

    def init_release(self) -> None:
        course, assignment = self.coursedir.course_id, self.coursedir.assignment_id
        outbound = Path(self.root, course, "outbound")
        if course and not (outbound / assignment).is_dir():
            here = {path.stem for path in Path(self.src_path).glob("*.ipynb")}
            was = sorted(path.name for path in outbound.glob("*") if path.name in here)
            renamed = f". If that is your folder of {was[0]}, call it {was[0]} again" if was else ""
            self.fail(
                f"{assignment} is not released in the course {course}, or not any more{renamed}"
            )
        super().init_release()

    def copy_files(self) -> None:
        size, most = self.get_size(self.src_path), 1000 * self.coursedir.max_dir_size
        if size > most:
            self.fail(
                f"{NOTHING} {self.src_path} holds {size / 1e6:.0f} MB, and"
                f" {most / 1e6:.0f} MB are allowed. Leave out what it can do without."
            )
        folder = Path(self.inbound_path, self.assignment_filename)
        kept = Path(self.cache_path, self.assignment_filename.rsplit("+", 1)[0])
        try:
            super().copy_files()
        except BaseException as error:  # Ctrl-C, too: half a submission is none
            for torso in (folder, kept):
                shutil.rmtree(torso, ignore_errors=True)
            if isinstance(error, OSError):
                self.fail(f"{NOTHING} {why_not_copied(error)}")
            raise
        folder.chmod(0o2755 if self.coursedir.groupshared else 0o755)


def require_exchange(step: ExchangeCollect | ExchangeReleaseFeedback, access: int) -> None:
    """Ends an instructor's step where the exchange cannot be used.

    nbgrader's own message sends even instructors to their instructor, and its check wants to write
    where the step only reads.

    Args:
        step: The step.
        access: The access that the step needs, as in `os.access`.
    """
    if not os.path.isdir(step.root):
        step.fail(
            f"There is no exchange at {step.root}. Is the disk there that it lies on? Where there"
            " was none yet, make it: python -m autograder exchange PATH"
        )
    if not os.access(step.root, access):
        done = "written" if access & os.W_OK else "read"
        step.fail(f"The exchange {step.root} cannot be {done}. Put that right, and try again.")


def why_not_copied(error: OSError) -> str:
    """The first file that could not be copied, and why, in a sentence."""
    if not isinstance(error, shutil.Error) or not error.args or not error.args[0]:
        return f"{error.strerror or error}: {error.filename}."
    source, _, reason = error.args[0][0]
    found = re.match(r"\[Errno \d+\] ([^:]*)", str(reason))
    return f"{source} cannot be copied: {found[1] if found else reason}."
