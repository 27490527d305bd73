# SPDX-License-Identifier: BSD-2-Clause
"""Every kind of source gives the same film."""
import array
import gzip
import io
import os
import pathlib
import socket
import subprocess
import tempfile
import threading

import pytest
import sluice

from conftest import clean, hashes, pictures, shown, top


def pieces(path, size=10007):
    with open(path, "rb") as f:
        while chunk := f.read(size):
            yield chunk


class Minimal:
    """Only read(n), and nothing else that a file has."""

    def __init__(self, path):
        self.file = open(path, "rb")

    def read(self, n):
        return self.file.read(n)


def unbuffered(path):
    return open(path, "rb", buffering=0)


def nameless(path):
    f = tempfile.TemporaryFile()
    f.write(path.read_bytes())
    f.seek(0)
    return f


def written(path):
    """What is still in the buffer belongs to it."""
    f = tempfile.TemporaryFile()
    data = path.read_bytes()
    f.write(data[:-10])
    f.flush()
    f.write(data[-10:])
    f.seek(0)
    return f


def behind(path):
    """A file object that does not stand at its beginning."""
    f = io.BytesIO(b"head" + path.read_bytes())
    f.seek(4)
    return f


def behind_plain(path):
    f = tempfile.TemporaryFile()
    f.write(b"head" + path.read_bytes())
    f.seek(4)
    return f


def zipped(path):
    data = gzip.compress(path.read_bytes(), 1)
    f = tempfile.NamedTemporaryFile()
    f.write(data)
    f.flush()
    g = gzip.GzipFile(fileobj=open(f.name, "rb"))
    g.kept = f
    return g


SEEKING = {
    "str": str, "path": pathlib.Path, "file": lambda p: open(p, "rb"),
    "unbuffered": unbuffered, "nameless": nameless, "written": written, "behind": behind,
    "behind_plain": behind_plain, "BytesIO": lambda p: io.BytesIO(p.read_bytes()),
    "gzip": zipped,
}


def pipe(path):
    process = subprocess.Popen(["cat", path], stdout=subprocess.PIPE)
    process.stdout.process = process
    return process.stdout


def connection(path):
    ours, theirs = socket.socketpair()

    def send():
        with theirs:
            theirs.sendall(path.read_bytes())

    threading.Thread(target=send, daemon=True).start()
    with ours:
        return ours.makefile("rb")


FORWARD = {
    "pipe": pipe, "socket": connection, "minimal": Minimal, "generator": pieces,
    "one": lambda p: [p.read_bytes()], "tiny": lambda p: pieces(p, 100),
    "empty_between": lambda p: (c for chunk in pieces(p) for c in (b"", chunk)),
    "bytearray": lambda p: (bytearray(c) for c in pieces(p)),
    "memoryview": lambda p: (memoryview(c) for c in pieces(p)),
    "array": lambda p: (array.array("B", c) for c in pieces(p)),
}


@pytest.fixture(scope="module")
def judged(media, tmp_path_factory):
    """What a path gives, judged by ffmpeg."""
    seen = {}

    def get(name):
        if name not in seen:
            path = media(name)
            out = tmp_path_factory.mktemp("judged") / "out.mp4"
            out.write_bytes(b"".join(sluice.remux(path)))
            clean(out)
            assert hashes(out) == hashes(path)
            names = top(out.read_bytes())
            assert names[:2] == ["ftyp", "moov"] and names.count("moof") >= 10, names
            seen[name] = out.read_bytes()
        return seen[name]

    return get


@pytest.mark.parametrize("kind", SEEKING)
@pytest.mark.parametrize("name", ["av.mkv", "end.mp4"])
def test_seeking(media, judged, name, kind):
    assert b"".join(sluice.remux(SEEKING[kind](media(name)))) == judged(name)


@pytest.mark.parametrize("kind", FORWARD)
def test_forward(media, judged, kind):
    assert b"".join(sluice.remux(FORWARD[kind](media("av.mkv")))) == judged("av.mkv")


@pytest.mark.parametrize("kind", ["pipe", "generator", "minimal"])
def test_forward_of_libav(media, tmp_path, kind):
    """Containers that libavformat reads, too, from what cannot seek."""
    out = tmp_path / "out.mp4"
    out.write_bytes(b"".join(sluice.remux(FORWARD[kind](media("av.ts")))))
    assert pictures(out) == pictures(media("av.ts"))
    clean(out)


def test_standard_input(media, judged, tmp_path):
    from conftest import RELEASE
    script = "import sys, sluice\nfor c in sluice.remux(sys.stdin.buffer): sys.stdout.buffer.write(c)"
    for give in (open(media("av.mkv"), "rb"), pipe(media("av.mkv"))):
        done = subprocess.run(["/usr/bin/python3", "-c", script], stdin=give, capture_output=True,
                              env={**os.environ, "PYTHONPATH": RELEASE}, timeout=60)
        assert done.stdout == judged("av.mkv"), done.stderr.decode()


def test_pieces(media):
    """The init segment alone comes first; nothing is larger than was asked for."""
    sizes = [len(c) for c in sluice.remux(media("av.mkv"), chunk_size=5000)]
    assert max(sizes) == 5000 and min(sizes) > 0
    first, *rest = sluice.remux(media("av.mkv"))
    assert top(first) == ["ftyp", "moov"]
    assert all(type(c) is bytes and len(c) <= 256 << 10 for c in rest)


def test_callers_file_stays_open(media):
    for f in (open(media("av.mkv"), "rb"), io.BytesIO(media("av.mkv").read_bytes())):
        list(sluice.remux(f))
        assert not f.closed
        f.seek(0)
        assert f.read(4) == b"\x1a\x45\xdf\xa3"


def test_file_closed_by_caller(media, judged):
    """The descriptor is our own: what the caller does with the number later does not matter."""
    f = nameless(media("av.mkv"))
    r = sluice.remux(f)
    f.close()
    other = open(os.devnull, "rb")
    assert b"".join(r) == judged("av.mkv")
    other.close()


def test_generator_is_closed(media):
    ended = []

    def source():
        try:
            yield from pieces(media("long.mkv"))
        finally:
            ended.append(True)

    r = sluice.remux(source())
    next(r), next(r)
    assert not ended
    r.close()
    assert ended and r.closed and list(r) == []


def test_only_what_is_needed(media):
    """Reading is no further ahead than a stated amount: docs/python.md."""
    taken = 0

    def source():
        nonlocal taken
        for chunk in pieces(media("long.mkv"), 65536):
            taken += len(chunk)
            yield chunk

    given = 0
    with sluice.remux(source(), fragment=1) as r:
        for number, chunk in enumerate(r):
            given += len(chunk)
            assert taken - given < 4 << 20, (taken, given)
            if number > 100:
                break
    assert taken < media("long.mkv").stat().st_size


def test_segment_of_seekable_reads_little(media):
    data = media("long.mkv").read_bytes()

    class Counting(io.BytesIO):
        taken = 0

        def read(self, n=-1):
            out = super().read(n)
            Counting.taken += len(out)
            return out

    out = b"".join(sluice.segment(Counting(data), start=100, duration=4))
    assert len(out) > 100_000
    assert Counting.taken < len(data) // 3, (Counting.taken, len(data))
    assert out == b"".join(sluice.segment(media("long.mkv"), start=100, duration=4))


@pytest.mark.parametrize("start", [3, 4.5])
def test_segment(media, tmp_path, start):
    out = tmp_path / "out.mp4"
    data = b"".join(sluice.segment(media("av.mkv"), start=start, duration=2))
    out.write_bytes(data)
    clean(out)
    pictures, sound = shown(out, "v"), shown(out, "a")
    assert start - 1.01 < pictures[0] < start + 0.034, "from the key frame before, a second at most"
    assert abs(sound[0] - start) < 0.044, sound[0]
    for times in (pictures, sound):
        assert abs(times[-1] - start - 2) < 0.07, times
    bare = b"".join(sluice.segment(media("av.mkv"), start=start, duration=2, no_init=True))
    assert "moov" not in top(bare) and data.endswith(bare)
    at = bare.index(b"tfdt")
    assert int.from_bytes(bare[at + 8:at + 16], "big") > 0, "the decode time is the start"


@pytest.mark.parametrize("wrong,error", [
    (b"in.mkv", TypeError), (bytearray(3), TypeError), (5, TypeError), (None, TypeError),
    ("a\0b", ValueError), ("", FileNotFoundError), (io.StringIO("x"), TypeError),
    (iter(["text"]), TypeError), (iter([1, 2]), TypeError), (io.StringIO, TypeError),
])
def test_wrong_source(wrong, error):
    with pytest.raises(error):
        list(sluice.remux(wrong))


def test_write_only(tmp_path):
    with open(tmp_path / "x", "wb") as f, pytest.raises(io.UnsupportedOperation):
        sluice.remux(f)
