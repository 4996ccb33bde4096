"""The waiting of threads is set before PyTorch is there, and only where the user has not set it."""

import os

import pytest

from lenrek.cli.cores import wait_briefly


@pytest.mark.parametrize(
    ("set_before", "expected"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_what_the_user_set_stays(set_before: dict, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(set_before))
    wait_briefly()
    assert os.environ.get("GOMP_SPINCOUNT") == expected
