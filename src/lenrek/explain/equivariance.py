"""Does a layer do to a transformed input what it did to the input, only elsewhere? Measured, as a curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from markupsafe import Markup
from torch import Tensor

from lenrek.drawing.plot import Curve, line_plot
from lenrek.errors import OptionError
from lenrek.explain.interior import fields_of, interior, output_frame
from lenrek.explain.layer_outputs import LayerOutputs, Network, as_samples
from lenrek.explain.transform import Frame, Transform
from lenrek.explain.transforms import read_transform

WHO = "equivariance"
SUM_TO_ONE = 1e-4  # outputs that are posteriors already do so


@dataclass(frozen=True)
class EquivariancePoint:
    """One size of the transform. Every error is relative; None where there is nothing to compare.

    Attributes:
        size: in the unit of the transform; None for a flip, which has no size.
        error: ‖G(T f) − T(G f)‖ / ‖T(G f)‖ over all outputs.
        interior: the same, over the outputs whose windows see neither a border nor a sample that T invented.
        interior_share: how many of the outputs these are.
        change: ‖G(T f) − G(f)‖ / ‖G(f)‖: 0 if the output is invariant.
        unchanged: for classifiers, the share of samples whose class stays.
        posterior_distance: for classifiers, the mean total variation distance ½ Σ |p − q| of the posteriors: how much
            probability has gone to other classes, 0 to 1.
    """

    size: float | None
    error: float | None
    interior: float | None
    interior_share: float
    change: float | None
    unchanged: float | None
    posterior_distance: float | None


@dataclass(frozen=True)
class Equivariance:
    """How far a layer is from equivariance, over the size of a transform.

    Attributes:
        transform: what was done to the input.
        layer: whose output was compared; "" for the network's.
        samples: how many inputs.
        step: per spatial axis, input samples from one output to the next; None where the output has no such axes.
        points: one for each size.
    """

    transform: Transform
    layer: str
    samples: int
    step: tuple[float, ...] | None
    points: tuple[EquivariancePoint, ...]

    def chart(self) -> Markup:
        """The errors over the size, as SVG."""
        columns = {"with borders": "error", "interior": "interior", "change": "change"}
        return self._drawn(f"Relative error of {self._what()}", columns, "{:.3g}".format)

    def decision_chart(self) -> Markup:
        """What becomes of a classifier's decisions over the size; empty for other networks."""
        columns = {"same class": "unchanged", "posterior": "posterior_distance"}
        return self._drawn(f"Decisions after {self._what()}", columns, "{:.3g}".format)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return {
            "transform": self.transform.name,
            **vars(self.transform),
            "unit": self.transform.unit,
            "layer": self.layer,
            "samples": self.samples,
            "step": self.step,
            "points": [asdict(point) for point in self.points],
        }

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [
            ("size", "with borders", "interior", "of outputs", "change", "same class", "posterior")
        ]
        rows += [
            (
                "" if p.size is None else f"{p.size:g}",
                *map(_figure, (p.error, p.interior)),
                f"{100 * p.interior_share:.0f} %" if p.interior_share else "",
                *map(_figure, (p.change, p.unchanged, p.posterior_distance)),
            )
            for p in self.points
        ]
        used = [column for column in zip(*rows, strict=True) if any(column[1:])]
        widths = [max(map(len, column)) for column in used]
        lines = zip(*used, strict=True)
        return "\n".join(
            [self._what()] + ["  ".join(f"{c:>{w}}" for c, w in zip(line, widths, strict=True)) for line in lines]
        )

    def _what(self) -> str:
        return f"{self.transform.describe()}{f', layer {self.layer}' if self.layer else ''}"

    def _drawn(self, title: str, columns: dict[str, str], written: Any) -> Markup:
        curves = [
            Curve(name, [(float(p.size or 0), getattr(p, column)) for p in self.points])
            for name, column in columns.items()
        ]
        return line_plot(title, self.transform.unit or "flip", curves, written, dots=True)


def equivariance(
    model: Network,
    x: Any,
    transform: str | Transform = "shift",
    sizes: Sequence[float] | None = None,
    *,
    layer: str = "",
    batch_size: int = 32,
) -> Equivariance:
    """Compare a layer's output for transformed inputs, G(T f), with its transformed output, T(G f).

    T is applied to the output in the same places as to the input: an output lies at the centre of its receptive field,
    so a shift by s inputs is one by s/stride outputs (interpolated where the stride does not divide s), and a rotation
    turns about the middle of the input. Contrast changes the output as it changes the input; of brightness the output
    is to be independent, and so is an output without spatial axes of every transform (invariance).

    Args:
        model: a module, put in evaluation mode for the time; or any function of a batch.
        x: (batch, channels, *size), as the network takes it (normalised); any number of spatial axes.
        transform: "shift", "flip", "rotation", "scaling", "contrast", "brightness", or one with its options, such as
            `Shift(axis=0, boundary="circular")` of `lenrek.explain.transforms`.
        sizes: in the unit of the transform; its usual ones if None. A flip has none.
        layer: the name of a layer to look at instead of the network's output, as in `model.named_modules()`.
        batch_size: samples at once.
    Returns:
        For each size the relative errors with borders and away from them; printed, a table.
    Raises:
        ModelError: no such layer, or its output is not one tensor.
        OptionError: an unknown transform, one that such samples do not have, sizes that mean nothing.
        ShapeError: not samples, or such as the network does not take.
    Source: Lenc & Vedaldi 2015, arXiv:1411.5908 (measuring equivariance); Azulay & Weiss 2019, arXiv:1805.12177
    (why strides break it).
    Example: a stride of 2 is equivariant to shifts by 2 samples, not by 1.
        >>> from lenrek.explain.transforms import Shift
        >>> _ = torch.manual_seed(0)
        >>> layer = torch.nn.Conv1d(1, 4, 3, stride=2, padding=1, padding_mode="circular")
        >>> found = equivariance(layer, torch.randn(8, 1, 32), Shift(boundary="circular"), sizes=(1, 2))
        >>> [round(point.error, 2) for point in found.points]
        [1.22, 0.0]
    """
    samples = as_samples(x, WHO)
    chosen = read_transform(transform, WHO)
    in_size = tuple(samples.shape[2:])
    chosen.check(in_size)
    amounts = _sizes(chosen, sizes)
    given = Frame.of_input(in_size)
    with LayerOutputs(model, [layer], who=WHO) as run:
        _, (like,) = run(samples[:1])
        output = None
        masks: list[Tensor | None] = [None] * len(amounts)
        if like.ndim == samples.ndim:
            fields = fields_of(model, samples.shape[1:], layer)
            output = output_frame(fields, tuple(like.shape[2:]), given)
            masks = [interior(chosen, amount, fields, given, output) for amount in amounts]
        sums = [_Sums() for _ in amounts]
        for batch in samples.split(batch_size):
            final, (features,) = run(batch)
            for amount, mask, total in zip(amounts, masks, sums, strict=True):
                moved_final, (moved,) = run(chosen.apply(batch, given, amount))
                expected = features if output is None else chosen.expect(features, output, amount)
                total.add(moved, expected, features, mask)
                total.add_decisions(moved_final, final)
    points = [
        total.point(amount if chosen.sizes else None, mask)
        for amount, mask, total in zip(amounts, masks, sums, strict=True)
    ]
    step = None if output is None else tuple(grid.step for grid in output.grids)
    return Equivariance(chosen, layer, len(samples), step, tuple(points))


class _Sums:
    """Squares and counts of all batches, for one size."""

    def __init__(self) -> None:
        self.squares = torch.zeros(6, dtype=torch.float64)  # difference and norm: everywhere, inside, unmoved
        self.decisions = self.same = 0
        self.moved_probability = 0.0

    def add(self, moved: Tensor, expected: Tensor, features: Tensor, mask: Tensor | None) -> None:
        moved, expected, features = moved.double(), expected.double(), features.double()
        inside = torch.zeros(()) if mask is None else mask
        parts = (
            moved - expected, expected, (moved - expected) * inside, expected * inside, moved - features, features
        )  # fmt: skip
        self.squares += torch.stack([part.square().sum() for part in parts])

    def add_decisions(self, moved: Any, still: Any) -> None:
        if not isinstance(still, Tensor) or still.ndim != 2 or still.shape[1] < 2:
            return
        p, q = _posteriors(moved), _posteriors(still)
        self.decisions += len(p)
        self.same += int((p.argmax(1) == q.argmax(1)).sum())
        self.moved_probability += 0.5 * (p - q).abs().sum().item()

    def point(self, size: float | None, mask: Tensor | None) -> EquivariancePoint:
        share = 0.0 if mask is None else mask.double().mean().item()
        return EquivariancePoint(
            size=size,
            error=self._ratio(0),
            interior=self._ratio(2) if share else None,
            interior_share=share,
            change=self._ratio(4),
            unchanged=self.same / self.decisions if self.decisions else None,
            posterior_distance=self.moved_probability / self.decisions if self.decisions else None,
        )

    def _ratio(self, first: int) -> float | None:
        difference, norm = self.squares[first : first + 2].sqrt().tolist()
        return difference / norm if norm else None if difference else 0.0


def _sizes(transform: Transform, sizes: Sequence[float] | None) -> list[float]:
    """The checked sizes, ascending; a transform without sizes is done once."""
    if not transform.sizes:
        if sizes is not None:
            raise OptionError(f"{WHO}: a {transform.name} has no size, but sizes={list(sizes)} were given.")
        return [0.0]
    chosen = list(transform.sizes if sizes is None else sizes)
    if not chosen:
        raise OptionError(f"{WHO}: sizes is empty, expected at least one size in {transform.unit}.")
    for size in chosen:
        if isinstance(size, bool) or not isinstance(size, int | float) or not abs(size) < float("inf"):
            raise OptionError(f"{WHO}: sizes holds {size!r}, expected finite numbers, in {transform.unit}.")
    transform.check_sizes(chosen)
    return sorted(map(float, chosen))


def _posteriors(output: Tensor) -> Tensor:
    """Outputs as probabilities: as they are where they are some already, else their softmax."""
    output = output.detach().double().cpu()
    already = (output >= 0).all() and ((output.sum(1) - 1).abs() < SUM_TO_ONE).all()
    return output if already else output.softmax(1)


def _figure(value: float | None) -> str:
    """Three digits that count, plain where that is short.

    >>> _figure(0.123456), _figure(3.2e-8), _figure(0.0), _figure(None)
    ('0.123', '3.2e-08', '0', '')
    """
    return "" if value is None else f"{value:.3g}"
