# SPDX-License-Identifier: Apache-2.0
# The kernel mounts a slot without an initrd, so the drivers for that are built in, not modules.
FILESEXTRAPATHS:prepend:ota := "${OTA_LAYER}/recipes-kernel/linux/files:"

SRC_URI:append:ota = " file://ota.cfg"
SRC_URI:append:ota:raspberrypi3-64 = " file://ota-raspberrypi3-64.cfg"
