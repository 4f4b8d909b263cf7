# SPDX-License-Identifier: Apache-2.0
# A slot is reached without an initrd: what it takes is in the kernel and no module.
FILESEXTRAPATHS:prepend:ota := "${OTA_LAYER}/recipes-kernel/linux/files:"

SRC_URI:append:ota = " file://ota.cfg"
SRC_URI:append:ota:raspberrypi3-64 = " file://ota-raspberrypi3-64.cfg"
