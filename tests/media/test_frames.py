# SPDX-License-Identifier: BSD-2-Clause
"""sluice frames: pictures that are jumped to are those of ffmpeg's full decode, by hash; and no more is read and decoded
than they need."""
import hashlib
import http.server
import json
import os
import random
import re
import threading

import pytest

import layers
from lib import CORPUS, SLUICE, F, frame_times, make, probe, run, sluice

WITHOUT = re.search("encode-y4m[)]: no (.*)", run([SLUICE, "--version"]).stdout.decode())
scheduled = pytest.mark.skipif(WITHOUT is not None,
                               reason=f"a build without scheduled x264 {WITHOUT and WITHOUT[1]}")
KEYINT, FRAMES = 40, 101


def split(data, size):
    assert len(data) % size == 0
    return [hashlib.md5(data[i:i + size]).hexdigest() for i in range(0, len(data), size)]


def picture_size(path):
    stream = probe(path, "-show_entries", "stream=width,height", select="V:0", warn=False)["streams"][0]
    return stream["width"] * stream["height"] * 3 // 2


def whole(path):
    """The hash of each picture as NV12, by ffmpeg, in display order."""
    done = run(["ffmpeg", "-nostdin", "-v", "error", "-noautorotate", "-i", path, "-map", "0:V:0", "-fps_mode",
                "passthrough", "-pix_fmt", "nv12", "-f", "rawvideo", "-"])
    assert done.returncode == 0, done.stderr.decode()
    return split(done.stdout, picture_size(path))


def take(source, *args, size, ok=True):
    """(hashes, statistics) of what comes out raw."""
    done = sluice("frames", source, *args, "--raw", "--format", "nv12", "--stats", ok=ok)
    return split(done.stdout, size), json.loads(done.stderr.splitlines()[-1])


def numbers(indexes):
    return ["--pictures", ",".join(map(str, indexes))]


def check(path, seed=1, picks=(1, 5)):
    """All of them, then some that are jumped to. Returns the statistics of each run."""
    want, size = whole(path), picture_size(path)
    got, stats = take(path, *numbers([f"0-{len(want) - 1}"]), size=size)
    assert got == want, [i for i, (a, b) in enumerate(zip(got, want)) if a != b][:10]
    out = [stats]
    for count in picks:
        chosen = random.Random(seed + count).sample(range(len(want)), count)
        got, stats = take(path, *numbers(chosen), size=size)
        assert got == [want[i] for i in sorted(chosen)], sorted(chosen)
        assert stats["given"] == count and stats["decoded"] <= stats["samples"] <= len(want)
        out.append(stats)
    assert sluice("frames", path, "--pictures", len(want), "--raw", ok=False).returncode == 1
    return out


# ---- files of any kind ----------------------------------------------------------------------

H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "25"]
HEVC = ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x265-params"]
VP9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "20", "-pix_fmt", "yuv420p"]
KINDS = {
    "pyramid.mp4": [*H264, "-bf", "7", "-x264-params", "b-pyramid=normal:b-adapt=0"],
    "ippp.mkv": [*H264, "-bf", "0", "-tune", "zerolatency"],
    "open.mp4": [*H264, "-bf", "3", "-x264-params", "open-gop=1"],
    "fragments.mp4": [*H264, "-movflags", "frag_keyframe+empty_moov"],
    "hevc.mp4": [*HEVC, "log-level=none:keyint=20:bframes=4"],
    "vp9.webm": VP9,
}
MORE = {
    "open.mkv": KINDS["open.mp4"],
    "refresh.mkv": [*H264, "-x264-params", "intra-refresh=1"],
    "refresh.mp4": [*H264, "-x264-params", "intra-refresh=1"],
    "hevc.mkv": [*HEVC, "log-level=none:keyint=20:temporal-layers=1:bframes=4"],
    "lag.webm": ["-c:v", "libvpx-vp9", "-lag-in-frames", "16", "-auto-alt-ref", "1", "-cpu-used", "5", "-g", "30",
                 "-pix_fmt", "yuv420p"],
    "vp9.mp4": VP9,
    "slices.mp4": [*H264, "-x264-params", "slices=4:aud=1:bframes=3"],
    "interlaced.mkv": [*H264, "-x264-params", "tff=1:bframes=3", "-flags", "+ilme+ildct"],
    "mpeg4.mp4": ["-c:v", "mpeg4", "-bf", "2", "-g", "20", "-pix_fmt", "yuv420p"],
    "av1.mp4": ["-c:v", "libsvtav1", "-preset", "12", "-g", "20", "-pix_fmt", "yuv420p"],
}


def kind(home, name, args):
    return make(home / name, "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-vf", layers.NOISE, "-frames:v",
                "60", *args)


@pytest.mark.parametrize("name", KINDS)
def test_kinds(tmp_path, name):
    stats = check(kind(tmp_path, name, KINDS[name]))
    if name in ("pyramid.mp4", "hevc.mp4"):
        assert stats[1]["decoded"] < 15, "pictures that nothing refers to are left out"


@pytest.mark.soak
@pytest.mark.parametrize("name", MORE)
def test_more_kinds(tmp_path, name):
    for seed in range(5):
        check(kind(tmp_path, name, MORE[name]), seed=10 * seed, picks=(1, 1, 3, 9))


@pytest.mark.soak
@pytest.mark.parametrize("name", ["bbb-480p24-h264-aac51.mp4", "car-432p25-h264baseline-aac.mp4",
                                  "derived-cups-hevc-aac.mp4", "derived-dog-vp9-opus.webm",
                                  "flower-540p30-h264-aac-fragmented.mp4", "tos-332p24-vp8-vorbis.webm",
                                  "derived-natural29s-h264-aac.mkv"])
def test_corpus(name):
    if not CORPUS.is_dir():
        pytest.skip(f"{CORPUS} is not there")
    want, size = whole(CORPUS / name), picture_size(CORPUS / name)
    for seed in range(3):
        chosen = sorted(random.Random(seed).sample(range(len(want)), 8))
        assert take(CORPUS / name, *numbers(chosen), size=size)[0] == [want[i] for i in chosen], chosen


# ---- times ----------------------------------------------------------------------------------

def test_variable_rate(tmp_path):
    """A time is the picture that is shown then: those before a gap are shown through it."""
    path = make(tmp_path / "vfr.mkv", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-vf",
                "select='not(between(n,10,30))+eq(n,20)'", "-fps_mode", "vfr", "-frames:v", "30", *H264)
    want, size = whole(path), picture_size(path)
    times = frame_times(path)
    assert len(times) == len(want) == 30 and times[10] - times[9] > F(1, 3)
    for at, index in ((F(0), 0), (times[9], 9), (times[10] - F(1, 1000), 9), (times[10], 10), (times[11], 11)):
        got, _ = take(path, "--at", f"{at.numerator}/{at.denominator}", size=size)
        assert got == [want[index]], (at, index)
    got, _ = take(path, "--every", "200ms", size=size)
    shown = sorted({max(i for i, t in enumerate(times) if t <= F(k, 5)) for k in range(int(times[-1] * 5) + 1)})
    assert got == [want[i] for i in shown if any(times[i] <= F(k, 5) for k in range(100))]


def test_edit_list(tmp_path):
    """What an edit hides has no number; what is shown is decoded from before it."""
    source = kind(tmp_path, "source.mp4", KINDS["pyramid.mp4"])
    cut = make(tmp_path / "cut.mp4", "-ss", "1.2", "-i", source, "-c", "copy", "-t", "1")
    want, size = whole(source), picture_size(source)
    got, stats = take(cut, "--at", "0.04,0.4", size=size)
    assert got == [want[31], want[40]]
    assert stats["decoded"] > 5, "from the key that is hidden"


# ---- files of temporal layers ---------------------------------------------------------------

@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("frames")
    clip = layers.y4m(home / "clip.y4m", FRAMES)
    layers.encode(home, clip, {"crf": 27, "preset": "fast", "threads": 2, "keyint": KEYINT,
                               "layer_qp_offsets": "0=0,1=1.5,2=3,3=4.5,4=6"}, name="run")
    return home


def pack(home, name, *args):
    sluice("pack", home / "run.h264", "--metadata", next(home.glob("run*.jsonl")), "-o", home / name, *args)
    return home / name


@scheduled
@pytest.mark.parametrize("layout,index", [("gop", "jsonl"), ("file", "binary"), ("coded", "none"), ("gop", "none")])
def test_layered(made, layout, index):
    path = pack(made, f"{layout}-{index}.mp4", "--layout", layout, "--index-format",
                "binary" if index == "binary" else "jsonl", *(["--index", made / "elsewhere"] * (index == "none")))
    stats = check(path, picks=(1, 3, 12))
    assert stats[0]["decoded"] == FRAMES
    lines = [json.loads(line) for line in pack(made, "judge.mp4", "--layout", layout).with_suffix(
        ".mp4.jsonl").read_text().splitlines()][1:]
    size = picture_size(path)
    for i in (7, 60, 99):
        _, one = take(path, *numbers([i]), size=size)
        assert one["decoded"] == one["samples"] == lines[i]["pictures"], i
        needed = sum(n for _, n in lines[i]["ranges"])
        assert needed <= one["bytes_fetched"] <= needed + 64 * one["reads"]
        assert one["reads"] <= len(lines[i]["ranges"])


@scheduled
def test_ids(made):
    """Ids are the user's; numbers are places."""
    index = pack(made, "ids.mp4").with_suffix(".mp4.jsonl")
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    for line in lines[1:]:
        line["frame_id"] = 5000 - 10 * line["display_frame"]
    index.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    size = picture_size(made / "ids.mp4")
    by_id, _ = take(made / "ids.mp4", "--ids", "4990,5000,4500", size=size)
    by_number, _ = take(made / "ids.mp4", *numbers([0, 1, 50]), size=size)
    assert by_id == by_number
    done = sluice("frames", made / "ids.mp4", "--ids", "4991", "--raw", ok=False)
    assert done.returncode == 1 and b"no picture has id 4991" in done.stderr


@scheduled
def test_an_index_of_another_file(made, tmp_path):
    """Found beside it: not used, and said. Named: refused."""
    path = pack(made, "right.mp4")
    for change in (lambda t: t.replace('"byte_len":', '"byte_len":1'), lambda t: t[:len(t) // 2], lambda t: "{}"):
        index = tmp_path / "wrong.jsonl"
        index.write_text(change(path.with_suffix(".mp4.jsonl").read_text()))
        done = sluice("frames", path, "--index", index, "--pictures", "3", "--raw", ok=False)
        assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"wrong.jsonl" in done.stderr
    beside = made / "beside.mp4"
    beside.write_bytes(path.read_bytes())
    (made / "beside.mp4.jsonl").write_text("{}\n")
    done = sluice("frames", beside, "--pictures", "33", "--raw", "--format", "nv12")
    assert b"it is not used" in done.stderr
    assert split(done.stdout, picture_size(path)) == [whole(path)[33]]


# ---- over HTTP ------------------------------------------------------------------------------

class Ranges(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.server.root / self.path.lstrip("/")
        if not path.is_file():
            self.server.asked.append((self.path, None))
            self.send_error(404)
            return
        data, span = path.read_bytes(), re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(span[1]), int(span[2] or len(data) - 1)) if span else (0, len(data) - 1)
        last = min(last, len(data) - 1)
        self.server.asked.append((self.path, last + 1 - first))
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", last + 1 - first)
        self.end_headers()
        self.wfile.write(data[first:last + 1])

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ranges)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@scheduled
def test_http(made, web):
    path = pack(made, "web.mp4", "--index-format", "binary")
    web.root, size, want = made, picture_size(path), whole(path)
    url = f"http://127.0.0.1:{web.server_port}/web.mp4"
    got, stats = take(url, *numbers([3, 45, 90]), size=size)
    assert got == [want[i] for i in (3, 45, 90)]
    assert ("/web.mp4.idx", (made / "web.mp4.idx").stat().st_size) in web.asked
    here = take(path, *numbers([3, 45, 90]), size=size)[1]
    assert stats["decoded"] == here["decoded"] and stats["bytes_fetched"] < here["bytes_fetched"] + 1024 * 20
    # What was asked for is what is counted, after the first piece: header and index.
    ranges = [n for p, n in web.asked if p == "/web.mp4"][1:]
    assert sum(ranges) <= stats["bytes_fetched"] + 1024 and len(ranges) <= stats["reads"]


def test_http_of_an_ordinary_file(tmp_path, web):
    path = kind(tmp_path, "plain.mp4", KINDS["open.mp4"])
    web.root, want = tmp_path, whole(path)
    url = f"http://127.0.0.1:{web.server_port}/plain.mp4"
    assert take(url, *numbers([0, 30]), size=picture_size(path))[0] == [want[0], want[30]]
    assert {p for p, _ in web.asked} == {"/plain.mp4"}, "nobody asks for an index"


# ---- the command ----------------------------------------------------------------------------

def test_png(tmp_path):
    path = kind(tmp_path, "film.mkv", KINDS["ippp.mkv"])
    sluice("frames", path, "--at", "1s,80ms", "-o", tmp_path / "stills")
    assert sorted(os.listdir(tmp_path / "stills")) == ["000002.png", "000025.png"]
    sluice("frames", path, "--pictures", "2,25", "--raw", "-o", tmp_path / "two.rgb")
    raw = (tmp_path / "two.rgb").read_bytes()
    for i, name in enumerate(("000002.png", "000025.png")):
        png = run(["ffmpeg", "-v", "error", "-xerror", "-i", tmp_path / "stills" / name, "-f", "rawvideo", "-pix_fmt",
                   "rgb24", "-"])
        assert png.stderr == b"" and png.stdout == raw[i * 43200:(i + 1) * 43200]


@pytest.mark.parametrize("args,status,words", [
    (["--at", "2.4"], 1, b"nothing is shown at 2400 ms: it ends at 2400 ms"),
    (["--pictures", "3,60"], 1, b"picture 60 of 60"),
    (["--ids", "9-"], 2, b'"9-" is not allowed'),
    (["--at", "1:30"], 2, b'"1:30" is not allowed'),
    (["--every", "0"], 2, b"more than 0"),
    ([], 2, b"one of --at, --every, --ids and --pictures is needed"),
    (["--at", "1", "--every", "1"], 2, b"one of --at"),
    (["--at", "1", "--format", "nv12"], 2, b"nv12 needs --raw"),
])
def test_what_is_refused(tmp_path_factory, args, status, words):
    home = tmp_path_factory.getbasetemp()
    path = home / "refuse.mp4"
    if not path.exists():
        kind(home, "refuse.mp4", KINDS["open.mp4"])
    out = tmp_path_factory.mktemp("out") / "stills"
    done = sluice("frames", path, *args, "-o", out, ok=False)
    assert done.returncode == status and words in done.stderr and done.stderr.count(b"\n") == 1
    assert not out.exists() or not os.listdir(out)


def test_not_a_file_to_jump_in(tmp_path):
    path = make(tmp_path / "film.ts", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-frames:v", "10", *H264)
    done = sluice("frames", path, "--pictures", "0", "--raw", "-o", tmp_path / "out", ok=False)
    assert done.returncode == 1 and b"MP4 and Matroska" in done.stderr and done.stderr.count(b"\n") == 1
    assert os.listdir(tmp_path) == ["film.ts"]
    done = run([SLUICE, "frames", "-", "--pictures", "0", "--raw"], input=path.read_bytes())
    assert done.returncode == 1 and b"cannot be read out of order" in done.stderr
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(kind(tmp_path, "whole.mp4", KINDS["open.mp4"]).read_bytes()[:9000])
    done = sluice("frames", cut, "--every", "1", "--raw", "-o", tmp_path / "out", ok=False)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and not (tmp_path / "out").exists()
