# SPDX-License-Identifier: BSD-2-Clause
"""`sluice remux --video hevc`: pictures encoded by x265 (a build with -Dgpl)."""
import os
import pathlib
import re

import pytest

from lib import decode_clean, frame_times, make, probe, run, sluice

FAST = ["--video", "hevc", "--preset", "ultrafast"]


@pytest.fixture(autouse=True)
def x265():
    if "x265: module" not in sluice("--version").stdout.decode():
        pytest.skip("built without x265")


def judge(source, out, seconds=None):
    """hvc1 and nothing else, times those of the source to the tick, decoded without a word."""
    was = probe(source, "-show_streams", select="v:0", warn=False)["streams"][0]
    now = probe(out, "-show_streams", select="v:0")["streams"][0]
    assert (now["codec_name"], now["codec_tag_string"]) == ("hevc", "hvc1")
    assert (now["width"], now["height"]) == (was["width"], was["height"])
    times, wanted = frame_times(out), frame_times(source)
    wanted = [t - wanted[0] for t in wanted]
    if seconds:
        wanted = [t for t in wanted if t < seconds]
    assert [t - times[0] for t in times] == wanted
    decode_clean(out)
    return now


def psnr(source, out):
    done = run(["ffmpeg", "-v", "info", "-i", out, "-i", source, "-lavfi", "[0:v][1:v]psnr=shortest=1", "-f", "null", "-"],
               text=True)
    return float(re.search(r"PSNR y:([\d.]+|inf)", done.stderr)[1])


@pytest.mark.parametrize("colour,tags", [
    (["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"], ("bt709", "bt709", "bt709", "tv")),
    (["-colorspace", "smpte170m", "-color_primaries", "smpte170m", "-color_trc", "smpte170m", "-color_range", "pc"],
     ("smpte170m", "smpte170m", "smpte170m", "pc")),
])
def test_generated(tmp_path, colour, tags):
    source, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make(source, "-f", "lavfi", "-i", "testsrc2=s=190x106:r=30000/1001:d=3", "-f", "lavfi", "-i", "sine=d=3",
         "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", *colour, "-c:a", "aac")
    sluice("remux", source, "-o", out, *FAST)
    now = judge(source, out)
    assert tuple(now[k] for k in ("color_space", "color_primaries", "color_transfer", "color_range")) == tags
    assert now["r_frame_rate"] == "30000/1001"
    assert now["profile"] == "Main" and now["has_b_frames"] > 0
    assert psnr(source, out) > 34
    assert out.read_bytes().count(b"hvcC") == 1


def test_rate(tmp_path):
    source, out = tmp_path / "in.mkv", tmp_path / "out.mp4"
    make(source, "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=6", "-pix_fmt", "yuv420p", "-c:v", "libx264",
         "-preset", "ultrafast", "-bf", "0")
    sluice("remux", source, "-o", out, *FAST, "--video-bitrate", "300", "--encoder", "x265")
    judge(source, out)
    assert 150e3 < out.stat().st_size * 8 / 6 < 400e3


def test_corpus(tmp_path):
    corpus = os.environ.get("SLUICE_CORPUS")
    if not corpus:
        pytest.skip("no corpus")
    source, out = pathlib.Path(corpus) / "car-432p25-h264baseline-aac.mp4", tmp_path / "out.mp4"
    sluice("remux", source, "-o", out, *FAST, "--duration", "2")
    now = judge(source, out, 2)
    was = probe(source, "-show_streams", select="v:0", warn=False)["streams"][0]
    assert [now.get(k) for k in ("color_space", "color_primaries")] == [
        was.get(k) or "smpte170m" for k in ("color_space", "color_primaries")]


def test_says_what_is_wrong(tmp_path):
    source = tmp_path / "in.mp4"
    make(source, "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1", "-pix_fmt", "yuv420p", "-c:v", "libx264")
    for args, says in (
            (["--preset", "sluggish"], 'preset "sluggish", expected ultrafast to placebo'),
            (["--encoder", "x264"], 'no HEVC encoder is called "x264"'),
    ):
        done = sluice("remux", source, "-o", tmp_path / "out.mp4", "--video", "hevc", *args, ok=False)
        assert done.returncode in (1, 2) and says in done.stderr.decode(), done.stderr
        assert not (tmp_path / "out.mp4").exists()
