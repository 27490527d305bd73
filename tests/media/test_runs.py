# SPDX-License-Identifier: BSD-2-Clause
"""sluice runs, on a registry whose rows are put in by SQL, as docs/registry.md names them."""
import json
import os
import sqlite3
import subprocess

import pytest

from lib import SLUICE


def sluice(*words):
    return subprocess.run([SLUICE, "runs", *words], capture_output=True, text=True, timeout=60)


@pytest.fixture
def registry(tmp_path):
    """Two runs: one finished, one whose writer was killed."""
    path = tmp_path / "runs.db"
    path.touch()  # an empty file is an empty registry
    first = sluice("list", "--registry", str(path))
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    db = sqlite3.connect(path)
    for name, state, created, root in (("film", "finished", 1_700_000_000_000_000, "bafyroot"),
                                       ("live", "running", 1_800_000_000_000_000, "")):
        db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, NULL, 7, 'unixfs-v1-2025', '{\"title\": \"ü\"}', "
                   "'', '', ?, '{}', NULL, 1, '', 0, 0)", (name, state, created, created, root))
        db.execute("INSERT INTO renditions VALUES (?, '720p', 0, 'video', 'fmp4', 'avc1.64001f', '', "
                   "1280, 720, 0, 0, 30, 1, 1, 30, 3000000, 0, 4, 0, 2, 5, 600, 4321, 7, 'bafylist')", (name,))
    db.commit()
    db.close()
    return str(path)


def test_list(registry):
    out = sluice("list", "--registry", registry)
    assert out.returncode == 0
    live, film = out.stdout.splitlines()  # the newest first
    assert live.split() == ["live", "interrupted", "2027-01-15T08:00:00Z"]
    assert film.split() == ["film", "finished", "2023-11-14T22:13:20Z", "bafyroot"]
    only = sluice("list", "--registry", registry, "--state", "finished")
    assert [line.split()[0] for line in only.stdout.splitlines()] == ["film"]


def test_pages(registry):
    page = sluice("list", "--registry", registry, "--limit", "1")
    line, more = page.stdout.splitlines()
    assert line.startswith("live ") and more.startswith("more: --after ")
    rest = sluice("list", "--registry", registry, "--after", more.split()[-1])
    assert [line.split()[0] for line in rest.stdout.splitlines()] == ["film"]
    page = json.loads(sluice("list", "--registry", registry, "--limit", "1", "--json").stdout)
    rest = json.loads(sluice("list", "--registry", registry, "--after", page["next"], "--json").stdout)
    assert [run["id"] for run in page["runs"] + rest["runs"]] == ["live", "film"]
    assert rest["next"] is None
    assert page["runs"][0]["alive"] is False


def test_show(registry):
    out = sluice("show", "film", "--registry", registry)
    assert out.returncode == 0
    assert out.stdout.startswith("film: finished, revision 7, created 2023-11-14T22:13:20Z\n")
    assert "720p       video 1280x720 avc1.64001f, 3000 kbit/s, 3 segments from 2 on, 20.000 s, 4321 bytes" \
        in out.stdout
    run = json.loads(sluice("show", "film", "--registry", registry, "--json").stdout)
    assert run["options"] == {"title": "ü"} and run["root_cid"] == "bafyroot" and run["uploads"] == 0
    assert run["renditions"][0]["segments"] == 3


def test_delete(registry):
    assert sluice("delete", "live", "--registry", registry).returncode == 0
    again = sluice("delete", "live", "--registry", registry)
    assert again.returncode == 1
    assert again.stderr == f'sluice: {registry}: there is no run "live"\n'
    assert sluice("list", "--registry", registry).stdout.split()[0] == "film"


@pytest.mark.parametrize("words, status, message", [
    ([], 2, "Usage: sluice runs VERB"),
    (["list"], 2, "--store is missing"),
    (["show", "--registry", "x.db"], 2, "no run is named"),
    (["show", "a", "b", "--registry", "x.db"], 2, "one run is enough"),
    (["list", "a", "--registry", "x.db"], 2, "no run is to be named"),
    (["list", "--registry", "/none/x.db"], 1, "/none/x.db: there is no registry"),
    (["list", "--registry", "mysql://x"], 2, "expected the path of a file or postgres://"),
    (["list", "--registry", "x.db", "--limit", "0"], 2, "1 to 1000"),
])
def test_refused(tmp_path, words, status, message):
    out = subprocess.run([SLUICE, "runs", *words], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert out.returncode == status
    assert message in out.stderr
    assert list(tmp_path.iterdir()) == []


def test_values_are_checked(registry):
    assert "running, finished, stopped, failed" in sluice("list", "--registry", registry, "--state", "x").stderr
    assert "not a place in the list" in sluice("list", "--registry", registry, "--after", "x").stderr
    assert "is not allowed" in sluice("show", "../x", "--registry", registry).stderr


def test_store(registry, tmp_path):
    """The registry that lies in a store needs no name of its own; one that is named comes first."""
    store = tmp_path / "store"
    store.mkdir()
    assert sluice("list", "--store", str(store)).returncode == 1  # nothing is there yet
    os.rename(registry, store / "registry.sqlite")
    assert len(sluice("list", "--store", str(store)).stdout.splitlines()) == 2
    assert json.loads(sluice("show", "film", "--store", str(store), "--json").stdout)["id"] == "film"
    assert sluice("list", "--store", str(tmp_path), "--registry", str(store / "registry.sqlite")).returncode == 0


def test_no_server(tmp_path):
    """One clear line, after as long as is waited for."""
    out = sluice("list", "--registry", f"postgres://me:secret@/none?host={tmp_path}")
    assert out.returncode == 1
    assert out.stderr.startswith("sluice: postgres://me@/none: PostgreSQL cannot be reached: ")
    assert "secret" not in out.stderr
    assert out.stderr.count("\n") == 1
