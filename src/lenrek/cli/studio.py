"""`lenrek studio [RUN|MODEL]`: a local web page on a network, its images, its runs and its data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lenrek.cli.console import emit
from lenrek.errors import OptionError

WHO = "studio"
USUAL_RUNS = Path("runs")  # where `lenrek train` writes


def studio(
    model: Annotated[
        str | None,
        typer.Argument(help="A run's folder, a model file, an architecture, or ARCHITECTURE:FILE for plain weights."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="As for train. Default: the digits, for a network trained on them.")
    ] = None,
    store: Annotated[str | None, typer.Option(help="A store that `lenrek index` made, for nearest neighbours.")] = None,
    runs: Annotated[
        Path | None, typer.Option(help="A folder of runs. Default: the run that was named, else the folder runs.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: 8420, or a free one.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The address as a JSON object.")] = False,
) -> None:
    """A page on this machine: look into a network, its decisions, its runs and its data. Ends with Ctrl-C."""
    try:
        from lenrek.studio.serve import bind, serve
    except ImportError as error:
        raise OptionError(
            f"{WHO}: the page needs {error.name}, which is not installed.\n  Hint: pip install 'lenrek[studio]'"
        ) from error
    from lenrek.studio.session import Session

    check(model, data, store, runs)
    session = Session(model, data, store, _runs(model, runs))

    def say(address: str) -> None:
        if json:
            emit({"address": address, **session.about()})
        else:
            print(f"The studio is at {address}\nCtrl-C ends it.")
        sys.stdout.flush()  # whoever reads it waits for this line

    serve(session, bind(port), browser=not no_browser, say=say)


def check(model: str | None, data: str | None, store: str | None, runs: Path | None) -> None:
    """Say now what the page could only say later.

    Raises:
        OptionError: something that is not there.
        ModelError: no architecture of this name.
    """
    from lenrek.data.named import NAMED

    if runs is not None and not runs.is_dir():
        raise OptionError(f"{WHO}: --runs is {runs}, but there is no such folder.")
    if data is not None and data not in NAMED and not Path(data).expanduser().exists():
        raise OptionError(f"{WHO}: --data is {data}, but there is no such path; the named sets are {', '.join(NAMED)}.")
    if store is not None and "://" not in store and not Path(store).expanduser().is_dir():
        raise OptionError(
            f"{WHO}: --store is {store}, but there is no such folder.\n"
            "  Hint: lenrek index DATA --model MODEL --out STORE makes one."
        )
    if model is None or ":" in model or Path(model).exists():
        return
    if Path(model).name != model or Path(model).suffix:
        raise OptionError(f"{WHO}: there is no {model}.\n  Hint: a run's folder, a model file or an architecture.")
    from lenrek.models.create import list_models
    from lenrek.models.registry import find_architecture

    if model not in list_models():
        find_architecture(model)


def _runs(model: str | None, runs: Path | None) -> Path | None:
    if runs is not None:
        return runs
    if model is not None and (Path(model) / "metrics.jsonl").is_file():
        return Path(model)
    return USUAL_RUNS if USUAL_RUNS.is_dir() else None
