# SPDX-License-Identifier: BSD-2-Clause
"""Matroska as mkvmerge and ffmpeg can write it: every feature keeps every packet and every time."""
import os
import struct

import pytest

from lib import F, decode_clean, find, make, run
from remux_judge import Mp4, Source, judge, remux, remux_through

SECONDS = 6
CHAPTERS = """<?xml version="1.0"?>
<Chapters><EditionEntry><ChapterAtom><ChapterTimeStart>00:00:00.000</ChapterTimeStart>
<ChapterTimeEnd>00:00:03.000</ChapterTimeEnd><ChapterDisplay><ChapterString>One</ChapterString>
<ChapterLanguage>eng</ChapterLanguage></ChapterDisplay></ChapterAtom></EditionEntry></Chapters>
"""
TAGS = """<?xml version="1.0"?>
<Tags><Tag><Simple><Name>TITLE</Name><String>A film</String></Simple></Tag></Tags>
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("matroska")


@pytest.fixture(scope="module")
def film(home):
    """Pictures that are reordered at 23.976, and the sounds that MP4 carries."""
    return make(home / "film.mp4", "-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=24000/1001:duration={SECONDS}",
                "-f", "lavfi", "-i", f"anoisesrc=color=pink:sample_rate=44100:duration={SECONDS}:seed=1",
                "-map", "0", "-map", "1", "-map", "1", "-map", "1", "-c:v", "libx264", "-preset", "fast", "-g", "48",
                "-bf", "3", "-pix_fmt", "yuv420p", "-ac", "2", "-c:a:0", "aac", "-c:a:1", "ac3", "-c:a:2", "libmp3lame")


@pytest.fixture(scope="module")
def web(home):
    return make(home / "web.webm", "-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=30000/1001:duration={SECONDS}",
                "-f", "lavfi", "-i", f"anoisesrc=color=pink:sample_rate=48000:duration={SECONDS}:seed=1",
                "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60", "-c:a", "libopus")


def mkvmerge(source, out, *args, before=()):
    done = run(["mkvmerge", "--quiet", *before, "-o", out, *args, source])
    assert done.returncode == 0, done.stdout.decode()
    return out


def each(*words):
    """An option of mkvmerge for each of the film's tracks."""
    return [w for track in range(4) for w in (words[0], f"{track}:{words[1]}")]


# name: arguments in front of the file
MKVMERGE = {
    "plain": [],
    "no-simpleblocks": ["--engage", "no_simpleblocks"],
    "lacing-xiph": ["--engage", "lacing_xiph"],
    "lacing-ebml": ["--engage", "lacing_ebml"],
    "lacing-off": ["--disable-lacing"],
    "zlib": each("--compression", "zlib"),
    "no-cues": ["--no-cues"],
    "cues-for-all": each("--cues", "all"),
    "small-clusters": ["--cluster-length", "1"],
    "short-clusters": ["--cluster-length", "100ms"],
    "long-clusters": ["--cluster-length", "32000ms"],
    "fine-times": ["--timestamp-scale", "100000"],
    "coarse-times": ["--timestamp-scale", "10000000"],
    "durations": ["--enable-durations"],
    "no-seek-head": ["--engage", "no_meta_seek"],
    "clusters-in-seek-head": ["--clusters-in-meta-seek"],
    "headers-twice": ["--engage", "write_headers_twice"],
    "no-cue-positions": ["--engage", "no_cue_relative_position", "--engage", "no_cue_duration"],
}

FFMPEG = {
    "live": ["-live", "1"],
    "no-crc": ["-write_crc32", "0"],
    "cues-in-front": ["-reserve_index_space", "4096"],
    "cluster-size": ["-cluster_size_limit", "4000"],
}


def element(name, *content):
    """RFC 8794: an element of the given ID (hexadecimal) and content, with a size of eight bytes."""
    data = b"".join(c if isinstance(c, bytes) else c.to_bytes(4, "big") for c in content)
    return bytes.fromhex(name) + (1 << 56 | len(data)).to_bytes(8, "big") + data


def stripped(film, out):
    """Header stripping of what starts alike; mkvmerge has it only for MPEG-4 part 2 by now."""
    mp4 = Mp4(film, ours=False)
    a, b = next(find(mp4.data, ["moov", "trak", "mdia", "minf", "stbl", "stsd"]))
    a, b = next(find(mp4.data, ["avc1"], a + 8, b))
    a, b = next(find(mp4.data, ["avcC"], a + 78, b))
    avcc = bytes(mp4.data[a:b])
    tracks, blocks = [], []
    for number, kind, codec, extra, settings in (
            (1, 1, b"V_MPEG4/ISO/AVC", element("63A2", avcc),
             element("23E383", round(1001e9 / 24000)) + element("E0", element("B0", 320), element("BA", 180))),
            (2, 2, b"A_MPEG/L3", b"", element("E1", element("B5", struct.pack(">d", 44100)), element("9F", 2)))):
        track = mp4.tracks[0 if number == 1 else 3]
        data = [bytes(mp4.data[s.offset:s.offset + s.size]) for s in track.samples]
        common = os.path.commonprefix(data)
        assert common
        encoding = element("6240", element("5031", 0), element("5032", 1), element("5033", 0), element(
            "5034", element("4254", 3), element("4255", common)))
        tracks.append(element("AE", element("D7", number), element("73C5", number), element("83", kind),
                              element("86", codec), extra, settings, element("6D80", encoding)))
        for s, t, d in zip(track.samples, mp4.times(track), data):
            blocks.append((round((t + F(s.dts - s.pts, track.scale)) * 1000), number, max(0, round(t * 1000)), s.sync,
                           d[len(common):]))
    clusters = b"".join(element("1F43B675", element("E7", t), element(
        "A3", struct.pack(">BhB", 0x80 | n, 0, 0x80 * sync), d)) for _, n, t, sync, d in sorted(blocks))
    out.write_bytes(element("1A45DFA3", element("4282", b"matroska"), element("4287", 4), element("4285", 2)) + element(
        "18538067", element("1549A966", element("2AD7B1", 1000000)), element("1654AE6B", *tracks), clusters))
    return out


def every_sound(source):
    return [i for i, s in source.streams.items() if s["codec_type"] in ("video", "audio")]


def judged(path, tmp, *args, film=None):
    """File to file, from the middle, and through pipes."""
    source = Source(path)
    if film:
        source.times_from(Source(film), [(i, i) for i in every_sound(source)[1:]])
    options = ["--audio", "copy", "--audio-track", "all", *args]
    remux(path, tmp / "whole.mp4", *options)
    judge(path, tmp / "whole.mp4", source, streams=every_sound(source))
    decode_clean(tmp / "whole.mp4")
    remux_through(path, tmp / "piped.mp4", *options)
    judge(path, tmp / "piped.mp4", source, streams=every_sound(source))
    remux(path, tmp / "cut.mp4", "--start", "3", *options)
    judge(path, tmp / "cut.mp4", source, start=3, streams=every_sound(source))
    return source


@pytest.mark.parametrize("name", MKVMERGE)
def test_mkvmerge(name, film, tmp_path):
    judged(mkvmerge(film, tmp_path / "in.mkv", *MKVMERGE[name]), tmp_path, film=film)


@pytest.mark.parametrize("name", FFMPEG)
def test_ffmpeg(name, film, tmp_path):
    judged(make(tmp_path / "in.mkv", "-i", film, "-map", "0", "-c", "copy", *FFMPEG[name]), tmp_path)


def test_through_a_pipe_of_ffmpeg(film, tmp_path):
    """Unknown sizes, no cues: what a live encoder sends."""
    done = run(["ffmpeg", "-nostdin", "-v", "error", "-i", film, "-map", "0", "-c", "copy", "-f", "matroska", "-"])
    assert done.returncode == 0
    (tmp_path / "in.mkv").write_bytes(done.stdout)
    judged(tmp_path / "in.mkv", tmp_path)


def test_header_stripping(film, tmp_path):
    judged(stripped(film, tmp_path / "in.mkv"), tmp_path)


def test_attachments_chapters_tags_in_front(film, tmp_path):
    (tmp_path / "chapters.xml").write_text(CHAPTERS)
    (tmp_path / "tags.xml").write_text(TAGS)
    (tmp_path / "large.bin").write_bytes(bytes(range(256)) * 4000)
    judged(mkvmerge(film, tmp_path / "in.mkv", before=[
        "--chapters", tmp_path / "chapters.xml", "--global-tags", tmp_path / "tags.xml",
        "--attachment-mime-type", "application/octet-stream", "--attach-file", tmp_path / "large.bin"]), tmp_path, film=film)


@pytest.mark.parametrize("args", [[], ["--engage", "lacing_xiph"], ["--cluster-length", "1"]], ids=str)
def test_webm(args, web, tmp_path):
    judged(mkvmerge(web, tmp_path / "in.webm", *args, before=["--webm"] if not args else []), tmp_path)


def test_variable_frame_rate_is_kept(film, tmp_path):
    """Times in no order that a rate could explain: each picture lasts until the next."""
    times, t = [], 0
    for n in range(round(SECONDS * 24000 / 1001)):
        times.append(t)
        t += (33, 50, 17, 41, 100)[n * 7 % 5]
    (tmp_path / "times.txt").write_text("# timestamp format v2\n" + "".join(f"{x}\n" for x in times))
    path = mkvmerge(film, tmp_path / "in.mkv", "--timestamps", f"0:{tmp_path / 'times.txt'}",
                    "--no-audio")
    remux(path, tmp_path / "out.mp4")
    mp4 = judge(path, tmp_path / "out.mp4")
    track = mp4.tracks[0]
    shown = sorted(mp4.times(track))
    assert [round(x * 1000) for x in shown] == times[:len(shown)]


def test_delayed_sound_stays_delayed(film, tmp_path):
    path = mkvmerge(film, tmp_path / "in.mkv", "--sync", "1:700", "--sync", "2:-400")
    source = judged(path, tmp_path, film=film)
    mp4 = Mp4(tmp_path / "whole.mp4")
    starts = [float(min(mp4.times(t))) for t in mp4.tracks]
    theirs = [float(min(p.pts for p in source.packets[i] if p.pts is not None) - source.zero())
              for i in every_sound(source)]
    assert all(abs(a - b) < 0.002 for a, b in zip(starts, theirs)), (starts, theirs)


def test_damage_is_passed_over_or_stops(film, tmp_path):
    """A hole in the middle costs a few frames, is reported once, and what comes after stays in time."""
    path = mkvmerge(film, tmp_path / "in.mkv", "--cluster-length", "500ms")
    data = bytearray(path.read_bytes())
    at = len(data) // 2
    data[at:at + 3000] = bytes(3000)
    path.write_bytes(data)
    done = remux(path, tmp_path / "out.mp4")
    assert done.stderr.count(b"\n") == 1 and b"in.mkv" in done.stderr, done.stderr.decode()
    mp4, whole = Mp4(tmp_path / "out.mp4"), Source(film)
    known = {p.hash: p.pts - whole.zero() for p in whole.packets[0]}
    track = mp4.kind("video")
    placed = [(t, known[s.hash]) for t, s in zip(mp4.times(track), track.samples) if s.hash in known]
    assert len(placed) > 100 and max(b for _, b in placed) > SECONDS - 1, len(placed)
    assert all(abs(a - b) <= 0.001 for a, b in placed)
    done = remux(path, tmp_path / "strict.mp4", "--strict", ok=False)
    assert done.returncode == 1 and not (tmp_path / "strict.mp4").exists()
