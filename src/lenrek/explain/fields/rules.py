"""What each operator makes of spans: a table of rules, one file for each family of operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from lenrek.explain.fields.span import Span, nothing, united, unknown
from lenrek.explain.record import Call, Volume


@dataclass(frozen=True, eq=False)
class Asked:
    """One call, as a rule sees it.

    Attributes:
        call: the call.
        span: of each volume that the call was given.
        values: of constants and of the network's buffers, by volume; None where they are not known.
        in_size: samples of the input along the axis that is followed.
    """

    call: Call
    span: Callable[[Volume], Span]
    values: Callable[[Volume], Tensor | None]
    in_size: int

    def __getitem__(self, name: str) -> Any:
        """An argument by its name, or its default."""
        arguments = self.call.operator._schema.arguments
        for place, argument in enumerate(arguments):
            if argument.name == name:
                given = self.call.args[place] if place < len(self.call.args) else self.call.kwargs.get(name)
                return argument.default_value if given is None else given
        return None

    def of(self, name: str) -> Span:
        """The span of a volume given as the argument of this name; of a number nothing."""
        volume = self[name]
        return self.span(volume) if isinstance(volume, Volume) else nothing(())

    @property
    def subject(self) -> Span:
        """Of the first argument."""
        return self.span(self.call.args[0])

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [volume.shape for volume in self.call.outputs if volume is not None]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first result."""
        return self.shapes[0]

    def everything(self, shape: Sequence[int]) -> Span:
        """A volume whose every feature depends on all that the call was given."""
        found = [self.span(volume) for volume in self.call.inputs]
        return united([all_of(span) for span in found], shape)


Rule = Callable[[Asked], "Span | list[Span] | None"]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers a rule for operators, by names without overload and without the underscore of writing in place."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def apply(asked: Asked) -> list[Span]:
    """The spans of a call's results (those that are tensors). A rule that answers None does not know."""
    call = asked.call
    spans = [asked.span(volume) for volume in call.inputs]
    if all(span.nothing for span in spans) or _asks_for_shape_only(call):
        return [nothing(shape) for shape in asked.shapes]
    reason = next((span.unknown for span in spans if span.unknown), "")
    if reason:
        return [unknown(shape, reason) for shape in asked.shapes]
    name = plain_name(call)
    found = RULES[name](asked) if name in RULES else united(spans, asked.shape) if _is_pointwise(call) else None
    if found is None:
        where = f"module {call.path!r}" if call.path else "the network itself"
        return [unknown(shape, f"{call.name} in {where} is not known") for shape in asked.shapes]
    results = found if isinstance(found, list) else [found]
    # Further results (a mean, an index, a reserve): of these it is enough to say that they may depend on everything.
    return results + [asked.everything(shape) for shape in asked.shapes[len(results) :]]


def plain_name(call: Call) -> str:
    """ "aten.relu" of aten.relu_ too: writing in place computes the same."""
    return call.name.removesuffix("_") if call.written else call.name


def all_of(span: Span) -> Span:
    """All features' inputs together, as of a volume without axes."""
    span = span.over(range(len(span.shape)))
    for _ in span.shape:
        span = span.at(0, 0)
    return span


def _is_pointwise(call: Call) -> bool:
    if torch.Tag.pointwise in call.operator.tags:
        return True
    packet = getattr(torch.ops.aten, plain_name(call).removeprefix("aten."), None)
    return packet is not None and any(torch.Tag.pointwise in getattr(packet, o).tags for o in packet.overloads())


def _asks_for_shape_only(call: Call) -> bool:
    name = plain_name(call).removeprefix("aten.")
    return name.endswith("_like") or name.startswith("new_") or name in ("zero", "fill", "sym_size", "bernoulli")


def tensors(value: Any) -> list[Volume]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Volume)]
