"""What is written down of a network's forward pass: volumes, the operators between them, the modules around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from lenrek.errors import LenrekError


class TraceError(LenrekError):
    """A forward pass that stopped.

    Attributes:
        trace: what ran before.
        found: what the function that was called makes of it: of the type that it returns.
    """

    def __init__(self, message: str, trace: Trace, found: Any = None) -> None:
        super().__init__(message)
        self.trace, self.found = trace, found


@dataclass(frozen=True, eq=False)
class Volume:
    """One tensor at one moment: writing into a tensor makes a new volume of it.

    Attributes:
        kind: "input", "parameter", "buffer", "constant" (depends on none of them) or "computed".
        name: of an input, a parameter or a buffer; else "".
        storage: equal for volumes that share memory; views do.
        values: of a small constant, where they are known: an index, a table.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    kind: str
    name: str
    storage: int
    values: Tensor | None = None

    @property
    def size_bytes(self) -> int:
        return torch.Size(self.shape).numel() * self.dtype.itemsize


@dataclass(frozen=True, eq=False)
class Call:
    """One operator that ran.

    Attributes:
        operator: as PyTorch dispatches it, such as `torch.ops.aten.convolution.default`.
        args, kwargs: what it was given, with volumes in place of tensors.
        outputs: in the order of the operator's results; None for a result that is no tensor.
        written: volumes that it wrote into, as they were before (their present is among `outputs`).
        path: of the innermost module that was running; "" is the network itself.
        live_bytes: memory of all that was computed and still alive just after, arguments included; the network's inputs
            and parameters not. 0 where gradients are recorded.
    """

    operator: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Volume | None, ...]
    written: tuple[Volume, ...]
    path: str
    live_bytes: int

    @property
    def name(self) -> str:
        """Without overload: "aten.convolution"."""
        return str(self.operator.overloadpacket)

    @property
    def inputs(self) -> list[Volume]:
        return [leaf for leaf in tree_leaves((self.args, self.kwargs)) if isinstance(leaf, Volume)]


@dataclass(eq=False)
class ModuleCall:
    """One run of a module; a shared module has several.

    Attributes:
        path: its first name in the network, "" for the network itself.
        module: the module, to ask for its type and description.
        inputs, outputs: the volumes it was given, and returned (none if it stopped).
        first, last: its operators are `trace.calls[first:last]`, those of the modules inside included.
        depth: 0 for the network itself.
    """

    path: str
    module: nn.Module
    inputs: list[Volume]
    first: int
    depth: int
    last: int = -1
    outputs: list[Volume] = field(default_factory=list)


@dataclass(eq=False)
class Trace:
    """All of one forward pass, in the order in which things began.

    Attributes:
        kept: storage → bytes of what was computed and is still alive when `forward` has returned: its outputs and,
            recorded as in training, what the gradient needs. Empty if it stopped.
    """

    inputs: list[Volume]
    calls: list[Call] = field(default_factory=list)
    modules: list[ModuleCall] = field(default_factory=list)
    kept: dict[int, int] = field(default_factory=dict)

    @property
    def outputs(self) -> list[Volume]:
        return self.modules[0].outputs if self.modules else []
