"""When a submission was handed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from autograder.nbgrader_internals import CourseDirectory

DELAY = timedelta(minutes=10)  # between a submission's time and the end of its copying


def collected_of(coursedir: CourseDirectory, place: Path) -> datetime | None:
    """When a collected submission was handed in, in UTC; None where it does not say so.

    A time that has not come says nothing: else no newer version would ever be collected.
    """
    try:
        when: datetime | None = coursedir.get_existing_timestamp(str(place))
    except Exception:  # what a student wrote into it
        return None
    latest = datetime.now(UTC).replace(tzinfo=None) + DELAY
    return when if when is None or when <= latest else None
