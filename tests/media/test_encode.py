# SPDX-License-Identifier: BSD-2-Clause
"""sluice encode and sluice encoders: what is written is judged by ffmpeg."""
import json
import os
import re
import signal
import subprocess
import time

import pytest

from lib import F, SLUICE, make, probe, run, sluice

LISTED = json.loads(run([SLUICE, "encoders", "--json"]).stdout)
BACKENDS = [b["name"] for b in LISTED if b["codec"] == "h264" and b["available"] and not b["hardware"]]
pytestmark = pytest.mark.skipif(not BACKENDS, reason="a build without a software H.264 encoder")
WIDTH, HEIGHT, FRAMES = 320, 180, 12
RATE = "30000/1001"
# Our name, ffmpeg's name, samples of a picture's bytes per pixel times two.
RAW = {"nv12": "nv12", "yuv420p": "yuv420p", "yuv444p": "yuv444p", "p010": "p010le", "rgb24": "rgb24",
       "bgr24": "bgr24", "rgba": "rgba", "bgra": "bgra"}


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """clip("rgba") or clip("y4m"): the same pictures each time, BT.601 limited where they are YUV."""
    home = tmp_path_factory.mktemp("encode")

    def get(kind, size=(WIDTH, HEIGHT), frames=FRAMES, pixels="yuv420p"):
        path = home / f"{size[0]}x{size[1]}-{frames}-{pixels}.{kind}"
        if not path.exists():
            source = ["-f", "lavfi", "-i", f"testsrc2=size={size[0]}x{size[1]}:rate={RATE}", "-frames:v", frames]
            to = ["-pix_fmt", RAW[kind], "-f", "rawvideo"] if kind in RAW else ["-pix_fmt", pixels]
            make(path, *[str(a) for a in source], "-vf", "format=rgb24,gblur=1.5,scale=out_color_matrix=bt601:"
                 "out_range=limited:flags=bicubic+accurate_rnd+full_chroma_inp", *to)
        return path
    return get


def encode(source, out, *args, ok=True, **kw):
    return sluice("encode", source, "-o", out, *args, ok=ok, **kw)


def raw_args(kind, size=(WIDTH, HEIGHT)):
    return ["--raw", kind, "--size", f"{size[0]}x{size[1]}", "--rate", RATE]


def lines(path):
    head, *frames = [json.loads(line) for line in open(path, encoding="utf-8")]
    assert head["type"] == "stream" and {f["type"] for f in frames} <= {"frame"}
    return head, frames


def packets(path):
    """Key flag of each, as ffprobe's parser finds them."""
    found = probe(path, "-show_entries", "packet=flags,size")["packets"]
    return ["K" in p["flags"] for p in found], [int(p["size"]) for p in found]


def psnr(stream, reference, *input_args):
    done = run(["ffmpeg", "-nostdin", "-v", "info", "-xerror", "-i", stream, *input_args, "-i", reference, "-lavfi",
                "[0:v]format=yuv420p[a];[1:v]scale=out_color_matrix=bt601:out_range=limited:flags=bicubic+accurate_rnd+"
                "full_chroma_inp,format=yuv420p[b];[a][b]psnr", "-f", "null", "-"])
    text = done.stderr.decode()
    assert done.returncode == 0, text[-2000:]
    assert int(re.findall(r"frame=\s*(\d+)", text)[-1]) == FRAMES
    return float(re.search(r"PSNR.*average:([\d.]+|inf)", text)[1])


def nals(data):
    """Types of the units between start codes (H.264 Annex B), SEI and delimiters apart."""
    kinds = [data[m.end()] & 0x1f for m in re.finditer(b"\0\0\1", data)]
    return [k for k in kinds if k not in (6, 9)]


# ---- what comes out ------------------------------------------------------------------------------

@pytest.mark.parametrize("backend", BACKENDS)
def test_y4m(tmp_path, clip, backend):
    """Every picture, at the header's exact rate, in the order of the contract; the codec string is the SPS's."""
    out = tmp_path / "out.264"
    encode(clip("y4m"), out, "--backend", backend, "--stats", tmp_path / "s.jsonl", "--gop", 5, "--bitrate", "2M")
    head, frames = lines(tmp_path / "s.jsonl")
    sps = next(out.read_bytes()[m.end():m.end() + 4] for m in re.finditer(b"\0\0\1", out.read_bytes())
               if out.read_bytes()[m.end()] & 0x1f == 7)
    assert head["codec"] == "avc1." + sps[1:4].hex()
    assert (head["backend"], head["width"], head["height"], head["rate"], head["timebase"], head["latency"]) == \
        (backend, WIDTH, HEIGHT, RATE, "1001/30000", "sync")
    assert head["colour"] == {"primaries": 6, "transfer": 6, "matrix": 6, "range": "limited"} and head["reorder"] == 0
    assert [f["token"] for f in frames] == [f["pts"] for f in frames] == [f["dts"] for f in frames] == list(range(FRAMES))
    assert [i for i, f in enumerate(frames) if f["key"]] == [0, 5, 10]
    assert sum(f["size"] for f in frames) == out.stat().st_size
    assert all(f["encode_us"] > 0 and f["copy_us"] >= 0 and f["convert_us"] >= 0 and f["layer"] >= 0 for f in frames)
    keys, sizes = packets(out)
    assert keys == [f["key"] for f in frames]
    stream = probe(out, "-show_entries", "stream=width,height,r_frame_rate,color_space,color_range,has_b_frames")
    stream = stream["streams"][0]
    assert (stream["width"], stream["height"]) == (WIDTH, HEIGHT)
    assert F(stream["r_frame_rate"]) == (F(RATE) if backend == "x264" else 25)  # 25: ffprobe's where none is stated
    assert (stream["color_space"], stream["color_range"], stream["has_b_frames"]) == ("smpte170m", "tv", 0)
    at = 0
    for f in frames:  # parameter sets in front of each IDR picture, and nowhere else
        kinds = nals(out.read_bytes()[at:at + f["size"]])
        at += f["size"]
        assert (kinds[:2] == [7, 8], kinds.count(7), kinds.count(8), 5 in kinds) == (f["key"], f["key"], f["key"], f["key"])
    assert psnr(out, clip("y4m")) > 31


@pytest.mark.parametrize("kind", RAW)
def test_raw(tmp_path, clip, kind):
    out = tmp_path / "out.264"
    encode(clip(kind), out, *raw_args(kind), "--crf", 16, "--stats", tmp_path / "s.jsonl")
    head, frames = lines(tmp_path / "s.jsonl")
    assert len(frames) == FRAMES and head["rate"] == RATE and head["codec"].startswith("avc1.64")
    given = ["-f", "rawvideo", "-pix_fmt", RAW[kind], "-s", f"{WIDTH}x{HEIGHT}", "-r", RATE]
    assert psnr(out, clip(kind), *given) > 38


@pytest.mark.skipif("x264" not in BACKENDS, reason="no x264")
@pytest.mark.parametrize("profile,pixels", [("high444", "yuv444p"), ("high", "yuv420p")])
def test_444(tmp_path, clip, profile, pixels):
    """Kept where the profile says so; else it becomes 4:2:0, which browsers play."""
    source, out = clip("y4m", pixels="yuv444p"), tmp_path / "out.264"
    encode(source, out, "--profile", profile, "--backend", "x264", "--crf", 16)
    assert probe(out, "-show_entries", "stream=pix_fmt")["streams"][0]["pix_fmt"] == pixels
    assert psnr(out, source) > 38


def test_pipes(tmp_path, clip):
    """From standard input to standard output, the same bytes; and picture by picture: each unit is there before
    the next picture is."""
    size = WIDTH * HEIGHT * 3 // 2
    whole = tmp_path / "whole.264"
    encode(clip("y4m"), whole)
    with open(clip("y4m"), "rb") as source:
        assert encode("-", "-", stdin=source).stdout == whole.read_bytes()
    pictures = clip("yuv420p").read_bytes()
    args = [SLUICE, "encode", *raw_args("yuv420p"), "--stats", str(tmp_path / "fifo"), "-", "-o", "-"]
    os.mkfifo(tmp_path / "fifo")
    with subprocess.Popen([str(a) for a in args], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        with open(tmp_path / "fifo", encoding="utf-8") as stats:
            assert json.loads(stats.readline())["type"] == "stream"
            for i in range(FRAMES):
                child.stdin.write(pictures[i * size:(i + 1) * size])
                child.stdin.flush()
                told = json.loads(stats.readline())
                assert told["token"] == i and len(child.stdout.read(told["size"])) == told["size"]
            child.stdin.close()
            assert stats.read() == ""
        assert child.wait(60) == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_changes(tmp_path, clip, backend):
    """IDR pictures where they are forced, and a bitrate that changes on the way without one."""
    flags = next(b for b in LISTED if b["name"] == backend)["flags"]
    source, out = clip("y4m", (640, 360), 60), tmp_path / "out.264"
    encode(source, out, "--backend", backend, "--gop", 0, "--bitrate", "3M", "--rate-control", "cbr", "--buffer", "600k",
           "--force-idr", "7,40", "--force-idr", 50, "--change", "20:bitrate=400k", "--change", "20:buffer=100k",
           "--stats", tmp_path / "s.jsonl")
    _, frames = lines(tmp_path / "s.jsonl")
    keys = [f["token"] for f in frames if f["key"]]
    assert keys == ([0, 7, 40, 50] if "reconfigures" in flags else [0, 7, 20, 40, 50])
    sizes = [f["size"] for f in frames if not f["key"]]
    assert sum(sizes[25:45]) * 2 < sum(sizes[:18])
    assert packets(out)[0] == [f["key"] for f in frames]


def test_times(tmp_path, clip):
    encode(clip("y4m"), tmp_path / "o.264", "--timebase", "1/90000", "--stats", tmp_path / "s.jsonl")
    head, frames = lines(tmp_path / "s.jsonl")
    assert head["timebase"] == "1/90000" and [f["pts"] for f in frames] == [3003 * i for i in range(FRAMES)]
    encode(clip("y4m"), tmp_path / "o.264", "--rate", 25, "--stats", tmp_path / "s.jsonl")
    assert lines(tmp_path / "s.jsonl")[0]["rate"] == "25/1"


@pytest.mark.skipif("x264" not in BACKENDS, reason="no x264")
def test_lookahead(tmp_path, clip):
    """B pictures: all of them come out, dts never above pts and rising."""
    encode(clip("y4m"), tmp_path / "o.264", "--latency", "lookahead", "--backend", "x264", "--bframes", 2,
           "--stats", tmp_path / "s.jsonl")
    head, frames = lines(tmp_path / "s.jsonl")
    assert head["reorder"] > 0 and sorted(f["pts"] for f in frames) == list(range(FRAMES))
    dts = [f["dts"] for f in frames]
    assert dts == sorted(set(dts)) and all(f["dts"] <= f["pts"] for f in frames)
    assert psnr(tmp_path / "o.264", clip("y4m")) > 34


def test_progress_and_summary(tmp_path, clip):
    done = encode(clip("y4m"), tmp_path / "o.264", "--progress", "json", "-v")
    events = [json.loads(line) for line in done.stderr.decode().splitlines() if line.startswith("{")]
    assert events[-1]["event"] == "finished" and events[-1]["pictures"] == FRAMES
    assert events[-1]["bytes"] == (tmp_path / "o.264").stat().st_size
    assert f"{FRAMES} pictures, 1 IDR" in done.stderr.decode()
    assert encode(clip("y4m"), tmp_path / "o.264").stderr == b""


@pytest.mark.skipif("x264" not in BACKENDS, reason="no x264")
def test_ten_bits(tmp_path, clip):
    out = tmp_path / "out.264"
    encode(clip("p010"), out, *raw_args("p010"), "--profile", "high10", "--backend", "x264")
    assert probe(out, "-show_entries", "stream=pix_fmt")["streams"][0]["pix_fmt"] == "yuv420p10le"


# ---- what goes wrong -----------------------------------------------------------------------------

@pytest.mark.parametrize("args,status,words", [
    (["--raw", "nv12", "--size", "321x180", "--rate", "30"], 2, "even"),
    (["--raw", "nv12"], 2, "--size"),
    (["--raw", "nv21"], 2, "bgra"),
    (["--size", "640x360"], 2, "320x180"),
    (["--backend", (BACKENDS or ["x264"])[0], "--preset", "nonsense"], 2, "nonsense"),
    (["--backend", "nonsense"], 1, "nonsense"),
    (["--codec", "av1"], 2, "hevc"),
    (["--change", "3:size=2x2"], 2, "bitrate"),
    (["--change", "3:bitrate=fast"], 2, "fast"),
    (["--change", "bitrate=3M"], 2, "30:bitrate=2M"),
    (["--force-idr", "1,x"], 2, "30,60"),
    (["--bitrate", "2M", "--rate-control", "crf"], 2, "bitrate"),
    (["--stats", "o.264"], 2, "same file"),
    (["--stats", "missing/s.jsonl"], 1, "missing/s.jsonl"),
], ids=lambda a: "-".join(a).replace("/", "_") if isinstance(a, list) else "")
def test_wrong_settings(tmp_path, clip, args, status, words):
    done = encode(clip("nv12" if "--raw" in args else "y4m"), "o.264", *args, ok=False, cwd=tmp_path)
    assert done.returncode == status and words in done.stderr.decode(), done.stderr.decode()
    assert done.stderr.count(b"\n") == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["cut", "header", "empty", "none", "layout", "noise", "missing"])
def test_wrong_input(tmp_path, clip, what):
    whole = clip("y4m").read_bytes()
    home, source = tmp_path / "out", tmp_path / "in"
    home.mkdir()
    data = {"cut": whole[:-1000], "header": whole[:40], "empty": b"", "none": whole[:whole.index(b"\n") + 1],
            "layout": whole.replace(b"C420jpeg", b"C422", 1), "noise": bytes(range(256))}.get(what)
    if data is not None:
        source.write_bytes(data)
    done = encode(source, home / "o.264", "--stats", home / "s.jsonl", ok=False)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1, done.stderr.decode()
    assert {"layout": "C444", "cut": "cut short", "none": "no picture"}.get(what, str(source)) in done.stderr.decode()
    assert list(home.iterdir()) == []


def test_an_older_file_stays(tmp_path, clip):
    out = tmp_path / "o.264"
    out.write_bytes(b"older")
    (tmp_path / "in.y4m").write_bytes(clip("y4m").read_bytes()[:-10])
    assert encode(tmp_path / "in.y4m", out, ok=False).returncode == 1
    assert out.read_bytes() == b"older" and sorted(p.name for p in tmp_path.iterdir()) == ["in.y4m", "o.264"]


def test_a_full_disk_and_a_reader_that_goes(tmp_path, clip):
    done = encode(clip("y4m"), "/dev/full", ok=False)
    assert done.returncode == 1 and b"/dev/full" in done.stderr
    with subprocess.Popen([SLUICE, "encode", str(clip("y4m", (640, 360), 60)), "-o", "-", "--bitrate", "20M"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdout.read(100)
        child.stdout.close()
        assert child.wait(60) == 1 and child.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped(tmp_path, clip, number):
    """A signal in the middle: told, and nothing is left."""
    header = b"YUV4MPEG2 W320 H180 F30:1 C420jpeg\n"
    picture = b"FRAME\n" + bytes(WIDTH * HEIGHT * 3 // 2)
    with subprocess.Popen([SLUICE, "encode", "-", "-o", str(tmp_path / "o.264"), "--stats", str(tmp_path / "s.jsonl")],
                          stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        child.stdin.write(header + picture * 3)
        child.stdin.flush()
        end = time.monotonic() + 60
        while not list(tmp_path.glob(".s.jsonl*")) and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.2)
        child.send_signal(number)
        try:
            child.stdin.write(picture)
            child.stdin.close()
        except BrokenPipeError:
            pass
        assert child.wait(60) == 1
        assert b"stopped after" in child.stderr.read()
    assert list(tmp_path.iterdir()) == []


# ---- the list ------------------------------------------------------------------------------------

def test_encoders():
    keys = ["name", "codec", "available", "reason", "hardware", "presets", "tunes", "profiles", "flags", "version",
            "licence"]
    assert LISTED and all(list(b) == keys for b in LISTED)
    assert {b["codec"] for b in LISTED} <= {"h264", "hevc"}
    assert all(b["available"] == (b["reason"] is None) for b in LISTED)
    text = sluice("encoders").stdout.decode()
    for b in LISTED:
        line = next(x for x in text.splitlines() if x.split()[:2] == [b["codec"], b["name"]])
        assert ("yes" if b["available"] else f"no: {b['reason']}") in line
    done = sluice("encoders", "x", ok=False)
    assert done.returncode == 2 and b"operand" in done.stderr


def test_help():
    text = sluice("encode", "--help").stdout.decode()
    for key in ("--force-idr", "--change", "--stats", "--raw", "--bitrate", "--latency", "--progress", "--gop"):
        assert key in text
