# SPDX-License-Identifier: Apache-2.0
require recipes-ota/images/ota-image-minimal.bb
SUMMARY = "The minimal image's next release, on a root filesystem that is never written to"

OTA_RELEASE = "2"

IMAGE_FEATURES += "read-only-rootfs"
