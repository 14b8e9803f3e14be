"""When a submission was handed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from autograder.nbgrader_internals import CourseDirectory

DELAY = timedelta(minutes=10)  # allowed between a submission's time and the end of its copying


def collected_of(coursedir: CourseDirectory, place: Path) -> datetime | None:
    """When a collected submission was handed in, in UTC; None where it does not say when.

    A time in the future, by more than `DELAY`, gives None too: it would block all newer versions.
    """
    try:
        when: datetime | None = coursedir.get_existing_timestamp(str(place))
    except Exception:  # a student may have written anything into it
        return None
    latest = datetime.now(UTC).replace(tzinfo=None) + DELAY
    return when if when is None or when <= latest else None
