"""`lenrek search STORE FILES…`: the images of a collection that are like these."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lenrek.cli.console import emit, table
from lenrek.data.shown import shown, tell

WHO = "search"


def search(
    store: Annotated[str, typer.Argument(help="A store that `lenrek index` made.")],
    queries: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many to find for each query.")] = 10,
    where: Annotated[str | None, typer.Option(help="A condition: \"label = 'rose' AND width > 500\".")] = None,
    mean: Annotated[bool, typer.Option("--mean", help="One search, by the mean of all queries.")] = False,
    unlike: Annotated[list[Path] | None, typer.Option(help="What it should be unlike; repeat for more.")] = None,
    expand: Annotated[int, typer.Option(min=0, help="Search by the mean with this many nearest: more of a kind.")] = 0,
    exact: Annotated[bool, typer.Option("--exact", help="Compare all rows even where there is an index.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures: one HTML file.")] = None,
    why: Annotated[bool, typer.Option("--why", help="On the page: where each is like the query.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line and query.")] = False,
) -> None:
    """Find the images that are most like one, by the angle between their vectors."""
    from lenrek.data.problems import sentences
    from lenrek.errors import OptionError
    from lenrek.search.page import write_page
    from lenrek.search.store import open_store

    if why and html is None:
        raise OptionError(f"{WHO}: --why has no effect without --html, the page that shows it.")
    opened = open_store(store)
    found = opened.search(queries, k, where=where, unlike=unlike or None, mean=mean, expand=expand, exact=exact)
    for sentence in sentences(opened.problems):
        tell(sentence)
    if html is not None:
        write_page(html, opened, found, why=why)
        tell(f"page  {shown(html)}")
    if json:
        for hits in found:
            emit(hits.to_json())
        return
    for number, hits in enumerate(found):
        if len(found) > 1:
            print("\n" * bool(number) + shown(hits.query))
        captions = any(hit.caption for hit in hits)
        rows = [
            [f"{hit.similarity:.3f}", hit.label or "", *([hit.caption or ""] if captions else []), hit.path]
            for hit in hits
        ]
        table(["similarity", "label", *(["caption"] if captions else []), "file"], rows, numeric=(0,))
    if any(problem.kind == "damaged" for problem in opened.problems):
        raise typer.Exit(1)
