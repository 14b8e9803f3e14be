"""Teachers: live ones stay frozen; those in a file say nearly the same, of their data alone."""

import json

import pytest
import torch
import torch.nn as nn
from hypothesis import given
from hypothesis import strategies as st

import kdlab.teachers
import kdlab.topk_file
from kdlab import (
    DIVERGENCES,
    AdaptersOffTeacher,
    CombinedObjective,
    DistillationTrainer,
    LinearCombinedObjective,
    LiveTeacher,
    PackedDataset,
    TinyGPT,
    TopK,
    TopKTeacher,
    TrainConfig,
    forward_kl,
    load_corpus,
    train_tokenizer,
    write_topk_store,
)
from tests.kdlab.tiny_models import tiny

V = 40


def items(n=6, length=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, V, (n, length), generator=generator)
    return [{"input_ids": ids[i], "labels": ids[i], "index": torch.tensor(i)} for i in range(n)]


def model(seed=0, vocab_size=V):
    torch.manual_seed(seed)
    made = TinyGPT("tiny-student", vocab_size=vocab_size, block_size=16)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(4)
    return made


def batch_of(data):
    return {key: torch.stack([item[key] for item in data]) for key in data[0]}


@torch.no_grad()
def full_log_p(teacher, data, temperature=1.0):
    ids = batch_of(data)["input_ids"]
    return (teacher.eval()(ids)[:, :-1].double() / temperature).log_softmax(-1)


def test_a_live_teacher_stays_as_it_is_when_modes_are_switched():
    teacher = LiveTeacher(nn.Sequential(nn.Embedding(V, 8), nn.Dropout(0.9), nn.Linear(8, V)))
    whole = nn.ModuleList([teacher, nn.Dropout()]).train()
    ids = torch.randint(0, V, (2, 5))
    assert whole[1].training
    assert torch.equal(teacher(ids), teacher(ids))
    assert not teacher(ids).requires_grad
    assert torch.equal(teacher.targets({"input_ids": ids}), teacher(ids)[:, :-1])


@pytest.mark.parametrize("k", [1, 5, V])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_store_holds_the_likeliest_tokens_and_the_rest(tmp_path, k, temperature):
    data, teacher = items(), model()
    write_topk_store(teacher, data, tmp_path / "store", k, temperature=temperature, batch_size=4)
    top_k = TopKTeacher(tmp_path / "store", data, teacher).targets(batch_of(data))
    log_p = full_log_p(teacher, data, temperature)
    expected = log_p.topk(k, dim=-1)
    assert torch.equal(top_k.ids, expected.indices)
    # Half precision keeps 11 bits: a log-probability of −16 is off by at most 2^-7.
    torch.testing.assert_close(top_k.log_probs.double(), expected.values, rtol=1e-3, atol=2e-3)
    tail = 1 - expected.values.exp().sum(-1)
    torch.testing.assert_close(top_k.log_tail.exp().double(), tail, rtol=0, atol=2e-3)
    total = top_k.teacher_buckets().exp().sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total))


@pytest.mark.parametrize("vocabulary", [300, 65_536, 65_537, 70_000, 262_144])
def test_token_ids_of_any_vocabulary_survive(vocabulary):
    header = {"k": 64, "vocabulary": vocabulary, "positions": 2, "items": 1}
    generator = torch.Generator().manual_seed(0)
    log_p = torch.randn(1, 2, vocabulary, generator=generator).log_softmax(-1)
    log_p[..., -1] = log_p.amax(-1) + 1  # the last id is the likeliest
    records = kdlab.topk_file.encode(log_p, header)
    ids = kdlab.topk_file.unpack_ids(records, header)
    assert (ids == log_p.topk(64, dim=-1).indices.numpy()).all()
    assert ids[0, 0, 0] == vocabulary - 1
    assert records.dtype.itemsize <= 300


def test_a_position_takes_what_the_docstring_says(tmp_path):
    data, teacher = items(), model()
    write_topk_store(teacher, data, tmp_path / "store", 16)
    store = TopKTeacher(tmp_path / "store", data)
    assert store.bytes_per_position == 4 * 16 + 2
    assert (tmp_path / "store").stat().st_size == 4096 + 6 * 28 + 6 * 8 * (4 * 16 + 2)


@given(seed=st.integers(0, 1000), k=st.integers(1, V - 1))
def test_the_buckets_miss_the_tail_s_own_divergence_and_nothing_else(seed, k):
    """KL(p‖q) = KL over buckets + tail mass × KL within the tail; so the buckets never say more."""
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, 3, V, generator=generator, dtype=torch.float64) * 2
    log_p = teacher.log_softmax(-1)
    top = log_p.topk(k, dim=-1)
    rest = log_p.scatter(-1, top.indices, -torch.inf)
    top_k = TopK(top.indices, top.values, rest.logsumexp(-1))
    coarse = forward_kl(top_k.student_buckets(student), top_k.teacher_buckets())
    within = forward_kl(student.scatter(-1, top.indices, -torch.inf), rest)
    full = forward_kl(student, teacher)
    torch.testing.assert_close(coarse + top_k.log_tail.exp() * within, full, rtol=1e-9, atol=1e-12)
    assert (coarse <= full + 1e-12).all()


def test_the_student_s_tail_is_exact_where_it_is_light():
    logits = torch.tensor([20.0, 19.0, -20.0, -21.0], requires_grad=True)
    top_k = TopK(torch.tensor([0, 1]), torch.tensor([0.5, 0.5]).log(), torch.tensor(-torch.inf))
    buckets = top_k.student_buckets(logits)
    expected = logits.detach().double().log_softmax(-1)[2:].logsumexp(-1)
    assert buckets[2].item() == pytest.approx(expected.item(), rel=1e-6)
    buckets.sum().backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("k", [1, 7, V])
@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_both_objectives_take_a_top_k_teacher(name, k, temperature):
    """The linear objective from hidden states, the dense one by autograd, a reference by hand."""
    torch.manual_seed(0)
    hidden = torch.randn(11, 8, dtype=torch.float64, requires_grad=True)
    head = nn.Linear(8, V, dtype=torch.float64)
    labels = torch.randint(0, V, (11,)).index_fill(0, torch.tensor([2, 5]), -100)
    log_p = (2 * torch.randn(11, V, dtype=torch.float64) / temperature).log_softmax(-1)
    top = log_p.topk(k, dim=-1)
    tail = log_p.scatter(-1, top.indices, -torch.inf).logsumexp(-1)
    top_k = TopK(top.indices, top.values, tail)

    options = {"lam": 0.7, "temperature": temperature}
    counts = labels != -100
    dense = CombinedObjective(name, **options)(head(hidden), top_k, labels)
    log_q = (head(hidden) / temperature).log_softmax(-1)
    q = log_q.exp()
    tail_q = 1 - q.gather(-1, top.indices).sum(-1, keepdim=True)
    tail_q = torch.full_like(tail_q, -torch.inf) if k == V else tail_q.log()
    by_hand = DIVERGENCES[name](
        torch.cat([log_q.gather(-1, top.indices), tail_q], -1),
        torch.cat([top.values, tail.unsqueeze(-1)], -1),
    )[counts].mean()
    torch.testing.assert_close(dense.kd_loss, temperature**2 * by_hand)
    parameters = [hidden, head.weight, head.bias]
    expected = torch.autograd.grad(dense.loss, parameters)
    assert all(gradient.isfinite().all() for gradient in expected)
    for chunk_size in (1, 4, 100):
        linear = LinearCombinedObjective(name, chunk_size=chunk_size, **options)
        output = linear(hidden, head, top_k, None, labels)
        torch.testing.assert_close(output.loss, dense.loss)
        torch.testing.assert_close(torch.autograd.grad(output.loss, parameters), expected)


def test_training_from_a_file_is_nearly_training_from_the_model(tmp_path):
    data, teacher = items(24), model(seed=2)
    write_topk_store(teacher, data, tmp_path / "store", 32, temperature=2.0)
    stored = TopKTeacher(tmp_path / "store", data, teacher)
    losses = []
    for source, linear in ((teacher, True), (stored, True), (stored, False)):
        config = TrainConfig(steps=6, batch_size=4, linear_objective=linear, device="cpu")
        objective = CombinedObjective(lam=2.0, temperature=2.0)
        run = DistillationTrainer(model(seed=3), source, objective, config=config)
        losses.append(run.fit(data).column("loss"))
    live, linear, dense = losses
    assert linear == pytest.approx(dense, rel=1e-5)
    assert linear == pytest.approx(live, rel=0.02)
    assert linear[0] < live[0]  # buckets never say more


def test_a_teacher_at_another_temperature_is_refused(tmp_path):
    write_topk_store(model(), items(), tmp_path / "store", 4, temperature=2.0)
    stored = TopKTeacher(tmp_path / "store", items())
    with pytest.raises(
        ValueError, match=r"written at temperature 2\.0, but the objective has 1\.0"
    ):
        DistillationTrainer(model(), stored, CombinedObjective())


def test_top_k_that_does_not_fit_the_student_is_refused():
    top_k = TopK(torch.tensor([[3, 50]]), torch.tensor([[-1.0, -2.0]]), torch.tensor([-1.0]))
    labels = torch.tensor([1])
    with pytest.raises(ValueError, match=r"gives token 50 a probability, but .* has 40 entries"):
        CombinedObjective()(torch.zeros(1, V), top_k, labels)
    with pytest.raises(ValueError, match=r"positions \(1,\), the student's logits have \(2,\)"):
        CombinedObjective()(torch.zeros(2, V), top_k, torch.tensor([1, 2]))
    head = nn.Linear(4, V)
    with pytest.raises(ValueError, match="gives token 50 a probability"):
        LinearCombinedObjective()(torch.zeros(1, 4), head, top_k, None, labels)


def test_other_data_models_and_tokenizers_are_refused(tmp_path):
    data, teacher = items(), model()
    write_topk_store(teacher, data, tmp_path / "store", 4)
    with pytest.raises(ValueError, match="written for another corpus: it has no row"):
        TopKTeacher(tmp_path / "store", items(seed=1))
    with pytest.raises(ValueError, match="written for another model"):
        TopKTeacher(tmp_path / "store", data, model(seed=1))
    corpus = load_corpus("pydocs")
    packed = [
        PackedDataset(corpus.validation[:3], train_tokenizer(corpus, size), 16)
        for size in (300, 301)
    ]
    big = model(vocab_size=400)
    write_topk_store(big, packed[0], tmp_path / "tokens", 4)
    assert TopKTeacher(tmp_path / "tokens", packed[0], big).header["vocabulary"] == 400
    packed[1].blocks = packed[0].blocks
    with pytest.raises(ValueError, match="written for another tokenizer"):
        TopKTeacher(tmp_path / "tokens", packed[1])


def test_another_store_has_another_fingerprint(tmp_path):
    """A checkpoint holds it, so that no run goes on with the answers of another teacher."""

    def written(name, seed=0, **options):
        write_topk_store(model(seed), items(), tmp_path / name, 4, **options)
        path = tmp_path / name
        if seed:  # as a server's store, which names no model
            raw = path.read_bytes()
            header = {**TopKTeacher(path).header, "model": None}
            path.write_bytes(json.dumps(header).encode().ljust(4095) + b"\n" + raw[4096:])
        return TopKTeacher(path).fingerprint()

    found = [written("a"), written("b", vocabulary=30), written("c", seed=1), written("d", seed=2)]
    assert len({*found}) == 4
    assert found[0] == TopKTeacher((tmp_path / "a").rename(tmp_path / "e"), items()).fingerprint()


def test_rows_with_numbers_in_bfloat16_are_found_in_a_store():
    ids, numbers = torch.arange(4)[None], torch.tensor([[0.5, 1.0, -2.0, 3.0]])
    half, whole = (
        kdlab.topk_file.row_keys({"input_ids": ids, "x": each})
        for each in (numbers.bfloat16(), numbers)
    )
    assert half == whole


def test_what_is_no_store_is_refused(tmp_path):
    data = items()
    path = tmp_path / "store"
    path.write_bytes(b"not a store")
    with pytest.raises(ValueError, match="is not a top-k store"):
        TopKTeacher(path, data)
    path.unlink()
    write_topk_store(model(), data, path, 4)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="but its header says"):
        TopKTeacher(path, data)


def test_an_interrupted_store_goes_on_and_is_the_same(tmp_path, monkeypatch):
    data, teacher = items(8), model()
    write_topk_store(teacher, data, tmp_path / "whole", 4, batch_size=2)

    calls = []
    encode = kdlab.teachers.encode

    def breaks(log_p, header):
        calls.append(len(log_p))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(log_p, header)

    monkeypatch.setattr(kdlab.teachers, "encode", breaks)
    with pytest.raises(KeyboardInterrupt):
        write_topk_store(teacher, data, tmp_path / "store", 4, batch_size=2)
    assert not (tmp_path / "store").exists()
    with (tmp_path / "store.partial").open("ab") as file:
        file.write(b"half a record")
    write_topk_store(teacher, data, tmp_path / "store", 4, batch_size=2)
    assert calls == [2, 2, 2, 2, 2]  # two written, one lost, then the last two
    assert (tmp_path / "store").read_bytes() == (tmp_path / "whole").read_bytes()


def test_the_beginning_of_another_store_is_not_gone_on_with(tmp_path):
    data, teacher = items(), model()
    write_topk_store(model(seed=1), data, tmp_path / "other", 4)
    partial = (tmp_path / "other").rename(tmp_path / "store.partial")
    found = partial.read_bytes()
    with pytest.raises(ValueError, match=r"store\.partial is the beginning of another store, whi"):
        write_topk_store(teacher, data, tmp_path / "store", 4)
    assert partial.read_bytes() == found


def test_errors_say_what_is_allowed(tmp_path):
    with pytest.raises(ValueError, match="k must be between 1 and the vocabulary's 40, got 41"):
        write_topk_store(model(), items(), tmp_path / "store", 41)
    with pytest.raises(ValueError, match="temperature must be a positive"):
        write_topk_store(model(), items(), tmp_path / "store", 4, temperature=0)
    write_topk_store(model(), items(), tmp_path / "store", 4)
    with pytest.raises(ValueError, match=r"has no row that begins with the tokens \[0, 0, 0, 0, 0"):
        TopKTeacher(tmp_path / "store").targets({"input_ids": torch.zeros(1, 9).long()})


# --- a student without its adapters ---


def adapted(**options):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, init_lora_weights=False, target_modules=["qkv"], **options)
    return peft.get_peft_model(model(), config)


def test_what_is_frozen_of_an_adapter_stays_frozen_when_it_is_on_again():
    """It was in no optimiser, and its gradient grew in the norm by which all others are cut."""
    student = adapted()
    for name, weight in student.named_parameters():
        weight.requires_grad_("lora_B" in name)
    AdaptersOffTeacher(student).targets(batch_of(items()))
    trained = {name for name, weight in student.named_parameters() if weight.requires_grad}
    assert trained
    assert all("lora_B" in name for name in trained)


@pytest.mark.filterwarnings("ignore:Careful, disabling adapter layers with bias")
def test_a_teacher_that_would_change_as_its_student_learns_is_refused():
    config = TrainConfig(steps=1, batch_size=2, device="cpu")

    def trainer(student):
        teacher = AdaptersOffTeacher(student)
        return DistillationTrainer(student, teacher, CombinedObjective(), config=config)

    for options in ({}, {"modules_to_save": ["norm"]}):
        trainer(adapted(**options)).fit(
            [{n: r[n] for n in ("input_ids", "labels")} for r in items()]
        )
    peft = pytest.importorskip("peft")
    prompts = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    trainer(peft.get_peft_model(tiny("Llama"), prompts))
    with pytest.raises(ValueError, match=r"qkv.*\.bias is trained and belongs to no adapter"):
        trainer(adapted(bias="lora_only"))
    student = adapted()
    student.base_model.model.norm.requires_grad_(True)
    with pytest.raises(ValueError, match=r"norm\.weight is trained and belongs to no adapter"):
        trainer(student)
