# SPDX-License-Identifier: MIT
"""The names under which the guide's workers finds what is in shared."""
