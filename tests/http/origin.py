# SPDX-License-Identifier: BSD-2-Clause
"""An origin on the web that behaves as its path says, and remembers who asked for what:

/ranges/F    as it should; /weak/F with nothing but Last-Modified, /bare/F with nothing at all
/plain/F     ignores Range
/auth/F      for who has the right Authorization alone; /basic/F for user and password
/moved/F     redirects to /ranges/F; /loop/F to itself; /to/F to whatever .target says
/flaky/F     503 for every second request
/cut/F       breaks off in the middle of every second answer
/changes/F   has the entity tag .version
/once/KEY/F  403, but for keys in .keys
/silent/F    never answers; /stalls/F says what will come, and nothing comes
/short/F     promises more bytes than there are"""
import http.server
import pathlib
import re
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def refuse(self, status, **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"error")

    def do_GET(self):
        s = self.server
        with s.lock:
            s.requests.append((self.path, dict(self.headers)))
            count = len(s.requests)
        kind, _, name = self.path.split("?")[0].removeprefix("/").partition("/")
        if kind in ("silent", "stalls"):
            if kind == "stalls":
                self.send_response(206)
                self.send_header("Content-Range", "bytes 0-65535/1000000")
                self.send_header("Content-Length", "65536")
                self.end_headers()
                self.wfile.flush()
            s.stopping.wait(60)
            self.close_connection = True
            return
        if kind == "moved":
            return self.refuse(302, Location=f"/ranges/{name}")
        if kind == "loop":
            return self.refuse(307, Location=self.path)
        if kind == "to":
            return self.refuse(301, Location=s.target)
        if kind == "auth" and self.headers.get("Authorization") != "Bearer s3cret-token":
            return self.refuse(401)
        if kind == "basic" and self.headers.get("Authorization") != "Basic dXNlcjpwYXNzLXdvcmQ=":
            return self.refuse(401)
        if kind == "flaky" and count % 2:
            return self.refuse(503)
        if kind == "broken":
            return self.refuse(500)
        if kind == "once":
            key, _, name = name.partition("/")
            if key not in s.keys:
                return self.refuse(403)
        path = s.root / name
        if not path.is_file():
            return self.refuse(404)
        self.send_file(kind, path.read_bytes(), count)

    def send_file(self, kind, data, count):
        size, first, last = len(data), 0, len(data) - 1
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        tags = {"weak": None, "bare": None, "changes": f'"{self.server.version}"'}
        tag = tags.get(kind, '"1"')
        condition = self.headers.get("If-Range")
        part = wanted and kind != "plain" and (not condition or condition == tag)
        if part:
            first, last = int(wanted[1]), min(int(wanted[2] or last), last)
            if first >= size:
                return self.refuse(416)
        self.send_response(206 if part else 200)
        if part:
            total = size + 1000 if kind == "short" else size
            self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
        if tag:
            self.send_header("ETag", tag)
        if kind != "bare":
            self.send_header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT" if self.server.version == 1
                             else "Mon, 07 Nov 1994 08:49:37 GMT")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        if kind == "cut" and count % 2 and last - first > 1000:
            self.wfile.write(data[first:first + (last - first) // 2])
            self.close_connection = True
            return None
        self.wfile.write(data[first:last + 1])
        return None


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass  # whoever leaves early is no failure


class Origin:
    def __init__(self, root, host="127.0.0.1"):
        self.host, self.server = host, Server((host, 0), Handler)
        self.server.root = pathlib.Path(root)
        self.server.lock = threading.Lock()
        self.server.stopping = threading.Event()
        self.server.keys, self.server.target = set(), ""
        self.port = self.server.server_address[1]
        self.reset()
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def reset(self):
        self.server.requests, self.server.connections, self.server.version = [], 0, 1

    @property
    def requests(self):
        with self.server.lock:
            return list(self.server.requests)

    def url(self, path, user=""):
        return f"http://{user}{self.host}:{self.port}/{path}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stopping.set()
        self.server.shutdown()
        self.server.server_close()
