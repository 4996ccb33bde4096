"""`compile_inference`: a network for prediction alone, on the engine that is fastest here and proven to agree."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from lenrek.errors import ModelError, OptionError, ShapeError
from lenrek.optimization.module import TYPES, Optimized, optimize
from lenrek.optimization.program import MissingEngineError, NotConvertedError, export_program
from lenrek.optimization.to_onnx import OnnxRunner, to_onnx
from lenrek.optimization.to_openvino import OpenVinoRunner, has_bfloat16, to_openvino

# The largest difference from PyTorch's float32, as a share of its largest output: a few hundred roundings of float32,
# a dozen of bfloat16, whose unit is 2⁻⁸ and which every layer makes at least once.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
MANY = 64  # samples of the larger batch that is measured
MOST_VALUES = 1 << 22  # at the input of it: large images are measured by fewer
REQUIRED_GAIN = 1.05  # noise must not choose another engine
MOST_S = 1.0  # PyTorch's time for it, about: slow networks are measured by fewer
MEASURE_S = 0.3  # per batch size and engine, where calls are short
BURST_S = 0.03  # an engine at a time, so that it does not meet the waiting threads of the one before
MIN_BURSTS = 2
HOPELESS = 3.0  # an engine whose first burst is so much slower than the best is not measured again

Run = Callable[[Tensor], Tensor]


@dataclass
class Engine:
    """One way to run a network.

    Attributes:
        name: "PyTorch", "lenrek", or another library with its version.
        dtype: in which it computes.
        times_s: the least time that a batch of so many samples took.
    """

    name: str
    dtype: torch.dtype
    run: Run
    times_s: dict[int, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} in {str(self.dtype).removeprefix('torch.')}"


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
    x = x[: max(2, int(2 * MOST_S / _burst(plain.run, x[:2])))]
    truth = plain.run(x)
    engines, notes = [plain], []
    for engine, problem in _others(network, input_size, dtype, x.device):
        if engine is not None:
            problem = _disagreement(engine, x, truth)
        if engine is None or problem:
            notes.append(problem)
        else:
            engines.append(engine)
    _measure(engines, x)
    chosen = {batch: _fastest(engines, batch) for batch in plain.times_s}
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


class InPyTorch:
    """Runs a module of PyTorch's without recording anything for gradients."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __call__(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            y = self.network(x)
        # A copy out of inference mode, so that the caller may do anything with it.
        return y.to(torch.float32, copy=y.is_inference())


def _check_outputs(network: nn.Module, x: Tensor) -> None:
    with torch.inference_mode():
        y = network(x)
    if not isinstance(y, Tensor) or not y.ndim or len(y) != len(x):
        found = f"shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise ModelError(
            f"compile_inference: the network returns {found} for {len(x)} samples, expected one tensor ({len(x)}, …)."
        )


def _others(
    network: nn.Module, input_size: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> list[tuple[Engine | None, str]]:
    """Every engine beside PyTorch's plain float32, or why there is none."""
    own = [torch.float32] if dtype == torch.float32 else [torch.float32, torch.bfloat16]
    found: list[tuple[Engine | None, str]] = [
        (Engine("lenrek", type_, InPyTorch(optimize(network, type_, keep_memory_mapped=False))), "") for type_ in own
    ]
    if device.type != "cpu":
        return [*found, (None, f"the network is on {device}")]
    try:
        program = export_program(network, input_size)
    except NotConvertedError as error:
        return [*found, (None, str(error))]
    for runners in (_openvino, _onnx):
        try:
            found += [(Engine(runner.name, type_, runner), "") for type_, runner in runners(program, own)]
        except (MissingEngineError, NotConvertedError) as error:
            found.append((None, " ".join(str(error).split())))
    return found


def _openvino(program: ExportedProgram, dtypes: list[torch.dtype]) -> list[tuple[torch.dtype, OpenVinoRunner]]:
    model = to_openvino(program)
    usable = [type_ for type_ in dtypes if type_ == torch.float32 or has_bfloat16()]
    return [(type_, OpenVinoRunner(model, type_)) for type_ in usable]


def _onnx(program: ExportedProgram, dtypes: list[torch.dtype]) -> list[tuple[torch.dtype, OnnxRunner]]:
    return [(torch.float32, OnnxRunner(to_onnx(program).SerializeToString()))]


def _disagreement(engine: Engine, x: Tensor, truth: Tensor) -> str:
    """How the engine's outputs, for many samples and for one, are not PyTorch's; empty where they are."""
    tolerance = TOLERANCE[engine.dtype]
    for batch in (len(x), 1):
        y, expected = engine.run(x[:batch]), truth[:batch]
        if y.shape != expected.shape:
            return f"{engine} returns {tuple(y.shape)} instead of {tuple(expected.shape)}"
        difference, largest = (y - expected).abs().max().item(), expected.abs().max().item()
        if not difference <= tolerance * largest:  # NaN is no agreement
            return (
                f"{engine} differs from PyTorch by {difference:.2g} where outputs reach {largest:.2g}; "
                f"at most {tolerance:g} of that is accepted"
            )
    return ""


def _measure(engines: list[Engine], x: Tensor) -> None:
    """Fill in `times_s`: the engines in turn, in bursts, so that a drifting machine hits all alike."""
    for batch in (1, len(x)):
        samples, start, bursts, hopeful = x[:batch], time.perf_counter(), 0, engines
        while bursts < MIN_BURSTS or time.perf_counter() - start < MEASURE_S * len(engines):
            for engine in hopeful:
                engine.times_s[batch] = min(_burst(engine.run, samples), engine.times_s.get(batch, float("inf")))
            least = min(engine.times_s[batch] for engine in engines)
            hopeful = [engine for engine in engines if engine.times_s[batch] <= HOPELESS * least]
            bursts += 1


def _burst(run: Run, x: Tensor) -> float:
    """The least time of some calls in a row; of one, where it takes long."""
    times: list[float] = []
    while sum(times) < BURST_S:
        start = time.perf_counter()
        run(x)
        times.append(time.perf_counter() - start)
    return min(times)


def _fastest(engines: list[Engine], batch: int) -> Engine:
    chosen = engines[0]
    for engine in engines[1:]:
        if engine.times_s[batch] * REQUIRED_GAIN < chosen.times_s[batch]:
            chosen = engine
    return chosen


def _reason(plain: Engine, engines: list[Engine], chosen: dict[int, Engine], notes: list[str]) -> str:
    """Which engine serves which batches, how fast all of them were, and what is said of those not used."""
    parts = []
    for batch, engine in chosen.items():
        speeds = ", ".join(f"{e} {plain.times_s[batch] / e.times_s[batch]:.2f}×" for e in engines)
        parts.append(f"{engine} for {batch} {'sample' if batch == 1 else 'samples'} ({speeds})")
    return "; ".join((*parts, *notes))
