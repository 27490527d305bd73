# SPDX-License-Identifier: BSD-2-Clause
"""What the HTTP tests share: a server of their own, and a client that sends exactly what it is told
and reads exactly what comes."""
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLUICE = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
# For what is about the product's speed and memory, not about its mistakes.
RELEASE = os.environ.get("SLUICE_RELEASE", SLUICE)
PATIENCE = 30  # seconds: a loaded machine and a sanitizer are no failure


def raise_file_limit(wanted=0):
    """As many open files as may be, for servers too; more than the hard limit where that may be raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        except (ValueError, OSError):
            pass
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Server:
    """sluice serve in a process of its own, on a port that it chose."""

    def __init__(self, directory, *args, wrap=(), program=SLUICE):
        """directory None: nothing but what the arguments name."""
        self.process = subprocess.Popen(
            [*wrap, program, "serve", *([str(directory)] if directory else []), "--port", "0", *map(str, args)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        found = re.search(r"(https?)://(\S+):(\d+)/", line)
        local = re.search(r"at unix:(.+)\n", line)
        if not found and not local:
            self.process.kill()
            raise AssertionError(f"sluice serve said {line!r}, {self.process.communicate()[1]!r}")
        self.tls, self.local = bool(found) and found[1] == "https", local and local[1]
        if found:
            self.host, self.port = found[2].strip("[]"), int(found[3])
            self.url = f"{found[1]}://{found[2]}:{self.port}/"

    def stop(self, number=signal.SIGTERM, expected=0):
        """Stops it and returns (standard output, standard error)."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(expected)

    def wait(self, expected=0):
        try:
            out, err = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert self.process.returncode == expected, (self.process.returncode, err.decode())
        assert b"ERROR: " not in err and b"runtime error" not in err, err.decode()
        return out.decode(), err.decode()

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        if kind:
            self.process.kill()
            print(self.process.communicate()[1].decode())
        elif self.process.returncode is None:
            self.stop()

    def connect(self, receive_buffer=None):
        if self.local:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(PATIENCE)
            s.connect(self.local)
            return s
        s = socket.socket(socket.AF_INET)
        if receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        s.settimeout(PATIENCE)
        s.connect((self.host, self.port))
        if self.tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            s = context.wrap_socket(s)
        return s

    def ask(self, request):
        """One request on a connection of its own: (response, whether the server closed it)."""
        with Client(self) as client:
            client.send(request)
            response = client.read(head=request.lstrip().startswith(b"HEAD"))
            return response, client.closed_soon(response)

    def get(self, path, *fields, method="GET"):
        return self.ask(request(path, *fields, method=method))[0]

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def request(path, *fields, method="GET", version="1.1", host="Host: h"):
    lines = [f"{method} {path} HTTP/{version}", *([host] if host else []), *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


class Response:
    def __init__(self, version, status, fields):
        self.version, self.status, self.fields, self.body = version, status, fields, b""

    def __getitem__(self, name):
        values = [v for k, v in self.fields if k.lower() == name.lower()]
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None


class Closed(Exception):
    """The server ended the connection: .got is what had arrived."""

    def __init__(self, got):
        super().__init__(f"closed after {len(got)} bytes")
        self.got = got


class Client:
    """A connection that is read strictly: what does not parse is a failure."""

    def __init__(self, server, **kw):
        self.socket = server.connect(**kw)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def more(self, size=1 << 16):
        try:
            data = self.socket.recv(size)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(self.buffer)
        self.buffer += data

    def read(self, head=False):
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        block, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *lines = block.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"HTTP/(1\.[01]) (\d{3}) [A-Za-z -]+", first)
        assert match, first
        fields = []
        for line in lines:
            field = re.fullmatch(r"([A-Za-z-]+): (\S.*)", line)
            assert field, line
            fields.append((field[1], field[2]))
        response = Response(match[1], int(match[2]), fields)
        if head or response.status in (204, 304):
            return response
        if response["Transfer-Encoding"] == "chunked":
            response.body = self.read_chunks()
            return response
        length = response["Content-Length"]
        assert length is not None and re.fullmatch(r"\d+", length), first
        parts, missing = [self.buffer], int(length) - len(self.buffer)
        while missing > 0:
            try:
                data = self.socket.recv(min(missing, 1 << 20))
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(b"".join(parts))
            parts.append(data)
            missing -= len(data)
        whole = b"".join(parts)
        response.body, self.buffer = whole[:int(length)], whole[int(length):]
        return response

    def read_chunks(self):
        parts = []
        while True:
            while b"\r\n" not in self.buffer:
                self.more()
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            assert re.fullmatch(rb"[0-9a-f]+", line), line
            size = int(line, 16)
            while len(self.buffer) < size + 2:
                self.more(1 << 20)
            assert self.buffer[size:size + 2] == b"\r\n"
            parts.append(self.buffer[:size])
            self.buffer = self.buffer[size + 2:]
            if size == 0:
                return b"".join(parts)

    def at_end(self):
        """Waits for the server's end of the connection; what else came is returned."""
        try:
            while True:
                self.more()
        except Closed as closed:
            return closed.got

    def closed_soon(self, response):
        """Whether the connection is over after this response, as that response says."""
        if response["Connection"] == "close" or (response.version == "1.0"):
            assert self.at_end() == b"", "bytes after the last response"
            return True
        self.send(request("*", method="OPTIONS"))
        assert self.read().status == 204
        return False


def eventually(condition, what, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)
