"""Filters that do nothing: dead, saturated or constant on real data, or duplicates of others by their weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lenrek.data.source import Source
from lenrek.errors import DataError, OptionError
from lenrek.explain.features.health_result import FilterHealth, LayerHealth
from lenrek.explain.features.rectified import Nonlinearity, nonlinearity_after
from lenrek.explain.features.stream import SampleStream
from lenrek.explain.features.weights import filters_of, is_convolution, weighted_layers
from lenrek.explain.layer_outputs import as_samples, find_layer
from lenrek.explain.network_of import contract_of, plain_network
from lenrek.explain.trace import trace
from lenrek.ops.mode import in_mode

WHO = "filter_health"
CONSTANT = 1e-6  # of the layer's largest magnitude: values that differ by less do not change


def filter_health(
    model: Any,
    batches: Any,
    layers: Iterable[str] | None = None,
    *,
    dead_share: float = 1.0,
    saturated_share: float = 0.95,
    duplicate_cosine: float = 0.99,
    limit: int | None = None,
) -> FilterHealth:
    """Which filters of which layers do nothing on these data, and which are others over again.

    What goes into each layer's nonlinearity is watched, after the norm between them where there is one. Zero is: at or
    below 0 for a ReLU, ReLU6, clamp at 0; below −3 for GELU and hardswish, −6.5 for SiLU and mish, −4.6 for softplus.
    Other limits: hardtanh's, ReLU6's 6, within 1 % of its range of sigmoid's and tanh's, of ELU's lower one. A layer
    whose output goes into a sum or another layer can only be constant.

    Args:
        model: a network or a `lenrek.Classifier`, run in evaluation.
        batches: a source, what `lenrek.open_source` takes, a tensor (samples, channels, *size) as the network takes it,
            or an iterable of such batches, as a `DataLoader` gives them (of tuples the first entry).
        layers: names; by default every convolution and linear layer but the last.
        dead_share, saturated_share: of all positions of all samples, from which on a filter counts as such.
        duplicate_cosine: from which on two filters of a layer do. Biases do not count; −1 would be no duplicate.
        limit: at most so many samples, evenly spaced; not for an iterable.
    Raises:
        ModelError: no such layer, or one without weights.
        OptionError: a share beyond 0 to 1.
        DataError: no batches, or features that are not finite.
    Source: Lu et al. 2019, arXiv:1903.06733 (dying ReLU).
    Example: the second filter is never positive, the third is the first over again.
        >>> conv = nn.Conv1d(1, 3, 1)
        >>> _ = conv.weight.data.copy_(torch.tensor([[[1.0]], [[1.0]], [[2.0]]]))
        >>> _ = conv.bias.data.copy_(torch.tensor([0.0, -9.0, 0.0]))
        >>> found = filter_health(nn.Sequential(conv, nn.ReLU()), [torch.randn(4, 1, 5).clamp(-2, 2)], ["0"])
        >>> found.layers[0].dead, found.layers[0].duplicates[-1]
        ((1,), (2, 0, 1.0))
    """
    for name, share in (("dead_share", dead_share), ("saturated_share", saturated_share)):
        if not 0 < share <= 1:
            raise OptionError(f"{WHO}: {name} is {share}, expected above 0 and at most 1.")
    if not -1 < duplicate_cosine <= 1:
        raise OptionError(f"{WHO}: duplicate_cosine is {duplicate_cosine}, expected above −1 and at most 1.")
    network = plain_network(model, WHO)
    watched: dict[str, _Watched] = {}
    samples = 0
    with ExitStack() as stack:
        stack.enter_context(in_mode(network, training=False))
        stack.enter_context(torch.no_grad())
        for x in _batches(batches, contract_of(model), limit):
            if not watched:
                watched = _watch(network, x, layers)
                for one in watched.values():
                    stack.callback(find_layer(network, one.after.module, WHO).register_forward_hook(one.take).remove)
            device = next((p.device for p in network.parameters()), x.device)
            network(x.to(device))
            samples += len(x)
    if not samples:
        raise DataError(f"{WHO}: there are no samples.")
    found = []
    for name, one in watched.items():
        module = find_layer(network, name, WHO)
        twins = _duplicates(_weights(module), getattr(module, "groups", 1), duplicate_cosine)
        found.append(one.result(name, dead_share, saturated_share, twins))
    return FilterHealth(tuple(found), samples, dead_share, saturated_share, duplicate_cosine)


class _Watched:
    """Counts over one layer's values before its nonlinearity."""

    def __init__(self, after: Nonlinearity) -> None:
        self.after = after
        self.count = 0
        self.off, self.at_limit, self.smallest, self.largest = (torch.zeros(0, dtype=torch.float64),) * 4

    def take(self, module: nn.Module, given: Any, output: Tensor) -> None:
        values = output.detach().double().cpu()
        linear = isinstance(module, nn.Linear)  # its channels are the last axis
        values = (values.movedim(-1, 0) if linear else values.movedim(1, 0)).flatten(1)
        if not bool(values.isfinite().all()):
            raise DataError(f"{WHO}: {self.after.module!r} computes numbers that are not finite: are the weights?")
        if not self.count:
            self.off, self.at_limit = torch.zeros(2, len(values), dtype=torch.float64)
            self.smallest, self.largest = values.amin(1), values.amax(1)
        self.count += values.shape[1]
        self.off += self.after.is_off(values).sum(1)
        self.at_limit += self.after.is_saturated(values).sum(1)
        self.smallest = torch.minimum(self.smallest, values.amin(1))
        self.largest = torch.maximum(self.largest, values.amax(1))

    def result(
        self, name: str, dead_share: float, saturated_share: float, twins: tuple[tuple[int, int, float], ...]
    ) -> LayerHealth:
        off, limited = self.off / max(self.count, 1), self.at_limit / max(self.count, 1)
        magnitude = max(float(self.largest.abs().max()), float(self.smallest.abs().max()))
        still = (self.largest - self.smallest) <= CONSTANT * magnitude
        constant = still if not self.after.name else torch.zeros_like(still)
        dead = off >= dead_share if self.after.off is not None else torch.zeros_like(still)
        saturated = limited >= saturated_share if self._limited else torch.zeros_like(still)
        lists = [tuple(torch.nonzero(which).flatten().tolist()) for which in (dead, saturated, constant)]
        return LayerHealth(
            layer=name,
            then=self.after.name,
            measured=self.after.module,
            off=off.numpy(),
            at_limit=limited.numpy(),
            dead=lists[0],
            saturated=lists[1],
            constant=lists[2],
            duplicates=twins,
        )

    @property
    def _limited(self) -> bool:
        return self.after.low is not None or self.after.high is not None


def _watch(network: nn.Module, x: Tensor, layers: Iterable[str] | None) -> dict[str, _Watched]:
    followed = trace(network, [torch.empty_like(x[:1], device="meta")], who=WHO)
    names = [name for name in weighted_layers(network) if name]
    if layers is not None:
        names = list(layers)
        for name in names:
            _weights(find_layer(network, name, WHO))
    elif len(names) > 1:
        names = names[:-1]
    after = {name: nonlinearity_after(followed, name) for name in names}
    return {name: _Watched(one) for name, one in after.items() if one is not None}


def _weights(module: Any) -> Tensor:
    if not is_convolution(module) and not isinstance(module, nn.Linear):
        raise OptionError(f"{WHO}: a {type(module).__name__} has no filters, expected convolutions and linear layers.")
    return filters_of(module) if is_convolution(module) else module.weight.detach().float().cpu()


def _duplicates(weight: Tensor, groups: int, least: float) -> tuple[tuple[int, int, float], ...]:
    each = len(weight) // groups
    found = []
    for group in range(groups):
        rows = F.normalize(weight[group * each : (group + 1) * each].flatten(1).double())
        cosines = (rows @ rows.T).tril(-1).masked_fill(torch.ones(each, each).triu().bool(), -2.0)
        for one in range(1, each):
            other = int(cosines[one].argmax())
            if float(cosines[one, other]) >= least:
                cosine = min(round(float(cosines[one, other]), 6), 1.0)
                found.append((group * each + one, group * each + other, cosine))
    return tuple(found)


def _batches(batches: Any, contract: Any, limit: int | None) -> Iterator[Tensor]:
    if isinstance(batches, Source | str | Path | tuple | Tensor | np.ndarray):
        yield from (x for _, x in SampleStream(contract, batches, limit=limit, who=WHO))
        return
    if limit is not None:
        raise OptionError(f"{WHO}: limit is {limit}, but has no effect on an iterable of batches.")
    for batch in batches:
        yield as_samples(batch[0] if isinstance(batch, tuple | list) else batch, WHO)
