# SPDX-License-Identifier: Apache-2.0
"""Files inside filesystem and disk images, read and changed without root and without mounting."""
