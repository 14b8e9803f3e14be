"""Numbers of the pages' sentences that no output of their page prints, and where each is from."""

EXACT = "follows from the numbers beside it"
MADE_UP = "a case that we made up"

ELSEWHERE = {
    "after/optimizing-training": {"about 5.5 nats": "a new student's loss is about log 257"},
    "before/measuring-the-mismatch": {
        "0.5 costs 0.69 nats, 0.1 costs 2.30 and 0.005 costs 5.30": EXACT,
        "the largest bar, 0.55,": "0.8 · log(0.8 / 0.4)",
    },
    "before/one-knob": {
        "1.6 million positions": "1.1 prints how many",
        "stood at 2.31; the small model's own is 2.30. KD is 0.02": MADE_UP,
        "KD would print 0.000002": EXACT,
    },
    "before/soft-targets": {
        "at 1.6 million positions": "1,584,774 positions counted",
        "has counted 1.6 million positions": "1,584,774 positions counted",
        "gives 99% of the probability to six": "the sum of six columns at T = 1",
        "a first choice of 0.99": MADE_UP,
        "the square root of 54.6. : That is half of 54.6": EXACT,
    },
    "before/which-way-round": {
        "puts 60% of its probability on one peak and 40% on another": MADE_UP,
        "with 60% and 40% of the probability": "0.6 and 0.4 in the code",
        "leaving out 40% of the": "0.4 in the code",
        "costs 2.3 nats": EXACT,
        "2.4, one start ends on the first peak, and at 2.6": "asserted by its trial",
        "0.16 instead of 0.20 for JSD, 0.33 instead of 0.34 for": "test_part1.py",
    },
    "combined/prompts-and-answers": {
        "equals the label at 95% of": MADE_UP,
        "About 95%": MADE_UP,
    },
    "combined/the-formula": {
        "α = 0.9 to λ = 9": EXACT,
        "acts like 0.00002": EXACT,
        "up to version 0.5; up to version 0.3": "versions",
        "up to version 0.42": "a version",
        "The loss stays at 1.9": MADE_UP,
    },
    "combined/what-the-truth-contributes": {
        "1.6 million characters": "1.1 prints how many",
        "from 0.22 to 0.11": "0.215 and 0.109 in the table",
    },
    "field/how-much-it-pays": {
        "labels alone end 0.36 nats": "test_part6.py",
        "it is 0.3 nats below": "test_part6.py",
        "In 2.1, with 2,900 bytes": "a page",
        "4.1, 4.2 and 2.1": "pages",
        "begin near 5.5": "test_part6.py",
    },
    "field/on-policy-in-practice": {
        "TRL 1.16, `DistillationTrainer`": "a version",
        "TRL 1.16 has it": "a version",
        "code, version 1.16": "a version",
        "0.8, the sum of the two differences of 0.4": EXACT,
        "probabilities 0.5 and 0.4": MADE_UP,
        "0.4 is the probability of the second": MADE_UP,
    },
    "field/where-it-is-used": {
        "Llama 3.2": "a name",
        "from 0.39 to 0.17": "test_part6.py",
        "right 0.86 of the time": "test_part6.py",
        "right on 0.002 of": "test_part6.py",
    },
    "index": {"Python 3.11": "a version"},
    "labs/assistant": {"the text of 4.5": "a page"},
    "labs/pretrained-teacher": {
        "4.6 nats per token at 0.25 tokens": MADE_UP,
        "4.6 · 0.25 = 1.15 against 4.0 · 0.30 = 1.20": EXACT,
    },
    "labs/weak-teacher": {"whose grey line is 0.6 nats higher": "test_labs.py"},
    "reference/how-fast": {"rises from 0.13 to 0.2": "test_how_fast.py"},
}
