"""Many samples through a finished network: on a compiled engine, once that is sure to pay off."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lenrek.data.normalise import normalise
from lenrek.training.loop import Step

if TYPE_CHECKING:
    from lenrek.optimization.inference import CompiledInference

PYTORCH = "PyTorch"
PAYS_OFF_S = 30.0  # what PyTorch still has to do, at least: compiling takes seconds, for large networks ten and more
BATCHES_TIMED = 2  # PyTorch's first batch is slower than the others


@dataclass
class EngineStep(Step):
    """A `Step` that looks for a faster engine when PyTorch would take long; its answers are the same but for rounding.

    Attributes:
        remaining: samples still to come.
        reason: which engine ran, and why.
        compile_s: time taken to find and compile it.
    """

    remaining: int
    reason: str = field(default=PYTORCH, init=False)
    compile_s: float = field(default=0.0, init=False)
    _compiled: CompiledInference | None = field(default=None, init=False)
    _batches: int = field(default=0, init=False)
    _sample_s: float = field(default=float("inf"), init=False)  # the least so far

    def logits(self, x: Tensor) -> Tensor:
        if self._compiled is not None:
            return self._compiled(normalise(x, self.contract))
        start = time.perf_counter()
        logits = super().logits(x)
        self._sample_s = min(self._sample_s, (time.perf_counter() - start) / len(x))
        self._batches += 1
        self.remaining -= len(x)
        if self._batches == BATCHES_TIMED and self._sample_s * self.remaining > PAYS_OFF_S and self._has_engines():
            self._compile(x)
        return logits

    def _has_engines(self) -> bool:
        return self.device.type == "cpu" and any(map(find_spec, ("openvino", "onnxruntime")))

    def _compile(self, x: Tensor) -> None:
        from lenrek.optimization.inference import compile_inference

        start = time.perf_counter()
        size = (self.contract.channels, *self.contract.size)
        with torch.inference_mode(False):  # exporters want ordinary tensors
            self._compiled = compile_inference(
                self.network, size, dtype=torch.float32, example=normalise(x, self.contract)
            )
        self.reason = self._compiled.reason
        self.compile_s = time.perf_counter() - start
