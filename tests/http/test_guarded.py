# SPDX-License-Identifier: BSD-2-Clause
"""TLS, Unix sockets, signed links, rates, what is counted and what is logged."""
import gzip
import json
import os
import re
import socket
import ssl
import subprocess
import time

import pytest

from lib import PATIENCE, SLUICE, Client, Closed, Server, eventually, request


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    home = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", str(home / "key"), "-out", str(home / "cert"), "-days", "2", "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    return ("--tls-cert", home / "cert", "--tls-key", home / "key")


def test_tls(site, certificate):
    with Server(site, *certificate) as server:
        assert server.url.startswith("https://")
        with Client(server) as client:
            assert client.socket.version() in ("TLSv1.2", "TLSv1.3")
            for path in ("small.txt", "big.mp4", "edge1.bin", "film/360p/000/000000.m4s") * 5:
                client.send(request(f"/{path}"))
                assert client.read().body == (site / path).read_bytes()
            client.send(request("/big.mp4", "Range: bytes=1000000-2000000"))
            assert client.read().body == (site / "big.mp4").read_bytes()[1000000:2000001]
            client.send(request("https://h/small.txt", "Connection: close"))
            assert client.read().status == 200
            assert client.at_end() == b""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        done = subprocess.run(["openssl", "s_client", "-connect", f"{server.host}:{server.port}", "-tls1_1",
                               "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL, capture_output=True)
        assert done.returncode != 0  # too old
        context.set_alpn_protocols(["h2", "http/1.1"])
        with context.wrap_socket(socket.create_connection((server.host, server.port))) as s:
            assert s.selected_alpn_protocol() == "http/1.1"


def test_tls_needs_both(site, certificate):
    for args in (certificate[:2], certificate[2:], ("--tls-cert", site / "small.txt", *certificate[2:]),
                 (*certificate[:2], "--tls-key", "/nonexistent")):
        done = subprocess.run([SLUICE, "serve", str(site), "--port", "0", *map(str, args)], capture_output=True)
        assert done.returncode in (1, 2) and done.stderr


def test_plain_to_tls_and_back(site, certificate):
    with Server(site, *certificate) as server:
        with socket.create_connection((server.host, server.port), timeout=PATIENCE) as s:
            s.sendall(request("/small.txt"))
            try:
                assert b"HTTP/1.1 200" not in s.recv(1000)
            except ConnectionResetError:
                pass
        assert server.get("/small.txt").status == 200


def test_tls_handshake_deadline(site, certificate):
    with Server(site, *certificate, "--header-timeout", "1") as server:
        with socket.create_connection((server.host, server.port), timeout=PATIENCE) as s:
            started = time.monotonic()
            try:
                for _ in range(100):  # a byte now and then buys no time
                    s.sendall(b"\x16" if _ == 0 else b"\x03")
                    time.sleep(0.1)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert time.monotonic() - started < 8
        assert server.get("/small.txt").status == 200


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_source_is_cut_off_while_it_is_sent(own, certificate, secure):
    """No signal for pages that are gone, and the client can tell."""
    size = 32 << 20
    (own / "huge.mp4").write_bytes(b"x" * size)
    with Server(own, *(certificate if secure else ())) as server:
        with Client(server, receive_buffer=4096) as client:
            client.send(request("/huge.mp4"))
            client.more(100)
            os.truncate(own / "huge.mp4", 1 << 20)
            with pytest.raises(Closed):
                client.read()
        assert server.get("/small.txt").status == 200


def test_tls_reader_that_stopped(own, certificate):
    (own / "huge.mp4").write_bytes(b"x" * (64 << 20))
    with Server(own, *certificate, "--write-timeout", "1") as server:
        with Client(server, receive_buffer=4096) as client:
            client.send(request("/huge.mp4"))
            client.more(100)
            eventually(lambda: b"sluice_connections 1\n" in server.get("/metrics").body, "it was not sent away")


def test_tls_grace(site, certificate):
    server = Server(site, *certificate, "--grace", "5")
    with Client(server) as idle:
        idle.send(request("/small.txt"))
        idle.read()
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 4
        assert idle.at_end() == b""


def test_unix_socket(site, tmp_path):
    path = tmp_path / "socket"
    with Server(site, "--listen", f"unix:{path}", "--access-log") as server:
        assert server.get("/small.txt").body == b"small\n"
        assert server.get("/big.mp4").body == (site / "big.mp4").read_bytes()
        taken = subprocess.run([SLUICE, "serve", str(site), "--listen", f"unix:{path}"], capture_output=True)
        assert taken.returncode == 1 and b"in use" in taken.stderr
        out, _ = server.stop()
        assert ' - "GET /small.txt HTTP/1.1" 200 6 ' in out
    assert not path.exists()
    leftover = socket.socket(socket.AF_UNIX)
    leftover.bind(str(path))
    leftover.close()
    with Server(site, "--listen", f"unix:{path}") as server:  # what a killed server left
        assert server.get("/small.txt").status == 200
    path.write_text("mine")
    other = subprocess.run([SLUICE, "serve", str(site), "--listen", f"unix:{path}"], capture_output=True)
    assert other.returncode == 1 and path.read_text() == "mine"


KEY = "a key of more than sixteen bytes"


@pytest.fixture
def key(tmp_path):
    (tmp_path / "key").write_text(KEY + "\n")
    return tmp_path / "key"


def sign(key, url, *args):
    done = subprocess.run([SLUICE, "sign", url, "--sign-key-file", str(key), *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_signed_links(site, key):
    with Server(site, "--sign-key-file", key) as server:
        for target in ("/small.txt", "/film/master.m3u8", "/film/360p/init.mp4", "/_sluice/ladders.json", "/missing"):
            assert server.get(target).status == 403, target
            assert server.get(f"{target}?exp=9999999999&sig=" + "0" * 32).status == 403
        assert server.get("/").status == 200 and server.get("/healthz").status == 200
        assert server.get("*", method="OPTIONS").status == 204
        link = sign(key, "/small.txt")
        assert server.get(link).body == b"small\n"
        assert server.get(link.replace("small", "empty")).status == 403
        assert server.get(sign(key, server.url + "small.txt")[len(server.url) - 1:]).status == 200
        short = sign(key, "/small.txt", "--valid", "1")
        assert server.get(short).status == 200
        time.sleep(2.1)
        assert server.get(short).status == 410
        assert server.get(sign(key, "/small.txt", "--address", "127.0.0.1")).status == 200
        assert server.get(sign(key, "/small.txt", "--address", "127.0.0.2")).status == 403


def test_signed_playlists(site, key):
    """A playlist hands on what allowed it, and nothing else is needed to play."""
    with Server(site, "--sign-key-file", key) as server:
        master = server.get(sign(key, "/film/master.m3u8"))
        assert master.status == 200
        link = [line for line in master.body.decode().split("\n") if line and line[0] != "#"][0]
        assert re.match(r"360p/playlist\.m3u8\?in=/film/&exp=\d+&sig=[0-9a-f]{32}$", link)
        assert server.get(f"/film/{link}").status == 200
        assert server.get("/film/360p/init.mp4?" + link.split("?")[1]).status == 200
        assert server.get("/big.mp4?" + link.split("?")[1]).status == 403
        packed = server.get(sign(key, "/film/master.m3u8"), "Accept-Encoding: gzip")
        assert packed.status == 200
        narrow = server.get(sign(key, "/film/360p/playlist.m3u8"))
        assert narrow.status == 200


def test_signed_cases(key):
    for args, code in ((["x"], 2), (["/a", "--scope", "/b/"], 2), (["/a", "--scope", "b"], 2), (["/a/../.."], 2),
                       (["/a", "--valid", "0"], 2), (["/a", "--address", "host"], 2), (["/a#b"], 2), (["/a", "/b"], 2), ([], 2)):
        done = subprocess.run([SLUICE, "sign", *args, "--sign-key-file", str(key)], capture_output=True, text=True)
        assert done.returncode == code and done.stderr, args
    for name in ("none", "short"):
        if name == "short":
            (key.parent / name).write_text("0123456789")
        done = subprocess.run([SLUICE, "sign", "/a", "--sign-key-file", str(key.parent / name)], capture_output=True)
        assert done.returncode in (1, 2) and name.encode() in done.stderr


def test_rate(site):
    with Server(site, "--rate", "5", "--burst", "20") as server:
        with Client(server) as client:
            statuses = []
            for _ in range(40):
                client.send(request("/small.txt"))
                response = client.read()
                statuses.append(response.status)
                if response.status == 429:
                    assert int(response["Retry-After"]) >= 1 and response["Connection"] is None
            assert statuses[:20] == [200] * 20 and 429 in statuses[20:]
            eventually(lambda: (client.send(request("/small.txt")), client.read().status)[1] == 200, "for ever")


def test_rate_behind_a_proxy(site):
    with Server(site, "--rate", "1", "--burst", "5", "--forwarded") as server:
        def ask(addresses):
            client.send(request("/small.txt", f"X-Forwarded-For: {addresses}"))
            return client.read().status

        with Client(server) as client:
            for i in range(30):
                assert ask(f"203.0.113.250, 198.51.100.{i}") == 200
            assert {ask(f"198.51.100.{i}, 203.0.113.9") for i in range(30)} == {200, 429}


def test_metrics(site):
    with Server(site) as server:
        for path, n in (("/small.txt", 3), ("/missing", 2), ("/film/master.m3u8", 4)):
            for _ in range(n):
                server.get(path)
        response = server.get("/metrics")
        assert response["Content-Type"].startswith("text/plain; version=0.0.4")
        values = {}
        for line in response.body.decode().split("\n")[:-1]:
            if line[0] != "#":
                match = re.fullmatch(r"(\w+(?:\{[^}]*\})?) (\d+(?:\.\d+)?)", line)
                assert match and match[1] not in values, line
                values[match[1]] = float(match[2])
        assert values['sluice_requests_total{class="file",status="2xx"}'] == 3
        assert values['sluice_requests_total{class="playlist",status="2xx"}'] == 4
        assert values['sluice_requests_total{class="other",status="4xx"}'] == 2
        assert values['sluice_sent_bytes_total{class="file"}'] == 18
        assert values['sluice_first_byte_seconds_count{class="playlist"}'] == 4
        assert values["sluice_connections"] == 1 and values["sluice_connections_accepted_total"] == 10
    with Server(site, "--metrics=no") as server:
        assert server.get("/metrics").status == 404


def test_gzip_of_files(own):
    text = "#EXTM3U\n" + "".join(f"#EXTINF:4,\n{i:06}.m4s\n" for i in range(20000))
    (own / "long.m3u8").write_text(text)
    with Server(own) as server:
        packed = server.get("/long.m3u8", "Accept-Encoding: gzip, br")
        assert packed["Content-Encoding"] == "gzip" and len(packed.body) < len(text) / 4
        assert gzip.decompress(packed.body).decode() == text
        head = server.get("/long.m3u8", "Accept-Encoding: gzip", method="HEAD")
        assert head["Content-Length"] == str(len(packed.body)) and head["ETag"] == packed["ETag"]
        part = server.get("/long.m3u8", "Accept-Encoding: gzip", "Range: bytes=0-6")
        assert part.status == 206 and part["Content-Encoding"] is None and part.body == b"#EXTM3U"
        for fields in ([], ["Accept-Encoding: br"], ["Accept-Encoding: gzip;q=0"]):
            plain = server.get("/long.m3u8", *fields)
            assert plain["Content-Encoding"] is None and plain["Vary"] == "Accept-Encoding" and plain.body.decode() == text
        assert server.get("/big.mp4", "Accept-Encoding: gzip")["Content-Encoding"] is None


def test_access_logs(site):
    with Server(site, "--access-log", "--log-format", "common") as server:
        server.get("/small.txt", 'Referer: http://x/"', "User-Agent: me")
        out, _ = server.stop()
        assert re.search(r'^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /small\.txt HTTP/1\.1" '
                         r'200 6 "http://x/\\x22" "me"$', out, re.M), out
    with Server(site, "--access-log", "--log-format", "json", "--forwarded") as server:
        server.get("/small.txt?a=%22", 'User-Agent: "\xe9', "X-Forwarded-For: 2001:db8::1")
        out, _ = server.stop()
        line = json.loads(out.split("\n")[0])
        assert line["client"] == "2001:db8::1" and line["status"] == 200 and line["bytes"] == 6
        assert line["target"] == "/small.txt?a=%22" and line["agent"] == '"\xe9' and line["whole"] is True


@pytest.mark.soak
def test_ten_thousand_idle(site):
    """They cost memory and descriptors, and nobody else's time."""
    import resource
    count = min(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 200)  # both ends are ours
    with Server(site, "--connections", "11000", "--idle-timeout", "600") as server:
        idle = [server.connect() for _ in range(count)]
        for s in idle[::2]:
            s.sendall(b"GET / HT")
        for _ in range(200):
            started = time.monotonic()
            assert server.get("/small.txt").status == 200
            assert time.monotonic() - started < 1
        with open(f"/proc/{server.process.pid}/status") as status:
            memory = int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])
        print(f"{count} idle connections: {memory} KiB")
        for s in idle:
            s.close()
        eventually(lambda: b"\nsluice_connections 1\n" in server.get("/metrics").body, "some are left")
