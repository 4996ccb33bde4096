"""The compiled kernels are found, checked before they run, and share PyTorch's threads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lenrek.errors import OptionError
from lenrek.kernels import library

needs_library = pytest.mark.skipif(not library.available(), reason=library.active().reason)


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, that chooses the instruction set by itself where `environment` names none."""
    inherited = {name: value for name, value in os.environ.items() if name != "LENREK_ISA"}
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        capture_output=True, text=True, timeout=120, env=inherited | environment, check=False,
    )  # fmt: skip


@pytest.mark.skipif("LENREK_LIBRARY" in os.environ, reason="another library, or none, is asked for")
@pytest.mark.skipif(not any(shutil.which(name) for name in ("c++", "g++", "clang++")), reason="no C++ compiler")
def test_where_there_is_a_compiler_there_are_kernels():
    assert library.active().reason == ""
    assert library.active().isas[0] == "portable"


@needs_library
@pytest.mark.parametrize("isa", library.active().isas)
def test_the_environment_chooses_among_what_the_processor_has(isa):
    assert library._load({"LENREK_ISA": isa})[1] == replace(library._load({})[1], isa=isa)
    assert library._load({})[1].isa == library.active().isas[-1]


@needs_library
@pytest.mark.skipif(not Path("/proc/cpuinfo").is_file(), reason="the system does not list the processor's flags")
def test_the_instruction_sets_are_those_the_system_lists():
    flags = set(Path("/proc/cpuinfo").read_text().split())
    needs = {
        "portable": set(),
        "avx2": {"avx2", "fma"},
        "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq"},
        "avx512_bf16": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_bf16"},
    }
    assert list(library.active().isas) == [isa for isa in library.ISAS if needs[isa] <= flags]


@needs_library
def test_an_instruction_set_nobody_knows_is_refused():
    with pytest.raises(OptionError) as error:
        library._load({"LENREK_ISA": "sse9"})
    assert str(error.value) == (
        "LENREK_ISA: instruction set 'sse9', expected one of portable, avx2, avx512, avx512_bf16."
    )


def test_an_instruction_set_the_processor_lacks_is_refused():
    with pytest.raises(OptionError) as error:
        library._choose("avx512", ("portable", "avx2"), "LENREK_ISA")
    assert str(error.value) == (
        "LENREK_ISA: instruction set 'avx512', but this processor with this installation has portable, avx2.\n"
        "  Hint: without LENREK_ISA the best one is chosen."
    )


def test_without_a_library_asking_for_an_instruction_set_is_refused(tmp_path):
    with pytest.raises(OptionError) as error:
        library._load({"LENREK_ISA": "portable", "LENREK_LIBRARY": str(tmp_path / "absent.so")})
    assert str(error.value) == (
        "LENREK_ISA: instruction set 'portable', but this processor with this installation has no compiled kernels.\n"
        "  Hint: without LENREK_ISA the best one is chosen."
    )


@pytest.mark.parametrize("content", [None, b"", b"\x7fELF\x02\x01\x01" + bytes(64)])
def test_a_library_that_cannot_be_loaded_is_not_used(tmp_path, content):
    path = tmp_path / "liblenrek.so"
    if content is not None:
        path.write_bytes(content)
    handle, active = library._load({"LENREK_LIBRARY": str(path)})
    assert (handle, active.isa, active.isas) == (None, None, ())
    assert active.reason.startswith(f"{path} cannot be used: {path}: ")


def test_a_missing_library_is_told_once(tmp_path):
    path = tmp_path / "absent.so"
    code = """
from lenrek.kernels import library
import lenrek.kernels.library as again
print(again.active().isa, again.active().reason, sep="|")
"""
    result = run(code, LENREK_LIBRARY=str(path))
    isa, reason = result.stdout.rstrip("\n").split("|")
    assert (result.returncode, isa) == (0, "None")
    assert result.stderr.count("RuntimeWarning") == 1
    assert f"RuntimeWarning: lenrek runs on PyTorch's operators: {reason}." in result.stderr


@pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler")
def test_a_library_of_another_generation_is_refused(tmp_path):
    path = tmp_path / "old.so"
    source = tmp_path / "old.c"
    source.write_text("int lenrek_abi(void) { return 0; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", path, source], check=True)
    reason = f"{path} is of generation 0, expected {library.ABI}: install lenrek again"
    assert library._load({"LENREK_LIBRARY": str(path)}) == (None, library.Active(reason=reason))


@needs_library
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_holds_one_openmp_runtime_and_its_threads_are_pytorchs():
    code = """
import os, torch
from lenrek.kernels import library
from lenrek.kernels.block import bias_act_pool

torch.set_num_threads(2)
x = torch.empty(4096, 64)
before = len(os.listdir("/proc/self/task"))
bias_act_pool(x)
during = len(os.listdir("/proc/self/task"))
torch.zeros(1000, 1000).add_(1)
after = len(os.listdir("/proc/self/task"))
runtimes = {line.split()[-1] for line in open("/proc/self/maps") if "omp" in os.path.basename(line.split()[-1])}
print(library.active().threaded, len(runtimes), during - before, after - during)
"""
    assert run(code).stdout == "True 1 1 0\n"  # one thread more, and PyTorch finds it there


@needs_library
def test_fewer_threads_than_asked_for_take_all_parts():
    code = """
import torch
from lenrek.kernels.block import bias_act_pool

torch.set_num_threads(2)
x = torch.randn(4096, 64)
print(torch.equal(bias_act_pool(x, activation="relu"), x.clamp(min=0)))
"""
    assert run(code, OMP_THREAD_LIMIT="1").stdout == "True\n"


@needs_library
def test_using_another_instruction_set_ends_with_the_block():
    before = library.active()
    with library.using("portable"):
        assert library.active().isa == "portable"
    with library.using(None):
        assert not library.available()
    assert library.active() == before


def test_threads_of_pytorch_are_shared():
    assert library.active().threaded == (torch.backends.openmp.is_available() and library.available())
