"""Tensor files: what is written is read back, and nothing damaged or half-written passes for whole."""

import hashlib
import json
import os
import resource
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lenrek.errors import CheckpointError
from lenrek.models.tensor_file import read_tensors, write_bytes_atomically, write_tensors


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def limit_file_size():
    """Writing past the limit fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size_bytes: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def small_file(path: Path) -> bytes:
    write_tensors(
        path, {"weight": torch.tensor([[1.5, -2.0, 3.0]]), "steps": torch.tensor(7)}, {"trained_on": "digits"}
    )
    return path.read_bytes()


def test_every_dtype_and_layout_comes_back_as_it_was(path):
    grid = torch.arange(24.0).reshape(4, 6)
    given = {
        "whole": grid,
        "transposed": grid.t(),
        "rows": grid[1:3],
        "tied": grid,
        "scalar": torch.tensor(3),
        "empty": torch.zeros(0, 2),
        "half": torch.tensor([1.5], dtype=torch.float16),
        "brain": torch.tensor([2.5], dtype=torch.bfloat16),
        "double": torch.tensor([1 / 3], dtype=torch.float64),
        "bytes": torch.tensor([0, 255], dtype=torch.uint8),
        "mask": torch.tensor([True, False]),
        "trained": torch.nn.Parameter(torch.tensor([4.0])),
    }
    write_tensors(path, given, {"note": 'é "quoted"\n'})
    tensors, metadata = read_tensors(path)
    assert metadata == {"note": 'é "quoted"\n'}
    assert tensors.keys() == given.keys()
    for name, tensor in given.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor), name


def test_other_tools_read_the_file_and_can_check_its_digest(path):
    small_file(path)
    tensors = load_file(path)
    header_bytes = int.from_bytes(path.read_bytes()[:8], "little")
    stored = json.loads(path.read_bytes()[8 : 8 + header_bytes])["__metadata__"]["lenrek_sha256"]
    line = (
        b'[{"lenrek_format":"1","trained_on":"digits"},[["steps","torch.int64",[]],["weight","torch.float32",[1,3]]]]'
    )
    assert (
        stored
        == hashlib.sha256(line + tensors["steps"].numpy().tobytes() + tensors["weight"].numpy().tobytes()).hexdigest()
    )


def test_files_of_other_tools_are_read_without_a_digest(path):
    save_file({"weight": torch.ones(2)}, path, {"architecture": "squeezenet1_1"})
    tensors, metadata = read_tensors(path)
    assert metadata == {"architecture": "squeezenet1_1"}
    assert torch.equal(tensors["weight"], torch.ones(2))


def test_a_file_without_metadata_is_read(path):
    save_file({"weight": torch.ones(2)}, path)
    assert read_tensors(path)[1] == {}


def test_any_flipped_bit_is_noticed(path):
    whole = small_file(path)
    for position in range(len(whole)):
        for bit in range(8):
            altered = bytearray(whole)
            altered[position] ^= 1 << bit
            path.write_bytes(altered)
            with pytest.raises(CheckpointError):
                read_tensors(path)


def test_any_cut_is_noticed(path):
    whole = small_file(path)
    for size_bytes in range(len(whole)):
        path.write_bytes(whole[:size_bytes])
        with pytest.raises(CheckpointError):
            read_tensors(path)


def test_messages_say_what_is_wrong(path):
    def message() -> str:
        with pytest.raises(CheckpointError) as caught:
            read_tensors(path)
        return str(caught.value).removeprefix(f"{path} ")

    assert message() == "cannot be read: No such file or directory."
    path.write_bytes(b"")
    assert message() == "is empty."
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    assert message() == r"is not a safetensors file: it starts with b'\x89PNG\r\n\x1a\n'."
    torch.save({"weight": torch.ones(1)}, path)
    assert message() == "is a pickle (a PyTorch .pt or .pth file), not a safetensors file."

    whole = small_file(path)
    header = int.from_bytes(whole[:8], "little")
    path.write_bytes(whole[:-1])
    total = 8 + header + 20
    assert (
        message() == f"is cut short: its header promises 8 + {header} + 20 = {total} bytes, the file has {total - 1}."
    )
    path.write_bytes(whole[:50])
    assert message() == f"is cut short: its header alone takes 8 + {header} bytes, the file has 50."
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert message() == (
        "was altered after it was written: its contents no longer match its SHA-256.\n"
        "  Hint: copy the file again from where it came from, or go back to an earlier checkpoint."
    )


def test_a_full_disk_keeps_the_previous_file_and_leaves_no_other(path, limit_file_size):
    before = small_file(path)
    limit_file_size(2000)
    with pytest.raises(CheckpointError) as caught:
        write_tensors(path, {"weight": torch.zeros(1000)}, {})
    limit_file_size(resource.RLIM_INFINITY)
    assert str(caught.value).startswith(f"{path} cannot be written (4")
    assert str(caught.value).endswith(" bytes): File too large; the file that was there is kept.")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_is_none_is_named(tmp_path, folder):
    (tmp_path / "file").write_text("")
    path = tmp_path / folder / "report.html"
    reason = {"missing": "No such file or directory", "file": "Not a directory"}[folder]
    with pytest.raises(CheckpointError) as caught:
        write_bytes_atomically(path, b"abc")
    assert str(caught.value) == f"{path} cannot be written (3 bytes): {reason}."


def test_bytes_replace_what_a_link_points_to(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_bytes_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes_atomically(tmp_path / "file", b"new")
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"
