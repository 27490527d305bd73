# SPDX-License-Identifier: BSD-2-Clause
"""LadderOutput: pictures of all kinds become a run, which goes on where a killed process left it."""
import inspect
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from fractions import Fraction

import numpy
import pytest

import sluice
from sluice import _ladder, _options

from conftest import PRELOAD, ROOT, run

SLUICE = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
SIZE = WIDTH, HEIGHT = 160, 90
FAST = dict(rung=["name=a,height=90,bitrate=300", "name=b,height=44,bitrate=100"], preset="ultrafast",
            segment_duration=1)


def picture(i, shape=(HEIGHT, WIDTH, 3)):
    array = numpy.zeros(shape, numpy.uint8)
    array[..., 0] = i * 5 % 256
    array[: i % HEIGHT, :, 1] = 200
    return array


def stored(tmp, cid):
    return run(SLUICE, "store", "get", cid, "-o", "-", "--store", tmp / "store").stdout.decode()


def fetched(tmp, cid):
    run(SLUICE, "store", "get", cid, "-o", tmp / "root", "--store", tmp / "store")
    return tmp / "root"


def frames(playlist):
    text = run("ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries",
               "stream=nb_read_packets", "-of", "csv=p=0", playlist).stdout.decode()
    return int(text.split()[0].strip(","))


def test_output(tmp_path):
    told = []
    output = sluice.LadderOutput(tmp_path, SIZE, 25, on_playlist_update=lambda *a: told.append(a), **FAST)
    assert output.is_open and output.playlist_cid is None and output.playlist_url is None
    for i in range(60):
        output.write(picture(i))
    output.close()
    output.close()
    assert not output.is_open
    assert output.playlist_url == f"https://ipfs.io/ipfs/{output.playlist_cid}"
    master, renditions = told[-1]
    assert list(renditions) == ["a", "b"]
    assert {**renditions["a"], "cid": ""} == {"cid": "", "width": 160, "height": 90, "bitrate": 300 * 3 // 2 * 1050}
    assert [cid for cid in re.findall(r"https://ipfs.io/ipfs/(\w+)", stored(tmp_path, master))] == [
        r["cid"] for r in renditions.values()]
    for name, cids in output.segment_cids.items():
        assert len(cids) == 3
        assert re.findall(r"^https://ipfs.io/ipfs/(\w+)$", stored(tmp_path, renditions[name]["cid"]), re.M) == cids
    root = fetched(tmp_path, output.root_cid)
    assert frames(root / "a" / "playlist.m3u8") == 60
    assert (root / "a" / "000" / "000002.ts").exists()
    with pytest.raises(ValueError, match="closed"):
        output.write(picture(0))


class Both:
    def __init__(self, array, on_gpu):
        self.cpu, self.gpu = (None, Device(array)) if on_gpu else (array, None)
        self.is_on_gpu = on_gpu


class Device:
    """As much of a CuPy array as is looked at."""
    def __init__(self, array):
        self.array = array

    @property
    def __cuda_array_interface__(self):
        return {"shape": self.array.shape, "typestr": "|u1", "data": (1, False), "version": 3}

    def get(self):
        return self.array


class Tensor:
    def __init__(self, array):
        self.array = array

    def cpu(self):
        return self.array


@pytest.mark.parametrize("kind", ["float32", "float64", "rows", "reversed", "columns", "rgba", "fortran", "cupy",
                                  "both", "gpu", "tensor", "list", "int64"])
def test_pictures(kind):
    array = picture(30)
    wide = numpy.zeros((HEIGHT, WIDTH + 7, 3), numpy.uint8)
    wide[:, :WIDTH] = array
    given = {
        "float32": array.astype(numpy.float32) / 255, "float64": array / 255, "rows": wide[:, :WIDTH],
        "reversed": array[::-1], "columns": array[:, ::-1], "rgba": numpy.dstack([array, array[..., 0]]),
        "fortran": numpy.asfortranarray(array), "cupy": Device(array), "both": Both(array, False),
        "gpu": Both(array, True), "tensor": Tensor(array), "list": array.tolist(), "int64": array.astype(int),
    }[kind]
    want = {"reversed": array[::-1], "columns": array[:, ::-1]}.get(kind, array)
    got = _ladder._pixels(given, WIDTH, HEIGHT)
    assert got.dtype == numpy.uint8 and got.strides[2] == 1 and got.strides[1] == got.shape[2]
    assert numpy.array_equal(got[..., :3], want)


def test_floats_are_clipped():
    array = numpy.full((HEIGHT, WIDTH, 3), numpy.nan)
    array[0], array[1], array[2] = -1, 7, .5
    got = _ladder._pixels(array, WIDTH, HEIGHT)
    assert [int(got[i, 0, 0]) for i in range(4)] == [0, 255, 128, 0]


@pytest.mark.parametrize("frame,error", [
    (numpy.zeros((WIDTH, HEIGHT, 3), numpy.uint8), ValueError), (numpy.zeros((HEIGHT, WIDTH, 3), complex), ValueError),
    (numpy.zeros((HEIGHT, WIDTH), numpy.uint8), ValueError), (None, ValueError)])
def test_bad_pictures(tmp_path, frame, error):
    with sluice.LadderOutput(tmp_path, SIZE, **FAST) as output:
        with pytest.raises(error):
            output.write(frame)
    # Nothing was written, so there is no run.
    with sqlite3.connect(tmp_path / "store" / "registry.sqlite") as db:
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_times(tmp_path):
    """Seconds, and frames of the nominal rate after the last one that was said."""
    with sluice.LadderOutput(tmp_path, SIZE, Fraction(30000, 1001), format="fmp4", **FAST) as output:
        for i, t in enumerate([0, 0, .5, Fraction(3, 4), 0, 0, 1.25]):
            output.write(picture(i), t)
        with pytest.raises(ValueError, match="not after"):
            output.write(picture(9), 1)
    root = fetched(tmp_path, output.root_cid)
    text = run("ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time", "-of",
               "csv=p=0", root / "a" / "playlist.m3u8").stdout.decode()
    frame = 1001 / 30000
    got = sorted(float(line.split(",")[0]) for line in text.split())
    assert got == pytest.approx([0, frame, .5, .75, .75 + frame, .75 + 2 * frame, 1.25], abs=1e-3)


def test_sound(tmp_path, media):
    with sluice.LadderOutput(tmp_path, SIZE, 25, audio_source=media("av.mkv"), **FAST) as output:
        for i in range(75):
            output.write(picture(i))
    root = fetched(tmp_path, output.root_cid)
    text = run("ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0",
               root / "a" / "000" / "000001.ts").stdout.decode()
    assert "h264" in text and "aac" in text
    assert 'mp4a.40.2"' in (root / "master.m3u8").read_text()


PROGRAM = """
import sys, time
sys.path.insert(0, {python!r})
sys.path.insert(0, {tests!r})
import sluice
from test_ladder import FAST, SIZE, picture
output = sluice.LadderOutput({directory!r}, SIZE, 25, run="film", **FAST)
for i in range(1000000):
    output.write(picture(i))
    time.sleep(0.001)
"""


def test_killed(tmp_path):
    program = PROGRAM.format(python=str(pathlib.Path(sluice.__file__).parents[1]),
                             tests=str(pathlib.Path(__file__).parent), directory=str(tmp_path))
    db = tmp_path / "store" / "registry.sqlite"
    env = {**os.environ, **({"LD_PRELOAD": PRELOAD} if PRELOAD else {})}
    child = subprocess.Popen([sys.executable, "-c", program], env=env)
    deadline = time.monotonic() + 60
    try:
        while not db.exists() or not segments(db, "b"):
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    before = segments(db, "a")
    with sluice.LadderOutput(tmp_path, SIZE, 25, run="film", **FAST) as output:
        for i in range(50):
            output.write(picture(i))
    after = segments(db, "a")
    assert after[:len(before)] == before
    assert len(segments(db, "b")) == len(after) >= len(before) + 2
    assert sum(row[2] for row in after) == 1


def segments(db, name):
    try:
        with sqlite3.connect(db) as connection:
            return connection.execute("SELECT number, cid, discontinuity FROM segments WHERE rendition = ? ORDER BY "
                                      "number", (name,)).fetchall()
    except sqlite3.OperationalError:
        return []


def test_lock_is_released(tmp_path):
    """Others run while the encoders are behind."""
    turns = 0
    done = threading.Event()

    def count():
        nonlocal turns
        while not done.is_set():
            turns += 1
            time.sleep(0.0005)

    with sluice.LadderOutput(tmp_path, (640, 360), 25, segment_duration=1, preset="medium") as output:
        thread = threading.Thread(target=count)
        thread.start()
        for i in range(40):
            output.write(picture(i, (360, 640, 3)))
        done.set()
        thread.join()
    assert turns > 20


def test_exception_leaves_it_to_be_gone_on_with(tmp_path):
    with pytest.raises(KeyError):
        with sluice.LadderOutput(tmp_path, SIZE, 25, run="x", **FAST) as output:
            for i in range(60):
                output.write(picture(i))
            raise KeyError
    assert not output.is_open
    with sluice.LadderOutput(tmp_path, SIZE, 25, run="x", **FAST) as output:
        output.write(picture(0))
    with pytest.raises(sluice.Error, match="finished"):
        sluice.LadderOutput(tmp_path, SIZE, 25, run="x", **FAST)


def test_callback_that_raises(tmp_path, caplog):
    with sluice.LadderOutput(tmp_path, SIZE, 25, on_playlist_update=lambda *_: 1 / 0, **FAST) as output:
        for i in range(30):
            output.write(picture(i))
    assert "on_playlist_update" in caplog.text and output.root_cid


def test_keywords():
    names = set(inspect.signature(sluice.LadderOutput.__init__).parameters)
    assert set(_options.LADDER) - set(_ladder._OWN) <= names
    assert sluice.MultiResolutionHLSOutput is sluice.LadderOutput
    with pytest.raises(TypeError, match="presett"):
        sluice.LadderOutput("/nonexistent/x", SIZE, presett="fast")
    with pytest.raises(TypeError):
        sluice.LadderOutput("/nonexistent/x", SIZE, rate=3)
