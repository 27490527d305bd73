# SPDX-License-Identifier: BSD-2-Clause
"""The Matroska demuxer, judged packet by packet by ffprobe, over what mkvmerge and ffmpeg write."""
import json
import os
import pathlib
import subprocess

import pytest

from lib import CORPUS, F, SLUICE, make, run

DUMP = pathlib.Path(os.environ.get("SLUICE_DUMP",
                                   pathlib.Path(SLUICE).parent / "tests/unit/demux/sluice-dump-packets"))


class Dump:
    """What sluice-dump-packets printed."""

    def __init__(self, *args, ok=True):
        done = run([DUMP, *args])
        assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode()
        self.log = done.stderr.decode()
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.end = lines.pop()
        if ok:
            assert done.returncode == 0, self.end
        self.head = lines.pop(0) if lines and "format" in lines[0] else {}
        self.tracks = [line for line in lines if "track" in line]
        self.packets = [line for line in lines if "packet" in line]

    def of(self, track):
        return [p for p in self.packets if p["packet"] == track]


def judge(path):
    """ffprobe's tracks (attachments aside) and the packets of each."""
    done = run(["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_packets", "-show_data_hash", "md5",
                path])
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    streams = [s for s in found["streams"]
               if s["codec_type"] != "attachment" and not s["disposition"]["attached_pic"]]
    packets = {s["index"]: [] for s in streams}
    for p in found["packets"]:
        if p["stream_index"] in packets and p["size"] != "0":
            packets[p["stream_index"]].append(p)
    return streams, [packets[s["index"]] for s in streams]


def compare(path, *args, keys=True):
    ours = Dump(*args, path)
    streams, theirs = judge(path)
    assert ours.head["format"] == "mkv"
    assert len(ours.tracks) == len(streams)
    for track, (t, s) in enumerate(zip(ours.tracks, streams)):
        mine = ours.of(track)
        assert len(mine) == len(theirs[track]), (path, track)
        timebase, tick = F(t["timebase"]), F(s["time_base"])
        last = None
        for n, (a, b) in enumerate(zip(mine, theirs[track])):
            where = (path, track, n, a, b)
            assert a["size"] == int(b["size"]), where
            assert "MD5:" + a["md5"] == b["data_hash"], where
            assert not keys or a["key"] == ("K" in b["flags"]), where
            if "pts" in b and a["pts"] is not None:
                moved = abs(a["pts"] * timebase - b["pts"] * tick)
                # Of a file's tick at most, and of ours where a block is not on the grid. A lace's
                # later frames have no time of their own: ffprobe sums rounded durations.
                own = a["pos"] != last
                assert moved <= (tick / 2 + timebase / 2 if own else 3 * tick), where
            last = a["pos"]
        if s["codec_type"] == "video":
            assert (t["width"], t["height"]) == (s["width"], s["height"])
        if s["codec_type"] == "audio":
            assert (t["sample_rate"], t["channels"]) == (int(s["sample_rate"]), s["channels"])
        if s["codec_type"] in ("audio", "video"):
            assert s["codec_name"].startswith(t["codec_name"])
        # Ours is LanguageBCP47 where there is one.
        language = s.get("tags", {}).get("language", "")
        assert t["language"] in ("de", "de-AT") if language == "ger" and t["language"] != "ger" else \
            t["language"] == language or language[:2] == t["language"]
        assert (t["default"], t["forced"]) == (s["disposition"]["default"], s["disposition"]["forced"])
    return ours


# ---- the corpus, and every codec ------------------------------------------------------------------

@pytest.mark.parametrize("path", sorted(p for p in CORPUS.glob("*.*") if p.suffix in (".mkv", ".webm"))
                         if CORPUS.exists() else [], ids=lambda p: p.name)
def test_corpus(path):
    whole = compare(path)
    assert Dump("--pipe", path).packets == whole.packets
    assert Dump("--push", "1000", path).packets == whole.packets


PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30000/1001:duration=3"]
SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=3"]
FAST = ["-preset", "ultrafast", "-pix_fmt", "yuv420p"]

VIDEO = {
    "h264": ["-c:v", "libx264", *FAST, "-bf", "2", "-g", "24"],
    "hevc": ["-c:v", "libx265", "-x265-params", "log-level=error:bframes=2", *FAST, "-g", "24"],
    "vp8": ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"],
    "vp9": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
    "mpeg2": ["-c:v", "mpeg2video", "-bf", "2"],
    "mpeg4": ["-c:v", "mpeg4", "-bf", "2"],
    "mjpeg": ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"],
    "ffv1": ["-c:v", "ffv1"],
    "prores": ["-c:v", "prores"],
    "theora": ["-c:v", "libtheora"],
    "huffyuv": ["-c:v", "huffyuv", "-pix_fmt", "yuv422p"],
    "raw": ["-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-frames:v", "5"],
}
AUDIO = {
    "aac": ["-c:a", "aac"], "ac3": ["-c:a", "ac3"], "eac3": ["-c:a", "eac3"],
    "mp3": ["-c:a", "libmp3lame"], "mp2": ["-c:a", "mp2"], "opus": ["-c:a", "libopus"],
    "vorbis": ["-c:a", "libvorbis"], "flac": ["-c:a", "flac"], "alac": ["-c:a", "alac"],
    "pcm": ["-c:a", "pcm_s16le"], "pcm_be": ["-c:a", "pcm_s24be"], "pcm_float": ["-c:a", "pcm_f32le"],
    "dts": ["-c:a", "dca", "-strict", "-2"], "truehd": ["-c:a", "truehd", "-strict", "-2"],
    "adpcm": ["-c:a", "adpcm_ima_wav"], "wavpack": ["-c:a", "wavpack"], "tta": ["-c:a", "tta"],
    "wma": ["-c:a", "wmav2"], "alaw": ["-c:a", "pcm_alaw"],
}


@pytest.mark.parametrize("name", VIDEO)
def test_video(tmp_path, name):
    compare(make(tmp_path / "a.mkv", *PICTURE, *VIDEO[name], "-allow_raw_vfw", "1"))


@pytest.mark.parametrize("name", AUDIO)
def test_audio(tmp_path, name):
    compare(make(tmp_path / "a.mka", *SOUND, *AUDIO[name]))


def test_subtitles(tmp_path):
    text = tmp_path / "a.srt"
    text.write_text("".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\nLine {n}, <i>slanted</i>\n\n"
                            for n in range(1, 4)))
    for codec in ("subrip", "ass", "webvtt"):
        compare(make(tmp_path / f"{codec}.mkv", *PICTURE, "-i", text, *VIDEO["mpeg4"], "-c:s", codec))
    compare(make(tmp_path / "a.webm", *PICTURE, "-i", text, *VIDEO["vp8"], "-c:s", "webvtt"))


# ---- what mkvmerge and ffmpeg can write -----------------------------------------------------------

@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """H.264 with B-frames at 29.97, AAC, MP3 and subtitles."""
    home = tmp_path_factory.mktemp("mkv")
    text = home / "a.srt"
    text.write_text("1\n00:00:00,500 --> 00:00:01,500\nOne\n\n2\n00:00:02,000 --> 00:00:02,900\nTwo\n\n")
    return make(home / "source.mkv", *PICTURE, *SOUND, *SOUND, "-i", text, "-map", "0", "-map", "1", "-map", "2",
                "-map", "3", *VIDEO["h264"], "-c:a:0", "aac", "-c:a:1", "libmp3lame", "-c:s", "subrip",
                "-metadata:s:a:0", "language=ger", "-metadata:s:a:0", "title=Fräulein \"Quote\"")


def mkvmerge(out, *args):
    done = run(["mkvmerge", "-q", "-o", out, *args])
    assert done.returncode in (0, 1), done.stdout.decode()  # 1: warnings
    return out


def chapters(home):
    path = home / "chapters.txt"
    path.write_text("CHAPTER01=00:00:00.000\nCHAPTER01NAME=One\nCHAPTER02=00:00:01.500\nCHAPTER02NAME=Two\n")
    return path


def tags(home):
    path = home / "tags.xml"
    path.write_text('<?xml version="1.0"?><Tags><Tag><Targets/><Simple><Name>ARTIST</Name><String>Somebody</String>'
                    "</Simple></Tag></Tags>")
    return path


MERGED = {
    "plain": [],
    "blocks": ["--engage", "no_simpleblocks"],
    "no-lacing": ["--disable-lacing"],
    "no-cues": ["--no-cues"],
    "short-clusters": ["--cluster-length", "100ms"],
    "block-clusters": ["--cluster-length", "5"],
    "long-clusters": ["--cluster-length", "32000ms"],
    "zlib": ["--compression", "0:zlib", "--compression", "1:zlib", "--compression", "2:zlib", "--compression",
             "3:zlib"],
    "no-compression": ["--compression", "-1:none"],
    "no-statistics": ["--disable-track-statistics-tags"],
    "fine-ticks": ["--timestamp-scale", "10000"],
    "coarse-ticks": ["--timestamp-scale", "2000000"],
    "bcp47": ["--language", "1:de-AT", "--default-track-flag", "1:no", "--forced-display-flag", "3:yes"],
    "delayed": ["--sync", "0:217", "--sync", "1:33"],
    "parts": ["--split", "parts:00:00:00.5-00:00:02"],
}


@pytest.mark.parametrize("name", MERGED)
def test_mkvmerge(source, tmp_path, name):
    path = mkvmerge(tmp_path / "a.mkv", *MERGED[name], source)
    whole = compare(path)
    assert Dump("--pipe", path).packets == whole.packets
    assert Dump("--push", "777", path).packets == whole.packets
    video = whole.tracks[0]
    assert video["rate"] == "30000/1001" and video["rate_exact"] == 1
    if name not in ("fine-ticks", "coarse-ticks"):
        assert video["timebase"] == "1/30000"
        times = sorted(p["pts"] for p in whole.of(0))
        assert {b - a for a, b in zip(times, times[1:])} == {1001}


def test_stripped_headers(tmp_path):
    plain = make(tmp_path / "plain.mkv", *PICTURE, *VIDEO["mpeg4"])
    path = mkvmerge(tmp_path / "a.mkv", "--compression", "0:mpeg4_p2", plain)
    assert bytes.fromhex("4255") in path.read_bytes()[:16384]  # ContentCompSettings
    compare(path, keys=False)  # mkvmerge flags fewer than FFmpeg's parser finds


def test_extras(source, tmp_path):
    """Attachments, chapters and tags before the clusters, and a picture that is none of the tracks."""
    cover = make(tmp_path / "cover.jpg", "-f", "lavfi", "-i", "testsrc2=size=32x32", "-frames:v", "1")
    path = mkvmerge(tmp_path / "a.mkv", "--chapters", chapters(tmp_path), "--global-tags", tags(tmp_path),
                    "--attach-file", cover, "--attach-file", chapters(tmp_path), source)
    whole = compare(path)
    assert Dump("--push", "500", path).packets == whole.packets
    assert whole.tracks[0]["bitrate"] > 10000  # mkvmerge's statistics


def test_laces(tmp_path):
    """mkvmerge laces sound by itself; each frame gets the time that its samples have."""
    sound = make(tmp_path / "a.mp3", *SOUND, "-c:a", "libmp3lame")
    flags = mkvmerge(tmp_path / "a.mka", "--cluster-length", "5000ms", sound)
    ours = compare(flags)
    laced = [p["pos"] for p in ours.packets]
    assert len(set(laced)) < len(laced)
    times = [p["pts"] for p in ours.packets]
    assert {b - a for a, b in zip(times, times[1:])} == {1152 * int(F(1, F(ours.tracks[0]["timebase"]))) // 48000}


FFMPEG = {
    "live": ["-live", "1"],
    "small-clusters": ["-cluster_size_limit", "10000"],
    "reserved-index": ["-reserve_index_space", "4000"],
    "cues-to-front": ["-cues_to_front", "1"],
    "no-crc": ["-write_crc32", "0"],
}


@pytest.mark.parametrize("name", FFMPEG)
def test_ffmpeg(source, tmp_path, name):
    path = make(tmp_path / "a.mkv", "-i", source, "-map", "0", "-c", "copy", *FFMPEG[name])
    whole = compare(path)
    assert Dump("--pipe", path).packets == whole.packets
    assert Dump("--push", "64", path).packets == whole.packets


def test_through_a_pipe(source, tmp_path):
    """ffmpeg writes sizes that it cannot go back to: all of them are unknown."""
    path = tmp_path / "piped.mkv"
    with open(path, "wb") as out:
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", source, "-map", "0", "-c", "copy", "-f", "matroska",
                        "pipe:1"], stdout=out, check=True)
    compare(path)


# ---- exact rates ----------------------------------------------------------------------------------

@pytest.mark.parametrize("rate,timebase,step", [
    ("24000/1001", "1/24000", 1001), ("30000/1001", "1/30000", 1001), ("60000/1001", "1/60000", 1001),
    ("25", "1/1000", 40), ("50", "1/1000", 20), ("24", "1/3000", 125), ("30", "1/3000", 100), ("60", "1/3000", 50)])
@pytest.mark.parametrize("shift", ["0", "0.0213", "1.3337"])
def test_rates(tmp_path, rate, timebase, step, shift):
    """Whatever the first picture's time is, and whatever the file rounds: pictures are a step apart."""
    path = make(tmp_path / "a.mkv", "-f", "lavfi", "-i", f"testsrc2=size=64x48:rate={rate}:duration=4", "-vf",
                f"setpts=PTS+{shift}/TB", *VIDEO["h264"])
    ours = compare(path)
    track = ours.tracks[0]
    assert F(track["rate"]) == F(rate) and track["rate_exact"] == 1
    assert track["timebase"] == timebase
    times = sorted(p["pts"] for p in ours.packets)
    assert {b - a for a, b in zip(times, times[1:])} == {step}
    assert {p["duration"] for p in ours.packets} == {step}


def test_variable_rate(tmp_path):
    path = make(tmp_path / "a.mkv", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30:duration=5", "-vf",
                r"select='not(mod(n\,3))+lt(mod(n\,40)\,20)'", "-fps_mode", "vfr", *VIDEO["h264"])
    compare(path)  # no time moves by more than half a tick


# ---- facts of tracks ------------------------------------------------------------------------------

def test_facts(source, tmp_path):
    edited = mkvmerge(
        tmp_path / "a.mkv", "--colour-primaries", "0:9", "--colour-transfer-characteristics", "0:16",
        "--colour-matrix-coefficients", "0:9", "--colour-range", "0:1", "--max-content-light", "0:1000",
        "--max-frame-light", "0:400", "--chromaticity-coordinates", "0:0.708,0.292,0.170,0.797,0.131,0.046",
        "--white-colour-coordinates", "0:0.3127,0.3290", "--max-luminance", "0:1000", "--min-luminance", "0:0.005",
        "--display-dimensions", "0:640x180", "--chroma-siting", "0:1,1", "--projection-pose-roll", "0:90", source)
    t = Dump("--fast", edited).tracks[0]
    assert t["colour"] == [9, 16, 9, 1, 3]
    assert t["mastering"] == [8500, 39850, 6550, 2300, 35400, 14600, 15635, 16450, 10000000, 50]
    assert t["light"] == [1000, 400]
    assert t["aspect"] == "2/1"
    assert t["rotation"] == 270 and t["flip"] == 0
    cropped = mkvmerge(tmp_path / "b.mkv", "--cropping", "0:40,0,40,0", "--display-dimensions", "0:480x180", source)
    t = Dump("--fast", cropped).tracks[0]
    assert (t["width"], t["height"]) == (320, 180)
    assert t["aspect"] == "2/1"  # 240x180 are shown as 480x180
    audio = Dump("--fast", source).tracks[1]
    assert audio["language"] == "ger" and audio["title"] == 'Fräulein "Quote"'
    assert audio["delay"] in (0, 1024)


def test_opus(tmp_path):
    path = make(tmp_path / "a.webm", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=1.003",
                "-c:a", "libopus")
    ours = compare(path)
    assert ours.tracks[0]["delay"] == 312 and ours.tracks[0]["preroll"] == 3840
    assert ours.packets[-1]["trim"][1] > 0
    assert bytes.fromhex(ours.tracks[0]["config"]).startswith(b"OpusHead")


def test_flac_config(tmp_path):
    ours = compare(make(tmp_path / "a.mka", *SOUND, "-c:a", "flac"))
    assert ours.tracks[0]["config_size"] == 34


# ---- seeking --------------------------------------------------------------------------------------

def check_seek(path, track, seconds, whole):
    """The first packet of the track is its last sync sample at or before the time, and the rest follows."""
    timebase = F(whole.tracks[track]["timebase"])
    ticks = int(F(seconds) / timebase)
    packets = whole.of(track)
    keys = [n for n, p in enumerate(packets) if p["key"] and p["pts"] <= ticks]
    expected = packets[max(keys, key=lambda n: packets[n]["pts"]) if keys else 0:]
    found = Dump("--seek", f"{track}:{ticks}", path)
    assert found.of(track) == expected, (path, track, seconds)
    for other in range(len(whole.tracks)):
        mine = found.of(other)
        assert mine == whole.of(other)[len(whole.of(other)) - len(mine):]
    # Sound is there from where the picture begins, as far as the file interleaves.
    return found


@pytest.fixture(scope="module")
def long_source(tmp_path_factory):
    home = tmp_path_factory.mktemp("long")
    return make(home / "long.mkv", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=24000/1001:duration=30", "-f",
                "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=30", *VIDEO["h264"], "-c:a", "ac3",
                "-cluster_time_limit", "400")


INDEX = {
    "ffmpeg": None,
    "cues": [],
    "no-cues": ["--no-cues"],
    "cues-of-sound": ["--cues", "0:none", "--cues", "1:all"],
    "long-clusters": ["--cluster-length", "20000ms"],
}


@pytest.mark.parametrize("name", INDEX)
def test_seek(long_source, tmp_path, name):
    path = long_source
    if INDEX[name] is not None:
        path = mkvmerge(tmp_path / "a.mkv", *INDEX[name], long_source)
    whole = Dump(path)
    for track in (0, 1):
        for seconds in (-1, 0, F(1, 3), 5, F(1001, 100), F(24 * 7 * 1001, 24000), 29, 100):
            check_seek(path, track, seconds, whole)
    start = whole.of(0)[24]["pts"] * F(whole.tracks[0]["timebase"])
    assert Dump("--seek", f"0:{whole.of(0)[24]['pts']}", path).of(0)[0] == whole.of(0)[24], start


def test_seek_with_damaged_index(long_source, tmp_path):
    whole = Dump(long_source)
    data = bytearray(long_source.read_bytes())
    cues = data.rindex(bytes.fromhex("1c53bb6b"))
    for at in range(cues + 8, cues + 200, 7):
        data[at] ^= 0x5a
    bad = tmp_path / "bad.mkv"
    bad.write_bytes(data)
    for seconds in (0, 5, 11, 29):
        check_seek(bad, 0, seconds, whole)


def test_pipes_do_not_seek(source):
    done = Dump("--pipe", "--seek", "0:0", source, ok=False)
    assert done.end["status"] == 5


# ---- a part, damage, the end ----------------------------------------------------------------------

def clusters(data):
    found, at = [], 0
    while (at := data.find(bytes.fromhex("1f43b675"), at)) >= 0:
        found.append(at)
        at += 4
    return found


def test_header_and_clusters_from_the_middle(long_source, tmp_path):
    data = long_source.read_bytes()
    whole = Dump(long_source)
    starts = clusters(data)
    first, last = starts[len(starts) // 2], starts[len(starts) // 2 + 8]
    part = tmp_path / "part.mkv"
    part.write_bytes(data[:starts[0]] + data[first:last])
    ours = Dump("--push", "1000", part)
    strip = [{k: v for k, v in p.items() if k != "pos"} for p in ours.packets]
    wanted = [{k: v for k, v in p.items() if k != "pos"} for p in whole.packets if first < p["pos"] < last]
    assert strip == wanted and len(wanted) > 50


def test_damage(long_source, tmp_path):
    """One hole: told once, with offset and loss; everything from the next cluster on is there."""
    data = bytearray(long_source.read_bytes())
    whole = Dump(long_source)
    starts = clusters(data)
    hole = [p["pos"] for p in whole.packets if p["pos"] > starts[10]][3]
    data[hole:hole + 300] = bytes(300)
    bad = tmp_path / "bad.mkv"
    bad.write_bytes(data)
    for how in ([], ["--pipe"], ["--push", "100"]):
        ours = Dump(*how, bad)
        assert ours.log.count("offset") == 1 and "bytes are lost" in ours.log, ours.log
        assert [p for p in ours.packets if p["pos"] >= starts[11]] == [p for p in whole.packets
                                                                      if p["pos"] >= starts[11]]
        assert [p for p in ours.packets if p["pos"] < hole] == [p for p in whole.packets if p["pos"] < hole]
    strict = Dump("--strict", bad, ok=False)
    assert strict.end["status"] == 4 and "offset" in strict.end["end"], strict.end


def test_noise(long_source, tmp_path):
    """Bytes changed everywhere: it ends, and what is given out is from the file."""
    data = bytearray(long_source.read_bytes())
    for at in range(5000, len(data), 1543):
        data[at] ^= 0x55
    bad = tmp_path / "bad.mkv"
    bad.write_bytes(data)
    done = Dump(bad, ok=False)
    assert done.end["status"] in (4, 7) and len(done.packets) > 100


@pytest.mark.parametrize("part", [0.001, 0.3, 0.77, 0.9999])
def test_cut_short(long_source, tmp_path, part):
    data = long_source.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[:int(len(data) * part)])
    whole = Dump(long_source)
    ours = Dump(cut, ok=False)
    if part < 0.999:  # beyond, only the index is cut
        assert ours.end["status"] == 4 and ("cut short" in ours.end["end"] or part < 0.01), ours.end
    assert ours.packets == whole.packets[:len(ours.packets)]
    assert part < 0.01 or len(ours.packets) == sum(p["pos"] + p["size"] + 7 <= len(data) * part
                                                   for p in whole.packets)


@pytest.mark.parametrize("name,data,words", [
    ("empty segment", "1a45dfa38b4282886d6174726f736b61" "1853806780", "no track"),
    ("no segment", "1a45dfa38b4282886d6174726f736b61", "ends before"),
    ("version", "1a45dfa38f42f781024282886d6174726f736b61" "1853806780", "version 2"),
])
def test_bad_headers(tmp_path, name, data, words):
    path = tmp_path / "bad.mkv"
    path.write_bytes(bytes.fromhex(data))
    done = Dump(path, ok=False)
    assert done.end["status"] in (4, 5) and words in done.end["end"], done.end
