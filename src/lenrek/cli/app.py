"""The `lenrek` command: its subcommands, and what becomes of errors and interrupts."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from lenrek import __version__
from lenrek.cli.console import fail
from lenrek.cli.data import data
from lenrek.cli.evaluate import evaluate
from lenrek.cli.models import models
from lenrek.cli.predict import predict
from lenrek.cli.train import train
from lenrek.errors import LenrekError

EXPECTED_FAILURE, INTERRUPTED = 1, 130

app = typer.Typer(
    name="lenrek",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Convolutional networks you can see through, at the full speed of the CPU you already have.",
)
for command in (train, evaluate, predict, models):
    app.command()(command)
app.add_typer(data, name="data")


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
    try:
        app()
    except KeyboardInterrupt:
        fail("interrupted; what was finished is on disk")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output went away (| head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXPECTED_FAILURE)
    except (LenrekError, OSError) as error:
        if os.environ.get("LENREK_DEBUG"):
            raise
        fail(str(error))
        sys.exit(EXPECTED_FAILURE)
