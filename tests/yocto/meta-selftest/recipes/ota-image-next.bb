# SPDX-License-Identifier: Apache-2.0
require recipes-ota/images/ota-image-minimal.bb
SUMMARY = "The minimal image's next release"

OTA_RELEASE = "2"
