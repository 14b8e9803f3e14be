"""References of ps4_training against a gradient by hand, and against kdlab and torch."""

import math
import re
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from autograder.judging.evidence import decode_outcome
from autograder.judging.verdict import Rubric, judge
from autograder.kernel.asking import observe
from autograder.kernel.evidence import encode_outcome
from autograder.questions import generator, question
from autograder.spec import Case
from exercises.bank import checks, grade_id, source
from kdlab import CombinedObjective

CHECKS = checks("ps4_training")
MOMENTUM = 0.9


def cases(name: str, watch: str) -> list[Case]:
    """All cases of a check in which one thing is looked at."""
    check = CHECKS[name]
    found = [case for case in check.cases(generator(4, check)) if case.args[-1] == watch]
    assert len(found) >= 3
    return found


def by_hand(weights: list, teacher: list, tokens, labels, lam: float) -> tuple[list, float]:
    """The gradient of a batch's mean in closed form, and that mean; numpy, position by position.

    ∂/∂logits of −log q(y) + λ·KL(p‖q) is (q − onehot(y)) + λ(q − p).
    """
    embedding, head, kept, *_ = weights
    gradients, loss, count = [np.zeros_like(embedding), np.zeros_like(head)], 0.0, 0
    for token, label in zip(tokens.flatten(), labels.flatten(), strict=True):
        if label == -100:
            continue
        hidden = np.tanh(embedding[token]) * kept
        q = np.exp(head @ hidden)
        q /= q.sum()
        p = np.exp(teacher[1] @ (np.tanh(teacher[0][token]) - teacher[3]))
        p /= p.sum()
        pull = q - np.eye(len(q))[label] + lam * (q - p)
        gradients[1] += np.outer(pull, hidden)
        gradients[0][token] += (head.T @ pull) * kept * (1 - np.tanh(embedding[token]) ** 2)
        loss += -math.log(q[label]) + lam * float((p * np.log(p / q)).sum())
        count += 1
    return [gradient / count for gradient in gradients], loss / count


def arrays(weights: list) -> list[np.ndarray]:
    return [each.double().numpy() for each in weights]


def test_steps_follow_the_gradient_by_hand() -> None:
    for student, teacher, batches, lam, rate, _ in (c.args for c in cases("training_step", "loss")):
        weights, losses = arrays(student), []
        speed = [np.zeros_like(each) for each in weights[:2]]
        for tokens, labels in batches:
            gradients, loss = by_hand(weights, arrays(teacher), tokens.numpy(), labels.numpy(), lam)
            losses.append(loss)
            speed = [MOMENTUM * v + g for v, g in zip(speed, gradients, strict=True)]
            weights[:2] = [w - rate * v for w, v in zip(weights, speed, strict=False)]
        reference = CHECKS["training_step"].reference
        given = (student, teacher, batches, lam, rate)
        assert reference(*given, "loss").tolist() == pytest.approx(losses)
        flat = np.concatenate([each.ravel() for each in weights[:2]])
        assert reference(*given, "student")[-1].numpy() == pytest.approx(flat, rel=1e-5, abs=1e-6)


class Model(nn.Module):
    """What the notebook's model computes, in float64, with torch's own layers."""

    def __init__(self, *weights: torch.Tensor) -> None:
        super().__init__()
        embedding, head, self.kept, self.mean, _ = (each.double() for each in weights)
        self.embedding = nn.Embedding.from_pretrained(embedding.clone(), freeze=False)
        self.head = nn.Linear(*reversed(head.shape), bias=False, dtype=torch.float64)
        self.head.weight.data.copy_(head)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.embedding(tokens).tanh()
        return self.head(hidden * self.kept if self.training else hidden - self.mean)


def test_a_group_is_one_batch_of_kdlab() -> None:
    """Each group as one batch, with kdlab's objective and torch's optimiser."""
    for case in cases("train", "student"):
        student, teacher, batches, start, factor, accumulate, rate, _ = case.args
        learner, guide = Model(*student).train(), Model(*teacher).eval()
        optimizer = torch.optim.SGD(learner.parameters(), lr=rate, momentum=MOMENTUM)
        for step in range(math.ceil(len(batches) / accumulate)):
            group = batches[step * accumulate : (step + 1) * accumulate]
            tokens = torch.cat([tokens.flatten() for tokens, _ in group])
            labels = torch.cat([labels.flatten() for _, labels in group])
            objective = CombinedObjective(lam=max(start * factor**step, 0.0))
            optimizer.zero_grad()
            objective(learner(tokens), guide(tokens), labels).loss.backward()
            optimizer.step()
        flat = torch.cat([each.detach().flatten() for each in learner.parameters()])
        torch.testing.assert_close(CHECKS["train"].reference(*case.args)[-1], flat.float())


def test_one_micro_batch_a_group_is_a_step() -> None:
    """`train` with accumulate = 1 and a constant λ does what `training_step` does."""
    for case in cases("training_step", "student"):
        student, teacher, batches, lam, rate, _ = case.args
        steps = CHECKS["training_step"].reference(*case.args)
        loop = CHECKS["train"].reference(student, teacher, batches, lam, 1.0, 1, rate, "student")
        torch.testing.assert_close(steps, loop)


@pytest.mark.parametrize("name", ["training_step", "train"])
def test_the_teacher_stays_as_it_is(name: str) -> None:
    for case in cases(name, "teacher"):
        teacher = case.args[1]
        seen = CHECKS[name].reference(*case.args)
        answers = Model(*teacher).eval()(torch.arange(len(teacher[0]))).detach().flatten()
        torch.testing.assert_close(seen[: len(answers)], answers)
        assert not seen[len(answers) :].any()
        assert len(seen) == len(answers) + teacher[0].numel() + teacher[1].numel()


def test_a_student_that_agrees_with_everyone_stays() -> None:
    """Labels that the student is sure of, and a teacher of the same mind: no loss, no update."""
    sure = [torch.eye(3) * 5, torch.eye(3) * 50, torch.ones(3), torch.zeros(3), torch.tensor(9.0)]
    tokens = torch.tensor([[0, 1, 2, 2]])
    batches = [[tokens, tokens], [tokens, tokens]]
    for watch in ("student", "loss"):
        seen = CHECKS["training_step"].reference(sure, sure, batches, 2.0, 0.5, watch)
        stays = torch.cat([sure[0].flatten(), sure[1].flatten()]).expand(2, -1)
        torch.testing.assert_close(seen, stays if watch == "student" else torch.zeros(2).double())


def test_perplexity_of_a_model_that_knows_nothing_is_the_vocabulary() -> None:
    weights = [torch.randn(7, 3), torch.zeros(7, 3), *torch.ones(2, 3), torch.tensor(9.0)]
    data = {"train": [], "held_out": [[torch.tensor([[1, 2, 6]]), torch.tensor([[4, -100, 0]])]]}
    assert CHECKS["evaluate"].reference(weights, data, True, "perplexity") == pytest.approx(7)


def test_perplexity_is_that_of_all_positions_in_one_row() -> None:
    for case in cases("evaluate", "perplexity"):
        weights, data, _, _ = case.args
        tokens = torch.cat([tokens.flatten() for tokens, _ in data["held_out"]])
        labels = torch.cat([labels.flatten() for _, labels in data["held_out"]])
        loss = nn.functional.cross_entropy(Model(*weights).eval()(tokens), labels)
        torch.testing.assert_close(CHECKS["evaluate"].reference(*case.args), loss.exp().detach())


def test_every_case_tells_the_modes_apart() -> None:
    """A dropout that drops nothing, or a teacher that counts for nothing, would hide them."""
    for name in ("training_step", "train"):
        check = CHECKS[name]
        (confused,) = (w for w in check.misconceptions if w.name == "modes_left_as_they_came")
        for case in cases(name, "student"):
            right, wrong = check.reference(*case.args), confused.implementation(*case.args)
            assert (right - wrong).abs().max() > 20 * check.tolerance(case)


def setup_cell() -> str:
    (setup,) = (cell.source for cell in source("ps4_training").cells if grade_id(cell) == "setup")
    return setup


def test_the_observers_model_is_the_one_that_the_notebook_shows() -> None:
    observer = CHECKS["train"].observer.source
    shown = re.search(r"^class TinyModel.*?(?=^\S)", setup_cell(), re.DOTALL | re.MULTILINE)[0]
    assert shown in observer


def test_what_is_given_agrees_with_kdlab() -> None:
    """The notebook's model and summed loss."""
    given: dict = {}
    exec(setup_cell(), given)
    for case in cases("training_step", "student"):
        student, teacher, batches, lam, _, _ = case.args
        pair = [(given["TinyModel"](*weights), Model(*weights)) for weights in (student, teacher)]
        for mode in (False, True):  # in this order: training moves the running mean
            for tokens, labels in batches:
                ours, theirs = zip(
                    *((a.train(mode)(tokens), b.train(mode)(tokens)) for a, b in pair), strict=True
                )
                for a, b in zip(ours, theirs, strict=True):
                    torch.testing.assert_close(a.float(), b.float(), rtol=1e-5, atol=1e-5)
                total, count = given["summed_loss"](*ours, labels, lam)
                expected = CombinedObjective(lam=lam)(*theirs, labels)
                assert int(count) == int(expected.num_items)
                assert total.item() / int(count) == pytest.approx(expected.loss.item(), rel=1e-4)


# --- What the observers see ---------------------------------------------------------------------


def earned(name: str, value: object) -> dict[str, float]:
    """Points by part."""
    asked, rubric = asked_of(name)
    outcomes = [decode_outcome(encode_outcome(outcome)) for outcome in observe(value, asked)]
    return judge(rubric, outcomes).parts


@cache
def asked_of(name: str) -> tuple[dict, Rubric]:
    check = CHECKS[name]
    found = check.cases(generator(5, check))
    return question(check, found), check.rubric(found)


def notebook(replaced: str = "") -> dict:
    """The notebook's cells with the solution, and one more."""
    space: dict = {}
    for cell in source("ps4_training").cells:
        if cell.cell_type == "code" and grade_id(cell) not in CHECKS:
            exec(cell.source, space)
    exec(replaced, space)
    return space


ASTRAY = """
def TinyModel(*weights): raise RuntimeError("the notebook's own")
def try_evaluate(*args): return True
look_at_evaluation = look_at_step = look_at_training = observe = try_train = try_evaluate
parameters_of = answers = seen_of = add_to = try_evaluate
"""


@pytest.mark.parametrize("name", ["training_step", "train", "evaluate"])
def test_nothing_in_the_notebook_reaches_an_observer(name: str) -> None:
    space = notebook(ASTRAY)
    assert earned(name, space[name]) == CHECKS[name].parts
    assert not any(earned(name, space["observe"]).values())


COVERED_UP = {
    "gradients cleared": """
def training_step(student, teacher, batch, optimizer, lam):
    student.train(), teacher.eval()
    total, count = summed_loss(student(batch[0]), teacher(batch[0]), batch[1], lam)
    optimizer.zero_grad()
    (total / count).backward()
    optimizer.step()
    teacher.zero_grad()
    return (total / count).item()
""",
    "mode set back": """
def training_step(student, teacher, batch, optimizer, lam):
    teacher(batch[0])  # with its dropout, and its statistics move
    return right(student, teacher, batch, optimizer, lam)
""",
    "parameters moved": """
def training_step(student, teacher, batch, optimizer, lam):
    loss = right(student, teacher, batch, optimizer, lam)
    with torch.no_grad():
        teacher.head += 0.01
    return loss
""",
}


@pytest.mark.parametrize("how", COVERED_UP)
def test_what_befell_the_teacher_is_seen_though_it_is_covered_up(how: str) -> None:
    space = notebook("right = training_step\n" + COVERED_UP[how])
    parts = earned("training_step", space["training_step"])
    assert parts["the teacher"] == 0


def test_a_flag_is_no_answer_to_what_became_of_the_model() -> None:
    flags = """
right = evaluate
def evaluate(model, data):
    perplexity = right(model, data)
    model.training = LEFT
    return perplexity
"""
    for left in (True, False):
        space = notebook(f"LEFT = {left}\n{flags}")
        assert earned("evaluate", space["evaluate"]) == {
            "perplexity": 3,
            "the model after it": 0,
        }


def test_a_step_may_clear_the_teachers_gradient_and_leave_it_in_any_mode() -> None:
    for more in ("teacher.zero_grad()", "teacher.train()", "teacher.requires_grad_(False)"):
        space = notebook(
            "right = training_step\n"
            "def training_step(student, teacher, batch, optimizer, lam):\n"
            "    loss = right(student, teacher, batch, optimizer, lam)\n"
            f"    {more}\n"
            "    return loss\n"
        )
        assert earned("training_step", space["training_step"]) == CHECKS["training_step"].parts
