"""How an image becomes a vector: which layer, how pooled, from which views, and the network that does it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lenrek.errors import OptionError
from lenrek.models.contract import InputContract
from lenrek.search.cut import CutNetwork
from lenrek.search.pooling import Pool, Pooling
from lenrek.training.engine import PYTORCH, EngineStep

Storage = Literal["float32", "float16", "int8"]
BATCH_SAMPLES = 256
BATCH_VALUES = 1 << 22  # at the network's input: a batch of large images stays small in memory


@dataclass(frozen=True)
class EmbeddingConfig:
    """What is taken from the network, and what is made of it.

    Attributes:
        layer: a name of `network.named_modules()`; None is what goes into the last layer with weights.
        pooling, power: how a feature map becomes a vector (`lenrek.search.pooling.Pool`).
        size: of the network's input, per axis; None is the contract's own. Networks that pool at their end take others.
        scales: the input is also seen at these multiples of its size; the vectors of all views are added up.
        flip: and mirrored, left to right.
        pca: numbers that are kept of a vector, along the directions in which the collection varies most; the
            collection's mean is taken off before. None leaves vectors as the network gives them.
        whiten: each of these is divided by its standard deviation to this power: 0 not at all, 1 whitens.
        storage: type of the stored numbers. int8 takes half of float16, and rounds to 1/127 of the largest.
    Raises:
        OptionError: a value out of range, or one that has no effect.
    """

    layer: str | None = None
    pooling: Pooling = "gem"
    power: float = 2.0
    size: tuple[int, ...] | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    pca: int | None = 128
    whiten: float = 0.0
    storage: Storage = "float16"

    def __post_init__(self) -> None:
        Pool(self.pooling, self.power)
        if self.storage not in get_args(Storage):
            raise OptionError(f"index: storage is {self.storage!r}, expected one of {', '.join(get_args(Storage))}.")
        if not self.scales or not all(0 < scale < math.inf for scale in self.scales):
            raise OptionError(f"index: scales is {self.scales}, expected one or more numbers above 0.")
        if self.size is not None and (not self.size or min(self.size) < 1):
            raise OptionError(f"index: size is {self.size}, expected at least 1 on every axis.")
        if self.pca is not None and self.pca < 1:
            raise OptionError(f"index: pca is {self.pca}, expected at least 1, or None to keep vectors as they are.")
        if not 0 <= self.whiten <= 1:
            raise OptionError(f"index: whiten is {self.whiten}, expected 0 (not at all) to 1.")
        if self.whiten and self.pca is None:
            raise OptionError("index: whiten has no effect without pca.\n  Hint: give pca, too.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> EmbeddingConfig:
        fixed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        return cls(**fixed)


class Embedder:
    """Samples as they are stored, to unit vectors.

    Args:
        network: takes normalised samples (batch, channels, *size).
        contract: the network's own; samples are brought to the size of `config`, if it has one.
    Attributes:
        contract: what samples are to be brought to.
        dims: numbers per vector.
        steps: what runs the network, for each scale.
        fingerprint: a digest of the weights in use, the contract and `config`: equal where vectors can be compared.
    Raises:
        ModelError: a layer that is not there, or of no use.
        OptionError: mirrored signals or volumes.
    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        >>> embedder = Embedder(net, InputContract(1, (8, 9), (0.0,), (1.0,), ("a", "b")), EmbeddingConfig())
        >>> embedder.dims, embedder(torch.zeros(3, 1, 8, 9, dtype=torch.uint8)).norm(dim=1).shape
        (4, torch.Size([3]))
    """

    def __init__(self, network: nn.Module, contract: InputContract, config: EmbeddingConfig) -> None:
        if config.flip and len(contract.size) != 2:
            raise OptionError(f"index: flip mirrors images, but this network takes {len(contract.size)}-D samples.")
        if config.size is not None and len(config.size) != len(contract.size):
            raise OptionError(f"index: size is {config.size}, but this network takes {len(contract.size)}-D samples.")
        base = config.size or contract.size
        sizes = [tuple(max(1, round(scale * length)) for length in base) for scale in config.scales]
        self.config, self.contract = config, replace(contract, size=max(sizes))
        device = next(network.parameters(), torch.empty(0)).device
        self.steps: list[EngineStep] = []
        for size in sizes:
            cut = CutNetwork(network, (contract.channels, *size), config.layer)
            module = nn.Sequential(cut, Pool(config.pooling, config.power)).eval()
            self.steps.append(EngineStep(module, replace(contract, size=size), device, 0))
            self.layer, self.dims = cut.layer, cut.features[0]
        self.fingerprint = _fingerprint(self.steps[0].network, contract, config)

    @property
    def engine(self) -> str:
        """What computes, and why."""
        return next((step.reason for step in self.steps if step.reason != PYTORCH), PYTORCH)

    @property
    def batch_size(self) -> int:
        values = self.contract.channels * math.prod(self.contract.size)
        return min(BATCH_SAMPLES, max(1, BATCH_VALUES // values))

    def expect(self, samples: int) -> None:
        """Say how many samples are to come, for which a faster engine may be worth compiling."""
        for step in self.steps:
            step.remaining = samples * (1 + self.config.flip)

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        """Unit vectors (batch, dims), float32, of samples (batch, channels, *contract.size); zeros stay zeros."""
        found = torch.zeros(len(x), self.dims)
        for step in self.steps:
            seen = _resized(x, step.contract.size)
            for view in (seen, seen.flip(-1)) if self.config.flip else (seen,):
                found += F.normalize(step.logits(view.contiguous()).cpu())
        return F.normalize(found)


def _resized(x: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(x.shape[2:]) == size:
        return x
    mode = ("linear", "bilinear", "trilinear")[len(size) - 1]
    small = F.interpolate(x.float(), size, mode=mode, antialias=len(size) == 2, align_corners=False)
    return small if x.is_floating_point() else small.round().clamp(*_limits(x.dtype)).to(x.dtype)


def _limits(dtype: torch.dtype) -> tuple[int, int]:
    return torch.iinfo(dtype).min, torch.iinfo(dtype).max


def _fingerprint(module: nn.Module, contract: InputContract, config: EmbeddingConfig) -> str:
    """128 bits in hexadecimal."""
    seen = {name: value for name, value in contract.to_json().items() if name != "classes"}
    made = {name: value for name, value in config.to_json().items() if name != "storage"}
    digest = hashlib.blake2b(json.dumps([seen, made], sort_keys=True).encode(), digest_size=16)
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"\0{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
