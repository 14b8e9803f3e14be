"""What the pages of part 3 and lab 4.6 ask to be tried."""

from benchmarks.tried import Trial

TRIALS = [
    Trial(
        "after/lambda-in-motion",
        """The teacher with counts of ten times as much text has perplexity {}. The linear fall, at
        {}, and the plateau rule, also at {}, still have the lowest mean LM losses. But λ = 4 now
        ends at {}, only {} ± {} above the linear fall, and no longer {} above it. The exponential
        fall was ahead of λ = 4 in the mean, and is now {} ± {} behind it:""",
        """
import math
from dataclasses import replace
from benchmarks.experiments import lambda_in_motion
from benchmarks.tried import ROOT
from kdlab import Sweep, SweepResults

asked = ("λ = 4 throughout", "λ from 4 to 0", "exponential", "plateau")
arms = {name: replace(lambda_in_motion.WEAK[name], counted=20) for name in asked}
sweep = Sweep("tried_able", arms, seeds=5, run=lambda_in_motion.run)
able = sweep.results(ROOT / "runs/tried/able")
was = SweepResults.read("../labs/results/lambda_in_motion.json")
loss = {name: able.mean(name, "lm_loss").mean for name in asked}
assert set(sorted(asked, key=loss.get)[:2]) == {"λ from 4 to 0", "plateau"}
lead = able.difference("λ = 4 throughout", "λ from 4 to 0", "lm_loss")
behind = able.difference("exponential", "λ = 4 throughout", "lm_loss")
assert was.difference("exponential", "λ = 4 throughout", "lm_loss").mean < 0
found = [
    math.exp(able.mean("plateau", "teacher_lm_loss").mean),
    *(loss[name] for name in ("λ from 4 to 0", "plateau", "λ = 4 throughout")),
    *(lead.mean, lead.half_width),
    was.difference("λ = 4 throughout", "λ from 4 to 0", "lm_loss").mean,
    *(behind.mean, behind.half_width),
]
""",
    ),
    Trial(
        "after/lambda-in-motion",
        """With patience 1, λ falls later, and in three of five seeds not at all within 200
        steps. The LM loss ends {} ± {} above that with patience 0. - If λ reaches 0 at step 120
        instead of step 200, the LM loss ends {} ± {} higher:""",
        """
from dataclasses import replace
from benchmarks.experiments import lambda_in_motion
from benchmarks.tried import ROOT
from kdlab import Interval, Sweep, SweepResults

plateau, line = (lambda_in_motion.WEAK[name] for name in ("plateau", "λ from 4 to 0"))
arms = {
    "patient": replace(plateau, options=plateau.options | {"patience": 1}),
    "early": replace(line, options=line.options | {"steps": 120}),
}
sweep = Sweep("tried_late", arms, seeds=5, run=lambda_in_motion.run)
late = sweep.results(ROOT / "runs/tried/late")
was = SweepResults.read("../labs/results/lambda_in_motion.json")
assert sum(min(run["curve"]["lam"]) == 4.0 for run in late.of("patient")) == 3
found = []
for arm, other in (("patient", "plateau"), ("early", "λ from 4 to 0")):
    pairs = zip(late.values(arm, "lm_loss"), was.values(other, "lm_loss"))
    above = Interval.of([a - b for a, b in pairs])
    found += [above.mean, above.half_width]
""",
    ),
    Trial(
        "after/optimizing-training",
        "λ = 4 with limit 100 is slower too, and ends worse.",
        """
cut, uncut = (
    [record["lm_loss"] for record in train_student(4.0, few_blocks, teacher, limit=limit).eval]
    for limit in (1.0, 100.0)
)
assert all(a < b for a, b in zip(cut[1:], uncut[1:])), (cut, uncut)
found = []
""",
        cells=("def train_student",),
        until="before = train_student",
    ),
    Trial(
        "after/optimizing-training",
        """λ = 0.1 prevents only a small part of the harm. - With 600 blocks and λ = 0.1 the curve
        falls to the end, and with λ = 4 it ends lower. More text keeps the student from
        learning its labels by heart, as a higher λ did with few labels. - With 61 blocks the
        curve still turns at λ = 1, but later, and it rises little. At λ = 4 it falls and then
        stays flat. The smallest λ at which it no longer turns lies between 1 and 4 and depends on
        the seed. - If λ rises linearly from 0.1 to 4, the curve does not turn, and it ends where
        the curve of λ = 4 ends.""",
        """
from kdlab import LinearLambda

def curve(lam, blocks, schedule=None):
    run = train_student(lam, blocks, teacher, schedule=schedule)
    return [record["lm_loss"] for record in run.eval]

more = [train[i] for i in range(0, len(train), len(train) // 600)]
none, little, one, four = (curve(lam, few_blocks) for lam in (0.0, 0.1, 1.0, 4.0))
assert none[-1] - four[-1] > none[-1] - little[-1] > 0
assert none[-1] - little[-1] < 0.25 * (none[-1] - four[-1]), (none, little, four)
assert little.index(min(little)) < one.index(min(one)) < 7, one
assert 0 < one[-1] - min(one) < 0.1 and four[-1] - min(four) < 0.02, (one, four)
many, high = (curve(lam, more) for lam in (0.1, 4.0))
assert many == sorted(many, reverse=True) and high[-1] < many[-1], (many, high)
rises = curve(0.1, few_blocks, LinearLambda(0.1, 4.0, steps=200))
assert rises[-1] - min(rises) < 0.02 and abs(rises[-1] - four[-1]) < 0.05, (rises, four)
found = []
""",
        cells=("def train_student",),
        until="before = train_student",
    ),
    Trial(
        "after/optimizing-training",
        """In 800 steps the case ends far lower with λ falling to 0 than with λ = 4. Even 2,000
        steps with λ = 4 do not end as low.""",
        """
from kdlab import LinearLambda

weak = bigram_table(text[: len(text) // 200])
runs = [
    train_student(4.0, train, weak, steps=800),
    train_student(4.0, train, weak, steps=800, schedule=LinearLambda(4.0, 0.0, steps=800)),
    train_student(4.0, train, weak, steps=2000),
]
held, falls, longer = (run.eval[-1]["lm_loss"] for run in runs)
assert falls < held - 0.2 and falls < longer, (held, falls, longer)
found = []
""",
        cells=("def train_student",),
        until="before = train_student",
    ),
    Trial(
        "labs/bug-clinic",
        """With 0.3 and seed 0, the LM loss of `right` falls from {} to {}, and that of
        `parts_added_up` is not a number after {} steps.""",
        """
import math

def run(loss, rate):
    global TrainConfig
    TrainConfig = lambda steps, learning_rate: config(steps=steps, learning_rate=rate)
    _, reported = train_student(loss, teacher, train, steps=60)
    return [lm for _, lm, _ in reported]

config = TrainConfig
lms, broken = run(right, 0.3), run(parts_added_up, 0.3)
assert not math.isfinite(broken[20])
slow, fast = (
    [run(right, rate)[-1], run(parts_added_up, rate)[-1] / 4] for rate in (0.1, 1.0)
)
assert max(slow) < 4 and not any(x < 5 for x in fast), (slow, fast)
found = [lms[0], lms[-1], 20]
""",
        cells=("def bigram_table", "def counted", "def train_student", "def parts_added_up"),
        changed=(
            (
                "AdamW(\n        student.parameters(), betas=(0.9, 0.95), weight_decay=0.1\n    )",
                "SGD(student.parameters())",
            ),
            ("        nn.utils.clip_grad_norm_(student.parameters(), 1.0)\n", ""),
        ),
        until="chart(parts",
    ),
]
