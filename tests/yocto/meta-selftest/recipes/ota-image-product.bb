# SPDX-License-Identifier: Apache-2.0
require recipes-ota/images/ota-image-minimal.bb
SUMMARY = "The minimal image with one feature, state scripts, an update module, and a file for the firmware"

OTA_FEATURES = "machine-id"
OTA_BOOT_FILES = "vmlinuz"
OTA_FIRMWARE_RECIPES:append = " virtual/kernel:do_deploy"
OTA_STATE_SCRIPTS = "ota-example-scripts"
IMAGE_INSTALL += "ota-example-module"
