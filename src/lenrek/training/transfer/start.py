"""The network that a training begins with: fresh, or trained before and given a new head."""

from __future__ import annotations

import copy
import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lenrek.errors import ModelError, OptionError
from lenrek.models.contract import InputContract
from lenrek.models.create import create_model
from lenrek.models.head import Head, renew_head
from lenrek.models.pretrained import load_pretrained
from lenrek.models.registry import ARCHITECTURES
from lenrek.training.config import TrainConfig

DEFAULT_MODEL = "lenet5"


@dataclass(frozen=True)
class Pretrained:
    """A network trained elsewhere, as it was found.

    Attributes:
        name: as the user named it.
        architecture: a registered one, or the class of a module.
        contract: the input it was trained with; None: not known.
        digest: SHA-256 of its weights.
        module: the user's own, where no architecture is registered that it could be built from.
    """

    name: str
    network: nn.Module
    architecture: str
    contract: InputContract | None
    digest: str
    module: nn.Module | None = None


@dataclass(frozen=True)
class Start:
    """A network ready to be trained for the classes at hand.

    Attributes:
        head: the new layer; None where all is fresh.
        pretrained: where the other weights come from.
    """

    network: nn.Module
    head: Head | None = None
    pretrained: Pretrained | None = None


def find_pretrained(start: str | Path | nn.Module) -> Pretrained:
    """The network that `start` is or stands for, see `lenrek.models.pretrained.load_pretrained`."""
    network = start if isinstance(start, nn.Module) else load_pretrained(start)
    contract: InputContract | None = getattr(network, "contract", None)
    registered = getattr(network, "architecture", None)
    architecture = str(registered or type(network).__name__)
    name = f"module {architecture}" if isinstance(start, nn.Module) else str(start)
    module = None if registered in ARCHITECTURES else network
    return Pretrained(name, network, architecture, contract, digest(network.state_dict()), module)


def configured(
    data: Any, model: str | None, start: str | Path | nn.Module | None, options: Mapping[str, Any]
) -> tuple[TrainConfig, Pretrained | None]:
    """The configuration that a user's words make, and the network to begin with, if any.

    Raises:
        LenrekError: options that are none, or have no effect; a network that cannot be read.
    """
    pretrained = None if start is None else find_pretrained(start)
    if pretrained is None:
        return TrainConfig(data=_name_of(data), model=model or DEFAULT_MODEL, **_known(options)), None
    if model not in (None, pretrained.architecture):
        raise OptionError(
            f"train: model {model} has no effect beside {pretrained.name}, which is a {pretrained.architecture}.\n"
            "  Hint: leave it out."
        )
    given = {**options, "start": pretrained.name}
    return TrainConfig(data=_name_of(data), model=pretrained.architecture, **_known(given)), pretrained


def make_start(config: TrainConfig, contract: InputContract, pretrained: Pretrained | None) -> Start:
    """A network for `contract`: with fresh weights drawn from the run's seed, or `pretrained` with a new head.

    Where the samples have other channels than the network was trained with, its first convolution is spread over them:
    each gets the mean of its weights, scaled so that their sum stays.
    """
    torch.manual_seed(config.seed)
    if pretrained is None:
        return Start(create_model(config.model, len(contract.classes), contract.channels, len(contract.size)))
    network = copy.deepcopy(pretrained.network)
    if pretrained.contract is not None and contract.channels != pretrained.contract.channels:
        _spread_channels(network, contract.channels)
    head = renew_head(network, len(contract.classes), (contract.channels, *contract.size))
    return Start(network, head, pretrained)


def digest_of(network: nn.Module, names: Sequence[str]) -> str:
    """SHA-256 of some of a network's parameters and buffers."""
    tensors = network.state_dict()
    return digest({name: tensors[name] for name in names})


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors with their names."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()


@torch.no_grad()
def _spread_channels(network: nn.Module, channels: int) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            break
    else:
        raise ModelError("train: the network begins with no convolution, so its input channels cannot be changed.")
    if module.groups != 1:
        raise ModelError("train: the first convolution is grouped, so its input channels cannot be changed.")
    mean = module.weight.mean(1, keepdim=True) * (module.in_channels / channels)
    module.weight = nn.Parameter(mean.expand(-1, channels, *mean.shape[2:]).clone())
    module.in_channels = channels


def _name_of(data: Any) -> str:
    return "arrays" if isinstance(data, tuple) else str(data)


def _known(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """`options`, or an `OptionError` with the nearest right name."""
    known = [f.name for f in fields(TrainConfig)]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the options are {', '.join(known)}."
            raise OptionError(f"train: there is no option {name!r}.\n  Hint: {hint}")
    return options
