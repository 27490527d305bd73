# SPDX-License-Identifier: BSD-2-Clause
"""SIGKILL at random moments: what is listed is there, whole, and plays. SLUICE_KILLS: how often (5 in
`make check`, 100 in `make soak`)."""
import os
import random
import subprocess
import time

import pytest

from lib import Fragment, Master, Playlist, SLUICE, decode_clean, ladder
from judge import judge

KILLS = int(os.environ.get("SLUICE_KILLS", "5"))


@pytest.mark.parametrize("fmt", ["fmp4", "ts"])
def test_killed(media, tmp_path, fmt):
    rng = random.Random(20 + len(fmt))
    out = tmp_path / "out"
    source = media("plain.mkv")
    args = [SLUICE, "ladder", str(source), "-o", str(out), "--overwrite", "--segment", "1", "--format", fmt]
    start = time.monotonic()
    subprocess.run(args, check=True)
    whole_run = time.monotonic() - start
    seen = 0
    for n in range((KILLS + 1) // 2):
        p = subprocess.Popen(args)
        moment = rng.uniform(0.05, 0.95)
        if n % 2 == 0:  # while segments are published, however busy the machine was a moment ago
            until(p, lambda: not (out / "master.m3u8").exists())  # that of the run before goes first
            until(p, lambda: any(out.glob("*/playlist.m3u8")))
            moment *= 0.5
        time.sleep(moment * whole_run)
        p.kill()
        p.wait()
        seen += judge_prefix(out, tmp_path)
    assert seen > 0, "no kill left anything to judge"
    # The same directory takes the next run, and nothing of the killed ones is left.
    ladder(source, out, "--segment", "1", "--format", fmt)
    judge(out, tmp_path, segment=1, frames=300)


def until(process, happened):
    while process.poll() is None and not happened():
        time.sleep(0.005)


def judge_prefix(out, tmp):
    segments = 0
    lists = {p.parent.name: Playlist(p) for p in out.glob("*/playlist.m3u8")}
    for name, p in lists.items():
        for path, extinf in p.segments:
            assert path.stat().st_size > 0
        if not p.segments:
            continue
        segments += len(p.segments)
        decode_clean(p.whole(tmp / "prefix"))
        if p.init:
            expected = 0
            for path, _ in p.segments:
                f = Fragment(path)
                assert f.tfdt == expected
                expected += f.duration
    if (out / "master.m3u8").exists():
        m = Master(out)
        for name, p in m.playlists().items():
            assert p.segments, name
    return segments
