"""A forward pass on a GPU: PyTorch's compiler has the fused kernels there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

_log = logging.getLogger(__name__)


class Compiled:
    """`forward` through `torch.compile`; as it is, and a warning in the log, where the compiler fails."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self._forward = forward
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if self._compiled is None:
            self._compiled = torch.compile(self._forward)
        if self._compiled is self._forward:
            return self._forward(*inputs, **options)
        try:
            return self._compiled(*inputs, **options)
        except Exception as error:  # the compiler's, of many kinds; one of the forward pass itself comes again below
            result = self._forward(*inputs, **options)
            _log.warning("lenrek.optimize runs without torch.compile: %s", str(error).partition("\n")[0])
            self._compiled = self._forward
            return result
