# SPDX-License-Identifier: Apache-2.0
SUMMARY = "How the host's apt installs into a root filesystem"

require host.inc

do_install () {
	install -d ${D}${sysconfdir}/apt
	# BitBake fills in the names between hashes, and the line that begins with Architecture.
	cat >${D}${sysconfdir}/apt/apt.conf.sample <<-'EOF'
	Dir::State "#APTCONF#";
	Dir::State::Lists "#APTCONF#/lists/";
	Dir::State::status "#ROOTFS#/var/lib/dpkg/status";
	Dir::Cache::Archives "#APTCONF#/lists/";
	Dir::Cache::pkgcache "";
	Dir::Cache::srcpkgcache "";
	Dir::Etc "#APTCONF#";
	Dir::Log "#APTCONF#";
	APT
	{
	  Architecture "amd64";
	};
	APT::Install-Recommends "true";
	APT::Get::Assume-Yes "true";
	APT::Sandbox::User "";
	Acquire::AllowInsecureRepositories "true";
	DPkg::Options {"--root=#ROOTFS#";"--admindir=#ROOTFS#/var/lib/dpkg";"--force-all";"--no-force-overwrite";"--no-debsig";};
	DPkg::Path "";
	EOF
}
