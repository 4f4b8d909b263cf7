# SPDX-License-Identifier: Apache-2.0
SUMMARY = "Debian's pseudo"

require host.inc

PROVIDES += "virtual/fakeroot-native"

do_install () {
	install -d ${D}${bindir} ${D}${localstatedir}/pseudo
	install -m 0755 /usr/bin/pseudo /usr/bin/pseudodb /usr/bin/pseudolog ${D}${bindir}
	for folder in lib lib64; do
		install -d ${D}${prefix}/lib/pseudo/$folder
		install -m 0755 $(dpkg-query -L libpseudo | grep '/libpseudo\.so$') ${D}${prefix}/lib/pseudo/$folder
	done
}
