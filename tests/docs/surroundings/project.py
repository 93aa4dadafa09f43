"""What a Django project has beside the settings that a page shows."""

from django.core.wsgi import get_wsgi_application
from settings import *  # noqa: F403 - as settings modules are built on others

SECRET_KEY = "of a test"
ROOT_URLCONF = "project"
INSTALLED_APPS = ["passthrough_auth.frameworks.django"]
urlpatterns = []


def __getattr__(name):
    if name == "application":
        return get_wsgi_application()
    raise AttributeError(name)
