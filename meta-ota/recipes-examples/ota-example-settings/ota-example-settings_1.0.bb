# SPDX-License-Identifier: Apache-2.0
SUMMARY = "An update file to copy: one file of settings, without an image"
DESCRIPTION = "An update for the agent's own update module single-file: the file goes to /data, and a \
rollback restores the old one."
HOMEPAGE = "https://otakit.example"
SECTION = "base"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

SRC_URI = "file://product.conf"

inherit ota-module-artifact

OTA_MODULE = "single-file"
OTA_MODULE_FILES = "dest_dir filename permissions product.conf"

do_compile () {
    ota_single_file ${S}/product.conf /data/etc 0644
}
