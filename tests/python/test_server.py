# SPDX-License-Identifier: BSD-2-Clause
"""Handed straight to a streaming response, over real sockets, to curl and ffmpeg."""
import asyncio
import http.server
import subprocess
import threading
import time
import wsgiref.simple_server

import pytest
import sluice

from conftest import clean, hashes


def fetch(url, out, *args):
    done = subprocess.run(["curl", "-sS", "-f", *args, "-o", out, url], capture_output=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture
def wsgi(media):
    """A WSGI server: the iterable is what the application returns (PEP 3333), close() included."""
    made = []

    def application(environ, start_response):
        options = dict(p.split("=") for p in environ["QUERY_STRING"].split("&") if p)
        name = environ["PATH_INFO"].strip("/")
        if "start" in options:
            body = sluice.segment(media(name), **options)
        else:
            body = sluice.remux(open(media(name), "rb"), **options)
        body.prepare()
        made.append(body)
        start_response("200 OK", [("Content-Type", f'video/mp4; codecs="{body.codecs}"')])
        return body

    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, *args):
            pass

    server = wsgiref.simple_server.make_server("127.0.0.1", 0, application, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", made
    server.shutdown()
    thread.join()
    server.server_close()


def test_wsgi(media, tmp_path, wsgi):
    url, made = wsgi
    out = tmp_path / "out.mp4"
    fetch(f"{url}/av.mkv", out)
    assert out.read_bytes() == b"".join(sluice.remux(media("av.mkv")))
    fetch(f"{url}/av.mkv?start=3&duration=2", out)
    clean(out)
    assert all(r.closed for r in made)


def test_wsgi_client_leaves(wsgi):
    url, made = wsgi
    subprocess.run(["curl", "-s", "--max-time", "0.5", "--limit-rate", "100k", "-o", "/dev/null",
                    f"{url}/long.mkv"], timeout=60)
    for _ in range(500):
        if made and made[0].closed:
            break
        time.sleep(0.01)
    assert made[0].closed


def test_http_server(media, tmp_path):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            with sluice.remux(media("av.mkv")) as chunks:
                for chunk in chunks:
                    self.wfile.write(chunk)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        out = tmp_path / "out.mp4"
        subprocess.run(["ffmpeg", "-v", "error", "-i", f"http://127.0.0.1:{server.server_port}/",
                        "-c", "copy", "-y", out], check=True, timeout=60)
        server.shutdown()
    assert hashes(out) == hashes(media("av.mkv"))


def asgi_like(body_of, closed):
    """What an ASGI server and a StreamingResponse do: `async for` over the body in a task, which is
    cancelled when the client has gone."""
    async def respond(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        body = body_of(request.split()[1].decode())

        async def stream():
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            async for chunk in body:
                writer.write(chunk)
                await writer.drain()

        streaming = asyncio.create_task(stream())
        gone = asyncio.create_task(reader.read())
        await asyncio.wait({streaming, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in (streaming, gone):
            task.cancel()
        await asyncio.gather(streaming, gone, return_exceptions=True)
        await body.aclose()
        writer.close()
        closed.append(body.closed)

    return respond


def test_asyncio_server(media, tmp_path):
    """Several clients at once, one of them slow, one that leaves."""
    closed = []

    async def source(path):
        with open(path, "rb") as f:
            while chunk := f.read(30000):
                await asyncio.sleep(0)
                yield chunk

    def body_of(target):
        name = target.strip("/")
        return sluice.remux(source(media(name)) if "long" in name else media(name))

    async def curl(*args):
        process = await asyncio.create_subprocess_exec("curl", "-s", *map(str, args))
        return await process.wait()

    async def main():
        server = await asyncio.start_server(asgi_like(body_of, closed), "127.0.0.1", 0)
        url = "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        outs = [tmp_path / f"{i}.mp4" for i in range(4)]
        statuses = await asyncio.gather(
            *(curl("-o", out, f"{url}/av.mkv") for out in outs[:3]),
            curl("-o", outs[3], "--limit-rate", "1M", f"{url}/av.mkv"),
            curl("-o", "/dev/null", "--limit-rate", "100k", "--max-time", "0.7", f"{url}/long.mkv"))
        assert statuses[:4] == [0] * 4 and statuses[4] == 28
        for _ in range(500):
            if len(closed) == 5:
                break
            await asyncio.sleep(0.01)
        server.close()
        want = b"".join(sluice.remux(media("av.mkv")))
        assert all(out.read_bytes() == want for out in outs)

    asyncio.run(main())
    assert closed == [True] * 5
