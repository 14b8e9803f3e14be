"""Which path an objective takes: what the user wrote is what runs, and a probe leaves no trace."""

import logging
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn as nn
from torch.nn.attention.flex_attention import flex_attention
from transformers.modeling_outputs import CausalLMOutput

from kdlab import (
    AdaptersOffTeacher,
    CombinedObjective,
    DistillationTrainer,
    LinearCombinedObjective,
    LiveTeacher,
    TinyGPT,
    TopKTeacher,
    TrainConfig,
    collate,
    evaluate,
    generate,
    logits_of,
    write_topk_store,
)
from kdlab.heads import unchanged
from tests.kdlab.tiny_models import rows, tiny, with_adapters

CONFIG = TrainConfig(steps=2, batch_size=4, warmup_steps=1, device="cpu")
V = 48


def gpt(seed=0, kind=TinyGPT, **changes):
    torch.manual_seed(seed)
    changes = {"vocab_size": V, "block_size": 16, "d_model": 32, "n_layer": 1} | changes
    return kind("tiny-student", **changes)


def fit(student, teacher, objective=None, *, data=None, linear=True, **options):
    config = TrainConfig(**vars(CONFIG) | {"linear_objective": linear} | options)
    run = DistillationTrainer(student, teacher, objective or CombinedObjective(), config=config)
    return run, run.fit(rows() if data is None else data)


def losses(*arguments, **options):
    return fit(*arguments, **options)[1].column("loss")


class Scaled(TinyGPT):
    def forward(self, *arguments, **named):
        return super().forward(*arguments, **named) * 3.0


class Detached(TinyGPT):
    def forward(self, *arguments, **named):
        return super().forward(*arguments, **named).detach()


class WithoutGradients(TinyGPT):
    @torch.no_grad()
    def forward(self, *arguments, **named):
        return super().forward(*arguments, **named)


class ScaledInPlace(TinyGPT):
    def forward(self, *arguments, **named):
        return super().forward(*arguments, **named).mul_(3.0)


class ScaledInTraining(TinyGPT):
    def forward(self, *arguments, **named):
        return super().forward(*arguments, **named) * (3.0 if self.training else 1.0)


class Cut(TinyGPT):
    def forward(self, *arguments, **named):
        return super().forward(*arguments, **named)[..., :V]


class OwnHead(nn.Linear):
    def forward(self, x):
        return 3.0 * super().forward(x)


class NamedHead(nn.Linear):
    """A subclass that changes nothing."""


def with_head(kind):
    model = gpt()
    head = kind(32, V, bias=False)
    head.weight = model.lm_head.weight
    model.lm_head = head
    return model


class Quantised(torch.Tensor):
    """A weight of which a library keeps something else, as torchao does."""


def with_other_weight():
    model = gpt()
    weight = model.lm_head.weight.detach().as_subclass(Quantised)
    model.lm_head.weight = nn.Parameter(weight)
    return model


def hooked():
    model = gpt()
    model.lm_head.register_forward_hook(lambda head, inputs, logits: 3.0 * logits)
    return model


def replaced():
    model = gpt()
    model.lm_head.forward = lambda x: 3.0 * nn.functional.linear(x, model.lm_head.weight)
    return model


@pytest.mark.parametrize(
    ("student", "why"),
    [
        (gpt, None),
        (lambda: gpt(kind=Scaled), "does more to its logits"),
        (lambda: gpt(kind=ScaledInPlace), "does more to its logits"),
        (lambda: gpt(kind=ScaledInTraining), "does more to its logits"),
        (lambda: gpt(kind=Cut, vocab_size=60), "does more to its logits"),
        (lambda: with_head(OwnHead), "a OwnHead, not a plain nn.Linear"),
        (lambda: with_head(NamedHead), None),
        (hooked, "has forward hooks"),
        (replaced, "forward of TinyGPT's head was replaced"),
        (with_other_weight, "head is a Quantised, not a plain tensor"),
        (lambda: nn.Sequential(nn.Embedding(V, 8), nn.Linear(8, V)), "Sequential shows no head"),
    ],
)
def test_what_a_student_does_to_its_logits_is_what_runs(student, why):
    run, history = fit(student(), gpt(1))
    assert run.path == "linear" if why is None else run.path.startswith("dense: ")
    assert why is None or why in run.path
    dense = losses(student(), gpt(1), linear=False)
    assert history.column("loss") == pytest.approx(dense, rel=1e-5)


class Colder(LiveTeacher):
    def forward(self, input_ids, **inputs):
        return super().forward(input_ids, **inputs) * 2.0


class Other(LiveTeacher):
    def targets(self, batch):
        return super().targets(batch).roll(1, -1)


class Counting(LiveTeacher):
    asked = 0

    def targets(self, batch):
        self.asked += 1
        return super().targets(batch)


@pytest.mark.parametrize(("kind", "path"), [(Colder, "dense"), (Other, "dense"), (Counting, "lin")])
def test_what_a_subclass_of_a_teacher_says_is_what_is_taught(kind, path):
    run, history = fit(gpt(), kind(gpt(1)))
    assert run.path.startswith(path)
    said = kind(gpt(1))
    with torch.no_grad():
        batch = {"input_ids": torch.stack([r["input_ids"][:10] for r in rows()[:4]])}
        teacher = said.targets(batch)
        student = gpt()(batch["input_ids"])[:, :-1]
    expected = CombinedObjective()(student, teacher, batch["input_ids"][:, 1:]).kd_loss.item()
    data = [{"input_ids": row, "labels": row} for row in batch["input_ids"]]
    _, history = fit(gpt(), kind(gpt(1)), data=data, steps=1)
    assert history.column("kd_loss")[0] == pytest.approx(expected, rel=1e-4)


class Capped(TinyGPT):
    """Caps its logits where there is more than one row: not so when it is first asked."""

    def forward(self, input_ids, *arguments, **named):
        logits = super().forward(input_ids, *arguments, **named)
        return torch.tanh(logits) if len(input_ids) > 1 else logits


def test_a_model_that_changes_its_ways_is_not_taken_for_what_it_was():
    for models in ((gpt(kind=Capped), gpt(1)), (gpt(), gpt(1, kind=Capped))):
        with pytest.raises(ValueError, match="more to its logits than when it was first asked"):
            fit(*models)
        fit(*models, linear=False)
    together, alone = (evaluate(gpt(kind=Capped), rows(), batch_size=size) for size in (8, 1))
    batch = collate(rows())
    with torch.no_grad():
        logits = gpt(kind=Capped)(batch["input_ids"])[:, :-1]
    expected = CombinedObjective(lam=0.0)(logits, None, batch["labels"][:, 1:]).loss.item()
    assert together.lm_loss == pytest.approx(expected, rel=1e-5)
    assert alone.lm_loss != pytest.approx(expected, rel=1e-5)


class Long(Counting):
    head = None

    def targets(self, batch):
        return logits_of(self.model, batch["input_ids"])


class Silent(Counting):
    head = None

    def targets(self, batch):
        return None


class BadHead(Other):
    head = "lm_head"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Long, r"Long.targets\(batch\) returned \[1, 12, 48\] for 1 rows of 12 tokens"),
        (Silent, r"Silent.targets\(batch\) returned NoneType"),
        (BadHead, "BadHead.head must be an nn.Linear or None, got str"),
    ],
)
def test_a_teacher_that_is_none_is_named(kind, message):
    with pytest.raises(ValueError, match=message):
        fit(gpt(), kind(gpt(1)))


class Doubled(CombinedObjective):
    def __call__(self, *arguments, **named):
        output = super().__call__(*arguments, **named)
        return output._replace(loss=2 * output.loss)


class DoubledKD(CombinedObjective):
    @property
    def kd_scale(self):
        return 2.0


class OwnTwin(CombinedObjective):
    def linear_twin(self):
        return LinearCombinedObjective(self.divergence, lam=self.lam, chunk_size=3)


def replaced_combine():
    objective = CombinedObjective()
    objective.combine = lambda lm, kd: 2 * lm
    return objective


@pytest.mark.parametrize(
    ("objective", "path"),
    [
        (CombinedObjective, "linear"),
        (Doubled, "dense: Doubled offers no linear_twin() of its own"),
        (DoubledKD, "dense: DoubledKD offers no linear_twin() of its own"),
        (OwnTwin, "linear"),
        (lambda: LinearCombinedObjective(chunk_size=2), "linear"),
        (replaced_combine, "dense: combine of this objective was replaced"),
    ],
)
def test_only_a_combined_objective_is_exchanged(objective, path):
    run, history = fit(gpt(), gpt(1), objective())
    assert run.path == path
    if isinstance(objective(), Doubled):
        plain = losses(gpt(), gpt(1), steps=1)
        assert history.column("loss")[0] == pytest.approx(2 * plain[0], rel=1e-5)


def test_an_objective_without_logits_is_refused_where_there_are_no_hidden_states():
    with pytest.raises(ValueError, match=r"needs hidden states, but .* does more to its logits"):
        fit(gpt(kind=Scaled), gpt(1), LinearCombinedObjective())


def test_a_temperature_that_changes_on_the_way_is_the_one_that_counts():
    def changing(linear):
        objective = CombinedObjective(temperature=2.0)
        config = TrainConfig(**vars(CONFIG) | {"steps": 4, "linear_objective": linear})
        run = DistillationTrainer(gpt(), gpt(1), objective, config=config)
        step = run.schedule.step

        def and_cool(metric=None):
            objective.temperature = 1.0
            step(metric)

        run.schedule.step = and_cool
        return run.fit(rows()).column("kd_loss")

    assert changing(True) == pytest.approx(changing(False), rel=1e-4)


def test_the_path_is_said_at_the_start_and_why(caplog):
    caplog.set_level(logging.INFO, logger="kdlab")
    fit(gpt(), gpt(1))
    fit(gpt(kind=Scaled), gpt(1))
    first, second = (r.getMessage() for r in caplog.records if r.name == "kdlab")
    assert first == "The objective is computed on the linear path: no logits are made in full."
    assert second.startswith("The objective is computed on the dense path, for of the student: it")


# --- a probe leaves no trace ---


class Remembers(TinyGPT):
    """Counts its calls, averages what it sees, draws, and fails without logits."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.calls = 0
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, *arguments, **named):
        self.calls += 1
        self.mean += 1
        torch.rand(3)
        logits = super().forward(*arguments, **named)
        return logits + torch.zeros(V)


def test_a_probe_that_fails_leaves_a_model_as_it_was():
    model = Remembers("tiny-student", vocab_size=V, block_size=16, d_model=32, n_layer=1)
    model.blocks[0].eval()
    teacher = gpt(1)
    torch.manual_seed(3)
    run = DistillationTrainer(model, teacher, CombinedObjective(), config=CONFIG)
    run.fit(rows())
    assert run.path.startswith("dense")
    assert model.calls == 2
    assert model.mean == 2
    assert not model.lm_head._forward_hooks
    assert "forward" not in vars(model.lm_head)
    assert torch.initial_seed() == 3


def test_why_a_teacher_shows_no_head_is_told():
    run, _ = fit(gpt(), with_other_weight())
    assert run.path.startswith("dense: of the teacher: the weight of TinyGPT's head is a Quant")


def test_an_output_that_a_model_keeps_is_put_back():
    """It is a dictionary that refuses to be updated."""

    class Keeps(TinyGPT):
        last = None

        def forward(self, input_ids):
            self.last = CausalLMOutput(logits=super().forward(input_ids))
            return self.last

    model = Keeps("tiny-student", vocab_size=V, block_size=16)
    before = model(torch.zeros(1, 3, dtype=torch.long))
    with unchanged(model):
        model(torch.ones(1, 3, dtype=torch.long))
        before["logits"] = None
    assert model.last is before
    assert before.logits is not None


def test_all_that_a_model_holds_is_put_back():
    model = Remembers("tiny-student", vocab_size=V, block_size=16).train()
    model.dropout.eval()
    modes = [part.training for part in model.modules()]
    drawn = torch.get_rng_state()
    with unchanged(model):
        model.eval()
        model(torch.zeros(1, 3, dtype=torch.long))
        model.mean = torch.ones(())
        model.new = "attribute"
    assert [part.training for part in model.modules()] == modes
    assert (model.calls, model.mean.item(), hasattr(model, "new")) == (0, 0.0, False)
    assert torch.equal(torch.get_rng_state(), drawn)


class Writes(TinyGPT):
    """Changes in a forward pass whatever a module may hold."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.scaled = nn.Parameter(torch.ones(4), requires_grad=False)
        self.short = nn.Embedding(V, 4, max_norm=0.1)
        self.seen, self.kept, self.kinds = [], {}, set()
        self.draws = torch.Generator().manual_seed(5)

    def forward(self, input_ids, *arguments, **named):
        self.seen.append(len(input_ids))
        self.kept["last"] = input_ids
        self.kinds.add(input_ids.dtype)
        torch.rand(1, generator=self.draws)
        self.short(input_ids)
        with torch.no_grad():
            self.scaled *= 0.5
            self.scaled.data.view(2, 2)[0].add_(1)
        self.lm_head.register_forward_hook(lambda head, inputs, logits: 1000 * logits)
        return super().forward(input_ids, *arguments, **named)


def test_nothing_that_a_model_writes_to_is_left_written_to():
    model = gpt(kind=Writes)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = model.draws.get_state()
    with unchanged(model):
        model(torch.arange(8)[None])
        assert model.seen
        assert not torch.equal(model.short.weight, before["short.weight"])
    assert (model.seen, model.kept, model.kinds) == ([], {}, set())
    assert torch.equal(model.draws.get_state(), state)
    assert not model.lm_head._forward_hooks
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


class WritesToMany(TinyGPT):
    """Changes weights of one memory with one call, as an optimiser does."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        whole = torch.ones(6)
        self.one, self.two = nn.Parameter(whole[:3]), nn.Parameter(whole[3:])

    def forward(self, *arguments, **named):
        torch._foreach_add_([self.norm.weight, self.lm_head.weight], 1.0)
        self.one.mul_(2)
        self.two.mul_(2)
        return super().forward(*arguments, **named)


def test_weights_that_are_written_to_together_are_put_back():
    model = gpt(kind=WritesToMany)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with unchanged(model):
        model(torch.arange(8)[None])
        assert not torch.equal(model.norm.weight, before["norm.weight"])
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PyTorch warns of what its own compiler does
def test_what_is_compiled_whole_is_asked_as_it_is_written():
    """As flex attention is by transformers; PyTorch refuses to compile beside what looks on."""
    ids, queries = torch.arange(8)[None], torch.ones(1, 1, 4, 4)
    model = gpt().eval()
    whole = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        expected = model(ids)
    with unchanged(whole):
        assert torch.equal(whole(ids), expected)
        assert torch.allclose(flex_attention(queries, queries, queries), queries)
    torch._dynamo.reset()


@pytest.mark.parametrize("kind", [Detached, WithoutGradients])
@pytest.mark.parametrize("linear", [True, False])
def test_a_student_that_passes_no_gradient_on_is_refused(kind, linear):
    """On the linear path its head alone learned."""
    with pytest.raises(ValueError, match="pass no gradient on"):
        losses(gpt(kind=kind), gpt(1), linear=linear)
    assert losses(gpt(), gpt(1, kind=kind), linear=linear)
    student = gpt().requires_grad_(False)
    student.norm.requires_grad_(True)
    assert losses(student, gpt(1), linear=linear)


# --- adapters ---


def prompted(kind, seed=0):
    peft = pytest.importorskip("peft")
    torch.manual_seed(seed)
    config = getattr(peft, kind)(num_virtual_tokens=3, task_type="CAUSAL_LM")
    model = peft.get_peft_model(tiny("Llama", seed), config)
    with torch.no_grad():
        for parameter in model.prompt_encoder.parameters():
            parameter.mul_(20)
    return model


@pytest.mark.parametrize(
    "kind", ["PromptTuningConfig", "PromptEncoderConfig", "PrefixTuningConfig"]
)
def test_prompts_before_a_text_are_no_part_of_it(kind, tmp_path):
    student, teacher = prompted(kind), tiny("Llama", 1)
    expected = []
    with torch.no_grad():
        for row in rows():
            ids = row["input_ids"][None]
            q = student(input_ids=ids).logits[:, -ids.shape[1] :][:, :-1]
            p = teacher(ids).logits[:, :-1]
            output = CombinedObjective()(q, p, ids[:, 1:])
            expected.append((output.kd_loss * output.num_items, output.num_items))
    expected = sum(loss for loss, _ in expected).item() / sum(n for _, n in expected)
    assert evaluate(student, rows(), teacher).kl_to_teacher == pytest.approx(expected, rel=1e-4)
    history = fit(student, teacher, batch_size=8, steps=1, max_grad_norm=1e9)[1]
    assert history.column("kd_loss") == pytest.approx([expected], rel=1e-4)

    fit(tiny("Llama"), prompted(kind))  # and they teach
    fit(student := prompted(kind), AdaptersOffTeacher(student))
    write_topk_store(student, rows(), tmp_path / "a.topk", k=V)
    stored = TopKTeacher(tmp_path / "a.topk", rows()).targets(
        {"input_ids": rows()[0]["input_ids"][None]}
    )
    with torch.no_grad():
        said = logits_of(student.eval(), rows()[0]["input_ids"][None])[:, :-1].log_softmax(-1)
    assert torch.allclose(said.gather(-1, stored.ids), stored.log_probs, atol=0.02)

    text = rows()[0]["input_ids"][None, :4]
    written = generate(student, text, 4, temperature=0.0)
    with torch.no_grad():
        for _ in range(4):
            likeliest = student(input_ids=text).logits[:, -1:].argmax(-1)
            text = torch.cat([text, likeliest], -1)
    assert torch.equal(written, text)


class Pooled(TinyGPT):
    def forward(self, *arguments, **named):
        return super().forward(*arguments, **named)[:, -1]


class OneMore(TinyGPT):
    def forward(self, *arguments, **named):
        logits = super().forward(*arguments, **named)
        return torch.cat([logits[:, :1], logits], 1)


@pytest.mark.parametrize("kind", [Pooled, OneMore])
def test_logits_of_other_positions_are_refused(kind):
    for use in (lambda: fit(gpt(kind=kind), gpt()), lambda: evaluate(gpt(kind=kind), rows())):
        with pytest.raises(ValueError, match=f"{kind.__name__} returned logits .* for tokens"):
            use()


def test_adapters_train_on_either_side():
    student = partial(with_adapters, "Llama")
    frozen = {n: p.clone() for n, p in tiny("Llama").named_parameters()}
    run, history = fit(student(tiny("Llama")), student(tiny("Llama", 1)))
    assert run.path == "linear"
    dense = losses(student(tiny("Llama")), student(tiny("Llama", 1)), linear=False)
    assert history.column("loss") == pytest.approx(dense, rel=1e-4)
    base = dict(run.student.get_base_model().named_parameters())
    for name, before in frozen.items():
        name = name if name in base else name.replace(".weight", ".base_layer.weight")
        assert torch.equal(base[name], before)
    assert run.student.training  # the mode of a student in training, not what a probe left
    assert not any(part._forward_hooks for part in run.student.modules())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"target_modules": ["q_proj", "lm_head"]}, "is a peft.Linear, not a plain nn.Linear"),
        ({"modules_to_save": ["lm_head"]}, "is a ModulesToSaveWrapper, not a plain nn.Linear"),
    ],
)
def test_adapters_on_the_head_take_the_dense_path(options, why):
    run, _ = fit(with_adapters("Llama", tiny("Llama"), **options), tiny("Llama", 1))
    assert why in run.path
    head = run.student.get_output_embeddings()
    assert all(p.grad is None or p.requires_grad for p in head.parameters())
    with torch.no_grad():
        before = with_adapters("Llama", tiny("Llama"), **options).train()
        ids = rows()[0]["input_ids"][None]
        assert not torch.equal(logits_of(before, ids), logits_of(run.student, ids))


def test_a_student_without_its_adapters_teaches_itself():
    student = with_adapters("Llama", tiny("Llama"))
    run, history = fit(student, AdaptersOffTeacher(student))
    assert run.path == "linear"
    apart = losses(with_adapters("Llama", tiny("Llama")), tiny("Llama"))
    assert history.column("loss") == pytest.approx(apart, rel=1e-4)
    found = evaluate(run.student, rows(seed=1), AdaptersOffTeacher(student))
    assert found.kl_to_teacher > 0
    with pytest.raises(TypeError, match="TinyGPT has no adapters to turn off"):
        AdaptersOffTeacher(gpt())


@pytest.mark.parametrize("how", ["pissa", "pissa_niter_4", "olora"])
def test_a_student_whose_adapters_took_a_part_of_its_weights_is_no_teacher_without_them(how):
    peft = pytest.importorskip("peft")
    ids, model = rows()[0]["input_ids"][None], tiny("Llama")
    before = logits_of(model, ids)
    config = peft.LoraConfig(r=2, init_lora_weights=how, target_modules=["q_proj"])
    student = peft.get_peft_model(model, config).eval()
    assert torch.allclose(logits_of(student, ids), before, atol=1e-3)
    with student.disable_adapter():
        assert not torch.allclose(logits_of(student, ids), before, atol=1e-3)
    for found in (student, student.get_base_model()):
        with pytest.raises(ValueError, match=f"with init_lora_weights='{how}' the adapters begin"):
            AdaptersOffTeacher(found)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_adapters_that_are_kept_in_sparse_tensors_are_trained():
    peft = pytest.importorskip("peft")
    config = peft.ShiraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    student = peft.get_peft_model(tiny("Llama"), config)
    run, history = fit(student, AdaptersOffTeacher(student))
    assert run.path == "linear"
    assert history.column("kd_loss")[0] == pytest.approx(0, abs=1e-5)
    assert history.column("kd_loss")[-1] > 1e-7


@pytest.mark.parametrize("how", ["add_adapter", "inject"])
def test_adapters_that_were_added_to_a_model_are_turned_off_too(how):
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, init_lora_weights=False, target_modules=["q_proj", "v_proj"])
    student, ids = tiny("Llama"), rows()[0]["input_ids"][None]
    with torch.no_grad():
        before = logits_of(student, ids)[:, :-1]
        if how == "inject":
            student = peft.inject_adapter_in_model(config, student)
        else:
            try:
                student.add_adapter(config)
            except ValueError as refused:  # transformers 5.24 asks for a PEFT that is not out yet
                if "version of PEFT" not in str(refused):
                    raise
                pytest.skip(str(refused))
        adapted = logits_of(student, ids)
    teacher = AdaptersOffTeacher(student)
    assert torch.equal(teacher.targets({"input_ids": ids}), before)
    assert torch.equal(logits_of(student, ids), adapted)
    fit(student, teacher)


def test_merged_adapters_are_no_student():
    student = with_adapters("Llama", tiny("Llama"))
    student.merge_adapter()
    with pytest.raises(ValueError, match=r"no weight that is to be trained; .*unmerge_adapter\(\)"):
        fit(student, tiny("Llama", 1))


def test_a_base_model_that_its_own_adapters_changed_is_no_teacher():
    base = tiny("Llama")
    student = with_adapters("Llama", base)
    for teacher in (base, student, student.get_base_model()):
        with pytest.raises(ValueError, match=r"share the weight .*AdaptersOffTeacher\(student\)"):
            DistillationTrainer(student, teacher, CombinedObjective(), config=CONFIG)


# --- teachers of a user's own, as the teachers' page shows them ---


@pytest.fixture(scope="module")
def shown():
    """The classes that the page defines."""
    page = Path(__file__).parents[2] / "book/reference/library-teachers.md"
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        if "class " in block:
            exec(block, names)
    return SimpleNamespace(**names)


def a_server(model, k=4):
    @torch.no_grad()
    def answer(ids):
        top = model(torch.tensor([ids]))[0].log_softmax(-1).topk(k)
        pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        return [{"ids": i, "log_probs": p} for i, p in pairs]

    return answer


def test_a_mean_of_two_teachers_teaches(shown):
    run, history = fit(gpt(), shown.MeanTeacher(gpt(1), gpt(2)))
    assert run.path == "dense: of the teacher: it shows no head"
    same = losses(gpt(), gpt(1))
    assert losses(gpt(), shown.MeanTeacher(gpt(1), gpt(1))) == pytest.approx(same, rel=1e-4)
    assert history.column("loss") != pytest.approx(same, rel=1e-5)


def test_a_teacher_behind_a_server_teaches(shown):
    run, history = fit(gpt(), shown.ServerTeacher(a_server(gpt(1).eval())))
    assert run.path == "linear"
    assert 0 < history.column("kd_loss")[0] <= fit(gpt(), gpt(1))[1].column("kd_loss")[0]
    everything = losses(gpt(), shown.ServerTeacher(a_server(gpt(1).eval(), k=V)))
    assert everything == pytest.approx(losses(gpt(), gpt(1)), rel=1e-4)


def test_what_is_no_teacher_is_refused():
    with pytest.raises(TypeError, match=r"anything with targets\(batch\); str is not"):
        DistillationTrainer(gpt(), "gpt-5", CombinedObjective())


# --- what is put around models ---


def test_activations_that_are_computed_again_change_nothing():
    student = tiny("Llama")
    name = "activation_checkpointing_enable"  # the name it is being given
    getattr(student, name, student.gradient_checkpointing_enable)()
    run, history = fit(student, tiny("Llama", 1))
    assert run.path == "linear"
    assert history.column("loss") == pytest.approx(losses(tiny("Llama"), tiny("Llama", 1)))


@pytest.mark.slow
@pytest.mark.parametrize("made", [gpt, partial(tiny, "Llama")])
def test_a_compiled_student_trains_alike(made, monkeypatch):
    """Captured as graphs, and run as they are: what a compiler makes of them is the GPU's test."""
    compiled = []

    def compile(model):
        compiled.append(model)
        return compiler(model, backend="eager")

    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", compile)
    run, history = fit(made(), made(1), compile=True)
    assert compiled == [run.student]
    assert run.path == "linear"
    assert history.column("loss") == pytest.approx(losses(made(), made(1)), rel=1e-5)
    torch._dynamo.reset()


@pytest.mark.parametrize("whose", ["student", "teacher"])
def test_a_device_map_is_kept_and_its_hooks_run(whose):
    from accelerate import dispatch_model

    models = {"student": tiny("Llama"), "teacher": tiny("Llama", 1)}
    models[whose] = dispatch_model(models[whose], {"": "cpu"}, force_hooks=True)
    run, history = fit(*models.values())
    assert run.path.startswith("dense: ")
    expected = losses(tiny("Llama"), tiny("Llama", 1))
    assert history.column("loss") == pytest.approx(expected, rel=1e-5)


def test_bf16_takes_the_same_path_and_leaves_the_model_s_forward_alone():
    student = tiny("Llama")
    run, history = fit(student, tiny("Llama", 1), mixed_precision="bf16")
    assert run.path == "linear"
    assert "forward" not in vars(student)
    assert history.column("loss") == pytest.approx(
        losses(tiny("Llama"), tiny("Llama", 1)), rel=0.02
    )
