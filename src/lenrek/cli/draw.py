"""`lenrek draw`: convolution arithmetic and networks as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenrek.cli.console import emit
from lenrek.cli.operation import WHO, check_groups, read_input, read_kernel, read_options, read_window
from lenrek.errors import OptionError

if TYPE_CHECKING:
    from lenrek.drawing.scene.drawing import Drawing

Input = Annotated[str | None, typer.Option("--input", help="Its size: 12, 7x5 or 4x6x5. Default: 5x6.")]
Samples = Annotated[
    str | None, typer.Option(help="Its numbers instead: 1,2,3;4,5,6 row by row, or a .npy file (channels, *size).")
]
Channels = Annotated[int | None, typer.Option("--in-channels", min=1, help="Of the input. Default: 1.")]
Kernel = Annotated[str, typer.Option(help="Its size: 3 or 3x2.")]
Weights = Annotated[str | None, typer.Option(help="The kernel's numbers, as --samples.")]
Groups = Annotated[int, typer.Option(min=1, help="Blocks of channels that are convolved apart.")]
OutChannels = Annotated[int | None, typer.Option(min=1, help="Of the output. Default: one per group.")]
Stride = Annotated[str | None, typer.Option(help="In samples: 2, or one per axis: 2,1.")]
PaddingText = Annotated[
    str | None, typer.Option(help="valid, same, full, causal, 1; or one per axis, such as 2,same or 0+1,2.")
]
Dilation = Annotated[str | None, typer.Option(help="In samples: 2, or one per axis: 1,2.")]
BoundaryText = Annotated[
    str | None, typer.Option(help="What the padding holds: zeros, reflect, symmetric, replicate, circular or a number.")
]
Flipped = Annotated[bool, typer.Option("--convolve", help="Lay the kernel over the input flipped.")]
Show = Annotated[str, typer.Option(help="numbers, colours or both.")]
Title = Annotated[str | None, typer.Option(help="Above the picture. Default: the operation's name.")]
Step = Annotated[int | None, typer.Option(min=0, help="Which output a .svg or .png shows, from 0.")]
Animate = Annotated[bool, typer.Option("--animate", help="All steps in the .svg.")]
Seconds = Annotated[float | None, typer.Option(help="For each step of a .gif or --animate. Default: 1.")]
Theme = Annotated[str, typer.Option(help="auto, light or dark.")]
Out = Annotated[Path | None, typer.Option(help="A .svg, .png, .gif or .html file.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object: the numbers of input, kernel and output.")]


def convolution(
    input_: Input = None,
    kernel: Kernel = "3",
    stride: Stride = None,
    padding: PaddingText = None,
    dilation: Dilation = None,
    groups: Groups = 1,
    boundary: BoundaryText = None,
    in_channels: Channels = None,
    out_channels: OutChannels = None,
    samples: Samples = None,
    weights: Weights = None,
    convolve: Flipped = False,
    show: Show = "numbers",
    title: Title = None,
    step: Step = None,
    animate: Animate = False,
    seconds: Seconds = None,
    theme: Theme = "auto",
    out: Out = None,
    json: Json = False,
) -> None:
    """Every output of a correlation (what deep learning calls convolution): what it reads, the products, their sum."""
    from lenrek.drawing.arithmetic.draw import draw_convolution

    x, (channels, *size) = read_input(input_, samples, in_channels, groups)
    ndim = len(size)
    weight = read_kernel(kernel, weights, ndim, lambda size: (out_channels or groups, channels // groups, *size))
    check_groups(channels, groups)
    options = read_options(ndim, stride=stride, padding=padding, dilation=dilation, boundary=boundary)
    drawing = draw_convolution(
        x, weight, groups=groups, operation="convolve" if convolve else "correlate",
        show=show, title=title, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    _deliver(drawing, out, step, animate, seconds, theme, json)


def transposed(
    input_: Input = None,
    kernel: Kernel = "3",
    stride: Stride = None,
    padding: PaddingText = None,
    output_padding: Annotated[str | None, typer.Option(help="Samples added at the end: 1, or one per axis.")] = None,
    dilation: Dilation = None,
    groups: Groups = 1,
    boundary: BoundaryText = None,
    in_channels: Channels = None,
    out_channels: OutChannels = None,
    samples: Samples = None,
    weights: Weights = None,
    convolve: Flipped = False,
    show: Show = "numbers",
    title: Title = None,
    step: Step = None,
    animate: Animate = False,
    seconds: Seconds = None,
    theme: Theme = "auto",
    out: Out = None,
    json: Json = False,
) -> None:
    """Every output of a transposed convolution: the input with zeros between its samples, and what is read of it."""
    from lenrek.drawing.arithmetic.draw import draw_transposed

    x, (channels, *size) = read_input(input_, samples, in_channels, groups)
    ndim = len(size)
    outs = out_channels or groups
    check_groups(outs, groups, "--out-channels")
    weight = read_kernel(kernel, weights, ndim, lambda size: (channels, outs // groups, *size))
    check_groups(channels, groups)
    options = read_options(
        ndim, stride=stride, padding=padding, output_padding=output_padding, dilation=dilation, boundary=boundary
    )
    drawing = draw_transposed(
        x, weight, groups=groups, operation="convolve" if convolve else "correlate",
        show=show, title=title, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    _deliver(drawing, out, step, animate, seconds, theme, json)


def pooling(
    input_: Input = None,
    kernel: Annotated[str, typer.Option(help="The window's size: 2 or 3x2.")] = "2",
    stride: Annotated[str | None, typer.Option(help="In samples: 2, or one per axis. Default: the window's.")] = None,
    padding: PaddingText = None,
    dilation: Dilation = None,
    boundary: Annotated[
        str | None, typer.Option(help="What the padding holds, or ignore. Default: ignore for max, else zeros.")
    ] = None,
    kind: Annotated[str, typer.Option(help="max, average or norm.")] = "max",
    norm: Annotated[float | None, typer.Option(help="Of --kind norm, at least 1. Default: 2.")] = None,
    ceil: Annotated[bool, typer.Option("--ceil", help="One more window where samples remain.")] = False,
    in_channels: Channels = None,
    samples: Samples = None,
    show: Show = "numbers",
    title: Title = None,
    step: Step = None,
    animate: Animate = False,
    seconds: Seconds = None,
    theme: Theme = "auto",
    out: Out = None,
    json: Json = False,
) -> None:
    """Every output of a pooling: the samples of its window, and what is made of them."""
    from lenrek.drawing.arithmetic.draw import draw_pooling

    x, (_, *size) = read_input(input_, samples, in_channels, 1)
    ndim = len(size)
    options = read_options(ndim, stride=stride, padding=padding, dilation=dilation, boundary=boundary)
    drawing = draw_pooling(
        x, read_window(kernel, ndim), ceil_mode=ceil,
        kind=kind, norm_type=norm, show=show, title=title, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    _deliver(drawing, out, step, animate, seconds, theme, json)


def network(
    model: Annotated[str, typer.Argument(help="An architecture, a run's folder or a model file.")],
    size: Annotated[str | None, typer.Option(help="Input size of an architecture: 96 or 64x96.")] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Of the input of an architecture. Default: 3.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Of an architecture. Default: 10.")] = None,
    depth: Annotated[int | None, typer.Option(min=1, help="Modules no deeper than this, each as one box.")] = None,
    title: Annotated[str | None, typer.Option(help="Above the picture. Default: the network's type.")] = None,
    theme: Theme = "auto",
    out: Annotated[Path | None, typer.Option(help="A .svg, .png or .html file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object: the volumes.")] = False,
) -> None:
    """A network's volumes as boxes in a row, with their sizes and the layers that make them."""
    from contextlib import nullcontext

    import torch

    from lenrek.cli.subject import find_subject
    from lenrek.explain.network_picture import draw_network

    subject = find_subject(model, size, channels, WHO, classes or 10)
    if classes is not None and subject.trained:
        raise OptionError(f"{WHO}: --classes {classes} has no effect on {model}, which knows its own.")
    with nullcontext() if subject.trained else torch.device("meta"):  # without values there is nothing to draw
        network = subject.make()
    drawn = draw_network(network, subject.shape, depth=depth, title=title)
    if out is not None:
        drawn.save(out, theme=theme)  # type: ignore[arg-type]
    if json:
        emit({"model": model, **drawn.record, "out": None if out is None else str(out)})
    elif out is None:
        for volume in drawn.record["volumes"]:
            made = ", ".join(volume["layers"]) or "input"
            times = f"{volume['times']} × " if volume["times"] > 1 else ""
            print(f"{'×'.join(map(str, volume['shape'])):>16}  {times}{made}")
    else:
        print(f"{len(drawn.record['volumes'])} volumes, drawn in {out}")


def _deliver(
    drawing: Drawing,
    out: Path | None,
    step: int | None,
    animate: bool,
    seconds: float | None,
    theme: str,
    json: bool,
) -> None:
    """Write the picture, and say what is on it."""
    if out is None:
        for option, given in (("--step", step is not None), ("--animate", animate), ("--seconds", seconds is not None)):
            if given:
                raise OptionError(f"{WHO}: {option} has no effect without --out.")
    else:
        drawing.save(out, step=step, animate=animate, seconds_per_step=seconds, theme=theme)  # type: ignore[arg-type]
    if json:
        emit({**drawing.record, "out": None if out is None else str(out)})
        return
    print("\n".join(drawing.record["size"]))
    if out is None:
        print(_table(drawing.record["output"]))
    else:
        print(f"{drawing.num_steps} steps, drawn in {out}")


def _table(output: Any) -> str:
    """The numbers of every channel, a line for each row."""
    from lenrek.drawing.arithmetic.values import written

    if isinstance(output[0], list):
        joint = "\n\n" if isinstance(output[0][0], list) else "\n"
        return joint.join(_table(part) for part in output)
    return " ".join(f"{written(value):>6}" for value in output)
