# SPDX-License-Identifier: MIT
"""The names under which the guide's backend finds what is in shared."""
