# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of `sluice store` share. The judge of CIDs, DAGs and CARs is IPFS's own code
(oracle.mjs); nothing here computes a CID."""
import json
import os
import pathlib
import random
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLUICE = os.environ.get("SLUICE", str(ROOT / "build" / "sluice"))
RELEASE = os.environ.get("SLUICE_RELEASE", SLUICE)
SOAK = os.environ.get("SLUICE_SOAK") == "1"
PROFILES = ["unixfs-v1-2025", "unixfs-v1", "unixfs-v0"]
MIB = 1 << 20
ENV = {**os.environ, "HOME": "/nonexistent"}
ENV.pop("SLUICE_STORE", None)
ENV.pop("XDG_DATA_HOME", None)


def noise(size, seed):
    return random.Random(seed).randbytes(size)


class Store:
    def __init__(self, path, command=SLUICE):
        self.path = pathlib.Path(path)
        self.command = command

    def args(self, verb, *args):
        return [self.command, "store", verb, "--store", str(self.path), *(str(a) for a in args)]

    def run(self, verb, *args, ok=True, **kw):
        kw.setdefault("timeout", 300)
        done = subprocess.run(self.args(verb, *args), capture_output=True, env=ENV, **kw)
        assert b"ERROR: " not in done.stderr and b"runtime error" not in done.stderr, done.stderr.decode()
        if ok:
            assert done.returncode == 0, f"{verb} {args}: {done.stderr.decode()}"
        return done

    def text(self, verb, *args, **kw):
        return self.run(verb, *args, **kw).stdout.decode()

    def json(self, verb, *args, **kw):
        return [json.loads(line) for line in self.text(verb, *args, "--json", **kw).splitlines()]

    def add(self, *args, **kw):
        """The CID of what was added last."""
        return self.text("add", "-q", *args, **kw).split()[-1]

    def files(self, folder):
        return sorted(p for p in (self.path / folder).rglob("*") if p.is_file() or p.is_symlink())

    def content(self, cid):
        return self.run("get", cid, "-o", "-").stdout

    def check(self):
        """All that has a name is whole, and nothing half made is left."""
        self.run("verify")
        assert not self.files("temp")


def oracle(*args):
    done = subprocess.run(["node", str(ROOT / "tests/store/oracle.mjs"), *(str(a) for a in args)],
                          capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def tree(top):
    """Directories, an empty one too, names that sort by bytes alone, files of all shapes."""
    names = {"a": b"", "a.b": b"x", "ab": noise(MIB + 1, 1), "Z": noise(262145, 2), "é": b"hello\n",
             "sub/deep/er/film.m4s": noise(3 * MIB, 3), "sub/a b": b"x", "sub/0001/1.ts": noise(700000, 4)}
    for name, data in names.items():
        path = pathlib.Path(top) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (pathlib.Path(top) / "empty").mkdir()
    return names
