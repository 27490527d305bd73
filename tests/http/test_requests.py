# SPDX-License-Identifier: BSD-2-Clause
"""The tables of cases.py, asked one by one."""
import re

import pytest

import cases
from lib import Client, Closed, request


def name(case):
    data = case if isinstance(case, bytes) else case[0]
    return re.sub(r"[^!-~]+", " ", data.decode("latin-1"))[:60]


def check_fields(response, fields):
    for key, expected in fields.items():
        value = response[key]
        if isinstance(expected, re.Pattern):
            assert value is not None and expected.fullmatch(value), (key, value)
        else:
            assert value == expected, (key, value)


def check_body(site, response, body):
    if body is None:
        return
    if isinstance(body, bytes):
        assert response.body == body
    elif isinstance(body, tuple):
        path, first, last = body
        assert response.body == (site / path).read_bytes()[first:last + 1]
    else:
        assert response.body == (site / body).read_bytes()


@pytest.mark.parametrize("case", cases.FILES + cases.HIDDEN + cases.RANGES + cases.REFUSED, ids=name)
def test_case(shared, site, case):
    data, status, fields, body = case
    response, closed = shared.ask(data)
    assert response.status == status, response.body
    assert b"secret" not in response.body
    check_fields(response, {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff",
                            "Date": cases.DATE, **fields})
    check_body(site, response, body)
    assert closed == (response["Connection"] == "close")


@pytest.mark.parametrize("data", cases.SMUGGLING, ids=name)
def test_smuggling(shared, data):
    with Client(shared) as client:
        client.send(data)
        response = client.read(head=data.startswith(b"HEAD"))
        assert response.status in (400, 405), response.status
        assert client.at_end() == b"", "the hidden request was answered"


@pytest.mark.parametrize("data", [case[0] for case in cases.FILES[:3] + cases.RANGES[:3]], ids=name)
def test_cut_in_pieces(shared, data):
    """However a request arrives, the answer is the same."""
    whole, _ = shared.ask(data)
    with Client(shared) as client:
        for i in range(len(data)):
            client.send(data[i:i + 1])
        pieces = client.read()
    assert (pieces.status, pieces.body) == (whole.status, whole.body)


def test_head_is_get_without_its_body(shared):
    for path in ("/small.txt", "/big.mp4", "/", "/missing", "/_sluice/app.js", "/film/master.m3u8"):
        got, head = shared.get(path), shared.get(path, method="HEAD")
        drop = {"Date"}
        assert [f for f in got.fields if f[0] not in drop] == [f for f in head.fields if f[0] not in drop]
        assert got.status == head.status


def conditional(shared, path, *fields, method="GET"):
    return shared.get(path, *fields, method=method)


@pytest.mark.parametrize("path", ["/small.txt", "/big.mp4", "/film/master.m3u8"])
def test_conditions(shared, path):
    first = shared.get(path)
    tag, date = first["ETag"], first["Last-Modified"]
    for fields in ([f"If-None-Match: {tag}"], [f"If-None-Match: W/{tag}"], ["If-None-Match: *"],
                   [f'If-None-Match: "x", {tag}'], [f"If-Modified-Since: {date}"]):
        response = shared.get(path, *fields)
        assert response.status == 304, fields
        assert response["ETag"] == tag and response["Cache-Control"] == "no-cache"
        assert response["Content-Length"] is None and response["Content-Type"] is None
        assert response["Access-Control-Allow-Origin"] == "*"
        assert shared.get(path, *fields, method="HEAD").status == 304
    for fields in (['If-None-Match: "x"'], ["If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"],
                   ["If-Modified-Since: yesterday"], [f"If-Match: {tag}"],
                   ['If-None-Match: "x"', f"If-Modified-Since: {date}"],
                   [f"If-Unmodified-Since: {date}"]):
        response = shared.get(path, *fields)
        assert response.status == 200 and response.body == first.body, fields
    for fields in (['If-Match: "x"'], [f"If-Match: W/{tag}"],
                   ["If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT"]):
        assert shared.get(path, *fields).status == 412, fields
    assert shared.get(path, "Range: bytes=0-1", f"If-Range: {tag}").status == 206
    assert shared.get(path, "Range: bytes=0-1", 'If-Range: "x"').status == 200
    assert shared.get(path, "Range: bytes=0-1", f"If-Range: W/{tag}").status == 200
    assert shared.get(path, "Range: bytes=0-1", f"If-None-Match: {tag}").status == 304
    tail = shared.get(path, "Range: bytes=-1")
    assert tail.status == 206 and tail["ETag"] == tag and tail.body == first.body[-1:]


def test_cors(shared):
    got = shared.get("/film/master.m3u8", "Origin: http://elsewhere.example")
    exposed = {name.strip() for name in got["Access-Control-Expose-Headers"].split(",")}
    assert {"Content-Length", "Content-Range", "ETag"} <= exposed
    for path in ("/film/master.m3u8", "*", "/missing"):
        response = shared.get(path, "Origin: http://elsewhere.example",
                              "Access-Control-Request-Method: GET",
                              "Access-Control-Request-Headers: range", method="OPTIONS")
        assert response.status == 204 and response["Content-Length"] is None
        assert response["Allow"] == "GET, HEAD, OPTIONS"
        assert response["Access-Control-Allow-Origin"] == "*"
        assert response["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        assert "Range" in response["Access-Control-Allow-Headers"]
        assert int(response["Access-Control-Max-Age"]) > 0


def test_page(shared):
    page = shared.get("/")
    assert page.status == 200 and page["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page["Content-Security-Policy"]
    text = page.body.decode()
    assert "http://" not in text and "https://" not in text
    for path in re.findall(r'(?:src|href)="(_sluice/[^"]+)"', text):
        asset = shared.get(f"/{path}")
        assert asset.status == 200 and asset.body and asset["ETag"], path
        assert shared.get(f"/{path}", f"If-None-Match: {asset['ETag']}").status == 304
    assert shared.get("/_sluice/hls.min.mjs")["Content-Type"] == "text/javascript; charset=utf-8"
    assert shared.get("/_sluice/../_sluice/app.js").status == 200
    assert shared.get("/_sluice/nothing.js").status == 404
    assert shared.get("/_sluice").status == 404


def test_ladders(shared):
    import json
    response = shared.get("/_sluice/ladders.json")
    assert response["Content-Type"] == "application/json" and response["Cache-Control"] == "no-store"
    found = json.loads(response.body)
    assert [(l["path"], l["url"]) for l in found["ladders"]] == [("film", "film/master.m3u8")]
    assert found["truncated"] is False


def test_nothing_before_the_first_line(shared):
    """A client that connects and leaves is no error."""
    with Client(shared):
        pass
    with Client(shared) as client:
        client.send(b"\r\n")
    with Client(shared) as client:
        client.send(b"GET /sm")
    assert shared.get("/small.txt").status == 200


def test_error_answers_reach_clients_that_go_on_sending(shared):
    """The refusal is not lost in a reset, though megabytes of body are still under way."""
    for _ in range(5):
        with Client(shared) as client:
            client.send(request("/", "Content-Length: 50000000", method="POST"))
            try:
                for _ in range(50):
                    client.send(b"x" * 20000)
            except (BrokenPipeError, ConnectionResetError):
                pass
            try:
                assert client.read().status == 405
            except Closed as closed:
                raise AssertionError("the answer was lost") from closed
