"""JupyterLab's *Assignment List*, which says in a sentence what failed.

nbgrader's own list shows students a traceback when handing in fails, and nothing at all when a
fetch fails. This extension of Jupyter's server replaces it; `join` writes it into a student's
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
    """nbgrader's result; a failure's traceback becomes a sentence."""
    if result["success"]:
        return result
    text = str(result["value"]).strip()
    if NO_EXCHANGE in text:
        return result | {"value": UNREACHABLE}
    sentence = text.rpartition("ExchangeError: ")[2] if "ExchangeError: " in text else ""
    return result | {"value": sentence or text.rpartition("\n")[2]}


class AssignmentList(assignment_list.AssignmentList):
    """nbgrader's list, with sentences."""

    _failed: dict[str, Any] | None = None  # the last fetch's result, until the next listing

    def fetch_assignment(self, course_id: str, assignment_id: str) -> None:
        """Fetches an assignment; nbgrader's handler then calls `list_assignments`."""
        self._failed = super().fetch_assignment(course_id, assignment_id)

    def fetch_feedback(self, course_id: str, assignment_id: str) -> None:
        """Fetches feedback; nbgrader's handler then calls `list_assignments`."""
        result = super().fetch_feedback(course_id, assignment_id)
        if NOT_FOUND in result.get("value", ""):  # the course's folder of feedback
            result["value"] = "Nobody has been given feedback in this course yet."
        self._failed = result

    def submit_assignment(self, course_id: str, assignment_id: str) -> dict[str, Any]:
        """Hands an assignment in."""
        return told(super().submit_assignment(course_id, assignment_id))

    def list_assignments(self, course_id: str | None = None) -> dict[str, Any]:
        """Lists assignments, or returns the failure of the fetch before, in a sentence."""
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
