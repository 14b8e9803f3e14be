"""What the gradebook would record: honest work earns its points, forgeries and silence earn none.

The notebooks run in real kernels, the points are read with nbgrader's own rule (`determine_grade`).
"""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import determine_grade

from autograder.cells import VERDICT_MIME
from autograder.check import PUBLIC_SUFFIX
from autograder.grading.execution.judge import Judge
from autograder.grading.preprocessors import ReleasePublicCases
from autograder.judging.verdict import Status
from autograder.sandbox.pool import WarmPool

CHECKS = """
import torch
from autograder.spec import Case, FunctionCheck, Misconception
from autograder.judging.rubric import Section

SECTION = Section("1.2", "Measuring the mismatch", "http://book/1.2.html")


def random(rng):
    yield Case("random", (torch.tensor(rng.normal(size=3), dtype=torch.float32),))


def right_plain(x):
    return torch.add(x, x)


CHECKS = tuple(
    FunctionCheck(
        name=name,
        parts={"values": 3, "shapes": 1},
        expected="twice what comes in",
        section=SECTION,
        reference=lambda x: 2 * x.double(),
        fixed=(
            Case("one", (torch.tensor([1.0, 3.0]),), public=True),
            Case("hidden", (torch.tensor([5.0, -7.0]),)),
            Case("matrix", (torch.ones(2, 2),), part="shapes"),
        ),
        random=random,
        misconceptions=(Misconception("square", "Not the square.", SECTION, lambda x: x**2),),
        uses={"plain": right_plain} if name == "follows" else {},
    )
    for name in NAMES
)
"""


def graded(name: str, points: float = 4) -> NotebookNode:
    """The locked cell of a task, with a tag that asks to skip it and that nobody must heed."""
    marks = {"grade": True, "solution": False, "locked": True, "task": False, "schema_version": 3}
    return new_code_cell(
        f'check("{name}", {name})',
        metadata={
            "nbgrader": {**marks, "grade_id": name, "points": points},
            "tags": ["skip-execution"],
        },
    )


@pytest.fixture(scope="module")
def pool(bubblewrap: None):
    """Kernels forked from one process; tests/autograder/sandbox has those that start alone."""
    with WarmPool():
        yield


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: None):
    """Grades a notebook made of answers by task, in their order."""
    monkeypatch.chdir(tmp_path)

    def run(answers: dict[str, str], **options: object) -> dict[str, SimpleNamespace]:
        checks = tmp_path / "checks" / "set.py"
        checks.parent.mkdir(exist_ok=True)
        checks.write_text(f"NAMES = {list(answers)!r}\n{CHECKS}", encoding="utf-8")
        cells = [new_markdown_cell("Story")]
        for name, answer in answers.items():
            cells += [new_code_cell(answer), graded(name)]
        notebook = new_notebook(cells=cells)
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
        resources = {
            "nbgrader": {"assignment": "set", "notebook": "set", "student": "ada"},
            "metadata": {"path": str(tmp_path)},
        }
        judge = Judge(**({"timeout": 600, "notebook_timeout": 3600} | options))
        notebook, _ = judge.preprocess(notebook, resources)
        results = {}
        for cell in notebook.cells:
            if "nbgrader" in cell.metadata:
                (output,) = cell.outputs
                results[cell.metadata.nbgrader.grade_id] = SimpleNamespace(
                    points=determine_grade(cell)[0],
                    html=output.data["text/html"],
                    source=cell.source,
                    **output.data[VERDICT_MIME],
                )
        return results

    return run


HONEST = {
    "plain": "def plain(x):\n    return 2 * x",
    "overwritten": "check = ask = None\ndef overwritten(x):\n    return 2 * x",
    "noisy": """
import sys, warnings
def noisy(x):
    warnings.warn("careful")
    print("to stdout")
    print("to stderr", file=sys.stderr)
    return x.double().mul_(2)
""",
    "partial": "def partial(x):\n    return 2 * x.reshape(-1)",
    "square": "def square(x):\n    return x ** 2",
    "stub": "def stub(x):\n    raise NotImplementedError('not yet')",
    "undefined": "raise NotImplementedError('not yet')",
    "broken": "def broken(x):\n    return x.no_such_method()",
    "hungry": "def hungry(x):\n    raise MemoryError",
    "leaving": "import sys\ndef leaving(x):\n    sys.exit(0)",
    "exited": "def exited(x):\n    return 2 * x\nimport sys\nsys.exit(0)",
    "quitting": "def quitting(x):\n    return 2 * x\nexit()",
    "huge": "import torch\ndef huge(x):\n    return torch.ones(10**6) if x.ndim > 1 else 2 * x",
    "unclosed": "def unclosed(x):\n    return (2 * x",
    "renamed": "def Renamed(x):\n    return 2 * x",
    "endless": "import time\ndef endless(x):\n    time.sleep(1000)",
    "afterwards": "def afterwards(x):\n    return x + x",
    "fatal": "import os\ndef fatal(x):\n    os._exit(0)",
    "orphan": "def orphan(x):\n    return 2 * x",
}


def test_honest_work_gets_its_points_and_every_end_its_name(run) -> None:
    results = run(HONEST, timeout=8, seed=7)
    got = {name: (r.points, r.verdict["status"]) for name, r in results.items()}
    assert got == {
        "plain": (4, Status.CORRECT),
        "overwritten": (4, Status.CORRECT),
        "noisy": (4, Status.CORRECT),
        "partial": (3, Status.WRONG),
        "square": (0, Status.WRONG),
        "stub": (0, Status.NOT_RUN),
        "undefined": (0, Status.NOT_RUN),
        "broken": (0, Status.RAISED),
        "hungry": (0, Status.OUT_OF_MEMORY),
        "leaving": (0, Status.RAISED),
        "exited": (4, Status.CORRECT),
        "quitting": (4, Status.CORRECT),
        "huge": (3, Status.WRONG),
        "unclosed": (0, Status.NOT_RUN),
        "renamed": (0, Status.NOT_RUN),
        "endless": (0, Status.TIMED_OUT),
        "afterwards": (4, Status.CORRECT),
        "fatal": (0, Status.DIED),
        "orphan": (0, Status.NOT_RUN),
    }
    said = {name: result.verdict["message"] for name, result in results.items()}
    assert "it has a SyntaxError in line 2." in said["unclosed"]
    assert "defines `Renamed`, and the check asks for `renamed`" in said["renamed"]
    assert "has not been written yet" in said["undefined"]
    assert said["orphan"].startswith("Python ended in the cell `fatal`")
    assert results["square"].verdict["hint"] == "Not the square."
    assert "Not the square." in results["square"].html
    assert all(result.seed == 7 for result in results.values())
    assert all(result.source == f'check("{name}", {name})' for name, result in results.items())


FORGED = """
import base64, json
from IPython.display import display
from autograder.kernel import asking as module

def forged(x):
    return x

def answer():
    asked = module._asked or {"check": "forged", "nonce": "0" * 32, "cases": [0] * 4}
    value = {"array": ["float32", [2], base64.b64encode(bytes(8)).decode()]}
    text = json.dumps({"version": 1, "check": asked["check"], "nonce": asked["nonce"],
                       "outcomes": [{"returned": value}] * len(asked["cases"])})
    display({"application/vnd.autograder.evidence": text, "text/plain": "4.0"}, raw=True)
    return 4.0
"""

ATTACKS = {
    # Comparisons that always agree, in every library that a judge might use.
    "patched": """
import torch, numpy, math
for module in (torch, numpy, math):
    for name in ("allclose", "isclose", "equal", "array_equal"):
        if hasattr(module, name):
            setattr(module, name, lambda *a, **k: True)
torch.Tensor.__eq__ = lambda self, other: True
def patched(x):
    return x
""",
    # Assertions stripped, comparisons made true.
    "transformed": """
import ast
class Strip(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
    def visit_Compare(self, node):
        return ast.copy_location(ast.Constant(True), node)
get_ipython().ast_transformers.append(Strip())
def transformed(x):
    return x
""",
    "agreeable": """
class Agreeable(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
def agreeable(x):
    return Agreeable(1.0)
""",
    # A number, which is how nbgrader reads partial credit.
    "result": """
get_ipython().ast_node_interactivity = "all"
def result(x):
    return x
get_ipython().displayhook(4.0)
""",
    # The answer of an earlier cell, published again by a later one.
    "replayed": """
from IPython.display import display
import autograder.kernel.evidence
true_write = autograder.kernel.evidence.write_evidence
import autograder.kernel.asking
written = []
def remember(*args):
    written.append(true_write(*args))
    return written[0]
autograder.kernel.asking.write_evidence = remember
written.append(true_write("replayed", "0" * 32, []))
def replayed(x):
    return x
""",
    "doubled": """
autograder.kernel.asking.write_evidence = true_write
def doubled(x):
    from IPython.display import display
    display({"application/vnd.autograder.evidence": "{}", "text/plain": ""}, raw=True)
    return 2 * x
""",
    # check itself, and all that it calls, replaced; evidence made up for the right nonce.
    "forged": FORGED + "module.check = lambda name, f: answer()\ncheck = module.check\n",
    "silent": "module.check = lambda name, f: None\nsilent = None",
    "shouting": "module.check = lambda name, f: print('4.0') or 4.0\nshouting = None",
    # An earlier cell's recorded result, rewritten from a later cell.
    "rewritten": """
def rewriting(name, f):
    display({"text/plain": "first"}, raw=True, display_id="mine")
module.check = rewriting
rewritten = None
""",
    "rewriter": """
from IPython.display import update_display
update_display({"text/plain": "4.0", "text/html": "full marks"}, raw=True, display_id="mine")
rewriter = None
module.check = lambda name, f: get_ipython().run_line_magic("reset", "-f")
""",
}


def test_forgeries_earn_nothing(run) -> None:
    results = run(ATTACKS)
    assert {name: result.points for name, result in results.items()} == dict.fromkeys(ATTACKS, 0)
    assert results["replayed"].verdict["status"] == Status.REFUSED
    assert results["doubled"].verdict["status"] == Status.REFUSED
    assert results["forged"].verdict["status"] == Status.WRONG
    assert results["silent"].verdict["status"] == Status.NOT_RUN
    assert "full marks" not in results["rewritten"].html


MALFORMED = {
    # Halves of surrogate pairs, which no file can hold; lists and dicts where text belongs.
    "odd": """
import json
get_ipython().kernel.session.pack = lambda content: json.dumps(content, default=str).encode()
send, socket = get_ipython().kernel.session.send, get_ipython().kernel.iopub_socket
for content in (
    {"data": {"text/plain": "\\ud800", "text/html": {"a": [1]}}, "metadata": {}},
    {"data": {"application/vnd.autograder.evidence": {"outcomes": []}}, "metadata": {}},
):
    send(socket, "display_data", content, parent=get_ipython().kernel.get_parent())
def odd(x):
    send(socket, "display_data", {"data": {"text/plain": "\\ud800"}, "metadata": {}},
         parent=get_ipython().kernel.get_parent())
    return 2 * x
""",
    "wild": """
def wild(x):
    send(socket, "display_data", {"no": "data"}, parent=get_ipython().kernel.get_parent())
    return 2 * x
""",
    "afterwards": HONEST["afterwards"],
}


def test_messages_that_are_none_are_dropped(run) -> None:
    results = run(MALFORMED)
    assert {name: result.points for name, result in results.items()} == dict.fromkeys(results, 4)


@pytest.mark.slow
def test_a_notebook_has_a_time_in_all(run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "slow": "import time\ndef slow(x):\n    return 2 * x",
        "late": "time.sleep(1000)\ndef late(x):\n    return 2 * x",
        "never": "def never(x):\n    return 2 * x",
    }
    survive = Judge._survive

    def use_up(self: Judge, cell: NotebookNode, *where: object) -> object:
        """The time is up when the second answer begins, however fast the machine is."""
        assert self._deadline <= time.monotonic() + 1800
        if "1000" in cell.source:
            self._deadline = time.monotonic()
            self._left = 0
        return survive(self, cell, *where)

    monkeypatch.setattr(Judge, "_survive", use_up)
    monkeypatch.setattr(Judge, "_waited", lambda self: 0.0)
    results = run(answers, notebook_timeout=1800)
    assert [results[name].verdict["status"] for name in answers] == [
        Status.CORRECT,
        Status.NOT_RUN,
        Status.NOT_RUN,
    ]


def test_what_a_notebook_waits_for_a_processor_is_not_its_time(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lefts = []

    def waited(self: Judge) -> float:
        """First the kernel has waited for half of its time; then for far more than it has."""
        return 900.0 if len(lefts) == 0 else 1e9

    survive = Judge._survive

    def noted(self: Judge, *where: object) -> object:
        lefts.append(round(self._left))
        return survive(self, *where)

    monkeypatch.setattr(
        "autograder.grading.execution.judge.time", SimpleNamespace(monotonic=lambda: 0.0)
    )
    monkeypatch.setattr(Judge, "_waited", waited)
    monkeypatch.setattr(Judge, "_survive", noted)
    results = run({"plain": HONEST["plain"]}, timeout=3600, notebook_timeout=1800)
    assert results["plain"].verdict["status"] == Status.CORRECT
    assert lefts == [1800 + 900, 1800 + 3 * 1800]


def test_a_later_task_is_judged_with_right_functions_too(run) -> None:
    follows = "def follows(x):\n    return plain(x)"
    wrong = run({"plain": "def plain(x):\n    return 3 * x", "follows": follows})
    assert [wrong[name].points for name in ("plain", "follows")] == [0, 4]
    assert wrong["follows"].replaced == ["plain"]
    assert "right versions of <code>plain</code>" in wrong["follows"].html
    right = run({"plain": HONEST["plain"], "follows": follows})
    assert right["follows"].replaced == []
    # What comes first is not answered by what comes after it.
    early = run({"follows": follows, "plain": "plain = None"})
    assert [early[name].points for name in ("follows", "plain")] == [0, 0]
    assert early["follows"].replaced == []


def test_seeds_are_drawn_and_recorded(run) -> None:
    answers = {"plain": HONEST["plain"]}
    first, second = run(answers)["plain"], run(answers, seed=3)["plain"]
    again = run(answers, seed=first.seed)["plain"]
    assert first.seed != second.seed == 3
    outcomes = [json.loads(r.evidence[0])["outcomes"] for r in (first, again, second)]
    assert outcomes[0] == outcomes[1] != outcomes[2]
    assert first.verdict == again.verdict


def release(tmp_path: Path, names: list[str], cells: list[NotebookNode]) -> dict:
    checks = tmp_path / "checks" / "set.py"
    checks.parent.mkdir(parents=True)
    checks.write_text(f"NAMES = {names!r}\n{CHECKS}", encoding="utf-8")
    resources = {"nbgrader": {"assignment": "set", "notebook": "book"}}
    step = ReleasePublicCases(checks_directory=str(checks.parent))
    return step.preprocess(new_notebook(cells=cells), resources)[1]["outputs"]


def test_release_writes_the_public_cases_of_the_notebooks_cells(tmp_path: Path) -> None:
    outputs = release(tmp_path, ["here", "elsewhere"], [new_code_cell("1"), graded("here")])
    data = json.loads(outputs[f"book{PUBLIC_SUFFIX}"])
    assert list(data) == ["here"]
    assert len(data["here"]["cases"]) == 2  # one, asked twice


def test_release_warns_of_links_to_the_students_own_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(
        NbGraderPreprocessor, "log", SimpleNamespace(warning=lambda text, *a: said.append(text % a))
    )
    release(tmp_path / "a", ["here"], [new_markdown_cell("[Why](http://book/1)"), graded("here")])
    assert said == []
    for host in ("localhost:8000", "127.0.0.1", "localhost.example.org"):
        cell = new_markdown_cell(f"[Here](http://{host}/book.html)")
        release(tmp_path / host, ["here"], [cell, graded("here")])
    assert [line.split()[6] for line in said] == [
        "http://localhost:8000,",
        "http://127.0.0.1,",
    ]


@pytest.mark.parametrize(
    ("cell", "message"),
    [(graded("unknown"), "no check of that name"), (graded("here", 3), "Make them the same")],
)
def test_release_refuses_cells_that_do_not_fit_the_checks(
    tmp_path: Path, cell: NotebookNode, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        release(tmp_path, ["here"], [cell])
