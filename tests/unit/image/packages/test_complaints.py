# SPDX-License-Identifier: Apache-2.0
"""What is made of apt's errors."""

import pytest

from ota_artifact.errors import ProgramError
from ota_image.packages.complaints import names, reason, with_remedy

GPGV = """\
W: GPG error: http://mirror.example/debian trixie InRelease: The following signatures couldn't be \
verified because the public key is not available: NO_PUBKEY 6ED0E7B82643E131
E: The repository 'http://mirror.example/debian trixie InRelease' is not signed.
"""
SQV = GPGV.replace("NO_PUBKEY 6ED0E7B82643E131", "Missing key 4D64FEC119C20290, which is needed")
GONE = (
    "E: Failed to fetch http://mirror.example/debian-security/dists/trixie-security/x  404 [IP: 1]"
)


@pytest.mark.parametrize("said", [GPGV, SQV])
def test_missing_keys_of_debian_name_their_package(said: str) -> None:
    text = str(with_remedy(ProgramError(said)))

    assert text.endswith(
        "is not signed.; Debian's keys are missing or too old: apt-get install"
        " debian-archive-keyring"
    )


def test_another_error_stays_as_it_is() -> None:
    error = ProgramError(GONE)

    assert with_remedy(error) is error


def test_an_error_is_about_a_suite_and_not_about_one_whose_name_begins_alike() -> None:
    assert names(GONE, "trixie-security")
    assert not names(GONE, "trixie")
    assert names(GPGV, "trixie")
    assert reason(f"E: other\n{GONE}", "trixie-security").startswith("Failed to fetch http")
    assert "[IP" not in reason(GONE)
