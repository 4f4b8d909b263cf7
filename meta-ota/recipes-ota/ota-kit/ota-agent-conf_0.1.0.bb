# SPDX-License-Identifier: Apache-2.0
SUMMARY = "The agent's settings: its server, its device type, the keys that it trusts"
DESCRIPTION = "The configuration of ota-agent. It is a package of its own, so that a product can replace it."
HOMEPAGE = "https://otakit.example"
SECTION = "base"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

SRC_URI = ""

S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"
B = "${WORKDIR}/build"

PACKAGE_ARCH = "${MACHINE_ARCH}"

inherit ota-variables python3native

OTA_SERVER_URLS ??= ""
OTA_SERVER_CERTIFICATE ??= ""
OTA_SIGNING_KEY ??= ""
OTA_UNSIGNED ??= ""
OTA_VERIFY_KEYS ??= ""
OTA_DEVICE_TYPES ??= ""

do_install[file-checksums] += "${@' '.join('%s:True' % each for each in \
    ('%s %s %s' % (d.getVar('OTA_SERVER_CERTIFICATE'), d.getVar('OTA_VERIFY_KEYS'), ota_own_key(d))).split())}"
do_install[depends] += "${@'python3-ota-artifact-native:do_populate_sysroot' if ota_own_key(d) else ''}"

do_install () {
    install -d ${D}${sysconfdir}/ota/keys
    if [ -n "${OTA_SERVER_CERTIFICATE}" ]; then
        install -m 0644 ${OTA_SERVER_CERTIFICATE} ${D}${sysconfdir}/ota/server.crt
    fi
    for key in ${OTA_VERIFY_KEYS}; do
        install -m 0644 $key ${D}${sysconfdir}/ota/keys/
    done
    if [ -n "${@ota_own_key(d)}" ]; then
        python3 -c 'import pathlib, sys; from ota_artifact.keys import load_private_key as load; print(load(pathlib.Path(sys.argv[1])).public.pem, end="")' \
            ${OTA_SIGNING_KEY} > ${D}${sysconfdir}/ota/keys/signing.pem
    fi
    install -m 0644 ${B}/agent.toml ${D}${sysconfdir}/ota/agent.toml
}

# Before do_install, so that a bbappend of do_install can still change the file.
python do_configuration () {
    import json

    server = (d.getVar("OTA_SERVER_URLS") or "").split()
    types = (d.getVar("OTA_DEVICE_TYPES") or "").split()
    keys = [os.path.basename(each) for each in (d.getVar("OTA_VERIFY_KEYS") or "").split()]
    if ota_own_key(d):
        keys.append("signing.pem")

    def toml(value):
        """The value as JSON, without its escapes beyond 16 bits, which TOML does not have."""
        return json.dumps(value, ensure_ascii=False)

    lines = ["[device]"]
    if types:
        lines.append("device_type = %s" % toml(types[0]))
    lines += ["", "[server]", "urls = %s" % toml(server)]
    if keys:
        folder = d.getVar("sysconfdir") + "/ota/keys/"
        lines += ["", "[keys]", "keys = %s" % toml([folder + each for each in keys])]
    if d.getVar("OTA_SERVER_CERTIFICATE"):
        path = d.getVar("sysconfdir") + "/ota/server.crt"
        lines += ["", "[tls]", "server_certificate = %s" % toml(path)]
    with open(os.path.join(d.getVar("B"), "agent.toml"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
}
do_install[prefuncs] += "do_configuration"

def ota_own_key(d):
    """The signing key, if its public half is the only key that the device gets; else nothing."""
    return "" if d.getVar("OTA_VERIFY_KEYS") else d.getVar("OTA_SIGNING_KEY") or ""

python () {
    is_trusting = not (d.getVar("OTA_VERIFY_KEYS") or d.getVar("OTA_SIGNING_KEY"))
    if d.getVar("OTA_SERVER_URLS") and is_trusting and d.getVar("OTA_UNSIGNED") != "1":
        bb.fatal("OTA_SERVER_URLS: without a key, the device would install whatever the server, or anyone in"
                 " its place, sends; set OTA_SIGNING_KEY or OTA_VERIFY_KEYS, or on a bench OTA_UNSIGNED = \"1\"")
    for name in ("OTA_SERVER_CERTIFICATE", "OTA_VERIFY_KEYS"):
        for path in (d.getVar(name) or "").split():
            if not (os.path.isabs(path) and os.path.isfile(path)):
                bb.fatal("%s: %s is not the full path of a file" % (name, path))
    ota_check_keys((d.getVar("OTA_VERIFY_KEYS") or "").split())
    ota_check_certificate(d.getVar("OTA_SERVER_CERTIFICATE") or "")
}

def ota_check_certificate(path):
    """Stop if the file has a private key too, as those of a server often have."""
    if path:
        with open(path, "rb") as file:
            if b"PRIVATE KEY" in file.read():
                bb.fatal("OTA_SERVER_CERTIFICATE: %s has a private key, which must not be on a device" % path)

def ota_check_keys(paths):
    """Stop unless each of the files has one public key, and a name of its own."""
    names = [os.path.basename(each) for each in paths]
    for path, name in zip(paths, names):
        if names.count(name) > 1:
            bb.fatal("OTA_VERIFY_KEYS: %s: another key has the same file name, and one would take the place of"
                     " the other; rename it" % path)
        with open(path, "rb") as file:
            text = file.read(1 << 16)
        if b"PRIVATE KEY" in text:
            bb.fatal("OTA_VERIFY_KEYS: %s is a private key, which must not be on a device" % path)
        if text.count(b"-----BEGIN PUBLIC KEY-----") != 1:
            bb.fatal("OTA_VERIFY_KEYS: %s must have one public key in PEM" % path)

# Here, since this package is made for one machine and so for one bootloader; the agent's is not.
RDEPENDS:${PN}:append:ota-u-boot = " libubootenv-bin"

CONFFILES:${PN} = "${sysconfdir}/ota/agent.toml"
