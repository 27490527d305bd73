# SPDX-License-Identifier: BSD-2-Clause
"""Requests, and what has to come back. Each case is (request, status, fields, body): fields maps a
name to its exact value, a compiled pattern, or None for "must not be there"; body is bytes, a file
below the root, (file, first, last), or None for anything."""
import re

from lib import request

ANY = re.compile(".+")
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
TAG = re.compile(r'"[0-9a-f.-]+"')
BIG = 3 << 20


def ok(path, kind, size, cache="no-cache", body=True, **kw):
    return (request(path, **kw), 200, {
        "Content-Type": kind, "Content-Length": str(size), "Cache-Control": cache, "Date": DATE,
        "ETag": TAG, "Last-Modified": DATE, "Accept-Ranges": "bytes", "Server": "sluice",
        "Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff",
        "Connection": None, "Transfer-Encoding": None, "Content-Range": None,
    }, path.lstrip("/") if body else None)


FILES = [
    ok("/small.txt", "text/plain; charset=utf-8", 6),
    ok("/empty.txt", "text/plain; charset=utf-8", 0),
    ok("/page.html", "text/html; charset=utf-8", 32),
    ok("/big.mp4", "video/mp4", BIG),
    ok("/edge.bin", "application/octet-stream", 65536),
    ok("/edge1.bin", "application/octet-stream", 65537),
    ok("/film/master.m3u8", "application/vnd.apple.mpegurl", 78),
    ok("/film/360p/playlist.m3u8", "application/vnd.apple.mpegurl", 8),
    ok("/film/360p/init.mp4", "video/mp4", 700),
    ok("/film/360p/000/000000.m4s", "video/iso.segment", 100000),
    ok("/film/360p/000/000001.ts", "video/mp2t", 188),
    ok("/inside.txt", "text/plain; charset=utf-8", 6),
    ok("/big.mp4", "video/mp4", BIG, method="HEAD", body=False),
    ok("/small.txt", "text/plain; charset=utf-8", 6, method="HEAD", body=False),
    (request("/a%20b%25%C3%A9.txt"), 200, {}, b"odd name\n"),
    (request("/film/./360p/../360p/init.mp4?query#".rstrip("#")), 200, {}, "film/360p/init.mp4"),
    (request("http://other.example/small.txt"), 200, {}, "small.txt"),
    (request("/small.txt", version="1.0", host=None), 200, {"Connection": "close"}, "small.txt"),
    (request("/small.txt", "Connection: keep-alive", version="1.0"), 200,
     {"Connection": "keep-alive"}, "small.txt"),
    (request("/small.txt", "Connection: close"), 200, {"Connection": "close"}, "small.txt"),
    (request("/small.txt", "Expect: 100-continue"), 200, {}, "small.txt"),
    (b"\r\n" + request("/small.txt"), 200, {}, "small.txt"),
]

# What is outside, hidden or unfinished, by every road that leads there.
HIDDEN = [(request(path), status, {"Cache-Control": "no-store"}, None) for path, status in [
    ("/../secret.txt", 400), ("/film/../../secret.txt", 400), ("/%2e%2e/secret.txt", 400),
    ("/%2E%2E%2Fsecret.txt", 400), ("/..%2fsecret.txt", 400), ("/..%5csecret.txt", 400),
    ("/..\\secret.txt", 400), ("/film/%2e%2e/%2e%2e/secret.txt", 400),
    ("/.%2e/secret.txt", 400), ("/%252e%252e/secret.txt", 404), ("/....//secret.txt", 404),
    ("/out.txt", 404), ("/out-absolute.txt", 404), ("/out-dir/secret.txt", 404),
    ("/out-dir/root/small.txt", 404), ("/passwd", 404), ("/self", 404), ("/dangling", 404),
    ("/.hidden", 404), ("/%2ehidden", 404), ("/.dir/x.txt", 404), ("/film/../.hidden", 404),
    ("/half.m4s.sltmp", 404), ("/half.m4s%2esltmp", 404), ("/fifo.txt", 404),
    ("/film", 404), ("/film/", 404), ("/film/.", 404), ("//small.txt", 404), ("/film//master.m3u8", 404),
    ("/small.txt/", 404), ("/small.txt/x", 404), ("/small.txt%00", 400), ("/small.txt%00.m4s", 400),
    ("/%", 400), ("/%1", 400), ("/%zz", 400), ("/a%0d%0ab", 400), ("/SMALL.TXT", 404),
    ("/proc/self/environ", 404), ("/" + "a" * 300, 404), ("/" + "a/" * 2500 + "x", 414),
]]

RANGES = [(request("/big.mp4", f"Range: {value}"), status, fields, body)
          for value, status, fields, body in [
    ("bytes=0-0", 206, {"Content-Range": f"bytes 0-0/{BIG}", "Content-Length": "1"}, ("big.mp4", 0, 0)),
    ("bytes=0-", 206, {"Content-Range": f"bytes 0-{BIG - 1}/{BIG}"}, "big.mp4"),
    ("bytes=1000000-2999999", 206, {"Content-Range": f"bytes 1000000-2999999/{BIG}"},
     ("big.mp4", 1000000, 2999999)),
    (f"bytes={BIG - 1}-", 206, {"Content-Length": "1"}, ("big.mp4", BIG - 1, BIG - 1)),
    ("bytes=-7", 206, {"Content-Range": f"bytes {BIG - 7}-{BIG - 1}/{BIG}"},
     ("big.mp4", BIG - 7, BIG - 1)),
    (f"bytes=-{BIG * 2}", 206, {"Content-Range": f"bytes 0-{BIG - 1}/{BIG}"}, "big.mp4"),
    ("bytes=5-99999999999999999999999", 206, {"Content-Range": f"bytes 5-{BIG - 1}/{BIG}"}, None),
    (f"bytes={BIG}-", 416, {"Content-Range": f"bytes */{BIG}", "ETag": None}, None),
    ("bytes=-0", 416, {"Content-Range": f"bytes */{BIG}"}, None),
    ("bytes=99999999999999999999999-", 416, {"Content-Range": f"bytes */{BIG}"}, None),
    ("bytes=0-1,5-6", 200, {"Content-Range": None, "Content-Length": str(BIG)}, "big.mp4"),
    ("bytes=6-5", 200, {"Content-Range": None}, "big.mp4"),
    ("bytes=x", 200, {"Content-Range": None}, "big.mp4"),
    ("seconds=0-1", 200, {"Content-Range": None}, "big.mp4"),
]] + [
    (request("/small.txt", "Range: bytes=1-3"), 206, {"Content-Range": "bytes 1-3/6"}, b"mal"),
    (request("/small.txt", "Range: bytes=6-"), 416, {"Content-Range": "bytes */6"}, None),
    (request("/empty.txt", "Range: bytes=0-"), 416, {"Content-Range": "bytes */0"}, None),
    (request("/small.txt", "Range: bytes=1-3", method="HEAD"), 200,
     {"Content-Length": "6", "Content-Range": None}, None),
]

ALLOW = {"Allow": "GET, HEAD, OPTIONS"}

# What is refused closes the connection: nobody can be sure where the next request starts.
REFUSED = [(data, status, {"Connection": "close", **fields}, None) for data, status, fields in [
    (request("/small.txt", method="POST"), 405, ALLOW),
    (request("/small.txt", "Content-Length: 3", method="PUT") + b"abc", 405, ALLOW),
    (request("/small.txt", method="DELETE"), 405, ALLOW),
    (request("/small.txt", method="PATCH"), 405, ALLOW),
    (request("/", method="TRACE"), 405, ALLOW),
    (request("h:1", method="CONNECT"), 405, ALLOW),
    (request("/", method="BREW"), 501, {"Allow": None}),
    (request("/", method="get"), 501, {}),
    (request("/", host=None), 400, {}),
    (request("/", "Host: x"), 400, {}),
    (request("/", host="Host: a b"), 400, {}),
    (request("/", host="Host: x/y"), 400, {}),
    (request("/", version="2.0"), 505, {}),
    (request("/", version="1.10"), 400, {}),
    (request("x"), 400, {}),
    (request("/#x"), 400, {}),
    (request("https://h/"), 421, {}),
    (request("/", " folded"), 400, {}),
    (request("/", "Range : bytes=0-1"), 400, {}),
    (request("/", "R\xe4nge: x"), 400, {}),
    (request("/", "X: a\x00b"), 400, {}),
    (request("/", "X: a\rb"), 400, {}),
    (request("/").replace(b"\r\n", b"\n"), 400, {}),
    (request("/", "Expect: miracles"), 417, {}),
    (request("/" + "a" * 8192), 414, {}),
    (request("/", "X: " + "a" * 8192), 431, {}),
    (request("/", *[f"X{i}: y" for i in range(100)]), 431, {}),
    (request("/", *["X: " + "a" * 8000] * 5), 431, {}),
    (b"\x16\x03\x01\x00\xa5\x01\x00\x00", 400, {}),
    (b"SSH-2.0-x\r\n", 400, {}),
    (b"GET /small.txt\r\n\r\n", 400, {}),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, {}),
]]

# A second request hidden in what some parties take for a body. There is one answer, then the end.
HIDDEN_REQUEST = request("/small.txt")
SMUGGLING = [head + body + HIDDEN_REQUEST for head, body in [
    (request("/", "Content-Length: 5"), b"12345"),
    (request("/", f"Content-Length: {len(HIDDEN_REQUEST)}"), b""),
    (request("/", f"Content-Length: {len(HIDDEN_REQUEST)}", method="HEAD"), b""),
    (request("/", "Content-Length: 0", "Content-Length: 5"), b"12345"),
    (request("/", "Content-Length: 0", "Content-Length: 0"), b""),
    (request("/", "Content-Length: 5, 5"), b"12345"),
    (request("/", "Content-Length: +0"), b""),
    (request("/", "Content-Length: 0x0"), b""),
    (request("/", "Content-Length: -1"), b""),
    (request("/", "Content-Length:"), b""),
    (request("/", "Content-Length: 1 0"), b"1234567890"),
    (request("/", "Content-Length: 18446744073709551616"), b""),
    (request("/", "Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    (request("/", "Transfer-Encoding: chunked", method="HEAD"), b"0\r\n\r\n"),
    (request("/", "Transfer-Encoding: gzip, chunked"), b"0\r\n\r\n"),
    (request("/", "Transfer-Encoding: chunked, identity"), b"0\r\n\r\n"),
    (request("/", "Transfer-Encoding: xchunked"), b"0\r\n\r\n"),
    (request("/", "Transfer-Encoding:\tchunked"), b"0\r\n\r\n"),
    (request("/", "Transfer-Encoding : chunked"), b"0\r\n\r\n"),
    (request("/", "Transfer-Encoding: chunked", "Content-Length: 0"), b"0\r\n\r\n"),
    (request("/", "Transfer-Encoding: chunked", version="1.0"), b"0\r\n\r\n"),
    (request("/", "X: y\r\n Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    (request("/", "X: y\rTransfer-Encoding: chunked"), b"0\r\n\r\n"),
    (request("/", "X: y\nTransfer-Encoding: chunked"), b"0\r\n\r\n"),
    (request("/", "\x0bTransfer-Encoding: chunked"), b"0\r\n\r\n"),
    (request("/", "Content-Length: 4", "Transfer-Encoding: chunked", method="POST"), b"0\r\n\r\n"),
    (request("/", "Transfer-Encoding: chunked", method="POST"), b"0\r\n\r\n"),
    (request("/", "Content-Length: 3", method="POST"), b"abc"),
    (request("/", "Expect: 100-continue", "Content-Length: 5"), b""),
    (request("/ HTTP/1.1\r\nX: y", "Content-Length: 1"), b"x"),
]]
