"""Tensors on disk: safetensors files that are written whole or not at all, and that know when they were altered.

Beside what it is given, the metadata hold `lenrek_format`, and `lenrek_sha256`: the SHA-256 of one line of JSON, the
list [all other metadata, [[name, dtype, shape], …]] with sorted keys, the separators "," and ":" and the tensors in the
order of their names, followed by the bytes of the tensors in that order. Any safetensors reader opens the file; files
of other tools, which have no such digest, are read without that check.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lenrek.errors import CheckpointError

_DIGEST = "lenrek_sha256"
_MARK = "lenrek_format"  # the second sign that a digest must be there: one flipped bit can only hide one of them


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write `tensors` and `metadata` to `path` as safetensors, with a digest of both.

    Dtypes are kept; a tensor that shares memory with another is stored in full, under each name. At every moment `path`
    is either what it was or complete.

    Raises:
        CheckpointError: the file cannot be written (disk full, no such folder); what `path` held is kept.
    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
        >>> write_tensors(path, {"weight": torch.tensor([1.0, 2.0])}, {"trained_on": "digits"})
        >>> read_tensors(path)
        ({'weight': tensor([1., 2.])}, {'trained_on': 'digits'})
    """
    apart: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        storage = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if storage in seen else tensor
        seen.add(storage)
    marked = {**metadata, _MARK: "1"}
    write_bytes_atomically(path, save(apart, {**marked, _DIGEST: _digest(apart, marked)}))


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file, checked against its digest when it has one.

    Raises:
        CheckpointError: `path` is missing, unreadable, cut short, altered, or no safetensors file.
    """
    try:
        Path(path).open("rb").close()  # says better than the library why a file cannot be opened
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path} {_what_is_wrong(Path(path), error)}") from error
    digest = metadata.pop(_DIGEST, None)
    if (digest or _MARK in metadata) and digest != _digest(tensors, metadata):
        raise CheckpointError(
            f"{path} was altered after it was written: its contents no longer match its SHA-256.\n"
            "  Hint: copy the file again from where it came from, or go back to an earlier checkpoint."
        )
    metadata.pop(_MARK, None)
    return tensors, metadata


def write_bytes_atomically(path: str | Path, data: bytes) -> None:
    """Write `data` beside `path`, flush it to the disk, rename it: at every moment `path` is what it was, or complete.

    Raises:
        CheckpointError: the file cannot be written; what `path` held is kept.
    """
    final = Path(os.path.realpath(path))  # a link stays a link: the file it points to is replaced
    beside = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(final)
        if os.name == "posix":  # elsewhere a folder cannot be opened to flush its new entry
            folder = os.open(final.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        kept = "; the file that was there is kept" if final.is_file() else ""
        raise CheckpointError(f"{path} cannot be written ({len(data)} bytes): {error.strerror}{kept}.") from error
    finally:
        if beside.exists():
            beside.unlink()


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    names = sorted(tensors)
    described = [[name, str(tensors[name].dtype), list(tensors[name].shape)] for name in names]
    sha256 = hashlib.sha256(json.dumps([dict(metadata), described], sort_keys=True, separators=(",", ":")).encode())
    for name in names:
        sha256.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()


def _what_is_wrong(path: Path, error: Exception) -> str:
    """The rest of a sentence about a file that the safetensors library refused."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
            return "is a pickle (a PyTorch .pt or .pth file), not a safetensors file."
        header_bytes = int.from_bytes(start, "little")
        header = file.read(min(header_bytes, size))
    if size == 0:
        return "is empty."
    if not header.startswith(b"{"):
        return f"is not a safetensors file: it starts with {start!r}."
    try:
        entries = json.loads(header)
        data_bytes = max((e["data_offsets"][1] for name, e in entries.items() if name != "__metadata__"), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        if size < 8 + header_bytes:
            return f"is cut short: its header alone takes 8 + {header_bytes} bytes, the file has {size}."
        return f"is damaged: its header cannot be read ({error})."
    promised = 8 + header_bytes + data_bytes
    if size < promised:
        sum_of_parts = f"8 + {header_bytes} + {data_bytes} = {promised}"
        return f"is cut short: its header promises {sum_of_parts} bytes, the file has {size}."
    return f"is damaged: {error}."
