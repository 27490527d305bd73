# SPDX-License-Identifier: BSD-2-Clause
"""Runs while they are made: playlists that grow, waiting for what is not there yet, events."""
import gzip
import json
import os
import re
import subprocess
import threading
import time

import pytest

from conftest import noise
from lib import PATIENCE, SLUICE, Client, Server, eventually, request
from publisher import Publisher

PLAYLIST = "/runs/{}/quality/{}/playlist.m3u8"


@pytest.fixture
def depot(tmp_path):
    """A writer, a server of what it writes, and the CIDs of an init segment and some others."""
    with Publisher(tmp_path) as p:
        for i in range(6):
            (tmp_path / f"{i}").write_bytes(noise(3000 + i, i))
        p.cids = [p.add(tmp_path / f"{i}") for i in range(6)]
        p.bytes = [(tmp_path / f"{i}").read_bytes() for i in range(6)]
        with Server(None, "--store", p.store) as server:
            yield p, server


def start(p, run="r", **kw):
    p.claim(run)
    p.renditions("v", **kw)


def text_of(response):
    assert response.status == 200, response.body
    assert response["Content-Type"] == "application/vnd.apple.mpegurl" and response["Cache-Control"] == "no-cache"
    return response.body.decode()


def links(text):
    return re.findall(r'URI="([^"]+)"', text) + [l for l in text.split("\n") if l and l[0] != "#"]


def once(server, target, condition, *fields):
    """The playlist as soon as it is as expected: a change takes some milliseconds to be seen."""
    end = time.monotonic() + PATIENCE
    while True:
        response = server.get(target, *fields)
        if condition(text_of(response)):
            return response
        assert time.monotonic() < end, response.body
        time.sleep(0.01)


class Waiting:
    """A request whose answer is waited for elsewhere."""

    def __init__(self, server, target, *fields):
        self.client, self.asked = Client(server), time.monotonic()
        self.client.send(request(target, *fields))
        self.response = None
        self.thread = threading.Thread(target=self.wait)
        self.thread.start()

    def wait(self):
        self.response = self.client.read()
        self.answered = time.monotonic()
        self.client.socket.close()

    def get(self):
        self.thread.join(PATIENCE)
        assert self.response, "no answer"
        return self.response


def test_whole_life(depot):
    p, server = depot
    start(p)
    p.segment("v", p.cids[1], p.cids[0])
    master = server.get("/runs/r/master.m3u8")
    assert links(text_of(master)) == ["quality/v/playlist.m3u8"]
    assert 'BANDWIDTH=400000,CODECS="avc1.42c01f",RESOLUTION=320x180' in text_of(master)
    target = PLAYLIST.format("r", "v")
    first = server.get(target)
    assert re.fullmatch(r'"[0-9a-f]{16}"', first["ETag"])
    assert text_of(first) == (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:EVENT\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n"
        f'#EXT-X-MAP:URI="../../../../ipfs/{p.cids[0]}?filename=init.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-10-14T17:46:40.000Z\n#EXTINF:2.000000,\n"
        f"../../../../ipfs/{p.cids[1]}?filename=000000.m4s\n")
    for link, expected, kind in zip(links(text_of(first)), p.bytes[:2], ("video/mp4", "video/iso.segment")):
        segment = server.get(link.replace("../../../..", ""))
        assert segment.body == expected and segment["Content-Type"] == kind
        assert segment["Cache-Control"] == "public, max-age=29030400, immutable"
    assert server.get(target, f"If-None-Match: {first['ETag']}").status == 304
    # It grows by lines at its end.
    p.segment("v", p.cids[2], p.cids[0])
    second = once(server, target, lambda t: p.cids[2] in t)
    assert text_of(second).startswith(text_of(first)) and second["ETag"] != first["ETag"]
    assert server.get(target, f"If-None-Match: {first['ETag']}").status == 200
    p.segment("v", flags="g")
    p.segment("v", p.cids[3], p.cids[0], flags="d")
    tail = text_of(once(server, target, lambda t: p.cids[3] in t))[len(text_of(second)):]
    assert tail == ("#EXT-X-GAP\n#EXTINF:2.000000,\ngap/000002.m4s\n#EXT-X-DISCONTINUITY\n"
                    "#EXT-X-PROGRAM-DATE-TIME:2026-10-14T17:46:46.000Z\n#EXTINF:2.000000,\n"
                    f"../../../../ipfs/{p.cids[3]}?filename=000003.m4s\n")
    p.end()
    last = text_of(once(server, target, lambda t: "ENDLIST" in t))
    assert last.endswith(tail + "#EXT-X-ENDLIST\n") and "EVENT" in last and "CAN-BLOCK" not in last
    assert server.get(target, "Accept-Encoding: gzip")["Vary"] == "Accept-Encoding"
    packed = server.get(target, "Accept-Encoding: gzip")
    assert packed["Content-Encoding"] != "gzip" or gzip.decompress(packed.body).decode() == last
    # What is over is answered at once, whatever is asked for.
    assert text_of(server.get(target + "?_HLS_msn=99")) == last
    # HEAD is GET without its body.
    assert server.get(target, method="HEAD")["Content-Length"] == str(len(last))


def test_window(depot):
    p, server = depot
    start(p, window=2)
    for i in range(4):
        p.segment("v", p.cids[i + 1], p.cids[0], flags="d" if i == 1 else "-")
    text = text_of(server.get(PLAYLIST.format("r", "v")))
    assert "#EXT-X-MEDIA-SEQUENCE:2\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n" in text and "EVENT" not in text
    assert [l.split("=")[1] for l in links(text)] == ["init.mp4", "000002.m4s", "000003.m4s"]
    p.segment("v", p.cids[5], p.cids[0])
    once(server, PLAYLIST.format("r", "v"), lambda t: "#EXT-X-MEDIA-SEQUENCE:3\n" in t)


def test_sound_and_pictures(depot):
    p, server = depot
    p.claim("r")
    p.renditions("v")
    p.renditions("a", kind="audio", codecs="mp4a.40.2", bitrate=130000)
    p.segment("v", p.cids[1], p.cids[0])
    # Players never look again at this one: it waits until all of it has begun.
    waiting = Waiting(server, "/runs/r/master.m3u8")
    time.sleep(0.3)
    assert waiting.response is None
    p.segment("a", p.cids[2], p.cids[0])
    text = text_of(waiting.get())
    assert 'TYPE=AUDIO,GROUP-ID="audio",NAME="a"' in text and 'BANDWIDTH=530000,CODECS="avc1.42c01f,mp4a.40.2"' in text


def test_before_the_first_segment(depot):
    """A request is held, and answered when there is something; never with an empty playlist."""
    p, server = depot
    start(p)
    waiting = [Waiting(server, t) for t in ("/runs/r/master.m3u8", PLAYLIST.format("r", "v"),
                                            PLAYLIST.format("r", "v") + "?_HLS_msn=0")]
    time.sleep(0.5)
    assert all(w.response is None for w in waiting)
    p.segment("v", p.cids[1], p.cids[0])
    announced = time.monotonic()
    for w in waiting:
        assert "#EXT" in text_of(w.get()) and w.answered - announced < 2
    # A run that has no rendition yet.
    p.claim("early")
    waiting = Waiting(server, PLAYLIST.format("early", "v"))
    time.sleep(0.2)
    p.renditions("v")
    p.segment("v", p.cids[1], p.cids[0])
    assert "#EXTINF" in text_of(waiting.get())


def test_held_too_long(depot):
    p, server = depot
    start(p, target=1)
    for target in ("/runs/r/master.m3u8", PLAYLIST.format("r", "v")):
        waiting = Waiting(server, target)
        response = waiting.get()
        assert response.status == 503 and int(response["Retry-After"]) >= 1
        assert 2.5 < waiting.answered - waiting.asked < 8 and response["Cache-Control"] == "no-store"
    p.segment("v", p.cids[1], p.cids[0])
    waiting = Waiting(server, PLAYLIST.format("r", "v") + "?_HLS_msn=1")
    assert waiting.get().status == 503 and waiting.answered - waiting.asked > 2.5


def test_blocking_reload(depot):
    p, server = depot
    start(p, target=4)
    p.segment("v", p.cids[1], p.cids[0])
    target = PLAYLIST.format("r", "v")
    assert "000000" in text_of(server.get(f"{target}?_HLS_msn=0"))
    assert server.get(f"{target}?_HLS_msn=3").status == 400
    for query in ("_HLS_msn=x", "_HLS_msn=-1", "_HLS_part=0", "_HLS_msn=0&_HLS_msn=1"):
        assert server.get(f"{target}?{query}").status == 400
    # Many wait, on all loops; all of them are told soon, and get the same.
    before = metric(server, "sluice_runs_refreshes_total")
    waiting = [Waiting(server, f"{target}?_HLS_msn=1") for _ in range(20)]
    further = Waiting(server, f"{target}?_HLS_msn=2&_HLS_part=0")
    time.sleep(0.5)
    assert all(w.response is None for w in waiting)
    p.segment("v", p.cids[2], p.cids[0])
    announced = time.monotonic()
    texts = {text_of(w.get()) for w in waiting}
    assert len(texts) == 1 and "000001.m4s" in texts.pop()
    late = max(w.answered for w in waiting) - announced
    assert late < (2 if "SLUICE_SANITIZED" in os.environ else 0.1), late
    assert metric(server, "sluice_runs_refreshes_total") - before <= 3, "one look is enough for all"
    time.sleep(0.2)
    assert further.response is None
    p.segment("v", p.cids[3], p.cids[0])
    assert "000002.m4s" in text_of(further.get())
    # The end answers whoever waits.
    last = Waiting(server, f"{target}?_HLS_msn=3")
    time.sleep(0.2)
    p.end()
    assert text_of(last.get()).endswith("#EXT-X-ENDLIST\n")


def metric(server, name):
    return int(float(re.search(rf"^{name} (\S+)$", server.get("/metrics").body.decode(), re.M)[1]))


def test_states(depot):
    p, server = depot
    start(p)
    p.segment("v", p.cids[1], p.cids[0])
    target = PLAYLIST.format("r", "v")
    # One that can be resumed has not ended, and nobody waits for it.
    for state in ("stopped", "failed"):
        p.end(state)
        text = text_of(once(server, f"{target}?_HLS_msn=0", lambda t: "CAN-BLOCK" not in t))
        assert "ENDLIST" not in text and server.get(f"{target}?_HLS_msn=1").status == 200
        found = json.loads(server.get("/runs/r").body)
        assert found["state"] == state and found["renditions"][0]["segments"] == 1
        p.claim("r")
        p.counts = {"v": (1, 180000)}
        once(server, target, lambda t: "CAN-BLOCK" in t)
    p.segment("v", p.cids[2], p.cids[0], flags="d")
    once(server, target, lambda t: "000001.m4s" in t)
    p.end()
    # One that published nothing.
    start(p, "none")
    waiting = Waiting(server, "/runs/none/master.m3u8")
    time.sleep(0.2)
    p.end()
    assert waiting.get().status == 404
    assert server.get(PLAYLIST.format("none", "v")).status == 404


def test_deleted_and_made_anew(depot):
    p, server = depot
    start(p)
    p.segment("v", p.cids[1], p.cids[0])
    target = PLAYLIST.format("r", "v")
    assert p.cids[1] in text_of(server.get(target))
    waiting = Waiting(server, f"{target}?_HLS_msn=1")
    time.sleep(0.2)
    p.say("delete", "r")
    assert waiting.get().status == 404
    assert server.get("/runs/r").status == 404
    eventually(lambda: server.get(target).status == 404, "it is gone")
    start(p)
    p.segment("v", p.cids[4], p.cids[0])
    text = text_of(once(server, target, lambda t: p.cids[4] in t))
    assert p.cids[1] not in text


def test_list(depot):
    p, server = depot
    assert json.loads(server.get("/runs").body) == {"runs": [], "next": None}
    for i in range(5):
        start(p, f"run{i}")
        p.end("finished" if i % 2 else "stopped")
    every = json.loads(server.get("/runs").body)["runs"]
    assert [r["id"] for r in every] == [f"run{i}" for i in (4, 3, 2, 1, 0)]
    page = json.loads(server.get("/runs?limit=2").body)
    rest = json.loads(server.get(f"/runs?limit=10&cursor={page['next']}").body)
    assert [r["id"] for r in page["runs"] + rest["runs"]] == [r["id"] for r in every] and rest["next"] is None
    found = json.loads(server.get("/runs?state=finished").body)["runs"]
    assert [r["id"] for r in found] == ["run3", "run1"]
    for target, status in (("/runs?state=dead", 400), ("/runs?limit=0", 400), ("/runs?cursor=x", 400),
                           ("/runs/", 404), ("/runs/none", 404), ("/runs/none/master.m3u8", 404),
                           ("/runs/none/events", 404), (PLAYLIST.format("none", "v"), 404),
                           (PLAYLIST.format("run1", "none"), 404), ("/runs/run1/x", 404), ("/runs/-x", 404),
                           ("/runs/run1/../run2", 200), ("/runs/%72un1", 200)):
        assert server.get(target).status == status, target
    assert json.loads(server.get("/_sluice/ladders.json").body)["runs"] is True


class Events:
    def __init__(self, server, run, *fields):
        self.client = Client(server)
        self.client.send(request(f"/runs/{run}/events", *fields))
        while b"\r\n\r\n" not in self.client.buffer:
            self.client.more()
        head, self.client.buffer = self.client.buffer.split(b"\r\n\r\n", 1)
        self.head = head.decode()

    def next(self):
        """The next event as (id, object), or None at the end."""
        c = self.client
        while True:
            while b"\r\n" not in c.buffer:
                c.more()
            line, c.buffer = c.buffer.split(b"\r\n", 1)
            size = int(line, 16)
            while len(c.buffer) < size + 2:
                c.more()
            chunk, c.buffer = c.buffer[:size].decode(), c.buffer[size + 2:]
            if size == 0:
                return None
            if chunk.startswith(":"):
                continue
            assert chunk.endswith("\n\n") and "\nevent: run\n" in chunk
            data = "\n".join(l[6:] for l in chunk.split("\n") if l.startswith("data: "))
            return int(re.search(r"^id: (\d+)$", chunk, re.M)[1]), json.loads(data)


def test_events(depot):
    p, server = depot
    start(p)
    events = Events(server, "r")
    assert "200 OK" in events.head and "Content-Type: text/event-stream" in events.head
    assert "Cache-Control: no-store" in events.head and "X-Accel-Buffering: no" in events.head
    revision, run = events.next()
    assert run["id"] == "r" and run["state"] == "running" and run["renditions"][0]["segments"] == 0
    for i in range(1, 4):
        p.segment("v", p.cids[i], p.cids[0])
        later, run = events.next()
        assert later > revision and run["renditions"][0]["segments"] == i
        revision = later
    # Whoever comes back is told what he has not seen.
    again = Events(server, "r", f"Last-Event-ID: {revision - 1}")
    assert again.next()[0] == revision
    seen = Events(server, "r", f"Last-Event-ID: {revision}")
    p.segment("v", p.cids[4], p.cids[0])
    for listener in (events, again, seen):
        later, run = listener.next()
        assert later > revision and run["renditions"][0]["segments"] == 4
    assert metric(server, "sluice_runs_events") == 3
    p.end()
    for listener in (events, again, seen):
        last, run = listener.next()
        assert run["state"] == "finished" and listener.next() is None
    over = server.get("/runs/r/events", f"Last-Event-ID: {last}")
    assert over.status == 204
    assert Events(server, "r").next()[1]["state"] == "finished"
    eventually(lambda: metric(server, "sluice_runs_events") == 0, "listeners are left")
    assert server.get("/runs/r/events", method="HEAD").status == 200


def test_events_of_one_that_leaves_and_one_that_goes(depot):
    p, server = depot
    start(p)
    with Client(server) as client:
        client.send(request("/runs/r/events"))
        client.more()
        eventually(lambda: metric(server, "sluice_runs_events") == 1, "it listens")
    p.segment("v", p.cids[1], p.cids[0])
    eventually(lambda: (p.segment("v", p.cids[2], p.cids[0]), metric(server, "sluice_runs_events"))[1] == 0,
               "whoever left is noticed with the next event")
    events = Events(server, "r")
    events.next()
    p.say("delete", "r")
    while events.next() is not None:  # what was announced before is told first
        pass


def test_stop(depot):
    """A server that stops answers who waits, and ends events in order."""
    p, server = depot
    start(p)
    p.segment("v", p.cids[1], p.cids[0])
    events = Events(server, "r")
    events.next()
    waiting = Waiting(server, PLAYLIST.format("r", "v") + "?_HLS_msn=1")
    time.sleep(0.3)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 5, "it waited for its grace time"
    assert waiting.get().status == 503 and events.next() is None


def test_writer_elsewhere(tmp_path):
    """The registry may be anywhere, and be made by the server itself."""
    registry = tmp_path / "elsewhere" / "runs.db"
    registry.parent.mkdir()
    store = tmp_path / "store"
    with Server(None, "--store", store, "--registry", registry) as server:
        assert json.loads(server.get("/runs").body)["runs"] == [] and registry.exists()
        with Publisher(tmp_path, registry) as p:
            start(p)
            (tmp_path / "x").write_bytes(b"x" * 1000)
            p.segment("v", p.add(tmp_path / "x"))
            assert "000000.m4s" in text_of(server.get(PLAYLIST.format("r", "v")))
    for args in (["--registry", str(registry)], ["--store", str(tmp_path / "x")],
                 ["--store", str(store), "--registry", str(tmp_path / "none" / "x")]):
        done = subprocess.run([SLUICE, "serve", *args, "--port", "0"], capture_output=True, timeout=PATIENCE)
        assert done.returncode in (1, 2) and done.stderr, args


def test_signed(depot, tmp_path):
    p, _ = depot
    key = tmp_path / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    start(p)
    p.segment("v", p.cids[1], p.cids[0])
    signed = subprocess.run([SLUICE, "sign", "/runs/r/master.m3u8", "--sign-key-file", str(key)], check=True,
                            capture_output=True, text=True).stdout.strip()
    with Server(None, "--store", p.store, "--sign-key-file", key) as server:
        for target in ("/runs", "/runs/r", "/runs/r/master.m3u8", PLAYLIST.format("r", "v"), f"/ipfs/{p.cids[1]}"):
            assert server.get(target).status == 403
        master = server.get(signed)
        media = f"/runs/r/{links(text_of(master))[0]}"
        response = server.get(media)
        found = links(text_of(response))
        assert len(found) == 2 and server.get(media, f"If-None-Match: {response['ETag']}").status == 304
        for link, expected in zip(found, p.bytes):
            assert server.get(link.replace("../../../..", "")).body == expected
            # It allows itself alone.
            other = link.replace("../../../..", "").replace(link.split("/")[-1].split("?")[0], p.cids[4])
            assert server.get(other).status == 403
        query = signed.split("?")[1]
        assert server.get(f"/runs/r/events?{query}", method="HEAD").status == 200
        assert server.get(f"/runs/other/master.m3u8?{query}").status == 403


def test_many_runs(depot):
    """More runs than are kept in memory, asked for again and again."""
    p, server = depot
    for i in range(20):
        start(p, f"m{i}")
        p.segment("v", p.cids[i % 5 + 1], p.cids[0])
    for _ in range(2):
        for i in range(20):
            assert p.cids[i % 5 + 1] in text_of(server.get(PLAYLIST.format(f"m{i}", "v")))
    for i in range(300):
        assert server.get(f"/runs/unknown{i}/master.m3u8").status == 404
    assert metric(server, "sluice_runs_known") <= 256
