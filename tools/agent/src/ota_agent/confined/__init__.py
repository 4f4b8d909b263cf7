# SPDX-License-Identifier: Apache-2.0
"""A process that may do nothing but unpack: bytes in, bytes out.

Bytes that nobody has verified yet go through a decompressor in C before their digest is known. Here
a flaw in it gives an attacker a process without rights, files, network and system calls, whose
output the agent hashes before anything is started from it. See docs/design/parsing-process.md.
"""
