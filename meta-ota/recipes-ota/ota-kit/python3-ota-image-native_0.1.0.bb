# SPDX-License-Identifier: Apache-2.0
SUMMARY = "Composes and inspects disk images with two slots"
DESCRIPTION = "Disk images from a root filesystem and a board's description: command ota-image."

require ota-kit.inc
OTA_TOOL = "image"
SRC_URI += "file://images"

inherit_defer native

# compose imports jinja2 too, for the environment that it writes onto the disk. Only the build from
# Debian packages imports packaging.
RDEPENDS:${PN} = " \
    python3-jinja2-native \
    python3-ota-artifact-native \
    python3-ota-board-native \
    python3-packaging-native \
    python3-pyyaml-native \
"
