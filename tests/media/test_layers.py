# SPDX-License-Identifier: BSD-2-Clause
"""sluice layers and sluice pack: pictures by hash, boxes and byte ranges by a second reader."""
import json
import re
import struct

import pytest

import layers
from layers import encode, hashes
from lib import SLUICE, find, probe, run, sluice

WITHOUT = re.search("encode-y4m[)]: no (.*)", run([SLUICE, "--version"]).stdout.decode())
pytestmark = pytest.mark.skipif(WITHOUT is not None, reason=f"a build without scheduled x264 {WITHOUT and WITHOUT[1]}")

FRAMES, KEYINT = 101, 40


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(stream, hash of each picture, folder) of three periods with an odd tail."""
    home = tmp_path_factory.mktemp("layers")
    clip = layers.y4m(home / "clip.y4m", FRAMES, rate="30000/1001")
    cfg = {"crf": 27, "preset": "fast", "threads": 2, "keyint": KEYINT,
           "layer_qp_offsets": "0=0,1=1.5,2=3,3=4.5,4=6"}
    stream = encode(home, clip, cfg, "--extended", name="run")
    return stream, hashes(stream.path), home


class Mp4:
    """The tables of the one track, and its layers."""

    def __init__(self, path):
        self.bytes = data = path.read_bytes()
        self.kinds = [data[a + 4:a + 8].decode() for a, _ in self.top()]
        stbl = next(find(data, ["moov", "trak", "mdia", "minf", "stbl"]))

        def box(kind):
            a, _ = next(find(data, [kind], *stbl))
            return a

        def words(at, count):
            return struct.unpack_from(f">{count}I", data, at)

        a = box("stsz")
        common, count = words(a + 4, 2)
        sizes = [common] * count if common else words(a + 12, count)
        a = box("stco")
        chunks = words(a + 8, words(a + 4, 1)[0])
        a = box("stsc")
        runs = [words(a + 8 + 12 * i, 3) for i in range(words(a + 4, 1)[0])]
        self.samples, at = [], 0
        for i, offset in enumerate(chunks):
            for _ in range([n for first, n, _ in runs if first <= i + 1][-1]):
                self.samples.append((offset, sizes[at]))
                offset += sizes[at]
                at += 1
        assert at == count
        a = box("stss")
        self.keys = [k - 1 for k in words(a + 8, words(a + 4, 1)[0])]
        a = box("sgpd")
        assert data[a] == 1 and data[a + 4:a + 8] == b"tele"
        assert words(a + 8, 1) == (1,)
        self.groups = data[a + 16:a + 16 + words(a + 12, 1)[0]]
        a = box("sbgp")
        assert data[a + 4:a + 8] == b"tele"
        self.layers = []
        for i in range(words(a + 8, 1)[0]):
            n, group = words(a + 12 + 8 * i, 2)
            self.layers += [group - 1] * n

    def top(self):
        at = 0
        while at < len(self.bytes):
            size = struct.unpack_from(">I", self.bytes, at)[0]
            size = struct.unpack_from(">Q", self.bytes, at + 8)[0] if size == 1 else size
            yield at, at + size
            at += size

    def units(self, sample):
        offset, size = self.samples[sample]
        end = offset + size
        while offset < end:
            n = struct.unpack_from(">I", self.bytes, offset)[0]
            yield self.bytes[offset + 4:offset + 4 + n]
            offset += 4 + n
        assert offset == end


def packed(made, work, *args):
    stream, _, _ = made
    sluice("pack", stream.path, "-o", work / "run.mp4", *args)
    lines = [json.loads(x) for x in (work / "run.mp4.jsonl").read_text().splitlines()]
    return Mp4(work / "run.mp4"), lines[0], lines[1:]


@pytest.mark.parametrize("layer", range(5))
def test_layers_dropped(made, tmp_path, layer):
    stream, picture, _ = made
    sluice("layers", stream.path, "--max-layer", layer, "-o", tmp_path / "l.h264")
    cut, shown = stream.prefix(tmp_path / "expected.h264", layer)
    assert (tmp_path / "l.h264").read_bytes() == cut.read_bytes()
    assert hashes(tmp_path / "l.h264") == [picture[d] for d in shown]
    mp4, _, _ = packed(made, tmp_path)
    sluice("layers", tmp_path / "run.mp4", "--max-layer", layer, "-o", tmp_path / "l.mp4")
    assert hashes(tmp_path / "l.mp4") == [picture[d] for d in shown]
    info = probe(tmp_path / "l.mp4", "-show_entries", "packet=pts,dts:stream=time_base,duration_ts,start_pts")
    assert sorted(p["pts"] for p in info["packets"]) == [1001 * d for d in shown]
    assert info["streams"][0]["duration_ts"] == 1001 * FRAMES, "as long as it was"
    # Dropping from what was dropped from is dropping at once.
    if layer > 0:
        sluice("layers", tmp_path / "l.mp4", "--max-layer", 0, "-o", tmp_path / "twice.mp4")
        sluice("layers", tmp_path / "run.mp4", "--max-layer", 0, "-o", tmp_path / "once.mp4")
        assert (tmp_path / "twice.mp4").read_bytes() == (tmp_path / "once.mp4").read_bytes()


@pytest.mark.parametrize("layout", ["gop", "file", "coded"])
def test_pack(made, tmp_path, layout):
    stream, picture, _ = made
    mp4, head, index = packed(made, tmp_path, "--layout", layout)
    assert mp4.kinds == ["ftyp", "moov", "mdat"]
    assert hashes(tmp_path / "run.mp4") == picture == hashes(tmp_path / "run.mp4", 4)
    info = probe(tmp_path / "run.mp4", "-show_entries",
                 "packet=pts,dts,flags:stream=time_base,duration_ts,start_pts,nb_frames,avg_frame_rate,codec_tag_string")
    track = info["streams"][0]
    assert track["codec_tag_string"] == "avc1" and track["time_base"] == "1/30000"
    assert track["start_pts"] == 0 and track["duration_ts"] == 1001 * FRAMES
    assert track["avg_frame_rate"] == "30000/1001" and track["nb_frames"] == str(FRAMES)
    # Every sample: units, layer, key, times are the stream's.
    assert mp4.layers == [s["temporal_layer"] for s in stream.samples]
    assert mp4.groups == b"\x80\0\0\0\0"
    assert mp4.keys == [i for i, s in enumerate(stream.samples) if s["is_keyframe"]]
    assert [p["pts"] for p in info["packets"]] == [1001 * s["pts"] for s in stream.samples]
    for i, s in enumerate(stream.samples):
        want = [u for u in re.split(b"\0\0\0?\1", stream.sample(s))[1:] if u[0] & 31 not in (7, 8)]
        assert list(mp4.units(i)) == want
    # Samples lie where the layout says, without holes.
    key = {"gop": lambda i: (sum(k <= i for k in mp4.keys), mp4.layers[i], i),
           "file": lambda i: (mp4.layers[i], i), "coded": lambda i: i}[layout]
    at = len(mp4.bytes) - sum(size for _, size in mp4.samples)
    for i in sorted(range(FRAMES), key=key):
        assert mp4.samples[i][0] == at
        at += mp4.samples[i][1]
    # The index says the same, and its references are those that the encoder used.
    assert head == {"type": "index", "version": 1, "width": 192, "height": 108, "fps_num": 30000,
                    "fps_den": 1001, "layers": 5, "layout": layout, "frames": FRAMES}
    assert [f["display_frame"] for f in index] == list(range(FRAMES))
    for f in index:
        s = stream.samples[f["sample_index"]]
        assert (f["byte_offset"], f["byte_len"]) == mp4.samples[f["sample_index"]]
        assert (f["display_frame"], f["pts"], f["temporal_layer"], f["frame_id"], f["duration"]) == \
            (s["display_frame"], s["pts"], s["temporal_layer"], s["frame_id"], s["duration"])
        assert sorted(stream.samples[r]["display_frame"] for r in f["refs"]) == sorted(s["refs"])


def test_references_are_found(made, tmp_path):
    """Without --extended the slice headers say what the encoder used."""
    stream, _, _ = made
    plain = tmp_path / "plain.jsonl"
    with open(plain, "w") as f:
        for s in [stream.head, *stream.samples]:
            keep = {k: v for k, v in s.items() if k not in ("refs", "qp", "crc32", "gop", "dpb", "reorder", "layers")}
            f.write(json.dumps(keep) + "\n")
    _, _, with_refs = packed(made, tmp_path)
    sluice("pack", stream.path, "--metadata", plain, "-o", tmp_path / "p.mp4", "--index", tmp_path / "p.jsonl")
    without = [json.loads(x) for x in (tmp_path / "p.jsonl").read_text().splitlines()][1:]
    for a, b in zip(with_refs, without):
        assert {**a, "refs": sorted(a["refs"])} == {**b, "refs": sorted(b["refs"])}


@pytest.mark.parametrize("layout", ["gop", "file"])
def test_ranges_are_enough(made, tmp_path, layout):
    """A file that holds the ranges of one picture, and zeros elsewhere, decodes to that picture."""
    stream, picture, _ = made
    mp4, _, index = packed(made, tmp_path, "--layout", layout)
    header = stream.header
    for display in (0, 1, 6, 16, 39, 40, 41, 77, 100):
        f = index[display]
        held = bytearray(len(mp4.bytes))
        for offset, size in f["ranges"]:
            held[offset:offset + size] = mp4.bytes[offset:offset + size]
        whole = [i for i, (o, n) in enumerate(mp4.samples) if held[o:o + n] == mp4.bytes[o:o + n]]
        assert len(whole) == f["pictures"], "and nothing that is not needed"
        cut = tmp_path / "cut.h264"
        cut.write_bytes(header + b"".join(b"\0\0\0\1" + u for i in whole for u in mp4.units(i)))
        shown = sorted(stream.samples[i]["display_frame"] for i in whole)
        assert display in shown
        assert hashes(cut) == [picture[d] for d in shown]


def test_a_prefix_is_a_lower_rate(made, tmp_path):
    """--layout gop: the first bytes of each period are layer 0, then 1; --layout file: of the file."""
    mp4, _, _ = packed(made, tmp_path, "--layout", "file")
    ends = [max(o + n for (o, n), at in zip(mp4.samples, mp4.layers) if at == layer) for layer in range(5)]
    starts = [min(o for (o, _), at in zip(mp4.samples, mp4.layers) if at == layer) for layer in range(5)]
    assert starts[1:] == ends[:-1] and ends[-1] == len(mp4.bytes)


def test_words(made, tmp_path):
    stream, _, home = made
    for args in (["layers"], ["pack"], ["layers", stream.path], ["pack", stream.path],
                 ["layers", stream.path, "--max-layer", "8", "-o", tmp_path / "x"],
                 ["pack", stream.path, "--layout", "odd", "-o", tmp_path / "x"],
                 ["pack", stream.path, stream.path, "-o", tmp_path / "x"]):
        done = sluice(*args, ok=False)
        assert done.returncode == 2 and done.stderr, args
    alone = tmp_path / "alone.h264"
    alone.write_bytes(stream.bytes)
    done = sluice("layers", alone, "--max-layer", 1, "-o", tmp_path / "x", ok=False)
    assert done.returncode == 1 and b"samples.jsonl: " in done.stderr
    alone.write_bytes(stream.bytes[:-1000])
    done = sluice("pack", alone, "--metadata", home / "run.jsonl", "-o", tmp_path / "x", ok=False)
    assert done.returncode == 1 and re.search(rb"run.jsonl: line \d+, column \d+: byte_len: ", done.stderr)
    swapped = bytearray(stream.bytes)
    at = stream.samples[3]["byte_offset"]
    swapped[at:at + 40] = bytes(40)
    alone.write_bytes(swapped)
    done = sluice("pack", alone, "--metadata", home / "run.jsonl", "-o", tmp_path / "x", ok=False)
    assert done.returncode == 1 and f"offset {at}: ".encode() in done.stderr
    run(["ffmpeg", "-v", "error", "-i", stream.path, "-c", "copy", tmp_path / "plain.mp4"])
    done = sluice("layers", tmp_path / "plain.mp4", "--max-layer", 1, "-o", tmp_path / "x", ok=False)
    assert done.returncode == 1 and b"no temporal layers" in done.stderr
    assert not (tmp_path / "x").exists() and not list(tmp_path.glob(".x*"))


def test_to_standard_output(made):
    stream, _, _ = made
    done = sluice("layers", stream.path, "--max-layer", 7, "-o", "-")
    assert done.stdout == stream.bytes
