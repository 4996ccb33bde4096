"""`lenrek search-eval STORE`: how good the search in a store is, by its labels."""

from __future__ import annotations

from typing import Annotated

import typer

from lenrek.cli.console import emit, table


def search_eval(
    store: Annotated[str, typer.Argument(help="A store whose images have labels.")],
    where: Annotated[str | None, typer.Option(help="A condition: only these ask and are found.")] = None,
    k: Annotated[list[int] | None, typer.Option("-k", min=1, help="Repeat for more. Default: 1, 5 and 10.")] = None,
    neighbours: Annotated[int, typer.Option(min=1, help="Whose majority says a label.")] = 5,
    expand: Annotated[int, typer.Option(min=0, help="Also with queries expanded by so many.")] = 0,
    samples: Annotated[int, typer.Option(min=1, help="How many images ask, evenly spaced.")] = 10_000,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Recall, precision and mean average precision of the search, and the k-NN accuracy, beside pixels and chance."""
    from lenrek.search.store import open_store

    ks = tuple(sorted(set(k))) if k else (1, 5, 10)
    found = open_store(store).evaluate(where=where, ks=ks, neighbours=neighbours, expand=expand, samples=samples)
    if json:
        emit(found.to_json())
        return
    columns = ["search by", "mAP", *(f"P@{n}" for n in ks), *(f"R@{n}" for n in ks), f"{found.neighbours}-NN"]
    rows = [
        [
            row.name,
            *(f"{value:.3f}" for value in (row.mean_average_precision, *row.precision.values())),
            *(f"{value:.4f}" for value in row.recall.values()),
            f"{row.knn_accuracy:.3f}",
        ]
        for row in found.rows
    ]
    table(columns, rows, numeric=range(1, len(columns)))
    print(f"\n{found.queries:,} images asked, each among {found.among:,} others")
