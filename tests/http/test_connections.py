# SPDX-License-Identifier: BSD-2-Clause
"""Connections: kept, pipelined, slow, abandoned, too many."""
import os
import random
import socket
import struct
import subprocess
import threading
import time

import pytest

from lib import PATIENCE, Client, Closed, Server, eventually, raise_file_limit, request

MARGIN = 10  # seconds that a loaded machine may be late


def test_keep_alive(shared, site):
    small = (site / "small.txt").read_bytes()
    with Client(shared) as client:
        for i in range(200):
            path = ("/small.txt", "/missing", "/big.mp4", "/film/master.m3u8")[i % 4]
            client.send(request(path))
            response = client.read()
            assert response.status == (404 if path == "/missing" else 200)
            assert path != "/small.txt" or response.body == small


def test_pipelining(shared, site):
    paths = ["small.txt", "big.mp4", "film/master.m3u8", "edge1.bin", "empty.txt"] * 20
    with Client(shared) as client:
        client.send(b"".join(request(f"/{path}") for path in paths))
        for path in paths:
            assert client.read().body == (site / path).read_bytes()
        client.send(request("/small.txt", "Connection: close") + request("/small.txt") * 3)
        assert client.read().status == 200
        assert client.at_end() == b""


def test_pipelining_is_bounded(shared):
    """A client that only asks and never reads is not buffered without end."""
    with Client(shared, receive_buffer=4096) as client:
        client.socket.setblocking(False)
        sent, quiet = 0, 0
        data = request("/big.mp4") * 100
        while quiet < 20 and sent < 1 << 26:
            try:
                sent += client.socket.send(data)
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.05)
        assert sent < 1 << 25, sent


def test_half_closed(shared, site):
    """A client that has sent all it will is still answered."""
    with Client(shared) as client:
        client.send(request("/big.mp4") + request("/small.txt"))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read().body == (site / "big.mp4").read_bytes()
        assert client.read().status == 200
        assert client.at_end() == b""


def test_slow_head(site):
    """Trickled bytes buy no time: the deadline counts from the first."""
    with Server(site, "--header-timeout", "1") as server, Client(server) as client:
        started = time.monotonic()
        client.socket.settimeout(0.1)
        data = request("/small.txt", "X: " + "a" * 4000)
        try:
            for i in range(len(data)):
                client.send(data[i:i + 1])
                try:
                    client.more()
                    break
                except socket.timeout:
                    pass
        except (BrokenPipeError, ConnectionResetError):
            pass
        took = time.monotonic() - started
        client.socket.settimeout(PATIENCE)
        assert client.read().status == 408
        assert client.at_end() == b""
        assert 0.9 < took < 1 + MARGIN, took


def test_many_slow_heads(site):
    """200 trickling clients do not keep others waiting."""
    with Server(site, "--header-timeout", "2") as server:
        slow = [server.connect() for _ in range(200)]
        for s in slow:
            s.send(b"GET / HTTP/1.1\r\nHost")
        for _ in range(20):
            assert server.get("/small.txt").status == 200
        for s in slow:
            assert s.recv(100).startswith(b"HTTP/1.1 408 ")
            s.close()


def test_idle(site):
    with Server(site, "--idle-timeout", "1") as server:
        with Client(server) as client:
            started = time.monotonic()
            assert client.at_end() == b""  # nothing was asked: nothing is said
            assert 0.9 < time.monotonic() - started < 1 + MARGIN
        with Client(server) as client:
            client.send(request("/small.txt"))
            client.read()
            started = time.monotonic()
            assert client.at_end() == b""
            assert 0.9 < time.monotonic() - started < 1 + MARGIN


def test_reader_that_stopped(own):
    (own / "huge.mp4").write_bytes(b"\0" * (64 << 20))
    with Server(own, "--write-timeout", "1") as server:
        before = server.files()
        with Client(server, receive_buffer=4096) as client:
            client.send(request("/huge.mp4"))
            client.more(100)
            eventually(lambda: server.files() > before, "it is being served")
            eventually(lambda: server.files() == before, "it is cut off", 1 + MARGIN)


def test_slow_reader_is_served(own):
    """Slow is not stopped: 64 KiB every tenth of a second is well above the least rate."""
    body = random.Random(7).randbytes(3 << 20)
    (own / "film.mp4").write_bytes(body)
    with Server(own, "--write-timeout", "1") as server, Client(server, receive_buffer=8192) as client:
        client.send(request("/film.mp4"))
        while len(client.buffer) < len(body):
            client.more(1 << 16)
            time.sleep(0.01)
        assert client.read().body == body


def test_idle_thousands(site):
    if raise_file_limit() < 4500:
        pytest.fail("2,000 connections need a file limit of 4,500")
    with Server(site) as server:
        idle = [server.connect() for _ in range(2000)]
        try:
            started = time.monotonic()
            for _ in range(50):
                assert server.get("/small.txt").status == 200
            assert time.monotonic() - started < MARGIN
            for s in random.Random(1).sample(idle, 100):  # and they are all still there
                s.send(request("/small.txt"))
                assert s.recv(100).startswith(b"HTTP/1.1 200 ")
        finally:
            for s in idle:
                s.close()
        eventually(lambda: server.files() < 100, "the connections are gone")


def test_too_many(site):
    with Server(site, "--connections", "10") as server:
        held = [Client(server) for _ in range(10)]
        for client in held:
            client.send(request("/small.txt"))
            assert client.read().status == 200
        for _ in range(20):
            with Client(server) as client:
                response = client.read()  # without having asked
                assert response.status == 503 and response["Retry-After"] == "1"
                assert client.at_end() == b""
        held.pop().socket.close()
        eventually(lambda: server.get("/small.txt").status == 200, "there is room again")
        for client in held:
            client.send(request("/small.txt"))
            assert client.read().status == 200
            client.socket.close()


def test_file_limit(site):
    """With few descriptors it says so by 503, and recovers."""
    with Server(site, wrap=["prlimit", "--nofile=128:128"]) as server:
        clients = [server.connect() for _ in range(200)]
        statuses = set()
        for s in clients:
            try:
                s.send(request("/small.txt"))
                statuses.add(s.recv(12)[9:12])
            except (ConnectionResetError, BrokenPipeError):
                statuses.add(b"")
        assert b"200" in statuses and b"503" in statuses
        for s in clients:
            s.close()
        eventually(lambda: server.files() < 40, "the connections are gone")
        assert server.get("/small.txt").status == 200
        assert "limit of open files" in server.stop()[1]


def vanish(s, rude):
    if rude:  # a reset instead of an orderly end
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def test_clients_that_vanish(own):
    (own / "huge.mp4").write_bytes(b"\0" * (16 << 20))
    with Server(own) as server:
        assert server.get("/small.txt").status == 200
        before = server.files()
        chance = random.Random(3)
        for i in range(300):
            s = server.connect(receive_buffer=4096)
            s.send(request("/huge.mp4")[:chance.choice([5, 30, 1000])])
            if chance.random() < 0.7:
                s.settimeout(0.05)
                try:
                    s.recv(chance.randrange(1, 100000))
                except socket.timeout:
                    pass
            vanish(s, i % 2)
        assert server.get("/small.txt").status == 200
        eventually(lambda: server.files() <= before, "no descriptor is left behind")


def test_many_clients_at_once(shared, site):
    """Every byte of random ranges, from 24 threads, while some of the clients vanish."""
    body, failures = (site / "big.mp4").read_bytes(), []

    def work(seed):
        chance = random.Random(seed)
        try:
            for _ in range(10):
                with Client(shared) as client:
                    for _ in range(chance.randrange(1, 6)):
                        first = chance.randrange(len(body))
                        last = chance.randrange(first, len(body))
                        client.send(request("/big.mp4", f"Range: bytes={first}-{last}"))
                        if chance.random() < 0.1:
                            break
                        assert client.read().body == body[first:last + 1]
        except Exception as error:  # a thread's failure is the test's
            failures.append(repr(error))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_threads(site):
    """Several loops share the connections; one is enough as well."""
    for count in (1, 4):
        with Server(site, "--threads", count) as server:
            tasks = f"/proc/{server.process.pid}/task"
            clients = [Client(server) for _ in range(12)]
            for client in clients:
                client.send(request("/small.txt"))
                assert client.read().status == 200
            assert len(os.listdir(tasks)) >= count + 1
            for client in clients:
                client.socket.close()


def test_curl(shared, site, tmp_path):
    def curl(*args):
        return subprocess.run(["curl", "-sS", *args], capture_output=True, timeout=PATIENCE)

    big, url = (site / "big.mp4").read_bytes(), shared.url + "big.mp4"
    assert curl("-f", url).stdout == big
    assert curl("-f", "--http1.0", url).stdout == big
    assert curl("-f", "-r", "5-9", url).stdout == big[5:10]
    part = tmp_path / "part"
    part.write_bytes(big[:1234567])
    assert curl("-f", "-C", "-", "-o", part, url).returncode == 0 and part.read_bytes() == big
    headers = curl("-fI", url)
    assert headers.returncode == 0 and f"Content-Length: {len(big)}".encode() in headers.stdout
    assert b" 400 " in curl("-i", "-X", "GET", "-d", "x=y", url).stdout
    assert b" 405 " in curl("-i", "-d", "x=y", url).stdout
    # curl waits for 100 (Continue) before it sends this much; it is refused without
    assert b" 405 " in curl("-i", "-H", "Expect: 100-continue", "-d", "x" * 100000, url).stdout
    assert curl("-f", shared.url + "missing").returncode == 22
    assert curl("-f", "--path-as-is", shared.url + "../secret.txt").returncode == 22


def test_http_client(shared, site):
    import http.client
    connection = http.client.HTTPConnection(shared.host, shared.port, timeout=PATIENCE)
    for path in ("/small.txt", "/big.mp4", "/missing", "/film/master.m3u8"):
        connection.request("GET", path)
        response = connection.getresponse()
        data = response.read()
        assert response.status == (404 if path == "/missing" else 200)
        assert response.status == 404 or data == (site / path[1:]).read_bytes()
    connection.request("HEAD", "/big.mp4")
    response = connection.getresponse()
    assert response.read() == b"" and int(response.headers["Content-Length"]) == 3 << 20
    connection.close()


def test_truncated_while_sent(own):
    """A file that becomes shorter: the connection ends early, it does not lie or hang."""
    path = own / "film.mp4"
    path.write_bytes(os.urandom(32 << 20))
    with Server(own) as server:
        with Client(server, receive_buffer=4096) as client:
            client.send(request("/film.mp4"))
            client.more(1000)
            os.truncate(path, 4 << 20)
            with pytest.raises(Closed) as closed:
                client.read()
            assert len(closed.value.got) < 32 << 20
        assert server.get("/small.txt").status == 200
        out, err = server.stop()
        assert "became shorter" in err


def test_replaced_while_sent(own):
    """What was begun is finished from the version it was begun with."""
    path = own / "film.mp4"
    old, new = os.urandom(24 << 20), os.urandom(24 << 20)
    path.write_bytes(old)
    with Server(own) as server, Client(server, receive_buffer=4096) as client:
        client.send(request("/film.mp4"))
        client.more(1000)
        (own / "next").write_bytes(new)
        os.replace(own / "next", path)
        first = client.read()
        assert first.body == old
        client.send(request("/film.mp4"))
        second = client.read()
        assert second.body == new and second["ETag"] != first["ETag"]
        client.send(request("/film.mp4", "Range: bytes=0-9", f"If-Range: {first['ETag']}"))
        assert client.read().status == 200  # no mixture of two versions


def test_playlist_replaced_all_the_time(own):
    """A playlist is always one version, whole, and its tag belongs to it."""
    path, stop, tags = own / "live.m3u8", threading.Event(), {}

    def version(i):
        return (f"#EXTM3U\n#{i}\n" + f"{i:08}.m4s\n" * (i % 500)).encode()

    path.write_bytes(version(0))

    def write():
        i = 0
        while not stop.is_set():
            i += 1
            (own / "next").write_bytes(version(i))
            os.replace(own / "next", path)

    with Server(own) as server, Client(server) as client:
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(500):
                client.send(request("/live.m3u8"))
                response = client.read()
                assert response.status == 200
                assert response.body == version(int(response.body.split(b"\n")[1][1:]))
                assert tags.setdefault(response["ETag"], response.body) == response.body
        finally:
            stop.set()
            writer.join()


def test_growing_file(own):
    """A file that grows is sent as long as it was when the answer began."""
    path = own / "grow.ts"
    path.write_bytes(b"a" * 200000)
    with Server(own) as server, open(path, "ab") as grow:
        for i in range(20):
            expected = path.read_bytes()
            response = server.get("/grow.ts")
            assert response.body == expected
            grow.write(b"b" * 1000)
            grow.flush()
