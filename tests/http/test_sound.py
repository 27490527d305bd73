# SPDX-License-Identifier: BSD-2-Clause
"""Sound that is made on demand, as a player hears it: segments fetched one by one and joined, against the same
conversion in one piece (sluice remux)."""
import os
import pathlib
import re
import subprocess

import numpy
import pytest

from lib import SLUICE, Server

CORPUS, SOAK = os.environ.get("SLUICE_CORPUS"), os.environ.get("SLUICE_SOAK")
FRAME = 1024
TONE = 997  # Hz: no multiple of anything that a coder counts in

# A steady tone in codecs that are converted: name, arguments, rate.
TONES = [("eac3.mkv", ["-c:a", "eac3", "-b:a", "256k"], 48000), ("eac3.mp4", ["-c:a", "eac3", "-b:a", "256k"], 48000),
         ("ac3.ts", ["-c:a", "ac3", "-b:a", "256k"], 48000), ("eac3-44.mkv", ["-c:a", "eac3", "-ar", "44100"], 44100),
         ("vorbis.webm", ["-c:a", "libvorbis", "-q:a", "6"], 48000)]
NATURAL = ["derived-natural29s-h264-eac3.mkv", "derived-natural29s-h264-ac3.mkv", "tos-332p24-vp8-vorbis.webm"]
SHORT = ("eac3.mkv", "vorbis.webm")  # the others are for make soak


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    root = tmp_path_factory.mktemp("sound")
    for name, codec, _ in TONES:
        if name not in SHORT and not SOAK:
            continue
        picture = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"] if name.endswith("webm") else [
            "-c:v", "libx264", "-preset", "ultrafast"]
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=gray:size=64x48:rate=25:duration=20",
                        "-f", "lavfi", "-i", f"sine=frequency={TONE}:sample_rate=48000:duration=20", *picture, "-g", "100",
                        "-pix_fmt", "yuv420p", *codec, "-ac", "2", str(root / name)], check=True, stdin=subprocess.DEVNULL)
    for name in NATURAL if CORPUS and SOAK else []:
        (root / name).write_bytes((pathlib.Path(CORPUS) / name).read_bytes())
    return root


@pytest.fixture(scope="module")
def server(library):
    with Server(None, "--media", library) as server:
        yield server


def samples(path, rate=None, command="ffmpeg"):
    """All samples of the first sound, one row for each channel."""
    done = subprocess.run([command, "-v", "error", "-nostdin", "-i", str(path), "-map", "0:a:0", "-ac", "2",
                           *(["-ar", str(rate)] if rate else []), "-f", "f32le", "-"], check=True, capture_output=True)
    return numpy.frombuffer(done.stdout, "<f4").reshape(-1, 2).T.astype(float)


def joined(server, name, tmp_path):
    """The file that the segments make, and where they meet: in samples of presentation."""
    base = f"/media/{name}/audio1-aac"
    playlist = server.get(f"{base}/playlist.m3u8").body.decode()
    uris = [line for line in playlist.split("\n") if line and line[0] != "#"]
    data = server.get(f"{base}/init.mp4").body
    for uri in uris:
        answer = server.get(f"{base}/{uri}")
        assert answer.status == 200
        data += answer.body
    (tmp_path / "joined.mp4").write_bytes(data)
    ends = numpy.cumsum([float(x) for x in re.findall(r"#EXTINF:([\d.]+)", playlist)])
    return tmp_path / "joined.mp4", ends[:-1]


def whole(library, name, tmp_path):
    out = tmp_path / "whole.mp4"
    subprocess.run([SLUICE, "remux", str(library / name), "--audio", "aac", "-o", str(out)], check=True)
    return out


def level(x, at):
    """Of the tone around a place, by a window of two frames."""
    n = numpy.arange(at - FRAME, at + FRAME)
    window = numpy.hanning(len(n))
    return lambda rate: abs(numpy.sum(x[n] * window * numpy.exp(-2j * numpy.pi * TONE * n / rate)))


@pytest.mark.parametrize("name, rate", [
    pytest.param(name, rate, marks=[] if name in SHORT else pytest.mark.soak) for name, _, rate in TONES])
def test_steady_tone(server, library, tmp_path, name, rate):
    """No dip of more than 0.1 dB at any seam, and as many samples as there should be."""
    path, seams = joined(server, name, tmp_path)
    ours, one = samples(path), samples(whole(library, name, tmp_path))
    assert len(seams) >= 4
    assert ours.shape == one.shape
    usual = level(ours[0], 10 * FRAME)(rate)
    worst = 0
    for seam in seams:
        for at in range(-2 * FRAME, 2 * FRAME + 1, FRAME // 8):
            db = 20 * numpy.log10(level(ours[0], round(seam * rate) + at)(rate) / usual)
            worst = max(worst, abs(db))
            assert abs(db) < 0.1, (name, seam, at, db)
    print(f"{name}: {len(seams)} seams, {ours.shape[1]} samples, the level stays within {worst:.4f} dB")


def lag_of(x, y):
    """Samples by which y is later than x, around the middle."""
    n, middle = 1 << 15, min(x.shape[1], y.shape[1]) // 2
    a, b = (z[0, middle - n // 2:middle + n // 2] for z in (x, y))
    found = numpy.fft.irfft(numpy.fft.rfft(b, 2 * n) * numpy.conj(numpy.fft.rfft(a, 2 * n)))
    lag = int(numpy.argmax(found))
    return lag if lag < n else lag - 2 * n


def error(x, y, lag, at, reach):
    """Power of the difference in a stretch around a place, dB."""
    n = numpy.arange(max(0, at - reach), min(at + reach, y.shape[1], x.shape[1] + lag))
    return 10 * numpy.log10(numpy.mean((y[:, n] - x[:, n - lag]) ** 2) + 1e-12)


@pytest.mark.soak
@pytest.mark.parametrize("name", NATURAL)
def test_natural_sound(server, library, tmp_path, name):
    """Within two frames of each seam the error against the source is at most 1 dB above that of the conversion in
    one piece. That alone differs by half a decibel from what it would be with another beginning, so much is granted
    to a single seam, and nothing to all of them together."""
    if not CORPUS:
        pytest.skip("no corpus")
    path, seams = joined(server, name, tmp_path)
    source, ours, one = samples(library / name), samples(path), samples(whole(library, name, tmp_path))
    rate = 44100
    assert ours.shape == one.shape
    lag = lag_of(source, one)
    more = []
    for seam in seams:
        at = round(seam * rate) + FRAME  # the coder's priming is heard here
        theirs = error(source, one, lag, at, 2 * FRAME)
        assert theirs < -15, "the conversion in one piece is not what was in the source"
        more.append(error(source, ours, lag, at, 2 * FRAME) - theirs)
    print(f"{name}: {len(seams)} seams, error {numpy.mean(more):+.3f} dB on average, at most {max(more):+.3f}; lag {lag}")
    assert max(more) < 1.5 and numpy.mean(more) < 0.5, more
