"""What the input will be, from the data and the wishes; and when data is the same data."""

import numpy as np
import pytest

import lenrek.models.create  # noqa: F401 (registers the architectures)
from lenrek.data.arrays import array_source
from lenrek.data.source import Source
from lenrek.errors import ModelError, OptionError, ShapeError
from lenrek.models.registry import find_architecture
from lenrek.training.config import TrainConfig
from lenrek.training.plan import data_fingerprint, plan_contract

KINDS = {1: "signal", 2: "image", 3: "volume"}


def source(sizes: list[tuple[int, ...]], channels: int = 1, **options) -> Source:
    labels = np.arange(len(sizes)) % 2
    names = [f"file {index}" for index in range(len(sizes))]
    return Source("made", KINDS[len(sizes[0])], None, names, labels, ("a", "b"), channels, np.array(sizes), **options)


@pytest.mark.parametrize(
    ("sizes", "model", "options", "size", "fit", "sentence"),
    [
        ([(28, 30)] * 3, "lenet5", {}, (28, 30), "stretch", "Images are used at their own size, 28×30."),
        (
            [(400, 90)] * 3, "lenet5", {}, (28, 28), "stretch",  # 400 is more than 4 · 28
            "Images of 400×90 become 28×28: every axis is resized.",
        ),
        (
            [(8, 9)] * 3, "lenet5", {}, (28, 28), "stretch", "Images of 8×9 become 28×28: every axis is resized.",
        ),  # 8 < 12
        (
            [(40, 20), (30, 50), (24, 60)], "lenet5", {}, (24, 24), "crop",  # the median of 20, 30, 24
            "Images of 24×20 to 40×60 become 24×24: the short side is resized, the centre cut out.",
        ),
        (
            [(400, 300), (500, 600)], "lenet5", {}, (28, 28), "crop",
            "Images of 400×300 to 500×600 become 28×28: the short side is resized, the centre cut out.",
        ),
        (
            [(28, 30)] * 2, "lenet5", {"size": (14, 17), "fit": "pad"}, (14, 17), "pad",
            "Images of 28×30 become 14×17: centred, zeros around, what is longer is cut.",
        ),
        ([(16, 17, 18)] * 2, "lenet5", {"size": 14}, (14, 14, 14), "stretch",
         "Volumes of 16×17×18 become 14×14×14: every axis is resized."),
        (
            [(1000 + 10 * i,) for i in range(100)], "m5", {}, (1950,), "pad",  # 95 % of the recordings fit
            "Signals of 1000 to 1990 become 1950 at 8000 Hz: centred, zeros around, what is longer is cut.",
        ),
        (
            [(100,), (200,)], "m5", {}, (1022,), "pad",
            "Signals of 100 to 200 become 1022 at 8000 Hz: centred, zeros around, what is longer is cut.",
        ),
    ],
)  # fmt: skip
def test_planned(sizes: list, model: str, options: dict, size: tuple, fit: str, sentence: str) -> None:
    made = source(sizes, channels=2, sample_rate_hz=8000 if len(sizes[0]) == 1 else None)
    contract, said = plan_contract(made, TrainConfig("made", model, **options), find_architecture(model))
    assert (contract.size, contract.fit, said) == (size, fit, sentence)
    assert (contract.channels, contract.mean, contract.std) == (2, (0.0, 0.0), (1.0, 1.0))
    assert (contract.classes, contract.sample_rate_hz) == (("a", "b"), made.sample_rate_hz)


@pytest.mark.parametrize(
    ("sizes", "model", "options", "error", "message"),
    [
        (
            [(90, 80)] * 2, "m5", {}, ModelError,
            "train: made holds images, which are 2-D, but m5 is for 1-D.\n"
            "  Hint: lenrek models lists what each architecture takes.",
        ),
        (
            [(28, 28)] * 2, "lenet5", {"size": (30, 11)}, ShapeError,
            "train: lenet5 needs at least 12 samples per axis, but the size is 30×11.\n"
            "  Hint: pass --size 28, or another --model.",
        ),
        (
            [(28, 28)] * 2, "lenet5", {"size": (20, 21, 22)}, OptionError,
            "train: size 20×21×22 has 3 axes, but the data has 2.",
        ),
    ],
)  # fmt: skip
def test_refused(sizes: list, model: str, options: dict, error: type, message: str) -> None:
    with pytest.raises(error) as info:
        plan_contract(source(sizes), TrainConfig("made", model, **options), find_architecture(model))
    assert str(info.value) == message


def test_fingerprint_changes_with_everything_that_says_which_samples_are_which() -> None:
    def made(**changes) -> Source:
        x = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
        given = {"x": x, "y": [0, 1, 0, 1, 0, 1], "classes": ("a", "b"), "names": list("uvwxyz")} | changes
        return array_source("made", **given)

    x = np.array(made().reader.x[:, 0])
    changed = x.copy()
    changed[5, 3, 4] += 1
    prints = [
        data_fingerprint(data)
        for data in (
            made(), made(y=[0, 1, 0, 1, 1, 0]), made(classes=("a", "c")), made(names=list("uvwxyZ")),
            made(x=changed), made(x=x.reshape(6, 5, 4)),
            made(groups=[1, 1, 2, 2, 3, 3]), made(groups=[1, 2, 2, 2, 3, 3]),
            made(split=np.array(["train"] * 5 + ["test"])), made(split=np.array(["train"] * 4 + ["test"] * 2)),
        )
    ]  # fmt: skip
    assert len(set(prints)) == len(prints)
    assert data_fingerprint(made()) == prints[0]


def test_fingerprint_of_many_arrays_looks_at_a_thousand() -> None:
    x = np.zeros((5000, 4), np.uint8)
    before = data_fingerprint(array_source("many", x, np.arange(5000) % 2))
    x[4995] = 1  # = 999 · 5000 / 1000
    assert data_fingerprint(array_source("many", x, np.arange(5000) % 2)) != before
