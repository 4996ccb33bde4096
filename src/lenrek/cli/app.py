"""The `lenrek` command: its subcommands, and what becomes of errors and interrupts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from lenrek import __version__
from lenrek.cli.augment import augment
from lenrek.cli.bench import bench
from lenrek.cli.console import fail
from lenrek.cli.cores import wait_briefly
from lenrek.cli.data import check
from lenrek.cli.distances import distances
from lenrek.cli.doctor import doctor
from lenrek.cli.draw import convolution, network, pooling, transposed
from lenrek.cli.duplicates import duplicates
from lenrek.cli.equivariance import equivariance
from lenrek.cli.evaluate import evaluate
from lenrek.cli.explain import explain
from lenrek.cli.export import export
from lenrek.cli.features import features
from lenrek.cli.find_convolution import find_convolution
from lenrek.cli.find_rate import find_rate
from lenrek.cli.index import FirstIsData, approximate, build, remove, update
from lenrek.cli.map import map as map_samples
from lenrek.cli.models import models
from lenrek.cli.predict import predict
from lenrek.cli.receptive import receptive_field
from lenrek.cli.robustness import robustness
from lenrek.cli.search import search
from lenrek.cli.search_eval import search_eval
from lenrek.cli.spectrum import spectrum
from lenrek.cli.studio import studio
from lenrek.cli.summary import summary
from lenrek.cli.train import train
from lenrek.errors import LenrekError

EXPECTED_FAILURE, INTERRUPTED = 1, 130


def interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, but Ctrl-C ends it with a sentence: the one that the interrupt carries, where it does."""

    @wraps(command)
    def guarded(**options: Any) -> None:
        try:
            command(**options)
        except KeyboardInterrupt as interrupt:
            fail(str(interrupt) or "interrupted")
            raise typer.Exit(INTERRUPTED) from interrupt

    return guarded


app = typer.Typer(
    name="lenrek",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Convolutional networks you can see through, at the full speed of the CPU you already have.",
)
for command in (
    train,
    find_rate,
    evaluate,
    predict,
    explain,
    features,
    map_samples,
    robustness,
    export,
    search,
    search_eval,
    duplicates,
    models,
    receptive_field,
    equivariance,
    distances,
    spectrum,
    find_convolution,
    bench,
    doctor,
    summary,
    studio,
):
    app.command()(interruptible(command))
data = typer.Typer(help="Look at data.", no_args_is_help=True)
data.command()(interruptible(check))
data.command()(interruptible(augment))
app.add_typer(data, name="data")
draw = typer.Typer(help="Draw convolution arithmetic, or a network.", no_args_is_help=True)
for picture in (convolution, transposed, pooling, network):
    draw.command()(interruptible(picture))
app.add_typer(draw, name="draw")
index = typer.Typer(
    cls=FirstIsData,
    no_args_is_help=True,
    help="Make a store of images for search: lenrek index DATA --model MODEL --out STORE. Then keep it up to date.",
)
for subcommand in (build, update, remove, approximate):
    index.command()(interruptible(subcommand))
app.add_typer(index, name="index")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lenrek {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["LENREK_DEBUG"] = "1"


def main() -> None:
    """Run the command line: exit 0 success, 1 expected failure, 2 wrong usage, 130 interrupted."""
    wait_briefly()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the terminal's encoding lacks is no reason to stop
    try:
        try:
            app(prog_name="lenrek")
        finally:
            sys.stdout.flush()  # here, where a reader that went away or a full disk can still be told
    except (LenrekError, OSError) as error:
        if os.environ.get("LENREK_DEBUG"):
            raise
        if isinstance(error, OSError):
            # Whatever is still to be written would fail again when Python exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # | head: the reader has what it wanted
            fail(str(error))
        sys.exit(EXPECTED_FAILURE)
