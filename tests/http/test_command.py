# SPDX-License-Identifier: BSD-2-Clause
"""The command around the server: settings, errors, signals, the log."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib import PATIENCE, SLUICE, Client, Closed, Server, eventually, request


def fails(*args):
    done = subprocess.run([SLUICE, "serve", *map(str, args)], capture_output=True, text=True,
                          timeout=PATIENCE)
    assert done.stdout == "" and done.stderr.startswith("sluice: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.returncode, done.stderr


def test_usage(site):
    assert fails()[0] == 2
    assert fails(site, site)[0] == 2
    assert fails(site, "--port", "x")[0] == 2
    assert fails(site, "--port", "65536")[0] == 2
    assert fails(site, "--connections", "0")[0] == 2
    assert fails(site, "--idle-timeout", "0")[0] == 2
    status, text = fails(site, "--prot", "80")
    assert status == 2 and "--port" in text or "port" in text
    done = subprocess.run([SLUICE, "serve", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "Example" in done.stdout and "--header-timeout" in done.stdout


def test_failures(site):
    status, text = fails(site / "nowhere")
    assert status == 1 and str(site / "nowhere") in text
    status, text = fails(site / "small.txt")
    assert status == 1 and "small.txt" in text
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, text = fails(site, "--port", taken.getsockname()[1])
        assert status == 1 and f"127.0.0.1:{taken.getsockname()[1]}" in text
    status, text = fails(site, "--listen", "not-a-host.invalid")
    assert status == 1 and "not-a-host.invalid" in text


def test_second_server_is_told(site):
    with Server(site) as server:
        status, text = fails(site, "--port", server.port)
        assert status == 1 and str(server.port) in text


def test_listens_on_loopback_only(site):
    with Server(site) as server:
        assert server.host == "127.0.0.1"
        with open("/proc/net/tcp") as table:
            rows = [line.split()[1] for line in table if line.split()[1].endswith(f":{server.port:04X}")]
        assert "0100007F" in {row.split(":")[0] for row in rows}
        assert "00000000" not in {row.split(":")[0] for row in rows}


def test_other_addresses(site):
    with Server(site, "--listen", "localhost") as server:
        assert server.get("/small.txt").status == 200
    with Server(site, "--listen", "0.0.0.0") as server:
        server.host = "127.0.0.1"
        assert server.get("/small.txt").status == 200


def test_ipv6(site):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with Server(site, "--listen", "::1") as server:
        done = subprocess.run(["curl", "-sf", "-g", server.url + "small.txt"], capture_output=True)
        assert done.stdout == b"small\n", done


def test_segment_age(site):
    with Server(site, "--segment-age", "600") as server:
        age = "public, max-age=600, immutable"
        assert server.get("/film/360p/000/000000.m4s")["Cache-Control"] == age
        assert server.get("/film/360p/init.mp4")["Cache-Control"] == age
        assert server.get("/film/master.m3u8")["Cache-Control"] == "no-cache"
        assert server.get("/page.html")["Cache-Control"] == "no-cache"


def test_access_log(site):
    with Server(site, "--access-log") as server:
        server.get("/small.txt?q=1", "User-Agent: a \"b\"\x1b")  # refused: a control character
        server.get("/small.txt?q=1", "User-Agent: a \"b\"")
        server.get("/film/master.m3u8", "Range: bytes=1-2")
        server.get("/big.mp4", method="HEAD")
        with Client(server, receive_buffer=4096) as client:
            client.send(request("/big.mp4"))
            client.more(10)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        time.sleep(0.2)
        out, _ = server.stop()
    shape = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ 127\.0\.0\.1:\d+ "(.*)" (\d{3}) (\d+) '
                       r'\d+\.\d{6} "(.*)"( aborted)?')
    lines = [shape.fullmatch(line) for line in out.splitlines()]
    assert all(lines), out
    seen = [(m[1], m[2], m[3], m[4], bool(m[5])) for m in lines
            if not m[1].startswith("GET /small.txt HTTP")]
    assert seen[0][1] == "400"
    assert ("GET /small.txt?q=1 HTTP/1.1", "200", "6", "a \\x22b\\x22", False) in seen
    assert ("GET /film/master.m3u8 HTTP/1.1", "206", "2", "", False) in seen
    assert ("HEAD /big.mp4 HTTP/1.1", "200", "0", "", False) in seen
    assert any(s[0] == "GET /big.mp4 HTTP/1.1" for s in seen)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_graceful_stop(own, number):
    """A stop ends idle connections at once, takes no new ones, and finishes what has begun."""
    body = bytes(range(256)) * (24 << 12)
    (own / "film.mp4").write_bytes(body)
    server = Server(own, "--grace", "30")
    with Client(server) as idle, Client(server, receive_buffer=4096) as busy:
        idle.send(request("/small.txt"))
        idle.read()
        busy.send(request("/film.mp4"))
        busy.more(1000)
        server.process.send_signal(number)
        assert idle.at_end() == b""
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        assert server.process.poll() is None
        assert busy.read().body == body
        assert busy.at_end() == b""
    server.wait()


def test_stop_within_a_head(site):
    """A request that was begun may still be finished, and is the last one."""
    server = Server(site, "--grace", "30")
    with Client(server) as client:
        client.send(b"GET /small.txt HTTP/1.1\r\n")
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        client.send(b"Host: h\r\n\r\n")
        response = client.read()
        assert response.status == 200 and response["Connection"] == "close"
        assert client.at_end() == b""
    server.wait()


def test_grace_ends(own):
    (own / "film.mp4").write_bytes(b"\0" * (64 << 20))
    server = Server(own, "--grace", "1")
    with Client(server, receive_buffer=4096) as client:
        client.send(request("/film.mp4"))
        client.more(1000)
        started = time.monotonic()
        server.stop()
        assert 0.9 < time.monotonic() - started < 11
        with pytest.raises(Closed):
            client.read()


def test_second_signal(own):
    (own / "film.mp4").write_bytes(b"\0" * (64 << 20))
    server = Server(own, "--grace", "600")
    with Client(server, receive_buffer=4096) as client:
        client.send(request("/film.mp4"))
        client.more(1000)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert server.process.poll() is None
        server.stop(signal.SIGINT, expected=1)


def test_stop_under_load(site):
    """Whatever happens at the moment of the stop, every answer that began is whole."""
    for _ in range(5):
        server, failures, going = Server(site, "--threads", "3"), [], threading.Event()

        def work():
            try:
                while True:
                    with Client(server) as client:
                        for _ in range(5):
                            client.send(request("/edge1.bin"))
                            assert len(client.read().body) == 65537
                            going.set()
            except Closed as closed:
                if closed.got:
                    failures.append(f"an answer ended after {len(closed.got)} bytes")
            except OSError:
                pass

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert going.wait(PATIENCE)
        time.sleep(0.2)
        server.stop()
        for thread in threads:
            thread.join()
        assert not failures, failures


def test_directory_that_goes_away(own, tmp_path):
    with Server(own) as server:
        own.rename(tmp_path / "moved")
        assert server.get("/small.txt").status == 200  # it is held open
        (tmp_path / "moved" / "small.txt").unlink()
        assert server.get("/small.txt").status == 404


def test_unreadable_file(own):
    (own / "locked.txt").write_text("x")
    (own / "locked.txt").chmod(0)
    # The tests may run as root, who reads everything unless told not to.
    less = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    with Server(own, wrap=less if os.geteuid() == 0 else ()) as server:
        assert server.get("/locked.txt").status == 403
        assert server.get("/small.txt").status == 200
        assert "locked.txt: cannot be served: Permission denied" in server.stop()[1]


def test_sendfile(site):
    """Large bodies go by sendfile, small ones are read at once."""
    if subprocess.run(["sh", "-c", "command -v strace"], capture_output=True).returncode:
        pytest.skip("strace is not installed")
    with Server(site, "--threads", "1") as server:
        pid = server.process.pid
        trace = subprocess.Popen(["strace", "-f", "-e", "trace=sendfile,pread64,mmap", "-p", str(pid)],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        trace.stderr.readline()
        assert server.get("/big.mp4").status == 200
        assert server.get("/small.txt").status == 200
        trace.send_signal(signal.SIGINT)
        text = trace.communicate(timeout=PATIENCE)[1]
    if "Operation not permitted" in text:
        pytest.skip("strace may not trace here")
    sent = sum(int(n) for n in re.findall(r"sendfile\(.*= (\d+)$", text, re.M))
    assert sent == 3 << 20, text
