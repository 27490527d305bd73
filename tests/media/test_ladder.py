# SPDX-License-Identifier: BSD-2-Clause
"""sluice ladder on every kind of source, judged by ffmpeg, ffprobe and a second box reader."""
import re
import subprocess

import pytest

from judge import judge
from lib import F, Fragment, Master, Playlist, ladder, make, probe, run, timescale

FORMATS = ["fmp4", "ts"]


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("source", ["plain.mkv", "plain.mp4", "plain.ts"])
def test_containers(media, out, tmp_path, source, fmt):
    ladder(media(source), out, "--format", fmt)
    times = judge(out, tmp_path, frames=300)
    m = Master(out)
    assert m.names() == ["original", "360p"]
    if fmt == "fmp4":
        step = F(1001, 30000)
        assert times["original"] == [i * step for i in range(300)]
        assert times["360p"] == times["original"]
        # A transport stream does not prove a rate: its own clock stays.
        scale = 90000 if source == "plain.ts" else 30000
        assert timescale(m.playlist("original").init.read_bytes()) == scale
        assert m.audio[0]["CHANNELS"] == "2"
    assert m.variants[0][0]["FRAME-RATE"] == "29.970"
    assert m.variants[1][0]["RESOLUTION"] == "480x360"
    cuts = [d for _, d in m.playlist("original").segments]
    assert cuts[:2] == [F("4.004"), F("4.004")]
    # The sound's last coded frame may reach a little past the picture, which then stays on screen.
    assert F("2.002") <= cuts[2] < F("2.07") and len(cuts) == 3


@pytest.mark.parametrize("fmt", FORMATS)
def test_rungs_as_asked(media, out, tmp_path, fmt):
    ladder(media("plain.mp4"), out, "--format", fmt, "--segment", "2",
           "--rung", "name=low,height=180,bitrate=200,preset=ultrafast",
           "--rung", "name=top,bitrate=900,preset=superfast",
           "--rung", "height=240")
    judge(out, tmp_path, segment=2, frames=300)
    m = Master(out)
    assert m.names() == ["top", "240p", "low"]
    assert [v["RESOLUTION"] for v, _ in m.variants] == ["640x480", "320x240", "240x180"]


def test_matroska_milliseconds_are_undone(media, out, tmp_path):
    ladder(media("film-rate.mkv"), out, "--preset", "ultrafast")
    times = judge(out, tmp_path, frames=480, sound=False)
    assert times["original"] == [i * F(1001, 24000) for i in range(480)]


def test_variable_frame_rate(media, out, tmp_path):
    source = media("vfr.mkv")
    packets = probe(source, "-show_entries", "packet=pts", select="v:0")["packets"]
    want = sorted(F(int(p["pts"]), 1000) for p in packets)
    ladder(source, out, "--preset", "veryfast", "--segment", "3")
    times = judge(out, tmp_path, segment=3, frames=len(want), sound=False)
    # Matroska rounded these to milliseconds and proves the grid of 30 they came from.
    assert all(abs(a - (b - want[0])) <= F(1, 1000) for a, b in zip(times["original"], want))
    assert all(t * 30 == int(t * 30) for t in times["original"])
    # Cut k is at the first picture at or after k x segment.
    p = Master(out).playlist("original")
    starts = [F(Fragment(path).tfdt, timescale(p.init.read_bytes())) for path, _ in p.segments]
    assert starts == [min(t for t in times["original"] if t >= 3 * k) for k in range(len(starts))]


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_hole_in_the_picture_is_bridged(media, out, tmp_path, fmt):
    ladder(media("hole.mkv"), out, "--preset", "ultrafast", "--format", fmt)
    times = judge(out, tmp_path, sound=False)
    p = Master(out).playlist("original")
    assert abs(p.duration - 20) < F(1, 10)
    assert all(d < F(9, 2) for _, d in p.segments)
    if fmt == "fmp4":
        assert {F(4), F(8), F(12)} <= set(times["original"])


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("source,seconds", [("long-audio.mkv", 14), ("short-audio.mkv", 9)])
def test_sound_of_another_length(media, out, tmp_path, source, seconds, fmt):
    ladder(media(source), out, "--format", fmt)
    judge(out, tmp_path)
    for p in Master(out).playlists().values():
        assert abs(p.duration - seconds) < F(1, 10), (p.path, float(p.duration))


@pytest.mark.parametrize("fmt", FORMATS)
def test_sound_from_elsewhere_ends_with_the_shorter(media, out, tmp_path, fmt):
    tone = make(tmp_path / "tone.flac", "-f", "lavfi", "-i", "sine=frequency=330:duration=7")
    ladder(media("plain.mkv"), out, "--audio", tone, "--format", fmt)
    judge(out, tmp_path)
    assert abs(Master(out).playlist("original").duration - 7) < F(1, 10)
    longer = make(tmp_path / "longer.flac", "-f", "lavfi", "-i", "sine=frequency=330:duration=60")
    ladder(media("plain.mkv"), out, "--audio", longer, "--format", fmt)
    judge(out, tmp_path, frames=300)
    for p in Master(out).playlists().values():
        assert abs(p.duration - F(10010, 1000)) < F(1, 10)


def tone_level(path, frequency):
    """Mean level in dB of the sound around one frequency, and of the whole."""
    done = run(["ffmpeg", "-nostdin", "-v", "info", "-i", path, "-map", "0:a:0", "-af",
                f"bandpass=f={frequency}:width_type=h:w=50,volumedetect", "-f", "null", "-"])
    return float(re.search(r"mean_volume: (-?[\d.]+) dB", done.stderr.decode())[1])


@pytest.mark.parametrize("source", ["surround.mkv", "mono.mkv", "web.webm", "plain.mkv"])
def test_sound_becomes_stereo_aac(media, out, tmp_path, source):
    ladder(media(source), out)
    judge(out, tmp_path)
    whole = Master(out).playlist("audio").whole(tmp_path / "a.mp4")
    a = probe(whole, "-show_entries", "stream=codec_name,profile,channels,sample_rate", select="a")["streams"][0]
    assert (a["codec_name"], a["profile"], a["channels"], a["sample_rate"]) == ("aac", "LC", 2, "48000")
    # The tone is there at about the source's level, and nothing is where no tone was.
    assert abs(tone_level(whole, 440) - tone_level(media(source), 440)) < 4
    assert tone_level(whole, 5000) < tone_level(whole, 440) - 25


def test_no_audio_option_and_silent_source(media, out, tmp_path):
    ladder(media("plain.mp4"), out, "--no-audio", "--preset", "ultrafast")
    judge(out, tmp_path, sound=False, frames=300)
    ladder(media("silent.mp4"), out)
    judge(out, tmp_path, sound=False, frames=150)
    assert not Master(out).audio


def test_hevc_ten_bit(media, out, tmp_path):
    ladder(media("hevc10.mp4"), out)
    judge(out, tmp_path, sound=False, frames=125)
    whole = Master(out).playlist("original").whole(tmp_path / "v.mp4")
    v = probe(whole, "-show_entries", "stream=pix_fmt,width,height")["streams"][0]
    assert v == {"pix_fmt": "yuv420p", "width": 320, "height": 180}


def test_rotation_is_applied(media, out, tmp_path):
    ladder(media.rotated(), out)
    judge(out, tmp_path, sound=False, frames=150)
    m = Master(out)
    assert m.variants[0][0]["RESOLUTION"] == "240x320"
    assert psnr(m.playlist("original").whole(tmp_path / "v.mp4"), media.rotated()) > 30


def test_odd_size_and_sample_aspect(media, out, tmp_path):
    ladder(media("odd.mkv"), out)
    judge(out, tmp_path, sound=False, frames=125)
    assert Master(out).variants[0][0]["RESOLUTION"] == "320x242"
    ladder(media("anamorphic.mkv"), out)
    judge(out, tmp_path, sound=False, frames=125)
    m = Master(out)
    for name in m.names():
        v = probe(m.playlist(name).init, "-show_entries", "stream=sample_aspect_ratio", warn=False)["streams"][0]
        assert v["sample_aspect_ratio"] == "16:11"
    assert m.variants[0][0]["RESOLUTION"] == "1047x576"


@pytest.mark.parametrize("source,matrix,full", [("full.mkv", "smpte170m", "pc"), ("plain.mp4", "smpte170m", "tv")])
def test_colour_is_stated(media, out, tmp_path, source, matrix, full):
    ladder(media(source), out)
    init = Master(out).playlist("original").whole(tmp_path / "v.mp4")
    v = probe(init, "-show_entries", "stream=color_space,color_range")["streams"][0]
    assert v["color_space"] == matrix and v["color_range"] == full


def test_two_pictures_two_sounds(media, out, tmp_path):
    ladder(media("two.mkv"), out)
    judge(out, tmp_path, frames=150)
    m = Master(out)
    assert m.variants[0][0]["RESOLUTION"] == "480x360"
    ladder(media("two.mkv"), out, "--video-track", "0", "--audio-track", "3")
    judge(out, tmp_path, frames=125)
    m = Master(out)
    assert m.variants[0][0]["RESOLUTION"] == "320x180"
    assert m.audio[0]["LANGUAGE"] in ("de", "deu", "ger")
    assert tone_level(m.playlist("audio").whole(tmp_path / "a.mp4"), 880) > -40


def psnr(a, b, size=None):
    """PSNR-Y of two videos of one size."""
    done = run(["ffmpeg", "-nostdin", "-v", "info", "-i", a, "-i", b, "-lavfi",
                "[0:v]format=yuv420p,settb=1/25,setpts=N[x];[1:v]format=yuv420p,settb=1/25,setpts=N%s[y];[x][y]psnr" %
                (f",scale={size}:flags=area" if size else ""), "-f", "null", "-"])
    m = re.search(r"PSNR y:([\d.]+|inf)", done.stderr.decode())
    assert m, done.stderr.decode()[-1500:]
    return float(m[1])


def test_pictures_are_the_source_s(media, out, tmp_path):
    ladder(media("plain.mp4"), out, "--rung", "name=top,bitrate=20000,preset=veryfast",
           "--rung", "height=240,bitrate=8000,preset=veryfast")
    m = Master(out)
    assert psnr(m.playlist("top").whole(tmp_path / "t.mp4"), media("plain.mp4")) > 38
    assert psnr(m.playlist("240p").whole(tmp_path / "l.mp4"), media("plain.mp4"), "320x240") > 28


RAW = [("rgb24", "bt470bg"), ("rgba", "bt470bg"), ("bgra", "bt470bg"), ("nv12", None), ("yuv420p", None),
       ("yuv444p", None)]


@pytest.mark.parametrize("pixels,matrix", RAW)
def test_raw_frames_by_pipe(tmp_path, out, pixels, matrix):
    raw = run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30:duration=5",
               "-f", "rawvideo", "-pix_fmt", pixels, "-"]).stdout
    ladder("-", out, "--raw", pixels, "--size", "320x180", "--rate", "30000/1001", input=raw)
    times = judge(out, tmp_path, sound=False, frames=150)
    assert times["original"] == [i * F(1001, 30000) for i in range(150)]


@pytest.mark.parametrize("chroma", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "gray"])
def test_y4m_by_pipe(tmp_path, out, chroma):
    y4m = run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=318x182:rate=25:duration=5",
               "-f", "yuv4mpegpipe", "-strict", "-1", "-pix_fmt", chroma, "-"]).stdout
    ladder("-", out, input=y4m)
    judge(out, tmp_path, sound=False, frames=125)


def test_container_by_pipe(media, out, tmp_path):
    with open(media("plain.mkv"), "rb") as f:
        cat = subprocess.Popen(["cat"], stdin=f, stdout=subprocess.PIPE)
        ladder("-", out, "--preset", "ultrafast", stdin=cat.stdout)
        cat.wait()
    judge(out, tmp_path, frames=300)


def test_size_changes_mid_stream(tmp_path, out):
    ts = tmp_path / "change.ts"
    with open(ts, "wb") as f:
        for i, size in enumerate(("320x240", "640x360", "320x240")):
            part = make(tmp_path / f"{i}.ts", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration=3",
                        "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0", "-output_ts_offset",
                        str(3 * i))
            f.write(part.read_bytes())
    ladder(ts, out)
    judge(out, tmp_path, sound=False, frames=225)
    assert Master(out).variants[0][0]["RESOLUTION"] == "320x240"


def test_one_picture(tmp_path, out):
    png = make(tmp_path / "one.png", "-f", "lavfi", "-i", "testsrc2=size=320x240", "-frames:v", "1")
    ladder(png, out)
    judge(out, tmp_path, sound=False, frames=1)


def test_many_segments_change_folder_and_never_drift(tmp_path, out):
    raw = bytes(64 * 64 * 3 // 2) * (600 * 24 // 4)
    ladder("-", out, "--raw", "yuv420p", "--size", "64x64", "--rate", "24000/1001", "--segment", "1",
           "--preset", "ultrafast", input=raw)
    times = judge(out, tmp_path, segment=1, sound=False, frames=3600)
    assert times["original"][-1] == 3599 * F(1001, 24000)
    p = Playlist(out / "original" / "playlist.m3u8")
    assert len(p.segments) == 151
    assert abs(p.duration - 3600 * F(1001, 24000)) < F(1, 10**6)


@pytest.mark.parametrize("fmt", FORMATS)
def test_joined_transport_streams(media, tmp_path, out, fmt):
    """cat a.ts a.ts: the second starts again from the first one's time, and nothing is lost."""
    ts = tmp_path / "joined.ts"
    ts.write_bytes(media("plain.ts").read_bytes() * 2)
    ladder(ts, out, "--format", fmt, "--preset", "ultrafast")
    times = judge(out, tmp_path, frames=600)
    if fmt == "fmp4":
        assert max(b - a for a, b in zip(times["original"], times["original"][1:])) < F(1, 5)
    for p in Master(out).playlists().values():
        assert abs(p.duration - F(20020, 1000)) < F(1, 5)
