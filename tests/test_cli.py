import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from psipo_explore import cli
from psipo_explore.app import server
from psipo_explore.views import VIEWS

ROOT = Path(__file__).parents[1]


def test_figures_are_drawn_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["figures", "collapse", "--out", str(tmp_path / "new" / "folder")]) == 0
    drawn = tmp_path / "new" / "folder" / "collapse.svg"
    assert drawn.read_text(encoding="utf-8").startswith("<?xml")
    assert capsys.readouterr().out.strip() == str(drawn)


def test_python_m_is_the_command() -> None:
    called = subprocess.run(
        [sys.executable, "-m", "psipo_explore"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert called.returncode == 2
    assert called.stderr.startswith("usage: psipo [-h] COMMAND")


def test_an_unknown_view_is_named_with_those_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["figures", "colapse", "--out", str(tmp_path)]) == 2
    assert f"no view is named colapse; the views are {', '.join(VIEWS)}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("display", "opens"), [("", False), (":0", True)])
@pytest.mark.skipif(sys.platform != "linux", reason="displays are named by DISPLAY on Linux only")
def test_lab_opens_a_browser_only_where_there_is_a_screen(
    display: str, opens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", display)
    started: list[list[str]] = []
    monkeypatch.setattr(cli, "_run", lambda command, _: started.append(command) or 0)
    assert cli.main(["lab", str(ROOT)]) == 0
    assert ("--no-browser" not in started[0]) == opens
    assert "--ServerApp.ip=127.0.0.1" in started[0]
    assert ("--allow-root" in started[0]) == (os.geteuid() == 0)
    assert not any("token" in word for word in started[0])


def test_the_readers_own_jupyter_settings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "theirs")
    ours, theirs = cli.lab_environment()["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert theirs == "theirs"
    assert (Path(ours) / "labconfig" / "page_config.json").is_file()


def test_app_without_voila_says_in_a_sentence_what_to_install() -> None:
    code = (
        "import sys; sys.modules['voila'] = None; from psipo_explore.cli import main; "
        "sys.exit(main(['app']))"
    )
    app = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (app.returncode, app.stdout) == (2, "")
    assert app.stderr == "psipo: app needs Voilà: run pip install voila\n"


class Served(NamedTuple):
    """A record of a server that would have been started, and whether it would open a browser."""

    ip: str
    port: int
    opens: bool


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Served]:
    """Record the servers that `psipo app` would start, without starting them."""
    started: list[Served] = []

    class Stand:
        opens = True

        def __init__(self, ip: str, port: int, visitors: int) -> None:
            assert visitors > 0
            self.ip, self.port = ip, port

        def start(self) -> None:
            started.append(Served(self.ip, self.port, self.opens))

    monkeypatch.setattr(server, "server_at", Stand)
    return started


@pytest.mark.parametrize(("display", "opens"), [("", False), (":0", True)])
@pytest.mark.skipif(sys.platform != "linux", reason="displays are named by DISPLAY on Linux only")
def test_app_is_for_this_machine_alone_and_opens_a_browser_only_where_there_is_a_screen(
    display: str,
    opens: bool,
    served: list[Served],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", display)
    assert cli.main(["app"]) == 0
    assert cli.main(["app", "--no-browser", "--port", "9000"]) == 0
    assert served == [Served("127.0.0.1", 8866, opens), Served("127.0.0.1", 9000, False)]
    assert capsys.readouterr().out == ""


def test_app_beyond_this_machine_says_who_can_come(
    served: list[Served], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["app", "--ip", "0.0.0.0", "--no-browser"]) == 0
    assert served == [Served("0.0.0.0", 8866, False)]
    said = capsys.readouterr().out
    assert "Everybody who can reach this machine at any of its addresses can open the page" in said
    assert "run no code" in said


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--ip", "192.0.2.1"], "ip = '192.0.2.1', must be an address of this machine"),
        (
            ["--ip", "no.such.host.invalid"],
            "ip = 'no.such.host.invalid', must be an address of this machine",
        ),
        (["--port", "70000"], "port = 70000, must be from 1 to 65535"),
        (["--visitors", "0"], "visitors = 0, must be at least 1"),
    ],
)
def test_app_refuses_what_is_no_address(
    options: list[str], complaint: str, served: list[Served], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["app", *options]) == 2
    assert complaint in capsys.readouterr().err
    assert served == []
