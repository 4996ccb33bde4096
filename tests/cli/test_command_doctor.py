"""`lenrek doctor`: what it finds, what it advises, and that nothing makes it fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from commands import Cli

import lenrek
from lenrek.cli import doctor
from lenrek.kernels import library

SUBJECTS = ["processor", "kernels", "threads", "PyTorch", "bfloat16", "memory", "engines", "cache", "variables"]


@pytest.fixture
def healthy(monkeypatch):
    """A machine on which nothing is missing."""
    best = library.Active(Path("liblenrek.so"), library.ISAS, library.ISAS[-1], True)
    monkeypatch.setattr(library, "_active", best)
    monkeypatch.setattr(doctor, "_cores", torch.get_num_threads)
    monkeypatch.setattr(doctor, "find_spec", lambda name: True)
    monkeypatch.setattr(doctor, "_capabilities", dict)
    monkeypatch.setattr("lenrek.optimization.ways.has_bfloat16", lambda: True)
    monkeypatch.setattr("lenrek.optimization.memory.keep_memory", lambda keep: True)
    for name in [name for name in os.environ if name.startswith("LENREK_")]:
        monkeypatch.delenv(name)
    return best


def told(cli: Cli) -> dict:
    outcome = cli("doctor", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    return json.loads(outcome.out)


def test_nothing_is_missing(cli: Cli, healthy) -> None:
    found = told(cli)
    assert list(found) == [*SUBJECTS, "advice"]
    assert found["advice"] == []
    assert found["kernels"] == {
        "path": "liblenrek.so", "isas": list(library.ISAS), "isa": "avx512_bf16", "threaded": True, "reason": "",
    }  # fmt: skip
    assert found["threads"] == {"pytorch": torch.get_num_threads(), "cores": torch.get_num_threads()}
    assert found["PyTorch"]["version"] == torch.__version__
    assert found["bfloat16"] is True
    outcome = cli("doctor")
    *lines, empty, last = outcome.out.splitlines()
    assert (outcome.status, outcome.err, empty, last) == (0, "", "", "Everything runs as it should.")
    assert [line.split()[0] for line in lines] == SUBJECTS
    assert lines[1] == "kernels    avx512_bf16, on PyTorch's threads"


def test_this_machine(cli: Cli, tmp_path: Path) -> None:
    """Whatever it is, it is told; and the cache of this test is the one that was found."""
    found = told(cli)
    assert found["kernels"]["isa"] == library.active().isa
    assert found["cache"] == {"folder": str(tmp_path / "cache"), "writable": True}
    assert found["variables"]["LENREK_CACHE"] == str(tmp_path / "cache")


@pytest.mark.parametrize(
    ("compilers", "advice"),
    [
        ({"g++"}, "/bin/g++ can compile them: install lenrek again: "),
        (set(), "there is no C++ compiler: "),
    ],
)
def test_no_kernels(cli: Cli, healthy, monkeypatch, compilers, advice) -> None:
    monkeypatch.setattr(library, "_active", library.Active(reason="they were not compiled"))
    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/bin/{name}" if name in compilers else None)
    (said,) = [sentence for sentence in told(cli)["advice"] if sentence.startswith("kernels")]
    assert said.startswith(f"kernels: norms, activations and pooling take four to nine times as long; {advice}")
    assert "kernels    none: they were not compiled\n" in cli("doctor").out


def test_another_library_that_cannot_be_used(cli: Cli, healthy, monkeypatch) -> None:
    monkeypatch.setattr(library, "_active", library.Active(reason="/nope cannot be used"))
    monkeypatch.setenv("LENREK_LIBRARY", "/nope")
    assert told(cli)["advice"][0].endswith("; unset LENREK_LIBRARY, which names the library that is not used")


def test_kernels_below_what_is_possible(cli: Cli, healthy, monkeypatch) -> None:
    below = replace(healthy, isas=library.ISAS[:3], isa="avx2", threaded=False, reason="one thread only")
    monkeypatch.setattr(library, "_active", below)
    assert told(cli)["advice"] == [
        "kernels: LENREK_ISA keeps them from avx512, which is faster; unset it",
        "kernels: one thread only; they leave the other cores idle: install PyTorch from PyPI, with pip",
    ]
    assert "kernels    avx2, on one thread; this processor has no avx512_bf16\n" in cli("doctor").out


@pytest.mark.parametrize(
    ("cores", "physical", "variable", "advice"),
    [
        (5, 5, "", ["threads: 2 of 5 cores idle while a network computes; set OMP_NUM_THREADS=5"]),
        (5, 5, "OMP_NUM_THREADS", ["threads: 2 of 5 cores idle while a network computes; unset OMP_NUM_THREADS"]),
        (5, 5, "MKL_NUM_THREADS", ["threads: 2 of 5 cores idle while a network computes; unset MKL_NUM_THREADS"]),
        (6, 3, "", []),
        (2, 8, "", ["threads: 3 on 2 cores wait for each other; set OMP_NUM_THREADS=2"]),
    ],
)
def test_threads(cli: Cli, healthy, monkeypatch, cores, physical, variable, advice) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "3")
    monkeypatch.setattr(doctor, "_cores", lambda: cores)
    monkeypatch.setattr(doctor, "_capabilities", lambda: {"num_physical_cores": physical})
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert told(cli)["advice"] == advice


def test_engines_that_are_not_installed(cli: Cli, healthy, monkeypatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name in ("openvino", "onnxscript") else True)
    found = told(cli)
    assert found["engines"] == {"OpenVINO": None, "ONNX Runtime": None}
    assert found["advice"] == [
        "engines: without OpenVINO prediction may be slower, and it cannot be exported to; "
        "pip install 'lenrek[openvino]'",
        "engines: without ONNX Runtime (onnxscript) prediction may be slower, and it cannot be exported to; "
        "pip install 'lenrek[onnx]'",
    ]


def test_memory_and_bfloat16(cli: Cli, healthy, monkeypatch) -> None:
    monkeypatch.setattr("lenrek.optimization.memory.keep_memory", lambda keep: False)
    monkeypatch.setattr("lenrek.optimization.ways.has_bfloat16", lambda: False)
    found = told(cli)
    assert (found["memory"], found["bfloat16"]) == (False, False)
    assert found["advice"] == [
        "bfloat16: imitated, it is slower than float32; pass dtype=torch.float32 to lenrek.optimize",
        "memory: every step of a training asks the system for its memory anew; only Linux's glibc can keep it",
    ]


def test_a_cache_that_cannot_be_written(cli: Cli, healthy, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "file" / "cache"))
    found = told(cli)
    assert found["cache"] == {"folder": str(tmp_path / "file" / "cache"), "writable": False}
    assert found["advice"] == [
        f"cache: {tmp_path}/file: Not a directory; data sets are fetched, and number types measured, anew each time: "
        "set LENREK_CACHE to a folder that you may write to"
    ]


def test_unknown_variables(cli: Cli, healthy, monkeypatch) -> None:
    monkeypatch.setenv("LENREK_CASHE", "x")
    monkeypatch.setenv("LENREK_QQQQQQQQQQ", "y")
    first, second = told(cli)["advice"]
    assert first == "variables: LENREK_CASHE is unknown and has no effect; did you mean LENREK_CACHE?"
    assert second.startswith("variables: LENREK_QQQQQQQQQQ is unknown and has no effect; known are LENREK_CACHE, ")


def test_all_variables_that_are_read_are_known() -> None:
    read = {
        name
        for path in Path(lenrek.__file__).parent.rglob("*.py")
        if path.name != "doctor.py"
        for name in re.findall(r'["(](LENREK_[A-Z]+)"', path.read_text())
    }
    assert read == doctor.VARIABLES.keys() - {"LENREK_WEIGHTS"}


def test_nothing_makes_it_fail(cli: Cli, monkeypatch) -> None:
    """Every look raises; what they have in common is said once."""

    def broken() -> doctor.Finding:
        raise RuntimeError("no such\n  file")

    monkeypatch.setattr(doctor, "LOOKS", dict.fromkeys(("kernels", "cache"), broken))
    outcome = cli("doctor")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == (
        "kernels  unknown\ncache    unknown\n\n- kernels, cache: it could not be looked at: no such file\n"
    )


def test_a_wrong_instruction_set_is_a_finding() -> None:
    """The kernels themselves refuse to be imported then."""
    environment = os.environ | {"LENREK_ISA": "sse9"}
    command = [sys.executable, "-m", "lenrek", "doctor", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    found = json.loads(ended.stdout)
    assert found["kernels"] is None
    assert any("LENREK_ISA: instruction set 'sse9', expected one of portable, " in said for said in found["advice"])


@pytest.mark.parametrize(("limit", "cores"), [("150000 100000", 2), ("40000 100000", 1), ("max 100000", 7), (None, 7)])
def test_cores_of_a_container(monkeypatch, tmp_path: Path, limit, cores) -> None:
    file = tmp_path / "cpu.max"
    if limit:
        file.write_text(limit)
    monkeypatch.setattr(doctor, "Path", lambda name: file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(7)), raising=False)
    assert doctor._cores() == cores
