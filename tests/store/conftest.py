# SPDX-License-Identifier: BSD-2-Clause
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from store_lib import Store  # noqa: E402


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def memory_path(tmp_path):
    """A directory in memory where there is room, for what would only keep the disk busy."""
    shm = pathlib.Path("/dev/shm")
    st = os.statvfs(shm) if shm.is_dir() else None
    if not st or st.f_bavail * st.f_frsize < 2 << 30:
        yield tmp_path
        return
    path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-store-", dir=shm))
    yield path
    shutil.rmtree(path)
