# SPDX-License-Identifier: Apache-2.0
SUMMARY = "An update module to copy: sets the message of the day"
DESCRIPTION = "An image installs this so that its agent can do more than replace a slot. An update for the \
module has one file, text, and the module's name as its type: ota-artifact write module-image --type motd."
HOMEPAGE = "https://otakit.example"
SECTION = "base"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

SRC_URI = "file://motd"

S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"

INHIBIT_DEFAULT_DEPS = "1"

do_install () {
    install -D -m 0755 ${S}/motd ${D}${datadir}/ota/modules/v3/motd
}

FILES:${PN} += "${datadir}/ota/modules/v3"

RDEPENDS:${PN} = "ota-agent"
