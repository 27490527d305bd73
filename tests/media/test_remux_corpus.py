# SPDX-License-Identifier: BSD-2-Clause
"""`sluice remux` of every file of the shared corpus, where it is present: packets, times, cuts, pipes.

`make check` leaves out what is long (six minutes of film; pictures that must be encoded, but for a few
seconds of them); `make soak` does all of it to the end."""
import functools
import os

import pytest

from lib import CORPUS, decode_clean, probe, run
from remux_judge import PASSED, F, Mp4, Source, judge, remux, remux_through, shown_span

FULL = os.environ.get("SLUICE_SOAK") == "1"
FILES = sorted(p for p in CORPUS.glob("*.*") if p.suffix != ".tsv") if CORPUS.exists() else []
LONG = {"long6min-1080p30-h264-aac.mp4"}
SHORT = [p for p in FILES if p.name not in LONG]
STREAMED = [p for p in SHORT if p.suffix in (".mkv", ".webm", ".ts") or "fragmented" in p.name]
IDS = dict(ids=lambda p: p.name)


@functools.lru_cache(maxsize=None)
def read(path):
    return Source(path).exact() if "editlist" in path.name else Source(path)


def is_encoded(source):
    return source.best("video")["codec_name"] not in PASSED.values()


def at_most(source, seconds=4):
    """Encoding pictures is not what is judged here."""
    return ["--duration", str(seconds)] if is_encoded(source) and not FULL else []


def decode_some(path, out):
    """Hashes have shown that the packets are right: that they can be decoded is shown by a few."""
    args = [] if FULL else ["-t", "2"]
    if "roof" not in path.name:
        decode_clean(out, *args)
    else:  # what libavcodec says of its Dolby Vision data, it says of the source too
        done = run(["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", out, *args, "-enc_time_base", "-1", "-f",
                    "null", "-"])
        assert done.returncode == 0 and done.stderr.replace(b"\n", b"").count(b"[") == done.stderr.count(b"RPUs found"), \
            done.stderr.decode()


@pytest.mark.parametrize("path", FILES, **IDS)
def test_remux_of(path, tmp_path):
    source, out = read(path), tmp_path / "out.mp4"
    limit = at_most(source)
    remux(path, out, *limit)
    mp4 = judge(path, out, source, whole=not limit)
    assert mp4.fragmented
    probe(out, "-show_streams")
    decode_some(path, out)


@pytest.mark.parametrize("path", FILES if FULL else SHORT, **IDS)
def test_faststart_of(path, tmp_path):
    source, out = read(path), tmp_path / "out.mp4"
    limit = at_most(source)
    remux(path, out, "--faststart", *limit)
    mp4 = judge(path, out, source, whole=not limit)
    assert not mp4.fragmented
    probe(out, "-show_streams")
    decode_some(path, out)


@pytest.mark.parametrize("path", FILES, **IDS)
def test_start_of(path, tmp_path):
    """Picture and sound begin together at the asked time, and end together four seconds later."""
    source, out = read(path), tmp_path / "out.mp4"
    last = max(p.pts for p in source.packets[source.best("video")["index"]]) - source.zero()
    start = F(10) if last > 11 else F(int(last * 5), 10)
    remux(path, out, "--start", f"{float(start):.1f}", "--duration", "4")
    mp4 = judge(path, out, source, start, whole=False)
    for track in mp4.tracks:
        times = mp4.times(track)
        frame = max(F(s.duration, track.scale) for s in track.samples)
        begin, end = shown_span(mp4, track)
        expected = min(max_end(source, track.kind) - start, 4)
        assert begin <= (0 if track.kind == "video" else frame), (track.kind, float(begin))
        if track.kind == "video":
            # What is shown later is there only where something in time is decoded from it.
            assert end > expected - frame and times[-1] < 4, (float(end), float(times[-1]))
        else:
            assert abs(end - expected) <= frame, (float(end), float(expected))
            assert min(times) >= -1 - frame, "more than a second of sound is hidden"
    decode_some(path, out)


def max_end(source, kind):
    packets = source.packets[source.best(kind)["index"]]
    return max(p.pts + p.duration for p in packets if p.pts is not None) - source.zero()


@pytest.mark.parametrize("path", STREAMED, **IDS)
def test_through_pipes_of(path, tmp_path):
    """From a pipe and into one: the same packets at the same times as from file to file."""
    source = read(path)
    limit = at_most(source)
    piped, filed = tmp_path / "piped.mp4", tmp_path / "filed.mp4"
    remux_through(path, piped, *limit)
    judge(path, piped, source, whole=not limit)
    remux(path, filed, *limit)
    a, b = Mp4(piped), Mp4(filed)
    for x, y in zip(a.tracks, b.tracks):
        # How far libavformat interpolates within a PES packet depends on whether it may seek.
        slack = F(1, 10000) if path.suffix == ".ts" else 0
        assert all(abs(s - t) <= slack for s, t in zip(a.times(x), b.times(y)))
        assert [s.hash for s in x.samples] == [s.hash for s in y.samples]


@pytest.mark.parametrize("path", [p for p in SHORT if "nasa" in p.name], **IDS)
def test_choice_of_tracks(path, tmp_path):
    source, out = read(path), tmp_path / "out.mp4"
    remux(path, out, "--video-track", "0", "--audio-track", "4,1")
    mp4 = Mp4(out)
    assert [t.kind for t in mp4.tracks] == ["video", "audio", "audio"]
    for track, index in zip(mp4.tracks, (0, 1, 4)):
        assert [s.hash for s in track.samples] == [p.hash for p in source.packets[index]]
