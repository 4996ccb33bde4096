"""What a page cannot do: fill the memory, reach other files, keep the machine busy for nobody."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lenrek.studio import samples
from lenrek.studio.calls import MOST_WAITING, stoppable
from lenrek.studio.session import Session


@pytest.fixture(scope="module")
def served(serve):
    return serve(Session("lenet5", "digits"))


@pytest.fixture(scope="module")
def client(served):
    with served.client() as client:
        yield client


def png(width: int = 9, height: int = 7) -> bytes:
    written = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)).save(written, "PNG")
    return written.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


def test_an_image_is_taken_and_known_by_its_content(client):
    first, again = (client.post("/api/samples/upload", content=png(), headers={"X-Name": "a.png"}) for _ in range(2))
    assert first.json() == again.json()
    assert (first.json()["name"], first.json()["shape"]) == ("a.png", [1, 28, 28])
    assert client.get("/api/samples/one", params={"sample": first.json()["id"]}).status_code == 200


@pytest.mark.parametrize(("width", "height"), [(7000, 6000), (60_000, 60_000)])
def test_bombs_are_refused_by_their_header(client, monkeypatch, width, height):
    monkeypatch.setattr(samples, "decode_image", lambda *_: pytest.fail("it was decoded"))
    answer = client.post("/api/samples/upload", content=bomb(width, height))
    assert answer.status_code == 400
    assert "pixels, but at most 40,000,000 are taken.\n  Hint: make it smaller." in answer.json()["error"]


def test_large_files_are_refused_while_they_come(served, client):
    answer = client.post("/api/samples/upload", content=b"\0" * (samples.MOST_BYTES + 1))
    assert (answer.status_code, answer.json()["detail"]) == (413, "At most 20,000,000 bytes are taken.")
    sent = 0

    def endless():  # of a length that no header says
        nonlocal sent
        while sent < 200_000_000:
            sent += 1_000_000
            yield b"\0" * 1_000_000

    with contextlib.suppress(httpx.TransportError):  # the server closed the connection
        assert client.post("/api/samples/upload", content=endless()).status_code == 413
    assert sent < 120_000_000  # four times what is taken, and what lies in buffers


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "studio: not an image of a format that is taken: PNG, JPEG"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            "studio: not an image of a format",
        ),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "studio: not an image of a format"),
        (b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix.", "studio: not an image of a format"),
        (png(90, 70)[:2000], "damaged image"),
    ],
)
def test_other_files_are_refused(client, content, message):
    answer = client.post("/api/samples/upload", content=content)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_an_image_is_refused_by_a_network_for_signals(serve):
    with serve(Session("m5")).client() as client:
        answer = client.post("/api/samples/upload", content=png())
    assert answer.json()["error"].startswith("studio: the network takes 1-D samples, and an image is 2-D.\n  Hint: ")


def test_only_the_newest_uploads_are_kept(served, client, monkeypatch):
    monkeypatch.setattr(samples, "MOST_UPLOADS", 3)
    ids = [client.post("/api/samples/upload", content=png(10 + i)).json()["id"] for i in range(4)]
    known = [client.get("/api/samples/one", params={"sample": id_}).status_code for id_ in ids]
    assert known == [400, 200, 200, 200]


@pytest.mark.parametrize(
    "path",
    ["samples/values?sample=../../etc/passwd", "samples/picture?sample=data--1", "samples/list?label=../x",
     "runs/one?run=../../etc", "runs/report?run=%2Fetc", "samples/one?sample=data-１"],
)  # fmt: skip
def test_nothing_else_can_be_named(client, path):
    answer = client.get(f"/api/{path}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("studio: ")


def test_the_page_is_answered_while_the_network_computes_and_too_many_questions_are_refused(serve):
    session = Session("lenet5", "digits")
    going, go = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        going.set()
        go.wait(30)

    session.classifier.network.register_forward_pre_hook(wait)
    served = serve(session)

    def ask(number: int) -> int:
        with served.client() as client:
            return client.get("/api/network/maps", params={"sample": f"data-{number}"}).status_code

    with ThreadPoolExecutor(MOST_WAITING + 8) as pool, served.client() as client:
        answers = [pool.submit(ask, 0)]
        assert going.wait(30)
        answers += [pool.submit(ask, number) for number in range(1, MOST_WAITING + 8)]
        assert client.get("/api/about").json()["model"] == "lenet5"  # nobody waits for the network to see the page
        while sum(answer.done() for answer in answers) < 8:
            time.sleep(0.01)
        go.set()
        statuses = sorted(answer.result() for answer in answers)
    assert statuses == [200] * MOST_WAITING + [503] * 8


class Slow(nn.Module):
    """A layer that takes its time, and counts."""

    ran = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Slow.ran += 1
        time.sleep(0.03)
        return x


def test_what_nobody_waits_for_stops_at_the_next_layer(serve):
    session = Session("lenet5", "digits")
    network = session.classifier.network
    network.features = nn.Sequential(*[Slow() for _ in range(200)], network.features)
    stoppable(network.features)
    served = serve(session)
    host, _, port = served.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as page:
        question = "GET /api/network/maps?sample=data-0 HTTP/1.1", f"Host: {host}", f"X-Lenrek-Token: {session.token}"
        page.sendall("\r\n".join([*question, "", ""]).encode())
        while not Slow.ran:
            time.sleep(0.01)
    with served.client() as client:
        answer = client.get("/api/network/map", params={"sample": "data-1797", "channel": 0})  # its turn has come
    assert answer.status_code == 400
    assert 0 < Slow.ran < 200
