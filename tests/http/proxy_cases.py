# SPDX-License-Identifier: BSD-2-Clause
"""Requests below /proxy/ as data: (name, path and query, status, words of the answer or None). In
queries {origin} is "127.0.0.1:PORT" of the origin, {other} that of one that no pattern allows."""

SRC = "src=http://{origin}/ranges/film.mkv"

ROUTES = [  # the same bytes as below /media/film.mkv/
    "master.m3u8", "master.m3u8?format=ts", "source/playlist.m3u8", "source/init.mp4", "source/0.m4s",
    "source/1.m4s", "source/0.ts", "audio1-aac/1.m4s", "audio1-aac/playlist.m3u8", "thumb.jpg?t=4.5&w=64&h=64",
    "stream.mp4?start=9", "240p/0.m4s", "240p/init.mp4",
]

REFUSED = [
    # what is no address
    ("none", "master.m3u8", 400, "src"),
    ("empty", "master.m3u8?src=", 400, None),
    ("twice", f"master.m3u8?{SRC}&{SRC}", 400, None),
    ("scheme", "master.m3u8?src=ftp://{origin}/ranges/film.mkv", 400, "https"),
    ("file", "master.m3u8?src=file:///etc/passwd", 400, None),
    ("path", "master.m3u8?src=/etc/passwd", 400, None),
    ("fragment", f"master.m3u8?{SRC}%23x", 400, None),
    ("space", f"master.m3u8?{SRC}+x", 400, None),
    ("line", f"master.m3u8?{SRC}%0d%0aX:y", 400, None),
    ("two users", "master.m3u8?src=http://a@b@{origin}/ranges/film.mkv", 400, None),
    ("backslash", "master.m3u8?src=http://{origin}%5c@{other}/ranges/film.mkv", 400, None),
    ("dots", "master.m3u8?src=http://{origin}/ranges/../auth/film.mkv", 400, "dot segments"),
    ("encoded dots", "master.m3u8?src=http://{origin}/ranges/%252e%252e/auth/film.mkv", 400, "dot segments"),
    ("encoded slash", "master.m3u8?src=http://{origin}/ranges/..%252fauth/film.mkv", 400, "dot segments"),
    ("number", "master.m3u8?src=http://2130706433/film.mkv", 400, None),
    ("octal", "master.m3u8?src=http://0177.0.0.1/film.mkv", 400, None),
    ("short address", "master.m3u8?src=http://127.1/film.mkv", 400, None),
    ("long", "master.m3u8?src=http://{origin}/" + "a" * 2100, 400, None),
    ("port", "master.m3u8?src=http://127.0.0.1:99999/film.mkv", 400, "port"),
    # what is not allowed
    ("other port", "master.m3u8?src=http://{other}/ranges/film.mkv", 403, "not allowed"),
    ("other host", "master.m3u8?src=http://localhost/ranges/film.mkv", 403, "not allowed"),
    ("other scheme", "master.m3u8?src=https://{origin}/ranges/film.mkv", 403, "not allowed"),
    ("other path", "master.m3u8?src=http://{origin}/secret/film.mkv", 403, "not allowed"),
    ("user in front", "master.m3u8?src=http://{origin}@example.org/ranges/film.mkv", 403, "not allowed"),
    # header fields
    ("host", f"master.m3u8?{SRC}&h_Host=x", 400, "cannot be set"),
    ("connection", f"master.m3u8?{SRC}&h_connection=close", 400, "cannot be set"),
    ("te", f"master.m3u8?{SRC}&h_Transfer-Encoding=chunked", 400, "cannot be set"),
    ("length", f"master.m3u8?{SRC}&h_Content-Length=5", 400, "cannot be set"),
    ("range", f"master.m3u8?{SRC}&h_Range=bytes%3D0-1", 400, "cannot be set"),
    ("condition", f"master.m3u8?{SRC}&h_If-Match=x", 400, "cannot be set"),
    ("proxy", f"master.m3u8?{SRC}&h_Proxy-Authorization=x", 400, "cannot be set"),
    ("coding", f"master.m3u8?{SRC}&h_Accept-Encoding=gzip", 400, "cannot be set"),
    ("injected", f"master.m3u8?{SRC}&h_X-A=b%0d%0aX-B:c", 400, None),
    ("injected name", f"master.m3u8?{SRC}&h_X-A:%20b%0d%0aX-B=c", 400, None),
    ("empty field", f"master.m3u8?{SRC}&h_X-A=", 400, None),
    ("no ASCII", f"master.m3u8?{SRC}&h_X-A=%c3%a9", 400, None),
    ("field twice", f"master.m3u8?{SRC}&h_X-A=b&h_x-a=c", 400, "twice"),
    ("fields", f"master.m3u8?{SRC}" + "".join(f"&h_X-{n}=1" for n in range(17)), 400, None),
    ("long fields", f"master.m3u8?{SRC}&h_X-A=" + "a" * 2040 + "&h_X-B=" + "b" * 2040, 400, "4096"),
    # ids of the caller's own
    ("half an id", f"master.m3u8?{SRC}&chat=1", 400, "file_id"),
    ("two ids", f"master.m3u8?{SRC}&chat=1&msg=2&file_id=x", 400, "file_id"),
    ("odd id", f"master.m3u8?{SRC}&chat=1&msg=x", 400, "file_id"),
    # what the origin says
    ("missing", "master.m3u8?src=http://{origin}/ranges/none.mkv", 404, "no such source"),
    ("broken", "master.m3u8?src=http://{origin}/broken/film.mkv", 502, "does not deliver"),
    ("no ranges", "master.m3u8?src=http://{origin}/plain/film.mkv", 502, "does not deliver"),
    ("locked", "master.m3u8?src=http://{origin}/auth/film.mkv", 502, "does not deliver"),
    ("loop", "master.m3u8?src=http://{origin}/loop/film.mkv", 502, "does not deliver"),
    ("short", "source/2.m4s?src=http://{origin}/short/film.mkv", 502, "does not deliver"),
    ("no film", "master.m3u8?src=http://{origin}/ranges/text.mkv", 500, None),
    # what there is not
    ("rendition", f"none/0.m4s?{SRC}", 404, None),
    ("segment", f"source/99.m4s?{SRC}", 404, None),
    ("old version", f"source/0.m4s?{SRC}&v=0123456789abcdef", 404, "has changed"),
    ("start", f"stream.mp4?{SRC}&start=99", 400, None),
    ("time", f"thumb.jpg?{SRC}&t=x", 400, None),
    ("nothing", f"?{SRC}", 404, None),
    ("file below", f"a/b/0.m4s?{SRC}", 404, None),
]
