"""`compile_inference`: a network for prediction alone, on the engine that is fastest here and proven to agree."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lenrek.errors import ModelError, OptionError, ShapeError
from lenrek.optimization.engines import TOLERANCE, Engine, InPyTorch, disagreement, other_engines
from lenrek.optimization.module import TYPES, Optimized
from lenrek.optimization.race import burst, fastest, race

MANY = 64  # samples of the larger batch that is measured
MOST_VALUES = 1 << 22  # at the input of it: large images are measured by fewer
MOST_S = 1.0  # PyTorch's time for it, about: slow networks are measured by fewer


class CompiledInference:
    """A network for prediction; made by `compile_inference`.

    Attributes:
        input_size: (channels, *size).
        engines: for each measured number of samples the engine that serves it; a batch goes to the nearest (by ratio).
        reason: which engine, how much faster than PyTorch, and why not another.
    """

    def __init__(self, plain: Engine, engines: dict[int, Engine], input_size: tuple[int, ...], reason: str) -> None:
        self.engines, self.input_size, self.reason = engines, input_size, reason
        self._runs = {0: plain.run}  # by number of samples, as they come

    def __call__(self, x: Tensor) -> Tensor:
        """The network's output for `x` (batch, *input_size) of a floating type: float32, without gradient.

        Raises:
            ShapeError: another size.
            OptionError: not a floating type.
        """
        if x.shape[1:] != self.input_size:
            wanted = ", ".join(map(str, ("batch", *self.input_size)))
            raise ShapeError(
                f"compile_inference: x is {tuple(x.shape)}, but the network was compiled for ({wanted}).\n"
                "  Hint: compile it once for every size."
            )
        if not x.is_floating_point():
            raise OptionError(
                f"compile_inference: x is {x.dtype}, expected a floating type.\n"
                "  Hint: scale and normalise it as in training."
            )
        batch = len(x)
        if batch not in self._runs:
            self._runs[batch] = self.engine(batch).run
        if x.dtype != torch.float32 or x.requires_grad:
            x = x.detach().to(torch.float32)
        return self._runs[batch](x)

    def engine(self, batch: int) -> Engine:
        """What serves `batch` samples, at least 1."""
        return self.engines[min(self.engines, key=lambda size: max(size / batch, batch / size))]

    def __repr__(self) -> str:
        return f"CompiledInference(input_size={self.input_size}, {self.reason})"


def compile_inference(
    model: nn.Module,
    input_size: Sequence[int],
    *,
    dtype: torch.dtype = torch.bfloat16,
    example: Tensor | None = None,
) -> CompiledInference:
    """`model` for prediction alone: a callable from batches to outputs, on the fastest engine that agrees with PyTorch.

    The engines are PyTorch, lenrek's own fast paths (`optimize`) and, where they are installed, OpenVINO and ONNX
    Runtime. Each is run here and now on one sample and on a large batch, which takes some seconds. One that differs
    from PyTorch in float32 by more than its type allows (see `TOLERANCE`) is not used; of the others the fastest
    serves: one for small batches, one for large.

    Args:
        model: takes one tensor and returns one, sample by sample. It is copied as it is now, in evaluation mode: what
            becomes of it later changes nothing.
        input_size: (channels, *size) of one sample.
        dtype: `torch.bfloat16` allows it where it is faster; with `torch.float32` nothing is rounded further.
        example: normalised samples (n, channels, *size), on which the engines are compared; by default noise.
    Returns:
        Outputs are float32, whatever computed them; `reason` tells what did.
    Raises:
        OptionError: not a module, or another dtype.
        ShapeError: `input_size` has no axes, or `example` another size.
        ModelError: `model` does not return one tensor with an output for each sample.
    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 5, 3))
        >>> fast = compile_inference(net, (1, 8, 7), dtype=torch.float32)
        >>> x = torch.randn(5, 1, 8, 7)
        >>> bool(torch.allclose(fast(x), net(x), atol=1e-4))
        True
    """
    if not isinstance(model, nn.Module):
        raise OptionError(f"compile_inference: model is {type(model).__name__}, expected a torch.nn.Module.")
    if dtype not in TOLERANCE:
        raise OptionError(f"compile_inference: dtype is {dtype}, expected one of {', '.join(map(str, TYPES))}.")
    network = copy.deepcopy(model.plain() if isinstance(model, Optimized) else model).eval().requires_grad_(False)
    x = _samples(tuple(input_size), example, next(network.parameters(), torch.empty(0)).device)
    input_size = tuple(x.shape[1:])
    plain = Engine("PyTorch", torch.float32, InPyTorch(network))
    _check_outputs(network, x[:2])
    x = x[: max(2, int(2 * MOST_S / burst(plain.run, x[:2])))]
    truth = plain.run(x)
    engines, notes = [plain], []
    for engine, problem in other_engines(network, input_size, dtype, x.device):
        if engine is not None:
            problem = disagreement(engine, x, truth)
        if engine is None or problem:
            notes.append(problem)
        else:
            engines.append(engine)
    race(engines, x)
    chosen = {batch: fastest(engines, batch) for batch in plain.times_s}
    return CompiledInference(plain, chosen, input_size, _reason(plain, engines, chosen, notes))


def _samples(input_size: tuple[int, ...], example: Tensor | None, device: torch.device) -> Tensor:
    """Samples for the larger batch: those of the example, repeated, or noise that leaves PyTorch's generator alone."""
    if not input_size or any(length < 1 for length in input_size):
        raise ShapeError(f"compile_inference: input_size is {input_size}, expected (channels, *size), each at least 1.")
    values = torch.Size(input_size).numel()
    batch = min(MANY, max(2, MOST_VALUES // values))
    if example is None:
        return torch.randn(batch, *input_size, generator=torch.Generator().manual_seed(0)).to(device)
    if tuple(example.shape[1:]) != input_size or not len(example):
        raise ShapeError(
            f"compile_inference: example is {tuple(example.shape)}, but input_size asks for (at least 1, "
            f"{', '.join(map(str, input_size))})."
        )
    return example.detach().to(device, torch.float32)[torch.arange(batch) % len(example)]


def _check_outputs(network: nn.Module, x: Tensor) -> None:
    with torch.inference_mode():
        y = network(x)
    if not isinstance(y, Tensor) or not y.ndim or len(y) != len(x):
        found = f"shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise ModelError(
            f"compile_inference: the network returns {found} for {len(x)} samples, expected one tensor ({len(x)}, …)."
        )


def _reason(plain: Engine, engines: list[Engine], chosen: dict[int, Engine], notes: list[str]) -> str:
    """Which engine serves which batches, how fast all of them were, and what is said of those not used."""
    parts = []
    for batch, engine in chosen.items():
        speeds = ", ".join(f"{e} {plain.times_s[batch] / e.times_s[batch]:.2f}×" for e in engines)
        parts.append(f"{engine} for {batch} {'sample' if batch == 1 else 'samples'} ({speeds})")
    return "; ".join((*parts, *notes))
