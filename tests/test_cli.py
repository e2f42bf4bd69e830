import os
import sys
from pathlib import Path

import pytest

from psipo_explore import cli
from psipo_explore.views import VIEWS

ROOT = Path(__file__).parents[1]


def test_figures_are_drawn_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["figures", "collapse", "--out", str(tmp_path / "new" / "folder")]) == 0
    drawn = tmp_path / "new" / "folder" / "collapse.svg"
    assert drawn.read_text(encoding="utf-8").startswith("<?xml")
    assert capsys.readouterr().out.strip() == str(drawn)


def test_an_unknown_view_is_named_with_those_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["figures", "colapse", "--out", str(tmp_path)]) == 2
    assert f"no view is named colapse; the views are {', '.join(VIEWS)}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_lab_without_lessons_says_where_to_run_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lab", str(tmp_path)]) == 2
    assert "run psipo lab in the project's folder" in capsys.readouterr().err


@pytest.mark.parametrize(("display", "opens"), [("", False), (":0", True)])
@pytest.mark.skipif(sys.platform != "linux", reason="displays are named by DISPLAY on Linux only")
def test_lab_opens_a_browser_only_where_there_is_a_screen(display: str, opens: bool, monkeypatch: pytest.MonkeyPatch) -> None:
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
