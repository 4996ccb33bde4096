import io
import os
import stat
import tarfile
import zipfile

import pytest

from lenrek.data import archive
from lenrek.data.archive import unpack
from lenrek.errors import DataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "archives"


def tar(path, *members, mode="w:gz"):
    """Members are (name, bytes) for files, (name, TarInfo fields) for anything else."""
    with tarfile.open(path, mode) as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
            else:
                for field, value in content.items():
                    setattr(info, field, value)
                file.addfile(info)
    return path


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FILES = {"a/1.txt": b"one", "a/b/2.txt": b"two"}


@pytest.mark.parametrize(("name", "mode"), [("x.tar.gz", "w:gz"), ("x.tgz", "w:gz"), ("x.TAR", "w")])
def test_tar(tmp_path, cache, name, mode):
    path = tar(tmp_path / name, ("a", {"type": tarfile.DIRTYPE}), *FILES.items(), mode=mode)
    folder = unpack(path)
    assert folder.parent == cache
    assert folder.name.startswith("x-")
    assert content(folder) == FILES
    assert sorted(os.listdir(cache)) == [folder.name]


def test_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.mkdir("a") if hasattr(file, "mkdir") else None
        for name, data in FILES.items():
            file.writestr(name, data)
    assert content(unpack(tmp_path / "x.zip")) == FILES


def test_unpacked_once_and_again_when_it_changed(tmp_path, monkeypatch):
    path = tar(tmp_path / "x.tgz", *FILES.items())
    folder = unpack(path)
    monkeypatch.setattr(archive, "_members", None)  # calling it would fail
    assert unpack(path) == folder
    monkeypatch.undo()
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))
    tar(path, ("new.txt", b"new"))
    os.utime(path, ns=(1, 1))
    again = unpack(path)
    assert again != folder
    assert content(again) == {"new.txt": b"new"}


def test_links_within_become_files(tmp_path):
    link = {"type": tarfile.SYMTYPE, "linkname": "../a/1.txt"}
    hard = {"type": tarfile.LNKTYPE, "linkname": "a/1.txt"}
    folder = unpack(tar(tmp_path / "x.tgz", *FILES.items(), ("c/soft", link), ("hard", hard)))
    assert content(folder) == {**FILES, "c/soft": b"one", "hard": b"one"}
    assert not (folder / "c" / "soft").is_symlink()


def test_names_that_are_not_utf_8(tmp_path):
    folder = unpack(tar(tmp_path / "x.tgz", ("caf\udce9/1.txt", b"one")))
    assert os.listdir(os.fsencode(folder)) == [b"caf\xe9"]


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (("../evil", b"x"), "its member '../evil' would be written outside its folder: not unpacked."),
        (("a/../../evil", b"x"), "its member 'a/../../evil' would be written outside its folder: not unpacked."),
        (("/tmp/evil", b"x"), "its member '/tmp/evil' would be written outside its folder: not unpacked."),
        (
            ("a/l", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
            "its member 'a/l' is a link to '/etc/passwd', which is no file in it: not unpacked.",
        ),
        (
            ("l", {"type": tarfile.LNKTYPE, "linkname": "../evil"}),
            "its member 'l' is a link to '../evil', which is no file in it: not unpacked.",
        ),
        (("dev", {"type": tarfile.CHRTYPE}), "its member 'dev' is no file, nor a folder: not unpacked."),
        (("pipe", {"type": tarfile.FIFOTYPE}), "its member 'pipe' is no file, nor a folder: not unpacked."),
    ],
)
def test_nothing_is_written_outside(tmp_path, cache, member, message):
    path = tar(tmp_path / "x.tgz", ("good.txt", b"good"), member)
    with pytest.raises(DataError) as error:
        unpack(path)
    assert str(error.value) == f"{path}: {message}"
    assert os.listdir(cache) == []
    assert not list(tmp_path.rglob("*evil*"))


def test_zip_members_outside_and_links(tmp_path, cache):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("../evil", b"x")
    with pytest.raises(DataError) as error:
        unpack(path)
    assert str(error.value) == f"{path}: its member '../evil' would be written outside its folder: not unpacked."
    link = zipfile.ZipInfo("l")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DataError) as error:
        unpack(path)
    assert str(error.value) == f"{path}: holds a link, 'l'; files are expected."
    assert os.listdir(cache) == []


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tar", "x.zip"])
def test_archives_cut_short_leave_nothing(tmp_path, cache, name):
    path = tmp_path / name
    data = os.urandom(50_000)
    if name.endswith("zip"):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("a.bin", data)
    else:
        tar(path, ("a.bin", data), mode="w:gz" if name.endswith("gz") else "w")
    path.write_bytes(path.read_bytes()[:30_000])
    with pytest.raises(DataError) as error:
        unpack(path)
    assert str(error.value).startswith(f"{path}: cannot be unpacked: ")
    assert os.listdir(cache) == []


def test_disk_full(tmp_path, cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.shutil, "copyfileobj", full)
    path = tar(tmp_path / "x.tgz", *FILES.items())
    with pytest.raises(DataError) as error:
        unpack(path)
    assert str(error.value) == f"{path}: cannot be unpacked: [Errno 28] No space left on device."
    assert os.listdir(cache) == []


def test_sha256(tmp_path):
    path = tar(tmp_path / "x.tgz", *FILES.items())
    with pytest.raises(DataError, match=r"x\.tgz: is not the published archive: SHA-256 .{12}…, but 000000000000… is"):
        unpack(path, sha256="0" * 64)
