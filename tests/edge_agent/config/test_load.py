from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config import load_config
from edge_agent.config.tables import FolderSource, FreeRunTrigger, PartTrigger
from edge_agent.errors import ConfigError

WHOLE = """
[station]
name = "cam1"
[source]
type = "folder"
path = "images"
[trigger]
type = "part"
crop_width_px = 100
crop_height_px = 80
[inspection]
model = "ring.model"
[mqtt]
host = "broker"
prefix = "plant/line2/cam1"
"""


def _load(tmp_path: Path, text: str) -> object:
    path = tmp_path / "station.toml"
    path.write_text(text)
    return load_config(path)


def test_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(WHOLE)
    config = load_config(path)
    assert config.source == FolderSource(path=tmp_path / "images")
    assert config.inspection.model == tmp_path / "ring.model"
    assert isinstance(config.trigger, PartTrigger)
    assert config.mqtt is not None
    assert config.mqtt.prefix == "plant/line2/cam1"


def test_the_smallest_file(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text('[source]\ntype="folder"\npath="/a"\n[inspection]\nmodel="/b.model"\n')
    config = load_config(path)
    assert config.trigger == FreeRunTrigger()
    assert config.mqtt is None
    assert str(config.inspection.model) == "/b.model"
    assert config.station.name


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('host = "broker"', 'hots = "broker"', "[mqtt] hots is no key .* did you mean host?"),
        ("[mqtt]", "[mqqt]", "mqqt is no table .* did you mean mqtt?"),
        ('name = "cam1"', 'name = "cam 1"', r"\[station\] name must be text .* right form"),
        ('type = "folder"', 'type = "foldr"', "did you mean folder?"),
        ('type = "folder"', "", r"\[source\] needs a key type"),
        ('type = "folder"', 'type = "video"\npoll_s = 1.0', "poll_s is no key"),
        ('path = "images"', "path = 3", r"\[source\] path must be text .*Folder with the images"),
        ('path = "images"', 'path = "a"\npoll_ms = 5', "poll_ms is no key .* did you mean poll_s?"),
        ('path = "images"', 'path = "a"\npoll_s = "5 s"', "poll_s must be a number, not text"),
        ('path = "images"', 'path = "a"\nmode = "wach"', "did you mean watch?"),
        ("crop_width_px = 100", "crop_width_px = 10.5", "must be a whole number, not a number"),
        ("crop_width_px = 100", "crop_width_px = 0", "must be a whole number >= 1"),
        ("crop_width_px = 100", "", r"\[trigger\] needs a key crop_width_px: Width"),
        ('model = "ring.model"', "", r"\[inspection\] needs a key model"),
        ('[inspection]\nmodel = "ring.model"', "", r"the table \[inspection\] is missing"),
        ('model = "ring.model"', 'model = "a"\nbackend = "cuda"', "use one of auto, numba"),
        ('host = "broker"', 'host = "b"\nport = 70000', "port must be a whole number <= 65535"),
        ('host = "broker"', 'host = "b"\nca_file = "x"', "tls is false: set tls = true"),
        ('host = "broker"', 'host = "b"\ntls = true\nkey_file = "x"', "belong together"),
        ('host = "broker"', 'host = "b"\npassword_file = "x"', "has a password_file and no user"),
        ('prefix = "plant/line2/cam1"', 'prefix = "/plant"', "prefix must be text"),
        ('prefix = "plant/line2/cam1"', 'prefix = "plant/#"', "prefix must be text"),
        ("[mqtt]", "[mqtt", "no valid TOML"),
        ("[source]", "[sorce]", "sorce is no table .* did you mean source?"),
    ],
)
def test_mistakes_get_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in WHOLE
    pattern = sentence.replace("[mqtt] hots", r"\[mqtt\] hots").replace("?", r"\?")
    with pytest.raises(ConfigError, match=pattern) as caught:
        _load(tmp_path, WHOLE.replace(old, new))
    assert str(caught.value).startswith(str(tmp_path / "station.toml"))
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*absent.toml: No such file"):
        load_config(tmp_path / "absent.toml")
