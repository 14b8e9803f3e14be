"""References of ps4_training against a gradient by hand, and against kdlab and torch."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from autograder.spec import Case, generator, load_checks
from exercises.bank import EXERCISES, grade_id, source
from kdlab import CombinedObjective

CHECKS = load_checks(EXERCISES / "checks" / "ps4_training.py")


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
    embedding, head, kept = weights
    gradients, loss, count = [np.zeros_like(embedding), np.zeros_like(head)], 0.0, 0
    for token, label in zip(tokens.flatten(), labels.flatten(), strict=True):
        if label == -100:
            continue
        hidden = np.tanh(embedding[token]) * kept
        q = np.exp(head @ hidden)
        q /= q.sum()
        p = np.exp(teacher[1] @ np.tanh(teacher[0][token]))
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
        for tokens, labels in batches:
            gradients, loss = by_hand(weights, arrays(teacher), tokens.numpy(), labels.numpy(), lam)
            losses.append(loss)
            weights[:2] = [w - rate * g for w, g in zip(weights, gradients, strict=False)]
        reference = CHECKS["training_step"].reference
        given = (student, teacher, batches, lam, rate)
        assert reference(*given, "loss").tolist() == pytest.approx(losses)
        flat = np.concatenate([each.ravel() for each in weights[:2]])
        assert reference(*given, "student").numpy() == pytest.approx(flat)


class Model(nn.Module):
    """What the notebook's model computes, in float64, with torch's own layers."""

    def __init__(self, embedding: torch.Tensor, head: torch.Tensor, kept: torch.Tensor) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(embedding.double().clone(), freeze=False)
        self.head = nn.Linear(*reversed(head.shape), bias=False, dtype=torch.float64)
        self.head.weight.data.copy_(head)
        self.kept = kept.double()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.embedding(tokens).tanh()
        return self.head(hidden * self.kept if self.training else hidden)


def test_a_group_is_one_batch_of_kdlab() -> None:
    """Each group as one batch, with kdlab's objective and torch's optimiser."""
    for case in cases("train", "student"):
        student, teacher, batches, start, factor, accumulate, rate, _ = case.args
        learner, guide = Model(*student).train(), Model(*teacher).eval()
        optimizer = torch.optim.SGD(learner.parameters(), lr=rate)
        for step in range(math.ceil(len(batches) / accumulate)):
            group = batches[step * accumulate : (step + 1) * accumulate]
            tokens = torch.cat([tokens.flatten() for tokens, _ in group])
            labels = torch.cat([labels.flatten() for _, labels in group])
            objective = CombinedObjective(lam=start * factor**step)
            optimizer.zero_grad()
            objective(learner(tokens), guide(tokens), labels).loss.backward()
            optimizer.step()
        flat = torch.cat([each.detach().flatten() for each in learner.parameters()])
        torch.testing.assert_close(CHECKS["train"].reference(*case.args), flat)


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
        embedding, head, _ = case.args[1]
        seen = CHECKS[name].reference(*case.args)
        assert torch.equal(seen, torch.zeros(2 * (embedding.numel() + head.numel())).double())


def test_a_student_that_agrees_with_everyone_stays() -> None:
    """Labels that the student is sure of, and a teacher of the same mind: no loss, no update."""
    sure = [torch.eye(3) * 5, torch.eye(3) * 50, torch.ones(3)]
    tokens = torch.tensor([[0, 1, 2, 2]])
    batches = [[tokens, tokens], [tokens, tokens]]
    for watch in ("student", "loss"):
        seen = CHECKS["training_step"].reference(sure, sure, batches, 2.0, 0.5, watch)
        flat = torch.cat([sure[0].flatten(), sure[1].flatten()]).double()
        torch.testing.assert_close(seen, flat if watch == "student" else torch.zeros(2).double())


def test_perplexity_of_a_model_that_knows_nothing_is_the_vocabulary() -> None:
    weights = [torch.randn(7, 3), torch.zeros(7, 3), torch.ones(3)]
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


def test_what_is_given_agrees_with_kdlab() -> None:
    """The notebook's model and summed loss."""
    (setup,) = (cell.source for cell in source("ps4_training").cells if grade_id(cell) == "setup")
    given: dict = {}
    exec(setup, given)
    for case in cases("training_step", "student"):
        student, teacher, batches, lam, _, _ = case.args
        pair = [(given["TinyModel"](*weights), Model(*weights)) for weights in (student, teacher)]
        for mode in (True, False):
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
