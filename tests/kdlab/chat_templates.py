"""Small tokenizers with chat templates in the manner of real ones, made here: nothing is loaded."""

from functools import cache

from kdlab import reckoning, train_chat_tokenizer

CHATML = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' + (m.content or '') }}"
    "{%- for c in m.tool_calls or [] %}{{ '\n<call>' + c.function | tojson }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MARKED = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content }}{% endgeneration %}{{ '<|im_end|>' }}"  # the end is not marked
    "{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA_3 = (
    "{{ '<|begin|>' }}{%- for m in messages %}{{ '<|head|>' + m.role + '<|/head|>\n\n' +"
    " m.content | trim + '<|eot|>' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|head|>assistant<|/head|>\n\n' }}{% endif %}"
)
GEMMA = (
    "{{ '<bos>' }}{%- if messages[0].role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{%- for m in messages %}"
    "{%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{{ '<turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + m.content | trim +"
    " '<end_of_turn>\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<turn>model\n' }}{% endif %}"
)
MISTRAL = (  # nothing begins an answer but a space, and asking for a prompt adds nothing
    "{{ '<s>' }}{%- for m in messages %}{% if m.role == 'assistant' %}"
    "{{ ' ' + m.content | trim + '</s>' }}{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% endif %}{% endfor %}"
)
PHI = (  # a second end follows the last turn
    "{%- for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}"
    "{% else %}{{ '<|endoftext|>' }}{% endif %}"
)
THINKING = (  # what was thought in earlier turns is dropped; the last one has it, or an empty one
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}"
    "{%- set said = m.content.split('</think>') %}{% if loop.last %}{{ '<think>\n' +"
    " (said[0].replace('<think>', '').strip() if said | length > 1 else '') + '\n</think>\n\n' }}"
    "{% endif %}{{ said[-1].lstrip('\n') }}{% else %}{{ m.content }}{% endif %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
FORCED_THINKING = THINKING.replace(
    "assistant\n' }}{% endif %}", "assistant\n<think>\n' }}{% endif %}"
)
RESULT_INSIDE = (  # what a tool answers stands in the turn that called it, before what it says
    "{%- set at = namespace(i=-1) %}{% for m in messages %}{% set at.i = loop.index0 %}"
    "{%- if m.role != 'tool' %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{%- for c in m.tool_calls or [] %}"
    "{% generation %}{{ '<call>' + c.function.name }}{% endgeneration %}"
    "{{ '<result>' + messages[at.i + 1].content + '</result>' }}"
    "{% endfor %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
    "{% generation %}{{ '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ m.content + '<|im_end|>\n' }}{% endif %}{% endif %}{% endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXT = (  # no special token at all, and none at the end of a turn
    "{%- for m in messages %}{{ m.role | capitalize + ': ' + m.content + '\n' }}{% endfor %}"
    "{%- if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
NO_PROMPT = (
    "{%- for m in messages %}{{ '### ' + m.role + ':\n' + m.content + '</s>\n' }}{% endfor %}"
)

IM, HEADS = ["<|im_start|>", "<|im_end|>"], ["<|begin|>", "<|head|>", "<|/head|>", "<|eot|>"]

# The template, its special tokens, the end of text, and what begins and ends what counts.
FAMILIES = {
    "ChatML": (CHATML, IM, "<|im_end|>", "", "<|im_end|>"),
    "marked": (MARKED, IM, "<|im_end|>", "", "<|im_end|>"),
    "other end of text": (
        CHATML,
        ["<|im_start|>", "<|im_end|>"],
        "<|endoftext|>",
        "",
        "<|im_end|>",
    ),
    "Llama 3": (
        LLAMA_3,
        ["<|begin|>", "<|head|>", "<|/head|>", "<|eot|>"],
        "<|eot|>",
        "",
        "<|eot|>",
    ),
    "Gemma": (GEMMA, ["<bos>", "<turn>", "<end_of_turn>"], "<|endoftext|>", "", "<end_of_turn>"),
    "Mistral": (MISTRAL, ["<s>", "</s>", "[INST]", "[/INST]"], "</s>", " ", "</s>"),
    "Phi": (PHI, ["<|end|>", "<|user|>", "<|assistant|>"], "<|endoftext|>", "", "<|end|>"),
    "no prompt": (NO_PROMPT, ["</s>"], "</s>", "", "</s>"),
}


@cache
def _base():
    return train_chat_tokenizer(reckoning(200), 400)


def tokenizer_of(template, special=(), eos="<|endoftext|>"):
    """A byte-level tokenizer with that template."""
    tokenizer = type(_base())(tokenizer_object=_base().backend_tokenizer, eos_token=eos)
    tokenizer.add_special_tokens({"extra_special_tokens": [t for t in special if t != eos]})
    tokenizer.chat_template = template
    return tokenizer


def family(name):
    template, special, eos, *_ = FAMILIES[name]
    return tokenizer_of(template, special, eos)


def said(*contents, system=None):
    """Messages of a user and an assistant in turn."""
    roles = ("user", "assistant") * len(contents)
    messages = [{"role": r, "content": c} for r, c in zip(roles, contents, strict=False)]
    return ([{"role": "system", "content": system}] if system else []) + messages
