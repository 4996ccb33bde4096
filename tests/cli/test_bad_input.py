"""What a user may hand over by mistake: each gets its message and exit status; nothing is lost or left half made."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import TINY, Cli, class_folders, picture
from PIL import Image
from scipy.io import wavfile

PNG = Image.fromarray(picture("above", 7))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Messages name paths as the user gave them: relative ones stay short."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(cli: Cli, *arguments: object, status: int = 1) -> str:
    """The message; nothing is on stdout, no folder `out` is left."""
    outcome = cli(*arguments)
    assert outcome.status == status, outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert not Path("out").exists()
    return outcome.err


# Folders


def test_empty_folder(cli: Cli, here: Path) -> None:
    (here / "nothing").mkdir()
    assert refused(cli, "train", "nothing", "--out", "out") == "lenrek: nothing: the folder is empty.\n"
    assert refused(cli, "data", "check", "nothing") == "lenrek: nothing: the folder is empty.\n"


def test_one_class(cli: Cli, here: Path) -> None:
    class_folders(here / "one", 2)
    shutil.rmtree(here / "one/below")
    assert refused(cli, "train", "one", "--out", "out") == (
        "lenrek: one: all 2 samples are of one class, 'above', but at least two are needed to tell apart.\n"
    )


def test_class_with_one_image(cli: Cli, here: Path) -> None:
    class_folders(here / "few", 4)
    for number in (1, 2, 3):
        (here / f"few/below/0{number}.png").unlink()
    assert refused(cli, "train", "few", "--out", "out") == (
        "lenrek: few: class 'below' has 1 sample to train on and draw from, but one for each of train, test, "
        "validation is needed: 3.\n  Hint: add samples or leave the class out.\n"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("pictuers", "open_source: there is no pictuers.\n  Hint: did you mean pictures?"),
        ("fashion", "open_source: there is no fashion.\n  Hint: did you mean fashion-mnist?"),
        ("zzz", "open_source: there is no zzz.\n  Hint: the named sets are digits, mnist, fashion-mnist, cifar10."),
    ],
)
def test_path_that_is_not_there(given: str, message: str, cli: Cli, here: Path) -> None:
    (here / "pictures").mkdir()
    assert refused(cli, "train", given, "--out", "out") == f"lenrek: {message}\n"


def test_link_loop(cli: Cli, here: Path) -> None:
    data = class_folders(here / "loop")
    (data / "above/again").symlink_to(data, target_is_directory=True)
    outcome = cli("train", "loop", *TINY, "--out", "out")
    assert outcome.status == 0
    assert outcome.err.startswith("above/again: a link to a folder it lies in: not followed.\n")
    assert "loop: 16 images of 2 classes: 12 to train, 2 to validate, 2 to test." in outcome.err
    assert "above/again: a link to a folder it lies in" in cli("predict", "out", "loop").err


# Files


def damaged_folders(root: Path) -> Path:
    data = class_folders(root / "damaged", 10)
    whole = (data / "above/00.png").read_bytes()
    (data / "above/00.png").write_bytes(whole[: len(whole) // 2])
    (data / "above/01.png").write_bytes(b"")
    (data / "below/00.png").write_bytes(b"%PDF-1.4 not a picture")
    (data / "below/01.png").unlink()
    (data / "below/01.png").symlink_to("gone.png")
    return data


DAMAGES = (
    "damaged/above/00.png: damaged image: image file is truncated.\n"
    "damaged/above/01.png: empty: 0 bytes.\n"
    "damaged/below/00.png: not an image: its 22 bytes begin like a PDF.\n"
    "damaged/below/01.png: cannot be read: No such file or directory.\n"
)


def test_damaged_files_are_named_and_counted_and_the_rest_trains(cli: Cli, here: Path) -> None:
    damaged_folders(here)
    outcome = cli("train", "damaged", *TINY, "--out", "out")
    assert outcome.status == 0
    for line in DAMAGES.splitlines():
        assert line in outcome.err.splitlines()
    assert "4 damaged samples are left out." in outcome.err.splitlines()
    assert "damaged: 16 images of 2 classes: 12 to train, 2 to validate, 2 to test." in outcome.err
    assert "its 22 bytes begin like a PDF" in (here / "out/report.html").read_text()
    evaluated = cli("evaluate", "out", "damaged", "--part", "all")
    assert (evaluated.status, evaluated.err) == (0, DAMAGES + "4 damaged samples are left out.\n")
    assert "on 16 samples" in evaluated.out
    checked = cli("data", "check", "damaged")
    assert (checked.status, checked.err) == (0, "")
    assert checked.out.startswith("damaged: 16 images of 14×18, 3 channels; 4 damaged images left out\n")
    assert "damaged   damaged/above/01.png: empty: 0 bytes." in checked.out


def test_predict_leaves_damaged_files_out_and_says_so(cli: Cli, run: Path, here: Path) -> None:
    damaged_folders(here)
    (here / "damaged/above/notes.txt").write_text("sunny")
    outcome = cli("predict", run, "damaged", "--json")
    assert outcome.status == 1
    assert len(outcome.out.splitlines()) == 16
    assert outcome.err == (
        "damaged: 1 file left out, not called like images: above/notes.txt.\n"
        f"{DAMAGES}4 damaged samples are left out.\n"
    )


def test_a_thousand_damaged_files_do_not_bury_the_rest(cli: Cli, run: Path, here: Path) -> None:
    files = [here / f"{number:02}.png" for number in range(12)]
    for file in files[1:]:
        file.write_bytes(b"")
    PNG.save(files[0])
    lines = cli("predict", run, *(file.name for file in files)).err.splitlines()
    assert lines == [f"{n:02}.png: empty: 0 bytes." for n in range(1, 11)] + [
        "11 damaged samples are left out; the first 10 are named above."
    ]


@pytest.mark.parametrize("loading", ["resident", "stream"])
def test_strict_stops_at_the_first(loading: str, cli: Cli, run: Path, here: Path) -> None:
    damaged_folders(here)
    first = "lenrek: damaged/above/00.png: damaged image: image file is truncated.\n"
    assert refused(cli, "train", "damaged", "--strict", "--loading", loading, "--out", "out") == first
    assert refused(cli, "data", "check", "damaged", "--strict") == first
    assert refused(cli, "evaluate", run, "damaged", "--strict") == first
    assert refused(cli, "predict", run, "damaged", "--strict") == first


def test_nothing_readable(cli: Cli, run: Path, here: Path) -> None:
    (here / "only/a").mkdir(parents=True)
    (here / "only/a/1.png").write_bytes(b"")
    assert refused(cli, "train", "only", "--out", "out") == (
        "lenrek: only: none of 1 file can be read; the first: only/a/1.png: empty: 0 bytes.\n"
    )
    assert "only/a/1.png: empty: 0 bytes." in refused(cli, "predict", run, "only/a/1.png")


def test_unreadable_file(cli: Cli, run: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PNG.save(here / "secret.png")
    from lenrek.data import images

    def forbidden(path: object, *arguments: object, **options: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(images, "open", forbidden, raising=False)  # root may read whatever its mode says
    assert "secret.png: cannot be read: Permission denied." in refused(cli, "predict", run, "secret.png")


def made_images(folder: Path) -> dict[str, Path]:
    """One picture in every way a file may hold it, brighter above than below when read right."""
    folder.mkdir(parents=True)
    above = Image.fromarray(picture("above", 7))
    grey = np.asarray(above.convert("L"))
    turned = above.getexif()
    turned[0x0112] = 6  # stored on its side: to be turned by 90° clockwise
    ways = {
        "rgb.png": above,
        "grey16.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "cmyk.tif": above.convert("CMYK"),
        "grey.png": above.convert("L"),
        "alpha.png": above.convert("RGBA"),
        "palette.png": above.quantize(256),
        "turned.png": above.transpose(Image.Transpose.ROTATE_90),
    }
    for name, image in ways.items():
        image.save(folder / name, **({"exif": turned} if name.startswith("turned") else {}))
    return {name: folder / name for name in ways}


def test_every_kind_of_image_trains_and_predicts_alike(cli: Cli, run: Path, here: Path) -> None:
    files = made_images(here / "mixed/above")
    (here / "mixed/below").mkdir()
    for name in files:
        Image.fromarray(picture("below", 8)).save(here / "mixed/below" / f"{name}.png")
    outcome = cli("predict", run, *files.values(), "--json")
    assert (outcome.status, outcome.err) == (0, "")
    posteriors = {Path(row["file"]).name: row["confidence"] for row in map(json.loads, outcome.out.splitlines())}
    expected = posteriors.pop("rgb.png")
    for name, confidence in posteriors.items():  # grey and 256 colours change the values a little, a quarter turn a lot
        assert confidence == pytest.approx(expected, abs=0.05 if "grey" in name else 0.02), name
    trained = cli("train", "mixed", *TINY, "--out", "out")
    assert trained.status == 0
    for said in (
        "16-bit grey to 8 bits: above/grey16.png",
        "CMYK to RGB: above/cmyk.tif",
        "transparency laid on white: above/alpha.png",
        "turned by its EXIF orientation: above/turned.png",
    ):
        assert f"1 file: {said}." in trained.err.splitlines()


NAMES = {b"caf\xe9.png": "caf\\xe9.png", b"red\x1b[31m.png": "red\\x1b[31m.png", b"two\nlines.png": "two\\nlines.png"}


def test_names_no_terminal_should_see(cli: Cli, run: Path, here: Path) -> None:
    for name in NAMES:
        (here / os.fsdecode(name)).write_bytes(b"")
    good = os.fsdecode(b"g\xe9\x1b.png")
    PNG.save(here / good)
    outcome = cli("predict", run, here)
    assert outcome.status == 1
    for shown in NAMES.values():
        assert f"{here}/{shown}: empty: 0 bytes." in outcome.err.splitlines()
    assert "g\\xe9\\x1b.png" in outcome.out
    assert "\x1b" not in outcome.out + outcome.err
    # As JSON a name keeps every byte, so that it still opens the file.
    (line,) = cli("predict", run, here, "--json").out.splitlines()
    assert json.loads(line)["file"] == str(here / good)


def test_names_are_escaped_in_the_report(cli: Cli, here: Path) -> None:
    data = class_folders(here / "data", 10)
    (data / "above").rename(data / "<b>above")
    for name in NAMES:
        (data / "below" / os.fsdecode(name)).write_bytes(b"")
    for number in range(10):
        (data / f"<b>above/0{number}.png").rename(data / f"<b>above/<script>alert({number})<!--.png")
    assert cli("train", "data", *TINY, "--lr", 1e-9, "--out", "out").status == 0
    report = (here / "out/report.html").read_text()
    assert "caf\\xe9.png: empty" in report
    assert "two\\nlines.png: empty" in report
    assert "\x1b" not in report
    assert "<script>alert" not in report
    assert "<b>above" not in report
    assert "&lt;b&gt;above" in report


# Arrays


def test_arrays(cli: Cli, here: Path) -> None:
    x, y = np.zeros((12, 14, 18), np.float32), np.arange(12) % 2
    x[3, 2, 1] = np.nan
    np.savez(here / "nan.npz", x=x, y=y)
    assert refused(cli, "train", "nan.npz", "--out", "out") == (
        "lenrek: nan: x[3] holds nan, but finite float32 values are expected.\n"
        "  Hint: leave such samples out: keep = np.isfinite(x).reshape(len(x), -1).all(axis=1).\n"
    )
    np.savez(here / "range.npz", x=np.zeros((12, 14, 18)), y=y * 2, classes=np.array(["a", "b"]))
    assert refused(cli, "train", "range.npz", "--out", "out") == (
        "lenrek: range: label 2 of sample 1 is out of range: 2 classes are named, so labels run from 0 to 2 − 1 = 1 "
        "(6 such labels).\n"
    )
    np.savez(here / "short.npz", x=np.zeros((12, 14, 18)), y=y[:11])
    assert refused(cli, "train", "short.npz", "--out", "out") == (
        "lenrek: short.npz: x has shape (12, 14, 18), but y has shape (11,): one label per sample is expected.\n"
    )
    (here / "cut.npz").write_bytes((here / "range.npz").read_bytes()[:500])
    assert refused(cli, "data", "check", "cut.npz") == (
        "lenrek: cut.npz: cannot be read as NumPy arrays, perhaps cut short: File is not a zip file.\n"
    )
    np.save(here / "objects.npy", np.array([{"a": 1}], dtype=object))
    shutil.copy(here / "objects.npy", here / "labels.npy")
    assert refused(cli, "train", "objects.npy", "--out", "out") == (
        "lenrek: objects.npy: holds Python objects, which are never loaded; arrays of numbers or strings are "
        "expected.\n"
        "  Hint: for names use np.array(names, dtype=str).\n"
    )


# Models


def test_model_that_is_not_there(cli: Cli, here: Path) -> None:
    (here / "runs").mkdir()
    assert refused(cli, "predict", "rusn", "x.png") == "lenrek: load: there is no rusn.\n  Hint: did you mean runs?\n"
    assert refused(cli, "evaluate", "zzz", "digits") == "lenrek: load: there is no zzz.\n"
    assert refused(cli, "predict", "runs", "x.png") == (
        "lenrek: load: the folder runs holds no trained model: no model.safetensors is in it.\n"
    )


def test_damaged_model(cli: Cli, run: Path, here: Path) -> None:
    PNG.save(here / "x.png")
    whole = (run / "model.safetensors").read_bytes()
    Path("cut.safetensors").write_bytes(whole[:-1])
    message = refused(cli, "predict", "cut.safetensors", "x.png")
    assert message.startswith("lenrek: cut.safetensors is cut short: its header promises 8 + ")
    assert message.endswith(f" = {len(whole)} bytes, the file has {len(whole) - 1}.\n")
    altered = bytearray(whole)
    altered[-1000] ^= 1
    Path("altered.safetensors").write_bytes(altered)
    assert refused(cli, "predict", "altered.safetensors", "x.png") == (
        "lenrek: altered.safetensors was altered after it was written: its contents no longer match its SHA-256.\n"
        "  Hint: copy the file again from where it came from, or go back to an earlier checkpoint.\n"
    )
    torch.save({"a": torch.zeros(2)}, "model.pth")
    message = "lenrek: model.pth is a pickle (a PyTorch .pt or .pth file), not a safetensors file.\n"
    assert refused(cli, "predict", "model.pth", "x.png") == message
    Path("old.pth").write_bytes(pickle.dumps({"a": 1}))
    assert refused(cli, "evaluate", "old.pth", "digits") == message.replace("model.pth", "old.pth")


def test_altered_checkpoint_leaves_the_run_untouched(cli: Cli, folders: Path, run: Path, here: Path) -> None:
    shutil.copytree(run, here / "mine")
    content = bytearray((here / "mine/checkpoint.safetensors").read_bytes())
    content[-1000] ^= 1
    (here / "mine/checkpoint.safetensors").write_bytes(content)
    before = {path.name: path.read_bytes() for path in (here / "mine").iterdir()}
    message = refused(cli, "train", folders, *TINY, "--out", "mine", "--resume", "--quiet")
    assert message.startswith("lenrek: mine/checkpoint.safetensors was altered after it was written")
    assert {path.name: path.read_bytes() for path in (here / "mine").iterdir()} == before


def test_a_run_is_not_overwritten(cli: Cli, folders: Path, run: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert refused(cli, "train", folders, *TINY, "--out", run) == (
        f"lenrek: train: {run} already holds a run, which would be lost.\n"
        "  Hint: add --resume to continue it, or name another folder with --out.\n"
    )
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_input_of_another_kind_than_the_network_takes(cli: Cli, run: Path, here: Path) -> None:
    np.savez(here / "grey.npz", x=np.zeros((12, 14, 18), np.uint8), y=np.repeat(["above", "below"], 6))
    assert cli("evaluate", run, "grey.npz").status == 0, "grey is shown to a network for colours as grey in all three"
    np.savez(here / "signals.npz", x=np.zeros((12, 14), np.uint8), y=np.repeat(["above", "below"], 6))
    assert refused(cli, "evaluate", run, "signals.npz") == (
        "lenrek: evaluate: signals holds signals, which are 1-D, but this network was trained on 2-D data.\n"
    )
    np.savez(here / "other.npz", x=np.zeros((12, 14, 18, 3), np.uint8), y=np.repeat(["cat", "dog"], 6))
    assert "other has classes this network was not trained on: cat, dog" in refused(cli, "evaluate", run, "other.npz")
    wavfile.write(here / "a.wav", 8000, np.zeros(800, np.int16))
    assert "a.wav: not an image: its 1,644 bytes begin like a RIFF file" in refused(cli, "predict", run, "a.wav")


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "dilated_contxt"), "create_model: there is no architecture 'dilated_contxt'.\n"
         "  Hint: Did you mean dilated_context, dilated_context_large?"),
        (("--momentum", 0.9), "train: momentum 0.9 has no effect with optimizer adamw.\n"
         "  Hint: leave it out, or pass optimizer sgd."),
        (("--grouped",), "split_source: grouped=True, but pictures has no groups.\n"
         "  Hint: name them in a column group, speaker, patient or subject of a manifest, or an array groups."),
        (("--size", "8x9x10"), "train: size 8×9×10 has 3 axes, but the data has 2."),
        (("--size", "big"), "train: --size is 'big', expected a whole number for each axis, joined by 'x': 64x96."),
        (("--size", "0"), "train: size is (0,), but must be positive on every axis."),
        (("--model", "m5"), "train: pictures holds images, which are 2-D, but m5 is for 1-D.\n"
         "  Hint: lenrek models lists what each architecture takes."),
        (("--model", "vgg11", "--size", "20x40"), "train: vgg11 needs at least 32 samples per axis, but the size is "
         "20×40.\n  Hint: pass --size 224, or another --model."),
        (("--epochs", 0), "train: epochs is 0, but must be at least 1."),
        (("--augment", "flop"), "augmentation 'flop': 'flop' is no policy and no transform.\n"
         "  Hint: did you mean flip?"),
    ],
)  # fmt: skip
def test_option_that_does_not_apply(options: tuple, message: str, cli: Cli, folders: Path) -> None:
    assert refused(cli, "train", folders, "--quiet", "--out", "out", *options) == f"lenrek: {message}\n"


def test_resume_without_out(cli: Cli, folders: Path) -> None:
    assert refused(cli, "train", folders, "--resume") == (
        "lenrek: train: resume needs to know which run.\n  Hint: pass --out with the run's folder.\n"
    )


def test_training_that_diverges(cli: Cli, folders: Path) -> None:
    assert refused(cli, "train", folders, *TINY, "--batch-size", 4, "--lr", 1e30, "--quiet", "--out", "out") == (
        "lenrek: train: the loss became nan in epoch 1, step 2 of 3.\n"
        "  Hint: lower the learning rate (now 1e+30), or pass --clip-norm 1.\n"
    )


def test_flip_of_signals(cli: Cli, here: Path) -> None:
    np.savez(here / "signals.npz", x=np.zeros((12, 1100), np.float32), y=np.arange(12) % 2)
    assert refused(cli, "train", "signals.npz", "--model", "m5", "--augment", "flip", "--quiet", "--out", "out") == (
        "lenrek: augmentation flip: signals have no left and right.\n  Hint: leave flip out.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [("train", "digits", "--modle", "lenet5"), ("train",), ("frobnicate",), ("train", "digits", "--epochs", "ten"),
     ("train", "digits", "--optimizer", "adam"), ("predict", "run", "x.png", "--top", "0"), ("data", "chek")],
)  # fmt: skip
def test_wrong_usage(arguments: tuple, cli: Cli) -> None:
    message = refused(cli, *arguments, status=2)
    assert "Usage: lenrek" in message
    assert "--help' for help." in message


# Interruptions


def test_disk_full_while_saving(cli: Cli, folders: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync, calls = os.fsync, [0]

    def full_in_the_second_epoch(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] > 6:  # model, checkpoint and metrics, each flushed with its folder
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_in_the_second_epoch)
    command = ("train", folders, "--epochs", 3, *TINY[2:], "--out", "kept", "--quiet")
    outcome = cli(*command)
    assert (outcome.status, outcome.out) == (1, "")
    assert " cannot be written (" in outcome.err
    assert outcome.err.endswith("bytes): No space left on device; the file that was there is kept.\n")
    monkeypatch.setattr(os, "fsync", fsync)
    assert sorted(path.name for path in (here / "kept").iterdir()) == [
        "checkpoint.safetensors", "metrics.jsonl", "model.safetensors",
    ]  # fmt: skip
    assert cli(*command, "--resume").status == 0
    assert len((here / "kept/metrics.jsonl").read_text().splitlines()) == 3


def test_ctrl_c_names_the_command_that_continues(folders: Path, here: Path) -> None:
    command = [sys.executable, "-m", "lenrek", "train", str(folders), "--epochs", "400", "--precision", "fp32"]
    environment = os.environ | {"LENREK_CACHE": str(here / "cache")}
    training = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # also where what runs the tests ignores it
    )  # fmt: skip
    metrics = here / "runs/pictures-lenet5/metrics.jsonl"
    until = time.monotonic() + 60
    # The second line is written when the first epoch is safely saved.
    while not (metrics.exists() and metrics.read_text().count("\n") > 1) and time.monotonic() < until:
        time.sleep(0.02)
    training.send_signal(signal.SIGINT)
    out, err = training.communicate(timeout=60)
    assert training.returncode == 130, err
    assert out == ""
    finished, _, command = err.splitlines()[-1].removeprefix("lenrek: interrupted after epoch ").partition("; ")
    assert command == (
        f"to continue: lenrek train {folders} --epochs 400 --precision fp32 --out runs/pictures-lenet5 --resume"
    )
    epoch, of, epochs = finished.split()
    # An interrupt while an epoch is being saved leaves its metrics, but does not count it.
    assert len(metrics.read_text().splitlines()) - int(epoch) in (0, 1)
    assert (of, epochs) == ("of", "400")
    assert "Traceback" not in err


def test_ctrl_c_before_there_is_anything_to_save(cli: Cli, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lenrek.training import fitting

    def interrupted(*arguments: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "train_epoch", interrupted)
    outcome = cli("train", folders, *TINY, "--out", "out", "--quiet")
    assert (outcome.status, outcome.out, outcome.err) == (130, "", "lenrek: interrupted in epoch 1\n")
    assert not Path("out").exists()


@pytest.mark.parametrize("unbuffered", ["1", ""], ids=["while writing", "at the end"])
def test_reader_that_goes_away(unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-m", "lenrek", "--version"]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, "")
