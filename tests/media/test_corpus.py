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


@pytest.mark.parametrize("fmt", ["fmp4", "ts"])
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_ladder_of(path, fmt, out, tmp_path):
    info = probe(path, "-show_entries", "stream=codec_type:format=duration", warn=False)
    sound = any(s["codec_type"] == "audio" for s in info["streams"])
    small = float(info["format"]["duration"]) > 90 and not FULL
    rungs = ["--rung", "name=original,height=180"] if small else []
    ladder(path, out, "--format", fmt, "--preset", "ultrafast", *rungs, timeout=1200)
    judge(out, tmp_path, sound=sound)
    assert Master(out).names()[0] == "original"
    done = subprocess.run(["node", str(ROOT / "tests" / "web" / "play.mjs"), *([] if sound else ["--no-audio"]),
                           str(out)], capture_output=True, timeout=240)
    assert done.returncode == 0, done.stdout.decode()[-3000:] + done.stderr.decode()[-3000:]
