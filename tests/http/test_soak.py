# SPDX-License-Identifier: BSD-2-Clause
"""Long proofs of streaming on demand: many viewers, many connections, everything that goes wrong meanwhile."""
import asyncio
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from lib import RELEASE, Client, Closed, Server, eventually, raise_file_limit, request
from test_connections import vanish
from test_media import links, make, metric

pytestmark = pytest.mark.soak

VIEWERS, SECONDS = int(os.environ.get("SLUICE_VIEWERS", 500)), int(os.environ.get("SLUICE_SECONDS", 600))
IDLE = int(os.environ.get("SLUICE_IDLE", 10000))
KILLS = int(os.environ.get("SLUICE_KILLS", 10))
FILMS = 6
# Viewers of each rendition, of a hundred. What is passed through is watched from anywhere; what is coded from the
# beginning of one film: two processors cannot code for everybody at once, and more than --transcodes and --waiting
# are told so by 503.
SHARES = [("source", 60), ("audio1-copy", 15), ("audio1-aac", 15), ("360p", 10)]
CODED = ("audio1-aac", "360p")


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Films of two minutes."""
    root = tmp_path_factory.mktemp("soak") / "root"
    make(root / "film0.mkv", 120, "-c:a", "eac3", "-ac", "2", size="640x360")
    for i in range(1, FILMS):
        shutil.copy(root / "film0.mkv", root / f"film{i}.mkv")
    return root


def memory(server):
    with open(f"/proc/{server.process.pid}/smaps_rollup", encoding="ascii") as f:
        text = f.read()
    return sum(int(n) for n in re.findall(r"^Private_\w+:\s+(\d+)", text, re.M))  # KiB


async def fetch(reader, writer, target):
    writer.write(request(target))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), (target, head)
    return await reader.readexactly(int(re.search(rb"Content-Length: (\d+)", head)[1]))


async def view(server, i, end, waits):
    """One viewer: a playlist, then its segments in order, each asked for when the one before begins to be played,
    by the end of which it must have come. Until the first one has come nothing is played."""
    chance = random.Random(i)
    names = [name for name, share in SHARES for _ in range(share)]
    await asyncio.sleep(10 * i / VIEWERS)
    reader, writer = await asyncio.open_connection(server.host, server.port, limit=1 << 20)
    name = names[i * 7 % 100]
    base = f"/media/film{0 if name in CODED else i % FILMS}.mkv/{name}"
    first = True
    while time.monotonic() < end:
        playlist = (await fetch(reader, writer, f"{base}/playlist.m3u8")).decode()
        listed = re.findall(r"#EXTINF:([\d.]+),\n(\S+)", playlist)
        for length, uri in listed[0 if name in CODED else chance.randrange(len(listed)):]:
            started = time.monotonic()
            assert await fetch(reader, writer, f"{base}/{uri}")
            took = time.monotonic() - started
            waits.append((took, base, uri))
            assert first or took < float(length), ("late", took, base, uri)
            first = False
            if time.monotonic() >= end:
                break
            await asyncio.sleep(max(0, float(length) - took))
    writer.close()


async def watch(server):
    end, waits, sizes = time.monotonic() + SECONDS, [], []
    views = [asyncio.create_task(view(server, i, end, waits)) for i in range(VIEWERS)]
    while time.monotonic() < end:
        await asyncio.sleep(SECONDS / 40)
        sizes.append(memory(server))
        for task in views:
            if task.done():
                task.result()
    await asyncio.gather(*views)
    return sorted(waits), sizes


def test_many_viewers(films):
    """No error, no late segment, and no more memory at the end than when all have begun."""
    with Server(None, "--media", films, program=RELEASE) as server:
        waits, sizes = asyncio.run(watch(server))
        took = [w[0] for w in waits]
        quarter = len(sizes) // 4
        middle, last = (sorted(part)[len(part) // 2] for part in (sizes[quarter:2 * quarter], sizes[-quarter:]))
        print(f"{VIEWERS} viewers for {SECONDS} s, {len(took)} segments: median {took[len(took) // 2] * 1000:.1f} ms, "
              f"99 % {took[len(took) * 99 // 100] * 1000:.1f} ms, worst {took[-1] * 1000:.0f} ms ({waits[-1][1:]}); "
              f"private memory {sizes[0]}, in the second quarter {middle}, in the last {last} KiB; "
              f"coded {metric(server, 'sluice_media_made_total')} answers, "
              f"CPU {sum(os.times()[2:4]):.0f} s")
        assert last < middle * 1.1 + 4096, sizes


def test_idle_ten_thousand(films):
    """Ten thousand connections that ask for nothing: others are served, and all are still there."""
    hard = raise_file_limit(2 * IDLE + 2000)
    count = min(IDLE, hard // 2 - 200)  # the server counts two descriptors for each: a socket, and a file
    if count < IDLE:
        print(f"the limit of open files is {hard}: {count} connections")
    with Server(None, "--media", films, "--connections", count + 100, "--idle-timeout", "3600", program=RELEASE) as server:
        empty, idle = memory(server), []
        try:
            for _ in range(count):
                idle.append(server.connect())
            started = time.monotonic()
            for n in range(20):
                assert server.get(f"/media/film0.mkv/source/{n}.m4s").status == 200
            took = time.monotonic() - started
            each = (memory(server) - empty) * 1024 / count
            print(f"{count} idle connections of {each:.0f} bytes, 20 segments beside them in {took:.2f} s")
            assert took < 30
            for s in random.Random(1).sample(idle, 500):
                s.send(request("/healthz"))
                assert s.recv(100).startswith(b"HTTP/1.1 200 ")
        finally:
            for s in idle:
                s.close()
        eventually(lambda: server.files() < 200, "the connections are gone")


def test_vanishing_in_the_middle(films):
    """Thousands of clients that go in the middle of an answer, of a transcode, of a request."""
    with Server(None, "--media", films) as server:
        right = {n: server.get(f"/media/film0.mkv/source/{n}.m4s").body for n in range(8)}
        server.get("/media/film0.mkv/360p/0.m4s")
        before = server.files()

        def leave(seed):
            chance = random.Random(seed)
            for i in range(500):
                s = server.connect(receive_buffer=4096)
                name = chance.choice(["source", "source", "audio1-aac", "360p", "audio1-copy"])
                data = request(f"/media/film{chance.randrange(FILMS)}.mkv/{name}/{chance.randrange(25)}.m4s")
                s.send(data[:chance.choice([9, 1000, 1000, 1000])])
                s.settimeout(chance.choice([0.001, 0.02, 0.1]))
                try:
                    s.recv(chance.randrange(1, 50000))
                except TimeoutError:
                    pass
                except ConnectionError:
                    pass
                vanish(s, i % 2)

        threads = [threading.Thread(target=leave, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            n = random.randrange(8)
            assert server.get(f"/media/film0.mkv/source/{n}.m4s").body == right[n]
        for thread in threads:
            thread.join()
        eventually(lambda: server.files() <= before + 16, "descriptors are lost")  # sources stay open
        eventually(lambda: metric(server, "sluice_transcodes_running") == 0, "nobody waits, and it goes on")


def test_disk_is_full(films, tmp_path):
    """A cache on a file system of its own that fills up: answers come all the same, once there is room they are
    kept again, and what is kept is whole."""
    cache = tmp_path / "cache"
    cache.mkdir()
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", cache], check=False).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    wrap = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=600k none "{cache}" && exec "$@"', "-"]
    with Server(None, "--media", films, "--cache", cache, "--cache-memory", "1", wrap=wrap) as server:
        inside = f"/proc/{server.process.pid}/root{cache}"
        with open(f"{inside}/ballast", "wb", buffering=0) as ballast, pytest.raises(OSError):
            while True:
                ballast.write(b"\0" * 4096)
        bodies = []
        for n in range(10):
            answer = server.get(f"/media/film0.mkv/audio1-aac/{n}.m4s")
            assert answer.status == 200
            bodies.append(answer.body)
        kept = metric(server, "sluice_cache_disk_files")
        os.unlink(f"{inside}/ballast")
        for n in range(10, 16):
            bodies.append(server.get(f"/media/film0.mkv/audio1-aac/{n}.m4s").body)
        eventually(lambda: metric(server, "sluice_cache_disk_files") > kept, "nothing is kept though there is room")
        assert not [name for _, _, names in os.walk(inside) for name in names if name.endswith(".sltmp")]
        for n, body in enumerate(bodies):
            assert server.get(f"/media/film0.mkv/audio1-aac/{n}.m4s").body == body


def test_source_is_replaced_all_the_time(films, tmp_path):
    """Viewers of a film that becomes another one again and again: each answer belongs to one version, whole, or says
    that the film has changed."""
    root = tmp_path / "root"
    root.mkdir()
    versions = [films / "film0.mkv", tmp_path / "other.mkv"]
    make(versions[1], 60, "-c:a", "eac3", "-ac", "2")
    right, stop, failures, seen = {}, threading.Event(), [], set()
    for version in versions:
        shutil.copy(version, root / "film.mkv")
        with Server(None, "--media", root) as server:
            for n in range(6):
                right.setdefault(n, []).append(server.get(f"/media/film.mkv/source/{n}.m4s").body)

    def replace():
        for i in range(120):
            shutil.copy(versions[i % 2], root / "next")
            os.replace(root / "next", root / "film.mkv")
            time.sleep(0.25)
        stop.set()

    def see(server, seed):
        chance = random.Random(seed)
        try:
            while not stop.is_set():
                playlist = server.get("/media/film.mkv/source/playlist.m3u8")
                assert playlist.status == 200
                uris = links(playlist.body.decode())[1:]
                for _ in range(10):
                    n = chance.randrange(6)
                    answer = server.get(f"/media/film.mkv/source/{uris[n]}")
                    assert answer.status in (200, 404), answer.status
                    if answer.status == 200:
                        which = right[n].index(answer.body)
                        seen.add(which)
                        assert len(uris) == (30, 15)[which], "the segment is not of its playlist's version"
        except Exception as error:  # a thread's failure is the test's
            failures.append(repr(error))
            stop.set()

    with Server(None, "--media", root) as server:
        threads = [threading.Thread(target=replace), *(threading.Thread(target=see, args=(server, i)) for i in range(4))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
        assert seen == {0, 1}
        assert server.files() < 100


def test_killed_again_and_again(films, tmp_path):
    """SIGKILL in the middle of everything: what is in the cache afterwards is right, and is used."""
    cache, chance = tmp_path / "cache", random.Random(5)
    targets = [f"/media/film{i}.mkv/{name}/{n}.m4s" for i in range(2) for name in ("audio1-aac", "360p") for n in range(8)]
    with Server(None, "--media", films) as server:
        right = {target: server.get(target).body for target in targets}
    hits = 0
    for _ in range(KILLS):
        with Server(None, "--media", films, "--cache", cache) as server:
            clients = [Client(server) for _ in range(6)]
            for client in clients:
                client.send(request(chance.choice(targets)))
            target = chance.choice(targets)
            assert server.get(target).body == right[target]
            time.sleep(chance.random())
            server.stop(signal.SIGKILL, expected=-signal.SIGKILL)
            for client in clients:
                client.socket.close()
    with Server(None, "--media", films, "--cache", cache) as server:
        for target in targets:
            assert server.get(target).body == right[target]
        hits = metric(server, "sluice_cache_disk_hits_total")
        assert not list(cache.rglob("*.sltmp"))
    print(f"{KILLS} kills, {hits} of {len(targets)} answers were kept")
    assert hits > 0


def test_truncated_in_the_middle(films, tmp_path):
    """A film that loses its end while it is sent: the client is told by the end of the connection, never lied to."""
    root = tmp_path / "root"
    root.mkdir()
    with Server(None, "--media", root) as server:
        for i in range(20):
            path = root / f"film{i}.mkv"
            shutil.copy(films / "film0.mkv", path)
            with Client(server, receive_buffer=4096) as client:
                client.send(request(f"/media/film{i}.mkv"))
                client.more(1000)
                os.truncate(path, path.stat().st_size // 10)
                with pytest.raises(Closed):
                    client.read()
            assert server.get(f"/media/film{i}.mkv/source/20.m4s").status >= 400
        assert server.get("/healthz").status == 200
