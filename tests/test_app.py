"""What `psipo app` computes before its visitors come."""

import os
import subprocess
import sys

import pytest
from lab import free_port

pytestmark = pytest.mark.slow


def printed_by(code: str) -> str:
    return subprocess.check_output([sys.executable, "-c", code], text=True, env=os.environ)


def test_for_many_visitors_all_is_computed_before_they_come() -> None:
    code = """
from psipo_explore.app import computed
from psipo_explore.views import VIEWS, training
before = training._trained.cache_info().misses
for view in VIEWS.values():
    view.panel(lambda pieces, title: pieces)
print(before > 0, training._trained.cache_info().misses - before)
"""
    assert printed_by(code) == "True 0\n"


@pytest.mark.parametrize(
    ("ip", "for_many"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True)]
)
def test_many_may_come_where_other_machines_reach_the_page(ip: str, for_many: bool) -> None:
    code = f"""
from psipo_explore.app.server import server_at
server = server_at({ip!r}, {free_port()}, 1)
print(server.config["Kernels"]["for_many"])
"""
    assert printed_by(code) == f"{for_many}\n"
