# SPDX-License-Identifier: BSD-2-Clause
"""Encoder: arrays in, access units out. ffmpeg is the judge of what they hold."""
import ast
import ctypes
import gc
import inspect
import logging
import os
import subprocess
import sys
import threading
import time
import weakref
from fractions import Fraction

import numpy
import pytest

import sluice
from sluice import _options, _picture
from conftest import RELEASE, ROOT, run

WIDTH, HEIGHT = 160, 90
FAST = {"backend": "x264", "preset": "ultrafast", "threads": 1}
SLICE, IDR, SEI, SPS, PPS = 1, 5, 6, 7, 8
AVAILABLE = {(b["name"], b["codec"]) for b in sluice.encoders() if b["available"]}

pytestmark = pytest.mark.skipif(("x264", "h264") not in AVAILABLE, reason="built without x264")


def rgb(i=0, width=WIDTH, height=HEIGHT):
    """Smooth, and it moves."""
    y, x = numpy.mgrid[0:height, 0:width]
    return numpy.stack([40 + (x + 3 * i) % 160, 60 + (y + 2 * i) % 120, 200 - (x + y + i) % 128],
                       axis=2).astype(numpy.uint8)


def nv12(i=0, width=WIDTH, height=HEIGHT):
    y, x = numpy.mgrid[0:height * 3 // 2, 0:width]
    picture = (60 + (x + y + 3 * i) % 120).astype(numpy.uint8)
    picture[height:] = 110 + picture[height:] // 8
    return picture


def units(data):
    """The types of the NAL units of Annex B."""
    return [part[0] & 31 for part in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]


def said(data):
    """The codec string that the SPS in front says."""
    at = data.index(b"\0\0\1") + 3
    assert data[at] & 31 == SPS
    return f"avc1.{data[at + 1:at + 4].hex()}"


def decoded(data, path, width=WIDTH, height=HEIGHT, format="rgb24"):
    (path / "out.264").write_bytes(data)
    raw = run("ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", path / "out.264", "-f", "rawvideo",
              "-pix_fmt", format, "-sws_flags", "bilinear+accurate_rnd+full_chroma_int", "-fps_mode",
              "passthrough", "-").stdout
    shape = (-1, height * 3 // 2, width) if format == "nv12" else (-1, height, width, 3)
    return numpy.frombuffer(raw, numpy.uint8).reshape(shape)


def psnr(a, b):
    return 10 * numpy.log10(255 ** 2 / max(((a.astype(float) - b) ** 2).mean(), 1e-9))


# ---- the stream ---------------------------------------------------------------------------------

def test_one_in_one_out(tmp_path):
    with sluice.Encoder(WIDTH, HEIGHT, gop=10, crf=18, **FAST) as encoder:
        announced = encoder.codec_string
        assert announced.startswith("avc1.") and encoder.last is None and encoder.delay == 0
        assert (encoder.width, encoder.height, encoder.backend) == (WIDTH, HEIGHT, "x264")
        stream = []
        for i in range(25):
            data = encoder.encode(rgb(i), force_idr=i == 13)
            key = i in (0, 10, 13, 23)
            kinds = [k for k in units(data) if k != SEI]
            assert kinds == ([SPS, PPS, IDR] if key else [SLICE]), "deltas carry no parameter sets"
            last = encoder.last
            assert (last.data, last.token, last.pts, last.key) == (data, i, i, key)
            assert 0 < last.qp < 52 and last.encode_ms > 0 and last.convert_ms > 0 and last.copy_ms >= 0
            if key:
                assert said(data) == announced == encoder.codec_string
            stream.append(data)
        assert encoder.flush() == []
        stats = encoder.stats
        assert (stats["pictures"], stats["units"], stats["keys"]) == (25, 25, 4)
        assert stats["bytes"] == sum(map(len, stream)) and stats["encode_ns"] > 0
    pictures = decoded(b"".join(stream), tmp_path)
    assert len(pictures) == 25
    assert min(psnr(p, rgb(i)) for i, p in enumerate(pictures)) > 30


def test_an_idr_on_demand_alone():
    frames = [rgb(i) for i in range(60)]
    for gop in (300, 0):
        with sluice.Encoder(WIDTH, HEIGHT, gop=gop, **FAST) as encoder:
            keys = [i for i, frame in enumerate(frames) if IDR in units(encoder.encode(frame, i == 41))]
        assert keys == [0, 41]


def test_it_begins_anew_after_a_flush():
    with sluice.Encoder(WIDTH, HEIGHT, gop=0, **FAST) as encoder:
        assert encoder.flush() == [] and encoder.flush_pipeline() == []
        assert IDR in units(encoder.encode(rgb(0))) and IDR not in units(encoder.encode(rgb(1)))
        encoder.flush()
        encoder.flush()
        assert IDR in units(encoder.encode(rgb(2))) and encoder.last.pts == 2


@pytest.mark.parametrize("depth", [0, 4])
def test_gaps_in_seq(depth, tmp_path):
    numbers = [0, 1, 5, 6, 7, 20, 21, 1000, 1001, 2**40, 2**63, 2**64 - 1]
    latency = {"latency": "pipelined", "depth": depth} if depth else {}
    with sluice.Encoder(WIDTH, HEIGHT, gop=6, crf=18, **latency, **FAST) as encoder:
        assert encoder.delay == depth
        came = []
        for i, seq in enumerate(numbers):
            ready = encoder.submit(rgb(i), seq)
            assert len(ready) == 1 or depth
            came += ready
            assert i + 1 - len(came) <= depth
        came += encoder.flush_pipeline()
        assert encoder.flush_pipeline() == []
        for wrong in (-1, 2**64):
            with pytest.raises(ValueError, match="seq"):
                encoder.submit(rgb(), wrong)
        with pytest.raises(TypeError):
            encoder.submit(rgb(), 1.5)
    assert [seq for seq, _, _ in came] == numbers
    assert [i for i, (_, _, key) in enumerate(came) if key is True] == [0, 6]
    assert all(type(s) is int and type(d) is bytes and type(k) is bool for s, d, k in came)
    assert len(decoded(b"".join(d for _, d, _ in came), tmp_path)) == len(numbers)


def test_lookahead():
    with sluice.Encoder(WIDTH, HEIGHT, latency="lookahead", bframes=2, **{**FAST, "preset": "veryfast"}) as e:
        with pytest.raises(ValueError, match="submit"):
            e.encode(rgb())
        assert e.delay == -1
        came = [unit for i in range(40) for unit in e.submit(rgb(i), i)]
        assert e.last is None or e.last.dts <= e.last.pts
        came += e.flush_pipeline()
    assert sorted(seq for seq, _, _ in came) == list(range(40))


@pytest.mark.parametrize("width,height", [(640, 480), (1280, 720)])
def test_colours(width, height, tmp_path):
    """Solid patches come back within 3 of what they were, at SD and HD sizes: what the VUI says is what
    was done."""
    colours = numpy.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0],
                           [200, 120, 40], [30, 90, 160], [128, 128, 128]])
    side = width // len(colours)
    picture = numpy.repeat(numpy.repeat(colours[None], height, 0), side, 1).astype(numpy.uint8)
    with sluice.Encoder(width, height, rate_control="cqp", qp=4, **FAST) as encoder:
        data = encoder.encode(picture)
    found = decoded(data, tmp_path, width, height)[0].astype(int)
    for i, colour in enumerate(colours):
        patch = found[16:-16, i * side + 16:(i + 1) * side - 16]
        assert abs(patch - colour).max() <= 3, (colour, patch[0, 0])
    want = "bt709" if height >= 720 else "smpte170m"
    told = run("ffprobe", "-v", "error", "-show_entries", "stream=color_space,color_range", "-of",
               "csv=p=0", tmp_path / "out.264").stdout.decode()
    assert told.strip() == f"tv,{want}"


@pytest.mark.parametrize("fps,want", [(29.97, "2997/100"), (Fraction(30000, 1001), "30000/1001"), ("25", "25/1")])
def test_rates_are_exact(fps, want, tmp_path):
    with sluice.Encoder(WIDTH, HEIGHT, fps=fps, **FAST) as encoder:
        (tmp_path / "out.264").write_bytes(encoder.encode(rgb()))
    told = run("ffprobe", "-v", "error", "-show_entries", "stream=r_frame_rate", "-of", "csv=p=0",
               tmp_path / "out.264").stdout.decode().strip()
    assert told == want


def test_sei_and_pts():
    with sluice.Encoder(WIDTH, HEIGHT, timebase="1/90000", **FAST) as encoder:
        encoder.encode(rgb(0), pts=900)
        data = encoder.encode(rgb(1), pts=5000, sei=bytes(range(16)) + b"told you")
        assert b"told you" in data and encoder.last.pts == 5000
        assert units(data) == [SEI, SLICE] and encoder.last.header_size < len(data)
        encoder.encode(rgb(2))
        assert encoder.last.pts == 8000
        for keywords in ({"pts": 8000}, {"sei": b"short"}):
            with pytest.raises(sluice.Error):
                encoder.encode(rgb(3), **keywords)
        with pytest.raises(TypeError):
            encoder.encode(rgb(3), sei="text")
        encoder.encode(rgb(3), pts=8001)


# ---- pictures -----------------------------------------------------------------------------------

def code(frame, **keywords):
    """The first unit of a new encoder."""
    with sluice.Encoder(WIDTH, HEIGHT, **{"rate_control": "cqp", "qp": 20, **FAST, **keywords}) as encoder:
        return encoder.encode(frame)


class Interface:
    """No buffer, but the dictionary of one protocol."""

    def __init__(self, name, array, **changes):
        self.array = array
        told = dict(array.__array_interface__)
        told.update(changes)
        setattr(self, name, told)


class Tensor:
    """As torch's of the host: DLPack alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, stream=None):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def padded(array, gap=7):
    """The same rows with gaps between them."""
    wide = numpy.full((len(array), array[0].nbytes + gap * array.itemsize), 9, numpy.uint8)
    wide = wide.view(array.dtype) if array.itemsize > 1 else wide
    view = wide[:, :array[0].size]
    view[:] = array.reshape(len(array), -1)
    return numpy.lib.stride_tricks.as_strided(view, array.shape, (wide.strides[0], *array.strides[1:]))


def upwards(array):
    """The same rows, the last of them first in memory."""
    return numpy.ascontiguousarray(array[::-1])[::-1]


def test_every_kind_of_rgb():
    a = rgb()
    want = code(a)
    more = numpy.dstack([a, numpy.full((HEIGHT, WIDTH), 77, numpy.uint8)])
    kinds = [
        (padded(a), None), (upwards(a), None), (more, None), (padded(more), "rgba"), (a.tobytes(), None),
        (bytearray(a), None), (memoryview(a), None), (more.tobytes(), "rgba"),
        (numpy.ascontiguousarray(a[:, :, ::-1]), "bgr24"), (numpy.ascontiguousarray(more[:, :, [2, 1, 0, 3]]), "bgra"),
        ((ctypes.c_uint8 * a.size).from_buffer_copy(a), "rgb24"), (Interface("__array_interface__", a), None),
        (Interface("__array_interface__", padded(a)), "rgb24"), (Interface("__array_interface__", a, data=a), None),
        (Tensor(a), None),
    ]
    kept = a.copy()
    kept.flags.writeable = False
    kinds.append((kept, "rgb24"))
    for number, (frame, format) in enumerate(kinds):
        assert code(frame, format=format) == want, number


def test_every_kind_of_yuv():
    a = nv12()
    want = code(a)
    y, uv = a[:HEIGHT], a[HEIGHT:]
    u, v = uv[:, 0::2], uv[:, 1::2]
    i420 = numpy.concatenate([y.ravel(), u.ravel(), v.ravel()]).reshape(a.shape)
    plain = numpy.ascontiguousarray
    kinds = [
        (padded(a), None), (a.tobytes(), None), ((y, uv), None), ([padded(y), padded(uv, 30)], "nv12"),
        ((upwards(y), upwards(uv)), None), ((y, uv.reshape(HEIGHT // 2, WIDTH // 2, 2)), None),
        (i420, "i420"), (i420.tobytes(), "i420"), ((y, plain(u), plain(v)), None),
        ((padded(y), padded(plain(u)), upwards(plain(v))), "i420"),
        ((Interface("__array_interface__", y), Interface("__array_interface__", uv)), None),
    ]
    for number, (frame, format) in enumerate(kinds):
        assert code(frame, format=format) == want, number


def test_pictures_of_10_bits_and_4_4_4(tmp_path):
    deep = nv12().astype(numpy.uint16) << 8
    for profile in ("high", "high10"):
        want = code(deep, profile=profile)
        assert code(padded(deep), profile=profile) == want
        assert code((deep[:HEIGHT], deep[HEIGHT:]), profile=profile) == want
        assert code(deep.tobytes(), profile=profile, format="p010") == want
        assert psnr(decoded(want, tmp_path, format="nv12")[0], nv12()) > 36
    full = numpy.stack([rgb()[:, :, 1]] * 3)
    want = code(full, profile="high444")
    assert code(tuple(full), profile="high444") == want
    assert code(full[:, ::-1][:, ::-1], profile="high444", format="i444") == want
    assert code(numpy.concatenate([full, full])[:3], profile="high444") == want


@pytest.mark.parametrize("frame,format,text", [
    (rgb()[:, ::2], None, "shape"), (rgb()[:-1], None, "shape"), (rgb().astype(numpy.float32), None, "float32"),
    (rgb().astype(numpy.int8), None, "int8"), (rgb()[:, ::-1], None, "strides"), (rgb()[:, :, ::-1], None, "strides"),
    (numpy.asfortranarray(rgb()), None, "strides"), (numpy.broadcast_to(rgb()[:1], (HEIGHT, WIDTH, 3)), None, "strides"),
    (rgb(), "rgba", "rgba"), (nv12(), "p010", "uint16"), (nv12().astype(">u2"), None, "expected"),
    (padded(nv12()), "i420", "no gaps"), (b"", None, "expected"), (bytes(99), None, "expected"), (7 * b"", None, "expected"),
    ((nv12(),), None, "planes"), ((nv12(), nv12()), None, "plane 0"), ((nv12()[:HEIGHT], nv12()[HEIGHT:]), "i420", "planes"),
    ((nv12()[:HEIGHT], nv12()[HEIGHT:, ::2]), None, "plane 1"), ((), None, "planes"), (numpy.array(3, "u1"), None, "shape"),
    (Interface("__array_interface__", rgb(), typestr="<f4"), None, "f4"),
    (Interface("__array_interface__", rgb(), shape=None), None, "protocol"),
    (Interface("__array_interface__", rgb(), data=(0, False)), None, "address"),
    (Interface("__array_interface__", rgb(), strides=(1,)), None, "strides"),
    (Interface("__array_interface__", rgb(), mask=1), None, "mask"),
])
def test_pictures_that_are_refused(frame, format, text):
    with sluice.Encoder(WIDTH, HEIGHT, format=format, **FAST) as encoder:
        with pytest.raises(ValueError, match=text):
            encoder.encode(frame)
        assert encoder.stats["pictures"] == 0
        assert IDR in units(encoder.encode(rgb() if format is None else {
            "rgba": numpy.dstack([rgb(), rgb()[:, :, :1]])}.get(format, bytes(
                WIDTH * HEIGHT * 3 // 2 * (2 if format == "p010" else 1))))), "it goes on"


@pytest.mark.parametrize("frame", [None, 3, "text", object(), [[1, 2], [3, 4]]])
def test_what_is_no_picture(frame):
    with sluice.Encoder(WIDTH, HEIGHT, **FAST) as encoder, pytest.raises(TypeError, match="no picture"):
        encoder.encode(frame)


def test_cuda_memory_is_checked_and_let_go():
    """Without a device, down to the backend that does not read it."""
    a = rgb()
    for told, want in ((None, 0), (1, 0), (2, 2), (0x7F0000001000, 0x7F0000001000)):
        frame = Interface("__cuda_array_interface__", padded(a), version=3, stream=told)
        taken = _picture.take(frame, None, WIDTH, HEIGHT)
        assert (taken.memory, taken.stream, taken.owner[0]) == (_picture.CUDA, want, frame)
        assert taken.planes == ((frame.array.ctypes.data, 0, WIDTH * 3 + 7),)
    with sluice.Encoder(WIDTH, HEIGHT, **FAST) as encoder:
        for stream in (None, 1, 2, 0x7F0000001000):
            frame = Interface("__cuda_array_interface__", a, version=3, stream=stream)
            with pytest.raises(sluice.Error, match="CUDA") as caught:
                encoder.encode(frame)
            assert caught.value.status == sluice.Status.EUNSUPPORTED
            gone = weakref.ref(frame)
            del frame, caught
            gc.collect()
            assert gone() is None, "its owner is not kept"
        for changes in ({"stream": 0}, {"stream": -1}, {"stream": "x"}, {"mask": 1}, {"typestr": "<f4"},
                        {"data": (0, False)}, {"strides": (1, 3, 1)}, {"shape": (3, 4)}, {"data": None}):
            with pytest.raises(ValueError):
                encoder.encode(Interface("__cuda_array_interface__", a, version=3, **changes))
        y, uv = nv12()[:HEIGHT], nv12()[HEIGHT:]
        with pytest.raises(ValueError, match="memory and stream"):
            encoder.encode((y, Interface("__cuda_array_interface__", uv)))
        with pytest.raises(ValueError, match="memory and stream"):
            encoder.encode((Interface("__cuda_array_interface__", y, stream=1),
                            Interface("__cuda_array_interface__", uv, stream=2)))
        encoder.encode(a)


def test_buffers_are_released():
    for latency in ("sync", "pipelined"):
        with sluice.Encoder(WIDTH, HEIGHT, latency=latency, **FAST) as encoder:
            frame = bytearray(rgb())
            encoder.submit(frame, 1)
            frame.append(0)  # a BufferError while it is exported
            with pytest.raises(ValueError):
                encoder.submit(frame, 2)
            frame.append(0)
            del frame[-2:]
            with pytest.raises(sluice.Error):
                encoder.submit(frame, 2, pts=-5)
            frame.append(0)


# ---- settings -----------------------------------------------------------------------------------

def test_keywords_are_the_table():
    names = set(inspect.signature(sluice.Encoder).parameters)
    assert names - {"width", "height", "fps", "format", "cuda_context"} == set(_options.ENCODER) - {"size", "rate"}
    defaults = {o.keyword: o.value for o in _options.ENCODER.values() if o.keyword not in ("size", "rate")}
    assert code(rgb(), **{**defaults, **FAST, "rate_control": "auto"})
    for o in _options.ENCODER.values():
        assert o.keyword in ("size", "rate") or o.keyword in sluice.Encoder.__init__.__doc__


def test_the_stub_has_the_same_keywords():
    tree = ast.parse((ROOT / "python" / "sluice" / "_encoder.pyi").read_text())
    stub = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Encoder")
    init = next(n for n in stub.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    names = [a.arg for a in [*init.args.args[1:], *init.args.kwonlyargs]]
    assert sorted(names) == sorted([*inspect.signature(sluice.Encoder).parameters, "rate"])
    methods = {n.name for n in stub.body if isinstance(n, ast.FunctionDef)}
    real = {n for n in vars(sluice.Encoder) if not n.startswith("_")}
    assert {n for n in methods if not n.startswith("_")} == real


@pytest.mark.parametrize("keywords,error,text", [
    ({"gopp": 3}, TypeError, "gop"), ({"size": (2, 2)}, TypeError, "width"), ({"rate": 25, "fps": 25}, TypeError, "rate"),
    ({"fps": 0}, sluice.Error, "rate"), ({"fps": "abc"}, sluice.Error, "rate"), ({"fps": object()}, TypeError, "rate"),
    ({"fps": float("nan")}, ValueError, ""), ({"codec": "h263"}, sluice.Error, "codec"),
    ({"backend": "absent"}, sluice.Error, "absent"), ({"width": 161}, sluice.Error, "even"),
    ({"width": 0}, sluice.Error, "size"), ({"height": -2}, sluice.Error, "size"), ({"width": 1.5}, TypeError, "size"),
    ({"format": "yuv"}, ValueError, "nv12"), ({"bitrate": 1e6}, TypeError, "bitrate"), ({"depth": 0}, sluice.Error, "depth"),
    ({"latency": "none"}, sluice.Error, "latency"), ({"cuda_context": "x"}, TypeError, ""),
])
def test_what_cannot_be_opened(keywords, error, text):
    with pytest.raises(error, match=text):
        sluice.Encoder(**{"width": WIDTH, "height": HEIGHT, **keywords})


def test_reconfigure(tmp_path):
    noise = numpy.random.default_rng(1).integers(0, 255, (8, HEIGHT, WIDTH, 3), numpy.uint8)
    with sluice.Encoder(WIDTH, HEIGHT, bitrate="2M", maxrate="2M", buffer="200k", gop=0, max_size=(320, 180),
                        **FAST) as encoder:
        first = [len(encoder.encode(noise[i % 8])) for i in range(40)]
        assert encoder.reconfigure(bitrate=300_000, maxrate=300_000, buffer=30_000) is False
        later = [encoder.encode(noise[i % 8]) for i in range(40)]
        assert not any(IDR in units(data) for data in later)
        assert sum(map(len, later[10:])) < 0.4 * sum(first[10:])
        for changes in ({"gop": 5}, {"codec": "hevc"}, {"width": 322}, {"bitrate": -1}):
            with pytest.raises(sluice.Error):
                encoder.reconfigure(**changes)
        for changes in ({"fps": 3, "rate": 3}, {"size": (2, 2), "width": 2}, {"bitrat": 3}):
            with pytest.raises(TypeError):
                encoder.reconfigure(**changes)
        assert IDR not in units(encoder.encode(noise[0])), "nothing has changed"
        assert encoder.reconfigure(width=320, height=180) is True
        assert (encoder.width, encoder.height) == (320, 180)
        with pytest.raises(ValueError, match=r"\(180, 320, 3\)"):
            encoder.encode(noise[0])
        data = encoder.encode(rgb(0, 320, 180))
        assert said(data) == encoder.codec_string
        assert decoded(data, tmp_path, 320, 180).shape == (1, 180, 320, 3)


def test_recover():
    with sluice.Encoder(WIDTH, HEIGHT, gop=0, **FAST) as encoder:
        for seq in range(5):
            encoder.submit(rgb(seq), 10 * seq)
        assert encoder.recover(30) == "idr"
        assert encoder.submit(rgb(5), 50)[0][2] is True
        assert encoder.recover(7) == "idr", "not known"
        assert encoder.submit(rgb(6), 60)[0][2] is True


def test_the_list():
    found = sluice.encoders()
    x264 = next(b for b in found if b["name"] == "x264")
    assert x264["available"] and x264["reason"] == "" and not x264["hardware"] and x264["reconfigures"]
    assert "ultrafast" in x264["presets"] and "high" in x264["profiles"] and x264["version"]
    assert all(b["available"] or b["reason"] for b in found)


def test_what_was_taken_is_logged(caplog):
    with caplog.at_level(logging.INFO, "sluice"), sluice.Encoder(WIDTH, HEIGHT, codec="h264") as encoder:
        assert any(encoder.backend in r.getMessage() for r in caplog.records), caplog.records
        assert encoder.reason


@pytest.mark.skipif(not any(codec == "hevc" for _, codec in AVAILABLE), reason="no HEVC encoder")
def test_hevc():
    with sluice.Encoder(320, 192, codec="hevc") as encoder:
        assert encoder.codec_string.startswith("hvc1.")
        kinds = [part[0] >> 1 & 63 for part in encoder.encode(rgb(0, 320, 192)).split(b"\0\0\1")[1:]]
        assert kinds[:3] == [32, 33, 34] and kinds[-1] in (19, 20)


# ---- the end, and threads -----------------------------------------------------------------------

def test_close():
    encoder = sluice.Encoder(WIDTH, HEIGHT, **FAST)
    assert not encoder.closed and "x264" in repr(encoder)
    encoder.encode(rgb())
    string = encoder.codec_string
    encoder.close()
    encoder.close()
    assert encoder.closed and "closed" in repr(encoder)
    for use in (lambda: encoder.encode(rgb()), lambda: encoder.submit(rgb(), 1), encoder.flush,
                encoder.flush_pipeline, lambda: encoder.reconfigure(bitrate=1000), lambda: encoder.recover(0)):
        with pytest.raises(ValueError, match="closed"):
            use()
    assert encoder.stats["units"] == 1 and encoder.codec_string == string and encoder.width == WIDTH
    with sluice.Encoder(WIDTH, HEIGHT, latency="pipelined", **FAST) as encoder:
        encoder.submit(rgb(), 1)  # lost: nobody asked for it
    assert encoder.closed


def test_the_lock_is_not_held():
    """Another thread runs while a picture is encoded; with such an interval only where it is let."""
    counted, stop = 0, threading.Event()

    def count():
        nonlocal counted
        while not stop.is_set():
            counted += 1
            time.sleep(0)
    interval = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    frame = numpy.random.default_rng(1).integers(0, 255, (720, 1280, 3), numpy.uint8)
    with sluice.Encoder(1280, 720, **{**FAST, "preset": "medium"}) as encoder:
        sys.setswitchinterval(1000)
        thread.start()
        try:
            before = counted
            encoder.encode(frame)
            during = counted - before
        finally:
            stop.set()
            sys.setswitchinterval(interval)
            thread.join()
    assert during > 20


def test_one_encoder_in_two_threads():
    """The second one is told, and nothing else happens."""
    frame = numpy.random.default_rng(1).integers(0, 255, (360, 640, 3), numpy.uint8)
    refused = {}
    with sluice.Encoder(640, 360, **FAST) as encoder:
        done = threading.Event()

        def work():
            sent = 0
            while not done.is_set() and sent < 200:
                try:
                    encoder.encode(frame)
                    sent += 1
                except RuntimeError:
                    pass
            done.set()
        thread = threading.Thread(target=work)
        thread.start()
        small = rgb(0, 640, 360)
        tries = {"encode": lambda: encoder.encode(small), "flush": encoder.flush, "recover": lambda: encoder.recover(0),
                 "reconfigure": lambda: encoder.reconfigure(crf=30)}
        while not done.is_set() and len(refused) < len(tries):
            for name, use in tries.items():
                try:
                    use()
                except RuntimeError as error:
                    refused[name] = str(error)
            assert encoder.stats and encoder.codec_string and encoder.last is None or encoder.last.data
        while not done.is_set() and "close" not in refused:
            try:
                encoder.close()
                break
            except RuntimeError as error:
                refused["close"] = str(error)
        done.set()
        thread.join()
    assert set(tries) <= set(refused) and all("another thread" in text for text in refused.values())


def test_eight_encoders_in_eight_threads():
    frames = [rgb(i) for i in range(20)]

    def stream():
        with sluice.Encoder(WIDTH, HEIGHT, gop=7, **FAST) as encoder:
            return [encoder.encode(frame) for frame in frames]
    want, got = stream(), []
    threads = [threading.Thread(target=lambda: got.append(stream())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8 and all(each == want for each in got)


MEMORY = """
import ctypes, gc, sys, numpy, sluice
opens, pictures = map(int, sys.argv[1:])
frame = numpy.random.default_rng(1).integers(0, 255, (90, 160, 3), numpy.uint8)

def cycle(count):
    for i in range(count):
        with sluice.Encoder(160, 90, backend="x264", preset="ultrafast", threads=1,
                            latency=("sync", "pipelined")[i % 2]) as encoder:
            encoder.submit(frame, i)
            try:
                encoder.submit(frame[1:], i)
            except ValueError:
                pass

def run(encoder, count):
    for i in range(count):
        encoder.encode(frame, i % 50 == 0)

class Info(ctypes.Structure):  # struct mallinfo2
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks "
                "fordblks keepcost".split()]

ask = ctypes.CDLL(None).mallinfo2
ask.restype = Info

def used():  # bytes of malloc, blocks of Python: what is in use, not what the heap looks like
    gc.collect()
    info = ask()
    return info.uordblks + info.hblkhd, sys.getallocatedblocks()

with sluice.Encoder(160, 90, backend="x264", preset="ultrafast", threads=1) as encoder:
    cycle(opens // 4)
    run(encoder, pictures // 4)
    before = used()
    cycle(opens * 3 // 4)
    run(encoder, pictures * 3 // 4)
    after = used()
print(after[0] - before[0], after[1] - before[1])
"""


def grown(opens, pictures, seconds):
    done = subprocess.run(["/usr/bin/python3", "-c", MEMORY, str(opens), str(pictures)], capture_output=True,
                          text=True, timeout=seconds, env={**os.environ, "PYTHONPATH": RELEASE,
                                                           "MALLOC_ARENA_MAX": "1"})
    assert done.returncode == 0, done.stderr
    octets, blocks = map(int, done.stdout.split())
    assert octets < 16384, f"{octets} bytes more"
    assert blocks < 200, f"{blocks} blocks of Python more"


def test_memory_is_flat():
    grown(200, 2000, 300)


@pytest.mark.soak
def test_memory_is_flat_for_long():
    grown(10_000, 100_000, 3600)
