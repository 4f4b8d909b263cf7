# SPDX-License-Identifier: Apache-2.0
SUMMARY = "Composes disk images with two slots, and looks into them"
DESCRIPTION = "Disk images from a root filesystem and a board's description: command ota-image."

require ota-kit.inc
OTA_TOOL = "image"
SRC_URI += "file://images"

inherit_defer native

RDEPENDS:${PN} = "python3-ota-artifact-native python3-ota-board-native python3-pyyaml-native"
