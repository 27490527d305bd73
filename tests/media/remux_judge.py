# SPDX-License-Identifier: BSD-2-Clause
"""Everything that must hold of any remux, whatever it was made from.

Two readers look at the output: ffprobe, for hashes of packets, and the small one in this file, for
exact times (libavformat rounds those of edit lists). The source is read by ffprobe alone."""
import collections
import hashlib
import pathlib
import struct
import subprocess

from lib import SLUICE, F, boxes, find, make, probe, run, sluice

Packet = collections.namedtuple("Packet", "pts duration hash key discard")
Sample = collections.namedtuple("Sample", "dts pts duration offset size sync hash")

# Sample entries of what is passed through, and libavformat's names of it.
PASSED = {"avc1": "h264", "avc3": "h264", "hvc1": "hevc", "hev1": "hevc", "av01": "av1", "vp09": "vp9",
          "mp4a": "aac", ".mp3": "mp3", "Opus": "opus", "fLaC": "flac", "ac-3": "ac3", "ec-3": "eac3"}
NON_SYNC = 1 << 16  # sample_is_non_sync_sample (ISO/IEC 14496-12 8.8.3.1)


def remux(source, out, *args, **kw):
    return sluice("remux", source, "-o", out, *args, **kw)


def remux_through(source, out, *args):
    """The same from a pipe and into one."""
    with open(out, "wb") as sink:
        feeder = subprocess.Popen(["cat", source], stdout=subprocess.PIPE)
        done = subprocess.run([SLUICE, "remux", "-", "-o", "-", *args], stdin=feeder.stdout, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=300)
        feeder.stdout.close()
        feeder.wait()
        sink.write(done.stdout)
    assert done.returncode == 0 and b"ERROR: " not in done.stderr, done.stderr.decode()


# ---- the source ---------------------------------------------------------------------------


class Source:
    """Packets of each stream as libavformat reads them, in the order of the file."""

    def __init__(self, path):
        self.path, self.is_exact = pathlib.Path(path), False
        info = probe(path, "-show_entries", "stream=index,codec_type,codec_name,time_base,width,height,channels,"
                     "r_frame_rate,avg_frame_rate,sample_rate,profile:stream_disposition=default,attached_pic"
                     ":format=format_name,duration", warn=False)
        self.format = info["format"]["format_name"]
        self.streams = {s["index"]: s for s in info["streams"]}
        self.packets = collections.defaultdict(list)
        listed = probe(path, "-show_packets", "-show_data_hash", "MD5", "-show_entries",
                       "packet=stream_index,pts,duration,flags,data_hash", warn=False)["packets"]
        for p in listed:
            tick = self.tick(p["stream_index"])
            self.packets[p["stream_index"]].append(Packet(
                int(p["pts"]) * tick if "pts" in p else None, int(p.get("duration", 0)) * tick, p["data_hash"].split(":")[1],
                "K" in p["flags"], "D" in p["flags"]))

    def exact(self):
        """Times by the reader below, where edit lists begin within a frame: libavformat rounds those. Pictures
        and sound of classic MP4 only."""
        self.is_exact, mp4 = True, Mp4(self.path, ours=False)
        for index, stream in self.streams.items():
            track = mp4.tracks[index]
            if stream["codec_type"] in ("video", "audio"):
                self.packets[index] = [
                    p._replace(pts=t, discard=t + F(s.duration, track.scale) <= 0)
                    for p, s, t in zip(self.packets[index], track.samples, mp4.times(track))]
        return self

    def times_from(self, film, pairs):
        """Laced frames have no times of their own: takes those of the film that this was made from."""
        for mine, theirs in pairs:
            here, there = self.packets[mine], film.packets[theirs]
            known = {p.hash: p.pts for p in there}
            assert len(known) == len(there), "packets repeat"
            shift = here[0].pts - known[here[0].hash]
            self.packets[mine] = [p._replace(pts=known[p.hash] + shift) for p in here]
        return self

    def tick(self, index):
        return F(self.streams[index]["time_base"])

    def is_matroska(self):
        return "matroska" in self.format

    def best(self, kind):
        """The track that `sluice remux` takes when it is not told."""
        some = [s for s in self.streams.values()
                if s["codec_type"] == kind and not s["disposition"]["attached_pic"]]
        if kind == "video":
            return max(some, key=lambda s: s["width"] * s["height"], default=None)
        return max(some, key=lambda s: (s["disposition"]["default"], s["channels"]), default=None)

    def zero(self):
        """Time of the first shown picture; without pictures, of the first sound."""
        v = self.best("video")
        if v is None:
            a = self.best("audio")
            return next(p.pts for p in self.packets[a["index"]] if not p.discard)
        packets = self.packets[v["index"]]
        first = next(i for i, p in enumerate(packets) if p.key)
        return max(min(p.pts for p in packets[first:] if p.pts is not None and not p.discard),
                   min(packets[first].pts, 0) if packets[first].discard is False else 0)

    def is_constant(self, index):
        """Whether all pictures are one nominal frame apart, as far as the source's ticks can say."""
        rate = F(self.streams[index]["r_frame_rate"])
        times = sorted(p.pts for p in self.packets[index])
        tick = self.tick(index)
        return all(abs(t - times[0] - n / rate) <= tick for n, t in enumerate(times))


# ---- the output ---------------------------------------------------------------------------


class Track:
    def __init__(self, data, a, b):
        tkhd, _ = next(find(data, ["tkhd"], a, b))
        self.id = struct.unpack_from(">I", data, tkhd + (20 if data[tkhd] else 12))[0]
        mdhd, _ = next(find(data, ["mdia", "mdhd"], a, b))
        self.scale = struct.unpack_from(">I", data, mdhd + (20 if data[mdhd] else 12))[0]
        hdlr, _ = next(find(data, ["mdia", "hdlr"], a, b))
        self.kind = {b"vide": "video", b"soun": "audio"}.get(bytes(data[hdlr + 8:hdlr + 12]), "text")
        stsd, _ = next(find(data, ["mdia", "minf", "stbl", "stsd"], a, b))
        self.entry = bytes(data[stsd + 12:stsd + 16]).decode()
        self.entries = struct.unpack_from(">I", data, stsd + 4)[0]
        self.edits = []
        for e, _ in find(data, ["edts", "elst"], a, b):
            wide = data[e] == 1
            for i in range(struct.unpack_from(">I", data, e + 4)[0]):
                at = e + 8 + i * (20 if wide else 12)
                length, media, rate = struct.unpack_from(">QqI" if wide else ">IiI", data, at)
                assert rate == 1 << 16, "an edit at another speed than 1"
                self.edits.append((length, media))
        self.samples = []
        self.defaults = {}

    def shift(self, movie_scale):
        """What is added to a media time to get the time it is shown at, in seconds."""
        delay, shift = F(0), F(0)
        for n, (length, media) in enumerate(self.edits):
            if media == -1:
                assert n == 0, "only the first edit may be empty"
                delay = F(length, movie_scale)
            else:
                shift = F(-media, self.scale)
        assert sum(media != -1 for _, media in self.edits) <= 1, self.edits
        return delay + shift


class Mp4:
    """An MP4: tracks with samples, at exact times. ours: it must be as we promise to write it."""

    def __init__(self, path, ours=True):
        self.ours = ours
        data = self.data = memoryview(pathlib.Path(path).read_bytes())
        self.path = path
        kinds = [k for k, _, _ in boxes(data)]
        assert kinds[0] == "ftyp" and (kinds[1] == "moov" or not ours), kinds[:4]
        moov, end = next(find(data, ["moov"]))
        mvhd, _ = next(find(data, ["mvhd"], moov, end))
        self.scale = struct.unpack_from(">I", data, mvhd + (20 if data[mvhd] else 12))[0]
        self.tracks = [Track(data, a, b) for a, b in find(data, ["trak"], moov, end)]
        self.fragmented = bool(list(find(data, ["mvex"], moov, end)))
        self.fragments = []
        if self.fragmented:
            self._fragments(moov, end)
        else:
            for track, (a, b) in zip(self.tracks, find(data, ["trak"], moov, end)):
                self._tables(track, *next(find(data, ["mdia", "minf", "stbl"], a, b)))

    def kind(self, kind):
        return next((t for t in self.tracks if t.kind == kind), None)

    def times(self, track):
        """When each sample is shown, in seconds, in the order of decoding."""
        shift = track.shift(self.scale)
        return [F(s.pts, track.scale) + shift for s in track.samples]

    def _fragments(self, moov, end):
        data = self.data
        by_id = {t.id: t for t in self.tracks}
        for a, _ in find(data, ["mvex", "trex"], moov, end):
            track = by_id[struct.unpack_from(">I", data, a + 4)[0]]
            track.defaults = dict(zip(("duration", "size", "flags"), struct.unpack_from(">III", data, a + 12)))
        sequence = 0
        for kind, a, b in boxes(data):
            if kind != "moof":
                continue
            mfhd, _ = next(find(data, ["mfhd"], a, b))
            number = struct.unpack_from(">I", data, mfhd + 4)[0]
            assert number > sequence, "mfhd numbers must rise"
            sequence = number
            content = {}
            for c, d in find(data, ["traf"], a, b):
                track, samples = self._traf(by_id, a - 8, c, d)
                assert track.id not in content, "two traf of one track in a moof"
                content[track.id] = samples
            self.fragments.append(content)

    def _traf(self, by_id, base, a, b):
        data = self.data
        tfhd, _ = next(find(data, ["tfhd"], a, b))
        flags, number = struct.unpack_from(">II", data, tfhd)
        flags &= 0xFFFFFF
        assert flags & 0x20000 and not flags & 1, "default-base-is-moof is what CMAF asks for"
        track = by_id[number]
        defaults, at = dict(track.defaults), tfhd + 8
        for bit, name in ((2, "entry"), (8, "duration"), (0x10, "size"), (0x20, "flags")):
            if flags & bit:
                defaults[name] = struct.unpack_from(">I", data, at)[0]
                at += 4
        tfdt, _ = next(find(data, ["tfdt"], a, b))
        assert data[tfdt] == 1, "tfdt must be 64 bits"
        dts = struct.unpack_from(">Q", data, tfdt + 4)[0]
        if track.samples:
            last = track.samples[-1]
            assert dts == last.dts + last.duration, f"track {number}: tfdt {dts} after {last}"
        made = []
        for c, _ in find(data, ["trun"], a, b):
            for sample in self._trun(c, base, defaults, dts):
                made.append(sample)
                dts = sample.dts + sample.duration
        track.samples += made
        return track, made

    def _trun(self, at, base, defaults, dts):
        data, version = self.data, self.data[at]
        flags, count, offset = struct.unpack_from(">IIi", data, at)
        flags &= 0xFFFFFF
        assert flags & 1, "a trun needs its data offset"
        at += 12
        first = None
        if flags & 4:
            first = struct.unpack_from(">I", data, at)[0]
            at += 4
        where = base + offset
        for i in range(count):
            s = dict(defaults, offset=0)
            if i == 0 and first is not None:
                s["flags"] = first
            for bit, name in ((0x100, "duration"), (0x200, "size"), (0x400, "flags"), (0x800, "offset")):
                if flags & bit:
                    fmt = ">i" if name == "offset" and version else ">I"
                    s[name] = struct.unpack_from(fmt, data, at)[0]
                    at += 4
            yield self._sample(dts, s["offset"], s["duration"], where, s["size"], not s["flags"] & NON_SYNC)
            where += s["size"]
            dts += s["duration"]

    def _sample(self, dts, offset, duration, where, size, sync):
        assert offset >= 0 or not self.ours, "composition offsets are never negative"
        assert where + size <= len(self.data), "a sample lies outside of the file"
        return Sample(dts, dts + offset, duration, where, size, sync,
                      hashlib.md5(self.data[where:where + size]).hexdigest())

    def _table(self, a, b, name, fmt, head=4):
        for c, d in find(self.data, [name], a, b):
            count = struct.unpack_from(">I", self.data, c + head)[0]
            return list(struct.iter_unpack(fmt, self.data[c + head + 4:c + head + 4 + count * struct.calcsize(fmt)]))
        return None

    def _tables(self, track, a, b):
        """ISO/IEC 14496-12 8.6 and 8.7"""
        durations = [d for n, d in self._table(a, b, "stts", ">II") for _ in range(n)]
        ctts = self._table(a, b, "ctts", ">Ii")  # version 0 of ours never exceeds 31 bits
        offsets = [o for n, o in ctts for _ in range(n)] if ctts else [0] * len(durations)
        stsz, _ = next(find(self.data, ["stsz"], a, b))
        fixed, count = struct.unpack_from(">II", self.data, stsz + 4)
        sizes = [fixed] * count if fixed else [s for s, in self._table(a, b, "stsz", ">I", 8)]
        stss = self._table(a, b, "stss", ">I")
        sync = None if stss is None else {n for n, in stss}
        chunks = self._table(a, b, "co64", ">Q") or self._table(a, b, "stco", ">I")
        runs = self._table(a, b, "stsc", ">III")
        assert len(durations) == len(offsets) == len(sizes), "tables of different lengths"
        n = dts = 0
        for i, (where,) in enumerate(chunks):
            for _ in range(next(per for first, per, _ in reversed(runs) if first <= i + 1)):
                track.samples.append(self._sample(dts, offsets[n], durations[n], where, sizes[n],
                                                  sync is None or n + 1 in sync))
                where += sizes[n]
                dts += durations[n]
                n += 1
        assert n == len(sizes), "chunks and sizes do not agree"


# ---- what must hold -----------------------------------------------------------------------


def judge_fragments(mp4):
    """One moof holds all tracks; with pictures, each begins with one that can be decoded."""
    video = mp4.kind("video")
    assert mp4.fragments, "no fragment"
    for n, content in enumerate(mp4.fragments):
        assert sum(len(s) for s in content.values()) > 0, f"fragment {n} is empty"
        if video and content.get(video.id):
            # A fragment that memory ended, not a key frame, goes on where the one before stopped.
            assert content[video.id][0].sync or n > 0
    for track in mp4.tracks:
        if track.kind == "audio":
            assert all(s.sync for s in track.samples), "every frame of sound is a sync sample"
    if video:
        assert video.samples[0].sync, "output starts at a sync sample"


def hashes_of(source, index):
    """Hashes of what MP4 holds of the stream: ffmpeg says what it makes of ADTS and Annex B."""
    packets = source.packets[index]
    if "mpegts" not in source.format:
        return [p.hash for p in packets]
    if source.streams[index]["codec_name"] != "aac":
        return None  # judged by NAL units
    done = run(["ffmpeg", "-nostdin", "-v", "error", "-i", source.path, "-map", f"0:{index}", "-c", "copy",
                "-bsf:a", "aac_adtstoasc", "-f", "framemd5", "-"])
    assert done.returncode == 0, done.stderr.decode()
    return [line.split(",")[5].strip() for line in done.stdout.decode().splitlines() if not line.startswith("#")]


def slices_of(path, index):
    """Hashes of the NAL units that hold pictures, whatever is around them (H.264 7.4.1, types 1-5)."""
    done = run(["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", f"0:{index}", "-c", "copy", "-f", "h264", "-"])
    assert done.returncode == 0, done.stderr.decode()
    units = done.stdout.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]
    return [hashlib.md5(u.rstrip(b"\0")).hexdigest() for u in units if 1 <= u[0] & 31 <= 5]


def match(kind, got, hashes, distance):
    """All samples are packets of the source, one after the other. Returns how many come before: where
    packets repeat (silence does), at the place that is nearest in time."""
    places = sorted((n for n, h in enumerate(hashes) if got and h == got[0]), key=lambda n: distance[n])
    assert places, f"{kind}: the first of {len(got)} samples is not a packet of the source"
    for n in places:
        if hashes[n:n + len(got)] == got:
            return n
    n = places[0]
    at = next((i for i, (a, b) in enumerate(zip(hashes[n:], got)) if a != b), len(hashes) - n)
    raise AssertionError(f"{kind}: sample {at} of {len(got)} is not packet {n + at} of {len(hashes)}")


def off_by(times, packets, source, index, zero):
    """How far ours are from the source's, in ticks of the source. Where its edit list begins within a
    picture, only what is shown of it counts."""
    pairs = [(t, p.pts - zero) for t, p in zip(times, packets) if p.pts is not None]
    if source.is_exact:
        pairs = [(max(t, 0), max(s, 0)) if -s < F(1, 10) else (t, s) for t, s in pairs]
    return [(s - t) / source.tick(index) for t, s in pairs]


def judge_times(track, times, packets, source, index, zero):
    """Rounding ours to the source's tick gives the source's time, for one phase of rounding: that of
    the picture that all are counted from, which in Matroska is itself rounded."""
    tick = source.tick(index)
    off = off_by(times, packets, source, index, zero)
    assert off, f"{track.kind}: the source has no times"
    slack = F(1, track.scale) / tick  # ours are whole ticks too
    if "mpegts" in source.format and track.kind == "audio":
        slack += 15  # within a PES packet libavformat adds up frame durations that it has cut to whole ticks
    if source.is_matroska() or "mpegts" in source.format:
        assert max(off) - min(off) <= 1 + slack, \
            f"{track.kind}: times move by {float(max(off) - min(off)):.3f} ticks of the source"
        assert max(map(abs, off)) <= 1 + slack, f"{track.kind}: off by {float(max(off, key=abs)):.3f} ticks"
    else:
        assert max(map(abs, off)) <= F(1, 2) + slack, f"{track.kind}: off by {float(max(off, key=abs)):.3f} ticks"


def judge_constant(track, source, index):
    """Sources of 23.976, 29.97 and 59.94: each sample lasts exactly 1001 ticks."""
    rate = F(source.streams[index]["r_frame_rate"])
    if rate.denominator != 1001 or not source.is_constant(index):
        return
    exact = 1001 * track.scale / F(rate.numerator)
    assert track.scale % rate.numerator == 0, (track.scale, rate)
    assert {s.duration for s in track.samples} == {exact}, {s.duration for s in track.samples}


def judge(path, out, source=None, start=F(0), whole=True, streams=None, converted=False):
    """Judges what `sluice remux path -o out --start start` wrote. whole: it goes to the end.
    streams: indices of the tracks that must be in it, in order (default: as sluice chooses).
    converted: sound was, even if its codec is the one that it had."""
    source = source or Source(path)
    mp4 = Mp4(out)
    if mp4.fragmented:
        judge_fragments(mp4)
    if streams is None:
        streams = [s["index"] for s in map(source.best, ("video", "audio")) if s]
    assert [t.kind for t in mp4.tracks] == [source.streams[i]["codec_type"] for i in streams]
    for track, index in zip(mp4.tracks, streams):
        if not (converted and track.kind == "audio") and PASSED[track.entry] == source.streams[index]["codec_name"]:
            judge_track(mp4, track, source, index, start, whole)
        elif track.kind == "audio":
            judge_length(mp4, track, source, index, start, whole)
    return mp4


def judge_length(mp4, track, source, index, start, whole):
    """Converted sound is shown as long as the source's, to a frame of either codec."""
    packets = [p for p in source.packets[index] if p.pts is not None]
    zero = source.zero() + start
    begin, end = shown_span(mp4, track)
    frame = F(1024, track.scale) + max(p.duration for p in packets)
    first = max(min(p.pts for p in packets) - zero, 0)
    last = max(p.pts + p.duration for p in packets) - zero
    # Silence may fill what there is before it.
    assert begin <= first + frame, f"sound begins at {float(begin):.4f}, expected {float(first):.4f}"
    assert not whole or abs(end - last) <= frame, f"sound ends at {float(end):.4f}, expected {float(last):.4f}"


def judge_track(mp4, track, source, index, start, whole):
    zero, packets, times = source.zero() + start, source.packets[index], mp4.times(track)
    theirs, mine = hashes_of(source, index), [s.hash for s in track.samples]
    if theirs is None:
        theirs, mine = slices_by_picture(mp4, track, source, index)
    distance = [abs(p.pts - zero - times[0]) if p.pts is not None else abs(zero) for p in packets]
    skipped = match(track.kind, mine, theirs, distance)
    packets = packets[skipped:]
    assert not whole or len(packets) == len(track.samples), \
        f"{track.kind}: {len(packets) - len(track.samples)} packets are missing at the end"
    judge_times(track, times, packets, source, index, zero)
    if track.kind == "audio":
        # Sound before the first picture, of which no more than a second is kept, hidden.
        before = [p.pts for p in source.packets[index][:skipped]]
        assert not before or max(before) < zero, "sound is missing in front"
    else:
        assert [s.sync for s in track.samples] == [p.key for _, p in zip(track.samples, packets)]
        if start:
            judge_start(track, times)
        else:
            assert not any(p.key for p in source.packets[index][:skipped]), "pictures are missing in front"
            judge_first(times, packets, zero)
            judge_constant(track, source, index)


def slices_by_picture(mp4, track, source, index):
    """Annex B: of each packet and each sample, the NAL units of pictures."""
    theirs = slices_of(source.path, index)
    mine = slices_of(mp4.path, mp4.tracks.index(track))
    per_picture = F(len(theirs), len(source.packets[index]))
    assert per_picture.denominator == 1 and len(mine) == per_picture * len(track.samples), "NAL units are missing"
    n = int(per_picture)
    return [[tuple(units[i:i + n]) for i in range(0, len(units), n)] for units in (theirs, mine)]


def judge_first(times, packets, zero):
    """The first shown picture is shown at 0; what an edit list of the source hides stays hidden."""
    shown = [t for t, p in zip(times, packets) if not p.discard]
    begin = min(p.pts for p in packets if not p.discard) - zero  # before 0 where an edit list begins within it
    assert begin <= 0 and begin <= min(shown) <= 0, f"the first picture is shown at {float(min(shown)):.4f}"


def judge_start(track, times):
    """At time 0 a picture is shown, and everything needed to decode it is there."""
    shown = [t for t in times if t <= 0]
    assert shown, f"the first picture is shown at {float(min(times)):.4f}"
    assert track.samples[0].sync
    assert sum(s.sync for s, t in zip(track.samples, times) if t <= 0) == 1, "more than one key frame is hidden"


def shown_span(mp4, track):
    """[begin, end) of what a player shows of the track."""
    times = mp4.times(track)
    begin = max(min(times), F(0))
    return begin, max(t + F(s.duration, track.scale) for t, s in zip(times, track.samples))


# ---- sound --------------------------------------------------------------------------------


def levels(path, window, rate, index=0, skip=4):
    """Level of each channel at the given rate, window by window, in dB, without those at the ends."""
    import array
    import math
    info = probe(path, "-show_entries", "stream=channels", select=f"a:{index}", warn=False)["streams"][0]
    n = info["channels"]
    done = run(["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", f"0:a:{index}", "-ar", str(rate), "-f", "f32le",
                "-"])
    assert done.returncode == 0 and done.stderr == b"", done.stderr.decode()
    pcm = array.array("f", done.stdout)
    result = []
    for c in range(n):
        one = pcm[c::n]
        rows = [math.sqrt(sum(x * x for x in one[i:i + window]) / window) for i in range(0, len(one) - window, window)]
        result.append([20 * math.log10(max(r, 1e-9)) for r in rows[skip:-skip]])
    return result, len(pcm) // n


def tone(path, seconds, rate, channels, codec, *args, layout=None):
    """A tone of a hundred samples a period in every channel; with a picture, so that it is a film."""
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    expr = "|".join([f"0.2*sin(2*PI*{rate // 100}*t)"] * channels)
    return make(path, "-f", "lavfi", "-i", f"testsrc2=size=160x120:rate=25:duration={seconds}",
                "-f", "lavfi", "-i", f"aevalsrc='{expr}':s={rate}:c={layout}:d={seconds}",
                "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", codec, *args)
