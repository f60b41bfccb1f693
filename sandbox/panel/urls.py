"""The control panel's pages."""

from django.urls import path
from django.views.generic import RedirectView

from sandbox.panel import actions, marketplace, views

urlpatterns = [
    path("", RedirectView.as_view(url="/manage/orders")),
    path("install", marketplace.start_install),
    path("manage/apps", marketplace.apps),
    path("manage/app", marketplace.app),
    # BigCommerce's address ends in the app's id; here there is one app.
    path("manage/app/<int:app_id>", RedirectView.as_view(url="/manage/app", query_string=True)),
    path("manage/app/uninstall", marketplace.uninstall),
    path("manage/prefer", views.prefer),
    path("manage/orders", views.order_list),
    path("manage/orders/<int:order_id>", views.order_page),
    path("manage/orders/<int:order_id>/shop", views.in_shop),
    path("manage/orders/<int:order_id>/extension/<int:extension_id>", views.extension),
    path("manage/orders/<int:order_id>/<str:action>", actions.act),
]
