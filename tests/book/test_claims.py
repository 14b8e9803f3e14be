"""The numbers in the pages' text are those of their outputs; what 2.2 defines is kdlab's.

A number in a sentence is printed on its page, stands in the page's code, was found by doing what
"Try it" asks (benchmarks/tried.py), or is listed below: with what holds it, or as no result at all.
"""

import inspect
import re
from pathlib import Path

import matplotlib
import nbformat
import pytest
import torch

from benchmarks.trials import TRIALS
from benchmarks.tried import CELL, NUMBER, recorded
from kdlab import CombinedObjective
from tests.book.loose_numbers import ELSEWHERE
from tests.documentation import same_text

BOOK = Path(__file__).parents[2] / "book"
PAGE = BOOK / "combined/the-formula.md"
PAGES = [
    path.relative_to(BOOK).with_suffix("").as_posix()
    for path in sorted(BOOK.rglob("*.md"))
    if CELL.search(path.read_text(encoding="utf8"))
]
CAPTIONS = re.compile(r"^```\{code-cell\} ipython3\n---\n(.*?)\n---\n", re.MULTILINE | re.DOTALL)
# What is no sentence, line by line; and what in a sentence is no result: code, links, formulas.
BLOCK = re.compile(
    r"\A---\n.*?\n---\n|^(`{3,})(?!\{admonition|\{diagram)[^`\n]+\n.*?^\1$"
    r"|^\$\$.*?^\$\$[^\n]*|^[`:]{3}[^\n]*|^:\w+:[^\n]*|^#[^\n]*|^[=!] [^\n]*",
    re.MULTILINE | re.DOTALL,
)
ASIDE = re.compile(
    r"\{[\w:]+\}`[^`]*`|`[^`]*`|\[[^\]]*\]\([^)]*\)|\$[^$]*\$|\b[Ll]abs? \d\.\d|\b20[12]\d\b"
    r"|95% interval"
)
# A result has decimals, or is a share.
FOUND = re.compile(r"(?<![\w.,/#-])(\d(?:[\d,]*\d)?\.\d+|\d+(?=%))(?!\w)")


@pytest.fixture(scope="module")
def formula() -> dict:
    """The names that the page defines, after all its cells have run."""
    matplotlib.use("Agg")
    namespace: dict = {}
    for cell in CELL.findall(PAGE.read_text(encoding="utf8")):
        exec(cell, namespace)
    return namespace


@pytest.mark.parametrize("seed", range(5))
def test_loss_from_scratch_is_kdlabs(formula, seed):
    torch.manual_seed(seed)
    student, teacher = torch.randn(2, 3, 7, 11, dtype=torch.float64)
    labels = torch.randint(11, (3, 7)).masked_fill(torch.rand(3, 7) < 0.3, -100)
    lam, temperature = 3 * torch.rand(()).item(), 0.5 + 3 * torch.rand(()).item()
    theirs = CombinedObjective(lam=lam, temperature=temperature)(student, teacher, labels).loss
    ours = formula["combined_loss"](student, teacher, labels, lam, temperature)
    torch.testing.assert_close(ours, theirs)


def test_trl_computes_what_the_page_says(formula):
    trainer = pytest.importorskip("trl.experimental.gkd").GKDTrainer
    student, teacher, labels = (formula[name] for name in ("student", "teacher", "labels"))
    theirs = trainer.generalized_jsd_loss(
        student, teacher, labels=labels, beta=0.0, temperature=formula["T"]
    )
    torch.testing.assert_close(formula["trl_gkd"](), theirs)
    assert "temperature" not in inspect.getsource(trainer.compute_loss)  # its loss is at T = 1


def test_liger_computes_what_the_page_says(formula):
    from liger_kernel.chunked_loss import LigerFusedLinearJSDLoss

    loss = LigerFusedLinearJSDLoss(
        weight_hard_loss=0.0,
        weight_soft_loss=1.0,
        beta=0.0,
        temperature=formula["T"],
        ignore_index=-100,
        compiled=False,
    )
    head = torch.eye(8, dtype=torch.float64)  # the hidden states are the logits
    theirs = loss(
        formula["student"].reshape(-1, 8),
        head,
        formula["teacher"].reshape(-1, 8),
        head,
        formula["labels"].reshape(-1),
    )
    torch.testing.assert_close(formula["liger_jsd"]().float(), theirs)  # Liger sums in float32


def test_torchtune_computes_what_the_page_says(formula, losses_of):
    losses = losses_of("torchtune", "0.6.1", "torchtune/modules/loss/kd_losses.py")
    theirs = losses.ForwardKLLoss()(formula["student"], formula["teacher"], formula["labels"])
    torch.testing.assert_close(formula["torchtune_forward_kl"]().float(), theirs)


def test_nemo_computes_what_the_page_says(formula, losses_of):
    losses = losses_of("nemo-automodel", "0.7.0", "nemo_automodel/components/loss/kd_loss.py")
    loss = losses.KDLoss(temperature=formula["T"])
    theirs = loss(formula["student"], formula["teacher"], formula["labels"])
    torch.testing.assert_close(formula["nemo_kd"]().float(), theirs)


def test_modelopt_computes_what_the_page_says(formula, losses_of):
    losses = losses_of("nvidia-modelopt", "0.47.0", "modelopt/torch/distill/losses.py")
    counted = (formula[name][formula["counts"]] for name in ("student", "teacher"))
    theirs = losses.LogitsDistillationLoss(temperature=formula["T"])(*counted)
    torch.testing.assert_close(formula["modelopt_logits"](), theirs)


def as_written(like: str, value: float) -> str:
    """A value with as many digits as a text gives."""
    return f"{value:,.{len(like.partition('.')[2])}f}"


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: f"{trial.page} {trial.words[:40]}")
def test_what_you_should_see_is_what_was_found(trial):
    said, found = trial.in_text(), recorded()[trial.words]
    assert said, "the page does not say this any more"
    assert found["ran"] == trial.fingerprint(), f"again: python -m benchmarks.tried {trial.page}"
    numbers = zip(said.groups(), found["found"], strict=True)
    assert said.groups() == tuple(as_written(like, value) for like, value in numbers)


def printed(book: Path, page: str) -> str:
    """What the page's cells print, and the words in their figures."""
    notebook = nbformat.read(book / f"_sources/book/{page}.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    drawn = "".join(output.get("data", {}).get("image/svg+xml", "") for output in outputs)
    words = re.findall(r">([^<>]*)</(?:text|tspan)>", drawn)
    return "\n".join([output.get("text", "") for output in outputs] + words)


@same_text
@pytest.mark.parametrize("page", PAGES)
def test_each_number_in_a_sentence_is_in_the_pages_output_or_held_elsewhere(book, page):
    source = (BOOK / f"{page}.md").read_text(encoding="utf8")
    code = "\n".join(CELL.findall(source)).replace("_", "")
    shown = re.findall(NUMBER, printed(book, page) + code)
    values = {float(number.replace(",", "")) for number in shown}
    text = " ".join(" ".join([BLOCK.sub("", source), *CAPTIONS.findall(source)]).split())
    held = [trial.in_text()[0] for trial in TRIALS if trial.page == page]
    for phrase in (*held, *ELSEWHERE.get(page, ())):
        assert phrase in text, f"{page} does not say this any more: {phrase}"
        text = text.replace(phrase, " ")
    text = ASIDE.sub(" ", text)
    loose = [
        text[max(found.start() - 60, 0) : found.end() + 20]
        for found in FOUND.finditer(text)
        if found[1] not in {as_written(found[1], value) for value in values}
    ]
    assert not loose, "\n".join(loose)
