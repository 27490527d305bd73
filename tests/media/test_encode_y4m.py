# SPDX-License-Identifier: BSD-2-Clause
"""sluice encode-y4m and sluice-h264: what is written is judged by ffmpeg and by the x264 command."""
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time
import zlib

import pytest

import layers
from layers import encode, hashes, judge_index, judge_prefixes, raw_hashes
from lib import CORPUS, ROOT, SLUICE, make, probe, run, sluice

ISSUE = {"keyint": 120, "keyint_min": 120, "bframes": 15, "crf": 25, "preset": "medium", "scenecut": 0,
         "b_adapt": 0, "b_pyramid": "normal", "open_gop": False, "rc_lookahead": 40, "threads": 4,
         "x264_extra_params": "weightp=0:mbtree=0", "x264_layer_qps": "0=22,1=23,2=24,3=30,4=34"}
SIZE = 192, 108
WITHOUT = re.search("encode-y4m[)]: no (.*)", run([SLUICE, "--version"]).stdout.decode())
pytestmark = pytest.mark.skipif(WITHOUT is not None, reason=f"a build without scheduled x264 {WITHOUT and WITHOUT[1]}")


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """clip(frames): a small Y4M of so many pictures."""
    home = tmp_path_factory.mktemp("clips")

    def get(frames):
        path = home / f"{frames}.y4m"
        return path if path.exists() else layers.y4m(path, frames)
    return get


def schedule(path, frames, *args):
    sluice("schedule", "make", "--frames", frames, *args, "-o", path)
    return path


def config(**changes):
    """Quick, and not without what makes pictures differ between layers."""
    return {"crf": 27, "preset": "veryfast", "threads": 2, **changes}


def judge(work, clip_path, cfg, *args, size=SIZE, name="encode"):
    """Encodes; the index is true, all prefixes agree, and x264's own reconstruction is what is
    decoded."""
    extra = cfg.get("x264_extra_params")
    dump = work / f"{name}.yuv"
    cfg = {**cfg, "x264_extra_params": (extra + ":" if extra else "") + f"dump-yuv={dump}"}
    stream = encode(work, clip_path, cfg, *args, name=name)
    judge_index(stream)
    picture = judge_prefixes(stream, work)
    assert raw_hashes(dump, *size) == [picture[d] for d in stream.shown]
    dump.unlink()
    return stream, picture


# ---- schedules --------------------------------------------------------------------------------------

def test_the_config_of_the_issue(tmp_path, clip):
    """Named schedule, absolute QP of layers; and without --extended exactly the fields promised."""
    schedule(tmp_path / "schedule.json", 200, "--keyint", 120)
    stream, _ = judge(tmp_path, clip(200), {"frame_ir": "schedule.json", **ISSUE})
    assert stream.head == {"type": "stream", "width": 192, "height": 108, "fps_num": 30, "fps_den": 1}
    assert all(list(s) == ["type", "sample_index", "byte_offset", "byte_len", "pts", "dts", "duration",
                           "is_keyframe", "picture_type", "display_frame", "decode_order",
                           "temporal_layer", "max_ref_layer", "frame_id"] for s in stream.samples)
    assert stream.layers == 5
    assert [s["dts"] for s in stream.samples] == list(range(-4, 196))
    assert {s["duration"] for s in stream.samples} == {1}
    ir = json.loads((tmp_path / "schedule.json").read_text())["frames"]
    kinds = {"idr": 1, "i": 2, "p": 3, "bref": 4, "b": 5}
    for s, f in zip(stream.samples, sorted(ir, key=lambda f: f["decode"])):
        assert (s["display_frame"], s["temporal_layer"], s["max_ref_layer"]) == \
            (f["display"], f["layer"], f["max_ref_layer"])
        assert s["picture_type"] == kinds[f["type"]]
    # Adaptive quantisation stays on, the QP of the picture is the layer's.
    extended = encode(tmp_path, clip(200), {"frame_ir": "schedule.json", **ISSUE}, "--extended")
    for s in extended.samples:
        assert s["qp"] == [22, 23, 24, 30, 34][s["temporal_layer"]]
        assert s["crc32"] == zlib.crc32(extended.sample(s))
        assert set(s["refs"]) <= set(next(f for f in ir if f["display"] == s["display_frame"])["refs"])


@pytest.mark.parametrize("args", [
    ["--gop", 16, "--order", "breadth"], ["--gop", 16, "--forget", "--keyint", 65], ["--gop", 8],
    ["--gop", 4, "--past", 1, "--future", 1], ["--gop", 2], ["--gop", 16, "--layers", 3],
    ["--gop", 32, "--bframes", 15], ["--gop", 8, "--low-delay"], ["--gop", 16, "--bframes", 5],
    ["--gop", 16, "--forget"], ["--gop", 32, "--forget"],
], ids=lambda a: "".join(str(x).lstrip("-") for x in a))
def test_schedules(tmp_path, clip, args):
    """Every shape that schedule make knows, two periods of it and an odd tail."""
    if "--keyint" not in args:
        args = [*args, "--keyint", 40]
    schedule(tmp_path / "s.json", 101, *args)
    stream, picture = judge(tmp_path, clip(101), config(frame_ir="s.json"), "--extended")
    assert stream.shown == list(range(101))
    # A picture out of its closure alone, by ranges of bytes.
    for display in (0, 1, 7, 39, 40, 41, 100):
        closure = stream.closure(display)
        got = hashes(stream.cut(tmp_path / "closure.h264", closure))
        assert got == [picture[d] for d in sorted(s["display_frame"] for s in closure)]


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 15, 16, 17, 18, 33, 47])
def test_made_while_reading(tmp_path, clip, frames):
    """No frame_ir: the tail is split when the input turns out to end, from a pipe too."""
    cfg = config(threads=1, keyint=20, layer_qp_offsets="0=0,1=1.5,2=3,3=4.5,4=6")
    stream, _ = judge(tmp_path, clip(frames), cfg)
    assert stream.shown == list(range(frames))
    assert [s["display_frame"] for s in stream.samples if s["is_keyframe"]] == list(range(0, frames, 20))
    assert stream.samples[0]["dts"] == -4
    # The same as by a schedule made for that length, but for the DPB that holds for every length.
    schedule(tmp_path / "s.json", frames, "--keyint", 20)
    named = encode(tmp_path, clip(frames), {**cfg, "frame_ir": "s.json", "keyint": 20}, name="named")
    for a, b in zip(stream.samples, named.samples):
        assert [a[k] for k in ("display_frame", "picture_type", "temporal_layer")] == \
            [b[k] for k in ("display_frame", "picture_type", "temporal_layer")]
    piped = tmp_path / "piped.h264"
    with open(clip(frames), "rb") as f:
        sluice("encode-y4m", "--config", tmp_path / "encode.json", "--annex-b", piped, "--metadata",
               tmp_path / "piped.jsonl", stdin=f)
    assert piped.read_bytes() == stream.bytes
    assert (tmp_path / "piped.jsonl").read_bytes() == (tmp_path / "encode.jsonl").read_bytes()


def test_groups_of_32(tmp_path, clip):
    """31 B pictures in a row, six layers; made while reading, two periods and a tail."""
    stream, picture = judge(tmp_path, clip(101), config(gop=32, bframes=31, keyint=60), "--extended")
    assert (stream.head["gop"], stream.head["dpb"], stream.head["reorder"], stream.layers) == (32, 16, 5, 6)
    assert [s["display_frame"] for s in stream.samples if s["temporal_layer"] == 0] == [0, 32, 60, 92]
    layers.judge_ranges(stream)
    layers.judge_times(stream, tmp_path, picture)
    layers.judge_closures(stream, tmp_path, picture)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.soak
def test_forgetting_holds_for_every_length(tmp_path, clip, seed):
    """Whatever the length of the period and of its tail, 16 frames of DPB are enough."""
    r = random.Random(seed)
    frames, keyint = r.randint(34, 101), r.randint(33, 101)
    cfg = config(gop=32, bframes=31, keyint=keyint, preset="ultrafast", threads=1)
    stream, _ = judge(tmp_path, clip(frames), cfg)
    assert stream.shown == list(range(frames))
    # What the maker chose from picture to picture is what it chooses for a known length.
    schedule(tmp_path / "s.json", frames, "--gop", 32, "--forget", "--keyint", keyint, "--dpb", 16)
    named = encode(tmp_path, clip(frames), {**cfg, "frame_ir": "s.json"}, name="named")
    assert named.bytes[len(named.header):] == stream.bytes[len(stream.header):]


def test_tails_are_evenly_sampled(tmp_path, clip):
    """Each prefix of a period of 14: 0 8 12, 0 4 8 12 13 … no picture of a low layer is missing."""
    stream = encode(tmp_path, clip(28), config(keyint=14))
    low = [s["display_frame"] for s in stream.samples if s["temporal_layer"] == 0]
    for a, b in zip(sorted(low), sorted(low)[1:]):
        assert b - a <= 16


@pytest.mark.parametrize("extra", ["ref=1", "ref=16:bframes-x", "weightp=2:ref=5", "direct=temporal",
                                   "direct=auto:8x8dct=0", "no-cabac:no-deblock", "slices=3",
                                   "sliced-threads=1", "qp=30", "bitrate=200", "subme=0:me=dia",
                                   "constrained-intra=1", "rc-lookahead=0", "aq-mode=3:psy-rd=1,0.5"])
@pytest.mark.soak
def test_tools_of_x264(tmp_path, clip, extra):
    """Whatever x264 is told to use, layers can be dropped."""
    extra = extra.replace(":bframes-x", "")
    judge(tmp_path, clip(50), config(preset="medium", keyint=33, x264_extra_params=extra))


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "slower"])
@pytest.mark.soak
def test_presets(tmp_path, clip, preset):
    judge(tmp_path, clip(50), config(preset=preset, keyint=40))


def test_threads_do_not_change_what_is_promised(tmp_path, clip):
    """With any number what judge() says; with one, the same bytes each time."""
    for threads in (1, 3, 8):
        cfg = config(threads=threads, keyint=40)
        once, _ = judge(tmp_path, clip(50), cfg)
        again = encode(tmp_path, clip(50), cfg, name="again")
        assert again.head == once.head
        assert threads > 1 or again.bytes == once.bytes


def test_low_delay(tmp_path, clip):
    """Each picture is coded as it is shown: dts is pts, the SPS says no reorder."""
    stream, _ = judge(tmp_path, clip(50), config(low_delay=True, gop=8, keyint=32))
    assert all(s["pts"] == s["dts"] == s["decode_order"] for s in stream.samples)
    assert {s["picture_type"] for s in stream.samples} == {1, 3}
    assert stream.layers == 4


def test_pictures_left_out(tmp_path, clip):
    """A schedule of every second picture: times and numbers are those of the source, ids the user's."""
    path = schedule(tmp_path / "s.json", 30, "--keyint", 20)
    ir = json.loads(path.read_text())
    for f in ir["frames"]:
        for key in ("display", "refs", "forget"):
            if key in f:
                f[key] = [2 * d for d in f[key]] if isinstance(f[key], list) else 2 * f[key]
        f["frame_id"] = 1000 + f["display"]
    path.write_text(json.dumps(ir))
    stream, picture = judge(tmp_path, clip(70), config(frame_ir="s.json"), "--extended")
    assert stream.shown == list(range(0, 60, 2))
    assert all(s["frame_id"] == 1000 + s["pts"] for s in stream.samples)
    assert sorted((s["pts"], s["duration"]) for s in stream.samples) == \
        [(d, 2) for d in range(0, 58, 2)] + [(58, 1)]
    assert all(r % 2 == 0 for s in stream.samples for r in s["refs"])


def random_schedule(seed):
    """Groups of any size, split anywhere, with layers, references and QPs by chance, and pictures of
    the source left out. Valid but for its DPB, perhaps, which is for the product to find out."""
    r = random.Random(seed)
    frames, shown, anchors, limit = [], 0, [], r.choice([1, 2, 4, 9])

    def some(pool, least):
        pool = [d for d in pool if d is not None]
        keep = r.sample(pool, r.randint(min(least, len(pool)), len(pool)))
        return sorted(set(keep))

    def add(display, kind, layer, refs=()):
        top = max([f["layer"] for f in frames if f["display"] in refs], default=0)
        f = {"display": display, "decode": len(frames), "type": kind, "layer": layer,
             "max_ref_layer": r.randint(top, max(layer - 1, top))}
        if refs:
            f["refs"] = sorted(refs)
        if r.random() < 0.2:
            f[r.choice(["qp", "qp_offset"])] = r.randint(1, 80) / 2 if r.random() < 0.5 else 6
        frames.append(f)

    def split(inside, low, high, layer, chain):
        if not inside:
            return
        at = r.randrange(len(inside))
        leaf = len(inside) == 1 or layer == 7
        refs = {low, high} | set(some(chain, 0)[:3])
        if leaf:
            for d in inside:
                add(d, "b", layer, refs)
            return
        middle = inside[at]
        add(middle, "bref", layer, refs)
        halves = [(inside[:at], low, middle), (inside[at + 1:], middle, high)]
        if r.random() < 0.2:
            halves.reverse()
        for half, a, b in halves:
            split(half, a, b, layer + 1, [low, high, middle])

    for period in range(r.randint(1, 3)):
        add(shown, "idr", 0)
        anchors = [shown]
        shown += r.choice([1, 1, 1, 2])
        for _ in range(r.randint(0, 6)):
            inside = []
            for _ in range(r.choice([0, 0, 1, 3, 7, 15]) if limit > 1 else 0):
                inside.append(shown)
                shown += r.choice([1, 1, 1, 1, 2])
            if r.random() < 0.1:
                add(shown, "i", 0)
            else:
                add(shown, "p", 0, {anchors[-1]} | set(some(anchors[-limit:], 0)))
            anchors.append(shown)
            shown += 1
            split(inside, anchors[-2], anchors[-1], r.randint(1, 2), anchors[-2:])
    return {"version": 1, "gop": 16, "frames": frames}, shown


@pytest.mark.parametrize("seed", range(200 if os.environ.get("SLUICE_SOAK") else 12))
@pytest.mark.soak
def test_random_schedules(tmp_path, clip, seed):
    """What the product takes, it codes as it was told; the rest it refuses before it begins."""
    ir, length = random_schedule(seed)
    (tmp_path / "s.json").write_text(json.dumps(ir, indent=0))
    check = sluice("schedule", "check", tmp_path / "s.json", ok=False)
    cfg = config(frame_ir="s.json", threads=1 + seed % 4, preset=["veryfast", "fast"][seed % 2])
    if check.returncode != 0:
        done = encode(tmp_path, clip(300), cfg, ok=False)
        assert done.returncode == 1 and b"s.json" in done.stderr
        assert b"dpb" in check.stderr.lower() or b"reorder" in check.stderr, check.stderr
        return
    stream, picture = judge(tmp_path, clip(300), cfg, "--extended")
    assert stream.shown == sorted(f["display"] for f in ir["frames"])
    for s, f in zip(stream.samples, ir["frames"]):
        assert (s["display_frame"], s["temporal_layer"]) == (f["display"], f["layer"])
        assert set(s["refs"]) <= set(f.get("refs", []))
        assert s["type"] == "sample" and "qp" not in f or s["qp"] == int(f["qp"] + 0.5)


def test_qp_of_a_picture_wins(tmp_path, clip):
    path = schedule(tmp_path / "s.json", 17)
    ir = json.loads(path.read_text())
    ir["frames"][2]["qp"] = 45
    ir["frames"][3]["qp_offset"] = -20
    path.write_text(json.dumps(ir))
    cfg = config(frame_ir="s.json", layer_qp_offsets="0=0,1=1,2=2,3=3,4=4")
    stream = encode(tmp_path, clip(17), cfg, "--extended")
    qp = [s["qp"] for s in stream.samples]
    assert qp[2] == 45
    assert qp[3] < min(q for i, q in enumerate(qp) if i != 3) - 10


def test_offsets_raise_qp_layer_by_layer(tmp_path, clip):
    cfg = config(keyint=64, x264_extra_params="mbtree=0", layer_qp_offsets="0=0,1=2,2=4,3=6,4=8")
    stream = encode(tmp_path, clip(64), cfg, "--extended")
    plain = encode(tmp_path, clip(64), {**cfg, "layer_qp_offsets": "0=0"}, "--extended")
    for layer in range(5):
        mean = [sum(s["qp"] for s in t.samples if s["temporal_layer"] == layer) /
                sum(s["temporal_layer"] == layer for s in t.samples) for t in (stream, plain)]
        # Each layer is derived from its neighbours without theirs: offsets do not add up.
        assert abs(mean[0] - mean[1] - 2 * layer) < 1.1, (layer, mean)


# ---- without a schedule -------------------------------------------------------------------------

@pytest.mark.parametrize("cfg, args", [
    ({"threads": 1}, "--threads 1"),
    ({"threads": 4, "crf": 25, "preset": "medium"}, "--threads 4 --crf 25 --preset medium"),
    ({"threads": 4, "crf": 27.5, "preset": "slow", "keyint": 48, "keyint_min": 10, "bframes": 5,
      "b_pyramid": "strict", "b_adapt": 2, "scenecut": 30},
     "--threads 4 --crf 27.5 --preset slow --keyint 48 --min-keyint 10 --bframes 5 --b-pyramid strict "
     "--b-adapt 2 --scenecut 30"),
    ({"threads": 2, "open_gop": True, "keyint": 30, "preset": "veryfast", "tune": "film",
      "rc_lookahead": 20},
     "--threads 2 --open-gop --keyint 30 --preset veryfast --tune film --rc-lookahead 20"),
    ({"threads": 2, "preset": "ultrafast", "profile": "baseline"},
     "--threads 2 --preset ultrafast --profile baseline"),
    ({"threads": 3, "tune": "zerolatency", "preset": "veryfast"},
     "--threads 3 --tune zerolatency --preset veryfast"),
    ({"threads": 2, "x264_extra_params": "weightp=0:mbtree=0:vbv-maxrate=400:vbv-bufsize=400"},
     "--threads 2 --weightp 0 --no-mbtree --vbv-maxrate 400 --vbv-bufsize 400"),
    ({"threads": 1, "x264_extra_params": "bitrate=300:no-cabac:slices=4"},
     "--threads 1 --bitrate 300 --no-cabac --slices 4"),
    ({"threads": 1, "bframes": 15, "b_pyramid": "normal", "b_adapt": 0},
     "--threads 1 --bframes 15 --b-pyramid normal --b-adapt 0"),
], ids=lambda v: None if isinstance(v, dict) else v.replace(" ", ""))
def test_plain_is_stock_x264(tmp_path, clip, cfg, args):
    """"gop": 0. Debian's x264 command writes the same bytes. With several threads that command is not
    always of one mind (two runs in a hundred differ on a busy machine), so it gets some tries there."""
    stock = tmp_path / "stock.h264"
    for left in range(1 if "--threads 1" in args else 4, 0, -1):
        stream = encode(tmp_path, clip(101), {"gop": 0, **cfg})
        done = run(["x264", "--quiet", "-o", stock, *args.split(), clip(101)])
        assert done.returncode == 0, done.stderr.decode()
        if stream.bytes == stock.read_bytes():
            break
        assert left > 1
    assert sum(s["byte_len"] for s in stream.samples) + len(stream.header) == len(stream.bytes)
    assert all(s["dts"] <= s["pts"] for s in stream.samples)
    assert stream.shown == list(range(101))


def test_what_y4m_says_is_kept(tmp_path):
    """Sample aspect and rate, as the command of x264 takes them from the header."""
    source = make(tmp_path / "a.y4m", "-f", "lavfi", "-i", "testsrc2=size=96x80:rate=30000/1001", "-vf",
                  "setsar=16/11", "-frames:v", "10", "-pix_fmt", "yuv420p")
    stream = encode(tmp_path, source, {"gop": 0, "threads": 1})
    assert run(["x264", "--quiet", "--threads", "1", "-o", tmp_path / "stock.h264", source]).returncode == 0
    assert stream.bytes == (tmp_path / "stock.h264").read_bytes()
    assert (stream.head["fps_num"], stream.head["fps_den"]) == (30000, 1001)


# ---- refusals --------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, says", [
    ('{\n"keyint": 120,\n"colour": 3}', ["line 3", "colour"]),
    ('{\n"keyint": "120"}', ["line 2", "keyint", "string", "integer"]),
    ('{\n\n"crf": 0}', ["line 3", "crf"]),
    ('{"crf": 23,\n"crf": 24}', ["line 2"]),
    ('{"crf": 23,\n', ["line"]),
    ('[]', ["object"]),
    ('{"crf": 23,\n"scenecut": 40}', ["line 2", "scenecut", "schedule"]),
    ('{"crf": 23,\n"open_gop": true}', ["line 2", "open_gop", "schedule"]),
    ('{"crf": 23,\n"b_adapt": 1}', ["line 2", "b_adapt", "schedule"]),
    ('{"crf": 23,\n"b_pyramid": "strict"}', ["line 2", "b_pyramid", "normal"]),
    ('{"gop": 0,\n"b_pyramid": "high"}', ["line 2", "b_pyramid"]),
    ('{"gop": 0,\n"x264_layer_qps": "0=22"}', ["line 2", "x264_layer_qps"]),
    ('{"gop": 0,\n"low_delay": true}', ["line 2", "low_delay"]),
    ('{"gop": 0,\n"bframes": 17}', ["line 2", "bframes"]),
    ('{"crf": 23,\n"gop": 64}', ["line 2", "gop", "DPB"]),
    ('{"gop": 0,\n"frame_ir": "s.json"}', ["line 2", "frame_ir"]),
    ('{"crf": 23,\n"gop": 12}', ["line 2", "gop", "power of two"]),
    ('{"keyint": 30,\n"keyint_min": 60}', ["line 2", "keyint_min"]),
    ('{"low_delay": true,\n"bframes": 3}', ["line 2", "bframes", "low_delay"]),
    ('{"crf": 23,\n"preset": "brisk"}', ["line 2", "preset", "brisk"]),
    ('{"crf": 23,\n"tune": "x"}', ["line 2", "tune"]),
    ('{"crf": 23,\n"profile": "high10"}', ["line 2", "profile"]),
    ('{"crf": 23,\n"profile": "baseline"}', ["line 2", "profile", "baseline"]),
    ('{"crf": 23,\n"x264_layer_qps": "0=22,9=3"}', ["line 2", "x264_layer_qps"]),
    ('{"crf": 23,\n"x264_layer_qps": "0=22,0=3"}', ["line 2", "x264_layer_qps"]),
    ('{"crf": 23,\n"x264_layer_qps": "0=-3"}', ["line 2", "x264_layer_qps"]),
    ('{"x264_layer_qps": "0=22",\n"layer_qp_offsets": "0=1"}', ["line 2", "layer_qp_offsets"]),
    ('{"crf": 23,\n"x264_extra_params": "weightq=0"}', ["line 2", "weightq"]),
    ('{"crf": 23,\n"x264_extra_params": "me=quick"}', ["line 2", "me", "quick"]),
    ('{"crf": 23,\n"x264_extra_params": "mbtree=0:keyint=30"}', ["line 2", "keyint", "schedule"]),
    ('{"crf": 23,\n"x264_extra_params": "vbv_maxrate=300"}', ["line 2", "vbv_maxrate"]),
    ('{"gop": 0,\n"x264_extra_params": "no-annexb"}', ["line 2", "annexb"]),
    ('{"crf": 23,\n"frame_ir": "missing.json"}', ["missing.json"]),
], ids=lambda v: v.replace("\n", "") if isinstance(v, str) else "")
def test_refused(tmp_path, clip, text, says):
    done = encode(tmp_path, clip(5), text, ok=False)
    said = done.stderr.decode()
    assert done.returncode == 1 and said.count("\n") == 1, said
    assert "encode.json" in said or "missing.json" in said, said
    for word in says:
        assert word in said, said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["encode.json"]


@pytest.mark.parametrize("changes, says", [
    ({"keyint": 30}, "keyint"), ({"bframes": 7}, "bframes"), ({"gop": 8}, "gop"),
    ({"low_delay": True}, "low_delay"),
])
def test_contradicts_the_schedule_that_is_named(tmp_path, clip, changes, says):
    schedule(tmp_path / "s.json", 50)
    done = encode(tmp_path, clip(50), {"frame_ir": "s.json", **changes}, ok=False)
    assert done.returncode == 1 and b"encode.json: line 3" in done.stderr and says.encode() in done.stderr


def test_input_is_shorter_than_the_schedule(tmp_path, clip):
    schedule(tmp_path / "s.json", 50)
    (tmp_path / "encode.jsonl").write_text("older\n")
    done = encode(tmp_path, clip(33), {"frame_ir": "s.json"}, ok=False)
    assert done.returncode == 1 and b"ends after 33" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["encode.json", "encode.jsonl", "s.json"]
    assert (tmp_path / "encode.jsonl").read_text() == "older\n"


def test_schedule_is_refused_by_its_own_name(tmp_path, clip):
    (tmp_path / "s.json").write_text('{"version":1,"frames":[{"display":0,"decode":0,"type":"p"}]}')
    done = encode(tmp_path, clip(5), {"frame_ir": "s.json"}, ok=False)
    assert done.returncode == 1 and b"s.json" in done.stderr, done.stderr


@pytest.mark.parametrize("fmt, says", [("yuv444p", b"yuv444p"), ("yuv420p10le", b"yuv420p10"),
                                       ("yuv422p", b"yuv422p"), ("gray", b"gray")])
def test_other_samples(tmp_path, fmt, says):
    source = make(tmp_path / "a.y4m", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=5:duration=1",
                  "-pix_fmt", fmt, "-strict", "-1")
    done = encode(tmp_path, source, config(), ok=False)
    assert done.returncode == 1 and says in done.stderr and b"4:2:0 of 8 bits" in done.stderr
    assert not (tmp_path / "encode.h264").exists()


def test_other_input(tmp_path, media, clip):
    done = encode(tmp_path, media("silent.mp4"), config(), ok=False)
    assert done.returncode == 1 and b"YUV4MPEG2" in done.stderr
    cut = tmp_path / "cut.y4m"
    cut.write_bytes(clip(20).read_bytes()[:-100])
    done = encode(tmp_path, cut, config(), ok=False)
    assert done.returncode == 1 and not (tmp_path / "encode.h264").exists()
    empty = tmp_path / "empty.y4m"
    empty.write_bytes(clip(20).read_bytes().split(b"\n")[0] + b"\n")
    done = encode(tmp_path, empty, config(), ok=False)
    assert done.returncode == 1 and b"no picture" in done.stderr
    odd = tmp_path / "odd.y4m"
    odd.write_bytes(b"YUV4MPEG2 W33 H32 F30:1 C420jpeg\n" + 3 * (b"FRAME\n" + bytes(33 * 32 + 2 * 17 * 16)))
    done = encode(tmp_path, odd, config(), ok=False)
    assert done.returncode != 0 and b"33x32" in done.stderr


def test_usage(tmp_path):
    assert sluice("encode-y4m", ok=False).returncode == 2
    assert sluice("encode-y4m", "--config", "a", "--annex-b", "b", "--metadata", "b", ok=False).returncode == 2
    assert b"--annex-b" in sluice("encode-y4m", "--help").stdout


# ---- files ------------------------------------------------------------------------------------------

def test_both_files_or_none(tmp_path, clip):
    """A directory that is not there, and a stop in the middle."""
    cfg = tmp_path / "encode.json"
    cfg.write_text(json.dumps(config()))
    done = sluice("encode-y4m", "--config", cfg, "--annex-b", tmp_path / "a.h264", "--metadata",
                  tmp_path / "no" / "a.jsonl", "--input-y4m", clip(5), ok=False)
    assert done.returncode == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["encode.json"]
    process = subprocess.Popen([SLUICE, "encode-y4m", "--config", cfg, "--annex-b", tmp_path / "a.h264",
                                "--metadata", tmp_path / "a.jsonl"], stdin=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    data = clip(101).read_bytes()
    process.stdin.write(data[:len(data) // 2])
    process.stdin.flush()
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    try:
        process.stdin.write(data[len(data) // 2:])
        process.stdin.close()
    except BrokenPipeError:
        pass
    said = process.stderr.read().decode()
    assert process.wait(timeout=60) == 1 and "stopped after" in said, said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["encode.json"]


def test_progress(tmp_path, clip):
    cfg = tmp_path / "encode.json"
    cfg.write_text(json.dumps(config()))
    done = sluice("encode-y4m", "--config", cfg, "--annex-b", tmp_path / "a.h264", "--metadata",
                  tmp_path / "a.jsonl", "--input-y4m", clip(50), "--progress=json")
    last = json.loads(done.stderr.decode().splitlines()[-1])
    assert last["event"] == "finished" and last["pictures"] == 50
    assert last["bytes"] == (tmp_path / "a.h264").stat().st_size


def test_the_program_of_its_own(tmp_path, clip):
    """sluice-h264: the same arguments, the same files."""
    stream = encode(tmp_path, clip(20), config(threads=1))
    done = run([pathlib.Path(SLUICE).parent / "sluice-h264", "--config", tmp_path / "encode.json",
                "--annex-b", tmp_path / "own.h264", "--metadata", tmp_path / "own.jsonl", "--input-y4m",
                clip(20)])
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "own.h264").read_bytes() == stream.bytes
    assert (tmp_path / "own.jsonl").read_bytes() == (tmp_path / "encode.jsonl").read_bytes()
    version = run([pathlib.Path(SLUICE).parent / "sluice-h264", "--version"]).stdout.decode()
    assert "GPL-2.0-or-later" in version


# ---- how x264 is built ---

@pytest.mark.soak
def test_x264_is_built_the_same_twice(tmp_path):
    """From the pinned source, in two places."""
    here = ROOT / "third_party" / "x264"
    got = run([here / "fetch", tmp_path / "source"])
    assert got.returncode == 0, got.stdout
    made = []
    for name in ("a", "elsewhere/b"):
        done = run([here / "build", got.stdout.decode().strip(), tmp_path / name, tmp_path / "o",
                    tmp_path / "h"])
        assert done.returncode == 0, done.stdout + done.stderr
        made.append([(tmp_path / "o").read_bytes(), (tmp_path / "h").read_bytes()])
    assert made[0] == made[1]


@pytest.mark.soak
def test_the_rest_is_built_without_it(tmp_path):
    """The source cannot be had: everything else is built, and the command says what is missing."""
    env = {**os.environ, "SLUICE_X264_SOURCE": str(tmp_path / "nowhere")}
    tree, out = tmp_path / "tree", tmp_path / "out"
    assert run(["git", "clone", "-q", ROOT, tree]).returncode == 0
    done = run(["meson", "setup", out, tree, "-Dweb=disabled", "-Dtests=false"], env=env)
    assert done.returncode == 0 and b"WARNING" not in done.stdout, done.stdout.decode()[-2000:]
    done = run(["ninja", "-C", out], env=env)
    assert done.returncode == 0, done.stdout.decode()[-2000:]
    for command in (["sluice", "encode-y4m"], ["sluice-h264"]):
        done = run([out / command[0], *command[1:], "--config", "a", "--annex-b", "b", "--metadata", "c"])
        said = done.stderr.decode()
        assert done.returncode == 1 and "could not be fetched" in said and "x264-patch.md" in said, said
    assert "(encode-y4m): no (" in run([out / "sluice", "--version"]).stdout.decode()


def test_the_source_is_what_is_pinned(tmp_path):
    """Another file is never taken, and the reason is said."""
    other = tmp_path / "other.tar.gz"
    other.write_bytes(b"something")
    env = {**os.environ, "SLUICE_X264_SOURCE": str(other)}
    done = run([ROOT / "third_party" / "x264" / "fetch", tmp_path / "cache"], env=env)
    assert done.returncode == 1 and b"SHA-256" in done.stdout
    assert [p for p in (tmp_path / "cache").iterdir()] == []


# ---- natural pictures -------------------------------------------------------------------------------

# Every clip of the corpus with a picture; the second picture of the one that has two.
CLIPS = sorted((p.name, "v:0") for p in CORPUS.glob("*.*") if p.suffix in (".mp4", ".mkv", ".webm", ".ts"))
CLIPS += [(name, "v:1") for name, _ in CLIPS if name.startswith("nasa")]


@pytest.mark.parametrize("name, stream", CLIPS or [("", "")])
@pytest.mark.soak
def test_corpus(tmp_path, name, stream):
    """The config of the issue, on what cameras saw: the whole clip, but of more than 480 lines the first ten
    seconds. Prefixes, ranges, closures and times are judged picture by picture."""
    if not name:
        pytest.skip(f"{CORPUS} is not there")
    info = probe(CORPUS / name, "-show_entries", "stream=height", select=stream, warn=False)["streams"][0]
    source = make(tmp_path / "a.y4m", *(["-t", "10"] if info["height"] > 480 else []), "-i", CORPUS / name, "-map",
                  f"0:{stream}", "-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2", "-pix_fmt", "yuv420p", "-fps_mode",
                  "passthrough")
    header = source.open("rb").readline()
    size = tuple(int(re.search(rb" %c(\d+)" % c, header)[1]) for c in b"WH")
    frames = (source.stat().st_size - len(header)) // (size[0] * size[1] * 3 // 2 + len(b"FRAME\n"))
    schedule(tmp_path / "s.json", frames, "--keyint", 120)
    made, picture = judge(tmp_path, source, {"frame_ir": "s.json", **ISSUE}, "--extended", size=size)
    source.unlink()
    assert made.shown == list(range(frames))
    layers.judge_ranges(made)
    layers.judge_times(made, tmp_path, picture)
    layers.judge_closures(made, tmp_path, picture)
