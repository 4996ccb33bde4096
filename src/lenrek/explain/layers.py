"""What a network consists of for a reader: every run of a module, and every operator outside the innermost modules."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lenrek.explain.layer_words import operator_of, type_of
from lenrek.explain.record import Call, ModuleCall, Trace

SILENT = {"aten.clone", "aten._unsafe_view", "aten._to_copy", "aten.copy_", "aten.lift_fresh"}  # move, compute nothing


@dataclass(frozen=True)
class Layer:
    """`calls[first:end]` of a trace, which one module run or one operator made.

    Attributes:
        name: the module's path, with "#2" for its second run; an operator is named by the module that runs it and by
            itself. "" is the network.
        ran: the module's run, or the operator.
        depth: 0 for the network.
        around: path of the module around it.
        innermost: whether no other layer lies in it.
    """

    name: str
    ran: ModuleCall | Call
    first: int
    end: int
    depth: int
    around: str
    innermost: bool

    @property
    def type(self) -> str:
        return operator_of(self.ran) if isinstance(self.ran, Call) else type_of(self.ran.module)


def layers_of(found: Trace) -> list[Layer]:
    """The layers, in the order in which they began."""
    ends = [len(found.calls) if run.last < 0 else run.last for run in found.modules]
    around = [0] * len(found.calls)  # number of the innermost module run at every operator
    for number, (run, end) in enumerate(zip(found.modules, ends, strict=True)):
        around[run.first : end] = [number] * (end - run.first)
    has_below = [
        number + 1 < len(ends) and found.modules[number + 1].depth > run.depth
        for number, run in enumerate(found.modules)
    ]
    shown = [_is_shown(call) for call in found.calls]
    if has_below and not has_below[0]:
        has_below[0] = sum(shown) > 1  # a network that is one module: its operators, where there are several
    starts: list[tuple[int, int, Layer]] = []
    times = Counter[str]()

    def numbered(name: str) -> str:
        times[name] += 1
        return f"{name}#{times[name]}" if times[name] > 1 else name

    outer = [""]  # paths of the module runs that have begun, one per depth
    for number, (run, end) in enumerate(zip(found.modules, ends, strict=True)):
        outer[run.depth :] = [run.path]
        path = outer[run.depth - 1] if run.depth else ""
        starts.append(
            (run.first, 0, Layer(numbered(run.path), run, run.first, end, run.depth, path, not has_below[number]))
        )
    for place, call in enumerate(found.calls):
        if found.modules and shown[place] and has_below[around[place]]:
            depth = found.modules[around[place]].depth + 1
            name = numbered(f"{call.path}.{call.name.partition('.')[2]}".strip("."))
            starts.append((place, 1, Layer(name, call, place, place + 1, depth, call.path, True)))
    return [layer for *_, layer in sorted(starts, key=lambda start: start[:2])]


def _is_shown(call: Call) -> bool:
    return bool(call.inputs) and not call.operator.is_view and call.name not in SILENT
