"""`lenrek find-convolution MODEL`: which layers of a network are convolutions in disguise, and of which kernel?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lenrek.cli.console import emit, table
from lenrek.cli.pictures import check_picture, write_pictures
from lenrek.cli.subject import find_subject, parse_axes
from lenrek.errors import OptionError

WHO = "find-convolution"


def find_convolution(
    model: Annotated[str, typer.Argument(help="An architecture, a run's folder or a model file.")],
    layer: Annotated[
        str | None, typer.Option(help="One linear layer, of any kind. Default: all fully connected ones.")
    ] = None,
    input: Annotated[
        str | None, typer.Option(help="Of --layer: the volume that it reads, 16x5x5. Default: as in the network.")
    ] = None,
    output: Annotated[
        str | None, typer.Option(help="Of a fully connected --layer: the volume of its outputs, 4x14x14.")
    ] = None,
    stride: Annotated[int | None, typer.Option(min=1, help="Of --layer. Default: looked for.")] = None,
    tolerance: Annotated[
        float | None, typer.Option(min=0, help="How far from a convolution, in shares of its norm, still is one.")
    ] = None,
    size: Annotated[str | None, typer.Option(help="Input size of an architecture: 96 or 64x96.")] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Of the input of an architecture. Default: 3.")] = None,
    out: Annotated[Path | None, typer.Option(help="Draw the kernel of --layer: a .svg or .html file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line and layer.")] = False,
) -> None:
    """Is a linear layer a convolution? Its kernel, stride and boundary; or how far it is from one, and where."""
    import torch

    from lenrek.explain.convolution_picture import draw_deviation, draw_kernel
    from lenrek.explain.find_convolution import find_convolution as find
    from lenrek.explain.layer_convolutions import LayerConvolution, input_of, layer_convolutions

    check_picture(out, WHO)
    if layer is None:
        for option, given in (("--input", input), ("--output", output), ("--stride", stride), ("--out", out)):
            if given is not None:
                raise OptionError(f"{WHO}: {option} {given} has no effect on all layers.\n  Hint: name one by --layer.")
    in_shape, out_shape = parse_axes(input, "--input", WHO, "x"), parse_axes(output, "--output", WHO, "x")
    subject = find_subject(model, size, channels, WHO)
    torch.manual_seed(0)  # weights of a network that has not been trained
    network = subject.make()
    if layer is None:
        rows = []
        for one in layer_convolutions(network, subject.shape, tolerance=tolerance):
            if json:
                emit(one.to_json())
            rows.append([one.name, "×".join(map(str, one.in_shape)), str(one)])
        if not json:
            table(["layer", "input", "is it a convolution?"], rows)
        return
    in_shape = input_of(network, subject.shape, layer) if in_shape is None else in_shape
    module = network.get_submodule(layer)
    found = find(module, in_shape, out_shape, stride=stride, tolerance=tolerance)
    if out is not None:
        charts = [
            ("The kernel, in the sense of correlation: not flipped.", draw_kernel(found)),
            ("How far the weights of each output are from it.", draw_deviation(found)),
        ]
        write_pictures(out, f"{layer} of {model} as a convolution", charts, str(found))
    if json:
        emit(LayerConvolution(layer, type(module).__name__, in_shape, found).to_json())
    else:
        print(found)
