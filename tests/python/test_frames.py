# SPDX-License-Identifier: BSD-2-Clause
"""FrameReader: arrays out of files. ffmpeg's full decode is the judge."""
import datetime
import logging
import pickle
import threading
from fractions import Fraction

import numpy
import pytest

import sluice
from conftest import run

WIDTH, HEIGHT, FRAMES, RATE = 160, 90, 75, Fraction(25)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "film.mp4"
    run("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i",
        f"testsrc2=size={WIDTH}x{HEIGHT}:rate={RATE}", "-frames:v", FRAMES, "-c:v", "libx264", "-g", "25",
        "-pix_fmt", "yuv420p", "-bf", "3", path)
    return path


def decoded(path, format, width=WIDTH, height=HEIGHT):
    data = run("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", format, "-sws_flags",
               "bilinear+accurate_rnd+full_chroma_int", "-fps_mode",
               "passthrough", "-").stdout
    shape = (-1, height * 3 // 2, width) if format == "nv12" else (-1, height, width, 3)
    return numpy.frombuffer(data, numpy.uint8).reshape(shape)


@pytest.fixture(scope="module")
def nv12(film):
    return decoded(film, "nv12")


def same(a, b):
    return a.shape == b.shape and numpy.array_equal(a, b)


def test_every_way_to_ask(film, nv12):
    with sluice.FrameReader(film, format="nv12") as reader:
        assert len(reader) == FRAMES and len(nv12) == FRAMES
        assert (reader.width, reader.height, reader.frame_rate) == (WIDTH, HEIGHT, RATE)
        assert same(reader[0], nv12[0]) and same(reader[-1], nv12[-1]) and same(reader[37], nv12[37])
        assert same(reader[10:20:3], nv12[10:20:3]) and same(reader[20:10:-4], nv12[20:10:-4])
        assert same(reader[[60, 3, 3, 41]], nv12[[60, 3, 3, 41]])
        assert same(reader.batch([5, 74, 0]), nv12[[5, 74, 0]])
        assert reader[5:5].shape == (0, HEIGHT * 3 // 2, WIDTH)
        assert same(reader.at(1), nv12[25])
        # A picture is shown from its time until the next one's.
        assert same(reader.at([0, 0.039, "0.04s", Fraction(2999, 1000), datetime.timedelta(seconds=2)]),
                    nv12[[0, 0, 1, 74, 50]])
        assert same(numpy.stack(list(reader)), nv12)
        got = dict(reader.every(1))
        assert list(got) == [0, 25, 50] and all(same(p, nv12[i]) for i, p in got.items())


def test_times(film):
    with sluice.FrameReader(film) as reader:
        assert [reader.time(i) for i in (0, 1, 74)] == [0, Fraction(1, 25), Fraction(74, 25)]
        assert reader.duration(3) == Fraction(1, 25) and (reader.start, reader.end) == (0, 3)
        assert reader.index_at(1.5) == 37 and reader.index_of(7) == 7 and reader.id(7) == 7
        for outside in (3, -0.01, 1e9):
            with pytest.raises(sluice.Error) as caught:
                reader.at(outside)
            assert caught.value.status == sluice.Status.ENOTFOUND


def test_rgb(tmp_path):
    """Two converters agree to rounding where chroma is smooth; and what is jumped to is what comes in order."""
    for name, options in {"601.mp4": [], "709.mkv": ["-colorspace", "bt709", "-color_range", "tv"],
                          "full.mp4": ["-pix_fmt", "yuvj420p"], "ten.mp4": ["-pix_fmt", "yuv420p10le"]}.items():
        path = tmp_path / name
        run("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"gradients=size={WIDTH}x{HEIGHT}:rate=10:seed=1",
            "-frames:v", "12", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "4", *options, path)
        with sluice.FrameReader(path) as reader:
            whole = numpy.stack(list(reader))
            theirs = decoded(path, "rgb24").astype(int)
            assert whole.shape == (12, HEIGHT, WIDTH, 3)
            assert ((whole - theirs) ** 2).mean() < 8, name
            assert abs((whole - theirs).mean()) < 1, name
            assert same(reader[7], whole[7]) and same(reader[[11, 2]], whole[[11, 2]])


def test_no_more_than_needed(film):
    with sluice.FrameReader(film, format="nv12") as reader:
        reader[26]
        once = reader.stats
        assert once["given"] == 1 and once["decoded"] < 10 and once["bytes_fetched"] < film.stat().st_size // 3
        reader[[26, 26, 27, 26]]
        twice = reader.stats
        assert twice["given"] - once["given"] == 2, "each picture once"


def test_wrong_numbers(film):
    with sluice.FrameReader(film) as reader:
        for index in (FRAMES, -FRAMES - 1):
            with pytest.raises(IndexError):
                reader[index]
        with pytest.raises(sluice.Error, match="id 75"):
            reader.batch([1, 75])
        with pytest.raises(TypeError):
            reader["x"]
        assert reader[1].shape == (HEIGHT, WIDTH, 3), "it goes on"


def test_what_cannot_be_opened(tmp_path, film):
    with pytest.raises(sluice.Error) as caught:
        sluice.FrameReader(tmp_path / "absent.mp4")
    assert caught.value.status == sluice.Status.ENOTFOUND and "absent.mp4" in str(caught.value)
    (tmp_path / "text.mp4").write_text("no film\n" * 100)
    with pytest.raises(sluice.Error):
        sluice.FrameReader(tmp_path / "text.mp4")
    with pytest.raises(sluice.Error, match="format"):
        sluice.FrameReader(film, format="yuv")
    with pytest.raises(TypeError):
        sluice.FrameReader(film, quality=3)


def test_odd_sizes(tmp_path):
    path = tmp_path / "odd.mkv"
    run("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=80x60:rate=10", "-frames:v", "3",
        "-vf", "format=gbrp,crop=61:47:1:1:exact=1",
        "-c:v", "libx264rgb", "-qp", "0", path)
    with sluice.FrameReader(path) as reader:
        assert same(reader[:], decoded(path, "rgb24", 61, 47))
    with sluice.FrameReader(path, format="nv12") as reader, pytest.raises(sluice.Error, match="even"):
        reader[0]


def test_close(film):
    reader = sluice.FrameReader(film)
    pictures = iter(reader)
    next(pictures)
    reader.close()
    reader.close()
    assert reader.closed and "closed" in repr(reader)
    for use in (lambda: reader[0], lambda: next(pictures), lambda: reader.stats):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_something_else_meanwhile(film):
    with sluice.FrameReader(film) as reader:
        pictures = reader.frames([1, 2, 3])
        assert next(pictures)[0] == 1
        assert reader[50].shape == (HEIGHT, WIDTH, 3)
        with pytest.raises(RuntimeError, match="meanwhile"):
            next(pictures)


def test_threads(film, nv12):
    """Calls follow one another; the lock of the interpreter is not held by them."""
    wrong = []
    with sluice.FrameReader(film, format="nv12") as reader:
        def work(first):
            for i in range(first, FRAMES, 20):
                if not same(reader[i], nv12[i]):
                    wrong.append(i)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert not wrong


def test_close_while_it_runs(film):
    reader = sluice.FrameReader(film)
    begun, ended = threading.Event(), []

    def work():
        try:
            for _ in range(1000):
                reader[:]
                begun.set()
        except (ValueError, sluice.Error) as e:
            ended.append(e)
    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    reader.close()
    thread.join(60)
    assert not thread.is_alive() and len(ended) == 1



def test_pickle(film):
    """As workers that load data do: each opens the file for itself."""
    with sluice.FrameReader(film, format="nv12") as reader:
        again = pickle.loads(pickle.dumps(reader))
        assert same(again[30], reader[30])
        again.close()


def test_warnings_are_logged(film, tmp_path, caplog):
    damaged = tmp_path / "damaged.mp4"
    data = bytearray(film.read_bytes())
    at = data.index(b"mdat") + 2000
    data[at:at + 300] = bytes(300)
    damaged.write_bytes(data)
    with caplog.at_level(logging.INFO, "sluice"), sluice.FrameReader(damaged) as reader:
        try:
            list(reader)
        except sluice.Error as e:
            assert e.status == sluice.Status.EDATA
    assert len(reader._arguments) == 4
