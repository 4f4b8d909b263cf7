# SPDX-License-Identifier: Apache-2.0
"""Which device this is, as its own files say."""
