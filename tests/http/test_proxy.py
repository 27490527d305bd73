# SPDX-License-Identifier: BSD-2-Clause
"""Sources on the web: what is allowed, what an origin may do, what a viewer learns."""
import ctypes
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import time
import traceback
from urllib.parse import quote, urljoin

import pytest

import proxy_cases
from lib import SLUICE, Client, Server, eventually, request
from origin import Origin
from test_media import links, make, metric

KINDS = ("ranges", "weak", "bare", "plain", "moved", "loop", "to", "flaky", "cut", "changes", "broken", "short",
         "auth", "basic", "once", "silent", "stalls")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    root = tmp_path_factory.mktemp("proxy") / "root"
    make(root / "film.mkv", 12, "-c:a", "eac3", "-ac", "2", size="426x240")
    make(root / "film.mp4", 6, "-c:a", "aac")
    (root / "text.mkv").write_text("no film\n" * 100)
    return root


@pytest.fixture(scope="module")
def origins(film):
    with Origin(film) as origin, Origin(film) as other:
        yield origin, other


@pytest.fixture
def origin(origins):
    for o in origins:
        o.reset()
    return origins[0]


def allow(origin, *kinds):
    return [f"--allow-source=http://127.0.0.1:{origin.port}/{kind}/*" for kind in kinds or KINDS]


@pytest.fixture(scope="module")
def server(film, origins):
    with Server(None, "--media", film, *allow(origins[0]), "--allow-source-private") as server:
        yield server


def target(origin, path, name="film.mkv", kind="ranges", user="", **more):
    query = "&".join(f"{k}={quote(str(v), safe='')}" for k, v in
                     {"src": origin.url(f"{kind}/{name}", user), **more}.items())
    return f"/proxy/{path}{'&' if '?' in path else '?'}{query}"


def below(base, uri):
    return urljoin(base, uri)


def walk(server, master):
    """All that a multivariant playlist leads to: {address: response}."""
    seen = {}
    response = server.get(master)
    assert response.status == 200, response.body
    for uri in set(links(response.body.decode())):
        playlist = below(master, uri)
        seen[playlist] = server.get(playlist)
        assert seen[playlist].status == 200, (playlist, seen[playlist].body)
        for inner in links(seen[playlist].body.decode())[:2]:
            address = below(playlist, inner)
            seen[address] = server.get(address)
            assert seen[address].status == 200, (address, seen[address].body[:100])
    return seen


def without_version(text):
    return re.sub(rb"[?&](v|src)=[^\"\n&]+", b"", text)


@pytest.mark.parametrize("route", proxy_cases.ROUTES)
def test_same_as_a_file(server, origin, route):
    remote, local = server.get(target(origin, route)), server.get(f"/media/film.mkv/{route}")
    assert remote.status == local.status == 200, remote.body
    assert remote["Content-Type"] == local["Content-Type"]
    if "m3u8" in route:
        lines = [without_version(r.body).split(b"\n") for r in (remote, local)]
        # Sizes and groups of a file are looked at more closely.
        assert [l for l in lines[0] if l[:1] != b"#"] == [l for l in lines[1] if l[:1] != b"#"]
    else:
        assert remote.body == local.body


@pytest.mark.parametrize("case", proxy_cases.REFUSED, ids=lambda c: c[0])
def test_refused(server, origins, origin, case):
    _, address, status, words = case
    names = {f"{{{n}}}": f"127.0.0.1:{o.port}" for n, o in zip(("origin", "other"), origins)}
    for name, value in names.items():
        address = address.replace(name, value)
    response = server.get(f"/proxy/{address}")
    assert response.status == status, response.body
    assert response["Cache-Control"] == "no-store"
    assert words is None or words in response.body.decode(), response.body
    assert b"127.0.0.1" not in response.body and b"film" not in response.body
    assert not origins[1].requests, "somebody went where no pattern leads"
    if status in (400, 403) and "stream" not in address:
        assert not origin.requests


def test_links(server, origin):
    """Each link names its source, and what it leads to may be kept."""
    seen = walk(server, target(origin, "master.m3u8"))
    assert len(seen) > 8
    for address, response in seen.items():
        assert "src=http%3A//127.0.0.1" in address and re.search(r"[?&]v=\w{22}", address) or "m3u8" in address
        if "m3u8" not in address:
            assert response["Cache-Control"] == "private, max-age=31536000, immutable"
            assert server.get(address, f"If-None-Match: {response['ETag']}").status == 304
            head = server.get(address, method="HEAD")
            assert head.status == 200 and head["Content-Length"] == str(len(response.body))
            part = server.get(address, "Range: bytes=1-3")
            assert part.status == 206 and part.body == response.body[1:4]


def test_player(server, origin):
    """ffmpeg as a player: every picture."""
    for name, form, pictures in (("film.mkv", "", 300), ("film.mp4", "?format=ts", 150)):
        out = subprocess.run(
            ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets", "-show_entries",
             "stream=nb_read_packets", "-of", "csv=p=0", server.url.rstrip("/") + target(origin, f"master.m3u8{form}", name)],
            capture_output=True, text=True, check=True)
        assert out.stderr == "" and int(re.findall(r"\d+", out.stdout)[0]) == pictures, (name, form, out)


def test_few_requests(film, origin):
    """Connections are kept, blocks are shared, answers are remembered."""
    with Server(None, *allow(origin), "--allow-source-private") as server:
        size = (film / "film.mkv").stat().st_size
        walk(server, target(origin, "master.m3u8"))
        asked = origin.requests
        got = sum(int(m[2]) - int(m[1]) + 1 for _, h in asked
                  if (m := re.fullmatch(r"bytes=(\d+)-(\d+)", h["Range"])))
        assert origin.server.connections <= 6, "connections are not kept"
        assert got < 3 * size + (4 << 20), (got, size)
        assert all("Range" in h for _, h in asked)
        assert all(h.get("If-Range") == '"1"' for _, h in asked[1:])
        walk(server, target(origin, "master.m3u8"))
        assert len(origin.requests) == len(asked), "the same again went to the origin"


@pytest.mark.parametrize("kind", ["weak", "bare", "moved", "flaky", "cut"])
def test_kinds(server, origin, kind):
    good = server.get("/media/film.mkv/source/1.m4s").body
    response = server.get(target(origin, "source/1.m4s", kind=kind))
    assert response.status == 200 and response.body == good, (kind, response.body[:100])


def test_no_answer(film, origin):
    with Server(None, *allow(origin), "--allow-source-private", "--source-timeout", "1", "--grace", "1") as server:
        for kind in ("silent", "stalls"):
            started = time.monotonic()
            response = server.get(target(origin, "master.m3u8", kind=kind))
            assert response.status == 504 and b"in time" in response.body, (kind, response.body)
            assert time.monotonic() - started < 10
        with Client(server) as client:  # it stops although somebody waits for an origin
            client.send(request(target(origin, "master.m3u8", kind="silent")))
            eventually(lambda: len(origin.requests) >= 3, "not asked")
            server.stop()


def test_slow_origin_holds_up_nobody(film, origin):
    with Server(None, "--media", film, *allow(origin), "--allow-source-private", "--source-timeout", "30") as server:
        clients = [Client(server) for _ in range(20)]
        for n, client in enumerate(clients):
            client.send(request(target(origin, "source/0.m4s", kind="silent", x=n, h_X=n)))
        eventually(lambda: len(origin.requests) >= 8, "not asked")
        assert server.get("/media/film.mkv/source/0.m4s").status == 200
        for client in clients:
            client.socket.close()


def test_change_while_it_is_read(film, origin):
    with Server(None, *allow(origin), "--allow-source-private", "--source-memory", "1") as server:
        master = server.get(target(origin, "master.m3u8", kind="changes")).body.decode()
        playlist = target(origin, "source/playlist.m3u8", kind="changes")
        old = below(playlist, links(server.get(playlist).body.decode())[1])
        assert server.get(old).status == 200
        origin.server.version = 2
        late = target(origin, "stream.mp4?start=8", kind="changes")
        statuses = [server.get(late).status for _ in range(2)]
        if statuses[0] == 200:  # all of it was in memory, which is as good
            origin.server.version = 2
        else:
            assert statuses == [502, 200]
            new = below(playlist, links(server.get(playlist).body.decode())[1])
            assert new != old and server.get(new).status == 200
            assert server.get(old).status == 404
        assert master


def test_header_fields(server, origin):
    fields = {"h_Authorization": "Bearer s3cret-token", "h_X-Odd": "a \"b\"; c=%", "h_User-Agent": "me"}
    master = target(origin, "master.m3u8", kind="auth", **fields)
    seen = walk(server, master)
    assert len(seen) > 8
    for _, headers in origin.requests:
        assert headers["Authorization"] == "Bearer s3cret-token" and headers["X-Odd"] == 'a "b"; c=%'
        assert headers["User-Agent"] == "me" and headers["Host"] == f"127.0.0.1:{origin.port}"
    # What they open is for nobody else.
    assert server.get(target(origin, "source/0.m4s", kind="auth")).status == 502
    assert server.get(target(origin, "source/0.m4s", kind="auth", h_Authorization="Bearer x")).status == 502
    assert server.get(target(origin, "source/0.m4s", kind="basic", user="user:pass-word@")).status == 200


def test_redirects(film, origins, origin):
    other = origins[1]
    field = {"h_Authorization": "Bearer s3cret-token", "h_Cookie": "a=b"}
    with Server(None, *allow(origin), *allow(other, "ranges"), "--allow-source-private") as server:
        origin.server.target = other.url("ranges/film.mkv")
        response = server.get(target(origin, "source/0.m4s", kind="to", user="user:pass-word@", **field))
        assert response.status == 200 and other.requests
        assert all(h.get("Cookie") == "a=b" for _, h in origin.requests)
        for _, headers in other.requests:  # nothing that was meant for the first one
            assert "Authorization" not in headers and "Cookie" not in headers
        other.reset()
        for refused in (other.url("auth/film.mkv"), other.url("ranges/%2e%2e/auth/film.mkv"),
                        "http://localhost:%d/ranges/film.mkv" % other.port, "ftp://127.0.0.1/x", "file:///etc/passwd",
                        "//127.0.0.1:1/ranges/film.mkv", "http://169.254.169.254/latest/meta-data/"):
            origin.server.target = refused
            response = server.get(target(origin, "source/0.m4s", kind="to", h_X=refused[:20]))
            assert response.status in (403, 502) and not other.requests, (refused, response.body)
            assert "http" not in refused[:4] or response.status == 403
        origin.server.target = "/auth/film.mkv"  # the same origin goes on with what it was given
        assert server.get(target(origin, "source/0.m4s", kind="to", **field)).status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "0.0.0.0"])
def test_private_addresses(origin, host, monkeypatch):
    """Allowed by pattern, and still not connected to; nor asked for of a proxy that would."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{origin.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Server(None, "--allow-source", "*://*:*/*", "--source-timeout", "5") as server:
        address = f"http://{host}:{origin.port}/ranges/film.mkv"
        response = server.get(f"/proxy/master.m3u8?src={quote(address, safe='')}")
        assert response.status == 403 and b"not allowed" in response.body, response.body
        assert not origin.requests and origin.server.connections == 0


def test_proxies_of_the_environment(film, origin, monkeypatch):
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Server(None, *allow(origin), "--allow-source-private") as server:
        assert server.get(target(origin, "source/0.m4s")).status == 200


def in_network_of_its_own(address, check):
    """Runs check in a process whose only interface is lo, with a public address besides its own."""
    child = os.fork()
    if child == 0:  # it never returns
        code = 1
        try:
            flags = 0x40000000 | (0 if os.geteuid() == 0 else 0x10000000)  # CLONE_NEWNET, CLONE_NEWUSER
            if ctypes.CDLL(None).unshare(flags) != 0:
                code = 77
                return
            with socket.socket() as s:
                for name, a in (("lo", "127.0.0.1"), ("lo:1", address)):
                    inet = struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, socket.inet_aton(a))
                    fcntl.ioctl(s, 0x8916, inet)  # SIOCSIFADDR
                    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", name.encode(), 0x41))  # SIOCSIFFLAGS: UP, RUNNING
            check()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_redirect_out_of_the_public(film):
    """Each address is looked at, not the first one alone."""
    public = "1.2.3.4"

    def check():
        with Origin(film, public) as out, Origin(film) as inside, \
                Server(None, "--allow-source", "*://*:*/*", "--source-timeout", "10") as server:
            assert server.get(target(out, "source/0.m4s")).status == 200  # it is public, as far as anybody knows
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "10.1.2.3"):
                out.server.target = f"http://{host}:{inside.port}/ranges/film.mkv"
                response = server.get(target(out, "source/0.m4s", kind="to", h_X=host))
                assert response.status == 403, (host, response.body)
            assert not inside.requests and inside.server.connections == 0

    code = in_network_of_its_own(public, check)
    if code == 77:
        pytest.skip("no network namespaces here")
    assert code == 0


def test_off(film, origin):
    with Server(film) as server:
        assert server.get(target(origin, "master.m3u8")).status == 404
    for pattern in ("*", "https://*", "ftp://h/"):
        done = subprocess.run([SLUICE, "serve", "--port", "0", "--allow-source", pattern], capture_output=True,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 2 and b"allow-source" in done.stderr, (pattern, done)
    # What DIR has is seen where nothing else is below these names.
    (film / "media").mkdir(exist_ok=True)
    (film / "media" / "a.txt").write_text("a\n")
    with Server(film, *allow(origin)) as server:
        assert server.get("/media/a.txt").body == b"a\n"


# ---- ids of the caller's own ---------------------------------------------------------------------


def test_changing_addresses(film, origin, tmp_path):
    """One file behind addresses that expire is one source, here and after a restart."""
    origin.server.keys = {"a"}
    args = (*allow(origin), "--allow-source-private", "--cache", tmp_path / "cache")
    with Server(None, *args) as server:
        def get(key, path, **more):
            return server.get(target(origin, path, kind=f"once/{key}", file_id="AgAD", **more))
        first = get("a", "audio1-aac/0.m4s")
        assert first.status == 200
        origin.server.keys = {"b"}
        before = len(origin.requests)
        assert get("b", "audio1-aac/0.m4s").body == first.body and len(origin.requests) == before
        whole = get("b", "source/playlist.m3u8")  # a is gone: the newer address is tried
        assert whole.status == 200
        assert get("b", "source/2.m4s").status == 200
        assert get("c", "240p/0.m4s", h_X="no").status in (200, 502)  # or it is open by the other one
        other = server.get(target(origin, "audio1-aac/0.m4s", kind="once/b", chat="-100123", msg=45))
        assert other.status == 200 and other.body == first.body
    with Server(None, *args) as server:
        asked = metric(server, "sluice_cache_disk_hits_total")
        again = server.get(target(origin, "audio1-aac/0.m4s", kind="once/b", file_id="AgAD"))
        assert again.body == first.body and metric(server, "sluice_cache_disk_hits_total") == asked + 1


# ---- signed links --------------------------------------------------------------------------------

SECRETS = (b"s3cret-token", b"pass-word", b"dXNlcjpw", b"127.0.0.1", b"src=", b"h_", b"film.mkv", b"AgAD")


def sign(key, address, *args):
    return subprocess.run([SLUICE, "sign", address, "--sign-key-file", str(key), *args], capture_output=True, text=True)


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text("0123456789abcdef0123456789abcdef\n")
    return key


@pytest.fixture(scope="module")
def guarded(film, origins, key):
    with Server(None, "--media", film, *allow(origins[0]), "--allow-source-private", "--sign-key-file", key,
                "--access-log") as server:
        yield server


def test_sealed(guarded, origin, key):
    clear = target(origin, "master.m3u8", kind="auth", user="user:pass-word@", file_id="AgAD",
                   h_Authorization="Bearer s3cret-token")
    done = sign(key, clear)
    link = done.stdout.strip()
    assert done.returncode == 0 and link.startswith("/proxy/master.m3u8?s=")
    for address, response in walk(guarded, link).items():
        assert "s=" in address
        for secret in SECRETS:
            assert secret not in address.encode(), address
            assert "m3u8" not in address or secret not in response.body, response.body
        assert not response["Cache-Control"].startswith("public")
    body = guarded.get(link).body
    assert all(secret not in body for secret in SECRETS) and b"&s=" in body
    assert sign(key, clear).stdout != done.stdout  # another nonce
    # A viewer cannot ask for anything else.
    token = re.search(r"s=([\w-]+)", link)[1]
    for other in (clear, link.replace("s=", "t="), link.replace(token, token[:-2]), link.replace(token, token[1:]),
                  link.replace(token, token[:40] + ("A" if token[40] != "A" else "B") + token[41:]),
                  "/proxy/master.m3u8", "/proxy/master.m3u8?s=", link.replace(token, "AQ"), f"{link}&s={token}",
                  sign(key, "/proxy/", "--scope", "/").stdout.strip().replace("?", "?" + clear.split("?")[1] + "&")
                  or clear):
        assert guarded.get(other).status == 403, other
    assert guarded.get(f"{link}&src={quote(origin.url('ranges/film.mkv'))}").status == 400
    assert guarded.get(f"{link}&h_X=y").status == 400
    assert guarded.get("/media/film.mkv/master.m3u8?" + link.split("?")[1]).status == 403


def test_sealed_for_a_while(guarded, origin, key):
    link = sign(key, target(origin, "source/0.m4s"), "--valid", "1").stdout.strip()
    assert guarded.get(link).status == 200
    time.sleep(2.1)
    assert guarded.get(link).status == 410
    mine = sign(key, target(origin, "thumb.jpg?t=1"), "--address", "127.0.0.1").stdout.strip()
    assert "t=1" in mine and guarded.get(mine).status == 200
    others = sign(key, target(origin, "thumb.jpg"), "--address", "192.0.2.1").stdout.strip()
    assert guarded.get(others).status == 403
    assert guarded.get(mine.replace("&t=1", "&t=2")).status == 200  # what it shows is the viewer's choice


def test_sealed_what_cannot_be(origin, key):
    for address, args in ((target(origin, "master.m3u8", h_Host="x"), ()), ("/proxy/master.m3u8", ()),
                          ("/proxy/master.m3u8?src=ftp://h/", ()), ("/proxy/master.m3u8?src=x&src=y", ()),
                          (target(origin, "master.m3u8"), ("--scope", "/proxy/")),
                          (target(origin, "master.m3u8", h_A="a" * 2040, h_B="b" * 2040), ())):
        done = sign(key, address, *args)
        assert done.returncode != 0 and done.stderr, address


def test_sealed_but_not_allowed(guarded, origins, key):
    """The server's patterns hold for what was signed, too."""
    assert guarded.get(sign(key, target(origins[1], "master.m3u8")).stdout.strip()).status == 403


def test_nothing_in_logs(film, origin):
    secrets = ("s3cret-token", "pass-word", "k3y", "AgAD")
    with Server(None, *allow(origin), "--allow-source-private", "--access-log", "--log-format", "json") as server:
        for kind in ("auth", "broken", "short"):
            address = target(origin, "source/2.m4s", "film.mkv?key=k3y", kind=kind, user="user:pass-word@",
                             file_id=f"AgAD{kind}", h_Authorization="Bearer s3cret-token")
            server.get(address, f"Referer: http://h{address}")
        out, err = server.stop()
        assert "/proxy/source/2.m4s?src=*&file_id=*&h_Authorization=*" in out
        assert not any(secret in out + err for secret in secrets), out + err
        assert "/broken/film.mkv" in err  # which source it was, an operator may know


@pytest.mark.soak
def test_killed_and_started_again(film, origin, tmp_path):
    args = (*allow(origin), "--allow-source-private", "--cache", tmp_path / "cache")
    with Server(None, *args) as server:
        body = server.get(target(origin, "240p/0.m4s")).body
        server.stop(signal.SIGKILL, -signal.SIGKILL)
    with Server(None, *args) as server:
        assert server.get(target(origin, "240p/0.m4s")).body == body
        assert os.listdir(tmp_path / "cache")
