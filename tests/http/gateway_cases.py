# SPDX-License-Identifier: BSD-2-Clause
"""Requests below /ipfs/, as in cases.py: (target, fields of the request, status, fields, body). {root} and
so on stand for CIDs of conftest's tree (test_gateway.py); body is bytes, or the name of a file in the tree."""
import re

KEPT = {"Cache-Control": "public, max-age=29030400, immutable"}
NO = {"Cache-Control": "no-store", "ETag": None}
NOT_RAW, CAR = "application/octet-stream", "application/vnd.ipld.car; version=1; order=dfs; dups=n"
RAW = "application/vnd.ipld.raw"

ANSWERS = [
    ("/ipfs/{hello}", [], 200, {**KEPT, "Content-Type": "text/plain; charset=utf-8", "ETag": '"{hello}"',
                                "X-Ipfs-Path": "/ipfs/{hello}", "X-Ipfs-Roots": "{hello}", "Accept-Ranges": "bytes",
                                "Content-Disposition": None, "Vary": "Accept"}, "hello.txt"),
    ("/ipfs/{root}/hello.txt", [], 200, {**KEPT, "ETag": '"{hello}"', "X-Ipfs-Roots": "{root},{hello}",
                                         "X-Ipfs-Path": "/ipfs/{root}/hello.txt"}, "hello.txt"),
    ("/ipfs/{root}/big.mp4", [], 200, {**KEPT, "Content-Type": "video/mp4", "ETag": '"{big}"'}, "big.mp4"),
    ("/ipfs/{big}", [], 200, {"Content-Type": NOT_RAW}, "big.mp4"),
    ("/ipfs/{big}?filename=000012.m4s", [], 200, {"Content-Type": "video/iso.segment",
     "Content-Disposition": 'inline; filename="000012.m4s"'}, "big.mp4"),
    ("/ipfs/{big}?filename=a.ts&download=true", [], 200, {"Content-Type": "video/mp2t",
     "Content-Disposition": 'attachment; filename="a.ts"'}, "big.mp4"),
    ("/ipfs/{big}?filename=t%D1%82%0", [], 400, NO, None),
    ("/ipfs/{big}?filename=t%D1%82.mp4", [], 200,
     {"Content-Disposition": "inline; filename=\"t_.mp4\"; filename*=UTF-8''t%D1%82.mp4"}, None),
    ("/ipfs-ts/{big}", [], 200, {**KEPT, "Content-Type": "video/mp2t", "ETag": '"{big}.ts"'}, "big.mp4"),
    ("/ipfs/{root}/sub%20dir/a%25%C3%A9.txt", [], 200, {"X-Ipfs-Path": "/ipfs/{root}/sub%20dir/a%25%C3%A9.txt"},
     "sub dir/a%é.txt"),
    ("/ipfs/{root}/.hidden", [], 200, {}, ".hidden"),
    ("/ipfs/{root}/empty", [], 200, {"Content-Length": "0"}, b""),
    ("/ipfs/{root}/film.m3u8", [], 200, {"Content-Type": "application/vnd.apple.mpegurl", **KEPT}, "film.m3u8"),
    # ranges and conditions
    ("/ipfs/{big}", ["Range: bytes=1000000-1999999"], 206, {"Content-Length": "1000000"}, ("big.mp4", 1000000, 1999999)),
    ("/ipfs/{big}", ["Range: bytes=-5"], 206, {}, ("big.mp4", -5, None)),
    ("/ipfs/{big}", ["Range: bytes=99999999-"], 416, {}, None),
    ("/ipfs/{big}", ["Range: bytes=0-1", 'If-Range: "{big}"'], 206, {}, None),
    ("/ipfs/{big}", ["Range: bytes=0-1", 'If-Range: "{hello}"'], 200, {}, None),
    ("/ipfs/{big}", ['If-None-Match: "{big}"'], 304, {**KEPT, "ETag": '"{big}"'}, b""),
    ("/ipfs/{big}", ['If-None-Match: W/"{big}"'], 304, {}, b""),
    ("/ipfs/{big}?format=raw", ['If-None-Match: "{big}"'], 200, {"ETag": '"{big}.raw"'}, None),
    ("/ipfs/{root}/", ['If-None-Match: "DirIndex-1_CID-{root}"'], 304, {}, b""),
    # directories
    ("/ipfs/{root}", [], 301, {"Location": "/ipfs/{root}/"}, None),
    ("/ipfs/{root}?a=b", [], 301, {"Location": "/ipfs/{root}/?a=b"}, None),
    ("/ipfs/{root}/sub%20dir", [], 301, {"Location": "/ipfs/{root}/sub%20dir/"}, None),
    ("/ipfs/{root}/", [], 200, {"Content-Type": "text/html; charset=utf-8", "ETag": '"DirIndex-1_CID-{root}"',
                                "X-Ipfs-Roots": "{root}", "Cache-Control": re.compile("public, max-age=604800.*")},
     None),
    ("/ipfs/{root}/page/", [], 200, {"Content-Type": "text/html; charset=utf-8", **KEPT}, "page/index.html"),
    ("/ipfs/{root}/hello.txt/", [], 404, NO, None),
    # blocks
    ("/ipfs/{big}?format=raw", [], 200, {**KEPT, "Content-Type": RAW, "ETag": '"{big}.raw"',
                                         "Content-Disposition": 'attachment; filename="{big}.bin"'}, None),
    ("/ipfs/{hello}?format=raw", [], 200, {"Content-Location": None}, "hello.txt"),
    ("/ipfs/{hello}?format=raw&filename=x.bin", [], 200,
     {"Content-Disposition": 'attachment; filename="x.bin"'}, "hello.txt"),
    ("/ipfs/{hello}", ["Accept: application/vnd.ipld.raw"], 200,
     {"Content-Type": RAW, "Content-Location": "/ipfs/{hello}?format=raw"}, "hello.txt"),
    ("/ipfs/{hello}?filename=x", ["Accept: application/vnd.ipld.raw"], 200,
     {"Content-Location": "/ipfs/{hello}?format=raw&filename=x"}, "hello.txt"),
    ("/ipfs/{root}?format=raw", [], 200, {"Content-Type": RAW, "Location": None}, None),
    ("/ipfs/{hello}?format=raw", ["Range: bytes=1-2"], 206, {}, ("hello.txt", 1, 2)),
    ("/ipfs/{root}?format=car", [], 200, {**KEPT, "Content-Type": CAR, "ETag": '"{root}.car"',
                                          "Transfer-Encoding": "chunked",
                                          "Content-Disposition": 'attachment; filename="{root}.car"'}, None),
    ("/ipfs/{root}", ["Accept: application/vnd.ipld.car"], 200,
     {"Content-Type": CAR, "Content-Location": "/ipfs/{root}?format=car"}, None),
    ("/ipfs/{root}?format=car", ['If-None-Match: "{root}.car"'], 304, {}, b""),
]

ERRORS = [(target, fields, status, NO, None) for target, fields, status in [
    ("/ipfs/{missing}", [], 404), ("/ipfs/{missing}/a", [], 404), ("/ipfs/{root}/nothing", [], 404),
    ("/ipfs/{root}/hello.txt/a", [], 400), ("/ipfs/{missing}?format=raw", [], 404),
    ("/ipfs/{missing}?format=car", [], 404), ("/ipfs/{root}/nothing?format=car", [], 404),
    ("/ipfs/{missing}", ["Cache-Control: only-if-cached"], 412),
    ("/ipfs/{missing}?format=car", ["Cache-Control: only-if-cached"], 412),
    ("/ipfs/", [], 400), ("/ipfs/x", [], 400), ("/ipfs/{root}x", [], 400), ("/ipfs//", [], 400),
    ("/ipfs/{root}//hello.txt", [], 400), ("/ipfs/{root}/../hello.txt", [], 400),
    ("/ipfs/{root}/%2e%2e/x", [], 400), ("/ipfs/{root}/a%2fb", [], 400), ("/ipfs/{root}/a%00", [], 400),
    ("/ipfs/{root}/%", [], 400), ("/ipfs/{root}?format=tar", [], 400), ("/ipfs/{root}?format=raw&format=car", [], 400),
    ("/ipfs/{big}?download=yes", [], 400), ("/ipfs/{root}?format=car&dag-scope=x", [], 400),
    ("/ipfs/{root}?format=car&entity-bytes=0:*", [], 400), ("/ipfs/{root}?format=car&car-version=2", [], 400),
    ("/ipfs/{root}", ["Service-Worker: script"], 400), ("/ipfs/{root}/" + "a/" * 70 + "b", [], 404),
    ("/ipfs/{root}/" + "a" * 5000, [], 414),
    ("/ipns/{root}", [], 404), ("/ipfs", [], 404),
]]
