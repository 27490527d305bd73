# SPDX-License-Identifier: BSD-2-Clause
"""A live run whose registry is a real PostgreSQL: killed, the server gone and back, and what others read with SQL."""
import contextlib
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from lib import run, sluice
from test_live import Run, killed

PROGRAMS = sorted(glob.glob("/usr/lib/postgresql/*/bin"))


class Postgres:
    """A server of our own on a Unix socket. It does not run as root."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="sluice-pg-")
        self.who = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.who:
            shutil.chown(self.home, "postgres", "postgres")
        self.data, self.server = f"{self.home}/data", None
        self.url = f"postgres:///postgres?host={self.home}&user=sluice"
        done = run([*self.who, f"{PROGRAMS[-1]}/initdb", "-D", self.data, "-U", "sluice", "-A", "trust", "-N",
                    "--no-locale", "-E", "UTF8"], cwd="/")
        assert done.returncode == 0, done.stderr.decode()
        self.start()

    def start(self):
        self.server = subprocess.Popen(
            [*self.who, f"{PROGRAMS[-1]}/postgres", "-D", self.data, "-k", self.home, "-c", "listen_addresses=",
             "-c", "shared_buffers=16MB"], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while run([f"{PROGRAMS[-1]}/pg_isready", "-q", "-h", self.home, "-U", "sluice"]).returncode != 0:
            assert time.monotonic() < end and self.server.poll() is None
            time.sleep(0.05)

    def stop(self):
        with open(f"{self.data}/postmaster.pid") as f:
            os.kill(int(f.readline()), signal.SIGQUIT)  # as if it had crashed
        self.server.wait(timeout=60)

    def rows(self, sql):
        done = run([f"{PROGRAMS[-1]}/psql", "-h", self.home, "-U", "sluice", "-d", "postgres", "-X", "-A", "-t", "-c",
                    f"SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM ({sql}) t"])
        if b"does not exist" in done.stderr:  # killed before there was a table
            return []
        assert done.returncode == 0, done.stderr.decode()
        return [tuple(row.values()) for row in json.loads(done.stdout)]


@pytest.fixture
def postgres():
    if not PROGRAMS:
        pytest.skip("there is no PostgreSQL server")
    server = Postgres()
    yield server
    with contextlib.suppress(FileNotFoundError):
        server.stop()
    shutil.rmtree(server.home, ignore_errors=True)


class PostgresRun(Run):
    def __init__(self, tmp, server):
        super().__init__(tmp)
        self.server = server
        self.place += ["--registry", server.url]

    def rows(self, sql, *values):
        for value in values:
            sql = sql.replace("?", f"'{value}'", 1)
        return self.server.rows(sql)


def test_killed(media, tmp_path, postgres):
    rng = random.Random(11)
    film = PostgresRun(tmp_path, postgres)
    args = film.args(media("plain.mkv"))
    kills = 0
    while kills < 3 and not killed(film, args, rng.uniform(0.4, 1.2)):
        kills += 1
        film.check()
    published = film.check()
    life = subprocess.Popen(args, stdout=subprocess.DEVNULL)
    try:
        while film.check() == published and life.poll() is None:
            time.sleep(0.01)
        postgres.stop()  # in the middle of it, unless the kills have left nothing to do
        time.sleep(1)
        postgres.start()
        assert life.wait(timeout=100) == 0
    finally:
        life.kill()
    out = film.finished(300)
    qualities, = film.rows("SELECT quality_playlists FROM runs WHERE id = ?", film.name)[0]
    assert {name: set(q) for name, q in qualities.items()} == dict.fromkeys(
        film.renditions(), {"cid", "width", "height", "bitrate"})
    shown = json.loads(sluice("runs", "show", "film", "--registry", postgres.url, "--json").stdout)
    assert shown["state"] == "finished" and out.is_dir()
