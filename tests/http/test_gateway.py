# SPDX-License-Identifier: BSD-2-Clause
"""The store over HTTP: https://specs.ipfs.tech/http-gateways/path-gateway/."""
import hashlib
import re
import subprocess

import pytest

import gateway_cases
from conftest import noise
from lib import SLUICE, Client, Server, eventually, request
from publisher import Publisher
from test_requests import check_fields

MISSING = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
BIG = 3 << 20


def fill(root):
    (root / "sub dir").mkdir(parents=True)
    (root / "page").mkdir()
    (root / "hello.txt").write_text("hello\n")
    (root / "empty").write_bytes(b"")
    (root / "big.mp4").write_bytes(noise(BIG, 7))
    (root / ".hidden").write_text("not hidden here\n")
    (root / "sub dir" / "a%é.txt").write_text("odd\n")
    (root / "page" / "index.html").write_text("<!DOCTYPE html><p>a page\n")
    (root / "film.m3u8").write_text("#EXTM3U\n#EXTINF:4,\n000/000000.m4s\n#EXTINF:4,\nhttp://h/x.m4s\n")
    (root / "000").mkdir()
    (root / "000" / "000000.m4s").write_bytes(noise(200000, 8))
    return root


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    home = tmp_path_factory.mktemp("gateway")
    tree = fill(home / "tree")
    with Publisher(home) as p:
        cids = {"root": p.tree(tree), "hello": p.add(tree / "hello.txt"), "big": p.add(tree / "big.mp4"),
                "missing": MISSING}
    return p.store, tree, cids


@pytest.fixture(scope="session")
def gateway(store):
    with Server(None, "--store", store[0]) as server:
        yield server


def expected_body(tree, body):
    if isinstance(body, tuple):
        name, first, last = body
        return (tree / name).read_bytes()[first:None if last is None else last + 1]
    return body if isinstance(body, bytes) else (tree / body).read_bytes()


@pytest.mark.parametrize("case", gateway_cases.ANSWERS + gateway_cases.ERRORS, ids=lambda c: f"{c[0][:60]} {c[1]}")
def test_case(gateway, store, case):
    _, tree, cids = store
    # Not str.format: percent signs and braces of others stay.
    named = lambda text: re.sub(r"\{(\w+)\}", lambda m: cids[m[1]], text)  # noqa: E731
    target, fields, status, headers, body = case
    target, fields = named(target), [named(f) for f in fields]
    response = gateway.get(target, *fields)
    assert response.status == status, response.body[:200]
    check_fields(response, {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff",
                            **{k: named(v) if isinstance(v, str) else v for k, v in headers.items()}})
    if body is not None:
        assert response.body == expected_body(tree, body)
    if not any(f.startswith("Range") for f in fields):
        head = gateway.get(target, *fields, method="HEAD")
        drop = {"Date", "Content-Length"} if response["Transfer-Encoding"] else {"Date"}
        assert head.status == status
        assert [f for f in head.fields if f[0] not in drop] == [f for f in response.fields if f[0] not in drop]


def test_options_and_refusals(gateway, store):
    target = f"/ipfs/{store[2]['root']}/"
    response = gateway.get(target, "Origin: http://elsewhere.example", method="OPTIONS")
    assert response.status == 204 and response["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert gateway.get(target, method="PUT").status == 405


def test_directory_page(gateway, store):
    root = store[2]["root"]
    page = gateway.get(f"/ipfs/{root}/").body.decode()
    for href, name in re.findall(r'<a href="\./([^"]+)">([^<]+)<', page):
        assert gateway.get(f"/ipfs/{root}/{href}").status in (200, 301), name
    assert 'href="./sub%20dir"' in page and ".." not in re.findall(r'href="([^"]+)"', page)
    assert 'href=".."' in gateway.get(f"/ipfs/{root}/sub%20dir/").body.decode()


def varint(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return n, at


def blocks_of(car):
    """The blocks of a CAR, each checked against its CID (SHA-256); the header is passed over."""
    size, at = varint(car, 0)
    assert b"roots" in car[at:at + size] and b"version\x01" in car[at:at + size]
    at += size
    found = []
    while at < len(car):
        size, at = varint(car, at)
        end, section = at + size, car[at:at + size]
        head = 4 if section[0] == 1 else 2  # CIDv1: version and codec in front
        digest = section[head:head + 32]
        assert section[head - 2:head] == b"\x12\x20" and hashlib.sha256(section[head + 32:]).digest() == digest
        found.append(digest)
        at = end
    assert at == len(car) and len(set(found)) == len(found)
    return found


def test_car(gateway, store, tmp_path):
    root, big = store[2]["root"], store[2]["big"]
    whole = gateway.get(f"/ipfs/{root}?format=car").body
    blocks = blocks_of(whole)
    assert len(blocks) >= 4 + 1 + 5 + 3  # directories, a node, its three leaves, small files
    # The store's own reader takes it, and finds what was exported.
    (tmp_path / "root.car").write_bytes(whole)
    done = subprocess.run([SLUICE, "store", "import", "--store", str(tmp_path / "other"), str(tmp_path / "root.car")],
                          capture_output=True, text=True)
    assert done.returncode == 0 and root in done.stdout + done.stderr, done.stderr
    # A path: what leads there comes first.
    part = blocks_of(gateway.get(f"/ipfs/{root}/big.mp4?format=car").body)
    assert part[0] == blocks[0] and len(part) == 1 + 4
    assert blocks_of(gateway.get(f"/ipfs/{big}?format=car").body) == part[1:]
    assert blocks_of(gateway.get(f"/ipfs/{root}/big.mp4?format=car&dag-scope=entity").body) == part
    assert blocks_of(gateway.get(f"/ipfs/{root}/big.mp4?format=car&dag-scope=block").body) == part[:2]
    assert blocks_of(gateway.get(f"/ipfs/{root}?format=car&dag-scope=entity").body) == blocks[:1]
    tags = {gateway.get(f"/ipfs/{root}{rest}", method="HEAD")["ETag"] for rest in (
        "?format=car", "?format=car&dag-scope=block", "?format=raw", "/big.mp4?format=car", "/big.mp4")}
    assert len(tags) == 5


def test_leaves_of_files(gateway, store):
    """What is within a file is a file too, and a block."""
    leaf = gateway.get(f"/ipfs/{store[2]['big']}?format=car&dag-scope=all").body
    size, at = varint(leaf, 0)
    at += size
    size, at = varint(leaf, at)
    at += size  # the node
    size, at = varint(leaf, at)
    import base64
    cid = "b" + base64.b32encode(leaf[at:at + 36]).decode().lower().rstrip("=")
    content = leaf[at + 36:at + size]
    assert len(content) == 1 << 20
    assert gateway.get(f"/ipfs/{cid}").body == content
    assert gateway.get(f"/ipfs/{cid}?format=raw").body == content
    assert gateway.get(f"/ipfs/{cid}", "Range: bytes=10-19").body == content[10:20]


def test_old_names(gateway, store):
    """CIDv0 and other bases name the same bytes; the tag is of the name that was asked for."""
    empty = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
    assert gateway.get(f"/ipfs/{empty}").status in (301, 404)
    hello = store[2]["hello"]
    assert gateway.get(f"/ipfs/{hello.upper()}").status == 200


def test_abandoned_car(gateway, store):
    """A client that goes away in the middle of a stream leaves nothing behind."""
    root = store[2]["root"]
    assert gateway.get("/healthz").status == 200
    before = gateway.files()
    for _ in range(5):
        with Client(gateway) as client:
            client.send(request(f"/ipfs/{root}?format=car"))
            client.more()
    eventually(lambda: gateway.files() <= before, "descriptors are left")


def test_signed(store, tmp_path):
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    root = store[2]["root"]

    def sign(path, *args):
        return subprocess.run([SLUICE, "sign", path, "--sign-key-file", str(key), *args], check=True,
                              capture_output=True, text=True).stdout.strip()

    with Server(None, "--store", store[0], "--sign-key-file", key) as server:
        for target in (f"/ipfs/{root}/", f"/ipfs/{root}", f"/ipfs/{root}/hello.txt", f"/ipfs/{root}?format=car"):
            assert server.get(target).status == 403
        one = server.get(sign(f"/ipfs/{root}/hello.txt"))
        assert one.status == 200 and one["Cache-Control"] == "private, max-age=29030400, immutable"
        assert server.get(sign(f"/ipfs/{root}/hello.txt").replace("hello.txt", ".hidden")).status == 403
        # A playlist hands its signature on to what is beside it.
        response = server.get(sign(f"/ipfs/{root}/film.m3u8"))
        links = [l for l in response.body.decode().split("\n") if l and l[0] != "#"]
        assert "sig=" in links[0] and links[1] == "http://h/x.m4s"
        assert server.get(f"/ipfs/{root}/{links[0]}").status == 200
        # So does the page of a directory.
        page = server.get(sign(f"/ipfs/{root}/", "--scope", f"/ipfs/{root}/")).body.decode()
        href = re.search(r'href="\./(hello[^"]+)"', page)[1].replace("&#38;", "&")
        assert server.get(f"/ipfs/{root}/{href}").body == b"hello\n"
