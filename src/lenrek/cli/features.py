"""`lenrek features MODEL`: what the features of a layer are, on one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenrek.cli.console import emit, table
from lenrek.cli.pictures import check_picture
from lenrek.cli.subject import parse_axes
from lenrek.data.shown import counted, shown, tell
from lenrek.errors import ModelError, OptionError

if TYPE_CHECKING:
    from lenrek.drawing.sheet import Sheet
    from lenrek.explain.features.health_result import FilterHealth
    from lenrek.explain.features.stream import SampleStream

WHO = "features"
MOST_CHANNELS = 6  # unless they are named
SAMPLES = 256


def features(
    model: Annotated[
        str, typer.Argument(help="A run's folder, a model file, ARCHITECTURE:WEIGHTS, or hub:OWNER/REPOSITORY.")
    ],
    layer: Annotated[str | None, typer.Option(help="Of which features. Default: the first convolution.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Data as for train: for maps, the patches that excite features, and dead ones.")
    ] = None,
    channels: Annotated[str | None, typer.Option(help="Such as 0,3,7. Default: the 6 strongest.")] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help=f"Of --data, evenly spaced. Default: {SAMPLES}.")
    ] = None,
    steps: Annotated[
        int, typer.Option(min=0, help="Of making an input for each channel. 0: make none.")
    ] = 128,
    seed: Annotated[int | None, typer.Option(help="Of the made inputs. Default: 0.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write a page with pictures: one .html file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:  # fmt: skip
    """Filters, feature maps, the patches that excite features, inputs made for them, dead and duplicate filters."""
    import numpy as np

    from lenrek.explain.features.filters import filters
    from lenrek.explain.features.health import filter_health
    from lenrek.explain.features.maps import feature_maps
    from lenrek.explain.features.objective import channel
    from lenrek.explain.features.patches import strongest_patches
    from lenrek.explain.features.stream import SampleStream
    from lenrek.explain.features.strongest_sample import strongest_samples
    from lenrek.explain.features.synthesis import synthesis_sheet, synthesize
    from lenrek.explain.features.weights import convolutions
    from lenrek.explain.layer_outputs import find_run
    from lenrek.models.pretrained import load_pretrained

    check_picture(out, WHO, (".html",))
    if samples is not None and data is None:
        raise OptionError(f"{WHO}: --samples has no effect without --data.")
    if seed is not None and not steps:
        raise OptionError(f"{WHO}: --seed has no effect with --steps 0.")
    chosen = parse_axes(channels, "--channels", WHO, ",")
    network: Any = load_pretrained(model)
    there = convolutions(network)
    name = layer if layer is not None else there[0] if there else ""
    if name:
        find_run(network, name, WHO)
    limit = samples or SAMPLES
    sheets: list[Sheet] = []
    told: dict[str, Any] = {"model": model, "layer": name}
    health = None
    stream = None if data is None else SampleStream(network.contract, data, limit=limit, who=WHO)
    first, sample = (0, None) if stream is None else _first(stream)
    maps = feature_maps(network, _mean(network) if sample is None else sample, name)
    try:
        found = filters(network, name.partition("#")[0])
    except ModelError as error:
        if not layer:  # a network without convolutions
            raise
        tell(str(error).partition("\n")[0])
        order = maps.order
    else:
        sheets.append(found.sheet())
        told["filters"] = found.to_dict()
        order = found.order if sample is None else maps.order
    if chosen is None:
        chosen = tuple(int(i) for i in order[:MOST_CHANNELS])
    elif bad := [one for one in chosen if not 0 <= one < len(maps.values)]:
        raise OptionError(f"{WHO}: --channels names {bad[0]}, expected 0 to {len(maps.values) - 1}.")
    if stream is not None:
        sheets += [_input(stream, first), maps.sheet()]
        told["maps"] = maps.to_dict()
        patches = strongest_patches(network, data, name, chosen, limit=limit)
        sheets.append(patches.sheet())
        told["patches"] = patches.to_dict()
        health = filter_health(network, data, limit=limit)
        told["health"] = health.to_dict()
    if steps:
        objectives = [channel(name, one) for one in np.unique(chosen).tolist()]
        made = [synthesize(network, one, steps=steps, seed=seed or 0) for one in objectives]
        if data is not None:
            strongest = strongest_samples(network, objectives, data, limit=limit)
            made = [replace(one, strongest=best) for one, best in zip(made, strongest, strict=True)]
        sheets.append(synthesis_sheet(made))
        told["synthesised"] = [one.to_dict() for one in made]
    if out is not None:
        _write(out, f"Features of {name or 'the output'} in {model}", sheets, health)
        tell(f"page  {out}")
    if json:
        emit(told)
    else:
        _print(told, health)


def _first(stream: SampleStream) -> tuple[int, Any]:
    """Number and values of the first sample that can be read."""
    index, x = next(iter(stream))
    return int(index[0]), x[0]


def _input(stream: SampleStream, index: int) -> Sheet:
    """The sample whose maps are shown."""
    from lenrek.drawing.sheet import Row, Sheet
    from lenrek.explain.features.sample_tile import sample_tile

    name, label = shown(stream.name(index)), shown(stream.label(index))
    tile = sample_tile(stream.stored(index), f"sample {name}", (label,), side=192)
    return Sheet("A sample", f"{name}: the maps below are of this one.", [Row([tile])])


def _mean(network: Any) -> Any:
    """A sample that is the mean of the training data everywhere: enough to ask for shapes."""
    import torch

    return torch.zeros(network.contract.channels, *network.contract.size)


def _write(out: Path, title: str, sheets: list[Sheet], health: FilterHealth | None) -> None:
    from lenrek.drawing.page import fill_page
    from lenrek.explain.features.health_result import COLUMNS
    from lenrek.models.tensor_file import write_bytes_atomically

    page = fill_page(
        Path(__file__).with_suffix(".html"), {}, title=title, sheets=sheets, health=health, columns=COLUMNS
    )
    write_bytes_atomically(out, page.encode("utf-8", "backslashreplace"))


def _print(told: dict[str, Any], health: FilterHealth | None) -> None:
    """What is known of each channel that was looked at."""
    from lenrek.explain.features.health_result import COLUMNS

    patches = told.get("patches", {}).get("channels", {})
    made = {one["objective"].split()[1]: one for one in told.get("synthesised", [])}
    rows = []
    for one in dict.fromkeys([*patches, *made]):
        best = patches[one][0] if patches.get(one) else None
        input_ = made.get(one)
        rows.append([
            one,
            f"{best['value']:.4g}" if best else "–",
            f"{input_['activation']:.4g}" if input_ else "–",
            f"{input_['data']['largest']:.4g}" if input_ and "data" in input_ else "–",
            best["sample"] if best else "–",
        ])  # fmt: skip
    if rows:
        print(f"Layer {told['layer'] or 'output'}" + (
            f", over {counted(told['patches']['samples'], 'sample')}" if patches else ""))  # fmt: skip
        columns = ["channel", "strongest place", "mean of made input", "of data at most", "strongest in"]
        table(columns, rows, numeric=(0, 1, 2, 3))
    elif "filters" in told:
        found = told["filters"]
        best = [[str(i), f"{norm:.4g}"] for i, norm in zip(found["order"], found["norms"], strict=True)]
        table(["filter", "norm"], best[:MOST_CHANNELS], numeric=(0, 1))
    if health is not None:
        print()
        table(COLUMNS, [layer.row() for layer in health.layers], numeric=(1, 3, 4, 5, 6))
        print(f"\n{health.criteria}")
