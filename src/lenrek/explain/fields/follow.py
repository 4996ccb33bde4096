"""Goes once through a trace, for one axis of one input."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from lenrek.explain.fields import rules_index, rules_shape, rules_union, rules_window  # noqa: F401 (they register)
from lenrek.explain.fields.memory import Memory
from lenrek.explain.fields.rules import Asked, apply
from lenrek.explain.fields.span import Span, input_itself, nothing
from lenrek.explain.record import Call, Trace, Volume


def follow(
    trace: Trace,
    number: int,
    axis: int,
    buffers: Mapping[str, Tensor],
    seen: Callable[[int, Callable[[Volume], Span]], None],
) -> None:
    """What every volume depends on along an axis of an input.

    Args:
        number, axis: the input `trace.inputs[number]`, and which of its axes.
        buffers: the network's, by name: tables of indices have their values there.
        seen: called before the first call with 0, and after each with how many have run, and with a function that tells
            a volume's span at that moment.
    """
    memory = Memory()
    followed = trace.inputs[number]
    in_size = followed.shape[axis]
    memory.spans[followed] = input_itself(followed.shape, axis)

    def span(volume: Volume) -> Span:
        if volume not in memory.spans:
            memory.spans[volume] = nothing(volume.shape)
        return memory.spans[volume]

    def values(volume: Volume) -> Tensor | None:
        known = buffers.get(volume.name) if volume.kind == "buffer" else volume.values
        return None if known is None or known.is_meta else known

    def results(call: Call) -> list[Span]:
        return [found.settled(in_size) for found in apply(Asked(call, span, values, in_size))]

    seen(0, span)
    for done, call in enumerate(trace.calls, 1):
        if any(volume is not None for volume in call.outputs):
            memory.keep(call, results(call), results)
        seen(done, span)
