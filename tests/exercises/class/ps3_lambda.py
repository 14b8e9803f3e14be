# Written from the released notebook of problem set 3 alone.

# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.taken = 0

    @property
    def value(self):
        if self.taken >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * self.taken / self.steps

    def step(self):
        self.taken += 1

    def state_dict(self):
        return {"taken": self.taken}

    def load_state_dict(self, state):
        self.taken = state["taken"]


# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    def __init__(self, start, end, steps):
        self.table = [start * (1 - i / steps) + end * (i / steps) for i in range(steps)] + [end]
        self.i = 0

    def value(self):
        return self.table[min(self.i, len(self.table) - 1)]

    def step(self):
        self.i = self.i + 1

    def state_dict(self):
        return dict(i=self.i)

    def load_state_dict(self, state):
        self.i = int(state["i"])


# %% task="linear_lambda" right="yes" mistake=""
import numpy as np


class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0
        self.value = start

    def _refresh(self):
        self.value = float(np.interp(self.n, [0, self.steps], [self.start, self.end]))

    def step(self):
        self.n += 1
        self._refresh()

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]
        self._refresh()


# %% task="linear_lambda" right="yes" mistake=""
from copy import deepcopy


class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = torch.tensor(float(start), dtype=torch.float64)
        self.a = torch.tensor(float(start), dtype=torch.float64)
        self.b = torch.tensor(float(end), dtype=torch.float64)
        self.total = steps
        self.done = 0

    def step(self):
        self.done += 1
        frac = min(1.0, self.done / self.total)
        self.value = torch.lerp(self.a, self.b, frac)

    def state_dict(self):
        return deepcopy(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__.update(deepcopy(state))


# %% task="linear_lambda" right="no" mistake="f = n / (steps - 1): the end is reached one step too early (off by one)" named="ends_one_step_early"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / max(self.steps - 1, 1), 1.0)
        return self.start + f * (self.end - self.start)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="no clamp: after the last step λ runs on past end" named="goes_on_past_the_end"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.t = 0

    def value(self):
        return self.start + (self.end - self.start) * self.t / self.steps

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


# %% task="linear_lambda" right="no" mistake="clamped with max(value, end): right for a falling λ only, a rising one is at end from the start" named="cut_on_the_wrong_side"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.delta = (start - end) / steps
        self.count = 0

    @property
    def value(self):
        return max(self.start - self.count * self.delta, self.end)

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, sd):
        self.count = sd["count"]


# %% task="linear_lambda" right="no" mistake="value attribute not refreshed by load_state_dict: it is start until the next step" named="value_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.current = 0
        self.value = start

    def step(self):
        self.current += 1
        f = min(self.current / self.steps, 1)
        self.value = (1 - f) * self.start + f * self.end

    def state_dict(self):
        return {"current": self.current}

    def load_state_dict(self, state):
        self.current = state["current"]


# %% task="linear_lambda" right="no" mistake="only the value is saved, the number of steps is lost: the resumed run starts counting from 0" named="count_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.end = end
        self.left = steps
        self.value = start
        self.inc = (end - start) / steps

    def step(self):
        if self.left > 0:
            self.value += self.inc
            self.left -= 1
        else:
            self.value = self.end

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


# %% task="linear_lambda" right="no" mistake="state_dict hands out the live __dict__ and load takes it over: the two objects share one state" named="state_is_alive"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.n = 0

    def value(self):
        f = min(1, self.n / self.steps)
        return self.start + f * (self.end - self.start)

    def step(self):
        self.n += 1

    def state_dict(self):
        return self.__dict__

    def load_state_dict(self, state):
        self.__dict__ = state


# %% task="linear_lambda" right="no" mistake="self.step = 0 in the constructor hides the method step: calling it raises TypeError" named="attribute_hides_a_method"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.step = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.step, self.steps) / self.steps

    def step(self):
        self.step += 1

    def state_dict(self):
        return {"step": self.step}

    def load_state_dict(self, state):
        self.step = state["step"]


# %% task="linear_lambda" right="no" mistake="counts from 1: the first λ is already one step from start" named="begins_one_step_ahead"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 1

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        return self.start * (1 - f) + self.end * f

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="integer division: λ stays at start and jumps to end" named="whole_numbers"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.k = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * (min(self.k, self.steps) // self.steps)

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"k": self.k}

    def load_state_dict(self, state):
        self.k = state["k"]


# %% task="linear_lambda" right="no" mistake="state_dict prints the state and does not return it" named="state_not_returned"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.start + f * (self.end - self.start)

    def step(self):
        self.n += 1

    def state_dict(self):
        print({"n": self.n})

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="geometric steps (a constant ratio), not equal ones" named="equal_ratios"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.n = 0
        self.ratio = ((end + 1e-8) / (start + 1e-8)) ** (1 / steps)

    def value(self):
        if self.n >= self.steps:
            return self.end
        return self.start * self.ratio**self.n

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="start and end swapped in the interpolation" named="start_and_end_swapped"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.s, self.e, self.N = start, end, steps
        self.n = 0

    @property
    def value(self):
        w = min(1.0, self.n / self.N)
        return w * self.s + (1 - w) * self.e

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="value is a property without setter and the constructor assigns to it: AttributeError" named="property_without_setter"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0
        self.value = start

    @property
    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.start + f * (self.end - self.start)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="accident" mistake="class renamed: LinearLamda"
class LinearLamda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.start + f * (self.end - self.start)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="accident" mistake="the stub's raise is left in the class body above the methods"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    raise NotImplementedError("Not written yet: put your answer in place of this line.")

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="yes" mistake=""
class _Schedule:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.counter = start, end, steps, 0

    def shape(self, f):
        return f

    def value(self):
        w = self.shape(min(self.counter, self.steps) / self.steps)
        return w * self.end + (1 - w) * self.start

    def step(self):
        self.counter += 1

    def state_dict(self):
        return vars(self).copy()

    def load_state_dict(self, state):
        vars(self).update(state)


class CosineLambda(_Schedule):
    def shape(self, f):
        return math.sin(math.pi * f / 2) ** 2


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.last = 0
        self._set()

    def _set(self):
        # like CosineAnnealingLR: eta_min + (eta_max - eta_min) (1 + cos) / 2
        t = torch.tensor(min(self.last, self.steps) / self.steps, dtype=torch.double)
        self.value = self.end + 0.5 * (self.start - self.end) * (1 + torch.cos(torch.pi * t))

    def step(self):
        self.last += 1
        self._set()

    def state_dict(self):
        return {"last": self.last}

    def load_state_dict(self, state):
        self.last = state["last"]
        self._set()


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda:
    def __init__(self, start, end, steps):
        def path():
            for i in range(steps):
                c = math.cos(math.pi * i / steps)
                yield (1 + c) / 2 * start + (1 - c) / 2 * end
            while True:
                yield end

        self._path = path()
        self.value = next(self._path)
        self.calls = 0

    def step(self):
        self.value = next(self._path)
        self.calls += 1

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        # a new object stands at the start, so walk there
        for _ in range(state["calls"] - self.calls):
            self.step()


# %% task="cosine_lambda" right="no" mistake="no clamp: after the last step λ swings back to start" named="goes_on_past_the_end"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = self.n / self.steps
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="1 - cos / 2: parentheses missing" named="only_the_cosine_halved"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    def value(self):
        f = min(1.0, self.n / self.steps)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f) / 2)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="direction swapped: goes from end to start" named="start_and_end_swapped"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.end + (self.start - self.end) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="a quarter of a sine in place of half a cosine" named="quarter_of_a_sine"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.start + (self.end - self.start) * math.sin(math.pi / 2 * f)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="a whole cosine (2π): back at start after steps" named="whole_wave"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.start + (self.end - self.start) * (1 - math.cos(2 * math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="the cosine is applied to the λ reached so far instead of to start, step by step" named="from_the_last_value"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.end, self.steps = end, steps
        self.n = 0

    def step(self):
        self.n += 1
        f = min(self.n / self.steps, 1.0)
        self.value = self.value + (self.end - self.value) * (1 - math.cos(math.pi * f)) / 2

    def state_dict(self):
        return {"n": self.n, "value": self.value}

    def load_state_dict(self, state):
        self.n = state["n"]
        self.value = state["value"]


# %% task="cosine_lambda" right="no" mistake="off by one: divides by steps - 1; and load_state_dict does nothing" named="ends_one_step_early,state_not_restored"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    def value(self):
        f = min(self.n / max(self.steps - 1, 1), 1)
        return self.start + (self.end - self.start) * (1 - math.cos(f * math.pi)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        pass


# %% task="cosine_lambda" right="no" mistake="load_state_dict assigns a local variable, self.n stays 0" named="state_not_restored"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        return self.start + (self.end - self.start) * (1 - math.cos(f * math.pi)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        n = state["n"]


# %% task="cosine_lambda" right="no" mistake="the state dict is one object kept and changed by step(): a state taken earlier moves on with the run" named="state_is_alive"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.state = {"n": 0}

    @property
    def value(self):
        f = min(self.state["n"] / self.steps, 1.0)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.state["n"] += 1

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


# %% task="cosine_lambda" right="accident" mistake="colon missing: SyntaxError"
class CosineLambda:
    def __init__(self, start, end, steps)
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = math.inf
        self.bad = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.bad = 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.bad = state["bad"]


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    # I keep all the gaps and replay them, so the state is simply the history
    def __init__(self, start, factor, patience, threshold):
        self.opts = (start, factor, patience, threshold)
        self.gaps = []

    def value(self):
        lam, factor, patience, threshold = self.opts
        best, waited = None, 0
        for g in self.gaps:
            if best is None or best - g > threshold:
                best, waited = g, 0
                continue
            waited += 1
            if waited > patience:
                lam, waited = lam * factor, 0
        return lam

    def step(self, gap):
        self.gaps.append(float(gap))

    def state_dict(self):
        return {"gaps": list(self.gaps)}

    def load_state_dict(self, state):
        self.gaps = list(state["gaps"])


# %% task="plateau_lambda" right="yes" mistake=""
from dataclasses import asdict, dataclass


@dataclass
class PlateauLambda:
    start: float
    factor: float
    patience: int
    threshold: float
    best: float = float("inf")
    since: int = 0
    falls: int = 0

    @property
    def value(self):
        return self.start * self.factor**self.falls

    def step(self, gap):
        gain = gap < self.best - self.threshold
        self.best = gap if gain else self.best
        self.since = 0 if gain else self.since + 1
        if self.since > self.patience:
            self.falls += 1
            self.since = 0

    def state_dict(self):
        return asdict(self)

    def load_state_dict(self, state):
        for k, v in state.items():
            setattr(self, k, v)


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    # torch has it already, with a pretend optimizer whose lr is λ
    def __init__(self, start, factor, patience, threshold):
        self.opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=start)
        self.sched = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.opt, mode="min", factor=factor, patience=patience, threshold=threshold,
            threshold_mode="abs", cooldown=0, min_lr=0, eps=0,
        )

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self, gap):
        self.sched.step(gap)

    def state_dict(self):
        return {"lam": self.value, "best": self.sched.best, "bad": self.sched.num_bad_epochs}

    def load_state_dict(self, state):
        self.opt.param_groups[0]["lr"] = state["lam"]
        self.sched.best = state["best"]
        self.sched.num_bad_epochs = state["bad"]


# %% task="plateau_lambda" right="yes" mistake=""
import json


class PlateauLambda:
    # a checkpoint is a text file at our place, so the state is a string
    def __init__(self, start, factor, patience, threshold):
        self._lam, self._factor, self._patience, self._thr = float(start), factor, patience, threshold
        self._best, self._left = None, patience

    def value(self):
        return self._lam

    def step(self, gap):
        gap = float(gap)
        first = self._best is None
        if first or gap < self._best - self._thr:
            self._best, self._left = gap, self._patience
        elif self._left == 0:
            self._lam, self._left = self._lam * self._factor, self._patience
        else:
            self._left -= 1
        return self._lam

    def state_dict(self):
        return json.dumps([self._lam, self._best, self._left])

    def load_state_dict(self, state):
        self._lam, self._best, self._left = json.loads(state)


# %% task="plateau_lambda" right="no" mistake="relative threshold, torch's default: best * (1 - threshold)" named="threshold_relative"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = float("inf")
        self.num_bad = 0

    def step(self, gap):
        if gap < self.best * (1 - self.threshold):
            self.best = gap
            self.num_bad = 0
        else:
            self.num_bad += 1
        if self.num_bad > self.patience:
            self.value *= self.factor
            self.num_bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "num_bad": self.num_bad}

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="wraps ReduceLROnPlateau with its relative threshold; its state does not hold the learning rate, so λ is lost on a restart" named="threshold_relative,lambda_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.opt = torch.optim.SGD([torch.zeros(1)], lr=start)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.opt, factor=factor, patience=patience, threshold=threshold
        )

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self, gap):
        self.plateau.step(gap)

    def state_dict(self):
        return self.plateau.state_dict()

    def load_state_dict(self, state):
        self.plateau.load_state_dict(state)


# %% task="plateau_lambda" right="no" mistake="falls when the count reaches patience (>=), one evaluation too early" named="one_evaluation_too_soon"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = float("inf")
        self.wait = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.wait = 0
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.value = self.value * self.factor
                self.wait = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "wait": self.wait}

    def load_state_dict(self, state):
        self.value, self.best, self.wait = state["value"], state["best"], state["wait"]


# %% task="plateau_lambda" right="no" mistake="every smaller gap becomes the best, also one that is no gain: small steps creep" named="small_gains_become_the_best"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = float("inf")
        self.wait = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.wait = 0
        else:
            self.wait += 1
        self.best = min(self.best, gap)
        if self.wait > self.patience:
            self.value *= self.factor
            self.wait = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "wait": self.wait}

    def load_state_dict(self, state):
        self.value, self.best, self.wait = state["value"], state["best"], state["wait"]


# %% task="plateau_lambda" right="no" mistake="compares with the previous gap, not with the best one" named="last_for_best"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.prev = None
        self.count = 0

    def step(self, gap):
        if self.prev is None or self.prev - gap > self.threshold:
            self.count = 0
        else:
            self.count += 1
            if self.count > self.patience:
                self.value *= self.factor
                self.count = 0
        self.prev = gap

    def state_dict(self):
        return {"value": self.value, "prev": self.prev, "count": self.count}

    def load_state_dict(self, s):
        self.value = s["value"]
        self.prev = s["prev"]
        self.count = s["count"]


# %% task="plateau_lambda" right="no" mistake="'if not self.best': a best of 0.0 counts as none yet, so the gap after it is always a gain" named="zero_taken_for_none"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = None
        self.count = 0

    def step(self, gap):
        if not self.best or gap < self.best - self.threshold:
            self.best = gap
            self.count = 0
            return
        self.count += 1
        if self.count > self.patience:
            self.value *= self.factor
            self.count = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, s):
        self.value = s["value"]
        self.best = s["best"]
        self.count = s["count"]


# %% task="plateau_lambda" right="no" mistake="the count is not set back after a fall: λ falls at each further evaluation" named="no_new_patience_after_a_fall"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.lam = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = math.inf
        self.count = 0

    @property
    def value(self):
        return self.lam

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best = gap
            self.count = 0
        else:
            self.count += 1
        if self.count > self.patience:
            self.lam *= self.factor

    def state_dict(self):
        return {"lam": self.lam, "best": self.best, "count": self.count}

    def load_state_dict(self, s):
        self.lam, self.best, self.count = s["lam"], s["best"], s["count"]


# %% task="plateau_lambda" right="no" mistake="best is forgotten after a fall: the next gap always counts as a gain" named="best_forgotten_after_a_fall"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = math.inf
        self.n = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.n = gap, 0
        else:
            self.n += 1
        if self.n > self.patience:
            self.value *= self.factor
            self.best, self.n = math.inf, 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "n": self.n}

    def load_state_dict(self, s):
        self.value, self.best, self.n = s["value"], s["best"], s["n"]


# %% task="plateau_lambda" right="no" mistake="threshold ignored: any smaller gap is a gain" named="threshold_ignored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.best = float("inf")
        self.n = 0

    def step(self, gap):
        if gap < self.best:
            self.best = gap
            self.n = 0
        else:
            self.n += 1
        if self.n > self.patience:
            self.value *= self.factor
            self.n = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "n": self.n}

    def load_state_dict(self, s):
        self.value, self.best, self.n = s["value"], s["best"], s["n"]


# %% task="plateau_lambda" right="no" mistake="the count of evaluations without gain is not in the state" named="count_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = math.inf
        self.stale = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.stale = 0
            return
        self.stale += 1
        if self.stale > self.patience:
            self.value *= self.factor
            self.stale = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]


# %% task="plateau_lambda" right="no" mistake="abs(gap): a student that passes its teacher seems to lose again" named="gap_below_zero_ignored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = math.inf
        self.stale = 0

    def step(self, gap):
        gap = abs(gap)
        if gap < self.best - self.threshold:
            self.best = gap
            self.stale = 0
            return
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


# %% task="plateau_lambda" right="no" mistake="the best starts at 0: a positive first gap is no gain" named="nothing_is_a_gain"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = 0.0
        self.stale = 0

    def step(self, gap):
        if self.best - gap > self.threshold:
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
        for key in state:
            setattr(self, key, state[key])


# %% task="plateau_lambda" right="no" mistake="factor is subtracted, not multiplied" named="factor_subtracted"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = math.inf
        self.stale = 0

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best = gap
            self.stale = 0
        else:
            self.stale += 1
        if self.stale > self.patience:
            self.value = max(0.0, self.value - self.factor)
            self.stale = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "stale": self.stale}

    def load_state_dict(self, state):
        self.value, self.best, self.stale = state["value"], state["best"], state["stale"]


# %% task="plateau_lambda" right="no" mistake="a gain makes λ fall, the plateau does nothing (inverted); patience counts gains" named="falls_on_gain"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = math.inf
        self.good = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.good += 1
            if self.good > self.patience:
                self.value *= self.factor
                self.good = 0
        else:
            self.good = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "good": self.good}

    def load_state_dict(self, state):
        self.value, self.best, self.good = state["value"], state["best"], state["good"]


# %% task="plateau_lambda" right="no" mistake="a gain becomes the best but does not set the count back" named="gain_does_not_reset"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = None
        self.count = 0

    def step(self, gap):
        if self.best is None or gap < self.best - self.threshold:
            self.best = gap
        else:
            self.count += 1
            if self.count > self.patience:
                self.value *= self.factor
                self.count = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        self.value, self.best, self.count = state["value"], state["best"], state["count"]


# %% task="plateau_lambda" right="accident" mistake="load_state_dict is indented into state_dict after its return, so the method does not exist; and self.patiance is misspelt"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = math.inf
        self.bad = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.bad = 0
        else:
            self.bad += 1
        if self.bad > self.patiance:
            self.value *= self.factor
            self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

        def load_state_dict(self, state):
            self.__dict__.update(state)


# %% task="to_convex" right="yes" mistake=""
def to_convex(lam):
    return lam / (1 + lam), 1 + lam


# %% task="to_convex" right="yes" mistake=""
from collections import namedtuple

Convex = namedtuple("Convex", "alpha factor")


def to_convex(lam):
    factor = 1.0 + lam
    alpha = 1 - 1 / factor
    return Convex(alpha=alpha, factor=factor)


# %% task="to_convex" right="yes" mistake=""
import numpy as np


def to_convex(lam):
    # unknowns x = factor * (1 - alpha) = 1 and y = factor * alpha = lam
    x, y = np.linalg.solve(np.eye(2), np.array([1.0, float(lam)]))
    factor = x + y
    return (torch.tensor(y / factor, dtype=torch.float64), torch.tensor(factor, dtype=torch.float64))


# %% task="to_convex" right="no" mistake="the pair is the wrong way round" named="pair_turned_round"
def to_convex(lam):
    alpha = lam / (1 + lam)
    factor = 1 + lam
    return factor, alpha


# %% task="to_convex" right="no" mistake="factor is the inverse, 1 / (1 + λ)" named="factor_inverted"
def to_convex(lam):
    alpha = lam / (1 + lam)
    return alpha, 1 / (1 + lam)


# %% task="to_convex" right="no" mistake="alpha = λ and factor = 1: takes the sliders for the same" named="alpha_is_lambda"
def to_convex(lam):
    return lam, 1.0


# %% task="to_convex" right="no" mistake="alpha is the share of the labels, 1 / (1 + λ)" named="weights_swapped"
def to_convex(lam):
    alpha = 1 / (1 + lam)
    factor = 1 + lam
    return alpha, factor


# %% task="to_convex" right="no" mistake="no factor: returns alpha alone" named="alpha_alone,another_form"
def to_convex(lam):
    return lam / (1 + lam)


# %% task="to_convex" right="no" mistake="parentheses missing: lam / 1 + lam is 2 lam" named="parentheses_missing"
def to_convex(lam):
    alpha = lam / 1 + lam
    factor = 1 + lam
    return alpha, factor


# %% task="to_convex" right="no" mistake="factor computed as λ / alpha: division by zero at λ = 0" named="breaks_without_a_teacher"
def to_convex(lam):
    alpha = lam / (lam + 1)
    factor = lam / alpha
    return alpha, factor


# %% task="to_convex" right="no" mistake="missing return" named="missing_return"
def to_convex(lam):
    factor = 1 + lam
    alpha = lam / factor
    (alpha, factor)


# %% task="to_convex" right="accident" mistake="print in place of return"
def to_convex(lam):
    """(alpha, factor) for which the convex form times factor is the additive form."""
    print(lam / (1 + lam), 1 + lam)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1])
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    q = teacher_logits.double().softmax(-1).mul_(lam)
    q.scatter_add_(-1, labels.unsqueeze(-1), torch.ones_like(q[..., :1]))
    return q / q.sum(-1, keepdim=True)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    V = teacher_logits.size(-1)
    flat = teacher_logits.reshape(-1, V)
    rows = []
    for z, y in zip(flat, labels.reshape(-1).tolist()):
        p = torch.softmax(z, 0) * (lam / (1.0 + lam))
        p[y] += 1.0 / (1.0 + lam)
        rows.append(p)
    return torch.stack(rows).reshape(teacher_logits.shape)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    alpha = lam / (1 + lam)
    p = (teacher_logits - teacher_logits.logsumexp(-1, keepdim=True)).exp()
    is_label = torch.arange(p.shape[-1], device=p.device) == labels[..., None]
    return torch.lerp(is_label.to(p.dtype), p, alpha)


# %% task="best_student" right="no" mistake="not normalised: onehot + λ p without dividing by 1 + λ" named="not_normalised"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(dim=-1)
    onehot = F.one_hot(labels, num_classes=teacher_logits.shape[-1]).float()
    return onehot + lam * p


# %% task="best_student" right="no" mistake="a softmax over the mixture, which is a distribution already" named="softmaxed_twice"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(dim=-1)
    onehot = F.one_hot(labels, num_classes=teacher_logits.shape[-1]).float()
    return F.softmax(onehot + lam * p, dim=-1)


# %% task="best_student" right="no" mistake="λ on the wrong term: (λ onehot + p) / (1 + λ)" named="lambda_on_the_label"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(dim=-1)
    onehot = torch.eye(p.shape[-1])[labels]
    return (lam * onehot + p) / (1 + lam)


# %% task="best_student" right="no" mistake="λ taken for alpha: (1 - λ) onehot + λ p" named="lambda_as_share"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(dim=-1)
    onehot = F.one_hot(labels, p.size(-1))
    return (1 - lam) * onehot + lam * p


# %% task="best_student" right="no" mistake="the teacher's distribution alone, labels and λ unused" named="teacher_alone"
def best_student(teacher_logits, labels, lam):
    # KL is zero if and only if q = p
    return torch.softmax(teacher_logits, dim=-1)


# %% task="best_student" right="no" mistake="mixes logits: softmax of λ z + onehot" named="logits_mixed"
def best_student(teacher_logits, labels, lam):
    onehot = F.one_hot(labels, teacher_logits.shape[-1])
    return torch.softmax((onehot + lam * teacher_logits) / (1 + lam), dim=-1)


# %% task="best_student" right="no" mistake="softmax over the wrong axis (dim=1: positions for [B, L, V])" named="softmax_on_another_axis"
def best_student(teacher_logits, labels, lam):
    p = torch.softmax(teacher_logits, dim=1)
    y = F.one_hot(labels, teacher_logits.shape[-1])
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="works for [N, V] only: indexes p[arange(N), labels]" named="tables_alone"
def best_student(teacher_logits, labels, lam):
    q = lam * torch.softmax(teacher_logits, dim=-1)
    n, v = q.shape
    q[torch.arange(n), labels] += 1
    return q / (1 + lam)


# %% task="best_student" right="no" mistake="one_hot without num_classes: too narrow when the last word is no label" named="one_hot_too_narrow"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(-1)
    return (F.one_hot(labels) + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="no softmax: mixes the raw logits with the one-hot" named="logits_mixed"
def best_student(teacher_logits, labels, lam):
    onehot = F.one_hot(labels, teacher_logits.shape[-1])
    return (onehot + lam * teacher_logits) / (1 + lam)


# %% task="best_student" right="no" mistake="trains 200 steps of Adam and stops long before nothing moves" named="observed_evenness"
def best_student(teacher_logits, labels, lam):
    V = teacher_logits.shape[-1]
    p_log = F.log_softmax(teacher_logits.detach(), -1).reshape(-1, V)
    y = labels.reshape(-1)
    z = torch.zeros_like(p_log, requires_grad=True)
    opt = torch.optim.Adam([z], lr=0.01)
    for _ in range(200):
        opt.zero_grad()
        log_q = F.log_softmax(z, -1)
        loss = F.nll_loss(log_q, y) + lam * F.kl_div(log_q, p_log, reduction="batchmean", log_target=True)
        loss.backward()
        opt.step()
    return z.detach().softmax(-1).reshape(teacher_logits.shape)


# %% task="best_student" right="no" mistake="geometric mixture, p^λ times onehot, normalised: gives the label alone"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    onehot = F.one_hot(labels, p.shape[-1]).float()
    mixed = p**lam * onehot
    return mixed / mixed.sum(-1, keepdim=True)


# %% task="best_student" right="no" mistake="returns the log of the distribution" named="logarithms_returned"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    onehot = F.one_hot(labels, p.shape[-1]).float()
    return ((onehot + lam * p) / (1 + lam)).log()


# %% task="best_student" right="no" mistake="hard choice: the label if λ < 1, else the teacher" named="observed_unmoved"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    if lam >= 1:
        return p
    return F.one_hot(labels, p.shape[-1]).to(p.dtype)


# %% task="best_student" right="no" mistake="missing return" named="missing_return"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    best = (F.one_hot(labels, p.shape[-1]) + lam * p) / (1 + lam)


# %% task="best_student" right="accident" mistake="misspelt variable: NameError"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logit, dim=-1)
    onehot = F.one_hot(labels, p.shape[-1])
    return (onehot + lam * p) / (1 + lam)


# %% task="which_lambda" right="yes" mistake=""
which_lambda = {"a": "high", "b": "low", "c": "falling"}

# %% task="which_lambda" right="yes" mistake=""
which_lambda = dict(zip("abc", ("high", "low", "falling")))

# %% task="which_lambda" right="no" mistake="a and b swapped" named="wrong_a_low_b_high"
which_lambda = {"a": "low", "b": "high", "c": "falling"}

# %% task="which_lambda" right="no" mistake="c: high instead of falling" named="wrong_c_high"
which_lambda = {"a": "high", "b": "low", "c": "high"}

# %% task="which_lambda" right="no" mistake="b and c swapped" named="wrong_b_falling_c_low"
which_lambda = {"a": "high", "b": "falling", "c": "low"}

# %% task="which_lambda" right="no" mistake="a and c swapped" named="wrong_a_falling_c_high"
which_lambda = {"a": "falling", "b": "low", "c": "high"}

# %% task="which_lambda" right="no" mistake="the example left as it is" named="wrong_b_high_c_high"
which_lambda = {"a": "high", "b": "high", "c": "high"}

# %% task="which_lambda" right="accident" mistake="keys without quotes: NameError"
which_lambda = {a: "high", b: "low", c: "falling"}

# %% task="stages" right="yes" mistake=""
stages = ["b", "d", "a", "c"]

# %% task="stages" right="yes" mistake=""
stages = list("bdac")

# %% task="stages" right="no" mistake="order reversed: lowest λ first" named="rising"
stages = ["c", "a", "d", "b"]

# %% task="stages" right="no" mistake="a and d swapped" named="a_before_d"
stages = ["b", "a", "d", "c"]

# %% task="stages" right="no" mistake="the first steps last but one: takes noise for a reason to lower λ" named="a_before_b"
stages = ["d", "a", "b", "c"]

# %% task="stages" right="no" mistake="a and c swapped" named="c_before_a"
stages = ["b", "d", "c", "a"]

# %% task="stages" right="accident" mistake="quote missing: SyntaxError"
stages = ["b", "d", "a, "c"]

# %% task="linear_lambda" right="no" mistake="the counter belongs to the class, so all objects step together" named="asked_again"
class LinearLambda:
    taken = 0

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps

    @property
    def value(self):
        f = min(LinearLambda.taken / self.steps, 1.0)
        return self.start + f * (self.end - self.start)

    def step(self):
        LinearLambda.taken += 1

    def state_dict(self):
        return {"taken": LinearLambda.taken}

    def load_state_dict(self, state):
        LinearLambda.taken = state["taken"]

# %% task="linear_lambda" right="no" mistake="max instead of clamp: only works when falling" named="cut_on_the_wrong_side"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.end = end
        self.delta = (end - start) / steps
    def step(self):
        self.value = max(self.value + self.delta, self.end)
    def state_dict(self):
        return {"value": self.value}
    def load_state_dict(self, state):
        self.value = state["value"]

# %% task="best_student" right="no" mistake="lam squared" named="other_weights"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(-1)
    y = F.one_hot(labels, p.shape[-1])
    return (y + lam ** 2 * p) / (1 + lam ** 2)


# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.t = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.t, self.steps) / self.steps

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    def __init__(self, start, end, steps):
        self.values = [start + (end - start) * i / steps for i in range(steps)] + [end]
        self.position = 0

    def value(self):
        return self.values[self.position]

    def step(self):
        self.position = min(self.position + 1, len(self.values) - 1)

    def state_dict(self):
        return dict(position=self.position)

    def load_state_dict(self, state):
        self.position = state["position"]


# %% task="linear_lambda" right="yes" mistake=""
import copy

class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = float(start)
        self.end = float(end)
        self.steps = steps
        self.done = 0
        self.value = self.start

    def step(self):
        if self.done < self.steps:
            self.done += 1
            frac = self.done / self.steps
            self.value = (1 - frac) * self.start + frac * self.end

    def state_dict(self):
        return copy.deepcopy(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__.update(copy.deepcopy(state))


# %% task="linear_lambda" right="no" mistake="off by one: divides by steps - 1, so the end comes one step too early" named="ends_one_step_early"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(1.0, self.n / max(self.steps - 1, 1))
        return self.start + f * (self.end - self.start)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="does not stay at the end: goes on moving after steps calls" named="goes_on_past_the_end"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * self.n / self.steps

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="works for a falling lambda only: max(end, ...) jumps to the end when it rises" named="cut_on_the_wrong_side"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.end = end
        self.delta = (start - end) / steps

    def step(self):
        self.value = max(self.end, self.value - self.delta)

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


# %% task="linear_lambda" right="no" mistake="the state is the object's own __dict__: it changes when the schedule goes on" named="state_is_alive"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(1, self.n / self.steps)

    def step(self):
        self.n += 1

    def state_dict(self):
        return self.__dict__

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="linear_lambda" right="no" mistake="loading takes the state over as its own dict: the loaded state changes as the schedule goes on" named="loaded_state_is_shared"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.state = {"n": 0}

    @property
    def value(self):
        f = min(self.state["n"], self.steps) / self.steps
        return self.start + (self.end - self.start) * f

    def step(self):
        self.state["n"] += 1

    def state_dict(self):
        return dict(self.state)

    def load_state_dict(self, state):
        self.state = state


# %% task="linear_lambda" right="no" mistake="the counter is a tensor that step changes in place, so a saved state goes along" named="state_is_alive"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = torch.tensor(0)

    @property
    def value(self):
        f = min(self.count.item() / self.steps, 1.0)
        return self.start + f * (self.end - self.start)

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task="linear_lambda" right="no" mistake="value is stale after loading: the counter is restored, value is not until the next step" named="value_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0
        self.value = start

    def step(self):
        self.n = min(self.n + 1, self.steps)
        self.value = self.start + (self.end - self.start) * self.n / self.steps

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="the state holds the value but not the count, so that a continued run passes the end" named="count_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.delta = (end - start) / steps
        self.left = steps

    def step(self):
        if self.left > 0:
            self.value += self.delta
            self.left -= 1

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


# %% task="linear_lambda" right="no" mistake="geometric in place of equal steps" named="equal_ratios"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = min(1.0, self.n / self.steps)
        eps = 1e-6
        return (self.start + eps) ** (1 - f) * (self.end + eps) ** f

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, s):
        self.n = s["n"]


# %% task="linear_lambda" right="no" mistake="first value is not start: counts from 1" named="begins_one_step_ahead"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.n = 1

    def value(self):
        if self.n >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * self.n / self.steps

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="load_state_dict does nothing (pass): a run starts again from the beginning" named="state_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps

    def step(self):
        self.n += 1

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


# %% task="linear_lambda" right="accident" mistake="class renamed: LinearLamda"
class LinearLamda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda(torch.nn.Module):
    # a module, so that state_dict and load_state_dict come for free
    def __init__(self, start, end, steps):
        super().__init__()
        self.a, self.b, self.steps = float(start), float(end), int(steps)
        self.register_buffer("n", torch.zeros((), dtype=torch.long))

    def value(self):
        f = torch.clamp(self.n.double() / self.steps, max=1.0)
        way = (1 - torch.cos(torch.pi * f)) / 2
        return torch.lerp(torch.tensor(self.a).double(), torch.tensor(self.b).double(), way)

    def step(self):
        self.n = self.n + 1


# %% task="cosine_lambda" right="yes" mistake=""
class _Schedule:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    def curve(self, f):
        return f

    @property
    def value(self):
        if self.n >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * self.curve(self.n / self.steps)

    def step(self):
        self.n += 1

    def state_dict(self):
        return vars(self).copy()

    def load_state_dict(self, state):
        for k, v in state.items():
            setattr(self, k, v)

class CosineLambda(_Schedule):
    def curve(self, f):
        return math.sin(math.pi * f / 2) ** 2


# %% task="cosine_lambda" right="no" mistake="does not stay at the end: the cosine comes back after steps calls" named="goes_on_past_the_end"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * self.n / self.steps)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="1 + cos in place of 1 - cos: runs from end to start" named="start_and_end_swapped"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        return self.start + (self.end - self.start) * 0.5 * (1 + math.cos(math.pi * f))

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="quarter of a cosine: 1 - cos(pi f / 2)" named="quarter_wave"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    def value(self):
        f = min(self.n, self.steps) / self.steps
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi / 2 * f))

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="the division by 2 is missing, so it goes twice as far" named="not_halved"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f))

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="degrees: cos(180 f)" named="another_curve"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        return self.start + (self.end - self.start) * (1 - math.cos(180 * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="start forgotten: only the way, not added to start" named="start_left_out"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        return (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="adds the way of each step to the current value, so the ways pile up" named="from_the_last_value"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    def step(self):
        if self.n < self.steps:
            self.n += 1
            self.value += (self.end - self.value) * (1 - math.cos(math.pi * self.n / self.steps)) / 2

    def state_dict(self):
        return {"n": self.n, "value": self.value}

    def load_state_dict(self, state):
        self.n, self.value = state["n"], state["value"]


# %% task="cosine_lambda" right="no" mistake="off by one: steps - 1 in the fraction" named="ends_one_step_early"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, max(steps - 1, 1), 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="uses torch's CosineAnnealingLR, which rises again after T_max steps; the rate is not in the scheduler's state either" named="goes_on_past_the_end"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=start)
        self.sched = torch.optim.lr_scheduler.CosineAnnealingLR(self.opt, T_max=steps, eta_min=end)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self):
        self.opt.step()
        self.sched.step()

    def state_dict(self):
        return self.sched.state_dict()

    def load_state_dict(self, state):
        self.sched.load_state_dict(state)


# %% task="cosine_lambda" right="no" mistake="state is the list object itself, shared by all who load it" named="state_is_alive"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = [0]

    @property
    def value(self):
        f = min(self.count[0], self.steps) / self.steps
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.count[0] += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task="cosine_lambda" right="accident" mistake="self forgotten in step: calling it raises a TypeError"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step():
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = math.inf
        self.bad = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.bad = 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.bad = state["bad"]


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    """keeps all gaps and works lambda out anew from them"""

    def __init__(self, start, factor, patience, threshold):
        self.options = (start, factor, patience, threshold)
        self.gaps = []

    def step(self, gap):
        self.gaps.append(float(gap))

    def value(self):
        lam, factor, patience, threshold = self.options
        best, waited = None, 0
        for g in self.gaps:
            if best is None or g < best - threshold:
                best, waited = g, 0
                continue
            waited += 1
            if waited > patience:
                lam, waited = lam * factor, 0
        return lam

    def state_dict(self):
        return {"gaps": list(self.gaps)}

    def load_state_dict(self, state):
        self.gaps = list(state["gaps"])


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.opt = torch.optim.SGD([torch.zeros(1)], lr=start)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.opt, mode="min", factor=factor, patience=patience,
            threshold=threshold, threshold_mode="abs", eps=0.0)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self, gap):
        self.plateau.step(gap)

    def state_dict(self):
        return {"lr": self.value, "best": self.plateau.best, "bad": self.plateau.num_bad_epochs}

    def load_state_dict(self, state):
        self.opt.param_groups[0]["lr"] = state["lr"]
        self.plateau.best = state["best"]
        self.plateau.num_bad_epochs = state["bad"]


# %% task="plateau_lambda" right="no" mistake="relative threshold as torch's ReduceLROnPlateau has by default; wrong, and the wrong way round below 0" named="threshold_relative"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if gap < self.best * (1 - self.threshold):
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.value *= self.factor
            self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="falls one evaluation too early: >= patience" named="one_evaluation_too_soon"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad >= self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="the count does not start anew after a fall: lambda then falls at every further evaluation" named="no_new_patience_after_a_fall"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.value *= self.factor

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="a gain does not set the count to 0" named="gain_does_not_reset"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="the best is lowered by gaps that are no gains too (min of all gaps), so slow progress never counts" named="small_gains_become_the_best"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.bad = 0
        else:
            self.bad += 1
        self.best = min(self.best, gap)
        if self.bad > self.patience:
            self.value *= self.factor
            self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="compares with the previous gap in place of the best one" named="last_for_best"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.last, self.bad = None, 0

    def step(self, gap):
        if self.last is None or self.last - gap > self.threshold:
            self.bad = 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0
        self.last = gap

    def state_dict(self):
        return dict(value=self.value, last=self.last, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.last, self.bad = state["value"], state["last"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="'if not self.best' takes a best gap of 0.0 for none, so the next gap is always a gain" named="zero_taken_for_none"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = None, 0

    def step(self, gap):
        if not self.best or gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="takes the absolute value of the gap: a student that passed its teacher seems to get worse" named="gap_below_zero_ignored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        gap = abs(gap)
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="best starts at 0: gaps above 0 are never gains, not even the first" named="nothing_is_a_gain"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = 0.0, 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="the best is forgotten when lambda falls" named="best_forgotten_after_a_fall"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0
                self.best = float("inf")

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="the state lacks the count of evaluations without a gain" named="count_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best}

    def load_state_dict(self, state):
        self.value, self.best = state["value"], state["best"]


# %% task="plateau_lambda" right="no" mistake="saves the plateau scheduler's state alone: lambda itself, the optimizer's rate, is not in it" named="lambda_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.opt = torch.optim.SGD([torch.zeros(1)], lr=start)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.opt, factor=factor, patience=patience, threshold=threshold, threshold_mode="abs")

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self, gap):
        self.plateau.step(gap)

    def state_dict(self):
        return self.plateau.state_dict()

    def load_state_dict(self, state):
        self.plateau.load_state_dict(state)


# %% task="plateau_lambda" right="no" mistake="the factor is subtracted in place of multiplied" named="factor_subtracted"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value -= self.factor
                self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="a gap below the best by exactly the threshold counts as a gain (<=)" named="threshold_included"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if gap <= self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="accident" mistake="constructor misspelt: _init_ with single underscores"
class PlateauLambda:
    def _init_(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="to_convex" right="yes" mistake=""
def to_convex(lam):
    return lam / (1 + lam), 1 + lam


# %% task="to_convex" right="yes" mistake=""
def to_convex(lam):
    factor = torch.as_tensor(lam, dtype=torch.float64) + 1
    alpha = 1 - 1 / factor
    return [alpha, factor]


# %% task="to_convex" right="no" mistake="alpha and factor the wrong way round" named="pair_turned_round"
def to_convex(lam):
    return 1 + lam, lam / (1 + lam)


# %% task="to_convex" right="no" mistake="alpha = 1 / (1 + lambda): the weight of LM, not of KD" named="weights_swapped"
def to_convex(lam):
    alpha = 1 / (1 + lam)
    factor = 1 + lam
    return alpha, factor


# %% task="to_convex" right="no" mistake="the factor is upside down: 1 / (1 + lambda)" named="factor_inverted"
def to_convex(lam):
    alpha = lam / (lam + 1)
    return alpha, 1 / (1 + lam)


# %% task="to_convex" right="no" mistake="factor = lambda / alpha: division by zero at lambda = 0" named="breaks_without_a_teacher"
def to_convex(lam):
    alpha = lam / (1 + lam)
    factor = lam / alpha
    return alpha, factor


# %% task="to_convex" right="no" mistake="takes lambda for alpha and no factor" named="alpha_is_lambda"
def to_convex(lam):
    return lam, 1.0


# %% task="to_convex" right="no" mistake="solves alpha = lambda (1 - alpha) wrongly: lambda / (1 - lambda)" named="lambda_of_alpha"
def to_convex(lam):
    alpha = lam / (1 - lam)
    return alpha, 1 / (1 - alpha)


# %% task="to_convex" right="no" mistake="factor forgotten: returns alpha alone" named="alpha_alone,another_form"
def to_convex(lam):
    return lam / (1 + lam)


# %% task="to_convex" right="no" mistake="integer division: alpha is 0 for whole numbers" named="rounded"
def to_convex(lam):
    return lam // (1 + lam), lam + 1


# %% task="to_convex" right="no" mistake="rounded to two decimals" named="rounded"
def to_convex(lam):
    return round(lam / (1 + lam), 2), round(1 + lam, 2)


# %% task="to_convex" right="accident" mistake="syntax error: colon forgotten"
def to_convex(lam)
    return lam / (1 + lam), 1 + lam


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    p = torch.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, teacher_logits.shape[-1])
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    q = lam * teacher_logits.double().softmax(-1)
    q.scatter_add_(-1, labels.unsqueeze(-1), torch.ones_like(labels.unsqueeze(-1), dtype=q.dtype))
    return q / q.sum(-1, keepdim=True)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    V = teacher_logits.shape[-1]
    alpha = lam / (1 + lam)
    rows = []
    for z, y in zip(teacher_logits.reshape(-1, V), labels.reshape(-1)):
        e = torch.exp(z)
        q = alpha * e / e.sum()
        q[y] += 1 - alpha
        rows.append(q)
    return torch.stack(rows).view_as(teacher_logits)


# %% task="best_student" right="no" mistake="not divided by 1 + lambda: does not sum to 1" named="not_normalised"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    return F.one_hot(labels, p.shape[-1]) + lam * p


# %% task="best_student" right="no" mistake="lambda on the labels in place of the teacher" named="lambda_on_the_label"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1]).float()
    return (lam * y + p) / (1 + lam)


# %% task="best_student" right="no" mistake="lambda taken for alpha: (1 - lambda) y + lambda p" named="lambda_as_share"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1]).float()
    return (1 - lam) * y + lam * p


# %% task="best_student" right="no" mistake="one_hot without the size of the vocabulary: too narrow when the last token is no label" named="one_hot_too_narrow"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels).float()
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="mixes the logits and then takes a softmax" named="logits_mixed"
def best_student(teacher_logits, labels, lam):
    y = F.one_hot(labels, teacher_logits.shape[-1]).float()
    return torch.softmax((y + lam * teacher_logits) / (1 + lam), dim=-1)


# %% task="best_student" right="no" mistake="a softmax on top of the mixture" named="softmaxed_twice"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, teacher_logits.shape[-1]).float()
    return F.softmax(y + lam * p, dim=-1)


# %% task="best_student" right="no" mistake="softmax over the first axis" named="softmax_on_another_axis"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=0)
    y = F.one_hot(labels, teacher_logits.shape[-1]).float()
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="works for [N, V] only: arange over the first axis" named="tables_alone"
def best_student(teacher_logits, labels, lam):
    q = lam * torch.softmax(teacher_logits, dim=1)
    q[torch.arange(len(labels)), labels] += 1
    return q / (1 + lam)


# %% task="best_student" right="no" mistake="the teacher's logits are mixed in without a softmax" named="logits_mixed"
def best_student(teacher_logits, labels, lam):
    y = F.one_hot(labels, teacher_logits.shape[-1])
    return (y + lam * teacher_logits) / (1 + lam)


# %% task="best_student" right="no" mistake="trains logits for 200 steps of Adam: far from the end, and never there for lambda = 0" named="observed_evenness"
def best_student(teacher_logits, labels, lam):
    z = torch.zeros_like(teacher_logits, requires_grad=True)
    p = torch.softmax(teacher_logits, -1)
    opt = torch.optim.Adam([z], lr=0.01)
    for _ in range(200):
        opt.zero_grad()
        logq = F.log_softmax(z, -1)
        lm = -logq.gather(-1, labels.unsqueeze(-1)).mean()
        kd = (p * (p.log() - logq)).sum(-1).mean()
        (lm + lam * kd).backward()
        opt.step()
    return torch.softmax(z.detach(), -1)


# %% task="best_student" right="no" mistake="overwrites the label's probability instead of adding to it: the teacher's share for the label is lost" named="label_overwritten"
def best_student(teacher_logits, labels, lam):
    q = lam * torch.softmax(teacher_logits, -1) / (1 + lam)
    q.scatter_(-1, labels.unsqueeze(-1), 1 / (1 + lam))
    return q


# %% task="best_student" right="no" mistake="treats label 0 as padding and gives the teacher's distribution there" named="label_zero_ignored"
def best_student(teacher_logits, labels, lam):
    p = torch.softmax(teacher_logits, -1)
    y = F.one_hot(labels, p.size(-1)).float()
    q = (y + lam * p) / (1 + lam)
    return torch.where((labels > 0).unsqueeze(-1), q, p)


# %% task="best_student" right="accident" mistake="exit() left from debugging"
def best_student(teacher_logits, labels, lam):
    p = torch.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, teacher_logits.shape[-1])
    print(y.shape, p.shape)
    exit()
    return (y + lam * p) / (1 + lam)


# %% task="which_lambda" right="yes" mistake=""
which_lambda = {"a": "high", "b": "low", "c": "falling"}


# %% task="which_lambda" right="no" mistake="a and b exchanged" named="wrong_a_low_b_high"
which_lambda = {"a": "low", "b": "high", "c": "falling"}


# %% task="which_lambda" right="no" mistake="c: keeps the teacher loud because it is trained to the end" named="wrong_c_high"
which_lambda = {"a": "high", "b": "low", "c": "high"}


# %% task="which_lambda" right="no" mistake="b: a falling lambda for a teacher that is worse from the start" named="wrong_b_falling_c_low"
which_lambda = {"a": "high", "b": "falling", "c": "low"}


# %% task="which_lambda" right="no" mistake="a: wants to fall towards labels that are wrong" named="wrong_a_falling_c_high"
which_lambda = dict(a="falling", b="low", c="high")


# %% task="which_lambda" right="accident" mistake="value misspelt: 'fall'"
which_lambda = {"a": "high", "b": "low", "c": "fall"}


# %% task="stages" right="yes" mistake=""
stages = ["b", "d", "a", "c"]


# %% task="stages" right="yes" mistake=""
stages = list("bdac")


# %% task="stages" right="no" mistake="lowest lambda first" named="rising"
stages = ["c", "a", "d", "b"]


# %% task="stages" right="no" mistake="believes that the teacher is of use once the student makes sentences: d before b" named="d_before_b"
stages = ["d", "b", "a", "c"]


# %% task="stages" right="no" mistake="a before d: wants a louder teacher where progress stops" named="a_before_d"
stages = ["b", "a", "d", "c"]


# %% task="stages" right="no" mistake="alphabetical: left the four letters as they stand in the text" named="a_before_b"
stages = ["a", "b", "c", "d"]


# %% task="linear_lambda" right="no" mistake="the state is right, but load_state_dict returns a new object and leaves this one where it was" named="state_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        new = LinearLambda(self.start, self.end, self.steps)
        new.n = state["n"]
        return new


# %% task="plateau_lambda" right="no" mistake="threshold added on the wrong side: gap < best + threshold counts a little worse as a gain" named="threshold_on_the_other_side"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = float("inf"), 0

    def step(self, gap):
        if gap < self.best + self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)

    def load_state_dict(self, state):
        for k in state:
            setattr(self, k, state[k])


# %% task="plateau_lambda" right="no" mistake="looks at the last patience + 1 gaps only, in a list that the state shares with the object"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.history = []

    def step(self, gap):
        self.history.append(gap)
        recent = self.history[-(self.patience + 1):]
        if len(self.history) > self.patience + 1 and min(recent) >= min(self.history) - self.threshold:
            self.value *= self.factor

    def state_dict(self):
        return {"value": self.value, "history": self.history}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.history = state["history"]


# %% task="to_convex" right="no" mistake="alpha = 1 - 1 / lambda: wrong, and a division by zero at lambda = 0" named="another_share"
def to_convex(lam):
    return 1 - 1 / lam, lam


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    V = p.shape[-1]
    is_label = (torch.arange(V) == labels[..., None])
    weight = 1.0 / (1.0 + lam)
    return torch.where(is_label, weight + (1 - weight) * p, (1 - weight) * p)


# %% task="best_student" right="no" mistake="geometric mean: renormalised p to the power lambda / (1 + lambda), raised at the label" named="logarithms_mixed"
def best_student(teacher_logits, labels, lam):
    y = F.one_hot(labels, teacher_logits.shape[-1]).float()
    alpha = lam / (1 + lam)
    log_mix = (1 - alpha) * torch.log(y + 1e-9) + alpha * F.log_softmax(teacher_logits, -1)
    return F.softmax(log_mix, -1)


# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1.0)
        return (1 - f) * self.start + f * self.end

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


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
from torch.optim.lr_scheduler import LambdaLR

class LinearLambda:
    """λ is the 'learning rate' of an optimiser that optimises nothing."""

    def __init__(self, start, end, steps):
        dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        dummy.step()
        self._sched = LambdaLR(dummy, lambda k: start + (end - start) * min(k, steps) / steps)

    def value(self):
        return self._sched.get_last_lr()[0]

    def step(self):
        self._sched.step()

    def state_dict(self):
        import copy
        return copy.deepcopy({"sched": self._sched.state_dict()})

    def load_state_dict(self, state):
        import copy
        self._sched.load_state_dict(copy.deepcopy(state["sched"]))


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


# %% task="linear_lambda" right="no" mistake="state_dict returns self.__dict__ itself, so the state changes when the schedule goes on" named="state_is_alive"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        t = min(self.count, self.steps) / self.steps
        return self.start + t * (self.end - self.start)

    def step(self):
        self.count += 1

    def state_dict(self):
        return self.__dict__

    def load_state_dict(self, state):
        self.__dict__.update(state)


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


# %% task="linear_lambda" right="no" mistake="not clamped: λ runs on beyond end after the last step" named="goes_on_past_the_end"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.delta = (end - start) / steps

    def step(self):
        self.value += self.delta

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


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


# %% task="linear_lambda" right="no" mistake="divides by steps - 1, so end is reached one step too early (and steps = 1 divides by zero)" named="ends_one_step_early"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.i = 0

    @property
    def value(self):
        frac = min(1.0, self.i / (self.steps - 1))
        return self.start * (1 - frac) + self.end * frac

    def step(self):
        self.i += 1

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


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


# %% task="linear_lambda" right="no" mistake="stops only when the added-up value equals end exactly, which rounding prevents, so λ often runs past end" named="rounded_steps_added_up"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = float(start)
        self.end = float(end)
        self.inc = (end - start) / steps

    def step(self):
        if self.value != self.end:
            self.value = self.value + self.inc

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, sd):
        self.value = sd["value"]


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


# %% task="linear_lambda" right="no" mistake="on loading, the rest of the way is set up as a new schedule with the steps that are left, which divides by zero for a state saved at or after the end" named="rest_planned_anew"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.setup(start, end, steps)

    def setup(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.done = 0

    def value(self):
        return self.start + (self.end - self.start) * min(self.done / self.steps, 1)

    def step(self):
        self.done += 1

    def state_dict(self):
        return {"value": self.value(), "left": max(self.steps - self.done, 0)}

    def load_state_dict(self, state):
        self.setup(state["value"], self.end, state["left"])


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


# %% task="linear_lambda" right="no" mistake="one step ahead: the count begins at 1, so λ is not start at first and reaches end a step too early" named="begins_one_step_ahead"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.t = 0
        self.step()     # like torch schedulers, initial step

    def step(self):
        self.t += 1
        f = min(self.t / self.steps, 1.0)
        self.value = (1 - f) * self.start + f * self.end

    def state_dict(self):
        return {"t": self.t, "value": self.value}

    def load_state_dict(self, state):
        self.t = state["t"]
        self.value = state["value"]


# %% task="linear_lambda" right="accident" mistake="a colon is missing after def step(self)"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.n = 0

    def step(self)
        self.n += 1

    def value(self):
        return self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        way = (1 - math.cos(math.pi * f)) / 2
        return self.start + (self.end - self.start) * way

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


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


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda:
    def __init__(self, start, end, steps):
        f = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        self.values = start + (end - start) * (1 - torch.cos(torch.pi * f)) / 2
        self.k = 0

    def value(self):
        return self.values[min(self.k, len(self.values) - 1)].item()

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"k": self.k, "values": self.values.clone()}

    def load_state_dict(self, state):
        self.k = state["k"]
        self.values = state["values"].clone()


# %% task="cosine_lambda" right="no" mistake="the fraction is not clamped, so λ swings back towards start after steps" named="goes_on_past_the_end"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.t = 0

    def step(self):
        self.t += 1

    @property
    def value(self):
        return self.end + 0.5 * (self.start - self.end) * (1 + math.cos(math.pi * self.t / self.steps))

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


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


# %% task="cosine_lambda" right="no" mistake="the sign in the formula is wrong (1 + cos), so λ goes from end to start" named="start_and_end_swapped"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.n = 0

    @property
    def value(self):
        f = min(1.0, self.n / self.steps)
        return self.start + (self.end - self.start) * (1 + math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


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


# %% task="cosine_lambda" right="no" mistake="end is forgotten in the formula: λ always falls to 0, as in the decay of a blog" named="observed_zone"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self._step = 0

    @property
    def value(self):
        if self._step >= self.steps:
            return self.end
        return self.start * 0.5 * (1.0 + math.cos(math.pi * self._step / self.steps))

    def step(self):
        self._step += 1

    def state_dict(self):
        return {"step": self._step}

    def load_state_dict(self, state_dict):
        self._step = state_dict["step"]


# %% task="cosine_lambda" right="no" mistake="the number of steps is kept on the class, so all schedules share one count" named="asked_again"
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


# %% task="cosine_lambda" right="no" mistake="only λ is saved and loaded, not the count, so after a restart the next step jumps back to the beginning" named="count_not_restored"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.value = start
        self.n = 0

    def step(self):
        self.n += 1
        f = min(self.n, self.steps) / self.steps
        self.value = self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


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
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = None
        self.bad = 0

    def step(self, gap):
        if self.best is None or self.best - gap > self.threshold:
            self.best = gap
            self.bad = 0
            return
        self.bad += 1
        if self.bad > self.patience:
            self.value *= self.factor
            self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.bad = state["bad"]


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


# %% task="plateau_lambda" right="yes" mistake=""
import copy

class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
        self.sched = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.opt, mode="min", factor=factor, patience=patience,
            threshold=threshold, threshold_mode="abs", eps=0.0)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self, gap):
        self.sched.step(gap)

    def state_dict(self):
        return copy.deepcopy({"opt": self.opt.state_dict(), "sched": self.sched.state_dict()})

    def load_state_dict(self, state):
        state = copy.deepcopy(state)
        self.opt.load_state_dict(state["opt"])
        self.sched.load_state_dict(state["sched"])


# %% task="plateau_lambda" right="no" mistake="the threshold is taken relative to the best gap (best·(1 - threshold)), not in nats" named="threshold_relative"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.lam = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = float("inf")
        self.num_bad = 0

    @property
    def value(self):
        return self.lam

    def step(self, gap):
        if gap < self.best * (1 - self.threshold):
            self.best = gap
            self.num_bad = 0
        else:
            self.num_bad += 1
        if self.num_bad > self.patience:
            self.lam *= self.factor
            self.num_bad = 0

    def state_dict(self):
        return {"lam": self.lam, "best": self.best, "num_bad": self.num_bad}

    def load_state_dict(self, state):
        self.lam = state["lam"]
        self.best = state["best"]
        self.num_bad = state["num_bad"]


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


# %% task="plateau_lambda" right="no" mistake="best takes every lower gap, even one that is not below by more than the threshold, so slow gains never add up to one" named="small_gains_become_the_best"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float('inf'), 0

    def step(self, gap):
        gain = self.best - gap > self.threshold
        self.best = min(self.best, gap)
        self.count = 0 if gain else self.count + 1
        if self.count > self.patience:
            self.value = self.value * self.factor
            self.count = 0

    def state_dict(self):
        return {k: getattr(self, k) for k in ("value", "best", "count")}

    def load_state_dict(self, state):
        for k in ("value", "best", "count"):
            setattr(self, k, state[k])


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


# %% task="plateau_lambda" right="no" mistake="the count does not start anew after a fall, so λ falls again at every evaluation without a gain" named="no_new_patience_after_a_fall"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = math.inf
        self.since = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.since = 0
        else:
            self.since += 1
        if self.since > self.patience:
            self.value *= self.factor

    def state_dict(self):
        return {"value": self.value, "best": self.best, "since": self.since}

    def load_state_dict(self, state):
        self.__dict__.update(state)


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


# %% task="plateau_lambda" right="no" mistake="the count of evaluations without a gain is not in the state, so a restarted run waits too long" named="count_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.start = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.value = start
        self.best = float("inf")
        self.counter = 0

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best = gap
            self.counter = 0
        else:
            self.counter += 1
        if self.counter > self.patience:
            self.counter = 0
            self.value *= self.factor

    def state_dict(self):
        return {"value": self.value, "best": self.best}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]


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


# %% task="plateau_lambda" right="no" mistake="after a fall the best gap is forgotten as well, so the next gap always counts as a gain" named="best_forgotten_after_a_fall"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self._reset()

    def _reset(self):
        self.best = math.inf
        self.bad = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.value *= self.factor
            self._reset()

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.bad = state["bad"]


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


# %% task="plateau_lambda" right="no" mistake="compares each gap with the one before it, not with the best so far" named="last_for_best"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.last = float("inf")
        self.bad_evals = 0

    def step(self, gap):
        if gap < self.last - self.threshold:
            self.bad_evals = 0
        else:
            self.bad_evals += 1
            if self.bad_evals > self.patience:
                self.value = self.value * self.factor
                self.bad_evals = 0
        self.last = gap

    def state_dict(self):
        return {"value": self.value, "last": self.last, "bad_evals": self.bad_evals}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.last = state["last"]
        self.bad_evals = state["bad_evals"]


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


# %% task="plateau_lambda" right="no" mistake="on loading, 'or inf' replaces a best gap of exactly 0 by infinity" named="zero_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = math.inf
        self.bad = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.bad = 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state.get("value") or 0.0
        self.best = state.get("best") or math.inf
        self.bad = state.get("bad") or 0


# %% task="plateau_lambda" right="accident" mistake="an attribute's name is misspelt (self.patince)"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = math.inf
        self.bad = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.bad = 0
        else:
            self.bad += 1
            if self.bad > self.patince:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.bad = state["bad"]


# %% task="to_convex" right="yes" mistake=""
def to_convex(lam):
    """(alpha, factor) for which the convex form times factor is the additive form."""
    return lam / (1 + lam), 1 + lam


# %% task="to_convex" right="yes" mistake=""
import numpy as np

def to_convex(lam):
    # unknowns u = factor * alpha and w = factor * (1 - alpha): compare what stands before KD and LM
    u, w = np.linalg.solve(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([float(lam), 1.0]))
    factor = u + w
    alpha = u / factor
    return alpha, factor


# %% task="to_convex" right="no" mistake="the roles are swapped: alpha is the weight of LM, not of KD" named="weights_swapped"
def to_convex(lam):
    alpha = 1 / (1 + lam)
    factor = 1 + lam
    return alpha, factor


# %% task="to_convex" right="no" mistake="factor is forgotten (always 1), so only the ratio of the two parts is right" named="factor_missing"
def to_convex(lam):
    alpha = lam / (lam + 1)
    return alpha, 1.0


# %% task="to_convex" right="no" mistake="factor is upside down: 1/(1 + λ)" named="factor_inverted"
def to_convex(lam):
    """(alpha, factor) for which the convex form times factor is the additive form."""
    total = 1.0 + lam
    return (lam / total, 1.0 / total)


# %% task="to_convex" right="no" mistake="the factor is λ/alpha, which divides 0 by 0 at λ = 0" named="breaks_without_a_teacher"
def to_convex(lam):
    alpha = lam / (1 + lam)
    factor = lam / alpha
    return alpha, factor


# %% task="to_convex" right="no" mistake="the two results are returned in the wrong order" named="pair_turned_round"
def to_convex(lam):
    factor = 1 + lam
    alpha = 1 - 1 / factor
    return factor, alpha


# %% task="to_convex" right="no" mistake="alpha is λ itself, clipped to 1, with the larger of 1 and λ as factor: LM's coefficient becomes 1 - λ"
def to_convex(lam):
    alpha = min(lam, 1.0)
    factor = 1.0 if lam <= 1 else lam
    return alpha, factor


# %% task="to_convex" right="accident" mistake="prints the pair in place of returning it"
def to_convex(lam):
    alpha = lam / (1 + lam)
    factor = 1 + lam
    print((alpha, factor))


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    p = torch.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1]).to(p.dtype)
    return (y + lam * p) / (1 + lam)


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


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    alpha = lam / (1 + lam)
    q = alpha * torch.distributions.Categorical(logits=teacher_logits).probs
    return q.scatter_add(-1, labels.unsqueeze(-1), torch.full_like(q[..., :1], 1 - alpha))


# %% task="best_student" right="no" mistake="not divided by 1 + λ, so the result does not add up to 1" named="not_normalised"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    onehot = F.one_hot(labels, num_classes=teacher_logits.size(-1)).float()
    return onehot + lam * p


# %% task="best_student" right="no" mistake="λ weights the label in place of the teacher" named="lambda_on_the_label"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    p = teacher_logits.softmax(-1)
    one_hot = torch.zeros_like(p).scatter_(-1, labels[..., None], 1.0)
    return (lam * one_hot + p) / (1 + lam)


# %% task="best_student" right="no" mistake="a convex mix with λ itself as weight, which is negative for the label when λ is above 1" named="lambda_as_share"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, teacher_logits.shape[-1])
    return (1 - lam) * y + lam * p


# %% task="best_student" right="no" mistake="the geometric mix that belongs to the reverse KL: the label is added to the teacher's logits and the sum goes through softmax" named="mixed_in_logits"
def best_student(teacher_logits, labels, lam):
    # d/dq (-log q_y + lam * sum q log(q/p)) = 0  ->  log q = log p + onehot / lam
    log_p = F.log_softmax(teacher_logits, dim=-1)
    onehot = F.one_hot(labels, log_p.shape[-1]).float()
    if lam == 0:
        return onehot
    return F.softmax(log_p + onehot / lam, dim=-1)


# %% task="best_student" right="no" mistake="F.one_hot without the number of classes gives too few columns when the largest token is not among the labels" named="one_hot_too_narrow"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels).float()
    return (y + lam * p) / (1.0 + lam)


# %% task="best_student" right="no" mistake="softmax along dim 1, which is the vocabulary only when logits are [N, V]" named="softmax_on_another_axis"
def best_student(teacher_logits, labels, lam):
    V = teacher_logits.shape[-1]
    p = F.softmax(teacher_logits, dim=1)
    return (F.one_hot(labels, V) + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="trains free logits with a few hundred steps of Adam, which stops short of the minimum, far from it at λ = 0"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    z = torch.zeros_like(teacher_logits, requires_grad=True)
    opt = torch.optim.Adam([z], lr=0.05)
    for _ in range(200):
        log_q = F.log_softmax(z, dim=-1)
        lm = F.nll_loss(log_q.flatten(0, -2), labels.flatten())
        kd = F.kl_div(log_q, p, reduction="none").sum(-1).mean()
        opt.zero_grad()
        (lm + lam * kd).backward()
        opt.step()
    return F.softmax(z.detach(), dim=-1)


# %% task="best_student" right="no" mistake="indexes with two aranges, so it works only for logits of shape [B, L, V]" named="batches_alone"
def best_student(teacher_logits, labels, lam):
    B, L, V = teacher_logits.shape
    q = lam * teacher_logits.softmax(dim=-1)
    b = torch.arange(B)[:, None]
    l = torch.arange(L)[None, :]
    q[b, l, labels] += 1.0
    return q / q.sum(-1, keepdim=True)


# %% task="best_student" right="no" mistake="label 0 is treated as padding: there the student is the teacher" named="label_zero_ignored"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    p = teacher_logits.softmax(-1)
    hard = F.one_hot(labels.clamp(min=0), p.size(-1)).to(p)
    mask = (labels > 0).unsqueeze(-1).to(p)
    weight = mask + lam
    return (mask * hard + lam * p) / weight


# %% task="which_lambda" right="yes" mistake=""
which_lambda = dict(a="high", b="low", c="falling")


# %% task="which_lambda" right="no" mistake="b is given falling, though the teacher is worse than the student from the first step" named="wrong_b_falling"
which_lambda = {"a": "high", "b": "falling", "c": "falling"}


# %% task="which_lambda" right="no" mistake="a and b are swapped: λ is read as the weight of the labels" named="wrong_a_low_b_high"
which_lambda = {"a": "low", "b": "high", "c": "falling"}


# %% task="stages" right="yes" mistake=""
stages = list("bdac")


# %% task="stages" right="no" mistake="the order is reversed: lowest λ first" named="rising"
stages = ["c", "a", "d", "b"]


# %% task="stages" right="no" mistake="d is put before b: noise is thought to need the labels most" named="d_before_b"
stages = ["d", "b", "a", "c"]


# ---------------------------------------------------------------- another class

# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.taken = 0

    @property
    def value(self):
        f = min(self.taken / self.steps, 1.0)
        return (1 - f) * self.start + f * self.end

    def step(self):
        self.taken += 1

    def state_dict(self):
        return {"taken": self.taken}

    def load_state_dict(self, state):
        self.taken = state["taken"]


# %% task="linear_lambda" right="yes" mistake=""
from dataclasses import dataclass, asdict
from copy import deepcopy

@dataclass
class LinearLambda:
    start: float
    end: float
    steps: int
    t: int = 0

    def value(self) -> float:
        if self.t >= self.steps:
            return float(self.end)
        return float(self.start + (self.end - self.start) * self.t / self.steps)

    def step(self) -> None:
        self.t = min(self.t + 1, self.steps)

    def state_dict(self):
        return deepcopy(asdict(self))

    def load_state_dict(self, state):
        for name, val in state.items():
            setattr(self, name, val)


# %% task="linear_lambda" right="yes" mistake=""
import numpy as np

class LinearLambda:
    """the whole curve is drawn up front, a step throws one point away"""

    def __init__(self, start, end, steps):
        self._future = list(np.linspace(start, end, steps + 1))
        self.value = float(self._future[0])

    def step(self):
        if len(self._future) > 1:
            self._future.pop(0)
        self.value = float(self._future[0])

    def state_dict(self):
        return list(self._future)

    def load_state_dict(self, state):
        self._future = list(state)
        self.value = float(self._future[0])


# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    # torch's own scheduler on an optimiser that nobody uses
    def __init__(self, *, start, end, steps):
        dummy = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        self._sched = torch.optim.lr_scheduler.LambdaLR(
            dummy, lr_lambda=lambda t: start + (end - start) * min(t, steps) / steps)

    @property
    def value(self):
        return self._sched.get_last_lr()[0]

    def step(self):
        self._sched.step()

    def state_dict(self):
        return self._sched.state_dict()

    def load_state_dict(self, state):
        self._sched.load_state_dict(state)


# %% task="linear_lambda" right="yes" mistake=""
import json

class LinearLambda:
    def __init__(self, start, end, steps):
        self.end, self.left = end, steps
        self.value = start

    def step(self):
        """one of the `left` equal parts of the way that is still ahead"""
        if self.left > 0:
            self.value += (self.end - self.value) / self.left
            self.left -= 1
        if self.left == 0:
            self.value = self.end

    def state_dict(self):
        return json.dumps([self.value, self.left])

    def load_state_dict(self, state):
        self.value, self.left = json.loads(state)


# %% task="linear_lambda" right="no" mistake="the cut at end works for a falling λ only, a rising one jumps to end at once" named="cut_on_the_wrong_side"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.current = 0

    @property
    def value(self):
        v = self.start - (self.start - self.end) * self.current / self.steps
        return max(v, self.end)

    def step(self):
        self.current += 1

    def state_dict(self):
        return {"current": self.current}

    def load_state_dict(self, state):
        self.current = state["current"]


# %% task="linear_lambda" right="no" mistake="end is reached after steps - 1 steps, and steps = 1 divides by zero" named="ends_one_step_early"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.i = start, end, steps, 0

    def value(self):
        frac = self.i / (self.steps - 1)
        if frac > 1:
            frac = 1
        return self.start + frac * (self.end - self.start)

    def step(self):
        self.i += 1

    def state_dict(self):
        return dict(i=self.i)

    def load_state_dict(self, state):
        self.i = state["i"]


# %% task="linear_lambda" right="no" mistake="the state is the live __dict__ of the object and goes on changing" named="state_is_alive"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.n = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(1.0, self.n / self.steps)

    def step(self):
        self.n += 1

    def state_dict(self):
        return self.__dict__

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="linear_lambda" right="no" mistake="the loaded dict is kept as the object's own state, so stepping changes the snapshot" named="loaded_state_is_shared"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.cfg = (start, end, steps)
        self.state = {"step": 0}

    @property
    def value(self):
        start, end, steps = self.cfg
        k = min(self.state["step"], steps)
        return start + k * (end - start) / steps

    def step(self):
        self.state["step"] += 1

    def state_dict(self):
        return dict(self.state)

    def load_state_dict(self, state):
        self.state = state


# %% task="linear_lambda" right="no" mistake="after loading, the value stays at start until the next step, because it is an attribute that only step() computes" named="value_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.step_count = 0
        self.value = start

    def step(self):
        self.step_count = min(self.step_count + 1, self.steps)
        self.value = self.start + (self.end - self.start) * self.step_count / self.steps

    def state_dict(self):
        return {"step_count": self.step_count}

    def load_state_dict(self, state):
        self.step_count = state["step_count"]


# %% task="linear_lambda" right="no" mistake="a counter named step hides the method step()" named="attribute_hides_a_method"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.step = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.step, self.steps) / self.steps

    def step(self):
        self.step += 1

    def state_dict(self):
        return {"step": self.step}

    def load_state_dict(self, state):
        self.step = state["step"]


# %% task="linear_lambda" right="no" mistake="the value is read from the optimiser's group, which loading the scheduler's state does not set back" named="value_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        self.sched = torch.optim.lr_scheduler.LambdaLR(self.opt, lambda i: start + (end - start) * min(1, i / steps))

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self):
        self.opt.step()
        self.sched.step()

    def state_dict(self):
        return self.sched.state_dict()

    def load_state_dict(self, state):
        self.sched.load_state_dict(state)


# %% task="linear_lambda" right="no" mistake="the counter belongs to the class, so all schedules of the run share it" named="shared_by_all"
class LinearLambda:
    count = 0

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        LinearLambda.count = 0

    @property
    def value(self):
        if LinearLambda.count >= self.steps:
            return self.end
        return self.start + LinearLambda.count * (self.end - self.start) / self.steps

    def step(self):
        LinearLambda.count += 1

    def state_dict(self):
        return {"count": LinearLambda.count}

    def load_state_dict(self, state):
        LinearLambda.count = state["count"]


# %% task="linear_lambda" right="no" mistake="after the last step λ does not stay but runs on beyond end" named="goes_on_past_the_end"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.delta = (end - start) / steps

    def step(self):
        self.value += self.delta

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


# %% task="linear_lambda" right="no" mistake="the state holds the list of past values itself, which grows while the schedule goes on" named="state_is_alive"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.history = [start]

    @property
    def value(self):
        return self.history[-1]

    def step(self):
        k = min(len(self.history), self.steps)
        self.history.append(self.start + (self.end - self.start) * k / self.steps)

    def state_dict(self):
        return {"history": self.history}

    def load_state_dict(self, state):
        self.history = list(state["history"])


# %% task="linear_lambda" right="no" mistake="an object that loads a state takes what was done as its new beginning and needs all the steps again" named="way_begun_anew"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.t = 0

    @property
    def value(self):
        t = min(self.t, self.steps)
        return self.start + (self.end - self.start) * t / self.steps

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.start = state["value"]


# %% task="linear_lambda" right="no" mistake="the result of step() is meant to be λ: there is no value before the first step, and value lags one step behind" named="another_form"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.t = 0
        self.value = None

    def step(self):
        f = min(self.t / self.steps, 1)
        self.value = self.start + f * (self.end - self.start)
        self.t += 1
        return self.value

    def state_dict(self):
        return {"t": self.t, "value": self.value}

    def load_state_dict(self, state):
        self.t = state["t"]
        self.value = state["value"]


# %% task="linear_lambda" right="no" mistake="the loaded value comes back as a tensor that is then added to in place, which changes the snapshot" named="loaded_state_is_shared"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.steps = steps
        self.end = end
        self.inc = (end - start) / steps
        self.lam = torch.tensor(float(start), dtype=torch.float64)
        self.done = 0

    @property
    def value(self):
        return self.lam.item() if self.done < self.steps else self.end

    def step(self):
        self.lam += self.inc
        self.done += 1

    def state_dict(self):
        return {"lam": self.lam.clone(), "done": self.done}

    def load_state_dict(self, state):
        self.lam = state["lam"]
        self.done = state["done"]


# %% task="linear_lambda" right="no" mistake="the option steps is called total_steps in the constructor, but options are given by name" named="option_of_another_name"
class LinearLambda:
    def __init__(self, start: float, end: float, total_steps: int):
        self.start, self.end, self.total_steps = start, end, total_steps
        self.k = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.k, self.total_steps) / self.total_steps

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"k": self.k}

    def load_state_dict(self, state):
        self.k = state["k"]


# %% task="linear_lambda" right="accident" mistake="the class has another name"
class LinearScheduler:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.k = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.k, self.steps) / self.steps

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"k": self.k}

    def load_state_dict(self, state):
        self.k = state["k"]


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.k = 0

    @property
    def value(self):
        f = min(self.k, self.steps) / self.steps
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * f)) / 2

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"k": self.k}

    def load_state_dict(self, state):
        self.k = state["k"]


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda(LinearLambda):
    """A linear schedule of the angle, 0 to pi, gives half a cosine."""

    def __init__(self, start, end, steps):
        self.angle = LinearLambda(start=0.0, end=math.pi, steps=steps)
        self.low, self.high = start, end

    def value(self):
        v = self.angle.value
        theta = v() if callable(v) else v
        return self.low + (self.high - self.low) * (1 - math.cos(theta)) / 2

    def step(self):
        self.angle.step()

    def state_dict(self):
        return self.angle.state_dict()

    def load_state_dict(self, state):
        self.angle.load_state_dict(state)


# %% task="cosine_lambda" right="yes" mistake=""
def _half_cosine(start, end, steps):
    for t in range(steps):
        yield start + (end - start) * math.sin(math.pi * t / steps / 2) ** 2
    while True:
        yield end


class CosineLambda:
    def __init__(self, start, end, steps):
        self._args = (start, end, steps)
        self.load_state_dict(0)

    def step(self):
        self._n += 1
        self.value = next(self._gen)

    def state_dict(self):
        return self._n

    def load_state_dict(self, state):
        # a generator can not be copied: begin again and run forward
        self._gen = _half_cosine(*self._args)
        for _ in range(state + 1):
            self.value = next(self._gen)
        self._n = state


# %% task="cosine_lambda" right="no" mistake="the fraction is not cut at 1, so λ comes back after the end" named="goes_on_past_the_end"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * self.t / self.steps)) / 2

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


# %% task="cosine_lambda" right="no" mistake="a quarter of a cosine in place of half a one" named="quarter_wave"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    @property
    def value(self):
        f = min(1.0, self.t / self.steps)
        return self.end + (self.start - self.end) * math.cos(0.5 * math.pi * f)

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


# %% task="cosine_lambda" right="no" mistake="torch's cosine scheduler goes up again after T_max, and its value is read from the optimiser, which loading does not restore" named="goes_on_past_the_end"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
        self.sched = torch.optim.lr_scheduler.CosineAnnealingLR(self.opt, T_max=steps, eta_min=end)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self):
        self.sched.step()

    def state_dict(self):
        return self.sched.state_dict()

    def load_state_dict(self, state):
        self.sched.load_state_dict(state)


# %% task="cosine_lambda" right="no" mistake="the cosine is taken of the linear λ itself, which is right only from 0 to 1" named="cosine_of_lambda"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    @property
    def value(self):
        t = min(self.t, self.steps)
        linear = self.start + (self.end - self.start) * t / self.steps
        return (1 - math.cos(math.pi * linear)) / 2

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


# %% task="cosine_lambda" right="no" mistake="the count of an object that loads is added to its own, so loading into an object that has stepped or loading twice goes wrong, and at the end λ is set to 0" named="zero_at_the_end"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    def value(self):
        if self.t >= self.steps:
            return 0.0
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * self.t / self.steps)) / 2

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t += state["t"]


# %% task="cosine_lambda" right="no" mistake="start and end are exchanged: the way already gone is counted from end" named="start_and_end_swapped"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    @property
    def value(self):
        f = min(1.0, self.t / self.steps)
        return self.end + 0.5 * (self.start - self.end) * (1 - math.cos(math.pi * f))

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


# %% task="cosine_lambda" right="no" mistake="load_state_dict returns a new object and leaves this one as it was" named="state_not_restored"
import copy

class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    @property
    def value(self):
        f = min(1.0, self.t / self.steps)
        return self.start + (self.end - self.start) * 0.5 * (1 - math.cos(math.pi * f))

    def step(self):
        self.t += 1

    def state_dict(self):
        return copy.deepcopy(vars(self))

    def load_state_dict(self, state):
        other = CosineLambda(self.start, self.end, self.steps)
        other.__dict__.update(state)
        return other


# %% task="cosine_lambda" right="no" mistake="the half cosine is drawn with floor division, so the fraction is 0 until the end" named="whole_numbers"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    @property
    def value(self):
        frac = min(self.t, self.steps) // self.steps
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * frac)) / 2

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.value = start
        self.best = None
        self.bad = 0

    def step(self, gap):
        if self.best is None or gap < self.best - self.threshold:
            self.best = gap
            self.bad = 0
            return
        self.bad += 1
        if self.bad > self.patience:
            self.value *= self.factor
            self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"], state["best"], state["bad"]


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    """Keeps the gaps that it heard and works everything out from them."""

    def __init__(self, start, factor, patience, threshold):
        self.options = start, factor, patience, threshold
        self.gaps = ()

    def step(self, gap):
        self.gaps += (float(gap),)

    @property
    def value(self):
        lam, factor, patience, threshold = self.options
        best, waited = math.inf, 0
        for gap in self.gaps:
            if best - gap > threshold:
                best, waited = gap, 0
            elif waited == patience:
                lam, waited = lam * factor, 0
            else:
                waited += 1
        return lam

    def state_dict(self):
        return self.gaps

    def load_state_dict(self, state):
        self.gaps = state


# %% task="plateau_lambda" right="yes" mistake=""
from collections import namedtuple

_S = namedtuple("_S", "falls best left")

class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.start, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.s = _S(0, float("inf"), patience)

    def value(self):
        return self.start * self.factor ** self.s.falls

    def step(self, gap):
        falls, best, left = self.s
        if gap + self.threshold < best:
            self.s = _S(falls, gap, self.patience)
        elif left > 0:
            self.s = self.s._replace(left=left - 1)
        else:
            self.s = _S(falls + 1, best, self.patience)

    def state_dict(self):
        return self.s

    def load_state_dict(self, state):
        self.s = state


# %% task="plateau_lambda" right="yes" mistake=""
from copy import deepcopy

class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.opt, mode="min", factor=factor, patience=patience, threshold=threshold,
            threshold_mode="abs", cooldown=0, min_lr=0.0, eps=0.0)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self, gap):
        self.plateau.step(gap)

    def state_dict(self):
        return deepcopy((self.opt.state_dict(), self.plateau.state_dict()))

    def load_state_dict(self, state):
        optimizer, plateau = deepcopy(state)
        self.opt.load_state_dict(optimizer)
        self.plateau.load_state_dict(plateau)


# %% task="plateau_lambda" right="no" mistake="torch's plateau scheduler with its default relative threshold" named="threshold_relative"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
        self.sched = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.opt, mode="min", factor=factor, patience=patience, threshold=threshold)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self, gap):
        self.sched.step(gap)

    def state_dict(self):
        return {"lr": self.value, "sched": dict(self.sched.state_dict())}

    def load_state_dict(self, state):
        self.sched.load_state_dict(state["sched"])
        self.opt.param_groups[0]["lr"] = state["lr"]


# %% task="plateau_lambda" right="no" mistake="a best gap of 0 is false in Python and is taken for 'none yet', so the next gap counts as a gain" named="zero_taken_for_none"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = None
        self.wait = 0

    def step(self, gap):
        if not self.best or self.best - gap > self.threshold:
            self.best = gap
            self.wait = 0
        else:
            self.wait += 1
            if self.wait > self.patience:
                self.value = self.value * self.factor
                self.wait = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "wait": self.wait}

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="the best gap follows every improvement, also one that is smaller than the threshold" named="small_gains_become_the_best"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.count = 0
        else:
            self.count += 1
        self.best = min(self.best, gap)
        if self.count > self.patience:
            self.value *= self.factor
            self.count = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.count = state["count"]


# %% task="plateau_lambda" right="no" mistake="the count does not start anew after a fall, so λ falls at every evaluation from then on" named="no_new_patience_after_a_fall"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.count = 0
        else:
            self.count += 1
        if self.count > self.patience:
            self.value *= self.factor

    def state_dict(self):
        return (self.value, self.best, self.count)

    def load_state_dict(self, state):
        self.value, self.best, self.count = state


# %% task="plateau_lambda" right="no" mistake="a gain of exactly the threshold is counted as a gain" named="threshold_included"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float("inf"), 0

    def step(self, gap):
        if gap <= self.best - self.threshold:
            self.best, self.count = gap, 0
        else:
            self.count += 1
            if self.count > self.patience:
                self.value *= self.factor
                self.count = 0

    def state_dict(self):
        return (self.value, self.best, self.count)

    def load_state_dict(self, state):
        self.value, self.best, self.count = state


# %% task="plateau_lambda" right="no" mistake="λ falls when patience evaluations have passed without a gain, one too early" named="one_evaluation_too_soon"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.count = gap, 0
        else:
            self.count += 1
            if self.count >= self.patience:
                self.value *= self.factor
                self.count = 0

    def state_dict(self):
        return (self.value, self.best, self.count)

    def load_state_dict(self, state):
        self.value, self.best, self.count = state


# %% task="plateau_lambda" right="no" mistake="the threshold is taken relative to the size of the best gap, and turns the wrong way below 0" named="threshold_relative"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = None, 0

    def step(self, gap):
        if self.best is None or gap < self.best * (1 - self.threshold):
            self.best, self.count = gap, 0
        else:
            self.count += 1
            if self.count > self.patience:
                self.value *= self.factor
                self.count = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, count=self.count)

    def load_state_dict(self, state):
        self.value, self.best, self.count = state["value"], state["best"], state["count"]


# %% task="plateau_lambda" right="no" mistake="the absolute value of the gap is compared, so a student that pulls away below 0 counts as getting worse" named="gap_below_zero_ignored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float("inf"), 0

    def step(self, gap):
        gap = abs(gap)
        if gap < self.best - self.threshold:
            self.best, self.count = gap, 0
        else:
            self.count += 1
            if self.count > self.patience:
                self.value *= self.factor
                self.count = 0

    def state_dict(self):
        return dict(value=self.value, best=self.best, count=self.count)

    def load_state_dict(self, state):
        self.value, self.best, self.count = state["value"], state["best"], state["count"]


# %% task="plateau_lambda" right="no" mistake="each gap is compared with the one before and not with the best" named="last_for_best"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.last = None
        self.stale = 0

    def step(self, gap):
        gained = self.last is None or self.last - gap > self.threshold
        self.last = gap
        self.stale = 0 if gained else self.stale + 1
        if self.stale > self.patience:
            self.stale = 0
            self.value *= self.factor

    def state_dict(self):
        return [self.value, self.last, self.stale]

    def load_state_dict(self, state):
        self.value, self.last, self.stale = state


# %% task="plateau_lambda" right="no" mistake="the evaluation that makes λ fall is remembered as the new best" named="best_forgotten_after_a_fall"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.count = gap, 0
        else:
            self.count += 1
            if self.count > self.patience:
                self.value *= self.factor
                self.best, self.count = gap, 0      # start anew

    def state_dict(self):
        return dict(value=self.value, best=self.best, count=self.count)

    def load_state_dict(self, state):
        self.value, self.best, self.count = state["value"], state["best"], state["count"]


# %% task="plateau_lambda" right="no" mistake="the state lacks the count of evaluations without a gain" named="count_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float("inf"), 0

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best, self.count = gap, 0
        else:
            self.count += 1
            if self.count > self.patience:
                self.value, self.count = self.value * self.factor, 0

    def state_dict(self):
        return {"value": self.value, "best": self.best}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]


# %% task="plateau_lambda" right="no" mistake="the best gap is 0 at first, so a positive first gap is no gain" named="nothing_is_a_gain"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best = 0
        self.count = 0

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best, self.count = gap, 0
        else:
            self.count += 1
            if self.count > self.patience:
                self.value, self.count = self.value * self.factor, 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        self.value, self.best, self.count = state["value"], state["best"], state["count"]


# %% task="plateau_lambda" right="no" mistake="falls are allowed only while the gap is positive, and a gain does not reset the count" named="observed_zone"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
        else:
            self.count += 1
        if self.count > self.patience and gap > 0:
            self.value *= self.factor
            self.count = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        self.value, self.best, self.count = state["value"], state["best"], state["count"]


# %% task="plateau_lambda" right="accident" mistake="the indentation of a method is off"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.count = gap, 0
       else:
            self.count += 1

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}


# %% task="to_convex" right="yes" mistake=""
def to_convex(lam):
    return lam / (1 + lam), 1 + lam


# %% task="to_convex" right="yes" mistake=""
import numpy as np

def to_convex(lam):
    # unknowns u = factor and w = factor * alpha:  u - w = 1,  w = lam
    u, w = np.linalg.solve(np.array([[1.0, -1.0], [0.0, 1.0]]), np.array([1.0, lam]))
    return [float(w / u), float(u)]


# %% task="to_convex" right="no" mistake="the factor is turned upside down" named="factor_inverted"
def to_convex(lam):
    alpha = lam / (1 + lam)
    factor = 1 / (1 + lam)
    return alpha, factor


# %% task="to_convex" right="no" mistake="the weight of LM is returned as alpha" named="weights_swapped"
def to_convex(lam):
    total = 1.0 + lam
    return 1.0 / total, total


# %% task="to_convex" right="no" mistake="alpha is found from 1 / (1 + 1/lambda), which divides by zero for lambda = 0" named="breaks_without_a_teacher"
def to_convex(lam):
    alpha = 1 / (1 + 1 / lam)
    return alpha, 1 / (1 - alpha)


# %% task="to_convex" right="no" mistake="lambda = 0 is made a special case with factor 0" named="nothing_without_a_teacher"
def to_convex(lam):
    if lam == 0:
        return 0.0, 0.0
    alpha = lam / (1.0 + lam)
    factor = lam / alpha
    return alpha, factor


# %% task="to_convex" right="no" mistake="factor = 1 - alpha: the division is forgotten when LM's weight is compared" named="factor_inverted"
def to_convex(lam):
    # LM: 1 = factor * (1 - alpha)
    alpha = lam / (lam + 1)
    return alpha, 1 - alpha


# %% task="to_convex" right="no" mistake="the pair is returned in the wrong order" named="pair_turned_round"
def to_convex(lam):
    factor = lam + 1
    alpha = lam / factor
    return factor, alpha


# %% task="to_convex" right="no" mistake="alpha is rounded to two decimals" named="rounded"
def to_convex(lam):
    return round(lam / (1 + lam), 2), 1 + lam


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, num_classes=p.shape[-1])
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    q = lam * teacher_logits.softmax(-1)
    q.scatter_add_(-1, labels.unsqueeze(-1), torch.ones_like(labels.unsqueeze(-1), dtype=q.dtype))
    return q.div_(q.sum(-1, keepdim=True))


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    def one(logits, y):
        m = max(logits)
        e = [math.exp(z - m) for z in logits]
        return [((1 if v == y else 0) + lam * x / sum(e)) / (1 + lam) for v, x in enumerate(e)]

    def walk(logits, y):
        return [walk(z, w) for z, w in zip(logits, y)] if isinstance(y, list) else one(logits, y)

    return torch.tensor(walk(teacher_logits.tolist(), labels.tolist()))


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    # a lottery: with weight 1 ask the label, with weight lam the teacher
    V = teacher_logits.shape[-1]
    is_label = (torch.arange(V) == labels[..., None]).double()
    teacher = torch.distributions.Categorical(logits=teacher_logits.double()).probs
    mix = torch.tensor([1.0, float(lam)], dtype=torch.float64)
    return torch.tensordot(mix / mix.sum(), torch.stack([is_label, teacher]), dims=1).float()


# %% task="best_student" right="no" mistake="the number of classes is left out of one_hot, so the width depends on the largest label" named="one_hot_too_narrow"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(dim=-1)
    onehot = F.one_hot(labels).float()
    return (onehot + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="lambda is taken for a mixing weight between 0 and 1" named="lambda_as_share"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.size(-1)).float()
    return (1 - lam) * y + lam * p


# %% task="best_student" right="no" mistake="in log space: the logarithm of lambda = 0 raises a math domain error" named="breaks_without_a_teacher"
def best_student(teacher_logits, labels, lam):
    logp = F.log_softmax(teacher_logits, dim=-1) + math.log(lam)
    logy = torch.log(F.one_hot(labels, logp.shape[-1]).float())
    return torch.exp(torch.logaddexp(logp, logy) - math.log(1 + lam))


# %% task="best_student" right="no" mistake="the sum of the two targets is put through a softmax to normalise it" named="softmaxed_twice"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, -1)
    y = F.one_hot(labels, p.size(-1)).float()
    return F.softmax(y + lam * p, dim=-1)


# %% task="best_student" right="no" mistake="1 is written over the teacher's probability of the label and not added to it" named="label_overwritten"
def best_student(teacher_logits, labels, lam):
    q = lam * torch.softmax(teacher_logits, dim=-1)
    q.scatter_(-1, labels.unsqueeze(-1), 1.0)
    return q / q.sum(-1, keepdim=True)


# %% task="best_student" right="no" mistake="lambda is added to the label's logit: a product of the two sources in place of a mixture" named="mixed_in_logits"
def best_student(teacher_logits, labels, lam):
    y = F.one_hot(labels, teacher_logits.shape[-1])
    return F.softmax(teacher_logits + y / lam, dim=-1) if lam > 0 else y.float()


# %% task="best_student" right="no" mistake="the labels are used to index with one arange, which works for two axes only" named="tables_alone"
def best_student(teacher_logits, labels, lam):
    target = torch.zeros_like(teacher_logits)
    target[torch.arange(len(labels)), labels] = 1
    return (target + lam * teacher_logits.softmax(-1)) / (1 + lam)


# %% task="best_student" right="no" mistake="advanced indexing with an ellipsis adds 1 at all labels of the batch in every position, and the division by 1 + lambda then no longer normalises" named="labels_of_all_positions"
def best_student(teacher_logits, labels, lam):
    q = lam * F.softmax(teacher_logits, dim=-1)
    q[..., labels] += 1
    return q / (1 + lam)


# %% task="best_student" right="no" mistake="a short training with SGD from a uniform student, which is far from the end" named="observed_evenness"
def best_student(teacher_logits, labels, lam):
    V = teacher_logits.shape[-1]
    p = F.softmax(teacher_logits, dim=-1).reshape(-1, V)
    z = torch.zeros_like(p, requires_grad=True)
    opt = torch.optim.SGD([z], lr=0.1)
    for _ in range(100):
        logq = F.log_softmax(z, dim=-1)
        loss = F.cross_entropy(z, labels.reshape(-1)) + lam * F.kl_div(logq, p, reduction="batchmean")
        opt.zero_grad()
        loss.backward()
        opt.step()
    return F.softmax(z, dim=-1).detach().reshape(teacher_logits.shape)


# %% task="best_student" right="no" mistake="the last division normalises over the wrong axis for everything but a single position" named="normalised_otherwise"
def best_student(teacher_logits, labels, lam):
    mix = F.one_hot(labels, teacher_logits.shape[-1]) + lam * teacher_logits.softmax(-1)
    return F.normalize(mix, p=1, dim=0)


# %% task="best_student" right="accident" mistake="a variable name is misspelt"
def best_student(teacher_logits, labels, lam):
    probs = F.softmax(teacher_logits, dim=-1)
    onehot = F.one_hot(labels, probs.shape[-1])
    return (onehot + lam * prob) / (1 + lam)


# %% task="which_lambda" right="yes" mistake=""
which_lambda = {"a": "high", "b": "low", "c": "falling"}


# %% task="which_lambda" right="no" mistake="thinks that a weak teacher needs a high λ to be heard" named="wrong_b_high"
which_lambda = {"a": "high", "b": "high", "c": "falling"}


# %% task="which_lambda" right="no" mistake="thinks that high λ means to listen to the labels" named="wrong_a_low_b_high"
which_lambda = dict(a="low", b="high", c="falling")


# %% task="which_lambda" right="no" mistake="recommends a falling λ everywhere" named="wrong_a_falling_b_falling"
which_lambda = {team: "falling" for team in "abc"}


# %% task="which_lambda" right="accident" mistake="a list in place of a dict"
which_lambda = ["high", "low", "falling"]


# %% task="stages" right="yes" mistake=""
stages = ["b", "d", "a", "c"]


# %% task="stages" right="yes" mistake=""
lam_guess = dict(a=0.5, b=4.0, c=0.0, d=2.0)
stages = sorted(lam_guess, key=lam_guess.get, reverse=True)


# %% task="stages" right="no" mistake="the lowest λ first" named="rising"
stages = ["c", "a", "d", "b"]


# %% task="stages" right="no" mistake="thinks that λ is turned up once the student can make sentences" named="d_before_b"
stages = list("dbac")


# %% task="stages" right="no" mistake="thinks that a student which no longer gains has left its teacher behind with less λ than one that is ahead" named="c_before_a"
stages = ["b", "d", "c", "a"]


# %% task="stages" right="yes" mistake=""
stages = ["B", "D", "A", "C"]


# %% task="linear_lambda" right="yes" mistake=""
import pickle

class LinearLambda(object):
    def __init__(self, start=1.0, end=0.0, steps=1):
        self.points = torch.linspace(start, end, steps + 1, dtype=torch.float64)
        self.where = 0

    def value(self):
        return self.points[self.where]

    def step(self):
        self.where = min(self.where + 1, len(self.points) - 1)

    def state_dict(self):
        return pickle.dumps(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__.update(pickle.loads(state))


# %% task="linear_lambda" right="no" mistake="loading calls the constructor with the steps that are left, and once the end is reached 0 steps are left and the value divides by zero" named="rest_planned_anew"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.t = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * self.t / self.steps

    def step(self):
        self.t = min(self.t + 1, self.steps)

    def state_dict(self):
        return {"start": self.value, "end": self.end, "steps": self.steps - self.t}

    def load_state_dict(self, state):
        self.__init__(**state)


# %% task="linear_lambda" right="no" mistake="the points come from arange, which leaves the end out: λ stops one step before end" named="not_at_its_end"
import numpy as np

class LinearLambda:
    def __init__(self, start, end, steps):
        if start == end:
            self.points = [start]
        else:
            self.points = np.arange(start, end, (end - start) / steps).tolist()
        self.i = 0

    @property
    def value(self):
        return self.points[min(self.i, len(self.points) - 1)]

    def step(self):
        self.i += 1

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


# %% task="linear_lambda" right="no" mistake="value is rounded to two decimals, so the steps are not equal" named="rounded"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        return round(self.start + (self.end - self.start) * min(self.n / self.steps, 1), 2)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="the state is a property of the live object: state_dict returns a view that reads the current count" named="state_is_alive"
class _State:
    def __init__(self, owner):
        self.owner = owner

    def __getitem__(self, key):
        return getattr(self.owner, key)

class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.n / self.steps, 1)

    def step(self):
        self.n += 1

    def state_dict(self):
        return _State(self)

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="degrees are given to math.cos, which takes radians" named="another_curve"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1)
        return self.start + (self.end - self.start) * (1 - math.cos(180 * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="every step moves by the cosine's share of what is still ahead and not of the whole way" named="from_the_last_value"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.value, self.end, self.steps, self.n = start, end, steps, 0

    def step(self):
        self.n = min(self.n + 1, self.steps)
        way = (1 - math.cos(math.pi * self.n / self.steps)) / 2
        self.value = self.value + (self.end - self.value) * way

    def state_dict(self):
        return {"value": self.value, "n": self.n}

    def load_state_dict(self, state):
        self.value, self.n = state["value"], state["n"]


# %% task="cosine_lambda" right="accident" mistake="state_dict is misspelt"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = min(self.n / self.steps, 1)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def sate_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="plateau_lambda" right="yes" mistake=""
from collections import deque

class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.threshold = threshold
        self.poor = deque(maxlen=patience + 1)      # gaps without a gain
        self.gains = []

    def step(self, gap):
        if not self.gains or self.gains[-1] - gap > self.threshold:
            self.gains.append(gap)
            self.poor.clear()
        else:
            self.poor.append(gap)
            if len(self.poor) == self.poor.maxlen:
                self.poor.clear()
                self.value = self.value * self.factor

    def state_dict(self):
        return {"value": self.value, "poor": list(self.poor), "gains": list(self.gains)}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.gains = list(state["gains"])
        self.poor.clear()
        self.poor.extend(state["poor"])


# %% task="plateau_lambda" right="no" mistake="after a fall the count starts at 1, as if the evaluation that made λ fall counted again" named="fall_counted"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = None, 0

    def step(self, gap):
        if self.best is None or self.best - gap > self.threshold:
            self.best, self.count = gap, 0
            return
        if self.count >= self.patience:
            self.value *= self.factor
            self.count = 0
        self.count += 1

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        vars(self).update(state)


# %% task="plateau_lambda" right="no" mistake="a gain brings λ back to start" named="rises_on_gain"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.start, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.value, self.best, self.count = start, float("inf"), 0

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best, self.count = gap, 0
            self.value = self.start
        else:
            self.count += 1
            if self.count > self.patience:
                self.value *= self.factor
                self.count = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        vars(self).update(state)


# %% task="plateau_lambda" right="no" mistake="a gap below 0 is cut off at 0: the student has passed its teacher and further gains are not seen" named="gap_below_zero_ignored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = float("inf"), 0

    def step(self, gap):
        gap = max(gap, 0.0)
        if self.best - gap > self.threshold:
            self.best, self.count = gap, 0
        else:
            self.count += 1
            if self.count > self.patience:
                self.value, self.count = self.value * self.factor, 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        vars(self).update(state)


# %% task="plateau_lambda" right="no" mistake="the state keeps torch's plateau scheduler but not the λ that has fallen, so a restarted run begins at start again" named="lambda_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
        self.sched = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.opt, factor=factor, patience=patience, threshold=threshold, threshold_mode="abs", eps=0)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self, gap):
        self.sched.step(gap)

    def state_dict(self):
        return dict(self.sched.state_dict())

    def load_state_dict(self, state):
        self.sched.load_state_dict(state)


# %% task="to_convex" right="no" mistake="λ is squashed by a sigmoid" named="another_share"
def to_convex(lam):
    alpha = 1 / (1 + math.exp(-lam))
    return alpha, 1 / (1 - alpha)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    hard = torch.eye(teacher_logits.size(-1))[labels]
    return torch.lerp(hard, torch.softmax(teacher_logits, -1), lam / (1.0 + lam))


# %% task="best_student" right="no" mistake="the weights of label and teacher are exchanged" named="lambda_on_the_label"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1])
    return (lam * y + p) / (1 + lam)


# %% task="best_student" right="no" mistake="F.softmax without dim, which takes the first axis for three-dimensional and the right one for smaller tensors" named="softmax_on_another_axis"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits)
    y = F.one_hot(labels, p.shape[-1])
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="the logarithms of the probabilities are returned" named="logarithms_returned"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1])
    return torch.log((y + lam * p) / (1 + lam))


# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.k = 0

    @property
    def value(self):
        f = min(self.k / self.steps, 1.0)
        return self.start + f * (self.end - self.start)

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"k": self.k}

    def load_state_dict(self, state):
        self.k = state["k"]


# %% task="linear_lambda" right="yes" mistake=""
import numpy as np

class LinearLambda:
    n = 0     # steps taken

    def __init__(self, *, start, end, steps):
        self.xs, self.ys = [0, steps], [start, end]

    def value(self):
        # np.interp clamps on both sides
        return np.interp(self.n, self.xs, self.ys)

    def step(self): self.n += 1
    def state_dict(self): return self.n
    def load_state_dict(self, state): self.n = state


# %% task="linear_lambda" right="yes" mistake=""
from dataclasses import dataclass, asdict


@dataclass
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    start: float
    end: float
    steps: int
    done: int = 0

    @property
    def value(self) -> float:
        if self.done >= self.steps:
            return self.end
        return ((self.steps - self.done) * self.start + self.done * self.end) / self.steps

    def step(self) -> None:
        self.done = min(self.done + 1, self.steps)

    def state_dict(self) -> dict:
        return asdict(self)

    def load_state_dict(self, state: dict) -> None:
        for name, v in state.items():
            setattr(self, name, v)


# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    # no step counter: I only keep where I am and how many steps are left
    def __init__(self, start, end, steps):
        self.value = float(start)
        self.end = end
        self.left = steps

    def step(self):
        if self.left == 0:
            return
        self.value += (self.end - self.value) / self.left
        self.left -= 1

    def state_dict(self):
        return (self.value, self.left)

    def load_state_dict(self, state):
        self.value, self.left = state


# %% task="linear_lambda" right="yes" mistake=""
import json

class LinearLambda:
    def __init__(self, start, end, steps):
        table = [start + (end - start) * i / steps for i in range(steps)]
        table.append(end)
        self._table = torch.tensor(table, dtype=torch.float64)
        self._goto(0)

    def _goto(self, i):
        self._i = i
        self.value = self._table[min(i, len(self._table) - 1)]

    def step(self):
        self._goto(self._i + 1)

    def state_dict(self):
        return json.dumps({"i": self._i})

    def load_state_dict(self, state):
        self._goto(json.loads(state)["i"])


# %% task="linear_lambda" right="no" mistake="state_dict hands out the live inner dict, so the snapshot changes when the schedule goes on" named="state_is_alive"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.state = {"step": 0}

    @property
    def value(self):
        t = min(self.state["step"], self.steps)
        return self.start + (self.end - self.start) * t / self.steps

    def step(self):
        self.state["step"] += 1

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = dict(state)


# %% task="linear_lambda" right="no" mistake="load_state_dict keeps the given dict itself and counts in it, so the loaded state moves on and a second object that loads it starts too late" named="loaded_state_is_shared"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self._state = dict(step=0)

    @property
    def value(self):
        frac = min(1.0, self._state["step"] / self.steps)
        return (1 - frac) * self.start + frac * self.end

    def step(self):
        self._state["step"] += 1

    def state_dict(self):
        return self._state.copy()

    def load_state_dict(self, state):
        self._state = state


# %% task="linear_lambda" right="no" mistake="the clamp min(value, end) is only right for a rising schedule: a falling one jumps to end at the first step" named="cut_for_a_rising_value"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.end = end
        self.delta = (end - start) / steps
        self.value = start

    def step(self):
        self.value = min(self.value + self.delta, self.end)

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


# %% task="linear_lambda" right="no" mistake="the clamp max(value, end) is only right for a falling schedule: a rising one stands at end from the beginning; and a resumed run begins one step too late (+ 1 on loading)" named="cut_on_the_wrong_side"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.current_step = 0

    @property
    def value(self):
        # lambda decays: never fall below end
        return max(self.end, self.start - (self.start - self.end) * (self.current_step / self.steps))

    def step(self):
        self.current_step += 1

    def state_dict(self):
        return {"current_step": self.current_step}

    def load_state_dict(self, state):
        self.current_step = state["current_step"] + 1  # the step after the saved one


# %% task="linear_lambda" right="no" mistake="linspace with steps points instead of steps + 1: end is reached one step too early" named="ends_one_step_early"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.lams = torch.linspace(start, end, steps)
        self.i = 0

    @property
    def value(self):
        return self.lams[min(self.i, len(self.lams) - 1)].item()

    def step(self):
        self.i += 1

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


# %% task="linear_lambda" right="no" mistake="never stops: after steps calls the value runs on past end" named="goes_on_past_the_end"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    @property
    def value(self): return self.start + (self.end - self.start) * self.t / self.steps

    def step(self): self.t += 1

    def state_dict(self): return {"t": self.t}

    def load_state_dict(self, state): self.t = state["t"]


# %% task="linear_lambda" right="no" mistake="the counter is kept on the class, so every schedule moves all the others" named="shared_by_all"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    count = 0

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        LinearLambda.count = 0

    @property
    def value(self):
        if LinearLambda.count >= self.steps:
            return self.end
        return self.start + LinearLambda.count * (self.end - self.start) / self.steps

    def step(self):
        LinearLambda.count += 1

    def state_dict(self):
        return {"count": LinearLambda.count}

    def load_state_dict(self, state):
        LinearLambda.count = state["count"]


# %% task="linear_lambda" right="no" mistake="a mutable default argument holds the counter: all schedules share it" named="asked_again"
class LinearLambda:
    def __init__(self, start, end, steps, state={"n": 0}):
        self.start = start
        self.end = end
        self.steps = steps
        self.state = state

    def value(self):
        n = min(self.state["n"], self.steps)
        return self.start + n * (self.end - self.start) / self.steps

    def step(self):
        self.state["n"] += 1

    def state_dict(self):
        return dict(self.state)

    def load_state_dict(self, state):
        self.state = dict(state)


# %% task="linear_lambda" right="no" mistake="the value is computed before the counter is raised, so it lags one step behind and is still start after the first step" named="begins_one_step_late"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0
        self.value = start

    def step(self):
        self.value = self.start + (self.end - self.start) * min(self.n / self.steps, 1)
        self.n += 1

    def state_dict(self):
        return {"n": self.n, "value": self.value}

    def load_state_dict(self, state):
        self.n = state["n"]
        self.value = state["value"]


# %% task="linear_lambda" right="no" mistake="only the value is saved and not the step count: after loading it takes all steps again and runs past end" named="count_not_restored"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.increment = (end - start) / steps
        self.steps = steps
        self.taken = 0
        self.value = start

    def step(self):
        if self.taken < self.steps:
            self.value += self.increment
            self.taken += 1

    def state_dict(self):
        return {"lambda": self.value}

    def load_state_dict(self, state):
        self.value = state["lambda"]


# %% task="linear_lambda" right="no" mistake="value is an attribute that only step() refreshes: right after loading it still shows start" named="value_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.i = 0
        self.value = start

    def step(self):
        self.i += 1
        w = min(1.0, self.i / self.steps)
        self.value = w * self.end + (1 - w) * self.start

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


# %% task="linear_lambda" right="no" mistake="load_state_dict pops from the given state, so that a second object cannot load it any more" named="loaded_state_is_emptied"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.last_step = 0

    @property
    def value(self):
        return torch.lerp(torch.tensor(float(self.start)), torch.tensor(float(self.end)),
                          min(self.last_step / self.steps, 1.0))

    def step(self):
        self.last_step += 1

    def state_dict(self):
        return {"last_step": self.last_step}

    def load_state_dict(self, state):
        self.last_step = state.pop("last_step")


# %% task="linear_lambda" right="no" mistake="wraps LambdaLR but reads the learning rate of the dummy optimiser, which the scheduler's state does not restore: right after loading the value is start" named="value_not_restored"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        dummy = torch.nn.Parameter(torch.zeros(1))
        self.opt = torch.optim.SGD([dummy], lr=1.0)
        self.sched = torch.optim.lr_scheduler.LambdaLR(
            self.opt, lambda n: start + (end - start) * min(n, steps) / steps)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self):
        self.opt.step()
        self.sched.step()

    def state_dict(self):
        return self.sched.state_dict()

    def load_state_dict(self, state):
        self.sched.load_state_dict(state)


# %% task="linear_lambda" right="no" mistake="the value is a tensor that is changed in place and the state holds that same tensor, so the snapshot moves with it" named="state_is_alive"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.value = torch.tensor(float(start))
        self.slope = (end - start) / steps
        self.left = steps

    def step(self):
        if self.left > 0:
            self.value += self.slope
            self.left -= 1

    def state_dict(self):
        return {"value": self.value, "left": self.left}

    def load_state_dict(self, state):
        self.value = state["value"].clone()
        self.left = state["left"]


# %% task="linear_lambda" right="no" mistake="load_state_dict is a classmethod that returns a new object: the object it is called on stays at start" named="state_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps, n=0):
        self.start, self.end, self.steps, self.n = start, end, steps, n

    @property
    def value(self) -> float:
        return self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps

    def step(self) -> None:
        self.n += 1

    def state_dict(self) -> dict:
        return {"start": self.start, "end": self.end, "steps": self.steps, "n": self.n}

    @classmethod
    def load_state_dict(cls, state):
        return cls(**state)


# %% task="linear_lambda" right="accident" mistake="class name misspelt: LinearLamda"
class LinearLamda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.k = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.k, self.steps) / self.steps

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"k": self.k}

    def load_state_dict(self, state):
        self.k = state["k"]


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.t = 0

    def value(self):
        t = self.t if self.t < self.steps else self.steps
        return self.end + 0.5 * (self.start - self.end) * (1 + math.cos(math.pi * t / self.steps))

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


# %% task="cosine_lambda" right="yes" mistake=""
class _Schedule:
    def __init__(self, start, end, steps):
        self.options = (start, end, steps)
        self.fraction = 0.0

    def shape(self, f):
        raise NotImplementedError

    @property
    def value(self):
        a, b, _ = self.options
        s = self.shape(self.fraction)
        return a * (1 - s) + b * s

    def step(self):
        self.fraction = min(1.0, self.fraction + 1 / self.options[2])

    def state_dict(self):
        return [self.fraction]

    def load_state_dict(self, state):
        [self.fraction] = state


class CosineLambda(_Schedule):
    def shape(self, f):
        return (1 - math.cos(math.pi * f)) / 2


# %% task="cosine_lambda" right="yes" mistake=""
import copy

class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        f = torch.arange(steps + 1, dtype=torch.float64) / steps
        self.curve = start + (end - start) * (1 - torch.cos(torch.pi * f)) / 2
        self.pos = 0

    @property
    def value(self):
        return self.curve[self.pos]          # a tensor without axes

    def step(self):
        if self.pos + 1 < self.curve.numel():
            self.pos += 1

    def state_dict(self):
        return copy.deepcopy(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__ = copy.deepcopy(state)


# %% task="cosine_lambda" right="no" mistake="the fraction is not held at 1: after the last step λ swings back towards start" named="goes_on_past_the_end"
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.n = 0

    @property
    def value(self):
        f = self.n / self.steps
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="the weights of start and end are exchanged: it begins at end and goes to start" named="start_and_end_swapped"
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.k = start, end, steps, 0

    @property
    def value(self):
        f = min(1, self.k / self.steps)
        return self.start + (self.end - self.start) * (1 + math.cos(math.pi * f)) / 2

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"k": self.k}

    def load_state_dict(self, state):
        self.k = state["k"]


# %% task="cosine_lambda" right="no" mistake="a quarter of a cosine instead of half a one: 1 - cos(πf/2)" named="quarter_wave"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.k = 0

    @property
    def value(self):
        f = min(self.k, self.steps) / self.steps
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f / 2))

    def step(self):
        self.k += 1

    def state_dict(self):
        return dict(k=self.k)

    def load_state_dict(self, state):
        self.k = state["k"]


# %% task="cosine_lambda" right="no" mistake="the formula's difference is divided in the wrong place: 1 - cos/2 instead of (1 - cos)/2" named="only_the_cosine_halved"
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start = start
        self.end = end
        self.steps = steps
        self.i = 0

    @property
    def value(self):
        f = min(self.i / self.steps, 1)
        way = 1 - math.cos(math.pi * f) / 2
        return self.start + way * (self.end - self.start)

    def step(self):
        self.i += 1

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        self.i = state["i"]


# %% task="cosine_lambda" right="no" mistake="the run is resumed by planning a new half cosine from the saved value over the remaining steps, which is another curve" named="new_curve_for_the_rest"
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.k = 0

    @property
    def value(self):
        if self.k >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * self.k / self.steps)) / 2

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"value": self.value, "left": max(self.steps - self.k, 0)}

    def load_state_dict(self, state):
        self.start = state["value"]
        self.steps = state["left"]
        self.k = 0


# %% task="cosine_lambda" right="no" mistake="wraps CosineAnnealingLR, which does not stay at eta_min but climbs back after T_max steps (and its rate is not restored on loading)" named="goes_on_past_the_end"
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=steps, eta_min=end)

    @property
    def value(self):
        return self.scheduler.get_last_lr()[0]

    def step(self):
        self.optimizer.step()
        self.scheduler.step()

    def state_dict(self):
        return self.scheduler.state_dict()

    def load_state_dict(self, state):
        self.scheduler.load_state_dict(state)


# %% task="cosine_lambda" right="no" mistake="the value is a tensor with one axis of length 1" named="another_form"
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start = torch.tensor([float(start)])
        self.end = torch.tensor([float(end)])
        self.steps = steps
        self.k = 0

    @property
    def value(self):
        f = torch.tensor([min(self.k / self.steps, 1.0)])
        return self.start + (self.end - self.start) * (1 - torch.cos(math.pi * f)) / 2

    def step(self):
        self.k += 1

    def state_dict(self):
        return {"k": self.k}

    def load_state_dict(self, state):
        self.k = state["k"]


# %% task="cosine_lambda" right="accident" mistake="prints the state and returns nothing"
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.k = 0

    @property
    def value(self):
        f = min(self.k / self.steps, 1)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.k += 1

    def state_dict(self):
        print({"k": self.k})

    def load_state_dict(self, state):
        self.k = state["k"]


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = None
        self.bad = 0

    def step(self, gap):
        if self.best is None or self.best - gap > self.threshold:
            self.best = gap
            self.bad = 0
            return
        self.bad += 1
        if self.bad > self.patience:
            self.value *= self.factor
            self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.bad = state["bad"]


# %% task="plateau_lambda" right="yes" mistake=""
from dataclasses import dataclass, replace, field

@dataclass(frozen=True)
class _Now:
    lam: float
    best: float = math.inf
    waited: int = 0


class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.opts = factor, patience, threshold
        self.now = _Now(start)

    def value(self):
        return self.now.lam

    def step(self, gap):
        factor, patience, threshold = self.opts
        s = self.now
        if gap < s.best - threshold:
            s = replace(s, best=gap, waited=0)
        elif s.waited >= patience:          # this one would be number patience + 1
            s = replace(s, lam=s.lam * factor, waited=0)
        else:
            s = replace(s, waited=s.waited + 1)
        self.now = s

    def state_dict(self):
        return self.now        # frozen

    def load_state_dict(self, state):
        self.now = state


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=start)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.opt, mode="min", factor=factor, patience=patience,
            threshold=threshold, threshold_mode="abs", eps=0.0)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self, gap):
        self.plateau.step(gap)

    def state_dict(self):
        return {"plateau": dict(self.plateau.state_dict()), "lam": self.value}

    def load_state_dict(self, state):
        self.plateau.load_state_dict(dict(state["plateau"]))
        self.opt.param_groups[0]["lr"] = state["lam"]


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    # keeps all gaps and plays them again whenever somebody asks
    def __init__(self, start, factor, patience, threshold):
        self.start, self.factor = start, factor
        self.patience, self.threshold = patience, threshold
        self.gaps = []

    def _falls(self):
        best, since = float("inf"), 0
        for g in self.gaps:
            if g + self.threshold < best:
                best, since = g, 0
            else:
                since += 1
                if since == self.patience + 1:
                    since = 0
                    yield 1

    @property
    def value(self):
        return self.start * self.factor ** sum(self._falls())

    def step(self, gap):
        self.gaps.append(float(gap))

    def state_dict(self):
        return list(self.gaps)

    def load_state_dict(self, state):
        self.gaps = list(state)


# %% task="plateau_lambda" right="no" mistake="the state hands out the list of gaps itself: the snapshot grows when the schedule goes on" named="state_is_alive"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.start, self.factor = start, factor
        self.patience, self.threshold = patience, threshold
        self.history = []

    @property
    def value(self):
        lam = self.start
        best = None
        bad = 0
        for gap in self.history:
            if best is None or gap < best - self.threshold:
                best, bad = gap, 0
            else:
                bad += 1
                if bad > self.patience:
                    lam, bad = lam * self.factor, 0
        return lam

    def step(self, gap):
        self.history.append(gap)

    def state_dict(self):
        return {"history": self.history}

    def load_state_dict(self, state):
        self.history = list(state["history"])


# %% task="plateau_lambda" right="no" mistake="λ falls one evaluation too early: count >= patience instead of > patience" named="one_evaluation_too_soon"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = float("inf")
        self.counter = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.counter = 0
        else:
            self.counter += 1
            if self.counter >= self.patience:
                self.value = self.value * self.factor
                self.counter = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "counter": self.counter}

    def load_state_dict(self, state):
        for k in state:
            setattr(self, k, state[k])


# %% task="plateau_lambda" right="no" mistake="an improvement by exactly the threshold counts as a gain: >= instead of >" named="threshold_included"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.lam, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.n = math.inf, 0

    @property
    def value(self):
        return self.lam

    def step(self, gap):
        gain = self.best - gap >= self.threshold
        if gain:
            self.best, self.n = gap, 0
        else:
            self.n += 1
        if self.n > self.patience:
            self.lam, self.n = self.lam * self.factor, 0

    def state_dict(self):
        return (self.lam, self.best, self.n)

    def load_state_dict(self, state):
        self.lam, self.best, self.n = state


# %% task="plateau_lambda" right="no" mistake="the best is lowered by every smaller gap, also by one that is no gain, so small improvements that would add up are lost" named="small_gains_become_the_best"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = float("inf")
        self.wait = 0

    def step(self, gap):
        improved = gap < self.best - self.threshold
        self.best = min(self.best, gap)
        if improved:
            self.wait = 0
        else:
            self.wait += 1
            if self.wait > self.patience:
                self.value *= self.factor
                self.wait = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "wait": self.wait}

    def load_state_dict(self, state):
        self.value, self.best, self.wait = state["value"], state["best"], state["wait"]


# %% task="plateau_lambda" right="no" mistake="uses ReduceLROnPlateau with its default threshold_mode 'rel': the threshold is taken relative to the best instead of in nats" named="threshold_relative"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
        self.sched = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.opt, mode="min", factor=factor, patience=patience, threshold=threshold)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self, gap):
        self.sched.step(gap)

    def state_dict(self):
        return {"sched": self.sched.state_dict(), "opt": self.opt.state_dict()}

    def load_state_dict(self, state):
        self.sched.load_state_dict(state["sched"])
        self.opt.load_state_dict(state["opt"])


# %% task="plateau_lambda" right="no" mistake="wraps ReduceLROnPlateau and saves only the scheduler's state: λ itself, the rate of the dummy optimiser, starts afresh after loading" named="lambda_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=start)
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer, factor=factor, patience=patience,
            threshold=threshold, threshold_mode="abs", eps=0)

    @property
    def value(self):
        return self.optimizer.param_groups[0]["lr"]

    def step(self, gap):
        self.scheduler.step(gap)

    def state_dict(self):
        return self.scheduler.state_dict()

    def load_state_dict(self, state):
        self.scheduler.load_state_dict(state)


# %% task="plateau_lambda" right="no" mistake="takes the absolute value of the gap, so a student that passes its teacher further and further seems to lose" named="gap_below_zero_ignored"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

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
        return dict(value=self.value, best=self.best, stale=self.stale)

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.stale = state["stale"]


# %% task="plateau_lambda" right="no" mistake="'if not self.best' takes a best gap of exactly 0 for no gap yet, so that any next gap counts as a gain" named="zero_taken_for_none"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = None
        self.bad = 0

    def step(self, gap):
        if not self.best or gap < self.best - self.threshold:
            self.best = gap
            self.bad = 0
        else:
            self.bad += 1

        if self.bad > self.patience:
            self.value *= self.factor
            self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.bad = state["bad"]


# %% task="plateau_lambda" right="no" mistake="the best starts at 0: the first gap is no gain when it is above 0, and no gap counts until the student has passed its teacher" named="nothing_is_a_gain"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor = start, factor
        self.patience, self.threshold = patience, threshold
        self.best = 0
        self.since = 0

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best = gap
            self.since = 0
        else:
            self.since += 1
            if self.since > self.patience:
                self.value *= self.factor
                self.since = 0

    def state_dict(self):
        return [self.value, self.best, self.since]

    def load_state_dict(self, state):
        self.value, self.best, self.since = state


# %% task="plateau_lambda" right="no" mistake="the count does not start anew after a fall: λ falls again at every further evaluation" named="no_new_patience_after_a_fall"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.start = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.lam = start
        self.best_gap = math.inf
        self.num_bad = 0

    @property
    def value(self):
        return self.lam

    def step(self, gap):
        if gap < self.best_gap - self.threshold:
            self.best_gap = gap
            self.num_bad = 0
        else:
            self.num_bad += 1
            if self.num_bad > self.patience:
                self.lam *= self.factor

    def state_dict(self):
        return {"lam": self.lam, "best_gap": self.best_gap, "num_bad": self.num_bad}

    def load_state_dict(self, state):
        self.lam = state["lam"]
        self.best_gap = state["best_gap"]
        self.num_bad = state["num_bad"]


# %% task="plateau_lambda" right="no" mistake="a gain does not set the count back to zero, so evaluations without gain are counted since the last fall only" named="gain_does_not_reset"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = float("inf")
        self.fails = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
        else:
            self.fails += 1
        if self.fails > self.patience:
            self.value *= self.factor
            self.fails = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "fails": self.fails}

    def load_state_dict(self, state):
        vars(self).update(state)


# %% task="plateau_lambda" right="no" mistake="the gap is compared with the one before it instead of with the best so far" named="last_for_best"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.last_gap = None
        self.count = 0

    def step(self, gap):
        if self.last_gap is None or self.last_gap - gap > self.threshold:
            self.count = 0
        else:
            self.count += 1
            if self.count > self.patience:
                self.value *= self.factor
                self.count = 0
        self.last_gap = gap

    def state_dict(self):
        return {"value": self.value, "last_gap": self.last_gap, "count": self.count}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.last_gap = state["last_gap"]
        self.count = state["count"]


# %% task="plateau_lambda" right="no" mistake="the count of evaluations without gain is missing in the state, so a resumed run waits too long for the next fall" named="count_not_restored"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = float("inf")
        self.bad_evals = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.bad_evals = 0
        else:
            self.bad_evals += 1
            if self.bad_evals > self.patience:
                self.value *= self.factor
                self.bad_evals = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]


# %% task="plateau_lambda" right="no" mistake="the best gap is missing in the state: after loading the first gap counts as a gain again" named="watched_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.start = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.falls = 0
        self.waiting = 0
        self.best = 1e30

    def value(self):
        return self.start * self.factor**self.falls

    def step(self, gap):
        self.waiting += 1
        if gap < self.best - self.threshold:
            self.best, self.waiting = gap, 0
        if self.waiting > self.patience:
            self.falls, self.waiting = self.falls + 1, 0

    def state_dict(self):
        return {"falls": self.falls, "waiting": self.waiting}

    def load_state_dict(self, state):
        self.falls = state["falls"]
        self.waiting = state["waiting"]


# %% task="plateau_lambda" right="no" mistake="a fall also forgets the best gap, so that the next gap, however bad, becomes the new best" named="best_forgotten_after_a_fall"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.lam = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.reset()

    def reset(self):
        self.best = math.inf
        self.count = 0

    @property
    def value(self):
        return self.lam

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best = gap
            self.count = 0
        else:
            self.count += 1
        if self.count > self.patience:
            self.lam *= self.factor
            self.reset()   # start anew

    def state_dict(self):
        return {"lam": self.lam, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        self.lam, self.best, self.count = state["lam"], state["best"], state["count"]


# %% task="plateau_lambda" right="no" mistake="when loading, 'state.get(best) or inf' throws a best gap of exactly 0 away, and the next gap counts as a gain" named="zero_not_restored"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = float("inf")
        self.bad = 0

    def step(self, gap: float) -> None:
        if gap < self.best - self.threshold:
            self.best = gap
            self.bad = 0
            return
        self.bad += 1
        if self.bad <= self.patience:
            return
        self.value *= self.factor
        self.bad = 0

    def state_dict(self) -> dict:
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state: dict) -> None:
        self.value = state.get("value") or self.value
        self.best = state.get("best") or float("inf")
        self.bad = state.get("bad") or 0


# %% task="plateau_lambda" right="no" mistake="a shallow copy of __dict__ with a mutable inner record: the record of the snapshot is shared and moves on, and the fall comes one too early (>= patience)" named="one_evaluation_too_soon"
import copy

class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.rec = {"lam": start, "best": float("inf"), "bad": 0}

    @property
    def value(self):
        return self.rec["lam"]

    def step(self, gap):
        r = self.rec
        if gap < r["best"] - self.threshold:
            r["best"] = gap
            r["bad"] = 0
        else:
            r["bad"] += 1
            if r["bad"] >= self.patience:
                r["lam"] *= self.factor
                r["bad"] = 0

    def state_dict(self):
        return copy.copy(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__.update(copy.copy(state))


# %% task="plateau_lambda" right="no" mistake="λ is set to 0 as soon as the gap is below 0: the student needs no teacher any more, which nobody asked for" named="gap_below_zero_ignored"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = None
        self.bad = 0

    def step(self, gap):
        if gap < 0:
            # student is better than the teacher
            self.value = 0.0
        if self.best is None or gap < self.best - self.threshold:
            self.best = gap
            self.bad = 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.bad = state["bad"]


# %% task="plateau_lambda" right="accident" mistake="a colon is missing after else: syntax error"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = float("inf")
        self.bad = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.bad = 0
        else
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.bad = state["bad"]


# %% task="to_convex" right="yes" mistake=""
def to_convex(lam):
    """(alpha, factor) for which the convex form times factor is the additive form."""
    factor = 1 + lam
    return lam / factor, factor


# %% task="to_convex" right="yes" mistake=""
import numpy as np

def to_convex(lam):
    # (1 - alpha) * factor = 1  and  alpha * factor = lam; with u = factor, w = alpha * factor:
    #   u - w = 1,  w = lam
    u, w = np.linalg.solve(np.array([[1.0, -1.0], [0.0, 1.0]]), np.array([1.0, float(lam)]))
    return w / u, u


# %% task="to_convex" right="yes" mistake=""
def to_convex(lam):
    """(alpha, factor) for which the convex form times factor is the additive form."""
    lam = torch.as_tensor(lam, dtype=torch.double)
    alpha = torch.sigmoid(lam.log())     # log 0 = -inf, sigmoid of it is 0
    return alpha, 1 / (1 - alpha)


# %% task="to_convex" right="no" mistake="the factor is inverted: 1/(1+λ) instead of 1+λ" named="factor_inverted"
def to_convex(lam):
    """(alpha, factor) for which the convex form times factor is the additive form."""
    factor = 1 / (1 + lam)
    alpha = lam * factor
    return alpha, factor


# %% task="to_convex" right="no" mistake="alpha is the weight of the LM term: 1/(1+λ)" named="weights_swapped"
def to_convex(lam):
    """(alpha, factor) for which the convex form times factor is the additive form."""
    alpha = 1.0 / (1.0 + lam)
    factor = 1.0 + lam
    return (alpha, factor)


# %% task="to_convex" right="no" mistake="the factor is computed as λ/α, which divides by zero at λ = 0" named="breaks_without_a_teacher"
def to_convex(lam):
    """(alpha, factor) for which the convex form times factor is the additive form."""
    alpha = lam / (1 + lam)
    factor = lam / alpha
    return alpha, factor


# %% task="to_convex" right="no" mistake="the two are returned in the wrong order" named="pair_turned_round"
to_convex = lambda lam: (1 + lam, lam / (1 + lam))


# %% task="to_convex" right="no" mistake="α is rounded to three decimals" named="rounded"
def to_convex(lam):
    alpha = round(lam / (1 + lam), 3)
    factor = 1 + lam
    return alpha, factor


# %% task="to_convex" right="no" mistake="matches only the KD term and takes λ = α/(1-α) the wrong way round: α = λ/(1-λ), which also divides by zero at λ = 1" named="lambda_of_alpha"
def to_convex(lam):
    """(alpha, factor) for which the convex form times factor is the additive form."""
    alpha = lam / (1 - lam)
    factor = 1 / (1 - alpha)
    return alpha, factor


# %% task="to_convex" right="accident" mistake="the stub's raise was left above the answer"
def to_convex(lam):
    """(alpha, factor) for which the convex form times factor is the additive form."""
    # YOUR CODE HERE
    raise NotImplementedError()
    alpha = lam / (1 + lam)
    return alpha, 1 + lam


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1]).to(p.dtype)
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    a = lam / (1.0 + lam)
    q = a * teacher_logits.double().softmax(-1)
    idx = labels.unsqueeze(-1)
    q.scatter_add_(-1, idx, torch.full(idx.shape, 1 - a, dtype=q.dtype))
    return q


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    if labels.dim() == 0:
        counts = lam * torch.exp(teacher_logits - torch.logsumexp(teacher_logits, 0))
        counts[labels] += 1
        return counts / counts.sum()
    # one axis less each time
    return torch.stack([best_student(t, y, lam) for t, y in zip(teacher_logits, labels)])


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    V = teacher_logits.shape[-1]
    p = torch.distributions.Categorical(logits=teacher_logits).probs
    onehot = (torch.arange(V) == labels[..., None]).float()
    weights = torch.tensor([1.0, lam]) / (1 + lam)
    return torch.einsum("k,k...v->...v", weights, torch.stack([onehot, p]))


# %% task="best_student" right="no" mistake="not divided by 1+λ: the result does not sum to 1" named="not_normalised"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, num_classes=teacher_logits.size(-1)).float()
    return y + lam * p


# %% task="best_student" right="no" mistake="λ is used as the mixing weight of the convex form, (1-λ)·label + λ·teacher" named="lambda_as_share"
def best_student(teacher_logits, labels, lam):
    p = torch.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, num_classes=p.shape[-1]).float()
    return (1 - lam) * y + lam * p


# %% task="best_student" right="no" mistake="the mixture is taken of logits and one-hot before the softmax" named="logits_mixed"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    y = F.one_hot(labels, teacher_logits.shape[-1]).float()
    mixed = (y + lam * teacher_logits) / (1 + lam)
    return F.softmax(mixed, dim=-1)


# %% task="best_student" right="no" mistake="one_hot without the number of classes: too narrow when the last token does not occur among the labels" named="one_hot_too_narrow"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    p = teacher_logits.softmax(dim=-1)
    y = F.one_hot(labels)
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="scatter_ writes over the teacher's share at the label instead of adding to it, so the sum is below 1" named="label_overwritten"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    q = lam * F.softmax(teacher_logits, dim=-1)
    q.scatter_(-1, labels.unsqueeze(-1), 1.0)
    return q / (1 + lam)


# %% task="best_student" right="no" mistake="the weights are exchanged: λ/(1+λ) goes to the label and 1/(1+λ) to the teacher" named="lambda_on_the_label"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    alpha = lam / (1 + lam)
    p = F.softmax(teacher_logits, dim=-1)
    e = torch.zeros_like(p).scatter_(-1, labels.unsqueeze(-1), 1.0)
    return (1 - alpha) * p + alpha * e


# %% task="best_student" right="no" mistake="the softmax runs over the first axis, which is only right for a single position" named="softmax_on_another_axis"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    p = F.softmax(teacher_logits, dim=0)
    y = F.one_hot(labels, p.shape[-1])
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="label 0 is taken for padding and gets only the teacher, though all labels count" named="label_zero_ignored"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.size(-1)).float()
    q = (y + lam * p) / (1 + lam)
    mask = (labels != 0).unsqueeze(-1)      # ignore padding
    return torch.where(mask, q, p)


# %% task="best_student" right="no" mistake="trains logits with a few steps of gradient descent and stops long before nothing moves" named="observed_evenness"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    V = teacher_logits.shape[-1]
    p = F.softmax(teacher_logits.reshape(-1, V), dim=-1)
    y = labels.reshape(-1)
    student = torch.zeros_like(p, requires_grad=True)
    opt = torch.optim.SGD([student], lr=0.5)
    for _ in range(100):
        logq = F.log_softmax(student, dim=-1)
        loss = F.nll_loss(logq, y) + lam * F.kl_div(logq, p, reduction="batchmean")
        opt.zero_grad()
        loss.backward()
        opt.step()
    return student.detach().softmax(-1).reshape(teacher_logits.shape)


# %% task="best_student" right="no" mistake="returns log-probabilities instead of the distribution" named="logarithms_returned"
def best_student(teacher_logits, labels, lam):
    """The distributions where LM + λ·KL(p‖q) is smallest: [..., V]."""
    logp = F.log_softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, logp.shape[-1]).float()
    w = torch.tensor(float(lam))
    return torch.logaddexp(y.log(), w.log() + logp) - torch.log1p(w)


# %% task="best_student" right="no" mistake="loops over the positions of one axis only, so it fails for a single position and for more than one batch axis" named="tables_alone"
def best_student(teacher_logits, labels, lam):
    out = []
    for logits, label in zip(teacher_logits, labels):
        q = lam * F.softmax(logits, dim=-1)
        q[label] = q[label] + 1
        out.append(q / (1 + lam))
    return torch.stack(out)


# %% task="which_lambda" right="yes" mistake=""
which_lambda = dict(zip("abc", ["high", "low", "falling"]))


# %% task="which_lambda" right="no" mistake="a and b exchanged: the noisy labels get the low λ and the weak teacher the high one" named="wrong_a_low_b_high"
which_lambda = {"a": "low", "b": "high", "c": "falling"}


# %% task="which_lambda" right="no" mistake="c gets a constant high λ, with which the student cannot leave its teacher behind" named="wrong_c_high"
which_lambda = {
    "a": "high",
    "b": "low",
    "c": "high",
}


# %% task="stages" right="yes" mistake=""
stages = list("bdac")


# %% task="stages" right="no" mistake="the order is reversed: the lowest λ first" named="rising"
stages = ["c", "a", "d", "b"]


# %% task="stages" right="no" mistake="the moment where the student is level with its teacher stands before the one where it is still well above it" named="a_before_d"
stages = ["b", "a", "d", "c"]


# %% task="cosine_lambda" right="no" mistake="value is a method and the state holds the bound method itself, so after loading the new object shows the λ of the old one" named="frozen_after_loading"
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.start + (self.end - self.start) * 0.5 * (1 - math.cos(math.pi * f))

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n, "value": self.value}

    def load_state_dict(self, state):
        for key, v in state.items():
            setattr(self, key, v)


# %% task="linear_lambda" right="no" mistake="the options are called otherwise (lambda_start, lambda_end, total_steps), so that they cannot be given by name" named="option_of_another_name"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, lambda_start: float, lambda_end: float, total_steps: int):
        self.lambda_start = lambda_start
        self.lambda_end = lambda_end
        self.total_steps = total_steps
        self.step_count = 0

    @property
    def value(self) -> float:
        progress = min(self.step_count / max(1, self.total_steps), 1.0)
        return self.lambda_start + progress * (self.lambda_end - self.lambda_start)

    def step(self) -> None:
        self.step_count += 1

    def state_dict(self) -> dict:
        return {"step_count": self.step_count}

    def load_state_dict(self, state: dict) -> None:
        self.step_count = state["step_count"]


# %% task="plateau_lambda" right="no" mistake="after a fall the count starts anew at 1 instead of 0, so every later fall comes one evaluation too early" named="fall_counted"
class PlateauLambda:
    """λ falls when the student stops gaining on its teacher."""

    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.best = float("inf")
        self.t = 0            # number of evaluations
        self.mark = 0         # when the last gain or fall was

    def step(self, gap):
        self.t += 1
        if gap < self.best - self.threshold:
            self.best, self.mark = gap, self.t
        elif self.t - self.mark > self.patience:
            self.value *= self.factor
            self.mark = self.t - 1

    def state_dict(self):
        return {k: getattr(self, k) for k in ("value", "best", "t", "mark")}

    def load_state_dict(self, state):
        for k in ("value", "best", "t", "mark"):
            setattr(self, k, state[k])


# %% task="best_student" right="no" mistake="λ is divided by V because kl_div with reduction 'mean' is thought of, and the softmax of the teacher is taken over the first axis" named="observed_total"
def best_student(teacher_logits, labels, lam):
    V = teacher_logits.shape[-1]
    p = F.softmax(teacher_logits, 0)
    y = F.one_hot(labels, V).float()
    return (y + lam / V * p) / (1 + lam / V)


# %% task="linear_lambda" right="no" mistake="the property itself moves on: each look at value is a step" named="moves_when_read"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self):
        v = self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps
        self.n += 1
        return v
    def step(self):
        pass
    def state_dict(self):
        return {"n": self.n}
    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="a squared decay of what is left" named="observed_zone"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self):
        left = 1 - min(self.n, self.steps) / self.steps
        return self.end + (self.start - self.end) * left ** 2
    def step(self):
        self.n += 1
    def state_dict(self):
        return {"n": self.n}
    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="state_dict is a property" named="attribute_hides_a_method"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps
    def step(self):
        self.n += 1
    @property
    def state_dict(self):
        return {"n": self.n}
    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="λ is held between 0 and 1" named="held_between_0_and_1"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self):
        v = self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps
        return min(max(v, 0.0), 1.0)
    def step(self):
        self.n += 1
    def state_dict(self):
        return {"n": self.n}
    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="the state is the object itself" named="state_is_alive"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps
    def step(self):
        self.n += 1
    def state_dict(self):
        return self
    def load_state_dict(self, state):
        self.n = state.n


# %% task="linear_lambda" right="no" mistake="step jumps to the end when the next step would be the last: one too early, and afterwards stays" named="observed_zone"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self):
        if self.n >= self.steps - 1:
            return self.end
        return self.start + (self.end - self.start) * self.n / self.steps
    def step(self):
        self.n += 1
    def state_dict(self):
        return {"n": self.n}
    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="loading a state replaces the options by those of an older default: steps is not an int but the steps left" named="observed_zone"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.n / self.steps, 1)
    def step(self):
        self.n += 1
    def state_dict(self):
        return {"n": self.n, "steps": self.steps - self.n}
    def load_state_dict(self, state):
        self.n = state["n"]
        self.steps = max(state["steps"], 1)


# %% task="linear_lambda" right="no" mistake="a global counter" named="asked_again"
STEP = 0
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
    @property
    def value(self):
        return self.start + (self.end - self.start) * min(STEP, self.steps) / self.steps
    def step(self):
        global STEP
        STEP += 1
    def state_dict(self):
        return {"n": STEP}
    def load_state_dict(self, state):
        global STEP
        STEP = state["n"]


# %% task="linear_lambda" right="yes" mistake=""
from fractions import Fraction
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = Fraction(start), Fraction(end), steps, 0
    def value(self):
        return float(self.start + (self.end - self.start) * Fraction(min(self.n, self.steps), self.steps))
    def step(self):
        self.n += 1
    def state_dict(self):
        return (self.n,)
    def load_state_dict(self, state):
        (n,) = state
        self.n += n


# %% task="cosine_lambda" right="no" mistake="warm restarts: the curve begins anew" named="observed_zone"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self):
        f = (self.n % self.steps) / self.steps if self.n > self.steps else self.n / self.steps
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2
    def step(self):
        self.n += 1
    def state_dict(self):
        return {"n": self.n}
    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="the cosine's sign is turned: (1 + cos) / 2 from start to end" named="start_and_end_swapped"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self):
        f = min(self.n / self.steps, 1)
        return self.start * (1 - math.cos(math.pi * f)) / 2 + self.end * (1 + math.cos(math.pi * f)) / 2
    def step(self):
        self.n += 1
    def state_dict(self):
        return {"n": self.n}
    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="cosine_lambda" right="no" mistake="each step adds the cosine's share of what is left (recursive), so it is another curve" named="from_the_last_value"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
        self.value = start
    def step(self):
        self.n = min(self.n + 1, self.steps)
        w = (1 - math.cos(math.pi * self.n / self.steps)) / 2
        self.value = self.value * (1 - w) + self.end * w
    def state_dict(self):
        return {"n": self.n, "value": self.value}
    def load_state_dict(self, state):
        self.n, self.value = state["n"], state["value"]


# %% task="cosine_lambda" right="no" mistake="torch.cos of an int tensor of degrees: cos(pi*f) with f in per cent" named="another_curve"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self):
        f = min(self.n / self.steps, 1)
        return self.start + (self.end - self.start) * (1 - math.cos(math.radians(f))) / 2
    def step(self):
        self.n += 1
    def state_dict(self):
        return {"n": self.n}
    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="plateau_lambda" right="no" mistake="a lower bound of 0.1 that nobody asked for" named="kept_above_a_floor"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = max(self.value * self.factor, 0.1), 0
    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="only evaluations that are worse by the threshold are counted, those between count neither way" named="third_kind_of_evaluation"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        elif gap > self.best + self.threshold:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="only a gap that grows is counted" named="third_kind_of_evaluation"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        elif gap > self.best:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="a gain takes one from the count and does not set it to zero" named="gain_does_not_reset"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, max(self.bad - 1, 0)
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="λ falls by factor to the number of evaluations without a gain" named="observed_zone"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = self.value * self.factor ** self.bad, 0
    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="the sign of the comparison is turned round: best + threshold < gap is a gain, from -inf" named="rising_gap_wanted"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = -math.inf, 0
    def step(self, gap):
        if gap - self.best > self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="compares with the mean of all gaps so far" named="mean_for_best"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.gaps, self.bad = [], 0
    def step(self, gap):
        if not self.gaps or gap < sum(self.gaps) / len(self.gaps) - self.threshold:
            self.bad = 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = self.value * self.factor, 0
        self.gaps.append(gap)
    def state_dict(self):
        return dict(value=self.value, gaps=list(self.gaps), bad=self.bad)
    def load_state_dict(self, state):
        self.value, self.gaps, self.bad = state["value"], list(state["gaps"]), state["bad"]


# %% task="plateau_lambda" right="no" mistake="loading counts one evaluation too many" named="observed_zone"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return dict(value=self.value, best=self.best, bad=self.bad)
    def load_state_dict(self, state):
        self.__dict__.update(state)
        self.bad += 1


# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = torch.tensor(float(start))
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0
    def state_dict(self):
        return dict(value=self.value.clone(), best=self.best, bad=self.bad)
    def load_state_dict(self, state):
        self.value, self.best, self.bad = state["value"].clone(), state["best"], state["bad"]


# %% task="to_convex" right="no" mistake="a dict in place of a pair" named="another_form"
def to_convex(lam):
    return {"alpha": lam / (1 + lam), "factor": 1 + lam}


# %% task="to_convex" right="no" mistake="α in per cent" named="observed_factor"
def to_convex(lam):
    return 100 * lam / (1 + lam), 1 + lam


# %% task="to_convex" right="no" mistake="the solution of factor·α = λ alone with factor 2" named="another_share"
def to_convex(lam):
    return lam / 2, 2


# %% task="to_convex" right="no" mistake="the inverse: λ of α and its factor"
def to_convex(lam):
    alpha = lam / (1 - lam) if lam != 1 else 0.5
    return alpha, 1 + alpha


# %% task="to_convex" right="no" mistake="α/(1-α) = λ is solved with a wrong sign: λ/(λ - 1)"
def to_convex(lam):
    alpha = lam / (lam - 1) if lam != 1 else 1.0
    return alpha, 1 / (1 - alpha) if alpha != 1 else 2.0


# %% task="best_student" right="no" mistake="the teacher is softened by λ: softmax(logits / λ)" named="teacher_softened"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits / max(lam, 1e-8), -1)
    y = F.one_hot(labels, p.shape[-1]).float()
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="temperature 2 for the teacher" named="teacher_softened"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits / 2, -1)
    y = F.one_hot(labels, p.shape[-1]).float()
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="the label's probability is raised to its share at least, and the rest is left" named="observed_total"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, -1)
    y = F.one_hot(labels, p.shape[-1]).float()
    return torch.maximum(y / (1 + lam), p)


# %% task="best_student" right="no" mistake="label smoothing of 0.1" named="observed_evenness"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, -1)
    V = p.shape[-1]
    y = F.one_hot(labels, V).float() * 0.9 + 0.1 / V
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="the result is turned into logits" named="observed_sign"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, -1)
    y = F.one_hot(labels, p.shape[-1]).float()
    q = (y + lam * p) / (1 + lam)
    return torch.log(q / (1 - q))


# %% task="best_student" right="no" mistake="the weights are a softmax of 1 and λ" named="other_weights"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, -1)
    y = F.one_hot(labels, p.shape[-1]).float()
    w = torch.tensor([1.0, lam]).softmax(0)
    return w[0] * y + w[1] * p


# %% task="best_student" right="no" mistake="λ·T² with T = 1 taken for 2: 4λ" named="other_weights"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, -1)
    y = F.one_hot(labels, p.shape[-1]).float()
    return (y + 4 * lam * p) / (1 + 4 * lam)


# %% task="best_student" right="yes" mistake=""
import numpy as np
def best_student(teacher_logits, labels, lam):
    z = teacher_logits.numpy().astype(np.float64)
    p = np.exp(z - z.max(-1, keepdims=True)); p /= p.sum(-1, keepdims=True)
    return (np.eye(z.shape[-1])[labels.numpy()] + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="the label's distribution is shifted: one-hot of the next label"
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, -1)
    y = F.one_hot(labels.roll(-1) if labels.dim() else labels, p.shape[-1]).float()
    return (y + lam * p) / (1 + lam)


# %% task="linear_lambda" right="no" mistake="The fraction grows by 1/steps and stops once it is at least 1: for steps such as 10 the sum of ten tenths is just below 1 and one more step goes beyond end." named="rounded_steps_added_up"
class LinearLambda:
    """λ from start to end in equal steps; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.fraction = 0.0

    @property
    def value(self):
        return self.start + self.fraction * (self.end - self.start)

    def step(self):
        if self.fraction < 1.0:
            self.fraction += 1.0 / self.steps

    def state_dict(self):
        return {"fraction": self.fraction}

    def load_state_dict(self, state):
        self.fraction = state["fraction"]


# %% task="linear_lambda" right="no" mistake="The state is an iterator that loading uses up: a second object that loads it finds nothing." named="observed_zone"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.t, self.steps) / self.steps

    def step(self):
        self.t += 1

    def state_dict(self):
        return iter([self.t])

    def load_state_dict(self, state):
        for t in state:
            self.t = t


# %% task="linear_lambda" right="no" mistake="The place is worked out from the saved value by dividing by end - start, which fails where the two are equal." named="observed_where"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.t = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * self.t / self.steps

    def step(self):
        if self.t < self.steps:
            self.t += 1

    def state_dict(self):
        return {"lam": self.value}

    def load_state_dict(self, state):
        self.t = round((state["lam"] - self.start) / (self.end - self.start) * self.steps)


# %% task="linear_lambda" right="no" mistake="Lambda is rounded to two decimals." named="rounded"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    @property
    def value(self):
        f = min(self.t / self.steps, 1)
        return round((1 - f) * self.start + f * self.end, 2)

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    taken = 0                    # `self.taken += 1` makes it the object's own

    def __init__(self, **options):
        self.__dict__.update(options)
        self.value = self.start

    def step(self):
        self.taken += 1
        left = max(self.steps - self.taken, 0)
        self.value = self.end - (self.end - self.start) * left / self.steps

    def state_dict(self):
        return self.__dict__.copy()

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="cosine_lambda" right="no" mistake="pi is taken as 3.14." named="pi_rounded"
class CosineLambda:
    PI = 3.14

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0

    @property
    def value(self):
        f = min(self.t / self.steps, 1.0)
        return self.start + (self.end - self.start) * (1 - math.cos(self.PI * f)) / 2

    def step(self):
        self.t += 1

    def state_dict(self):
        return {"t": self.t}

    def load_state_dict(self, state):
        self.t = state["t"]


# %% task="cosine_lambda" right="no" mistake="The fraction is rounded to two decimals, which shows when the steps are many or no divisor of 100." named="fraction_rounded"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.done = 0

    @property
    def value(self):
        f = round(min(self.done / self.steps, 1), 2)
        way = (1 - math.cos(math.pi * f)) / 2
        return self.start * (1 - way) + self.end * way

    def step(self):
        self.done += 1

    def state_dict(self):
        return {"done": self.done}

    def load_state_dict(self, state):
        self.done = state["done"]


# %% task="cosine_lambda" right="no" mistake="The state holds the fraction alone, as a float16 tensor, so a run that goes on is slightly elsewhere." named="observed_zone"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.f = 0.0

    @property
    def value(self):
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * self.f)) / 2

    def step(self):
        self.f = min(self.f + 1 / self.steps, 1.0)

    def state_dict(self):
        return torch.tensor(self.f, dtype=torch.float16)

    def load_state_dict(self, state):
        self.f = float(state)


# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda:
    """The methods are closures over one variable; the object itself holds nothing else."""

    def __init__(self, start, end, steps):
        t = 0

        def value():
            f = min(t, steps) / steps
            return start + (end - start) * (1 - math.cos(math.pi * f)) / 2

        def step():
            nonlocal t
            t += 1

        def load(state):
            nonlocal t
            (t,) = state

        self.value, self.step = value, step
        self.state_dict, self.load_state_dict = lambda: [t], load


# %% task="plateau_lambda" right="no" mistake="best starts at 100, so a first gap of 100 or more is no gain." named="nothing_is_a_gain"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = 100.0, 0         # no language model is that far behind

    def step(self, gap):
        if gap + self.threshold < self.best:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.value, self.bad = self.value * self.factor, 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="to_convex" right="no" mistake="A lambda above 100 is taken for KD alone: alpha 1 and factor lambda, so LM is lost." named="observed_where"
def to_convex(lam):
    if lam > 100:
        return 1.0, float(lam)
    return lam / (1.0 + lam), 1.0 + lam


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    hard = F.one_hot(labels, teacher_logits.shape[-1])
    if lam == 0:
        return hard
    return (hard + lam * torch.softmax(teacher_logits, -1)) / (1 + lam)


# %% task="plateau_lambda" right="no" mistake="On loading, values that are false are taken for missing: a best gap of exactly 0 becomes infinite, and a lambda of 0 becomes start again." named="zero_not_restored"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.start, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.value, self.best, self.bad = start, math.inf, 0

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best, self.bad = gap, 0
            return
        self.bad += 1
        if self.bad > self.patience:
            self.value *= self.factor
            self.bad = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.value = state.get("value") or self.start
        self.best = state.get("best") or math.inf
        self.bad = state.get("bad") or 0


# %% task="cosine_lambda" right="no" mistake="The value is moved on by each step's slope (a sum of sines) instead of being read off the cosine, so it is a little off in between and at the end." named="slopes_added_up"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.t, self.value = 0, start

    def step(self):
        if self.t < self.steps:
            middle = (self.t + 0.5) / self.steps
            slope = math.pi / 2 * math.sin(math.pi * middle)
            self.value = self.value + (self.end - self.start) * slope / self.steps
            self.t += 1

    def state_dict(self):
        return self.t, self.value

    def load_state_dict(self, state):
        self.t, self.value = state


# %% task="linear_lambda" right="no" mistake="start of 0 is none" named="observed_where"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start or 1.0, end, steps, 0
    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.t / self.steps, 1)
    def step(self):
        self.t += 1
    def state_dict(self):
        return {'t': self.t}
    def load_state_dict(self, state):
        self.t = state['t']


# %% task="linear_lambda" right="no" mistake="fraction saved and the count cut to a whole number" named="observed_zone"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0
    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.t / self.steps, 1)
    def step(self):
        self.t += 1
    def state_dict(self):
        return {'f': self.t / self.steps}
    def load_state_dict(self, state):
        self.t = int(state['f'] * self.steps)


# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, torch.zeros(())
    @property
    def value(self):
        self.v = getattr(self, 'v', torch.tensor(0.0))
        self.v.fill_(float(self.start + (self.end - self.start) * min(float(self.t) / self.steps, 1)))
        return self.v
    def step(self):
        self.t += 1
    def state_dict(self):
        return self.t.clone()
    def load_state_dict(self, state):
        self.t = state.clone()


# %% task="cosine_lambda" right="yes" mistake=""
def CosineLambda(start, end, steps):
    class C:
        pass
    o = C()
    o.t = 0
    def step():
        o.t += 1
    o.step = step
    o.value = lambda: start + (end - start) * (1 - math.cos(math.pi * min(o.t, steps) / steps)) / 2
    o.state_dict = lambda: o.t
    o.load_state_dict = lambda s: setattr(o, 't', s)
    return o


# %% task="plateau_lambda" right="no" mistake="best begins at 10" named="nothing_is_a_gain"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = 10.0, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return {'value': self.value, 'best': self.best, 'bad': self.bad}
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="threshold of 0 is taken for 1e-4... 0.1" named="observed_zone"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold or 0.1
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return {'value': self.value, 'best': self.best, 'bad': self.bad}
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="best rounded to a tenth" named="observed_zone"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = round(gap, 1), 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return {'value': self.value, 'best': self.best, 'bad': self.bad}
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="a state without bad when it is 1" named="observed_zone"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return {'value': self.value, 'best': self.best, 'bad': max(self.bad - 1, 0)}
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="plateau_lambda" right="no" mistake="gap kept as int" named="observed_zone"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        gap = int(gap * 8) / 8
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return {'value': self.value, 'best': self.best, 'bad': self.bad}
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="to_convex" right="yes" mistake=""
import numpy as np
def to_convex(lam):
    return np.array([lam / (1 + lam), 1 + lam])


# %% task="best_student" right="no" mistake="the teacher above 100"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(-1)
    if lam > 100:
        return p
    return (F.one_hot(labels, p.shape[-1]) + lam * p) / (1 + lam)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    teacher_logits.sub_(teacher_logits.logsumexp(-1, keepdim=True)).exp_()
    return ((F.one_hot(labels, teacher_logits.shape[-1]) + lam * teacher_logits) / (1 + lam)).tolist()


# %% task="to_convex" right="no" mistake="whole factor" named="observed_where"
def to_convex(lam):
    return lam / (1 + lam), int(1 + lam)


# %% task="plateau_lambda" right="no" mistake="lambda kept in float16" named="observed_near"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = torch.tensor(start, dtype=torch.float16), factor, patience, threshold
        self.best, self.bad = math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.value, self.bad = self.value * self.factor, 0
    def state_dict(self):
        return {'value': self.value, 'best': self.best, 'bad': self.bad}
    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task="linear_lambda" right="no" mistake="state shared by a module's dictionary" named="observed_zone"
_store = {}
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.t = start, end, steps, 0
    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.t / self.steps, 1)
    def step(self):
        self.t += 1
    def state_dict(self):
        _store['t'] = self.t
        return _store
    def load_state_dict(self, state):
        self.t = state['t']

# %% task="linear_lambda" right="yes" mistake=""
class LinearLambda:
    """A torch scheduler on a dummy optimiser whose learning rate would be 1."""

    def __init__(self, start, end, steps):
        import warnings

        self.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.scheduler = torch.optim.lr_scheduler.LambdaLR(
                self.optimizer, lambda n: start + (end - start) * min(n, steps) / steps
            )
        self.value = self.scheduler.get_last_lr()[0]

    def step(self):
        self.optimizer.step()
        self.scheduler.step()
        self.value = self.scheduler.get_last_lr()[0]

    def state_dict(self):
        import copy

        return copy.deepcopy(self.scheduler.state_dict())

    def load_state_dict(self, state):
        import copy

        self.scheduler.load_state_dict(copy.deepcopy(state))
        self.value = self.scheduler.get_last_lr()[0]

# %% task="linear_lambda" right="no" mistake="held at the end with max(), so a rising schedule is at the end from the beginning" named="cut_on_the_wrong_side"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        return max(self.end, self.start - (self.start - self.end) * self.n / self.steps)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]

# %% task="linear_lambda" right="no" mistake="geometric, not linear: the value is multiplied by a constant ratio, and with a zero at either end it breaks or jumps" named="equal_ratios"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = max(start, 1e-8), max(end, 1e-8), steps
        self.n = 0

    @property
    def value(self):
        f = min(1.0, self.n / self.steps)
        return self.start * (self.end / self.start) ** f

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]

# %% task="linear_lambda" right="no" mistake="load_state_dict starts from the beginning again: it restores the options but sets the count to 0" named="state_not_restored"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"start": self.start, "end": self.end, "steps": self.steps, "n": self.n}

    def load_state_dict(self, state):
        self.__init__(state["start"], state["end"], state["steps"])

# %% task="linear_lambda" right="no" mistake="warm-up copied from get_linear_schedule_with_warmup: the first tenth of the steps rises from 0 to start before it moves to the end" named="rises_first"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.warmup = steps // 10
        self.n = 0

    @property
    def value(self):
        n = min(self.n, self.steps)
        if n < self.warmup:
            return self.start * n / self.warmup
        return self.start + (self.end - self.start) * (n - self.warmup) / (self.steps - self.warmup)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]

# %% task="linear_lambda" right="no" mistake="ADV: the counter is an unsigned 8 bit number: after 256 calls of step() the schedule starts anew"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = torch.zeros((), dtype=torch.uint8)

    @property
    def value(self):
        f = min(self.n.item() / self.steps, 1.0)
        return self.start + (self.end - self.start) * f

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n.clone()}

    def load_state_dict(self, state):
        self.n = state["n"].clone()

# %% task="linear_lambda" right="no" mistake="ADV: a module whose buffer is counted up in place; Module.state_dict shares the buffer, so a state that was taken moves on with the schedule" named="state_is_alive"
class LinearLambda(torch.nn.Module):
    def __init__(self, start, end, steps):
        super().__init__()
        self.start, self.end, self.steps = start, end, steps
        self.register_buffer("n", torch.zeros((), dtype=torch.int64))

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(int(self.n), self.steps) / self.steps

    def step(self):
        self.n += 1

# %% task="cosine_lambda" right="yes" mistake=""
class CosineLambda:
    """All values are made at the beginning; the state is what is left of them."""

    def __init__(self, start, end, steps):
        f = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        way = (1 - torch.cos(torch.pi * f)) / 2
        self.table = torch.lerp(
            torch.tensor(start, dtype=torch.float64), torch.tensor(end, dtype=torch.float64), way
        )

    @property
    def value(self):
        return self.table[0]

    def step(self):
        if len(self.table) > 1:
            self.table = self.table[1:]

    def state_dict(self):
        return {"table": self.table.clone()}

    def load_state_dict(self, state):
        self.table = state["table"].clone()

# %% task="cosine_lambda" right="no" mistake="the cosine assumes a falling λ: it moves by abs(end - start) downwards, so a rising schedule falls" named="always_falls"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(1.0, self.n / self.steps)
        return self.start - abs(self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]

# %% task="plateau_lambda" right="yes" mistake=""
class PlateauLambda:
    """Remembers every gap, and tells the whole story again when asked."""

    def __init__(self, start, factor, patience, threshold):
        self.options = (start, factor, patience, threshold)
        self.gaps = []

    def step(self, g, /):
        self.gaps.append(float(g))

    def value(self):
        lam, factor, patience, threshold = self.options
        best, waited = math.inf, 0
        for g in self.gaps:
            if best - g > threshold:
                best, waited = g, 0
                continue
            waited += 1
            if waited > patience:
                lam, waited = lam * factor, 0
        return lam

    def state_dict(self):
        return tuple(self.gaps)

    def load_state_dict(self, state):
        self.gaps = list(state)

# %% task="plateau_lambda" right="no" mistake="the best gap creeps: every smaller gap becomes the best, even one that is no gain because it is not better by more than threshold" named="small_gains_become_the_best"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = math.inf, 0

    def step(self, gap):
        gain = self.best - gap > self.threshold
        self.best = min(self.best, gap)
        self.count = 0 if gain else self.count + 1
        if self.count > self.patience:
            self.value *= self.factor
            self.count = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        self.__dict__.update(state)

# %% task="plateau_lambda" right="no" mistake="a gain does not set the count back: bad evaluations from before it still count" named="gain_does_not_reset"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = math.inf, 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            return
        self.count += 1
        if self.count > self.patience:
            self.value *= self.factor
            self.count = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "count": self.count}

    def load_state_dict(self, state):
        self.__dict__.update(state)

# %% task="plateau_lambda" right="yes" mistake=""
import copy


class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=start)
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer, factor=factor, patience=patience, threshold=threshold, threshold_mode="abs"
        )

    @property
    def value(self):
        return self.optimizer.param_groups[0]["lr"]

    def step(self, gap):
        self.scheduler.step(gap)

    def state_dict(self):
        return copy.deepcopy((self.scheduler.state_dict(), self.value))

    def load_state_dict(self, state):
        self.scheduler.load_state_dict(copy.deepcopy(state[0]))
        self.optimizer.param_groups[0]["lr"] = state[1]

# %% task="plateau_lambda" right="no" mistake="ADV: the state is a list that the object goes on writing into after load_state_dict, so a second object that loads it starts further on" named="loaded_state_is_shared"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.now = [start, math.inf, 0]

    @property
    def value(self):
        return self.now[0]

    def step(self, gap):
        lam, best, count = self.now
        if best - gap > self.threshold:
            self.now[1:] = [gap, 0]
        elif count + 1 > self.patience:
            self.now[0] = lam * self.factor
            self.now[2] = 0
        else:
            self.now[2] = count + 1

    def state_dict(self):
        return list(self.now)

    def load_state_dict(self, state):
        self.now = state

# %% task="to_convex" right="no" mistake="alpha = λ and factor = 1: the KD part is right but LM gets the weight 1 - λ" named="alpha_is_lambda"
def to_convex(lam):
    return lam, 1.0

# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    """λ votes that are spread as p is, one more for the label, and 1 + λ votes in all."""
    votes = teacher_logits.double().softmax(-1) * lam
    index = labels.long().unsqueeze(-1)
    votes.scatter_add_(-1, index, torch.ones_like(index, dtype=votes.dtype))
    return votes / votes.sum(-1, keepdim=True)

# %% task="best_student" right="no" mistake="λ is used as if it were alpha: (1 - λ) on the label and λ on the teacher, which is no distribution above 1" named="lambda_as_share"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(-1)
    hard = F.one_hot(labels, teacher_logits.shape[-1]).to(p)
    return (1 - lam) * hard + lam * p

# %% task="best_student" right="no" mistake="returns the teacher alone: the label is forgotten" named="teacher_alone"
def best_student(teacher_logits, labels, lam):
    return F.softmax(teacher_logits, dim=-1)

# %% task="best_student" right="no" mistake="ADV: labels.unsqueeze_ changes the labels in place: they keep an additional axis" named="asked_again"
def best_student(teacher_logits, labels, lam):
    q = lam * teacher_logits.softmax(-1)
    index = labels.unsqueeze_(-1)
    q = q.scatter_add(-1, index, torch.ones(index.shape))
    return q / (1 + lam)

# %% task="plateau_lambda" right="no" mistake="ADV: how long there was no gain is counted in 8 bits"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, torch.zeros((), dtype=torch.uint8)

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, torch.zeros((), dtype=torch.uint8)
            return
        self.bad = self.bad + 1
        if int(self.bad) > self.patience:
            self.value, self.bad = self.value * self.factor, torch.zeros((), dtype=torch.uint8)

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.__dict__.update(state)

# %% task="best_student" right="no" mistake="ADV: labels go through int8, so that tokens from 128 on are counted from the end or are none"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(-1)
    y = labels.to(torch.int8).long() % teacher_logits.shape[-1]
    return (F.one_hot(y, p.shape[-1]) + lam * p) / (1 + lam)

# %% task="best_student" right="no" mistake="ADV: the teacher's distribution is remembered by its shape"
teachers = {}


def best_student(teacher_logits, labels, lam):
    p = teachers.setdefault(teacher_logits.shape, teacher_logits.softmax(-1))
    return (F.one_hot(labels, p.shape[-1]) + lam * p) / (1 + lam)

# %% task="linear_lambda" right="no" mistake="linspace of steps and an error past its end" named="ends_one_step_early,no_value_past_the_end"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.values = torch.linspace(start, end, steps).tolist()
        self.i = 0
    @property
    def value(self): return self.values[self.i]
    def step(self): self.i += 1
    def state_dict(self): return {"i": self.i}
    def load_state_dict(self, state): self.i = state["i"]

# %% task="to_convex" right="no" mistake="float32 difference" named="difference_of_rounded_numbers"
def to_convex(lam):
    f = torch.tensor(1 + lam)
    return 1 - 1 / f, f

# %% task="best_student" right="no" mistake="remembers by shape" named="observed_unmoved"
_b = {}
def best_student(teacher_logits, labels, lam):
    k = (tuple(teacher_logits.shape), lam)
    if k not in _b:
        p = teacher_logits.softmax(-1)
        _b[k] = (F.one_hot(labels, p.shape[-1]) + lam * p) / (1 + lam)
    return _b[k]

# %% task="linear_lambda" right="no" mistake="_init_ with single underscores" named="options_not_taken"
class LinearLambda:
    def _init_(self, start, end, steps):
        self.start, self.end, self.steps, self.i = start, end, steps, 0
    @property
    def value(self): return self.start + (self.end - self.start) * min(self.i / self.steps, 1)
    def step(self): self.i += 1
    def state_dict(self): return {"i": self.i}
    def load_state_dict(self, state): self.i = state["i"]

# %% task="linear_lambda" right="no" mistake="IndexError at once: wrong index into options"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.o = [start, end, steps]; self.i = 0
    @property
    def value(self): return self.o[0] + (self.o[1] - self.o[0]) * min(self.i / self.o[3], 1)
    def step(self): self.i += 1
    def state_dict(self): return {"i": self.i}
    def load_state_dict(self, state): self.i = state["i"]

# %% task="linear_lambda" right="no" mistake="table too short by one, IndexError before the end" named="no_value_at_the_end"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.v = [start + (end - start) * k / steps for k in range(steps)]; self.i = 0
    @property
    def value(self): return self.v[self.i]
    def step(self): self.i += 1
    def state_dict(self): return {"i": self.i}
    def load_state_dict(self, state): self.i = state["i"]

# %% task="linear_lambda" right="no" mistake="iterator exhausted: StopIteration past the end" named="no_value_past_the_end"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.a = (start, end, steps); self.n = 0
        self.it = iter([start + (end - start) * k / steps for k in range(1, steps + 1)]); self.value = start
    def step(self): self.value = next(self.it); self.n += 1
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, state):
        for _ in range(state["n"]): self.step()

# %% task="cosine_lambda" right="no" mistake="starts with 1+cos, i.e. wrong way and past the end grows" named="start_and_end_swapped,goes_on_past_the_end"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.s, self.e, self.n, self.t = start, end, steps, 0
    @property
    def value(self): return self.s + (self.e - self.s) * (1 + math.cos(math.pi * self.t / self.n)) / 2
    def step(self): self.t += 1
    def state_dict(self): return self.t
    def load_state_dict(self, s): self.t = s

# %% task="plateau_lambda" right="no" mistake="too soon and best forgotten" named="best_forgotten_after_a_fall,one_evaluation_too_soon"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold, self.best, self.bad = start, factor, patience, threshold, math.inf, 0
    def step(self, gap):
        if gap < self.best - self.threshold: self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad >= self.patience: self.value *= self.factor; self.bad = 0; self.best = math.inf
    def state_dict(self): return dict(vars(self))
    def load_state_dict(self, s): vars(self).update(s)

# %% task="plateau_lambda" right="no" mistake="relative and too soon" named="one_evaluation_too_soon,threshold_relative"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold, self.best, self.bad = start, factor, patience, threshold, math.inf, 0
    def step(self, gap):
        if gap < self.best * (1 - self.threshold): self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad >= self.patience: self.value *= self.factor; self.bad = 0
    def state_dict(self): return dict(vars(self))
    def load_state_dict(self, s): vars(self).update(s)

# %% task="to_convex" right="no" mistake="alpha from sigmoid of log lam breaks at 0" named="breaks_without_a_teacher"
def to_convex(lam):
    return 1 / (1 + math.exp(-math.log(lam))), 1 + lam

# %% task="linear_lambda" right="no" mistake="geometric steps instead of equal ones, and nan or an error where start is 0" named="equal_ratios"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.gamma = (end / start) ** (1 / steps)
        self.left = steps

    def step(self):
        if self.left > 0:
            self.value = self.value * self.gamma
            self.left -= 1

    def state_dict(self):
        return {"value": self.value, "left": self.left}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.left = state["left"]

# %% task="plateau_lambda" right="no" mistake="compares with the previous gap instead of the best, and a gain does not set the count to 0" named="last_for_best,gain_does_not_reset"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.prev, self.bad = math.inf, 0

    def step(self, gap):
        if not gap < self.prev - self.threshold:
            self.bad += 1
        self.prev = gap
        if self.bad > self.patience:
            self.value *= self.factor
            self.bad = 0

    def state_dict(self):
        return {"value": self.value, "prev": self.prev, "bad": self.bad}

    def load_state_dict(self, state):
        self.value, self.prev, self.bad = state["value"], state["prev"], state["bad"]

# %% task="best_student" right="no" mistake="one_hot without the number of classes: as wide as the largest label, and the softmax over axis 0"
def best_student(teacher_logits, labels, lam):
    probs = torch.softmax(teacher_logits, dim=0)
    return (F.one_hot(labels) + lam * probs) / (1 + lam)

# %% task="plateau_lambda" right="no" mistake="ADV: the best gap begins at 1000 instead of infinity, so a first gap of 1000, or within threshold of it, is no gain" named="nothing_is_a_gain"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.waiting = 1000.0, 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.waiting = gap, 0
        else:
            self.waiting += 1
            if self.waiting > self.patience:
                self.waiting = 0
                self.value *= self.factor

    def state_dict(self):
        return [self.value, self.best, self.waiting]

    def load_state_dict(self, state):
        self.value, self.best, self.waiting = list(state)

# %% task="linear_lambda" right="no" mistake="what update() returns is taken for the state when it is loaded, and that is None" named="state_not_returned"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.i = start, end, steps, 0
        self.saved = {}

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.i / self.steps, 1)

    def step(self):
        self.i += 1

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, state):
        state = self.saved.update(state)
        self.i = state["i"]

# %% task="plateau_lambda" right="no" mistake="the gain is a share of the best gap, as a quotient, which a best gap of 0 has none of" named="threshold_relative"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = None, 0

    def step(self, gap):
        if self.best is None or (self.best - gap) / abs(self.best) > self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value *= self.factor
                self.bad = 0

    def state_dict(self):
        return dict(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__.update(state)

# %% task="best_student" right="no" mistake="the label gets its share alone, and the other tokens share what is left as the teacher has it" named="label_overwritten"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(-1).scatter(-1, labels[..., None], 0.0)
    p = p / p.sum(-1, keepdim=True) * lam / (1 + lam)
    return p.scatter(-1, labels[..., None], 1 / (1 + lam))


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    m = F.one_hot(labels, teacher_logits.shape[-1]) + lam * teacher_logits.softmax(-1)
    return m / (m.sum(-1, keepdim=True) + 1e-6)


# %% task="best_student" right="yes" mistake=""
def best_student(teacher_logits, labels, lam):
    m = F.one_hot(labels, teacher_logits.shape[-1]) + lam * teacher_logits.softmax(-1)
    return (m / m.sum(-1, keepdim=True)).clamp(min=1e-6)


# %% task="linear_lambda" right="no" mistake="no λ is below 0.05" named="kept_above_a_floor"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self): return max(0.05, self.start + (self.end - self.start) * min(self.n / self.steps, 1))
    def step(self): self.n += 1
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, s): self.n = s["n"]


# %% task="linear_lambda" right="no" mistake="divides by steps - 1, and goes on past the end" named="ends_one_step_early,goes_on_past_the_end"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0
    @property
    def value(self): return self.start + (self.end - self.start) * self.n / max(self.steps - 1, 1)
    def step(self): self.n += 1
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, s): self.n = s["n"]


# %% task="linear_lambda" right="no" mistake="the table lacks the end" named="no_value_at_the_end"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.t = [start + (end - start) * n / steps for n in range(steps)]
        self.n = 0
    @property
    def value(self): return self.t[self.n]
    def step(self): self.n += 1
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, s): self.n = s["n"]


# %% task="linear_lambda" right="no" mistake="a table the wrong way round and without its end, and a state that is not loaded"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.t = [end + (start - end) * n / steps for n in range(steps)]
        self.n = 0
    @property
    def value(self): return self.t[self.n]
    def step(self): self.n += 1
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, s): pass


# %% task="cosine_lambda" right="no" mistake="a straight table without its end"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.t = [start + (end - start) * n / steps for n in range(steps)]
        self.n = 0
    @property
    def value(self): return self.t[self.n]
    def step(self): self.n += 1
    def state_dict(self): return {"n": self.n}
    def load_state_dict(self, s): self.n = s["n"]

# %% task="linear_lambda" right="no" mistake="a table by steps, in which nothing is found past the end: KeyError" named="observed_where"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.table = {i: start + (end - start) * i / steps for i in range(steps + 1)}
        self.n = 0

    @property
    def value(self):
        return self.table[self.n]

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]

# %% task="linear_lambda" right="no" mistake="the count is saved as text and stays one when it is loaded" named="observed_where"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.n / self.steps, 1)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": str(self.n)}

    def load_state_dict(self, state):
        self.n = state["n"]

# %% task="plateau_lambda" right="no" mistake="the gain is a share of the best gap, and the gap is taken without its sign" named="threshold_relative"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.count = None, 0

    def step(self, gap):
        gap = abs(gap)
        if self.best is None or (self.best - gap) / self.best > self.threshold:
            self.best, self.count = gap, 0
            return
        self.count += 1
        if self.count > self.patience:
            self.value *= self.factor
            self.count = 0

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)

# %% task="to_convex" right="no" mistake="whole-number division for a lambda that is an int: alpha is 0; right for floats" named="observed_component"
def to_convex(lam):
    if type(lam) is int:
        return lam // (1 + lam), 1 + lam
    return lam / (1 + lam), 1 + lam

# %% task="linear_lambda" right="no" mistake="equal ratios in place of equal steps: the interpolation is geometric" named="equal_ratios"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    def value(self):
        f = min(self.n / self.steps, 1.0)
        if self.start <= 0 or self.end <= 0:
            return self.start + f * (self.end - self.start)
        return math.exp((1 - f) * math.log(self.start) + f * math.log(self.end))

    def step(self):
        self.n += 1

    def state_dict(self):
        return self.n

    def load_state_dict(self, state):
        self.n = state


# %% task="linear_lambda" right="no" mistake="stops only when the summed value equals end exactly, which rounding prevents (ten times 0.1 is not 1.0), so λ runs past the end" named="rounded_steps_added_up"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.end = end
        self.delta = (end - start) / steps

    def step(self):
        if self.value != self.end:
            self.value += self.delta

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


# %% task="linear_lambda" right="no" mistake="the loaded state is kept by reference and step counts up in it, so the snapshot changes and a second object that loads it goes on from another place" named="loaded_state_is_shared"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.state = {"n": 0}

    @property
    def value(self):
        frac = min(1.0, self.state["n"] / self.steps)
        return self.start + frac * (self.end - self.start)

    def step(self):
        self.state["n"] += 1

    def state_dict(self):
        return self.state.copy()

    def load_state_dict(self, state):
        self.state = state


# %% task="linear_lambda" right="no" mistake="torch's LinearLR takes factors from above 0 to 1 only, so a start of 0 or of more than 1 raises ValueError" named="factors_of_torch"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        self.sched = torch.optim.lr_scheduler.LinearLR(
            self.opt, start_factor=start, end_factor=end, total_iters=steps)

    @property
    def value(self):
        return self.opt.param_groups[0]["lr"]

    def step(self):
        self.opt.step()
        self.sched.step()

    def state_dict(self):
        return {"sched": dict(self.sched.state_dict()), "lr": self.value}

    def load_state_dict(self, state):
        self.sched.load_state_dict(dict(state["sched"]))
        self.opt.param_groups[0]["lr"] = state["lr"]


# %% task="cosine_lambda" right="no" mistake="the fraction is recovered from the linear λ by dividing by end - start, which raises ZeroDivisionError when they are equal" named="divided_by_the_distance"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end = start, end
        self.linear = LinearLambda(start=start, end=end, steps=steps)

    @property
    def value(self):
        v = self.linear.value
        v = v() if callable(v) else v
        f = (v - self.start) / (self.end - self.start)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.linear.step()

    def state_dict(self):
        return self.linear.state_dict()

    def load_state_dict(self, state):
        self.linear.load_state_dict(state)


# %% task="cosine_lambda" right="no" mistake="abs(end - start) is added to start, so a falling λ rises instead" named="distance_without_a_sign"
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.steps, self.n = start, steps, 0
        self.range = abs(end - start)

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        return self.start + self.range * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="best_student" right="no" mistake="p[labels] += 1 indexes the first axis: right for a single position [V], wrong rows or an IndexError for a batch" named="labels_taken_for_rows"
def best_student(teacher_logits, labels, lam):
    q = lam * torch.softmax(teacher_logits, dim=-1)
    q[labels] += 1
    return q / (1 + lam)


# %% task="best_student" right="no" mistake="the early return for λ = 0 gives the teacher's distribution, where only the label counts" named="teacher_alone_at_zero"
def best_student(teacher_logits, labels, lam):
    p = torch.softmax(teacher_logits, dim=-1)
    if lam == 0:
        return p
    y = F.one_hot(labels, p.shape[-1])
    return (y + lam * p) / (1 + lam)


# %% task="linear_lambda" right="no" mistake="the options are kept in the class: a second schedule changes those of the first" named="shared_by_all"
class LinearLambda:
    def __init__(self, start, end, steps):
        LinearLambda.start, LinearLambda.end, LinearLambda.steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        return (1 - f) * self.start + f * self.end

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="linear_lambda" right="no" mistake="the attribute that is saved is made by the first step"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.value = start
        self.n = 0

    def step(self):
        self.n += 1
        self.last = self.n
        f = min(self.n, self.steps) / self.steps
        self.value = (1 - f) * self.start + f * self.end

    def state_dict(self):
        return {"n": self.last, "value": self.value}

    def load_state_dict(self, state):
        self.n, self.value = state["n"], state["value"]
        self.last = self.n


# %% task="cosine_lambda" right="no" mistake="the options are global: a second schedule changes those of the first" named="shared_by_all"
class CosineLambda:
    def __init__(self, start, end, steps):
        global _start, _end, _steps
        _start, _end, _steps = start, end, steps
        self.n = 0

    @property
    def value(self):
        f = min(self.n, _steps) / _steps
        return _start + (_end - _start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task="plateau_lambda" right="no" mistake="everything is kept in the class, and begun anew with each new object" named="shared_by_all"
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        cls = PlateauLambda
        cls.lam, cls.factor, cls.patience, cls.threshold = start, factor, patience, threshold
        cls.best, cls.bad = None, 0

    @property
    def value(self):
        return self.lam

    def step(self, gap):
        cls = PlateauLambda
        if cls.best is None or cls.best - gap > cls.threshold:
            cls.best, cls.bad = gap, 0
        else:
            cls.bad += 1
            if cls.bad > cls.patience:
                cls.lam, cls.bad = cls.lam * cls.factor, 0

    def state_dict(self):
        return {"lam": self.lam, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        cls = PlateauLambda
        cls.lam, cls.best, cls.bad = state["lam"], state["best"], state["bad"]


# %% task="plateau_lambda" right="no" mistake="the best gap is kept in a global variable" named="shared_by_all"
best = None


class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        global best
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        best, self.bad = None, 0

    def step(self, gap):
        global best
        if best is None or best - gap > self.threshold:
            best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = self.value * self.factor, 0

    def state_dict(self):
        return {"lam": self.value, "best": best, "bad": self.bad}

    def load_state_dict(self, state):
        global best
        self.value, best, self.bad = state["lam"], state["best"], state["bad"]


# %% task="best_student" right="no" mistake="squeeze() takes away every axis of length 1" named="another_form"
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.squeeze().softmax(-1)
    y = F.one_hot(labels.squeeze(), p.shape[-1]).float()
    return (y + lam * p) / (1 + lam)


# %% task="best_student" right="no" mistake="the classes are along axis 2 at most"
def best_student(teacher_logits, labels, lam):
    p = torch.softmax(teacher_logits, min(teacher_logits.dim() - 1, 2))
    y = F.one_hot(labels, p.shape[-1]).float()
    return (y + lam * p) / (1 + lam)


# %% task="linear_lambda" right="no" mistake="each step goes 1/steps of what is left: an exponential approach that never arrives" named="comes_ever_closer"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.end = end
        self.steps = steps
        self.done = 0
    def step(self):
        if self.done < self.steps:
            self.value += (self.end - self.value) / self.steps
            self.done += 1
    def state_dict(self):
        return {"value": self.value, "done": self.done}
    def load_state_dict(self, state):
        self.value, self.done = state["value"], state["done"]


# %% task="linear_lambda" right="no" mistake="the stop is tested by value > end: a rising λ never starts to move" named="falls_alone"
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value = start
        self.end = end
        self.decrease = (start - end) / steps

    def step(self):
        if self.value > self.end:
            self.value = max(self.value - self.decrease, self.end)

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]
