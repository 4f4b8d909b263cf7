# SPDX-License-Identifier: Apache-2.0
SUMMARY = "The smallest image that takes updates"
DESCRIPTION = "A system with two slots that starts, runs the agent of OTA Kit, and nothing else."
HOMEPAGE = "https://otakit.example"
SECTION = "images"
LICENSE = "Apache-2.0"

IMAGE_INSTALL = "packagegroup-core-boot ota-agent"
IMAGE_LINGUAS = ""

inherit core-image ota-image
