"""Where a run is written: a folder of its own, and never over another run."""

import json
from pathlib import Path

import pytest

from lenrek.errors import OptionError
from lenrek.training.run_folder import RunFolder, free_run_folder, wanted_run_folder


def test_free_folders_are_claimed_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [free_run_folder("digits-lenet5").path for _ in range(3)]
    assert paths == [Path("runs/digits-lenet5"), Path("runs/digits-lenet5-2"), Path("runs/digits-lenet5-3")]
    assert all(path.is_dir() for path in paths)
    (tmp_path / "runs" / "other").touch()
    assert free_run_folder("other").path == Path("runs/other-2")


def test_the_wanted_folder_is_made_when_asked_to(tmp_path: Path) -> None:
    for resume in (False, True):
        folder = wanted_run_folder(tmp_path / "a" / str(resume), resume)
        assert not folder.path.exists()
        assert folder.made() is folder
        assert folder.made().path.is_dir()
    assert wanted_run_folder(None, resume=False) is None


@pytest.mark.parametrize("file", ["checkpoint.safetensors", "model.safetensors"])
def test_a_run_is_not_overwritten(file: str, tmp_path: Path) -> None:
    (tmp_path / file).touch()
    with pytest.raises(OptionError) as info:
        wanted_run_folder(tmp_path, resume=False)
    assert str(info.value) == (
        f"train: {tmp_path} already holds a run, which would be lost.\n"
        "  Hint: add --resume to continue it, or name another folder with --out."
    )
    assert wanted_run_folder(tmp_path, resume=True).path == tmp_path


def test_resume_needs_a_name() -> None:
    with pytest.raises(OptionError) as info:
        wanted_run_folder(None, resume=True)
    assert str(info.value) == "train: resume needs to know which run.\n  Hint: pass --out with the run's folder."


def test_what_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OptionError) as info:
        wanted_run_folder(tmp_path / "file", resume=False)
    assert str(info.value) == f"train: {tmp_path}/file is a file, but a run is a folder."
    with pytest.raises(OptionError) as info:
        wanted_run_folder(tmp_path / "file" / "run", resume=False).made()
    assert str(info.value) == f"train: the folder {tmp_path}/file/run cannot be made: Not a directory."


def test_written_files_read_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json(folder.config, {"b": [1, None], "a": "é"})
    assert json.loads(folder.config.read_text()) == {"b": [1, None], "a": "é"}
    folder.write_metrics([{"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": 1 / 3}])
    assert [json.loads(line) for line in folder.metrics.read_text().splitlines()][1] == {"epoch": 2, "loss": 1 / 3}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "metrics.jsonl"]
