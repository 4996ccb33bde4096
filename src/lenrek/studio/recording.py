"""What every layer computes for a sample, kept from one forward pass, so that any is there when it is asked for."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lenrek.data.shown import shown
from lenrek.errors import ModelError
from lenrek.ops.mode import in_mode

if TYPE_CHECKING:
    from lenrek.studio.session import Session

MOST_BYTES = 1 << 30  # over all recordings; the newest one is kept whatever its size


@dataclass(frozen=True)
class Recording:
    """`layers`: by the name that a summary gives it, (channels, *size) float32. `time_s`: of the forward pass."""

    layers: dict[str, Tensor]
    time_s: float

    @property
    def size_bytes(self) -> int:
        return sum(values.numel() * values.element_size() for values in self.layers.values())

    def __getitem__(self, layer: str) -> Tensor:
        """Raises:
        ModelError: no such layer, or it returns something else than one volume.
        """
        if layer not in self.layers:
            raise ModelError(f"studio: there are no maps of {shown(layer)!r}.")
        return self.layers[layer]


def record(network: nn.Module, x: Tensor) -> Recording:
    """One forward pass over `x` (1, channels, *size), in evaluation and without gradients.

    Example:
        >>> found = record(nn.Sequential(nn.ReLU(), nn.Flatten()), torch.tensor([[[-1.0, 2.0]]]))
        >>> {name: values.tolist() for name, values in found.layers.items()}
        {'0': [[0.0, 2.0]], '1': [0.0, 2.0], '': [0.0, 2.0]}
    """
    layers: dict[str, Tensor] = {}
    runs = Counter[str]()
    hooks = []

    def keep(name: str, output: Any) -> None:
        runs[name] += 1
        if isinstance(output, Tensor) and output.ndim > 1 and len(output) == 1:
            own = f"{name}#{runs[name]}" if runs[name] > 1 else name
            layers[own] = output[0].detach().float().clone()  # the next layer may write into it

    for name, module in network.named_modules():
        hooks.append(module.register_forward_hook(lambda module, given, output, name=name: keep(name, output)))
    try:
        with in_mode(network, training=False), torch.inference_mode():
            start = time.perf_counter()
            network(x)
            return Recording(layers, time.perf_counter() - start)
    finally:
        for hook in hooks:
            hook.remove()


class Recordings:
    """Of the samples that were looked at last; asked for in the thread of the session's calls."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: OrderedDict[str, Recording] = OrderedDict()

    def __getitem__(self, sample: str) -> Recording:
        """The recording of a sample by its id; made where there is none yet.

        Raises:
            OptionError, DataError: as `Samples`.
        """
        if sample not in self._kept:
            self._kept[sample] = record(self._session.classifier.network, self._session.samples.input(sample))
            while len(self._kept) > 1 and sum(one.size_bytes for one in self._kept.values()) > MOST_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(sample)
        return self._kept[sample]
