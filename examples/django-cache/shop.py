"""A Django project in one file, with its cache and sessions in Ochre."""

import os
import sys
import time

from django.conf import settings

settings.configure(
    DEBUG=False,
    SECRET_KEY="only for the example",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    SESSION_CACHE_ALIAS="default",
    CACHES={
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": os.environ.get("OCHRE_URL", "redis://localhost:6379") + "/1",
            "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"},
            "TIMEOUT": 300,
        }
    },
)

from django.core.cache import cache  # noqa: E402
from django.core.management import execute_from_command_line  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.cache import cache_page  # noqa: E402


def root(request):
    return JsonResponse({"alive": True})


@cache_page(60)
def slow(request):
    time.sleep(1)
    return JsonResponse({"made_at": time.time()})


def square(request, number):
    calls = cache.get_or_set("calls", 0)

    def compute():
        cache.incr("calls")
        return number * number

    return JsonResponse({"square": cache.get_or_set(f"square:{number}", compute, 60), "calls_before": calls})


def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"]})


def forget(request):
    return JsonResponse({"forgotten": cache.delete_pattern("square:*")})


def once(request):
    lock = cache.lock("work", timeout=10, blocking_timeout=0)
    if not lock.acquire():
        return JsonResponse({"worked": False})
    try:
        time.sleep(0.5)
        return JsonResponse({"worked": True})
    finally:
        lock.release()


def ttl(request):
    cache.set("short", 1, timeout=100)
    known = [cache.ttl("short"), cache.ttl("missing")]
    cache.expire("short", timeout=50)
    known.append(cache.ttl("short"))
    cache.persist("short")
    known.append(cache.ttl("short"))
    return JsonResponse({"ttl": known})


urlpatterns = [
    path("", root),
    path("slow", slow),
    path("square/<int:number>", square),
    path("visits", visits),
    path("forget", forget),
    path("once", once),
    path("ttl", ttl),
]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
