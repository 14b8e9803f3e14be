"""What rows may look like, and that all of a batch reaches the model or is refused by name."""

import numpy as np
import pytest
import torch
import torch.nn as nn
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset, random_split

from kdlab import (
    CombinedObjective,
    Conversation,
    DistillationTrainer,
    LiveTeacher,
    TinyGPT,
    TopKTeacher,
    TrainConfig,
    collate,
    evaluate,
    generate,
    write_topk_store,
)
from kdlab.batches import check_rows
from kdlab.inputs import model_inputs
from tests.kdlab.tiny_models import roberta, rows, tiny

V = 48
CONFIG = TrainConfig(steps=2, batch_size=4, warmup_steps=1, device="cpu")


def gpt(seed=0, block_size=16):
    torch.manual_seed(seed)
    return TinyGPT("tiny-student", vocab_size=V, block_size=block_size, d_model=32, n_layer=1)


def losses(data, student=None, teacher=None):
    models = student or gpt(), teacher or gpt(1)
    run = DistillationTrainer(*models, CombinedObjective(), config=CONFIG)
    return run.fit(data).column("loss")


def padded(side, data=None, length=14):
    """The rows as they would be after someone's own padding."""
    found = []
    for row in data or rows():
        ids, n = row["input_ids"], len(row["input_ids"])
        pad = (0, length - n) if side == "right" else (length - n, 0)
        labels = ids.clone()
        labels[0] = -100  # no token stands before it, on either side
        found.append(
            {
                "input_ids": nn.functional.pad(ids, pad, value=9),
                "labels": nn.functional.pad(labels, pad, value=-100),
                "attention_mask": nn.functional.pad(torch.ones(n, dtype=torch.long), pad),
            }
        )
    return found


def test_the_first_token_after_padding_on_the_left_does_not_count():
    """Before it stands padding, and no model predicts a token from that."""
    data = [{"input_ids": [1, 2, 3], "labels": [1, 2, 3]}, {"input_ids": [4, 5], "labels": [4, 5]}]
    batch = collate(data, padding_side="left")
    assert batch["labels"].tolist() == [[1, 2, 3], [-100, -100, 5]]
    assert data[1]["labels"] == [4, 5]
    masked = [row | {"attention_mask": [1] * len(row["input_ids"])} for row in data]
    assert collate(masked, padding_side="left")["labels"].equal(batch["labels"])


def as_hugging_face(data):
    datasets = pytest.importorskip("datasets")
    return datasets.Dataset.from_list(
        [{name: values.tolist() for name, values in row.items()} for row in data]
    )


@pytest.mark.parametrize(
    "form",
    [
        lambda row: {name: values.tolist() for name, values in row.items()},
        lambda row: {name: values.numpy() for name, values in row.items()},
        lambda row: {name: tuple(values.tolist()) for name, values in row.items()},
        lambda row: {name: values.numpy().astype(np.int32) for name, values in row.items()},
        lambda row: {name: np.flip(values.flip(0).numpy()) for name, values in row.items()},
    ],
    ids=["lists", "arrays", "tuples", "int32", "arrays that run back"],
)
def test_rows_of_any_form_and_length_say_the_same(form):
    assert losses([form(row) for row in rows()]) == pytest.approx(losses(rows()), rel=1e-6)


@pytest.mark.parametrize("form", [None, "torch", "numpy"])
def test_a_hugging_face_dataset_says_the_same(form):
    assert losses(as_hugging_face(rows()).with_format(form)) == pytest.approx(losses(rows()))


@pytest.mark.parametrize("name", ["TinyGPT", "Llama", "GPT2", "OPT", "Bloom", "Mixtral"])
def test_padding_on_either_side_says_what_none_does(name):
    def models():
        return (gpt(), gpt(1)) if name == "TinyGPT" else (tiny(name), tiny(name, 1))

    expected = losses(rows(), *models())
    for side in ("left", "right"):
        assert losses(padded(side), *models()) == pytest.approx(expected, rel=1e-4)
        student, teacher = models()
        found, plain = (evaluate(student, data, teacher) for data in (padded(side), rows()))
        assert found.kl_to_teacher == pytest.approx(plain.kl_to_teacher, rel=1e-4)
        assert found.positions == plain.positions


@pytest.mark.parametrize("side", ["left", "right"])
def test_labels_count_where_a_token_and_the_one_before_it_are_there(side):
    """Whatever labels stand at padding, and at the first token after it: those of ids, often."""
    data = padded(side)
    for row in data:
        row["labels"] = row["input_ids"].clone()
    assert losses(data) == pytest.approx(losses(rows()), rel=1e-5)
    found, plain = (evaluate(gpt(), each, gpt(1)) for each in (data, rows()))
    assert found.positions == plain.positions
    assert found.kl_to_teacher == pytest.approx(plain.kl_to_teacher, rel=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.uint64])
def test_tokens_may_be_kept_in_any_integers(dtype, tmp_path):
    small = [{name: v.numpy().astype(dtype) for name, v in row.items()} for row in rows()]
    assert losses(small) == losses(rows())
    write_topk_store(gpt(1), small, tmp_path / "teacher.topk", k=5)
    assert losses(rows(), teacher=TopKTeacher(tmp_path / "teacher.topk", rows()))


@pytest.mark.parametrize("wrong", [-1, V, 50_256])
@pytest.mark.parametrize("made", [gpt, lambda: tiny("Llama")])
def test_ids_that_a_model_does_not_know_are_named(wrong, made, tmp_path):
    data = [{"input_ids": [3, wrong, 5], "labels": [3, 4, 5]}] * 8
    for use in (
        lambda: losses(data, made(), gpt(1)),
        lambda: losses([*rows()[:1], *data[:3]], gpt(), LiveTeacher(made())),
        lambda: evaluate(made(), data),
        lambda: write_topk_store(made(), data, tmp_path / "a.topk", k=2),
    ):
        with pytest.raises(ValueError, match=f"token id {wrong}; those of .* are from 0 to 47"):
            use()


def test_a_wrapper_s_model_counts_its_positions_too():
    expected = losses(rows(), tiny("GPT2"), tiny("GPT2", 1))
    found = losses(padded("left"), Passes(tiny("GPT2")), Passes(tiny("GPT2", 1)))
    assert found == pytest.approx(expected, rel=1e-4)


class Takes(nn.Module):
    """Says what it was called with."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(V, V)
        self.called = []

    def forward(self, input_ids, attention_mask=None, token_type_ids=None, position_ids=None):
        named = {"token_type_ids": token_type_ids, "position_ids": position_ids}
        self.called.append({name: value for name, value in named.items() if value is not None})
        return self.table(input_ids)


class Passes(nn.Module):
    """A wrapper that passes on whatever it is given."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, **inputs):
        return self.model(input_ids, **inputs)


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_the_models_take_reaches_both(wrapped):
    student, teacher = Takes(), Takes()
    data = [row | {"token_type_ids": torch.full_like(row["input_ids"], 3)} for row in rows()]
    data = [row | {"position_ids": torch.arange(len(row["input_ids"])) * 2} for row in data]
    losses(data, *((Passes(student), Passes(teacher)) if wrapped else (student, teacher)))
    for model in (student, teacher):
        called = model.called[-1]
        assert set(called["token_type_ids"].flatten().tolist()) <= {0, 3}
        assert called["position_ids"].max() == 22


@pytest.mark.parametrize("name", ["token_type_ids", "length", "pixel_values", "weights"])
def test_what_a_model_does_not_take_is_refused_by_name(name):
    data = [row | {name: torch.ones(3)} for row in rows()]
    for student in (gpt(), tiny("Llama")):
        with pytest.raises(ValueError, match=f"the batch has '{name}', which .* does not take"):
            losses(data, student, gpt(1))
    with pytest.raises(ValueError, match=f"the batch has '{name}', which TinyGPT does not take"):
        evaluate(gpt(), data)


def test_only_the_teacher_s_not_taking_a_field_is_enough():
    data = [row | {"token_type_ids": torch.zeros_like(row["input_ids"])} for row in rows()]
    with pytest.raises(ValueError, match="'token_type_ids', which TinyGPT does not take"):
        losses(data, tiny("GPT2"), gpt(1))


def test_a_model_without_a_mask_reads_padding_on_the_right_only():
    table = nn.Embedding(V, V)
    inputs = model_inputs(table, collate(padded("right")))
    assert list(inputs) == ["input_ids"]
    with pytest.raises(ValueError, match="padded on the left, but Embedding takes no"):
        model_inputs(table, collate(padded("left")))


class Stream(IterableDataset):
    def __iter__(self):
        return iter(rows())


class Columns:
    """What of a DataFrame of pandas is asked for."""

    columns, iloc, to_dict = ["input_ids"], None, None


class OfPolars:
    """The same of polars, whose rows are tables, too."""

    columns, to_dicts = ["input_ids"], None


ROW = {"input_ids": [1, 2, 3], "labels": [1, 2, 3]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"input_ids": [1, 2, 3]}] * 4, "a row has no 'labels', only input_ids; to learn every"),
        ([{"labels": [1, 2, 3]}] * 4, "a row has no 'input_ids', only labels"),
        ([ROW | {"text": "owls"}] * 4, "the field 'text' holds text; tokenize it"),
        ([ROW | {"texts": ["owls"] * 3}] * 4, "the field 'texts' holds text; tokenize it"),
        ([ROW | {"meta": {"a": 1}}] * 4, "the field 'meta' holds dict"),
        ([ROW | {"nothing": None}] * 4, "the field 'nothing' holds NoneType"),
        ([ROW | {"labels": [1, 2]}] * 4, "'labels' of a row must be as long as its 3 input_ids"),
        ([ROW | {"input_ids": [[1, 2, 3]]}] * 4, r"'input_ids' of a row must be \[T\], got \[1, 3"),
        ([ROW | {"input_ids": [1.0, 2.0, 3.0]}] * 4, "'input_ids' must be integers"),
        ([ROW | {"labels": [1.0, 2.0, 3.0]}] * 4, "'labels' must be integers, got torch.float64"),
        ([ROW | {"labels": [True] * 3}] * 4, "'labels' must be integers, got torch.bool"),
        ([ROW | {"position_ids": [0.0, 1.0, 2.0]}] * 4, "'position_ids' must be integers"),
        ([ROW, ROW | {"position_ids": [0, 1, 2]}] * 4, "some lack position_ids"),
        ([ROW | {"labels": [-100] * 3}] * 4, "no row of train has a label other than -100"),
        ([ROW | {"labels": [1, -100, -100]}] * 4, "no row of train has a label other than -100"),
        (["owls"] * 4, "'labels', got str; PackedDataset makes rows of texts"),
        ([Conversation(())] * 4, "got Conversation; ChatDataset makes rows of conversations"),
        (torch.ones(4, 3, dtype=torch.long), r"got Tensor; of token ids, \[{\"input_ids\": ids"),
        ([], "train has no rows"),
        (Stream(), r"train is a Stream, a stream: .* list\(itertools.islice\(data"),
        (iter([ROW]), "train is a list_iterator, a stream"),
        ({"train": [ROW]}, "train is a dict with train: a data set of rows is needed"),
        (DataLoader([ROW]), "train is a DataLoader; give its data set"),
        ({"input_ids": [[1, 2]], "labels": [[1, 2]]}, "train is a dict of columns: .*from_dict"),
        (Columns(), r'train is a Columns, which gives columns: .* its to_dict\("records"\)'),
        (OfPolars(), r"train is a OfPolars, which gives columns: .* its to_dicts\(\)"),
        (None, "train must be a data set of rows, got NoneType None"),
        (rows, r"train must be a data set of rows, got function; call it: list\(train\(\)\)"),
        ({1: ROW}.values(), r"train is a dict_values, a stream: .*itertools.islice\(data"),
        ([(1, 2, 3)] * 4, "a row must be a mapping with 'input_ids' and 'labels', got tuple"),
        ([ROW | {"input_ids": [[1, 2]]}] * 4, r"must be \[T\], got \[1, 2\]; .* that row's \[0\]"),
        ([{"messages": []}] * 4, "only messages; ChatDataset makes rows of conversations"),
        ([ROW | {"attention_mask": [1, 1, 2]}] * 4, "it has 2. Texts that are packed and numbered"),
        ([ROW | {"attention_mask": [0.0, 0.0, -1e9]}] * 4, "'attention_mask' of a row must be 1"),
    ],
)
def test_data_that_cannot_be_used_is_one_sentence_that_names_the_field(data, message):
    with pytest.raises(ValueError, match=message):
        losses(data)


@pytest.mark.parametrize("name", ["GPT2", "OPT"])
def test_texts_longer_than_a_table_of_positions_are_refused(name):
    """On a GPU a wrong position ends the process; elsewhere it is an index out of range."""
    longer = rows(8, 40)
    said = "of 40 tokens do not fit .* which knows 32 positions"
    for student, teacher in ((tiny(name), gpt(block_size=64)), (gpt(block_size=64), tiny(name))):
        with pytest.raises(ValueError, match=said):
            losses(longer, student, teacher)
    with pytest.raises(ValueError, match=said):
        evaluate(tiny(name), longer)
    with pytest.raises(ValueError, match="of 33 tokens do not fit"):
        generate(tiny(name), torch.ones(1, 30, dtype=torch.long), 4)
    assert losses(padded("left", rows(8, 32), 40), tiny(name), tiny(name, 1))


@pytest.mark.parametrize("form", ["pandas", "arrow"])
def test_a_hugging_face_dataset_of_columns_says_how_it_gives_rows(form):
    with pytest.raises(ValueError, match=r"got \w+; .* gives mappings with_format\(None\)"):
        losses(as_hugging_face(rows()).with_format(form))


def rwkv(seed=0, **options):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(seed)
    options |= {"vocab_size": V, "hidden_size": 32, "attention_hidden_size": 32}
    config = transformers.RwkvConfig(num_hidden_layers=2, **options)
    return transformers.AutoModelForCausalLM.from_config(config)


class Deaf(nn.Module):
    """Takes a mask by its name, and reads what it hides."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head = nn.Embedding(V, 8), nn.Linear(8, V)

    def forward(self, input_ids, attention_mask=None):
        return self.head(self.embedding(input_ids).cumsum(1))


@pytest.mark.parametrize("made", [rwkv, Deaf])
@pytest.mark.parametrize("whose", ["student", "teacher", "evaluation", "store"])
def test_a_model_that_reads_what_a_mask_hides_is_refused_padding_on_the_left(made, whose, tmp_path):
    data = [rows()[0] | {"attention_mask": torch.ones(12, dtype=torch.long)}, *padded("left")]
    asked = {
        "evaluation": lambda model: evaluate(model, data),
        "store": lambda model: write_topk_store(model, data, tmp_path / "t.topk", k=3),
    }.get(whose, lambda model: losses(data, **{whose: model}))
    with pytest.raises(ValueError, match="reads the padding on the left, whatever its"):
        asked(made())
    assert losses(rows(), made()) == pytest.approx(losses(padded("right"), made()), rel=1e-5)


@pytest.mark.parametrize("whose", ["student", "teacher", "evaluation", "store"])
def test_a_model_that_counts_positions_from_the_padding_is_refused_it_on_the_left(whose, tmp_path):
    asked = {
        "evaluation": lambda model: evaluate(model, padded("left")),
        "store": lambda model: write_topk_store(model, padded("left"), tmp_path / "t.topk", k=3),
    }.get(whose, lambda model: losses(padded("left"), **{whose: model}))
    with pytest.raises(ValueError, match="reads a text otherwise where it is padded on the left"):
        asked(roberta())
    assert losses(rows(), roberta()) == pytest.approx(losses(padded("right"), roberta()), rel=1e-5)


def test_a_model_that_changes_its_weights_in_evaluation_mode_is_refused():
    with pytest.raises(ValueError, match="load the student with rescale_every=0"):
        losses(rows(), rwkv(rescale_every=1))
    assert losses(rows(), rwkv(rescale_every=0))


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.int32])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_mask_may_be_kept_in_any_numbers(dtype, side):
    data = padded(side)
    changed = [row | {"attention_mask": row["attention_mask"].to(dtype)} for row in data]
    models = [(tiny("Llama"), tiny("Llama", 1)) for _ in range(2)]
    assert losses(changed, *models[0]) == pytest.approx(losses(data, *models[1]), rel=1e-6)


def test_a_streaming_hugging_face_dataset_is_refused_and_a_part_of_it_taken():
    stream = as_hugging_face(rows()).to_iterable_dataset()
    with pytest.raises(ValueError, match="train is a IterableDataset, a stream"):
        losses(stream)
    assert losses(list(stream.take(8))) == pytest.approx(losses(rows()))


def test_unlabelled_eval_data_is_refused_before_anything_is_trained():
    run = DistillationTrainer(gpt(), gpt(1), CombinedObjective(), config=CONFIG)
    with pytest.raises(ValueError, match="no row of eval has a label"):
        run.fit(rows(), [{"input_ids": [1, 2], "labels": [-100, -100]}])
    assert run.step == 0


# --- rows of a store are found by what they hold ---


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "teacher.topk"
    write_topk_store(gpt(1).eval(), rows(), path, V)
    return path


def shuffled_with_an_index(data):
    numbered = [row | {"index": torch.tensor(i)} for i, row in enumerate(data)]
    return as_hugging_face(numbered).shuffle(seed=1)


@pytest.mark.parametrize(
    "form",
    [
        lambda data: data,
        lambda data: Subset(data, [7, 0, 3, 5, 1, 2]),
        lambda data: ConcatDataset([Subset(data, [5, 6, 7]), Subset(data, [0, 1, 2])]),
        lambda data: random_split(data, [6, 2], torch.Generator().manual_seed(0))[0],
        lambda data: data[::-1] + data[:3],
        shuffled_with_an_index,
        lambda data: padded("right", data),
        lambda data: padded("left", data),
        lambda data: [r | {"index": torch.tensor(99)} for r in data],
    ],
)
def test_a_row_finds_its_teacher_in_any_order(store, form):
    data = form(rows())
    stored = losses(data, teacher=TopKTeacher(store, data))
    assert stored == pytest.approx(losses(data), rel=1e-3)


def test_rows_that_were_not_asked_about_are_refused_by_their_beginning(store):
    other = rows(seed=1)
    start = other[0]["input_ids"][:6].tolist()
    with pytest.raises(ValueError, match="no row that begins with the tokens") as refused:
        TopKTeacher(store, other)
    assert str(start) in str(refused.value)
    with pytest.raises(ValueError, match="no row that begins with the tokens"):
        losses(other, teacher=TopKTeacher(store))
    cut = [{name: values[:-1] for name, values in row.items()} for row in rows()]
    with pytest.raises(ValueError, match="no row that begins with the tokens"):
        losses(cut, teacher=TopKTeacher(store))


def test_what_a_teacher_reads_beside_ids_tells_rows_apart(tmp_path):
    model = tiny("GPT2", 1).eval()
    shifted = [r | {"position_ids": torch.arange(len(r["input_ids"])) + 5} for r in rows()]
    write_topk_store(model, shifted, tmp_path / "shifted", V)
    with pytest.raises(ValueError, match="no row that begins with"):
        TopKTeacher(tmp_path / "shifted", rows())
    live = losses(shifted, tiny("GPT2"), tiny("GPT2", 1))
    stored = losses(shifted, tiny("GPT2"), TopKTeacher(tmp_path / "shifted", shifted))
    assert stored == pytest.approx(live, rel=1e-3)


def test_a_scalar_buffer_in_a_teacher_does_no_harm(tmp_path):
    model = gpt(1)
    model.register_buffer("scale", torch.tensor(2.0))
    model.register_buffer("flag", torch.tensor(True))
    write_topk_store(model, rows(), tmp_path / "store", 4)
    TopKTeacher(tmp_path / "store", rows(), model)
    run = DistillationTrainer(gpt(), model, CombinedObjective(), config=CONFIG, out=tmp_path)
    run.fit(rows())


def test_batches_are_named_as_they_are_padded():
    batch = collate([{"input_ids": [1, 2], "labels": [1, 2], "index": 4}, ROW | {"index": 5}])
    assert batch["index"].tolist() == [4, 5]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert collate([ROW, ROW]).keys() == ROW.keys()
    short = {"input_ids": [1], "labels": [1]}
    assert collate([ROW, short], ignore_index=-1)["labels"].tolist() == [[1, 2, 3], [1, -1, -1]]


@pytest.mark.parametrize("prompt", [0, 3])
def test_labels_that_are_shifted_already_are_refused(prompt):
    """A student would learn to say the token after the next one, at a loss that looks right."""
    ids = torch.arange(10, 18)
    following = torch.cat([ids[1:], torch.tensor([-100])])
    following[:prompt] = -100
    with pytest.raises(ValueError, match="labels of row 0 of train are shifted already"):
        check_rows([{"input_ids": ids, "labels": following}])
    check_rows([{"input_ids": ids, "labels": ids.where(ids > 10 + prompt, -100)}])
    check_rows([{"input_ids": ids * 0, "labels": ids * 0}])  # one token again and again
