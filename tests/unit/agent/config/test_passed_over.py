# SPDX-License-Identifier: Apache-2.0
"""Files that may be on /data strand no slot: what is wrong in them is passed over, and named."""

import dataclasses
from pathlib import Path

import pytest

from ota_agent.config.settings import Settings, load_settings
from tests.unit.agent.config.test_settings import mender


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\0" * 4096, "is not JSON"),
        (b"\xff\xfe{\0}\0", "is not JSON"),
        (b'{"TenantToken": "t"} trailing', "is not JSON"),
        (b'{"RetryPollCount": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a":' * 100_000, "is not JSON"),
        (b" " * (1 << 21), "is longer than"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_file_of_menders_that_is_damaged_strands_no_slot(
    tmp_path: Path, text: bytes, finding: str
) -> None:
    path, good = tmp_path / "mender.conf", mender(tmp_path / "good", TenantToken="t")
    path.write_bytes(text)

    found = load_settings(tmp_path / "agent.toml", menders=(good, path))

    assert found.server.tenant_token == "t"
    (passed_over,) = found.passed_over
    assert passed_over.place == str(path)
    assert finding in passed_over.finding
    assert found.doubt.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("key", "value", "finding"),
    [
        ("UpdatePollIntervalSeconds", "1800", "'1800' must be a number"),
        ("UpdatePollIntervalSeconds", -1, "-1 must not be negative"),
        ("UpdatePollIntervalSeconds", True, "True must be a number"),
        ("UpdatePollIntervalSeconds", float("nan"), "nan is not a number that it can be"),
        ("UpdatePollIntervalSeconds", float("inf"), "inf is not a number that it can be"),
        ("UpdatePollIntervalSeconds", 10**400, "is not a number that it can be"),
        ("UpdatePollIntervalSeconds", [], "[] must be a number"),
        ("RetryPollCount", 1.5, "1.5 must be a whole number"),
        ("SkipVerify", "no", "'no' must be true or false"),
        ("SkipVerify", 1, "1 must be true or false"),
        ("RootfsPartA", 5, "5 must be a string"),
        ("RootfsPartA", "/dev/\0", "has a character that no name can have"),
        ("ServerURL", "https://\ud800.example", "must be a list of strings"),
        ("ServerURL", 5, "must be a string"),
        ("ServerURL", "http://[::1", "is not an address"),
        ("Servers", 5, "must be a list"),
        ("Servers", ["https://a"], 'must be an object with "ServerURL"'),
        ("Servers", [{"ServerURL": 5}], 'must be an object with "ServerURL"'),
        ("HttpsClient", "x", "must be an object"),
        ("HttpsClient", {"Key": 5}, "must be a string"),
        ("Security", [], "must be an object"),
        ("DeviceTypeFile", "/none", "/none: No such file or directory"),
        ("DeviceTypeFile", {}, "must be a path"),
        ("TenantToken", 123456, "must be a string; what it is may be secret"),
    ],
)
def test_a_wrong_value_of_menders_is_passed_over_by_itself_and_named(
    tmp_path: Path, key: str, value: object, finding: str
) -> None:
    path = mender(tmp_path / "mender.conf", **{key: value}, ModuleTimeoutSeconds=77)

    found = load_settings(tmp_path / "agent.toml", menders=(path,))

    assert found == dataclasses.replace(Settings(), modules=found.modules)
    assert found.modules.timeout == 77
    (passed_over,) = found.passed_over
    assert passed_over.place.startswith(f"{path}: {key}") or key in ("ServerURL", "DeviceTypeFile")
    assert finding in passed_over.finding
    assert "123456" not in str(passed_over)
    assert not found.doubt


def test_in_one_file_of_menders_servers_counts_and_the_later_file_overrides(tmp_path: Path) -> None:
    several = [{"ServerURL": "https://b"}, 5, {"ServerURL": "no"}]
    both = mender(tmp_path / "both", ServerURL="https://a", Servers=several)
    fallback = mender(tmp_path / "var", ServerURL="https://old")
    main = mender(tmp_path / "etc", Servers=[{"ServerURL": "https://new"}])

    assert load_settings(tmp_path / "none", menders=(both,)).server.urls == ("https://b",)
    found = load_settings(tmp_path / "none", menders=(fallback, main))
    assert (found.server.urls, found.passed_over) == (("https://new",), ())


@pytest.mark.parametrize(
    ("values", "keys", "is_in_doubt"),
    [
        ({"ArtifactVerifyKeys": "/k.pem"}, ("/k.pem",), False),
        ({"ArtifactVerifyKey": ["/a.pem", "/b.pem"]}, ("/a.pem", "/b.pem"), False),
        ({"ArtifactVerifyKey": "/a", "ArtifactVerifyKeys": ["/b"]}, ("/a", "/b"), False),
        ({"ArtifactVerifyKeys": ["/a", 5]}, ("/a",), False),
        ({"ArtifactVerifyKeys": [5]}, (), True),
        ({"ArtifactVerifyKeys": {"path": "/a"}}, (), True),
        ({"ArtifactVerifyKey": True}, (), True),
        ({"ArtifactVerifyKeys": ["/a\0"]}, (), True),
    ],
)
def test_keys_that_cannot_be_read_do_not_make_a_device_that_takes_anything(
    tmp_path: Path, values: dict[str, object], keys: tuple[str, ...], is_in_doubt: bool
) -> None:
    path = mender(tmp_path / "mender.conf", **values)

    found = load_settings(tmp_path / "none", menders=(path,))

    assert found.keys.keys == keys
    assert bool(found.doubt) == is_in_doubt


def test_a_file_with_the_mark_of_an_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mender.conf"
    path.write_bytes(b'\xef\xbb\xbf{"TenantToken": "t"}')
    main = tmp_path / "agent.toml"
    main.write_bytes(b"\xef\xbb\xbf[polling]\nupdate = 7\n")

    found = load_settings(main, menders=(path,))

    assert (found.server.tenant_token, found.polling.update) == ("t", 7.0)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", ""),
        ("\0" * 512, ""),
        ("[polling", ""),
        ("x = " + "[" * 50_000, ""),
        ("[poling]\n", ""),
        ("polling = 1\n", ""),
        ("[polling]\nupdate = true\n", ": [polling] update"),
        ("[polling]\nupdate = nan\n", ": [polling] update"),
        ("[polling]\nupdate = inf\n", ": [polling] update"),
        ("[polling]\nupdte = 1\n", ": [polling] updte"),
        ('[device]\ndata = "/other"\n', ": [device] data"),
        ("[device]\nreboot = []\n", ": [device] reboot"),
        ('[control]\nwindow = "at night"\n', ": [control] window"),
        ('[server]\nurls = ["http://[::1"]\n', ": [server] urls"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_file_on_data_that_is_wrong_strands_no_slot(
    text: str, place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    main, local = tmp_path / "agent.toml", tmp_path / "data" / "agent.toml"
    main.write_text(
        f'[device]\ndata = "{tmp_path}/data"\n[polling]\nupdate = 60\n'
        '[server]\nurls = ["https://a"]\n'
    )
    local.parent.mkdir()
    local.write_text(text)

    found = load_settings(main, menders=())

    assert (found.polling.update, found.device.data) == (60.0, tmp_path / "data")
    assert found.server.urls == ("https://a",)
    (passed_over,) = found.passed_over
    assert passed_over.place == f"{local}{place}"
    assert bool(found.doubt) == (not place)
    assert f"{passed_over}; it is passed over" in caplog.text


def test_what_is_right_in_a_file_on_data_is_kept(tmp_path: Path) -> None:
    main, local = tmp_path / "agent.toml", tmp_path / "data" / "agent.toml"
    main.write_text(f'[device]\ndata = "{tmp_path}/data"\n')
    local.parent.mkdir()
    local.write_text(
        "[poling]\n[polling]\nretry = 7\nupdate = -1\n[server]\ntenant_token = 't'\n"
        'urls = ["https://a", "nowhere"]\n'
    )

    found = load_settings(main, menders=())

    assert (found.polling.retry, found.server.tenant_token) == (7.0, "t")
    assert found.server.urls == ("https://a",)
    assert len(found.passed_over) == 3


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("[keys]\nforbid_downgrade = 'yes'\n", "keys.forbid_downgrade", True),
        ("[tls]\npins = 'abc'\n", "tls.pins", ("(unreadable)",)),
        ("[tls]\nca_bundle = 5\n", "tls.ca_bundle", "(unreadable)"),
        ("[tls]\nskip_verify = 'no'\nallow_plain_http = 1\n", "tls.skip_verify", False),
        ("[tls]\nallow_plain_http = 1\n", "tls.allow_plain_http", False),
    ],
)
def test_a_wrong_value_trusts_nobody_more(
    tmp_path: Path, text: str, attribute: str, value: object
) -> None:
    main, local = tmp_path / "agent.toml", tmp_path / "data" / "agent.toml"
    main.write_text(f'[device]\ndata = "{tmp_path}/data"\n')
    local.parent.mkdir()
    local.write_text(text)

    found = load_settings(main, menders=())

    section, _, name = attribute.partition(".")
    assert getattr(getattr(found, section), name) == value


@pytest.mark.parametrize(
    ("text", "is_in_doubt"),
    [("[keys]\nkeys = 5\n", True), ("[keys]\nkyes = ['/k']\n", True), ("[kesy]\n", True)],
)
def test_without_a_key_it_is_in_doubt_whether_one_was_meant(
    tmp_path: Path, text: str, is_in_doubt: bool
) -> None:
    main, local = tmp_path / "agent.toml", tmp_path / "data" / "agent.toml"
    main.write_text(f'[device]\ndata = "{tmp_path}/data"\n')
    local.parent.mkdir()
    local.write_text(text)
    assert bool(load_settings(main, menders=()).doubt) == is_in_doubt

    main.write_text(f'[device]\ndata = "{tmp_path}/data"\n[keys]\nkeys = ["/k.pem"]\n')

    assert load_settings(main, menders=()).doubt == ""


@pytest.mark.parametrize(
    ("section", "name", "value", "finding"),
    [
        ("device", "boot_id", '"/none"', "can only be set in the agent.toml of a slot"),
        ("device", "data", '"/none"', "can only be set in the agent.toml of a slot"),
        ("device", "run", '"/dev/null"', "can only be set in the agent.toml of a slot"),
        ("device", "running", '"A"', "can only be set in the agent.toml of a slot"),
        ("key", "path", '""', "must be a path"),
        ("server", "timeout", "0", "must be at least 0.1"),
        ("polling", "update", "0", "must be at least 0.1"),
        ("polling", "inventory", "0.0", "must be at least 0.1"),
        ("polling", "retry", "0", "must be at least 0.1"),
        ("polling", "jitter", "5", "must be at most 1"),
        ("download", "inactivity", "0", "must be at least 0.1"),
        ("download", "first_delay", "0", "must be at least 0.01"),
        ("download", "longest_delay", "0", "must be at least 0.1"),
        ("control", "refresh", "0", "must be at least 0.1"),
        ("scripts", "timeout", "0", "must be at least 0.1"),
        ("scripts", "retry_interval", "0", "must be at least 0.01"),
        ("modules", "timeout", "0", "must be at least 0.1"),
        ("commit", "timeout", "0", "must be at least 0.1"),
        ("api", "clients", "0", "must be at least 1"),
    ],
)
def test_a_value_that_would_have_the_agent_stop_or_spin_is_passed_over(
    tmp_path: Path, section: str, name: str, value: str, finding: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "agent.toml").write_text(f'[device]\ndata = "{data}"\n')
    (data / "agent.toml").write_text(f"[{section}]\n{name} = {value}\n")

    found = load_settings(tmp_path / "agent.toml", menders=())

    (passed_over,) = found.passed_over
    assert passed_over.place == f"{data / 'agent.toml'}: [{section}] {name}"
    assert finding in passed_over.finding
    assert dataclasses.replace(found, passed_over=()) == load_settings_of(tmp_path, data)


def load_settings_of(tmp_path: Path, data: Path) -> Settings:
    """The same without the file on /data."""
    (data / "agent.toml").unlink()
    return load_settings(tmp_path / "agent.toml", menders=())
