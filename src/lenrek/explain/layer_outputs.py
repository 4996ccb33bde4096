"""What layers compute on the way, by their names; the network is left as it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lenrek.errors import LenrekError, ModelError, OptionError, ShapeError
from lenrek.explain.layer_names import missing_layer
from lenrek.ops.mode import in_mode

Network = Callable[[Tensor], Tensor]


class LayerOutputs:
    """A network that also returns what some of its layers compute, in evaluation mode and without gradients.

    Use it in a `with` statement; after it the hooks are gone, and every part has its own mode again.

    Args:
        model: a module, or for an output alone any function.
        layers: names as in `model.named_modules()`, of each its first run, with "#2" behind it its second; "" is the
            output of the whole. With `inputs` set, what goes into them instead.
        who: the public function that asks, for its error messages.
    Raises:
        ModelError: no such layer.
    Example:
        >>> model = nn.Sequential(nn.ReLU(), nn.Flatten())
        >>> with LayerOutputs(model, ["0"], who="example") as run:
        ...     output, (features,) = run(torch.tensor([[[-1.0, 2.0]]]))
        >>> output, features
        (tensor([[0., 2.]]), tensor([[[0., 2.]]]))
    """

    def __init__(self, model: Network, layers: Sequence[str], *, inputs: bool = False, who: str) -> None:
        self.model, self.layers, self.inputs, self.who = model, layers, inputs, who
        self.runs = {name: find_run(model, name, who) for name in layers if name}
        held = next(model.parameters(), None) if isinstance(model, nn.Module) else None
        self.device = torch.device("cpu") if held is None else held.device
        self._seen: dict[str, Any] = {}
        self._times = Counter[str]()
        self._stack = ExitStack()

    def __enter__(self) -> LayerOutputs:
        self._stack.enter_context(in_mode(self.model, training=False))
        self._stack.enter_context(torch.no_grad())
        for name, (module, _) in self.runs.items():
            if self.inputs:
                hook = module.register_forward_pre_hook(lambda module, args, name=name: self._keep(name, args[0]))
            else:
                hook = module.register_forward_hook(lambda module, args, out, name=name: self._keep(name, out))
            self._stack.callback(hook.remove)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def __call__(self, x: Tensor) -> tuple[Any, list[Tensor]]:
        """The network's output, and that of each layer asked for.

        Raises:
            ModelError: a layer that did not run, or whose output is no tensor with one entry per sample.
            ShapeError: the network refused samples of this shape.
        """
        self._seen.clear()
        self._times.clear()
        output = run_network(self.model, x.to(self.device), self.who)
        return output, [self._checked(name, output if not name else self._seen.get(name), x) for name in self.layers]

    def _keep(self, name: str, value: Any) -> None:
        self._times[name] += 1
        if self._times[name] == self.runs[name][1]:
            self._seen[name] = value.clone() if isinstance(value, Tensor) else value  # the next layer may write into it

    def _checked(self, name: str, value: Any, x: Tensor) -> Tensor:
        called = f"layer {name}" if name else "the network"
        if value is None:
            raise ModelError(f"{self.who}: {called} did not run, so that it has no output.")
        if not isinstance(value, Tensor) or value.ndim < 2 or len(value) != len(x):
            found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"type {type(value).__name__}"
            raise ModelError(
                f"{self.who}: the output of {called} is of {found}, expected a tensor ({len(x)}, channels, …) for "
                f"{len(x)} samples.\n  Hint: name another layer."
            )
        return value.cpu()


def run_network(model: Network, x: Tensor, who: str) -> Any:
    """Its output.

    Raises:
        ShapeError: the network refused samples of this shape.
    """
    try:
        return model(x)
    except LenrekError:
        raise
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ShapeError(f"{who}: the network does not take an input of shape {tuple(x.shape)}: {reason}") from error


def find_layer(model: Network, name: str, who: str) -> nn.Module:
    """The module called `name`.

    Raises:
        ModelError: there is none.
    """
    if not isinstance(model, nn.Module):
        raise ModelError(f"{who}: layer is {name!r}, but {type(model).__name__} is no module and has no layers.")
    modules = {known: module for known, module in model.named_modules() if known}
    if name in modules:
        return modules[name]
    raise missing_layer(name, list(modules), who)


def find_run(model: Network, layer: str, who: str) -> tuple[nn.Module, int]:
    """The module that `layer` names, and which of its runs: the first, or with "#2" behind the path the second.

    Raises:
        ModelError: no such module.
    Example:
        >>> find_run(nn.Sequential(nn.ReLU()), "0#2", "example")
        (ReLU(), 2)
    """
    path, _, number = layer.partition("#")
    module = model if not path and isinstance(model, nn.Module) else find_layer(model, path, who)
    return module, int(number) if number.isdecimal() else 1


def as_samples(x: Any, who: str) -> Tensor:
    """`x` as a float32 tensor (batch, channels, *size), which it should be already but for its type.

    Raises:
        ShapeError: no samples, or not of this form.
        OptionError: numbers that are not real and finite.
    """
    given = x if isinstance(x, Tensor) else torch.as_tensor(np.asarray(x))
    if given.ndim < 3 or given.numel() == 0:
        raise ShapeError(
            f"{who}: x is {tuple(given.shape)}, expected (batch, channels, *size) with at least one sample and one "
            "spatial axis."
        )
    if given.is_complex():
        raise OptionError(f"{who}: x is {given.dtype}, expected real numbers.")
    samples = given.detach().to(torch.float32)
    if not samples.isfinite().all():
        raise OptionError(f"{who}: x holds NaN or infinite values, expected finite ones.")
    return samples
