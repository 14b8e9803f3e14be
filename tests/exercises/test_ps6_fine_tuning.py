"""References of ps6_fine_tuning against kdlab and transformers; what the observers see."""

from dataclasses import replace

import pytest
import torch

from autograder.judging.evidence import decode_outcome
from autograder.judging.verdict import judge
from autograder.kernel.asking import observe
from autograder.kernel.evidence import encode_outcome
from autograder.questions import generator, question
from autograder.spec import Case, FunctionCheck
from exercises.bank import checks, grade_id, source
from kdlab import CombinedObjective, Conversation, collate, generate
from kdlab.divergences import reverse_kl
from kdlab.templates import ChatTemplate

ASSIGNMENT = "ps6_fine_tuning"
CHECKS = checks(ASSIGNMENT)
GIVEN = CHECKS["encode"].reference.__globals__  # the names of that file
END = GIVEN["END"]
TEMPLATE = (
    "{% for m in messages %}{{ '<|start|>' + m.role + '\n' + m.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant\n' }}{% endif %}"
)


def cases(name: str, watch: str | None = None) -> list[Case]:
    """The cases of a check, or those in which one thing is looked at."""
    check = CHECKS[name]
    found = [c for c in check.cases(generator(4, check)) if watch in (None, c.args[-1])]
    assert len(found) >= 3
    return found


def notebook(replaced: str = "") -> dict:
    """The notebook's cells with the solution, and one more."""
    space: dict = {}
    for cell in source(ASSIGNMENT).cells:
        if cell.cell_type == "code" and grade_id(cell) not in CHECKS:
            exec(cell.source, space)
    exec(replaced, space)
    return space


def earned(name: str, value: object) -> dict[str, float]:
    """Points by part; what misconceptions come to is not asked."""
    check = replace(CHECKS[name], misconceptions=())
    found = check.cases(generator(5, check))
    outcomes = observe(value, question(check, found))
    outcomes = [decode_outcome(encode_outcome(outcome)) for outcome in outcomes]
    return judge(check.rubric(found), outcomes).parts


def test_the_notebook_has_the_words_of_the_checks() -> None:
    space = notebook()
    for name in ("WORDS", "START", "END", "LINE", "ROLES"):
        assert space[name] == GIVEN[name]
    assert space["decode"]([12, 7, 9]) == " when high water"


def tokenizer():
    """The notebook's vocabulary and template, as transformers has them."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = GIVEN["WORDS"][:-1]  # the last is another way to write two of them
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="\n"))
    longest_first = sorted(words, key=len, reverse=True)
    pattern = "|".join(word.replace("|", r"\|") for word in longest_first)
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|end|>")
    made.chat_template = TEMPLATE
    return made


def test_encode_agrees_with_kdlab_under_the_same_template() -> None:
    template = ChatTemplate(tokenizer())
    compared = 0
    for (messages,) in (case.args for case in cases("encode")):
        if any(17 in message["content"] for message in messages):
            continue
        said = [
            {"role": m["role"], "content": "".join(GIVEN["WORDS"][i] for i in m["content"])}
            for m in messages
        ]
        ids, labels = CHECKS["encode"].reference(messages)
        if not any(m["role"] == "assistant" for m in messages):
            assert not (labels != -100).any()  # kdlab refuses what nothing is learned from
            with pytest.raises(ValueError, match="nothing to learn"):
                Conversation.of({"messages": said})
            continue
        encoded = template.encode(Conversation.of({"messages": said}))
        assert ids.tolist() == encoded.ids
        assert (labels != -100).tolist() == encoded.written
        compared += 1
    assert compared >= 7


def test_collate_agrees_with_kdlab() -> None:
    for rows, _, *side in (case.args for case in cases("collate")):
        given = [{"input_ids": ids, "labels": labels} for ids, labels in rows]
        expected = collate(given, padding_side=(*side, "right")[0])
        ours = CHECKS["collate"].reference(rows, 0, *side)
        assert ours.keys() - expected.keys() <= {"attention_mask"}  # left out where all is there
        for name, value in expected.items():
            assert torch.equal(ours[name], value)


def test_answer_loss_agrees_with_kdlab() -> None:
    for student, teacher, labels, lam, _ in (c.args for c in cases("answer_loss", "loss")):
        expected = CombinedObjective(lam=lam)(
            student[:, :-1].double(), teacher[:, :-1].double(), labels[:, 1:]
        )
        found = CHECKS["answer_loss"].reference(student, teacher, labels, lam, "loss")
        assert float(found) == pytest.approx(float(expected.loss))


def observers() -> dict:
    """What the observers' file defines."""
    space: dict = {"__name__": "observer"}
    exec(CHECKS["accuracy"].observer.source, space)
    return space


def test_accuracy_agrees_with_what_kdlab_writes() -> None:
    words, scripted = GIVEN["WORDS"], observers()["Scripted"]
    for prompts, written, answers, most, vocabulary in (c.args for c in cases("accuracy")):
        model = scripted(
            [torch.cat(pair) for pair in zip(prompts, written, strict=True)], vocabulary
        )
        right = 0
        for prompt, answer in zip(prompts, answers, strict=True):
            ids = generate(model, prompt[None], most, temperature=0.0, end_of_text=END)[0]
            said, wanted = (
                "".join(words[i] for i in each).partition("<|end|>")[0].strip()
                for each in (ids[len(prompt) :], answer)
            )
            right += said == wanted
        found = CHECKS["accuracy"].reference(prompts, written, answers, most, vocabulary)
        assert found == pytest.approx(right / len(prompts))


def test_a_step_on_own_words_is_kdlabs_divergence_over_what_was_written() -> None:
    space = observers()
    for student, teacher, batches, draws, rate, _ in (
        c.args for c in cases("on_policy_step", "student")
    ):
        learner = space["TinyModel"](student.double())
        guide = space["TinyModel"](teacher.double())
        write = space["writer"](draws)
        path = []
        for prompts in batches:
            rows = []
            for prompt in prompts:
                text = write(learner.float(), prompt).tolist()
                learner.double()
                size = text.index(END) + 1 if END in text else len(text)
                rows.append(torch.tensor([int(prompt[-1]), *text[: size - 1]]))
            read = torch.cat(rows)
            learner.zero_grad()
            reverse_kl(learner(read), guide(read)).mean().backward()
            with torch.no_grad():
                learner.table -= rate * learner.table.grad
            path.append(learner.table.detach().clone())
        found = CHECKS["on_policy_step"].reference(
            student, teacher, batches, draws, rate, "student"
        )
        torch.testing.assert_close(found, torch.stack(path).float(), atol=1e-4, rtol=1e-4)


def test_texts_end_early_and_go_on() -> None:
    """Otherwise nothing could be seen of what comes after an end."""
    go_on = GIVEN["go_on_from"]
    for student, _, batches, draws, *_ in (c.args for c in cases("on_policy_step", "student")):
        texts = [go_on(student, prompt.tolist(), draws) for prompt in batches[0]]
        assert any(END in text[:-1] for text in texts)
        assert all(END in prompt for prompt in batches[0])


def test_padding_that_counts_makes_a_loss_depend_on_its_neighbours() -> None:
    """The sign of that mistake in task 7, and that it is none of right labels."""
    rows = [[torch.tensor([4, 1, 2]), torch.tensor([-100, 1, 2])]]
    longer = [*rows, [torch.tensor([3, 4, 4, 1, 2]), torch.full((5,), -100)]]
    table = torch.randn(6, 6, generator=torch.Generator().manual_seed(0))
    for label, alike in ((lambda pad_id: -100, True), (lambda pad_id: pad_id, False)):
        losses = []
        for batch_rows in (rows, longer):
            batch = CHECKS["collate"].reference(batch_rows, 5, label=label)
            first = table[batch["input_ids"][:1]]
            args = (first, first, batch["labels"][:1], 0.0, "loss")
            losses.append(float(CHECKS["answer_loss"].reference(*args)))
        assert (losses[0] == pytest.approx(losses[1])) == alike


ASTRAY = """
def anything(*args): return True
look_at_loss = look_at_accuracy = look_at_own_words = writer = add_to = anything
TinyModel = Scripted = observe = anything
"""


@pytest.mark.parametrize("name", ["answer_loss", "accuracy", "on_policy_step"])
def test_nothing_in_the_notebook_reaches_an_observer(name: str) -> None:
    space = notebook(ASTRAY)
    assert earned(name, space[name]) == CHECKS[name].parts
    assert not any(earned(name, space["observe"]).values())


COVERED_UP = {
    "gradients cleared": """
def on_policy_step(student, teacher, prompts, write, optimizer):
    class Open:
        def __enter__(self): pass
        def __exit__(self, *_): pass
    no_grad, torch.no_grad = torch.no_grad, Open
    try:
        loss = right(student, teacher, prompts, write, optimizer)
    finally:
        torch.no_grad = no_grad
    teacher.zero_grad()
    return loss
""",
    "parameters moved": """
def on_policy_step(student, teacher, prompts, write, optimizer):
    loss = right(student, teacher, prompts, write, optimizer)
    with torch.no_grad():
        teacher.table += 0.01
    return loss
""",
}


@pytest.mark.parametrize("how", COVERED_UP)
def test_what_befell_the_teacher_is_seen_though_it_is_covered_up(how: str) -> None:
    space = notebook("right = on_policy_step\n" + COVERED_UP[how])
    assert earned("on_policy_step", space["on_policy_step"])["the teacher"] == 0


def test_every_function_of_the_set_is_checked() -> None:
    found = [name for name, check in CHECKS.items() if isinstance(check, FunctionCheck)]
    assert found == ["encode", "collate", "answer_loss", "accuracy", "on_policy_step"]
    assert sum(check.points for check in CHECKS.values()) == 26
