"""Receptive fields of any network, by following its operators: exact, with branches, borders and several axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from lenrek.errors import OptionError
from lenrek.explain.fields.follow import follow
from lenrek.explain.fields.span import Span
from lenrek.explain.inputs import InputSize, inputs_of
from lenrek.explain.layer_field import LayerField, axes_of
from lenrek.explain.layer_names import missing_layer
from lenrek.explain.layers import Layer, layers_of
from lenrek.explain.receptive_text import as_table
from lenrek.explain.record import Trace, TraceError, Volume
from lenrek.explain.trace import trace
from lenrek.ops.mode import in_mode

WHO = "receptive_field"


class ReceptiveFields:
    """What every layer of a network sees, along each axis of its input. `print` shows a table.

    Attributes:
        layers: every run of a module, and every operator that runs outside the innermost modules, in their order;
            without those whose output does not depend on the input.
        input_shapes: of the network's inputs, for a batch of one sample.
    """

    def __init__(self, layers: list[LayerField], input_shapes: list[tuple[int, ...]]) -> None:
        self.layers = layers
        self.input_shapes = input_shapes

    def __getitem__(self, name: str) -> LayerField:
        """A layer by its name; "" is the network itself.

        Raises:
            ModelError: there is none of this name.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise missing_layer(name, [layer.name for layer in self.layers if layer.name], WHO)

    def box(
        self, position: Sequence[int], layer: str | None = None, *, clipped: bool = True, input: int = 0
    ) -> tuple[range, ...]:
        """The inputs that a feature sees, from the first to the last along each axis of the input.

        Args:
            position: (row, column), or however many axes the layer's output has after batch and channels; with the
                channel before them for that channel alone. () where there are none.
            layer: its name; by default the network's output.
            clipped: only inputs that exist, exactly. False: as if the input and the features had no borders.
            input: which of the network's inputs.
        Returns:
            A range per axis; an empty one where the feature depends on nothing.
        Raises:
            ModelError: no such layer.
            OptionError: no such position, or nothing is known of it.
        Example:
            >>> found = receptive_field(nn.Conv2d(3, 8, 5, stride=2, padding=2), (3, 32, 32))
            >>> found.box((0, 3)), found.box((0, 3), clipped=False)
            ((range(0, 3), range(4, 9)), (range(-2, 3), range(4, 9)))
        """
        return self[layer or ""].box(position, clipped=clipped, input=self._number(input))

    def reaches(self, pixel: Sequence[int], layer: str | None = None, *, input: int = 0) -> tuple[range, ...]:
        """The features that an input reaches, from the first to the last along each axis of the layer's output.

        Args:
            pixel: (row, column), or a position along every axis of the input after batch and channels.
            layer, input: as for `box`.
        Example:
            >>> receptive_field(nn.Conv2d(3, 8, 5, stride=2, padding=2), (3, 32, 32)).reaches((4, 0))
            (range(1, 4), range(0, 2))
        """
        number = self._number(input)
        sizes = [self.input_shapes[number][axis] for axis in axes_of(self.input_shapes[number])]
        if len(pixel) != len(sizes) or not all(0 <= at < n for at, n in zip(pixel, sizes, strict=True)):
            raise OptionError(
                f"{WHO}: pixel is {tuple(pixel)}, expected one position for each axis of the input, "
                f"below {tuple(sizes)}."
            )
        return self[layer or ""].reaches(pixel, input=number)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: sizes, strides, starts and centres in input samples, per layer and axis."""
        return {
            "inputs": [list(shape) for shape in self.input_shapes],
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def __str__(self) -> str:
        return as_table(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.layers)} layers>"

    def _number(self, input: int) -> int:
        if not 0 <= input < len(self.input_shapes):
            raise OptionError(f"{WHO}: input is {input}, but the network has {len(self.input_shapes)}.")
        return input


def receptive_field(
    model: nn.Module, input_size: InputSize | Tensor | Sequence[Tensor] | None = None
) -> ReceptiveFields:
    """What every layer of `model` sees of its input: size, stride and centre of every feature's receptive field.

    The network's operators are followed one by one, so that functional calls, branches, residuals, unequal axes,
    transposed and resized features, attention and norms count as what they compute. Whatever the weights are: a weight
    that happens to be zero, or a mask, is not looked at. An operator that is not known makes what follows "unknown".

    Args:
        model: any network; it is run as in evaluation (batch norm depends on its own sample alone), on sizes only.
        input_size: (channels, *size); for several inputs one such tuple each, or example tensors. By default the
            model's own contract.
    Raises:
        TraceError: the forward pass failed; its `found` tells the layers before.
        ShapeError: a size that is none.
    Source: Araujo, Norris & Sim 2019, doi:10.23915/distill.00021.
    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.MaxPool2d(2))
        >>> found = receptive_field(model, (3, 32, 32))
        >>> field = found["1"].fields[0]
        >>> str(field.size), str(field.stride), str(field.start), str(field.centre)
        ('5', '4', '-1', '1')
    """
    inputs = inputs_of(model, input_size, who=WHO)
    with in_mode(model, training=False):
        try:
            found, stopped = trace(model, inputs, who=WHO), None
        except TraceError as error:
            found, stopped = error.trace, error
    fields = ReceptiveFields(_layers(found, model), [volume.shape for volume in found.inputs])
    if stopped is not None:
        raise TraceError(str(stopped), found, fields) from stopped
    return fields


def _layers(found: Trace, model: nn.Module) -> list[LayerField]:
    layers = [(layer, output) for layer in layers_of(found) if (output := _output(layer)) is not None]
    spans: list[list[list[Span]]] = [[[] for _ in found.inputs] for _ in layers]
    buffers = dict(model.named_buffers())
    ending: dict[int, list[int]] = {}  # after so many operators these layers are complete
    for place, (layer, _) in enumerate(layers):
        ending.setdefault(layer.end, []).append(place)
    for number, volume in enumerate(found.inputs):
        for axis in axes_of(volume.shape):

            def look(done: int, span: Callable[[Volume], Span], number: int = number) -> None:
                for place in ending.get(done, ()):
                    spans[place][number].append(span(layers[place][1]))

            follow(found, number, axis, buffers, look)
    shapes = tuple(volume.shape for volume in found.inputs)
    return [
        LayerField(
            name=layer.name,
            type=layer.type,
            shape=output.shape,
            innermost=layer.innermost,
            spans=tuple(map(tuple, seen)),
            input_shapes=shapes,
        )
        for (layer, output), seen in zip(layers, spans, strict=True)
        # What is made of weights alone is no layer.
        if not layer.depth or not all(span.nothing for axes in seen for span in axes)
    ]


def _output(layer: Layer) -> Volume | None:
    """The first volume that the layer returned."""
    return next((volume for volume in layer.ran.outputs if volume is not None), None)
