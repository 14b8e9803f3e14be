"""Measurements against slow, plain loops."""

import math

import pytest
import torch
import torch.nn as nn

from kdlab import TinyGPT, evaluate, perplexity


@pytest.fixture
def data():
    torch.manual_seed(0)
    items = []
    for _ in range(7):
        ids = torch.randint(0, 20, (9,))
        labels = ids.clone()
        labels[torch.rand(9) < 0.3] = -100
        items.append({"input_ids": ids, "labels": labels})
    return items


def model(seed):
    torch.manual_seed(seed)
    made = TinyGPT("tiny-student", vocab_size=20, block_size=9)
    with torch.no_grad():  # far from uniform, so that a slip shows
        for parameter in made.parameters():
            parameter.mul_(4)
    return made


@torch.no_grad()
def slowly(student, teacher, data):
    lm, teacher_lm, kl, agree, count = 0.0, 0.0, 0.0, 0, 0
    for item in data:
        q = student(item["input_ids"][None])[0].double().softmax(-1)
        p = teacher(item["input_ids"][None])[0].double().softmax(-1)
        for t in range(8):
            label = item["labels"][t + 1].item()
            if label == -100:
                continue
            lm -= math.log(q[t, label])
            teacher_lm -= math.log(p[t, label])
            kl += sum(p[t, v].item() * math.log(p[t, v] / q[t, v]) for v in range(20))
            agree += int(q[t].argmax() == p[t].argmax())
            count += 1
    return lm / count, teacher_lm / count, kl / count, agree / count, count


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_evaluation_is_the_mean_over_labelled_positions(data, batch_size):
    student, teacher = model(1), model(2)
    lm, teacher_lm, kl, agree, count = slowly(student, teacher, data)
    result = evaluate(student, data, teacher, batch_size=batch_size)
    assert result.lm_loss == pytest.approx(lm, rel=1e-5)
    assert result.teacher_lm_loss == pytest.approx(teacher_lm, rel=1e-5)
    assert result.kl_to_teacher == pytest.approx(kl, rel=1e-4)
    assert result.agreement_top1 == agree
    assert result.positions == count
    assert result.perplexity == pytest.approx(math.exp(lm), rel=1e-5)


def test_a_student_that_is_its_teacher_has_nothing_left_to_learn(data):
    result = evaluate(model(1), data, model(1))
    assert result.kl_to_teacher == 0.0
    assert result.agreement_top1 == 1.0
    assert result.perplexity == result.teacher_perplexity


def test_without_a_teacher_nothing_is_said_about_one(data):
    result = evaluate(model(1), data)
    assert result.kl_to_teacher is result.agreement_top1 is result.teacher_perplexity is None


def test_perplexity_of_ignorance_is_the_vocabulary(data):
    assert perplexity(nn.Embedding(20, 20, _weight=torch.zeros(20, 20)), data) == pytest.approx(20)


def test_modes_are_restored_and_dropout_is_off(data):
    student = TinyGPT("tiny-student", vocab_size=20, block_size=9, dropout=0.5).train()
    teacher = model(2).train()
    first, second = evaluate(student, data, teacher), evaluate(student, data, teacher)
    assert first == second
    assert student.training
    assert teacher.training
    assert all(parameter.requires_grad for parameter in teacher.parameters())


@torch.no_grad()
def test_calibration_is_that_of_a_plain_loop(data):
    student = model(1)
    bins = [[] for _ in range(15)]
    for item in data:
        q = student(item["input_ids"][None])[0].softmax(-1)
        for t in range(8):
            if item["labels"][t + 1] != -100:
                confidence = q[t].max().item()
                right = q[t].argmax() == item["labels"][t + 1]
                bins[min(int(confidence * 15), 14)].append((confidence, float(right)))
    calibration = evaluate(student, data).calibration
    assert calibration.count == tuple(len(found) for found in bins)
    total, error = sum(calibration.count), 0.0
    for i, found in enumerate(bins):
        if found:
            confidence, right = (sum(column) / len(found) for column in zip(*found, strict=True))
            assert calibration.confidence[i] == pytest.approx(confidence, rel=1e-5)
            assert calibration.accuracy[i] == pytest.approx(right)
            error += len(found) / total * abs(confidence - right)
    assert calibration.expected_error == pytest.approx(error, rel=1e-5)


def test_a_model_that_is_always_right_and_sure_is_calibrated():
    ids = torch.arange(8)
    oracle = nn.Embedding(8, 8, _weight=100 * torch.eye(8).roll(1, dims=1))  # i is followed by i+1
    calibration = evaluate(oracle, [{"input_ids": ids, "labels": ids}]).calibration
    assert calibration.count == (0,) * 14 + (7,)
    assert calibration.expected_error == 0.0


@pytest.mark.parametrize("wrong", [48, -1])
def test_a_label_outside_the_vocabulary_is_named(wrong):
    rows = [{"input_ids": [1, 2, 3], "labels": [1, 2, wrong]}]
    model = TinyGPT("tiny-student", vocab_size=48, block_size=8, n_layer=1)
    with pytest.raises(ValueError, match=f"label {wrong} is neither in the vocabulary"):
        evaluate(model, rows)


def test_nothing_to_measure_is_an_error():
    ids = torch.zeros(4, dtype=torch.long)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        evaluate(model(1), [{"input_ids": ids, "labels": ids}], batch_size=0)
    with pytest.raises(ValueError, match="no row of data has a label other than -100"):
        evaluate(model(1), [{"input_ids": ids, "labels": ids - 100}])


def test_a_loss_that_no_perplexity_holds_is_measured():
    """A run that diverged ends with its measurements, not with an overflow."""
    certain = nn.Embedding(8, 8, _weight=1000 * torch.eye(8))
    rows = [{"input_ids": [0, 1, 2], "labels": [0, 1, 2]}]
    found = evaluate(certain, rows, certain)
    assert found.lm_loss == found.teacher_lm_loss == pytest.approx(1000)
    assert found.perplexity == found.teacher_perplexity == math.inf


@pytest.mark.parametrize("broken", [0, 1])
def test_a_model_whose_logits_are_not_numbers_is_refused(data, broken):
    """As one that diverged in its last step: of NaN no bin of the calibration is known."""
    models = model(0), model(1)
    next(models[broken].parameters()).data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="logits of the model or of its teacher are NaN"):
        evaluate(models[0], data, models[1])
