"""The configuration refuses what makes no sense, with the whole message."""

import json
import re

import numpy as np
import pytest

import lenrek.models.create  # noqa: F401 (registers the architectures)
from lenrek.errors import OptionError
from lenrek.training.config import TrainConfig


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "train: epochs is 0, but must be at least 1."),
        ({"batch_size": -3}, "train: batch_size is -3, but must be at least 1."),
        ({"size": (0, 8)}, "train: size is (0, 8), but must be positive on every axis."),
        ({"seed": -1}, "train: seed is -1, but must be between 0 and 2^63 - 1."),
        ({"learning_rate": 0.0}, "train: learning_rate is 0.0, but must be positive."),
        ({"learning_rate": float("nan")}, "train: learning_rate is nan, but must be positive."),
        ({"optimizer": "sgd", "momentum": 1.0}, "train: momentum is 1.0, but must be in [0, 1)."),
        ({"weight_decay": -0.1}, "train: weight_decay is -0.1, but must be at least 0."),
        ({"label_smoothing": 1.0}, "train: label_smoothing is 1.0, but must be in [0, 1)."),
        ({"clip_norm": 0}, "train: clip_norm is 0.0, but must be positive."),
        ({"ema": 1.0}, "train: ema is 1.0, but must be in (0, 1)."),
        ({"patience": 0}, "train: patience is 0, but must be at least 1."),
        ({"epochs": 2.5}, "train: epochs is 2.5, but must be a whole number."),
        ({"batch_size": None}, "train: batch_size is None, but must be a whole number."),
        ({"learning_rate": "fast"}, "train: learning_rate is 'fast', but must be a number."),
        ({"size": "32x40"}, "train: size is '32x40', but must be one whole number, or one per axis."),
        ({"optimizer": "adam"}, "train: optimizer is 'adam', but must be one of adamw, sgd."),
        ({"fit": "squash"}, "train: fit is 'squash', but must be one of stretch, crop, pad."),
        ({"balance": "weights"}, "train: balance is 'weights', but must be one of none, loss, sampling, synthesis."),
        (
            {"mixup": "lambda=1"},
            "train: mixup is 'lambda=1', but must be the alpha of Beta(alpha, alpha), a number above 0 such as 0.4, or "
            "a fixed share between 0 and 1, such as lambda=0.3.",
        ),
        (
            {"cutmix": 1, "batch_size": 1},
            "train: cutmix mixes the samples of a step, but has no effect with batch_size 1.\n"
            "  Hint: leave it out, or pass batch_size 2 or more.",
        ),
        (
            {"momentum": 0.8},
            "train: momentum 0.8 has no effect with optimizer adamw.\n  Hint: leave it out, or pass optimizer sgd.",
        ),
    ],
)
def test_refused(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        TrainConfig("digits", **options)


def test_defaults_follow_the_optimizer() -> None:
    assert (TrainConfig("d").peak_learning_rate, TrainConfig("d").decay) == (0.008, 0.05)
    sgd = TrainConfig("d", optimizer="sgd")
    assert (sgd.peak_learning_rate, sgd.decay) == (0.1, 5e-4)
    assert TrainConfig("d", learning_rate=0.3, weight_decay=0.0).decay == 0.0


def test_one_text_for_what_is_the_same() -> None:
    config = TrainConfig("digits", mixup=np.float64(0.2), cutmix="lambda = 0.50", augment="flip , shift=0.10")
    assert (config.mixup, config.cutmix, config.augment) == ("0.2", "lambda=0.5", "flip,shift=0.1")
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_json_round_trip_and_differences() -> None:
    config = TrainConfig("digits", size=(24, 40), ema=0.9)
    assert TrainConfig.from_json(config.to_json() | {"size": [24, 40]}) == config
    other = TrainConfig("digits", size=(24, 40), epochs=3)
    assert config.differences(other) == ["epochs: 10, now 3", "ema: 0.9, now None"]
    with pytest.raises(OptionError, match=r"options this version does not know: \['momentun'\]"):
        TrainConfig.from_json({"data": "digits", "momentun": 0.9})


def test_numbers_of_numpy_become_plain_ones() -> None:
    config = TrainConfig("digits", epochs=np.int64(3), size=np.int32(28), learning_rate=np.float32(0.5), patience=None)
    assert json.loads(json.dumps(config.to_json()))["size"] == [28]
    assert config == TrainConfig("digits", epochs=3, size=(28,), learning_rate=0.5)
