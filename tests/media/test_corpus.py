# SPDX-License-Identifier: BSD-2-Clause
"""Every file of the shared corpus, where it is present, in both formats; then in Chromium.

Files of more than a minute and a half get one small rung in `make check`, so that it stays under 15 minutes;
`make soak` (SLUICE_SOAK=1) makes the default ladder of those too."""
import os
import subprocess

import pytest

from judge import judge
from lib import CORPUS, ROOT, Master, ladder, probe

FILES = sorted(p for p in CORPUS.glob("*.*") if p.suffix != ".tsv") if CORPUS.exists() else []
FULL = os.environ.get("SLUICE_SOAK") == "1"


def play(out, sound):
    return subprocess.Popen(["node", str(ROOT / "tests" / "web" / "play.mjs"), *([] if sound else ["--no-audio"]),
                             str(out)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_ladder_of(path, tmp_path):
    info = probe(path, "-show_entries", "stream=codec_type:format=duration", warn=False)
    sound = any(s["codec_type"] == "audio" for s in info["streams"])
    small = float(info["format"]["duration"]) > 90 and not FULL
    rungs = ["--rung", "name=original,height=180"] if small else []
    players = []
    try:
        # Chromium plays in real time: the second ladder is made meanwhile.
        for fmt in ("fmp4", "ts"):
            out, work = tmp_path / fmt, tmp_path / f"work-{fmt}"
            work.mkdir()
            ladder(path, out, "--format", fmt, "--preset", "ultrafast", *rungs, timeout=1200)
            players.append(play(out, sound))
            judge(out, work, sound=sound)
            assert Master(out).names()[0] == "original"
        for fmt, player in zip(("fmp4", "ts"), players):
            said = player.communicate(timeout=240)[0].decode()
            if player.returncode != 0:
                # Seen once in 114 plays, on a busy machine: hls.js went back after a seek to the end of a long
                # transport stream. Twice in a row is no accident.
                print(said)
                again = play(tmp_path / fmt, sound)
                said += again.communicate(timeout=240)[0].decode()
                assert again.returncode == 0, said[-3000:]
    finally:
        for player in players:
            player.kill()
