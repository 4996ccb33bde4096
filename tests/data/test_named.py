import gzip
import hashlib
import http.server
import threading

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from written import idx_bytes, messages

from lenrek.data import named
from lenrek.data.named import open_named
from lenrek.errors import DataError


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LENREK_DATA", str(tmp_path / "data"))
    return tmp_path


def test_digits_are_scaled_to_0_to_255():
    source = open_named("digits")
    assert (len(source), source.classes, source.split) == (1797, tuple("0123456789"), None)
    stored = load_digits().images
    np.testing.assert_array_equal(source.reader.x[:, 0], np.rint(stored * 255 / 16))
    assert source.reader.x.max() == 255
    assert source.names[17] == "digits[17]"
    assert source.problems == []


TRAIN, TEST = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4), np.full((2, 2, 4), 9, np.uint8)
CONTENTS = {
    "train-images-idx3-ubyte": idx_bytes(TRAIN),
    "train-labels-idx1-ubyte": idx_bytes(np.array([7, 0, 9], np.uint8)),
    "t10k-images-idx3-ubyte": idx_bytes(TEST),
    "t10k-labels-idx1-ubyte": idx_bytes(np.array([1, 2], np.uint8)),
}


@pytest.fixture
def tiny_mnist(monkeypatch):
    """The published set, for these tests, is a tiny one."""
    monkeypatch.setattr(named, "MNIST_SHA256", tuple(hashlib.sha256(raw).hexdigest() for raw in CONTENTS.values()))


def place(folder, packed=True):
    folder.mkdir(parents=True)
    for name, raw in CONTENTS.items():
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(raw) if packed else raw)


@pytest.mark.parametrize("where", ["data", "cache"])
@pytest.mark.parametrize("packed", [True, False])
def test_mnist_where_it_lies(folders, tiny_mnist, where, packed):
    place(folders / where / "mnist", packed)
    source = open_named("mnist")
    np.testing.assert_array_equal(source.reader.x[:, 0], np.concatenate([TRAIN, TEST]))
    assert source.labels.tolist() == [7, 0, 9, 1, 2]
    assert source.classes == tuple("0123456789")
    assert source.split.tolist() == ["train"] * 3 + ["test"] * 2
    assert list(source.names) == [*(f"train-images[{i}]" for i in range(3)), "test-images[0]", "test-images[1]"]
    assert source.problems == []


def test_a_file_that_is_not_the_published_one(folders, tiny_mnist):
    place(folders / "data" / "mnist")
    path = folders / "data" / "mnist" / "t10k-labels-idx1-ubyte.gz"
    altered = idx_bytes(np.array([1, 3], np.uint8))
    path.write_bytes(gzip.compress(altered))
    with pytest.raises(DataError) as error:
        open_named("mnist")
    wanted, got = (hashlib.sha256(raw).hexdigest() for raw in (CONTENTS["t10k-labels-idx1-ubyte"], altered))
    assert str(error.value) == (
        f"{path}: is not the published file of mnist: its content has SHA-256 {got[:12]}…, "
        f"but {wanted[:12]}… is expected.\n  Hint: delete it, and it is fetched again."
    )


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        raw = CONTENTS.get(self.path.strip("/").removesuffix(".gz"))
        self.send_response(200 if raw else 404)
        self.end_headers()
        self.wfile.write(gzip.compress(raw) if raw else b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_mnist_is_fetched_once(folders, tiny_mnist, address, monkeypatch, capfd):
    monkeypatch.setattr(named, "MNIST_ADDRESS", address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert len(open_named("mnist")) == 5
    assert len(list((folders / "cache" / "mnist").iterdir())) == 4
    monkeypatch.setattr(named, "MNIST_ADDRESS", "http://127.0.0.1:9/")
    assert len(open_named("mnist")) == 5
    assert capfd.readouterr() == ("", "")


def test_what_to_put_where_when_it_cannot_be_fetched(folders, tiny_mnist, address, monkeypatch):
    monkeypatch.setattr(named, "MNIST_ADDRESS", address + "elsewhere/")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(DataError) as error:
        open_named("mnist")
    first, hint = str(error.value).split("\n")
    assert first.startswith(
        f"mnist: train-images-idx3-ubyte.gz is not on this machine and cannot be fetched from {address}elsewhere/: 404"
    )
    assert hint == (
        f"  Hint: put it into {folders}/cache/mnist, or into a folder mnist of the folder that LENREK_DATA names."
    )


def test_cifar10_records(folders, monkeypatch):
    monkeypatch.setattr(named, "CIFAR10_PER_FILE", 2)
    folder = folders / "data" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    files = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    pixels = np.random.default_rng(0).integers(0, 256, (6, 2, 3, 32, 32), dtype=np.uint8)
    for index, name in enumerate(files):
        (folder / name).write_bytes(b"".join(bytes([(index + k) % 10]) + pixels[index, k].tobytes() for k in range(2)))
    source = open_named("cifar10")
    np.testing.assert_array_equal(source.reader.x, pixels.reshape(12, 3, 32, 32))
    assert source.labels.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert source.classes[3] == "cat"
    assert source.split.tolist() == ["train"] * 10 + ["test"] * 2
    assert source.names[-1] == "test_batch[1]"
    (folder / "test_batch.bin").write_bytes(b"short")
    with pytest.raises(DataError) as error:
        open_named("cifar10")
    assert str(error.value) == f"{folder}/test_batch.bin: holds 5 bytes, but 2 records of 1 + 3·32·32 bytes are 6,146."


def test_cifar10_in_jpeg_says_that_it_is_lossy(folders):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            path = folders / "data" / "cifar10-jpeg" / part / name / "0000.jpg"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (32, 32), "red").save(path)
    source = open_named("cifar10")
    assert source.classes == ("cat", "dog")
    assert source.split.tolist() == ["test", "test", "train", "train"]
    assert messages(source, "note") == [
        "cifar10: read from a copy in JPEG, which is lossy: accuracies lie below those of the original images."
    ]


@pytest.mark.parametrize(
    ("name", "ninth"),
    [("mnist", "9"), ("fashion-mnist", "Ankle boot")],
)
def test_the_real_sets(real_data, monkeypatch, name, ninth):
    monkeypatch.setenv("LENREK_DATA", str(real_data))
    source = open_named(name)
    assert source.reader.x.shape == (70_000, 1, 28, 28)
    assert source.classes[9] == ninth
    assert np.bincount(source.labels[source.split == "test"]).sum() == 10_000
    assert source.labels[0] == {"mnist": 5, "fashion-mnist": 9}[name]  # the first sample of each, known to everyone
