# More answers of the same manner; benchmarks/hints.py --folder judges them.


# %% task="linear_lambda" right="yes" mistake=""
import numpy as np

class LinearLambda:
    def __init__(self, start, end, steps):
        self.table = np.linspace(start, end, steps + 1).tolist()
        self.pos = 0
        self.value = self.table[0]

    def step(self):
        self.pos = min(self.pos + 1, len(self.table) - 1)
        self.value = self.table[self.pos]

    def state_dict(self):
        return dict(pos=self.pos)

    def load_state_dict(self, state):
        self.pos = state['pos']
        self.value = self.table[self.pos]


# %% task="linear_lambda" right="yes" mistake=""
from dataclasses import dataclass, asdict

@dataclass
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""
    start: float
    end: float
    steps: int
    taken: int = 0

    def value(self) -> float:
        if self.taken >= self.steps:
            return float(self.end)
        return self.start - (self.start - self.end) * self.taken / self.steps

    def step(self) -> None:
        self.taken = self.taken + 1

    def state_dict(self) -> dict:
        return asdict(self)

    def load_state_dict(self, state: dict) -> None:
        for k, v in state.items():
            setattr(self, k, v)


# %% task="linear_lambda" right="no" mistake="the loaded dict becomes the object's own store, so the state changes when the object that loaded it goes on" named="loaded_state_is_shared"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.total = steps
        self.state = {"step": 0}

    @property
    def value(self):
        done = min(self.state["step"], self.total)
        return self.start + (self.end - self.start) * done / self.total

    def step(self):
        self.state["step"] += 1

    def state_dict(self):
        return self.state.copy()

    def load_state_dict(self, state):
        self.state = state


# %% task="linear_lambda" right="no" mistake="clamped with max(..., end), which only works for a λ that falls; a rising one is at end from the first step" named="cut_on_the_wrong_side"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.current_step = 0

    def step(self):
        self.current_step += 1

    @property
    def value(self):
        # lambda never goes below end
        return max(self.start - (self.start - self.end) * self.current_step / self.steps, self.end)

    def state_dict(self):
        return {'current_step': self.current_step}

    def load_state_dict(self, state):
        self.current_step = state['current_step']


# %% task="linear_lambda" right="no" mistake="load_state_dict restores the count but leaves the attribute value at start until the next step" named="value_not_restored"
class LinearLambda:
    """Linear interpolation between start and end."""

    def __init__(self, start, end, steps):
        self._start = start
        self._end = end
        self._steps = steps
        self._n = 0
        self.value = start

    def step(self):
        self._n += 1
        progress = min(self._n / self._steps, 1)
        self.value = self._start + progress * (self._end - self._start)

    def state_dict(self):
        return {"n": self._n}

    def load_state_dict(self, state):
        self._n = state["n"]


# %% task="linear_lambda" right="no" mistake="the count is a tensor that is changed in place and handed out in the state without a copy, so a state moves with the schedule" named="state_is_alive"
class LinearLambda(torch.nn.Module):
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        super().__init__()
        self.start, self.end, self.steps = start, end, steps
        self.register_buffer("n", torch.zeros((), dtype=torch.long))

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.n.item(), self.steps) / self.steps

    def step(self):
        self.n += 1


# %% task="linear_lambda" right="no" mistake="the state holds the options but not how many steps were taken, so a restarted run begins at start" named="state_not_restored"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self._it = iter([start + (end - start) * k / steps for k in range(1, steps + 1)])
        self.value = start

    def step(self):
        self.value = next(self._it, self.end)

    def state_dict(self):
        return {"start": self.start, "end": self.end, "steps": self.steps}

    def load_state_dict(self, state):
        self.__init__(**state)


# %% task="cosine_lambda" right="yes" mistake=""
class _Schedule:
    def __init__(self, start, end, steps):
        self.options = (start, end, steps)
        self.taken = 0

    def shape(self, f):
        raise NotImplementedError

    @property
    def value(self):
        start, end, steps = self.options
        way = self.shape(1.0 if self.taken > steps else self.taken / steps)
        return (1 - way) * start + way * end

    def step(self):
        self.taken += 1

    def state_dict(self):
        return {"taken": self.taken}

    def load_state_dict(self, state):
        self.taken = int(state["taken"])


class CosineLambda(_Schedule):
    """λ from start to end along half a cosine; then it stays."""

    def shape(self, f):
        # (1 - cos x)/2 = sin²(x/2)
        return math.sin(math.pi * f / 2) ** 2


# %% task="cosine_lambda" right="no" mistake="CosineAnnealingLR goes up again after T_max and so does not stay at end" named="goes_on_past_the_end"
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
        self.sched = torch.optim.lr_scheduler.CosineAnnealingLR(self.opt, T_max=steps, eta_min=end)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self):
        self.opt.step()
        self.sched.step()

    def state_dict(self):
        return {"lr": self.value, "sched": dict(self.sched.state_dict())}

    def load_state_dict(self, state):
        self.sched.load_state_dict(dict(state["sched"]))
        self.opt.param_groups[0]["lr"] = state["lr"]


# %% task="cosine_lambda" right="no" mistake="a quarter of a cosine (1 - cos(πf/2)) in place of half a one" named="quarter_wave"
import numpy as np
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""
    def __init__(self, start, end, steps):
        fs = np.arange(steps + 1) / steps
        self.lams = start + (end - start) * (1 - np.cos(fs * np.pi / 2))
        self.idx = 0
    def value(self):
        return float(self.lams[self.idx])
    def step(self):
        if self.idx < len(self.lams) - 1:
            self.idx += 1
    def state_dict(self):
        return {"idx": self.idx}
    def load_state_dict(self, s):
        self.idx = s["idx"]


# %% task="cosine_lambda" right="no" mistake="the number of steps is kept on the class, so all schedules share one count" named="observed_again"
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""
    n = 0

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps

    def value(self):
        f = min(CosineLambda.n / self.steps, 1)
        return self.start + (1 - math.cos(math.pi * f)) / 2 * (self.end - self.start)

    def step(self):
        CosineLambda.n += 1

    def state_dict(self):
        return {"n": CosineLambda.n}

    def load_state_dict(self, state):
        CosineLambda.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="the cosine is taken of degrees times the fraction (180·f without conversion), and the state is the object's own dict" named="another_curve"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1)
        return self.start + (self.end - self.start) * (1 - math.cos(180 * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return vars(self)

    def load_state_dict(self, state):
        vars(self).update(state)


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    """Remembers every gap, and works λ out from them when asked."""

    def __init__(self, start, factor, patience, threshold):
        self._options = start, factor, patience, threshold
        self._gaps = []

    def step(self, gap):
        self._gaps.append(float(gap))

    @property
    def value(self):
        lam, factor, patience, threshold = self._options
        best, waited = math.inf, 0
        for gap in self._gaps:
            if gap < best - threshold:
                best, waited = gap, 0
            elif waited == patience:
                lam, waited = lam * factor, 0
            else:
                waited += 1
        return lam

    def state_dict(self):
        return {"gaps": tuple(self._gaps)}

    def load_state_dict(self, state):
        self._gaps = list(state["gaps"])


# %% task="plateau_lambda" right="no" mistake="λ falls when patience evaluations have passed, not more than patience" named="one_evaluation_too_soon"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = math.inf
        self.wait = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.wait = 0
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.value *= self.factor
                self.wait = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, wait=self.wait)

    def load_state_dict(self, state):
        self.value, self.best, self.wait = state["value"], state["best"], state["wait"]


# %% task="plateau_lambda" right="no" mistake="takes the gap's absolute value, so a student that has passed its teacher and gets better counts as getting worse" named="gap_below_zero_ignored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = None
        self.stale = 0

    def step(self, gap):
        gap = abs(gap)  # distance to the teacher
        if self.best is None or gap < self.best - self.threshold:
            self.best = gap
            self.stale = 0
        else:
            self.stale += 1
            if self.stale > self.patience:
                self.value *= self.factor
                self.stale = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "stale": self.stale}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.stale = state["stale"]


# %% task="plateau_lambda" right="no" mistake="the first gap is recognised by 'not self.best', which is also true when the best gap is 0, so after a gap of exactly 0 any gap counts as a gain" named="zero_taken_for_none"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = None
        self.n_bad = 0

    def step(self, gap):
        if not self.best or gap < self.best - self.threshold:
            self.best = gap
            self.n_bad = 0
        else:
            self.n_bad += 1
            if self.n_bad > self.patience:
                self.value *= self.factor
                self.n_bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "n_bad": self.n_bad}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.n_bad = state["n_bad"]


# %% task="plateau_lambda" right="no" mistake="only the scheduler's state is saved; the current λ lives in the dummy optimiser, so a loaded object is at start again" named="lambda_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        p = torch.nn.Parameter(torch.zeros(()))
        self.optimizer = torch.optim.SGD([p], lr=start)
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer, factor=factor, patience=patience, threshold=threshold, threshold_mode="abs")

    def step(self, gap):
        self.scheduler.step(gap)

    @property
    def value(self):
        return self.optimizer.param_groups[0]["lr"]

    def state_dict(self):
        return self.scheduler.state_dict()

    def load_state_dict(self, state):
        self.scheduler.load_state_dict(state)


# %% task="plateau_lambda" right="no" mistake="a gap that is below the best by exactly the threshold counts as a gain (>= in place of >)" named="threshold_included"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.s = dict(value=start, best=float("inf"), bad=0)
        self.factor, self.patience, self.threshold = factor, patience, threshold

    @property
    def value(self):
        return self.s["value"]

    def step(self, gap):
        s = self.s
        if s["best"] - gap >= self.threshold:
            s["best"], s["bad"] = gap, 0
        else:
            s["bad"] += 1
        if s["bad"] > self.patience:
            s["value"], s["bad"] = s["value"] * self.factor, 0

    def state_dict(self):
        return dict(self.s)

    def load_state_dict(self, state):
        self.s = dict(state)


# %% task="plateau_lambda" right="no" mistake="sets λ to 0 as soon as the gap is below 0, and starts best at 0 so that a gap above 0 never is a gain"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = 0
        self.count = 0

    def step(self, gap):
        if gap < 0:
            # student is better than teacher, no need for the teacher
            self.value = 0.0
        if gap < self.best - self.threshold:
            self.best = gap
            self.count = 0
        else:
            self.count += 1
        if self.count > self.patience:
            self.value *= self.factor
            self.count = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        self.value, self.best, self.count = state.values()


# %% task="to_convex" right="yes" mistake=""
import numpy as np

def to_convex(lam):
    # unknowns u = factor * alpha and w = factor * (1 - alpha): compare what stands before KD and LM
    u, w = np.linalg.solve(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([float(lam), 1.0]))
    factor = u + w
    alpha = u / factor
    return alpha, factor


# %% task="to_convex" right="no" mistake="factor is forgotten (always 1), so only the ratio of the two parts is right" named="factor_missing"
def to_convex(lam):
    alpha = lam / (lam + 1)
    return alpha, 1.0


# %% task="to_convex" right="no" mistake="the factor is λ/alpha, which divides 0 by 0 at λ = 0" named="breaks_without_a_teacher"
def to_convex(lam):
    alpha = lam / (1 + lam)
    factor = lam / alpha
    return alpha, factor


# %% task="to_convex" right="no" mistake="alpha is λ itself, clipped to 1, with the larger of 1 and λ as factor: LM's coefficient becomes 1 - λ"
def to_convex(lam):
    alpha = min(lam, 1.0)
    factor = 1.0 if lam <= 1 else lam
    return alpha, factor


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    vocab = teacher_logits.shape[-1]
    rows = teacher_logits.reshape(-1, vocab).double()
    out = []
    for row, label in zip(rows, labels.reshape(-1).tolist()):
        e = [math.exp(z) for z in row.tolist()]
        s = sum(e)
        out.append([(lam * e[v] / s + (1 if v == label else 0)) / (lam + 1) for v in range(vocab)])
    return torch.tensor(out).reshape(teacher_logits.shape)


# %% task="best_student" right="no" mistake="λ weights the label in place of the teacher" named="lambda_on_the_label"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    p = teacher_logits.softmax(-1)
    one_hot = torch.zeros_like(p).scatter_(-1, labels[..., None], 1.0)
    return (lam * one_hot + p) / (1 + lam)


# %% task="best_student" right="no" mistake="softmax along dim 1, which is the vocabulary only when logits are [N, V]" named="softmax_on_another_axis"
def best_student(teacher_logits, labels, lam):
    V = teacher_logits.shape[-1]
    p = F.softmax(teacher_logits, dim=1)
    return (F.one_hot(labels, V) + lam * p) / (1 + lam)


# %% task="which_lambda" right="no" mistake="a and b are swapped: λ is read as the weight of the labels" named="wrong_a_low_b_high"
which_lambda = {"a": "low", "b": "high", "c": "falling"}


# %% task="stages" right="no" mistake="d is put before b: noise is thought to need the labels most" named="d_before_b"
stages = ["d", "b", "a", "c"]
