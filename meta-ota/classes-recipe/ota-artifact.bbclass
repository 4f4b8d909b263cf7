# SPDX-License-Identifier: Apache-2.0
# Writes update files, for images and for modules: the device types that may install one, its
# compression and its signature.

inherit ota-variables python3native

OTA_COMPRESSION ??= "lzma"
OTA_DEVICE_TYPES ??= ""
OTA_SECURITY_VERSION ??= ""
OTA_SIGNING_KEY ??= ""

OTA_KEY_CHECKSUM = "${@'%s:True' % d.getVar('OTA_SIGNING_KEY') if d.getVar('OTA_SIGNING_KEY') else ''}"

# ota_write_artifact KIND NAME FILE OPTION...
ota_write_artifact () {
    kind=$1
    name=$2
    file=$3
    shift 3
    for type in ${OTA_DEVICE_TYPES}; do
        set -- "$@" --compatible-types $type
    done
    if [ -n "${OTA_SECURITY_VERSION}" ]; then
        set -- "$@" --security-version ${OTA_SECURITY_VERSION}
    fi
    if [ -n "${OTA_SIGNING_KEY}" ]; then
        set -- "$@" --key ${OTA_SIGNING_KEY}
    else
        bbnote "$name is unsigned; OTA_SIGNING_KEY signs it"
    fi
    ota-artifact write $kind --no-progress --artifact-name $name --output-path $file \
        --compression ${OTA_COMPRESSION} "$@"
}

def ota_can_compress(name):
    """Whether Python alone writes it; gzip needs the package deflate, and zstd zstandard."""
    return name in ("lzma", "none", "xz")

python () {
    compression = d.getVar("OTA_COMPRESSION")
    if not ota_can_compress(compression):
        bb.fatal("OTA_COMPRESSION: the layer has no Python package that writes '%s'; write lzma or none"
                 % compression)
    number = d.getVar("OTA_SECURITY_VERSION")
    if number and not (number.isdecimal() and int(number) < 1 << 31 and number == str(int(number))):
        bb.fatal("OTA_SECURITY_VERSION: '%s' is not a number from 0 to 2147483647" % number)
    key = d.getVar("OTA_SIGNING_KEY")
    if key and not (os.path.isabs(key) and os.path.isfile(key)):
        bb.fatal("OTA_SIGNING_KEY: %s is not the full path of a file" % key)
}
