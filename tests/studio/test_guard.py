"""Who is let in, and what pages may do."""

from __future__ import annotations

import httpx
import pytest

from lenrek.studio.session import Session


@pytest.fixture(scope="module")
def served(serve):
    return serve(Session("lenet5", "digits"))


def test_only_this_machine_can_reach_it(serve, served):
    from lenrek.studio.serve import bind

    bound = bind(None)
    assert bound.getsockname()[0] == "127.0.0.1"
    bound.close()


@pytest.mark.parametrize("path", ["/", "/api/about", "/api/openapi.json", "/page/shell.js", "/api/network/layers"])
def test_nothing_is_served_without_the_token(served, path):
    answer = httpx.get(served.url + path)
    assert answer.status_code == 403
    assert answer.text == "Open the address that lenrek studio printed: it holds the key to this page.\n"
    wrong = httpx.get(served.url + path, params={"token": served.session.token[:-1] + "é"})
    assert wrong.status_code == 403
    assert "set-cookie" not in wrong.headers


def test_the_token_becomes_a_cookie_that_other_sites_cannot_use(served):
    first = httpx.get(f"{served.url}/?token={served.session.token}&a=b")
    assert (first.status_code, first.headers["location"]) == (303, "/?a=b")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    name, _, value = cookie.partition(";")[0].partition("=")
    assert httpx.get(served.url + "/api/about", cookies={name: value}).json()["model"] == "lenet5"
    assert httpx.get(served.url + "/api/about", cookies={name: value + "x"}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8420", "127.0.0.1.evil.example", "", "localhost.", "[::2]"]
)
def test_a_name_that_was_made_to_point_here_is_refused(served, host):
    headers = {"Host": host, "X-Lenrek-Token": served.session.token}
    answer = httpx.get(served.url + "/api/about", headers=headers)
    assert (answer.status_code, answer.text) == (421, "The studio answers to this machine alone.\n")


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:1", "[::1]:8420"])
def test_any_name_of_this_machine_will_do(served, host):
    headers = {"Host": host, "X-Lenrek-Token": served.session.token}
    assert httpx.get(served.url + "/api/about", headers=headers).status_code == 200


def test_other_pages_cannot_send(served):
    with served.client() as client:
        answer = client.post("/api/image/samples", content=b"x", headers={"Origin": "http://evil.example"})
        assert (answer.status_code, answer.text) == (403, "The studio takes nothing from other pages.\n")


def test_pages_may_run_our_scripts_alone(served):
    with served.client() as client:
        for path in ("/", "/api/about", "/page/shell.js", "/page/missing.js"):
            headers = client.get(path).headers
            policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
            assert policy["script-src"] == "'self'"
            assert policy["default-src"] == "'none'"
            assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/page/../session.py", "/page/%2e%2e/session.py", "/page/..%2fsession.py", "/page//etc/passwd"]
)
def test_only_the_page_is_served_as_files(served, path):
    with served.client() as client:
        assert client.get(path).status_code == 404


def test_the_json_is_documented(served):
    with served.client() as client:
        described = client.get("/api/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            assert route.get("description"), f"{method} {path} has no description"
