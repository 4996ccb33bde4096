"""The one frozen configuration of a training run: checked when made, stored with the model, compared on resume."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

from lenrek.data.augmentation.policy import Policy
from lenrek.errors import OptionError
from lenrek.models.registry import architecture_named
from lenrek.training.ratio import Ratio

CHOICES = {
    "optimizer": ("adamw", "sgd"),
    "schedule": ("onecycle", "cosine", "constant"),
    "precision": ("auto", "fp32", "bf16"),
    "loading": ("auto", "resident", "stream"),
    "balance": ("none", "loss", "sampling", "synthesis"),
    "fit": (None, "stretch", "crop", "pad"),
}
SGD_LEARNING_RATE = 0.1
DEFAULT_WEIGHT_DECAY = {"adamw": 0.05, "sgd": 5e-4}


REAL_NUMBERS = (
    "learning_rate", "momentum", "weight_decay", "label_smoothing", "clip_norm", "ema", "validation", "test",
    "layer_decay",
)  # fmt: skip
NONE_ALLOWED = (
    "size", "learning_rate", "momentum", "weight_decay", "clip_norm", "ema", "patience", "views", "layer_decay",
)  # fmt: skip
UP_TO = "up-to "  # a layer
# What has no effect where the head is solved and not trained step by step; and where the frozen part ran beforehand.
OF_STEPS = (
    "epochs", "batch_size", "optimizer", "learning_rate", "momentum", "weight_decay", "schedule", "label_smoothing",
    "clip_norm", "ema", "patience", "mixup", "cutmix", "precision", "layer_decay", "unfreeze", "auto",
)  # fmt: skip
OF_SAMPLES = ("mixup", "cutmix", "layer_decay", "unfreeze", "auto")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides the result of a training, besides the data and the machine.

    Attributes:
        data: as the user named it.
        model: an architecture of `lenrek.list_models()`.
        epochs: passes over the training part.
        batch_size: samples per step, over all processes together.
        size: spatial size of the network's input, one number for all axes or one for each; None: the data's own, where
            the network can take it.
        fit: how samples of another size are brought to it ("stretch", "crop", "pad"); None: by kind of data.
        optimizer: "adamw" (decoupled decay) or "sgd" (Nesterov momentum).
        learning_rate: its peak; None: the architecture's own for adamw, 0.1 for sgd; beginning with a trained network
            less, see `lenrek.training.rates.fine_tuning_rate`.
        momentum: sgd only; None: 0.9.
        weight_decay: spares norms and biases; None: 0.05 for adamw, 5e-4 for sgd.
        schedule: "onecycle" (up in the first quarter, down to zero), "cosine" (down from the start), "constant".
        label_smoothing: share of the target spread over all classes, in [0, 1).
        clip_norm: gradients longer than this are shortened to it; None: never.
        ema: decay of the running average of the weights that is evaluated and kept; None: the weights themselves.
        patience: stop after this many epochs without a better one (higher validation accuracy, or the same and lower
            loss; with `balance` the balanced accuracy); None: never.
        augment: what happens to training samples: a `lenrek.data.augmentation.Policy` or its text.
        mixup: training samples averaged with others, by shares drawn from Beta(mixup, mixup), or "lambda=0.3", the
            share of a sample's own (see `lenrek.training.mixing`); None: not.
        cutmix: boxes of others in training samples, likewise.
        balance: what is done about classes of unequal size: "none", "loss", "sampling" or "synthesis" (see
            `lenrek.training.balance.ClassBalance`).
        validation, test: shares split off where the data has no split of its own.
        grouped: keep groups (speakers, patients) in one part; None: when the data says so.
        precision: number type of convolutions and matrix products; "fp32" and "bf16" run on lenrek's kernels, "auto"
            takes the fastest of these and plain PyTorch as measured on this machine at the start.
        loading: "resident" decodes once into memory, "stream" decodes every epoch; "auto" goes by size.
        seed: of the weights, the split, the order, the augmentation and the dropout.
        strict: stop at the first damaged file instead of leaving it out.
        start: the trained network to begin with, see `lenrek.models.pretrained.load_pretrained`; None: fresh weights.
        freeze: what of it stays as it is: "none" (a head is solved first, then all is trained), "features" (all but the
            head, which is solved), or "up-to LAYER" (what comes after it is trained).
        auto: keep the solved head with frozen features where training all is no better on validation.
        views: of each training sample, for a frozen part: itself and views − 1 augmented ones; None: as many as take
            about a minute, 8 at most.
        layer_decay: each block that was trained before has this times the rate of the next one; None: 0.8.
        unfreeze: epochs over which they begin to be trained, from the head to the input; 0: all at once.
    """

    data: str
    model: str = "lenet5"
    epochs: int = 10
    batch_size: int = 128
    size: tuple[int, ...] | None = None
    fit: str | None = None
    optimizer: str = "adamw"
    learning_rate: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    schedule: str = "onecycle"
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    ema: float | None = None
    patience: int | None = None
    augment: str = "none"
    mixup: str | None = None
    cutmix: str | None = None
    balance: str = "none"
    validation: float = 0.1
    test: float = 0.1
    grouped: bool | None = None
    precision: str = "auto"
    loading: str = "auto"
    seed: int = 0
    strict: bool = False
    start: str | None = None
    freeze: str = "none"
    auto: bool = False
    views: int | None = None
    layer_decay: float | None = None
    unfreeze: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "seed", "patience", "views", "unfreeze"):
            self._convert(name, operator.index, "a whole number")
        for name in REAL_NUMBERS:
            self._convert(name, float, "a number")
        self._convert("size", _axes, "one whole number, or one per axis")
        object.__setattr__(self, "augment", str(Policy.parse(str(self.augment))))  # one text for what is the same
        for name in ("mixup", "cutmix"):
            if (ratio := getattr(self, name)) is not None:
                object.__setattr__(self, name, str(Ratio.parse(ratio, name)))
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                names = ", ".join(filter(None, allowed))
                raise OptionError(f"train: {name} is {getattr(self, name)!r}, but must be one of {names}.")
        self._require("epochs", self.epochs >= 1, "at least 1")
        self._require("batch_size", self.batch_size >= 1, "at least 1")
        self._require("size", self.size is None or min(self.size, default=0) >= 1, "positive on every axis")
        self._require("seed", 0 <= self.seed < 2**63, "between 0 and 2^63 - 1")
        self._require("learning_rate", self.learning_rate is None or self.learning_rate > 0, "positive")
        self._require("momentum", self.momentum is None or 0 <= self.momentum < 1, "in [0, 1)")
        self._require("weight_decay", self.weight_decay is None or self.weight_decay >= 0, "at least 0")
        self._require("label_smoothing", 0 <= self.label_smoothing < 1, "in [0, 1)")
        self._require("clip_norm", self.clip_norm is None or self.clip_norm > 0, "positive")
        self._require("ema", self.ema is None or 0 < self.ema < 1, "in (0, 1)")
        self._require("patience", self.patience is None or self.patience >= 1, "at least 1")
        if self.batch_size == 1 and (self.mixup or self.cutmix):
            raise OptionError(
                f"train: {'mixup' if self.mixup else 'cutmix'} mixes the samples of a step, but has no effect with "
                "batch_size 1.\n  Hint: leave it out, or pass batch_size 2 or more."
            )
        if self.momentum is not None and self.optimizer != "sgd":
            raise OptionError(
                f"train: momentum {self.momentum} has no effect with optimizer {self.optimizer}.\n"
                "  Hint: leave it out, or pass optimizer sgd."
            )

        self._check_start()

    def _check_start(self) -> None:
        """What is said about a trained network to begin with."""
        self._require("views", self.views is None or self.views >= 1, "at least 1")
        self._require("layer_decay", self.layer_decay is None or 0 < self.layer_decay <= 1, "in (0, 1]")
        self._require("unfreeze", self.unfreeze >= 0, "at least 0")
        if self.freeze not in ("none", "features") and not (self.freeze.startswith(UP_TO) and self.frozen_layer):
            raise OptionError(f"train: freeze is {self.freeze!r}, but must be none, features or 'up-to LAYER'.")
        if self.start is None:
            self._refuse(("freeze", "auto", "views", "layer_decay", "unfreeze"), "without a network to begin with",
                         "pass --from with one, or leave it out")  # fmt: skip
        elif self.freeze == "features":
            self._refuse(OF_STEPS, "where features are frozen and the head is solved",
                         "leave it out, or train more than the head with --freeze 'up-to LAYER'")  # fmt: skip
        elif self.freeze != "none":
            self._refuse(OF_SAMPLES, f"with freeze {self.freeze}", "leave it out, or train all with --freeze none")
        else:
            self._refuse(("views",), "where nothing is frozen", "leave it out, or pass --freeze features")
        if self.views is not None and self.views > 1 and self.augment == "none":
            raise OptionError(
                f"train: {self.views} views have no effect without augmentation: all would be alike.\n"
                "  Hint: pass --augment standard."
            )
        if self.freeze != "none" and self.balance in ("sampling", "synthesis"):
            raise OptionError(
                f"train: balance {self.balance} has no effect on features that are computed once.\n"
                "  Hint: --balance loss does the same."
            )

    @property
    def frozen_layer(self) -> str | None:
        """The last frozen one, where one is named."""
        return self.freeze.removeprefix(UP_TO).strip() if self.freeze.startswith(UP_TO) else None

    def _refuse(self, names: tuple[str, ...], where: str, hint: str) -> None:
        """Nothing that would have no effect is passed over in silence."""
        for field in fields(self):
            if field.name in names and getattr(self, field.name) != field.default:
                value = getattr(self, field.name)
                raise OptionError(f"train: {field.name} {value} has no effect {where}.\n  Hint: {hint}.")

    def _convert(self, name: str, convert: Callable[[Any], Any], expected: str) -> None:
        """Make a plain Python number of what may be NumPy's, which JSON does not know."""
        value = getattr(self, name)
        try:
            object.__setattr__(self, name, None if value is None and name in NONE_ALLOWED else convert(value))
        except (TypeError, ValueError):
            raise OptionError(f"train: {name} is {value!r}, but must be {expected}.") from None

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise OptionError(f"train: {name} is {getattr(self, name)}, but must be {expected}.")

    @property
    def peak_learning_rate(self) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        return (
            architecture_named(self.model, self.start).learning_rate if self.optimizer == "adamw" else SGD_LEARNING_RATE
        )

    @property
    def decay(self) -> float:
        return DEFAULT_WEIGHT_DECAY[self.optimizer] if self.weight_decay is None else self.weight_decay

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> TrainConfig:
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(stored) - known)
        if unknown:
            raise OptionError(f"train: the stored configuration has options this version does not know: {unknown}.")
        return cls(**stored)

    def differences(self, other: TrainConfig) -> list[str]:
        """One line per field in which `other` differs.

        >>> TrainConfig("digits").differences(TrainConfig("digits", seed=3))
        ['seed: 0, now 3']
        """
        return [
            f"{f.name}: {getattr(self, f.name)}, now {getattr(other, f.name)}"
            for f in fields(self)
            if getattr(self, f.name) != getattr(other, f.name)
        ]


def _axes(size: Any) -> tuple[int, ...]:
    return tuple(map(operator.index, size)) if isinstance(size, list | tuple) else (operator.index(size),)
