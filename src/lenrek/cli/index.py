"""`lenrek index DATA --model … --out STORE`, and `update`, `remove` and `approximate` of a store."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from lenrek.cli.console import emit, table
from lenrek.cli.subject import parse_size
from lenrek.data.shown import counted, shown, tell

if TYPE_CHECKING:
    from lenrek.search.indexing import Indexed

WHO = "index"
BUILD = "build"


class FirstIsData(TyperGroup):
    """`index DATA` is `index build DATA`, unless DATA is called like a command: then it is written ./update."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args and args[0] in self.commands else [BUILD, *args])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = not args or args[0] in self.commands or args[0] in ("--help", "-h")
        return super().parse_args(ctx, args if known else [BUILD, *args])


def build(
    data: Annotated[str, typer.Argument(help="As for train; also a folder of images without classes.")],
    out: Annotated[str, typer.Option(help="The store: a folder, or an address such as s3://bucket/store.")],
    model: Annotated[
        str | None,
        typer.Option(help="A run's folder, a model file, ARCHITECTURE:FILE or hub:OWNER/NAME. Not needed to continue."),
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Whose output is taken. Default: before the classifier.")] = None,
    pooling: Annotated[str | None, typer.Option(help="average, gem, max or rmac. Default: gem.")] = None,
    power: Annotated[float | None, typer.Option(help="Of gem: 1 is the average. Default: 2.")] = None,
    size: Annotated[str | None, typer.Option(help="Of the network's input: 227 or 320x240. Default: its own.")] = None,
    scales: Annotated[str | None, typer.Option(help="Multiples of it to look at: 1,0.7. Default: 1.")] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Look at the mirrored image, too.")] = False,
    pca: Annotated[int | None, typer.Option(min=0, help="Numbers kept per vector, 0 for all. Default: 128.")] = None,
    whiten: Annotated[float | None, typer.Option(help="0 to 1. Default: 0.")] = None,
    storage: Annotated[str | None, typer.Option(help="float16, float32 or int8. Default: float16.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Make a store of the images' vectors, or continue one: every file once, however often this is interrupted."""
    from lenrek.search.embedding import EmbeddingConfig
    from lenrek.search.indexing import index

    given = {
        "layer": layer,
        "pooling": pooling,
        "power": power,
        "size": _axes(size, model),
        "scales": _numbers(scales),
        "flip": flip or None,
        "whiten": whiten,
        "storage": storage,
    }
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if pca is not None:
        chosen["pca"] = pca or None
    config = EmbeddingConfig(**chosen) if chosen else None
    _report(index(data, out=out, model=model, config=config, say=tell), json)


def update(
    store: Annotated[str, typer.Argument(help="A store.")],
    data: Annotated[str | None, typer.Option(help="Where the collection is now. Default: where it was.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Read every file, not only those of another time.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Bring a store up to date: new files are added, changed ones embedded again, those that are gone removed."""
    from lenrek.search.store import open_store

    _report(open_store(store).update(data=data, verify=verify, say=tell), json)


def remove(
    store: Annotated[str, typer.Argument(help="A store.")],
    files: Annotated[list[str] | None, typer.Argument(help="Paths as the store shows them, or folders.")] = None,
    where: Annotated[str | None, typer.Option(help="A condition, such as \"label = 'rose'\".")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Remove images from a store; the files stay, and the next update adds those that are still there."""
    from lenrek.search.store import open_store

    opened = open_store(store)
    removed = opened.remove(files or (), where=where)
    if json:
        emit({"store": opened.path, "rows": len(opened), "removed": removed})
    else:
        print(f"{counted(removed, 'image')} removed, {len(opened):,} left")


def approximate(
    store: Annotated[str, typer.Argument(help="A store of 1,000 images or more.")],
    recall: Annotated[
        float | None, typer.Option(help="Share of the true 100 nearest that is to be found. Default: 0.95.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Build an index by which a search looks through some of the rows; others may search and write meanwhile."""
    from lenrek.search.store import open_store

    opened = open_store(store)
    one = opened.build_index(recall=recall, say=tell)
    if json:
        emit({"store": opened.path, "rows": len(opened), "measured": asdict(one)})
        return
    row = [str(one.k), f"{one.recall:.3f}", f"{one.lists:,}", f"{one.rows:.1%}"]
    table(["nearest", "recall", "lists looked through", "rows compared"], [row], numeric=range(4))


def _report(done: Indexed, json: bool) -> None:
    from lenrek.data.problems import sentences

    for sentence in sentences(done.problems):
        tell(sentence)
    if done.engine:
        tell(f"Engine: {done.engine}.")
    if json:
        emit(done.to_json())
        return
    words = {"added": done.added, "changed": done.changed, "removed": done.removed, "unchanged": done.unchanged}
    print(", ".join(f"{number:,} {word}" for word, number in words.items()))
    print(
        f"store  {shown(done.store.path)}: {counted(len(done.store), 'image')}, {done.store.settings.dims} numbers each"
    )


def _axes(size: str | None, model: str | None) -> tuple[int, ...] | None:
    axes = parse_size(size, WHO)
    return axes * 2 if axes and len(axes) == 1 else axes


def _numbers(text: str | None) -> tuple[float, ...] | None:
    from lenrek.cli.samples import parse_numbers

    found = parse_numbers(text, "--scales", WHO)
    return None if found is None else tuple(found)
