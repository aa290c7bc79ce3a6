# SPDX-License-Identifier: MIT
"""The worker in Celery."""
