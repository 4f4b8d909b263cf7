# SPDX-License-Identifier: Apache-2.0
SUMMARY = "State scripts to copy: one for the update file, one for the device"
DESCRIPTION = "An update waits for a quiet moment, and a device logs how much space it has. To use them, \
copy this recipe and set OTA_STATE_SCRIPTS to the copy's name."
HOMEPAGE = "https://otakit.example"
SECTION = "base"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

SRC_URI = "file://ArtifactInstall_Enter_10_quiet file://Download_Enter_00_room"

inherit ota-state-scripts

OTA_SCRIPTS = "ArtifactInstall_Enter_10_quiet Download_Enter_00_room"
