"""The command line as a user meets it: arguments in; exit status, stdout and stderr out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from commands import Cli, Outcome, class_folders

import lenrek
from lenrek.cli.app import main


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """Run `lenrek ARGUMENTS…` in this process; every test has a cache of its own."""
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["lenrek", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        return Outcome(end.value.code or 0, *capfd.readouterr())  # type: ignore[arg-type]

    return run


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of eight whole pictures; read only."""
    return class_folders(tmp_path_factory.mktemp("data") / "pictures")


@pytest.fixture(scope="session")
def run(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on `folders`; read only."""
    path = tmp_path_factory.mktemp("runs") / "run"
    lenrek.train(folders, out=path, epochs=1, batch_size=8, precision="fp32", progress=False)
    return path
