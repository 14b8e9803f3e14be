"""The file of a run's metrics: one record a line, each written when it is measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdlab.config import History
from kdlab.files import named
from kdlab.records import step_of, to_json

METRICS = "metrics.jsonl"


class MetricsFile:
    """``metrics.jsonl`` in a run's folder, started empty, or cut back to the step of a checkpoint.

    Args:
        out: the run's folder; it is made if it is not there.
        step: the step of the checkpoint that the run continues from; with 0, the file is emptied.

    Raises:
        ValueError: the file does not have one training record for each step up to the checkpoint.

    >>> import tempfile
    >>> file = MetricsFile(Path(tempfile.mkdtemp()), 0)
    >>> file.add({"kind": "train", "step": 1, "loss": 7.6})
    >>> History.read(file.path).column("loss")
    [7.6]
    """

    def __init__(self, out: Path, step: int):
        out.mkdir(parents=True, exist_ok=True)
        self.path = out / METRICS
        self.written = 0  # bytes, by this run and those that it continues
        if step and self.path.exists():
            for line in self.path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n") or step_of(line.decode()) > step:
                    break
                self.written += len(line)
        with self.path.open("ab") as file:  # what is kept is not written again: a disk may be full
            file.truncate(self.written)
        self.history = History.read(self.path)
        if len(self.history.train) != step:
            raise ValueError(
                f"{self.path} has {len(self.history.train)} of the {step} steps that the "
                "checkpoint is of; begin the run anew"
            )

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a record.

        Raises:
            ValueError: the file's size has changed, because another run writes to it.
        """
        with named(self.path), self.path.open("a", encoding="utf-8", newline="\n") as file:
            if file.tell() != self.written:
                raise ValueError(
                    f"another run writes to {self.path}; this one has stopped. Give "
                    "each run a folder of its own"
                )
            file.write(to_json(record) + "\n")
            self.written = file.tell()
