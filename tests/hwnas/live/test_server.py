"""The page on the loopback: three addresses, read-only, and nothing for other sites."""

from __future__ import annotations

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest

import hwnas
from hwnas.live import server as server_module
from profilers.errors import BadInput, FileProblem
from tests.hwnas.searching import run_search


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watch") / "run"
    run_search(folder, initial=4, iterations=0, objectives=("top1", "params")).archive.close()
    with hwnas.watch(folder) as found:
        yield found


def ask(page, path="/state.json", method="GET", **headers):
    """Status, headers and body; `Host` is the page's own unless it is given. `path` is behind the page's secret."""
    place = urlsplit(page.address)
    path = place.path.rstrip("/") + path if path.startswith("/") else f"/{path}"
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": place.netloc} | headers).items():
            if value is not None:
                connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def test_it_says_how_the_run_stands(page):
    status, headers, body = ask(page)
    assert status == 200 and "4 of 4 networks" in json.loads(body)["text"]
    assert headers["Cache-Control"] == "no-store" and "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers or "Python" not in headers["Server"]


def test_the_page_may_ask_only_this_server(page):
    whole, part = ask(page, "/")[2], ask(page, "/part.html")[2]
    assert "connect-src &#39;self&#39;" in whole and "data-script" in whole
    assert "<script>" not in part and "data-script" not in part and 'id="figures"' in part


def test_without_its_secret_there_is_no_page(page):
    """For other users of this machine; it is another one at each start."""
    secret = urlsplit(page.address).path.strip("/")
    assert len(secret) >= 20
    for path in (
        "",
        "state.json",
        "part.html",
        "x" * len(secret) + "/",
        f"{secret[:-1]}/",
    ):
        assert ask(page, path)[0] == 404
    with hwnas.watch(page._server.pages.runs[0].folder) as other:
        assert urlsplit(other.address).path != urlsplit(page.address).path


def test_every_answer_has_a_policy(page):
    policies = {path: ask(page, path)[1]["Content-Security-Policy"] for path in ("/", "/state.json", "/none", "none")}
    assert all("frame-ancestors 'none'" in policy for policy in policies.values())
    assert [path for path, policy in policies.items() if "default-src 'none'" not in policy] == ["/"]  # whose own it is
    assert "default-src &#39;none&#39;; script-src &#39;sha256-" in ask(page, "/")[2]


def test_it_listens_on_the_loopback_only(page):
    assert urlsplit(page.address).hostname == "127.0.0.1"
    with socket.socket() as other, pytest.raises(OSError):
        other.bind(("127.0.0.1", urlsplit(page.address).port))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.test"}, 421),
        ({"Host": None}, 421),
        ({"Host": "127.0.0.1"}, 421),  # another port
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate"}, 403),  # to what is not the page
        ({"Sec_Fetch_Site": "same-origin"}, 200),
    ],
)
def test_other_sites_are_refused(page, headers, status):
    assert ask(page, **headers)[0] == status


def test_its_own_origin_and_name_are_served(page):
    port = urlsplit(page.address).port
    assert ask(page, Host=f"localhost:{port}", Origin=f"http://localhost:{port}")[0] == 200
    assert ask(page, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200  # a link that was clicked


@pytest.mark.parametrize("path", ["/run.toml", "/../run.toml", "/archive.sqlite", "//etc/passwd", "/?x=1", "/%2e%2e/"])
def test_no_file_is_served(page, path):
    assert ask(page, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_is_read_only(page, method):
    assert ask(page, method=method)[0] == 501


def test_head_has_no_body(page):
    status, headers, body = ask(page, "/", "HEAD")
    assert status == 200 and body == "" and int(headers["Content-Length"]) > 1_000_000


def test_a_port_that_is_taken_and_a_folder_without_a_run_are_one_line(page, tmp_path):
    port = urlsplit(page.address).port
    folder = page._server.pages.runs[0].folder
    with pytest.raises(BadInput, match=f"--port {port} cannot be used"):
        hwnas.watch(folder, port)
    with pytest.raises(BadInput, match="--port -1"):
        hwnas.watch(folder, -1)
    with pytest.raises(BadInput, match="no run to watch"):
        hwnas.watch([])
    with pytest.raises(FileProblem, match="holds no run"):
        hwnas.watch(tmp_path)


def test_the_command_says_where(page, capsys, monkeypatch):
    from hwnas.cli import main

    monkeypatch.setattr(server_module.Server, "wait", lambda self: None)
    with pytest.raises(SystemExit) as ended:
        main(["watch", str(page._server.pages.runs[0].folder)])
    said = capsys.readouterr()
    assert ended.value.code == 0 and json.loads(said.out)["address"].startswith("http://127.0.0.1:")
    assert "4 of 4 networks" in said.err and "Ctrl-C" in said.err
