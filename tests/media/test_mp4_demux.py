# SPDX-License-Identifier: BSD-2-Clause
"""The MP4 demuxer, judged packet by packet by ffprobe: over the corpus, and over what ffmpeg's muxer writes."""
import collections
import json
import os
import pathlib

import pytest

from lib import CORPUS, SLUICE, make, run

DUMP = pathlib.Path(os.environ.get("SLUICE_DUMP",
                                   pathlib.Path(SLUICE).parent / "tests/unit/demux/sluice-dump-packets"))
FILES = sorted(CORPUS.glob("*.mp4")) if CORPUS.exists() else []

PICTURES = ["-f", "lavfi", "-i", "testsrc=s=160x90:r=30000/1001:d=3"]
SOUND = ["-f", "lavfi", "-i", "sine=d=3:r=48000"]
H264 = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "24", "-pix_fmt", "yuv420p"]


def dump(path, *args, ok=True):
    """Tracks, packets of each track in the order of the file, and how it ended."""
    done = run([DUMP, *args, path], env={**os.environ, "SLUICE_MODULES": str(pathlib.Path(SLUICE).parent / "modules")})
    assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode()
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    end = lines.pop()
    assert not ok or done.returncode == 0, end
    return [x for x in lines if "track" in x], [x for x in lines if "packet" in x], end


def listed(path):
    done = run(["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_packets", "-show_data_hash", "md5", path])
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    return found["streams"], [p for p in found["packets"] if p["size"] != "0"]


def ours(p):
    return (p["packet"], p["pts"], p["dts"], p["size"], p["pos"], bool(p["key"]), "MD5:" + p["md5"])


def theirs(p):
    return (p["stream_index"], p.get("pts"), p.get("dts"), int(p["size"]), int(p["pos"]), "K" in p["flags"], p["data_hash"])


def compare(path, *args, hidden=True, order=True):
    """Every packet, in order, with its times, place, flags and hash."""
    streams, want = listed(path)
    tracks, got, _ = dump(path, *args)
    assert len(tracks) == len(streams)
    if not order:
        got.sort(key=lambda p: (p["packet"], p["pos"]))
        want.sort(key=lambda p: (p["stream_index"], int(p["pos"])))
    assert len(got) == len(want)
    for n, (a, b) in enumerate(zip(got, want)):
        assert ours(a) == theirs(b), f"packet {n}"
        assert not hidden or bool(a["hidden"]) == ("D" in b["flags"]), f"packet {n}: {a}, {b}"
    for t, s in zip(tracks, streams):
        if s["codec_type"] == "video" and not s["disposition"]["attached_pic"]:
            assert (t["width"], t["height"]) == (s["width"], s["height"])
        if s["codec_type"] == "audio":
            assert (t["sample_rate"], t["channels"]) == (int(s["sample_rate"]), s["channels"])
    return tracks, got


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make(tmp_path_factory.mktemp("mp4") / "film.mp4", *PICTURES, *SOUND, "-map", "0", "-map", "1", *H264,
                "-c:a", "aac")


@pytest.mark.parametrize("path", [p for p in FILES if "editlist" not in p.name], ids=lambda p: p.name)
def test_corpus(path):
    compare(path, order="fragmented" not in path.name)
    assert dump(path, "--pipe")[2]["end"] == "end of stream"


@pytest.mark.parametrize("flags, name", [
    ("0", "last.mp4"), ("faststart", "first.mp4"), ("0", "film.mov"), ("negative_cts_offsets", "negative.mp4"),
    ("frag_keyframe", "hybrid.mp4"), ("frag_keyframe+empty_moov", "old_base.mp4"),
    ("frag_keyframe+empty_moov+default_base_moof", "frag.mp4"), ("frag_keyframe+empty_moov+separate_moof", "moofs.mp4"),
    ("frag_keyframe+delay_moov+global_sidx+default_base_moof", "sidx.mp4"), ("dash+delay_moov", "dash.mp4"),
    ("frag_every_frame+empty_moov", "every.mp4")])
def test_layouts(film, tmp_path, flags, name):
    path = make(tmp_path / name, "-i", film, "-map", "0", "-c", "copy", "-movflags", flags)
    fragments = "frag" in flags or "dash" in flags
    _, got = compare(path, hidden=not fragments)
    for way in (["--pipe"], ["--push", "1000"]):
        assert sorted(map(ours, dump(path, *way)[1])) == sorted(map(ours, got)), way


def test_negative_offsets_in_fragments(film, tmp_path):
    """ffprobe moves presentation times here; what stands in the file is that they begin at 0."""
    path = make(tmp_path / "n.mp4", "-i", film, "-map", "0:v", "-c", "copy",
                "-movflags", "frag_keyframe+empty_moov+negative_cts_offsets")
    _, got, _ = dump(path)
    _, want = listed(path)
    moved = {b["pts"] - a["pts"] for a, b in zip(got, want)}
    assert len(moved) == 1 and min(p["pts"] for p in got) == 0
    assert all(p["dts"] <= p["pts"] for p in got)


CODECS = [
    ("ac3.mp4", "ac3"), ("eac3.mp4", "eac3"), ("mp3.mp4", "libmp3lame"), ("alac.m4a", "alac"), ("flac.mp4", "flac"),
    ("opus.mp4", "libopus"), ("mp3.mov", "libmp3lame"), ("alac.mov", "alac"), ("ac3.mov", "ac3"), ("aac.mov", "aac"),
] + [(f"{c}.mov", c) for c in ("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le", "pcm_f64be",
                               "pcm_u8", "pcm_s8", "pcm_mulaw", "pcm_alaw")]


@pytest.mark.parametrize("name, codec", CODECS, ids=[n for n, _ in CODECS])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_sound(tmp_path, name, codec, channels):
    if channels == 6 and codec in ("libmp3lame", "pcm_mulaw", "pcm_alaw"):
        channels = 1
    path = make(tmp_path / name, *SOUND, "-ac", str(channels), "-c:a", codec, "-strict", "-2")
    tracks, _ = compare(path)
    streams, _ = listed(path)
    assert tracks[0]["codec_name"] == streams[0]["codec_name"]
    assert tracks[0]["config"] or codec.startswith("pcm") or codec in ("libmp3lame",)


@pytest.mark.parametrize("name, args", [
    ("hev1.mp4", ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:bframes=3"]),
    ("hvc1.mp4", ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-tag:v", "hvc1"]),
    ("vp9.mp4", ["-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime"]),
    ("mpeg4.mp4", ["-c:v", "mpeg4", "-bf", "2"]), ("mpeg2.mp4", ["-c:v", "mpeg2video", "-bf", "2"]),
    ("mjpeg.mov", ["-c:v", "mjpeg"]), ("opengop.mp4", ["-c:v", "libx264", "-x264-params", "open-gop=1:keyint=20"]),
    ("shape.mp4", [*H264, "-vf", "setsar=4/3", "-color_primaries", "bt2020", "-colorspace", "bt2020nc"]),
    ("variable.mp4", ["-vf", "setpts='if(gt(N,50),PTS*1.3,PTS)'", "-fps_mode", "passthrough", *H264]),
    ("prores.mov", ["-c:v", "prores"])], ids=lambda x: x if isinstance(x, str) else "")
def test_pictures(tmp_path, name, args):
    """prores: known to libavformat alone, which is asked then."""
    tracks, _ = compare(make(tmp_path / name, *PICTURES, *args))
    if name == "shape.mp4":
        assert tracks[0]["aspect"] == "4/3"


@pytest.mark.parametrize("start", ["1.001", "0.75", "1.3"])
def test_cut(film, tmp_path, start):
    """An edit list that begins within a group of pictures, at a picture or within one."""
    path = make(tmp_path / "cut.mp4", "-ss", start, "-i", film, "-map", "0", "-c", "copy")
    if start == "1.001":
        compare(path)
        return
    _, got, _ = dump(path)
    _, want = listed(path)
    by = collections.defaultdict(list)
    for a, b in zip(got, want):
        by[a["packet"]].append((a, b))
    # ffprobe moves all pictures to begin with the first whole one; ours keep in time with the sound,
    # and the one that has begun before is shown from the edit's start on.
    moved = collections.Counter(a["pts"] - b["pts"] for a, b in by[0])
    assert len(moved) == 2, moved
    (shift, _), (first, once) = moved.most_common()
    assert 0 < shift < 1001 and once == 1
    a, b = next((a, b) for a, b in by[0] if a["pts"] - b["pts"] == first)
    assert a["pts"] == 0 and not a["hidden"] and "D" in b["flags"]
    assert all(bool(a["hidden"]) == (a["pts"] < 0) for a, _ in by[0])
    assert all(ours(a) == theirs(b) for a, b in by[1])
    assert sum(a["trim"][0] > 0 for a, _ in by[1]) == 1


def test_late_pictures(film, tmp_path):
    """An empty edit."""
    path = make(tmp_path / "late.mp4", "-itsoffset", "0.7", "-i", film, "-i", film, "-map", "0:v", "-map", "1:a", "-c", "copy")
    tracks, _ = compare(path)
    assert tracks[0]["start"] == 21000 and tracks[1]["start"] == 0


def test_several_tracks(film, tmp_path):
    text = tmp_path / "s.srt"
    text.write_text("1\n00:00:00,500 --> 00:00:01,500\nHello\n\n2\n00:00:02,000 --> 00:00:02,500\nWorld\n")
    path = make(tmp_path / "many.mp4", "-i", film, "-i", text, "-i", text, "-map", "0", "-map", "0:a", "-map", "1", "-map", "2",
                "-c", "copy", "-c:s", "mov_text", "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=fre")
    tracks, _ = compare(path)
    assert [t["codec_name"] for t in tracks] == ["h264", "aac", "aac", "mov_text", "mov_text"]
    assert [t["language"] for t in tracks[3:]] == ["eng", "fre"]


def test_cover(tmp_path):
    picture = make(tmp_path / "c.png", "-f", "lavfi", "-i", "color=s=64x64:r=1:d=1", "-frames:v", "1")
    path = make(tmp_path / "cover.m4a", *SOUND, "-i", picture, "-map", "0", "-map", "1", "-c:a", "aac", "-c:v", "copy",
                "-disposition:v:0", "attached_pic")
    streams, want = listed(path)
    tracks, got, _ = dump(path)
    assert len(tracks) == len(streams) == 2
    assert [p["md5"] for p in got] == [p["data_hash"][4:] for p in want]


@pytest.mark.parametrize("flags", ["0", "faststart", "frag_keyframe", "frag_keyframe+empty_moov", "dash+delay_moov",
                                   "frag_keyframe+delay_moov+global_sidx+default_base_moof"])
def test_seek(film, tmp_path, flags):
    """To the last sync sample at or before a time, in each track."""
    path = make(tmp_path / "seek.mp4", "-i", film, "-map", "0", "-c", "copy", "-movflags", flags)
    _, packets, _ = dump(path)
    for track in (0, 1):
        mine = [p for p in packets if p["packet"] == track]
        keys = [p["pts"] for p in mine if p["key"]]
        low, high = min(p["pts"] for p in mine), max(p["pts"] for p in mine)
        for time in [low - 5, low, *(low + (high - low) * k // 5 for k in range(1, 5)), high, high + 10 ** 6]:
            want = max((k for k in keys if k <= time), default=keys[0])
            first = next(p for p in dump(path, "--seek", f"{track}:{time}")[1] if p["packet"] == track)
            assert first["pts"] == want and first["key"], (track, time)


@pytest.mark.parametrize("name", ["film.ts", "film.avi", "film.flv", "film.ogg"])
def test_seek_of_libavformat(film, tmp_path, name):
    codecs = ["-c:v", "libtheora", "-c:a", "libvorbis"] if name.endswith("ogg") else ["-c", "copy"]
    codecs += ["-c:a", "libmp3lame"] if name.endswith("avi") else []
    path = make(tmp_path / name, "-i", film, "-map", "0", *codecs)
    mine = [p for p in dump(path)[1] if p["packet"] == 0]
    times = [p["pts"] if p["pts"] is not None else p["dts"] for p in mine]
    keys = [t for t, p in zip(times, mine) if p["key"]]
    for k in range(6):
        time = min(times) + (max(times) - min(times)) * k // 5
        want = max((t for t in keys if t <= time), default=keys[0])
        first = next(p for p in dump(path, "--seek", f"0:{time}")[1] if p["packet"] == 0)
        assert first["key"] and (first["pts"] if first["pts"] is not None else first["dts"]) == want, time


def test_cut_off(film, tmp_path):
    """What is there is given, then it is said where it ends."""
    for flags in ("faststart", "frag_keyframe+empty_moov"):
        whole = make(tmp_path / "whole.mp4", "-i", film, "-map", "0", "-c", "copy", "-movflags", flags)
        data = whole.read_bytes()
        short = tmp_path / "short.mp4"
        short.write_bytes(data[:len(data) * 3 // 4])
        _, packets, _ = dump(whole)
        _, got, end = dump(short, ok=False)
        there = [ours(p) for p in packets if p["pos"] + p["size"] <= len(data) * 3 // 4]
        assert [ours(p) for p in got] == there
        assert "cut short" in end["end"]


def test_index_behind_too_much(tmp_path):
    """On a pipe, media before the index are held only so far; the error says what can be done."""
    path = make(tmp_path / "large.mp4", "-f", "lavfi", "-i", "anullsrc=r=192000:cl=7.1:d=30", "-c:a", "pcm_s16le", "-f", "mov")
    assert path.stat().st_size > 70 << 20
    _, _, end = dump(path, "--pipe", ok=False)
    assert "cannot seek" in end["end"] and "'moov'" in end["end"]
