"""Paths of BigCommerce's login, API and payments hosts."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
