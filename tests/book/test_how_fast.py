"""What the page "How fast, and why" says in words is what its recorded runs show."""

import inspect
import json
import re
from pathlib import Path
from statistics import median

import pytest

BOOK = Path(__file__).parents[2] / "book"
REFERENCE = "N = 2,048, every 7th ignored; V = 49,152; 1 thread"
NONE_IGNORED = "N = 2,048, none ignored; V = 49,152; 1 thread"
FEW = "N = 256, every 7th ignored; V = 49,152; 1 thread"
PEERS = ("pytorch", "liger", "trl_dense", "trl_chunked", "orda")


@pytest.fixture(scope="module")
def recorded() -> dict:
    return json.loads((BOOK / "reference/results/how_fast.json").read_text(encoding="utf8"))


@pytest.fixture(scope="module")
def text() -> str:
    return (BOOK / "reference/how-fast.md").read_text(encoding="utf8")


def ratio(recorded, work: str, name: str, other: str) -> float:
    """Of processor times within a round; the median of the rounds."""
    runs = recorded["cpu"]["works"][work]["runs"]
    pairs = zip(runs[name], runs[other], strict=True)
    return median(a["cpu_seconds"] / b["cpu_seconds"] for a, b in pairs)


def test_near_the_floor_and_about_half_the_fastest_peer(recorded):
    assert ratio(recorded, REFERENCE, "ours", "floor") < 1  # six sevenths of its work
    assert 1 < ratio(recorded, NONE_IGNORED, "ours", "floor") < 1.1  # "a little longer"
    assert 1 < ratio(recorded, FEW, "ours", "floor") < 1.1
    little = ratio(recorded, NONE_IGNORED, "ours", "floor_valid")
    assert little < ratio(recorded, FEW, "ours", "floor_valid")  # "longer still"
    for work in (REFERENCE, NONE_IGNORED, FEW):
        fastest = min(ratio(recorded, work, name, "ours") for name in PEERS)
        assert 1.7 < fastest < 2.3  # "about half the time"


def test_every_round_has_every_implementation_and_the_same_work(recorded):
    for work in (REFERENCE, NONE_IGNORED, FEW):
        runs = recorded["cpu"]["works"][work]["runs"]
        assert {len(each) for each in runs.values()} == {3}
        losses = {run["work"][0] for name in (*PEERS, "ours") for run in runs[name]}
        assert max(losses) - min(losses) < 1e-4 * max(losses)
    assert recorded["cpu"]["machine"]
    assert {"torch", "trl", "liger-kernel", "orda-kernel"} <= recorded["cpu"]["versions"].keys()


def test_memory_grows_as_the_figure_is_described(recorded):
    def gibibytes(name: str, **size: int) -> float:
        for title, entry in recorded["cpu"]["works"].items():
            at = entry["work"]
            if title.endswith("; memory") and size.items() <= at.items():
                return entry["runs"][name][0]["bytes"] / 2**30
        raise KeyError(size)

    def over(name: str, varied: str, *sizes: int) -> list[float]:
        fixed = {"positions": 2048, "vocabulary": 49152}
        return [gibibytes(name, **(fixed | {varied: size})) for size in sizes]

    for name, least, most in (("pytorch", 0.75, 6.0), ("trl_chunked", 0.63, 4.8)):
        first, last = over(name, "positions", 512, 4096)
        assert (first, last) == pytest.approx((least, most), rel=0.03)
    liger = over("liger", "positions", 512, 1024, 2048, 4096)
    assert liger[0] < 0.6 * liger[1]
    assert liger[1:] == pytest.approx([1.73] * 3, rel=0.01)
    assert over("liger", "vocabulary", 16384, 98304) == pytest.approx([0.58, 3.45], rel=0.03)
    assert over("pytorch", "vocabulary", 16384, 98304) == pytest.approx([1, 6], rel=0.03)
    trl = over("trl_chunked", "vocabulary", 16384, 32768, 98304)
    assert trl[1] / trl[0] == pytest.approx(2, rel=0.05)
    assert trl[1:] == pytest.approx([2.4, 2.4], rel=0.03)
    for varied, *sizes in (("positions", 512, 4096), ("vocabulary", 16384, 98304)):
        first, last = over("ours", varied, *sizes)
        assert 0.1 < first < last <= 0.2
    assert [round(x, 2) for x in over("ours", "vocabulary", 16384, 98304)] == [0.13, 0.2]


@pytest.fixture(scope="module")
def beside() -> dict:
    return json.loads((BOOK / "reference/results/beside_trl.json").read_text(encoding="utf8"))


def times_its(beside, pair: str, other: str, key: str) -> float:
    """Ours divided by another's, within a round; the median of the rounds."""
    runs = beside["pairs"][pair]["runs"]
    pairs = zip(runs["ours"], runs[other], strict=True)
    return median(a[key] / b[key] for a, b in pairs)


@pytest.mark.parametrize(
    ("pair", "other", "faster", "share"),
    [("chat", "TRL GKD", 2.5, 0.5), ("on-policy", "TRL Distillation", 1.9, 0.52)],
)
def test_a_step_is_faster_than_trl_s_in_about_half_of_its_memory(
    beside, pair, other, faster, share
):
    runs = beside["pairs"][pair]["runs"]
    for ours, theirs in zip(runs["ours"], runs[other], strict=True):
        assert ours["tokens_per_cpu_second"] > faster * theirs["tokens_per_cpu_second"]
        assert ours["megabytes"] < share * theirs["megabytes"]


def test_writing_is_faster_than_hugging_face_s(beside):
    assert times_its(beside, "generate", "HF generate", "tokens_per_cpu_second") > 1.5


def test_what_made_the_table_beside_trl_is_recorded(beside):
    assert beside["machine"]
    assert {"torch", "transformers", "trl"} <= beside["versions"].keys()
    for name, made in beside["pairs"].items():
        assert name in made["command"]
        assert made["date"]
        assert {len(each) for each in made["runs"].values()} == {3}


def test_the_passes_of_the_kernel_are_those_that_its_test_counts(text):
    pytest.importorskip("triton", reason="needs Triton, on Linux: pip install triton")
    from kdlab import DIVERGENCES
    from kdlab.kernels import in_triton

    (lines,) = re.findall(r"^IN_TRITON = (.*?^\})$", text, re.MULTILINE | re.DOTALL)
    shown = eval(lines, {"DIVERGENCES": DIVERGENCES})
    later = in_triton.THEN
    assert shown == {n: 7 if in_triton.TOTALS[f"_{n}"] == later else 5 for n in DIVERGENCES}


# --- on a GPU ---


@pytest.fixture(scope="module")
def on_a_gpu(recorded) -> dict:
    (work,) = recorded["cuda"]["works"].values()
    return work["runs"]


def of_gpu(on_a_gpu, name: str, key: str = "seconds") -> float:
    (run,) = on_a_gpu[name]
    return run[key]


def test_on_a_gpu_it_is_the_fastest(on_a_gpu):
    own, floor = of_gpu(on_a_gpu, "ours"), of_gpu(on_a_gpu, "floor")
    assert own / floor == pytest.approx(1.27, abs=0.005)
    peers = [*PEERS, "liger_compiled"]
    fastest = min(peers, key=lambda name: of_gpu(on_a_gpu, name))
    assert fastest == "orda"
    assert of_gpu(on_a_gpu, fastest) / own == pytest.approx(1.17, abs=0.005)
    memory = of_gpu(on_a_gpu, "orda", "bytes") / of_gpu(on_a_gpu, "ours", "bytes")
    assert memory == pytest.approx(0.5, abs=0.04)  # "half its memory"
    assert of_gpu(on_a_gpu, "ours_512", "bytes") / 2**20 == pytest.approx(1618, abs=0.5)
    assert of_gpu(on_a_gpu, "ours_top_k") < floor


def test_there_the_passes_took_longer_than_the_products_in_pytorch(on_a_gpu):
    products = of_gpu(on_a_gpu, "floor_valid")
    assert of_gpu(on_a_gpu, "ours_in_pytorch") > 2 * products
    assert of_gpu(on_a_gpu, "ours") < 1.5 * products


def test_there_every_path_of_every_divergence_does_the_same_work(on_a_gpu):
    from kdlab import DIVERGENCES

    (found,) = on_a_gpu["by_divergence"]
    assert len(found) == 4 * len(DIVERGENCES)
    for key, run in found.items():
        other = found[key.replace("PyTorch", "Triton")]
        assert run["work"] == pytest.approx(other["work"], rel=1e-6)
        assert other["seconds"] <= run["seconds"]
    losses = [of_gpu(on_a_gpu, name, "work")[0] for name in (*PEERS, "ours", "liger_compiled")]
    assert max(losses) - min(losses) < 2e-2 * max(losses)


def test_a_step_there_is_recorded_and_the_objective_is_a_sixteenth_of_it():
    path = BOOK / "reference/results/trainer_on_gpu.json"
    recorded = json.loads(path.read_text(encoding="utf8"))
    pair = recorded["pairs"]["cuda"]
    assert "--cuda" in pair["command"]
    parts = pair["parts"]
    assert parts["step"] / parts["objective"] == pytest.approx(16, abs=1)
    (run,) = pair["runs"]["ours"]
    assert 1 < parts["step"] * run["tokens_per_second"] / (8 * 2048) < 1.15  # "a little more"


def test_liger_and_trl_take_as_much_at_once_as_the_page_says(text):
    trl = pytest.importorskip("trl.kernels.chunked_divergence")
    liger = pytest.importorskip("liger_kernel.chunked_loss.jsd_loss")
    positions, tokens = trl.TOKEN_CHUNK_SIZE, trl.VOCAB_CHUNK_SIZE
    said = " ".join(text.split())
    assert f"TRL takes up to {positions:,} positions and {tokens:,} tokens" in said
    made = inspect.signature(liger.LigerFusedLinearJSDLoss)
    chunk = made.parameters["chunk_size"].default
    assert f"Liger takes up to {chunk:,} positions at once" in said
