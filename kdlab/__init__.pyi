from . import (
    data,
    divergences,
    evaluation,
    fused,
    generation,
    models,
    objective,
    plots,
    runs,
    schedules,
    sweeps,
    teachers,
    trainer,
    widgets,
)
from .data import Corpus, PackedDataset, load_corpus, train_tokenizer
from .divergences import (
    DIVERGENCES,
    forward_kl,
    jensen_shannon,
    reverse_kl,
    skew_forward_kl,
    skew_reverse_kl,
    total_variation,
)
from .evaluation import Calibration, Evaluation, evaluate, perplexity
from .fused import LinearCombinedObjective
from .generation import generate
from .models import (
    PRESETS,
    KeyValues,
    TinyGPT,
    TinyGPTConfig,
    count_parameters,
    every_nth_layer,
    logits_of,
)
from .objective import CombinedObjective, ObjectiveOutput
from .runs import (
    Bench,
    Recipe,
    cache_teacher,
    distill,
    evaluate_run,
    load_student,
    trained_teacher,
)
from .schedules import (
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
from .sweeps import Interval, Sweep, SweepResults
from .teachers import LiveTeacher, TopK, TopKTeacher, write_topk_store
from .trainer import DistillationTrainer, History, TrainConfig

__version__: str

__all__ = [
    "DIVERGENCES",
    "PRESETS",
    "Bench",
    "Calibration",
    "CombinedObjective",
    "ConstantLambda",
    "Corpus",
    "CosineLambda",
    "DistillationTrainer",
    "Evaluation",
    "ExponentialLambda",
    "History",
    "Interval",
    "KeyValues",
    "LambdaSchedule",
    "LinearCombinedObjective",
    "LinearLambda",
    "LiveTeacher",
    "ObjectiveOutput",
    "PackedDataset",
    "PlateauLambda",
    "RatioLambda",
    "Recipe",
    "Sweep",
    "SweepResults",
    "TinyGPT",
    "TinyGPTConfig",
    "TopK",
    "TopKTeacher",
    "TrainConfig",
    "WarmupStableDecayLambda",
    "cache_teacher",
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
