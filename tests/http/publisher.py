# SPDX-License-Identifier: BSD-2-Clause
"""tests/support/publish as Python: a store and a registry in whatever state a test needs."""
import os
import pathlib
import subprocess

from lib import SLUICE

BUILD = pathlib.Path(SLUICE).parent
START = 1792000000000000  # 2026-10-14T17:46:40Z in microseconds
CLOCK = 90000


class Publisher:
    def __init__(self, home, registry=None):
        self.store, self.registry = home / "store", registry or home / "store" / "registry.sqlite"
        self.process = subprocess.Popen(
            [BUILD / "tests" / "support" / "publish"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "SLUICE_MODULES": str(BUILD / "modules")})
        self.say("open", self.store, self.registry)
        self.counts = {}

    def say(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer.startswith("ok"), (words, answer)
        return answer[3:].strip()

    def add(self, path):
        return self.say("add", path)

    def tree(self, path):
        return self.say("tree", path)

    def claim(self, run):
        self.counts = {}
        self.say("claim", run)

    def renditions(self, *names, kind="video", codecs="avc1.42c01f", target=2, window=0, form="fmp4", bitrate=400000):
        for name in names:
            self.say("rendition", name, kind, codecs, *((320, 180, 0) if kind == "video" else (0, 0, 2)), CLOCK,
                     bitrate, target, window, form)
        self.say("renditions")

    def segment(self, rendition, cid="-", init="-", seconds=2, flags="-", time=None, announce=True):
        number, start = self.counts.get(rendition, (0, 0))
        self.say("segment", rendition, number, cid, init, start, int(seconds * CLOCK), 1000, flags,
                 START + start * 1000000 // CLOCK if time is None else time)
        self.counts[rendition] = number + 1, start + int(seconds * CLOCK)
        if announce:
            self.say("announce")

    def end(self, state="finished"):
        self.say("end", state)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.close() if not kind else self.kill()
