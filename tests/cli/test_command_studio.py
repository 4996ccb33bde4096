"""`lenrek studio`: what it refuses before it serves, what it prints, and that Ctrl-C ends it."""

from __future__ import annotations

import builtins
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest
from commands import Cli

pytest.importorskip("fastapi", reason="the studio needs lenrek[studio]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--runs", "nowhere"), "studio: --runs is nowhere, but there is no such folder."),
        (
            ("lenet5", "--data", "nowhere"),
            "studio: --data is nowhere, but there is no such path; the named sets are digits, mnist, fashion-mnist, "
            "cifar10.",
        ),
        (
            ("lenet5", "--store", "nowhere"),
            "studio: --store is nowhere, but there is no such folder.\n"
            "  Hint: lenrek index DATA --model MODEL --out STORE makes one.",
        ),
        (
            ("runs/nowhere",),
            "studio: there is no runs/nowhere.\n  Hint: a run's folder, a model file or an architecture.",
        ),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_served(cli: Cli, arguments, message):
    outcome = cli("studio", *arguments)
    assert (outcome.status, outcome.out, outcome.err) == (1, "", f"lenrek: {message}\n")


def test_an_unknown_architecture(cli: Cli):
    outcome = cli("studio", "lenet6")
    assert outcome.status == 1
    assert "lenet5" in outcome.err


def test_without_the_extra_it_says_how_to_install_it(cli: Cli, monkeypatch):
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "lenrek.studio.serve":
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    outcome = cli("studio")
    assert (outcome.status, outcome.err) == (
        1,
        "lenrek: studio: the page needs uvicorn, which is not installed.\n  Hint: pip install 'lenrek[studio]'\n",
    )


def test_a_port_that_is_taken(cli: Cli):
    from lenrek.studio.serve import bind

    with bind(None) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        outcome = cli("studio", "--port", port, "--no-browser")
    assert outcome.status == 1
    assert outcome.err.startswith(f"lenrek: studio: port {port} cannot be used: ")


def test_it_serves_until_it_is_interrupted(tmp_path):
    command = [sys.executable, "-m", "lenrek", "studio", "--no-browser", "--json"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        told = json.loads(process.stdout.readline())  # type: ignore[union-attr]
        assert told["address"].startswith("http://127.0.0.1:")
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(told["address"]) as answer:
            assert b"lenrek studio" in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(told["address"].partition("?")[0])
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "", "")
