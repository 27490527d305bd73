# SPDX-License-Identifier: BSD-2-Clause
"""What the media tests share: making sources, running sluice, and judging what it wrote.

ffmpeg and ffprobe are the independent judges; boxes and playlists are read here by a second, much
smaller reader than the product's own."""
import fractions
import json
import os
import pathlib
import re
import struct
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLUICE = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
CORPUS = pathlib.Path(os.environ.get("SLUICE_CORPUS", ROOT.parent / "shared" / "corpus"))
F = fractions.Fraction


def run(args, **kw):
    kw.setdefault("capture_output", True)
    kw.setdefault("timeout", 300)
    return subprocess.run([str(a) for a in args], **kw)


def make(path, *args):
    """A source made by ffmpeg; args come before the output's name."""
    done = run(["ffmpeg", "-nostdin", "-v", "error", "-y", *args, path])
    assert done.returncode == 0, done.stderr.decode()
    return path


def sluice(*args, ok=True, **kw):
    done = run([SLUICE, *args], **kw)
    if ok:
        assert done.returncode == 0, f"sluice {args}: {done.stderr.decode()}"
        assert b"ERROR: " not in done.stderr and b"runtime error" not in done.stderr, done.stderr
    return done


def ladder(source, out, *args, ok=True, **kw):
    return sluice("ladder", source, "-o", out, "--overwrite", *args, ok=ok, **kw)


def probe(path, *entries, select=None, warn=True):
    args = ["ffprobe", "-v", "warning", "-of", "json"]
    if select:
        args += ["-select_streams", select]
    done = run([*args, *entries, path])
    assert done.returncode == 0, done.stderr.decode()
    if warn:
        assert done.stderr == b"", done.stderr.decode()
    return json.loads(done.stdout)


def decode_clean(path, *args):
    """ffmpeg decodes all of it without a word. Times stay as they are: its own frame rate would put two pictures of
    a variable one at one time, and complain of that."""
    done = run(["ffmpeg", "-nostdin", "-v", "warning", "-xerror", "-i", path, *args, "-fps_mode", "passthrough",
                "-enc_time_base:v", "-1", "-f", "null", "-"])
    assert done.returncode == 0 and done.stderr == b"", done.stderr.decode()[-2000:]


class Playlist:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        text = self.path.read_text()
        assert text.startswith("#EXTM3U\n"), text[:80]
        self.ended = "#EXT-X-ENDLIST" in text
        self.target = int(re.search(r"#EXT-X-TARGETDURATION:(\d+)", text)[1])
        m = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text)
        self.init = self.path.parent / m[1] if m else None
        self.event = "#EXT-X-PLAYLIST-TYPE:EVENT" in text
        self.segments = []
        duration = None
        for line in text.splitlines():
            if line.startswith("#EXTINF:"):
                duration = F(line[8:].rstrip(","))
            elif line and not line.startswith("#"):
                self.segments.append((self.path.parent / line, duration))

    @property
    def duration(self):
        return sum(d for _, d in self.segments)

    def whole(self, to, count=None):
        """All segments (or the first count) behind the init segment, as one file."""
        with open(to, "wb") as f:
            if self.init:
                f.write(self.init.read_bytes())
            for path, _ in self.segments[:count]:
                f.write(path.read_bytes())
        return to


def attributes(line):
    return {k: v.strip('"') for k, v in re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', line)}


class Master:
    def __init__(self, out):
        self.out = pathlib.Path(out)
        self.text = (self.out / "master.m3u8").read_text()
        lines = self.text.splitlines()
        self.variants = []
        self.audio = []
        for i, line in enumerate(lines):
            if line.startswith("#EXT-X-STREAM-INF:"):
                self.variants.append((attributes(line.split(":", 1)[1]), lines[i + 1]))
            elif line.startswith("#EXT-X-MEDIA:"):
                self.audio.append(attributes(line.split(":", 1)[1]))

    def names(self):
        return [uri.split("/")[0] for _, uri in self.variants]

    def playlist(self, name):
        return Playlist(self.out / name / "playlist.m3u8")

    def playlists(self):
        names = self.names() + (["audio"] if self.audio else [])
        return {n: self.playlist(n) for n in names}


def boxes(data, start=0, end=None):
    """(type, payload offset, end) of each box."""
    end = len(data) if end is None else end
    while start < end:
        assert end - start >= 8, "a box is cut off"
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            size = struct.unpack_from(">Q", data, start + 8)[0]
            head = 16
        assert head <= size <= end - start, (kind, size, end - start)
        yield kind.decode(), start + head, start + size
        start += size


def find(data, path, start=0, end=None):
    for kind, a, b in boxes(data, start, end):
        if kind == path[0]:
            if len(path) == 1:
                yield a, b
            else:
                yield from find(data, path[1:], a, b)


def timescale(init):
    a, _ = next(find(init, ["moov", "trak", "mdia", "mdhd"]))
    version = init[a]
    return struct.unpack_from(">I", init, a + (20 if version else 12))[0]


def edit_start(init):
    """media_time of the one edit, 0 without an edit list."""
    for a, _ in find(init, ["moov", "trak", "edts", "elst"]):
        version, count = init[a], struct.unpack_from(">I", init, a + 4)[0]
        assert count == 1
        return struct.unpack_from(">q" if version else ">i", init, a + (16 if version else 12))[0]
    return 0


class Fragment:
    """The one moof of a segment with one track."""

    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        a, _ = next(find(data, ["moof", "traf", "tfdt"]))
        assert data[a] == 1, "tfdt must be 64 bits"
        self.tfdt = struct.unpack_from(">Q", data, a + 4)[0]
        a, _ = next(find(data, ["moof", "traf", "tfhd"]))
        flags = struct.unpack_from(">I", data, a)[0] & 0xFFFFFF
        at = a + 8
        defaults = {}
        for bit, name, size in ((1, "base", 8), (2, "desc", 4), (8, "duration", 4),
                                (0x10, "size", 4), (0x20, "flags", 4)):
            if flags & bit:
                defaults[name] = int.from_bytes(data[at:at + size], "big")
                at += size
        self.samples = []
        for a, _ in find(data, ["moof", "traf", "trun"]):
            self._trun(data, a, defaults)

    def _trun(self, data, a, defaults):
        version = data[a]
        flags, count = struct.unpack_from(">II", data, a)
        flags &= 0xFFFFFF
        at = a + 8 + (4 if flags & 1 else 0)
        first_flags = None
        if flags & 4:
            first_flags = struct.unpack_from(">I", data, at)[0]
            at += 4
        for i in range(count):
            s = dict(duration=defaults.get("duration"), size=defaults.get("size"),
                     flags=defaults.get("flags"), offset=0)
            for bit, name in ((0x100, "duration"), (0x200, "size"), (0x400, "flags"), (0x800, "offset")):
                if flags & bit:
                    fmt = ">i" if name == "offset" and version else ">I"
                    s[name] = struct.unpack_from(fmt, data, at)[0]
                    at += 4
            if i == 0 and first_flags is not None:
                s["flags"] = first_flags
            assert s["duration"] is not None and s["size"] is not None
            s["sync"] = not ((s["flags"] or 0) >> 16) & 1
            self.samples.append(s)

    @property
    def duration(self):
        return sum(s["duration"] for s in self.samples)

    @property
    def pts(self):
        t, out = self.tfdt, []
        for s in self.samples:
            assert s["offset"] >= 0, "composition offsets are never negative"
            out.append(t + s["offset"])
            t += s["duration"]
        return out


def frame_times(path, select="v:0"):
    """Presentation times as exact fractions of a second, in presentation order."""
    info = probe(path, "-show_entries", "packet=pts,flags:stream=time_base", select=select, warn=False)
    tb = F(info["streams"][0]["time_base"])
    return sorted(int(p["pts"]) * tb for p in info["packets"] if "D" not in p["flags"])
