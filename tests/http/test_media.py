# SPDX-License-Identifier: BSD-2-Clause
"""Streaming on demand: routes, caching, jobs that are shared, cancelled and refused."""
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import media_cases
from lib import Client, Server, eventually, request
from test_requests import check_fields

X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "50"]


def make(path, seconds, *codec, size="320x240"):
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
                    f"testsrc2=size={size}:rate=25:duration={seconds}", "-f", "lavfi", "-i",
                    f"sine=frequency=440:sample_rate=48000:duration={seconds}", *X264, *codec, str(path)],
                   check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    root = tmp_path_factory.mktemp("media") / "root"
    make(root / "film.mkv", 12, "-c:a", "eac3", "-ac", "2")
    make(root / "sub dir" / "plain.mp4", 6, "-c:a", "aac")
    shutil.copy(root / "film.mkv", root.parent / "secret.mkv")
    shutil.copy(root / "film.mkv", root / ".hidden.mkv")
    shutil.copy(root / "film.mkv", root / "half.mkv.sltmp")
    (root / "damaged.mkv").write_bytes((root / "film.mkv").read_bytes()[:200] + b"\0" * 5000)
    (root / "link.mkv").symlink_to("film.mkv")
    (root / "out.mkv").symlink_to("../secret.mkv")
    (root / "out-dir").symlink_to("..")
    (root / "ladder").mkdir()
    (root / "ladder" / "master.m3u8").write_text("#EXTM3U\n# a file\n")
    os.mkfifo(root / "fifo.mkv")
    return root


@pytest.fixture(scope="session")
def server(library):
    with Server(None, "--media", library) as server:
        yield server


def metric(server, name):
    text = server.get("/metrics").body.decode()
    return int(float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)[1]))


def links(text):
    return re.findall(r'URI="([^"]+)"', text) + [l for l in text.split("\n") if l and l[0] != "#"]


@pytest.mark.parametrize("case", media_cases.ANSWERS + media_cases.ERRORS, ids=lambda c: c[0])
def test_case(server, case):
    target, status, fields, begin = case
    response = server.get(target)
    assert response.status == status, response.body[:200]
    check_fields(response, {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff", **fields})
    assert b"root" not in response.body[:200], "where the library lies is nobody's business"
    if begin is not None:
        assert response.body.startswith(begin)
    if status == 200:
        assert response.body
        head = server.get(target, method="HEAD")
        assert head.status == 200 and head["Content-Length"] == str(len(response.body))
        assert server.get(target, f"If-None-Match: {response['ETag']}").status == 304
        part = server.get(target, "Range: bytes=1-3")
        assert part.status == 206 and part.body == response.body[1:4]
        assert server.get(target, "Range: bytes=0-1,3-4").body == response.body


def test_damaged(server):
    for path in ("master.m3u8", "source/0.m4s", "thumb.jpg", "stream.mp4"):
        response = server.get(f"/media/damaged.mkv/{path}")
        assert 500 <= response.status < 600 and response.body, path


def test_versions(server):
    """What a playlist leads to may be kept for ever, and is all there."""
    master = server.get("/media/film.mkv/master.m3u8").body.decode()
    seen = 0
    for uri in set(links(master)):
        playlist = server.get(f"/media/film.mkv/{uri}")
        assert playlist.status == 200
        folder = uri.split("/")[0]
        for inner in links(playlist.body.decode()):
            response = server.get(f"/media/film.mkv/{folder}/{inner}")
            assert response.status == 200 and response.body
            assert response["Cache-Control"] == "public, max-age=31536000, immutable"
            seen += 1
    assert seen > 10


def test_gzip(server):
    plain = server.get("/media/film.mkv/master.m3u8")
    packed = server.get("/media/film.mkv/master.m3u8", "Accept-Encoding: gzip")
    assert packed["Content-Encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body
    assert packed["ETag"] != plain["ETag"] and packed["Vary"] == plain["Vary"] == "Accept-Encoding"
    assert server.get("/media/film.mkv/master.m3u8", "Accept-Encoding: gzip",
                      f"If-None-Match: {packed['ETag']}").status == 304
    assert server.get("/media/film.mkv/source/0.m4s", "Accept-Encoding: gzip")["Content-Encoding"] is None


def test_player(server, tmp_path):
    """ffmpeg as a player: every picture, every sample."""
    for name, pictures in (("film.mkv", 300), ("sub%20dir/plain.mp4", 150)):
        for query in ("", "?format=ts"):
            out = subprocess.run(
                ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets", "-show_entries",
                 "stream=nb_read_packets", "-of", "csv=p=0", f"{server.url}media/{name}/master.m3u8{query}"],
                capture_output=True, text=True, check=True)
            assert out.stderr == "" and int(re.findall(r"\d+", out.stdout)[0]) == pictures, (name, query, out)


def test_list(server):
    response = server.get("/media/")
    assert response.status == 200 and response["Content-Type"] == "application/json"
    found = json.loads(response.body)
    paths = [f["path"] for f in found["files"]]
    assert paths == ["damaged.mkv", "film.mkv", "link.mkv", "sub dir/plain.mp4"]
    assert found["total"] == 4 and found["complete"] is True and found["truncated"] is False
    film = found["files"][1]
    assert abs(film["duration"] - 12) < 0.1 and film["url"] == "media/film.mkv/master.m3u8"
    assert {r["kind"] for r in film["renditions"]} == {"video", "audio"}
    assert server.get("/" + film["thumb"])["Cache-Control"].endswith("immutable")
    assert "error" in found["files"][0]
    assert [f["path"] for f in json.loads(server.get("/media/?q=PLAIN").body)["files"]] == ["sub dir/plain.mp4"]
    assert [f["path"] for f in json.loads(server.get("/media/?offset=1&limit=1").body)["files"]] == ["film.mkv"]
    assert json.loads(server.get("/media/?offset=99").body)["files"] == []


def test_stream(server, tmp_path):
    whole = server.get("/media/film.mkv/stream.mp4?start=5")
    assert whole.status == 200 and whole["Transfer-Encoding"] == "chunked" and whole["Content-Length"] is None
    (tmp_path / "s.mp4").write_bytes(whole.body)
    out = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0",
                          str(tmp_path / "s.mp4")], capture_output=True, text=True, check=True)
    assert out.stderr == "" and 6.5 < float(out.stdout) < 8.5, out
    with Client(server) as client:  # an old client gets it unframed
        client.send(request("/media/film.mkv/stream.mp4?start=5", version="1.0"))
        old = client.at_end().split(b"\r\n\r\n", 1)
        assert b"Connection: close" in old[0] and b"chunked" not in old[0] and old[1] == whole.body
    head = server.get("/media/film.mkv/stream.mp4", method="HEAD")
    assert head.status == 200 and head["Content-Length"] is None
    with Client(server) as client:  # the connection goes on
        client.send(request("/media/film.mkv/stream.mp4?start=11") + request("/healthz"))
        assert client.read().body and client.read().body == b"ok\n"
    for _ in range(5):  # viewers who leave at once
        with Client(server) as client:
            client.send(request("/media/film.mkv/stream.mp4"))
            client.more(100)
    eventually(lambda: metric(server, "sluice_streams") == 0, "a stream without a viewer")
    assert server.get("/media/film.mkv/stream.mp4?start=99").status == 400


@pytest.fixture(scope="session")
def heavy(tmp_path_factory):
    """A library whose segments take a while to encode."""
    root = tmp_path_factory.mktemp("heavy") / "root"
    make(root / "big.mkv", 8, "-g", "250", "-c:a", "aac", size="1280x720")
    return root


def test_single_flight(heavy):
    with Server(None, "--media", heavy) as server:
        clients = [Client(server) for _ in range(8)]
        for client in clients:
            client.send(request("/media/big.mkv/360p/0.m4s"))
        bodies = {client.read().body for client in clients}
        assert len(bodies) == 1 and len(bodies.pop()) > 10000
        assert metric(server, "sluice_media_made_total") <= 2  # one, and the next made ahead
        eventually(lambda: metric(server, "sluice_media_ahead_total") >= 1, "nothing was made ahead")
        for client in clients:
            client.socket.close()


def test_all_viewers_leave(heavy):
    with Server(None, "--media", heavy, "--transcodes", "1") as server:
        for _ in range(3):
            with Client(server) as client:
                client.send(request("/media/big.mkv/720p/0.m4s"))
                eventually(lambda: metric(server, "sluice_transcodes_running") == 1, "not begun")
        eventually(lambda: metric(server, "sluice_transcodes_running") == 0, "nobody waits, and it goes on")
        # One at least: whoever comes before the last one is seen to leave joins the same work.
        eventually(lambda: metric(server, "sluice_media_cancelled_total") >= 1, "it was finished")
        assert server.get("/media/big.mkv/360p/0.m4s").status == 200


def test_too_many_transcodes(heavy):
    with Server(None, "--media", heavy, "--transcodes", "1", "--waiting", "0") as server:
        with Client(server) as client:
            client.send(request("/media/big.mkv/720p/0.m4s"))
            eventually(lambda: metric(server, "sluice_transcodes_running") == 1, "not begun")
            other = server.get("/media/big.mkv/360p/0.m4s")
            assert other.status == 503 and int(other["Retry-After"]) > 0
            assert server.get("/media/big.mkv/source/0.m4s").status == 200  # passing through costs nothing
            assert client.read().status == 200


def test_stop_with_work_under_way(heavy):
    server = Server(None, "--media", heavy, "--grace", "30")
    with Client(server) as client:
        client.send(request("/media/big.mkv/360p/0.m4s"))
        eventually(lambda: metric(server, "sluice_transcodes_running") == 1, "not begun")
        server.process.send_signal(signal.SIGTERM)
        assert client.read().status == 200  # finished within the grace time
    server.wait()
    server = Server(None, "--media", heavy, "--grace", "0.2")
    with Client(server) as client:
        client.send(request("/media/big.mkv/720p/0.m4s"))
        eventually(lambda: metric(server, "sluice_transcodes_running") == 1, "not begun")
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 10


def test_cache_survives_a_kill(heavy, tmp_path):
    cache = tmp_path / "cache"
    target = "/media/big.mkv/360p/0.m4s"
    with Server(None, "--media", heavy, "--cache", cache) as server:
        body = server.get(target).body
        eventually(lambda: metric(server, "sluice_cache_disk_files") >= 1, "not kept")
        with Client(server) as client:  # killed in the middle of work
            client.send(request("/media/big.mkv/720p/0.m4s"))
            time.sleep(0.3)
            server.stop(signal.SIGKILL, expected=-signal.SIGKILL)
    with Server(None, "--media", heavy, "--cache", cache) as server:
        assert server.get(target).body == body
        assert metric(server, "sluice_cache_disk_hits_total") == 1
        assert not list(cache.rglob("*.sltmp"))
        for path in cache.rglob("*"):  # and one that somebody spoiled is made again
            if path.is_file():
                os.truncate(path, path.stat().st_size - 1)
    with Server(None, "--media", heavy, "--cache", cache) as server:
        assert server.get(target).body == body


def test_cache_on_a_full_disk(library, tmp_path):
    """A limit on the size of files stands for the disk: answers come all the same."""
    wrap = ["bash", "-c", 'ulimit -f 1; exec "$@"', "-"]
    with Server(None, "--media", library, "--cache", tmp_path / "cache", wrap=wrap) as server:
        for n in range(3):
            assert server.get(f"/media/film.mkv/audio1-aac/{n}.m4s").status == 200
        assert metric(server, "sluice_cache_disk_files") == 0
        out, err = server.stop()
        assert "not kept" in err and err.count("not kept") == 1


def test_source_is_replaced(library, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(library / "film.mkv", root / "film.mkv")
    with Server(None, "--media", root) as server:
        playlist = server.get("/media/film.mkv/source/playlist.m3u8").body.decode()
        first = links(playlist)[1]
        assert server.get(f"/media/film.mkv/source/{first}").status == 200
        shutil.copy(library / "sub dir" / "plain.mp4", root / "next")
        os.replace(root / "next", root / "film.mkv")
        # Links of the old playlist do not lead into another film.
        gone = server.get(f"/media/film.mkv/source/{first}")
        assert gone.status == 404 and b"changed" in gone.body
        again = server.get("/media/film.mkv/source/playlist.m3u8").body.decode()
        assert links(again)[1] != first
        assert server.get(f"/media/film.mkv/source/{links(again)[1]}").status == 200
        os.truncate(root / "film.mkv", 1000)  # in place, under an open source
        assert server.get(f"/media/film.mkv/source/{links(again)[1]}").status == 404
        assert server.get("/media/film.mkv/master.m3u8").status >= 400
        assert server.get("/healthz").status == 200


def test_vanishing_clients(server, library):
    before = server.files()
    for i in range(60):
        with Client(server, receive_buffer=4096) as client:
            client.send(request("/media/film.mkv/source/0.m4s") + request("/media/film.mkv/audio1-aac/0.m4s"))
            if i % 3:
                client.more(100)
    eventually(lambda: server.files() <= before + 5, "descriptors are lost")
    assert server.get("/media/film.mkv/source/1.m4s").status == 200


def test_many_sources(library, tmp_path):
    """More films than are kept open: answers stay right, and descriptors bounded."""
    root = tmp_path / "root"
    root.mkdir()
    for i in range(12):
        shutil.copy(library / "film.mkv", root / f"{i}.mkv")
    with Server(None, "--media", root, "--sources", "2") as server:
        bodies = set()
        for round in range(2):
            for i in range(12):
                bodies.add(server.get(f"/media/{i}.mkv/source/0.m4s").body)
        assert len(bodies) == 1
        assert metric(server, "sluice_sources_open") <= 3
        assert server.files() < 60
