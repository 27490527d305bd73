# SPDX-License-Identifier: BSD-2-Clause
"""A server that speaks as much of Kubo's RPC as docs.ipfs.tech describes, for the ways in which a node fails: it
refuses, is slow, is cut off, lies. What a node does that works is shown by a real one (tests/services)."""
import hashlib
import http.server
import json
import pathlib
import socket
import sys
import threading
import time
import traceback
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def base32(binary):
    import base64
    return "b" + base64.b32encode(binary).decode().lower().rstrip("=")


def parse_cid(data, at):
    """(CIDv1 in base32, where it ends)."""
    if data[at:at + 2] == b"\x12\x20":
        return base32(b"\x01\x70" + data[at:at + 34]), at + 34
    assert data[at] == 1 and data[at + 1] in (0x55, 0x70) and data[at + 2:at + 4] == b"\x12\x20"
    return base32(data[at:at + 36]), at + 36


def v1(text):
    """A CID as it is named here: a node knows those in base58btc as well, "Qm…" (CIDv0) and "z…"."""
    if text[:1] not in ("Q", "z"):
        return text
    number = 0
    for letter in text.removeprefix("z"):
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(letter)
    return base32(number.to_bytes(36, "big") if text[0] == "z" else b"\x01\x70" + number.to_bytes(34, "big"))


def links(node):
    """CIDs of a dag-pb node's links."""
    found, at = [], 0
    while at < len(node):
        key, at = varint(node, at)
        size, at = varint(node, at)
        if key >> 3 == 2:
            part, inside = node[at:at + size], 0
            key, inside = varint(part, inside)
            assert key == 0x0A
            _, inside = varint(part, inside)
            found.append(parse_cid(part, inside)[0])
        at += size
    return found


def read_car(data):
    """(roots, {cid: block}); each block is hashed."""
    size, at = varint(data, 0)
    head, at = data[at:at + size], at + size
    roots, place = [], 0
    while (place := head.find(b"\xd8\x2a\x58", place)) >= 0:  # tag 42, byte string
        roots.append(parse_cid(head, place + 5)[0])
        place += 5
    blocks = {}
    while at < len(data):
        size, at = varint(data, at)
        cid, body = parse_cid(data, at)
        block = data[body:at + size]
        digest = hashlib.sha256(block).digest()
        assert cid in (base32(b"\x01\x55\x12\x20" + digest), base32(b"\x01\x70\x12\x20" + digest)), cid
        blocks[cid] = block
        at += size
    return roots, blocks


class Node:
    """faults: functions of (call, query) that say what becomes of a request: None, it is answered; "cut", "hang",
    an int (status), or (status, text)."""

    def __init__(self, port=0, can_import=True):
        self.blocks, self.pins, self.calls, self.faults = {}, set(), [], []
        self.can_import, self.broken = can_import, []
        self.lock = threading.Lock()
        self.port = port
        self.server = None
        self.up()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def up(self):
        node = self

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request, client_address):
                if not isinstance(sys.exc_info()[1], (OSError, ValueError)):  # not cut off by either side
                    node.broken.append(traceback.format_exc())

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                node.answer(self)

            def log_message(self, *_):
                pass

        self.sockets = []
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self):
        assert not self.broken, self.broken[0]
        self.server.shutdown()
        self.server.server_close()
        for connection in self.sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.server = None

    def holds(self, cid):
        """All below it is there."""
        block = self.blocks.get(cid)
        if block is None:
            return False
        is_raw = cid == base32(b"\x01\x55\x12\x20" + hashlib.sha256(block).digest())
        return is_raw or all(self.holds(link) for link in links(block))

    # ---- one request ----

    def answer(self, request):
        self.sockets.append(request.connection)
        url = urllib.parse.urlsplit(request.path)
        assert url.path.startswith("/api/v0/"), request.path
        call = url.path[len("/api/v0/"):]
        query = dict(urllib.parse.parse_qsl(url.query))
        with self.lock:
            self.calls.append((call, query))
            fault = next((f for f in (each(call, query) for each in self.faults) if f is not None), None)
        if fault == "cut":
            request.rfile.read(1000 if request.headers.get("Transfer-Encoding") else 0)
            request.connection.shutdown(socket.SHUT_RDWR)
            request.close_connection = True
            return
        if fault == "hang":
            time.sleep(30)
            request.close_connection = True
            return
        body = self.file_of(request)
        if fault is None:
            with self.lock:
                status, values = self.perform(call, query, body)
        elif isinstance(fault, int):
            status, values = fault, [{"Message": "no, not now", "Code": 0, "Type": "error"}]
        else:
            status, values = fault[0], fault[1]
        text = values if isinstance(values, bytes) else b"".join(json.dumps(v).encode() + b"\n" for v in values)
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text)

    @staticmethod
    def file_of(request):
        if request.headers.get("Transfer-Encoding") != "chunked":
            request.rfile.read(int(request.headers.get("Content-Length", 0)))
            return None
        body = b""
        while size := int(request.rfile.readline(), 16):
            body += request.rfile.read(size)
            request.rfile.readline()
        request.rfile.readline()
        boundary = request.headers["Content-Type"].split("boundary=")[1].encode()
        head, rest = body.split(b"\r\n\r\n", 1)
        assert head.startswith(b"--" + boundary) and b'name="file"' in head and b'filename="file"' in head
        return rest[:rest.rindex(b"\r\n--" + boundary)]

    def perform(self, call, query, body):
        def error(text, status=500):
            return status, [{"Message": text, "Code": 0, "Type": "error"}]

        assert query["timeout"].endswith("s")
        if call == "dag/import" and self.can_import:
            if body is None:
                return error("file argument 'path' is required", 400)
            roots, blocks = read_car(body)
            self.blocks |= blocks
            answers = []
            for root in roots if query["pin-roots"] == "true" else ():
                whole = self.holds(root)
                self.pins |= {root} if whole else set()
                answers.append({"Root": {"Cid": {"/": root}, "PinErrorMsg": "" if whole else
                                         "block was not found locally (offline)"}})
            return 200, answers
        if call == "add":
            cid = made_by_us(query, body)
            self.blocks |= cid[1]
            self.pins |= {cid[0]} if query["pin"] == "true" else set()
            return 200, [{"Name": "file", "Hash": cid[0], "Size": str(len(body))}]
        if call == "block/put":
            cid = base32(b"\x01\x70\x12\x20" + hashlib.sha256(body).digest())
            self.blocks[cid] = body
            return 200, [{"Key": cid, "Size": len(body)}]
        cid = v1(query.get("arg", ""))
        if call == "pin/add":
            if not self.holds(cid):
                return error("merkledag: not found")
            self.pins.add(cid)
            return 200, [{"Pins": [cid]}]
        if call == "pin/rm":
            if cid not in self.pins:
                return error("not pinned or pinned indirectly")
            self.pins.remove(cid)
            return 200, [{"Pins": [cid]}]
        if call == "pin/ls":
            if cid not in self.pins:
                return error(f"path '{cid}' is not pinned")
            return 200, [{"Keys": {cid: {"Type": "recursive"}}}]
        return 404, b"404 page not found\n"


def made_by_us(query, body):
    """What `add` makes with these parameters, by our own command: this is no judge of CIDs."""
    import tempfile
    from store_lib import RELEASE, Store
    profile = {("1", "size-1048576"): "unixfs-v1-2025", ("1", "size-262144"): "unixfs-v1",
               ("0", "size-262144"): "unixfs-v0"}[query["cid-version"], query["chunker"]]
    assert (query["hash"], query["trickle"], query["inline"]) == ("sha2-256", "false", "false")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "file").write_bytes(body)
        store = Store(path / "store", RELEASE)
        cid = store.add(path / "file", "--profile", profile)
        store.run("export", cid, "-o", path / "car")
        roots, blocks = read_car((path / "car").read_bytes())
        return roots[0], blocks
