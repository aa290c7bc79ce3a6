# SPDX-License-Identifier: MIT
"""The routes."""
