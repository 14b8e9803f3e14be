"""References of ps5_bug_clinic against kdlab and closed forms; the story's numbers, computed."""

import math

import pytest
import torch
import torch.nn.functional as F

from autograder.questions import generator
from autograder.spec import FunctionCheck
from exercises.bank import checks, grade_id, source
from kdlab import CombinedObjective, forward_kl, jensen_shannon

ASSIGNMENT = "ps5_bug_clinic"
CHECKS = checks(ASSIGNMENT)
END, IGNORED = 0, -100


def arguments(name: str) -> list[tuple]:
    """Of all cases of a check, random ones included."""
    check = CHECKS[name]
    return [case.args for case in check.cases(generator(1, check))]


def doubles(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return tuple(tensor.double() for tensor in tensors)


def parts(value: torch.Tensor | tuple | list) -> tuple | list:
    return value if isinstance(value, tuple | list) else (value,)


def notebook_cells() -> dict[str, str]:
    return {grade_id(cell): cell.source for cell in source(ASSIGNMENT).cells}


def test_kd_mean_agrees_with_kdlab() -> None:
    for student, teacher, temperature in ((*args, 1.0)[:3] for args in arguments("kd_mean")):
        kl = forward_kl(*doubles(student, teacher), temperature=temperature)
        ours = CHECKS["kd_mean"].reference(student, teacher, temperature)
        assert float(ours) == pytest.approx(float(temperature**2 * kl.mean()), abs=1e-9)


def test_kd_masked_agrees_with_kdlab() -> None:
    for student, teacher, input_ids, labels in arguments("kd_masked"):
        expected = CombinedObjective()(*doubles(student, teacher), labels).kd_loss
        ours = CHECKS["kd_masked"].reference(student, teacher, input_ids, labels)
        assert float(ours) == pytest.approx(float(expected), abs=1e-9)


def test_next_token_losses_agree_with_kdlab_and_with_a_walk_through_the_tokens() -> None:
    for student, teacher, labels in arguments("next_token_losses"):
        student, teacher = doubles(student, teacher)
        output = CombinedObjective()(student[:, :-1], teacher[:, :-1], labels[:, 1:])
        lm, kd = CHECKS["next_token_losses"].reference(student, teacher, labels)
        assert float(lm) == pytest.approx(float(output.lm_loss))
        assert float(kd) == pytest.approx(float(output.kd_loss))
        paid = [
            -float(student[text, place - 1].log_softmax(-1)[token])
            for text, tokens in enumerate(labels.tolist())
            for place, token in enumerate(tokens)
            if place and token != IGNORED
        ]
        assert float(lm) == pytest.approx(sum(paid) / len(paid))


def test_jsd_agrees_with_kdlab() -> None:
    for student, teacher, beta in arguments("jsd"):
        expected = jensen_shannon(*doubles(student, teacher), beta=beta)
        torch.testing.assert_close(CHECKS["jsd"].reference(student, teacher, beta), expected)


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
def test_jsd_of_models_that_agree_in_nothing_is_the_entropy_of_beta(beta: float) -> None:
    student = torch.tensor([[[1e4, -1e4, -1e4]]])
    teacher = torch.tensor([[[-1e4, 1e4, -1e4]]])
    entropy = -beta * math.log(beta) - (1 - beta) * math.log(1 - beta)
    assert CHECKS["jsd"].reference(student, teacher, beta).item() == pytest.approx(entropy)


def test_accumulated_loss_agrees_with_kdlab_told_the_count() -> None:
    for (micro_batches,) in arguments("accumulated_loss"):
        items = sum((labels != IGNORED).sum() for _, labels in micro_batches)
        objective = CombinedObjective(lam=0.0)
        expected = sum(
            objective(logits.double(), logits.double(), labels, num_items=items).loss
            for logits, labels in micro_batches
        )
        ours = CHECKS["accumulated_loss"].reference(micro_batches)
        assert float(ours) == pytest.approx(float(expected))


def test_accumulated_loss_is_the_same_however_the_batch_is_cut() -> None:
    (logits, labels), *_ = CHECKS["accumulated_loss"].fixed[3].args[0]
    whole = F.cross_entropy(logits.double().flatten(0, 1), labels.flatten())
    in_two = [[logits[:1], labels[:1]], [logits[1:], labels[1:]]]
    along = [[logits[:, :2], labels[:, :2]], [logits[:, 2:], labels[:, 2:]]]
    for parts in ([[logits, labels]], in_two, along):
        assert float(CHECKS["accumulated_loss"].reference(parts)) == pytest.approx(float(whole))


def test_rows_are_as_the_story_says() -> None:
    """Labels are the inputs, one on; what does not count is a prompt or behind the last end."""
    ends_that_count = inputs_that_begin = prompts_between = prompts_alone = 0
    for *_, input_ids, labels in arguments("kd_masked"):
        for ids, marked in zip(input_ids.tolist(), labels.tolist(), strict=True):
            counted = [place for place, label in enumerate(marked) if label != IGNORED]
            prompts_alone += not counted
            if not counted:
                continue
            first, last = counted[0], counted[-1]
            prompts_between += counted != list(range(first, last + 1))
            assert all(ids[place + 1] == marked[place] for place in counted if place + 1 < len(ids))
            assert END not in ids[: first + 1]
            assert all(token == END for token in ids[last + 1 :])
            ends_that_count += marked.count(END)
            inputs_that_begin += sum(ids[place] == END for place in counted)
    assert ends_that_count
    assert inputs_that_begin
    assert prompts_between
    assert prompts_alone


@pytest.mark.parametrize("name", [n for n, c in CHECKS.items() if isinstance(c, FunctionCheck)])
def test_the_patient_is_the_first_misconception(name: str) -> None:
    """What the notebook shows is what the hint about an unrepaired bug speaks of."""
    cells = notebook_cells()
    namespace: dict = {}
    exec(cells["setup"], namespace)
    exec(cells[f"{name}_given"], namespace)
    bug = CHECKS[name].misconceptions[0].implementation
    for case in CHECKS[name].cases():
        found = namespace[f"{name}_as_found"](*case.args)
        pairs = zip(parts(found), parts(bug(*case.args)), strict=True)
        for shown, known in pairs:
            torch.testing.assert_close(
                shown.double(), known.double(), equal_nan=True, rtol=1e-5, atol=1e-5
            )


def test_a_teacher_under_the_students_name_fits_the_four_measurements() -> None:
    torch.manual_seed(0)
    teacher, labels = torch.randn(2, 5, 8), torch.randint(8, (2, 5))
    student = torch.randn(2, 5, 8, requires_grad=True)
    for temperature in (1.0, 4.0):
        lm = F.cross_entropy(student.flatten(0, 1), labels.flatten())
        loss = lm + forward_kl(teacher, teacher, temperature=temperature).mean()
        assert f"{loss - lm:.4f}" == "0.0000"
        own, alone = (torch.autograd.grad(x, student, retain_graph=True)[0] for x in (loss, lm))
        assert torch.equal(own, alone)
    assert "0.0000 and 0.0000" in notebook_cells()["zero_loss_choice_task"]


def test_the_numbers_of_triage_are_those_of_its_bugs() -> None:
    """A batch with KL 2.40 and entropy 5.95 at every position, under the four bugs."""
    texts, length, size = 16, 128, 8000
    thought_of = round(math.exp(5.95))  # tokens that the teacher gives the same
    p = torch.zeros(size, dtype=torch.float64)
    p[:thought_of] = 1 / thought_of
    share = math.exp(-2.4)  # of the student's probability, on the teacher's tokens
    q = torch.full_like(p, (1 - share) / (size - thought_of))
    q[:thought_of] = share / thought_of

    def mean(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.sum(-1).mean()

    def measured(bug: str, length: int = length, pieces: int = 1) -> str:
        student = q if bug == "logarithm" else q.log()
        shares = F.kl_div(student, p, reduction="none").expand(texts // pieces, length, size)
        value = {
            "right": mean,
            "vocabulary": torch.mean,
            "texts": lambda x: x.sum() / len(x),
            "logarithm": mean,
            "parts": lambda x: pieces * mean(x),
        }[bug](shares)
        digits = 4 if bug == "vocabulary" else 2
        return f"{value:.{digits}f}".replace("-", "−")

    assert measured("right") == "2.40"
    assert f"{torch.special.entr(p).sum():.2f}" == "5.95"
    table = notebook_cells()["triage_task"]
    for row, bug in CHECKS["triage"].answer.items():
        cells = (measured(bug), measured(bug, length=64), measured(bug, pieces=4))
        assert f"| {row} | {' | '.join(cells)} |" in table


def test_how_much_too_small() -> None:
    """Shares of a KL of 1 nat, spread over the vocabulary, where 384 of 512 positions count."""
    shares = torch.full((8, 64, 32_000), 1 / 32_000)
    shares[:, 48:] = 0
    right = shares.sum(dtype=torch.float64) / 384
    printed = shares.mean(dtype=torch.float64)
    assert CHECKS["how_much_too_small"].answer == pytest.approx(float(right / printed), rel=1e-6)
