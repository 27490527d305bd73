# SPDX-License-Identifier: BSD-2-Clause
"""One clear line, the right exit status, nothing half-written, what is published stays playable."""
import os
import pathlib
import shutil
import subprocess

import pytest

from judge import judge
from lib import Master, Playlist, decode_clean, ladder, run, sluice


def one_line(done, status, *words):
    text = done.stderr.decode()
    assert done.returncode == status, (done.returncode, text)
    lines = [x for x in text.splitlines() if x]
    assert len(lines) == 1 and lines[0].startswith("sluice: "), text
    for w in words:
        assert str(w) in lines[0], (w, lines[0])


def test_missing_directory_garbage_empty(tmp_path, out):
    one_line(ladder(tmp_path / "no.mkv", out, ok=False), 1, "no.mkv")
    one_line(ladder(tmp_path, out, ok=False), 1, tmp_path)
    empty = tmp_path / "empty.mkv"
    empty.write_bytes(b"")
    one_line(ladder(empty, out, ok=False), 1, "empty.mkv")
    noise = tmp_path / "noise.mkv"
    noise.write_bytes(os.urandom(100000))
    one_line(ladder(noise, out, ok=False), 1, "noise.mkv")
    text = tmp_path / "text.mp4"
    text.write_text("this is not a film\n" * 1000)
    one_line(ladder(text, out, ok=False), 1, "text.mp4")
    assert not out.exists()


def test_usage(tmp_path, media, out):
    src = media("silent.mp4")
    for args, words in [
        ((), ["no input"]),
        ((src,), ["-o"]),
        ((src, "-o", out, "--segmnt", "4"), ["segmnt", "segment"]),
        ((src, "-o", out, "--segment", "x"), ["segment"]),
        ((src, "-o", out, "--segment", "0"), ["segment"]),
        ((src, "-o", out, "--format", "avi"), ["avi", "fmp4"]),
        ((src, "-o", out, "--rung", "height=9999"), ["9999"]),
        ((src, "-o", out, "--rung", "heigth=120"), ["heigth", "height"]),
        ((src, "-o", out, "--rung", "name=../x"), ["../x"]),
        ((src, "-o", out, "--rung", "height=100,name=a", "--rung", "height=90,name=a"), ["twice"]),
        ((src, "-o", out, "--raw", "rgb24"), ["--size"]),
        ((src, "-o", out, "--raw", "rgb25", "--size", "2x2", "--rate", "1"), ["rgb25"]),
        ((src, src, "-o", out), ["one input"]),
        ((src, "-o", out, "--preset", "warp"), ["warp"]),
        ((src, "-o", out, "--video-track", "7"), ["7"]),
    ]:
        done = sluice("ladder", *args, ok=False)
        one_line(done, 2, *words)
        assert not (out / "master.m3u8").exists()
    one_line(sluice("frobnicate", ok=False), 2, "frobnicate")


def test_no_picture(tmp_path, out):
    from lib import make
    tone = make(tmp_path / "tone.flac", "-f", "lavfi", "-i", "sine=duration=2")
    one_line(ladder(tone, out, ok=False), 1, "tone.flac", "picture")
    assert not out.exists()


def test_overwrite_is_asked_for(media, out):
    ladder(media("silent.mp4"), out)
    before = (out / "master.m3u8").read_bytes()
    one_line(sluice("ladder", media("silent.mp4"), "-o", out, ok=False), 1, "--overwrite")
    assert (out / "master.m3u8").read_bytes() == before


@pytest.mark.parametrize("source", ["plain.mkv", "plain.mp4", "plain.ts", "web.webm"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_truncated(media, tmp_path, out, source, part):
    data = media(source).read_bytes()
    cut = tmp_path / ("cut-" + source)
    cut.write_bytes(data[:int(len(data) * part)])
    done = ladder(cut, out, "--preset", "ultrafast", ok=False)
    assert done.returncode in (0, 1), done.stderr
    assert b"Sanitizer" not in done.stderr
    if (out / "master.m3u8").exists():
        judge(out, tmp_path)
    else:
        assert done.returncode == 1
        assert not list(out.rglob("*.m3u8")) if out.exists() else True


@pytest.mark.parametrize("source", ["plain.mkv", "plain.mp4", "plain.ts", "web.webm"])
def test_damaged(media, tmp_path, out, source):
    data = bytearray(media(source).read_bytes())
    for at in range(20000, len(data), 7919):
        data[at] ^= 0x55
    bad = tmp_path / ("bad-" + source)
    bad.write_bytes(data)
    done = ladder(bad, out, "--preset", "ultrafast", ok=False)
    assert done.returncode in (0, 1), done.stderr
    assert b"Sanitizer" not in done.stderr
    if (out / "master.m3u8").exists():
        judge(out, tmp_path)


def test_raw_and_y4m_cut_short(tmp_path, out):
    frame = bytes(320 * 180 * 3)
    done = ladder("-", out, "--raw", "rgb24", "--size", "320x180", "--rate", "25", input=frame * 130 + frame[:1000],
                  ok=False)
    one_line(done, 1, "172800")
    judge(out, tmp_path, sound=False, frames=130)
    head = b"YUV4MPEG2 W64 H64 F25:1 C420jpeg\n"
    y4m = head + (b"FRAME\n" + bytes(64 * 96)) * 50 + b"FRAME\n" + bytes(100)
    done = ladder("-", out, input=y4m, ok=False)
    one_line(done, 1, "6144")
    judge(out, tmp_path, sound=False, frames=50)
    one_line(ladder("-", out, input=b"YUV4MPEG2 W64 H0 F25:1\n", ok=False), 1)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB. Mounting needs root, which CI and `make check` have."""
    home = tmp_path / "disk"
    home.mkdir()
    done = run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", home])
    assert done.returncode == 0, done.stderr.decode()
    yield home
    run(["umount", home])


def test_disk_full(media, tmp_path, small_disk):
    out = small_disk / "out"
    done = ladder(media("plain.mp4"), out, "--rung", "name=top,bitrate=8000,preset=ultrafast", "--segment", "1",
                  ok=False)
    one_line(done, 1, "space")
    # What was published before stays playable, and nothing half-written is left.
    p = Playlist(out / "top" / "playlist.m3u8")
    assert p.segments and not p.ended
    decode_clean(p.whole(tmp_path / "v.mp4"))
    assert not [x for x in out.rglob("*") if x.name.endswith(".sltmp")]


def test_output_is_a_file(media, tmp_path):
    target = tmp_path / "file"
    target.write_text("mine")
    one_line(ladder(media("silent.mp4"), target, ok=False), 1, "file")
    assert target.read_text() == "mine"


def test_reader_without_permission_or_module(media, tmp_path, out):
    copy = tmp_path / "sluice"
    from lib import SLUICE
    shutil.copy(SLUICE, copy)
    done = run([copy, "ladder", media("silent.mp4"), "-o", out], env={**os.environ, "SLUICE_MODULES": "/nonexistent"})
    one_line(done, 1, "the module decode-libav cannot be had")
    assert not out.exists()


def test_interrupt_finishes_what_is_published(media, tmp_path, out):
    frame = os.urandom(320 * 180 * 3)
    from lib import SLUICE
    p = subprocess.Popen([SLUICE, "ladder", "-", "-o", str(out), "--raw", "rgb24", "--size", "320x180", "--rate", "25"],
                         stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(220):
        p.stdin.write(frame)
    p.stdin.flush()
    while not (out / "master.m3u8").exists():
        assert p.poll() is None
    p.send_signal(2)
    try:
        p.stdin.write(frame * 4)
    except BrokenPipeError:
        pass
    p.stdin.close()
    err = p.stderr.read()
    assert p.wait() == 1 and b"stopped" in err, err
    judge(out, tmp_path, sound=False)
    assert Master(out).playlist("original").ended
    assert pathlib.Path(out / "original" / "init.mp4").exists()
