"""`lenrek models`: the architectures there are."""

from __future__ import annotations

from typing import Annotated

import typer

from lenrek.cli.console import emit, table


def models(json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False) -> None:
    """List the architectures: dimensions, smallest and intended input, parameters (10 classes), source."""
    from lenrek.models.create import describe_models

    rows = describe_models()
    if json:
        for row in rows:
            emit(row)
        return
    cells = [
        [r["name"], "/".join(map(str, r["ndims"])) + "-D", str(r["min_size"]), str(r["default_size"]),
         f"{r['parameters']:,}", r["source"]]
        for r in rows
    ]  # fmt: skip
    table(["model", "for", "min", "size", "parameters", "source"], cells, numeric=(2, 3, 4), wrap=False)
