# SPDX-License-Identifier: MIT
"""What ./dev does behind its shell entry: servers, programs, supervisor, suites. Standard library only,
so that it runs in any Python >= 3.11 and the integration tests import the very code that a developer uses."""
