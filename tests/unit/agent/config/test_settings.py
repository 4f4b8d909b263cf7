# SPDX-License-Identifier: Apache-2.0
"""What counts: the defaults, Mender's files, agent.toml; the later one counts."""

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest

from ota_agent.config.mender import FILES, read, translations
from ota_agent.config.settings import SECTIONS, Settings, default_file, load_settings
from ota_agent.errors import AgentError

THEIRS: dict[str, tuple[object, object]] = {
    "TenantToken": ("t1", "t1"),
    "UpdatePollIntervalSeconds": (7, 7.0),
    "InventoryPollIntervalSeconds": (8, 8.0),
    "RetryPollIntervalSeconds": (9, 9.0),
    "RetryPollCount": (3, 3),
    "StateScriptTimeoutSeconds": (10, 10.0),
    "StateScriptRetryTimeoutSeconds": (11, 11.0),
    "StateScriptRetryIntervalSeconds": (12, 12.0),
    "ModuleTimeoutSeconds": (13, 13.0),
    "ServerCertificate": ("/c.pem", "/c.pem"),
    "SkipVerify": (True, True),
    "RootfsPartA": ("/dev/a2", "/dev/a2"),
    "RootfsPartB": ("/dev/a3", "/dev/a3"),
    "UpdateControlMapExpirationTimeSeconds": (14, 14.0),
    "UpdateControlMapBootExpirationTimeSeconds": (15, 15.0),
    "ServerURL, Servers": ("https://a.example/", ("https://a.example",)),
    "ArtifactVerifyKey, ArtifactVerifyKeys": ("/k.pem", ("/k.pem",)),
    "HttpsClient.Certificate": ("/own.pem", "/own.pem"),
    "HttpsClient.Key": ("/own.key", "/own.key"),
    "Security.AuthPrivateKey": ("/id.pem", Path("/id.pem")),
}
"""A value of each key as Mender's file has it, and as our options have it."""


def mender(path: Path, **values: object) -> Path:
    path.write_text(json.dumps(values))
    return path


def nested(name: str, value: object) -> dict[str, object]:
    """The key in the object that Mender has it in."""
    outer, dot, inner = name.partition(", ")[0].partition(".")
    return {outer: {inner: value} if dot else value}


def own(folder: Path, text: str) -> Path:
    path = folder / "agent.toml"
    path.write_text(text)
    return path


def test_menders_files_are_read_in_the_order_in_which_menders_client_reads_them() -> None:
    assert [str(each) for each in FILES] == [
        "/var/lib/mender/mender.conf",
        "/etc/mender/mender.conf",
    ]


def test_the_later_file_counts_key_by_key(tmp_path: Path) -> None:
    first = mender(tmp_path / "var", TenantToken="var", RetryPollCount=1, ModuleTimeoutSeconds=5)
    second = mender(tmp_path / "etc", TenantToken="etc", RetryPollCount=2)
    path = own(tmp_path, '[server]\ntenant_token = "own"\n')

    found = load_settings(path, menders=(first, second))

    assert found.server.tenant_token == "own"
    assert found.polling.retry_count == 2
    assert found.modules.timeout == 5
    assert found.polling.update == Settings().polling.update


def test_without_any_file_the_defaults_count(tmp_path: Path) -> None:
    missing = (tmp_path / "var", tmp_path / "etc")

    assert load_settings(tmp_path / "agent.toml", menders=missing) == Settings()


@pytest.mark.parametrize("name", THEIRS)
def test_each_key_of_menders_sets_ours(tmp_path: Path, name: str) -> None:
    theirs, ours = THEIRS[name]
    path = mender(tmp_path / "mender.conf", **nested(name, theirs))
    ((section, key),) = [(each[1], each[2]) for each in translations() if each[0] == name]

    found = load_settings(tmp_path / "agent.toml", menders=(path,))

    assert getattr(getattr(found, section), key) == ours
    assert getattr(getattr(Settings(), section), key) != ours
    assert [
        (each, field.name)
        for each in SECTIONS
        for field in dataclasses.fields(SECTIONS[each])
        if getattr(getattr(found, each), field.name)
        != getattr(getattr(Settings(), each), field.name)
    ] == [(section, key)]


def test_no_key_of_menders_is_left_untried() -> None:
    assert {name for name, _, _ in translations()} == {*THEIRS, "DeviceTypeFile"}


def test_menders_device_type_is_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "type").write_text("device_type=gate\n")
    path = mender(tmp_path / "mender.conf", DeviceTypeFile=str(tmp_path / "type"))

    assert load_settings(tmp_path / "none", menders=(path,)).device.device_type == "gate"

    (tmp_path / "type").unlink()
    assert load_settings(tmp_path / "none", menders=(path,)).device.device_type == ""


def test_several_servers_and_keys_keep_their_order_and_spelling_does_not_count(
    tmp_path: Path,
) -> None:
    servers = [{"ServerURL": "https://a"}, {"serverurl": "https://b/"}]
    path = mender(tmp_path / "f", servers=servers, ARTIFACTVERIFYKEYS=["/a.pem", "/b.pem"])

    found = load_settings(tmp_path / "none", menders=(path,))

    assert found.server.urls == ("https://a", "https://b")
    assert found.keys.keys == ("/a.pem", "/b.pem")


def test_what_menders_file_says_without_use_for_us_is_passed_over(tmp_path: Path) -> None:
    path = mender(
        tmp_path / "f", DaemonLogLevel="debug", Unheard=1, TenantToken="", RootfsPartA=None
    )

    assert list(read(path)) == []


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("[server", "is not TOML"),
        ("[sevrer]\n", "[sevrer]: unknown; known: device, server"),
        ("urls = []\n", "[urls]: unknown"),
        ("server = 1\n", "server: is outside any section"),
        ("[server]\nurl = 1\n", "[server] url: unknown; known: tenant_token, timeout, urls"),
    ],
)
def test_a_wrong_file_of_ours_is_named(tmp_path: Path, text: str, finding: str) -> None:
    path = own(tmp_path, text)

    with pytest.raises(AgentError, match=re.escape(finding)) as raised:
        load_settings(path, menders=())

    assert str(raised.value).startswith(f"{path}: ")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(AgentError, match=f"{path}: (Is a directory|is not a file)"):
            load_settings(path, menders=())
    with pytest.raises(AgentError, match="none: is not there; give the path"):
        load_settings(tmp_path / "none", menders=(), is_needed=True)


def test_folders_follow_the_devices_own(tmp_path: Path) -> None:
    path = own(tmp_path, '[device]\ndata = "/mnt/d"\nrun = "/run/r"\n')

    found = load_settings(path, menders=())

    assert found.device.store == Path("/mnt/d/state.db")
    assert found.device.socket == Path("/run/r/agent.sock")
    assert found.key.path == Path("/mnt/d/key.pem")
    assert found.scripts.artifact_scripts == Path("/mnt/d/scripts")
    assert found.modules.payloads == Path("/mnt/d/payloads")
    assert found.log.folder == Path("/mnt/d/logs")
    assert found.boot_log.folder == Path("/mnt/d/boots")
    assert found.boot_log.stop == Path("/run/r/boot-log.stop")


def test_a_folder_that_is_set_itself_does_not_follow(tmp_path: Path) -> None:
    path = own(tmp_path, '[device]\ndata = "/mnt/d"\n[log]\nfolder = "/var/log/ota"\n')

    assert load_settings(path, menders=()).log.folder == Path("/var/log/ota")


def test_the_default_file_reads_back_as_the_defaults_with_and_without_its_comments(
    tmp_path: Path,
) -> None:
    taken = re.sub(r"^#(\w+ = )", r"\1", default_file(), flags=re.MULTILINE)

    assert load_settings(own(tmp_path, default_file()), menders=()) == Settings()
    assert load_settings(own(tmp_path, taken), menders=()) == Settings()
    assert len(re.findall(r"^\w+ = ", taken, re.MULTILINE)) == sum(
        len(dataclasses.fields(each)) for each in SECTIONS.values()
    )


def test_a_file_on_data_says_more_for_this_one_device(tmp_path: Path) -> None:
    main = tmp_path / "agent.toml"
    main.write_text(f'[device]\ndata = "{tmp_path}/data"\n[polling]\nupdate = 60\nretry = 30\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "agent.toml").write_text("[polling]\nupdate = 5\n")

    found = load_settings(main, menders=())

    assert (found.polling.update, found.polling.retry) == (5.0, 30.0)


def test_the_numbers_of_a_slots_own_file_can_be_ones_too(tmp_path: Path) -> None:
    path = own(tmp_path, "[polling]\nupdate = nan\n")

    with pytest.raises(AgentError, match=r"\[polling\] update: nan is not a number"):
        load_settings(path, menders=())
