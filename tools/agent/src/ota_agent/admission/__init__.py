# SPDX-License-Identifier: Apache-2.0
"""Whether an artifact may be installed here."""
