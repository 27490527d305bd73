# SPDX-License-Identifier: BSD-2-Clause
"""What tests of scheduled streams share: encoding, cutting layers and ranges out, decoding.

ffmpeg says nothing when a picture is predicted from the wrong reference, so pictures are compared
by their hashes, always."""
import fractions
import hashlib
import json
import pathlib

from lib import make, probe, run, sluice

NOISE = "noise=alls=6:allf=t:all_seed=7"


def y4m(path, frames, size="192x108", rate="30", source="testsrc2", extra=()):
    """A moving picture with some noise in it, so that every layer has something to code."""
    return make(path, "-f", "lavfi", "-i", f"{source}=size={size}:rate={rate}", "-vf", NOISE,
                "-frames:v", str(frames), "-pix_fmt", "yuv420p", "-strict", "-1", *extra)


class Stream:
    def __init__(self, annex_b, index):
        self.path = pathlib.Path(annex_b)
        self.bytes = self.path.read_bytes()
        lines = [json.loads(line) for line in pathlib.Path(index).read_text().splitlines()]
        self.head, self.samples = lines[0], lines[1:]
        self.header = self.bytes[:self.samples[0]["byte_offset"]]
        self.layers = 1 + max(s["temporal_layer"] for s in self.samples)
        self.shown = sorted(s["display_frame"] for s in self.samples)

    def sample(self, s):
        return self.bytes[s["byte_offset"]:s["byte_offset"] + s["byte_len"]]

    def cut(self, to, samples):
        to.write_bytes(self.header + b"".join(self.sample(s) for s in samples))
        return to

    def prefix(self, to, layer):
        """The stream without the layers above, and the display numbers of what is left."""
        kept = [s for s in self.samples if s["temporal_layer"] <= layer]
        return self.cut(to, kept), sorted(s["display_frame"] for s in kept)

    def closure(self, display):
        """The samples that one picture needs, in coded order. Needs --extended."""
        by_display = {s["display_frame"]: s for s in self.samples}
        # Display numbers do not begin anew at an IDR, so one table is enough.
        wanted, todo = set(), [display]
        while todo:
            d = todo.pop()
            if d not in wanted:
                wanted.add(d)
                todo += by_display[d]["refs"]
        return sorted((by_display[d] for d in wanted), key=lambda s: s["decode_order"])


def encode(out, source, config, *args, ok=True, name="encode", command=sluice):
    """Writes the configuration beside the output and encodes. Returns the stream."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
    done = command("encode-y4m", "--config", path, "--annex-b", out / f"{name}.h264", "--metadata",
                   out / f"{name}.jsonl", "--input-y4m", source, *args, ok=ok)
    return Stream(out / f"{name}.h264", out / f"{name}.jsonl") if ok else done


def hashes(path, threads=1, *args):
    """MD5 of each decoded picture, in display order."""
    done = run(["ffmpeg", "-nostdin", "-v", "warning", "-err_detect", "explode", "-xerror", "-threads",
                threads, *args, "-i", path, "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "framehash", "-hash",
                "md5", "-"])
    assert done.returncode == 0 and done.stderr == b"", (path, done.stderr.decode()[-2000:])
    return [line.split(",")[-1].strip() for line in done.stdout.decode().splitlines()
            if line and not line.startswith("#")]


def raw_hashes(path, width, height):
    size = width * height * 3 // 2
    data = pathlib.Path(path).read_bytes()
    assert len(data) % size == 0
    return [hashlib.md5(data[i:i + size]).hexdigest() for i in range(0, len(data), size)]


def judge_prefixes(stream, work):
    """Each prefix of layers decodes to the same pictures as the whole. Returns those, by number."""
    whole = hashes(stream.path)
    assert whole == hashes(stream.path, 4)
    assert len(whole) == len(stream.samples)
    picture = dict(zip(stream.shown, whole))
    for layer in range(stream.layers):
        path, shown = stream.prefix(work / f"layer{layer}.h264", layer)
        for threads in (1, 4):
            assert hashes(path, threads) == [picture[d] for d in shown], f"layer {layer}, {threads} threads"
    return picture


def judge_index(stream):
    """The rules of samples.jsonl that hold for every stream."""
    samples = stream.samples
    at = len(stream.header)
    for i, s in enumerate(samples):
        assert s["type"] == "sample" and s["sample_index"] == i and s["decode_order"] == i
        assert s["byte_offset"] == at, "ranges follow each other"
        at += s["byte_len"]
        assert s["dts"] <= s["pts"]
        assert s["pts"] == s["display_frame"]
        assert s["is_keyframe"] is (s["picture_type"] == 1)
        assert s["max_ref_layer"] <= s["temporal_layer"]
        units = [u for u in unit_types(stream.sample(s))]
        assert {5 if s["is_keyframe"] else 1} == set(u for u in units if u in (1, 5)), units
        if i > 0:
            assert s["dts"] > samples[i - 1]["dts"]
            assert not s["is_keyframe"] or units[:2] == [7, 8], "parameter sets belong to their IDR"
        else:
            assert set(units) == {5}
    assert at == len(stream.bytes)
    assert set(unit_types(stream.header)) == {6, 7, 8}
    by_pts = sorted(samples, key=lambda s: s["pts"])
    for a, b in zip(by_pts, by_pts[1:]):
        assert a["pts"] + a["duration"] == b["pts"]


def judge_ranges(stream):
    """ffmpeg's own parser divides the stream as the index does; the headers go with the first sample."""
    packets = probe(stream.path, "-show_entries", "packet=pos,size")["packets"]
    expected = [[s["byte_offset"], s["byte_len"]] for s in stream.samples]
    expected[0] = [0, expected[0][1] + len(stream.header)]
    assert [[int(p["pos"]), int(p["size"])] for p in packets] == expected


def judge_closures(stream, work, picture):
    """Each picture out of the ranges that it needs and nothing else, one after the other. Needs --extended."""
    expected = []
    with open(work / "closures.h264", "wb") as f:
        for display in stream.shown:
            closure = stream.closure(display)
            f.write(stream.header + b"".join(stream.sample(s) for s in closure))
            expected += [picture[d] for d in sorted(s["display_frame"] for s in closure)]
    # So many large IDRs in front are more than ffmpeg reads before it wants to know the frame rate.
    assert hashes(work / "closures.h264", 2, "-probesize", "100M") == expected
    (work / "closures.h264").unlink()


def judge_times(stream, work, picture):
    """In an MP4 of it, where ffmpeg gives every packet and every decoded picture its time."""
    sluice("pack", stream.path, "-o", work / "times.mp4", "--layout", "coded")
    tick = fractions.Fraction(stream.head["fps_den"], stream.head["fps_num"])
    info = probe(work / "times.mp4", "-show_entries", "packet=pts,dts,size:stream=time_base:frame=pts", "-show_frames",
                 "-show_packets")
    base = fractions.Fraction(info["streams"][0]["time_base"])
    both = info["packets_and_frames"]
    packets = [p for p in both if p["type"] == "packet"]
    assert [(p["pts"] * base, p["dts"] * base) for p in packets] == \
        [(s["pts"] * tick, s["dts"] * tick) for s in stream.samples]
    assert [f["pts"] * base for f in both if f["type"] == "frame"] == [d * tick for d in stream.shown]
    assert hashes(work / "times.mp4") == [picture[d] for d in stream.shown]
    (work / "times.mp4").unlink()


def unit_types(data):
    """nal_unit_type of each unit of Annex B."""
    at = data.find(b"\0\0\1")
    while at >= 0:
        yield data[at + 3] & 31
        at = data.find(b"\0\0\1", at + 3)
