"""The app on Django: `wsgi` and `asgi`."""

import django
import shared
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from passthrough_auth.clients.flyte import init_passthrough

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "testserver"],
    MIDDLEWARE=["passthrough_auth.frameworks.django.PassthroughAuthMiddleware"],
    PASSTHROUGH_AUTH={"excluded_paths": shared.PUBLIC},
    ROOT_URLCONF=__name__,
    USE_I18N=False,
)
django.setup()
init_passthrough(**shared.PLACE)


def health(request):
    return JsonResponse({"ok": True})


def anybody(request):
    return JsonResponse(shared.anybody())


def me(request):
    return JsonResponse(shared.me())


async def ame(request):
    return JsonResponse(await shared.ame())


@csrf_exempt
def trigger(request):
    return JsonResponse(shared.trigger())


@csrf_exempt
async def atrigger(request):
    return JsonResponse(await shared.atrigger())


def stream(request):
    return StreamingHttpResponse(shared.chunks())


async def astream(request):
    return StreamingHttpResponse(shared.achunks())


@csrf_exempt
def body(request):
    return JsonResponse({"bytes": len(request.body)})


urlpatterns = [
    path("health", health),
    path("public/sdk", anybody),
    path("sync/me", me),
    path("async/me", ame),
    path("sync/trigger-job", trigger),
    path("async/trigger-job", atrigger),
    path("sync/stream", stream),
    path("async/stream", astream),
    path("body", body),
]
wsgi = get_wsgi_application()
asgi = get_asgi_application()
