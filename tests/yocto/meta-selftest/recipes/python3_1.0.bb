# SPDX-License-Identifier: Apache-2.0
SUMMARY = "A folder for modules, which recipes with modules expect"
DESCRIPTION = "The device's Python itself is in debian-root."

LICENSE = "CLOSED"
INHIBIT_DEFAULT_DEPS = "1"

S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"

inherit nopackages python3-dir

do_install () {
	install -d ${D}${PYTHON_SITEPACKAGES_DIR}
	echo "Modules go here." >${D}${PYTHON_SITEPACKAGES_DIR}/README
}
