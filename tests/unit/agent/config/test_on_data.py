# SPDX-License-Identifier: Apache-2.0
"""What is on /data changes what the slot lists, and else makes things stricter alone."""

import dataclasses
from pathlib import Path

import pytest

from ota_agent.config.on_data import USUAL, check_names
from ota_agent.config.settings import SECTIONS, Settings, load_settings
from ota_agent.errors import AgentError
from tests.unit.agent.config.test_settings import mender


def device(tmp_path: Path, slot: str = "", data: str = "") -> Path:
    """The slot's configuration, and in addition what /data says."""
    (tmp_path / "data").mkdir()
    path = tmp_path / "agent.toml"
    layout = tmp_path / "layout.json"
    layout.touch()
    path.write_text(f'[device]\ndata = "{tmp_path}/data"\nlayout = "{layout}"\n{slot}')
    if data:
        (tmp_path / "data" / "agent.toml").write_text(data)
    return path


def load(path: Path) -> Settings:
    return load_settings(path, menders=())


SLOT = """
[keys]
keys = ["/a.pem", "/b.pem, expires = 2030-01-01"]
forbid_downgrade = true
[tls]
ca_bundle = "/ca.pem"
pins = ["aa", "bb"]
"""


@pytest.mark.parametrize(
    "data",
    [
        "[keys]\nkeys = []\n",
        '[keys]\nkeys = ["/c.pem"]\n',
        '[keys]\nkeys = ["/a.pem", "/c.pem"]\n',
        '[keys]\nkeys = ["/b.pem"]\n',
        '[keys]\nkeys = ["/b.pem, expires = 2030-01-02"]\n',
        '[keys]\nkeys = ["/a.pem, expires = never"]\n',
        "[keys]\nforbid_downgrade = false\n",
        '[keys]\nversion = "x"\n',
        "[tls]\nskip_verify = true\n",
        "[tls]\nallow_plain_http = true\n",
        "[tls]\npins = []\n",
        '[tls]\npins = ["cc"]\n',
        '[tls]\npins = ["aa", "cc"]\n',
        '[tls]\npinned_hosts = ["a.example"]\n',
        '[tls]\nca_bundle = ""\n',
        '[tls]\nca_bundle = "/data/ca.pem"\n',
        '[tls]\nserver_certificate = "/data/ca.pem"\n',
        "[tls]\nset_clock = false\n",
        '[device]\nreboot = ["/data/evil"]\n',
        '[device]\nslot_a = "/dev/sda"\n',
        '[device]\nbootloader = "file"\n',
        '[device]\nenvironment = "/data/env"\n',
        '[device]\nlayout = "/data/layout"\n',
        '[modules]\nfolders = ["/data/m"]\n',
        '[modules]\npayloads = "/"\n',
        '[scripts]\nfolders = ["/data/s"]\n',
        '[scripts]\nartifact_scripts = "/data/s"\n',
        '[attributes]\nidentity = ["/data/i"]\n',
        '[attributes]\ninventory = ["/data/i"]\n',
        '[commit]\nfolder = "/data/h"\n',
        '[log]\nfolder = "/etc"\n',
        '[boot_log]\nfolder = "/etc"\n',
        '[api]\ngroup = "users"\n',
        '[key]\npath = "/etc/cron.d/x"\n',
        '[key]\npassphrase_file = "/etc/shadow"\n',
        '[key]\nmender_key = "/etc/shadow"\n',
        '[data]\nmay = ["keys.*", "tls.*"]\n',
    ],
)
def test_nobody_is_trusted_more_for_what_is_on_data(
    data: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = device(tmp_path, SLOT, data)
    section, line = data.splitlines()

    found = load(path)

    (wrong,) = found.passed_over
    assert wrong.place == f"{tmp_path}/data/agent.toml: {section} {line.partition(' =')[0]}"
    assert f"{wrong}; it is passed over" in caplog.text
    (tmp_path / "data" / "agent.toml").unlink()
    assert found == load(path)


@pytest.mark.parametrize(
    ("data", "section", "name"),
    [
        ('[keys]\nkeys = ["/a.pem"]\n', "keys", "keys"),
        ('[keys]\nkeys = ["/a.pem, expires = 2029-01-01"]\n', "keys", "keys"),
        ('[keys]\nkeys = ["/b.pem, expires = 2029-12-31"]\n', "keys", "keys"),
        ('[tls]\npins = ["bb"]\n', "tls", "pins"),
        ('[server]\nurls = ["https://other.example"]\n', "server", "urls"),
        ("[polling]\nupdate = 60\n", "polling", "update"),
        ('[control]\nwindow = "22:00-05:00"\n', "control", "window"),
        ('[tls]\nclient_certificate = "/data/own.pem"\n', "tls", "client_certificate"),
        ('[device]\ndevice_type = "gate"\n', "device", "device_type"),
        ("[log]\nsend_journal = false\n", "log", "send_journal"),
        ("[log]\nredact = ['serial=[0-9]+']\n", "log", "redact"),
    ],
)
def test_what_is_usual_or_stricter_is_taken(
    data: str, section: str, name: str, tmp_path: Path
) -> None:
    path = device(tmp_path, SLOT, data)

    found = load(path)

    assert found.passed_over == ()
    (tmp_path / "data" / "agent.toml").unlink()
    before = load(path)
    assert getattr(getattr(found, section), name) != getattr(getattr(before, section), name)


def test_a_slot_without_keys_may_get_some_from_data(tmp_path: Path) -> None:
    found = load(device(tmp_path, data='[keys]\nkeys = ["/data/ota/k.pem"]\n'))

    assert (found.keys.keys, found.passed_over) == (("/data/ota/k.pem",), ())


@pytest.mark.parametrize("may", ['"usual", "tls.allow_plain_http"', '"tls.*"'])
def test_a_slot_may_allow_more(may: str, tmp_path: Path) -> None:
    slot = f"[data]\nmay = [{may}]\n"

    found = load(device(tmp_path, slot, "[tls]\nallow_plain_http = true\n"))

    assert (found.tls.allow_plain_http, found.passed_over) == (True, ())


def test_a_slot_may_allow_less(tmp_path: Path) -> None:
    slot, data = "[data]\nmay = []\n", '[server]\nurls = ["https://a"]\n[polling]\nupdate = 1\n'

    found = load(device(tmp_path, slot, data))

    assert found.server.urls == ()
    assert [each.finding.partition(":")[0] for each in found.passed_over] == [
        "is not for a file on /data; to allow it, add 'server.urls' to [data] may in the slot",
        "is not for a file on /data; to allow it, add 'polling.update' to [data] may in the slot",
    ]


@pytest.mark.parametrize("name", ["tls", "tls.allow", "tsl.*", "*", "", "usual.*"])
def test_a_misspelt_setting_in_the_list_is_named(name: str, tmp_path: Path) -> None:
    path = device(tmp_path, f'[data]\nmay = ["usual", "{name}"]\n')

    with pytest.raises(AgentError, match=r"agent.toml: \[data\] may: .* is not a setting"):
        load(path)


def test_what_is_usual_are_settings() -> None:
    check_names(USUAL, SECTIONS)


def test_menders_file_on_data_is_input_too(tmp_path: Path) -> None:
    path = device(tmp_path, SLOT)
    on_data = mender(
        tmp_path / "var",
        SkipVerify=True,
        ServerCertificate="/data/ca.pem",
        ArtifactVerifyKeys=["/evil.pem"],
        RootfsPartA="/dev/sda",
        ServerURL="https://a.example",
        UpdatePollIntervalSeconds=77,
    )

    found = load_settings(path, menders=(on_data,), on_data=(on_data,))

    assert found.server.urls == ("https://a.example",)
    assert found.polling.update == 77
    plain = load(path)
    assert (found.tls, found.device, found.keys) == (plain.tls, plain.device, plain.keys)
    assert len(found.passed_over) == 4


def test_a_device_that_was_menders_keeps_its_slots(tmp_path: Path) -> None:
    path = device(tmp_path)
    (tmp_path / "layout.json").unlink()
    on_data = mender(tmp_path / "var", RootfsPartA="/dev/sda2", RootfsPartB="/dev/sda3")

    found = load_settings(path, menders=(on_data,), on_data=(on_data,))

    assert (found.device.slot_a, found.device.slot_b) == ("/dev/sda2", "/dev/sda3")


def test_every_setting_is_usual_or_refused_unless_it_is_known_to_be_stricter(
    tmp_path: Path,
) -> None:
    slot = Settings()
    taken = {
        f"{name}.{key.name}"
        for name, kind in SECTIONS.items()
        for key in dataclasses.fields(kind)
        if _is_taken(slot, name, key.name)
    }

    assert {each for each in taken if each.partition(".")[0] in ("keys", "tls", "api")} <= {
        *("keys.keys", "keys.forbid_downgrade", "keys.debug"),
        *("tls.skip_verify", "tls.allow_plain_http"),
        *("tls.client_certificate", "tls.client_key", "tls.pins", "tls.set_clock"),
    }
    assert not {each for each in taken if each.endswith((".folder", ".folders"))}


def _is_taken(slot: Settings, section: str, name: str) -> bool:
    """Whether the value that the slot has may be set on /data, too."""
    from ota_agent.config.on_data import refusal

    return not refusal(section, name, getattr(getattr(slot, section), name), slot)
