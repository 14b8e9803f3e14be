from . import (
    batches,
    checkpoints,
    checks,
    config,
    data,
    devices,
    divergences,
    evaluation,
    fused,
    generation,
    heads,
    ingredients,
    models,
    modes,
    objective,
    paths,
    plots,
    pretrained,
    products,
    recipes,
    runs,
    saving,
    schedules,
    sweeps,
    teachers,
    topk,
    topk_file,
    trainer,
    widgets,
)
from .batches import collate
from .config import History, TrainConfig
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
from .ingredients import Ingredients, trained_teacher
from .models import (
    PRESETS,
    KeyValues,
    TinyGPT,
    TinyGPTConfig,
    count_parameters,
    every_nth_layer,
    logits_of,
)
from .objective import CombinedObjective, Objective, ObjectiveOutput
from .recipes import Recipe
from .runs import cache_teacher, distill, evaluate_run
from .saving import load_student
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
from .teachers import (
    AdaptersOffTeacher,
    LiveTeacher,
    Teacher,
    TopKTeacher,
    write_topk_store,
)
from .topk import TopK
from .trainer import DistillationTrainer

__version__: str

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
