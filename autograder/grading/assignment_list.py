"""JupyterLab's *Assignment List*, which says in a sentence what failed.

nbgrader's shows students the traceback of a submission that fails, and nothing at all of a fetch
that does. This extension of Jupyter's server stands in its place; `join` writes it into a student's
configuration:

    c.ServerApp.jpserver_extensions = {
        "nbgrader.server_extensions.assignment_list": False,
        "autograder.grading.assignment_list": True,
    }
"""

from __future__ import annotations

from typing import Any

from autograder.nbgrader_internals import MANAGER, NO_EXCHANGE, NOT_FOUND, assignment_list

UNREACHABLE = (
    "The exchange, in which assignments and submissions change hands, cannot be used: it is gone,"
    " or you may not write there. Ask your instructor."
)


def told(result: dict[str, Any]) -> dict[str, Any]:
    """What nbgrader says of a failure, without its traceback."""
    if result["success"]:
        return result
    text = str(result["value"]).strip()
    if NO_EXCHANGE in text:
        return result | {"value": UNREACHABLE}
    sentence = text.rpartition("ExchangeError: ")[2] if "ExchangeError: " in text else ""
    return result | {"value": sentence or text.rpartition("\n")[2]}


class AssignmentList(assignment_list.AssignmentList):
    """nbgrader's, with sentences."""

    _failed: dict[str, Any] | None = None  # of what was fetched last

    def fetch_assignment(self, course_id: str, assignment_id: str) -> None:
        """Fetches an assignment; nbgrader's handler goes on to list what there is."""
        self._failed = super().fetch_assignment(course_id, assignment_id)

    def fetch_feedback(self, course_id: str, assignment_id: str) -> None:
        """Fetches feedback; nbgrader's handler goes on to list what there is."""
        result = super().fetch_feedback(course_id, assignment_id)
        if NOT_FOUND in result.get("value", ""):  # the folder of everyone's feedback
            result["value"] = "Nobody has been given feedback in this course yet."
        self._failed = result

    def submit_assignment(self, course_id: str, assignment_id: str) -> dict[str, Any]:
        """Hands an assignment in."""
        return told(super().submit_assignment(course_id, assignment_id))

    def list_assignments(self, course_id: str | None = None) -> dict[str, Any]:
        """Lists assignments, or says what the step before it could not do."""
        failed, self._failed = self._failed, None
        if failed and not failed["success"]:
            return told(failed)
        return told(super().list_assignments(course_id))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    assignment_list.load_jupyter_server_extension(server)
    manager = AssignmentList(parent=server)
    manager.root_dir = server.root_dir
    server.web_app.settings[MANAGER] = manager
