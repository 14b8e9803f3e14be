"""Page 3.1: λ constant, planned, reacting, under a weak teacher; few labels under a strong one."""

from benchmarks.experiments.table_teacher import Student, run
from kdlab import Sweep

STEPS = 200
FALL = {"start": 4.0, "end": 0.0, "steps": STEPS}
WEAK = {
    "labels alone, λ = 0": Student(lam=0.0),
    "λ = 1 throughout": Student(lam=1.0),
    "λ = 4 throughout": Student(lam=4.0),
    "λ from 4 to 0": Student(schedule="linear", options=FALL),
    "exponential": Student(schedule="exponential", options=FALL | {"end": 0.01}),
    "plateau": Student(
        schedule="plateau",
        options={"start": 4.0, "factor": 0.3, "patience": 0, "threshold": 0.03},
    ),
    "ratio, share 0.3": Student(
        schedule="ratio", options={"share": 0.3, "start": 4.0, "maximum": 20.0}
    ),
}
FEW = {"blocks": 60, "counted": 1}
STRONG = {
    "few labels: λ = 4 throughout": Student(lam=4.0, **FEW),
    "few labels: λ from 4 to 0": Student(schedule="linear", options=FALL, **FEW),
}

SWEEP = Sweep("lambda_in_motion", WEAK | STRONG, seeds=5, run=run)
