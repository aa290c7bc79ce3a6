# SPDX-License-Identifier: MIT
"""The Redis that progress goes through. shared reads from it only where Redis is, and connects by itself."""

from redis.asyncio import Redis

from shared.config import settings

redis_client = Redis.from_url(str(settings.REDIS_URL))

__all__ = ["redis_client"]
