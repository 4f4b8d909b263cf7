# SPDX-License-Identifier: Apache-2.0
"""Every rule of the format, and every hole in another reader, has artifacts that break it.

The left side says what a reader must refuse. The right side names broken artifacts (``*`` matches
any text) and a good one with no other difference.
"""

from fnmatch import fnmatchcase

import pytest

from ota_artifact.errors import ArtifactError
from tests.golden.accepted import good_artifacts
from tests.golden.cases import Broken, read_all
from tests.golden.refused import broken_artifacts

GOOD = good_artifacts()
BROKEN = broken_artifacts()

Row = tuple[str, tuple[str, ...]]

RULES: dict[str, Row] = {
    "the first member is not version": (
        "module-gzip",
        ("version-is-not-first", "nothing-inside"),
    ),
    "the format is not mender, or its version is neither 2 nor 3": (
        "version-2",
        ("version-1", "version-4", "format-is-not-mender", "version-is-*"),
    ),
    "version or header-info has an unknown key": (
        "module-gzip",
        (
            "unknown-key-*",
            "unknown-provides",
            "unknown-depends",
            "key-twice-in-header-info",
            "version-2-with-payloads",
        ),
    ),
    "members are out of order": (
        "module-gzip",
        (
            "header-before-manifest",
            "data-before-header",
            "two-versions",
            "two-manifests",
            "two-headers",
            "two-signatures",
            "no-manifest",
            "signature-after-header",
            "unknown-member",
            "data-twice",
            "payloads-out-of-order",
        ),
    ),
    "the digest of version is not what the manifest says": (
        "module-gzip",
        ("version-digest-differs", "version-not-listed"),
    ),
    "the digest of the header is not what the manifest says, or not there": (
        "module-gzip",
        (
            "header-not-listed",
            "two-headers-listed",
            "header-under-another-suffix",
            "no-header",
            "header-replaced-after-signing",
        ),
    ),
    "a signature is required, and missing, malformed or false": (
        "signed-with-ecdsa",
        (
            "unsigned",
            "signature-is-*",
            "signature-of-*",
            "signature-over-*",
            "signed-by-another-key",
            "huge-signature",
            "rsa-signature-over-the-version",
        ),
    ),
    "header-info is not the first file of the header": (
        "module-gzip",
        ("header-info-is-*", "header-is-*", "header-info-twice", "header-info-of-*"),
    ),
    "there is no payload, or one whose type is empty": (
        "bootstrap",
        ("no-payloads", "payloads-are-missing", "payload-is-a-text", "payload-type-is-*"),
    ),
    "there is no artifact name": ("module-gzip", ("no-artifact-name", "artifact-name-is-empty")),
    "there is no device type": (
        "module-gzip",
        ("no-device-type", "no-device-types", "device-type-is-a-text", "depends-are-null"),
    ),
    "a type-info is missing or of another type": (
        "rootfs-image-with-the-empty-type-of-old-tools",
        (
            "type-info-*",
            "provides-is-a-list",
            "depends-is-null",
            "clears-is-a-text",
            "group-is-a-number",
        ),
    ),
    "meta-data is not a JSON object, or belongs to an empty payload": (
        "module-gzip",
        ("meta-data-*", "huge-meta-data"),
    ),
    "a file under headers is unknown": (
        "module-gzip",
        ("unknown-file-*", "unknown-folder-in-header", "version-2-files-*"),
    ),
    "a path of the header is not headers/NNNN/name": (
        "folders-in-the-header",
        ("headers-number-*", "headers-path-*", "folder-in-header-leads-out"),
    ),
    "the name of a payload file has another character or a folder": (
        "names-that-differ-in-a-suffix",
        ("payload-file-*", "payload-name-*", "listed-path-*", "listed-number-*", "listed-name-*"),
    ),
    "a payload file is not in the manifest": ("module-gzip", ("unlisted-*",)),
    "the digest of a payload file is not what the manifest says": (
        "module-gzip",
        ("payload-digest-differs", "payload-file-is-longer", "payload-file-is-shorter"),
    ),
    "the manifest lists what is not there": (
        "bootstrap-without-data",
        ("listed-file-is-missing", "unknown-name-listed", "data-of-a-payload-is-missing"),
    ),
    "a line of the manifest is garbled or appears twice": (
        "module-gzip",
        ("manifest-*", "empty-manifest", "name-listed-twice"),
    ),
    "something comes after the data": (
        "padded-with-zeros",
        (
            "member-after-data",
            "data-after-*",
            "data-in-the-end",
            "second-artifact-after-the-end",
            "too-many-zeros-after-the-end",
            "member-after-the-end-of-a-payload",
            "unpacked-payload-file",
        ),
    ),
    "the path of a state script leads out of its folder": ("scripts", ("script-*",)),
    "a name is longer than 256 bytes or not printable": (
        "module-gzip",
        (
            "artifact-name-*",
            "device-type-is-too-long",
            "group-is-too-long",
            "wanted-*",
            "*-key-is-too-long",
        ),
    ),
    "there are more payloads than header-info says": (
        "two-payloads",
        (
            "data-of-no-payload",
            "listed-payload-is-unknown",
            "two-payloads-provide-the-same",
            "provides-the-artifact-*",
        ),
    ),
    "a rootfs-image has no file or several": (
        "rootfs-image",
        ("rootfs-image-with*", "file-of-an-empty-payload"),
    ),
    "something is too large to be believed": (
        "several-gzip-members",
        ("huge-*", "header-unpacks-to-too-much-*", "zstd-*", "size-*", "pax-size-*"),
    ),
    "the end is missing, or a compressed part is damaged": (
        "module-xz",
        (
            "no-end",
            "payload-ends-*",
            "payload-is-*",
            "truncated-*",
            "gzip-*",
            "checksum-differs-in-*",
            "data-after-the-*",
        ),
    ),
    "a member is a link, a device, sparse, a folder, or a tar of another kind": (
        "pax-tar",
        (
            "payload-file-is-a-*",
            "payload-file-is-sparse",
            "payload-file-is-contiguous",
            "payload-file-is-of-no-kind",
            "folder-in-the-outer-tar",
            "link-in-the-header",
            "global-pax-header",
            "long-*",
            "pax-*",
            "two-long-names",
            "two-pax-headers",
            "old-tar",
            "checksum-differs",
            "time-is-beyond-any-date",
            "owner-is-no-number",
            "comment-without-file",
            "gnu-header-with-a-prefix",
        ),
    ),
    "it is augmented": (
        "module-gzip",
        (
            "augmented*",
            "header-augment-alone",
            "manifest-augment-alone",
            "augment-header-listed",
            "header-digest-in-the-augment-manifest-alone",
        ),
    ),
}

HISTORY: dict[str, Row] = {
    "the file was another one after its signature was checked": (
        "signed-with-ecdsa",
        ("payload-replaced-after-signing", "header-replaced-after-signing"),
    ),
    "a size beyond 2 GiB became negative, and the signature covered a part": (
        "signed-with-rsa",
        ("size-is-*", "signature-over-part-of-the-manifest", "pax-size-is-negative"),
    ),
    "a payload file without a digest in the manifest was taken": (
        "module-gzip",
        ("unlisted-*", "manifest-line-without-digest"),
    ),
    "a suffix was cut off before names were compared": (
        "names-that-differ-in-a-suffix",
        ("name-with-suffix-cut-off", "two-headers-listed", "header-under-another-suffix"),
    ),
    "a raw ECDSA signature could be too long": (
        "signed-with-ecdsa",
        ("signature-of-65-bytes", "signature-of-63-bytes"),
    ),
    "payloads and type-infos were not counted": (
        "two-payloads",
        ("more-type-infos-than-payloads", "fewer-type-infos-than-payloads"),
    ),
    "the name of a payload file led out of its folder": (
        "module-gzip",
        ("payload-file-leads-out",),
    ),
    "the name of a state script led out of its folder": ("scripts", ("script-leads-out",)),
    "a payload type led to another program": ("module-gzip", ("payload-type-leads-out",)),
    "a name became an option of a program": ("module-gzip", ("payload-type-is-an-option",)),
    "state scripts of a signed artifact could be replaced": (
        "signed-with-ecdsa",
        ("header-replaced-after-signing", "manifest-replaced-after-signing"),
    ),
    "a description was parsed before its signature was checked": (
        "signed-with-ecdsa",
        ("unsigned-header-is-no-tar",),
    ),
    "a length below zero wrapped around": (
        "module-gzip",
        ("size-is-negative", "pax-size-is-negative", "pax-record-with-a-length-of-nothing"),
    ),
    "names in an archive were not checked": (
        "pax-tar",
        ("payload-file-in-*", "payload-file-is-absolute", "folder-in-header-leads-out"),
    ),
    "the digest of the header was taken from what no signature covers": (
        "signed-with-ecdsa",
        ("header-digest-in-the-augment-manifest-alone", "augmented-and-signed"),
    ),
}


def matching(patterns: tuple[str, ...]) -> list[Broken]:
    """The broken artifacts of a row; each pattern has at least one."""
    found = {
        pattern: [case for name, case in BROKEN.items() if fnmatchcase(name, pattern)]
        for pattern in patterns
    }
    assert [pattern for pattern, cases in found.items() if not cases] == []
    return [case for cases in found.values() for case in cases]


@pytest.mark.parametrize(
    ("rule", "row"), [*RULES.items(), *HISTORY.items()], ids=[*RULES, *HISTORY]
)
def test_what_breaks_a_rule_is_refused_and_its_good_twin_is_accepted(rule: str, row: Row) -> None:
    twin, patterns = row

    artifact, _ = read_all(GOOD[twin].content, GOOD[twin].keys)

    assert artifact.is_checked
    for case in matching(patterns):
        with pytest.raises(ArtifactError):
            read_all(case.content, case.keys)


def test_every_broken_artifact_breaks_a_rule() -> None:
    ruled = {case.name for _, patterns in RULES.values() for case in matching(patterns)}
    ruled |= {case.name for _, patterns in HISTORY.values() for case in matching(patterns)}

    assert sorted(BROKEN.keys() - ruled) == []
