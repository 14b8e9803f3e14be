"""Answers to held-out questions: if they are right, how long they are, and if they end."""

import pytest
import torch
import torch.nn as nn

from kdlab import (
    ChatDataset,
    CombinedObjective,
    Conversation,
    DistillationTrainer,
    TinyGPT,
    TrainConfig,
    evaluate_answers,
    exact_match,
    reckoning,
    reverse_kl,
    train_chat_tokenizer,
    write_answers,
)
from tests.kdlab.tiny_models import tiny

EXAMPLES = reckoning(200)


@pytest.fixture(scope="module")
def tokenizer():
    return train_chat_tokenizer(EXAMPLES, 400)


class Parrot(nn.Module):
    """Knows the rows of a data set by heart; after anything else it says one token for ever."""

    def __init__(self, data, vocabulary, wrong=()):
        super().__init__()
        self.known, self.vocabulary = {}, vocabulary
        self.anchor = nn.Parameter(torch.zeros(1))
        for i, row in enumerate(data):
            ids, begin = row["input_ids"].tolist(), int((row["labels"] != -100).nonzero()[0])
            for end in range(begin, len(ids)):
                self.known[tuple(ids[:end])] = 0 if i in wrong else ids[end]

    def forward(self, input_ids):
        following = [
            [self.known.get(tuple(row[: i + 1]), 0) for i in range(len(row))]
            for row in input_ids.tolist()
        ]
        return 1e4 * nn.functional.one_hot(torch.tensor(following), self.vocabulary).float()


def test_who_knows_the_answers_has_them_all_right(tokenizer):
    asked = EXAMPLES.conversations[:30]
    model = Parrot(ChatDataset(asked, tokenizer), len(tokenizer))
    result = evaluate_answers(model, asked, tokenizer, batch_size=7)
    assert (result.accuracy, result.ended) == (1.0, 1.0)
    lengths = [len(tokenizer.encode(each.answer, add_special_tokens=False)) + 1 for each in asked]
    assert result.tokens == sum(lengths) / len(lengths)
    assert [answer.text for answer in result.answers] == [each.answer for each in asked]
    assert set(result.by_kind.values()) == {1.0}


def test_what_was_said_is_not_tidied():
    """By a tokenizer that is set to clean up spaces: it drops those before a mark."""
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.ByT5Tokenizer(extra_ids=0, clean_up_tokenization_spaces=True)
    rows = [{"prompt": "Unlike? ", "completion": "x != y , don 't"}]
    student = Parrot(ChatDataset(rows, tokenizer), len(tokenizer))
    (answer,) = write_answers(student, rows, tokenizer)
    assert (answer.text, answer.ended) == (rows[0]["completion"], True)


def test_an_answer_that_never_ends_is_cut_and_wrong(tokenizer):
    asked = EXAMPLES.conversations[:8]
    model = Parrot(ChatDataset(asked, tokenizer), len(tokenizer), wrong={0, 5})
    result = evaluate_answers(model, asked, tokenizer, new_tokens=12)
    assert result.accuracy == result.ended == 6 / 8
    assert [i for i, right in enumerate(result.right) if not right] == [0, 5]
    assert result.answers[0].tokens == 12
    assert result.by_kind == {"counting": 1.0, "months": 0.5, "units": 1.0, "weekdays": 0.5}
    assert result.as_record() == {
        "accuracy": 0.75,
        "answers_ended": 0.75,
        "answer_tokens": result.tokens,
    }


def test_answers_do_not_depend_on_their_batch(tokenizer):
    torch.manual_seed(0)
    model = TinyGPT("tiny-student", vocab_size=len(tokenizer))
    asked = EXAMPLES.conversations[:9]
    one, all_at_once = (
        write_answers(model, asked, tokenizer, new_tokens=6, batch_size=n) for n in (1, 9)
    )
    assert one == all_at_once


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("Tuesday", True),
        (" tuesday. ", True),
        ("Tues\nday", False),
        ("", False),
        ("Tuesday Tuesday", False),
    ],
)
def test_a_match_is_exact_but_for_how_it_is_written(said, right):
    conversation = Conversation.of({"prompt": "?", "completion": "Tuesday"})
    assert exact_match(conversation, said) is right


CALL = {"function": {"name": "look_up", "arguments": {"what": "owls"}}}


@pytest.mark.parametrize("content", [None, "Let me see."])
def test_of_an_answer_that_calls_a_tool_text_alone_is_no_match(tokenizer, content):
    """A student that wrote nothing, or only the text before the call, was right."""
    answer = {"role": "assistant", "content": content, "tool_calls": [CALL]}
    row = {"messages": [{"role": "user", "content": "Owls?"}, answer]}
    refused = "the expected answer to row 1 calls a tool, .* text alone; give right="
    asked = [EXAMPLES.conversations[0], Conversation.of(row, "row 1")]
    with pytest.raises(ValueError, match=refused):
        exact_match(asked[1], content or "")

    def ask(*arguments, **named):
        raise AssertionError("it is told before anything is written")

    model = model_of(tokenizer)
    model.forward = ask
    with pytest.raises(ValueError, match=refused):
        evaluate_answers(model, asked, tokenizer)


def test_any_judge_will_do(tokenizer):
    model = TinyGPT("tiny-student", vocab_size=len(tokenizer))
    asked = EXAMPLES.conversations[:3]
    result = evaluate_answers(
        model, asked, tokenizer, new_tokens=1, right=lambda conversation, said: True
    )
    assert result.accuracy == 1.0
    with pytest.raises(ValueError, match="no conversations to answer"):
        evaluate_answers(model, [], tokenizer)
    rows = [{"messages": list(each.messages)} for each in asked]
    assert evaluate_answers(model, rows, tokenizer, new_tokens=1).tokens == result.tokens
    with pytest.raises(ValueError, match="row 0: no message under 'messages' is the assistant's"):
        evaluate_answers(model, [{"messages": rows[0]["messages"][:1]}], tokenizer)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        evaluate_answers(model, asked, tokenizer, batch_size=0)


def test_an_answer_ends_where_a_model_reads_no_further(tokenizer):
    asked = EXAMPLES.conversations[:4]
    lengths = [len(row["input_ids"]) for row in ChatDataset(asked, tokenizer)]
    model = TinyGPT("tiny-student", vocab_size=len(tokenizer), block_size=max(lengths))
    answers = write_answers(model, asked, tokenizer, new_tokens=500)
    assert max(answer.tokens for answer in answers) < max(lengths)
    config = TrainConfig(steps=1, batch_size=4, device="cpu", on_policy=1.0, new_tokens=500)
    run = DistillationTrainer(model, model_of(tokenizer), CombinedObjective(), config=config)
    assert run.fit(ChatDataset(asked, tokenizer)).train[0]["num_items"] <= sum(lengths) * 4
    narrow = TinyGPT("tiny-student", vocab_size=len(tokenizer), block_size=5)
    with pytest.raises(ValueError, match="leaves no room for an answer in a model that reads 5"):
        write_answers(narrow, asked, tokenizer)


def model_of(tokenizer):
    return TinyGPT("tiny-student", vocab_size=len(tokenizer))


# --- on the student's own answers ---


def test_on_policy_a_student_answers_the_last_question_and_its_end_counts(tokenizer):
    """Prompts of unequal length in one batch; nothing counts after an end, or before the answer."""
    data = ChatDataset(EXAMPLES.conversations[:8], tokenizer)
    torch.manual_seed(0)
    student, teacher = (TinyGPT("tiny-student", vocab_size=len(tokenizer)) for _ in range(2))
    end = tokenizer.eos_token_id
    often = nn.functional.one_hot(torch.tensor(end), len(tokenizer)).float()
    student.lm_head.bias = nn.Parameter(4.0 * often)
    batches = []
    teacher.token_embedding.register_forward_hook(
        lambda module, inputs, output: batches.append(inputs[0])
    )
    config = TrainConfig(
        steps=1, batch_size=8, device="cpu", on_policy=1.0, new_tokens=9, linear_objective=False
    )
    untrained = {name: value.clone() for name, value in student.state_dict().items()}
    objective = CombinedObjective("reverse_kl", lam=1.0)
    (record,) = DistillationTrainer(student, teacher, objective, config=config).fit(data).train
    student.load_state_dict(untrained)
    text = batches[-1]
    prompts = {tuple(row["input_ids"][row["labels"] == -100].tolist()) for row in data}
    counted, ended = [], 0
    with torch.no_grad():
        q, p = student(text), teacher(text)
    for i, row in enumerate(text.tolist()):
        (prompt,) = [known for known in prompts if tuple(row[: len(known)]) == known]
        own = row[len(prompt) : len(prompt) + 9]
        own = own[: own.index(end) + 1] if end in own else own
        ended += end in own
        at = range(len(prompt) - 1, len(prompt) + len(own) - 1)
        counted += [reverse_kl(q[i, t], p[i, t]).item() for t in at]
    assert ended > 0
    assert record["num_items"] == len(counted)
    assert record["kd_loss"] == pytest.approx(sum(counted) / len(counted), rel=1e-3)


def test_a_model_s_own_end_ends_its_text_too():
    """Not that of the data alone: Llama's configuration says 2."""
    model = tiny("Llama")
    model.lm_head.bias = nn.Parameter(1e3 * nn.functional.one_hot(torch.tensor(2), 48).float())
    ids = torch.arange(3, 13)
    rows = [{"input_ids": ids, "labels": ids.masked_fill(ids < 6, -100)}] * 2
    config = TrainConfig(steps=1, batch_size=2, device="cpu", on_policy=1.0)
    run = DistillationTrainer(model, tiny("Llama", 1), CombinedObjective(), config=config)
    assert run.fit(rows).train[0]["num_items"] == 2
