# SPDX-License-Identifier: Apache-2.0
SUMMARY = "Checks a board's description and renders files from it"
DESCRIPTION = "Boards as data: command ota-board, with the boards and the boot logic of OTA Kit."

require ota-kit.inc
OTA_TOOL = "board"
SRC_URI += "file://boards file://bootloader"

inherit_defer native

# jinja2 fills in the boot logic and the boot entries: for render, entry, and check --u-boot-config.
RDEPENDS:${PN} = "python3-jinja2-native python3-ota-artifact-native python3-pyyaml-native"
