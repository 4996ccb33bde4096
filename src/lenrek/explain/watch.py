"""Sees every operator that a network runs, runs it on tensors without values instead, and writes it down."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakIdKeyDictionary

from lenrek.explain.record import Call, ModuleCall, Trace, Volume
from lenrek.explain.sizes import run_without_values

MOST_KNOWN_VALUES = 1 << 16  # of a constant: larger ones have no values
_aten = torch.ops.aten
TO_BE_FILLED = {_aten.zeros, _aten.ones, _aten.empty, _aten.full, _aten.empty_strided}


class Watch(TorchDispatchMode):
    """Below autograd, where functional calls, loops and any library's layers have become operators.

    Constants that the forward pass makes itself (an index, a grid) are small and keep their values, so that code which
    asks for them runs. Everything that comes from the input, a parameter or a buffer is without values.
    """

    def __init__(self, model: nn.Module, gradients: bool) -> None:
        super().__init__()
        self.trace = Trace([])
        self._gradients = gradients
        self._running: list[ModuleCall] = []
        self._operator = ""  # the one being run, in words
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._names = {id(tensor): ("parameter", name) for name, tensor in model.named_parameters()}
        self._names |= {id(tensor): ("buffer", name) for name, tensor in model.named_buffers()}
        self._volumes: Any = WeakIdKeyDictionary()  # tensor without values → its volume now
        self._stand_ins: Any = WeakIdKeyDictionary()  # tensor with values → the one without that stands for it
        self._known: Any = WeakIdKeyDictionary()  # constants made here, with values
        # → its number; a weak reference keeps the key unique
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}  # of what was computed → number of bytes

    def as_input(self, value: Any) -> Any:
        """The tensor without values that stands for an input of the network."""
        if not isinstance(value, Tensor):
            return value
        stand_in = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
        number = len(self.trace.inputs)
        self._volumes[stand_in] = self._new(stand_in, "input", f"input {number}" if number else "input")
        self.trace.inputs.append(self._volumes[stand_in])
        return stand_in

    def enter(self, module: nn.Module, inputs: Any) -> None:
        """A module begins."""
        outer = self._running[-1].path if self._running else ""
        path = self._paths.get(id(module), f"{outer}.({type(module).__name__})".lstrip("."))
        call = ModuleCall(path, module, self._seen(inputs), len(self.trace.calls), len(self._running))
        self.trace.modules.append(call)
        self._running.append(call)

    def leave(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        """A module has ended; those inside it that did not end had failed, and the failure was caught."""
        while (call := self._running.pop()).module is not module:
            pass
        call.last, call.outputs = len(self.trace.calls), self._seen(outputs)

    def where_it_stopped(self, error: Exception) -> str:
        """Module, sizes and operator where `error` came from, and what can be done."""
        call = self._running[-1] if self._running else None
        place = f"module {call.path!r} ({type(call.module).__name__})" if call and call.path else "the network itself"
        given = ", ".join(str(volume.shape) for volume in call.inputs) if call else ""
        at = f", at {self._operator}" if self._operator else ""
        hint = ""
        if self._operator.startswith(("aten._local_scalar_dense", "aten.is_nonzero", "aten.nonzero", "aten.equal")):
            hint = (
                "\n  Hint: its way depends on values (if, while, .item(), a mask), which sizes alone do not tell; "
                "pass the part of the network before or after."
            )
        elif isinstance(error, RuntimeError | ValueError | TypeError | IndexError):
            hint = "\n  Hint: is the input size right? It is (channels, *size) of one sample."
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        return f"stopped in {place} given {given or 'nothing'}{at}.\n  {reason}{hint}"

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """PyTorch asks: it would load its compiler, which takes a second, to keep it away from the method below."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if all(tensor in self._known for tensor in tensors):
            made = self._constant(func, args, kwargs, bool(tensors))
            if made is not None:
                return made
        if any(tensor in self._known for tensor in _written(func, args, kwargs)):
            raise NotImplementedError(
                f"{func} writes what depends on the input into a constant made in the forward pass"
            )
        args, kwargs = tree_map(self.without_values, (args, kwargs))
        if "device" in kwargs:
            kwargs["device"] = torch.device("meta")
        given: tuple[Any, dict[str, Any]] = tree_map(self._volume, (args, kwargs))
        written = _written(func, args, kwargs)
        self._operator = f"{func} of {', '.join(str(tuple(t.shape)) for t in tensors) or 'nothing'}"
        before = tuple(self._volume(tensor) for tensor in written)
        results = run_without_values(func, args, kwargs, written)
        for tensor in written:
            del self._volumes[tensor]  # a look at it now is another volume
        leaves = results if isinstance(results, tuple | list) else (results,)
        outputs = tuple(self._volume(leaf) if isinstance(leaf, Tensor) else None for leaf in tree_leaves(leaves))
        path = self._running[-1].path if self._running else ""
        # While gradients are recorded almost everything stays alive: looking at it after every operator takes too long.
        live_bytes = 0 if self._gradients else sum(self.still_alive().values())
        self.trace.calls.append(Call(func, *given, outputs, before, path, live_bytes))
        self._operator = ""
        return results

    def _constant(self, func: Any, args: Any, kwargs: Any, from_known: bool) -> Any:
        """The result with its values, if it depends on nothing, is small and not made to be filled; else None."""
        if torch.Tag.nondeterministic_seeded in func.tags:
            return None
        if not from_known:
            sized = func(*args, **kwargs | {"device": "meta"}) if "device" in kwargs else func(*args, **kwargs)
            filled = func.overloadpacket in TO_BE_FILLED and sized.ndim and sized.is_floating_point()
            if sized.numel() > MOST_KNOWN_VALUES or filled:
                return None
        made = func(*args, **kwargs)
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._known[leaf] = True
        return made

    def without_values(self, value: Any) -> Any:
        """What stands for a tensor that has values; whatever else as it is."""
        if not isinstance(value, Tensor) or value.is_meta:
            return value
        if value not in self._stand_ins:
            stand_in = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
            kind, name = self._names.get(id(value), ("constant", ""))
            small = kind == "constant" and value.numel() <= MOST_KNOWN_VALUES  # made outside the forward pass
            values = value if value in self._known or small else None
            stand_in.requires_grad_(value.requires_grad and value.is_leaf)
            self._stand_ins[value] = stand_in
            self._volumes[stand_in] = self._new(stand_in, kind, name, values)
        return self._stand_ins[value]

    def _volume(self, value: Any) -> Any:
        """The tensor's volume now; whatever else as it is."""
        if not isinstance(value, Tensor):
            return value
        if value not in self._volumes:
            self._volumes[value] = self._new(value, *self._names.get(id(value), ("computed", "")))
        return self._volumes[value]

    def _seen(self, values: Any) -> list[Volume]:
        leaves = (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))
        return [self._volume(self.without_values(leaf)) for leaf in leaves]

    def _new(self, tensor: Tensor, kind: str, name: str, values: Tensor | None = None) -> Volume:
        storage = tensor.untyped_storage()
        reference = StorageWeakRef(storage)
        new = reference.cdata not in self._storages
        _, number = self._storages.setdefault(reference.cdata, (reference, len(self._storages)))
        if new and kind == "computed":
            self._alive[number] = (reference, storage.nbytes())
        return Volume(tuple(tensor.shape), tensor.dtype, kind, name, number, values)

    def still_alive(self) -> dict[int, int]:
        """Storage → bytes of what was computed and somebody still holds."""
        self._alive = {number: one for number, one in self._alive.items() if not one[0].expired()}
        return {number: size for number, (_, size) in self._alive.items()}


def _written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """The arguments that an operator writes into, by its schema."""
    names = [argument.name for argument in func._schema.arguments]
    given = dict(zip(names, args, strict=False)) | kwargs
    writes = [a.name for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
    return [leaf for name in writes for leaf in tree_leaves(given.get(name)) if isinstance(leaf, Tensor)]
