"""`lenrek map MODEL DATA` or `lenrek map STORE`: samples on a plane by their features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenrek.cli.console import emit, table
from lenrek.cli.pictures import check_picture, write_pictures
from lenrek.errors import OptionError

if TYPE_CHECKING:
    import numpy as np

    from lenrek.search.store import Store

WHO = "map"
SAMPLES = 2000
PICTURE_PX = 48


def map(
    subject: Annotated[
        str, typer.Argument(metavar="MODEL|STORE", help="A network as for features; or without DATA, a store.")
    ],
    data: Annotated[str | None, typer.Argument(help="Data as for train.")] = None,
    layer: Annotated[
        str | None, typer.Option(help="Whose output, averaged over its places. Default: before the last one.")
    ] = None,
    method: Annotated[str, typer.Option(help="pca, or umap (the package umap-learn).")] = "pca",
    samples: Annotated[int, typer.Option(min=4, help="At most so many, evenly spaced.")] = SAMPLES,
    neighbours: Annotated[int, typer.Option(min=1, help="Of umap, and of the figure of trust.")] = 15,
    out: Annotated[Path | None, typer.Option(help="Draw it: a .svg or .html file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """The samples of data or a store on a plane, with their pictures, and how far to believe it."""
    from lenrek.explain.features.latent_map import latent_map
    from lenrek.explain.features.map_picture import draw_map

    check_picture(out, WHO)
    if data is None and layer is not None:
        raise OptionError(f"{WHO}: --layer {layer} has no effect on a store, whose vectors are made already.")
    if data is None:
        vectors, names, labels, source_of = _of_store(subject, samples)
    else:
        vectors, names, labels, source_of = _of_data(subject, data, layer, samples)
    chosen: Any = method
    found = latent_map(vectors, chosen, neighbours=neighbours)
    rows = [["samples", f"{len(found.points):,}"], ["method", found.method]]
    rows += [["variance on the plane", f"{100 * sum(found.explained):.1f} %"]] if found.explained else []
    rows += [["trustworthiness", f"{found.trustworthiness:.3f}"]]
    if out is not None:
        title = f"Map of {data or subject}" + (f" by {subject}" if data else "")
        figures = "\n".join(f"{name:22} {value}" for name, value in rows)
        write_pictures(out, title, [(found.caption, draw_map(found, names, labels, source_of))], figures)
    if json:
        emit({"subject": subject, "data": data, "names": names, "labels": labels, **found.to_dict()})
        return
    table(["", "map"], rows)
    print(f"\n{found.caption}")


Found = tuple["np.ndarray", list[str], list[str], Callable[[int], str | None]]


def _of_data(model: str, data: str, layer: str | None, samples: int) -> Found:
    from lenrek.explain.features.vectors import sample_vectors
    from lenrek.models.pretrained import load_pretrained

    found = sample_vectors(load_pretrained(model), data, layer, limit=samples)

    def source_of(place: int) -> str | None:
        return _small(found.stream.stored(int(found.index[place])))

    return found.vectors, list(found.names), list(found.labels), source_of


def _of_store(path: str, samples: int) -> Found:
    from lenrek.data.evenly import evenly_spaced
    from lenrek.search.page import Pictures
    from lenrek.search.store import open_store

    store: Store = open_store(path)
    vectors = store.vectors()
    order = evenly_spaced(len(vectors), samples)
    rows = store.table.take(vectors.ids[order].tolist(), ["path", "label"])
    pictures = Pictures(store, PICTURE_PX)

    def source_of(place: int) -> str | None:
        file = pictures.path(int(vectors.ids[order[place]]))
        pixels = None if file is None else pictures.pixels(file)
        return None if pixels is None else _small(pixels)

    return vectors.at(order), [row["path"] for row in rows], [row["label"] or "" for row in rows], source_of


def _small(sample: Any) -> str | None:
    """The address of a small picture; None of a signal. Of a volume its middle slice."""
    from lenrek.drawing.pictures import png_source
    from lenrek.explain.features.sample_tile import shades

    if sample.ndim < 3:
        return None
    pixels = shades(sample if sample.ndim == 3 else sample[:, sample.shape[1] // 2])
    step = max(1, max(pixels.shape[:2]) // PICTURE_PX)
    return png_source(pixels[::step, ::step])
