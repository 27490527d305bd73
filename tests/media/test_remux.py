# SPDX-License-Identifier: BSD-2-Clause
"""`sluice remux`: converted sound, pipes at any pace, bad input, and what is left after a failure."""
import array
import os
import subprocess
import threading
import time

import pytest

from lib import SLUICE, decode_clean, make, probe, run, sluice
from remux_judge import F, Mp4, Source, judge, levels, remux, shown_span, tone
from test_bad_input import one_line

STEADY = 0.1  # dB
SMALL = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]


# ---- converted sound ------------------------------------------------------------------------


def he_aac(path):
    """There is no free HE-AAC encoder in Debian. AAC-LC at half the rate, with an AudioSpecificConfig
    that says SBR by the backward compatible signal (ISO/IEC 14496-3 1.6.6.1: sync extension 0x2b7), is
    HE-AAC without high bands: a decoder must double the rate."""
    tone(path, 5, 24000, 2, "aac", "-b:a", "96k")
    data = path.read_bytes()
    assert data.count(b"\x56\xe5\x00") == 1, "the encoder's AudioSpecificConfig is not what it was"
    path.write_bytes(data.replace(b"\x56\xe5\x00", b"\x56\xe5\x98"))  # sbrPresentFlag, 48000 Hz
    return path


def sources(tmp):
    return {
        "eac3-5.1": lambda: tone(tmp / "in.mkv", 5, 48000, 6, "eac3", "-b:a", "640k"),
        "aac-mono-44100": lambda: tone(tmp / "in.mkv", 5, 44100, 1, "aac", "-b:a", "96k"),
        "he-aac": lambda: he_aac(tmp / "in.mkv"),
        "vorbis": lambda: tone(tmp / "in.mkv", 5, 44100, 2, "libvorbis", "-q:a", "6"),
        "ac3": lambda: tone(tmp / "in.mkv", 5, 48000, 2, "ac3", "-b:a", "256k"),
        "opus": lambda: tone(tmp / "in.mkv", 5, 48000, 2, "libopus", "-b:a", "128k"),
        "mp3": lambda: tone(tmp / "in.mkv", 5, 44100, 2, "libmp3lame", "-b:a", "192k"),
        "flac": lambda: tone(tmp / "in.mkv", 5, 44100, 2, "flac"),
        "pcm": lambda: tone(tmp / "in.mkv", 5, 48000, 2, "pcm_s16le"),
    }


@pytest.mark.parametrize("name,way", [(name, "aac") for name in sources(None)] + [
    (name, "opus") for name in ("eac3-5.1", "aac-mono-44100", "ac3")])
def test_converted_sound(name, way, tmp_path):
    path, out = sources(tmp_path)[name](), tmp_path / "out.mp4"
    source = Source(path)
    was = source.best("audio")
    remux(path, out, "--audio", way)
    now = probe(out, "-show_entries", "stream=codec_name,sample_rate,channels,profile", select="a:0")["streams"][0]
    assert now["codec_name"] == way
    rate = int(was["sample_rate"]) if way == "aac" else 48000
    assert int(now["sample_rate"]) == rate and (name != "he-aac" or rate == 48000)
    assert now["channels"] == min(was["channels"], 2)
    mp4 = judge(path, out, source, converted=True)
    begin, end = shown_span(mp4, mp4.kind("audio"))
    assert begin <= F(1, 1000) and abs(end - 5) <= F(2048, rate), (float(begin), float(end))
    measured, count = levels(out, 1000, int(was["sample_rate"]))  # whole periods, about a frame
    assert abs(count - 5 * int(was["sample_rate"])) <= 3 * 1024, count
    lossy, _ = levels(path, 1000, int(was["sample_rate"]))  # what the source's own coder has done to the tone
    already = max(max(c) - min(c) for n, c in enumerate(lossy) if n != 3)  # the fourth is for low notes
    assert already < STEADY, already
    for channel in measured:
        assert max(channel) - min(channel) < STEADY + already, (min(channel), max(channel), already)
        assert -20.5 < channel[0] < -8 or was["channels"] == 6 and -40 < channel[0] < 0, channel[0]


def test_surround_stays_surround_where_asked(tmp_path):
    path, out = tone(tmp_path / "in.mkv", 5, 48000, 6, "eac3", "-b:a", "640k"), tmp_path / "out.mp4"
    remux(path, out, "--channels", "6")
    now = probe(out, "-show_entries", "stream=codec_name,channels,channel_layout", select="a:0")["streams"][0]
    assert (now["codec_name"], now["channels"], now["channel_layout"]) == ("aac", 6, "5.1")
    measured, _ = levels(out, 1000, 48000)
    for n, channel in enumerate(measured):
        assert n == 3 or max(channel) - min(channel) < STEADY, (n, min(channel), max(channel))


def test_auto_passes_what_browsers_play(tmp_path):
    for codec, entry in (("aac", "mp4a"), ("libopus", "Opus"), ("flac", "fLaC"), ("libmp3lame", None)):
        path = tone(tmp_path / "in.mkv", 2, 48000, 2, codec)
        remux(path, tmp_path / "out.mp4")
        judge(path, tmp_path / "out.mp4")
        assert entry in (None, Mp4(tmp_path / "out.mp4").kind("audio").entry)


@pytest.fixture(scope="module")
def clapper(tmp_path_factory):
    """At each full second the picture is white and a tone of 1 kHz sounds, both for a tenth of it."""
    home = tmp_path_factory.mktemp("clapper")
    made = {}

    def get(codec, suffix):
        name = f"{codec}.{suffix}"
        if name not in made:
            made[name] = make(home / name, "-f", "lavfi", "-i",
                              "color=black:size=160x120:rate=30000/1001:duration=24,"
                              "drawbox=color=white:t=fill:enable='lt(mod(t+0.001,1),0.1)'",
                              "-f", "lavfi", "-i", "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s=48000:d=24",
                              *SMALL, "-g", "75", "-c:a", codec, "-ac", "2")
        return made[name]

    return get


def onsets(path):
    """Seconds at which the tone begins, by libavformat and libavcodec."""
    first = probe(path, "-show_frames", "-show_entries", "frame=pts_time", "-read_intervals", "%+#1", select="a:0",
                  warn=False)["frames"][0]["pts_time"]
    done = run(["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", "0:a:0", "-ac", "1", "-f", "s16le", "-"])
    assert done.returncode == 0
    pcm = array.array("h", done.stdout)
    loud = [i for i in range(0, len(pcm), 48) if max(map(abs, pcm[i:i + 48])) > 8000]
    return [float(first) + i / 48000 for n, i in enumerate(loud) if n == 0 or i - loud[n - 1] > 4800]


@pytest.mark.parametrize("codec,suffix", [("ac3", "mkv"), ("eac3", "mkv"), ("libvorbis", "mkv"), ("aac", "mp4"),
                                          ("aac", "ts"), ("ac3", "ts")])
@pytest.mark.parametrize("start", ["0", "10", "12.34"])
def test_in_sync(clapper, codec, suffix, start, tmp_path):
    """Converted sound and passed pictures, from the start and from within: claps at full seconds."""
    out = tmp_path / "out.mp4"
    remux(clapper(codec, suffix), out, "--start", start, "--duration", "6.5", "--audio", "aac")
    found = [t for t in onsets(out) if t > -0.05]
    first = -float(start) % 1
    expected = [first + n for n in range(len(found))]
    # A transport stream's own sound lies a frame of its coder before the picture's time.
    slack = 0.005 if suffix != "ts" else 0.025
    assert 5 <= len(found) <= 7 and all(abs(a - b) < slack for a, b in zip(found, expected)), found
    judge(clapper(codec, suffix), out, start=F(start), whole=False, converted=True)


def test_gaps_and_overlaps(tmp_path):
    """Sound with a hole of two seconds stays in time behind it, and so does what overlaps."""
    a = make(tmp_path / "a.mkv", "-f", "lavfi", "-i", "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s=48000:d=12",
             "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=12", *SMALL, "-c:a", "ac3")
    hole = make(tmp_path / "hole.mkv", "-i", a, "-c", "copy", "-bsf:a", r"noise=drop='between(pts,3500,5500)'")
    out = tmp_path / "out.mp4"
    remux(hole, out)
    found = [round(t, 2) for t in onsets(out)]
    assert [round(t) for t in found] == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11], found
    assert all(abs(t - round(t)) < 0.04 for t in found), found
    mp4 = Mp4(out)
    track = mp4.kind("audio")
    times = mp4.times(track)
    assert all(b == a + F(s.duration, track.scale) for a, b, s in zip(times, times[1:], track.samples)), \
        "the gap is not filled"


# ---- pipes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A few hundred KB in the containers that can be read from a pipe."""
    home = tmp_path_factory.mktemp("small")
    base = make(home / "film.mkv", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=5", "-f", "lavfi", "-i",
                "sine=frequency=440:sample_rate=48000:duration=5", *SMALL, "-g", "25", "-bf", "2", "-c:a", "aac")
    copy = ["-i", base, "-c", "copy"]
    return {
        "mkv": base,
        "ac3.mkv": make(home / "ac3.mkv", "-i", base, "-c:v", "copy", "-c:a", "ac3"),
        "webm": make(home / "film.webm", "-i", base, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8",
                     "-c:a", "libopus"),
        "fragmented.mp4": make(home / "f.mp4", *copy, "-movflags", "+frag_keyframe+empty_moov+default_base_moof"),
        "faststart.mp4": make(home / "s.mp4", *copy, "-movflags", "+faststart"),
        "ts": make(home / "film.ts", *copy),
        "flv": make(home / "film.flv", *copy),
    }


CONTAINERS = ["mkv", "ac3.mkv", "webm", "fragmented.mp4", "faststart.mp4", "ts", "flv"]


def through(path, write, read, *args):
    """cat path | sluice remux - -o - | reader, at the pace of write and read."""
    p = subprocess.Popen([SLUICE, "remux", "-", "-o", "-", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    feeder = threading.Thread(target=write, args=(p.stdin, path.read_bytes()))
    feeder.start()
    out = read(p.stdout)
    feeder.join()
    err = p.stderr.read()
    assert p.wait() == 0 and err == b"", err.decode()
    return out


def at_once(stream, data):
    stream.write(data)
    stream.close()


def trickle(stream, data):
    for n in range(0, len(data), 1499):
        stream.write(data[n:n + 1499])
        stream.flush()
        time.sleep(0.004)
    stream.close()


def swallow(stream):
    return stream.read()


def sip(stream):
    got = b""
    while more := os.read(stream.fileno(), 2999):
        got += more
        time.sleep(0.004)
    return got


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("write,read", [(at_once, swallow), (trickle, swallow), (at_once, sip)],
                         ids=["fast", "slow-writer", "slow-reader"])
def test_pipe(small, container, write, read, tmp_path):
    got = through(small[container], write, read)
    done = run(["ffmpeg", "-v", "warning", "-xerror", "-i", "-", "-f", "null", "-"], input=got)
    assert done.returncode == 0 and done.stderr == b"", done.stderr.decode()
    out = tmp_path / "out.mp4"
    out.write_bytes(got)
    judge(small[container], out)


def test_first_fragment_comes_before_the_end(small):
    """A live source: what is complete is handed out while more is to come."""
    data = small["mkv"].read_bytes()
    p = subprocess.Popen([SLUICE, "remux", "-", "-o", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p.stdin.write(data[:len(data) * 3 // 4])
    p.stdin.flush()
    seen = b""
    deadline = time.monotonic() + 20
    while seen.count(b"moof") < 2 and time.monotonic() < deadline:
        seen += os.read(p.stdout.fileno(), 65536)
    assert seen.count(b"moof") >= 2
    p.stdin.write(data[len(data) * 3 // 4:])
    p.stdin.close()
    rest = p.stdout.read()
    assert p.wait() == 0 and b"moof" in rest


def test_reader_that_leaves(small):
    p = subprocess.Popen([SLUICE, "remux", str(small["mkv"]), "-o", "-"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    os.read(p.stdout.fileno(), 10)
    p.stdout.close()
    err = p.stderr.read().decode()
    # It may have been done before the reader left: the pipe holds as much as the file.
    assert p.wait() in (0, 1) and err.count("\n") <= 1 and "anitizer" not in err, err


# ---- segments -------------------------------------------------------------------------------


def test_segments_join(small, tmp_path):
    """An init segment once and fragments with decode times of their own: what a server hands out."""
    parts, at = [], 0
    for n in range(5):
        args = ["--start", str(n), "--duration", "1", "--decode-time", str(n)]
        out = tmp_path / f"{n}.m4s"
        remux(small["mkv"], out, *args, *(["--no-init"] if n else []))
        parts.append(out.read_bytes())
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(b"".join(parts))
    assert all(b"moov" not in p for p in parts[1:])
    source = Source(small["mkv"])
    data = Mp4(tmp_path / "0.m4s")
    assert data.fragmented
    done = run(["ffprobe", "-v", "error", "-show_packets", "-show_entries", "packet=pts_time", "-select_streams", "v",
                "-of", "csv=p=0", whole])
    times = sorted(float(x.strip(",")) for x in done.stdout.decode().split())
    assert len(times) >= len(source.packets[0]) and abs(times[-1] - 4.96) < 0.05, (len(times), times[-1])
    assert at == 0


def test_styp_and_sidx(small, tmp_path):
    out = tmp_path / "out.mp4"
    remux(small["mkv"], out, "--styp", "--sidx")
    data = out.read_bytes()
    assert data.count(b"styp") >= data.count(b"moof") > 1 and data.count(b"sidx") >= data.count(b"moof")
    judge(small["mkv"], out)
    decode_clean(out)


# ---- failures -------------------------------------------------------------------------------


def test_bad_input_leaves_nothing(small, tmp_path):
    out = tmp_path / "out.mp4"
    mkv = small["mkv"].read_bytes()
    noise = os.urandom(100000)
    bad = {"empty.mkv": b"", "noise.mkv": noise, "head.mkv": mkv[:40], "tracks.mkv": mkv[:300],
           "size.mkv": mkv[:4] + b"\0" + mkv[5:], "text.mp4": b"not a film\n" * 1000,
           "half.mp4": small["faststart.mp4"].read_bytes()[:600]}
    for name, data in bad.items():
        path = tmp_path / name
        path.write_bytes(data)
        for args in ([], ["--faststart"]):
            one_line(sluice("remux", path, "-o", out, *args, ok=False), 1, name)
            assert not out.exists() and not list(tmp_path.glob("*.sltmp*")), name
        done = sluice("remux", path, "-o", "-", ok=False)
        one_line(done, 1, name)
        assert done.stdout == b"", f"{name}: {len(done.stdout)} bytes before the header was known to be good"
    one_line(sluice("remux", tmp_path / "missing.mkv", "-o", out, ok=False), 1, "missing.mkv")
    one_line(sluice("remux", small["mkv"], "-o", tmp_path / "no" / "out.mp4", ok=False), 1, "out.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(bad)


def test_errors_name_offset_and_what_is_allowed(small, tmp_path):
    data = bytearray(small["mkv"].read_bytes())
    at = data.index(bytes.fromhex("1654AE6B"), 100)  # Tracks: a length descriptor of more than eight bytes
    data[at + 4] = 0
    path = tmp_path / "in.mkv"
    path.write_bytes(data)
    for target in (tmp_path / "out.mp4", "-"):
        done = sluice("remux", path, "-o", target, ok=False)
        one_line(done, 1, "in.mkv", "offset", "8")
        assert done.stdout == b"" and not (tmp_path / "out.mp4").exists()


def test_usage(small, tmp_path):
    src, out = small["mkv"], tmp_path / "out.mp4"
    for args, words in [
        ((), ["no input"]),
        ((src,), ["-o"]),
        ((src, "-o", out, "--strat", "4"), ["strat", "start"]),
        ((src, "-o", out, "--start", "-1"), ["start"]),
        ((src, "-o", out, "--audio", "mp4"), ["mp4", "aac"]),
        ((src, "-o", out, "--channels", "5"), ["channels", "5"]),
        ((src, "-o", out, "--faststart", "--no-init"), ["faststart"]),
        ((src, src, "-o", out), ["one input"]),
        ((src, "-o", out, "--audio-track", "7"), ["7"]),
        ((src, "-o", out, "--audio-track", "xx"), ["xx"]),
    ]:
        one_line(sluice("remux", *args, ok=False), 2, *words)
        assert not out.exists()


def test_what_cannot_be_copied_is_named(tmp_path):
    path = tone(tmp_path / "in.mkv", 1, 44100, 2, "libvorbis")
    one_line(sluice("remux", path, "-o", tmp_path / "out.mp4", "--audio", "copy", ok=False), 1, "vorbis", "--audio aac")
    assert not (tmp_path / "out.mp4").exists()


def test_encoder_that_does_not_exist(tmp_path):
    path = make(tmp_path / "in.webm", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=3", "-c:v", "libvpx",
                "-deadline", "realtime")
    done = sluice("remux", path, "-o", tmp_path / "out.mp4", "--encoder", "nosuch", ok=False)
    assert done.returncode in (1, 2) and done.stderr.count(b"\n") == 1 and b"nosuch" in done.stderr, done.stderr
    assert not (tmp_path / "out.mp4").exists()


def test_old_output_stays_until_the_new_is_complete(small, tmp_path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"old")
    bad = tmp_path / "bad.mkv"
    bad.write_bytes(os.urandom(5000))
    sluice("remux", bad, "-o", out, ok=False)
    assert out.read_bytes() == b"old"
    remux(small["mkv"], out)
    judge(small["mkv"], out)


def test_interrupt_leaves_nothing(small, tmp_path):
    data = small["mkv"].read_bytes()
    out = tmp_path / "out.mp4"
    for number in (2, 15):
        p = subprocess.Popen([SLUICE, "remux", "-", "-o", str(out)], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        p.stdin.write(data[:len(data) // 2])
        p.stdin.flush()
        time.sleep(0.3)
        p.send_signal(number)
        time.sleep(0.1)
        try:
            p.stdin.write(data[len(data) // 2:])
            p.stdin.close()
        except BrokenPipeError:
            pass
        err = p.stderr.read()
        assert p.wait() == 1 and b"stopped" in err, err
        assert not list(tmp_path.iterdir())


def test_disk_full_leaves_nothing(tmp_path):
    home = tmp_path / "disk"
    home.mkdir()
    done = run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", home])
    assert done.returncode == 0, done.stderr.decode()
    try:
        path = make(tmp_path / "in.mkv", "-f", "lavfi", "-i", "testsrc2=size=640x480:rate=25:duration=6", *SMALL)
        for args in ([], ["--faststart"]):
            one_line(sluice("remux", path, "-o", home / "out.mp4", *args, ok=False), 1, "space")
            assert not list(home.iterdir())
    finally:
        run(["umount", home])
