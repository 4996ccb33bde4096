"""What a network is, before it is trained: its layers, their volumes, parameters, arithmetic and memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lenrek.errors import ModelError
from lenrek.explain.inputs import InputSize, inputs_of
from lenrek.explain.layer_field import AxisField
from lenrek.explain.receptive import receptive_field
from lenrek.explain.record import Trace, TraceError
from lenrek.explain.summary_page import as_page
from lenrek.explain.summary_rows import Row, rows_of
from lenrek.explain.summary_text import as_text
from lenrek.explain.trace import trace
from lenrek.ops.mode import in_mode

WHO = "summary"


@dataclass(frozen=True)
class Totals:
    """Of the whole network and batch; bytes of what is computed include the input.

    Attributes:
        parameters, frozen: those that learn and those that do not, shared ones counted once.
        unused: those of them that this forward pass does not touch.
        parameter_bytes, buffer_bytes: what the parameters, and other stored tensors such as running means, take.
        macs: multiply-accumulates of the operators whose count is known.
        not_counted: the others, and how often each ran.
        inference_bytes: the most that is alive at a time in inference.
        training_bytes: what a training step keeps for the gradient; None where `training_unknown` says why not.
    """

    parameters: int
    frozen: int
    unused: int
    parameter_bytes: int
    buffer_bytes: int
    macs: int
    not_counted: dict[str, int]
    inference_bytes: int
    training_bytes: int | None
    training_unknown: str = ""


@dataclass(frozen=True)
class Share:
    """A part of the network: its share of the parameters, and of the multiply-accumulates."""

    name: str
    parameters: float
    macs: float


@dataclass(frozen=True)
class Summary:
    """The layers of a network with what they cost. `print` shows a table; a notebook, too.

    Attributes:
        type: of the network.
        inputs: shapes, batch included.
        batch_size: samples.
        rows: every run of a module, and every operator outside the innermost modules, in the order of running.
        totals: of the whole network.
        complete: False where the forward pass stopped; then the rows are those before.
    """

    type: str
    inputs: tuple[tuple[int, ...], ...]
    batch_size: int
    rows: list[Row]
    totals: Totals
    complete: bool = True
    _model: nn.Module | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> Row:
        """A row by its name; "" is the network itself."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"{name!r}; there are {', '.join(repr(row.name) for row in self.rows[:12])} …")

    @property
    def parts(self) -> list[Share]:
        """Where parameters and arithmetic are: the top parts of the network, in the order of running."""
        parameters, macs = Counter[str](), Counter[str]()
        for depth in range(1, max((row.depth for row in self.rows), default=0) + 1):
            for row in self.rows:
                if row.depth == depth and row.kind == "module":
                    name = row.name.partition("#")[0]  # all runs of a module together
                    parameters[name] += row.parameters + row.frozen
                    macs[name] += row.macs
            if len(parameters) > 1:
                break
            parameters.clear()
            macs.clear()
        of, work = max(1, self.totals.parameters + self.totals.frozen), max(1, self.totals.macs)
        return [Share(name, number / of, macs[name] / work) for name, number in parameters.items()]

    def at(
        self, input_size: InputSize | Tensor | Sequence[Tensor] | None = None, batch_size: int | None = None
    ) -> Summary:
        """The same network with inputs of another size, or another number of them.

        Example:
            >>> found = summary(nn.Conv2d(3, 8, 3), (3, 10, 10))
            >>> found.totals.macs, found.at((3, 18, 18)).totals.macs, found.at(batch_size=5).totals.macs
            (13824, 55296, 69120)
        """
        if self._model is None:
            raise ModelError("summary: the network that this summary is of is not known any more.")
        if input_size is None:
            input_size = [shape[1:] for shape in self.inputs]
        return summary(self._model, input_size, self.batch_size if batch_size is None else batch_size)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: `totals`, `parts` and `rows`, in numbers and bytes."""
        return {
            "type": self.type,
            "inputs": [list(shape) for shape in self.inputs],
            "batch_size": self.batch_size,
            "complete": self.complete,
            "totals": vars(self.totals),
            "parts": [vars(part) for part in self.parts],
            "rows": [row.to_dict() for row in self.rows],
        }

    def to_text(self, *, width: int | None = 100, depth: int | None = None) -> str:
        """The table.

        Args:
            width: in characters; names that do not fit are cut. None: lines are as long as they need.
            depth: rows no deeper than this; the network itself has depth 0.
        """
        return as_text(self, width, depth)

    def to_html(self) -> str:
        """A page that needs nothing else."""
        return as_page(self)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from markupsafe import escape

        return f"<pre>{escape(self.to_text())}</pre>"


def summary(
    model: nn.Module, input_size: InputSize | Tensor | Sequence[Tensor] | None = None, batch_size: int = 1
) -> Summary:
    """Layers, volumes, parameters, multiply-accumulates and memory of any network, without computing anything.

    The network runs on tensors without values, once as in inference and once as in training, and its operators are
    watched: functional calls, branches, loops and shared modules count as what they do. What an operator costs that is
    not known is not counted, and named in `totals.not_counted`.

    Args:
        model: any network; left as it was.
        input_size: (channels, *size) of one sample; for several inputs one such tuple each, or example tensors, batch
            included. By default the model's own contract.
        batch_size: samples; any number, as nothing is computed.
    Returns:
        `print` shows a table; `rows`, `totals`, `parts`, `to_dict()`, `to_html()`, `at(…)`.
    Raises:
        TraceError: the forward pass failed: at which module, given what; its `found` is the summary up to there.
        ShapeError: a size that is none, or none is known.
        ModelError: a network whose parameters have no sizes yet.
    Example: LeNet's convolutions do most of the work, its classifier has most of the parameters.
        >>> from lenrek.models.create import create_model
        >>> found = summary(create_model("lenet5", num_classes=10, in_channels=1), (1, 32, 32))
        >>> found.totals.parameters, found.totals.macs
        (61706, 558120)
        >>> [(part.name, round(part.parameters, 2), round(part.macs, 2)) for part in found.parts]
        [('features', 0.04, 0.89), ('classifier', 0.96, 0.11)]
    """
    lazy = [name for name, parameter in model.named_parameters() if is_lazy(parameter)]
    if lazy:
        raise ModelError(
            f"{WHO}: parameter {lazy[0]!r} has no size yet.\n  Hint: run the network once on a sample, then ask again."
        )
    inputs = inputs_of(model, input_size, batch_size, who=WHO)
    stopped: TraceError | None = None
    with in_mode(model, training=False):
        try:
            found = trace(model, inputs, who=WHO)
        except TraceError as error:
            found, stopped = error.trace, error
    training, unknown = (None, "the forward pass stopped") if stopped else _training_step(model, inputs)
    fields = {} if stopped else _receptive_fields(model, inputs)
    rows = rows_of(model, found, training, fields)
    summarised = Summary(
        type=rows[0].type if rows else type(model).__name__,
        inputs=tuple(volume.shape for volume in found.inputs),
        batch_size=found.inputs[0].shape[0] if found.inputs and found.inputs[0].shape else batch_size,
        rows=rows,
        totals=_totals(model, found, training, unknown, rows),
        complete=stopped is None,
        _model=model,
    )
    if stopped is not None:
        raise TraceError(str(stopped), found, summarised) from stopped
    return summarised


def _training_step(model: nn.Module, inputs: Sequence[Tensor]) -> tuple[Trace | None, str]:
    """The trace as in training, or why there is none: batch normalisation refuses a single value per channel."""
    with in_mode(model, training=True):
        try:
            return trace(model, inputs, gradients=True, who=WHO), ""
        except TraceError as error:
            lines = str(error).splitlines()
            place = lines[0].removeprefix(f"{WHO}: stopped in ").partition(" given")[0]
            return None, f"{place}: {lines[1].strip()}"


def _receptive_fields(model: nn.Module, inputs: Sequence[Tensor]) -> dict[str, tuple[int | str, ...]]:
    """Row → the size per axis of what its features see of the first input; a word where that is no whole number."""
    samples = [one[:1] if one.ndim else one for one in inputs]  # of one sample as of many
    try:
        layers = receptive_field(model, samples).layers
    except TraceError:  # a network for this number of samples alone
        return {}
    return {layer.name: tuple(map(_size, layer.fields)) for layer in layers}


def _size(seen: AxisField) -> int | str:
    whole = seen.kind in ("regular", "part") and seen.size is not None and seen.size.denominator == 1
    return int(seen.size) if whole and seen.size is not None else "varies" if seen.kind == "regular" else seen.kind


def _totals(model: nn.Module, found: Trace, training: Trace | None, unknown: str, rows: Sequence[Row]) -> Totals:
    parameters = list(model.named_parameters())
    used = {volume.name for call in found.calls for volume in call.inputs if volume.kind == "parameter"}
    held = sum(volume.size_bytes for volume in found.inputs)
    return Totals(
        parameters=sum(one.numel() for _, one in parameters if one.requires_grad),
        frozen=sum(one.numel() for _, one in parameters if not one.requires_grad),
        unused=sum(one.numel() for name, one in parameters if name not in used),
        parameter_bytes=sum(one.numel() * one.element_size() for _, one in parameters),
        buffer_bytes=sum(one.numel() * one.element_size() for one in model.buffers()),
        macs=rows[0].macs if rows else 0,
        not_counted=rows[0].not_counted if rows else {},
        inference_bytes=held + max((call.live_bytes for call in found.calls), default=0),
        training_bytes=None if training is None else held + sum(training.kept.values()),
        training_unknown=unknown,
    )
