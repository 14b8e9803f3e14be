from . import (
    adapters,
    answers,
    arguments,
    batches,
    causality,
    chats,
    checkpoints,
    checks,
    chunks,
    closed_form,
    config,
    data,
    devices,
    divergences,
    evaluation,
    examples,
    files,
    fingerprints,
    folders,
    fused,
    generation,
    heads,
    ingredients,
    inputs,
    interrupts,
    json_lines,
    kernels,
    layers,
    metrics,
    models,
    modes,
    objective,
    optimizers,
    packing,
    paths,
    plots,
    pretrained,
    products,
    questions,
    recipes,
    records,
    runs,
    sampler,
    saving,
    schedules,
    served,
    shown,
    sweep_results,
    sweeps,
    tables,
    teachers,
    templates,
    tokens,
    topk,
    topk_file,
    trainer,
    widgets,
)
from .adapters import AdaptersOffTeacher
from .answers import (
    Answer,
    AnswerEvaluation,
    evaluate_answers,
    exact_match,
    write_answers,
)
from .batches import collate
from .chats import ChatDataset, ChatReport, train_chat_tokenizer
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
from .examples import Conversation, Examples, load_examples
from .fused import LinearCombinedObjective
from .generation import generate
from .ingredients import Ingredients, trained_teacher
from .layers import every_nth_layer
from .models import (
    PRESETS,
    KeyValues,
    TinyGPT,
    TinyGPTConfig,
    count_parameters,
    logits_of,
)
from .objective import CombinedObjective, Objective, ObjectiveOutput
from .packing import PackedRows
from .questions import pydocs_qa, reckoning
from .recipes import Recipe
from .runs import Chat, cache_teacher, distill, evaluate_run
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
from .served import ServedReport, write_served_store
from .sweep_results import Interval, SweepResults
from .sweeps import Sweep
from .teachers import (
    LiveTeacher,
    Teacher,
    TopKTeacher,
    write_topk_store,
)
from .templates import ChatTemplate
from .topk import TopK
from .trainer import DistillationTrainer

__version__: str

__all__ = [
    "DIVERGENCES",
    "PRESETS",
    "AdaptersOffTeacher",
    "Answer",
    "AnswerEvaluation",
    "Calibration",
    "Chat",
    "ChatDataset",
    "ChatReport",
    "ChatTemplate",
    "CombinedObjective",
    "ConstantLambda",
    "Conversation",
    "Corpus",
    "CosineLambda",
    "DistillationTrainer",
    "Evaluation",
    "Examples",
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
    "PackedRows",
    "PlateauLambda",
    "RatioLambda",
    "Recipe",
    "ServedReport",
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
    "evaluate_answers",
    "evaluate_run",
    "every_nth_layer",
    "exact_match",
    "forward_kl",
    "generate",
    "jensen_shannon",
    "load_corpus",
    "load_examples",
    "load_student",
    "logits_of",
    "make_schedule",
    "perplexity",
    "pydocs_qa",
    "reckoning",
    "reverse_kl",
    "skew_forward_kl",
    "skew_reverse_kl",
    "total_variation",
    "train_chat_tokenizer",
    "train_tokenizer",
    "trained_teacher",
    "write_answers",
    "write_served_store",
    "write_topk_store",
]
