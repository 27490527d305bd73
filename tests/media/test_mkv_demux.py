# SPDX-License-Identifier: BSD-2-Clause
"""The Matroska demuxer, judged packet by packet by ffprobe, over what mkvmerge and ffmpeg write."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from lib import CORPUS, F, SLUICE, make, run

DUMP = pathlib.Path(os.environ.get("SLUICE_DUMP",
                                   pathlib.Path(SLUICE).parent / "tests/unit/demux/sluice-dump-packets"))


class Dump:
    """What sluice-dump-packets printed."""

    def __init__(self, *args, ok=True):
        done = run([DUMP, *args])
        assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode()
        self.log = done.stderr.decode()
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.end = lines.pop()
        if ok:
            assert done.returncode == 0, self.end
        self.head = lines.pop(0) if lines and "format" in lines[0] else {}
        self.tracks = [line for line in lines if "track" in line]
        self.packets = [line for line in lines if "packet" in line]

    def of(self, track):
        return [p for p in self.packets if p["packet"] == track]


def judge(path):
    """ffprobe's tracks (attachments aside) and the packets of each."""
    done = run(["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_packets", "-show_data_hash", "md5",
                path])
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    streams = [s for s in found["streams"]
               if s["codec_type"] != "attachment" and not s["disposition"]["attached_pic"]]
    packets = {s["index"]: [] for s in streams}
    for p in found["packets"]:
        if p["stream_index"] in packets and p["size"] != "0":
            packets[p["stream_index"]].append(p)
    return streams, [packets[s["index"]] for s in streams]


def compare(path, *args, times=True):
    ours = Dump(*args, path)
    streams, theirs = judge(path)
    assert ours.head["format"] == "mkv"
    assert len(ours.tracks) == len(streams)
    for track, (t, s) in enumerate(zip(ours.tracks, streams)):
        mine = ours.of(track)
        assert len(mine) == len(theirs[track]), (path, track)
        timebase, tick = F(t["timebase"]), F(s["time_base"])
        last = None
        for n, (a, b) in enumerate(zip(mine, theirs[track])):
            where = (path, track, n, a, b)
            assert a["size"] == int(b["size"]), where
            assert "MD5:" + a["md5"] == b["data_hash"], where
            assert a["key"] == ("K" in b["flags"]), where
            if times and "pts" in b and a["pts"] is not None:
                moved = abs(a["pts"] * timebase - b["pts"] * tick)
                # Of a file's tick at most, and of ours where a block is not on the grid. A lace's
                # later frames have no time of their own: ffprobe sums rounded durations.
                own = a["pos"] != last
                assert moved <= (tick / 2 + timebase / 2 if own else 3 * tick), where
            last = a["pos"]
        if s["codec_type"] == "video":
            assert (t["width"], t["height"]) == (s["width"], s["height"])
        if s["codec_type"] == "audio":
            assert (t["sample_rate"], t["channels"]) == (int(s["sample_rate"]), s["channels"])
        if s["codec_type"] in ("audio", "video"):
            assert s["codec_name"].startswith(t["codec_name"])
        language = s.get("tags", {}).get("language", "")
        assert t["language"] == language or t["language"].startswith(language[:2])
        assert (t["default"], t["forced"]) == (s["disposition"]["default"], s["disposition"]["forced"])
    return ours


# ---- the corpus, and every codec ------------------------------------------------------------------

@pytest.mark.parametrize("path", sorted(p for p in CORPUS.glob("*.*") if p.suffix in (".mkv", ".webm"))
                         if CORPUS.exists() else [], ids=lambda p: p.name)
def test_corpus(path):
    whole = compare(path)
    assert Dump("--pipe", path).packets == whole.packets
    assert Dump("--push", "1000", path).packets == whole.packets


PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30000/1001:duration=3"]
SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=3"]
FAST = ["-preset", "ultrafast", "-pix_fmt", "yuv420p"]

VIDEO = {
    "h264": ["-c:v", "libx264", *FAST, "-bf", "2", "-g", "24"],
    "hevc": ["-c:v", "libx265", "-x265-params", "log-level=error:bframes=2", *FAST, "-g", "24"],
    "vp8": ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"],
    "vp9": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
    "mpeg2": ["-c:v", "mpeg2video", "-bf", "2"],
    "mpeg4": ["-c:v", "mpeg4", "-bf", "2"],
    "mjpeg": ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"],
    "ffv1": ["-c:v", "ffv1"],
    "prores": ["-c:v", "prores"],
    "theora": ["-c:v", "libtheora"],
    "huffyuv": ["-c:v", "huffyuv", "-pix_fmt", "yuv422p"],
    "raw": ["-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-frames:v", "5"],
}
AUDIO = {
    "aac": ["-c:a", "aac"], "ac3": ["-c:a", "ac3"], "eac3": ["-c:a", "eac3"],
    "mp3": ["-c:a", "libmp3lame"], "mp2": ["-c:a", "mp2"], "opus": ["-c:a", "libopus"],
    "vorbis": ["-c:a", "libvorbis"], "flac": ["-c:a", "flac"], "alac": ["-c:a", "alac"],
    "pcm": ["-c:a", "pcm_s16le"], "pcm_be": ["-c:a", "pcm_s24be"], "pcm_float": ["-c:a", "pcm_f32le"],
    "dts": ["-c:a", "dca", "-strict", "-2"], "truehd": ["-c:a", "truehd", "-strict", "-2"],
    "adpcm": ["-c:a", "adpcm_ima_wav"], "wavpack": ["-c:a", "wavpack"], "tta": ["-c:a", "tta"],
    "wma": ["-c:a", "wmav2"], "alaw": ["-c:a", "pcm_alaw"],
}


@pytest.mark.parametrize("name", VIDEO)
def test_video(tmp_path, name):
    compare(make(tmp_path / "a.mkv", *PICTURE, *VIDEO[name], "-allow_raw_vfw", "1"))


@pytest.mark.parametrize("name", AUDIO)
def test_audio(tmp_path, name):
    compare(make(tmp_path / "a.mka", *SOUND, *AUDIO[name]))


def test_subtitles(tmp_path):
    text = tmp_path / "a.srt"
    text.write_text("".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\nLine {n}, <i>slanted</i>\n\n"
                            for n in range(1, 4)))
    for codec in ("subrip", "ass", "webvtt"):
        compare(make(tmp_path / f"{codec}.mkv", *PICTURE, "-i", text, *VIDEO["mpeg4"], "-c:s", codec))
    compare(make(tmp_path / "a.webm", *PICTURE, "-i", text, *VIDEO["vp8"], "-c:s", "webvtt"))
