"""`lenrek duplicates STORE`: what is in a collection more than once, and what its neighbours find odd."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lenrek.cli.console import emit, table
from lenrek.data.shown import counted


def duplicates(
    store: Annotated[str, typer.Argument(help="A store that `lenrek index` made.")],
    threshold: Annotated[float, typer.Option(help="The cosine from which images count as near-duplicates.")] = 0.95,
    where: Annotated[str | None, typer.Option(help="A condition: only among these.")] = None,
    odd: Annotated[int, typer.Option(min=0, help="Also this many outliers and likely label errors.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Groups of equal files and of images that are nearly the same; with --odd, outliers and likely label errors."""
    from lenrek.errors import DataError
    from lenrek.search.store import open_store

    opened = open_store(store)
    groups = opened.duplicates(threshold=threshold, where=where)
    outliers = opened.outliers(odd, where=where) if odd else []
    try:
        errors = opened.label_errors(odd, where=where) if odd else []
    except DataError:  # a collection without labels has none that are wrong
        errors = []
    if json:
        emit({
            "groups": [asdict(group) | {"conflicting": group.conflicting} for group in groups],
            "outliers": [asdict(one) for one in outliers],
            "label_errors": [asdict(one) for one in errors],
        })  # fmt: skip
        return
    rows = []
    for group in groups:
        alike = "equal" if group.exact else f"{group.similarity:.3f}"
        rows.append([alike, "yes" if group.conflicting else "", " = ".join(group.paths)])
    if rows:
        table(["alike", "labels differ", "files"], rows, numeric=(0,))
    extra = sum(len(group.paths) - 1 for group in groups)
    print(f"{counted(len(groups), 'group')}, {counted(extra, 'image')} more than once")
    if outliers:
        print("\nUnlike all others:")
        table(["cosine of the nearest", "label", "file"], [[f"{o.score:.3f}", o.label or "", o.path] for o in outliers],
              numeric=(0,))  # fmt: skip
    if errors:
        print("\nLabelled otherwise than their neighbours:")
        told = [[f"{e.score:.0%}", e.label or "", e.suggested or "", e.path] for e in errors]
        table(["neighbours", "label", "they say", "file"], told, numeric=(0,))
