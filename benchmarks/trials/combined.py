"""What the pages of part 2 ask to be tried."""

from benchmarks.tried import Trial

TRIALS = [
    Trial(
        "combined/two-sources",
        """A teacher that has counted all of the text has perplexity {} instead of {}. With 2,900
        bytes, the students with λ = 4 and with the teacher alone end close to their teacher, so a
        better teacher should help them. [3.1](../after/lambda-in-motion.md) has such runs: with
        2,900 bytes and λ = 4 the student ends at {}.""",
        """
runs = SweepResults.read("../labs/results/lambda_in_motion.json")
few = runs.mean("few labels: λ = 4 throughout", "lm_loss").mean
found = [perplexity(bigram_table(text), held_out), perplexity(teacher, held_out), math.exp(few)]
""",
        cells=("def bigram_table",),
    ),
    Trial(
        "combined/two-sources",
        "LM is lower by about a quarter of a nat, and KD is less than half as large.",
        """
losses = []
for lam in (0.0, 4.0):
    torch.manual_seed(0)
    student = TinyGPT("tiny-student", vocab_size=V, block_size=48)
    config = TrainConfig(steps=60, learning_rate=4e-3)
    history = DistillationTrainer(
        student, teacher, CombinedObjective(lam=lam), config=config
    ).fit(train)
    losses.append([sum(history.column(c)[-10:]) / 10 for c in ("lm_loss", "kd_loss")])
(lm, kd), (lower, nearer) = losses
assert 0.2 < lm - lower < 0.3 and nearer < 0.5 * kd, losses
found = []
""",
        cells=("def bigram_table",),
    ),
    Trial(
        "combined/two-sources",
        """the LM loss falls from {} nats to between 3 and 3.5, and the KD loss below it falls
        from {} nats to about a half.""",
        """
lm, kd = (history.column(name) for name in ("lm_loss", "kd_loss"))
assert all(3 < loss < 3.5 for loss in lm[-20:]) and 0.4 < kd[-1] < 0.6, (lm, kd)
found = [lm[0], kd[0]]
""",
        cells=("def bigram_table", "objective = CombinedObjective(lam=1.0)", "training_curves"),
    ),
    Trial(
        "combined/the-formula",
        """divided by 0.7 they are {}, 0 and {}. At λ = 9 the target is {}, {} and {}: the label
        keeps""",
        """
p = [0.6 / 0.7, 0.0, 0.1 / 0.7]
found = [p[0], p[2], *((y + 9 * a) / 10 for y, a in zip((0, 1, 0), p))]
""",
    ),
    Trial(
        "combined/the-formula",
        "Under reverse KL the descent ends near {}, {} and {},",
        "found = path[-1].tolist()",
        cells=("import torch\n", "q_star = (onehot"),
        changed=(
            (
                "objective = CombinedObjective(lam=lam)\npath",
                'objective = CombinedObjective("reverse_kl", lam=lam)\npath',
            ),
            ("range(61)", "range(2000)"),
            ("torch.testing.assert_close(gradient, by_formula)", ""),
        ),
    ),
    Trial(
        "combined/the-formula",
        "At $T=4$ it ends near {}, {} and {}.",
        "found = path[-1].tolist()",
        cells=("import torch\n", "q_star = (onehot"),
        changed=(
            (
                "objective = CombinedObjective(lam=lam)\npath",
                "objective = CombinedObjective(lam=lam, temperature=4.0)\npath",
            ),
            ("range(61)", "range(2000)"),
            ("torch.testing.assert_close(gradient, by_formula)", ""),
        ),
    ),
    Trial(
        "combined/what-the-truth-contributes",
        """at 0.1 *moon* gets {}. If you believe the teacher, λ should be large. At 20 *moon* still
        gets {},""",
        """
from kdlab.widgets import LambdaMixer
found = []
for lam in (0.1, 20.0):
    mixer = LambdaMixer("wrong label")
    mixer.lam = lam
    found.append(mixer.numbers()["moon"]["q*"])
""",
    ),
    Trial(
        "combined/what-the-truth-contributes",
        "the teacher's perplexity is about {}, because no *i* is left in its text.",
        "found = [perplexity(teacher)]",
        cells=("def counts_of",),
        changed=(
            (
                'clean.replace("co", "c0").replace("ca", "co").replace("c0", "ca")',
                'clean.replace("i", "e")',
            ),
        ),
    ),
    Trial(
        "combined/what-the-truth-contributes",
        """With 1,000 positions the student's probabilities of *a* and *o* are equal at λ = {}, so
        λ = {} is the first in the table at which *a* is more probable. With 10,000 the two are
        equal at λ = {}. That these two λ differ is chance. On average the labels favour *o* by
        {}""",
        """
at = []
for n in (1_000, 10_000):
    torch.manual_seed(1)
    positions = torch.randint(len(text) - 1, (n,))
    before, labels = text[positions], text[positions + 1]
    seen = counts = torch.zeros(V, V).index_put_(
        (before, labels), torch.ones(()), accumulate=True
    ).double()
    r = seen[c] / seen[c].sum()
    at.append((r[o] - r[a]) / (teacher[c, a] - teacher[c, o]))
tried = [0, 0.1, 0.3, 1, 3, 10, 100]
found = [at[0], min(lam for lam in tried if lam > at[0]), at[1], truth[c, o] - truth[c, a]]
""",
        cells=("def counts_of",),
    ),
    Trial(
        "combined/what-the-truth-contributes",
        """This page's draw of 10,000 positions has 344 labels after *c*. With these labels the
        best λ is near {}, with noise and without. Over 2,000 draws of 344 such labels, the best λ
        is near {} in both cases. The noise hardly changes the best λ, because at every small λ it
        adds about the same error, {}.""",
        """
grid = torch.logspace(-2, 1, 301, dtype=torch.double)
r, p = truth[c], teacher[c]

def best(shares):
    mixed = (shares[..., None, :] + grid[:, None] * p) / (1 + grid[:, None])
    errors = ((mixed - r) ** 2).sum(-1)
    errors = errors.mean(0) if errors.ndim == 2 else errors
    return grid[errors.argmin()].item(), errors.min().item(), errors[0].item()

torch.manual_seed(1)
positions = torch.randint(len(text) - 1, (10_000,))
labels = text[positions + 1][text[positions] == c]
noisy = torch.where(torch.rand(len(labels)) < 0.1, torch.randint(V, labels.shape), labels)
one = [best(F.one_hot(ys, V).double().mean(0)) for ys in (labels, noisy)]
torch.manual_seed(0)
many = []
for source in (r, 0.9 * r + 0.1 / V):
    draws = torch.multinomial(source, 2000 * 344, replacement=True).view(2000, 344)
    shares = torch.stack([F.one_hot(ys, V).double().mean(0) for ys in draws])
    many.append(best(shares))
assert abs(one[0][0] - one[1][0]) < 0.1 and abs(many[0][0] - many[1][0]) < 0.03, (one, many)
found = [one[0][0], many[0][0], many[1][2] - many[0][2]]
""",
        cells=("def counts_of",),
    ),
    Trial(
        "combined/prompts-and-answers",
        """After 20 steps the surprise at the end token is still near {} nats. For names the
        surprise is larger at the later tokens than at the first, {} against {},""",
        """
ends = [x for found in surprise.values() for x in found["end"]]
names = {where: sum(x) / len(x) for where, x in surprise["names"].items()}
found = [sum(ends) / len(ends), names["later"], names["first"]]
""",
        cells=(
            "train_chat_tokenizer,",
            "tokenizer = train_chat_tokenizer",
            "train = ChatDataset",
            "NAMES = {",
        ),
        changed=(("steps=160", "steps=20"),),
    ),
    Trial(
        "combined/prompts-and-answers",
        """If 40 tokens are allowed, every answer of the student with the end masked is {} tokens
        long.""",
        """
torch.manual_seed(0)
student = TinyGPT("tiny-student", vocab_size=len(tokenizer))
config = TrainConfig(steps=60, learning_rate=4e-3, device="cpu")
rows = [labelled(row, end_masked) for row in train]
DistillationTrainer(student, None, CombinedObjective(lam=0.0), config=config).fit(rows)
found = [
    evaluate_answers(student, examples.validation[:60], tokenizer, new_tokens=40).tokens
]
""",
        cells=(
            *("train_chat_tokenizer,", "tokenizer = train_chat_tokenizer", "train = ChatDataset"),
            *("packed = train.packed", "def end_masked"),
        ),
        until='print("2 weeks in days',
    ),
]
