# SPDX-License-Identifier: Apache-2.0
require recipes-ota/images/ota-image-minimal.bb
SUMMARY = "The minimal image, and nothing before its init"

OTA_FEATURES = ""
