# SPDX-License-Identifier: Apache-2.0
SUMMARY = "An image to try updates with"
DESCRIPTION = "The minimal image with an SSH server, and root without a password: for a desk, never for \
a product."

require ota-image-minimal.bb

# nooelint: oelint.var.badimagefeature.allow-empty-password,oelint.var.badimagefeature.allow-root-login,oelint.var.badimagefeature.empty-root-password
IMAGE_FEATURES += "ssh-server-dropbear allow-empty-password allow-root-login empty-root-password"
