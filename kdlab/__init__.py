"""kdlab: the combined training objective for knowledge distillation.

A student language model learns from a teacher's distribution and from the labels at once, by
minimising LM loss + λ·KD loss. ``__all__`` is the public API.
"""

from kdlab.batches import collate
from kdlab.config import History, TrainConfig
from kdlab.data import Corpus, PackedDataset, load_corpus, train_tokenizer
from kdlab.divergences import (
    DIVERGENCES,
    forward_kl,
    jensen_shannon,
    reverse_kl,
    skew_forward_kl,
    skew_reverse_kl,
    total_variation,
)
from kdlab.evaluate import Calibration, Evaluation, evaluate, perplexity
from kdlab.fused import LinearCombinedObjective
from kdlab.generation import generate
from kdlab.ingredients import Ingredients, trained_teacher
from kdlab.models import (
    PRESETS,
    KeyValues,
    TinyGPT,
    TinyGPTConfig,
    count_parameters,
    every_nth_layer,
    logits_of,
)
from kdlab.objective import CombinedObjective, Objective, ObjectiveOutput
from kdlab.recipes import Recipe
from kdlab.runs import cache_teacher, distill, evaluate_run
from kdlab.saving import load_student
from kdlab.schedules import (
    ConstantLambda,
    CosineLambda,
    ExponentialLambda,
    LambdaSchedule,
    LinearLambda,
    PlateauLambda,
    RatioLambda,
    WarmupStableDecayLambda,
    make_schedule,
)
from kdlab.sweeps import Interval, Sweep, SweepResults
from kdlab.teachers import (
    AdaptersOffTeacher,
    LiveTeacher,
    Teacher,
    TopKTeacher,
    write_topk_store,
)
from kdlab.topk import TopK
from kdlab.trainer import DistillationTrainer

__all__ = [
    "DIVERGENCES",
    "PRESETS",
    "AdaptersOffTeacher",
    "Calibration",
    "CombinedObjective",
    "ConstantLambda",
    "Corpus",
    "CosineLambda",
    "DistillationTrainer",
    "Evaluation",
    "ExponentialLambda",
    "History",
    "Ingredients",
    "Interval",
    "KeyValues",
    "LambdaSchedule",
    "LinearCombinedObjective",
    "LinearLambda",
    "LiveTeacher",
    "Objective",
    "ObjectiveOutput",
    "PackedDataset",
    "PlateauLambda",
    "RatioLambda",
    "Recipe",
    "Sweep",
    "SweepResults",
    "Teacher",
    "TinyGPT",
    "TinyGPTConfig",
    "TopK",
    "TopKTeacher",
    "TrainConfig",
    "WarmupStableDecayLambda",
    "cache_teacher",
    "collate",
    "count_parameters",
    "distill",
    "evaluate",
    "evaluate_run",
    "every_nth_layer",
    "forward_kl",
    "generate",
    "jensen_shannon",
    "load_corpus",
    "load_student",
    "logits_of",
    "make_schedule",
    "perplexity",
    "reverse_kl",
    "skew_forward_kl",
    "skew_reverse_kl",
    "total_variation",
    "train_tokenizer",
    "trained_teacher",
    "write_topk_store",
]
