"""Synthesised inputs: what makes a channel, a direction or a class as large as it can be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lenrek.data.shown import counted
from lenrek.drawing.sheet import Row, Sheet
from lenrek.drawing.tile import Tile
from lenrek.errors import ModelError, OptionError
from lenrek.explain.evidence.network import check_count, looked_into
from lenrek.explain.features.fourier import Values, spectrum_scale
from lenrek.explain.features.objective import Objective
from lenrek.explain.features.sample_tile import sample_tile
from lenrek.explain.features.shaking import shaken
from lenrek.explain.features.strongest_sample import StrongestSample, strongest_samples
from lenrek.explain.inputs import InputSize, inputs_of
from lenrek.explain.network_of import contract_of, plain_network
from lenrek.explain.up_to import up_to

WHO = "synthesize"
START_SD = 0.05  # of the numbers before they are squashed into the range of values
TRIES = 6  # to start where the gradient is not zero, each with four times the spread: at last areas with sharp edges


@dataclass(frozen=True, eq=False)
class Synthesis:
    """An input made for one objective. A notebook shows `sheet()`.

    Attributes:
        objective: what it was made for.
        x: (channels, *size), as the network takes it.
        values: the same as the contract scales it: pixels 0 to 1, sound −1 to 1.
        limits: the smallest and largest value that was allowed, (channels, 1, …) each.
        activation: the objective's value for x, unshaken.
        start: its value where it began, at noise.
        strongest: the same objective's largest value on data; None where none were given.
        note: what went wrong: a gradient that is zero.
    """

    objective: Objective
    x: np.ndarray
    values: np.ndarray
    limits: tuple[np.ndarray, np.ndarray]
    activation: float
    start: float
    strongest: StrongestSample | None
    note: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the input."""
        told: dict[str, Any] = {
            "objective": self.objective.name,
            "activation": self.activation,
            "start": self.start,
        }
        if self.strongest is not None:
            data = self.strongest
            told["data"] = {"largest": data.value, "sample": data.name, "samples": data.samples}
        return {**told, **({"note": self.note} if self.note else {})}

    def tile(self, side: float = 160) -> Tile:
        """The input with its name and activation; `side` in px."""
        lines = [self.objective.name, f"{self.activation:.3g}"]
        if self.strongest is not None:
            lines[1] += f", data at most {self.strongest.value:.3g}"
        lines += [self.note] if self.note else []
        low, high = self.limits
        pixels = np.rint(255 * (self.values - low) / (high - low)).astype(np.uint8)
        pixels = self.values if self.values.ndim == 2 else pixels
        return sample_tile(pixels, f"synthesised input for {self.objective.name}", lines, side=side)

    def sheet(self) -> Sheet:
        return synthesis_sheet([self])

    def _repr_svg_(self) -> str:
        return self.sheet().to_svg()


def synthesis_sheet(found: Sequence[Synthesis]) -> Sheet:
    """Several synthesised inputs side by side."""
    data = next((one.strongest for one in found if one.strongest is not None), None)
    note = (
        "Each input was made from noise to raise the objective under it, over its Fourier coefficients and through "
        "small shifts, scalings and turns. It shows one thing that raises it, not the only one, and lies outside the "
        "data: compare it with the strongest patches."
    )
    if data is not None:
        note += f" The second number is the largest value of {counted(data.samples, 'real sample')}."
    return Sheet("Synthesised inputs", note, [Row([one.tile() for one in found])])


def synthesize(
    model: Any,
    objective: Objective,
    *,
    size: InputSize | None = None,
    data: Any = None,
    limit: int | None = None,
    steps: int = 256,
    learning_rate: float = 0.05,
    decay: float = 1.0,
    robustness: float = 1.0,
    seed: int = 0,
) -> Synthesis:
    """Activation maximisation: an input of legal values that makes the objective large.

    Adam climbs over the input's Fourier coefficients, each scaled by 1 / frequency, so that coarse structure grows as
    fast as fine; the colours of photos are decorrelated; in every step the input is shifted, scaled and turned a
    little, so that what works for one exact placement alone does not grow. Of a layer without rectifier the mean of a
    channel is a mean of the input: name the layer behind it, or one position.

    Args:
        model: a network or a `lenrek.Classifier`, run in evaluation and left as it was.
        objective: `channel(layer, i)`, `direction(layer, vector)` or `class_logit(i)`.
        size: (channels, *size); by default of the model's contract. Objectives on maps allow others.
        data: a source, what `lenrek.open_source` takes, or a tensor as the network takes it: the objective is computed
            for each sample, too, so that the result can be told from what real samples reach.
        limit: of data, at most so many samples, evenly spaced.
        steps, learning_rate: of Adam.
        decay: the power of the frequency that coefficients are divided by; 0 is no preference.
        robustness: multiplies the shaking: 1 is up to a sixteenth of each axis, a tenth of the size, ten degrees. 0 is
            none, which finds inputs that look like noise.
        seed: of the start and the shaking. The same seed gives the same input on one machine.
    Raises:
        ModelError: no such layer, or one that does not depend on the input through a gradient.
        OptionError: no such channel, or an option out of range.
    Source: Olah, Mordvintsev & Schubert 2017, doi:10.23915/distill.00007; Mahendran & Vedaldi 2016, arXiv:1512.02017.
    Example: what raises a difference most is a step from the smallest to the largest value that is allowed.
        >>> from lenrek.explain.features.objective import channel
        >>> conv = nn.Conv1d(1, 1, 2, bias=False)
        >>> _ = conv.weight.data.copy_(torch.tensor([[[-1.0, 1.0]]]))
        >>> one = channel("0", 0, position=(3,))
        >>> found = synthesize(nn.Sequential(conv), one, size=(1, 8), robustness=0, steps=200)
        >>> found.activation > 5.5, found.values[0, 3:5].round().tolist()
        (True, [-3.0, 3.0])
    """
    check_count("steps", steps, WHO)
    for name, given in (("decay", decay), ("robustness", robustness)):
        if not 0 <= given < math.inf:
            raise OptionError(f"{WHO}: {name} is {given}, expected a finite number of at least 0.")
    if not 0 < learning_rate < math.inf:
        raise OptionError(f"{WHO}: learning_rate is {learning_rate}, expected a finite number above 0.")
    if limit is not None and data is None:
        raise OptionError(f"{WHO}: limit is {limit}, but has no effect without data.")
    network, contract = plain_network(model, WHO), contract_of(model)
    (shape,) = [tuple(one.shape[1:]) for one in inputs_of(network, size, who=WHO)][:1]
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    generator = torch.Generator().manual_seed(seed)
    with looked_into(network):
        values = Values.of(contract, shape[0], len(shape) - 1)
        score = _score(network, objective)
        spectrum, gradient = _start(score, values, shape, decay, generator, device)
        optimizer = torch.optim.Adam([spectrum], lr=learning_rate)
        start = _unshaken(score, values, spectrum, shape, decay)
        for _ in range(steps if gradient else 0):
            x = values.normalised(values.free(_image(spectrum, shape, decay)))
            value = score(shaken(x[None].to(device), robustness, generator))
            (spectrum.grad,) = torch.autograd.grad(-value, spectrum)
            optimizer.step()
        activation = _unshaken(score, values, spectrum, shape, decay)
        made = values.free(_image(spectrum.detach(), shape, decay))
    note = "" if gradient else "the gradient is zero at every start: is the feature dead?"
    strongest = None if data is None else strongest_samples(model, [objective], data, limit=limit)[0]
    return Synthesis(
        objective,
        values.normalised(made).numpy(),
        made.numpy(),
        (values.low.numpy(), values.high.numpy()),
        activation,
        start,
        strongest,
        note,
    )


def _image(spectrum: Tensor, shape: tuple[int, ...], decay: float) -> Tensor:
    """Numbers without limits (channels, *size), whose standard deviation is that of the spectrum's."""
    scaled = torch.view_as_complex(spectrum) * spectrum_scale(shape[1:], decay)
    return torch.fft.irfftn(scaled, s=shape[1:], dim=tuple(range(1, len(shape))), norm="ortho")


def _score(network: nn.Module, objective: Objective) -> Any:
    """Samples → the mean of the objective; computes no more of the network than it needs."""

    def score(x: Tensor) -> Tensor:
        value = objective(up_to(network, objective.layer, x, WHO)).mean()
        if not value.requires_grad and torch.is_grad_enabled() and x.requires_grad:
            raise ModelError(f"{WHO}: {objective.name} has no gradient with respect to the input.")
        return value

    return score


def _start(
    score: Any, values: Values, shape: tuple[int, ...], decay: float, generator: torch.Generator, device: torch.device
) -> tuple[Tensor, bool]:
    """Noise, and whether the objective has a gradient there; behind rectifiers wider noise may find one."""
    for power in range(TRIES):
        half = (*shape[:-1], shape[-1] // 2 + 1, 2)
        drawn = torch.randn(half, generator=generator) * START_SD * 4**power / math.sqrt(2)
        spectrum = drawn.requires_grad_()
        x = values.normalised(values.free(_image(spectrum, shape, decay)))
        (gradient,) = torch.autograd.grad(score(x[None].to(device)), spectrum)
        if bool(gradient.any()):
            return spectrum, True
    return spectrum, False


@torch.no_grad()
def _unshaken(score: Any, values: Values, spectrum: Tensor, shape: tuple[int, ...], decay: float) -> float:
    x = values.normalised(values.free(_image(spectrum.detach(), shape, decay)))
    return float(score(x[None]))
