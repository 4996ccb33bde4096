"""The rows of a summary: every run of a module, and every operator that runs outside the innermost modules."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from math import prod
from typing import Any

from torch import nn

from lenrek.explain.layer_words import options_of
from lenrek.explain.layers import Layer, layers_of
from lenrek.explain.macs import macs
from lenrek.explain.record import Call, ModuleCall, Trace, Volume
from lenrek.geometry.cost import dense_cost


@dataclass(frozen=True)
class Row:
    """One run of a module, with all that runs inside it, or one operator. Counts and bytes are of the whole batch.

    Attributes:
        name: the module's path, with "#2" for its second run; an operator is named by the module that runs it and by
            itself. "" is the network.
        label: the name below the module around it.
        depth: 0 for the network.
        kind: "module" or "operator".
        type, options: of the module, in words; of an operator its name.
        inputs, outputs: shapes, batch included.
        parameters: those that learn; what several modules share counts for the first.
        frozen: those that do not.
        macs: multiply-accumulates of the operators that have a known count.
        not_counted: the others, and how often each ran.
        live_bytes: the most that is alive at a time while it runs in inference, the network's input included.
        kept_bytes: what a training step keeps of its results for the gradient; None where that is not known.
        dense_weights: of a convolution: the weights that a fully connected layer between its two volumes would have.
        field: per axis of the network's input, the receptive field of the output's features in input samples; "whole",
            or the kind of field that has no such number. Empty where it was not followed.
        innermost: whether no row lies below it.
        shared: a module whose parameters all count in an earlier row.
    """

    name: str
    label: str
    depth: int
    kind: str
    type: str
    options: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    parameters: int
    frozen: int
    macs: int
    live_bytes: int
    kept_bytes: int | None
    not_counted: dict[str, int] = dataclasses.field(default_factory=dict)
    dense_weights: int | None = None
    field: tuple[int | str, ...] = ()
    innermost: bool = True
    shared: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def rows_of(
    model: nn.Module, found: Trace, training: Trace | None, fields: Mapping[str, tuple[int | str, ...]]
) -> list[Row]:
    """The rows of `found`, a run as in inference, what it keeps in `training`, and what each row sees."""
    owned = _parameters_by_module(model)
    counts = [macs(call) for call in found.calls]
    until = [0, *accumulate(count or 0 for count in counts)]
    held = sum(volume.size_bytes for volume in found.inputs)
    layers = layers_of(found)
    kept = {} if training is None else _kept(training, layers)
    rows = []
    for one in layers:
        calls = found.calls[one.first : one.end]
        repeated = isinstance(one.ran, ModuleCall) and one.name != one.ran.path
        own = [sizes for path, sizes in owned if _is_within(path, one)] if not repeated else []
        convolutions = [call for call in calls if call.name == "aten.convolution"] if one.innermost else []
        unknown = (call.name for call, count in zip(calls, counts[one.first : one.end], strict=True) if count is None)
        live = max(
            (call.live_bytes for call in calls), default=found.calls[one.first - 1].live_bytes if one.first else 0
        )
        rows.append(
            Row(
                name=one.name,
                **_words(one),
                depth=one.depth,
                inputs=_shapes(one.ran.inputs),
                outputs=_shapes(one.ran.outputs),
                parameters=sum(learning for learning, _ in own),
                frozen=sum(frozen for _, frozen in own),
                macs=until[one.end] - until[one.first],
                live_bytes=held + live,
                kept_bytes=kept.get(one.name),
                not_counted=dict(Counter(unknown)),
                dense_weights=_dense_weights(convolutions[0]) if len(convolutions) == 1 else None,
                field=fields.get(one.name, ()),
                innermost=one.innermost,
                shared=not own and isinstance(one.ran, ModuleCall) and any(True for _ in one.ran.module.parameters()),
            )
        )
    return rows


def _words(one: Layer) -> dict[str, str]:
    if isinstance(one.ran, Call):
        return {"label": one.type, "kind": "operator", "type": one.type, "options": ""}
    below = one.ran.path.removeprefix(f"{one.around}.") if one.around else one.ran.path
    return {
        "label": (below or one.ran.path) if one.depth else one.type,
        "kind": "module",
        "type": one.type,
        "options": options_of(one.ran.module) if one.innermost else "",
    }


def _shapes(volumes: Sequence[Volume | None]) -> tuple[tuple[int, ...], ...]:
    return tuple(volume.shape for volume in volumes if volume is not None)


def _parameters_by_module(model: nn.Module) -> list[tuple[str, tuple[int, int]]]:
    """For each parameter the path of its first module, and its size as learning or as frozen."""
    return [
        (name.rpartition(".")[0], (one.numel(), 0) if one.requires_grad else (0, one.numel()))
        for name, one in model.named_parameters()
    ]


def _is_within(path: str, one: Layer) -> bool:
    if isinstance(one.ran, Call):
        return False
    return not one.ran.path or path == one.ran.path or path.startswith(f"{one.ran.path}.")


def _kept(training: Trace, wanted: Sequence[Layer]) -> dict[str, int]:
    """Row → bytes of the volumes first made in it that the training step keeps.

    Operators of which training runs more or fewer than inference (dropout as a function) have no entry.
    """
    seen: set[int] = set()
    until = [0]
    for call in training.calls:
        made = {volume.storage for volume in call.outputs if volume is not None and volume.kind == "computed"} - seen
        seen |= made
        until.append(until[-1] + sum(training.kept.get(storage, 0) for storage in made))
    layers = layers_of(training)
    ran, asked = (Counter(one.name.partition("#")[0] for one in some) for some in (layers, wanted))
    return {
        one.name: until[one.end] - until[one.first]
        for one in layers
        if isinstance(one.ran, ModuleCall) or ran[one.name.partition("#")[0]] == asked[one.name.partition("#")[0]]
    }


def _dense_weights(call: Call) -> int:
    """Weights of a fully connected layer between the volumes of a convolution, for one sample."""
    x, y = call.inputs[0].shape, next(volume.shape for volume in call.outputs if volume is not None)
    return dense_cost(prod(x[1:]), prod(y[1:]), bias=False).parameters
