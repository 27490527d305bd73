# SPDX-License-Identifier: BSD-2-Clause
"""Live runs: what is published stays what it was, whatever happens to the process that publishes it.
SLUICE_KILLS: how often one run is killed (5 in `make check`, 100 in `make soak`)."""
import contextlib
import os
import random
import re
import signal
import sqlite3
import subprocess
import time

import pytest

from lib import SLUICE, decode_clean, make, probe, run, sluice
from judge import judge

KILLS = int(os.environ.get("SLUICE_KILLS", "5"))
SMALL = ["--rung", "name=a,height=180,bitrate=400,preset=ultrafast", "--rung", "name=b,height=90,bitrate=100,preset=ultrafast"]


class Run:
    def __init__(self, tmp, name="film"):
        self.tmp, self.name, self.store = tmp, name, tmp / "store"
        self.db = self.store / "registry.sqlite"
        self.place = ["--run", name, "--store", self.store]
        self.seen = {}

    def args(self, source, *more):
        return [SLUICE, "ladder", str(source), *map(str, self.place), "--segment", "1", *SMALL, *map(str, more)]

    def rows(self, sql, *values):
        if not self.db.exists():
            return []
        with contextlib.closing(sqlite3.connect(self.db, timeout=10)) as db:
            try:
                return db.execute(sql, values).fetchall()
            except sqlite3.OperationalError as e:
                assert "no such table" in str(e)  # killed before there was one
                return []

    def state(self):
        return self.rows("SELECT state, root_cid, master_cid, error FROM runs WHERE id = ?", self.name)[0]

    def segments(self, rendition):
        return self.rows("SELECT number, cid, start_ticks, duration_ticks, discontinuity, gap, init_cid, program_time "
                         "FROM segments WHERE run = ? AND rendition = ? ORDER BY number", self.name, rendition)

    def renditions(self):
        return [name for name, in self.rows("SELECT name FROM renditions WHERE run = ? ORDER BY place", self.name)]

    def check(self):
        """Numbers follow one another, so do times, and nothing differs from what was seen before."""
        total = 0
        for name in self.renditions():
            rows = self.segments(name)
            at = 0
            for n, row in enumerate(rows):
                assert row[0] == n and row[2] == at, (name, row)
                at += row[3]
                assert self.seen.setdefault((name, n), row) == row, (name, n)
            total += len(rows)
        return total

    def get(self, cid, to):
        sluice("store", "get", cid, "-o", to, "--store", self.store)
        return to

    def text(self, cid):
        return sluice("store", "get", cid, "-o", "-", "--store", self.store).stdout.decode()

    def finished(self, frames, **how):
        """Judges a finished run by its root directory."""
        state, root, master, error = self.state()
        assert (state, error) == ("finished", "") and root and master
        self.check()
        sluice("store", "gc", "--store", self.store)  # takes nothing that is still named
        out = self.get(root, self.tmp / "root")  # which checks each block
        judge(out, self.tmp, segment=1, frames=frames, event=False, **how)
        playlists = re.findall(r"/ipfs/(\w+)", self.text(master))
        for name, cid in zip(sorted(self.renditions(), key="audio".__ne__), playlists):
            text = self.text(cid)
            assert text.startswith("#EXTM3U") and "#EXT-X-ENDLIST" in text and "TYPE:EVENT" in text
            assert re.findall(r"^/ipfs/(\w+)", text, re.M) == [row[1] for row in self.segments(name)], name
        return out


@pytest.fixture
def film(tmp_path):
    return Run(tmp_path)


@pytest.mark.parametrize("fmt", ["fmp4", "ts"])
def test_run(media, film, fmt):
    done = sluice(*film.args(media("plain.mkv"), "--format", fmt)[1:])
    assert done.stdout.decode() == f"/ipfs/{film.state()[1]}/master.m3u8\n"
    out = film.finished(300)
    times = [row[7] for row in film.segments("a")]
    assert all(990000 < b - a < 1050000 for a, b in zip(times, times[1:]))
    assert "#EXT-X-PROGRAM-DATE-TIME:20" in (out / "a" / "playlist.m3u8").read_text()
    # It is what it is.
    again = run(film.args(media("plain.mkv"), "--format", fmt))
    assert again.returncode != 0 and b"finished" in again.stderr, again.stderr


def test_gateway(media, film):
    sluice(*film.args(media("silent.mp4"), "--gateway", "https://gateway.example/ipfs/")[1:])
    master = film.text(film.state()[2])
    cids = re.findall(r"^https://gateway.example/ipfs/(\w+)$", master, re.M)
    assert len(cids) == 2 and "/ipfs/" not in master.replace("https://gateway.example/ipfs/", "")
    for cid in cids:
        text = film.text(cid)
        assert len(re.findall(r"^https://gateway.example/ipfs/\w+$", text, re.M)) == 6
        assert re.search(r'#EXT-X-MAP:URI="https://gateway.example/ipfs/\w+"', text)


def killed(film, args, delay):
    p = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, err = p.communicate(timeout=delay)
        assert p.returncode == 0, err.decode()
        return True
    except subprocess.TimeoutExpired:
        p.kill()
        p.communicate()
    return False


@pytest.mark.parametrize("fmt,source", [("fmp4", "plain.mkv"), ("ts", "plain.ts")])
def test_killed(media, film, fmt, source):
    rng = random.Random(7 + len(fmt))
    kills = KILLS if fmt == "fmp4" else max(2, KILLS // 10)
    times = 1 if kills < 20 else 20
    path = make(film.tmp / f"long{media(source).suffix}", "-stream_loop", times - 1, "-i", media(source), "-c", "copy")
    args = film.args(path, "--format", fmt)
    start = time.monotonic()
    subprocess.run([SLUICE, "ladder", str(path), "-o", str(film.tmp / "plain"), *args[7:]], check=True)
    frames = int(probe(path, "-count_packets", "-show_entries", "stream=nb_read_packets", select="v:0",
                       warn=False)["streams"][0]["nb_read_packets"])
    # Lives are as long as it takes for one run to be killed a little more often than asked, whatever the machine is
    # doing.
    aim = kills + kills // 5 + 2
    life, total = (time.monotonic() - start) / (2 * aim), (30 if fmt == "fmp4" else 20) * times
    done = 0
    while done < aim and not killed(film, args, rng.uniform(0, 2 * life)):
        done += 1
        life *= 0.75 if film.check() * aim > total * done else 1.2
    assert done >= kills, "it was finished before it was killed often"
    if not film.rows("SELECT 1 FROM runs WHERE state = 'finished'"):
        sluice(*args[1:])
    out = film.finished(frames)
    for name in ("a", "b"):
        assert not any(row[4] or row[5] for row in film.segments(name)), "a discontinuity where none is needed"
        plain, durations = ([float(n) for n in re.findall(r"#EXTINF:([\d.]+)", path.read_text())] for path in (
            film.tmp / "plain" / name / "playlist.m3u8", out / name / "playlist.m3u8"))
        assert durations == plain


def test_stopped(media, film):
    """A run that was asked to stop publishes what it has, is not ended, and goes on behind that."""
    args = film.args(media("film-rate.mkv"))
    p = subprocess.Popen([*args, "--progress=json"], stderr=subprocess.PIPE)
    while b'"segments":0' in p.stderr.readline():
        pass
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=60)
    assert p.returncode == 1 and film.state()[0] == "stopped"
    assert film.check() > 0
    assert "ENDLIST" not in film.text(film.state()[2])
    sluice("runs", "resume", film.name, "--store", film.store)
    film.finished(480, sound=False)


def frames(size, first, count):
    for i in range(first, first + count):
        yield bytes([i * 3 % 256, i * 5 % 256, i * 7 % 256]) * (size[0] * size[1])


def test_pipe(film):
    """Frames that are gone leave a gap where one rendition had more than another, and a discontinuity."""
    size = (320, 180)
    args = film.args("-", "--raw", "rgb24", "--size", "%dx%d" % size, "--rate", "25")
    p = subprocess.Popen(args, stdin=subprocess.PIPE)
    for frame in frames(size, 0, 90):
        p.stdin.write(frame)
    p.stdin.flush()
    deadline = time.monotonic() + 60
    while len(film.segments("a")) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    p.kill()
    p.wait()
    before = {name: len(film.segments(name)) for name in ("a", "b")}
    film.check()
    # As if one rendition had been slower.
    p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    p.communicate(b"".join(frames(size, 100, 60)), timeout=120)
    assert p.returncode == 0
    film.check()
    rows = {name: film.segments(name) for name in ("a", "b")}
    first = max(before.values())
    for name in rows:
        assert len(rows[name]) == first + 3
        assert [row[4] for row in rows[name]] == [0] * first + [1, 0, 0]
        assert [row[5] for row in rows[name]] == [int(before[name] <= n < first) for n in range(first + 3)]
        assert rows[name][first][2] == first * rows[name][0][3]
    state, root, _, _ = film.state()
    out = film.get(root, film.tmp / "root")
    for name in rows:
        text = (out / name / "playlist.m3u8").read_text()
        assert text.count("#EXT-X-DISCONTINUITY\n") == 1
        assert text.count("#EXT-X-PROGRAM-DATE-TIME") == 2
        assert text.count("#EXT-X-GAP") == first - before[name]
    n = probe(out / "a" / "playlist.m3u8", "-count_packets", "-show_entries", "stream=nb_read_packets", select="v:0",
              warn=False)["streams"][0]["nb_read_packets"]
    assert int(n) == 25 * before["a"] + 60


def test_finish(film):
    """Nobody goes on with it: what is there becomes all there is."""
    size = (320, 180)
    args = film.args("-", "--raw", "rgb24", "--size", "%dx%d" % size, "--rate", "25")
    p = subprocess.Popen(args, stdin=subprocess.PIPE)
    for frame in frames(size, 0, 120):
        p.stdin.write(frame)
    p.stdin.flush()
    deadline = time.monotonic() + 60
    while not all(film.segments(name) for name in ("a", "b")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    busy = run([SLUICE, "runs", "finish", film.name, "--store", film.store])
    assert busy.returncode == 1, "its writer is alive"
    p.kill()
    p.wait()
    refused = run([SLUICE, "runs", "resume", film.name, "--store", film.store])
    assert refused.returncode == 1 and b"runs finish" in refused.stderr
    done = sluice("runs", "finish", film.name, "--store", film.store)
    state, root, _, _ = film.state()
    assert state == "finished" and done.stdout.decode() == f"/ipfs/{root}/master.m3u8\n"
    film.check()
    decode_clean(film.get(root, film.tmp / "root") / "a" / "playlist.m3u8")


def test_registry_locked(media, film):
    """A registry that is locked for some seconds holds the run up, and no more."""
    sluice(*film.args(media("silent.mp4"))[1:])  # makes the file
    second = Run(film.tmp, "second")
    with contextlib.closing(sqlite3.connect(film.db, isolation_level=None)) as db:
        p = subprocess.Popen([*second.args(media("silent.mp4"))], stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while not second.rows("SELECT 1 FROM renditions WHERE run = 'second'"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        db.execute("BEGIN IMMEDIATE")
        time.sleep(2.5)
        db.execute("ROLLBACK")
        _, err = p.communicate(timeout=120)
    assert p.returncode == 0, err
    second.finished(150, sound=False)


def test_registry_gone(media, film):
    """For longer than the run has patience: one clear line, and it is completed by whoever goes on."""
    sluice(*film.args(media("silent.mp4"))[1:])
    second = Run(film.tmp, "second")
    args = second.args(media("plain.mkv"), "--patience", "1")
    with contextlib.closing(sqlite3.connect(film.db, isolation_level=None)) as db:
        p = subprocess.Popen(args, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while not second.rows("SELECT 1 FROM segments WHERE run = 'second'") and p.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        db.execute("BEGIN IMMEDIATE")
        _, err = p.communicate(timeout=120)
        db.execute("ROLLBACK")
    lines = err.decode().splitlines()
    assert p.returncode == 1 and len([line for line in lines if "waiting" not in line]) == 1, lines
    second.check()
    sluice(*args[1:])
    second.finished(300)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MiB."""
    where = tmp_path / "disk"
    where.mkdir()
    if run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", where]).returncode != 0:
        pytest.skip("no right to mount a file system")
    yield where
    run(["umount", "-l", where])


def test_disk_full(media, film, small_disk):
    """A disk that is full holds the run up until there is room."""
    film.store, film.db = small_disk / "store", small_disk / "store" / "registry.sqlite"
    film.place[3] = film.store
    (small_disk / "filler").write_bytes(bytes(3300 << 10))
    p = subprocess.Popen(film.args(media("plain.mkv")), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    told = p.stderr.readline()
    assert b"waiting" in told and (b"no space" in told or b"the disk is full" in told), told  # store, or registry
    (small_disk / "filler").unlink()
    told = p.communicate(timeout=120)[1]
    assert p.returncode == 0 and b"goes on" in told, told
    film.finished(300)


def test_refusals(media, film):
    for args, word in ((["--run", "x", "-o", film.tmp / "o"], b"store"), (["--store", film.store], b"run"),
                       (["--run", "a/b", "--store", film.store], b"a/b")):
        done = run([SLUICE, "ladder", media("silent.mp4"), *args])
        assert done.returncode == 2 and word in done.stderr, done.stderr
    assert run([SLUICE, "runs", "resume", "none", "--store", film.store]).returncode == 1
    p = subprocess.Popen(film.args("-", "--raw", "rgb24", "--size", "320x180", "--rate", "25"), stdin=subprocess.PIPE)
    p.communicate(b"".join(frames((320, 180), 0, 3)), timeout=60)
    done = run(film.args(media("silent.mp4")))
    assert done.returncode != 0 and b"finished" in done.stderr
