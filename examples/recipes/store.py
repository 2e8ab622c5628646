"""The connection that all recipes use."""

import os

import redis

store = redis.Redis.from_url(os.environ.get("OCHRE_URL", "redis://localhost:6379"), decode_responses=True)
