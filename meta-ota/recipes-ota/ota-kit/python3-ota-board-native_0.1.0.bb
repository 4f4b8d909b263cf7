# SPDX-License-Identifier: Apache-2.0
SUMMARY = "Checks a board's description and renders what follows from it"
DESCRIPTION = "Boards as data: command ota-board, with the boards and the boot logic of OTA Kit."

require ota-kit.inc
OTA_TOOL = "board"
SRC_URI += "file://boards file://bootloader"

inherit_defer native

RDEPENDS:${PN} = "python3-ota-artifact-native python3-pyyaml-native"
