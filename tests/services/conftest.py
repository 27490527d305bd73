# SPDX-License-Identifier: BSD-2-Clause
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "store"))

from node import Node  # noqa: E402


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("ipfs"))
    node.start()
    yield node
    node.kill()
