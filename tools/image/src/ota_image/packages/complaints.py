# SPDX-License-Identifier: Apache-2.0
"""Reads apt's errors: which suite they are about, and what to do."""

import re

from ota_artifact.errors import ProgramError

_UNTRUSTED = (
    "is not signed|does not have a Release file|is expired|is no longer valid|is not valid yet"
)
"""Source: apt, apt-pkg/acquire-item.cc."""


def names(said: str, suite: str) -> bool:
    """Whether apt's errors name a suite, in an address or after one."""
    return bool(re.search(rf"[ /']{re.escape(suite)}[ /']", said))


def with_remedy(error: ProgramError) -> ProgramError:
    """Name the package of Debian's keys if one is missing, as on Ubuntu or an older Debian.

    An archive that nobody has signed, or whose list is old, may be one that the user trusts.
    """
    said = str(error)
    if re.search("NO_PUBKEY|Missing key", said):  # of gpgv, and of sqv
        text = "Debian's keys are missing or too old: apt-get install debian-archive-keyring"
    elif re.search(_UNTRUSTED, said):
        text = (
            "choose another mirror, or take over what this machine's apt says of it, with"
            " --trust-unsigned"
        )
    else:
        return error
    return ProgramError(f"{reason(said)}; {text}")


def reason(said: str, about: str = "") -> str:
    """The first error of apt's, if possible one about a suite, without addresses."""
    found = re.findall(r"E: (.*?)(?: \[IP.*)?$", said, re.MULTILINE)
    return next((each for each in found if about in each), found[0] if found else said)
