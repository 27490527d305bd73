# SPDX-License-Identifier: BSD-2-Clause
"""Keywords, errors, progress, probe, leaving early, threads."""
import copy
import datetime
import decimal
import gc
import inspect
import json
import logging
import os
import pathlib
import pickle
import re
import subprocess
import threading
import weakref
from fractions import Fraction

import pytest
import sluice
from sluice import _options

from conftest import RELEASE, ROOT, clean, hashes


# ---- keywords -----------------------------------------------------------------------------------

def test_keywords_are_the_table():
    names = set(inspect.signature(sluice.remux).parameters) - {"source", "chunk_size"}
    assert names == set(_options.REMUX)
    for o in _options.REMUX.values():
        assert o.keyword in sluice.remux.__doc__ and o.help.split()[0] in sluice.remux.__doc__
    assert "output" not in names and {"start", "no_init", "audio_track"} <= names


def test_defaults_are_accepted(media):
    defaults = {o.keyword: o.value for o in _options.REMUX.values()}
    assert b"".join(sluice.remux(media("av.mkv"), **defaults)) == b"".join(
        sluice.remux(media("av.mkv")))
    assert b"".join(sluice.remux(media("av.mkv"), **dict.fromkeys(defaults))) == b"".join(
        sluice.remux(media("av.mkv")))


@pytest.mark.parametrize("two", [
    2, 2.0, "2", "4/2", Fraction(2), Fraction(4, 2), decimal.Decimal("2.00"),
    datetime.timedelta(seconds=2)])
def test_times(media, two):
    want = b"".join(sluice.remux(media("av.mkv"), start=2, duration=2))
    assert b"".join(sluice.remux(media("av.mkv"), start=two, duration=two)) == want


@pytest.mark.parametrize("value,text", [
    (0.1, "1/10"), (29.97, "2997/100"), (1e-7, "1/10000000"), (Fraction(1001, 30000), "1001/30000"),
    (datetime.timedelta(milliseconds=1500), "3/2")])
def test_times_are_exact(value, text):
    assert _options.to_text("remux", {"start": value}) == [("start", text)]


@pytest.mark.parametrize("keywords,error,text", [
    ({"crf": 99}, sluice.Error, "crf"),
    ({"video": "h265"}, sluice.Error, "video"),
    ({"channels": 5}, sluice.Error, "channels"),
    ({"start": "soon"}, sluice.Error, "start"),
    ({"start": [1]}, TypeError, "start"),
    ({"start": float("nan")}, ValueError, "nan"),
    ({"no_init": "maybe"}, sluice.Error, "no-init"),
    ({"no_init": 1.5}, TypeError, "no_init"),
    ({"channels": 2.0}, TypeError, "channels"),
    ({"preset": "x" * 100}, sluice.Error, "preset"),
    ({"stat": 3}, TypeError, "did you mean 'start'"),
    ({"output": "x"}, TypeError, "output"),
    ({"chunk_size": 0}, ValueError, "chunk_size"),
])
def test_wrong_keywords(keywords, error, text):
    with pytest.raises(error, match=text) as caught:
        sluice.remux("never-opened.mkv", **keywords)
    if error is sluice.Error:
        assert caught.value.status is sluice.Status.EINVAL


def test_tracks(media, tmp_path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"".join(sluice.remux(media("av.mkv"), video="none", audio_track=[1])))
    assert [t["kind"] for t in sluice.probe(out)["tracks"]] == ["audio"]
    out.write_bytes(b"".join(sluice.remux(media("av.mkv"), audio="none", video_track=0)))
    assert [t["kind"] for t in sluice.probe(out)["tracks"]] == ["video"]


def test_conversion(media, tmp_path):
    """AC3 becomes AAC, with libavcodec, in the module that is opened for it."""
    r = sluice.remux(media("ac3.mkv")).prepare()
    assert re.fullmatch(r"avc1\.[0-9a-f]{6},mp4a\.40\.2", r.codecs)
    out = tmp_path / "out.mp4"
    out.write_bytes(b"".join(r))
    clean(out)
    assert hashes(out, "0:v") == hashes(media("ac3.mkv"), "0:v")


# ---- errors -------------------------------------------------------------------------------------

def test_missing_file():
    r = sluice.remux("/nowhere/film.mkv")
    with pytest.raises(sluice.Error) as caught:
        r.prepare()
    e = caught.value
    assert (e.status, e.where, e.offset) == (sluice.Status.ENOTFOUND, "/nowhere/film.mkv", None)
    assert str(e).startswith("/nowhere/film.mkv: ") and e.message in str(e)
    again = pickle.loads(pickle.dumps(e))
    assert (str(again), again.status) == (str(e), e.status) and str(copy.copy(e)) == str(e)
    assert r.closed and list(r) == []


def test_odd_names(tmp_path, media):
    """A path that is no text; one that the C library would take for something else."""
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mkv")
    with pytest.raises(sluice.Error) as caught:
        next(sluice.remux(odd))
    assert caught.value.where == odd
    with pytest.raises(sluice.Error, match="too long"):
        sluice.remux("x" * 5000)
    os.link(media("av.mkv"), odd)
    assert b"".join(sluice.remux(odd)) == b"".join(sluice.remux(media("av.mkv")))
    with pytest.raises(sluice.Error) as caught:
        next(sluice.remux("-"))
    assert caught.value.status is sluice.Status.ENOTFOUND


@pytest.mark.parametrize("data", [b"", b"text", os.urandom(100_000)])
def test_not_media(data):
    with pytest.raises(sluice.Error) as caught:
        list(sluice.remux(iter([data])))
    assert caught.value.status in (sluice.Status.EDATA, sluice.Status.EUNSUPPORTED)


@pytest.mark.parametrize("raised", [
    ZeroDivisionError("theirs"), KeyboardInterrupt(), OSError(5, "broken"), StopAsyncIteration(),
    sluice.Error(3, "x", None, "y")])
@pytest.mark.parametrize("after", [0, 1, 30])
def test_source_raises(media, raised, after):
    """Unchanged: the same object, with the traceback that leads into the source."""
    def source():
        data = media("av.mkv").read_bytes()
        for i in range(after):
            yield data[i * 10000:(i + 1) * 10000]
        raise raised

    r = sluice.remux(source())
    with pytest.raises(type(raised)) as caught:
        list(r)
    assert caught.value is raised
    assert caught.traceback[-1].name == "source"
    assert r.closed


def test_source_gives_too_much(media):
    class Wrong:
        def read(self, n):
            return bytes(n + 1)

    with pytest.raises(ValueError, match="where .* were asked for"):
        list(sluice.remux(Wrong()))


def test_truncated(media, caplog):
    """What is there is a film; with strict it is an error. Nothing is made up, nothing hangs."""
    data = media("av.mkv").read_bytes()
    with caplog.at_level(logging.WARNING, "sluice"):
        out = b"".join(sluice.remux(iter([data[:len(data) // 2]])))
    assert len(out) > len(data) // 3


def test_log(media, caplog):
    """Warnings of the library come by logging, under its component's name."""
    data = bytearray(media("av.mkv").read_bytes())
    middle = len(data) // 2
    data[middle:middle + 60000] = os.urandom(60000)
    with caplog.at_level(logging.DEBUG, "sluice"):
        list(sluice.remux(iter([data])))
    assert caplog.records and all(r.name.startswith("sluice.") for r in caplog.records)
    assert any(r.levelno == logging.WARNING for r in caplog.records), caplog.text


# ---- what it tells ------------------------------------------------------------------------------

def test_progress_and_codecs(media):
    r = sluice.remux(media("av.mkv"))
    assert r.progress == (0, None, 0, 0, False) and r.codecs == ""
    first = r.prepare().prepare()
    assert first is r and r.codecs.startswith("avc1.") and r.codecs.endswith(",mp4a.40.2")
    seen = [r.progress for _ in r]
    assert seen == sorted(seen, key=lambda p: p.position)
    assert seen[-1].fragments >= 10 and seen[-1].finished and abs(seen[-1].position - 12) < 1
    assert abs(seen[-1].duration - 12) < 1
    assert r.codecs  # still known


def test_probe(media):
    p = sluice.probe(media("av.mkv"))
    video, audio = p["tracks"]
    assert (video["kind"], video["codec"], video["width"], video["height"]) == ("video", "h264", 640, 360)
    assert video["frame_rate"] == Fraction(30000, 1001)
    assert (audio["codec"], audio["sample_rate"], audio["codec_string"]) == ("aac", 48000, "mp4a.40.2")
    assert abs(p["duration"] - 12) < Fraction(1, 2)
    with pytest.raises(sluice.Error):
        sluice.probe("/nowhere")
    with pytest.raises(TypeError):
        sluice.probe(3)


@pytest.mark.skipif("SLUICE" not in os.environ, reason="SLUICE names no command")
def test_probe_is_that_of_the_command(media):
    told = json.loads(subprocess.run([os.environ["SLUICE"], "probe", "--json", media("av.mkv")],
                                     capture_output=True, check=True).stdout)
    ours = sluice.probe(media("av.mkv"))
    assert [set(t) for t in told["tracks"]] == [set(t) for t in ours["tracks"]]


def test_version():
    text = (ROOT / "meson.build").read_text()
    assert sluice.__version__ == re.search(r"version: '([\d.]+)'", text)[1]
    assert "BSD" in sluice.licence or "GPL" in sluice.licence


# ---- leaving ------------------------------------------------------------------------------------

def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_early_leave(media):
    before = descriptors()
    r = sluice.remux(media("long.mkv"))
    for chunk in r:
        break
    assert descriptors() > before
    r.close()
    assert descriptors() == before and r.closed and list(r) == [] and next(r, "end") == "end"
    r.close()


def test_garbage(media):
    before = descriptors()
    r = sluice.remux(open(media("long.mkv"), "rb"))
    next(r)
    gone = weakref.ref(r)
    del r
    assert gone() is None and descriptors() == before


def test_garbage_in_a_cycle(media):
    """A source that refers to what reads it."""
    before = descriptors()

    class Source:
        def __init__(self):
            self.file = open(media("long.mkv"), "rb")
            self.read = self.file.read

    source = Source()
    source.remux = sluice.remux(source)
    next(source.remux)
    del source
    gc.collect()
    assert descriptors() == before


def test_with(media):
    with sluice.remux(media("long.mkv")) as r:
        next(r)
    assert r.closed
    with pytest.raises(ZeroDivisionError):
        with sluice.remux(media("long.mkv")) as r:
            1 / 0
    assert r.closed


def test_close_before_start(media):
    r = sluice.remux(media("av.mkv"))
    r.close()
    assert list(r) == []
    r = sluice.remux(media("av.mkv")).prepare()
    r.close()
    assert list(r) == []


def test_close_from_within_the_source(media):
    def source():
        yield media("long.mkv").read_bytes()[:1_000_000]
        r.close()
        yield media("long.mkv").read_bytes()[1_000_000:]

    r = sluice.remux(source())
    assert sum(map(len, r)) < 1_000_000
    assert r.closed


def test_reentered(media):
    """A source that asks for the output which is made from it."""
    def source():
        yield media("av.mkv").read_bytes()[:1000]
        with pytest.raises(ValueError, match="already"):
            next(r)
        yield media("av.mkv").read_bytes()[1000:]

    r = sluice.remux(source())
    assert b"".join(r) == b"".join(sluice.remux(media("av.mkv")))


def test_close_from_another_thread(media):
    """While the source has nothing to give; whoever waits there is let go by what it gives next."""
    reading, go, closed = threading.Event(), threading.Event(), []

    def source():
        try:
            yield media("av.mkv").read_bytes()[:1000]
            reading.set()
            go.wait(20)
            yield bytes(100)
        finally:
            closed.append(threading.current_thread().name)

    r = sluice.remux(source())
    result = []
    reader = threading.Thread(target=lambda: result.extend(r), name="reader")
    reader.start()
    assert reading.wait(20)
    r.close()
    assert r.closed and not closed
    go.set()
    reader.join(20)
    assert not reader.is_alive() and result == [] and closed == ["reader"]


# ---- threads ------------------------------------------------------------------------------------

def test_lock_is_released(media):
    """Python goes on while the library encodes."""
    done = threading.Event()
    out = []

    def work():
        out.append(b"".join(sluice.remux(media("av.mkv"), video="h264", preset="ultrafast",
                                         chunk_size=1 << 20)))
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    turns = 0
    while not done.wait(0.001):
        turns += 1
    thread.join()
    # All comes out of one call: with the lock held there would be no turn but the last.
    assert out and turns >= 5, f"{turns} turns"


def test_parallel(media):
    want = b"".join(sluice.remux(media("av.mkv")))
    wrong = []

    def work(n):
        for i in range(4):
            source = media("av.mkv") if (n + i) % 2 else iter([media("av.mkv").read_bytes()])
            if b"".join(sluice.remux(source, chunk_size=1000 + n)) != want:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# ---- memory -------------------------------------------------------------------------------------

MEMORY = """
import asyncio, ctypes, gc, resource, sys
import sluice
path = sys.argv[1]
data = open(path, "rb").read()
def pieces():
    for i in range(0, len(data), 30000):
        yield data[i:i + 30000]
async def apieces():
    for c in pieces():
        yield c
def bad():
    yield data[:200000]
    raise KeyError
async def asynchronous(n):
    async for c in sluice.remux(apieces() if n % 2 else path):
        if n % 3 == 0:
            break
def once(n):
    for c in sluice.remux(path): pass
    for c in sluice.remux(pieces()):
        if n % 2: break
    try: list(sluice.remux(bad()))
    except KeyError: pass
    try: next(sluice.remux("/nowhere"))
    except sluice.Error: pass
    try: sluice.remux(path, crf=1000)
    except sluice.Error: pass
    sluice.probe(path)
    asyncio.run(asynchronous(n))
def resident():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 10
for n in range(60): once(n)
objects, before = len(gc.get_objects()), resident()
for n in range(200): once(n)
print(resident() - before, len(gc.get_objects()) - objects)
"""


def test_200_runs_do_not_grow(media):
    # One arena: otherwise glibc gives each new thread one of up to 16, and fills them one by one.
    done = subprocess.run(["/usr/bin/python3", "-c", MEMORY, media("av.mkv")], capture_output=True,
                          text=True, timeout=300, env={**os.environ, "PYTHONPATH": RELEASE,
                                                       "MALLOC_ARENA_MAX": "1"})
    assert done.returncode == 0, done.stderr
    grown, objects = map(int, done.stdout.split())
    assert grown < 600, f"{grown} KiB more after 200 more runs"
    assert objects < 50, f"{objects} more objects"


def test_one_binary(tmp_path):
    """Only names of the limited API: any later Python can load it."""
    binary = next(pathlib.Path(RELEASE).glob("sluice/_sluice*.so"))
    assert binary.name == "_sluice.abi3.so"
    names = subprocess.run(["nm", "-D", "--undefined-only", binary], capture_output=True, text=True,
                           check=True).stdout
    private = {n for n in re.findall(r" (_Py\w+)", names) if not n.endswith("_SizeT")}
    stable = {"_Py_Dealloc", "_Py_NoneStruct", "_Py_TrueStruct", "_Py_FalseStruct"}
    assert private <= stable, private
