"""What the library is given is what it says, whenever it is given; or it is refused by its name."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from tokenizers.models import BPE

from kdlab import (
    DIVERGENCES,
    CombinedObjective,
    ConstantLambda,
    Corpus,
    History,
    LinearCombinedObjective,
    LinearLambda,
    PackedDataset,
    PackedRows,
    PlateauLambda,
    RatioLambda,
    Recipe,
    Sweep,
    SweepResults,
    TinyGPT,
    TopK,
    TopKTeacher,
    TrainConfig,
    collate,
    count_parameters,
    distill,
    evaluate,
    every_nth_layer,
    forward_kl,
    generate,
    jensen_shannon,
    make_schedule,
    plots,
    reckoning,
    skew_forward_kl,
    skew_reverse_kl,
    train_tokenizer,
    write_topk_store,
)
from kdlab.files import cache_dir
from kdlab.records import to_json

V = 9


def batch(n=4, vocabulary=V):
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, n, vocabulary, generator=generator)
    labels = torch.randint(0, vocabulary, (n,), generator=generator)
    return student.requires_grad_(True), teacher, labels


def asked(objective, student, teacher, labels, **named):
    """An objective of either kind, called with logits, or with what they are without a head."""
    if not isinstance(objective, LinearCombinedObjective):
        return objective(student, teacher, labels, **named)
    head = torch.eye(student.shape[-1])
    return objective(student, head, teacher, head, labels, **named)


def dense(*given, **options):
    return asked(CombinedObjective(**options), *given)


BOTH = pytest.mark.parametrize("kind", [CombinedObjective, LinearCombinedObjective])


# --- numbers ---


@pytest.mark.parametrize(
    "half", [np.float32(0.5), np.float64(0.5), np.array(0.5), torch.tensor(0.5)], ids=repr
)
def test_a_number_may_be_numpy_s_or_a_tensor_s(half):
    """They are kept as Python's: a record of them can be written."""
    student, teacher, labels = batch()
    expected = dense(student, teacher, labels, lam=0.5, temperature=0.5).loss
    objective = CombinedObjective(lam=half, temperature=half)
    assert torch.equal(objective(student, teacher, labels).loss, expected)
    assert type(objective.lam) is type(objective.temperature) is float
    assert torch.equal(
        forward_kl(student, teacher, temperature=half),
        forward_kl(student, teacher, temperature=0.5),
    )
    schedules = (
        ConstantLambda(half),
        LinearLambda(half, half, steps=np.int64(3)),
        PlateauLambda(half, factor=half, threshold=half, minimum=half, patience=np.int64(1)),
        RatioLambda(half, momentum=half, start=half, maximum=half),
    )
    for schedule in schedules:
        to_json(schedule.state_dict())


@pytest.mark.parametrize(
    "wrong",
    [True, [0.5], torch.tensor([0.5, 0.5]), np.array([0.5, 0.5]), 1 + 0j, lambda step: 0.5],
    ids=["bool", "list", "tensor", "array", "complex", "function"],
)
def test_what_is_no_number_is_named(wrong):
    for given in (
        lambda: CombinedObjective(lam=wrong),
        lambda: CombinedObjective(temperature=wrong),
        lambda: forward_kl(*batch()[:2], temperature=wrong),
        lambda: ConstantLambda(wrong),
        lambda: PlateauLambda(factor=wrong),
        lambda: PlateauLambda(threshold=wrong),
        lambda: RatioLambda(momentum=wrong),
    ):
        with pytest.raises(ValueError, match="must be a number, got"):
            given()


def test_a_number_that_is_to_be_learned_is_refused():
    """Its gradient would lack what goes through the softmax, or be missing."""
    learned = torch.nn.Parameter(torch.tensor(2.0))
    for name in ("lam", "temperature"):
        with pytest.raises(ValueError, match=f"{name} is a number, which nothing learns"):
            CombinedObjective(**{name: learned})


def test_steps_are_whole():
    with pytest.raises(ValueError, match=r"steps must be a whole number, got 2\.7"):
        LinearLambda(1.0, 0.0, steps=2.7)
    assert LinearLambda(1.0, 0.0, steps=1e2).steps == 100


def test_one_rule_says_what_a_whole_number_is():
    """Wherever one is needed; and it keeps all its digits."""
    large = torch.tensor(2**60 + 1)
    config = TrainConfig(steps=8.0, warmup_steps=large, eval_every=np.float32(2), end_of_text=[3.0])
    assert (config.steps, config.warmup_steps, config.eval_every) == (8, 2**60 + 1, 2)
    assert config.end_of_text == (3,)
    for wrong in (True, "8", 8.5, float("inf"), torch.tensor([8])):
        for make in (TrainConfig, partial(LinearLambda, 1.0, 0.0)):
            with pytest.raises(ValueError, match="steps must be a whole number, got"):
                make(steps=wrong)
    with pytest.raises(ValueError, match="end_of_text must be a whole number, got True"):
        TrainConfig(end_of_text=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale_by_temperature": "false"}, "must be True or False, got 'false'"),
        ({"ignore_index": None}, "ignore_index must be a whole number, got None"),
        ({"ignore_index": True}, "ignore_index must be a whole number, got True"),
        ({"divergence": ["forward_kl"]}, r"unknown divergence \['forward_kl'\]; known"),
        ({"chunk_size": "2"}, "chunk_size must be a whole number, got '2'"),
        ({"chunk_size": 2.5}, "chunk_size must be a whole number"),
    ],
)
def test_options_are_of_their_kind(options, message):
    with pytest.raises(ValueError, match=message):
        LinearCombinedObjective(**options)


@BOTH
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("form", "convex", "lam must be between 0 and 1 in the convex form, got 2"),
        ("form", "sum", "form must be .*'sum'"),
        ("temperature", -2.0, "temperature must be a positive"),
        ("temperature", 1e200, "temperature must be a positive, finite number"),  # T² is none
        ("temperature", 0, "temperature must be a positive"),
        ("match_vocab", "trunc", "match_vocab must be .*'trunc'"),
        ("scale_by_temperature", "no", "must be True or False"),
    ],
)
def test_an_option_that_is_assigned_later_is_looked_at(kind, name, value, message):
    objective = kind(lam=2.0)
    setattr(objective, name, value)
    with pytest.raises(ValueError, match=message):
        asked(objective, *batch())


def test_a_divergence_that_is_assigned_later_may_be_a_name():
    objective, given = CombinedObjective(), batch()
    objective.divergence = "reverse_kl"
    assert torch.equal(objective(*given).loss, CombinedObjective("reverse_kl")(*given).loss)


def test_an_evaluation_knows_two_ways_with_vocabularies():
    model, row = TinyGPT("tiny-student", vocab_size=V), {"input_ids": [1, 2], "labels": [1, 2]}
    with pytest.raises(ValueError, match=r"match_vocab must be .*'trunc'"):
        evaluate(model, [row], match_vocab="trunc")


@BOTH
@pytest.mark.parametrize(
    ("num_items", "message"),
    [
        (float("nan"), "cannot be negative, got nan"),
        (torch.tensor(-3), "cannot be negative, got -3"),
        (torch.tensor([2, 2]), r"must be one number, got \[2\]"),
        (True, "num_items must be a number, got True"),
        ("4", "num_items must be a number, got '4'"),
    ],
)
def test_items_are_counted_by_one_number(kind, num_items, message):
    with pytest.raises(ValueError, match=message):
        asked(kind(), *batch(), num_items=num_items)


# --- tensors ---


@BOTH
@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.int16, torch.uint16, torch.uint32, torch.uint64], ids=str
)
def test_labels_of_any_integers_are_compared_as_whole_numbers(kind, dtype):
    """A vocabulary of bytes: 256 is 0 in 8 bits, and −100 is 156."""
    student, teacher, _ = batch(vocabulary=256)
    labels = torch.tensor([0, 156, 200, 255])
    expected = asked(kind(), student, teacher, labels)
    found = asked(kind(), student, teacher, labels.to(dtype))
    assert found.num_items == expected.num_items == 4
    assert torch.equal(found.loss, expected.loss)


def test_logits_in_eight_bits_are_computed_in_float32():
    student, teacher, labels = batch()
    small = student.detach().to(torch.float8_e4m3fn), teacher.to(torch.float8_e4m3fn)
    found = dense(*small, labels).loss
    assert torch.equal(found, dense(small[0].float(), small[1].float(), labels).loss)


def test_tensors_that_cannot_be_computed_with_are_named():
    student, teacher, labels = batch()
    with pytest.raises(ValueError, match=r"teacher_logits must be a dense tensor, .*sparse_coo"):
        dense(student, teacher.to_sparse(), labels)
    with pytest.raises(ValueError, match=r"student_logits is on cpu, teacher_logits is on meta;"):
        dense(student, teacher.to("meta"), labels)
    with pytest.raises(ValueError, match=r"student_logits is on meta, labels is on cpu; move"):
        dense(student.to("meta"), None, labels, lam=0.0)
    with pytest.raises(ValueError, match=r"student_hidden is on cpu, student_head is on meta, lab"):
        LinearCombinedObjective(lam=0)(student, torch.eye(V).to("meta"), None, None, labels)
    empty = [tensor.to("meta") for tensor in (student, teacher, labels)]
    with pytest.raises(ValueError, match=r"teacher_logits is on the device meta, which holds shap"):
        forward_kl(*empty[:2])
    for objective in (CombinedObjective(), LinearCombinedObjective()):
        with pytest.raises(ValueError, match="labels is on the device meta, which holds shapes"):
            asked(objective, *empty)


def mean_of_a_batch(student, teacher, *, temperature):
    return forward_kl(student, teacher, temperature=temperature).mean()


def by_terms(student, teacher, *, temperature):
    logs = (x.log_softmax(-1) for x in (student / temperature, teacher / temperature))
    return F.kl_div(*logs, log_target=True, reduction="none")


@pytest.mark.parametrize(("divergence", "shape"), [(mean_of_a_batch, r"\[\]"), (by_terms, "[^ ]")])
def test_a_divergence_of_one_s_own_returns_a_number_per_position(divergence, shape):
    """A mean would be divided by the positions a second time."""
    with pytest.raises(ValueError, match=f"returned {shape}.*must return a number per position"):
        dense(*batch(), divergence=divergence)


def test_a_divergence_without_a_gradient_would_teach_nothing():
    def by_numpy(student, teacher, *, temperature):
        return forward_kl(student.detach(), teacher, temperature=temperature)

    student, teacher, labels = batch()
    with pytest.raises(ValueError, match="by_numpy returned numbers without a gradient"):
        dense(student.requires_grad_(), teacher, labels, divergence=by_numpy)
    with torch.no_grad():  # where it is measured alone
        dense(student, teacher, labels, divergence=by_numpy)
    output = dense(student, teacher, labels, divergence=by_numpy, lam=0.0)  # and here, too
    expected = forward_kl(student, teacher).mean()
    assert output.kd_loss.item() == pytest.approx(expected.item())
    assert output.loss.requires_grad
    assert torch.equal(output.loss, output.lm_loss)


# --- second derivatives ---


@pytest.mark.parametrize("name", DIVERGENCES)
@BOTH
def test_a_second_derivative_is_refused(name, kind):
    """It would be 0, or lack the KD term, without a word."""
    student, teacher, labels = batch()
    loss = asked(kind(name), student, teacher, labels).loss
    with pytest.raises(RuntimeError, match=r"have no second derivative.*divergence of your own"):
        torch.autograd.grad(loss, student, create_graph=True)


def test_a_divergence_of_one_s_own_has_a_second_derivative():
    def squares(student, teacher, *, temperature):
        return ((student - teacher) / temperature).square().sum(-1)

    student, teacher, labels = batch()
    loss = dense(student, teacher, labels, divergence=squares).loss
    (slope,) = torch.autograd.grad(loss, student, create_graph=True)
    (curve,) = torch.autograd.grad(slope[0, 0], student)
    q = student[0].detach().softmax(-1)
    expected = q[0] * (F.one_hot(torch.tensor(0), V) - q) + 2 * F.one_hot(torch.tensor(0), V)
    torch.testing.assert_close(curve[0], expected / len(labels))


# --- one door for every public function ---


def small(**changes):
    return TinyGPT("tiny-student", vocab_size=V, d_model=8, n_layer=2, **changes)


TOKEN = {"input_ids": [1, 2], "labels": [1, 2]}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: every_nth_layer(small(), "2"), "n must be a whole number, got '2'"),
        (lambda: every_nth_layer("gpt2", 2), "model must be a torch module; got str 'gpt2'"),
        (lambda: count_parameters(None), "model must be a torch module; got NoneType None"),
        (lambda: TinyGPT(n_layer="2"), "n_layer must be a whole number"),
        (lambda: small(layers=2), "TinyGPTConfig knows no argument 'layers'; did you mean 'n_lay"),
        (lambda: small(dropout=2), "dropout must be a share from 0 to 1, got 2"),
        (lambda: TinyGPT({"n_layer": 2}), "config must be a TinyGPTConfig or str; got dict"),
        (lambda: TinyGPT(vocab_size=-1), "vocab_size must be at least 1, got -1"),
        (lambda: small()(torch.arange(3)), r"input_ids must be integers \[B, T\], got .*int64 \[3"),
        (lambda: small()([[1, 2]]), "input_ids must be a tensor, got list"),
        (lambda: TrainConfig(step=3), "TrainConfig knows no argument 'step'; did you mean 'steps'"),
        (lambda: Recipe(rate=3), "Recipe knows no argument 'rate'; known: corpus, train_fraction"),
        (lambda: make_schedule("linear", stepz=3), "LinearLambda knows no argument 'stepz'; did"),
        (lambda: distill("run", {"steps": 3}), "recipe must be a Recipe; got dict"),
        (lambda: distill(None), "out must be a path, got NoneType None"),
        (lambda: distill(""), "out must be a path, got nothing"),
        (lambda: History.read(3), "path must be a path, got int 3"),
        (lambda: History([{"step": 1}]).column("los"), "a record has no 'los', only 'step'"),
        (
            lambda: generate(small(), torch.ones(1, 2).long(), "3"),
            "new_tokens must be a whole number, got",
        ),
        (lambda: collate([]), "a batch needs at least one row, got none"),
        (lambda: collate(TOKEN), "rows must be a list of rows, got dict"),
        (lambda: collate([TOKEN], ignore_index="-100"), "ignore_index must be a whole number"),
        (lambda: PackedRows([], 8), "data has no rows"),
        (lambda: PackedRows([TOKEN], "8"), "block_size must be a whole number, got '8'"),
        (lambda: TopK.of(np.ones((1, 2)), np.ones((1, 2))), "ids must be a tensor, got ndarray"),
        (
            lambda: TopK.of(torch.ones(1, 2), torch.ones(1, 3)),
            r"one for each of the ids; got",
        ),
        (lambda: TopK.of(torch.ones(1), torch.ones(1).long()), "log_probs must be floating point"),
        (lambda: Corpus("owls", "one text"), "documents are one text"),
        (lambda: Corpus("owls", ("a", None)), "document 1 must be text, got NoneType None"),
        (lambda: Corpus("owls", ("a\ud800",)), r"document 0 holds half a character, '\\ud800'"),
        (
            lambda: PackedDataset(["a", b"b"], Tokenizer(BPE())),
            "document 1 must be text",
        ),
        (lambda: PackedDataset(["a"], "gpt2"), "a tokenizer of .* is needed, got str 'gpt2'"),
        (lambda: train_tokenizer(["a"], 300), "corpus must be a Corpus; got list"),
        (lambda: train_tokenizer(Corpus("a", ("a",)), 10), "vocab_size must be at least 257"),
        (lambda: train_tokenizer(Corpus("a", ("a",), 0), 10**9), "must be at most 258 for this t"),
        (lambda: reckoning(0), "number must be at least 1, got 0"),
        (lambda: PlateauLambda().step("0.3"), "the gap must be a number, got '0.3'"),
        (lambda: Sweep("s", [Recipe()]), "arms must be a Mapping; got list"),
        (lambda: Sweep("s", {"a": {"steps": 1}}), "the arm 'a' must be a Recipe, got dict"),
        (lambda: Sweep("s", {}, seeds=0), "seeds must be at least 1, got 0"),
        (lambda: Sweep("s", {}).results("runs", jobs=0), "jobs must be at least 1, got 0"),
        (lambda: plots.evaluation_curves([History()]), "histories must be a Mapping; got list"),
        (
            lambda: write_topk_store(small(), [TOKEN], "a", 2, vocabulary=-1),
            "vocabulary must",
        ),
    ],
)
def test_what_is_of_another_kind_is_one_sentence(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_a_path_may_be_bytes_and_begins_at_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    record = '{"kind": "train", "step": 1}\n'
    (tmp_path / "metrics.jsonl").write_text(record)
    for path in ("~/metrics.jsonl", b"metrics.jsonl", tmp_path / "metrics.jsonl"):
        assert History.read(path).column("step") == [1]
    row = {"input_ids": torch.arange(8)}
    write_topk_store(torch.nn.Embedding(8, 8), [row], "~/a.topk", k=2)
    assert TopKTeacher("~/a.topk").path == tmp_path / "a.topk"
    with pytest.raises(ValueError, match="there is no such home folder"):
        History.read("~nobody-of-that-name/metrics.jsonl")
    recipe = Recipe(corpus="~/metrics.jsonl", teacher="hf:~", student="hf:~").absolute()
    assert recipe.corpus == str(tmp_path / "metrics.jsonl")
    assert recipe.teacher == recipe.student == f"hf:{tmp_path}"
    monkeypatch.setenv("KDLAB_CACHE", "~/cache")
    assert cache_dir() == tmp_path / "cache"


@pytest.mark.parametrize("text", ["{", "[]", '{"nam": "x", "runs": []}', '{"name": "x"}'])
def test_what_holds_no_results_is_told(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ValueError, match=r"results\.json (is no JSON|holds)"):
        SweepResults.read(tmp_path / "results.json")


@pytest.mark.parametrize("alpha", ["0.1", None, False, [0.1], torch.tensor(0.1).requires_grad_()])
def test_the_share_of_a_mixture_is_a_number(alpha):
    student, teacher, _ = batch()
    for divergence in (skew_forward_kl, skew_reverse_kl):
        with pytest.raises(ValueError, match="alpha"):
            divergence(student, teacher, alpha=alpha)
    with pytest.raises(ValueError, match="beta"):
        jensen_shannon(student, teacher, beta=alpha)
    with pytest.raises(ValueError, match="forward_kl cannot take alpha;"):
        LinearCombinedObjective(partial(forward_kl, alpha=alpha))


def test_losses_that_a_schedule_is_told_become_plain_numbers():
    """They are attached to the graph of a whole step, which would be kept from step to step."""
    loss = torch.tensor(4.0, requires_grad=True) * 1.0
    ratio, plateau = RatioLambda(share=0.5), PlateauLambda(patience=0)
    ratio.step((loss, loss / 4))
    plateau.step(loss)
    assert ratio.value == pytest.approx(2.0)
    assert {type(value) for value in (*vars(ratio).values(), *vars(plateau).values())} <= {
        int,
        float,
    }


# --- tensors that come from elsewhere ---


def test_tensors_that_were_made_in_inference_mode_are_learned_from():
    """Labels were, until a batch came in which every position counts."""
    student, teacher, labels = batch()
    with torch.inference_mode():
        made = teacher.clone(), labels.clone()
    for kind in (CombinedObjective, LinearCombinedObjective):
        found, expected = asked(kind(), student, *made), asked(kind(), student, teacher, labels)
        assert torch.equal(found.loss, expected.loss)
        (gradient,) = torch.autograd.grad(found.loss, student)
        assert torch.equal(gradient, torch.autograd.grad(expected.loss, student)[0])


def squared(student, teacher, *, temperature):
    return (student - teacher).square().sum(-1)


@pytest.mark.parametrize("divergence", [forward_kl, squared])
@pytest.mark.parametrize("kept", [0, 1])
def test_no_gradient_reaches_a_teacher_that_requires_one(divergence, kept):
    student, teacher, labels = batch()
    labels[:kept] = -100
    logits = teacher.clone().requires_grad_()
    CombinedObjective(divergence)(student, logits, labels).loss.backward()
    top = logits.log_softmax(-1).topk(3)
    distribution = TopK.of(top.indices, top.values)
    CombinedObjective(divergence)(student, distribution, labels).loss.backward()
    assert logits.grad is None


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_what_is_no_tensor_with_a_shape_is_named():
    student, teacher, labels = batch()
    with pytest.raises(ValueError, match="must be a dense tensor, got a nested one"):
        dense(torch.nested.nested_tensor([*student.detach()]), teacher, labels)
    with pytest.raises(ValueError, match="log_probs must be a tensor, got ndarray"):
        TopK.of(labels, teacher.numpy())


def test_layers_are_counted_by_whole_numbers():
    assert every_nth_layer(TinyGPT("tiny-student", vocab_size=8), np.int64(2)).config.n_layer == 1
    with pytest.raises(ValueError, match=r"n must be a whole number, got 1\.5"):
        every_nth_layer(TinyGPT("tiny-student", vocab_size=8), 1.5)


def test_layers_of_a_model_that_was_changed_are_refused_in_a_sentence():
    model = TinyGPT("tiny-student", vocab_size=8)
    torch.nn.utils.parametrizations.weight_norm(model.blocks[1].mlp[0])
    with pytest.raises(ValueError, match=r"a new TinyGPT has other weights .* such as weight_norm"):
        every_nth_layer(model, 2)


# --- who differentiates ---


@pytest.mark.filterwarnings("ignore:.torch.jit.script")  # of forward_ad's own
@BOTH
def test_transforms_of_torch_func_are_refused_in_a_sentence(kind):
    student, teacher, labels = batch()
    weights = {"weight": torch.eye(V)}
    layer = torch.nn.Linear(V, V, bias=False)

    def loss(weights):
        logits = torch.func.functional_call(layer, weights, (student,))
        return asked(kind(), logits, teacher, labels).loss

    with pytest.raises(
        RuntimeError, match=r"differentiated once, by backward\(\) or .* torch\.func"
    ):
        torch.func.grad(loss)(weights)
    with pytest.raises(RuntimeError, match=r"vmap of torch\.func cannot be used on them"):
        torch.vmap(forward_kl)(student, teacher)
    weights["weight"].requires_grad_()
    assert torch.autograd.grad(loss(weights), [weights["weight"]])[0].isfinite().all()
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(student.detach(), torch.ones_like(student))
        with pytest.raises(RuntimeError, match=r"differentiated backwards alone: .*forward_ad"):
            asked(kind(), dual, teacher, labels)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PyTorch warns of what its own compiler does
@pytest.mark.parametrize("kind", [CombinedObjective, LinearCombinedObjective, None])
def test_a_loss_is_compiled_in_parts_and_says_so_where_a_whole_graph_is_asked_for(kind):
    student, teacher, labels = batch()

    def loss(student):
        if kind is None:
            return forward_kl(student, teacher).mean()
        return asked(kind(), student, teacher, labels).loss

    class Loss(torch.nn.Module):
        def forward(self, student):
            return loss(student)

    with pytest.raises(RuntimeError, match=r"torch\.export keeps none of them: export the"):
        torch.export.export(Loss(), (student,), strict=False)
    for dynamic in (True, None):
        whole = torch.compile(loss, backend="eager", fullgraph=True, dynamic=dynamic)
        with pytest.raises(Exception, match=r"look at labels .* leave fullgraph=True out"):
            whole(student)
        torch._dynamo.reset()
    found = torch.compile(loss, backend="eager")(student)
    torch.testing.assert_close(found, loss(student))
    torch._dynamo.reset()
