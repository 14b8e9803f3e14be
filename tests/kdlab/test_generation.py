"""Text that a model writes: its distribution, its modes, its limits."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn as nn

from kdlab import TinyGPT, collate, generate, logits_of
from kdlab.generation import before_answers, continued
from tests.kdlab.tiny_models import ARCHITECTURES, MORE, roberta, rows, tiny, with_adapters


def table(logits):
    """A model whose next token depends on the last one alone."""
    return nn.Embedding.from_pretrained(torch.as_tensor(logits, dtype=torch.float32))


def test_tokens_come_as_often_as_the_model_says():
    model = table([[0.0, 1.0, 2.0]] * 3)
    draws = generate(
        model,
        torch.zeros(20_000, 1, dtype=torch.long),
        1,
        generator=torch.Generator().manual_seed(0),
    )[:, 1]
    shares = torch.bincount(draws, minlength=3) / len(draws)
    expected = torch.tensor([0.0, 1.0, 2.0]).softmax(-1)
    assert (shares - expected).abs().max() < 4 * (0.25 / len(draws)) ** 0.5


@pytest.mark.parametrize("vocabulary", [1, 255, 256, 257, 1000])
def test_of_a_large_vocabulary_every_token_has_its_share(vocabulary):
    """A block is drawn, and a token of it; a token that is ruled out never comes."""
    logits = torch.linspace(-3, 3, vocabulary)[torch.randperm(vocabulary)]
    logits[1::3] = -torch.inf
    start = torch.zeros(40_000, 1, dtype=torch.long)
    draws = generate(table(logits.expand(vocabulary, -1).clone()), start, 1)[:, 1]
    expected = len(draws) * logits.softmax(-1)
    count = torch.bincount(draws, minlength=vocabulary)
    assert count[expected == 0].sum() == 0
    assert ((count - expected).abs() <= 5 * expected.sqrt() + 5).all()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("logits", [[0.0, float("nan")], [0.0, torch.inf], [-torch.inf] * 2])
def test_logits_that_are_not_finite_are_nothing_to_take_a_token_from(logits, temperature):
    """Nor is the likeliest of them one: of NaN, argmax takes the first."""
    start = torch.zeros(1, 1, dtype=torch.long)
    with pytest.raises(ValueError, match="the model's logits are not finite"):
        generate(table([logits] * 2), start, 1, temperature=temperature)


def test_temperature_acts_on_the_logits():
    model = table([[0.0, 1.0]] * 2)
    draws = generate(
        model,
        torch.zeros(20_000, 1, dtype=torch.long),
        1,
        temperature=0.5,
        generator=torch.Generator().manual_seed(0),
    )[:, 1]
    assert draws.float().mean().item() == pytest.approx(
        torch.tensor(2.0).sigmoid().item(), abs=0.015
    )


@pytest.mark.parametrize("temperature", [1e-30, 1e-40, 5e-324])
def test_at_a_temperature_near_0_the_likeliest_token_comes(temperature):
    """Logits divided by it are beyond all floats."""
    model = table([[1e9, -torch.inf, 2e9, 0.0]] * 4)
    found = generate(model, torch.zeros(5, 1, dtype=torch.long), 3, temperature=temperature)
    assert (found[:, 1:] == 2).all()


def test_top_k_leaves_the_others_out():
    model = table([[0.0, 0.1, 0.2, 0.3]] * 4)
    draws = generate(model, torch.zeros(500, 1, dtype=torch.long), 3, top_k=2)[:, 1:]
    assert set(draws.flatten().tolist()) == {2, 3}


def test_of_a_vocabulary_the_first_tokens_are_drawn_as_often_as_among_themselves():
    model = table(torch.tensor([[1.0, 3.0, 4.0, 8.0]] * 4).log())
    start = torch.zeros(4000, 1, dtype=torch.long)
    draws = generate(model, start, 1, vocabulary=2)[:, 1]
    assert draws.bincount().tolist() == pytest.approx([1000, 3000], abs=140)  # five deviations
    assert generate(model, start[:1], 1, vocabulary=3, temperature=0.0)[0, 1] == 2


def test_of_equal_logits_top_k_takes_k():
    draws = generate(table(torch.zeros(9, 9)), torch.zeros(500, 1, dtype=torch.long), 1, top_k=1)
    assert len(set(draws[:, 1].tolist())) == 1


def test_greedy_is_the_likeliest_continuation_of_the_whole_sequence():
    torch.manual_seed(0)
    model = TinyGPT("tiny-student", vocab_size=50)
    start = torch.randint(50, (3, 4))
    text = generate(model, start, 6, temperature=0.0)
    assert torch.equal(text[:, :4], start)
    with torch.no_grad():
        assert torch.equal(logits_of(model, text)[:, 3:-1].argmax(-1), text[:, 4:])


def test_the_same_generator_writes_the_same_and_leaves_torchs_own_alone():
    model = TinyGPT("tiny-student", vocab_size=50)
    start, state = torch.zeros(2, 1, dtype=torch.long), torch.get_rng_state()
    first, second = (
        generate(model, start, 9, generator=torch.Generator().manual_seed(7)) for _ in range(2)
    )
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_it_writes_without_dropout_and_restores_the_mode():
    model = TinyGPT("tiny-student", vocab_size=50, dropout=0.9).train()
    start = torch.zeros(1, 1, dtype=torch.long)
    texts = [generate(model, start, 8, temperature=0.0) for _ in range(2)]
    assert torch.equal(*texts)
    assert model.training


def hugging_face_model():
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        eos_token_id=None,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(config)


@pytest.mark.parametrize(
    ("model", "read"),
    [
        (lambda: TinyGPT("tiny-student", vocab_size=40), [5, 1, 1, 1]),
        (hugging_face_model, [5, 1, 1, 1]),
        (lambda: table(torch.eye(40)), [5, 6, 7, 8]),
    ],
    ids=["TinyGPT", "Hugging Face", "any other"],
)
def test_a_model_that_keeps_its_past_reads_a_token_once(model, read):
    model, lengths = model(), []
    embedding = next(part for part in model.modules() if isinstance(part, nn.Embedding))
    embedding.register_forward_hook(lambda part, inputs, output: lengths.append(inputs[0].shape[1]))
    generate(model, torch.ones(2, 5, dtype=torch.long), 4)
    assert lengths == read


class Forgetful(nn.Module):
    """Takes a past, as some models do, and returns none; says the number of what it has read."""

    def forward(self, input_ids, past_key_values=None, use_cache=False):
        length = torch.full_like(input_ids[:, :1], input_ids.shape[1])
        return SimpleNamespace(logits=nn.functional.one_hot(length, 9).float())


@pytest.mark.filterwarnings("ignore:Forgetful keeps nothing")
def test_a_model_that_returns_no_past_reads_the_whole_text_again():
    text = generate(Forgetful(), torch.zeros(1, 2, dtype=torch.long), 3, temperature=0.0)
    assert text.tolist() == [[0, 0, 2, 3, 4]]


def test_a_model_with_an_encoder_is_refused():
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 20, "d_model": 8, "max_position_embeddings": 16}
    sizes |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    config = transformers.BartConfig(encoder_layers=1, decoder_layers=1, **sizes)
    model = transformers.BartForConditionalGeneration(config)
    with pytest.raises(ValueError, match="BartForConditionalGeneration has an encoder"):
        generate(model, torch.zeros(1, 2, dtype=torch.long), 2)


def test_a_hugging_face_model_writes_as_its_own_method_does():
    model = hugging_face_model()
    start = torch.randint(1, 40, (2, 5))
    theirs = model.eval().generate(
        start, attention_mask=torch.ones_like(start), max_new_tokens=7, do_sample=False
    )
    assert torch.equal(generate(model, start, 7, temperature=0.0), theirs)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3,), {}, r"\[B, T\]"),
        ((2, 0), {}, r"both at least 1, got \[2, 0\]"),
        ((0, 2), {}, r"both at least 1, got \[0, 2\]"),
        ((1, 1), {"new_tokens": -1}, "new_tokens must be at least 0, got -1"),
        ((1, 1), {"temperature": -0.5}, "temperature .* got -0.5"),
        ((1, 1), {"temperature": float("nan")}, "temperature .* got nan"),
        ((1, 1), {"new_tokens": "2"}, "new_tokens must be a whole number, got '2'"),
        ((1, 1), {"top_k": 0}, "top_k must be at least 1, got 0"),
        ((1, 1), {"top_k": 2.5}, "top_k must be a whole number, got 2.5"),
        ((2, 1), {"at_most": [1]}, r"at_most must have a number for each of 2 rows: \[1\]"),
        ((1, 1), {"attention_mask": [[1]]}, "attention_mask must be a tensor, got list"),
        ((1, 1), {"new_tokens": 12}, "block_size 8"),
    ],
)
def test_what_cannot_be_written_is_refused(shape, options, message):
    model = TinyGPT("tiny-student", vocab_size=10, block_size=8)
    with pytest.raises(ValueError, match=message):
        generate(model, torch.zeros(shape, dtype=torch.long), **({"new_tokens": 2} | options))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[1, 2]], r"a tensor of integers \[B, T\], got list; .*return_tensors"),
        ("owls", "got str"),
        (torch.ones(1, 2), "got torch.float32"),
        (torch.full((1, 2), 10), "token id 10; those of TinyGPT are from 0 to 9"),
    ],
)
def test_what_is_no_token_ids_is_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        generate(TinyGPT("tiny-student", vocab_size=10, block_size=8), ids, 2)


# --- the end of a text, and prompts of their own length ---

END = 2


def counting():
    """Token i is followed by i + 1; after 9 comes the end, and after that 5."""
    follow = torch.eye(12).roll(1, dims=1)
    follow[9], follow[END] = torch.eye(12)[END], torch.eye(12)[5]
    return table(1e4 * follow)


def test_a_row_that_has_ended_writes_nothing_more():
    start = torch.tensor([[7], [3]])
    text = generate(counting(), start, 5, temperature=0.0, end_of_text=END)
    assert text.tolist() == [[7, 8, 9, END, END, END], [3, 4, 5, 6, 7, 8]]
    assert generate(counting(), start[:1], 5, end_of_text=END).tolist() == [
        [7, 8, 9, END, END, END]
    ]
    assert generate(counting(), start[:1], 4).tolist() == [[7, 8, 9, END, 5]]


def test_prompts_are_the_first_tokens_that_are_there_on_either_side():
    texts = torch.tensor([[0, 0, 3, 4, 5, 6], [6, 7, 3, 0, 0, 0], [7, 1, 1, 1, 1, 1]])
    mask = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    batch = continued(counting(), texts, 7, prompt_tokens=2, attention_mask=mask, end_of_text=END)
    assert batch["input_ids"].tolist() == [
        [3, 4, 5, 6, 7, 8, 9],
        [6, 7, 8, 9, END, 0, 0],
        [7, 1, END, 0, 0, 0, 0],
    ]
    assert batch["labels"].tolist() == [
        [-100, -100, 5, 6, 7, 8, 9],
        [-100, -100, 8, 9, END, -100, -100],
        [-100, -100, END, -100, -100, -100, -100],
    ]
    assert batch["attention_mask"].sum(-1).tolist() == [7, 5, 3]


def test_short_texts_are_prompts_whole_and_empty_ones_are_refused():
    texts, mask = torch.tensor([[3, 0, 0], [4, 5, 6]]), torch.tensor([[1, 0, 0], [1, 1, 1]])
    batch = continued(counting(), texts, 4, prompt_tokens=2, attention_mask=mask)
    assert batch["input_ids"].tolist() == [[3, 4, 5, 6], [4, 5, 6, 7]]
    assert batch["labels"].tolist() == [[-100, 4, 5, 6], [-100, -100, 6, 7]]
    with pytest.raises(ValueError, match="a text is empty"):
        continued(counting(), texts, 4, attention_mask=mask * 0)


def test_the_end_is_that_of_the_model_s_configuration():
    model = hugging_face_model()
    model.config.eos_token_id = [END, 3]
    model.lm_head.bias = nn.Parameter(torch.nn.functional.one_hot(torch.tensor(END), 40) * 1e3)
    batch = continued(model, torch.ones(2, 3, dtype=torch.long), 8)
    assert batch["labels"].tolist() == [[-100] * 3 + [END] + [-100] * 4] * 2


@pytest.mark.parametrize("name", [*ARCHITECTURES, *MORE])
def test_every_architecture_keeps_what_it_needs_and_writes_the_same(name):
    model, lengths = tiny(name).eval(), []
    start = rows(1)[0]["input_ids"][None]
    whole = start
    with torch.no_grad():
        for _ in range(4):
            whole = torch.cat([whole, logits_of(model, whole)[:, -1:].argmax(-1)], 1)
    embedding = model.get_input_embeddings()
    embedding.register_forward_hook(lambda part, inputs, output: lengths.append(inputs[0].shape[1]))
    assert generate(model, start, 4, temperature=0.0).equal(whole)
    assert lengths == [start.shape[1], 1, 1, 1]


def test_a_model_of_peft_keeps_its_past_too():
    model, lengths = with_adapters("Llama", tiny("Llama")).eval(), []
    embedding = model.get_input_embeddings()
    embedding.register_forward_hook(lambda part, inputs, output: lengths.append(inputs[0].shape[1]))
    generate(model, torch.ones(1, 5, dtype=torch.long), 3)
    assert lengths == [5, 1, 1]


def test_a_model_that_keeps_nothing_says_so():
    with pytest.warns(UserWarning, match="Forgetful keeps nothing of the text"):
        generate(Forgetful(), torch.zeros(1, 2, dtype=torch.long), 1)


@pytest.mark.parametrize("name", ["past_key_values", "cache_params", "cache"])
def test_a_cache_is_given_back_under_the_name_that_the_model_gives_it(name):
    """transformers 5.24 renamed it; Mamba's always had a name of its own."""
    read = []

    class Keeps(nn.Module):
        def answer(self, input_ids, kept):
            read.append((input_ids.shape[1], kept))
            logits = nn.functional.one_hot(input_ids, 9).float()
            return SimpleNamespace(logits=logits, **{name: (kept or 0) + input_ids.shape[1]})

    source = f"def forward(self, input_ids, {name}=None, use_cache=False):\n"
    source += f"    return self.answer(input_ids, {name})"
    exec(source, made := {})
    Keeps.forward = made["forward"]
    generate(Keeps(), torch.zeros(1, 4, dtype=torch.long), 3)
    assert read == [(4, None), (1, 4), (1, 5)]


# --- batches of prompts of their own length ---


@pytest.mark.parametrize("name", ["TinyGPT", *ARCHITECTURES])
def test_padded_on_the_left_a_prompt_is_gone_on_with_as_alone(name):
    model = TinyGPT("tiny-student", vocab_size=48) if name == "TinyGPT" else tiny(name)
    prompts = rows(4, 9)
    batch = collate(prompts, labels=False, padding_side="left")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    if name == "Mamba":
        with pytest.raises(ValueError, match="has a state that padding would enter"):
            generate(model, ids, 2, attention_mask=mask)
        return
    text = generate(model, ids, 5, attention_mask=mask, temperature=0.0)
    for row, prompt in zip(text, prompts, strict=True):
        alone = generate(model, prompt["input_ids"][None], 5, temperature=0.0)
        assert row[-5:].equal(alone[0, -5:])


def test_ragged_prompts_of_a_model_that_counts_from_padding_are_gone_on_with_by_their_length():
    """RoBERTa's positions begin after the number of its padding token."""
    model = roberta()
    batch = collate(rows(4, 9), labels=False, padding_side="left")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    with pytest.raises(ValueError, match=r"RobertaForCausalLM .* or counts positions from it"):
        generate(model, ids, 2, attention_mask=mask)
    options = {"attention_mask": mask, "temperature": 0.0}
    for new_tokens in (None, 3):
        written = continued(model, ids, 12, new_tokens=new_tokens, **options)
        for row, prompt in zip(written["labels"], rows(4, 9), strict=True):
            answer = row[row != -100]
            alone = generate(model, prompt["input_ids"][None], len(answer), temperature=0.0)
            assert answer.equal(alone[0, -len(answer) :])


@pytest.mark.parametrize("name", ["TinyGPT", "Llama", "Mamba"])
def test_ragged_prompts_go_on_in_few_passes_or_by_their_length(name):
    model = TinyGPT("tiny-student", vocab_size=48) if name == "TinyGPT" else tiny(name)
    batch = collate(rows(6, 9), labels=False)
    mask, passes = batch["attention_mask"], []
    embedding = next(part for part in model.modules() if isinstance(part, nn.Embedding))
    embedding.register_forward_hook(lambda part, inputs, output: passes.append(len(inputs[0])))
    options = {"attention_mask": mask, "new_tokens": 3, "temperature": 0.0}
    written = continued(model, batch["input_ids"], 12, **options)
    several = [number for number in passes if number > 1]  # padding is tried on one
    assert len(several) == (9 if name == "Mamba" else 3)
    for row, prompt in zip(written["labels"], rows(6, 9), strict=True):
        alone = generate(model, prompt["input_ids"][None], 3, temperature=0.0)
        assert row[row != -100].equal(alone[0, -3:])


def test_several_tokens_may_end_a_text():
    start = torch.tensor([[5], [3]])
    text = generate(counting(), start, 4, temperature=0.0, end_of_text=(END, 7))
    assert text.tolist() == [[5, 6, 7, END, END], [3, 4, 5, 6, 7]]
    batch = continued(counting(), start, 6, end_of_text=(END, 7))
    assert batch["labels"].tolist() == [
        [-100, 6, 7, -100, -100, -100],
        [-100, 4, 5, 6, 7, -100],
    ]


def test_a_mask_that_cannot_be_gone_on_with_is_refused():
    ids, model = torch.ones(2, 3, dtype=torch.long), tiny("Llama")
    right = torch.tensor([[1, 1, 0], [1, 1, 1]])
    with pytest.raises(ValueError, match="padded on the right"):
        generate(model, ids, 2, attention_mask=right)
    with pytest.raises(ValueError, match=r"\(2, 2\) must have the shape of input_ids, \(2, 3\)"):
        generate(model, ids, 2, attention_mask=right[:, 1:])
    with pytest.raises(ValueError, match=r"\(2, 2\) must have the shape of input_ids, \(2, 3\)"):
        generate(model, ids, 2, attention_mask=ids[:, 1:])
    with pytest.raises(ValueError, match="Embedding takes no 'attention_mask'"):
        generate(counting(), ids, 2, attention_mask=right.flip(-1))


def test_a_prompt_ends_where_the_last_answer_begins():
    labels = torch.tensor(
        [
            [-100, -100, 5, 6, -100, 7],
            [1, 2, 3, 4, 5, 6],
            [-100, -100, -100, -100, -100, -100],
            [-100, -100, -100, 9, -100, 0],
        ]
    )
    mask = torch.tensor([[1] * 6, [1] * 6, [1] * 6, [1, 1, 1, 1, 1, 0]])
    batch = {"labels": labels, "attention_mask": mask}
    assert before_answers(batch, otherwise=2) == [5, 2, 2, 3]
    assert before_answers(batch) == [5, 5, 5, 3]  # something is left to be written


@pytest.mark.parametrize("name", ["TinyGPT", "GPT2", "OPT", "Llama"])
def test_ragged_prompts_fill_all_the_places_that_a_model_has(name):
    """Padded and gone on with, the longest row would stand beyond its last place."""
    model = (
        TinyGPT("tiny-student", vocab_size=48, block_size=32) if name == "TinyGPT" else tiny(name)
    )
    sizes = (28, 9, 31)
    prompts = [{"input_ids": torch.arange(3, 3 + n) % 45 + 3} for n in sizes]
    batch = collate(prompts, labels=False)
    mask = batch["attention_mask"]
    written = continued(model, batch["input_ids"], 32, attention_mask=mask, temperature=0.0)
    for row, prompt, n in zip(written["labels"], prompts, sizes, strict=True):
        alone = generate(model, prompt["input_ids"][None], 32 - n, temperature=0.0)[0, n:]
        ends = torch.isin(alone, torch.tensor([2])).nonzero() if name != "TinyGPT" else []
        alone = alone[: int(ends[0]) + 1] if len(ends) else alone
        assert row[row != -100].equal(alone)


class Own(nn.Module):
    """A model of one's own, which nothing but an error tells how long a text may be."""

    def __init__(self, length, ruled_out=0):
        super().__init__()
        torch.manual_seed(0)
        self.model = TinyGPT("tiny-student", vocab_size=48, block_size=length)
        self.ruled_out = ruled_out

    def forward(self, input_ids, attention_mask=None, position_ids=None):
        logits = self.model(input_ids, None, attention_mask, position_ids).clone()
        logits[..., 48 - self.ruled_out :] = -torch.inf
        return logits


@pytest.mark.parametrize("ruled_out", [0, 40])
@pytest.mark.parametrize("length", [12, 128])
def test_padding_is_tried_on_no_longer_a_text_than_is_written(length, ruled_out):
    """Nor does it matter to the trial that tokens are ruled out."""
    model = Own(length, ruled_out)
    prompts = [{"input_ids": torch.arange(3, 3 + n)} for n in (1, 8, 2)]
    batch = collate(prompts, labels=False, padding_side="left")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    text = generate(model, ids, 4, attention_mask=mask, temperature=0.0)
    written = continued(model, ids, 12, attention_mask=mask, temperature=0.0)["labels"]
    few = continued(model, ids, 100, new_tokens=4, attention_mask=mask, temperature=0.0)["labels"]
    for row, labels, some, prompt in zip(text, written, few, prompts, strict=True):
        n = len(prompt["input_ids"])
        alone = generate(model, prompt["input_ids"][None], 12 - n, temperature=0.0)[0, n:]
        assert row[8:].equal(alone[:4])
        assert labels[labels != -100].equal(alone)
        assert some[some != -100].equal(alone[:4])
    short = torch.tensor([[0, 3], [3, 3]])
    mask = torch.tensor([[0, 1], [1, 1]])
    for new_tokens in (0, 1):
        assert generate(model, short, new_tokens, attention_mask=mask).shape == (2, 2 + new_tokens)
