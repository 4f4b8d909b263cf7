# SPDX-License-Identifier: Apache-2.0
SUMMARY = "Debian's Python, with hatchling from the environment that runs the tests"
DESCRIPTION = "A virtual environment that works in any folder of BitBake's; Debian's packages have the \
rest: build, installer, yaml, jinja2, cryptography."

require host.inc

SRC_URI = "file://installer"

PROVIDES += "python3-build-native python3-hatchling-native python3-installer-native"

MODULES = "hatchling packaging pathspec pluggy tomlkit trove_classifiers"

do_install[vardeps] += "SELFTEST_MODULES"
do_install () {
	site=${D}${prefix}/lib/python3.11/site-packages
	install -d ${D}${bindir}/python3-native $site
	for name in ${MODULES}; do
		cp -r ${SELFTEST_MODULES}/$name ${SELFTEST_MODULES}/$name-*.dist-info $site/
	done
	find $site -name __pycache__ -prune -exec rm -rf {} +
	printf 'home = /usr/bin\ninclude-system-site-packages = true\n' >${D}${bindir}/pyvenv.cfg
	ln -s /usr/bin/python3.11 ${D}${bindir}/python3.11
	cat >${D}${bindir}/nativepython3 <<-'EOF'
	#!/bin/sh
	# The classes name a module that only OpenEmbedded's Python has.
	unset _PYTHON_SYSCONFIGDATA_NAME
	here=$(dirname "$(command -v "$0")")
	case "$1 $2" in
	"-m installer") exec "$here/python3.11" "$here/installer" "$@" ;;
	*) exec "$here/python3.11" "$@" ;;
	esac
	EOF
	cat >${D}${bindir}/python3-native/python3 <<-'EOF'
	#!/bin/sh
	exec "$(dirname "$(command -v "$0")")/../nativepython3" "$@"
	EOF
	cat >${D}${bindir}/pyproject-build <<-'EOF'
	#!/bin/sh
	exec nativepython3 -m build "$@"
	EOF
	install -m 0644 ${S}/installer ${D}${bindir}/
	chmod 0755 ${D}${bindir}/nativepython3 ${D}${bindir}/python3-native/python3 ${D}${bindir}/pyproject-build
}
