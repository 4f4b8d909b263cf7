# SPDX-License-Identifier: Apache-2.0
SUMMARY = "Reads, writes, signs and changes update files"
DESCRIPTION = "The update file of OTA Kit, in Mender's format: command ota-artifact and the library \
with which the agent reads it."

require ota-kit.inc
OTA_TOOL = "artifact"

RDEPENDS:${PN} = " \
    python3-asyncio \
    python3-compression \
    python3-core \
    python3-crypt \
    python3-cryptography \
    python3-datetime \
    python3-fcntl \
    python3-io \
    python3-json \
    python3-logging \
    python3-math \
    python3-netclient \
    python3-shell \
    python3-threading \
"
# Native Python has the standard library in one package.
RDEPENDS:${PN}:class-native = "python3-cryptography-native"

BBCLASSEXTEND = "native"
