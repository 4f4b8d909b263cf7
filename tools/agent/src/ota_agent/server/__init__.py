# SPDX-License-Identifier: Apache-2.0
"""The server's side of the agent: Mender's device API over TLS, with an identity and a key."""
