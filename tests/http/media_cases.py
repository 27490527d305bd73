# SPDX-License-Identifier: BSD-2-Clause
"""Requests below /media/, as in cases.py: (target, status, fields, rule); rule is bytes that the body
begins with, or None."""
import re

PLAYLIST, SEGMENT = "application/vnd.apple.mpegurl", "video/iso.segment"
TAG = re.compile(r'"[0-9a-f]{16}"')
NO = {"Cache-Control": "no-store"}

ANSWERS = [
    ("/media/film.mkv/master.m3u8", 200, {"Content-Type": PLAYLIST, "Cache-Control": "max-age=5", "ETag": TAG,
                                          "Vary": "Accept-Encoding"}, b"#EXTM3U\n"),
    ("/media/film.mkv/master.m3u8?format=ts", 200, {"Content-Type": PLAYLIST}, b"#EXTM3U\n"),
    ("/media/film.mkv/source/playlist.m3u8", 200, {"Content-Type": PLAYLIST}, b"#EXTM3U\n"),
    ("/media/film.mkv/source/init.mp4", 200, {"Content-Type": "video/mp4", "Cache-Control": "no-cache"}, None),
    ("/media/film.mkv/source/0.m4s", 200, {"Content-Type": SEGMENT, "ETag": TAG}, None),
    ("/media/film.mkv/source/0.ts", 200, {"Content-Type": "video/mp2t"}, b"G"),
    ("/media/film.mkv/audio1-aac/1.m4s", 200, {"Content-Type": SEGMENT}, None),
    ("/media/film.mkv/thumb.jpg", 200, {"Content-Type": "image/jpeg"}, b"\xff\xd8"),
    ("/media/film.mkv/thumb.jpg?t=4.5&w=64&h=64", 200, {}, b"\xff\xd8"),
    ("/media/sub%20dir/plain.mp4/source/0.m4s", 200, {}, None),
    ("/media/film.mkv", 200, {"Content-Type": "video/matroska", "Accept-Ranges": "bytes"}, b"\x1aE\xdf\xa3"),
    ("/media/link.mkv/master.m3u8", 200, {}, b"#EXTM3U\n"),
    ("/media/ladder/master.m3u8", 200, {}, b"#EXTM3U\n# a file\n"),
]

ERRORS = [(target, status, NO, None) for target, status in [
    ("/media/film.mkv/source/999.m4s", 404), ("/media/film.mkv/nothing/0.m4s", 404),
    ("/media/film.mkv/nothing/playlist.m3u8", 404), ("/media/film.mkv/source/0.vtt", 404),
    ("/media/film.mkv/source/00.m4s", 404), ("/media/film.mkv/source/x.m4s", 404),
    ("/media/film.mkv/source/-1.m4s", 404), ("/media/film.mkv/source/", 404),
    ("/media/film.mkv/", 404), ("/media", 404), ("/media/none.mkv/master.m3u8", 404),
    ("/media/sub%20dir/master.m3u8", 404), ("/media//film.mkv/master.m3u8", 404),
    ("/media/film.mkv/master.m3u8?format=avi", 400), ("/media/film.mkv/thumb.jpg?t=x", 400),
    ("/media/film.mkv/thumb.jpg?w=99999", 400), ("/media/film.mkv/stream.mp4?start=-1", 400),
    ("/media/film.mkv/stream.mp4?start=1&start=2", 400), ("/media/film.mkv/thumb.jpg?t=%", 400),
    ("/media/film.mkv/source/0.m4s?v=0123456789abcdef", 404), ("/media/?limit=0", 400),
    ("/media/?limit=x", 400), ("/media/?q=%00", 400),
    # nothing outside, by every road that leads there
    ("/media/../media/film.mkv%2f..%2f..%2fsecret.mkv/master.m3u8", 400),
    ("/media/../../secret.mkv/master.m3u8", 400), ("/media/%2e%2e/%2e%2e/secret.mkv/master.m3u8", 400),
    ("/media/..%2fsecret.mkv/master.m3u8", 400), ("/media/..%5csecret.mkv/master.m3u8", 400),
    ("/media/out.mkv/master.m3u8", 404), ("/media/out.mkv", 404), ("/media/out-dir/secret.mkv/master.m3u8", 404),
    ("/media/.hidden.mkv/master.m3u8", 404), ("/media/film.mkv%00/master.m3u8", 400),
    ("/media/fifo.mkv/master.m3u8", 404), ("/media/half.mkv.sltmp/master.m3u8", 404),
    ("/media/film.mkv/..%2f/master.m3u8", 400), ("/media/film.mkv/source/..%2finit.mp4", 400),
]]
