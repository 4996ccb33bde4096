"""Writing into a view changes what it is a view of, and every other view of that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch.utils._pytree import tree_map

from lenrek.explain.fields.form import Form
from lenrek.explain.fields.join import beside, placed
from lenrek.explain.fields.span import Span, compressed
from lenrek.explain.record import Call, Volume


class Memory:
    """The spans of all volumes so far, and which is a view of which."""

    def __init__(self) -> None:
        self.spans: dict[Volume, Span] = {}
        self._views: dict[Volume, tuple[Volume, Call, int]] = {}  # → what it is a view of, by which call, its place

    def keep(self, call: Call, spans: list[Span], again: Callable[[Call], list[Span]]) -> None:
        """The results of a call; `again` computes the spans of an earlier call anew."""
        outputs = [volume for volume in call.outputs if volume is not None]
        self.spans.update(zip(outputs, spans, strict=True))
        subject = next(iter(call.inputs), None)
        if call.operator.is_view and subject is not None:
            for place, volume in enumerate(outputs):
                if volume.storage == subject.storage:
                    self._views[volume] = (subject, call, place)
        for old in call.written:
            new = next((volume for volume in outputs if volume.storage == old.storage), None)
            if new is not None:
                self._replace(old, new, again)

    def _replace(self, old: Volume, new: Volume, again: Callable[[Call], list[Span]]) -> None:
        """A volume has been written: `new` takes the place of `old` between what it views and its own views."""
        if old in self._views:
            self._views[new] = self._views.pop(old)
        for view, (subject, call, place) in list(self._views.items()):
            if subject is old:
                self._views[view] = (new, _of(call, old, new), place)
        root = new
        while root in self._views:
            subject, call, place = self._views[root]
            self.spans[subject] = _written(self.spans[subject], call, place, self.spans[root])
            root = subject
        for view, (subject, call, place) in self._views.items():  # in the order in which they were made
            if view.storage == new.storage and subject.storage == new.storage and view is not new:
                self.spans[view] = again(call)[place]


def _of(call: Call, old: Volume, new: Volume) -> Call:
    """The same view of the volume that has taken the place of another."""
    args, kwargs = tree_map(lambda value: new if value is old else value, (call.args, call.kwargs))
    return replace(call, args=args, kwargs=kwargs)


def _written(whole: Span, call: Call, place: int, part: Span) -> Span:
    """The volume of which a view has been written."""
    if whole.unknown or part.unknown:
        return replace(whole, unknown=whole.unknown or part.unknown)
    ends = []
    for before, written in ((whole.first, part.first), (whole.last, part.last)):
        full = before.expand(whole.shape).clone()
        made: Any = call.operator(full, *call.args[1:], **call.kwargs)
        view = made if not isinstance(made, list | tuple) else made[place]
        view.copy_(written.expand(part.shape))
        ends.append(compressed(full))
    return Span(whole.shape, ends[0], ends[1], _written_form(whole, call, part))


def _written_form(whole: Span, call: Call, part: Span) -> Form | str | None:
    if part.shape == whole.shape:  # all of it, unless the order differs
        return part.form if call.name in ("aten.slice", "aten.alias", "aten.detach") else "written in another order"
    if call.name not in ("aten.slice", "aten.select"):
        return "written in parts"
    given = dict(zip([argument.name for argument in call.operator._schema.arguments], call.args, strict=False))
    axis = given.get("dim", 0) % len(whole.shape)
    size = whole.shape[axis]
    if call.name == "aten.slice":
        places = range(size)[given.get("start") : given.get("end") : given.get("step", 1)]
        return beside(whole.form, placed(part.form, axis, size, places.start, places.step))
    form = part.inserted(axis).form
    return beside(whole.form, placed(form, axis, size, given["index"] % size))
