"""`lenrek draw`: convolution arithmetic and networks as pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenrek.cli.console import emit
from lenrek.errors import OptionError

if TYPE_CHECKING:
    from lenrek.drawing.scene.drawing import Drawing

WHO = "draw"
DEFAULT_SIZE = (5, 6)

Input = Annotated[str | None, typer.Option("--input", help="Its size: 12, 7x5 or 4x6x5. Default: 5x6.")]
Samples = Annotated[
    str | None, typer.Option(help="Its numbers instead: 1,2,3;4,5,6 row by row, or a .npy file (channels, *size).")
]
Channels = Annotated[int | None, typer.Option("--in-channels", min=1, help="Of the input. Default: 1.")]
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
    kernel: Annotated[str, typer.Option(help="Its size: 3 or 3x2.")] = "3",
    stride: Stride = None,
    padding: PaddingText = None,
    dilation: Dilation = None,
    groups: Annotated[int, typer.Option(min=1, help="Blocks of channels that are convolved apart.")] = 1,
    boundary: BoundaryText = None,
    in_channels: Channels = None,
    out_channels: Annotated[int | None, typer.Option(min=1, help="Of the output. Default: one per group.")] = None,
    samples: Samples = None,
    weights: Annotated[str | None, typer.Option(help="The kernel's numbers, as --samples.")] = None,
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

    x = _input(input_, samples, in_channels, groups)
    ndim = len(x.shape) - 1
    weight = _kernel(kernel, weights, ndim, lambda size: (out_channels or groups, x.shape[0] // groups, *size))
    _check_groups(x.shape[0], groups)
    options = _options(ndim, stride=stride, padding=padding, dilation=dilation, boundary=boundary)
    drawing = draw_convolution(
        x.values, weight, groups=groups, operation="convolve" if convolve else "correlate",
        show=show, title=title, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    _deliver(drawing, out, step, animate, seconds, theme, json)


def transposed(
    input_: Input = None,
    kernel: Annotated[str, typer.Option(help="Its size: 3 or 3x2.")] = "3",
    stride: Stride = None,
    padding: PaddingText = None,
    output_padding: Annotated[str | None, typer.Option(help="Samples added at the end: 1, or one per axis.")] = None,
    dilation: Dilation = None,
    groups: Annotated[int, typer.Option(min=1, help="Blocks of channels that are convolved apart.")] = 1,
    boundary: BoundaryText = None,
    in_channels: Channels = None,
    out_channels: Annotated[int | None, typer.Option(min=1, help="Of the output. Default: one per group.")] = None,
    samples: Samples = None,
    weights: Annotated[str | None, typer.Option(help="The kernel's numbers, as --samples.")] = None,
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

    x = _input(input_, samples, in_channels, groups)
    ndim = len(x.shape) - 1
    outs = out_channels or groups
    if outs % groups:
        raise OptionError(f"{WHO}: --out-channels {outs} in {groups} groups is no whole number.")
    weight = _kernel(kernel, weights, ndim, lambda size: (x.shape[0], outs // groups, *size))
    _check_groups(x.shape[0], groups)
    options = _options(
        ndim, stride=stride, padding=padding, output_padding=output_padding, dilation=dilation, boundary=boundary
    )
    drawing = draw_transposed(
        x.values, weight, groups=groups, operation="convolve" if convolve else "correlate",
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
    from lenrek.cli.subject import parse_size
    from lenrek.drawing.arithmetic.draw import draw_pooling

    x = _input(input_, samples, in_channels, 1)
    ndim = len(x.shape) - 1
    size = parse_size(kernel, WHO) or ()
    options = _options(ndim, stride=stride, padding=padding, dilation=dilation, boundary=boundary)
    drawing = draw_pooling(
        x.values, size * ndim if len(size) == 1 else size, ceil_mode=ceil,
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


@dataclass
class _Values:
    """An array, or the shape of one."""

    values: Any
    shape: tuple[int, ...]


def _input(size: str | None, samples: str | None, channels: int | None, groups: int) -> _Values:
    """(channels, *size), given or made."""
    from lenrek.cli.subject import parse_axes

    if samples is not None:
        for option, given in (("--input", size), ("--in-channels", channels)):
            if given is not None:
                raise OptionError(f"{WHO}: {option} {given} has no effect beside --samples.\n  Hint: leave it out.")
        found = _numbers(samples, "--samples")
        return _Values(found, found.shape)
    axes = parse_axes(size, "--input", WHO, "x") or DEFAULT_SIZE
    shape = (channels or groups, *axes)
    return _Values(shape, shape)


def _kernel(size: str, weights: str | None, ndim: int, whole: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Any:
    """The weight (·, ·, *kernel_size): given, for one channel or all, or its shape."""
    from lenrek.cli.subject import parse_axes

    if weights is not None:
        found = _numbers(weights, "--weights")
        if found.ndim == 2 == ndim:  # a single row, over an image
            found = found[None]
        return found[None] if found.ndim == ndim + 1 else found
    axes = parse_axes(size, "--kernel", WHO, "x") or ()
    if len(axes) == 1:
        axes = axes * ndim
    if len(axes) != ndim:
        raise OptionError(f"{WHO}: --kernel {size} is for {len(axes)} axes, but the input has {ndim}.")
    return whole(axes)


def _check_groups(channels: int, groups: int) -> None:
    if channels % groups:
        raise OptionError(
            f"{WHO}: --in-channels {channels} in {groups} groups gives {channels}/{groups}, expected a whole number."
        )


def _numbers(text: str, option: str) -> Any:
    """`1,2;3,4` as (1, rows, columns), `1,2` as (1, samples); a .npy file as it is."""
    import numpy as np

    if text.endswith(".npy"):
        try:
            return np.load(text, allow_pickle=False)
        except (ValueError, EOFError):
            raise OptionError(
                f"{WHO}: {option} {text} is no NumPy file, or holds objects instead of numbers."
            ) from None
    try:
        rows = [[float(number) for number in row.split(",")] for row in text.split(";")]
        found = np.array(rows)
    except ValueError:
        raise OptionError(
            f"{WHO}: {option} is {text!r}, expected numbers joined by commas, rows of equal length by semicolons: "
            "1,2,3;4,5,6."
        ) from None
    return found if len(rows) == 1 else found[None]


def _options(ndim: int, **texts: str | None) -> dict[str, Any]:
    """What was given of stride, padding, …, read; the rest keeps its default."""
    from lenrek.cli.subject import parse_axes

    found: dict[str, Any] = {}
    for name, text in texts.items():
        if text is None:
            continue
        if name == "boundary":
            found[name] = _boundary(text)
        elif name == "padding":
            entries = [_sides(entry) for entry in text.split(",")]
            found[name] = entries * ndim if len(entries) == 1 else entries
        else:
            axes = parse_axes(text, f"--{name.replace('_', '-')}", WHO, ",") or ()
            found[name] = axes * ndim if len(axes) == 1 else axes
    return found


def _sides(text: str) -> Any:
    """`same`, `2`, or `0+1` for before and after."""
    parts = text.split("+")
    if all(part.isdecimal() for part in parts) and len(parts) <= 2:
        return int(parts[0]) if len(parts) == 1 else (int(parts[0]), int(parts[1]))
    return text


def _boundary(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


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
