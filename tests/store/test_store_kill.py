# SPDX-License-Identifier: BSD-2-Clause
"""SIGKILL at random moments while several processes add, import and collect; a full disk. What has a
name is whole, what was told is there, and nothing is left that anybody has to clean by hand.
SLUICE_KILLS: how often (5 in `make check`, 100 in `make soak`)."""
import os
import random
import re
import resource
import subprocess
import time

import pytest

from store_lib import ENV, MIB, Store, noise, tree

KILLS = int(os.environ.get("SLUICE_KILLS", "5"))


def start(store, *args):
    return subprocess.Popen(store.args(*args), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENV)


def test_killed(store, tmp_path):
    rng = random.Random(7)
    tree(tmp_path / "top")
    other = Store(tmp_path / "other")
    root = other.add("-r", tmp_path / "top")
    car = tmp_path / "x.car"
    other.run("export", root, "-o", car)
    begun = time.monotonic()
    other.add("-r", tmp_path / "top")
    whole = max(time.monotonic() - begun, 0.05)
    promised = set()
    for n in range(KILLS):
        data = tmp_path / f"new{n}"
        data.write_bytes(noise(rng.randrange(1, 3 * MIB), n))
        running = [start(store, "add", "-r", tmp_path / "top"), start(store, "add", "-q", data),
                   start(store, "import", "-q", "--pin-name", "car", car), start(store, "gc")]
        rng.shuffle(running)
        for process in running:
            time.sleep(rng.uniform(0, whole / 2))
            if rng.random() < 0.75:
                process.kill()
        for process in running:
            out = process.communicate(timeout=120)[0].decode()
            # "added" of a single file, and of the root, is said when it is on the disk and pinned.
            if process.args[2] == "add" and "-q" in process.args:
                promised.update(re.findall(r"^baf\w+$", out, re.M))
            elif process.returncode == 0 and process.args[2] in ("add", "import"):
                promised.add(root)
        if not (store.path / "sluice-store").exists():
            continue
        store.run("gc")
        store.check()
        for cid in promised:
            store.run("stat", cid)
    # And then all of it, as if nothing had been.
    assert store.add("-r", tmp_path / "top") == root
    assert store.text("import", "-q", car).strip() == root
    store.check()
    store.run("verify", root)
    for line in store.text("ls").splitlines():
        store.run("unpin", line.split()[0], "--pin-name", line.split()[1])
    store.run("gc")
    assert not store.files("objects") and not store.files("temp") and not store.files("blocks")


def test_at_once(store, tmp_path):
    """The same tree by four processes, while gc runs again and again."""
    names = tree(tmp_path / "top")
    adders = [start(store, "add", "-rq", "--pin-name", f"p{n}", tmp_path / "top") for n in range(4)]
    while any(p.poll() is None for p in adders):
        if (store.path / "sluice-store").exists():
            store.run("gc")
        time.sleep(0.02)
    roots = {p.communicate()[0].decode().split()[-1] for p in adders}
    assert len(roots) == 1 and all(p.returncode == 0 for p in adders)
    root = roots.pop()
    store.run("gc")
    store.run("verify", root)
    store.check()
    assert store.content(f"{root}/ab") == names["ab"]
    assert len(store.text("ls").splitlines()) == 4


def test_full_disk(tmp_path):
    """A disk of 3 MiB where we may mount one, else a limit: one clear line, and nothing half made."""
    home = tmp_path / "disk"
    home.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "none", home], capture_output=True).returncode == 0
    limit = None if mounted else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, 2 * MIB))
    try:
        store = Store(home / "store")
        kept = store.add("-", input=noise(MIB // 2, 1))
        for args in (["add", "-"], ["add", "--profile", "unixfs-v0", "-"]):
            full = store.run(*args, input=noise(5 * MIB, 2), ok=False, preexec_fn=limit)
            text = full.stderr.decode()
            assert full.returncode == 1 and text.count("\n") == 1 and "write: " in text, text
            store.check()
        other = Store(tmp_path / "other")
        car = other.run("export", other.add("-", input=noise(2 * MIB, 3)), "-o", "-").stdout
        full = store.run("import", "-", input=car, ok=False, preexec_fn=limit)
        if mounted:
            assert full.returncode == 1 and full.stderr.decode().count("\n") == 1
        store.check()
        assert store.content(kept) == noise(MIB // 2, 1)
        store.add("-", input=b"small things still fit")
        store.check()
    finally:
        if mounted:
            subprocess.run(["umount", home], check=True)


@pytest.mark.soak
def test_many(store, tmp_path):
    """A thousand small files in a hundred directories, twice, then all of it away."""
    for n in range(1000):
        path = tmp_path / "top" / str(n % 100) / str(n)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise(n, n))
    root = store.add("-r", tmp_path / "top")
    assert store.add("-r", tmp_path / "top") == root
    store.run("verify", root)
    store.run("unpin", root)
    assert store.json("gc")[0]["objects"] == 0
