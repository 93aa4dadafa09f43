"""Acts in Flyte as the person who calls it. Run it with `gunicorn django_app`."""

import flyte
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from flyte import remote

from passthrough_auth.clients.flyte import current_user, init_passthrough

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["passthrough_auth.frameworks.django.PassthroughAuthMiddleware"],
    PASSTHROUGH_AUTH={"excluded_paths": ["/health"]},
)
init_passthrough(project="demo", domain="development")


def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def me(request: HttpRequest) -> JsonResponse:
    user = current_user()
    return JsonResponse({"subject": user.subject, "name": user.name})


@csrf_exempt  # the gate refuses cross-site requests with cookies itself
async def trigger_job(request: HttpRequest) -> JsonResponse:
    run = await flyte.run.aio(remote.Task.get(name="train", auto_version="latest"))
    return JsonResponse({"run": run.name, "url": run.url})


urlpatterns = [path("health", health), path("me", me), path("trigger-job", trigger_job)]
application, asgi = get_wsgi_application(), get_asgi_application()
